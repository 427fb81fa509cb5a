package wallet

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/vc"
)

// renewAhead is how long before the end of a credential the wallet fetches the
// next one.
const renewAhead = 60 * 24 * time.Hour

// listLife is how long a status list is used in one round, good or bad.
const listLife = 5 * time.Minute

// Renewed says what Renew did, in credentials.
type Renewed struct {
	Checked int `json:"checked"` // whose status was read anew
	Renewed int `json:"renewed"` // that were replaced
	Failed  int `json:"failed"`  // that were due and could not be checked or replaced
}

// Renew reads the status of the guardian's credentials and fetches those anew
// that end within sixty days, were revoked because the record was corrected, or
// tell ages that the child has outgrown, or were signed with a key that the trust
// list has cut off.
// It reads the status of consents, too, and passes on withdrawals that the office
// does not know of. It proves the holder key; no PIN is needed. Credentials stay as they are
// when their issuer cannot be reached or has nothing new: Failed counts them.
func (w *Wallet) Renew(ctx context.Context, g Guardian) (Renewed, error) {
	trust, err := w.trust(ctx)
	if err != nil {
		return Renewed{}, err
	}
	return w.renew(ctx, g, w.newRound(trust))
}

// round is one round of renewals: what is read of an issuer serves every
// guardian whose turn comes in it.
type round struct {
	trust *vc.TrustList
	lists map[string]*statusLists // by DID
}

func (w *Wallet) newRound(trust *vc.TrustList) *round {
	return &round{trust: trust, lists: map[string]*statusLists{}}
}

func (w *Wallet) renew(ctx context.Context, g Guardian, r *round) (Renewed, error) {
	v, err := w.vault(ctx, g.ID)
	if err == errNoWallet {
		return Renewed{}, nil
	}
	if err != nil {
		return Renewed{}, err
	}
	grants, err := w.grants(ctx, v)
	if err != nil {
		return Renewed{}, err
	}
	all, err := w.credentials(ctx, v)
	if err != nil {
		return Renewed{}, err
	}
	var out Renewed
	for _, gr := range grants {
		var mine []held
		for _, c := range all {
			if c.Grant == gr.ID {
				mine = append(mine, c)
			}
		}
		if len(mine) == 0 {
			continue
		}
		n, err := w.renewGrant(ctx, v, gr, mine, r)
		out.Checked, out.Renewed, out.Failed = out.Checked+n.Checked, out.Renewed+n.Renewed, out.Failed+n.Failed
		if err != nil {
			return out, err
		}
	}
	n, err := w.refreshConsents(ctx, v, r)
	out.Checked, out.Failed = out.Checked+n.Checked, out.Failed+n.Failed
	return out, err
}

// renewGrant does Renew's work for one grant. Only what is ours to repair is an
// error.
func (w *Wallet) renewGrant(ctx context.Context, v *vault, gr *grant, mine []held, r *round) (Renewed, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), acceptPatience)
	defer cancel()
	var out Renewed
	base, err := url.Parse(gr.Issuer)
	if err != nil {
		return out, err
	}
	issuer, err := w.issuerAt(r.trust, &url.URL{Scheme: base.Scheme, Host: base.Host})
	if err != nil {
		out.Failed = len(mine)
		return out, nil // not trusted any more: nothing is sent there
	}
	now := w.cfg.Now()
	lists := r.lists[issuer.DID]
	if lists == nil || now.Sub(lists.now) > listLife {
		lists = w.lists(issuer)
		r.lists[issuer.DID] = lists
	}
	due, down := false, false
	for i := range mine {
		state, err := lists.state(ctx, &mine[i])
		if err != nil {
			out.Failed++
			down = down || errors.Is(err, ErrUnreachable)
		} else {
			out.Checked++
			mine[i].State, mine[i].Checked = state, now.UTC()
		}
		due = due || mine[i].State == stateRevoked || !mine[i].vc.ValidTo.After(now.Add(renewAhead)) || mine[i].outgrown(now) || withdrawn(issuer, mine[i].JWT)
	}
	if out.Checked > 0 {
		if err := w.mark(ctx, v, mine); err != nil {
			return out, err
		}
	}
	if !due || down || gr.Refresh == "" {
		return out, nil
	}
	if err := w.refetch(ctx, v, gr, issuer); err != nil {
		var rule refusedRule
		var f *fault.Fault
		if !errors.As(err, &rule) && (!errors.As(err, &f) || f.Kind == fault.Internal) {
			return out, err
		}
		out.Failed = len(mine)
		return out, nil
	}
	out.Renewed = len(gr.Credentials)
	return out, nil
}

