package vc

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// slowCheckJSON is CheckJSON written with encoding/json's own tokens: slow and
// plain. What the two say must not differ.
func slowCheckJSON(data []byte, depth int) error {
	if !utf8.Valid(data) {
		return ErrJSON
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	type frame struct {
		object bool
		key    bool // the next token is a member name
		names  map[string]struct{}
		last   string // member name
		exact  bool   // below @context
	}
	var stack []frame
	started := false
	for {
		tok, err := dec.Token()
		if err == io.EOF {
			if !started || len(stack) > 0 {
				return ErrJSON
			}
			return nil
		}
		if err != nil {
			return ErrJSON
		}
		if started && len(stack) == 0 {
			return ErrJSON
		}
		started = true
		top := len(stack) - 1
		if d, ok := tok.(json.Delim); ok {
			switch d {
			case '{', '[':
				if top >= 0 && stack[top].object {
					stack[top].key = true
				}
				if len(stack) == depth {
					return ErrJSONDeep
				}
				f := frame{object: d == '{', key: d == '{', exact: top >= 0 && (stack[top].exact || stack[top].last == "@context")}
				if f.object {
					f.names = map[string]struct{}{}
				}
				stack = append(stack, f)
			default:
				stack = stack[:top]
			}
			continue
		}
		if top < 0 || !stack[top].object {
			continue
		}
		if stack[top].key {
			name := tok.(string)
			stack[top].last = name
			if !stack[top].exact {
				name = strings.NewReplacer("\u017f", "s", "\u212a", "k").Replace(name)
				name = strings.Map(func(r rune) rune {
					if 'A' <= r && r <= 'Z' {
						return r + 32
					}
					return r
				}, name)
			}
			if _, twice := stack[top].names[name]; twice {
				return ErrJSONTwice
			}
			stack[top].names[name] = struct{}{}
			stack[top].key = false
		} else {
			stack[top].key = true
		}
	}
}

var jsonCases = []string{
	``, ` `, `{}`, `[]`, ` [ ] `, `null`, `true`, `false`, `"a"`, `0`, `-0`, `-`, `01`, `1.`, `1.5`, `.5`, `1e5`, `1E+5`, `1e`, `-1.25e-3`, `+1`,
	`nul`, `nulll`, `tru`, `falsee`, `NaN`, `{`, `}`, `[`, `]`, `{]`, `[}`, `[1,]`, `[,1]`, `[1 2]`, `[1,2]`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{,"a":1}`,
	`{"a":1 "b":2}`, `{a:1}`, `{1:1}`, `{"a":1}x`, `{} {}`, `1 2`, `"a" "b"`, "\"a\nb\"", "\"a\tb\"", `"\n\t\b\f\r\/\\\""`, `"\x"`, `"\u12"`, `"\u12g4"`, `"\u00e9"`,
	`"\ud83d\ude00"`, `"\ud83d"`, `"\ud83dx"`, `"\ude00\ud83d"`, `"`, `"\`, "\"\xff\"", "\xef\xbb\xbf{}", "{}\x00", "\x0b1",
	`{"a":1,"a":2}`, `{"a":1,"A":2}`, `{"a":1,"\u0061":2}`, `{"\u0041":1,"a":2}`, `{"a":{"a":1}}`, `{"a":{"b":1,"B":2}}`, `{"ſ":1,"s":2}`, `{"s":1,"ſ":2}`, `{"K":1,"k":2}`,
	`{"é":1,"É":2}`, `{"é":1,"é":2}`, `{"\ud800":1,"\ud801":2}`, `{"a@":1,"a` + "`" + `":2}`, `{"[":1,"{":2}`, `{"":1,"":2}`, `{"a":[{"a":1},{"a":2}],"b":[]}`,
	`{"@context":{"a":1,"A":2}}`, `{"@context":[{"a":{"b":1,"B":1}}]}`, `{"@context":{"a":1,"a":2}}`, `{"@context":{"a":1,"\u0061":2}}`, `{"@context":{"\u0041":1,"a":2}}`,
	`{"\u0040context":{"ſ":1,"s":2}}`, `{"@context":{},"a":1,"A":2}`, `{"@context":1,"b":{"a":1,"A":2}}`, `[{"@context":"x"},{"a":1,"A":2}]`, `{"@context":[],"b":[{"a":1,"A":2}]}`,
	`{"@Context":{"a":1,"A":2}}`, `{"@context":1,"@Context":2}`, `["@context",{"a":1,"A":2}]`, `{"x":"@context","y":{"a":1,"A":2}}`,
	`[[[]]]`, `[[[[]]]]`, `{"a":{"a":{"a":1}}}`, `[[[`, `[[[["`, `{"a":1,"a"`, `{"a":1,"a":`, `{"a" :1 , "b": 2 }`, "[\r\n1\t,2 ]", `[1]]`, `[1],`, `[0x1]`, `[1_000]`,
}

// manyMembers is an object with n members, the last named as the first if
// twice.
func manyMembers(n int, twice bool) string {
	var b strings.Builder
	b.WriteString("{")
	for i := range n {
		if i > 0 {
			b.WriteString(",")
		}
		if twice && i == n-1 {
			i = 0
		}
		b.WriteString(`"Member` + strings.Repeat("x", i) + `":[1]`)
	}
	return b.String() + "}"
}

func TestCheckJSON(t *testing.T) {
	cases := jsonCases
	for _, n := range []int{1, manyNames - 1, manyNames, manyNames + 1, 3 * manyNames} {
		cases = append(cases, `{"@context":`+manyMembers(n, false)+`}`, `{"@context":`+manyMembers(n, n > 1)+`}`,
			`{"@context":`+strings.Replace(manyMembers(n, n > 1), "Member", "member", 1)+`}`, strings.Replace(manyMembers(n, n > 1), "Member", "member", 1))
		cases = append(cases, manyMembers(n, false), manyMembers(n, n > 1), `[`+manyMembers(n, false)+`,`+manyMembers(n, n > 1)+`]`)
	}
	refused := 0
	for _, c := range cases {
		for _, depth := range []int{0, 1, 3, 16} {
			got, want := CheckJSON([]byte(c), depth), slowCheckJSON([]byte(c), depth)
			if !errors.Is(got, want) || (got == nil) != (want == nil) {
				t.Errorf("CheckJSON(%q, %d) = %v, want %v", c, depth, got, want)
			}
			if got != nil {
				refused++
			}
		}
	}
	if refused < 100 {
		t.Errorf("only %d cases refused", refused)
	}
}

func TestCheckJSONSaysWhich(t *testing.T) {
	for _, c := range []struct {
		text string
		want error
	}{
		{`{"aud":"a","aud":"b"}`, ErrJSONTwice}, {`{"aud":"a","AUD":"b"}`, ErrJSONTwice}, {`{"iſſuer":1,"issuer":2}`, ErrJSONTwice},
		{`[[[[1]]]]`, ErrJSONDeep}, {`{"a":1} {}`, ErrJSON}, {"\"\x80\"", ErrJSON}, {`{"a":[[1]],"b":{}}`, nil},
		{`{"@context":{"Person":1,"person":2}}`, nil}, {`{"@context":{"Person":1,"Person":2}}`, ErrJSONTwice}, {`{"@context":1,"Type":2,"type":3}`, ErrJSONTwice},
	} {
		if err := CheckJSON([]byte(c.text), 3); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v, want %v", c.text, err, c.want)
		}
	}
}

// decoded lists what StrictJSON fills in this project, and a type with every
// kind of field that DecodeChecked knows.
func decoded() []any {
	type all struct {
		S    string
		B    bool `json:"b"`
		I    int  `json:"i,omitempty"`
		L    int64
		P    *bool
		Q    *all2
		T    []string
		U    []all2
		V    []*all2
		W    [][]int
		R    json.RawMessage
		Skip string `json:"-"`
		low  string
	}
	_ = all{low: ""}.low
	return []any{new(Credential), new(Presentation), new(Birth), new(Guardianship), new(Header), new(TrustList), new(all), new(string), new(int), new([]string), new(map[string]any), new(float64)}
}

type all2 struct {
	K string `json:"k"`
	N *all3  `json:"n"`
}

type all3 struct{ X, Y int }

// sameDecoding holds DecodeChecked against json.Unmarshal.
func sameDecoding(t *testing.T, data []byte) {
	t.Helper()
	if CheckJSON(data, MaxDepth) != nil {
		return
	}
	for _, v := range decoded() {
		want := reflect.New(reflect.TypeOf(v).Elem()).Interface()
		got, wanted := DecodeChecked(data, v), json.Unmarshal(data, want)
		if (got == nil) != (wanted == nil) {
			t.Errorf("%s into %T: %v, json.Unmarshal says %v", data, v, got, wanted)
			continue
		}
		if got != nil {
			if !errors.Is(got, ErrJSON) {
				t.Errorf("%s into %T: %v is not ErrJSON", data, v, got)
			}
			continue
		}
		if !reflect.DeepEqual(v, want) {
			t.Errorf("%s into %T:\n got %+v\nwant %+v", data, v, v, want)
		}
	}
}

var decodeCases = []string{
	`{"S":"a","b":true,"i":-7,"L":9007199254740993,"P":false,"Q":{"k":"z","n":{"X":1,"Y":2}},"T":["a","b"],"U":[{"k":"1"},{"k":"2"},{"k":"3"}],"V":[null,{"k":"q"}],"W":[[1,2],[],[3]],"R":{"any":[1, 2]} ,"Skip":"x","low":"y"}`,
	`{"s":"folded","B":true,"I":5,"l":6,"ſ":"unknown"}`, `{"ſ":"s"}`, `{"u":[{"K":"kelvin"}]}`,
	`{"S":null,"b":null,"i":null,"P":null,"Q":null,"T":null,"U":null,"R":null}`, `{"T":[],"U":[],"W":[]}`, `{"T":[null,"x"]}`, `{"T":["a",1]}`, `{"T":{}}`, `{"U":[1]}`,
	`{"S":1}`, `{"b":"true"}`, `{"i":1.0}`, `{"i":1e2}`, `{"i":99999999999999999999}`, `{"i":"1"}`, `{"Q":[]}`, `{"P":0}`, `{"R":"raw" }`, `{"R" : [ 1 , {"a":"]"} ] }`,
	`{"S":"\u003c\u00e9\ud83d\ude00\ud83d\n\\\"\/"}`, `{"\u0053":"escaped name"}`, `{"unknown":{"deep":[{"S":"x"},"}",1]},"S":"after"}`,
	`{"validFrom":"2026-01-02T03:04:05Z","validUntil":null,"type":["A"],"credentialSubject":{"a":1},"credentialStatus":[{"type":"x","statusListIndex":"1"}],"credentialSchema":{"id":"i","type":"t"}}`,
	`{"validFrom":"yesterday"}`, `{"validFrom":5}`, `{"validFrom":"2026-01-02T03:04:05+01:00"}`, `{"validFrom":"2026-01-02T03:04:05\u005a"}`,
	`{"names":[{"kind":"legal","mrz":{"primary":"A\u003cB"}}],"sex":2,"portrait":{"recaptureBy":"2027-01-01"},"multipleBirth":{"plurality":2}}`,
	`"text"`, `7`, `["a","b"]`, `null`, `{}`, `[]`, `1.5`, `{"a":{"b":[1,"x",null]}}`, ` {"S" : "spaced" , "i" : 3 } `, `["a" , "b" ]`, `[ ]`, `{ }`, `[1,2]`,
}

func TestDecodeChecked(t *testing.T) {
	for _, c := range decodeCases {
		sameDecoding(t, []byte(c))
	}
}

func TestStrictJSONRefuses(t *testing.T) {
	for _, c := range jsonCases {
		var p Presentation
		if err := StrictJSON([]byte(c), &p, MaxDepth); err == nil && slowCheckJSON([]byte(c), MaxDepth) != nil {
			t.Errorf("accepted %q", c)
		}
	}
	var p *Presentation
	if err := DecodeChecked([]byte(`{}`), p); err == nil {
		t.Error("decoded into nothing")
	}
}

func FuzzCheckJSON(f *testing.F) {
	for _, c := range jsonCases {
		f.Add([]byte(c), 3)
	}
	f.Fuzz(func(t *testing.T, data []byte, depth int) {
		got, want := CheckJSON(data, depth%20), slowCheckJSON(data, depth%20)
		if !errors.Is(got, want) || (got == nil) != (want == nil) {
			t.Fatalf("%q: %v, want %v", data, got, want)
		}
	})
}

func FuzzDecodeChecked(f *testing.F) {
	for _, c := range decodeCases {
		f.Add([]byte(c))
	}
	f.Fuzz(func(t *testing.T, data []byte) { sameDecoding(t, data) })
}

func BenchmarkStrictJSON(b *testing.B) {
	data := []byte(decodeCases[0])
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		var c Credential
		if err := StrictJSON(data, &c, MaxDepth); err != nil {
			b.Fatal(err)
		}
	}
}

// What checkJSON finds on its way: the depth, and that plainNames has nothing to
// look at.
func TestCheckJSONFinds(t *testing.T) {
	for text, want := range map[string]struct {
		nesting int
		plain   bool
	}{
		`1`: {0, true}, `{}`: {1, true}, `[[],[[]],[]]`: {3, true}, `{"a":[{"b":1}],"c":{}}`: {3, true},
		`{"a:b":1}`: {1, false}, `{"a":{"https://x.example/":1}}`: {2, false}, `{"a":"b:c"}`: {1, true}, `{"\u0061":1}`: {1, false}, `{"a":"\u0061"}`: {1, true},
		`{"@context":"https://x.example/"}`: {1, true}, `{"@context":["https://x.example/","urn:{"]}`: {2, true}, `{"@context":{}}`: {2, false},
		`{"@context":["x",{"y":"z"}]}`: {3, false}, `{"a":{"@context":[[{}]]}}`: {5, false}, `{"@context":"x","a":{"b":1}}`: {2, true}, `{"\u0040context":{}}`: {2, false},
	} {
		nesting, plain, err := checkJSON([]byte(text), 16)
		if err != nil || nesting != want.nesting || plain != want.plain {
			t.Errorf("%s: nested %d, plain %v, %v", text, nesting, plain, err)
		}
		if _, _, err := checkJSON([]byte(text), nesting); err != nil {
			t.Errorf("%s: %v at its own depth", text, err)
		}
		if _, _, err := checkJSON([]byte(text), nesting-1); nesting > 0 && !errors.Is(err, ErrJSONDeep) {
			t.Errorf("%s: %v below its depth", text, err)
		}
	}
	for _, c := range jsonCases {
		if _, plain, err := checkJSON([]byte(c), 16); err == nil && plain {
			if err := plainNames([]byte(c)); err != nil {
				t.Errorf("%s is called plain: %v", c, err)
			}
		}
	}
}
