package check

import (
	"bytes"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/vc"
)

// Limits of a travel consent (schema credential/consent).
const (
	maxGrantors   = 10
	maxCompanions = 20
	maxCountries  = 50
)

// readGrantor reads a credential by a key that is not on the trust list. Only
// a grantor's own travel consent can be one: issuer, kid and key are the same
// did:key. That it verifies proves a signature and nothing more; whether its
// maker may consent is for proveGrantors to find in the guardianships beside it.
func (e *exam) readGrantor(c *credential, v *vc.JWS) {
	c.unknownKey = true
	public, err := did.ParseKey(v.Header.Kid)
	if err != nil {
		return
	}
	payload, err := v.Verify(public)
	if err != nil {
		c.unknownKey, c.forged = false, true
		return
	}
	parsed, err := vc.ParseCredential(payload)
	if err != nil || !isExactly(parsed, vc.TypeConsent) {
		return
	}
	c.unknownKey, c.bySelf = false, true
	if parsed.Issuer != did.Base(v.Header.Kid) {
		c.forged = true // in somebody else's name
		return
	}
	c.Credential, c.level = parsed, vc.LevelSelfSigned
	c.readSubject()
}

// readConsent reads the subject of a consent whose signature held. A claim of
// more assurance than the signature gives is a false statement, not a slip
// (settled question 11).
func (c *credential) readConsent() {
	t := new(vc.TravelConsent)
	if !isExactly(c.Credential, vc.TypeConsent) || vc.DecodeChecked(c.Subject, t) != nil || !completeConsent(t, c.Credential) {
		return
	}
	c.unclear = false
	if vc.LevelRank(t.Assurance.Level) > vc.LevelRank(c.level) {
		c.forged = true
		return
	}
	c.consent = t
}

// completeConsent reports whether a consent has all that the rules need, in
// forms that they can compare.
func completeConsent(t *vc.TravelConsent, c *vc.Credential) bool {
	if !childRef(t.ChildRef) || len(t.Grantors) == 0 || len(t.Grantors) > maxGrantors ||
		len(t.Accompanying) > maxCompanions || vc.LevelRank(t.Assurance.Level) < 0 ||
		len(t.Nonce) < minNonce || len(t.Nonce) > 200 {
		return false
	}
	for i := range t.Grantors {
		g := &t.Grantors[i]
		if g.Key == "" || g.Guardianship == "" || !oneOf(g.Capacity, "", "guardian", "court", "stateGuardian") {
			return false
		}
	}
	switch t.Mode {
	case vc.ModeAlone:
		if t.Receiving == nil {
			return false
		}
	case vc.ModeOneGuardian:
	case vc.ModeThirdParty, vc.ModeGroup:
		if len(t.Accompanying) == 0 {
			return false
		}
	default:
		return false
	}
	return completeTrip(&t.Trip) && grantedInTime(t, c)
}

func completeTrip(t *vc.Trip) bool {
	if !country(t.DepartFrom) || len(t.Destinations) == 0 || len(t.Destinations)+len(t.Transit) > maxCountries ||
		t.Crossings < 0 || t.Crossings > 20 {
		return false
	}
	for _, list := range [...][]string{t.Destinations, t.Transit} {
		for _, c := range list {
			if !country(c) {
				return false
			}
		}
	}
	from, err := vc.ParseDate(t.NotBefore)
	if err != nil {
		return false
	}
	for _, s := range [...]string{t.NotAfter, t.ReturnBy} {
		if s == "" {
			continue
		}
		if d, err := vc.ParseDate(s); err != nil || d.Before(from) {
			return false
		}
	}
	return true
}

// grantedInTime refuses a day of consent after the signature: it would make an
// old consent look fresh. A day of difference is the zones'.
func grantedInTime(t *vc.TravelConsent, c *vc.Credential) bool {
	d, err := vc.ParseDate(t.GrantedOn)
	return err == nil && !d.After(vc.DateOf(c.ValidFrom).AddDays(1))
}

