package status

import (
	"encoding/binary"
	"iter"
	"math/bits"
)

// Places is an exact set in whichever of two codings is the smaller: that of Set,
// which suits a few members among many, and windows. It carries no checksum: it is
// for files that have one over all of their parts.
//
// Windows suit a list that is filled window by window, as an issuer's list of the
// indexes that were given out: a window that is full or empty costs one byte, one
// that fills up costs its bits at the most. Little endian:
//
//	0   "KPWS"
//	4   version, 2 bytes, 1
//	6   17, the window's size as a power of two; then a zero
//	8   number of places, 8 bytes
//	16  one byte for each window, filled up with zeros to 8 bytes:
//	    0 none of its places, 1 all, 2 bits, 3 members, 4 those that are no members
//	    for 2, in the order of the windows: one bit for each place, the lowest of a
//	    byte first, filled up to 8 bytes; for 3 and 4 a Set without its checksum
//
// A Places is safe for reading from several goroutines.
type Places struct {
	set      *Set // nil: windows
	universe uint64
	n        uint64
	windows  []window
	file     []byte
}

type window struct {
	kind byte
	bits []byte
	set  *Set
}

const (
	windowsMagic   = "KPWS"
	windowsVersion = 1
	windowBits     = 17
	windowSize     = 1 << windowBits
)

// Kinds of a window.
const (
	windowNone = iota
	windowAll
	windowPlain
	windowMembers
	windowOthers
)

// scratch holds one window's places as bits, the lowest of a word first.
type scratch [windowSize / 64]uint64

func (s *scratch) count() uint64 {
	n := 0
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return uint64(n)
}

// members gives the places that are set among the first size, or that are not.
func (s *scratch) members(size uint64, set bool) []uint64 {
	n := s.count()
	if !set {
		n = size - n
	}
	out := make([]uint64, 0, n)
	for i := uint64(0); i*64 < size; i++ {
		w := s[i]
		if !set {
			w = ^w
			if size-i*64 < 64 {
				w &= 1<<(size-i*64) - 1
			}
		}
		for ; w != 0; w &= w - 1 {
			out = append(out, i*64+uint64(bits.TrailingZeros64(w)))
		}
	}
	return out
}

func (s *scratch) fill(size uint64) {
	for i := uint64(0); i*64 < size; i++ {
		s[i] = ^uint64(0)
		if size-i*64 < 64 {
			s[i] = 1<<(size-i*64) - 1
		}
	}
}

func (s *scratch) set(m uint64)      { s[m/64] |= 1 << (m % 64) }
func (s *scratch) clear(m uint64)    { s[m/64] &^= 1 << (m % 64) }
func (s *scratch) has(m uint64) bool { return s[m/64]>>(m%64)&1 == 1 }

// windowsOf says in how many windows places lie.
func windowsOf(universe uint64) uint64 { return (universe + windowSize - 1) / windowSize }

// sizeOf gives the number of places in one window.
func sizeOf(universe, number uint64) uint64 {
	return min(windowSize, max(universe, number*windowSize)-number*windowSize)
}

func bodySize(universe, n uint64) uint64 {
	_, lows, highs, marks := shape(universe, n)
	return setHeader + lows + highs + marks
}

// builder writes windows in order.
type builder struct {
	universe, n uint64
	kinds, data []byte
}

// coding gives the kind of a window of which n places are members, and what it takes
// beside the byte of its kind.
func coding(size, n uint64) (kind byte, length uint64) {
	plain := (size + 63) / 64 * 8
	switch members, others := bodySize(size, n), bodySize(size, size-n); {
	case n == 0:
		return windowNone, 0
	case n == size:
		return windowAll, 0
	case members < plain && members <= others:
		return windowMembers, members
	case others < plain:
		return windowOthers, others
	}
	return windowPlain, plain
}

// add writes the next window.
func (b *builder) add(s *scratch, size uint64) error {
	n := s.count()
	b.n += n
	kind, length := coding(size, n)
	b.kinds = append(b.kinds, kind)
	switch kind {
	case windowPlain:
		for i := range length / 8 {
			b.data = binary.LittleEndian.AppendUint64(b.data, s[i])
		}
	case windowMembers, windowOthers:
		body, err := buildBody(size, s.members(size, kind == windowMembers))
		if err != nil {
			return err
		}
		b.data = append(b.data, body...)
	}
	return nil
}

// windowsHead gives the length of what stands before the windows.
func windowsHead(universe uint64) uint64 { return (16 + windowsOf(universe) + 7) / 8 * 8 }

// places gives the smaller of the two codings.
func (b *builder) places() ([]byte, error) {
	out := make([]byte, 16, 16+len(b.kinds)+8+len(b.data))
	copy(out, windowsMagic)
	binary.LittleEndian.PutUint16(out[4:], windowsVersion)
	out[6] = windowBits
	binary.LittleEndian.PutUint64(out[8:], b.universe)
	out = append(out, b.kinds...)
	for len(out)%8 != 0 {
		out = append(out, 0)
	}
	out = append(out, b.data...)
	if b.n > MaxMembers || bodySize(b.universe, b.n) > uint64(len(out)) {
		return out, nil
	}
	p, _, err := OpenPlaces(out)
	if err != nil {
		return nil, err
	}
	members := make([]uint64, 0, b.n)
	for m := range p.All() {
		members = append(members, m)
	}
	return buildBody(b.universe, members)
}

