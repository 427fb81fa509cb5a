// Package did reads and writes the decentralized identifiers that Kinpass
// uses: did:key for holders, did:web for issuers.
//
// It only parses: nothing here reaches for the network. Fetching did:web
// documents is internal/didweb.
package did

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"encoding/json"
	"math/big"
	"net/url"
	"strings"

	"github.com/kinpass/kinpass/internal/fault"
)

// Errors of this package. None repeats its input.
var (
	ErrInvalid     = fault.New(fault.Invalid, "did-invalid", "not a usable decentralized identifier")
	ErrUnsupported = fault.New(fault.Invalid, "did-method-unsupported", "this DID method or key type is not supported")
	ErrMismatch    = fault.New(fault.Invalid, "did-document-mismatch", "the DID document is for another identifier")
)

// multicodec prefixes of did:key (W3C CCG did:key, section 2).
const (
	codecEd25519 = 0xed
	codecP256    = 0x1200
)

const maxDID = 512 // bytes; longer identifiers are refused unread

// ParseKey gives the public key of a did:key: an ed25519.PublicKey or a
// P-256 *ecdsa.PublicKey. A fragment is accepted only if it repeats the key,
// as did:key writes its verification methods.
func ParseKey(id string) (crypto.PublicKey, error) {
	if len(id) > maxDID {
		return nil, ErrInvalid
	}
	mb, ok := strings.CutPrefix(id, "did:key:")
	if !ok {
		return nil, ErrUnsupported
	}
	if base, frag, has := strings.Cut(mb, "#"); has {
		if base != frag {
			return nil, ErrInvalid
		}
		mb = base
	}
	if len(mb) < 2 || mb[0] != 'z' {
		return nil, ErrInvalid
	}
	raw, ok := decode58(mb[1:])
	if !ok || len(raw) < 3 {
		return nil, ErrInvalid
	}
	code, rest, ok := uvarint(raw)
	if !ok {
		return nil, ErrInvalid
	}
	switch code {
	case codecEd25519:
		if len(rest) != ed25519.PublicKeySize {
			return nil, ErrInvalid
		}
		return ed25519.PublicKey(rest), nil
	case codecP256:
		pub, err := unmarshalCompressedP256(rest)
		if err != nil {
			return nil, err
		}
		return pub, nil
	}
	return nil, ErrUnsupported
}

// EncodeKey gives the did:key of an Ed25519 or P-256 public key.
func EncodeKey(pub crypto.PublicKey) (string, error) {
	switch k := pub.(type) {
	case ed25519.PublicKey:
		if len(k) != ed25519.PublicKeySize {
			return "", ErrInvalid
		}
		return "did:key:z" + encode58(append([]byte{0xed, 0x01}, k...)), nil
	case *ecdsa.PublicKey:
		if k.Curve != elliptic.P256() {
			return "", ErrUnsupported
		}
		u, err := k.Bytes() // 0x04 ‖ X ‖ Y
		if err != nil {
			return "", ErrInvalid.With(err)
		}
		c := append([]byte{0x80, 0x24, 2 + u[64]&1}, u[1:33]...)
		return "did:key:z" + encode58(c), nil
	}
	return "", ErrUnsupported
}

// KeyID gives the verification method of a did:key: the DID, "#" and the
// multibase key again.
func KeyID(id string) string {
	mb, _ := strings.CutPrefix(id, "did:key:")
	return id + "#" + mb
}

// Base gives the DID of a DID URL: all before the first of "/?#".
func Base(u string) string {
	if i := strings.IndexAny(u, "/?#"); i >= 0 {
		return u[:i]
	}
	return u
}

// uvarint reads a minimal unsigned varint (multiformats), at most 3 bytes.
func uvarint(b []byte) (uint64, []byte, bool) {
	var v uint64
	for i := 0; i < len(b) && i < 3; i++ {
		v |= uint64(b[i]&0x7f) << (7 * i)
		if b[i] < 0x80 {
			if i > 0 && b[i] == 0 {
				return 0, nil, false // not minimal: a second spelling of the key
			}
			return v, b[i+1:], true
		}
	}
	return 0, nil, false
}

func unmarshalCompressedP256(b []byte) (*ecdsa.PublicKey, error) {
	if len(b) != 33 {
		return nil, ErrInvalid
	}
	x, y := elliptic.UnmarshalCompressed(elliptic.P256(), b)
	if x == nil {
		return nil, ErrInvalid
	}
	u := make([]byte, 65)
	u[0] = 4
	x.FillBytes(u[1:33])
	y.FillBytes(u[33:])
	pub, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), u)
	if err != nil {
		return nil, ErrInvalid.With(err)
	}
	return pub, nil
}

const alphabet58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

