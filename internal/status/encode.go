package status

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"io"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// multibase is the multibase header of unpadded base64url.
const multibase = "u"

var b64 = base64.RawURLEncoding.Strict()

// level 5 of klauspost/compress: ten times as fast as the standard library's
// default on a sparse list, and as small.
const level = 5

var (
	writers = sync.Pool{New: func() any {
		w, err := gzip.NewWriterLevel(io.Discard, level)
		if err != nil {
			panic("status: gzip level: " + err.Error()) // a constant that the library does not know
		}
		return w
	}}
	readers sync.Pool // of *gzip.Reader
)

// Encode gives the encodedList of section 2.2: "u" and the unpadded base64url
// of the gzip of the bits. Equal lists give equal text in one build of the
// program: the gzip header carries no time and no name.
func (l *List) Encode() (string, error) {
	if l.Len() < MinSize {
		return "", ErrLength
	}
	packed := gzipRuns(l.bits)
	if packed == nil {
		var err error
		if packed, err = gzipAny(l.bits); err != nil {
			return "", err
		}
	}
	out := make([]byte, 0, len(multibase)+b64.EncodedLen(len(packed)))
	return string(b64.AppendEncode(append(out, multibase...), packed)), nil
}

// gzipAny compresses what is not made of runs.
func gzipAny(data []byte) ([]byte, error) {
	var buf bytes.Buffer
	buf.Grow(len(data) / 8)
	w := writers.Get().(*gzip.Writer)
	defer writers.Put(w)
	w.Reset(&buf)
	if _, err := w.Write(data); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// Decode reads an encodedList that decompresses to at most maxBytes bytes. It
// gives ErrEncoding for anything but one multibase "u" text of exactly one
// gzip member, and ErrLength for fewer than MinSize entries; the list is nil
// then. Memory is bounded by maxBytes and by a fixed ratio to the input, so
// that a short text cannot ask for much.
func Decode(encoded string, maxBytes int64) (*List, error) {
	text, ok := strings.CutPrefix(encoded, multibase)
	// Even what does not compress grows by less than an eighth in gzip, and by
	// a third in base64.
	if !ok || maxBytes < 0 || int64(len(text)) > maxBytes+maxBytes/2+1024 {
		return nil, ErrEncoding
	}
	if hasLineEnd(text) {
		return nil, ErrEncoding
	}
	packed, err := b64.DecodeString(text)
	if err != nil {
		return nil, ErrEncoding.With(err)
	}
	bits, err := gunzip(packed, maxBytes)
	if err != nil {
		return nil, err
	}
	if len(bits) < MinSize/8 {
		return nil, ErrLength
	}
	return &List{bits: bits}, nil
}

// hasLineEnd reports what encoding/base64 skips, even when it is strict.
func hasLineEnd(s string) bool { return strings.ContainsAny(s, "\r\n") }

// maxRatio is more than DEFLATE can compress (1032 to 1).
const maxRatio = 1040

// gunzip expands one gzip member (RFC 1952) that fills packed exactly. The
// length that its trailer promises decides how much is allocated, after it was
// held against max and against what DEFLATE can do.
func gunzip(packed []byte, max int64) ([]byte, error) {
	if len(packed) < 18 { // header 10, trailer 8
		return nil, ErrEncoding
	}
	size := int64(binary.LittleEndian.Uint32(packed[len(packed)-4:]))
	if size > max || size > int64(len(packed))*maxRatio {
		return nil, ErrEncoding
	}
	in := bytes.NewReader(packed)
	r, err := reader(in)
	if err != nil {
		return nil, ErrEncoding.With(err)
	}
	defer readers.Put(r)
	r.Multistream(false)
	out := make([]byte, size)
	if _, err := io.ReadFull(r, out); err != nil {
		return nil, ErrEncoding.With(err)
	}
	// The end of the member, where checksum and length are compared.
	var one [1]byte
	if n, err := io.ReadFull(r, one[:]); n != 0 || err != io.EOF {
		return nil, ErrEncoding.With(err)
	}
	if in.Len() != 0 {
		return nil, ErrEncoding
	}
	return out, nil
}

func reader(in io.Reader) (*gzip.Reader, error) {
	if r, ok := readers.Get().(*gzip.Reader); ok {
		return r, r.Reset(in)
	}
	return gzip.NewReader(in)
}
