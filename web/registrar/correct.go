package registrar

import (
	"encoding/json"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/kinpass/kinpass/internal/account"
	"github.com/kinpass/kinpass/internal/icao"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/issuer"
	"github.com/kinpass/kinpass/web"
)

// correcting is giving a record its next version.
var correcting = part{
	routes: func(h routes, e *echo.Group) {
		for kind, place := range places {
			at := "/app/" + place + "/:id/correct"
			e.GET(at, h.pages.For(h.correctPage(kind), correctors[kind]...))
			e.POST(at, h.pages.For(h.correct(kind), correctors[kind]...))
			e.GET(at+"/done", h.pages.For(h.acted(kind, issuer.ActCorrect), correctors[kind]...))
		}
	},
}

// correctors are the roles that correct a kind of record.
var correctors = map[string][]string{issuer.KindBirth: {issuer.RoleRegistrar}, issuer.KindGuardianship: readers}

// amendments are why a birth is corrected.
var amendments = []string{"clericalCorrection", "nameChange", "parentAdded", "parentRemoved", "dateDetermined", "sexMarker", "simpleAdoption", "plenaryAdoption", "protectionIdentity"}

// correction is a record on its way to its next version.
type correction struct {
	kind   string
	record issuer.Record
	about  about
	birth  *vc.Birth // the child's, as it is
	guard  *vc.Guardianship
	form   web.Form
	data   map[string]any
}

func (h routes) correction(c echo.Context, s account.Session, kind string) (*correction, error) {
	r, about, err := h.record(c, s, kind, c.Param("id"))
	if err != nil {
		return nil, err
	}
	x := &correction{kind: kind, record: r, about: about, birth: &vc.Birth{}}
	if kind == issuer.KindBirth {
		return x, json.Unmarshal(r.Record, x.birth)
	}
	if _, x.birth, err = h.ward(c, s, r.Birth); err != nil {
		return nil, err
	}
	x.guard = &vc.Guardianship{}
	return x, json.Unmarshal(r.Record, x.guard)
}

// values gives the form as the record fills it in.
func (x *correction) values() url.Values {
	if x.kind == issuer.KindGuardianship {
		return valuesOfGuardianship(issuer.WithParentNames(x.guard, x.birth))
	}
	v := valuesOf(x.birth)
	v.Set("ref", x.birth.ChildRef)
	return v
}

func (h routes) correctPage(kind string) account.Handler {
	return func(c echo.Context, s account.Session) error {
		x, err := h.correction(c, s, kind)
		if err != nil {
			return err
		}
		standing, err := h.actionsFor(c, s, kind, x.record.ID)
		if err != nil {
			return err
		}
		waits := slices.ContainsFunc(standing.Waiting, func(a issuer.Approval) bool { return strings.HasPrefix(a.Kind, issuer.ActCorrect) })
		if _, ok := standing.May(issuer.ActCorrect); !ok || waits {
			return h.show(c, web.View{Page: "registrar/no-act", Title: "registrar.act.none", Styles: officeStyles, Status: http.StatusConflict,
				Data: map[string]any{"About": x.about, "Actions": standing}})
		}
		x.form.Values = x.values()
		today(x.form.Values, "amended")
		x.form.Values.Set("key", newRef())
		return h.correctForm(c, x, http.StatusOK)
	}
}

func (h routes) correctForm(c echo.Context, x *correction, status int) (err error) {
	if x.kind == issuer.KindBirth {
		x.data, err = h.birthData(c, x.form)
	} else {
		x.form.Values.Set("basis", x.guard.LegalBasis.Type)
		x.data, err = h.guardianshipData(c, x.form, false)
	}
	if err != nil {
		return err
	}
	x.data["Kind"], x.data["About"], x.data["Amendments"] = x.kind, x.about, h.amendmentOptions(c)
	return h.show(c, web.View{Page: "registrar/correct", Title: "registrar.act.title.correct", Form: x.form, Status: status, Scripts: scripts, Styles: officeStyles, Data: x.data})
}

