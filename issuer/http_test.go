package issuer_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image/png"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/api"
	"github.com/kinpass/kinpass/internal/qr"
	"github.com/kinpass/kinpass/internal/serve/servetest"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/issuer"
)

func TestRoutesAreDescribed(t *testing.T) {
	o := openOffice(t, storetest.Open(t, store.SQLite, "issuer"))
	// A tile's path has as many parts as its number asks for, which a description
	// cannot say: it is told beside the checkpoint.
	servetest.Described(t, o.srv, "issuer", "/ledger/tile/")
}

func TestHostileRequests(t *testing.T) {
	o := openOffice(t, storetest.Open(t, store.SQLite, "issuer"))
	servetest.Hostile(t, o.srv, "issuer", []string{o.tokens["rita"], o.tokens["audra"]},
		func(n int) string { return fmt.Sprintf("10.%d.%d.%d:1", n>>16&255, n>>8&255, n&255) })
}

// Every route but the public ones asks for a token, and for one that is in
// force.
func TestRoutesAskForToken(t *testing.T) {
	o := openOffice(t, storetest.Open(t, store.SQLite, "issuer"))
	gone, tok, err := o.db.AddToken(t.Context(), "gone", issuer.RoleRegistrar, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if err := o.db.RevokeToken(t.Context(), tok.ID); err != nil {
		t.Fatal(err)
	}
	over, _, err := o.db.AddToken(t.Context(), "over", issuer.RoleRegistrar, o.now())
	if err != nil {
		t.Fatal(err)
	}
	public := []string{"GET /.well-known/", "GET /offers/", "POST /paper", "POST /consent-status", "POST /token", "POST /nonce", "POST /credential", "GET /status",
		"POST /ledger/proofs", "GET /ledger/checkpoint", "GET /ledger/tile/", "GET /ledger/key", "GET /ledger/survivors/", "GET /trust-list", "GET /schemas/", "GET /vct/", "GET /context/", "GET /healthz", "GET /readyz", "GET /metrics"}
	bodies := map[string]string{"/births": "{}", "/guardianships": "{}", "/births/{id}/corrections": "{}", "/guardianships/{id}/corrections": "{}",
		"/births/{id}/release": `{"decision":"issue"}`, "/guardianships/{id}/release": `{"decision":"issue"}`, "/approvals/{id}": `{"decision":"approve"}`, "/offers": `{"guardianship":"x"}`,
		"/reissue-requests":   `{"request":"x"}`,
		"/consents":           `{"birth":"x","guardianships":["x"],"consents":["x"]}`,
		"/credentials/issue":  `{"credential":{"credentialSubject":{}}}`,
		"/credentials/derive": `{"verifiableCredential":{},"options":{"selectivePointers":[]}}`}
	asked := 0
	for _, op := range servetest.Operations(t, "issuer") {
		method, path, _ := strings.Cut(op, " ")
		if op == "GET /overrides" || op == "GET /overrides/{n}" {
			continue // for every hub; the register of them asks for a token
		}
		if slices.ContainsFunc(public, func(p string) bool {
			return strings.HasPrefix(op, p) && op != "POST /credentials" && !strings.HasPrefix(op, "GET /statistics")
		}) {
			if !strings.HasPrefix(op, "POST /credentials/") {
				continue
			}
		}
		asked++
		body := bodies[path]
		if method == "POST" && body == "" {
			body = `{"reason":"fraud"}`
		}
		at := strings.Replace(path, "{id}", "x", 1)
		if op == "GET /births" || op == "GET /guardianships" {
			at += "?state=held"
		}
		if strings.HasSuffix(path, "/paper") {
			at += "?guardianship=x"
		}
		for what, headers := range map[string][]string{
			"no token":      nil,
			"unknown":       {"Authorization", "Bearer kinpass_" + ref()},
			"not a token":   {"Authorization", "Bearer x"},
			"revoked":       {"Authorization", "Bearer " + gone},
			"over":          {"Authorization", "Bearer " + over},
			"basic":         {"Authorization", "Basic " + o.tokens["rita"]},
			"two":           {"Authorization", "Bearer " + o.tokens["rita"], "Authorization", "Bearer " + o.tokens["rita"]},
			"in the cookie": {"Cookie", "token=" + o.tokens["rita"]},
		} {
			a := o.send(method, at, body, append(headers, "Content-Type", "application/json")...)
			if a.status != 401 || !strings.Contains(a.body, "problems/token-invalid") || a.head("WWW-Authenticate") == "" {
				t.Errorf("%s, %s: %d %s", op, what, a.status, a.body)
			}
		}
	}
	if asked < 15 {
		t.Errorf("only %d operations ask for a token", asked)
	}
}

// What each role gets from each route. The record exists; only the role
// decides.
func TestRoles(t *testing.T) {
	o := openOffice(t, storetest.Open(t, store.SQLite, "issuer"))
	childRef, b, g := o.family()
	_, family := person(childRef)
	var r issuer.Record
	o.call("GET", "/births/"+b, "rita", "").want(200).into(&r)
	credential := r.Credentials[0].ID
	type want map[string]int // by name; who is not listed gets 403
	for name, x := range map[string]struct {
		method, path string
		body         func() string
		want         want
	}{
		"register birth":        {"POST", "/births", func() string { return birthOf(ref()) }, want{"rita": 201}},
		"register guardianship": {"POST", "/guardianships", func() string { return guardianshipOf(childRef) }, want{"rita": 409, "carla": 409, "paula": 409}},
		"read birth":            {"GET", "/births/" + b, nil, want{"rita": 200, "carla": 200, "paula": 200}},
		"read guardianship":     {"GET", "/guardianships/" + g, nil, want{"rita": 200, "carla": 200, "paula": 200}},
		"paper":                 {"GET", "/births/" + b + "/paper?guardianship=" + g, nil, want{"rita": 200, "carla": 200, "paula": 200}},
		"approvals":             {"GET", "/approvals", nil, want{"rita": 200, "carla": 200, "paula": 200}},
		"statistics":            {"GET", "/statistics", nil, want{"rita": 200, "carla": 200, "paula": 200, "audra": 200}},
		"credential":            {"GET", "/credentials/" + credential, nil, want{"rita": 200, "carla": 200, "paula": 200}},
		"offer":                 {"POST", "/offers", func() string { return fmt.Sprintf(`{"guardianship":%q}`, g) }, want{"rita": 201, "carla": 201, "paula": 201}},
		"correct birth":         {"POST", "/births/" + b + "/corrections", func() string { return "{}" }, want{"rita": 422}},
		"release":               {"POST", "/births/" + b + "/release", func() string { return `{"decision":"issue"}` }, want{"rita": 409}},
		"reinstate":             {"POST", "/credentials/" + credential + "/reinstate", func() string { return `{"reason":"resolved"}` }, want{"rita": 200, "carla": 200, "paula": 200}},
		"erase":                 {"POST", "/credentials/" + credential + "/erase", func() string { return `{"reason":"request"}` }, want{"rita": 409}},
		"revoke":                {"POST", "/credentials/" + credential + "/revoke", func() string { return `{"reason":"fraud"}` }, want{"rita": 202, "carla": 202}},
	} {
		for _, who := range []string{"rita", "carla", "paula", "audra"} {
			body := ""
			if x.body != nil {
				body = x.body()
			}
			a := o.call(x.method, x.path, who, body)
			status, listed := x.want[who]
			if !listed {
				a.want(403, "not-allowed").without(family, credential, childRef)
				continue
			}
			if a.status != status {
				t.Errorf("%s by %s: %d %s", name, who, a.status, a.body)
			}
			if who == "audra" {
				a.without(family, childRef)
			}
		}
	}
}

// A refused record is refused field by field, and nothing of it comes back.
func TestRefusedRecords(t *testing.T) {
	o := openOffice(t, storetest.Open(t, store.SQLite, "issuer"))
	childRef := ref()
	given, family := person(childRef)
	for name, x := range map[string]struct{ path, body, at string }{
		"birth without names":       {"/births", strings.Replace(birthOf(childRef), `"names":[{"kind":"legal"`, `"nomes":[{"kind":"legal"`, 1), "fields"},
		"birth in the future":       {"/births", strings.Replace(birthOf(childRef), "2019-03-05", "2031-03-05", 1), "/birthDate"},
		"birth on 30 February":      {"/births", strings.Replace(birthOf(childRef), "2019-03-05", "2019-02-30", 1), "/birthDate"},
		"birth of text sex":         {"/births", strings.Replace(birthOf(childRef), `"sex":2`, `"sex":"`+family+`"`, 1), "/sex"},
		"birth with another member": {"/births", strings.Replace(birthOf(childRef), `"sex":2`, `"sex":2,"`+family+`":1`, 1), "fields"},
		"birth twice a member":      {"/births", strings.Replace(birthOf(childRef), `"sex":2`, `"sex":2,"sex":1`, 1), ""},
		"guardianship, no ward":     {"/guardianships", guardianshipOf(childRef), "/ward/childRef"},
		"guardianship, no powers":   {"/guardianships", strings.Replace(guardianshipOf(childRef), `"powers":[`, `"powors":[`, 1), "fields"},
	} {
		t.Run(name, func(t *testing.T) {
			a := o.call("POST", x.path, "rita", x.body)
			if a.status != 400 && a.status != 422 {
				t.Fatalf("status %d: %s", a.status, a.body)
			}
			a.want(a.status, "https://w3id.org/kinpass/problems/", x.at).without(given, family, childRef, "2031", "02-30", "ZAF-")
			if a.head("Content-Type") != "application/problem+json" {
				t.Errorf("Content-Type %s", a.head("Content-Type"))
			}
		})
	}
	var s issuer.Statistics
	o.call("GET", "/statistics", "audra", "").want(200).into(&s)
	if len(s.Births) != 0 {
		t.Errorf("something was recorded: %+v", s)
	}
}

// Not there and not yours are the same answer, whoever asks and whatever the id
// looks like.
func TestUnknownIDs(t *testing.T) {
	o := openOffice(t, storetest.Open(t, store.SQLite, "issuer"))
	_, b, g := o.family()
	for path, code := range map[string]string{
		"/births/" + ref():                              "no-such-birth",
		"/births/" + g:                                  "no-such-birth",
		"/births/%27%20OR%201=1--":                      "no-such-birth",
		"/guardianships/" + b:                           "no-such-guardianship",
		"/credentials/" + b:                             "no-such-credential",
		"/births/" + b + "/paper?guardianship=" + ref(): "no-such-guardianship",
		"/births/" + ref() + "/paper?guardianship=" + g: "no-such-birth",
		"/status/revocation/999":                        "no-such-status-list",
		"/status/suspension/0":                          "no-such-status-list",
		"/schemas/credential/birth/2.json":              "no-such-schema",
		"/schemas/..%2f..%2fetc/birth/1.json":           "no-such-schema",
		"/nothing":                                      "not-found",
		"/births/" + b + "/nothing":                     "not-found",
	} {
		o.call("GET", path, "rita", "").want(404, "problems/"+code).without("etc")
	}
	_, _, g2 := o.family()
	o.call("GET", "/births/"+b+"/paper?guardianship="+g2, "rita", "").want(404, "no-such-guardianship")
	for path, body := range map[string]string{
		"/births/" + ref() + "/release":        `{"decision":"issue"}`,
		"/births/" + ref() + "/corrections":    birthOf(ref()),
		"/guardianships/" + b + "/corrections": guardianshipOf(ref()),
		"/credentials/" + ref() + "/suspend":   `{"reason":"safety"}`,
		"/credentials/" + ref() + "/revoke":    `{"reason":"fraud"}`,
		"/credentials/" + ref() + "/reinstate": `{"reason":"resolved"}`,
		"/approvals/" + ref():                  `{"decision":"approve"}`,
	} {
		o.call("POST", path, "rita", body).want(404, "no-such-")
	}
	o.call("DELETE", "/births/"+b, "rita", "").want(405, "method-not-allowed")
	o.call("POST", "/births/"+b, "rita", "{}").want(405, "method-not-allowed")
	o.call("GET", "/wallet/children", "rita", "").want(404, "not-found")
}

func TestIdempotencyKey(t *testing.T) {
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		o := openOffice(t, db)
		birth := birthOf(ref())
		first := o.call("POST", "/births", "rita", birth, "Idempotency-Key", "k1").want(201).body
		if again := o.call("POST", "/births", "rita", birth, "Idempotency-Key", "k1").want(201).body; again != first {
			t.Errorf("another answer:\n%s\n%s", first, again)
		}
		o.call("POST", "/births", "rita", birth).want(409, "birth-exists")
		o.call("POST", "/births", "rob", birth, "Idempotency-Key", "k1").want(409, "birth-exists")
		o.call("POST", "/births", "rita", birthOf(ref()), "Idempotency-Key", "k1").want(409, "idempotency-key-reused")
		for _, bad := range []string{strings.Repeat("x", 129), "\x01", "é"} {
			o.call("POST", "/births", "rita", birthOf(ref()), "Idempotency-Key", bad).want(400).without(bad)
		}
		o.call("POST", "/births", "rita", birthOf(ref()), "Idempotency-Key", "a", "Idempotency-Key", "b").want(400)

		var r issuer.Outcome
		if err := json.Unmarshal([]byte(first), &r); err != nil {
			t.Fatal(err)
		}
		path := "/credentials/" + r.Credentials[0].ID
		waiting := o.call("POST", path+"/revoke", "rita", `{"reason":"fraud"}`, "Idempotency-Key", "k2").want(202, "pendingApproval").body
		if o.call("POST", path+"/revoke", "rita", `{"reason":"fraud"}`, "Idempotency-Key", "k2").want(202).body != waiting {
			t.Error("another approval")
		}
		o.call("POST", path+"/revoke", "rita", `{"reason":"death"}`, "Idempotency-Key", "k2").want(409, "idempotency-key-reused")
	})
}

