//go:build !js

package vc

import (
	"math/big"
	"reflect"
	"regexp/syntax"
	"strconv"
	"sync"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// quick is a schema of the library in a form that is asked about JSON text as it
// lies there. It says yes where the library does and does not say why it says no.
// It knows the keywords that
// our schemas use; a schema with another one has no quick form.
type quick struct {
	never      bool // the schema is false
	types      map[byte]bool
	values     []quickValue // enum
	constant   *quickValue
	format     func(any) error
	required   []string
	properties map[string]*quick
	others     *quick // additionalProperties
	rest       *quick // unevaluatedProperties
	same       []*quick
	any        []*quick
	not        *quick
	when       *quick
	then, els  *quick

	minItems, maxItems   int // -1: none
	unique               bool
	prefix               []*quick
	items                *quick
	minLength, maxLength int // -1: none
	pattern              func(string) bool
	minimum, maximum     *int64
}

// quickValue is a value of enum or const: a string, a whole number as it is
// written, a literal, or a list of these.
type quickValue struct {
	kind byte // as in place
	text string
	list []quickValue
}

// quickly gives the quick form of a schema, nil if it has none.
func quickly(s *jsonschema.Schema) *quick {
	c := quickener{done: map[*jsonschema.Schema]*quick{}}
	q := c.schema(s)
	if c.unknown {
		return nil
	}
	return q
}

type quickener struct {
	done    map[*jsonschema.Schema]*quick
	unknown bool
}

// quickFields are the fields of the library's schema that are understood here, or
// say nothing about what is valid.
var quickFields = map[string]bool{
	"DraftVersion": true, "Location": true, "ID": true, "Anchor": true, "Title": true, "Description": true, "Default": true, "Comment": true,
	"Bool": true, "Ref": true, "Types": true, "Enum": true, "Const": true, "Not": true, "AllOf": true, "AnyOf": true,
	"If": true, "Then": true, "Else": true, "Format": true, "Required": true, "Properties": true, "AdditionalProperties": true,
	"UnevaluatedProperties": true, "MinItems": true, "MaxItems": true, "UniqueItems": true, "PrefixItems": true, "Items2020": true,
	"MinLength": true, "MaxLength": true, "Pattern": true, "Maximum": true, "Minimum": true,
}

func (c *quickener) schema(s *jsonschema.Schema) *quick {
	if s == nil {
		return nil
	}
	if q := c.done[s]; q != nil {
		return q
	}
	q := &quick{}
	c.done[s] = q
	v := reflect.ValueOf(s).Elem()
	for i := range v.NumField() {
		if f := v.Type().Field(i); f.IsExported() && !quickFields[f.Name] && !v.Field(i).IsZero() {
			c.unknown = true
		}
	}
	if s.DraftVersion != 2020 {
		c.unknown = true
	}
	if s.Bool != nil {
		q.never = !*s.Bool
	}
	if s.Types != nil && !s.Types.IsEmpty() {
		q.types = c.kinds(s.Types.ToStrings())
	}
	if s.Enum != nil {
		for _, x := range s.Enum.Values {
			q.values = append(q.values, c.value(x))
		}
		c.unknown = c.unknown || len(q.values) == 0
	}
	if s.Const != nil {
		x := c.value(*s.Const)
		q.constant = &x
	}
	if s.Format != nil {
		q.format = s.Format.Validate
	}
	q.required = s.Required
	if len(s.Properties) > 0 {
		q.properties = map[string]*quick{}
		for name, p := range s.Properties {
			q.properties[name] = c.schema(p)
		}
	}
	switch o := s.AdditionalProperties.(type) {
	case nil:
	case bool:
		q.others = &quick{never: !o}
		q.others.open()
	case *jsonschema.Schema:
		q.others = c.schema(o)
	default:
		c.unknown = true
	}
	q.rest = c.schema(s.UnevaluatedProperties)
	if s.Ref != nil {
		q.same = append(q.same, c.schema(s.Ref))
	}
	for _, x := range s.AllOf {
		q.same = append(q.same, c.schema(x))
	}
	for _, x := range s.AnyOf {
		q.any = append(q.any, c.schema(x))
	}
	q.not, q.when, q.then, q.els = c.schema(s.Not), c.schema(s.If), c.schema(s.Then), c.schema(s.Else)
	for _, x := range s.PrefixItems {
		q.prefix = append(q.prefix, c.schema(x))
	}
	q.items, q.unique = c.schema(s.Items2020), s.UniqueItems
	q.minItems, q.maxItems, q.minLength, q.maxLength = bound(s.MinItems), bound(s.MaxItems), bound(s.MinLength), bound(s.MaxLength)
	if s.Pattern != nil {
		if q.pattern = quickPattern(s.Pattern.String()); q.pattern == nil {
			q.pattern = s.Pattern.MatchString
		}
	}
	q.minimum, q.maximum = c.whole(s.Minimum), c.whole(s.Maximum)
	return q
}

// open makes a schema without bounds.
func (q *quick) open() { q.minItems, q.maxItems, q.minLength, q.maxLength = -1, -1, -1, -1 }

func bound(n *int) int {
	if n == nil {
		return -1
	}
	return *n
}

func (c *quickener) whole(r *big.Rat) *int64 {
	if r == nil {
		return nil
	}
	if !r.IsInt() || !r.Num().IsInt64() {
		c.unknown = true
		return nil
	}
	n := r.Num().Int64()
	return &n
}

// kinds gives the first bytes of values of these types. A number is always whole
// here.
func (c *quickener) kinds(types []string) map[byte]bool {
	out := map[byte]bool{}
	for _, t := range types {
		switch t {
		case "object":
			out['{'] = true
		case "array":
			out['['] = true
		case "string":
			out['"'] = true
		case "integer", "number":
			out['0'] = true
		case "boolean":
			out['t'], out['f'] = true, true
		case "null":
			out['n'] = true
		default:
			c.unknown = true
		}
	}
	return out
}

func (c *quickener) value(v any) quickValue {
	switch v := v.(type) {
	case nil:
		return quickValue{kind: 'n'}
	case bool:
		if v {
			return quickValue{kind: 't'}
		}
		return quickValue{kind: 'f'}
	case string:
		return quickValue{kind: '"', text: v}
	case interface{ Int64() (int64, error) }: // json.Number
		if n, err := v.Int64(); err == nil {
			return quickValue{kind: '0', text: strconv.FormatInt(n, 10)}
		}
	case []any:
		out := quickValue{kind: '['}
		for _, x := range v {
			out.list = append(out.list, c.value(x))
		}
		return out
	}
	c.unknown = true
	return quickValue{}
}

// place is one value of a document. Those below it follow it, up to end.
type place struct {
	kind byte   // { [ " t f n, and 0 for a number
	name []byte // of a member of an object
	text []byte // of a string: what it says; of a number: how it is written
	end  int    // the place after the last one below
	n    int    // how many members or entries
}

// places are those of a document in their order, and room for what had to be
// unescaped.
type places struct {
	list []place
	r    reader
	// unsure: there is something that the library has to judge, such as a number
	// that is not a plain whole one.
	unsure bool
}

var placesPool = sync.Pool{New: func() any { return &places{} }}

// allows reports whether the schema allows a document that CheckJSON has passed,
// and whether that is sure. If it is not, the library has to find out.
func (q *quick) allows(data []byte) (ok, sure bool) {
	p := placesPool.Get().(*places)
	p.list, p.r, p.unsure = p.list[:0], reader{d: data}, false
	p.read(nil)
	if !p.unsure {
		ok, _ = q.check(p, 0)
	}
	ok, sure = ok && !p.unsure, !p.unsure
	clear(p.list) // nothing of a document stays behind
	p.r = reader{}
	if cap(p.list) <= 1024 {
		placesPool.Put(p)
	}
	return ok, sure
}

// read adds the value that follows. Its depth was checked.
func (p *places) read(name []byte) {
	at := len(p.list)
	c := p.r.peek()
	p.list = append(p.list, place{kind: c, name: name})
	n := 0
	switch c {
	case '{':
		p.r.i++
		for first := true; p.r.more(first); first = false {
			p.r.space()
			name := p.said()
			if p.r.peek() == ':' {
				p.r.i++
			}
			p.read(name)
			n++
		}
	case '[':
		p.r.i++
		for first := true; p.r.more(first); first = false {
			p.read(nil)
			n++
		}
	case '"':
		p.list[at].text = p.said()
	case 't', 'f', 'n':
		p.r.skip()
	default:
		digits := p.r.skip()
		p.list[at].kind, p.list[at].text = '0', digits
		p.unsure = p.unsure || oddDigits(digits)
	}
	p.list[at].n, p.list[at].end = n, len(p.list)
}

// said gives what the string says that follows.
func (p *places) said() []byte {
	s, escaped := p.r.text()
	if escaped {
		return []byte(unquote(s))
	}
	return s
}

// oddDigits is oddNumber for a number as it is written.
func oddDigits(b []byte) bool {
	if len(b) > 0 && b[0] == '-' {
		b = b[1:]
	}
	if len(b) == 0 || len(b) > 15 {
		return true
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return true
		}
	}
	return false
}

