//go:build !js

package vc

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/rdf"
)

// FormatDataIntegrity is the format of a document with embedded proofs. All
// others are named by their media type without "application/".
const FormatDataIntegrity = "data-integrity"

// TypeTokenStatus is the type that Verified.Status gives to a reference into a
// Token Status List, after the member of the claim status that it stands in.
const TypeTokenStatus = "status_list"

// Errors of verification, beside those of each format and of the data model.
var (
	ErrPolicy = fault.New(fault.Internal, "verify-policy", "something was to be verified without keys, a time or a trust check")

	ErrInputMissing = fault.New(fault.Invalid, "input-missing", "there is nothing to verify")
	ErrInputLarge   = fault.New(fault.TooLarge, "input-too-large", "what is to be verified is too large")
	ErrInputFormat  = fault.New(fault.Invalid, "input-format", "not a credential or presentation in a format that is verified here")
	ErrFormat       = fault.New(fault.Invalid, "format-not-accepted", "this format or cryptosuite is not accepted here")
	ErrKeyMissing   = fault.New(fault.Invalid, "key-id-missing", "the signature does not name its key by a URL")
	ErrKeyUnknown   = fault.New(fault.Invalid, "key-unknown", "the key of the signature is not known")

	ErrIssuerKey  = fault.New(fault.Invalid, "issuer-key-mismatch", "the credential is not signed with a key of its issuer")
	ErrHolderKey  = fault.New(fault.Invalid, "holder-key-mismatch", "the presentation is not signed with a key of its holder")
	ErrExpired    = fault.New(fault.Invalid, "credential-expired", "the credential is no longer valid")
	ErrNotYet     = fault.New(fault.Invalid, "credential-not-yet-valid", "the credential is not valid yet")
	ErrUnchecked  = fault.New(fault.Invalid, "status-unchecked", "the credential has a status, and nothing checks it")
	ErrAudience   = fault.New(fault.Invalid, "presentation-audience", "the presentation is for somebody else")
	ErrNonce      = fault.New(fault.Invalid, "presentation-nonce", "the presentation does not answer the challenge")
	ErrStale      = fault.New(fault.Invalid, "presentation-time", "the presentation is not of now")
	ErrStatusRead = fault.New(fault.Invalid, "status-unreadable", "the status of the credential cannot be read")
)

// Limits of what is verified, in bytes, unless the policy sets them lower.
const (
	maxCredential   = 256 << 10
	maxPresentation = maxModel
)

// Policy says what a verifier accepts. The zero Policy refuses everything, with
// ErrPolicy: a production verifier sets Keys, Trusts and Now, for presentations
// Challenge and Domain, and Status if it accepts credentials that have one.
type Policy struct {
	// Keys gives the key of a verification method and its controller. It must
	// know the relationship too: a key that may not make assertions is none.
	Keys KeyFinder
	// Trusts decides whether this issuer may issue this credential. It is
	// asked once a signature, the data model and the validity held, and must
	// be set unless ProofOnly is.
	Trusts func(v *Verified) error
	// Status checks a credential's status, v.Status. A credential that has one
	// is refused where nothing checks it, unless ProofOnly is set.
	Status func(v *Verified) error
	Now    time.Time

	// Purpose of proofs; empty is assertionMethod for a credential and
	// authentication for a presentation.
	Purpose string
	// Challenge is what a presentation must answer, in proof.challenge or the
	// claim nonce; Domain whom it must be made for, in proof.domain or the
	// claim aud. An empty one is not asked for, which only ProofOnly allows.
	Challenge, Domain string

	// Suites are the cryptosuites and enveloping formats that are accepted, of
	// a presentation and likewise of each credential in it: who accepts vp+jwt
	// with vc+jwt inside names both. nil is all. Ed2020 and LegacyJWT decide
	// about their forms alone.
	Suites         []string
	Version1       bool // accept the Data Model 1.1, too
	Ed2020         bool // accept Ed25519Signature2020, too
	RequireCreated bool // refuse proofs that do not say when they were made
	MaxBytes       int  // of the input; 0 is 256 KiB for a credential, 1 MiB for a presentation

	// ProofOnly leaves trust, issuer binding, the period of validity and an
	// unchecked status alone: it answers whether the proof holds over a
	// document of the data model, as published test vectors that expired long
	// ago do. Only conformance instances may set it.
	ProofOnly bool
	// LegacyJWT accepts a presentation of the Data Model 1.1's JWT form (typ
	// JWT, claim vp, credentials with a claim vc). Only conformance instances
	// may set it.
	LegacyJWT bool
}

