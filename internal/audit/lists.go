package audit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/status"
	"github.com/kinpass/kinpass/internal/tlog"
	"github.com/kinpass/kinpass/internal/vc"
)

// Bounds of the shelf's lists, in bytes and numbers.
const (
	maxIndex = 1 << 20
	maxLists = 4096
	maxList  = 16 << 20
	maxDiffs = 1000 // of one list
)

// purposeIssued is that of a list of the places that are given out.
const purposeIssued = "issued"

// form is one signed list on the shelf.
type form struct {
	address string
	path    string // below the shelf
	purpose string
	n       uint32
	accept  string
}

// diff is a place at which list and ledger differ.
type diff struct {
	code    string
	n       uint32
	index   int64
	revoked bool // the ledger says that it is, for good
}

// lists compares every list on the shelf with the ledger. The two are published
// one after the other, so that what differs is looked at again until it has
// settled or has differed for too long.
func (r *round) lists(ctx context.Context) error {
	if r.cfg.Keys == nil {
		r.report.Notes = append(r.report.Notes, "status lists were not compared: without a trust list nobody knows who may sign them")
		return nil
	}
	all, err := r.index(ctx)
	if err != nil {
		return err
	}
	r.forms = all
	differ := map[form]map[diff][]byte{}
	r.report.Lists = r.pass(ctx, all, differ)
	wait := min(20*time.Millisecond, r.cfg.Settle)
	for deadline := time.Now().Add(r.cfg.Settle); (len(differ) > 0 || r.unlogged() > 0) && time.Now().Before(deadline); {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
			wait = min(2*wait, 5*time.Second)
		}
		whole, err := r.onward(ctx)
		if err != nil || !whole {
			return err
		}
		var some []form
		for f := range differ {
			some = append(some, f)
		}
		if r.unlogged() > 0 {
			for _, f := range all {
				if f.purpose == purposeIssued {
					some = append(some, f)
				}
			}
		}
		now := map[form]map[diff][]byte{}
		r.pass(ctx, some, now)
		for f, was := range differ {
			for d := range was {
				if body, still := now[f][d]; still {
					was[d] = body
				} else {
					delete(was, d)
				}
			}
			if len(was) == 0 {
				delete(differ, f)
			}
		}
	}
	if err := r.excuse(ctx, differ); err != nil {
		return err
	}
	if err := r.tell(ctx, differ); err != nil {
		return err
	}
	switch n := r.unlogged(); {
	case n > r.beyond.issued:
		r.find(Finding{Code: IssuedUnlogged, Count: n, Detail: "the lists say that more places are given out than the ledger has issued"})
	case n > 0:
		r.beyond.explains += n
	}
	return nil
}

// onward follows the ledger once more.
func (r *round) onward(ctx context.Context) (bool, error) {
	c, err := r.log.Open([]byte(r.state.Kept))
	if err != nil {
		return false, err
	}
	r.kept, r.keptAt = c.Checkpoint, r.state.KeptAt
	return r.follow(ctx)
}

// index reads which lists there are, in all their forms.
func (r *round) index(ctx context.Context) ([]form, error) {
	data, err := r.cfg.Shelf.Get(ctx, "status", "application/json", maxIndex)
	if err != nil {
		return nil, err
	}
	forms, err := parseIndex(data, r.cfg.Base)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, f := range forms {
		names = append(names, f.path)
	}
	for _, was := range r.state.Lists {
		if !slices.Contains(names, was) {
			r.find(Finding{Code: ListGone, Source: was, Detail: "a list is no longer on the index: right if its quarter and the time of retention are over"})
		}
	}
	r.state.Lists = slices.Compact(names)
	r.indexed(forms)
	return forms, nil
}

// parseIndex reads the index of lists, of which each lies below the shelf's own
// address.
func parseIndex(data []byte, base string) ([]form, error) {
	var x struct {
		Lists []string `json:"lists"`
	}
	if err := vc.StrictJSON(data, &x, 4); err != nil {
		return nil, ErrIndex.With(err)
	}
	if len(x.Lists) > maxLists {
		return nil, ErrIndex
	}
	slices.Sort(x.Lists)
	var out []form
	for _, u := range slices.Compact(x.Lists) {
		path, ok := strings.CutPrefix(u, base+"/")
		purpose, n, named := listName(u)
		if !ok || !named || path != "status/"+purpose+"/"+path[strings.LastIndex(path, "/")+1:] {
			return nil, ErrIndex
		}
		f := form{u, path, purpose, n, ""}
		switch purpose {
		case vc.PurposeRevocation, vc.PurposeSuspension, purposeIssued:
			out = append(out, f)
		case tokenLists:
			f.accept = vc.MediaTokenJWT
			out = append(out, f)
			f.accept = vc.MediaTokenCWT
			out = append(out, f)
		default:
			return nil, ErrIndex
		}
	}
	return out, nil
}

// ErrIndex: the shelf's index of status lists.
var ErrIndex = fault.New(fault.Unprocessable, "audit-index", "the shelf's index of status lists cannot be used")

