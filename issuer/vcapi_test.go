package issuer_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/api"
	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/issuer"
)

// issueBody asks for a credential of a type about a registration. more are
// further members of the credential.
func issueBody(kind, registration string, more ...string) string {
	return fmt.Sprintf(`{"credential":{"@context":["https://www.w3.org/ns/credentials/v2","https://w3id.org/kinpass/v1"],
		"type":["VerifiableCredential",%q],"credentialSubject":%s%s},"options":{}}`, kind, registration, strings.Join(append([]string{""}, more...), ","))
}

// verified verifies an enveloped credential with the issuer's published keys.
func (o *office) verified(a answer) *vc.Verified {
	o.t.Helper()
	p, err := o.iss.DIDDocument(o.t.Context())
	if err != nil {
		o.t.Fatal(err)
	}
	doc, err := did.ParseDocument(p.Body, "did:web:localhost%3A8080")
	if err != nil {
		o.t.Fatal(err)
	}
	v, err := vc.VerifyCredential([]byte(a.body), vc.Policy{Keys: issuer.PublishedKeys(doc, o.now()), Now: o.now(),
		Trusts: func(*vc.Verified) error { return nil }, Status: func(*vc.Verified) error { return nil }})
	if err != nil {
		o.t.Fatalf("%v: %s", err, a.body)
	}
	return v
}

func TestIssueCredential(t *testing.T) {
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		o := openOffice(t, db)
		childRef := ref()
		a := o.call("POST", "/credentials/issue", "rita", issueBody("BirthCredential", birthOf(childRef)), "Idempotency-Key", "k1").want(201, "EnvelopedVerifiableCredential")
		if a.head("Cache-Control") != "no-store" {
			t.Error("may be cached")
		}
		v := o.verified(a)
		if !v.Is(vc.TypeBirth) || v.Issuer != "did:web:localhost%3A8080" || len(v.Status) != 2 {
			t.Errorf("%+v", v)
		}
		// The same request again gets the same answer and changes nothing.
		again := o.call("POST", "/credentials/issue", "rita", issueBody("BirthCredential", birthOf(childRef)), "Idempotency-Key", "k1").want(201)
		if again.body != a.body {
			t.Error("another credential for the same request")
		}
		o.call("POST", "/credentials/issue", "rita", issueBody("BirthCredential", birthOf(ref())), "Idempotency-Key", "k1").want(409, "idempotency-key-reused")
		var counted issuer.Statistics
		o.call("GET", "/statistics", "rita", "").want(200).into(&counted)
		if counted.Births["issued"] != 1 || counted.Open != 0 {
			t.Errorf("%+v", counted)
		}
		// The issuer may be named, if it is this one.
		g := o.call("POST", "/credentials/issue", "rita", issueBody("GuardianshipCredential", guardianshipOf(childRef), `"issuer":{"id":"did:web:localhost%3A8080"}`)).want(201)
		if v := o.verified(g); !v.Is(vc.TypeGuardianship) || v.Subject != "" {
			t.Errorf("%+v", v)
		}
		o.call("POST", "/credentials/issue", "rita", issueBody("BirthCredential", birthOf(ref()), `"issuer":"did:web:localhost%3A8080"`)).want(201)
	})
}

// What waits, is held or is not issued is registered all the same: the answer
// is a refusal with its outcome, and never a signature.
func TestIssueCredentialWaits(t *testing.T) {
	o := openOffice(t, storetest.Open(t, store.SQLite, "issuer"))
	childRef := ref()
	_, family := person(childRef)
	late := strings.Replace(birthOf(childRef), `"timely"`, `"late"`, 1)
	a := o.call("POST", "/credentials/issue", "rita", issueBody("BirthCredential", late)).want(409, "registered-not-issued").without("data:", childRef, family)
	var p api.Problem
	a.into(&p)
	var out api.Outcome
	if err := json.Unmarshal(p.Outcome, &out); err != nil || out.State != issuer.StatePending || out.Approval == "" || out.ID == "" || p.Code() != "registered-not-issued" {
		t.Errorf("%v: %s", err, a.body)
	}
	o.call("POST", "/approvals/"+out.Approval, "rob", `{"decision":"approve"}`).want(200)
	// A guardianship of the same guardian for the same child is held.
	o.call("POST", "/credentials/issue", "rita", issueBody("GuardianshipCredential", guardianshipOf(childRef))).want(201)
	second := strings.Replace(guardianshipOf(childRef), `"travelConsent",`, "", 1)
	o.call("POST", "/credentials/issue", "rita", issueBody("GuardianshipCredential", second)).want(409, "registered-not-issued", `"held"`).without("data:", childRef, family)
}

