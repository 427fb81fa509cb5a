package vc

import (
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/rdf"
)

// asAlone verifies a presentation and each of its credentials alone, by the same
// policy: one that is presented is accepted if it is accepted alone, and says
// the same. It reports whether the presentation was accepted.
func asAlone(t testing.TB, what string, vp []byte, p Policy, credentials ...string) bool {
	t.Helper()
	got, err := VerifyPresentation(vp, p)
	alone := p
	alone.Challenge, alone.Domain = "", ""
	var wantErr error
	want := make([]*Verified, 0, len(credentials))
	for _, c := range credentials {
		v, err := VerifyCredential([]byte(c), alone)
		if err != nil {
			wantErr = err
			break
		}
		want = append(want, v)
	}
	switch {
	case (err == nil) != (wantErr == nil):
		t.Errorf("%s: presented %v, alone %v", what, err, wantErr)
	case err != nil:
		// The names in a presentation are looked at before its credentials.
		if ProblemType(err) != ProblemType(wantErr) && !errors.Is(err, ErrAlias) {
			t.Errorf("%s: presented %v, alone %v", what, err, wantErr)
		}
	case !reflect.DeepEqual(got.Credentials, want):
		t.Errorf("%s: presented and alone differ:\n%+v\n%+v", what, got.Credentials, want)
	}
	return err == nil
}

// A holder may write anything into a presentation before signing it. Whatever it
// changes of a credential, and however that reads within the whole, the
// credential is taken for what it is alone.
func TestPresentedCredentialsAreThoseSigned(t *testing.T) {
	w := newMxWorld(t, mxFormatNamed(t, "eddsa-rdfc-2022"))
	holder := mxSigner(t, keys.EdDSA, "holder")
	p := w.policy()
	p.Domain, p.Challenge = mxDomain, mxChallenge
	p.Status = func(*Verified) error { return nil }
	first := string(w.signed(mxReplace(t, w.doc, "Kavya", "Maya")))
	good := string(w.good)

	all, accepted := 0, 0
	try := func(what, credential string) {
		for _, list := range [][]string{{credential}, {first, credential, good}} {
			vp, err := AddProof([]byte(mxPresentation("", list...)), ProofOptions{Suite: SuiteEdDSARDFC, Signer: holder, Purpose: PurposeAuthentication,
				Created: mxNow.Add(-time.Minute), Challenge: mxChallenge, Domain: mxDomain})
			if err != nil {
				continue // has no meaning
			}
			all++
			if asAlone(t, what, vp, p, list...) {
				accepted++
			}
		}
	}
	doc := decode(t, w.good)
	edits(doc, "", func(what string) { try(what, string(encode(t, doc))) })
	if all < 200 || accepted > 10 {
		t.Errorf("%d of %d edits are accepted", accepted, all)
	}

	// Other spellings of what was signed: accepted, and read anew.
	proof := string(memberOf(w.good, "proof"))
	bare := strings.TrimSuffix(strings.Replace(good, `,"proof":`+proof, "", 1), "}")
	all, accepted = 0, 0
	spellings := map[string]string{
		"as it is": good, "the members in another order": string(encode(t, doc)), "the proof first": `{"proof":` + proof + `,` + bare[1:] + `}`,
		"the proof in the middle": strings.Replace(bare, `"issuer"`, `"proof":`+proof+`,"issuer"`, 1) + `}`,
		"white space":             strings.ReplaceAll(good, `,"`, ", \n\t\""), "escapes": strings.ReplaceAll(good, `Kavya`, `\u004bavya`),
		"escapes in names": strings.ReplaceAll(good, `"issuer"`, `"iss\u0075er"`), "the proof's name with an escape": strings.Replace(good, `"proof":`, `"pr\u006fof":`, 1),
		"the proof in an array": strings.Replace(good, proof, `[`+proof+`]`, 1), "the proof twice": strings.Replace(good, proof, `[`+proof+`,`+proof+`]`, 1),
	}
	for what, credential := range spellings {
		try(what, credential)
	}
	if all != 2*len(spellings) || accepted != all {
		t.Errorf("%d of %d spellings are accepted", accepted, all)
	}

	// What means something else.
	all, accepted = 0, 0
	other := string(memberOf([]byte(first), "proof"))
	subject := string(memberOf(w.good, "credentialSubject"))
	for what, change := range map[string][2]string{
		"another's proof":                    {proof, other},
		"a proof within":                     {`"credentialSubject":{`, `"credentialSubject":{"proof":` + other + `,`},
		"the subject of another":             {subject, string(memberOf([]byte(first), "credentialSubject"))},
		"the subject in the proof":           {proof, strings.TrimSuffix(proof, "}") + `,"credentialSubject":` + subject + `}`},
		"a claim in the proof":               {proof, strings.TrimSuffix(proof, "}") + `,"name":"x"}`},
		"a claim beside":                     {`"issuer":`, `"name":"x","issuer":`},
		"a second subject":                   {subject, `[` + subject + `,{"id":"urn:x:1","name":"x"}]`},
		"the status gone":                    {`"credentialStatus":` + string(memberOf(w.good, "credentialStatus")) + `,`, ``},
		"the end by its IRI":                 {`"validUntil":`, `"https://www.w3.org/2018/credentials#validUntil":`},
		"one context more":                   {`"` + ContextKinpass + `"]`, `"` + ContextKinpass + `",{"x":"https://x.example/x"}]`},
		"one context more, and an alias":     {`"` + ContextKinpass + `"]`, `"` + ContextKinpass + `",{"x":"https://www.w3.org/2018/credentials#validUntil"}]`},
		"no context":                         {`"@context":` + string(memberOf(w.good, "@context")) + `,`, ``},
		"a credential within the credential": {`"issuer":`, `"verifiableCredential":` + first + `,"issuer":`},
		"an id by its keyword":               {`"id":"urn:uuid`, `"@id":"urn:uuid`},
	} {
		try(what, mxReplace(t, good, change[0], change[1]))
	}
	if all < 12 || accepted > 4 { // a context more, or @id, says nothing else
		t.Errorf("%d of %d changes are accepted", accepted, all)
	}
}