func TestSecondPerson(t *testing.T) {
	o := openOffice(t, storetest.Open(t, store.SQLite, "issuer"))
	late := strings.Replace(birthOf(ref()), `"timely"`, `"late"`, 1)
	var out issuer.Outcome
	o.call("POST", "/births", "rita", late).want(202, `"pendingApproval"`).without("credentials").into(&out)
	o.call("GET", "/approvals", "rob", "").want(200, out.Approval, `"proposer":"rita"`, `"kind":"registerBirth"`)
	o.call("GET", "/approvals", "carla", "").want(200, `"approvals":[]`)
	at := "/approvals/" + out.Approval
	o.call("POST", at, "rita", `{"decision":"approve"}`).want(403, "second-person-needed")
	o.call("POST", at, "carla", `{"decision":"approve"}`).want(404, "no-such-approval")
	o.call("POST", at, "audra", `{"decision":"approve"}`).want(403)
	for _, body := range []string{`{"decision":"maybe"}`, `{"decision":true}`, `{}`, `{"decision":"approve","decision":"deny"}`, `{"Decision":"approve"}`, `null`} {
		o.call("POST", at, "rob", body).want(400).without("maybe")
	}
	o.call("POST", at, "rob", `{"decision":"approve"}`).want(200, `"issued"`, "paper")
	o.call("POST", at, "rob", `{"decision":"approve"}`).want(200, `"issued"`)
	o.call("POST", at, "rob", `{"decision":"deny"}`).want(409, "already-decided")

	o.call("POST", "/births", "rita", strings.Replace(birthOf(ref()), `"timely"`, `"late"`, 1)).want(202).into(&out)
	o.call("POST", "/approvals/"+out.Approval, "rob", `{"decision":"deny"}`).want(200, `"discarded"`)
	o.call("GET", "/births/"+out.ID, "rita", "").want(404)
	o.call("GET", "/approvals", "rob", "").want(200, `"approvals":[]`)
}

