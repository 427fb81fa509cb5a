package issuer

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kinpass/kinpass/internal/fault"
)

// recoverAge is how old an open reservation must be before a running issuer
// takes it for left behind: younger ones are most likely being signed. Finishing
// one too early does no harm, it is sealed once.
const recoverAge = 10 * time.Second

// always is later than every reservation, whatever clock made it.
var always = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// Faults of what the database gives back.
var (
	errForeign = fault.New(fault.Internal, "reservation-foreign", "a reserved credential is not this issuer's")
	errAltered = fault.New(fault.Internal, "credential-altered", "a signed credential is not what was reserved, or not signed by a published key")
)

// Recovered counts what Recover found.
type Recovered struct {
	Open   int `json:"open"`   // reservations without a sealed credential
	Sealed int `json:"sealed"` // of these, signed and sealed now
	Failed int `json:"failed"` // of these, not signed; look at the log
}

// Recover finishes every reservation that is open: it signs the stored bytes as
// they are and seals them. It may run beside live issuers: a reservation is
// sealed once, whoever comes first. What cannot be signed, or is not this
// issuer's, is counted, logged by its id and left for the next run.
func (i *Issuer) Recover(ctx context.Context) (Recovered, error) {
	if err := i.store.forgetAnswers(ctx); err != nil {
		return Recovered{}, err
	}
	return i.recoverAll(ctx, always)
}

// recoverAll finishes what was reserved before a time: credentials of records,
// then witnessed consents.
func (i *Issuer) recoverAll(ctx context.Context, before time.Time) (Recovered, error) {
	r, err := i.recover(ctx, before, "")
	if err != nil {
		return r, err
	}
	w, err := i.recoverWitnessed(ctx, before)
	return Recovered{r.Open + w.Open, r.Sealed + w.Sealed, r.Failed + w.Failed}, err
}

// recoverOld finishes the reservations that somebody left behind.
func (i *Issuer) recoverOld(ctx context.Context) {
	r, err := i.recoverAll(ctx, i.now().Add(-recoverAge))
	switch {
	case ctx.Err() != nil:
	case err != nil:
		i.log.Error("open reservations not finished", "code", fault.As(err).Code)
	case r.Open > 0:
		i.log.Warn("open reservations finished", "open", r.Open, "sealed", r.Sealed, "failed", r.Failed)
	}
}

// recover finishes the reservations made before a time, of one record if record
// is not "".
func (i *Issuer) recover(ctx context.Context, before time.Time, record string) (Recovered, error) {
	var r Recovered
	for {
		list, err := i.store.open(ctx, before, record, r.Failed)
		if err != nil || len(list) == 0 {
			return r, err
		}
		r.Open += len(list)
		w := &work{}
		for _, d := range list {
			x, err := i.signAgain(d)
			if err != nil {
				r.Failed++
				i.log.Error("a reserved credential cannot be signed", "credential", d.ID, "code", fault.As(err).Code)
				continue
			}
			w.seals = append(w.seals, x)
		}
		if len(w.seals) == 0 {
			continue
		}
		if err := i.store.submit(ctx, w); err != nil {
			return r, err
		}
		r.Sealed += len(w.seals)
	}
}

// Verified counts what Verify found.
type Verified struct {
	Checked int `json:"checked"` // sealed credentials
	Bad     int `json:"bad"`     // of these, not as this issuer issued them; look at the log
}

// Verify checks every sealed credential of the database: it is this issuer's, of
// the id and the end that the register has of it, and verifies under a key that
// the DID document published in its life. It uses every core and memory for a
// few pages. What is bad is counted and logged by its id.
func (i *Issuer) Verify(ctx context.Context) (Verified, error) {
	outer := ctx // that of the group ends with it
	var checked, bad atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	var failed error
	for after := ""; ; {
		page, err := i.store.sealedAfter(ctx, after)
		if err != nil || len(page) == 0 {
			failed = err
			break
		}
		after = page[len(page)-1].ID
		g.Go(func() error {
			for _, c := range page {
				if !i.intact(c) {
					bad.Add(1)
					i.log.Error("a sealed credential is not as it was issued", "credential", c.ID)
				}
			}
			checked.Add(int64(len(page)))
			return nil
		})
	}
	if err := g.Wait(); failed == nil {
		failed = err
	}
	if failed != nil {
		return Verified{int(checked.Load()), int(bad.Load())}, failed
	}
	w, failed := i.verifyWitnessed(outer)
	return Verified{int(checked.Load()) + w.Checked, int(bad.Load()) + w.Bad}, failed
}
