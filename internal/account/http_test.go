package account_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/kinpass/kinpass/internal/account"
	"github.com/kinpass/kinpass/internal/serve"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/web"
)

// desk is the pages of a service behind their server.
type desk struct {
	*house
	srv   *serve.Server
	pages *account.Pages
	log   strings.Builder
}

func openDesk(t *testing.T, role, base string, f *account.Federation) *desk {
	t.Helper()
	return openDeskWith(t, account.Config{Service: role, Base: base, Roles: map[string][]string{"issuer": {"registrar", "court"}, "wallet": {"guardian"}}[role], Federation: f})
}

// openDeskWith opens a desk with a database and a clock of its own.
func openDeskWith(t *testing.T, cfg account.Config) *desk {
	t.Helper()
	db := storetest.Open(t, store.SQLite, cfg.Service)
	d := &desk{house: open(t, db)}
	cfg.DB, cfg.Now = db, d.now
	x, err := account.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	d.Accounts = x
	site, err := web.New(cfg.Service, cfg.Base)
	if err != nil {
		t.Fatal(err)
	}
	p := account.NewPages(x, site)
	d.srv, err = serve.New(serve.Config{Role: cfg.Service, Now: d.now, Log: slog.New(slog.NewTextHandler(&d.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Token: func(ctx context.Context, secret string) (serve.Caller, error) {
			tok, err := db.TokenBySecret(ctx, secret, d.now())
			return serve.Caller{ID: tok.Caller(), Name: tok.Name, Role: tok.Role}, err
		}, Session: p.Caller, Refuse: p.Refuse})
	if err != nil {
		t.Fatal(err)
	}
	p.Routes(d.srv)
	d.pages = p
	who := func(c echo.Context) error { return serve.JSON(c, 200, serve.CallerOf(c)) }
	d.srv.Echo.GET("/whoami", who, d.srv.Auth())
	d.srv.Echo.POST("/whoami", who, d.srv.Auth())
	d.srv.Echo.GET("/registrars", who, d.srv.Auth("registrar"))
	return d
}

// browser keeps cookies, as one does.
type browser struct {
	d       *desk
	base    string
	cookies map[string]*http.Cookie
	csrf    string
	from    string // address
}

func (d *desk) browser(base string) *browser {
	return &browser{d: d, base: base, cookies: map[string]*http.Cookie{}, from: "192.0.2.1:1"}
}

func (b *browser) do(method, path, body string, header map[string]string) *httptest.ResponseRecorder {
	b.d.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.RemoteAddr = b.from
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for _, c := range b.cookies {
		r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
	}
	for k, v := range header {
		if k == "Host" {
			r.Host = v
		}
		if v == "" {
			r.Header.Del(k)
		} else {
			r.Header.Set(k, v)
		}
	}
	w := httptest.NewRecorder()
	b.d.srv.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		} else {
			b.cookies[c.Name] = c
		}
	}
	if m := regexp.MustCompile(`(?:data-csrf|name="csrf" value)="([^"]+)"`).FindStringSubmatch(w.Body.String()); m != nil {
		b.csrf = m[1]
	}
	return w
}

func (b *browser) get(path string) *httptest.ResponseRecorder { return b.do("GET", path, "", nil) }

func (b *browser) post(path string, values url.Values) *httptest.ResponseRecorder {
	v := url.Values{"csrf": {b.csrf}}
	for k, x := range values {
		v[k] = x
	}
	return b.do("POST", path, v.Encode(), map[string]string{"Content-Type": "application/x-www-form-urlencoded"})
}

func (b *browser) json(path, body string) *httptest.ResponseRecorder {
	return b.do("POST", path, body, map[string]string{"Content-Type": "application/json", "Accept": "application/json", "X-CSRF-Token": b.csrf})
}

// join goes through the pages with an invitation.
func (b *browser) join(secret string, k *key) *httptest.ResponseRecorder {
	b.d.t.Helper()
	b.get("/app/join")
	code := fmt.Sprintf(`{"code":%q}`, secret)
	if w := b.json("/app/join/open", code); w.Code != 200 {
		return w
	}
	w := b.json("/app/join/options", code)
	if w.Code != 200 {
		return w
	}
	w = b.json("/app/join", string(k.create(b.d.t, json.RawMessage(w.Body.Bytes()))))
	if w.Code == 200 {
		b.get("/app/account") // whose forms carry the session's token
	}
	return w
}

func (d *desk) person(g account.Guest) (*browser, *key) {
	d.t.Helper()
	b, k := d.browser(base), newKey()
	if w := b.join(d.invited(g), k); w.Code != 200 {
		d.t.Fatalf("%d %s", w.Code, w.Body)
	}
	return b, k
}

