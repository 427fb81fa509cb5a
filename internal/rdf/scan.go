package rdf

import "unicode/utf8"

// token is one value or member name of a JSON text.
type token struct {
	kind byte  // the first character: { [ " t f n, or 0 for a number; ' for a string with escapes
	off  int32 // of a string's content, else of the value
	end  int32
	next int32 // index of the token after this value and all that is in it
	n    int32 // members or elements
}

const escaped = '\''

// Bounds of the compiled path. What is larger or deeper takes the slow path,
// which has its own.
const (
	maxTokens        = 20_000
	maxCompiledDepth = 16
	maxMembers       = 64
)

// scan reads one JSON text (RFC 8259) into tokens, in document order: names and
// values of an object alternate. It refuses what is not JSON, invalid UTF-8,
// too much depth; names are not compared.
func scan(doc []byte, tokens []token) ([]token, bool) {
	if len(doc) > MaxBytes || !utf8.Valid(doc) {
		return tokens, false
	}
	s := scanner{doc: doc, tokens: tokens}
	s.space()
	if !s.value(0) {
		return s.tokens, false
	}
	s.space()
	return s.tokens, s.i == len(doc) && len(s.tokens) <= maxTokens
}

type scanner struct {
	doc    []byte
	i      int
	tokens []token
}

func (s *scanner) space() {
	for s.i < len(s.doc) {
		switch s.doc[s.i] {
		case ' ', '\t', '\n', '\r':
			s.i++
		default:
			return
		}
	}
}

// peek gives the next character, or 0 at the end.
func (s *scanner) peek() byte {
	if s.i < len(s.doc) {
		return s.doc[s.i]
	}
	return 0
}

func (s *scanner) value(depth int) bool {
	switch c := s.peek(); c {
	case '"':
		return s.str()
	case '{', '[':
		if depth == maxCompiledDepth {
			return false
		}
		return s.nested(c, depth+1)
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	case 'n':
		return s.word("null")
	default:
		return s.number()
	}
}

func (s *scanner) nested(open byte, depth int) bool {
	at := len(s.tokens)
	s.tokens = append(s.tokens, token{kind: open, off: int32(s.i)})
	s.i++
	s.space()
	n := int32(0)
	if s.peek() == open+2 { // the closing one
		s.i++
	} else {
		for {
			if open == '{' {
				if s.peek() != '"' || !s.str() {
					return false
				}
				s.space()
				if s.peek() != ':' {
					return false
				}
				s.i++
				s.space()
			}
			if !s.value(depth) {
				return false
			}
			n++
			s.space()
			c := s.peek()
			s.i++
			if c == open+2 {
				break
			}
			if c != ',' {
				return false
			}
			s.space()
		}
	}
	t := &s.tokens[at]
	t.end, t.next, t.n = int32(s.i), int32(len(s.tokens)), n
	return true
}

func (s *scanner) add(kind byte, off, end int) bool {
	s.tokens = append(s.tokens, token{kind: kind, off: int32(off), end: int32(end), next: int32(len(s.tokens) + 1)})
	return true
}

func (s *scanner) word(w string) bool {
	from := s.i
	if len(s.doc)-from < len(w) || string(s.doc[from:from+len(w)]) != w {
		return false
	}
	s.i += len(w)
	return s.add(w[0], from, s.i)
}

func (s *scanner) number() bool {
	from := s.i
	if s.peek() == '-' {
		s.i++
	}
	if s.peek() == '0' {
		s.i++
	} else if !s.digits() {
		return false
	}
	if s.peek() == '.' {
		if s.i++; !s.digits() {
			return false
		}
	}
	if s.peek()|0x20 == 'e' {
		s.i++
		if c := s.peek(); c == '+' || c == '-' {
			s.i++
		}
		if !s.digits() {
			return false
		}
	}
	return s.add(0, from, s.i)
}

func (s *scanner) digits() bool {
	from := s.i
	for s.i < len(s.doc) && s.doc[s.i] >= '0' && s.doc[s.i] <= '9' {
		s.i++
	}
	return s.i > from
}

// stops are the characters that end a run of plain ones in a string.
var stops = func() (t [256]bool) {
	for i := range 0x20 {
		t[i] = true
	}
	t['"'], t['\\'] = true, true
	return t
}()

func (s *scanner) str() bool {
	d, i := s.doc, s.i+1
	from, kind := i, byte('"')
	for {
		for i < len(d) && !stops[d[i]] {
			i++
		}
		if i == len(d) {
			return false
		}
		switch d[i] {
		case '"':
			s.i = i + 1
			return s.add(kind, from, i)
		case '\\':
			n := escapeLen(d[i:])
			if n == 0 {
				return false
			}
			kind, i = escaped, i+n
		default:
			return false
		}
	}
}

// escapeLen gives the length of the escape sequence that s begins with, 0 for
// none that JSON has or half a pair of surrogates.
func escapeLen(s []byte) int {
	if len(s) < 2 {
		return 0
	}
	switch s[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		switch r := unit(s); {
		case r < 0 || r >= 0xdc00 && r <= 0xdfff:
			return 0
		case r >= 0xd800 && r <= 0xdbff:
			if low := unit(s[6:]); low < 0xdc00 || low > 0xdfff {
				return 0
			}
			return 12
		}
		return 6
	}
	return 0
}

// unit reads \uXXXX, or gives -1.
func unit(s []byte) rune {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return -1
	}
	r := rune(0)
	for _, c := range s[2:6] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}

// unquote resolves the escape sequences of a string's content, which scan has
// checked.
func unquote(s []byte) []byte {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); {
		if s[i] != '\\' {
			out = append(out, s[i])
			i++
			continue
		}
		n := escapeLen(s[i:])
		switch c := s[i+1]; c {
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
			r := unit(s[i:])
			if n == 12 {
				r = (r-0xd800)<<10 + (unit(s[i+6:]) - 0xdc00) + 0x10000
			}
			out = utf8.AppendRune(out, r)
		default:
			out = append(out, c)
		}
		i += n
	}
	return out
}
