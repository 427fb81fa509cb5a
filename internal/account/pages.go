package account

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/serve"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/web"
)

// Pages are the pages of a service with their visitors: cookies, the proof that
// a form is ours, and who is signed in.
type Pages struct {
	x      *Accounts
	site   *web.Site
	prefix string // of the cookies' names
	secure bool
	app    App
}

// App is what a service's people find beside their account.
type App struct {
	// Nav gives the navigation of a role.
	Nav func(role string) []web.NavItem
	// Home is the first page, for everybody but administrators.
	Home Handler
	// Delete forgets what the service keeps for a guardian, who then deletes the
	// account too; nil means that nobody deletes their own.
	Delete func(ctx context.Context, s Session) error
	// Scripts and Styles of static/ are on every page, those of accounts too.
	Scripts, Styles []string
	// Manifest is that of an app that can be installed, Exit a way out on every
	// page (web.View).
	Manifest string
	Exit     bool
}

// NewPages joins accounts and site.
func NewPages(x *Accounts, site *web.Site) *Pages {
	if d := x.cfg.Development; d != nil {
		site.Demonstrate(d.Start)
	}
	p := &Pages{x: x, site: site, secure: strings.HasPrefix(x.cfg.Base, "https://")}
	// On one machine cookies do not keep ports apart: the name tells the services
	// apart. __Host- keeps other hosts of the domain from setting them.
	p.prefix = "kinpass_" + x.cfg.Service
	if p.secure {
		p.prefix = "__Host-" + p.prefix
	}
	return p
}

func (p *Pages) sessionCookie() string { return p.prefix + "_session" }
func (p *Pages) visitCookie() string   { return p.prefix + "_visit" }

// cookie sets a cookie that no script reads and no other site's form sends. Lax
// and not Strict: an offer's link opens a wallet that is signed in.
func (p *Pages) cookie(w http.ResponseWriter, name, value string) {
	c := &http.Cookie{Name: name, Value: value, Path: "/", HttpOnly: true, Secure: p.secure, SameSite: http.SameSiteLaxMode}
	if value == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

// valueOf gives the value of a cookie, "" if it is not there once.
func valueOf(r *http.Request, name string) string {
	found := r.CookiesNamed(name)
	if len(found) != 1 || len(found[0].Value) > 128 {
		return ""
	}
	return found[0].Value
}

// visit names the browser between two requests, before anybody is signed in.
func (p *Pages) visit(w http.ResponseWriter, r *http.Request) string {
	if v := valueOf(r, p.visitCookie()); v != "" {
		return v
	}
	v := store.Random(24)
	p.cookie(w, p.visitCookie(), v)
	// For what is still to come of this request.
	r.AddCookie(&http.Cookie{Name: p.visitCookie(), Value: v})
	return v
}

// FormToken gives a token for the forms of a page that was loaded before: for a
// page of ours that stays open while its visitor signs in again.
func (p *Pages) FormToken(r *http.Request) string { return p.csrf(r) }

// csrf gives the token that a page's own forms carry: it is made from a cookie
// that no other site can read. "" if there is none. It is masked with random bytes,
// so that no two pages have the same one and the length of a compressed page tells
// nothing of it.
func (p *Pages) csrf(r *http.Request) string {
	proof := p.proof(r)
	if proof == nil {
		return ""
	}
	mask := make([]byte, len(proof))
	rand.Read(mask) // never fails (crypto/rand)
	subtle.XORBytes(proof, proof, mask)
	return base64.RawURLEncoding.EncodeToString(append(mask, proof...))
}

// proof is what a token holds under its mask; nil if the request has no cookie
// of ours.
func (p *Pages) proof(r *http.Request) []byte {
	key := valueOf(r, p.sessionCookie())
	if key == "" {
		key = valueOf(r, p.visitCookie())
	}
	if key == "" {
		return nil
	}
	m := hmac.New(sha256.New, []byte(key))
	m.Write([]byte("kinpass form"))
	return m.Sum(nil)
}

// proves reports whether a token is one of this visitor's.
func (p *Pages) proves(r *http.Request, token string) bool {
	want := p.proof(r)
	got, err := base64.RawURLEncoding.DecodeString(token)
	if want == nil || err != nil || len(got) != 2*len(want) {
		return false
	}
	subtle.XORBytes(got[len(want):], got[len(want):], got[:len(want)])
	return hmac.Equal(got[len(want):], want)
}

// guard refuses what does not come from a page of this service: another
// origin's request, by what the browser says of it, and one without the token.
func (p *Pages) guard(r *http.Request) error {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return nil
	}
	// With our referrer policy the origin of a form is "null", so what the
	// browser says of the site counts, and the origin only where it says nothing.
	switch site, origin := r.Header.Get("Sec-Fetch-Site"), r.Header.Get("Origin"); {
	case site != "" && site != "same-origin" && site != "none":
		return ErrForged
	case origin != "" && origin != "null" && origin != p.x.cfg.Base:
		return ErrForged
	}
	got := r.Header.Get("X-CSRF-Token")
	// Only a page's form has it in the body, which is read for it; what the API
	// takes is read by others, whole.
	if got == "" && strings.HasPrefix(r.URL.Path, web.Root) {
		switch media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); media {
		case "application/x-www-form-urlencoded":
			got = r.PostFormValue("csrf")
		case "multipart/form-data":
			if err := r.ParseMultipartForm(1 << 20); err != nil {
				return ErrForged.With(err)
			}
			got = r.PostFormValue("csrf")
		}
	}
	if !p.proves(r, got) {
		return ErrForged
	}
	return nil
}

