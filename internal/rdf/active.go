package rdf

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/kinpass/kinpass/internal/fault"
)

// Faults of contexts.
var (
	ErrContext   = fault.New(fault.Unprocessable, "jsonld-context", "a context is unknown or malformed")
	ErrProtected = fault.New(fault.Unprocessable, "jsonld-protected-term", "a context redefines a protected term")
)

// code is an error code of JSON-LD 1.1 (API, section 9.5.2), the cause of a
// fault.
type code string

func (c code) Error() string { return string(c) }

func badContext(c code) error  { return ErrContext.With(c) }
func badDocument(c code) error { return ErrJSONLD.With(c) }

// activeContext is an active context (API, section 4.1): what names mean at one place.
// Once sealed it is never changed.
type activeContext struct {
	terms     map[string]*definition
	base      string // lenient processing only
	vocab     string
	hasVocab  bool
	language  string
	direction string
	previous  *activeContext // to go back to where a type-scoped context ends

	sealed bool
	shared bool // made of built-in contexts alone, and kept for all documents
	mu     sync.Mutex
	next   map[derivation]*activeContext // shared ones only
}

// derivation names a context that follows another: by a URL or by the scoped
// context of a term.
type derivation struct {
	url                 string
	term                *definition
	propagate, override bool
	probe               bool // never remembered
}

// derived is a derivation from one context.
type derived struct {
	from *activeContext
	key  derivation
}

// definition is a term definition (API, section 4.1).
type definition struct {
	iri       string // "" if the term is mapped to null
	prefix    bool
	protected bool
	reverse   bool
	typ       string
	container containers
	index     string
	nest      string
	language  mapped
	direction mapped
	context   any
	scoped    bool // has a context, which may be null
	baseURL   string
	shared    bool // of a shared context
}

// mapped is a string that may be absent, or there and null.
type mapped struct {
	value string
	is    bool
}

// containers is a set of container mappings.
type containers uint8

const (
	inGraph containers = 1 << iota
	byID
	byIndex
	byLanguage
	inList
	inSet
	byType
)

var containerNames = map[string]containers{"@graph": inGraph, "@id": byID, "@index": byIndex, "@language": byLanguage,
	"@list": inList, "@set": inSet, "@type": byType}

var keywords = map[string]bool{"@base": true, "@container": true, "@context": true, "@direction": true, "@graph": true, "@id": true,
	"@import": true, "@included": true, "@index": true, "@json": true, "@language": true, "@list": true, "@nest": true, "@none": true,
	"@prefix": true, "@propagate": true, "@protected": true, "@reverse": true, "@set": true, "@type": true, "@value": true,
	"@version": true, "@vocab": true}

// isKeyword reports whether s is a keyword of JSON-LD 1.1.
func isKeyword(s string) bool { return s != "" && s[0] == '@' && keywords[s] }

// likeKeyword reports whether s has the form of a keyword ("@" and letters), which
// JSON-LD reserves and ignores.
func likeKeyword(s string) bool {
	if len(s) < 2 || s[0] != '@' {
		return false
	}
	for i := 1; i < len(s); i++ {
		if c := s[i] | 0x20; c < 'a' || c > 'z' {
			return false
		}
	}
	return true
}

// hasScheme reports whether s has the form of an IRI: a scheme and no white
// space. Which characters it may hold is decided where it becomes RDF.
func hasScheme(s string) bool {
	i := strings.IndexByte(s, ':')
	if i <= 0 || strings.ContainsAny(s, " \t\r\n\f\v") {
		return false
	}
	for k := range i {
		c := s[k]
		if l := c | 0x20; l >= 'a' && l <= 'z' || k > 0 && (c >= '0' && c <= '9' || c == '+' || c == '-' || c == '.') {
			continue
		}
		return false
	}
	return true
}

func isBlank(s string) bool { return strings.HasPrefix(s, "_:") }

// processor reads JSON-LD. Its zero value with strict set is what this package
// offers; the rest is for the tests of the specification.
type processor struct {
	strict  bool
	base    string
	load    func(url string) (any, error)
	resolve func(base, ref string) string // nil: nothing is relative to anything
	work    int
	made    map[derived]*activeContext
}

// maxTerms bounds the terms that contexts of one document define or copy, so
// that many contexts over a large one end early.
const maxTerms = 1 << 17

