package audit

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/kinpass/kinpass/internal/status"
	"github.com/kinpass/kinpass/internal/tlog"
	"github.com/kinpass/kinpass/internal/vc"
)

// Bundle is what a hub tells posts about the lists of the issuer whose ledger is
// audited. Whoever gives it verified the hub's signature and its trust list.
type Bundle struct {
	Hub   string // its key
	From  string // where the bundle is from
	Lists []BundleList
}

// BundleList is one of the issuer's own lists, as a hub says that it was.
type BundleList struct {
	Address string
	Purpose string    // revocation, suspension or issued
	From    time.Time // when the issuer signed it, says the hub
	Lifted  int64     // places that are revoked in an earlier list and not in this one, says the hub
	Places  *status.Places
}

// A hub's lists are of the past, and the ledger went on. Two things that the state
// keeps say what the ledger had told by the time of a list: marks, and the changes of
// the last weeks.

// mark is a number of entries whose changes every list shows that is dated At or
// later: all of them were told before.
type mark struct {
	Size int64     `json:"size"`
	At   time.Time `json:"at"`
}

// What is added to the time at which entries were there, until every list that is
// dated then shows them: for the end of an hour, that entries were still written
// with the time of their beginning; for a witness, that lists and cosignatures are
// dated in whole seconds; and for the auditor's own clock, that it may be behind.
const (
	afterHour    = time.Minute
	afterWitness = time.Second
	afterAuditor = 10 * time.Minute
)

const maxMarks = 4096

// mark notes that these entries were there at a time. Fewer that were there no
// earlier say nothing beside them.
func (s *state) mark(size int64, at time.Time) {
	for n := len(s.Marks); n > 0 && s.Marks[n-1].Size <= size && !s.Marks[n-1].At.Before(at); n-- {
		s.Marks = s.Marks[:n-1]
	}
	if n := len(s.Marks); n > 0 && s.Marks[n-1].Size >= size {
		return
	}
	if len(s.Marks) >= maxMarks { // the older half gets thinner
		var thin []mark
		for i, m := range s.Marks {
			if i >= maxMarks/2 || i%2 == 0 {
				thin = append(thin, m)
			}
		}
		s.Marks = thin
	}
	s.Marks = append(s.Marks, mark{size, at})
}

// seen notes a checkpoint: its latest witness says when it was there, so that one
// whose clock is behind does no harm. It was not there before the hour that its
// entries name.
func (s *state) seen(c tlog.Signed, now time.Time) {
	when := at(s.Newest)
	for _, t := range c.Seen {
		if t = t.Add(afterWitness); t.After(when) {
			when = t
		}
	}
	if len(c.Seen) == 0 {
		when = now.Add(afterAuditor)
	}
	s.mark(c.Size, when)
}

// told gives how many entries at least a list of this date shows the changes of.
func (s *state) told(from time.Time) int64 {
	for _, m := range slices.Backward(s.Marks) {
		if !m.At.After(from) {
			return m.Size
		}
	}
	return 0
}

// changed is a change of status, as the ledger has it.
type changed struct {
	entry       int64
	list, index uint32
	to          tlog.Status
	again       bool // the place was so before
}

const (
	changedSize = 17 // bytes
	// maxRecent is how many changes are kept: six weeks of a nation's.
	maxRecent = 1 << 17
)

func (s *state) remember(c changed) {
	if len(s.recent) >= maxRecent {
		drop := maxRecent / 8
		s.Forgot = s.recent[drop-1].entry + 1
		s.recent = slices.Delete(s.recent, 0, drop)
	}
	s.recent = append(s.recent, c)
}

func (s *state) encodeRecent() string {
	out := make([]byte, 0, changedSize*len(s.recent))
	for _, c := range s.recent {
		out = binary.BigEndian.AppendUint64(out, uint64(c.entry))
		out = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(out, c.list), c.index)
		b := byte(c.to)
		if c.again {
			b |= 0x80
		}
		out = append(out, b)
	}
	return base64.StdEncoding.EncodeToString(out)
}

func decodeRecent(text string) ([]changed, bool) {
	data, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(data)%changedSize != 0 || len(data) > changedSize*maxRecent {
		return nil, false
	}
	var out []changed
	for ; len(data) > 0; data = data[changedSize:] {
		out = append(out, changed{int64(binary.BigEndian.Uint64(data)), binary.BigEndian.Uint32(data[8:]), binary.BigEndian.Uint32(data[12:]),
			tlog.Status(data[16] & 0x7f), data[16]&0x80 != 0})
	}
	return out, true
}

// bundles holds what hubs tell posts against the ledger.
func (r *round) bundles(ctx context.Context) error {
	if r.cfg.Bundles == nil {
		return nil
	}
	all, err := r.cfg.Bundles(ctx)
	if err != nil {
		return err
	}
	r.report.Bundles = len(all)
	found, wait := r.hold(all), 20*time.Millisecond
	// What a list has may be in the ledger a moment later.
	for deadline := time.Now().Add(r.cfg.Settle); slices.ContainsFunc(found, toCome) && time.Now().Before(deadline); found = r.hold(all) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(min(wait, r.cfg.Settle)):
			wait = min(2*wait, 5*time.Second)
		}
		whole, oerr := r.onward(ctx)
		if err = oerr; err != nil || !whole {
			break
		}
		var issued []form
		for _, f := range r.forms {
			if f.purpose == purposeIssued {
				issued = append(issued, f)
			}
		}
		r.pass(ctx, issued, map[form]map[diff][]byte{})
	}
	for _, f := range found {
		r.find(f)
	}
	return err
}

// toCome reports whether entries that are still to come may explain a finding.
func toCome(f Finding) bool { return f.Code == BundleUnlogged || f.Code == ViewAhead }

