package pagetest

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/kinpass/kinpass/internal/account"
	"github.com/kinpass/kinpass/web/webtest"
)

// TestScanToDecision measures scan after scan as the officer's device does, and
// finds each, with its parts, on the page that shows them. How long they took is
// told and not judged: other programs want this machine, too.
func TestScanToDecision(t *testing.T) {
	camera := webtest.NewCamera(t)
	chromium, s := webtest.Open(t, camera.Flags()...), stand(t)
	if err := s.Family(t.Context()); err != nil {
		t.Fatal(err)
	}
	x := chromium.Tab(t, webtest.Phone, "en")
	enter(t, x, s.Verifier, account.Guest{Role: "officer", Name: "Omar Officer"})
	ready(t, x)
	counter(t, x, s)
	// The people of the rehearsal were never there.
	const people = `['[data-lines]', '[data-child-name]', '[data-child-facts]', '[data-adult-list]', '[data-people]', '[data-reasons]', '[data-ask-fields]'].map((part) => document.querySelector(part).textContent).join('')`
	if left := webtest.Value[string](x, people); left != "" {
		t.Errorf("the rehearsal leaves %q", left)
	}
	const scans = 5
	for i := range scans {
		camera.Show(drawn(t, shown(t, s, 0)))
		x.Click("[data-start]")
		if colour, codes := decided(t, x); colour != "green" {
			t.Errorf("scan %d: %s %s", i+1, colour, codes)
		}
		if !webtest.Value[bool](x, `document.activeElement === document.querySelector('[data-verdict]')`) {
			t.Error("the focus is not at the decision")
		}
		x.Await(`/^decided after \d+ ms$/.test(document.querySelector('[data-took]').textContent)`)
		x.Await(`document.querySelector('[data-child-name]').textContent !== ''`)
		x.Click("[data-done]")
		x.See("[data-view=scan]")
		if left := webtest.Value[string](x, people); left != "" {
			t.Errorf("with the travellers stays %q", left)
		}
		x.Click("[data-stop]")
	}
	x.Go(s.Verifier.Base + "/app/device")
	x.See("[data-bars] li")
	bars := strings.Split(webtest.Value[string](x, `[...document.querySelectorAll('[data-bars] li')].map((l) => l.textContent.trim()).join('\n')`), "\n")
	if len(bars) != scans {
		t.Fatalf("%d of %d scans are measured", len(bars), scans)
	}
	t.Log("newest first:\n" + strings.Join(bars, "\n"))
	number := regexp.MustCompile(`\d+`)
	for _, bar := range bars {
		var n []int // the whole, then its parts
		for _, digits := range number.FindAllString(strings.ReplaceAll(bar, ",", ""), -1) {
			i, err := strconv.Atoi(digits)
			if err != nil {
				t.Fatal(err)
			}
			n = append(n, i)
		}
		if len(n) != 5 || n[0] <= 0 || n[0]-n[1]-n[2]-n[3]-n[4] < -4 || n[0]-n[1]-n[2]-n[3]-n[4] > 4 {
			t.Errorf("the parts are not the whole: %s", bar)
		}
	}
	if b := x.Broken(); len(b) > 0 {
		t.Error(b)
	}
}

// TestShownTwice: a code that was shown is known from the moment of its decision:
// to a check that was asked for at the same time, to a page that opens when this
// one goes away at once, and to the next travellers' officer.
func TestShownTwice(t *testing.T) {
	chromium, s := webtest.Open(t), stand(t)
	if err := s.Family(t.Context()); err != nil {
		t.Fatal(err)
	}
	x := chromium.Tab(t, webtest.Phone, "en")
	counter(t, x, s)
	webtest.Value[engineStatus](x, engine)

	colours := func(code string) string {
		return webtest.Value[string](x, `Promise.all(['one', 'two', 'three'].map((session) => engine.check({presentations: [`+quoted(t, code)+`], facts: {confirm: ['portrait', 'document'], session}}))).then((all) => all.map((d) => d.colour).join(' '))`)
	}
	if got := colours(shown(t, s, 0)); got != "green amber amber" {
		t.Errorf("asked for at once: %s", got)
	}
	// A rehearsal between two checks does not make the post forget.
	code := shown(t, s, 0)
	got := webtest.Value[string](x, `(async () => {
		const check = (session) => engine.check({presentations: [`+quoted(t, code)+`], facts: {confirm: ['portrait', 'document'], session}})
		const all = [check('four'), engine.rehearse(), check('four'), engine.rehearse(), check('five')]
		return (await Promise.all(all)).map((d) => d.colour).join(' ')
	})()`)
	if got != "green green green green amber" {
		t.Errorf("with rehearsals between: %s", got)
	}

	code = shown(t, s, 0)
	webtest.Value[bool](x, `engine.check({presentations: [`+quoted(t, code)+`], facts: {session: 'six'}}).then(() => { location.reload(); return true })`)
	x.Go(s.Verifier.Base + "/app/")
	ready(t, x)
	types(t, x, code)
	if colour, codes := decided(t, x); colour != "amber" || !strings.Contains(codes, "PRESENTATION_REPEATED") {
		t.Errorf("after the page went away: %s %s", colour, codes)
	}
	x.Click("[data-done]")
	x.See("[data-view=scan]")
	code = shown(t, s, 0)
	types(t, x, code)
	turns(t, x, "green")
	x.Click("[data-done]")
	x.See("[data-view=scan]")
	types(t, x, code)
	if codes := turns(t, x, "amber"); !strings.Contains(codes, "PRESENTATION_REPEATED") {
		t.Errorf("the next travellers: %s", codes)
	}
}
