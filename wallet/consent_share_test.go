package wallet

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/qr"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/vc"
)

// notary is an office that witnesses consents. It judges nothing: a wallet must.
type notary struct {
	t    *testing.T
	o    *office
	did  string
	role string
	key  *keys.Key

	fragment string // of the key's id
}

// newNotary puts an office of a role on the trust list.
func newNotary(t *testing.T, o *office, role string) *notary {
	t.Helper()
	k, err := keys.New("key-1", keys.UseCredentials, keys.EdDSA, o.clock.now().Add(-time.Hour), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	n := &notary{t: t, o: o, did: "did:web:" + role + "-" + strings.ToLower(strings.NewReplacer("_", "x", "-", "y").Replace(store.Random(6))) + ".test", role: role, key: k, fragment: "key-1"}
	pub, err := vc.PublicJWK(k.Public(), n.kid(), keys.EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	o.set(func() {
		o.trust.Issuers = append(o.trust.Issuers, vc.TrustIssuer{DID: n.did, Name: "A " + role, Shelf: "https://" + strings.TrimPrefix(n.did, "did:web:"),
			Keys: []vc.TrustKey{{ID: n.kid(), JWK: pub, Role: role, Types: []string{vc.TypeConsent}, NotBefore: o.clock.now().Add(-time.Hour)}}})
	})
	return n
}

// newWitness gives the office itself somebody who witnesses consents.
func newWitness(t *testing.T, o *office) *notary {
	t.Helper()
	n := newNotary(t, o, vc.RoleWitness)
	n.did, n.fragment = o.did, "witness-1"
	o.set(func() {
		k := o.trust.Issuers[len(o.trust.Issuers)-1].Keys[0]
		o.trust.Issuers = o.trust.Issuers[:len(o.trust.Issuers)-1]
		k.ID = n.kid()
		o.trust.Issuers[0].Keys = append(o.trust.Issuers[0].Keys, k)
	})
	return n
}

func (n *notary) kid() string { return n.did + "#" + n.fragment }

// witness signs what a dossier holds: the grantors who signed, their places in
// the status list. change may make it another credential.
func (n *notary) witness(d Dossier, change func(jsonObject)) string {
	n.t.Helper()
	var first jsonObject
	grantors, status := []any{}, []any{}
	for _, jwt := range d.Consents {
		var c jsonObject
		if err := json.Unmarshal([]byte(decoded(n.t, jwt)), &c); err != nil {
			n.t.Fatal(err)
		}
		if first == nil {
			first = c
		}
		for _, g := range subject2(c)["grantors"].([]any) {
			if g.(jsonObject)["key"] == c["issuer"] {
				grantors = append(grantors, g)
			}
		}
		status = append(status, c["credentialStatus"].([]any)...)
	}
	said := subject2(first)
	said["grantors"] = grantors
	said["assurance"] = jsonObject{"level": vc.LevelOf(n.role), "witness": n.did}
	doc := jsonObject{"@context": first["@context"], "id": "urn:uuid:" + uuid.NewString(), "type": first["type"], "issuer": n.did,
		"validFrom": n.o.clock.now().Format(time.RFC3339), "validUntil": first["validUntil"], "credentialSubject": said, "credentialStatus": status,
		"credentialSchema": first["credentialSchema"]}
	if change != nil {
		change(doc)
		return n.signed(doc)
	}
	jwt, err := vc.SignJWS(n.key.Signer(n.kid()), vc.TypCredential, "vc", inOrder(n.t, n.signed(doc)))
	if err != nil {
		n.t.Fatal(err)
	}
	return jwt
}

func subject2(doc jsonObject) jsonObject { return doc["credentialSubject"].(jsonObject) }

func (n *notary) signed(doc jsonObject) string {
	payload, err := plainJSON(doc)
	if err != nil {
		n.t.Fatal(err)
	}
	jwt, err := vc.SignJWS(n.key.Signer(n.kid()), vc.TypCredential, "vc", payload)
	if err != nil {
		n.t.Fatal(err)
	}
	return jwt
}

// withKey is a journey with an adult who has a wallet.
func withKey(name, key string) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`[{"names":[{"kind":"legal","script":"Latn","full":%q}],"key":%q,"relation":"teacher"}]`, name, key))
}

