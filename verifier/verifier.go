// Package verifier is the border post: it builds or takes in border bundles,
// checks what guardians show against them, and keeps a line per check that
// names nobody.
//
// Two halves share the package and meet in one file. A hub builds bundles: it
// reads the trust list and the shelves of all issuers on it, and signs what it
// found. A post checks: it holds one bundle and needs no network. A Verifier
// can be either or both; how a decision is made is verifier/check.
//
// No issuer is ever asked about a child: the builder fetches every list of
// every issuer, whoever is being checked.
package verifier

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/mirror"
	"github.com/kinpass/kinpass/internal/policy"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/verifier/check"
	"github.com/kinpass/kinpass/verifier/post"
)

// Faults of checking.
var (
	ErrNoSuchCheck     = fault.New(fault.NotFound, "no-such-check", "there is no such check")
	ErrNoSuchChallenge = post.ErrNoSuchChallenge
	ErrPresentations   = post.ErrPresentations
)

// Roles of a verifier's tokens.
const (
	RoleOfficer    = "officer"
	RoleSupervisor = "supervisor" // the second person of officers; sees what they decided
	RoleAuditor    = "auditor"
)

// Config says what a verifier needs. DB, Ring and Anchors must be set.
type Config struct {
	DB *store.DB
	// Ring holds the secret "history" and, for a verifier that builds bundles,
	// a key of use "hub" that the trust list names.
	Ring        *keys.Ring
	Base        string     // public URL without a final slash
	Anchors     vc.Anchors // who may sign a trust list
	TrustSource string     // file or URL of the signed trust list; "" for a post that only takes bundles in
	HTTP        HTTPPolicy // where the builder may connect to
	// Policies is a directory with the countries' policies that go into bundles,
	// read before each build; "" for those that come with Kinpass.
	Policies string
	Keep     time.Duration // how long records of checks are kept; default 30 days
	// Files is a directory for the bundle in force as a file that is mapped into
	// memory, "" for none; the database has it all the same.
	Files string
	// Versions says which bundles stay after a newer one came, so that posts fetch
	// what changed since theirs; VersionBytes bounds them together (default 1 GiB).
	Versions     mirror.Keep
	VersionBytes int64
	Now          func() time.Time // default time.Now
	Log          *slog.Logger     // default: nothing is logged
}

// BodyLimit is how large a request to a verifier may be, in bytes: a border
// bundle is the largest.
const BodyLimit = maxBundle

// challengeLife is how long a nonce that this verifier handed out is good.
const challengeLife = 5 * time.Minute

// Verifier is a post, a hub, or both. It is safe for concurrent use, and
// several may share one database.
type Verifier struct {
	cfg      Config
	book     book
	fetch    *fetcher
	secret   []byte
	building chan struct{}     // holds whoever builds
	pictures chan struct{}     // holds those who read a picture
	lives    lives             // lists as of now, for checks online
	policies *policy.Set       // last good ones; whoever builds may change them
	survived map[string]proven // by key; whoever builds may change it
	// mostSurvivors is how many are told of a key (maxSurvivors)
	mostSurvivors int

	current atomic.Pointer[Bundle]
	making  singleflight.Group // of deltas
	diffing chan struct{}      // holds those who make one
	deltas  deltas
	elapsed func() time.Duration // a clock that nobody sets

	mu      sync.Mutex
	trusted time.Time     // a time that others vouched for
	since   time.Duration // elapsed at that time
}

