package wallet

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/vc"
)

// ErrConsentClosed says that it is too late to join: somebody has signed, and
// who signs, signs for a list of grantors that cannot grow any more.
var ErrConsentClosed = fault.New(fault.Conflict, "consent-closed", "somebody has signed, so that nobody can be added any more").WithHint("ask for a new consent and join before anybody signs")

const (
	maxGrantors = 10 // as the schema
	roomTries   = 5  // writers who come at once
)

// room is the drop in which the grantors of a consent meet: who joins writes
// who they are, who signs leaves the signature for the others.
type room struct {
	Link    dropLink  `json:"link"`
	Seen    int64     `json:"seen"`           // version; an older one is not believed
	Done    bool      `json:"done,omitempty"` // nothing is missing, here or there
	Expires time.Time `json:"expires"`
}

// invite is a link to a room that is good for one guardian.
type invite struct {
	Link    dropLink  `json:"link"`
	Expires time.Time `json:"expires"`
}

// invitation is what an invite leads to.
type invitation struct {
	ID      string    `json:"id"` // of the room, at the same service
	Secret  []byte    `json:"secret"`
	Expires time.Time `json:"expires"`
}

// folder is what is in a room. Whoever has the secret can write it, so that it
// is believed only as far as its signatures go.
type folder struct {
	Subject json.RawMessage `json:"subject"`
	// Draft is the first grantor's signature over the journey, made when it was
	// written down: who only has the link cannot put another journey before the
	// guardians who join.
	Draft     string  `json:"draft"`
	Frozen    bool    `json:"frozen,omitempty"`
	Parties   []party `json:"parties"`
	Witnessed string  `json:"witnessed,omitempty"`
}

// LogValue keeps a person's data out of every log.
func (f folder) LogValue() slog.Value { return slog.StringValue("folder") }

// typDraft is the typ of the signature over a journey that was written down and
// not agreed to yet.
const typDraft = "kinpass-consent-draft+jwt"

// journey gives the digest of all of a consent but who agrees to it.
func journey(s *vc.TravelConsent) (string, error) {
	core := *s
	core.Grantors = nil
	text, err := plainJSON(core)
	if err != nil {
		return "", err
	}
	return vc.ConsentDigest(text)
}

// draftedBy signs a journey for those who are invited.
func (h holder) draftedBy(subject json.RawMessage) (string, error) {
	var c vc.TravelConsent
	if err := vc.StrictJSON(subject, &c, vc.MaxDepth); err != nil {
		return "", err
	}
	digest, err := journey(&c)
	if err != nil {
		return "", err
	}
	s, err := h.signer()
	if err != nil {
		return "", err
	}
	claims, err := plainJSON(map[string]string{"journey": digest})
	if err != nil {
		return "", err
	}
	return vc.SignJWS(s, typDraft, "", claims)
}

// drafted reports whether the first grantor wrote this journey down.
func (f *folder) drafted(s *vc.TravelConsent) bool {
	pub, err := did.ParseKey(s.Grantors[0].Key)
	if err != nil {
		return false
	}
	payload, err := vc.VerifyJWS(f.Draft, typDraft, pub)
	if err != nil {
		return false
	}
	var c struct {
		Journey string `json:"journey"`
	}
	digest, err := journey(s)
	return err == nil && vc.StrictJSON(payload, &c, 4) == nil && c.Journey == digest
}

// openRoom makes a room for a new consent, and the first invitation to it.
func (w *Wallet) openRoom(k *consentKept, h holder, x vc.Exercise) ([]drop, error) {
	if w.cfg.Base == "" {
		return nil, ErrNoBase
	}
	now := w.cfg.Now().UTC().Truncate(time.Second)
	k.Seats = min(max(x.CoGuardianCount, x.Quorum, k.Quorum, 2), maxGrantors)
	k.Room = &room{Link: newLink(w.cfg.Base), Seen: 1, Expires: now.Add(roomLife)}
	draft, err := h.draftedBy(k.Subject)
	if err != nil {
		return nil, err
	}
	d, err := newDrop(k.Room.Link, dropRoom, folder{Subject: k.Subject, Draft: draft, Parties: k.Parties}, k.Room.Expires)
	if err != nil {
		return nil, err
	}
	i, err := w.newInvite(k)
	return []drop{d, i}, err
}

