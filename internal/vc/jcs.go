package vc

import (
	"bytes"
	"crypto"
	"math"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// CanonicalJSON writes a JSON document as RFC 8785 does: one spelling for what
// says the same.
func CanonicalJSON(doc []byte) ([]byte, error) { return canonicalJCS(doc, 0) }

// canonicalJCS is the JSON Canonicalization Scheme (RFC 8785) of a document
// that has passed CheckJSON. It has the signature of a cryptosuite's canonical
// form; no hash takes part in it.
func canonicalJCS(doc []byte, _ crypto.Hash) ([]byte, error) {
	w := jcsWriter{src: doc, dst: make([]byte, 0, len(doc))}
	if err := w.value(); err != nil {
		return nil, err
	}
	return w.dst, nil
}

// jcsWriter writes the canonical form of src, from offset i on, to dst. The
// grammar and depth of src were checked before.
type jcsWriter struct {
	src []byte
	i   int
	dst []byte
	own []byte // room to bring members into order
}

// jcsMember is one member of an object: its name and where dst has it.
type jcsMember struct {
	name     []byte
	from, to int
}

func (w *jcsWriter) value() error {
	w.i = skipSpace(w.src, w.i)
	switch w.src[w.i] {
	case '{':
		return w.object()
	case '[':
		return w.array()
	case '"':
		_, err := w.str()
		return err
	}
	return w.scalar()
}

func (w *jcsWriter) array() error {
	w.dst = append(w.dst, '[')
	w.i = skipSpace(w.src, w.i+1)
	for n := 0; w.src[w.i] != ']'; n++ {
		if n > 0 {
			w.dst = append(w.dst, ',')
			w.i++ // the comma
		}
		if err := w.value(); err != nil {
			return err
		}
		w.i = skipSpace(w.src, w.i)
	}
	w.i++
	w.dst = append(w.dst, ']')
	return nil
}

// object writes the members as they come, each with a comma before it, and
// then brings them into order.
func (w *jcsWriter) object() error {
	start := len(w.dst)
	var room [16]jcsMember
	ms := room[:0]
	w.i = skipSpace(w.src, w.i+1)
	for w.src[w.i] != '}' {
		if len(ms) > 0 {
			w.i = skipSpace(w.src, w.i+1) // behind the comma
		}
		m := jcsMember{from: len(w.dst)}
		w.dst = append(w.dst, ',')
		var err error
		if m.name, err = w.str(); err != nil {
			return err
		}
		w.i = skipSpace(w.src, w.i) + 1 // the colon
		w.dst = append(w.dst, ':')
		if err := w.value(); err != nil {
			return err
		}
		m.to = len(w.dst)
		ms = append(ms, m)
		w.i = skipSpace(w.src, w.i)
	}
	w.i++
	if len(ms) == 0 {
		w.dst = append(w.dst, '{', '}')
		return nil
	}
	if !slices.IsSortedFunc(ms, byName) {
		slices.SortFunc(ms, byName)
		w.own = append(w.own[:0], w.dst[start:]...)
		w.dst = w.dst[:start]
		for _, m := range ms {
			w.dst = append(w.dst, w.own[m.from-start:m.to-start]...)
		}
	}
	w.dst[start] = '{'
	w.dst = append(w.dst, '}')
	return nil
}

// byName orders names by their UTF-16 code units (RFC 8785, section 3.2.3).
// That is the order of their bytes, unless a character beyond the first plane
// meets one from U+E000 up.
func byName(a, b jcsMember) int {
	for i := range min(len(a.name), len(b.name)) {
		if x, y := a.name[i], b.name[i]; x != y {
			if x >= 0xee && y >= 0xee {
				return slices.Compare(utf16.Encode([]rune(string(a.name))), utf16.Encode([]rune(string(b.name))))
			}
			return int(x) - int(y)
		}
	}
	return len(a.name) - len(b.name)
}

// str writes a string and gives it decoded.
func (w *jcsWriter) str() ([]byte, error) {
	end := skipValue(w.src, w.i)
	in := w.src[w.i+1 : end-1]
	if bytes.IndexByte(in, '\\') < 0 {
		w.dst = append(w.dst, w.src[w.i:end]...)
		w.i = end
		return in, nil
	}
	if !pairedSurrogates(in) {
		return nil, ErrJSON
	}
	w.i = end
	s := []byte(unquote(in))
	w.dst = append(w.dst, '"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			w.dst = append(w.dst, '\\', c)
		case c >= 0x20:
			w.dst = append(w.dst, c)
		case c == '\b':
			w.dst = append(w.dst, '\\', 'b')
		case c == '\t':
			w.dst = append(w.dst, '\\', 't')
		case c == '\n':
			w.dst = append(w.dst, '\\', 'n')
		case c == '\f':
			w.dst = append(w.dst, '\\', 'f')
		case c == '\r':
			w.dst = append(w.dst, '\\', 'r')
		default:
			w.dst = append(w.dst, '\\', 'u', '0', '0', '0'+c>>4, "0123456789abcdef"[c&15])
		}
	}
	w.dst = append(w.dst, '"')
	return s, nil
}

// scalar writes a number or a word.
func (w *jcsWriter) scalar() error {
	end := skipValue(w.src, w.i)
	v := w.src[w.i:end]
	w.i = end
	if v[0] == 't' || v[0] == 'f' || v[0] == 'n' {
		w.dst = append(w.dst, v...)
		return nil
	}
	f, err := strconv.ParseFloat(string(v), 64)
	if err != nil || math.IsInf(f, 0) {
		return ErrJSON
	}
	// An integer that a double does not hold would be signed as another
	// number than readers with exact integers see (RFC 7493, section 2.2).
	if len(v) > 15 && !bytes.ContainsAny(v, ".eE") && strconv.FormatFloat(f, 'f', -1, 64) != string(v) {
		return ErrJSON
	}
	w.dst = appendNumber(w.dst, f)
	return nil
}

// appendNumber writes a number as ECMAScript does (RFC 8785, section 3.2.2.3).
func appendNumber(dst []byte, f float64) []byte {
	a := math.Abs(f)
	switch {
	case f == 0:
		return append(dst, '0')
	case a >= 1e-6 && a < 1e21:
		return strconv.AppendFloat(dst, f, 'f', -1, 64)
	}
	from := len(dst)
	dst = strconv.AppendFloat(dst, f, 'e', -1, 64)
	// Go writes at least two digits of an exponent, ECMAScript as many as
	// there are.
	if e := from + bytes.IndexByte(dst[from:], 'e') + 2; dst[e] == '0' {
		dst = slices.Delete(dst, e, e+1)
	}
	return dst
}

// pairedSurrogates reports whether each escaped surrogate in a text of JSON is
// half of a pair. A single one is no character: readers would put different
// ones in its place, and a signature could not tell them apart.
func pairedSurrogates(d []byte) bool {
	for i := 0; ; {
		n := bytes.IndexByte(d[i:], '\\')
		if n < 0 {
			return true
		}
		i += n
		if d[i+1] != 'u' {
			i += 2
			continue
		}
		r := rune(hex4(d[i+2:]))
		i += 6
		if !utf16.IsSurrogate(r) {
			continue
		}
		if len(d)-i < 6 || d[i] != '\\' || d[i+1] != 'u' {
			return false
		}
		if utf16.DecodeRune(r, rune(hex4(d[i+2:]))) == utf8.RuneError {
			return false
		}
		i += 6
	}
}
