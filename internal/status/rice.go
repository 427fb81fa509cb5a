package status

import (
	"encoding/binary"
	"math/bits"
	"slices"

	"github.com/kinpass/kinpass/internal/fault"
)

// ErrPacked: not a packed set or a change that fits, or one larger than the
// caller allowed.
var ErrPacked = fault.New(fault.Invalid, "status-packed", "not a packed set, or a change that does not fit")

// A packed set is for transfer: the gaps between its members after Rice (R. Rice,
// J. Plaunt, "Adaptive Variable-Length Coding", 1971), which is within a hundredth
// of what any coding of such a set can reach. It is
//
//	1 byte   number of low bits of a gap
//	uvarint  number of places
//	uvarint  number of members
//	         for each member: (gap >> low) ones, a zero, then the low bits, the
//	         lowest first; gap is the distance to the member before, less one.
//	         Filled up with zeros to a byte.
//
// There is one packed form of a set.

// Pack gives the packed form of a set.
func (s *Set) Pack() []byte { return packed(s.universe, s.members()) }

// packed gives the packed form of members.
func packed(universe uint64, members []uint64) []byte {
	n := uint64(len(members))
	low := riceBits(universe, n)
	out := make([]byte, 1, leastPacked(universe, n)+n/4+24)
	out[0] = byte(low)
	out = binary.AppendUvarint(out, universe)
	out = binary.AppendUvarint(out, n)
	w := bitWriter{out: out}
	next := uint64(0)
	for _, m := range members {
		gap := m - next
		next = m + 1
		if high := uint(gap >> low); high+1+low <= 32 { // nearly always: in one piece
			w.put((gap&(1<<low-1))<<(high+1)|(1<<high-1), high+1+low)
			continue
		}
		w.ones(gap >> low)
		w.put(gap&(1<<low-1), low)
	}
	return w.bytes()
}

// leastPacked gives what the packed form of n members takes at the least, in bytes,
// without looking at them.
func leastPacked(universe, n uint64) uint64 { return 3 + n*uint64(riceBits(universe, n)+1)/8 }

// riceBits gives the number of low bits for gaps of a set whose members lie as by
// chance: the one nearest to what is best for a geometric distribution.
func riceBits(universe, n uint64) uint {
	if n == 0 {
		return 0
	}
	// log2(ln 2 · mean gap): 0.693 as 177/256.
	mean := universe / n * 177 / 256
	if mean < 1 {
		return 0
	}
	low := uint(bits.Len64(mean)) - 1
	if mean-1<<low > 1<<low/2 { // nearer to the next power
		low++
	}
	return low
}

// Unpack reads a packed set and gives the file of the set, of at most members
// members. Whatever it is given, it allocates no more than what members and a
// fixed ratio to the input allow.
func Unpack(packed []byte, members uint64) ([]byte, error) {
	universe, all, rest, err := unpack(packed, members)
	if err != nil {
		return nil, err
	}
	if len(rest) != 0 {
		return nil, ErrPacked
	}
	return BuildSet(universe, all)
}

func unpack(packed []byte, limit uint64) (universe uint64, members []uint64, rest []byte, err error) {
	fail := func() (uint64, []uint64, []byte, error) { return 0, nil, nil, ErrPacked }
	if len(packed) == 0 {
		return fail()
	}
	low := uint(packed[0])
	universe, packed, ok := uvarint(packed[1:])
	if !ok || universe > MaxUniverse {
		return fail()
	}
	n, packed, ok := uvarint(packed)
	// A member takes a bit at the least, so what a short text promises is bounded.
	if !ok || n > limit || n > MaxMembers || n > universe || low != riceBits(universe, n) || n > uint64(len(packed))*8 {
		return fail()
	}
	r := bitReader{in: packed}
	members = make([]uint64, 0, n)
	next := uint64(0)
	for range n {
		q, ok := r.ones(universe >> low)
		if !ok {
			return fail()
		}
		l, ok := r.take(low)
		m := next + q<<low + l
		if !ok || m >= universe {
			return fail()
		}
		members = append(members, m)
		next = m + 1
	}
	rest, ok = r.rest()
	if !ok {
		return fail()
	}
	return universe, members, rest, nil
}

// Diff gives the change that makes one set into another: a packed set of the
// members that go and one of those that come. The universe may grow.
func Diff(from, to *Set) ([]byte, error) {
	if to.universe < from.universe {
		return nil, ErrPacked
	}
	var gone, come []uint64
	before, after := from.members(), to.members()
	for len(before) > 0 && len(after) > 0 {
		switch a, b := before[0], after[0]; {
		case a == b:
			before, after = before[1:], after[1:]
		case a < b:
			gone, before = append(gone, a), before[1:]
		default:
			come, after = append(come, b), after[1:]
		}
	}
	gone, come = append(gone, before...), append(come, after...)
	return append(packed(from.universe, gone), packed(to.universe, come)...), nil
}

