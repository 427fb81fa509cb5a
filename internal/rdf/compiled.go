package rdf

import (
	"bytes"
	"sync"
)

// compiled turns a document of a compiled context list into its dataset. It
// gives nil for a document that it does not understand to the last value:
// whoever asks must then take the slow path, which knows whether there is an
// error. What it answers is what expansion by JSON-LD gives (JSON-LD 1.1 API,
// sections 5.1 and 8.1), and nothing of the document was dropped.
//
// The dataset is the caller's to release.
func compiled(doc []byte) *dataset { return compiledKeeping(doc, nil) }

// compiledKeeping is compiled, and keeps what doc contains, unless contained is
// nil.
func compiledKeeping(doc []byte, contained *Contained) *dataset {
	d := newDataset()
	w := walkers.Get().(*walker)
	w.data, w.doc, w.contained = d, doc, contained
	var ok bool
	if w.tokens, ok = scan(w.doc, w.tokens[:0]); ok {
		ok = w.document()
	}
	w.release()
	if !ok {
		d.release()
		return nil
	}
	return d
}

// walker goes over the tokens of one document and writes its quads.
type walker struct {
	data   *dataset
	doc    []byte
	tokens []token
	names  []member  // of the open objects, the innermost last
	nodes  []subject // with an IRI and something said about them

	contained *Contained // nil if nothing is to be kept
}

// member is a name of an object and its value, as tokens. id is -1 for a name
// that is no term. Like all that a walker remembers, it holds no pointers, so
// that nothing of a document is kept and nothing costs the garbage collector.
type member struct {
	name  int32
	value int32
	id    int32
	word  keyword
}

// keyword tells the names apart that the walker itself looks for.
type keyword uint8

const (
	noKeyword keyword = iota
	isContext         // @context
	isID              // @id
	mayBeID           // id, if the context says so
	isType            // @type
	mayBeType         // type, if the context says so
	isProof           // proof
)

func keywordOf(name []byte) keyword {
	switch string(name) {
	case "@context":
		return isContext
	case "@id":
		return isID
	case "id":
		return mayBeID
	case "@type":
		return isType
	case "type":
		return mayBeType
	case "proof":
		return isProof
	}
	return noKeyword
}

// subject is a node of a graph that the document describes: the token of its
// IRI.
type subject struct {
	iri   int32
	graph ref
}

// maxSubjects bounds the search for a node described twice.
const maxSubjects = 64

var walkers = sync.Pool{New: func() any { return new(walker) }}

// release keeps nothing of the document.
func (w *walker) release() {
	w.contained = nil
	w.data, w.doc, w.tokens, w.names, w.nodes = nil, nil, w.tokens[:0], w.names[:0], w.nodes[:0]
	if cap(w.tokens) <= 4096 {
		walkers.Put(w)
	}
}

func (w *walker) document() bool {
	if w.tokens[0].kind != '{' {
		return false
	}
	_, ok := w.object(0, place{active: noContext, top: true})
	return ok
}

// place is where an object stands: the active context of its parent, the term
// it is a value of (nil at the top), its graph.
type place struct {
	active *active
	term   *term
	graph  ref
	top    bool     // a lone IRI would be dropped here
	proof  *outline // notes where the object's proof is, unless nil
}

// text gives the content of a string that has no escapes.
func (w *walker) text(at int32) ([]byte, bool) {
	t := &w.tokens[at]
	return w.doc[t.off:t.end], t.kind == '"'
}

// object writes the quads of a node object and gives its node.
func (w *walker) object(at int32, p place) (ref, bool) {
	first := len(w.names)
	defer func() { w.names = w.names[:first] }()
	ctx, typed, ok := w.enter(at, p)
	if !ok {
		return 0, false
	}
	members := w.names[first:]
	self, said, id := ref(0), 0, int32(0)
	for i := range members {
		m := &members[i]
		if m.word == isContext {
			continue
		}
		if m.isID(ctx) {
			iri, ok := w.text(m.value)
			if !ok || self != 0 || !safeIRI(iri) {
				return 0, false
			}
			self, id = w.data.iri(iri), m.value
			continue
		}
		said++
	}
	switch {
	case self == 0:
		if p.top && said == 0 {
			return 0, false
		}
		self = w.data.blank()
	case said == 0:
		return self, !p.top
	case !w.describe(id, p.graph):
		return 0, false
	}
	// The members of inner objects go behind these, so the slice is taken anew
	// for each.
	for i := first; i < first+len(members); i++ {
		m := w.names[i]
		if m.word == isContext || m.isID(ctx) {
			continue
		}
		before := w.data.mark()
		if m.isType(ctx) {
			ok = w.types(m.value, self, typed, p.graph)
		} else {
			ok = w.property(m, self, ctx, p.graph)
		}
		if !ok {
			return 0, false
		}
		if p.proof != nil && m.word == isProof {
			p.proof.proof, p.proof.after, p.proof.proven = before, w.data.mark(), said > 1
		}
	}
	return self, true
}