// mostMembers is how many members of an object can be told apart in what check
// gives; of a larger object nothing is said.
const mostMembers = 64

// check reports whether the value at a place is allowed, and which members of it,
// if it is an object, were looked at by this schema or one applied to the same
// place: a bit for each, in their order.
func (q *quick) check(doc *places, at int) (ok bool, seen uint64) {
	p := &doc.list[at]
	switch {
	case q.never,
		q.types != nil && !q.types[p.kind],
		q.constant != nil && !q.constant.is(doc, at),
		len(q.values) > 0 && !q.among(doc, at):
		return false, 0
	}
	switch p.kind {
	case '{':
		ok, seen = q.object(doc, at)
	case '[':
		ok = q.array(doc, at)
	case '"':
		ok = q.text(p.text)
	case '0':
		ok = q.number(p.text)
	default:
		ok = true
	}
	if !ok {
		return false, 0
	}
	if ok, seen = q.beside(doc, at, seen); !ok || q.rest == nil || p.kind != '{' {
		return ok, seen
	}
	for n, m := 0, at+1; n < p.n; n, m = n+1, doc.list[m].end {
		if seen>>n&1 == 0 {
			if ok, _ := q.rest.check(doc, m); !ok {
				return false, 0
			}
		}
	}
	return true, ^uint64(0)
}

