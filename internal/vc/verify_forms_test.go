package vc

import (
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/rdf"
)

// proofOnly is the policy of conformance instances.
func proofOnly() Policy { return Policy{Keys: KeysFromDID, Now: mxNow, ProofOnly: true} }

func mxFormatNamed(t testing.TB, name string) *mxFormat {
	t.Helper()
	for _, f := range mxFormats() {
		if f.name == name {
			return f
		}
	}
	t.Fatal(name)
	return nil
}

// mxVP secures a presentation with eddsa-rdfc-2022 or as vp+jwt.
func mxVP(t testing.TB, s keys.Signer, doc string) []byte {
	t.Helper()
	out, err := AddProof([]byte(doc), ProofOptions{Suite: SuiteEdDSARDFC, Signer: s, Purpose: PurposeAuthentication,
		Created: mxNow.Add(-time.Minute), Challenge: mxChallenge, Domain: mxDomain})
	if err != nil {
		t.Fatalf("%v\n%s", err, doc)
	}
	return out
}

func mxPresentation(holder string, credentials ...string) string {
	h := ""
	if holder != "" {
		h = `"holder":` + holder + `,`
	}
	return `{"@context":["` + ContextV2 + `"],"type":["VerifiablePresentation"],` + h + `"verifiableCredential":[` + strings.Join(credentials, ",") + `]}`
}