// Verified is a credential or presentation of which every signature held and
// every check of the policy passed. VerifyCredential and VerifyPresentation
// make it, and nothing else does.
type Verified struct {
	Format   string // FormatDataIntegrity or a media type without "application/"
	Document []byte // the JSON that was signed, without proofs; nil where an SD-JWT itself is the presentation
	Version1 bool   // Data Model 1.1

	ID      string
	Types   []string // for an SD-JWT VC its vct alone
	Issuer  string
	Subject string    // id of the one subject; empty if there are several or it has none
	From    time.Time // zero if the credential does not say
	Until   time.Time // zero: no end
	Status  []StatusEntry
	Proofs  []Proof // every signature, of a JOSE or COSE envelope one
	SDJWT   *SDJWTVC

	Holder      string // of a presentation: as it says, or the key of its key binding
	Credentials []*Verified
}

// Is reports whether t is among the types.
func (v *Verified) Is(t string) bool { return slices.Contains(v.Types, t) }

// KeysFromDID finds the keys that a DID holds in itself (did:key, did:jwk).
func KeysFromDID(method string) (crypto.PublicKey, string, error) { return did.MethodKey(method) }

// VerifyCredential verifies one credential: a JSON object with Data Integrity
// proofs, an EnvelopedVerifiableCredential, a compact vc+jwt, vc+sd-jwt or
// dc+sd-jwt, or a JSON string that is one of these. The signatures come first,
// then the data model, the issuer's binding to the key, the validity, trust and
// status. Every refusal has its code, and with it nothing is returned.
func VerifyCredential(input []byte, p Policy) (*Verified, error) {
	if err := p.complete(); err != nil {
		return nil, err
	}
	v := p.verifier(maxCredential)
	return v.credential(input, seen{})
}

// VerifyPresentation verifies a presentation and every credential in it: a JSON
// object with Data Integrity proofs, an EnvelopedVerifiablePresentation, a
// compact vp+jwt or vp+sd-jwt, an SD-JWT with key binding, or a JSON string that
// is one of these. A holder that is named must be the controller of a key that
// signed.
func VerifyPresentation(input []byte, p Policy) (*Verified, error) {
	if err := p.complete(); err != nil {
		return nil, err
	}
	if !p.ProofOnly && (p.Challenge == "" || p.Domain == "") {
		return nil, ErrPolicy
	}
	v := p.verifier(maxPresentation)
	return v.presentation(input)
}

func (p *Policy) complete() error {
	if p.Keys == nil || p.Now.IsZero() || p.Trusts == nil && !p.ProofOnly {
		return ErrPolicy
	}
	return nil
}

// verifier is a policy at work on one input.
type verifier struct {
	Policy
	limit  int
	quoted bool // a JSON string was opened
	legacy bool // a legacy presentation: its credentials may have its form
}

func (p Policy) verifier(limit int) *verifier {
	if p.MaxBytes > 0 {
		limit = p.MaxBytes
	}
	return &verifier{Policy: p, limit: limit}
}

// contained is the verifier of the credentials in a presentation. All of the
// policy stays in force but for the purpose, the challenge and the domain, which
// the holder's signature answers: an issuer's is no better for being presented.
func (v *verifier) contained(legacy bool) *verifier {
	c := *v
	c.Purpose, c.Challenge, c.Domain = "", "", ""
	c.quoted, c.legacy = false, legacy
	c.Keys = remembering(v.Keys)
	return &c
}

// remembering asks a KeyFinder once for each verification method: the
// credentials of one presentation often have one issuer.
func remembering(find KeyFinder) KeyFinder {
	type answer struct {
		method, controller string
		pub                crypto.PublicKey
	}
	var known []answer
	return func(method string) (crypto.PublicKey, string, error) {
		for _, a := range known {
			if a.method == method {
				return a.pub, a.controller, nil
			}
		}
		pub, controller, err := find(method)
		if err == nil && len(known) < maxContained {
			known = append(known, answer{method, controller, pub})
		}
		return pub, controller, err
	}
}

