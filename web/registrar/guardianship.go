package registrar

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/kinpass/kinpass/internal/account"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/issuer"
	"github.com/kinpass/kinpass/web"
)

// guardianships is registering who may decide for a child.
var guardianships = part{
	routes: func(h routes, e *echo.Group) {
		e.GET("/app/births/:id/guardian", h.pages.For(h.newGuardianship, readers...))
		e.GET("/app/births/:id/guardian/check", h.pages.For(back("/app/births/:id/guardian"), readers...))
		e.GET("/app/births/:id/guardian/register", h.pages.For(back("/app/births/:id/guardian"), readers...))
		e.POST("/app/births/:id/guardian", h.pages.For(h.editGuardianship, readers...))
		e.POST("/app/births/:id/guardian/check", h.pages.For(h.checkGuardianship, readers...))
		e.POST("/app/births/:id/guardian/register", h.pages.For(h.registerGuardianship, readers...))
	},
}

// otherBases are the legal bases for a guardian who does not follow from the
// record of the birth, with what is usual there.
var otherBases = []string{"acknowledgement", "parentalAgreement", "courtOrder", "adoptionSimple", "adoptionPlenary", "kafala", "testamentary",
	"publicAuthority", "humanitarianMandate", "customary"}

var allPowers = []string{"travelAccompany", "travelConsent", "relocate", "passportApply", "healthRoutine", "healthMajor", "education",
	"legalRepresentation", "residence", "property", "delegate", "walletManage"}

var allRoles = []string{"mother", "father", "parent", "stepParent", "grandparent", "relative", "legalGuardian", "testamentaryGuardian", "kafil", "fosterCarer",
	"stateGuardian", "ngoGuardian", "guardianAdLitem"}

// parentPowers are what parents hold where nothing was decided.
var parentPowers = allPowers

// usualMandate gives the answers that a legal basis begins with.
func usualMandate(basis string) url.Values {
	v := url.Values{"g-kind": {"naturalPerson"}, "mode": {"joint"}, "count": {"2"}, "joint-for": {"travelConsent", "relocate", "passportApply"},
		"powers": parentPowers, "age": {"18"}, "finality": {"final"}, "role": {"legalGuardian"}}
	switch basis {
	case "acknowledgement", "parentalResponsibilityByBirth":
		v.Set("role", "father")
	case "parentalAgreement", "adoptionSimple", "adoptionPlenary":
		v.Set("role", "parent")
	case "kafala":
		v.Set("role", "kafil")
		v.Set("mode", "sole")
		v["powers"] = []string{"travelAccompany", "travelConsent", "healthRoutine", "healthMajor", "education", "legalRepresentation", "residence"}
	case "testamentary":
		v.Set("role", "testamentaryGuardian")
	case "publicAuthority":
		v.Set("g-kind", "office")
		v.Set("role", "stateGuardian")
		v.Set("mode", "sole")
		v["powers"] = []string{"travelAccompany", "travelConsent", "healthRoutine", "healthMajor", "education", "legalRepresentation", "residence"}
	case "humanitarianMandate":
		v.Set("g-kind", "institution")
		v.Set("role", "ngoGuardian")
		v.Set("mode", "sole")
		v["powers"] = []string{"healthRoutine", "education", "residence"}
	case "customary":
		v.Set("role", "relative")
		v["powers"] = []string{"travelAccompany", "healthRoutine", "education", "residence"}
	case "courtOrder":
		v.Set("mode", "sole")
	}
	return v
}

// kin is a parent whom the record of the birth names.
type kin struct {
	Value, Name, Role string
}

// named lists the living parents whom a birth names.
func named(b *vc.Birth) (out []kin) {
	for i, p := range b.Parentage {
		if p.Status == "known" && len(p.Names) > 0 {
			out = append(out, kin{"parent-" + strconv.Itoa(i), nameOf(p.Names), p.Role})
		}
	}
	return out
}

