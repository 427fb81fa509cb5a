package stage

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/policy"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/verifier/check"
)

// child is the reference that joins the credentials of a journey.
const child = "c3RhZ2Utb2Yta2lucGFzcw"

// Play issues the papers of a case, has those who travel show them, and checks
// them at the policy's border.
func (s *Stage) Play(p *policy.Policy, c *policy.Case) (check.Decision, error) {
	e, err := s.Meet(p, c)
	if err != nil {
		return check.Decision{}, err
	}
	e.Facts.Others = e.Shown[1:]
	d, _, err := check.Check(e.Shown[0], e.bundle.Bundle, e.Facts, check.History{}, e.At)
	return d, err
}

// Encounter is a case at the counter, before anything is decided.
type Encounter struct {
	Bundle []byte      // as the hub signed it
	Shown  []string    // a presentation for each holder
	Facts  check.Facts // without Others
	At     time.Time

	// Holders show Papers, each of them some.
	Holders []string
	Papers  [][]string

	bundle *bundle
	j      *journey
}

// Again gives the presentations anew, with other nonces, and of the papers only
// those for which keep is true, shown by whoever it names.
func (e *Encounter) Again(at time.Time, keep func(holder string, paper int) (by string, ok bool)) ([]string, error) {
	var out []string
	for i, holder := range e.Holders {
		var papers []string
		by := holder
		for n, jwt := range e.Papers[i] {
			who, ok := keep(holder, n)
			if ok {
				papers = append(papers, jwt)
			}
			by = who
		}
		jws, err := e.j.shown(by, papers, at)
		if err != nil {
			return nil, err
		}
		out = append(out, jws)
	}
	return out, nil
}

// Meet issues the papers of a case and has those who travel show them.
func (s *Stage) Meet(p *policy.Policy, c *policy.Case) (*Encounter, error) {
	side, country, other := c.Side(p)
	b, err := s.bundle(p, other)
	if err != nil {
		return nil, err
	}
	j := &journey{Stage: s, c: c, exit: country, entry: other, mandates: map[string]mandate{}}
	if side == policy.Entry {
		j.exit, j.entry = other, country
	}
	if err := j.issue(); err != nil {
		return nil, err
	}
	e := &Encounter{Bundle: b.data, Facts: j.facts(side), At: now, bundle: b, j: j}
	if err := j.present(e); err != nil {
		return nil, err
	}
	return e, nil
}

// journey is one case on stage.
type journey struct {
	*Stage
	c           *policy.Case
	exit, entry string

	birth    string
	mandates map[string]mandate // by guardian
	consents []string
	evidence []string // guardians whose mandates the consents cite
}

type mandate struct{ id, key, jwt string }

// credential makes the envelope of a subject that an office signs. What is
// proof of itself has no office: by is then a holder.
func (j *journey) credential(by keys.Signer, kind, schema string, subject any) (*vc.Credential, error) {
	j.serial++
	b, err := json.Marshal(subject)
	return &vc.Credential{Context: []string{vc.ContextV2, vc.ContextKinpass}, ID: fmt.Sprintf("urn:uuid:00000000-0000-4000-8000-%012d", j.serial),
		Type: []string{vc.TypeCredential, kind}, Issuer: did.Base(by.KID), ValidFrom: now.AddDate(0, 0, -20), ValidTo: now.AddDate(0, 5, 0),
		Subject: b, Schema: &vc.Schema{ID: schema, Type: "JsonSchema"}}, err
}

// status gives a pair of entries of their own on an office's lists.
func (j *journey) status(role string) []vc.StatusEntry {
	j.serial++
	var out []vc.StatusEntry
	for _, p := range []string{vc.PurposeRevocation, vc.PurposeSuspension} {
		out = append(out, vc.StatusEntry{Type: "BitstringStatusListEntry", Purpose: p, Index: strconv.Itoa(j.serial), List: listAddress(role, p)})
	}
	return out
}

func (s *Stage) sign(by keys.Signer, c *vc.Credential) (string, error) {
	b, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	if s.Twist != nil {
		return vc.SignJWS(by, vc.TypCredential, "vc", s.Twist("credential", b))
	}
	u, err := vc.Prepare(b)
	if err != nil {
		return "", err
	}
	return u.Sign(by)
}