// The forms of a presentation that conformance.md names: none, one and several
// credentials of any format; holder absent, string or object.
func TestPresentationForms(t *testing.T) {
	di := newMxWorld(t, mxFormatNamed(t, "eddsa-rdfc-2022"))
	jwt := newMxWorld(t, mxFormatNamed(t, "vc+jwt EdDSA"))
	holder := mxSigner(t, keys.EdDSA, "holder")
	id := did.Base(holder.KID)
	p := jwt.policy() // both issuers are one: same key
	p.Domain, p.Challenge = mxDomain, mxChallenge
	envelope := mxEnvelope(TypCredential, jwt.good)
	var good []byte
	for _, c := range []struct {
		name, holder string
		credentials  []string
	}{
		{"nothing", "", nil},
		{"holder alone", `"` + id + `"`, nil},
		{"one", `"` + id + `"`, []string{string(di.good)}},
		{"holder object", `{"id":"` + id + `"}`, []string{string(di.good)}},
		{"no holder", "", []string{string(di.good)}},
		{"several of several formats", `"` + id + `"`, []string{string(di.good), envelope, string(di.signed(mxReplace(t, di.doc, "-4d63-", "-4d65-")))}},
	} {
		vp := mxVP(t, holder, mxPresentation(c.holder, c.credentials...))
		v, err := VerifyPresentation(vp, p)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if len(v.Credentials) != len(c.credentials) || c.holder != "" && v.Holder != id || v.Proofs[0].Controller != id || v.Proofs[0].Purpose != PurposeAuthentication {
			t.Errorf("%s: %+v", c.name, v)
		}
		good = vp
	}
	compact, err := SignJOSE(holder, TypPresentation, "vp", []byte(mxEnveloped(TypCredential, jwt.good, mxSign{signer: holder})))
	if err != nil {
		t.Fatal(err)
	}
	quoted, _ := json.Marshal(compact)
	wrapped := `{"@context":"` + ContextV2 + `","type":"EnvelopedVerifiablePresentation","id":"data:application/vp+jwt,` + compact + `"}`
	for name, in := range map[string]string{"compact": compact, "as a string": string(quoted), "enveloped": wrapped} {
		if v, err := VerifyPresentation([]byte(in), p); err != nil || v.Holder != id || len(v.Credentials) != 1 {
			t.Errorf("%s: %v %+v", name, err, v)
		}
	}

	empty := mxPresentation(`"` + id + `"`)
	many := strings.Repeat(envelope+",", maxContained) + envelope
	expired := mxReplace(t, mxReplace(t, mxReplace(t, di.doc, "Kavya", "Maya"), "-4d63-", "-4d65-"), "2027-11-20", "2026-11-21")
	refused := []struct {
		name, code string
		in         []byte
		change     func(*Policy)
	}{
		{"nothing", "input-missing", nil, nil},
		{"space", "input-missing", []byte(" \n"), nil},
		{"null", "input-missing", []byte("null"), nil},
		{"a number", "jws-malformed", []byte("7"), nil},
		{"an array", "jws-malformed", []byte("[]"), nil},
		{"an empty string", "input-missing", []byte(`""`), nil},
		{"a string in a string", "input-format", []byte(`"\"x\""`), nil},
		{"no proof", "proof-missing", []byte(empty), nil},
		{"nonconforming", "proof-context", []byte(`{"type":["NonconformingDocument"]}`), nil},
		{"nonconforming with context", "proof-missing", []byte(`{"@context":["https://www.w3.org/ns/credentials/v2"],"type":["NonconformingDocument"]}`), nil},
		{"a credential", "proof-purpose", di.good, nil},
		{"holder is another", "holder-key-mismatch", mxVP(t, holder, mxPresentation(`"did:example:acme"`, string(di.good))), nil},
		{"holder object is another", "holder-key-mismatch", mxVP(t, holder, mxPresentation(`{"id":"`+did.Base(di.issuer.KID)+`"}`)), nil},
		{"holder not a URL", "jsonld-iri", []byte(mxReplace(t, string(good), `"holder":"`+id, `"holder":"z6`)), nil},
		{"holder changed", "signature-invalid", []byte(mxReplace(t, string(good), `"holder":"`+id, `"holder":"did:example:acme`)), nil},
		{"context dropped", "proof-context", []byte(strings.Replace(string(good), `"@context"`, `"context"`, 1)), nil},
		{"type dropped", "jsonld-undefined", []byte(strings.Replace(string(good), `"type":["VerifiablePresentation"]`, `"typ":["VerifiablePresentation"]`, 1)), nil},
		{"unknown context", "jsonld-context", []byte(strings.Replace(string(good), `["`+ContextV2+`"]`, `["`+ContextV2+`","https://example.com"]`, 1)), nil},
		{"context not a URL", "jsonld-context", []byte(strings.Replace(string(good), `["`+ContextV2+`"]`, `["`+ContextV2+`","https ://not-a-url/contexts/example/v1"]`, 1)), nil},
		{"context number", "jsonld-context", []byte(strings.Replace(string(good), `["`+ContextV2+`"]`, `["`+ContextV2+`",123192875]`, 1)), nil},
		{"proof value of something else", "proof-value", []byte(string(good[:strings.LastIndex(string(good), `"proofValue":"`)]) + `"proofValue":"z5nmMBw2u9TGKd9NxxHJtyZKgjN2Eh"}}`), nil},
		{"a credential without proof", "proof-missing", mxVP(t, holder, mxPresentation(`"`+id+`"`, di.doc)), nil},
		{"a changed credential", "signature-invalid", mxVP(t, holder, mxPresentation(`"`+id+`"`, mxReplace(t, string(di.good), "Gurung", "Gurunh"))), nil},
		{"an expired credential among good ones", "credential-expired", mxVP(t, holder, mxPresentation(`"`+id+`"`, string(di.good), string(di.signed(expired)))), nil},
		{"too many credentials", "model-contained", mxVP(t, holder, mxPresentation(`"`+id+`"`, many)), nil},
		{"an enveloped credential of a stranger", "test-untrusted", mxVP(t, holder, mxPresentation(`"`+id+`"`, mxEnvelope(TypCredential, jwt.sign(t, jwt.mxFormat, mxDoc(jwt.stranger), mxSign{signer: jwt.stranger})))), nil},
		{"a legacy credential", "format-not-accepted", mxVP(t, holder, mxPresentation(`"`+id+`"`, mxEnvelope("jwt", jwt.good))), nil},
		{"no challenge asked", "verify-policy", good, func(p *Policy) { p.Challenge = "" }},
		{"no domain asked", "verify-policy", good, func(p *Policy) { p.Domain = "" }},
		{"another challenge", "proof-challenge", good, func(p *Policy) { p.Challenge = "other" }},
		{"another domain", "proof-domain", good, func(p *Policy) { p.Domain = "other" }},
		{"another purpose", "proof-purpose", good, func(p *Policy) { p.Purpose = PurposeAssertion }},
		{"another suite", "format-not-accepted", good, func(p *Policy) { p.Suites = []string{SuiteEdDSAJCS} }},
		{"too large", "input-too-large", good, func(p *Policy) { p.MaxBytes = len(good) - 1 }},
		{"before it was made", "proof-not-yet", good, func(p *Policy) { p.Now = mxNow.Add(-time.Hour) }},
		{"vp+jwt later", "presentation-time", []byte(compact), func(p *Policy) { p.Now = mxNow.Add(331 * time.Second) }},
		{"vp+jwt before", "presentation-time", []byte(compact), func(p *Policy) { p.Now = mxNow.Add(-time.Minute) }},
		{"vp+jwt not accepted", "format-not-accepted", []byte(compact), func(p *Policy) { p.Suites = []string{TypCredential} }},
		{"envelope of a credential", "model-envelope", []byte(envelope), nil},
		{"envelope with another context", "model-envelope", []byte(mxReplace(t, wrapped, ContextV2, "https://www.w3.org/ns/credentials/examples/v2")), nil},
		{"envelope with an empty context", "model-envelope", []byte(mxReplace(t, wrapped, `"`+ContextV2+`"`, `[]`)), nil},
		{"envelope without data URL", "model-envelope", []byte(mxReplace(t, wrapped, "data:application/vp+jwt,", "")), nil},
		{"envelope that says it is none", "proof-missing", []byte(mxReplace(t, wrapped, `"EnvelopedVerifiablePresentation"`, `["VerifiablePresentation"]`)), nil},
		{"envelope with another media type", "format-not-accepted", []byte(mxReplace(t, wrapped, "vp+jwt,", "vc+jwt,")), nil},
		{"plain JWT", "jws-type", mxHeader(t, []byte(compact), TypPresentation, "JWT"), nil},
	}
	for _, c := range refused {
		q := p
		if c.change != nil {
			c.change(&q)
		}
		v, err := VerifyPresentation(c.in, q)
		if err == nil || v != nil {
			t.Errorf("%s: accepted: %+v", c.name, v)
		} else if code := fault.As(err).Code; code != c.code {
			t.Errorf("%s: %s, want %s", c.name, code, c.code)
		}
	}
	t.Logf("%d presentations refused", len(refused))
}