// whose reads the first answer: a parent of the record, or a legal basis.
func whose(b *vc.Birth, who string) (p *vc.Parent, basis string, ok bool) {
	if n, is := strings.CutPrefix(who, "parent-"); is {
		i, err := strconv.Atoi(n)
		if err != nil || i < 0 || i >= len(b.Parentage) || b.Parentage[i].Status != "known" {
			return nil, "", false
		}
		p := &b.Parentage[i]
		switch p.Filiation {
		case "adoption":
			return p, "adoptionPlenary", true
		case "acknowledgement":
			return p, "acknowledgement", true
		}
		return p, "parentalResponsibilityByBirth", true
	}
	return nil, who, slices.Contains(otherBases, who)
}

// newGuardianship asks who the guardian is, then shows the form.
func (h routes) newGuardianship(c echo.Context, s account.Session) error {
	r, b, err := h.ward(c, s, c.Param("id"))
	if err != nil {
		return err
	}
	p, basis, ok := whose(b, c.QueryParam("who"))
	if !ok {
		var f web.Form
		if c.QueryParams().Has("asked") {
			f.Wrong("who", "registrar.wrong.who")
		}
		return h.show(c, web.View{Page: "registrar/guardianship-who", Title: "registrar.guardian-title", Form: f, Scripts: scripts,
			Data: map[string]any{"Birth": r.ID, "Child": nameOf(b.Names), "Kin": named(b), "Bases": otherBases, "Draft": h.draft(s)}})
	}
	v := usualMandate(basis)
	v.Set("who", c.QueryParam("who"))
	v.Set("basis", basis)
	v.Set("key", newRef())
	v.Set("law", b.PlaceOfBirth.Country)
	v.Set("age-law", b.PlaceOfBirth.Country)
	if u := b.BirthDate; u.Precision == "day" && basis == "parentalResponsibilityByBirth" {
		setDay(v, "from", u.Value)
	}
	if p != nil {
		v.Set("role", p.Role)
		setNames(v, "g", p.Names)
		if p.BirthDate != nil {
			setDate(v, "g-born", *p.BirthDate)
		}
		if len(named(b)) < 2 && len(b.Parentage) > 1 {
			v.Set("mode", "sole")
		}
	}
	return h.guardianshipForm(c, s, web.Form{Values: v}, 0)
}

func (h routes) editGuardianship(c echo.Context, s account.Session) error {
	v, err := sent(c)
	if err != nil {
		return err
	}
	return h.guardianshipForm(c, s, web.Form{Values: v}, 0)
}

func (h routes) guardianshipForm(c echo.Context, s account.Session, f web.Form, status int) error {
	r, b, err := h.ward(c, s, c.Param("id"))
	if err != nil {
		return err
	}
	p, basis, ok := whose(b, f.Values.Get("who"))
	if !ok {
		return errForm
	}
	f.Values.Set("basis", basis)
	if len(f.Values.Get("key")) != 22 {
		f.Values.Set("key", newRef())
	}
	h.nameFields(c, &f)
	data, err := h.guardianshipData(c, f, p != nil)
	if err != nil {
		return err
	}
	data["Birth"], data["Child"], data["Draft"] = r.ID, nameOf(b.Names), h.draft(s)
	return h.show(c, web.View{Page: "registrar/guardianship", Title: "registrar.guardian-title", Form: f, Status: status, Scripts: scripts, Data: data})
}

// guardianshipData is what the part "desk-guardianship-fields" of a page needs in
// its Data. parent: the guardian is a parent whom the birth names.
func (h routes) guardianshipData(c echo.Context, f web.Form, parent bool) (map[string]any, error) {
	site, none := h.pages.Site(), h.text(c, "registrar.choose")
	lands, err := site.Countries(c.Request(), none)
	if err != nil {
		return nil, err
	}
	open, err := site.Countries(c.Request(), h.text(c, "registrar.not-recorded"))
	if err != nil {
		return nil, err
	}
	issuers, err := site.Countries(c.Request(), none, offices...)
	basis := f.Values.Get("basis")
	return map[string]any{
		"Lands": lands, "Places": open, "Issuers": issuers, "Slot": parentSlot{P: "g", Form: f}, "Basis": basis, "Parent": parent, "Roles": allRoles, "Powers": allPowers,
		"Decided": basis != "parentalResponsibilityByBirth" && basis != "customary",
		"Ends":    slices.Contains([]string{"publicAuthority", "humanitarianMandate", "customary"}, basis),
	}, err
}