func (v *verifier) accepts(format string) bool {
	return v.Suites == nil || slices.Contains(v.Suites, format)
}

// opened is the input, checked as far as must be before it is looked at.
type opened struct {
	object  []byte // a JSON object, or
	compact string // a compact form
	known   seen   // of the object
}

func (v *verifier) open(input []byte, known seen) (opened, error) {
	if len(input) > v.limit {
		return opened{}, ErrInputLarge
	}
	input = bytes.TrimSpace(input)
	if len(input) == 0 || string(input) == "null" {
		return opened{}, ErrInputMissing
	}
	switch input[0] {
	case '{':
		if known.nesting == 0 || known.nesting > maxNesting {
			var err error
			if known.nesting, known.plain, err = checkJSON(input, maxNesting); err != nil {
				return opened{}, err
			}
		}
		return opened{object: input, known: known}, nil
	case '"':
		if v.quoted {
			return opened{}, ErrInputFormat
		}
		v.quoted = true
		if err := CheckJSON(input, 1); err != nil {
			return opened{}, err
		}
		return v.open(textOf(input), seen{}) // another text
	}
	return opened{compact: string(input)}, nil
}

func (v *verifier) credential(input []byte, known seen) (*Verified, error) {
	in, err := v.open(input, known)
	if err != nil {
		return nil, err
	}
	if in.object == nil {
		if strings.IndexByte(in.compact, '~') >= 0 {
			return v.sdCredential(in.compact)
		}
		return v.joseCredential(in.compact)
	}
	if !isEnvelope(in.object) {
		return v.embeddedCredential(in.object, in.known)
	}
	if err := checkEnvelope(in.object, TypeEnveloped); err != nil {
		return nil, err
	}
	media, content, _ := splitDataURL(textOf(memberOf(in.object, "id")))
	switch media {
	case TypCredential:
		return v.joseCredential(string(content))
	case TypCredentialSD, TypSDJWTVC:
		return v.sdCredential(string(content))
	case typCredentialCOSE:
		return v.coseCredential(content)
	case typLegacyJWT:
		if v.legacy {
			return v.legacyCredential(string(content))
		}
	}
	return nil, ErrFormat
}

func (v *verifier) presentation(input []byte) (*Verified, error) {
	in, err := v.open(input, seen{})
	if err != nil {
		return nil, err
	}
	if in.object == nil {
		if strings.IndexByte(in.compact, '~') >= 0 {
			return v.sdPresentation(in.compact)
		}
		return v.josePresentation(in.compact)
	}
	if !isEnvelope(in.object) {
		return v.embeddedPresentation(in.object, in.known)
	}
	if err := checkEnvelope(in.object, TypeEnvelopedPresentation); err != nil {
		return nil, err
	}
	media, content, _ := splitDataURL(textOf(memberOf(in.object, "id")))
	switch media {
	case TypPresentation, typLegacyJWT:
		return v.josePresentation(string(content))
	case TypPresentationSD, TypCredentialSD, TypSDJWTVC:
		return v.sdPresentation(string(content))
	case typPresentationCOSE:
		return v.cosePresentation(content)
	}
	return nil, ErrFormat
}

// ---- signatures

// key finds the key of an enveloping signature.
func (v *verifier) key(kid string) (crypto.PublicKey, string, error) {
	if !isURL([]byte(kid)) {
		return nil, "", ErrKeyMissing
	}
	pub, controller, err := v.Keys(kid)
	if err != nil {
		return nil, "", err
	}
	if pub == nil || controller == "" {
		return nil, "", ErrKeyUnknown
	}
	return pub, controller, nil
}

// signed is what a signature covered.
type signed struct {
	format  string
	payload []byte
	proofs  []Proof
	linked  bool   // its JSON-LD was checked on the way
	jwt     bool   // registered claims may stand in it
	holder  string // the key of a key binding, as a DID
	meaning []byte // what JSON-LD reads, if it is not all of the payload
	known   seen   // of the payload
}

