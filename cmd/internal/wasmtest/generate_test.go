package wasmtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/policy"
	"github.com/kinpass/kinpass/internal/qr"
	"github.com/kinpass/kinpass/internal/stage"
	"github.com/kinpass/kinpass/internal/status"
	"github.com/kinpass/kinpass/verifier/check"
	"github.com/kinpass/kinpass/verifier/post"
)

// generated is how many presentations TestGenerated compares: in the long run
// three times as many as come by every outcome that they ever come by.
var generated = func() int {
	if os.Getenv("KINPASS_LONG") != "" {
		return 10_000
	}
	return 3_500
}()

// TestGenerated: on presentations of every kind that a seeded generator makes,
// most of them in some way wrong, the browser's check says to the letter what the
// native check says.
func TestGenerated(t *testing.T) {
	const halves = 2
	var all [halves]*both
	t.Run("halves", func(t *testing.T) {
		for half := range halves {
			t.Run(fmt.Sprint(half), func(t *testing.T) {
				t.Parallel()
				all[half] = newBoth(t)
				for i, w := range worlds {
					if i%halves == half {
						g := &generator{both: all[half], Rand: rand.New(rand.NewPCG(uint64(i), 7)), name: w.name}
						g.run(w.twist, policy.Shipped()[i%len(policy.Shipped())], generated/len(worlds))
					}
				}
			})
		}
	})
	if t.Failed() {
		return
	}
	colours, codes, texts, checks := map[string]int{}, map[string]int{}, 0, 0
	for _, b := range all {
		for k, n := range b.colours {
			colours[k] += n
		}
		for k, n := range b.codes {
			codes[k] += n
		}
		texts, checks = texts+len(b.texts), checks+b.checks
		t.Logf("%d checks in %v in the browser", b.checks, b.slow.Round(time.Millisecond))
	}
	t.Logf("%d checks of %d different texts: %v, %d codes %v", checks, texts, colours, len(codes), codes)
	// It is of use only if it comes by all kinds of outcomes.
	if checks < generated || texts < generated {
		t.Errorf("%d checks of %d different texts", checks, texts)
	}
	for _, c := range []string{"green", "amber", "red", "info"} {
		if colours[c] == 0 {
			t.Errorf("nothing is %s", c)
		}
	}
	if len(codes) < 25 {
		t.Errorf("only %d codes: %v", len(codes), codes)
	}
}

// worlds are bundles in which something is otherwise than it should be.
var worlds = []struct {
	name  string
	twist func(kind string, doc map[string]any)
}{
	{"in order", nil},
	{"in order, too", nil},
	{"revoked", func(kind string, doc map[string]any) { fill(kind, doc, "revocation") }},
	{"suspended", func(kind string, doc map[string]any) { fill(kind, doc, "suspension") }},
	{"lists of three days ago", func(kind string, doc map[string]any) {
		if kind == "list" {
			doc["validFrom"] = later(doc["validFrom"], -72*time.Hour)
		}
	}},
	{"a list is missing", func(kind string, doc map[string]any) {
		if lists, ok := doc["statusLists"].([]any); ok && kind == "bundle" {
			doc["statusLists"] = lists[len(lists)/2:]
		}
	}},
	{"keys withdrawn", func(kind string, doc map[string]any) {
		eachKey(kind, doc, func(k map[string]any) { k["cutOff"] = later(k["notBefore"], 3*365*24*time.Hour-10*24*time.Hour) })
	}},
	{"keys that sign less", func(kind string, doc map[string]any) {
		eachKey(kind, doc, func(k map[string]any) {
			if types, ok := k["types"].([]any); ok && k["role"] != "registrar" {
				k["types"] = types[1:]
			}
		})
	}},
	{"no policies", func(kind string, doc map[string]any) {
		if kind == "bundle" {
			delete(doc, "policies")
		}
	}},
	{"a bundle from before", func(kind string, doc map[string]any) {
		if kind == "bundle" {
			doc["createdAt"] = later(doc["createdAt"], -30*24*time.Hour)
		}
	}},
}

