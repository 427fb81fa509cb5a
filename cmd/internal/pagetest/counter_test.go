package pagetest

import (
	"encoding/json"
	"image"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/api"
	"github.com/kinpass/kinpass/cmd/internal/cli"
	"github.com/kinpass/kinpass/internal/account"
	"github.com/kinpass/kinpass/internal/qr"
	"github.com/kinpass/kinpass/web/webtest"
)

// shown gives the code that the demonstration's guardian shows now, for a child
// of their wallet (0 is the first).
func shown(t *testing.T, s *cli.Stand, child int) string {
	t.Helper()
	guardian := &api.Client{Base: s.Wallet.Base, Token: s.Guardian}
	var all struct {
		Children []struct{ ID string }
	}
	if err := guardian.Do(t.Context(), "GET", "/wallet/children", nil, &all); err != nil {
		t.Fatal(err)
	}
	var out struct {
		KP1 string `json:"kp1"`
	}
	if err := guardian.Do(t.Context(), "POST", "/wallet/presentations", map[string]string{"child": all.Children[child].ID}, &out); err != nil {
		t.Fatal(err)
	}
	return out.KP1
}

// drawn is the picture of a code.
func drawn(t *testing.T, text string) image.Image {
	t.Helper()
	m, err := qr.Draw(text, qr.Screen)
	if err != nil {
		t.Fatal(err)
	}
	return m.Paletted(1)
}

// forged changes one character within a signature.
func forged(text string) string {
	at := len(text) - 40
	other := "A"
	if text[at] == 'A' {
		other = "B"
	}
	return text[:at] + other + text[at+1:]
}

// counter is an officer at the counter of a post that is set up.
func counter(t *testing.T, x *webtest.Tab, s *cli.Stand) {
	t.Helper()
	enter(t, x, s.Verifier, account.Guest{Role: "officer", Name: "Omar Officer"})
	ready(t, x)
	if webtest.Value[bool](x, `!document.querySelector('[data-view="post"]').hidden`) {
		x.Type("#post", "Gate 4")
		x.Click("#direction")
		webtest.Value[bool](x, `(document.querySelector('#exit').value = 'NPL', document.querySelector('#entry').value = '', true)`)
		x.Click("[data-post-form] [type=submit]")
	}
	x.See("[data-view=scan]")
}

func ready(t *testing.T, x *webtest.Tab) {
	t.Helper()
	if got := webtest.Value[string](x, `new Promise((done) => { const wait = () => document.body.dataset.postReady ? done(document.body.dataset.postReady + ' ' + document.querySelector('[data-problem-text]').textContent) : setTimeout(wait, 20); wait() })`); got != "yes " {
		t.Fatalf("the check is ready: %s", got)
	}
}

// types gives the text to the page as a scanner that types does.
func types(t *testing.T, x *webtest.Tab, text string) {
	t.Helper()
	b, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	webtest.Value[bool](x, `(() => {
		document.activeElement?.blur()
		let at = performance.now()
		for (const c of `+string(b)+` + '\n') {
			const key = new KeyboardEvent('keydown', { key: c === '\n' ? 'Enter' : c, bubbles: true, cancelable: true, composed: true })
			Object.defineProperty(key, 'timeStamp', { value: at++ }) // a scanner keeps its pace on a busy machine
			document.body.dispatchEvent(key)
		}
		return true
	})()`)
}

// decided waits for a decision and gives its colour and the codes of its
// reasons.
func decided(t *testing.T, x *webtest.Tab) (colour, codes string) {
	t.Helper()
	x.See("[data-view=decision] [data-verdict]")
	x.Await(`document.querySelector('[data-rest]').ariaBusy === 'false'`)
	got := webtest.Value[[]string](x, `[document.querySelector('[data-verdict]').dataset.colour, [...document.querySelectorAll('[data-reasons] code')].map((c) => c.textContent).join(' ')]`)
	return got[0], got[1]
}

