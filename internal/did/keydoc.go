package did

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/kinpass/kinpass/internal/fault"
)

// Errors of a format asked for.
var (
	errFormatUnknown = fault.New(fault.Invalid, "did-format-unknown", "this format of public keys is not known")
	errFormatUnfit   = fault.New(fault.Invalid, "did-format-unfit", "this format of public keys does not fit the key")
)

const contextDID = "https://www.w3.org/ns/did/v1"

// formatContexts are the types that keys are written in, with the JSON-LD
// contexts that define them.
var formatContexts = map[string]string{
	"Multikey":                   "https://w3id.org/security/multikey/v1",
	"JsonWebKey":                 "https://w3id.org/security/jwk/v1",
	"JsonWebKey2020":             "https://w3id.org/security/suites/jws-2020/v1",
	"Ed25519VerificationKey2020": "https://w3id.org/security/suites/ed25519-2020/v1",
	"X25519KeyAgreementKey2020":  "https://w3id.org/security/suites/x25519-2020/v1",
}

// experimental are types that the did:key method knows and that are not
// written here.
var experimental = map[string]bool{
	"Ed25519VerificationKey2018": true, "X25519KeyAgreementKey2019": true, "EcdsaSecp256k1VerificationKey2019": true,
	"EcdsaSecp256r1VerificationKey2019": true, "P256Key2021": true, "P384Key2021": true, "Bls12381G1Key2020": true, "Bls12381G2Key2020": true,
}

// expansion says how a key becomes a document (did:key, section 3.1.1).
type expansion struct {
	format      string // a key of formatContexts; empty: that of the method
	noAgreement bool   // derive no X25519 key of an Ed25519 key
}

// KeyDocument gives the document of a did:key or did:jwk, which follows from
// the identifier alone. Keys of did:key are written as Multikey, and an
// Ed25519 key comes with the X25519 key derived from it; the key of a did:jwk
// is written as JsonWebKey2020. Errors: those of ParseMultikey, ErrJWK,
// ErrInvalid, and ErrUnsupported for other methods.
func KeyDocument(id string) (*Document, error) { return expand(id, expansion{}) }

func expand(id string, x expansion) (*Document, error) {
	if len(id) > maxDIDURL {
		return nil, ErrInvalid
	}
	switch method, rest, _ := strings.Cut(strings.TrimPrefix(id, "did:"), ":"); {
	case !strings.HasPrefix(id, "did:"):
		return nil, ErrUnsupported
	case method == "key":
		return expandKey(id, rest, x)
	case method == "jwk":
		return expandJWK(id, rest, x)
	}
	return nil, ErrUnsupported
}

// expandKey reads "did:key:" [version ":"] multibase. Whatever the version,
// the key is that of the multibase value.
func expandKey(id, rest string, x expansion) (*Document, error) {
	mb := rest
	if version, after, has := strings.Cut(rest, ":"); has {
		if !validVersion(version) {
			return nil, ErrInvalid
		}
		mb = after
	}
	pub, err := ParseMultikey(mb)
	if err != nil {
		return nil, err
	}
	if x.format == "" {
		x.format = "Multikey"
	}
	d := &Document{ID: id, Context: []string{contextDID}, AssertionMethod: []string{}}
	_, agrees := pub.(*ecdh.PublicKey)
	if err := d.addKey(mb, pub, x.format, agrees); err != nil {
		return nil, err
	}
	ed, ok := pub.(ed25519.PublicKey)
	if !ok || x.noAgreement {
		return d, nil
	}
	agreement, err := toX25519(ed)
	if err != nil {
		return nil, err
	}
	frag, err := EncodeMultikey(agreement)
	if err != nil {
		return nil, err
	}
	if x.format == "Ed25519VerificationKey2020" {
		x.format = "X25519KeyAgreementKey2020"
	}
	if err := d.addKey(frag, agreement, x.format, true); err != nil {
		return nil, err
	}
	return d, nil
}

// validVersion accepts a positive whole number, or one with a second number
// after a point, without leading zeros.
func validVersion(s string) bool {
	major, minor, has := strings.Cut(s, ".")
	return number(major) && major != "0" && (!has || number(minor))
}

func number(s string) bool {
	return s != "" && len(s) <= 9 && strings.Trim(s, "0123456789") == "" && (s == "0" || s[0] != '0')
}

