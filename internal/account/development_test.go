package account_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/account"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
)

const startSecret = "a secret of the start page"

// village is the sign-in of a demonstration with two people and one who is not
// offered.
func village() *account.Development {
	return &account.Development{Start: "http://localhost:8083/", Secret: startSecret, People: func() []account.Person {
		return []account.Person{
			{Key: "rosa", Name: "Rosa", Guest: account.Guest{Role: "registrar", Name: "Rosa"}},
			{Key: "judge", Name: "Naa", Guest: account.Guest{Role: "court", Name: "Naa"}},
			{Key: "hidden", Name: "Hidden", Guest: account.Guest{Role: "registrar", Name: "Hidden"}, Hidden: true},
		}
	}}
}

// TestDemonstrationIsForLoopback: at any other address the accounts of a service
// do not even start with the sign-in of a demonstration.
func TestDemonstrationIsForLoopback(t *testing.T) {
	db := storetest.Open(t, store.SQLite, "issuer")
	h := open(t, db)
	cfg := account.Config{DB: db, Service: "issuer", Roles: []string{"registrar"}, Now: h.now, Development: village()}
	for base, good := range map[string]bool{
		"http://localhost:8080": true, "http://127.0.0.1:8080": true, "http://[::1]:8080": true,
		"https://localhost:8080": false, "http://registry.example": false, "https://registry.example": false, "http://192.168.1.7:8080": false,
		"http://localhost.example:8080": false, "http://0.0.0.0:8080": false,
	} {
		cfg.Base = base
		if _, err := account.New(cfg); (err == nil) != good {
			t.Errorf("%s: %v", base, err)
		}
	}
	cfg.Base = "http://localhost:8080"
	cfg.Development.Secret = ""
	if _, err := account.New(cfg); err == nil {
		t.Error("a demonstration whose start page proves nothing")
	}
}

// TestDemonstrationOpensNothingElsewhere: a service without it signs nobody in
// without a passkey, and a session that it opened is none there.
func TestDemonstrationOpensNothingElsewhere(t *testing.T) {
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		real := open(t, db)
		shown, err := account.New(account.Config{DB: db, Service: "issuer", Base: base, Roles: []string{"registrar", "court"}, Now: real.now, Development: village()})
		if err != nil {
			t.Fatal(err)
		}
		rosa := account.Guest{Role: "registrar", Name: "Rosa"}
		if secret, err := real.Demonstrate(t.Context(), rosa, "x"); secret != "" || !errors.Is(err, account.ErrNoDemonstration) {
			t.Errorf("%q %v", secret, err)
		}
		first, err := shown.Demonstrate(t.Context(), rosa, "x")
		if err != nil {
			t.Fatal(err)
		}
		again, err := shown.Demonstrate(t.Context(), rosa, "x")
		if err != nil {
			t.Fatal(err)
		}
		a, err := shown.Session(t.Context(), first)
		if err != nil || !a.Demonstration() {
			t.Fatal(a, err)
		}
		if b, err := shown.Session(t.Context(), again); err != nil || b.Account.ID != a.Account.ID {
			t.Errorf("the second time somebody else: %v %v", b.Account, err)
		}
		if s, err := real.Session(t.Context(), first); !errors.Is(err, account.ErrSession) {
			t.Errorf("it is a session of the real service: %v %v", s, err)
		}
		// Nobody becomes somebody else, and nobody has a role that there is not.
		for _, g := range []account.Guest{{Role: "court", Name: "Rosa"}, {Role: "king", Name: "K"}, {Role: "registrar"}, {Role: "registrar", Name: "\x00"}} {
			if _, err := shown.Demonstrate(t.Context(), g, "x"); err == nil {
				t.Errorf("%v came in", g)
			}
		}
		if err := shown.Close(t.Context(), a.Account.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := shown.Demonstrate(t.Context(), rosa, "x"); !errors.Is(err, account.ErrNoDemonstration) {
			t.Errorf("into a closed account: %v", err)
		}
	})
}

