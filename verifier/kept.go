package verifier

import (
	"container/list"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/kinpass/kinpass/internal/bundle"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/mirror"
	"github.com/kinpass/kinpass/verifier/check"
)

// Faults of bundles that were in force before.
var (
	ErrNotKept = fault.New(fault.NotFound, "bundle-not-kept", "this bundle is not kept here any more, or never was").
		WithHint("fetch the newest one whole, from /bundle")
)

// bundleFile is the name of the bundle in force in the directory Config.Files.
const bundleFile = "verifier.kpb"

func hexDigest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func manifestName(m *bundle.Manifest) string {
	sum := m.Digest()
	return hex.EncodeToString(sum[:])
}

// load opens the bundle in force as the database names it. Where there is a
// directory for it, its file is mapped into memory; a file that is not exactly
// this bundle, because another came or the power went, is written anew. Whatever
// happens to the file, the database has the bundle.
func (v *Verifier) load(ctx context.Context) (*Bundle, error) {
	e, err := v.book.placed(ctx)
	if err != nil {
		return nil, err
	}
	data, unmap := v.mapped(e.digest)
	if data == nil {
		body, err := v.book.body(ctx, e.pos)
		if err != nil {
			return nil, err
		}
		if hexDigest(body) != e.digest {
			return nil, ErrNoBundle.WithDetail("the stored border bundle is damaged")
		}
		if data, unmap = v.store(body, e.digest); data == nil {
			data, unmap = body, func() {}
		}
	}
	opened, err := check.Open(data, v.cfg.Anchors)
	if err != nil {
		unmap()
		return nil, ErrNoBundle.WithDetail("the stored border bundle does not verify").With(err)
	}
	// Nothing holds the parts longer than the bundle (see sit and serveFile).
	runtime.AddCleanup(opened, func(unmap func()) { unmap() }, unmap)
	b := &Bundle{Bundle: opened, Bytes: data, pos: e.pos, digest: e.digest}
	v.keep(b)
	return b, nil
}

// mapped maps the file of a bundle, nil if it is not there or another.
func (v *Verifier) mapped(digest string) (data []byte, unmap func()) {
	if v.cfg.Files == "" {
		return nil, nil
	}
	data, unmap, err := mirror.Map(filepath.Join(v.cfg.Files, bundleFile))
	if err != nil {
		return nil, nil
	}
	if hexDigest(data) != digest {
		unmap()
		return nil, nil
	}
	return data, unmap
}

// store writes the file of a bundle and maps it.
func (v *Verifier) store(body []byte, digest string) (data []byte, unmap func()) {
	if v.cfg.Files == "" {
		return nil, nil
	}
	if err := mirror.WriteFile(filepath.Join(v.cfg.Files, bundleFile), body, 0o600); err != nil {
		v.cfg.Log.Warn("the bundle's file was not written", "cause", err)
		return nil, nil
	}
	return v.mapped(digest)
}

// Index describes the bundle in force for those who fetch it.
func (v *Verifier) Index(ctx context.Context) (*mirror.Index, error) {
	b, err := v.Latest(ctx)
	if err != nil {
		return nil, err
	}
	defer runtime.KeepAlive(b.Bundle)
	i := mirror.NewIndex(b.File(), v.deltas.to(b.Sequence))
	i.OnDemand = true
	return i, nil
}

// Full gives a bundle that is kept, by its number, and its digest.
func (v *Verifier) Full(ctx context.Context, sequence int64) (body []byte, digest string, err error) {
	pos, err := v.book.keptAs(ctx, sequence)
	if err != nil {
		return nil, "", err
	}
	body, err = v.book.body(ctx, pos)
	return body, hexDigest(body), err
}

// Delta gives the change from one bundle that is kept to another. One that is no
// smaller than the bundle is ErrNotKept: nobody needs it.
func (v *Verifier) Delta(ctx context.Context, from, to int64) ([]byte, error) {
	one, err := v.book.keptAs(ctx, from)
	if err != nil {
		return nil, err
	}
	two, err := v.book.keptAs(ctx, to)
	if err != nil {
		return nil, err
	}
	if one == two {
		return nil, ErrNotKept
	}
	key := way{one, two}
	if d := v.deltas.get(key); d != nil {
		return d, nil
	}
	// Whoever asks for the same waits for it; few are made at the same time, and
	// one that was begun is finished for the next who asks.
	d, err, _ := v.making.Do(mirror.DeltaName(one, two), func() (any, error) {
		v.diffing <- struct{}{}
		defer func() { <-v.diffing }()
		ctx := context.WithoutCancel(ctx)
		body, err := v.book.body(ctx, two)
		if err != nil {
			return nil, err
		}
		files := make([]*bundle.File, 2)
		if files[1], err = bundle.Open(body); err != nil {
			return nil, err
		}
		if body, err = v.book.body(ctx, one); err != nil {
			return nil, err
		}
		if files[0], err = bundle.Open(body); err != nil {
			return nil, err
		}
		d, err := bundle.Diff(files[0], files[1])
		if err != nil {
			return nil, err
		}
		if len(d) >= len(files[1].Bytes()) {
			return nil, ErrNotKept
		}
		v.deltas.put(made{key, from, to, d})
		return d, nil
	})
	if err != nil {
		return nil, err
	}
	return d.([]byte), nil
}

// whole makes the bundle to which a delta leads from one that is kept.
func (v *Verifier) whole(ctx context.Context, delta []byte) ([]byte, error) {
	d, err := bundle.ReadDelta(delta)
	if err != nil {
		return nil, err
	}
	if d.From == [32]byte{} {
		return bundle.Apply(nil, delta)
	}
	pos, err := v.book.keptOf(ctx, hex.EncodeToString(d.From[:]))
	if err != nil {
		return nil, bundle.ErrChain.With(err)
	}
	body, err := v.book.body(ctx, pos)
	if err != nil {
		return nil, err
	}
	from, err := bundle.Open(body)
	if err != nil {
		return nil, err
	}
	return bundle.Apply(from, delta)
}

// way is from one place in the order of bundles to another.
type way struct{ from, to int64 }

// made is a delta that was made; from and to are its numbers.
type made struct {
	way
	fromSeq, toSeq int64
	data           []byte
}

// maxDeltas bounds the deltas that are kept at hand, in bytes.
const maxDeltas = 32 << 20

// deltas are those made last. The zero value is empty.
type deltas struct {
	mu    sync.Mutex
	of    map[way]*list.Element
	order list.List // used last first
	bytes int
}

func (d *deltas) get(w way) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.of[w]
	if e == nil {
		return nil
	}
	d.order.MoveToFront(e)
	return e.Value.(made).data
}

func (d *deltas) put(m made) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.of == nil {
		d.of = map[way]*list.Element{}
	}
	if d.of[m.way] != nil || len(m.data) > maxDeltas {
		return
	}
	d.of[m.way] = d.order.PushFront(m)
	for d.bytes += len(m.data); d.bytes > maxDeltas; {
		last := d.order.Remove(d.order.Back()).(made)
		delete(d.of, last.way)
		d.bytes -= len(last.data)
	}
}

// to lists the deltas at hand that lead to a bundle, a few of them.
func (d *deltas) to(sequence int64) []mirror.Delta {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []mirror.Delta
	for e := d.order.Front(); e != nil && len(out) < 32; e = e.Next() {
		if m := e.Value.(made); m.toSeq == sequence {
			out = append(out, mirror.Delta{From: m.fromSeq, To: m.toSeq, Size: int64(len(m.data))})
		}
	}
	return out
}
