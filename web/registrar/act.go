package registrar

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/labstack/echo/v4"

	"github.com/kinpass/kinpass/internal/account"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/issuer"
	"github.com/kinpass/kinpass/web"
)

// officeStyles are linked on the pages of record acts, searches and queues.
var officeStyles = []string{"registrar/office.css"}

// acting is what is done to a record.
var acting = part{
	routes: func(h routes, e *echo.Group) {
		for kind, place := range places {
			at := "/app/" + place + "/:id/"
			e.GET(at+"history", h.pages.For(h.history(kind), readers...))
			for _, act := range []string{issuer.ActRevoke, issuer.ActSuspend, issuer.ActConfirm, issuer.ActReinstate} {
				lets := h.pages.For
				if act == issuer.ActRevoke {
					lets = h.pages.Fresh // it is for good
				}
				e.GET(at+act, lets(h.actPage(kind, act), readers...))
				e.POST(at+act, lets(h.act(kind, act), readers...))
				e.GET(at+act+"/done", h.pages.For(h.acted(kind, act), readers...))
			}
		}
	},
}

// acts is what the part "record-actions" shows: what somebody may do
// to a record, and what waits on it.
type acts struct {
	Href string // of the record
	Kind string
	issuer.Standing
}

// actionsFor tells what somebody may do to a record.
func (h routes) actionsFor(c echo.Context, s account.Session, kind, id string) (acts, error) {
	standing, err := h.Standing(c.Request().Context(), caller(s), kind, id)
	return acts{placeOf(kind, id), kind, standing}, err
}

// actForm is one act with the reasons to choose from.
type actForm struct {
	Act     string
	Kind    string
	About   about
	Reasons []web.Option
	Second  bool
	Key     string // a form that is sent twice is done once
	*issuer.Suspension
}

func (h routes) actPage(kind, act string) account.Handler {
	return func(c echo.Context, s account.Session) error {
		return h.actForm(c, s, actForm{Act: act, Kind: kind, Key: newRef()}, web.Form{})
	}
}

// actForm shows the form, or, for an act that is not possible now, why.
func (h routes) actForm(c echo.Context, s account.Session, a actForm, f web.Form) error {
	id := c.Param("id")
	_, about, err := h.record(c, s, a.Kind, id)
	if err != nil {
		return err
	}
	standing, err := h.Standing(c.Request().Context(), caller(s), a.Kind, id)
	if err != nil {
		return err
	}
	a.About, a.Suspension = about, standing.Suspension
	p, ok := standing.May(a.Act)
	if !ok && f.Good() {
		return h.show(c, web.View{Page: "registrar/no-act", Title: "registrar.act.none", Styles: officeStyles, Status: http.StatusConflict,
			Data: map[string]any{"About": about, "Actions": acts{about.Href, a.Kind, standing}}})
	}
	a.Second = p.Second
	for _, reason := range p.Reasons {
		a.Reasons = append(a.Reasons, web.Option{Value: reason, Label: h.text(c, h.known("registrar.reason.", reason)), Hint: h.hint(c, h.known("registrar.reason-hint.", reason))})
	}
	status := http.StatusOK
	if !f.Good() {
		status = http.StatusUnprocessableEntity
	}
	return h.show(c, web.View{Page: "registrar/act", Title: h.known("registrar.act.title.", a.Act), Styles: officeStyles, Status: status, Form: f, Data: a})
}

// known puts the key of a message together.
func (h routes) known(prefix, rest string) string { return prefix + rest }

// hint gives a message that not every value has.
func (h routes) hint(c echo.Context, key string) string {
	if t := h.text(c, key); t != key {
		return t
	}
	return ""
}

func (h routes) act(kind, act string) account.Handler {
	return func(c echo.Context, s account.Session) error {
		id, reason, key := c.Param("id"), c.Request().PostForm.Get("reason"), c.Request().PostForm.Get("key")
		f := web.Form{Values: url.Values{"reason": {reason}}}
		if reason == "" {
			f.Wrong("reason", "registrar.act.choose-reason")
			return h.actForm(c, s, actForm{Act: act, Kind: kind, Key: key}, f)
		}
		o, err := h.ChangeStatus(c.Request().Context(), caller(s), issuer.StatusChange{Act: act, Kind: kind, Record: id, Reason: reason, Idem: key})
		if err == nil {
			to := placeOf(kind, id) + "/" + act + "/done"
			if o.State == issuer.StatePending {
				to += "?waits=1"
			}
			return c.Redirect(http.StatusSeeOther, to)
		}
		if !mendable(err) {
			return err
		}
		h.blameAct(c, &f, err, "reason")
		return h.actForm(c, s, actForm{Act: act, Kind: kind, Key: newRef()}, f)
	}
}

// mendable reports a refusal that belongs into the form: somebody else must do
// it, in another way or later.
func mendable(err error) bool {
	return slices.Contains([]fault.Kind{fault.Conflict, fault.Forbidden, fault.Invalid, fault.Unprocessable, fault.Unavailable}, fault.As(err).Kind)
}

// blameAct says at a field what was refused.
func (h routes) blameAct(c echo.Context, f *web.Form, err error, field string) {
	f.Wrong(field, "registrar.act.refused", "why", h.pages.Site().Fault(c.Request(), fault.As(err)))
}

func (h routes) acted(kind, act string) account.Handler {
	return func(c echo.Context, s account.Session) error {
		_, about, err := h.record(c, s, kind, c.Param("id"))
		if err != nil {
			return err
		}
		standing, err := h.Standing(c.Request().Context(), caller(s), kind, c.Param("id"))
		if err != nil {
			return err
		}
		done := act
		if c.QueryParam("waits") != "" {
			done += "-waits"
		}
		return h.show(c, web.View{Page: "registrar/acted", Title: "registrar.acted.title", Styles: officeStyles,
			Data: map[string]any{"About": about, "Done": done, "Standing": standing}})
	}
}

// history shows what happened to a record.
func (h routes) history(kind string) account.Handler {
	return func(c echo.Context, s account.Session) error {
		_, about, err := h.record(c, s, kind, c.Param("id"))
		if err != nil {
			return err
		}
		events, err := h.History(c.Request().Context(), caller(s), kind, c.Param("id"))
		if err != nil {
			return err
		}
		return h.show(c, web.View{Page: "registrar/history", Title: "registrar.history.title", Styles: officeStyles,
			Data: map[string]any{"About": about, "Events": events}})
	}
}