// A birth that repeats another is held and released by two persons.
func TestRelease(t *testing.T) {
	o := openOffice(t, storetest.Open(t, store.SQLite, "issuer"))
	childRef := ref()
	birth := birthOf(childRef)
	o.call("POST", "/births", "rita", birth).want(201)
	var held issuer.Outcome
	o.call("POST", "/births", "rita", strings.Replace(birth, `"childRef":"`+childRef, `"childRef":"`+ref(), 1)).want(202, `"held"`, `"rule"`).into(&held)
	o.call("GET", "/births?state=held", "rita", "").want(200, held.ID, `"held"`)
	o.call("GET", "/births?state=held", "audra", "").want(403, "not-allowed").without(held.ID)
	o.call("GET", "/births?state=held", "", "").want(401)
	o.call("GET", "/births?state=issued", "rita", "").want(400, "/query/state").without("issued")
	o.call("GET", "/births", "rita", "").want(400, "/query/state")
	for _, body := range []string{`{"decision":"keep"}`, `{"decision":1}`, `{}`} {
		o.call("POST", "/births/"+held.ID+"/release", "rita", body).want(400)
	}
	var proposed issuer.Outcome
	o.call("POST", "/births/"+held.ID+"/release", "rita", `{"decision":"discard"}`).want(202, `"held"`).into(&proposed)
	o.call("POST", "/approvals/"+proposed.Approval, "rita", `{"decision":"approve"}`).want(403)
	o.call("POST", "/approvals/"+proposed.Approval, "rob", `{"decision":"approve"}`).want(200, `"discarded"`)
	o.call("GET", "/births/"+held.ID, "rita", "").want(404)
	o.call("GET", "/births?state=held", "rita", "").want(200, `"records":[]`)
}

