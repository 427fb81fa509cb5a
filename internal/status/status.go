// Package status is the Bitstring Status List (W3C Bitstring Status List 1.0)
// and the Token Status List of the IETF: one or a few bits per credential,
// compressed, in a list so long that asking for it says nothing about the
// credential that is being checked.
//
// A List is made with New and published with Encode, or read with Decode from
// what a stranger published. Index 0 is the left-most, most significant bit of
// the first byte (section 3.2); Tokens, the list of the Token Status List,
// counts from the other end of each byte.
//
// Indexes are given out by Permute: a keyed permutation of a counter, so that
// they look random, never repeat and need no search. Whoever lacks the key
// cannot tell from an index when, or after whom, a credential was issued.
//
// Nothing here signs, stores or fetches.
package status

import (
	"iter"
	"math"
	"math/bits"
	"strconv"

	"github.com/kinpass/kinpass/internal/fault"
)

// Sizes of a list, in entries.
const (
	// MinSize is the shortest list that may be published, 16 KiB of bits
	// (section 6.1, group privacy). Decode refuses anything shorter.
	MinSize = 131072
	// MaxSize bounds a list that New makes: 2^32 entries, 512 MiB.
	MaxSize = 1 << 32
)

// Errors of this package. None repeats its input.
var (
	// ErrRange: the index is not on the list. A verifier must not take it for
	// "not set" (section 3.2: RANGE_ERROR).
	ErrRange = fault.New(fault.Invalid, "status-range", "the status index is outside the list")
	// ErrSize: a list of this many entries cannot be made.
	ErrSize = fault.New(fault.Invalid, "status-size", "a status list has 131072 or more entries, a multiple of 8")
	// ErrEncoding: not "u" and unpadded base64url of exactly one gzip member,
	// or more bytes than the caller allowed.
	ErrEncoding = fault.New(fault.Invalid, "status-encoding", "not an encoded status list that can be read")
	// ErrLength: the list is shorter than MinSize (section 3.2:
	// STATUS_LIST_LENGTH_ERROR).
	ErrLength = fault.New(fault.Invalid, "status-length", "the status list is shorter than the standard allows")
	// ErrIndex: not a status index in its one decimal spelling.
	ErrIndex = fault.New(fault.Invalid, "status-index", "not a status index")
)

// List is a bitstring. It is not safe for writing from several goroutines;
// reading is. The zero List has no entries.
type List struct {
	bits []byte
}

// New makes a list of size entries, all clear. size is a multiple of 8 from
// MinSize to MaxSize, else ErrSize.
func New(size int64) (*List, error) {
	if size < MinSize || size > MaxSize || size%8 != 0 {
		return nil, ErrSize
	}
	return &List{bits: make([]byte, size/8)}, nil
}

// Len gives the number of entries.
func (l *List) Len() int64 { return int64(len(l.bits)) * 8 }

// Count gives the number of entries that are set.
func (l *List) Count() int64 {
	n := 0
	for i := uint64(0); i*8 < uint64(len(l.bits)); i++ {
		n += bits.OnesCount64(l.word(i))
	}
	return int64(n)
}

// Set sets the bit at index, or gives ErrRange.
func (l *List) Set(index int64) error {
	if index < 0 || index >= l.Len() {
		return ErrRange
	}
	l.bits[index>>3] |= 0x80 >> (index & 7)
	return nil
}

// Clear clears the bit at index, or gives ErrRange.
func (l *List) Clear(index int64) error {
	if index < 0 || index >= l.Len() {
		return ErrRange
	}
	l.bits[index>>3] &^= 0x80 >> (index & 7)
	return nil
}

// Get reports whether the bit at index is set. With ErrRange it reports true:
// a caller that overlooks the error refuses the credential.
func (l *List) Get(index int64) (bool, error) {
	if index < 0 || index >= l.Len() {
		return true, ErrRange
	}
	return l.bits[index>>3]&(0x80>>(index&7)) != 0, nil
}

// Marked gives the indexes of the bits that are set, in order.
func (l *List) Marked() iter.Seq[int64] {
	return func(yield func(int64) bool) {
		for i, b := range l.bits {
			for k := 0; b != 0 && k < 8; k++ {
				if b&(0x80>>k) != 0 && !yield(int64(i)*8+int64(k)) {
					return
				}
			}
		}
	}
}

// Value gives the entry at index of a list whose entries have size bits
// (statusSize, section 2.1), 1 to 64, the first bit being the most significant.
// With ErrRange or ErrWidth it is all ones, so that a caller that overlooks the
// error refuses the credential.
func (l *List) Value(index int64, size int) (uint64, error) {
	if size < 1 || size > 64 {
		return math.MaxUint64, ErrWidth.WithDetail("a status has 1 to 64 bits")
	}
	if index < 0 || index > (l.Len()-int64(size))/int64(size) || l.Len() < int64(size) {
		return math.MaxUint64, ErrRange
	}
	var v uint64
	for i := index * int64(size); i < (index+1)*int64(size); i++ {
		v = v<<1 | uint64(l.bits[i>>3]>>(7-i&7)&1)
	}
	return v, nil
}

// SetValue sets the entry at index of a list whose entries have size bits.
func (l *List) SetValue(index int64, size int, v uint64) error {
	if _, err := l.Value(index, size); err != nil {
		return err
	}
	if size < 64 && v>>size != 0 {
		return ErrWidth.WithDetail("the status does not fit the list's entries")
	}
	for n := range size {
		i := index*int64(size) + int64(n)
		bit := byte(0x80 >> (i & 7))
		l.bits[i>>3] &^= bit
		if v>>(size-1-n)&1 == 1 {
			l.bits[i>>3] |= bit
		}
	}
	return nil
}

// ParseIndex reads a statusListIndex: a decimal number of at most 18 digits
// without sign, space or leading zero, so that one entry has one spelling.
func ParseIndex(s string) (int64, error) {
	if len(s) == 0 || len(s) > 18 || (s[0] == '0' && len(s) > 1) {
		return 0, ErrIndex
	}
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0, ErrIndex
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, ErrIndex.With(err)
	}
	return n, nil
}
