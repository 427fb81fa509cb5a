package rdf

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/kinpass/kinpass/internal/fault"
)

// MaxBytes bounds every document and dataset that this package reads. A status
// list of ten million entries fits.
const MaxBytes = 4 << 20

const (
	xsd        = "http://www.w3.org/2001/XMLSchema#"
	xsdString  = xsd + "string"
	rdfNS      = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
	langString = rdfNS + "langString"
)

// Faults of reading RDF.
var (
	ErrNQuads = fault.New(fault.Invalid, "nquads-malformed", "the text is not N-Quads")
	ErrLarge  = fault.New(fault.TooLarge, "rdf-too-large", "the document is larger than is read")
)

// ParseNQuads reads RDF 1.1 N-Quads strictly: absolute IRIs, no characters that
// an IRI may not hold even escaped, well-formed language tags, valid UTF-8. The
// order is kept and repeated quads are too. A datatype of xsd:string is left
// away. It refuses everything else with ErrNQuads, and more than MaxBytes with
// ErrLarge, and then returns nothing.
func ParseNQuads(data []byte) ([]Quad, error) {
	if len(data) > MaxBytes {
		return nil, ErrLarge
	}
	if !utf8.Valid(data) {
		return nil, ErrNQuads
	}
	var quads []Quad
	rest := string(data)
	for rest != "" {
		end := strings.IndexAny(rest, "\r\n")
		line := rest
		if end < 0 {
			rest = ""
		} else {
			line, rest = rest[:end], rest[end+1:]
		}
		r := nqReader{s: line}
		r.space()
		if r.s == "" || r.s[0] == '#' {
			continue
		}
		q, ok := r.statement()
		if !ok {
			return nil, ErrNQuads
		}
		quads = append(quads, q)
	}
	return quads, nil
}

// nqReader eats one line from the left.
type nqReader struct{ s string }

func (r *nqReader) space() { r.s = strings.TrimLeft(r.s, " \t") }

func (r *nqReader) statement() (q Quad, ok bool) {
	if q.Subject, ok = r.node(); !ok {
		return q, false
	}
	r.space()
	if q.Predicate, ok = r.iri(); !ok {
		return q, false
	}
	r.space()
	if strings.HasPrefix(r.s, `"`) {
		q.Object, ok = r.literal()
	} else {
		q.Object, ok = r.node()
	}
	if !ok {
		return q, false
	}
	r.space()
	if !strings.HasPrefix(r.s, ".") {
		if q.Graph, ok = r.node(); !ok {
			return q, false
		}
		r.space()
	}
	if !strings.HasPrefix(r.s, ".") {
		return q, false
	}
	r.s = r.s[1:]
	r.space()
	return q, r.s == "" || r.s[0] == '#'
}

// node reads an IRI or a blank node.
func (r *nqReader) node() (Term, bool) {
	if strings.HasPrefix(r.s, "_:") {
		n := labelLength(r.s[2:])
		label := r.s[2 : 2+n]
		r.s = r.s[2+n:]
		return Term{Kind: Blank, Value: label}, n > 0
	}
	return r.iri()
}

func (r *nqReader) iri() (Term, bool) {
	if !strings.HasPrefix(r.s, "<") {
		return Term{}, false
	}
	end := strings.IndexByte(r.s, '>')
	if end < 0 {
		return Term{}, false
	}
	v, ok := unescape(r.s[1:end], false)
	r.s = r.s[end+1:]
	return Term{Kind: IRI, Value: v}, ok && IsIRI(v)
}

func (r *nqReader) literal() (Term, bool) {
	end := 1
	for end < len(r.s) && r.s[end] != '"' {
		if r.s[end] == '\\' {
			end++
		}
		end++
	}
	if end >= len(r.s) {
		return Term{}, false
	}
	v, ok := unescape(r.s[1:end], true)
	t := Term{Kind: Literal, Value: v}
	r.s = r.s[end+1:]
	switch {
	case !ok:
		return Term{}, false
	case strings.HasPrefix(r.s, "@"):
		n := 1
		for n < len(r.s) && (alphanumeric(r.s[n]) || r.s[n] == '-') {
			n++
		}
		t.Lang, r.s = r.s[1:n], r.s[n:]
		return t, languageTag(t.Lang)
	case strings.HasPrefix(r.s, "^^"):
		r.s = r.s[2:]
		d, ok := r.iri()
		if d.Value != xsdString {
			t.Datatype = d.Value
		}
		// A language-tagged string without its tag is no literal of RDF.
		return t, ok && d.Value != langString
	}
	return t, true
}