func TestPaper(t *testing.T) {
	o := openOffice(t, storetest.Open(t, store.SQLite, "issuer"))
	childRef, b, g := o.family()
	path := "/births/" + b + "/paper?guardianship=" + g
	var p api.Paper
	a := o.call("GET", path, "rita", "").want(200)
	a.into(&p)
	packet, err := qr.Unpack(p.KP1)
	if err != nil || len(packet.Credentials) != 2 || packet.Presentation != "" {
		t.Fatalf("%d credentials, %v", len(packet.Credentials), err)
	}
	w := &handWallet{office: o}
	for _, jwt := range packet.Credentials {
		c, subject := w.read(jwt)
		if subject["id"] != nil || strings.Contains(string(c.Subject), childRef) || c.ValidTo.Sub(c.ValidFrom) > 180*24*time.Hour {
			t.Errorf("%v until %v: %s", c.Type, c.ValidTo, c.Subject)
		}
	}
	if _, err := png.Decode(bytes.NewReader(p.PNG)); err != nil {
		t.Error(err)
	}
	for accept, x := range map[string]struct{ media, starts string }{
		"image/svg+xml":            {"image/svg+xml", "<svg"},
		"image/png":                {"image/png", "\x89PNG"},
		"text/plain":               {"text/plain", "KP1:"},
		"image/PNG;q=0.9, */*":     {"image/png", "\x89PNG"},
		"application/json":         {"application/json", "{"},
		"*/*":                      {"application/json", "{"},
		"application/pdf, text/ht": {"application/json", "{"},
	} {
		a := o.call("GET", path, "rita", "", "Accept", accept).want(200)
		if !strings.HasPrefix(a.head("Content-Type"), x.media) || !strings.HasPrefix(a.body, x.starts) {
			t.Errorf("%s: %s %.20q", accept, a.head("Content-Type"), a.body)
		}
		if a.head("Cache-Control") != "no-store" || a.head("Vary") != "Accept" {
			t.Errorf("%s: personal data may be cached: %v", accept, a.header)
		}
	}
	o.call("GET", "/births/"+b+"/paper", "rita", "").want(400, "guardianship")
	o.call("GET", path, "audra", "").want(403)
}

