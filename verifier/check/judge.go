package check

import (
	"slices"

	"github.com/kinpass/kinpass/internal/policy"
	"github.com/kinpass/kinpass/internal/vc"
)

// judge draws from what was read the conclusions that several rules share.
func (e *exam) judge() {
	e.sort()
	e.born = e.record()
	e.judgeAge()
	e.judgeConsents()
	e.findPersons()
	e.compareDocuments()
	e.judgeCompany()
	e.judgeWho()
	e.judgeScope()
	e.remembered()
	e.askPolicies()
}

// sort puts the credentials into their kinds, and those about another child
// aside.
func (e *exam) sort() {
	var refs []string
	about := func(ref string) {
		if !contains(refs, ref) {
			refs = append(refs, ref)
		}
	}
	for _, c := range e.creds {
		switch {
		case c.birth != nil:
			e.births = append(e.births, c)
			about(c.birth.ChildRef)
		case c.mandate != nil:
			e.mandates = append(e.mandates, c)
		}
	}
	if len(e.births) == 0 && len(e.mandates) > 0 {
		about(e.mandates[0].mandate.Ward.ChildRef)
	}
	for _, c := range e.creds {
		if c.consent == nil {
			continue
		}
		if len(refs) == 0 {
			about(c.consent.ChildRef)
		}
		if contains(refs, c.consent.ChildRef) {
			e.consents = append(e.consents, c)
		} else {
			e.linkBroken = true
		}
	}
	e.linkBroken = e.linkBroken || len(refs) > 1
	for _, c := range e.mandates {
		if contains(refs, c.mandate.Ward.ChildRef) {
			e.wards = append(e.wards, c)
		} else {
			e.linkBroken = true
		}
	}
}

// judgeAge compares the youngest age that the record allows with the age of
// majority: 18, or more where a mandate with power over travel says so. A day
// of travel that lies ahead makes nobody older today.
func (e *exam) judgeAge() {
	majority := 18
	for _, c := range e.mandates {
		if a := c.mandate.Termination.MajorityAge; a <= 21 && travels(c.mandate) {
			majority = max(majority, a)
		}
	}
	e.majority = majority
	today := vc.DateOf(e.now)
	if e.day.Before(today) {
		today = e.day
	}
	e.ofAge = len(e.births) > 0 && !e.linkBroken
	e.age = 200
	for _, c := range e.births {
		earliest, latest, known := c.birth.BirthDate.Span()
		e.age = min(e.age, wholeYears(latest, today))
		switch {
		case c.unclear, c.disowned():
			e.ofAge = false
		case !known:
			e.ofAge, e.ageUncertain = false, true
			e.age = 0
		case today.Before(latest.AddYears(majority)):
			e.ofAge = false
			e.ageUncertain = e.ageUncertain || !today.Before(earliest.AddYears(majority))
		}
	}
	if len(e.births) == 0 {
		e.age = 0
	}
	e.ageUncertain = e.ageUncertain && !e.ofAge
}

// travels reports whether a mandate has a power over travel.
func travels(g *vc.Guardianship) bool {
	return contains(g.Powers, "travelAccompany") || contains(g.Powers, "travelConsent")
}

// wholeYears gives the age of who was born on one day on another.
func wholeYears(born, on vc.Date) int {
	if born.IsZero() || on.Before(born) {
		return 0
	}
	n := on.Year - born.Year
	if on.Before(born.AddYears(n)) {
		n--
	}
	return n
}

// judgeWho finds out who must consent, and who did.
func (e *exam) judgeWho() {
	h := household{company: e.company}
	for _, p := range e.persons {
		if p.as != delegate && !slices.Contains(e.guardians, p) {
			continue
		}
		for _, c := range p.accompanying() {
			e.reliedOn = append(e.reliedOn, c)
			if p.guards() {
				h.relied = append(h.relied, c.mandate)
			}
		}
	}
	for _, c := range e.wards {
		if travels(c.mandate) && !e.mandateOver(c) && !e.notYet(c) && e.expired(c) <= recently {
			h.mandates = append(h.mandates, c.mandate)
		}
	}
	if len(h.mandates) == 0 {
		h.mandates = h.relied
	}
	if e.born != nil {
		h.parents = e.born.Parentage
	}
	e.here = e.present()
	h.here = e.here
	e.required = whoMustConsent(h)
	if e.companyKnown {
		e.company = e.required.company
	}
	e.agree()
	for _, c := range e.grantors {
		if !slices.Contains(e.reliedOn, c) {
			e.reliedOn = append(e.reliedOn, c)
			e.absent++
		}
	}
	if e.ofAge && e.companyKnown {
		e.ofAge = !e.minorByPolicy()
	}
	if e.needless = e.goesWithout(); e.needless {
		e.given = nil
	}
}