// embedded verifies Data Integrity proofs.
func (v *verifier) embedded(doc []byte, purpose string, known seen) (*signed, error) {
	if v.Purpose != "" {
		purpose = v.Purpose
	}
	d, proofs, err := verifyProofs(doc, ProofPolicy{
		Keys: v.Keys, Purpose: purpose, Challenge: v.Challenge, Domain: v.Domain, Now: v.Now,
		AllowEd2020: v.Ed2020, RequireCreated: v.RequireCreated,
	}, known)
	if err != nil {
		return nil, err
	}
	// Every cryptosuite refuses what has no meaning before it hashes.
	s := &signed{format: FormatDataIntegrity, payload: d.unsecured, proofs: proofs, linked: true}
	s.known = seen{nesting: known.nesting, plain: true, rest: d.rest, said: known.contained}
	for _, p := range proofs {
		if p.Controller == "" {
			return nil, ErrKeyUnknown
		}
		if p.Type == TypeDataIntegrity && !v.accepts(p.Suite) {
			return nil, ErrFormat
		}
	}
	return s, nil
}

// jose verifies a compact JWS of one type.
func (v *verifier) jose(compact, typ string) (*signed, error) {
	if !v.accepts(typ) {
		return nil, ErrFormat
	}
	j, err := OpenJOSE(compact, typ)
	if err != nil {
		return nil, err
	}
	return v.jws(j, typ)
}

func (v *verifier) jws(j *JWS, format string) (*signed, error) {
	pub, controller, err := v.key(j.Header.Kid)
	if err != nil {
		return nil, err
	}
	payload, err := j.Verify(pub)
	if err != nil {
		return nil, err
	}
	return &signed{format: format, payload: payload, proofs: enveloping(format, j.Header.Kid, controller), jwt: true}, nil
}

// cose verifies a tagged COSE_Sign1 in base64.
func (v *verifier) cose(text []byte, format, media string) (*signed, error) {
	if !v.accepts(format) {
		return nil, ErrFormat
	}
	data := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Strict().Decode(data, text)
	if err != nil || bytes.IndexByte(text, '\n') >= 0 || bytes.IndexByte(text, '\r') >= 0 {
		return nil, ErrInputFormat
	}
	c, err := OpenCOSE(data[:n], media)
	if err != nil {
		return nil, err
	}
	pub, controller, err := v.key(c.KID)
	if err != nil {
		return nil, err
	}
	payload, err := c.Verify(pub)
	if err != nil {
		return nil, err
	}
	return &signed{format: format, payload: payload, proofs: enveloping(format, c.KID, controller), jwt: true}, nil
}

// sd verifies an SD-JWT of one type and, where the policy has a challenge, its
// key binding.
func (v *verifier) sd(compact, typ string) (*signed, error) {
	if !v.accepts(typ) {
		return nil, ErrFormat
	}
	x, err := SplitSDJWT(compact, typ)
	if err != nil {
		return nil, err
	}
	pub, controller, err := v.key(x.Header.Kid)
	if err != nil {
		return nil, err
	}
	c, err := x.Verify(pub, v.binding(typ))
	if err != nil {
		return nil, err
	}
	if typ == TypCredentialSD {
		if err := c.checkShown(); err != nil {
			return nil, err
		}
	}
	s := &signed{format: typ, payload: c.Claims, proofs: enveloping(typ, x.Header.Kid, controller), jwt: true}
	if s.holder, err = holderDID(c); err != nil {
		return nil, err
	}
	if s.meaning, err = c.withoutEmptied(); err != nil {
		return nil, err
	}
	return s, nil
}

// withoutEmptied gives the claims without the arrays of which every element is
// hidden, nil if there are none. JSON-LD drops an empty array, which the strict
// reading refuses, and here it is not what the issuer wrote.
func (c *SDClaims) withoutEmptied() ([]byte, error) {
	emptied := false
	var walk func(v any, at string) any
	walk = func(v any, at string) any {
		switch x := v.(type) {
		case map[string]any:
			out := make(map[string]any, len(x))
			for name, m := range x {
				here := at + "/" + escapePointer(name)
				if list, ok := m.([]any); ok && len(list) == 0 && c.places[here] {
					emptied = true
					continue
				}
				out[name] = walk(m, here)
			}
			return out
		case []any:
			out := make([]any, len(x))
			for i, e := range x {
				out[i] = walk(e, at+"/"+strconv.Itoa(i))
			}
			return out
		}
		return v
	}
	tree := walk(c.tree, "")
	if !emptied {
		return nil, nil
	}
	return compactJSON(tree)
}

