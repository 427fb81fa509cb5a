package vc

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/rdf"
)

func options(c suiteCase) ProofOptions {
	return ProofOptions{Suite: c.suite.name, Signer: c.signer, Purpose: PurposeAssertion, Created: testCreated}
}

// plainSuites are the cases that AddProof makes.
func plainSuites(t testing.TB) []suiteCase {
	return slices.DeleteFunc(suiteCases(t), func(c suiteCase) bool { return c.suite == suiteEd2020 })
}

// TestAddProofKeeps: what was there before the proof is there afterwards, byte
// for byte.
func TestAddProofKeeps(t *testing.T) {
	for _, c := range plainSuites(t) {
		for _, in := range []string{
			plainCredential,
			" \n" + plainCredential + "\r\n\t",
			strings.Replace(plainCredential, `"id": "urn`, `"description":"\u00e9\/ \"}\"","id" : "urn`, 1),
			string(encode(t, decode(t, []byte(plainCredential)))),
		} {
			out, err := AddProof([]byte(in), options(c))
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			last := strings.LastIndexByte(strings.TrimRight(in, " \r\n\t"), '}')
			body := strings.TrimRight(in[:last], " \r\n\t")
			if !strings.HasPrefix(string(out), body+`,"proof":{"type":"DataIntegrityProof","cryptosuite":`) || !strings.HasSuffix(string(out), in[last:]) {
				t.Errorf("%s: other bytes than before: %s", c.name, out)
			}
			unsecured, proofs, err := VerifyProofs(out, testPolicy)
			if err != nil || !sameJSON(t, unsecured, []byte(in)) {
				t.Fatalf("%s: %v", c.name, err)
			}
			p := proofs[0]
			if p.Suite != c.suite.name || p.Type != TypeDataIntegrity || p.Method != c.signer.KID || p.Purpose != PurposeAssertion ||
				p.Created != stamp(testCreated) || p.Controller != strings.Split(c.signer.KID, "#")[0] || p.Derived || p.Expires != "" || p.Domain != nil {
				t.Errorf("%s: %+v", c.name, p)
			}
		}
	}
}

// TestAddProofTwice: both kinds of key sign deterministically, so that a weak
// random source cannot give the private key away.
func TestAddProofTwice(t *testing.T) {
	for _, c := range plainSuites(t) {
		a, err := AddProof([]byte(plainCredential), options(c))
		if err != nil {
			t.Fatal(err)
		}
		b, err := AddProof([]byte(plainCredential), options(c))
		if err != nil || !bytes.Equal(a, b) {
			t.Errorf("%s: two signatures of one document differ: %v", c.name, err)
		}
	}
}

func TestAddProofSaysAll(t *testing.T) {
	for _, c := range plainSuites(t) {
		o := options(c)
		o.Purpose, o.ID, o.Challenge, o.Domain = PurposeAuthentication, "urn:x:1", `a "quoted" challenge é`, "https://border.example"
		o.Created = testCreated.In(time.FixedZone("east", 3*3600)).Add(123 * time.Millisecond)
		o.Expires = testNow.Add(time.Hour)
		doc, err := AddProof([]byte(`{"@context":"https://www.w3.org/ns/credentials/v2","type":"VerifiablePresentation","holder":"did:example:h"}`), o)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		policy := testPolicy
		policy.Purpose, policy.Challenge, policy.Domain, policy.RequireCreated = o.Purpose, o.Challenge, o.Domain, true
		_, proofs, err := VerifyProofs(doc, policy)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		p := proofs[0]
		if p.ID != o.ID || p.Challenge != o.Challenge || p.Domain[0] != o.Domain || p.Created != stamp(testCreated) || p.Expires != stamp(o.Expires) {
			t.Errorf("%s: %+v", c.name, p)
		}
		policy.Now = o.Expires
		refused(t, doc, policy, ErrProofExpired)
	}
}

