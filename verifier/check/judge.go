package check

import (
	"github.com/kinpass/kinpass/internal/vc"
)

// person is one adult who is taken to be present: the holder of a key that
// signed a presentation, with their own mandates, or whoever a paper mandate
// names.
type person struct {
	mandates []*credential
	onPaper  bool
	document likeness // how well an adult's document fits
}

// judge draws from what was read the conclusions that several rules share.
func (e *exam) judge() {
	var refs []string
	for _, c := range e.creds {
		switch {
		case c.birth != nil:
			e.births = append(e.births, c)
			if !contains(refs, c.birth.ChildRef) {
				refs = append(refs, c.birth.ChildRef)
			}
		case c.mandate != nil:
			e.mandates = append(e.mandates, c)
		}
	}
	if len(e.births) == 0 && len(e.mandates) > 0 {
		refs = append(refs, e.mandates[0].mandate.Ward.ChildRef)
	}
	e.linkBroken = len(refs) > 1
	for _, c := range e.mandates {
		if contains(refs, c.mandate.Ward.ChildRef) {
			e.wards = append(e.wards, c)
		} else {
			e.linkBroken = true
		}
	}
	e.judgeAge()
	e.findPersons()
	e.compareDocuments()
}

// judgeAge compares the youngest age that the record allows with the age of
// majority: 18, or more where a mandate says so. A day of travel that lies
// ahead makes nobody older today.
func (e *exam) judgeAge() {
	majority := 18
	for _, c := range e.mandates {
		if a := c.mandate.Termination.MajorityAge; a <= 21 {
			majority = max(majority, a)
		}
	}
	today := vc.DateOf(e.now)
	if e.day.Before(today) {
		today = e.day
	}
	e.ofAge = len(e.births) > 0 && !e.linkBroken
	for _, c := range e.births {
		earliest, latest, known := c.birth.BirthDate.Span()
		switch {
		case c.unclear, c.cutOff:
			e.ofAge = false
		case !known:
			e.ofAge, e.ageUncertain = false, true
		case today.Before(latest.AddYears(majority)):
			e.ofAge = false
			e.ageUncertain = e.ageUncertain || !today.Before(earliest.AddYears(majority))
		}
	}
	e.ageUncertain = e.ageUncertain && !e.ofAge
}

// findPersons finds who of the guardians is there. A mandate with a holder key
// counts for the holder who signed; one without counts only on paper, because
// anybody can wrap a copied paper credential into a presentation of their own.
func (e *exam) findPersons() {
	byHolder := map[string]*person{}
	for _, c := range e.wards {
		id := c.mandate.ID
		switch {
		case id != "" && contains(e.holders, id):
			p := byHolder[id]
			if p == nil {
				p = &person{}
				byHolder[id] = p
				e.persons = append(e.persons, p)
			}
			p.mandates = append(p.mandates, c)
		case id == "" && c.onPaper:
			e.persons = append(e.persons, &person{mandates: []*credential{c}, onPaper: true})
		case id != "" && c.onPaper:
			e.unbound = true // made for a key, shown without it
		}
	}
}

// compareDocuments holds the adults' documents against the guardians. A
// document that fits somebody is spent on them; one that is left over is held
// against whoever has none. Whoever the papers name and no document fits while
// it fits another is taken to be absent, if only paper speaks for them.
func (e *exam) compareDocuments() {
	var rest []*MRZ
	fits := false
	for _, text := range e.facts.AdultDocuments {
		m, err := ParseMRZ(text)
		if err != nil || m.Format == MRVA || m.Format == MRVB {
			e.badDocument = true
			continue
		}
		spent := false
		for _, p := range e.persons {
			if l := p.compare(m); l == same || l == partly {
				if p.document == notCompared || l < p.document {
					p.document = l
				}
				spent, fits = true, true
			}
		}
		if !spent {
			rest = append(rest, m)
		}
	}
	if fits {
		present := e.persons[:0]
		for _, p := range e.persons {
			if !p.onPaper || p.document != notCompared {
				present = append(present, p)
			}
		}
		e.persons = present
	}
	for _, p := range e.persons {
		if p.document != notCompared {
			continue
		}
		for _, m := range rest {
			if l := p.compare(m); p.document == notCompared || l < p.document {
				p.document = l
			}
		}
	}
}

// compare gives the best likeness over a person's mandates, which all are
// about the same adult.
func (p *person) compare(m *MRZ) likeness {
	best := notCompared
	for _, c := range p.mandates {
		if l := compare(m, &c.mandate.Guardian); best == notCompared || l < best {
			best = l
		}
	}
	return best
}

