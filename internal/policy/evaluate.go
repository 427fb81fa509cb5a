package policy

import (
	"slices"
	"time"

	"github.com/kinpass/kinpass/internal/vc"
)

// company is who with the child may decide for it.
type company int

const (
	withNone company = iota
	withSome
	withAll
)

// view is a Situation as one policy sees it.
type view struct {
	p *Policy
	s *Situation

	home      []string // the policy's countries, or the country whose border it is
	company   company
	guardians int // how many must decide together
	here      int // how many of them travel

	// strict are the facts that count as what is worse when they are unknown;
	// the others count as what is better. Evaluate is strict about all, and
	// asks about single ones to learn which would help.
	strict facts
	used   facts // unknown facts that were asked for
}

const all = ^facts(0)

// Evaluate says what the policy misses in a situation. It asks nothing else,
// changes nothing and takes bounded time.
//
// The first rule whose condition holds decides, those with overrides before
// the others. Where a fact is unknown, both answers are followed and the worse
// counts (settled question 16). A child to whom the policy does not speak is
// judged by the policy for every country (Generic, or the Set's own); one that
// is not below the policy's age is a minor to nobody here and nothing is asked.
//
// Whatever a policy says, no child leaves without its guardians: nobody with it
// who decides and no consent is CONSENT_MISSING, and fewer consents than
// guardians who must decide together is CONSENT_QUORUM, both red. A child who
// travels alone to nobody is RECEIVER_UNVERIFIED, and a mandate's own limit of
// the absence counts.
func (p *Policy) Evaluate(s Situation) Result {
	r := Result{}
	if s.Age >= p.until(&s) {
		return r
	}
	v := view{p: p, s: &s}
	v.count()
	v.strict = all
	speaks := v.speaks()
	if speaks.known == Unknown {
		v.used |= speaks.lack
	}
	worst := v.outcome()
	r.Applies = speaks.known != No
	r.Findings = worst.findings()
	r.HighRisk = r.Applies && p.highRisk.holds(&v).known != No
	if v.used == 0 || len(r.Findings) == 0 {
		return r
	}
	r.Ask = v.ask(worst, speaks.known == Unknown)
	return r
}

// until gives the age at which a child is nobody's minor here. A country says that
// for its own border; the policy for every country goes by the law of the child's
// guardianship where that says more.
func (p *Policy) until(s *Situation) int {
	if len(p.Countries) > 0 {
		return p.ageBelow
	}
	return max(p.ageBelow, s.Majority)
}

// ask lists the unknown facts that spoil the outcome: taken as better for every
// other fact, it is not the best one as long as this fact counts as worse.
func (v *view) ask(worst outcome, scope bool) []string {
	used, spoil := v.used, facts(0)
	try := func(judge func() outcome) {
		v.strict = 0
		best := judge()
		if best == worst {
			return
		}
		for i := range asked {
			if f := asked[i].fact; used&f != 0 {
				if v.strict = f; judge() != best {
					spoil |= f
				}
			}
		}
	}
	try(v.outcome)
	if scope {
		// That the policy might not speak about this child must not hide what
		// would help if it does.
		try(v.own)
	}
	var out []string
	for i := range asked {
		if a := &asked[i]; spoil&a.fact != 0 {
			out = append(out, a.word)
			if a.fact == otherCountry && v.s.Direction == Entry {
				out[len(out)-1] = "exit"
			}
		}
	}
	return out
}

// outcome is a set of findings: one bit per code, and which of them are red.
type outcome struct{ found, red uint16 }

// Codes, in the order of the officer's table.
var codes = []string{"ABSENCE_TOO_LONG", "CONSENT_MISSING_CO", "CONSENT_MISSING", "CONSENT_QUORUM", "CONSENT_SCOPE", "CONSENT_ASSURANCE_LOW", "CONSENT_OLD", "RECEIVER_UNVERIFIED", "PARENTAGE_MISSING"}

const (
	absenceTooLong uint16 = 1 << iota
	consentMissingCo
	consentMissing
	consentQuorum
	consentScope
	consentAssuranceLow
	consentOld
	receiverUnverified
	parentageMissing
)

func (o *outcome) add(code uint16, s Severity) {
	o.found |= code
	if s == Red {
		o.red |= code
	}
}

func (o outcome) with(x outcome) outcome { return outcome{o.found | x.found, o.red | x.red} }

// weight orders outcomes by colour: nothing, amber, red.
func (o outcome) weight() int {
	switch {
	case o.red != 0:
		return 2
	case o.found != 0:
		return 1
	}
	return 0
}

