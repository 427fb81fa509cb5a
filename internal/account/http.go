package account

import (
	"context"
	"crypto/hmac"
	"encoding/json"
	"errors"
	"html/template"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/qr"
	"github.com/kinpass/kinpass/internal/serve"
	"github.com/kinpass/kinpass/web"
)

// errBody says that a script's request is not what its page sends.
var errBody = fault.New(fault.Invalid, "body-invalid", "the request's body is not the JSON object that the API describes")

// Routes adds the pages of accounts to a server: joining, signing in, one's own
// account, and for administrators the people of the service.
func (p *Pages) Routes(s *serve.Server) {
	e := s.Echo.Group("", p.languages)
	guess, some := s.Limit(20, time.Minute), s.Limit(60, time.Minute)
	s.Echo.GET("/app", func(c echo.Context) error { return c.Redirect(http.StatusSeeOther, web.Root) })
	s.Echo.GET("/app/static/*", p.static)
	e.GET("/app/", p.home)

	e.GET("/app/sign-in", p.signInPage)
	e.POST("/app/sign-in/options", p.own(p.signInOptions), some)
	e.POST("/app/sign-in", p.own(p.signIn), some)
	if p.x.cfg.Development != nil {
		e.POST("/app/demonstration", p.demonstration, some)
	}
	e.GET("/app/organisation", p.toOrganisation, some)
	e.GET("/app/organisation/return", p.fromOrganisation, some)

	// Guessing an invitation takes 2^100 tries; a network gets twenty a minute,
	// which is enough for a room full of people who join.
	e.GET("/app/join", p.joinPage)
	e.POST("/app/join/open", p.own(p.joinOpen), guess)
	e.POST("/app/join/options", p.own(p.joinOptions), guess)
	e.POST("/app/join/organisation", p.own(p.joinOrganisation), guess)
	e.POST("/app/join", p.own(p.join), some)

	e.GET("/app/confirm", p.ForAll(p.confirmPage))
	e.POST("/app/confirm/options", p.ForAll(p.confirmOptions), some)
	e.POST("/app/confirm", p.ForAll(p.confirm), some)
	e.POST("/app/confirm/press", p.ForAll(p.confirmPress), some)
	e.GET("/app/confirm/organisation", p.ForAll(p.confirmOrganisation), some)
	e.GET("/app/confirm/done", p.ForAll(p.confirmed))

	// Whoever finds a device open must not be able to stay, or to lock its owner
	// out.
	e.GET("/app/account", p.account)
	e.POST("/app/account/passkeys/options", p.FreshForAll(p.addOptions), some)
	e.POST("/app/account/passkeys", p.ForAll(p.add), some)
	e.GET("/app/account/passkeys/:id/name", p.ForAll(p.namePage))
	e.POST("/app/account/passkeys/:id/name", p.ForAll(p.name))
	e.GET("/app/account/passkeys/:id/remove", p.FreshForAll(p.removePage))
	e.POST("/app/account/passkeys/:id/remove", p.FreshForAll(p.remove))
	e.POST("/app/account/devices", p.FreshForAll(p.device), some)
	e.POST("/app/account/sessions/:id/end", p.endSession)
	e.GET("/app/account/delete", p.Fresh(p.deletePage, RoleGuardian))
	e.POST("/app/account/delete", p.Fresh(p.delete, RoleGuardian))
	e.GET("/app/deleted", p.deletedPage)
	e.POST("/app/sign-out", p.signOut)
	e.POST("/app/sign-out-everywhere", p.signOutEverywhere)

	e.GET("/app/people", p.administrator(p.people))
	e.POST("/app/people", p.Fresh(p.invite, RoleAdministrator), some)
	e.POST("/app/people/invitations/:id/withdraw", p.administrator(p.withdraw))
	e.GET("/app/people/:id/close", p.Fresh(p.closePage, RoleAdministrator))
	e.POST("/app/people/:id/close", p.Fresh(p.close, RoleAdministrator))
	e.POST("/app/people/:id/reopen", p.Fresh(p.reopen, RoleAdministrator))
}

