package pagetest

import (
	"bytes"
	"image/png"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/kinpass/kinpass/api"
	"github.com/kinpass/kinpass/cmd/internal/cli"
	"github.com/kinpass/kinpass/internal/account"
	"github.com/kinpass/kinpass/internal/qr"
	"github.com/kinpass/kinpass/web/webtest"
)

// colour photographs the code in a tab and gives the colour that a border post
// decides for it with news that it fetches now.
func colour(t *testing.T, s *cli.Stand, x *webtest.Tab, selector string) string {
	t.Helper()
	officer := &api.Client{Base: s.Verifier.Base, Token: s.Officer}
	if err := officer.Do(t.Context(), "POST", "/verifier/bundles", nil, nil); err != nil {
		t.Fatal(err)
	}
	text, err := qr.ReadImage(x.Photo(selector))
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Colour string `json:"colour"`
	}
	if err := officer.Do(t.Context(), "POST", "/checks", map[string]any{"presentation": text, "confirm": []string{"portrait", "document"}}, &d); err != nil {
		t.Fatal(err)
	}
	return d.Colour
}

// TestOfferToBorder: a guardian who has nothing yet pastes what the office gave,
// finds a card of the child and shows its code, which a border takes.
func TestOfferToBorder(t *testing.T) {
	chromium, s := webtest.Open(t), stand(t)
	for _, c := range []struct {
		size webtest.Size
		lang string
	}{{webtest.Phone, "en"}, {webtest.Desktop, "en"}, {webtest.Phone, "ar"}} {
		t.Run(c.size.Name+" "+c.lang, func(t *testing.T) {
			offer, pin, err := s.Offer(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			x := chromium.Tab(t, c.size, c.lang)
			join(t, x, s.Wallet, account.Guest{Role: "guardian"})
			x.Look("wallet empty")
			x.Press("[href='/app/add'].kp-big")
			x.Look("wallet add")
			x.Press("[data-add] button[type=submit]")
			x.See("#offer-error")
			x.Type("#offer", "Hello! Your code: "+offer+" Thank you.")
			x.Type("#pin", "0000")
			x.Press("[data-add] button[type=submit]")
			x.Look("wallet add wrong PIN")
			if webtest.Value[string](x, `document.querySelector('#offer').value`) == "" {
				t.Error("what was pasted is lost")
			}
			x.Do(chromedp.SetValue(chromedp.CSS("#pin"), pin))
			x.Press("[data-add] button[type=submit]")
			x.Look("wallet child added")
			x.Go(s.Wallet.Base + "/app/")
			x.Look("wallet children")
			x.Press(".kp-child .kp-big")
			x.Look("wallet code")
			if got := colour(t, s, x, ".kp-show__code svg"); got != "green" {
				t.Errorf("the border says %s", got)
			}
			x.Click("[data-enlarge]")
			x.Look("wallet code large")
			if got := colour(t, s, x, ".kp-show__code svg"); got != "amber" {
				t.Errorf("the same code a second time is %s", got)
			}
		})
	}
}

// guardian opens a tab in which the guardian of the demonstration's family is
// signed in.
func guardian(t *testing.T, chromium *webtest.Browser, s *cli.Stand, size webtest.Size, lang string) *webtest.Tab {
	t.Helper()
	x := chromium.Tab(t, size, lang)
	join(t, x, s.Wallet, wallet(t, s))
	return x
}

// TestKeptForAJourney: codes that were prepared open without network, after a
// reload, and a border takes them; they are sealed, and signing out deletes
// them.
func TestKeptForAJourney(t *testing.T) {
	chromium, s := webtest.Open(t), stand(t)
	if err := s.Family(t.Context()); err != nil {
		t.Fatal(err)
	}
	x := guardian(t, chromium, s, webtest.Phone, "en")
	webtest.Value[bool](x, `navigator.serviceWorker.ready.then(() => true)`)
	x.Go(s.Wallet.Base + "/app/kept")
	x.See("[data-none]")
	x.Look("wallet nothing kept")
	x.Go(s.Wallet.Base + "/app/")
	x.Press(".kp-child__more a")
	x.Look("wallet child")
	x.Press("[href$='/later']")
	x.Look("wallet later")
	x.Click("[name=hours][value='6']")
	x.Press("[data-later] button[type=submit]")
	x.See("[data-open]")
	x.Look("wallet kept")

	const stored = `new Promise((resolve) => {
		const open = indexedDB.open('documents')
		open.onsuccess = () => {
			const all = open.result.transaction('kept').objectStore('kept').getAll()
			all.onsuccess = () => {
				resolve(all.result.map((r) => JSON.stringify({ ...r, sealed: new TextDecoder('latin1').decode(r.sealed) })))
				open.result.close()
			}
		}
	})`
	name := x.Text("[data-list] [data-name]")
	records := webtest.Value[[]string](x, stored)
	if len(records) != 6 {
		t.Errorf("%d hours are kept, want 6", len(records))
	}
	for _, r := range records {
		if strings.Contains(r, name) || strings.Contains(r, "bits") {
			t.Error("what is kept is not sealed")
		}
	}
	s.CutWallet()
	x.Go(s.Wallet.Base + "/app/")
	x.See("[data-open]")
	x.Click("[data-open]")
	x.See(".kp-show__code svg")
	x.Look("wallet kept code")
	if got := colour(t, s, x, ".kp-show__code svg"); got != "green" {
		t.Errorf("the border says %s", got)
	}
	x.Go(s.Wallet.Base + "/app/kept")
	x.See("[data-forget]")
	x.Click("[data-forget]")
	x.See("[data-none]")
	if left := webtest.Value[int](x, `indexedDB.databases().then((all) => all.filter((d) => d.name === 'documents').length)`); left != 0 {
		t.Error("something of it is left")
	}
}

// TestLeaving: whoever leaves quickly or signs out is signed out, and who signs
// out leaves nothing on the phone.
func TestLeaving(t *testing.T) {
	chromium, s := webtest.Open(t), stand(t)
	const module = `import(document.querySelector('script[src$="guardian/wallet.js"]').src.replace('wallet.js', 'keep.js'))`
	const keep = module + `.then((m) => m.keep({ trip: 't', from: Date.now(), until: Date.now() + 3600000, skew: 0, name: 'N', codes: [] })).then(() => true)`
	const count = module + `.then((m) => m.kept()).then((all) => all.length)`
	for _, way := range []string{
		`document.querySelector('[data-exit]').click()`,
		`for (let i = 0; i < 3; i++) document.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true }))`,
	} {
		x := chromium.Tab(t, webtest.Phone, "en")
		join(t, x, s.Wallet, account.Guest{Role: "guardian"})
		webtest.Value[bool](x, keep)
		if title := webtest.Value[string](x, `document.title`); strings.Contains(strings.ToLower(title), "child") {
			t.Errorf("the title says %q", title)
		}
		webtest.Value[int](x, `Object.defineProperty(navigator, 'onLine', { value: false }); setTimeout(() => { `+way+` }, 100); 0`)
		x.Wait(`location.href === 'about:blank'`)
		// The session's end is sent while the page goes.
		for range 20 {
			if x.Go(s.Wallet.Base + "/app/add"); x.Path() == "/app/sign-in" {
				break
			}
		}
		if p := x.Path(); p != "/app/sign-in" {
			t.Errorf("whoever comes back is at %s", p)
		}
		if n := webtest.Value[int](x, count); n != 1 {
			t.Errorf("%d hours are left for the way out, want 1", n)
		}
	}
	x := chromium.Tab(t, webtest.Desktop, "en")
	join(t, x, s.Wallet, account.Guest{Role: "guardian"})
	webtest.Value[bool](x, keep)
	x.Press(".kp-signout button")
	if p := x.Path(); p != "/app/sign-in" {
		t.Errorf("after signing out at %s", p)
	}
	if n := webtest.Value[int](x, count); n != 0 {
		t.Errorf("signing out left %d hours", n)
	}
}

// TestOfferByCamera: a guardian holds the phone over the letter.
func TestOfferByCamera(t *testing.T) {
	camera := webtest.NewCamera(t)
	chromium, s := webtest.Open(t, camera.Flags()...), stand(t)
	offer, pin, err := s.Offer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	img, err := qr.DrawAny(offer, qr.M)
	if err != nil {
		t.Fatal(err)
	}
	drawn, err := img.PNG(5)
	if err != nil {
		t.Fatal(err)
	}
	picture, err := png.Decode(bytes.NewReader(drawn))
	if err != nil {
		t.Fatal(err)
	}
	camera.Show(picture)
	x := chromium.Tab(t, webtest.Phone, "en")
	join(t, x, s.Wallet, account.Guest{Role: "guardian"})
	x.Go(s.Wallet.Base + "/app/add")
	x.Click("[data-camera]")
	x.Wait(`document.querySelector('#offer').value !== ''`)
	x.Look("wallet offer scanned")
	x.Type("#pin", pin)
	x.Press("[data-add] button[type=submit]")
	if !strings.HasPrefix(x.Path(), "/app/documents/") {
		t.Errorf("at %s", x.Path())
	}
}
