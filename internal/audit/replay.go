package audit

import (
	"time"

	"github.com/kinpass/kinpass/internal/status"
	"github.com/kinpass/kinpass/internal/tlog"
)

// What a place of a status list is, by the ledger: bits of one value.
const (
	isRevoked   = 1
	isSuspended = 2
)

// places is what the ledger says of every place that ever changed: two bits for
// each, by list, so that a hundred lists of a million places are 25 MB.
type places map[uint32]*status.Tokens

// Bounds against a ledger that wants the auditor's memory. A list has 2^20 places.
const (
	maxPlace  = 1 << 24
	maxPlaces = 1 << 30 // of all lists together: 256 MB
)

func (p places) total() (n int64) {
	for _, l := range p {
		n += l.Len()
	}
	return n
}

func (p places) get(list, index uint32) uint8 {
	l := p[list]
	if l == nil || int64(index) >= l.Len() {
		return 0
	}
	v, err := l.Get(int64(index))
	if err != nil {
		return 0
	}
	return v
}

func (p places) set(list, index uint32, value uint8) error {
	l := p[list]
	if l == nil || int64(index) >= l.Len() {
		size := int64(1 << 17)
		for size <= int64(index) {
			size *= 2
		}
		grown, err := status.NewTokens(2, size)
		if err != nil {
			return err
		}
		if l != nil {
			for i, v := range l.Marked() {
				if err := grown.Set(i, v); err != nil {
					return err
				}
			}
		}
		if p.total()+grown.Len() > maxPlaces {
			return ErrTooMuch
		}
		p[list], l = grown, grown
	}
	return l.Set(int64(index), value)
}

// lateness is how much later than its hour an entry may be in the ledger before it
// looks dated back. What is issued is there at once.
//
// A change of status has the hour of the publication that shows it. An issuer that was
// down publishes with the time at which it was last due, which is up to a day ago
// (the longest interval between publications), and its ledger goes on then; how long
// the interval is, or was when an old entry was made, an auditor does not know. So
// held against other entries and checkpoints a change may be that late. It is not when
// something says that the issuer had published meanwhile, because publications come
// into the ledger whole, as soon as they are made and in their order: a later change
// in front of it, or a later list that was there with a checkpoint without it.
const (
	lateness        = time.Hour
	latenessChanged = lateness + 24*time.Hour
	ahead10         = 10 * time.Minute // clocks that go fast
)

// replay takes one entry into the state. Whatever it finds is held back until the
// root is proven.
func (r *round) replay(index int64, raw []byte) error {
	s := r.state
	s.tree.add(tlog.LeafHash(raw))
	r.fresh++
	e, err := tlog.ParseEntry(raw)
	if err != nil {
		r.find(Finding{Code: EntryMalformed, Entry: index, Detail: "an entry is not one of a Kinpass ledger"})
		return nil
	}
	hour := int32(e.Hour.Unix() / 3600)
	s.Kinds[kindName(e.Kind)]++
	switch e.Kind {
	case tlog.Issued, tlog.Reserved, tlog.Witnessed, tlog.Changed:
		r.dates(e, index, hour)
		r.habits(e, hour)
	default:
		if len(s.facts) < maxFacts {
			s.facts[string(e.Commitment[:])] = true
		}
	}
	if hour > s.Newest && !e.Hour.After(r.now.Add(ahead10)) {
		if s.Newest > 0 { // all that is in front of this entry was told in the hours before
			s.mark(index, at(s.Newest+1).Add(afterHour))
		}
		r.close(hour)
	}
	if e.Kind == tlog.Changed {
		return r.change(e, index)
	}
	return nil
}

