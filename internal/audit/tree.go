package audit

import (
	"context"
	"errors"

	xtlog "golang.org/x/mod/sumdb/tlog"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/tlog"
)

// frontier is a tree of which only its right edge is kept: the roots of its whole
// subtrees, the largest first. It takes entries at its end and knows its root:
// that is all that recomputing a ledger of any size needs.
type frontier struct {
	size  int64
	roots []tlog.Hash
}

func (f *frontier) add(leaf tlog.Hash) {
	f.roots = append(f.roots, leaf)
	// One merge for each bit that carries.
	for n := f.size; n&1 == 1; n >>= 1 {
		k := len(f.roots)
		f.roots = append(f.roots[:k-2], xtlog.NodeHash(f.roots[k-2], f.roots[k-1]))
	}
	f.size++
}

func (f *frontier) root() tlog.Hash {
	if f.size == 0 {
		h, _ := xtlog.TreeHash(0, nil) // never fails for the empty tree
		return h
	}
	h := f.roots[len(f.roots)-1]
	for i := len(f.roots) - 2; i >= 0; i-- {
		h = xtlog.NodeHash(f.roots[i], h)
	}
	return h
}

// valid reports whether a frontier that was stored can be one.
func (f *frontier) valid() bool {
	n := 0
	for s := f.size; s > 0; s >>= 1 {
		n += int(s & 1)
	}
	return f.size >= 0 && n == len(f.roots)
}

// Bounds of the ledger's files, in bytes. An honest entry has at most 112 bytes.
const (
	maxCheckpoint = 16 << 10
	maxBundle     = 1 << 20
	hashSize      = 32
)

// ledgerPath is where the ledger lies on the shelf.
const ledgerPath = "ledger/"

// tiles reads tiles of hashes of one source; x/mod holds each against the root
// before it is believed.
type tiles struct {
	ctx  context.Context
	from Source
}

func (t tiles) Height() int { return tlog.TileHeight }

func (t tiles) ReadTiles(want []xtlog.Tile) ([][]byte, error) {
	out := make([][]byte, len(want))
	for i, w := range want {
		data, err := fetchTile(t.ctx, t.from, w, int64(w.W)*hashSize)
		if err != nil {
			return nil, err
		}
		if len(data) != w.W*hashSize {
			return nil, tlog.ErrTile
		}
		out[i] = data
	}
	return out, nil
}

func (tiles) SaveTiles([]xtlog.Tile, [][]byte) {}

// fetchTile reads a tile or a bundle. A partial one may have been deleted when it
// became full (C2SP tlog-tiles): then it is cut out of the full one.
func fetchTile(ctx context.Context, from Source, t tlog.Tile, limit int64) ([]byte, error) {
	data, err := from.Get(ctx, ledgerPath+tlog.TilePath(t), "", limit)
	if !errors.Is(err, ErrMissing) || t.W == 1<<tlog.TileHeight {
		return data, err
	}
	full := t
	full.W = 1 << tlog.TileHeight
	if t.L >= 0 {
		limit = hashSize << tlog.TileHeight
	}
	if data, err = from.Get(ctx, ledgerPath+tlog.TilePath(full), "", limit); err != nil {
		return nil, err
	}
	return tlog.Cut(t, data)
}

// hashes reads stored hashes of a signed tree out of tiles that are held against
// its root.
func hashes(ctx context.Context, from Source, c tlog.Checkpoint) tlog.Reader {
	return xtlog.TileHashReader(xtlog.Tree{N: c.Size, Hash: c.Root}, tiles{ctx, from})
}

// ErrTiles: the shelf's tiles are not those of the tree that is signed.
var ErrTiles = fault.New(fault.Unprocessable, "audit-tiles", "the tiles on the shelf do not make the tree that is signed")

// prefix gives the root of the first size entries of a signed tree, with the proof
// of it, out of a source's tiles.
func prefix(ctx context.Context, from Source, c tlog.Checkpoint, size int64) (root tlog.Hash, proof []tlog.Hash, err error) {
	r := hashes(ctx, from, c)
	if root, err = tlog.Root(size, r); err == nil && size > 0 && size < c.Size {
		proof, err = tlog.ProveConsistency(c.Size, size, r)
	}
	var f *fault.Fault
	if err != nil && !errors.As(err, &f) {
		err = ErrTiles.With(err) // what x/mod says of tiles that are not in the tree
	}
	return root, proof, err
}

// ahead is how many bundles are fetched at the same time.
const ahead = 6

// stream gives the entries of a ledger from index first on, in order; each may
// stop it with an error. It holds no more than a few bundles.
func stream(ctx context.Context, from Source, first, size int64, each func(index int64, entry []byte) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type part struct {
		tile tlog.Tile
		data []byte
		err  error
	}
	queue := make(chan chan part, ahead)
	go func() {
		defer close(queue)
		for at := first >> tlog.TileHeight << tlog.TileHeight; at < size; at += 1 << tlog.TileHeight {
			done := make(chan part, 1)
			select {
			case queue <- done:
			case <-ctx.Done():
				return
			}
			t := tlog.EntryBundle(at, size)
			go func() {
				data, err := fetchTile(ctx, from, t, maxBundle)
				done <- part{t, data, err}
			}()
		}
	}()
	for done := range queue {
		p := <-done
		if p.err != nil {
			return p.err
		}
		entries, err := tlog.ParseBundle(p.data, p.tile.W)
		if err != nil {
			return err
		}
		start := p.tile.N << tlog.TileHeight
		for i, e := range entries {
			if start+int64(i) < first {
				continue
			}
			if err := each(start+int64(i), e); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}
