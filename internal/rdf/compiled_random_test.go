package rdf

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/kinpass/kinpass/internal/vectest"
)

// variants changes documents at random: members moved, renamed, doubled and
// taken away, values of every kind put in, the text written in other ways.
type variants struct {
	*rand.Rand
	names []string
}

func newVariants(seed uint64) *variants {
	v := &variants{Rand: rand.New(rand.NewPCG(seed, 1))}
	v.names = slices.Sorted(maps.Keys(programs[0]().ids))
	v.names = append(v.names, "@id", "@type", "@context", "@value", "@language", "@list", "@set", "@graph", "@reverse", "@nest", "@included", "@index", "@json",
		"hair", "Sex", "", "__proto__", "kp:sex", "a/b", "https://w3id.org/kinpass/v1#sex")
	return v
}

func pick[T any](v *variants, from ...T) T { return from[v.IntN(len(from))] }

// value makes a value of any kind.
func (v *variants) value(depth int) any {
	switch v.IntN(12) {
	case 0:
		return pick[any](v, nil, true, false, []any{}, map[string]any{}, "")
	case 1, 2:
		return json.Number(pick(v, "0", "1", "-1", "-0", "1.0", "1e3", "0.1", "1.5e-7", "123456789012345", "1234567890123456", "9007199254740993", "1e21", "1e400"))
	case 3:
		return v.names[v.IntN(len(v.names))]
	case 4, 5:
		return pick(v, "did:key:z6MkX", "urn:uuid:1", "https://r.example/a?b#c", "http://r.example", "relative", "a b", "_:b0", "#x", "urn:x y", "HTTP://x/", "data:text/plain,x", "mailto:a@b.example", "kp:sex", "https://é.example/")
	case 6:
		if depth < 4 {
			a := make([]any, v.IntN(4))
			for i := range a {
				a[i] = v.value(depth + 1)
			}
			return a
		}
	case 7, 8:
		if depth < 4 {
			m := map[string]any{}
			for range v.IntN(4) {
				m[v.names[v.IntN(len(v.names))]] = v.value(depth + 1)
			}
			return m
		}
	case 9:
		return map[string]any{pick(v, "@value", "@id", "id", "@list", "@set"): v.value(depth + 1)}
	}
	return pick(v, "x", "y", "a\"b\\", "\n\t\b\f\r", "\x00\x1f\x7f", "é😀", "2020-01-01", "5", "true")
}

// change returns v changed somewhere inside.
func (v *variants) change(at any) any {
	switch x := at.(type) {
	case map[string]any:
		keys := slices.Sorted(maps.Keys(x))
		if len(keys) == 0 || v.IntN(6) == 0 {
			if len(keys) > 0 && v.IntN(2) == 0 {
				delete(x, keys[v.IntN(len(keys))])
			} else {
				x[v.names[v.IntN(len(v.names))]] = v.value(0)
			}
			return x
		}
		key := keys[v.IntN(len(keys))]
		switch v.IntN(14) {
		case 0: // another name
			x[v.names[v.IntN(len(v.names))]] = x[key]
			delete(x, key)
		case 1: // another type
			x["type"] = []any{v.names[v.IntN(len(v.names))], x["type"]}[v.IntN(2):][:1]
		case 2: // the same twice
			x[v.names[v.IntN(len(v.names))]] = x[key]
		case 3:
			x[key] = []any{x[key]}
		default:
			x[key] = v.change(x[key])
		}
		return x
	case []any:
		if len(x) == 0 {
			return v.value(0)
		}
		i := v.IntN(len(x))
		switch v.IntN(8) {
		case 0:
			return append(x, x[i])
		case 1:
			return append(x, v.value(0))
		case 2:
			return slices.Delete(x, i, i+1)
		case 3:
			j := v.IntN(len(x))
			x[i], x[j] = x[j], x[i]
			return x
		case 4:
			return x[i]
		}
		x[i] = v.change(x[i])
		return x
	}
	return v.value(0)
}

// write writes a value with its members in any order.
func (v *variants) write(b *bytes.Buffer, at any) {
	space := func() {
		if v.IntN(20) == 0 {
			b.WriteString(pick(v, " ", "\n", "\t", "\r\n"))
		}
	}
	space()
	switch x := at.(type) {
	case map[string]any:
		b.WriteByte('{')
		keys := slices.Sorted(maps.Keys(x))
		v.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
		for i, key := range keys {
			if i > 0 {
				b.WriteByte(',')
			}
			space()
			v.str(b, key, 200)
			space()
			b.WriteByte(':')
			v.write(b, x[key])
		}
		b.WriteByte('}')
	case []any:
		b.WriteByte('[')
		for i, e := range x {
			if i > 0 {
				b.WriteByte(',')
			}
			v.write(b, e)
		}
		b.WriteByte(']')
	case string:
		v.str(b, x, 40)
	default:
		data, _ := json.Marshal(x)
		b.Write(data)
	}
	space()
}

