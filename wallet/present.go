package wallet

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/qr"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/vc"
)

// Faults of presenting.
var (
	ErrNoBorder     = fault.New(fault.Conflict, "no-border-credential", "the wallet has no birth and guardianship of this child that a border accepts").WithHint("renew the credentials, or ask the registry office for a new offer")
	ErrNotUsable    = fault.New(fault.Conflict, "credential-not-usable", "the credentials of this child are not usable").WithHint("please contact the office that issued them")
	ErrSelection    = fault.New(fault.Unprocessable, "selection-invalid", "a presentation holds one birth and at least one guardianship of the same child, made for the border")
	ErrRequestTerms = fault.New(fault.Invalid, "presentation-terms", "audience or nonce do not have the form that a verifier gives them")
)

// presentationLife is how long a shown presentation is fresh.
const presentationLife = 5 * time.Minute

const (
	maxShown    = 3 // guardianships of the holder in one presentation
	maxTogether = 8 // credentials in one presentation (KP1)
)

// Request says what to show. Credentials picks among the child's; none means
// the best. Audience and Nonce repeat what a verifier asked for; without them
// the presentation is for whichever border post scans it.
// Consent adds a travel consent and what it rests on.
type Request struct {
	Child       string
	Credentials []string
	Consent     string
	Audience    string
	Nonce       string
}

// Presentation is what a guardian shows.
type Presentation struct {
	KP1          string    `json:"kp1"`
	Presentation string    `json:"presentation"` // compact vp+jwt
	ExpiresAt    time.Time `json:"expiresAt"`

	hint string // what to do if it is too large
}

// LogValue keeps a person's data out of every log.
func (p Presentation) LogValue() slog.Value { return slog.StringValue("presentation") }

// Present signs a presentation of one child with the guardian's holder key. It
// never holds credentials of two children, and never one that the guardian did
// not accept. What somebody else shared is shown with the consent that it was
// shared with.
func (w *Wallet) Present(ctx context.Context, g Guardian, r Request) (Presentation, error) {
	v, at, err := w.presenter(ctx, g, r)
	if err != nil {
		return Presentation{}, err
	}
	p, err := at(w.cfg.Now())
	if err != nil {
		return Presentation{}, err
	}
	what := ActShown
	if r.Audience != "" || r.Nonce != "" {
		what = ActAnswered
	}
	w.note(ctx, v, what, r.Child)
	return p, nil
}

// presenter opens what a request needs and gives what signs it for a time.
func (w *Wallet) presenter(ctx context.Context, g Guardian, r Request) (*vault, func(time.Time) (Presentation, error), error) {
	if err := checkTerms(r); err != nil {
		return nil, nil, err
	}
	v, err := w.vault(ctx, g.ID)
	if err != nil {
		return nil, nil, gone(err, ErrNoSuchChild)
	}
	all, err := w.credentials(ctx, v)
	if err != nil {
		return nil, nil, err
	}
	agreed, err := w.consents(ctx, v)
	if err != nil {
		return nil, nil, err
	}
	for i, c := range agreed {
		if c.ID != r.Consent || c.state(w.cfg.Now()) != consentOpen {
			continue
		}
		j, err := w.judge(ctx)
		if err != nil {
			return nil, nil, err
		}
		agreed[i] = w.synced(ctx, v, c, j) // the others may have signed since
	}
	h, err := w.holderOf(ctx, v)
	if err != nil {
		return nil, nil, err
	}
	return v, func(now time.Time) (Presentation, error) { return h.show(v, all, agreed, r, now) }, nil
}

