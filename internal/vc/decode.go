package vc

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// DecodeChecked decodes JSON that CheckJSON has passed, or a part of it, into
// the zero value that v points to. It gives what json.Unmarshal gives, without
// scanning the text two times more. Where it does not know a Go type, it leaves
// the work to json.Unmarshal. The error is ErrJSON; v is then of no use.
func DecodeChecked(data []byte, v any) error {
	p := reflect.ValueOf(v)
	if p.Kind() == reflect.Pointer && !p.IsNil() {
		if s := shapeOf(p.Type().Elem()); s != nil {
			r := &reader{d: data}
			r.space()
			if err := s.read(r, p.Elem()); err != nil {
				return err
			}
			if r.space(); r.i != len(data) {
				return ErrJSON
			}
			return nil
		}
	}
	if err := json.Unmarshal(data, v); err != nil {
		return ErrJSON.With(err)
	}
	return nil
}

// Members gives the members of a JSON object that CheckJSON has passed, by their
// exact names. The values are parts of data. What is no object is ErrJSON.
func Members(data []byte) (map[string]json.RawMessage, error) {
	r := &reader{d: data}
	if r.peek() != '{' {
		return nil, ErrJSON
	}
	r.i++
	out := map[string]json.RawMessage{}
	for first := true; r.more(first); first = false {
		r.space()
		name := r.string()
		if r.peek() == ':' {
			r.i++
		}
		out[name] = r.skip()
	}
	return out, nil
}

// shape is how to read one Go type.
type shape struct {
	kind   reflect.Kind
	typ    reflect.Type
	as     treatment
	elem   *shape // of a slice or pointer
	fields []field
}

// treatment names the types with methods of their own that are known here.
type treatment int

const (
	plainly   treatment = iota
	asRaw               // json.RawMessage
	asInstant           // time.Time
)

type field struct {
	name   string
	folded string
	index  int
	shape  *shape
}

var (
	shapes      sync.Map // reflect.Type to *shape, nil for a type that is not known here
	unmarshaler = reflect.TypeFor[json.Unmarshaler]()
	texter      = reflect.TypeFor[interface{ UnmarshalText([]byte) error }]()
)

func shapeOf(t reflect.Type) *shape {
	if s, ok := shapes.Load(t); ok {
		return s.(*shape)
	}
	s := newShape(t, 0)
	shapes.Store(t, s)
	return s
}

// newShape gives nil for types that encoding/json treats in ways that are not
// repeated here: maps, interfaces, arrays, bytes, floats, embedded structs,
// options of a tag that change decoding, and methods of their own.
func newShape(t reflect.Type, depth int) *shape {
	s := &shape{kind: t.Kind(), typ: t}
	switch {
	case depth > MaxDepth:
		return nil // a type that holds itself
	case t == reflect.TypeFor[json.RawMessage]():
		s.as = asRaw
		return s
	case t == reflect.TypeFor[time.Time]():
		s.as = asInstant
		return s
	case reflect.PointerTo(t).Implements(unmarshaler), reflect.PointerTo(t).Implements(texter):
		return nil
	}
	switch t.Kind() {
	case reflect.String, reflect.Bool, reflect.Int, reflect.Int64:
		return s
	case reflect.Pointer, reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return nil
		}
		if s.elem = newShape(t.Elem(), depth+1); s.elem == nil {
			return nil
		}
		return s
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			switch {
			case f.Anonymous || strings.Contains(options, "string"):
				return nil
			case !f.IsExported() || name == "-" && options == "":
				continue
			case name == "":
				name = f.Name
			}
			fs := newShape(f.Type, depth+1)
			if fs == nil {
				return nil
			}
			s.fields = append(s.fields, field{name, fold(name), i, fs})
		}
		return s
	}
	return nil
}

// reader walks over JSON whose grammar is known to be right.
type reader struct {
	d []byte
	i int
}

func (r *reader) space() {
	for r.i < len(r.d) {
		switch r.d[r.i] {
		case ' ', '\t', '\n', '\r':
			r.i++
		default:
			return
		}
	}
}

// peek gives the next byte after white space, 0 at the end.
func (r *reader) peek() byte {
	r.space()
	if r.i == len(r.d) {
		return 0
	}
	return r.d[r.i]
}

// more steps over the comma or the end of what is open and reports whether
// another element follows. first is true before the first one.
func (r *reader) more(first bool) bool {
	switch r.peek() {
	case ',':
		r.i++
		return true
	case '}', ']', 0:
		r.i = min(r.i+1, len(r.d))
		return false
	}
	return first
}

// text steps over a string and gives what is between its quotes.
func (r *reader) text() (inner []byte, escaped bool) {
	from := r.i + 1
	for i := from; i < len(r.d); i++ {
		n := bytes.IndexByte(r.d[i:], '"')
		if n < 0 {
			break
		}
		// The quote ends the string unless a backslash says that it does not.
		for {
			k := bytes.IndexByte(r.d[i:i+n], '\\')
			if k < 0 {
				r.i = i + n + 1
				return r.d[from : i+n], escaped
			}
			escaped = true
			i += k + 2
			if n -= k + 2; n < 0 {
				i--
				break
			}
		}
	}
	r.i = len(r.d)
	return nil, false
}

