package vc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	_ "crypto/sha256" // of ES256
	_ "crypto/sha512" // of ES384 and ES512
	"slices"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/keys"
)

// ErrContentType says that a signed object's content is of another type than
// its place allows.
var ErrContentType = fault.New(fault.Invalid, "jws-content-type", "the content of the signed object is of another type")

// signatureAlg is one signature algorithm: its JOSE name (RFC 7518, section
// 3.1; RFC 8037), its hash, and the length of its signatures in bytes.
type signatureAlg struct {
	name string
	hash crypto.Hash // 0 for Ed25519
	size int
}

// algorithms are all that is signed or verified with. There is nothing
// symmetric, nothing with RSA and no "none" to be confused with.
var algorithms = map[string]*signatureAlg{
	keys.EdDSA: {keys.EdDSA, 0, ed25519.SignatureSize},
	keys.ES256: {keys.ES256, crypto.SHA256, 64},
	keys.ES384: {keys.ES384, crypto.SHA384, 96},
	keys.ES512: {keys.ES512, crypto.SHA512, 132},
}

// algorithmOf gives the one algorithm that a public key is used with.
func algorithmOf(pub crypto.PublicKey) (*signatureAlg, bool) {
	switch k := pub.(type) {
	case ed25519.PublicKey:
		if len(k) == ed25519.PublicKeySize {
			return algorithms[keys.EdDSA], true
		}
	case *ecdsa.PublicKey:
		if k == nil {
			return nil, false
		}
		switch k.Curve {
		case elliptic.P256():
			return algorithms[keys.ES256], true
		case elliptic.P384():
			return algorithms[keys.ES384], true
		case elliptic.P521():
			return algorithms[keys.ES512], true
		}
	}
	return nil, false
}

// anyJOSE reads a JWS from elsewhere. Its header may carry a chain of
// certificates, which is not looked at.
var anyJOSE = jwsRules{256 << 10, 16 << 10, allAlgorithms}

// SplitJOSE is SplitJWS for what others sign: EdDSA, ES256, ES384 and ES512, and
// a code of its own for each refusal. The caller has to look at Header.Typ.
func SplitJOSE(compact string) (*JWS, error) { return splitJWS(compact, anyJOSE) }

// OpenJOSE takes a compact JWS apart whose typ is one of typs; with none named
// nothing is accepted. A cty, if there is one, has to be that of the typ
// (VC-JOSE-COSE 1.0, section 3): vc for a credential, vp for a presentation.
// Nothing is verified yet; keys inside the header (jwk, x5c, jku) are never
// looked at.
func OpenJOSE(compact string, typs ...string) (*JWS, error) {
	v, err := SplitJOSE(compact)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(typs, v.Header.Typ) {
		return nil, ErrType
	}
	if want, ok := contentTypes[v.Header.Typ]; ok && v.Header.Cty != "" && v.Header.Cty != want {
		return nil, ErrContentType
	}
	return v, nil
}

// contentTypes is the cty that goes with a typ.
var contentTypes = map[string]string{
	TypCredential:     "vc",
	TypPresentation:   "vp",
	TypCredentialSD:   "vc",
	TypPresentationSD: "vp",
}
