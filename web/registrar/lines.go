package registrar

import (
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/issuer"
	"github.com/kinpass/kinpass/web"
)

// line is one question and its answer as it is read.
type line struct {
	Label  string // as it is to be read
	Values []string
}

// reader writes a record in the visitor's language.
type reader struct {
	*web.Messages
	lines []line
}

func (h routes) reader(c echo.Context) *reader {
	return &reader{Messages: h.pages.Site().Speak(c.Request())}
}

// say gives a message; a missing one shows its key.
func (r *reader) say(key string, args ...any) string {
	s, err := r.Text(key, args...)
	if err != nil {
		return key
	}
	return s
}

// add adds a line unless it says nothing.
func (r *reader) add(label string, values ...string) {
	l := line{Label: label}
	for _, v := range values {
		if v != "" {
			l.Values = append(l.Values, v)
		}
	}
	if len(l.Values) > 0 {
		r.lines = append(r.lines, l)
	}
}

// choice gives the words of one of several values, "" for none.
func (r *reader) choice(prefix, value string) string {
	if value == "" {
		return ""
	}
	return r.say(prefix + value)
}

// birthLines writes a birth as it is read at the desk.
func (h routes) birthLines(c echo.Context, b *vc.Birth) []line {
	r := h.reader(c)
	r.add(r.say("registrar.circumstance"), r.choice("registrar.circumstance-", b.Circumstance))
	r.names(r.say("registrar.child-name"), b.Names)
	if border, err := issuer.BorderBirth(b, b.ChildRef); err == nil && len(border.Names) > 0 && border.Names[0].MRZ != nil {
		m := border.Names[0].MRZ
		r.add(r.say("registrar.mrz"), strings.TrimSuffix(m.Primary+"<<"+m.Secondary, "<<"))
	}
	r.add(r.say("registrar.born"), r.uncertain(b.BirthDate), b.TimeOfBirth)
	r.add(r.say("registrar.born-basis"), r.choice("registrar.basis-", b.BirthDate.Basis))
	r.add(r.say("registrar.sex"), r.say("registrar.sex-"+strconv.Itoa(b.Sex)))
	p := b.PlaceOfBirth
	place := []string{p.FacilityID, p.Locality, p.AdminArea}
	if p.Country != "" {
		place = append(place, r.Country(p.Country))
	}
	r.add(r.say("registrar.place-"+known(p.Status)), joined(place...), r.choice("registrar.facility-", p.FacilityType))
	if p.Status == "unknown" {
		r.add(r.say("registrar.place-known"), r.say("registrar.place-unknown"))
	}
	if m := b.MultipleBirth; m != nil {
		order := ""
		if m.Order > 0 {
			order = r.say("registrar.order-is", "order", m.Order)
		}
		r.add(r.say("registrar.plurality"), strconv.Itoa(m.Plurality), order)
	}
	for _, x := range b.Parentage {
		r.parent(x)
	}
	g := b.Registration
	r.add(r.say("registrar.number"), g.Number)
	r.add(r.say("registrar.registered"), r.day(g.Date), r.choice("registrar.mode-", g.Mode))
	r.add(r.say("registrar.office"), g.Office)
	r.add(r.say("registrar.informant"), r.choice("registrar.informant-", g.Informant))
	for _, d := range b.TravelDocuments {
		r.document(d)
	}
	return r.lines
}

// known gives the status of a place, which may be left out.
func known(status string) string {
	if status == "foundAt" {
		return status
	}
	return "known"
}

func (r *reader) document(d vc.Identifier) {
	by := ""
	if d.Issuer != "" {
		by = r.Country(d.Issuer)
	}
	r.add(r.choice("registrar.document-", d.Type), d.Value, by)
}

func (r *reader) parent(x vc.Parent) {
	label := r.choice("registrar.role-", x.Role)
	if len(x.Names) == 0 {
		r.add(label, r.say("registrar.parent-"+x.Status))
		return
	}
	r.names(label, x.Names)
	more := []string{}
	if x.Status != "known" {
		more = append(more, r.say("registrar.parent-"+x.Status))
	}
	if x.Filiation != "" {
		more = append(more, r.say("registrar.filiation")+": "+r.choice("registrar.filiation-", x.Filiation))
	}
	if x.BirthDate != nil {
		more = append(more, r.say("registrar.born-on", "date", r.uncertain(*x.BirthDate)))
	}
	for _, n := range x.Nationality {
		more = append(more, r.Country(n))
	}
	last := &r.lines[len(r.lines)-1]
	for _, m := range more {
		if m != "" {
			last.Values = append(last.Values, m)
		}
	}
}

// names writes every name of a person.
func (r *reader) names(label string, names []vc.Name) {
	var values []string
	for _, n := range names {
		values = append(values, r.name(n))
	}
	r.add(label, values...)
}

func (r *reader) name(n vc.Name) string {
	s := plainName(n)
	if n.Kind == "former" && s != "" {
		s += " – " + r.say("registrar.name-former")
	}
	switch n.Status {
	case "unnamed":
		if s == "" {
			return r.say("registrar.name-unnamed")
		}
		return s + " – " + r.say("registrar.name-unnamed")
	case "provisional":
		return s + " – " + r.say("registrar.name-provisional")
	}
	return s
}

// plainName writes given names and family names in this order.
func plainName(n vc.Name) string {
	if n.Full != "" {
		return n.Full
	}
	return strings.TrimSpace(strings.Join(n.Given, " ") + " " + strings.Join(n.Family, " "))
}

// uncertain writes a date as far as it is known.
func (r *reader) uncertain(u vc.UncertainDate) string {
	switch u.Precision {
	case "range":
		return r.say("registrar.born-between", "earliest", r.day(u.Earliest), "latest", r.day(u.Latest))
	case "unknown", "":
		return r.say("registrar.born-unknown")
	}
	return r.day(u.Value)
}

// day writes a date, or the year and month of it that are known.
func (r *reader) day(value string) string {
	if t, err := time.Parse(time.DateOnly, value); err == nil {
		if s, err := r.Day(t); err == nil {
			return s
		}
	}
	if t, err := time.Parse("2006-01", value); err == nil {
		return r.say("month."+strconv.Itoa(int(t.Month()))) + " " + strconv.Itoa(t.Year())
	}
	return value
}

// joined writes what there is of a place, the nearest first.
func joined(parts ...string) string {
	var out []string
	for _, p := range parts {
		if p != "" {
			out = append(out, p)
		}
	}
	return strings.Join(out, ", ")
}
