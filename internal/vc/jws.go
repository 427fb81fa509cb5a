package vc

import (
	"crypto"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"

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
	TypHub          = "kinpass-hub+jwt" // a hub asks an issuer for its lists as of now
	TypProof        = "openid4vci-proof+jwt"
	TypDPoP         = "dpop+jwt"
	TypReissue      = "kinpass-reissue+jwt"
	// TypConsentStatus is a guardian's request to reserve or withdraw the status
	// of a travel consent.
	TypConsentStatus = "kinpass-consent-status+jwt"
	// TypPaper is a guardian's request for the paper credentials of a child.
	TypPaper = "kinpass-paper+jwt"
	// TypLedgerProof is a holder's request for the proofs that credentials are in
	// their issuer's ledger.
	TypLedgerProof = "kinpass-ledger-proof+jwt"
)

// Errors of verification. They never repeat what was verified.
var (
	ErrMalformed = fault.New(fault.Invalid, "jws-malformed", "not a compact JWS that can be verified")
	ErrSignature = fault.New(fault.Invalid, "signature-invalid", "the signature does not verify")
	ErrType      = fault.New(fault.Invalid, "jws-type", "the signed object is of another type")

	ErrJWSLarge     = fault.New(fault.TooLarge, "jws-large", "the JWS, or its header, is larger than any that is read here")
	ErrJWSAlgorithm = fault.New(fault.Invalid, "jws-algorithm", "the JWS names no signature algorithm that is used here")
	ErrCritical     = fault.New(fault.Invalid, "jws-critical", "the JWS needs an extension that is not known here")
	ErrKeyAlgorithm = fault.New(fault.Invalid, "key-algorithm-mismatch", "the key is not one for the algorithm that is named")
)

// Header is the part of a JOSE header that Kinpass acts on.
type Header struct {
	Alg  string          `json:"alg"`
	Kid  string          `json:"kid"`
	Typ  string          `json:"typ"`
	Cty  string          `json:"cty"`
	Crit json.RawMessage `json:"crit"`
	B64  json.RawMessage `json:"b64"`
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
// base64url without padding, a small JSON header with an algorithm of
// Kinpass's own services, no critical extensions, no detached or unencoded
// payload (RFC 7515, RFC 7797).
func SplitJWS(compact string) (*JWS, error) { return SplitLargeJWS(compact, maxJWS) }

// SplitLargeJWS is SplitJWS for documents that hold many others (bundles,
// trust lists): up to limit bytes.
func SplitLargeJWS(compact string, limit int) (*JWS, error) {
	v, err := splitJWS(compact, jwsRules{limit, 4096, ownAlgorithms})
	if err != nil && !errors.Is(err, ErrSignature) {
		return nil, ErrMalformed.With(err)
	}
	return v, err
}

// jwsRules say what is read: up to so many characters, of which so many of
// header, signed with one of these.
type jwsRules struct {
	limit, header int
	algs          []string
}

var (
	ownAlgorithms = []string{keys.EdDSA, keys.ES256}
	allAlgorithms = []string{keys.EdDSA, keys.ES256, keys.ES384, keys.ES512}
)

func splitJWS(compact string, rules jwsRules) (*JWS, error) {
	if len(compact) > rules.limit {
		return nil, ErrJWSLarge
	}
	// encoding/base64 skips line ends even when it is strict: they would be a
	// second spelling of the same object.
	if strings.IndexByte(compact, '\r') >= 0 || strings.IndexByte(compact, '\n') >= 0 {
		return nil, ErrMalformed
	}
	i := strings.IndexByte(compact, '.')
	j := strings.LastIndexByte(compact, '.')
	if i <= 0 || j <= i+1 || j == len(compact)-1 || strings.IndexByte(compact[i+1:j], '.') >= 0 {
		return nil, ErrMalformed
	}
	if i > rules.header {
		return nil, ErrJWSLarge
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
		return nil, ErrCritical
	}
	alg, ok := algorithms[v.Header.Alg]
	if !ok || !slices.Contains(rules.algs, v.Header.Alg) {
		return nil, ErrJWSAlgorithm
	}
	if v.payload, err = b64.DecodeString(compact[i+1 : j]); err != nil {
		return nil, ErrMalformed.With(err)
	}
	if v.sig, err = b64.DecodeString(compact[j+1:]); err != nil {
		return nil, ErrMalformed.With(err)
	}
	if len(v.sig) != alg.size {
		return nil, ErrSignature
	}
	return v, nil
}

var b64 = base64.RawURLEncoding.Strict()

// Verify checks the signature with pub and returns the payload only if it
// holds. The key decides the algorithm; a header that names another is
// refused, so that no header can pick how a key is used.
func (v *JWS) Verify(pub crypto.PublicKey) ([]byte, error) {
	alg, ok := algorithmOf(pub)
	if !ok || alg.name != v.Header.Alg {
		return nil, ErrSignature.With(ErrKeyAlgorithm)
	}
	if !checkSignature(pub, []byte(v.input), v.sig) {
		return nil, ErrSignature
	}
	return v.payload, nil
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