// dates looks at an entry's hour: it cannot be before that of entries far in front
// of it, before the time at which a checkpoint was seen that it is not in, or still
// to come.
func (r *round) dates(e tlog.Entry, index int64, hour int32) {
	late := lateness
	if e.Kind == tlog.Changed {
		late = latenessChanged
	}
	change, fresh := e.Kind == tlog.Changed, index >= r.kept.Size // not in the checkpoint that is kept
	end, near := e.Hour.Add(time.Hour+late), e.Hour.Add(time.Hour+lateness)
	why := ""
	switch {
	case e.Hour.After(r.now.Add(ahead10)):
		r.find(Finding{Code: HourFuture, Office: e.Office, Hour: e.Hour, Entry: index, Detail: "dated in an hour that has not begun"})
		return
	case fresh && end.Before(r.keptAt):
		why = "a checkpoint that was seen at " + r.keptAt.UTC().Format(time.RFC3339) + " and does not have it"
	case end.Before(at(r.state.Newest)):
		why = "entries of " + at(r.state.Newest).Format(time.RFC3339) + " that are in front of it"
	case change && near.Before(at(r.state.NewestChange)):
		why = "a publication of " + at(r.state.NewestChange).Format(time.RFC3339) + ", of which changes are in front of it"
	case change && fresh && near.Before(r.keptAt) && near.Before(r.listed):
		why = "lists of " + r.listed.UTC().Format(time.RFC3339) + ", which were there with a checkpoint that does not have it"
	}
	if why != "" {
		r.find(Finding{Code: HourBackdated, Office: e.Office, Hour: e.Hour, Entry: index, Detail: "dated before " + why})
	}
	if change {
		r.state.NewestChange = max(r.state.NewestChange, hour)
	}
}

// sees notes the time of a list on the shelf. What was published while a long round
// was under way may be newer than the checkpoint of that round.
func (r *round) sees(from time.Time) {
	if from.After(r.state.Listed) && !from.After(r.now.Add(ahead10)) {
		r.state.Listed = from
	}
}

// habits counts an entry for its office.
func (r *round) habits(e tlog.Entry, hour int32) {
	s := r.state
	o := s.Offices[e.Office]
	if o == nil {
		if len(s.Offices) >= maxOffices {
			r.find(Finding{Code: OfficeNew, Office: "", Hour: e.Hour, Detail: "more offices than are counted"})
			return
		}
		o = &office{First: hour, Hours: map[int32]count{}}
		s.Offices[e.Office] = o
		if s.First != 0 && hour-s.First >= week {
			r.find(Finding{Code: OfficeNew, Office: e.Office, Hour: e.Hour, Entry: r.state.tree.size - 1, Detail: "an office that never issued before"})
		}
	}
	if s.First == 0 {
		s.First = hour
	}
	c := o.Hours[hour]
	if e.Kind == tlog.Changed {
		c.Changed++
		o.Total.Changed++
	} else {
		c.Issued++
		o.Total.Issued++
	}
	if k := (officeHour{e.Office, hour}); r.counted[k] > 0 || len(r.counted) < maxCounted {
		r.counted[k]++
	}
	if hour >= s.Newest-window && !e.Hour.After(r.now.Add(ahead10)) {
		o.Hours[hour] = c
		r.open[officeHour{e.Office, hour}] = true
	}
}

// maxCounted bounds the hours that a report counts.
const maxCounted = 100_000

type officeHour struct {
	office string
	hour   int32
}

// close begins a newer hour: what ended before it is judged.
func (r *round) close(hour int32) {
	r.state.Newest = hour
	for k := range r.open {
		if k.hour < hour {
			r.judge(k)
		}
	}
}

func (r *round) judge(k officeHour) {
	delete(r.open, k)
	o := r.state.Offices[k.office]
	for _, f := range o.judge(k.office, k.hour) {
		if r.state.once(f) {
			r.find(f)
		}
	}
	o.forget(r.state.Newest)
}

// change replays a change of status.
func (r *round) change(e tlog.Entry, index int64) error {
	p := r.state.places
	if e.Index >= maxPlace {
		r.find(Finding{Code: PlaceOutside, List: int64(e.List), Index: int64(e.Index), Entry: index, Detail: "a change at a place that no list has"})
		return nil
	}
	v := p.get(e.List, e.Index)
	was := v
	switch {
	case v&isRevoked != 0 && e.Status != tlog.Invalid:
		r.find(Finding{Code: RevocationLifted, List: int64(e.List), Index: int64(e.Index), Entry: index, Detail: "the ledger itself takes back a revocation, which is final"})
		return nil // it stays revoked
	case e.Status == tlog.Invalid:
		v |= isRevoked
	case e.Status == tlog.Suspended:
		v |= isSuspended
	default:
		v &^= isSuspended
	}
	r.state.remember(changed{index, e.List, e.Index, e.Status, v == was})
	return p.set(e.List, e.Index, v)
}

func kindName(k tlog.Kind) string {
	return [...]string{tlog.Issued: "issued", tlog.Reserved: "reserved", tlog.Changed: "changed", tlog.Key: "key", tlog.TrustList: "trustList", tlog.Accreditation: "accreditation", tlog.Witnessed: "witnessed"}[k]
}