// show picks what a request asks for and signs it.
func (h holder) show(v *vault, all []held, agreed []consentHeld, r Request, now time.Time) (Presentation, error) {
	own := slices.ContainsFunc(all, func(c held) bool { return c.Child == r.Child })
	consent, err := pickConsent(v, agreed, r, own, now)
	if err != nil {
		return Presentation{}, err
	}
	if !own {
		if consent == nil {
			return Presentation{}, ErrNoSuchChild
		}
		if len(r.Credentials) > 0 {
			return Presentation{}, ErrNoSuchCredential // what was shared is shown whole
		}
		return h.present(append([]string{consent.Birth}, consent.evidence(nil)...), r, consent, now)
	}
	if consent != nil {
		all = slices.DeleteFunc(slices.Clone(all), func(c held) bool {
			return c.Child == r.Child && c.childRef() != consent.subject.ChildRef && !slices.Contains(r.Credentials, c.ID)
		})
	}
	birth, guards, err := pick(all, r, now)
	if err != nil {
		if consent != nil && (err == ErrNoBorder || err == ErrNoSuchChild) {
			err = ErrConsentEpoch
		}
		return Presentation{}, err
	}
	jwts := []string{birth.JWT}
	for _, x := range guards {
		if x.guardianship.ID != h.DID {
			return Presentation{}, ErrSelection
		}
		jwts = append(jwts, x.JWT)
	}
	if consent != nil {
		if birth.childRef() != consent.subject.ChildRef {
			return Presentation{}, ErrConsentEpoch
		}
		jwts = append(jwts, consent.evidence(guards)...)
	}
	return h.present(jwts, r, consent, now)
}

// pickConsent finds the consent to show: the one that was asked for, or, for a
// child whom the caller knows from shares only, the one that is good longest.
func pickConsent(v *vault, agreed []consentHeld, r Request, own bool, now time.Time) (*consentHeld, error) {
	var best *consentHeld
	unusable := false
	for i := range agreed {
		c := &agreed[i]
		if c.childID(v) != r.Child || (r.Consent != "" && c.ID != r.Consent) || (r.Consent == "" && (own || !c.Shared)) {
			continue
		}
		switch {
		case c.usable(now):
			if best == nil || c.until().After(best.until()) {
				best = c
			}
		case r.Consent == "":
			unusable = true
		case c.State != stateGood:
			return nil, ErrNotUsable.WithHint("please contact the guardians or the office")
		default:
			return nil, ErrConsentState
		}
	}
	switch {
	case best != nil:
		return best, nil
	case r.Consent != "":
		return nil, ErrNoSuchConsent
	case unusable:
		return nil, ErrNotUsable.WithHint("please contact the guardians or the office")
	}
	return nil, nil
}

// evidence gives what goes into a presentation beside the birth and the
// holder's own guardianships: the least that is enough. A witness has seen every
// guardianship, so that a witnessed consent needs none of them, but where nobody
// else shows how many guardians there are and they are not two, as a border
// assumes: then the one that says it; or where the consent does not name the
// holder: then the grantors', which show that nobody agreed with themselves. What
// was not witnessed rests on every grantor's guardianship.
func (c *consentHeld) evidence(shown []*held) []string {
	with := func(i int) []string {
		if slices.ContainsFunc(shown, func(h *held) bool { return h.vc.ID == c.guards[i].vc.ID }) {
			return nil
		}
		return []string{c.Parties[i].Guardianship}
	}
	var guards, consents []string
	if c.Witnessed != "" {
		who := c.witnessedFor()
		switch {
		case len(shown) == 0:
			who = c.telling(who)
		case c.subject.Mode != vc.ModeOneGuardian || c.names(shown):
			who = nil
		}
		for _, i := range who {
			guards = append(guards, with(i)...)
		}
		return append(guards, c.Witnessed)
	}
	for i, p := range c.Parties {
		guards = append(guards, with(i)...)
		consents = append(consents, p.Consent)
	}
	return append(guards, consents...)
}

// telling picks, of the grantors' guardianships, the one that says how many
// guardians there are, if a border would not assume it.
func (c *consentHeld) telling(who []int) []int {
	most := -1
	number := func(i int) int {
		x := c.guards[i].guardianship.Exercise
		return max(x.Quorum, x.CoGuardianCount)
	}
	for _, i := range who {
		if most < 0 || number(i) > number(most) {
			most = i
		}
	}
	if most < 0 || len(who) > 1 && number(most) <= 2 {
		return nil
	}
	return []int{most}
}

