package conformance

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/vc"
)

// client talks to a server as a test suite does.
type client struct {
	t   *testing.T
	s   *Server
	url string
}

func start(t *testing.T) client {
	t.Helper()
	s, err := New("https://127.0.0.1:9443", time.Now, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	return client{t, s, h.URL}
}

func (c client) post(path, body string) (int, []byte, http.Header) {
	c.t.Helper()
	r, err := http.Post(c.url+path, "application/json", strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return r.StatusCode, b, r.Header
}

func (c client) get(path, accept string) (int, []byte, http.Header) {
	c.t.Helper()
	req, err := http.NewRequest(http.MethodGet, c.url+path, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Accept", accept)
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return r.StatusCode, b, r.Header
}

// issue signs a credential and gives it back.
func (c client) issue(instance, credential, options string) []byte {
	c.t.Helper()
	body := `{"credential":` + credential
	if options != "" {
		body += `,"options":` + options
	}
	code, out, h := c.post("/issuers/"+instance+"/credentials/issue", body+`}`)
	if code != http.StatusCreated || !strings.HasPrefix(h.Get("Content-Type"), "application/json") {
		c.t.Fatalf("%s: %d %s %s", instance, code, h.Get("Content-Type"), out)
	}
	return out
}

// refused checks the form of a refusal.
func (c client) refused(what string, code int, body []byte, h http.Header) {
	c.t.Helper()
	var p struct {
		Type, Detail string
		Status       int
		Verified     *bool
	}
	if code != http.StatusBadRequest || h.Get("Content-Type") != "application/problem+json" || json.Unmarshal(body, &p) != nil ||
		!strings.HasPrefix(p.Type, "https://") || p.Status != code || p.Detail == "" || p.Verified != nil {
		c.t.Errorf("%s: %d %s %s", what, code, h.Get("Content-Type"), body)
	}
}

func (c client) verify(instance string, credential []byte) (int, []byte, http.Header) {
	return c.post("/verifiers/"+instance+"/credentials/verify", `{"verifiableCredential":`+string(credential)+`,"options":{}}`)
}

// accepted checks the form of an acceptance.
func (c client) accepted(what string, code int, body []byte, _ http.Header) {
	c.t.Helper()
	var r struct {
		Verified                 bool
		Checks, Warnings, Errors *[]any
	}
	if code != http.StatusOK || json.Unmarshal(body, &r) != nil || !r.Verified || r.Checks == nil || r.Warnings == nil || r.Errors == nil || len(*r.Errors) != 0 {
		c.t.Errorf("%s: %d %s", what, code, body)
	}
}

func (c client) credential(instance, more string) string {
	return `{"@context":["https://www.w3.org/ns/credentials/v2"],"id":"urn:uuid:58172aac-d8ba-11ed-83dd-0b3aef56cc33","type":["VerifiableCredential"],"issuer":"` +
		c.s.IDs.Issuers[instance] + `","credentialSubject":{"id":"did:example:alice","name":"Alice"}` + more + `}`
}

var verifierOf = map[string]string{
	"ecdsa-rdfc-2019-p256": "ecdsa-rdfc-2019", "ecdsa-rdfc-2019-p384": "ecdsa-rdfc-2019",
	"ecdsa-jcs-2019-p256": "ecdsa-jcs-2019", "ecdsa-jcs-2019-p384": "ecdsa-jcs-2019",
}

// Every instance issues what its verifier accepts, keeps the input as it was,
// and no verifier takes it once a word is changed.
func TestIssueAndVerify(t *testing.T) {
	c := start(t)
	if len(issuers) != 11 || len(verifiers) != 9 {
		t.Fatalf("%d issuers and %d verifiers", len(issuers), len(verifiers))
	}
	for name, i := range issuers {
		t.Run(name, func(t *testing.T) {
			c := client{t, c.s, c.url}
			in := c.credential(name, `,"validFrom":"2026-01-01T00:00:00.123+01:00","validUntil":"2046-01-01T00:00:00Z"`)
			out := c.issue(name, in, `{}`)
			c.issue(name, in, ``)
			v := verifierOf[name]
			if v == "" {
				v = name
			}
			if i.suite == "" {
				var e struct {
					Context, Type, ID string
				}
				var raw map[string]string
				if json.Unmarshal(out, &raw) != nil {
					t.Fatalf("%s", out)
				}
				e.Context, e.Type, e.ID = raw["@context"], raw["type"], raw["id"]
				if len(raw) != 3 || e.Context != "https://www.w3.org/ns/credentials/v2" || e.Type != "EnvelopedVerifiableCredential" || !strings.HasPrefix(e.ID, "data:application/vc+jwt,") {
					t.Fatalf("%s", out)
				}
				code, b, h := c.verify(v, out)
				c.accepted(name, code, b, h)
				code, b, h = c.verify(v, bytes.Replace(out, []byte(`"}`), []byte(`A"}`), 1))
				c.refused("longer signature", code, b, h)
				return
			}
			var given, got map[string]any
			if json.Unmarshal([]byte(in), &given) != nil || json.Unmarshal(out, &got) != nil {
				t.Fatal("not JSON")
			}
			proof, ok := got["proof"].(map[string]any)
			if !ok {
				t.Fatalf("no single proof: %s", out)
			}
			did := c.s.IDs.Issuers[name]
			multikey := strings.TrimPrefix(did, "did:key:")
			if proof["type"] != "DataIntegrityProof" || proof["cryptosuite"] != i.suite || proof["proofPurpose"] != "assertionMethod" ||
				proof["verificationMethod"] != did+"#"+multikey || proof["created"] == nil {
				t.Errorf("%v", proof)
			}
			for k, v := range given {
				if k == "credentialStatus" {
					continue
				}
				a, _ := json.Marshal(v)
				b, _ := json.Marshal(got[k])
				if !bytes.Equal(a, b) {
					t.Errorf("%s was changed to %s", k, b)
				}
			}
			if i.status != (got["credentialStatus"] != nil) {
				t.Error("status entry where there should be none, or none where there should be one")
			}
			if i.suite == "ecdsa-sd-2023" {
				code, b, h := c.verify(v, out)
				c.refused("a base proof", code, b, h)
				code, out, _ = c.post("/holders/ecdsa-sd-2023/credentials/derive", `{"verifiableCredential":`+string(out)+`,"options":{"selectivePointers":["/credentialSubject/name"]}}`)
				if code != http.StatusCreated {
					t.Fatalf("derive: %d %s", code, out)
				}
			}
			code, b, h := c.verify(v, out)
			c.accepted(name, code, b, h)
			code, b, h = c.verify(v, bytes.Replace(out, []byte("Alice"), []byte("Mallory"), 1))
			c.refused("a changed claim", code, b, h)
			for other, o := range verifiers {
				if len(o.suites) > 0 && o.suites[0] != i.suite {
					code, b, h := c.verify(other, out)
					c.refused("under "+other, code, b, h)
				}
			}
		})
	}
}

// What no issuer signs.
func TestIssueRefuses(t *testing.T) {
	c := start(t)
	good := c.credential("vc2", "")
	for what, body := range map[string]string{
		"no body":               ``,
		"not JSON":              `{`,
		"an array":              `[]`,
		"no credential":         `{}`,
		"null":                  `{"credential":null}`,
		"a string":              `{"credential":"x"}`,
		"options are an array":  `{"credential":` + good + `,"options":[]}`,
		"twice":                 `{"credential":` + good + `,"credential":` + good + `}`,
		"no context":            `{"credential":` + strings.Replace(good, `"@context":["https://www.w3.org/ns/credentials/v2"],`, ``, 1) + `}`,
		"context is a string":   `{"credential":` + strings.Replace(good, `["https://www.w3.org/ns/credentials/v2"]`, `"https://www.w3.org/ns/credentials/v2"`, 1) + `}`,
		"unknown context":       `{"credential":` + strings.Replace(good, `credentials/v2"]`, `credentials/v2","https://attacker.example/context"]`, 1) + `}`,
		"protected redefined":   `{"credential":` + strings.Replace(good, `credentials/v2"]`, `credentials/v2",{"VerifiableCredential":"https://attacker.example/#x"}]`, 1) + `}`,
		"undefined type":        `{"credential":` + strings.Replace(good, `["VerifiableCredential"]`, `["VerifiableCredential","Unknown"]`, 1) + `}`,
		"undefined term":        `{"credential":` + strings.Replace(good, `"name":"Alice"`, `"name":"Alice","unknownTerm":1`, 1) + `}`,
		"no type":               `{"credential":` + strings.Replace(good, `"type":["VerifiableCredential"],`, ``, 1) + `}`,
		"no issuer":             `{"credential":` + strings.Replace(good, `"issuer":"`+c.s.IDs.Issuers["vc2"]+`",`, ``, 1) + `}`,
		"issuer is a number":    `{"credential":` + strings.Replace(good, `"issuer":"`+c.s.IDs.Issuers["vc2"]+`"`, `"issuer":7`, 1) + `}`,
		"issuer without a URL":  `{"credential":` + strings.Replace(good, `"issuer":"`+c.s.IDs.Issuers["vc2"]+`"`, `"issuer":{"id":"alice"}`, 1) + `}`,
		"empty subject":         `{"credential":` + strings.Replace(good, `{"id":"did:example:alice","name":"Alice"}`, `{}`, 1) + `}`,
		"no subject":            `{"credential":` + strings.Replace(good, `,"credentialSubject":{"id":"did:example:alice","name":"Alice"}`, ``, 1) + `}`,
		"ends before it begins": `{"credential":` + c.credential("vc2", `,"validFrom":"2027-01-01T00:00:00Z","validUntil":"2026-01-01T00:00:00Z"`) + `}`,
		"a date without offset": `{"credential":` + c.credential("vc2", `,"validFrom":"2027-01-01T00:00:00"`) + `}`,
		"name with more":        `{"credential":` + c.credential("vc2", `,"name":{"@value":"x","@language":"en","url":"https://x.example"}`) + `}`,
		"status without type":   `{"credential":` + c.credential("vc2", `,"credentialStatus":{"id":"https://x.example"}`) + `}`,
		"schema without id":     `{"credential":` + c.credential("vc2", `,"credentialSchema":{"type":"JsonSchema"}`) + `}`,
		"a false digest": `{"credential":` + c.credential("vc2", `,"relatedResource":{"id":"https://www.w3.org/ns/credentials/v2","digestMultibase":"uEres1usWcWCmW7uolIW2uA0CjQ8iRV14eGaZStJL73Vz"}`) +
			`}`,
		"deep": `{"credential":` + strings.Repeat(`[`, 100000) + `}`,
	} {
		for _, instance := range []string{"vc2", "eddsa-jcs-2022", "ecdsa-sd-2023", "jwt"} {
			code, b, h := c.post("/issuers/"+instance+"/credentials/issue", body)
			c.refused(instance+": "+what, code, b, h)
		}
	}
	for body, typ := range map[string]string{``: "PARSING_ERROR", `{`: "PARSING_ERROR", `{}`: "MALFORMED_VALUE_ERROR", `{"credential":null}`: "MALFORMED_VALUE_ERROR",
		`{"credential":` + strings.Replace(good, `"name":"Alice"`, `"unknownTerm":1`, 1) + `}`: "DATA_LOSS_DETECTION_ERROR"} {
		if _, b, _ := c.post("/issuers/vc2/credentials/issue", body); !bytes.Contains(b, []byte(typ)) {
			t.Errorf("%.40s: %s", body, b)
		}
	}
	code, b, h := c.post("/issuers/ecdsa-sd-2023/credentials/issue", `{"credential":`+good+`,"options":{"mandatoryPointers":["/nothing/there"]}}`)
	if !bytes.Contains(b, []byte("PROOF_GENERATION_ERROR")) {
		t.Errorf("%s", b)
	}
	c.refused("a pointer to nothing", code, b, h)
	if code, _, _ := c.post("/issuers/vc2/credentials/issue", `{"credential":`+strings.Repeat(" ", maxBody)+`{}}`); code != http.StatusRequestEntityTooLarge {
		t.Errorf("a large body: %d", code)
	}
}

// An issuer without an id becomes ours; VC 1.1 is signed with the context that
// its proof needs.
func TestIssueCompletes(t *testing.T) {
	c := start(t)
	out := c.issue("vc2", strings.Replace(c.credential("vc2", ""), `"issuer":"`+c.s.IDs.Issuers["vc2"]+`"`, `"issuer":{"name":"Registry"}`, 1), "")
	var got struct{ Issuer struct{ ID, Name string } }
	if json.Unmarshal(out, &got) != nil || got.Issuer.ID != c.s.IDs.Issuers["vc2"] || got.Issuer.Name != "Registry" {
		t.Errorf("%s", out)
	}
	code, b, h := c.verify("vc2", out)
	c.accepted("issuer completed", code, b, h)
	old := `{"@context":["https://www.w3.org/2018/credentials/v1"],"type":["VerifiableCredential"],"issuer":"` + c.s.IDs.Issuers["vcapi"] +
		`","issuanceDate":"2026-01-01T00:00:00Z","credentialSubject":{"id":"did:example:alice"}}`
	out = c.issue("vcapi", old, "")
	var first struct {
		Context []string `json:"@context"`
	}
	if json.Unmarshal(out, &first) != nil || len(first.Context) != 2 || first.Context[1] != "https://w3id.org/security/data-integrity/v2" {
		t.Errorf("%s", out)
	}
	code, b, h = c.verify("vcapi", out)
	c.accepted("VC 1.1", code, b, h)
}

func TestVerifyRefuses(t *testing.T) {
	c := start(t)
	good := c.issue("vcapi", c.credential("vcapi", ""), "")
	for what, body := range map[string]string{
		"nothing":       `{}`,
		"null":          `{"verifiableCredential":null}`,
		"a string":      `{"verifiableCredential":"x"}`,
		"a number":      `{"verifiableCredential":7}`,
		"not secured":   `{"verifiableCredential":` + c.credential("vcapi", "") + `}`,
		"empty proof":   `{"verifiableCredential":` + c.credential("vcapi", `,"proof":{}`) + `}`,
		"no proofs":     `{"verifiableCredential":` + c.credential("vcapi", `,"proof":[]`) + `}`,
		"null proof":    `{"verifiableCredential":` + c.credential("vcapi", `,"proof":null`) + `}`,
		"proof is text": `{"verifiableCredential":` + c.credential("vcapi", `,"proof":"x"`) + `}`,
		"no created":    `{"verifiableCredential":` + dropMember(t, good, "created") + `}`,
		"no method":     `{"verifiableCredential":` + dropMember(t, good, "verificationMethod") + `}`,
		"no purpose":    `{"verifiableCredential":` + dropMember(t, good, "proofPurpose") + `}`,
		"no value":      `{"verifiableCredential":` + dropMember(t, good, "proofValue") + `}`,
		"no suite":      `{"verifiableCredential":` + dropMember(t, good, "cryptosuite") + `}`,
		"no type":       `{"verifiableCredential":` + dropMember(t, good, "type") + `}`,
		"other purpose": `{"verifiableCredential":` + strings.Replace(string(good), `"assertionMethod"`, `"authentication"`, 1) + `}`,
		"added term":    `{"verifiableCredential":` + strings.Replace(string(good), `"name":"Alice"`, `"name":"Alice","unknownTerm":"x"`, 1) + `}`,
		"added null":    `{"verifiableCredential":` + strings.Replace(string(good), `"name":"Alice"`, `"name":"Alice","description":null`, 1) + `}`,
		"added type":    `{"verifiableCredential":` + strings.Replace(string(good), `["VerifiableCredential"]`, `["VerifiableCredential","Unknown"]`, 1) + `}`,
	} {
		for _, v := range []string{"vcapi", "vc2", "eddsa-rdfc-2022", "bsl"} {
			if what == "no created" && v != "vcapi" {
				continue
			}
			code, b, h := c.post("/verifiers/"+v+"/credentials/verify", body)
			c.refused(v+": "+what, code, b, h)
		}
	}
	for what, options := range map[string]string{"another purpose": `{"expectedProofPurpose":"authentication"}`, "a domain": `{"domain":"a.example"}`,
		"a challenge": `{"challenge":"c"}`, "a number": `5`, "text": `"x"`, "an array": `[]`, "a purpose that is a number": `{"expectedProofPurpose":1}`} {
		code, b, h := c.post("/verifiers/vcapi/credentials/verify", `{"verifiableCredential":`+string(good)+`,"options":`+options+`}`)
		c.refused("options with "+what, code, b, h)
	}
	code, b, h := c.post("/verifiers/vcapi/credentials/verify", `{"verifiableCredential":`+string(good)+`,"options":{"expectedProofPurpose":"assertionMethod"}}`)
	c.accepted("the purpose that it has", code, b, h)
	for _, path := range []string{"/verifiers/vc2/presentations/verify", "/verifiers/jwt/presentations/verify", "/verifiers/bsl/presentations/verify"} {
		for _, body := range []string{`{}`, `{"verifiablePresentation":null}`, `{"verifiablePresentation":{"@context":["https://www.w3.org/ns/credentials/v2"],"type":["VerifiablePresentation"]}}`} {
			code, b, h := c.post(path, body)
			c.refused(path, code, b, h)
		}
	}
}

// A presentation may hold no credential: the suites send such ones, signed.
func TestPresentationOfNothing(t *testing.T) {
	c := start(t)
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	id, err := did.EncodeKey(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	holder := keys.Signer{KID: did.KeyID(id), Alg: keys.EdDSA, Signer: private}
	for _, more := range []string{"", `,"verifiableCredential":[]`} {
		vp, err := vc.AddProof([]byte(`{"@context":["https://www.w3.org/ns/credentials/v2"],"type":["VerifiablePresentation"],"holder":"`+id+`"`+more+`}`),
			vc.ProofOptions{Suite: vc.SuiteEdDSARDFC, Signer: holder, Purpose: vc.PurposeAuthentication, Created: time.Now(), Challenge: "c", Domain: "d"})
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range []string{"vc2", "jwt", "bsl"} {
			code, b, h := c.post("/verifiers/"+v+"/presentations/verify", `{"verifiablePresentation":`+string(vp)+`,"options":{"challenge":"c","domain":"d"}}`)
			c.accepted(v+more, code, b, h)
		}
	}
}

// dropMember takes one member out of the proof.
func dropMember(t *testing.T, signed []byte, name string) string {
	t.Helper()
	var d map[string]json.RawMessage
	var p map[string]json.RawMessage
	if json.Unmarshal(signed, &d) != nil || json.Unmarshal(d["proof"], &p) != nil || p[name] == nil {
		t.Fatalf("no proof with %s", name)
	}
	delete(p, name)
	var err error
	if d["proof"], err = json.Marshal(p); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// The status list is reachable, conforms, and its verifier looks into it.
func TestStatus(t *testing.T) {
	c := start(t)
	out := c.issue("bsl", c.credential("bsl", ""), "")
	var got struct {
		ID     string
		Status struct{ Type, StatusPurpose, StatusListIndex, StatusListCredential string } `json:"credentialStatus"`
	}
	if json.Unmarshal(out, &got) != nil || got.Status.Type != "BitstringStatusListEntry" || got.Status.StatusPurpose != "revocation" ||
		got.Status.StatusListCredential != "https://127.0.0.1:9443/status/1" {
		t.Fatalf("%s", out)
	}
	code, list, _ := c.get("/status/1", "*/*")
	if code != http.StatusOK {
		t.Fatalf("%d", code)
	}
	var l struct {
		ID, Issuer string
		Type       []string
		Subject    map[string]string `json:"credentialSubject"`
	}
	if err := json.Unmarshal(list, &l); err != nil || l.Issuer != c.s.IDs.Issuers["bsl"] || l.ID != got.Status.StatusListCredential ||
		l.Subject["type"] != "BitstringStatusList" || !strings.HasPrefix(l.Subject["encodedList"], "u") || l.Subject["statusPurpose"] != "revocation" {
		t.Errorf("%s %v", list, err)
	}
	code, b, h := c.verify("bsl", list)
	c.accepted("the list itself", code, b, h)
	code, b, h = c.verify("bsl", out)
	c.accepted("before", code, b, h)
	set := func(on string) {
		t.Helper()
		code, b, _ := c.post("/issuers/bsl/credentials/status", `{"credentialId":"`+got.ID+`","credentialStatus":{"type":"BitstringStatusListEntry","statusPurpose":"revocation"},"status":`+on+`}`)
		if code != http.StatusOK {
			t.Fatalf("%d %s", code, b)
		}
	}
	set("true")
	code, b, h = c.verify("bsl", out)
	c.refused("revoked", code, b, h)
	set("false")
	code, b, h = c.verify("bsl", out)
	c.accepted("again", code, b, h)
	for _, bad := range []string{`1`, `true`, `"x"`, `"-1"`, `"1.5"`} {
		code, b, h := c.post("/issuers/bsl/credentials/issue", `{"credential":`+c.credential("bsl",
			`,"credentialStatus":{"type":"BitstringStatusListEntry","statusPurpose":"revocation","statusListIndex":`+bad+`,"statusListCredential":"https://127.0.0.1:9443/status/1"}`)+`}`)
		c.refused("index "+bad, code, b, h)
	}
	if code, _, _ := c.post("/issuers/bsl/credentials/status", `{"credentialId":"urn:uuid:0","credentialStatus":{"type":"BitstringStatusListEntry","statusPurpose":"revocation"}}`); code != http.StatusNotFound {
		t.Errorf("an unknown credential: %d", code)
	}
}

// The resolver answers in both dialects, for raw and percent-encoded input.
func TestIdentifiers(t *testing.T) {
	c := start(t)
	id := c.s.IDs.Ed25519
	for _, path := range []string{"/identifiers/" + id, "/identifiers/" + strings.ReplaceAll(id, ":", "%3A")} {
		code, b, h := c.get(path, "application/did-resolution")
		var r struct {
			Document struct{ ID string } `json:"didDocument"`
		}
		if code != http.StatusOK || json.Unmarshal(b, &r) != nil || r.Document.ID != id || h.Get("Vary") != "Accept" {
			t.Errorf("%s: %d %s", path, code, b)
		}
	}
	for accept, path := range map[string]string{
		`application/ld+json;profile="https://w3id.org/did-resolution"`: "/identifiers/did:key:nothing",
		"application/did-resolution":                                    "/identifiers/did:",
		"application/did+json":                                          "/identifiers/",
	} {
		if code, b, _ := c.get(path, accept); code < 400 || code > 499 {
			t.Errorf("%s: %d %s", path, code, b)
		}
	}
	if code, _, _ := c.get("/identifiers/did:unknown:x", "application/did-resolution"); code != http.StatusNotImplemented {
		t.Errorf("an unknown method: %d", code)
	}
	code, b, _ := c.get("/identifiers/"+id+"%23"+strings.TrimPrefix(id, "did:key:"), `application/ld+json;profile="https://w3id.org/did-resolution"`)
	if code != http.StatusOK || !bytes.Contains(b, []byte(`"controller":"`+id+`"`)) {
		t.Errorf("a verification method: %d %s", code, b)
	}
}
