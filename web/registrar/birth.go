package registrar

import (
	"crypto/rand"
	"encoding/base64"
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
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/issuer"
	"github.com/kinpass/kinpass/web"
)

// births is registering births.
var births = part{
	routes: func(h routes, e *echo.Group) {
		e.GET("/app/births/new", h.pages.For(h.newBirth, issuer.RoleRegistrar))
		e.POST("/app/births/new", h.pages.For(h.editBirth, issuer.RoleRegistrar))
		e.POST("/app/births/check", h.pages.For(h.checkBirth, issuer.RoleRegistrar))
		e.POST("/app/births", h.pages.For(h.registerBirth, issuer.RoleRegistrar))
		// Whoever changes the language of a page that a form led to comes here.
		e.GET("/app/births/check", h.pages.For(back("/app/births/new"), issuer.RoleRegistrar))
		e.GET("/app/births", h.pages.For(back("/app/births/new"), issuer.RoleRegistrar))
		e.GET("/app/alive", h.pages.ForAll(h.alive))
	},
	nav: func(role string) []web.NavItem {
		if role != issuer.RoleRegistrar {
			return nil
		}
		return []web.NavItem{{Href: "/app/births/new", Label: "registrar.birth-new"}}
	},
	cards: func(_ routes, _ echo.Context, s account.Session) ([]card, error) {
		if s.Account.Role != issuer.RoleRegistrar {
			return nil, nil
		}
		return []card{{Title: "registrar.birth-new", Text: "registrar.birth-new-text", Href: "/app/births/new"}}, nil
	},
}

// back sends a visitor to the page where the form of this one began. Its ":id" is
// that of the request.
func back(to string) account.Handler {
	return func(c echo.Context, _ account.Session) error {
		return c.Redirect(http.StatusSeeOther, strings.Replace(to, ":id", url.PathEscape(c.Param("id")), 1))
	}
}

// situations are the kinds of registration that the first question offers. Each
// begins the form with what is usual there.
var situations = []string{"ordinary", "late", "foundling", "refugee", "unaccompanied", "transit", "reconstructed"}

// circumstances are what the record calls them.
var circumstances = map[string]string{"ordinary": "ordinary", "late": "ordinary", "foundling": "foundling", "refugee": "refugeeHostState",
	"unaccompanied": "unaccompaniedDisplaced", "transit": "inTransit", "reconstructed": "reconstructed"}

// usual gives the answers that a situation begins with.
func usual(situation string) url.Values {
	v := url.Values{"name-status": {"known"}, "born-kind": {"known"}, "born-basis": {"medicalRecord"}, "place-status": {"known"}, "place-kind": {"healthFacility"},
		"plurality": {"1"}, "p1-role": {"mother"}, "p1-status": {"known"}, "p1-filiation": {"birth"}, "p2-role": {"father"}, "p2-status": {"known"},
		"mode": {"timely"}, "informant": {"mother"}}
	set := func(pairs ...string) {
		for i := 0; i < len(pairs); i += 2 {
			v.Set(pairs[i], pairs[i+1])
		}
	}
	switch situation {
	case "late":
		set("mode", "late", "born-basis", "documentary")
	case "foundling":
		set("name-status", "provisional", "born-kind", "range", "born-basis", "ageAssessment", "place-status", "foundAt", "place-kind", "",
			"p1-status", "unknown", "p1-filiation", "", "p2-status", "unknown", "informant", "police")
	case "refugee":
		set("informant", "mother")
	case "unaccompanied":
		set("born-kind", "range", "born-basis", "ageAssessment", "place-status", "unknown", "place-kind", "", "p1-status", "unknown", "p1-filiation", "",
			"p2-status", "unknown", "mode", "reconstructed", "informant", "institution")
	case "transit":
		set("place-kind", "vessel", "born-basis", "informant")
	case "reconstructed":
		set("mode", "reconstructed", "born-basis", "documentary", "informant", "other")
	}
	return v
}

