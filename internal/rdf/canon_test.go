package rdf

import (
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/vectest"
)

// The W3C tests of RDFC-1.0: all 86.
func TestRDFCanon(t *testing.T) {
	dir := vectest.Dir(t, "rdf-canon")
	var manifest struct {
		Entries []struct{ ID, Type, Action, Result, HashAlgorithm string }
	}
	if err := json.Unmarshal(vectest.Read(t, dir, "manifest.jsonld"), &manifest); err != nil {
		t.Fatal(err)
	}
	var eval, labels, negative, sha384 int
	hardest := 0
	for _, e := range manifest.Entries {
		quads, err := ParseNQuads(vectest.Read(t, dir, e.Action))
		if err != nil {
			t.Errorf("%s: %v", e.ID, err)
			continue
		}
		h := crypto.SHA256
		if e.HashAlgorithm == "SHA384" {
			h = crypto.SHA384
			sha384++
		} else if e.HashAlgorithm != "" {
			t.Fatalf("%s: hash %s", e.ID, e.HashAlgorithm)
		}
		start := time.Now()
		got, err := Canonicalize(quads, h)
		took := time.Since(start)
		switch e.Type {
		case "rdfc:RDFC10EvalTest":
			eval++
			if err != nil {
				t.Errorf("%s: %v", e.ID, err)
			} else if want := string(vectest.Read(t, dir, e.Result)); strings.Join(got.Lines, "") != want {
				t.Errorf("%s:\n got %s\nwant %s", e.ID, strings.Join(got.Lines, ""), want)
			}
			if text, err := appendCanonical([]byte("x"), quads, h); err != nil || string(text) != "x"+strings.Join(got.Lines, "") {
				t.Errorf("%s: the text alone differs: %v", e.ID, err)
			}
		case "rdfc:RDFC10MapTest":
			labels++
			var want map[string]string
			if err := json.Unmarshal(vectest.Read(t, dir, e.Result), &want); err != nil {
				t.Fatal(err)
			}
			if err != nil || !maps.Equal(got.Labels, want) {
				t.Errorf("%s: %v %v, want %v", e.ID, err, got, want)
			}
		case "rdfc:RDFC10NegativeEvalTest":
			negative++
			if !errors.Is(err, ErrWork) || got != nil {
				t.Errorf("%s: %v", e.ID, err)
			}
			t.Logf("%s refused after %v", e.ID, took)
			if took > 5*time.Second {
				t.Errorf("%s took %v", e.ID, took)
			}
			continue
		default:
			t.Errorf("%s: type %s", e.ID, e.Type)
		}
		c, _ := newCanonizer(h)
		if err := c.run(quads); err != nil {
			t.Error(err)
		}
		hardest = max(hardest, c.work)
	}
	if eval != 64 || labels != 21 || negative != 1 || sha384 != 2 {
		t.Fatalf("%d eval, %d map, %d negative, %d SHA-384; want 64, 21, 1, 2", eval, labels, negative, sha384)
	}
	t.Logf("64 eval, 21 map, 1 negative; hardest graph: %d steps of %d", hardest, maxWork)
}

// birthQuads is a dataset of the size and shape of a birth credential.
func birthQuads() []Quad {
	iri := func(s string) Term { return Term{Kind: IRI, Value: s} }
	blank := func(s string) Term { return Term{Kind: Blank, Value: s} }
	lit := func(s, d string) Term { return Term{Kind: Literal, Value: s, Datatype: d} }
	const k = "https://w3id.org/kinpass/v1#"
	var q []Quad
	add := func(s Term, p string, o Term) { q = append(q, Quad{Subject: s, Predicate: iri(p), Object: o}) }
	cred := iri("urn:uuid:2f1a6bb0-0f0a-4cc9-8c79-1c8a4b0d3a11")
	sub := iri("did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK")
	add(cred, rdfNS+"type", iri("https://www.w3.org/2018/credentials#VerifiableCredential"))
	add(cred, rdfNS+"type", iri(k+"BirthCredential"))
	add(cred, "https://www.w3.org/2018/credentials#issuer", iri("did:web:civil.example"))
	add(cred, "https://www.w3.org/2018/credentials#validFrom", lit("2026-01-01T00:00:00Z", xsd+"dateTime"))
	add(cred, "https://www.w3.org/2018/credentials#credentialSubject", sub)
	add(cred, "https://www.w3.org/2018/credentials#credentialStatus", blank("s"))
	add(blank("s"), rdfNS+"type", iri("https://www.w3.org/ns/credentials/status#BitstringStatusListEntry"))
	add(blank("s"), "https://www.w3.org/ns/credentials/status#statusListIndex", lit("94567", ""))
	add(blank("s"), "https://www.w3.org/ns/credentials/status#statusPurpose", lit("revocation", ""))
	add(sub, k+"childRef", lit("Xk2", ""))
	for i, name := range []string{"birthDate", "placeOfBirth", "registration", "names0", "parent0", "parent1"} {
		b := blank(fmt.Sprint("b", i))
		add(sub, k+name, b)
		add(b, k+"value", lit("some value "+name, ""))
		add(b, k+"status", lit("recorded", ""))
		add(b, k+"date", lit("2026-02-0"+fmt.Sprint(i+1), xsd+"date"))
	}
	return q
}

