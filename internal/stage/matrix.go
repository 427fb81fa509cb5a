package stage

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/kinpass/kinpass/internal/policy"
)

// Row is one line of a decision matrix.
type Row struct {
	Who     string   `json:"who"`
	Mandate string   `json:"mandate"`
	Consent string   `json:"consent"`
	Facts   string   `json:"facts"`
	Colour  string   `json:"colour"`
	Codes   []string `json:"codes"`
}

// Matrix plays who travels, on which mandate, with which consents, and what
// the officer knows: what a policy comes to at the counter.
func (s *Stage) Matrix(p *policy.Policy) ([]Row, error) {
	var out []Row
	for _, x := range matrix(p) {
		d, err := s.Play(p, &x.c)
		if err != nil {
			return nil, fmt.Errorf("%s, %s, %s, %s: %w", x.Who, x.Mandate, x.Consent, x.Facts, err)
		}
		x.Colour, x.Codes = d.Colour.String(), d.Codes()
		out = append(out, x.Row)
	}
	return out, nil
}

// Cases lists the cases of a policy's matrix, and its own.
func Cases(p *policy.Policy) []policy.Case {
	out := slices.Clone(p.Cases)
	for _, x := range matrix(p) {
		out = append(out, x.c)
	}
	return out
}

type cell struct {
	Row
	c policy.Case
}

// option is one value on an axis of the matrix: its name, and what it changes
// in a case.
type option struct {
	name string
	set  func(*policy.Case)
}

func parents(exercise string, of int, mother, father string) []policy.CaseGuardian {
	out := []policy.CaseGuardian{{Who: "mother", Role: "mother", Basis: mother, Exercise: exercise, Of: of}}
	if father != "" {
		out = append(out, policy.CaseGuardian{Who: "father", Role: "father", Basis: father, Exercise: exercise, Of: of})
	}
	return out
}

const (
	byBirth = "parentalResponsibilityByBirth"
	byCourt = "courtOrder"
)

// mandates are those of a mother who travels.
var mandates = []option{
	{"by birth, joint", func(c *policy.Case) { c.Guardians = parents("joint", 2, byBirth, byBirth) }},
	{"by birth, independent", func(c *policy.Case) { c.Guardians = parents("independent", 2, byBirth, byBirth) }},
	{"by court order, joint", func(c *policy.Case) { c.Guardians = parents("joint", 2, byCourt, byBirth) }},
	{"by court order, sole", func(c *policy.Case) { c.Guardians = parents("sole", 1, byCourt, "") }},
	{"by birth, father undeclared", func(c *policy.Case) {
		c.Guardians = parents("joint", 0, byBirth, "")
		c.Parents = []policy.CaseParent{{Role: "mother", Status: "known"}, {Role: "father", Status: "undeclared"}}
	}},
	{"by birth, father deceased", func(c *policy.Case) {
		c.Guardians = parents("joint", 2, byBirth, "")
		c.Parents = []policy.CaseParent{{Role: "mother", Status: "known"}, {Role: "father", Status: "deceased"}}
	}},
}

func consent(by []string, level string, months int, noEnd bool) func(*policy.Case) {
	return func(c *policy.Case) {
		c.Consents = []policy.CaseConsent{{By: by, Level: level, MonthsAgo: months, NoEnd: noEnd}}
	}
}

var (
	father = []string{"father"}
	both   = []string{"mother", "father"}
	judge  = []string{policy.Consenting}
)

var nothing = option{"none", func(*policy.Case) {}}

// fromFather are consents to a journey with the mother.
var fromFather = []option{
	nothing,
	{"father, self-signed", consent(father, "selfSigned", 1, false)},
	{"father, witnessed", consent(father, "witnessed", 1, false)},
	{"father, notarised", consent(father, "notarised", 1, false)},
	{"father, notarised, 4 months old", consent(father, "notarised", 4, false)},
	{"father, notarised, 20 months old, no end", consent(father, "notarised", 20, true)},
	{"father, notarised, 25 months old, no end", consent(father, "notarised", 25, true)},
	{"court", consent(judge, "", 1, false)},
}

// fromBoth are consents to a journey without guardians.
var fromBoth = []option{
	nothing,
	{"mother, notarised", consent([]string{"mother"}, "notarised", 1, false)},
	{"both, self-signed", consent(both, "selfSigned", 1, false)},
	{"both, witnessed", consent(both, "witnessed", 1, false)},
	{"both, notarised", consent(both, "notarised", 1, false)},
	{"both, notarised, 4 months old", consent(both, "notarised", 4, false)},
	{"both, notarised, 25 months old, no end", consent(both, "notarised", 25, true)},
	{"court", consent(judge, "", 1, false)},
}

// without are those who travel with no guardian. What a consent names is set
// last, when there is one.
var without = []option{
	{"aunt", func(c *policy.Case) { companion(c, "aunt", 40) }},
	{"aunt, not named", func(c *policy.Case) {
		companion(c, "aunt", 40)
		c.Companions = append(c.Companions, policy.CaseCompanion{Who: "uncle", Age: 41})
		for i := range c.Consents {
			c.Consents[i].Names = []string{"uncle"}
		}
	}},
	{"brother of 17", func(c *policy.Case) { companion(c, "brother", 17) }},
	{"class with teacher", func(c *policy.Case) { companion(c, "teacher", 31); c.Group = true }},
	{"alone, awaited", func(c *policy.Case) { c.Receiver = []string{"name", "address", "contact", "document"} }},
	{"alone, not awaited", func(*policy.Case) {}},
	{"alone at 14, not awaited", func(c *policy.Case) { c.Child.Age = 14 }},
}