// Handler answers somebody who is signed in.
type Handler func(c echo.Context, s Session) error

// Use adds a service's own pages. Routes gives their addresses, below "/app/":
// it is called once, with a group that knows languages.
func (p *Pages) Use(s *serve.Server, a App, routes func(*echo.Group)) {
	p.app = a
	routes(s.Echo.Group("", p.languages))
}

// For lets people of some roles in who are signed in, and only with a form or a
// script of ours where something changes. For others there is no such page.
func (p *Pages) For(h Handler, roles ...string) echo.HandlerFunc {
	return func(c echo.Context) error {
		s, err := p.Session(c.Request())
		if err != nil {
			return err
		}
		if !slices.Contains(roles, s.Account.Role) {
			return serve.ErrNoRoute
		}
		return h(c, s)
	}
}

// ForAll is For without regard to roles: those of the service decide.
func (p *Pages) ForAll(h Handler) echo.HandlerFunc { return p.For(h, p.x.Roles()...) }

// Site gives texts in the visitor's language.
func (p *Pages) Site() *web.Site { return p.site }

// languages takes a choice of language before anything else looks at it.
func (p *Pages) languages(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if p.site.Switch(c.Response(), c.Request()) {
			return nil
		}
		return next(c)
	}
}

// own lets only requests of our own pages pass, where nobody is signed in yet.
func (p *Pages) own(h echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := p.guard(c.Request()); err != nil {
			return err
		}
		return h(c)
	}
}

// administrator shows administrators a page; for others there is none.
func (p *Pages) administrator(h Handler) echo.HandlerFunc { return p.For(h, RoleAdministrator) }

func (p *Pages) static(c echo.Context) error {
	if !p.site.Static(c.Response(), c.Request()) {
		return serve.ErrNoRoute
	}
	return nil
}

func (p *Pages) show(c echo.Context, v web.View) error { return p.Show(c.Response(), c.Request(), v) }

func (p *Pages) home(c echo.Context) error {
	s, err := p.Session(c.Request())
	if err != nil {
		return err
	}
	if p.app.Home != nil && s.Account.Role != RoleAdministrator {
		return p.app.Home(c, s)
	}
	return p.show(c, web.View{Page: "account/home", Title: "home.title", Data: s})
}

func (p *Pages) signInPage(c echo.Context) error {
	to := next(c.Request())
	if _, err := p.Session(c.Request()); err == nil {
		return c.Redirect(http.StatusSeeOther, to)
	}
	return p.show(c, web.View{Page: "account/sign-in", Title: "sign-in.title", Scripts: []string{"passkey.js"},
		Data: map[string]any{"Next": to, "Organisation": p.x.Organisation(), "Guardian": p.forGuardians(), "Demonstration": p.offered(c.Request())}})
}

// offered gives the demonstration that a page offers to sign in to; nil is
// none.
func (p *Pages) offered(r *http.Request) any {
	d := p.x.cfg.Development
	if d == nil || !here(r) {
		return nil
	}
	var people []Person
	for _, x := range d.People() {
		if !x.Hidden {
			people = append(people, x)
		}
	}
	return map[string]any{"Start": d.Start, "People": people}
}

// demonstration signs somebody of a demonstration in. The form is one of ours,
// or of the start page, which has another port and proves itself by its secret.
func (p *Pages) demonstration(c echo.Context) error {
	r := c.Request()
	if !here(r) {
		return serve.ErrNoRoute
	}
	if secret := r.PostFormValue("start"); !hmac.Equal([]byte(secret), []byte(p.x.cfg.Development.Secret)) {
		if err := p.guard(r); err != nil {
			return err
		}
	}
	who, err := p.x.person(r.PostFormValue("person"))
	if err != nil {
		return err
	}
	before, known := p.known(r)
	secret, err := p.x.Demonstrate(r.Context(), who.Guest, DeviceOf(r.UserAgent()))
	if err != nil {
		return err
	}
	if known == nil { // nobody is two people in one browser
		if err := p.x.SignOut(r.Context(), before.Account.ID, before.ID); err != nil && !errors.Is(err, ErrNoSuchSession) {
			return err
		}
	}
	p.enter(c, secret)
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.Redirect(http.StatusSeeOther, ours(r.PostFormValue("next")))
}

