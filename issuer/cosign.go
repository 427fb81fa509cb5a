package issuer

import (
	"context"
	"crypto/ed25519"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/tlog"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/internal/witness"
)

// ErrNotWitnessed: no checkpoint has the cosignatures that are demanded, yet.
var ErrNotWitnessed = fault.New(fault.NotFound, "not-witnessed", "no checkpoint of the ledger has the cosignatures of witnesses that are demanded")

// LedgerWitness is a witness that is asked to cosign the ledger's checkpoints
// (C2SP tlog-witness).
type LedgerWitness struct {
	Name string // in its signatures' lines
	URL  string // https; http for this machine if Config.LoopbackWitnesses
	Key  ed25519.PublicKey
}

// What a witness said to the last request.
const (
	AnswerNone     = "none"         // it was not asked yet
	AnswerCosigned = "cosigned"     // it cosigned
	AnswerAway     = "unreachable"  // no answer, or none that can be used
	AnswerRefused  = "refused"      // it does not follow this ledger or not with this key, or claims what it does not show
	AnswerForked   = "otherHistory" // it shows a checkpoint with our key that is not of this ledger
)

// gatherEvery is how often the witnesses are asked while the ledger grows. One
// cosignature speaks for all that is before it.
const gatherEvery = time.Second

// A witness that does not answer is asked again after a second, then after twice
// as long each time, at most after five minutes.
const (
	firstWait = time.Second
	lastWait  = 5 * time.Minute
)

// gatherer asks the witnesses. It is no part of issuing: nothing waits for it.
type gatherer struct {
	i     *Issuer
	owner string
	asked []*asked
}

// asked is one witness and how it goes with it.
type asked struct {
	LedgerWitness
	key    tlog.Verifier
	client *witness.Client
	known  int64 // entries that it saw, as far as we know
	wait   time.Duration
	after  time.Time // it is not asked before
	told   string    // the answer that the log has a line about
}

func newGatherer(i *Issuer) (*gatherer, error) {
	g := &gatherer{i: i, owner: token()}
	for n, w := range i.cfg.Witnesses {
		if w.Name == "" || len(w.Key) != ed25519.PublicKeySize || slices.ContainsFunc(i.cfg.Witnesses[:n], func(x LedgerWitness) bool { return x.Name == w.Name }) {
			return nil, fault.New(fault.Invalid, "witness-config", "each witness has a name of its own and an Ed25519 key")
		}
		c, err := witness.NewClient(w.URL, i.cfg.LoopbackWitnesses)
		if err != nil {
			return nil, err
		}
		g.asked = append(g.asked, &asked{LedgerWitness: w, key: tlog.WitnessVerifier(w.Name, w.Key), client: c})
	}
	return g, nil
}

// run asks until ctx ends.
func (g *gatherer) run(ctx context.Context) {
	if len(g.asked) == 0 {
		return
	}
	t := time.NewTicker(gatherEvery)
	defer t.Stop()
	failed := false
	for {
		mine, err := g.i.store.mayGather(ctx, g.owner)
		if err == nil && mine {
			err = g.round(ctx)
		}
		if err != nil && ctx.Err() == nil && !failed {
			g.i.log.Error("the ledger's witnesses are not asked", "code", fault.As(err).Code)
		}
		failed = err != nil
		select {
		case <-ctx.Done():
			end, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			_ = g.i.store.endGather(end, g.owner) // otherwise the term ends by itself
			return
		case <-t.C:
		}
	}
}

