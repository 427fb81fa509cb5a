package wallet

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/vc"
)

// ErrNoCompanion says that the consent names nobody by key to share it with.
var ErrNoCompanion = fault.New(fault.Conflict, "consent-no-companion", "the consent names no companion by key, or several: say which").
	WithHint("name the companion by the key of their wallet; a companion without a wallet travels with a paper pass")

// givenLink is a link that was made for a companion.
type givenLink struct {
	ID      string    `json:"id"`
	Expires time.Time `json:"expires"`
}

// share is what a companion gets: the child's border birth, the guardianships
// that the consent rests on, and the consent. The companion's wallet believes
// none of it before the signatures and the status held.
type share struct {
	Birth     string  `json:"birth"`
	Parties   []party `json:"parties"`
	Witnessed string  `json:"witnessed,omitempty"`
}

// LogValue keeps a person's data out of every log.
func (s share) LogValue() slog.Value { return slog.StringValue("share") }

// ShareConsent makes a link with which the companion whom the consent names by
// key gets what is needed to show it. It is of use to that key alone. key says
// which companion, where there are several.
func (w *Wallet) ShareConsent(ctx context.Context, g Guardian, id, key string) (Link, error) {
	if w.cfg.Base == "" {
		return Link{}, ErrNoBase
	}
	v, c, err := w.openConsent(ctx, g, id)
	if err != nil {
		return Link{}, err
	}
	j, err := w.judge(ctx)
	if err != nil {
		return Link{}, err
	}
	now := w.cfg.Now()
	switch c = w.synced(ctx, v, c, j); {
	case c.Shared:
		return Link{}, ErrNoSuchConsent // what was shared is not passed on
	case !c.usable(now):
		return Link{}, ErrConsentState
	}
	if key, err = c.companion(key); err != nil {
		return Link{}, err
	}
	if err := w.birthNow(ctx, v, &c); err != nil {
		return Link{}, err
	}
	out := share{Birth: c.Birth, Parties: slices.Clone(c.Parties), Witnessed: c.Witnessed}
	if out.Witnessed != "" {
		for i := range out.Parties {
			out.Parties[i].Consent = "" // the witness stands for them
		}
	}
	expires := now.UTC().Truncate(time.Second).Add(shareLife)
	if end := c.until(); end.Before(expires) {
		expires = end
	}
	l := newLink(w.cfg.Base)
	d, err := newDrop(l, dropKey, out, expires)
	if err != nil {
		return Link{}, err
	}
	d.onlyFor(key)
	if _, err := w.changeConsent(ctx, v, c.ID, func(c *consentHeld) error {
		if !c.usable(now) {
			return ErrConsentState // withdrawn meanwhile
		}
		c.Given = slices.DeleteFunc(c.Given, func(g givenLink) bool { return g.Expires.Before(now) })
		c.Given = append(c.Given, givenLink{ID: l.ID, Expires: expires})
		c.leave = []drop{d}
		return nil
	}); err != nil {
		return Link{}, err
	}
	w.note(ctx, v, ActShared, c.childID(v))
	return Link{Link: l.String(), ExpiresAt: expires}, nil
}

// birthNow puts the child's border birth as the wallet has it now in the place
// of the one that was there when the journey was written down: a record that was
// corrected or renewed keeps its childRef, and what was agreed to holds for it.
func (w *Wallet) birthNow(ctx context.Context, v *vault, c *consentHeld) error {
	if c.Child == "" {
		return nil
	}
	all, err := w.credentials(ctx, v)
	if err != nil {
		return err
	}
	birth, _ := mandate(all, c.Child, c.subject.ChildRef, w.cfg.Now())
	if birth != nil && birth.vc.Issuer == c.Host {
		c.Birth, c.birth = birth.JWT, birth
	}
	return nil
}

// companion finds the companion's key: the one that is asked for, or the only
// one.
func (c *consentHeld) companion(key string) (string, error) {
	var keys []string
	for _, a := range c.subject.Accompanying {
		if a.Key != "" && (key == "" || a.Key == key) {
			keys = append(keys, a.Key)
		}
	}
	if len(keys) != 1 {
		return "", ErrNoCompanion
	}
	return keys[0], nil
}