// minorByPolicy: a country for which this person is still a child.
func (e *exam) minorByPolicy() bool {
	s := e.situation()
	for _, side := range [...]policy.Direction{policy.Exit, policy.Entry} {
		s.Direction, s.Country, s.Other = side, e.facts.Exit, e.facts.Entry
		if side == policy.Entry {
			s.Country, s.Other = e.facts.Entry, e.facts.Exit
		}
		if e.bundle.rules(s.Country, side).Evaluate(s).Applies {
			return true
		}
	}
	return false
}

// asked reports whether anybody's consent can matter: a child is to travel, not
// everybody who decides is there, and whoever is may not act alone.
func (e *exam) asked() bool {
	return !e.ofAge && e.companyKnown && e.company != policy.All && !e.needless
}

// goesWithout reports whether a guardian who may act without the others needs
// nobody's consent in either country. What is shown all the same is not held
// against them.
func (e *exam) goesWithout() bool {
	if e.company != policy.Some || e.required.need > 0 || len(e.consents) == 0 {
		return false
	}
	s := e.situation()
	s.Consents = nil
	for _, side := range [...]policy.Direction{policy.Exit, policy.Entry} {
		s.Direction, s.Country, s.Other = side, e.facts.Exit, e.facts.Entry
		if side == policy.Entry {
			s.Country, s.Other = e.facts.Entry, e.facts.Exit
		}
		for _, f := range e.bundle.rules(s.Country, side).Evaluate(s).Findings {
			if f.Code != CodeAbsenceTooLong && f.Code != CodeParentageMissing {
				return false
			}
		}
	}
	return true
}

// judgeScope finds out whether the consents are for this journey.
func (e *exam) judgeScope() {
	for _, c := range e.consents {
		t := c.consent
		c.outside = e.outside(c)
		c.offRoute = !e.onRoute(&t.Trip)
		c.wrongAdult = e.wrongAdult(t)
	}
}

// outside: the journey is not in the time that was agreed to.
func (e *exam) outside(c *credential) bool {
	t := &c.consent.Trip
	if d, err := vc.ParseDate(t.NotBefore); err != nil || e.day.Before(d) {
		return true
	}
	if d, err := vc.ParseDate(c.consent.GrantedOn); err != nil || e.day.Before(d) {
		return true
	}
	if t.NotAfter != "" {
		if d, err := vc.ParseDate(t.NotAfter); err != nil || e.day.After(d) {
			return true
		}
	}
	if t.ReturnBy != "" && !e.facts.ReturnBy.IsZero() {
		if d, err := vc.ParseDate(t.ReturnBy); err != nil || e.facts.ReturnBy.After(d) {
			return true
		}
	}
	return e.expired(c) >= 0 || e.day.After(vc.DateOf(c.ValidTo)) || e.leavesLate(t)
}

// leavesLate: the child should be back by now, and this is not the way home. To
// come home late is better than not to.
func (e *exam) leavesLate(t *vc.Trip) bool {
	d, err := vc.ParseDate(t.ReturnBy)
	return err == nil && e.day.After(d) && (e.facts.Entry == "" || e.facts.Entry != t.DepartFrom)
}

// onRoute: the countries entered are those of the journey, in either direction.
func (e *exam) onRoute(t *vc.Trip) bool {
	for _, c := range [...]string{e.facts.Exit, e.facts.Entry} {
		if c != "" && c != t.DepartFrom && !contains(t.Destinations, c) && !contains(t.Transit, c) {
			return false
		}
	}
	return true
}

// defaultCrossings of a consent that names none: there and back.
const defaultCrossings = 2