// holderDID names the key that signed the key binding, "" if there is none.
func holderDID(c *SDClaims) (string, error) {
	if c.Holder == nil {
		return "", nil
	}
	mb, err := did.EncodeMultikey(c.Holder)
	if err != nil {
		return "", err
	}
	return "did:key:" + mb, nil
}

// binding is the key binding that is expected of an SD-JWT. A presentation is
// signed by its holder as a whole, and in one that is, a credential needs no
// signature of the holder's of its own.
func (v *verifier) binding(typ string) KeyBinding {
	if typ == TypPresentationSD || v.Challenge == "" && v.Domain == "" {
		return KeyBinding{None: true}
	}
	return KeyBinding{Audience: v.Domain, Nonce: v.Challenge, Now: v.Now}
}

func enveloping(format, method, controller string) []Proof {
	purpose := PurposeAssertion
	if strings.HasPrefix(format, "vp+") {
		purpose = PurposeAuthentication
	}
	return []Proof{{Type: format, Method: method, Controller: controller, Purpose: purpose}}
}

// ---- credentials

func (v *verifier) embeddedCredential(doc []byte, known seen) (*Verified, error) {
	s, err := v.embedded(doc, PurposeAssertion, known)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(s.proofs, func(p Proof) bool { return p.Derived }) && isOwn(s.payload) {
		if err := CheckShown(s.payload); err != nil {
			return nil, err
		}
	}
	return v.admit(s)
}

// isOwn reports whether a credential is of a type whose holders may not choose
// freely what they show.
func isOwn(doc []byte) bool {
	is := func(member string, values ...string) bool {
		found := false
		_ = eachOf(memberOf(doc, member), func(item []byte) error {
			found = found || slices.Contains(values, string(textOf(item)))
			return nil
		})
		return found
	}
	return is("@context", ContextKinpass) && is("type", TypeBirth, TypeGuardianship)
}

// checkShown refuses a vc+sd-jwt in which anything is hidden, or came by
// disclosure, that everybody must see: at the top, where a status or an end
// could be kept back, in the envelope, and in our own types where the mandate
// says so.
func (c *SDClaims) checkShown() error {
	if c.places[""] {
		return ErrNotDisclosable
	}
	never := append([]string{"/@context"}, envelopePointers...)
	never = append(never, neverDisclosable...)
	own := isOwn(c.Claims)
	if own {
		for _, at := range neverInGuardianship {
			never = append(never, "/credentialSubject"+at)
		}
	}
	if slices.ContainsFunc(never, c.touches) {
		return ErrNotDisclosable
	}
	if own && len(c.places) > 0 {
		return CheckShown(c.Claims)
	}
	return nil
}

func (v *verifier) joseCredential(compact string) (*Verified, error) {
	s, err := v.jose(compact, TypCredential)
	if err != nil {
		return nil, err
	}
	return v.admit(s)
}

func (v *verifier) coseCredential(text []byte) (*Verified, error) {
	s, err := v.cose(text, typCredentialCOSE, MediaCredential)
	if err != nil {
		return nil, err
	}
	return v.admit(s)
}

// sdCredential verifies an SD-JWT, of which the header tells the profile.
func (v *verifier) sdCredential(compact string) (*Verified, error) {
	x, err := SplitSDJWT(compact, TypCredentialSD, TypSDJWTVC)
	if err != nil {
		return nil, err
	}
	if x.Header.Typ == TypSDJWTVC {
		return v.sdjwtVC(compact)
	}
	s, err := v.sd(compact, TypCredentialSD)
	if err != nil {
		return nil, err
	}
	return v.admit(s)
}

func (v *verifier) sdjwtVC(compact string) (*Verified, error) {
	if !v.accepts(TypSDJWTVC) {
		return nil, ErrFormat
	}
	x, err := VerifySDJWTVC(compact, SDPolicy{Keys: v.Keys, Binding: v.binding(TypSDJWTVC), Now: v.Now})
	if err != nil {
		return nil, err
	}
	out := &Verified{
		Format: TypSDJWTVC, Document: x.Claims, Types: []string{x.Type}, Issuer: x.Issuer,
		From: x.NotBefore, Until: x.Expires, SDJWT: x,
		Proofs: enveloping(TypSDJWTVC, x.KeyID, x.Issuer), // whose controller is the issuer
	}
	if x.Status != nil {
		out.Status = []StatusEntry{tokenEntry(x.Status)}
	}
	if out.Holder, err = holderDID(x.SDClaims); err != nil {
		return nil, err
	}
	return v.decide(out)
}

