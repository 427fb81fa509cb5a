package wallet

import (
	"bytes"
	"context"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/status"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/vc"
)

// Faults of signing and withdrawing.
var (
	ErrConsentRefused = fault.New(fault.Unprocessable, "consent-status-refused", "the office gives no place in its status list for this consent").
				WithHint("the guardianship may have changed: renew the credentials, or contact the office")
	ErrConsentOffice = fault.New(fault.Unavailable, "consent-office-unreachable", "the office that keeps the status of consents could not be reached").
				WithHint("try again: nothing is lost, and a withdrawal is passed on as soon as the office can be reached")
)

var b64 = base64.RawURLEncoding.Strict()

// statusRequest asks the issuer of a birth to keep the status of a consent, or
// to withdraw one. It says nothing of the journey.
type statusRequest struct {
	Audience     string `json:"aud"` // DID of the issuer
	IssuedAt     int64  `json:"iat"`
	ID           string `json:"jti"`
	Act          string `json:"act"` // reserve or withdraw
	Guardianship string `json:"guardianship,omitempty"`
	List         string `json:"list,omitempty"` // of revocation
	Index        string `json:"index,omitempty"`
}

// host finds the issuer of a birth, which keeps the status of the consents for
// the child, if the trust list says that it does.
func (w *Wallet) host(trust *vc.TrustList, issuer string) (*vc.TrustIssuer, error) {
	is := listed(trust, issuer)
	if is == nil || !is.ConsentStatus {
		return nil, ErrConsentHost
	}
	return is, nil
}

// SignConsent signs with the guardian's holder key what was drafted or joined.
// alone allows to sign although the mandate asks for more guardians than have
// joined. However often it is called, and wherever it was interrupted, there is
// one credential with one place in the status list.
func (w *Wallet) SignConsent(ctx context.Context, g Guardian, id string, alone bool) (Consent, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), acceptPatience)
	defer cancel()
	v, c, err := w.openConsent(ctx, g, id)
	if err != nil {
		return Consent{}, err
	}
	if c.mine() < 0 {
		return Consent{}, ErrNoSuchConsent // a companion has nothing to sign
	}
	j, err := w.judge(ctx)
	if err != nil {
		return Consent{}, err
	}
	if c.Parties[c.mine()].Consent == "" {
		if c, err = w.gather(ctx, v, c, j, alone); err != nil {
			return Consent{}, err
		}
		if c, err = w.begin(ctx, v, c, alone); err != nil {
			return Consent{}, err
		}
		if c, err = w.sign(ctx, v, c); err != nil {
			return Consent{}, err
		}
		w.note(ctx, v, ActSigned, c.childID(v))
	}
	return w.shownConsent(ctx, v, w.synced(ctx, v, c, j))
}

// gather learns who has joined and closes the room, where there is one. Who
// drafted a consent that nobody joined does not need the room.
func (w *Wallet) gather(ctx context.Context, v *vault, c consentHeld, j *judge, alone bool) (consentHeld, error) {
	now := w.cfg.Now()
	if state := c.state(now); c.Room == nil || c.Frozen || state == consentWithdrawn || state == consentExpired {
		return c, nil
	}
	if !now.Before(c.Room.Expires) && len(c.Parties) > 1 {
		return c, ErrLinkGone.WithHint("the time to sign together is over: make a new consent")
	}
	c, err := w.sync(ctx, v, c, j, false)
	if err != nil {
		return c, err
	}
	if len(c.Parties) < c.Quorum && !alone {
		return c, ErrConsentSigners
	}
	return w.sync(ctx, v, c, j, true)
}

// begin ends the time in which grantors can be added, and writes down what must
// be the same however often signing is tried: before anything is sent.
func (w *Wallet) begin(ctx context.Context, v *vault, c consentHeld, alone bool) (consentHeld, error) {
	return w.changeConsent(ctx, v, c.ID, func(c *consentHeld) error {
		now := w.cfg.Now()
		if c.Parties[c.mine()].Consent != "" {
			return nil
		}
		switch c.state(now) {
		case consentWithdrawn, consentExpired:
			return ErrConsentState
		}
		if c.Sign == nil && len(c.Parties) < c.Quorum && !alone {
			return ErrConsentSigners
		}
		c.freeze(true)
		if c.Sign == nil {
			c.Sign = &signing{Request: store.Random(16), ID: "urn:uuid:" + uuid.NewString(), From: now.UTC().Truncate(time.Second)}
		}
		return nil
	})
}

