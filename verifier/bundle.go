package verifier

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kinpass/kinpass/internal/bundle"
	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/status"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/trust"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/verifier/check"
	"github.com/kinpass/kinpass/verifier/post"
)

// Faults of building and taking in bundles.
var (
	ErrNoBundle = fault.New(fault.Unavailable, "no-bundle", "this post has no border bundle yet").
			WithHint("build one with POST /verifier/bundles or bring one with PUT /verifier/bundle")
	ErrRollback    = post.ErrRollback
	ErrFuture      = post.ErrFuture
	ErrClock       = check.ErrClock
	ErrNoTrust     = fault.New(fault.Unavailable, "no-trust-list", "there is no trust list that a known anchor signed")
	ErrTrustOlder  = post.ErrTrustOlder
	ErrTakesBack   = post.ErrTakesBack
	ErrNoHub       = fault.New(fault.Unavailable, "no-hub-key", "no key of this verifier is on the trust list as a hub").WithHint("add it with: kinpass trust")
	ErrKeyMismatch = fault.New(fault.Unprocessable, "issuer-key-mismatch", "the issuer publishes another key than the trust list holds")
	ErrKeyHidden   = fault.New(fault.Unprocessable, "issuer-key-not-published", "the issuer publishes none of its keys that may sign status lists now")
	ErrIndex       = fault.New(fault.Unprocessable, "status-index-invalid", "the issuer's index of status lists cannot be used")
	ErrList        = fault.New(fault.Unprocessable, "status-list-invalid", "a status list cannot be used")
	ErrListSigner  = fault.New(fault.Unprocessable, "status-list-signer", "a status list is not signed by a key that may sign it")
	ErrListOlder   = fault.New(fault.Unprocessable, "status-list-older", "a status list is older than the one that was seen")
	ErrFull        = fault.New(fault.Unprocessable, "bundle-full", "a status list does not fit into the bundle")
	ErrListGone    = fault.New(fault.Unprocessable, "status-list-gone", "a status list is no longer on the issuer's index")
	// ErrOverride: what an authority published is not a list over the list of
	// an issuer whose lists the trust list lets it override.
	ErrOverride = fault.New(fault.Unprocessable, "override-list-invalid", "an authority's list over another's cannot be used")
	// ErrOverrideGone: an authority took such a list away, or may no longer
	// publish it. What it revoked is revoked no more: nobody must miss that.
	ErrOverrideGone = fault.New(fault.Unprocessable, "override-list-gone", "an authority's list over another's is no longer in the bundle")
	// ErrLifted: an issuer's newer list has a place no more that it had revoked. It
	// stays revoked in bundles, and somebody must ask the issuer: it undoes what is
	// final, or shows hubs other lists than everybody, or lost a part of its data.
	ErrLifted = fault.New(fault.Unprocessable, "revocation-lifted", "a newer list takes revocations back; they stay in the bundle").
			WithHint("ask the issuer; compare with its ledger: kinpass audit verify")
)

// Bounds of a build. Sizes in bytes.
const (
	maxTrust     = 8 << 20
	maxDocument  = 256 << 10
	maxIndex     = 1 << 20
	maxLists     = 1024    // of one issuer
	maxAll       = 4096    // in a bundle
	maxList      = 4 << 20 // one signed list
	maxListBits  = 16 << 20
	maxBundle    = bundle.MaxSize
	issuersAtRun = 8 // issuers that are read at the same time
	listsAtRun   = 4 // lists of one issuer
	issuerTime   = time.Minute
	skew         = 10 * time.Minute // that clocks of signers may differ
)

// Report says what a build did.
type Report struct {
	ID        string    `json:"id"`
	Sequence  int64     `json:"sequence"`
	CreatedAt time.Time `json:"createdAt"`
	TrustList int64     `json:"trustListSequence"`
	Lists     int       `json:"statusLists"`
	Overrides int       `json:"overrides"` // lists of authorities over those of others
	Policies  []string  `json:"policies"`  // as ID/version
	Bytes     int       `json:"bytes"`
	Problems  []Problem `json:"problems"`
}

