package wallet

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/internal/vc"
)

// packed gives the bytes of KP1 text before base45.
func packed(t *testing.T, kp1 string) int {
	t.Helper()
	n := len(kp1) - len("KP1:")
	return n/3*2 + n%3/2
}

// elsewhere sends requests for one address to another.
type elsewhere struct {
	client
	from, to string
}

func (e elsewhere) Do(r *http.Request) (*http.Response, error) {
	u, err := url.Parse(strings.Replace(r.URL.String(), e.from, e.to, 1))
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.URL, r.Host = u, u.Host
	return e.client.Do(r)
}

// officeAt is a scene with an office at an address that issuers have: a test
// server's own has digits that no code expects.
func officeAt(t *testing.T, base string) scene {
	t.Helper()
	o, ring := newOffice(t, newClock()), newRing(t)
	s := scene{newWallet(t, storetest.Open(t, store.SQLite, "wallet"), ring, o), o, nil, ring}
	s.Wallet.net.client = elsewhere{s.Wallet.net.client, base, o.srv.URL}
	o.srv.URL = base
	var err error
	if o.did, err = did.FromURL(base); err != nil {
		t.Fatal(err)
	}
	is := &o.trust.Issuers[0]
	is.DID, is.Shelf, is.Keys[0].ID = o.did, base, o.kid()
	return s
}