// beside asks the schemas that are applied to the same place.
func (q *quick) beside(doc *places, at int, seen uint64) (bool, uint64) {
	for _, s := range q.same {
		ok, more := s.check(doc, at)
		if !ok {
			return false, 0
		}
		seen |= more
	}
	if q.not != nil {
		if ok, _ := q.not.check(doc, at); ok {
			return false, 0
		}
	}
	if len(q.any) > 0 {
		one := false
		for _, s := range q.any {
			ok, more := s.check(doc, at)
			if ok {
				one = true
				seen |= more
			}
		}
		if !one {
			return false, 0
		}
	}
	if q.when == nil {
		return true, seen
	}
	next := q.els
	if ok, more := q.when.check(doc, at); ok {
		next = q.then
		seen |= more
	}
	if next == nil {
		return true, seen
	}
	ok, more := next.check(doc, at)
	return ok, seen | more
}

func (q *quick) object(doc *places, at int) (ok bool, seen uint64) {
	p := &doc.list[at]
	if p.n > mostMembers {
		doc.unsure = true
		return false, 0
	}
	for _, name := range q.required {
		if !has(doc, at, name) {
			return false, 0
		}
	}
	if q.properties == nil && q.others == nil {
		return true, 0
	}
	for n, m := 0, at+1; n < p.n; n, m = n+1, doc.list[m].end {
		s := q.properties[string(doc.list[m].name)]
		if s == nil {
			s = q.others
		}
		if s == nil {
			continue
		}
		seen |= 1 << n
		if ok, _ := s.check(doc, m); !ok {
			return false, 0
		}
	}
	return true, seen
}

func has(doc *places, at int, name string) bool {
	for n, m := 0, at+1; n < doc.list[at].n; n, m = n+1, doc.list[m].end {
		if string(doc.list[m].name) == name {
			return true
		}
	}
	return false
}

func (q *quick) array(doc *places, at int) bool {
	p := &doc.list[at]
	if p.n < q.minItems || q.maxItems >= 0 && p.n > q.maxItems || q.unique && !distinct(doc, at) {
		return false
	}
	for n, m := 0, at+1; n < p.n; n, m = n+1, doc.list[m].end {
		s := q.items
		if n < len(q.prefix) {
			s = q.prefix[n]
		}
		if s == nil {
			continue
		}
		if ok, _ := s.check(doc, m); !ok {
			return false
		}
	}
	return true
}

// distinct reports that no two entries are equal, of a list of strings. Of
// another list with more than one entry the library has to find out.
func distinct(doc *places, at int) bool {
	p := &doc.list[at]
	if p.n > 1 && (p.n > mostMembers || p.end != at+1+p.n) {
		doc.unsure = true
		return false
	}
	for n := 1; n < p.n; n++ {
		a := &doc.list[at+1+n]
		for m := range n {
			b := &doc.list[at+1+m]
			if a.kind != '"' || b.kind != '"' {
				doc.unsure = true
				return false
			}
			if string(a.text) == string(b.text) {
				return false
			}
		}
	}
	return true
}

