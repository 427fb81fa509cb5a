package issuer

import (
	"strings"
	"time"
	"unicode"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/icao"
	"github.com/kinpass/kinpass/internal/vc"
)

// Longest validities of credentials, in days.
const (
	fullDays       = 365 // of a holder's copies
	paperDays      = 180
	exceptionDays  = 90 // of mandates and records that must be looked at again soon
	secondsPerDay  = 24 * 60 * 60
	endOfDaySecond = secondsPerDay - 1
)

// FullBirth gives the subject of a birth credential with all claims (schema
// credential/birth). childRef is the minted one. The record is not changed, but
// the subject shares its slices.
func FullBirth(b *vc.Birth, childRef string) vc.Birth {
	s := *b
	s.ID, s.ChildRef = "", childRef
	if s.Parentage == nil {
		s.Parentage = []vc.Parent{}
	}
	return s
}

// BorderBirth gives the subject of a birth credential in the border profile,
// which the paper carries too (schema credential/birth-border): one name in
// Latin letters, no parent's name, nothing that a counter does not need. It is
// ErrMRZNeeded where no name in use can be written by the standard.
func BorderBirth(b *vc.Birth, childRef string) (vc.Birth, error) {
	name, err := borderName(b.Names)
	if err != nil {
		return vc.Birth{}, err
	}
	s := vc.Birth{
		ChildRef:      childRef,
		RecordVersion: b.RecordVersion,
		Circumstance:  b.Circumstance,
		Names:         []vc.Name{name},
		BirthDate:     vc.UncertainDate{Value: b.BirthDate.Value, Precision: b.BirthDate.Precision, Earliest: b.BirthDate.Earliest, Latest: b.BirthDate.Latest},
		Sex:           b.Sex,
		PlaceOfBirth:  vc.Place{Country: b.PlaceOfBirth.Country},
		Parentage:     []vc.Parent{},
		Registration:  vc.Registration{Number: b.Registration.Number, Date: b.Registration.Date, Mode: b.Registration.Mode},
		MultipleBirth: b.MultipleBirth,
	}
	for _, p := range b.Parentage {
		s.Parentage = append(s.Parentage, vc.Parent{Role: p.Role, Status: p.Status})
	}
	if len(b.TravelDocuments) > 0 {
		s.TravelDocuments = b.TravelDocuments[:1:1]
	}
	if p := b.Portrait; p != nil {
		s.Portrait = &vc.Portrait{SHA256: p.SHA256, RecaptureBy: p.RecaptureBy}
	}
	return s, nil
}

// FullGuardianship gives the subject of a guardianship credential with all
// claims (schema credential/guardianship). holder is the did:key that was
// proven; the holderKey of the registration is left out, since only a proof
// counts.
func FullGuardianship(g *vc.Guardianship, childRef, holder string) vc.Guardianship {
	s := *g
	s.ID = holder
	s.Guardian.HolderKey = ""
	s.Ward = vc.Ward{ChildRef: childRef, BirthCredential: g.Ward.BirthCredential}
	return s
}

// BorderGuardianship gives the subject of a guardianship credential in the
// border profile (schema credential/guardianship-border). holder is "" on paper.
// Nothing of powers, basis, constraints or exercise is left out. It is
// ErrMRZNeeded where the guardian has names and none can be written by the
// standard, and for a paper that would name nobody: whoever found it could take
// the child.
func BorderGuardianship(g *vc.Guardianship, childRef, holder string) (vc.Guardianship, error) {
	s := vc.Guardianship{
		ID:       holder,
		Guardian: vc.Guardian{Kind: g.Guardian.Kind},
		Ward:     vc.Ward{ChildRef: childRef},
		Role:     g.Role,
		LegalBasis: vc.LegalBasis{
			Type: g.LegalBasis.Type, Law: g.LegalBasis.Law,
			Hague1996Art40: g.LegalBasis.Hague1996Art40, Hague1993Art23: g.LegalBasis.Hague1993Art23,
			DecidedOn: g.LegalBasis.DecidedOn, Finality: g.LegalBasis.Finality, CountersignedBy: g.LegalBasis.CountersignedBy,
		},
		Powers:      g.Powers,
		Exercise:    g.Exercise,
		Constraints: g.Constraints,
		Effective:   g.Effective,
		Termination: vc.Termination{MajorityAge: g.Termination.MajorityAge, MajorityLaw: g.Termination.MajorityLaw},
	}
	if len(g.Guardian.Names) > 0 {
		names := g.Guardian.Names
		if g.Guardian.Kind != "naturalPerson" {
			names = withoutNumbers(names)
		}
		name, err := borderName(names)
		if err != nil {
			return vc.Guardianship{}, err
		}
		s.Guardian.Names = []vc.Name{name}
	}
	if len(g.Guardian.Documents) > 0 {
		s.Guardian.Documents = g.Guardian.Documents[:1:1]
	}
	// Who comes instead of the guardian proves a key too; paper proves none.
	if holder != "" {
		for _, key := range g.Guardian.Delegates {
			if _, err := did.ParseKey(key); err == nil {
				s.Guardian.Delegates = append(s.Guardian.Delegates, key)
			}
		}
	}
	if holder == "" && len(s.Guardian.Names) == 0 && len(s.Guardian.Documents) == 0 {
		return vc.Guardianship{}, ErrMRZNeeded
	}
	return s, nil
}

