// Package check is the border decision: a pure function of a presentation, a
// border bundle, what the officer knows, what this post remembers, and the
// clock. It asks no network, reads no file and keeps nothing.
//
// Reading goes in three steps, each in its own file. bundle.go opens the signed
// bundle that a post carries: keys, roles, status lists. read.go takes a
// presentation apart and believes of it only what a signature holds. rules.go
// is one ordered table; reading it from top to bottom is reading the border
// policy. Every rule is asked, the worst colour wins, and all reasons are
// listed.
//
// A bad presentation is a result, never an error. An error means "could not
// decide" and comes with the zero Decision, which is amber. Green must be
// earned: every credential verified, in force, not revoked, answered for by a
// fresh list, and a mandate that fits the adult who is there.
//
// Green says that papers and mandate are in order. It never says that a child
// is safe.
package check

import (
	"time"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/vc"
)

// Colour is what an officer sees. The zero Colour is Amber.
type Colour int

// Colours. Info is for an adult's papers, and for reasons that do not change
// the colour.
const (
	Amber Colour = iota
	Green
	Info
	Red
)

var colourNames = [...]string{Amber: "amber", Green: "green", Info: "info", Red: "red"}

// String gives green, amber, red or info.
func (c Colour) String() string {
	if c < 0 || int(c) >= len(colourNames) {
		return colourNames[Amber]
	}
	return colourNames[c]
}

// MarshalText writes the colour in lower case.
func (c Colour) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads a colour; a word that is none is refused.
func (c *Colour) UnmarshalText(b []byte) error {
	for i, n := range colourNames {
		if n == string(b) {
			*c = Colour(i)
			return nil
		}
	}
	return ErrFacts
}

// ErrFacts says that what the officer typed cannot be used: a word that is not
// one of Confirmable, or a country that is not three capital letters.
var ErrFacts = fault.New(fault.Invalid, "facts-invalid", "the officer's input cannot be used")

// Words for Facts.Confirm and Facts.Deny.
const (
	Portrait = "portrait" // the child looks like the photograph on the child's document
	Document = "document" // the adult's document is that of the adult named
	Receiver = "receiver" // whoever takes the child in was reached and is who the consent names
)

// Confirmable lists the words that Facts.Confirm and Facts.Deny take.
var Confirmable = []string{Portrait, Document, Receiver}

// Words for Facts.Company: who the officer sees with the child.
const (
	CompanyAlone      = "alone"
	CompanyGuardian   = "guardian"
	CompanyThirdParty = "thirdParty"
	CompanyGroup      = "group"
)

// Companies lists the words that Facts.Company takes.
var Companies = []string{CompanyAlone, CompanyGuardian, CompanyThirdParty, CompanyGroup}

// Words for Facts.Direction.
const (
	DirectionExit  = "exit"
	DirectionEntry = "entry"
)

// Facts are what the officer sees, asks and types. All may be empty; what is
// unknown makes the stricter rule apply. The zero Facts is usable.
type Facts struct {
	Confirm []string // of Confirmable: the officer compared, and it fits
	Deny    []string // of Confirmable: the officer compared, and it does not fit; wins over Confirm

	// AdultDocuments are machine-readable zones of the adults' documents, one
	// text each, as ParseMRZ takes them.
	AdultDocuments []string

	// Others are presentations of further holders in the same session, such
	// as the second parent's telephone. They are judged together with the
	// first, and a guardian counts as present only by their own.
	Others []string

	Exit, Entry string  // country left and country entered, ICAO Doc 9303-3 codes of three letters
	Date        vc.Date // day of travel; none means the day of the check (UTC)
	ReturnBy    vc.Date // day of the planned return; none means unknown

	// Codes of three letters, for country policies. They are nobody's to guess:
	// unknown makes the stricter rule apply.
	ChildNationality, Residence, CompanionNationality, CompanionResidence string

	// ResidenceProof is the day on which a consulate certified that the child
	// lives abroad, none if no such certificate was shown.
	ResidenceProof vc.Date

	// Company is who is with the child, of Companies; "" derives it from the
	// papers.
	Company string
	// Direction is the side of the border on which this post is: exit, entry,
	// or "" when nobody said. It is for who keeps the decision: both countries'
	// policies are asked on either side.
	Direction string

	Post    string // who checks; not used by any rule
	Session string // one encounter at the counter; a presentation may be read again within it

	// LastTrustedTime is the present as a trusted source gave it, carried on
	// by a clock that nobody sets. Zero means that there is none.
	LastTrustedTime time.Time

	// Challenge is the nonce that this verifier asked for, empty if it asked
	// for none (a code shown one way).
	Challenge string

	// Proofs show that credentials are in their issuers' ledgers. They count where a
	// key was withdrawn, and need be of no other credential.
	Proofs []LogProof

	// Online: the issuers were asked for this check, as they stand now. What could
	// still be shown then and is not counts as graver.
	Online bool
}

