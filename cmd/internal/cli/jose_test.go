package cli

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"
	"github.com/veraison/go-cose"

	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/internal/vectest"
)

// outcome is the result file of kinpass jose.
type outcome struct{ Result, Data string }

// runJOSE runs the command line in this process and reads what it wrote.
func runJOSE(t *testing.T, args ...string) outcome {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out.json")
	if code := quiet(t, append(append([]string{"jose"}, args...), "--output", out)...); code != 0 {
		t.Fatalf("%v ended with %d", args, code)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]string
	if err := json.Unmarshal(b, &members); err != nil || !slices.Equal(slices.Sorted(maps.Keys(members)), []string{"data", "result"}) {
		t.Fatalf("the result file has %v: %v", members, err)
	}
	return outcome{members["result"], members["data"]}
}

// TestJOSEVectors runs the W3C test suite of VC-JOSE-COSE by the command line,
// and opens what was issued with code that is not ours.
func TestJOSEVectors(t *testing.T) {
	dir := vectest.Dir(t, "vc-jose-cose")
	var tests map[string]struct {
		Number     int
		Input      string `json:"input_file"`
		Key        string `json:"key_file"`
		Step       string `json:"fn"`
		Feature    string
		Expected   string   `json:"expected_result"`
		Disclosure []string `json:"disclosure_paths"`
	}
	mustParse(t, vectest.Read(t, dir, "expectations.json"), &tests)
	passed := map[string]int{}
	for name, c := range tests {
		input, key := filepath.Join(dir, c.Input), filepath.Join(dir, c.Key)
		args := []string{c.Step, "--input", input, "--key", key, "--feature", c.Feature}
		if c.Disclosure != nil {
			sd, err := json.Marshal(c.Disclosure)
			if err != nil {
				t.Fatal(err)
			}
			args = append(args, "--sd", string(sd))
		}
		got := runJOSE(t, args...)
		if got.Result != c.Expected {
			t.Errorf("%s: %s (%s), want %s", name, got.Result, got.Data, c.Expected)
			continue
		}
		passed[c.Step+" "+c.Expected]++
		if c.Expected != "success" {
			if got.Data == "" || strings.Contains(got.Data, "example.issuer") {
				t.Errorf("%s: the reason is %q", name, got.Data)
			}
			continue
		}
		if c.Step == "verify" {
			var doc map[string]any
			mustParse(t, []byte(got.Data), &doc)
			if doc["@context"] == nil || doc["_sd"] != nil || strings.Contains(got.Data, `"..."`) {
				t.Errorf("%s: %s", name, got.Data)
			}
			continue
		}
		file := filepath.Join(t.TempDir(), "issued")
		if err := os.WriteFile(file, []byte(got.Data+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		back := runJOSE(t, "verify", "--input", file, "--key", key, "--feature", c.Feature)
		if back.Result != "success" || !sameDocument(t, []byte(back.Data), vectest.Read(t, input)) {
			t.Errorf("%s: what was issued gives %v", name, back)
		}
		byOthers(t, c.Feature, got.Data, vectest.Read(t, key), vectest.Read(t, input))
		for _, path := range c.Disclosure {
			if last := path[strings.LastIndexByte(path, '.')+1:]; strings.Contains(payloadOf(t, got.Data), `"`+last+`"`) {
				t.Errorf("%s: %s is not hidden", name, path)
			}
		}
		if n := strings.Count(got.Data, "~"); c.Disclosure != nil && n != len(c.Disclosure)+1 {
			t.Errorf("%s: %d disclosures", name, n-1)
		}
		// Anybody else's key verifies nothing of it.
		for _, other := range []string{"vm-p256.json", "vm-p384.json", "vm-p521.json", "vm-ed25519.json"} {
			if other != c.Key && (other != "vm-ed25519.json" || c.Key != "vm-did-ed25519.json") {
				if r := runJOSE(t, "verify", "--input", file, "--key", filepath.Join(dir, other), "--feature", c.Feature); r.Result != "failure" {
					t.Errorf("%s with %s: %v", name, other, r)
				}
			}
		}
		// And it is nothing else than it says.
		for _, other := range securings() {
			if other != c.Feature {
				if r := runJOSE(t, "verify", "--input", file, "--key", key, "--feature", other); r.Result != "failure" {
					t.Errorf("%s as %s: %v", name, other, r)
				}
			}
		}
	}
	t.Logf("%d tests: %v", len(tests), passed)
	want := map[string]int{"issue success": 9, "issue failure": 1, "verify success": 8, "verify failure": 17}
	if len(tests) != 35 || !maps.Equal(passed, want) {
		t.Errorf("%d tests, passed %v, want 35 and %v", len(tests), passed, want)
	}
}

// byOthers opens what was issued with jwx and go-cose.
func byOthers(t *testing.T, feature, data string, keyFile, document []byte) {
	t.Helper()
	var method struct {
		ID  string          `json:"id"`
		JWK json.RawMessage `json:"publicKeyJwk"`
	}
	mustParse(t, keyFile, &method)
	key, err := jwk.ParseKey(method.JWK)
	if err != nil {
		t.Fatal(err)
	}
	kind := map[bool]string{true: "vc", false: "vp"}[strings.HasPrefix(feature, "credential")]
	if strings.HasSuffix(feature, "cose") {
		raw, err := base64.StdEncoding.DecodeString(data)
		if err != nil {
			t.Fatal(err)
		}
		var m cose.Sign1Message
		if err := m.UnmarshalCBOR(raw); err != nil {
			t.Fatal(err)
		}
		alg, err := m.Headers.Protected.Algorithm()
		if err != nil {
			t.Fatal(err)
		}
		var pub crypto.PublicKey
		if err := jwk.Export(key, &pub); err != nil {
			t.Fatal(err)
		}
		v, err := cose.NewVerifier(alg, pub)
		if err != nil {
			t.Fatal(err)
		}
		h := m.Headers.Protected
		if err := m.Verify(nil, v); err != nil || !bytes.Equal(m.Payload, bytes.TrimSpace(document)) ||
			h[cose.HeaderLabelContentType] != "application/"+kind || string(h[cose.HeaderLabelKeyID].([]byte)) != method.ID {
			t.Errorf("%s by go-cose: %v, headers %v", feature, err, h)
		}
		return
	}
	compact, _, sd := strings.Cut(data, "~")
	alg, ok := key.Algorithm()
	if !ok {
		t.Fatal("no algorithm")
	}
	payload, err := jws.Verify([]byte(compact), jws.WithKey(alg, key))
	if err != nil || !sd && !bytes.Equal(payload, bytes.TrimSpace(document)) {
		t.Errorf("%s by jwx: %v", feature, err)
	}
	m, err := jws.Parse([]byte(compact))
	if err != nil {
		t.Fatal(err)
	}
	h := m.Signatures()[0].ProtectedHeaders()
	typ, _ := h.Type()
	cty, _ := h.ContentType()
	kid, _ := h.KeyID()
	if want := map[bool]string{true: kind + "+sd-jwt", false: kind + "+jwt"}[sd]; typ != want || cty != kind || kid != method.ID {
		t.Errorf("%s: typ %s, cty %s, kid %s", feature, typ, cty, kid)
	}
}

// payloadOf gives the payload of a compact JWS or SD-JWT, else the text.
func payloadOf(t *testing.T, data string) string {
	t.Helper()
	if p := strings.Split(data, "."); len(p) >= 3 {
		b, err := base64.RawURLEncoding.DecodeString(p[1])
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	return data
}

func sameDocument(t *testing.T, a, b []byte) bool {
	t.Helper()
	var x, y any
	mustParse(t, a, &x)
	mustParse(t, b, &y)
	xs, err := json.Marshal(x)
	if err != nil {
		t.Fatal(err)
	}
	ys, err := json.Marshal(y)
	return err == nil && bytes.Equal(xs, ys)
}

// joseKey is a key of a test, and its file.
type joseKey struct {
	keys.Signer
	file string
}

// newJOSEKey makes a key for an algorithm as a verification method.
func newJOSEKey(t *testing.T, alg string) joseKey {
	t.Helper()
	file := filepath.Join(t.TempDir(), "key.json")
	if err := jwkTool([]string{alg, file}); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	k, err := vc.ParseKeyFile(b)
	if err != nil {
		t.Fatal(err)
	}
	s, ok := k.Signer()
	if !ok {
		t.Fatal("no private half")
	}
	return joseKey{s, file}
}

func inFile(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "input")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

const (
	joseCredential = `{"@context":["https://www.w3.org/ns/credentials/v2"],"id":"urn:uuid:3978344f-8596-4c3a-a978-8fcaba3903c5",` +
		`"type":["VerifiableCredential"],"issuer":"https://issuer.example/a","credentialSubject":{"id":"did:example:a","name":"SECRET"}}`
	josePresentation = `{"@context":["https://www.w3.org/ns/credentials/v2"],"type":["VerifiablePresentation"],"holder":"https://issuer.example/a",` +
		`"verifiableCredential":[{"@context":"https://www.w3.org/ns/credentials/v2","type":"EnvelopedVerifiableCredential","id":"data:application/vc+jwt,eyJhIjoiU0VDUkVUIn0.e30.AAAA"}]}`
)

// securedBy signs any text as a feature, without the checks of the command.
func securedBy(t *testing.T, feature string, k keys.Signer, text string) string {
	t.Helper()
	f, err := parseSecuring(feature)
	if err != nil {
		t.Fatal(err)
	}
	var out string
	switch f.form {
	case "jose":
		out, err = vc.SignJOSE(k, f.typ(), f.cty(), []byte(text))
	case "sdjwt":
		out, err = vc.SignSDJWT(k, f.typ(), f.cty(), []byte(text), nil)
	default:
		var b []byte
		b, err = vc.SignCOSE(k, f.media(), []byte(text))
		out = base64.StdEncoding.EncodeToString(b)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestJOSEDocuments: what is no credential or presentation is refused when it is
// to be signed, and when it comes with a signature that is right.
func TestJOSEDocuments(t *testing.T) {
	k := newJOSEKey(t, keys.ES384)
	deep := strings.Repeat(`{"a":`, 60) + "1" + strings.Repeat("}", 60)
	type change struct{ from, to, code string }
	both := map[string]change{
		"claim vc":             {`{"@context"`, `{"vc":{},"@context"`, "model-claims"},
		"claim vp":             {`{"@context"`, `{"vp":"SECRET","@context"`, "model-claims"},
		"iss of somebody else": {`{"@context"`, `{"iss":"https://issuer.example/SECRET","@context"`, "model-claims"},
		"iss a number":         {`{"@context"`, `{"iss":1,"@context"`, "model-claims"},
		"exp a text":           {`{"@context"`, `{"exp":"SECRET","@context"`, "model-claims"},
		"a proof inside":       {`{"@context"`, `{"proof":{"type":"DataIntegrityProof"},"@context"`, "model-claims"},
		"unknown property":     {`{"@context"`, `{"SECRET":1,"@context"`, "model-property-unknown"},
		"property in case":     {`{"@context"`, `{"Issuer":"x","@context"`, ""},
		"no context":           {`"@context":["https://www.w3.org/ns/credentials/v2"],`, ``, "model-context-missing"},
		"context of 1.1":       {`credentials/v2"],"`, `credentials/v1"],"`, ""},
		"context unknown":      {`credentials/v2"],"`, `credentials/v2","https://secret.example/SECRET"],"`, ""},
		"type missing":         {`"type":["Verifiable`, `"name":["Verifiable`, "model-type-missing"},
		"type undefined":       {`"type":[`, `"type":["SECRET",`, ""},
		"a member twice":       {`{"@context"`, `{"type":1,"type":1,"@context"`, "json-duplicate-member"},
		"too deep":             {`{"@context"`, `{"evidence":` + deep + `,"@context"`, "json-deep"},
		"cut":                  {`"]`, `"`, "json-invalid"},
		"no UTF-8":             {`{"@context"`, "{\"name\":\"\xff\",\"@context\"", "json-invalid"},
	}
	only := map[string]map[string]change{
		joseCredential: {
			"no issuer":         {`"issuer":"https://issuer.example/a",`, ``, "model-issuer"},
			"issuer null":       {`"issuer":"https://issuer.example/a"`, `"issuer":null`, "model-issuer"},
			"issuer without id": {`"issuer":"https://issuer.example/a"`, `"issuer":{"name":"SECRET"}`, "model-issuer"},
			"subject empty":     {`{"id":"did:example:a","name":"SECRET"}`, `{}`, "model-subject-empty"},
			"subject a text":    {`{"id":"did:example:a","name":"SECRET"}`, `"SECRET"`, "model-subject"},
			"id not a URL":      {`urn:uuid:3978344f-8596-4c3a-a978-8fcaba3903c5`, `SECRET`, "model-id"},
			"time without zone": {`"issuer"`, `"validFrom":"2026-01-01T00:00:00","issuer"`, "model-timestamp"},
			"ends first":        {`"issuer"`, `"validFrom":"2026-01-02T00:00:00Z","validUntil":"2026-01-01T00:00:00Z","issuer"`, "model-period"},
			"undefined term":    {`"name":"SECRET"`, `"SECRET":1`, ""},
			"a holder":          {`"issuer"`, `"holder":"https://issuer.example/a","issuer"`, "model-property-unknown"},
			"sub of another":    {`{"@context"`, `{"sub":"did:example:SECRET","@context"`, "model-claims"},
			"jti of another":    {`{"@context"`, `{"jti":"urn:SECRET","@context"`, "model-claims"},
		},
		josePresentation: {
			"a credential as it is":     {`{"@context":"https://www.w3.org/ns/credentials/v2","type":"EnvelopedVerifiableCredential"`, `{"@context":"https://www.w3.org/ns/credentials/v2","type":"VerifiableCredential"`, "model-envelope"},
			"a JWT as text":             {`[{"@context":"https://www.w3.org/ns/credentials/v2","type":"EnvelopedVerifiableCredential","id":"data:application/vc+jwt,eyJhIjoiU0VDUkVUIn0.e30.AAAA"}]`, `["eyJhIjoiU0VDUkVUIn0.e30.AAAA"]`, "model-contained"},
			"an enveloped presentation": {`EnvelopedVerifiableCredential`, `EnvelopedVerifiablePresentation`, "model-envelope"},
			"a URL that is no data":     {`data:application/vc+jwt,`, `https://secret.example/`, "model-envelope"},
			"no URL":                    {`data:application/vc+jwt,eyJhIjoiU0VDUkVUIn0.e30.AAAA`, `bad-credential`, "model-envelope"},
			"data of another type":      {`data:application/vc+jwt,`, `data:text/plain,`, "model-envelope"},
			"data of JSON":              {`data:application/vc+jwt,`, `data:application/vc,`, "model-envelope"},
			"empty data":                {`data:application/vc+jwt,eyJhIjoiU0VDUkVUIn0.e30.AAAA`, `data:application/vc+jwt,`, "model-envelope"},
			"a claim beside the data":   {`"type":"EnvelopedVerifiableCredential"`, `"name":"SECRET","type":"EnvelopedVerifiableCredential"`, "model-envelope"},
			"the data's context":        {`{"@context":"https://www.w3.org/ns/credentials/v2","type"`, `{"@context":"https://www.w3.org/ns/credentials/v1","type"`, "model-envelope"},
			"holder a number":           {`"holder":"https://issuer.example/a"`, `"holder":1`, "model-holder"},
			"an issuer":                 {`"holder"`, `"issuer":"https://issuer.example/a","holder"`, "model-property-unknown"},
		},
	}
	refusals := 0
	for _, doc := range []string{joseCredential, josePresentation} {
		what := map[bool]string{true: "credential_", false: "presentation_"}[doc == joseCredential]
		changes := maps.Clone(both)
		maps.Copy(changes, only[doc])
		for _, form := range []string{"jose", "cose", "sdjwt"} {
			feature := what + form
			if got := runJOSE(t, "issue", "--input", inFile(t, " "+doc+"\n"), "--key", k.file, "--feature", feature); got.Result != "success" {
				t.Fatalf("%s: %v", feature, got)
			}
			if got := runJOSE(t, "verify", "--input", inFile(t, securedBy(t, feature, k.Signer, doc)), "--key", k.file, "--feature", feature); got.Result != "success" {
				t.Fatalf("%s: %v", feature, got)
			}
			// Of another kind, with the names of this one.
			other := map[string]string{joseCredential: josePresentation, josePresentation: joseCredential}[doc]
			whole := map[string]string{
				"the other kind": other, "a list": "[" + doc + "]", "a text": `"SECRET"`, "null": "null", "nothing": " ", "two": doc + doc,
				"a byte order mark": "\ufeff" + doc, "a JWS": securedBy(t, what+"jose", k.Signer, doc), "large": strings.Replace(doc, `{"@context"`, `{"name":"`+strings.Repeat("A", 2<<20)+`","@context"`, 1),
			}
			for name, c := range changes {
				if whole[name] = strings.Replace(doc, c.from, c.to, 1); whole[name] == doc {
					t.Fatalf("%s changes nothing", name)
				}
			}
			for name, text := range whole {
				refused := func(step, input, code string) {
					got := runJOSE(t, step, "--input", inFile(t, input), "--key", k.file, "--feature", feature)
					if got.Result != "failure" || strings.Contains(got.Data, "SECRET") || got.Data == "" {
						t.Errorf("%s %s, %s: %v", step, feature, name, got)
					}
					// SD-JWT has readers of its own before the model's, so that JSON
					// which is no JSON is found by them.
					if code != "" && !strings.HasPrefix(got.Data, code+":") && !(form == "sdjwt" && step == "verify" && strings.HasPrefix(code, "json-")) {
						t.Errorf("%s %s, %s: %s, want %s", step, feature, name, got.Data, code)
					}
					refusals++
				}
				code := changes[name].code
				if name == "large" {
					code = "jose-input-large"
				}
				refused("issue", text, code)
				if name != "nothing" && name != "large" {
					refused("verify", securedBy(t, feature, k.Signer, text), code)
				}
				if name != "a JWS" {
					refused("verify", text, "") // without any signature
				}
			}
			// The clock is the caller's business.
			over := strings.Replace(doc, `{"@context"`, `{"exp":1,"nbf":99999999999,"@context"`, 1)
			if got := runJOSE(t, "verify", "--input", inFile(t, securedBy(t, feature, k.Signer, over)), "--key", k.file, "--feature", feature); got.Result != "success" || !strings.Contains(got.Data, `"exp":1`) {
				t.Errorf("%s, expired: %v", feature, got)
			}
		}
	}
	t.Logf("%d refusals", refusals)
}

// TestJOSESecuredRefuses: the document is right, and what it is wrapped in is
// not.
func TestJOSESecuredRefuses(t *testing.T) {
	k, other := newJOSEKey(t, keys.ES256), newJOSEKey(t, keys.ES256)
	foreign, bare := k.Signer, k.Signer
	foreign.KID = "https://stranger.example/keys#key-1"
	bare.KID = "key-1"
	jose := securedBy(t, "credential_jose", k.Signer, joseCredential)
	p := strings.Split(jose, ".")
	coseText := securedBy(t, "credential_cose", k.Signer, joseCredential)
	raw, err := base64.StdEncoding.DecodeString(coseText)
	if err != nil {
		t.Fatal(err)
	}
	cwt := func(issuer string) string {
		signer, err := cose.NewSigner(cose.AlgorithmES256, k.Signer.Signer)
		if err != nil {
			t.Fatal(err)
		}
		b, err := cose.Sign1(rand.Reader, signer, cose.Headers{Protected: cose.ProtectedHeader{
			cose.HeaderLabelAlgorithm: cose.AlgorithmES256, cose.HeaderLabelContentType: "application/vc", cose.HeaderLabelCWTClaims: cose.CWTClaims{1: issuer},
		}}, []byte(joseCredential), nil)
		if err != nil {
			t.Fatal(err)
		}
		return base64.StdEncoding.EncodeToString(b)
	}
	payload, disclosures, err := vc.MakeSDJWT([]byte(joseCredential), []string{"/credentialSubject/name", "/issuer"}, vc.SDOptions{})
	if err != nil {
		t.Fatal(err)
	}
	sd, err := vc.SignSDJWT(k.Signer, vc.TypCredentialSD, "vc", payload, disclosures)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(sd, "~")
	typed := func(typ, cty string) string {
		out, err := vc.SignJOSE(k.Signer, typ, cty, []byte(joseCredential))
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	// Padded to a length that leaves bits over.
	loose := func(text string) string {
		text = strings.TrimRight(text, "=")
		if len(text)%4 == 0 {
			return ""
		}
		last := text[len(text)-1]
		return text[:len(text)-1] + string(last+1)
	}
	for name, c := range map[string]struct{ feature, input, code string }{
		"JOSE of a stranger":             {"credential_jose", securedBy(t, "credential_jose", signAs(other, k.KID), joseCredential), "signature-invalid"},
		"SD-JWT of a stranger":           {"credential_sdjwt", securedBy(t, "credential_sdjwt", signAs(other, k.KID), joseCredential), "signature-invalid"},
		"JOSE, changed":                  {"credential_jose", p[0] + "." + strings.Replace(p[1], p[1][30:34], "AAAA", 1) + "." + p[2], "signature-invalid"},
		"JOSE, kid of another":           {"credential_jose", securedBy(t, "credential_jose", foreign, joseCredential), "jose-method"},
		"JOSE, JSON serialization":       {"credential_jose", `{"payload":"` + p[1] + `","protected":"` + p[0] + `","signature":"` + p[2] + `"}`, "jws-malformed"},
		"JOSE, a space":                  {"credential_jose", jose + " ", "jws-malformed"},
		"JOSE, a line end within":        {"credential_jose", p[0] + "." + p[1] + "\n." + p[2], "jws-malformed"},
		"JOSE, typ JWT":                  {"credential_jose", typed("JWT", ""), "jws-type"},
		"JOSE, typ of the trust list":    {"credential_jose", typed(vc.TypTrustList, ""), "jws-type"},
		"JOSE, cty vp":                   {"credential_jose", typed(vc.TypCredential, "vp"), "jws-content-type"},
		"JOSE, an SD-JWT":                {"credential_jose", sd, "jws-malformed"},
		"JOSE, a URL":                    {"credential_jose", "data:application/vc+jwt," + jose, "jws-malformed"},
		"COSE of a stranger":             {"credential_cose", securedBy(t, "credential_cose", signAs(other, k.KID), joseCredential), "signature-invalid"},
		"COSE, kid of another":           {"credential_cose", securedBy(t, "credential_cose", foreign, joseCredential), "jose-method"},
		"COSE, iss of another":           {"credential_cose", cwt("https://stranger.example"), "jose-issuer"},
		"COSE, changed":                  {"credential_cose", base64.StdEncoding.EncodeToString(bytes.Replace(raw, []byte("SECRET"), []byte("SECREt"), 1)), "signature-invalid"},
		"COSE, untagged":                 {"credential_cose", base64.StdEncoding.EncodeToString(raw[1:]), "cose-malformed"},
		"COSE, raw":                      {"credential_cose", string(raw), "cose-base64"},
		"COSE, hex":                      {"credential_cose", hex.EncodeToString(append(raw, raw[:len(raw)%2]...)), "cose-malformed"},
		"COSE, the other alphabet":       {"credential_cose", strings.Map(urlAlphabet, coseText) + "_", "cose-base64"},
		"COSE, a space":                  {"credential_cose", coseText + " ", "cose-base64"},
		"COSE, a line end within":        {"credential_cose", coseText[:76] + "\n" + coseText[76:], "cose-base64"},
		"COSE, padded twice":             {"credential_cose", coseText + "=", "cose-base64"},
		"COSE, a URL":                    {"credential_cose", "data:application/vc+cose;base64," + coseText, "cose-base64"},
		"COSE, nothing":                  {"credential_cose", "", "cose-malformed"},
		"SD-JWT, kid of another":         {"credential_sdjwt", securedBy(t, "credential_sdjwt", foreign, joseCredential), "jose-method"},
		"SD-JWT, one tilde less":         {"credential_sdjwt", parts[0], "sd-jwt-malformed"},
		"SD-JWT, a JWT":                  {"credential_sdjwt", jose + "~", "jws-type"},
		"SD-JWT, no issuer shown":        {"credential_sdjwt", parts[0] + "~" + parts[1] + "~", "model-issuer"},
		"SD-JWT, a disclosure changed":   {"credential_sdjwt", parts[0] + "~" + base64.RawURLEncoding.EncodeToString([]byte(`["c2FsdA","name","SECRET"]`)) + "~", "sd-jwt-disclosure-stray"},
		"SD-JWT, a disclosure twice":     {"credential_sdjwt", parts[0] + "~" + parts[1] + "~" + parts[1] + "~", "sd-jwt-disclosure-twice"},
		"SD-JWT, a key binding":          {"credential_sdjwt", sd + jose, "key-binding-unexpected"},
		"SD-JWT of SD-JWT VC":            {"credential_sdjwt", typed(vc.TypSDJWTVC, "") + "~", "jws-type"},
		"JOSE of a presentation":         {"credential_jose", securedBy(t, "presentation_jose", k.Signer, josePresentation), "jws-type"},
		"COSE of a presentation":         {"credential_cose", securedBy(t, "presentation_cose", k.Signer, josePresentation), "cose-content-type"},
		"SD-JWT of a presentation":       {"credential_sdjwt", securedBy(t, "presentation_sdjwt", k.Signer, josePresentation), "jws-type"},
		"presentation of a stranger":     {"presentation_jose", securedBy(t, "presentation_jose", signAs(other, k.KID), josePresentation), "signature-invalid"},
		"presentation, kid of another":   {"presentation_jose", securedBy(t, "presentation_jose", foreign, josePresentation), "jose-method"},
		"credential as a presentation":   {"presentation_cose", coseText, "cose-content-type"},
		"COSE, bits over":                {"credential_cose", loose(base64.StdEncoding.EncodeToString(append(raw, 0))), "cose-base64"},
		"COSE, bits over, one byte less": {"credential_cose", loose(base64.StdEncoding.EncodeToString(raw[:len(raw)-1])), "cose-base64"},
		"COSE, bits over, two less":      {"credential_cose", loose(base64.StdEncoding.EncodeToString(raw[:len(raw)-2])), "cose-base64"},
	} {
		if c.input == "" && strings.Contains(name, "bits over") {
			continue // that length leaves none; two of the three do
		}
		got := runJOSE(t, "verify", "--input", inFile(t, c.input), "--key", k.file, "--feature", c.feature)
		if got.Result != "failure" || !strings.HasPrefix(got.Data, c.code+":") || strings.Contains(got.Data, "SECRE") {
			t.Errorf("%s: %v, want %s", name, got, c.code)
		}
	}
	for name, c := range map[string]struct{ feature, input string }{
		"JOSE":                    {"credential_jose", jose + "\r\n"},
		"JOSE, kid no URL":        {"credential_jose", securedBy(t, "credential_jose", bare, joseCredential)},
		"JOSE, no kid":            {"credential_jose", securedBy(t, "credential_jose", signAs(k, ""), joseCredential)},
		"COSE":                    {"credential_cose", coseText + "\n"},
		"COSE, not padded":        {"credential_cose", strings.TrimRight(coseText, "=")},
		"COSE, iss of the issuer": {"credential_cose", cwt("https://issuer.example/a")},
		"SD-JWT":                  {"credential_sdjwt", sd},
		"SD-JWT, name hidden":     {"credential_sdjwt", parts[0] + "~" + parts[2] + "~"},
	} {
		if got := runJOSE(t, "verify", "--input", inFile(t, c.input), "--key", k.file, "--feature", c.feature); got.Result != "success" {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func signAs(k joseKey, kid string) keys.Signer {
	k.Signer.KID = kid
	return k.Signer
}

func urlAlphabet(r rune) rune {
	switch r {
	case '+':
		return '-'
	case '/':
		return '_'
	case '=':
		return -1
	}
	return r
}

// TestJOSEUsage: a result is written, or the exit code says why not.
func TestJOSEUsage(t *testing.T) {
	k := newJOSEKey(t, keys.EdDSA)
	dir := t.TempDir()
	out := filepath.Join(dir, "out.json")
	good := inFile(t, joseCredential)
	var method map[string]json.RawMessage
	b, err := os.ReadFile(k.file)
	if err != nil {
		t.Fatal(err)
	}
	mustParse(t, b, &method)
	public := inFile(t, string(method["publicKeyJwk"]))
	with := func(pairs ...string) []string {
		args := map[string]string{"input": good, "key": k.file, "feature": "credential_jose", "output": out}
		for i := 0; i+1 < len(pairs); i += 2 {
			args[pairs[i]] = pairs[i+1]
		}
		cmd := []string{"jose", "issue"}
		for _, name := range slices.Sorted(maps.Keys(args)) {
			if args[name] != "-" {
				cmd = append(cmd, "--"+name, args[name])
			}
		}
		return cmd
	}
	for name, c := range map[string]struct {
		args []string
		want int
	}{
		"no input":              {with("input", "-"), 2},
		"no key":                {with("key", "-"), 2},
		"no feature":            {with("feature", "-"), 2},
		"no output":             {with("output", "-"), 2},
		"unknown feature":       {with("feature", "credential_pgp"), 2},
		"half a feature":        {with("feature", "credential"), 2},
		"empty feature":         {with("feature", "_"), 2},
		"--sd with JOSE":        {with("sd", `["issuer"]`), 2},
		"--sd no JSON":          {with("feature", "credential_sdjwt", "sd", "issuer"), 2},
		"--sd an object":        {with("feature", "credential_sdjwt", "sd", `{"issuer":1}`), 2},
		"--sd when verifying":   {[]string{"jose", "verify", "--input", good, "--key", k.file, "--feature", "credential_sdjwt", "--sd", "[]", "--output", out}, 2},
		"an argument":           {append(with(), "more"), 2},
		"another step":          {append([]string{"jose", "guess"}, with()[2:]...), 2},
		"no such input":         {with("input", filepath.Join(dir, "nowhere")), 1},
		"input a directory":     {with("input", dir), 1},
		"no such key":           {with("key", filepath.Join(dir, "nowhere")), 1},
		"key not JSON":          {with("key", inFile(t, "-----BEGIN PRIVATE KEY-----")), 1},
		"key too large":         {with("key", inFile(t, strings.Repeat(" ", 20<<10))), 1},
		"key of other halves":   {with("key", inFile(t, strings.Replace(string(b), `"publicKeyJwk": {`, `"publicKeyJwk": {"kid":"x",`, 1))), 1},
		"public key to sign":    {with("key", public), 1},
		"output in no dir":      {with("output", filepath.Join(dir, "nowhere", "out.json")), 1},
		"output is a directory": {with("output", dir), 1},
	} {
		if got := quiet(t, c.args...); got != c.want {
			t.Errorf("%s: ended with %d, want %d", name, got, c.want)
		}
		if _, err := os.Stat(out); err == nil {
			t.Fatalf("%s: a result was written", name)
		}
	}
	// A key that cannot decide anything decides nothing.
	for name, jwk := range map[string]string{
		"RSA":       `{"kty":"RSA","n":"AQAB","e":"AQAB"}`,
		"secp256k1": `{"kty":"EC","crv":"secp256k1","x":"eb5mfvncu6xVoGKVzocLBwKb_NstzijZWfKBWxb4F5g","y":"SDradyajxGVdpPv8DhEIqP0XtEimhVQZnEfQj_sQ1Lg"}`,
		"X25519":    `{"kty":"OKP","crv":"X25519","x":"hSDwCYkwp1R0i33ctD73Wg2_Og0mOBr066SpjqqbTmo"}`,
	} {
		if got := runJOSE(t, "verify", "--input", good, "--key", inFile(t, jwk), "--feature", "credential_jose"); got.Result != "indeterminate" {
			t.Errorf("a key of %s: %v", name, got)
		}
	}
	for name, paths := range map[string]string{
		"what is not there": `["credentialSubject.nothing"]`, "an index that is not there": `["type[4]"]`, "an empty name": `["credentialSubject..name"]`,
		"nothing": `[""]`, "twice": `["issuer","issuer"]`, "half an index": `["type[0"]`,
	} {
		if got := runJOSE(t, "issue", "--input", good, "--key", k.file, "--feature", "credential_sdjwt", "--sd", paths); got.Result != "failure" {
			t.Errorf("hiding %s: %v", name, got)
		}
	}
	// A public JWK verifies what the private one signed.
	signed := runJOSE(t, "issue", "--input", good, "--key", k.file, "--feature", "credential_cose")
	if got := runJOSE(t, "verify", "--input", inFile(t, signed.Data), "--key", public, "--feature", "credential_cose"); got.Result != "success" || got.Data != joseCredential {
		t.Errorf("by the public JWK: %v", got)
	}
}
