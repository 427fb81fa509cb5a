package serve_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/kinpass/kinpass/api"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/serve"
)

const spec = `
openapi: 3.0.3
info: {title: t, version: "1"}
paths:
  /things:
    post:
      tags: [issuer]
      requestBody:
        required: true
        content:
          application/json:
            schema:
              type: object
              additionalProperties: false
              required: [name]
              properties:
                name: {type: string, maxLength: 5}
                n: {type: integer, default: 3}
      responses: {'200': {description: ok}}
  /things/{id}:
    get:
      tags: [issuer]
      parameters: [{name: id, in: path, required: true, schema: {type: string, pattern: '^[a-z]+$'}}]
      responses: {'200': {description: ok}}
  /vault:
    post:
      tags: [issuer]
      security: [{bearerAuth: []}]
      parameters: [{name: n, in: query, schema: {type: integer}}]
      requestBody:
        required: true
        content:
          application/json:
            schema: {type: object, required: [name], properties: {name: {type: string}}}
      responses: {'200': {description: ok}}
  /wallet/x:
    get:
      tags: [wallet]
      responses: {'200': {description: ok}}
components:
  securitySchemes:
    bearerAuth: {type: http, scheme: bearer}
`

var errSecretCause = errors.New(`pq: duplicate key value (name)=(Amina)`)

