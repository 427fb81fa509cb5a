package legacy

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hyperledger/aries-framework-go/pkg/doc/signature/jsonld"
	"github.com/hyperledger/aries-framework-go/pkg/doc/signature/suite"
	"github.com/hyperledger/aries-framework-go/pkg/doc/signature/suite/ed25519signature2018"
	"github.com/hyperledger/aries-framework-go/pkg/doc/signature/suite/ed25519signature2020"
	"github.com/hyperledger/aries-framework-go/pkg/doc/verifiable"
	"github.com/piprate/json-gold/ld"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/rdf"
)

var testNow = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

const (
	issued  = "2026-01-02T03:04:05Z"
	expires = "2027-01-02T03:04:05Z"
	parent  = "did:example:parent"
	child   = "urn:uuid:0b8f5ad4-9b0d-4b4a-a8b8-7f3c5b1d2e90"
	credID  = "urn:uuid:7f9c5d60-6a43-4c16-9a0a-43e1cf3d9b11"
	dctime  = "http://www.w3.org/2001/XMLSchema#dateTime"
)

// owner is an issuer with a fresh key.
type owner struct {
	did, method string
	ed          ed25519.PrivateKey
	ec          *ecdsa.PrivateKey
}

func newOwner(t testing.TB, alg string) *owner {
	t.Helper()
	o := &owner{}
	var pub crypto.PublicKey
	if alg == "ES256" {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		o.ec, pub = k, k.Public()
	} else {
		_, k, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		o.ed, pub = k, k.Public()
	}
	id, err := did.EncodeKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	o.did, o.method = id, did.KeyID(id)
	return o
}

func (o *owner) alg() string {
	if o.ec != nil {
		return "ES256"
	}
	return "EdDSA"
}

