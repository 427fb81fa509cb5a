package rdf

import (
	"crypto"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/kinpass/kinpass/internal/vectest"
)

func TestParseNQuads(t *testing.T) {
	iri := func(s string) Term { return Term{Kind: IRI, Value: s} }
	lit := func(s string) Term { return Term{Kind: Literal, Value: s} }
	for text, want := range map[string][]Quad{
		"":                      nil,
		"# only a comment":      nil,
		"\n\r\n \t\n":           nil,
		"<a:b><c:d><e:f>.":      {{Subject: iri("a:b"), Predicate: iri("c:d"), Object: iri("e:f")}},
		"<a:b> <c:d> _:x.y . #": {{Subject: iri("a:b"), Predicate: iri("c:d"), Object: Term{Kind: Blank, Value: "x.y"}}},
		"_:a <c:d> _:b.":        {{Subject: Term{Kind: Blank, Value: "a"}, Predicate: iri("c:d"), Object: Term{Kind: Blank, Value: "b"}}},
		`<a:b> <c:d> "x" <g:g> .` + "\r\n" + `<a:b> <c:d> "" .`: {
			{Subject: iri("a:b"), Predicate: iri("c:d"), Object: lit("x"), Graph: iri("g:g")},
			{Subject: iri("a:b"), Predicate: iri("c:d"), Object: lit("")}},
		`<a:b> <c:d> "\u00e9\t\"\\\U0001F600é" .`: {{Subject: iri("a:b"), Predicate: iri("c:d"), Object: lit("é\t\"\\😀é")}},
		`<a:\u00E9> <c:d> "x"@en-GB .`:            {{Subject: iri("a:é"), Predicate: iri("c:d"), Object: Term{Kind: Literal, Value: "x", Lang: "en-GB"}}},
		`<a:b> <c:d> "x"^^<http://www.w3.org/2001/XMLSchema#string> .`: {
			{Subject: iri("a:b"), Predicate: iri("c:d"), Object: lit("x")}},
		`<a:b> <c:d> "1"^^<t:t> _:g .`: {{Subject: iri("a:b"), Predicate: iri("c:d"),
			Object: Term{Kind: Literal, Value: "1", Datatype: "t:t"}, Graph: Term{Kind: Blank, Value: "g"}}},
	} {
		if got, err := ParseNQuads([]byte(text)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %v %v", text, got, err)
		}
	}
}

func TestParseNQuadsRefuses(t *testing.T) {
	for _, line := range []string{
		"x", ".", "<a:b>", "<a:b> <c:d>", "<a:b> <c:d> <e:f>", "<a:b> <c:d> .", "<a:b> <c:d> <e:f> <g:h> <i:j> .",
		"<a:b> <c:d> <e:f> . x", "<a:b> <c:d> <e:f> .. ", "<a:b> <c:d> <e:f> ; .",
		"<b> <c:d> <e:f> .", "<a:b> <d> <e:f> .", "<a:b> <c:d> <f> .", "<a:b> <c:d> <e:f> <g> .", "<> <c:d> <e:f> .",
		"<:b> <c:d> <e:f> .", "<1a:b> <c:d> <e:f> .", "<a b:c> <c:d> <e:f> .", "<a:b c> <c:d> <e:f> .", `<a:\u0020> <c:d> <e:f> .`,
		"<a:b <c:d> <e:f> .", `<a:"b"> <c:d> <e:f> .`, "<a:{b}> <c:d> <e:f> .", "<a:b\x01> <c:d> <e:f> .", `<a:\t> <c:d> <e:f> .`,
		`"x" <c:d> <e:f> .`, "_:a _:b <e:f> .", `<a:b> "x" <e:f> .`, `<a:b> <c:d> <e:f> "g" .`,
		"_: <c:d> <e:f> .", "_:-a <c:d> <e:f> .", "_:.a <c:d> <e:f> .", "_ :a <c:d> <e:f> .", "_:× <c:d> <e:f> .",
		`<a:b> <c:d> "x .`, `<a:b> <c:d> "x\" .`, `<a:b> <c:d> 'x' .`, `<a:b> <c:d> "\x" .`, `<a:b> <c:d> "\u12" .`,
		`<a:b> <c:d> "\uD800" .`, `<a:b> <c:d> "\U00110000" .`, `<a:b> <c:d> "\UFFFFFFFF" .`, `<a:b> <c:d> "\u00g0" .`, `<a:b> <c:d> "\u\u0010" .`,
		`<a:b> <c:d> "x"@ .`, `<a:b> <c:d> "x"@1 .`, `<a:b> <c:d> "x"@en- .`, `<a:b> <c:d> "x"@en--gb .`, `<a:b> <c:d> "x"@abcdefghi .`, `<a:b> <c:d> "x"@en_GB .`,
		`<a:b> <c:d> "x"^^ .`, `<a:b> <c:d> "x"^^"y" .`, `<a:b> <c:d> "x"^^<y> .`, `<a:b> <c:d> "x"^<a:b> .`, `<a:b> <c:d> "x" ^^<a:b> .`,
		`<a:b> <c:d> "x"^^<http://www.w3.org/1999/02/22-rdf-syntax-ns#langString> .`, `<a:b> <c:d> "x"^^_:b .`, `<a:b> <c:d> "x"@en^^<a:b> .`,
		"<a:b> <c:d> \"\xff\" .", "\xef\xbb\xbf<a:b> <c:d> <e:f> .", "@prefix a: <a:b> .", "<a:b> a <e:f> .", "<a:b> <c:d> 1 .",
	} {
		text := "<a:a> <a:a> <a:a> .\n" + line + "\n"
		if quads, err := ParseNQuads([]byte(text)); !errors.Is(err, ErrNQuads) || quads != nil {
			t.Errorf("%q is taken: %v %v", line, quads, err)
		}
	}
	if quads, err := ParseNQuads([]byte(strings.Repeat("<a:a> <a:a> <a:a> .\n", MaxBytes/20+1))); !errors.Is(err, ErrLarge) || quads != nil {
		t.Errorf("a large text: %v", err)
	}
}

