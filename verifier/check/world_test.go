package check

import (
	"crypto"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/qr"
	"github.com/kinpass/kinpass/internal/status"
	"github.com/kinpass/kinpass/internal/vc"
)

// now is the moment of every check that does not say otherwise.
var now = time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)

const (
	refAmina = "AAAAAAAAAAAAAAAAAAAAAA"
	refTwin  = "BBBBBBBBBBBBBBBBBBBBBA"
)

// world is a registrar, a court, a hub, an anchor and some holders in memory.
type world struct {
	t      testing.TB
	anchor *keys.Key
	hub    keys.Signer
	office map[string]keys.Signer // by role, and "stranger", who is not on the list
	holder map[string]keys.Signer
	trust  vc.TrustList
	lists  map[string]*status.List // by address
	maker  map[string]string       // who signs the list
	built  time.Time               // when the bundle and its lists were signed
	serial int

	policies  []json.RawMessage
	overrides []string
	others    []string // further presentations of a story
	// given are the lists of places that were given out, as of knows.
	given map[string]*status.List
	knows time.Time
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, office: map[string]keys.Signer{}, holder: map[string]keys.Signer{},
		lists: map[string]*status.List{}, maker: map[string]string{}, built: now.Add(-time.Hour)}
	w.anchor = w.key(keys.EdDSA)
	hub := w.key(keys.EdDSA)
	hubDID := w.did(hub.Public())
	w.hub = hub.Signer(did.KeyID(hubDID))
	w.trust = vc.TrustList{ID: "trust", Sequence: 7, IssuedAt: now.Add(-2 * time.Hour), Next: now.Add(30 * 24 * time.Hour),
		Hubs: []vc.TrustKey{w.trustKey(w.hub, vc.RoleHub)}}
	types := map[string][]string{
		vc.RoleRegistrar:    {vc.TypeBirth, vc.TypeGuardianship},
		vc.RoleCourt:        {vc.TypeGuardianship, vc.TypeConsent},
		vc.RoleProtection:   {vc.TypeGuardianship},
		vc.RoleHumanitarian: {vc.TypeGuardianship},
		vc.RoleNotary:       {vc.TypeGuardianship, vc.TypeConsent},
		vc.RoleConsulate:    {vc.TypeConsent},
		vc.RoleWitness:      {vc.TypeConsent},
	}
	for _, role := range append(slices.Clone(offices), "stranger") {
		d := "did:web:" + role + ".example"
		w.office[role] = w.key(keys.EdDSA).Signer(d + "#key-1")
		if role == "stranger" {
			continue
		}
		k := w.trustKey(w.office[role], role)
		k.Types = types[role]
		w.trust.Issuers = append(w.trust.Issuers, vc.TrustIssuer{DID: d, Name: role, Shelf: shelf(role), Keys: []vc.TrustKey{k}, ConsentStatus: role == vc.RoleRegistrar})
		for _, p := range []string{vc.PurposeRevocation, vc.PurposeSuspension} {
			l, err := status.New(status.MinSize)
			if err != nil {
				t.Fatal(err)
			}
			w.lists[shelf(role)+"/status/"+p+"/1"] = l
			w.maker[shelf(role)+"/status/"+p+"/1"] = role
		}
	}
	for _, name := range []string{"mother", "father", "thief", "aunt", "uncle", "officer", "teacher"} {
		k := w.key(keys.EdDSA)
		w.holder[name] = k.Signer(did.KeyID(w.did(k.Public())))
	}
	return w
}

// offices are the roles of the trust list, in its order.
var offices = []string{vc.RoleRegistrar, vc.RoleCourt, vc.RoleProtection, vc.RoleHumanitarian, vc.RoleNotary, vc.RoleConsulate, vc.RoleWitness}

func shelf(role string) string { return "https://" + role + ".example" }

func (w *world) key(alg string) *keys.Key {
	k, err := keys.New("key-1", keys.UseCredentials, alg, now.AddDate(-1, 0, 0), time.Time{})
	if err != nil {
		w.t.Fatal(err)
	}
	return k
}