// TestCounter: an officer scans with the camera, compares, and goes on.
func TestCounter(t *testing.T) {
	camera := webtest.NewCamera(t)
	chromium, s := webtest.Open(t, camera.Flags()...), stand(t)
	if err := s.Family(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, size := range []webtest.Size{webtest.Phone, webtest.Desktop} {
		t.Run(size.Name, func(t *testing.T) {
			x := chromium.Tab(t, size, "en")
			x.WithoutWorkers() // the pages are weighed as they travel
			enter(t, x, s.Verifier, account.Guest{Role: "officer", Name: "Omar Officer"})
			ready(t, x)
			atTop(x, "border post")
			counter(t, x, s)
			atTop(x, "border scan")
			code := shown(t, s, 0)
			camera.Show(drawn(t, code))
			x.Click("[data-start]")
			if colour, codes := decided(t, x); colour != "green" || codes != "RECORD_INCOMPLETE_EXPECTED OK" {
				t.Errorf("%s %s", colour, codes)
			}
			if word := x.Text("[data-word]"); word != "In order" {
				t.Errorf("the word is %q", word)
			}
			// With which data it was decided, in view; the whole id is on the device's page.
			id := webtest.Value[string](x, `import(document.querySelector('script[src$="border/check.js"]').src.replace('check.js', 'engine.js')).then((m) => m.status().bundle.id)`)
			if with := x.Text("[data-decided-with]"); len(id) < 8 || with != "Border data: "+id[:8]+" · 1 minute" {
				t.Errorf("decided with %q, the bundle is %s", with, id)
			}
			atTop(x, "border green")
			// The officer compares.
			x.Click(`[data-answer="portrait"] [data-say="no"]`)
			webtest.Value[bool](x, `new Promise((done) => { const wait = () => document.querySelector('[data-verdict]').dataset.colour === 'red' ? done(true) : setTimeout(wait, 20); wait() })`)
			if _, codes := decided(t, x); !strings.HasPrefix(codes, "CHILD_MISMATCH") {
				t.Errorf("denied: %s", codes)
			}
			atTop(x, "border red")
			// Names leave the page with the travellers, and stay nowhere.
			name := x.Text("[data-child-name]")
			x.Click("[data-done]")
			x.See("[data-view=scan]")
			// The code that is still held there is not taken for the next travellers'.
			if webtest.Value[bool](x, `new Promise((done) => setTimeout(() => done(document.querySelector('[data-view="scan"]').hidden), 1800))`) {
				t.Error("the code of those before was taken again")
			}
			if webtest.Value[bool](x, `document.body.textContent.includes(`+quoted(t, name)+`)`) || name == "" {
				t.Errorf("the name %q is still there", name)
			}
			x.Go(s.Verifier.Base + "/app/history")
			x.See("[data-list] li")
			if text := x.Text("main"); strings.Contains(text, name) || !strings.Contains(text, "Second line") {
				t.Errorf("the history: %s", text)
			}
			atTop(x, "border history")
			x.Go(s.Verifier.Base + "/app/device")
			x.See("[data-bars] li")
			atTop(x, "border device")
		})
	}
}

// atTop looks at a page from its top: what stays in view hides nothing there.
func atTop(x *webtest.Tab, name string) {
	webtest.Value[bool](x, `(scrollTo(0, 0), true)`)
	x.Look(name)
}

func quoted(t *testing.T, s string) string {
	t.Helper()
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// turns waits until the screen says a colour, and gives the codes.
func turns(t *testing.T, x *webtest.Tab, colour string) (codes string) {
	t.Helper()
	x.Await(`!document.querySelector('[data-view="decision"]').hidden && document.querySelector('[data-verdict]').dataset.colour === '` + colour + `'`)
	_, codes = decided(t, x)
	return codes
}

// TestCounterHelps: paper is compared and confirmed, a document is typed, a
// forgery goes to second line, and two people may decide otherwise.
func TestCounterHelps(t *testing.T) {
	chromium, s := webtest.Open(t), stand(t)
	if err := s.Family(t.Context()); err != nil {
		t.Fatal(err)
	}
	paper, err := s.Paper(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	x := chromium.Tab(t, webtest.Phone, "en")
	x.WithoutWorkers()
	counter(t, x, s)

	// A paper pass proves nothing about who carries it, until the officer has compared.
	types(t, x, paper)
	if codes := turns(t, x, "amber"); !strings.Contains(codes, "PAPER_BEARER") {
		t.Errorf("paper: %s", codes)
	}
	atTop(x, "border amber")
	x.Click(`[data-answer="portrait"] [data-say="yes"]`)
	x.Await(`document.querySelector('[data-answer="portrait"] [data-say="yes"]').ariaPressed === 'true'`)
	x.Click(`[data-answer="document"] [data-say="yes"]`)
	turns(t, x, "green")
	// What was confirmed can be taken back.
	x.Click(`[data-answer="portrait"] [data-say="yes"]`)
	turns(t, x, "amber")
	// A document that does not read is said to be so, beside it.
	x.Type("#document", "P<XBADOE<<JANE")
	x.Click("[data-take-document]")
	x.See("[data-document-list] .govuk-error-message")
	if codes := turns(t, x, "amber"); !strings.Contains(codes, "DOC_UNREADABLE") {
		t.Errorf("a document that does not read: %s", codes)
	}
	atTop(x, "border document")
	x.Click("[data-forget]")
	x.Await(`!document.querySelector('[data-reasons]').textContent.includes('DOC_UNREADABLE')`)
	// One that is somebody else's, and nobody confirmed it.
	x.Click(`[data-answer="document"] [data-say="yes"]`)
	x.Await(`document.querySelector('[data-answer="document"] [data-say="yes"]').ariaPressed === 'false'`)
	types(t, x, "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\nL898902C36UTO7408122F1204159ZE184226B<<<<<10")
	if codes := turns(t, x, "red"); !strings.Contains(codes, "MISMATCH") {
		t.Errorf("somebody else's document: %s", codes)
	}
	x.Click("[data-done]")
	x.See("[data-view=scan]")
	if n := webtest.Value[int](x, `document.querySelectorAll('[data-document-list] li').length`); n != 0 {
		t.Error("a document stays for the next travellers")
	}

	// What is no code is no refusal.
	types(t, x, "https://example.org/an/address/of/something")
	if codes := turns(t, x, "amber"); codes != "SCAN_UNREADABLE" {
		t.Errorf("no code: %s", codes)
	}
	x.Click("[data-again]")

	types(t, x, forged(shown(t, s, 0)))
	if codes := turns(t, x, "red"); !strings.Contains(codes, "SIG_INVALID") {
		t.Errorf("forged: %s", codes)
	}
	// A person decides otherwise, with a reason and, as it is red, with another.
	x.Click("[data-override]")
	x.See("[data-view=override]")
	x.Click("#act")
	x.Type("#reason", "too short")
	x.Click("[data-override-form] [type=submit]")
	x.See("[data-override-problem]")
	if text := x.Text("[data-override-problem]"); !strings.Contains(text, "10") || !strings.Contains(text, "second person") {
		t.Errorf("refused with %q", text)
	}
	atTop(x, "border override")
	x.Type("#reason", ", but the registry confirmed it by telephone")
	x.Type("#second", "4711")
	x.Click("[data-override-form] [type=submit]")
	x.See("[data-overridden]")
	if codes := turns(t, x, "red"); !strings.Contains(codes, "SIG_INVALID") {
		t.Errorf("overridden: %s", codes) // the machine's word stays
	}
	atTop(x, "border overridden")
	x.Click("[data-done]")
	x.See("[data-view=scan]")

	// It reaches the service. The officer cannot answer for it, a supervisor can.
	for end := now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		if list, err := s.Check.Overrides(t.Context(), true); err != nil {
			t.Fatal(err)
		} else if len(list) == 1 {
			break
		}
		if now().After(end) {
			t.Fatal("the override did not reach the service")
		}
	}
	x.Go(s.Verifier.Base + "/app/overrides")
	if text := x.Text("main"); !strings.Contains(text, "the registry confirmed it") || strings.Contains(text, "I agreed") {
		t.Errorf("the officer's own: %s", text)
	}
	y := chromium.Tab(t, webtest.Desktop, "en")
	enter(t, y, s.Verifier, account.Guest{Role: "supervisor", Name: "Sofia Supervisor"})
	atTop(y, "border checks")
	y.Go(s.Verifier.Base + "/app/overrides")
	atTop(y, "border second person")
	y.Press(`button[value="confirmed"]`)
	if text := y.Text("main"); !strings.Contains(text, "Confirmed by Sofia Supervisor") {
		t.Errorf("confirmed: %s", text)
	}
	// Nothing about a person went there.
	list, err := s.Check.Records(t.Context(), "", 100)
	if err != nil || len(list) != 3 {
		t.Fatalf("%d records, %v", len(list), err)
	}
	for _, b := range append(x.Broken(), y.Broken()...) {
		t.Error(b)
	}
}

// TestCounterTakesGroups: several children are one visit, each with a decision of
// their own.
func TestCounterTakesGroups(t *testing.T) {
	chromium, s := webtest.Open(t), stand(t)
	for range 3 {
		if err := s.Family(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	x := chromium.Tab(t, webtest.Phone, "ar")
	x.WithoutWorkers()
	counter(t, x, s)
	atTop(x, "border scan")
	first := shown(t, s, 0)
	types(t, x, first)
	turns(t, x, "green")
	atTop(x, "border green")
	x.Click("[data-add]")
	x.See("[data-added]")
	// The same code again is no further child, what is no code is none either.
	types(t, x, first)
	x.See("[data-problem]")
	types(t, x, "https://example.org/an/address/of/something")
	x.Click("#many")
	// A scanner is quicker than a decision: the second code comes while the
	// first is decided about, and neither is lost.
	second, third := shown(t, s, 1), forged(shown(t, s, 2))
	types(t, x, second)
	types(t, x, third)
	x.Await(`document.querySelectorAll('[data-added-list] li').length === 3`)
	atTop(x, "border group")
	x.Click("[data-show]")
	x.Await(`document.querySelectorAll('[data-people] [data-person]').length === 3 && document.querySelector('[data-people]').checkVisibility()`)
	colours := webtest.Value[string](x, `[...document.querySelectorAll('[data-people] li')].map((l) => l.dataset.colour).join(' ')`)
	if colours != "green green red" {
		t.Errorf("decided %s", colours)
	}
	// What is denied of one child is said of that child alone.
	x.Click(`[data-person="1"]`)
	turns(t, x, "green")
	x.Click(`[data-answer="portrait"] [data-say="no"]`)
	turns(t, x, "red")
	colours = webtest.Value[string](x, `[...document.querySelectorAll('[data-people] li')].map((l) => l.dataset.colour).join(' ')`)
	if colours != "green red red" {
		t.Errorf("decided %s", colours)
	}
	atTop(x, "border class")
	for _, b := range x.Broken() {
		t.Error(b)
	}
}
