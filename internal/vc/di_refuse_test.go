package vc

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/rdf"
)

const plainCredential = `{
  "@context": ["https://www.w3.org/ns/credentials/v2", {"Membership": "https://society.example/#Membership", "member": "https://society.example/#member", "since": "https://society.example/#since"}],
  "type": ["VerifiableCredential", "Membership"],
  "id": "urn:uuid:0b3c2b0e-6a6f-4a39-8c1a-7f1f6a4c6a01",
  "issuer": "https://society.example/issuer",
  "validFrom": "2026-01-01T00:00:00Z",
  "credentialSubject": {"id": "did:example:anna", "member": "Anna", "since": "2019"}
}`

// didSigner makes a fresh key whose verification method is its did:key.
func didSigner(t testing.TB, alg string) keys.Signer {
	t.Helper()
	s := keys.Signer{Alg: alg}
	var err error
	switch alg {
	case keys.EdDSA:
		_, s.Signer, err = ed25519.GenerateKey(rand.Reader)
	case keys.ES256:
		s.Signer, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case keys.ES384:
		s.Signer, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	mb, err := did.EncodeMultikey(s.Public())
	if err != nil {
		t.Fatal(err)
	}
	s.KID = "did:key:" + mb + "#" + mb
	return s
}

var (
	testNow     = testPolicy.Now
	testCreated = testNow.Add(-time.Hour)
)

// suiteCase is a suite with a key that it signs with.
type suiteCase struct {
	name   string
	suite  *cryptosuite
	signer keys.Signer
	wrong  keys.Signer // of a kind that the suite cannot use
}

func suiteCases(t testing.TB) []suiteCase {
	ed, p256, p384 := didSigner(t, keys.EdDSA), didSigner(t, keys.ES256), didSigner(t, keys.ES384)
	return []suiteCase{
		{"eddsa-rdfc-2022", suiteEdDSARDFC, ed, p256},
		{"eddsa-jcs-2022", suiteEdDSAJCS, ed, p384},
		{"ecdsa-rdfc-2019 P-256", suiteECDSARDFC, p256, ed},
		{"ecdsa-rdfc-2019 P-384", suiteECDSARDFC, p384, ed},
		{"ecdsa-jcs-2019 P-256", suiteECDSAJCS, p256, ed},
		{"ecdsa-jcs-2019 P-384", suiteECDSAJCS, p384, ed},
		{"Ed25519Signature2020", suiteEd2020, ed, p256},
	}
}

type object = map[string]any

func decode(t testing.TB, doc []byte) object {
	t.Helper()
	var v object
	if err := json.Unmarshal(doc, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func encode(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// unsignedFor gives the test credential with the contexts the suite needs.
func (c suiteCase) unsigned(t testing.TB) object {
	doc := decode(t, []byte(plainCredential))
	if c.suite == suiteEd2020 {
		doc["@context"] = append(doc["@context"].([]any), "https://w3id.org/security/suites/ed25519-2020/v1")
	}
	return doc
}

// proof gives the members of a proof in good order, without its value.
func (c suiteCase) proof(doc object) object {
	p := object{"type": TypeDataIntegrity, "cryptosuite": c.suite.name, "created": stamp(testCreated),
		"verificationMethod": c.signer.KID, "proofPurpose": PurposeAssertion}
	if c.suite == suiteEd2020 {
		p["type"] = TypeEd2020
		delete(p, "cryptosuite")
	}
	if c.suite.jcs {
		p["@context"] = doc["@context"]
	}
	return p
}

// sign makes a signature over any proof, also one that AddProof would not
// make, so that what is refused is refused for its own fault and not for a
// signature that does not verify.
func (c suiteCase) sign(t testing.TB, covered, proof object) object {
	t.Helper()
	config := maps.Clone(proof)
	config["@context"] = covered["@context"]
	canonical := c.suite.canonical
	if c.suite.jcs {
		canonical = canonicalJCS // without the check that each term has a meaning
	}
	s := *c.suite
	s.canonical = canonical
	value, err := s.make(encode(t, covered), encode(t, config), ProofOptions{Signer: c.signer})
	if err != nil {
		t.Fatal(err)
	}
	out := maps.Clone(proof)
	out["proofValue"] = value
	return out
}

// signed gives a document with one proof, after the proof was changed.
func (c suiteCase) signed(t testing.TB, change func(proof object)) object {
	doc := c.unsigned(t)
	p := c.proof(doc)
	if change != nil {
		change(p)
	}
	s := c.sign(t, doc, p)
	doc["proof"] = s
	return doc
}

func refused(t *testing.T, doc []byte, p ProofPolicy, want error) {
	t.Helper()
	unsecured, proofs, err := VerifyProofs(doc, p)
	if err == nil {
		t.Fatalf("accepted: %s", doc)
	}
	if unsecured != nil || proofs != nil {
		t.Error("a refusal gave a document or proofs")
	}
	if !errors.Is(err, want) {
		t.Errorf("refused with %v, want %v", err, want)
	}
	if k := fault.As(err).Kind; k == fault.Internal && want != ErrProofPolicy {
		t.Errorf("refused as an internal error: %v", err)
	}
}

// TestVerifyProofsRefuses goes through every suite with everything that can be
// wrong with a document, its proof, its key or the expectations.
func TestVerifyProofsRefuses(t *testing.T) {
	policy := testPolicy
	policy.AllowEd2020 = true
	count := 0
	for _, c := range suiteCases(t) {
		good := c.signed(t, nil)
		if _, _, err := VerifyProofs(encode(t, good), policy); err != nil {
			t.Fatalf("%s: the good document is refused: %v", c.name, err)
		}
		fresh := func() object { return decode(t, encode(t, good)) }
		proofOf := func(d object) object { return d["proof"].(object) }
		subject := func(d object) object { return d["credentialSubject"].(object) }

		for name, r := range map[string]struct {
			change func(d object)
			want   error
		}{
			"changed claim":        {func(d object) { subject(d)["member"] = "Anne" }, ErrSignature},
			"removed claim":        {func(d object) { delete(subject(d), "since") }, ErrSignature},
			"added claim":          {func(d object) { d["name"] = "A name" }, ErrSignature},
			"added subject":        {func(d object) { d["credentialSubject"] = []any{subject(d), object{"member": "Bo"}} }, ErrSignature},
			"changed issuer":       {func(d object) { d["issuer"] = "https://other.example/issuer" }, ErrSignature},
			"changed id":           {func(d object) { d["id"] = "urn:uuid:0b3c2b0e-6a6f-4a39-8c1a-7f1f6a4c6a02" }, ErrSignature},
			"removed type":         {func(d object) { d["type"] = []any{"VerifiableCredential"} }, ErrSignature},
			"added undefined term": {func(d object) { subject(d)["undefinedTerm"] = 1 }, rdf.ErrUndefined},
			"added undefined type": {func(d object) { d["type"] = append(d["type"].([]any), "UndefinedType") }, rdf.ErrIRI},
			"claim made null":      {func(d object) { subject(d)["since"] = nil }, nil},
			"undefined in proof":   {func(d object) { proofOf(d)["undefinedTerm"] = "x" }, rdf.ErrUndefined},

			"no @context":     {func(d object) { delete(d, "@context") }, ErrProofContext},
			"null @context":   {func(d object) { d["@context"] = nil }, ErrProofContext},
			"dropped context": {func(d object) { d["@context"] = d["@context"].([]any)[:1] }, map[bool]error{true: ErrProofContext, false: rdf.ErrUndefined}[c.suite.jcs]},
			"context means otherwise": {func(d object) {
				d["@context"].([]any)[1].(object)["member"] = "https://society.example/#expelled"
			}, map[bool]error{true: ErrProofContext, false: ErrSignature}[c.suite.jcs]},
			"proof has another @context": {func(d object) { proofOf(d)["@context"] = []any{ContextV2} }, ErrProofContext},
			"proof has a null @context":  {func(d object) { proofOf(d)["@context"] = nil }, ErrProofContext},

			"no proof":         {func(d object) { delete(d, "proof") }, ErrProofMissing},
			"null proof":       {func(d object) { d["proof"] = nil }, ErrProofMissing},
			"empty proofs":     {func(d object) { d["proof"] = []any{} }, ErrProofMissing},
			"text as proof":    {func(d object) { d["proof"] = "proof" }, ErrProofShape},
			"number as proof":  {func(d object) { d["proof"] = 1 }, ErrProofShape},
			"true as proof":    {func(d object) { d["proof"] = true }, ErrProofShape},
			"null in proofs":   {func(d object) { d["proof"] = []any{nil} }, ErrProofShape},
			"array in proofs":  {func(d object) { d["proof"] = []any{[]any{d["proof"]}} }, ErrProofShape},
			"null beside good": {func(d object) { d["proof"] = []any{d["proof"], nil} }, ErrProofShape},
			"empty proof":      {func(d object) { d["proof"] = object{} }, ErrProofPartial},
			"one proof missing": {func(d object) {
				second := maps.Clone(proofOf(d))
				delete(second, "proofValue")
				d["proof"] = []any{d["proof"], second}
			}, ErrProofPartial},
			"nine proofs": {func(d object) { d["proof"] = slices.Repeat([]any{d["proof"]}, 9) }, ErrProofMany},
			"many proofs": {func(d object) { d["proof"] = slices.Repeat([]any{d["proof"]}, 500) }, ErrProofMany},

			"no type":                   {func(d object) { delete(proofOf(d), "type") }, ErrProofPartial},
			"null type":                 {func(d object) { proofOf(d)["type"] = nil }, ErrProofShape},
			"two types":                 {func(d object) { proofOf(d)["type"] = []any{TypeDataIntegrity, TypeEd2020} }, ErrProofShape},
			"type in an array":          {func(d object) { proofOf(d)["type"] = []any{proofOf(d)["type"]} }, ErrProofShape},
			"another type":              {func(d object) { proofOf(d)["type"] = "Ed25519Signature2018" }, ErrProofType},
			"type by its IRI":           {func(d object) { proofOf(d)["type"] = "https://w3id.org/security#DataIntegrityProof" }, ErrProofType},
			"@type beside type":         {func(d object) { proofOf(d)["@type"] = TypeDataIntegrity }, ErrProofShape},
			"@id in the proof":          {func(d object) { proofOf(d)["@id"] = "urn:x:y" }, ErrProofShape},
			"no method":                 {func(d object) { delete(proofOf(d), "verificationMethod") }, ErrProofPartial},
			"null method":               {func(d object) { proofOf(d)["verificationMethod"] = nil }, ErrProofShape},
			"method as an object":       {func(d object) { proofOf(d)["verificationMethod"] = object{"id": c.signer.KID} }, ErrProofShape},
			"two methods":               {func(d object) { proofOf(d)["verificationMethod"] = []any{c.signer.KID, c.signer.KID} }, ErrProofShape},
			"method of no DID":          {func(d object) { proofOf(d)["verificationMethod"] = "did:key:invalidVm" }, did.ErrFragment},
			"no purpose":                {func(d object) { delete(proofOf(d), "proofPurpose") }, ErrProofPartial},
			"null purpose":              {func(d object) { proofOf(d)["proofPurpose"] = nil }, ErrProofShape},
			"two purposes":              {func(d object) { proofOf(d)["proofPurpose"] = []any{PurposeAssertion, PurposeAuthentication} }, ErrProofShape},
			"another purpose":           {func(d object) { proofOf(d)["proofPurpose"] = PurposeAuthentication }, ErrProofPurpose},
			"purpose by its IRI":        {func(d object) { proofOf(d)["proofPurpose"] = "https://w3id.org/security#assertionMethod" }, ErrProofPurpose},
			"created changed":           {func(d object) { proofOf(d)["created"] = stamp(testCreated.Add(time.Second)) }, ErrSignature},
			"created removed":           {func(d object) { delete(proofOf(d), "created") }, ErrSignature},
			"expires added":             {func(d object) { proofOf(d)["expires"] = stamp(testNow.Add(time.Hour)) }, ErrSignature},
			"id added":                  {func(d object) { proofOf(d)["id"] = "urn:x:y" }, ErrSignature},
			"nonce added":               {func(d object) { proofOf(d)["nonce"] = "n" }, ErrSignature},
			"challenge added":           {func(d object) { proofOf(d)["challenge"] = "c" }, ErrSignature},
			"domain added":              {func(d object) { proofOf(d)["domain"] = "d" }, ErrSignature},
			"null challenge":            {func(d object) { proofOf(d)["challenge"] = nil }, ErrProofShape},
			"domain of numbers":         {func(d object) { proofOf(d)["domain"] = []any{1} }, ErrProofShape},
			"empty domains":             {func(d object) { proofOf(d)["domain"] = []any{} }, ErrProofShape},
			"previous is missing":       {func(d object) { proofOf(d)["previousProof"] = "urn:x:none" }, ErrProofPrevious},
			"previous is no text":       {func(d object) { proofOf(d)["previousProof"] = 1 }, ErrProofShape},
			"previous is empty":         {func(d object) { proofOf(d)["previousProof"] = []any{} }, ErrProofShape},
			"previous is an empty text": {func(d object) { proofOf(d)["previousProof"] = "" }, ErrProofPrevious},
			"previous is itself": {func(d object) {
				proofOf(d)["id"], proofOf(d)["previousProof"] = "urn:x:me", "urn:x:me"
			}, ErrProofPrevious},
			"one id twice": {func(d object) {
				proofOf(d)["id"] = "urn:x:me"
				d["proof"] = []any{d["proof"], d["proof"]}
			}, ErrProofShape},

			"no value":               {func(d object) { delete(proofOf(d), "proofValue") }, ErrProofPartial},
			"null value":             {func(d object) { proofOf(d)["proofValue"] = nil }, ErrProofShape},
			"two values":             {func(d object) { proofOf(d)["proofValue"] = []any{proofOf(d)["proofValue"]} }, ErrProofShape},
			"empty value":            {func(d object) { proofOf(d)["proofValue"] = "" }, ErrProofPartial},
			"value without header":   {func(d object) { proofOf(d)["proofValue"] = strings.TrimLeft(value(d), "z") }, ErrProofValue},
			"only a header":          {func(d object) { proofOf(d)["proofValue"] = "z" }, ErrProofValue},
			"header of base64url":    {func(d object) { proofOf(d)["proofValue"] = "u" + value(d)[1:] }, ErrProofValue},
			"base64url":              {func(d object) { proofOf(d)["proofValue"] = "u" + b64.EncodeToString(sigBytes(t, d)) }, ErrProofValue},
			"base16":                 {func(d object) { proofOf(d)["proofValue"] = fmt.Sprintf("f%x", sigBytes(t, d)) }, ErrProofValue},
			"no base58":              {func(d object) { proofOf(d)["proofValue"] = value(d)[:20] + "0" + value(d)[21:] }, ErrProofValue},
			"value with a line end":  {func(d object) { proofOf(d)["proofValue"] = value(d) + "\n" }, ErrProofValue},
			"value cut short":        {func(d object) { setSig(d, sigBytes(t, d)[:len(sigBytes(t, d))-1]) }, ErrProofValue},
			"value half":             {func(d object) { setSig(d, sigBytes(t, d)[:32]) }, ErrProofValue},
			"value extended":         {func(d object) { setSig(d, append(sigBytes(t, d), 0)) }, ErrProofValue},
			"value with a zero more": {func(d object) { proofOf(d)["proofValue"] = "z1" + value(d)[1:] }, ErrProofValue},
			"value of 32 more bytes": {func(d object) { setSig(d, append(sigBytes(t, d), make([]byte, 32)...)) }, ErrProofValue},
			"a bit of the value":     {func(d object) { s := sigBytes(t, d); s[len(s)/2+3] ^= 4; setSig(d, s) }, ErrSignature},
			"a value of zeros":       {func(d object) { setSig(d, make([]byte, len(sigBytes(t, d)))) }, ErrSignature},
			"a value of ones":        {func(d object) { setSig(d, bytes.Repeat([]byte{0xff}, len(sigBytes(t, d)))) }, ErrSignature},
			"halves exchanged": {func(d object) {
				s := sigBytes(t, d)
				setSig(d, slices.Concat(s[len(s)/2:], s[:len(s)/2]))
			}, ErrSignature},
		} {
			t.Run(c.name+"/"+name, func(t *testing.T) {
				d := fresh()
				r.change(d)
				doc := encode(t, d)
				if r.want == nil { // refused somehow; which of two faults depends on the suite
					if u, p, err := VerifyProofs(doc, policy); err == nil || u != nil || p != nil {
						t.Errorf("accepted: %v", err)
					}
					return
				}
				refused(t, doc, policy, r.want)
			})
			count++
		}
	}
	if want := 7 * 84; count != want {
		t.Errorf("%d refusals, expected %d", count, want)
	}
}

func value(d object) string { return d["proof"].(object)["proofValue"].(string) }

func sigBytes(t testing.TB, d object) []byte {
	t.Helper()
	b, err := did.DecodeMultibase(value(d), 96)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func setSig(d object, sig []byte) {
	d["proof"].(object)["proofValue"] = "z" + did.EncodeBase58(sig)
}

// TestVerifyProofsRefusesSigned has proofs whose signature holds and which are
// refused all the same, for what they say or for what was asked.
func TestVerifyProofsRefusesSigned(t *testing.T) {
	count := 0
	for _, c := range suiteCases(t) {
		for name, r := range map[string]struct {
			change func(p object)
			policy func(p *ProofPolicy)
			want   error // nil: accepted
		}{
			"good":                   {nil, nil, nil},
			"created is optional":    {func(p object) { delete(p, "created") }, nil, nil},
			"created is asked for":   {func(p object) { delete(p, "created") }, func(p *ProofPolicy) { p.RequireCreated = true }, ErrProofPartial},
			"created with an offset": {func(p object) { p["created"] = "2026-11-21T11:00:00+05:30" }, nil, nil},
			"created with millis":    {func(p object) { p["created"] = "2026-11-21T11:00:00.123Z" }, nil, nil},
			"created a minute ahead": {func(p object) { p["created"] = stamp(testNow.Add(time.Minute)) }, nil, nil},
			"created ahead":          {func(p object) { p["created"] = stamp(testNow.Add(proofSkew + time.Second)) }, nil, ErrProofFuture},
			"created next year":      {func(p object) { p["created"] = "2027-11-21T11:00:00Z" }, nil, ErrProofFuture},
			"created is no time":     {func(p object) { p["created"] = "invalidDate" }, nil, ErrProofTime},
			"created has no offset":  {func(p object) { p["created"] = "2026-11-21T11:00:00" }, nil, ErrProofTime},
			"created is a day":       {func(p object) { p["created"] = "2026-11-21" }, nil, ErrProofTime},
			"created on 30 February": {func(p object) { p["created"] = "2026-02-30T11:00:00Z" }, nil, ErrProofTime},
			"created with a comma":   {func(p object) { p["created"] = "2026-11-21T11:00:00,5Z" }, nil, ErrProofTime},
			"created is empty":       {func(p object) { p["created"] = "" }, nil, ErrProofShape},
			"not yet expired":        {func(p object) { p["expires"] = stamp(testNow.Add(time.Second)) }, nil, nil},
			"expires now":            {func(p object) { p["expires"] = stamp(testNow) }, nil, ErrProofExpired},
			"expired":                {func(p object) { p["expires"] = stamp(testNow.Add(-time.Second)) }, nil, ErrProofExpired},
			"expires is no time":     {func(p object) { p["expires"] = "never" }, nil, ErrProofTime},
			"expires has no offset":  {func(p object) { p["expires"] = "2027-11-21T11:00:00" }, nil, ErrProofTime},
			"expires is empty":       {func(p object) { p["expires"] = "" }, nil, ErrProofShape},

			"authentication":            {func(p object) { p["proofPurpose"] = PurposeAuthentication }, nil, ErrProofPurpose},
			"authentication is asked":   {nil, func(p *ProofPolicy) { p.Purpose = PurposeAuthentication }, ErrProofPurpose},
			"authentication is given":   {func(p object) { p["proofPurpose"] = PurposeAuthentication }, func(p *ProofPolicy) { p.Purpose = PurposeAuthentication }, nil},
			"capabilityInvocation":      {func(p object) { p["proofPurpose"] = "capabilityInvocation" }, nil, ErrProofPurpose},
			"the policy has no purpose": {nil, func(p *ProofPolicy) { p.Purpose = "" }, ErrProofPurpose},

			"right domain":         {func(p object) { p["domain"] = "a.example" }, func(p *ProofPolicy) { p.Domain = "a.example" }, nil},
			"one of two domains":   {func(p object) { p["domain"] = []any{"b.example", "a.example"} }, func(p *ProofPolicy) { p.Domain = "a.example" }, nil},
			"wrong domain":         {func(p object) { p["domain"] = "a.example" }, func(p *ProofPolicy) { p.Domain = "b.example" }, ErrProofDomain},
			"none of two domains":  {func(p object) { p["domain"] = []any{"b.example", "a.example"} }, func(p *ProofPolicy) { p.Domain = "c.example" }, ErrProofDomain},
			"domain in other case": {func(p object) { p["domain"] = "A.example" }, func(p *ProofPolicy) { p.Domain = "a.example" }, ErrProofDomain},
			"no domain":            {nil, func(p *ProofPolicy) { p.Domain = "b.example" }, ErrProofDomain},
			"right challenge":      {func(p object) { p["challenge"] = "c1" }, func(p *ProofPolicy) { p.Challenge = "c1" }, nil},
			"wrong challenge":      {func(p object) { p["challenge"] = "c1" }, func(p *ProofPolicy) { p.Challenge = "c2" }, ErrProofChal},
			"longer challenge":     {func(p object) { p["challenge"] = "c12" }, func(p *ProofPolicy) { p.Challenge = "c1" }, ErrProofChal},
			"no challenge":         {nil, func(p *ProofPolicy) { p.Challenge = "c2" }, ErrProofChal},
			"right challenge, wrong domain": {func(p object) { p["challenge"], p["domain"] = "c1", "a.example" },
				func(p *ProofPolicy) { p.Challenge, p.Domain = "c1", "b.example" }, ErrProofDomain},

			"another key":           {nil, func(p *ProofPolicy) { p.Keys = finder(didSigner(t, c.signer.Alg).Public(), nil) }, ErrSignature},
			"key of another kind":   {nil, func(p *ProofPolicy) { p.Keys = finder(c.wrong.Public(), nil) }, ErrProofKey},
			"no key":                {nil, func(p *ProofPolicy) { p.Keys = finder(nil, nil) }, ErrProofKey},
			"a nil ECDSA key":       {nil, func(p *ProofPolicy) { p.Keys = finder((*ecdsa.PublicKey)(nil), nil) }, ErrProofKey},
			"a short key":           {nil, func(p *ProofPolicy) { p.Keys = finder(ed25519.PublicKey{1, 2}, nil) }, ErrProofKey},
			"a private key":         {nil, func(p *ProofPolicy) { p.Keys = finder(c.signer.Signer, nil) }, ErrProofKey},
			"the method is unknown": {nil, func(p *ProofPolicy) { p.Keys = finder(c.signer.Public(), did.ErrMismatch) }, did.ErrMismatch},

			"no keys":     {nil, func(p *ProofPolicy) { p.Keys = nil }, ErrProofPolicy},
			"no time":     {nil, func(p *ProofPolicy) { p.Now = time.Time{} }, ErrProofPolicy},
			"zero policy": {nil, func(p *ProofPolicy) { *p = ProofPolicy{} }, ErrProofPolicy},
		} {
			t.Run(c.name+"/"+name, func(t *testing.T) {
				doc := encode(t, c.signed(t, r.change))
				policy := testPolicy
				policy.AllowEd2020 = true
				if r.policy != nil {
					r.policy(&policy)
				}
				if r.want != nil {
					refused(t, doc, policy, r.want)
					return
				}
				unsecured, proofs, err := VerifyProofs(doc, policy)
				if err != nil || len(proofs) != 1 {
					t.Fatalf("%d proofs, %v", len(proofs), err)
				}
				if !sameJSON(t, unsecured, encode(t, c.unsigned(t))) {
					t.Errorf("another document was verified: %s", unsecured)
				}
			})
			count++
		}
	}
	if want := 7 * 46; count != want {
		t.Errorf("%d proofs, expected %d", count, want)
	}
}

func finder(pub crypto.PublicKey, err error) KeyFinder {
	return func(string) (crypto.PublicKey, string, error) { return pub, "did:example:controller", err }
}

// TestProofOfAnother: a proof that holds for one document holds for no other,
// nor under another suite's name, type or method.
func TestProofOfAnother(t *testing.T) {
	policy := testPolicy
	policy.AllowEd2020 = true
	cases := suiteCases(t)
	for _, c := range cases {
		doc := c.signed(t, nil)
		other := c.unsigned(t)
		other["credentialSubject"].(object)["member"] = "Bo"
		other["proof"] = doc["proof"]
		refused(t, encode(t, other), policy, ErrSignature)

		// The attacker's own key signs for nobody else's method, and nobody's
		// signature serves the attacker's.
		mallory := c
		mallory.signer = didSigner(t, c.signer.Alg)
		forged := mallory.signed(t, func(p object) { p["verificationMethod"] = c.signer.KID })
		refused(t, encode(t, forged), policy, ErrSignature)
		stolen := c.signed(t, nil)
		stolen["proof"].(object)["verificationMethod"] = mallory.signer.KID
		refused(t, encode(t, stolen), policy, ErrSignature)

		for _, as := range cases {
			if as.name == c.name || c.suite == suiteEd2020 || as.suite == suiteEd2020 {
				continue
			}
			d := c.signed(t, nil)
			p := d["proof"].(object)
			p["cryptosuite"] = as.suite.name
			delete(p, "@context")
			if as.suite.jcs {
				p["@context"] = d["@context"]
			}
			want := ErrSignature
			switch {
			case as.suite == c.suite: // the same suite on another curve
				continue
			case as.suite.ecdsa != c.suite.ecdsa:
				want = ErrProofKey
			}
			refused(t, encode(t, d), policy, want)
		}
		for _, name := range []string{"", "eddsa-2022", "ecdsa-2019", "EDDSA-RDFC-2022", "bbs-2023", "none", " eddsa-rdfc-2022"} {
			if c.suite == suiteEd2020 {
				break
			}
			d := c.signed(t, nil)
			d["proof"].(object)["cryptosuite"] = name
			want := ErrProofSuite
			if name == "" {
				want = ErrProofPartial
			}
			refused(t, encode(t, d), policy, want)
		}
	}
}

// TestCurves: a signature of one curve is none of the other.
func TestCurves(t *testing.T) {
	p256, p384 := didSigner(t, keys.ES256), didSigner(t, keys.ES384)
	for _, s := range []*cryptosuite{suiteECDSARDFC, suiteECDSAJCS} {
		for _, k := range [][2]keys.Signer{{p256, p384}, {p384, p256}} {
			doc := suiteCase{suite: s, signer: k[0]}.signed(t, nil)
			policy := testPolicy
			policy.Keys = finder(k[1].Public(), nil)
			refused(t, encode(t, doc), policy, ErrProofValue)
		}
	}
	p521, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	policy := testPolicy
	policy.Keys = finder(p521.Public(), nil)
	refused(t, encode(t, suiteCase{suite: suiteECDSARDFC, signer: p256}.signed(t, nil)), policy, ErrProofKey)
	if _, err := AddProof([]byte(plainCredential), ProofOptions{Suite: SuiteECDSARDFC, Purpose: PurposeAssertion, Created: testCreated,
		Signer: keys.Signer{KID: "did:example:x#y", Alg: keys.ES512, Signer: p521}}); !errors.Is(err, ErrProofKey) {
		t.Errorf("signing with P-521: %v", err)
	}
}

// TestSignatureTwin: for r‖s, (r, n-s) verifies as well. The specification
// does not ask for the smaller s and its own vectors have larger ones, so both
// are taken: nothing is ever looked up by its proofValue. What lies outside of
// the group is refused, as is the second spelling of an Ed25519 signature.
func TestSignatureTwin(t *testing.T) {
	c := suiteCase{suite: suiteECDSARDFC, signer: didSigner(t, keys.ES256)}
	n := elliptic.P256().Params().N
	part := func(d object, i int) *big.Int { return new(big.Int).SetBytes(sigBytes(t, d)[32*i : 32*i+32]) }
	with := func(r, s *big.Int) []byte {
		d := c.signed(t, nil)
		sig := make([]byte, 64)
		r.FillBytes(sig[:32])
		s.FillBytes(sig[32:])
		setSig(d, sig)
		return encode(t, d)
	}
	d := c.signed(t, nil)
	r, s := part(d, 0), part(d, 1)
	for _, twin := range []*big.Int{s, new(big.Int).Sub(n, s)} {
		if _, _, err := VerifyProofs(with(r, twin), testPolicy); err != nil {
			t.Errorf("(r, ±s): %v", err)
		}
	}
	zero := new(big.Int)
	for _, bad := range [][2]*big.Int{{zero, s}, {r, zero}, {r, n}, {n, s}, {zero, zero}} {
		refused(t, with(bad[0], bad[1]), testPolicy, ErrSignature)
	}
	if sum := new(big.Int).Add(r, n); sum.BitLen() <= 256 {
		refused(t, with(sum, s), testPolicy, ErrSignature)
	}

	e := suiteCase{suite: suiteEdDSARDFC, signer: didSigner(t, keys.EdDSA)}
	d = e.signed(t, nil)
	sig := sigBytes(t, d)
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	slices.Reverse(sig[32:])
	above := new(big.Int).Add(new(big.Int).SetBytes(sig[32:]), order)
	above.FillBytes(sig[32:])
	slices.Reverse(sig[32:])
	setSig(d, sig)
	refused(t, encode(t, d), testPolicy, ErrSignature)
}

// TestSignedUndefined: a signer that drops what has no meaning, as JSON-LD
// does, may well have signed such a document. It is refused.
func TestSignedUndefined(t *testing.T) {
	for _, s := range []*cryptosuite{suiteEdDSAJCS, suiteECDSAJCS} {
		alg := keys.EdDSA
		if s.ecdsa {
			alg = keys.ES384
		}
		c := suiteCase{suite: s, signer: didSigner(t, alg)}
		for _, r := range []struct {
			change func(d, p object)
			want   error
		}{
			{func(d, p object) { d["credentialSubject"].(object)["undefinedTerm"] = "x" }, rdf.ErrUndefined},
			{func(d, p object) { d["type"] = append(d["type"].([]any), "UndefinedType") }, rdf.ErrIRI},
			{func(d, p object) { p["undefinedTerm"] = "x" }, rdf.ErrUndefined},
		} {
			d := c.unsigned(t)
			p := c.proof(d)
			r.change(d, p)
			d["proof"] = c.sign(t, d, p)
			refused(t, encode(t, d), testPolicy, r.want)
		}
	}
}

// TestSecuredText has texts that are no JSON object that all readers see
// alike.
func TestSecuredText(t *testing.T) {
	c := suiteCase{suite: suiteEdDSARDFC, signer: didSigner(t, keys.EdDSA)}
	good := string(encode(t, c.signed(t, nil)))
	proof := string(encode(t, c.signed(t, nil)["proof"]))
	for _, r := range []struct {
		text string
		want error
	}{
		{"", ErrJSON}, {" ", ErrJSON}, {"null", ErrJSON}, {`"text"`, ErrJSON}, {"[]", ErrJSON}, {"1", ErrJSON},
		{"[" + good + "]", ErrJSON},
		{"{}", ErrProofContext},
		{good[:len(good)-1], ErrJSON}, {good + "}", ErrJSON}, {good + good, ErrJSON}, {"\ufeff" + good, ErrJSON},
		{strings.Replace(good, "Anna", "\xff", 1), ErrJSON},
		{strings.Replace(good, "Anna", `\ud800`, 1), ErrJSON},
		{strings.Replace(good, `"proof":`, `"proof":`+proof+`,"proof":`, 1), ErrJSONTwice},
		{strings.Replace(good, `"proof":`, `"Proof":`+proof+`,"proof":`, 1), ErrJSONTwice},
		{strings.Replace(good, `"proof":`, `"\u0070roof":`+proof+`,"proof":`, 1), ErrJSONTwice},
		{strings.Replace(good, `"proofValue":`, `"proofValue":"z1","proofValue":`, 1), ErrJSONTwice},
		{strings.Replace(good, `"member":"Anna"`, `"member":"Bo","member":"Anna"`, 1), ErrJSONTwice},
		{strings.Replace(good, `"member":"Anna"`, `"Member":"Bo","member":"Anna"`, 1), ErrJSONTwice},
		{strings.Replace(good, `"Anna"`, strings.Repeat("[", 40)+strings.Repeat("]", 40), 1), ErrJSONDeep},
		{strings.Replace(good, "Anna", strings.Repeat("a", maxSecured), 1), ErrSecuredLarge},
	} {
		refused(t, []byte(r.text), testPolicy, r.want)
	}
	// Escapes in names and space around values change nothing.
	for _, same := range []string{
		strings.Replace(good, `"proof":`, ` "\u0070\u0072oof" : `, 1),
		strings.Replace(good, `"@context":`, `"\u0040context" :`, 1),
		strings.Replace(good, `"proofValue":`, "\"proof\\u0056alue\"\n:\t", 1),
		" \n" + good + "\n",
	} {
		unsecured, _, err := VerifyProofs([]byte(same), testPolicy)
		if err != nil || !sameJSON(t, unsecured, encode(t, c.unsigned(t))) {
			t.Errorf("%s: %s, %v", same, unsecured, err)
		}
	}
}

// TestEd2020 is only for those who ask for it, and only as itself.
func TestEd2020(t *testing.T) {
	c := suiteCase{suite: suiteEd2020, signer: didSigner(t, keys.EdDSA)}
	refused(t, encode(t, c.signed(t, nil)), testPolicy, ErrProofType)
	policy := testPolicy
	policy.AllowEd2020 = true
	d := c.signed(t, nil)
	d["proof"].(object)["cryptosuite"] = SuiteEdDSARDFC
	refused(t, encode(t, d), policy, ErrProofShape)
	d = c.signed(t, nil)
	d["proof"].(object)["id"] = "urn:x:1"
	second := maps.Clone(d["proof"].(object))
	second["id"], second["previousProof"] = "urn:x:2", "urn:x:1"
	d["proof"] = []any{d["proof"], second}
	refused(t, encode(t, d), policy, ErrProofShape)
	// Without its context, the type has no meaning.
	d = c.signed(t, nil)
	d["@context"] = d["@context"].([]any)[:2]
	refused(t, encode(t, d), policy, rdf.ErrUndefined)
	if _, err := AddProof([]byte(plainCredential), ProofOptions{Suite: TypeEd2020, Signer: c.signer, Purpose: PurposeAssertion, Created: testCreated}); !errors.Is(err, ErrProofSuite) {
		t.Errorf("it is made: %v", err)
	}
}
