// Package servetest holds tests that every role's server must pass: its routes
// are those of the API description, and no answer repeats what a stranger
// sent.
package servetest

import (
	"io"
	"mime"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/kinpass/kinpass/api"
	"github.com/kinpass/kinpass/internal/serve"
)

// Operations gives "METHOD /path/{id}" of everything described for a role.
func Operations(t testing.TB, role string) []string {
	t.Helper()
	spec, err := openapi3.NewLoader().LoadFromData(api.Spec)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for path, item := range spec.Paths.Map() {
		for method, op := range item.Operations() {
			if slices.Contains(op.Tags, role) {
				out = append(out, method+" "+path)
			}
		}
	}
	slices.Sort(out)
	return out
}

// Described fails unless the server's routes are exactly the operations that
// the API description has for the role. Routes below one of the prefixes (the
// pages) are left out.
func Described(t *testing.T, s *serve.Server, role string, prefixes ...string) {
	t.Helper()
	var routes []string
	for _, r := range s.Echo.Routes() {
		outside := slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(r.Path, p) })
		if outside || !strings.HasPrefix(r.Path, "/") {
			continue
		}
		parts := strings.Split(r.Path, "/")
		for i, x := range parts {
			if strings.HasPrefix(x, ":") {
				parts[i] = "{" + x[1:] + "}"
			}
		}
		routes = append(routes, r.Method+" "+strings.Join(parts, "/"))
	}
	operations := Operations(t, role)
	for _, r := range routes {
		if !slices.Contains(operations, r) {
			t.Errorf("%s: the route %q is not described", role, r)
		}
	}
	for _, op := range operations {
		if !slices.Contains(routes, op) {
			t.Errorf("%s: %q is described and there is no such route", role, op)
		}
	}
}

// Secret is what Hostile sends wherever a value can stand. No answer may hold
// it.
const Secret = "Zyxomma"

// Hostile sends bad requests to every described operation of a role, with
// every token and without one, and fails if an answer repeats what was sent, is
// an internal error, or refuses in another form than a problem or OAuth error.
// address makes the client's address for the n-th request, so that rate limits
// do not stand in the way.
func Hostile(t *testing.T, s http.Handler, role string, tokens []string, address func(n int) string) {
	t.Helper()
	bodies := map[string]string{
		"empty":        "",
		"not JSON":     `{"names": "` + Secret,
		"null":         "null",
		"array":        `["` + Secret + `"]`,
		"string":       `"` + Secret + `"`,
		"wrong types":  `{"names": "` + Secret + `", "childRef": 7, "guardian": ["` + Secret + `"], "decision": {"` + Secret + `": 1}, "reason": ["` + Secret + `"], "guardianship": {"a": "` + Secret + `"}}`,
		"wrong values": `{"decision": "` + Secret + `", "reason": "` + Secret + `", "guardianship": "` + Secret + `", "minutes": -5, "` + Secret + `": "` + Secret + `"}`,
		"twice":        `{"decision": "` + Secret + `", "decision": "approve", "childRef": "` + Secret + `", "childref": "` + Secret + `"}`,
		"not UTF-8":    "{\"decision\": \"" + Secret + "\xff\xfe\"}",
		"deep":         strings.Repeat(`{"`+Secret+`":[`, 3000) + "1" + strings.Repeat("]}", 3000),
		"huge":         `{"decision": "` + strings.Repeat(Secret, 400_000) + `"}`,
	}
	n := 0
	for _, op := range Operations(t, role) {
		method, path, _ := strings.Cut(op, " ")
		target := path
		for strings.Contains(target, "{") {
			i, j := strings.Index(target, "{"), strings.Index(target, "}")
			target = target[:i] + Secret + target[j+1:]
		}
		for what, body := range bodies {
			if method == http.MethodGet && what != "empty" {
				continue
			}
			for _, media := range []string{"application/json", "application/x-www-form-urlencoded", "text/" + Secret, ""} {
				if what == "huge" && media != "application/json" {
					continue // 2.8 MB each
				}
				for i, token := range append([]string{"", Secret}, tokens...) {
					r := httptest.NewRequest(method, target+"?guardianship="+Secret+"&x="+Secret, strings.NewReader(body))
					if address != nil {
						r.RemoteAddr = address(n)
					}
					n++
					if media != "" {
						r.Header.Set("Content-Type", media)
					}
					if token != "" {
						r.Header.Set("Authorization", "Bearer "+token)
					}
					if i%2 == 1 {
						r.Header.Set("Idempotency-Key", Secret+"\x80")
						r.Header.Set("DPoP", Secret+"."+Secret+"."+Secret)
					}
					w := httptest.NewRecorder()
					s.ServeHTTP(w, r)
					judge(t, op+", "+what+", "+media, w)
				}
			}
		}
	}
}

func judge(t *testing.T, what string, w *httptest.ResponseRecorder) {
	t.Helper()
	res := w.Result()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(body), Secret) {
		t.Errorf("%s: the answer repeats what was sent: %.200s", what, body)
	}
	for name, values := range res.Header {
		if strings.Contains(strings.Join(values, " "), Secret) {
			t.Errorf("%s: header %s repeats what was sent", what, name)
		}
	}
	if res.StatusCode >= 500 && res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("%s: status %d: %.200s", what, res.StatusCode, body)
	}
	if res.StatusCode < 400 {
		return
	}
	media, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	oauth := media == "application/json" && strings.Contains(string(body), `"error":`)
	if media != api.MediaProblem && !oauth {
		t.Errorf("%s: refused as %q: %.200s", what, media, body)
	}
	if res.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s: a refusal may be cached", what)
	}
}
