package audit

import (
	"fmt"
	"slices"
	"time"

	"github.com/kinpass/kinpass/internal/status"
	"github.com/kinpass/kinpass/internal/tlog"
	"github.com/kinpass/kinpass/internal/vc"
)

// given is what a list said last of the places that are given out.
type given struct {
	From  time.Time `json:"from"`
	Count int64     `json:"count"`
	// Places is the set as status.Places writes it; of a list that is no longer on
	// the index the count is enough.
	Places []byte `json:"places,omitempty"`
	Ended  bool   `json:"ended,omitempty"`
}

// open reads the set; false if there is none.
func (g given) open() (*status.Places, bool) {
	p, _, err := status.OpenPlaces(g.Places)
	return p, err == nil
}

// give takes in a list of the places that are given out. One that is older than
// what was seen says nothing new. What was given out stays given out, so that no
// place can make room for another.
func (r *round) give(f form, l *vc.StatusList) error {
	was := r.state.Given[f.path]
	if l.From.Before(was.From) {
		return nil
	}
	bits, err := status.New(l.Size())
	if err != nil {
		return err
	}
	is := given{From: l.From}
	for i := range l.Marked() {
		if err := bits.Set(i); err != nil {
			return err
		}
		is.Count++
	}
	if l.From.Equal(was.From) && is.Count <= was.Count {
		return nil
	}
	if p, ok := was.open(); ok && l.From.After(was.From) {
		for place := range p.All() {
			if in, err := bits.Get(int64(place)); err != nil || !in {
				r.find(Finding{Code: IssuedTakenBack, List: int64(f.n), Index: int64(place), Source: f.path, Detail: "a place that was given out is said to be free again"})
			}
		}
	}
	if is.Places, err = bits.Places(); err != nil {
		return err
	}
	r.state.Given[f.path] = is
	return nil
}

// indexed takes in which lists are on the index now. A list that ended takes its
// entries with it: they are no room for others.
func (r *round) indexed(forms []form) {
	on := map[string]bool{}
	for _, f := range forms {
		on[f.path] = true
	}
	for path, g := range r.state.Given {
		if g.Ended = !on[path]; g.Ended {
			g.Places = nil
		}
		r.state.Given[path] = g
	}
	// An issuer that says of some lists which places are given out says it of all:
	// where it does not, nobody sees papers at a place that nobody has.
	var last, seen int64
	for path := range r.state.Given {
		if _, n, ok := listName("/" + path); ok {
			last = max(last, int64(n))
		}
	}
	tells := slices.ContainsFunc(forms, func(f form) bool { return f.purpose == purposeIssued }) || len(r.state.Given) > 0
	for _, f := range forms {
		switch path := fmt.Sprintf("status/%s/%d", purposeIssued, f.n); {
		case f.purpose == purposeIssued:
			last = max(last, int64(f.n))
			if _, known := r.state.Given[path]; !known {
				seen++
			}
		case f.purpose == vc.PurposeRevocation && tells && !on[path]:
			r.find(Finding{Code: ListGone, List: int64(f.n), Source: path, Detail: "nothing says which places of this list are given out"})
		}
	}
	if unseen := last - seen - int64(len(r.state.Given)); unseen > 0 {
		r.report.Notes = append(r.report.Notes, fmt.Sprintf("%d lists ended before this audit began: as many places as they gave out can be given out anew without an entry", unseen))
	}
}

// unlogged is how many places more the lists say to be given out than the ledger
// has entries for. It is less than 0 by what was issued since the lists were
// signed, and by the places of lists that ended before this audit began. A list
// that cannot be read has what it had.
func (r *round) unlogged() int64 {
	n := -r.state.Kinds[kindName(tlog.Issued)] - r.state.Kinds[kindName(tlog.Reserved)]
	for _, g := range r.state.Given {
		n += g.Count
	}
	return n
}
