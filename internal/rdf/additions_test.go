package rdf

import (
	"bytes"
	"crypto"
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/kinpass/kinpass/internal/vectest"
)

// shapes are values for each keyword: right ones first, then some that belong
// to another.
var shapes = map[string][]string{
	"@id":        {`"x:added"`, `"_:added"`, `""`, `"added"`, `["x:added"]`, `null`, `{}`},
	"@type":      {`"x:Added"`, `["x:Added"]`, `[]`, `"Added"`, `"@json"`, `"@id"`, `"@none"`, `"\ufeff"`, `null`, `{}`},
	"@list":      {`["added"]`, `[]`, `"added"`, `[["added"],[]]`, `{"@set":["added"]}`, `{"@list":[]}`, `null`, `{}`},
	"@set":       {`["added"]`, `[]`, `"added"`, `[["added"],[]]`, `{"@set":[]}`, `{"@list":[]}`, `null`, `{}`},
	"@value":     {`"added"`, `4711`, `null`, `[true]`, `{}`},
	"@language":  {`"zu"`, `""`, `"z u"`, `null`, `1`},
	"@direction": {`"ltr"`, `"rtl"`, `""`, `"up"`, `null`},
	"@index":     {`"added"`, `""`, `1`, `null`},
	"@graph":     {`{"x:added":1}`, `[]`, `{}`, `[{"@id":"x:added"}]`, `"added"`, `{"@list":["added"]}`, `null`},
	"@included":  {`{"x:added":1}`, `[]`, `{}`, `[{"@id":"x:added"}]`, `"added"`, `{"@list":["added"]}`, `null`},
	"@nest":      {`{"x:added":1}`, `{}`, `[]`, `{"@index":"added"}`, `{"@list":["added"]}`, `{"@nest":{}}`, `null`},
	"@reverse":   {`{"x:added":{"@id":"x:b"}}`, `{}`, `{"x:added":[]}`, `{"x:added":null}`, `{"@id":"x:b"}`, `[]`, `null`},
	"@context":   {`{}`, `[]`, `null`, `{"added":"x:added"}`, `{"@vocab":"x:v#"}`, `"https://www.w3.org/ns/credentials/v2"`},
	"@base":      {`"x:added"`, `null`, `{}`},
	"@vocab":     {`"x:added"`, `null`, `{}`},
	"@none":      {`"added"`, `null`, `{}`, `[]`},
	"@json":      {`"added"`, `null`, `{}`, `[]`},
	"@container": {`"@list"`, `null`, `[]`},
	"@prefix":    {`true`, `null`, `{}`},
	"@protected": {`true`, `null`, `{}`},
	"@version":   {`1.1`, `null`, `{}`},
	"@import":    {`"https://www.w3.org/ns/credentials/v2"`, `null`, `{}`},
	"@propagate": {`true`, `null`, `{}`},
	"x:added":    {`1`, `{}`, `[]`, `null`, `{"@list":["added"],"@type":"x:Added"}`}, // a claim, for pairs
}

var keywordsAdded = slices.Sorted(maps.Keys(shapes))

// structured are the keywords that make an object something else than a node, and
// what may come beside them: they are added three at a time as well.
var structured = []string{"@id", "@index", "@language", "@list", "@set", "@type", "@value", "x:added"}

// odd documents have what our own and the W3C's Data Integrity documents lack.
var odd = []string{
	`"foo":{"@list":["a","b","c"]}`,
	`"foo":{"@list":[{"id":"x:a"},{"@value":"b","@language":"en"},{"@list":["c"]}]}`,
	`"steps":["one","two",["three",[]]]`,
	`"steps":{"@list":["one","two"]}`,
	`"foo":[{"@value":"a","@type":"x:T"},{"@value":"b","@direction":"rtl"},{"@value":3}]`,
	`"lang":{"en":["a","b"],"@none":"c"}`,
	`"ids":{"x:i":{"x:p":"v"},"@none":{"x:p":"w"}}`,
	`"types":{"x:T":{"id":"x:i"}}`,
	`"props":{"k":{"id":"x:y"}}`,
	`"json":{"a":[1,[2],{"@list":[null]}]}`,
	`"foo":{"@value":{"a":[1]},"@type":"@json"}`,
	`"@nest":{"foo":"a","@nest":[{"bar":"b"}]}`,
	`"@included":[{"id":"x:i","foo":"a"}]`,
	`"@reverse":{"foo":{"id":"x:i"}}`,
	`"@graph":[{"id":"x:i","foo":{"@list":["a"]}}]`,
	`"graphs":[{"id":"x:i","foo":"a"},{"foo":{"bar":"b"}}]`,
	`"foo":[{"id":"_:a","bar":1},{"id":"_:a"}]`,
	`"foo":[{},{"bar":{}}]`,
}

