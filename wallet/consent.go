package wallet

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/vc"
)

// Faults of travel consents.
var (
	ErrNoSuchConsent  = fault.New(fault.NotFound, "no-such-consent", "there is no such consent in this wallet")
	ErrConsentInvalid = fault.New(fault.Invalid, "consent-invalid", "this cannot be agreed to as it is; see the fields")
	ErrNoMandate      = fault.New(fault.Conflict, "consent-no-mandate", "the wallet has no guardianship of this child that allows to agree to a journey").WithHint("renew the credentials, or ask the registry office; a guardian whose mandate does not allow it cannot agree")
	ErrConsentMany    = fault.New(fault.Conflict, "consent-too-many", "the wallet holds as many consents as it may").WithHint("delete those that are over")
	ErrConsentHost    = fault.New(fault.Unprocessable, "consent-no-status", "the office that registered the birth does not take part in travel consents").WithHint("ask the office, or have the consent given on paper")
	ErrConsentState   = fault.New(fault.Conflict, "consent-state", "this cannot be done with the consent as it stands")
	ErrConsentSigners = fault.New(fault.Conflict, "consent-signers-missing", "another guardian must join before this is signed: nobody can be added afterwards").
				WithHint("send the invitation to the other guardian; to sign alone all the same, say so: a border may refuse it")
	ErrConsentEpoch = fault.New(fault.Conflict, "consent-outlived", "the child's credentials were renewed since this was agreed to; they do not belong together any more").
			WithHint("make a new consent")
)

const (
	listPatience = 5 * time.Second

	maxConsents = 512 // per guardian; a class trip is sixty
	// consentTerm is how long a consent that names no end is good: two years
	// (CNJ 131/2011, Art. 10), counted from grantedOn.
	consentTerm = 24
)

// States of a consent. notUsable is no state: see Consent.Usable.
const (
	consentDraft     = "draft"     // nobody signed, nobody was asked
	consentOpen      = "open"      // guardians were asked, or have not all signed
	consentSigned    = "signed"    // every guardian that it names has signed
	consentWitnessed = "witnessed" // and somebody whose role the trust list knows bears witness
	consentWithdrawn = "withdrawn" // by the caller
	consentExpired   = "expired"
)

// Consent is a travel consent as its guardian, or the companion it was shared
// with, sees it.
type Consent struct {
	ID     string `json:"id"`
	Child  string `json:"child"`
	Shared bool   `json:"shared,omitempty"` // with the caller, who is no grantor
	State  string `json:"state"`
	// Usable: it can be shown now. What is signed and not usable was withdrawn
	// or suspended by somebody; the wallet does not know by whom or why.
	Usable     bool             `json:"usable"`
	Digest     string           `json:"digest"` // the trip digest
	Quorum     int              `json:"quorum"` // how many guardians must sign
	Grantors   []ConsentGrantor `json:"grantors"`
	ValidUntil time.Time        `json:"validUntil"`
	Checked    time.Time        `json:"checked,omitzero"` // when its status was last read
	Lines      []string         `json:"lines"`            // plain words: who, where, when
	Invitation *Link            `json:"invitation,omitempty"`
	// Subject is what is signed, in full. For one consent only.
	Subject json.RawMessage `json:"subject,omitempty"`
	// Terms is what Lines say, for pages.
	Terms Terms `json:"-"`
}

// ConsentGrantor is one guardian who agrees.
type ConsentGrantor struct {
	Key    string `json:"key"` // did:key
	You    bool   `json:"you"`
	Signed bool   `json:"signed"`
}

// Link is an address with a secret in its fragment, which no server sees. Who
// has the link has what it leads to.
type Link struct {
	Link      string    `json:"link"`
	ExpiresAt time.Time `json:"expiresAt"`
}

// LogValue keeps a person's data out of every log.
func (c Consent) LogValue() slog.Value { return slog.StringValue("consent") }

// LogValue keeps the secret out of every log.
func (l Link) LogValue() slog.Value { return slog.StringValue("link") }

