//go:build !js

package vc

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"unicode/utf8"

	"github.com/fxamacker/cbor/v2"
	"github.com/veraison/go-cose"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/keys"
)

// Media types of what a COSE_Sign1 secures (VC-JOSE-COSE 1.0, section 3.3): the
// content type, header 3. Header 16, the type, is the same with "+cose".
const (
	MediaCredential   = "application/vc"
	MediaPresentation = "application/vp"
)

// Errors of COSE. They never repeat what was read.
var (
	ErrCOSEMalformed   = fault.New(fault.Invalid, "cose-malformed", "not a tagged COSE_Sign1 that can be verified")
	ErrCOSELarge       = fault.New(fault.TooLarge, "cose-large", "the COSE object is larger than any that is read here")
	ErrCOSEAlgorithm   = fault.New(fault.Invalid, "cose-algorithm", "the COSE object names no signature algorithm that is used here")
	ErrCOSECritical    = fault.New(fault.Invalid, "cose-critical", "the COSE object needs an extension that is not known here")
	ErrCOSEContentType = fault.New(fault.Invalid, "cose-content-type", "the content of the COSE object is of another type")
	ErrCOSEType        = fault.New(fault.Invalid, "cose-type", "the COSE object is of another type")
	ErrCOSEUnprotected = fault.New(fault.Invalid, "cose-unprotected", "a header that must be signed is outside the signature")
	ErrCOSEPayload     = fault.New(fault.Invalid, "cose-payload", "the COSE object carries nothing that was signed")
)

const maxCOSE = 256 << 10 // bytes

// strictCBOR refuses what makes two readers see two things, or one reader work
// without end: indefinite lengths, tags inside, deep or wide nesting. go-cose
// refuses a member of a map that is there twice.
var strictCBOR = func() cbor.DecMode {
	m, err := cbor.DecOptions{
		DupMapKey:        cbor.DupMapKeyEnforcedAPF,
		IndefLength:      cbor.IndefLengthForbidden,
		TagsMd:           cbor.TagsForbidden,
		MaxNestedLevels:  6,
		MaxArrayElements: 64,
		MaxMapPairs:      32,
	}.DecMode()
	if err != nil {
		panic(err) // the options are constants
	}
	return m
}()

// coseAlgorithms are the numbers of the algorithms (RFC 9053, section 2).
var coseAlgorithms = map[string]cose.Algorithm{
	keys.EdDSA: cose.AlgorithmEdDSA,
	keys.ES256: cose.AlgorithmES256,
	keys.ES384: cose.AlgorithmES384,
	keys.ES512: cose.AlgorithmES512,
}

// COSE is a COSE_Sign1 (RFC 9052, section 4.2) taken apart and not yet
// verified.
type COSE struct {
	Alg    string // by its JOSE name
	KID    string // the kid; a hint, as it may stand outside the signature
	Issuer string // iss among the CWT claims in the headers (RFC 9597), if there are any

	message cose.Sign1Message
}

// OpenCOSE takes a tagged COSE_Sign1 apart that secures mediaType
// (MediaCredential or MediaPresentation). Algorithm, content type and type have
// to be protected headers; the type (16) may be missing, the content type (3)
// may not. Every length is written in its shortest form. Certificates and keys
// in headers are never looked at.
func OpenCOSE(data []byte, mediaType string) (*COSE, error) {
	if mediaType == "" {
		return nil, ErrCOSEContentType
	}
	return openCOSE(data, coseKind{content: mediaType, typ: mediaType + "+cose", limit: maxCOSE})
}

// coseKind is what an object has to say that it is. Without a content type it
// must have the type, and no content type.
type coseKind struct {
	content, typ string
	limit        int // bytes of the object
}

func openCOSE(data []byte, kind coseKind) (*COSE, error) {
	if len(data) > kind.limit {
		return nil, ErrCOSELarge
	}
	if len(data) < 2 || data[0] != 0xd2 { // tag 18
		return nil, ErrCOSEMalformed
	}
	if err := strictCBOR.Wellformed(data[1:]); err != nil {
		return nil, ErrCOSEMalformed.With(err)
	}
	c := new(COSE)
	if err := c.message.UnmarshalCBOR(data); err != nil {
		return nil, ErrCOSEMalformed.With(err)
	}
	if err := c.shortest(data); err != nil {
		return nil, err
	}
	if err := c.headers(kind); err != nil {
		return nil, err
	}
	if len(c.message.Payload) == 0 {
		return nil, ErrCOSEPayload
	}
	return c, nil
}

// shortest refuses every second way to write the same object, as far as it is
// not the unprotected header, which anybody may rewrite; and checks the
// protected header, which is CBOR within a byte string, like the whole.
func (c *COSE) shortest(data []byte) error {
	var protected []byte
	if err := strictCBOR.Unmarshal(c.message.Headers.RawProtected, &protected); err != nil {
		return ErrCOSEMalformed.With(err)
	}
	if len(protected) == 0 { // no algorithm, then
		return ErrCOSEAlgorithm
	}
	if err := strictCBOR.Wellformed(protected); err != nil {
		return ErrCOSEMalformed.With(err)
	}
	if c.message.Payload == nil {
		return ErrCOSEPayload // detached
	}
	out := append(make([]byte, 0, len(data)), 0xd2, 0x84)
	for _, part := range [][]byte{protected, nil, c.message.Payload, c.message.Signature} {
		if part == nil {
			out = append(out, c.message.Headers.RawUnprotected...)
			continue
		}
		b, err := cbor.Marshal(part)
		if err != nil {
			return ErrCOSEMalformed.With(err)
		}
		out = append(out, b...)
	}
	if !bytes.Equal(out, data) {
		return ErrCOSEMalformed
	}
	return nil
}

