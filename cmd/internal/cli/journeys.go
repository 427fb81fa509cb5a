package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/kinpass/kinpass/api"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/qr"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/issuer"
	"github.com/kinpass/kinpass/verifier/check"
	"github.com/kinpass/kinpass/wallet"
)

// adult is one person of the journeys: a wallet of their own and, once they took
// an offer, the wallet's id of the child.
type adult struct {
	*api.Client
	token string // id of the API token
	name  string
	last  string // the child's family name for a parent
	child string
}

// newAdult gives somebody a wallet.
func (p *player) newAdult(ctx context.Context, name string) (*adult, error) {
	secret, t, err := p.wallet.db.AddToken(ctx, name, wallet.RoleGuardian, time.Time{})
	if err != nil {
		return nil, err
	}
	return &adult{Client: &api.Client{Base: p.wallet.base, Token: secret}, token: t.ID, name: name, last: "Adjei"}, nil
}

// newOfficial gives somebody a seat at the issuer.
func (p *player) newOfficial(ctx context.Context, name, role string) (*api.Client, error) {
	secret, _, err := p.issuer.db.AddToken(ctx, name, role, time.Time{})
	if err != nil {
		return nil, err
	}
	return &api.Client{Base: p.issuer.base, Token: secret}, nil
}

// mandate is what a story says about one guardian of a child.
type mandate struct {
	who    *adult
	role   string
	change func(*vc.Guardianship) // nil leaves a joint mandate by birth
	judge  *api.Client            // who approves it where a court must; nil for the second registrar
}

// household registers a child of the country with these guardians, whose
// wallets take the credentials.
func (p *player) household(ctx context.Context, country string, guardians ...mandate) error {
	b, g := people(country, now().UTC())
	return p.raise(ctx, b, g, guardians)
}

// raise registers a child with these guardians, whose wallets take the
// credentials.
func (p *player) raise(ctx context.Context, b vc.Birth, g vc.Guardianship, guardians []mandate) error {
	birth, err := json.Marshal(b)
	if err != nil {
		return err
	}
	var born issuer.Outcome
	if err := p.registrar.Do(ctx, "POST", "/births", birth, &born); err != nil {
		return fmt.Errorf("registering a birth: %w", err)
	}
	for _, m := range guardians {
		x := g
		x.Role = m.role
		m.who.last = b.Names[0].Family[0]
		x.Guardian = vc.Guardian{Kind: "naturalPerson", Names: latin(m.who.name, m.who.last)}
		if m.change != nil {
			m.change(&x)
		}
		if err := p.mandate(ctx, &x, m); err != nil {
			return err
		}
	}
	return nil
}

// mandate registers one guardianship, has it approved where the rules ask for a
// second person, and lets the guardian's wallet take it.
func (p *player) mandate(ctx context.Context, g *vc.Guardianship, m mandate) error {
	body, err := json.Marshal(g)
	if err != nil {
		return err
	}
	var o issuer.Outcome
	if err := p.registrar.Do(ctx, "POST", "/guardianships", body, &o); err != nil {
		return fmt.Errorf("registering a guardianship: %w", err)
	}
	if o.Approval != "" {
		second := p.colleague
		if m.judge != nil {
			second = m.judge
		}
		if err := second.Do(ctx, "POST", "/approvals/"+o.Approval, map[string]string{"decision": "approve"}, nil); err != nil {
			return fmt.Errorf("approving a guardianship: %w", err)
		}
	}
	m.who.child, err = p.take(ctx, o.ID, m.who.Client)
	return err
}

// draft is a journey to agree to, with its usual dates.
func (p *player) draft(from *adult, mode, depart string, to ...string) draftRequest {
	today := vc.DateOf(now())
	return draftRequest{Child: from.child, Mode: mode, Trip: vc.Trip{DepartFrom: depart, Destinations: to, NotBefore: today.String(),
		NotAfter: today.AddDays(20).String(), ReturnBy: today.AddDays(20).String(), Crossings: 2, Purpose: "family"}}
}