func TestAddProofRefuses(t *testing.T) {
	ed, p256 := didSigner(t, keys.EdDSA), didSigner(t, keys.ES256)
	good := ProofOptions{Suite: SuiteEdDSARDFC, Signer: ed, Purpose: PurposeAssertion, Created: testCreated}
	for name, r := range map[string]struct {
		doc    string
		change func(o *ProofOptions)
		want   error
	}{
		"unknown suite":        {"", func(o *ProofOptions) { o.Suite = "eddsa-2022" }, ErrProofSuite},
		"no suite":             {"", func(o *ProofOptions) { o.Suite = "" }, ErrProofSuite},
		"zero options":         {"", func(o *ProofOptions) { *o = ProofOptions{} }, ErrProofSuite},
		"no key":               {"", func(o *ProofOptions) { o.Signer = keys.Signer{KID: "did:example:x#y"} }, ErrProofOptions},
		"no method":            {"", func(o *ProofOptions) { o.Signer.KID = "" }, ErrProofOptions},
		"no purpose":           {"", func(o *ProofOptions) { o.Purpose = "" }, ErrProofOptions},
		"no time":              {"", func(o *ProofOptions) { o.Created = time.Time{} }, ErrProofOptions},
		"expires before":       {"", func(o *ProofOptions) { o.Expires = testCreated }, ErrProofOptions},
		"P-256 with eddsa":     {"", func(o *ProofOptions) { o.Signer = p256 }, ErrProofKey},
		"Ed25519 with ecdsa":   {"", func(o *ProofOptions) { o.Suite = SuiteECDSAJCS }, ErrProofKey},
		"unknown purpose":      {"", func(o *ProofOptions) { o.Purpose = "undefinedPurpose" }, rdf.ErrIRI},
		"relative method":      {"", func(o *ProofOptions) { o.Signer.KID = "key-1" }, rdf.ErrIRI},
		"relative id":          {"", func(o *ProofOptions) { o.ID = "proof-1" }, rdf.ErrIRI},
		"previous is missing":  {"", func(o *ProofOptions) { o.PreviousProof = []string{"urn:x:1"} }, ErrProofPrevious},
		"previous is itself":   {"", func(o *ProofOptions) { o.ID, o.PreviousProof = "urn:x:1", []string{"urn:x:1"} }, ErrProofPrevious},
		"not JSON":             {"{", nil, ErrJSON},
		"an array":             {"[]", nil, ErrJSON},
		"no context":           {`{"type":"VerifiableCredential"}`, nil, ErrProofContext},
		"null context":         {`{"@context":null}`, nil, ErrProofContext},
		"empty context":        {`{"@context":[],"name":"x"}`, nil, rdf.ErrUndefined},
		"unknown context":      {`{"@context":["https://www.w3.org/ns/credentials/v2","https://unknown.example/v1"],"type":["VerifiableCredential"]}`, nil, rdf.ErrContext},
		"undefined term":       {strings.Replace(plainCredential, `"since": "2019"`, `"undefined":1`, 1), nil, rdf.ErrUndefined},
		"proofs without terms": {`{"@context":{"name":"https://schema.org/name"},"name":"x"}`, nil, rdf.ErrUndefined},
		"null proof":           {`{"@context":"https://www.w3.org/ns/credentials/v2","type":"VerifiablePresentation","proof":null}`, nil, ErrProofMissing},
		"proofs []":            {`{"@context":"https://www.w3.org/ns/credentials/v2","type":"VerifiablePresentation","proof":[]}`, nil, ErrProofMissing},
		"proof is text":        {`{"@context":"https://www.w3.org/ns/credentials/v2","type":"VerifiablePresentation","proof":"x"}`, nil, ErrProofShape},
		"broken proof":         {`{"@context":"https://www.w3.org/ns/credentials/v2","type":"VerifiablePresentation","proof":{"type":"x"}}`, nil, ErrProofPartial},
		"one name twice":       {strings.Replace(plainCredential, `"type": [`, `"type": [], "type": [`, 1), nil, ErrJSONTwice},
	} {
		o := good
		if r.change != nil {
			r.change(&o)
		}
		doc := r.doc
		if doc == "" {
			doc = plainCredential
		}
		out, err := AddProof([]byte(doc), o)
		if out != nil || !errors.Is(err, r.want) {
			t.Errorf("%s: %s, %v; want %v", name, out, err, r.want)
		}
	}
}

