package registrar

import (
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"github.com/kinpass/kinpass/internal/account"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/issuer"
	"github.com/kinpass/kinpass/web"
)

// authorities speak over the lists of other offices.
var authorities = []string{issuer.RoleCourt, issuer.RoleProtection}

// overriding is ordering what another office does not carry out.
var overriding = part{
	routes: func(h routes, e *echo.Group) {
		e.GET("/app/overrides", h.pages.For(h.overrides, authorities...))
		e.POST("/app/overrides", h.pages.For(h.addOverride, authorities...))
		e.GET("/app/overrides/:id/confirm", h.pages.For(h.overridePage("confirm"), authorities...))
		e.POST("/app/overrides/:id/confirm", h.pages.For(h.changeOverride("confirm"), authorities...))
		e.GET("/app/overrides/:id/lift", h.pages.For(h.overridePage("lift"), authorities...))
		e.POST("/app/overrides/:id/lift", h.pages.For(h.changeOverride("lift"), authorities...))
	},
	nav: func(role string) []web.NavItem {
		if slices.Contains(authorities, role) {
			return []web.NavItem{{Href: "/app/overrides", Label: "registrar.override.nav"}}
		}
		return nil
	},
	cards: func(_ routes, _ echo.Context, s account.Session) ([]card, error) {
		if slices.Contains(authorities, s.Account.Role) {
			return []card{{Title: "registrar.override.title", Text: "registrar.override.card", Href: "/app/overrides"}}, nil
		}
		return nil, nil
	},
}

func (h routes) overrides(c echo.Context, s account.Session) error {
	f := web.Form{}
	return h.overridesForm(c, s, f, newRef())
}

func (h routes) overridesForm(c echo.Context, s account.Session, f web.Form, key string) error {
	list, err := h.Overrides(c.Request().Context(), caller(s))
	if err != nil {
		return err
	}
	purposes := []web.Option{{Value: "suspension", Label: h.text(c, "registrar.override.suspension"), Hint: h.text(c, "registrar.override.suspension-hint")}}
	reasons := issuer.SuspendReasons
	if s.Account.Role == issuer.RoleCourt {
		purposes = append(purposes, web.Option{Value: "revocation", Label: h.text(c, "registrar.override.revocation"), Hint: h.text(c, "registrar.override.revocation-hint")})
		reasons = append(slices.Clone(reasons), issuer.RevokeReasons...)
	}
	v := web.View{Page: "registrar/overrides", Title: "registrar.override.title", Form: f, Styles: officeStyles,
		Data: map[string]any{"List": list, "Purposes": purposes, "Reasons": h.reasonOptions(c, reasons), "Key": key}}
	if !f.Good() {
		v.Status = http.StatusUnprocessableEntity
	}
	switch c.QueryParam("done") {
	case "active":
		v.Notice = &web.Notice{Text: "registrar.override.done", Success: true}
	case "waits":
		v.Notice = &web.Notice{Text: "registrar.override.waits"}
	}
	return h.show(c, v)
}

// reasonOptions are reasons to choose from, each once.
func (h routes) reasonOptions(c echo.Context, reasons []string) []web.Option {
	var out []web.Option
	for n, r := range reasons {
		if slices.Index(reasons, r) == n {
			out = append(out, web.Option{Value: r, Label: h.text(c, h.known("registrar.reason.", r))})
		}
	}
	return out
}

func (h routes) addOverride(c echo.Context, s account.Session) error {
	v, err := sent(c)
	if err != nil {
		return err
	}
	f := web.Form{Values: v}
	o, err := h.AddOverride(c.Request().Context(), caller(s), issuer.OverrideRequest{List: v.Get("list"), Index: digits(v.Get("index")), Purpose: v.Get("purpose"), Reason: v.Get("reason")}, v.Get("key"))
	switch x := fault.As(err); {
	case err == nil && o.State == issuer.StatePending:
		return c.Redirect(http.StatusSeeOther, "/app/overrides?done=waits")
	case err == nil:
		return c.Redirect(http.StatusSeeOther, "/app/overrides?done=active")
	case !mendable(err):
		return err
	case x.Is(issuer.ErrOverride):
		for _, at := range [][2]string{{"/statusPurpose", "purpose"}, {"/statusListCredential", "list"}, {"/statusListIndex", "index"}, {"/reason", "reason"}} {
			if slices.ContainsFunc(x.Fields, func(b fault.Field) bool { return b.Path == at[0] }) {
				f.Wrong(at[1], h.known("registrar.override.wrong-", at[1]))
			}
		}
	default:
		h.blameAct(c, &f, err, "")
	}
	return h.overridesForm(c, s, f, newRef())
}

// overrideReasons are the reasons to change an override, by act.
var overrideReasons = map[string][]string{"confirm": issuer.ConfirmReasons, "lift": issuer.ReinstateReasons}

func (h routes) overridePage(act string) account.Handler {
	return func(c echo.Context, s account.Session) error { return h.overrideForm(c, s, act, web.Form{}) }
}

func (h routes) overrideForm(c echo.Context, s account.Session, act string, f web.Form) error {
	list, err := h.Overrides(c.Request().Context(), caller(s))
	if err != nil {
		return err
	}
	n := slices.IndexFunc(list, func(o issuer.Override) bool { return o.ID == c.Param("id") })
	if n < 0 {
		return issuer.ErrNoSuchOverride
	}
	status := http.StatusOK
	if !f.Good() {
		status = http.StatusUnprocessableEntity
	}
	return h.show(c, web.View{Page: "registrar/override", Title: h.known("registrar.override.title-", act), Form: f, Status: status, Styles: officeStyles,
		Data: map[string]any{"Override": list[n], "Act": act, "Reasons": h.reasonOptions(c, overrideReasons[act]), "Key": newRef()}})
}

func (h routes) changeOverride(act string) account.Handler {
	return func(c echo.Context, s account.Session) error {
		v, err := sent(c)
		if err != nil {
			return err
		}
		f := web.Form{Values: v}
		do := h.ConfirmOverride
		if act == "lift" {
			do = h.LiftOverride
		}
		if v.Get("reason") == "" {
			f.Wrong("reason", "registrar.act.choose-reason")
			return h.overrideForm(c, s, act, f)
		}
		o, err := do(c.Request().Context(), caller(s), c.Param("id"), v.Get("reason"), v.Get("key"))
		switch {
		case err == nil && o.Approval != "":
			return c.Redirect(http.StatusSeeOther, "/app/overrides?done=waits")
		case err == nil:
			return c.Redirect(http.StatusSeeOther, "/app/overrides?done=active")
		case !mendable(err):
			return err
		}
		h.blameAct(c, &f, err, "reason")
		return h.overrideForm(c, s, act, f)
	}
}
