package cli

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/kinpass/kinpass/api"
	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/qr"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/issuer"
	"github.com/kinpass/kinpass/verifier/check"
	"github.com/kinpass/kinpass/wallet"
	start "github.com/kinpass/kinpass/web/demo"
)

// step is one decision of the story, as --json and story.json give it. Colour
// and Codes are what was decided; Expected is the colour that had to come.
type step struct {
	Step     string       `json:"step"`
	Expected check.Colour `json:"expected"`
	Colour   check.Colour `json:"colour"`
	Codes    []string     `json:"codes"`
	At       time.Time    `json:"at"`
	File     string       `json:"file"`
	Bundle   string       `json:"bundle"`

	code    string // that has to be among the codes
	kp1     string
	request []byte // the whole encounter, where the officer knows more than the code says
	bundle  *borderBundle
	medium  qr.Medium
}

func (s step) asExpected() bool {
	return s.Colour == s.Expected && slices.Contains(s.Codes, s.code)
}

// borderBundle is a bundle with its signed bytes.
type borderBundle struct {
	*check.Bundle
	data []byte
}

func (b *borderBundle) file() string { return "bundle-" + b.ID + ".kpb" }

// play tells the story and gives its decisions. Everything goes over HTTP to
// the running services; the officer's decisions are made offline from the
// bundle, and the first one also by the verifier's service.
func (d *demo) play(ctx context.Context, w io.Writer) ([]step, error) {
	p := d.player(w)
	for _, chapter := range []func(context.Context) error{
		p.register, p.accept, p.logged, p.show, p.forge, p.steal, p.pretend, p.repeat, p.age, p.paper, p.revoke, p.consents,
	} {
		if err := chapter(ctx); err != nil {
			return nil, err
		}
	}
	return p.steps, nil
}

// player speaks to the running services as the people of the story.
func (d *demo) player(w io.Writer) *player {
	return &player{demo: d, w: w, parent: d.tokens.Guardian,
		registrar: &api.Client{Base: d.issuer.base, Token: d.tokens.Registrar},
		colleague: &api.Client{Base: d.issuer.base, Token: d.tokens.Colleague},
		guardian:  &api.Client{Base: d.wallet.base, Token: d.tokens.Guardian},
		officer:   &api.Client{Base: d.verifier.base, Token: d.tokens.Officer},
	}
}

type player struct {
	*demo
	w                                       io.Writer
	tell                                    func(start.Scene) // hears what w is told; nil if nobody listens
	registrar, colleague, guardian, officer *api.Client
	parent                                  string // secret of the guardian's token
	steps                                   []step

	birth, guardianship string // record ids
	credential          string // id of one guardianship credential
	child               string // the wallet's id of the child
	bundle              *borderBundle
	shown               presented // what the guardian showed first
	shownAt             time.Time
}

// presented is the wallet's answer to a request for a presentation.
type presented struct {
	KP1          string `json:"kp1"`
	Presentation string `json:"presentation"`
}

// happens lets those who listen know what the lines for the terminal say.
func (p *player) happens(key string) {
	if p.tell != nil {
		p.tell(start.Scene{Key: key})
	}
}

func (p *player) line(format string, args ...any) { fmt.Fprintf(p.w, "  "+format+"\n", args...) }

// register records a family that no earlier run has registered.
func (p *player) register(ctx context.Context) error {
	birth, guardianship, err := family(now().UTC())
	if err != nil {
		return err
	}
	var b, g issuer.Outcome
	if err := p.registrar.Do(ctx, "POST", "/births", birth, &b); err != nil {
		return fmt.Errorf("registering the birth: %w", err)
	}
	if err := p.registrar.Do(ctx, "POST", "/guardianships", guardianship, &g); err != nil {
		return fmt.Errorf("registering the guardianship: %w", err)
	}
	if b.State != issuer.StateIssued || g.State != issuer.StateIssued || len(g.Credentials) == 0 {
		return fmt.Errorf("the family was not issued: birth %s, guardianship %s", b.State, g.State)
	}
	p.birth, p.guardianship, p.credential = b.ID, g.ID, g.Credentials[0].ID
	p.line("A registrar registers a birth and a guardianship; both are signed.")
	p.happens("registered")
	return nil
}