// Redeem takes what a guardian shared. Everything is verified before it is
// kept: the trust list, the signatures, that they belong together, the status,
// and that the consent names the caller's key. The same link again gives the
// same answer.
func (w *Wallet) Redeem(ctx context.Context, g Guardian, link string) (Child, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), acceptPatience)
	defer cancel()
	l, err := w.parseLink(link)
	if err != nil {
		return Child{}, err
	}
	v, err := w.vault(ctx, g.ID)
	if err != nil {
		return Child{}, gone(err, ErrLinkGone)
	}
	h, err := w.holderOf(ctx, v)
	if err != nil {
		return Child{}, err
	}
	j, err := w.judge(ctx)
	if err != nil {
		return Child{}, err
	}
	var s share
	if err := (far{w, l}).prove(ctx, h, &s); err != nil {
		return Child{}, err
	}
	k, err := j.shared(ctx, &s, h.DID)
	if err != nil {
		return Child{}, err
	}
	all, err := w.credentials(ctx, v)
	if err != nil {
		return Child{}, err
	}
	c := consentHeld{consentKept: k}
	if err := c.read(); err != nil {
		return Child{}, err
	}
	// A guardian who is the companion has the child already.
	for i := range all {
		if all[i].childRef() == c.subject.ChildRef && all[i].vc.Issuer == k.Host {
			k.Child, k.Name = all[i].Child, nameOf(all, all[i].Child, w.cfg.Now())
			break
		}
	}
	digest, err := vc.ConsentDigest(k.Subject)
	if err != nil {
		return Child{}, err
	}
	if c, err = w.keepConsent(ctx, v, k, v.find("shared", digest)); err != nil {
		return Child{}, err
	}
	// It may have been shared before, and be witnessed or the birth corrected now.
	if k.Witnessed != "" && c.Witnessed == "" || k.Birth != c.Birth && c.Shared {
		if c, err = w.changeConsent(ctx, v, c.ID, func(c *consentHeld) error {
			c.Birth, c.State, c.Checked = k.Birth, k.State, k.Checked
			if k.Witnessed != "" || c.Witnessed == "" {
				c.Subject, c.Parties, c.Witnessed = k.Subject, k.Parties, k.Witnessed
			}
			return nil
		}); err != nil {
			return Child{}, err
		}
	}
	kids, err := w.Children(ctx, g)
	if err != nil {
		return Child{}, err
	}
	for _, kid := range kids {
		if kid.ID == c.childID(v) {
			w.note(ctx, v, ActReceived, kid.ID)
			return kid, nil
		}
	}
	return Child{}, ErrNoSuchChild
}

// shared verifies what was shared with the holder of a key.
func (j *judge) shared(ctx context.Context, s *share, me string) (consentKept, error) {
	now := j.w.cfg.Now()
	birth, err := j.record(ctx, s.Birth)
	if err != nil {
		return consentKept{}, partsRefused(err, "/birth", -1)
	}
	host := listed(j.trust, birth.vc.Issuer)
	if birth.birth == nil || host == nil || !host.ConsentStatus {
		return consentKept{}, partsRefused(refusedRule("is no birth of an office that keeps consents"), "/birth", -1)
	}
	if len(s.Parties) == 0 || len(s.Parties) > maxGrantors {
		return consentKept{}, partsRefused(refusedRule("names no guardian, or too many"), "/parties", -1)
	}
	k := consentKept{Me: me, Shared: true, Host: host.DID, Birth: s.Birth, Parties: s.Parties, Witnessed: s.Witnessed, Frozen: true, Checked: now.UTC()}
	said, err := j.agreed(ctx, &k, host)
	if err != nil {
		return consentKept{}, err
	}
	if said.ChildRef != birth.childRef() {
		return consentKept{}, partsRefused(refusedRule("is about another child"), "/birth", -1)
	}
	if !slices.ContainsFunc(said.Accompanying, func(a vc.Companion) bool { return a.Key == me }) {
		return consentKept{}, partsRefused(refusedRule("names another companion"), "/parties", -1)
	}
	for i, g := range said.Grantors {
		if _, err := j.grantor(ctx, k.Parties[i].Guardianship, g, said.ChildRef); err != nil {
			return consentKept{}, partsRefused(err, "/parties", i)
		}
	}
	k.Quorum = len(said.Grantors)
	return k, nil
}

