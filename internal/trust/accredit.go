package trust

import (
	"slices"
	"strings"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/vc"
)

// Errors of accreditation.
var (
	ErrNotAccredited = fault.New(fault.Conflict, "not-accredited", "the trust list holds no accreditation of this issuer")
	ErrNotSuspended  = fault.New(fault.Conflict, "not-suspended", "this accreditation is not suspended, or has ended meanwhile")
	ErrNoFinding     = fault.New(fault.NotFound, "no-such-finding", "the trust list has no such open finding")
)

// Limits of one accreditation.
const (
	maxTerms    = 64
	maxFindings = 256
)

// accreditable are the types that an accreditation is for.
var accreditable = []string{vc.TypeBirth, vc.TypeGuardianship, vc.TypeConsent}

// Accredit begins a term of an issuer's accreditation: from t.Since until
// t.Until, for these types and legal bases. A term that would make good what was
// issued before now without accreditation is refused.
func Accredit(l *vc.TrustList, issuer string, t vc.AccreditationTerm) error {
	t.State, t.Since, t.Until = vc.Accredited, second(t.Since), second(t.Until)
	t.Types, t.Bases = slices.Clone(t.Types), slices.Clone(t.Bases)
	return editIssuer(l, issuer, func(is *vc.TrustIssuer) error {
		if is.Accreditation == nil {
			is.Accreditation = &vc.Accreditation{AccreditationTerm: t}
			return nil
		}
		return begin(is.Accreditation, t)
	})
}

// Suspend says that what the issuer issues from since on is not good, until
// Reinstate. since may lie in the past.
func Suspend(l *vc.TrustList, issuer string, since time.Time) error {
	return editIssuer(l, issuer, func(is *vc.TrustIssuer) error {
		if is.Accreditation == nil {
			return ErrNotAccredited
		}
		t := vc.AccreditationTerm{State: vc.Suspended, Since: second(since)}
		// The past is judged anew from there: what was accredited later is not.
		a := is.Accreditation
		all := terms(a)
		for len(all) > 0 && !all[len(all)-1].Since.Before(t.Since) {
			all = all[:len(all)-1]
		}
		if last := len(all) - 1; last >= 0 && all[last].State == vc.Suspended {
			t, all = all[last], all[:last] // it was suspended before that
		}
		a.AccreditationTerm, a.Earlier = t, all
		return nil
	})
}

// Reinstate ends a suspension: from since on the issuer is accredited as it was
// before. What it issued in between stays bad.
func Reinstate(l *vc.TrustList, issuer string, since time.Time) error {
	since = second(since)
	return editIssuer(l, issuer, func(is *vc.TrustIssuer) error {
		a := is.Accreditation
		if a == nil {
			return ErrNotAccredited
		}
		if a.State != vc.Suspended {
			return ErrNotSuspended
		}
		for i := len(a.Earlier) - 1; i >= 0; i-- {
			if t := a.Earlier[i]; t.State == vc.Accredited {
				if !since.Before(t.Until) {
					return ErrNotSuspended.WithHint("accredit it anew, until a later day")
				}
				t.Since = since
				return begin(a, t)
			}
		}
		return ErrNotSuspended.WithHint("it was suspended from its beginning on: accredit it anew")
	})
}

// AddFinding notes what an audit of the issuer found.
func AddFinding(l *vc.TrustList, issuer string, f vc.Finding) error {
	f.At, f.ClosedAt = second(f.At), second(f.ClosedAt)
	return editIssuer(l, issuer, func(is *vc.TrustIssuer) error {
		if is.Accreditation == nil {
			return ErrNotAccredited
		}
		if slices.ContainsFunc(is.Accreditation.Findings, func(x vc.Finding) bool { return x.ID == f.ID }) {
			return ErrExists
		}
		is.Accreditation.Findings = append(is.Accreditation.Findings, f)
		return nil
	})
}

// CloseFinding says that a finding is dealt with.
func CloseFinding(l *vc.TrustList, issuer, id string, at time.Time) error {
	return editIssuer(l, issuer, func(is *vc.TrustIssuer) error {
		if is.Accreditation == nil {
			return ErrNotAccredited
		}
		for i := range is.Accreditation.Findings {
			if f := &is.Accreditation.Findings[i]; f.ID == id && f.ClosedAt.IsZero() {
				f.ClosedAt = second(at)
				return nil
			}
		}
		return ErrNoFinding
	})
}

// begin puts a term after those that are there, or in the place of one that
// would begin at the same second.
func begin(a *vc.Accreditation, t vc.AccreditationTerm) error {
	switch {
	case t.Since.Before(a.Since):
		return ErrBackwards
	case t.Since.After(a.Since):
		a.Earlier = append(a.Earlier, a.AccreditationTerm)
	}
	a.AccreditationTerm = t
	return nil
}

// terms gives all terms, oldest first.
func terms(a *vc.Accreditation) []vc.AccreditationTerm {
	if a == nil {
		return nil
	}
	return append(slices.Clone(a.Earlier), a.AccreditationTerm)
}

// sameAccreditations refuses a list that accredits for a time before now what
// the old one did not, and one that forgets a finding or changes it. An issuer
// that left the list takes its accreditation with it.
func sameAccreditations(old, next *vc.TrustList, now time.Time) error {
	for i := range old.Issuers {
		was := &old.Issuers[i]
		is := findIssuer(next, was.DID)
		if is == nil || was.Accreditation == nil {
			continue
		}
		if is.Accreditation == nil || loosens(was.Accreditation, is.Accreditation, now) {
			return ErrBackwards
		}
		for _, f := range was.Accreditation.Findings {
			n := slices.IndexFunc(is.Accreditation.Findings, func(x vc.Finding) bool { return x.ID == f.ID })
			if n < 0 {
				return ErrBackwards
			}
			g := is.Accreditation.Findings[n]
			if !g.At.Equal(f.At) || g.Severity != f.Severity || g.Summary != f.Summary || !f.ClosedAt.IsZero() && !g.ClosedAt.Equal(f.ClosedAt) {
				return ErrBackwards
			}
		}
	}
	return nil
}