// legacyCredential verifies the JWT form of the Data Model 1.1: the credential
// is the claim vc, and claims beside it may say the same again.
func (v *verifier) legacyCredential(compact string) (*Verified, error) {
	s, claims, err := v.legacyJWT(compact)
	if err != nil {
		return nil, err
	}
	if s.payload = claims.named("vc"); s.payload == nil {
		return nil, ErrModelClaims
	}
	f := new(modelFacts)
	m := ModelCheck{Version1: true}
	if err := f.read(s.payload, m); err != nil {
		return nil, err
	}
	if err := claims.agree(f, m); err != nil {
		return nil, err
	}
	return v.decideOn(s, f)
}

// admit holds a signed credential to the data model and the policy.
func (v *verifier) admit(s *signed) (*Verified, error) {
	f := new(modelFacts)
	m := ModelCheck{Version1: v.Version1 || v.ProofOnly, JWT: s.jwt, linked: s.linked, meaning: s.meaning, known: s.known}
	if err := f.read(s.payload, m); err != nil {
		return nil, err
	}
	if s.jwt {
		// A credential that was made for somebody or something says so in its
		// claims; one that was asked for it must, if it is not in a presentation.
		if err := v.addressed(f.claims[claimNonce], f.claims[claimAud], s.format); err != nil {
			return nil, err
		}
	}
	return v.decideOn(s, f)
}

// addressed compares the claims nonce and aud with the policy. For an SD-JWT,
// the key binding has them.
func (v *verifier) addressed(nonce, aud []byte, format string) error {
	if format == TypCredentialSD || format == TypSDJWTVC {
		return nil
	}
	if v.Challenge != "" && (nonce == nil || string(textOf(nonce)) != v.Challenge) {
		return ErrNonce
	}
	if v.Domain == "" {
		return nil
	}
	found := false
	if aud != nil {
		_ = eachOf(aud, func(item []byte) error {
			found = found || string(textOf(item)) == v.Domain
			return nil
		})
	}
	if !found {
		return ErrAudience
	}
	return nil
}

func (v *verifier) decideOn(s *signed, f *modelFacts) (*Verified, error) {
	out := f.verified(s)
	var err error
	if out.Status, err = f.statusEntries(); err != nil {
		return nil, err
	}
	for _, c := range []struct {
		claim claim
		to    *time.Time
		later bool
	}{{claimNbf, &out.From, true}, {claimExp, &out.Until, false}} {
		if n := f.claims[c.claim]; n != nil { // checkClaims read it
			t, _ := numericDate(n)
			if c.to.IsZero() || t.After(*c.to) == c.later {
				*c.to = t
			}
		}
	}
	return v.decide(out)
}

// validAt checks the period of validity. It begins clockSkew early, for issuers
// whose clock is ahead, and ends when it says.
func (v *Verified) validAt(now time.Time) error {
	if !v.From.IsZero() && now.Add(clockSkew).Before(v.From) {
		return ErrNotYet
	}
	if !v.Until.IsZero() && !now.Before(v.Until) {
		return ErrExpired
	}
	return nil
}

// decide makes the checks that do not depend on the format.
func (v *verifier) decide(out *Verified) (*Verified, error) {
	if !v.ProofOnly && !slices.ContainsFunc(out.Proofs, func(p Proof) bool { return p.Controller == out.Issuer }) {
		return nil, ErrIssuerKey
	}
	if !v.ProofOnly {
		if err := out.validAt(v.Now); err != nil {
			return nil, err
		}
	}
	if v.Trusts != nil {
		if err := v.Trusts(out); err != nil {
			return nil, err
		}
	}
	if len(out.Status) > 0 {
		switch {
		case v.Status != nil:
			if err := v.Status(out); err != nil {
				return nil, err
			}
		case !v.ProofOnly:
			return nil, ErrUnchecked
		}
	}
	return out, nil
}

