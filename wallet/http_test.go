package wallet

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kinpass/kinpass/api"
	"github.com/kinpass/kinpass/internal/qr"
	"github.com/kinpass/kinpass/internal/serve"
	"github.com/kinpass/kinpass/internal/serve/servetest"
	"github.com/kinpass/kinpass/internal/vc"
)

// desk is a wallet behind its server, with the tokens of two guardians and of
// somebody who is none.
type desk struct {
	scene
	srv    *serve.Server
	log    *safeBuffer
	tokens map[string]string // by name
}

type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func newDesk(t *testing.T, s scene) desk {
	t.Helper()
	d := desk{scene: s, log: &safeBuffer{}, tokens: map[string]string{"none": ""}}
	for name, role := range map[string]string{"amina": RoleGuardian, "bilal": RoleGuardian, "officer": "officer"} {
		secret, _, err := s.db.AddToken(t.Context(), name, role, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		d.tokens[name] = secret
	}
	d.tokens["wrong"] = d.tokens["amina"] + "x"
	log := slog.New(slog.NewTextHandler(d.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	srv, err := serve.New(serve.Config{Role: "wallet", Log: log, Now: time.Now,
		Token: func(ctx context.Context, secret string) (serve.Caller, error) {
			tok, err := s.db.TokenBySecret(ctx, secret, time.Now())
			return serve.Caller{ID: tok.ID, Name: tok.Name, Role: tok.Role}, err
		}})
	if err != nil {
		t.Fatal(err)
	}
	Routes(srv, s.Wallet)
	d.srv = srv
	return d
}

// call sends a request. Body is nil, text or something to marshal.
func (d desk) call(t *testing.T, who, method, path string, body any, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	var raw []byte
	switch b := body.(type) {
	case nil:
	case string:
		raw = []byte(b)
	default:
		var err error
		if raw, err = json.Marshal(b); err != nil {
			t.Fatal(err)
		}
	}
	r := httptest.NewRequest(method, path, bytes.NewReader(raw))
	if raw != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if s := d.tokens[who]; s != "" {
		r.Header.Set("Authorization", "Bearer "+s)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	d.srv.ServeHTTP(rec, r)
	return rec
}

// into reads a good answer.
func into[T any](t *testing.T, rec *httptest.ResponseRecorder) T {
	t.Helper()
	var v T
	if rec.Code != http.StatusOK {
		t.Fatalf("status %d: %s", rec.Code, rec.Body)
	}
	if err := json.Unmarshal(rec.Body.Bytes(), &v); err != nil {
		t.Fatal(err)
	}
	if cc := rec.Header().Get("Cache-Control"); cc != "no-store" {
		t.Errorf("Cache-Control %q", cc)
	}
	return v
}

func eachDesk(t *testing.T, fn func(t *testing.T, d desk)) {
	each(t, func(t *testing.T, s scene) { fn(t, newDesk(t, s)) })
}

func TestRoutesAreDescribed(t *testing.T) {
	servetest.Described(t, newDesk(t, lite(t)).srv, "wallet")
}

func TestHostileRequests(t *testing.T) {
	d := newDesk(t, lite(t))
	servetest.Hostile(t, d.srv, "wallet", []string{d.tokens["amina"]},
		func(n int) string { return fmt.Sprintf("10.%d.%d.%d:1", n>>16&255, n>>8&255, n&255) })
	if d.o.count("") != 0 || count(t, d.db, "guardians") != 0 {
		t.Error("a bad request did something")
	}
}

func TestHTTPStory(t *testing.T) {
	eachDesk(t, func(t *testing.T, d desk) {
		a := into[Accepted](t, d.call(t, "amina", "POST", "/wallet/offers", jsonObject{"offer": d.o.offer(zainab), "pin": pin}))
		var object any
		link := d.o.offer(tariq)
		for code := range d.o.offers {
			if strings.Contains(link, code) {
				json.Unmarshal([]byte(d.o.object(code)), &object)
			}
		}
		b := into[Accepted](t, d.call(t, "amina", "POST", "/wallet/offers", jsonObject{"offer": object, "pin": pin}))
		if len(a.Credentials) != 4 || len(b.Credentials) != 4 {
			t.Fatal("not all credentials")
		}
		rec := d.call(t, "amina", "GET", "/wallet/children", nil)
		for _, want := range []string{"Zainab Okonkwo", "Tariq Hassan", "زينب"} {
			if !strings.Contains(rec.Body.String(), want) {
				t.Errorf("no %q among the children", want)
			}
		}
		for _, no := range []string{zainab.ref, zainab.number, zainab.passport, "did:key", "eyJ", a.Credentials[0].JWT + "refresh"} {
			if strings.Contains(rec.Body.String(), no) {
				t.Errorf("the children show %q", no)
			}
		}
		list := into[struct{ Credentials []Credential }](t, d.call(t, "amina", "GET", "/wallet/credentials", nil))
		if len(list.Credentials) != 8 {
			t.Errorf("%d credentials", len(list.Credentials))
		}
		one := into[Credential](t, d.call(t, "amina", "GET", "/wallet/credentials/"+a.Credentials[0].ID, nil))
		if !contains(one.Subject, zainab.ref) || !strings.HasPrefix(one.JWT, "eyJ") {
			t.Error("one credential does not say everything")
		}
		p := into[struct{ KP1, Presentation, QR string }](t, d.call(t, "amina", "POST", "/wallet/presentations", jsonObject{"child": a.Child}))
		if !strings.HasPrefix(p.KP1, "KP1:") || !strings.HasPrefix(p.QR, "<svg") && !strings.HasPrefix(p.QR, "<?xml") {
			t.Errorf("presentation %.20q %.20q", p.KP1, p.QR)
		}
		opened(t, p.Presentation)
		svg := d.call(t, "amina", "POST", "/wallet/presentations", jsonObject{"child": a.Child}, "Accept", "image/svg+xml")
		if svg.Code != 200 || svg.Header().Get("Content-Type") != "image/svg+xml" || !strings.Contains(svg.Body.String(), "<svg") || svg.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("svg: %d %v", svg.Code, svg.Header())
		}
		png := d.call(t, "amina", "POST", "/wallet/presentations", jsonObject{"child": a.Child}, "Accept", "text/html, image/png;q=0.9, */*")
		if png.Code != 200 || png.Header().Get("Content-Type") != "image/png" || png.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("png: %d %v", png.Code, png.Header())
		}
		if text, err := qr.ReadImage(png.Body.Bytes()); err != nil || !strings.HasPrefix(text, "KP1:") {
			t.Errorf("the image does not read: %v", err)
		}
		r := into[Renewed](t, d.call(t, "amina", "POST", "/wallet/renewals", nil))
		if r.Checked != 8 {
			t.Errorf("renewed %+v", r)
		}
		if rec := d.call(t, "amina", "DELETE", "/wallet/credentials/"+a.Credentials[0].ID, nil); rec.Code != 204 || rec.Body.Len() != 0 {
			t.Errorf("delete: %d %s", rec.Code, rec.Body)
		}
		if rec := d.call(t, "amina", "DELETE", "/wallet", nil); rec.Code != 204 || rec.Body.Len() != 0 {
			t.Errorf("delete all: %d %s", rec.Code, rec.Body)
		}
		if kids := into[struct{ Children []Child }](t, d.call(t, "amina", "GET", "/wallet/children", nil)); kids.Children == nil || len(kids.Children) != 0 {
			t.Error("children after deletion")
		}
		noSecrets(t, d.log.String(), d)
	})
}

// noSecrets fails if a text holds anything of the families.
func noSecrets(t *testing.T, text string, d desk) {
	t.Helper()
	for _, no := range []string{"Zainab", "Okonkwo", "OKONKWO", "Tariq", "Hassan", zainab.ref, tariq.ref, zainab.number, zainab.passport, zainab.born,
		"did:key", pin, "code-", "acc-", "ref-", "KP1:", "eyJ", d.tokens["amina"], d.tokens["bilal"]} {
		if strings.Contains(text, no) {
			t.Errorf("a text holds %q", no)
		}
	}
}

// Another guardian's things look exactly like things that never were.
func TestHTTPNotYoursIsNotThere(t *testing.T) {
	eachDesk(t, func(t *testing.T, d desk) {
		a := into[Accepted](t, d.call(t, "amina", "POST", "/wallet/offers", jsonObject{"offer": d.o.offer(zainab), "pin": pin}))
		b := into[Accepted](t, d.call(t, "bilal", "POST", "/wallet/offers", jsonObject{"offer": d.o.offer(zainab), "pin": pin}))
		hers := a.Credentials
		absent := "AbCdEfGhIjKlMnOp"
		birth, guard := borderOf(t, b, vc.TypeBirth), borderOf(t, a, vc.TypeGuardianship)
		for _, who := range []string{"bilal", "fresh"} {
			if who == "fresh" { // a guardian who has no wallet at all
				secret, _, err := d.db.AddToken(t.Context(), "fresh", RoleGuardian, time.Time{})
				if err != nil {
					t.Fatal(err)
				}
				d.tokens[who] = secret
			}
			for _, c := range []struct {
				method, path string
				body         func(child, credential string) any
			}{
				{"GET", "/wallet/credentials/ID", nil},
				{"DELETE", "/wallet/credentials/ID", nil},
				{"POST", "/wallet/presentations", func(child, _ string) any { return jsonObject{"child": child} }},
				{"POST", "/wallet/presentations", func(child, credential string) any {
					return jsonObject{"child": child, "credentials": []string{credential}}
				}},
				{"POST", "/wallet/disclosures", func(_, credential string) any {
					return jsonObject{"credential": credential, "disclose": []string{"/birthDate"}, "audience": asker, "nonce": asked}
				}},
				{"POST", "/wallet/presentations", func(_, credential string) any {
					return jsonObject{"child": b.Child, "credentials": []string{birth, credential}}
				}},
			} {
				ask := func(child, credential string) *httptest.ResponseRecorder {
					var body any
					if c.body != nil {
						body = c.body(child, credential)
					}
					return d.call(t, who, c.method, strings.Replace(c.path, "ID", credential, 1), body)
				}
				x, y := ask(a.Child, guard), ask(absent, absent)
				if x.Code != http.StatusNotFound || x.Code != y.Code || x.Body.String() != y.Body.String() {
					t.Errorf("%s %s %s: %d %s, absent: %d %s", who, c.method, c.path, x.Code, x.Body, y.Code, y.Body)
				}
				if fmt.Sprint(withoutID(x.Header())) != fmt.Sprint(withoutID(y.Header())) {
					t.Errorf("headers differ: %v, %v", x.Header(), y.Header())
				}
			}
		}
		// Nothing of hers is gone, and none of his listings shows it.
		for _, path := range []string{"/wallet/children", "/wallet/credentials"} {
			rec := d.call(t, "bilal", "GET", path, nil)
			for _, c := range hers {
				if strings.Contains(rec.Body.String(), c.ID) || strings.Contains(rec.Body.String(), a.Child) {
					t.Errorf("%s shows another guardian's things", path)
				}
			}
		}
		if rec := d.call(t, "bilal", "DELETE", "/wallet", nil); rec.Code != 204 {
			t.Fatal(rec.Code)
		}
		for _, c := range hers {
			if rec := d.call(t, "amina", "GET", "/wallet/credentials/"+c.ID, nil); rec.Code != 200 {
				t.Errorf("a credential is gone: %d", rec.Code)
			}
		}
	})
}

func withoutID(h http.Header) http.Header {
	h = h.Clone()
	h.Del("X-Request-Id")
	return h
}

func TestHTTPTokens(t *testing.T) {
	d := newDesk(t, lite(t))
	for _, r := range [][2]string{{"POST", "/wallet/offers"}, {"GET", "/wallet/children"}, {"GET", "/wallet/credentials"}, {"GET", "/wallet/credentials/x"},
		{"DELETE", "/wallet/credentials/x"}, {"POST", "/wallet/presentations"}, {"POST", "/wallet/disclosures"}, {"POST", "/wallet/renewals"}, {"DELETE", "/wallet"}} {
		for who, want := range map[string]int{"none": 401, "wrong": 401, "officer": 403} {
			var body any
			if r[0] == "POST" && r[1] != "/wallet/renewals" {
				body = jsonObject{"offer": "x", "child": "x"}
				switch r[1] {
				case "/wallet/offers":
					body = jsonObject{"offer": d.o.offer(zainab), "pin": pin}
				case "/wallet/disclosures":
					body = jsonObject{"credential": "x", "show": "age", "audience": asker, "nonce": asked}
				default:
					body = jsonObject{"child": "x"}
				}
			}
			rec := d.call(t, who, r[0], r[1], body)
			if rec.Code != want || rec.Header().Get("Content-Type") != api.MediaProblem {
				t.Errorf("%s %s %s: %d %s", who, r[0], r[1], rec.Code, rec.Body)
			}
		}
	}
	if d.o.count("") != 0 {
		t.Error("somebody without a wallet reached an issuer")
	}
	if count(t, d.db, "guardians") != 0 {
		t.Error("a wallet was made")
	}
}

// Bad input gets a problem document that does not repeat it, and leaves
// nothing behind.
func TestHTTPBadInput(t *testing.T) {
	d := newDesk(t, lite(t))
	into[Accepted](t, d.call(t, "amina", "POST", "/wallet/offers", jsonObject{"offer": d.o.offer(zainab), "pin": pin}))
	requests := d.o.count("")
	rows := func() string {
		out := ""
		for _, table := range []string{"guardians", "holder_keys", "grants", "children", "child_refs", "credentials"} {
			out += fmt.Sprint(table, count(t, d.db, table), " ")
		}
		return out
	}
	before := rows()
	const mark = "Xq7EchoMark"
	for _, c := range []struct {
		method, path string
		body         any
		status       int
		code         string
	}{
		{"POST", "/wallet/offers", "", 400, "request-invalid"},
		{"POST", "/wallet/offers", "{", 400, "request-invalid"},
		{"POST", "/wallet/offers", "null", 400, "request-invalid"},
		{"POST", "/wallet/offers", `"` + mark + `"`, 400, "request-invalid"},
		{"POST", "/wallet/offers", `{}`, 400, "request-invalid"},
		{"POST", "/wallet/offers", `{"offer":1}`, 400, "request-invalid"},
		{"POST", "/wallet/offers", `{"offer":null}`, 400, "request-invalid"},
		{"POST", "/wallet/offers", `{"offer":["` + mark + `"]}`, 400, "request-invalid"},
		{"POST", "/wallet/offers", `{"offer":"","pin":"1"}`, 400, "request-invalid"},
		{"POST", "/wallet/offers", jsonObject{"offer": mark, "pin": 493021}, 400, "request-invalid"},
		{"POST", "/wallet/offers", jsonObject{"offer": mark, "pin": strings.Repeat(mark, 10)}, 400, "request-invalid"},
		{"POST", "/wallet/offers", jsonObject{"offer": mark, mark: 1}, 400, "request-invalid"},
		{"POST", "/wallet/offers", jsonObject{"offer": mark}, 400, "offer-invalid"},
		{"POST", "/wallet/offers", jsonObject{"offer": jsonObject{mark: mark}}, 400, "offer-invalid"},
		{"POST", "/wallet/offers", `{"offer":"` + mark + `","offer":"` + mark + `"}`, 400, "body-invalid"},
		{"POST", "/wallet/offers", `{"offer":"` + mark + `","Offer":"x"}`, 400, "request-invalid"},
		{"POST", "/wallet/offers", jsonObject{"offer": "openid-credential-offer://?credential_offer_uri=http://169.254.169.254/" + mark}, 400, "offer-invalid"},
		{"POST", "/wallet/offers", jsonObject{"offer": "openid-credential-offer://?credential_offer_uri=file:///" + mark}, 400, "offer-invalid"},
		{"POST", "/wallet/offers", jsonObject{"offer": "openid-credential-offer://?credential_offer_uri=https://" + strings.ToLower(mark) + ".test/o", "pin": pin}, 422, "issuer-untrusted"},
		{"POST", "/wallet/offers", jsonObject{"offer": d.o.offer(tariq), "pin": mark}, 400, "pin-form"},
		{"POST", "/wallet/offers", jsonObject{"offer": d.o.offer(tariq)}, 400, "pin-form"},
		{"POST", "/wallet/offers", jsonObject{"offer": strings.Repeat("x", 17000)}, 400, "request-invalid"},
		{"POST", "/wallet/offers", jsonObject{"offer": jsonObject{"x": strings.Repeat("x", 40000)}}, 413, "body-too-large"},
		{"POST", "/wallet/presentations", "{}", 400, "request-invalid"},
		{"POST", "/wallet/presentations", jsonObject{"child": 1}, 400, "request-invalid"},
		{"POST", "/wallet/presentations", jsonObject{"child": ""}, 400, "request-invalid"},
		{"POST", "/wallet/presentations", jsonObject{"child": mark}, 404, "no-such-child"},
		{"POST", "/wallet/presentations", jsonObject{"child": mark, "x": 1}, 400, "request-invalid"},
		{"POST", "/wallet/presentations", jsonObject{"child": mark, "credentials": mark}, 400, "request-invalid"},
		{"POST", "/wallet/presentations", jsonObject{"child": mark, "credentials": []int{1}}, 400, "request-invalid"},
		{"POST", "/wallet/presentations", jsonObject{"child": mark, "credentials": strings.Split("123456789", "")}, 400, "request-invalid"},
		{"POST", "/wallet/presentations", jsonObject{"child": mark, "nonce": mark}, 400, "presentation-terms"},
		{"POST", "/wallet/presentations", jsonObject{"child": mark, "audience": mark}, 400, "presentation-terms"},
		{"POST", "/wallet/presentations", `{"child":"` + mark + `","child":"x"}`, 400, "body-invalid"},
		{"POST", "/wallet/disclosures", "{}", 400, "request-invalid"},
		{"POST", "/wallet/disclosures", jsonObject{"credential": mark, "show": "age", "audience": asker}, 400, "request-invalid"},
		{"POST", "/wallet/disclosures", jsonObject{"credential": mark, "show": "age", "nonce": asked}, 400, "request-invalid"},
		{"POST", "/wallet/disclosures", jsonObject{"credential": mark, "show": "age", "audience": asker, "nonce": "short"}, 400, "request-invalid"},
		{"POST", "/wallet/disclosures", jsonObject{"credential": mark, "show": mark, "audience": asker, "nonce": asked}, 400, "request-invalid"},
		{"POST", "/wallet/disclosures", jsonObject{"credential": mark, "disclose": []string{mark}, "audience": asker, "nonce": asked}, 400, "request-invalid"},
		{"POST", "/wallet/disclosures", jsonObject{"credential": mark, "disclose": mark, "audience": asker, "nonce": asked}, 400, "request-invalid"},
		{"POST", "/wallet/disclosures", jsonObject{"credential": mark, "audience": asker, "nonce": asked}, 400, "disclosure-terms"},
		{"POST", "/wallet/disclosures", jsonObject{"credential": mark, "show": "age", "disclose": []string{"/" + mark}, "audience": asker, "nonce": asked}, 400, "disclosure-terms"},
		{"POST", "/wallet/disclosures", jsonObject{"credential": mark, "show": "age", "audience": mark + "\u202e", "nonce": asked}, 400, "presentation-terms"},
		{"POST", "/wallet/disclosures", jsonObject{"credential": mark, "show": "age", "audience": asker, "nonce": mark + " 0123456789abcdef"}, 400, "presentation-terms"},
		{"POST", "/wallet/disclosures", jsonObject{"credential": mark, "show": "age", "audience": asker, "nonce": asked}, 404, "no-such-credential"},
		{"GET", "/wallet/credentials/" + mark, nil, 404, "no-such-credential"},
		{"GET", "/wallet/credentials/%00" + mark, nil, 400, "request-invalid"},
		{"GET", "/wallet/credentials/' OR 1=1 --" + mark, nil, 404, "no-such-credential"},
		{"GET", "/wallet/credentials/" + strings.Repeat(mark, 20), nil, 400, "request-invalid"},
		{"DELETE", "/wallet/credentials/" + mark, nil, 404, "no-such-credential"},
		{"GET", "/wallet/" + mark, nil, 404, "not-found"},
	} {
		path := strings.NewReplacer(" ", "%20", "'", "%27").Replace(c.path)
		rec := d.call(t, "amina", c.method, path, c.body)
		name := fmt.Sprintf("%s %s %.60v", c.method, c.path, c.body)
		var p api.Problem
		if err := json.Unmarshal(rec.Body.Bytes(), &p); err != nil || rec.Header().Get("Content-Type") != api.MediaProblem {
			t.Errorf("%s: no problem document: %s", name, rec.Body)
			continue
		}
		if rec.Code != c.status || p.Code() != c.code || p.Status != c.status {
			t.Errorf("%s: %d %s, want %d %s", name, rec.Code, p.Code(), c.status, c.code)
		}
		if strings.Contains(strings.ToLower(rec.Body.String()), strings.ToLower(mark)) {
			t.Errorf("%s: repeats what was sent: %s", name, rec.Body)
		}
	}
	if rec := d.call(t, "amina", "POST", "/wallet/offers", "offer=x", "Content-Type", "text/plain"); rec.Code != 415 {
		t.Errorf("a form: %d %s", rec.Code, rec.Body)
	}
	if after := rows(); after != before {
		t.Errorf("rows before %s, after %s", before, after)
	}
	if n := d.o.count(""); n != requests {
		// The two offers with a bad PIN are by value: nobody had to be asked.
		t.Errorf("%d requests were made", n-requests)
	}
	if strings.Contains(d.log.String(), mark) {
		t.Error("the log repeats what was sent")
	}
}

// Refusals by an issuer tell nothing of what it said.
func TestHTTPIssuerTalk(t *testing.T) {
	d := newDesk(t, lite(t))
	d.o.override["/token"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answerJSON(w, 400, jsonObject{"error": "invalid_grant", "error_description": "Zainab Okonkwo has been seen <script>"})
	})
	rec := d.call(t, "amina", "POST", "/wallet/offers", jsonObject{"offer": d.o.offer(zainab), "pin": pin})
	if rec.Code != 422 {
		t.Errorf("status %d", rec.Code)
	}
	noSecrets(t, rec.Body.String(), d)
	noSecrets(t, d.log.String(), d)
	if strings.Contains(rec.Body.String(), "script") {
		t.Error("the issuer's words are passed on")
	}
}

func TestWanted(t *testing.T) {
	for accept, want := range map[string]string{
		"": "application/json", "*/*": "application/json", "image/png": "image/png", "image/svg+xml;q=0.5": "image/svg+xml",
		"text/html,application/json,image/png": "application/json", ";;;": "application/json", "image/*": "application/json",
	} {
		if got := wanted(accept); got != want {
			t.Errorf("%q: %s", accept, got)
		}
	}
}
