package serve

import (
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/kinpass/kinpass/api"
)

// TestBodyShapes: what fits the shape of a body is what the validator lets pass,
// and the handler gets it as it was sent.
func TestBodyShapes(t *testing.T) {
	spec, err := openapi3.NewLoader().LoadFromData(api.Spec)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	parts := []string{`{`, `}`, `[`, `]`, `,`, `:`, `"credential"`, `"credentialSubject"`, `"options"`, `"x"`, `"a\"}"`, `"\u0063redential"`, `1`, `null`, ` `, "\n", `{}`, `{"credentialSubject":{}}`}
	for path, good := range map[string]string{
		"/births":            `{"names":[{"a":"}\"{"}],"n":-1.5e3 , "t" : true}`,
		"/credentials/issue": `{"credential":{"type":["a",{"b":[]}],"credentialSubject":{"x":{"options":1}}},"options":{}}`,
	} {
		op := spec.Paths.Find(path).Post
		shape := shapeOfBody(op)
		if shape == nil {
			t.Fatalf("%s: the validator is asked about every body", path)
		}
		schema := op.RequestBody.Value.Content["application/json"].Schema.Value
		fitting := 0
		check := func(body string) {
			q := httptest.NewRequest("POST", path, strings.NewReader(body))
			q.Header.Set("Content-Type", "application/json")
			fits, err := shape.fits(q)
			if err != nil {
				t.Fatal(err)
			}
			if left, err := io.ReadAll(q.Body); err != nil || string(left) != body {
				t.Fatalf("%s became %s", body, left)
			}
			var v any
			valid := json.Unmarshal([]byte(body), &v) == nil && schema.VisitJSON(v) == nil
			if fits && !valid {
				t.Errorf("%s: fits and is not valid: %s", path, body)
			}
			if fits {
				fitting++
			}
		}
		check(good)
		if fitting != 1 {
			t.Errorf("%s: what is good does not fit", path)
		}
		for _, body := range []string{``, `{}`, `[]`, `null`, `{"credential":{}}`, `{"credential":null}`, `{"credential":{"credentialSubject":1}}`, `{"credential":{"credentialSubject":1},"options":{"a":1}}`,
			`{"credential":{"credentialSubject":1},"more":1}`, `{"credential":[],"credential":{"credentialSubject":1}}`, `{"credential":{"credentialSubject":1}} {}`, `{"credential":{"credentialSubject":1}`,
			`{"credential":{"credentialSubject":1},"options":{},"options":[]}`} {
			check(body)
		}
		for range 20_000 {
			b := []byte(good)
			for range 1 + r.IntN(2) {
				at, n := r.IntN(len(b)), r.IntN(3)
				b = append(b[:at:at], append([]byte(parts[r.IntN(len(parts))]), b[min(len(b), at+n):]...)...)
			}
			check(string(b))
		}
		if fitting < 500 {
			t.Errorf("%s: only %d fit", path, fitting)
		}
	}
	// What asks for more is left to the validator, and so is another media type.
	if shapeOfBody(spec.Paths.Find("/approvals/{id}").Post) != nil {
		t.Error("a body whose members have types has a shape")
	}
	q := httptest.NewRequest("POST", "/births", strings.NewReader(`{}`))
	q.Header.Set("Content-Type", "application/json; charset=utf-8")
	if fits, _ := shapeOfBody(spec.Paths.Find("/births").Post).fits(q); fits {
		t.Error("another media type fits")
	}
}
