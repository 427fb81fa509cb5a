package issuer

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/tlog"
	"github.com/kinpass/kinpass/internal/vc"
)

// Faults of the ledger.
var (
	ErrNoSuchTile = fault.New(fault.NotFound, "no-such-tile", "the ledger has no such tile")
	ErrNoLedger   = fault.New(fault.NotFound, "no-ledger", "this issuer keeps no ledger").
			WithHint("its key ring has no key for one: kinpass keys list issuer")
	// ErrNotLogged: the credential's commitment is not in a signed checkpoint yet.
	// It is there a quarter of a second after issuing.
	ErrNotLogged = fault.New(fault.NotFound, "not-logged", "this is not in the ledger, or not yet")
)

// sequenceEvery is how long a commitment waits for others to share a checkpoint
// with, at most.
const sequenceEvery = 50 * time.Millisecond

// LedgerOrigin names the ledger in its checkpoints: the issuer's address without
// the scheme, and "/ledger".
func (i *Issuer) LedgerOrigin() string {
	_, host, _ := strings.Cut(i.cfg.Base, "://")
	return host + "/ledger"
}

// ledgerKey gives the key that signs checkpoints. It stays the same for the
// ledger's whole life: the first of the ring.
func (i *Issuer) ledgerKey() (*keys.Key, error) {
	all := i.cfg.Ring.Of(keys.UseLedger)
	if len(all) == 0 {
		return nil, ErrNoLedger
	}
	return all[0], nil
}

// Sequence takes what was committed into the ledger and signs a checkpoint: what
// was issued until now, and the changes of status that are published, so that the
// ledger tells of them no earlier than the lists do, and no more: with the hour of
// the slot that shows them, and of acts on one place that cancel out within a slot
// nothing. It gives how many commitments it dealt with; call it again while that is
// not 0.
func (i *Issuer) Sequence(ctx context.Context) (int, error) {
	k, err := i.ledgerKey()
	if err != nil {
		return 0, err
	}
	signer, err := tlog.LogSigner(i.LedgerOrigin(), k.Signer(""))
	if err != nil {
		return 0, err
	}
	s, err := i.slot(ctx)
	if err != nil {
		return 0, err
	}
	return i.store.sequence(ctx, s, ledgerEntry, func(size int64, root tlog.Hash) ([]byte, error) {
		return tlog.Sign(tlog.Checkpoint{Origin: i.LedgerOrigin(), Size: size, Root: root}, signer)
	})
}

// ledgerEntry makes the entry of a commitment.
func ledgerEntry(w waiting) ([]byte, error) {
	e := tlog.Entry{Kind: tlog.Issued, Hour: w.at.Truncate(time.Hour), Office: entryLabel(w.role, w.office)}
	switch w.kind {
	case "issued":
	case actReserved:
		e.Kind = tlog.Reserved
	case actWitnessed:
		e.Kind = tlog.Witnessed
	case factKinds[tlog.Key]:
		e.Kind = tlog.Key
	case factKinds[tlog.TrustList]:
		e.Kind = tlog.TrustList
	case factKinds[tlog.Accreditation]:
		e.Kind = tlog.Accreditation
	default:
		e.Kind, e.List, e.Index, e.Status = tlog.Changed, uint32(w.list), uint32(w.index), statusOf(w.kind)
	}
	copy(e.Commitment[:], w.hash)
	return e.Bytes()
}

// statusOf says what an act makes of a place in the lists.
func statusOf(act string) tlog.Status {
	switch act {
	case actRevoked, actWithdrawn:
		return tlog.Invalid
	case actSuspended, actConfirmed:
		return tlog.Suspended
	}
	return tlog.Valid
}