// remembered asks what this post knows of earlier uses of the consents.
func (e *exam) remembered() {
	if !e.asked() {
		return
	}
	for _, c := range e.consents {
		name := e.tokenOf(c)
		limit := c.consent.Trip.Crossings
		if limit == 0 {
			limit = defaultCrossings
		}
		used := e.history.crossings(name, e.shown, e.facts.Session, e.now) >= limit
		e.usedUp = e.usedUp || used
		before, thisOne := e.history.failures(name, e.shown, e.facts.Session, e.now)
		if thisOne || used || c.outside || c.offRoute {
			before++
		}
		e.attempts = max(e.attempts, before)
	}
}

// tokenOf is how a post remembers a consent: grantors of one journey share it.
func (e *exam) tokenOf(c *credential) string {
	return token("consent", c.consent.Nonce, c.consent.ChildRef)
}

// remember gives what this check adds to the history of the post. A crossing
// counts unless the child was stopped.
func (e *exam) remember(colour Colour) History {
	more := History{Seen: e.seen, Places: e.placesOf()}
	if e.facts.Session != "" {
		for _, b := range e.bringing() {
			if !e.history.broughtAlready(&b, e.now) {
				more.Children = append(more.Children, b)
			}
		}
	}
	if !e.asked() {
		return more
	}
	at := e.now.UTC()
	for i, c := range e.consents {
		name := e.tokenOf(c)
		again := false
		for _, before := range e.consents[:i] {
			again = again || e.tokenOf(before) == name
		}
		if again {
			continue
		}
		if colour != Red && !e.history.crossed(name, e.shown, e.facts.Session, e.now) {
			until := c.ValidTo
			if last := at.Add(keepCrossing); until.After(last) {
				until = last
			}
			more.Crossings = append(more.Crossings, Crossing{Consent: name, Shown: e.shown, Session: e.facts.Session, At: at, Until: until.UTC()})
		}
		failed := e.usedUp || c.outside || c.offRoute
		if _, thisOne := e.history.failures(name, e.shown, e.facts.Session, e.now); failed && !thisOne {
			more.Failures = append(more.Failures, Failure{Consent: name, Shown: e.shown, Session: e.facts.Session, At: at, Until: at.Add(keepFailures)})
		}
	}
	return more
}

// bringing tells, for each adult who is no guardian of the child, that they
// bring it, in the form in which a post remembers it. A journey with a group is
// not counted: its guardians agreed to it.
func (e *exam) bringing() []Brought {
	if e.born == nil || e.ofAge {
		return nil
	}
	group := len(e.consents) > 0
	for _, c := range e.consents {
		group = group && c.consent.Mode == vc.ModeGroup && !c.withdrawn() && !c.wrongAdult && !c.outside && !c.offRoute
	}
	if group {
		return nil
	}
	var out []Brought
	for _, holder := range e.holders {
		if e.anyPerson(func(p *person) bool { return p.key == holder && p.guards() }) {
			continue
		}
		out = append(out, Brought{Adult: token("brought-by", e.facts.Session, holder), Child: token("brought", e.facts.Session, e.born.ChildRef),
			Session: e.facts.Session, Until: e.now.Add(keepChildren).UTC()})
	}
	return out
}

// record gives the birth that the papers are about, the highest version of it;
// nil if there is none, or if there are births of several children.
func (e *exam) record() *vc.Birth {
	var best *vc.Birth
	for _, c := range e.births {
		switch {
		case c.disowned():
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
		if !e.companyKnown || !p.guards() || slices.Contains(e.guardians, p) {
			c.Adults = append(c.Adults, p.adult())
		}
	}
	return c
}

// adult tells how the papers name a person. Only letters of a role reach a
// screen.
func (p *person) adult() Adult {
	a := Adult{Names: []string{}}
	add := func(names []vc.Name) {
		for _, n := range shownNames(names) {
			if !contains(a.Names, n) {
				a.Names = append(a.Names, n)
			}
		}
	}
	switch p.as {
	case guardian:
		for _, c := range p.mandates {
			add(c.mandate.Guardian.Names)
			if a.Role == "" {
				a.Role = letters(c.mandate.Role)
			}
		}
	case officer:
		a.Role = "officer"
	case delegate:
		a.Role = "delegate"
	}
	if p.named != nil {
		add(p.named.Names)
		if a.Role == "" {
			a.Role = letters(p.named.Relation)
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