// newInvite makes an invitation for one more guardian.
func (w *Wallet) newInvite(k *consentKept) (drop, error) {
	expires := w.cfg.Now().UTC().Truncate(time.Second).Add(inviteLife)
	if k.Room.Expires.Before(expires) {
		expires = k.Room.Expires
	}
	k.Invite = &invite{Link: newLink(w.cfg.Base), Expires: expires}
	return newDrop(k.Invite.Link, dropFirst, invitation{ID: k.Room.Link.ID, Secret: k.Room.Link.Secret, Expires: k.Room.Expires}, expires)
}

// inviting reports whether the caller can invite another guardian.
func (c *consentHeld) inviting(now time.Time) bool {
	state := c.state(now)
	return c.Invite != nil && !c.Frozen && len(c.Parties) < c.Seats && now.Before(c.Room.Expires) && (state == consentDraft || state == consentOpen)
}

// invited sees to it that the invitation is one that was not used.
func (w *Wallet) invited(ctx context.Context, v *vault, c consentHeld) (consentHeld, error) {
	if !c.inviting(w.cfg.Now()) {
		return c, nil
	}
	old := c.Invite.Link.ID
	if ok, err := w.untaken(ctx, old); ok || err != nil {
		return c, err
	}
	return w.changeConsent(ctx, v, c.ID, func(c *consentHeld) error {
		if c.Invite.Link.ID != old || !c.inviting(w.cfg.Now()) {
			return nil
		}
		d, err := w.newInvite(&c.consentKept)
		c.leave = []drop{d}
		return err
	})
}

// JoinConsent adds the guardian to those who agree to a journey, by the link
// that another guardian sent. Nothing is signed by it. The same link again
// gives the same consent.
func (w *Wallet) JoinConsent(ctx context.Context, g Guardian, link string) (Consent, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), acceptPatience)
	defer cancel()
	l, err := w.parseLink(link)
	if err != nil {
		return Consent{}, err
	}
	v, err := w.vault(ctx, g.ID)
	if err != nil {
		return Consent{}, gone(err, ErrNoMandate)
	}
	all, err := w.credentials(ctx, v)
	if err != nil {
		return Consent{}, err
	}
	// A link is good for one guardian, so it is not spent by who has no mandate.
	if !slices.ContainsFunc(all, func(c held) bool {
		return c.guardianship != nil && slices.Contains(c.guardianship.Powers, "travelConsent")
	}) {
		return Consent{}, ErrNoMandate
	}
	j, err := w.judge(ctx)
	if err != nil {
		return Consent{}, err
	}
	var in invitation
	if err := (far{w, l}).take(ctx, v, &in); err != nil {
		return Consent{}, err
	}
	r := room{Link: dropLink{Base: l.Base, ID: in.ID, Secret: in.Secret}, Expires: in.Expires.UTC()}
	if most := w.cfg.Now().UTC().Add(roomLife); r.Expires.After(most) {
		r.Expires = most // nobody makes this wallet ask for ever
	}
	if _, err := w.parseLink(r.Link.String()); err != nil {
		return Consent{}, ErrLinkGone
	}
	find := v.find("room", r.Link.Base, r.Link.ID)
	c, err := w.consentBy(ctx, v, find)
	if err == nil {
		return w.shownConsent(ctx, v, w.synced(ctx, v, c, j))
	}
	if err != ErrNoSuchConsent {
		return Consent{}, err
	}
	k, err := w.enterRoom(ctx, v, r, all, j)
	if err != nil {
		return Consent{}, err
	}
	if c, err = w.keepConsent(ctx, v, k, find); err != nil {
		return Consent{}, err
	}
	w.note(ctx, v, ActJoined, c.childID(v))
	return w.shownConsent(ctx, v, c)
}

