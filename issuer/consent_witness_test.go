package issuer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"

	"github.com/kinpass/kinpass/internal/didweb"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/status"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/internal/tlog"
	"github.com/kinpass/kinpass/internal/vc"
)

// People who witness.
var (
	carl  = Caller{ID: "t-carl", Name: "Carl", Role: RoleConsulate}
	wendy = Caller{ID: "t-wendy", Name: "Wendy", Role: RoleWitness}
)

// bureau is an issuer that keeps births and guardianships and witnesses
// consents, with a trust list that can be changed.
type bureau struct {
	*booth
	trusted *vc.TrustList
	log     *bytes.Buffer
}

func newBureau(t testing.TB, db *store.DB, ring *keys.Ring) *bureau {
	t.Helper()
	if len(ring.Of(RoleWitness)) == 0 {
		addOffices(t, ring, deskTime, RoleConsulate, RoleWitness)
	}
	return reopenBureau(t, db, ring)
}

func reopenBureau(t testing.TB, db *store.DB, ring *keys.Ring) *bureau {
	t.Helper()
	log := new(bytes.Buffer)
	d := &booth{openDeskWith(t, Config{DB: db, Ring: ring, ListSize: status.MinSize, Log: slog.New(slog.NewTextHandler(log, nil))})}
	d.pass(123456 * time.Microsecond)
	b := &bureau{booth: d, log: log}
	b.trusted = b.list()
	d.cfg.Trust = func(context.Context) (*vc.TrustList, error) { return b.trusted, nil }
	return b
}

// list is a trust list with this office on it, in all its roles.
func (b *bureau) list() *vc.TrustList {
	b.t.Helper()
	l := &vc.TrustList{ID: "did:key:z", Sequence: 1, IssuedAt: deskTime.AddDate(0, -1, 0), Next: deskTime.AddDate(3, 0, 0)}
	is := vc.TrustIssuer{DID: b.DID(), Name: "Registry", Shelf: b.cfg.Base, ConsentStatus: true}
	for use, x := range map[string]vc.TrustKey{
		keys.UseCredentials: {Role: vc.RoleRegistrar, Types: []string{vc.TypeBirth, vc.TypeGuardianship, vc.TypeStatusList}},
		RoleNotary:          {Role: vc.RoleNotary, Types: []string{vc.TypeConsent, vc.TypeGuardianship}},
		RoleCourt:           {Role: vc.RoleCourt, Types: []string{vc.TypeConsent, vc.TypeGuardianship, vc.TypeStatusList}},
		RoleConsulate:       {Role: vc.RoleConsulate, Types: []string{vc.TypeConsent}},
		RoleWitness:         {Role: vc.RoleWitness, Types: []string{vc.TypeConsent}},
		RoleHumanitarian:    {Role: vc.RoleHumanitarian, Types: []string{vc.TypeGuardianship}},
	} {
		k := b.ring.Of(use)[0]
		jwk, err := vc.PublicJWK(k.Public(), b.DID()+"#"+k.Name, k.Alg)
		if err != nil {
			b.t.Fatal(err)
		}
		x.ID, x.JWK, x.NotBefore = b.DID()+"#"+k.Name, jwk, k.NotBefore
		is.Keys = append(is.Keys, x)
	}
	l.Issuers = []vc.TrustIssuer{is}
	return l
}

// key gives the entry of a role on the trust list.
func (b *bureau) key(role string) *vc.TrustKey {
	for n := range b.trusted.Issuers[0].Keys {
		if k := &b.trusted.Issuers[0].Keys[n]; k.Role == role {
			return k
		}
	}
	b.t.Fatal("no such key")
	return nil
}

// joint makes a mandate one of two that must agree to a journey.
func joint(g *vc.Guardianship) { g.Exercise = vc.Exercise{Mode: "joint", CoGuardianCount: 2} }

// parents registers a child with two guardians who have their credentials.
func (b *bureau) parents(edit ...func(*vc.Guardianship)) (mother, dad *guardian) {
	b.t.Helper()
	x := newBirth(func(c *vc.Birth) {
		name := letters(int(serial.Add(1)))
		c.Parentage = append(c.Parentage, vc.Parent{Role: "father", Status: "known", Filiation: "acknowledgement", PersonRef: token(),
			Names:     []vc.Name{{Kind: "legal", Script: "Latn", Given: []string{"P" + name}, Family: []string{"Q" + name}}},
			BirthDate: &vc.UncertainDate{Value: "1988-02-03", Precision: "day", Basis: "documentary"}})
	})
	birth := b.birth(StateIssued, x)
	father := func(g *vc.Guardianship) {
		p := x.Parentage[1]
		g.Role, g.Guardian.PersonRef, g.Guardian.Names, g.Guardian.BirthDate = "father", p.PersonRef, p.Names, p.BirthDate
	}
	mother = b.guardianOf(child{birth, b.guardianship(StateIssued, newGuardianship(x, edit...))})
	dad = b.guardianOf(child{birth, b.guardianship(StateIssued, newGuardianship(x, append(edit, father)...))})
	return mother, dad
}

// trip is a consent to a journey by these guardians, before anybody signed.
func (b *bureau) trip(grantors ...*guardian) vc.TravelConsent {
	b.t.Helper()
	birth := b.subjectOf(grantors[0].copy(vc.TypeBirth, ProfileBorder).JWT)
	c := vc.TravelConsent{ChildRef: birth["childRef"].(string), Mode: vc.ModeOneGuardian, Nonce: token(), GrantedOn: "2026-11-20",
		Trip:      vc.Trip{DepartFrom: "ZAF", Destinations: []string{"GBR"}, NotBefore: "2026-12-01", NotAfter: "2026-12-20", Crossings: 2},
		Assurance: vc.Assurance{Level: vc.LevelSelfSigned}}
	for _, g := range grantors {
		c.Grantors = append(c.Grantors, vc.Grantor{Guardianship: g.mandate(), Key: g.did})
	}
	return c
}

func (b *bureau) subjectOf(jwt string) map[string]any {
	b.t.Helper()
	var x struct {
		Subject map[string]any `json:"credentialSubject"`
	}
	if err := json.Unmarshal([]byte(payloadOf(b.t, jwt)), &x); err != nil {
		b.t.Fatal(err)
	}
	return x.Subject
}

// unsignedConsent is a guardian's consent as a credential, with a status.
func (b *bureau) unsignedConsent(g *guardian, c any, s ConsentStatus) vc.Credential {
	b.t.Helper()
	return vc.Credential{Context: []string{vc.ContextV2, vc.ContextKinpass}, ID: "urn:uuid:" + uuid.NewString(),
		Type: []string{vc.TypeCredential, vc.TypeConsent}, Issuer: g.did, ValidFrom: b.now().Truncate(time.Second),
		ValidTo: time.Date(2026, 12, 21, 12, 0, 0, 0, time.UTC), Subject: raw(b.t, c), Status: s.Status,
		Schema: &vc.Schema{ID: vc.SchemaConsent, Type: "JsonSchema"}}
}

// agrees signs a consent, with a place of its own in the status lists.
func (b *bureau) agrees(g *guardian, c any, edit ...func(*vc.Credential)) (jwt string, s ConsentStatus) {
	b.t.Helper()
	s = b.reserved(g)
	// Tests agree more often than the limit of a day.
	if _, err := b.db.Exec(`UPDATE consent_places SET created = 0`); err != nil {
		b.t.Fatal(err)
	}
	x := b.unsignedConsent(g, c, s)
	for _, e := range edit {
		e(&x)
	}
	return signed(b.t, g.signer, vc.TypCredential, x), s
}