// agreed verifies the signatures of a share: the witness's, or every grantor's.
// It fills in the subject and puts the parties in the order of its grantors.
func (j *judge) agreed(ctx context.Context, k *consentKept, host *vc.TrustIssuer) (*vc.TravelConsent, error) {
	if k.Witnessed != "" {
		_, said, err := j.witnessed(ctx, k.Witnessed, host)
		if err != nil {
			return nil, partsRefused(err, "/witnessed", -1)
		}
		if k.Parties, err = partiesOf(said, k.Parties); err != nil {
			return nil, partsRefused(err, "/parties", -1)
		}
		said.Assurance = vc.Assurance{Level: vc.LevelSelfSigned}
		k.Subject, err = plainJSON(said)
		return said, err
	}
	first, err := vc.SplitJWS(k.Parties[0].Consent)
	if err != nil {
		return nil, partsRefused(refusedRule("is not a signed credential"), "/parties", 0)
	}
	// Read to know whose signature to check; believed only once it held.
	c, said, err := consentOf(first.PayloadUnverified())
	if err != nil {
		return nil, partsRefused(err, "/parties", 0)
	}
	if len(said.Grantors) != len(k.Parties) {
		return nil, partsRefused(refusedRule("names more guardians, or fewer, than are there"), "/parties", -1)
	}
	for i, g := range said.Grantors {
		signed, err := j.signedBy(k.Parties[i].Consent, g, c.Subject, host)
		if err == nil {
			err = j.good(ctx, host, signed.Status)
		}
		if err != nil {
			return nil, partsRefused(err, "/parties", i)
		}
	}
	k.Subject = c.Subject
	return said, nil
}

// partiesOf gives the guardianships that a witnessed consent cites, in its
// order.
func partiesOf(said *vc.TravelConsent, from []party) ([]party, error) {
	var out []party
	for _, g := range said.Grantors {
		at := slices.IndexFunc(from, func(p party) bool {
			c, _, err := reread(p.Guardianship)
			return err == nil && c.ID == g.Guardianship
		})
		if at < 0 {
			return nil, refusedRule("lack a guardianship that the consent cites")
		}
		out = append(out, party{Guardianship: from[at].Guardianship})
	}
	return out, nil
}

// Dossier is what a witness needs to see (POST /consents of the witness's
// office): the birth, the guardianships and what every grantor signed.
type Dossier struct {
	Birth         string   `json:"birth"`
	Guardianships []string `json:"guardianships"`
	Consents      []string `json:"consents"`
}

// LogValue keeps a person's data out of every log.
func (d Dossier) LogValue() slog.Value { return slog.StringValue("dossier") }

// ConsentDossier gives what the guardian brings to a witness, as far as it is
// signed.
func (w *Wallet) ConsentDossier(ctx context.Context, g Guardian, id string) (Dossier, error) {
	v, c, err := w.openConsent(ctx, g, id)
	if err != nil {
		return Dossier{}, err
	}
	if c.Shared {
		return Dossier{}, ErrNoSuchConsent
	}
	j, err := w.judge(ctx)
	if err != nil {
		return Dossier{}, err
	}
	c = w.synced(ctx, v, c, j)
	if err := w.birthNow(ctx, v, &c); err != nil {
		return Dossier{}, err
	}
	out := Dossier{Birth: c.Birth}
	if state := c.state(w.cfg.Now()); state == consentWithdrawn || state == consentExpired || c.State != stateGood || c.Parties[c.mine()].Consent == "" {
		return Dossier{}, ErrConsentState
	}
	for _, p := range c.Parties {
		if p.Consent != "" {
			out.Guardianships, out.Consents = append(out.Guardianships, p.Guardianship), append(out.Consents, p.Consent)
		}
	}
	w.note(ctx, v, ActDossier, c.childID(v))
	return out, nil
}