// agree drafts a journey in the first guardian's wallet and has all of them sign
// it; it gives the first one's consent.
func (p *player) agree(ctx context.Context, d draftRequest, first *adult, others ...*adult) (string, error) {
	var c consentAnswer
	if err := first.Do(ctx, "POST", "/wallet/consents", d, &c); err != nil {
		return "", fmt.Errorf("drafting a consent: %w", err)
	}
	var joined []string
	for _, o := range others {
		var mine consentAnswer
		if c.Invitation == nil {
			return "", errors.New("the draft has no invitation")
		}
		if err := o.Do(ctx, "POST", "/wallet/consents/join", map[string]string{"link": c.Invitation.Link}, &mine); err != nil {
			return "", fmt.Errorf("joining a consent: %w", err)
		}
		joined = append(joined, mine.ID)
	}
	if err := first.Do(ctx, "POST", consentPath("/sign")(c.ID), nil, nil); err != nil {
		return "", fmt.Errorf("signing a consent: %w", err)
	}
	for i, o := range others {
		if err := o.Do(ctx, "POST", consentPath("/sign")(joined[i]), nil, nil); err != nil {
			return "", fmt.Errorf("signing a consent: %w", err)
		}
	}
	return c.ID, nil
}

// witness takes a guardian's consent to an office and back.
func (p *player) witness(ctx context.Context, office *api.Client, a *adult, consent string) error {
	var dossier map[string]json.RawMessage
	if err := a.Do(ctx, "GET", consentPath("/dossier")(consent), nil, &dossier); err != nil {
		return fmt.Errorf("making the dossier: %w", err)
	}
	var out struct {
		Credential string `json:"credential"`
	}
	if err := office.With("Idempotency-Key", store.Random(16)).Do(ctx, "POST", "/consents", dossier, &out); err != nil {
		return fmt.Errorf("witnessing a consent: %w", err)
	}
	if err := a.Do(ctx, "PUT", consentPath("/witnessed")(consent), out, nil); err != nil {
		return fmt.Errorf("keeping the witnessed consent: %w", err)
	}
	return nil
}

// share hands the papers to whoever travels with the child.
func (p *player) share(ctx context.Context, from *adult, consent string, to *adult) error {
	var l link
	if err := from.Do(ctx, "POST", consentPath("/share")(consent), nil, &l); err != nil {
		return fmt.Errorf("sharing a consent: %w", err)
	}
	if err := to.Do(ctx, "POST", "/wallet/shares", map[string]string{"link": l.Link}, nil); err != nil {
		return fmt.Errorf("taking what was shared: %w", err)
	}
	var err error
	to.child, err = newestChild(ctx, to.Client)
	return err
}

// key gives the did:key of a wallet.
func (a *adult) key(ctx context.Context) (string, error) {
	var k struct {
		DID string `json:"did"`
	}
	err := a.Do(ctx, "GET", "/wallet/key", nil, &k)
	return k.DID, err
}

// companion writes an adult as a consent names them.
func (a *adult) companion(ctx context.Context, relation string) (vc.Companion, error) {
	k, err := a.key(ctx)
	if err != nil {
		return vc.Companion{}, err
	}
	c, err := companion(a.name+" "+a.last, "")
	c.Key, c.Relation = k, relation
	return c, err
}

// shows has an adult present a child, with a consent or without.
func (a *adult) shows(ctx context.Context, consent string) (presented, error) {
	in := map[string]string{"child": a.child}
	if consent != "" {
		in["consent"] = consent
	}
	var out presented
	err := a.Do(ctx, "POST", "/wallet/presentations", in, &out)
	return out, err
}

// counter decides about a journey with what the officer knows, and gives what
// the post remembers then.
func (p *player) counter(name, title string, s step, f encounter) (check.History, error) {
	s.Step = name
	s.File = fmt.Sprintf("%02d-%s.json", len(p.steps)+1, name)
	s.At = s.At.UTC().Truncate(time.Second)
	s.Bundle = s.bundle.file()
	s.kp1, s.medium = f.Presentation, qr.Screen
	var err error
	if s.request, err = json.MarshalIndent(f, "", "  "); err != nil {
		return check.History{}, err
	}
	var facts check.Facts
	f.add(&facts)
	d, h, err := check.Check(f.Presentation, s.bundle.Bundle, facts, f.History, s.At)
	if err != nil {
		return check.History{}, err
	}
	s.Colour, s.Codes = d.Colour, d.Codes()
	p.steps = append(p.steps, s)
	if title != "" {
		p.report(title, s, d)
	}
	key := s.Step
	if strings.HasPrefix(key, "class-") {
		key = "class"
	}
	return h, p.happened(key, s, d)
}