// dossier is what guardians who all sign bring.
func (b *bureau) dossier(c vc.TravelConsent, who ...*guardian) Dossier {
	b.t.Helper()
	d := Dossier{Birth: who[0].copy(vc.TypeBirth, ProfileBorder).JWT, Reference: "2026/117-A"}
	for _, g := range who {
		jwt, _ := b.agrees(g, c)
		d.Consents = append(d.Consents, jwt)
		d.Guardianships = append(d.Guardianships, g.copy(vc.TypeGuardianship, ProfileBorder).JWT)
	}
	return d
}

// witnessedBy reads a witnessed consent as a stranger does, with the published
// key set.
func (b *bureau) witnessedBy(role string, w Witnessed) (vc.Credential, vc.TravelConsent) {
	b.t.Helper()
	p, err := b.JWKS()
	if err != nil {
		b.t.Fatal(err)
	}
	set, err := jwk.Parse(p.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	payload, err := jws.Verify([]byte(w.Credential), jws.WithKeySet(set, jws.WithRequireKid(true)))
	if err != nil {
		b.t.Fatal(err)
	}
	s, err := vc.SplitJWS(w.Credential)
	if err != nil || s.Header.Typ != vc.TypCredential || s.Header.Kid != b.DID()+"#"+role+"-1" {
		b.t.Fatalf("signed with %+v", s.Header)
	}
	var c vc.Credential
	var t vc.TravelConsent
	if json.Unmarshal(payload, &c) != nil || json.Unmarshal(c.Subject, &t) != nil || vc.ValidateSchema(vc.SchemaConsent, payload) != nil {
		b.t.Fatalf("not a consent: %s", payload)
	}
	if c.Issuer != b.DID() || c.ID != w.ID || !c.ValidTo.Equal(w.ValidUntil) {
		b.t.Errorf("%+v", c)
	}
	return c, t
}

func eachBureau(t *testing.T, fn func(t *testing.T, b *bureau)) {
	t.Parallel()
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) { fn(t, newBureau(t, db, newRing(t, keys.EdDSA))) })
}

// Both parents sign before a notary: one consent for both, which each of them
// withdraws alone.
func TestWitnessConsent(t *testing.T) {
	eachBureau(t, func(t *testing.T, b *bureau) {
		mother, dad := b.parents(joint)
		c := b.trip(mother, dad)
		d := Dossier{Birth: mother.copy(vc.TypeBirth, ProfileFull).JWT, Reference: "2026/117-A"}
		var places []ConsentStatus
		for _, g := range []*guardian{dad, mother} { // in another order than the grantors
			jwt, s := b.agrees(g, c)
			places = append([]ConsentStatus{s}, places...)
			d.Consents = append(d.Consents, jwt)
			d.Guardianships = append(d.Guardianships, g.copy(vc.TypeGuardianship, ProfileBorder).JWT)
		}
		w, err := b.WitnessConsent(ctx, nora, d, "")
		if err != nil {
			t.Fatal(explain(err))
		}
		if w.Signed != 2 || w.Quorum != 2 || !w.Complete || !w.ValidUntil.Equal(time.Date(2026, 12, 21, 12, 0, 0, 0, time.UTC)) {
			t.Errorf("%+v", w)
		}
		x, got := b.witnessedBy(RoleNotary, w)
		want := c
		want.Assurance = vc.Assurance{Level: vc.LevelNotarised, Witness: b.DID(), Reference: "2026/117-A"}
		if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
			t.Errorf("the journey changed:\n%+v\n%+v", got, want)
		}
		if fmt.Sprint(x.Status) != fmt.Sprint(append(slices.Clone(places[0].Status), places[1].Status...)) {
			t.Errorf("status %v", x.Status)
		}
		if err := b.withdraw(dad, places[1]); err != nil {
			t.Fatal(explain(err))
		}
		b.wantAt(places[0], false, false)
		b.wantAt(places[1], true, false)
		// The office keeps the credential, what it needs for the audit and the
		// commitment; nothing else is on record.
		var salt, digest []byte
		var by, reference, state string
		if err := b.db.QueryRow(`SELECT salt, digest, caller_name, reference, state FROM witnessed WHERE id = $1`, w.ID[len("urn:uuid:"):]).
			Scan(&salt, &digest, &by, &reference, &state); err != nil {
			t.Fatal(err)
		}
		trip, err := vc.ConsentDigest(raw(t, c))
		if err != nil || !bytes.Equal(digest, sum(salt, []byte(trip))) || by != "Nora" || reference != "2026/117-A" || state != "sealed" {
			t.Errorf("%v %s %s %s", err, by, reference, state)
		}
		var csalt, hash []byte
		if err := b.db.QueryRow(`SELECT salt, hash FROM commitments WHERE credential_id = $1 AND kind = 'witnessed'`, w.ID[len("urn:uuid:"):]).Scan(&csalt, &hash); err != nil ||
			!bytes.Equal(hash, commitment(csalt, []byte(payloadOf(t, w.Credential)))) {
			t.Errorf("no commitment to what was signed: %v", err)
		}
		if n := b.total(`SELECT COUNT(*) FROM witnessed WHERE payload IS NOT NULL`); n != 0 {
			t.Error("the unsigned consent is kept")
		}
		// In the ledger it takes no place: an auditor counts the others to the last.
		b.all()
		kinds := map[tlog.Kind]int{}
		for _, e := range b.entries() {
			kinds[e.Kind]++
		}
		if kinds[tlog.Witnessed] != 1 || kinds[tlog.Issued] != b.total(`SELECT COUNT(*) FROM credentials`) || kinds[tlog.Reserved] != b.total(`SELECT COUNT(*) FROM consent_places`) {
			t.Errorf("in the ledger: %v", kinds)
		}
		// A month later it has no credential any more.
		b.pass(32 * 24 * time.Hour)
		if _, err := b.Recover(ctx); err != nil {
			t.Fatal(explain(err))
		}
		if n := b.total(`SELECT COUNT(*) FROM witnessed WHERE jwt = '' AND state = 'gone'`); n != 1 {
			t.Error("the credential is kept")
		}
	})
}

// One parent before the notary is usual: the consent is theirs alone, and the
// officer at the counter sees that the other is missing.
func TestWitnessOneOfTwo(t *testing.T) {
	eachBureau(t, func(t *testing.T, b *bureau) {
		mother, dad := b.parents(joint)
		c := b.trip(mother, dad)
		w, err := b.WitnessConsent(ctx, nora, b.dossier(c, dad), "")
		if err != nil {
			t.Fatal(explain(err))
		}
		x, got := b.witnessedBy(RoleNotary, w)
		if w.Signed != 1 || w.Quorum != 2 || w.Complete || len(got.Grantors) != 1 || got.Grantors[0].Key != dad.did || len(x.Status) != 2 {
			t.Errorf("%+v %+v", w, got.Grantors)
		}
		// Who may act alone is enough alone.
		alone := b.guardian()
		if w, err = b.WitnessConsent(ctx, nora, b.dossier(b.trip(alone), alone), ""); err != nil || !w.Complete || w.Quorum != 1 {
			t.Errorf("%+v %v", w, err)
		}
	})
}

func TestQuorumOfMandates(t *testing.T) {
	for _, x := range []struct {
		e    vc.Exercise
		want int
	}{
		{vc.Exercise{Mode: "sole"}, 1}, {vc.Exercise{Mode: "independent", CoGuardianCount: 2}, 1},
		{vc.Exercise{Mode: "joint"}, 2}, {vc.Exercise{Mode: "joint", CoGuardianCount: 3}, 3}, {vc.Exercise{Mode: "joint", CoGuardianCount: 3, Quorum: 2}, 2},
		{vc.Exercise{Mode: "joint", JointFor: []string{"healthMajor"}, CoGuardianCount: 2}, 1},
		{vc.Exercise{Mode: "joint", JointFor: []string{"travelConsent"}, CoGuardianCount: 2}, 2},
		{vc.Exercise{Mode: "joint", JointFor: []string{"relocate", "travelAccompany"}}, 2},
	} {
		if got := needed(x.e); got != x.want {
			t.Errorf("%+v: %d", x.e, got)
		}
	}
}