// FuzzPresented: a credential that a holder presents, whatever it is, is taken
// for what it is alone.
func FuzzPresented(f *testing.F) {
	w := newMxWorld(f, mxFormatNamed(f, "eddsa-rdfc-2022"))
	holder := mxSigner(f, keys.EdDSA, "holder")
	p := w.policy()
	p.Domain, p.Challenge = mxDomain, mxChallenge
	p.Status = func(*Verified) error { return nil }
	first := string(w.signed(mxReplace(f, w.doc, "Kavya", "Maya")))
	f.Add(w.good)
	f.Add([]byte(strings.ReplaceAll(string(w.good), `,"`, ", \n\t\"")))
	f.Add([]byte(strings.Replace(string(w.good), `"credentialSubject":{`, `"credentialSubject":{"proof":{},`, 1)))
	f.Add([]byte(strings.Replace(string(w.good), `"proof":`, `"pr\u006fof":`, 1)))
	f.Fuzz(func(t *testing.T, credential []byte) {
		if CheckJSON(credential, maxNesting-2) != nil || credential[0] != '{' {
			return
		}
		vp, err := AddProof([]byte(mxPresentation("", first, string(credential))), ProofOptions{Suite: SuiteEdDSARDFC, Signer: holder,
			Purpose: PurposeAuthentication, Created: mxNow, Challenge: mxChallenge, Domain: mxDomain})
		if err != nil {
			return
		}
		asAlone(t, "fuzz", vp, p, first, string(credential))
	})
}