func companion(c *policy.Case, who string, age int) {
	c.Companions = []policy.CaseCompanion{{Who: who, Age: age, Nationality: c.Child.Nationality, Residence: c.Child.Residence}}
	c.Travels = []string{who}
}

// others are guardians who are no parents.
var others = []policy.CaseGuardian{
	{Who: "guardian", Role: "legalGuardian", Basis: byCourt, Exercise: "sole"},
	{Who: "guardian", Role: "testamentaryGuardian", Basis: "testamentary", Exercise: "sole"},
	{Who: "kafil", Role: "kafil", Basis: "kafala", Exercise: "sole"},
	{Who: "carer", Role: "fosterCarer", Basis: byCourt, Exercise: "sole"},
	{Who: "officer", Role: "stateGuardian", Basis: "publicAuthority", Exercise: "sole"},
	{Who: "mission", Role: "ngoGuardian", Basis: "humanitarianMandate", Exercise: "sole"},
}

// matrix lists the cells. All that is not named is the ordinary: the child and
// the adults are nationals of the country and live there, and come back in ten
// days.
func matrix(p *policy.Policy) []cell {
	var out []cell
	home, away := "UTO", ""
	if len(p.Countries) > 0 {
		home = p.Countries[0]
	}
	add := func(who, mandate, consent, facts string, set ...func(*policy.Case)) {
		c := policy.Case{Travels: []string{}, Days: 10, Child: policy.CaseChild{Nationality: home, Residence: home}}
		for _, f := range set {
			f(&c)
		}
		out = append(out, cell{Row{Who: who, Mandate: mandate, Consent: consent, Facts: facts}, c})
	}
	_, _, away = (&policy.Case{}).Side(p)
	mother := func(c *policy.Case) { c.Travels = []string{"mother"} }
	joint := mandates[0].set
	add("both parents", "by birth, joint", "none", "", joint, func(c *policy.Case) { c.Travels = both })
	for _, m := range mandates {
		for _, x := range fromFather {
			add("mother", m.name, x.name, "", m.set, mother, x.set)
			if c := &out[len(out)-1].c; len(c.Guardians) == 1 && len(c.Consents) > 0 && c.Consents[0].By[0] == "father" {
				out = out[:len(out)-1] // there is no father who could agree
			}
		}
	}
	for _, g := range others {
		add(g.Role, g.Basis+", "+g.Exercise, "none", "", func(c *policy.Case) {
			g.Nationality, g.Residence = home, home
			c.Guardians, c.Travels = []policy.CaseGuardian{g}, []string{g.Who}
			c.Parents = []policy.CaseParent{{Role: "mother", Status: "deceased"}, {Role: "father", Status: "unknown"}}
		})
	}
	for _, w := range without {
		for _, x := range fromBoth {
			add(w.name, "by birth, joint", x.name, "", joint, x.set, w.set)
		}
	}
	aunt := without[0].set
	notarised := fromFather[3].set
	named := fromBoth[4].set
	facts := []option{
		{"nothing known", func(c *policy.Case) {
			c.Child.Nationality, c.Child.Residence, c.Days = "", "", 0
			for i := range c.Companions {
				c.Companions[i].Nationality, c.Companions[i].Residence, c.Companions[i].Age = "", "", 0
			}
		}},
		{"back in 40 days", func(c *policy.Case) { c.Days = 40 }},
		{"child from elsewhere", func(c *policy.Case) { c.Child.Nationality, c.Child.Residence = away, away }},
		{"lives abroad, certified a year ago", func(c *policy.Case) { c.Child.Residence, c.Child.ResidenceProofMonths = away, 12 }},
		{"lives abroad, certified 3 years ago", func(c *policy.Case) { c.Child.Residence, c.Child.ResidenceProofMonths = away, 36 }},
		{"adult from abroad", func(c *policy.Case) {
			for i := range c.Companions {
				c.Companions[i].Nationality, c.Companions[i].Residence = away, away
			}
		}},
		{"to settle abroad", func(c *policy.Case) { c.Purpose, c.OneWay, c.Days = "relocation", true, 0 }},
		{"to settle abroad, agreed", func(c *policy.Case) {
			c.Purpose, c.OneWay, c.Days = "relocation", true, 0
			for i := range c.Consents {
				c.Consents[i].Relocation = true
			}
		}},
		{"child of 16", func(c *policy.Case) { c.Child.Age = 16 }},
	}
	for _, f := range facts {
		add("mother", "by birth, joint", "none", f.name, joint, mother, f.set)
		add("mother", "by court order, joint", "none", f.name, mandates[2].set, mother, f.set)
		add("mother", "by birth, joint", "father, notarised", f.name, joint, mother, notarised, f.set)
		add("aunt", "by birth, joint", "both, notarised", f.name, joint, named, aunt, f.set)
	}
	add("aunt", "by birth, joint", "court", "adult from abroad", joint, fromBoth[7].set, aunt, facts[5].set)
	return out
}

// Print writes a matrix as a table.
func Print(w io.Writer, rows []Row) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "WHO TRAVELS\tMANDATE\tCONSENT\tFACTS\tCOLOUR\tCODES")
	for _, r := range rows {
		facts := r.Facts
		if facts == "" {
			facts = "-"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", r.Who, r.Mandate, r.Consent, facts, r.Colour, strings.Join(r.Codes, " "))
	}
	return t.Flush()
}