// enter reads the names of an object and gives its active context and the one
// in which its types are looked up (JSON-LD 1.1 API, section 5.1.2, steps 7 to
// 11).
func (w *walker) enter(at int32, p place) (ctx, typed *active, ok bool) {
	first := len(w.names)
	if !w.members(at) {
		return nil, nil, false
	}
	members := w.names[first:]
	ctx = p.active
	if ctx.prev != nil {
		lone := false
		if len(members) == 1 {
			m := members[0]
			m.id = w.id(ctx, m)
			lone = m.isID(ctx)
		}
		if !lone {
			ctx = ctx.prev
		}
	}
	if p.term != nil {
		if p.term.reset {
			ctx = noContext
		} else if p.term.scoped != nil {
			ctx = ctx.under(p.term.scoped, modeProperty)
		}
	}
	for i := range members {
		if members[i].word == isContext && ctx != nil {
			if ctx != noContext {
				return nil, nil, false
			}
			ctx = w.context(members[i].value)
		}
	}
	if ctx == nil || ctx == noContext {
		return nil, nil, false
	}
	typed = ctx
	types := int32(-1)
	for i := range members {
		m := &members[i]
		m.id = w.id(ctx, *m)
		if m.isType(ctx) {
			if types >= 0 {
				return nil, nil, false
			}
			types = m.value
		}
	}
	if types >= 0 {
		ctx, ok = w.typeScoped(types, ctx)
		return ctx, typed, ok
	}
	return ctx, typed, true
}

func (p *program) id(name []byte) int32 {
	if id, ok := p.ids[string(name)]; ok {
		return id
	}
	return -1
}

func (w *walker) id(ctx *active, m member) int32 {
	name, _ := w.text(m.name)
	return ctx.prog.id(name)
}

func (m *member) isID(ctx *active) bool {
	return m.word == isID || m.word == mayBeID && ctx.keyword(m.id) == keywordID
}

func (m *member) isType(ctx *active) bool {
	return m.word == isType || m.word == mayBeType && ctx.keyword(m.id) == keywordType
}

func (a *active) keyword(id int32) role {
	if id < 0 || a.terms[id] == nil {
		return notMine
	}
	return a.terms[id].role
}

// members reads the names of an object. It refuses names with escapes and two
// names that are equal but for case.
func (w *walker) members(at int32) bool {
	t := &w.tokens[at]
	if t.n > maxMembers {
		return false
	}
	first := len(w.names)
	for i := at + 1; i < t.next; {
		name, ok := w.text(i)
		if !ok {
			return false
		}
		for _, o := range w.names[first:] {
			t := &w.tokens[o.name]
			if int(t.end-t.off) == len(name) && bytes.EqualFold(w.doc[t.off:t.end], name) {
				return false
			}
		}
		w.names = append(w.names, member{name: i, value: i + 1, id: -1, word: keywordOf(name)})
		i = w.tokens[i+1].next
	}
	return true
}

// context finds the program of an @context.
func (w *walker) context(at int32) *active {
	t := &w.tokens[at]
	from, n := at+1, int(t.n)
	switch t.kind {
	case '"':
		from, n = at, 1
	case '[':
	default:
		return nil
	}
lists:
	for k, urls := range compiledLists {
		if len(urls) != n {
			continue
		}
		for j, url := range urls {
			if s, ok := w.text(from + int32(j)); !ok || string(s) != url {
				continue lists
			}
		}
		if p := programs[k](); p != nil {
			return p.root
		}
		return nil
	}
	return nil
}

// elements calls each for a value, or for every element of an array.
func (w *walker) elements(at int32, each func(at int32) bool) bool {
	t := &w.tokens[at]
	if t.kind != '[' {
		return each(at)
	}
	for i := at + 1; i < t.next; i = w.tokens[i].next {
		if !each(i) {
			return false
		}
	}
	return true
}