// maxTermIRI bounds the IRI of a term, in bytes: terms made of terms double, and
// each use of a long one is a copy.
const maxTermIRI = 512

// maxContexts bounds how many contexts are kept for all documents.
const maxContexts = 512

var (
	kept  atomic.Int32
	empty = &activeContext{sealed: true, shared: true}
)

// builtinContexts holds each built-in context as JSON, read once.
var builtinContexts sync.Map

func loadBuiltin(url string) (any, error) {
	if v, ok := builtinContexts.Load(url); ok {
		return v, nil
	}
	b, ok := builtins[url]
	if !ok {
		return nil, ErrContext
	}
	v, err := readJSON(b.bytes())
	if err != nil {
		return nil, err
	}
	builtinContexts.Store(url, v)
	return v, nil
}

func (p *processor) initial() *activeContext {
	if p.strict {
		return empty
	}
	return &activeContext{base: p.base, sealed: true}
}

func (p *processor) spend(n int) error {
	if p.work += n; p.work > maxTerms {
		return ErrWork
	}
	return nil
}

func (a *activeContext) clone() *activeContext {
	return &activeContext{terms: maps.Clone(a.terms), base: a.base, vocab: a.vocab, hasVocab: a.hasVocab,
		language: a.language, direction: a.direction, previous: a.previous}
}

func (a *activeContext) protects() bool {
	for _, d := range a.terms {
		if d.protected {
			return true
		}
	}
	return false
}

// source is a local context and how it is to be processed.
type source struct {
	context   any
	baseURL   string   // relative context URLs are resolved against it
	remote    []string // URLs that led here
	propagate bool
	override  bool // of protected terms
	probe     bool // only to see whether a scoped context is valid
}

// process is the Context Processing Algorithm (API, section 4.1.2).
func (p *processor) process(a *activeContext, s source) (*activeContext, error) {
	if m, ok := s.context.(map[string]any); ok {
		if v, ok := m["@propagate"].(bool); ok {
			s.propagate = v
		}
	}
	result := a
	if !s.propagate && result.previous == nil {
		if err := p.spend(len(a.terms)); err != nil {
			return nil, err
		}
		result = a.clone()
		result.previous = a
	}
	for _, c := range list(s.context) {
		var err error
		switch c := c.(type) {
		case nil:
			if !s.override && result.protects() {
				return nil, ErrProtected.With(code("invalid context nullification"))
			}
			fresh := p.initial()
			if !s.propagate {
				fresh = fresh.clone()
				fresh.previous = result
			}
			result = fresh
		case string:
			result, err = p.follow(result, c, s)
		case map[string]any:
			// {"@context": {…}} inside a context, as the W3C's test credentials
			// write it and every other processor reads it.
			if inner, ok := c["@context"].(map[string]any); ok && len(c) == 1 && p.strict {
				c = inner
			}
			if result == a || result.sealed {
				if err := p.spend(len(result.terms)); err != nil {
					return nil, err
				}
				result = result.clone()
			}
			err = p.define(result, c, s)
		default:
			err = badContext("invalid local context")
		}
		if err != nil {
			return nil, err
		}
	}
	if result != a && !result.sealed {
		result.sealed = true
	}
	return result, nil
}

// maxRemote bounds how deep contexts may name each other.
const maxRemote = 10

// follow processes the context that a URL names.
func (p *processor) follow(a *activeContext, url string, s source) (*activeContext, error) {
	if p.resolve != nil {
		url = p.resolve(s.baseURL, url)
	}
	if s.probe && slices.Contains(s.remote, url) {
		return a, nil
	}
	if len(s.remote) >= maxRemote {
		return nil, badContext("context overflow")
	}
	key := derivation{url: url, propagate: true, override: s.override, probe: s.probe}
	return p.derive(a, key, func() (*activeContext, error) {
		doc, err := p.load(url)
		if err != nil {
			return nil, ErrContext.With(code("loading remote context failed"))
		}
		m, _ := doc.(map[string]any)
		inner, ok := m["@context"]
		if !ok {
			return nil, badContext("invalid remote context")
		}
		return p.process(a, source{context: inner, baseURL: url, remote: append(slices.Clip(s.remote), url),
			propagate: true, override: s.override, probe: s.probe})
	})
}