func TestCanonicalizeRefuses(t *testing.T) {
	iri, lit := Term{Kind: IRI, Value: "a:b"}, Term{Kind: Literal, Value: "x"}
	blank := Term{Kind: Blank, Value: "b"}
	for name, q := range map[string]Quad{
		"nothing":               {},
		"a literal subject":     {Subject: lit, Predicate: iri, Object: iri},
		"a blank predicate":     {Subject: iri, Predicate: blank, Object: iri},
		"a literal predicate":   {Subject: iri, Predicate: lit, Object: iri},
		"no object":             {Subject: iri, Predicate: iri},
		"a literal graph":       {Subject: iri, Predicate: iri, Object: iri, Graph: lit},
		"no subject, blank obj": {Predicate: iri, Object: blank},
	} {
		if c, err := Canonicalize([]Quad{q}, crypto.SHA256); err == nil || c != nil {
			t.Errorf("%s is taken", name)
		}
	}
	for _, h := range []crypto.Hash{0, crypto.SHA1, crypto.SHA512, crypto.SHA224} {
		if c, err := Canonicalize(birthQuads(), h); err == nil || c != nil {
			t.Errorf("hash %d is taken", h)
		}
	}
}

// Quads said twice count once, also where they decide first degree hashes.
func TestCanonicalizeSet(t *testing.T) {
	quads := birthQuads()
	once, err := Canonicalize(quads, crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	twice, err := Canonicalize(append(append([]Quad{}, quads[7:]...), quads...), crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Join(once.Lines, "") != strings.Join(twice.Lines, "") || len(once.Lines) != len(quads) {
		t.Error("repeated quads change the canonical form")
	}
}

// Complete graphs and rings of blank nodes are as alike as can be; the answer
// comes quickly for every size.
func TestCanonicalizeBounded(t *testing.T) {
	edge := func(i, j int) Quad {
		return Quad{Subject: Term{Kind: Blank, Value: fmt.Sprint(i)}, Predicate: Term{Kind: IRI, Value: "p:p"},
			Object: Term{Kind: Blank, Value: fmt.Sprint(j)}}
	}
	complete := func(n int) (quads []Quad) {
		for i := range n {
			for j := range n {
				if i != j {
					quads = append(quads, edge(i, j))
				}
			}
		}
		return quads
	}
	ring := func(n int) (quads []Quad) {
		for i := range n {
			quads = append(quads, edge(i, (i+1)%n))
		}
		return quads
	}
	for name, c := range map[string]struct {
		quads []Quad
		err   error
	}{
		"K2": {complete(2), nil}, "K4": {complete(4), nil}, "K12": {complete(12), ErrWork}, "K40": {complete(40), ErrWork},
		"R2": {ring(2), nil}, "R50": {ring(50), nil}, "R1000": {ring(1000), ErrWork}, "R20000": {ring(20000), ErrWork},
	} {
		start := time.Now()
		got, err := Canonicalize(c.quads, crypto.SHA256)
		took := time.Since(start)
		t.Logf("%s: %v", name, took)
		if !errors.Is(err, c.err) || err == nil && len(got.Lines) != len(c.quads) {
			t.Errorf("%s: %v", name, err)
		}
		if took > 5*time.Second {
			t.Errorf("%s took %v", name, took)
		}
	}
}

func BenchmarkCanonicalize(b *testing.B) {
	quads := birthQuads()
	b.ReportMetric(float64(len(quads)), "quads")
	for b.Loop() {
		if _, err := Canonicalize(quads, crypto.SHA256); err != nil {
			b.Fatal(err)
		}
	}
}

// The text alone, which is what signatures cover.
func BenchmarkAppendCanonical(b *testing.B) {
	quads := birthQuads()
	buf := make([]byte, 0, 8192)
	for b.Loop() {
		if _, err := appendCanonical(buf[:0], quads, crypto.SHA256); err != nil {
			b.Fatal(err)
		}
	}
}

// The records are ordered part by part; that must be the order of their lines.
func TestCanonicalOrderIsThatOfTheText(t *testing.T) {
	iris := []string{"a:", "a:b", "a:b#", "a:b/c", "a:b0", "a:bc", "a:b-", "a:b=", "a:b~", "a:c", "ab:"}
	words := []string{"", "a", "a ", "a\"", "a\\", "a\n", "ab", "é", "\U0001F600", "\x7f", "_:a", "<a>"}
	rng := rand.New(rand.NewPCG(5, 6))
	term := func(kinds ...Kind) Term {
		switch kinds[rng.IntN(len(kinds))] {
		case IRI:
			return Term{Kind: IRI, Value: iris[rng.IntN(len(iris))]}
		case Blank:
			return Term{Kind: Blank, Value: fmt.Sprint(rng.IntN(15))}
		case Literal:
			w := Term{Kind: Literal, Value: words[rng.IntN(len(words))]}
			switch rng.IntN(3) {
			case 0:
				w.Lang = []string{"e", "en", "en-a"}[rng.IntN(3)]
			case 1:
				w.Datatype = iris[rng.IntN(len(iris))]
			}
			return w
		}
		return Term{}
	}
	done := 0
	for range 300 {
		quads := make([]Quad, 40)
		for i := range quads {
			quads[i] = Quad{term(IRI, Blank), term(IRI), term(IRI, Blank, Literal), term(None, IRI, Blank)}
		}
		for _, h := range []crypto.Hash{crypto.SHA256, crypto.SHA384} {
			c, err := Canonicalize(quads, h)
			if err != nil {
				continue // alike nodes
			}
			done++
			set := map[string]bool{}
			for _, q := range quads {
				for _, x := range []*Term{&q.Subject, &q.Object, &q.Graph} {
					if x.Kind == Blank {
						x.Value = c.Labels[x.Value]
					}
				}
				set[string(AppendQuad(nil, q))] = true
			}
			if want := slices.Sorted(maps.Keys(set)); !slices.Equal(c.Lines, want) {
				t.Fatalf("the lines are\n%s\nand not\n%s", strings.Join(c.Lines, ""), strings.Join(want, ""))
			}
		}
	}
	if done < 500 {
		t.Errorf("only %d datasets could be put in order", done)
	}
}

// insert sorts, or gives up and has lost nothing.
func TestInsert(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	sorted, gaveUp := 0, 0
	for n := 1; n < 200; n++ {
		// Records without nodes and parts, which compare finds equal: the keys
		// decide.
		c := canonizer{records: make([]statement, n)}
		for i := range c.records {
			c.records[i].node = [3]int32{none, none, none}
		}
		for _, disorder := range []int{0, 2, n} {
			keys := make([]sortKey, n)
			for i := range keys {
				keys[i] = sortKey{uint64(i / 2), int32(i)}
			}
			for range disorder {
				i, j := rng.IntN(n), rng.IntN(n)
				keys[i], keys[j] = keys[j], keys[i]
			}
			want := slices.Clone(keys)
			slices.SortStableFunc(want, c.compareKeys)
			if c.insert(keys) {
				sorted++
				if !slices.Equal(keys, want) {
					t.Fatalf("%d keys: %v", n, keys)
				}
				continue
			}
			gaveUp++
			slices.SortFunc(keys, func(a, b sortKey) int { return int(a.record - b.record) })
			for i, k := range keys {
				if k != (sortKey{uint64(i / 2), int32(i)}) {
					t.Fatalf("%d keys: %v is lost", n, i)
				}
			}
			if disorder == 0 {
				t.Fatalf("%d keys in order are given up", n)
			}
		}
	}
	if sorted < 300 || gaveUp < 50 {
		t.Errorf("%d sorted, %d given up: what does this test?", sorted, gaveUp)
	}
}