// names reports whether the consent names the holder of these guardianships as a
// border compares it: by the whole name as machines read it.
func (c *consentHeld) names(shown []*held) bool {
	for _, h := range shown {
		for _, own := range h.guardianship.Guardian.Names {
			for _, a := range c.subject.Accompanying {
				if slices.ContainsFunc(a.Names, func(n vc.Name) bool {
					return n.MRZ != nil && own.MRZ != nil && n.MRZ.Primary == own.MRZ.Primary && n.MRZ.Secondary == own.MRZ.Secondary
				}) {
					return true
				}
			}
		}
	}
	return false
}

// witnessedFor gives the places of the grantors whom the witnessed consent
// names: those who had signed.
func (c *consentHeld) witnessedFor() []int {
	var said vc.TravelConsent
	if c.witness == nil || json.Unmarshal(c.witness.Subject, &said) != nil {
		return nil
	}
	var out []int
	for i, g := range c.subject.Grantors {
		if slices.Contains(said.Grantors, g) {
			out = append(out, i)
		}
	}
	return out
}

// maxChildren is how many children one request may show: a school class.
const maxChildren = 60

// Group is what a companion shows for several children, one presentation each:
// a presentation never holds two children.
type Group struct {
	Presentations []GroupMember `json:"presentations"`
	// Missing are the children for whom none could be made, with the reason.
	Missing []GroupMissing `json:"missing"`
}

// GroupMember is the presentation of one child of a group.
type GroupMember struct {
	Child string `json:"child"`
	Presentation
}

