package check

import (
	"strings"

	"github.com/kinpass/kinpass/internal/policy"
)

// Words are what an officer reads about one code.
type Words struct {
	Text string `json:"text"`
	Next string `json:"next"`
}

// Texts gives the words of every code in English, by code. A message file for
// another language has the same codes; Decision.In puts its words in. The
// facts that FACTS_MISSING asks for are under FACTS_MISSING and a dot, such as
// FACTS_MISSING.residence.
func Texts() map[string]Words {
	out := make(map[string]Words, len(rules)+1+len(factWords))
	for _, r := range Rules() {
		out[r.Code] = Words{r.Text, r.Next}
	}
	for _, f := range factWords {
		out[CodeFactsMissing+"."+f.name] = Words{Text: f.text}
	}
	return out
}

// factWords name what an officer can enter, in the order of asking.
var factWords = []struct{ name, text string }{
	{"exit", "the country left"},
	{"entry", "the country of destination"},
	{"company", "who travels with the child"},
	{"childNationality", "the child's nationality"},
	{"residence", "the country where the child lives"},
	{"residenceProof", "the certificate of residence abroad"},
	{"companionNationality", "the adult's nationality"},
	{"companionResidence", "the country where the adult lives"},
	{"adultDocument", "the adult's travel document"},
	{"returnBy", "the day of return"},
}

// In gives the decision in other words. What they lack stays in English.
func (d Decision) In(words map[string]Words) Decision {
	reasons := make([]Reason, len(d.Reasons))
	for i, r := range d.Reasons {
		if w := words[r.Code]; w.Text != "" {
			r.Text = w.Text
		}
		if w := words[r.Code]; w.Next != "" {
			r.Next = w.Next
		}
		reasons[i] = r
	}
	d.Reasons = reasons
	d.speak(words)
	return d
}

// policyCodes are those that can come from a country's policy alone, so that a
// fact which nobody entered can be all that is wrong.
var policyCodes = []string{CodeConsentMissingCo, CodeConsentMissing, CodeConsentQuorum, CodeConsentScope, CodeConsentAssuranceLow,
	CodeConsentOld, CodeReceiverUnverified, CodeAbsenceTooLong, CodeParentageMissing}

// speak writes the lines and the next step: the gravest first, three lines at
// most, and one thing to do. Where all that is wrong may come of a fact that
// nobody entered, entering it is the thing to do.
func (d *Decision) speak(words map[string]Words) {
	d.Lines, d.Next = make([]string, 0, 3), ""
	missing, other := false, false
	for _, r := range d.Reasons {
		missing = missing || r.Code == CodeFactsMissing
		other = other || (r.Colour == Red || r.Colour == Amber) && !contains(policyCodes, r.Code)
	}
	if missing && !other && d.Colour != Green {
		d.Next = d.enter(words)
	}
	last := ""
	for _, c := range [...]Colour{Red, Amber, Info, Green} {
		for i := range d.Reasons {
			r := &d.Reasons[i]
			if r.Colour != c {
				continue
			}
			switch {
			case d.Next != "":
			case r.Code == CodeRecordIncompleteExpected:
				last = r.Next // nothing to do, where there is something
			default:
				d.Next = r.Next
			}
			if len(d.Lines) < 3 && !contains(d.Lines, r.Text) {
				d.Lines = append(d.Lines, r.Text)
			}
		}
	}
	if d.Next == "" {
		d.Next = last
	}
}

// enter is the next step that names the facts to enter.
func (d *Decision) enter(words map[string]Words) string {
	var b strings.Builder
	for _, r := range d.Reasons {
		if r.Code == CodeFactsMissing {
			b.WriteString(r.Next)
		}
	}
	for i, name := range d.Ask {
		if i == 0 {
			b.WriteString(" (")
		} else {
			b.WriteString("; ")
		}
		w := words[CodeFactsMissing+"."+name].Text
		if w == "" {
			w = factWord(name)
		}
		b.WriteString(w)
	}
	if len(d.Ask) > 0 {
		b.WriteString(")")
	}
	return b.String()
}

func factWord(name string) string {
	for _, f := range factWords {
		if f.name == name {
			return f.text
		}
	}
	return name
}

// helpful names the facts that nobody entered and that could change the
// outcome, in the order of factWords.
func (e *exam) helpful() []string {
	out := []string{}
	if e.ofAge || !e.companyKnown {
		return out
	}
	for _, f := range factWords {
		lacking := contains(e.lacking, f.name)
		switch f.name {
		case "exit":
			lacking = lacking || e.facts.Exit == "" && e.bundle.national()
		case "entry":
			lacking = lacking || e.facts.Entry == "" && (e.bundle.national() || e.anyWard(limitsPlace) || e.asked() && len(e.consents) > 0)
		case "company":
			// That nobody is with the child is for a person to see.
			lacking = lacking || e.facts.Company == "" && e.company == policy.Alone
		case "returnBy":
			lacking = lacking || e.returnBy().IsZero() && e.anyWard(e.tooLong)
		}
		if lacking {
			out = append(out, f.name)
		}
	}
	return out
}
