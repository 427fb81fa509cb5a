package cli

import (
	"bytes"
	"crypto"
	"encoding/base64"
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
