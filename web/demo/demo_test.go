package demo_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/serve"
	"github.com/kinpass/kinpass/verifier/check"
	"github.com/kinpass/kinpass/web"
	"github.com/kinpass/kinpass/web/demo"
)

const secret = "of this start page"

// open gives a start page with a story that ends, one that fails and one that
// panics.
func open(t *testing.T) *serve.Server {
	t.Helper()
	site, err := web.New(demo.Role, "http://localhost:8083", demo.App)
	if err != nil {
		t.Fatal(err)
	}
	s := &demo.Stage{Site: site, Secret: secret, Stories: []string{"papers", "court", "class"},
		Services: func() []demo.Service {
			return []demo.Service{{Role: "issuer", Base: "http://localhost:8080", People: []demo.Person{{Key: "rosa", Name: "Rosa", Text: "registrar"}}}}
		},
		Play: func(_ context.Context, story string, tell func(demo.Scene)) error {
			switch story {
			case "court":
				return errors.New("the wallet is away")
			case "class":
				panic("no class")
			}
			tell(demo.Scene{Key: "registered"})
			tell(demo.Scene{Key: "guardian", Decision: &check.Decision{Colour: check.Amber, Reasons: []check.Reason{{Code: "STATUS_STALE"}}, Lines: []string{"<b>old</b>"}}})
			return nil
		}}
	srv, err := serve.New(serve.Config{Role: demo.Role, Log: slog.New(slog.DiscardHandler), Now: time.Now, Refuse: s.Refuse,
		Token: func(context.Context, string) (serve.Caller, error) { return serve.Caller{}, serve.ErrNoToken }})
	if err != nil {
		t.Fatal(err)
	}
	s.Routes(srv)
	return srv
}

func ask(srv *serve.Server, method, host, path string, form url.Values) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(form.Encode()))
	r.Host = host
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	srv.ServeHTTP(w, r)
	return w
}

const here = "localhost:8083"

// TestStoriesNeedTheStartPage: a form that another site sends plays nothing, and
// a name that somebody else gave this machine's address shows nothing, the
// secret least of all.
func TestStoriesNeedTheStartPage(t *testing.T) {
	srv := open(t)
	w := ask(srv, "GET", here, "/app/", nil)
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), secret) {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if csp := w.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "form-action 'self' http://localhost:8080;") || strings.Contains(csp, "unsafe") {
		t.Error(csp)
	}
	for _, host := range []string{"attacker.example", "attacker.example:8083", "localhost.attacker.example:8083", "192.0.2.1:8083", "localhost"} {
		if w := ask(srv, "GET", host, "/app/", nil); w.Code != http.StatusNotFound || strings.Contains(w.Body.String(), secret) {
			t.Errorf("%s: %d", host, w.Code)
		}
	}
	for name, c := range map[string]struct {
		form url.Values
		want int
	}{
		"no secret":    {url.Values{"story": {"papers"}}, 403},
		"wrong secret": {url.Values{"story": {"papers"}, "start": {"x"}}, 403},
		"no story":     {url.Values{"start": {secret}}, 404},
		"no such":      {url.Values{"story": {"../papers"}, "start": {secret}}, 404},
		"good":         {url.Values{"story": {"papers"}, "start": {secret}}, 303},
	} {
		if w := ask(srv, "POST", here, "/app/stories", c.form); w.Code != c.want {
			t.Errorf("%s: %d, want %d", name, w.Code, c.want)
		}
	}
	for _, path := range []string{"/app/stories/x", "/app/stories/x/1", "/births", "/wallet/children"} {
		if w := ask(srv, "GET", here, path, nil); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

// TestStoriesEnd: whatever becomes of a story, its page says so and the start
// page stays.
func TestStoriesEnd(t *testing.T) {
	srv := open(t)
	for story, want := range map[string]string{"papers": "Not every decision was as expected", "court": "could not go on", "class": "could not go on"} {
		w := ask(srv, "POST", here, "/app/stories", url.Values{"story": {story}, "start": {secret}})
		path, page := w.Header().Get("Location"), ""
		for end := time.Now().Add(10 * time.Second); !strings.Contains(page, `data-state="over"`) && time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
			page = ask(srv, "GET", here, path, nil).Body.String()
		}
		if !strings.Contains(page, want) {
			t.Errorf("%s: %s", story, page)
		}
		if story == "papers" && (strings.Contains(page, "<b>old") || !strings.Contains(page, "AMBER") || !strings.Contains(page, "STATUS_STALE") || !strings.Contains(page, "Not as expected")) {
			t.Error(page)
		}
	}
}
