package issuer

import (
	"time"

	"github.com/kinpass/kinpass/internal/vc"
)

// Reasons why an accepted guardianship is not issued (NotIssuable).
const (
	ReasonMandateOver = "mandate-over" // effective.until has passed
	ReasonWardOfAge   = "ward-of-age"  // of age even if born on the latest possible day
)

// youngestGuardian is the age in whole years below which nobody but a parent
// can be guardian.
const youngestGuardian = 16

// CheckWard checks a guardianship against the record of the child. Both come
// from CheckGuardianship and CheckBirth. A refusal is ErrRegistration with
// Fields that point into the guardianship.
func CheckWard(g *vc.Guardianship, ward *vc.Birth, now time.Time) error {
	c := newInspection(now)
	if ward == nil || g.Ward.ChildRef != ward.ChildRef {
		c.refuse("/ward/childRef", "must be that of the ward's birth record")
		return c.refusal()
	}
	child := spanOf(ward.BirthDate)
	if child.known {
		c.wardDates(g, child)
	}
	c.beyondMajority(g, ward)
	c.guardianAge(g, ward, child)
	c.kinship(g, ward)
	c.coGuardians(g, ward)
	c.byWill(g, ward)
	return c.refusal()
}

// byWill refuses a guardian by will while the parents live: a will sleeps until
// the death is in the record (domain handbook, section 2.2). A record that names
// no living parent has nobody to wait for.
func (c *inspection) byWill(g *vc.Guardianship, ward *vc.Birth) {
	if g.LegalBasis.Type != "testamentary" {
		return
	}
	living := false
	for _, p := range ward.Parentage {
		if p.Status == "deceased" {
			return
		}
		living = living || p.Status == "known"
	}
	if living {
		c.refuse("/legalBasis/type", "must wait until the birth record calls a parent deceased")
	}
}

// wardDates refuses a mandate from before the child was born. A decision may
// come before the birth (an acknowledgement, a will), except where it needs the
// child.
func (c *inspection) wardDates(g *vc.Guardianship, child span) {
	from := c.date("/effective/from", g.Effective.From)
	c.order(child.earliest, from, "/effective/from", "must not lie before the ward's birth")
	switch g.LegalBasis.Type {
	case "adoptionSimple", "adoptionPlenary", "kafala", "publicAuthority", "humanitarianMandate", "customary":
		decided := c.date("/legalBasis/decidedOn", g.LegalBasis.DecidedOn)
		c.order(child.earliest, decided, "/legalBasis/decidedOn", "must not lie before the ward's birth")
	}
}

// beyondMajority refuses a mandate that outlasts childhood even if the ward was
// born on the latest possible day. The birthday on which the ward comes of age
// may be written as the end.
func (c *inspection) beyondMajority(g *vc.Guardianship, ward *vc.Birth) {
	until := c.date("/effective/until", g.Effective.Until)
	if of, ok := majority(g, ward); ok && until.After(of) {
		c.refuse("/effective/until", "must not lie after the ward's majority")
	}
}

// guardianAge refuses a guardian who is the child, or too young to be the
// child's guardian on every reading of the dates.
func (c *inspection) guardianAge(g *vc.Guardianship, ward *vc.Birth, child span) {
	if g.Guardian.PersonRef != "" && g.Guardian.PersonRef == ward.ChildRef {
		c.refuse("/guardian/personRef", "must not be the ward")
	}
	if g.Guardian.BirthDate == nil {
		return
	}
	guardian := spanOf(*g.Guardian.BirthDate)
	if !guardian.known {
		return
	}
	from, _ := vc.ParseDate(g.Effective.From)
	switch {
	case child.known && guardian.earliest.After(child.latest):
		c.refuse("/guardian/birthDate", "makes the guardian younger than the ward")
	case child.known && isParent(g.Role) && child.latest.Before(guardian.earliest.AddYears(youngestParent)):
		c.refuse("/guardian/birthDate", "makes the parent impossibly young at the birth")
	case !isParent(g.Role) && !from.IsZero() && from.Before(guardian.earliest.AddYears(youngestGuardian)):
		c.refuse("/guardian/birthDate", "makes the guardian too young for the mandate")
	}
}

// kinship checks a guardian against the parents that the birth names. personRef
// joins the two where both have it.
func (c *inspection) kinship(g *vc.Guardianship, ward *vc.Birth) {
	if p := parentEntry(g, ward); p != nil {
		c.knownParent(g, *p)
		return
	}
	if !byRecord(g) {
		return // a decision may know of a parent whom the record does not name yet
	}
	candidates, withRef := 0, 0
	for _, p := range ward.Parentage {
		if p.Role != g.Role && p.Role != "parent" && g.Role != "parent" || nameless(p) || p.Status == "deceased" {
			continue
		}
		candidates++
		if p.PersonRef != "" {
			withRef++
		}
	}
	switch {
	case candidates == 0:
		c.refuse("/role", "must be that of a living parent whom the birth record names")
	case g.Guardian.PersonRef != "" && withRef == candidates:
		c.refuse("/guardian/personRef", "must be that of a parent in the birth record")
	}
}

// coGuardians refuses more co-guardians by birth than the birth record has
// living parents: their consent could never be had. A record that is silent on
// the other parent leaves room for that one.
func (c *inspection) coGuardians(g *vc.Guardianship, ward *vc.Birth) {
	if !byRecord(g) || g.Exercise.Mode == "sole" {
		return
	}
	count := g.Exercise.CoGuardianCount
	if count == 0 && g.Exercise.Mode == "joint" {
		count = defaultCoGuardians
	}
	room := max(0, defaultCoGuardians-len(ward.Parentage))
	for _, p := range ward.Parentage {
		if p.Status == "known" {
			room++
		}
	}
	if count > room {
		c.refuse("/exercise/coGuardianCount", "must not be greater than the number of living parents in the birth record")
	}
}