// consents tells the journeys: who may take which child across which border.
func (p *player) consents(ctx context.Context) error {
	fmt.Fprintln(p.w)
	p.line("Journeys: who may take which child across which border.\n")
	for _, chapter := range []func(context.Context) error{p.oneParent, p.aunt, p.orders, p.withdrawn, p.class} {
		if err := chapter(ctx); err != nil {
			return err
		}
	}
	return nil
}

// oneParent: a mother travels with the child, and the father has agreed before a
// notary, or not.
func (p *player) oneParent(ctx context.Context) error {
	mother, father, err := p.parents(ctx, "BRA")
	if err != nil {
		return err
	}
	if err := p.fetchBundle(ctx); err != nil {
		return err
	}
	alone, err := mother.shows(ctx, "")
	if err != nil {
		return fmt.Errorf("presenting: %w", err)
	}
	leaving := encounter{Presentation: alone.KP1, Exit: "BRA", Entry: "ARG", ChildNationality: "BRA", Residence: "BRA"}
	if _, err := p.counter("no-consent-brazil", "A mother leaves Brazil with the child; the father's consent is missing.",
		step{Expected: check.Red, code: check.CodeConsentMissingCo, At: at(), bundle: p.bundle}, leaving); err != nil {
		return err
	}
	if _, err := p.counter("no-consent-elsewhere", "The same at a border whose country has no rule of its own.",
		step{Expected: check.Amber, code: check.CodeConsentMissingCo, At: at(), bundle: p.bundle},
		encounter{Presentation: alone.KP1, Exit: "GHA", Entry: "TGO"}); err != nil {
		return err
	}
	_, mine, err := p.notarised(ctx, father, mother, "BRA", "ARG")
	if err != nil {
		return err
	}
	if err := p.fetchBundle(ctx); err != nil {
		return err
	}
	with, err := mother.shows(ctx, mine)
	if err != nil {
		return fmt.Errorf("presenting with the consent: %w", err)
	}
	leaving.Presentation = with.KP1
	if _, err := p.counter("notarised-consent", "The same mother with the father's consent, signed before a notary.",
		step{Expected: check.Green, code: check.CodeOK, At: at(), bundle: p.bundle}, leaving); err != nil {
		return err
	}
	return p.third(ctx, mother, mine, leaving)
}

// hand shares a signed consent with the other guardian, who travels, and gives
// that guardian's id of it.
func (p *player) hand(ctx context.Context, from *adult, consent string, to *adult) (string, error) {
	child := to.child
	if err := p.share(ctx, from, consent, to); err != nil {
		return "", err
	}
	to.child = child
	var all struct {
		Consents []consentAnswer `json:"consents"`
	}
	if err := to.Do(ctx, "GET", "/wallet/consents", nil, &all); err != nil {
		return "", err
	}
	if len(all.Consents) == 0 {
		return "", errors.New("the wallet holds no consent")
	}
	return all.Consents[len(all.Consents)-1].ID, nil
}

// letGo drafts a father's consent that the mother travels with the child.
func (p *player) letGo(ctx context.Context, father, mother *adult, depart, to string) (string, error) {
	d := p.draft(father, vc.ModeOneGuardian, depart, to)
	named, err := mother.companion(ctx, "mother")
	if err != nil {
		return "", err
	}
	d.Accompanying = []vc.Companion{named}
	return p.agree(ctx, d, father)
}

// notarised has a father let the child travel with the mother, before a notary,
// and gives the father's and the mother's id of the consent.
func (p *player) notarised(ctx context.Context, father, mother *adult, depart, to string) (his, hers string, err error) {
	notary, err := p.newOfficial(ctx, "notary", issuer.RoleNotary)
	if err != nil {
		return "", "", err
	}
	if his, err = p.letGo(ctx, father, mother, depart, to); err != nil {
		return "", "", err
	}
	if err := p.witness(ctx, notary, father, his); err != nil {
		return "", "", err
	}
	hers, err = p.hand(ctx, father, his, mother)
	p.happens("notarised")
	return his, hers, err
}

