package check

import (
	"github.com/kinpass/kinpass/internal/policy"
	"github.com/kinpass/kinpass/internal/vc"
)

// standing is in what quality an adult is with the child.
type standing int

const (
	guardian  standing = iota // by a mandate of their own
	officer                   // for an institution or office that is the guardian
	delegate                  // for a guardian who let them: may accompany, never consents
	companion                 // named by a consent
)

// person is one adult who is taken to be present: the holder of a key that
// signed a presentation, whoever a paper mandate names, or whom a consent
// names.
type person struct {
	as       standing
	key      string        // of the holder, "" if nothing was signed
	mandates []*credential // their own, or of the guardian for whom they act
	named    *vc.Companion // how a consent names them
	onPaper  bool
	unproven bool     // named by a consent without a key that was shown
	document likeness // how well an adult's document fits
}

// guards reports whether the person is a guardian, or acts for an institution
// that is.
func (p *person) guards() bool { return p.as == guardian || p.as == officer }

// findPersons finds who is there. A mandate with a holder key counts for the
// holder who signed; one without counts only on paper, because anybody can wrap
// a copied paper credential into a presentation of their own.
func (e *exam) findPersons() {
	byHolder := map[string]*person{}
	for _, c := range e.wards {
		id := c.mandate.ID
		switch {
		case id != "" && contains(e.holders, id):
			p := byHolder[id]
			if p == nil {
				p = &person{key: id}
				byHolder[id] = p
				e.persons = append(e.persons, p)
			}
			p.mandates = append(p.mandates, c)
		case id == "" && c.onPaper:
			e.persons = append(e.persons, &person{mandates: []*credential{c}, onPaper: true})
		case id != "" && c.onPaper && !e.cited(c):
			e.unbound = true // made for a key, shown without it
		}
	}
	for _, holder := range e.holders {
		if byHolder[holder] == nil {
			if p := e.actsFor(holder); p != nil {
				byHolder[holder] = p
				e.persons = append(e.persons, p)
			}
		}
	}
	e.findCompanions(byHolder)
}

// cited reports whether a consent beside it names this guardianship as its
// grantor's: then it is evidence and need not be the bearer's own (settled
// question 13).
func (e *exam) cited(m *credential) bool {
	for _, c := range e.consents {
		for i := range c.consent.Grantors {
			if g := &c.consent.Grantors[i]; g.Key == m.mandate.ID || g.Guardianship == m.ID {
				return true
			}
		}
	}
	return false
}

// actsFor finds the mandates under which a holder is a named officer of an
// institution, or the delegate of a person who may delegate. A delegate's key
// stands in the guardian's own mandate, so nobody can pass it on once more.
func (e *exam) actsFor(holder string) *person {
	var p *person
	for _, c := range e.wards {
		g := &c.mandate.Guardian
		if !contains(g.Delegates, holder) || c.mandate.ID == holder {
			continue
		}
		as := officer
		if g.Kind == "naturalPerson" {
			if !contains(c.mandate.Powers, "delegate") {
				continue
			}
			as = delegate
		}
		if p == nil {
			p = &person{as: as, key: holder}
		}
		if p.as == as {
			p.mandates = append(p.mandates, c)
		} else if as == officer {
			*p = person{as: as, key: holder, mandates: []*credential{c}}
		}
	}
	return p
}

// findCompanions finds whom the consents name: a holder by their key, anybody
// else only as a name that a document has to fit.
func (e *exam) findCompanions(byHolder map[string]*person) {
	keyed := false
	for _, c := range e.consents {
		for i := range c.consent.Accompanying {
			a := &c.consent.Accompanying[i]
			if a.Key == "" || !contains(e.holders, a.Key) {
				continue
			}
			p := byHolder[a.Key]
			if p == nil {
				p = &person{as: companion, key: a.Key, named: a}
				byHolder[a.Key] = p
				e.persons = append(e.persons, p)
			} else if p.named == nil {
				p.named = a
				if p.as == guardian && !p.mayTravel() {
					p.as = companion // travels by the consent, not by the mandate
				}
			}
			keyed = keyed || !p.guards()
		}
	}
	if keyed || e.anyPerson(func(p *person) bool { return p.as == delegate }) || e.guardianByKey() || e.facts.Company == CompanyAlone || e.facts.Company == CompanyGuardian {
		return
	}
	for _, c := range e.consents {
		if c.consent.Mode == vc.ModeAlone || c.consent.Mode == vc.ModeOneGuardian {
			continue
		}
		for i := range c.consent.Accompanying {
			a := &c.consent.Accompanying[i]
			if !e.namesAlready(a) {
				e.persons = append(e.persons, &person{as: companion, named: a, onPaper: c.onPaper, unproven: !c.onPaper})
			}
		}
	}
}

