package rdf

import (
	"maps"
	"slices"
	"strings"
)

// expand is the Expansion Algorithm (API, sections 5.1 and 9.3). Strict
// processing refuses, with ErrUndefined, whatever the algorithm would drop.
func (p *processor) expand(doc any, a *activeContext) ([]any, error) {
	v, err := p.value(at{ctx: a, base: p.base}, doc)
	if err != nil {
		return nil, err
	}
	if m, ok := v.(map[string]any); ok && len(m) == 1 && m["@graph"] != nil {
		v = m["@graph"]
	}
	if v == nil {
		return []any{}, p.drop()
	}
	return list(v), nil
}

// drop is what strict processing says of what would vanish.
func (p *processor) drop() error {
	if p.strict {
		return ErrUndefined
	}
	return nil
}

// at is where in a document something stands.
type at struct {
	ctx      *activeContext
	property string // active property, "" for null
	base     string // of context URLs
	fromMap  bool   // an entry of an index, id or type map
}

// free reports whether values there belong to no property.
func (w at) free() bool { return w.property == "" || w.property == "@graph" }

// term gives the definition of the active property.
func (w at) term() *definition { return w.ctx.terms[w.property] }

// value expands any element (section 5.1.2).
func (p *processor) value(w at, v any) (any, error) {
	switch v := v.(type) {
	case nil:
		return nil, p.drop()
	case []any:
		return p.array(w, v)
	case map[string]any:
		return p.object(w, v)
	}
	if w.free() {
		return nil, p.drop()
	}
	if t := w.term(); t != nil && t.scoped {
		var err error
		if w.ctx, err = p.scope(w.ctx, t, true, true); err != nil {
			return nil, err
		}
	}
	return p.scalar(w.ctx, w.property, v)
}

func (p *processor) array(w at, items []any) (any, error) {
	t := w.term()
	result := make([]any, 0, len(items))
	for _, item := range items {
		v, err := p.value(w, item)
		if err != nil {
			return nil, err
		}
		a, isArray := v.([]any)
		switch {
		case isArray && t != nil && t.container&inList != 0:
			result = append(result, map[string]any{"@list": a})
		case isArray:
			// How the values are grouped would be lost.
			if err := p.drop(); err != nil {
				return nil, err
			}
			result = append(result, a...)
		case v != nil:
			result = append(result, v)
		}
	}
	return result, nil
}

// scalar is Value Expansion (section 5.3).
func (p *processor) scalar(a *activeContext, property string, v any) (map[string]any, error) {
	t := a.terms[property]
	if t == nil {
		t = &definition{}
	}
	s, isString := v.(string)
	if isString && (t.typ == "@id" || t.typ == "@vocab") {
		h := baseOnly
		if t.typ == "@vocab" {
			h = vocabOrBase
		}
		iri, err := p.iri(a, s, h, nil)
		if iri == "" && s != "" && err == nil {
			err = p.drop()
		}
		return map[string]any{"@id": iri}, err
	}
	m := map[string]any{"@value": v}
	switch {
	case t.typ != "" && t.typ != "@id" && t.typ != "@vocab" && t.typ != "@none":
		m["@type"] = t.typ
	case isString:
		lang, dir := a.language, a.direction
		if t.language.is {
			lang = t.language.value
		}
		if t.direction.is {
			dir = t.direction.value
		}
		if lang != "" {
			m["@language"] = lang
		}
		if dir != "" {
			m["@direction"] = dir
		}
	}
	return m, nil
}

// object expands a map (steps 7 to 19).
func (p *processor) object(w at, m map[string]any) (any, error) {
	property := w.term()
	// A type-scoped context ends with the object whose type it belongs to.
	if w.ctx.previous != nil && !w.fromMap {
		stays, err := p.staysTyped(w.ctx, m)
		if err != nil {
			return nil, err
		}
		if !stays {
			w.ctx = w.ctx.previous
		}
	}
	if property != nil && property.scoped {
		var err error
		if w.ctx, err = p.scope(w.ctx, property, true, true); err != nil {
			return nil, err
		}
	}
	if c, ok := m["@context"]; ok {
		var err error
		if w.ctx, err = p.process(w.ctx, source{context: c, baseURL: w.base, propagate: true}); err != nil {
			return nil, err
		}
	}
	n := expansion{p: p, w: w, typed: w.ctx, result: make(map[string]any, len(m))}
	if err := n.types(m); err != nil {
		return nil, err
	}
	if err := n.members(m); err != nil {
		return nil, err
	}
	return n.finish()
}