const oddStart = `{"@context":["https://www.w3.org/ns/credentials/v2","https://www.w3.org/ns/credentials/examples/v2",
	{"steps":{"@id":"x:steps","@container":"@list"},"lang":{"@id":"x:lang","@container":"@language"},
	"ids":{"@id":"x:ids","@container":"@id"},"types":{"@id":"x:types","@container":"@type"},
	"props":{"@id":"x:props","@container":"@index","@index":"x:i"},"json":{"@id":"x:json","@type":"@json"},
	"graphs":{"@id":"x:graphs","@container":"@graph"}}],
	"type":["VerifiableCredential"],"issuer":"did:example:i","credentialSubject":{"id":"did:example:s",`

// trials changes document in every place.
type trials struct {
	t       *testing.T
	root    any
	want    []byte
	pairs   bool
	every   int // one trial in so many is made
	n       int
	refused int
	same    int // contexts that change nothing: they say nothing either
}

// try reads the document as it is now.
func (x *trials) try(what string, mayEqual bool) {
	if x.n++; x.n%x.every != 0 {
		return
	}
	doc, err := json.Marshal(x.root)
	if err != nil {
		x.t.Fatal(err)
	}
	got, err := canonicalSlow(doc, crypto.SHA256)
	equal := err == nil && bytes.Equal(got, x.want)
	if err != nil {
		x.refused++
	}
	if d := compiled(doc); d != nil {
		fast, err2 := d.canonical(nil, crypto.SHA256)
		if err != nil || err2 != nil || !bytes.Equal(fast, got) {
			x.t.Errorf("%s: the paths differ (%v, %v): %.3000s", what, err, err2, doc)
		}
		d.release()
	}
	switch {
	case equal && mayEqual:
		x.same++
	case equal:
		x.t.Errorf("%s is not signed: %.3000s", what, doc)
	}
}

func decoded(s string) (v any) {
	d := json.NewDecoder(strings.NewReader(s))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return nil
	}
	return v
}

// added calls each with the members to add: every keyword in all its shapes or
// in the first alone, and together if pairs are asked for.
func (x *trials) added(all, pairs bool, each func(members map[string]any, what string, mayEqual bool)) {
	for _, k := range keywordsAdded {
		for _, s := range shapes[k] {
			each(map[string]any{k: decoded(s)}, k+" "+s, k == "@context")
			if !all {
				break
			}
		}
	}
	if !pairs {
		return
	}
	for i, a := range keywordsAdded {
		for _, b := range keywordsAdded[i+1:] {
			each(map[string]any{a: decoded(shapes[a][0]), b: decoded(shapes[b][0])}, a+" "+b, false)
			each(map[string]any{a: decoded(shapes[a][1]), b: decoded(shapes[b][1])}, a+" "+b+" again", false)
		}
	}
	for i, a := range structured {
		for j, b := range structured[:i] {
			for _, c := range structured[:j] {
				each(map[string]any{a: decoded(shapes[a][0]), b: decoded(shapes[b][0]), c: decoded(shapes[c][0])}, a+" "+b+" "+c, false)
			}
		}
	}
}

// walk changes a value and all below it; set puts another in its place.
func (x *trials) walk(v any, set func(any)) {
	switch v := v.(type) {
	case map[string]any:
		x.object(v)
		for _, k := range slices.Sorted(maps.Keys(v)) {
			if k == "@context" {
				continue // what a document means without its contexts is another matter
			}
			inner := v[k]
			x.walk(inner, func(w any) { v[k] = w })
			v[k] = inner
		}
	case []any:
		x.array(v, set)
		for i, inner := range v {
			x.walk(inner, func(w any) { v[i] = w })
			v[i] = inner
		}
	}
	if set == nil {
		return
	}
	// As the content of a keyword, with something beside it.
	for _, k := range []string{"@list", "@set", "@value", "@id", "@type", "@graph", "@nest"} {
		x.added(false, false, func(members map[string]any, what string, mayEqual bool) {
			if _, ok := members[k]; ok {
				return
			}
			members[k] = v
			set(members)
			x.try("below "+k+": "+what, mayEqual)
		})
	}
	set([]any{[]any{v}})
	x.try("an array in an array", false)
	set([]any{v, []any{}})
	x.try("an empty array beside", false)
	set(v)
}