// forGuardians reports whether those who come here are guardians.
func (p *Pages) forGuardians() bool { return p.x.cfg.Service == "wallet" }

func (p *Pages) signInOptions(c echo.Context) error {
	options, err := p.x.BeginSignIn(c.Request().Context(), p.visit(c.Response(), c.Request()))
	if err != nil {
		return err
	}
	return serve.JSON(c, http.StatusOK, options)
}

// body reads what a script sends.
func body(c echo.Context) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(c.Request().Body, maxResponse+1))
	if err == nil && len(b) > maxResponse {
		err = serve.ErrTooLarge
	}
	return b, err
}

// into reads what a script sends into v.
func into(c echo.Context, v any) error {
	d := json.NewDecoder(io.LimitReader(c.Request().Body, 4096))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return errBody.With(err)
	}
	return nil
}

// enter signs the browser in. The visit ends: what was begun with it cannot be
// taken up by who signs in.
func (p *Pages) enter(c echo.Context, secret string) {
	p.cookie(c.Response(), p.sessionCookie(), secret)
	p.cookie(c.Response(), p.visitCookie(), "")
}

func (p *Pages) signIn(c echo.Context) error {
	b, err := body(c)
	if err != nil {
		return err
	}
	r := c.Request()
	secret, err := p.x.FinishSignIn(r.Context(), p.visit(c.Response(), r), b, DeviceOf(r.UserAgent()))
	if err != nil {
		return err
	}
	p.enter(c, secret)
	return serve.JSON(c, http.StatusOK, map[string]bool{"signedIn": true})
}

func (p *Pages) toOrganisation(c echo.Context) error {
	address, err := p.x.BeginFederated(c.Request().Context(), p.visit(c.Response(), c.Request()), "")
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.Redirect(http.StatusSeeOther, address)
}

func (p *Pages) fromOrganisation(c echo.Context) error {
	r := c.Request()
	now, err := p.known(r)
	if err != nil && !errors.Is(err, ErrSession) {
		return err
	}
	now.Device = DeviceOf(r.UserAgent())
	secret, err := p.x.FinishFederated(r.Context(), p.visit(c.Response(), r), r.URL.Query(), now)
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	if secret == "" {
		return c.Redirect(http.StatusSeeOther, "/app/confirm/done")
	}
	p.enter(c, secret)
	return c.Redirect(http.StatusSeeOther, web.Root)
}

func (p *Pages) joinPage(c echo.Context) error {
	return p.show(c, web.View{Page: "account/join", Title: "join.title", Scripts: []string{"passkey.js"},
		Data: map[string]any{"Organisation": p.x.Organisation()}})
}

// code is the invitation that a script sends: in the body, so that it stands in
// no address and no log.
type code struct {
	Code string `json:"code"`
}

// joinOpen tells who holds an invitation what it is for.
func (p *Pages) joinOpen(c echo.Context) error {
	var in code
	if err := into(c, &in); err != nil {
		return err
	}
	i, err := p.x.Invitation(c.Request().Context(), in.Code)
	if err != nil {
		return err
	}
	key, args := "join.for-staff", []any{"name", i.Name, "role", p.site.Text(c.Request(), "role."+i.Role)}
	switch {
	case i.Device:
		key, args = "join.for-device", nil
	case i.Role == RoleGuardian:
		key, args = "join.for-guardian", nil
	}
	return serve.JSON(c, http.StatusOK, map[string]any{"text": p.site.Text(c.Request(), key, args...),
		"organisation": p.x.op != nil && !i.Device && i.Role != RoleGuardian})
}

func (p *Pages) joinOptions(c echo.Context) error {
	var in code
	if err := into(c, &in); err != nil {
		return err
	}
	options, err := p.x.BeginJoin(c.Request().Context(), p.visit(c.Response(), c.Request()), in.Code)
	if err != nil {
		return err
	}
	return serve.JSON(c, http.StatusOK, options)
}