// Problem is something that is not in the bundle as it should be: an issuer
// that could not be read, a list that is kept from before or left out. Issuer
// and List are the public identifiers on the trust list and the index.
type Problem struct {
	Issuer string `json:"issuer,omitempty"`
	List   string `json:"list,omitempty"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

func problem(issuer, list string, err error) Problem {
	f := fault.As(err)
	return Problem{Issuer: issuer, List: list, Code: f.Code, Detail: f.Detail}
}

// policyProblem says which file and field of the policies is wrong.
func policyProblem(err error) Problem {
	f := fault.As(err)
	return Problem{Code: f.Code, Detail: strings.TrimPrefix(f.Error(), f.Code+": ")}
}

// Bundle is a border bundle in force with its signed bytes.
type Bundle struct {
	*check.Bundle
	Bytes  []byte // may lie in a mapped file: hold the Bundle while they are used
	pos    int64
	digest string // of Bytes, hexadecimal
}

// Build reads the trust list and the shelf of every issuer on it, makes a
// bundle, verifies it as a post would and puts it in force. An issuer that
// cannot be read does not stop the others: its last good lists are used again
// and the report says so. A caller that comes while a build runs waits for its
// turn.
func (v *Verifier) Build(ctx context.Context) (Report, error) {
	select {
	case v.building <- struct{}{}:
		defer func() { <-v.building }()
	case <-ctx.Done():
		return Report{}, ctx.Err()
	}
	now := v.now()
	switch b, err := v.Latest(ctx); {
	case err == nil && now.Add(skew).Before(b.CreatedAt):
		return Report{}, ErrClock
	case err != nil && !errors.Is(err, ErrNoBundle):
		return Report{}, err
	}
	var r Report
	signed, list, err := v.readTrust(ctx, &r)
	if err != nil {
		return Report{}, err
	}
	hub, err := v.hubKey(list, now)
	if err != nil {
		return Report{}, err
	}
	lists, err := v.collect(ctx, list, &r)
	if err != nil {
		return Report{}, err
	}
	sequence, err := v.book.reserveSequence(ctx, hub.KID, now.Unix())
	if err != nil {
		return Report{}, err
	}
	// Policies that were broken since must not keep revocations from the posts.
	switch set, err := readPolicies(v.cfg.Policies); {
	case err != nil:
		r.Problems = append(r.Problems, policyProblem(err))
	default:
		v.policies = set
	}
	p := check.BundlePayload{ID: store.Random(16), Sequence: sequence, CreatedAt: now, TrustList: signed}
	for _, raw := range v.policies.Raw() {
		p.Policies = append(p.Policies, raw)
	}
	for _, x := range v.policies.Policies() {
		r.Policies = append(r.Policies, fmt.Sprintf("%s/%d", x.ID, x.Version))
	}
	for _, l := range lists {
		l.into(&p)
	}
	if err := v.book.letGo(ctx, list); err != nil {
		return Report{}, err
	}
	if p.Revoked, err = v.book.everRevoked(ctx); err != nil {
		return Report{}, err
	}
	if p.Orphans, err = v.book.orphans(ctx, list); err != nil {
		return Report{}, err
	}
	p.Survivors = v.survivors(ctx, list, hub, &r)
	file, err := p.Sign(hub)
	if err != nil {
		return Report{}, err
	}
	b, err := v.Apply(ctx, file)
	if err != nil {
		return Report{}, err
	}
	if b.RefusedLists > 0 {
		r.Problems = append(r.Problems, problem("", "", ErrList))
	}
	for _, l := range b.Lifted() {
		r.Problems = append(r.Problems, problem(l.Issuer, l.Address, ErrLifted))
		v.cfg.Log.Error("a list takes revocations back", "issuer", l.Issuer, "list", l.Address, "code", ErrLifted.Code, "places", l.Lifted)
	}
	r.ID, r.Sequence, r.CreatedAt, r.TrustList = b.ID, b.Sequence, b.CreatedAt, list.Sequence
	r.Lists, r.Overrides, r.Bytes = len(p.StatusLists), len(p.Overrides), len(b.Bytes)
	return r, nil
}

// Apply verifies a bundle, wherever it comes from, and puts it in force.
// ErrRollback, ErrTrustOlder and ErrFuture refuse one whose time is wrong,
// ErrTakesBack one in which a revocation of the bundle in force is gone; what does
// not verify is refused as check.Open says.
func (v *Verifier) Apply(ctx context.Context, data []byte) (*Bundle, error) {
	if len(data) > maxBundle {
		return nil, ErrTooLarge
	}
	b, err := check.Open(data, v.cfg.Anchors)
	if err != nil {
		return nil, err
	}
	vouched := b.CreatedAt
	if b.Trust.IssuedAt.After(vouched) {
		vouched = b.Trust.IssuedAt
	}
	if vouched.After(v.now().Add(skew)) {
		return nil, ErrFuture
	}
	digest := hexDigest(data)
	e := edition{id: b.ID, hub: b.Hub, sequence: b.Sequence, created: b.CreatedAt, body: data,
		manifest: manifestName(b.File().Manifest), digest: digest, keep: keeping{v.cfg.Versions, v.cfg.VersionBytes}, now: v.now(),
		trust: b.SignedTrust, list: b.Trust.Sequence, lists: ages(b, v.now()), vouched: vouched}
	var pos int64
	for range 10 { // another replica may put one in force meanwhile
		if e.after, e.refused, err = v.compare(ctx, b); err != nil {
			return nil, err
		}
		if pos, err = v.book.publish(ctx, e); !errors.Is(err, errOvertaken) {
			break
		}
	}
	if errors.Is(err, ErrTakesBack) {
		v.cfg.Log.Error("a bundle takes revocations back", "bundle", b.ID, "hub", b.Hub, "code", ErrTakesBack.Code, "detail", fault.As(err).Detail)
	}
	if err != nil {
		return nil, err
	}
	// It is in force. That it lies in a file, too, is for the next start.
	made := &Bundle{Bundle: b, Bytes: data, pos: pos, digest: digest}
	if l, err := v.load(ctx); err == nil && l.pos == pos {
		made = l
	}
	v.keep(made)
	return made, nil
}

// compare gives the place of the bundle in force, and ErrTakesBack if b has
// something as not revoked that that one has as revoked.
func (v *Verifier) compare(ctx context.Context, b *check.Bundle) (pos int64, refused, err error) {
	have, err := v.Latest(ctx)
	switch {
	case err == nil:
		defer runtime.KeepAlive(have.Bundle) // its parts lie in a mapped file
		if l, n := have.TakesBack(b); n > 0 {
			refused = post.TakesBack(l)
		}
		return have.pos, refused, nil
	case errors.Is(err, check.ErrBundle), errors.Is(err, ErrNoBundle):
		pos, err = v.book.inForce(ctx) // what cannot be read must not keep a new one out
		return pos, nil, err
	}
	return 0, nil, err
}

// into puts a list where a bundle has it.
func (h held) into(p *check.BundlePayload) {
	switch {
	case h.over != "":
		p.Overrides = append(p.Overrides, h.credential)
	case h.issued:
		p.Issued = append(p.Issued, h.credential)
	default:
		p.StatusLists = append(p.StatusLists, h.credential)
	}
}

// keep makes b the bundle to check with, unless a newer one is.
func (v *Verifier) keep(b *Bundle) {
	for {
		have := v.current.Load()
		if have != nil && have.pos >= b.pos || v.current.CompareAndSwap(have, b) {
			return
		}
	}
}

// ages says which lists are in a verified bundle and when they were signed. One
// from the future is passed over: it must not shut out the true ones. So is one whose
// key is cut off, which makes nobody good.
func ages(b *check.Bundle, now time.Time) []held {
	var out []held
	for _, l := range b.Lists() {
		if !l.Cut && !l.From.After(now.Add(skew)) {
			out = append(out, held{url: l.Address, issuer: l.Issuer, validFrom: l.From})
		}
	}
	return out
}

// Latest gives the bundle in force, or ErrNoBundle. Another replica may have
// put it there; what the database gives is verified again before it is used.
func (v *Verifier) Latest(ctx context.Context) (*Bundle, error) {
	pos, err := v.book.inForce(ctx)
	if err != nil {
		return nil, err
	}
	if pos == 0 {
		return nil, ErrNoBundle
	}
	if b := v.current.Load(); b != nil && b.pos >= pos {
		return b, nil
	}
	return v.load(ctx)
}

// readTrust gives the newest trust list: that of the source, or, if the source
// is broken, silent or older, the last one seen, with a problem in the report.
func (v *Verifier) readTrust(ctx context.Context, r *Report) (string, *vc.TrustList, error) {
	text, err := v.book.lastTrust(ctx)
	if err != nil {
		return "", nil, err
	}
	var last *vc.TrustList
	if text != "" {
		if last, err = vc.OpenTrustList(text, v.cfg.Anchors); err != nil {
			last = nil // the anchors were changed since
		}
	}
	signed, list, err := v.fetchTrust(ctx, last)
	if err == nil {
		err = v.book.keepTrust(ctx, list.Sequence, signed)
	}
	switch {
	case err == nil:
		text, last = signed, list
	case last != nil:
		r.Problems = append(r.Problems, problem("", "", err))
	default:
		return "", nil, ErrNoTrust.With(err)
	}
	if !last.Next.IsZero() && v.now().After(last.Next) {
		r.Problems = append(r.Problems, Problem{Code: "trust-list-overdue", Detail: "the next trust list should have come"})
	}
	return text, last, nil
}

func (v *Verifier) fetchTrust(ctx context.Context, last *vc.TrustList) (string, *vc.TrustList, error) {
	var data []byte
	var err error
	if strings.HasPrefix(v.cfg.TrustSource, "https://") || strings.HasPrefix(v.cfg.TrustSource, "http://") {
		data, err = v.fetch.get(ctx, v.cfg.TrustSource, maxTrust)
	} else {
		data, err = readFile(v.cfg.TrustSource, maxTrust)
	}
	if err != nil {
		return "", nil, err
	}
	signed := strings.TrimSpace(string(data))
	list, err := vc.OpenTrustList(signed, v.cfg.Anchors)
	if err != nil {
		return "", nil, err
	}
	if err := trust.Validate(list); err != nil {
		return "", nil, err
	}
	if list.IssuedAt.After(v.now().Add(skew)) {
		return "", nil, ErrNoTrust.WithDetail("the trust list was signed after this device's time")
	}
	if last != nil && list.Sequence > last.Sequence {
		if err := trust.Follows(last, list); err != nil {
			return "", nil, err
		}
	}
	return signed, list, nil
}

func readFile(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, ErrNoTrust.With(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, ErrNoTrust.With(err)
	}
	if int64(len(data)) > limit {
		return nil, ErrTooLarge
	}
	return data, nil
}

// hubKey finds the key of this verifier that the trust list names as a hub
// now. The identifier that the list gives it goes into the bundle.
func (v *Verifier) hubKey(l *vc.TrustList, now time.Time) (keys.Signer, error) {
	for _, k := range slices.Backward(v.cfg.Ring.Of(keys.UseHub)) {
		if !k.ValidAt(now) {
			continue
		}
		own, err := vc.PublicJWK(k.Public(), "", "")
		if err != nil {
			return keys.Signer{}, err
		}
		for i := range l.Hubs {
			h := &l.Hubs[i]
			if h.Role == vc.RoleHub && h.ValidAt(now) && h.CutOff.IsZero() && trust.SameKey(h.JWK, own) {
				return k.Signer(h.ID), nil
			}
		}
	}
	return keys.Signer{}, ErrNoHub
}

func notCut(k *vc.TrustKey, at time.Time) bool { return k.CutOff.IsZero() || at.Before(k.CutOff) }

// collect reads all shelves and gives the lists for the bundle, sorted by
// address.
func (v *Verifier) collect(ctx context.Context, l *vc.TrustList, r *Report) ([]held, error) {
	before, err := v.book.heldLists(ctx)
	if err != nil {
		return nil, err
	}
	had := map[string][]held{}
	for _, h := range before {
		had[h.issuer] = append(had[h.issuer], h)
	}
	shelves := make([]*shelf, len(l.Issuers))
	var wg sync.WaitGroup
	slots := make(chan struct{}, issuersAtRun)
	for i := range l.Issuers {
		is := &l.Issuers[i]
		s := &shelf{issuer: is, trust: l, fetch: v.fetch, clock: v.now, now: v.now()}
		shelves[i] = s
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			ctx, cancel := context.WithTimeout(ctx, issuerTime)
			defer cancel()
			s.read(ctx, had[is.DID])
		})
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err // the caller went away: its missing answers are nobody's fault
	}
	var offsets []time.Duration
	for _, s := range shelves {
		r.Problems = append(r.Problems, s.problems...)
		offsets = append(offsets, s.offset...)
	}
	if err := v.vouch(ctx, offsets); err != nil {
		return nil, err
	}
	// Small issuers first: one that publishes without measure crowds out none
	// but itself.
	slices.SortStableFunc(shelves, func(a, b *shelf) int { return a.size() - b.size() })
	var lists []held
	listed := map[string]bool{}
	room := maxBundle - 2*maxTrust
	take := func(s *shelf, h held) {
		if room -= len(h.credential) * 4 / 3; room < 0 || len(lists) == maxAll {
			r.Problems = append(r.Problems, problem(s.issuer.DID, h.url, ErrFull))
			return
		}
		listed[h.url] = true
		lists = append(lists, h)
	}
	// What authorities revoked comes before what issuers say of themselves.
	for _, s := range shelves {
		for _, h := range s.overrides {
			take(s, h)
		}
	}
	for _, s := range shelves {
		for _, h := range s.lists {
			take(s, h)
		}
	}
	slices.SortFunc(lists, func(a, b held) int { return strings.Compare(a.url, b.url) })
	var gone []string
	for _, h := range before {
		if listed[h.url] {
			continue
		}
		gone = append(gone, h.url)
		if !slices.ContainsFunc(l.Issuers, func(is vc.TrustIssuer) bool { return is.DID == h.issuer }) && strings.Contains(h.url, overridesPath) {
			r.Problems = append(r.Problems, problem(h.issuer, h.url, ErrOverrideGone)) // nobody read its shelf
		}
	}
	if err := v.book.keepLists(ctx, lists, l.Sequence, v.now()); err != nil {
		return nil, err
	}
	if r.Problems == nil {
		r.Problems = []Problem{}
	}
	return lists, v.book.dropLists(ctx, gone)
}

// shelf is the reading of one issuer's published files.
type shelf struct {
	issuer    *vc.TrustIssuer
	trust     *vc.TrustList
	fetch     *fetcher
	clock     func() time.Time
	now       time.Time
	offset    []time.Duration // of the issuer's clock from ours; at most one
	mu        sync.Mutex
	lists     []held
	overrides []held
	problems  []Problem
}

// size is the number of bytes of the issuer's lists.
func (s *shelf) size() int {
	n := 0
	for _, h := range s.lists {
		n += len(h.credential)
	}
	return n
}

func (s *shelf) report(list string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.problems) < 100 {
		s.problems = append(s.problems, problem(s.issuer.DID, list, err))
	}
}

// read fetches the issuer's keys, index and lists, and those of an authority
// over the lists of others. before holds its last good ones.
func (s *shelf) read(ctx context.Context, before []held) {
	// What was held is good only as far as today's trust list says so.
	kept, over := map[string]held{}, map[string]held{}
	for _, h := range before {
		if strings.HasPrefix(h.url, s.issuer.Shelf+overridesPath) {
			h, err := s.openOverride(h.credential, h.url, false)
			if err != nil {
				s.report(h.url, ErrOverrideGone.With(err))
				continue
			}
			over[h.url] = h
			continue
		}
		if h, err := s.open(h.credential, h.url, false); err == nil {
			kept[h.url] = h
		}
	}
	defer func() {
		slices.SortFunc(s.problems, func(a, b Problem) int { return strings.Compare(a.List, b.List) })
	}()
	err := s.matchKeys(ctx)
	if len(s.issuer.MayRevoke) > 0 || len(over) > 0 {
		s.readOverrides(ctx, over, err)
	}
	keepAll := func() {
		for _, h := range kept {
			s.lists = append(s.lists, h)
		}
	}
	if err != nil {
		s.report("", err)
		if !fault.As(err).Is(ErrKeyMismatch) {
			keepAll()
		}
		return
	}
	if !s.publishes() {
		return
	}
	urls, err := s.index(ctx)
	if err != nil {
		s.report("", err)
		keepAll()
		return
	}
	s.lists = s.each(ctx, urls, kept, s.list)
	// An issuer takes a list off its index when all credentials on it have
	// ended. One that does so too early must not make revoked credentials
	// unknown: the list stays for as long as it was signed for.
	for u, h := range kept {
		if !h.until.After(s.now) {
			continue
		}
		s.report(u, ErrListGone)
		s.lists = append(s.lists, h)
	}
}

// overridesPath is where an authority's shelf has its lists over those of
// others; without the final slash, the index of them.
const overridesPath = "/overrides/"

// readOverrides fetches an authority's lists over those of others. kept are its
// last good ones. They only ever make a decision stricter, so that whatever is
// wrong with the shelf, or with the keys there, they stay, with a warning: an
// issuer that does not comply must not be helped by a silenced court.
func (s *shelf) readOverrides(ctx context.Context, kept map[string]held, keys error) {
	index := s.issuer.Shelf + strings.TrimSuffix(overridesPath, "/")
	var urls []string
	err := keys
	if err == nil {
		var data []byte
		if data, err = s.fetch.get(ctx, index, maxIndex); err == nil {
			urls, err = parseIndex(data, s.issuer.Shelf+overridesPath)
		}
	}
	if err != nil {
		s.report(index, err)
		for _, h := range kept {
			s.overrides = append(s.overrides, h)
		}
		return
	}
	s.overrides = s.each(ctx, urls, kept, s.override)
	for u, h := range kept {
		if !h.until.After(s.now) {
			s.report(u, ErrOverrideGone)
			continue
		}
		s.report(u, ErrListGone)
		s.overrides = append(s.overrides, h)
	}
}

// each fetches the lists at these addresses and takes from kept those that were
// good before: such a one stands in for a list that cannot be had or is older.
func (s *shelf) each(ctx context.Context, urls []string, kept map[string]held, fetch func(context.Context, string) (held, error)) []held {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var out []held
	slots := make(chan struct{}, listsAtRun)
	for _, u := range urls {
		old, had := kept[u]
		delete(kept, u)
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			h, err := fetch(ctx, u)
			if err == nil && had && h.validFrom.Before(old.validFrom) {
				err = ErrListOlder
			}
			if err != nil {
				s.report(u, err)
				if !had {
					return
				}
				h = old
			}
			mu.Lock()
			defer mu.Unlock()
			out = append(out, h)
		})
	}
	wg.Wait()
	return out
}

// matchKeys compares the keys on the trust list with those that the issuer
// publishes. One that differs is ErrKeyMismatch: somebody changed either side.
func (s *shelf) matchKeys(ctx context.Context) error {
	if _, err := did.ParseKey(s.issuer.DID); err == nil {
		return nil // a did:key is its own document; trust.Validate compared it
	}
	data, date, err := s.fetch.dated(ctx, s.issuer.Shelf+"/.well-known/did.json", maxDocument)
	if err != nil {
		return err
	}
	if !date.IsZero() {
		s.offset = append(s.offset, date.Sub(s.clock().Truncate(time.Second)))
	}
	doc, err := did.ParseDocument(data, s.issuer.DID)
	if err != nil {
		return ErrKeyMismatch.With(err)
	}
	published := false
	for i := range s.issuer.Keys {
		k := &s.issuer.Keys[i]
		m := doc.Method(k.ID)
		switch {
		case m == nil:
		case !trust.Publishes(m, k.JWK):
			return ErrKeyMismatch
		case k.May(vc.TypeStatusList) && k.ValidAt(s.now) && notCut(k, s.now):
			published = true
		}
	}
	if !published && s.publishes() {
		return ErrKeyHidden
	}
	return nil
}

// publishes reports whether the issuer should have status lists: not one that
// only witnesses consents, whose status the issuer of the birth publishes.
func (s *shelf) publishes() bool {
	return slices.ContainsFunc(s.issuer.Keys, func(k vc.TrustKey) bool {
		return k.May(vc.TypeStatusList) || k.Role != vc.RoleNotary && k.Role != vc.RoleConsulate && k.Role != vc.RoleWitness
	})
}

// index reads the addresses of the issuer's status lists. All of them are on
// its own shelf.
func (s *shelf) index(ctx context.Context) ([]string, error) {
	data, err := s.fetch.get(ctx, s.issuer.Shelf+"/status", maxIndex)
	if err != nil {
		return nil, err
	}
	return parseIndex(data, s.issuer.Shelf+"/status/")
}

// parseIndex reads an index and refuses it whole if one address on it is not
// that of a list below this address.
func parseIndex(data []byte, below string) ([]string, error) {
	var index struct {
		Lists []string `json:"lists"`
	}
	if err := vc.StrictJSON(data, &index, 4); err != nil {
		return nil, ErrIndex.With(err)
	}
	slices.Sort(index.Lists)
	urls := slices.Compact(index.Lists)
	kept := urls[:0]
	for _, u := range urls {
		name, ok := strings.CutPrefix(u, below)
		if !ok || name == "" || len(u) > 1024 || strings.ContainsAny(name, "?#%\\") || strings.Contains(name, "..") {
			return nil, ErrIndex
		}
		// A Token Status List says nothing that the bitstring lists of the same
		// indexes do not say: the bundle carries each answer once.
		if !strings.HasPrefix(name, "token/") {
			kept = append(kept, u)
		}
	}
	if len(kept) > maxLists {
		return nil, ErrIndex
	}
	return kept, nil
}

func (s *shelf) list(ctx context.Context, url string) (held, error) {
	data, err := s.fetch.get(ctx, url, maxList)
	if err != nil {
		return held{}, err
	}
	return s.open(strings.TrimSpace(string(data)), url, true)
}

// override fetches an authority's list over that of another.
func (s *shelf) override(ctx context.Context, url string) (held, error) {
	data, err := s.fetch.get(ctx, url, maxList)
	if err != nil {
		return held{}, err
	}
	return s.openOverride(strings.TrimSpace(string(data)), url, true)
}

// open verifies a status list credential about the issuer's own credentials.
func (s *shelf) open(compact, url string, fresh bool) (held, error) {
	h, about, err := s.verify(compact, url, fresh)
	if err == nil && about.address != url {
		err = ErrList
	}
	if err == nil && about.purpose == vc.PurposeRevocation && about.bits != nil {
		h.revoked, err = about.bits.Places()
	}
	if err != nil {
		return held{}, err
	}
	return h, nil
}

// openOverride verifies an authority's list over that of an issuer whose lists
// the trust list lets it override: by a court's key or, for a suspension, that
// of a child-protection authority too (settled question 27). An error leaves
// the address of the list.
func (s *shelf) openOverride(compact, url string, fresh bool) (held, error) {
	h, about, err := s.verify(compact, url, fresh)
	if err != nil {
		return held{url: url}, err
	}
	role := about.key.Role
	if h.issued || role != vc.RoleCourt && (role != vc.RoleProtection || about.purpose != vc.PurposeSuspension) {
		return held{url: url}, ErrListSigner
	}
	for i := range s.trust.Issuers {
		is := &s.trust.Issuers[i]
		if slices.Contains(s.issuer.MayRevoke, is.DID) && strings.HasPrefix(about.address, is.Shelf+"/status/") {
			h.over = is.DID
			return h, nil
		}
	}
	return held{url: url}, ErrOverride
}

// subject is what a status list says of itself.
type subject struct {
	address string // of the list that it is about
	purpose string
	key     *vc.TrustKey
	bits    *status.List // of one that was fetched
}

// verify verifies a status list credential. A fresh one must be valid now and be
// signed by a key that may sign now: with a stolen key, a list could be dated
// back to before the cut-off. One that is held needs a key that could sign when
// the list was made.
func (s *shelf) verify(compact, url string, fresh bool) (held, subject, error) {
	jws, err := vc.SplitLargeJWS(compact, maxList)
	if err != nil || jws.Header.Typ != vc.TypCredential {
		return held{}, subject{}, ErrList.With(err)
	}
	var key *vc.TrustKey
	for i := range s.issuer.Keys {
		if s.issuer.Keys[i].ID == jws.Header.Kid {
			key = &s.issuer.Keys[i]
		}
	}
	if key == nil || !key.May(vc.TypeStatusList) {
		return held{}, subject{}, ErrListSigner
	}
	pub, err := vc.ParseJWK(key.JWK)
	if err != nil {
		return held{}, subject{}, ErrListSigner.With(err)
	}
	payload, err := jws.Verify(pub)
	if err != nil {
		return held{}, subject{}, ErrListSigner.With(err)
	}
	c, err := vc.ParseCredential(payload)
	if err != nil {
		return held{}, subject{}, ErrList.With(err)
	}
	if !key.ValidAt(c.ValidFrom) || !notCut(key, c.ValidFrom) || fresh && (!key.ValidAt(s.now) || !notCut(key, s.now)) {
		return held{}, subject{}, ErrListSigner
	}
	if fresh && (c.ValidFrom.After(s.now.Add(skew)) || !c.ValidTo.IsZero() && !s.now.Before(c.ValidTo)) {
		return held{}, subject{}, ErrList.WithDetail("a status list is not valid now")
	}
	var said struct {
		ID      string `json:"id"`
		Type    string `json:"type"`
		Purpose string `json:"statusPurpose"`
		Encoded string `json:"encodedList"`
	}
	if err := vc.StrictJSON(c.Subject, &said, 2); err != nil {
		return held{}, subject{}, ErrList.With(err)
	}
	switch {
	case c.Issuer != s.issuer.DID, len(c.Type) != 2, !c.Is(vc.TypeStatusList), c.ID != "" && c.ID != url, said.Type != "BitstringStatusList",
		said.Purpose != vc.PurposeRevocation && said.Purpose != vc.PurposeSuspension && said.Purpose != vc.PurposeIssued:
		return held{}, subject{}, ErrList
	}
	var bits *status.List
	if fresh {
		if bits, err = status.Decode(said.Encoded, maxListBits); err != nil {
			return held{}, subject{}, ErrList.With(err)
		}
	}
	return held{url: url, issuer: s.issuer.DID, validFrom: c.ValidFrom, until: c.ValidTo, issued: said.Purpose == vc.PurposeIssued, kid: key.ID, credential: compact},
		subject{strings.TrimSuffix(said.ID, "#list"), said.Purpose, key, bits}, nil
}