// Places gives the entries of a bitstring list that are set.
func (l *List) Places() ([]byte, error) {
	b := builder{universe: uint64(l.Len())}
	all, length := uint64(0), windowsHead(b.universe)
	for number := range windowsOf(b.universe) {
		n := uint64(0)
		for i := number * windowSize / 64; i*64 < min((number+1)*windowSize, b.universe); i++ {
			n += uint64(bits.OnesCount64(l.word(i)))
		}
		_, more := coding(sizeOf(b.universe, number), n)
		all, length = all+n, length+more
	}
	if all <= MaxMembers && bodySize(b.universe, all) <= length {
		members := make([]uint64, 0, all)
		for i := uint64(0); i*64 < b.universe; i++ {
			for w := l.word(i); w != 0; {
				k := bits.LeadingZeros64(w)
				members = append(members, i*64+uint64(k))
				w &^= 1 << 63 >> k
			}
		}
		return buildBody(b.universe, members)
	}
	var s scratch
	for number := range windowsOf(b.universe) {
		size := sizeOf(b.universe, number)
		clear(s[:])
		for i := uint64(0); i*64 < size; i++ {
			s[i] = bits.Reverse64(l.word(number*windowSize/64 + i))
		}
		if err := b.add(&s, size); err != nil {
			return nil, err
		}
	}
	return b.places()
}

// word gives 64 entries, the first as the highest bit; zeros after the end.
func (l *List) word(i uint64) uint64 {
	if from := l.bits[i*8:]; len(from) >= 8 {
		return binary.BigEndian.Uint64(from)
	}
	var last [8]byte
	copy(last[:], l.bits[i*8:])
	return binary.BigEndian.Uint64(last[:])
}

// BuildPlaces gives the file of a set. members are strictly increasing and below
// universe (ErrSetMembers).
func BuildPlaces(universe uint64, members []uint64) ([]byte, error) {
	if universe > MaxUniverse {
		return nil, ErrSetMembers
	}
	b := builder{universe: universe}
	var s scratch
	for number := range windowsOf(universe) {
		clear(s[:])
		last := uint64(0)
		for i, m := range members {
			if m < number*windowSize || i > 0 && m <= last {
				return nil, ErrSetMembers
			}
			if m >= (number+1)*windowSize {
				break
			}
			s.set(m % windowSize)
			last = m
		}
		size := sizeOf(universe, number)
		n := s.count()
		if n > 0 && members[n-1] >= universe {
			return nil, ErrSetMembers
		}
		members = members[n:]
		if err := b.add(&s, size); err != nil {
			return nil, err
		}
	}
	if len(members) > 0 {
		return nil, ErrSetMembers
	}
	return b.places()
}

// OpenPlaces reads a set where it lies, at the beginning of data, and gives what
// follows it. It keeps data, which may be a mapped file, and nobody may change it.
// Whoever made data must have vouched for all of it: every length is held against
// the content (ErrSetFile), so that no question goes astray, but there is no
// checksum, and the order of members that lie close together is not looked at.
func OpenPlaces(data []byte) (p *Places, rest []byte, err error) {
	if len(data) < 16 {
		return nil, nil, ErrSetFile
	}
	if string(data[:4]) == setMagic {
		s, rest, err := openBody(data)
		if err != nil {
			return nil, nil, err
		}
		return &Places{set: s, universe: s.universe, n: s.n, file: data[:len(data)-len(rest)]}, rest, nil
	}
	if string(data[:4]) != windowsMagic || binary.LittleEndian.Uint16(data[4:]) != windowsVersion || data[6] != windowBits || data[7] != 0 {
		return nil, nil, ErrSetFile
	}
	p = &Places{universe: binary.LittleEndian.Uint64(data[8:])}
	all := windowsOf(min(p.universe, MaxUniverse))
	head := windowsHead(min(p.universe, MaxUniverse))
	if p.universe > MaxUniverse || uint64(len(data)) < head || !zeros(data[16+all:head]) {
		return nil, nil, ErrSetFile
	}
	kinds, rest := data[16:16+all], data[head:]
	p.windows = make([]window, all)
	for i, kind := range kinds {
		size := sizeOf(p.universe, uint64(i))
		w := window{kind: kind}
		switch kind {
		case windowNone:
		case windowAll:
			p.n += size
		case windowPlain:
			plain := (size + 63) / 64 * 8
			if uint64(len(rest)) < plain {
				return nil, nil, ErrSetFile
			}
			w.bits, rest = rest[:plain:plain], rest[plain:]
			for at := uint64(0); at < plain; at += 8 {
				p.n += uint64(bits.OnesCount64(binary.LittleEndian.Uint64(w.bits[at:])))
			}
			if size%64 != 0 && binary.LittleEndian.Uint64(w.bits[plain-8:])>>(size%64) != 0 {
				return nil, nil, ErrSetFile
			}
		case windowMembers, windowOthers:
			if w.set, rest, err = openBody(rest); err != nil {
				return nil, nil, err
			}
			if w.set.universe != size {
				return nil, nil, ErrSetFile
			}
			if kind == windowMembers {
				p.n += w.set.n
			} else {
				p.n += size - w.set.n
			}
		default:
			return nil, nil, ErrSetFile
		}
		p.windows[i] = w
	}
	p.file = data[:len(data)-len(rest)]
	return p, rest, nil
}

