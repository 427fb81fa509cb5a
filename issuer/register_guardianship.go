package issuer

import (
	"slices"

	"github.com/kinpass/kinpass/internal/vc"
)

// humanitarianDays bounds a mandate of an organisation under a State or UNHCR.
const humanitarianDays = 90

// isParent reports a role of filiation.
func isParent(role string) bool { return role == "mother" || role == "father" || role == "parent" }

// guardianship checks what the schema of a guardianship lets pass, and
// normalises in place.
func (c *inspection) guardianship(g *vc.Guardianship) {
	c.guardian(g)
	c.reference("/ward/birthCredential", g.Ward.BirthCredential)
	c.legalBasis(g)
	c.given(g)
	c.basisMatrix(g)
	c.powersOf(g)
	c.delegates(g)
	c.exercise(g)
	c.constraints(g)
	c.effective(g)
	c.territory("/termination/majorityLaw", g.Termination.MajorityLaw)
	for i := range g.Termination.Revokers {
		c.text(at("/termination/revokers", i), &g.Termination.Revokers[i], 200)
	}
}

func (c *inspection) guardian(g *vc.Guardianship) {
	p := &g.Guardian
	person := p.Kind == "naturalPerson"
	c.text("/guardian/personRef", &p.PersonRef, 200)
	p.Documents = first(p.Documents, 10)
	p.Names = c.names("/guardian/names", p.Names, person)
	c.documents("/guardian/documents", p.Documents)
	c.key("/guardian/holderKey", p.HolderKey)
	for i, key := range p.Delegates {
		c.key(at("/guardian/delegates", i), key)
		if key == p.HolderKey {
			c.refuse(at("/guardian/delegates", i), "must be another key than holderKey")
		}
	}
	if p.BirthDate != nil {
		c.born("/guardian/birthDate", *p.BirthDate)
	}
	if p.PersonRef != "" && p.PersonRef == g.Ward.ChildRef {
		c.refuse("/guardian/personRef", "must not be the ward")
	}
	switch {
	case person:
		if p.PersonRef == "" && len(p.Names) == 0 && len(p.Documents) == 0 {
			c.refuse("/guardian", "must be identified by personRef, names or documents")
		}
	case p.Kind != "":
		if p.BirthDate != nil {
			c.refuse("/guardian/birthDate", "must be absent for an institution or office")
		}
		if len(p.Names) == 0 && p.PersonRef == "" {
			c.refuse("/guardian/names", "must name the institution or office")
		}
		if isParent(g.Role) || g.Role == "stepParent" || g.Role == "grandparent" || g.Role == "relative" {
			c.refuse("/role", "must not be a kinship for an institution or office")
		}
	}
}

// key checks that a key or its thumbprint is one plain word; whether it is a key
// is told when somebody proves to hold it.
func (c *inspection) key(path, s string) {
	if s == "" {
		return
	}
	for i := 0; i < len(s); i++ {
		if s[i] <= ' ' || s[i] > '~' {
			c.refuse(path, "must be printable ASCII without spaces")
			return
		}
	}
}

func (c *inspection) legalBasis(g *vc.Guardianship) {
	l := &g.LegalBasis
	c.territory("/legalBasis/law", l.Law)
	c.text("/legalBasis/authority", &l.Authority, 300)
	c.text("/legalBasis/reference", &l.Reference, 200)
	c.pastDate("/legalBasis/decidedOn", l.DecidedOn)
	if l.CountersignedBy != "" {
		if len(l.CountersignedBy) < 4 || l.CountersignedBy[:4] != "did:" {
			c.refuse("/legalBasis/countersignedBy", "must be a did URI")
		} else {
			c.authority("/legalBasis/countersignedBy", l.CountersignedBy)
		}
	}
	if l.Hague1993Art23 != nil && *l.Hague1993Art23 && l.Type != "adoptionSimple" && l.Type != "adoptionPlenary" {
		c.refuse("/legalBasis/hague1993Art23", "must not be true for what is no adoption")
	}
}