// sign is the bare signature.
func (o *owner) sign(t testing.TB, data []byte) []byte {
	t.Helper()
	if o.ed != nil {
		return ed25519.Sign(o.ed, data)
	}
	sum := sha256.Sum256(data)
	r, s, err := ecdsa.Sign(rand.Reader, o.ec, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	out := make([]byte, 64)
	r.FillBytes(out[:32])
	s.FillBytes(out[32:])
	return out
}

// object is a JSON object to be changed by a test.
type object = map[string]any

// credential is a relationship credential of an Aries system.
func (o *owner) credential(more ...string) object {
	return object{
		"@context": append([]any{"https://www.w3.org/2018/credentials/v1", "https://www.w3.org/2018/credentials/examples/v1"}, anys(more)...),
		"id":       credID, "type": []any{"VerifiableCredential", "RelationshipCredential"},
		"issuer": o.did, "issuanceDate": issued, "expirationDate": expires,
		"credentialSubject": object{"id": parent, "givenName": "Amina", "child": child},
	}
}

func anys(list []string) []any {
	var out []any
	for _, s := range list {
		out = append(out, s)
	}
	return out
}

func text(t testing.TB, v any) []byte {
	t.Helper()
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

const suite2020 = "https://w3id.org/security/suites/ed25519-2020/v1"

// statements are the canonical N-Quads of credential(), written by hand: no
// processor of JSON-LD has a part in them.
func (o *owner) statements() string {
	const vcv = "https://www.w3.org/2018/credentials#"
	typ := " <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> "
	lines := []string{
		"<" + credID + ">" + typ + "<https://example.org/examples#RelationshipCredential> .\n",
		"<" + credID + ">" + typ + "<" + vcv + "VerifiableCredential> .\n",
		"<" + credID + "> <" + vcv + "credentialSubject> <" + parent + "> .\n",
		"<" + credID + "> <" + vcv + "issuer> <" + o.did + "> .\n",
		"<" + credID + "> <" + vcv + "issuanceDate> \"" + issued + "\"^^<" + dctime + "> .\n",
		"<" + credID + "> <" + vcv + "expirationDate> \"" + expires + "\"^^<" + dctime + "> .\n",
		"<" + parent + "> <http://schema.org/givenName> \"Amina\" .\n",
		"<" + parent + "> <https://example.org/examples#child> <" + child + "> .\n",
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// secure signs credential() by hand: a kind of proof, and whether it is a
// detached JWS.
func (o *owner) secure(t testing.TB, kind string, jws bool) object {
	t.Helper()
	doc := o.credential()
	if kind == FormatEd2020 {
		doc = o.credential(suite2020)
	}
	lines := []string{
		"_:c14n0 <http://purl.org/dc/terms/created> \"" + issued + "\"^^<" + dctime + "> .\n",
		"_:c14n0 <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> <https://w3id.org/security#" + kind + "> .\n",
		"_:c14n0 <https://w3id.org/security#proofPurpose> <https://w3id.org/security#assertionMethod> .\n",
		"_:c14n0 <https://w3id.org/security#verificationMethod> <" + o.method + "> .\n",
	}
	head := ""
	if jws {
		head = base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"EdDSA","b64":false,"crit":["b64"]}`))
	}
	a, b := sha256.Sum256([]byte(strings.Join(lines, ""))), sha256.Sum256([]byte(o.statements()))
	message := append(a[:], b[:]...)
	if jws {
		message = append([]byte(head+"."), message...)
	}
	sig := o.sign(t, message)
	proof := object{"type": kind, "created": issued, "proofPurpose": "assertionMethod", "verificationMethod": o.method}
	switch {
	case jws:
		proof["jws"] = head + ".." + base64.RawURLEncoding.EncodeToString(sig)
	case kind == FormatEd2020:
		proof["proofValue"] = "z" + did.EncodeBase58(sig)
	default:
		proof["proofValue"] = base64.RawURLEncoding.EncodeToString(sig)
	}
	doc["proof"] = proof
	return doc
}

// token makes a JWT by hand.
func (o *owner) token(t testing.TB, header, claims object) string {
	t.Helper()
	input := base64.RawURLEncoding.EncodeToString(text(t, header)) + "." + base64.RawURLEncoding.EncodeToString(text(t, claims))
	return input + "." + base64.RawURLEncoding.EncodeToString(o.sign(t, []byte(input)))
}

func (o *owner) header() object {
	return object{"alg": o.alg(), "typ": "JWT", "kid": o.method}
}

// claims is the form that leaves to the claims what they say.
func (o *owner) claims() object {
	v := o.credential()
	for _, name := range []string{"id", "issuer", "issuanceDate", "expirationDate"} {
		delete(v, name)
	}
	from, _ := time.Parse(time.RFC3339, issued)
	until, _ := time.Parse(time.RFC3339, expires)
	return object{"iss": o.did, "sub": parent, "jti": credID, "nbf": from.Unix(), "iat": from.Unix(), "exp": until.Unix(), "vc": v}
}

// with gives a copy with some members set, or removed where they are nil.
func with(o object, changes object) object {
	out := maps.Clone(o)
	for k, v := range changes {
		if v == nil {
			delete(out, k)
		} else {
			out[k] = v
		}
	}
	return out
}

// ariesSigner lets aries sign.
type ariesSigner struct {
	t testing.TB
	o *owner
}

func (s ariesSigner) Sign(data []byte) ([]byte, error) { return s.o.sign(s.t, data), nil }
func (s ariesSigner) Alg() string                      { return s.o.alg() }

// loader gives aries its contexts when it signs. What it adds to a proof with a
// JWS defines no term of these.
type loader struct{}

func (loader) LoadDocument(url string) (*ld.RemoteDocument, error) {
	body, ok := rdf.ContextFile(url)
	if !ok && url == "https://w3id.org/security/jws/v1" {
		body = []byte(`{"@context":{}}`)
	}
	doc, err := ld.DocumentFromReader(bytes.NewReader(body))
	return &ld.RemoteDocument{DocumentURL: url, Document: doc}, err
}

// ariesLinked lets aries make a proof, over its own processor.
func (o *owner) ariesLinked(t testing.TB, doc object, kind string, jws bool) []byte {
	t.Helper()
	c, err := verifiable.ParseCredential(text(t, doc), verifiable.WithJSONLDDocumentLoader(loader{}), verifiable.WithDisabledProofCheck())
	if err != nil {
		t.Fatal(err)
	}
	at, _ := time.Parse(time.RFC3339, issued)
	p := &verifiable.LinkedDataProofContext{
		SignatureType: kind, SignatureRepresentation: verifiable.SignatureProofValue, Created: &at, VerificationMethod: o.method, Purpose: "assertionMethod",
	}
	if jws {
		p.SignatureRepresentation = verifiable.SignatureJWS
	}
	switch kind {
	case FormatEd2018:
		p.Suite = ed25519signature2018.New(suite.WithSigner(ariesSigner{t, o}))
	default:
		p.Suite = ed25519signature2020.New(suite.WithSigner(ariesSigner{t, o}))
	}
	if err := c.AddLinkedDataProof(p, jsonld.WithDocumentLoader(loader{})); err != nil {
		t.Fatal(err)
	}
	out, err := c.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (o *owner) ariesJWT(t testing.TB, doc object, minimal bool) string {
	t.Helper()
	c, err := verifiable.ParseCredential(text(t, doc), verifiable.WithJSONLDDocumentLoader(loader{}), verifiable.WithDisabledProofCheck())
	if err != nil {
		t.Fatal(err)
	}
	claims, err := c.JWTClaims(minimal)
	if err != nil {
		t.Fatal(err)
	}
	alg := verifiable.EdDSA
	if o.ec != nil {
		alg = verifiable.ECDSASecp256r1
	}
	out, err := claims.MarshalJWS(alg, ariesSigner{t, o}, o.method)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
