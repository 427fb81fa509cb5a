package audit

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/tlog"
)

// seenBefore names the auditor's own memory among the views.
const seenBefore = "what was seen before"

// view is a checkpoint that somebody was shown.
type view struct {
	from   string
	signed []byte
	tiles  Source // where its tiles are; nil: nowhere
	// handed: somebody brought it as what they were shown; else its source was asked
	// now, or it is remembered.
	handed bool
}

// compared is what came of holding a view against what the shelf shows.
type compared int

const (
	contradicts compared = iota
	continues            // one continues the other
	unknown              // it is larger, and nobody has its tiles
)

// shown is a checkpoint of the shelf, whose tiles are there.
type shown struct {
	signed []byte
	tlog.Checkpoint
}

func (r *round) tipShown() shown { return shown{r.signed, r.tip.Checkpoint} }

// rewritten holds what was seen before against the tip.
func (r *round) rewritten(ctx context.Context, v view) error {
	_, _, err := r.compare(ctx, HistoryRewritten, v, r.tipShown())
	return err
}

// compare holds a checkpoint against the shelf's: one must continue the other. What
// contradicts it is proven and told.
func (r *round) compare(ctx context.Context, kind string, v view, top shown) (what compared, size int64, err error) {
	c, err := r.log.Open(v.signed)
	if err != nil {
		return 0, 0, err
	}
	small, large, tiles := v.signed, top.signed, r.cfg.Shelf
	at, in := c.Checkpoint, top.Checkpoint
	if c.Size > top.Size {
		small, large, tiles = top.signed, v.signed, v.tiles
		at, in = top.Checkpoint, c.Checkpoint
	}
	if at.Size == 0 {
		return continues, c.Size, nil
	}
	var root tlog.Hash
	var proof []tlog.Hash
	switch {
	case at.Size == in.Size:
		root = in.Root
	case tiles == nil:
		return unknown, c.Size, nil
	default:
		if root, proof, err = prefix(ctx, tiles, in, at.Size); err != nil {
			if kind == SplitView && v.tiles != nil && c.Size > top.Size {
				return unknown, c.Size, nil // a mirror that is ahead and has no tiles: the shelf will have
			}
			return 0, 0, err
		}
	}
	if root == at.Root {
		return continues, c.Size, nil
	}
	detail := "another party was shown a history that this one does not continue"
	if kind == HistoryRewritten {
		detail = "the log does not continue what it was"
	}
	return contradicts, c.Size, r.proven(Finding{Code: kind, Detail: detail, Source: v.from}, contradict(kind, small, large, root, proof))
}

// others compares what other parties were shown.
func (r *round) others(ctx context.Context) error {
	views, err := r.views(ctx)
	if err != nil {
		return err
	}
	top, err := r.newest(ctx, r.tipShown())
	if err != nil {
		return err
	}
	var larger []view
	for _, v := range views {
		what, size, err := r.compare(ctx, SplitView, v, top)
		if err != nil {
			return err
		}
		if r.report.Others++; size > top.Size && what != contradicts {
			larger = append(larger, v)
		}
	}
	if err := r.ahead(ctx, larger, top); err != nil {
		return err
	}
	r.waits(top)
	return nil
}

// views gathers what other parties were shown.
func (r *round) views(ctx context.Context) ([]view, error) {
	var views []view
	for _, f := range slices.Concat(r.state.Foreign, r.state.Waiting) {
		views = append(views, view{from: f.From, signed: []byte(f.Signed)})
	}
	for _, h := range r.cfg.Handed {
		_, signed, err := r.handed(h.Data)
		if err != nil {
			return nil, err
		}
		views = append(views, view{from: h.From, signed: signed, handed: true})
	}
	for _, s := range r.cfg.Also {
		data, _, err := r.checkpoint(ctx, s, r.log)
		if err != nil {
			r.report.Notes = append(r.report.Notes, s.String()+" gave no checkpoint of this ledger: "+fault.As(err).Code)
			continue
		}
		views = append(views, view{from: s.String(), signed: data, tiles: s})
	}
	for _, w := range r.cfg.Witnesses {
		data, err := w.Get(ctx, witnessPath(r.cfg.Policy.Log.Name), "", maxCheckpoint)
		if err == nil {
			_, err = r.log.Open(data)
		}
		if err != nil {
			r.report.Notes = append(r.report.Notes, w.String()+" gave no checkpoint of this ledger: "+fault.As(err).Code)
			continue
		}
		views = append(views, view{from: w.String(), signed: data})
	}
	return views, nil
}

