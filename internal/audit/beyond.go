package audit

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/tlog"
)

// While a witness that is demanded is away, the log goes on beyond what is believed.
// What it signs there may explain what the shelf shows: nothing is found out by it, and
// nothing is replayed. The log is held to it, too, because whoever signed it is
// remembered: a later history without it is proven to be another one.

// patienceWitness is how long an entry may be without the witnesses that are
// demanded and still explain what the shelf shows.
const patienceWitness = 24 * time.Hour

const (
	markBeyond = 30 * time.Minute // between the times that are remembered
	maxBeyond  = 64
	maxPlain   = 1 << 20 // changes of status that are looked at
)

// beyond is what the log tells after the tip.
type beyond struct {
	entries  int64
	values   map[[2]uint32][]uint8 // what places became, by list and index
	issued   int64
	facts    map[string]bool
	late     int64 // entries that have waited too long to explain anything
	since    time.Time
	explains int64 // differences
}

// size gives the entries of a checkpoint that was verified when it was kept.
func (f foreign) size() int64 {
	c, err := tlog.Peek([]byte(f.Signed))
	if err != nil {
		return 0
	}
	return c.Size
}

// waits remembers what the log shows without witnesses, and since when.
func (r *round) waits(top shown) {
	s := r.state
	// What the tip has is compared. What the shelf shows no more stays, and counts
	// against it.
	s.Waiting = slices.DeleteFunc(s.Waiting, func(f foreign) bool { return f.size() <= r.tip.Size })
	if r.cfg.Policy.Quorum == 0 || top.Size <= r.tip.Size {
		return
	}
	now := foreign{seenBefore, string(top.signed), r.now}
	n := len(s.Waiting)
	switch {
	case n > 0 && s.Waiting[n-1].size() >= top.Size:
	case n > 0 && r.now.Sub(s.Waiting[n-1].Since) < markBeyond:
		s.Waiting[n-1].Signed = now.Signed
	default:
		if n >= maxBeyond {
			s.Waiting = slices.Delete(s.Waiting, 1, 2)
		}
		s.Waiting = append(s.Waiting, now)
	}
}

// waiting gives since when an entry has been seen without witnesses.
func (s *state) waiting(index int64) time.Time {
	for _, f := range s.Waiting {
		if f.size() > index {
			return f.Since
		}
	}
	return time.Time{}
}

// look reads what the log tells after the tip, if that is the log's: signed by it,
// continuing the tip, and the entries make its tree.
func (r *round) look(ctx context.Context) (*beyond, error) {
	out := &beyond{values: map[[2]uint32][]uint8{}, facts: map[string]bool{}}
	if r.cfg.Policy.Quorum == 0 {
		return out, nil
	}
	top, err := r.newest(ctx, r.tipShown())
	if err != nil {
		return nil, err
	}
	r.waits(top)
	if top.Size <= r.tip.Size {
		return out, nil
	}
	tree := frontier{r.state.tree.size, slices.Clone(r.state.tree.roots)}
	err = stream(ctx, r.cfg.Shelf, r.tip.Size, top.Size, func(index int64, raw []byte) error {
		tree.add(tlog.LeafHash(raw))
		out.entries++
		out.take(r, index, raw)
		return nil
	})
	if err == nil && tree.root() != top.Root {
		err = ErrEntries
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

// take reads one entry.
func (b *beyond) take(r *round, index int64, raw []byte) {
	e, err := tlog.ParseEntry(raw)
	if err != nil {
		return // told when witnesses have seen it
	}
	since := r.state.waiting(index)
	if b.since.IsZero() || since.Before(b.since) {
		b.since = since
	}
	// Who comes for the first time knows of no waiting, and the entry's hour says some.
	late := time.Hour + lateness
	if e.Kind == tlog.Changed {
		late = time.Hour + latenessChanged
	}
	if by := e.Hour.Add(late); by.Before(since) {
		since = by
	}
	if !r.now.Before(since.Add(patienceWitness)) {
		b.late++
		return
	}
	switch e.Kind {
	case tlog.Issued, tlog.Reserved:
		b.issued++
	case tlog.Changed:
		if len(b.values) >= maxPlain {
			return
		}
		at := [2]uint32{e.List, e.Index}
		v := r.state.places.get(e.List, e.Index)
		if was := b.values[at]; len(was) > 0 {
			v = was[len(was)-1]
		}
		b.values[at] = append(b.values[at], become(v, e.Status))
	case tlog.Witnessed:
	default:
		b.facts[string(e.Commitment[:])] = true
	}
}

// become gives what a change makes of a place.
func become(v uint8, to tlog.Status) uint8 {
	switch to {
	case tlog.Invalid:
		return v | isRevoked
	case tlog.Suspended:
		return v | isSuspended
	}
	return v &^ isSuspended
}

// excuse drops the differences between lists and ledger that entries beyond the
// tip explain: a list shows one moment of them.
func (r *round) excuse(ctx context.Context, differ map[form]map[diff][]byte) error {
	r.beyond = &beyond{}
	b, err := r.look(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		r.note("what the log shows without enough witnesses cannot be read: " + fault.As(err).Code)
		return nil
	}
	r.beyond = b
	for f, ds := range differ {
		var said map[int64]uint8 // by the list: all its differences are of one reading
		for d, body := range ds {
			became := b.values[[2]uint32{d.n, uint32(d.index)}]
			if len(became) == 0 || d.code != StatusUndone && d.code != StatusUnlogged {
				continue
			}
			if said == nil {
				said = map[int64]uint8{}
				l, err := openList(body, r.cfg.Keys, r.cfg.Now())
				if err != nil {
					break
				}
				for i, v := range l.Marked() {
					if b.values[[2]uint32{d.n, uint32(i)}] != nil {
						said[i] = v
					}
				}
			}
			if slices.ContainsFunc(became, func(v uint8) bool { return f.judge(v, said[d.index]) == "" }) {
				delete(ds, d)
				b.explains++
			}
		}
		if len(ds) == 0 {
			delete(differ, f)
		}
	}
	return nil
}

// may gives what a place of a list may be beyond the tip: 1 not marked, 2 marked.
func (b *beyond) may(list, index uint32, bit uint8) (out uint8) {
	if b == nil {
		return 0
	}
	for _, v := range b.values[[2]uint32{list, index}] {
		if v&bit != 0 {
			out |= 2
		} else {
			out |= 1
		}
	}
	return out
}

// tellBeyond notes what was explained only by what witnesses have not seen.
func (r *round) tellBeyond() {
	b := r.beyond
	if b == nil {
		return
	}
	if b.explains > 0 {
		r.note(fmt.Sprintf("%d differences are explained by %d entries that fewer witnesses than demanded have seen yet, since %s at the latest",
			b.explains, b.entries-b.late, b.since.UTC().Format(time.RFC3339)))
	}
	if b.late > 0 {
		r.note(fmt.Sprintf("%d entries have been without the witnesses that are demanded for more than a day: they explain nothing any more", b.late))
	}
}
