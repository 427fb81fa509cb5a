package issuer

import (
	"slices"
	"strings"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/vc"
)

// Faults of who may mandate on which legal basis.
var (
	// ErrBasisRole refuses a proposal by somebody who neither keeps the register
	// nor mandates on this legal basis.
	ErrBasisRole = fault.New(fault.Forbidden, "basis-role", "this role does not mandate on this legal basis")
	// ErrBasisKey refuses a mandate that nobody here could sign.
	ErrBasisKey = fault.New(fault.Unprocessable, "basis-key-missing", "this issuer has no key of an office that may sign guardianships on this legal basis").
			WithHint("kinpass keys new issuer --use OFFICE makes one; put it on the trust list too")
	// ErrBasisDecision refuses a second person whose office the first one's lacks
	// as well.
	ErrBasisDecision = fault.New(fault.Forbidden, "deciding-role-needed", "one of the two persons must be of an office that decides on this legal basis")
)

// basis is what follows from the type of a legal basis (domain handbook, section
// 2.2): for how long a credential of it is good, how it is exercised where
// nothing is said, what it can give, and who ends it. Who mandates on it is
// vc.RolesFor, which verifiers hold to as well.
type basis struct {
	// days bounds a holder's credential: a mandate that is temporary by its nature
	// has to be looked at again sooner.
	days int
	// reviewDays bounds the time until the next review, which the mandate gets
	// where it names none; 0: no review is asked for.
	reviewDays int
	// exercise is the mode where the registration gives none. Where only a law or
	// an order could say, it is joint: an officer who asks for one consent too many
	// does less harm than one who asks for one too few.
	exercise string
	// powers are those that it can give; nil: every one. countersigned are the
	// further ones that the host State can add by its signature.
	powers, countersigned []string
	// revokes are the roles one of which has to decide a revocation, as proposer or
	// as second person, and which may suspend for every reason.
	revokes []string
}

// byFamilyLaw are revoked by who keeps the record and by a family court.
var byFamilyLaw = []string{RoleRegistrar, RoleCourt}

// byCourt is for what a court decided, and what no office may undo.
var byCourt = []string{RoleCourt}

// bases is the table of legal bases, by legalBasis.type. Kafala is a measure of
// protection and no adoption (Convention on the Rights of the Child, Art. 20;
// Hague 1996, Art. 3 (e)): like every mandate it gives the powers that it names,
// so relocate only where the decision states it.
var bases = map[string]basis{
	"parentalResponsibilityByBirth": {days: fullDays, exercise: "joint", revokes: byFamilyLaw},
	"acknowledgement":               {days: fullDays, exercise: "joint", revokes: byFamilyLaw},
	"parentalAgreement":             {days: fullDays, exercise: "joint", revokes: byFamilyLaw},
	"courtOrder":                    {days: fullDays, exercise: "joint", revokes: byCourt},
	"adoptionSimple":                {days: fullDays, exercise: "joint", revokes: byCourt},
	"adoptionPlenary":               {days: fullDays, exercise: "joint", revokes: byCourt},
	"kafala":                        {days: fullDays, exercise: "sole", revokes: byCourt},
	"testamentary":                  {days: fullDays, exercise: "joint", revokes: byCourt},
	"publicAuthority": {days: exceptionDays, reviewDays: 30, exercise: "sole",
		revokes: []string{RoleProtection, RoleCourt}},
	"humanitarianMandate": {days: exceptionDays, exercise: "sole",
		powers:        []string{"residence", "healthRoutine", "healthMajor", "education", "travelAccompany"},
		countersigned: []string{"travelConsent", "relocate", "passportApply"},
		revokes:       []string{RoleRegistrar, RoleProtection, RoleCourt, RoleHumanitarian}},
	"customary": {days: exceptionDays, exercise: "joint", revokes: byCourt},
}

// decides reports whether a role mandates on a legal basis.
func decides(role, basis string) bool { return slices.Contains(vc.RolesFor(basis), role) }

// decidedBy gives the first of these roles that mandates on a legal basis: the
// one whose key signs. "" is none of them.
func decidedBy(basis string, roles ...string) string {
	for _, role := range roles {
		if decides(role, basis) {
			return role
		}
	}
	return ""
}