// third crosses with one consent for two crossings three times.
func (p *player) third(ctx context.Context, mother *adult, consent string, f encounter) error {
	for n, expected := range []step{{Expected: check.Green, code: check.CodeOK}, {Expected: check.Green, code: check.CodeOK},
		{Expected: check.Amber, code: check.CodeConsentReused}} {
		shown, err := mother.shows(ctx, consent)
		if err != nil {
			return err
		}
		f.Presentation, f.Session = shown.KP1, "crossing-"+string(rune('1'+n))
		expected.At, expected.bundle = at(), p.bundle
		title := ""
		if n == 2 {
			title = "A consent for two crossings is used for the third time."
		}
		h, err := p.counter(fmt.Sprintf("crossing-%d", n+1), title, expected, f)
		if err != nil {
			return err
		}
		f.History = h
	}
	return nil
}

// parents registers a child with two parents who decide together.
func (p *player) parents(ctx context.Context, country string) (mother, father *adult, err error) {
	if mother, err = p.newAdult(ctx, "Ana"); err != nil {
		return nil, nil, err
	}
	if father, err = p.newAdult(ctx, "Bruno"); err != nil {
		return nil, nil, err
	}
	err = p.household(ctx, country, mandate{who: mother, role: "mother"}, mandate{who: father, role: "father"})
	p.happens("family")
	return mother, father, err
}

// aunt: both parents let an aunt take the child, and the papers name her, or
// somebody else.
func (p *player) aunt(ctx context.Context) error {
	mother, father, err := p.parents(ctx, "GHA")
	if err != nil {
		return err
	}
	aunt, err := p.newAdult(ctx, "Comfort")
	if err != nil {
		return err
	}
	witness, err := p.newOfficial(ctx, "notary of the family", issuer.RoleNotary)
	if err != nil {
		return err
	}
	d := p.draft(mother, vc.ModeThirdParty, "GHA", "TGO")
	named, err := aunt.companion(ctx, "relative")
	if err != nil {
		return err
	}
	d.Accompanying = []vc.Companion{named}
	consent, err := p.agree(ctx, d, mother, father)
	if err != nil {
		return err
	}
	if err := p.witness(ctx, witness, mother, consent); err != nil {
		return err
	}
	if err := p.share(ctx, mother, consent, aunt); err != nil {
		return err
	}
	p.happens("agreed")
	if err := p.fetchBundle(ctx); err != nil {
		return err
	}
	shown, err := aunt.shows(ctx, "")
	if err != nil {
		return fmt.Errorf("the aunt presents: %w", err)
	}
	if _, err := p.counter("aunt-named", "An aunt travels with the child; both parents' consent names her.",
		step{Expected: check.Green, code: check.CodeOK, At: at(), bundle: p.bundle},
		encounter{Presentation: shown.KP1, Exit: "GHA", Entry: "TGO"}); err != nil {
		return err
	}
	// The uncle signs the same papers with his own key.
	_, jwts, err := credentialsOf(shown.Presentation)
	if err != nil {
		return err
	}
	stolen, err := signedBy(at(), jwts)
	if err != nil {
		return err
	}
	_, err = p.counter("aunt-not-named", "An uncle shows the same papers; the consent does not name him.",
		step{Expected: check.Red, code: check.CodeConsentScope, At: at(), bundle: p.bundle},
		encounter{Presentation: stolen, Exit: "GHA", Entry: "TGO"})
	return err
}