// newRef makes the reference that joins a child's record with its guardianships:
// 128 random bits.
func newRef() string {
	var b [16]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// begin gives a form what it needs once: the reference of the record, and the
// key by which a form that is sent again is known.
func begin(v url.Values) url.Values {
	v.Set("ref", newRef())
	v.Set("key", newRef())
	return v
}

// newBirth asks what kind of registration it is, then shows its form. After a
// child of several it begins with what the children share.
func (h routes) newBirth(c echo.Context, s account.Session) error {
	if id := c.QueryParam("after"); id != "" {
		r, err := h.Birth(c.Request().Context(), caller(s), id)
		if err != nil {
			return err
		}
		v, err := nextChild(r)
		if err != nil {
			return err
		}
		return h.birthForm(c, s, web.Form{Values: begin(v)}, 0)
	}
	situation := c.QueryParam("case")
	if !slices.Contains(situations, situation) {
		var f web.Form
		if c.QueryParams().Has("asked") {
			f.Wrong("case", "registrar.wrong.case")
		}
		return h.show(c, web.View{Page: "registrar/birth-case", Title: "registrar.birth-new", Form: f, Scripts: scripts, Data: map[string]any{"Cases": situations, "Draft": h.draft(s)}})
	}
	v := usual(situation)
	v.Set("case", situation)
	today(v, "registered")
	return h.birthForm(c, s, web.Form{Values: begin(v)}, 0)
}

// editBirth shows a form again as it was sent.
func (h routes) editBirth(c echo.Context, s account.Session) error {
	v, err := sent(c)
	if err != nil {
		return err
	}
	return h.birthForm(c, s, web.Form{Values: v}, 0)
}

// errForm says that a form is not one of ours.
var errForm = fault.New(fault.Invalid, "body-invalid", "the form is not the one that the page shows")

// sent reads a form of ours.
func sent(c echo.Context) (url.Values, error) {
	v, err := c.FormParams()
	if err != nil {
		return nil, errForm.With(err)
	}
	v.Del("csrf")
	return v, nil
}

// parentSlot is the part of the form about one parent.
type parentSlot struct {
	P         string // what its fields begin with
	Form      web.Form
	Countries []web.Option
}

func (h routes) birthForm(c echo.Context, s account.Session, f web.Form, status int) error {
	situation := f.Values.Get("case")
	if !slices.Contains(situations, situation) {
		return errForm
	}
	for _, name := range []string{"ref", "key"} {
		if len(f.Values.Get(name)) != 22 {
			f.Values.Set(name, newRef())
		}
	}
	h.nameFields(c, &f)
	data, err := h.birthData(c, f)
	if err != nil {
		return err
	}
	data["Case"], data["Draft"], data["Fresh"] = situation, h.draft(s), status == 0 && f.Values.Get("number") == ""
	return h.show(c, web.View{Page: "registrar/birth", Title: "registrar.birth-title", Form: f, Status: status, Scripts: scripts, Data: data})
}

// persons are the codes of nationalities that are no country's: stateless,
// refugees, not known. offices are organisations that issue documents.
var persons, offices = []string{"XXA", "XXB", "XXC", "XXX"}, []string{"UNO", "UNA", "XOM"}

// birthData is what the part "desk-birth-fields" of a page needs in its Data.
func (h routes) birthData(c echo.Context, f web.Form) (map[string]any, error) {
	site, none := h.pages.Site(), h.text(c, "registrar.choose")
	lands, err := site.Countries(c.Request(), none)
	if err != nil {
		return nil, err
	}
	nations, err := site.Countries(c.Request(), h.text(c, "registrar.not-recorded"), persons...)
	if err != nil {
		return nil, err
	}
	issuers, err := site.Countries(c.Request(), none, offices...)
	return map[string]any{"Lands": lands, "Issuers": issuers, "Child": parentSlot{P: "child", Form: f}, "Parents": []parentSlot{{"p1", f, nations}, {"p2", f, nations}}}, err
}

// readForm turns a form into a registration that the register accepts. What is
// wrong is in the form's errors.
func (h routes) readForm(c echo.Context) (web.Form, *vc.Birth, []byte, error) {
	v, err := sent(c)
	if err != nil {
		return web.Form{}, nil, nil, err
	}
	if !slices.Contains(situations, v.Get("case")) {
		return web.Form{}, nil, nil, errForm
	}
	f := web.Form{Values: v}
	b, where := birthOf(&f, h.DID())
	raw, err := json.Marshal(b)
	if err != nil {
		return f, nil, nil, err
	}
	checked, err := issuer.CheckBirth(raw, time.Now())
	if err := blame(&f, err, where); err != nil {
		return f, nil, nil, err
	}
	return f, checked, raw, nil
}

// checkBirth shows what would be registered, to be read once more.
func (h routes) checkBirth(c echo.Context, s account.Session) error {
	f, b, _, err := h.readForm(c)
	if err != nil {
		return err
	}
	if !f.Good() {
		return h.birthForm(c, s, f, http.StatusUnprocessableEntity)
	}
	_, noLatin := issuer.BorderBirth(b, b.ChildRef)
	return h.show(c, web.View{Page: "registrar/birth-check", Title: "registrar.check-title", Scripts: scripts, Data: map[string]any{
		"Lines": h.birthLines(c, b), "Sent": carried(f.Values), "Second": issuer.BirthNeedsApproval(b), "NoLatin": noLatin != nil, "Draft": h.draft(s), "Key": f.Values.Get("key"),
	}})
}

// registerBirth registers. A form that is sent again comes to the same record.
func (h routes) registerBirth(c echo.Context, s account.Session) error {
	f, _, raw, err := h.readForm(c)
	if err != nil {
		return err
	}
	if !f.Good() {
		return h.birthForm(c, s, f, http.StatusUnprocessableEntity)
	}
	o, err := h.RegisterBirth(c.Request().Context(), caller(s), raw, f.Values.Get("key"))
	switch {
	case errors.Is(err, issuer.ErrIdempotency), errors.Is(err, issuer.ErrBirthExists):
		f.Wrong("", "registrar.wrong.sent-before")
		return h.birthForm(c, s, f, http.StatusConflict)
	case err != nil:
		return err
	}
	return c.Redirect(http.StatusSeeOther, "/app/births/"+url.PathEscape(o.ID)+"?done=registered")
}

// hidden is one answer that a page carries along.
type hidden struct{ Name, Value string }

// carried lists the answers of a form in a steady order.
func carried(v url.Values) []hidden {
	var out []hidden
	for name, values := range v {
		for _, x := range values {
			if x != "" {
				out = append(out, hidden{name, x})
			}
		}
	}
	slices.SortStableFunc(out, func(a, b hidden) int {
		if a.Name < b.Name {
			return -1
		} else if a.Name > b.Name {
			return 1
		}
		return 0
	})
	return out
}

// nextChild begins the form for the next child of a birth of several: all that
// the children share is there, what tells them apart is to be filled in.
func nextChild(r issuer.Record) (url.Values, error) {
	var b vc.Birth
	if err := json.Unmarshal(r.Record, &b); err != nil {
		return nil, err
	}
	if b.MultipleBirth == nil {
		return nil, issuer.ErrNoSuchBirth
	}
	v := valuesOf(&b)
	for _, name := range []string{"given", "full", "mrz-given"} {
		for _, n := range []string{"child-", "child2-", "child3-"} {
			v.Del(n + name)
		}
	}
	for _, name := range []string{"sex", "number", "doc-type", "doc-number", "doc-issuer", "born-time", "order"} {
		v.Del(name)
	}
	if o := b.MultipleBirth.Order; o > 0 && o < b.MultipleBirth.Plurality {
		v.Set("order", strconv.Itoa(o+1))
	}
	return v, nil
}