// Patch makes a change to a set and gives the file of the set that comes of it,
// of at most limit members. A change that does not fit the set, one that takes
// away what is not there or adds what is, is ErrPacked and changes nothing.
func (s *Set) Patch(change []byte, limit uint64) ([]byte, error) {
	universe, members, err := s.patched(change, limit)
	if err != nil {
		return nil, err
	}
	return BuildSet(universe, members)
}

func (s *Set) patched(change []byte, limit uint64) (uint64, []uint64, error) {
	universe, gone, rest, err := unpack(change, s.n)
	if err != nil || universe != s.universe {
		return 0, nil, ErrPacked
	}
	universe, come, rest, err := unpack(rest, limit)
	if err != nil || len(rest) != 0 || universe < s.universe {
		return 0, nil, ErrPacked
	}
	n := s.n - uint64(len(gone)) + uint64(len(come))
	if n > limit || n > MaxMembers {
		return 0, nil, ErrPacked
	}
	out, members := make([]uint64, 0, n), s.members()
	for len(gone)+len(come) > 0 {
		goes := len(come) == 0 || len(gone) > 0 && gone[0] < come[0]
		next := &come
		if goes {
			next = &gone
		}
		m := (*next)[0]
		i, found := slices.BinarySearch(members, m)
		if found != goes {
			return 0, nil, ErrPacked
		}
		out, members = append(out, members[:i]...), members[i:]
		if goes {
			members = members[1:]
		} else {
			out = append(out, m)
		}
		*next = (*next)[1:]
	}
	return universe, append(out, members...), nil
}

// uvarint reads a number in its one shortest form.
func uvarint(b []byte) (uint64, []byte, bool) {
	v, n := binary.Uvarint(b)
	if n <= 0 || n > 1 && b[n-1] == 0 {
		return 0, nil, false
	}
	return v, b[n:], true
}

// bitWriter writes bits, the lowest of a byte first.
type bitWriter struct {
	out  []byte
	word uint64
	have uint
}

// put writes the lowest n bits of v; the others are zero.
func (w *bitWriter) put(v uint64, n uint) {
	w.word |= v << w.have
	if w.have+n < 64 {
		w.have += n
		return
	}
	w.out = binary.LittleEndian.AppendUint64(w.out, w.word)
	w.word = v >> (64 - w.have)
	w.have += n - 64
}

// ones writes n ones and a zero.
func (w *bitWriter) ones(n uint64) {
	for ; n >= 32; n -= 32 {
		w.put(1<<32-1, 32)
	}
	w.put(1<<n-1, uint(n)+1)
}

func (w *bitWriter) bytes() []byte {
	for w.have > 0 {
		w.out = append(w.out, byte(w.word))
		w.word >>= 8
		w.have -= min(8, w.have)
	}
	return w.out
}

type bitReader struct {
	in []byte
	at uint64 // bits
}

// window gives the next 32 bits or more, zeros after the end.
func (r *bitReader) window() uint64 {
	i := r.at / 8
	if i+8 <= uint64(len(r.in)) {
		return binary.LittleEndian.Uint64(r.in[i:]) >> (r.at % 8)
	}
	var w uint64
	for k := i; k < uint64(len(r.in)); k++ {
		w |= uint64(r.in[k]) << (8 * (k - i))
	}
	return w >> (r.at % 8)
}

func (r *bitReader) take(n uint) (uint64, bool) {
	v, got := uint64(0), uint(0)
	for got < n {
		step := min(n-got, 32)
		if r.at+uint64(step) > uint64(len(r.in))*8 {
			return 0, false
		}
		v |= (r.window() & (1<<step - 1)) << got
		r.at += uint64(step)
		got += step
	}
	return v, true
}

// ones reads ones up to a zero: at most limit of them.
func (r *bitReader) ones(limit uint64) (uint64, bool) {
	n := uint64(0)
	for {
		here := uint64(bits.TrailingZeros64(^(r.window() & (1<<32 - 1))))
		n += min(here, 32)
		r.at += min(here, 32)
		if n > limit || r.at >= uint64(len(r.in))*8 {
			return 0, false
		}
		if here < 32 {
			r.at++
			return n, true
		}
	}
}

// rest gives what follows the byte that was begun; false unless that is filled
// up with zeros.
func (r *bitReader) rest() ([]byte, bool) {
	if r.at%8 != 0 && r.in[r.at/8]>>(r.at%8) != 0 {
		return nil, false
	}
	return r.in[(r.at+7)/8:], true
}
