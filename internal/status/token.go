package status

import (
	"bytes"
	"io"
	"iter"
	"sync"

	"github.com/klauspost/compress/zlib"

	"github.com/kinpass/kinpass/internal/fault"
)

// Values of the status of a token (Token Status List, section 7.1). Others
// belong to applications.
const (
	TokenValid     = 0x00
	TokenInvalid   = 0x01 // for good
	TokenSuspended = 0x02 // for now
)

// ErrWidth: a status is wider than the list's entries, or the entries are not
// 1, 2, 4 or 8 bits wide.
var ErrWidth = fault.New(fault.Invalid, "status-width", "a status has 1, 2, 4 or 8 bits, and no value beyond them")

// Tokens is the list of a Token Status List: entries of 1, 2, 4 or 8 bits.
// Entry 0 is in the least significant bits of the first byte (section 4.1),
// where the Bitstring Status List begins with the most significant one. It is
// not safe for writing from several goroutines; reading is. The zero Tokens
// has no entries.
type Tokens struct {
	width int
	data  []byte
}

// NewTokens makes a list of size entries of width bits, all TokenValid. size is
// a positive multiple of 8 and at most MaxSize, else ErrSize.
func NewTokens(width int, size int64) (*Tokens, error) {
	if !goodWidth(width) {
		return nil, ErrWidth
	}
	if size <= 0 || size > MaxSize || size%8 != 0 {
		return nil, ErrSize
	}
	return &Tokens{width: width, data: make([]byte, size/8*int64(width))}, nil
}

func goodWidth(w int) bool { return w == 1 || w == 2 || w == 4 || w == 8 }

// Width gives the bits of one entry.
func (t *Tokens) Width() int { return t.width }

// Len gives the number of entries.
func (t *Tokens) Len() int64 {
	if t.width == 0 {
		return 0
	}
	return int64(len(t.data)) * 8 / int64(t.width)
}

// place gives the byte of an entry and how far it is shifted in it.
func (t *Tokens) place(index int64) (at int64, shift uint, ok bool) {
	if index < 0 || index >= t.Len() {
		return 0, 0, false
	}
	per := int64(8 / t.width)
	return index / per, uint(index%per) * uint(t.width), true
}

// Set gives the entry at index a status: ErrRange outside the list, ErrWidth
// where the value does not fit.
func (t *Tokens) Set(index int64, value uint8) error {
	at, shift, ok := t.place(index)
	if !ok {
		return ErrRange
	}
	mask := byte(1<<t.width - 1)
	if value&^mask != 0 {
		return ErrWidth
	}
	t.data[at] = t.data[at]&^(mask<<shift) | value<<shift
	return nil
}

// Get gives the status at index. With ErrRange it is TokenInvalid: a caller
// that overlooks the error refuses the credential.
func (t *Tokens) Get(index int64) (uint8, error) {
	at, shift, ok := t.place(index)
	if !ok {
		return TokenInvalid, ErrRange
	}
	return t.data[at] >> shift & byte(1<<t.width-1), nil
}

// Marked gives the entries that are not TokenValid, in order.
func (t *Tokens) Marked() iter.Seq2[int64, uint8] {
	return func(yield func(int64, uint8) bool) {
		if t.width == 0 {
			return
		}
		per, mask := 8/t.width, byte(1<<t.width-1)
		for i, b := range t.data {
			for k := 0; b != 0 && k < per; k++ {
				if v := b & mask; v != 0 && !yield(int64(i)*int64(per)+int64(k), v) {
					return
				}
				b >>= t.width
			}
		}
	}
}

var zlibWriters = sync.Pool{New: func() any {
	w, err := zlib.NewWriterLevel(io.Discard, level)
	if err != nil {
		panic("status: zlib level: " + err.Error()) // a constant that the library does not know
	}
	return w
}}

// Compress gives the entries as a ZLIB stream (RFC 1950), the lst of a status
// list in CBOR; in JSON it is the base64url of it (EncodeTokens).
func (t *Tokens) Compress() ([]byte, error) {
	var buf bytes.Buffer
	w := zlibWriters.Get().(*zlib.Writer)
	defer zlibWriters.Put(w)
	w.Reset(&buf)
	if _, err := w.Write(t.data); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// Encode gives the lst of a status list in JSON (section 4.2).
func (t *Tokens) Encode() (string, error) {
	packed, err := t.Compress()
	if err != nil {
		return "", err
	}
	return b64.EncodeToString(packed), nil
}

// DecodeTokens reads the lst of a status list in JSON that decompresses to at
// most maxBytes bytes. Anything but unpadded base64url of exactly one ZLIB
// stream is ErrEncoding; the list is nil then.
func DecodeTokens(width int, lst string, maxBytes int64) (*Tokens, error) {
	if maxBytes < 0 || int64(len(lst)) > maxBytes+maxBytes/2+1024 || hasLineEnd(lst) {
		return nil, ErrEncoding
	}
	packed, err := b64.DecodeString(lst)
	if err != nil {
		return nil, ErrEncoding.With(err)
	}
	return ExpandTokens(width, packed, maxBytes)
}

// ExpandTokens is DecodeTokens for the lst of a status list in CBOR (section
// 4.3).
func ExpandTokens(width int, packed []byte, maxBytes int64) (*Tokens, error) {
	if !goodWidth(width) {
		return nil, ErrWidth
	}
	if maxBytes < 0 || int64(len(packed)) > maxBytes+maxBytes/8+1024 {
		return nil, ErrEncoding
	}
	in := bytes.NewReader(packed)
	r, err := zlib.NewReader(in)
	if err != nil {
		return nil, ErrEncoding.With(err)
	}
	defer r.Close()
	// A ZLIB stream does not say how long it is; it cannot be longer than
	// DEFLATE can compress.
	most := min(maxBytes, int64(len(packed))*maxRatio)
	data, err := io.ReadAll(io.LimitReader(r, most+1))
	if err != nil {
		return nil, ErrEncoding.With(err)
	}
	if int64(len(data)) > most || len(data) == 0 || in.Len() != 0 {
		return nil, ErrEncoding
	}
	return &Tokens{width: width, data: data}, nil
}