// Policy.Suites holds for the credentials in a presentation as for its own
// signature, in every format.
func TestSuitesLimitWhatIsPresented(t *testing.T) {
	holder := mxSigner(t, keys.EdDSA, "holder")
	accepted, refused := 0, 0
	for _, c := range []struct{ name, format, media string }{
		{"eddsa-rdfc-2022", SuiteEdDSARDFC, ""},
		{"eddsa-jcs-2022", SuiteEdDSAJCS, ""},
		{"ecdsa-rdfc-2019 P-256", SuiteECDSARDFC, ""},
		{"ecdsa-sd-2023 derived", SuiteSD, ""},
		{"vc+jwt EdDSA", TypCredential, TypCredential},
		{"vc+cose EdDSA", typCredentialCOSE, ""}, // made in its envelope
		{"vc+sd-jwt", TypCredentialSD, TypCredentialSD},
		{"dc+sd-jwt", TypSDJWTVC, TypSDJWTVC},
	} {
		w := newMxWorld(t, mxFormatNamed(t, c.name))
		credential := string(w.good)
		if c.media != "" {
			credential = mxEnvelope(c.media, w.good)
		}
		id := did.Base(holder.KID)
		doc := mxPresentation(`"`+id+`"`, credential)
		vps := map[string][]byte{SuiteEdDSARDFC: mxVP(t, holder, doc)}
		if strings.Contains(credential, `"`+TypeEnveloped+`"`) { // a vp+jwt takes no other
			compact, err := SignJOSE(holder, TypPresentation, "vp", []byte(mxReplace(t, doc, `"holder"`, `"aud":"`+mxDomain+`","nonce":"`+mxChallenge+`","holder"`)))
			if err != nil {
				t.Fatal(err)
			}
			vps[TypPresentation] = []byte(compact)
		}
		for outer, vp := range vps {
			p := w.policy()
			p.Domain, p.Challenge = mxDomain, mxChallenge
			p.Suites = []string{outer, c.format}
			if v, err := VerifyPresentation(vp, p); err != nil || len(v.Credentials) != 1 {
				t.Errorf("%s in %s, both accepted: %v", c.name, outer, err)
			}
			accepted++
			others := [][]string{{outer, "another"}, {c.format, "another"}, {}}
			if c.format == outer {
				others = [][]string{{"another"}, {}}
			} else {
				others = append(others, []string{outer})
			}
			for _, p.Suites = range others {
				if v, err := VerifyPresentation(vp, p); !errors.Is(err, ErrFormat) || v != nil {
					t.Errorf("%s in %s, %q accepted: %v", c.name, outer, p.Suites, err)
				}
				refused++
			}
		}
	}
	if accepted != 12 || refused != 46 {
		t.Errorf("%d accepted, %d refused", accepted, refused)
	}
}

