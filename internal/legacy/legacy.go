// Package legacy verifies credentials of the Data Model 1.1 that an Aries-based
// system issued: JWT-VC with EdDSA or ES256, Ed25519Signature2018 and
// Ed25519Signature2020. They are read so that a guardian can keep them and ask
// a registrar to re-issue them; no border believes them.
//
// The verification is that of aries-framework-go, which is archived and takes a
// credential without proof, with an empty list of proofs or with "alg": "none"
// for a good one. So it sees nothing before this package has looked at it:
// strict JSON within bounds, exactly one proof of an allowed kind with the
// members of that kind and no others, contexts that are built in, no term
// without a meaning, a key that the issuer's own DID document gives for
// assertions. And its yes alone is not enough: the signature is checked a second
// time with Kinpass's own code.
package legacy

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/vc"
)

// Formats of a legacy credential.
const (
	FormatJWT    = "jwt"
	FormatEd2018 = "Ed25519Signature2018"
	FormatEd2020 = "Ed25519Signature2020"
)

// Bounds of what is read. A DID document that a stranger names has those of
// package didweb.
const (
	MaxBytes = 24 << 10 // of the credential as it is sent
	maxDepth = 12       // of its JSON
	skew     = 5 * time.Minute
)

// Faults of legacy credentials. Those of strict JSON, the data model, JSON-LD
// and DID documents keep their own codes.
var (
	ErrPolicy     = fault.New(fault.Internal, "legacy-policy", "the verification of a legacy credential was asked for without aries, a resolver or a time")
	ErrLarge      = fault.New(fault.TooLarge, "legacy-too-large", "the credential is larger than a legacy credential may be")
	ErrMalformed  = fault.New(fault.Invalid, "legacy-malformed", "this is neither a credential as a JSON object nor one as a JWT")
	ErrVersion    = fault.New(fault.Unprocessable, "legacy-version", "only credentials of the Data Model 1.1 are imported as legacy credentials")
	ErrKind       = fault.New(fault.Unprocessable, "legacy-not-credential", "this is not a verifiable credential")
	ErrContext    = fault.New(fault.Unprocessable, "legacy-context", "the credential names a context that is not built in")
	ErrMember     = fault.New(fault.Unprocessable, "legacy-member", "the credential has a member that a signature would not cover")
	ErrNoProof    = fault.New(fault.Unprocessable, "legacy-no-proof", "the credential is not signed")
	ErrProofs     = fault.New(fault.Unprocessable, "legacy-proof-count", "the credential must have exactly one proof")
	ErrProofType  = fault.New(fault.Unprocessable, "legacy-proof-type", "the proof is of a type that is not imported")
	ErrProofShape = fault.New(fault.Unprocessable, "legacy-proof-shape", "the proof does not have exactly the members of its type")
	ErrPurpose    = fault.New(fault.Unprocessable, "legacy-proof-purpose", "the proof was not made to issue a credential")
	ErrHeader     = fault.New(fault.Unprocessable, "legacy-jwt-header", "the header of the JWT has members that are not accepted, or lacks its key id")
	ErrAlgorithm  = fault.New(fault.Unprocessable, "legacy-algorithm", "the credential is signed with an algorithm that is not accepted, or not at all")
	ErrClaims     = fault.New(fault.Unprocessable, "legacy-claims", "the claims of the JWT contradict the credential in it, or are not known")
	ErrIssuer     = fault.New(fault.Unprocessable, "legacy-issuer", "the issuer of the credential is not named by a DID that can be looked up")
	ErrIssuerKey  = fault.New(fault.Unprocessable, "legacy-issuer-key", "the credential is signed with a key that is not its issuer's")
	ErrDocument   = fault.New(fault.Unprocessable, "legacy-did-mismatch", "the DID document of the issuer is for another identifier")
	ErrNoKey      = fault.New(fault.Unprocessable, "legacy-key-unknown", "the issuer's DID document does not give this key for issuing credentials")
	ErrKeyRevoked = fault.New(fault.Unprocessable, "legacy-key-revoked", "the key was revoked by its owner, or is past its end of use")
	ErrKey        = fault.New(fault.Unprocessable, "legacy-key", "the key cannot be used for this kind of signature")
	ErrSignature  = fault.New(fault.Unprocessable, "legacy-signature", "the signature of the credential does not hold")
	ErrNotYet     = fault.New(fault.Unprocessable, "legacy-not-yet-valid", "the credential is not valid yet")
	ErrExpired    = fault.New(fault.Unprocessable, "legacy-expired", "the credential has expired")
	ErrComplex    = fault.New(fault.Unprocessable, "legacy-too-complex", "the credential has too many parts that cannot be told apart")
	ErrRefused    = fault.New(fault.Unprocessable, "legacy-refused", "the credential does not follow the rules of the Data Model 1.1")
)