// typeScoped applies the contexts of an object's types, in the order of their
// names.
func (w *walker) typeScoped(at int32, ctx *active) (*active, bool) {
	var few [8][]byte
	names := few[:0]
	ok := w.elements(at, func(at int32) bool {
		name, ok := w.text(at)
		if !ok || len(names) == cap(names) {
			return false
		}
		i := len(names)
		names = append(names, name)
		for ; i > 0 && bytes.Compare(names[i-1], name) > 0; i-- {
			names[i] = names[i-1]
		}
		names[i] = name
		return i == 0 || !bytes.Equal(names[i-1], name)
	})
	if !ok || len(names) == 0 {
		return nil, false
	}
	typed := ctx
	for _, name := range names {
		id := typed.prog.id(name)
		if id < 0 || typed.terms[id] == nil {
			continue
		}
		t := typed.terms[id]
		if t.reset || t.role == notMine {
			return nil, false
		}
		if t.scoped != nil {
			if ctx = ctx.under(t.scoped, modeType); ctx == nil {
				return nil, false
			}
		}
	}
	return ctx, true
}

func (w *walker) types(at int32, self ref, typed *active, graph ref) bool {
	from := len(w.data.quads)
	return w.elements(at, func(at int32) bool {
		name, ok := w.text(at)
		if !ok {
			return false
		}
		object, ok := w.vocabulary(name, typed)
		if !ok {
			return false
		}
		w.data.add(self, verbType, object, graph)
		return !w.data.repeated(from)
	})
}

// vocabulary expands a type, or a value of @type @vocab: a term, an absolute
// IRI or a word of the vocabulary.
func (w *walker) vocabulary(name []byte, ctx *active) (ref, bool) {
	if id := ctx.prog.id(name); id >= 0 && ctx.terms[id] != nil {
		t := ctx.terms[id]
		if t.iri == "" {
			return 0, false
		}
		return w.data.written(t.nq), true
	}
	if safeIRI(name) {
		return w.data.iri(name), true
	}
	if ctx.vocab != "" && word(name) {
		return w.data.iri(append([]byte(ctx.vocab), name...)), true
	}
	return 0, false
}

// word reports whether a name is nothing but a name: no keyword, no compact
// IRI, nothing that an IRI would have to escape.
func word(s []byte) bool {
	for _, c := range s {
		if !letterOrDigit(c) && c != '_' && c != '-' {
			return false
		}
	}
	return len(s) > 0
}

// describe notes that a graph says something about an IRI, and refuses to hear
// it twice: two descriptions could repeat one another.
func (w *walker) describe(id int32, graph ref) bool {
	if len(w.nodes) == maxSubjects {
		return false
	}
	iri, _ := w.text(id)
	for _, n := range w.nodes {
		if other, _ := w.text(n.iri); n.graph == graph && bytes.Equal(other, iri) {
			return false
		}
	}
	w.nodes = append(w.nodes, subject{id, graph})
	return true
}

// property writes what one member says.
func (w *walker) property(m member, self ref, ctx *active, graph ref) bool {
	var t *term
	if m.id >= 0 {
		t = ctx.terms[m.id]
	}
	if t == nil {
		name, _ := w.text(m.name)
		if ctx.vocab == "" || !word(name) {
			return false
		}
		iri := ctx.vocab + string(name)
		t = &term{iri: iri, verb: verb{"<" + iri + ">", none}}
	}
	switch t.role {
	case rolePlain, roleID, roleVocab:
	case roleJSON:
		object, ok := w.json(m.value)
		if ok {
			w.data.add(self, t.verb, object, graph)
		}
		return ok
	default:
		return false
	}
	// Scalars see the property's own context, too.
	inner := ctx
	if t.role == roleVocab && t.scoped != nil {
		if inner = ctx.under(t.scoped, modeProperty); inner == nil {
			return false
		}
	}
	v := value{w: w, term: t, outer: ctx, inner: inner, graph: graph}
	if t.container == containerList {
		return v.list(m.value, self)
	}
	if v := &w.tokens[m.value]; v.kind == '[' && v.n == 0 {
		return mayBeEmpty(t.iri) // and vanishes
	}
	if t.container == containerGraph {
		return v.graphs(m.value, self)
	}
	from, terms := len(w.data.quads), 0
	return w.elements(m.value, func(at int32) bool {
		object, ok := v.object(at)
		if !ok {
			return false
		}
		w.data.add(self, t.verb, object, graph)
		if !object.isTerm() {
			return true
		}
		terms++
		return terms <= maxMembers && !w.data.repeated(from)
	})
}