// scope processes the context that belongs to a term.
func (p *processor) scope(a *activeContext, d *definition, propagate, override bool) (*activeContext, error) {
	return p.derive(a, derivation{term: d, propagate: propagate, override: override}, func() (*activeContext, error) {
		return p.process(a, source{context: d.context, baseURL: d.baseURL, propagate: propagate, override: override})
	})
}

// derive gives a context that follows another, from memory if it was made
// before. What follows from built-in contexts alone is kept for all documents.
func (p *processor) derive(a *activeContext, key derivation, compute func() (*activeContext, error)) (*activeContext, error) {
	if !a.sealed || key.probe {
		return compute()
	}
	here := derived{a, key}
	if next := p.made[here]; next != nil {
		return next, nil
	}
	shared := a.shared && (key.term == nil || key.term.shared)
	if shared {
		a.mu.Lock()
		next := a.next[key]
		a.mu.Unlock()
		if next != nil {
			return next, nil
		}
	}
	next, err := compute()
	if err != nil || next == a {
		return next, err
	}
	if shared && kept.Add(1) <= maxContexts {
		return a.keep(key, next), nil
	}
	if p.made == nil {
		p.made = map[derived]*activeContext{}
	}
	p.made[here] = next
	return next, nil
}

// keep remembers what follows a for all documents.
func (a *activeContext) keep(key derivation, next *activeContext) *activeContext {
	a.mu.Lock()
	defer a.mu.Unlock()
	if other := a.next[key]; other != nil {
		return other
	}
	if !next.shared {
		next.shared = true
		for _, t := range next.terms {
			if !t.shared {
				t.shared = true
			}
		}
	}
	if a.next == nil {
		a.next = map[derivation]*activeContext{}
	}
	a.next[key] = next
	return next
}

// define adds what one context object says (API, section 4.1.2 steps 5.4 to
// 5.13).
func (p *processor) define(a *activeContext, m map[string]any, s source) error {
	if err := p.spend(len(m)); err != nil {
		return err
	}
	if v, ok := m["@version"]; ok {
		if n, ok := v.(number); !ok || n.value != 1.1 {
			return badContext("invalid @version value")
		}
	}
	m, err := p.imported(m, s)
	if err != nil {
		return err
	}
	if err := p.defaults(a, m, s); err != nil {
		return err
	}
	d := definer{p: p, a: a, local: m, source: s, defined: map[string]bool{}}
	if v, ok := m["@protected"]; ok {
		if d.protected, ok = v.(bool); !ok {
			return badContext("invalid @protected value")
		}
	}
	for _, term := range sorted(m) {
		switch term {
		case "@base", "@direction", "@import", "@language", "@propagate", "@protected", "@version", "@vocab":
			continue
		}
		if err := d.create(term); err != nil {
			return err
		}
	}
	return d.validate()
}

// imported merges what @import names below m.
func (p *processor) imported(m map[string]any, s source) (map[string]any, error) {
	v, ok := m["@import"]
	if !ok {
		return m, nil
	}
	url, ok := v.(string)
	if !ok {
		return nil, badContext("invalid @import value")
	}
	if p.resolve != nil {
		url = p.resolve(s.baseURL, url)
	}
	doc, err := p.load(url)
	if err != nil {
		return nil, ErrContext.With(code("loading remote context failed"))
	}
	outer, _ := doc.(map[string]any)
	inner, ok := outer["@context"].(map[string]any)
	if !ok {
		return nil, badContext("invalid remote context")
	}
	if _, ok := inner["@import"]; ok {
		return nil, badContext("invalid context entry")
	}
	merged := maps.Clone(inner)
	maps.Copy(merged, m)
	return merged, p.spend(len(merged))
}

// defaults sets what a context says for all terms.
func (p *processor) defaults(a *activeContext, m map[string]any, s source) error {
	if v, ok := m["@base"]; ok && len(s.remote) == 0 {
		if err := p.setBase(a, v); err != nil {
			return err
		}
	}
	if v, ok := m["@vocab"]; ok {
		switch v := v.(type) {
		case nil:
			a.vocab, a.hasVocab = "", false
		case string:
			iri, err := p.iri(a, v, vocabOrBase, nil)
			if err != nil {
				return err
			}
			if p.strict && !hasScheme(iri) || len(iri) > maxTermIRI {
				return badContext("invalid vocab mapping") // relative to nothing
			}
			a.vocab, a.hasVocab = iri, true
		default:
			return badContext("invalid vocab mapping")
		}
	}
	if v, ok := m["@language"]; ok {
		lang, isString := v.(string)
		if v != nil && !isString {
			return badContext("invalid default language")
		}
		a.language = strings.ToLower(lang)
	}
	if v, ok := m["@direction"]; ok {
		if v != nil && v != "ltr" && v != "rtl" {
			return badContext("invalid base direction")
		}
		a.direction, _ = v.(string)
	}
	if v, ok := m["@propagate"]; ok {
		if _, ok := v.(bool); !ok {
			return badContext("invalid @propagate value")
		}
	}
	return nil
}