// fill sets every bit of the lists of a purpose.
func fill(kind string, doc map[string]any, purpose string) {
	subject, ok := doc["credentialSubject"].(map[string]any)
	if kind != "list" || !ok || subject["statusPurpose"] != purpose {
		return
	}
	l, err := status.New(status.MinSize)
	if err != nil {
		panic(err)
	}
	for i := range int64(status.MinSize) {
		if i%3 > 0 {
			if err := l.Set(i); err != nil {
				panic(err)
			}
		}
	}
	if subject["encodedList"], err = l.Encode(); err != nil {
		panic(err)
	}
}

func eachKey(kind string, doc map[string]any, f func(map[string]any)) {
	issuers, ok := doc["issuers"].([]any)
	if kind != "trust" || !ok {
		return
	}
	for _, i := range issuers {
		for _, k := range i.(map[string]any)["keys"].([]any) {
			f(k.(map[string]any))
		}
	}
}

func later(at any, by time.Duration) string {
	t, err := time.Parse(time.RFC3339, at.(string))
	if err != nil {
		panic(err)
	}
	return t.Add(by).Format(time.RFC3339)
}

// generator makes encounters in one world.
type generator struct {
	*both
	*rand.Rand
	name string
	wild bool // papers are changed before they are signed
}

func (g *generator) run(twist func(string, map[string]any), p *policy.Policy, n int) {
	g.t.Helper()
	s, err := stage.NewTwisted(func(kind string, doc []byte) []byte {
		var m map[string]any
		d := json.NewDecoder(bytes.NewReader(doc))
		d.UseNumber()
		if err := d.Decode(&m); err != nil {
			panic(err)
		}
		switch kind {
		case "credential", "presentation":
			for g.wild && g.IntN(5) < 2 {
				g.spoil(m, 0)
			}
		default:
			if twist == nil {
				return doc
			}
			twist(kind, m)
		}
		return []byte(text(m))
	})
	if err != nil {
		g.t.Fatal(err)
	}
	anchor, err := s.Anchor()
	if err != nil {
		g.t.Fatal(err)
	}
	// All encounters of one run are at one border: those of the policy's cases
	// that share a bundle.
	cases := stage.Cases(p)
	first, err := s.Meet(p, &cases[len(cases)-1])
	if err != nil {
		g.t.Fatal(err)
	}
	g.x = g.page() // a page has its time
	g.world(anchor, first.Bundle, first.At)
	var met []*stage.Encounter
	var batch []asked
	var want []answered
	history := ""
	for i := range n {
		if i%7 == 0 {
			g.wild = g.IntN(3) == 0
			c := cases[g.IntN(len(cases))]
			if g.IntN(12) == 0 {
				c.Child.Age = 17 + g.IntN(3)
			}
			e, err := s.Meet(p, &c)
			if err != nil {
				g.t.Fatal(err)
			}
			if !bytes.Equal(e.Bundle, first.Bundle) {
				e = first
			}
			met = append(met, e)
		}
		a := g.encounter(met)
		a.name = fmt.Sprintf("%s, %d", g.name, i)
		if g.IntN(3) > 0 {
			a.History = history
		}
		w := g.natively(a)
		if history = w.History; g.IntN(30) == 0 {
			history = ""
		}
		batch, want = append(batch, a), append(want, w)
		if len(batch) == 100 || i == n-1 {
			g.same(batch, want)
			batch, want = nil, nil
		}
	}
}

