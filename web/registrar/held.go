package registrar

import (
	"encoding/json"
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"github.com/kinpass/kinpass/internal/account"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/issuer"
	"github.com/kinpass/kinpass/web"
)

// held is deciding about registrations that look like another one.
var held = part{
	routes: func(h routes, e *echo.Group) {
		e.GET("/app/held", h.pages.For(h.heldList, issuer.RoleRegistrar))
		e.GET("/app/births/:id/duplicates", h.pages.For(h.compare, issuer.RoleRegistrar))
		e.POST("/app/births/:id/duplicates", h.pages.For(h.release, issuer.RoleRegistrar))
	},
	cards: func(h routes, c echo.Context, s account.Session) ([]card, error) {
		if s.Account.Role != issuer.RoleRegistrar {
			return nil, nil
		}
		list, err := h.Held(c.Request().Context(), caller(s))
		if err != nil {
			return nil, err
		}
		return []card{{Title: "registrar.held-list", Text: "registrar.held-list-text", Href: "/app/held", Count: len(list)}}, nil
	},
}

// heldRecord is one of those that wait.
type heldRecord struct {
	issuer.Record
	Name string
}

func (h routes) heldList(c echo.Context, s account.Session) error {
	list, err := h.Held(c.Request().Context(), caller(s))
	if err != nil {
		return err
	}
	var out []heldRecord
	for _, r := range list {
		var b vc.Birth
		if err := json.Unmarshal(r.Record, &b); err != nil {
			return err
		}
		out = append(out, heldRecord{r, nameOf(b.Names)})
	}
	return h.show(c, web.View{Page: "registrar/held", Title: "registrar.held-list", Data: out})
}

// pair is one question with the answers of two records.
type pair struct {
	Label    string
	New, Old []string
	Same     bool
}

// sideBySide puts the lines of two records beside each other: what differs first,
// otherwise in the order of the first record.
func sideBySide(a, b []line) []pair {
	var out []pair
	taken := make([]bool, len(b))
	for _, x := range a {
		p := pair{Label: x.Label, New: x.Values}
		for i, y := range b {
			if !taken[i] && y.Label == x.Label {
				p.Old, taken[i] = y.Values, true
				break
			}
		}
		p.Same = slices.Equal(p.New, p.Old)
		out = append(out, p)
	}
	for i, y := range b {
		if !taken[i] {
			out = append(out, pair{Label: y.Label, Old: y.Values})
		}
	}
	slices.SortStableFunc(out, func(a, b pair) int {
		switch {
		case a.Same == b.Same:
			return 0
		case b.Same:
			return -1
		}
		return 1
	})
	return out
}

// rival is a record that a held one may repeat.
type rival struct {
	ID, Name, Because string
	State             state
	Pairs             []pair
}

func (h routes) compare(c echo.Context, s account.Session) error {
	return h.showCompare(c, s, web.Form{}, 0)
}

func (h routes) showCompare(c echo.Context, s account.Session, f web.Form, status int) error {
	ctx := c.Request().Context()
	r, b, err := h.ward(c, s, c.Param("id"))
	if err != nil {
		return err
	}
	if r.State != issuer.StateHeld {
		return c.Redirect(http.StatusSeeOther, "/app/births/"+r.ID)
	}
	others, err := h.Resembles(ctx, caller(s), r.ID)
	if err != nil {
		return err
	}
	lines := h.birthLines(c, b)
	var rivals []rival
	for _, o := range others {
		var other vc.Birth
		if err := json.Unmarshal(o.Record.Record, &other); err != nil {
			return err
		}
		rivals = append(rivals, rival{ID: o.ID, Name: nameOf(other.Names), Because: o.Because, State: stateOf(o.Record), Pairs: sideBySide(lines, h.birthLines(c, &other))})
	}
	waiting, err := h.proposed(c, s, r.ID)
	if err != nil {
		return err
	}
	return h.show(c, web.View{Page: "registrar/compare", Title: "registrar.held-title", Form: f, Status: status, Data: map[string]any{
		"Record": r, "Name": nameOf(b.Names), "Rivals": rivals, "Lines": lines, "Waiting": waiting, "Key": newRef(),
	}})
}

// proposed reports whether a decision about a record waits for a second person.
func (h routes) proposed(c echo.Context, s account.Session, id string) (bool, error) {
	list, err := h.Approvals(c.Request().Context(), caller(s))
	return slices.ContainsFunc(list, func(a issuer.Approval) bool { return a.Record == id }), err
}

// release proposes what becomes of a held birth.
func (h routes) release(c echo.Context, s account.Session) error {
	v, err := sent(c)
	if err != nil {
		return err
	}
	f := web.Form{Values: v}
	decision := v.Get("decision")
	if decision != "issue" && decision != "discard" {
		f.Wrong("decision", "registrar.wrong.decision")
		return h.showCompare(c, s, f, http.StatusUnprocessableEntity)
	}
	if _, err := h.Release(c.Request().Context(), caller(s), c.Param("id"), decision, v.Get("key")); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, "/app/births/"+c.Param("id")+"/duplicates")
}