// str writes a string, seldom with needless escapes.
func (v *variants) str(b *bytes.Buffer, s string, seldom int) {
	if v.IntN(seldom) > 0 {
		data, _ := json.Marshal(s)
		b.Write(data)
		return
	}
	b.WriteByte('"')
	for _, r := range s {
		if r < 0x10000 {
			fmt.Fprintf(b, `\u%04x`, r)
		} else {
			fmt.Fprintf(b, `\u%04X\u%04X`, 0xd800+(r-0x10000)>>10, 0xdc00+(r-0x10000)&0x3ff)
		}
	}
	b.WriteByte('"')
}

// of gives a variant of a document.
func (v *variants) of(doc []byte) []byte {
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	var tree any
	if err := d.Decode(&tree); err != nil {
		panic(err)
	}
	for range v.IntN(4) {
		tree = v.change(tree)
	}
	var b bytes.Buffer
	v.write(&b, tree)
	return b.Bytes()
}

func TestCompiledAgreesOnVariants(t *testing.T) {
	rounds := 150
	if testing.Short() {
		rounds = 10
	}
	v := newVariants(42)
	all, taken := 0, 0
	for _, name := range slices.Sorted(maps.Keys(ownDocuments)) {
		for range rounds {
			all++
			if agree(t, name, v.of(sample(ownDocuments[name]))) {
				taken++
			}
			if t.Failed() {
				return
			}
		}
	}
	t.Logf("%d of %d variants were compiled", taken, all)
	if taken < all/5 {
		t.Errorf("only %d of %d variants were compiled: what does this test?", taken, all)
	}
}

// inline gives the answer of the compiled path to a document whose contexts are
// written out in it, as if they were built in.
func inline(doc []byte) (*dataset, bool) {
	tokens, ok := scan(doc, nil)
	if !ok || tokens[0].kind != '{' {
		return nil, false
	}
	at := int32(-1)
	for i := int32(1); i < tokens[0].next; i = tokens[i+1].next {
		if string(doc[tokens[i].off:tokens[i].end]) == "@context" {
			at = i + 1
		}
	}
	if at < 0 || tokens[at].kind != '{' && tokens[at].kind != '[' {
		return nil, false
	}
	text := doc[tokens[at].off:tokens[at].end]
	var contexts []map[string]any
	if tokens[at].kind == '{' {
		text = slices.Concat([]byte("["), text, []byte("]"))
	}
	var list []json.RawMessage
	if json.Unmarshal(text, &list) != nil {
		return nil, false
	}
	for _, raw := range list {
		var context map[string]any
		if json.Unmarshal(raw, &context) != nil || context == nil {
			var url string
			b, ok := builtins[url]
			if json.Unmarshal(raw, &url) == nil {
				b, ok = builtins[url]
			}
			var file struct {
				Context map[string]any `json:"@context"`
			}
			if !ok || json.Unmarshal(b.bytes(), &file) != nil || file.Context == nil {
				return nil, false
			}
			context = file.Context
		}
		contexts = append(contexts, context)
	}
	p, err := compileContexts(contexts)
	if err != nil {
		return nil, false
	}
	lists, before := compiledLists, programs
	defer func() { compiledLists, programs = lists, before }()
	compiledLists = append(slices.Clip(lists), []string{"urn:inline"})
	programs = append(slices.Clip(before), func() *program { return p })
	d := compiled(slices.Concat(doc[:tokens[at].off], []byte(`"urn:inline"`), doc[tokens[at].end:]))
	return d, d != nil
}

func agreeInline(t testing.TB, name string, doc []byte) bool {
	t.Helper()
	d, ok := inline(doc)
	if ok {
		defer d.release()
		compare(t, name, doc, d)
	}
	return ok
}