// pass compares lists with the ledger as it is now, counts the places that are
// given out by the lists that say so, and gives how many lists could be read.
func (r *round) pass(ctx context.Context, forms []form, differ map[form]map[diff][]byte) (used int) {
	for _, f := range forms {
		body, l, err := r.list(ctx, f)
		if err != nil {
			differ[f] = map[diff][]byte{{code: ListUnusable, n: f.n}: []byte(fault.As(err).Code)}
			continue
		}
		used++
		r.sees(l.From)
		if f.purpose == purposeIssued {
			if err := r.give(f, l); err != nil {
				differ[f] = map[diff][]byte{{code: ListUnusable, n: f.n}: []byte(fault.As(err).Code)}
			}
			continue
		}
		if d := r.state.places.against(f, l); len(d) > 0 {
			differ[f] = map[diff][]byte{}
			for _, x := range d {
				differ[f][x] = body
			}
		}
	}
	return used
}

// list fetches and verifies a list.
func (r *round) list(ctx context.Context, f form) ([]byte, *vc.StatusList, error) {
	body, err := r.cfg.Shelf.Get(ctx, f.path, f.accept, maxList)
	if err != nil {
		return nil, nil, err
	}
	l, err := openList(body, r.cfg.Keys, r.cfg.Now())
	if err != nil {
		return nil, nil, err
	}
	token := f.purpose == tokenLists
	if l.URL != f.address || l.Tokens() != token || !token && (len(l.Purposes) != 1 || l.Purposes[0] != f.purpose) || l.Size() > maxPlace {
		return nil, nil, vc.ErrStatusOther
	}
	return body, l, nil
}

// against compares a list with the ledger, place by place.
func (p places) against(f form, l *vc.StatusList) []diff {
	var out []diff
	hold := func(i int64, logged, said uint8) {
		if code := f.judge(logged, said); code != "" && len(out) < maxDiffs {
			out = append(out, diff{code, f.n, i, logged&isRevoked != 0 && f.purpose != vc.PurposeSuspension})
		}
	}
	logged := p[f.n]
	if logged == nil {
		logged = &status.Tokens{}
	}
	next, stop := iter.Pull2(logged.Marked())
	defer stop()
	at, mine, more := next()
	for i, v := range l.Marked() {
		for ; more && at < i; at, mine, more = next() {
			hold(at, mine, 0)
		}
		if more && at == i {
			hold(i, mine, v)
			at, mine, more = next()
		} else {
			hold(i, 0, v)
		}
	}
	for ; more; at, mine, more = next() {
		hold(at, mine, 0)
	}
	return out
}

// judge says what is wrong where the ledger says one thing of a place and a list
// another; "" is nothing.
func (f form) judge(logged, said uint8) string {
	switch f.purpose {
	case vc.PurposeRevocation:
		return differs(logged&isRevoked != 0, said == 1)
	case vc.PurposeSuspension:
		return differs(logged&isSuspended != 0, said == 1)
	}
	want := uint8(status.TokenValid)
	if logged&isSuspended != 0 {
		want = status.TokenSuspended
	}
	if logged&isRevoked != 0 {
		want = status.TokenInvalid
	}
	switch {
	case want == said:
		return ""
	case want != status.TokenValid && said != status.TokenInvalid:
		return StatusUndone
	}
	return StatusUnlogged
}

func differs(logged, said bool) string {
	switch {
	case logged && !said:
		return StatusUndone
	case said && !logged:
		return StatusUnlogged
	}
	return ""
}

// tell reports what still differs. Of a revocation that is undone it tries to make
// evidence: the list that says otherwise, and the entry.
func (r *round) tell(ctx context.Context, differ map[form]map[diff][]byte) error {
	made := 0
	for _, f := range sorted(differ) {
		var ds []diff
		for d := range differ[f] {
			ds = append(ds, d)
		}
		slices.SortFunc(ds, func(a, b diff) int { return int(a.index - b.index) })
		for _, d := range ds {
			x := Finding{Code: d.code, List: int64(d.n), Index: d.index, Source: f.path}
			switch d.code {
			case ListUnusable:
				x.Detail, x.Index = "a list on the index cannot be used: "+string(differ[f][d]), 0
			case StatusUnlogged:
				x.Detail = "the list marks a place that the ledger does not know to be changed"
			case StatusUndone:
				x.Detail = "the ledger says that this place is revoked or suspended, and the list does not"
				if d.revoked && made < 3 {
					made++
					at, err := r.locate(ctx, d.n, uint32(d.index), tlog.Invalid)
					if err != nil {
						return err
					}
					e, err := r.entries(ctx, StatusUndone, at)
					if err != nil {
						return err
					}
					e.List, e.Address = differ[f][d], f.address
					if err := r.proven(x, e); err != nil {
						return err
					}
					continue
				}
			}
			r.find(x)
		}
	}
	return nil
}

func sorted(m map[form]map[diff][]byte) []form {
	var out []form
	for f := range m {
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b form) int { return strings.Compare(a.path+a.accept, b.path+b.accept) })
	return out
}

// witnessPath is where a witness says which checkpoint of a log it cosigned last.
func witnessPath(origin string) string {
	sum := sha256.Sum256([]byte(origin))
	return hex.EncodeToString(sum[:]) + "/checkpoint"
}