// judgeConsents finds out of each consent whether it was withdrawn, who of its
// grantors can be believed, and whether it is for this journey and these
// adults.
func (e *exam) judgeConsents() {
	var births []string
	for _, b := range e.births {
		if !contains(births, b.Issuer) {
			births = append(births, b.Issuer)
		}
	}
	for _, c := range e.consents {
		h := e.bundle.hostsFor(c, births)
		c.answer = e.bundle.consentStatus(c, h, e.now)
		if c.answer.used {
			e.uses(&c.answer)
		}
	}
}

// hosts are the issuers whose lists are asked about a consent.
type hosts struct {
	dids []string
	// doubtful: they are not known to be the ones to ask, because the birth
	// credential is missing or its issuer hosts no consents. What they call
	// withdrawn is, so that leaving the birth credential out hides nothing;
	// that they call it valid proves nothing.
	doubtful bool
}

// hostsFor finds whom to ask: the issuer of the birth credential, and a court
// about what it allowed itself.
func (b *Bundle) hostsFor(c *credential, births []string) hosts {
	h := hosts{}
	for _, did := range births {
		if b.consents[did] {
			h.dids = append(h.dids, did)
		}
	}
	if c.level == vc.LevelJudicial {
		h.dids = append(h.dids, c.Issuer)
	}
	if len(h.dids) > 0 {
		return h
	}
	h.doubtful = true
	h.dids = append(h.dids, births...)
	for i := range b.Trust.Issuers {
		if did := b.Trust.Issuers[i].DID; !contains(h.dids, did) {
			h.dids = append(h.dids, did)
		}
	}
	return h
}

// consentStatus answers whether a consent was withdrawn. Each grantor has a
// pair of entries, hosted by the issuer of the child's birth credential
// (settled question 12); where a pair is missing, whether that grantor withdrew
// is unknown.
func (b *Bundle) consentStatus(c *credential, h hosts, now time.Time) answer {
	a := answer{unknown: h.doubtful}
	var pairs [2]int
	for i := range c.Status {
		entry := &c.Status[i]
		q := 0
		switch entry.Purpose {
		case vc.PurposeRevocation:
		case vc.PurposeSuspension:
			q = 1
		default:
			continue
		}
		again := false
		for j := range i {
			again = again || c.Status[j] == *entry
		}
		if again {
			continue
		}
		pairs[q]++
		host := ""
		for _, did := range h.dids {
			if name := (listName{did, entry.List}); host == "" || b.lists[name] != nil || b.over[name] != nil {
				host = did
			}
		}
		b.ask(&a, host, entry, now)
	}
	if need := c.grantorPairs(); pairs[0] < need || pairs[1] < need {
		a.unknown = true
	}
	return a
}

// grantorPairs gives how many grantors can withdraw a consent by a list of the
// register. A court that agreed does so by its own.
func (c *credential) grantorPairs() int {
	if c.bySelf {
		return 1
	}
	n := 0
	for i := range c.consent.Grantors {
		if c.consent.Grantors[i].Capacity != "court" {
			n++
		}
	}
	return max(1, n)
}

// withdrawn: a grantor changed their mind, or an authority holds it back. The
// screen does not tell which.
func (c *credential) withdrawn() bool {
	return c.consent != nil && (c.answer.revoked || c.answer.suspended)
}

// sameTrip reports whether two grantors agreed to the same journey: their
// subjects are equal as JCS bytes (settled question 10).
func sameTrip(a, b *credential) bool {
	if bytes.Equal(a.Subject, b.Subject) {
		return true
	}
	x, err := vc.ConsentDigest(a.Subject)
	if err != nil {
		return false
	}
	y, err := vc.ConsentDigest(b.Subject)
	return err == nil && x == y
}

// evidence finds the guardianship that a grantor cites: this credential, bound
// to this key, for this child.
func (e *exam) evidence(g *vc.Grantor) *credential {
	for _, m := range e.wards {
		if m.ID == g.Guardianship && m.mandate.ID == g.Key {
			return m
		}
	}
	return nil
}

