package registrar

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/kinpass/kinpass/internal/account"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/issuer"
	"github.com/kinpass/kinpass/web"
)

// deciders are the roles that decide what others proposed.
var deciders = []string{issuer.RoleRegistrar, issuer.RoleCourt, issuer.RoleProtection, issuer.RoleNotary, issuer.RoleHumanitarian}

// approving is being the second person.
var approving = part{
	routes: func(h routes, e *echo.Group) {
		e.GET("/app/approvals", h.pages.For(h.approvals, deciders...))
		e.GET("/app/approvals/:id", h.pages.For(h.approvalPage, deciders...))
		e.POST("/app/approvals/:id", h.pages.For(h.approve, deciders...))
	},
	nav: func(role string) []web.NavItem {
		if slices.Contains(deciders, role) {
			return []web.NavItem{{Href: "/app/approvals", Label: "registrar.approvals.nav"}}
		}
		return nil
	},
	cards: func(h routes, c echo.Context, s account.Session) ([]card, error) {
		if !slices.Contains(deciders, s.Account.Role) {
			return nil, nil
		}
		list, err := h.Approvals(c.Request().Context(), caller(s))
		n := 0
		for _, a := range list {
			if !a.Own && a.Needs == nil {
				n++
			}
		}
		return []card{{Title: "registrar.approvals.title", Text: "registrar.approvals.card", Href: "/app/approvals", Count: n}}, err
	},
}

// waiting is an act that waits, as it is shown.
type waiting struct {
	issuer.Approval
	About  *about // nil: it is about no record that is here
	Reason string // of a revocation, a release or an override
	Lines  []line // what the record says
	Pairs  []pair // of a correction: what it would say, beside what it says
	Over   *issuer.OverrideRequest

	Choices []web.Option // what the caller may decide

	Compare bool // it is about possible duplicates, which the caller may compare
}

// approvalsAbout tells of each proposal what it is about. Nothing is read twice.
func (h routes) waiting(c echo.Context, s account.Session, a issuer.Approval) (waiting, error) {
	w := waiting{Approval: a}
	if a.RecordKind != issuer.KindBirth && a.RecordKind != issuer.KindGuardianship {
		var q issuer.OverrideRequest
		if len(a.Proposal) > 0 && json.Unmarshal(a.Proposal, &q) == nil {
			w.Reason = q.Reason
			if q.List != "" {
				w.Over = &q
			}
		}
		return w, nil
	}
	var b vc.Birth
	var g *vc.Guardianship
	record := a.Current
	if a.RecordKind == issuer.KindGuardianship {
		g = &vc.Guardianship{}
		if err := json.Unmarshal(record, g); err != nil {
			return waiting{}, err
		}
		// A notary or an organisation decides on the mandate and does not read the
		// register.
		record = nil
		if slices.Contains(readers, s.Account.Role) {
			ward, err := h.Birth(c.Request().Context(), caller(s), a.Birth)
			if err != nil {
				return waiting{}, err
			}
			record = ward.Record
		}
	}
	if record != nil {
		if err := json.Unmarshal(record, &b); err != nil {
			return waiting{}, err
		}
	}
	x := h.about(c, &b, g)
	x.ID, x.Href, x.State = a.Record, placeOf(a.RecordKind, a.Record), stateOf(issuer.Record{State: a.State, Status: a.Status})
	x.Hidden = record == nil
	w.About = &x
	var p struct{ Reason, Decision string }
	if len(a.Proposal) > 0 && json.Unmarshal(a.Proposal, &p) == nil {
		w.Reason = p.Reason + p.Decision
	}
	return w, nil
}

func (h routes) approvals(c echo.Context, s account.Session) error {
	list, err := h.Approvals(c.Request().Context(), caller(s))
	if err != nil {
		return err
	}
	var mine, others, elsewhere []waiting
	for _, a := range list {
		w, err := h.waiting(c, s, a)
		if err != nil {
			return err
		}
		switch {
		case a.Own:
			mine = append(mine, w)
		case a.Needs != nil:
			elsewhere = append(elsewhere, w)
		default:
			others = append(others, w)
		}
	}
	v := web.View{Page: "registrar/approvals", Title: "registrar.approvals.title", Styles: officeStyles, Data: map[string]any{"Mine": mine, "Others": others, "Elsewhere": elsewhere}}
	switch c.QueryParam("done") {
	case "approved":
		v.Notice = &web.Notice{Text: "registrar.approvals.approved", Success: true}
	case "denied":
		v.Notice = &web.Notice{Text: "registrar.approvals.denied", Success: true}
	}
	return h.show(c, v)
}

func (h routes) approvalPage(c echo.Context, s account.Session) error {
	return h.approvalForm(c, s, web.Form{})
}

func (h routes) approvalForm(c echo.Context, s account.Session, f web.Form) error {
	a, err := h.Approval(c.Request().Context(), caller(s), c.Param("id"))
	if err != nil {
		return err
	}
	w, err := h.waiting(c, s, a)
	if err != nil {
		return err
	}
	if w.About != nil {
		if err := h.read(c, &w); err != nil {
			return err
		}
	}
	if a.Needs == nil {
		w.Choices = append(w.Choices, web.Option{Value: "approve", Label: h.text(c, "registrar.approval.approve")})
	}
	w.Choices = append(w.Choices, web.Option{Value: "deny", Label: h.text(c, "registrar.approval.deny")})
	w.Compare = a.RecordKind == issuer.KindBirth && a.State == issuer.StateHeld && s.Account.Role == issuer.RoleRegistrar
	status := http.StatusOK
	if !f.Good() {
		status = http.StatusUnprocessableEntity
	}
	return h.show(c, web.View{Page: "registrar/approval", Title: "registrar.approval.title", Styles: officeStyles, Status: status, Form: f, Data: w})
}

// read tells what the record says, and beside it what a correction would have it
// say.
func (h routes) read(c echo.Context, w *waiting) error {
	lines := func(raw []byte) ([]line, error) {
		if w.RecordKind == issuer.KindGuardianship {
			var g vc.Guardianship
			err := json.Unmarshal(raw, &g)
			return h.guardianshipLines(c, &g), err
		}
		var b vc.Birth
		err := json.Unmarshal(raw, &b)
		return h.birthLines(c, &b), err
	}
	was, err := lines(w.Current)
	if err != nil || !strings.HasPrefix(w.Kind, "correct") {
		w.Lines = was
		return err
	}
	is, err := lines(w.Proposal)
	w.Pairs = sideBySide(is, was)
	return err
}

func (h routes) approve(c echo.Context, s account.Session) error {
	decision := c.Request().PostForm.Get("decision")
	f := web.Form{Values: url.Values{"decision": {decision}}}
	if decision != "approve" && decision != "deny" {
		f.Wrong("decision", "registrar.approval.choose")
		return h.approvalForm(c, s, f)
	}
	_, err := h.Approve(c.Request().Context(), caller(s), c.Param("id"), decision == "approve")
	switch {
	case err == nil && decision == "approve":
		return c.Redirect(http.StatusSeeOther, "/app/approvals?done=approved")
	case err == nil:
		return c.Redirect(http.StatusSeeOther, "/app/approvals?done=denied")
	case !mendable(err):
		return err
	}
	h.blameAct(c, &f, err, "decision")
	return h.approvalForm(c, s, f)
}
