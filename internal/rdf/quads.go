package rdf

import (
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/kinpass/kinpass/internal/fault"
)

// Faults of reading JSON-LD strictly.
var (
	ErrIRI       = fault.New(fault.Unprocessable, "jsonld-iri", "an identifier or type is not an absolute IRI")
	ErrUndefined = fault.New(fault.Unprocessable, "jsonld-undefined", "a term, type or value has no meaning in the contexts of the document")
	ErrJSONLD    = fault.New(fault.Unprocessable, "jsonld-invalid", "the document is not valid JSON-LD")
	ErrNumber    = fault.New(fault.Unprocessable, "jsonld-number", "a number has more digits than every reader keeps")
)

// i18n is the namespace of datatypes for text with a base direction (JSON-LD 1.1
// API, section 8.2.3: rdfDirection i18n-datatype), so that a direction is part of
// what is signed.
const i18n = "https://www.w3.org/ns/i18n#"

const (
	rdfType  = rdfNS + "type"
	rdfFirst = rdfNS + "first"
	rdfRest  = rdfNS + "rest"
	rdfNil   = rdfNS + "nil"
	rdfJSON  = rdfNS + "JSON"
)

// emitter turns expanded JSON-LD into quads (JSON-LD 1.1 API, section 8): as
// written, without a node map, since a set of quads does not know in which order
// nodes were merged. A strict emitter refuses whatever would be left out.
type emitter struct {
	lenient bool // leave out what has no RDF, as the specification says
	dropDir bool // rdfDirection null: a base direction is left out
	quads   []Quad
	labels  map[string]*label // of blank nodes in the document
	blanks  int
}

// graph emits the nodes of one graph.
func (e *emitter) graph(nodes []any, graph Term) error {
	for _, v := range nodes {
		before := len(e.quads)
		self, err := e.node(v, graph)
		if err != nil {
			return err
		}
		// A node that says nothing would vanish, although others stand in it.
		if !e.lenient && !slices.ContainsFunc(e.quads[before:], func(q Quad) bool {
			return q.Subject == self || q.Graph == self || q.Object == self
		}) {
			return ErrUndefined
		}
	}
	return nil
}

// label is what became of a blank node's label.
type label struct {
	value string
	uses  int
}

// document emits the nodes of a document.
func (e *emitter) document(nodes []any) error {
	if err := e.graph(nodes, Term{}); err != nil || e.lenient {
		return err
	}
	for _, l := range e.labels {
		if l.uses < 2 {
			return ErrUndefined // a label that ties nothing together would vanish
		}
	}
	return nil
}

func (e *emitter) blank() Term {
	e.blanks++
	return Term{Kind: Blank, Value: "b" + strconv.Itoa(e.blanks-1)}
}

// resource gives the term of an @id, @type or property. A blank node's label is
// only good within the document.
func (e *emitter) resource(s string) (Term, error) {
	if strings.HasPrefix(s, "_:") {
		l := e.labels[s]
		if l == nil {
			l = &label{value: e.blank().Value}
			if e.labels == nil {
				e.labels = map[string]*label{}
			}
			e.labels[s] = l
		}
		l.uses++
		return Term{Kind: Blank, Value: l.value}, nil
	}
	if !e.isIRI(s) {
		if e.lenient {
			return Term{}, nil
		}
		return Term{}, ErrIRI
	}
	return Term{Kind: IRI, Value: s}, nil
}

// isIRI reports whether s may be named in RDF. Strictly, nothing in it is
// invisible: what looks the same must be the same.
func (e *emitter) isIRI(s string) bool {
	return IsIRI(s) && (e.lenient || !strings.ContainsFunc(s, invisible))
}

func (e *emitter) add(s Term, p string, o, g Term) {
	e.quads = append(e.quads, Quad{s, Term{Kind: IRI, Value: p}, o, g})
}