// orders: mandates by a court that bind whoever travels.
func (p *player) orders(ctx context.Context) error {
	court, err := p.newOfficial(ctx, "family court", issuer.RoleCourt)
	if err != nil {
		return err
	}
	decided := vc.DateOf(now()).AddDays(-120).String()
	ordered := func(g *vc.Guardianship) {
		g.LegalBasis = vc.LegalBasis{Type: "courtOrder", Law: "GHA", Authority: "https://court.example", Reference: "FC-" + store.Random(4), DecidedOn: decided, Finality: "final"}
		g.Exercise = vc.Exercise{Mode: "sole"}
		g.Effective.From = decided
	}
	for _, s := range []struct {
		name, title string
		colour      check.Colour
		code        string
		change      func(*vc.Guardianship)
	}{
		{"no-removal", "A father with a court's order that forbids taking the child abroad.", check.Red, check.CodeExitProhibited,
			func(g *vc.Guardianship) { ordered(g); g.Constraints = &vc.Constraints{NoRemoval: true} }},
		{"provisional", "A guardian whose mandate is provisional.", check.Amber, check.CodeBasisProvisional,
			func(g *vc.Guardianship) { ordered(g); g.LegalBasis.Finality = "provisional" }},
	} {
		who, err := p.newAdult(ctx, "Ekow")
		if err != nil {
			return err
		}
		if err := p.household(ctx, "GHA", mandate{who: who, role: "father", change: s.change, judge: court}); err != nil {
			return err
		}
		p.happens("family")
		if err := p.fetchBundle(ctx); err != nil {
			return err
		}
		shown, err := who.shows(ctx, "")
		if err != nil {
			return err
		}
		if _, err := p.counter(s.name, s.title, step{Expected: s.colour, code: s.code, At: at(), bundle: p.bundle},
			encounter{Presentation: shown.KP1, Exit: "GHA", Entry: "TGO"}); err != nil {
			return err
		}
	}
	return nil
}

// withdrawn: a consent that the father took back an hour before.
func (p *player) withdrawn(ctx context.Context) error {
	mother, father, err := p.parents(ctx, "GHA")
	if err != nil {
		return err
	}
	consent, mine, err := p.notarised(ctx, father, mother, "GHA", "TGO")
	if err != nil {
		return err
	}
	if _, err := mother.shows(ctx, mine); err != nil {
		return err
	}
	if err := father.Do(ctx, "POST", consentPath("/withdraw")(consent), nil, nil); err != nil {
		return fmt.Errorf("withdrawing a consent: %w", err)
	}
	p.happens("withdrawal")
	if err := p.fetchBundle(ctx); err != nil {
		return err
	}
	later := at().Add(time.Hour)
	shown, err := p.presentAt(ctx, mother, mine, later)
	if err != nil {
		return err
	}
	_, err = p.counter("withdrawn", "The father withdrew his consent an hour ago. Nobody was told; the post has its update.",
		step{Expected: check.Red, code: check.CodeConsentWithdrawn, At: later, bundle: p.bundle},
		encounter{Presentation: shown.KP1, Exit: "GHA", Entry: "TGO"})
	return err
}

// presentAt has a wallet sign at a later time.
func (p *player) presentAt(ctx context.Context, a *adult, consent string, t time.Time) (wallet.Presentation, error) {
	ring, err := p.home.ensureRing(walletRole, keys.EdDSA)
	if err != nil {
		return wallet.Presentation{}, err
	}
	source := &trustSource{home: p.home, clock: now}
	then, err := wallet.New(wallet.Config{DB: p.wallet.db, Ring: ring, Base: p.wallet.base, Log: p.log, TrustList: source.List,
		AllowLoopback: true, Now: func() time.Time { return t }})
	if err != nil {
		return wallet.Presentation{}, err
	}
	return then.Present(ctx, wallet.Guardian{ID: a.token}, wallet.Request{Child: a.child, Consent: consent})
}

// pupils is the size of the class.
const pupils = 12

