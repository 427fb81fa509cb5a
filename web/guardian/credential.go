package guardian

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/kinpass/kinpass/internal/account"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/wallet"
)

// fact is one thing that a credential says: what about, and what.
type fact struct {
	Label string
	Texts []string
}

// paper is what a guardian takes for one document: the copies of it that the
// wallet holds in several forms say the same.
type paper struct {
	Birth  bool
	State  string // of the copy that a border takes, or else of the best
	Until  string
	Office string
	Facts  []fact // everything that it says
	Border []fact // what an officer gets to see
	Copies []copyOf
	Logged bool // every copy for a border is shown to be in the public ledger
}

// copyOf is one form of a paper, for those who want to know.
type copyOf struct {
	wallet.Credential
	Until string
}

// documents puts a child's credentials together as documents: first the birth.
func (h routes) documents(c echo.Context, s account.Session, ids []string) ([]paper, error) {
	w := h.words(c.Request())
	birth, guard := paper{Birth: true}, paper{}
	for _, id := range ids {
		x, err := h.Credential(c.Request().Context(), owner(s), id)
		if err != nil {
			return nil, err
		}
		p := &guard
		if x.Type == vc.TypeBirth {
			p = &birth
		}
		p.add(w, x)
	}
	var out []paper
	for _, p := range []paper{birth, guard} {
		if len(p.Copies) > 0 {
			out = append(out, p)
		}
	}
	return out, nil
}

func (p *paper) add(w words, x wallet.Credential) {
	border := x.Profile == "border"
	until := w.day(x.ValidUntil)
	if p.State == "" || border {
		p.State, p.Until, p.Office, p.Logged = x.State, until, x.IssuerName, x.Logged
	}
	var facts []fact
	if p.Birth {
		var b vc.Birth
		if json.Unmarshal(x.Subject, &b) == nil {
			facts = w.birth(b)
		}
	} else {
		var g vc.Guardianship
		if json.Unmarshal(x.Subject, &g) == nil {
			facts = w.guardianship(g)
		}
	}
	if border {
		p.Border = facts
	}
	if len(facts) > len(p.Facts) || (x.Profile == "full" && len(facts) == len(p.Facts)) {
		p.Facts = facts
	}
	x.JWT = "" // not for a page
	p.Copies = append(p.Copies, copyOf{x, until})
}

// facts collects what is there.
type facts []fact

func (f *facts) say(label string, texts ...string) {
	var there []string
	for _, t := range texts {
		if t = strings.TrimSpace(t); t != "" {
			there = append(there, t)
		}
	}
	if len(there) > 0 {
		*f = append(*f, fact{label, there})
	}
}

// names gives the names of a person in each script.
func names(list []vc.Name) []string {
	var out []string
	for _, n := range list {
		text := n.Full
		if text == "" {
			text = strings.Join(append(append([]string{}, n.Given...), n.Family...), " ")
		}
		if text == "" && n.MRZ != nil {
			text = strings.TrimSpace(strings.ReplaceAll(n.MRZ.Secondary, "<", " ") + " " + strings.ReplaceAll(n.MRZ.Primary, "<", " "))
		}
		if text != "" {
			out = append(out, text)
		}
	}
	return out
}

func (w words) birth(b vc.Birth) []fact {
	var f facts
	f.say(w.say("guardian.fact.name"), names(b.Names)...)
	f.say(w.say("guardian.fact.born"), w.uncertain(b.BirthDate))
	f.say(w.say("guardian.fact.sex"), w.known("guardian.sex.", strconv.Itoa(b.Sex)))
	f.say(w.say("guardian.fact.place"), w.place(b.PlaceOfBirth))
	for _, p := range b.Parentage {
		who := names(p.Names)
		if p.Status != "known" || len(who) == 0 {
			who = append(who, w.known("guardian.parent-status.", p.Status))
		}
		f.say(w.known("guardian.parent.", p.Role), who...)
	}
	if m := b.MultipleBirth; m != nil {
		f.say(w.say("guardian.fact.siblings"), w.say("guardian.siblings", "count", m.Plurality))
	}
	f.say(w.say("guardian.fact.number"), b.Registration.Number)
	f.say(w.say("guardian.fact.registered"), w.date(b.Registration.Date))
	for _, d := range b.TravelDocuments {
		f.say(w.say("guardian.fact.document"), d.Value)
	}
	if b.Portrait != nil {
		f.say(w.say("guardian.fact.portrait"), w.say("guardian.portrait"))
	}
	return f
}

func (w words) place(p vc.Place) string {
	if p.Status == "unknown" {
		return w.say("guardian.not-known")
	}
	var parts []string
	for _, s := range []string{p.Locality, p.AdminArea} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	if p.Country != "" {
		parts = append(parts, w.country(p.Country))
	}
	return w.listed(parts)
}

func (w words) each(codes []string) []string {
	var out []string
	for _, c := range codes {
		out = append(out, w.country(c))
	}
	return out
}

func (w words) list(list string, values []string) []string {
	var out []string
	for _, v := range values {
		out = append(out, w.known(list, v))
	}
	return out
}

func (w words) guardianship(g vc.Guardianship) []fact {
	var f facts
	f.say(w.say("guardian.fact.guardian"), names(g.Guardian.Names)...)
	f.say(w.say("guardian.fact.role"), w.known("guardian.role.", g.Role))
	f.say(w.say("guardian.fact.powers"), w.list("guardian.power.", g.Powers)...)
	if g.Exercise.Mode == "joint" {
		f.say(w.say("guardian.fact.joint"), w.joint(g.Exercise)...)
	}
	if k := g.Constraints; k != nil {
		if k.NoRemoval {
			f.say(w.say("guardian.fact.limits"), w.say("guardian.limit.stay"))
		}
		if k.Supervised {
			f.say(w.say("guardian.fact.limits"), w.say("guardian.limit.supervised"))
		}
		if k.MaxAbsenceDays > 0 {
			f.say(w.say("guardian.fact.limits"), w.say("guardian.limit.days", "count", k.MaxAbsenceDays))
		}
		f.say(w.say("guardian.fact.allowed"), w.each(k.AllowedCountries)...)
		f.say(w.say("guardian.fact.denied"), w.each(k.DeniedCountries)...)
		f.say(w.say("guardian.fact.limits"), k.Conditions)
	}
	f.say(w.say("guardian.fact.basis"), w.known("guardian.basis.", g.LegalBasis.Type), g.LegalBasis.Reference)
	f.say(w.say("guardian.fact.from"), w.date(g.Effective.From))
	if g.Effective.Until != "" {
		f.say(w.say("guardian.fact.until"), w.date(g.Effective.Until))
	}
	return f
}

// joint says what needs the other guardians, too: everything, where no list tells
// it apart.
func (w words) joint(x vc.Exercise) []string {
	if len(x.JointFor) == 0 {
		return []string{w.say("guardian.joint-all")}
	}
	return w.list("guardian.power.", x.JointFor)
}