// Aries is aries.Verify: it verifies a credential with the key of a verification
// method and gives the issuer that it read.
type Aries func(input []byte, method string, key crypto.PublicKey) (issuer string, err error)

// Policy says how to verify. Every member must be set.
type Policy struct {
	Aries Aries
	// Resolve gives the DID document of an identifier without path, query or
	// fragment. Its faults are handed on.
	Resolve func(id string) (*did.Document, error)
	Now     time.Time
}

// Credential is a legacy credential whose signature, issuer and period held.
// Whether the issuer may be believed is another question, and whether it was
// revoked since was not asked.
type Credential struct {
	Format   string // one of the Format… constants
	Document []byte // the credential as JSON without proof, claims of a JWT filled in
	ID       string // empty if it has none
	Issuer   string // DID
	Method   string // the issuer's verification method
	Types    []string
	Subject  json.RawMessage // object or array
	From     time.Time
	Until    time.Time // zero: no end
	Status   bool      // it names a status, which was not read
}

// Verify checks a credential: a JSON object with a proof, or a JWT. On error
// there is no credential.
func Verify(input []byte, p Policy) (*Credential, error) {
	if p.Aries == nil || p.Resolve == nil || p.Now.IsZero() {
		return nil, ErrPolicy
	}
	if len(input) > MaxBytes {
		return nil, ErrLarge
	}
	var s *signed
	var err error
	if len(input) > 0 && input[0] == '{' {
		s, err = readLinked(input)
	} else {
		s, err = readJWT(string(input))
	}
	if err != nil {
		return nil, err
	}
	c, err := s.credential(p.Now)
	if err != nil {
		return nil, err
	}
	if s.key, err = p.key(s, c.Issuer); err != nil {
		return nil, err
	}
	own := s.check(s.key)
	issuer, theirs := p.Aries(s.input, s.method, s.key)
	switch {
	case own != nil:
		return nil, ErrSignature.With(errors.Join(own, theirs))
	case theirs != nil:
		return nil, ErrRefused.With(theirs)
	case issuer != c.Issuer:
		return nil, ErrRefused
	}
	return c, nil
}

// signed is a credential that has passed every check but those of its dates,
// its issuer and its signature.
type signed struct {
	input  []byte // as it came
	format string
	alg    string // of the JWT or the suite
	method string // DID URL of the key
	doc    []byte // without proof, claims of a JWT filled in
	parts  map[string]json.RawMessage
	key    crypto.PublicKey
	check  func(crypto.PublicKey) error // by Kinpass's own code
}

// credential reads what the document says and holds it to the time.
func (s *signed) credential(now time.Time) (*Credential, error) {
	c := &Credential{Format: s.format, Document: s.doc, Method: s.method, Subject: s.parts["credentialSubject"]}
	_, c.Status = s.parts["credentialStatus"]
	var ok bool
	if c.Issuer, ok = identifier(s.parts["issuer"]); !ok || !strings.HasPrefix(c.Issuer, "did:") || did.Base(c.Issuer) != c.Issuer {
		return nil, ErrIssuer
	}
	if c.Types, ok = list(s.parts["type"]); !ok {
		return nil, ErrKind
	}
	if s.parts["id"] != nil && json.Unmarshal(s.parts["id"], &c.ID) != nil {
		return nil, ErrMalformed
	}
	for name, into := range map[string]*time.Time{"issuanceDate": &c.From, "expirationDate": &c.Until} {
		var text string
		if s.parts[name] == nil {
			continue
		}
		if json.Unmarshal(s.parts[name], &text) != nil {
			return nil, ErrMalformed
		}
		t, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return nil, ErrMalformed.With(err)
		}
		*into = t.UTC()
	}
	switch {
	case c.From.After(now.Add(skew)):
		return nil, ErrNotYet
	case !c.Until.IsZero() && !now.Before(c.Until):
		return nil, ErrExpired
	}
	return c, nil
}

