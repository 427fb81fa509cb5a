// Package policy holds country rules as data: what a country asks before a
// child may cross its border, written in a closed vocabulary that a lawyer can
// read, checked when it is loaded and evaluated in bounded time.
//
// A policy sees a Situation and nothing else: counts, levels, dates and
// countries. No name, religion or ethnicity is in it. It can make a decision
// stricter than the rest of the border policy and never softer than what every
// border asks (see Evaluate).
package policy

import "github.com/kinpass/kinpass/internal/vc"

// Direction is the side of a border that a policy speaks for.
type Direction string

// Directions. A policy for both is written Both and asked twice.
const (
	Exit  Direction = "exit"
	Entry Direction = "entry"
	Both  Direction = "both"
)

// Situation is everything that a policy may ask about one child, one journey
// and the adults with it. It is built from verified credentials and from what
// the officer typed. "" and Unknown mean that nobody knows; the stricter answer
// then applies (settled question 16).
type Situation struct {
	Direction Direction // Exit or Entry
	Country   string    // whose border: ISO 3166-1 alpha-3, "" when it was not entered
	Other     string    // the country on the other side, "" when it was not entered
	Day       vc.Date   // of the crossing
	ReturnBy  vc.Date   // planned return, zero when unknown

	Age int // of the child in whole years on Day, the youngest that the record allows

	// Majority is the age at which the mandates over the child's journeys end by
	// their law, 0 when none says.
	Majority int

	ChildNationality     string
	Residence            string // where the child lives
	CompanionNationality string
	CompanionResidence   string
	// ResidenceProof is the day on which the child's residence abroad was
	// certified; zero when there is no proof.
	ResidenceProof vc.Date

	Company Company
	// CompanionNamed: every adult with the child who is no guardian is named by
	// each consent that counts. CompanionAdult: is known to be 18 or older.
	CompanionNamed bool
	CompanionAdult Known
	// CompanionParent: an adult with the child is a parent of the child.
	CompanionParent Known

	// Guardians says how many must decide together: the largest quorum, or
	// number of guardians, that a mandate in force names (two where a joint or
	// independent mandate names none). Here counts those who travel, as
	// different people.
	Guardians int
	Here      int
	// Assumed: Guardians is the default of two, because no mandate names a number.
	Assumed bool
	// Sole: one of those here decides alone. Independent: one of those here may
	// act without the others.
	Sole, Independent bool
	// Bases are the legal bases of the mandates relied on by those here, or of
	// the grantors' when nobody is here (legalBasis.type).
	Bases []string
	// Roles are the roles (guardianship.role) of those mandates.
	Roles []string
	// MaxAbsenceDays is the shortest maxAbsenceDays of the mandates relied on,
	// 0 when none names one.
	MaxAbsenceDays int

	// Parents are the parents as the birth credential names them.
	Parents []Parent
	// BirthShown reports whether a birth credential was shown, so that Parents
	// is what the register says.
	BirthShown bool

	// Consents are those that hold: verified, in force, for this child, this
	// day, this route and these adults, and not withdrawn.
	Consents []Consent

	// Receiver says how a child who travels alone is awaited.
	Receiver Receiver
	// Purpose is the purpose of the journey that the consents give, "" when
	// none does; Relocation: the journey has no way back or is a relocation.
	Purpose    string
	Relocation bool
}

// Known is an answer that may be missing. The zero Known is Unknown.
type Known int

// Answers.
const (
	Unknown Known = iota
	Yes
	No
)

// Company is who travels with the child.
type Company int

// Company, by the guardians among them. The zero Company is Alone: nobody.
const (
	Alone      Company = iota // the child travels alone
	ThirdParty                // adults, none of them a guardian
	Group                     // the same, with a group (consent mode withGroup)
	Some                      // a guardian, and others must decide too
	All                       // every guardian who must decide
)

// Parent is one parent of the birth credential.
type Parent struct {
	Role   string // mother, father or parent
	Status string // known, unknown, undeclared, withheld, deceased or powerRemoved
}

// Consent is one consent that holds.
type Consent struct {
	// Grantors counts the guardians who agree by it, without those who are
	// here and without those whom another consent of this Situation counts.
	Grantors int
	Level    string // derived from who signed: vc.LevelSelfSigned and so on
	// Court: a court agrees in the place of a guardian (grantor capacity court in
	// a court's own consent).
	Court     bool
	GrantedOn vc.Date
	// Ends: the consent names its last day (trip.notAfter).
	Ends       bool
	Relocation bool // relocationAllowed
}

// Receiver is what is known about who awaits a child.
type Receiver struct {
	Name, Address, Contact, Document bool
	// Verified: the officer spoke with them, which settles it.
	Verified bool
}