func (j *journey) issue() error {
	if err := j.register(); err != nil {
		return err
	}
	for _, g := range j.c.People() {
		if err := j.mandate(g); err != nil {
			return err
		}
	}
	for i := range j.c.Consents {
		if err := j.agree(&j.c.Consents[i]); err != nil {
			return err
		}
	}
	return nil
}

// born is the child's day of birth: some months past the birthday.
func (j *journey) born() vc.Date { return policy.CaseDay.AddYears(-j.c.Age()).AddDays(-100) }

func (j *journey) register() error {
	born := j.born()
	record := &vc.Birth{ChildRef: child, RecordVersion: 1, Circumstance: "ordinary",
		Names:     []vc.Name{{Kind: "legal", Script: "Latn", MRZ: &vc.MRZ{Primary: "STAGE", Secondary: "CHILD"}}},
		BirthDate: vc.UncertainDate{Value: born.String(), Precision: "day"}, Sex: 9, PlaceOfBirth: vc.Place{Country: "UTO"},
		Registration: vc.Registration{Number: "STAGE-1", Date: born.AddDays(10).String(), Mode: "timely"}}
	for _, p := range j.c.Register() {
		record.Parentage = append(record.Parentage, vc.Parent{Role: p.Role, Status: p.Status})
	}
	by := j.office[vc.RoleRegistrar]
	c, err := j.credential(by, vc.TypeBirth, vc.SchemaBirthBorder, record)
	if err != nil {
		return err
	}
	c.Status = j.status(vc.RoleRegistrar)
	j.birth, err = j.sign(by, c)
	return err
}

// zone is the name of somebody in a machine-readable zone: no two are alike.
func zone(who string) []vc.Name {
	given := strings.Map(func(r rune) rune {
		if r = r &^ 0x20; r >= 'A' && r <= 'Z' {
			return r
		}
		return -1
	}, who)
	family := "STAGE"
	for _, b := range []byte(who) {
		family += string(rune('A'+b>>4)) + string(rune('A'+b&15))
	}
	return []vc.Name{{Kind: "legal", Script: "Latn", MRZ: &vc.MRZ{Primary: family[:min(len(family), 30)], Secondary: given}}}
}

func (j *journey) mandate(g policy.CaseGuardian) error {
	holder, err := j.person(g.Who)
	if err != nil {
		return err
	}
	from := j.born().AddDays(10)
	m := &vc.Guardianship{ID: did.Base(holder.KID), Guardian: vc.Guardian{Kind: "naturalPerson", Names: zone(g.Who)}, Ward: vc.Ward{ChildRef: child},
		Role: g.Role, LegalBasis: vc.LegalBasis{Type: g.Basis, Law: "UTO"}, Powers: []string{"travelAccompany", "travelConsent", "relocate"},
		Exercise: vc.Exercise{Mode: g.Exercise, CoGuardianCount: g.Of}, Effective: vc.Effective{From: from.String()},
		Termination: vc.Termination{MajorityAge: 18, MajorityLaw: "UTO"}}
	if g.MaxAbsenceDays > 0 {
		m.Constraints = &vc.Constraints{MaxAbsenceDays: g.MaxAbsenceDays}
	}
	if g.Role == "stateGuardian" || g.Role == "ngoGuardian" {
		m.Guardian.Kind = "institution"
	}
	switch g.Basis {
	case "courtOrder", "adoptionSimple", "adoptionPlenary", "kafala", "publicAuthority":
		m.LegalBasis.Finality = "final"
	case "humanitarianMandate":
		m.LegalBasis.CountersignedBy = office(vc.RoleProtection)
	}
	role := vc.RolesFor(g.Basis)[0]
	c, err := j.credential(j.office[role], vc.TypeGuardianship, vc.SchemaGuardBorder, m)
	if err != nil {
		return err
	}
	c.Status = j.status(role)
	jwt, err := j.sign(j.office[role], c)
	j.mandates[g.Who] = mandate{c.ID, m.ID, jwt}
	return err
}

// witnesses are the roles that give a consent its level.
var witnesses = map[string]string{vc.LevelWitnessed: vc.RoleWitness, vc.LevelNotarised: vc.RoleNotary, vc.LevelConsular: vc.RoleConsulate, vc.LevelJudicial: vc.RoleCourt}

