package registrar

import (
	"encoding/json"
	"slices"

	"github.com/labstack/echo/v4"

	"github.com/kinpass/kinpass/internal/account"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/issuer"
)

// places are where the records of a kind are, and which kind is where.
var places = map[string]string{issuer.KindBirth: "births", issuer.KindGuardianship: "guardianships"}

// placeOf gives the address of a record.
func placeOf(kind, id string) string { return "/app/" + places[kind] + "/" + id }

// about is what tells one record from others.
type about struct {
	Kind, ID, Href string
	State          state
	Child          []string // names, one a script
	Unnamed        bool     // the child has no name yet
	Hidden         bool     // whoever reads this does not read the register: nothing of the child is told
	Born           string
	Number         string   // of the registration
	Guardian       []string // of a guardianship
	Role           string   // of the guardian
}

// about tells what a birth, or a guardianship with its ward's birth, is about.
func (h routes) about(c echo.Context, b *vc.Birth, g *vc.Guardianship) about {
	out := about{Kind: issuer.KindBirth, Child: namesOf(b.Names), Born: h.reader(c).uncertain(b.BirthDate), Number: b.Registration.Number}
	out.Unnamed = len(out.Child) == 0
	if g != nil {
		out.Kind, out.Guardian, out.Role = issuer.KindGuardianship, namesOf(issuer.WithParentNames(g, b).Guardian.Names), g.Role
	}
	return out
}

// record reads a record with what it is about.
func (h routes) record(c echo.Context, s account.Session, kind, id string) (issuer.Record, about, error) {
	ctx := c.Request().Context()
	read := h.Birth
	if kind == issuer.KindGuardianship {
		read = h.Guardianship
	}
	r, err := read(ctx, caller(s), id)
	if err != nil {
		return issuer.Record{}, about{}, err
	}
	var b vc.Birth
	var g *vc.Guardianship
	if kind == issuer.KindGuardianship {
		w, err := h.Birth(ctx, caller(s), r.Birth)
		if err != nil {
			return issuer.Record{}, about{}, err
		}
		g = &vc.Guardianship{}
		if err := json.Unmarshal(r.Record, g); err != nil {
			return issuer.Record{}, about{}, err
		}
		r.Birth = w.ID
		if err := json.Unmarshal(w.Record, &b); err != nil {
			return issuer.Record{}, about{}, err
		}
	} else if err := json.Unmarshal(r.Record, &b); err != nil {
		return issuer.Record{}, about{}, err
	}
	a := h.about(c, &b, g)
	a.ID, a.Href, a.State = r.ID, placeOf(kind, r.ID), stateOf(r)
	return r, a, nil
}

// namesOf gives a person's names in use, the legal ones first, one a script.
func namesOf(names []vc.Name) []string {
	sorted := slices.Clone(names)
	order := []string{"legal", "atBirth", "usual"}
	slices.SortStableFunc(sorted, func(a, b vc.Name) int {
		return position(order, a.Kind) - position(order, b.Kind)
	})
	var out, scripts []string
	for _, n := range sorted {
		text := plainName(n)
		if text == "" || n.Status == "unnamed" || !slices.Contains(order, n.Kind) || slices.Contains(scripts, n.Script) {
			continue
		}
		out, scripts = append(out, text), append(scripts, n.Script)
	}
	return out
}

func position(list []string, v string) int {
	if n := slices.Index(list, v); n >= 0 {
		return n
	}
	return len(list)
}
