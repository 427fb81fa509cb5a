package did

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"encoding/json"
	"io"
	"unicode/utf8"

	"github.com/kinpass/kinpass/internal/fault"
)

// ErrJWK: the text is not a strict public JWK.
var ErrJWK = fault.New(fault.Invalid, "did-jwk-invalid", "not a usable public JWK")

const maxJWK = 2048 // bytes

// jwk is a public key read from a JWK (RFC 7517) of type OKP (Ed25519, X25519)
// or EC (P-256, P-384, P-521, secp256k1).
type jwk struct {
	Key     crypto.PublicKey
	Use     string // "sig", "enc" or empty
	Members map[string]json.RawMessage
}

// secretMembers belong to private and symmetric keys (RFC 7518, section 6).
var secretMembers = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv", "seed"}

// decodeJWK reads the method-specific id of a did:jwk: base64url of a JWK.
func decodeJWK(enc string) (*jwk, error) {
	if len(enc) > maxJWK*4/3+4 {
		return nil, ErrJWK
	}
	data, ok := decode64(enc)
	if !ok {
		return nil, ErrJWK
	}
	return parseJWK(data)
}

// ParseJWK gives the public key of a JWK (RFC 7517) of type OKP (Ed25519,
// X25519) or EC (P-256, P-384, P-521, secp256k1) and its members by their exact
// names. Of these kty, crv, x, y and use are checked; the others are the
// caller's business. Errors: ErrJWK, ErrKeySecret for private and symmetric
// keys, ErrKeyType, ErrKeyLength, ErrKeyValue for what is no usable point.
func ParseJWK(data []byte) (crypto.PublicKey, map[string]json.RawMessage, error) {
	k, err := parseJWK(data)
	if err != nil {
		return nil, nil, err
	}
	return k.Key, k.Members, nil
}

func parseJWK(data []byte) (*jwk, error) {
	if len(data) > maxJWK {
		return nil, ErrJWK
	}
	m, err := members(data)
	if err != nil {
		return nil, ErrJWK.With(err)
	}
	for _, name := range secretMembers {
		if _, ok := m[name]; ok {
			return nil, ErrKeySecret
		}
	}
	k := jwk{Members: m}
	var kty, crv, x, y string
	var okty, okcrv, okx, oky bool
	if kty, okty = text(m, "kty"); !okty {
		return nil, ErrJWK
	}
	if kty != "OKP" && kty != "EC" {
		return nil, ErrKeyType
	}
	if crv, okcrv = text(m, "crv"); !okcrv {
		return nil, ErrJWK
	}
	if x, okx = text(m, "x"); !okx {
		return nil, ErrJWK
	}
	y, oky = text(m, "y")
	if _, has := m["use"]; has {
		var ok bool
		if k.Use, ok = text(m, "use"); !ok || k.Use != "sig" && k.Use != "enc" {
			return nil, ErrJWK
		}
	}
	if _, has := m["y"]; has != (kty == "EC") || has != oky {
		return nil, ErrJWK
	}
	if k.Key, err = jwkKey(kty+" "+crv, x, y); err != nil {
		return nil, err
	}
	_, agreement := k.Key.(*ecdh.PublicKey)
	if agreement && k.Use == "sig" {
		return nil, ErrJWK
	}
	if _, signature := k.Key.(ed25519.PublicKey); signature && k.Use == "enc" {
		return nil, ErrJWK
	}
	return &k, nil
}

// jwkKey makes the key of a JWK's coordinates.
func jwkKey(kind, x, y string) (crypto.PublicKey, error) {
	xb, ok := decode64(x)
	if !ok {
		return nil, ErrJWK
	}
	switch kind {
	case "OKP Ed25519":
		if len(xb) != ed25519.PublicKeySize {
			return nil, ErrKeyLength
		}
		if _, err := edwardsPoint(xb); err != nil {
			return nil, err
		}
		return ed25519.PublicKey(xb), nil
	case "OKP X25519":
		if len(xb) != 32 {
			return nil, ErrKeyLength
		}
		k, err := ecdh.X25519().NewPublicKey(xb)
		if err != nil {
			return nil, ErrKeyValue.With(err)
		}
		return k, nil
	}
	size, known := map[string]int{"EC P-256": 32, "EC P-384": 48, "EC P-521": 66, "EC secp256k1": 32}[kind]
	if !known {
		return nil, ErrKeyType
	}
	yb, ok := decode64(y)
	if !ok {
		return nil, ErrJWK
	}
	if len(xb) != size || len(yb) != size {
		return nil, ErrKeyLength
	}
	point := append(append([]byte{4}, xb...), yb...)
	if kind == "EC secp256k1" {
		k, err := secp256k1Key(point)
		if err != nil {
			return nil, err
		}
		return k, nil
	}
	curve := map[string]elliptic.Curve{"EC P-256": elliptic.P256(), "EC P-384": elliptic.P384(), "EC P-521": elliptic.P521()}[kind]
	pub, err := ecdsa.ParseUncompressedPublicKey(curve, point)
	if err != nil {
		return nil, ErrKeyValue.With(err)
	}
	return pub, nil
}

// members reads one JSON object with exact names. encoding/json alone takes
// names of any case and the last of two equal ones, so that two readers could
// see two keys.
func members(data []byte) (map[string]json.RawMessage, error) {
	if !utf8.Valid(data) {
		return nil, ErrInvalid
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, ErrInvalid.With(err)
	}
	out := map[string]json.RawMessage{}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return nil, ErrInvalid.With(err)
		}
		name, ok := t.(string)
		if _, twice := out[name]; !ok || twice {
			return nil, ErrInvalid
		}
		var v json.RawMessage
		if err := dec.Decode(&v); err != nil {
			return nil, ErrInvalid.With(err)
		}
		out[name] = v
	}
	if _, err := dec.Token(); err != nil {
		return nil, ErrInvalid.With(err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, ErrInvalid
	}
	return out, nil
}

// text gives a member that must be a string.
func text(m map[string]json.RawMessage, name string) (string, bool) {
	raw := m[name]
	if len(raw) == 0 || raw[0] != '"' {
		return "", false
	}
	var s string
	return s, json.Unmarshal(raw, &s) == nil && s != ""
}