// withoutNumbers drops digits and signs from the names of institutions, which a
// machine-readable name cannot hold; the full credential keeps them.
func withoutNumbers(names []vc.Name) []vc.Name {
	keep := func(r rune) rune {
		if unicode.IsNumber(r) || unicode.IsSymbol(r) {
			return ' '
		}
		return r
	}
	list := make([]vc.Name, len(names))
	for i, n := range names {
		n.Full = strings.Map(keep, n.Full)
		n.Given, n.Family = mapped(n.Given, keep), mapped(n.Family, keep)
		list[i] = n
	}
	return list
}

func mapped(parts []string, keep func(rune) rune) []string {
	var list []string
	for _, p := range parts {
		list = append(list, strings.Map(keep, p))
	}
	return list
}

// borderName chooses the name that a border credential carries and writes it in
// the characters of a machine-readable zone: the legal name, or else the one in
// use; of those, the first whose machine-readable form is registered, or else
// the first in Latin letters, as a passport has it, or else the first that the
// standard can write.
func borderName(names []vc.Name) (vc.Name, error) {
	for _, kind := range []string{"legal", "usual", "atBirth"} {
		for _, n := range names {
			if n.Kind == kind && n.MRZ != nil {
				p, s := icao.Fit(n.MRZ.Primary, n.MRZ.Secondary)
				return vc.Name{Kind: kind, Script: n.Script, MRZ: &vc.MRZ{Primary: p, Secondary: s}}, nil
			}
		}
		for _, latin := range []bool{true, false} {
			for _, n := range names {
				if n.Kind != kind || (n.Script == "Latn") != latin {
					continue
				}
				if p, s, err := transliterated(&n); err == nil && p != "" {
					return vc.Name{Kind: kind, Script: n.Script, MRZ: &vc.MRZ{Primary: p, Secondary: s}}, nil
				}
			}
		}
	}
	return vc.Name{}, ErrMRZNeeded
}

// Validity gives the time in which a credential made now is valid, in whole
// seconds UTC. profile is "full", "border" or "paper"; b is the birth, or the
// ward's; g is nil for a birth credential. A guardianship ends with the day of
// its end and when the ward comes of age, days being those of now's location.
// until is not after from where NotIssuable has a reason.
func Validity(profile string, b *vc.Birth, g *vc.Guardianship, now time.Time) (from, until time.Time) {
	days := fullDays
	if profile == ProfilePaper {
		days = paperDays
	}
	if g == nil {
		switch b.Circumstance {
		case "reconstructed", "unaccompaniedDisplaced":
			days = exceptionDays
		}
	} else {
		days = min(days, basisDays(g.LegalBasis.Type))
	}
	from = now.UTC().Truncate(time.Second)
	until = from.Add(time.Duration(days) * secondsPerDay * time.Second)
	if g == nil {
		return from, until
	}
	if d, err := vc.ParseDate(g.Effective.Until); err == nil {
		until = earlier(until, time.Date(d.Year, d.Month, d.Day, 0, 0, endOfDaySecond, 0, now.Location()))
	}
	if d, ok := majority(g, b); ok {
		until = earlier(until, time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, now.Location()))
	}
	return from, until
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b.UTC()
	}
	return a
}
