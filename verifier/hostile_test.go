package verifier

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/kinpass/kinpass/api"
	"github.com/kinpass/kinpass/internal/serve/servetest"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
)

func TestVerifierRoutesAreDescribed(t *testing.T) {
	d := newDesk(t, storetest.Open(t, store.SQLite, "verifier"))
	servetest.Described(t, d.server, "verifier")
}

// TestVerifierHostileRequests: malformed requests to every described route.
func TestVerifierHostileRequests(t *testing.T) {
	d := newDesk(t, storetest.Open(t, store.SQLite, "verifier"))
	servetest.Hostile(t, d.server, "verifier", []string{d.tokens[RoleOfficer], d.tokens[RoleAuditor]},
		func(n int) string { return fmt.Sprintf("10.%d.%d.%d:1", n>>16&255, n>>8&255, n&255) })
}

// TestExamplesAreAnswered: what the API description shows can be sent as it is.
func TestExamplesAreAnswered(t *testing.T) {
	d := newDesk(t, storetest.Open(t, store.SQLite, "verifier"))
	d.w.build(d.v)
	spec, err := openapi3.NewLoader().LoadFromData(api.Spec)
	if err != nil {
		t.Fatal(err)
	}
	post := spec.Paths.Find("/checks").Post
	examples := post.RequestBody.Value.Content.Get("application/json").Examples
	if len(examples) < 2 {
		t.Fatalf("%d examples", len(examples))
	}
	for name, e := range examples {
		body, err := json.Marshal(e.Value.Value)
		if err != nil {
			t.Fatal(err)
		}
		res := d.ask(RoleOfficer, "POST", "/checks", jsonType, body)
		if res.Code != 200 || strings.Contains(res.Body.String(), `"hints"`) {
			t.Errorf("%s: %d %.300s", name, res.Code, res.Body)
			continue
		}
		var answer any
		if err := json.Unmarshal(res.Body.Bytes(), &answer); err != nil {
			t.Fatal(err)
		}
		schema := post.Responses.Value("200").Value.Content.Get("application/json").Schema.Value
		if err := schema.VisitJSON(answer); err != nil {
			t.Errorf("%s: the answer is not as described: %v", name, err)
		}
	}
	records := d.ask(RoleAuditor, "GET", "/verifier/checks", "", nil)
	report := d.ask(RoleOfficer, "POST", "/verifier/bundles", "", nil)
	for _, x := range []struct {
		schema string
		body   []byte
	}{{"VerifierReport", report.Body.Bytes()}, {"", records.Body.Bytes()}} {
		var answer any
		if err := json.Unmarshal(x.body, &answer); err != nil {
			t.Fatal(err)
		}
		schema := spec.Paths.Find("/verifier/checks").Get.Responses.Value("200").Value.Content.Get("application/json").Schema.Value
		if x.schema != "" {
			schema = spec.Components.Schemas[x.schema].Value
		}
		if err := schema.VisitJSON(answer); err != nil {
			t.Errorf("%s: the answer is not as described: %v", x.schema, err)
		}
	}
}
