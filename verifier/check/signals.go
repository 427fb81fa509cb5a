package check

import "github.com/kinpass/kinpass/internal/vc"

// signals are the inputs of the signals (domain handbook, section 9.2) that
// need no network. The list is closed: counts, ages of papers and of the child,
// and what kind of paper it is. Who somebody is, where they come from, what
// they believe or are called is no input, and no signal is worse than amber: it
// says that a second look is worth it.
type signals struct {
	Children       int  // of which the adult is no guardian, in this session
	MandateDays    int  // since the youngest mandate relied on took effect, where it is not by birth; -1 for none
	Adopted        bool // that mandate is an adoption under the Hague Convention of 1993, Art. 23
	Countersigned  bool // a State office countersigned that mandate
	Late           bool // the birth was registered late or reconstructed
	RegisteredDays int  // since the birth was registered
	AgeMonths      int  // of the child, with the month that has begun, the oldest that the record allows
	Displaced      bool // a foundling, or a child who fled: late papers are expected
	StateGuardian  bool // a mandate of a public authority is relied on
	Attempts       int  // uses of a consent that did not hold, within 30 days, with this one
}

// Thresholds of the signals.
const (
	manyChildren    = 4
	newMandateDays  = 30
	newRecordDays   = 60
	infantMonths    = 12
	repeatedFailure = 2
)

// manyUnrelated is S2. A journey with a group is not counted (see bringing).
func (s *signals) manyUnrelated() bool { return s.Children >= manyChildren }

// newPair is S3. Adoptions that a central authority certified, and guardians
// whom a State confirmed, begin with a journey and are expected.
func (s *signals) newPair() bool {
	return s.MandateDays >= 0 && s.MandateDays < newMandateDays && !s.Adopted && !s.Countersigned
}

// newRecord is S5. Children without papers get them late; with a guardian of
// the State that is no sign of anything.
func (s *signals) newRecord() bool {
	return s.Late && s.RegisteredDays < newRecordDays && s.AgeMonths > infantMonths && !(s.Displaced && s.StateGuardian)
}

// failedAgain is S6.
func (s *signals) failedAgain() bool { return s.Attempts >= repeatedFailure }

// readSignals fills in the inputs from what was verified.
func (e *exam) readSignals() signals {
	s := signals{MandateDays: -1, Attempts: e.attempts}
	for _, b := range e.bringing() {
		n := e.history.brought(b.Adult, e.facts.Session, e.now)
		if !e.history.broughtAlready(&b, e.now) {
			n++
		}
		s.Children = max(s.Children, n, len(e.together[b.Adult]))
	}
	for _, m := range e.reliedOn {
		g := m.mandate
		s.StateGuardian = s.StateGuardian || g.LegalBasis.Type == "publicAuthority"
		from, err := vc.ParseDate(g.Effective.From)
		if err != nil || g.LegalBasis.Type == "parentalResponsibilityByBirth" {
			continue
		}
		adopted := g.LegalBasis.Hague1993Art23 != nil && *g.LegalBasis.Hague1993Art23
		countersigned := e.bundle.states[g.LegalBasis.CountersignedBy] || g.LegalBasis.Type == "publicAuthority"
		had, has := s.Adopted || s.Countersigned, adopted || countersigned
		// One that is expected to be new does not hide another that is not.
		if d := max(0, from.DaysUntil(e.day)); s.MandateDays < 0 || had && !has || had == has && d < s.MandateDays {
			s.MandateDays, s.Adopted, s.Countersigned = d, adopted, countersigned
		}
	}
	if e.born == nil {
		return s
	}
	s.Late = oneOf(e.born.Registration.Mode, "late", "delayedByCourt", "reconstructed")
	s.Displaced = oneOf(e.born.Circumstance, "foundling", "unaccompaniedDisplaced", "refugeeHostState", "inTransit")
	if d, err := vc.ParseDate(e.born.Registration.Date); err == nil {
		s.RegisteredDays = d.DaysUntil(e.day)
	}
	if earliest, _, ok := e.born.BirthDate.Span(); ok {
		s.AgeMonths = (e.day.Year-earliest.Year)*12 + int(e.day.Month-earliest.Month)
		if e.day.Day > earliest.Day {
			s.AgeMonths++
		}
	} else {
		s.AgeMonths = 12 * 18
	}
	return s
}