// The role decides the key and the level, and nothing that was claimed does.
func TestWitnessLevels(t *testing.T) {
	b := newBureau(t, storetest.Open(t, store.SQLite, "issuer"), newRing(t, keys.EdDSA))
	g := b.guardian()
	for _, x := range []struct {
		by    Caller
		level string
	}{{nora, vc.LevelNotarised}, {carl, vc.LevelConsular}, {wendy, vc.LevelWitnessed}, {clara, vc.LevelJudicial}} {
		w, err := b.WitnessConsent(ctx, x.by, b.dossier(b.trip(g), g), "")
		if err != nil {
			t.Fatal(explain(err))
		}
		if _, got := b.witnessedBy(x.by.Role, w); got.Assurance.Level != x.level || got.Assurance.Witness != b.DID() {
			t.Errorf("%s: %+v", x.by.Role, got.Assurance)
		}
	}
	d := b.dossier(b.trip(g), g)
	for _, who := range []Caller{rita, peter, anna, thief, {ID: "x", Role: RoleHumanitarian}} {
		_, err := b.WitnessConsent(ctx, who, d, "")
		wantFault(t, err, ErrNotAllowed)
	}
}

// What is no good is refused with the paper and the rule, and nothing of the
// paper; nothing is stored.
func TestDossierRefused(t *testing.T) {
	b := newBureau(t, storetest.Open(t, store.SQLite, "issuer"), newRing(t, keys.EdDSA))
	mother, dad := b.parents()
	other := b.guardian()
	c := b.trip(mother, dad)
	good := func() Dossier { return b.dossier(c, mother, dad) }
	one := func(edit func(*vc.TravelConsent), more ...func(*vc.Credential)) Dossier {
		x := b.trip(mother)
		if edit != nil {
			edit(&x)
		}
		jwt, _ := b.agrees(mother, x, more...)
		return Dossier{Birth: mother.copy(vc.TypeBirth, ProfileBorder).JWT, Guardianships: []string{mother.copy(vc.TypeGuardianship, ProfileBorder).JWT}, Consents: []string{jwt}}
	}
	edited := func(d Dossier, edit func(*Dossier)) Dossier { edit(&d); return d }
	mandate := func(g *guardian) string { return g.copy(vc.TypeGuardianship, ProfileBorder).JWT }
	// resigned signs a paper of the register anew, changed.
	resigned := func(jwt, use string, edit func(map[string]any)) string {
		var m map[string]any
		if err := json.Unmarshal([]byte(payloadOf(t, jwt)), &m); err != nil {
			t.Fatal(err)
		}
		edit(m)
		k := b.ring.Of(use)[0]
		return signed(t, k.Signer(b.DID()+"#"+k.Name), vc.TypCredential, m)
	}
	subject := func(m map[string]any) map[string]any { return m["credentialSubject"].(map[string]any) }
	forged := func(jwt string) string {
		return jwt[:len(jwt)-20] + strings.Map(func(r rune) rune {
			if r == 'A' {
				return 'B'
			}
			return 'A'
		}, jwt[len(jwt)-20:len(jwt)-10]) + jwt[len(jwt)-10:]
	}
	withMandate := func(use string, edit func(map[string]any)) Dossier {
		return edited(one(nil), func(d *Dossier) { d.Guardianships[0] = resigned(d.Guardianships[0], use, edit) })
	}
	withBirth := func(use string, edit func(map[string]any)) Dossier {
		return edited(one(nil), func(d *Dossier) { d.Birth = resigned(d.Birth, use, edit) })
	}
	place := func(m map[string]any, n int) map[string]any { return m["credentialStatus"].([]any)[n].(map[string]any) }
	humanitarian := func(by string) func(map[string]any) {
		return func(m map[string]any) {
			basis := map[string]any{"type": basisMandate, "law": "ZAF", "decidedOn": "2026-01-01", "finality": "final"}
			if by != "" {
				basis["countersignedBy"] = by
			}
			subject(m)["legalBasis"] = basis
		}
	}
	second := b.guardianOf(mother.child) // another key of the same mother
	somebody := []vc.Name{{Kind: "legal", Script: "Latn", Given: []string{"Else"}, Family: []string{"Somebody"}}}
	namesOf := func(g *guardian) []vc.Name {
		var m vc.Guardianship
		raw, err := json.Marshal(b.subjectOf(mandate(g)))
		if err != nil || vc.DecodeChecked(raw, &m) != nil || len(m.Guardian.Names) == 0 {
			t.Fatal("no names")
		}
		names := m.Guardian.Names[:1]
		names[0].Full = "Nobody in particular" // as a machine-readable zone it is hers
		return names
	}
	foreign := &guardian{t: t}
	foreign.signer, foreign.did = newKey(t, keys.EdDSA)
	_, shared := b.agrees(mother, c)
	for name, x := range map[string]struct {
		d    Dossier
		path string
		rule string
	}{
		"no consent":                 {edited(good(), func(d *Dossier) { d.Consents = nil }), "/consents", "1 to 10"},
		"eleven consents":            {edited(good(), func(d *Dossier) { d.Consents = slices.Repeat(d.Consents[:1], 11) }), "/consents", "1 to 10"},
		"no guardianship":            {edited(good(), func(d *Dossier) { d.Guardianships = nil }), "/consents", "1 to 10"},
		"a birth that is none":       {edited(good(), func(d *Dossier) { d.Birth = "x" }), "/birth", "not a signed credential"},
		"a guardianship as birth":    {edited(good(), func(d *Dossier) { d.Birth = d.Guardianships[0] }), "/birth", "another type"},
		"a forged birth":             {edited(good(), func(d *Dossier) { d.Birth = forged(d.Birth) }), "/birth", "signature that does not hold"},
		"the birth of another child": {edited(good(), func(d *Dossier) { d.Birth = other.copy(vc.TypeBirth, ProfileBorder).JWT }), "/consents/0", "another child"},
		"a birth by a notary":        {withBirth(RoleNotary, func(map[string]any) {}), "/birth", "may not sign it"},
		"a birth of somebody else":   {withBirth(keys.UseCredentials, func(m map[string]any) { m["issuer"] = "did:web:other.example" }), "/birth", "names another issuer"},
		"a birth that is over": {withBirth(keys.UseCredentials, func(m map[string]any) {
			m["validFrom"], m["validUntil"] = "2026-11-01T00:00:00Z", "2026-11-19T00:00:00Z"
		}), "/birth", "not valid now"},
		"a birth to come":        {withBirth(keys.UseCredentials, func(m map[string]any) { m["validFrom"] = "2026-11-21T00:00:00Z" }), "/birth", "not valid now"},
		"a birth off its schema": {withBirth(keys.UseCredentials, func(m map[string]any) { subject(m)["sex"] = 7 }), "/birth", "schema"},
		"a birth without a status": {withBirth(keys.UseCredentials, func(m map[string]any) { m["credentialStatus"] = m["credentialStatus"].([]any)[:1] }),
			"/birth", "schema"},
		"a birth with a status elsewhere": {withBirth(keys.UseCredentials, func(m map[string]any) {
			place(m, 0)["statusListCredential"] = "https://registry.example.net/status/revocation/1"
		}), "/birth", "somewhere else"},
		"a status beside the shelf": {withBirth(keys.UseCredentials, func(m map[string]any) {
			place(m, 0)["statusListCredential"] = "https://registry.example/status/../births"
		}), "/birth", "somewhere else"},
		"a status on no list": {withBirth(keys.UseCredentials, func(m map[string]any) {
			place(m, 0)["statusListCredential"] = "https://registry.example/status/revocation/77"
		}), "/birth", "cannot be checked"},
		"a status on the other list": {withBirth(keys.UseCredentials, func(m map[string]any) {
			place(m, 0)["statusListCredential"] = place(m, 1)["statusListCredential"]
		}), "/birth", "cannot be checked"},
		"a status off the list": {withBirth(keys.UseCredentials, func(m map[string]any) {
			place(m, 0)["statusListIndex"], place(m, 1)["statusListIndex"] = "99999999", "99999999"
		}), "/birth", "cannot be checked"},
		"a status at two places": {withBirth(keys.UseCredentials, func(m map[string]any) { place(m, 1)["statusListIndex"] = "5" }), "/birth", "cannot be checked"},

		"a forged guardianship":         {edited(good(), func(d *Dossier) { d.Guardianships[0] = forged(d.Guardianships[0]) }), "/guardianships/0", "signature that does not hold"},
		"a guardianship of nobody":      {edited(good(), func(d *Dossier) { d.Guardianships[1] = "x" }), "/consents/1", "not among the papers"},
		"somebody else's guardianship":  {edited(good(), func(d *Dossier) { d.Guardianships[0] = mandate(other) }), "/consents/0", "not among the papers"},
		"a guardianship by a consulate": {withMandate(RoleConsulate, func(map[string]any) {}), "/guardianships/0", "may not sign it"},
		"a birth mandate by a court":    {withMandate(RoleCourt, func(map[string]any) {}), "/guardianships/0", "no mandate"},
		"a court order by a registrar": {withMandate(keys.UseCredentials, func(m map[string]any) {
			subject(m)["legalBasis"] = map[string]any{"type": "courtOrder", "law": "ZAF", "decidedOn": "2026-01-01", "finality": "final"}
		}), "/guardianships/0", "no mandate"},
		"a humanitarian mandate":              {withMandate(RoleHumanitarian, humanitarian("")), "/guardianships/0", "no State countersigned"},
		"a mandate that nobody countersigned": {withMandate(RoleHumanitarian, humanitarian("did:web:nobody.example")), "/guardianships/0", "no State countersigned"},
		"the lists of two places":             {one(nil, func(c *vc.Credential) { c.Status[1].List = b.listURL(vc.PurposeSuspension, 1) }), "/consents/0", "reserved"},
		"a guardianship of another child": {withMandate(keys.UseCredentials, func(m map[string]any) {
			subject(m)["ward"].(map[string]any)["childRef"] = "jWoSldc3ms1i4ycXe2mjtQ"
		}), "/guardianships/0", "another child"},
		"a guardianship of another key": {withMandate(keys.UseCredentials, func(m map[string]any) { subject(m)["id"] = other.did }), "/consents/0", "not the grantor's"},
		"a paper guardianship":          {withMandate(keys.UseCredentials, func(m map[string]any) { delete(subject(m), "id") }), "/consents/0", "not the grantor's"},
		"a mandate without the power": {withMandate(keys.UseCredentials, func(m map[string]any) { subject(m)["powers"] = []string{"travelAccompany"} }),
			"/guardianships/0", "power"},
		"a mandate to come": {withMandate(keys.UseCredentials, func(m map[string]any) {
			subject(m)["effective"].(map[string]any)["from"] = "2026-11-21"
		}), "/guardianships/0", "not in force"},
		"a mandate that ended": {withMandate(keys.UseCredentials, func(m map[string]any) {
			subject(m)["effective"].(map[string]any)["until"] = "2026-11-19"
		}), "/guardianships/0", "not in force"},
		"a child of age": {withMandate(keys.UseCredentials, func(m map[string]any) {
			subject(m)["termination"].(map[string]any)["majorityAge"] = 7
		}), "/guardianships/0", ""},
		"a guardianship that is over": {withMandate(keys.UseCredentials, func(m map[string]any) {
			m["validFrom"], m["validUntil"] = "2026-11-01T00:00:00Z", "2026-11-20T10:00:00Z"
		}),
			"/guardianships/0", "not valid now"},

		"a consent that is none":       {edited(one(nil), func(d *Dossier) { d.Consents[0] = mandate(mother) }), "/consents/0", "not signed by the key"},
		"a forged consent":             {edited(one(nil), func(d *Dossier) { d.Consents[0] = forged(d.Consents[0]) }), "/consents/0", "not signed by the key"},
		"a consent by another's key":   {one(nil, func(c *vc.Credential) { c.Issuer = dad.did }), "/consents/0", "who issued it"},
		"a level that is claimed":      {one(func(c *vc.TravelConsent) { c.Assurance.Level = vc.LevelNotarised }), "/consents/0", "claims to be witnessed"},
		"a witness that is claimed":    {one(func(c *vc.TravelConsent) { c.Assurance.Witness = "did:web:x.example" }), "/consents/0", "claims to be witnessed"},
		"a consent off its schema":     {one(func(c *vc.TravelConsent) { c.Mode = "withAnybody" }), "/consents/0", "not a travel consent"},
		"a third party without a name": {one(func(c *vc.TravelConsent) { c.Mode = vc.ModeThirdParty }), "/consents/0", "not a travel consent"},
		"a grantor twice":              {one(func(c *vc.TravelConsent) { c.Grantors = append(c.Grantors, c.Grantors[0]) }), "/consents/0", "grantor twice"},
		"a key twice": {one(func(c *vc.TravelConsent) {
			c.Grantors = append(c.Grantors, vc.Grantor{Guardianship: dad.mandate(), Key: mother.did})
		}), "/consents/0", "grantor twice"},
		"a mandate twice": {one(func(c *vc.TravelConsent) {
			c.Grantors = append(c.Grantors, vc.Grantor{Guardianship: mother.mandate(), Key: dad.did})
		}), "/consents/0", "grantor twice"},
		"a signer who is no grantor":    {one(func(c *vc.TravelConsent) { c.Grantors[0].Key = dad.did }), "/consents/0", "not a grantor"},
		"a grantor by another's papers": {one(func(c *vc.TravelConsent) { c.Grantors[0].Guardianship = dad.mandate() }), "/consents/0", "not among the papers"},
		"another child":                 {one(func(c *vc.TravelConsent) { c.ChildRef = token() }), "/consents/0", "another child"},
		"a court's capacity":            {one(func(c *vc.TravelConsent) { c.Grantors[0].Capacity = "court" }), "/consents/0", "capacity"},
		"the State's capacity":          {one(func(c *vc.TravelConsent) { c.Grantors[0].Capacity = "stateGuardian" }), "/consents/0", "capacity"},
		"granted in days to come":       {one(func(c *vc.TravelConsent) { c.GrantedOn = "2026-11-22" }), "/consents/0", "not given yet"},
		"granted on no day":             {one(func(c *vc.TravelConsent) { c.GrantedOn = "2026-02-30" }), "/consents/0", ""},
		"back before the start":         {one(func(c *vc.TravelConsent) { c.Trip.ReturnBy = "2026-11-30" }), "/consents/0", "in order"},
		"an end before the start":       {one(func(c *vc.TravelConsent) { c.Trip.NotAfter = "2026-11-30" }), "/consents/0", "in order"},
		"a journey that is over":        {one(func(c *vc.TravelConsent) { c.Trip.NotBefore, c.Trip.NotAfter = "2026-11-01", "2026-11-18" }), "/consents/0", "is over"},
		"consent of two years ago": {one(func(c *vc.TravelConsent) {
			c.GrantedOn, c.Trip.NotBefore, c.Trip.NotAfter = "2024-11-18", "2024-12-01", ""
		}), "/consents/0", "is over"},
		"a consent that is over":        {one(nil, func(c *vc.Credential) { c.ValidFrom, c.ValidTo = deskTime.AddDate(0, 0, -2), deskTime.Add(-time.Hour) }), "/consents/0", "not valid now"},
		"a consent to come":             {one(nil, func(c *vc.Credential) { c.ValidFrom = b.now().Add(time.Hour).Truncate(time.Second) }), "/consents/0", "not valid now"},
		"no status":                     {one(nil, func(c *vc.Credential) { c.Status = c.Status[:1] }), "/consents/0", ""},
		"a status of four":              {one(nil, func(c *vc.Credential) { c.Status = append(c.Status, c.Status...) }), "/consents/0", "cannot be checked"},
		"the status in another order":   {one(nil, func(c *vc.Credential) { c.Status[0], c.Status[1] = c.Status[1], c.Status[0] }), "/consents/0", "cannot be checked"},
		"a status hosted elsewhere":     {one(nil, func(c *vc.Credential) { c.Status[0].List = "https://evil.example/status/revocation/1" }), "/consents/0", "somewhere else"},
		"a place that nobody reserved":  {one(nil, func(c *vc.Credential) { c.Status[0].Index, c.Status[1].Index = "3", "3" }), "/consents/0", "reserved"},
		"a place that another reserved": {one(nil, func(c *vc.Credential) { _, s := b.agrees(dad, b.trip(dad)); c.Status = s.Status }), "/consents/0", "reserved"},
		"a place of a birth":            {one(nil, func(c *vc.Credential) { c.Status = b.statusEntries(place1(b)) }), "/consents/0", "reserved"},
		"one place for two consents": {edited(b.dossier(c, mother), func(d *Dossier) {
			d.Consents = sharing(b, c, shared, mother, dad)
			d.Guardianships = append(d.Guardianships, mandate(dad))
		}), "/consents/1", "reserved"},
		"another journey":                        {edited(good(), func(d *Dossier) { x := c; x.Trip.NotAfter = "2026-12-21"; d.Consents[1], _ = b.agrees(dad, x) }), "/consents/1", "another journey"},
		"the same consent twice":                 {edited(good(), func(d *Dossier) { d.Consents[1] = d.Consents[0] }), "/consents/1", "same guardian"},
		"oneself as the traveller":               {one(func(c *vc.TravelConsent) { c.Accompanying = []vc.Companion{{Key: mother.did, Names: somebody}} }), "/consents/0", "as the one who travels"},
		"one's other telephone as the traveller": {one(func(c *vc.TravelConsent) { c.Accompanying = []vc.Companion{{Key: second.did, Names: namesOf(mother)}} }), "/consents/0", "as the one who travels"},
		"two keys of one guardian":               {b.dossier(b.trip(mother, second), mother, second), "/consents/1", "same guardian"},
		"a key that holds no credential": {edited(one(nil), func(d *Dossier) {
			x := b.trip(mother)
			x.Grantors[0].Key = foreign.did
			d.Consents[0] = signed(t, foreign.signer, vc.TypCredential, b.unsignedConsent(foreign, x, shared))
		}), "/consents/0", "not the grantor's"},
	} {
		_, err := b.WitnessConsent(ctx, nora, x.d, "")
		var f *fault.Fault
		if !errors.Is(err, ErrDossier) || !errors.As(err, &f) || len(f.Fields) != 1 || f.Fields[0].Path != x.path || !strings.Contains(f.Fields[0].Rule, x.rule) {
			t.Errorf("%s: %v, want %s %s", name, why(err), x.path, x.rule)
			if f != nil {
				t.Logf("%+v", f.Fields)
			}
		}
	}
	if n := b.total(`SELECT COUNT(*) FROM witnessed`); n != 0 {
		t.Errorf("%d consents are witnessed", n)
	}
	if _, err := b.WitnessConsent(ctx, nora, withMandate(RoleHumanitarian, humanitarian(b.DID())), ""); err != nil {
		t.Errorf("a mandate that a State countersigned: %v", why(err))
	}
	if _, err := b.WitnessConsent(ctx, nora, good(), ""); err != nil {
		t.Fatal(explain(err)) // the good dossier is good
	}
	for name, reference := range map[string]string{"too long": strings.Repeat("1", 201), "a line end": "1\n2", "markup": "<b>", "a space first": " 1", "not a text": "\xff"} {
		d := good()
		d.Reference = reference
		if _, err := b.WitnessConsent(ctx, nora, d, ""); !errors.Is(err, ErrBody) {
			t.Errorf("reference %s: %v", name, err)
		}
	}
}