// travellers lists the companions who are there.
func (j *journey) travellers() []policy.CaseCompanion {
	var out []policy.CaseCompanion
	for _, a := range j.c.Companions {
		if slices.Contains(j.c.Travels, a.Who) {
			out = append(out, a)
		}
	}
	return out
}

// guardians lists the guardians who are there.
func (j *journey) guardians() []string {
	var out []string
	for _, who := range j.c.Travels {
		if _, ok := j.mandates[who]; ok {
			out = append(out, who)
		}
	}
	return out
}

func (j *journey) agree(x *policy.CaseConsent) error {
	granted := monthsBack(max(1, x.MonthsAgo))
	t := &vc.TravelConsent{ChildRef: child, Mode: vc.ModeThirdParty, RelocationAllowed: x.Relocation, Nonce: fmt.Sprintf("stage-%016d", j.serial),
		GrantedOn: granted.String(), Trip: vc.Trip{DepartFrom: j.exit, Destinations: []string{j.entry}, NotBefore: granted.String(), Purpose: j.c.Purpose}}
	if !x.NoEnd {
		t.Trip.NotAfter = policy.CaseDay.AddDays(max(30, j.c.Days)).String()
	}
	switch {
	case len(j.c.Travels) == 0:
		t.Mode = vc.ModeAlone
		t.Receiving = receiver(j.c.Receiver)
	case len(j.guardians()) > 0:
		t.Mode = vc.ModeOneGuardian
		for _, who := range j.guardians() {
			t.Accompanying = append(t.Accompanying, vc.Companion{Names: zone(who), Key: j.mandates[who].key})
			t.Accompanying[len(t.Accompanying)-1].Names[0].Full = who
		}
	case j.c.Group:
		t.Mode = vc.ModeGroup
	}
	for _, a := range j.c.Companions {
		if len(x.Names) == 0 && !slices.Contains(j.c.Travels, a.Who) || len(x.Names) > 0 && !slices.Contains(x.Names, a.Who) {
			continue
		}
		k, err := j.person(a.Who)
		if err != nil {
			return err
		}
		named := vc.Companion{Names: zone(a.Who), Key: did.Base(k.KID), Relation: "other"}
		named.Names[0].Full = a.Who
		if a.Age > 0 {
			named.BirthDate = &vc.UncertainDate{Value: policy.CaseDay.AddYears(-a.Age).AddDays(-100).String(), Precision: "day", Basis: "documentary"}
		}
		t.Accompanying = append(t.Accompanying, named)
	}
	level := x.Level
	if level == "" {
		level = vc.LevelNotarised
	}
	by, capacity := x.By, ""
	if slices.Contains(x.By, policy.Consenting) {
		// A court speaks about the mandates that there are.
		by, capacity, level = []string{j.c.People()[0].Who}, "court", vc.LevelJudicial
	}
	for _, who := range by {
		m := j.mandates[who]
		t.Grantors = append(t.Grantors, vc.Grantor{Guardianship: m.id, Key: m.key, Capacity: capacity})
	}
	t.Assurance = vc.Assurance{Level: level}
	if level == vc.LevelSelfSigned {
		return j.selfSigned(t, by)
	}
	return j.witnessed(t)
}

// selfSigned has each grantor sign the same consent.
func (j *journey) selfSigned(t *vc.TravelConsent, by []string) error {
	for _, who := range by {
		holder, err := j.person(who)
		if err != nil {
			return err
		}
		c, err := j.credential(holder, vc.TypeConsent, vc.SchemaConsent, t)
		if err != nil {
			return err
		}
		c.Status = j.status(vc.RoleRegistrar)
		jwt, err := j.sign(holder, c)
		if err != nil {
			return err
		}
		j.consents = append(j.consents, jwt)
		if !slices.Contains(j.evidence, who) {
			j.evidence = append(j.evidence, who)
		}
	}
	return nil
}