// loosens reports whether at some time before now next accredits what old does
// not. What both say changes only where a term of one begins or ends.
func loosens(old, next *vc.Accreditation, now time.Time) bool {
	var turns []time.Time
	for _, t := range append(terms(old), terms(next)...) {
		turns = append(turns, t.Since)
		if !t.Until.IsZero() {
			turns = append(turns, t.Until)
		}
	}
	for _, at := range turns {
		if at.Before(now) && !within(next.At(at), old.At(at), at) {
			return true
		}
	}
	return false
}

// within reports whether all that next allows at a time, old allows.
func within(next, old *vc.AccreditationTerm, at time.Time) bool {
	switch {
	case old == nil:
		return true
	case next == nil:
		return false
	case !next.HoldsAt(at):
		return true
	case !old.HoldsAt(at):
		return false
	}
	for _, t := range next.Types {
		if !slices.Contains(old.Types, t) {
			return false
		}
	}
	if len(old.Bases) == 0 {
		return true
	}
	for _, b := range next.Bases {
		if !slices.Contains(old.Bases, b) {
			return false
		}
	}
	return len(next.Bases) > 0
}

func (c *checker) accreditation(at string, a *vc.Accreditation) {
	if a == nil {
		return
	}
	if len(a.Earlier) >= maxTerms || len(a.Findings) > maxFindings {
		c.fail(at, "must hold at most 64 terms and 256 findings")
		return
	}
	for i := range a.Earlier {
		c.term(pointer(at+"/earlier", i), &a.Earlier[i])
		next := &a.AccreditationTerm
		if i+1 < len(a.Earlier) {
			next = &a.Earlier[i+1]
		}
		if !next.Since.After(a.Earlier[i].Since) {
			c.fail(pointer(at+"/earlier", i)+"/since", "must be before that of the next term")
		}
	}
	c.term(at, &a.AccreditationTerm)
	for i := range a.Findings {
		f := &a.Findings[i]
		at := pointer(at+"/findings", i)
		if !label(f.ID) || slices.ContainsFunc(a.Findings[:i], func(x vc.Finding) bool { return x.ID == f.ID }) {
			c.fail(at+"/id", "must be 1 to 64 letters, digits, dots, slashes or hyphens, and used once")
		}
		if f.At.IsZero() || !f.ClosedAt.IsZero() && f.ClosedAt.Before(f.At) {
			c.fail(at+"/at", "must be present and not after closedAt")
		}
		if f.Severity != vc.FindingMinor && f.Severity != vc.FindingMajor && f.Severity != vc.FindingCritical {
			c.fail(at+"/severity", "must be minor, major or critical")
		}
		if !plain(f.Summary, maxText) || pointsToSomebody(f.Summary) {
			c.fail(at+"/summary", "must be a line of 1 to 256 bytes, without addresses, dates and numbers of more than four digits: it is public")
		}
	}
}

func (c *checker) term(at string, t *vc.AccreditationTerm) {
	if t.Since.IsZero() {
		c.fail(at+"/since", "must be present")
	}
	switch t.State {
	case vc.Suspended:
		if !t.Until.IsZero() || len(t.Types)+len(t.Bases) > 0 {
			c.fail(at, "a suspension has no end, types or bases")
		}
	case vc.Accredited:
		if !t.Until.After(t.Since) {
			c.fail(at+"/until", "must be present and after since")
		}
		if len(t.Types) == 0 {
			c.fail(at+"/types", "must name what the issuer is accredited for")
		}
		c.types(at, t.Types, accreditable)
		c.bases(at, t.Bases)
		if len(t.Bases) > 0 && !slices.Contains(t.Types, vc.TypeGuardianship) {
			c.fail(at+"/bases", "are for guardianships")
		}
	default:
		c.fail(at+"/state", "must be accredited or suspended")
	}
}

func label(s string) bool {
	return s != "" && len(s) <= 64 && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("./_-", r))
	})
}

// pointsToSomebody catches what must never be in a public text, as far as a
// machine can: an address, or the number of a paper, a telephone or a register.
func pointsToSomebody(s string) bool {
	digits := 0
	for _, r := range s {
		switch {
		case r == '@':
			return true
		case r >= '0' && r <= '9':
			if digits++; digits > 4 {
				return true
			}
		case r == ' ', r == '-', r == '/', r == '.':
			// Groups of one number.
		default:
			digits = 0
		}
	}
	return false
}

func cloneAccreditation(a *vc.Accreditation) *vc.Accreditation {
	if a == nil {
		return nil
	}
	c := *a
	c.AccreditationTerm = cloneTerm(a.AccreditationTerm)
	c.Earlier, c.Findings = slices.Clone(a.Earlier), slices.Clone(a.Findings)
	for i := range c.Earlier {
		c.Earlier[i] = cloneTerm(c.Earlier[i])
	}
	return &c
}

func cloneTerm(t vc.AccreditationTerm) vc.AccreditationTerm {
	t.Types, t.Bases = slices.Clone(t.Types), slices.Clone(t.Bases)
	return t
}