// staysTyped reports whether an object is a value or a mere reference, for which
// a type-scoped context still counts (step 7).
func (p *processor) staysTyped(a *activeContext, m map[string]any) (bool, error) {
	for k := range m {
		iri, err := p.iri(a, k, vocabOnly, nil)
		if err != nil {
			return false, err
		}
		if iri == "@value" || iri == "@id" && len(m) == 1 {
			return true, nil
		}
	}
	return false, nil
}

// expansion expands one object.
type expansion struct {
	p         *processor
	w         at             // its context with those of its types
	typed     *activeContext // and without: where its types have their meaning
	inputType string         // the last type, expanded
	result    map[string]any
}

// types applies the contexts of the object's types (step 11).
func (n *expansion) types(m map[string]any) error {
	first := true
	for _, key := range sorted(m) {
		iri, err := n.p.iri(n.w.ctx, key, vocabOnly, nil)
		if err != nil {
			return err
		}
		if iri != "@type" {
			continue
		}
		names := make([]string, 0, 4)
		for _, v := range list(m[key]) {
			if s, ok := v.(string); ok {
				names = append(names, s)
			}
		}
		last := ""
		if len(names) > 0 {
			last = names[len(names)-1]
		}
		slices.Sort(names)
		for _, name := range names {
			t := n.typed.terms[name]
			if t == nil || !t.scoped {
				continue
			}
			if n.w.ctx, err = n.p.scope(n.w.ctx, t, false, false); err != nil {
				return err
			}
		}
		if first && last != "" {
			if n.inputType, err = n.p.iri(n.w.ctx, last, vocabOnly, nil); err != nil {
				return err
			}
			first = false
		}
	}
	return nil
}

// members expands the entries of an object (steps 13 and 14).
func (n *expansion) members(m map[string]any) error {
	var nests []string
	for _, key := range sorted(m) {
		if key == "@context" {
			continue
		}
		iri, err := n.p.iri(n.w.ctx, key, vocabOnly, nil)
		if err != nil {
			return err
		}
		switch {
		case iri == "@nest":
			nests = append(nests, key)
		case isKeyword(iri):
			err = n.keyword(iri, m[key])
		case key == "" || !strings.Contains(iri, ":"):
			err = n.p.drop() // "" is no term, even where there is a vocabulary
		default:
			err = n.property(key, iri, m[key])
		}
		if err != nil {
			return err
		}
	}
	for _, key := range nests {
		if err := n.nested(key, m[key]); err != nil {
			return err
		}
	}
	return nil
}

// nested expands what stands below a member that only groups others.
func (n *expansion) nested(key string, v any) error {
	if n.w.property == "@reverse" {
		return badDocument("invalid reverse property map")
	}
	outer := n.w.ctx
	defer func() { n.w.ctx = outer }()
	if t := outer.terms[key]; t != nil && t.scoped {
		var err error
		if n.w.ctx, err = n.p.scope(outer, t, true, true); err != nil {
			return err
		}
	}
	if len(list(v)) == 0 {
		return n.p.drop()
	}
	for _, v := range list(v) {
		m, ok := v.(map[string]any)
		if !ok {
			return badDocument("invalid @nest value")
		}
		if len(m) == 0 {
			if err := n.p.drop(); err != nil {
				return err
			}
		}
		for k := range m {
			iri, err := n.p.iri(n.w.ctx, k, vocabOnly, nil)
			if err != nil {
				return err
			}
			if iri == "@value" {
				return badDocument("invalid @nest value")
			}
		}
		if _, ok := m["@context"]; ok && n.p.strict {
			return ErrContext // it would have no effect
		}
		if err := n.members(m); err != nil {
			return err
		}
	}
	return nil
}

