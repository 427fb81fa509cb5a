package issuer_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/serve"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/issuer"
)

const officeBase = "http://localhost:8080"

// office is an issuer behind its HTTP interface, with staff who have tokens and
// a clock that stands still until it is moved.
type office struct {
	t      testing.TB
	iss    *issuer.Issuer
	srv    *serve.Server
	db     *store.DB
	ring   *keys.Ring
	tokens map[string]string // by name; see staff
	trust  *vc.TrustList     // by which it judges papers
	// publish is how often a shelf that is opened from now on changes.
	publish time.Duration

	mu    sync.Mutex
	clock time.Time
	calls int
}

// staff are the names of the tokens and their roles.
var staff = map[string]string{
	"rita":  issuer.RoleRegistrar,
	"rob":   issuer.RoleRegistrar,
	"carla": issuer.RoleCourt,
	"cyril": issuer.RoleCourt,
	"paula": issuer.RoleProtection,
	"audra": issuer.RoleAuditor,
}

func openOffice(t testing.TB, db *store.DB) *office {
	t.Helper()
	o := &office{t: t, db: db, clock: time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC), tokens: map[string]string{}, ring: &keys.Ring{}}
	k, err := keys.New("key-1", keys.UseCredentials, keys.EdDSA, o.clock.Add(-time.Hour), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if err := o.ring.Add(k); err != nil {
		t.Fatal(err)
	}
	if k, err = keys.New("ledger-1", keys.UseLedger, keys.EdDSA, o.clock.Add(-time.Hour), time.Time{}); err != nil {
		t.Fatal(err)
	}
	if err = o.ring.Add(k); err != nil {
		t.Fatal(err)
	}
	if k, err = keys.New("selective-1", keys.UseSelective, keys.ES256, o.clock.Add(-time.Hour), time.Time{}); err != nil {
		t.Fatal(err)
	}
	if err := o.ring.Add(k); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"index", "dedup", "oauth"} {
		if _, err := o.ring.EnsureSecret(name); err != nil {
			t.Fatal(err)
		}
	}
	o.iss, o.srv = o.open()
	for name, role := range staff {
		secret, _, err := db.AddToken(t.Context(), name, role, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		o.tokens[name] = secret
	}
	return o
}

// open makes an issuer over the office's database: another replica, or the same
// one after a restart.
func (o *office) open() (*issuer.Issuer, *serve.Server) {
	o.t.Helper()
	iss, err := issuer.New(issuer.Config{Base: officeBase, DB: o.db, Ring: o.ring, Now: o.now, Publish: o.publish,
		TrustList: func() ([]byte, error) { return []byte("a.b.c"), nil },
		Trust:     func(context.Context) (*vc.TrustList, error) { return o.trust, nil }})
	if err != nil {
		o.t.Fatal(err)
	}
	srv, err := serve.New(serve.Config{
		Role: "issuer", Now: o.now, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Token: func(ctx context.Context, secret string) (serve.Caller, error) {
			t, err := o.db.TokenBySecret(ctx, secret, o.now())
			return serve.Caller{ID: t.ID, Name: t.Name, Role: t.Role}, err
		},
	})
	if err != nil {
		o.t.Fatal(err)
	}
	issuer.Routes(srv, iss)
	return iss, srv
}

func (o *office) now() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.clock
}

func (o *office) pass(d time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.clock = o.clock.Add(d)
}

// answer is what came back.
type answer struct {
	t      testing.TB
	status int
	header map[string][]string
	body   string
}

// call sends a request as a member of staff ("" for nobody). Headers are
// name, value, ….
func (o *office) call(method, path, who, body string, headers ...string) answer {
	o.t.Helper()
	if body != "" {
		headers = append(headers, "Content-Type", "application/json")
	}
	if who != "" {
		if o.tokens[who] == "" {
			o.t.Fatalf("no such staff: %s", who)
		}
		headers = append(headers, "Authorization", "Bearer "+o.tokens[who])
	}
	return o.send(method, path, body, headers...)
}

