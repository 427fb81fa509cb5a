package guardian

import (
	"strings"
	"time"

	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/wallet"
)

// clause is a part of what a consent says, in short sentences. Step is the page
// of the journey on which it was answered.
type clause struct {
	Step  string
	Lines []string
}

// clauses says what a consent allows, in the reader's language: everything that
// is signed, since this is what people agree to.
func (w words) clauses(t wallet.Terms, until time.Time) []clause {
	child := w.alone(t.Child)
	if t.Child == "" {
		child = w.say("guardian.paper.say.child")
	}
	trip := w.say("guardian.paper.say.trip", "child", child, "from", w.country(t.Trip.DepartFrom), "to", w.countries(t.Trip.Destinations))
	if t.Born.Precision != "" {
		child = w.say("guardian.paper.say.born", "child", child, "date", w.uncertain(t.Born))
	}
	where := []string{trip}
	if len(t.Trip.Transit) > 0 {
		where = append(where, w.say("guardian.paper.say.through", "countries", w.countries(t.Trip.Transit)))
	}
	if t.NoRemoval {
		where = append(where, w.say("guardian.paper.say.no-removal"))
	}
	out := []clause{{"child", []string{child}}, {"who", w.company(t)}, {"where", where}, {"when", w.when(t, until)}}
	if r := t.Receiver; r != nil {
		out = append(out, clause{"stay", []string{w.receiver(r)}})
	}
	return append(out, clause{"more", w.rest(t)})
}

// sentences gives the clauses one after the other.
func sentences(clauses []clause) []string {
	var out []string
	for _, c := range clauses {
		out = append(out, c.Lines...)
	}
	return out
}

// company says with whom the child travels.
func (w words) company(t wallet.Terms) []string {
	switch {
	case t.Mode == vc.ModeAlone:
		return []string{w.say("guardian.paper.say.alone")}
	case t.Mode == vc.ModeOneGuardian && len(t.Adults) == 0:
		return []string{w.say("guardian.paper.say.guardian")}
	}
	var out []string
	for i, a := range t.Adults {
		who := w.adult(a)
		switch {
		case i > 0:
			who = w.say("guardian.paper.say.or", "adult", who)
		case t.Mode == vc.ModeGroup:
			who = w.say("guardian.paper.say.group", "adult", who)
		default:
			who = w.say("guardian.paper.say.with", "adult", who)
		}
		out = append(out, who)
		for _, other := range a.Others {
			out = append(out, w.say("guardian.paper.say.other-name", "name", w.alone(other)))
		}
	}
	return out
}

// adult describes a person as a border tells people apart.
func (w words) adult(a wallet.Adult) string {
	parts := []string{w.alone(a.Name)}
	if a.Name == "" {
		parts = []string{w.say("guardian.paper.say.somebody")}
	}
	if a.Relation != "" && a.Relation != "other" {
		parts = append(parts, w.known("guardian.paper.relation.", a.Relation))
	}
	if a.Born != nil {
		parts = append(parts, w.say("guardian.paper.say.adult-born", "date", w.uncertain(*a.Born)))
	}
	if d := a.Document; d != nil {
		text := w.known("guardian.paper.document.", d.Type) + " " + w.alone(d.Value)
		if d.Issuer != "" {
			text += " (" + w.country(d.Issuer) + ")"
		}
		parts = append(parts, text)
	}
	return w.listed(parts)
}

func (w words) receiver(r *vc.Receiver) string {
	parts := []string{}
	for _, s := range []string{r.Name, r.Address, r.Contact} {
		if s != "" {
			parts = append(parts, w.alone(s))
		}
	}
	if len(parts) == 0 {
		parts = append(parts, w.say("guardian.paper.say.somebody"))
	}
	return w.say("guardian.paper.say.stay", "who", w.listed(parts))
}

func (w words) when(t wallet.Terms, until time.Time) []string {
	var out []string
	if t.Trip.NotAfter == "" {
		out = append(out, w.say("guardian.paper.say.from", "from", w.date(t.Trip.NotBefore)), w.say("guardian.paper.say.no-end", "date", w.day(until)))
	} else {
		out = append(out, w.say("guardian.paper.say.from-until", "from", w.date(t.Trip.NotBefore), "until", w.date(t.Trip.NotAfter)))
	}
	if t.Trip.ReturnBy != "" {
		out = append(out, w.say("guardian.paper.say.back", "date", w.date(t.Trip.ReturnBy)))
	}
	switch n := t.Trip.Crossings; n {
	case 0, 2:
		out = append(out, w.say("guardian.paper.say.both-ways"))
	case 1:
		out = append(out, w.say("guardian.paper.say.one-way"))
	default:
		out = append(out, w.say("guardian.paper.say.crossings", "number", n))
	}
	return out
}

// rest says why the child travels and what is allowed beside the journey.
func (w words) rest(t wallet.Terms) []string {
	var out []string
	if t.Trip.Purpose != "" && t.Trip.Purpose != "other" {
		out = append(out, w.say("guardian.paper.say.reason", "reason", w.known("guardian.paper.purpose.", t.Trip.Purpose)))
	}
	if t.Trip.CarrierRef != "" {
		out = append(out, w.say("guardian.paper.say.carrier", "number", w.alone(t.Trip.CarrierRef)))
	}
	if t.Settle {
		out = append(out, w.say("guardian.paper.say.settle"))
	} else {
		out = append(out, w.say("guardian.paper.say.no-settle"))
	}
	switch t.Medical {
	case "emergency":
		out = append(out, w.say("guardian.paper.say.doctor-emergency"))
	case "full":
		out = append(out, w.say("guardian.paper.say.doctor-full"))
	default:
		out = append(out, w.say("guardian.paper.say.doctor-none"))
	}
	return out
}

func (w words) country(code string) string { return w.site.Country(w.r, code) }

func (w words) countries(codes []string) string {
	var names []string
	for _, c := range codes {
		names = append(names, w.country(c))
	}
	if n := len(names); n > 1 {
		return w.say("guardian.paper.say.and", "first", w.listed(names[:n-1]), "last", names[n-1])
	}
	return w.listed(names)
}

// listed puts parts one after the other, with the comma of the language.
func (w words) listed(parts []string) string {
	comma := ", "
	if w.site.Language(w.r) == "ar" {
		comma = "، "
	}
	return strings.Join(parts, comma)
}

// alone keeps a name or number from turning the writing direction of the
// sentence that it stands in.
func (w words) alone(s string) string { return "\u2068" + s + "\u2069" }