// consentKept is a consent as it is sealed.
type consentKept struct {
	Child  string `json:"child,omitempty"` // the wallet's id of the caller's own child; none if it is known from a share only
	Name   string `json:"name,omitempty"`  // of that child, as the caller's wallet has it
	Me     string `json:"me"`              // did:key of the caller
	Shared bool   `json:"shared,omitempty"`
	Quorum int    `json:"quorum"`
	// Subject is what is signed, byte for byte; every grantor signs the same.
	Subject json.RawMessage `json:"subject"`
	Frozen  bool            `json:"frozen,omitempty"` // no grantor can be added any more
	Host    string          `json:"host"`             // DID of the issuer of the birth, which hosts the status
	Birth   string          `json:"birth"`            // border vc+jwt
	Parties []party         `json:"parties"`          // in the order of the subject's grantors

	Room   *room       `json:"room,omitempty"`   // where the grantors meet
	Invite *invite     `json:"invite,omitempty"` // to the room, of who made it
	Seats  int         `json:"seats,omitempty"`  // how many guardians there are, as far as the mandate says
	Given  []givenLink `json:"given,omitempty"`  // links for companions

	Sign      *signing  `json:"sign,omitempty"`
	Witnessed string    `json:"witnessed,omitempty"` // vc+jwt
	Withdraw  time.Time `json:"withdraw,omitzero"`   // when the caller withdrew
	Told      bool      `json:"told,omitempty"`      // the office knows of it
	State     string    `json:"state,omitempty"`     // of its status entries, as of Checked
	Checked   time.Time `json:"checked,omitzero"`
}

// party is one grantor: the guardianship that the consent cites, as it was
// when it was cited, and the consent that this grantor signed.
type party struct {
	Guardianship string `json:"guardianship"` // border vc+jwt
	Consent      string `json:"consent,omitempty"`
}

// signing is what must be the same however often signing is tried.
type signing struct {
	Request string           `json:"request"` // jti of the reservation
	ID      string           `json:"id"`      // of the credential
	From    time.Time        `json:"from"`
	Until   time.Time        `json:"until,omitzero"`
	Entries []vc.StatusEntry `json:"entries,omitempty"`
}

// LogValue keeps a person's data out of every log.
func (k consentKept) LogValue() slog.Value { return slog.StringValue("consent") }

// consentHeld is one stored consent, opened.
type consentHeld struct {
	ID string
	consentKept

	subject vc.TravelConsent
	birth   *held
	guards  []*held          // of Parties
	signs   []*vc.Credential // of Parties, nil where there is none
	witness *vc.Credential

	leave  []drop   // to be left when it is stored
	remove []string // drops to be taken away then
}

// read fills in what the consent says. What is kept was verified before it was
// sealed.
func (c *consentHeld) read() error {
	c.subject = vc.TravelConsent{} // what is decoded into again keeps old members
	if err := vc.StrictJSON(c.Subject, &c.subject, vc.MaxDepth); err != nil {
		return errUnsealed.With(err)
	}
	if len(c.Parties) != len(c.subject.Grantors) {
		return errUnsealed
	}
	read := func(jwt string) (*held, error) {
		h := &held{Child: c.Child, kept: kept{JWT: jwt}}
		return h, h.read()
	}
	var err error
	if c.birth, err = read(c.Birth); err != nil {
		return err
	}
	c.guards = nil
	for _, p := range c.Parties {
		g, err := read(p.Guardianship)
		if err != nil {
			return err
		}
		if g.guardianship == nil {
			return errUnsealed
		}
		c.guards = append(c.guards, g)
	}
	if c.birth.birth == nil {
		return errUnsealed
	}
	c.signs, c.witness = make([]*vc.Credential, len(c.Parties)), nil
	for i, p := range c.Parties {
		if p.Consent == "" {
			continue
		}
		if c.signs[i], _, err = reread(p.Consent); err != nil {
			return errUnsealed.With(err)
		}
	}
	if c.Witnessed != "" {
		if c.witness, _, err = reread(c.Witnessed); err != nil {
			return errUnsealed.With(err)
		}
	}
	return nil
}

// mine gives the place of the caller among the grantors, -1 for a companion.
func (c *consentHeld) mine() int {
	return slices.IndexFunc(c.subject.Grantors, func(g vc.Grantor) bool { return g.Key == c.Me })
}

func (c *consentHeld) signed() int {
	n := 0
	for _, p := range c.Parties {
		if p.Consent != "" {
			n++
		}
	}
	return n
}

// until is when the consent ends: with the first of what is shown of it.
func (c *consentHeld) until() time.Time {
	end := consentEnd(&c.subject)
	sooner := func(t time.Time) {
		if !t.IsZero() && t.Before(end) {
			end = t
		}
	}
	if c.witness != nil {
		sooner(c.witness.ValidTo)
		return end
	}
	if c.Sign != nil {
		sooner(c.Sign.Until)
	}
	for _, s := range c.signs {
		if s != nil {
			sooner(s.ValidTo)
		}
	}
	return end
}

func (c *consentHeld) state(now time.Time) string {
	switch {
	case !c.Withdraw.IsZero():
		return consentWithdrawn
	case !now.Before(c.until()):
		return consentExpired
	case c.Witnessed != "":
		return consentWitnessed
	case c.signed() == len(c.Parties):
		return consentSigned
	case c.signed() > 0 || c.Frozen || len(c.Parties) > 1 || c.Room != nil:
		return consentOpen
	}
	return consentDraft
}