// What a verifier of credentials is asked in the VC API suite: members of the
// wrong kind, missing members, in the document and in its proof.
func TestCredentialForms(t *testing.T) {
	w := newMxWorld(t, mxFormatNamed(t, "eddsa-rdfc-2022"))
	p := proofOnly()
	p.RequireCreated = true
	if v, err := VerifyCredential(w.good, p); err != nil || v.Format != FormatDataIntegrity {
		t.Fatal(err)
	}
	n := 0
	for _, member := range []string{"@context", "type", "issuer", "credentialSubject", "proof", "validFrom", "id", "credentialStatus", "credentialSchema"} {
		var kinds []string
		switch member {
		case "@context", "type":
			kinds = []string{"", `"string"`, `{}`, `null`, `10`, `true`, `[[]]`, `[{}]`, `[null]`, `[10]`, `[true]`}
		case "issuer":
			kinds = []string{"", `[]`, `null`, `10`, `true`}
		case "proof":
			kinds = []string{"", `"string"`, `null`, `10`, `true`, `[]`, `[[]]`, `{}`}
		default:
			kinds = []string{`"string"`, `null`, `10`, `true`, `[]`}
		}
		for _, k := range kinds {
			doc := edited(t, string(w.good), edit{member, k})
			if v, err := VerifyCredential(doc, p); err == nil || v != nil {
				t.Errorf("%s = %s: accepted", member, k)
			}
			n++
		}
	}
	for _, member := range []string{"type", "cryptosuite", "created", "verificationMethod", "proofPurpose", "proofValue"} {
		for _, k := range []string{"", `null`, `10`, `{}`, `""`, `"x"`, `[]`, `["x"]`} {
			doc := edited(t, string(w.good), edit{"proof/" + member, k})
			if v, err := VerifyCredential(doc, p); err == nil || v != nil {
				t.Errorf("proof.%s = %s: accepted", member, k)
			}
			n++
		}
	}
	t.Logf("%d credentials refused", n)
	var proof map[string]any
	if err := json.Unmarshal(memberOf(w.good, "proof"), &proof); err != nil {
		t.Fatal(err)
	}
	value := proof["proofValue"].(string)
	for name, v := range map[string]string{"without its header": value[1:], "in another base": "u" + value[1:], "longer": value + "1", "twice": value + value} {
		doc := edited(t, string(w.good), set("proof/proofValue", `"`+v+`"`))
		if v, err := VerifyCredential(doc, p); err == nil || v != nil {
			t.Errorf("proofValue %s: accepted", name)
		}
	}
}

