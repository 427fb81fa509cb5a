package vc

import (
	"bytes"
	"sync"
	"unicode/utf8"

	"github.com/kinpass/kinpass/internal/fault"
)

// Errors of strict JSON reading.
var (
	ErrJSON      = fault.New(fault.Invalid, "json-invalid", "not valid JSON of the expected shape")
	ErrJSONDeep  = fault.New(fault.Invalid, "json-deep", "the JSON is nested too deeply")
	ErrJSONTwice = fault.New(fault.Invalid, "json-duplicate-member", "a JSON object names a member twice")
)

// StrictJSON decodes one JSON value into v and refuses invalid UTF-8, nesting
// deeper than depth, a member named twice (RFC 8259 leaves it open; two
// readers must not see two different documents) and anything after the value.
// Unknown members are allowed; Go's case-insensitive matching is not, because
// CheckJSON is asked about names that differ only in case.
func StrictJSON(data []byte, v any, depth int) error {
	if err := CheckJSON(data, depth); err != nil {
		return err
	}
	return DecodeChecked(data, v)
}

// CheckJSON scans data once and reports what StrictJSON refuses. Two names
// that are equal when case is ignored count as one name twice, since
// encoding/json would match both to one field. Below a member @context they are
// terms of JSON-LD, which no Go type has fields for and whose case counts
// (DriverLicense is a type, driverLicense a property): there only equal names
// do.
func CheckJSON(data []byte, depth int) error {
	_, _, err := checkJSON(data, depth)
	return err
}

// checkJSON is CheckJSON. It also gives how deep the text is nested, and whether
// plainNames has nothing to look at in it: no name has a colon or an escape, and
// no context stands in it as an object.
func checkJSON(data []byte, depth int) (nesting int, plain bool, err error) {
	if !utf8.Valid(data) {
		return 0, false, ErrJSON
	}
	s := scanners.Get().(*scanner)
	s.data, s.deepest, s.notPlain = data, 0, false
	err = s.scan(depth)
	nesting, plain = s.deepest, !s.notPlain
	if cap(s.names) <= 256 && cap(s.frames) <= 256 {
		clear(s.names[:cap(s.names)]) // nothing of a document stays behind
		clear(s.frames[:cap(s.frames)])
		s.data, s.i, s.frames, s.names, s.terms = nil, 0, s.frames[:0], s.names[:0], false
		scanners.Put(s)
	}
	return nesting, plain, err
}

// scanner walks over one JSON text (RFC 8259) without a stack of its own calls.
type scanner struct {
	data   []byte
	i      int
	frames []frame
	names  []memberName // of the open objects, the innermost last
	terms  bool         // the value that follows is that of a member @context

	deepest  int  // how many frames were open at once
	notPlain bool // a name has a colon or an escape, or a context is an object
}

var scanners = sync.Pool{New: func() any {
	return &scanner{frames: make([]frame, 0, MaxDepth), names: make([]memberName, 0, 2*manyNames)}
}}

// frame is one open object or array. Its first names are compared one by one;
// an object with many keeps them in a set, so that a large one takes no longer
// per member than a small one.
type frame struct {
	object bool
	exact  bool // names that differ in case are two names
	first  int  // in names
	set    map[string]struct{}
}

// memberName is a name as it stands between its quotes, if it is plain ASCII,
// else decoded, and folded unless its frame is exact.
type memberName struct {
	text  []byte
	plain bool
}

const manyNames = 32

func (s *scanner) scan(depth int) error {
	for {
		// A value.
		terms := s.terms
		s.terms = false
		s.space()
		if s.i == len(s.data) {
			return ErrJSON
		}
		switch c := s.data[s.i]; c {
		case '{', '[':
			if len(s.frames) == depth {
				return ErrJSONDeep
			}
			s.i++
			exact := terms || len(s.frames) > 0 && s.frames[len(s.frames)-1].exact
			s.frames = append(s.frames, frame{object: c == '{', exact: exact, first: len(s.names)})
			s.deepest = max(s.deepest, len(s.frames))
			s.notPlain = s.notPlain || exact && c == '{'
			s.space()
			if s.i == len(s.data) {
				return ErrJSON
			}
			switch {
			case s.data[s.i] == c+2: // '}' or ']'
				s.i++
				s.close()
			case c == '{':
				if err := s.member(); err != nil {
					return err
				}
				continue
			default:
				continue
			}
		case '"':
			if _, ok := s.str(); !ok {
				return ErrJSON
			}
		case 't':
			if !s.word("true") {
				return ErrJSON
			}
		case 'f':
			if !s.word("false") {
				return ErrJSON
			}
		case 'n':
			if !s.word("null") {
				return ErrJSON
			}
		default:
			if !s.number() {
				return ErrJSON
			}
		}
		// After a value: the end, a comma, or ends of what is open.
		for {
			s.space()
			if len(s.frames) == 0 {
				if s.i < len(s.data) {
					return ErrJSON
				}
				return nil
			}
			if s.i == len(s.data) {
				return ErrJSON
			}
			object := s.frames[len(s.frames)-1].object
			c := s.data[s.i]
			s.i++
			if c == ',' {
				if object {
					s.space()
					if err := s.member(); err != nil {
						return err
					}
				}
				break
			}
			if object && c != '}' || !object && c != ']' {
				return ErrJSON
			}
			s.close()
		}
	}
}

