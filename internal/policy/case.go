package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kinpass/kinpass/internal/vc"
)

// Case is one row of a policy's own table: a situation in the author's words,
// and what is to come out. What is left out is the ordinary: a child of nine
// with a mother and a father who decide together, a consent witnessed by a
// notary a month ago for this journey and naming its adults.
type Case struct {
	Name string `json:"name"`
	// Source is the article that the case is about.
	Source     string          `json:"source,omitempty"`
	Direction  Direction       `json:"direction,omitempty"` // for a policy that is for both; exit
	Country    string          `json:"country,omitempty"`   // for a policy with several countries; the first
	Other      string          `json:"other,omitempty"`     // the country on the other side
	Child      CaseChild       `json:"child,omitzero"`
	Parents    []CaseParent    `json:"parents,omitempty"`
	Guardians  []CaseGuardian  `json:"guardians,omitempty"`
	Companions []CaseCompanion `json:"companions,omitempty"`
	// Travels names the guardians and companions who are there; nobody: the
	// child travels alone.
	Travels  []string      `json:"travels"`
	Group    bool          `json:"group,omitempty"`
	Consents []CaseConsent `json:"consents,omitempty"`
	// Receiver is what the consents say of who awaits the child, of name,
	// address, contact and document.
	Receiver []string `json:"receiver,omitempty"`
	// Days until the child is back, 0 when the officer does not know.
	Days int `json:"days,omitempty"`
	// Purpose of the journey; relocation, or OneWay, means to settle abroad.
	Purpose string `json:"purpose,omitempty"`
	OneWay  bool   `json:"oneWay,omitempty"`
	Expect  Expect `json:"expect"`
}

// CaseChild is the child: 9 years old, with a nationality and a residence that
// the officer does not know unless they are given.
type CaseChild struct {
	Age         int    `json:"age,omitempty"`
	Nationality string `json:"nationality,omitempty"`
	Residence   string `json:"residence,omitempty"`
	// ResidenceProofMonths: the residence was certified so many months ago.
	ResidenceProofMonths int `json:"residenceProofMonths,omitempty"`
}

// CaseParent is a parent as the birth credential names them.
type CaseParent struct {
	Role   string `json:"role"`
	Status string `json:"status"`
}

// CaseGuardian is a mandate: on parentalResponsibilityByBirth and joint unless
// it says otherwise. Who is the name that the other members use.
type CaseGuardian struct {
	Who            string `json:"who"`
	Role           string `json:"role"`
	Basis          string `json:"basis,omitempty"`
	Exercise       string `json:"exercise,omitempty"` // sole, independent or joint
	Of             int    `json:"of,omitempty"`       // how many must decide together, as the mandate names it
	MaxAbsenceDays int    `json:"maxAbsenceDays,omitempty"`
	Nationality    string `json:"nationality,omitempty"`
	Residence      string `json:"residence,omitempty"`
}

// CaseCompanion is an adult who is no guardian. An age of 0 is not known.
type CaseCompanion struct {
	Who         string `json:"who"`
	Age         int    `json:"age,omitempty"`
	Nationality string `json:"nationality,omitempty"`
	Residence   string `json:"residence,omitempty"`
}

// CaseConsent is what guardians agree to, each with a consent of their own, or
// one that is witnessed.
type CaseConsent struct {
	By    []string `json:"by"`              // guardians, or court
	Level string   `json:"level,omitempty"` // notarised; judicial by a court
	// MonthsAgo it was given; 1 when absent.
	MonthsAgo int `json:"monthsAgo,omitempty"`
	// Names are the companions it names; those who travel when absent.
	Names      []string `json:"names,omitempty"`
	NoEnd      bool     `json:"noEnd,omitempty"` // it does not say until when
	Relocation bool     `json:"relocation,omitempty"`
}

// Expect is what a check is to say: a colour, and codes that must be among the
// reasons. Green means that there is nothing against the journey.
type Expect struct {
	Colour string   `json:"colour"`
	Codes  []string `json:"codes,omitempty"`
}

// CaseDay is the day on which cases travel.
var CaseDay = vc.Date{Year: 2026, Month: 6, Day: 15}

// maxCases of one policy.
const maxCases = 200

// Consenting says who agrees in place of the guardians' names in a case.
const Consenting = "court"

func (l *loader) cases(cases []Case) {
	l.need(len(cases) <= maxCases, "/cases", fmt.Sprintf("has at most %d", maxCases))
	for i := range cases {
		if len(l.fields) >= maxFields {
			return
		}
		l.oneCase(&cases[i], fmt.Sprintf("/cases/%d", i))
	}
}

