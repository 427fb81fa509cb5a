package wallet

import (
	"bytes"
	"context"
	"crypto"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/tlog"
	"github.com/kinpass/kinpass/internal/vc"
)

// ErrNoProofs: the child's credentials are not in a public ledger, or not yet.
var ErrNoProofs = fault.New(fault.NotFound, "no-ledger-proofs", "there is no proof yet that the child's papers are in the public ledger").
	WithHint("the wallet fetches them by itself a few seconds after the papers, if the office keeps a ledger")

// Proof shows that one credential is in its issuer's ledger, for a post that has to
// see it because the office's key was withdrawn later.
type Proof struct {
	Credential string `json:"credential"` // its id
	tlog.Receipt
}

// Proofs gives the proofs of a child's credentials, ErrNoProofs if there are none.
func (w *Wallet) Proofs(ctx context.Context, g Guardian, child string) ([]Proof, error) {
	v, err := w.vault(ctx, g.ID)
	if err != nil {
		return nil, gone(err, ErrNoSuchChild)
	}
	all, err := w.credentials(ctx, v)
	if err != nil {
		return nil, err
	}
	known, out := false, []Proof{}
	for _, c := range all {
		if c.Child != child {
			continue
		}
		known = true
		if c.Receipt != nil {
			out = append(out, Proof{c.vc.ID, *c.Receipt})
		}
	}
	switch {
	case !known:
		return nil, ErrNoSuchChild
	case len(out) == 0:
		return nil, ErrNoProofs
	}
	return out, nil
}

// stapler fetches proofs in the background: nobody who accepts papers waits for a
// ledger.
type stapler struct {
	mu  sync.Mutex
	due map[string]attempt // by guardian
}

type attempt struct {
	at   time.Time
	wait time.Duration
}

// A proof is there a second or two after its credential. Then the wallet asks less
// and less often, and with each renewal.
const (
	firstAsk = time.Second
	lastAsk  = 10 * time.Minute
)

// wantProofs lets the wallet fetch a guardian's proofs soon.
func (w *Wallet) wantProofs(guardian string) {
	w.stapler.mu.Lock()
	defer w.stapler.mu.Unlock()
	if w.stapler.due == nil {
		w.stapler.due = map[string]attempt{}
	}
	w.stapler.due[guardian] = attempt{w.cfg.Now().Add(firstAsk), firstAsk}
}

// runProofs fetches what is wanted until ctx ends.
func (w *Wallet) runProofs(ctx context.Context) {
	t := time.NewTicker(firstAsk / 2)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		w.fetchDue(ctx)
	}
}

// fetchDue fetches for every guardian whose turn it is.
func (w *Wallet) fetchDue(ctx context.Context) {
	now := w.cfg.Now()
	w.stapler.mu.Lock()
	turn := map[string]attempt{}
	for g, a := range w.stapler.due {
		if !now.Before(a.at) {
			turn[g] = a
		}
	}
	w.stapler.mu.Unlock()
	for g, a := range turn {
		if ctx.Err() != nil {
			return
		}
		waiting, err := w.Staple(ctx, Guardian{ID: g})
		if err != nil && ctx.Err() != nil {
			return // the service is ending
		}
		if err != nil {
			w.cfg.Log.Warn("proofs of the ledger are not fetched", "code", fault.As(err).Code)
		}
		w.stapler.mu.Lock()
		if w.stapler.due[g] == a { // nothing new meanwhile
			if a.wait *= 2; waiting == 0 && err == nil || a.wait > lastAsk<<2 {
				delete(w.stapler.due, g)
			} else {
				a.at = w.cfg.Now().Add(min(a.wait, lastAsk))
				w.stapler.due[g] = a
			}
		}
		w.stapler.mu.Unlock()
	}
}