// New makes a verifier over a migrated database. It fetches nothing.
func New(cfg Config) (*Verifier, error) {
	if cfg.DB == nil || cfg.Ring == nil || len(cfg.Anchors.Keys) == 0 {
		return nil, fault.New(fault.Internal, "verifier-config", "a verifier needs a database, keys and at least one trust anchor")
	}
	if len(cfg.Ring.Secret("history")) != 32 {
		return nil, fault.New(fault.Unavailable, "no-secret", "the key ring of the verifier lacks a secret")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if cfg.Keep <= 0 {
		cfg.Keep = 30 * 24 * time.Hour
	}
	if cfg.VersionBytes <= 0 {
		cfg.VersionBytes = 1 << 30
	}
	policies, err := readPolicies(cfg.Policies)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	return &Verifier{
		cfg: cfg, policies: policies, book: book{cfg.DB}, fetch: newFetcher(cfg.HTTP), secret: cfg.Ring.Secret("history"),
		building: make(chan struct{}, 1), pictures: make(chan struct{}, 2), diffing: make(chan struct{}, 2), elapsed: func() time.Duration { return time.Since(start) },
		mostSurvivors: maxSurvivors,
	}, nil
}

func (v *Verifier) now() time.Time { return v.cfg.Now().UTC() }

// hash gives what the book keeps instead of a value. Equal values of different
// purposes have different hashes.
func (v *Verifier) hash(purpose string, value []byte) []byte {
	m := hmac.New(sha256.New, v.secret)
	m.Write([]byte("kinpass/verifier/" + purpose + "/v1\x00"))
	m.Write(value)
	return m.Sum(nil)
}

// Result is a decision with the name of its record.
type Result = check.Result

// Group is what CheckGroup gives: a decision for each child.
type Group = check.Group

// Check decides about one to four presentations of one child, the first that of
// the companion, and records the decision. Facts.Others and LastTrustedTime are
// filled in here. The errors are those of check.Check, ErrNoBundle,
// ErrPresentations, ErrHistory and ErrNoSuchChallenge; whatever is wrong with a
// presentation is in the decision.
func (v *Verifier) Check(ctx context.Context, shown []string, f check.Facts) (Result, error) {
	if len(shown) == 0 || len(shown) > 4 {
		return Result{}, ErrPresentations
	}
	f.Others = shown[1:]
	out, err := v.sit(ctx, f, v.asking(ctx, shown, func(b *check.Bundle, f check.Facts, h check.History, now time.Time) ([]check.Decision, check.History, error) {
		d, h, err := check.Check(shown[0], b, f, h, now)
		return []check.Decision{d}, h, err
	}))
	if err != nil {
		return Result{}, err
	}
	return out[0], nil
}

// maxGroup is how many presentations check.CheckGroup takes.
const maxGroup = 60

// CheckGroup decides about children who travel together, such as a class with
// its teacher: one to sixty presentations, of which those that name the same
// child are one child's. Each decision is recorded, all or none. The errors are
// those of Check. A group that needs several calls repeats Facts.Session.
func (v *Verifier) CheckGroup(ctx context.Context, shown []string, f check.Facts) (Group, error) {
	if len(shown) == 0 || len(shown) > maxGroup {
		return Group{}, ErrPresentations
	}
	out, err := v.sit(ctx, f, v.asking(ctx, shown, func(b *check.Bundle, f check.Facts, h check.History, now time.Time) ([]check.Decision, check.History, error) {
		return check.CheckGroup(shown, b, f, h, now)
	}))
	if err != nil {
		return Group{}, err
	}
	return Group{Session: out[0].Session, Decisions: out}, nil
}

// decider decides with what the post remembers and gives what it remembers then.
type decider func(*check.Bundle, check.Facts, check.History, time.Time) ([]check.Decision, check.History, error)

// sit is one sitting at a counter: it decides and records each decision, all or
// nothing.
func (v *Verifier) sit(ctx context.Context, f check.Facts, decide decider) ([]Result, error) {
	now := v.now()
	b, err := v.Latest(ctx)
	if err != nil {
		return nil, err
	}
	defer runtime.KeepAlive(b.Bundle) // its parts lie in a mapped file
	if f.Challenge != "" {
		ours, err := v.book.asked(ctx, v.hash("challenge", []byte(f.Challenge)), now)
		if err != nil {
			return nil, err
		}
		if !ours {
			return nil, ErrNoSuchChallenge
		}
	}
	session := f.Session
	if session == "" {
		session = store.Random(16)
	}
	if f.LastTrustedTime, err = v.trustedTime(ctx, now); err != nil {
		return nil, err
	}
	post := v.hash("post", []byte(f.Post))
	// What is remembered holds hashes alone, and one post's session is not
	// another's of the same name.
	f.Session = hex.EncodeToString(v.hash("visit", slices.Concat(post, []byte(session))))

	var results []Result
	var seen []check.Seen
	// look decides with what is remembered and with the presentations that
	// another session has used.
	look := func(sealed []byte, elsewhere []check.Seen) (outcome, error) {
		before, text, err := v.openHistory(post, sealed)
		if err != nil {
			return outcome{}, err
		}
		before.Seen = elsewhere
		decisions, after, err := decide(b.Bundle, f, before, now)
		if err != nil {
			return outcome{}, err
		}
		seen, after.Seen = after.Seen, nil // the book itself remembers nonces, for all posts
		results = results[:0]
		var out outcome
		for _, d := range decisions {
			r := Result{ID: store.Random(16), At: now, Session: session, Decision: d}
			results = append(results, r)
			out.records = append(out.records, recordOf(r))
		}
		out.sealed, err = v.sealHistory(post, text, after)
		return out, err
	}
	sealed, err := v.book.recall(ctx, post)
	if err != nil {
		return nil, err
	}
	first, err := look(sealed, nil)
	if err != nil {
		return nil, err
	}
	used := seen
	e := entry{now: now, before: memory{post, sealed}, first: first}
	claim := v.hash("session", []byte(session))
	for i, s := range used {
		e.uses = append(e.uses, use{v.hash("nonce", []byte(s.Hash)), claim, s.Until, i})
	}
	// All take them in one order, so that two groups never wait for each other.
	slices.SortFunc(e.uses, func(a, b use) int { return bytes.Compare(a.nonce, b.nonce) })
	e.again = func(sealed []byte, repeated []int) (outcome, error) {
		var elsewhere []check.Seen
		for _, i := range repeated {
			s := used[i]
			s.Session = "another"
			elsewhere = append(elsewhere, s)
		}
		return look(sealed, elsewhere)
	}
	if err := v.book.record(ctx, e); err != nil {
		return nil, err
	}
	return results, nil
}

// recordOf gives what is kept of a decision.
func recordOf(r Result) Record {
	out := Record{ID: r.ID, At: r.At, Colour: r.Colour.String(), Codes: r.Codes(), Bundle: r.Bundle.ID, BundleAge: r.Bundle.AgeSeconds, StatusAge: r.StatusAgeSeconds}
	for _, p := range r.Policies {
		if name := fmt.Sprintf("%s/%d", p.ID, p.Version); !slices.Contains(out.Policies, name) {
			out.Policies = append(out.Policies, name)
		}
	}
	return out
}

// AnchorFile gives the trust anchors as vc.ParseAnchors reads them.
func (v *Verifier) AnchorFile() ([]byte, error) { return v.cfg.Anchors.File() }

// Records lists the records of checks, newest first, at most limit (1 to 500)
// of them; before is the ID after which to go on, "" to begin.
func (v *Verifier) Records(ctx context.Context, before string, limit int) ([]Record, error) {
	return v.book.records(ctx, before, min(max(limit, 1), 500))
}

// Challenge makes a nonce for a presentation that this verifier asks for. It
// expires after five minutes.
func (v *Verifier) Challenge(ctx context.Context) (nonce string, expires time.Time, err error) {
	nonce, expires = store.Random(16), v.now().Add(challengeLife).Truncate(time.Second)
	return nonce, expires, v.book.ask(ctx, v.hash("challenge", []byte(nonce)), expires)
}

// Ready reports whether the verifier can decide.
func (v *Verifier) Ready(ctx context.Context) error {
	_, err := v.Latest(ctx)
	return err
}

// Purge deletes the records whose time is over, nonces that have expired, and
// what posts need no longer remember.
func (v *Verifier) Purge(ctx context.Context) error {
	now := v.now()
	n, err := v.book.purge(ctx, now.Add(-v.cfg.Keep), now)
	if n > 0 {
		v.cfg.Log.Info("records purged", "count", n)
	}
	if err != nil {
		return err
	}
	posts, err := v.book.posts(ctx)
	if err != nil {
		return err
	}
	for _, post := range posts {
		err := v.book.forget(ctx, post, func(sealed []byte) ([]byte, error) { return v.forget(post, sealed, now) })
		switch {
		case errors.Is(err, ErrHistory): // the next check at that post says so, too
			v.cfg.Log.Error("a post's history not purged", "code", ErrHistory.Code)
		case err != nil:
			return err
		}
	}
	return nil
}

// Run builds a bundle at once and then each interval, and purges, until ctx
// ends. A build that fails leaves the bundle in force and is tried again a
// minute later, or after the interval if that is shorter. A verifier without a
// trust source only purges.
func (v *Verifier) Run(ctx context.Context, interval time.Duration) {
	for {
		wait := interval
		if v.cfg.TrustSource != "" {
			r, err := v.Build(ctx)
			switch {
			case ctx.Err() != nil:
				return
			case err != nil:
				v.cfg.Log.Error("bundle not built", "code", fault.As(err).Code)
				wait = min(interval, time.Minute)
			default:
				v.cfg.Log.Info("bundle built", "bundle", r.ID, "sequence", r.Sequence, "lists", r.Lists, "bytes", r.Bytes, "problems", len(r.Problems))
				for _, p := range r.Problems {
					v.cfg.Log.Warn("bundle incomplete", "issuer", p.Issuer, "list", p.List, "code", p.Code)
				}
			}
		}
		if err := v.Purge(ctx); err != nil && ctx.Err() == nil {
			v.cfg.Log.Error("records not purged", "code", fault.As(err).Code)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// vouch takes the median of what issuers said over TLS, as offsets from this
// device's clock, for the present. An offset of more than ten minutes is
// ErrClock: what this device would sign now, it could not replace later.
func (v *Verifier) vouch(ctx context.Context, offsets []time.Duration) error {
	if len(offsets) == 0 {
		return nil
	}
	slices.Sort(offsets)
	offset := offsets[len(offsets)/2]
	at := v.now().Add(offset)
	v.mu.Lock()
	v.trusted, v.since = at, v.elapsed()
	v.mu.Unlock()
	if err := v.book.setClock(ctx, at); err != nil {
		return err
	}
	if offset.Abs() > skew {
		return ErrClock
	}
	return nil
}

// trustedTime gives the present as issuers vouched for it since this process
// started, carried on by a clock that nobody sets. Without that only a lower
// bound is known, the latest time of which this installation knows; it is given
// if now is before it.
func (v *Verifier) trustedTime(ctx context.Context, now time.Time) (time.Time, error) {
	v.mu.Lock()
	at, since := v.trusted, v.since
	v.mu.Unlock()
	if !at.IsZero() {
		return at.Add(v.elapsed() - since), nil
	}
	known, err := v.book.clock(ctx)
	if err != nil || !now.Before(known) {
		return time.Time{}, err
	}
	return known, nil
}