func (l *loader) oneCase(c *Case, at string) {
	l.text(c.Name, at+"/name", 200)
	if c.Source != "" {
		l.text(c.Source, at+"/source", 200)
	}
	l.need(slices.Contains([]Direction{"", Exit, Entry}, c.Direction), at+"/direction", "is exit or entry")
	place := func(s, path string) {
		l.need(s == "" || isCountry(s), at+path, "is three capital letters (ISO 3166-1 alpha-3)")
	}
	place(c.Country, "/country")
	place(c.Other, "/other")
	place(c.Child.Nationality, "/child/nationality")
	place(c.Child.Residence, "/child/residence")
	l.number(c.Child.Age, 0, 25, at+"/child/age")
	l.number(c.Child.ResidenceProofMonths, 0, 240, at+"/child/residenceProofMonths")
	l.number(c.Days, 0, 3660, at+"/days")
	l.need(c.Purpose == "" || slices.Contains(purpose.words, c.Purpose), at+"/purpose", "is one of "+strings.Join(purpose.words, ", "))
	l.need(len(c.Parents) <= 4 && len(c.Guardians) <= 6 && len(c.Companions) <= 6 && len(c.Consents) <= 8, at, "has at most 4 parents, 6 guardians, 6 companions and 8 consents")
	for j, p := range c.Parents {
		l.need(slices.Contains(parental, p.Role), fmt.Sprintf("%s/parents/%d/role", at, j), "is one of "+strings.Join(parental, ", "))
		l.need(slices.Contains(statuses[:5], p.Status), fmt.Sprintf("%s/parents/%d/status", at, j), "is one of "+strings.Join(statuses[:5], ", "))
	}
	if len(l.fields) > 0 {
		return
	}
	guardians, everyone := map[string]bool{}, map[string]bool{}
	name := func(who, at string) {
		l.text(who, at, 60)
		l.need(!everyone[who] && who != Consenting, at, "is a name that nobody else has")
		everyone[who] = true
	}
	for j, g := range c.People() {
		p := fmt.Sprintf("%s/guardians/%d", at, j)
		name(g.Who, p+"/who")
		guardians[g.Who] = true
		l.need(slices.Contains(roles, g.Role), p+"/role", "is one of "+strings.Join(roles, ", "))
		l.need(slices.Contains(bases, g.Basis), p+"/basis", "is one of "+strings.Join(bases, ", "))
		l.need(slices.Contains([]string{"sole", "independent", "joint"}, g.Exercise), p+"/exercise", "is sole, independent or joint")
		l.number(g.Of, 0, 20, p+"/of")
		l.number(g.MaxAbsenceDays, 0, 3660, p+"/maxAbsenceDays")
		place(g.Nationality, p[len(at):]+"/nationality")
		place(g.Residence, p[len(at):]+"/residence")
	}
	companions := map[string]bool{}
	for j, a := range c.Companions {
		p := fmt.Sprintf("%s/companions/%d", at, j)
		name(a.Who, p+"/who")
		companions[a.Who] = true
		l.number(a.Age, 0, 120, p+"/age")
		place(a.Nationality, p[len(at):]+"/nationality")
		place(a.Residence, p[len(at):]+"/residence")
	}
	for j, who := range c.Travels {
		l.need(everyone[who] && !slices.Contains(c.Travels[:j], who), fmt.Sprintf("%s/travels/%d", at, j), "is one of the guardians or companions, once")
	}
	for j := range c.Consents {
		p, x := fmt.Sprintf("%s/consents/%d", at, j), &c.Consents[j]
		l.need(len(x.By) > 0, p+"/by", "names at least one")
		for k, who := range x.By {
			l.need(guardians[who] || who == Consenting && len(x.By) == 1, fmt.Sprintf("%s/by/%d", p, k), "is one of the guardians, or court alone")
		}
		l.need(x.Level == "" || slices.Contains(levels, x.Level), p+"/level", "is one of "+strings.Join(levels, ", "))
		l.number(x.MonthsAgo, 0, 240, p+"/monthsAgo")
		for k, who := range x.Names {
			l.need(companions[who], fmt.Sprintf("%s/names/%d", p, k), "is one of the companions")
		}
	}
	if len(c.Receiver) > 0 {
		l.list(c.Receiver, receiverParts, at+"/receiver")
	}
	l.need(slices.Contains([]string{"green", "amber", "red"}, c.Expect.Colour), at+"/expect/colour", "is green, amber or red")
	for j, x := range c.Expect.Codes {
		l.need(codeForm(x), fmt.Sprintf("%s/expect/codes/%d", at, j), "is a code in capital letters")
	}
}

func codeForm(s string) bool {
	return s != "" && len(s) <= 40 && !strings.ContainsFunc(s, func(r rune) bool { return r != '_' && (r < 'A' || r > 'Z') && (r < '0' || r > '9') })
}

// People are the guardians of a case, with what they leave out: a mother and a
// father who decide together.
func (c *Case) People() []CaseGuardian {
	out := slices.Clone(c.Guardians)
	if len(out) == 0 {
		out = []CaseGuardian{{Who: "mother", Role: "mother"}, {Who: "father", Role: "father"}}
	}
	for i := range out {
		if out[i].Basis == "" {
			out[i].Basis = "parentalResponsibilityByBirth"
		}
		if out[i].Exercise == "" {
			out[i].Exercise = "joint"
		}
	}
	return out
}

// Register is what the birth credential of a case says of the parents.
func (c *Case) Register() []CaseParent {
	if len(c.Parents) > 0 {
		return c.Parents
	}
	return []CaseParent{{"mother", "known"}, {"father", "known"}}
}

// Age of the child in years.
func (c *Case) Age() int {
	if c.Child.Age == 0 {
		return 9
	}
	return c.Child.Age
}

// Side gives the direction and the country of the border that a case is about,
// and the country on the other side.
func (c *Case) Side(p *Policy) (d Direction, country, other string) {
	if d = p.Direction; d == Both {
		if d = c.Direction; d == "" {
			d = Exit
		}
	}
	if country = c.Country; country == "" && len(p.Countries) > 0 {
		country = p.Countries[0]
	} else if country == "" {
		country = "UTO"
	}
	if other = c.Other; other == "" {
		other = "XXA"
	}
	return d, country, other
}