// enterRoom writes the guardian into a room and gives the consent as this
// wallet keeps it.
func (w *Wallet) enterRoom(ctx context.Context, v *vault, r room, all []held, j *judge) (consentKept, error) {
	h, err := w.holderOf(ctx, v)
	if err != nil {
		return consentKept{}, err
	}
	for try := 0; ; try++ {
		var f folder
		version, err := (far{w, r.Link}).read(ctx, &f)
		if err != nil {
			return consentKept{}, err
		}
		k, entered, err := w.entering(ctx, &f, h, all, j)
		if err != nil {
			return consentKept{}, err
		}
		if !entered {
			err = (far{w, r.Link}).write(ctx, version, f)
			version++
		}
		if err == nil {
			r.Seen = version
			k.Room = &r
			return k, nil
		}
		if !errors.Is(err, ErrDropVersion) || try == roomTries {
			return consentKept{}, err
		}
	}
}

// entering checks what is in a room and adds the guardian to it, unless that
// was done before.
func (w *Wallet) entering(ctx context.Context, f *folder, h holder, all []held, j *judge) (k consentKept, entered bool, err error) {
	now := w.cfg.Now()
	s, err := f.read(now)
	if err != nil {
		return k, false, err
	}
	child := ""
	for i := range all {
		if all[i].childRef() == s.ChildRef {
			child = all[i].Child
			break
		}
	}
	birth, guard := mandate(all, child, s.ChildRef, now)
	if birth == nil || guard.guardianship.ID != h.DID {
		return k, false, ErrNoMandate
	}
	if _, err := w.host(j.trust, birth.vc.Issuer); err != nil {
		return k, false, err
	}
	me := vc.Grantor{Guardianship: guard.vc.ID, Key: h.DID}
	for i, g := range s.Grantors {
		if g.Key == h.DID {
			if g != me || f.Parties[i].Guardianship != guard.JWT {
				return k, false, ErrConsentParts.WithFields(fault.Field{Path: "/grantors", Rule: "name you in another capacity than yours"})
			}
			entered = true
			continue
		}
		if _, err := j.grantor(ctx, f.Parties[i].Guardianship, g, s.ChildRef); err != nil {
			return k, false, partsRefused(err, "/grantors", i)
		}
	}
	for _, a := range s.Accompanying {
		if a.Key == h.DID && s.Mode == vc.ModeOneGuardian {
			return k, false, ErrConsentState.WithDetail("you are the one who travels with the child: the others agree, and share the consent with you")
		}
	}
	if !entered {
		if f.Frozen || len(s.Grantors) >= maxGrantors {
			return k, false, ErrConsentClosed
		}
		s.Grantors = append(s.Grantors, me)
		f.Parties = append(f.Parties, party{Guardianship: guard.JWT})
		if f.Subject, err = plainJSON(s); err != nil {
			return k, false, err
		}
	}
	k = consentKept{Child: child, Name: nameOf(all, child, now), Me: h.DID, Quorum: signers(guard.guardianship.Exercise, s.Mode),
		Subject: f.Subject, Frozen: f.Frozen, Host: birth.vc.Issuer, Birth: birth.JWT}
	for _, p := range f.Parties {
		k.Parties = append(k.Parties, party{Guardianship: p.Guardianship}) // signatures come with the next reading
	}
	return k, entered, nil
}