// KeepWitnessed stores what a witness signed, after it was verified: a role of
// the trust list, the level that it gives, the journey that the guardian
// signed, and the guardian among those who agree. The other grantors get it
// with their next reading.
func (w *Wallet) KeepWitnessed(ctx context.Context, g Guardian, id, credential string) (Consent, error) {
	v, c, err := w.openConsent(ctx, g, id)
	if err != nil {
		return Consent{}, err
	}
	if c.Shared {
		return Consent{}, ErrNoSuchConsent
	}
	if state := c.state(w.cfg.Now()); state == consentWithdrawn || state == consentExpired || c.Parties[c.mine()].Consent == "" {
		return Consent{}, ErrConsentState
	}
	j, err := w.judge(ctx)
	if err != nil {
		return Consent{}, err
	}
	host := listed(j.trust, c.Host)
	if host == nil {
		return Consent{}, ErrConsentHost
	}
	refuse := func(rule string) error { return partsRefused(refusedRule(rule), "/credential", -1) }
	signed, said, err := j.witnessed(ctx, credential, host)
	switch {
	case err != nil:
		return Consent{}, partsRefused(err, "/credential", -1)
	case !sameJourney(&c.subject, said):
		return Consent{}, refuse("is about another journey")
	case !names(said, c.Me):
		return Consent{}, refuse("does not name you among those who agree")
	case !holds(signed.Status, c.Sign.Entries):
		return Consent{}, refuse("could not be withdrawn by you")
	}
	c, err = w.changeConsent(ctx, v, id, func(c *consentHeld) error {
		if !c.Withdraw.IsZero() {
			return ErrConsentState
		}
		c.Witnessed, c.State, c.Checked = credential, stateGood, w.cfg.Now().UTC()
		if c.Room != nil {
			c.Room.Done = false
		}
		return nil
	})
	if err != nil {
		return Consent{}, err
	}
	w.note(ctx, v, ActWitnessed, c.childID(v))
	return w.shownConsent(ctx, v, w.synced(ctx, v, c, j))
}

// holds reports whether all of some is in list.
func holds(list, some []vc.StatusEntry) bool {
	for _, e := range some {
		if !slices.Contains(list, e) {
			return false
		}
	}
	return len(some) > 0
}

// refreshConsents reads the status of what can be shown and passes on the
// withdrawals that no office knows of yet.
func (w *Wallet) refreshConsents(ctx context.Context, v *vault, r *round) (Renewed, error) {
	var out Renewed
	all, err := w.consents(ctx, v)
	if err != nil {
		return out, err
	}
	now := w.cfg.Now()
	for i := range all {
		c := &all[i]
		if c.Shared && now.After(c.until().Add(keepShared)) {
			if err := w.forgetConsent(ctx, v, c); err != nil {
				return out, err
			}
			continue
		}
		switch c.state(now) {
		case consentWithdrawn:
			if !c.Told && c.Sign != nil && len(c.Sign.Entries) > 0 {
				if err := w.passOn(ctx, v, *c); err != nil {
					if fault.As(err).Kind == fault.Internal {
						return out, err
					}
					out.Failed++
				}
			}
		case consentSigned, consentWitnessed:
			state, err := w.consentState(ctx, c, r)
			var rule refusedRule
			if err != nil && fault.As(err).Kind == fault.Internal && !errors.As(err, &rule) {
				return out, err
			}
			if err != nil {
				out.Failed++
				continue
			}
			out.Checked++
			jwt := c.Witnessed
			if _, err := w.changeConsent(ctx, v, c.ID, func(c *consentHeld) error {
				if c.Witnessed == jwt {
					c.State, c.Checked = state, now.UTC()
				}
				return nil
			}); err != nil && err != ErrNoSuchConsent {
				return out, err
			}
		}
	}
	return out, nil
}

// keepShared is how long a companion keeps what is over: to answer questions
// about a journey that was, and no longer.
const keepShared = 7 * 24 * time.Hour

// consentState says what the status of what is shown says: the consents, the
// birth and the guardianships that they rest on.
func (w *Wallet) consentState(ctx context.Context, c *consentHeld, r *round) (string, error) {
	read := func(issuer string, entries []vc.StatusEntry) (string, error) {
		is := listed(r.trust, issuer)
		if is == nil {
			return "", ErrIssuerUntrusted
		}
		l := r.lists[issuer]
		if l == nil || w.cfg.Now().Sub(l.now) > listLife {
			l = w.lists(is)
			r.lists[issuer] = l
		}
		return l.pairs(ctx, entries)
	}
	var entries []vc.StatusEntry
	if c.witness != nil {
		entries = c.witness.Status
	} else {
		for _, s := range c.signs {
			entries = append(entries, s.Status...)
		}
	}
	state, err := read(c.Host, entries)
	if err != nil || state != stateGood {
		return state, err
	}
	records := slices.Clone(c.guards)
	if c.Shared {
		records = append(records, c.birth)
	}
	for _, h := range records {
		if state, err = read(h.vc.Issuer, h.vc.Status); err != nil || state != stateGood {
			return state, err
		}
	}
	return stateGood, nil
}