func (q *quick) text(s []byte) bool {
	if q.minLength >= 0 || q.maxLength >= 0 {
		n := utf8.RuneCount(s)
		if n < q.minLength || q.maxLength >= 0 && n > q.maxLength {
			return false
		}
	}
	if q.pattern == nil && q.format == nil {
		return true
	}
	t := string(s)
	return (q.pattern == nil || q.pattern(t)) && (q.format == nil || q.format(t) == nil)
}

func (q *quick) number(digits []byte) bool {
	if q.minimum == nil && q.maximum == nil {
		return true
	}
	n, err := strconv.ParseInt(string(digits), 10, 64)
	return err == nil && (q.minimum == nil || n >= *q.minimum) && (q.maximum == nil || n <= *q.maximum)
}

func (q *quick) among(doc *places, at int) bool {
	for i := range q.values {
		if q.values[i].is(doc, at) {
			return true
		}
	}
	return false
}

func (v *quickValue) is(doc *places, at int) bool {
	p := &doc.list[at]
	if p.kind != v.kind {
		return false
	}
	switch p.kind {
	case '"':
		return string(p.text) == v.text
	case '0':
		n, err := strconv.ParseInt(string(p.text), 10, 64)
		return err == nil && strconv.FormatInt(n, 10) == v.text
	case '[':
		if p.n != len(v.list) {
			return false
		}
		for n, m := 0, at+1; n < p.n; n, m = n+1, doc.list[m].end {
			if !v.list[n].is(doc, m) {
				return false
			}
		}
	}
	return true
}

// run is a part of a pattern: so many bytes of a class.
type run struct {
	class    [2]uint64 // of ASCII
	min, max int       // max -1: any number
}

func (r *run) has(c byte) bool { return c < 128 && r.class[c>>6]>>(c&63)&1 == 1 }

// quickPattern gives a function for a regular expression that is anchored at both
// ends and a row of classes of ASCII, each so often, where the end of a part whose
// length is open can be seen at the next byte. Nil: it is not.
func quickPattern(pattern string) func(string) bool {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil || re.Op != syntax.OpConcat || len(re.Sub) < 3 ||
		re.Sub[0].Op != syntax.OpBeginText || re.Sub[len(re.Sub)-1].Op != syntax.OpEndText {
		return nil
	}
	var runs []run
	for _, part := range re.Sub[1 : len(re.Sub)-1] {
		more := runsOf(part)
		if more == nil {
			return nil
		}
		runs = append(runs, more...)
	}
	for i := range len(runs) - 1 {
		a, b := runs[i], runs[i+1]
		if a.min != a.max && (b.min == 0 || a.class[0]&b.class[0] != 0 || a.class[1]&b.class[1] != 0) {
			return nil
		}
	}
	return func(s string) bool {
		i := 0
		for k := range runs {
			r := &runs[k]
			n := 0
			for i < len(s) && n != r.max && r.has(s[i]) {
				i++
				n++
			}
			if n < r.min {
				return false
			}
		}
		return i == len(s)
	}
}

// runsOf gives the runs of a part of a pattern, nil for a part of another kind.
func runsOf(re *syntax.Regexp) []run {
	if re.Flags&syntax.FoldCase != 0 {
		return nil
	}
	switch re.Op {
	case syntax.OpLiteral:
		var out []run
		for _, c := range re.Rune {
			if c >= utf8.RuneSelf {
				return nil
			}
			r := run{min: 1, max: 1}
			r.class[c>>6] |= 1 << (c & 63)
			out = append(out, r)
		}
		return out
	case syntax.OpCharClass:
		r := run{min: 1, max: 1}
		for i := 0; i < len(re.Rune); i += 2 {
			if re.Rune[i+1] >= utf8.RuneSelf {
				return nil
			}
			for c := re.Rune[i]; c <= re.Rune[i+1]; c++ {
				r.class[c>>6] |= 1 << (c & 63)
			}
		}
		return []run{r}
	case syntax.OpRepeat, syntax.OpPlus, syntax.OpStar, syntax.OpQuest:
		one := runsOf(re.Sub[0])
		if len(one) != 1 || one[0].min != 1 || one[0].max != 1 {
			return nil
		}
		switch re.Op {
		case syntax.OpRepeat:
			one[0].min, one[0].max = re.Min, re.Max
		case syntax.OpPlus:
			one[0].max = -1
		case syntax.OpStar:
			one[0].min, one[0].max = 0, -1
		default:
			one[0].min = 0
		}
		return one
	}
	return nil
}