func (h routes) readGuardianship(c echo.Context, s account.Session) (web.Form, *vc.Birth, *vc.Guardianship, []byte, error) {
	v, err := sent(c)
	if err != nil {
		return web.Form{}, nil, nil, nil, err
	}
	_, b, err := h.ward(c, s, c.Param("id"))
	if err != nil {
		return web.Form{}, nil, nil, nil, err
	}
	_, basis, ok := whose(b, v.Get("who"))
	if !ok {
		return web.Form{}, nil, nil, nil, errForm
	}
	v.Set("basis", basis)
	f := web.Form{Values: v}
	g, where := guardianshipOf(&f, b.ChildRef, h.DID())
	raw, err := json.Marshal(g)
	if err != nil {
		return f, nil, nil, nil, err
	}
	checked, err := issuer.CheckGuardianship(raw, time.Now())
	if err == nil {
		err = issuer.CheckWard(checked, b, time.Now())
	}
	return f, b, checked, raw, blame(&f, err, where)
}

func (h routes) checkGuardianship(c echo.Context, s account.Session) error {
	f, b, g, _, err := h.readGuardianship(c, s)
	if err != nil {
		return err
	}
	if !f.Good() {
		return h.guardianshipForm(c, s, f, http.StatusUnprocessableEntity)
	}
	var offices []string
	if may := vc.RolesFor(g.LegalBasis.Type); !slices.Contains(may, s.Account.Role) {
		for _, role := range may {
			offices = append(offices, h.text(c, "role."+role))
		}
	}
	return h.show(c, web.View{Page: "registrar/guardianship-check", Title: "registrar.check-title", Scripts: scripts, Data: map[string]any{
		"Birth": c.Param("id"), "Child": nameOf(b.Names), "Lines": h.guardianshipLines(c, g), "Sent": carried(f.Values), "Second": issuer.GuardianshipNeedsApproval(g, b), "Offices": strings.Join(offices, ", "),
		"Draft": h.draft(s), "Key": f.Values.Get("key"),
	}})
}

func (h routes) registerGuardianship(c echo.Context, s account.Session) error {
	f, b, _, raw, err := h.readGuardianship(c, s)
	if err != nil {
		return err
	}
	if !f.Good() {
		return h.guardianshipForm(c, s, f, http.StatusUnprocessableEntity)
	}
	o, err := h.RegisterGuardianship(c.Request().Context(), caller(s), raw, f.Values.Get("key"))
	_, where := guardianshipOf(&web.Form{Values: f.Values}, b.ChildRef, h.DID())
	switch {
	case errors.Is(err, issuer.ErrIdempotency):
		f.Wrong("", "registrar.wrong.sent-before")
		return h.guardianshipForm(c, s, f, http.StatusConflict)
	case errors.Is(err, issuer.ErrGuardianshipExists):
		f.Wrong("", "registrar.wrong.guardian-exists")
		return h.guardianshipForm(c, s, f, http.StatusConflict)
	case errors.Is(err, issuer.ErrBasisKey):
		f.Wrong("", "registrar.wrong.basis-key")
		return h.guardianshipForm(c, s, f, http.StatusUnprocessableEntity)
	case err != nil:
		if err := blame(&f, err, where); err != nil {
			return err
		}
		return h.guardianshipForm(c, s, f, http.StatusUnprocessableEntity)
	}
	return c.Redirect(http.StatusSeeOther, "/app/guardianships/"+url.PathEscape(o.ID)+"?done=registered")
}