func (e *exam) guardianByKey() bool {
	return e.anyPerson(func(p *person) bool { return p.guards() && p.key != "" && !e.staysBehind() })
}

func (e *exam) namesAlready(a *vc.Companion) bool {
	return e.anyPerson(func(p *person) bool { return p.named != nil && sameCompanion(p.named, a) })
}

// staysBehind: the officer sees no guardian, so whoever of them presents papers
// does not travel.
func (e *exam) staysBehind() bool {
	return oneOf(e.facts.Company, CompanyAlone, CompanyThirdParty, CompanyGroup)
}

// compareDocuments holds the adults' documents against who is there. A
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
		e.documents = append(e.documents, m)
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
			if !p.onPaper && !p.unproven || p.document != notCompared {
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

// compare gives the best likeness over the ways in which the papers name a
// person, all of which are about the same adult. An institution's mandate does
// not name its officer.
func (p *person) compare(m *MRZ) likeness {
	best := notCompared
	if p.as == guardian {
		for _, c := range p.mandates {
			if l := compare(m, &c.mandate.Guardian); best == notCompared || l < best {
				best = l
			}
		}
	}
	if p.named != nil {
		if l := compare(m, companionGuardian(p.named)); best == notCompared || l < best {
			best = l
		}
	}
	if best == notCompared {
		return silent
	}
	return best
}

// onDocument reports whether the papers say who the adult is in a way that a
// document can be held against.
func (p *person) onDocument() bool {
	if p.named != nil && (p.named.Document != nil || hasZone(p.named.Names)) {
		return true
	}
	if p.as != guardian {
		return false
	}
	for _, c := range p.mandates {
		g := &c.mandate.Guardian
		if len(g.Documents) > 0 || hasZone(g.Names) {
			return true
		}
	}
	return false
}

func hasZone(names []vc.Name) bool {
	for i := range names {
		if names[i].MRZ != nil {
			return true
		}
	}
	return false
}

// mayTravel reports whether one of a person's mandates has the power to travel
// with the child.
func (p *person) mayTravel() bool {
	for _, c := range p.mandates {
		if mayAccompany(c.mandate) {
			return true
		}
	}
	return false
}

// accompanying gives the mandates that a person relies on: those with the
// power to travel with the child, or all if there is none.
func (p *person) accompanying() []*credential {
	n := 0
	for _, c := range p.mandates {
		if mayAccompany(c.mandate) {
			n++
		}
	}
	if n == 0 || n == len(p.mandates) {
		return p.mandates
	}
	out := make([]*credential, 0, n)
	for _, c := range p.mandates {
		if mayAccompany(c.mandate) {
			out = append(out, c)
		}
	}
	return out
}

// present counts the guardians who travel as different people. Papers of
// several guardians without a document that tells who is there count as one.
func (e *exam) present() int {
	var counted []*person
	loose := 0
	for _, p := range e.guardians {
		if p.onPaper && p.document != same && p.document != partly {
			loose = 1
			continue
		}
		twice := false
		for _, q := range counted {
			twice = twice || samePerson(p.mandates[0].mandate, q.mandates[0].mandate)
		}
		if !twice {
			counted = append(counted, p)
		}
	}
	return max(len(counted), loose)
}

func samePerson(a, b *vc.Guardianship) bool {
	return sameGuardian(&a.Guardian, &b.Guardian, a.Role == b.Role)
}

// sameGuardian reports whether two mandates may be of one adult with two keys,
// who would otherwise be their own co-guardian: a common document, a common
// name, or nothing that tells them apart but the role.
func sameGuardian(a, b *vc.Guardian, sameRole bool) bool {
	if a.PersonRef != "" && a.PersonRef == b.PersonRef || commonDocument(a.Documents, b.Documents) {
		return true
	}
	common, compared := commonName(a.Names, b.Names)
	return common || !compared && sameRole
}

func commonDocument(a, b []vc.Identifier) bool {
	for _, x := range a {
		for _, y := range b {
			if x.Type == y.Type && plain(x.Value) == plain(y.Value) {
				return true
			}
		}
	}
	return false
}

// commonName reports whether two lists share a whole name, and whether there
// was anything to compare.
func commonName(a, b []vc.Name) (common, compared bool) {
	for i := range a {
		for j := range b {
			x, y := a[i].MRZ, b[j].MRZ
			if x == nil || y == nil {
				continue
			}
			compared = true
			if equal(tokens(x.Primary), tokens(y.Primary)) && equal(tokens(x.Secondary), tokens(y.Secondary)) {
				return true, true
			}
		}
	}
	return false, compared
}

// sameCompanion reports whether two consents name the same adult.
func sameCompanion(a, b *vc.Companion) bool {
	if a == b || a.Key != "" && a.Key == b.Key {
		return true
	}
	if a.Key != "" && b.Key != "" {
		return false
	}
	return likeGuardian(a, companionGuardian(b))
}

// likeGuardian reports whether a consent names this adult: by a document, or by
// the whole name.
func likeGuardian(a *vc.Companion, g *vc.Guardian) bool {
	if a.Document != nil {
		for _, d := range g.Documents {
			if d.Type == a.Document.Type && plain(d.Value) == plain(a.Document.Value) {
				return true
			}
		}
	}
	common, _ := commonName(a.Names, g.Names)
	return common
}

func companionGuardian(a *vc.Companion) *vc.Guardian {
	g := &vc.Guardian{Kind: "naturalPerson", Names: a.Names, BirthDate: a.BirthDate}
	if a.Document != nil {
		g.Documents = []vc.Identifier{*a.Document}
	}
	return g
}

// judgeCompany finds out who travels with the child: what the officer sees
// goes before what the papers say.
func (e *exam) judgeCompany() {
	modes := func(mode string) bool {
		for _, c := range e.consents {
			if c.consent.Mode == mode {
				return true
			}
		}
		return false
	}
	others := e.anyPerson(func(p *person) bool { return !p.guards() })
	if !e.staysBehind() {
		// On paper a guardianship beside a consent for others is evidence,
		// unless a document shows that its guardian is there.
		evidence := e.facts.Company == "" && len(e.consents) > 0 && !modes(vc.ModeOneGuardian)
		for _, p := range e.persons {
			if p.guards() && !(evidence && p.onPaper && p.document != same && p.document != partly) {
				e.guardians = append(e.guardians, p)
			}
		}
	}
	switch {
	case len(e.guardians) > 0:
		e.company, e.companyKnown = policy.Some, true
	case e.facts.Company == CompanyAlone:
		e.company, e.companyKnown = policy.Alone, true
	case e.facts.Company == CompanyGroup:
		e.company, e.companyKnown = policy.Group, true
	case e.facts.Company == CompanyThirdParty:
		e.company, e.companyKnown = policy.ThirdParty, true
	case modes(vc.ModeGroup):
		e.company, e.companyKnown = policy.Group, true
	case others || modes(vc.ModeThirdParty) || modes(vc.ModeOneGuardian):
		e.company, e.companyKnown = policy.ThirdParty, true
	case modes(vc.ModeAlone):
		e.company, e.companyKnown = policy.Alone, true
	}
}

// names reports whether a consent lets this adult travel with the child. A
// delegate is let by the guardians who delegated.
func (e *exam) names(t *vc.TravelConsent, p *person) bool {
	for i := range t.Accompanying {
		a := &t.Accompanying[i]
		switch {
		case a.Key != "" && p.key != "":
			if a.Key == p.key {
				return true
			}
		case p.named != nil:
			if sameCompanion(a, p.named) {
				return true
			}
		case p.as == guardian:
			for _, c := range p.mandates {
				if likeGuardian(a, &c.mandate.Guardian) {
					return true
				}
			}
		}
	}
	if p.as != delegate {
		return false
	}
	for i := range t.Grantors {
		let := false
		for _, m := range p.mandates {
			let = let || m.mandate.ID == t.Grantors[i].Key
		}
		if !let {
			return false
		}
	}
	return true
}

// wrongAdult: a consent is for other adults than those with the child.
func (e *exam) wrongAdult(t *vc.TravelConsent) bool {
	if e.company == policy.Alone {
		return t.Mode != vc.ModeAlone || len(e.documents) > 0
	}
	if len(e.guardians) > 0 {
		switch {
		case t.Mode == vc.ModeAlone:
			return true
		case t.Mode == vc.ModeOneGuardian && len(t.Accompanying) == 0:
			return false
		}
		for _, p := range e.guardians {
			if e.names(t, p) {
				return false
			}
		}
		return true
	}
	if t.Mode != vc.ModeThirdParty && t.Mode != vc.ModeGroup {
		return true
	}
	named := 0
	for _, p := range e.persons {
		if p.guards() {
			continue
		}
		if !e.names(t, p) || p.document == different || p.document == another {
			return true
		}
		named++
	}
	return named == 0 || e.strangers()
}

// strangers: somebody signed a presentation who is no guardian and whom nothing
// names. A consent that names an adult without a key may mean the one who
// signed, which a document then has to show.
func (e *exam) strangers() bool {
	unknown := 0
	for _, h := range e.holders {
		if !e.anyPerson(func(p *person) bool { return p.key == h }) {
			unknown++
		}
	}
	for _, p := range e.persons {
		if p.unproven && p.named.Key == "" {
			unknown--
		}
	}
	return unknown > 0
}