func (h routes) amendmentOptions(c echo.Context) []web.Option {
	out := []web.Option{{Label: h.text(c, "registrar.choose")}}
	for _, a := range amendments {
		out = append(out, web.Option{Value: a, Label: h.text(c, h.known("registrar.correct.reason-", a))})
	}
	return out
}

// correct reads the form, shows what would change, and, when that was seen, does
// it.
func (h routes) correct(kind string) account.Handler {
	return func(c echo.Context, s account.Session) error {
		x, err := h.correction(c, s, kind)
		if err != nil {
			return err
		}
		v, err := sent(c)
		if err != nil {
			return err
		}
		sure := v.Get("sure") != ""
		v.Del("sure")
		x.form = web.Form{Values: v}
		next, where, was, is, err := h.next(c, x)
		if err != nil {
			return err
		}
		raw, err := json.Marshal(next)
		if err != nil {
			return err
		}
		if err := blame(&x.form, x.check(raw), where); err != nil {
			return err
		}
		if x.form.Good() && slices.EqualFunc(was, is, func(a, b line) bool { return a.Label == b.Label && slices.Equal(a.Values, b.Values) }) {
			x.form.Wrong("", "registrar.correct.nothing")
		}
		if !x.form.Good() || v.Has("edit") {
			v.Del("edit")
			status := http.StatusOK
			if !x.form.Good() {
				status = http.StatusUnprocessableEntity
			}
			return h.correctForm(c, x, status)
		}
		if !sure {
			second := kind == issuer.KindGuardianship
			if b, ok := next.(*vc.Birth); ok {
				second = issuer.CorrectionNeedsApproval(x.birth, b)
			}
			return h.show(c, web.View{Page: "registrar/correct-check", Title: "registrar.check-title", Styles: officeStyles,
				Data: map[string]any{"About": x.about, "Pairs": sideBySide(is, was), "Sent": carried(v), "Second": second, "Kind": kind}})
		}
		do := h.CorrectBirth
		if kind == issuer.KindGuardianship {
			do = h.CorrectGuardianship
		}
		o, err := do(c.Request().Context(), caller(s), x.record.ID, raw, v.Get("key"))
		if err == nil {
			to := placeOf(kind, x.record.ID) + "/correct/done"
			if o.Approval != "" {
				to += "?waits=1"
			}
			return c.Redirect(http.StatusSeeOther, to)
		}
		if !mendable(err) {
			return err
		}
		if err := blame(&x.form, err, where); err != nil {
			h.blameAct(c, &x.form, err, "")
		}
		return h.correctForm(c, x, http.StatusUnprocessableEntity)
	}
}

// check asks the register's rules about a new version.
func (x *correction) check(raw []byte) error {
	if x.kind == issuer.KindBirth {
		b, err := issuer.CheckBirth(raw, time.Now())
		if err != nil {
			return err
		}
		return issuer.CheckCorrection(x.birth, b)
	}
	g, err := issuer.CheckGuardianship(raw, time.Now())
	if err != nil {
		return err
	}
	if err := issuer.CheckGuardianshipCorrection(x.guard, g); err != nil {
		return err
	}
	return issuer.CheckWard(g, x.birth, time.Now())
}