func server(t *testing.T, log io.Writer) *serve.Server {
	t.Helper()
	s, err := serve.New(serve.Config{
		Role: "issuer", Spec: []byte(spec), Now: time.Now, BodyLimit: 1000,
		Log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Token: func(_ context.Context, secret string) (serve.Caller, error) {
			if secret == "good" {
				return serve.Caller{ID: "1", Name: "n", Role: "registrar"}, nil
			}
			return serve.Caller{}, fault.New(fault.Unauthenticated, "token-invalid", "no")
		},
		Ready: func(context.Context) error { return errSecretCause },
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Echo.POST("/things", func(c echo.Context) error {
		b, err := io.ReadAll(c.Request().Body)
		if err != nil {
			return err
		}
		return serve.JSON(c, 200, map[string]int{"read": len(b)})
	})
	s.Echo.GET("/things/:id", func(c echo.Context) error {
		switch c.Param("id") {
		case "plain":
			return errSecretCause
		case "away":
			return fmt.Errorf("Amina: %w", &net.OpError{Op: "dial", Err: errSecretCause})
		case "internal":
			return fault.New(fault.Internal, "odd-thing", "Amina is in here")
		case "panic":
			panic("Amina")
		case "conflict":
			return fault.New(fault.Conflict, "thing-exists", "there is such a thing").WithFields(fault.Field{Path: "/name", Rule: "must be new"}).With(errSecretCause)
		case "doc":
			return serve.Bytes(c, 200, "text/plain", []byte("doc"), "public, max-age=60")
		case "oauth":
			return &serve.OAuthError{Status: 400, Code: "invalid_grant"}
		}
		return serve.JSON(c, 200, serve.CallerOf(c))
	})
	s.Echo.GET("/secret", func(c echo.Context) error { return serve.JSON(c, 200, serve.CallerOf(c)) }, s.Auth("registrar"))
	s.Echo.GET("/court", func(c echo.Context) error { return serve.JSON(c, 200, 1) }, s.Auth("court"))
	s.Echo.POST("/vault", func(c echo.Context) error { return serve.JSON(c, 200, serve.CallerOf(c)) }, s.Auth("registrar"))
	s.Echo.GET("/few", func(c echo.Context) error { return serve.JSON(c, 200, 1) }, s.Limit(2, time.Minute))
	return s
}

func TestAnswers(t *testing.T) {
	cases := []struct {
		name, method, path, body string
		header                   map[string]string
		status                   int
		want, not                string
	}{
		{name: "good", method: "POST", path: "/things", body: `{"name":"abc"}`, status: 200, want: `{"read":14}`},
		{name: "missing member", method: "POST", path: "/things", body: `{"n":3}`, status: 400, want: `is required`},
		{name: "too long", method: "POST", path: "/things", body: `{"name":"Amina Diallo"}`, status: 400, want: "maxLength", not: "Amina"},
		{name: "wrong type", method: "POST", path: "/things", body: `{"name":"a","n":"Amina"}`, status: 400, want: "/body/n", not: "Amina"},
		{name: "unknown member", method: "POST", path: "/things", body: `{"name":"a","Amina":1}`, status: 400, want: "request-invalid", not: "Amina"},
		{name: "not json", method: "POST", path: "/things", body: `{"Amina`, status: 400, want: "request-invalid", not: "Amina"},
		{name: "no body", method: "POST", path: "/things", status: 400, want: "request-invalid"},
		{name: "media type", method: "POST", path: "/things", body: `name=Amina`, header: map[string]string{"Content-Type": "text/Amina"}, status: 415, want: "media-type", not: "Amina"},
		{name: "too large", method: "POST", path: "/things", body: `{"name":"` + strings.Repeat("a", 2000) + `"}`, status: 413, want: "body-too-large"},
		{name: "compressed", method: "POST", path: "/things", body: `x`, header: map[string]string{"Content-Encoding": "gzip"}, status: 415},
		{name: "path rule", method: "GET", path: "/things/AMINA", status: 400, want: "/path/id", not: "AMINA"},
		{name: "plain error", method: "GET", path: "/things/plain", status: 500, want: "problems/internal", not: "Amina"},
		{name: "internal fault", method: "GET", path: "/things/internal", status: 500, want: "problems/internal", not: "Amina"},
		{name: "panic", method: "GET", path: "/things/panic", status: 500, want: "problems/internal", not: "Amina"},
		{name: "fault", method: "GET", path: "/things/conflict", status: 409, want: `"rule":"must be new"`, not: "Amina"},
		{name: "oauth", method: "GET", path: "/things/oauth", status: 400, want: `{"error":"invalid_grant"}`},
		{name: "unknown route", method: "GET", path: "/Amina", status: 404, want: "not-found", not: "Amina"},
		{name: "another role's route", method: "GET", path: "/wallet/x", status: 404, want: "not-found"},
		{name: "method", method: "DELETE", path: "/secret", status: 405, want: "method-not-allowed"},
		{name: "method on a described path", method: "PATCH", path: "/things/abc", status: 405, want: "method-not-allowed"},
		{name: "form without a token", method: "POST", path: "/vault", body: `{"n":1}`, status: 401, want: "token-invalid", not: "required"},
		{name: "parameter without a token", method: "POST", path: "/vault?n=x", body: `{"name":"a"}`, status: 401, want: "token-invalid", not: "query"},
		{name: "media type without a token", method: "POST", path: "/vault", body: `a`, header: map[string]string{"Content-Type": "text/plain"}, status: 401, want: "token-invalid"},
		{name: "form with a wrong token", method: "POST", path: "/vault", body: `{"n":1}`, header: map[string]string{"Authorization": "Bearer bad"}, status: 401, not: "required"},
		{name: "form with a token", method: "POST", path: "/vault", body: `{"n":1}`, header: map[string]string{"Authorization": "Bearer good"}, status: 400, want: "is required"},
		{name: "all with a token", method: "POST", path: "/vault?n=1", body: `{"name":"a"}`, header: map[string]string{"Authorization": "Bearer good"}, status: 200, want: "registrar"},
		{name: "no token", method: "GET", path: "/secret", status: 401, want: "token-invalid"},
		{name: "wrong token", method: "GET", path: "/secret", header: map[string]string{"Authorization": "Bearer bad"}, status: 401, not: "bad\""},
		{name: "basic", method: "GET", path: "/secret", header: map[string]string{"Authorization": "Basic good"}, status: 401},
		{name: "token", method: "GET", path: "/secret", header: map[string]string{"Authorization": "Bearer good"}, status: 200, want: "registrar"},
		{name: "role", method: "GET", path: "/court", header: map[string]string{"Authorization": "Bearer good"}, status: 403, want: "role-not-allowed"},
		{name: "not ready", method: "GET", path: "/readyz", status: 503, want: "not-ready", not: "Amina"},
		{name: "a NUL in the address", method: "GET", path: "/things/a%00b", status: 400, want: "request-invalid"},
		{name: "a NUL in the query", method: "GET", path: "/things/abc?x=%00", status: 400, want: "request-invalid"},
		{name: "not UTF-8 in the address", method: "GET", path: "/things/%ff", status: 400, want: "request-invalid"},
		{name: "database away", method: "GET", path: "/things/away", status: 503, want: "not-ready", not: "Amina"},
		{name: "alive", method: "GET", path: "/healthz", status: 200},
	}
	var log strings.Builder
	s := server(t, &log)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			req := httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))
			if c.body != "" {
				req.Header.Set("Content-Type", "application/json")
			}
			for k, v := range c.header {
				req.Header.Set(k, v)
			}
			w := httptest.NewRecorder()
			s.ServeHTTP(w, req)
			got := w.Body.String()
			if w.Code != c.status {
				t.Fatalf("status %d, want %d: %s", w.Code, c.status, got)
			}
			if !strings.Contains(got, c.want) {
				t.Errorf("%q is not in %s", c.want, got)
			}
			if c.not != "" && strings.Contains(got, c.not) {
				t.Errorf("%q is in %s", c.not, got)
			}
			if c.status >= 400 && c.name != "oauth" {
				var p api.Problem
				if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Status != c.status || p.Code() == "" || p.Title == "" {
					t.Errorf("not a problem document: %s", got)
				}
				if ct := w.Header().Get("Content-Type"); ct != api.MediaProblem {
					t.Errorf("content type %q", ct)
				}
			}
			if c.status == http.StatusMethodNotAllowed && !strings.Contains(w.Header().Get("Allow"), "GET") {
				t.Errorf("Allow: %q", w.Header().Get("Allow"))
			}
			if w.Header().Get("X-Content-Type-Options") != "nosniff" {
				t.Error("no security headers")
			}
		})
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for where, text := range map[string]string{"log": log.String(), "metrics": w.Body.String()} {
		for _, leak := range []string{"Amina", "AMINA", "good", "bad"} {
			if strings.Contains(text, leak) {
				t.Errorf("%q is in the %s", leak, where)
			}
		}
	}
	for _, want := range []string{`kinpass_issuer_requests_total{method="POST",route="/things",status="200"} 1`, `kinpass_issuer_faults_total{code="thing-exists"} 1`} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s is not in the metrics", want)
		}
	}
}

