package check

import (
	"encoding/json"
	"fmt"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/policy"
	"github.com/kinpass/kinpass/internal/vc"
)

// Machine-readable zones of adults who are no guardians.
var (
	rosa  = zone("UGA", "ACHIENG", "ROSA", "A1112223")
	jonah = zone("UGA", "ODHIAMBO", "JONAH", "A4445556")
)

// family is a birth, the mandates of a child's guardians, and what they agree
// to. Fields may be changed until the credentials are made.
type family struct {
	w       *world
	birth   *vc.Birth
	mandate map[string]*vc.Guardianship

	jwt map[string]string // birth and mandates, once issued
	id  map[string]string // of the guardianship credentials
}

// newFamily has a mother and a father who decide together.
func newFamily(w *world) *family {
	f := &family{w: w, birth: w.birth(), mandate: map[string]*vc.Guardianship{}, jwt: map[string]string{}, id: map[string]string{}}
	for _, who := range []string{"mother", "father"} {
		f.mandate[who] = w.mandate(who)
		jointly(f.mandate[who])
	}
	return f
}

// role is the office that signs a mandate.
func mandater(g *vc.Guardianship) string {
	switch g.LegalBasis.Type {
	case "courtOrder", "kafala", "testamentary", "adoptionPlenary":
		return vc.RoleCourt
	case "publicAuthority":
		return vc.RoleProtection
	case "humanitarianMandate":
		return vc.RoleHumanitarian
	}
	return vc.RoleRegistrar
}

// of gives the birth credential ("child") or a guardianship, issued at the
// first call.
func (f *family) of(who string) string {
	f.w.t.Helper()
	if f.jwt[who] == "" {
		if who == "child" {
			f.jwt[who] = f.w.issue(f.birth)
		} else {
			g := f.mandate[who]
			f.jwt[who] = f.w.issueBy(mandater(g), g, func(c *vc.Credential) { f.id[who] = c.ID })
		}
	}
	return f.jwt[who]
}

func (f *family) grantor(who string) vc.Grantor {
	f.of(who)
	return vc.Grantor{Guardianship: f.id[who], Key: f.w.id(who)}
}

// companion is how a consent names an adult.
func (w *world) companion(who string) vc.Companion {
	name := map[string]vc.MRZ{"aunt": {Primary: "ACHIENG", Secondary: "ROSA"}, "uncle": {Primary: "ODHIAMBO", Secondary: "JONAH"},
		"teacher": {Primary: "NAMUBIRU", Secondary: "GRACE"}, "thief": {Primary: "NOBODY", Secondary: "JOE"}, "mother": {Primary: "ERIKSSON", Secondary: "ANNA<MARIA"}}[who]
	return vc.Companion{Names: []vc.Name{{Kind: "legal", Script: "Latn", MRZ: &name}}, Key: w.id(who), Relation: "relative",
		BirthDate: &vc.UncertainDate{Value: "1980-01-01", Precision: "day"}}
}

// consent is to a journey from Uganda to Kenya and back.
func (f *family) consent(mode string, grantors ...string) *vc.TravelConsent {
	t := &vc.TravelConsent{ChildRef: f.birth.ChildRef, Mode: mode,
		Trip: vc.Trip{DepartFrom: "UGA", Destinations: []string{"KEN"}, NotBefore: "2026-11-15", NotAfter: "2026-12-15",
			ReturnBy: "2026-12-10", Crossings: 2, Purpose: "holiday"},
		Assurance: vc.Assurance{Level: vc.LevelSelfSigned}, Nonce: fmt.Sprintf("consent-nonce-%08d", f.w.serial), GrantedOn: "2026-11-01"}
	for _, g := range grantors {
		t.Grantors = append(t.Grantors, f.grantor(g))
	}
	switch mode {
	case vc.ModeThirdParty:
		t.Accompanying = []vc.Companion{f.w.companion("aunt")}
	case vc.ModeGroup:
		t.Accompanying = []vc.Companion{f.w.companion("teacher")}
	case vc.ModeAlone:
		t.Receiving = &vc.Receiver{Name: "Grandmother", Address: "Nairobi", Contact: "+254", Document: &vc.Identifier{Type: "passport", Value: "K1"}}
	}
	return t
}

// envelope around a consent: a pair of status entries for each grantor.
func (f *family) envelope(t *vc.TravelConsent, issuer string, pairs int) *vc.Credential {
	f.w.t.Helper()
	b, err := json.Marshal(t)
	if err != nil {
		f.w.t.Fatal(err)
	}
	c := &vc.Credential{Context: []string{vc.ContextV2, vc.ContextKinpass}, Type: []string{vc.TypeCredential, vc.TypeConsent},
		Issuer: issuer, ValidFrom: now.AddDate(0, 0, -5), ValidTo: now.AddDate(0, 1, 0), Subject: b,
		Schema: &vc.Schema{ID: vc.SchemaConsent, Type: "JsonSchema"}}
	for range pairs {
		f.w.serial++
		for _, p := range []string{vc.PurposeRevocation, vc.PurposeSuspension} {
			c.Status = append(c.Status, vc.StatusEntry{Type: "BitstringStatusListEntry", Purpose: p, Index: fmt.Sprint(f.w.serial), List: shelf(vc.RoleRegistrar) + "/status/" + p + "/1"})
		}
	}
	f.w.serial++
	c.ID = fmt.Sprintf("urn:uuid:00000000-0000-4000-9000-%012d", f.w.serial)
	return c
}

// signs is the grantor's own consent.
func (f *family) signs(who string, t *vc.TravelConsent, change ...func(*vc.Credential)) string {
	f.w.t.Helper()
	s := f.w.holder[who]
	return f.signed(s, f.envelope(t, did.Base(s.KID), 1), change)
}

// witnessed is the consent that an office witnessed.
func (f *family) witnessed(role string, t *vc.TravelConsent, change ...func(*vc.Credential)) string {
	f.w.t.Helper()
	copied := *t
	copied.Assurance = vc.Assurance{Level: vc.LevelOf(role), Witness: "did:web:" + role + ".example"}
	return f.signed(f.w.office[role], f.envelope(&copied, "did:web:"+role+".example", len(t.Grantors)), change)
}

func (f *family) signed(s keys.Signer, c *vc.Credential, change []func(*vc.Credential)) string {
	for _, x := range change {
		x(c)
	}
	return f.w.sign(s, vc.TypCredential, c)
}

// setOn sets the bit of one grantor of a consent that was made.
func (w *world) setOn(jwt string, pair int, purpose string) {
	v, err := vc.SplitJWS(jwt)
	if err != nil {
		w.t.Fatal(err)
	}
	c, err := vc.ParseCredential(v.PayloadUnverified())
	if err != nil {
		w.t.Fatal(err)
	}
	e := c.Status[2*pair]
	if purpose == vc.PurposeSuspension {
		e = c.Status[2*pair+1]
	}
	var index int64
	if _, err := fmt.Sscan(e.Index, &index); err != nil {
		w.t.Fatal(err)
	}
	if err := w.lists[e.List].Set(index); err != nil {
		w.t.Fatal(err)
	}
}

// national gives the bundle the shipped policies.
func (w *world) national() {
	for _, p := range policy.Shipped() {
		w.policies = append(w.policies, p.Raw())
	}
}
