package issuer

import (
	"slices"
	"time"

	"github.com/kinpass/kinpass/internal/vc"
)

// sameGuardian reports two guardianships of one ward that are one person's: by
// reference where both have one, by a document, or else by a name with birth
// dates that do not differ. What the ward's birth says of a parent counts as
// said.
func sameGuardian(a, b *vc.Guardianship, ward *vc.Birth) bool {
	x, y := WithParentNames(a, ward).Guardian, WithParentNames(b, ward).Guardian
	switch {
	case slices.ContainsFunc(x.Documents, func(d vc.Identifier) bool { return slices.Contains(y.Documents, d) }):
		return true
	case x.PersonRef != "" && y.PersonRef != "":
		return x.PersonRef == y.PersonRef
	case !shareKey(x.Names, y.Names):
		return false
	}
	return x.BirthDate == nil || y.BirthDate == nil || spanOf(*x.BirthDate).meets(spanOf(*y.BirthDate))
}

// overlap reports two mandates that are in force on a common day. A date that
// is missing is open.
func overlap(a, b *vc.Guardianship) bool {
	before := func(until, from string) bool {
		u, err := vc.ParseDate(until)
		if err != nil {
			return false
		}
		f, err := vc.ParseDate(from)
		return err == nil && u.Before(f)
	}
	return !before(a.Effective.Until, b.Effective.From) && !before(b.Effective.Until, a.Effective.From)
}

// beside compares a guardianship with the others that live for its ward at t.
// again: its guardian has one of them, which is to be corrected instead, since a
// second one would lift what the first one says. sole: it stands alone beside
// somebody else's, or one of those stands alone.
func beside(g *vc.Guardianship, ward *vc.Birth, others []*vc.Guardianship, t time.Time) (again, sole bool) {
	for _, o := range others {
		if !overlap(g, o) || NotIssuable(o, ward, t) == ReasonMandateOver {
			continue
		}
		if sameGuardian(g, o, ward) {
			again = true
		} else if g.Exercise.Mode == "sole" || o.Exercise.Mode == "sole" {
			sole = true
		}
	}
	return again, sole
}
