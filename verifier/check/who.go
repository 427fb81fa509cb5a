package check

import (
	"github.com/kinpass/kinpass/internal/policy"
	"github.com/kinpass/kinpass/internal/vc"
)

// household is what decides who must consent: the mandates for a child, those
// of them that the adults there rely on, and the parents of the record.
type household struct {
	mandates []*vc.Guardianship // in force, with a power over travel
	relied   []*vc.Guardianship // of those who travel with the child
	here     int                // guardians who travel, as different people
	parents  []vc.Parent
	company  policy.Company // who travels where no guardian does
}

// requirement says who must consent.
type requirement struct {
	guardians int  // who must decide together, as a mandate names them
	assumed   bool // no mandate names a number
	// sole: one of those here decides alone; independent: one may act without
	// the others.
	sole, independent bool
	company           policy.Company
	need              int // guardians whose consent is needed besides those here
	// mandateUnknown: the record names a parent of whom no mandate tells
	// whether they decide.
	mandateUnknown bool
}

// whoMustConsent is the pure core of the question whether those who are there
// may decide alone (Hague 1996, Art. 16: parental responsibility is what the
// law of habitual residence makes it, and the mandate says what that is).
//
// All who must decide are there, or one decides alone, or one may act without
// the others: nobody else must consent. Somebody is there and the mandate is
// joint: the others up to the quorum must. Nobody is there: the quorum of all.
// An absent quorum is the number of guardians, which counts oneself; where no
// mandate names one it is two, less the parents whom the record does not know,
// names nobody for, or withholds (settled question 14). Parents who have died
// are asked nowhere. Country policies can ask for more, never for less. An order
// against removal, which only a court can lift, is a rule of its own
// (EXIT_PROHIBITED): it does not depend on who is there.
func whoMustConsent(h household) requirement {
	r := requirement{company: h.company}
	silent := len(h.mandates) == 0
	for _, g := range h.mandates {
		n := number(g)
		r.guardians = max(r.guardians, n)
		silent = silent || n == 0
	}
	if silent && r.guardians < 2 {
		r.guardians, r.assumed = 2, true
	}
	for _, g := range h.relied {
		r.sole = r.sole || g.Exercise.Mode == "sole"
		r.independent = r.independent || actsAlone(g)
	}
	counted := r.counted(h.parents)
	r.mandateUnknown = len(h.mandates) > 0 && known(h.parents) > spokenOf(h.mandates)
	switch {
	case h.here == 0:
		r.need = counted
		return r
	case r.sole || h.here >= counted:
		r.company = policy.All
	default:
		r.company = policy.Some
		if !r.independent {
			r.need = counted - h.here
		}
	}
	return r
}

// number gives how many guardians a mandate says must decide together; 0 if it
// does not say.
func number(g *vc.Guardianship) int {
	switch {
	case g.Exercise.Mode == "sole":
		return 1
	case g.Exercise.Quorum > 0:
		return g.Exercise.Quorum
	}
	return g.Exercise.CoGuardianCount
}

// actsAlone reports whether a guardian may travel with the child without
// asking the others: an independent mandate, or a joint one that is joint for
// other things only (settled question 14).
func actsAlone(g *vc.Guardianship) bool {
	x := &g.Exercise
	return x.Mode == "independent" || x.Mode == "joint" && len(x.JointFor) > 0 &&
		!contains(x.JointFor, "travelAccompany") && !contains(x.JointFor, "travelConsent")
}

// counted lowers the number of guardians by the parents who cannot be asked.
func (r *requirement) counted(parents []vc.Parent) int {
	n := r.guardians
	if n > len(parents) {
		return n // others than parents are among them
	}
	for i := range parents {
		switch parents[i].Status {
		case "deceased":
			n--
		case "undeclared", "unknown", "withheld":
			if r.assumed {
				n--
			}
		}
	}
	return max(1, n)
}

func known(parents []vc.Parent) int {
	n := 0
	for i := range parents {
		if parents[i].Status == "known" {
			n++
		}
	}
	return n
}

// spokenOf counts the guardians of whom the mandates speak. One who decides
// alone speaks for all.
func spokenOf(mandates []*vc.Guardianship) int {
	n := len(mandates)
	for _, g := range mandates {
		switch x := &g.Exercise; {
		case x.Mode == "sole":
			return 1 << 10
		case x.Mode == "joint" && x.Quorum == 0 && x.CoGuardianCount == 0:
			n = max(n, 2)
		default:
			n = max(n, x.Quorum, x.CoGuardianCount)
		}
	}
	return n
}
