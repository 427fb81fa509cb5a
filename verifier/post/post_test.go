package post_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/bundle"
	"github.com/kinpass/kinpass/internal/policy"
	"github.com/kinpass/kinpass/internal/stage"
	"github.com/kinpass/kinpass/internal/status"
	"github.com/kinpass/kinpass/verifier/check"
	"github.com/kinpass/kinpass/verifier/post"
)

// world is a stage whose bundles a test can change before they are signed.
type world struct {
	*testing.T
	*stage.Stage
	anchor []byte
	change func(kind string, doc map[string]any)
	n      int
}

func newWorld(t *testing.T, change func(kind string, doc map[string]any)) *world {
	t.Helper()
	w := &world{T: t, change: change}
	var err error
	w.Stage, err = stage.NewTwisted(func(kind string, doc []byte) []byte {
		if w.change == nil {
			return doc
		}
		var m map[string]any
		if err := json.Unmarshal(doc, &m); err != nil {
			t.Fatal(err)
		}
		w.change(kind, m)
		return bytes(t, m)
	})
	if err == nil {
		w.anchor, err = w.Anchor()
	}
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func bytes(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// meet has a mother show her child at the border, with a bundle of its own.
func (w *world) meet(change func(kind string, doc map[string]any)) *stage.Encounter {
	w.Helper()
	w.change = change
	w.n++
	// Another country on the other side, so that the bundle is another.
	c := policy.Case{Travels: []string{"mother"}, Other: "XX" + string(rune('A'+w.n)),
		Guardians: []policy.CaseGuardian{{Who: "mother", Role: "mother", Basis: "courtOrder", Exercise: "sole", Of: 1}}}
	e, err := w.Meet(policy.Generic(), &c)
	if err != nil {
		w.Fatal(err)
	}
	return e
}

func (w *world) post() *post.Post {
	w.Helper()
	p, err := post.New(w.anchor)
	if err != nil {
		w.Fatal(err)
	}
	return p
}

// signed makes a bundle of a number and age.
func signed(sequence int, by time.Duration) func(string, map[string]any) {
	return func(kind string, doc map[string]any) {
		if kind == "bundle" {
			doc["sequence"] = sequence
			doc["createdAt"] = shift(doc["createdAt"], by)
		}
	}
}

func shift(at any, by time.Duration) string {
	t, err := time.Parse(time.RFC3339, at.(string))
	if err != nil {
		panic(err)
	}
	return t.Add(by).Format(time.RFC3339)
}

// TestOffices: a page is told of each office how old its lists are, and whether
// its papers are to be doubted.
func TestOffices(t *testing.T) {
	w := newWorld(t, func(kind string, doc map[string]any) {
		if kind != "trust" {
			return
		}
		first := doc["issuers"].([]any)[0].(map[string]any)
		first["keys"].([]any)[0].(map[string]any)["cutOff"] = "2030-01-01T00:00:00Z"
		second := doc["issuers"].([]any)[1].(map[string]any)
		term := func(since, until string) map[string]any {
			return map[string]any{"state": "accredited", "since": since, "until": until, "types": []string{}, "bases": []string{}}
		}
		second["accreditation"] = term("2001-01-01T00:00:00Z", "2002-01-01T00:00:00Z")
		doc["issuers"].([]any)[2].(map[string]any)["accreditation"] = term("2001-01-01T00:00:00Z", "2035-01-01T00:00:00Z")
		// Renewed in time once, and then there is a gap.
		renewed := term("2034-01-01T00:00:00Z", "2036-01-01T00:00:00Z")
		renewed["earlier"] = []any{term("2001-01-01T00:00:00Z", "2033-01-01T00:00:00Z")}
		doc["issuers"].([]any)[3].(map[string]any)["accreditation"] = renewed
		inTime := term("2033-01-01T00:00:00Z", "2036-01-01T00:00:00Z")
		inTime["earlier"] = []any{term("2001-01-01T00:00:00Z", "2033-06-01T00:00:00Z")}
		doc["issuers"].([]any)[4].(map[string]any)["accreditation"] = inTime
	})
	e := w.meet(nil)
	i, _, err := w.post().Take(e.Bundle, e.At)
	if err != nil {
		t.Fatal(err)
	}
	if len(i.Offices) != i.Issuers || i.Issuers < 3 {
		t.Fatalf("%d offices of %d issuers", len(i.Offices), i.Issuers)
	}
	lists := 0
	for n, o := range i.Offices {
		lists += o.Lists
		if want := map[int]string{2: "2035-01-01", 3: "2033-01-01", 4: "2036-01-01"}[n]; want == "" != o.Lapses.IsZero() || want != "" && o.Lapses.Format(time.DateOnly) != want {
			t.Errorf("office %d lapses at %v, want %q", n, o.Lapses, want)
		}
		if o.Name == "" || o.Cut != (n == 0) || o.Suspended != (n == 1) || (o.Lists > 0) == o.Oldest.IsZero() {
			t.Errorf("office %d: %+v", n, o)
		}
	}
	if lists != i.Lists || lists == 0 {
		t.Errorf("%d lists of offices, %d in all", lists, i.Lists)
	}
}

// TestPatch: what changed since the bundle in force gives the same bundle that
// would have come whole, and is judged as that.
func TestPatch(t *testing.T) {
	w := newWorld(t, nil)
	one, two, three := w.meet(signed(5, 0)), w.meet(signed(6, time.Minute)), w.meet(signed(7, 2*time.Minute))
	change := func(from, to []byte) []byte {
		a, err := bundle.Open(from)
		if err != nil {
			t.Fatal(err)
		}
		b, err := bundle.Open(to)
		if err != nil {
			t.Fatal(err)
		}
		d, err := bundle.Diff(a, b)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	p := w.post()
	if _, _, _, err := p.Patch(change(one.Bundle, two.Bundle), one.At); !errors.Is(err, check.ErrNoBundle) {
		t.Errorf("to nothing: %v", err)
	}
	if _, _, err := p.Take(one.Bundle, one.At); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		delta []byte
		want  error
	}{
		{"a link is missing", change(two.Bundle, three.Bundle), bundle.ErrChain},
		{"damaged", changed(change(one.Bundle, two.Bundle)), bundle.ErrDelta},
		{"nothing", nil, bundle.ErrDelta},
		{"to an older one", change(one.Bundle, w.meet(signed(4, -time.Minute)).Bundle), post.ErrRollback},
		{"to another authority's", change(one.Bundle, newWorld(t, nil).meet(signed(8, time.Minute)).Bundle), check.ErrBundle},
	} {
		if file, _, known, err := p.Patch(c.delta, one.At); !errors.Is(err, c.want) || known != nil {
			t.Errorf("%s: %v, %d bytes", c.name, err, len(file))
		}
		if a, _ := p.Check(request(t, one, one.At)); !strings.Contains(string(a), `"colour":"green"`) {
			t.Fatalf("%s: the bundle in force no longer decides: %s", c.name, a)
		}
	}
	file, i, known, err := p.Patch(change(one.Bundle, three.Bundle), one.At)
	if err != nil || string(file) != string(three.Bundle) || i.Sequence != 7 || !i.New || i.Hub == "" || i.Oldest.IsZero() || known == nil {
		t.Errorf("%+v, %v", i, err)
	}
	if _, err := w.post().Restore(file, known); err != nil {
		t.Errorf("after a start: %v", err)
	}
}

func TestOlderBundlesAreRefused(t *testing.T) {
	w := newWorld(t, nil)
	first := w.meet(signed(5, 0))
	at := first.At
	known := []byte(nil)
	p := w.post()
	i, known, err := p.Take(first.Bundle, at)
	if err != nil || !i.New || i.Sequence != 5 || i.Issuers != 7 || known == nil {
		t.Fatal(i, err)
	}
	if i, known, err := p.Take(first.Bundle, at); err != nil || i.New || known != nil {
		t.Errorf("the same bundle again: %+v, %v", i, err)
	}
	for _, c := range []struct {
		name   string
		bundle []byte
		want   error
	}{
		{"an older number", w.meet(signed(4, time.Minute)).Bundle, post.ErrRollback},
		{"the same number", w.meet(signed(5, time.Minute)).Bundle, post.ErrRollback},
		{"an older date", w.meet(signed(6, -time.Minute)).Bundle, post.ErrRollback},
		{"from the future", w.meet(signed(7, 3*time.Hour)).Bundle, post.ErrFuture},
		{"of another authority", newWorld(t, nil).meet(signed(8, time.Minute)).Bundle, check.ErrBundle},
		{"no bundle", []byte("{}"), check.ErrBundle},
		{"nothing", nil, check.ErrBundle},
		{"a changed character", changed(w.meet(signed(9, time.Minute)).Bundle), check.ErrBundle},
	} {
		if _, _, err := p.Take(c.bundle, at); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
		// A post that was started again with what was kept refuses it, too.
		again := w.post()
		if i, err := again.Restore(first.Bundle, known); err != nil || i.Sequence != 5 {
			t.Fatal(i, err)
		}
		if _, _, err := again.Take(c.bundle, at); !errors.Is(err, c.want) {
			t.Errorf("%s, after a start: %v", c.name, err)
		}
		if a, _ := p.Check(request(t, first, at)); !strings.Contains(string(a), `"colour":"green"`) {
			t.Fatalf("%s: the bundle in force no longer decides: %s", c.name, a)
		}
	}
	newer := w.meet(signed(6, time.Minute))
	if i, _, err := p.Take(newer.Bundle, at); err != nil || !i.New || i.Sequence != 6 {
		t.Errorf("a newer one: %+v, %v", i, err)
	}
	if _, _, err := p.Take(first.Bundle, at); !errors.Is(err, post.ErrRollback) {
		t.Errorf("back to the first: %v", err)
	}
}

// An anchor that signs two lists under one number does not split the posts, and a
// bundle whose trust list is not signed yet is from the future, however old it says
// that it is.
func TestTrustListsOfOneNumber(t *testing.T) {
	w := newWorld(t, nil)
	p := w.post()
	trusting := func(sequence int, change func(list map[string]any)) *stage.Encounter {
		w.change = func(kind string, doc map[string]any) { change(doc) }
		list, err := w.Trust()
		if err != nil {
			t.Fatal(err)
		}
		return w.meet(func(kind string, doc map[string]any) {
			signed(sequence, time.Duration(sequence)*time.Minute)(kind, doc)
			if kind == "bundle" {
				doc["trustList"] = list
			}
		})
	}
	first := trusting(5, func(map[string]any) {})
	if _, _, err := p.Take(first.Bundle, first.At); err != nil {
		t.Fatal(err)
	}
	for n, c := range []struct {
		name   string
		change func(list map[string]any)
		want   error
	}{
		{"another list", func(l map[string]any) { l["issuers"].([]any)[0].(map[string]any)["name"] = "Another" }, post.ErrTrustOlder},
		{"from the future", func(l map[string]any) { l["issuedAt"] = shift(l["issuedAt"], 24*time.Hour); delete(l, "nextUpdate") }, post.ErrFuture},
		{"the same list", func(map[string]any) {}, nil},
		{"a younger list", func(l map[string]any) {
			l["sequence"] = 1000
			l["issuers"].([]any)[0].(map[string]any)["name"] = "Another"
		}, nil},
	} {
		if _, _, err := p.Take(trusting(6+n, c.change).Bundle, first.At); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

// changed breaks the signature.
func changed(bundle []byte) []byte {
	out := slices.Clone(bundle)
	if i := len(out) - 10; out[i] == 'A' {
		out[i] = 'B'
	} else {
		out[i] = 'A'
	}
	return out
}

// A hub that was taken over cannot bring back a list from before a revocation.
func TestOlderListsAreRefused(t *testing.T) {
	var lists any
	w := newWorld(t, nil)
	p := w.post()
	first := w.meet(func(kind string, doc map[string]any) {
		if kind == "bundle" {
			lists = doc["statusLists"]
		}
	})
	if _, _, err := p.Take(first.Bundle, first.At); err != nil {
		t.Fatal(err)
	}
	// The same anchor and keys, and lists that are a day older.
	old, err := w.Lists(first.At.Add(-24 * time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	e := w.meet(func(kind string, doc map[string]any) {
		signed(2, time.Minute)(kind, doc)
		if kind == "bundle" {
			doc["statusLists"] = old
		}
	})
	if _, _, err := p.Take(e.Bundle, e.At); !errors.Is(err, post.ErrRollback) {
		t.Errorf("older lists: %v", err)
	}
	e = w.meet(func(kind string, doc map[string]any) {
		signed(3, time.Minute)(kind, doc)
		if kind == "bundle" {
			doc["statusLists"] = lists
		}
	})
	if _, _, err := p.Take(e.Bundle, e.At); err != nil {
		t.Errorf("the lists as they are: %v", err)
	}
}

// TestTakesBack: a bundle in which a revocation of the one in force is gone is not
// taken, with a code and a hint of its own; the one in force goes on, also over the
// next start.
func TestTakesBack(t *testing.T) {
	revoked := func(on bool) func(kind string, doc map[string]any) {
		return func(kind string, doc map[string]any) {
			subject, _ := doc["credentialSubject"].(map[string]any)
			if kind != "list" || subject["statusPurpose"] != "revocation" {
				return
			}
			l, err := status.New(status.MinSize)
			if err == nil && on {
				err = l.Set(77_777)
			}
			if err != nil {
				t.Fatal(err)
			}
			if subject["encodedList"], err = l.Encode(); err != nil {
				t.Fatal(err)
			}
		}
	}
	w := newWorld(t, revoked(true))
	p := w.post()
	first := w.meet(nil)
	_, known, err := p.Take(first.Bundle, first.At)
	if err != nil {
		t.Fatal(err)
	}
	next := func(number int, on bool) *stage.Encounter {
		w.change = revoked(on)
		lists, err := w.Lists(first.At)
		if err != nil {
			t.Fatal(err)
		}
		return w.meet(func(kind string, doc map[string]any) {
			signed(number, time.Minute)(kind, doc)
			if kind == "bundle" {
				doc["statusLists"] = lists
			}
		})
	}
	back := next(2, false)
	for name, p := range map[string]*post.Post{"in hand": p, "restored": w.post()} {
		if name == "restored" {
			if _, err := p.Restore(first.Bundle, known); err != nil {
				t.Fatal(err)
			}
		}
		_, kept, err := p.Take(back.Bundle, back.At)
		if !errors.Is(err, post.ErrTakesBack) || kept != nil {
			t.Fatalf("%s: taken back: %v", name, err)
		}
		f := post.FaultOf(err)
		if f.Code != "bundle-takes-back" || f.Hint == "" || !strings.Contains(f.Detail, "/status/revocation/1") || strings.Contains(f.Detail, "77") {
			t.Errorf("%s: %+v", name, f)
		}
		if a, _ := p.Check(request(t, first, first.At)); !strings.Contains(string(a), `"colour":"green"`) {
			t.Errorf("%s: does not decide with the one in force: %s", name, a)
		}
		if _, _, err := p.Take(next(3, true).Bundle, back.At); err != nil {
			t.Errorf("%s: the next one that has it: %v", name, err)
		}
	}
	if _, _, err := w.post().Take(back.Bundle, back.At); err != nil {
		t.Errorf("a post that knows of nothing: %v", err)
	}
}

func TestWhatWasKeptIsVerifiedAgain(t *testing.T) {
	w := newWorld(t, nil)
	e := w.meet(nil)
	_, known, err := w.post().Take(e.Bundle, e.At)
	if err != nil {
		t.Fatal(err)
	}
	other := w.meet(signed(2, time.Minute)).Bundle
	for _, c := range []struct {
		name          string
		bundle, known []byte
		want          error
	}{
		{"another bundle", other, known, post.ErrRollback},
		{"a changed bundle", changed(e.Bundle), known, check.ErrBundle},
		{"nothing known", e.Bundle, nil, post.ErrKnown},
		{"no JSON", e.Bundle, []byte("{"), post.ErrKnown},
		{"an empty object", e.Bundle, []byte("{}"), post.ErrKnown},
	} {
		p := w.post()
		if _, err := p.Restore(c.bundle, c.known); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
		if a, _ := p.Check(request(t, e, e.At)); !strings.Contains(string(a), `"code":"bundle-missing"`) {
			t.Errorf("%s: decides all the same: %s", c.name, a)
		}
		if i, _, err := p.Take(e.Bundle, e.At); err != nil || i.ID == "" {
			t.Errorf("%s: the bundle that was in force, from the network: %v", c.name, err)
		}
		if a, _ := p.Check(request(t, e, e.At)); !strings.Contains(string(a), `"colour":"green"`) {
			t.Errorf("%s: does not decide then: %s", c.name, a)
		}
	}
	q := w.post()
	if _, err := q.Restore(changed(e.Bundle), known); err == nil {
		t.Error("restored")
	}
	if _, _, err := q.Take(w.meet(signed(1, -time.Hour)).Bundle, e.At); !errors.Is(err, post.ErrRollback) {
		t.Errorf("an older one where the kept one is damaged: %v", err)
	}
	p := newWorld(t, nil).post()
	if _, err := p.Restore(e.Bundle, known); !errors.Is(err, check.ErrBundle) {
		t.Errorf("another anchor: %v", err)
	}
}

func request(t *testing.T, e *stage.Encounter, at time.Time) []byte {
	t.Helper()
	return bytes(t, post.Request{Presentations: e.Shown, Facts: check.Input{Confirm: []string{"portrait", "document"}, Session: "one"}, Now: at.UnixMilli()})
}

func TestAnswers(t *testing.T) {
	w := newWorld(t, nil)
	e := w.meet(nil)
	p := w.post()
	if _, _, err := p.Take(e.Bundle, e.At); err != nil {
		t.Fatal(err)
	}
	now := e.At.UnixMilli()
	many := slices.Repeat(e.Shown, 61)
	for _, c := range []struct {
		name    string
		request any
		want    string
	}{
		{"none shown", post.Request{Now: now}, "presentations-count"},
		{"five holders", post.Request{Presentations: many[:5], Now: now}, "presentations-count"},
		{"a group of 61", post.Request{Presentations: many, Group: true, Now: now}, "presentations-count"},
		{"a country of five letters", post.Request{Presentations: e.Shown, Facts: check.Input{Exit: "Nepal"}, Now: now}, "facts-invalid"},
		{"no day", post.Request{Presentations: e.Shown, Facts: check.Input{Date: "2026-02-30"}, Now: now}, "body-invalid"},
		{"a challenge", post.Request{Presentations: e.Shown, Facts: check.Input{Challenge: "0123456789abcdef"}, Now: now}, "no-such-challenge"},
		{"a member twice", json.RawMessage(`{"group":true,"group":false}`), "body-invalid"},
		{"no object", json.RawMessage(`[]`), "body-invalid"},
		{"deep", json.RawMessage(strings.Repeat("[", 99) + strings.Repeat("]", 99)), "body-invalid"},
	} {
		answer, history := p.Check(bytes(t, c.request))
		var a post.Answer
		if err := json.Unmarshal(answer, &a); err != nil || a.Fault == nil || a.Fault.Code != c.want || a.Result != nil || a.Group != nil || history != nil {
			t.Errorf("%s: %s %s", c.name, answer, history)
		}
	}
	if answer, _ := p.Check([]byte("no JSON")); !strings.Contains(string(answer), "body-invalid") {
		t.Errorf("%s", answer)
	}
	answer, _ := p.Check(bytes(t, post.Request{Presentations: []string{e.Shown[0], "what is this"}, Group: true, Now: now, Facts: check.Input{AdultDocuments: []string{"short"}}}))
	var a post.Answer
	if err := json.Unmarshal(answer, &a); err != nil || a.Group == nil || len(a.Group.Decisions) != 2 || a.Group.Session == "" {
		t.Fatalf("%s", answer)
	}
	for _, d := range a.Group.Decisions {
		if d.ID == "" || d.Session != a.Group.Session || len(d.Hints) != 1 || !d.At.Equal(e.At) {
			t.Errorf("%+v", d)
		}
	}
	if a.Group.Decisions[0].ID == a.Group.Decisions[1].ID {
		t.Error("two records of one name")
	}
}

// What a post remembers counts only when it was kept.
func TestHistory(t *testing.T) {
	w := newWorld(t, nil)
	e := w.meet(nil)
	p := w.post()
	_, known, err := p.Take(e.Bundle, e.At)
	if err != nil {
		t.Fatal(err)
	}
	colour := func(p *post.Post, session string) (string, []byte) {
		t.Helper()
		answer, history := p.Check(bytes(t, post.Request{Presentations: e.Shown, Facts: check.Input{Confirm: []string{"portrait", "document"}, Session: session}, Now: e.At.UnixMilli()}))
		var a post.Answer
		if err := json.Unmarshal(answer, &a); err != nil || a.Result == nil {
			t.Fatalf("%s", answer)
		}
		return a.Result.Colour.String(), history
	}
	if c, _ := colour(p, "one"); c != "green" {
		t.Fatal(c)
	}
	c, kept := colour(p, "two")
	if c != "green" || kept == nil {
		t.Fatalf("what was not kept counts: %s", c)
	}
	if strings.Contains(string(kept), "two") || strings.Contains(string(kept), "STAGE") {
		t.Errorf("remembered: %s", kept)
	}
	p.Keep()
	if c, _ := colour(p, "three"); c != "amber" {
		t.Errorf("used elsewhere: %s", c)
	}
	if c, h := colour(p, "two"); c != "green" || h != nil {
		t.Errorf("again at one counter: %s, %s", c, h)
	}
	again := w.post()
	if _, err := again.Restore(e.Bundle, known); err != nil {
		t.Fatal(err)
	}
	if err := again.Remember(kept); err != nil {
		t.Fatal(err)
	}
	if c, _ := colour(again, "three"); c != "amber" {
		t.Errorf("used elsewhere, after a start: %s", c)
	}
	if err := again.Remember([]byte("{")); !errors.Is(err, post.ErrHistory) {
		t.Errorf("a damaged history: %v", err)
	}
	if c, _ := colour(again, "three"); c != "amber" {
		t.Errorf("after a damaged history: %s", c)
	}
}

// Clocks: the device's is compared with what others said of the time.
func TestClock(t *testing.T) {
	w := newWorld(t, nil)
	e := w.meet(nil)
	p := w.post()
	if _, _, err := p.Take(e.Bundle, e.At); err != nil {
		t.Fatal(err)
	}
	now := e.At.UnixMilli()
	const minute = 60_000
	for _, c := range []struct {
		name string
		r    post.Request
		said bool
	}{
		{"nothing known", post.Request{Now: now}, false},
		{"as trusted", post.Request{Now: now, Trusted: now + 9*minute}, false},
		{"ahead", post.Request{Now: now, Trusted: now - 11*minute}, true},
		{"behind", post.Request{Now: now, Trusted: now + 11*minute}, true},
		{"before a time that is over", post.Request{Now: now, AtLeast: now + 11*minute}, true},
		{"long after a time that is over", post.Request{Now: now, AtLeast: now - 90*minute}, false},
		{"before the bundle was made", post.Request{Now: now - 80*minute}, true},
	} {
		c.r.Presentations = e.Shown
		answer, _ := p.Check(bytes(t, c.r))
		if said := strings.Contains(string(answer), `"DEVICE_CLOCK"`); said != c.said {
			t.Errorf("%s: %s", c.name, answer)
		}
	}
}

func TestFingerprints(t *testing.T) {
	// The key of RFC 8037, appendix A.3, with its thumbprint.
	got, err := post.Fingerprints([]byte(`{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`))
	if err != nil || len(got) != 1 || got[0] != "90fa cafe a9b1 5566 9854 0f70 c011 7a22 ea37 bd5c f3ed 3c47 093c 1707 282b 4b89" {
		t.Errorf("%q, %v", got, err)
	}
	for _, file := range []string{"", "{}", `{"keys":[{}]}`} {
		if _, err := post.Fingerprints([]byte(file)); err == nil {
			t.Errorf("%q is taken", file)
		}
		if _, err := post.New([]byte(file)); err == nil {
			t.Errorf("%q is believed", file)
		}
	}
}