func (p *processor) setBase(a *activeContext, v any) error {
	s, ok := v.(string)
	switch {
	case v == nil:
		a.base = ""
	case p.strict:
		// Names must mean the same wherever the document lies.
		return badContext("invalid base IRI")
	case ok && hasScheme(s):
		a.base = s
	case ok && a.base != "":
		a.base = p.resolve(a.base, s)
	default:
		return badContext("invalid base IRI")
	}
	return nil
}

// how says against what a name may be resolved.
type how int

const (
	vocabOnly how = iota
	baseOnly
	vocabOrBase
)

// iri is IRI Expansion (API, section 5.2). d is given while a context is being
// defined. It gives "" for what is mapped to null or reserved.
func (p *processor) iri(a *activeContext, s string, h how, d *definer) (string, error) {
	if isKeyword(s) {
		return s, nil
	}
	if likeKeyword(s) {
		return "", nil
	}
	if d != nil {
		if err := d.need(s); err != nil {
			return "", err
		}
	}
	if t := a.terms[s]; t != nil && (h != baseOnly || isKeyword(t.iri)) {
		return t.iri, nil
	}
	if i := strings.IndexByte(s, ':'); i > 0 {
		prefix, suffix := s[:i], s[i+1:]
		if prefix == "_" || strings.HasPrefix(suffix, "//") {
			return s, nil
		}
		if d != nil {
			if err := d.need(prefix); err != nil {
				return "", err
			}
		}
		if t := a.terms[prefix]; t != nil && t.prefix && t.iri != "" {
			return t.iri + suffix, nil
		}
		if hasScheme(s) {
			return s, nil
		}
	}
	switch {
	case h != baseOnly && a.hasVocab:
		return a.vocab + s, nil
	case h != vocabOnly && p.resolve != nil && a.base != "":
		return p.resolve(a.base, s), nil
	}
	return s, nil
}

// definer creates the terms of one context object (API, section 4.2).
type definer struct {
	p         *processor
	a         *activeContext
	local     map[string]any
	source    source
	protected bool
	defined   map[string]bool
	scoped    []*definition
}

// need creates a term first if the context defines it.
func (d *definer) need(term string) error {
	if _, ok := d.local[term]; ok && !d.defined[term] {
		return d.create(term)
	}
	return nil
}

// create is Create Term Definition (API, section 4.2.2).
func (d *definer) create(term string) error {
	if done, begun := d.defined[term]; done {
		return nil
	} else if begun {
		return badContext("cyclic IRI mapping")
	}
	if term == "" {
		return badContext("invalid term definition")
	}
	d.defined[term] = false
	value := d.local[term]
	switch {
	case term == "@type":
		if !typeAlias(value) {
			return badContext("keyword redefinition")
		}
	case isKeyword(term):
		return badContext("keyword redefinition")
	case likeKeyword(term):
		return nil
	}
	previous := d.a.terms[term]
	delete(d.a.terms, term)
	t := &definition{protected: d.protected, baseURL: d.source.baseURL}
	ignored, err := d.fill(t, term, value)
	if err != nil {
		return err
	}
	if previous != nil && previous.protected && !d.source.override {
		// Also where the new meaning is none, or is reserved and ignored.
		now := *t
		now.protected = true
		if ignored || !reflect.DeepEqual(withoutPlace(now), withoutPlace(*previous)) {
			return ErrProtected.With(code("protected term redefinition"))
		}
		t = previous
	}
	if !ignored {
		if d.a.terms == nil {
			d.a.terms = map[string]*definition{}
		}
		d.a.terms[term] = t
		if t.scoped {
			d.scoped = append(d.scoped, t)
		}
	}
	d.defined[term] = true
	return nil
}