func (c *COSE) headers(kind coseKind) error {
	protected, unprotected := c.message.Headers.Protected, c.message.Headers.Unprotected
	for label := range unprotected {
		if _, both := protected[label]; both {
			return ErrCOSEUnprotected
		}
		switch label {
		case cose.HeaderLabelAlgorithm, cose.HeaderLabelCritical, cose.HeaderLabelContentType, cose.HeaderLabelType, cose.HeaderLabelCWTClaims:
			return ErrCOSEUnprotected
		}
	}
	if _, there := protected[cose.HeaderLabelCritical]; there {
		return ErrCOSECritical
	}
	named, err := protected.Algorithm()
	if err != nil {
		return ErrCOSEAlgorithm.With(err)
	}
	for name, a := range coseAlgorithms {
		if a == named {
			c.Alg = name
		}
	}
	if c.Alg == "" {
		return ErrCOSEAlgorithm
	}
	content, hasContent := protected[cose.HeaderLabelContentType]
	if hasContent != (kind.content != "") || hasContent && content != any(kind.content) {
		return ErrCOSEContentType
	}
	if typ, there := protected[cose.HeaderLabelType]; there && typ != any(kind.typ) || !there && !hasContent {
		return ErrCOSEType
	}
	kid, there := protected[cose.HeaderLabelKeyID]
	if !there {
		kid, there = unprotected[cose.HeaderLabelKeyID]
	}
	if there {
		b, ok := kid.([]byte)
		if !ok || !utf8.Valid(b) {
			return ErrCOSEMalformed
		}
		c.KID = string(b)
	}
	if claims, there := protected[cose.HeaderLabelCWTClaims]; there {
		m, ok := claims.(map[any]any)
		if !ok {
			return ErrCOSEMalformed
		}
		if iss, there := m[int64(1)]; there {
			if c.Issuer, ok = iss.(string); !ok || c.Issuer == "" {
				return ErrCOSEMalformed
			}
		}
	}
	return nil
}

// Verify checks the signature with pub and returns the payload only if it
// holds. The key decides the algorithm, as for a JWS.
func (c *COSE) Verify(pub crypto.PublicKey) ([]byte, error) {
	alg, ok := algorithmOf(pub)
	if !ok || alg.name != c.Alg {
		return nil, ErrSignature.With(ErrKeyAlgorithm)
	}
	if err := c.message.Verify(nil, coseKey{alg, pub}); err != nil {
		return nil, ErrSignature.With(err)
	}
	return c.message.Payload, nil
}

// coseKey lets go-cose decide by the same function as for a JWS: what it checks
// itself does not bind an algorithm to one curve.
type coseKey struct {
	alg *signatureAlg
	pub crypto.PublicKey
}

func (k coseKey) Algorithm() cose.Algorithm { return coseAlgorithms[k.alg.name] }

func (k coseKey) Verify(content, sig []byte) error {
	if !checkSignature(k.pub, content, sig) {
		return ErrSignature
	}
	return nil
}

// VerifyCOSE takes a tagged COSE_Sign1 of the given media type apart and
// verifies it.
func VerifyCOSE(data []byte, mediaType string, pub crypto.PublicKey) ([]byte, error) {
	c, err := OpenCOSE(data, mediaType)
	if err != nil {
		return nil, err
	}
	return c.Verify(pub)
}

// SignCOSE signs payload as it is, byte for byte, and gives a tagged COSE_Sign1
// with the protected headers alg, content type, kid (the signer's, if it has
// one) and type.
func SignCOSE(s keys.Signer, mediaType string, payload []byte) ([]byte, error) {
	if mediaType == "" {
		return nil, ErrCOSEContentType
	}
	return signCOSE(s, coseKind{content: mediaType, typ: mediaType + "+cose"}, payload)
}

func signCOSE(s keys.Signer, kind coseKind, payload []byte) ([]byte, error) {
	if err := signerFits(s); err != nil {
		return nil, err
	}
	if len(payload) == 0 {
		return nil, ErrCOSEPayload
	}
	alg := coseAlgorithms[s.Alg]
	signer, err := cose.NewSigner(alg, s.Signer)
	if err != nil {
		return nil, keys.ErrAlgorithm.With(err)
	}
	protected := cose.ProtectedHeader{
		cose.HeaderLabelAlgorithm: alg,
		cose.HeaderLabelType:      kind.typ,
	}
	if kind.content != "" {
		protected[cose.HeaderLabelContentType] = kind.content
	}
	if s.KID != "" {
		protected[cose.HeaderLabelKeyID] = []byte(s.KID)
	}
	return cose.Sign1(rand.Reader, signer, cose.Headers{Protected: protected}, payload, nil)
}
