package account_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/account"
	"github.com/kinpass/kinpass/internal/store"
)

// ministry is an OpenID Connect provider.
type ministry struct {
	*httptest.Server
	key *ecdsa.PrivateKey

	mu     sync.Mutex
	codes  map[string]url.Values // what was asked for, by code
	answer func(claims map[string]any) string
	asked  int
}

const (
	clientID     = "kinpass"
	clientSecret = "between us"
)

func openMinistry(t *testing.T) *ministry {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	m := &ministry{key: key, codes: map[string]url.Values{}}
	m.answer = m.sign
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		m.json(w, map[string]any{"issuer": m.URL, "authorization_endpoint": m.URL + "/authorize", "token_endpoint": m.URL + "/token", "jwks_uri": m.URL + "/keys",
			"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{"ES256"}})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		m.json(w, map[string]any{"keys": []any{map[string]any{"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "k1",
			"x": b64(key.X.FillBytes(make([]byte, 32))), "y": b64(key.Y.FillBytes(make([]byte, 32)))}}})
	})
	mux.HandleFunc("/token", m.token)
	m.Server = httptest.NewServer(mux)
	t.Cleanup(m.Close)
	return m
}

func (m *ministry) json(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

// authorize is what a person does at the ministry: it gives where they are sent
// back to.
func (m *ministry) authorize(t *testing.T, address, subject string) url.Values {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil || !strings.HasPrefix(address, m.URL+"/authorize?") {
		t.Fatal(address, err)
	}
	q := u.Query()
	for name, want := range map[string]string{"client_id": clientID, "response_type": "code", "scope": "openid", "code_challenge_method": "S256", "redirect_uri": base + "/app/organisation/return"} {
		if q.Get(name) != want {
			t.Errorf("%s is %q", name, q.Get(name))
		}
	}
	if len(q.Get("state")) < 22 || len(q.Get("nonce")) < 22 || len(q.Get("code_challenge")) != 43 {
		t.Errorf("%v", q)
	}
	q.Set("sub", subject)
	code := store.Random(16)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.codes[code] = q
	return url.Values{"code": {code}, "state": {q.Get("state")}, "iss": {m.URL}}
}

func (m *ministry) token(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked++
	id, secret, ok := r.BasicAuth()
	if !ok {
		id, secret = r.PostFormValue("client_id"), r.PostFormValue("client_secret")
	}
	q, known := m.codes[r.PostFormValue("code")]
	delete(m.codes, r.PostFormValue("code"))
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	if !known || id != clientID || secret != url.QueryEscape(clientSecret) && secret != clientSecret || b64(sum[:]) != q.Get("code_challenge") || r.PostFormValue("redirect_uri") != q.Get("redirect_uri") {
		w.WriteHeader(http.StatusBadRequest)
		m.json(w, map[string]string{"error": "invalid_grant"})
		return
	}
	now := time.Now()
	m.json(w, map[string]any{"access_token": "x", "token_type": "Bearer", "expires_in": 60, "id_token": m.answer(map[string]any{
		"iss": m.URL, "sub": q.Get("sub"), "aud": clientID, "nonce": q.Get("nonce"), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix()})})
}

func part(v any) string {
	b, _ := json.Marshal(v)
	return base64.RawURLEncoding.EncodeToString(b)
}

func (m *ministry) sign(claims map[string]any) string { return signed(m.key, claims) }

func signed(key *ecdsa.PrivateKey, claims map[string]any) string {
	text := part(map[string]string{"alg": "ES256", "kid": "k1"}) + "." + part(claims)
	sum := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
	if err != nil {
		panic(err)
	}
	return text + "." + b64(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
}

func federated(t *testing.T, m *ministry) *desk {
	t.Helper()
	return openDesk(t, "issuer", base, &account.Federation{Name: "Ministry", Issuer: m.URL, ClientID: clientID, ClientSecret: clientSecret})
}

func TestOrganisationsSignIn(t *testing.T) {
	m := openMinistry(t)
	d := federated(t, m)
	b := d.browser(base)
	// Nobody comes in whom nobody invited, whoever the ministry says they are.
	if w := b.get("/app/sign-in"); !strings.Contains(w.Body.String(), "Sign in with Ministry") {
		t.Error("the page does not offer it")
	}
	w := b.get("/app/organisation")
	if w.Code != http.StatusSeeOther {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	w = b.get("/app/organisation/return?" + m.authorize(t, w.Header().Get("Location"), "subject-1").Encode())
	if w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "Nobody has invited you") || len(b.cookies) != 1 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	// With an invitation they join.
	b.get("/app/join")
	w = b.json("/app/join/organisation", fmt.Sprintf(`{"code":%q}`, d.invited(rita)))
	var to struct{ Location string }
	if err := json.Unmarshal(w.Body.Bytes(), &to); err != nil || w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	back := m.authorize(t, to.Location, "subject-1").Encode()
	if w = b.get("/app/organisation/return?" + back); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/app/" {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if w := b.get("/app/"); !strings.Contains(w.Body.String(), "Rita") {
		t.Error(w.Body)
	}
	// The same answer again is nothing.
	if w = b.get("/app/organisation/return?" + back); w.Code != http.StatusConflict {
		t.Errorf("%d", w.Code)
	}
	// From then on they sign in without.
	b = d.browser(base)
	w = b.get("/app/organisation")
	if w = b.get("/app/organisation/return?" + m.authorize(t, w.Header().Get("Location"), "subject-1").Encode()); w.Code != http.StatusSeeOther {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if w := b.get("/whoami"); w.Code != 200 || !strings.Contains(w.Body.String(), `"Role":"registrar"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	// One person of the ministry is one account.
	b.get("/app/join")
	w = b.json("/app/join/organisation", fmt.Sprintf(`{"code":%q}`, d.invited(account.Guest{Role: "court", Name: "Rita's second"})))
	if err := json.Unmarshal(w.Body.Bytes(), &to); err != nil {
		t.Fatal(err)
	}
	if w = b.get("/app/organisation/return?" + m.authorize(t, to.Location, "subject-1").Encode()); w.Code != http.StatusNotFound {
		t.Errorf("%d", w.Code)
	}
	if strings.Contains(d.log.String(), "subject-1") {
		t.Error("who it is stands in the log")
	}
}

// TestOrganisationConfirms: who has no passkey proves anew at the organisation
// who they are, in a sign-in that is new and the same person's.
func TestOrganisationConfirms(t *testing.T) {
	m := openMinistry(t)
	d := federated(t, m)
	enter := func(g account.Guest, subject string) *browser {
		b := d.browser(base)
		b.get("/app/join")
		w := b.json("/app/join/organisation", fmt.Sprintf(`{"code":%q}`, d.invited(g)))
		var to struct{ Location string }
		if err := json.Unmarshal(w.Body.Bytes(), &to); err != nil || w.Code != 200 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if w = b.get("/app/organisation/return?" + m.authorize(t, to.Location, subject).Encode()); w.Code != http.StatusSeeOther {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		return b
	}
	b := enter(rita, "subject-1")
	enter(account.Guest{Role: "court", Name: "Carla"}, "subject-2")
	d.wait(6 * time.Minute)
	b.get("/app/account")
	w := b.post("/app/account/devices", nil)
	if w.Code != 200 || !strings.Contains(w.Body.String(), "Confirm with Ministry") || strings.Contains(w.Body.String(), "data-go") || strings.Contains(w.Body.String(), "data-invitation-code") {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	since := func(seconds int64) func(map[string]any) string {
		return func(c map[string]any) string {
			c["auth_time"] = c["iat"].(int64) - seconds
			return m.sign(c)
		}
	}
	for _, c := range []struct {
		name, subject string
		answer        func(map[string]any) string
		ok            bool
	}{
		{"no time", "subject-1", m.sign, false}, {"an old sign-in", "subject-1", since(301), false}, {"another person", "subject-2", since(0), false},
		{"nobody's", "subject-3", since(0), false}, {"a new one", "subject-1", since(2), true},
	} {
		w := b.get("/app/confirm/organisation")
		to := w.Header().Get("Location")
		if u, err := url.Parse(to); err != nil || u.Query().Get("prompt") != "login" || u.Query().Get("max_age") != "0" {
			t.Fatal(to, err)
		}
		m.mu.Lock()
		m.answer = c.answer
		m.mu.Unlock()
		w = b.get("/app/organisation/return?" + m.authorize(t, to, c.subject).Encode())
		if (w.Header().Get("Location") == "/app/confirm/done") != c.ok {
			t.Errorf("%s: %d %v", c.name, w.Code, w.Header())
		}
		b.get("/app/account")
		if w := b.json("/app/account/devices", "{}"); (w.Code == 200) != c.ok {
			t.Errorf("%s: %d", c.name, w.Code)
		}
	}
	if w := b.get("/app/confirm/done"); w.Code != 200 {
		t.Errorf("%d", w.Code)
	}
	// An answer that another session began for is nothing here, nor for who has
	// signed out meanwhile.
	d.wait(6 * time.Minute)
	to := b.get("/app/confirm/organisation").Header().Get("Location")
	b.get("/app/account")
	b.post("/app/sign-out", nil)
	if w := b.get("/app/organisation/return?" + m.authorize(t, to, "subject-1").Encode()); w.Code != http.StatusConflict || b.cookies["kinpass_issuer_session"] != nil {
		t.Errorf("%d %v", w.Code, b.cookies)
	}
}

func TestOrganisationRefuses(t *testing.T) {
	m := openMinistry(t)
	d := federated(t, m)
	visit := store.Random(24)
	address, err := d.BeginFederated(d.ctx, visit, d.invited(rita))
	if err != nil {
		t.Fatal(err)
	}
	if _, err = d.FinishFederated(d.ctx, visit, m.authorize(t, address, "subject-1"), account.Session{}); err != nil {
		t.Fatal(err)
	}
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	claim := func(name string, v any) func(map[string]any) string {
		return func(c map[string]any) string {
			c[name] = v
			return m.sign(c)
		}
	}
	for name, c := range map[string]struct {
		token  func(map[string]any) string
		answer func(url.Values)
		want   error
	}{
		"another key":          {token: func(c map[string]any) string { return signed(stranger, c) }},
		"no signature":         {token: func(c map[string]any) string { return part(map[string]string{"alg": "none"}) + "." + part(c) + "." }},
		"the client's secret":  {token: func(c map[string]any) string { return shared(c, clientSecret) }},
		"another issuer":       {token: claim("iss", "https://evil.example")},
		"another audience":     {token: claim("aud", "somebody else")},
		"another nonce":        {token: claim("nonce", "of another sign-in")},
		"no nonce":             {token: claim("nonce", nil)},
		"expired":              {token: claim("exp", time.Now().Add(-time.Hour).Unix())},
		"no subject":           {token: claim("sub", "")},
		"a huge subject":       {token: claim("sub", strings.Repeat("a", 300))},
		"not a token":          {token: func(map[string]any) string { return "x.y.z" }},
		"another state":        {answer: func(v url.Values) { v.Set("state", "x") }},
		"no state":             {answer: func(v url.Values) { v.Del("state") }},
		"another provider":     {answer: func(v url.Values) { v.Set("iss", "https://evil.example") }},
		"the provider says no": {answer: func(v url.Values) { v.Set("error", "access_denied") }},
		"no code":              {answer: func(v url.Values) { v.Del("code") }},
		"a code of nobody":     {answer: func(v url.Values) { v.Set("code", "x") }},
		"another person":       {token: claim("sub", "subject-2"), want: account.ErrNotInvited},
	} {
		address, err := d.BeginFederated(d.ctx, visit, "")
		if err != nil {
			t.Fatal(err)
		}
		answer := m.authorize(t, address, "subject-1")
		if c.answer != nil {
			c.answer(answer)
		}
		m.mu.Lock()
		m.answer = m.sign
		if c.token != nil {
			m.answer = c.token
		}
		m.mu.Unlock()
		if c.want == nil {
			c.want = account.ErrFederation
		}
		_, err = d.FinishFederated(d.ctx, visit, answer, account.Session{})
		is(t, name, err, c.want)
		_, err = d.FinishFederated(d.ctx, visit, answer, account.Session{})
		is(t, name+", again", err, account.ErrCeremony)
	}
	// Whose sign-in it is: another browser has no part in it.
	address, err = d.BeginFederated(d.ctx, visit, "")
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.FinishFederated(d.ctx, store.Random(24), m.authorize(t, address, "subject-1"), account.Session{})
	is(t, "another browser", err, account.ErrCeremony)
	// An administrator's closing counts here, too.
	all, err := d.List(d.ctx)
	if err != nil || len(all) != 1 || all[0].Organisation != m.URL {
		t.Fatal(all, err)
	}
	if err := d.Close(d.ctx, all[0].ID); err != nil {
		t.Fatal(err)
	}
	address, err = d.BeginFederated(d.ctx, visit, "")
	if err != nil {
		t.Fatal(err)
	}
	m.mu.Lock()
	m.answer = m.sign
	m.mu.Unlock()
	_, err = d.FinishFederated(d.ctx, visit, m.authorize(t, address, "subject-1"), account.Session{})
	is(t, "a closed account", err, account.ErrNotInvited)
	_, err = d.BeginFederated(d.ctx, visit, "0000-0000-0000-0000-0000")
	is(t, "an invitation that there is not", err, account.ErrInvitation)
}

// shared signs with the client's secret, which is no key of the provider's.
func shared(claims map[string]any, secret string) string {
	text := part(map[string]string{"alg": "HS256"}) + "." + part(claims)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return text + "." + b64(mac.Sum(nil))
}

// TestOrganisationIsAway: a service starts without its provider, says so, and
// goes on when it is back.
func TestOrganisationIsAway(t *testing.T) {
	m := openMinistry(t)
	d := federated(t, m)
	m.Close()
	_, err := d.BeginFederated(context.Background(), "v", "")
	is(t, "away", err, account.ErrFederationAway)
	d = openDesk(t, "issuer", base, nil)
	_, err = d.BeginFederated(context.Background(), "v", "")
	is(t, "none", err, account.ErrNoFederation)
	for name, f := range map[string]account.Federation{
		"no name": {Issuer: "https://a.example", ClientID: "x"}, "no client": {Name: "A", Issuer: "https://a.example"}, "http": {Name: "A", Issuer: "http://a.example", ClientID: "x"},
		"no address": {Name: "A", Issuer: "a", ClientID: "x"}, "a query": {Name: "A", Issuer: "https://a.example/?x", ClientID: "x"},
	} {
		if _, err := account.New(account.Config{Base: base, Now: time.Now, Federation: &f}); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// TestGuardiansDoNotFederate: where a guardian signs in is nobody else's business.
func TestGuardiansDoNotFederate(t *testing.T) {
	m := openMinistry(t)
	d := openDesk(t, "wallet", base, &account.Federation{Name: "Ministry", Issuer: m.URL, ClientID: clientID})
	_, err := d.BeginFederated(d.ctx, "v", d.invited(account.Guest{Role: "guardian"}))
	is(t, "a guardian", err, account.ErrNoFederation)
	s, _ := d.member(account.Guest{Role: account.RoleAdministrator, Name: "Ada"})
	secret, _, err := d.InviteDevice(d.ctx, s)
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.BeginFederated(d.ctx, "v", secret)
	is(t, "a device", err, account.ErrNoFederation)
	if m.asked != 0 {
		t.Error("the provider was asked")
	}
}