// withoutPlace leaves away where a definition stands.
func withoutPlace(t definition) definition {
	t.baseURL, t.shared = "", false
	return t
}

// typeAlias reports whether a value may define @type: only its container.
func typeAlias(value any) bool {
	m, ok := value.(map[string]any)
	if !ok || len(m) == 0 {
		return false
	}
	for k, v := range m {
		if k != "@protected" && (k != "@container" || v != "@set") {
			return false
		}
	}
	return true
}

// fill sets a definition from what the context says. What only has the form of
// a keyword is ignored.
func (d *definer) fill(t *definition, term string, value any) (ignored bool, err error) {
	m, isMap := value.(map[string]any)
	s, isString := value.(string)
	switch {
	case value == nil:
		m = map[string]any{"@id": nil}
	case isString:
		m = map[string]any{"@id": s}
	case !isMap:
		return false, badContext("invalid term definition")
	}
	for k := range m {
		switch k {
		case "@id", "@reverse", "@container", "@context", "@direction", "@index", "@language", "@nest", "@prefix", "@protected", "@type":
		default:
			return false, badContext("invalid term definition")
		}
	}
	if v, ok := m["@protected"]; ok {
		if t.protected, ok = v.(bool); !ok {
			return false, badContext("invalid @protected value")
		}
	}
	if err := d.typeMapping(t, m); err != nil {
		return false, err
	}
	if ignored, err := d.mapping(t, term, m, isString); err != nil || ignored {
		return ignored, err
	}
	if len(t.iri) > maxTermIRI || len(t.typ) > maxTermIRI {
		return false, badContext("invalid IRI mapping")
	}
	if err := d.containerMapping(t, m); err != nil {
		return false, err
	}
	return false, d.rest(t, term, m)
}

func (d *definer) typeMapping(t *definition, m map[string]any) error {
	v, ok := m["@type"]
	if !ok {
		return nil
	}
	s, ok := v.(string)
	if !ok {
		return badContext("invalid type mapping")
	}
	iri, err := d.p.iri(d.a, s, vocabOnly, d)
	if err != nil {
		return err
	}
	if iri != "@id" && iri != "@json" && iri != "@none" && iri != "@vocab" && (!hasScheme(iri) || isBlank(iri)) {
		return badContext("invalid type mapping")
	}
	t.typ = iri
	return nil
}

// mapping sets the IRI of a term (steps 13 to 18).
func (d *definer) mapping(t *definition, term string, m map[string]any, simple bool) (ignored bool, err error) {
	if v, ok := m["@reverse"]; ok {
		return d.reverse(t, m, v)
	}
	id, has := m["@id"]
	s, isString := id.(string)
	colon := strings.IndexByte(term, ':')
	switch {
	case has && id == nil:
		return false, nil
	case has && !isString:
		return false, badContext("invalid IRI mapping")
	case has && s != term:
		if !isKeyword(s) && likeKeyword(s) {
			return true, nil
		}
		return false, d.explicit(t, term, s, simple)
	case colon > 0:
		prefix := term[:colon]
		if err := d.need(prefix); err != nil {
			return false, err
		}
		t.iri = term
		if p := d.a.terms[prefix]; p != nil {
			t.iri = p.iri + term[colon+1:]
		}
	case strings.Contains(term, "/"):
		t.iri, err = d.p.iri(d.a, term, vocabOrBase, nil)
		if err == nil && !hasScheme(t.iri) {
			err = badContext("invalid IRI mapping")
		}
	case term == "@type":
		t.iri = "@type"
	case d.a.hasVocab:
		t.iri = d.a.vocab + term
	default:
		return false, badContext("invalid IRI mapping")
	}
	return false, err
}

func (d *definer) reverse(t *definition, m map[string]any, v any) (ignored bool, err error) {
	_, hasID := m["@id"]
	_, hasNest := m["@nest"]
	s, ok := v.(string)
	switch {
	case hasID || hasNest:
		return false, badContext("invalid reverse property")
	case !ok:
		return false, badContext("invalid IRI mapping")
	case likeKeyword(s) && !isKeyword(s):
		return true, nil
	}
	if t.iri, err = d.p.iri(d.a, s, vocabOnly, d); err != nil {
		return false, err
	}
	if !hasScheme(t.iri) && !isBlank(t.iri) {
		return false, badContext("invalid IRI mapping")
	}
	if c, ok := m["@container"]; ok && c != nil && c != "@set" && c != "@index" {
		return false, badContext("invalid reverse property")
	}
	t.reverse = true
	return false, nil
}

