// Package aries is the seam to aries-framework-go, which verifies credentials
// of the Data Model 1.1 for package legacy. It is apart from it so that only
// programs that hold a wallet link that library.
//
// Nothing may come here that package legacy has not looked at: the library
// takes a credential without a proof for a good one.
package aries

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	_ "embed"
	"errors"
	"strings"

	"github.com/hyperledger/aries-framework-go/pkg/doc/signature/verifier"
	"github.com/hyperledger/aries-framework-go/pkg/doc/verifiable"
	"github.com/piprate/json-gold/ld"

	"github.com/kinpass/kinpass/internal/rdf"
)

// contextJWS is read into every proof that holds a JWS, whatever the credential
// names. No credential may name it.
const contextJWS = "https://w3id.org/security/jws/v1"

// jwsContext is contextJWS (W3C CCG, lds-jws2020; W3C Software and Document
// License).
//
//go:embed jws-2020-v1.jsonld
var jwsContext []byte

// Errors of the seam. They are causes for a log, never shown.
var (
	ErrPanic   = errors.New("aries did not survive the credential")
	ErrUnasked = errors.New("aries accepted the credential without asking for a key")
	ErrKey     = errors.New("aries asked for another key, or the key is of a kind that it has no use for")
	ErrProof   = errors.New("aries read a credential that has not one proof")
	ErrContext = errors.New("the context is not built in")
)

// Verify lets aries verify a credential, a JSON object or a compact JWT, with
// the key of a verification method, and gives the issuer that aries read. A yes
// counts only if aries asked for exactly that key.
func Verify(input []byte, method string, key crypto.PublicKey) (issuer string, err error) {
	defer func() {
		if recover() != nil { // the value may hold what was sent
			issuer, err = "", ErrPanic
		}
	}()
	var pub *verifier.PublicKey
	switch k := key.(type) {
	case ed25519.PublicKey:
		pub = &verifier.PublicKey{Type: "Ed25519VerificationKey2018", Value: k}
	case *ecdsa.PublicKey:
		point, err := k.Bytes()
		if err != nil {
			return "", err
		}
		pub = &verifier.PublicKey{Type: "JsonWebKey2020", Value: point}
	default:
		return "", ErrKey
	}
	asked := false
	c, err := verifiable.ParseCredential(bytes.Clone(input),
		verifiable.WithPublicKeyFetcher(func(id, fragment string) (*verifier.PublicKey, error) {
			if id+"#"+strings.TrimPrefix(fragment, "#") != method {
				return nil, ErrKey
			}
			asked = true
			return pub, nil
		}),
		verifiable.WithJSONLDDocumentLoader(builtin{}),
		// It would fetch the schema that the credential names.
		verifiable.WithNoCustomSchemaCheck(),
	)
	jwt := len(input) == 0 || input[0] != '{'
	switch {
	case err != nil:
		return "", err
	case !asked:
		return "", ErrUnasked
	case jwt != (c.JWT != ""), !jwt && len(c.Proofs) != 1:
		return "", ErrProof
	}
	return c.Issuer.ID, nil
}

// builtin loads contexts that are part of the binary and no others.
type builtin struct{}

// LoadDocument gives a context; ErrContext for one that is not built in.
func (builtin) LoadDocument(url string) (*ld.RemoteDocument, error) {
	body, ok := rdf.ContextFile(url)
	if url == contextJWS {
		body, ok = jwsContext, true
	}
	if !ok {
		return nil, ErrContext
	}
	doc, err := ld.DocumentFromReader(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	return &ld.RemoteDocument{DocumentURL: url, Document: doc}, nil
}
