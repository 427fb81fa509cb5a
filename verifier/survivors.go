package verifier

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	xtlog "golang.org/x/mod/sumdb/tlog"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/tlog"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/verifier/check"
)

// Faults of reading what a key signed before its cut-off.
var (
	ErrSurvivors = fault.New(fault.Unprocessable, "survivors-invalid", "what an issuer says that a withdrawn key signed before cannot be used")
	// ErrUnlogged: the issuer claims more than its ledger shows. Only what is shown is
	// in the bundle.
	ErrUnlogged = fault.New(fault.Unprocessable, "survivors-unlogged", "an issuer claims of a withdrawn key what its ledger does not show")
	// ErrCut: a withdrawn key signed more, as far as is known, than a bundle tells.
	ErrCut = fault.New(fault.Unprocessable, "survivors-cut", "a withdrawn key signed more than posts can be told; the rest is amber until it is made anew or its own proof is shown").
		WithHint("make anew what the key signed: kinpass keys reissue; let keys live shorter: docs/SCALE.md")
)

const (
	survivorSize   = 8 + tlog.SaltSize + sha256.Size
	maxSurvivors   = 1 << 20
	survivorsTime  = 5 * time.Minute
	survivorsAgain = time.Hour // when they are asked for anew
	bundlesAtRun   = 8         // parts of a ledger that are read at the same time
	maxCheckpoint  = 16 << 10
	maxEntries     = 1 << 20
)

// survivor is what an issuer says of one credential.
type survivor struct {
	index   int64
	salt    [tlog.SaltSize]byte
	payload [32]byte
}

// proven are the survivors of a key that the ledger showed.
type proven struct {
	size int64 // of the ledger at the cut-off
	at   time.Time
	set  check.Survivors
	cut  bool // the issuer said as many as it may: there can be more
}

// survivors gives what the keys that were cut off had signed before, as far as the
// ledgers of their issuers show it. Where an issuer cannot be read, what the bundle
// in force has of the same cut-off stays. Whoever builds may call it.
func (v *Verifier) survivors(ctx context.Context, l *vc.TrustList, hub keys.Signer, r *Report) []check.Survivors {
	var out []check.Survivors
	known := map[string]proven{}
	for i := range l.Issuers {
		is := &l.Issuers[i]
		for n := range is.Keys {
			k := &is.Keys[n]
			if k.CutOff.IsZero() || k.CutOffSize <= 0 {
				continue
			}
			p, ok := v.survived[k.ID]
			ok = ok && p.size == k.CutOffSize
			if !ok || v.now().Sub(p.at) > survivorsAgain {
				set, cut, err := v.readSurvivors(ctx, l, is, k, hub)
				if err != nil {
					r.Problems = append(r.Problems, problem(is.DID, k.ID, err))
				}
				switch {
				case err == nil || set.Payloads != nil:
					p = proven{k.CutOffSize, v.now(), set, cut}
					if !cut { // else what is not said is not worse for it
						v.lives.tell(k)
					}
				case !ok:
					set := v.before(k)
					p = proven{k.CutOffSize, time.Time{}, set, len(set.Payloads) >= v.mostSurvivors}
				}
			}
			if p.cut {
				r.Problems = append(r.Problems, problem(is.DID, k.ID, ErrCut))
			}
			known[k.ID] = p
			if len(p.set.Payloads) > 0 {
				out = append(out, p.set)
			}
		}
	}
	v.survived = known
	return out
}

// before gives the survivors of a key that the bundle in force has.
func (v *Verifier) before(k *vc.TrustKey) check.Survivors {
	b := v.current.Load()
	if b == nil {
		return check.Survivors{}
	}
	for i := range b.Trust.Issuers {
		for _, x := range b.Trust.Issuers[i].Keys {
			if x.ID == k.ID && x.CutOffSize == k.CutOffSize && x.CutOff.Equal(k.CutOff) {
				return b.Survivors(k.ID)
			}
		}
	}
	return check.Survivors{}
}

// readSurvivors asks an issuer what a key signed before its cut-off and holds each
// answer against the issuer's ledger: in a tree that the trust list's key and
// witnesses signed, below the size at the cut-off, an entry that commits to this
// payload. What is not shown is left out, and the error is ErrUnlogged beside what
// is. cut says that the issuer told as many as it may.
func (v *Verifier) readSurvivors(ctx context.Context, l *vc.TrustList, is *vc.TrustIssuer, k *vc.TrustKey, hub keys.Signer) (set check.Survivors, cut bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, survivorsTime)
	defer cancel()
	policy, err := l.LedgerPolicy(is.DID)
	if err != nil {
		return check.Survivors{}, false, err
	}
	at := is.Shelf + "/ledger/checkpoint"
	if policy.Quorum > 0 {
		at += "/witnessed"
	}
	signed, err := v.fetch.get(ctx, at, maxCheckpoint)
	if err != nil {
		return check.Survivors{}, false, err
	}
	tree, err := policy.Open(signed)
	if err != nil {
		return check.Survivors{}, false, err
	}
	if tree.Size < k.CutOffSize {
		return check.Survivors{}, false, ErrSurvivors.WithDetail("the issuer's ledger is smaller than it was at the cut-off of a key")
	}
	all, err := v.askSurvivors(ctx, is, k, hub)
	if err != nil {
		return check.Survivors{}, false, err
	}
	led := &ledgerTiles{ctx: ctx, fetch: v.fetch, base: is.Shelf + "/ledger/", kept: map[xtlog.Tile][]byte{}}
	reader := xtlog.TileHashReader(xtlog.Tree{N: tree.Size, Hash: tree.Root}, led)
	cut = len(all) >= v.mostSurvivors
	set = check.Survivors{KID: k.ID, Payloads: [][32]byte{}}
	refused := 0
	var failed error
	var mu sync.Mutex
	var wg sync.WaitGroup
	slots := make(chan struct{}, bundlesAtRun)
	for len(all) > 0 {
		n := 1
		for n < len(all) && all[n].index>>tlog.TileHeight == all[0].index>>tlog.TileHeight {
			n++
		}
		part := all[:n]
		all = all[n:]
		if part[0].index >= k.CutOffSize { // in order: so are all that follow
			mu.Lock()
			refused += len(part)
			mu.Unlock()
			continue
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			entries, err := led.entries(reader, part[0].index, tree.Size)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed = err
				return
			}
			for _, s := range part {
				e, err := tlog.ParseEntry(entries[s.index&(1<<tlog.TileHeight-1)])
				want := tlog.CommitSum(s.salt, s.payload)
				if err != nil || e.Kind != tlog.Issued || s.index >= k.CutOffSize || !bytes.Equal(want[:], e.Commitment[:]) {
					refused++
					continue
				}
				set.Payloads = append(set.Payloads, s.payload)
			}
		})
	}
	wg.Wait()
	switch {
	case failed != nil:
		return check.Survivors{}, false, failed
	case refused > 0:
		return set, cut, ErrUnlogged.WithDetail(fmt.Sprintf("the issuer's ledger does not show %d of the credentials that the issuer claims for a withdrawn key", refused))
	}
	return set, cut, nil
}