// round asks every witness that has not cosigned the newest checkpoint.
func (g *gatherer) round(ctx context.Context) error {
	l, err := g.i.store.ledgerState(ctx, g.i.store.db)
	if err != nil || len(l.checkpoint) == 0 {
		return err
	}
	own, err := g.i.ownPolicy()
	if err != nil {
		return err
	}
	have, err := g.i.store.cosigned(ctx, g.i.store.db, l.size)
	if err != nil {
		return err
	}
	seen := map[string]time.Time{}
	if have != nil {
		s, err := own.Open(have)
		if err != nil {
			return err
		}
		seen = s.Seen
	}
	ctx, cancel := context.WithTimeout(ctx, gatherTerm-3*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	for _, w := range g.asked {
		if _, done := seen[w.Name]; done || g.i.now().Before(w.after) && w.after.Sub(g.i.now()) <= lastWait {
			continue
		}
		wg.Go(func() { g.ask(ctx, w, l) })
	}
	wg.Wait()
	return nil
}

// ask asks one witness about a checkpoint, and keeps what it says.
func (g *gatherer) ask(ctx context.Context, w *asked, l ledger) {
	line, at, err := g.cosignature(ctx, w, l)
	if errors.Is(err, witness.ErrHistory) || errors.Is(err, witness.ErrProof) {
		err = g.judge(ctx, w, err)
	}
	if err == nil {
		err = g.i.store.cosign(ctx, l.size, append(slices.Clone(l.checkpoint), line...), g.i.enough(ctx))
	}
	if ctx.Err() != nil && err != nil && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, witness.ErrUnreachable) {
		return // we are told to stop
	}
	if errors.Is(err, errBehind) {
		return // another replica is ahead; the next round asks about what is newer
	}
	answer := answerOf(err)
	if err == nil {
		w.wait, w.after, w.known = 0, time.Time{}, l.size
	} else {
		w.wait = min(max(2*w.wait, firstWait), lastWait)
		w.after = g.i.now().Add(w.wait)
	}
	if answer != w.told {
		switch {
		case answer == AnswerForked:
			g.i.log.Error("the witness has seen another history", "witness", w.Name, "size", l.size)
		case err != nil:
			g.i.log.Warn("a witness does not cosign", "witness", w.Name, "answer", answer, "code", fault.As(err).Code)
		case w.told != "":
			g.i.log.Info("a witness cosigns again", "witness", w.Name)
		}
		w.told = answer
	}
	keep, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := g.i.store.said(keep, answered{w.Name, l.size, at, answer}); err != nil && ctx.Err() == nil {
		g.i.log.Error("what a witness said is not kept", "code", fault.As(err).Code)
	}
}

// errBehind: the witness saw more than we have read, and so has the database.
var errBehind = errors.New("behind another replica")

// What a witness claims that does not cosign: errOther is shown by signatures, ours
// among them; errClaim is not.
var (
	errOther = errors.New("the witness shows another history")
	errClaim = errors.New("the witness claims another history")
)

func answerOf(err error) string {
	switch {
	case err == nil:
		return AnswerCosigned
	case errors.Is(err, errOther):
		return AnswerForked
	case errors.Is(err, errClaim), errors.Is(err, witness.ErrUnknownLog), errors.Is(err, witness.ErrNotSigned), errors.Is(err, witness.ErrRequest), errors.Is(err, tlog.ErrUnsigned), errors.Is(err, tlog.ErrCheckpoint):
		return AnswerRefused
	}
	return AnswerAway
}

// cosignature gets a witness's cosignature of a checkpoint. It begins with what the
// witness is believed to have seen, and with what it says if that is wrong.
func (g *gatherer) cosignature(ctx context.Context, w *asked, l ledger) (line []byte, at time.Time, err error) {
	old := min(w.known, l.size)
	for range 3 {
		r := witness.Request{Old: old, Signed: l.checkpoint}
		if old > 0 && old < l.size {
			if r.Proof, err = tlog.ProveConsistency(l.size, old, &tileReader{ctx: ctx, q: g.i.store.db, size: l.size}); err != nil {
				return nil, time.Time{}, err
			}
		}
		answer, err := w.client.Add(ctx, r)
		var c *witness.Conflict
		if errors.As(err, &c) {
			if c.Size == old {
				return nil, time.Time{}, witness.ErrHistory // of this size it saw another
			}
			if c.Size > l.size {
				return nil, time.Time{}, g.ahead(ctx, c.Size)
			}
			old = c.Size
			continue
		}
		if err != nil {
			return nil, time.Time{}, err
		}
		return tlog.Cosigned(l.checkpoint, answer, w.key)
	}
	return nil, time.Time{}, witness.ErrUnreachable
}