// signedAs gives the role that signs the credentials of a guardianship. One from
// before the register kept that is signed for who registered it, or as the
// register's own.
func (r row) signedAs(g *vc.Guardianship) string {
	if r.SignedAs != "" {
		return r.SignedAs
	}
	if role := decidedBy(g.LegalBasis.Type, r.Proposer.Role); role != "" {
		return role
	}
	return RoleRegistrar
}

// holds reports whether the office has a key that signs for a role now and did
// at t.
func (i *Issuer) holds(role string, t time.Time) bool {
	k, err := i.cfg.Ring.Current(useOf(role), i.now())
	return err == nil && k.ValidAt(t)
}

// mandates says whose act a registration is: the role that will sign its
// credentials, or "" where a second person of an office that decides on the
// legal basis is still needed. A bulk import has both persons already and is
// signed by the first office that may and whose key is here.
func (i *Issuer) mandates(g *vc.Guardianship, src source) (string, error) {
	may := vc.RolesFor(g.LegalBasis.Type)
	held := slices.DeleteFunc(slices.Clone(may), func(role string) bool { return !i.holds(role, src.at) })
	if len(held) == 0 {
		return "", ErrBasisKey.WithFields(fault.Field{Path: "/legalBasis/type", Rule: "is signed by " + strings.Join(may, " or ") + ", of which this issuer has no key"})
	}
	switch {
	case src.approver != "":
		return held[0], nil
	case slices.Contains(held, src.caller.Role):
		return src.caller.Role, nil
	case decides(src.caller.Role, g.LegalBasis.Type):
		return "", ErrBasisKey.WithFields(fault.Field{Path: "/legalBasis/type", Rule: "is signed by " + src.caller.Role + ", of which this issuer has no key"})
	}
	return "", propose(src.caller, g)
}

// keepsRegister are the roles whose staff enters what others decide.
var keepsRegister = []string{RoleRegistrar, RoleCourt, RoleProtection}

// propose refuses a proposal on a legal basis by somebody to whom it is nothing:
// a notary does not draft court orders.
func propose(c Caller, g *vc.Guardianship) error {
	if decides(c.Role, g.LegalBasis.Type) || slices.Contains(keepsRegister, c.Role) {
		return nil
	}
	return ErrBasisRole.WithFields(fault.Field{Path: "/legalBasis/type", Rule: "must be one that a " + c.Role + " mandates on"})
}

// decidingRole refuses an act on a mandate by two persons neither of whose offices
// decides on its legal basis, and gives the role that does.
func decidingRole(g *vc.Guardianship, roles ...string) (string, error) {
	if role := decidedBy(g.LegalBasis.Type, roles...); role != "" {
		return role, nil
	}
	return "", ErrBasisDecision.WithFields(fault.Field{Path: "/legalBasis/type",
		Rule: "is decided by " + strings.Join(vc.RolesFor(g.LegalBasis.Type), " or ")})
}

// ofState are the offices that act for a State.
var ofState = []string{RoleRegistrar, RoleCourt, RoleProtection}

// countersigned refuses a humanitarian mandate that claims the countersignature
// of a State where neither of the two persons acts for one: an organisation
// cannot give itself, by naming an office, the powers that only the State adds.
func countersigned(g *vc.Guardianship, roles ...string) error {
	if g.LegalBasis.CountersignedBy == "" || g.LegalBasis.Type != "humanitarianMandate" ||
		slices.ContainsFunc(roles, func(role string) bool { return slices.Contains(ofState, role) }) {
		return nil
	}
	return ErrBasisDecision.WithFields(fault.Field{Path: "/legalBasis/countersignedBy",
		Rule: "needs one of the two persons to be " + strings.Join(ofState, " or ")})
}

// basisDays bounds the life of a holder's credential on a legal basis.
func basisDays(basis string) int {
	if b, ok := bases[basis]; ok {
		return b.days
	}
	return exceptionDays // what is not known lives the shorter life
}