// The client asks as the API describes and reads what comes.
func TestClientIssuesAndDerives(t *testing.T) {
	o := openOffice(t, storetest.Open(t, store.SQLite, "issuer"))
	srv := httptest.NewServer(o.srv)
	t.Cleanup(srv.Close)
	client := &api.Client{Base: srv.URL, Token: o.tokens["rita"]}
	credential := func(birth string) any {
		return map[string]any{"@context": []string{vc.ContextV2}, "type": []string{vc.TypeCredential, vc.TypeBirth}, "credentialSubject": json.RawMessage(birth)}
	}
	e, err := client.Issue(t.Context(), credential(birthOf(ref())))
	if err != nil || e.Type != vc.TypeEnveloped || !strings.HasPrefix(e.ID, "data:application/vc+jwt,ey") {
		t.Errorf("%+v, %v", e, err)
	}
	var p *api.Problem
	if _, err := client.Issue(t.Context(), credential(strings.Replace(birthOf(ref()), `"timely"`, `"late"`, 1))); !errors.As(err, &p) || p.Code() != "registered-not-issued" || p.Outcome == nil {
		t.Errorf("%v", err)
	}
	if out, err := client.Derive(t.Context(), json.RawMessage(`{"a":1}`), nil); !errors.As(err, &p) || p.Fault == "" || out != nil {
		t.Errorf("%s, %v", out, err)
	}
}

