package status

import (
	"crypto/sha256"
	"encoding/binary"
	"iter"
	"math/bits"

	"github.com/kinpass/kinpass/internal/fault"
)

// Set is an exact set of places out of a dense space that we number ourselves:
// the revoked, suspended or issued indexes of an issuer's lists. It answers
// without being unpacked, from the bytes of its file as they lie on disk, and it
// has no false answers, because the space of all places is known.
//
// It is coded after Elias and Fano (P. Elias, "Efficient Storage and Retrieval by
// Content and Address of Static Files", 1974): the low bits of each member in
// full, the high bits as the gaps of a bit vector, with the place of every 128th
// zero beside it. For n members of u places that is about 2 + log2(u/n) bits each.
//
// The file, little endian:
//
//	0   "KPEF"
//	4   version, 2 bytes, 1
//	6   number of low bits, 1 byte; then a zero
//	8   number of places, 8 bytes
//	16  number of members, 8 bytes
//	24  low bits, high bits, zeros' places (4 bytes each), each filled up to 8 bytes
//	    SHA-256 of everything before it
//
// A Set is safe for reading from several goroutines.
type Set struct {
	universe, n uint64
	low         uint   // bits
	lows, highs []byte // whole words of 8 bytes
	marks       []byte // 4 bytes each
}

// Bounds of a set.
const (
	// MaxUniverse bounds the places of a set: 2^40, ten thousand times the births
	// of a year on earth.
	MaxUniverse = 1 << 40
	// MaxMembers bounds the members of a set, so that a place in its bit vector
	// fits in 32 bits.
	MaxMembers = 1 << 30
)

// Errors of sets. None repeats its input.
var (
	// ErrSetFile: not the file of a set, cut off, or damaged.
	ErrSetFile = fault.New(fault.Invalid, "status-set", "not the file of a set that can be read")
	// ErrSetMembers: the members are not strictly increasing places of the universe.
	ErrSetMembers = fault.New(fault.Invalid, "status-set-members", "the members of a set are increasing places within it")
)

const (
	setMagic   = "KPEF"
	setVersion = 1
	setHeader  = 24
	markEvery  = 128
)

// shape gives the number of low bits, and the lengths of the sections in bytes.
func shape(universe, n uint64) (low uint, lows, highs, marks uint64) {
	if n > 0 && universe/n > 1 {
		low = uint(bits.Len64(universe/n)) - 1
	}
	zeros := universe>>low + 1
	words := func(b uint64) uint64 { return (b + 63) / 64 * 8 }
	// One word more than the low bits fill: they are read in pairs of words.
	return low, words(n*uint64(low)) + 8, words(n + zeros), words((zeros/markEvery + 1) * 32)
}

// BuildSet gives the file of a set. members are strictly increasing and below
// universe (ErrSetMembers).
func BuildSet(universe uint64, members []uint64) ([]byte, error) {
	file, err := buildBody(universe, members)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(file)
	return append(file, sum[:]...), nil
}

// buildBody gives the file without its checksum, with room for it.
func buildBody(universe uint64, members []uint64) ([]byte, error) {
	n := uint64(len(members))
	if universe > MaxUniverse || n > MaxMembers || n > universe {
		return nil, ErrSetMembers
	}
	low, lows, highs, marks := shape(universe, n)
	file := make([]byte, setHeader, setHeader+lows+highs+marks+sha256.Size)
	copy(file, setMagic)
	binary.LittleEndian.PutUint16(file[4:], setVersion)
	file[6] = byte(low)
	binary.LittleEndian.PutUint64(file[8:], universe)
	binary.LittleEndian.PutUint64(file[16:], n)
	file = file[:setHeader+lows+highs+marks]
	lowBits, highBits := file[setHeader:][:lows], file[setHeader+lows:][:highs]
	mask := uint64(1)<<low - 1
	for i, m := range members {
		if m >= universe || i > 0 && m <= members[i-1] {
			return nil, ErrSetMembers
		}
		at := uint64(i) * uint64(low)
		word, shift := at/64*8, at%64
		w := binary.LittleEndian.Uint64(lowBits[word:])
		binary.LittleEndian.PutUint64(lowBits[word:], w|(m&mask)<<shift)
		if shift+uint64(low) > 64 {
			binary.LittleEndian.PutUint64(lowBits[word+8:], (m&mask)>>(64-shift))
		}
		h := m>>low + uint64(i)
		highBits[h/8] |= 1 << (h % 8)
	}
	eachMark(highBits, n+universe>>low+1, func(k uint64, at uint32) bool {
		binary.LittleEndian.PutUint32(file[setHeader+lows+highs+k*4:], at)
		return true
	})
	return file, nil
}

