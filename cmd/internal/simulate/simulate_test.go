package simulate

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// small is a nation that is played in a second or two.
func small() Nation {
	return Nation{Credentials: 300_000, Revoked: 0.01, Suspended: 0.001, Posts: 40, Days: 20, Every: 12 * time.Hour, Keep: 5 * 24 * time.Hour, Seed: 7}
}

func play(t *testing.T, n Nation) *Result {
	t.Helper()
	r, err := Run(t.Context(), n, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestSameNationSameFigures: everything but times and memory is the same in another
// run, and another seed gives another nation.
func TestSameNationSameFigures(t *testing.T) {
	text := func(n Nation) string {
		r := play(t, n)
		r.Machine = Machine{}
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		plots := r.Plots()
		for _, name := range slices.Sorted(maps.Keys(plots)) {
			b = append(append(b, name...), plots[name]...)
		}
		return string(b)
	}
	n := small()
	n.Days = 3
	a, b := text(n), text(n)
	if a != b {
		t.Error("two runs differ")
	}
	n.Seed++
	if c := text(n); a == c {
		t.Error("another seed gives the same")
	}
}

// TestPlay: what the posts load and know follows from their lines.
func TestPlay(t *testing.T) {
	n := small()
	r := play(t, n)
	if len(r.Days) != n.Days || r.First.Lists == 0 || r.First.Bytes != r.First.Sets+r.First.Issued+r.First.Other {
		t.Fatalf("%d days, first bundle %+v", len(r.Days), r.First)
	}
	if r.Entropy <= 0 || float64(r.Entropy) > float64(r.First.Sets) || r.Gzip <= r.Entropy {
		t.Errorf("bound %d, gzip %d, sets %d", r.Entropy, r.Gzip, r.First.Sets)
	}
	issued, revoked := int64(0), int64(0)
	for _, d := range r.Days {
		issued, revoked = issued+d.Issued, revoked+d.Revoked
		if d.Delta <= 0 || d.Delta > d.Bundle || d.Deltas <= 0 {
			t.Errorf("day %+v", d)
		}
	}
	if want := float64(n.Credentials) / 365 * float64(n.Days); math.Abs(float64(issued)-want) > want/10 {
		t.Errorf("%d issued, want about %.0f", issued, want)
	}
	if want := float64(n.Credentials) * n.Revoked / 365 * float64(n.Days); math.Abs(float64(revoked)-want) > want/5 {
		t.Errorf("%d revoked, want about %.0f", revoked, want)
	}
	by, posts := map[string]Pattern{}, 0
	for _, p := range r.Posts {
		by[p.Name] = p
		posts += p.Posts
	}
	if posts != n.Posts || len(by) != len(lines) {
		t.Fatalf("%d posts of %d lines", posts, len(by))
	}
	online, daily, courier, cut := by["online"], by["daily"], by["courier"], by["cut"]
	if online.Most != 12 || online.Amber != 0 || online.Unknown != 0 {
		t.Errorf("a steady line: %+v", online)
	}
	if daily.Most != 24 || daily.Amber != 0 || daily.PerDay >= online.PerDay*1.5 {
		t.Errorf("once a day: %+v", daily)
	}
	if courier.Most != 7*24 || courier.Amber < 0.7 || courier.Unknown != 0 {
		t.Errorf("a courier: %+v", courier)
	}
	if cut.Most < 9*24 || cut.Unknown <= 0 || cut.Missed <= online.Missed {
		t.Errorf("cut for nine days: %+v", cut)
	}
	// Cut for longer than the hub keeps bundles: the whole one is loaded once more.
	if cut.PerDay*float64(n.Days)*float64(cut.Posts) < float64(r.Last.Bytes) {
		t.Errorf("nobody who was cut off loaded a whole bundle: %.0f a day", cut.PerDay)
	}
}

// TestEachPost: what one post loaded is what the hub made.
func TestEachPost(t *testing.T) {
	n := small()
	n.Days = 14
	r := play(t, n)
	if len(r.Each) != n.Posts {
		t.Fatalf("%d posts", len(r.Each))
	}
	changes, least, most := int64(0), r.First.Bytes, r.First.Bytes
	for _, d := range r.Days {
		changes += d.Deltas
		least, most = min(least, d.Bundle), max(most, d.Bundle)
	}
	seen := map[string]bool{}
	for i, p := range r.Each {
		seen[p.Line] = true
		loaded := p.PerDay * float64(n.Days)
		switch p.Line {
		case "online":
			if p.Bundles != 2*n.Days || math.Abs(loaded-float64(changes)) > 1 || p.Most != 12 {
				t.Errorf("post %d: %+v, all changes are %d bytes", i, p, changes)
			}
		case "courier":
			if p.Bundles < 1 || p.Bundles > 2 || loaded < float64(p.Bundles)*float64(least)*0.9 || loaded > float64(p.Bundles)*float64(most)*1.1 {
				t.Errorf("post %d: %+v, a bundle has %d to %d bytes", i, p, least, most)
			}
		}
		if p.Median > p.P95 || p.P95 > p.Most || p.Most < 12 {
			t.Errorf("post %d: %+v", i, p)
		}
	}
	if len(seen) != len(lines) {
		t.Errorf("lines %v", seen)
	}
	// A change that is larger than the whole is not fetched.
	h := &hub{sizes: []int64{90, 100}, newest: 1, deltas: map[[2]int]int64{{0, 1}: 150}}
	if got := h.size(&post{have: 0}); got != 100 {
		t.Errorf("%d bytes are loaded", got)
	}
	// A courier brings the whole, whatever change there is.
	h.deltas[[2]int{0, 1}] = 50
	for i, l := range lines {
		if got := h.size(&post{line: i}); (got == 100) != l.whole {
			t.Errorf("%s: %d bytes are loaded", l.name, got)
		}
	}
}

// TestQuarterEnds: lists leave the bundle when their quarter has ended, and new ones
// come for those who expire in another.
func TestQuarterEnds(t *testing.T) {
	n := small()
	reg, err := newRegistry(n)
	if err != nil {
		t.Fatal(err)
	}
	quarters := func() map[time.Time]bool {
		out := map[time.Time]bool{}
		for _, g := range reg.groups {
			out[g.quarter] = true
		}
		return out
	}
	first := quarter(start)
	if !quarters()[first] {
		t.Fatal("nothing expires in the first quarter")
	}
	reg.live(24*time.Hour, start.AddDate(0, 0, 19))
	q := quarters()
	if q[first] || !q[quarter(start.AddDate(1, 0, 19))] {
		t.Errorf("after the quarter: %v", q)
	}
	for _, g := range reg.groups {
		for _, l := range g.lists {
			if got := l.bits[issued].Count(); got != l.given {
				t.Errorf("list %d: %d places are given out, %d are marked so", l.number, l.given, got)
			}
		}
	}
}

// TestPrint: text, plots and their words.
func TestPrint(t *testing.T) {
	n := small()
	n.Days = 2
	r := play(t, n)
	var b bytes.Buffer
	if err := r.Print(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"300,000 credentials, 1 % revoked, 40 posts, 2 days, a bundle every 12 h", "a USB stick once a week", "least possible"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not said:\n%s", want, b.String())
		}
	}
	plots := r.Plots()
	if len(plots) != 4 {
		t.Fatalf("%d plots", len(plots))
	}
	for name, p := range plots {
		d := xml.NewDecoder(bytes.NewReader(p))
		seen := map[string]int{}
		for {
			tok, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if e, ok := tok.(xml.StartElement); ok {
				seen[e.Name.Local]++
			}
		}
		if seen["title"] != 1 || seen["desc"] != 1 || seen["polyline"]+seen["rect"] < 4 || bytes.Contains(p, []byte("NaN")) {
			t.Errorf("%s: %v", name, seen)
		}
	}
}

// TestScale: a picture's lines of ten, a hundred and a thousand are equally far apart,
// also where nothing is as small as the lowest.
func TestScale(t *testing.T) {
	c := chart{y: "hours", series: []series{{points: []point{{0, 6}, {1, 900}}}}}
	lines := regexp.MustCompile(`stroke="#d0d0d0"/><text x="\d+" y="([\d.]+)" text-anchor="end">(\d+) h`).FindAllStringSubmatch(string(c.draw()), -1)
	if len(lines) != 4 {
		t.Fatalf("lines of %v", lines)
	}
	y := func(i int) float64 { v, _ := strconv.ParseFloat(lines[i][1], 64); return v }
	for i, want := range []string{"1", "10", "100", "1000"} {
		if lines[i][2] != want || i > 0 && math.Abs((y(i-1)-y(i))-(y(0)-y(1))) > 0.2 {
			t.Errorf("line %d is %s at %s", i, lines[i][2], lines[i][1])
		}
	}
	if y(0)-y(1) < 50 {
		t.Errorf("%.1f between two lines", y(0)-y(1))
	}
}

// TestRefused: what cannot be played is said before anything is done, and a run can
// be stopped.
func TestRefused(t *testing.T) {
	for name, edit := range map[string]func(*Nation){
		"none":           func(n *Nation) { n.Credentials = 0 },
		"too many":       func(n *Nation) { n.Credentials = 2e9 },
		"all revoked":    func(n *Nation) { n.Revoked = 1 },
		"no number":      func(n *Nation) { n.Revoked = math.NaN() },
		"no post":        func(n *Nation) { n.Posts = 0 },
		"no day":         func(n *Nation) { n.Days = 0 },
		"no part of day": func(n *Nation) { n.Every = 7 * time.Hour },
		"at once":        func(n *Nation) { n.Every = 0 },
		"for ever":       func(n *Nation) { n.Days, n.Every = 1000, time.Minute },
		"keeps nothing":  func(n *Nation) { n.Keep = time.Hour },
	} {
		n := small()
		edit(&n)
		if _, err := Run(t.Context(), n, nil); err == nil {
			t.Errorf("%s: played", name)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := Run(ctx, small(), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
}