func (p *Pages) joinOrganisation(c echo.Context) error {
	var in code
	if err := into(c, &in); err != nil {
		return err
	}
	if in.Code == "" {
		return ErrInvitation
	}
	address, err := p.x.BeginFederated(c.Request().Context(), p.visit(c.Response(), c.Request()), in.Code)
	if err != nil {
		return err
	}
	return serve.JSON(c, http.StatusOK, map[string]string{"location": address})
}

func (p *Pages) join(c echo.Context) error {
	b, err := body(c)
	if err != nil {
		return err
	}
	r := c.Request()
	secret, err := p.x.FinishJoin(r.Context(), p.visit(c.Response(), r), b, DeviceOf(r.UserAgent()))
	if err != nil {
		return err
	}
	p.enter(c, secret)
	return serve.JSON(c, http.StatusOK, map[string]bool{"signedIn": true})
}

// account shows one's own account. The query says what was just done.
func (p *Pages) account(c echo.Context) error {
	s, err := p.Session(c.Request())
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	keys, err := p.x.Passkeys(ctx, s.Account.ID)
	if err != nil {
		return err
	}
	sessions, err := p.sessionsOf(ctx, s)
	if err != nil {
		return err
	}
	v := web.View{Page: "account/account", Title: "account.title", Scripts: []string{"passkey.js"},
		Data: map[string]any{"Session": s, "Passkeys": keys, "Sessions": sessions, "Delete": p.app.Delete != nil && s.Account.Role == RoleGuardian}}
	switch c.QueryParam("done") {
	case "added":
		v.Notice = &web.Notice{Text: "account.added", Success: true}
	case "named":
		v.Notice = &web.Notice{Text: "account.named", Success: true}
	case "removed":
		v.Notice = &web.Notice{Text: "account.removed", Success: true}
	case "ended":
		v.Notice = &web.Notice{Text: "account.ended", Success: true}
	}
	return p.show(c, v)
}

func (p *Pages) addOptions(c echo.Context, s Session) error {
	options, err := p.x.BeginAdd(c.Request().Context(), s.ID, s)
	if err != nil {
		return err
	}
	return serve.JSON(c, http.StatusOK, options)
}

func (p *Pages) add(c echo.Context, s Session) error {
	b, err := body(c)
	if err != nil {
		return err
	}
	if err := p.x.FinishAdd(c.Request().Context(), s.ID, s, b); err != nil {
		return err
	}
	return serve.JSON(c, http.StatusOK, map[string]bool{"added": true})
}

func (p *Pages) removePage(c echo.Context, s Session) error {
	return p.showRemove(c, s, web.Form{})
}

func (p *Pages) showRemove(c echo.Context, s Session, f web.Form) error {
	keys, err := p.x.Passkeys(c.Request().Context(), s.Account.ID)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if k.ID == c.Param("id") {
			return p.show(c, web.View{Page: "account/remove", Title: "remove.title", Form: f,
				Data: map[string]any{"Passkey": k, "Here": k.ID == s.Passkey, "Last": len(keys) == 1 && s.Account.Organisation == ""}})
		}
	}
	return ErrNoSuchPasskey
}

func (p *Pages) remove(c echo.Context, s Session) error {
	err := p.x.RemovePasskey(c.Request().Context(), s.Account.ID, c.Param("id"), c.Request().PostFormValue("last") == "yes")
	if errors.Is(err, ErrLastPasskey) {
		var f web.Form
		f.Wrong("last", "remove.confirm-missing")
		return p.showRemove(c, s, f)
	}
	if err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, "/app/account?done=removed")
}

func (p *Pages) namePage(c echo.Context, s Session) error {
	return p.showName(c, s, web.Form{})
}

func (p *Pages) showName(c echo.Context, s Session, f web.Form) error {
	keys, err := p.x.Passkeys(c.Request().Context(), s.Account.ID)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if k.ID == c.Param("id") {
			v := web.View{Page: "account/name", Title: "name.title", Form: f, Data: k}
			if !f.Good() {
				v.Status = http.StatusUnprocessableEntity
			}
			return p.show(c, v)
		}
	}
	return ErrNoSuchPasskey
}

