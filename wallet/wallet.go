// Package wallet keeps the credentials that guardians received and shows them
// at a border. It is a service: each guardian is an API token with the role
// guardian, and has a data key, a holder key and what was accepted.
//
// Everything of a guardian is sealed under that guardian's data key, which the
// service key wraps: a copied database shows nothing of a child, and deleting
// the data key deletes the wallet. What belongs to another guardian cannot be
// told from what does not exist.
//
// A PIN, a code or a proof of the holder key is sent to an issuer only after
// the issuer was found on the trust list, and a credential is stored only
// after its signature, schema, subject, dates and status held.
package wallet

import (
	"context"
	"log/slog"
	"time"

	"github.com/kinpass/kinpass/internal/didweb"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/legacy"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/vc"
)

// Faults of the wallet. None holds anything that was sent.
var (
	ErrNoSuchCredential = fault.New(fault.NotFound, "no-such-credential", "there is no such credential in this wallet")
	ErrNoSuchChild      = fault.New(fault.NotFound, "no-such-child", "there is no such child in this wallet")
	ErrWalletDeleted    = fault.New(fault.Conflict, "wallet-deleted", "the wallet was deleted while this was going on")
	ErrNotReady         = fault.New(fault.Unavailable, "trust-list-missing", "the wallet has no trust list that it can rely on now")
)

// Guardian is whose wallet is used.
type Guardian struct {
	ID string // of the API token
}

// Config says what a wallet needs. DB, Ring and TrustList must be set.
type Config struct {
	DB   *store.DB
	Ring *keys.Ring // with the secret "wrap"
	Now  func() time.Time
	Log  *slog.Logger
	Base string // the wallet's own public address; names it to nobody yet
	// TrustList gives the current, verified trust list.
	TrustList func(ctx context.Context) (*vc.TrustList, error)
	// Aries verifies credentials of other systems together with package legacy.
	// Nil means that none can be imported.
	Aries legacy.Aries
	// AllowLoopback permits issuers on this machine, over http: demonstrations
	// and tests.
	AllowLoopback bool
}

// Wallet is the wallets of all guardians.
type Wallet struct {
	cfg   Config
	wraps []wrapKey
	net   *network
	dids  *didweb.Fetcher // of issuers of other systems

	stapler stapler
}

// New makes the wallets usable. It fails with ErrWrapKey if the ring lacks the
// service key.
func New(cfg Config) (*Wallet, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Ring == nil {
		return nil, ErrWrapKey
	}
	wraps, err := wrapKeys(cfg.Ring)
	if err != nil {
		return nil, err
	}
	return &Wallet{cfg: cfg, wraps: wraps, net: newNetwork(cfg.AllowLoopback),
		dids: didweb.New(didweb.Config{Loopback: cfg.AllowLoopback, Now: cfg.Now})}, nil
}

// Now gives the time by the wallet's clock.
func (w *Wallet) Now() time.Time { return w.cfg.Now() }

// Children lists the guardian's children, first received first, and then those
// whom the caller knows as a companion only. Who has accepted nothing has none.
func (w *Wallet) Children(ctx context.Context, g Guardian) ([]Child, error) {
	out := []Child{}
	v, err := w.vault(ctx, g.ID)
	if err == errNoWallet {
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	held, err := w.credentials(ctx, v)
	if err != nil {
		return nil, err
	}
	agreed, err := w.consents(ctx, v)
	if err != nil {
		return nil, err
	}
	at := map[string]int{}
	for _, c := range held {
		i, ok := at[c.Child]
		if !ok {
			i = len(out)
			at[c.Child] = i
			out = append(out, Child{ID: c.Child, Credentials: []string{}})
		}
		out[i].Credentials = append(out[i].Credentials, c.ID)
	}
	now := w.cfg.Now()
	for i := range out {
		describeChild(&out[i], held, now)
	}
	return append(out, sharedChildren(v, agreed, now)...), nil
}

// Credentials lists what the guardian has accepted, first received first, and
// then what was imported from other systems.
func (w *Wallet) Credentials(ctx context.Context, g Guardian) ([]Credential, error) {
	out := []Credential{}
	v, err := w.vault(ctx, g.ID)
	if err == errNoWallet {
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	all, err := w.credentials(ctx, v)
	if err != nil {
		return nil, err
	}
	old, err := w.legacyCredentials(ctx, v)
	if err != nil {
		return nil, err
	}
	now := w.cfg.Now()
	for _, c := range all {
		out = append(out, c.shown(now))
	}
	for _, h := range old {
		out = append(out, h.shown(now))
	}
	return out, nil
}

// Credential gives one credential with everything that it says.
func (w *Wallet) Credential(ctx context.Context, g Guardian, id string) (Credential, error) {
	v, err := w.vault(ctx, g.ID)
	if err != nil {
		return Credential{}, gone(err, ErrNoSuchCredential)
	}
	c, err := w.credential(ctx, v, id)
	if err == ErrNoSuchCredential {
		h, err := w.legacyCredential(ctx, v, id)
		if err != nil {
			return Credential{}, err
		}
		out := h.shown(w.cfg.Now())
		out.Subject, out.JWT = h.Subject, h.Credential
		return out, nil
	}
	if err != nil {
		return Credential{}, err
	}
	out := c.shown(w.cfg.Now())
	out.Subject, out.JWT = c.vc.Subject, c.JWT
	return out, nil
}

// DeleteCredential forgets one credential. With the last one of an offer goes
// the right to renew it, with the last one of a child everything about the
// child but the consents, which could not be withdrawn without.
func (w *Wallet) DeleteCredential(ctx context.Context, g Guardian, id string) error {
	v, err := w.vault(ctx, g.ID)
	if err != nil {
		return gone(err, ErrNoSuchCredential)
	}
	err = w.forget(ctx, v, id)
	if err == ErrNoSuchCredential {
		err = w.forgetLegacy(ctx, v, id)
	}
	if err == nil {
		w.note(ctx, v, ActDeleted, "")
	}
	return err
}

// Delete forgets the guardian: the data key is destroyed and every row is
// removed. It is no error if there was nothing. What the guardian agreed to must
// be over or taken back, and the office must know of it.
func (w *Wallet) Delete(ctx context.Context, g Guardian) error {
	if err := w.settle(ctx, g); err != nil {
		return err
	}
	if err := w.shred(ctx, g.ID); err != nil {
		return err
	}
	w.cfg.DB.Scrub(ctx)
	return nil
}

// gone says that nothing is there for a guardian who has no wallet yet.
func gone(err error, absent *fault.Fault) error {
	if err == errNoWallet {
		return absent
	}
	return err
}
