package registrar

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/web"
)

// guardianshipOf reads the form of a guardianship of the child with this
// reference. state is who countersigns for the State where that is ticked.
func guardianshipOf(f *web.Form, childRef, state string) (*vc.Guardianship, []where) {
	a := &answers{Form: f}
	a.at("", "")
	g := &vc.Guardianship{Ward: vc.Ward{ChildRef: childRef}, Role: a.get("role"), Powers: f.Values["powers"], Exercise: vc.Exercise{Mode: a.get("mode")}}
	a.at("/role", "role")
	a.at("/powers", "powers")
	if len(g.Powers) == 0 {
		a.Wrong("powers", "registrar.wrong.power-needed")
	}
	a.guardian(g)
	a.basis(g, state)
	a.exercise(g)
	a.constraints(g)
	g.Effective = vc.Effective{From: a.date("from"), Until: a.date("until"), ReviewBy: a.date("review")}
	if g.Effective.From == "" && !a.wrong("from") {
		a.Wrong("from", "registrar.wrong.date-needed")
	}
	a.at("/effective/from", "from")
	a.at("/effective/until", "until")
	a.at("/effective/reviewBy", "review")
	g.Termination = vc.Termination{MajorityAge: a.number("age"), MajorityLaw: a.needed("age-law", "registrar.wrong.country")}
	a.at("/termination/majorityAge", "age")
	a.at("/termination/majorityLaw", "age-law")
	return g, a.where
}

func (a *answers) guardian(g *vc.Guardianship) {
	p := vc.Guardian{Kind: a.get("g-kind")}
	a.at("/guardian", "g-family")
	a.at("/guardian/kind", "g-kind")
	if p.Kind == "naturalPerson" {
		p.Names = a.names("/guardian", "g", "known")
		if value, precision := a.partOfDate("g-born"); value != "" {
			p.BirthDate = &vc.UncertainDate{Value: value, Precision: precision, Basis: "documentary"}
		}
		a.at("/guardian/birthDate", "g-born")
		p.Documents = a.document("/guardian/documents")
		if len(p.Names) == 0 {
			a.Wrong("g-family", "registrar.wrong.name-needed")
		}
	} else {
		a.at("/guardian/names", "g-name")
		name := vc.Name{Kind: "legal", Full: a.needed("g-name", "registrar.wrong.name-needed")}
		if name.Script = scriptOf(name.Full); name.Full != "" {
			p.Names = []vc.Name{name}
		}
	}
	g.Guardian = p
}

func (a *answers) basis(g *vc.Guardianship, state string) {
	g.LegalBasis = vc.LegalBasis{Type: a.get("basis"), Law: a.needed("law", "registrar.wrong.country"), Authority: a.get("authority"),
		Reference: a.get("reference"), DecidedOn: a.date("decided")}
	for path, field := range map[string]string{"": "role", "/law": "law", "/authority": "authority", "/reference": "reference", "/decidedOn": "decided",
		"/finality": "finality", "/countersignedBy": "countersigned", "/hague1993Art23": "hague"} {
		a.at("/legalBasis"+path, field)
	}
	if g.LegalBasis.DecidedOn != "" {
		g.LegalBasis.Finality = a.get("finality")
	}
	yes := true
	for _, v := range a.Values["hague"] {
		switch v {
		case "1996":
			g.LegalBasis.Hague1996Art40 = &yes
		case "1993":
			g.LegalBasis.Hague1993Art23 = &yes
		}
	}
	if g.LegalBasis.Type == "humanitarianMandate" && a.get("countersigned") == "yes" {
		g.LegalBasis.CountersignedBy = state
	}
}

func (a *answers) exercise(g *vc.Guardianship) {
	if g.Exercise.Mode == "joint" {
		g.Exercise.JointFor = a.Values["joint-for"]
		g.Exercise.Quorum = a.number("quorum")
	}
	if g.Exercise.Mode != "sole" {
		g.Exercise.CoGuardianCount = a.number("count")
	}
	a.at("/exercise", "mode")
	a.at("/exercise/jointFor", "joint-for")
	a.at("/exercise/quorum", "quorum")
	a.at("/exercise/coGuardianCount", "count")
}