// given fills in what the registration leaves to its legal basis: how it is
// exercised and when it is reviewed.
func (c *inspection) given(g *vc.Guardianship) {
	b, ok := bases[g.LegalBasis.Type]
	if !ok {
		return
	}
	if g.Exercise.Mode == "" {
		g.Exercise.Mode = b.exercise
	}
	if b.reviewDays == 0 {
		return
	}
	// A review counts from the start of the mandate, or from today where that is
	// past: an authority that reviews a mandate says so by correcting it.
	start, err := vc.ParseDate(g.Effective.From)
	if err != nil {
		return
	}
	if start.Before(c.today) {
		start = c.today
	}
	last := start.AddDays(b.reviewDays)
	switch review, err := vc.ParseDate(g.Effective.ReviewBy); {
	case g.Effective.ReviewBy == "":
		if until, err := vc.ParseDate(g.Effective.Until); err == nil && until.Before(last) {
			last = until
		}
		g.Effective.ReviewBy = last.String()
	case err == nil && last.Before(review):
		c.refuse("/effective/reviewBy", "must not lie more than 30 days ahead on this legal basis")
	}
}

// powersOf refuses powers that a legal basis cannot give.
func (c *inspection) powersOf(g *vc.Guardianship) {
	b, ok := bases[g.LegalBasis.Type]
	if !ok || b.powers == nil {
		return
	}
	for i, power := range g.Powers {
		switch {
		case slices.Contains(b.powers, power):
		case !slices.Contains(b.countersigned, power):
			c.refuse(at("/powers", i), "must be one that this legal basis can give: "+strings.Join(b.powers, ", "))
		case g.LegalBasis.CountersignedBy == "":
			c.refuse(at("/powers", i), "needs the countersignature of a State on a humanitarian mandate")
		}
	}
}

// delegates refuses delegates of somebody who may not delegate. An institution
// or office acts through its named officers.
func (c *inspection) delegates(g *vc.Guardianship) {
	if g.Guardian.Kind == "naturalPerson" && len(g.Guardian.Delegates) > 0 && !slices.Contains(g.Powers, "delegate") {
		c.refuse("/guardian/delegates", "need the power delegate for a natural person")
	}
}

// entitled are the roles that end a record for good: of a birth, who keeps the
// register and a court; of a guardianship, those of its legal basis.
func (r row) entitled() ([]string, error) {
	if r.Kind != KindGuardianship {
		return byFamilyLaw, nil
	}
	g, err := readGuardianship(r)
	if err != nil {
		return nil, err
	}
	roles := bases[g.LegalBasis.Type].revokes
	if r.signedAs(g) != RoleHumanitarian {
		// An organisation ends its own mandates alone.
		roles = slices.DeleteFunc(slices.Clone(roles), func(role string) bool { return role == RoleHumanitarian })
	}
	return roles, nil
}

// mayPropose refuses a proposal to revoke a record by somebody who is neither
// entitled to it nor keeps the records of those who are. A record that is none of
// an organisation's is not there for it.
func (r row) mayPropose(c Caller) error {
	roles, err := r.entitled()
	switch {
	case err != nil:
		return err
	case slices.Contains(roles, c.Role), slices.Contains(byFamilyLaw, c.Role):
		return nil
	case c.Role == RoleHumanitarian:
		return ErrNoSuchCredential
	}
	return ErrNotAllowed
}

// maySuspend refuses a suspension by somebody who may not decide it for this
// reason. A court and the authority for the protection of children suspend
// whatever puts a child at risk; so does who is entitled to end the record. The
// office that keeps it may suspend for what concerns a holder's device or paper
// and not the mandate.
func (r row) maySuspend(c Caller, reason string) error {
	roles, err := r.entitled()
	switch {
	case err != nil:
		return err
	case slices.Contains(roles, c.Role), c.Role == RoleCourt, c.Role == RoleProtection,
		c.Role == RoleRegistrar && slices.Contains(holderReasons, reason):
		return nil
	case c.Role == RoleHumanitarian:
		return ErrNoSuchCredential
	}
	return ErrBasisDecision.WithFields(fault.Field{Path: "/reason", Rule: "must be " + strings.Join(holderReasons, " or ") + " for this role on this legal basis"})
}
