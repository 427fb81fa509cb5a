package rdf

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/kinpass/kinpass/internal/fault"
)

// Bounds of one document.
const (
	maxDepth  = 64
	maxValues = 1 << 15
)

// ErrJSON refuses what is not JSON that every reader reads alike.
var ErrJSON = fault.New(fault.Invalid, "jsonld-not-json", "the document is not JSON that every reader reads alike")

// number is a JSON number with its value and the text it was written as.
type number struct {
	value float64
	text  string
}

// readJSON reads one JSON text (RFC 8259) into map[string]any, []any, string,
// bool, nil and number. It refuses a member named twice, invalid UTF-8 and
// unpaired surrogates, a number that is infinite, and more depth, size or values
// than the bounds.
func readJSON(data []byte) (any, error) {
	if len(data) > MaxBytes {
		return nil, ErrLarge
	}
	if !utf8.Valid(data) {
		return nil, ErrJSON
	}
	r := jsonReader{s: string(data)}
	r.space()
	v, ok := r.value(maxDepth)
	r.space()
	switch {
	case r.values > maxValues:
		return nil, ErrLarge
	case !ok || r.i < len(r.s):
		return nil, ErrJSON
	}
	return v, nil
}

type jsonReader struct {
	s      string
	i      int
	values int
}

func (r *jsonReader) space() {
	for r.i < len(r.s) && (r.s[r.i] == ' ' || r.s[r.i] == '\t' || r.s[r.i] == '\n' || r.s[r.i] == '\r') {
		r.i++
	}
}

// take eats c and the white space around it.
func (r *jsonReader) take(c byte) bool {
	r.space()
	if r.i < len(r.s) && r.s[r.i] == c {
		r.i++
		r.space()
		return true
	}
	return false
}

func (r *jsonReader) value(depth int) (any, bool) {
	if r.values++; r.i == len(r.s) || depth == 0 || r.values > maxValues {
		return nil, false
	}
	switch c := r.s[r.i]; c {
	case '{':
		return r.object(depth - 1)
	case '[':
		return r.array(depth - 1)
	case '"':
		return r.str()
	case 't':
		return true, r.word("true")
	case 'f':
		return false, r.word("false")
	case 'n':
		return nil, r.word("null")
	default:
		return r.number()
	}
}

func (r *jsonReader) object(depth int) (any, bool) {
	m := map[string]any{}
	r.take('{')
	if r.take('}') {
		return m, true
	}
	for {
		if r.i == len(r.s) || r.s[r.i] != '"' {
			return nil, false
		}
		name, ok := r.str()
		if !ok || !r.take(':') {
			return nil, false
		}
		v, ok := r.value(depth)
		if _, twice := m[name]; !ok || twice {
			return nil, false
		}
		m[name] = v
		if r.take('}') {
			return m, true
		}
		if !r.take(',') {
			return nil, false
		}
	}
}

func (r *jsonReader) array(depth int) (any, bool) {
	a := []any{}
	r.take('[')
	if r.take(']') {
		return a, true
	}
	for {
		v, ok := r.value(depth)
		if !ok {
			return nil, false
		}
		a = append(a, v)
		if r.take(']') {
			return a, true
		}
		if !r.take(',') {
			return nil, false
		}
	}
}

func (r *jsonReader) word(w string) bool {
	if !strings.HasPrefix(r.s[r.i:], w) {
		return false
	}
	r.i += len(w)
	return true
}

func (r *jsonReader) number() (any, bool) {
	from := r.i
	digits := func() bool {
		at := r.i
		for r.i < len(r.s) && r.s[r.i] >= '0' && r.s[r.i] <= '9' {
			r.i++
		}
		return r.i > at
	}
	is := func(set string) bool {
		if r.i < len(r.s) && strings.IndexByte(set, r.s[r.i]) >= 0 {
			r.i++
			return true
		}
		return false
	}
	is("-")
	if !is("0") && !digits() {
		return nil, false
	}
	if is(".") && !digits() {
		return nil, false
	}
	if is("eE") {
		is("+-")
		if !digits() {
			return nil, false
		}
	}
	text := r.s[from:r.i]
	f, err := strconv.ParseFloat(text, 64)
	return number{f, text}, err == nil
}

// str reads a string; without escapes it is a piece of the document.
func (r *jsonReader) str() (string, bool) {
	from := r.i + 1
	for i := from; i < len(r.s); i++ {
		switch c := r.s[i]; {
		case c == '"':
			r.i = i + 1
			return r.s[from:i], true
		case c < 0x20:
			return "", false
		case c == '\\':
			return r.escaped(from, i)
		}
	}
	return "", false
}

func (r *jsonReader) escaped(from, i int) (string, bool) {
	b := []byte(r.s[from:i])
	for i < len(r.s) {
		c := r.s[i]
		i++
		switch {
		case c == '"':
			r.i = i
			return string(b), true
		case c < 0x20:
			return "", false
		case c != '\\':
			b = append(b, c)
			continue
		}
		if i == len(r.s) {
			return "", false
		}
		c = r.s[i]
		i++
		if k := strings.IndexByte(`"\/bfnrt`, c); k >= 0 {
			b = append(b, "\"\\/\b\f\n\r\t"[k])
			continue
		}
		if c != 'u' {
			return "", false
		}
		u, ok := hex4(r.s[i:])
		if !ok {
			return "", false
		}
		i += 4
		if utf16.IsSurrogate(u) {
			low, ok := rune(0), strings.HasPrefix(r.s[i:], `\u`)
			if ok {
				low, ok = hex4(r.s[i+2:])
			}
			if u = utf16.DecodeRune(u, low); !ok || u == utf8.RuneError {
				return "", false
			}
			i += 6
		}
		b = utf8.AppendRune(b, u)
	}
	return "", false
}

func hex4(s string) (rune, bool) {
	if len(s) < 4 {
		return 0, false
	}
	var r rune
	for _, c := range []byte(s[:4]) {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return r, true
}