func TestPagesOfJoiningAndSigningIn(t *testing.T) {
	d := openDesk(t, "issuer", base, nil)
	secret := d.invited(rita)
	b, k := d.browser(base), newKey()
	if w := b.get("/app/"); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/app/sign-in" {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	if w := b.get("/app/account"); w.Header().Get("Location") != "/app/sign-in?next=%2Fapp%2Faccount" {
		t.Error(w.Header())
	}
	w := b.join(secret, k)
	if w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if w := b.get("/app/"); w.Code != 200 || !strings.Contains(w.Body.String(), "Rita, desk 1") || !strings.Contains(w.Body.String(), "Registrar") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := b.get("/app/sign-in"); w.Code != http.StatusSeeOther {
		t.Errorf("signed in and asked to sign in: %d", w.Code)
	}
	// Out, and in again.
	if w := b.post("/app/sign-out", nil); w.Code != http.StatusSeeOther || len(b.cookies) != 0 && b.cookies["kinpass_issuer_session"] != nil {
		t.Errorf("%d %v", w.Code, b.cookies)
	}
	if w := b.get("/app/account"); w.Code != http.StatusSeeOther {
		t.Errorf("signed out and there: %d", w.Code)
	}
	b.get("/app/sign-in")
	w = b.json("/app/sign-in/options", "{}")
	if w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if w = b.json("/app/sign-in", string(k.get(t, json.RawMessage(w.Body.Bytes())))); w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if w := b.get("/app/account"); w.Code != 200 || strings.Count(w.Body.String(), "kp-card__title") != 2 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	// The log tells nothing of anybody.
	for _, leak := range []string{secret, strings.ToLower(secret), "Rita", b.csrf, b.cookies["kinpass_issuer_session"].Value} {
		if strings.Contains(d.log.String(), leak) {
			t.Errorf("%q is in the log", leak)
		}
	}
}

func TestCookiesAreFlagged(t *testing.T) {
	for _, c := range []struct {
		base, prefix string
		secure       bool
	}{{base, "kinpass_issuer_", false}, {"https://registry.example", "__Host-kinpass_issuer_", true}} {
		d := openDesk(t, "issuer", c.base, nil)
		b := d.browser(c.base)
		k := newKey()
		if c.secure {
			k.origin, k.rp = c.base, "registry.example"
		}
		if w := b.join(d.invited(rita), k); w.Code != 200 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if len(b.cookies) != 2 {
			t.Errorf("%d cookies", len(b.cookies))
		}
		for name, x := range b.cookies {
			if !strings.HasPrefix(name, c.prefix) || x.Secure != c.secure || !x.HttpOnly || x.SameSite != http.SameSiteLaxMode || x.Path != "/" || x.Domain != "" || x.MaxAge != 0 {
				t.Errorf("%+v", x)
			}
		}
	}
}

func TestForgedRequestsAreRefused(t *testing.T) {
	d := openDesk(t, "issuer", base, nil)
	b, _ := d.person(rita)
	other, _ := d.person(account.Guest{Role: "court", Name: "Carla"})
	stranger := d.browser(base)
	stranger.get("/app/sign-in")
	form := map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
	with := func(more map[string]string) map[string]string {
		out := map[string]string{}
		for k, v := range form {
			out[k] = v
		}
		for k, v := range more {
			out[k] = v
		}
		return out
	}
	good := url.Values{"csrf": {b.csrf}}.Encode()
	for _, c := range []struct {
		name   string
		body   string
		header map[string]string
		ok     bool
	}{
		{"no token", "", form, false},
		{"an empty token", "csrf=", form, false},
		{"another person's token", url.Values{"csrf": {other.csrf}}.Encode(), form, false},
		{"a visitor's token", url.Values{"csrf": {stranger.csrf}}.Encode(), form, false},
		{"from another site", good, with(map[string]string{"Sec-Fetch-Site": "cross-site"}), false},
		{"from another service of the host", good, with(map[string]string{"Sec-Fetch-Site": "same-site"}), false},
		{"from another origin, by an old browser", good, with(map[string]string{"Sec-Fetch-Site": "", "Origin": "http://localhost:8081"}), false},
		{"the token in the address only", "", with(map[string]string{"X-Query": "1"}), false},
		{"as text", good, map[string]string{"Content-Type": "text/plain"}, false},
		{"by an old browser that hides the origin", good, with(map[string]string{"Sec-Fetch-Site": "", "Origin": "null"}), true},
		{"by an old browser", good, with(map[string]string{"Sec-Fetch-Site": "", "Origin": base}), true},
		{"of our own page", good, form, true},
	} {
		path := "/app/account/devices"
		if c.header["X-Query"] != "" {
			path += "?" + good
		}
		w := b.do("POST", path, c.body, c.header)
		if (w.Code == 200) != c.ok || !c.ok && w.Code != http.StatusForbidden {
			t.Errorf("%s: %d", c.name, w.Code)
		}
		if !c.ok && strings.Contains(w.Body.String(), "data-invitation-code") {
			t.Errorf("%s: it was done", c.name)
		}
	}
	// Before anybody is signed in, too.
	for name, header := range map[string]map[string]string{
		"no token": {"X-CSRF-Token": ""}, "another's": {"X-CSRF-Token": b.csrf}, "another site": {"X-CSRF-Token": stranger.csrf, "Sec-Fetch-Site": "cross-site"},
	} {
		header["Content-Type"], header["Accept"] = "application/json", "application/json"
		for _, path := range []string{"/app/sign-in/options", "/app/sign-in", "/app/join/open", "/app/join/options", "/app/join", "/app/join/organisation"} {
			if w := stranger.do("POST", path, "{}", header); w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "form-forged") {
				t.Errorf("%s %s: %d %s", name, path, w.Code, w.Body)
			}
		}
	}
	// A visitor without cookies has no token that could fit.
	stranger = d.browser(base)
	stranger.from = "192.0.2.9:1"
	if w := stranger.do("POST", "/app/join/open", "{}", map[string]string{"Content-Type": "application/json", "X-CSRF-Token": "x"}); w.Code != http.StatusForbidden {
		t.Errorf("no cookie: %d", w.Code)
	}
}