// TestDemonstrationIsAskedHere: the sign-in takes a form of the service's own or
// of the start page, from this machine and for this machine, for somebody whom
// it knows; without a demonstration there is no such address.
func TestDemonstrationIsAskedHere(t *testing.T) {
	real := openDesk(t, "issuer", base, nil).browser(base)
	real.from = "127.0.0.1:1"
	sent := url.Values{"person": {"rosa"}, "start": {startSecret}}
	if w := real.post("/app/demonstration", sent); w.Code != http.StatusNotFound {
		t.Errorf("a real service: %d", w.Code)
	}
	if w := real.get("/app/sign-in"); strings.Contains(w.Body.String(), "demonstration") {
		t.Error("a real service offers a demonstration")
	}

	d := openDeskWith(t, account.Config{Service: "issuer", Base: base, Roles: []string{"registrar", "court"}, Development: village()})
	form := map[string]string{"Content-Type": "application/x-www-form-urlencoded", "Host": "localhost:8080"}
	with := func(name, value string) map[string]string {
		out := map[string]string{name: value}
		for k, v := range form {
			if _, ok := out[k]; !ok {
				out[k] = v
			}
		}
		return out
	}
	for name, c := range map[string]struct {
		from   string
		values url.Values
		header map[string]string
		want   int
	}{
		"start page":              {"127.0.0.1:1", sent, with("Sec-Fetch-Site", "same-site"), 303},
		"over IPv6":               {"[::1]:1", sent, form, 303},
		"another machine":         {"192.0.2.1:1", sent, form, 404},
		"another name":            {"127.0.0.1:1", sent, with("Host", "attacker.example"), 404},
		"a name that looks alike": {"127.0.0.1:1", sent, with("Host", "localhost.attacker.example:8080"), 404},
		"through a proxy":         {"127.0.0.1:1", sent, with("X-Forwarded-For", "192.0.2.1"), 404},
		"wrong secret":            {"127.0.0.1:1", url.Values{"person": {"rosa"}, "start": {"x"}}, with("Sec-Fetch-Site", "cross-site"), 403},
		"no secret":               {"127.0.0.1:1", url.Values{"person": {"rosa"}}, form, 403},
		"nobody":                  {"127.0.0.1:1", url.Values{"person": {"nobody"}, "start": {startSecret}}, form, 404},
		"no name":                 {"127.0.0.1:1", url.Values{"start": {startSecret}}, form, 404},
	} {
		b := d.browser(base)
		b.from = c.from
		w := b.do("POST", "/app/demonstration", c.values.Encode(), c.header)
		if w.Code != c.want || (b.cookies["kinpass_issuer_session"] != nil) != (c.want == 303) {
			t.Errorf("%s: %d, want %d, %v", name, w.Code, c.want, w.Header())
		}
	}

	// The sign-in page offers people, and its form needs no secret.
	b := d.browser(base)
	b.from = "127.0.0.1:1"
	w := b.do("GET", "/app/sign-in?next=/app/account", "", map[string]string{"Host": "localhost:8080"})
	if page := w.Body.String(); !strings.Contains(page, `value="rosa"`) || strings.Contains(page, "Hidden") || strings.Contains(page, startSecret) {
		t.Error(page)
	}
	mine := url.Values{"person": {"rosa"}, "csrf": {b.csrf}, "next": {"/app/account"}}
	if w := b.do("POST", "/app/demonstration", mine.Encode(), form); w.Code != 303 || w.Header().Get("Location") != "/app/account" {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	b.get("/app/account")
	// Who comes in as somebody else leaves first, and is led nowhere else.
	before := b.cookies["kinpass_issuer_session"].Value
	mine = url.Values{"person": {"judge"}, "csrf": {b.csrf}, "next": {"//evil.example/"}}
	if w := b.do("POST", "/app/demonstration", mine.Encode(), form); w.Code != 303 || w.Header().Get("Location") != "/app/" {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	if _, err := d.Session(t.Context(), before); !errors.Is(err, account.ErrSession) {
		t.Errorf("the first one is still in: %v", err)
	}
	if w := d.browser(base).do("GET", "/app/sign-in", "", map[string]string{"Host": "localhost:8080"}); strings.Contains(w.Body.String(), "rosa") {
		t.Error("the page offers the demonstration to another machine")
	}
}

// TestPress: in a demonstration who came in without a proof confirms without
// one, and nobody else does.
func TestPress(t *testing.T) {
	d := openDeskWith(t, account.Config{Service: "issuer", Base: base, Roles: []string{"registrar", "court"}, Development: village()})
	with, _ := d.person(account.Guest{Role: "court", Name: "Carla"})
	s, err := d.Session(d.ctx, with.cookies["kinpass_issuer_session"].Value)
	if err != nil {
		t.Fatal(err)
	}
	is(t, "with a passkey", d.Press(d.ctx, s), account.ErrPasskey)
	secret, err := d.Demonstrate(d.ctx, account.Guest{Role: "registrar", Name: "Rosa"}, "x")
	if err != nil {
		t.Fatal(err)
	}
	s, err = d.Session(d.ctx, secret)
	if err != nil {
		t.Fatal(err)
	}
	d.wait(6 * time.Minute)
	if err := d.Press(d.ctx, s); err != nil {
		t.Fatal(err)
	}
	if s, err = d.Session(d.ctx, secret); err != nil || !d.Fresh(s) {
		t.Error("it was not noted", err)
	}
}