// next makes the new version out of the form. What the form shows and nobody
// changed stays as the record has it, with all that the form does not show.
func (h routes) next(c echo.Context, x *correction) (next any, places []where, was, is []line, err error) {
	before := web.Form{Values: x.values()}
	if x.kind == issuer.KindGuardianship {
		x.form.Values.Set("basis", x.guard.LegalBasis.Type)
		said, _ := guardianshipOf(&before, x.guard.Ward.ChildRef, h.DID())
		g, at := guardianshipOf(&x.form, x.guard.Ward.ChildRef, h.DID())
		g.Ward = x.guard.Ward
		keep(g, said, x.guard)
		if g.Guardian.PersonRef == "" {
			g.Guardian.PersonRef = x.guard.Guardian.PersonRef
		}
		return g, at, h.guardianshipLines(c, x.guard), h.guardianshipLines(c, g), nil
	}
	x.form.Values.Set("ref", x.birth.ChildRef)
	said, _ := birthOf(&before, x.birth.Registration.Authority)
	b, at := birthOf(&x.form, x.birth.Registration.Authority)
	newNames(b, said, x.birth)
	for n := range b.Parentage {
		if n < len(said.Parentage) && n < len(x.birth.Parentage) {
			if reflect.DeepEqual(b.Parentage[n], said.Parentage[n]) {
				b.Parentage[n] = x.birth.Parentage[n]
			} else if b.Parentage[n].Role == x.birth.Parentage[n].Role {
				b.Parentage[n].PersonRef = x.birth.Parentage[n].PersonRef
			}
		}
	}
	keep(b, said, x.birth)
	b.Circumstance, b.Portrait = x.birth.Circumstance, x.birth.Portrait
	b.ChildRef, b.RecordVersion = x.birth.ChildRef, x.birth.RecordVersion+1
	a := &answers{Form: &x.form}
	b.Amendment = &vc.Amendment{Reason: a.needed("amendment", "registrar.correct.wrong-reason"), Effective: a.date("amended"), Sealed: a.get("sealed") != ""}
	if b.Amendment.Effective == "" && !a.wrong("amended") {
		a.Wrong("amended", "registrar.wrong.date-needed")
	}
	if b.Amendment.Sealed {
		b.RecordVersion = 1
	}
	if b.Amendment.Reason == "nameChange" {
		b.Names = append(b.Names, formerly(x.birth, b)...)
	}
	at = append(at, where{"/amendment", "amendment"}, where{"/amendment/effective", "amended"}, where{"/amendment/sealed", "sealed"})
	return b, at, h.birthLines(c, x.birth), h.birthLines(c, b), nil
}

// keep puts back, field by field, what the form did not change: it says now what
// the record made it say.
func keep(now, said, old any) {
	n, s, o := reflect.ValueOf(now).Elem(), reflect.ValueOf(said).Elem(), reflect.ValueOf(old).Elem()
	for i := range n.NumField() {
		if reflect.DeepEqual(n.Field(i).Interface(), s.Field(i).Interface()) {
			n.Field(i).Set(o.Field(i))
		}
	}
}

// newNames writes the machine-readable form of a name that was changed anew where
// it was left as it was; without one where the standard has none.
//
// The form knows three names and calls them legal: each keeps its kind and
// language, and those that it does not show stay.
func newNames(b, said, old *vc.Birth) {
	if reflect.DeepEqual(b.Names, said.Names) {
		return // which keep puts back
	}
	for n := range b.Names {
		if n >= len(old.Names) || b.Names[n].Script != old.Names[n].Script {
			continue
		}
		if n < len(said.Names) && reflect.DeepEqual(b.Names[n], said.Names[n]) && n > 0 {
			b.Names[n] = old.Names[n]
			continue
		}
		b.Names[n].Kind, b.Names[n].Lang = old.Names[n].Kind, old.Names[n].Lang
	}
	b.Names = append(b.Names, old.Names[min(len(old.Names), 3):]...)
	if len(b.Names) == 0 || len(said.Names) == 0 || b.Names[0].MRZ == nil || said.Names[0].MRZ == nil {
		return
	}
	a, z := b.Names[0], said.Names[0]
	if *a.MRZ == *z.MRZ && (plainName(a) != plainName(z)) {
		b.Names[0].MRZ = nil
		primary, secondary, err := icao.Name{Family: a.Family, Given: a.Given, Full: a.Full, Script: a.Script, Lang: old.Names[0].Lang}.Identifiers()
		if err == nil {
			b.Names[0].MRZ = &vc.MRZ{Primary: primary, Secondary: secondary, Source: "issuerTransliterated"}
		}
	}
}

// formerly keeps the names that a change of name replaces: passports lag behind.
func formerly(old, now *vc.Birth) []vc.Name {
	var out []vc.Name
	for _, n := range old.Names {
		same := func(m vc.Name) bool { return m.Script == n.Script && plainName(m) == plainName(n) }
		if n.Kind == "legal" && n.Status != "unnamed" && plainName(n) != "" && !slices.ContainsFunc(now.Names, same) {
			n.Kind = "former"
			out = append(out, n)
		}
	}
	return out
}