func (w *world) did(pub crypto.PublicKey) string {
	d, err := did.EncodeKey(pub)
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

func (w *world) id(name string) string { return did.Base(w.holder[name].KID) }

func (w *world) trustKey(s keys.Signer, role string) vc.TrustKey {
	jwk, err := vc.PublicJWK(s.Public(), s.KID, s.Alg)
	if err != nil {
		w.t.Fatal(err)
	}
	return vc.TrustKey{ID: s.KID, JWK: jwk, Role: role, NotBefore: now.AddDate(-1, 0, 0)}
}

func (w *world) anchors() vc.Anchors { return vc.OneOf(w.anchor.Public()) }

func (w *world) sign(s keys.Signer, typ string, v any) string {
	w.t.Helper()
	b, ok := v.([]byte)
	if !ok {
		var err error
		if b, err = json.Marshal(v); err != nil {
			w.t.Fatal(err)
		}
	}
	cty := ""
	if typ == vc.TypCredential {
		cty = "vc"
	}
	out, err := vc.SignJWS(s, typ, cty, b)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

// emptyList is the encoded list on which nothing is set.
var emptyList = sync.OnceValue(func() string {
	l, err := status.New(status.MinSize)
	if err != nil {
		panic(err)
	}
	encoded, err := l.Encode()
	if err != nil {
		panic(err)
	}
	return encoded
})

// list signs one status list as its issuer does.
func (w *world) list(address string, l *status.List, at time.Time) string {
	w.t.Helper()
	encoded := emptyList()
	if l.Count() > 0 {
		var err error
		if encoded, err = l.Encode(); err != nil {
			w.t.Fatal(err)
		}
	}
	role := w.maker[address]
	purpose := vc.PurposeRevocation
	switch address[len(shelf(role)+"/status/")] {
	case 's':
		purpose = vc.PurposeSuspension
	case 'i':
		purpose = vc.PurposeIssued
	}
	subject, err := json.Marshal(map[string]any{"id": address + "#list", "type": "BitstringStatusList",
		"statusPurpose": purpose, "encodedList": encoded, "ttl": 300000})
	if err != nil {
		w.t.Fatal(err)
	}
	return w.sign(w.office[role], vc.TypCredential, vc.Credential{Context: []string{vc.ContextV2}, ID: address,
		Type: []string{vc.TypeCredential, vc.TypeStatusList}, Issuer: did.Base(w.office[role].KID),
		ValidFrom: at.UTC(), ValidTo: at.Add(7 * 24 * time.Hour).UTC(), Subject: subject})
}

func (w *world) payload() BundlePayload {
	p := BundlePayload{ID: "bundle-1", Sequence: 3, CreatedAt: w.built, TrustList: w.sign(w.anchor.Signer("anchor"), vc.TypTrustList, w.trust)}
	for _, role := range offices[:5] {
		for _, purpose := range []string{vc.PurposeRevocation, vc.PurposeSuspension} {
			a := shelf(role) + "/status/" + purpose + "/1"
			if l := w.lists[a]; l != nil {
				p.StatusLists = append(p.StatusLists, w.list(a, l, w.built))
			}
		}
	}
	for _, a := range slices.Sorted(maps.Keys(w.given)) {
		p.Issued = append(p.Issued, w.list(a, w.given[a], w.knows))
	}
	p.Policies, p.Overrides = w.policies, w.overrides
	return p
}

func (w *world) open(p BundlePayload) *Bundle {
	w.t.Helper()
	data, err := p.Sign(w.hub)
	if err != nil {
		w.t.Fatal(err)
	}
	b, err := Open(data, w.anchors())
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

func (w *world) bundle() *Bundle { w.t.Helper(); return w.open(w.payload()) }

func (w *world) birth() *vc.Birth {
	return &vc.Birth{ChildRef: refAmina, RecordVersion: 1, Circumstance: "ordinary",
		Names:     []vc.Name{{Kind: "legal", Script: "Latn", MRZ: &vc.MRZ{Primary: "OKELLO", Secondary: "AMINA"}}},
		BirthDate: vc.UncertainDate{Value: "2018-05-04", Precision: "day"}, Sex: 2, PlaceOfBirth: vc.Place{Country: "UGA"},
		Parentage:    []vc.Parent{{Role: "mother", Status: "known"}, {Role: "father", Status: "known"}},
		Registration: vc.Registration{Number: "UGA-2018-1", Date: "2018-05-20", Mode: "timely"},
		Portrait:     &vc.Portrait{SHA256: "zzzz", RecaptureBy: "2027-05-04"}}
}

func (w *world) mandate(name string) *vc.Guardianship {
	g := &vc.Guardianship{Guardian: vc.Guardian{Kind: "naturalPerson",
		Names:     []vc.Name{{Kind: "legal", Script: "Latn", MRZ: &vc.MRZ{Primary: "ERIKSSON", Secondary: "ANNA<MARIA"}}},
		Documents: []vc.Identifier{{Type: "passport", Value: "L898902C3", Issuer: "UTO"}}},
		Ward: vc.Ward{ChildRef: refAmina}, Role: "mother",
		LegalBasis: vc.LegalBasis{Type: "parentalResponsibilityByBirth", Law: "UGA"},
		Powers:     []string{"travelAccompany", "travelConsent"}, Exercise: vc.Exercise{Mode: "independent", CoGuardianCount: 2},
		Effective: vc.Effective{From: "2018-05-04"}, Termination: vc.Termination{MajorityAge: 18, MajorityLaw: "UGA"}}
	if name != "" {
		g.ID = w.id(name)
	}
	if name == "father" {
		g.Role = "father"
		g.Guardian.Names[0].MRZ = &vc.MRZ{Primary: "OKELLO", Secondary: "PETER"}
		g.Guardian.Documents = []vc.Identifier{{Type: "passport", Value: "K7654321", Issuer: "UTO"}}
	}
	return g
}

// envelope makes the credential around a subject, with a fresh status index.
func (w *world) envelope(role string, subject any) *vc.Credential {
	w.t.Helper()
	w.serial++
	b, err := json.Marshal(subject)
	if err != nil {
		w.t.Fatal(err)
	}
	c := &vc.Credential{Context: []string{vc.ContextV2, vc.ContextKinpass}, ID: fmt.Sprintf("urn:uuid:00000000-0000-4000-8000-%012d", w.serial),
		Issuer: "did:web:" + role + ".example", ValidFrom: now.AddDate(0, -1, 0), ValidTo: now.AddDate(0, 3, 0), Subject: b}
	for _, p := range []string{vc.PurposeRevocation, vc.PurposeSuspension} {
		c.Status = append(c.Status, vc.StatusEntry{Type: "BitstringStatusListEntry", Purpose: p, Index: fmt.Sprint(w.serial), List: shelf(role) + "/status/" + p + "/1"})
	}
	switch subject.(type) {
	case *vc.Birth:
		c.Type, c.Schema = []string{vc.TypeCredential, vc.TypeBirth}, &vc.Schema{ID: vc.SchemaBirthBorder, Type: "JsonSchema"}
	case *vc.Guardianship:
		c.Type, c.Schema = []string{vc.TypeCredential, vc.TypeGuardianship}, &vc.Schema{ID: vc.SchemaGuardBorder, Type: "JsonSchema"}
	}
	return c
}

// issue signs a birth as the registrar does, and a guardianship as the office
// does that may mandate on its legal basis.
func (w *world) issue(subject any, change ...func(*vc.Credential)) string {
	w.t.Helper()
	role := vc.RoleRegistrar
	if g, ok := subject.(*vc.Guardianship); ok {
		if roles := vc.RolesFor(g.LegalBasis.Type); len(roles) > 0 && roles[0] != vc.RoleRegistrar {
			role = roles[0]
			if g.LegalBasis.Type == "kafala" {
				role = vc.RoleCourt
			}
		}
	}
	return w.issueBy(role, subject, change...)
}

func (w *world) issueBy(role string, subject any, change ...func(*vc.Credential)) string {
	w.t.Helper()
	c := w.envelope(role, subject)
	for _, f := range change {
		f(c)
	}
	return w.sign(w.office[role], vc.TypCredential, c)
}

func (w *world) set(purpose string, index int) {
	if err := w.lists[shelf(vc.RoleRegistrar)+"/status/"+purpose+"/1"].Set(int64(index)); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) presentation(holder string, jwts ...string) *vc.Presentation {
	p := &vc.Presentation{Context: []string{vc.ContextV2}, Type: []string{vc.TypePresentation}, Holder: w.id(holder),
		Audience: vc.BorderAudience, Nonce: fmt.Sprintf("nonce-%s-%012d", holder, w.serial), IssuedAt: now.Unix() - 10, Expires: now.Unix() + 290}
	for _, j := range jwts {
		p.Credentials = append(p.Credentials, vc.Envelop(j))
	}
	return p
}

// present signs a presentation and packs it as KP1.
func (w *world) present(holder string, jwts ...string) string {
	w.t.Helper()
	return w.pack(w.sign(w.holder[holder], vc.TypPresentation, w.presentation(holder, jwts...)))
}

func (w *world) presentWith(holder string, change func(*vc.Presentation), jwts ...string) string {
	w.t.Helper()
	p := w.presentation(holder, jwts...)
	change(p)
	return w.sign(w.holder[holder], vc.TypPresentation, p)
}

func (w *world) pack(compact string) string {
	w.t.Helper()
	text, err := qr.Pack(qr.Packet{Presentation: compact})
	if err != nil {
		w.t.Fatal(err)
	}
	return text
}

func (w *world) paper(jwts ...string) string {
	w.t.Helper()
	text, err := qr.Pack(qr.Packet{Credentials: jwts})
	if err != nil {
		w.t.Fatal(err)
	}
	return text
}