// key finds the key of the issuer, and of nobody else, that the credential is
// signed with.
func (p *Policy) key(s *signed, issuer string) (crypto.PublicKey, error) {
	if strings.Count(s.method, "#") != 1 || strings.HasSuffix(s.method, "#") || strings.ContainsAny(s.method, "?;") || did.Base(s.method) != issuer {
		return nil, ErrIssuerKey
	}
	d, err := p.Resolve(issuer)
	if err != nil {
		if errors.Is(err, did.ErrMismatch) {
			return nil, ErrDocument.With(err)
		}
		return nil, err
	}
	if d == nil || d.ID != issuer {
		return nil, ErrDocument
	}
	m := d.Method(s.method)
	if m == nil {
		return nil, ErrNoKey
	}
	if m.Controller != issuer {
		return nil, ErrIssuerKey
	}
	pub, err := m.Key(p.Now)
	switch {
	case errors.Is(err, did.ErrKeyRevoked), errors.Is(err, did.ErrKeyExpired):
		return nil, ErrKeyRevoked.With(err)
	case err != nil:
		return nil, ErrKey.With(err)
	}
	if !fits(pub, s.alg) {
		return nil, ErrKey
	}
	return pub, nil
}

// fits reports whether a key is one for the algorithm.
func fits(pub crypto.PublicKey, alg string) bool {
	switch k := pub.(type) {
	case ed25519.PublicKey:
		return alg == "EdDSA" && len(k) == ed25519.PublicKeySize
	case *ecdsa.PublicKey:
		return alg == "ES256" && k != nil && k.Curve == elliptic.P256()
	}
	return false
}

// checkModel holds a document to the Data Model 1.1 and to the contexts that
// are built in. inline says whether it may bring definitions of its own: where
// the signature covers the statements and not the bytes, exchanging two
// definitions would exchange two values unseen.
func checkModel(doc []byte, inline bool) (map[string]json.RawMessage, error) {
	var parts map[string]json.RawMessage
	if err := json.Unmarshal(doc, &parts); err != nil {
		return nil, ErrMalformed.With(err)
	}
	if err := checkContexts(parts["@context"], inline); err != nil {
		return nil, err
	}
	if err := checkKind(parts["type"]); err != nil {
		return nil, err
	}
	// aries takes a member jwt for the credential itself.
	for _, name := range []string{"jwt", "vc", "vp", "verifiableCredential", "holder", "_sd", "_sd_alg", "validFrom", "validUntil"} {
		if _, has := parts[name]; has {
			return nil, ErrMember
		}
	}
	if err := vc.CheckModel(doc, vc.ModelCheck{Version1: true}); err != nil {
		return nil, err
	}
	return parts, nil
}

func checkKind(raw json.RawMessage) error {
	types, ok := list(raw)
	if !ok || !slices.Contains(types, vc.TypeCredential) || slices.Contains(types, vc.TypePresentation) {
		return ErrKind
	}
	return nil
}

func checkContexts(raw json.RawMessage, inline bool) error {
	var all []json.RawMessage
	if len(raw) > 0 && raw[0] == '"' {
		all = []json.RawMessage{raw}
	} else if json.Unmarshal(raw, &all) != nil || len(all) == 0 {
		return ErrVersion
	}
	for i, c := range all {
		var url string
		switch {
		case len(c) > 0 && c[0] == '"' && json.Unmarshal(c, &url) == nil:
			if i == 0 && url != vc.ContextV1 {
				return ErrVersion
			}
			if !slices.Contains(contexts, url) {
				return ErrContext
			}
		case i == 0:
			return ErrVersion
		case !inline || len(c) == 0 || c[0] != '{':
			return ErrContext
		}
	}
	return nil
}

// identifier gives a URL, or the id of an object.
func identifier(raw json.RawMessage) (string, bool) {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s, s != ""
	}
	var o struct {
		ID string `json:"id"`
	}
	err := json.Unmarshal(raw, &o)
	return o.ID, err == nil && o.ID != ""
}

// list gives a string or an array of strings.
func list(raw json.RawMessage) ([]string, bool) {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return []string{one}, one != ""
	}
	var all []string
	err := json.Unmarshal(raw, &all)
	return all, err == nil && len(all) > 0
}