// read checks the shape and the sense of what is in a room.
func (f *folder) read(now time.Time) (*vc.TravelConsent, error) {
	refuse := func(rule string) error {
		return ErrConsentParts.WithFields(fault.Field{Path: "/subject", Rule: rule})
	}
	if err := shaped(vc.SchemaRegistrationTravel, f.Subject); err != nil {
		var rule refusedRule
		if errors.As(err, &rule) {
			return nil, refuse(string(rule))
		}
		return nil, err
	}
	var s vc.TravelConsent
	if err := vc.StrictJSON(f.Subject, &s, vc.MaxDepth); err != nil {
		return nil, refuse("does not follow its schema")
	}
	if len(f.Parties) != len(s.Grantors) {
		return nil, refuse("does not fit the guardians who are there")
	}
	seen := map[string]bool{}
	for _, g := range s.Grantors {
		if seen[g.Key] || seen[g.Guardianship] {
			return nil, refuse("names a guardian twice")
		}
		seen[g.Key], seen[g.Guardianship] = true, true
	}
	// What was written by a wallet like this one is written in one way; another
	// spelling would be read in one way here and signed in another.
	if again, err := plainJSON(&s); err != nil || string(again) != string(f.Subject) || s.Assurance != (vc.Assurance{Level: vc.LevelSelfSigned}) {
		return nil, refuse("is not written as a wallet writes it")
	}
	x := reading{consent: &s, now: now}
	x.all()
	if len(x.fields) > 0 {
		return nil, refuse("cannot be agreed to as it is")
	}
	if !f.drafted(&s) {
		return nil, refuse("is not what the first guardian wrote down")
	}
	if again, err := plainJSON(&s); err != nil || string(again) != string(f.Subject) {
		return nil, refuse("holds text that hides something")
	}
	return &s, nil
}

// ErrConsentRoom says that what the others left is not what was agreed. What
// this wallet has stays as it is.
var ErrConsentRoom = fault.New(fault.Conflict, "consent-room", "what the other guardians' wallets left is not what you agreed to").WithHint("do not sign; make a new consent, and send the invitation to the other guardian only")

// synced is sync for readers: what cannot be had now, or not be judged for want
// of a trust list (a nil judge), is shown as it was.
func (w *Wallet) synced(ctx context.Context, v *vault, c consentHeld, j *judge) consentHeld {
	state := c.state(w.cfg.Now())
	if j == nil || c.Room == nil || c.Room.Done || state == consentWithdrawn || state == consentExpired {
		return c
	}
	now, err := w.sync(ctx, v, c, j, false)
	if err != nil {
		w.cfg.Log.Debug("consent", "synced", false, "code", fault.As(err).Code)
		return c
	}
	return now
}

// sync takes from the room what the other grantors left there, after it was
// verified, and leaves there what this wallet has. close ends the time in which
// grantors can be added: for everybody, before anything is signed.
func (w *Wallet) sync(ctx context.Context, v *vault, c consentHeld, j *judge, close bool) (consentHeld, error) {
	if c.Room == nil || !w.cfg.Now().Before(c.Room.Expires) {
		return c, nil
	}
	at := far{w, c.Room.Link}
	for try := 0; ; try++ {
		var f folder
		version, err := at.read(ctx, &f)
		if err != nil {
			return c, err
		}
		if version < c.Room.Seen {
			return c, ErrConsentRoom
		}
		next, err := w.adopt(ctx, v, c, &f, j)
		if errors.Is(err, ErrDropVersion) && try < roomTries {
			if c, err = w.consent(ctx, v, c.ID); err != nil {
				return c, err
			}
			continue
		}
		if err != nil {
			return c, err
		}
		if c = next; !c.adds(&f, close) {
			return w.changeConsent(ctx, v, c.ID, func(c *consentHeld) error {
				c.Room.Seen = max(c.Room.Seen, version)
				c.Room.Done = c.Witnessed != "" && f.Witnessed != ""
				return nil
			})
		}
		if err = at.write(ctx, version, f); err == nil {
			subject := string(c.Subject)
			return w.changeConsent(ctx, v, c.ID, func(c *consentHeld) error {
				if string(c.Subject) != subject {
					return ErrConsentRoom
				}
				c.Room.Seen = max(c.Room.Seen, version+1)
				c.freeze(f.Frozen)
				return nil
			})
		}
		if !errors.Is(err, ErrDropVersion) || try == roomTries {
			return c, err
		}
	}
}

