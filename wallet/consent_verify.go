package wallet

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/vc"
)

// ErrConsentRefusedParts says that something another person or office sent does
// not pass the checks, and that nothing was stored.
var ErrConsentParts = fault.New(fault.Unprocessable, "consent-refused", "what was sent does not pass the checks; nothing was stored").
	WithHint("ask the guardian, or the office, to send it again")

// judge checks what other guardians and witnesses send, by the trust list alone.
type judge struct {
	w     *Wallet
	trust *vc.TrustList
	lists map[string]*statusLists // by DID
}

func (w *Wallet) judge(ctx context.Context) (*judge, error) {
	trust, err := w.trust(ctx)
	if err != nil {
		return nil, err
	}
	return &judge{w: w, trust: trust, lists: map[string]*statusLists{}}, nil
}

func (j *judge) listsOf(is *vc.TrustIssuer) *statusLists {
	l := j.lists[is.DID]
	if l == nil {
		l = j.w.lists(is)
		j.lists[is.DID] = l
	}
	return l
}

// record verifies a birth or guardianship in the border profile by the trust
// list: signature, role, shape, dates and, last, its status.
func (j *judge) record(ctx context.Context, jwt string) (*held, error) {
	now := j.w.cfg.Now()
	s, err := vc.SplitJWS(jwt)
	if err != nil {
		return nil, refusedRule("is not a signed credential")
	}
	issuer := listed(j.trust, did.Base(s.Header.Kid))
	if issuer == nil {
		return nil, refusedRule("is signed by a key that is not on the trust list")
	}
	payload, key, err := verifySigned(jwt, issuer, now)
	if err != nil {
		return nil, err
	}
	h := &held{kept: kept{JWT: jwt, IssuerName: issuer.Name}}
	if h.vc, err = vc.ParseCredential(payload); err != nil {
		return nil, refusedRule("is not a credential of a known shape")
	}
	c := h.vc
	switch {
	case c.Issuer != issuer.DID:
		return nil, refusedRule("names another issuer")
	case c.Schema == nil || schemas[c.Schema.ID].profile != profileBorder || len(c.Type) != 2 || schemas[c.Schema.ID].kind != c.Type[1]:
		return nil, refusedRule("is not made for the border")
	case !key.May(c.Type[1]) || !key.ValidAt(c.ValidFrom):
		return nil, refusedRule("is signed by a key that may not sign this type at that time")
	}
	if err := shaped(c.Schema.ID, payload); err != nil {
		return nil, err
	}
	if h.birth, h.guardianship, err = subjectOf(c); err != nil {
		return nil, refusedRule("does not follow its schema")
	}
	if g := h.guardianship; g != nil && !key.MayBase(g.LegalBasis.Type) {
		return nil, refusedRule("is signed by a key that may not mandate on this legal basis")
	}
	if err := inForce(c, now); err != nil {
		return nil, err
	}
	return h, j.good(ctx, issuer, c.Status)
}

func shaped(schema string, payload []byte) error {
	err := vc.ValidateSchema(schema, payload)
	var f *fault.Fault
	if err != nil && errors.As(err, &f) {
		return refusedRule("does not follow its schema")
	}
	return err
}

func inForce(c *vc.Credential, now time.Time) error {
	switch {
	case c.ValidFrom.After(now.Add(skew)):
		return refusedRule("is not valid yet")
	case c.ValidTo.IsZero() || !now.Before(c.ValidTo):
		return refusedRule("is expired")
	}
	return nil
}

// good reads the status of pairs of entries at one issuer; nothing that is
// revoked or suspended is taken.
func (j *judge) good(ctx context.Context, issuer *vc.TrustIssuer, entries []vc.StatusEntry) error {
	state, err := j.listsOf(issuer).pairs(ctx, entries)
	if err != nil {
		return err
	}
	if state != stateGood {
		return refusedRule("is not usable")
	}
	return nil
}

// pairs says what the lists say of one or more pairs of entries, each a
// revocation and a suspension at one index. One that is set counts for all.
func (l *statusLists) pairs(ctx context.Context, entries []vc.StatusEntry) (string, error) {
	if len(entries) == 0 || len(entries)%2 != 0 {
		return "", refusedRule("has a status that cannot be checked")
	}
	out := stateGood
	for i := 0; i < len(entries); i += 2 {
		if !l.pair(entries[i : i+2]) {
			return "", refusedRule("has a status that cannot be checked")
		}
		state, err := l.bitState(ctx, &vc.Credential{Status: entries[i : i+2]})
		if err != nil {
			return "", err
		}
		if state == stateRevoked || out == stateGood {
			out = state
		}
	}
	return out, nil
}

// grantor verifies the guardianship that a grantor cites: of this child, bound
// to the key that is named, with the power to agree to journeys.
func (j *judge) grantor(ctx context.Context, jwt string, g vc.Grantor, ref string) (*held, error) {
	h, err := j.record(ctx, jwt)
	if err != nil {
		return nil, err
	}
	switch {
	case h.guardianship == nil || h.vc.ID != g.Guardianship:
		return nil, refusedRule("is not the guardianship that the consent cites")
	case h.guardianship.ID != g.Key:
		return nil, refusedRule("is for another holder")
	case h.childRef() != ref:
		return nil, refusedRule("is about another child")
	case !slices.Contains(h.guardianship.Powers, "travelConsent"):
		return nil, refusedRule("does not allow to agree to a journey")
	case g.Capacity != "" && g.Capacity != "guardian":
		return nil, refusedRule("claims a capacity that the guardianship does not give")
	}
	return h, nil
}