// Caller gives who makes a request with a session cookie: for serve.Config.
func (p *Pages) Caller(r *http.Request) (serve.Caller, error) {
	s, err := p.Session(r)
	if err != nil {
		return serve.Caller{}, err
	}
	return serve.Caller{ID: s.Account.ID, Name: s.Account.Name, Role: s.Account.Role}, nil
}

// Session gives the session of a request. A request that changes something must
// come from a page of ours.
func (p *Pages) Session(r *http.Request) (Session, error) {
	secret := valueOf(r, p.sessionCookie())
	if secret == "" {
		return Session{}, ErrSession
	}
	if err := p.guard(r); err != nil {
		return Session{}, err
	}
	return p.x.Session(r.Context(), secret)
}

// Show answers with a page, with the navigation of who is signed in.
func (p *Pages) Show(w http.ResponseWriter, r *http.Request, v web.View) error {
	p.visit(w, r)
	if s, err := p.known(r); err == nil {
		v.SignedIn, v.Person, v.Standing = true, s.Account.Name, "role."+s.Account.Role
		v.Nav = append(v.Nav, web.NavItem{Href: "/app/", Label: "nav.home"})
		if p.app.Nav != nil {
			v.Nav = append(v.Nav, p.app.Nav(s.Account.Role)...)
		}
		if s.Account.Role == RoleAdministrator {
			v.Nav = append(v.Nav, web.NavItem{Href: "/app/people", Label: "nav.people"})
		}
		v.Nav = append(v.Nav, web.NavItem{Href: "/app/account", Label: "nav.account"})
		for i := range v.Nav {
			v.Nav[i].Current = v.Nav[i].Href == r.URL.Path
		}
	}
	v.CSRF = p.csrf(r)
	v.Scripts, v.Styles = slices.Concat(p.app.Scripts, v.Scripts), slices.Concat(p.app.Styles, v.Styles)
	v.Manifest, v.Exit = p.app.Manifest, p.app.Exit
	return p.site.Show(w, r, v)
}

// known gives the session of a request whatever its method: for what is shown
// only.
func (p *Pages) known(r *http.Request) (Session, error) {
	return p.x.Session(r.Context(), valueOf(r, p.sessionCookie()))
}

// Refuse answers a browser about an error: with a page, or as JSON for a script
// of ours, in the visitor's language. False: the request is none of a page's.
func (p *Pages) Refuse(w http.ResponseWriter, r *http.Request, f *fault.Fault, status int) bool {
	if !strings.HasPrefix(r.URL.Path, web.Root) {
		return false
	}
	accept := r.Header.Get("Accept")
	if !strings.Contains(accept, "text/html") {
		if !strings.Contains(accept, "application/json") {
			return false
		}
		answer, err := json.Marshal(map[string]string{"code": f.Code, "message": p.site.Fault(r, f)})
		if err != nil {
			return false
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(status)
		_, err = w.Write(answer)
		return err == nil
	}
	// Whoever is signed out signs in and comes back to where they were.
	if f.Is(ErrSession) || f.Is(serve.ErrNoToken) {
		to := "/app/sign-in"
		if r.Method == http.MethodGet && r.URL.Path != web.Root {
			to += "?next=" + url.QueryEscape(r.URL.Path)
		}
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusSeeOther)
		return true
	}
	err := p.Show(w, r, web.View{Page: "account/error", Title: "problem.title", Status: status, Data: map[string]any{"Message": p.site.Fault(r, f), "Code": f.Code}})
	return err == nil
}

// next gives the page to go to after signing in: one of ours, and "/app/" for
// anything else.
func next(r *http.Request) string { return ours(r.URL.Query().Get("next")) }

// ours gives n if it is the path of a page of this service, "/app/" for anything
// else.
func ours(n string) string {
	if !strings.HasPrefix(n, web.Root) || strings.ContainsAny(n, "\\?#\r\n\t") || strings.Contains(n, "//") || len(n) > 200 {
		return web.Root
	}
	return n
}

// Sessions lists where whoever is signed in is signed in.
func (p *Pages) Sessions(ctx context.Context, s Session) ([]Session, error) {
	return p.x.Sessions(ctx, s.Account)
}

// sessionsOf lists the sessions of an account as they are shown: which of them is
// that of the request.
func (p *Pages) sessionsOf(ctx context.Context, s Session) ([]shownSession, error) {
	all, err := p.x.Sessions(ctx, s.Account)
	var out []shownSession
	for _, x := range all {
		out = append(out, shownSession{x, x.ID == s.ID})
	}
	return out, err
}

type shownSession struct {
	Session
	Here bool
}