// accept lets the guardian's wallet take the credentials.
func (p *player) accept(ctx context.Context) error {
	child, err := p.take(ctx, p.guardianship, p.guardian)
	if err != nil {
		return err
	}
	p.child = child
	p.line("The guardian's wallet takes them over OpenID4VCI and keeps them encrypted.")
	p.happens("accepted")
	return p.fetchBundle(ctx)
}

// logged waits until the guardian's wallet has the proofs that the papers are in
// the registrar's public ledger, as witnesses saw it, and tells of it.
func (p *player) logged(ctx context.Context) error {
	list, err := p.home.openTrust()
	if err != nil {
		return err
	}
	policy, err := list.LedgerPolicy(p.issuer.issuer.DID())
	if err != nil {
		return err
	}
	var got struct {
		Proofs []wallet.Proof `json:"proofs"`
	}
	until := time.Now().Add(time.Minute)
	for err = errors.New("not asked"); err != nil; {
		if err = p.guardian.Do(ctx, "GET", "/wallet/children/"+url.PathEscape(p.child)+"/proofs", nil, &got); err == nil {
			break
		}
		if time.Now().After(until) {
			return fmt.Errorf("proofs of the ledger: %w", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	at, in, err := policy.Verify(got.Proofs[0].Entry, []byte(got.Proofs[0].Proof))
	if err != nil {
		return fmt.Errorf("the proof of the ledger: %w", err)
	}
	p.line("They are in the registrar's public ledger, without a name: entry %d of %d, seen by %d independent witnesses.", at+1, in.Size, len(in.Seen))
	return nil
}

// take offers the credentials of a guardianship and has a wallet accept them,
// with the PIN that came by another way. It gives the wallet's id of the child.
func (p *player) take(ctx context.Context, guardianship string, guardian *api.Client) (string, error) {
	var offer struct {
		URI string `json:"uri"`
		PIN string `json:"pin"`
	}
	if err := p.registrar.Do(ctx, "POST", "/offers", map[string]string{"guardianship": guardianship}, &offer); err != nil {
		return "", fmt.Errorf("making the offer: %w", err)
	}
	if err := guardian.Do(ctx, "POST", "/wallet/offers", map[string]string{"offer": offer.URI, "pin": offer.PIN}, nil); err != nil {
		return "", fmt.Errorf("accepting the offer: %w", err)
	}
	return newestChild(ctx, guardian)
}

// newestChild gives the wallet's id of the child that came last.
func newestChild(ctx context.Context, guardian *api.Client) (string, error) {
	var all struct {
		Children []wallet.Child `json:"children"`
	}
	if err := guardian.Do(ctx, "GET", "/wallet/children", nil, &all); err != nil {
		return "", err
	}
	if len(all.Children) == 0 {
		return "", errors.New("the wallet holds no child")
	}
	return all.Children[len(all.Children)-1].ID, nil
}

// fetchBundle has the verifier make a border bundle and opens it as a post
// would.
func (p *player) fetchBundle(ctx context.Context) error {
	if err := p.officer.Do(ctx, "POST", "/verifier/bundles", nil, nil); err != nil {
		return fmt.Errorf("building the border bundle: %w", err)
	}
	var data []byte
	if err := p.officer.Do(ctx, "GET", "/bundle", nil, &data); err != nil {
		return fmt.Errorf("fetching the border bundle: %w", err)
	}
	anchors, err := p.home.anchors("")
	if err != nil {
		return err
	}
	b, err := check.Open(data, anchors)
	if err != nil {
		return err
	}
	p.bundle = &borderBundle{b, data}
	p.line("The border post fetches bundle %s and goes offline.\n", b.ID)
	p.happens("bundle")
	return nil
}

func (p *player) present(ctx context.Context) (presented, error) {
	var out presented
	err := p.guardian.Do(ctx, "POST", "/wallet/presentations", map[string]string{"child": p.child}, &out)
	return out, err
}

// decide makes one decision of the story.
func (p *player) decide(name, title string, s step) error {
	s.Step = name
	s.File = fmt.Sprintf("%02d-%s.kp1", len(p.steps)+1, name)
	s.At = s.At.UTC().Truncate(time.Second)
	s.Bundle = s.bundle.file()
	d, _, err := check.Check(s.kp1, s.bundle.Bundle, check.Facts{}, check.History{}, s.At)
	if err != nil {
		return err
	}
	s.Colour, s.Codes = d.Colour, d.Codes()
	p.steps = append(p.steps, s)
	p.report(title, s, d)
	return p.happened(s.Step, s, d)
}

// happened lets those who listen see a decision with its code.
func (p *player) happened(key string, s step, d check.Decision) error {
	if p.tell == nil {
		return nil
	}
	img, err := qr.Draw(s.kp1, s.medium)
	if err != nil {
		return err
	}
	p.tell(start.Scene{Key: key, Decision: &d, Expected: s.asExpected(), Code: s.kp1, Image: img, At: s.At})
	return nil
}

// report prints one decision of the story.
func (p *player) report(title string, s step, d check.Decision) {
	mark := "as expected"
	if !s.asExpected() {
		mark = "NOT AS EXPECTED: should be " + s.Expected.String() + " " + s.code
	}
	fmt.Fprintf(p.w, "%2d %-5s %s\n          %s (%s)\n          → %s\n", len(p.steps), strings.ToUpper(s.Colour.String()), title, strings.Join(s.Codes, " "), mark, d.Next)
}

// at gives a time at which a presentation signed now is valid: clocks of whole
// seconds must not make it appear to be from the future.
func at() time.Time { return now().UTC().Truncate(time.Second) }

func (p *player) show(ctx context.Context) error {
	var err error
	if p.shown, err = p.present(ctx); err != nil {
		return fmt.Errorf("presenting: %w", err)
	}
	p.shownAt = at()
	if err := p.decide("guardian", "The guardian shows the QR code.",
		step{Expected: check.Green, code: "OK", At: p.shownAt, kp1: p.shown.KP1, bundle: p.bundle, medium: qr.Screen}); err != nil {
		return err
	}
	var online check.Decision
	if err := p.officer.Do(ctx, "POST", "/checks", map[string]string{"presentation": p.shown.KP1}, &online); err != nil {
		return fmt.Errorf("checking by the service: %w", err)
	}
	if online.Colour != check.Green {
		return fmt.Errorf("the verifier's service decided %s (%s)", online.Colour, strings.Join(online.Codes(), " "))
	}
	return nil
}

// forge changes one character of a signature inside the code.
func (p *player) forge(context.Context) error {
	text, err := changeSignature(p.shown.Presentation)
	if err != nil {
		return err
	}
	return p.decide("changed-character", "One character of the QR code is changed.",
		step{Expected: check.Red, code: check.CodeSigInvalid, At: p.shownAt, kp1: text, bundle: p.bundle, medium: qr.Screen})
}

// changeSignature flips one bit in the signature of the first credential
// inside a presentation and packs it again.
func changeSignature(presentation string) (string, error) {
	parts := strings.Split(presentation, ".")
	if len(parts) != 3 {
		return "", vc.ErrMalformed
	}
	sig, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || len(sig) == 0 {
		return "", vc.ErrMalformed
	}
	sig[len(sig)/2] ^= 1
	parts[2] = base64.RawURLEncoding.EncodeToString(sig)
	return qr.Pack(qr.Packet{Presentation: strings.Join(parts, ".")})
}

// steal is another adult, with software of their own, who got copies of the
// credentials.
func (p *player) steal(context.Context) error {
	_, jwts, err := credentialsOf(p.shown.Presentation)
	if err != nil {
		return err
	}
	birth, err := signedBy(p.shownAt, jwts[:1])
	if err != nil {
		return err
	}
	if err := p.decide("another-adult", "Another adult shows the same child's birth credential.",
		step{Expected: check.Red, code: check.CodeNoAuthority, At: p.shownAt, kp1: birth, bundle: p.bundle, medium: qr.Screen}); err != nil {
		return err
	}
	both, err := signedBy(p.shownAt, jwts)
	if err != nil {
		return err
	}
	return p.decide("stolen-mandate", "Another adult shows the guardian's credentials under a key of their own.",
		step{Expected: check.Red, code: check.CodeGuardianMismatch, At: p.shownAt, kp1: both, bundle: p.bundle, medium: qr.Screen})
}

// credentialsOf takes the credentials out of a presentation, birth first.
func credentialsOf(presentation string) (*vc.Presentation, []string, error) {
	j, err := vc.SplitJWS(presentation)
	if err != nil {
		return nil, nil, err
	}
	v, err := vc.ParsePresentation(j.PayloadUnverified())
	if err != nil {
		return nil, nil, err
	}
	var births, others []string
	for _, e := range v.Credentials {
		jwt, ok := e.JWT()
		if !ok {
			return nil, nil, vc.ErrCredential
		}
		c, err := vc.SplitJWS(jwt)
		if err != nil {
			return nil, nil, err
		}
		if strings.Contains(string(c.PayloadUnverified()), `"`+vc.TypeBirth+`"`) {
			births = append(births, jwt)
		} else {
			others = append(others, jwt)
		}
	}
	if len(births) == 0 {
		return nil, nil, vc.ErrCredential
	}
	return v, append(births, others...), nil
}

// signedBy presents credentials under a fresh key.
func signedBy(t time.Time, jwts []string) (string, error) {
	k, err := keys.New("stranger", "", keys.EdDSA, t, time.Time{})
	if err != nil {
		return "", err
	}
	id, err := did.EncodeKey(k.Public())
	if err != nil {
		return "", err
	}
	return presentAs(k.Signer(did.KeyID(id)), id, jwts, t)
}

func presentAs(s keys.Signer, holder string, jwts []string, t time.Time) (string, error) {
	v := vc.Presentation{Context: []string{vc.ContextV2}, Type: []string{vc.TypePresentation}, Holder: holder,
		Audience: vc.BorderAudience, Nonce: store.Random(16), IssuedAt: t.Unix(), Expires: t.Add(5 * time.Minute).Unix()}
	for _, j := range jwts {
		v.Credentials = append(v.Credentials, vc.Envelop(j))
	}
	payload, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	signed, err := vc.SignJWS(s, vc.TypPresentation, "vp", payload)
	if err != nil {
		return "", err
	}
	return qr.Pack(qr.Packet{Presentation: signed})
}

// pretend is an office that signs well-formed credentials and is on no trust
// list.
func (p *player) pretend(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "kinpass-stranger-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	other := &home{dir: dir}
	i, closeDB, err := other.newIssuer(ctx, issuerOptions{public: "https://office.invalid", alg: keys.EdDSA, log: p.log})
	if err != nil {
		return err
	}
	defer closeDB()
	birth, guardianship, err := family(now().UTC())
	if err != nil {
		return err
	}
	desk := issuer.Caller{ID: "desk", Name: "desk", Role: issuer.RoleRegistrar}
	if _, err := i.RegisterBirth(ctx, desk, birth, ""); err != nil {
		return err
	}
	g, err := i.RegisterGuardianship(ctx, desk, guardianship, "")
	if err != nil {
		return err
	}
	k, err := keys.New("holder", "", keys.EdDSA, now(), time.Time{})
	if err != nil {
		return err
	}
	holder, err := did.EncodeKey(k.Public())
	if err != nil {
		return err
	}
	copies, err := i.IssueCopies(ctx, g.ID, holder)
	if err != nil {
		return err
	}
	var jwts []string
	for _, c := range copies {
		if c.Profile == issuer.ProfileBorder {
			jwts = append(jwts, c.JWT)
		}
	}
	t := at()
	text, err := presentAs(k.Signer(did.KeyID(holder)), holder, jwts, t)
	if err != nil {
		return err
	}
	return p.decide("untrusted-issuer", "Credentials of an office that is on no trust list.",
		step{Expected: check.Red, code: check.CodeIssuerUntrusted, At: t, kp1: text, bundle: p.bundle, medium: qr.Screen})
}

func (p *player) repeat(context.Context) error {
	return p.decide("six-minutes-later", "The first QR code is shown again six minutes later.",
		step{Expected: check.Red, code: check.CodeHolderBindingFailed, At: p.shownAt.Add(6 * time.Minute), kp1: p.shown.KP1, bundle: p.bundle, medium: qr.Screen})
}

// age looks two days ahead: the guardian's wallet signs afresh, the post has
// had no network since.
func (p *player) age(ctx context.Context) error {
	later := at().Add(48 * time.Hour)
	ring, err := p.home.ensureRing(walletRole, keys.EdDSA)
	if err != nil {
		return err
	}
	source := &trustSource{home: p.home, clock: now}
	then, err := wallet.New(wallet.Config{DB: p.wallet.db, Ring: ring, Base: p.wallet.base, Log: p.log, TrustList: source.List,
		AllowLoopback: true, Now: func() time.Time { return later }})
	if err != nil {
		return err
	}
	tok, err := p.wallet.db.TokenBySecret(ctx, p.parent, now())
	if err != nil {
		return err
	}
	out, err := then.Present(ctx, wallet.Guardian{ID: tok.ID}, wallet.Request{Child: p.child})
	if err != nil {
		return err
	}
	return p.decide("old-bundle", "Two days later, with the same bundle.",
		step{Expected: check.Amber, code: check.CodeStatusStale, At: later, kp1: out.KP1, bundle: p.bundle, medium: qr.Screen})
}

func (p *player) paper(ctx context.Context) error {
	var pass struct {
		KP1 string `json:"kp1"`
	}
	path := "/births/" + url.PathEscape(p.birth) + "/paper?guardianship=" + url.QueryEscape(p.guardianship)
	if err := p.registrar.Do(ctx, "GET", path, nil, &pass); err != nil {
		return fmt.Errorf("printing the paper pass: %w", err)
	}
	t := at()
	if err := p.decide("paper-pass", "The paper pass, before the officer has compared the portrait.",
		step{Expected: check.Amber, code: check.CodePaperBearer, At: t, kp1: pass.KP1, bundle: p.bundle, medium: qr.Paper}); err != nil {
		return err
	}
	d, _, err := check.Check(pass.KP1, p.bundle.Bundle, check.Facts{Confirm: []string{check.Portrait}}, check.History{}, t)
	if err != nil {
		return err
	}
	if d.Colour != check.Green {
		return fmt.Errorf("the paper pass with a confirmed portrait is %s (%s)", d.Colour, strings.Join(d.Codes(), " "))
	}
	p.line("        The officer confirms the portrait: %s", strings.ToUpper(d.Colour.String()))
	return p.happened("paper-confirmed", step{Expected: check.Green, Colour: d.Colour, Codes: d.Codes(), code: check.CodeOK, At: t, kp1: pass.KP1, medium: qr.Paper}, d)
}

// revoke ends the guardianship; it takes two registrars.
func (p *player) revoke(ctx context.Context) error {
	var o issuer.Outcome
	if err := p.registrar.Do(ctx, "POST", "/credentials/"+p.credential+"/revoke", map[string]string{"reason": "mandateEnded"}, &o); err != nil {
		return fmt.Errorf("proposing the revocation: %w", err)
	}
	if err := p.colleague.Do(ctx, "POST", "/approvals/"+o.Approval, map[string]string{"decision": "approve"}, nil); err != nil {
		return fmt.Errorf("approving the revocation: %w", err)
	}
	fmt.Fprintln(p.w)
	p.line("Two registrars revoke the guardianship.")
	p.happens("revocation")
	if err := p.fetchBundle(ctx); err != nil {
		return err
	}
	out, err := p.present(ctx)
	if err != nil {
		return err
	}
	return p.decide("revoked", "The guardian shows a fresh QR code after the revocation.",
		step{Expected: check.Red, code: check.CodeStatusRevoked, At: at(), kp1: out.KP1, bundle: p.bundle, medium: qr.Screen})
}

// family makes the registrations of a child and the mother, who decides alone.
// Names are drawn from short lists and every number is random, so that each
// run registers somebody new.
func family(t time.Time) (birth, guardianship []byte, err error) {
	pick := func(list ...string) string {
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(list))))
		if err != nil {
			panic(err) // crypto/rand never fails
		}
		return list[n.Int64()]
	}
	childName := pick("Adaeze", "Bintu", "Chipo", "Dalila", "Efua", "Farida", "Imani", "Jamila", "Lerato", "Makena", "Nadia", "Safiya")
	mother := pick("Amara", "Esther", "Fatou", "Grace", "Hawa", "Miriam", "Ruth", "Salma", "Thandi", "Zuri")
	last := pick("Abara", "Bah", "Chirwa", "Dlamini", "Kimani", "Mensah", "Nkosi", "Okoro", "Sesay", "Tembo")
	ref, person := store.Random(16), store.Random(16)
	born := vc.DateOf(t.AddDate(-7, 0, -int(mustInt(1000))))
	registered := born.AddDays(20)
	captured := vc.DateOf(t).AddDays(-60)
	portrait := make([]byte, 32)
	rand.Read(portrait)
	name := func(given string) []vc.Name {
		return []vc.Name{{Kind: "legal", Script: "Latn", Given: []string{given}, Family: []string{last},
			MRZ: &vc.MRZ{Primary: strings.ToUpper(last), Secondary: strings.ToUpper(given), Source: "issuerTransliterated"}}}
	}
	b := vc.Birth{ChildRef: ref, RecordVersion: 1, Circumstance: "ordinary", Names: name(childName),
		BirthDate: vc.UncertainDate{Value: born.String(), Precision: "day", Basis: "medicalRecord"}, Sex: 2,
		PlaceOfBirth: vc.Place{Status: "known", Country: "GHA", AdminArea: "Volta", Locality: "Ho", FacilityType: "healthFacility"},
		Parentage: []vc.Parent{
			{Role: "mother", Status: "known", Filiation: "birth", PersonRef: person, Names: name(mother)},
			{Role: "father", Status: "undeclared"},
		},
		Registration: vc.Registration{Number: "DEMO-" + strings.ToUpper(store.Random(6)), Authority: "https://registry.example", Date: registered.String(), Mode: "timely", Informant: "mother"},
		Portrait:     &vc.Portrait{SHA256: base64.RawURLEncoding.EncodeToString(portrait), Media: "image/jpeg", CapturedAt: captured.String(), RecaptureBy: captured.AddYears(2).String()},
	}
	g := vc.Guardianship{
		Guardian:    vc.Guardian{Kind: "naturalPerson", PersonRef: person, Names: name(mother)},
		Ward:        vc.Ward{ChildRef: ref},
		Role:        "mother",
		LegalBasis:  vc.LegalBasis{Type: "parentalResponsibilityByBirth", Law: "GHA"},
		Powers:      []string{"travelAccompany", "travelConsent", "passportApply", "healthRoutine", "healthMajor", "education", "residence"},
		Exercise:    vc.Exercise{Mode: "sole"},
		Effective:   vc.Effective{From: born.String()},
		Termination: vc.Termination{MajorityAge: 18, MajorityLaw: "GHA"},
	}
	if birth, err = json.Marshal(b); err != nil {
		return nil, nil, err
	}
	guardianship, err = json.Marshal(g)
	return birth, guardianship, err
}