func (p *Pages) name(c echo.Context, s Session) error {
	values, err := c.FormParams()
	if err != nil {
		return errBody.With(err)
	}
	err = p.x.NamePasskey(c.Request().Context(), s.Account.ID, c.Param("id"), values.Get("name"))
	if errors.Is(err, ErrPasskeyName) {
		f := web.Form{Values: values}
		f.Wrong("name", "fault.passkey-name")
		return p.showName(c, s, f)
	}
	if err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, "/app/account?done=named")
}

func (p *Pages) deletePage(c echo.Context, _ Session) error { return p.showDelete(c, web.Form{}) }

func (p *Pages) showDelete(c echo.Context, f web.Form) error {
	if p.app.Delete == nil {
		return serve.ErrNoRoute
	}
	v := web.View{Page: "account/delete", Title: "delete.title", Form: f}
	if !f.Good() {
		v.Status = http.StatusUnprocessableEntity
	}
	return p.show(c, v)
}

// delete forgets a guardian: first what the service keeps, then the account. If
// the second fails, the guardian can still sign in and do it again.
func (p *Pages) delete(c echo.Context, s Session) error {
	if c.Request().PostFormValue("sure") != "yes" {
		var f web.Form
		f.Wrong("sure", "delete.confirm-missing")
		return p.showDelete(c, f)
	}
	if p.app.Delete == nil {
		return serve.ErrNoRoute
	}
	ctx := c.Request().Context()
	if err := p.app.Delete(ctx, s); err != nil {
		return err
	}
	if err := p.x.Delete(ctx, s.Account.ID); err != nil {
		return err
	}
	p.cookie(c.Response(), p.sessionCookie(), "")
	// What pages kept on the device goes too.
	c.Response().Header().Set("Clear-Site-Data", `"cache", "storage"`)
	return c.Redirect(http.StatusSeeOther, "/app/deleted")
}

func (p *Pages) deletedPage(c echo.Context) error {
	return p.show(c, web.View{Page: "account/deleted", Title: "deleted.title"})
}

// shownInvitation is an invitation with its secret, the only time that it is
// shown.
type shownInvitation struct {
	Invitation
	Code, Link string
	QR         template.HTML
}

func (p *Pages) shown(i Invitation, secret string) (shownInvitation, error) {
	link := p.x.Link(secret)
	img, err := qr.DrawAny(link, qr.M)
	if err != nil {
		return shownInvitation{}, err
	}
	// Our own drawing: one path of numbers.
	return shownInvitation{i, secret, link, template.HTML(img.SVG())}, nil
}

func (p *Pages) device(c echo.Context, s Session) error {
	secret, i, err := p.x.InviteDevice(c.Request().Context(), s)
	if err != nil {
		return err
	}
	shown, err := p.shown(i, secret)
	if err != nil {
		return err
	}
	return p.show(c, web.View{Page: "account/device", Title: "device.title", Data: shown})
}

func (p *Pages) endSession(c echo.Context) error {
	s, err := p.Session(c.Request())
	if err != nil {
		return err
	}
	if err := p.x.SignOut(c.Request().Context(), s.Account.ID, c.Param("id")); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, "/app/account?done=ended")
}

// leave forgets the session in the browser too.
func (p *Pages) leave(c echo.Context, end func(context.Context, Session) error) error {
	s, err := p.Session(c.Request())
	if err == nil {
		err = end(c.Request().Context(), s)
	}
	if err != nil && !errors.Is(err, ErrSession) {
		return err
	}
	p.cookie(c.Response(), p.sessionCookie(), "")
	c.Response().Header().Set("Clear-Site-Data", `"cache"`)
	return c.Redirect(http.StatusSeeOther, "/app/sign-in")
}

func (p *Pages) signOut(c echo.Context) error {
	return p.leave(c, func(ctx context.Context, s Session) error { return p.x.SignOut(ctx, s.Account.ID, s.ID) })
}