// place1 is where some credential of the register is.
func place1(b *bureau) place {
	r := b.rows()[0]
	return place{r.list, r.index}
}

// sharing signs consents of two guardians over one place.
func sharing(b *bureau, c vc.TravelConsent, s ConsentStatus, who ...*guardian) []string {
	var out []string
	for _, g := range who {
		out = append(out, signed(b.t, g.signer, vc.TypCredential, b.unsignedConsent(g, c, s)))
	}
	return out
}

// What is revoked, suspended or withdrawn is refused in the same words.
func TestDossierStatus(t *testing.T) {
	eachBureau(t, func(t *testing.T, b *bureau) {
		rule := func(d Dossier) string {
			_, err := b.WitnessConsent(ctx, nora, d, "")
			var f *fault.Fault
			if !errors.Is(err, ErrDossier) || !errors.As(err, &f) {
				t.Fatalf("%v", explain(err))
			}
			return f.Fields[0].Path + " " + f.Fields[0].Rule
		}
		withdrawn := b.guardian()
		c := b.trip(withdrawn)
		jwt, s := b.agrees(withdrawn, c)
		d := Dossier{Birth: withdrawn.copy(vc.TypeBirth, ProfileBorder).JWT, Guardianships: []string{withdrawn.copy(vc.TypeGuardianship, ProfileFull).JWT}, Consents: []string{jwt}}
		if got := rule(d); got != "/consents/0 cites a guardianship that is not among the papers" {
			t.Errorf("%s", got) // another copy of the same mandate
		}
		d.Guardianships[0] = withdrawn.copy(vc.TypeGuardianship, ProfileBorder).JWT
		if err := b.withdraw(withdrawn, s); err != nil {
			t.Fatal(explain(err))
		}
		if got := rule(d); got != "/consents/0 cannot be used" {
			t.Errorf("withdrawn: %s", got)
		}
		revoked, suspended, orphan := b.guardian(), b.guardian(), b.guardian()
		ds := map[*guardian]Dossier{}
		for _, g := range []*guardian{revoked, suspended, orphan} {
			ds[g] = b.dossier(b.trip(g), g)
		}
		b.revoke(revoked.child.guardianship.Credentials[0].ID)
		for _, id := range []string{suspended.child.guardianship.Credentials[0].ID, orphan.child.birth.Credentials[0].ID} {
			if _, err := b.Suspend(ctx, clara, id, "safety", ""); err != nil {
				t.Fatal(explain(err))
			}
		}
		for g, want := range map[*guardian]string{revoked: "/guardianships/0 cannot be used", suspended: "/guardianships/0 cannot be used", orphan: "/birth cannot be used"} {
			if got := rule(ds[g]); got != want {
				t.Errorf("%s, want %s", got, want)
			}
		}
		if _, err := b.Reinstate(ctx, clara, suspended.child.guardianship.Credentials[0].ID, "resolved", ""); err != nil {
			t.Fatal(explain(err))
		}
		if _, err := b.WitnessConsent(ctx, nora, ds[suspended], ""); err != nil {
			t.Errorf("reinstated: %v", why(err))
		}
	})
}