// TestAddProofToData11 adds the terms of proofs to a Data Model 1.1 document
// that has none, and to nothing else.
func TestAddProofToData11(t *testing.T) {
	const rest = `"type":["VerifiableCredential"],"issuer":"https://a.example/","issuanceDate":"2023-01-01T00:00:00Z","credentialSubject":{"id":"did:example:a"}}`
	for _, r := range []struct{ context, want string }{
		{`"https://www.w3.org/2018/credentials/v1"`, `["https://www.w3.org/2018/credentials/v1","https://w3id.org/security/data-integrity/v2"]`},
		{`[ "https://www.w3.org/2018/credentials/v1" ]`, `[ "https://www.w3.org/2018/credentials/v1","https://w3id.org/security/data-integrity/v2"]`},
		{`["https://www.w3.org/2018/credentials/v1",{"x":"https://x.example/#x"}]`, `["https://www.w3.org/2018/credentials/v1",{"x":"https://x.example/#x"},"https://w3id.org/security/data-integrity/v2"]`},
		{`["https://www.w3.org/2018/credentials/v1","https://w3id.org/security/data-integrity/v2"]`, ""},
		{`["https://www.w3.org/2018/credentials/v1","https://w3id.org/security/data-integrity/v2",{"x":"https://x.example/#x"}]`, ""},
		{`["https://www.w3.org/2018/credentials/v1","https://w3id.org/security/data-integrity/v1"]`, ""},
		{`["https://www.w3.org/2018/credentials/v1","https://w3id.org/security/suites/ed25519-2020/v1"]`, `["https://www.w3.org/2018/credentials/v1","https://w3id.org/security/suites/ed25519-2020/v1","https://w3id.org/security/data-integrity/v2"]`},
	} {
		if r.want == "" {
			r.want = r.context
		}
		for _, c := range plainSuites(t) {
			for _, first := range []string{`{"@context":` + r.context + `,`, `{"id":"urn:x:y","@context":` + r.context + `,`} {
				out, err := AddProof([]byte(first+rest), options(c))
				if err != nil {
					t.Fatalf("%s with %s: %v", c.name, r.context, err)
				}
				want := strings.Replace(first, r.context, r.want, 1) + rest[:len(rest)-1] + `,"proof":{`
				if !strings.HasPrefix(string(out), want) {
					t.Errorf("%s: %s, want %s…", c.name, out, want)
				}
				if _, _, err := VerifyProofs(out, testPolicy); err != nil {
					t.Errorf("%s with %s: %v", c.name, r.context, err)
				}
				// A second proof finds the terms there.
				again, err := AddProof(out, options(c))
				if err != nil {
					t.Fatal(err)
				}
				if _, proofs, err := VerifyProofs(again, testPolicy); err != nil || len(proofs) != 2 {
					t.Errorf("%s: %d proofs, %v", c.name, len(proofs), err)
				}
			}
		}
	}
	// The URL as a value of another member is not the context.
	c := plainSuites(t)[0]
	doc := `{"id":"https://www.w3.org/2018/credentials/v1","@context":"https://www.w3.org/2018/credentials/v1",` + rest
	out, err := AddProof([]byte(doc), options(c))
	if err != nil || !strings.HasPrefix(string(out), `{"id":"https://www.w3.org/2018/credentials/v1","@context":["https://www.w3.org/2018/credentials/v1",`) {
		t.Errorf("%s, %v", out, err)
	}
	if _, _, err := VerifyProofs([]byte(`{"@context":"https://www.w3.org/2018/credentials/v1",`+rest), testPolicy); !errors.Is(err, ErrProofMissing) {
		t.Error(err)
	}
}