// node emits a node object and all below it, and gives its term.
func (e *emitter) node(v any, graph Term) (Term, error) {
	m, ok := v.(map[string]any)
	if !ok {
		return Term{}, ErrJSONLD
	}
	self, err := e.self(m)
	if err != nil || self.Kind == None {
		return self, err
	}
	for _, key := range sorted(m) {
		values := m[key]
		switch key {
		case "@id":
		case "@index":
			if !e.lenient {
				return Term{}, ErrUndefined
			}
		case "@type":
			err = e.types(self, values, graph)
		case "@graph":
			err = e.graph(list(values), self)
		case "@included":
			err = e.graph(list(values), graph)
		case "@reverse":
			reverse, _ := values.(map[string]any)
			for _, p := range sorted(reverse) {
				for _, v := range list(reverse[p]) {
					if err := e.property(property{p, graph, true}, self, v); err != nil {
						return Term{}, err
					}
				}
			}
		default:
			err = e.values(property{key, graph, false}, self, list(values))
		}
		if err != nil {
			return Term{}, err
		}
	}
	return self, nil
}

func (e *emitter) self(m map[string]any) (Term, error) {
	id, ok := m["@id"]
	if !ok {
		return e.blank(), nil
	}
	s, ok := id.(string)
	if !ok {
		return Term{}, ErrJSONLD
	}
	return e.resource(s)
}

func (e *emitter) types(self Term, values any, graph Term) error {
	for _, v := range list(values) {
		s, ok := v.(string)
		if !ok {
			return ErrJSONLD
		}
		t, err := e.resource(s)
		if err != nil {
			return err
		}
		if t.Kind == Blank && !e.lenient {
			return ErrIRI
		}
		if t.Kind != None {
			e.add(self, rdfType, t, graph)
		}
	}
	if len(list(values)) == 0 && !e.lenient {
		return ErrUndefined
	}
	return nil
}

// property says where a value belongs.
type property struct {
	iri     string
	graph   Term
	reverse bool
}

// mayBeEmpty reports whether an empty array of a property may vanish: a
// presentation without credentials is the same as one with an empty array of
// them, and the schema of births asks for parentage even of a foundling.
func mayBeEmpty(iri string) bool {
	return iri == "https://www.w3.org/2018/credentials#verifiableCredential" || iri == "https://w3id.org/kinpass/v1#parentage"
}

func (e *emitter) values(p property, self Term, values []any) error {
	if len(values) == 0 && !e.lenient && !mayBeEmpty(p.iri) {
		return ErrUndefined // an empty array would vanish
	}
	for _, v := range values {
		if err := e.property(p, self, v); err != nil {
			return err
		}
	}
	return nil
}

func (e *emitter) property(p property, self Term, v any) error {
	if !e.isIRI(p.iri) { // a blank node as a property is no RDF
		if e.lenient {
			return nil
		}
		return ErrIRI
	}
	o, err := e.object(v, p.graph)
	if err != nil || o.Kind == None {
		return err
	}
	switch {
	case !p.reverse:
		e.add(self, p.iri, o, p.graph)
	case o.Kind == Literal:
		return ErrJSONLD
	default:
		e.add(o, p.iri, self, p.graph)
	}
	return nil
}

// object gives the term of a value, list or node.
func (e *emitter) object(v any, graph Term) (Term, error) {
	m, ok := v.(map[string]any)
	if !ok {
		return Term{}, ErrJSONLD
	}
	if _, ok := m["@index"]; ok && !e.lenient {
		return Term{}, ErrUndefined
	}
	if value, ok := m["@value"]; ok {
		return e.literal(m, value)
	}
	if items, ok := m["@list"]; ok {
		if len(m) != 1 && !e.lenient {
			return Term{}, ErrUndefined // only the values of a list are emitted
		}
		return e.list(list(items), graph)
	}
	return e.node(m, graph)
}

func (e *emitter) list(items []any, graph Term) (Term, error) {
	if len(items) == 0 {
		return Term{Kind: IRI, Value: rdfNil}, nil
	}
	first := e.blank()
	at := first
	for i, v := range items {
		o, err := e.object(v, graph)
		if err != nil {
			return Term{}, err
		}
		if o.Kind != None {
			e.add(at, rdfFirst, o, graph)
		}
		next := Term{Kind: IRI, Value: rdfNil}
		if i < len(items)-1 {
			next = e.blank()
		}
		e.add(at, rdfRest, next, graph)
		at = next
	}
	return first, nil
}