// inOrder writes a credential as an issuer does, members in the order of the
// data model: a code is small because its words stand where they are expected.
func inOrder(t *testing.T, jwt string) []byte {
	t.Helper()
	c, err := vc.ParseCredential([]byte(decoded(t, jwt)))
	if err != nil {
		t.Fatal(err)
	}
	var said any
	switch {
	case c.Is(vc.TypeConsent):
		said = &vc.TravelConsent{}
	case c.Is(vc.TypeBirth):
		said = &vc.Birth{}
	default:
		said = &vc.Guardianship{}
	}
	if err := json.Unmarshal(c.Subject, said); err != nil {
		t.Fatal(err)
	}
	if c.Subject, err = plainJSON(said); err != nil {
		t.Fatal(err)
	}
	out, err := plainJSON(c)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// What fits a code with a consent in it, made by the wallet itself: the size
// table of the domain handbook, section 4.3. There the office that registers is
// the witness, too; another office costs its name and its key's.
func TestConsentSizes(t *testing.T) {
	for what, at := range map[string]func(*testing.T, *office) *notary{
		"the office": newWitness,
		"a notary":   func(t *testing.T, o *office) *notary { return newNotary(t, o, vc.RoleNotary) },
	} {
		for _, base := range []string{"http://localhost:8080", "https://registry.nepal.example"} {
			t.Run(what+" witnesses, "+base, func(t *testing.T) {
				s := officeAt(t, base).hosting()
				n := at(t, s.o)
				sizesOf(t, s, n, n.did == s.o.did)
			})
		}
	}
}

// What does not fit says what to do.
func TestConsentTooLarge(t *testing.T) {
	s := lite(t).hosting()
	s.o.alter = jointly(2)
	ctx := t.Context()
	a := s.accept(t, amina, zainab)
	s.accept(t, bilal, zainab)
	key, err := s.Key(ctx, carla)
	if err != nil {
		t.Fatal(err)
	}
	d := s.draft(t, amina, Draft{Child: a.Child, Mode: vc.ModeThirdParty, Accompanying: withKey("Rita Thapa", key)})
	j, err := s.JoinConsent(ctx, bilal, d.Invitation.Link)
	if err != nil {
		t.Fatal(err)
	}
	for g, id := range map[Guardian]string{amina: d.ID, bilal: j.ID} {
		if _, err := s.SignConsent(ctx, g, id, false); err != nil {
			t.Fatal(err)
		}
	}
	p, err := s.Present(ctx, amina, Request{Child: a.Child, Consent: d.ID})
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Draw()
	mustCode(t, err, "qr-too-large")
	if f := fault.As(err); f.Kind != fault.Unprocessable || !strings.Contains(f.Hint, "have the consent witnessed") {
		t.Errorf("%+v", f)
	}
	// More credentials than a code can have are refused the same way.
	h, err := s.holderFor(ctx, amina)
	if err != nil {
		t.Fatal(err)
	}
	c := s.kept(t, amina, d.ID)
	_, err = h.present(slices.Repeat([]string{c.Birth}, maxTogether+1), Request{}, &c, s.o.clock.now())
	mustCode(t, err, "qr-too-large")
	if f := fault.As(err); !strings.Contains(f.Hint, "have the consent witnessed") {
		t.Errorf("%+v", f)
	}
}

func sizesOf(t *testing.T, s scene, n *notary, bounded bool) {
	s.o.alter = jointly(2)
	ctx := t.Context()
	s.o.resign = func(config, jwt string) string {
		if !strings.HasSuffix(config, "Border") {
			return jwt
		}
		out, err := vc.SignJWS(s.o.key.Signer(s.o.kid()), vc.TypCredential, "vc", inOrder(t, jwt))
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	hers, his := s.accept(t, amina, zainab), s.accept(t, bilal, zainab)
	key, err := s.Key(ctx, carla)
	if err != nil {
		t.Fatal(err)
	}
	report := func(what string, bound int, p Presentation, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", what, err)
			return
		}
		size := packed(t, p.KP1)
		img, err := p.Draw()
		code := "too large for a screen"
		if err == nil {
			code = fmt.Sprintf("v%d-%s", img.Version, img.Level)
		}
		t.Logf("%-62s %4d B %5d characters  %s", what, size, len(p.KP1), code)
		if bound == 0 || !bounded {
			return
		}
		if size > bound || err != nil {
			t.Errorf("%s: %d bytes, at most %d; %v", what, size, bound, err)
		}
	}
	witnessed := func(g Guardian, id string) {
		t.Helper()
		d, err := s.ConsentDossier(ctx, g, id)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.KeepWitnessed(ctx, g, id, n.witness(d, nil)); err != nil {
			t.Fatal(err)
		}
	}
	given := func(g Guardian, id string, to Guardian) Child {
		t.Helper()
		link, err := s.ShareConsent(ctx, g, id, "")
		if err != nil {
			t.Fatal(err)
		}
		kid, err := s.Redeem(ctx, to, link.Link)
		if err != nil {
			t.Fatal(err)
		}
		return kid
	}
	sign := func(g Guardian, id string) {
		t.Helper()
		if _, err := s.SignConsent(ctx, g, id, false); err != nil {
			t.Fatal(err)
		}
	}
	show := func(g Guardian, child, consent string) (Presentation, error) {
		return s.Present(ctx, g, Request{Child: child, Consent: consent})
	}

	p, err := show(bilal, his.Child, "")
	report("birth, guardianship", 533, p, err)

	// One guardian travels, the other agrees: nobody has to be named.
	d := s.draft(t, bilal, Draft{Child: his.Child})
	sign(bilal, d.ID)
	p, err = show(bilal, his.Child, d.ID)
	report("birth, guardianship, its own self-signed consent", 0, p, err)
	witnessed(bilal, d.ID)
	p, err = show(bilal, his.Child, d.ID)
	report("birth, guardianship, one witnessed consent", 660, p, err)

	// She travels and is named by key; his consent is shared with her.
	hk, _ := s.Key(ctx, amina)
	d = s.draft(t, bilal, Draft{Child: his.Child, Accompanying: withKey("Amina Okonkwo", hk)})
	sign(bilal, d.ID)
	given(bilal, d.ID, amina)
	list, err := s.Consents(ctx, amina)
	if err != nil {
		t.Fatal(err)
	}
	p, err = show(amina, hers.Child, list[0].ID)
	report("birth, two guardianships, self-signed, companion by key", 0, p, err)
	witnessed(bilal, d.ID)
	given(bilal, d.ID, amina)
	p, err = show(amina, hers.Child, list[0].ID)
	report("birth, guardianship, witnessed, companion by key", 814, p, err)
	// Named as no machine reads it: his guardianship shows that they are two.
	if v, err := vc.SplitJWS(p.Presentation); err != nil {
		t.Error(err)
	} else if shown, err := vc.ParsePresentation(v.PayloadUnverified()); err != nil || len(shown.Credentials) != 4 {
		t.Errorf("%+v %v", shown, err)
	}

	// A third party goes, both agree.
	both := func(with json.RawMessage) string {
		d := s.draft(t, amina, Draft{Child: hers.Child, Mode: vc.ModeThirdParty, Accompanying: with})
		j, err := s.JoinConsent(ctx, bilal, d.Invitation.Link)
		if err != nil {
			t.Fatal(err)
		}
		sign(bilal, j.ID)
		sign(amina, d.ID)
		return d.ID
	}
	id := both(withKey("Rita Thapa", key))
	kid := given(amina, id, carla)
	p, err = show(carla, kid.ID, "")
	report("third party: birth, two guardianships, two consents", 0, p, err)
	witnessed(amina, id)
	given(amina, id, carla)
	p, err = show(carla, kid.ID, "")
	report("third party: birth, witnessed consent of two", 0, p, err)

	// Two guardianships and a witnessed consent, as many as the table has.
	c := s.kept(t, amina, id)
	h, err := s.holderFor(ctx, carla)
	if err != nil {
		t.Fatal(err)
	}
	d = s.draft(t, bilal, Draft{Child: his.Child})
	sign(bilal, d.ID)
	witnessed(bilal, d.ID)
	one := s.kept(t, bilal, d.ID)
	p, err = h.present([]string{c.Birth, c.Parties[0].Guardianship, c.Parties[1].Guardianship, one.Witnessed}, Request{}, &one, s.o.clock.now())
	report("birth, two guardianships, one witnessed consent", 814, p, err)
	p, err = show(amina, hers.Child, id)
	report("birth, guardianship, witnessed consent of two, companion by key", 814, p, err)

	// On paper, without a key.
	id = both(json.RawMessage(withRita))
	witnessed(amina, id)
	paper, err := s.ConsentPaper(ctx, amina, id)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range paper.Codes {
		t.Logf("%-62s %4d B %5d characters  v%d-%s", "paper: "+strings.Join(x.Holds, ", "), packed(t, x.KP1), len(x.KP1), x.image.Version, x.image.Level)
	}
	d = s.draft(t, bilal, Draft{Child: his.Child})
	sign(bilal, d.ID)
	witnessed(bilal, d.ID)
	if paper, err = s.ConsentPaper(ctx, bilal, d.ID); err != nil {
		t.Fatal(err)
	}
	onPaper(t, paper, []string{one.Birth, s.kept(t, bilal, d.ID).Witnessed}, 1)
	x := paper.Codes[0]
	t.Logf("%-62s %4d B %5d characters  v%d-%s", "paper: "+strings.Join(x.Holds, ", ")+" of one guardian", packed(t, x.KP1), len(x.KP1), x.image.Version, x.image.Level)
}
