package check

import (
	"slices"

	"github.com/kinpass/kinpass/internal/policy"
	"github.com/kinpass/kinpass/internal/vc"
)

// askPolicies asks the policies of both countries. Consents with a fault that
// is red by itself (withdrawn, out of scope) are counted as if they held, so
// that the policies tell only what is wrong besides.
func (e *exam) askPolicies() {
	if e.ofAge || !e.companyKnown {
		return
	}
	s := e.situation()
	for i, side := range [...]policy.Direction{policy.Exit, policy.Entry} {
		s.Direction, s.Country, s.Other = side, e.facts.Exit, e.facts.Entry
		if side == policy.Entry {
			s.Country, s.Other = e.facts.Entry, e.facts.Exit
		}
		p := e.bundle.rules(s.Country, side)
		r := p.Evaluate(s)
		e.answers[i] = policyResult{p, r, side}
		e.highRisk = e.highRisk || r.HighRisk
		for _, word := range r.Ask {
			if !contains(e.lacking, word) {
				e.lacking = append(e.lacking, word)
			}
		}
	}
}

// policyResult is what one policy answered; policy is nil if it was not asked.
type policyResult struct {
	policy *policy.Policy
	result policy.Result
	side   policy.Direction
}

// finds reports whether a policy of either side finds this, red says whether it
// must be no better than red.
func (e *exam) finds(code string, red bool) bool {
	for i := range e.answers {
		for _, f := range e.answers[i].result.Findings {
			if f.Code == code && f.Severity != policy.Info && (!red || f.Severity == policy.Red) {
				return true
			}
		}
	}
	return false
}

// policyAnswers writes down what the policies said.
func (e *exam) policyAnswers() []PolicyAnswer {
	out := make([]PolicyAnswer, 0, len(e.answers))
	for i := range e.answers {
		a := &e.answers[i]
		if a.policy == nil {
			continue
		}
		pa := PolicyAnswer{ID: a.policy.ID, Version: a.policy.Version, Label: a.policy.Label, Country: e.facts.Exit,
			Direction: string(a.side), Colour: Green, Codes: make([]string, 0, len(a.result.Findings))}
		if a.side == policy.Entry {
			pa.Country = e.facts.Entry
		}
		if !a.result.Applies {
			pa.Colour = Info
		}
		for _, f := range a.result.Findings {
			pa.Codes = append(pa.Codes, f.Code)
			switch {
			case f.Severity == policy.Red:
				pa.Colour = Red
			case f.Severity == policy.Amber && pa.Colour != Red:
				pa.Colour = Amber
			}
		}
		out = append(out, pa)
	}
	return out
}

// situation tells the policies what they may know.
func (e *exam) situation() policy.Situation {
	f := &e.facts
	s := policy.Situation{
		Day: e.day, ReturnBy: e.returnBy(), Age: e.age, Majority: e.majority,
		ChildNationality: f.ChildNationality, Residence: f.Residence,
		CompanionNationality: f.CompanionNationality, CompanionResidence: f.CompanionResidence, ResidenceProof: f.ResidenceProof,
		Company: e.company, Guardians: e.required.guardians, Assumed: e.required.assumed, Here: e.here,
		Sole: e.required.sole, Independent: e.required.independent,
		MaxAbsenceDays: e.maxAbsence(), Consents: e.given, BirthShown: e.born != nil,
	}
	if e.born != nil {
		s.Parents = make([]policy.Parent, len(e.born.Parentage))
		for i, p := range e.born.Parentage {
			s.Parents[i] = policy.Parent{Role: p.Role, Status: p.Status}
		}
	}
	for _, m := range e.speaking() {
		g := m.mandate
		if !contains(s.Bases, g.LegalBasis.Type) {
			s.Bases = append(s.Bases, g.LegalBasis.Type)
		}
		if !contains(s.Roles, g.Role) {
			s.Roles = append(s.Roles, g.Role)
		}
	}
	e.describeCompany(&s)
	for _, c := range e.consents {
		t := c.consent
		if s.Purpose == "" {
			s.Purpose = t.Trip.Purpose
		}
		s.Relocation = s.Relocation || t.Trip.Purpose == "relocation"
		if r := t.Receiving; r != nil && s.Receiver == (policy.Receiver{}) {
			s.Receiver = policy.Receiver{Name: r.Name != "", Address: r.Address != "", Contact: r.Contact != "", Document: r.Document != nil}
		}
	}
	s.Receiver.Verified = f.confirmed(Receiver)
	return s
}

// speaking gives the mandates of those who are here, or where nobody is those of
// the grantors: why a guardian who stays at home is one excuses nobody else.
func (e *exam) speaking() []*credential {
	if e.here == 0 {
		return e.reliedOn
	}
	return e.reliedOn[:len(e.reliedOn)-e.absent]
}

// returnBy gives the day of return as the officer entered it, else the one to
// which the guardians agreed.
func (e *exam) returnBy() vc.Date {
	if !e.facts.ReturnBy.IsZero() {
		return e.facts.ReturnBy
	}
	for _, c := range e.consents {
		if d, err := vc.ParseDate(c.consent.Trip.ReturnBy); err == nil {
			return d
		}
	}
	return vc.Date{}
}