func TestBytesAreCacheable(t *testing.T) {
	s := server(t, io.Discard)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest("GET", "/things/doc", nil))
	etag := w.Header().Get("ETag")
	if w.Code != 200 || etag == "" || w.Header().Get("Cache-Control") != "public, max-age=60" {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	for header, want := range map[string]int{etag: 304, `"x", W/` + etag: 304, `"x"`: 200, "": 200} {
		req := httptest.NewRequest("GET", "/things/doc", nil)
		req.Header.Set("If-None-Match", header)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, req)
		if w.Code != want {
			t.Errorf("If-None-Match %s: %d, want %d", header, w.Code, want)
		}
	}
}

func TestLimit(t *testing.T) {
	s := server(t, io.Discard)
	codes := map[int]int{}
	for range 5 {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest("GET", "/few", nil))
		codes[w.Code]++
		if w.Code == http.StatusTooManyRequests && w.Header().Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	}
	if codes[200] != 2 || codes[429] != 3 {
		t.Fatalf("%v", codes)
	}
}

// TestDeepBodyIsCheap: what is refused costs no more than reading it. A text
// about a deeply nested value would grow with the square of the depth.
func TestDeepBodyIsCheap(t *testing.T) {
	s := server(t, io.Discard)
	body := `{"name":` + strings.Repeat(`[`, 400) + strings.Repeat(`]`, 400) + `}`
	ask := func() {
		req := httptest.NewRequest("POST", "/things", strings.NewReader(body))
		req.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, req)
		if w.Code != http.StatusBadRequest {
			t.Fatalf("status %d", w.Code)
		}
	}
	ask()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 20 {
		ask()
	}
	runtime.ReadMemStats(&after)
	if per := (after.TotalAlloc - before.TotalAlloc) / 20; per > 128<<10 {
		t.Errorf("refusing %d bytes allocates %d", len(body), per)
	}
}

// TestBodyArrivesAsItWasSent: what the description says of a member that is
// missing must not hide from the handler what is wrong with the body.
func TestBodyArrivesAsItWasSent(t *testing.T) {
	s := server(t, io.Discard)
	body := `{ "name":"a", "name":"b" }`
	req := httptest.NewRequest("POST", "/things", strings.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, req)
	if want := fmt.Sprintf(`{"read":%d}`, len(body)); strings.TrimSpace(w.Body.String()) != want {
		t.Errorf("%d %s, want %s", w.Code, w.Body, want)
	}
}

// TestBodyHasALimit: whatever length it is said to have.
func TestBodyHasALimit(t *testing.T) {
	for n, fits := range map[int]bool{0: true, 1: true, 9: true, 10: true, 11: false, 5000: false} {
		for _, said := range []int64{-1, 0, int64(n), 1 << 40} {
			body := strings.Repeat("a", n)
			req := httptest.NewRequest("POST", "/", strings.NewReader(body))
			req.ContentLength = said
			got, err := serve.Body(req, 10)
			if fits && (err != nil || string(got) != body) || !fits && (!errors.Is(err, serve.ErrTooLarge) || got != nil) {
				t.Errorf("%d bytes, said to be %d: %q, %v", n, said, got, err)
			}
		}
	}
}

// TestHead: a HEAD answers as a GET without the body.
func TestHead(t *testing.T) {
	s := server(t, io.Discard)
	for path, want := range map[string]int{"/things/doc": 200, "/healthz": 200, "/nowhere": 404} {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest("HEAD", path, nil))
		if w.Code != want || w.Body.Len() != 0 {
			t.Errorf("%s: %d with %d bytes, want %d", path, w.Code, w.Body.Len(), want)
		}
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest("HEAD", "/things/doc", nil))
	if w.Header().Get("ETag") == "" {
		t.Error("no ETag")
	}
}
