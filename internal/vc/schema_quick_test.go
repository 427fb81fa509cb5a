package vc

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// asLibrary compares what the quick form of a schema says of a document with what
// the library says, and gives whether it is allowed and whether the quick form
// was sure.
func asLibrary(t *testing.T, set *schemaSet, id string, data []byte) (allowed, sure bool) {
	t.Helper()
	if CheckJSON(data, MaxDepth) != nil {
		return false, false
	}
	allowed, sure = set.quick[id].allows(data)
	err := set.validate(set.byID[id], data)
	if sure && allowed != (err == nil) || allowed && !sure {
		t.Errorf("%s: quickly %v, by the library %v: %s", id, allowed, err, data)
	}
	return allowed, sure
}

func quickSet(t testing.TB) (*schemaSet, []string) {
	t.Helper()
	set, err := schemas()
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for id := range set.byID {
		if set.quick[id] == nil {
			t.Errorf("%s has no quick form", id)
		}
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return set, ids
}

// TestQuickSchemasSayWhatTheLibrarySays: documents that are made from the schemas
// and nearly right.
func TestQuickSchemasSayWhatTheLibrarySays(t *testing.T) {
	set, ids := quickSet(t)
	rounds := 400
	if os.Getenv("KINPASS_LONG") == "1" {
		rounds = 40_000
	}
	for _, id := range ids {
		m := schemaMaker{rand.New(rand.NewPCG(1, 2)), 0}
		allowed, unsure := 0, 0
		for range rounds {
			m.wild = m.r.Float64() * m.r.Float64() * .08
			if m.r.IntN(3) == 0 {
				m.wild = 0
			}
			data, err := json.Marshal(m.value(set.byID[id], 0))
			if err != nil {
				t.Fatal(err)
			}
			ok, sure := asLibrary(t, set, id, data)
			if ok {
				allowed++
			}
			if !sure {
				unsure++
			}
		}
		if len(set.byID[id].Properties) > 0 && (allowed == 0 || allowed > rounds*19/20) || unsure > rounds/4 {
			t.Errorf("%s: of %d documents %d are allowed, and it is not sure of %d", id, rounds, allowed, unsure)
		}
	}
}

// TestQuickSchemasAreUnsureOfOddThings: what the quick form does not look at
// closely is never allowed by it, under no "not" or "if" either.
func TestQuickSchemasAreUnsureOfOddThings(t *testing.T) {
	set, _ := quickSet(t)
	var many []string
	for n := range mostMembers + 1 {
		many = append(many, `"m`+strings.Repeat("x", n)+`":1`)
	}
	c := jsonschema.NewCompiler()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(`{"$schema":"https://json-schema.org/draft/2020-12/schema","properties":{"a":{"not":{"uniqueItems":true}},"b":{"not":{"required":["z"]}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.AddResource("https://x.example/s", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("https://x.example/s")
	if err != nil {
		t.Fatal(err)
	}
	set.byID["odd"], set.quick["odd"] = s, quickly(s)
	defer func() { delete(set.byID, "odd"); delete(set.quick, "odd") }()
	for data, sure := range map[string]bool{
		`{"a":[1,2]}`:       false,
		`{"a":[{},{}]}`:     false,
		`{"a":["x",["x"]]}`: false,
		`{"a":["x","x"]}`:   true,
		`{"a":["x","y"]}`:   true,
		`{"a":[[1]]}`:       true,
		`{"a":1.5}`:         false,
		`{"a":1e2}`:         false,
		`{"a":-1}`:          true,
		`{"b":{` + strings.Join(many, ",") + `}}`:     false,
		`{"b":{` + strings.Join(many[1:], ",") + `}}`: true,
	} {
		if _, got := asLibrary(t, set, "odd", []byte(data)); got != sure {
			t.Errorf("%.60s: sure %v", data, got)
		}
	}
	for _, unknown := range []string{`{"minProperties":1}`, `{"patternProperties":{"a":true}}`, `{"oneOf":[true]}`, `{"contains":true}`,
		`{"multipleOf":2}`, `{"const":{"a":1}}`, `{"enum":[1.5]}`, `{"minimum":0.5}`, `{"dependentRequired":{"a":["b"]}}`, `{"items":{"propertyNames":{"maxLength":1}}}`} {
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(unknown))
		if err != nil {
			t.Fatal(err)
		}
		c := jsonschema.NewCompiler()
		if err := c.AddResource("https://x.example/u", doc); err != nil {
			t.Fatal(err)
		}
		if s, err := c.Compile("https://x.example/u"); err != nil || quickly(s) != nil {
			t.Errorf("%s has a quick form (%v)", unknown, err)
		}
	}
}

// TestQuickKeywords: each keyword, at its bounds and beside others, means what the
// library means by it.
func TestQuickKeywords(t *testing.T) {
	set, _ := quickSet(t)
	schemas := []string{`true`, `false`, `{"type":"string","minLength":2,"maxLength":3}`, `{"maxLength":1}`, `{"minItems":1,"maxItems":2}`, `{"uniqueItems":true}`,
		`{"minimum":-1,"maximum":2}`, `{"type":["integer","null"]}`, `{"type":"number"}`, `{"type":"boolean"}`, `{"enum":["a",1,null,true,["a",1]]}`, `{"const":0}`, `{"const":"é"}`, `{"const":["a",["b"]]}`,
		`{"required":["a","b"]}`, `{"properties":{"a":{"type":"string"}},"additionalProperties":false}`, `{"additionalProperties":{"type":"integer"}}`, `{"properties":{"a":false}}`,
		`{"prefixItems":[{"type":"string"}],"items":{"type":"integer"}}`, `{"items":false}`, `{"format":"date"}`, `{"pattern":"^a+$","type":"string"}`, `{"not":{"required":["a"]}}`,
		`{"anyOf":[{"required":["a"]},{"required":["b"]}]}`, `{"allOf":[{"required":["a"]},{"properties":{"b":{"const":1}}}]}`,
		`{"if":{"required":["a"]},"then":{"required":["b"]},"else":{"required":["c"]}}`, `{"if":{"required":["a"]},"then":{"required":["b"]}}`, `{"if":true,"else":false}`,
		`{"unevaluatedProperties":false}`, `{"properties":{"a":true},"unevaluatedProperties":false}`, `{"properties":{"a":true},"unevaluatedProperties":{"type":"integer"}}`,
		`{"allOf":[{"properties":{"a":true}}],"unevaluatedProperties":false}`, `{"anyOf":[{"properties":{"a":true},"required":["a"]},{"properties":{"b":{"const":1}}}],"unevaluatedProperties":false}`,
		`{"if":{"properties":{"a":{"const":1}},"required":["a"]},"then":{"properties":{"b":true}},"else":{"properties":{"c":true}},"unevaluatedProperties":false}`,
		`{"not":{"properties":{"a":{"const":9}},"required":["a"]},"unevaluatedProperties":false}`, `{"$defs":{"x":{"properties":{"a":true}}},"$ref":"#/$defs/x","unevaluatedProperties":false}`,
		`{"allOf":[{"unevaluatedProperties":true}],"unevaluatedProperties":false}`, `{"allOf":[{"additionalProperties":true}],"unevaluatedProperties":false}`,
		`{"items":{"properties":{"a":true},"unevaluatedProperties":false}}`, `{"properties":{"a":{"properties":{"b":true}}},"unevaluatedProperties":false}`}
	docs := []string{`null`, `true`, `false`, `0`, `-0`, `1`, `2`, `3`, `-1`, `-2`, `""`, `"a"`, `"aa"`, `"aaa"`, `"aaaa"`, `"é"`, `"éé"`, `"ééé"`, `"\u00e9"`, `"2024-02-29"`, `"2023-02-29"`,
		`[]`, `["a"]`, `[1]`, `["a",1]`, `["a","a"]`, `["a","b","c"]`, `["a",["b"]]`, `[{"a":1}]`, `[{"b":1}]`, `["a",1,2]`, `{}`, `{"a":1}`, `{"b":1}`, `{"c":1}`, `{"a":9}`, `{"a":"x"}`, `{"a":1,"b":1}`, `{"a":1,"b":2}`,
		`{"a":1,"c":1}`, `{"b":1,"c":1}`, `{"a":2,"c":"x"}`, `{"a":1,"b":"x","c":1}`, `{"a":{"b":1}}`, `{"a":{"c":1}}`, `{"\u0061":1}`}
	for _, text := range schemas {
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		c := jsonschema.NewCompiler()
		c.AssertFormat()
		if err := c.AddResource("https://x.example/k", doc); err != nil {
			t.Fatal(err)
		}
		s, err := c.Compile("https://x.example/k")
		if err != nil {
			t.Fatal(err)
		}
		one := &schemaSet{byID: map[string]*jsonschema.Schema{text: s}, quick: map[string]*quick{text: quickly(s)}, names: set.names}
		if one.quick[text] == nil {
			t.Errorf("%s has no quick form", text)
			continue
		}
		for _, d := range docs {
			asLibrary(t, one, text, []byte(d))
		}
	}
}

// TestQuickPattern: a pattern that has a quick form means the same by it.
func TestQuickPattern(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for pattern, quickly := range map[string]bool{
		`^[A-Z]{3}$`: true, `^[A-Za-z0-9_-]{22}$`: true, `^[A-Z][a-z]{3}$`: true, `^[A-Z<]{1,39}$`: true, `^did:[a-z0-9]+:[A-Za-z0-9._:%-]+$`: true,
		`^a?b$`: true, `^a*b+c{2,}$`: true, `^[0-9]{2}:[0-9]{2}$`: true, `^ab$`: true,
		`^a?a$`: false, `^a*[ab]$`: false, `^a?b?$`: false, `^a|b$`: false, `a$`: false, `^a`: false, `^(a|b)c$`: false, `^[^a]$`: false, `^é$`: false,
		`(?i)^ab$`: false, `^[A-Z]+(<[A-Z]+)*$`: false, `^a+?b$`: true, `(?m)^a$`: false, `^.$`: false,
	} {
		f := quickPattern(pattern)
		if (f != nil) != quickly {
			t.Errorf("%s: quick %v", pattern, f != nil)
			continue
		}
		if f == nil {
			continue
		}
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(`{"pattern":` + string(must(json.Marshal(pattern))) + `}`))
		if err != nil {
			t.Fatal(err)
		}
		c := jsonschema.NewCompiler()
		if err := c.AddResource("https://x.example/p", doc); err != nil {
			t.Fatal(err)
		}
		s, err := c.Compile("https://x.example/p")
		if err != nil {
			t.Fatal(err)
		}
		letters := []rune("aabbcAZ<0:9dié\n-_.%")
		for range 3000 {
			var text []rune
			for range r.IntN(25) {
				text = append(text, letters[r.IntN(len(letters))])
			}
			in := string(text)
			if r.IntN(2) == 0 {
				in = strings.Repeat(string(letters[r.IntN(len(letters))]), r.IntN(41))
			}
			if f(in) != s.Pattern.MatchString(in) {
				t.Errorf("%s: %q", pattern, in)
			}
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// schemaMaker makes values that a schema asks for, and now and then others.
type schemaMaker struct {
	r    *rand.Rand
	wild float64 // how often it does something else
}

func (m schemaMaker) other() bool { return m.r.Float64() < m.wild }

var modelTexts = []string{"", "x", "ABC", "Latn", "2019-03-05", "2019-13-05", "2019-02-30", "2019", "2019-03", "2019-03-05T10:00:00Z", "2019-03-05T25:00:00Z", "10:30",
	"jWoSldc3ms1i4ycXe2mjtQ", "GURUNG<KAVYA", "GURUNG", "<", "https://registry.example/a", "not a uri", "urn:uuid:0f6c8f3e-6f0e-4b0e-8a4e-0d6f1a2b3c4d", "did:web:a.example",
	"did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK", "7", "0", "image/png", strings.Repeat("A", 43), strings.Repeat("é", 64), strings.Repeat("\u00df", 101), strings.Repeat("x", 201),
	"a\"b\\c/\u2028", "\ufffd", "+27 21 000 0000", "en", "ZAF"}

func (m schemaMaker) value(s *jsonschema.Schema, depth int) any {
	if depth > 12 {
		return nil
	}
	if m.other() {
		return m.anything(depth)
	}
	all := []*jsonschema.Schema{s}
	for n := 0; n < len(all); n++ { // what is applied to the same place
		x := all[n]
		if x.Ref != nil {
			all = append(all, x.Ref)
		}
		all = append(all, x.AllOf...)
		if x.Then != nil && m.r.IntN(2) == 0 {
			all = append(all, x.If, x.Then)
		}
	}
	var kinds []string
	for _, x := range all {
		switch {
		case x.Const != nil:
			return *x.Const
		case x.Enum != nil:
			return x.Enum.Values[m.r.IntN(len(x.Enum.Values))]
		case x.Types != nil && !x.Types.IsEmpty():
			kinds = x.Types.ToStrings()
		}
	}
	kind := ""
	if len(kinds) > 0 {
		kind = kinds[m.r.IntN(len(kinds))]
	}
	for _, x := range all {
		if kind == "" && len(x.Properties) > 0 {
			kind = "object"
		}
	}
	switch kind {
	case "object":
		return m.object(all, depth)
	case "array":
		return m.array(all, depth)
	case "string":
		return m.text(all)
	case "integer", "number":
		return []int{0, 1, 1, 2, 9, 15, 18, 18}[m.r.IntN(8)]
	case "boolean":
		return m.r.IntN(2) == 0
	}
	return m.anything(depth)
}

func (m schemaMaker) object(all []*jsonschema.Schema, depth int) any {
	out := map[string]any{}
	for _, x := range all {
		for _, name := range slices.Sorted(maps.Keys(x.Properties)) {
			p := x.Properties[name]
			if p.Bool != nil && !*p.Bool && !m.other() {
				continue
			}
			if slices.Contains(x.Required, name) && !m.other() || m.r.IntN(4) == 0 {
				if v := m.value(p, depth+1); out[name] == nil || p.Const != nil {
					out[name] = v
				}
			}
		}
	}
	for _, x := range all {
		for _, name := range x.Required {
			if out[name] != nil || m.other() {
				continue
			}
			for _, y := range all {
				if p := y.Properties[name]; p != nil && (out[name] == nil || p.Const != nil) {
					out[name] = m.value(p, depth+1)
				}
			}
		}
		for _, y := range x.AnyOf {
			if len(y.Required) > 0 && m.r.IntN(2) == 0 && x.Properties[y.Required[0]] != nil {
				out[y.Required[0]] = m.value(x.Properties[y.Required[0]], depth+1)
			}
		}
	}
	if m.other() {
		out["stranger"] = m.anything(depth)
	}
	return out
}

func (m schemaMaker) array(all []*jsonschema.Schema, depth int) any {
	least, prefix := 0, []*jsonschema.Schema(nil)
	var items *jsonschema.Schema
	for _, x := range all {
		if x.MinItems != nil {
			least = max(least, *x.MinItems)
		}
		if x.PrefixItems != nil {
			prefix = x.PrefixItems
		}
		if x.Items2020 != nil {
			items = x.Items2020
		}
	}
	n := least + m.r.IntN(2)
	for _, x := range all {
		if x.MaxItems != nil && n > *x.MaxItems {
			n = *x.MaxItems
		}
	}
	if prefix != nil {
		n = len(prefix)
	}
	if m.other() {
		n += m.r.IntN(12)
	}
	out := []any{}
	for k := range n {
		switch {
		case k < len(prefix):
			out = append(out, m.value(prefix[k], depth+1))
		case items != nil:
			out = append(out, m.value(items, depth+1))
		default:
			out = append(out, m.anything(depth))
		}
	}
	return out
}

// text gives a text that the schemas allow, if there is one among those that it
// knows.
func (m schemaMaker) text(all []*jsonschema.Schema) string {
	if m.other() {
		return modelTexts[m.r.IntN(len(modelTexts))]
	}
	from := m.r.IntN(len(modelTexts))
	for n := range modelTexts {
		x := modelTexts[(from+n)%len(modelTexts)]
		good := true
		for _, s := range all {
			good = good && (s.Pattern == nil || s.Pattern.MatchString(x)) && (s.Format == nil || s.Format.Validate(x) == nil) &&
				(s.MinLength == nil || len(x) >= *s.MinLength) && (s.MaxLength == nil || len(x) <= *s.MaxLength)
		}
		if good {
			return x
		}
	}
	return "x"
}

func (m schemaMaker) anything(depth int) any {
	switch m.r.IntN(9) {
	case 0:
		return nil
	case 1:
		return m.r.IntN(2) == 0
	case 2:
		return m.r.IntN(5) - 1
	case 3:
		return json.Number([]string{"-0", "1.5", "1e3", "9999999999999999", "12"}[m.r.IntN(5)])
	case 4:
		if depth < 8 {
			return []any{m.anything(depth + 1), m.anything(depth + 1)}
		}
	case 5:
		if depth < 8 {
			return map[string]any{"kind": m.anything(depth + 1), "stranger": m.anything(depth + 1)}
		}
	}
	return modelTexts[m.r.IntN(len(modelTexts))]
}

func FuzzQuickSchema(f *testing.F) {
	set, ids := quickSet(f)
	m := schemaMaker{rand.New(rand.NewPCG(5, 6)), .01}
	for n, id := range ids {
		for range 4 {
			f.Add(uint8(n), must(json.Marshal(m.value(set.byID[id], 0))))
		}
	}
	f.Add(uint8(0), []byte(goodBirth))
	f.Fuzz(func(t *testing.T, n uint8, data []byte) {
		asLibrary(t, set, ids[int(n)%len(ids)], data)
	})
}
