package issuer

import (
	"context"
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"
	"net/url"
	"strings"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/vc"
)

// Refusals of proofs and tokens. Their codes are those of OAuth 2.0 (RFC 6749,
// section 5.2), DPoP (RFC 9449, section 12.2) and OpenID4VCI 1.0 (sections 6.3
// and 8.3.1.2), with dashes.
var (
	ErrOAuthRequest      = fault.New(fault.Invalid, "invalid-request", "the token request is malformed")
	ErrGrantType         = fault.New(fault.Invalid, "unsupported-grant-type", "this grant type is not taken here")
	ErrGrant             = fault.New(fault.Invalid, "invalid-grant", "the code or PIN is wrong, or the code is used or over")
	ErrDPoP              = fault.New(fault.Invalid, "invalid-dpop-proof", "the DPoP proof is not for this request, is too old or was used")
	ErrAccessToken       = fault.New(fault.Unauthenticated, "invalid-token", "the access token is missing, unknown or over")
	ErrProof             = fault.New(fault.Invalid, "invalid-proof", "the key proof is missing or not for this issuer")
	ErrNonce             = fault.New(fault.Invalid, "invalid-nonce", "the nonce of the key proof is not ours or too old")
	ErrCredentialRequest = fault.New(fault.Invalid, "invalid-credential-request", "the credential request is malformed")
	ErrConfiguration     = fault.New(fault.Invalid, "unknown-credential-configuration", "there is no such credential configuration")
	ErrIdentifier        = fault.New(fault.Invalid, "unknown-credential-identifier", "credential identifiers are not given out here")
	ErrEncryption        = fault.New(fault.Invalid, "invalid-encryption-parameters", "encrypted responses are not offered")
	ErrDenied            = fault.New(fault.Invalid, "credential-request-denied", "this credential is not issued: ask the office that made the offer")
)

const (
	skew      = 5 * time.Minute // how far a wallet's clock may be off, either way
	nonceLife = 5 * time.Minute
)

// openid is the issuer as an OpenID4VCI credential issuer and authorization
// server: what it needs to make and judge codes, tokens, nonces and proofs.
type openid struct {
	base   string // public address: credential_issuer, aud of proofs
	secret []byte // ring secret "oauth"
	db     openidStore
}

// mac gives HMAC-SHA-256 over a purpose and parts, none of which can run into
// another.
func (o openid) mac(purpose string, parts ...[]byte) []byte {
	h := hmac.New(sha256.New, o.secret)
	for _, p := range append([][]byte{[]byte("kinpass/openid/v1"), []byte(purpose)}, parts...) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(p)))
		h.Write(n[:])
		h.Write(p)
	}
	return h.Sum(nil)
}

var b64url = base64.RawURLEncoding.Strict()

// nonce makes a c_nonce (OpenID4VCI 1.0, section 7): expiry, randomness and a
// MAC, so that any replica knows it again and nobody can fill a table by
// asking. A proof with one can be used again until it is over, but only with
// the access token, by the same key, for the same credential.
func (o openid) nonce(now time.Time) string {
	b := make([]byte, 24, 40)
	binary.BigEndian.PutUint64(b, uint64(now.Add(nonceLife).Unix()))
	rand.Read(b[8:]) // never fails (crypto/rand)
	return b64url.EncodeToString(append(b, o.mac("nonce", b)[:16]...))
}

func (o openid) nonceHolds(nonce string, now time.Time) bool {
	b, err := b64url.DecodeString(nonce)
	if err != nil || len(b) != 40 {
		return false
	}
	return subtle.ConstantTimeCompare(b[24:], o.mac("nonce", b[:24])[:16]) == 1 &&
		now.Unix() < int64(binary.BigEndian.Uint64(b))
}

// proofClaims are the claims of a key proof (OpenID4VCI 1.0, appendix F.1).
type proofClaims struct {
	Audience string  `json:"aud"`
	IssuedAt numeric `json:"iat"`
	Expires  numeric `json:"exp"`
	Nonce    string  `json:"nonce"`
}

// numeric is a NumericDate (RFC 7519, section 2); zero means absent.
type numeric float64

func (n numeric) near(now time.Time) bool {
	return n > 0 && math.Abs(float64(n)-float64(now.Unix())) <= skew.Seconds()
}