// keyword expands a member that is a keyword (step 13.4).
func (n *expansion) keyword(key string, v any) error {
	if n.w.property == "@reverse" {
		return badDocument("invalid reverse property map")
	}
	if _, twice := n.result[key]; twice && key != "@included" && key != "@type" {
		return badDocument("colliding keywords")
	}
	s, isString := v.(string)
	var err error
	switch key {
	case "@id":
		if !isString {
			return badDocument("invalid @id value")
		}
		n.result[key], err = n.p.iri(n.w.ctx, s, baseOnly, nil)
	case "@type":
		err = n.typeValues(v)
	case "@graph":
		v, err = n.p.value(n.below("@graph"), v)
		n.result[key] = array(v)
		if err == nil && len(array(v)) == 0 {
			err = n.p.drop()
		}
	case "@included":
		err = n.included(v)
	case "@value":
		err = n.literal(v)
	case "@language":
		if !isString {
			return badDocument("invalid language-tagged string")
		}
		n.result[key] = strings.ToLower(s)
	case "@direction":
		if s != "ltr" && s != "rtl" {
			return badDocument("invalid base direction")
		}
		n.result[key] = s
	case "@index":
		if !isString {
			return badDocument("invalid @index value")
		}
		n.result[key] = s
	case "@list":
		if n.w.free() {
			return n.p.drop()
		}
		v, err = n.p.value(n.w, v)
		n.result[key] = array(v)
	case "@set":
		v, err = n.p.value(n.w, v)
		n.result[key] = array(v)
	case "@reverse":
		err = n.reversed(v)
	default:
		// @context, @base and the like mean nothing here; framing is not read.
		err = n.p.drop()
	}
	return err
}

// below is a place under this object.
func (n *expansion) below(property string) at {
	return at{ctx: n.w.ctx, property: property, base: n.w.base}
}

// array gives a value as an array, null as an empty one.
func array(v any) []any {
	if v == nil {
		return []any{}
	}
	return list(v)
}

func (n *expansion) typeValues(v any) error {
	var types []any
	if before, ok := n.result["@type"]; ok {
		if err := n.p.drop(); err != nil {
			return err // which name a type stands under would be lost
		}
		types = slices.Clone(list(before))
	}
	if len(list(v)) == 0 {
		if err := n.p.drop(); err != nil {
			return err
		}
	}
	for _, v := range list(v) {
		s, ok := v.(string)
		if !ok {
			return badDocument("invalid type value")
		}
		iri, err := n.p.iri(n.typed, s, vocabOrBase, nil)
		if err != nil {
			return err
		}
		types = append(types, iri)
	}
	n.result["@type"] = types
	if _, isArray := v.([]any); !isArray && len(types) == 1 {
		n.result["@type"] = types[0] // a value object's type is no array
	}
	return nil
}

func (n *expansion) included(v any) error {
	v, err := n.p.value(n.below(""), v)
	if err != nil {
		return err
	}
	for _, x := range list(v) {
		if m, ok := x.(map[string]any); !ok || m["@value"] != nil || m["@list"] != nil || m["@set"] != nil {
			return badDocument("invalid @included value")
		}
	}
	before, _ := n.result["@included"].([]any)
	n.result["@included"] = append(slices.Clip(before), list(v)...)
	if len(list(v)) == 0 {
		return n.p.drop()
	}
	return nil
}

// literal takes the @value of a value object.
func (n *expansion) literal(v any) error {
	switch v.(type) {
	case []any, map[string]any:
		if n.inputType != "@json" {
			return badDocument("invalid value object value")
		}
	}
	n.result["@value"] = v
	return nil
}

// reversed expands an explicit @reverse (step 13.4.13).
func (n *expansion) reversed(v any) error {
	m, ok := v.(map[string]any)
	if !ok {
		return badDocument("invalid @reverse value")
	}
	x, err := n.p.value(n.below("@reverse"), m)
	if err != nil {
		return err
	}
	m, _ = x.(map[string]any)
	if len(m) == 0 {
		return n.p.drop()
	}
	if twice, ok := m["@reverse"].(map[string]any); ok {
		for _, p := range sorted(twice) {
			n.add(p, twice[p])
		}
	}
	for _, p := range sorted(m) {
		if p == "@reverse" {
			continue
		}
		if err := n.addReverse(p, list(m[p])); err != nil {
			return err
		}
	}
	return nil
}