// unescape undoes UCHAR and, in literals, ECHAR. A code point that is none (a
// surrogate, or above U+10FFFF) is refused.
func unescape(s string, echar bool) (string, bool) {
	i := strings.IndexByte(s, '\\')
	if i < 0 {
		return s, true
	}
	var b strings.Builder
	for ; i >= 0; i = strings.IndexByte(s, '\\') {
		b.WriteString(s[:i])
		s = s[i+1:]
		if s == "" {
			return "", false
		}
		c := s[0]
		s = s[1:]
		if k := strings.IndexByte(`tbnrf"'\`, c); k >= 0 && echar {
			b.WriteByte("\t\b\n\r\f\"'\\"[k])
			continue
		}
		n := map[byte]int{'u': 4, 'U': 8}[c]
		if n == 0 || len(s) < n {
			return "", false
		}
		var r rune
		for _, c := range []byte(s[:n]) {
			d := strings.IndexByte("0123456789abcdef", c|0x20)
			if d < 0 || (c < 'A' && c > '9') || c < '0' {
				return "", false
			}
			r = r<<4 | rune(d)
			if r > utf8.MaxRune {
				return "", false
			}
		}
		if !utf8.ValidRune(r) {
			return "", false
		}
		b.WriteRune(r)
		s = s[n:]
	}
	b.WriteString(s)
	return b.String(), true
}

// labelLength gives how many bytes at the start of s are a blank node label
// (BLANK_NODE_LABEL of N-Quads without "_:").
func labelLength(s string) int {
	length := 0
	for i, r := range s {
		switch {
		case pnCharsU(r) || r >= '0' && r <= '9':
		case i > 0 && (r == '-' || r == 0xB7 || r >= 0x300 && r <= 0x36F || r == 0x203F || r == 0x2040):
		case i > 0 && r == '.':
			continue // counts only if something follows
		default:
			return length
		}
		length = i + utf8.RuneLen(r)
	}
	return length
}

// pnCharsU is the production PN_CHARS_U of N-Quads, which has ':' beside '_'.
func pnCharsU(r rune) bool {
	switch {
	case r < 0x80:
		return r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r == '_' || r == ':'
	case r < 0xC0 || r == 0xD7 || r == 0xF7:
		return false
	case r <= 0x2FF:
		return true
	}
	return r >= 0x370 && r <= 0x37D || r >= 0x37F && r <= 0x1FFF || r >= 0x200C && r <= 0x200D ||
		r >= 0x2070 && r <= 0x218F || r >= 0x2C00 && r <= 0x2FEF || r >= 0x3001 && r <= 0xD7FF ||
		r >= 0xF900 && r <= 0xFDCF || r >= 0xFDF0 && r <= 0xFFFD || r >= 0x10000 && r <= 0xEFFFF
}

func alphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

// languageTag reports whether s is [a-zA-Z]{1,8}(-[a-zA-Z0-9]{1,8})*: well formed
// in the sense of N-Quads, with the lengths of BCP 47.
func languageTag(s string) bool {
	for first := true; ; first = false {
		part, rest, more := strings.Cut(s, "-")
		if part == "" || len(part) > 8 {
			return false
		}
		for i := 0; i < len(part); i++ {
			if !alphanumeric(part[i]) || first && part[i] <= '9' {
				return false
			}
		}
		if !more {
			return true
		}
		s = rest
	}
}

// iriByte is 1 for each byte that an IRI may hold (IRIREF of N-Quads).
var iriByte = func() (t [256]byte) {
	for i := range t {
		if i > 0x20 && strings.IndexByte("<>\"{}|^`\\\x7f", byte(i)) < 0 {
			t[i] = 1
		}
	}
	return t
}()