func mustInt(n int64) int64 {
	v, err := rand.Int(rand.Reader, big.NewInt(n))
	if err != nil {
		panic(err) // crypto/rand never fails
	}
	return v.Int64()
}

// writeStory writes codes, pictures, bundles, the anchor and the decisions.
func writeStory(dir string, d *demo, steps []step) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	put := func(name string, data []byte) error { return writeFile(filepath.Join(dir, name), data, 0o600) }
	for _, s := range steps {
		text := []byte(s.kp1 + "\n")
		if s.request != nil {
			text = append(slices.Clone(s.request), '\n')
		}
		if err := put(s.File, text); err != nil {
			return err
		}
		img, err := qr.Draw(s.kp1, s.medium)
		if err != nil {
			return err
		}
		png, err := img.PNG(6)
		if err != nil {
			return err
		}
		if err := put(strings.TrimSuffix(s.File, filepath.Ext(s.File))+".png", png); err != nil {
			return err
		}
		if err := put(s.Bundle, s.bundle.data); err != nil {
			return err
		}
	}
	anchor, err := d.home.readAnchor("")
	if err != nil {
		return err
	}
	if err := put("anchor.json", anchor); err != nil {
		return err
	}
	story, err := json.MarshalIndent(steps, "", "  ")
	if err != nil {
		return err
	}
	return put("story.json", append(story, '\n'))
}