// class: a teacher travels with twelve children, each with a consent of their
// own, in one session at the counter.
func (p *player) class(ctx context.Context) error {
	teacher, err := p.newAdult(ctx, "Efua")
	if err != nil {
		return err
	}
	notary, err := p.newOfficial(ctx, "notary of the school", issuer.RoleNotary)
	if err != nil {
		return err
	}
	for range pupils {
		parent, err := p.newAdult(ctx, "Grace")
		if err != nil {
			return err
		}
		if err := p.pupil(ctx, parent, teacher, notary); err != nil {
			return err
		}
	}
	p.happens("pupils")
	if err := p.fetchBundle(ctx); err != nil {
		return err
	}
	var all struct {
		Children []wallet.Child `json:"children"`
	}
	if err := teacher.Do(ctx, "GET", "/wallet/children", nil, &all); err != nil {
		return err
	}
	if len(all.Children) != pupils {
		return fmt.Errorf("the teacher's wallet holds %d children", len(all.Children))
	}
	var h check.History
	for i, c := range all.Children {
		teacher.child = c.ID
		shown, err := teacher.shows(ctx, "")
		if err != nil {
			return err
		}
		title := ""
		if i == pupils-1 {
			title = fmt.Sprintf("A teacher with a class of %d; each child has a consent, all in one session.", pupils)
		}
		if h, err = p.counter(fmt.Sprintf("class-%02d", i+1), title, step{Expected: check.Green, code: check.CodeOK, At: at(), bundle: p.bundle},
			encounter{Presentation: shown.KP1, Exit: "GHA", Entry: "TGO", Session: "class", History: h}); err != nil {
			return err
		}
	}
	return nil
}

// pupil registers a child whose mother lets a teacher take it along with the
// class, before a notary.
func (p *player) pupil(ctx context.Context, parent, teacher *adult, notary *api.Client) error {
	alone := func(g *vc.Guardianship) { g.Exercise = vc.Exercise{Mode: "sole"} }
	if err := p.household(ctx, "GHA", mandate{who: parent, role: "mother", change: alone}); err != nil {
		return err
	}
	named, err := teacher.companion(ctx, "teacher")
	if err != nil {
		return err
	}
	d := p.draft(parent, vc.ModeGroup, "GHA", "TGO")
	d.Accompanying = []vc.Companion{named}
	consent, err := p.agree(ctx, d, parent)
	if err != nil {
		return err
	}
	if err := p.witness(ctx, notary, parent, consent); err != nil {
		return err
	}
	return p.share(ctx, parent, consent, teacher)
}

// people makes a child of the country and a joint mandate for one of two
// parents; every number is random, so that each run registers somebody new.
func people(country string, t time.Time) (vc.Birth, vc.Guardianship) {
	ref := store.Random(16)
	born := vc.DateOf(t.AddDate(-8, 0, -int(mustInt(1000))))
	last := "Q" + strings.Map(letter, store.Random(6))
	b := vc.Birth{ChildRef: ref, RecordVersion: 1, Circumstance: "ordinary", Names: latin("Junior", last),
		BirthDate: vc.UncertainDate{Value: born.String(), Precision: "day", Basis: "medicalRecord"}, Sex: 1,
		PlaceOfBirth: vc.Place{Status: "known", Country: country},
		Parentage: []vc.Parent{{Role: "mother", Status: "known", Names: latin("Ana", last)},
			{Role: "father", Status: "known", Names: latin("Bruno", last)}},
		Registration: vc.Registration{Number: "DEMO-" + strings.ToUpper(store.Random(6)), Authority: "https://registry.example",
			Date: born.AddDays(14).String(), Mode: "timely", Informant: "mother"},
	}
	g := vc.Guardianship{Ward: vc.Ward{ChildRef: ref},
		LegalBasis:  vc.LegalBasis{Type: "parentalResponsibilityByBirth", Law: country},
		Powers:      []string{"travelAccompany", "travelConsent", "passportApply", "healthRoutine", "education", "residence"},
		Exercise:    vc.Exercise{Mode: "joint", Quorum: 2, CoGuardianCount: 2},
		Effective:   vc.Effective{From: born.String()},
		Termination: vc.Termination{MajorityAge: 18, MajorityLaw: country},
	}
	return b, g
}

// letter keeps the letters of a random text, as capitals.
func letter(r rune) rune {
	switch {
	case r >= 'a' && r <= 'z':
		return r - 'a' + 'A'
	case r >= 'A' && r <= 'Z':
		return r
	}
	return 'A' + r%26
}

// latin writes a name with its machine-readable form.
func latin(given, family string) []vc.Name {
	return []vc.Name{{Kind: "legal", Script: "Latn", Given: []string{given}, Family: []string{family},
		MRZ: &vc.MRZ{Primary: strings.ToUpper(family), Secondary: strings.ToUpper(given), Source: "issuerTransliterated"}}}
}