// The trust list decides who is believed, and who may witness.
func TestWitnessByTrustList(t *testing.T) {
	b := newBureau(t, storetest.Open(t, store.SQLite, "issuer"), newRing(t, keys.EdDSA))
	g := b.guardian()
	d := b.dossier(b.trip(g), g)
	for name, x := range map[string]struct {
		edit func()
		want error
		rule string
	}{
		"nothing changed":               {func() {}, nil, ""},
		"this office is not on it":      {func() { b.trusted.Issuers = nil }, ErrWitnessUnlisted, ""},
		"the notary's key is not":       {func() { b.key(RoleNotary).ID += "x" }, ErrWitnessUnlisted, ""},
		"as a witness only":             {func() { b.key(RoleNotary).Role = RoleWitness }, ErrWitnessUnlisted, ""},
		"not for consents":              {func() { b.key(RoleNotary).Types = []string{vc.TypeGuardianship} }, ErrWitnessUnlisted, ""},
		"not any more":                  {func() { b.key(RoleNotary).NotAfter = b.now() }, ErrWitnessUnlisted, ""},
		"withdrawn":                     {func() { b.key(RoleNotary).CutOff = b.now() }, ErrWitnessUnlisted, ""},
		"with somebody else's key":      {func() { b.key(RoleNotary).JWK = b.key(RoleCourt).JWK }, ErrWitnessUnlisted, ""},
		"it has run out":                {func() { b.trusted.Next = b.now() }, ErrTrustStale, ""},
		"there is none":                 {func() { b.trusted = nil }, ErrTrustStale, ""},
		"the status is hosted nowhere":  {func() { b.trusted.Issuers[0].ConsentStatus = false }, ErrDossier, "does not host"},
		"the registry's key withdrawn":  {func() { b.key(RoleRegistrar).CutOff = b.now().AddDate(0, 0, 1) }, ErrDossier, "not on the trust list"},
		"not for births":                {func() { b.key(RoleRegistrar).Types = []string{vc.TypeGuardianship, vc.TypeStatusList} }, ErrDossier, "may not sign it"},
		"the registry is no registrar":  {func() { b.key(RoleRegistrar).Role = vc.RoleProtection }, ErrDossier, "may not sign it"},
		"not for this legal basis":      {func() { b.key(RoleRegistrar).Bases = []string{"acknowledgement"} }, ErrDossier, "no mandate"},
		"a key that came later":         {func() { b.key(RoleRegistrar).NotBefore = b.now().AddDate(0, 0, 1) }, ErrDossier, "may not sign it"},
		"nobody who signs status lists": {func() { b.key(RoleRegistrar).Types = []string{vc.TypeGuardianship, vc.TypeBirth} }, ErrDossierStatus, ""},
	} {
		b.trusted = b.list()
		x.edit()
		_, err := b.WitnessConsent(ctx, nora, d, "")
		var f *fault.Fault
		if !errors.Is(err, x.want) || x.rule != "" && (!errors.As(err, &f) || !strings.Contains(f.Fields[0].Rule, x.rule)) {
			t.Errorf("%s: %v, want %v %s", name, why(err), x.want, x.rule)
		}
	}
	b.cfg.Trust = nil
	_, err := b.WitnessConsent(ctx, nora, d, "")
	wantFault(t, err, ErrNoTrustList)
	b.cfg.Trust = func(context.Context) (*vc.TrustList, error) { return nil, ErrTrustStale }
	_, err = b.WitnessConsent(ctx, nora, d, "")
	wantFault(t, err, ErrTrustStale)
}