// witnessed has an office sign for all: it may set an older deed into a
// credential of today.
func (j *journey) witnessed(t *vc.TravelConsent) error {
	role := witnesses[t.Assurance.Level]
	by := j.office[role]
	t.Assurance.Witness = office(role)
	t.Assurance.Reference = "STAGE/deed"
	c, err := j.credential(by, vc.TypeConsent, vc.SchemaConsent, t)
	if err != nil {
		return err
	}
	for range t.Grantors {
		c.Status = append(c.Status, j.status(vc.RoleRegistrar)...)
	}
	jwt, err := j.sign(by, c)
	j.consents = append(j.consents, jwt)
	return err
}

func receiver(parts []string) *vc.Receiver {
	r := &vc.Receiver{}
	for _, p := range parts {
		switch p {
		case "name":
			r.Name = "an aunt of the stage"
		case "address":
			r.Address = "1 Stage Street"
		case "contact":
			r.Contact = "+000 000"
		case "document":
			r.Document = &vc.Identifier{Type: "passport", Value: "STAGE1", Issuer: "UTO"}
		}
	}
	return r
}

// present has everybody who is there show what they hold: guardians their own
// mandate, companions what was shared with them. For a child alone somebody
// signed ahead, who does not travel.
func (j *journey) present(e *Encounter) error {
	e.Holders = slices.Clone(j.guardians())
	for _, a := range j.travellers() {
		e.Holders = append(e.Holders, a.Who)
	}
	if len(e.Holders) == 0 {
		e.Holders = []string{j.c.People()[0].Who}
	}
	for _, who := range e.Holders {
		shown := []string{j.birth}
		cited := j.evidence
		if m, ok := j.mandates[who]; ok && !slices.Contains(cited, who) {
			shown = append(shown, m.jwt)
		}
		for _, g := range cited {
			shown = append(shown, j.mandates[g].jwt)
		}
		e.Papers = append(e.Papers, append(shown, j.consents...))
	}
	var err error
	e.Shown, err = e.Again(now, func(holder string, _ int) (string, bool) { return holder, true })
	return err
}

func (j *journey) shown(who string, jwts []string, at time.Time) (string, error) {
	holder, err := j.person(who)
	if err != nil {
		return "", err
	}
	j.serial++
	p := vc.Presentation{Context: []string{vc.ContextV2}, Type: []string{vc.TypePresentation}, Holder: did.Base(holder.KID),
		Audience: vc.BorderAudience, Nonce: fmt.Sprintf("stage-%016d", j.serial), IssuedAt: at.Add(-10 * time.Second).Unix(), Expires: at.Add(290 * time.Second).Unix()}
	for _, jwt := range jwts {
		p.Credentials = append(p.Credentials, vc.Envelop(jwt))
	}
	return j.signed(holder, vc.TypPresentation, "", p)
}

// facts are what the officer sees and types: all that the case says.
func (j *journey) facts(side policy.Direction) check.Facts {
	c := j.c
	f := check.Facts{Confirm: []string{check.Portrait}, Exit: j.exit, Entry: j.entry, Date: policy.CaseDay, Direction: string(side),
		ChildNationality: c.Child.Nationality, Residence: c.Child.Residence, Company: check.CompanyThirdParty}
	if c.Days > 0 {
		f.ReturnBy = policy.CaseDay.AddDays(c.Days)
	}
	if m := c.Child.ResidenceProofMonths; m > 0 {
		f.ResidenceProof = monthsBack(m)
	}
	for _, g := range c.People() {
		if slices.Contains(c.Travels, g.Who) && g.Nationality+g.Residence != "" {
			f.CompanionNationality, f.CompanionResidence = g.Nationality, g.Residence
		}
	}
	for _, a := range j.travellers() {
		f.CompanionNationality, f.CompanionResidence = a.Nationality, a.Residence
	}
	switch {
	case len(c.Travels) == 0:
		f.Company = check.CompanyAlone
	case len(j.guardians()) > 0:
		f.Company = check.CompanyGuardian
	case c.Group:
		f.Company = check.CompanyGroup
	}
	return f
}

// monthsBack gives the same day so many months before the journey, or the last
// of that month.
func monthsBack(n int) vc.Date {
	first := time.Date(policy.CaseDay.Year, policy.CaseDay.Month-time.Month(n), 1, 0, 0, 0, 0, time.UTC)
	return vc.Date{Year: first.Year(), Month: first.Month(), Day: min(policy.CaseDay.Day, first.AddDate(0, 1, -1).Day())}
}