// Decision is the result. The zero Decision is amber and has no reasons.
type Decision struct {
	Colour  Colour   `json:"colour"`
	Reasons []Reason `json:"reasons"` // in the order of the table, never empty after Check

	// Lines are at most three sentences for the screen, the gravest first.
	Lines []string `json:"lines"`
	// Next is the one thing to do now.
	Next string `json:"next"`

	// Child is what verified birth credentials say, nil if none did or if
	// they are of different children.
	Child  *Child     `json:"child"`
	Bundle BundleInfo `json:"bundle"`
	// StatusAgeSeconds is the age of the oldest status list that was used for
	// this presentation, by its signed date; -1 if none was used.
	StatusAgeSeconds int64 `json:"statusAgeSeconds"`

	// Policies says what the countries' policies answered, exit before entry;
	// empty if nobody had to ask them.
	Policies []PolicyAnswer `json:"policies"`
	// Compare is what the officer compares by eye, nil where Child is nil.
	Compare *Compare `json:"compare"`
	// Ask names facts that nobody entered and that could change the outcome,
	// by their names in the officer's input (such as residence).
	Ask []string `json:"ask"`
}

// PolicyAnswer is what one country's policy said. Colour is info if the policy
// does not speak about this child.
type PolicyAnswer struct {
	ID        string   `json:"id"`
	Version   int      `json:"version"`
	Label     string   `json:"label"`
	Country   string   `json:"country"` // whose border, "" when it was not entered
	Direction string   `json:"direction"`
	Colour    Colour   `json:"colour"`
	Codes     []string `json:"codes"`
}

// Compare is what a person compares and a machine cannot: the child with the
// photograph on the child's own document, names as they are written in a
// machine-readable zone, a twin who looks the same, and the adults.
type Compare struct {
	Portrait bool     `json:"portrait"` // the record binds a photograph
	Names    []string `json:"names"`
	Twins    int      `json:"twins"` // children of one birth, 0 if not several
	Adults   []Adult  `json:"adults"`
}

// Adult is one adult whom the papers take to be with the child. Role is what
// the papers call them, such as mother, teacher or delegate.
type Adult struct {
	Names []string `json:"names"`
	Role  string   `json:"role"`
}

// Reason is one finding. Text and Next hold no person's data.
type Reason struct {
	Code   string `json:"code"`
	Colour Colour `json:"colour"`
	Text   string `json:"text"`
	Next   string `json:"next"`
}

// Child is who the papers are about, for the officer to compare. Names are
// written as in a machine-readable zone (PRIMARY<<SECONDARY). BirthDate is
// YYYY-MM-DD, YYYY-MM or YYYY as far as known, two days with "/" between them
// for a range, or empty. Sex is ISO/IEC 5218: 0, 1, 2 or 9.
type Child struct {
	Names     []string `json:"names"`
	BirthDate string   `json:"birthDate"`
	Sex       int      `json:"sex"`
}

// BundleInfo says what was decided with.
type BundleInfo struct {
	ID         string `json:"id"`
	AgeSeconds int64  `json:"ageSeconds"` // by the bundle's signed date; 0 if that lies ahead
}

// Has reports whether a reason with this code is among the reasons.
func (d Decision) Has(code string) bool {
	for _, r := range d.Reasons {
		if r.Code == code {
			return true
		}
	}
	return false
}

// Codes lists the codes of the reasons in their order.
func (d Decision) Codes() []string {
	out := make([]string, len(d.Reasons))
	for i, r := range d.Reasons {
		out[i] = r.Code
	}
	return out
}

