package verifier

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/qr"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/verifier/check"
)

const (
	// liveFor is how long an issuer's lists as of now are used again: a post with
	// a queue asks for them once.
	liveFor = 30 * time.Second
	// liveTime is how long an officer waits for them.
	liveTime = 8 * time.Second
	hubLife  = time.Minute // of a token
)

// lives are the issuers' lists as of now that were fetched last.
type lives struct {
	mu   sync.Mutex
	have map[string]*live // by DID
	// told are the withdrawn keys whose issuer said what they had signed before, with
	// the size of its ledger at the cut-off.
	told map[string]int64
}

// tell notes that an issuer said what a withdrawn key had signed.
func (l *lives) tell(k *vc.TrustKey) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.told == nil {
		l.told = map[string]int64{}
	}
	l.told[k.ID] = k.CutOffSize
}

func (l *lives) knows(k *vc.TrustKey) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	size, ok := l.told[k.ID]
	return ok && size == k.CutOffSize
}

// live is one issuer's.
type live struct {
	mu    sync.Mutex
	at    time.Time
	lists []held
}

// asking is a decider that decides with the lists as they stand now where the
// facts want it. Without an answer it decides with the bundle, whose lists say how
// old they are. The issuers are asked once, however often it is.
func (v *Verifier) asking(ctx context.Context, shown []string, decide decider) decider {
	var once sync.Once
	var with *check.Bundle
	var fresh bool
	return func(b *check.Bundle, f check.Facts, h check.History, now time.Time) ([]check.Decision, check.History, error) {
		if f.Online {
			once.Do(func() {
				var err error
				if with, fresh, err = v.online(ctx, b, shown); err != nil {
					v.cfg.Log.Warn("checked without the issuers", "code", fault.As(err).Code)
					with, fresh = b, false
				}
			})
			b, f.Online = with, fresh
		}
		return decide(b, f, h, now)
	}
}

// online gives a bundle with the lists as they stand now of the issuers whose
// credentials are shown, and of the authorities that may override them; fresh is
// false where one of them did not answer, and its lists are those of before,
// whose date says how old the answer is, or did not say yet what a key had signed
// that is withdrawn. Whole lists are fetched, of every list
// of an issuer, and nothing that is asked says which credential it is about.
func (v *Verifier) online(ctx context.Context, b *check.Bundle, shown []string) (made *check.Bundle, fresh bool, err error) {
	hub, err := v.hubKey(b.Trust, v.now())
	if err != nil {
		return nil, false, err // a post that is no hub has nothing to ask with
	}
	asked := issuersOf(shown)
	before, err := v.book.heldLists(ctx)
	if err != nil {
		return nil, false, err
	}
	p := check.BundlePayload{ID: b.ID, Sequence: b.Sequence, CreatedAt: b.CreatedAt, TrustList: b.SignedTrust} // all that With takes are its lists
	if p.Revoked, err = v.book.everRevoked(ctx); err != nil {
		return nil, false, err
	}
	fresh = true
	ctx, cancel := context.WithTimeout(ctx, liveTime)
	defer cancel()
	var wg sync.WaitGroup
	var mu sync.Mutex
	for i := range b.Trust.Issuers {
		is := &b.Trust.Issuers[i]
		if !slices.Contains(asked, is.DID) && !slices.ContainsFunc(is.MayRevoke, func(d string) bool { return slices.Contains(asked, d) }) {
			continue
		}
		wg.Go(func() {
			known := !slices.Contains(asked, is.DID) || v.survivorsKnown(b, is)
			lists, ok := v.liveLists(ctx, b.Trust, is, hub, before)
			mu.Lock()
			defer mu.Unlock()
			fresh = fresh && ok && known
			for _, h := range lists {
				h.into(&p)
			}
		})
	}
	wg.Wait()
	file, err := p.Sign(hub)
	if err != nil {
		return nil, false, err
	}
	now, err := check.Open(file, v.cfg.Anchors)
	if err != nil {
		return nil, false, err
	}
	return b.With(now), fresh, nil
}

// survivorsKnown reports whether an issuer said of each of its withdrawn keys what the
// key had signed before: to this hub, or to the one that made the bundle. Until then
// what the bundle lacks says nothing of a credential, and neither where the key signed
// more than is told. Hubs ask with each bundle.
func (v *Verifier) survivorsKnown(b *check.Bundle, is *vc.TrustIssuer) bool {
	for i := range is.Keys {
		k := &is.Keys[i]
		if k.CutOff.IsZero() || k.CutOffSize <= 0 || v.lives.knows(k) {
			continue
		}
		if n := len(b.Survivors(k.ID).Payloads); n == 0 || n >= v.mostSurvivors {
			return false
		}
		v.lives.tell(k)
	}
	return true
}

// liveLists gives an issuer's lists as of now, or those of before.
func (v *Verifier) liveLists(ctx context.Context, l *vc.TrustList, is *vc.TrustIssuer, hub keys.Signer, before []held) (lists []held, ok bool) {
	v.lives.mu.Lock()
	x := v.lives.have[is.DID]
	if x == nil {
		x = &live{}
		if v.lives.have == nil {
			v.lives.have = map[string]*live{}
		}
		v.lives.have[is.DID] = x
	}
	v.lives.mu.Unlock()
	x.mu.Lock()
	defer x.mu.Unlock()
	now := v.now()
	if !x.at.IsZero() && !now.Before(x.at) && now.Sub(x.at) < liveFor {
		return x.lists, true
	}
	var had []held
	for _, h := range before {
		if h.issuer == is.DID {
			had = append(had, h)
		}
	}
	s := &shelf{issuer: is, trust: l, clock: v.now, now: now, fetch: v.fetch.as(func() (string, error) { return hubToken(hub, is.Shelf, v.now()) })}
	s.read(ctx, had)
	lists = slices.Concat(s.lists, s.overrides)
	if len(s.problems) > 0 {
		return lists, false
	}
	x.at, x.lists = now, lists
	return lists, true
}

// hubToken is what a hub asks an issuer's shelf with.
func hubToken(hub keys.Signer, shelf string, now time.Time) (string, error) {
	payload, err := json.Marshal(struct {
		Audience string `json:"aud"`
		IssuedAt int64  `json:"iat"`
		Expires  int64  `json:"exp"`
		ID       string `json:"jti"`
	}{shelf, now.Unix(), now.Add(hubLife).Unix(), store.Random(24)})
	if err != nil {
		return "", err
	}
	jwt, err := vc.SignJWS(hub, vc.TypHub, "", payload)
	return "KinpassHub " + jwt, err
}

// issuersOf names who signed what is shown, as it says itself: enough to know
// whose lists to ask for, and nothing is believed for it.
func issuersOf(shown []string) []string {
	var out []string
	add := func(jwt string) {
		if v, err := vc.SplitJWS(jwt); err == nil {
			out = append(out, did.Base(v.Header.Kid))
		}
	}
	for _, text := range shown {
		p, err := qr.Unpack(text)
		if err != nil {
			continue
		}
		for _, jwt := range p.Credentials {
			add(jwt)
		}
		v, err := vc.SplitJWS(p.Presentation)
		if err != nil {
			continue
		}
		vp, err := vc.ParsePresentation(v.PayloadUnverified())
		if err != nil {
			continue
		}
		for i := range vp.Credentials {
			if jwt, ok := vp.Credentials[i].JWT(); ok {
				add(jwt)
			}
		}
	}
	return out
}