// askSurvivors reads what the issuer says, in the order of the ledger.
func (v *Verifier) askSurvivors(ctx context.Context, is *vc.TrustIssuer, k *vc.TrustKey, hub keys.Signer) ([]survivor, error) {
	_, name, _ := strings.Cut(k.ID, "#")
	f := v.fetch.patiently().as(func() (string, error) { return hubToken(hub, is.Shelf, v.now()) })
	data, err := f.get(ctx, is.Shelf+"/ledger/survivors/"+url.PathEscape(name), int64(v.mostSurvivors+1)*survivorSize)
	if err != nil {
		return nil, err
	}
	n := len(data)/survivorSize - 1
	if n < 0 || len(data)%survivorSize != 0 || !bytes.Equal(data[n*survivorSize:], make([]byte, survivorSize)) {
		return nil, ErrSurvivors
	}
	out := make([]survivor, n)
	last := int64(-1)
	for i := range out {
		b := data[i*survivorSize:]
		s := &out[i]
		s.index = int64(binary.BigEndian.Uint64(b))
		if s.index <= last {
			return nil, ErrSurvivors
		}
		last = s.index
		copy(s.salt[:], b[8:])
		copy(s.payload[:], b[8+tlog.SaltSize:survivorSize])
	}
	return out, nil
}

// ledgerTiles reads the tiles of an issuer's ledger; x/mod holds each against the
// root before it is believed.
type ledgerTiles struct {
	ctx   context.Context
	fetch *fetcher
	base  string
	mu    sync.Mutex
	kept  map[xtlog.Tile][]byte // of hashes above the entries
}

// Height is that of C2SP tlog-tiles.
func (t *ledgerTiles) Height() int { return tlog.TileHeight }

// ReadTiles fetches tiles of hashes.
func (t *ledgerTiles) ReadTiles(want []xtlog.Tile) ([][]byte, error) {
	out := make([][]byte, len(want))
	for i, w := range want {
		t.mu.Lock()
		data, ok := t.kept[w]
		t.mu.Unlock()
		if !ok {
			var err error
			if data, err = t.get(w, int64(w.W)*xtlog.HashSize); err != nil {
				return nil, err
			}
			if len(data) != w.W*xtlog.HashSize {
				return nil, tlog.ErrTile
			}
		}
		out[i] = data
	}
	return out, nil
}

// SaveTiles keeps tiles that are in the tree: each entry needs those above it.
func (t *ledgerTiles) SaveTiles(tiles []xtlog.Tile, data [][]byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, x := range tiles {
		if x.L > 0 {
			t.kept[x] = data[i]
		}
	}
}

// get fetches a tile; a partial one may have been deleted when it became full.
func (t *ledgerTiles) get(w xtlog.Tile, limit int64) ([]byte, error) {
	data, err := t.fetch.get(t.ctx, t.base+tlog.TilePath(w), limit)
	if !errors.Is(err, ErrMissing) || w.W == 1<<tlog.TileHeight {
		return data, err
	}
	full := w
	full.W = 1 << tlog.TileHeight
	if w.L >= 0 {
		limit = xtlog.HashSize << tlog.TileHeight
	}
	if data, err = t.fetch.get(t.ctx, t.base+tlog.TilePath(full), limit); err != nil {
		return nil, err
	}
	return tlog.Cut(w, data)
}

// entries gives the bundle of entries around one of a signed tree, each held against
// the tree.
func (t *ledgerTiles) entries(tree xtlog.HashReader, index, size int64) ([][]byte, error) {
	w := tlog.EntryBundle(index, size)
	data, err := t.get(w, maxEntries)
	if err != nil {
		return nil, err
	}
	all, err := tlog.ParseBundle(data, w.W)
	if err != nil {
		return nil, err
	}
	at := make([]int64, len(all))
	for i := range all {
		at[i] = xtlog.StoredHashIndex(0, w.N<<tlog.TileHeight+int64(i))
	}
	hashes, err := tree.ReadHashes(at)
	if err != nil {
		var f *fault.Fault
		if !errors.As(err, &f) {
			err = ErrSurvivors.With(err) // what x/mod says of tiles that are not in the tree
		}
		return nil, err
	}
	for i, e := range all {
		if tlog.LeafHash(e) != hashes[i] {
			return nil, ErrSurvivors
		}
	}
	return all, nil
}