// runLedger takes commitments into the ledger as they come, until ctx ends.
func (i *Issuer) runLedger(ctx context.Context) {
	if _, err := i.ledgerKey(); err != nil {
		i.log.Warn("no ledger is kept: the key ring has no key for it")
		return
	}
	t := time.NewTicker(sequenceEvery)
	defer t.Stop()
	for again, failed := true, false; ; {
		var err error
		if !again {
			again, err = i.unsequenced(ctx)
		}
		n := 0
		if err == nil && again {
			n, err = i.Sequence(ctx)
		}
		if err != nil && ctx.Err() == nil && !failed {
			i.log.Error("the ledger does not grow", "code", fault.As(err).Code)
		}
		failed = err != nil
		if again = failed || n >= i.store.batch; again && !failed {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// unsequenced reports whether something waits for the ledger.
func (i *Issuer) unsequenced(ctx context.Context) (bool, error) {
	s, err := i.slot(ctx)
	if err != nil {
		return false, err
	}
	return i.store.unsequenced(ctx, s)
}

// LedgerKey gives the ledger's name and the key that signs its checkpoints, as a
// trust list names them. Whoever puts them there compares them by another way.
func (i *Issuer) LedgerKey() (Published, error) {
	k, err := i.ledgerKey()
	if err != nil {
		return Published{}, err
	}
	jwk, err := vc.PublicJWK(k.Public(), "", "")
	if err != nil {
		return Published{}, err
	}
	b, err := json.Marshal(vc.TrustLedger{Origin: i.LedgerOrigin(), JWK: jwk})
	return Published{Type: "application/json", Cache: cacheKeys, Body: b}, err
}

// Checkpoint gives the ledger's newest signed checkpoint (C2SP tlog-checkpoint), with
// the cosignatures that it has.
func (i *Issuer) Checkpoint(ctx context.Context) (Published, error) {
	if _, err := i.ledgerKey(); err != nil {
		return Published{}, err
	}
	l, err := i.store.ledgerState(ctx, i.store.db)
	if err != nil {
		return Published{}, err
	}
	if len(l.checkpoint) == 0 { // nobody has signed the empty ledger yet
		if _, err := i.Sequence(ctx); err != nil {
			return Published{}, err
		}
		if l, err = i.store.ledgerState(ctx, i.store.db); err != nil {
			return Published{}, err
		}
	}
	if b, err := i.store.cosigned(ctx, i.store.db, l.size); err != nil {
		return Published{}, err
	} else if b != nil {
		l.checkpoint = b
	}
	return Published{Type: "text/plain; charset=utf-8", Cache: "no-cache", Body: l.checkpoint}, nil
}

// LedgerTile gives a tile of hashes or a bundle of entries by its path below the
// ledger's address (C2SP tlog-tiles), ErrNoSuchTile if there is none.
func (i *Issuer) LedgerTile(ctx context.Context, path string) (Published, error) {
	t, err := tlog.ParseTilePath(path)
	if err != nil {
		return Published{}, ErrNoSuchTile
	}
	data, err := i.store.ledgerTile(ctx, t)
	if err != nil {
		return Published{}, err
	}
	return Published{Type: "application/octet-stream", Cache: cacheFixed, Body: data}, nil
}

// Logged is the proof that a credential is in the ledger.
type Logged struct {
	Entry []byte // as it stands in the ledger
	Salt  []byte // of its commitment
	Proof []byte // C2SP tlog-proof, with a signed checkpoint
}

// Logged proves that a credential's issuance is in the ledger: in its newest
// checkpoint, or where witnesses are asked, in the newest that they cosigned. Whoever asks shows
// that they have it: the proof lets its holder find the entry.
func (i *Issuer) Logged(ctx context.Context, credential string) (Logged, error) {
	c, err := i.store.commitmentOf(ctx, credential)
	if err != nil {
		return Logged{}, err
	}
	l, err := i.store.ledgerState(ctx, i.store.db)
	if err != nil {
		return Logged{}, err
	}
	if len(i.cfg.Witnesses) > 0 { // a proof is good for ever if it is one for everybody
		var s tlog.Signed
		l.checkpoint, s, err = i.witnessed(ctx)
		if err != nil && !errors.Is(err, ErrNotWitnessed) {
			return Logged{}, err
		}
		l.size = s.Size
	}
	if c.index >= l.size {
		return Logged{}, ErrNotLogged
	}
	bundle, err := i.store.ledgerTile(ctx, tlog.EntryBundle(c.index, l.size))
	if err != nil {
		return Logged{}, err
	}
	entry, err := tlog.EntryOf(bundle, c.index)
	if err != nil {
		return Logged{}, err
	}
	proof, err := tlog.Prove(c.index, l.checkpoint, &tileReader{ctx: ctx, q: i.store.db, size: l.size})
	if err != nil {
		return Logged{}, err
	}
	return Logged{Entry: entry, Salt: c.salt, Proof: proof}, nil
}