// verified copies what the model check saw out of the document.
func (f *modelFacts) verified(s *signed) *Verified {
	out := &Verified{
		Format: s.format, Document: s.payload, Version1: f.version1,
		ID: string(textOf(f.values[propID])), Issuer: string(f.issuer), Holder: string(f.holder), Subject: string(f.subject),
		From: f.from, Until: f.until, Proofs: s.proofs,
	}
	if s.holder != "" {
		out.Holder = s.holder
	}
	_ = eachOf(f.values[propType], func(item []byte) error {
		out.Types = append(out.Types, nameOf(item))
		return nil
	})
	return out
}

// statusEntries gives every status of a credential, also those of types that
// are not known here: who checks them decides.
func (f *modelFacts) statusEntries() ([]StatusEntry, error) {
	var out []StatusEntry
	if v := f.values[propStatus]; v != nil {
		_ = eachOf(v, func(item []byte) error {
			m := readStatusEntry(item)
			e := StatusEntry{Purpose: nameOf(m.purpose), Index: string(textOf(m.index)), List: string(textOf(m.list))}
			_ = eachOf(m.types, func(t []byte) error {
				if e.Type == "" || string(textOf(t)) == typeBitstringEntry {
					e.Type = nameOf(t)
				}
				return nil
			})
			out = append(out, e)
			return nil
		})
	}
	if v := f.claims[claimStatus]; v != nil {
		s, err := sdValue(v)
		if err != nil {
			return nil, ErrStatusRead.With(err)
		}
		t, err := tokenStatus(s)
		if err != nil {
			return nil, ErrStatusRead.With(err)
		}
		out = append(out, tokenEntry(t))
	}
	return out, nil
}

// tokenEntry writes a reference into a Token Status List as a status entry. Its
// purpose is whatever the list says.
func tokenEntry(t *TokenStatus) StatusEntry {
	return StatusEntry{Type: TypeTokenStatus, Index: strconv.FormatUint(t.Index, 10), List: t.URI}
}

// ---- presentations

func (v *verifier) embeddedPresentation(doc []byte, known seen) (*Verified, error) {
	known.contained = new(rdf.Contained)
	defer known.contained.Release()
	s, err := v.embedded(doc, PurposeAuthentication, known)
	if err != nil {
		return nil, err
	}
	return v.present(s)
}

func (v *verifier) josePresentation(compact string) (*Verified, error) {
	if v.LegacyJWT && isLegacy(compact) {
		return v.legacyPresentation(compact)
	}
	s, err := v.jose(compact, TypPresentation)
	if err != nil {
		return nil, err
	}
	return v.present(s)
}

func (v *verifier) cosePresentation(text []byte) (*Verified, error) {
	s, err := v.cose(text, typPresentationCOSE, MediaPresentation)
	if err != nil {
		return nil, err
	}
	return v.present(s)
}

// sdPresentation verifies a vp+sd-jwt, or an SD-JWT with key binding, which is
// a presentation of one credential.
func (v *verifier) sdPresentation(compact string) (*Verified, error) {
	x, err := SplitSDJWT(compact, TypPresentationSD, TypCredentialSD, TypSDJWTVC)
	if err != nil {
		return nil, err
	}
	if x.Header.Typ != TypPresentationSD {
		one, err := v.sdCredential(compact)
		if err != nil {
			return nil, err
		}
		return &Verified{Format: one.Format, Holder: one.Holder, Proofs: one.Proofs, Credentials: []*Verified{one}}, nil
	}
	s, err := v.sd(compact, TypPresentationSD)
	if err != nil {
		return nil, err
	}
	return v.present(s)
}

// present holds a signed presentation to the data model and the policy, and
// verifies what is in it.
func (v *verifier) present(s *signed) (*Verified, error) {
	f := new(modelFacts)
	m := ModelCheck{Presentation: true, Version1: v.Version1 || v.ProofOnly, JWT: s.jwt, linked: s.linked, meaning: s.meaning, known: s.known}
	if err := f.read(s.payload, m); err != nil {
		return nil, err
	}
	if s.jwt {
		if err := v.addressed(f.claims[claimNonce], f.claims[claimAud], s.format); err != nil {
			return nil, err
		}
		if err := v.current(f.claims[claimIat], f.claims[claimNbf], f.claims[claimExp]); err != nil {
			return nil, err
		}
	}
	return v.presented(s, f, false)
}

