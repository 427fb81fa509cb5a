package web

import (
	"bytes"
	"html/template"
	"io"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/kinpass/kinpass/internal/fault"
)

// withParts gives a site that has one more page, with every part on it.
func withParts(t *testing.T, base string) *Site {
	t.Helper()
	s, err := New("issuer", base)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("testdata/parts.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, tongue := range s.speak {
		p, err := template.New("").Funcs(s.funcs(tongue.Messages)).ParseFS(embedded, "pages/parts/*.html")
		if err == nil {
			_, err = p.Parse(string(text))
		}
		if err != nil {
			t.Fatal(err)
		}
		pages, err := tongue.pages()
		if err != nil {
			t.Fatal(err)
		}
		pages["test/parts"] = p
	}
	return s
}

const script = "<script>alert(1)</script>'\"\u202e"

func parts() View {
	v := View{Page: "test/parts", Title: "home.title", SignedIn: true, Person: script, CSRF: script, Notice: &Notice{Text: "account.added", Success: true},
		Nav: []NavItem{{Href: "/app/", Label: "nav.home", Current: true}},
		Data: map[string]any{
			"Places": []Option{{Value: "", Label: ""}, {Value: "x", Label: script}},
			"Kinds":  []Option{{Value: "a", Label: script, Hint: script}, {Value: script, Label: "B", Hint: "b"}},
		}}
	v.Form.Values = url.Values{"given": {script}, "note": {script}, "kind": {script}, "born-day": {script}, "more": {"a"}}
	v.Form.Wrong("given", "people.name-missing")
	v.Form.Wrong("born", "people.role-missing")
	v.Form.Wrong("kind", "people.role-missing")
	v.Form.Wrong("", "fault.kind.conflict")
	return v
}