// TestProofSets: every proof of a set must hold, whatever its suite.
func TestProofSets(t *testing.T) {
	cases := plainSuites(t)
	doc := []byte(plainCredential)
	var err error
	for _, c := range cases {
		if doc, err = AddProof(doc, options(c)); err != nil {
			t.Fatal(err)
		}
	}
	unsecured, proofs, err := VerifyProofs(doc, testPolicy)
	if err != nil || len(proofs) != len(cases) || !sameJSON(t, unsecured, []byte(plainCredential)) {
		t.Fatalf("%d proofs, %v", len(proofs), err)
	}
	for i, c := range cases {
		if proofs[i].Method != c.signer.KID {
			t.Errorf("proof %d is %+v", i, proofs[i])
		}
		d := decode(t, doc)
		p := d["proof"].([]any)[i].(object)
		p["proofPurpose"] = PurposeAuthentication
		refused(t, encode(t, d), testPolicy, ErrProofPurpose)
		p["proofPurpose"] = PurposeAssertion
		p["created"] = stamp(testCreated.Add(-time.Second))
		refused(t, encode(t, d), testPolicy, ErrSignature)
	}
	// The eighth proof is the last.
	for len(proofs) < maxProofs {
		if doc, err = AddProof(doc, options(cases[0])); err != nil {
			t.Fatal(err)
		}
		proofs = append(proofs, Proof{})
	}
	if _, proofs, err = VerifyProofs(doc, testPolicy); err != nil || len(proofs) != maxProofs {
		t.Errorf("%d proofs, %v", len(proofs), err)
	}
	if out, err := AddProof(doc, options(cases[0])); !errors.Is(err, ErrProofMany) || out != nil {
		t.Errorf("a ninth proof: %v", err)
	}
	// A single proof in an array is a set of one.
	one, err := AddProof([]byte(plainCredential), options(cases[0]))
	if err != nil {
		t.Fatal(err)
	}
	d := decode(t, one)
	d["proof"] = []any{d["proof"]}
	if _, proofs, err := VerifyProofs(encode(t, d), testPolicy); err != nil || len(proofs) != 1 {
		t.Errorf("a set of one: %v", err)
	}
	for _, space := range []string{"[ %s ]", "[%s\n]", "\n[\t%s\r\n]\n"} {
		text := strings.Replace(string(one), `"proof":`, `"proof":`+strings.ReplaceAll(space, "%s", ""), 1)
		at := strings.IndexByte(text[strings.Index(text, `"proof":`):], '[') + strings.Index(text, `"proof":`) + 1
		proof := string(one[bytes.Index(one, []byte(`"proof":`))+8 : len(one)-1])
		text = text[:at] + proof + text[at:strings.LastIndexByte(text, ']')+1] + "}"
		more, err := AddProof([]byte(text), options(cases[1]))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if _, proofs, err := VerifyProofs(more, testPolicy); err != nil || len(proofs) != 2 {
			t.Errorf("%s: %v", more, err)
		}
	}
}