func (p *Pages) signOutEverywhere(c echo.Context) error {
	return p.leave(c, func(ctx context.Context, s Session) error { return p.x.SignOutEverywhere(ctx, s.Account.ID) })
}

func (p *Pages) people(c echo.Context, s Session) error {
	v := web.View{}
	switch c.QueryParam("done") {
	case "withdrawn":
		v.Notice = &web.Notice{Text: "people.withdrawn", Success: true}
	case "closed":
		v.Notice = &web.Notice{Text: "people.closed-now", Success: true}
	case "reopened":
		v.Notice = &web.Notice{Text: "people.reopened", Success: true}
	}
	return p.showPeople(c, s, v)
}

func (p *Pages) showPeople(c echo.Context, s Session, v web.View) error {
	ctx := c.Request().Context()
	all, err := p.x.List(ctx)
	if err != nil {
		return err
	}
	open, err := p.x.Invitations(ctx)
	if err != nil {
		return err
	}
	var options []web.Option
	for _, role := range p.x.Roles() {
		options = append(options, web.Option{Value: role, Label: p.site.Text(c.Request(), "role."+role)})
	}
	hint := "people.name-hint"
	if p.forGuardians() {
		hint = "people.name-hint-guardian"
	}
	v.Page, v.Title = "account/people", "people.title"
	v.Data = map[string]any{"Me": s.Account.ID, "People": all, "Invitations": open, "Roles": options, "NameHint": hint}
	return p.show(c, v)
}

// invite makes an invitation and shows it this once.
func (p *Pages) invite(c echo.Context, s Session) error {
	values, err := c.FormParams()
	if err != nil {
		return errBody.With(err)
	}
	g := Guest{Role: values.Get("role"), Name: values.Get("name"), By: s.Account.ID}
	secret, i, err := p.x.Invite(c.Request().Context(), g)
	f := web.Form{Values: values}
	switch {
	case errors.Is(err, ErrInvitationRole):
		f.Wrong("role", "people.role-missing")
	case errors.Is(err, ErrInvitationName) && g.Role == RoleGuardian:
		f.Wrong("name", "people.name-of-guardian")
	case errors.Is(err, ErrInvitationName):
		f.Wrong("name", "people.name-missing")
	case errors.Is(err, ErrNameTaken):
		f.Wrong("name", "people.name-taken")
	case err != nil:
		return err
	}
	if !f.Good() {
		return p.showPeople(c, s, web.View{Form: f, Status: http.StatusUnprocessableEntity})
	}
	shown, err := p.shown(i, secret)
	if err != nil {
		return err
	}
	return p.show(c, web.View{Page: "account/invited", Title: "invited.title", Data: shown})
}

func (p *Pages) withdraw(c echo.Context, _ Session) error {
	if err := p.x.Withdraw(c.Request().Context(), c.Param("id")); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, "/app/people?done=withdrawn")
}

func (p *Pages) closePage(c echo.Context, s Session) error {
	all, err := p.x.List(c.Request().Context())
	if err != nil {
		return err
	}
	for _, a := range all {
		if a.ID == c.Param("id") && !a.Closed {
			return p.show(c, web.View{Page: "account/close", Title: "close.title", Data: map[string]any{"Account": a, "Me": a.ID == s.Account.ID}})
		}
	}
	return ErrNoSuchAccount
}

func (p *Pages) close(c echo.Context, _ Session) error {
	if err := p.x.Close(c.Request().Context(), c.Param("id")); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, "/app/people?done=closed")
}

func (p *Pages) reopen(c echo.Context, _ Session) error {
	if err := p.x.Reopen(c.Request().Context(), c.Param("id")); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, "/app/people?done=reopened")
}

// Fresh is For with a proof of who is signed in that is at most five minutes
// old: for acts that cannot be taken back, so that nobody does them on a device
// that was left open. Who has none is asked for it and goes on where they were,
// with what they typed.
func (p *Pages) Fresh(h Handler, roles ...string) echo.HandlerFunc {
	return p.For(p.fresh(h), roles...)
}

