package did

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"encoding/json"

	"github.com/kinpass/kinpass/internal/fault"
)

// ErrJWK: the text is not a strict public JWK.
var ErrJWK = fault.New(fault.Invalid, "did-jwk-invalid", "not a usable public JWK")

const maxJWK = 2048 // bytes

// jwk is a public key read from a JWK (RFC 7517) of type OKP (Ed25519, X25519)
// or EC (P-256, P-384, P-521, secp256k1).
type jwk struct {
	Key  crypto.PublicKey
	Use  string          // "sig", "enc" or empty
	JSON json.RawMessage // as it was written

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
	if err := checkJSON(data); err != nil {
		return nil, ErrJWK.With(err)
	}
	m, ok := members(data)
	if !ok {
		return nil, ErrJWK
	}
	for _, name := range secretMembers {
		if _, ok := m[name]; ok {
			return nil, ErrKeySecret
		}
	}
	kty, ok := text(m, "kty")
	if !ok {
		return nil, ErrJWK
	}
	if kty != "OKP" && kty != "EC" {
		return nil, ErrKeyType
	}
	crv, okCrv := text(m, "crv")
	x, okX := text(m, "x")
	y, okY := optional(m, "y")
	use, okUse := optional(m, "use")
	if !okCrv || !okX || !okY || !okUse || (y != "") != (kty == "EC") || use != "" && use != "sig" && use != "enc" {
		return nil, ErrJWK
	}
	key, err := jwkKey(kty+" "+crv, x, y)
	if err != nil {
		return nil, err
	}
	if _, agrees := key.(*ecdh.PublicKey); agrees && use == "sig" {
		return nil, ErrJWK
	}
	if _, signs := key.(ed25519.PublicKey); signs && use == "enc" {
		return nil, ErrJWK
	}
	return &jwk{Key: key, Use: use, JSON: data, Members: m}, nil
}

// jwkCurves are the curves of EC keys (RFC 7518, section 6.2.1.1; RFC 8812)
// with the length of a coordinate in bytes.
var jwkCurves = map[string]struct {
	curve elliptic.Curve // nil: secp256k1
	size  int
}{
	"EC P-256": {elliptic.P256(), 32}, "EC P-384": {elliptic.P384(), 48}, "EC P-521": {elliptic.P521(), 66}, "EC secp256k1": {nil, 32},
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
		if err := usableEdwards(xb); err != nil {
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
	c, known := jwkCurves[kind]
	if !known {
		return nil, ErrKeyType
	}
	yb, ok := decode64(y)
	if !ok {
		return nil, ErrJWK
	}
	if len(xb) != c.size || len(yb) != c.size {
		return nil, ErrKeyLength
	}
	point := append(append([]byte{4}, xb...), yb...)
	if c.curve == nil {
		k, err := secp256k1Key(point)
		if err != nil {
			return nil, err
		}
		return k, nil
	}
	pub, err := ecdsa.ParseUncompressedPublicKey(c.curve, point)
	if err != nil {
		return nil, ErrKeyValue.With(err)
	}
	return pub, nil
}