// explicit sets the IRI that @id names.
func (d *definer) explicit(t *definition, term, id string, simple bool) (err error) {
	if t.iri, err = d.p.iri(d.a, id, vocabOnly, d); err != nil {
		return err
	}
	switch {
	case t.iri == "@context":
		return badContext("invalid keyword alias")
	case !isKeyword(t.iri) && !hasScheme(t.iri) && !isBlank(t.iri):
		return badContext("invalid IRI mapping")
	}
	if len(term) > 2 && strings.Contains(term[1:len(term)-1], ":") || strings.Contains(term, "/") {
		d.defined[term] = true
		iri, err := d.p.iri(d.a, term, vocabOnly, d)
		if err != nil {
			return err
		}
		if iri != t.iri {
			return badContext("invalid IRI mapping")
		}
	}
	t.prefix = simple && !strings.ContainsAny(term, ":/") &&
		(isBlank(t.iri) || t.iri != "" && strings.IndexByte(":/?#[]@", t.iri[len(t.iri)-1]) >= 0)
	return nil
}

func (d *definer) containerMapping(t *definition, m map[string]any) error {
	v, ok := m["@container"]
	if !ok || v == nil && t.reverse {
		return nil
	}
	n := 0
	for _, x := range list(v) {
		s, _ := x.(string)
		c := containerNames[s]
		if c == 0 || t.container&c != 0 {
			return badContext("invalid container mapping")
		}
		t.container |= c
		n++
	}
	// One alone; a graph by id or index; or anything but a list as a set.
	rest := t.container &^ inSet
	switch {
	case n == 0 || t.container&inList != 0 && n > 1:
		return badContext("invalid container mapping")
	case rest == inGraph|byID || rest == inGraph|byIndex || rest&(rest-1) == 0:
	default:
		return badContext("invalid container mapping")
	}
	if t.container&byType != 0 {
		if t.typ == "" {
			t.typ = "@id"
		}
		if t.typ != "@id" && t.typ != "@vocab" {
			return badContext("invalid type mapping")
		}
	}
	return nil
}

// rest sets what a definition may have beside its IRI, type and container (steps
// 20 to 25).
func (d *definer) rest(t *definition, term string, m map[string]any) error {
	if v, ok := m["@index"]; ok {
		s, isString := v.(string)
		if !isString || t.container&byIndex == 0 || isKeyword(s) {
			return badContext("invalid term definition")
		}
		iri, err := d.p.iri(d.a, s, vocabOnly, d)
		if err != nil {
			return err
		}
		if !hasScheme(iri) {
			return badContext("invalid term definition")
		}
		t.index = s
	}
	t.context, t.scoped = m["@context"]
	_, typed := m["@type"]
	if v, ok := m["@language"]; ok && !typed {
		s, isString := v.(string)
		if v != nil && !isString {
			return badContext("invalid language mapping")
		}
		t.language = mapped{strings.ToLower(s), true}
	}
	if v, ok := m["@direction"]; ok && !typed {
		if v != nil && v != "ltr" && v != "rtl" {
			return badContext("invalid base direction")
		}
		s, _ := v.(string)
		t.direction = mapped{s, true}
	}
	if v, ok := m["@nest"]; ok {
		s, isString := v.(string)
		if !isString || isKeyword(s) && s != "@nest" {
			return badContext("invalid @nest value")
		}
		t.nest = s
	}
	if v, ok := m["@prefix"]; ok {
		prefix, isBool := v.(bool)
		switch {
		case strings.ContainsAny(term, ":/"):
			return badContext("invalid term definition")
		case !isBool:
			return badContext("invalid @prefix value")
		case prefix && isKeyword(t.iri):
			return badContext("invalid term definition")
		}
		t.prefix = prefix
	}
	return nil
}

// validate tries the scoped contexts of new terms once all terms are there, so
// that a bad one is found although no document uses it.
func (d *definer) validate() error {
	for _, t := range d.scoped {
		_, err := d.p.process(d.a, source{context: t.context, baseURL: t.baseURL, remote: d.source.remote,
			propagate: true, override: true, probe: true})
		if err != nil {
			return fault.As(err).With(code("invalid scoped context"))
		}
	}
	return nil
}
