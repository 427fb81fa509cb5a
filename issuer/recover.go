package issuer

import (
	"bytes"
	"context"
	"crypto"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/vc"
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
	return i.recover(ctx, always, "")
}

// recoverOld finishes the reservations that somebody left behind.
func (i *Issuer) recoverOld(ctx context.Context) {
	r, err := i.recover(ctx, i.now().Add(-recoverAge), "")
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

// signAgain signs the bytes of a reservation that another run made. The database
// is not trusted to hand out our signature: the credential must be this
// issuer's, and what comes out must be what went in, under a published key.
func (i *Issuer) signAgain(r reserved) (*sealing, error) {
	c, err := vc.ParseCredential(r.Payload)
	if err != nil {
		return nil, err
	}
	if !i.ours(c, r.ID) {
		return nil, errForeign
	}
	u, err := vc.Prepare(r.Payload)
	if err != nil {
		return nil, err
	}
	x, err := i.sign(&draft{info: CredentialInfo{ID: r.ID}, unsigned: u})
	if err != nil {
		return nil, err
	}
	payload, err := verifyWith(i.published(i.now()), x.JWT)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(payload, r.Payload) {
		return nil, errAltered
	}
	return x, nil
}

// ours reports whether a credential is the one with this UUID and names this
// issuer.
func (i *Issuer) ours(c *vc.Credential, id string) bool {
	return c.Issuer == i.did && c.ID == "urn:uuid:"+id
}

// published gives the keys of the DID document at t, by kid.
func (i *Issuer) published(t time.Time) map[string]crypto.PublicKey {
	out := map[string]crypto.PublicKey{}
	for _, k := range i.publishedKeys(t) {
		out[i.did+"#"+k.Name] = k.Public()
	}
	return out
}

// verifyWith verifies a vc+jwt with the key that its kid names and gives its
// payload.
func verifyWith(byKID map[string]crypto.PublicKey, jwt string) ([]byte, error) {
	j, err := vc.SplitJWS(jwt)
	if err != nil {
		return nil, errAltered.With(err)
	}
	key, ok := byKID[j.Header.Kid]
	if !ok || j.Header.Typ != vc.TypCredential {
		return nil, errAltered
	}
	payload, err := j.Verify(key)
	if err != nil {
		return nil, errAltered.With(err)
	}
	return payload, nil
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
	return Verified{int(checked.Load()), int(bad.Load())}, failed
}

// intact reports whether a sealed credential is as it was issued. Its key had to
// be published until the credential's end.
func (i *Issuer) intact(x copied) bool {
	at := i.now()
	if x.ValidUntil.Before(at) {
		at = x.ValidUntil
	}
	payload, err := verifyWith(i.published(at), x.JWT)
	if err != nil {
		return false
	}
	c, err := vc.ParseCredential(payload)
	return err == nil && i.ours(c, x.ID) && c.ValidTo.Equal(x.ValidUntil) && c.ValidFrom.Equal(x.ValidFrom) &&
		c.Is(x.Type)
}