// describeCompany tells what is known of the adults.
func (e *exam) describeCompany(s *policy.Situation) {
	s.CompanionNamed = e.companyNamed()
	if e.company == policy.Alone {
		return
	}
	s.CompanionParent, s.CompanionAdult = policy.No, policy.Yes
	travellers := 0
	for _, p := range e.persons {
		if p.guards() != (len(e.guardians) > 0) || p.guards() && !slices.Contains(e.guardians, p) {
			continue
		}
		travellers++
		if p.parent() {
			s.CompanionParent = policy.Yes
		}
		switch adult := e.adult(p); {
		case adult == policy.No:
			s.CompanionAdult = policy.No
		case adult == policy.Unknown && s.CompanionAdult == policy.Yes:
			s.CompanionAdult = policy.Unknown
		}
	}
	if travellers == 0 {
		s.CompanionParent, s.CompanionAdult = policy.Unknown, policy.Unknown
	}
}

// parent reports whether the papers call a person the child's parent.
func (p *person) parent() bool {
	if p.as == guardian {
		for _, c := range p.mandates {
			if oneOf(c.mandate.Role, "mother", "father", "parent") {
				return true
			}
		}
		return false
	}
	return p.named != nil && oneOf(p.named.Relation, "mother", "father")
}

// adult reports whether a person is 18 on the day of travel, by what the papers
// say or by a document that fits.
func (e *exam) adult(p *person) policy.Known {
	if p.guards() {
		return policy.Yes // an authority gave them charge of a child
	}
	if p.named != nil && p.named.BirthDate != nil {
		if _, latest, ok := p.named.BirthDate.Span(); ok {
			return yesOrNo(!e.day.Before(latest.AddYears(18)))
		}
	}
	for _, m := range e.documents {
		if l := p.compare(m); l != same && l != partly {
			continue
		}
		if born, ok := m.born(e.day); ok {
			return yesOrNo(!e.day.Before(born.AddYears(18)))
		}
	}
	return policy.Unknown
}

func yesOrNo(b bool) policy.Known {
	if b {
		return policy.Yes
	}
	return policy.No
}

// companyNamed reports whether every adult with the child who is no guardian is
// named by each consent.
func (e *exam) companyNamed() bool {
	if len(e.consents) == 0 {
		return false
	}
	for _, c := range e.consents {
		if e.wrongAdult(c.consent) {
			return false
		}
	}
	return true
}

// maxAbsence gives the shortest limit of the mandates relied on, 0 for none.
func (e *exam) maxAbsence() int {
	n := 0
	for _, m := range e.reliedOn {
		if c := m.mandate.Constraints; c != nil && c.MaxAbsenceDays > 0 && (n == 0 || c.MaxAbsenceDays < n) {
			n = c.MaxAbsenceDays
		}
	}
	return n
}

// agree counts what each consent adds: guardians who are not here and whom no
// other consent counted.
func (e *exam) agree() {
	var counted []vc.Grantor
	for _, a := range e.assents() {
		t := a.of.consent
		granted, err := vc.ParseDate(t.GrantedOn)
		if err != nil {
			continue // completeConsent refused it
		}
		c := policy.Consent{Level: a.of.level, GrantedOn: granted,
			Ends: t.Trip.NotAfter != "", Relocation: t.RelocationAllowed}
		for _, g := range a.grantors {
			switch {
			case g.Capacity == "court":
				// A court decides in the place of whoever is missing. One that only
				// saw guardians sign decides nothing.
				c.Court = true
				c.Grantors = max(c.Grantors, e.required.guardians-e.here)
			case hasGrantor(counted, &g), e.travels(t, &g), e.countedAs(counted, &g):
			default:
				counted = append(counted, g)
				c.Grantors++
				if m := e.evidence(&g); m != nil {
					e.grantors = append(e.grantors, m)
				}
			}
		}
		e.unproven = e.unproven || a.unproven
		e.given = append(e.given, c)
	}
}

// travels reports whether a grantor is, or may be, the guardian who is here and
// counts already. A guardian can hold two copies of one guardianship under two
// keys: where the grantor's is not shown, the grantor counts only if the consent
// names the traveller, and somebody else consents. Then the witness, who saw the
// grantor's, vouches that they are two.
func (e *exam) travels(t *vc.TravelConsent, g *vc.Grantor) bool {
	m := e.shownOf(g)
	for _, p := range e.guardians {
		if p.key == g.Key {
			return true
		}
		for _, own := range p.mandates {
			if own.ID == g.Guardianship || own.mandate.ID != "" && own.mandate.ID == g.Key ||
				m != nil && samePerson(own.mandate, m.mandate) {
				return true
			}
		}
		if m == nil && !e.anotherConsents(t, g, p) {
			return true
		}
	}
	return false
}

// anotherConsents: the consent names the guardian who travels by a document or
// the whole name, and the grantor has another key. A key alone does not tell a
// witness who that is.
func (e *exam) anotherConsents(t *vc.TravelConsent, g *vc.Grantor, p *person) bool {
	for i := range t.Accompanying {
		a := &t.Accompanying[i]
		for _, c := range p.mandates {
			if likeGuardian(a, &c.mandate.Guardian) {
				return a.Key != g.Key
			}
		}
	}
	return false
}

// shownOf finds a mandate of the grantor: the one that is cited, or one that was
// issued since to the same key.
func (e *exam) shownOf(g *vc.Grantor) *credential {
	if m := e.evidence(g); m != nil {
		return m
	}
	for _, m := range e.wards {
		if m.mandate.ID != "" && m.mandate.ID == g.Key {
			return m
		}
	}
	return nil
}

// countedAs: a grantor with two mandates counts once.
func (e *exam) countedAs(counted []vc.Grantor, g *vc.Grantor) bool {
	m := e.shownOf(g)
	if m == nil {
		return false
	}
	for i := range counted {
		if o := e.shownOf(&counted[i]); o != nil && samePerson(o.mandate, m.mandate) {
			return true
		}
	}
	return false
}