func TestIssueCredentialRefusals(t *testing.T) {
	o := openOffice(t, storetest.Open(t, store.SQLite, "issuer"))
	childRef := ref()
	_, family := person(childRef)
	birth := birthOf(childRef)
	for name, x := range map[string]struct{ body, at string }{
		"another issuer":           {issueBody("BirthCredential", birth, `"issuer":"did:web:other.example"`), "/credential/issuer"},
		"an issuer with a name":    {issueBody("BirthCredential", birth, `"issuer":{"id":"did:web:localhost%3A8080","name":"Ministry"}`), "/credential/issuer"},
		"an issuer of no form":     {issueBody("BirthCredential", birth, `"issuer":[]`), "/credential/issuer"},
		"null issuer":              {issueBody("BirthCredential", birth, `"issuer":null`), "/credential/issuer"},
		"a period of one's own":    {issueBody("BirthCredential", birth, `"validFrom":"2020-01-01T00:00:00Z"`), "other"},
		"an end of one's own":      {issueBody("BirthCredential", birth, `"validUntil":"2099-01-01T00:00:00Z"`), "other"},
		"a status of one's own":    {issueBody("BirthCredential", birth, `"credentialStatus":[]`), "other"},
		"a schema of one's own":    {issueBody("BirthCredential", birth, `"credentialSchema":{}`), "other"},
		"an id of one's own":       {issueBody("BirthCredential", birth, `"id":"urn:uuid:00000000-0000-4000-8000-000000000000"`), "other"},
		"a proof":                  {issueBody("BirthCredential", birth, `"proof":{}`), "other"},
		"a member":                 {issueBody("BirthCredential", birth, `"`+family+`":1`), "other"},
		"another type":             {issueBody("UniversityDegreeCredential", birth), "/credential/type"},
		"a status list":            {issueBody("BitstringStatusListCredential", birth), "/credential/type"},
		"a presentation":           {strings.Replace(issueBody("BirthCredential", birth), "VerifiableCredential", "VerifiablePresentation", 1), "/credential/type"},
		"two types":                {strings.Replace(issueBody("BirthCredential", birth), `"BirthCredential"`, `"BirthCredential","GuardianshipCredential"`, 1), "/credential/type"},
		"a type twice":             {issueBody("VerifiableCredential", birth), "/credential/type"},
		"a type as text":           {strings.Replace(issueBody("BirthCredential", birth), `["VerifiableCredential","BirthCredential"]`, `"BirthCredential"`, 1), "/credential/type"},
		"no context":               {`{"credential":{"type":["VerifiableCredential","BirthCredential"],"credentialSubject":` + birth + `}}`, "/credential/@context"},
		"context of others":        {strings.Replace(issueBody("BirthCredential", birth), "https://w3id.org/kinpass/v1", "https://evil.example/v1", 1), "/credential/@context"},
		"context in another order": {strings.Replace(issueBody("BirthCredential", birth), `["https://www.w3.org/ns/credentials/v2","https://w3id.org/kinpass/v1"]`, `["https://w3id.org/kinpass/v1","https://www.w3.org/ns/credentials/v2"]`, 1), "/credential/@context"},
		"Data Model 1.1":           {strings.Replace(issueBody("BirthCredential", birth), "https://www.w3.org/ns/credentials/v2", "https://www.w3.org/2018/credentials/v1", 1), "/credential/@context"},
		"several subjects":         {issueBody("BirthCredential", "["+birth+"]"), "/credential/credentialSubject"},
		"a subject as text":        {issueBody("BirthCredential", `"x"`), "/credential/credentialSubject"},
		"a null subject":           {issueBody("BirthCredential", "null"), "/credentialSubject"},
	} {
		a := o.call("POST", "/credentials/issue", "rita", x.body).want(400, x.at).without("data:", family, childRef)
		if !strings.Contains(a.body, "https://www.w3.org/TR/vc-data-model#MALFORMED_VALUE_ERROR") && !strings.Contains(a.body, "request-invalid") {
			t.Errorf("%s: %s", name, a.body)
		}
	}
	for name, body := range map[string]string{
		"options":     strings.Replace(issueBody("BirthCredential", birth), `"options":{}`, `"options":{"mandatoryPointers":[]}`, 1),
		"another":     strings.Replace(issueBody("BirthCredential", birth), `"options":{}`, `"presentation":{}`, 1),
		"nothing":     `{}`,
		"null":        `{"credential":null}`,
		"an array":    `{"credential":[]}`,
		"named twice": strings.Replace(issueBody("BirthCredential", birth), `"options":{}`, `"credential":{"credentialSubject":{}}`, 1),
		"deep":        `{"credential":{"credentialSubject":{"a":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}}}`,
	} {
		if a := o.call("POST", "/credentials/issue", "rita", body); a.status != 400 {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if a := o.call("POST", "/credentials/issue", "rita", issueBody("BirthCredential", `{"a":"`+strings.Repeat("x", 300<<10)+`"}`)); a.status != 413 {
		t.Errorf("oversize: %d", a.status)
	}
	// The rules of registering are the same, and say where.
	o.call("POST", "/credentials/issue", "rita", issueBody("BirthCredential", strings.Replace(birth, "2019-03-05", "2031-03-05", 1))).
		want(422, `/credential/credentialSubject/birthDate`).without(family, childRef, "2031")
	o.call("POST", "/credentials/issue", "rita", issueBody("GuardianshipCredential", guardianshipOf(ref()))).want(422, "/credential/credentialSubject/ward/childRef")
	for who, status := range map[string]int{"carla": 403, "paula": 403, "audra": 403} {
		o.call("POST", "/credentials/issue", who, issueBody("BirthCredential", birth)).want(status, "not-allowed").without(family)
	}
	var counted issuer.Statistics
	o.call("GET", "/statistics", "rita", "").want(200).into(&counted)
	if len(counted.Births) != 0 || len(counted.Credentials) != 0 {
		t.Errorf("something was registered: %+v", counted)
	}
}

func TestDeriveCredential(t *testing.T) {
	o := openOffice(t, storetest.Open(t, store.SQLite, "issuer"))
	k, err := keys.New("key-2", keys.UseCredentials, keys.ES256, o.now().Add(time.Hour), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if err := o.ring.Add(k); err != nil {
		t.Fatal(err)
	}
	own := k.Signer("did:web:localhost%3A8080#key-2")
	childRef := ref()
	_, family := person(childRef)
	birth := o.verified(o.call("POST", "/credentials/issue", "rita", issueBody("BirthCredential", birthOf(childRef))).want(201)).Document
	mandate := o.verified(o.call("POST", "/credentials/issue", "rita", issueBody("GuardianshipCredential", guardianshipOf(childRef))).want(201)).Document
	mandate = []byte(strings.Replace(string(mandate), `"powers":`, `"constraints":{},"powers":`, 1))
	base := func(doc []byte, s keys.Signer, pointers ...string) string {
		t.Helper()
		if pointers == nil {
			if pointers, err = vc.MandatoryPointers(doc); err != nil {
				t.Fatal(err)
			}
		}
		out, err := vc.AddProof(doc, vc.ProofOptions{Suite: vc.SuiteSD, Signer: s, Purpose: vc.PurposeAssertion, Created: o.now(), MandatoryPointers: pointers})
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	derive := func(who, credential string, pointers ...string) answer {
		t.Helper()
		list, _ := json.Marshal(append([]string{}, pointers...))
		return o.call("POST", "/credentials/derive", who, fmt.Sprintf(`{"verifiableCredential":%s,"options":{"selectivePointers":%s}}`, credential, list))
	}
	for _, who := range []string{"rita", "carla", "paula", "audra"} {
		a := derive(who, base(birth, own), "/credentialSubject/birthDate").want(201, "2019-03-05").without(strings.ToUpper(family), childRef)
		if v := o.verified(a); len(v.Proofs) != 1 || !v.Proofs[0].Derived {
			t.Errorf("%+v", v)
		}
	}
	// Whatever is asked for, a mandate keeps what decides about it.
	v := o.verified(derive("rita", base(mandate, own), "/credentialSubject/role").want(201).without(strings.ToUpper(family)))
	for _, member := range []string{"powers", "legalBasis", "constraints", "exercise", "effective", "termination", "credentialStatus"} {
		if !strings.Contains(string(v.Document), `"`+member+`"`) {
			t.Errorf("the derived mandate hides %s", member)
		}
	}
	stranger, err := keys.New("key-2", keys.UseCredentials, keys.ES256, o.now().Add(-time.Hour), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := did.EncodeKey(stranger.Public())
	if err != nil {
		t.Fatal(err)
	}
	good := base(birth, own)
	for name, x := range map[string]struct{ credential, pointer, code string }{
		"another's key":        {base(birth, stranger.Signer(own.KID)), "/credentialSubject/birthDate", ""},
		"a key not ours":       {base(birth, stranger.Signer(did.KeyID(theirs))), "/credentialSubject/birthDate", "key-unknown"},
		"in another's name":    {base([]byte(strings.Replace(string(birth), `"issuer":"did:web:localhost%3A8080"`, `"issuer":"did:web:other.example"`, 1)), own), "/credentialSubject/birthDate", "issuer-key-mismatch"},
		"a claim changed":      {strings.Replace(good, "2019-03-05", "2009-03-05", 1), "/credentialSubject/birthDate", ""},
		"a pointer to nothing": {good, "/credentialSubject/" + family, "selective"},
		"no pointer":           {good, "credentialSubject", ""},
		"a mandate that hides": {base(mandate, own, "/type", "/issuer", "/validFrom", "/validUntil", "/credentialStatus", "/credentialSchema", "/credentialSubject/powers"), "/credentialSubject/role", "mandatory-hidden"},
		"no proof":             {string(birth), "/credentialSubject/birthDate", ""},
		"proof: []":            {strings.Replace(good, `"proof":{`, `"proof":[],"x":{`, 1), "/credentialSubject/birthDate", ""},
		"a derived one":        {derive("rita", good, "/credentialSubject/birthDate").want(201).body, "/credentialSubject/birthDate", ""},
		"nothing":              {`{}`, "/a", ""},
	} {
		a := derive("rita", x.credential, x.pointer)
		if a.status != 400 && a.status != 422 || !strings.Contains(a.body, x.code) || !strings.Contains(a.body, `"code":`) {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
		a.without(strings.ToUpper(family), family, childRef)
	}
	for name, body := range map[string]string{
		"a compact form": `{"verifiableCredential":"x","options":{"selectivePointers":[]}}`,
		"no options":     `{"verifiableCredential":{}}`,
		"no pointers":    `{"verifiableCredential":{},"options":{}}`,
		"not pointers":   `{"verifiableCredential":{},"options":{"selectivePointers":[1]}}`,
		"too many":       `{"verifiableCredential":{},"options":{"selectivePointers":["/a"` + strings.Repeat(`,"/a"`, 256) + `]}}`,
		"another member": `{"verifiableCredential":{},"options":{"selectivePointers":[]},"x":1}`,
	} {
		if a := o.call("POST", "/credentials/derive", "rita", body); a.status != 400 {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}
