package vc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"strings"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jws"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/keys"
)

// Media types of a JOSE header's typ (VC-JOSE-COSE 1.0, section 3; OpenID4VCI
// 1.0, appendix F.1).
const (
	TypCredential   = "vc+jwt"
	TypPresentation = "vp+jwt"
	TypTrustList    = "kinpass-trust+jwt"
	TypBundle       = "kinpass-bundle+jwt"
	TypProof        = "openid4vci-proof+jwt"
	TypDPoP         = "dpop+jwt"
)

// Errors of verification. They never repeat what was verified.
var (
	ErrMalformed = fault.New(fault.Invalid, "jws-malformed", "not a compact JWS that can be verified")
	ErrSignature = fault.New(fault.Invalid, "signature-invalid", "the signature does not verify")
	ErrType      = fault.New(fault.Invalid, "jws-type", "the signed object is of another type")
)

// SignJWS signs payload as it is, byte for byte, with the header
// {alg, cty, kid, typ}. An empty cty or kid is left out.
func SignJWS(s keys.Signer, typ, cty string, payload []byte) (string, error) {
	h := jws.NewHeaders()
	if err := h.Set("typ", typ); err != nil {
		return "", err
	}
	if cty != "" {
		if err := h.Set("cty", cty); err != nil {
			return "", err
		}
	}
	if s.KID != "" {
		if err := h.Set("kid", s.KID); err != nil {
			return "", err
		}
	}
	alg, err := algorithm(s.Alg)
	if err != nil {
		return "", err
	}
	out, err := jws.Sign(payload, jws.WithKey(alg, s.Signer, jws.WithProtectedHeaders(h)))
	if err != nil {
		return "", err
	}
	return string(out), nil
}

func algorithm(name string) (jwa.SignatureAlgorithm, error) {
	switch name {
	case keys.EdDSA:
		return jwa.EdDSA(), nil
	case keys.ES256:
		return jwa.ES256(), nil
	}
	return jwa.SignatureAlgorithm{}, keys.ErrAlgorithm
}

// Header is the part of a JOSE header that Kinpass acts on.
type Header struct {
	Alg  string          `json:"alg"`
	Kid  string          `json:"kid"`
	Typ  string          `json:"typ"`
	Cty  string          `json:"cty"`
	Crit json.RawMessage `json:"crit"`
	B64  *bool           `json:"b64"`
	Jwk  json.RawMessage `json:"jwk"`
}

// JWS is a compact JWS taken apart and not yet verified. Payload must not be
// parsed before Verify said yes.
type JWS struct {
	Header  Header
	input   string // header "." payload, what was signed
	payload []byte
	sig     []byte
}

// maxJWS bounds a compact JWS that carries a credential or presentation.
const maxJWS = 64 << 10

// SplitJWS takes a compact JWS apart, strictly: three parts, canonical
// base64url without padding, a small JSON header with an algorithm we know, no
// critical extensions, no detached or unencoded payload (RFC 7515, RFC 7797).
func SplitJWS(compact string) (*JWS, error) { return splitJWS(compact, maxJWS) }

// SplitLargeJWS is SplitJWS for documents that hold many others (bundles,
// trust lists): up to limit bytes.
func SplitLargeJWS(compact string, limit int) (*JWS, error) { return splitJWS(compact, limit) }

func splitJWS(compact string, limit int) (*JWS, error) {
	// encoding/base64 skips line ends even when it is strict: they would be a
	// second spelling of the same object.
	if len(compact) > limit || strings.IndexByte(compact, '\r') >= 0 || strings.IndexByte(compact, '\n') >= 0 {
		return nil, ErrMalformed
	}
	i := strings.IndexByte(compact, '.')
	j := strings.LastIndexByte(compact, '.')
	if i <= 0 || j <= i+1 || j == len(compact)-1 || strings.IndexByte(compact[i+1:j], '.') >= 0 {
		return nil, ErrMalformed
	}
	if i > 4096 {
		return nil, ErrMalformed
	}
	head, err := b64.DecodeString(compact[:i])
	if err != nil {
		return nil, ErrMalformed.With(err)
	}
	v := &JWS{input: compact[:j]}
	if err := StrictJSON(head, &v.Header, 4); err != nil {
		return nil, ErrMalformed.With(err)
	}
	// RFC 7515, section 4.1.9: "application/" may be left out of a media type.
	v.Header.Typ = strings.TrimPrefix(v.Header.Typ, "application/")
	v.Header.Cty = strings.TrimPrefix(v.Header.Cty, "application/")
	if v.Header.Crit != nil || v.Header.B64 != nil {
		return nil, ErrMalformed
	}
	if v.Header.Alg != keys.EdDSA && v.Header.Alg != keys.ES256 {
		return nil, ErrMalformed
	}
	if v.payload, err = b64.DecodeString(compact[i+1 : j]); err != nil {
		return nil, ErrMalformed.With(err)
	}
	if v.sig, err = b64.DecodeString(compact[j+1:]); err != nil {
		return nil, ErrMalformed.With(err)
	}
	if len(v.sig) != 64 { // both algorithms: Ed25519, and r‖s on P-256
		return nil, ErrSignature
	}
	return v, nil
}

var b64 = base64.RawURLEncoding.Strict()

// Verify checks the signature with pub and returns the payload only if it
// holds. The key decides the algorithm; a header that names another is
// refused, so that no header can pick how a key is used.
func (v *JWS) Verify(pub crypto.PublicKey) ([]byte, error) {
	switch k := pub.(type) {
	case ed25519.PublicKey:
		if v.Header.Alg == keys.EdDSA && len(k) == ed25519.PublicKeySize && ed25519.Verify(k, []byte(v.input), v.sig) {
			return v.payload, nil
		}
	case *ecdsa.PublicKey:
		if v.Header.Alg != keys.ES256 || k.Curve != elliptic.P256() {
			return nil, ErrSignature
		}
		sum := sha256.Sum256([]byte(v.input))
		r, s := new(big.Int).SetBytes(v.sig[:32]), new(big.Int).SetBytes(v.sig[32:])
		if ecdsa.Verify(k, sum[:], r, s) {
			return v.payload, nil
		}
	}
	return nil, ErrSignature
}

// VerifyJWS takes a compact JWS of the given typ apart and verifies it.
func VerifyJWS(compact, typ string, pub crypto.PublicKey) ([]byte, error) {
	v, err := SplitJWS(compact)
	if err != nil {
		return nil, err
	}
	if v.Header.Typ != typ {
		return nil, ErrType
	}
	return v.Verify(pub)
}

// PayloadUnverified shows the payload of a JWS whose signature was not
// checked. It is for packing and for the wallet's own files, never for a
// decision.
func (v *JWS) PayloadUnverified() []byte { return v.payload }