// eachMark calls f with the number and the place of every 128th zero among the
// first length bits, until f is false. It gives the number of zeros seen.
func eachMark(highs []byte, length uint64, f func(k uint64, at uint32) bool) (zeros uint64) {
	for at := uint64(0); at < length; at += 64 {
		w := ^binary.LittleEndian.Uint64(highs[at/8:])
		if length-at < 64 {
			w &= 1<<(length-at) - 1
		}
		here := uint64(bits.OnesCount64(w))
		for next := (zeros + markEvery - 1) / markEvery * markEvery; next < zeros+here; next += markEvery {
			if !f(next/markEvery, uint32(at)+uint32(selectBit(w, uint(next-zeros)))) {
				return zeros
			}
		}
		zeros += here
	}
	return zeros
}

// selectBit gives the place of the k-th one of a word, counted from 0.
func selectBit(w uint64, k uint) int {
	for range k {
		w &= w - 1
	}
	return bits.TrailingZeros64(w)
}

// OpenSet reads the file of a set where it lies: it keeps file, which may be a
// mapped file, and nobody may change it. The checksum, every length and the
// places of the zeros are held against the content (ErrSetFile).
func OpenSet(file []byte) (*Set, error) {
	if len(file) < setHeader+sha256.Size {
		return nil, ErrSetFile
	}
	body := file[:len(file)-sha256.Size]
	if sha256.Sum256(body) != [sha256.Size]byte(file[len(body):]) {
		return nil, ErrSetFile
	}
	s, rest, err := openBody(body)
	if err != nil || len(rest) != 0 {
		return nil, ErrSetFile
	}
	return s, nil
}

// openBody reads a set without a checksum at the beginning of data, and gives
// what follows it.
func openBody(data []byte) (s *Set, rest []byte, err error) {
	if len(data) < setHeader || string(data[:4]) != setMagic || binary.LittleEndian.Uint16(data[4:]) != setVersion || data[7] != 0 {
		return nil, nil, ErrSetFile
	}
	s = &Set{universe: binary.LittleEndian.Uint64(data[8:]), n: binary.LittleEndian.Uint64(data[16:]), low: uint(data[6])}
	if s.universe > MaxUniverse || s.n > MaxMembers || s.n > s.universe {
		return nil, nil, ErrSetFile
	}
	low, lows, highs, marks := shape(s.universe, s.n)
	if low != s.low || uint64(len(data)) < setHeader+lows+highs+marks {
		return nil, nil, ErrSetFile
	}
	rest = data[setHeader+lows+highs+marks:]
	body := data[:setHeader+lows+highs+marks]
	s.lows, s.highs, s.marks = body[setHeader:][:lows:lows], body[setHeader+lows:][:highs:highs], body[setHeader+lows+highs:]
	good := true
	zeros := eachMark(s.highs, s.n+s.universe>>s.low+1, func(k uint64, at uint32) bool {
		good = binary.LittleEndian.Uint32(s.marks[k*4:]) == at
		return good
	})
	if !good || zeros != s.universe>>s.low+1 || !s.endsWell() {
		return nil, nil, ErrSetFile
	}
	return s, rest, nil
}

// endsWell reports whether nothing is set after the high bits of the last
// member, and that member is one of the places.
func (s *Set) endsWell() bool {
	length := s.n + s.universe>>s.low + 1
	for at := uint64(len(s.highs)) * 8; at > 0; at-- {
		if s.high(at - 1) {
			last := at - 1
			return s.n > 0 && last < length && (last-(s.n-1))<<s.low|s.lowOf(s.n-1) < s.universe
		}
	}
	return s.n == 0
}

// Len gives the number of members.
func (s *Set) Len() uint64 { return s.n }

// Universe gives the number of places.
func (s *Set) Universe() uint64 { return s.universe }

// Contains reports whether x is a member. It allocates nothing. A place outside
// the universe is ErrRange and must not be taken for "no".
func (s *Set) Contains(x uint64) (bool, error) {
	if x >= s.universe {
		return false, ErrRange
	}
	bucket := x >> s.low
	at := uint64(0)
	if bucket > 0 {
		at = s.zero(bucket-1) + 1
	}
	want := x & (1<<s.low - 1)
	const few = 16
	for range few {
		if !s.high(at) {
			return false, nil
		}
		if l := s.lowOf(at - bucket); l >= want {
			return l == want, nil
		}
		at++
	}
	// A crowd in one bucket: halve what is left of it.
	from, to := at-bucket, s.zero(bucket)-bucket
	for from < to {
		if mid := (from + to) / 2; s.lowOf(mid) < want {
			from = mid + 1
		} else {
			to = mid
		}
	}
	return from < s.zero(bucket)-bucket && s.lowOf(from) == want, nil
}