// afterString gives the offset after the string that begins here. The first
// quote ends it, unless there is a backslash before.
func (r *reader) afterString() int {
	from := r.i + 1
	if n := bytes.IndexByte(r.d[from:], '"'); n >= 0 && r.d[from+n-1] != '\\' {
		return from + n + 1
	}
	s := *r
	s.text()
	return s.i
}

// skip steps over a value and gives its bytes.
func (r *reader) skip() []byte {
	r.space()
	from, open := r.i, 0
	for r.i < len(r.d) {
		switch r.d[r.i] {
		case '"':
			r.i = r.afterString()
			if open == 0 {
				return r.d[from:r.i]
			}
			continue
		case '{', '[':
			open++
		case '}', ']':
			if open == 0 {
				return r.d[from:r.i]
			}
			if open--; open == 0 {
				r.i++
				return r.d[from:r.i]
			}
		case ',', ' ', '\t', '\n', '\r':
			if open == 0 {
				return r.d[from:r.i]
			}
		}
		r.i++
	}
	return r.d[from:]
}

func (s *shape) read(r *reader, v reflect.Value) error {
	c := r.peek()
	switch s.as {
	case asRaw:
		v.SetBytes(bytes.Clone(r.skip()))
		return nil
	case asInstant:
		if err := v.Addr().Interface().(*time.Time).UnmarshalJSON(r.skip()); err != nil {
			return ErrJSON.With(err)
		}
		return nil
	}
	if c == 'n' {
		r.skip()
		v.SetZero()
		return nil
	}
	switch s.kind {
	case reflect.String:
		if c != '"' {
			return ErrJSON
		}
		v.SetString(r.string())
		return nil
	case reflect.Bool:
		if c != 't' && c != 'f' {
			return ErrJSON
		}
		r.skip()
		v.SetBool(c == 't')
		return nil
	case reflect.Int, reflect.Int64:
		if c != '-' && (c < '0' || c > '9') {
			return ErrJSON
		}
		n, err := strconv.ParseInt(string(r.skip()), 10, s.typ.Bits())
		if err != nil {
			return ErrJSON.With(err)
		}
		v.SetInt(n)
		return nil
	case reflect.Pointer:
		p := reflect.New(s.typ.Elem())
		v.Set(p)
		return s.elem.read(r, p.Elem())
	case reflect.Slice:
		return s.readSlice(r, v, c)
	}
	return s.readStruct(r, v, c)
}

func (s *shape) readSlice(r *reader, v reflect.Value, c byte) error {
	if c != '[' {
		return ErrJSON
	}
	r.i++
	if s.elem.kind == reflect.String && s.typ == reflect.TypeFor[[]string]() {
		out := []string{}
		for first := true; r.more(first); first = false {
			switch r.peek() {
			case '"':
				out = append(out, r.string())
			case 'n':
				r.skip()
				out = append(out, "")
			default:
				return ErrJSON
			}
		}
		*v.Addr().Interface().(*[]string) = out
		return nil
	}
	v.Set(reflect.MakeSlice(s.typ, 0, 2))
	n := 0
	for first := true; r.more(first); first = false {
		if n == v.Cap() {
			v.Grow(n)
		}
		n++
		v.SetLen(n)
		if err := s.elem.read(r, v.Index(n-1)); err != nil {
			return err
		}
	}
	return nil
}

func (s *shape) readStruct(r *reader, v reflect.Value, c byte) error {
	if c != '{' {
		return ErrJSON
	}
	r.i++
	for first := true; r.more(first); first = false {
		r.space()
		name, escaped := r.text()
		if escaped {
			name = []byte(unquote(name))
		}
		if r.peek() == ':' {
			r.i++
		}
		f := s.field(name)
		if f == nil {
			r.skip()
			continue
		}
		if err := f.shape.read(r, v.Field(f.index)); err != nil {
			return err
		}
	}
	return nil
}

// field finds a field as encoding/json does: by its exact name, else by one
// that differs only in case.
func (s *shape) field(name []byte) *field {
	for i := range s.fields {
		if s.fields[i].name == string(name) {
			return &s.fields[i]
		}
	}
	folded := fold(string(name))
	for i := range s.fields {
		if s.fields[i].folded == folded {
			return &s.fields[i]
		}
	}
	return nil
}

func (r *reader) string() string {
	inner, escaped := r.text()
	if escaped {
		return unquote(inner)
	}
	return string(inner)
}

// unquote expands the escapes of a JSON string without its quotes. Half of a
// surrogate pair becomes U+FFFD, as in encoding/json.
func unquote(s []byte) string {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			out = append(out, s[i])
			continue
		}
		i++
		switch c := s[i]; c {
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			u := hex4(s[i+1:])
			i += 4
			if utf16.IsSurrogate(u) {
				low := rune(-1)
				if i+2 < len(s) && s[i+1] == '\\' && s[i+2] == 'u' {
					low = hex4(s[i+3:])
				}
				if u = utf16.DecodeRune(u, low); u != utf8.RuneError {
					i += 6
				}
			}
			out = utf8.AppendRune(out, u)
		default:
			out = append(out, c)
		}
	}
	return string(out)
}

// hex4 reads four hexadecimal digits.
func hex4(b []byte) rune {
	if len(b) < 4 {
		return utf8.RuneError
	}
	n := rune(0)
	for _, c := range b[:4] {
		n <<= 4
		switch {
		case c <= '9':
			n |= rune(c - '0')
		default:
			n |= rune(c|0x20-'a') + 10
		}
	}
	return n
}