// An office whose role has no key does not witness in it.
func TestWitnessWithoutKey(t *testing.T) {
	ring := newRing(t, keys.EdDSA)
	d := newBooth(t, storetest.Open(t, store.SQLite, "issuer"), ring)
	d.cfg.Trust = func(context.Context) (*vc.TrustList, error) { return &vc.TrustList{}, nil }
	_, err := d.WitnessConsent(ctx, wendy, Dossier{}, "")
	wantFault(t, err, ErrNoRoleKey)
}

// shelfOf serves a registry's shelf to witnesses, and can be made to fail.
type shelfOf struct {
	reg   *Issuer
	calls atomic.Int64
	fail  atomic.Value // func(w http.ResponseWriter) bool
}

func (s *shelfOf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.calls.Add(1)
	if f, _ := s.fail.Load().(func(http.ResponseWriter) bool); f != nil && f(w) {
		return
	}
	purpose, n, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/status/"), "/")
	number := int64(0)
	fmt.Sscan(n, &number)
	p, err := s.reg.StatusList(r.Context(), purpose, number)
	if err != nil {
		w.WriteHeader(404)
		return
	}
	w.Write(p.Body)
}

// A consulate abroad witnesses for the children of a registry elsewhere: the
// status comes over the network, and without it nothing is issued.
func TestWitnessAbroad(t *testing.T) {
	shelf := &shelfOf{}
	srv := httptest.NewServer(shelf)
	defer srv.Close()
	home := &bureau{booth: &booth{&desk{t: t, time: deskTime, ring: newRing(t, keys.EdDSA)}}}
	addOffices(t, home.ring, deskTime, RoleConsulate, RoleWitness)
	var err error
	if home.Issuer, err = New(Config{Base: srv.URL, DB: storetest.Open(t, store.SQLite, "issuer"), Ring: home.ring, Now: home.clock, ListSize: status.MinSize}); err != nil {
		t.Fatal(explain(err))
	}
	if err := home.Bind(ctx); err != nil {
		t.Fatal(explain(err))
	}
	shelf.reg = home.Issuer
	abroad := newBureau(t, storetest.Open(t, store.SQLite, "issuer"), newRing(t, keys.EdDSA))
	abroad.trusted.Issuers = append(abroad.trusted.Issuers, home.list().Issuers...)
	abroad.fetcher = didweb.New(didweb.Config{Loopback: true, Timeout: 2 * time.Second})

	mother, dad := home.parents(joint)
	d := home.dossier(home.trip(mother, dad), mother, dad)
	w, err := abroad.WitnessConsent(ctx, carl, d, "")
	if err != nil {
		t.Fatal(explain(err))
	}
	x, got := abroad.witnessedBy(RoleConsulate, w)
	if got.Assurance.Level != vc.LevelConsular || len(x.Status) != 4 || !strings.HasPrefix(x.Status[0].List, srv.URL+"/status/revocation/") {
		t.Errorf("%+v %v", got.Assurance, x.Status)
	}
	if n := shelf.calls.Load(); n != 6 { // births, guardianships and consents, of two purposes each
		t.Errorf("%d lists were fetched", n)
	}
	// A place that the host cannot be asked about is still one grantor's alone.
	c := home.trip(mother, dad)
	twice := d
	twice.Consents = sharing(home, c, home.reserved(dad), mother, dad)
	if _, err := abroad.WitnessConsent(ctx, carl, twice, ""); !errors.Is(err, ErrDossier) || !strings.Contains(err.Error(), "has the status of another") {
		t.Errorf("one place for two: %v", why(err))
	}
	stale, err := home.StatusList(ctx, vc.PurposeRevocation, 1)
	if err != nil {
		t.Fatal(explain(err))
	}
	for name, fail := range map[string]func(http.ResponseWriter) bool{
		"it is down":     func(w http.ResponseWriter) bool { w.WriteHeader(500); return true },
		"there is none":  func(w http.ResponseWriter) bool { w.WriteHeader(404); return true },
		"something else": func(w http.ResponseWriter) bool { fmt.Fprint(w, "<html>"); return true },
		"nothing":        func(w http.ResponseWriter) bool { return true },
		"a redirect elsewhere": func(w http.ResponseWriter) bool {
			w.Header().Set("Location", "http://127.0.0.1:1/")
			w.WriteHeader(302)
			return true
		},
		"far too much": func(w http.ResponseWriter) bool { w.Write(make([]byte, maxListBytes+1)); return true },
		"a forged list": func(w http.ResponseWriter) bool {
			w.Write(append(slices.Clone(stale.Body[:len(stale.Body)-4]), "AAAA"...))
			return true
		},
	} {
		shelf.fail.Store(fail)
		if _, err := abroad.WitnessConsent(ctx, carl, d, ""); !errors.Is(err, ErrDossierStatus) {
			t.Errorf("%s: %v", name, why(err))
		}
	}
	// A list that was good a day ago says nothing of today.
	shelf.fail.Store(func(w http.ResponseWriter) bool { return false })
	before := home.clock()
	home.mu.Lock()
	home.time = before.Add(-25 * time.Hour)
	home.mu.Unlock()
	home.Issuer.shelf.drop(1)
	home.Issuer.shelf.drop(2)
	home.Issuer.shelf.drop(3)
	if _, err := abroad.WitnessConsent(ctx, carl, d, ""); !errors.Is(err, ErrDossierStatus) {
		t.Errorf("an old list: %v", why(err))
	}
	home.mu.Lock()
	home.time = before
	home.mu.Unlock()
	for n := range int64(4) {
		home.Issuer.shelf.drop(n)
	}
	if _, err := abroad.WitnessConsent(ctx, carl, d, ""); err != nil {
		t.Errorf("after all that: %v", why(err))
	}
	// A court of the office that witnesses overrides the registry: its own lists
	// come from its own register.
	abroad.trusted.Issuers[0].MayRevoke = []string{home.DID()}
	var mandate vc.Credential
	if err := json.Unmarshal([]byte(payloadOf(t, d.Guardianships[1])), &mandate); err != nil {
		t.Fatal(err)
	}
	if _, err := abroad.WitnessConsent(ctx, carl, d, ""); err != nil {
		t.Errorf("before the court spoke: %v", why(err))
	}
	if _, err := abroad.AddOverride(ctx, clara, over(mandate.Status[1].List, mandate.Status[1].Index, "courtDecision"), ""); err != nil {
		t.Fatal(explain(err))
	}
	if _, err := abroad.WitnessConsent(ctx, carl, d, ""); !errors.Is(err, ErrDossier) || !strings.Contains(err.Error(), "/guardianships/1 cannot be used") {
		t.Errorf("overridden: %v", why(err))
	}
	abroad.trusted.Issuers[0].MayRevoke = nil
	// Another issuer's shelf is no place for its status.
	abroad.trusted.Issuers[1].Shelf = "https://shelf.example"
	n := shelf.calls.Load()
	if _, err := abroad.WitnessConsent(ctx, carl, d, ""); !errors.Is(err, ErrDossier) || shelf.calls.Load() != n {
		t.Errorf("a list beside the shelf: %v", why(err))
	}
}