// hold gives what is wrong with bundles, as far as the ledger is read.
func (r *round) hold(all []Bundle) []Finding {
	var out []Finding
	for _, b := range all {
		for _, l := range b.Lists {
			for _, f := range r.holdList(l) {
				f.Hub, f.Source = b.Hub, l.Address
				f.Detail = fmt.Sprintf("%s (list of %s, bundle from %s)", f.Detail, l.From.UTC().Format(time.RFC3339), b.From)
				out = append(out, f)
			}
		}
	}
	return out
}

func (r *round) holdList(l BundleList) []Finding {
	path, own := strings.CutPrefix(l.Address, r.cfg.Base+"/")
	purpose, n, ok := listName(l.Address)
	if !own || !ok || purpose != l.Purpose || !slices.Contains(r.state.Lists, path) {
		if own && ok && r.ended(n) {
			return nil
		}
		return []Finding{{Code: BundleUnlogged, List: int64(n), Detail: "the hub has a list that is not on the shelf: right only if it ended since"}}
	}
	var out []Finding
	if l.Lifted > 0 {
		out = append(out, Finding{Code: BundleLifted, List: int64(n), Count: l.Lifted, Detail: "the hub was given a list that takes back what was revoked before; there it stays revoked"})
	}
	if purpose == purposeIssued {
		return append(out, r.holdIssued(l, path, n)...)
	}
	return append(out, r.holdStatus(l, n)...)
}

// ended reports whether the lists of a number were on the index once and are not now.
func (r *round) ended(n uint32) bool {
	return r.state.Given[fmt.Sprintf("status/%s/%d", purposeIssued, n)].Ended
}

// holdIssued: what was given out by the time of the hub's list is given out on the
// shelf, whose list is younger.
func (r *round) holdIssued(l BundleList, path string, n uint32) []Finding {
	g := r.state.Given[path]
	shelf, ok := g.open()
	if !ok {
		return nil // the shelf's list cannot be used, which is told
	}
	if g.From.Before(l.From) {
		return []Finding{{Code: ViewAhead, List: int64(n), Detail: "the hub was given a younger list than the shelf has"}}
	}
	f := Finding{Code: BundleUnlogged, List: int64(n), Detail: "the hub's list says that places are given out of which the shelf's younger one knows nothing"}
	for place := range l.Places.All() {
		if in, err := shelf.Contains(place); err != nil || !in {
			if f.Count++; f.Count == 1 {
				f.Index = int64(place)
			}
		}
	}
	if f.Count == 0 {
		return nil
	}
	return []Finding{f}
}

// holdStatus: a place on the hub's list is as the ledger had it at one time after
// all that was told when the list was signed.
func (r *round) holdStatus(l BundleList, n uint32) []Finding {
	bit := uint8(isRevoked)
	if l.Purpose == vc.PurposeSuspension {
		bit = isSuspended
	}
	told := r.state.told(l.From)
	var may map[uint32]uint8 // 1: may be unmarked, 2: may be marked
	var out []Finding
	for index, marked := range r.state.places.differ(n, bit, l.Places) {
		if may == nil {
			if told < r.state.Forgot {
				r.note("a bundle's list of " + l.From.UTC().Format(time.RFC3339) + " is older than the changes that are kept: it was not compared")
				return out
			}
			may = r.state.between(told, n, bit)
		}
		want, code, detail := uint8(1), BundleUndone, "the ledger had told that this place is revoked or suspended, and the hub's list does not say so"
		if marked {
			want, code, detail = 2, BundleUnlogged, "the hub's list marks a place that the ledger does not know to be changed"
		}
		if may[index]&want != 0 {
			continue
		}
		if r.beyond.may(n, index, bit)&want != 0 {
			r.beyond.explains++
			continue
		}
		i := slices.IndexFunc(out, func(f Finding) bool { return f.Code == code })
		if i < 0 {
			out = append(out, Finding{Code: code, List: int64(n), Index: int64(index), Count: 1, Detail: detail})
		} else {
			out[i].Count++
		}
	}
	return out
}

// between gives what the places of a list may be that changed after so many entries:
// what they were before, and what they became. The ledger has differences, so that
// the first of them tells what was before.
func (s *state) between(told int64, list uint32, bit uint8) map[uint32]uint8 {
	out := map[uint32]uint8{}
	from, _ := slices.BinarySearchFunc(s.recent, told, func(c changed, told int64) int { return int(c.entry - told) })
	for _, c := range s.recent[from:] {
		if c.list != list || (c.to == tlog.Invalid) != (bit == isRevoked) {
			continue
		}
		is, was := uint8(2), uint8(1)
		if c.to == tlog.Valid {
			is, was = was, is
		}
		if c.again {
			was = is
		}
		out[c.index] |= is | was
	}
	return out
}

// differ gives the places of which a hub says something else than the ledger says
// now, and whether the hub has them marked.
func (p places) differ(list uint32, bit uint8, hub *status.Places) iter.Seq2[uint32, bool] {
	return func(yield func(uint32, bool) bool) {
		logged := p[list]
		if logged == nil {
			logged = &status.Tokens{}
		}
		for place := range hub.All() {
			if p.get(list, uint32(place))&bit == 0 && !yield(uint32(place), true) {
				return
			}
		}
		for place, v := range logged.Marked() {
			if v&bit == 0 {
				continue
			}
			if in, err := hub.Contains(uint64(place)); (err != nil || !in) && !yield(uint32(place), false) {
				return
			}
		}
	}
}

// note adds a note once.
func (r *round) note(text string) {
	if !slices.Contains(r.report.Notes, text) {
		r.report.Notes = append(r.report.Notes, text)
	}
}