// usable reports whether the consent can be shown now.
func (c *consentHeld) usable(now time.Time) bool {
	if s := c.state(now); s != consentSigned && s != consentWitnessed {
		return false
	}
	return c.State == stateGood
}

// childID is the id of the child in this wallet: the caller's own, or one that
// follows from the childRef for a child who is known from shares only.
func (c *consentHeld) childID(v *vault) string {
	if c.Child != "" {
		return c.Child
	}
	return sharedChild(v, c.Host, c.subject.ChildRef)
}

func (c *consentHeld) shown(v *vault, now time.Time) (Consent, error) {
	digest, err := vc.ConsentDigest(c.Subject)
	if err != nil {
		return Consent{}, errUnsealed.With(err)
	}
	out := Consent{ID: c.ID, Child: c.childID(v), Shared: c.Shared, State: c.state(now), Usable: c.usable(now), Digest: digest,
		Quorum: c.Quorum, Grantors: []ConsentGrantor{}, ValidUntil: c.until(), Checked: c.Checked, Lines: c.lines(now), Terms: c.terms()}
	for i, g := range c.subject.Grantors {
		out.Grantors = append(out.Grantors, ConsentGrantor{Key: g.Key, You: g.Key == c.Me, Signed: c.Parties[i].Consent != ""})
	}
	return out, nil
}

// consentEnd gives the end of a consent: noon UTC after the last day of the
// journey, which is then over everywhere on earth, or two years after it was
// granted.
func consentEnd(s *vc.TravelConsent) time.Time {
	if d, err := vc.ParseDate(s.Trip.NotAfter); err == nil {
		return d.AddDays(1).Time().Add(12 * time.Hour)
	}
	d, err := vc.ParseDate(s.GrantedOn)
	if err != nil {
		return time.Time{}
	}
	return d.Time().AddDate(0, consentTerm, 1).Add(12 * time.Hour)
}

// Draft is what a guardian agrees to. Accompanying, Receiving and Trip have the
// form of the schema registration/consent.
type Draft struct {
	Child             string          `json:"child"`
	Mode              string          `json:"mode"`
	Accompanying      json.RawMessage `json:"accompanying"`
	Receiving         json.RawMessage `json:"receiving"`
	Trip              json.RawMessage `json:"trip"`
	RelocationAllowed bool            `json:"relocationAllowed"`
	MedicalConsent    string          `json:"medicalConsent"`
	GrantedOn         string          `json:"grantedOn"`
	// Invite asks for an invitation to other guardians also where the mandate
	// does not need them: some borders do.
	Invite bool `json:"invite"`
}

// LogValue keeps a person's data out of every log.
func (d Draft) LogValue() slog.Value { return slog.StringValue("draft") }

// DraftConsent writes down what is to be signed. Nothing is sent and nothing is
// signed yet.
func (w *Wallet) DraftConsent(ctx context.Context, g Guardian, d Draft) (Consent, error) {
	v, err := w.vault(ctx, g.ID)
	if err != nil {
		return Consent{}, gone(err, ErrNoSuchChild)
	}
	k, leave, err := w.drafted(ctx, v, d)
	if err != nil {
		return Consent{}, err
	}
	c, err := w.keepConsent(ctx, v, k, nil, leave...)
	if err != nil {
		return Consent{}, err
	}
	return w.shownConsent(ctx, v, c)
}

// drafted makes a consent of a draft, and what must be left for the guardians
// who are to be invited.
func (w *Wallet) drafted(ctx context.Context, v *vault, d Draft) (consentKept, []drop, error) {
	none := consentKept{}
	all, err := w.credentials(ctx, v)
	if err != nil {
		return none, nil, err
	}
	if !slices.ContainsFunc(all, func(c held) bool { return c.Child == d.Child }) {
		return none, nil, ErrNoSuchChild
	}
	now := w.cfg.Now()
	birth, guard := mandate(all, d.Child, "", now)
	if birth == nil {
		return none, nil, ErrNoMandate
	}
	h, err := w.holderOf(ctx, v)
	if err != nil {
		return none, nil, err
	}
	if guard.guardianship.ID != h.DID {
		return none, nil, ErrNoMandate
	}
	subject, err := d.subject(vc.Grantor{Guardianship: guard.vc.ID, Key: h.DID}, birth.childRef(), now)
	if err != nil {
		return none, nil, err
	}
	trust, err := w.trust(ctx)
	if err != nil {
		return none, nil, err
	}
	if _, err := w.host(trust, birth.vc.Issuer); err != nil {
		return none, nil, err
	}
	k := consentKept{Child: d.Child, Name: nameOf(all, d.Child, now), Me: h.DID, Subject: subject, Host: birth.vc.Issuer, Birth: birth.JWT,
		Parties: []party{{Guardianship: guard.JWT}}, Quorum: signers(guard.guardianship.Exercise, d.Mode)}
	var leave []drop
	if k.Quorum > 1 || d.Invite {
		if leave, err = w.openRoom(&k, h, guard.guardianship.Exercise); err != nil {
			return none, nil, err
		}
	}
	return k, leave, nil
}