// Corrections revoke and issue anew in one step.
func TestCorrections(t *testing.T) {
	o := openOffice(t, storetest.Open(t, store.SQLite, "issuer"))
	childRef, b, g := o.family()
	var before, after issuer.Record
	o.call("GET", "/guardianships/"+g, "rita", "").want(200).into(&before)
	next := strings.Replace(guardianshipOf(childRef), `"travelConsent",`, "", 1)
	var waiting issuer.Outcome
	o.call("POST", "/guardianships/"+g+"/corrections", "rita", next).want(202, `"pendingApproval"`).without(childRef).into(&waiting)
	o.call("POST", "/approvals/"+waiting.Approval, "rob", `{"decision":"approve"}`).want(200, `"recordVersion":2`)
	o.call("GET", "/guardianships/"+g, "rita", "").want(200).into(&after)
	for _, c := range after.Credentials {
		if want := map[bool]string{true: "valid", false: "revoked"}[c.RecordVersion == 2]; c.State != want {
			t.Errorf("version %d is %s", c.RecordVersion, c.State)
		}
	}
	o.call("GET", "/credentials/"+before.Credentials[0].ID, "rita", "").want(200, `"revoked"`).without(childRef, "recordVersion\":2")
	o.call("POST", "/births/"+b+"/corrections", "rita", birthOf(childRef)).want(422, "/amendment").without(childRef)
	o.call("POST", "/births/"+b+"/corrections", "paula", birthOf(childRef)).want(403)
}