// toX25519 gives the X25519 key of an Ed25519 key: the same point in
// Montgomery form (RFC 7748, section 4.1).
func toX25519(pub ed25519.PublicKey) (*ecdh.PublicKey, error) {
	p, err := edwardsPoint(pub)
	if err != nil {
		return nil, err
	}
	k, err := ecdh.X25519().NewPublicKey(p.BytesMontgomery())
	if err != nil {
		return nil, ErrKeyValue.With(err)
	}
	return k, nil
}

// expandJWK gives the document of the did:jwk method: one key, "#0", for what
// its "use" and its curve are good for.
func expandJWK(id, enc string, x expansion) (*Document, error) {
	k, err := decodeJWK(enc)
	if err != nil {
		return nil, err
	}
	format := x.format
	if format == "" {
		format = "JsonWebKey2020"
	}
	d := &Document{ID: id, Context: []string{contextDID}, AssertionMethod: []string{}}
	_, agrees := k.Key.(*ecdh.PublicKey)
	if err := d.addKey("0", k.Key, format, agrees || k.Use == "enc"); err != nil {
		return nil, err
	}
	if m := &d.VerificationMethod[0]; len(m.PublicKeyJwk) > 0 {
		m.PublicKeyJwk = k.JSON
	}
	if _, ed := k.Key.(ed25519.PublicKey); !ed && k.Use == "" && !agrees {
		d.KeyAgreement = []string{id + "#0"}
	}
	return d, nil
}

// addKey adds a method with its context to the relations of a signature key or
// of a key agreement key.
func (d *Document) addKey(fragment string, pub crypto.PublicKey, format string, agreement bool) error {
	m := VerificationMethod{ID: d.ID + "#" + fragment, Type: format, Controller: d.ID}
	context, known := formatContexts[format]
	if !known {
		return errFormatUnknown
	}
	_, ed := pub.(ed25519.PublicKey)
	_, x := pub.(*ecdh.PublicKey)
	if format == "Ed25519VerificationKey2020" && !ed || format == "X25519KeyAgreementKey2020" && !x {
		return errFormatUnfit
	}
	var err error
	if strings.HasPrefix(format, "JsonWebKey") {
		m.PublicKeyJwk, err = encodeJWK(pub)
	} else if m.PublicKeyMultibase, err = EncodeMultikey(pub); err != nil {
		err = errFormatUnfit.With(err) // P-521 has a JWK and is no Multikey here
	}
	if err != nil {
		return err
	}
	if d.Context[len(d.Context)-1] != context {
		d.Context = append(d.Context, context)
	}
	d.VerificationMethod = append(d.VerificationMethod, m)
	if agreement {
		d.KeyAgreement = append(d.KeyAgreement, m.ID)
		return nil
	}
	for _, purpose := range purposes[:4] {
		r := d.relation(purpose)
		*r = append(*r, m.ID)
	}
	return nil
}

// encodeJWK writes a public key as a JWK.
func encodeJWK(pub crypto.PublicKey) (json.RawMessage, error) {
	out := struct {
		Kty string `json:"kty"`
		Crv string `json:"crv"`
		X   string `json:"x"`
		Y   string `json:"y,omitempty"`
	}{}
	enc := base64.RawURLEncoding.EncodeToString
	switch k := pub.(type) {
	case ed25519.PublicKey:
		out.Kty, out.Crv, out.X = "OKP", "Ed25519", enc(k)
	case *ecdh.PublicKey:
		out.Kty, out.Crv, out.X = "OKP", "X25519", enc(k.Bytes())
	case *ecdsa.PublicKey:
		u, err := k.Bytes() // 0x04 ‖ X ‖ Y
		if err != nil {
			return nil, ErrKeyValue.With(err)
		}
		n := (len(u) - 1) / 2
		out.Kty, out.Crv, out.X, out.Y = "EC", k.Curve.Params().Name, enc(u[1:1+n]), enc(u[1+n:])
	case Secp256k1Key:
		out.Kty, out.Crv, out.X, out.Y = "EC", "secp256k1", enc(k.x[:]), enc(k.y[:])
	default:
		return nil, ErrKeyType
	}
	return json.Marshal(out)
}