// freeze ends the time in which grantors can be added.
func (c *consentHeld) freeze(now bool) {
	if !now || c.Frozen {
		return
	}
	c.Frozen = true
	if c.Invite != nil {
		c.remove = append(c.remove, c.Invite.Link.ID)
	}
}

// adds puts into a folder what this wallet has and the room has not, and
// reports whether there is anything.
func (c *consentHeld) adds(f *folder, close bool) bool {
	added := false
	if (close || c.Frozen) && !f.Frozen {
		f.Frozen, added = true, true
	}
	for i := range f.Parties {
		if mine := c.Parties[i].Consent; mine != "" && i == c.mine() && f.Parties[i].Consent != mine && c.Withdraw.IsZero() {
			f.Parties[i].Consent, added = mine, true
		}
	}
	if c.Witnessed != "" && f.Witnessed == "" && c.Withdraw.IsZero() {
		f.Witnessed, added = c.Witnessed, true
	}
	return added
}

// adopt takes over from a folder what holds: guardians with a mandate who
// joined, their signatures, a witness. The journey itself never changes.
func (w *Wallet) adopt(ctx context.Context, v *vault, c consentHeld, f *folder, j *judge) (consentHeld, error) {
	host := listed(j.trust, c.Host)
	if host == nil {
		return c, ErrConsentHost
	}
	s, err := f.read(w.cfg.Now())
	if err != nil {
		return c, err
	}
	before, err := journey(&c.subject)
	if err != nil {
		return c, err
	}
	if after, err := journey(s); err != nil || before != after || (c.Frozen && string(f.Subject) != string(c.Subject)) || len(s.Grantors) < len(c.subject.Grantors) {
		return c, ErrConsentRoom
	}
	parties := make([]party, len(s.Grantors))
	news := !c.Frozen && f.Frozen
	for i, g := range s.Grantors {
		parties[i].Guardianship = f.Parties[i].Guardianship
		if i < len(c.subject.Grantors) {
			if g != c.subject.Grantors[i] {
				return c, ErrConsentRoom
			}
			parties[i] = c.Parties[i]
		} else {
			if _, err := j.grantor(ctx, f.Parties[i].Guardianship, g, s.ChildRef); err != nil {
				return c, partsRefused(err, "/grantors", i)
			}
			news = true
		}
		if parties[i].Consent == "" && f.Frozen && f.Parties[i].Consent != "" && g.Key != c.Me {
			if _, err := j.signedBy(f.Parties[i].Consent, g, f.Subject, host); err == nil {
				parties[i].Consent, news = f.Parties[i].Consent, true
			}
		}
	}
	witnessed := c.Witnessed
	if witnessed == "" && f.Witnessed != "" {
		if _, said, err := j.witnessed(ctx, f.Witnessed, host); err == nil && sameJourney(s, said) && names(said, c.Me) {
			witnessed, news = f.Witnessed, true
		}
	}
	if !news {
		return c, nil
	}
	was := string(c.Subject)
	return w.changeConsent(ctx, v, c.ID, func(c *consentHeld) error {
		if string(c.Subject) != was || len(c.Parties) > len(parties) {
			return ErrDropVersion // another request was faster
		}
		for i := range c.Parties {
			if c.Parties[i].Consent != "" {
				parties[i].Consent = c.Parties[i].Consent
			}
		}
		c.Subject, c.Parties = f.Subject, parties
		if c.Witnessed == "" {
			c.Witnessed = witnessed
		}
		c.freeze(f.Frozen)
		return nil
	})
}

// names reports whether a consent has this key among its grantors.
func names(s *vc.TravelConsent, key string) bool {
	return slices.ContainsFunc(s.Grantors, func(g vc.Grantor) bool { return g.Key == key })
}
