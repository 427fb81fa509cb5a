package policy

import (
	"slices"
	"testing"

	"github.com/kinpass/kinpass/internal/vc"
)

// situation is what a check makes of a case when every paper is in order.
func (c *Case) situation(p *Policy) Situation {
	s := Situation{Day: CaseDay, Age: c.Age(), ChildNationality: c.Child.Nationality, Residence: c.Child.Residence,
		CompanionParent: No, BirthShown: true, CompanionNamed: true, Purpose: c.Purpose, Relocation: c.OneWay || c.Purpose == "relocation"}
	s.Direction, s.Country, s.Other = c.Side(p)
	if c.Days > 0 {
		s.ReturnBy = CaseDay.AddDays(c.Days)
	}
	if m := c.Child.ResidenceProofMonths; m > 0 {
		s.ResidenceProof = addMonths(CaseDay, -m)
	}
	for _, x := range c.Register() {
		s.Parents = append(s.Parents, Parent(x))
	}
	s.Assumed = true
	grantors := map[string]bool{}
	for _, x := range c.Consents {
		for _, who := range x.By {
			grantors[who] = true
		}
	}
	add := func(g CaseGuardian) {
		s.Bases, s.Roles = append(s.Bases, g.Basis), append(s.Roles, g.Role)
		if g.MaxAbsenceDays > 0 && (s.MaxAbsenceDays == 0 || g.MaxAbsenceDays < s.MaxAbsenceDays) {
			s.MaxAbsenceDays = g.MaxAbsenceDays
		}
	}
	for _, g := range c.People() {
		if g.Of > 0 {
			s.Guardians, s.Assumed = max(s.Guardians, g.Of), false
		}
		if !slices.Contains(c.Travels, g.Who) {
			continue
		}
		s.Here++
		add(g)
		s.Sole = s.Sole || g.Exercise == "sole"
		s.Independent = s.Independent || g.Exercise == "independent"
		if slices.Contains(parental, g.Role) {
			s.CompanionParent = Yes
		}
		if g.Nationality != "" {
			s.CompanionNationality, s.CompanionResidence = g.Nationality, g.Residence
		}
	}
	if s.Guardians == 0 {
		s.Guardians = 2
	}
	s.CompanionAdult = Yes
	for _, a := range c.Companions {
		if !slices.Contains(c.Travels, a.Who) {
			continue
		}
		s.CompanionNationality, s.CompanionResidence = a.Nationality, a.Residence
		switch {
		case a.Age == 0:
			s.CompanionAdult = Unknown
		case a.Age < 18:
			s.CompanionAdult = No
		}
		for _, x := range c.Consents {
			s.CompanionNamed = s.CompanionNamed && (len(x.Names) == 0 || slices.Contains(x.Names, a.Who))
		}
	}
	switch {
	case len(c.Travels) == 0:
		s.Company = Alone
	case s.Here == 0 && c.Group:
		s.Company = Group
	case s.Here == 0:
		s.Company = ThirdParty
		for _, g := range c.People() {
			if grantors[g.Who] {
				add(g)
			}
		}
	case s.Sole || s.Here >= s.Guardians:
		s.Company = All
	default:
		s.Company = Some
	}
	for _, x := range c.Consents {
		out := Consent{Level: x.Level, GrantedOn: addMonths(CaseDay, -max(1, x.MonthsAgo)), Ends: !x.NoEnd, Relocation: x.Relocation}
		if x.Level == "" {
			out.Level = vc.LevelNotarised
		}
		for _, who := range x.By {
			if who == Consenting {
				out.Court, out.Level = true, vc.LevelJudicial
			} else if !slices.Contains(c.Travels, who) {
				out.Grantors++
			}
		}
		s.Consents = append(s.Consents, out)
	}
	for _, r := range c.Receiver {
		s.Receiver.Name = s.Receiver.Name || r == "name"
		s.Receiver.Address = s.Receiver.Address || r == "address"
		s.Receiver.Contact = s.Receiver.Contact || r == "contact"
		s.Receiver.Document = s.Receiver.Document || r == "document"
	}
	return s
}

func colourOf(r Result) string {
	colour := "green"
	for _, f := range r.Findings {
		if f.Severity == Red {
			return "red"
		}
		colour = "amber"
	}
	return colour
}

// TestShippedCases asks each shipped policy its own cases, by what a check
// makes of them; internal/stage asks them of the whole check.
func TestShippedCases(t *testing.T) {
	if len(Shipped()) < 5 {
		t.Fatalf("%d policies", len(Shipped()))
	}
	for _, p := range Shipped() {
		if len(p.Cases) < 8 {
			t.Errorf("%s has %d cases", p.ID, len(p.Cases))
		}
		for _, c := range p.Cases {
			r := p.Evaluate(c.situation(p))
			if got := colourOf(r); got != c.Expect.Colour {
				t.Errorf("%s, %s: %s %s, want %s %v", p.ID, c.Name, got, codesOf(r), c.Expect.Colour, c.Expect.Codes)
			}
			for _, code := range c.Expect.Codes {
				if !slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Code == code }) {
					t.Errorf("%s, %s: %s, want %s", p.ID, c.Name, codesOf(r), code)
				}
			}
		}
	}
}