// GroupMissing is a child of a group for whom nothing can be shown.
type GroupMissing struct {
	Child  string `json:"child"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
	Hint   string `json:"hint,omitempty"`
}

// LogValue keeps a person's data out of every log.
func (g Group) LogValue() slog.Value { return slog.StringValue("group") }

// PresentGroup makes a presentation for each of several children, in their
// order. A child who is not in the wallet refuses the whole request; one for
// whom nothing can be shown now does not hold up the others.
func (w *Wallet) PresentGroup(ctx context.Context, g Guardian, children []string, r Request) (Group, error) {
	if err := checkTerms(r); err != nil {
		return Group{}, err
	}
	if len(children) == 0 || len(children) > maxChildren || r.Child != "" || r.Consent != "" || len(r.Credentials) > 0 {
		return Group{}, ErrRequestTerms.WithDetail("a group is one to sixty children and nothing picked among their credentials").
			WithFields(fault.Field{Path: "/children", Rule: "stands alone and names one to sixty children"})
	}
	v, err := w.vault(ctx, g.ID)
	if err != nil {
		return Group{}, gone(err, ErrNoSuchChild)
	}
	all, err := w.credentials(ctx, v)
	if err != nil {
		return Group{}, err
	}
	agreed, err := w.consents(ctx, v)
	if err != nil {
		return Group{}, err
	}
	h, err := w.holderOf(ctx, v)
	if err != nil {
		return Group{}, err
	}
	out := Group{Presentations: []GroupMember{}, Missing: []GroupMissing{}}
	now := w.cfg.Now()
	for i, child := range children {
		if slices.Contains(children[:i], child) {
			return Group{}, ErrRequestTerms.WithFields(fault.Field{Path: "/children", Rule: "names each child once"})
		}
		r.Child = child
		p, err := h.show(v, all, agreed, r, now)
		if err == nil {
			_, err = p.Draw()
		}
		f := fault.As(err)
		switch {
		case err == nil:
			out.Presentations = append(out.Presentations, GroupMember{Child: child, Presentation: p})
		case f.Kind == fault.Internal || f.Is(ErrNoSuchChild):
			return Group{}, err
		default:
			out.Missing = append(out.Missing, GroupMissing{Child: child, Code: f.Code, Detail: f.Detail, Hint: f.Hint})
		}
	}
	if len(out.Presentations) > 0 {
		w.note(ctx, v, ActShown, "")
	}
	return out, nil
}

// Paper is a consent for a companion who has no wallet: the child's birth and
// the witnessed consent, neither bound to a key, in one code or, where one is
// too small, in one code each.
type Paper struct {
	Codes []PaperCode
	// ValidUntil is when the first of what is on it ends.
	ValidUntil time.Time
}

// PaperCode is one code for print.
type PaperCode struct {
	KP1   string
	Holds []string // types of the credentials in it

	image *qr.Image
}

// LogValue keeps a person's data out of every log.
func (p Paper) LogValue() slog.Value { return slog.StringValue("paper") }

// SVG draws the code.
func (p PaperCode) SVG() string { return p.image.SVG() }

// LogValue keeps a person's data out of every log.
func (p PaperCode) LogValue() slog.Value { return slog.StringValue("paper") }

// ErrConsentPaper says that a consent has to be witnessed before it can go on
// paper: what a guardian signs is good only beside the guardianship, which is
// bound to that guardian's key.
var ErrConsentPaper = fault.New(fault.Conflict, "consent-not-for-paper", "only a witnessed consent can be printed for somebody without a wallet").
	WithHint("have it witnessed by a notary, a consulate or a court, and ask the registry office for the paper pass of the child")

// PaperPass packs what a guardian can print of a child: the paper credentials,
// bound to no key, which the office that keeps the guardianship gives to who
// holds it.
func (w *Wallet) PaperPass(ctx context.Context, g Guardian, child string) (Paper, error) {
	v, err := w.vault(ctx, g.ID)
	if err != nil {
		return Paper{}, gone(err, ErrNoSuchChild)
	}
	all, err := w.credentials(ctx, v)
	if err != nil {
		return Paper{}, err
	}
	if !slices.ContainsFunc(all, func(c held) bool { return c.Child == child }) {
		return Paper{}, ErrNoSuchChild
	}
	now := w.cfg.Now()
	_, guard, err := choose(all, child, now)
	if err != nil {
		return Paper{}, err
	}
	j, err := w.judge(ctx)
	if err != nil {
		return Paper{}, err
	}
	office := listed(j.trust, guard.vc.Issuer)
	if office == nil {
		return Paper{}, ErrIssuerUntrusted
	}
	h, err := w.holderOf(ctx, v)
	if err != nil {
		return Paper{}, err
	}
	a, err := w.askStatus(ctx, office, h, "/paper", statusRequest{ID: store.Random(16), Act: "paper", Guardianship: guard.vc.ID})
	if err != nil {
		return Paper{}, err
	}
	if a.status != http.StatusOK {
		return Paper{}, ErrPaperRefused
	}
	var out struct {
		Birth        string `json:"birth"`
		Guardianship string `json:"guardianship"`
	}
	if err := vc.StrictJSON(a.body, &out, 2); err != nil {
		return Paper{}, ErrIssuerAnswer.With(err)
	}
	birth, err := j.record(ctx, out.Birth)
	if err != nil {
		return Paper{}, ErrIssuerAnswer.With(err)
	}
	mandate, err := j.record(ctx, out.Guardianship)
	if err != nil {
		return Paper{}, ErrIssuerAnswer.With(err)
	}
	if birth.birth == nil || mandate.guardianship == nil || mandate.guardianship.ID != "" || birth.childRef() != mandate.childRef() || birth.childRef() != guard.childRef() {
		return Paper{}, ErrIssuerAnswer
	}
	code, err := paperCode([]string{vc.TypeBirth, vc.TypeGuardianship}, out.Birth, out.Guardianship)
	if err != nil {
		return Paper{}, err
	}
	w.note(ctx, v, ActPrinted, child)
	p := Paper{Codes: []PaperCode{code}, ValidUntil: birth.vc.ValidTo}
	if mandate.vc.ValidTo.Before(p.ValidUntil) {
		p.ValidUntil = mandate.vc.ValidTo
	}
	return p, nil
}

// ErrPaperRefused says that the office gives no paper pass.
var ErrPaperRefused = fault.New(fault.Unprocessable, "paper-refused", "the office gives no paper pass for this child now").
	WithHint("renew the credentials, or ask the registry office to print one")

// ConsentPaper packs a consent for print.
func (w *Wallet) ConsentPaper(ctx context.Context, g Guardian, id string) (Paper, error) {
	v, c, err := w.openConsent(ctx, g, id)
	if err != nil {
		return Paper{}, err
	}
	if err := w.birthNow(ctx, v, &c); err != nil {
		return Paper{}, err
	}
	now := w.cfg.Now()
	switch {
	case c.Shared:
		return Paper{}, ErrNoSuchConsent // what was shared is shown by the companion, and not passed on
	case c.Witnessed == "":
		return Paper{}, ErrConsentPaper
	case !c.usable(now):
		return Paper{}, ErrConsentState
	case c.birth.state(now) != shownValid:
		return Paper{}, ErrConsentEpoch
	}
	w.note(ctx, v, ActPrinted, c.childID(v))
	both, err := paperCode([]string{vc.TypeBirth, vc.TypeConsent}, c.Birth, c.Witnessed)
	if err == nil {
		return Paper{Codes: []PaperCode{both}}, nil
	}
	if !errors.Is(err, qr.ErrTooLarge) {
		return Paper{}, err
	}
	birth, err := paperCode([]string{vc.TypeBirth}, c.Birth)
	if err != nil {
		return Paper{}, err
	}
	consent, err := paperCode([]string{vc.TypeConsent}, c.Witnessed)
	return Paper{Codes: []PaperCode{birth, consent}}, err
}

func paperCode(holds []string, jwts ...string) (PaperCode, error) {
	const hint = "make a new consent that names fewer adults and countries, or use a wallet"
	text, err := qr.Pack(qr.Packet{Credentials: jwts})
	if err != nil {
		return PaperCode{}, tooLarge(err, hint)
	}
	img, err := qr.Draw(text, qr.Paper)
	return PaperCode{KP1: text, Holds: holds, image: img}, tooLarge(err, hint)
}

// checkTerms holds a verifier's audience and nonce to what can stand in a
// token: it is the verifier's business what they mean.
func checkTerms(r Request) error {
	if r.Audience != "" && r.Nonce == "" {
		return ErrRequestTerms.WithFields(fault.Field{Path: "/nonce", Rule: "goes with an audience"})
	}
	if !visible(r.Audience, 512) {
		return ErrRequestTerms.WithFields(fault.Field{Path: "/audience", Rule: "at most 512 visible ASCII characters"})
	}
	if r.Nonce != "" && (len(r.Nonce) < 16 || !visible(r.Nonce, 256)) {
		return ErrRequestTerms.WithFields(fault.Field{Path: "/nonce", Rule: "16 to 256 visible ASCII characters"})
	}
	return nil
}

func visible(s string, limit int) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			return false
		}
	}
	return len(s) <= limit
}

// present writes and signs the vp+jwt (VC-JOSE-COSE 1.0, section 3.1.2) and
// packs it. consent is the one that it holds, nil if there is none.
func (h holder) present(jwts []string, r Request, consent *consentHeld, now time.Time) (Presentation, error) {
	hint := ""
	switch {
	case consent == nil:
	case consent.Witnessed == "":
		hint = "have the consent witnessed by a notary, a consulate or a court: what they sign takes the place of what every guardian signed"
	default:
		hint = "show fewer guardianships, or show it online"
	}
	if len(jwts) > maxTogether {
		return Presentation{}, tooLarge(qr.ErrTooLarge, hint)
	}
	p := vc.Presentation{
		Context: []string{vc.ContextV2}, Type: []string{vc.TypePresentation}, Holder: h.DID,
		Audience: vc.BorderAudience, Nonce: store.Random(16),
		IssuedAt: now.Unix(), Expires: now.Add(presentationLife).Unix(),
	}
	if r.Audience != "" {
		p.Audience = r.Audience
	}
	if r.Nonce != "" {
		p.Nonce = r.Nonce
	}
	for _, j := range jwts {
		p.Credentials = append(p.Credentials, vc.Envelop(j))
	}
	payload, err := json.Marshal(p)
	if err != nil {
		return Presentation{}, err
	}
	s, err := h.signer()
	if err != nil {
		return Presentation{}, err
	}
	signed, err := vc.SignJWS(s, vc.TypPresentation, "vp", payload)
	if err != nil {
		return Presentation{}, err
	}
	text, err := qr.Pack(qr.Packet{Presentation: signed})
	if err != nil {
		return Presentation{}, tooLarge(err, hint)
	}
	return Presentation{KP1: text, Presentation: signed, ExpiresAt: time.Unix(p.Expires, 0).UTC(), hint: hint}, nil
}

// tooLarge keeps a refusal of the drawing, which says what to leave out, and
// makes it one of the request. hint, if there is one, says it better.
func tooLarge(err error, hint string) error {
	var f *fault.Fault
	if errors.As(err, &f) && f.Is(qr.ErrTooLarge) {
		c := *f
		c.Kind = fault.Unprocessable
		if hint != "" {
			c.Hint = hint
		}
		return &c
	}
	return err
}

// Draw draws a presentation for a screen. qr.ErrTooLarge says what to leave
// out.
func (p Presentation) Draw() (*qr.Image, error) {
	img, err := qr.Draw(p.KP1, qr.Screen)
	return img, tooLarge(err, p.hint)
}

// pick gives the birth and the guardianships to show: those that were asked
// for, or the best. A credential of another child, or of another guardian, is
// one that is not there.
func pick(all []held, r Request, now time.Time) (*held, []*held, error) {
	if !slices.ContainsFunc(all, func(c held) bool { return c.Child == r.Child }) {
		return nil, nil, ErrNoSuchChild
	}
	if len(r.Credentials) == 0 {
		b, g, err := choose(all, r.Child, now)
		if err != nil {
			return nil, nil, err
		}
		return b, []*held{g}, nil
	}
	var birth *held
	var guards []*held
	for i, id := range r.Credentials {
		at := slices.IndexFunc(all, func(c held) bool { return c.ID == id && c.Child == r.Child })
		if at < 0 {
			return nil, nil, ErrNoSuchCredential
		}
		c := &all[at]
		switch {
		case !c.forBorder() || slices.Contains(r.Credentials[:i], id):
			return nil, nil, ErrSelection
		case c.state(now) == shownNotUsable:
			return nil, nil, ErrNotUsable
		case c.state(now) != shownValid:
			return nil, nil, ErrNoBorder
		case c.birth != nil && birth != nil:
			return nil, nil, ErrSelection
		case c.birth != nil:
			birth = c
		default:
			guards = append(guards, c)
		}
	}
	if birth == nil || len(guards) == 0 || len(guards) > maxShown {
		return nil, nil, ErrSelection
	}
	for _, g := range guards {
		if !joined(birth, g) {
			return nil, nil, ErrSelection
		}
	}
	return birth, guards, nil
}

// joined reports whether two credentials are about one child by the issuers'
// own join key. Credentials of two epochs are not, although the wallet knows
// that they are about the same child.
func joined(a, b *held) bool {
	return a.Child == b.Child && a.childRef() == b.childRef()
}

// choose finds the border birth and guardianship of a child that serve best:
// both good now and joined, the newest record, a mandate to travel with the
// child, the later end.
func choose(all []held, child string, now time.Time) (birth, guard *held, err error) {
	unusable := false
	good := func(c *held) bool {
		if c.Child != child || !c.forBorder() {
			return false
		}
		unusable = unusable || c.state(now) == shownNotUsable
		return c.state(now) == shownValid
	}
	for i := range all {
		b := &all[i]
		if b.birth == nil || !good(b) {
			continue
		}
		for j := range all {
			g := &all[j]
			if g.guardianship == nil || !good(g) || !joined(b, g) {
				continue
			}
			if birth == nil || rank(b, g, birth, guard) > 0 {
				birth, guard = b, g
			}
		}
	}
	switch {
	case birth != nil:
		return birth, guard, nil
	case unusable:
		return nil, nil, ErrNotUsable
	}
	return nil, nil, ErrNoBorder
}

// rank compares one pair with another.
func rank(b, g, b2, g2 *held) int {
	travel := func(c *held) int {
		if slices.Contains(c.guardianship.Powers, "travelAccompany") {
			return 1
		}
		return 0
	}
	for _, d := range []int{
		b.birth.RecordVersion - b2.birth.RecordVersion,
		travel(g) - travel(g2),
		b.vc.ValidFrom.Compare(b2.vc.ValidFrom),
		g.vc.ValidTo.Compare(g2.vc.ValidTo),
	} {
		if d != 0 {
			return d
		}
	}
	return 0
}