func TestAppendQuad(t *testing.T) {
	all := ""
	for c := range rune(0x100) {
		all += string(c)
	}
	for _, c := range []struct {
		q    Quad
		want string
	}{
		{Quad{Subject: Term{Kind: IRI, Value: "a:b"}, Predicate: Term{Kind: IRI, Value: "c:d"}, Object: Term{Kind: Literal, Value: "x", Lang: "en"}, Graph: Term{Kind: Blank, Value: "g"}},
			`<a:b> <c:d> "x"@en _:g .`},
		{Quad{Subject: Term{Kind: Blank, Value: "b0"}, Predicate: Term{Kind: IRI, Value: "c:d"}, Object: Term{Kind: Literal, Value: "x", Datatype: xsdString}},
			`_:b0 <c:d> "x" .`},
		{Quad{Subject: Term{Kind: IRI, Value: "a:b> <evil:x> <y:z> .\n"}, Predicate: Term{Kind: IRI, Value: "c:d"}, Object: Term{Kind: Literal, Value: "x", Datatype: "t:\x00\\"}},
			`<a:b\u003E\u0020\u003Cevil:x\u003E\u0020\u003Cy:z\u003E\u0020.\u000A> <c:d> "x"^^<t:\u0000\u005C> .`},
		{Quad{Subject: Term{Kind: IRI, Value: "a:é"}, Predicate: Term{Kind: IRI, Value: "c:d"}, Object: Term{Kind: Literal, Value: all[:0x7f] + "\x7f" + all[0x80:]}},
			`<a:é> <c:d> "\u0000\u0001\u0002\u0003\u0004\u0005\u0006\u0007\b\t\n\u000B\f\r\u000E\u000F\u0010\u0011\u0012\u0013\u0014\u0015\u0016\u0017\u0018\u0019\u001A\u001B\u001C\u001D\u001E\u001F` +
				` !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_` + "`" + `abcdefghijklmnopqrstuvwxyz{|}~\u007F` + all[0x80:] + `" .`},
	} {
		if got := string(AppendQuad(nil, c.q)); got != c.want+"\n" {
			t.Errorf("\n got %s\nwant %s", got, c.want)
		}
	}
}

// FuzzParseNQuads: what is read is written in a form that reads the same, and
// its canonical form is its own canonical form.
func FuzzParseNQuads(f *testing.F) {
	f.Add([]byte(`_:a <p:p> "x\u000b"@en-GB _:g . # c`))
	f.Add([]byte(`<a:b> <c:d> "1"^^<t:t> .`))
	for _, seed := range vectest.Seeds("rdf-canon/rdfc10", "-in.nq", 200) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		quads, err := ParseNQuads(data)
		if err != nil {
			if quads != nil {
				t.Fatal("a failed parse returns something")
			}
			return
		}
		var text []byte
		for _, q := range quads {
			text = AppendQuad(text, q)
		}
		if len(text) <= MaxBytes {
			again, err := ParseNQuads(text)
			if err != nil || !reflect.DeepEqual(again, quads) {
				t.Fatalf("%q reads differently: %v", text, err)
			}
		}
		first, err := appendCanonical(nil, quads, crypto.SHA256)
		if err != nil || len(first) > MaxBytes {
			return
		}
		again, err := ParseNQuads(first)
		if err != nil {
			t.Fatalf("the canonical form does not read: %v", err)
		}
		second, err := appendCanonical(nil, again, crypto.SHA256)
		if err != nil || string(second) != string(first) {
			t.Fatalf("the canonical form is not canonical: %v\n%s\n%s", err, first, second)
		}
	})
}