// choose gives the worse of two outcomes, or the better; the first of two that
// weigh the same.
func choose(a, b outcome, better bool) outcome {
	x, y := a.weight(), b.weight()
	if better && y < x || !better && y > x {
		return b
	}
	return a
}

func (o outcome) findings() []Finding {
	if o.found == 0 {
		return nil
	}
	out := make([]Finding, 0, 4)
	for i, c := range codes {
		if o.found&(1<<i) == 0 {
			continue
		}
		f := Finding{Code: c}
		if o.red&(1<<i) != 0 {
			f.Severity = Red
		}
		out = append(out, f)
	}
	return out
}

// count finds out who with the child decides.
func (v *view) count() {
	s := v.s
	if v.home = v.p.Countries; len(v.home) == 0 && s.Country != "" {
		v.home = []string{s.Country}
	}
	v.guardians = v.deciding(v.p.notCounted)
	v.here = max(0, s.Here)
	if s.Company < Some || !v.actAsParents() {
		v.here = 0
	}
	switch {
	case v.here == 0:
		v.company = withNone
	case s.Sole || v.here >= v.guardians || s.Independent && v.p.independentOK:
		v.company = withAll
	default:
		v.company = withSome
	}
}

// deciding counts the guardians who must decide together, without the parents
// of these statuses. Those of whom the register knows nothing are left out only
// of a number that nobody named: a mandate that says two was given in knowledge
// of the register. A parent who died since is left out of both, but only where
// parents are what the number counts.
func (v *view) deciding(statuses []string) int {
	n := v.s.Guardians
	if n < 1 {
		n = 2
	}
	if !v.s.BirthShown {
		return n
	}
	parents := len(v.s.Parents)
	if n > parents {
		return n
	}
	for _, p := range v.s.Parents {
		if (v.s.Assumed || p.Status == "deceased" || p.Status == "powerRemoved") && slices.Contains(statuses, p.Status) {
			n--
		}
	}
	return max(1, n)
}

// parental are the roles that are a parent's.
var parental = []string{"mother", "father", "parent"}

// parentalBases are the legal bases of a parent's mandate.
var parentalBases = []string{"parentalResponsibilityByBirth", "acknowledgement", "parentalAgreement", "adoptionSimple", "adoptionPlenary"}

// actAsParents reports whether the guardians who are there are parents or act
// as parents: where the policy says who does, every other mandate lets nobody
// cross a border.
func (v *view) actAsParents() bool {
	if len(v.p.acting) == 0 {
		return true
	}
	if len(v.s.Roles) == 0 {
		return false
	}
	others, parents := false, false
	for _, r := range v.s.Roles {
		if slices.Contains(parental, r) {
			parents = true
			continue
		}
		others = true
		if !slices.ContainsFunc(v.p.acting, func(a acting) bool { return slices.Contains(a.roles, r) }) {
			return false
		}
	}
	if !others {
		return true
	}
	for _, b := range v.s.Bases {
		if parents && slices.Contains(parentalBases, b) {
			continue
		}
		if !slices.ContainsFunc(v.p.acting, func(a acting) bool { return slices.Contains(a.bases, b) && meets(a.roles, v.s.Roles) }) {
			return false
		}
	}
	return len(v.s.Bases) > 0
}

func meets(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}

func (v *view) alone() bool { return v.s.Company == Alone && v.s.Here < 1 }

// among answers whether a country is one of the policy's.
func (v *view) among(country string, f facts) answer { return v.listed(v.home, country, f) }

func (v *view) listed(list []string, country string, f facts) answer {
	if country == "" || len(v.home) == 0 {
		return lacking(f)
	}
	return is(slices.Contains(list, country))
}

func (v *view) contains(list []string, word string) answer {
	if len(list) == 0 {
		return lacking(papers)
	}
	return is(slices.Contains(list, word))
}

func (v *view) given(k Known, f facts) answer {
	if k == Unknown {
		return lacking(f)
	}
	return answer{known: k}
}

func (v *view) companionAdult() answer {
	if v.alone() {
		return is(false)
	}
	return v.given(v.s.CompanionAdult, companionAge)
}

// back answers whether the child is back within so many days.
func (v *view) back(days int) answer {
	if v.s.ReturnBy.IsZero() || v.s.Day.IsZero() {
		return lacking(returnBy)
	}
	n := v.s.Day.DaysUntil(v.s.ReturnBy)
	return is(n >= 0 && n <= days)
}