// nameOf gives the name of a child as the caller's wallet shows it.
func nameOf(all []held, child string, now time.Time) string {
	c := Child{ID: child}
	describeChild(&c, all, now)
	return first(c.Names, "")
}

// mandate finds the border birth and guardianship of a child under which the
// guardian may agree to journeys: good now, joined, the newest record, the
// later end. ref asks for one childRef, "" for any.
func mandate(all []held, child, ref string, now time.Time) (birth, guard *held) {
	var some []held
	for _, c := range all {
		if ref != "" && c.childRef() != ref {
			continue
		}
		if c.guardianship != nil && !slices.Contains(c.guardianship.Powers, "travelConsent") {
			continue
		}
		some = append(some, c)
	}
	birth, guard, err := choose(some, child, now)
	if err != nil {
		return nil, nil
	}
	return birth, guard
}

// signers gives how many guardians must sign. The guardian who travels with the
// child counts towards the quorum of the mandate by being there.
func signers(x vc.Exercise, mode string) int {
	n := 1
	if x.Mode == "joint" && (len(x.JointFor) == 0 || slices.Contains(x.JointFor, "travelConsent") || slices.Contains(x.JointFor, "travelAccompany")) {
		switch {
		case x.Quorum > 0:
			n = x.Quorum
		case x.CoGuardianCount > 0:
			n = x.CoGuardianCount
		default:
			n = 2
		}
	}
	if mode == vc.ModeOneGuardian {
		n--
	}
	return max(n, 1)
}

// Consents lists what the guardian agreed to and what was shared with them,
// oldest first. Each is brought up to date with what the other guardians did.
func (w *Wallet) Consents(ctx context.Context, g Guardian) ([]Consent, error) {
	out := []Consent{}
	v, err := w.vault(ctx, g.ID)
	if err == errNoWallet {
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	all, err := w.consents(ctx, v)
	if err != nil {
		return nil, err
	}
	j, err := w.judge(ctx)
	if err != nil && !errors.Is(err, ErrNotReady) {
		return nil, err
	}
	// However many services have to be asked, a list is there in time.
	soon, cancel := context.WithTimeout(ctx, listPatience)
	defer cancel()
	for _, c := range all {
		s, err := w.shownConsent(ctx, v, w.synced(soon, v, c, j))
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// Consent gives one consent with everything that it says.
func (w *Wallet) Consent(ctx context.Context, g Guardian, id string) (Consent, error) {
	v, c, err := w.openConsent(ctx, g, id)
	if err != nil {
		return Consent{}, err
	}
	j, err := w.judge(ctx)
	if err != nil && !errors.Is(err, ErrNotReady) {
		return Consent{}, err
	}
	c = w.synced(ctx, v, c, j)
	out, err := w.shownConsent(ctx, v, c)
	out.Subject = c.Subject
	return out, err
}

// shownConsent gives a consent as it is shown, with an invitation that can be
// used if others are still to join.
func (w *Wallet) shownConsent(ctx context.Context, v *vault, c consentHeld) (Consent, error) {
	c, err := w.invited(ctx, v, c)
	if err != nil {
		return Consent{}, err
	}
	now := w.cfg.Now()
	out, err := c.shown(v, now)
	if err == nil && c.inviting(now) {
		out.Invitation = &Link{Link: c.Invite.Link.String(), ExpiresAt: c.Invite.Expires}
	}
	return out, err
}

// Key gives the caller's holder key as did:key, for guardians who name them in
// a consent. A wallet is made for who has none.
func (w *Wallet) Key(ctx context.Context, g Guardian) (string, error) {
	v, err := w.enter(ctx, g.ID)
	if err != nil {
		return "", err
	}
	h, err := w.holderOf(ctx, v)
	return h.DID, err
}

// sharedChild gives the id of a child whom the caller knows from shares only.
func sharedChild(v *vault, host, ref string) string {
	return b64.EncodeToString(v.find("shared-child", host, ref)[:12])
}

// plainJSON writes v as it will be signed: no character escaped that JSON does
// not ask to be, no line end.
func plainJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSpace(b.Bytes()), nil
}