// mayConsent reports whether a mandate lets its guardian consent on this day.
// One that was revoked is red by itself and not counted either.
func (e *exam) mayConsent(m *credential) bool {
	return contains(m.mandate.Powers, "travelConsent") && !e.mandateOver(m) && !e.notYet(m) && e.expired(m) <= recently &&
		!m.answer.revoked && !m.answer.suspended && !m.disowned()
}

// assent is what the consents of one kind come to: who agreed, and how.
type assent struct {
	of       *credential // the consent, the first of those that belong together
	grantors []vc.Grantor
	unproven bool // a grantor without a mandate that proves it
}

// assents puts consents together. Witnessed ones stand for themselves. What
// grantors signed for themselves counts together only for the same journey;
// of several journeys the one that most agreed to counts.
func (e *exam) assents() []assent {
	var out []assent
	own := -1
	for i, c := range e.consents {
		switch {
		case !c.bySelf:
			out = append(out, e.witnessed(c))
		case e.groupedBefore(i):
		default:
			a := e.selfSigned(c, e.consents[i+1:])
			switch {
			case own < 0:
				own = len(out)
				out = append(out, a)
			case len(a.grantors) > len(out[own].grantors):
				a.unproven = a.unproven || out[own].unproven
				out[own] = a
			default:
				out[own].unproven = out[own].unproven || a.unproven
			}
		}
	}
	return out
}

// groupedBefore reports whether the consent was counted with an earlier one.
func (e *exam) groupedBefore(i int) bool {
	for _, before := range e.consents[:i] {
		if before.bySelf && sameTrip(before, e.consents[i]) {
			return true
		}
	}
	return false
}

// selfSigned counts a grantor's consent and those of others to the same
// journey. The signer must be one of the grantors that the consent names, by
// the guardianship that it cites.
func (e *exam) selfSigned(first *credential, rest []*credential) assent {
	a := assent{of: first}
	count := func(c *credential) {
		for i := range c.consent.Grantors {
			g := &c.consent.Grantors[i]
			if g.Key != c.Issuer {
				continue
			}
			if m := e.evidence(g); m != nil && e.mayConsent(m) {
				a.grantors = append(a.grantors, *g)
				return
			}
		}
		a.unproven = true
	}
	count(first)
	for _, c := range rest {
		if c.bySelf && sameTrip(first, c) {
			count(c)
		}
	}
	return a
}

// witnessed counts the grantors whom a witness saw sign. The witness held their
// guardianships against the signatures; those that are shown beside it must
// agree.
func (e *exam) witnessed(c *credential) assent {
	a := assent{of: c}
	for i := range c.consent.Grantors {
		g := c.consent.Grantors[i]
		if g.Capacity == "court" {
			if c.level == vc.LevelJudicial {
				a.grantors = append(a.grantors, g)
			} else {
				a.unproven = true // a court speaks for itself
			}
			continue
		}
		shown := false
		for _, m := range e.wards {
			shown = shown || m.ID == g.Guardianship || m.mandate.ID == g.Key
		}
		if m := e.evidence(&g); shown && (m == nil || !e.mayConsent(m)) {
			if !e.renewed(&g) {
				a.unproven = true
				continue
			}
		}
		if !hasGrantor(a.grantors, &g) {
			a.grantors = append(a.grantors, g)
		}
	}
	return a
}

// renewed: the guardianship that the witness saw has been issued again to the
// same key since.
func (e *exam) renewed(g *vc.Grantor) bool {
	for _, m := range e.wards {
		if m.mandate.ID == g.Key && e.mayConsent(m) {
			return true
		}
	}
	return false
}

func hasGrantor(list []vc.Grantor, g *vc.Grantor) bool {
	for i := range list {
		if list[i].Key == g.Key || list[i].Guardianship == g.Guardianship {
			return true
		}
	}
	return false
}