func (x *trials) object(m map[string]any) {
	x.added(true, x.pairs, func(members map[string]any, what string, mayEqual bool) {
		for k := range members {
			if _, ok := m[k]; ok {
				return
			}
		}
		maps.Copy(m, members)
		x.try(what, mayEqual)
		for k := range members {
			delete(m, k)
		}
	})
}

func (x *trials) array(a []any, set func(any)) {
	x.added(true, false, func(members map[string]any, what string, _ bool) {
		set(append(slices.Clip(a), members))
		x.try("an element "+what, false)
	})
	for i := range len(a) {
		set([]any{slices.Clone(a[:i]), slices.Clone(a[i:])})
		x.try("in two arrays", false)
		for j := i + 1; j <= len(a); j++ {
			grouped := append(slices.Clone(a[:i]), slices.Clone(a[i:j]))
			set(append(grouped, a[j:]...))
			x.try("some in an array", false)
			grouped = append(slices.Clone(a[:i]), map[string]any{"@set": slices.Clone(a[i:j])})
			set(append(grouped, a[j:]...))
			x.try("some in a set", false)
			grouped = append(slices.Clone(a[:i]), map[string]any{"@list": slices.Clone(a[i:j])})
			set(append(grouped, a[j:]...))
			x.try("some in a list", false)
		}
		set(append(append(slices.Clone(a[:i]), []any{}), a[i:]...))
		x.try("an empty array between", false)
		set(append(append(slices.Clone(a[:i]), nil), a[i:]...))
		x.try("null between", false)
	}
	each := make([]any, len(a))
	for i := range a {
		each[i] = []any{a[i]}
	}
	if len(a) > 0 {
		set(each)
		x.try("each in an array", false)
	}
	set(a)
}

// TestAdditions changes good documents in every place, with every keyword: what
// was added or regrouped makes the document another one, or none. Contexts alone
// may change nothing, since they say nothing.
func TestAdditions(t *testing.T) {
	own := make([][]byte, 0, len(ownDocuments))
	for _, name := range slices.Sorted(maps.Keys(ownDocuments)) {
		own = append(own, sample(ownDocuments[name]))
	}
	strange := make([][]byte, 0, len(odd))
	for _, members := range odd {
		strange = append(strange, []byte(oddStart+members+"}}"))
	}
	// The numbers are those of all trials. An ordinary run makes every seventh, or
	// as many as it says.
	every := 7
	if os.Getenv("KINPASS_ALL_TRIALS") != "" {
		every = 1
	}
	for name, c := range map[string]struct {
		docs       func(t *testing.T) [][]byte
		pairs      bool
		every      int
		good, want int
	}{
		"own":               {func(*testing.T) [][]byte { return own }, false, 5 * every, 20, 315835},
		"strange":           {func(*testing.T) [][]byte { return strange }, true, 1, 18, 86006},
		"vc-di-eddsa":       {published("vc-di-eddsa"), true, every, 15, 83773},
		"vc-di-ecdsa":       {published("vc-di-ecdsa"), false, every, 22, 72628},
		"vc-jose-cose":      {published("vc-jose-cose"), false, every, 7, 24328},
		"json-ld-api/toRdf": {published("json-ld-api/toRdf"), false, every, 201, 219388},
	} {
		if every == 1 {
			c.every = 1
		}
		t.Run(name, func(t *testing.T) {
			x, good := trials{t: t, pairs: c.pairs, every: c.every}, 0
			for _, doc := range c.docs(t) {
				want, err := canonicalSlow(doc, crypto.SHA256)
				if err != nil || bytes.Contains(doc, []byte(`"@direction": "ltr"`)) {
					continue // refused, or a direction that is added there is said already
				}
				good++
				x.root, x.want = decoded(string(doc)), want
				x.walk(x.root, nil)
			}
			t.Logf("%d documents, %d trials, %d refused, %d contexts that change nothing", good, x.n, x.refused, x.same)
			if good != c.good || x.n != c.want {
				t.Errorf("%d documents, %d trials; want %d, %d", good, x.n, c.good, c.want)
			}
		})
	}
}

// published gives the different documents of a folder of vectors.
func published(sub string) func(t *testing.T) [][]byte {
	return func(t *testing.T) [][]byte {
		vectest.Dir(t, strings.Split(sub, "/")[0])
		var docs [][]byte
		for _, suffix := range []string{".json", "-in.jsonld"} {
			for _, doc := range vectest.Seeds(sub, suffix, 10000) {
				if !slices.ContainsFunc(docs, func(d []byte) bool { return bytes.Equal(d, doc) }) {
					docs = append(docs, doc)
				}
			}
		}
		return docs
	}
}
