package registrar

import (
	"encoding/json"

	"github.com/labstack/echo/v4"

	"github.com/kinpass/kinpass/internal/account"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/issuer"
	"github.com/kinpass/kinpass/web"
)

// records shows what is registered.
var records = part{
	routes: func(h routes, e *echo.Group) {
		e.GET("/app/births/:id", h.pages.For(h.birth, readers...))
		e.GET("/app/guardianships/:id", h.pages.For(h.guardianship, readers...))
	},
}

// readers are those who may read the register.
var readers = []string{issuer.RoleRegistrar, issuer.RoleCourt, issuer.RoleProtection}

// action is something that can be done with a record that is shown.
type action struct{ Label, Href string } // key of a message, address

// recordActions are asked what can be done with a record, beside what its own
// page offers.
var recordActions []func(h routes, c echo.Context, s account.Session, r issuer.Record) ([]action, error)

func (h routes) actions(c echo.Context, s account.Session, r issuer.Record) ([]action, error) {
	var out []action
	for _, ask := range recordActions {
		more, err := ask(h, c, s, r)
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	return out, nil
}

// done gives the notice above a page to which a form led.
func done(c echo.Context, r issuer.Record) *web.Notice {
	switch c.QueryParam("done") {
	case "withdrawn":
		return &web.Notice{Text: "registrar.offer-withdrawn", Success: true}
	case "registered":
	default:
		return nil
	}
	switch r.State {
	case issuer.StateIssued:
		if r.Kind == issuer.KindBirth {
			return &web.Notice{Text: "registrar.done-birth", Success: true}
		}
		return &web.Notice{Text: "registrar.done-guardianship", Success: true}
	case issuer.StatePending:
		return &web.Notice{Text: "registrar.done-pending"}
	case issuer.StateHeld:
		return &web.Notice{Text: "registrar.done-held"}
	}
	return &web.Notice{Text: "registrar.done-kept"}
}

// mandate is a guardianship as the page of its child shows it.
type mandate struct {
	ID, Name, Role, Basis string
	State                 state
}

// state is how a record stands, as a tag.
type state struct{ Name, Colour string } // end of a key of a message

func stateOf(r issuer.Record) state {
	switch {
	case r.Status == issuer.StatusRevoked:
		return state{issuer.StatusRevoked, "red"}
	case r.Status == issuer.StatusSuspended:
		return state{issuer.StatusSuspended, "orange"}
	}
	colour := map[string]string{issuer.StateIssued: "green", issuer.StatePending: "yellow", issuer.StateHeld: "orange", issuer.StateNotIssued: "grey"}[r.State]
	return state{r.State, colour}
}

func (h routes) birth(c echo.Context, s account.Session) error {
	ctx := c.Request().Context()
	r, err := h.Birth(ctx, caller(s), c.Param("id"))
	if err != nil {
		return err
	}
	var b vc.Birth
	if err := json.Unmarshal(r.Record, &b); err != nil {
		return err
	}
	var list []mandate
	for _, id := range r.Guardianships {
		x, err := h.Guardianship(ctx, caller(s), id)
		if err != nil {
			return err
		}
		var g vc.Guardianship
		if err := json.Unmarshal(x.Record, &g); err != nil {
			return err
		}
		g = *issuer.WithParentNames(&g, &b)
		m := mandate{ID: x.ID, Role: g.Role, Basis: g.LegalBasis.Type, State: stateOf(x)}
		if len(g.Guardian.Names) > 0 {
			m.Name = plainName(g.Guardian.Names[0])
		}
		list = append(list, m)
	}
	actions, err := h.actions(c, s, r)
	if err != nil {
		return err
	}
	acts, err := h.actionsFor(c, s, r.Kind, r.ID)
	if err != nil {
		return err
	}
	live := r.Status == issuer.StatusValid && r.State != issuer.StateNotIssued
	return h.show(c, web.View{Page: "registrar/birth-record", Title: "registrar.record-birth", Notice: done(c, r), Scripts: scripts, Styles: officeStyles, Data: map[string]any{
		"Record": r, "Name": nameOf(b.Names), "Lines": h.birthLines(c, &b), "State": stateOf(r), "Guardianships": list, "Actions": actions, "Acts": acts,
		"MayGuardian": live, "MayNext": live && b.MultipleBirth != nil && s.Account.Role == issuer.RoleRegistrar, "Draft": h.draft(s), "Done": c.QueryParam("done") != "",
	}})
}

// nameOf gives the first name that there is.
func nameOf(names []vc.Name) string {
	for _, n := range names {
		if s := plainName(n); s != "" {
			return s
		}
	}
	return ""
}

func (h routes) guardianship(c echo.Context, s account.Session) error {
	ctx := c.Request().Context()
	r, err := h.Guardianship(ctx, caller(s), c.Param("id"))
	if err != nil {
		return err
	}
	ward, b, err := h.ward(c, s, r.Birth)
	if err != nil {
		return err
	}
	var g vc.Guardianship
	if err := json.Unmarshal(r.Record, &g); err != nil {
		return err
	}
	g = *issuer.WithParentNames(&g, b)
	actions, err := h.actions(c, s, r)
	if err != nil {
		return err
	}
	acts, err := h.actionsFor(c, s, r.Kind, r.ID)
	if err != nil {
		return err
	}
	open, err := h.OpenOffers(ctx, caller(s), r.ID)
	if err != nil {
		return err
	}
	offer := r.State == issuer.StateIssued && r.Status == issuer.StatusValid && ward.State == issuer.StateIssued && ward.Status == issuer.StatusValid
	return h.show(c, web.View{Page: "registrar/guardianship-record", Title: "registrar.record-guardianship", Notice: done(c, r), Scripts: scripts, Styles: officeStyles, Data: map[string]any{
		"Record": r, "Name": nameOf(g.Guardian.Names), "Child": nameOf(b.Names), "Lines": h.guardianshipLines(c, &g), "State": stateOf(r), "Actions": actions, "Acts": acts,
		"MayOffer": offer, "Open": open, "Key": newRef(), "Draft": h.draft(s), "Done": c.QueryParam("done") != "",
	}})
}

// ward reads the birth of a child.
func (h routes) ward(c echo.Context, s account.Session, id string) (issuer.Record, *vc.Birth, error) {
	r, err := h.Birth(c.Request().Context(), caller(s), id)
	if err != nil {
		return issuer.Record{}, nil, err
	}
	var b vc.Birth
	err = json.Unmarshal(r.Record, &b)
	return r, &b, err
}