// TestSessionInPlaceOfAToken: the role's own routes know who is signed in; what
// changes something needs the token of our pages.
func TestSessionInPlaceOfAToken(t *testing.T) {
	d := openDesk(t, "issuer", base, nil)
	b, k := d.person(rita)
	admin, _ := d.person(account.Guest{Role: account.RoleAdministrator, Name: "Ada"})
	if w := b.get("/whoami"); w.Code != 200 || !strings.Contains(w.Body.String(), fmt.Sprintf(`{"ID":%q,"Name":"Rita, desk 1","Role":"registrar"}`, k.handle)) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := b.get("/registrars"); w.Code != 200 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := admin.get("/registrars"); w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "role-not-allowed") {
		t.Errorf("an administrator is a registrar: %d %s", w.Code, w.Body)
	}
	if w := b.json("/whoami", "{}"); w.Code != 200 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := b.do("POST", "/whoami", "{}", map[string]string{"Content-Type": "application/json"}); w.Code != http.StatusForbidden {
		t.Errorf("without the token: %d", w.Code)
	}
	// Where both are sent the API token counts, good or bad.
	secret, _, err := d.db.AddToken(d.ctx, "machine", "court", d.now().AddDate(1, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	if w := b.do("GET", "/whoami", "", map[string]string{"Authorization": "Bearer " + secret}); !strings.Contains(w.Body.String(), `"Name":"machine"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := b.do("GET", "/whoami", "", map[string]string{"Authorization": "Bearer wrong"}); w.Code != http.StatusUnauthorized {
		t.Errorf("a wrong token beside a session: %d", w.Code)
	}
	// Two cookies of the same name: somebody planted one.
	r := httptest.NewRequest("GET", "/whoami", nil)
	for range 2 {
		r.AddCookie(&http.Cookie{Name: "kinpass_issuer_session", Value: b.cookies["kinpass_issuer_session"].Value})
	}
	w := httptest.NewRecorder()
	if d.srv.ServeHTTP(w, r); w.Code != http.StatusUnauthorized {
		t.Errorf("two cookies: %d", w.Code)
	}
	// The cookie of another service opens nothing here.
	r = httptest.NewRequest("GET", "/whoami", nil)
	r.AddCookie(&http.Cookie{Name: "kinpass_wallet_session", Value: b.cookies["kinpass_issuer_session"].Value})
	w = httptest.NewRecorder()
	if d.srv.ServeHTTP(w, r); w.Code != http.StatusUnauthorized || strings.Contains(w.Body.String(), "<html") {
		t.Errorf("another service's cookie: %d %s", w.Code, w.Body)
	}
}

// unmasked gives a page without its form tokens, of which no two are the same.
func unmasked(w *httptest.ResponseRecorder) string {
	return regexp.MustCompile(`(data-csrf|name="csrf" value)="[^"]*"`).ReplaceAllString(w.Body.String(), "")
}

// TestAnothersIdsLookAbsent: what belongs to somebody else cannot be told from
// what there is not.
func TestAnothersIdsLookAbsent(t *testing.T) {
	d := openDesk(t, "wallet", base, nil)
	one, _ := d.person(account.Guest{Role: "guardian"})
	two, _ := d.person(account.Guest{Role: "guardian"})
	page := two.get("/app/account").Body.String()
	passkey := regexp.MustCompile(`/app/account/passkeys/([^/]+)/remove`).FindStringSubmatch(page)[1]
	session, err := d.Session(d.ctx, two.cookies["kinpass_wallet_session"].Value)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ method, path, id string }{
		{"GET", "/app/account/passkeys/%s/remove", passkey}, {"POST", "/app/account/passkeys/%s/remove", passkey}, {"POST", "/app/account/sessions/%s/end", session.ID},
	} {
		ask := func(id string) string {
			path := fmt.Sprintf(c.path, id)
			w := one.get(path)
			if c.method == "POST" {
				w = one.post(path, url.Values{"last": {"yes"}})
			}
			if w.Code != http.StatusNotFound {
				t.Errorf("%s %s: %d", c.method, c.path, w.Code)
			}
			return unmasked(w)
		}
		if a, b := ask(c.id), ask("AAAAAAAAAAAAAAAA"); a != b {
			t.Errorf("%s %s: another's looks other than none", c.method, c.path)
		}
	}
	if w := two.get("/app/account"); w.Code != 200 || !strings.Contains(w.Body.String(), passkey) {
		t.Error("it was done all the same")
	}
	// The people's page is an administrator's; for others there is none.
	if a, b := one.get("/app/people"), one.get("/app/nothing"); a.Code != 404 || b.Code != 404 || unmasked(a) != unmasked(b) {
		t.Errorf("%d, %d", a.Code, b.Code)
	}
	for _, path := range []string{"/app/people", "/app/people/x/close", "/app/people/invitations/x/withdraw"} {
		if w := one.post(path, url.Values{"role": {"guardian"}}); w.Code != 404 {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

func TestGuessingInvitationsIsStopped(t *testing.T) {
	d := openDesk(t, "wallet", base, nil)
	b := d.browser(base)
	b.get("/app/join")
	codes := map[int]int{}
	guess := func(n int) {
		code := fmt.Sprintf(`{"code":"%020d"}`, n)
		w := b.json("/app/join/open", code)
		codes[w.Code]++
		if w.Code == 429 && (w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "Wait a minute")) {
			t.Errorf("%v %s", w.Header(), w.Body)
		}
	}
	for n := range 30 {
		guess(n)
	}
	if codes[404] != 20 || codes[429] != 10 {
		t.Fatal(codes)
	}
	// Another address of the same network is the same guesser, another browser too.
	b.from = "[2001:db8:0:1::1]:1"
	for n := range 30 {
		b.from = fmt.Sprintf("[2001:db8:0:1::%x]:1", n)
		guess(n)
	}
	if codes[404] != 40 || codes[429] != 20 {
		t.Fatal(codes)
	}
	// An invitation that is good does not get through meanwhile either.
	b.from = "192.0.2.1:1"
	if w := b.json("/app/join/open", fmt.Sprintf(`{"code":%q}`, d.invited(account.Guest{Role: "guardian"}))); w.Code != 429 {
		t.Errorf("%d", w.Code)
	}
}

func TestNextStaysHere(t *testing.T) {
	d := openDesk(t, "issuer", base, nil)
	for next, want := range map[string]string{"/app/account": "/app/account", "//evil.example": "/app/", "/app//evil.example": "/app/", "https://evil.example/app/": "/app/",
		"/app/\\evil": "/app/", "/app/x?y": "/app/", "javascript:alert(1)": "/app/", "/app/" + strings.Repeat("a", 300): "/app/", "": "/app/", "/births": "/app/"} {
		w := d.browser(base).get("/app/sign-in?next=" + url.QueryEscape(next))
		if !strings.Contains(w.Body.String(), fmt.Sprintf(`data-next="%s"`, want)) {
			t.Errorf("%q leads elsewhere than %s", next, want)
		}
	}
}

func TestPeople(t *testing.T) {
	d := openDesk(t, "issuer", base, nil)
	admin, _ := d.person(account.Guest{Role: account.RoleAdministrator, Name: "Ada"})
	name := `<script>alert(1)</script> "Ọláyínká" محمد`
	w := admin.post("/app/people", url.Values{"role": {"registrar"}, "name": {name}})
	code := regexp.MustCompile(`data-invitation-code>([^<]+)<`).FindStringSubmatch(w.Body.String())
	if w.Code != 200 || code == nil || w.Header().Get("Cache-Control") != "no-store" || !strings.Contains(w.Body.String(), "<svg") || strings.Contains(w.Body.String(), "<script>") {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if w := admin.get("/app/people"); strings.Contains(w.Body.String(), code[1]) || !strings.Contains(w.Body.String(), "&lt;script&gt;") || strings.Contains(w.Body.String(), "<script>") {
		t.Error("the secret is shown twice, or a name runs")
	}
	guest := d.browser(base)
	if w := guest.join(code[1], newKey()); w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if w := guest.get("/app/"); strings.Contains(w.Body.String(), "<script>") || !strings.Contains(w.Body.String(), "محمد") {
		t.Error(w.Body)
	}
	// What is wrong is said at its field, and nothing is lost.
	for _, c := range []struct{ role, name, want, lang string }{
		{"", "Rob", `<a href="#role">Choose a role</a>`, "en"}, {"root", "Rob", `<a href="#role">`, "en"}, {"registrar", "", `<a href="#name">`, "en"},
		{"registrar", "Ada", `<a href="#name">Another account has this name`, "en"}, {"registrar", "", `<a href="#name">أدخل اسمًا`, "ar"},
	} {
		w := admin.do("POST", "/app/people", url.Values{"csrf": {admin.csrf}, "role": {c.role}, "name": {c.name}}.Encode(),
			map[string]string{"Content-Type": "application/x-www-form-urlencoded", "Accept-Language": c.lang})
		if w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), c.want) || !strings.Contains(w.Body.String(), fmt.Sprintf(`value="%s"`, c.name)) {
			t.Errorf("%+v: %d", c, w.Code)
		}
	}
	// Close and open again.
	all, err := d.List(d.ctx)
	if err != nil || len(all) != 2 {
		t.Fatal(all, err)
	}
	id, mine := all[1].ID, all[0].ID
	if all[0].Role == "registrar" { // the clock stands still, so they are equally old
		id, mine = mine, id
	}
	if w := admin.get("/app/people/" + id + "/close"); w.Code != 200 {
		t.Errorf("%d", w.Code)
	}
	if w := admin.post("/app/people/"+id+"/close", nil); w.Header().Get("Location") != "/app/people?done=closed" {
		t.Errorf("%d", w.Code)
	}
	if w := guest.get("/app/account"); w.Code != http.StatusSeeOther {
		t.Errorf("closed and there: %d", w.Code)
	}
	if w := admin.post("/app/people/"+id+"/reopen", nil); w.Header().Get("Location") != "/app/people?done=reopened" {
		t.Errorf("%d", w.Code)
	}
	if w := admin.post("/app/people/"+mine+"/close", nil); w.Code != http.StatusConflict || !strings.Contains(w.Body.String(), "only administrator") {
		t.Errorf("the last administrator: %d %s", w.Code, w.Body)
	}
	// An invitation that is not wanted any more.
	admin.post("/app/people", url.Values{"role": {"court"}, "name": {"Carla"}})
	open, err := d.Invitations(d.ctx)
	if err != nil || len(open) != 1 {
		t.Fatal(open, err)
	}
	if w := admin.post("/app/people/invitations/"+open[0].ID+"/withdraw", nil); w.Header().Get("Location") != "/app/people?done=withdrawn" {
		t.Errorf("%d", w.Code)
	}
	for _, done := range []string{"withdrawn", "closed", "reopened"} {
		if w := admin.get("/app/people?done=" + done); !strings.Contains(w.Body.String(), "notification-banner--success") {
			t.Errorf("%s is not said", done)
		}
	}
	if w := admin.get("/app/people?done=%3Cscript%3E"); strings.Contains(w.Body.String(), "notification-banner") {
		t.Error("anybody can put words on the page")
	}
}

// TestOwnAccountPages: devices, removal with its warning, and out everywhere.
func TestOwnAccountPages(t *testing.T) {
	d := openDesk(t, "wallet", base, nil)
	b, _ := d.person(account.Guest{Role: "guardian"})
	remove := func(page string) []string {
		var out []string
		for _, m := range regexp.MustCompile(`href="(/app/account/passkeys/[^/]+/remove)"`).FindAllStringSubmatch(page, -1) {
			out = append(out, m[1])
		}
		return out
	}
	only := remove(b.get("/app/account").Body.String())[0]
	if w := b.get(only); !strings.Contains(w.Body.String(), "only passkey") {
		t.Error("no warning")
	}
	if w := b.post(only, nil); w.Code != 200 || !strings.Contains(w.Body.String(), `<a href="#last">`) {
		t.Errorf("%d", w.Code)
	}
	w := b.post("/app/account/devices", nil)
	code := regexp.MustCompile(`data-invitation-code>([^<]+)<`).FindStringSubmatch(w.Body.String())
	if w.Code != 200 || code == nil {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	phone := d.browser(base)
	if w := phone.join(code[1], newKey()); w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	page := b.get("/app/account").Body.String()
	if len(remove(page)) != 2 || strings.Count(page, "/app/account/sessions/") != 1 {
		t.Error(page)
	}
	// One more on this device, a moment later: they are listed by age.
	d.wait(time.Second)
	w = b.json("/app/account/passkeys/options", "{}")
	if w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if w = b.json("/app/account/passkeys", string(newKey().create(t, json.RawMessage(w.Body.Bytes())))); w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	page = b.get("/app/account?done=added").Body.String()
	if len(remove(page)) != 3 || !strings.Contains(page, "The passkey was added.") {
		t.Error(page)
	}
	if w := b.post(remove(page)[2], nil); w.Header().Get("Location") != "/app/account?done=removed" {
		t.Errorf("%d", w.Code)
	}
	session := regexp.MustCompile(`action="(/app/account/sessions/[^"]+)"`).FindStringSubmatch(page)[1]
	if w := b.post(session, nil); w.Header().Get("Location") != "/app/account?done=ended" {
		t.Errorf("%d", w.Code)
	}
	if w := phone.get("/app/"); w.Code != http.StatusSeeOther {
		t.Errorf("the phone is still in: %d", w.Code)
	}
	if w := b.post("/app/sign-out-everywhere", nil); w.Code != http.StatusSeeOther || b.get("/app/").Code != http.StatusSeeOther {
		t.Errorf("%d", w.Code)
	}
	// Whoever is out already gets out without a complaint.
	if w := b.post("/app/sign-out", nil); w.Code != http.StatusSeeOther {
		t.Errorf("%d", w.Code)
	}
	if strings.Contains(page, "guardian") && strings.Contains(page, "child") {
		t.Error("the page says what it is for")
	}
}

func TestErrorsOnPages(t *testing.T) {
	d := openDesk(t, "issuer", base, nil)
	b := d.browser(base)
	for _, c := range []struct{ path, accept, lang, want, not string }{
		{"/app/nothing", "text/html", "fr", "Il n’y a rien ici.", "application/problem"},
		{"/app/nothing", "application/json", "es", `"message":"Aquí no hay nada."`, "<html"},
		{"/app/nothing", "*/*", "fr", "/problems/not-found", "<html"},
		{"/nothing", "text/html", "fr", "/problems/not-found", "<html"},
		{"/app/static/x/page.js", "*/*", "fr", "/problems/not-found", "<html"},
	} {
		w := b.do("GET", c.path, "", map[string]string{"Accept": c.accept, "Accept-Language": c.lang})
		if w.Code != 404 || !strings.Contains(w.Body.String(), c.want) || strings.Contains(w.Body.String(), c.not) {
			t.Errorf("%s as %s: %d %s", c.path, c.accept, w.Code, w.Body)
		}
	}
	if w := b.get("/app"); w.Header().Get("Location") != "/app/" {
		t.Errorf("%d", w.Code)
	}
	if w := b.get("/app/join?lang=ar"); w.Header().Get("Location") != "/app/join" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	if w := b.get("/app/join"); !strings.Contains(w.Body.String(), `dir="rtl"`) {
		t.Error("the choice was not kept")
	}
	for name, body := range map[string]string{"not JSON": "{", "unknown member": `{"code":"x","y":1}`, "a list": "[]", "huge": `{"code":"` + strings.Repeat("a", 10_000) + `"}`} {
		if w := b.json("/app/join/open", body); w.Code != 400 || strings.Contains(w.Body.String(), "aaa") {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
}

// TestAnswersInTheLanguageAskedFor: also what a script says.
func TestAnswersInTheLanguageAskedFor(t *testing.T) {
	d := openDesk(t, "issuer", base, nil)
	b := d.browser(base)
	b.get("/app/join?lang=fr")
	b.get("/app/join")
	w := b.json("/app/join/open", fmt.Sprintf(`{"code":%q}`, d.invited(rita)))
	var got struct {
		Text         string
		Organisation bool
	}
	if err := json.NewDecoder(io.LimitReader(w.Body, 1<<20)).Decode(&got); err != nil || got.Text != "Cette invitation est pour Rita, desk 1, en tant que : Officier de l’état civil." || got.Organisation {
		t.Errorf("%+v %v", got, err)
	}
}

// confirm proves a passkey anew, as Fresh asks for.
func (b *browser) confirm(k *key) *httptest.ResponseRecorder {
	b.d.t.Helper()
	w := b.json("/app/confirm/options", "{}")
	if w.Code != 200 {
		return w
	}
	return b.json("/app/confirm", string(k.get(b.d.t, json.RawMessage(w.Body.Bytes()))))
}

// TestFreshProof: what cannot be taken back asks anew who is there, once the
// last proof is five minutes old, and then goes on with what was typed.
func TestFreshProof(t *testing.T) {
	d := openDesk(t, "issuer", base, nil)
	admin, k := d.person(account.Guest{Role: account.RoleAdministrator, Name: "Ada"})
	if _, _, err := d.Invite(d.ctx, account.Guest{Role: "court", Name: "Carla"}); err != nil {
		t.Fatal(err)
	}
	d.person(rita)
	all, err := d.List(d.ctx)
	if err != nil {
		t.Fatal(err)
	}
	closing := ""
	for _, a := range all {
		if a.Role == "registrar" {
			closing = "/app/people/" + a.ID + "/close"
		}
	}
	if w := admin.get(closing); w.Code != 200 {
		t.Errorf("just signed in: %d", w.Code)
	}
	d.wait(5 * time.Minute)
	if w := admin.get("/app/people"); w.Code != 200 {
		t.Errorf("looking needs no proof: %d", w.Code)
	}
	to := "/app/confirm?next=" + url.QueryEscape(closing)
	if w := admin.get(closing); w.Code != http.StatusSeeOther || w.Header().Get("Location") != to {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	if w := admin.get(to); w.Code != 200 || !strings.Contains(w.Body.String(), fmt.Sprintf(`data-next="%s"`, closing)) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	// A form is held back with all that was typed, which comes out as text.
	name := `"><script>alert(1)</script> محمد`
	w := admin.post("/app/people", url.Values{"role": {"registrar"}, "name": {name}, "more": {"1", "2"}})
	page := w.Body.String()
	for _, want := range []string{`action="/app/people"`, `name="role" value="registrar"`, `&lt;script&gt;`, "محمد", `name="more" value="1"`, `name="more" value="2"`} {
		if !strings.Contains(page, want) {
			t.Errorf("%s is not on the page", want)
		}
	}
	if w.Code != 200 || strings.Contains(page, "<script>alert") || strings.Count(page, `name="csrf"`) != 2 || strings.Contains(page, "data-invitation-code") {
		t.Errorf("%d %s", w.Code, page)
	}
	// A script is told to ask.
	if w := admin.json(closing, "{}"); w.Code != http.StatusUnauthorized || !strings.Contains(w.Body.String(), `"code":"confirm-needed"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if all, err := d.List(d.ctx); err != nil || all[0].Closed || all[1].Closed {
		t.Fatal("it was done", err)
	}
	// Another's passkey, and a copy of one's own, confirm nothing.
	stranger := newKey()
	stranger.handle = k.handle
	k.counter = 5
	if w := admin.confirm(stranger); w.Code != http.StatusUnauthorized {
		t.Errorf("another passkey: %d", w.Code)
	}
	if w := admin.post(closing, nil); w.Code != 200 || !strings.Contains(w.Body.String(), "data-held") {
		t.Errorf("%d", w.Code)
	}
	if w := admin.confirm(k); w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if w := admin.get(to); w.Code != http.StatusSeeOther || w.Header().Get("Location") != closing {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	if w := admin.post(closing, nil); w.Header().Get("Location") != "/app/people?done=closed" {
		t.Errorf("%d", w.Code)
	}
	d.wait(6 * time.Minute)
	admin.get("/app/people")
	k.counter = 3 // has gone back
	if w := admin.confirm(k); w.Code != http.StatusUnauthorized {
		t.Errorf("a copy of the passkey: %d", w.Code)
	}
	// The proof is of one session, not of the account's others.
	k.counter = 9
	elsewhere := d.browser(base)
	elsewhere.get("/app/sign-in")
	w = elsewhere.json("/app/sign-in/options", "{}")
	if w = elsewhere.json("/app/sign-in", string(k.get(t, json.RawMessage(w.Body.Bytes())))); w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if w := admin.get(closing); w.Code != http.StatusSeeOther {
		t.Errorf("another session's proof counts: %d", w.Code)
	}
	// Outside of a demonstration nothing is confirmed by a press: see TestPress.
	if w := admin.json("/app/confirm/press", "{}"); w.Code != http.StatusNotFound {
		t.Errorf("%d", w.Code)
	}
	if w := d.browser(base).get("/app/confirm"); w.Header().Get("Location") != "/app/sign-in?next=%2Fapp%2Fconfirm" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

// TestFreshRoutes: every act of an account that lasts asks for it.
func TestFreshRoutes(t *testing.T) {
	d := openDesk(t, "wallet", base, nil)
	admin, _ := d.person(account.Guest{Role: account.RoleAdministrator, Name: "Ada"})
	b, _ := d.person(account.Guest{Role: "guardian"})
	d.wait(6 * time.Minute)
	remove := regexp.MustCompile(`/app/account/passkeys/[^/]+/remove`).FindString(b.get("/app/account").Body.String())
	admin.get("/app/people")
	for _, c := range []struct {
		b    *browser
		path string
	}{{b, remove}, {b, "/app/account/devices"}, {b, "/app/account/delete"}, {b, "/app/account/passkeys/options"},
		{admin, "/app/people"}, {admin, "/app/people/x/close"}, {admin, "/app/people/x/reopen"}} {
		if w := c.b.json(c.path, "{}"); w.Code != http.StatusUnauthorized || !strings.Contains(w.Body.String(), "confirm-needed") {
			t.Errorf("%s: %d %s", c.path, w.Code, w.Body)
		}
	}
}

func TestPasskeysHaveNames(t *testing.T) {
	d := openDesk(t, "wallet", base, nil)
	b, _ := d.person(account.Guest{Role: "guardian"})
	other, _ := d.person(account.Guest{Role: "guardian"})
	path := regexp.MustCompile(`/app/account/passkeys/[^/]+/name`).FindString(b.get("/app/account").Body.String())
	if w := b.get(path); w.Code != 200 || !strings.Contains(w.Body.String(), `name="name"`) {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	for name, bad := range map[string]string{"none": " ", "too long": strings.Repeat("ñ", 41), "two lines": "a\nb", "turned around": "a\u202eb"} {
		if w := b.post(path, url.Values{"name": {bad}}); w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), `<a href="#name">`) {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
	if w := other.post(path, url.Values{"name": {"mine"}}); w.Code != http.StatusNotFound {
		t.Errorf("another's: %d", w.Code)
	}
	if w := b.post(path, url.Values{"name": {`<b>पुराना</b> هاتف`}}); w.Header().Get("Location") != "/app/account?done=named" {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if w := b.get("/app/account?done=named"); !strings.Contains(w.Body.String(), "&lt;b&gt;पुराना&lt;/b&gt; هاتف") || !strings.Contains(w.Body.String(), "has its new name") {
		t.Error(w.Body)
	}
}

// TestDeleteAccount: a guardian goes with everything; what fails can be done
// again.
func TestDeleteAccount(t *testing.T) {
	d := openDesk(t, "wallet", base, nil)
	b, k := d.person(account.Guest{Role: "guardian"})
	if w := b.get("/app/account/delete"); w.Code != http.StatusNotFound {
		t.Errorf("where nothing is kept: %d", w.Code)
	}
	if strings.Contains(b.get("/app/account").Body.String(), "/app/account/delete") {
		t.Error("it is offered")
	}
	var gone []string
	var trouble error
	d.pages.Use(d.srv, account.App{Delete: func(_ context.Context, s account.Session) error {
		gone = append(gone, s.Account.ID)
		return trouble
	}}, func(*echo.Group) {})
	token, _, err := d.db.AddTokenOf(d.ctx, string(k.handle), store.Token{Name: "phone", Role: "guardian"})
	if err != nil {
		t.Fatal(err)
	}
	if w := b.get("/app/account/delete"); w.Code != 200 {
		t.Fatalf("%d", w.Code)
	}
	if w := b.post("/app/account/delete", nil); w.Code != http.StatusUnprocessableEntity || len(gone) != 0 {
		t.Errorf("not sure: %d", w.Code)
	}
	trouble = errors.New("out of order")
	if w := b.post("/app/account/delete", url.Values{"sure": {"yes"}}); w.Code != http.StatusInternalServerError || b.get("/app/account").Code != 200 {
		t.Errorf("%d", w.Code)
	}
	trouble = nil
	w := b.post("/app/account/delete", url.Values{"sure": {"yes"}})
	if w.Header().Get("Location") != "/app/deleted" || len(gone) != 2 || gone[1] != string(k.handle) || b.cookies["kinpass_wallet_session"] != nil {
		t.Fatalf("%d %v %v", w.Code, gone, b.cookies)
	}
	if w := b.get("/app/deleted"); w.Code != 200 {
		t.Errorf("%d", w.Code)
	}
	if w := b.do("GET", "/whoami", "", map[string]string{"Authorization": "Bearer " + token}); w.Code != http.StatusUnauthorized {
		t.Errorf("a token of it: %d", w.Code)
	}
	b.get("/app/sign-in")
	w = b.json("/app/sign-in/options", "{}")
	if w = b.json("/app/sign-in", string(k.get(t, json.RawMessage(w.Body.Bytes())))); w.Code != http.StatusUnauthorized {
		t.Errorf("its passkey: %d", w.Code)
	}
	for _, table := range []string{"accounts", "passkeys", "sessions", "invitations", "tokens"} {
		var n int
		if err := d.db.QueryRowContext(d.ctx, "SELECT COUNT(*) FROM "+table).Scan(&n); err != nil || n != 0 {
			t.Errorf("%s: %d, %v", table, n, err)
		}
	}
	// Staff are closed by an administrator; their name stands in what they did.
	admin, _ := d.person(account.Guest{Role: account.RoleAdministrator, Name: "Ada"})
	if w := admin.post("/app/account/delete", url.Values{"sure": {"yes"}}); w.Code != http.StatusNotFound {
		t.Errorf("%d", w.Code)
	}
	all, err := d.List(d.ctx)
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	is(t, "staff", d.Delete(d.ctx, all[0].ID), account.ErrNoSuchAccount)
	if w := admin.get("/app/account"); w.Code != 200 {
		t.Errorf("half of it was deleted: %d", w.Code)
	}
}

// TestFormTokensAreMasked: no two pages have the same token, so that the length
// of a compressed page tells nothing of it; all of them are good, and none with
// a bit changed.
func TestFormTokensAreMasked(t *testing.T) {
	d := openDesk(t, "issuer", base, nil)
	b, _ := d.person(rita)
	seen := map[string]bool{}
	for range 5 {
		b.get("/app/account")
		if seen[b.csrf] {
			t.Error("a token twice")
		}
		seen[b.csrf] = true
	}
	ask := func(token string) int {
		return b.do("POST", "/whoami", "", map[string]string{"X-CSRF-Token": token, "Accept": "application/json"}).Code
	}
	for token := range seen {
		if code := ask(token); code != 200 {
			t.Errorf("a token of a page: %d", code)
		}
		changed := []byte(token)
		for _, at := range []int{0, 42, len(token) - 2} {
			changed[at] ^= 1
			if code := ask(string(changed)); code != 403 {
				t.Errorf("a changed token: %d", code)
			}
			changed[at] ^= 1
		}
		if code := ask(token[:43]); code != 403 {
			t.Errorf("half a token: %d", code)
		}
	}
}