// signedBy verifies what one grantor signed: with the key that the consent
// names, over the very subject that all sign.
func (j *judge) signedBy(jwt string, g vc.Grantor, subject []byte, host *vc.TrustIssuer) (*vc.Credential, error) {
	s, err := vc.SplitJWS(jwt)
	if err != nil || s.Header.Typ != vc.TypCredential {
		return nil, refusedRule("is not a signed credential")
	}
	if s.Header.Kid != did.KeyID(g.Key) {
		return nil, refusedRule("is not signed by the guardian that it names")
	}
	pub, err := did.ParseKey(g.Key)
	if err != nil {
		return nil, refusedRule("is not signed by the guardian that it names")
	}
	payload, err := s.Verify(pub)
	if err != nil {
		return nil, refusedRule("has a signature that does not hold")
	}
	c, said, err := consentOf(payload)
	if err != nil {
		return nil, err
	}
	want, err := vc.ConsentDigest(subject)
	if err != nil {
		return nil, err
	}
	got, err := vc.ConsentDigest(c.Subject)
	if err != nil {
		return nil, refusedRule("does not follow its schema")
	}
	switch {
	case c.Issuer != g.Key:
		return nil, refusedRule("names another issuer")
	case got != want:
		return nil, refusedRule("is about another journey")
	case said.Assurance != (vc.Assurance{Level: vc.LevelSelfSigned}):
		return nil, refusedRule("claims more than its signature gives")
	case c.ValidTo.After(consentEnd(said)):
		return nil, refusedRule("ends later than the journey")
	case !j.listsOf(host).pair(c.Status):
		return nil, refusedRule("has a status that cannot be checked")
	}
	return c, inForce(c, j.w.cfg.Now())
}

// consentOf reads the payload of a consent whose signature held.
func consentOf(payload []byte) (*vc.Credential, *vc.TravelConsent, error) {
	c, err := vc.ParseCredential(payload)
	if err != nil {
		return nil, nil, refusedRule("is not a credential of a known shape")
	}
	if !c.Is(vc.TypeConsent) || c.Schema == nil || c.Schema.ID != vc.SchemaConsent {
		return nil, nil, refusedRule("is no travel consent")
	}
	if err := shaped(vc.SchemaConsent, payload); err != nil {
		return nil, nil, err
	}
	var said vc.TravelConsent
	if err := vc.StrictJSON(c.Subject, &said, vc.MaxDepth); err != nil {
		return nil, nil, refusedRule("does not follow its schema")
	}
	return c, &said, nil
}

// witnessed verifies a consent that somebody witnessed whose role is on the
// trust list. Its level is what that role gives, no more and no less. Of the
// grantors it names those who signed.
func (j *judge) witnessed(ctx context.Context, jwt string, host *vc.TrustIssuer) (*vc.Credential, *vc.TravelConsent, error) {
	now := j.w.cfg.Now()
	s, err := vc.SplitJWS(jwt)
	if err != nil {
		return nil, nil, refusedRule("is not a signed credential")
	}
	witness := listed(j.trust, did.Base(s.Header.Kid))
	if witness == nil {
		return nil, nil, refusedRule("is signed by a key that is not on the trust list")
	}
	payload, key, err := verifySigned(jwt, witness, now)
	if err != nil {
		return nil, nil, err
	}
	c, said, err := consentOf(payload)
	if err != nil {
		return nil, nil, err
	}
	level := vc.LevelOf(key.Role)
	switch {
	case c.Issuer != witness.DID || said.Assurance.Witness != witness.DID:
		return nil, nil, refusedRule("names another witness")
	case level == "" || !key.May(vc.TypeConsent) || !key.ValidAt(c.ValidFrom):
		return nil, nil, refusedRule("is signed by a key that may not witness consents at that time")
	case said.Assurance.Level != level:
		return nil, nil, refusedRule("claims another level than its witness gives")
	case len(c.Status) != 2*len(said.Grantors):
		return nil, nil, refusedRule("has a status that cannot be checked")
	case c.ValidTo.After(consentEnd(said)):
		return nil, nil, refusedRule("ends later than the journey")
	}
	if err := inForce(c, now); err != nil {
		return nil, nil, err
	}
	return c, said, j.good(ctx, host, c.Status)
}

// sameJourney reports whether a witnessed consent is about what the grantors
// signed: all but the assurance, and grantors who did not sign left out.
func sameJourney(signed, witnessed *vc.TravelConsent) bool {
	a, b := *signed, *witnessed
	at := 0
	for _, g := range b.Grantors {
		i := slices.Index(a.Grantors[at:], g)
		if i < 0 {
			return false
		}
		at += i + 1
	}
	a.Grantors, b.Grantors = nil, nil
	a.Assurance, b.Assurance = vc.Assurance{}, vc.Assurance{}
	x, err := plainJSON(a)
	if err != nil {
		return false
	}
	y, err := plainJSON(b)
	return err == nil && string(x) == string(y)
}

// parts makes a refusal of a rule that was broken, naming its place.
func partsRefused(err error, place string, i int) error {
	var rule refusedRule
	if !errors.As(err, &rule) {
		return err
	}
	if i >= 0 {
		place += "/" + strconv.Itoa(i)
	}
	return ErrConsentParts.WithFields(fault.Field{Path: place, Rule: string(rule)})
}
