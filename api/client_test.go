package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/api"
)

// serve answers every request with fn.
func serve(t *testing.T, fn http.HandlerFunc) *api.Client {
	t.Helper()
	s := httptest.NewServer(fn)
	t.Cleanup(s.Close)
	return &api.Client{Base: s.URL + "/", Token: "secret"}
}

func TestClientSends(t *testing.T) {
	var method, path, media, auth, idem, body string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		method, path, media, auth, idem, body = r.Method, r.RequestURI, r.Header.Get("Content-Type"), r.Header.Get("Authorization"), r.Header.Get("Idempotency-Key"), string(b)
		io.WriteString(w, `{"id":"x"}`)
	})
	for name, x := range map[string]struct {
		in          any
		media, body string
	}{
		"nothing": {nil, "", ""},
		"bytes":   {[]byte(`{"a":1}`), "application/json", `{"a":1}`},
		"raw":     {json.RawMessage(`{"a":1}`), "application/json", `{"a":1}`},
		"value":   {map[string]int{"a": 1}, "application/json", `{"a":1}`},
		"form":    {url.Values{"a": {"b c"}}, "application/x-www-form-urlencoded", "a=b+c"},
	} {
		var raw []byte
		var text string
		var out struct{ ID string }
		for _, o := range []any{nil, &raw, &text, &out} {
			if err := c.With("Idempotency-Key", "k").Do(t.Context(), "POST", "/x", x.in, o); err != nil {
				t.Fatal(err)
			}
			if method != "POST" || path != "/x" || media != x.media || auth != "Bearer secret" || idem != "k" || body != x.body {
				t.Errorf("%s: %s %s %q %q %q %q", name, method, path, media, auth, idem, body)
			}
		}
		if string(raw) != `{"id":"x"}` || text != string(raw) || out.ID != "x" {
			t.Errorf("%s: read %q %q %q", name, raw, text, out.ID)
		}
	}
	if c.Headers != nil {
		t.Error("With changed the client")
	}
	if err := c.Do(t.Context(), "POST", "/x", make(chan int), nil); err == nil {
		t.Error("a channel was sent")
	}
	if _, err := c.Read(t.Context(), api.Births, "a/../b?c"); err != nil || path != "/births/a%2F..%2Fb%3Fc" {
		t.Errorf("id in the path: %s, %v", path, err)
	}
}

func TestClientRefusals(t *testing.T) {
	var status int
	var media, body string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", media)
		w.Header().Set("Location", "http://127.0.0.1:1/")
		w.WriteHeader(status)
		io.WriteString(w, body)
	})
	for name, x := range map[string]struct {
		status            int
		media, body, want string
	}{
		"problem": {404, "application/problem+json; charset=utf-8", `{"type":"https://w3id.org/kinpass/problems/no-such-birth","title":"x","status":200,"detail":"there is none","hint":"look","fields":[{"path":"/a","rule":"is b"}]}`,
			"no-such-birth: there is none; /a is b (look)"},
		"OAuth":                {400, "application/json", `{"error":"invalid_grant","error_description":"no"}`, "invalid_grant: no"},
		"OAuth, bare":          {400, "application/json", `{"error":"invalid_grant"}`, "invalid_grant"},
		"a proxy":              {502, "text/html", "<h1>Zyxomma</h1>", "about:blank"},
		"broken problem":       {400, "application/problem+json", `{"type":`, "about:blank"},
		"problem of no type":   {400, "application/problem+json", `{"title":"Zyxomma"}`, "about:blank"},
		"JSON of no error":     {400, "application/json", `{"a":"Zyxomma"}`, "about:blank"},
		"redirect, unfollowed": {302, "text/html", "Zyxomma", "about:blank"},
	} {
		status, media, body = x.status, x.media, x.body
		err := c.Do(t.Context(), "GET", "/", nil, nil)
		if err == nil || err.Error() != x.want {
			t.Errorf("%s: %v, want %s", name, err, x.want)
			continue
		}
		var p *api.Problem
		var o *api.OAuthError
		switch {
		case errors.As(err, &p):
			if p.Status != x.status {
				t.Errorf("%s: status %d", name, p.Status)
			}
		case errors.As(err, &o):
			if o.Status != x.status {
				t.Errorf("%s: status %d", name, o.Status)
			}
		default:
			t.Errorf("%s: %T", name, err)
		}
	}
	status, media, body = 200, "application/json", `{"id": "Zyxomma`
	var out struct{ ID string }
	if err := c.Do(t.Context(), "GET", "/", nil, &out); !errors.Is(err, api.ErrAnswer) {
		t.Errorf("half an answer: %v", err)
	}
}

// An address can be a secret link: no error repeats it.
func TestClientHidesAddress(t *testing.T) {
	c := &api.Client{Base: "http://127.0.0.1:1", HTTP: &http.Client{Timeout: time.Second}}
	err := c.Do(t.Context(), "GET", "/share/Zyxomma", nil, nil)
	if err == nil || strings.Contains(err.Error(), "Zyxomma") {
		t.Errorf("error %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Do(ctx, "GET", "/", nil, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestClientBoundsAnswer(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		part := []byte(strings.Repeat(" ", 1<<20))
		for range 65 {
			if _, err := w.Write(part); err != nil {
				return
			}
		}
	})
	var out []byte
	if err := c.Do(t.Context(), "GET", "/", nil, &out); !errors.Is(err, api.ErrAnswer) || out != nil {
		t.Errorf("%d bytes, %v", len(out), err)
	}
}