// encounter makes a request of what was met last.
func (g *generator) encounter(met []*stage.Encounter) asked {
	e := met[len(met)-1]
	at := e.At
	if g.IntN(5) == 0 {
		at = at.Add([]time.Duration{-400 * 24 * time.Hour, -2 * time.Hour, -20 * time.Second, time.Hour, 30 * time.Hour, 9 * 24 * time.Hour, 200 * 24 * time.Hour, 12 * 365 * 24 * time.Hour}[g.IntN(8)])
	}
	r := post.Request{Facts: g.facts(e.Facts), Now: at.Add(time.Duration(g.IntN(200)) * time.Second).UnixMilli()}
	switch g.IntN(12) {
	case 0:
		r.Now += []int64{-3600_000, -60_000, 280_000, 340_000, 7200_000}[g.IntN(5)]
	case 1:
		r.Trusted = r.Now + []int64{0, 5 * 60_000, 11 * 60_000, -3600_000}[g.IntN(4)]
	case 2:
		r.AtLeast = r.Now + []int64{-1000, 5 * 60_000, 3600_000}[g.IntN(3)]
	}
	if r.Group = g.IntN(15) == 0; r.Group {
		for range 1 + g.IntN(3) {
			r.Presentations = append(r.Presentations, g.shown(met[g.IntN(len(met))], at)...)
		}
	} else {
		r.Presentations = g.shown(e, at)
	}
	for _, p := range r.Presentations {
		g.texts[p] = true
	}
	return asked{Request: text(r)}
}

// shown gives what the holders of an encounter show: as it should be, with
// papers missing, under another's key, as a code, as paper, damaged.
func (g *generator) shown(e *stage.Encounter, at time.Time) []string {
	missing, other := g.IntN(4) == 0, g.IntN(12) == 0
	out, err := e.Again(at, func(holder string, _ int) (string, bool) {
		if other {
			holder = e.Holders[g.IntN(len(e.Holders))] + "?"
		}
		return holder, !missing || g.IntN(3) > 0
	})
	if err != nil {
		g.t.Fatal(err)
	}
	for i := range out {
		switch g.IntN(10) {
		case 0, 1, 2:
			if code, err := qr.Pack(qr.Packet{Presentation: out[i]}); err == nil {
				out[i] = code
			}
		case 3:
			if code, err := qr.Pack(qr.Packet{Credentials: e.Papers[i][:1+g.IntN(len(e.Papers[i]))]}); err == nil {
				out[i] = code
			}
		}
		switch n := g.IntN(len(out[i])); g.IntN(14) {
		case 0:
			out[i] = out[i][:n] + string("ABCXYZ0159 -_.:$%é"[g.IntN(18)]) + out[i][n+1:]
		case 1:
			out[i] = out[i][:n]
		case 2:
			out[i] = fmt.Sprintf(" %s\r\n", out[i])
		}
	}
	if g.IntN(40) == 0 {
		out = append(out, []string{"", "KP1:", "KP1:" + strings.Repeat("0", g.IntN(300)), "https://example.org/?q=1", "eyJh.e30.", "\x00\xff",
			strings.Repeat("a.b.", 40000)}[g.IntN(7)]+fmt.Sprint(g.Uint64()))
		slices.Reverse(out)
	}
	return out[:min(len(out), 4)]
}

// facts makes what an officer enters: all of it, some of it, or nonsense.
func (g *generator) facts(f check.Facts) check.Input {
	in := check.Input{Confirm: f.Confirm, Exit: f.Exit, Entry: f.Entry, Direction: f.Direction, Company: f.Company, ChildNationality: f.ChildNationality,
		Residence: f.Residence, CompanionNationality: f.CompanionNationality, CompanionResidence: f.CompanionResidence, Session: fmt.Sprint("session-", g.IntN(6)), Post: "gate"}
	if !f.Date.IsZero() && g.IntN(2) == 0 {
		in.Date = f.Date.String()
	}
	if !f.ReturnBy.IsZero() {
		in.ReturnBy = f.ReturnBy.String()
	}
	if !f.ResidenceProof.IsZero() {
		in.ResidenceProof = f.ResidenceProof.String()
	}
	places := []string{"", "BRA", "ZAF", "NPL", "IND", "FRA", "UTO", "XXA", "XXZ"}
	for _, to := range []*string{&in.Exit, &in.Entry, &in.ChildNationality, &in.Residence, &in.CompanionNationality, &in.CompanionResidence} {
		if g.IntN(9) == 0 {
			*to = places[g.IntN(len(places))]
		}
	}
	if g.IntN(8) == 0 {
		in.Company = append([]string{""}, check.Companies...)[g.IntN(len(check.Companies)+1)]
	}
	if g.IntN(5) == 0 {
		in.Confirm = check.Confirmable[:g.IntN(len(check.Confirmable)+1)]
	}
	if g.IntN(12) == 0 {
		in.Deny = check.Confirmable[g.IntN(len(check.Confirmable)):]
	}
	if g.IntN(6) == 0 {
		in.AdultDocuments = append(in.AdultDocuments, zones[g.IntN(len(zones))])
	}
	switch g.IntN(120) { // what is refused
	case 0:
		in.Exit = "Nepal"
	case 1:
		in.Date = "2026-02-30"
	case 2:
		in.Confirm = []string{"all"}
	case 3:
		in.Challenge = "n-0123456789abcdef"
	}
	return in
}