func encode58(b []byte) string {
	n := new(big.Int).SetBytes(b)
	radix, mod := big.NewInt(58), new(big.Int)
	var out []byte
	for n.Sign() > 0 {
		n.DivMod(n, radix, mod)
		out = append(out, alphabet58[mod.Int64()])
	}
	for _, c := range b {
		if c != 0 {
			break
		}
		out = append(out, '1')
	}
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return string(out)
}

// decode58 refuses inputs over 128 characters: no key we know is that long,
// and the conversion is quadratic.
func decode58(s string) ([]byte, bool) {
	if len(s) == 0 || len(s) > 128 {
		return nil, false
	}
	zeros := 0
	for zeros < len(s) && s[zeros] == '1' {
		zeros++
	}
	buf := make([]byte, 0, len(s))
	for i := zeros; i < len(s); i++ {
		c := strings.IndexByte(alphabet58, s[i])
		if c < 0 {
			return nil, false
		}
		carry := c
		for j := len(buf) - 1; j >= 0; j-- {
			carry += 58 * int(buf[j])
			buf[j] = byte(carry)
			carry >>= 8
		}
		for carry > 0 {
			buf = append([]byte{byte(carry)}, buf...)
			carry >>= 8
		}
	}
	return append(make([]byte, zeros), buf...), true
}

// Document is a DID document (W3C DID Core 1.0, section 5) as far as Kinpass
// reads and writes it.
type Document struct {
	Context            []string             `json:"@context"`
	ID                 string               `json:"id"`
	VerificationMethod []VerificationMethod `json:"verificationMethod"`
	AssertionMethod    []string             `json:"assertionMethod"`
}

// VerificationMethod is one key of a document. PublicKeyJwk is a public JWK
// (RFC 7517); Revoked is the XSD dateTimeStamp after which the key must not be
// used (Controlled Identifiers 1.0, section 2.2), empty if none.
type VerificationMethod struct {
	ID           string          `json:"id"`
	Type         string          `json:"type"`
	Controller   string          `json:"controller"`
	PublicKeyJwk json.RawMessage `json:"publicKeyJwk"`
	Expires      string          `json:"expires,omitempty"`
	Revoked      string          `json:"revoked,omitempty"`
}

const maxDocument = 256 << 10 // bytes

// ParseDocument reads a DID document and refuses one whose id is not want, or
// whose methods belong to another controller.
func ParseDocument(data []byte, want string) (*Document, error) {
	if len(data) > maxDocument {
		return nil, ErrInvalid
	}
	var d Document
	if err := json.Unmarshal(data, &d); err != nil {
		return nil, ErrInvalid.With(err)
	}
	if d.ID != want {
		return nil, ErrMismatch
	}
	if len(d.VerificationMethod) > 256 {
		return nil, ErrInvalid
	}
	for i := range d.VerificationMethod {
		m := &d.VerificationMethod[i]
		if strings.HasPrefix(m.ID, "#") {
			m.ID = want + m.ID
		}
		if m.Controller != want || Base(m.ID) != want {
			return nil, ErrMismatch
		}
	}
	return &d, nil
}

// Method finds the verification method with this id among those that the
// document allows for assertions. It returns nil if there is none.
func (d *Document) Method(id string) *VerificationMethod {
	for i := range d.VerificationMethod {
		m := &d.VerificationMethod[i]
		if m.ID != id {
			continue
		}
		for _, a := range d.AssertionMethod {
			if a == id || d.ID+a == id {
				return m
			}
		}
	}
	return nil
}

// WebURL gives the address of a did:web document (did:web method, section
// 3.2): https, except for loopback hosts, where http is used so that a
// demonstration needs no certificate.
func WebURL(id string) (string, error) {
	rest, ok := strings.CutPrefix(id, "did:web:")
	if !ok || len(id) > maxDID || rest == "" {
		return "", ErrUnsupported
	}
	parts := strings.Split(rest, ":")
	for i, p := range parts {
		u, err := url.PathUnescape(p)
		if err != nil || u == "" || strings.ContainsAny(u, "/?#@\\ ") || u == "." || u == ".." {
			return "", ErrInvalid
		}
		parts[i] = u
	}
	scheme := "https://"
	host, _, _ := strings.Cut(parts[0], ":")
	if host == "localhost" || host == "127.0.0.1" {
		scheme = "http://"
	}
	if len(parts) == 1 {
		return scheme + parts[0] + "/.well-known/did.json", nil
	}
	return scheme + strings.Join(parts, "/") + "/did.json", nil
}

// FromURL gives the did:web of a service's base address, without a path:
// http://localhost:8080 becomes did:web:localhost%3A8080.
func FromURL(base string) (string, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || (u.Path != "" && u.Path != "/") {
		return "", ErrInvalid
	}
	return "did:web:" + strings.ReplaceAll(u.Host, ":", "%3A"), nil
}