// constraints reads the conditions; none at all is no object.
func (a *answers) constraints(g *vc.Guardianship) {
	x := vc.Constraints{MaxAbsenceDays: a.number("absence"), Conditions: a.get("conditions")}
	for i := range 3 {
		n := strconv.Itoa(i + 1)
		if v := a.get("allowed-" + n); v != "" {
			a.at("/constraints/allowedCountries/"+strconv.Itoa(len(x.AllowedCountries)), "allowed-"+n)
			x.AllowedCountries = append(x.AllowedCountries, v)
		}
		if v := a.get("denied-" + n); v != "" {
			a.at("/constraints/deniedCountries/"+strconv.Itoa(len(x.DeniedCountries)), "denied-"+n)
			x.DeniedCountries = append(x.DeniedCountries, v)
		}
	}
	for _, v := range a.Values["limits"] {
		x.Supervised, x.NoRemoval = x.Supervised || v == "supervised", x.NoRemoval || v == "noRemoval"
	}
	a.at("/constraints", "limits")
	a.at("/constraints/conditions", "conditions")
	a.at("/constraints/maxAbsenceDays", "absence")
	if x.MaxAbsenceDays > 0 || x.Conditions != "" || x.AllowedCountries != nil || x.DeniedCountries != nil || x.Supervised || x.NoRemoval {
		g.Constraints = &x
	}
}

// valuesOfGuardianship gives the answers that make a guardianship.
func valuesOfGuardianship(g *vc.Guardianship) url.Values {
	l := g.LegalBasis
	v := url.Values{"g-kind": {g.Guardian.Kind}, "role": {g.Role}, "basis": {l.Type}, "law": {l.Law}, "authority": {l.Authority}, "reference": {l.Reference},
		"finality": {l.Finality}, "powers": g.Powers, "mode": {g.Exercise.Mode}, "joint-for": g.Exercise.JointFor, "age-law": {g.Termination.MajorityLaw},
		"age": {strconv.Itoa(g.Termination.MajorityAge)}}
	if g.Guardian.Kind == "naturalPerson" {
		setNames(v, "g", g.Guardian.Names)
	} else {
		v.Set("g-name", nameOf(g.Guardian.Names))
	}
	if g.Guardian.BirthDate != nil {
		setDate(v, "g-born", *g.Guardian.BirthDate)
	}
	if len(g.Guardian.Documents) > 0 {
		d := g.Guardian.Documents[0]
		v.Set("doc-type", d.Type)
		v.Set("doc-number", d.Value)
		v.Set("doc-issuer", d.Issuer)
	}
	if l.Hague1996Art40 != nil && *l.Hague1996Art40 {
		v.Add("hague", "1996")
	}
	if l.Hague1993Art23 != nil && *l.Hague1993Art23 {
		v.Add("hague", "1993")
	}
	if l.CountersignedBy != "" {
		v.Set("countersigned", "yes")
	}
	for name, n := range map[string]int{"count": g.Exercise.CoGuardianCount, "quorum": g.Exercise.Quorum} {
		if n > 0 {
			v.Set(name, strconv.Itoa(n))
		}
	}
	if x := g.Constraints; x != nil {
		setConstraints(v, x)
	}
	setDay(v, "decided", l.DecidedOn)
	setDay(v, "from", g.Effective.From)
	setDay(v, "until", g.Effective.Until)
	setDay(v, "review", g.Effective.ReviewBy)
	return v
}

func setConstraints(v url.Values, x *vc.Constraints) {
	v.Set("conditions", x.Conditions)
	if x.MaxAbsenceDays > 0 {
		v.Set("absence", strconv.Itoa(x.MaxAbsenceDays))
	}
	for i, code := range x.AllowedCountries[:min(3, len(x.AllowedCountries))] {
		v.Set("allowed-"+strconv.Itoa(i+1), code)
	}
	for i, code := range x.DeniedCountries[:min(3, len(x.DeniedCountries))] {
		v.Set("denied-"+strconv.Itoa(i+1), code)
	}
	if x.Supervised {
		v.Add("limits", "supervised")
	}
	if x.NoRemoval {
		v.Add("limits", "noRemoval")
	}
}