// add adds values to a property of the result.
func (n *expansion) add(iri string, v any) {
	before, _ := n.result[iri].([]any)
	n.result[iri] = append(before, array(v)...)
}

func (n *expansion) addReverse(iri string, items []any) error {
	if len(items) == 0 {
		return n.p.drop()
	}
	for _, item := range items {
		if m, ok := item.(map[string]any); ok && (has(m, "@value") || has(m, "@list")) {
			return badDocument("invalid reverse property value")
		}
	}
	m, _ := n.result["@reverse"].(map[string]any)
	if m == nil {
		m = map[string]any{}
		n.result["@reverse"] = m
	}
	before, _ := m[iri].([]any)
	m[iri] = append(before, items...)
	return nil
}

func has(m map[string]any, key string) bool { _, ok := m[key]; return ok }

// property expands a member that is a property (steps 13.5 to 13.14).
func (n *expansion) property(key, iri string, v any) error {
	t := n.w.ctx.terms[key]
	if t == nil {
		t = &definition{}
	}
	m, isMap := v.(map[string]any)
	var x any
	var err error
	switch {
	case t.typ == "@json":
		x = map[string]any{"@value": v, "@type": "@json"}
	case t.container&byLanguage != 0 && isMap:
		x, err = n.languages(t, m)
	case t.container&(byIndex|byType|byID) != 0 && isMap:
		x, err = n.indexed(key, t, m)
	default:
		x, err = n.p.value(n.below(key), v)
	}
	if err != nil || x == nil {
		return err
	}
	if t.container&inList != 0 {
		if m, ok := x.(map[string]any); !ok || !has(m, "@list") {
			x = map[string]any{"@list": array(x)}
		}
	}
	if t.container&inGraph != 0 && t.container&(byID|byIndex) == 0 {
		graphs := []any{}
		for _, g := range array(x) {
			graphs = append(graphs, map[string]any{"@graph": array(g)})
		}
		x = graphs
	}
	if !t.reverse {
		n.add(iri, x)
		return nil
	}
	return n.addReverse(iri, array(x))
}

// emptyEntry refuses an empty array in a map, with which its key would vanish.
func (p *processor) emptyEntry(v any) error {
	if len(list(v)) == 0 {
		return p.drop()
	}
	return nil
}

// languages expands a language map (step 13.7).
func (n *expansion) languages(t *definition, m map[string]any) (any, error) {
	out := []any{}
	for _, lang := range sorted(m) {
		if err := n.p.emptyEntry(m[lang]); err != nil {
			return nil, err
		}
		for _, item := range list(m[lang]) {
			if item == nil {
				if err := n.p.drop(); err != nil {
					return nil, err
				}
				continue
			}
			if _, ok := item.(string); !ok {
				return nil, badDocument("invalid language map value")
			}
			v := map[string]any{"@value": item}
			iri, err := n.p.iri(n.w.ctx, lang, vocabOnly, nil)
			if err != nil {
				return nil, err
			}
			if iri != "@none" {
				v["@language"] = strings.ToLower(lang)
			}
			dir := n.w.ctx.direction
			if t.direction.is {
				dir = t.direction.value
			}
			if dir != "" {
				v["@direction"] = dir
			}
			out = append(out, v)
		}
	}
	return out, nil
}

// indexed expands an index, id or type map (step 13.8).
func (n *expansion) indexed(key string, t *definition, m map[string]any) (any, error) {
	out := []any{}
	for _, index := range sorted(m) {
		if err := n.p.emptyEntry(m[index]); err != nil {
			return nil, err
		}
		w := n.below(key)
		w.fromMap = true
		if t.container&(byID|byType) != 0 && w.ctx.previous != nil {
			w.ctx = w.ctx.previous
		}
		if t.container&byType != 0 {
			if s := w.ctx.terms[index]; s != nil && s.scoped {
				var err error
				if w.ctx, err = n.p.scope(w.ctx, s, false, false); err != nil {
					return nil, err
				}
			}
		}
		x, err := n.p.value(w, list(m[index]))
		if err != nil {
			return nil, err
		}
		for _, item := range array(x) {
			item, err := n.entry(t, index, item)
			if err != nil {
				return nil, err
			}
			out = append(out, item)
		}
	}
	return out, nil
}