// json makes a JSON literal of a string or an array of strings, in the form of
// RFC 8785.
func (w *walker) json(at int32) (ref, bool) {
	d := w.data
	from := len(d.words)
	d.words = append(d.words, '"')
	n, array := 0, w.tokens[at].kind == '['
	if array {
		d.words = append(d.words, '[')
	}
	ok := w.elements(at, func(at int32) bool {
		t := &w.tokens[at]
		if t.kind != '"' && t.kind != escaped {
			return false
		}
		if n++; n > 1 {
			d.words = append(d.words, ',')
		}
		text := w.doc[t.off:t.end] // without escapes it is its own canonical form
		if t.kind == escaped {
			text = appendJSONString(nil, unquote(text))
			text = text[1 : len(text)-1]
		}
		d.words = append(d.words, `\"`...)
		d.words = appendEscaped(d.words, text)
		d.words = append(d.words, `\"`...)
		return true
	})
	if array {
		d.words = append(d.words, ']')
	}
	d.words = append(d.words, rdfJSONEnd...)
	return d.push(from), ok
}

// value turns the values of one property into nodes.
type value struct {
	w     *walker
	term  *term
	outer *active // of the object that has the property
	inner *active // that of its scalars
	graph ref
}

func (v *value) object(at int32) (ref, bool) {
	w, t := v.w, v.term
	tok := &w.tokens[at]
	text := w.doc[tok.off:tok.end]
	switch tok.kind {
	case '{':
		return w.object(at, place{active: v.outer, term: t, graph: v.graph})
	case '"', escaped:
		switch t.role {
		case roleID:
			if tok.kind == escaped || !safeIRI(text) {
				return 0, false
			}
			return w.data.iri(text), true
		case roleVocab:
			if tok.kind == escaped {
				return 0, false
			}
			return w.vocabulary(text, v.inner)
		}
		if tok.kind == escaped {
			text = unquote(text)
		}
		return w.data.literal(text, t.suffix), true
	case 't', 'f':
		return v.typed(text, "^^<"+xsdBoolean+">")
	case 0:
		if !smallInteger(text) || t.datatype == xsdDouble {
			return 0, false
		}
		return v.typed(text, "^^<"+xsdInteger+">")
	}
	return 0, false // null, or an array in an array
}

// typed makes a literal of a boolean or a number.
func (v *value) typed(text []byte, suffix string) (ref, bool) {
	if v.term.role != rolePlain {
		return 0, false
	}
	if v.term.datatype != "" {
		suffix = v.term.suffix
	}
	return v.w.data.literal(text, suffix), true
}

// smallInteger reports whether a number is written as its canonical
// xsd:integer and is exact as a double.
func smallInteger(s []byte) bool {
	digits := bytes.TrimPrefix(s, []byte("-"))
	if len(digits) == 0 || len(digits) > 15 || digits[0] == '0' && len(s) > 1 {
		return false
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// list writes an RDF collection.
func (v *value) list(at int32, self ref) bool {
	d := v.w.data
	subject, predicate := self, v.term.verb
	ok := v.w.elements(at, func(at int32) bool {
		item, ok := v.object(at)
		if !ok {
			return false
		}
		link := d.blank()
		d.add(subject, predicate, link, v.graph)
		d.add(link, verbFirst, item, v.graph)
		subject, predicate = link, verbRest
		return true
	})
	if ok {
		d.add(subject, predicate, d.written(rdfNilNQ), v.graph)
	}
	return ok
}

// graphs writes each value into a graph of its own.
func (v *value) graphs(at int32, self ref) bool {
	d := v.w.data
	return v.w.elements(at, func(at int32) bool {
		if v.w.tokens[at].kind != '{' {
			return false
		}
		name := d.blank()
		d.add(self, v.term.verb, name, v.graph)
		p := place{active: v.outer, term: v.term, graph: name, top: true}
		if v.w.contained == nil || !v.term.reset {
			_, ok := v.w.object(at, p)
			return ok
		}
		o := outline{from: d.mark()}
		p.proof = &o
		if _, ok := v.w.object(at, p); !ok {
			return false
		}
		o.to = d.mark()
		t := &v.w.tokens[at]
		v.w.contained.keep(d, v.w.doc[t.off:t.end], name, o)
		return true
	})
}
