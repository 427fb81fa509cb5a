package rdf

import (
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// A context list that a document may name is compiled once, on first use, into
// tables of terms. The compiler knows exactly the features that the built-in
// contexts need; a list that uses anything else stays uncompiled, and a term
// that does is marked, so that documents using it take the slow path.

// compiledLists are the context lists of the compiled path, in the order in
// which a document must name them.
var compiledLists = [][]string{
	{urlCredentialsV2, urlKinpass},
	{urlCredentialsV2},
	{urlCredentialsV2, urlKinpass, urlDataIntegrityV2},
	{urlCredentialsV2, urlDataIntegrityV2},
	{urlCredentialsV2, urlExamplesV2},
	{urlCredentialsV2, urlExamplesV2, urlEd25519},
	{urlCredentialsV2, urlCitizenship},
	{urlCredentialsV1},
	{urlCredentialsV1, urlDataIntegrityV2},
	{urlCredentialsV1, urlDataIntegrityV1},
	{urlCredentialsV1, urlEd25519},
	{urlDataIntegrityV2},
}

const (
	urlCredentialsV1   = "https://www.w3.org/2018/credentials/v1"
	urlCredentialsV2   = "https://www.w3.org/ns/credentials/v2"
	urlCitizenship     = "https://w3id.org/citizenship/v4rc1"
	urlExamplesV2      = "https://www.w3.org/ns/credentials/examples/v2"
	urlKinpass         = "https://w3id.org/kinpass/v1"
	urlDataIntegrityV1 = "https://w3id.org/security/data-integrity/v1"
	urlDataIntegrityV2 = "https://w3id.org/security/data-integrity/v2"
	urlEd25519         = "https://w3id.org/security/suites/ed25519-2020/v1"
)

const (
	xsdInteger = xsd + "integer"
	xsdBoolean = xsd + "boolean"
	xsdDouble  = xsd + "double"
)

// program is a compiled context list.
type program struct {
	ids     map[string]int32 // every term of any of its contexts, scoped ones included
	root    *active
	actives atomic.Int32 // how many are kept in edges
}

// maxActives bounds what documents can make a program remember. Contexts
// beyond it are derived anew each time.
const maxActives = 512

// role says what a value of a term becomes.
type role uint8

const (
	rolePlain role = iota // a literal, typed if the term has a datatype
	roleID                // an IRI
	roleVocab             // a term or an IRI
	roleJSON              // one literal of all that stands there
	keywordID             // the term is an alias of @id
	keywordType
	notMine // defined with a feature that the compiled path does not know
)

type container uint8

const (
	containerNone container = iota // also @set, which changes nothing in RDF
	containerList
	containerGraph
)

// term is one definition (JSON-LD 1.1 API, section 4.2).
type term struct {
	iri       string
	verb      // <iri>
	role      role
	datatype  string // of strings and numbers; "" where there is none
	suffix    string // ^^<datatype>, nothing for xsd:string
	container container
	scoped    *layer // its scoped context
	reset     bool   // its scoped context is null
	protected bool
	raw       map[string]any // the definition without @protected; nil if it is null
}

// same reports whether two definitions are equal but for protection. It may
// say no where JSON-LD says yes.
func (t *term) same(o *term) bool {
	if t.role == notMine || o.role == notMine {
		return t.raw != nil && t.role == o.role && t.iri == o.iri && reflect.DeepEqual(t.raw, o.raw)
	}
	return t.iri == o.iri && t.role == o.role && t.datatype == o.datatype && t.reset == o.reset &&
		reflect.DeepEqual(t.raw["@container"], o.raw["@container"]) && reflect.DeepEqual(t.raw["@context"], o.raw["@context"])
}

// layer is a local context: definitions that lie over an active context.
type layer struct {
	ids   []int32
	terms []*term
	vocab string
}

// active is an active context: what each term means at one place of a
// document.
type active struct {
	prog  *program
	terms []*term // by id; nil where undefined
	vocab string
	prev  *active // what nested objects return to (type-scoped contexts)
	edges atomic.Pointer[[]edge]
}

// edge leads to the active context under a layer; to is nil where protection
// forbids it.
type edge struct {
	layer *layer
	mode  mode
	to    *active
}

// mode is how a local context is applied (JSON-LD 1.1 API, section 4.1).
type mode uint8

const (
	modeLocal    mode = iota // named by @context
	modeType                 // scoped to a type: does not propagate
	modeProperty             // scoped to a property: may override what is protected
)

// noContext is the active context after a null: nothing is defined.
var noContext = &active{prog: &program{}}

// programs compiles each of compiledLists once. A list that cannot be compiled
// gives nil.
var programs = func() []func() *program {
	list := make([]func() *program, len(compiledLists))
	for i, urls := range compiledLists {
		list[i] = sync.OnceValue(func() *program {
			p, err := compile(urls)
			if err != nil {
				return nil
			}
			return p
		})
	}
	return list
}()

var errNotCompiled = errors.New("rdf: the context list uses a feature that is not compiled")

// safeSchemes are the schemes of IRIs that the compiled path takes. No term of
// a compiled context has such a name, so none can be a prefix.
var safeSchemes = []string{"https", "http", "did", "urn", "data"}

func compile(urls []string) (*program, error) {
	contexts := make([]map[string]any, len(urls))
	for i, url := range urls {
		b, ok := builtins[url]
		if !ok {
			return nil, errNotCompiled
		}
		var file struct {
			Context map[string]any `json:"@context"`
		}
		if err := json.Unmarshal(b.bytes(), &file); err != nil || file.Context == nil {
			return nil, errNotCompiled
		}
		contexts[i] = file.Context
	}
	return compileContexts(contexts)
}

func compileContexts(contexts []map[string]any) (*program, error) {
	p := &program{ids: map[string]int32{}}
	c := compiler{p: p}
	for _, context := range contexts {
		c.number(context)
	}
	for _, s := range safeSchemes {
		if _, taken := p.ids[s]; taken {
			return nil, errNotCompiled
		}
	}
	layers := make([]*layer, len(contexts))
	for i, context := range contexts {
		l, err := c.layer(context)
		if err != nil {
			return nil, err
		}
		layers[i] = l
	}
	c.refuseAliases()
	c.numberVerbs()
	at := &active{prog: p, terms: make([]*term, len(p.ids))}
	for _, l := range layers {
		if at = at.derive(l, modeLocal); at == nil {
			return nil, errNotCompiled
		}
	}
	p.root = at
	return p, nil
}

type compiler struct {
	p            *program
	all          []named
	vocabularies []string
}

type named struct {
	name string
	term *term
}

// number gives every term of a context and of the contexts inside it an id.
func (c *compiler) number(context map[string]any) {
	for name, def := range context {
		if strings.HasPrefix(name, "@") {
			continue
		}
		if _, ok := c.p.ids[name]; !ok {
			c.p.ids[name] = int32(len(c.p.ids))
		}
		if d, ok := def.(map[string]any); ok {
			if scoped, ok := d["@context"].(map[string]any); ok {
				c.number(scoped)
			}
		}
	}
}

func (c *compiler) layer(context map[string]any) (*layer, error) {
	l := &layer{}
	protected := false
	for name, value := range context {
		if !strings.HasPrefix(name, "@") {
			continue
		}
		ok := false
		switch name {
		case "@version":
			ok = value == 1.1
		case "@protected":
			protected, ok = value.(bool)
		case "@vocab":
			l.vocab, ok = value.(string)
			ok = ok && safeIRI(l.vocab)
			c.vocabularies = append(c.vocabularies, l.vocab)
		}
		if !ok {
			return nil, errNotCompiled
		}
	}
	names := make([]string, 0, len(context))
	for name := range context {
		if !strings.HasPrefix(name, "@") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		t, err := c.term(context, name, protected)
		if err != nil {
			return nil, err
		}
		c.all = append(c.all, named{name, t})
		l.ids = append(l.ids, c.p.ids[name])
		l.terms = append(l.terms, t)
	}
	return l, nil
}

// term reads one definition. What it does not understand it marks as not mine:
// no document that uses the term is compiled.
func (c *compiler) term(context map[string]any, name string, protected bool) (*term, error) {
	t := &term{protected: protected}
	def, ok := context[name].(map[string]any)
	if id, simple := context[name].(string); simple {
		def, ok = map[string]any{"@id": id}, true
	}
	if !ok {
		t.role = notMine // null: a term that is no term
		return t, nil
	}
	t.raw = make(map[string]any, len(def))
	for key, value := range def {
		if key == "@protected" {
			if t.protected, ok = value.(bool); !ok {
				return nil, errNotCompiled
			}
			continue
		}
		t.raw[key] = value
	}
	id, ok := t.raw["@id"].(string)
	if !ok || !strings.Contains(id, ":") && !strings.HasPrefix(id, "@") {
		return nil, errNotCompiled // named by a vocabulary or another term
	}
	if len(t.raw) == 1 && (name == "id" && id == "@id" || name == "type" && id == "@type") {
		t.role = keywordID
		if name == "type" {
			t.role = keywordType
		}
		return t, nil
	}
	if strings.ContainsAny(name, ":/") || strings.HasPrefix(id, "@") {
		t.role = notMine
		return t, nil
	}
	var err error
	if t.iri, err = absolute(context, id); err != nil {
		return nil, err
	}
	if t.iri == "" || strings.HasPrefix(t.iri, rdfNS) {
		t.iri, t.role = "", notMine // types and lists write rdf: themselves
		return t, nil
	}
	t.nq, t.id = "<"+t.iri+">", none
	for key, value := range t.raw {
		switch key {
		case "@id":
		case "@type":
			if err := t.coerce(context, value); err != nil {
				return nil, err
			}
		case "@container":
			t.contain(value)
		case "@context":
			if err := c.scope(t, name, value); err != nil {
				return nil, err
			}
		default:
			t.role = notMine
		}
	}
	if t.role == roleJSON && (t.container != containerNone || t.scoped != nil) {
		t.role = notMine
	}
	// A null context takes the term's own coercion away from scalars, so only
	// whole objects may stand there.
	if t.reset && t.container != containerGraph {
		t.role = notMine
	}
	return t, nil
}

func (t *term) coerce(context map[string]any, value any) error {
	s, _ := value.(string)
	switch s {
	case "@id":
		t.setRole(roleID)
	case "@vocab":
		t.setRole(roleVocab)
	case "@json":
		t.setRole(roleJSON)
	case "@none":
		t.role = notMine
	default:
		datatype, err := absolute(context, s)
		if err != nil {
			return err
		}
		if datatype == "" || strings.HasPrefix(datatype, rdfNS) {
			t.role = notMine
			return nil
		}
		t.datatype = datatype
		if datatype != xsdString {
			t.suffix = "^^<" + datatype + ">"
		}
	}
	return nil
}

func (t *term) setRole(r role) {
	if t.role != notMine {
		t.role = r
	}
}

func (t *term) contain(value any) {
	switch value {
	case "@set":
	case "@list":
		t.container = containerList
	case "@graph":
		t.container = containerGraph
	default:
		t.role = notMine
	}
}

func (c *compiler) scope(t *term, name string, value any) error {
	switch context := value.(type) {
	case nil:
		t.reset = true
	case map[string]any:
		l, err := c.layer(context)
		if err != nil {
			return err
		}
		t.scoped = l
		if slices.Contains(l.ids, c.p.ids[name]) {
			t.role = notMine // which of its two definitions rules its values?
		}
	default:
		t.role = notMine
	}
	return nil
}

// absolute expands what a definition says for an IRI: an IRI, or a prefix of
// the same local context and a suffix. It gives "" for an IRI that is none of
// the plain ones.
func absolute(context map[string]any, s string) (string, error) {
	prefix, suffix, ok := strings.Cut(s, ":")
	if !ok {
		return "", errNotCompiled
	}
	if definition, local := context[prefix]; local && !strings.HasPrefix(suffix, "//") {
		namespace, ok := definition.(string)
		if !ok || !safeIRI(namespace) || !strings.HasSuffix(namespace, "#") && !strings.HasSuffix(namespace, "/") {
			return "", errNotCompiled
		}
		s = namespace + suffix
	}
	if !safeIRI(s) {
		return "", nil
	}
	return s, nil
}

// refuseAliases marks terms that share an IRI with a term of another name, or
// with a word of a vocabulary. One object could use both, and say the same thing
// twice.
func (c *compiler) refuseAliases() {
	first := map[string]string{}
	shared := map[string]bool{}
	for _, n := range c.all {
		if n.term.iri == "" {
			continue
		}
		if other, ok := first[n.term.iri]; ok && other != n.name {
			shared[n.term.iri] = true
		}
		first[n.term.iri] = n.name
		for _, v := range c.vocabularies {
			if strings.HasPrefix(n.term.iri, v) {
				shared[n.term.iri] = true
			}
		}
	}
	for _, n := range c.all {
		if shared[n.term.iri] {
			n.term.role = notMine
		}
	}
}

// vocabulary is an order of all predicates of compiled contexts. A new one is
// made when a context list is compiled; none is ever changed.
type vocabulary struct {
	ids   map[string]int32 // by what is written
	ranks []int32          // by id: the place in the order of what is written
}

var (
	verbs     atomic.Pointer[vocabulary]
	verbsLock sync.Mutex
)

// numberVerbs gives every term its number as a predicate.
func (c *compiler) numberVerbs() {
	verbsLock.Lock()
	defer verbsLock.Unlock()
	next := &vocabulary{ids: map[string]int32{verbType.nq: verbType.id, verbFirst.nq: verbFirst.id, verbRest.nq: verbRest.id}}
	if before := verbs.Load(); before != nil {
		next.ids = maps.Clone(before.ids)
	}
	for _, n := range c.all {
		if n.term.iri == "" {
			continue
		}
		id, ok := next.ids[n.term.nq]
		if !ok {
			id = int32(len(next.ids))
			next.ids[n.term.nq] = id
		}
		n.term.id = id
	}
	next.ranks = make([]int32, len(next.ids))
	for rank, nq := range slices.Sorted(maps.Keys(next.ids)) {
		next.ranks[next.ids[nq]] = int32(rank)
	}
	verbs.Store(next)
}

// under gives the active context under a local one, or nil where that is an
// error.
func (a *active) under(l *layer, m mode) *active {
	for {
		edges := a.edges.Load()
		if edges != nil {
			for i := range *edges {
				if e := &(*edges)[i]; e.layer == l && e.mode == m {
					return e.to
				}
			}
		}
		to := a.derive(l, m)
		if a.prog.actives.Load() >= maxActives {
			return to
		}
		var more []edge
		if edges != nil {
			more = append(more, *edges...)
		}
		more = append(more, edge{l, m, to})
		if a.edges.CompareAndSwap(edges, &more) {
			a.prog.actives.Add(1)
			return to
		}
	}
}

// derive applies a local context (JSON-LD 1.1 API, section 4.1.2).
func (a *active) derive(l *layer, m mode) *active {
	n := &active{prog: a.prog, terms: slices.Clone(a.terms), vocab: a.vocab, prev: a.prev}
	if m == modeType && n.prev == nil {
		n.prev = a
	}
	if l.vocab != "" {
		n.vocab = l.vocab
	}
	for i, id := range l.ids {
		old, t := a.terms[id], l.terms[i]
		if m != modeProperty && old != nil && old.protected {
			if !old.same(t) {
				return nil
			}
			continue
		}
		n.terms[id] = t
	}
	return n
}

// text is what an IRI or a literal is read from: a document or a context.
type text interface{ string | []byte }

// safeIRI reports whether s is an absolute IRI of a well-known scheme and of
// plain characters, about whose meaning no two processors differ.
func safeIRI[T text](s T) bool {
	scheme := 0
	for _, known := range safeSchemes {
		if len(s) > len(known) && s[len(known)] == ':' && string(s[:len(known)]) == known {
			scheme = len(known)
			break
		}
	}
	if scheme == 0 || len(s) == scheme+1 {
		return false
	}
	i := scheme + 1
	if s[0] == 'h' {
		var ok bool
		if i, ok = safeAuthority(s, i); !ok {
			return false
		}
	}
	fragment := false
	for ; i < len(s); i++ {
		switch c := s[i]; {
		case iriPlain[c]:
		case c == '#' && !fragment:
			fragment = true
		case c == '%' && i+2 < len(s) && hexDigit(s[i+1]) && hexDigit(s[i+2]):
			i += 2
		default:
			return false
		}
	}
	return true
}

// safeAuthority passes "//", a host of plain letters and a port.
func safeAuthority[T text](s T, i int) (int, bool) {
	if len(s)-i < 2 || s[i] != '/' || s[i+1] != '/' {
		return 0, false
	}
	i += 2
	from := i
	for i < len(s) && (letterOrDigit(s[i]) || i > from && (s[i] == '.' || s[i] == '-')) {
		i++
	}
	if i == from || !letterOrDigit(s[i-1]) {
		return 0, false
	}
	if i < len(s) && s[i] == ':' {
		i++
		from = i
		for i < len(s) && s[i] >= '0' && s[i] <= '9' {
			i++
		}
		if i == from || i > from+5 {
			return 0, false
		}
	}
	return i, i == len(s) || s[i] == '/' || s[i] == '?' || s[i] == '#'
}

func letterOrDigit(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}

func hexDigit(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f'
}

// iriPlain are the characters of RFC 3986 that stand for themselves anywhere
// after the authority.
var iriPlain = func() (t [256]bool) {
	for c := range 256 {
		t[c] = letterOrDigit(byte(c))
	}
	for _, c := range []byte("-._~!$&'()*+,;=:@/?") {
		t[c] = true
	}
	return t
}()