// Staple fetches the proofs that the guardian's credentials are in their issuers'
// ledgers, verifies them by the trust list, and keeps them sealed beside the
// credentials. It gives how many are not there yet.
func (w *Wallet) Staple(ctx context.Context, g Guardian) (waiting int, err error) {
	ctx, cancel := context.WithTimeout(ctx, acceptPatience)
	defer cancel()
	v, err := w.vault(ctx, g.ID)
	if err == errNoWallet {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	trust, err := w.trust(ctx)
	if err != nil {
		return 0, err
	}
	all, err := w.credentials(ctx, v)
	if err != nil {
		return 0, err
	}
	lacking := map[string][]held{} // by issuer
	for _, c := range all {
		if c.Receipt == nil && strings.HasPrefix(c.vc.ID, "urn:uuid:") && c.format() != formatSDJWT {
			lacking[c.vc.Issuer] = append(lacking[c.vc.Issuer], c)
		}
	}
	for id, cs := range lacking {
		is := listed(trust, id)
		policy, perr := trust.LedgerPolicy(id)
		if is == nil || perr != nil {
			continue // it keeps no ledger that anybody could look into
		}
		var good []held
		for len(cs) > 0 {
			part := cs[:min(len(cs), maxAsked)]
			cs = cs[len(part):]
			got, aerr := w.askProofs(ctx, v, is, part)
			if aerr != nil {
				waiting, err = waiting+len(part), aerr
				continue
			}
			for _, c := range part {
				r, ok := got[c.vc.ID]
				content, cerr := signedContent(c.JWT, is)
				if !ok || cerr != nil {
					waiting++
					continue
				}
				if _, _, serr := r.Shows(policy, content); serr != nil {
					waiting, err = waiting+1, serr
					continue
				}
				c.Receipt = &r
				good = append(good, c)
			}
		}
		if kerr := w.keepReceipts(ctx, v, good); kerr != nil {
			return waiting, kerr
		}
	}
	return waiting, err
}

// maxAsked bounds the credentials of one request.
const maxAsked = 32

// maxProofsAnswer bounds an answer, in bytes.
const maxProofsAnswer = 1 << 20

// askProofs asks an issuer for proofs, by the holder key.
func (w *Wallet) askProofs(ctx context.Context, v *vault, is *vc.TrustIssuer, cs []held) (map[string]tlog.Receipt, error) {
	h, err := w.holderOf(ctx, v)
	if err != nil {
		return nil, err
	}
	s, err := h.signer()
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(cs))
	for i, c := range cs {
		ids[i] = c.vc.ID
	}
	claims, err := plainJSON(map[string]any{"aud": is.DID, "iat": w.cfg.Now().Unix(), "credentials": ids})
	if err != nil {
		return nil, err
	}
	signed, err := vc.SignJWS(s, vc.TypLedgerProof, "", claims)
	if err != nil {
		return nil, err
	}
	body, err := plainJSON(map[string]string{"request": signed})
	if err != nil {
		return nil, err
	}
	address, err := did.WebURL(is.DID)
	if err != nil {
		return nil, ErrUnreachable.With(err)
	}
	base, ok := strings.CutSuffix(address, "/.well-known/did.json")
	if !ok {
		return nil, ErrUnreachable
	}
	req, err := http.NewRequest(http.MethodPost, base+"/ledger/proofs", bytes.NewReader(body))
	if err != nil {
		return nil, ErrUnreachable.With(err)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Content-Type", "application/json")
	a, err := w.net.call(ctx, req, maxProofsAnswer, "application/json")
	if err != nil {
		return nil, err
	}
	var got struct {
		Proofs []Proof `json:"proofs"`
	}
	if a.status != http.StatusOK || vc.StrictJSON(a.body, &got, 4) != nil {
		return nil, ErrUnreachable
	}
	out := map[string]tlog.Receipt{}
	for _, p := range got.Proofs {
		out[p.Credential] = p.Receipt
	}
	return out, nil
}

// signedContent gives the bytes of a credential that its issuer signed, which are
// what the ledger commits to.
func signedContent(text string, is *vc.TrustIssuer) ([]byte, error) {
	if formatOf(text) == formatLDP {
		return vc.OpenBase([]byte(text), func(method string) (crypto.PublicKey, string, error) {
			for _, k := range is.Keys {
				if k.ID == method {
					pub, err := vc.ParseJWK(k.JWK)
					return pub, is.DID, err
				}
			}
			return nil, "", ErrCredentialRefused
		})
	}
	j, err := vc.SplitJWS(text)
	if err != nil {
		return nil, err
	}
	return j.PayloadUnverified(), nil // it was verified when it was accepted
}