// Every suite of the holder with every suite of an issuer, and proofs of both in
// sets: what is read together is what is read alone.
func TestPresentedSuites(t *testing.T) {
	var credentials []string
	issuers := map[string]bool{}
	for _, f := range mxFormats() {
		if f.family != "rdfc" && f.family != "jcs" {
			continue
		}
		w := newMxWorld(t, f)
		issuers[memberText(w.good, "issuer")] = true
		credentials = append(credentials, string(w.good))
		// A second proof, over the document and over the first.
		for _, previous := range [][]string{nil, {"urn:x:proof"}} {
			one, err := AddProof([]byte(w.doc), ProofOptions{Suite: f.suite, Signer: w.issuer, Purpose: PurposeAssertion, Created: mxNow, ID: "urn:x:proof"})
			if err != nil {
				t.Fatal(err)
			}
			two, err := AddProof(one, ProofOptions{Suite: f.suite, Signer: w.issuer, Purpose: PurposeAssertion, Created: mxNow, PreviousProof: previous})
			if err != nil {
				t.Fatal(err)
			}
			credentials = append(credentials, string(two))
		}
	}
	p := Policy{Keys: KeysFromDID, Now: mxNow, Domain: mxDomain, Challenge: mxChallenge, Status: func(*Verified) error { return nil },
		Trusts: func(v *Verified) error {
			if !issuers[v.Issuer] {
				return errMxTrust
			}
			return nil
		}}
	for _, f := range mxFormats() {
		if f.family != "rdfc" && f.family != "jcs" {
			continue
		}
		sign := func(doc []byte) []byte {
			out, err := AddProof(doc, ProofOptions{Suite: f.suite, Signer: mxSigner(t, f.alg, "holder"), Purpose: PurposeAuthentication,
				Created: mxNow, Challenge: mxChallenge, Domain: mxDomain})
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
		for list := range slices.Chunk(credentials, 5) {
			once := sign([]byte(mxPresentation("", list...)))
			if !asAlone(t, f.name, once, p, list...) || !asAlone(t, f.name+", twice", sign(once), p, list...) {
				t.Errorf("%s: refused", f.name)
			}
		}
	}
}

// What was read with the presentation is what a credential's proof is checked
// against.
func TestPresentedCredentialsAreReadOnce(t *testing.T) {
	w := newMxWorld(t, mxFormatNamed(t, "eddsa-rdfc-2022"))
	vp := []byte(mxPresentation("", string(w.good)))
	for _, presented := range []bool{false, true} {
		var c rdf.Contained
		if _, err := c.AppendDigest(nil, vp, crypto.SHA256); err != nil {
			t.Fatal(err)
		}
		known := seen{}
		if presented {
			known.said = &c
		}
		if _, _, err := verifyProofs(w.good, ProofPolicy{Keys: KeysFromDID, Purpose: PurposeAssertion, Now: mxNow}, known); err != nil {
			t.Fatal(err)
		}
		if _, left, _ := c.AppendUnsecured(nil, w.good, crypto.SHA256); left == presented {
			t.Errorf("presented %v: still there %v", presented, left)
		}
	}
}

func memberText(doc []byte, name string) string { return string(textOf(memberOf(doc, name))) }

// The members that are known of a document without its proof are those that it
// has.
func TestRest(t *testing.T) {
	for _, doc := range []string{
		`{"proof":{}}`, `{"proof":1,"a":2}`, `{"a":2,"proof":1}`, ` { "a" : 2 , "proof" : [ 1 ] , "b\u0062" : {"c":[1,"}"]} } `,
		"{\n\"proof\":\"x\" ,\n \"a\":2,\"b\":\"\\\"\"}", `{"a":{"proof":1},"b":[],"proof":{"a":1}}`, `{"a":1,"proof":{},"b":2,"c":3}`,
	} {
		ms, _ := members([]byte(doc))
		for k := range ms {
			text := without([]byte(doc), ms, k)
			if !json.Valid(text) {
				t.Fatalf("%s without member %d is %s", doc, k, text)
			}
			want, _ := members(text)
			var got []string
			for at, value := range (rest{ms, k}).in(text) {
				r := reader{d: text, i: at}
				got = append(got, fmt.Sprintf("%s=%s at %d", r.name(), value, at))
			}
			var expected []string
			for _, m := range want {
				expected = append(expected, fmt.Sprintf("%s=%s at %d", m.name, text[m.val:m.end], m.from))
			}
			if !slices.Equal(got, expected) {
				t.Errorf("%s without member %d: %q, want %q", doc, k, got, expected)
			}
		}
	}
}

// A key is asked for once in a presentation, and never remembered if there was
// none.
func TestKeysAreAskedForOnce(t *testing.T) {
	asked := map[string]int{}
	find := remembering(func(method string) (crypto.PublicKey, string, error) {
		asked[method]++
		if asked[method] == 1 && strings.HasPrefix(method, "urn:late") {
			return nil, "", ErrKeyUnknown
		}
		return crypto.PublicKey(method), "controller of " + method, nil
	})
	for i := range 3 {
		for _, method := range []string{"urn:a", "urn:late", "urn:b"} {
			pub, controller, err := find(method)
			if method == "urn:late" && i == 0 {
				if !errors.Is(err, ErrKeyUnknown) || pub != nil || controller != "" {
					t.Errorf("%v %v %v", pub, controller, err)
				}
				continue
			}
			if err != nil || pub != crypto.PublicKey(method) || controller != "controller of "+method {
				t.Errorf("%s: %v %v %v", method, pub, controller, err)
			}
		}
	}
	if asked["urn:a"] != 1 || asked["urn:b"] != 1 || asked["urn:late"] != 2 {
		t.Errorf("asked %v", asked)
	}
	for i := range 2 * maxContained {
		if _, _, err := find(fmt.Sprint("urn:", i)); err != nil {
			t.Fatal(err)
		}
	}
}