// FreshForAll is Fresh without regard to roles.
func (p *Pages) FreshForAll(h Handler) echo.HandlerFunc { return p.Fresh(h, p.x.Roles()...) }

func (p *Pages) fresh(h Handler) Handler {
	return func(c echo.Context, s Session) error {
		if p.x.Fresh(s) {
			return h(c, s)
		}
		r := c.Request()
		if !strings.Contains(r.Header.Get("Accept"), "text/html") {
			return ErrConfirm // a script of ours asks by itself
		}
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			c.Response().Header().Set("Cache-Control", "no-store")
			return c.Redirect(http.StatusSeeOther, "/app/confirm?next="+url.QueryEscape(r.URL.Path))
		}
		if r.MultipartForm != nil && len(r.MultipartForm.File) > 0 {
			return ErrConfirm // a file cannot be kept on a page
		}
		values, err := c.FormParams()
		if err != nil {
			return errBody.With(err)
		}
		return p.showConfirm(c, s, asking{To: r.URL.RequestURI(), Kept: keep(values)})
	}
}

// asking is what a page that asks for a proof goes on with.
type asking struct {
	To   string // address
	Kept []kept // what a form sent that is sent again; nil if To is only opened
	Held bool

	Organisation string // of who has no passkey
	Press        bool   // a button will do
}

type kept struct{ Name, Value string }

// keep lists what a form sent, but for what proves that it is ours.
func keep(values url.Values) []kept {
	names := make([]string, 0, len(values))
	for name := range values {
		if name != "csrf" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	out := []kept{}
	for _, name := range names {
		for _, v := range values[name] {
			out = append(out, kept{name, v})
		}
	}
	return out
}

func (p *Pages) showConfirm(c echo.Context, s Session, a asking) error {
	a.Held = a.Kept != nil
	records, err := p.x.records(c.Request().Context(), s.Account.ID)
	if err != nil {
		return err
	}
	if len(records) == 0 && s.Account.Organisation != "" {
		a.Organisation = p.x.Organisation()
	}
	a.Press = p.x.cfg.Development != nil && s.Demonstration()
	return p.show(c, web.View{Page: "account/confirm", Title: "confirm.title", Scripts: []string{"passkey.js"}, Data: a})
}

// confirmPage asks for a proof before a page is opened.
func (p *Pages) confirmPage(c echo.Context, s Session) error {
	to := next(c.Request())
	if p.x.Fresh(s) {
		return c.Redirect(http.StatusSeeOther, to)
	}
	return p.showConfirm(c, s, asking{To: to})
}

func (p *Pages) confirmOptions(c echo.Context, s Session) error {
	options, err := p.x.BeginConfirm(c.Request().Context(), s)
	if err != nil {
		return err
	}
	return serve.JSON(c, http.StatusOK, options)
}

func (p *Pages) confirm(c echo.Context, s Session) error {
	b, err := body(c)
	if err != nil {
		return err
	}
	if err := p.x.FinishConfirm(c.Request().Context(), s, b); err != nil {
		return err
	}
	return serve.JSON(c, http.StatusOK, map[string]bool{"confirmed": true})
}

// confirmPress is there in a demonstration only.
func (p *Pages) confirmPress(c echo.Context, s Session) error {
	if p.x.cfg.Development == nil {
		return serve.ErrNoRoute
	}
	if err := p.x.Press(c.Request().Context(), s); err != nil {
		return err
	}
	return serve.JSON(c, http.StatusOK, map[string]bool{"confirmed": true})
}

func (p *Pages) confirmOrganisation(c echo.Context, s Session) error {
	address, err := p.x.BeginConfirmFederated(c.Request().Context(), p.visit(c.Response(), c.Request()), s)
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.Redirect(http.StatusSeeOther, address)
}

// confirmed is where an organisation's sign-in comes back to: in a tab of its own,
// so that what was typed in the first one is still there.
func (p *Pages) confirmed(c echo.Context, _ Session) error {
	return p.show(c, web.View{Page: "account/confirmed", Title: "confirmed.title"})
}