// unlike is a ring whose offices sign with ES256: no two signatures are alike.
func unlike(t *testing.T) *keys.Ring {
	t.Helper()
	ring := newRing(t, keys.EdDSA)
	addOffices(t, ring, deskTime, RoleConsulate, RoleWitness)
	for _, role := range mayWitness {
		k, err := keys.New(role+"-1", role, keys.ES256, deskTime.AddDate(-1, 0, 0), time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		*ring.Of(role)[0] = *k
	}
	return ring
}

// The same request with the same key is answered again, even when it would be
// refused now; with another request it is refused.
func TestWitnessAgain(t *testing.T) {
	t.Parallel()
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		ring := unlike(t)
		b := newBureau(t, db, ring)
		g := b.guardian()
		c := b.trip(g)
		jwt, s := b.agrees(g, c)
		d := Dossier{Birth: g.copy(vc.TypeBirth, ProfileBorder).JWT, Guardianships: []string{g.copy(vc.TypeGuardianship, ProfileBorder).JWT}, Consents: []string{jwt}}
		var wg sync.WaitGroup
		got := make([]Witnessed, 6)
		for n := range got {
			wg.Add(1)
			go func() {
				defer wg.Done()
				var err error
				if got[n], err = b.WitnessConsent(ctx, nora, d, "k1"); err != nil {
					t.Error(explain(err))
				}
			}()
		}
		wg.Wait()
		for _, w := range got[1:] {
			if w != got[0] {
				t.Errorf("%+v and %+v", w, got[0])
			}
		}
		if n := b.total(`SELECT COUNT(*) FROM witnessed`); n != 1 {
			t.Errorf("%d consents", n)
		}
		if err := b.withdraw(g, s); err != nil {
			t.Fatal(explain(err))
		}
		b = reopenBureau(t, db, ring)
		if w, err := b.WitnessConsent(ctx, nora, d, "k1"); err != nil || w != got[0] {
			t.Errorf("%+v %v", w, err)
		}
		_, err := b.WitnessConsent(ctx, nora, d, "k2")
		wantFault(t, err, ErrDossier)
		other := d
		other.Reference = "7"
		_, err = b.WitnessConsent(ctx, nora, other, "k1")
		wantFault(t, err, ErrIdempotency)
		_, err = b.WitnessConsent(ctx, nora, d, "not\nprintable")
		wantFault(t, err, ErrIdempotencyKey)
		if _, err := b.WitnessConsent(ctx, Caller{ID: "t-nina", Name: "Nina", Role: RoleNotary}, d, "k1"); !errors.Is(err, ErrDossier) {
			t.Errorf("somebody else's key: %v", err)
		}
	})
}

// crashWitness witnesses as far as the reservation and forgets it.
func (b *bureau) crashWitness(c Caller, d Dossier, idem string) string {
	b.t.Helper()
	x := b.examiner(b.trusted)
	e, err := x.examine(ctx, d)
	if err != nil {
		b.t.Fatal(explain(err))
	}
	w, err := b.deed(c, e, d.Reference)
	if err != nil {
		b.t.Fatal(explain(err))
	}
	cl, err := newClaim(c, idem, actWitness, raw(b.t, d))
	if err != nil {
		b.t.Fatal(err)
	}
	id, err := b.store.reserveWitnessed(ctx, w, cl)
	if err != nil {
		b.t.Fatal(explain(err))
	}
	return id
}

// What was reserved when the process died is finished, once, with the bytes that
// were committed to.
func TestWitnessCrash(t *testing.T) {
	t.Parallel()
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		ring := unlike(t)
		b := newBureau(t, db, ring)
		g := b.guardian()
		d, e := b.dossier(b.trip(g), g), b.dossier(b.trip(g), g)
		id := b.crashWitness(nora, d, "k1")
		var payload []byte
		if err := db.QueryRowContext(ctx, `SELECT payload FROM witnessed WHERE id = $1 AND state = 'reserved'`, id).Scan(&payload); err != nil {
			t.Fatal(err)
		}
		if s, err := b.Statistics(ctx, anna); err != nil || s.Open != 1 {
			t.Errorf("%+v %v", s, err)
		}
		b = reopenBureau(t, db, ring)
		if r, err := b.Recover(ctx); err != nil || r != (Recovered{1, 1, 0}) {
			t.Fatalf("%+v %v", r, err)
		}
		if r, err := b.Recover(ctx); err != nil || r != (Recovered{}) {
			t.Errorf("again: %+v %v", r, err)
		}
		w, err := b.WitnessConsent(ctx, nora, d, "k1")
		if err != nil || w.ID != "urn:uuid:"+id || payloadOf(t, w.Credential) != string(payload) {
			t.Errorf("%+v %v", w, err)
		}
		b.witnessedBy(RoleNotary, w)
		// The one who repeats the request finishes it too, and two at once give
		// one signature.
		id = b.crashWitness(wendy, e, "k2")
		out := make(chan Witnessed, 4)
		for range 4 {
			go func() {
				w, err := b.WitnessConsent(ctx, wendy, e, "k2")
				if err != nil {
					t.Error(explain(err))
				}
				out <- w
			}()
		}
		first := <-out
		for range 3 {
			if w := <-out; w != first || w.ID != "urn:uuid:"+id {
				t.Errorf("%+v and %+v", w, first)
			}
		}
		if v, err := b.Verify(ctx); err != nil || v.Bad != 0 {
			t.Errorf("%+v %v", v, err)
		}
	})
}