// holder judges a key proof of type jwt and gives the did:key of the key that
// it proves: signed by the one key that its header names as kid (a did:key) or
// as jwk, for this issuer, now, over a nonce of ours.
func (o openid) holder(proof string, now time.Time) (string, error) {
	v, err := vc.SplitJWS(proof)
	if err != nil {
		return "", ErrProof.With(err)
	}
	if v.Header.Typ != vc.TypProof {
		return "", ErrProof.With(vc.ErrType)
	}
	pub, err := proofKey(proof, v.Header)
	if err != nil {
		return "", ErrProof.With(err)
	}
	payload, err := v.Verify(pub)
	if err != nil {
		return "", ErrProof.With(err)
	}
	var c proofClaims
	if err := vc.StrictJSON(payload, &c, 4); err != nil {
		return "", ErrProof.With(err)
	}
	if c.Audience != o.base || !c.IssuedAt.near(now) || (c.Expires != 0 && float64(c.Expires) <= float64(now.Unix())) || c.Nonce == "" {
		return "", ErrProof
	}
	if !o.nonceHolds(c.Nonce, now) {
		return "", ErrNonce
	}
	holder, err := did.EncodeKey(pub)
	if err != nil {
		return "", ErrProof.With(err)
	}
	return holder, nil
}

// proofKey gives the key that a proof's header names, in exactly one way.
func proofKey(proof string, h vc.Header) (crypto.PublicKey, error) {
	var others struct {
		X5c        json.RawMessage `json:"x5c"`
		TrustChain json.RawMessage `json:"trust_chain"`
	}
	head, _, _ := strings.Cut(proof, ".")
	raw, err := b64url.DecodeString(head)
	if err != nil || json.Unmarshal(raw, &others) != nil || others.X5c != nil || others.TrustChain != nil {
		return nil, ErrProof
	}
	switch {
	case h.Kid != "" && h.Jwk == nil:
		return did.ParseKey(h.Kid)
	case h.Kid == "" && h.Jwk != nil:
		return vc.ParseJWK(h.Jwk)
	}
	return nil, ErrProof
}

// dpopClaims are the claims of a DPoP proof (RFC 9449, section 4.2).
type dpopClaims struct {
	ID       string  `json:"jti"`
	Method   string  `json:"htm"`
	URL      string  `json:"htu"`
	IssuedAt numeric `json:"iat"`
	Token    string  `json:"ath"`
}

// dpop judges the DPoP proof of a POST to one of our paths (RFC 9449, section
// 4.3) and gives the thumbprint of its key. access is the access token that
// came with it, "" at the token endpoint. A proof works once.
func (o openid) dpop(ctx context.Context, proof, path, access string, now time.Time) (string, error) {
	c, thumb, err := readDPoP(proof)
	if err != nil {
		return "", err
	}
	if c.Method != "POST" || !sameURL(c.URL, o.base+path) || !c.IssuedAt.near(now) || c.ID == "" || len(c.ID) > 256 {
		return "", ErrDPoP
	}
	want := ""
	if access != "" {
		sum := sha256.Sum256([]byte(access))
		want = b64url.EncodeToString(sum[:])
	}
	if subtle.ConstantTimeCompare([]byte(c.Token), []byte(want)) != 1 {
		return "", ErrDPoP
	}
	used := o.mac("dpop", []byte(thumb), []byte(path), []byte(c.ID))
	fresh, err := o.db.useProof(ctx, used, now, now.Add(2*skew+time.Second))
	if err != nil {
		return "", err
	}
	if !fresh {
		return "", ErrDPoP
	}
	return thumb, nil
}

// readDPoP verifies a DPoP proof with the key inside it.
func readDPoP(proof string) (dpopClaims, string, error) {
	v, err := vc.SplitJWS(proof)
	if err != nil {
		return dpopClaims{}, "", ErrDPoP.With(err)
	}
	if v.Header.Typ != vc.TypDPoP || v.Header.Jwk == nil {
		return dpopClaims{}, "", ErrDPoP
	}
	pub, err := vc.ParseJWK(v.Header.Jwk)
	if err != nil {
		return dpopClaims{}, "", ErrDPoP.With(err)
	}
	payload, err := v.Verify(pub)
	if err != nil {
		return dpopClaims{}, "", ErrDPoP.With(err)
	}
	var c dpopClaims
	if err := vc.StrictJSON(payload, &c, 4); err != nil {
		return dpopClaims{}, "", ErrDPoP.With(err)
	}
	thumb, err := vc.Thumbprint(pub)
	if err != nil {
		return dpopClaims{}, "", ErrDPoP.With(err)
	}
	return c, thumb, nil
}

// sameURL compares an htu with ours: without query and fragment, scheme and
// host in any case, the default port left out (RFC 9449, section 4.3).
func sameURL(htu, want string) bool {
	if len(htu) > 2048 {
		return false
	}
	a, err := url.Parse(htu)
	if err != nil || a.User != nil || a.Opaque != "" {
		return false
	}
	b, err := url.Parse(want)
	if err != nil {
		return false
	}
	return strings.EqualFold(a.Scheme, b.Scheme) && strings.EqualFold(hostPort(a), hostPort(b)) && a.EscapedPath() == b.EscapedPath()
}

func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[strings.ToLower(u.Scheme)]
	}
	return u.Hostname() + ":" + port
}
