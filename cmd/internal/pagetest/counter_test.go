package pagetest

import (
	"encoding/json"
	"image"
	"strings"
	"testing"

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
		for (const c of `+string(b)+` + '\n') document.body.dispatchEvent(new KeyboardEvent('keydown', { key: c === '\n' ? 'Enter' : c, bubbles: true, cancelable: true, composed: true }))
		return true
	})()`)
}

// decided waits for a decision and gives its colour and the codes of its
// reasons.
func decided(t *testing.T, x *webtest.Tab) (colour, codes string) {
	t.Helper()
	x.See("[data-view=decision] [data-verdict]")
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
			enter(t, x, s.Verifier, account.Guest{Role: "officer", Name: "Omar Officer"})
			ready(t, x)
			x.Look("border post")
			counter(t, x, s)
			x.Look("border scan")
			code := shown(t, s, 0)
			camera.Show(drawn(t, code))
			x.Click("[data-start]")
			if colour, codes := decided(t, x); colour != "green" || codes != "RECORD_INCOMPLETE_EXPECTED OK" {
				t.Errorf("%s %s", colour, codes)
			}
			if word := x.Text("[data-word]"); word != "In order" {
				t.Errorf("the word is %q", word)
			}
			x.Look("border green")
			// The officer compares.
			x.Click(`[data-answer="portrait"] [data-say="no"]`)
			webtest.Value[bool](x, `new Promise((done) => { const wait = () => document.querySelector('[data-verdict]').dataset.colour === 'red' ? done(true) : setTimeout(wait, 20); wait() })`)
			if _, codes := decided(t, x); !strings.HasPrefix(codes, "CHILD_MISMATCH") {
				t.Errorf("denied: %s", codes)
			}
			x.Look("border red")
			// Names leave the page with the travellers, and stay nowhere.
			name := x.Text("[data-child-name]")
			x.Click("[data-done]")
			x.See("[data-view=scan]")
			if webtest.Value[bool](x, `document.body.textContent.includes(`+quoted(t, name)+`)`) || name == "" {
				t.Errorf("the name %q is still there", name)
			}
			x.Go(s.Verifier.Base + "/app/history")
			x.See("[data-list] li")
			if text := x.Text("main"); strings.Contains(text, name) || !strings.Contains(text, "Second line") {
				t.Errorf("the history: %s", text)
			}
			x.Look("border history")
			x.Go(s.Verifier.Base + "/app/device")
			x.See("[data-bars] li")
			x.Look("border device")
		})
	}
}

func quoted(t *testing.T, s string) string {
	t.Helper()
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
