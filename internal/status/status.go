// Package status is the Bitstring Status List (W3C Bitstring Status List 1.0):
// one bit per credential, compressed, in a list so long that asking for it
// says nothing about the credential that is being checked.
//
// A List is made with New and published with Encode, or read with Decode from
// what a stranger published. Index 0 is the left-most, most significant bit of
// the first byte (section 3.2); the Token Status List of the IETF counts from
// the other end of each byte.
//
// Indexes are given out by Permute: a keyed permutation of a counter, so that
// they look random, never repeat and need no search. Whoever lacks the key
// cannot tell from an index when, or after whom, a credential was issued.
//
// Nothing here signs, stores or fetches.
package status

import (
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
	for _, b := range l.bits {
		n += bits.OnesCount8(b)
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
