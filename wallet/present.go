package wallet

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
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

// maxShown is how many guardianships one presentation may hold.
const maxShown = 3

// Request says what to show. Credentials picks among the child's; none means
// the best. Audience and Nonce repeat what a verifier asked for; without them
// the presentation is for whichever border post scans it.
type Request struct {
	Child       string
	Credentials []string
	Audience    string
	Nonce       string
}

// Presentation is what a guardian shows.
type Presentation struct {
	KP1          string    `json:"kp1"`
	Presentation string    `json:"presentation"` // compact vp+jwt
	ExpiresAt    time.Time `json:"expiresAt"`
}

// LogValue keeps a person's data out of every log.
func (p Presentation) LogValue() slog.Value { return slog.StringValue("presentation") }

// Present signs a presentation of one child with the guardian's holder key. It
// never holds credentials of two children, and never one that the guardian did
// not accept.
func (w *Wallet) Present(ctx context.Context, g Guardian, r Request) (Presentation, error) {
	if err := checkTerms(r); err != nil {
		return Presentation{}, err
	}
	v, err := w.vault(ctx, g.ID)
	if err != nil {
		return Presentation{}, gone(err, ErrNoSuchChild)
	}
	all, err := w.credentials(ctx, v)
	if err != nil {
		return Presentation{}, err
	}
	now := w.cfg.Now()
	birth, guards, err := pick(all, r, now)
	if err != nil {
		return Presentation{}, err
	}
	h, err := w.holderOf(ctx, v)
	if err != nil {
		return Presentation{}, err
	}
	jwts := []string{birth.JWT}
	for _, x := range guards {
		if x.guardianship.ID != h.DID {
			return Presentation{}, ErrSelection
		}
		jwts = append(jwts, x.JWT)
	}
	return h.present(jwts, r, now)
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
// packs it.
func (h holder) present(jwts []string, r Request, now time.Time) (Presentation, error) {
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
		return Presentation{}, tooLarge(err)
	}
	return Presentation{KP1: text, Presentation: signed, ExpiresAt: time.Unix(p.Expires, 0).UTC()}, nil
}

// tooLarge keeps a refusal of the drawing, which says what to leave out, and
// makes it one of the request.
func tooLarge(err error) error {
	var f *fault.Fault
	if errors.As(err, &f) && f.Is(qr.ErrTooLarge) {
		c := *f
		c.Kind = fault.Unprocessable
		return &c
	}
	return err
}

// Draw draws a presentation for a screen. qr.ErrTooLarge says what to leave
// out.
func (p Presentation) Draw() (*qr.Image, error) {
	img, err := qr.Draw(p.KP1, qr.Screen)
	return img, tooLarge(err)
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