// newest gives the newest checkpoint that the shelf shows, with witnesses or
// without, if it continues the one that was known. What the log shows without
// witnesses counts against it like everything that it signs.
func (r *round) newest(ctx context.Context, top shown) (shown, error) {
	data, c, err := r.checkpoint(ctx, r.cfg.Shelf, r.log)
	if err != nil || c.Size == top.Size && c.Root == top.Root {
		return top, nil
	}
	what, size, err := r.compare(ctx, SplitView, view{from: r.cfg.Shelf.String(), signed: data, tiles: r.cfg.Shelf}, top)
	if err != nil || what != continues || size <= top.Size {
		return top, err
	}
	return shown{data, c.Checkpoint}, nil
}

// ahead waits for the shelf to show as much as others were shown. Before anybody
// is given a checkpoint it is on the shelf: a shelf that stays behind is frozen for
// this auditor, or the other was shown a history that grows where nobody sees it.
// Neither is proven, and what was shown is kept until it can be compared.
func (r *round) ahead(ctx context.Context, larger []view, top shown) error {
	before := r.state.Foreign
	begun := time.Now()
	for wait := time.Duration(0); len(larger) > 0; wait = min(max(2*wait, 20*time.Millisecond), 5*time.Second) {
		var err error
		if top, err = r.newest(ctx, top); err != nil {
			return err
		}
		var left []view
		patient := false
		for _, v := range larger {
			what, size, err := r.compare(ctx, SplitView, v, top)
			if err != nil {
				return err
			}
			if size > top.Size && what != contradicts {
				left = append(left, v)
				patient = patient || r.patience(v, before) > time.Since(begun)
			}
		}
		if larger = left; !patient {
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(min(wait, r.cfg.Settle)):
		}
	}
	r.state.Foreign = nil
	for _, v := range larger {
		r.later(v, before)
		c, err := tlog.Peek(v.signed)
		if err != nil {
			return err
		}
		r.find(Finding{Code: ViewAhead, Source: v.from,
			Detail: fmt.Sprintf("another party was shown %d entries, and the shelf shows %d", c.Size, top.Size)})
	}
	return nil
}

// patience is how long this round may wait until the shelf shows as much as a
// view: not at all for one that somebody was given without the witnesses that
// everybody demands, nor where the same source was ahead for that long before.
func (r *round) patience(v view, before []foreign) time.Duration {
	if v.handed && r.cfg.Policy.Quorum > 0 {
		if _, err := r.cfg.Policy.Open(v.signed); err != nil {
			return 0
		}
	}
	return r.cfg.Settle - r.now.Sub(r.since(v, before))
}

// since is when a source was ahead of the shelf first.
func (r *round) since(v view, before []foreign) time.Time {
	first := r.now
	for _, f := range before {
		if f.From == v.from && !f.Since.IsZero() && f.Since.Before(first) {
			first = f.Since
		}
	}
	return first
}

// later keeps a checkpoint that is larger than what the shelf shows. Of a source
// that is ahead in every round the first few are enough.
func (r *round) later(v view, before []foreign) {
	n := 0
	for _, f := range r.state.Foreign {
		if f.From == v.from {
			n++
			if f.Signed == string(v.signed) {
				return
			}
		}
	}
	if len(r.state.Foreign) < maxForeign && (n < maxOfOne || v.handed) {
		r.state.Foreign = append(r.state.Foreign, foreign{v.from, string(v.signed), r.since(v, before)})
	}
}
