package issuer

import (
	"reflect"
	"slices"
	"time"

	"github.com/kinpass/kinpass/internal/vc"
)

// amendable says which members of a birth each reason may change. Portrait,
// travel documents, recordVersion and amendment may change with any.
var amendable = map[string][]string{
	"clericalCorrection": {"names", "birthDate", "sex", "placeOfBirth", "multipleBirth", "parentage", "registration", "circumstance"},
	"nameChange":         {"names"},
	"parentAdded":        {"names", "parentage", "circumstance"},
	"parentRemoved":      {"names", "parentage"},
	"simpleAdoption":     {"names", "parentage", "registration", "circumstance"},
	"plenaryAdoption":    {"names", "parentage", "registration", "circumstance", "placeOfBirth", "multipleBirth"},
	"sexMarker":          {"names", "sex", "registration"},
	"dateDetermined":     {"birthDate", "placeOfBirth", "circumstance"},
	"protectionIdentity": {"names", "birthDate", "sex", "placeOfBirth", "multipleBirth", "parentage", "registration", "circumstance"},
}

// CheckCorrection checks the next version of a birth against the one in force.
// Both come from CheckBirth. childRef is the register's own join key and stays;
// what credentials carry is minted anew for a sealed record. Such a record starts
// at version 1 again or goes on, and a new identity has a registration number of
// its own, so that nothing leads from it to the old one.
func CheckCorrection(old, new *vc.Birth) error {
	c := &inspection{}
	sealed := isSealed(new)
	if new.ChildRef != old.ChildRef {
		c.refuse("/childRef", "must stay the same in a correction")
	}
	if new.RecordVersion != old.RecordVersion+1 && !(sealed && new.RecordVersion == 1) {
		c.refuse("/recordVersion", "must be one more than that of the version in force")
	}
	if new.Amendment == nil {
		c.refuse("/amendment", "is required in a correction")
		return c.refusal()
	}
	if sealed && (new.Amendment.Reason == "plenaryAdoption" || new.Amendment.Reason == "protectionIdentity") && numberKey(new.Registration) == numberKey(old.Registration) {
		c.refuse("/registration/number", "must be a new one for a sealed identity")
	}
	allowed := amendable[new.Amendment.Reason]
	for _, m := range []struct {
		name    string
		changed bool
	}{
		{"names", !reflect.DeepEqual(old.Names, new.Names)},
		{"birthDate", old.BirthDate != new.BirthDate || old.TimeOfBirth != new.TimeOfBirth},
		{"sex", old.Sex != new.Sex},
		{"placeOfBirth", old.PlaceOfBirth != new.PlaceOfBirth},
		{"multipleBirth", !reflect.DeepEqual(old.MultipleBirth, new.MultipleBirth)},
		{"parentage", !reflect.DeepEqual(old.Parentage, new.Parentage)},
		{"registration", old.Registration != new.Registration},
		{"circumstance", old.Circumstance != new.Circumstance},
	} {
		if m.changed && !slices.Contains(allowed, m.name) {
			c.refuse("/"+m.name, "must not change for the reason that the amendment gives")
		}
	}
	return c.refusal()
}

// CorrectionNeedsApproval reports whether a second person must agree before the
// version new of a birth takes the place of old: where either is a record that
// needs one by itself, so that no correction leads out of the rule; where the
// new one is sealed or protects an identity; and where the child gets or loses
// a parent or changes circumstance, because that changes who can be guardian.
func CorrectionNeedsApproval(old, new *vc.Birth) bool {
	if BirthNeedsApproval(new) || BirthNeedsApproval(old) || isSealed(new) || isSealed(old) {
		return true
	}
	if a := new.Amendment; a != nil {
		switch a.Reason {
		case "parentAdded", "parentRemoved", "simpleAdoption", "plenaryAdoption", "protectionIdentity":
			return true
		}
	}
	return old.Circumstance != new.Circumstance || !sameParentage(old.Parentage, new.Parentage)
}

// sameParentage reports that nothing of any parent has changed; an absent list
// is an empty one.
func sameParentage(a, b []vc.Parent) bool {
	return len(a) == 0 && len(b) == 0 || reflect.DeepEqual(a, b)
}

// KeepsMandate reports whether a guardianship still stands after a correction
// of the ward's birth; ward is the new version.
//
// A guardian whom the new record rules out does not stand, by the rules of
// CheckWard, nor one by birth or acknowledgement whom the record no longer names
// after a parent was removed or the child adopted, nor one whose ward is now of
// age. What CheckWard says of dates and of the number of co-guardians ends no
// mandate: a birth that moved by a day, or a co-guardian who died, is a reason to
// correct the guardianship, not to leave the child without one. A mandate that
// was over before is not ended again.
//
// After a sealed correction only a guardian stands whom the new record names as
// a known parent by personRef: nobody else may learn the new identity.
func KeepsMandate(g *vc.Guardianship, ward *vc.Birth, now time.Time) bool {
	if ward == nil || g.Ward.ChildRef != ward.ChildRef || NotIssuable(g, ward, now) == ReasonWardOfAge {
		return false
	}
	c := newInspection(now)
	c.guardianAge(g, ward, spanOf(ward.BirthDate))
	c.kinship(g, ward)
	if c.refusal() != nil {
		return false
	}
	if isSealed(ward) {
		p := parentEntry(g, ward)
		return p != nil && p.Status == "known"
	}
	if ward.Amendment == nil {
		return true
	}
	switch ward.Amendment.Reason {
	case "parentRemoved", "simpleAdoption", "plenaryAdoption":
		if byRecord(g) {
			return recordNames(g, ward)
		}
	}
	return true
}

// byRecord reports a guardianship that follows from the birth record.
func byRecord(g *vc.Guardianship) bool {
	return g.LegalBasis.Type == "parentalResponsibilityByBirth" || g.LegalBasis.Type == "acknowledgement"
}

// CheckGuardianshipCorrection checks the next version of a guardianship against
// the one in force: the same child and the same guardian. Another guardian is
// another guardianship.
func CheckGuardianshipCorrection(old, new *vc.Guardianship) error {
	c := &inspection{}
	if new.Ward.ChildRef != old.Ward.ChildRef {
		c.refuse("/ward/childRef", "must stay the same in a correction")
	}
	if new.Guardian.Kind != old.Guardian.Kind {
		c.refuse("/guardian/kind", "must stay the same in a correction")
	}
	a, b := old.Guardian, new.Guardian
	switch {
	case a.PersonRef != "" && b.PersonRef != "":
		if a.PersonRef != b.PersonRef {
			c.refuse("/guardian/personRef", "must stay the same in a correction")
		}
	case a.BirthDate != nil && b.BirthDate != nil && !spanOf(*a.BirthDate).meets(spanOf(*b.BirthDate)) && !shareKey(a.Names, b.Names):
		c.refuse("/guardian", "must stay the same person in a correction")
	case len(a.Names) > 0 && len(b.Names) > 0 && !similarNames(a.Names, b.Names) && !slices.ContainsFunc(a.Documents, func(d vc.Identifier) bool { return slices.Contains(b.Documents, d) }) && a.BirthDate == nil:
		c.refuse("/guardian", "must stay the same person in a correction")
	}
	return c.refusal()
}