// signedFor drafts and signs a journey with a companion.
func (s scene) signedFor(t *testing.T, g Guardian, child string, companion Guardian) Consent {
	t.Helper()
	key, err := s.Key(t.Context(), companion)
	if err != nil {
		t.Fatal(err)
	}
	d := s.draft(t, g, Draft{Child: child, Mode: vc.ModeThirdParty, Accompanying: withKey("Rita Thapa", key)})
	c, err := s.SignConsent(t.Context(), g, d.ID, true)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A companion named by key gets what it takes to show the child at a border,
// and nothing else; it ends with the consent.
func TestShareWithCompanion(t *testing.T) {
	each(t, func(t *testing.T, s scene) {
		s.hosting()
		ctx := t.Context()
		a := s.accept(t, amina, zainab)
		c := s.signedFor(t, amina, a.Child, carla)
		link, err := s.ShareConsent(ctx, amina, c.ID, "")
		if err != nil {
			t.Fatal(err)
		}
		// The link is of no use to anybody else, whether they have a wallet or not.
		s.accept(t, bilal, tariq)
		for _, g := range []Guardian{bilal, {ID: "token-nobody"}, amina} {
			_, err := s.Redeem(ctx, g, link.Link)
			mustCode(t, err, "link-gone")
		}
		kid, err := s.Redeem(ctx, carla, link.Link)
		if err != nil {
			t.Fatal(err)
		}
		if !kid.Shared || !kid.Ready || kid.Role != "companion" || !slices.Equal(kid.Names, []string{"ZAINAB OKONKWO"}) || len(kid.Credentials) != 0 || kid.ID == a.Child {
			t.Errorf("child %+v", kid)
		}
		again, err := s.Redeem(ctx, carla, link.Link)
		if err != nil || again.ID != kid.ID || count(t, s.db, "consents") != 2 {
			t.Errorf("again: %+v %v", again, err)
		}
		kids, err := s.Children(ctx, carla)
		if err != nil || len(kids) != 1 || kids[0].ID != kid.ID {
			t.Errorf("children %+v %v", kids, err)
		}
		p, err := s.Present(ctx, carla, Request{Child: kid.ID})
		if err != nil {
			t.Fatal(err)
		}
		held, _ := opened(t, p.Presentation)
		shown := s.parts(t, p.Presentation)
		key, _ := s.Key(ctx, carla)
		if held.Holder != key || len(shown) != 3 || !shown[0].Is(vc.TypeBirth) || !shown[1].Is(vc.TypeGuardianship) || !shown[2].Is(vc.TypeConsent) {
			t.Errorf("shown by %s: %d", held.Holder, len(shown))
		}
		list, err := s.Consents(ctx, carla)
		if err != nil || len(list) != 1 || !list[0].Shared || list[0].Child != kid.ID || list[0].State != consentSigned || list[0].Grantors[0].You ||
			!strings.Contains(strings.Join(list[0].Lines, " "), "You cannot pass it on. It ends on 21 December 2026") {
			t.Fatalf("consents %+v %v", list, err)
		}
		id := list[0].ID
		if _, err := s.Present(ctx, carla, Request{Child: kid.ID, Consent: id}); err != nil {
			t.Error(err)
		}
		// What was shared is not the companion's to sign, take back, pass on or print.
		_, err = s.SignConsent(ctx, carla, id, true)
		mustCode(t, err, "no-such-consent")
		mustCode(t, s.WithdrawConsent(ctx, carla, id), "no-such-consent")
		_, err = s.ShareConsent(ctx, carla, id, "")
		mustCode(t, err, "no-such-consent")
		_, err = s.ConsentDossier(ctx, carla, id)
		mustCode(t, err, "no-such-consent")
		_, err = s.ConsentPaper(ctx, carla, id)
		mustCode(t, err, "no-such-consent")
		_, err = s.DraftConsent(ctx, carla, Draft{Child: kid.ID, Mode: vc.ModeAlone, Trip: json.RawMessage(trip)})
		mustCode(t, err, "no-such-child")
		_, err = s.Present(ctx, carla, Request{Child: kid.ID, Credentials: []string{"x"}})
		mustCode(t, err, "no-such-credential")
		// Withdrawn: nobody is told, and after the next reading it cannot be shown.
		if err := s.WithdrawConsent(ctx, amina, c.ID); err != nil {
			t.Fatal(err)
		}
		if r, err := s.Renew(ctx, carla); err != nil || r.Checked != 1 || r.Failed != 0 {
			t.Fatalf("%+v %v", r, err)
		}
		now, err := s.Consent(ctx, carla, id)
		if err != nil || now.Usable || now.State != consentSigned || now.Lines[len(now.Lines)-1] != "Not usable. Please contact the guardians or the office." {
			t.Errorf("after the withdrawal: %+v %v", now, err)
		}
		if kids, _ := s.Children(ctx, carla); len(kids) != 1 || kids[0].Ready {
			t.Errorf("children %+v", kids)
		}
		for _, r := range []Request{{Child: kid.ID}, {Child: kid.ID, Consent: id}} {
			_, err = s.Present(ctx, carla, r)
			mustCode(t, err, "credential-not-usable")
		}
		// It is forgotten a week after its end.
		s.o.clock.add(45 * 24 * time.Hour)
		if _, err := s.Renew(ctx, carla); err != nil {
			t.Fatal(err)
		}
		if kids, _ := s.Children(ctx, carla); len(kids) != 0 {
			t.Errorf("children %+v", kids)
		}
	})
}

// A birth that was corrected since the journey was agreed to goes to companion,
// witness and printer as it is now; a companion who has the old one gets the new
// one with another link.
func TestShareAfterCorrection(t *testing.T) {
	each(t, func(t *testing.T, s scene) {
		s.hosting()
		ctx := t.Context()
		n := newNotary(t, s.o, vc.RoleNotary)
		a := s.accept(t, amina, zainab)
		c := s.signedFor(t, amina, a.Child, carla)
		share := func() Child {
			t.Helper()
			link, err := s.ShareConsent(ctx, amina, c.ID, "")
			if err != nil {
				t.Fatal(err)
			}
			kid, err := s.Redeem(ctx, carla, link.Link)
			if err != nil {
				t.Fatal(err)
			}
			return kid
		}
		kid := share()
		shown := func(c *vc.Credential) {
			t.Helper()
			var b vc.Birth
			if err := json.Unmarshal(c.Subject, &b); err != nil || !c.Is(vc.TypeBirth) || b.RecordVersion != 2 {
				t.Errorf("an old birth: version %d, %v", b.RecordVersion, err)
			}
		}
		read := func(jwt string) *vc.Credential {
			t.Helper()
			c, _, err := reread(jwt)
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		v, err := s.vault(ctx, amina.ID)
		if err != nil {
			t.Fatal(err)
		}
		all, err := s.credentials(ctx, v)
		if err != nil {
			t.Fatal(err)
		}
		s.o.set(func() {
			for _, b := range all {
				if b.birth == nil {
					continue
				}
				at, err := strconv.ParseInt(b.vc.Status[0].Index, 10, 64)
				if err == nil {
					err = s.o.lists[vc.PurposeRevocation].Set(at)
				}
				if err != nil {
					t.Error(err)
				}
			}
			s.o.next = 9000
		})
		s.o.redo(func(d *deal) { d.version = 2 })
		for _, g := range []Guardian{amina, carla} {
			if _, err := s.Renew(ctx, g); err != nil {
				t.Fatal(err)
			}
		}
		_, err = s.Present(ctx, carla, Request{Child: kid.ID})
		mustCode(t, err, "credential-not-usable")
		if again := share(); again.ID != kid.ID || !again.Ready {
			t.Errorf("another child: %+v", again)
		}
		p, err := s.Present(ctx, carla, Request{Child: kid.ID})
		if err != nil {
			t.Fatal(err)
		}
		shown(s.parts(t, p.Presentation)[0])
		dossier, err := s.ConsentDossier(ctx, amina, c.ID)
		if err != nil {
			t.Fatal(err)
		}
		shown(read(dossier.Birth))
		if _, err := s.KeepWitnessed(ctx, amina, c.ID, n.witness(dossier, nil)); err != nil {
			t.Fatal(err)
		}
		paper, err := s.ConsentPaper(ctx, amina, c.ID)
		if err != nil {
			t.Fatal(err)
		}
		packet, err := qr.Unpack(paper.Codes[0].KP1)
		if err != nil {
			t.Fatal(err)
		}
		shown(read(packet.Credentials[0]))
		// The witnessed consent replaces the signed one, and keeps the birth.
		share()
		if p, err = s.Present(ctx, carla, Request{Child: kid.ID}); err != nil {
			t.Fatal(err)
		}
		shown(s.parts2(t, p.Presentation, n)[0])
	})
}

func TestShareEndsWithWithdrawal(t *testing.T) {
	s := lite(t).hosting()
	ctx := t.Context()
	a := s.accept(t, amina, zainab)
	c := s.signedFor(t, amina, a.Child, carla)
	link, err := s.ShareConsent(ctx, amina, c.ID, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.WithdrawConsent(ctx, amina, c.ID); err != nil {
		t.Fatal(err)
	}
	_, err = s.Redeem(ctx, carla, link.Link)
	mustCode(t, err, "link-gone")
	_, err = s.ShareConsent(ctx, amina, c.ID, "")
	mustCode(t, err, "consent-state")
	// A link that was taken along before is refused by the status.
	d := s.signedFor(t, amina, a.Child, carla)
	if link, err = s.ShareConsent(ctx, amina, d.ID, ""); err != nil {
		t.Fatal(err)
	}
	k := s.kept(t, amina, d.ID)
	s.o.set(func() {
		var n int64
		fmt.Sscan(k.Sign.Entries[1].Index, &n)
		if err := s.o.lists[vc.PurposeSuspension].Set(n); err != nil {
			t.Error(err)
		}
	})
	_, err = s.Redeem(ctx, carla, link.Link)
	mustCode(t, err, "consent-refused")
	if !strings.Contains(rules(err), "is not usable") {
		t.Error(rules(err))
	}
	// After three days a link is over.
	e := s.signedFor(t, amina, a.Child, carla)
	if link, err = s.ShareConsent(ctx, amina, e.ID, ""); err != nil {
		t.Fatal(err)
	}
	s.o.clock.add(shareLife)
	_, err = s.Redeem(ctx, carla, link.Link)
	mustCode(t, err, "link-gone")
}

func TestShareNamesCompanion(t *testing.T) {
	s := lite(t).hosting()
	ctx := t.Context()
	a := s.accept(t, amina, zainab)
	one, _ := s.Key(ctx, carla)
	two, _ := s.Key(ctx, bilal)
	with := json.RawMessage(fmt.Sprintf(`[{"names":[{"kind":"legal","script":"Latn","full":"Rita Thapa"}],"key":%q},{"names":[{"kind":"legal","script":"Latn","full":"Om Rai"}],"key":%q},{"names":[{"kind":"legal","script":"Latn","full":"Om Rai"}]}]`, one, two))
	d := s.draft(t, amina, Draft{Child: a.Child, Mode: vc.ModeGroup, Accompanying: with})
	_, err := s.ShareConsent(ctx, amina, d.ID, one)
	mustCode(t, err, "consent-state")
	if _, err := s.SignConsent(ctx, amina, d.ID, true); err != nil {
		t.Fatal(err)
	}
	_, err = s.ShareConsent(ctx, amina, d.ID, "")
	mustCode(t, err, "consent-no-companion")
	_, err = s.ShareConsent(ctx, amina, d.ID, "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK")
	mustCode(t, err, "consent-no-companion")
	for key, g := range map[string]Guardian{one: carla, two: bilal} {
		link, err := s.ShareConsent(ctx, amina, d.ID, key)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Redeem(ctx, g, link.Link); err != nil {
			t.Error(err)
		}
	}
	alone := s.draft(t, amina, Draft{Child: a.Child})
	if _, err := s.SignConsent(ctx, amina, alone.ID, true); err != nil {
		t.Fatal(err)
	}
	_, err = s.ShareConsent(ctx, amina, alone.ID, "")
	mustCode(t, err, "consent-no-companion")
	_, err = s.ShareConsent(ctx, bilal, d.ID, "")
	mustCode(t, err, "no-such-consent")
}

// The guardian who travels has the child already: the other's consent joins it.
func TestShareWithTheOtherGuardian(t *testing.T) {
	for _, apart := range []bool{false, true} {
		o := newOffice(t, newClock())
		o.alter = jointly(2)
		a := service(t, o, store.SQLite).hosting()
		b := a
		if apart {
			b = service(t, o, store.SQLite)
		}
		ctx := t.Context()
		hers, his := a.accept(t, amina, zainab), b.accept(t, bilal, zainab)
		key, err := b.Key(ctx, bilal)
		if err != nil {
			t.Fatal(err)
		}
		d := a.draft(t, amina, Draft{Child: hers.Child, Accompanying: withKey("Bilal Okonkwo", key)})
		if d.Quorum != 1 {
			t.Errorf("quorum %d: who travels is there", d.Quorum)
		}
		if _, err := a.SignConsent(ctx, amina, d.ID, false); err != nil {
			t.Fatal(err)
		}
		link, err := a.ShareConsent(ctx, amina, d.ID, "")
		if err != nil {
			t.Fatal(err)
		}
		kid, err := b.Redeem(ctx, bilal, link.Link)
		if err != nil || kid.ID != his.Child || kid.Shared {
			t.Fatalf("%+v %v", kid, err)
		}
		kids, err := b.Children(ctx, bilal)
		if err != nil || len(kids) != 1 {
			t.Errorf("%+v %v", kids, err)
		}
		list, err := b.Consents(ctx, bilal)
		if err != nil || len(list) != 1 || list[0].Child != his.Child || !list[0].Shared || list[0].Lines[0] != "Zainab Okonkwo, born 2019-03-07, may travel from Nepal to India." {
			t.Fatalf("%+v %v", list, err)
		}
		p, err := b.Present(ctx, bilal, Request{Child: his.Child, Consent: list[0].ID})
		if err != nil {
			t.Fatal(err)
		}
		// birth, his own guardianship, hers as evidence, her consent
		shown := b.parts(t, p.Presentation)
		if len(shown) != 4 || !contains(shown[1].Subject, key) || !contains(shown[2].Subject, list[0].Grantors[0].Key) || !shown[3].Is(vc.TypeConsent) {
			t.Errorf("%d credentials", len(shown))
		}
		if p, err = b.Present(ctx, bilal, Request{Child: his.Child}); err != nil || len(b.parts(t, p.Presentation)) != 2 {
			t.Errorf("without the consent: %v", err)
		}
	}
}

// Nothing that is shared is believed before it is verified.
func TestShareIsVerified(t *testing.T) {
	s := lite(t).hosting()
	ctx := t.Context()
	a := s.accept(t, amina, zainab)
	b := s.accept(t, bilal, tariq)
	c := s.signedFor(t, amina, a.Child, carla)
	other := s.signedFor(t, bilal, b.Child, carla)
	forBilal := s.signedFor(t, amina, a.Child, bilal)
	key, _ := s.Key(ctx, carla)
	good, tariqs, his := s.kept(t, amina, c.ID), s.kept(t, bilal, other.ID), s.kept(t, amina, forBilal.ID)
	witness := newNotary(t, s.o, vc.RoleNotary)
	registrar := newNotary(t, s.o, vc.RoleRegistrar)
	dossier := Dossier{Birth: good.Birth, Guardianships: []string{good.Parties[0].Guardianship}, Consents: []string{good.Parties[0].Consent}}
	full := ""
	for _, x := range a.Credentials {
		if x.Type == vc.TypeGuardianship && x.Profile == profileFull && x.Format == formatSigned {
			one, err := s.Credential(ctx, amina, x.ID)
			if err != nil {
				t.Fatal(err)
			}
			full = one.JWT
		}
	}
	take := func(x share) error {
		l := newLink(s.cfg.Base)
		d, err := newDrop(l, dropKey, x, s.o.clock.now().Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		d.onlyFor(key)
		v, err := s.vault(ctx, amina.ID)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.changeConsent(ctx, v, c.ID, func(c *consentHeld) error { c.leave = []drop{d}; return nil }); err != nil {
			t.Fatal(err)
		}
		_, err = s.Redeem(ctx, carla, l.String())
		return err
	}
	ok := share{Birth: good.Birth, Parties: []party{{good.Parties[0].Guardianship, good.Parties[0].Consent}}}
	signed := share{Birth: good.Birth, Parties: []party{{Guardianship: good.Parties[0].Guardianship}}}
	with := func(x share, change func(*share)) share {
		x.Parties = slices.Clone(x.Parties)
		change(&x)
		return x
	}
	for name, x := range map[string]struct {
		share
		rule string
	}{
		"another child's birth":      {with(ok, func(x *share) { x.Birth = tariqs.Birth }), "/birth is about another child"},
		"no birth":                   {with(ok, func(x *share) { x.Birth = good.Parties[0].Guardianship }), "/birth is no birth"},
		"no credential":              {with(ok, func(x *share) { x.Birth = "x" }), "/birth is not a signed credential"},
		"a birth changed":            {with(ok, func(x *share) { x.Birth = tamper(1)("BirthCredential", x.Birth) }), "/birth has a signature that does not hold"},
		"nobody":                     {with(ok, func(x *share) { x.Parties = nil }), "/parties names no guardian"},
		"a crowd":                    {with(ok, func(x *share) { x.Parties = slices.Repeat(x.Parties, 11) }), "/parties names no guardian, or too many"},
		"twice":                      {with(ok, func(x *share) { x.Parties = slices.Repeat(x.Parties, 2) }), "/parties names more guardians"},
		"not signed":                 {with(ok, func(x *share) { x.Parties[0].Consent = "" }), "/parties/0 is not a signed credential"},
		"changed":                    {with(ok, func(x *share) { x.Parties[0].Consent = tamper(1)("BirthCredential", x.Parties[0].Consent) }), "/parties/0"},
		"signature of nothing":       {with(ok, func(x *share) { x.Parties[0].Consent = tamper(2)("BirthCredential", x.Parties[0].Consent) }), "/parties/0 has a signature that does not hold"},
		"another guardian's mandate": {with(ok, func(x *share) { x.Parties[0].Guardianship = tariqs.Parties[0].Guardianship }), "/parties/0 is not the guardianship that the consent cites"},
		"the full profile":           {with(ok, func(x *share) { x.Parties[0].Guardianship = full }), "/parties/0 is not made for the border"},
		"another companion":          {share{Birth: his.Birth, Parties: his.Parties}, "/parties names another companion"},
		"no witness":                 {with(signed, func(x *share) { x.Witnessed = good.Parties[0].Consent }), "/witnessed is signed by a key that is not on the trust list"},
		"a registrar as witness": {with(signed, func(x *share) {
			x.Witnessed = registrar.witness(dossier, func(d jsonObject) { subject2(d)["assurance"].(jsonObject)["level"] = "notarised" })
		}), "/witnessed is signed by a key that may not witness"},
		"a level too many": {with(signed, func(x *share) {
			x.Witnessed = witness.witness(dossier, func(d jsonObject) { subject2(d)["assurance"].(jsonObject)["level"] = "judicial" })
		}), "/witnessed claims another level"},
		"a level too few": {with(signed, func(x *share) {
			x.Witnessed = witness.witness(dossier, func(d jsonObject) { subject2(d)["assurance"].(jsonObject)["level"] = "selfSigned" })
		}), "/witnessed claims another level"},
		"another witness": {with(signed, func(x *share) {
			x.Witnessed = witness.witness(dossier, func(d jsonObject) { subject2(d)["assurance"].(jsonObject)["witness"] = registrar.did })
		}), "/witnessed names another witness"},
		"a status too few": {with(signed, func(x *share) {
			x.Witnessed = witness.witness(dossier, func(d jsonObject) {
				d["credentialStatus"] = append(d["credentialStatus"].([]any), d["credentialStatus"].([]any)...)
			})
		}), "/witnessed has a status that cannot be checked"},
		"longer than the journey": {with(signed, func(x *share) {
			x.Witnessed = witness.witness(dossier, func(d jsonObject) { d["validUntil"] = "2027-12-20T00:00:00Z" })
		}), "/witnessed ends later"},
		"without the guardianship": {with(signed, func(x *share) {
			x.Parties[0].Guardianship = tariqs.Parties[0].Guardianship
			x.Witnessed = witness.witness(dossier, nil)
		}), "/parties lack a guardianship"},
	} {
		err := take(x.share)
		if faultCode2(err) != "consent-refused" || !strings.Contains(rules(err), x.rule) {
			t.Errorf("%s: %v; %s", name, err, rules(err))
		}
	}
	if kids, err := s.Children(ctx, carla); err != nil || len(kids) != 0 {
		t.Errorf("%+v %v", kids, err)
	}
	if err := take(ok); err != nil {
		t.Errorf("the good one: %v", err)
	}
	// Witnessed later, the same consent is shown by the witness's signature.
	if err := take(with(signed, func(x *share) { x.Witnessed = witness.witness(dossier, nil) })); err != nil {
		t.Errorf("witnessed: %v", err)
	}
	if list, err := s.Consents(ctx, carla); err != nil || len(list) != 1 || list[0].State != consentWitnessed || !list[0].Usable {
		t.Errorf("%+v %v", list, err)
	}
	// An office that is not trusted to keep the status of consents keeps none.
	s.o.set(func() { s.o.trust.Issuers[0].ConsentStatus = false })
	mustCode(t, take(ok), "consent-refused")
}

// A witness's signature takes the place of the guardians', for all of them.
func TestConsentWitnessed(t *testing.T) {
	each(t, func(t *testing.T, s scene) {
		s.hosting()
		s.o.alter = jointly(2)
		ctx := t.Context()
		n := newNotary(t, s.o, vc.RoleNotary)
		a := s.accept(t, amina, zainab)
		s.accept(t, bilal, zainab)
		key, err := s.Key(ctx, carla)
		if err != nil {
			t.Fatal(err)
		}
		d := s.draft(t, amina, Draft{Child: a.Child, Mode: vc.ModeThirdParty, Accompanying: withKey("Rita Thapa", key)})
		_, err = s.ConsentDossier(ctx, amina, d.ID)
		mustCode(t, err, "consent-state")
		j, err := s.JoinConsent(ctx, bilal, d.Invitation.Link)
		if err != nil {
			t.Fatal(err)
		}
		for g, id := range map[Guardian]string{amina: d.ID, bilal: j.ID} {
			if _, err := s.SignConsent(ctx, g, id, false); err != nil {
				t.Fatal(err)
			}
		}
		dossier, err := s.ConsentDossier(ctx, amina, d.ID)
		if err != nil || len(dossier.Consents) != 2 || len(dossier.Guardianships) != 2 || dossier.Birth == "" {
			t.Fatalf("%d consents: %v", len(dossier.Consents), err)
		}
		stranger := newNotary(t, s.o, vc.RoleHub)
		for name, x := range map[string]struct{ jwt, rule string }{
			"nothing":         {"x", "is not a signed credential"},
			"no witness":      {dossier.Consents[0], "not on the trust list"},
			"a hub":           {stranger.witness(dossier, func(d jsonObject) { subject2(d)["assurance"].(jsonObject)["level"] = "notarised" }), "may not witness"},
			"another journey": {n.witness(dossier, func(d jsonObject) { subject2(d)["trip"].(jsonObject)["crossings"] = 3 }), "is about another journey"},
			"another child":   {n.witness(dossier, func(d jsonObject) { subject2(d)["childRef"] = tariq.ref }), "is about another journey"},
			"a move":          {n.witness(dossier, func(d jsonObject) { subject2(d)["relocationAllowed"] = true }), "is about another journey"},
			"a guardian more": {n.witness(dossier, func(d jsonObject) {
				g := maps.Clone(subject2(d)["grantors"].([]any)[0].(jsonObject))
				g["key"] = key
				subject2(d)["grantors"] = append(subject2(d)["grantors"].([]any), g)
				d["credentialStatus"] = append(d["credentialStatus"].([]any), d["credentialStatus"].([]any)[:2]...)
			}), "is about another journey"},
			"without her": {n.witness(Dossier{Consents: dossier.Consents[1:]}, nil), "does not name you"},
			"not hers to withdraw": {n.witness(dossier, func(d jsonObject) {
				e := d["credentialStatus"].([]any)
				d["credentialStatus"] = append(slices.Clone(e[2:]), e[2:]...)
			}), "could not be withdrawn by you"},
			"changed": {tamper(1)("BirthCredential", n.witness(dossier, nil)), "signature that does not hold"},
		} {
			_, err := s.KeepWitnessed(ctx, amina, d.ID, x.jwt)
			if faultCode2(err) != "consent-refused" || !strings.Contains(rules(err), x.rule) {
				t.Errorf("%s: %v; %s", name, err, rules(err))
			}
		}
		// The guardians' own signatures need both guardianships; what a notary
		// signs stands for them.
		before, err := s.ShareConsent(ctx, amina, d.ID, "")
		if err != nil {
			t.Fatal(err)
		}
		kid, err := s.Redeem(ctx, carla, before.Link)
		if err != nil {
			t.Fatal(err)
		}
		self, err := s.Present(ctx, carla, Request{Child: kid.ID})
		if err != nil || len(s.parts2(t, self.Presentation, n)) != 5 {
			t.Fatalf("self-signed: %v", err)
		}
		w, err := s.KeepWitnessed(ctx, amina, d.ID, n.witness(dossier, nil))
		if err != nil || w.State != consentWitnessed || !w.Usable || w.Digest != d2digest(t, s, d.ID) {
			t.Fatalf("%+v %v", w, err)
		}
		// The other guardian's wallet has it with the next reading.
		if other, err := s.Consent(ctx, bilal, j.ID); err != nil || other.State != consentWitnessed || !other.Usable {
			t.Errorf("%+v %v", other, err)
		}
		after, err := s.ShareConsent(ctx, bilal, j.ID, "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Redeem(ctx, carla, after.Link); err != nil {
			t.Fatal(err)
		}
		p, err := s.Present(ctx, carla, Request{Child: kid.ID})
		if err != nil {
			t.Fatal(err)
		}
		shown := s.parts2(t, p.Presentation, n)
		if len(shown) != 2 || shown[1].Issuer != n.did || len(shown[1].Status) != 4 {
			t.Errorf("%d credentials", len(shown))
		}
		// For who has no wallet it goes on paper.
		paper, err := s.ConsentPaper(ctx, amina, d.ID)
		if err != nil {
			t.Fatal(err)
		}
		onPaper(t, paper, []string{c0(s, t, d.ID).Birth, c0(s, t, d.ID).Witnessed}, 2)
		// One guardian's withdrawal ends it for everybody, the companion included.
		if err := s.WithdrawConsent(ctx, bilal, j.ID); err != nil {
			t.Fatal(err)
		}
		for _, g := range []Guardian{amina, carla} {
			if _, err := s.Renew(ctx, g); err != nil {
				t.Fatal(err)
			}
		}
		_, err = s.Present(ctx, carla, Request{Child: kid.ID})
		mustCode(t, err, "credential-not-usable")
		_, err = s.ConsentPaper(ctx, amina, d.ID)
		mustCode(t, err, "consent-state")
		_, err = s.KeepWitnessed(ctx, bilal, j.ID, n.witness(dossier, nil))
		mustCode(t, err, "consent-state")
		_, err = s.KeepWitnessed(ctx, amina, d.ID, n.witness(dossier, nil))
		mustCode(t, err, "consent-refused") // withdrawn, as its status says
	})
}

func c0(s scene, t *testing.T, id string) consentHeld { return s.kept(t, amina, id) }

// onPaper checks what is printed: these credentials, in so many codes, and
// nothing that is bound to a key of the holder.
func onPaper(t *testing.T, p Paper, want []string, codes int) {
	t.Helper()
	var got []string
	for _, c := range p.Codes {
		packet, err := qr.Unpack(c.KP1)
		if err != nil || packet.Presentation != "" || len(packet.Credentials) != len(c.Holds) {
			t.Fatalf("a code of %v: %v", c.Holds, err)
		}
		got = append(got, packet.Credentials...)
		if c.image.Version > 18 || c.image.Level < qr.M {
			t.Errorf("a code of version %d-%s", c.image.Version, c.image.Level)
		}
	}
	if !slices.Equal(got, want) || len(p.Codes) != codes {
		t.Errorf("%d codes of %d credentials", len(p.Codes), len(got))
	}
	for _, jwt := range got {
		var c struct {
			Subject struct{ ID string } `json:"credentialSubject"`
		}
		if err := json.Unmarshal([]byte(decoded(t, jwt)), &c); err != nil || c.Subject.ID != "" {
			t.Error("bound to a key")
		}
	}
}

func d2digest(t *testing.T, s scene, id string) string {
	t.Helper()
	digest, err := vc.ConsentDigest(s.kept(t, amina, id).Subject)
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

// parts2 is parts for presentations with what a notary signed.
func (s scene) parts2(t *testing.T, vp string, n *notary) []*vc.Credential {
	t.Helper()
	p, _ := opened(t, vp)
	var out []*vc.Credential
	for _, e := range p.Credentials {
		jwt, _ := e.JWT()
		j, err := vc.SplitJWS(jwt)
		if err != nil {
			t.Fatal(err)
		}
		if j.Header.Kid == n.kid() {
			if _, err := j.Verify(n.key.Public()); err != nil {
				t.Fatal(err)
			}
		}
		c, err := vc.ParseCredential(j.PayloadUnverified())
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, c)
	}
	return out
}

// A lone guardian's witnessed consent is shown with the mandate that says so.
func TestWitnessedAlone(t *testing.T) {
	s := lite(t).hosting()
	ctx := t.Context()
	n := newNotary(t, s.o, vc.RoleConsulate)
	a := s.accept(t, amina, zainab)
	c := s.signedFor(t, amina, a.Child, carla)
	_, err := s.ConsentPaper(ctx, amina, c.ID)
	mustCode(t, err, "consent-not-for-paper")
	d, err := s.ConsentDossier(ctx, amina, c.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.KeepWitnessed(ctx, amina, c.ID, n.witness(d, nil)); err != nil {
		t.Fatal(err)
	}
	link, err := s.ShareConsent(ctx, amina, c.ID, "")
	if err != nil {
		t.Fatal(err)
	}
	kid, err := s.Redeem(ctx, carla, link.Link)
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.Present(ctx, carla, Request{Child: kid.ID})
	if err != nil {
		t.Fatal(err)
	}
	if shown := s.parts2(t, p.Presentation, n); len(shown) != 3 || !shown[1].Is(vc.TypeGuardianship) {
		t.Errorf("%d credentials", len(shown))
	}
	// Who shows it beside a mandate of their own shows the one that is theirs.
	if p, err = s.Present(ctx, amina, Request{Child: a.Child, Consent: c.ID}); err != nil || len(s.parts2(t, p.Presentation, n)) != 3 {
		t.Errorf("%v", err)
	}
}

// Where there are more than two guardians, a mandate that says so goes along.
func TestWitnessedOfThree(t *testing.T) {
	s := lite(t).hosting()
	s.o.alter = jointly(3)
	ctx := t.Context()
	n := newNotary(t, s.o, vc.RoleNotary)
	a := s.accept(t, amina, zainab)
	s.accept(t, bilal, zainab)
	key, _ := s.Key(ctx, carla)
	d := s.draft(t, amina, Draft{Child: a.Child, Mode: vc.ModeThirdParty, Accompanying: withKey("Rita Thapa", key)})
	j, err := s.JoinConsent(ctx, bilal, d.Invitation.Link)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.SignConsent(ctx, bilal, j.ID, true); err != nil {
		t.Fatal(err)
	}
	if _, err := s.SignConsent(ctx, amina, d.ID, true); err != nil {
		t.Fatal(err)
	}
	dossier, err := s.ConsentDossier(ctx, amina, d.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.KeepWitnessed(ctx, amina, d.ID, n.witness(dossier, nil)); err != nil {
		t.Fatal(err)
	}
	link, err := s.ShareConsent(ctx, amina, d.ID, "")
	if err != nil {
		t.Fatal(err)
	}
	kid, err := s.Redeem(ctx, carla, link.Link)
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.Present(ctx, carla, Request{Child: kid.ID})
	if err != nil {
		t.Fatal(err)
	}
	if shown := s.parts2(t, p.Presentation, n); len(shown) != 3 || !shown[1].Is(vc.TypeGuardianship) || !contains(shown[1].Subject, `"coGuardianCount":3`) {
		t.Errorf("%d credentials", len(shown))
	}
}

// A teacher shows a class: one presentation for each child, and never two
// children in one.
func TestPresentGroup(t *testing.T) {
	s := lite(t).hosting()
	ctx := t.Context()
	key, err := s.Key(ctx, carla)
	if err != nil {
		t.Fatal(err)
	}
	var class []string
	var refs []string
	for i := range 12 {
		g := Guardian{ID: fmt.Sprintf("token-parent-%d", i)}
		k := zainab
		k.ref = b64.EncodeToString(fmt.Appendf(nil, "%-16d", i))
		a := s.accept(t, g, k)
		d := s.draft(t, g, Draft{Child: a.Child, Mode: vc.ModeGroup, Accompanying: withKey("Carla Teacher", key)})
		if _, err := s.SignConsent(ctx, g, d.ID, false); err != nil {
			t.Fatal(err)
		}
		link, err := s.ShareConsent(ctx, g, d.ID, "")
		if err != nil {
			t.Fatal(err)
		}
		kid, err := s.Redeem(ctx, carla, link.Link)
		if err != nil {
			t.Fatal(err)
		}
		class, refs = append(class, kid.ID), append(refs, k.ref)
		if i == 3 {
			if err := s.WithdrawConsent(ctx, g, d.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := s.Renew(ctx, carla); err != nil {
		t.Fatal(err)
	}
	out, err := s.PresentGroup(ctx, carla, class, Request{})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Presentations) != 11 || len(out.Missing) != 1 || out.Missing[0].Child != class[3] || out.Missing[0].Code != "credential-not-usable" || out.Missing[0].Hint == "" {
		t.Fatalf("%d presentations, missing %+v", len(out.Presentations), out.Missing)
	}
	nonces := map[string]bool{}
	for _, p := range out.Presentations {
		ref := refs[slices.Index(class, p.Child)]
		held, _ := opened(t, p.Presentation.Presentation)
		nonces[held.Nonce] = true
		for _, c := range s.parts(t, p.Presentation.Presentation) {
			if !contains(c.Subject, ref) {
				t.Error("another child's credential")
			}
		}
	}
	if len(nonces) != 11 {
		t.Errorf("%d nonces", len(nonces))
	}
	_, err = s.PresentGroup(ctx, carla, append(slices.Clone(class), "AbCdEfGhIjKlMnOp"), Request{})
	mustCode(t, err, "no-such-child")
	_, err = s.PresentGroup(ctx, amina, class, Request{})
	mustCode(t, err, "no-such-child")
	for _, bad := range [][]string{nil, {class[0], class[0]}, slices.Repeat(class, 6)} {
		_, err = s.PresentGroup(ctx, carla, bad, Request{})
		mustCode(t, err, "presentation-terms")
	}
	_, err = s.PresentGroup(ctx, carla, class, Request{Child: class[0]})
	mustCode(t, err, "presentation-terms")
}

// The proof by which a companion reads is for one drop, one service and now.
func TestDropProof(t *testing.T) {
	s := lite(t).hosting()
	ctx := t.Context()
	a := s.accept(t, amina, zainab)
	c := s.signedFor(t, amina, a.Child, carla)
	link, err := s.ShareConsent(ctx, amina, c.ID, "")
	if err != nil {
		t.Fatal(err)
	}
	l, err := s.parseLink(link.Link)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := l.access()
	if err != nil {
		t.Fatal(err)
	}
	access := b64.EncodeToString(raw)
	h, err := s.holderFor(ctx, carla)
	if err != nil {
		t.Fatal(err)
	}
	prove := func(h holder, typ string, c dropClaims) string {
		k, err := h.signer()
		if err != nil {
			t.Fatal(err)
		}
		payload, err := plainJSON(c)
		if err != nil {
			t.Fatal(err)
		}
		out, err := vc.SignJWS(k, typ, "", payload)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	other, err := s.holderFor(ctx, amina)
	if err != nil {
		t.Fatal(err)
	}
	d, err := s.ReadDrop(ctx, l.ID, access)
	if err != nil || d.Nonce == "" || d.Content != "" {
		t.Fatalf("%+v %v", d, err)
	}
	now := s.o.clock.now().Unix()
	good := dropClaims{s.cfg.Base, now, d.Nonce}
	for name, r := range map[string]DropReader{
		"nothing":         {},
		"no proof":        {Reader: b64.EncodeToString(make([]byte, 32))},
		"both":            {Reader: b64.EncodeToString(make([]byte, 32)), Proof: prove(h, TypDrop, good)},
		"another key":     {Proof: prove(other, TypDrop, good)},
		"another type":    {Proof: prove(h, vc.TypProof, good)},
		"another service": {Proof: prove(h, TypDrop, dropClaims{"https://x.test", now, d.Nonce})},
		"another time":    {Proof: prove(h, TypDrop, dropClaims{s.cfg.Base, now - 3600, d.Nonce})},
		"another nonce":   {Proof: prove(h, TypDrop, dropClaims{s.cfg.Base, now, s.dropNonce("AAAAAAAAAAAAAAAAAAAAAA")})},
		"no nonce":        {Proof: prove(h, TypDrop, dropClaims{s.cfg.Base, now, ""})},
		"changed":         {Proof: tamper(1)("BirthCredential", prove(h, TypDrop, good))},
	} {
		_, err := s.TakeDrop(ctx, l.ID, access, r)
		if faultCode2(err) != "no-such-drop" {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err = s.TakeDrop(ctx, l.ID, b64.EncodeToString(make([]byte, 32)), DropReader{Proof: prove(h, TypDrop, good)})
	mustCode(t, err, "no-such-drop")
	_, err = s.WriteDrop(ctx, l.ID, access, DropContent{Version: 1, Content: "AAAA"})
	mustCode(t, err, "no-such-drop")
	if got, err := s.TakeDrop(ctx, l.ID, access, DropReader{Proof: prove(h, TypDrop, good)}); err != nil || got.Content == "" {
		t.Errorf("the good one: %v", err)
	}
	s.o.clock.add(proofWindow)
	_, err = s.TakeDrop(ctx, l.ID, access, DropReader{Proof: prove(h, TypDrop, dropClaims{s.cfg.Base, s.o.clock.now().Unix(), d.Nonce})})
	mustCode(t, err, "no-such-drop")
}

// A copied database shows nothing of a journey, and no link.
func TestConsentsSealedAtRest(t *testing.T) {
	each(t, func(t *testing.T, s scene) {
		s.hosting()
		s.o.alter = jointly(2)
		ctx := t.Context()
		a := s.accept(t, amina, zainab)
		s.accept(t, bilal, zainab)
		d := s.together(t, amina, a.Child)
		if _, err := s.JoinConsent(ctx, bilal, d.Invitation.Link); err != nil {
			t.Fatal(err)
		}
		c := s.signedFor(t, amina, a.Child, carla)
		link, err := s.ShareConsent(ctx, amina, c.ID, "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Redeem(ctx, carla, link.Link); err != nil {
			t.Fatal(err)
		}
		key, _ := s.Key(ctx, carla)
		u, _ := url.Parse(link.Link)
		var dump strings.Builder
		for table, columns := range map[string]string{"consents": "id, guardian, find_key, sealed", "drops": "id, guardian, access, reader, taken, content"} {
			rows, err := s.db.Query(`SELECT ` + columns + ` FROM ` + table)
			if err != nil {
				t.Fatal(err)
			}
			for rows.Next() {
				cells := make([]any, strings.Count(columns, ",")+1)
				for i := range cells {
					cells[i] = new([]byte)
				}
				if err := rows.Scan(cells...); err != nil {
					t.Fatal(err)
				}
				for _, x := range cells {
					dump.Write(*x.(*[]byte))
				}
			}
			rows.Close()
		}
		secret, _ := b64.DecodeString(u.Fragment)
		for _, no := range []string{"Rita", "Thapa", "RITA", "NPL", "IND", "2026-12", zainab.ref, key, "did:key", "eyJ", u.Fragment, string(secret), "withThirdParty"} {
			if strings.Contains(dump.String(), no) {
				t.Errorf("the database holds %q", no)
			}
		}
		if dump.Len() < 4000 {
			t.Errorf("only %d bytes were looked at", dump.Len())
		}
		// A wallet goes when what was signed with it is taken back.
		for _, g := range []Guardian{amina, bilal, carla} {
			all, err := s.Consents(ctx, g)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range all {
				if c.Shared {
					continue
				}
				if err := s.WithdrawConsent(ctx, g, c.ID); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.Delete(ctx, g); err != nil {
				t.Fatal(err)
			}
		}
		if n := count(t, s.db, "consents") + count(t, s.db, "drops"); n != 0 {
			t.Errorf("%d rows are left", n)
		}
	})
}