// Check decides. presentation is the text of a KP1 code or a compact vp+jwt.
// The History that comes back is the one to pass in next time; it is h itself
// when there is an error. Errors are ErrNoBundle, ErrFacts and ErrProofs; whatever is
// wrong with the presentation is in the Decision.
func Check(presentation string, b *Bundle, f Facts, h History, now time.Time) (Decision, History, error) {
	if b == nil || b.Trust == nil {
		return Decision{}, h, ErrNoBundle
	}
	if err := f.check(); err != nil {
		return Decision{}, h, err
	}
	e := newExam(b, f, h, now)
	e.read(presentation)
	for _, o := range f.Others {
		e.read(o)
	}
	e.judge()
	d := e.decide()
	return d, h.with(e.remember(d.Colour), now), nil
}

func newExam(b *Bundle, f Facts, h History, now time.Time) *exam {
	e := &exam{bundle: b, facts: f, history: h, now: now, day: f.Date}
	if e.day.IsZero() {
		e.day = vc.DateOf(now)
	}
	return e
}

// maxOthers bounds the presentations of one session.
const maxOthers = 8

func (f *Facts) check() error {
	for _, words := range [][]string{f.Confirm, f.Deny} {
		for _, w := range words {
			if !contains(Confirmable, w) {
				return ErrFacts.WithFields(fault.Field{Path: "/confirm", Rule: "is portrait, document or receiver"})
			}
		}
	}
	for _, c := range []string{f.Exit, f.Entry, f.ChildNationality, f.Residence, f.CompanionNationality, f.CompanionResidence} {
		if c != "" && !country(c) {
			return ErrFacts.WithFields(fault.Field{Path: "/country", Rule: "is three capital letters"})
		}
	}
	if f.Company != "" && !contains(Companies, f.Company) {
		return ErrFacts.WithFields(fault.Field{Path: "/company", Rule: "is alone, guardian, thirdParty or group"})
	}
	if f.Direction != "" && f.Direction != DirectionExit && f.Direction != DirectionEntry {
		return ErrFacts.WithFields(fault.Field{Path: "/direction", Rule: "is exit or entry"})
	}
	if len(f.Others) > maxOthers || len(f.AdultDocuments) > maxOthers {
		return ErrFacts.WithFields(fault.Field{Path: "/others", Rule: "too many"})
	}
	return checkProofs(f.Proofs)
}

func country(s string) bool {
	if len(s) != 3 {
		return false
	}
	for i := 0; i < 3; i++ {
		if s[i] < 'A' || s[i] > 'Z' {
			return false
		}
	}
	return true
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

func (f *Facts) denied(what string) bool    { return contains(f.Deny, what) }
func (f *Facts) confirmed(what string) bool { return contains(f.Confirm, what) && !f.denied(what) }

// decide asks every rule and puts the findings together.
func (e *exam) decide() Decision {
	d := Decision{Reasons: make([]Reason, 0, 4), Lines: make([]string, 0, 3), Child: e.child(), StatusAgeSeconds: -1,
		Compare: e.compared()}
	d.Bundle = BundleInfo{ID: e.bundle.ID, AgeSeconds: max(0, int64(e.now.Sub(e.bundle.CreatedAt)/time.Second))}
	if e.statusUsed {
		d.StatusAgeSeconds = int64(e.statusAge / time.Second)
	}
	d.Policies, d.Ask = e.policyAnswers(), e.helpful()
	e.signals = e.readSignals()
	d.Colour = Green
	for i := range rules {
		r := &rules[i]
		if !r.found(e) {
			continue
		}
		c := r.colour(e)
		d.Reasons = append(d.Reasons, Reason{r.Code, c, r.Text, r.Next})
		switch {
		case c == Red:
			d.Colour = Red
		case c == Amber && d.Colour != Red:
			d.Colour = Amber
		}
	}
	if d.Colour == Green && e.ofAge {
		d.Colour = Info // no mandate was looked at, so nothing earned green
	}
	if d.Colour == Green {
		d.Reasons = append(d.Reasons, Reason{okRule.Code, okRule.Colour, okRule.Text, okRule.Next})
	}
	d.speak(nil)
	return d
}