// named reports whether the papers say who the adult is in a way that a
// document can be held against.
func (p *person) named() bool {
	for _, c := range p.mandates {
		g := &c.mandate.Guardian
		if len(g.Documents) > 0 {
			return true
		}
		for i := range g.Names {
			if g.Names[i].MRZ != nil {
				return true
			}
		}
	}
	return false
}

// accompanying gives the mandates that a person relies on: those with the
// power to travel with the child, or all if there is none.
func (p *person) accompanying() []*credential {
	var out []*credential
	for _, c := range p.mandates {
		if contains(c.mandate.Powers, "travelAccompany") {
			out = append(out, c)
		}
	}
	if out == nil {
		return p.mandates
	}
	return out
}

// present counts the guardians who are there as different people. Papers of
// several guardians without a document that tells who is there count as one.
func (e *exam) present() int {
	var counted []*person
	loose := 0
	for _, p := range e.persons {
		if p.onPaper && p.document != same && p.document != partly {
			loose = 1
			continue
		}
		twice := false
		for _, q := range counted {
			twice = twice || sameGuardian(&p.mandates[0].mandate.Guardian, &q.mandates[0].mandate.Guardian,
				p.mandates[0].mandate.Role == q.mandates[0].mandate.Role)
		}
		if !twice {
			counted = append(counted, p)
		}
	}
	return max(len(counted), loose)
}

// sameGuardian reports whether two mandates may be of one adult with two keys,
// who would otherwise be their own co-guardian: a common document, a common
// name, or nothing that tells them apart but the role.
func sameGuardian(a, b *vc.Guardian, sameRole bool) bool {
	if a.PersonRef != "" && a.PersonRef == b.PersonRef {
		return true
	}
	for _, x := range a.Documents {
		for _, y := range b.Documents {
			if x.Type == y.Type && plain(x.Value) == plain(y.Value) {
				return true
			}
		}
	}
	compared := false
	for i := range a.Names {
		for j := range b.Names {
			x, y := a.Names[i].MRZ, b.Names[j].MRZ
			if x == nil || y == nil {
				continue
			}
			compared = true
			if equal(tokens(x.Primary), tokens(y.Primary)) && equal(tokens(x.Secondary), tokens(y.Secondary)) {
				return true
			}
		}
	}
	return !compared && sameRole
}

// record gives the birth that the papers are about, the highest version of it;
// nil if there is none, or if there are births of several children.
func (e *exam) record() *vc.Birth {
	var best *vc.Birth
	for _, c := range e.births {
		switch {
		case c.cutOff:
		case best == nil || best.ChildRef == c.birth.ChildRef && best.RecordVersion < c.birth.RecordVersion:
			best = c.birth
		case best.ChildRef != c.birth.ChildRef:
			return nil
		}
	}
	return best
}

// child gives what verified birth credentials say, or nil.
func (e *exam) child() *Child {
	best := e.record()
	if best == nil {
		return nil
	}
	c := &Child{Names: shownNames(best.Names), Sex: best.Sex}
	if earliest, latest, ok := best.BirthDate.Span(); ok {
		c.BirthDate = best.BirthDate.Value
		if best.BirthDate.Precision == "range" || best.BirthDate.Precision == "unknown" || c.BirthDate == "" {
			c.BirthDate = earliest.String() + "/" + latest.String()
		}
	}
	return c
}

// compared gives what the officer compares by eye, or nil.
func (e *exam) compared() *Compare {
	b := e.record()
	if b == nil {
		return nil
	}
	c := &Compare{Portrait: b.Portrait != nil, Names: shownNames(b.Names), Adults: []Adult{}}
	if b.MultipleBirth != nil && b.MultipleBirth.Plurality > 1 {
		c.Twins = b.MultipleBirth.Plurality
	}
	for _, p := range e.persons {
		c.Adults = append(c.Adults, p.adult())
	}
	return c
}

// adult tells how the papers name a person. Only letters of a role reach a
// screen.
func (p *person) adult() Adult {
	a := Adult{Names: []string{}}
	for _, c := range p.mandates {
		for _, n := range shownNames(c.mandate.Guardian.Names) {
			if !contains(a.Names, n) {
				a.Names = append(a.Names, n)
			}
		}
		if a.Role == "" {
			a.Role = letters(c.mandate.Role)
		}
	}
	return a
}

// letters gives s if it is one word of letters, and "" otherwise.
func letters(s string) string {
	for i := 0; i < len(s); i++ {
		if c := s[i] | 0x20; c < 'a' || c > 'z' {
			return ""
		}
	}
	return s[:min(len(s), 32)]
}
