package wasmtest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/cmd/internal/cli"
	"github.com/kinpass/kinpass/verifier/check"
	"github.com/kinpass/kinpass/verifier/post"
	"github.com/kinpass/kinpass/web/webtest"
)

// asked is one check: a request, and what the post remembers before it.
type asked struct {
	Request string `json:"request"`
	History string `json:"history"`

	name string
}

// answered is what comes of it.
type answered struct {
	Answer  string `json:"answer"`
	History string `json:"history"`
}

// both asks the same natively and in the browser.
type both struct {
	t       *testing.T
	page    func() *webtest.Tab
	x       *webtest.Tab
	native  *post.Post
	colours map[string]int
	codes   map[string]int
	texts   map[string]bool
	checks  int
	slow    time.Duration // in the browser
}

func newBoth(t *testing.T) *both {
	return &both{t: t, page: open(t), colours: map[string]int{}, codes: map[string]int{}, texts: map[string]bool{}}
}

// world makes both believe an anchor and take a bundle in.
func (b *both) world(anchor, bundle []byte, at time.Time) {
	b.t.Helper()
	var err error
	if b.native, err = post.New(anchor); err != nil {
		b.t.Fatal(err)
	}
	want := ""
	if i, _, err := b.native.Take(bundle, at); err != nil {
		want = text(post.FaultOf(err))
	} else {
		want = text(i)
	}
	if got := webtest.Value[string](b.x, "world("+text(string(anchor))+","+text(bundle)+","+text(at.UnixMilli())+")"); got != want {
		b.t.Fatalf("the bundle: %s in the browser, %s natively", got, want)
	}
}

// natively gives what the native check says.
func (b *both) natively(a asked) answered {
	b.t.Helper()
	if err := b.native.Remember([]byte(a.History)); err != nil {
		b.t.Fatal(err)
	}
	answer, history := b.native.Check([]byte(a.Request))
	return answered{string(answer), string(history)}
}

// same asks the browser, too, and compares.
func (b *both) same(all []asked, want []answered) {
	b.t.Helper()
	began := time.Now()
	got := webtest.Value[[]answered](b.x, "ask("+text(all)+")")
	b.slow += time.Since(began)
	if len(got) != len(all) {
		b.t.Fatalf("%d answers to %d", len(got), len(all))
	}
	for i := range all {
		if nameless(got[i].Answer) != nameless(want[i].Answer) || got[i].History != want[i].History {
			b.t.Fatalf("%s\nin the browser: %s\n%s\nnatively: %s\n%s\nwith %s after %s", all[i].name, got[i].Answer, got[i].History,
				want[i].Answer, want[i].History, all[i].Request, all[i].History)
		}
		b.count(want[i])
	}
}

func (b *both) count(a answered) {
	b.checks++
	for _, d := range decisions(b.t, a) {
		b.colours[d.Colour.String()]++
		for _, c := range d.Codes() {
			b.codes[c]++
		}
	}
}

// decisions gives those of an answer, none of a fault.
func decisions(t *testing.T, a answered) []check.Decision {
	t.Helper()
	var out post.Answer
	if err := json.Unmarshal([]byte(a.Answer), &out); err != nil {
		t.Fatal(err)
	}
	var ds []check.Decision
	switch {
	case out.Fault != nil:
		if out.Fault.Code == "internal" {
			t.Fatalf("%s", a.Answer)
		}
	case out.Group != nil:
		for _, r := range out.Group.Decisions {
			ds = append(ds, r.Decision)
		}
	default:
		ds = append(ds, out.Result.Decision)
	}
	return ds
}

// nameless leaves the random name of each record out.
func nameless(answer string) string { return recordName.ReplaceAllString(answer, `"id":"","at":`) }

var recordName = regexp.MustCompile(`"id":"[A-Za-z0-9_-]{22}","at":`)

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// TestStories: on every step of the demonstration's stories the browser's check
// says what the story says, and what the native check says to the letter.
func TestStories(t *testing.T) {
	b := newBoth(t)
	dir := t.TempDir()
	out := os.Stdout
	if null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0); err == nil {
		os.Stdout = null
		defer func() { os.Stdout = out; null.Close() }()
	}
	if code := cli.Main([]string{"demo", "--once", "--out", dir}); code != 0 {
		t.Fatalf("the demonstration ended with %d", code)
	}
	os.Stdout = out
	read := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	var steps []struct {
		Step, File, Bundle string
		Colour             check.Colour
		Codes              []string
		At                 time.Time
	}
	if err := json.Unmarshal(read("story.json"), &steps); err != nil || len(steps) < 20 {
		t.Fatal(len(steps), err)
	}
	b.x = b.page()
	for _, s := range steps {
		b.world(read("anchor.json"), read(s.Bundle), s.At)
		a := encounter(t, read(s.File))
		a.name = s.Step
		r := post.Request{}
		if err := json.Unmarshal([]byte(a.Request), &r); err != nil {
			t.Fatal(err)
		}
		r.Now = s.At.UnixMilli()
		if r.Facts.Session == "" {
			r.Facts.Session = "story" // else each makes up its own
		}
		a.Request = text(r)
		want := b.natively(a)
		ds := decisions(t, want)
		if len(ds) != 1 || ds[0].Colour != s.Colour || !slices.Equal(ds[0].Codes(), s.Codes) {
			t.Errorf("%s: %s, the story has %s %v", s.Step, want.Answer, s.Colour, s.Codes)
		}
		b.same([]asked{a}, []answered{want})
	}
	t.Logf("%d steps, %v", len(steps), b.colours)
}

// encounter reads a file of the story: a code, or one encounter as JSON.
func encounter(t *testing.T, file []byte) asked {
	t.Helper()
	if strings.HasPrefix(string(file), "KP1:") {
		return asked{Request: text(post.Request{Presentations: []string{strings.TrimSpace(string(file))}})}
	}
	var e struct {
		Presentation string          `json:"presentation"`
		History      json.RawMessage `json:"history"`
		check.Input
	}
	if err := json.Unmarshal(file, &e); err != nil {
		t.Fatal(err)
	}
	return asked{Request: text(post.Request{Presentations: []string{e.Presentation}, Facts: e.Input}), History: string(e.History)}
}