// sign reserves a place in the status list and signs.
func (w *Wallet) sign(ctx context.Context, v *vault, c consentHeld) (consentHeld, error) {
	trust, err := w.trust(ctx)
	if err != nil {
		return c, err
	}
	host, err := w.host(trust, c.Host)
	if err != nil {
		return c, err
	}
	h, err := w.holderOf(ctx, v)
	if err != nil {
		return c, err
	}
	if h.DID != c.Me {
		return c, ErrConsentState
	}
	if len(c.Sign.Entries) == 0 {
		entries, until, err := w.reserve(ctx, host, h, statusRequest{ID: c.Sign.Request, Act: "reserve", Guardianship: c.subject.Grantors[c.mine()].Guardianship})
		if err != nil {
			return c, err
		}
		if c, err = w.changeConsent(ctx, v, c.ID, func(c *consentHeld) error {
			if len(c.Sign.Entries) == 0 {
				c.Sign.Entries, c.Sign.Until = entries, until
			}
			return nil
		}); err != nil {
			return c, err
		}
	}
	if !c.Sign.From.Before(c.until()) {
		return c, ErrConsentRefused // the office keeps no status so long
	}
	payload, err := plainJSON(vc.Credential{
		Context: []string{vc.ContextV2, vc.ContextKinpass}, ID: c.Sign.ID, Type: []string{vc.TypeCredential, vc.TypeConsent},
		Issuer: h.DID, ValidFrom: c.Sign.From, ValidTo: c.until(), Subject: c.Subject, Status: c.Sign.Entries,
		Schema: &vc.Schema{ID: vc.SchemaConsent, Type: "JsonSchema"},
	})
	if err != nil {
		return c, err
	}
	u, err := vc.Prepare(payload)
	if err != nil {
		return c, err
	}
	s, err := h.signer()
	if err != nil {
		return c, err
	}
	jwt, err := u.Sign(s)
	if err != nil {
		return c, err
	}
	return w.changeConsent(ctx, v, c.ID, func(c *consentHeld) error {
		if !c.Withdraw.IsZero() {
			return ErrConsentState // withdrawn while it was being signed
		}
		if p := &c.Parties[c.mine()]; p.Consent == "" {
			p.Consent, c.Checked = jwt, w.cfg.Now().UTC()
		}
		return nil
	})
}

// reserve asks the host for the two status entries of a consent. The same
// request gets the same answer.
func (w *Wallet) reserve(ctx context.Context, host *vc.TrustIssuer, h holder, r statusRequest) ([]vc.StatusEntry, time.Time, error) {
	a, err := w.askStatus(ctx, host, h, "/consent-status", r)
	if err != nil {
		return nil, time.Time{}, err
	}
	var out struct {
		Entries []vc.StatusEntry `json:"credentialStatus"`
		Until   time.Time        `json:"validUntil"`
	}
	if a.status != http.StatusCreated && a.status != http.StatusOK {
		return nil, time.Time{}, ErrConsentRefused
	}
	if err := vc.StrictJSON(a.body, &out, vc.MaxDepth); err != nil {
		return nil, time.Time{}, ErrIssuerAnswer.With(err)
	}
	if !w.lists(host).pair(out.Entries) {
		return nil, time.Time{}, ErrIssuerAnswer
	}
	return out.Entries, out.Until.UTC().Truncate(time.Second), nil
}

// pair reports whether entries are a revocation and a suspension at one index
// on the shelf of the issuer.
func (l *statusLists) pair(entries []vc.StatusEntry) bool {
	if len(entries) != 2 || entries[0].Purpose != vc.PurposeRevocation || entries[1].Purpose != vc.PurposeSuspension || entries[0].Index != entries[1].Index {
		return false
	}
	for _, e := range entries {
		if _, err := status.ParseIndex(e.Index); err != nil || e.Type != "BitstringStatusListEntry" || !l.onShelf(e.List) {
			return false
		}
	}
	return entries[0].List != entries[1].List
}