// send sends a request with these headers only, each time from another
// address unless the header Address says which.
func (o *office) send(method, path, body string, headers ...string) answer {
	r := httptest.NewRequest(method, officeBase+path, strings.NewReader(body))
	o.mu.Lock()
	o.calls++
	r.RemoteAddr = fmt.Sprintf("10.%d.%d.%d:4000", o.calls>>16&255, o.calls>>8&255, o.calls&255)
	o.mu.Unlock()
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Address" {
			r.RemoteAddr = headers[i+1]
			continue
		}
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	o.srv.ServeHTTP(w, r)
	return answer{o.t, w.Code, w.Header(), w.Body.String()}
}

// want fails unless the answer has the status and all the texts.
func (a answer) want(status int, texts ...string) answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	for _, x := range texts {
		if !strings.Contains(a.body, x) {
			a.t.Fatalf("the answer lacks %q: %s", x, a.body)
		}
	}
	return a
}

// without fails if the answer has one of the texts.
func (a answer) without(texts ...string) answer {
	a.t.Helper()
	for _, x := range texts {
		if strings.Contains(a.body, x) {
			a.t.Fatalf("the answer holds %q: %s", x, a.body)
		}
	}
	return a
}

// into decodes the answer.
func (a answer) into(v any) {
	a.t.Helper()
	if err := json.Unmarshal([]byte(a.body), v); err != nil {
		a.t.Fatalf("not JSON: %v: %s", err, a.body)
	}
}

func (a answer) head(name string) string {
	for n, v := range a.header {
		if strings.EqualFold(n, name) {
			return strings.Join(v, ", ")
		}
	}
	return ""
}

// ref is a fresh childRef.
func ref() string {
	b := make([]byte, 16)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

// person makes names that no other child of a test has.
func person(childRef string) (given, family string) {
	letters := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return 'q'
	}, strings.ToLower(childRef))
	return "G" + letters[:8], "F" + letters[8:18]
}

// birth is an ordinary birth of 2019.
func birthOf(childRef string) string {
	given, family := person(childRef)
	return fmt.Sprintf(`{"childRef":%q,"recordVersion":1,"circumstance":"ordinary",
		"names":[{"kind":"legal","script":"Latn","given":[%q],"family":[%q],"mrz":{"primary":%q,"secondary":%q}}],
		"birthDate":{"value":"2019-03-05","precision":"day","basis":"medicalRecord"},"sex":2,
		"placeOfBirth":{"status":"known","country":"ZAF","locality":"George"},
		"parentage":[{"role":"mother","status":"known","filiation":"birth","names":[{"kind":"legal","script":"Latn","given":["M%s"],"family":[%q]}],
			"birthDate":{"value":"1990-01-02","precision":"day","basis":"documentary"}}],
		"registration":{"number":"ZAF-%s","authority":"https://registry.zaf.example","date":"2019-03-09","mode":"timely","informant":"mother"}}`,
		childRef, given, family, strings.ToUpper(family), strings.ToUpper(given), given, family, family)
}

// guardianshipOf is the mother's.
func guardianshipOf(childRef string) string {
	given, family := person(childRef)
	return fmt.Sprintf(`{"guardian":{"kind":"naturalPerson","names":[{"kind":"legal","script":"Latn","given":["M%s"],"family":[%q],"mrz":{"primary":%q,"secondary":%q}}]},
		"ward":{"childRef":%q},"role":"mother","legalBasis":{"type":"parentalResponsibilityByBirth","law":"ZAF"},
		"powers":["travelAccompany","travelConsent","walletManage"],"exercise":{"mode":"independent","coGuardianCount":2},
		"effective":{"from":"2019-03-05"},"termination":{"majorityAge":18,"majorityLaw":"ZAF"}}`,
		given, family, strings.ToUpper(family), "M"+strings.ToUpper(given), childRef)
}

// family registers a child and its mother's guardianship and gives the ids of
// the records.
func (o *office) family() (childRef, birth, guardianship string) {
	o.t.Helper()
	childRef = ref()
	var b, g issuer.Outcome
	o.call("POST", "/births", "rita", birthOf(childRef)).want(201, `"issued"`).into(&b)
	o.call("POST", "/guardianships", "rita", guardianshipOf(childRef)).want(201, `"issued"`).into(&g)
	return childRef, b.ID, g.ID
}