// The Data Model 1.1 is accepted where it is asked for.
func TestVersion1Credential(t *testing.T) {
	s := mxSigner(t, keys.EdDSA, "issuer")
	doc := strings.Replace(modelV1, "did:example:issuer", did.Base(s.KID), 1)
	in, err := AddProof([]byte(doc), ProofOptions{Suite: SuiteEdDSARDFC, Signer: s, Purpose: PurposeAssertion, Created: mxNow.Add(-time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	p := Policy{Keys: KeysFromDID, Now: mxNow, Trusts: func(*Verified) error { return nil }}
	if _, err := VerifyCredential(in, p); !errors.Is(err, ErrContextFirst) {
		t.Error("accepted unasked:", err)
	}
	p.Version1 = true
	v, err := VerifyCredential(in, p)
	if err != nil || !v.Version1 || v.From.Year() != 2020 || !v.Until.IsZero() {
		t.Errorf("%v %+v", err, v)
	}
	ended, err := AddProof([]byte(mxReplace(t, doc, `"type"`, `"expirationDate":"2026-11-21T12:00:00Z","type"`)), ProofOptions{Suite: SuiteEdDSARDFC, Signer: s, Purpose: PurposeAssertion, Created: mxNow.Add(-time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := VerifyCredential(ended, p); !errors.Is(err, ErrExpired) {
		t.Error("expired:", err)
	}
}

// What ProofOnly leaves out, and what not.
func TestProofOnly(t *testing.T) {
	for _, f := range mxFormats() {
		w := newMxWorld(t, f)
		p := proofOnly()
		p.Ed2020 = true
		foreign := w.sign(t, f, w.doc, mxSign{signer: w.stranger}) // the issuer's name, a stranger's key
		v, err := VerifyCredential(foreign, p)
		if f.family == "dcsd" {
			if !errors.Is(err, ErrVctIssuer) { // the profile itself asks for it
				t.Errorf("%s: %v", f.name, err)
			}
		} else if err != nil || v.Proofs[0].Method != w.stranger.KID {
			t.Errorf("%s: %v", f.name, err)
		}
		p.Status = func(*Verified) error { return errMxRevoked }
		if _, err := VerifyCredential(w.good, p); !errors.Is(err, errMxRevoked) {
			t.Errorf("%s: status: %v", f.name, err)
		}
		p.Status = nil
		p.Trusts = func(*Verified) error { return errMxTrust }
		if _, err := VerifyCredential(w.good, p); !errors.Is(err, errMxTrust) {
			t.Errorf("%s: trust: %v", f.name, err)
		}
		p.Trusts = nil
		p.Now = mxNow.AddDate(2, 0, 0)
		if _, err := VerifyCredential(w.good, p); err != nil && !errors.Is(err, ErrVctExpired) {
			t.Errorf("%s: expired: %v", f.name, err)
		}
		p.Now = mxNow
		broken := f.signature(t, w.good, func(sig []byte) []byte { sig = append([]byte(nil), sig...); sig[len(sig)-1] ^= 1; return sig })
		if v, err := VerifyCredential(broken, p); err == nil || v != nil {
			t.Errorf("%s: a broken signature passes with ProofOnly", f.name)
		}
	}
}

// Policies that lack something refuse everything.
func TestPolicyMustBeComplete(t *testing.T) {
	w := newMxWorld(t, mxFormatNamed(t, "vc+jwt EdDSA"))
	full := w.policy()
	full.Domain, full.Challenge = mxDomain, mxChallenge
	vp := w.present(t, w.mxFormat, w.good, mxSign{signer: w.issuer})
	for name, change := range map[string]func(*Policy){
		"zero": func(p *Policy) { *p = Policy{} }, "no keys": func(p *Policy) { p.Keys = nil }, "no time": func(p *Policy) { p.Now = time.Time{} },
		"no trust": func(p *Policy) { p.Trusts = nil },
	} {
		p := full
		change(&p)
		if v, err := VerifyCredential(w.good, p); !errors.Is(err, ErrPolicy) || v != nil {
			t.Errorf("%s: %v", name, err)
		}
		if v, err := VerifyPresentation(vp, p); !errors.Is(err, ErrPolicy) || v != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, find := range map[string]KeyFinder{
		"no key":        func(string) (crypto.PublicKey, string, error) { return nil, "did:example:x", nil },
		"no controller": func(m string) (crypto.PublicKey, string, error) { k, _, err := KeysFromDID(m); return k, "", err },
	} {
		for _, f := range mxFormats() {
			w := newMxWorld(t, f)
			p := w.policy()
			p.Keys = find
			if v, err := VerifyCredential(w.good, p); err == nil || v != nil {
				t.Errorf("%s, %s: accepted", f.name, name)
			}
			p.ProofOnly = true
			if v, err := VerifyCredential(w.good, p); err == nil || v != nil {
				t.Errorf("%s, %s, proof only: accepted", f.name, name)
			}
		}
	}
}

// A credential that was asked for by challenge must answer it, whatever its
// format.
func TestCredentialAnswersTheChallenge(t *testing.T) {
	for _, f := range mxFormats() {
		w := newMxWorld(t, f)
		p := w.policy()
		p.Challenge, p.Domain = mxChallenge, mxDomain
		if v, err := VerifyCredential(w.good, p); err == nil || v != nil {
			t.Errorf("%s: a credential that answers nothing was accepted", f.name)
		}
		p.Domain = ""
		if v, err := VerifyCredential(w.good, p); err == nil || v != nil {
			t.Errorf("%s: a credential that answers nothing was accepted", f.name)
		}
	}
	w := newMxWorld(t, mxFormatNamed(t, "vc+jwt ES256"))
	p := w.policy()
	p.Challenge, p.Domain = mxChallenge, mxDomain
	in := w.signed(strings.Replace(w.doc, "{", fmt.Sprintf(`{"nonce":%q,"aud":["x",%q],`, mxChallenge, mxDomain), 1))
	if _, err := VerifyCredential(in, p); err != nil {
		t.Error(err)
	}
}

// What a holder could keep back must not be what decides: in a vc+sd-jwt
// nothing of the envelope, and nothing at the top, where nobody could tell a
// hidden end from none.
func TestNothingThatDecidesIsHidden(t *testing.T) {
	w := newMxWorld(t, mxFormatNamed(t, "vc+sd-jwt"))
	guardianship := strings.Replace(credential(TypeGuardianship, SchemaGuardianship, `{"id":"did:example:guardian","guardian":{"kind":"naturalPerson","names":[{"kind":"legal","script":"Latn","full":"Asha"}]},"ward":{"childRef":"jWoSldc3ms1i4ycXe2mjtQ"},"role":"mother",
  "legalBasis":{"type":"parentalResponsibilityByBirth","law":"NPL"},"powers":["travelAccompany"],"exercise":{"mode":"sole"},"constraints":{"noRemoval":true},
  "effective":{"from":"2013-04-11"},"termination":{"majorityAge":18,"majorityLaw":"NPL"}}`), "did:web:registry.npl.example", did.Base(w.issuer.KID), 1)
	for _, c := range []struct {
		name, doc, hide string
		want            error
	}{
		{"a name", w.doc, "/credentialSubject/names/0", nil},
		{"the sex", w.doc, "/credentialSubject/sex", nil},
		{"the guardian's names", guardianship, "/credentialSubject/guardian/names", nil},
		{"the status", w.doc, "/credentialStatus", ErrNotDisclosable},
		{"one status", w.doc, "/credentialStatus/0", ErrNotDisclosable},
		{"a part of a status", w.doc, "/credentialStatus/0/statusListIndex", ErrNotDisclosable},
		{"the end", w.doc, "/validUntil", ErrNotDisclosable},
		{"the beginning", w.doc, "/validFrom", ErrNotDisclosable},
		{"the issuer", w.doc, "/issuer", ErrNotDisclosable},
		{"a type", w.doc, "/type/1", ErrNotDisclosable},
		{"the schema", w.doc, "/credentialSchema", ErrNotDisclosable},
		{"all of the subject", w.doc, "/credentialSubject", ErrNotDisclosable},
		{"the kind of record", w.doc, "/credentialSubject/circumstance", nil},
		{"the constraints", guardianship, "/credentialSubject/constraints", ErrNotDisclosable},
		{"one constraint", guardianship, "/credentialSubject/constraints/noRemoval", ErrNotDisclosable},
		{"the powers", guardianship, "/credentialSubject/powers", ErrNotDisclosable},
		{"one power", guardianship, "/credentialSubject/powers/0", ErrNotDisclosable},
	} {
		payload, disclosures, err := MakeSDJWT([]byte(c.doc), []string{c.hide}, SDOptions{})
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		for _, shown := range []bool{true, false} {
			if !shown {
				disclosures = nil
			}
			in, err := SignSDJWT(w.issuer, TypCredentialSD, "vc", payload, disclosures)
			if err != nil {
				t.Fatal(err)
			}
			v, err := VerifyCredential([]byte(in), w.policy())
			hidden := c.want != nil && !shown && errors.Is(err, ErrHidden) // it is missing, and that is seen first
			if !errors.Is(err, c.want) && !hidden || (err == nil) != (c.want == nil) || (v == nil) != (err != nil) {
				t.Errorf("%s, shown %v: %v", c.name, shown, err)
			}
		}
	}
}

// ---- the JWT form of the Data Model 1.1

func mxLegacy(t testing.TB, s keys.Signer, typ, payload string) string {
	t.Helper()
	out, err := SignJOSE(s, "JWT", "", []byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	if typ == "JWT" {
		return out
	}
	// SignJOSE wants a typ; sign without one by hand.
	head := `{"alg":"` + s.Alg + `","kid":"` + s.KID + `"` + typ + `}`
	input := b64.EncodeToString([]byte(head)) + "." + b64.EncodeToString([]byte(payload))
	size := 64
	sig, err := signRaw(s, crypto.SHA256, size, []byte(input))
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + b64.EncodeToString(sig)
}

func TestLegacyJWTPresentation(t *testing.T) {
	holder, issuer := mxSigner(t, keys.EdDSA, "holder"), mxSigner(t, keys.ES256, "issuer")
	h, i := did.Base(holder.KID), did.Base(issuer.KID)
	inner := fmt.Sprintf(`{"iss":%q,"sub":"did:example:alice","vc":{"@context":["%s"],"type":["VerifiableCredential"],"credentialSubject":{"id":"did:example:alice","name":"Alice"},"issuer":%q}}`, i, ContextV2, i)
	outer := func(credential, more string) string {
		return fmt.Sprintf(`{"iss":%q,"aud":"example.com","nonce":"123456789"%s,"vp":{"@context":["%s"],"type":["VerifiablePresentation"],"holder":%q,"verifiableCredential":[%s]}}`,
			h, more, ContextV2, h, mxEnvelope("jwt", []byte(credential)))
	}
	wrap := func(compact string) []byte {
		return []byte(`{"@context":"` + ContextV2 + `","type":"EnvelopedVerifiablePresentation","id":"data:application/jwt,` + compact + `"}`)
	}
	bare := mxLegacy(t, issuer, "", inner) // no typ, as the suite has it
	good := mxLegacy(t, holder, "JWT", outer(bare, ""))
	only := proofOnly()
	only.LegacyJWT, only.Challenge, only.Domain = true, "123456789", "example.com"
	if v, err := VerifyPresentation(wrap(good), only); err != nil || v.Holder != h {
		t.Error("proof only:", err)
	}
	p := only
	p.ProofOnly, p.Trusts = false, func(v *Verified) error {
		if v.Issuer != i {
			return errMxTrust
		}
		return nil
	}
	for name, in := range map[string][]byte{"enveloped": wrap(good), "compact": []byte(good), "inner typ JWT": wrap(mxLegacy(t, holder, "JWT", outer(mxLegacy(t, issuer, "JWT", inner), "")))} {
		before := signaturesHeld.Load()
		v, err := VerifyPresentation(in, p)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if v.Holder != h || len(v.Credentials) != 1 || v.Credentials[0].Issuer != i || v.Format != "jwt" || signaturesHeld.Load()-before < 2 {
			t.Errorf("%s: %+v", name, v)
		}
		if strings.Contains(string(v.Document), "nonce") || !json.Valid(v.Document) {
			t.Errorf("%s: %s", name, v.Document)
		}
	}
	stranger := mxSigner(t, keys.EdDSA, "stranger")
	p384 := mxSigner(t, keys.ES384, "issuer")
	for _, c := range []struct {
		name, code string
		in         string
		change     func(*Policy)
	}{
		{"not asked for", "jws-type", good, func(p *Policy) { p.LegacyJWT = false }},
		{"another challenge", "presentation-nonce", good, func(p *Policy) { p.Challenge = "1" }},
		{"another audience", "presentation-audience", good, func(p *Policy) { p.Domain = "other.example" }},
		{"another signer", "signature-invalid", mxLegacy(t, mxForged(stranger, holder), "JWT", outer(bare, "")), nil},
		{"a stranger for the holder", "holder-key-mismatch", mxLegacy(t, stranger, "JWT", outer(bare, "")), nil},
		{"changed", "signature-invalid", string(mxEditJOSE(t, []byte(good), func(s string) string { return mxReplace(t, s, "123456789", "123456780") })), nil},
		{"credential changed", "signature-invalid", mxLegacy(t, holder, "JWT", outer(string(mxEditJOSE(t, []byte(bare), func(s string) string { return mxReplace(t, s, "Alice", "Alicf") })), "")), nil},
		{"credential by another", "signature-invalid", mxLegacy(t, holder, "JWT", outer(mxLegacy(t, mxForged(mxSigner(t, keys.ES256, "stranger"), issuer), "JWT", inner), "")), nil},
		{"credential says another issuer", "model-claims", mxLegacy(t, holder, "JWT", outer(mxLegacy(t, issuer, "JWT", mxReplace(t, inner, `"iss":"`+i, `"iss":"did:example:other`)), "")), nil},
		{"credential without vc", "model-claims", mxLegacy(t, holder, "JWT", outer(mxLegacy(t, issuer, "JWT", `{"iss":"`+i+`"}`), "")), nil},
		{"credential expired", "credential-expired", mxLegacy(t, holder, "JWT", outer(mxLegacy(t, issuer, "JWT", mxReplace(t, inner, `"sub"`, `"exp":1700000000,"sub"`)), "")), nil},
		{"credential later", "credential-not-yet-valid", mxLegacy(t, holder, "JWT", outer(mxLegacy(t, issuer, "JWT", mxReplace(t, inner, `"sub"`, `"nbf":1900000000,"sub"`)), "")), nil},
		{"credential with an undefined term", "jsonld-undefined", mxLegacy(t, holder, "JWT", outer(mxLegacy(t, issuer, "JWT", mxReplace(t, inner, `"name"`, `"undefinedTerm":1,"name"`)), "")), nil},
		{"credential of another typ", "jws-type", mxLegacy(t, holder, "JWT", outer(mxLegacy(t, issuer, `,"typ":"at+jwt"`, inner), "")), nil},
		{"credential with ES384", "jws-algorithm", mxLegacy(t, holder, "JWT", outer(mxSignedJWT(t, p384, inner), "")), nil},
		{"alg none", "jws-algorithm", string(mxHeader(t, []byte(good), "EdDSA", "none")), nil},
		{"no vp", "model-claims", mxLegacy(t, holder, "JWT", `{"iss":"`+h+`","aud":"example.com","nonce":"123456789"}`), nil},
		{"expired", "presentation-time", mxLegacy(t, holder, "JWT", outer(bare, `,"exp":1700000000`)), nil},
		{"later", "presentation-time", mxLegacy(t, holder, "JWT", outer(bare, `,"nbf":1900000000`)), nil},
		{"iss is another", "holder-key-mismatch", mxLegacy(t, holder, "JWT", mxReplace(t, outer(bare, ""), `"iss":"`+h, `"iss":"did:example:other`)), nil},
		{"an array", "model-not-object", mxLegacy(t, holder, "JWT", `[]`), nil},
		{"a duplicate member", "json-duplicate-member", mxLegacy(t, holder, "JWT", mxReplace(t, outer(bare, ""), `"aud"`, `"iss":"x","aud"`)), nil},
	} {
		q := p
		if c.change != nil {
			c.change(&q)
		}
		v, err := VerifyPresentation(wrap(c.in), q)
		if err == nil || v != nil {
			t.Errorf("%s: accepted", c.name)
		} else if code := fault.As(err).Code; code != c.code {
			t.Errorf("%s: %s, want %s", c.name, code, c.code)
		}
	}
	// A credential alone is never taken in this form.
	if _, err := VerifyCredential([]byte(mxLegacy(t, issuer, "JWT", inner)), p); !errors.Is(err, ErrType) {
		t.Error(err)
	}
	if _, err := VerifyCredential([]byte(mxEnvelope("jwt", []byte(bare))), p); !errors.Is(err, ErrFormat) {
		t.Error(err)
	}
}

func mxSignedJWT(t testing.TB, s keys.Signer, payload string) string {
	t.Helper()
	out, err := SignJOSE(s, "JWT", "", []byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Problem types are those of the specifications; every fault has one.
func TestProblemTypes(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{ErrJSON, "https://www.w3.org/TR/vc-data-model#PARSING_ERROR"},
		{ErrModelObject, "https://www.w3.org/TR/vc-data-model#PARSING_ERROR"},
		{ErrInputMissing, "https://www.w3.org/TR/vc-data-model#PARSING_ERROR"},
		{ErrIssuer, "https://www.w3.org/TR/vc-data-model#MALFORMED_VALUE_ERROR"},
		{at(ErrEntryType, "/x"), "https://www.w3.org/TR/vc-data-model#MALFORMED_VALUE_ERROR"},
		{rdf.ErrContext, "https://www.w3.org/TR/vc-data-model#MALFORMED_VALUE_ERROR"},
		{rdf.ErrUndefined, "https://w3id.org/security#DATA_LOSS_DETECTION_ERROR"},
		{rdf.ErrIRI, "https://w3id.org/security#DATA_LOSS_DETECTION_ERROR"},
		{ErrProofOptions, "https://w3id.org/security#PROOF_GENERATION_ERROR"},
		{ErrProofMissing, "https://w3id.org/security#PROOF_VERIFICATION_ERROR"},
		{ErrProofDomain, "https://w3id.org/security#INVALID_DOMAIN_ERROR"},
		{ErrProofChal, "https://w3id.org/security#INVALID_CHALLENGE_ERROR"},
		{ErrSignature, "https://w3id.org/security#PROOF_VERIFICATION_ERROR"},
		{ErrExpired, "https://www.w3.org/TR/vc-data-model#RANGE_ERROR"},
		{ErrUnchecked, "https://www.w3.org/ns/credentials/status-list#STATUS_VERIFICATION_ERROR"},
		{ErrIssuerKey, "https://www.w3.org/TR/vc-data-model#CRYPTOGRAPHIC_SECURITY_ERROR"},
		{ErrPolicy, "about:blank"},
		{errors.New("x"), "about:blank"},
	} {
		if got := ProblemType(c.err); got != c.want {
			t.Errorf("%v: %s, want %s", c.err, got, c.want)
		}
	}
}