func (s *Set) high(at uint64) bool { return s.highs[at/8]>>(at%8)&1 == 1 }

// zero gives the place of the k-th zero among the high bits. There are more of
// them than buckets, which OpenSet made sure of.
func (s *Set) zero(k uint64) uint64 {
	at := uint64(binary.LittleEndian.Uint32(s.marks[k/markEvery*4:]))
	left := k % markEvery // zeros to pass after the one at the mark
	base := at &^ 63
	w := ^binary.LittleEndian.Uint64(s.highs[base/8:]) >> (at % 64) << (at % 64)
	for {
		here := uint64(bits.OnesCount64(w))
		if left < here {
			return base + uint64(selectBit(w, uint(left)))
		}
		left -= here
		base += 64
		w = ^binary.LittleEndian.Uint64(s.highs[base/8:])
	}
}

// lowOf gives the low bits of the i-th member.
func (s *Set) lowOf(i uint64) uint64 {
	at := i * uint64(s.low)
	word, shift := at/64*8, at%64
	v := binary.LittleEndian.Uint64(s.lows[word:]) >> shift
	if shift+uint64(s.low) > 64 {
		v |= binary.LittleEndian.Uint64(s.lows[word+8:]) << (64 - shift)
	}
	return v & (1<<s.low - 1)
}

// All gives the members in order.
func (s *Set) All() iter.Seq[uint64] {
	return func(yield func(uint64) bool) {
		i := uint64(0)
		for at := uint64(0); i < s.n; at += 64 {
			for w := binary.LittleEndian.Uint64(s.highs[at/8:]); w != 0 && i < s.n; w &= w - 1 {
				bucket := at + uint64(bits.TrailingZeros64(w)) - i
				if !yield(bucket<<s.low | s.lowOf(i)) {
					return
				}
				i++
			}
		}
	}
}

// members gives the members in order, in one piece: several times as fast as All.
func (s *Set) members() []uint64 {
	out := make([]uint64, s.n)
	low, mask := s.low, uint64(1)<<s.low-1
	i, bit := uint64(0), uint64(0)
	for at := uint64(0); i < s.n; at += 64 {
		for w := binary.LittleEndian.Uint64(s.highs[at/8:]); w != 0 && i < s.n; w &= w - 1 {
			word, shift := bit/64*8, bit%64
			v := binary.LittleEndian.Uint64(s.lows[word:]) >> shift
			if shift+uint64(low) > 64 {
				v |= binary.LittleEndian.Uint64(s.lows[word+8:]) << (64 - shift)
			}
			out[i] = (at+uint64(bits.TrailingZeros64(w))-i)<<low | v&mask
			bit += uint64(low)
			i++
		}
	}
	return out
}

// ordered reports whether the members are in order, without which a look into the
// middle of them may miss one.
func (s *Set) ordered() bool { return increasing(s.members()) }

func increasing(all []uint64) bool {
	for i := 1; i < len(all); i++ {
		if all[i] <= all[i-1] {
			return false
		}
	}
	return true
}

// without says how many members of s are not in t, which has none if they are out
// of order.
func (s *Set) without(t *Set) uint64 {
	ours, theirs := s.members(), t.members()
	if !increasing(theirs) {
		return s.n
	}
	n, at := uint64(0), 0
	for _, m := range ours {
		for at < len(theirs) && theirs[at] < m {
			at++
		}
		if at == len(theirs) || theirs[at] != m {
			n++
		}
	}
	return n
}

// between calls f with the members from one place to another, in order.
func (s *Set) between(from, to uint64, f func(uint64)) {
	if from >= to || s.n == 0 {
		return
	}
	at := uint64(0)
	if from>>s.low > 0 {
		at = s.zero(from>>s.low-1) + 1
	}
	for bucket, i := from>>s.low, at-from>>s.low; i < s.n; at++ {
		if !s.high(at) {
			bucket++
			continue
		}
		if m := bucket<<s.low | s.lowOf(i); m >= to {
			return
		} else if m >= from {
			f(m)
		}
		i++
	}
}