// judge holds a witness that claims to have seen another history against what it
// shows: the checkpoint that it cosigned last, with our key's signature and its own. If
// that is not of this ledger, our key signed what this ledger never was: either
// somebody else has the key, or the database is an old copy. Else it is a claim, which
// costs a witness nothing.
func (g *gatherer) judge(ctx context.Context, w *asked, claim error) error {
	p, err := g.i.ownPolicy()
	if err != nil {
		return err
	}
	p.Witnesses, p.Quorum = []tlog.Verifier{w.key}, 1
	signed, err := w.client.Checkpoint(ctx, p.Log.Name)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return errors.Join(errClaim, claim)
	}
	c, err := p.Open(signed)
	if err != nil {
		return errors.Join(errClaim, claim)
	}
	// The ledger as it is now: another replica may have gone on.
	l, err := g.i.store.ledgerState(ctx, g.i.store.db)
	if err != nil {
		return err
	}
	if c.Size > l.size {
		return errors.Join(errOther, claim)
	}
	root, err := tlog.Root(c.Size, &tileReader{ctx: ctx, q: g.i.store.db, size: l.size})
	if err != nil {
		return err
	}
	if root != c.Root {
		return errors.Join(errOther, claim)
	}
	return errors.Join(errClaim, claim)
}

// ahead judges a witness that says that it saw more entries than we read: the ledger
// may have as many by now.
func (g *gatherer) ahead(ctx context.Context, size int64) error {
	l, err := g.i.store.ledgerState(ctx, g.i.store.db)
	if err != nil {
		return err
	}
	if l.size >= size {
		return errBehind
	}
	return witness.ErrHistory
}

// ownPolicy knows our key and those of the witnesses that we ask, and demands none
// of these.
func (i *Issuer) ownPolicy() (tlog.Policy, error) {
	k, err := i.ledgerKey()
	if err != nil {
		return tlog.Policy{}, err
	}
	pub, err := vc.NoteKey(k.Public())
	if err != nil {
		return tlog.Policy{}, err
	}
	p := tlog.Policy{Log: tlog.LogVerifier(i.LedgerOrigin(), pub)}
	for _, w := range i.cfg.Witnesses {
		p.Witnesses = append(p.Witnesses, tlog.WitnessVerifier(w.Name, w.Key))
	}
	return p, nil
}

// demanded says what verifiers demand of a checkpoint, by the trust list; one
// witness at the least. As long as no list names a witness, any of those that we
// ask will do.
func (i *Issuer) demanded(ctx context.Context) (tlog.Policy, error) {
	own, err := i.ownPolicy()
	if err != nil {
		return tlog.Policy{}, err
	}
	own.Quorum = 1
	if i.cfg.Trust == nil {
		return own, nil
	}
	l, err := i.cfg.Trust(ctx)
	if err != nil || l == nil {
		return own, nil // there is none yet
	}
	p, err := l.LedgerPolicy(i.did)
	if err != nil || p.Log.String() != own.Log.String() || len(p.Witnesses) == 0 {
		return own, nil
	}
	p.Quorum = max(p.Quorum, 1)
	return p, nil
}

// enough gives what says whether a checkpoint has the cosignatures that are
// demanded.
func (i *Issuer) enough(ctx context.Context) func([]byte) bool {
	p, err := i.demanded(ctx)
	return func(signed []byte) bool {
		if err != nil {
			return false
		}
		_, err := p.Open(signed)
		return err == nil
	}
}

// witnessed gives the newest checkpoint that has the cosignatures that are
// demanded, ErrNotWitnessed if there is none.
func (i *Issuer) witnessed(ctx context.Context) ([]byte, tlog.Signed, error) {
	p, err := i.demanded(ctx)
	if err != nil {
		return nil, tlog.Signed{}, err
	}
	all, err := i.store.cosignedCheckpoints(ctx)
	if err != nil {
		return nil, tlog.Signed{}, err
	}
	for _, b := range all {
		if s, err := p.Open(b); err == nil {
			return b, s, nil
		}
	}
	return nil, tlog.Signed{}, ErrNotWitnessed
}

// WitnessedCheckpoint gives the newest checkpoint of the ledger with the
// cosignatures that the trust list demands, ErrNotWitnessed if there is none.
func (i *Issuer) WitnessedCheckpoint(ctx context.Context) (Published, error) {
	b, _, err := i.witnessed(ctx)
	return Published{Type: "text/plain; charset=utf-8", Cache: "no-cache", Body: b}, err
}