// speaks answers whether the policy speaks about this child: it has one of the
// nationalities or lives in one of the places, where the policy names any.
func (v *view) speaks() answer {
	if len(v.p.nationality) == 0 && len(v.p.habitual) == 0 {
		return is(true)
	}
	return v.listed(v.p.nationality, v.s.ChildNationality, childNationality).and(is(len(v.p.nationality) > 0)).
		or(v.listed(v.p.habitual, v.s.Residence, residence).and(is(len(v.p.habitual) > 0)))
}

// abroad answers whether the rules for children who live abroad are to be
// asked: the residence was certified and not too long ago.
func (v *view) abroad() answer {
	if !v.p.hasAbroad {
		return is(false)
	}
	proof := lacking(residenceProof)
	if d := v.s.ResidenceProof; !d.IsZero() {
		proof = is(!v.s.Day.IsZero() && !before(v.s.Day, d) && !before(addMonths(d, v.p.proofMonths), v.s.Day))
	}
	return proof.and(v.among(v.s.Residence, residence).not())
}

// outcome judges the situation, with what is unknown taken as strict says.
func (v *view) outcome() outcome {
	return v.branch(v.speaks(), v.own, v.generic).with(v.floor())
}

// own judges by the policy's own rules: those with overrides, those for a child
// who lives abroad, then the others.
func (v *view) own() outcome {
	return v.first(v.p.overriding, func() outcome {
		return v.branch(v.abroad(), func() outcome { return v.first(v.p.abroad, v.usual) }, v.usual)
	})
}

func (v *view) usual() outcome { return v.first(v.p.rules, v.unruled) }

// unruled is asked where no rule spoke. Parse lets no policy come here.
func (v *view) unruled() outcome { return outcome{found: consentMissing, red: consentMissing} }

// generic judges a child to whom this policy does not speak by the one for
// every country, which speaks to all.
func (v *view) generic() outcome {
	g := v.p.others
	if g == nil {
		g = Generic()
	}
	if v.s.Age >= g.until(v.s) {
		return outcome{}
	}
	x := view{p: g, s: v.s, strict: v.strict}
	x.count()
	out := x.outcome()
	v.used |= x.used
	return out
}

// branch follows yes, no, or where the answer is unknown both, and keeps the
// worse or the better.
func (v *view) branch(a answer, yes, no func() outcome) outcome {
	switch a.known {
	case Yes:
		return yes()
	case No:
		return no()
	}
	v.used |= a.lack
	return choose(yes(), no(), a.lack&v.strict == 0)
}

// first judges by the first rule that holds.
func (v *view) first(rules []rule, otherwise func() outcome) outcome {
	for i := range rules {
		r := &rules[i]
		a := r.when.holds(v)
		switch a.known {
		case Yes:
			return v.needs(r.needs)
		case No:
			continue
		}
		v.used |= a.lack
		return choose(v.needs(r.needs), v.first(rules[i+1:], otherwise), a.lack&v.strict == 0)
	}
	return otherwise()
}

// floor is what every border asks.
func (v *view) floor() outcome {
	var out outcome
	s := v.s
	if s.MaxAbsenceDays > 0 && v.company != withNone {
		v.want(&out, v.back(s.MaxAbsenceDays), absenceTooLong, Amber)
	}
	v.awaited(&out, expected)
	// Parents of whom the register knows nothing, or who died, are asked
	// nowhere (domain handbook, section 3.3).
	n := v.deciding(statuses[1:])
	here := max(0, s.Here)
	if s.Company < Some {
		here = 0
	}
	agreed, byCourt := 0, false
	for i := range s.Consents {
		agreed += max(0, s.Consents[i].Grantors)
		byCourt = byCourt || s.Consents[i].Court
	}
	switch {
	case byCourt || here > 0 && (s.Sole || s.Independent):
	case here == 0 && agreed == 0:
		out.add(consentMissing, Red)
	case here+agreed < n && (agreed > 0 || n-here > 1):
		out.add(consentQuorum, Red)
	}
	return out
}

// want adds a finding unless the answer is yes; of an unknown one only where
// strict says so.
func (v *view) want(o *outcome, a answer, code uint16, s Severity) {
	switch a.known {
	case Yes:
		return
	case Unknown:
		v.used |= a.lack
		if a.lack&v.strict == 0 {
			return
		}
	}
	o.add(code, s)
}

// young is below what age a child who travels alone to nobody in particular is
// red (domain handbook, section 3.4, row 36).
const young = 12

// expected is what every border asks of who awaits a child that travels alone.
var expected = []string{"name", "contact"}