// guardianshipLines writes a guardianship as it is read at the desk.
func (h routes) guardianshipLines(c echo.Context, g *vc.Guardianship) []line {
	r := h.reader(c)
	r.names(r.say("registrar.guardian"), g.Guardian.Names)
	r.add(r.say("registrar.guardian-kind"), r.choice("registrar.kind-", g.Guardian.Kind))
	r.add(r.say("registrar.guardian-role"), r.choice("registrar.role-", g.Role))
	if g.Guardian.BirthDate != nil {
		r.add(r.say("registrar.born"), r.uncertain(*g.Guardian.BirthDate))
	}
	for _, d := range g.Guardian.Documents {
		r.document(d)
	}
	l := g.LegalBasis
	r.add(r.say("registrar.legal-basis"), r.choice("registrar.legal-", l.Type), r.Country(l.Law))
	decided := ""
	if l.DecidedOn != "" {
		decided = r.day(l.DecidedOn)
	}
	r.add(r.say("registrar.decision"), l.Authority, l.Reference, decided, r.choice("registrar.finality-", l.Finality))
	var more []string
	if l.Hague1996Art40 != nil && *l.Hague1996Art40 {
		more = append(more, r.say("registrar.hague-1996"))
	}
	if l.Hague1993Art23 != nil && *l.Hague1993Art23 {
		more = append(more, r.say("registrar.hague-1993"))
	}
	if l.CountersignedBy != "" {
		more = append(more, r.say("registrar.countersigned-yes"))
	}
	r.add(r.say("registrar.hague"), more...)
	r.add(r.say("registrar.powers"), r.each("registrar.power-", g.Powers)...)
	r.mode(g.Exercise)
	r.limits(g.Constraints)
	r.period(g)
	return r.lines
}

func (r *reader) each(prefix string, values []string) (out []string) {
	for _, v := range values {
		out = append(out, r.choice(prefix, v))
	}
	return out
}

func (r *reader) mode(x vc.Exercise) {
	values := []string{r.choice("registrar.mandate-", x.Mode)}
	if x.CoGuardianCount > 1 {
		values = append(values, r.say("registrar.count-is", "count", x.CoGuardianCount))
	}
	if x.Quorum > 0 {
		values = append(values, r.say("registrar.quorum-is", "count", x.Quorum))
	}
	if len(x.JointFor) > 0 {
		values = append(values, r.say("registrar.joint-for")+": "+strings.Join(r.each("registrar.power-", x.JointFor), ", "))
	}
	r.add(r.say("registrar.mandate"), values...)
}

func (r *reader) limits(x *vc.Constraints) {
	if x == nil {
		return
	}
	lands := func(codes []string) string {
		var out []string
		for _, c := range codes {
			out = append(out, r.Country(c))
		}
		return strings.Join(out, ", ")
	}
	var values []string
	if x.NoRemoval {
		values = append(values, r.say("registrar.limit-noRemoval"))
	}
	if x.Supervised {
		values = append(values, r.say("registrar.limit-supervised"))
	}
	if x.MaxAbsenceDays > 0 {
		values = append(values, r.say("registrar.absence-is", "days", x.MaxAbsenceDays))
	}
	r.add(r.say("registrar.limits"), append(values, x.Conditions)...)
	r.add(r.say("registrar.allowed"), lands(x.AllowedCountries))
	r.add(r.say("registrar.denied"), lands(x.DeniedCountries))
}

func (r *reader) period(g *vc.Guardianship) {
	r.add(r.say("registrar.from"), r.day(g.Effective.From))
	r.add(r.say("registrar.until"), r.day(g.Effective.Until))
	r.add(r.say("registrar.review"), r.day(g.Effective.ReviewBy))
	r.add(r.say("registrar.age"), r.say("registrar.age-is", "age", g.Termination.MajorityAge, "country", r.Country(g.Termination.MajorityLaw)))
}