// literal is Object to RDF Conversion (8.2.2) for value objects.
func (e *emitter) literal(m map[string]any, value any) (Term, error) {
	datatype, typed := m["@type"].(string)
	lang, hasLang := m["@language"].(string)
	direction, directed := m["@direction"].(string)
	emitted := 1 // the entries that become part of the literal
	for _, is := range []bool{typed && datatype != "", hasLang, directed && direction != ""} {
		if is {
			emitted++
		}
	}
	if !e.lenient && (len(m) != emitted || typed && emitted > 2) {
		return Term{}, ErrUndefined
	}
	t := Term{Kind: Literal, Datatype: datatype}
	if datatype == "@json" {
		if !e.lenient && !exactJSON(value) {
			return Term{}, ErrNumber
		}
		text, err := canonicalJSON(nil, value)
		t.Value, t.Datatype = string(text), rdfJSON
		return t, err
	}
	if datatype != "" && !e.isIRI(datatype) || hasLang && !languageTag(lang) {
		if e.lenient {
			return Term{}, nil
		}
		return Term{}, ErrIRI
	}
	switch v := value.(type) {
	case string:
		t.Value = v
	case bool:
		t.Value = strconv.FormatBool(v)
		if datatype == "" {
			t.Datatype = xsd + "boolean"
		}
	case number:
		if !e.lenient && !exact(v) {
			return Term{}, ErrNumber
		}
		t.Value, t.Datatype = numeral(v.value, datatype)
	default:
		return Term{}, ErrJSONLD
	}
	switch {
	case direction != "" && !e.dropDir:
		t.Datatype = i18n + strings.ToLower(lang) + "_" + direction
	case hasLang:
		t.Lang, t.Datatype = lang, ""
	case t.Datatype == xsdString:
		t.Datatype = ""
	}
	return t, nil
}

// numeral is the canonical lexical form of a number and its datatype.
func numeral(f float64, datatype string) (text, dt string) {
	if f != math.Trunc(f) || math.Abs(f) >= 1e21 || datatype == xsd+"double" {
		if datatype == "" {
			datatype = xsd + "double"
		}
		return double(f), datatype
	}
	if datatype == "" {
		datatype = xsd + "integer"
	}
	if f == 0 {
		f = 0 // no negative zero
	}
	return strconv.FormatFloat(f, 'f', 0, 64), datatype
}

// double is the canonical form of xsd:double with at most 15 digits after the
// point ("%1.15E" without trailing zeros).
func double(f float64) string {
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'E', 15, 64), "E")
	mantissa = strings.TrimRight(mantissa, "0")
	if strings.HasSuffix(mantissa, ".") {
		mantissa += "0"
	}
	n, _ := strconv.Atoi(exponent)
	return mantissa + "E" + strconv.Itoa(n)
}

// exact reports whether the number keeps all its digits in RDF: another number
// must not be able to take its place unseen.
func exact(n number) bool {
	if n.value == 0 && n.text[0] == '-' {
		return false
	}
	if n.value == math.Trunc(n.value) && math.Abs(n.value) < 1e21 {
		return math.Abs(n.value) <= 1<<53 && digits(n.text) == digits(strconv.FormatFloat(n.value, 'f', -1, 64))
	}
	back, err := strconv.ParseFloat(double(n.value), 64)
	return err == nil && back == n.value && digits(n.text) == digits(double(n.value))
}

// exactJSON reports whether all numbers in a JSON literal keep all their digits.
func exactJSON(v any) bool {
	switch v := v.(type) {
	case number:
		return digits(v.text) == digits(ecmaNumber(v.value)) && (v.value != 0 || v.text[0] != '-')
	case []any:
		for _, x := range v {
			if !exactJSON(x) {
				return false
			}
		}
	case map[string]any:
		for _, x := range v {
			if !exactJSON(x) {
				return false
			}
		}
	}
	return true
}

// digits gives the significant digits of a decimal number, without its sign,
// point and exponent.
func digits(s string) string {
	s, _, _ = strings.Cut(strings.ToUpper(s), "E")
	s = strings.Replace(strings.TrimPrefix(s, "-"), ".", "", 1)
	return strings.Trim(s, "0")
}

// list gives the elements of an array, or a single value as an array.
func list(v any) []any {
	if a, ok := v.([]any); ok {
		return a
	}
	return []any{v}
}

func sorted(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