// awaited judges what is known of who awaits a child that travels alone.
func (v *view) awaited(out *outcome, parts []string) {
	if !v.alone() || v.s.Receiver.Verified || v.s.Receiver.has(parts) {
		return
	}
	s := Amber
	if v.s.Age < young {
		s = Red
	}
	out.add(receiverUnverified, s)
}

func (v *view) needs(needs []need) outcome {
	var out outcome
	for i := range needs {
		n := &needs[i]
		switch {
		case n.consent != "":
			v.agreed(&out, n)
		case n.adult:
			// Without any consent there is nothing that could name somebody.
			if v.company == withNone && !v.alone() && len(v.s.Consents) > 0 {
				v.want(&out, is(v.s.CompanionNamed).and(v.companionAdult()), consentScope, Red)
			}
		case n.receiver != nil:
			v.awaited(&out, n.receiver)
		case n.parentage:
			v.want(&out, is(v.s.BirthShown && len(v.s.Parents) > 0), parentageMissing, v.p.missing)
		case n.absence > 0:
			v.want(&out, v.back(n.absence), absenceTooLong, Amber)
		}
	}
	return out
}

func (r Receiver) has(parts []string) bool {
	for _, p := range parts {
		switch {
		case p == "name" && r.Name, p == "address" && r.Address, p == "contact" && r.Contact, p == "document" && r.Document:
		default:
			return false
		}
	}
	return true
}

// agreed judges a need of consent. Four questions are asked one after the
// other, each of the consents that passed those before: who agreed at all, for
// how long and for what, at which level, and how long ago. The first for which
// too few guardians are left gives the finding. A court's agreement stands for
// every guardian who did not give theirs; what guardians signed before a court is
// theirs, and a court's only where a court is what is asked for.
func (v *view) agreed(out *outcome, n *need) {
	missing := v.guardians - v.here
	if n.consent == court {
		missing = 1
	}
	if missing <= 0 {
		return
	}
	var given, inScope, enough, fresh int
	for i := range v.s.Consents {
		c := &v.s.Consents[i]
		k := max(0, c.Grantors)
		switch {
		case c.Court, n.consent == court && c.Level == vc.LevelJudicial:
			k = missing
		case n.consent == court:
			// Given, and not what is asked for.
			given++
			if v.inScope(c) {
				inScope++
			}
			continue
		}
		given += k
		if !v.inScope(c) {
			continue
		}
		if inScope += k; vc.LevelRank(c.Level) < n.rank {
			continue
		}
		if enough += k; n.maxAge > 0 && v.olderThan(c, n.maxAge) {
			continue
		}
		fresh += k
	}
	switch {
	case given == 0 && v.company == withNone:
		out.add(consentMissing, Red)
	case given == 0:
		out.add(consentMissingCo, v.p.missing)
		if missing > 1 { // no better than one of them
			out.add(consentQuorum, Red)
		}
	case given < missing:
		out.add(consentQuorum, Red)
	case inScope < missing:
		out.add(consentScope, Red)
	case enough < missing:
		out.add(consentAssuranceLow, v.p.missing)
	case fresh < missing:
		out.add(consentOld, Amber)
	}
}

// inScope reports whether a consent is still in the policy's default term, and
// lets the child settle abroad where that is what the journey is for.
func (v *view) inScope(c *Consent) bool {
	if v.s.Relocation && !c.Relocation && !v.p.mayRelocate {
		return false
	}
	return c.Ends || !v.olderThan(c, v.p.term)
}

// olderThan reports whether a consent was given more than so many months
// before the crossing. One without a date, or dated ahead, is.
func (v *view) olderThan(c *Consent, months int) bool {
	return c.GrantedOn.IsZero() || v.s.Day.IsZero() || before(v.s.Day, c.GrantedOn) || before(addMonths(c.GrantedOn, months), v.s.Day)
}

// addMonths gives the same day so many months later, or the last day of that
// month where it is shorter.
func addMonths(d vc.Date, months int) vc.Date {
	n := d.Year*12 + int(d.Month) - 1 + months
	year, month := n/12, time.Month(n%12+1)
	last := 31
	switch month {
	case time.April, time.June, time.September, time.November:
		last = 30
	case time.February:
		if last = 28; year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			last = 29
		}
	}
	return vc.Date{Year: year, Month: month, Day: min(d.Day, last)}
}

// before compares two days without a clock, which takes a tenth of the time.
func before(d, e vc.Date) bool {
	if d.Year != e.Year {
		return d.Year < e.Year
	}
	if d.Month != e.Month {
		return d.Month < e.Month
	}
	return d.Day < e.Day
}