// entry gives one entry of a map what its key says (step 13.8.3.7).
func (n *expansion) entry(t *definition, index string, item any) (any, error) {
	m, ok := item.(map[string]any)
	if !ok {
		return nil, badDocument("invalid value object")
	}
	if t.container&inGraph != 0 && !isGraph(m) {
		m = map[string]any{"@graph": []any{m}}
	}
	iri, err := n.p.iri(n.w.ctx, index, vocabOnly, nil)
	if err != nil || iri == "@none" {
		return m, err
	}
	m = maps.Clone(m)
	switch {
	case t.container&byIndex != 0 && t.index != "":
		property, err := n.p.iri(n.w.ctx, t.index, vocabOnly, nil)
		if err != nil {
			return nil, err
		}
		v, err := n.p.scalar(n.w.ctx, t.index, index)
		if err != nil {
			return nil, err
		}
		if has(m, "@value") {
			return nil, badDocument("invalid value object")
		}
		before, _ := m[property].([]any)
		m[property] = append([]any{v}, before...)
	case t.container&byIndex != 0:
		if !has(m, "@index") {
			m["@index"] = index
		}
	case t.container&byID != 0:
		if !has(m, "@id") {
			if m["@id"], err = n.p.iri(n.w.ctx, index, baseOnly, nil); err != nil {
				return nil, err
			}
		} else if n.p.strict {
			return nil, ErrUndefined // the key would be lost
		}
	default:
		var before []any
		if has(m, "@type") {
			before = list(m["@type"])
		}
		m["@type"] = append([]any{iri}, before...)
	}
	return m, nil
}

// isGraph reports whether an expanded object is a graph object.
func isGraph(m map[string]any) bool {
	if !has(m, "@graph") {
		return false
	}
	for k := range m {
		if k != "@graph" && k != "@id" && k != "@index" && k != "@context" {
			return false
		}
	}
	return true
}

// finish makes a value, list, set or node of the result (steps 15 to 19).
func (n *expansion) finish() (any, error) {
	r := n.result
	v, isValue := r["@value"]
	items, isSet := r["@set"]
	switch {
	case isValue:
		if err := valueObject(r); err != nil {
			return nil, err
		}
		if v == nil && r["@type"] != "@json" {
			return nil, n.p.drop()
		}
	case isSet || has(r, "@list"):
		// Before its type is looked at, which may not be there either: a list has
		// no place in RDF for anything but its values.
		if len(r) > 2 || len(r) == 2 && !has(r, "@index") {
			return nil, badDocument("invalid set or list object")
		}
		if isSet {
			return items, n.p.drop() // it is no more than its values
		}
	case has(r, "@type"):
		r["@type"] = list(r["@type"])
	}
	if len(r) == 1 && has(r, "@language") {
		return nil, n.p.drop()
	}
	if n.w.free() && (len(r) == 0 || isValue || has(r, "@list") || len(r) == 1 && has(r, "@id")) {
		return nil, n.p.drop()
	}
	return r, nil
}

// valueObject checks a value object (step 15).
func valueObject(r map[string]any) error {
	typ, typed := r["@type"]
	tagged := has(r, "@language") || has(r, "@direction")
	for k := range r {
		switch k {
		case "@value", "@type", "@language", "@direction", "@index":
		default:
			return badDocument("invalid value object")
		}
	}
	if typed && tagged {
		return badDocument("invalid value object")
	}
	if typ == "@json" || r["@value"] == nil {
		return nil
	}
	if _, ok := r["@value"].(string); !ok && has(r, "@language") {
		return badDocument("invalid language-tagged value")
	}
	if s, ok := typ.(string); typed && (!ok || !hasScheme(s) || isBlank(s)) {
		return badDocument("invalid typed value")
	}
	return nil
}