// askStatus sends a signed request to the host of a status, which is the office
// that registered the birth.
func (w *Wallet) askStatus(ctx context.Context, host *vc.TrustIssuer, h holder, path string, r statusRequest) (answer, error) {
	s, err := h.signer()
	if err != nil {
		return answer{}, err
	}
	r.Audience, r.IssuedAt = host.DID, w.cfg.Now().Unix()
	claims, err := plainJSON(r)
	if err != nil {
		return answer{}, err
	}
	typ := vc.TypConsentStatus
	if r.Act == "paper" {
		typ = vc.TypPaper
	}
	signed, err := vc.SignJWS(s, typ, "", claims)
	if err != nil {
		return answer{}, err
	}
	body, err := plainJSON(map[string]string{"request": signed})
	if err != nil {
		return answer{}, err
	}
	address, err := did.WebURL(host.DID)
	if err != nil {
		return answer{}, ErrConsentHost.With(err)
	}
	base, ok := strings.CutSuffix(address, "/.well-known/did.json")
	if !ok {
		return answer{}, ErrConsentHost
	}
	req, err := http.NewRequest(http.MethodPost, base+path, bytes.NewReader(body))
	if err != nil {
		return answer{}, ErrConsentHost.With(err)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Content-Type", "application/json")
	a, err := w.net.call(ctx, req, maxAnswer, "application/json")
	if err != nil {
		return answer{}, ErrConsentOffice.With(err)
	}
	if a.status == http.StatusTooManyRequests {
		return answer{}, ErrConsentOffice
	}
	return a, nil
}

// WithdrawConsent takes the guardian's agreement back, at once and without a
// word to anybody but the office that keeps the status. It can be repeated.
// Where the office cannot be reached the withdrawal is noted, nothing is shown
// from then on, and Renew passes it on.
func (w *Wallet) WithdrawConsent(ctx context.Context, g Guardian, id string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), acceptPatience)
	defer cancel()
	v, err := w.vault(ctx, g.ID)
	if err != nil {
		return gone(err, ErrNoSuchConsent)
	}
	news := false
	c, err := w.changeConsent(ctx, v, id, func(c *consentHeld) error {
		if c.mine() < 0 {
			return ErrNoSuchConsent
		}
		if news = c.Withdraw.IsZero(); news {
			c.Withdraw = w.cfg.Now().UTC()
		}
		// The links that were not used yet lead nowhere from now on.
		for _, g := range c.Given {
			c.remove = append(c.remove, g.ID)
		}
		if c.Invite != nil {
			c.remove = append(c.remove, c.Invite.Link.ID)
		}
		c.Given = nil
		return nil
	})
	if err != nil {
		return err
	}
	if news {
		w.note(ctx, v, ActWithdrawn, c.childID(v))
	}
	return w.passOn(ctx, v, c)
}

// passOn tells the office of a withdrawal. Where no place in a status list is
// known nothing was signed, and there is nobody to tell.
func (w *Wallet) passOn(ctx context.Context, v *vault, c consentHeld) error {
	if c.Told {
		return nil
	}
	if c.Sign != nil && len(c.Sign.Entries) > 0 {
		trust, err := w.trust(ctx)
		if err != nil {
			return err
		}
		host := listed(trust, c.Host)
		if host == nil {
			return ErrConsentHost
		}
		h, err := w.holderOf(ctx, v)
		if err != nil {
			return err
		}
		at := slices.IndexFunc(c.Sign.Entries, func(e vc.StatusEntry) bool { return e.Purpose == vc.PurposeRevocation })
		if at < 0 {
			return errUnsealed
		}
		e := c.Sign.Entries[at]
		a, err := w.askStatus(ctx, host, h, "/consent-status/withdraw", statusRequest{ID: store.Random(16), Act: "withdraw", List: e.List, Index: e.Index})
		if err != nil {
			return err
		}
		if a.status != http.StatusNoContent && a.status != http.StatusOK {
			return ErrConsentRefused.WithDetail("the office did not take the withdrawal").WithHint("please contact the office at once; this wallet does not show the consent any more")
		}
	}
	_, err := w.changeConsent(ctx, v, c.ID, func(c *consentHeld) error { c.Told = true; return nil })
	return err
}

// ErrConsentLive says that the wallet still answers for a consent.
var ErrConsentLive = fault.New(fault.Conflict, "consent-live", "the guardian agreed to a journey that is not over: without this wallet nobody could take that back").
	WithHint("withdraw the consents first, or wait until they are over")

// settle passes on the withdrawals of which the office does not know yet, and
// refuses to go on while a consent of the guardian's is good: it is withdrawn
// with the holder key, and with nothing else.
func (w *Wallet) settle(ctx context.Context, g Guardian) error {
	v, err := w.vault(ctx, g.ID)
	if err != nil {
		return nil // there is none, or nobody can open it: no key is lost
	}
	all, err := w.consents(ctx, v)
	if err != nil {
		return err
	}
	now := w.cfg.Now()
	for _, c := range all {
		if c.Shared || c.Told || !now.Before(c.until()) {
			continue
		}
		if !c.Withdraw.IsZero() {
			if err := w.passOn(ctx, v, c); err != nil {
				return err
			}
		} else if c.Parties[c.mine()].Consent != "" {
			return ErrConsentLive
		}
	}
	return nil
}

// DeleteConsent forgets a consent that nobody can rely on any more, or that was
// shared with the caller.
func (w *Wallet) DeleteConsent(ctx context.Context, g Guardian, id string) error {
	v, c, err := w.openConsent(ctx, g, id)
	if err != nil {
		return err
	}
	if !c.Shared && c.Parties[c.mine()].Consent != "" && c.state(w.cfg.Now()) != consentExpired && !c.Told {
		return ErrConsentState.WithDetail("what was signed is good until it is withdrawn: it could not be withdrawn without this")
	}
	return w.forgetConsent(ctx, v, &c)
}