// knownParent checks a guardian who is the parent p of the birth record.
func (c *inspection) knownParent(g *vc.Guardianship, p vc.Parent) {
	if p.Status == "deceased" {
		c.refuse("/guardian/personRef", "must not be a parent whom the birth record calls deceased")
	}
	switch {
	case isParent(g.Role) && g.Role != p.Role && g.Role != "parent" && p.Role != "parent":
		c.refuse("/role", "must agree with the parent's role in the birth record")
	case g.Role == "grandparent" || g.Role == "stepParent" || g.Role == "kafil":
		c.refuse("/role", "must not be another kinship than the birth record gives")
	}
	switch g.LegalBasis.Type {
	case "parentalResponsibilityByBirth":
		if p.Filiation == "adoption" {
			c.refuse("/legalBasis/type", "must not be by birth for an adoptive parent")
		}
	case "adoptionSimple", "adoptionPlenary":
		if p.Filiation == "birth" || p.Filiation == "maritalPresumption" {
			c.refuse("/legalBasis/type", "must not be an adoption for a parent by birth")
		}
	}
	if g.Guardian.Kind != "naturalPerson" {
		c.refuse("/guardian/kind", "must be naturalPerson for a parent of the child")
	}
	if b := g.Guardian.BirthDate; b != nil && p.BirthDate != nil && !spanOf(*b).meets(spanOf(*p.BirthDate)) {
		c.refuse("/guardian/birthDate", "must agree with the parent's in the birth record")
	}
}

// parentEntry gives the parent of the birth record who is the guardian, joined
// by personRef, or nil.
func parentEntry(g *vc.Guardianship, ward *vc.Birth) *vc.Parent {
	if ward == nil || g.Guardian.PersonRef == "" {
		return nil
	}
	for i, p := range ward.Parentage {
		if p.PersonRef == g.Guardian.PersonRef {
			return &ward.Parentage[i]
		}
	}
	return nil
}

// NotIssuable says why a guardianship that is on record gets no credential now:
// ReasonMandateOver, ReasonWardOfAge, or "" if nothing stands against it. The
// ward counts as a child as long as it may be one.
func NotIssuable(g *vc.Guardianship, ward *vc.Birth, now time.Time) string {
	today := newInspection(now).today
	if until, err := vc.ParseDate(g.Effective.Until); err == nil && until.Before(today) {
		return ReasonMandateOver
	}
	if of, ok := majority(g, ward); ok && !today.Before(of) {
		return ReasonWardOfAge
	}
	return ""
}

// majority gives the first day on which the ward is of age by any reading of
// the birth date; false if that is not known.
func majority(g *vc.Guardianship, ward *vc.Birth) (vc.Date, bool) {
	s := spanOf(ward.BirthDate)
	if !s.known {
		return vc.Date{}, false
	}
	return s.latest.AddYears(g.Termination.MajorityAge), true
}

// timelyYears is how long after a birth, in years, one person may register it.
const timelyYears = 1

// BirthNeedsApproval reports whether a second person must agree before the
// birth is issued: registrations long after the fact and records without a
// witness of the birth are how a child is invented. The dates count beside what
// the registration calls itself, also of an amended record, which keeps the act
// that it was first registered by; where it says nothing of the date of birth,
// or leaves more than a year open, nobody can say that it came in time.
func BirthNeedsApproval(b *vc.Birth) bool {
	switch b.Registration.Mode {
	case "late", "delayedByCourt", "reconstructed":
		return true
	}
	switch b.Circumstance {
	case "foundling", "reconstructed", "unaccompaniedDisplaced":
		return true
	}
	born := spanOf(b.BirthDate)
	registered, err := vc.ParseDate(b.Registration.Date)
	return err != nil || !born.known || born.earliest.AddYears(1).Before(born.latest) ||
		born.latest.AddYears(timelyYears).Before(registered)
}

// GuardianshipNeedsApproval reports whether a second person must agree before
// the guardianship is issued: all but those that follow from the birth record,
// where that names the guardian as a parent. Corrections always need one.
func GuardianshipNeedsApproval(g *vc.Guardianship, ward *vc.Birth) bool {
	return !byRecord(g) || !recordNames(g, ward)
}

// recordNames reports whether the birth record names the guardian among the
// parents: by personRef, or else by a name and a birth date that do not differ.
func recordNames(g *vc.Guardianship, ward *vc.Birth) bool {
	if parentEntry(g, ward) != nil {
		return true
	}
	if ward == nil {
		return false
	}
	for _, p := range ward.Parentage {
		if nameless(p) || p.PersonRef != "" && g.Guardian.PersonRef != "" || !shareKey(g.Guardian.Names, p.Names) {
			continue
		}
		if g.Guardian.BirthDate == nil || p.BirthDate == nil || spanOf(*g.Guardian.BirthDate).meets(spanOf(*p.BirthDate)) {
			return true
		}
	}
	return false
}

// WithParentNames gives g with the names and birth date that the birth record
// has of the guardian, where g itself has none: a guardianship may name a parent
// by personRef alone, and a credential must say whose mandate it is.
func WithParentNames(g *vc.Guardianship, ward *vc.Birth) *vc.Guardianship {
	p := parentEntry(g, ward)
	if p == nil || len(g.Guardian.Names) > 0 && g.Guardian.BirthDate != nil {
		return g
	}
	with := *g
	if len(with.Guardian.Names) == 0 {
		with.Guardian.Names = p.Names
	}
	if with.Guardian.BirthDate == nil {
		with.Guardian.BirthDate = p.BirthDate
	}
	return &with
}