func zeros(b []byte) bool {
	for _, x := range b {
		if x != 0 {
			return false
		}
	}
	return true
}

// Len gives the number of members.
func (p *Places) Len() uint64 { return p.n }

// Universe gives the number of places.
func (p *Places) Universe() uint64 { return p.universe }

// Bytes gives the set as it lies.
func (p *Places) Bytes() []byte { return p.file }

// Contains reports whether x is a member. It allocates nothing. A place outside
// the universe is ErrRange and must not be taken for "no".
func (p *Places) Contains(x uint64) (bool, error) {
	if p.set != nil {
		return p.set.Contains(x)
	}
	if x >= p.universe {
		return false, ErrRange
	}
	w, x := &p.windows[x/windowSize], x%windowSize
	switch w.kind {
	case windowNone:
		return false, nil
	case windowAll:
		return true, nil
	case windowPlain:
		return w.bits[x/8]>>(x%8)&1 == 1, nil
	}
	in, err := w.set.Contains(x)
	return in == (w.kind == windowMembers), err
}

// read puts one window's places into s.
func (p *Places) read(number uint64, s *scratch) {
	clear(s[:])
	if number >= windowsOf(p.universe) {
		return
	}
	size := sizeOf(p.universe, number)
	if p.set != nil {
		p.set.between(number*windowSize, number*windowSize+size, func(m uint64) { s.set(m - number*windowSize) })
		return
	}
	w := &p.windows[number]
	switch w.kind {
	case windowAll:
		s.fill(size)
	case windowPlain:
		for i := range len(w.bits) / 8 {
			s[i] = binary.LittleEndian.Uint64(w.bits[i*8:])
		}
	case windowMembers:
		for _, m := range w.set.members() {
			s.set(m)
		}
	case windowOthers:
		s.fill(size)
		for _, m := range w.set.members() {
			s.clear(m)
		}
	}
}

// All gives the members in order.
func (p *Places) All() iter.Seq[uint64] {
	if p.set != nil {
		return p.set.All()
	}
	return func(yield func(uint64) bool) {
		var s scratch
		for number := range uint64(len(p.windows)) {
			if p.windows[number].kind == windowNone {
				continue
			}
			p.read(number, &s)
			for i, w := range s {
				for ; w != 0; w &= w - 1 {
					if !yield(number*windowSize + uint64(i)*64 + uint64(bits.TrailingZeros64(w))) {
						return
					}
				}
			}
		}
	}
}

// Without says how many members of p are not in q. Places that q does not have at
// all are not in it, and nothing is in a q whose members are out of order. Of two
// sets of a million members each that takes milliseconds.
func (p *Places) Without(q *Places) uint64 {
	switch {
	case string(p.file) == string(q.file):
		return 0
	case p.set != nil && q.set != nil:
		return p.set.without(q.set)
	case !q.ordered():
		return p.n
	}
	n := uint64(0)
	var ours, theirs scratch
	for number := range windowsOf(p.universe) {
		if p.same(q, number) {
			continue
		}
		if number < uint64(min(len(p.windows), len(q.windows))) {
			a, b := &p.windows[number], &q.windows[number]
			if a.kind == windowNone || b.kind == windowAll && a.kind != windowAll && sizeOf(p.universe, number) <= sizeOf(q.universe, number) {
				continue
			}
			if a.kind == windowMembers && b.kind == windowMembers {
				n += a.set.without(b.set)
				continue
			}
		}
		p.read(number, &ours)
		q.read(number, &theirs)
		for i := range ours {
			n += uint64(bits.OnesCount64(ours[i] &^ theirs[i]))
		}
	}
	return n
}

// ordered reports whether all members stand in order, which OpenPlaces does not
// look at.
func (p *Places) ordered() bool {
	if p.set != nil {
		return p.set.ordered()
	}
	for i := range p.windows {
		if s := p.windows[i].set; s != nil && !s.ordered() {
			return false
		}
	}
	return true
}

// JoinPlaces gives the set of all members of two sets. It has as many places as the
// larger of them.
func JoinPlaces(p, q *Places) ([]byte, error) {
	b := builder{universe: max(p.universe, q.universe)}
	var both, more scratch
	for number := range windowsOf(b.universe) {
		p.read(number, &both)
		q.read(number, &more)
		for i := range both {
			both[i] |= more[i]
		}
		if err := b.add(&both, sizeOf(b.universe, number)); err != nil {
			return nil, err
		}
	}
	return b.places()
}
