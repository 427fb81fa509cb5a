package status

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// A change of Places is one byte that says how it is written:
//
//	0  over the whole: a packed set of the members that go and one of those that
//	   come, as Diff gives them
//	1  window by window: a uvarint of places, then for each window of the new set
//	   one byte, and what belongs to it:
//	   0 as it was; 1 a packed set of the places that go and one of those that
//	   come; 2 a packed set of its members; 3 one of its other places
//	2  a packed set of all members, whatever was
//
// There are several ways to write one change; DiffPlaces takes the smaller.
const (
	changeWhole   = 0
	changeWindows = 1
	changeAll     = 2

	stays   = 0
	changed = 1
	members = 2
	others  = 3
)

// DiffPlaces gives the change that makes one set into another; a nil from is the
// set without places. The universe may grow, not shrink (ErrPacked).
func DiffPlaces(from, to *Places) ([]byte, error) {
	if from == nil {
		from = &Places{}
	}
	if to.universe < from.universe {
		return nil, ErrPacked
	}
	if to.set != nil && (from.set != nil || from.universe == 0) {
		old := from.set
		if old == nil {
			old = &Set{}
		}
		change, err := Diff(old, to.set)
		if err != nil {
			return nil, err
		}
		if leastPacked(to.set.universe, to.set.n) < uint64(len(change)) {
			if all := to.set.Pack(); len(all) < len(change) {
				return append([]byte{changeAll}, all...), nil
			}
		}
		return append([]byte{changeWhole}, change...), nil
	}
	out := binary.AppendUvarint([]byte{changeWindows}, to.universe)
	var before, after, went, come scratch
	for number := range windowsOf(to.universe) {
		if from.same(to, number) {
			out = append(out, stays)
			continue
		}
		size := sizeOf(to.universe, number)
		from.read(number, &before)
		to.read(number, &after)
		for i := range after {
			went[i], come[i] = before[i]&^after[i], after[i]&^before[i]
		}
		if went.count()+come.count() == 0 && sizeOf(from.universe, number) == size {
			out = append(out, stays)
			continue
		}
		w := windowChange{size, &went, &come, &after}
		out = append(out, w.shortest()...)
	}
	return out, nil
}

// windowChange is how a window of so many places changes.
type windowChange struct {
	size              uint64
	went, come, after *scratch
}

// shortest writes the change in the shortest of its three ways, of two that are
// equally short in the first. A way that cannot be the shortest is not tried.
func (w *windowChange) shortest() []byte {
	all := w.after.count()
	type way struct {
		how   byte
		least uint64 // bytes
	}
	ways := []way{
		{changed, leastPacked(w.size, w.went.count()) + leastPacked(w.size, w.come.count()) + 1},
		{members, leastPacked(w.size, all) + 1},
		{others, leastPacked(w.size, w.size-all) + 1},
	}
	slices.SortFunc(ways, func(a, b way) int { return cmp.Compare(a.least, b.least) })
	var best []byte
	for _, way := range ways {
		if best != nil && way.least > uint64(len(best)) {
			break
		}
		text := []byte{way.how}
		switch way.how {
		case changed:
			text = append(append(text, packed(w.size, w.went.members(w.size, true))...), packed(w.size, w.come.members(w.size, true))...)
		case members:
			text = append(text, packed(w.size, w.after.members(w.size, true))...)
		case others:
			text = append(text, packed(w.size, w.after.members(w.size, false))...)
		}
		if best == nil || len(text) < len(best) || len(text) == len(best) && way.how < best[0] {
			best = text
		}
	}
	return best
}

// same reports, without reading its places, that a window is as it is in another
// set. False may mean that it was not looked at.
func (p *Places) same(q *Places, number uint64) bool {
	if number >= uint64(len(p.windows)) || number >= uint64(len(q.windows)) || sizeOf(p.universe, number) != sizeOf(q.universe, number) {
		return false
	}
	a, b := p.windows[number].kind, q.windows[number].kind
	return a == b && (a == windowNone || a == windowAll)
}

// PatchPlaces makes a change and gives the file of the set that comes of it, of
// at most limit places. A change that does not fit the set, one that takes away
// what is not there or adds what is, is ErrPacked. What it allocates is in
// proportion to the sets and the change, never to a length that is written in it;
// what it works is in proportion to limit as well.
func PatchPlaces(from *Places, change []byte, limit uint64) ([]byte, error) {
	if from == nil {
		from = &Places{}
	}
	if len(change) == 0 {
		return nil, ErrPacked
	}
	switch change[0] {
	case changeWhole:
		return patchWhole(from, change[1:], limit)
	case changeWindows:
		return patchWindows(from, change[1:], limit)
	case changeAll:
		universe, all, rest, err := unpack(change[1:], MaxMembers)
		if err != nil || len(rest) != 0 || universe > limit || universe < from.universe {
			return nil, ErrPacked
		}
		return buildBody(universe, all)
	}
	return nil, ErrPacked
}

func patchWhole(from *Places, change []byte, limit uint64) ([]byte, error) {
	old := from.set
	switch {
	case old == nil && from.universe > 0:
		return nil, ErrPacked
	case old == nil:
		old = &Set{}
	}
	universe, all, err := old.patched(change, MaxMembers)
	if err != nil || universe > limit {
		return nil, ErrPacked
	}
	// A set that is cheaper by windows was not made this way.
	return buildBody(universe, all)
}

func patchWindows(from *Places, change []byte, limit uint64) ([]byte, error) {
	universe, change, ok := uvarint(change)
	// Each window takes a byte.
	if !ok || universe > limit || universe < from.universe || windowsOf(universe) > uint64(len(change)) {
		return nil, ErrPacked
	}
	b := builder{universe: universe}
	var s scratch
	for number := range windowsOf(universe) {
		if len(change) == 0 {
			return nil, ErrPacked
		}
		size, how := sizeOf(universe, number), change[0]
		change = change[1:]
		from.read(number, &s)
		var err error
		switch how {
		case stays:
			if number*windowSize+size > from.universe {
				return nil, ErrPacked
			}
		case changed:
			change, err = s.change(size, change)
		case members, others:
			change, err = s.replace(size, how == members, change)
		default:
			return nil, ErrPacked
		}
		if err != nil {
			return nil, err
		}
		if err := b.add(&s, size); err != nil {
			return nil, err
		}
	}
	if len(change) != 0 {
		return nil, ErrPacked
	}
	return b.places()
}

// change takes away and adds, and gives what follows in the text.
func (s *scratch) change(size uint64, text []byte) ([]byte, error) {
	for _, come := range [2]bool{false, true} {
		universe, all, rest, err := unpack(text, size)
		if err != nil || universe != size {
			return nil, ErrPacked
		}
		for _, m := range all {
			if s.has(m) == come {
				return nil, ErrPacked
			}
			if come {
				s.set(m)
			} else {
				s.clear(m)
			}
		}
		text = rest
	}
	return text, nil
}

// replace puts a packed set, or all other places, in the place of what there is.
func (s *scratch) replace(size uint64, set bool, text []byte) ([]byte, error) {
	universe, all, rest, err := unpack(text, size)
	if err != nil || universe != size {
		return nil, ErrPacked
	}
	clear(s[:])
	if !set {
		s.fill(size)
	}
	for _, m := range all {
		if set {
			s.set(m)
		} else {
			s.clear(m)
		}
	}
	return rest, nil
}