func (s *scanner) close() {
	top := len(s.frames) - 1
	s.names = s.names[:s.frames[top].first]
	s.frames[top].set = nil
	s.frames = s.frames[:top]
}

func (s *scanner) space() {
	for s.i < len(s.data) {
		switch s.data[s.i] {
		case ' ', '\t', '\n', '\r':
			s.i++
		default:
			return
		}
	}
}

func (s *scanner) word(w string) bool {
	if len(s.data)-s.i < len(w) || string(s.data[s.i:s.i+len(w)]) != w {
		return false
	}
	s.i += len(w)
	return true
}

// number reads a number as RFC 8259, section 6, writes it.
func (s *scanner) number() bool {
	d := s.data
	if s.i < len(d) && d[s.i] == '-' {
		s.i++
	}
	if s.i < len(d) && d[s.i] == '0' {
		s.i++
	} else if !s.digits() {
		return false
	}
	if s.i < len(d) && d[s.i] == '.' {
		if s.i++; !s.digits() {
			return false
		}
	}
	if s.i < len(d) && d[s.i]|0x20 == 'e' {
		s.i++
		if s.i < len(d) && (d[s.i] == '+' || d[s.i] == '-') {
			s.i++
		}
		return s.digits()
	}
	return true
}

func (s *scanner) digits() bool {
	from := s.i
	for s.i < len(s.data) && s.data[s.i] >= '0' && s.data[s.i] <= '9' {
		s.i++
	}
	return s.i > from
}

// stops marks the bytes that end a run of plain characters in a string.
var stops = func() (t [256]bool) {
	for i := range 0x20 {
		t[i] = true
	}
	t['"'], t['\\'] = true, true
	return t
}()

// str reads a string and reports whether it is plain: ASCII without escapes.
func (s *scanner) str() (plain, ok bool) {
	if s.i == len(s.data) || s.data[s.i] != '"' {
		return false, false
	}
	s.i++
	d, i := s.data, s.i
	high := byte(0)
	plain = true
	for {
		for i < len(d) && !stops[d[i]] {
			high |= d[i]
			i++
		}
		if i == len(d) {
			return false, false
		}
		switch d[i] {
		case '"':
			s.i = i + 1
			return plain && high < utf8.RuneSelf, true
		case '\\':
			plain = false
			n := escape(d[i:])
			if n == 0 {
				return false, false
			}
			i += n
		default:
			return false, false
		}
	}
}

// escape gives the length of the escape sequence that b begins with, 0 for
// none that JSON has.
func escape(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if len(b) < 6 {
			return 0
		}
		for _, c := range b[2:6] {
			if !(c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f') {
				return 0
			}
		}
		return 6
	}
	return 0
}

// member reads a name and the colon after it.
func (s *scanner) member() error {
	from := s.i
	plain, ok := s.str()
	if !ok {
		return ErrJSON
	}
	f := &s.frames[len(s.frames)-1]
	n := memberName{text: s.data[from+1 : s.i-1], plain: plain}
	if !plain {
		n.text = []byte(unquote(n.text))
	}
	s.notPlain = s.notPlain || !plain || bytes.IndexByte(n.text, ':') >= 0
	s.terms = string(n.text) == "@context"
	if !plain && !f.exact {
		n.text = []byte(fold(string(n.text)))
	}
	mine := s.names[f.first:]
	if f.set == nil && len(mine) == manyNames {
		f.set = make(map[string]struct{}, 4*manyNames)
		for _, o := range mine {
			f.set[f.key(o)] = struct{}{}
		}
	}
	if f.set != nil {
		key := f.key(n)
		if _, twice := f.set[key]; twice {
			return ErrJSONTwice
		}
		f.set[key] = struct{}{}
	} else {
		for _, o := range mine {
			if f.exact && string(o.text) == string(n.text) || !f.exact && o.same(n) {
				return ErrJSONTwice
			}
		}
		s.names = append(s.names, n)
	}
	s.space()
	if s.i == len(s.data) || s.data[s.i] != ':' {
		return ErrJSON
	}
	s.i++
	return nil
}

// key is the form in which the set keeps a name.
func (f *frame) key(n memberName) string {
	if f.exact {
		return string(n.text)
	}
	return fold(string(n.text))
}

// same compares two names of a frame that is not exact.
func (a memberName) same(b memberName) bool {
	if a.plain != b.plain {
		return fold(string(a.text)) == fold(string(b.text))
	}
	if len(a.text) != len(b.text) {
		return false
	}
	for i := 0; i < len(a.text); i++ {
		x, y := a.text[i], b.text[i]
		if x != y && (x|0x20 != y|0x20 || x|0x20 < 'a' || x|0x20 > 'z') {
			return false
		}
	}
	return true
}

// fold writes a name in lower case as far as ASCII goes, and the two letters
// beyond ASCII that Unicode folds into it: encoding/json matches them to the
// field, too.
func fold(s string) string {
	out := make([]byte, 0, len(s))
	for _, r := range s {
		switch {
		case 'A' <= r && r <= 'Z':
			r += 32
		case r == '\u017f': // long s
			r = 's'
		case r == '\u212a': // the Kelvin sign
			r = 'k'
		}
		out = utf8.AppendRune(out, r)
	}
	return string(out)
}