// The compiler knows contexts in general: on the W3C's tests of JSON-LD and on
// changes of our own contexts it gives what expansion gives.
func TestCompiledContextsInline(t *testing.T) {
	taken := 0
	for i, doc := range vectest.Seeds("json-ld-api", ".jsonld", 1000) {
		if agreeInline(t, fmt.Sprint("json-ld-api ", i), doc) {
			taken++
		}
	}
	t.Logf("%d of the W3C's documents were compiled", taken)

	v := newVariants(7)
	rounds, tried, taken := 6000, 0, 0
	if testing.Short() {
		rounds = 100
	}
	for range rounds {
		doc := v.inlineDocument()
		tried++
		if agreeInline(t, "inline", doc) {
			taken++
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("%d of %d documents with contexts made up were compiled", taken, tried)
	if taken < tried/10 {
		t.Errorf("only %d of %d documents were compiled", taken, tried)
	}
}

var inlineNames = []string{"a", "b", "c", "d", "A", "B", "C", "id", "type"}

// inlineDocument makes up contexts of a few terms and a document of them.
func (v *variants) inlineDocument() []byte {
	contexts := []any{v.context(0)}
	for range v.IntN(3) {
		contexts = append(contexts, v.context(0))
	}
	doc := v.object(0)
	doc["@context"] = contexts
	var b bytes.Buffer
	v.write(&b, doc)
	return b.Bytes()
}

func (v *variants) context(depth int) map[string]any {
	c := map[string]any{}
	if depth == 0 || v.IntN(3) == 0 {
		c["id"], c["type"] = "@id", "@type"
	}
	if v.IntN(3) == 0 {
		c["@protected"] = v.IntN(2) == 0
	}
	if v.IntN(8) == 0 {
		c["@vocab"] = "https://v.example/#"
	}
	if v.IntN(8) == 0 {
		c["@version"] = json.Number("1.1")
	}
	if v.IntN(40) == 0 {
		c["@language"] = "en"
	}
	for _, name := range inlineNames[:7] {
		if depth == 0 && v.IntN(8) > 0 || v.IntN(4) == 0 {
			c[name] = v.definition(name, depth)
		}
	}
	return c
}

// definition makes one that is valid wherever it stands.
func (v *variants) definition(name string, depth int) any {
	iri := "https://t.example/" + name + pick(v, "", "", "", "2", "#")
	switch v.IntN(60) {
	case 0:
		return nil
	case 1:
		iri = pick(v, "urn:x", "mailto:x", "http://www.w3.org/1999/02/22-rdf-syntax-ns#type")
	case 2:
		iri = "https://t.example/same"
	case 3:
		return pick(v, "@id", "@graph", "@value")
	}
	if v.IntN(3) == 0 {
		return iri
	}
	d := map[string]any{"@id": iri}
	if v.IntN(3) == 0 {
		d["@type"] = pick(v, "@id", "@id", "@vocab", "@vocab", "@json", xsdInteger, xsdString, xsdDouble, "http://www.w3.org/2001/XMLSchema#date", "mailto:x")
	}
	if v.IntN(3) == 0 {
		d["@container"] = pick[any](v, "@set", "@list", "@list", "@graph", "@graph", "@set", "@list", "@index", []any{"@set"}, []any{"@graph", "@set"})
	}
	if v.IntN(8) == 0 {
		d["@protected"] = v.IntN(2) == 0
	}
	switch v.IntN(120) {
	case 0:
		d["@language"] = pick[any](v, "en", nil)
	case 1:
		d["@direction"] = "rtl"
	case 2:
		d["@nest"] = "@nest"
	case 3:
		return map[string]any{"@reverse": iri}
	}
	if depth < 2 && v.IntN(4) == 0 {
		d["@context"] = v.context(depth + 1)
		if v.IntN(10) == 0 {
			d["@context"] = nil
		}
	}
	return d
}

func (v *variants) object(depth int) map[string]any {
	o := map[string]any{}
	for range v.IntN(4) {
		o[inlineNames[v.IntN(7)]] = v.content(depth + 1)
	}
	if v.IntN(2) == 0 {
		o["type"] = pick[any](v, "A", "B", "C", "a", []any{"A", "B"}, []any{"C", "A"}, "https://t.example/T")
	}
	if v.IntN(3) == 0 {
		o["id"] = pick(v, "urn:1", "urn:2", "https://i.example/3")
	}
	return o
}

func (v *variants) content(depth int) any {
	switch v.IntN(7) {
	case 0, 1:
		if depth < 5 {
			return v.object(depth)
		}
	case 2:
		if depth < 5 {
			a := make([]any, v.IntN(4))
			for i := range a {
				a[i] = v.content(depth + 1)
			}
			return a
		}
	case 3:
		return pick(v, "urn:1", "https://i.example/3", "A", "a", "b:x")
	case 4:
		return json.Number(pick(v, "1", "1", "2", "1.5", "1e2"))
	case 5:
		return map[string]any{"id": pick(v, "urn:1", "urn:2")}
	}
	return pick[any](v, "x", "y", true, "1")
}

func FuzzCompiled(f *testing.F) {
	for _, doc := range ownDocuments {
		f.Add(sample(doc))
	}
	for _, e := range edits {
		f.Add(sample(strings.Replace(plain, e.old, e.new, 1)))
	}
	for _, sub := range []string{"vc-di-eddsa", "vc-di-ecdsa", "vc-jose-cose"} {
		for _, doc := range vectest.Seeds(sub, ".json", 100) {
			f.Add(doc)
		}
	}
	f.Fuzz(func(t *testing.T, doc []byte) { agree(t, "fuzz", doc) })
}

// FuzzCompiledVariants changes documents by members and values, where FuzzCompiled
// changes bytes, and makes up contexts.
func FuzzCompiledVariants(f *testing.F) {
	names := slices.Sorted(maps.Keys(ownDocuments))
	for i := range names {
		f.Add(uint64(i), uint8(i))
	}
	f.Fuzz(func(t *testing.T, seed uint64, i uint8) {
		v := newVariants(seed)
		if n := int(i) % (len(names) + 1); n < len(names) {
			agree(t, names[n], v.of(sample(ownDocuments[names[n]])))
		} else {
			agreeInline(t, "inline", v.inlineDocument())
		}
	})
}