func get(t *testing.T, s *Site, v View, lang string) (*httptest.ResponseRecorder, *html.Node) {
	t.Helper()
	w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/app/test", nil)
	r.Header.Set("Accept-Language", lang)
	if err := s.Show(w, r, v); err != nil {
		t.Fatal(err)
	}
	doc, err := html.Parse(bytes.NewReader(w.Body.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	return w, doc
}

func each(n *html.Node, f func(*html.Node)) {
	f(n)
	for c := range n.ChildNodes() {
		each(c, f)
	}
}

func attr(n *html.Node, name string) (string, bool) {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

// TestPartsInEveryLanguage: every part, with errors and with what an attacker
// would type, in every language: nothing of it runs, nothing is inline, every
// field has a label, every error a field.
func TestPartsInEveryLanguage(t *testing.T) {
	s := withParts(t, "http://localhost:8080")
	for _, lang := range Languages {
		w, doc := get(t, s, parts(), lang)
		ids, labels, inputs, targets := map[string]int{}, map[string]bool{}, []string{}, []string{}
		each(doc, func(n *html.Node) {
			if n.Type != html.ElementNode {
				return
			}
			for _, a := range n.Attr {
				if a.Key == "style" || strings.HasPrefix(a.Key, "on") {
					t.Errorf("%s: <%s %s> is inline", lang, n.Data, a.Key)
				}
				if (a.Key == "src" || a.Key == "href") && !strings.HasPrefix(a.Val, "/app/") && !strings.HasPrefix(a.Val, "#") && !strings.HasPrefix(a.Val, "?lang=") {
					t.Errorf("%s: <%s %s=%q> leads away", lang, n.Data, a.Key, a.Val)
				}
			}
			id, _ := attr(n, "id")
			if id != "" {
				ids[id]++
			}
			switch n.Data {
			case "script":
				if src, ok := attr(n, "src"); !ok || !strings.HasPrefix(src, "/app/static/") || n.FirstChild != nil {
					t.Errorf("%s: a script that is not a file of ours", lang)
				}
			case "style":
				t.Errorf("%s: an inline style sheet", lang)
			case "html":
				if l, _ := attr(n, "lang"); l != lang {
					t.Errorf("lang %q, want %q", l, lang)
				}
				if d, _ := attr(n, "dir"); (d == "rtl") != (lang == "ar") {
					t.Errorf("%s is written %s", lang, d)
				}
			case "label":
				f, _ := attr(n, "for")
				labels[f] = true
			case "input", "textarea", "select":
				if kind, _ := attr(n, "type"); kind != "hidden" {
					inputs = append(inputs, id)
				}
			case "a":
				if h, _ := attr(n, "href"); strings.HasPrefix(h, "#") {
					targets = append(targets, h[1:])
				}
			}
		})
		for _, id := range inputs {
			if id == "" || !labels[id] {
				t.Errorf("%s: the field %q has no label", lang, id)
			}
		}
		for id, n := range ids {
			if n > 1 {
				t.Errorf("%s: the id %q is there %d times", lang, id, n)
			}
		}
		for _, id := range targets {
			if ids[id] == 0 {
				t.Errorf("%s: the link #%s leads nowhere", lang, id)
			}
		}
		if len(inputs) < 9 || w.Header().Get("Content-Language") != lang {
			t.Errorf("%s: %d fields, %v", lang, len(inputs), w.Header())
		}
		// What was typed comes back as text, also in the field.
		if got := strings.Count(w.Body.String(), "&lt;script&gt;"); got < 6 {
			t.Errorf("%s: what was typed is there %d times", lang, got)
		}
	}
}

func TestErrorsAreTied(t *testing.T) {
	_, doc := get(t, withParts(t, "http://localhost:8080"), parts(), "en")
	found := false
	each(doc, func(n *html.Node) {
		if id, _ := attr(n, "id"); id != "given" {
			return
		}
		found = true
		by, _ := attr(n, "aria-describedby")
		invalid, _ := attr(n, "aria-invalid")
		value, _ := attr(n, "value")
		if by != "given-hint given-error" || invalid != "true" || value != script {
			t.Errorf("described by %q, invalid %q, value %q", by, invalid, value)
		}
	})
	if !found {
		t.Error("there is no such field")
	}
}

func TestHeaders(t *testing.T) {
	w, _ := get(t, withParts(t, "https://registry.example"), parts(), "en")
	h := w.Header()
	csp := h.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self';", "style-src 'self';", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"} {
		if !strings.Contains(csp, want) {
			t.Errorf("%s is not in %s", want, csp)
		}
	}
	for _, not := range []string{"unsafe", "*", "http:", "https:", "data:"} {
		if strings.Contains(csp, not) {
			t.Errorf("%s is in %s", not, csp)
		}
	}
	for name, want := range map[string]string{"Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff",
		"Cross-Origin-Opener-Policy": "same-origin", "Strict-Transport-Security": "max-age=31536000"} {
		if h.Get(name) != want {
			t.Errorf("%s: %q", name, h.Get(name))
		}
	}
	if !strings.HasPrefix(h.Get("Permissions-Policy"), "camera=(),") {
		t.Error("a page that has no use for the camera may use it:", h.Get("Permissions-Policy"))
	}
	v := parts()
	v.Camera, v.Wasm = true, true
	w, _ = get(t, withParts(t, "http://localhost:8080"), v, "en")
	if !strings.HasPrefix(w.Header().Get("Permissions-Policy"), "camera=(self),") || !strings.Contains(w.Header().Get("Content-Security-Policy"), "script-src 'self' 'wasm-unsafe-eval';") {
		t.Error("a page that scans may not:", w.Header())
	}
	if w.Header().Get("Strict-Transport-Security") != "" {
		t.Error("a machine without TLS asks for it")
	}
}

func TestStaticFiles(t *testing.T) {
	s := withParts(t, "http://localhost:8080")
	total := 0
	for name, f := range s.files {
		address, err := s.Asset(name)
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		if !s.Static(w, httptest.NewRequest("GET", address, nil)) || w.Header().Get("Cache-Control") != "public, max-age=31536000, immutable" || !bytes.Equal(w.Body.Bytes(), f.body) {
			t.Errorf("%s: %v", name, w.Header())
		}
		total += len(f.body)
		if bytes.Contains(f.body, []byte("GDS Transport")) || bytes.Contains(f.body, []byte("//# source")) {
			t.Errorf("%s has what it should not have", name)
		}
		for _, u := range regexp.MustCompile(`url\([^)]*\)|@import|https?://[^"' )]+`).FindAllString(string(f.body), -1) {
			if u != "http://www.w3.org/2000/svg" && !strings.HasPrefix(u, "https://frontend.design-system.service.gov.uk") {
				t.Errorf("%s names %s", name, u)
			}
		}
	}
	if len(s.files) < 5 || total > 300<<10 {
		t.Errorf("%d files of %d bytes", len(s.files), total)
	}
	for _, path := range []string{"/app/static/page.js", "/app/static/old/page.js", "/app/static/" + s.tree + "/VENDOR.md", "/app/static/" + s.tree + "/../web.go", "/app/static/" + s.tree + "/"} {
		w := httptest.NewRecorder()
		if s.Static(w, httptest.NewRequest("GET", path, nil)) || w.Body.Len() > 0 {
			t.Errorf("%s was served", path)
		}
	}
	if _, err := s.Asset("nothing.js"); err == nil {
		t.Error("a file that there is not has an address")
	}
}

// TestFaultsInWords: a page says what is wrong in the visitor's language, in the
// words of its kind where there are none of its own, never the fault's detail.
func TestFaultsInWords(t *testing.T) {
	s := withParts(t, "http://localhost:8080")
	r := httptest.NewRequest("GET", "/app/", nil)
	r.Header.Set("Accept-Language", "fr")
	for _, c := range []struct {
		f    *fault.Fault
		want string
	}{
		{fault.New(fault.Forbidden, "not-invited", "x"), "Personne ne vous a encore invité"},
		{fault.New(fault.NotFound, "no-such-birth", "x"), "Il n’y a rien ici."},
		{fault.New(fault.Internal, "odd", "x"), "Une erreur s’est produite"},
	} {
		if got := s.Fault(r, c.f); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %q", c.f.Code, got)
		}
	}
}

func TestFieldsAreStrict(t *testing.T) {
	m := all(t)["en"]
	for _, more := range [][]any{{}, {"label"}, {"label", "L", "rows", "3"}, {"label", "L", "lable", "x"}, {"label", "L", "required", "yes"}, {"label", "L", 3, "x"}} {
		if _, err := newField(m, Form{}, "x", more); err == nil {
			t.Errorf("%v was taken", more)
		}
	}
}

func TestShowRefuses(t *testing.T) {
	s := withParts(t, "http://localhost:8080")
	for name, v := range map[string]View{"page": {Page: "no/such", Title: "home.title"}, "title": {Page: "test/parts", Title: "no.such", Data: map[string]any{}}} {
		w := httptest.NewRecorder()
		if err := s.Show(w, httptest.NewRequest("GET", "/app/", nil), v); err == nil {
			t.Errorf("%s: shown", name)
		}
		if b, _ := io.ReadAll(w.Body); len(b) > 0 {
			t.Errorf("%s: half a page", name)
		}
	}
}