// basisMatrix refuses a guardian whom the legal basis cannot have (who issues
// what, to whom, for how long: the table of legal bases).
func (c *inspection) basisMatrix(g *vc.Guardianship) {
	person := g.Guardian.Kind == "naturalPerson"
	switch g.LegalBasis.Type {
	case "parentalResponsibilityByBirth", "acknowledgement":
		if !isParent(g.Role) {
			c.refuse("/role", "must be a parent's on this legal basis")
		}
		c.personOnly(person)
	case "adoptionSimple", "adoptionPlenary":
		if !isParent(g.Role) && g.Role != "stepParent" {
			c.refuse("/role", "must be a parent's on this legal basis")
		}
		c.personOnly(person)
	case "parentalAgreement":
		c.personOnly(person)
	case "kafala":
		c.noParent(g)
	case "testamentary":
		c.noParent(g)
	case "publicAuthority":
		c.noParent(g)
		c.mustEnd(g)
	case "humanitarianMandate":
		c.noParent(g)
		c.mustEnd(g)
		c.humanitarian(g)
	case "customary":
		c.noParent(g)
		c.mustEnd(g)
	}
	if g.Role == "kafil" && (g.LegalBasis.Type == "publicAuthority" || g.LegalBasis.Type == "humanitarianMandate") {
		c.refuse("/role", "must not be kafil on this legal basis")
	}
}

func (c *inspection) personOnly(person bool) {
	if !person {
		c.refuse("/guardian/kind", "must be naturalPerson on this legal basis")
	}
}

func (c *inspection) noParent(g *vc.Guardianship) {
	if isParent(g.Role) {
		c.refuse("/role", "must not be a parent's on this legal basis")
	}
}

func (c *inspection) mustEnd(g *vc.Guardianship) {
	if g.Effective.Until == "" {
		c.refuse("/effective/until", "is required on this legal basis")
	}
}

// humanitarian holds an organisation's mandate to its days. What it can give, and
// what only with the countersignature of the host State, is in the table of
// legal bases: who may take the child across a border for good needs the State.
// Bare travelAccompany passes, since the State may agree to one journey; the
// border then shows amber.
func (c *inspection) humanitarian(g *vc.Guardianship) {
	from, err1 := vc.ParseDate(g.Effective.From)
	until, err2 := vc.ParseDate(g.Effective.Until)
	if err1 == nil && err2 == nil && from.DaysUntil(until) > humanitarianDays {
		c.refuse("/effective/until", "must not lie more than 90 days after from for a humanitarian mandate")
	}
}

// defaultCoGuardians is how many share a joint mandate that does not say so,
// the guardian included.
const defaultCoGuardians = 2

func (c *inspection) exercise(g *vc.Guardianship) {
	x := g.Exercise
	if x.Mode != "joint" {
		if len(x.JointFor) > 0 {
			c.refuse("/exercise/jointFor", "must be absent where the mode is not joint")
		}
		if x.Quorum > 1 {
			c.refuse("/exercise/quorum", "must not be greater than 1 where the mode is not joint")
		}
	}
	switch x.Mode {
	case "sole":
		if x.CoGuardianCount > 1 {
			c.refuse("/exercise/coGuardianCount", "must not be greater than 1 where the mode is sole")
		}
	case "joint":
		count := x.CoGuardianCount
		if count == 0 {
			count = defaultCoGuardians
		}
		if count < 2 {
			c.refuse("/exercise/coGuardianCount", "must be at least 2 where the mode is joint")
		} else if x.Quorum > count {
			c.refuse("/exercise/quorum", "must not be greater than coGuardianCount")
		}
	}
}

func (c *inspection) constraints(g *vc.Guardianship) {
	x := g.Constraints
	if x == nil {
		return
	}
	for i, code := range x.AllowedCountries {
		c.territory(at("/constraints/allowedCountries", i), code)
	}
	for i, code := range first(x.DeniedCountries, 250) {
		c.territory(at("/constraints/deniedCountries", i), code)
		if slices.Contains(x.AllowedCountries, code) {
			c.refuse(at("/constraints/deniedCountries", i), "must not be among allowedCountries")
		}
	}
	c.text("/constraints/conditions", &x.Conditions, 280)
}

func (c *inspection) effective(g *vc.Guardianship) {
	e := g.Effective
	// A mandate that has yet to begin is registered when it does: a credential
	// must not claim powers that nobody has.
	from := c.pastDate("/effective/from", e.From)
	switch g.LegalBasis.Type {
	case "courtOrder", "kafala", "humanitarianMandate":
		// The decision makes the guardian. By birth, custom or in an emergency
		// somebody may have been guardian before it was decided, and an adoption
		// may be decided to have effect from its application.
		if decided, err := vc.ParseDate(g.LegalBasis.DecidedOn); err == nil {
			c.order(decided, from, "/effective/from", "must not lie before the decision")
		}
	}
	until, review := c.date("/effective/until", e.Until), c.date("/effective/reviewBy", e.ReviewBy)
	c.order(from, until, "/effective/until", "must not lie before from")
	c.order(from, review, "/effective/reviewBy", "must not lie before from")
	c.order(review, until, "/effective/reviewBy", "must not lie after until")
}