// The shelf is public, cached by ETag and about nobody.
func TestShelfRoutes(t *testing.T) {
	o := openOffice(t, storetest.Open(t, store.SQLite, "issuer"))
	childRef, _, _ := o.family()
	_, family := person(childRef)
	var index struct {
		Lists []string `json:"lists"`
	}
	o.call("GET", "/status", "", "").want(200).into(&index)
	if len(index.Lists) != 8 { // two lists in three forms, and what was given out of them
		t.Fatalf("lists %v", index.Lists)
	}
	paths := map[string]string{
		"/.well-known/did.json":                     "application/did+json",
		"/.well-known/jwks.json":                    "application/jwk-set+json",
		"/trust-list":                               "application/jwt",
		"/ledger/key":                               "application/json",
		"/context/v1":                               "application/ld+json",
		"/schemas/credential/birth/1.json":          "application/schema+json",
		"/schemas/registration/guardianship/1.json": "application/schema+json",
		"/vct/birth/1":                              "application/json",
		"/vct/guardianship/1":                       "application/json",
	}
	tokens := 0
	for _, l := range index.Lists {
		path := strings.TrimPrefix(l, officeBase)
		paths[path] = "application/vc+jwt"
		if !strings.HasPrefix(path, "/status/token/") {
			continue
		}
		tokens++
		paths[path] = "application/statuslist+jwt"
		for accept, media := range map[string]string{
			"application/statuslist+jwt": "application/statuslist+jwt", "application/statuslist+cwt": "application/statuslist+cwt",
			"*/*": "application/statuslist+jwt", "text/html, Application/StatusList+CWT;q=0.9": "application/statuslist+cwt",
		} {
			a := o.call("GET", path, "", "", "Accept", accept).want(200)
			if a.head("Content-Type") != media || a.head("Vary") != "Accept" || a.head("ETag") == "" {
				t.Errorf("%s as %s: %v", path, accept, a.header)
			}
			o.call("GET", path, "", "", "Accept", accept, "If-None-Match", a.head("ETag")).want(304)
		}
	}
	if tokens != 2 {
		t.Errorf("%d token lists in the index", tokens)
	}
	for path, media := range paths {
		a := o.call("GET", path, "", "").want(200).without(childRef, family)
		if !strings.HasPrefix(a.head("Content-Type"), media) || !strings.HasPrefix(a.head("Cache-Control"), "public") {
			t.Errorf("%s: %v", path, a.header)
		}
		o.call("GET", path, "", "", "If-None-Match", a.head("ETag")).want(304)
		o.call("GET", path, "", "", "If-None-Match", `"x"`).want(200)
		o.call("POST", path, "rita", "{}").want(405, "method-not-allowed")
	}
	for _, path := range []string{"/status/revocation/01", "/status/revocation/+1", "/status/revocation/1e0", "/status/alert/1", "/status/revocation/99999999999999999999",
		"/status/token/01", "/status/token/0", "/status/token/99", "/status/token/1.5", "/status/token/99999999999999999999", "/vct/birth/2", "/vct/birth/..%2f1"} {
		a := o.call("GET", path, "", "")
		if a.status != 400 && a.status != 404 {
			t.Errorf("%s: %d", path, a.status)
		}
	}
}

// The client reads what the issuer says, member for member.
func TestClientReadsAnswers(t *testing.T) {
	o := openOffice(t, storetest.Open(t, store.SQLite, "issuer"))
	_, b, g := o.family()
	strict := func(a answer, v any) {
		t.Helper()
		dec := json.NewDecoder(strings.NewReader(a.body))
		dec.DisallowUnknownFields()
		if err := dec.Decode(v); err != nil {
			t.Errorf("%T: %v", v, err)
		}
	}
	strict(o.call("GET", "/births/"+b, "rita", "").want(200), &api.Record{})
	strict(o.call("GET", "/guardianships/"+g, "rita", "").want(200), &api.Record{})
	strict(o.call("POST", "/births", "rita", birthOf(ref())).want(201), &api.Outcome{})
	strict(o.call("POST", "/offers", "rita", fmt.Sprintf(`{"guardianship":%q}`, g)).want(201), &api.Offer{})
	strict(o.call("GET", "/births/"+b+"/paper?guardianship="+g, "rita", "").want(200), &api.Paper{})
	o.call("POST", "/births", "rita", strings.Replace(birthOf(ref()), `"timely"`, `"late"`, 1)).want(202)
	var list struct {
		Approvals []api.Approval `json:"approvals"`
	}
	strict(o.call("GET", "/approvals", "rita", "").want(200), &list)
	if len(list.Approvals) != 1 {
		t.Errorf("%d approvals", len(list.Approvals))
	}
}