// IsIRI reports whether s is an absolute IRI as N-Quads can write it: a scheme,
// a colon, no character that must not stand in an IRI, and at most one
// fragment. It says nothing of what the scheme asks for.
func IsIRI(s string) bool {
	colon, fragment := -1, false
	for i := 0; i < len(s); i++ {
		c := s[i]
		if iriByte[c] == 0 || c == '#' && fragment {
			return false
		}
		fragment = fragment || c == '#'
		if colon < 0 {
			switch {
			case c == ':' && i > 0:
				colon = i
			case c|0x20 >= 'a' && c|0x20 <= 'z':
			case i > 0 && (c >= '0' && c <= '9' || c == '+' || c == '-' || c == '.'):
			default:
				return false
			}
		}
	}
	return colon > 0
}

// invisible reports whether a character takes no place where it is shown, or
// none of its own: controls, formats, spaces, private use, variation selectors,
// fillers and what is no character.
func invisible(r rune) bool {
	return r > unicode.MaxASCII && (unicode.In(r, unicode.C, unicode.Z, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point) ||
		r&0xfffe == 0xfffe || r >= 0xfdd0 && r <= 0xfdef || r >= 0xfff0 && r <= 0xffff || r >= 0xe0000 && r <= 0xe0fff)
}

// AppendQuad appends q as one line of canonical N-Quads (RDF Dataset
// Canonicalization 1.0, section 5: canonical form of N-Quads), with its "\n".
// Labels of blank nodes are written as they are.
func AppendQuad(dst []byte, q Quad) []byte {
	dst = appendTerm(dst, &q.Subject)
	dst = append(dst, ' ')
	dst = appendTerm(dst, &q.Predicate)
	dst = append(dst, ' ')
	dst = appendTerm(dst, &q.Object)
	dst = append(dst, ' ')
	if q.Graph.Kind != None {
		dst = appendTerm(dst, &q.Graph)
		dst = append(dst, ' ')
	}
	return append(dst, ".\n"...)
}

func appendTerm(dst []byte, t *Term) []byte {
	switch t.Kind {
	case IRI:
		return appendIRI(dst, t.Value)
	case Blank:
		return append(append(dst, "_:"...), t.Value...)
	case Literal:
		dst = append(dst, '"')
		dst = appendEscaped(dst, t.Value)
		dst = append(dst, '"')
		switch {
		case t.Lang != "":
			dst = append(append(dst, '@'), t.Lang...)
		case t.Datatype != "" && t.Datatype != xsdString:
			dst = appendIRI(append(dst, "^^"...), t.Datatype)
		}
	}
	return dst
}

// appendIRI writes an IRI. A character that may not stand in one is escaped, so
// that no value can end the term early; IsIRI refuses it beforehand.
func appendIRI(dst []byte, s string) []byte {
	dst = append(dst, '<')
	from := 0
	for i := 0; i < len(s); i++ {
		if iriByte[s[i]] == 0 {
			dst = append(dst, s[from:i]...)
			dst = appendUchar(dst, s[i])
			from = i + 1
		}
	}
	dst = append(dst, s[from:]...)
	return append(dst, '>')
}

// echar holds, for each byte that a canonical literal escapes, its letter, or
// 'u' where it has none.
var echar = func() (t [256]byte) {
	for i := range 0x20 {
		t[i] = 'u'
	}
	t[0x7f] = 'u'
	for i, c := range []byte("\t\b\n\r\f\"\\") {
		t[c] = `tbnrf"\`[i]
	}
	return t
}()

func appendEscaped[T text](dst []byte, s T) []byte {
	from := 0
	for i := 0; i < len(s); i++ {
		e := echar[s[i]]
		if e == 0 {
			continue
		}
		dst = append(dst, s[from:i]...)
		if e == 'u' {
			dst = appendUchar(dst, s[i])
		} else {
			dst = append(dst, '\\', e)
		}
		from = i + 1
	}
	return append(dst, s[from:]...)
}

func appendUchar(dst []byte, c byte) []byte {
	const hex = "0123456789ABCDEF"
	return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}