// zones are documents of adults: specimens of ICAO Doc 9303, and what is none.
var zones = []string{
	"P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\nL898902C36UTO7408122F1204159ZE184226B<<<<<10",
	"p<utoeriksson<<anna<maria<<<<<<<<<<<<<<<<<<< l898902c36uto7408122f1204159ze184226b<<<<<10",
	"I<UTOD231458907<<<<<<<<<<<<<<<\n7408122F1204159UTO<<<<<<<<<<<6\nERIKSSON<<ANNA<MARIA<<<<<<<<<<",
	"P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\nL898902C36UTO7408132F1204159ZE184226B<<<<<10",
	"not a zone", "",
}

// spoil changes something in a document.
func (g *generator) spoil(node any, depth int) {
	switch v := node.(type) {
	case map[string]any:
		names := make([]string, 0, len(v))
		for name := range v {
			names = append(names, name)
		}
		if len(names) == 0 {
			return
		}
		slices.Sort(names)
		name := names[g.IntN(len(names))]
		if depth == 0 && g.IntN(2) == 0 && v["credentialSubject"] != nil {
			name = "credentialSubject"
		}
		switch child := v[name]; child.(type) {
		case map[string]any, []any:
			if depth < 6 && g.IntN(6) > 0 {
				g.spoil(child, depth+1)
				return
			}
		}
		if v[name] = g.other(v[name]); v[name] == gone {
			delete(v, name)
		}
	case []any:
		if len(v) == 0 {
			return
		}
		i := g.IntN(len(v))
		if g.IntN(3) == 0 {
			if x := g.other(v[i]); x != gone {
				v[i] = x
			}
			return
		}
		g.spoil(v[i], depth+1)
	}
}

// gone stands for a member that is left out.
const gone = "\x00gone"

func (g *generator) other(v any) any {
	switch g.IntN(10) {
	case 0, 1:
		return gone
	case 2:
		return []any{nil, true, "", 7, []any{}, map[string]any{}, "2031-01-01", "é\u0000", json.Number("1e2"), json.Number("-3")}[g.IntN(10)]
	}
	switch v := v.(type) {
	case string:
		if t, err := time.Parse(time.RFC3339, v); err == nil {
			return t.Add(time.Duration(g.IntN(800)-400) * 24 * time.Hour).Format(time.RFC3339)
		}
		if t, err := time.Parse(time.DateOnly, v); err == nil {
			return t.AddDate(g.IntN(20)-10, 0, 0).Format(time.DateOnly)
		}
		words := []string{"joint", "sole", "independent", "courtOrder", "kafala", "testamentary", "mother", "stateGuardian", "unknown", "deceased", "day", "year", "range",
			"travelAccompany", "travelConsent", "thirdParty", "group", "alone", "UTO", "BRA", "late", "foundling", "final", "provisional", "institution", "revocation"}
		if len(v) > 0 && g.IntN(3) == 0 {
			i := g.IntN(len(v))
			return v[:i] + string(rune('A'+g.IntN(58))) + v[i+1:]
		}
		return words[g.IntN(len(words))]
	case json.Number:
		return json.Number(fmt.Sprint(g.IntN(22)))
	case bool:
		return !v
	}
	return v
}