// The database is not trusted to hand out signatures, nor to keep what was
// signed.
func TestWitnessAltered(t *testing.T) {
	b := newBureau(t, storetest.Open(t, store.SQLite, "issuer"), newRing(t, keys.EdDSA))
	g := b.guardian()
	b.crashWitness(wendy, b.dossier(b.trip(g), g), "")
	for name, change := range map[string]string{
		"another level":  `UPDATE witnessed SET payload = CAST(replace(CAST(payload AS TEXT), '"witnessed"', '"judicial"') AS BLOB)`,
		"another role":   `UPDATE witnessed SET role = 'court'`,
		"no such role":   `UPDATE witnessed SET role = 'registrar'`,
		"another issuer": `UPDATE witnessed SET payload = CAST(replace(CAST(payload AS TEXT), 'did:web:registry.example', 'did:web:registry.evil000') AS BLOB)`,
		"another id":     `UPDATE witnessed SET id = 'x'`,
		"another end":    `UPDATE witnessed SET valid_until = valid_until + 1000000`,
		"not JSON":       `UPDATE witnessed SET payload = CAST('x' AS BLOB)`,
	} {
		tx, err := b.db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		var id, role string
		var payload []byte
		var until int64
		if err := tx.QueryRow(`SELECT id, role, payload, valid_until FROM witnessed`).Scan(&id, &role, &payload, &until); err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(change); err != nil {
			t.Fatal(err)
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		if r, err := b.Recover(ctx); err != nil || r.Failed != 1 || r.Sealed != 0 {
			t.Errorf("%s: %+v %v", name, r, err)
		}
		if _, err := b.db.Exec(`UPDATE witnessed SET id = $1, role = $2, payload = $3, valid_until = $4`, id, role, payload, until); err != nil {
			t.Fatal(err)
		}
	}
	if strings.Contains(b.log.String(), "childRef") || !strings.Contains(b.log.String(), "reservation-foreign") {
		t.Error("the log says too much or nothing")
	}
	if r, err := b.Recover(ctx); err != nil || r.Sealed != 1 {
		t.Fatalf("%+v %v", r, err)
	}
	before, err := b.Verify(ctx)
	if err != nil || before.Bad != 0 {
		t.Fatalf("%+v %v", before, err)
	}
	for name, change := range map[string]string{
		"another role": `UPDATE witnessed SET role = 'court'`, "another end": `UPDATE witnessed SET role = 'witness', valid_until = valid_until + 1000000`,
		"another consent": `UPDATE witnessed SET valid_until = valid_until - 1000000, jwt = 'a.b.c'`,
	} {
		if _, err := b.db.Exec(change); err != nil {
			t.Fatal(err)
		}
		if v, err := b.Verify(ctx); err != nil || v.Bad != 1 || v.Checked != before.Checked {
			t.Errorf("%s: %+v %v", name, v, err)
		}
	}
}

// A key that witnessed stays published as long as a consent of two years may be
// shown.
func TestWitnessKeysStayPublished(t *testing.T) {
	b := newBureau(t, storetest.Open(t, store.SQLite, "issuer"), newRing(t, keys.EdDSA))
	for _, role := range append([]string{keys.UseCredentials}, mayWitness...) {
		b.ring.Of(role)[0].NotAfter = deskTime
	}
	end, _ := vc.ConsentEnd(vc.TravelConsent{GrantedOn: deskTime.AddDate(0, 0, 1).Format(time.DateOnly)})
	b.pass(end.Sub(b.now()) - time.Hour)
	for _, role := range mayWitness {
		if len(b.publishedKeys(role, b.now())) != 1 {
			t.Errorf("the key of a %s is gone", role)
		}
	}
	if len(b.publishedKeys(keys.UseCredentials, b.now())) != 0 {
		t.Error("the register's key is published for ever")
	}
}

// A witnessed consent is shown without the guardianships, so it ends with the
// power by which it was given.
func TestWitnessEndsWithMandate(t *testing.T) {
	b := newBureau(t, storetest.Open(t, store.SQLite, "issuer"), newRing(t, keys.EdDSA))
	for _, x := range []struct {
		name string
		edit func(*vc.Guardianship)
		want string
	}{
		{"by the journey", func(*vc.Guardianship) {}, "2026-12-21T12:00:00Z"},
		{"by the mandate", func(g *vc.Guardianship) { g.Effective.Until = "2026-12-10" }, "2026-12-11T12:00:00Z"},
		{"by a mandate of that day", func(g *vc.Guardianship) { g.Effective.Until = "2026-12-20" }, "2026-12-21T12:00:00Z"},
	} {
		g := b.guardian(x.edit)
		w, err := b.WitnessConsent(ctx, nora, b.dossier(b.trip(g), g), "")
		if err != nil || w.ValidUntil.Format(time.RFC3339) != x.want {
			t.Errorf("%s: %v %v", x.name, w.ValidUntil, err)
		}
	}
	// The shortest of all mandates counts, and the grantors' own end.
	mother, dad := b.parents()
	c := b.trip(mother, dad)
	d := b.dossier(c, mother, dad)
	d.Consents[1], _ = b.agrees(dad, c, func(c *vc.Credential) { c.ValidTo = time.Date(2026, 12, 5, 0, 0, 0, 0, time.UTC) })
	if w, err := b.WitnessConsent(ctx, nora, d, ""); err != nil || !w.ValidUntil.Equal(time.Date(2026, 12, 5, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("%v %v", w.ValidUntil, err)
	}
	// So does the time until which the status is published.
	h := b.guardian()
	e := b.dossier(b.trip(h), h)
	if _, err := b.db.Exec(`UPDATE consent_places SET valid_until = $1 WHERE holder = $2`, store.Micros(time.Date(2026, 12, 4, 0, 0, 0, 0, time.UTC)), h.did); err != nil {
		t.Fatal(err)
	}
	if w, err := b.WitnessConsent(ctx, nora, e, ""); err != nil || !w.ValidUntil.Equal(time.Date(2026, 12, 4, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("%v %v", w.ValidUntil, err)
	}
	// Over before the journey begins is no consent to it.
	g := b.guardian(func(g *vc.Guardianship) { g.Effective.Until = "2026-11-29" })
	_, err := b.WitnessConsent(ctx, nora, b.dossier(b.trip(g), g), "")
	if !errors.Is(err, ErrDossier) || !strings.Contains(err.Error(), "before the journey begins") {
		t.Errorf("%v", err)
	}
	// The day on which the child is of age ends every mandate.
	birth := newBirth(func(x *vc.Birth) { x.BirthDate.Value, x.Registration.Date = "2008-12-15", "2008-12-16" })
	young := newGuardianship(birth)
	m := mandate{young, ""}
	if end := m.ends(birth); !end.Equal(time.Date(2026, 12, 15, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("of age at %v", end)
	}
	young.Effective.Until = "2026-12-01"
	if end := m.ends(birth); !end.Equal(time.Date(2026, 12, 2, 12, 0, 0, 0, time.UTC)) {
		t.Errorf("of age at %v", end)
	}
	young.Effective.Until = "2030-01-01"
	if end := m.ends(birth); !end.Equal(time.Date(2026, 12, 15, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("of age at %v", end)
	}
}