// current checks the times of an enveloped presentation.
func (v *verifier) current(iat, nbf, exp []byte) error {
	if v.ProofOnly {
		return nil
	}
	for _, from := range [][]byte{iat, nbf} {
		if from == nil {
			continue
		}
		if t, ok := numericDate(from); !ok || t.After(v.Now.Add(clockSkew)) {
			return ErrStale
		}
	}
	if exp != nil {
		if t, ok := numericDate(exp); !ok || !v.Now.Before(t.Add(clockSkew)) {
			return ErrStale
		}
	}
	return nil
}

func (v *verifier) presented(s *signed, f *modelFacts, legacy bool) (*Verified, error) {
	out := f.verified(s)
	if out.Holder != "" && !slices.ContainsFunc(out.Proofs, func(p Proof) bool { return p.Controller == out.Holder }) {
		return nil, ErrHolderKey
	}
	inner := v.contained(legacy)
	for _, item := range f.contained {
		c, err := inner.credential(item, s.known.inside())
		if err != nil {
			return nil, err
		}
		out.Credentials = append(out.Credentials, c)
	}
	return out, nil
}

// ---- the JWT form of the Data Model 1.1

// isLegacy reports whether a compact JWS says that it is a plain JWT.
func isLegacy(compact string) bool {
	j, err := SplitJOSE(compact)
	return err == nil && j.Header.Typ == "JWT"
}

// jwtClaims are the claims of a legacy JWT.
type jwtClaims struct {
	modelFacts
	object []byte
}

// legacyJWT verifies a JWS of typ JWT, or without typ, by EdDSA or ES256.
func (v *verifier) legacyJWT(compact string) (*signed, *jwtClaims, error) {
	j, err := SplitJOSE(compact)
	if err != nil {
		return nil, nil, err
	}
	if j.Header.Typ != "JWT" && j.Header.Typ != "" {
		return nil, nil, ErrType
	}
	if !slices.Contains(ownAlgorithms, j.Header.Alg) {
		return nil, nil, ErrJWSAlgorithm
	}
	s, err := v.jws(j, typLegacyJWT)
	if err != nil {
		return nil, nil, err
	}
	if err := CheckJSON(s.payload, maxNesting); err != nil {
		return nil, nil, err
	}
	if s.payload[0] != '{' {
		return nil, nil, ErrModelObject
	}
	c := &jwtClaims{object: s.payload}
	r := reader{d: s.payload, i: 1}
	for first := true; r.more(first); first = false {
		if name, value := r.member(); claimOf(name) != claimNone {
			c.claims[claimOf(name)] = value
		}
	}
	return s, c, nil
}

func (c *jwtClaims) named(name string) []byte {
	if v := memberOf(c.object, name); v != nil && v[0] == '{' {
		return v
	}
	return nil
}

// agree compares the claims with the document inside and hands them over.
func (c *jwtClaims) agree(f *modelFacts, m ModelCheck) error {
	f.claims = c.claims
	return f.checkClaims(m)
}

func (v *verifier) legacyPresentation(compact string) (*Verified, error) {
	s, claims, err := v.legacyJWT(compact)
	if err != nil {
		return nil, err
	}
	s.proofs[0].Purpose = PurposeAuthentication
	if iss := claims.claims[claimIss]; iss != nil && string(textOf(iss)) != s.proofs[0].Controller {
		return nil, ErrHolderKey
	}
	if s.payload = claims.named("vp"); s.payload == nil {
		return nil, ErrModelClaims
	}
	f := new(modelFacts)
	m := ModelCheck{Presentation: true, Version1: true}
	if err := f.read(s.payload, m); err != nil {
		return nil, err
	}
	if err := claims.agree(f, m); err != nil {
		return nil, err
	}
	if err := v.addressed(f.claims[claimNonce], f.claims[claimAud], s.format); err != nil {
		return nil, err
	}
	if err := v.current(f.claims[claimIat], f.claims[claimNbf], f.claims[claimExp]); err != nil {
		return nil, err
	}
	return v.presented(s, f, true)
}