// LedgerStatus is how it goes with the ledger. It says nothing about a person.
type LedgerStatus struct {
	Origin   string    `json:"origin"`
	Verifier string    `json:"verifierKey"` // the ledger's key as a note key
	Size     int64     `json:"size"`        // entries
	At       time.Time `json:"at"`          // of the newest checkpoint
	Waiting  int64     `json:"waiting"`     // committed, and not in the ledger yet
	// Oldest is when the first that waits was committed. A change of status waits
	// until it is published. Due is when the first of what waits was, or is, to be in
	// the ledger.
	Oldest time.Time `json:"oldestWaiting,omitzero"`
	Due    time.Time `json:"dueWaiting,omitzero"`
	// Witnessed is the size of the newest checkpoint that has Demanded cosignatures.
	Witnessed   int64     `json:"witnessedSize"`
	WitnessedAt time.Time `json:"witnessedAt,omitzero"` // when the last of these saw it
	// Unwitnessed is when the first entry that is not in that checkpoint came into the
	// ledger; zero if there is none, or nobody is asked.
	Unwitnessed time.Time       `json:"unwitnessedSince,omitzero"`
	Demanded    int             `json:"demanded"`
	Witnesses   []WitnessAnswer `json:"witnesses"`
	// OtherHistory: a witness shows, with both signatures, what is not in this ledger.
	// Either somebody else has the ledger's key, or the database is an old copy.
	OtherHistory bool `json:"otherHistory"`
}

// WitnessAnswer is what a witness said last.
type WitnessAnswer struct {
	Name     string    `json:"name"`
	Size     int64     `json:"size"`              // largest that it cosigned
	Cosigned time.Time `json:"cosigned,omitzero"` // when, by its clock
	Asked    time.Time `json:"asked,omitzero"`
	Answer   string    `json:"answer"` // AnswerNone …
}

// firstOf gives the earlier of two times, of which the zero time is none.
func firstOf(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// LedgerStatus tells people of this office how it goes with the ledger.
func (i *Issuer) LedgerStatus(ctx context.Context, c Caller) (LedgerStatus, error) {
	if err := c.may(RoleRegistrar, RoleCourt, RoleProtection, RoleAuditor); err != nil {
		return LedgerStatus{}, err
	}
	own, err := i.ownPolicy()
	if err != nil {
		return LedgerStatus{}, err
	}
	l, err := i.store.ledgerState(ctx, i.store.db)
	if err != nil {
		return LedgerStatus{}, err
	}
	out := LedgerStatus{Origin: i.LedgerOrigin(), Verifier: own.Log.String(), Size: l.size, At: l.at, Witnesses: []WitnessAnswer{}}
	q, err := i.store.ledgerWaiting(ctx, l)
	if err != nil {
		return LedgerStatus{}, err
	}
	out.Waiting, out.Oldest, out.Due = q.n, firstOf(q.issued, q.acts), firstOf(q.issued, i.shownAt(q.acts))
	if len(i.cfg.Witnesses) == 0 {
		return out, nil
	}
	p, err := i.demanded(ctx)
	if err != nil {
		return LedgerStatus{}, err
	}
	out.Demanded = p.Quorum
	_, s, err := i.witnessed(ctx)
	if err != nil && !errors.Is(err, ErrNotWitnessed) {
		return LedgerStatus{}, err
	}
	out.Witnessed = s.Size
	if out.Unwitnessed, err = i.store.enteredFrom(ctx, s.Size); err != nil {
		return LedgerStatus{}, err
	}
	for _, at := range s.Seen {
		if at.After(out.WitnessedAt) {
			out.WitnessedAt = at
		}
	}
	said, err := i.store.sayings(ctx)
	if err != nil {
		return LedgerStatus{}, err
	}
	for _, w := range i.cfg.Witnesses {
		a, ok := said[w.Name]
		if !ok {
			a = WitnessAnswer{Name: w.Name, Answer: AnswerNone}
		}
		out.Witnesses = append(out.Witnesses, a)
		out.OtherHistory = out.OtherHistory || a.Answer == AnswerForked
	}
	return out, nil
}