// withdrawn reports whether a credential was signed with a key of its issuer that the
// trust list has cut off. Posts may know that it was signed before; a new one is good
// without that.
func withdrawn(issuer *vc.TrustIssuer, signed string) bool {
	for i := range issuer.Keys {
		if k := &issuer.Keys[i]; !k.CutOff.IsZero() && k.ID == signedBy(signed) {
			return true
		}
	}
	return false
}

// signedBy gives the key that a credential says it is signed with, "" if it says none.
func signedBy(signed string) string {
	var of struct {
		Kid   string `json:"kid"`
		Proof struct {
			Method string `json:"verificationMethod"`
		} `json:"proof"`
	}
	head := []byte(signed)
	if !strings.HasPrefix(signed, "{") {
		part, _, _ := strings.Cut(signed, ".")
		var err error
		if head, err = base64.RawURLEncoding.DecodeString(part); err != nil {
			return ""
		}
	}
	if json.Unmarshal(head, &of) != nil {
		return ""
	}
	return of.Kid + of.Proof.Method
}

func (w *Wallet) refetch(ctx context.Context, v *vault, gr *grant, issuer *vc.TrustIssuer) error {
	h, err := w.holderOf(ctx, v)
	if err != nil {
		return err
	}
	s, err := h.signer()
	if err != nil {
		return err
	}
	m, err := w.metadataFor(ctx, gr, issuer)
	if err != nil {
		return err
	}
	x := &exchange{net: w.net, now: w.cfg.Now, m: m, key: s}
	jwts, err := x.collect(ctx, gr, func() error { return w.keepTokens(ctx, v, gr) })
	if err != nil {
		return err
	}
	a, err := w.verify(ctx, received{grant: gr, m: m, jwts: jwts, issuer: issuer, holder: h.DID})
	if err != nil {
		return err
	}
	if err := w.finish(ctx, v, gr, a); err != nil {
		return err
	}
	w.wantProofs(v.guardian)
	return nil
}

// renewEvery is how often Run renews.
const renewEvery = 6 * time.Hour

// Run does what the service does by itself until ctx ends: it finishes a
// rotation of the service key, and renews for every guardian from time to
// time, so that nobody finds out at a border.
func (w *Wallet) Run(ctx context.Context) {
	if n, err := w.Rewrap(ctx); err != nil || n > 0 {
		w.cfg.Log.Info("service key", "rewrapped", n, "failed", err != nil)
	}
	var proofs sync.WaitGroup
	proofs.Go(func() { w.runProofs(ctx) })
	defer proofs.Wait()
	tick := time.NewTicker(renewEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		out, err := w.RenewAll(ctx)
		w.cfg.Log.Info("renewal", "checked", out.Checked, "renewed", out.Renewed, "failed", out.Failed, "complete", err == nil)
	}
}

// RenewAll renews for every guardian, one after the other.
func (w *Wallet) RenewAll(ctx context.Context) (Renewed, error) {
	trust, err := w.trust(ctx)
	if err != nil {
		return Renewed{}, err
	}
	all, err := w.guardians(ctx)
	if err != nil {
		return Renewed{}, err
	}
	if err := w.purgeDrops(ctx, w.cfg.Now()); err != nil {
		return Renewed{}, err
	}
	r := w.newRound(trust)
	var out Renewed
	for _, id := range all {
		w.wantProofs(id)
		n, err := w.renew(ctx, Guardian{ID: id}, r)
		out.Checked, out.Renewed, out.Failed = out.Checked+n.Checked, out.Renewed+n.Renewed, out.Failed+n.Failed
		if err != nil && (fault.As(err).Kind == fault.Internal || ctx.Err() != nil) {
			return out, err
		}
	}
	return out, nil
}