// TestProofChains: a proof with previousProof holds only together with the
// very proofs that it was made over.
func TestProofChains(t *testing.T) {
	for _, c := range plainSuites(t) {
		t.Run(c.name, func(t *testing.T) {
			o := options(c)
			doc := []byte(plainCredential)
			add := func(id string, previous ...string) {
				t.Helper()
				o.ID, o.PreviousProof = id, previous
				var err error
				if doc, err = AddProof(doc, o); err != nil {
					t.Fatal(err)
				}
			}
			add("urn:x:a")
			add("urn:x:b")
			add("urn:x:c", "urn:x:a")
			add("urn:x:d", "urn:x:c", "urn:x:b")
			add("")
			unsecured, proofs, err := VerifyProofs(doc, testPolicy)
			if err != nil || len(proofs) != 5 || !sameJSON(t, unsecured, []byte(plainCredential)) {
				t.Fatalf("%d proofs, %v", len(proofs), err)
			}
			list := func(d object) []any { return d["proof"].([]any) }
			at := func(d object, i int) object { return list(d)[i].(object) }
			// The same proof id, signed anew by somebody else.
			mallory := c
			mallory.signer = didSigner(t, c.signer.Alg)
			d := mallory.unsigned(t)
			p := mallory.proof(d)
			p["id"] = "urn:x:a"
			stranger := mallory.sign(t, d, p)
			for name, r := range map[string]struct {
				change func(d object)
				want   error
			}{
				"first taken away":   {func(d object) { d["proof"] = list(d)[1:] }, ErrProofPrevious},
				"second taken away":  {func(d object) { d["proof"] = slices.Delete(list(d), 1, 2) }, ErrProofPrevious},
				"first exchanged":    {func(d object) { list(d)[0] = stranger }, ErrSignature},
				"first renamed":      {func(d object) { at(d, 0)["id"] = "urn:x:z" }, ErrProofPrevious},
				"ids exchanged":      {func(d object) { at(d, 0)["id"], at(d, 1)["id"] = "urn:x:b", "urn:x:a" }, ErrSignature},
				"previous dropped":   {func(d object) { delete(at(d, 2), "previousProof") }, ErrSignature},
				"previous is other":  {func(d object) { at(d, 2)["previousProof"] = "urn:x:b" }, ErrSignature},
				"one previous less":  {func(d object) { at(d, 3)["previousProof"] = "urn:x:c" }, ErrSignature},
				"one previous more":  {func(d object) { at(d, 2)["previousProof"] = []any{"urn:x:a", "urn:x:b"} }, ErrSignature},
				"a previous unknown": {func(d object) { at(d, 3)["previousProof"] = []any{"urn:x:c", "urn:x:q"} }, ErrProofPrevious},
				"a circle of two":    {func(d object) { at(d, 0)["previousProof"] = "urn:x:c" }, ErrProofPrevious},
				"a circle of three":  {func(d object) { at(d, 0)["previousProof"] = "urn:x:d" }, ErrProofPrevious},
				"previous first, itself second": {func(d object) {
					at(d, 2)["previousProof"] = []any{"urn:x:a", "urn:x:c"}
				}, ErrProofPrevious},
				"nine previous": {func(d object) {
					at(d, 3)["previousProof"] = slices.Repeat([]any{"urn:x:c"}, 9)
				}, ErrProofShape},
				"claim changed": {func(d object) { d["issuer"] = "https://other.example/" }, ErrSignature},
			} {
				d := decode(t, doc)
				r.change(d)
				unsecured, proofs, err := VerifyProofs(encode(t, d), testPolicy)
				if !errors.Is(err, r.want) || unsecured != nil || proofs != nil {
					t.Errorf("%s: %v, want %v", name, err, r.want)
				}
			}
			// The last of a chain alone says nothing of the rest, and the rest
			// without the last is whole.
			d = decode(t, doc)
			d["proof"] = list(d)[:3]
			if _, proofs, err := VerifyProofs(encode(t, d), testPolicy); err != nil || len(proofs) != 3 {
				t.Errorf("the beginning of a chain: %v", err)
			}
			// Order does not matter for RDF; with JCS it is that of the document.
			d = decode(t, doc)
			slices.Reverse(list(d))
			_, _, err = VerifyProofs(encode(t, d), testPolicy)
			if c.suite.jcs != (err != nil) {
				t.Errorf("a chain backwards: %v", err)
			}
		})
	}
}

// TestMixedChain: proofs of one suite may build on those of another.
func TestMixedChain(t *testing.T) {
	doc := []byte(plainCredential)
	previous := []string(nil)
	for i, c := range plainSuites(t) {
		o := options(c)
		o.ID, o.PreviousProof = fmt.Sprintf("urn:x:%d", i), previous
		var err error
		if doc, err = AddProof(doc, o); err != nil {
			t.Fatal(c.name, err)
		}
		previous = append(previous, o.ID)
	}
	if _, proofs, err := VerifyProofs(doc, testPolicy); err != nil || len(proofs) != 6 {
		t.Fatalf("%d proofs, %v", len(proofs), err)
	}
	for i := range 6 {
		d := decode(t, doc)
		d["proof"].([]any)[i].(object)["created"] = stamp(testCreated.Add(time.Second))
		refused(t, encode(t, d), testPolicy, ErrSignature)
	}
}

// TestAddedNothing: a member without a value says nothing in RDF, so that the
// signature would hold. A reader may still be misled by it.
func TestAddedNothing(t *testing.T) {
	for _, c := range suiteCases(t) {
		for _, add := range []string{`"name":null`, `"name":[null]`, `"name":[]`, `"name":{}`, `"name":{"@value":null}`, `"evidence":[]`, `"evidence":{"@set":[]}`,
			`"@nest":{}`, `"@included":[]`, `"@reverse":{}`, `"@graph":[]`, `"@index":"x"`, `"@language":"en"`, `"https://x.example/#y":null`} {
			for _, member := range []string{`"issuer":`, `"since":"2019"`, `"proofPurpose":`} {
				doc := string(encode(t, c.signed(t, nil)))
				doc = strings.Replace(doc, member, add+","+member, 1)
				policy := testPolicy
				policy.AllowEd2020 = true
				if unsecured, _, err := VerifyProofs([]byte(doc), policy); err == nil || unsecured != nil {
					t.Errorf("%s: accepted with %s before %s", c.name, add, member)
				}
			}
		}
	}
}
