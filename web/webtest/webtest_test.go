package webtest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/kinpass/kinpass/web/webtest"
)

const good = `<!doctype html><html lang="en"><head><title>Good</title></head><body class="govuk-frontend-supported"><main><h1>Good</h1>%s</main></body></html>`

// TestBadPagesAreFound: what should fail a page's test does.
func TestBadPagesAreFound(t *testing.T) {
	pages := map[string]struct{ policy, body, want string }{
		"/good":   {"default-src 'none'", "", ""},
		"/image":  {"default-src 'none'", `<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">`, "axe image-alt (critical)"},
		"/field":  {"default-src 'none'", `<input name="x">`, "axe label (critical)"},
		"/pale":   {"style-src 'unsafe-inline'", `<p style="color: #bbb; background: #fff">Hardly there</p>`, "axe color-contrast (serious)"},
		"/wide":   {"style-src 'unsafe-inline'", `<div style="width: 3000px">Wide</div>`, "wider than the screen"},
		"/style":  {"default-src 'none'", `<p style="color: red">Red</p>`, "policy: style-src-attr"},
		"/script": {"default-src 'none'", `<script>document.title = 'x'</script>`, "policy: script-src-elem"},
		"/throws": {"script-src 'unsafe-inline'", `<script>throw new Error('broke')</script>`, "exception: "},
		"/heavy":  {"script-src 'self'", `<script src="/large.js"></script>`, "weighs 30"},
		"/away":   {"img-src *", `<img alt="" src="http://127.0.0.1:1/x.png">`, "a request to http://127.0.0.1:1/x.png"},
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/large.js" {
			w.Header().Set("Content-Type", "text/javascript")
			fmt.Fprint(w, "//"+strings.Repeat("x", webtest.Budget))
			return
		}
		p, ok := pages[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Security-Policy", p.policy)
		fmt.Fprintf(w, good, p.body)
	}))
	defer srv.Close()
	x := webtest.Open(t).Tab(t, webtest.Phone, "en")
	for path, p := range pages {
		x.Go(srv.URL + path)
		found := strings.Join(x.Findings(), "\n")
		if p.want == "" && found != "" || !strings.Contains(found, p.want) {
			t.Errorf("%s: %q, want %q", path, found, p.want)
		}
	}
	other := webtest.Open(t).Tab(t, webtest.Desktop, "ar")
	other.Go(srv.URL + "/good")
	if found := strings.Join(other.Findings(), "\n"); !strings.Contains(found, `in "en", written ""`) {
		t.Errorf("a page in another language: %q", found)
	}
}
