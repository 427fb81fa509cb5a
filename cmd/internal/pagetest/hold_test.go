package pagetest

import (
	"bytes"
	"encoding/json"
	"image/png"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/kinpass/kinpass/api"
	"github.com/kinpass/kinpass/cmd/internal/cli"
	"github.com/kinpass/kinpass/internal/account"
	"github.com/kinpass/kinpass/internal/qr"
	"github.com/kinpass/kinpass/verifier/check"
	wallets "github.com/kinpass/kinpass/wallet"
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
	text := codeIn(t, x, selector)
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
	}{{webtest.Desktop, "en"}, {webtest.Phone, "ar"}, {webtest.Size{Name: "small", Width: 320, Height: 568, Mobile: true}, "hi"}} {
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

// TestGuardianSeesTheLedger: a guardian sees of each document that it is in the public
// ledger once the wallet holds the proof of it, and not before, and can save the
// proofs as the file that a post takes.
func TestGuardianSeesTheLedger(t *testing.T) {
	chromium, s := webtest.Open(t), stand(t)
	if err := s.Family(t.Context()); err != nil {
		t.Fatal(err)
	}
	g := wallets.Guardian{ID: wallet(t, s).Token}
	for until := now().Add(time.Minute); ; {
		waiting, err := s.Holder.Staple(t.Context(), g)
		if err == nil && waiting == 0 {
			break
		}
		if now().After(until) {
			t.Fatal(waiting, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	all, err := s.Holder.Children(t.Context(), g)
	if err != nil || len(all) != 1 {
		t.Fatal(len(all), err)
	}
	x := chromium.Tab(t, webtest.Phone, "en")
	enter(t, x, s.Wallet, wallet(t, s))
	const told = `[...document.querySelectorAll('.kp-paper')].filter((e) => e.innerText.includes('Entered in the public ledger')).length`
	x.Go(s.Wallet.Base + "/app/documents/" + all[0].ID)
	if n := webtest.Value[int](x, told); n != 2 {
		t.Errorf("%d of 2 documents are said to be in the ledger", n)
	}
	x.Look("wallet child in the ledger")
	file := webtest.Value[string](x, `fetch(document.querySelector('[href$="/proofs"]').href).then((r) => r.text())`)
	proofs, err := check.ParseProofs([]byte(file))
	if err != nil || len(proofs) < 2 {
		t.Errorf("%d proofs: %v", len(proofs), err)
	}
	if strings.Contains(file, webtest.Value[string](x, `document.querySelector('h1').innerText`)) {
		t.Error("the file names the child")
	}

	// Nobody sees the ledger any more that has the next child's documents.
	s.BlindLedger()
	if err := s.Family(t.Context()); err != nil {
		t.Fatal(err)
	}
	if waiting, err := s.Holder.Staple(t.Context(), g); err != nil || waiting == 0 {
		t.Fatal(waiting, err)
	}
	both, err := s.Holder.Children(t.Context(), g)
	if err != nil || len(both) != 2 {
		t.Fatal(len(both), err)
	}
	next := both[0].ID
	if next == all[0].ID {
		next = both[1].ID
	}
	x.Go(s.Wallet.Base + "/app/documents/" + next)
	if papers, n := webtest.Value[int](x, `document.querySelectorAll('.kp-paper').length`), webtest.Value[int](x, told); papers < 2 || n != 0 {
		t.Errorf("%d of %d parts say that it is in the ledger", n, papers)
	}
	if webtest.Value[bool](x, `document.querySelector('[href$="/proofs"]') !== null`) {
		t.Error("proofs are offered that nobody has")
	}
	if code := webtest.Value[int](x, `fetch(location.pathname + '/proofs').then((r) => r.status)`); code != http.StatusNotFound {
		t.Errorf("the file is answered with %d", code)
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

	// Nothing goes before somebody says that they are sure; then everything goes.
	x = chromium.Tab(t, webtest.Phone, "ar")
	join(t, x, s.Wallet, account.Guest{Role: "guardian"})
	webtest.Value[bool](x, keep)
	x.Go(s.Wallet.Base + "/app/papers/new") // without a child there is a way on
	x.Press(`main a[href="/app/add"]`)
	x.Go(s.Wallet.Base + "/app/account/delete")
	x.Press(`form[action="/app/account/delete"] button`)
	x.See(".govuk-error-summary")
	x.Look("wallet delete not sure")
	if n := webtest.Value[int](x, count); n != 1 {
		t.Errorf("who was not sure has %d hours left, want 1", n)
	}
	x.Click("[name=sure]")
	x.Press(`form[action="/app/account/delete"] button`)
	if p := x.Path(); p != "/app/deleted" {
		t.Errorf("after deleting at %s", p)
	}
	x.Look("wallet deleted")
	if left := webtest.Value[int](x, `indexedDB.databases().then((all) => all.filter((d) => d.name === 'documents').length)`); left != 0 {
		t.Error("deleting everything left codes on the phone")
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

// TestShowing: two children at a counter, one code after the other; a code is
// replaced before it is stale, and one that could not be replaced is taken away;
// a part of what is known goes to who asked for it.
func TestShowing(t *testing.T) {
	chromium, s := webtest.Open(t), stand(t)
	if err := s.Family(t.Context()); err != nil {
		t.Fatal(err)
	}
	guest := wallet(t, s)
	offer, pin, err := s.Offer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	x := chromium.Tab(t, webtest.Phone, "en")
	enter(t, x, s.Wallet, guest)
	// What a link brings, by way of its fragment.
	x.Go(s.Wallet.Base + "/app/add#" + url.QueryEscape(offer))
	x.Await(`!location.hash && document.querySelector('#offer').value.startsWith('openid-credential-offer:')`)
	x.Type("#pin", pin)
	x.Press("[data-add] button[type=submit]")
	x.Go(s.Wallet.Base + "/app/")
	x.Look("wallet two children")
	names := webtest.Value[[]string](x, `[...document.querySelectorAll('.kp-child__name')].map((e) => e.innerText)`)
	if len(names) != 2 {
		t.Fatalf("%d cards", len(names))
	}
	// The page reads itself where there is a voice for its language, what is to be
	// read and nothing twice.
	webtest.Value[bool](x, `window.said = [], speechSynthesis.getVoices = () => [{ lang: 'en-GB' }], speechSynthesis.speak = (u) => said.push(u.text),
		window.SpeechSynthesisUtterance = function (text) { this.text = text }, speechSynthesis.dispatchEvent(new Event('voiceschanged')), true`)
	x.Click("[data-aloud]")
	said := webtest.Value[[]string](x, `window.said`)
	if len(said) < 8 || said[0] != "My children" || said[1] != names[0] || slices.Contains(said, "Read aloud") {
		t.Errorf("it reads %q", said)
	}
	x.Press(".kp-child .kp-big")
	first := x.Photo(".kp-show__code svg")
	x.Press("[data-next]")
	if got := x.Text(".kp-show__name"); got != names[1] {
		t.Errorf("the second code is of %q, want %q", got, names[1])
	}
	x.Look("wallet second code")
	if bytes.Equal(first, x.Photo(".kp-show__code svg")) {
		t.Error("two children have one code")
	}

	// Four minutes later there is another code, which a border takes.
	const path = `document.querySelector('.kp-show__code path:last-of-type').getAttribute('d')`
	before := webtest.Value[string](x, path)
	webtest.Value[bool](x, `window.later = 0, window.clock = performance.now.bind(performance), performance.now = () => clock() + later, later = 240000, true`)
	x.Await(path + ` !== ` + strconv.Quote(before))
	if got := colour(t, s, x, ".kp-show__code svg"); got != "green" {
		t.Errorf("the border says %s of the next code", got)
	}
	// Without network it goes when its time is over.
	webtest.Value[bool](x, `window.fetch = () => Promise.reject(new TypeError('no network')), later += 301000, true`)
	x.See(".kp-show--old")
	x.Look("wallet stale code")

	x.Go(s.Wallet.Base + "/app/")
	x.Press(".kp-child__more a")
	x.Press("[href$='/part']")
	x.Press("[data-add] button[type=submit]")
	x.See("#offer-error")
	x.See("#what-error")
	x.Look("wallet part refused")
	x.Type("#offer", "{\"audience\":\"https://school.example\",\"nonce\":\"0123456789abcdefg\"}")
	x.Click("[name=what][value='age:18']")
	x.Press("[data-add] button[type=submit]")
	x.Look("wallet part")
	if got := x.Text("[data-shown]"); !strings.Contains(got, "18 or older") {
		t.Errorf("it shows %q", got)
	}
	part := webtest.Value[string](x, `document.querySelector('#text').value`)
	officer := &api.Client{Base: s.Verifier.Base, Token: s.Officer}
	verify := func(domain string) error {
		return officer.Do(t.Context(), "POST", "/presentations/verify", map[string]any{
			"verifiablePresentation": map[string]any{"@context": "https://www.w3.org/ns/credentials/v2", "type": "EnvelopedVerifiablePresentation", "id": "data:application/dc+sd-jwt," + part},
			"options":                map[string]string{"domain": domain, "challenge": "0123456789abcdefg"},
		}, nil)
	}
	if err := verify("https://school.example"); err != nil {
		t.Error("the school cannot verify it: ", err)
	}
	if verify("https://shop.example") == nil {
		t.Error("another can, too")
	}

	// What an office took back is not shown any more, and the page says what to do.
	if err := s.Ended(t.Context()); err != nil {
		t.Fatal(err)
	}
	x.Go(s.Wallet.Base + "/app/")
	x.Press("form[action='/app/renew'] button")
	x.Look("wallet not usable")
	const last = `document.querySelector('.kp-child:last-child')`
	if got := webtest.Value[string](x, last+`.innerText`); !strings.Contains(got, "Cannot be shown now") || strings.Contains(got, "Ready") {
		t.Errorf("the card says %q", got)
	}
	child := webtest.Value[string](x, last+`.dataset.child`)
	x.Press(".kp-child:last-child .kp-child__more a")
	x.Look("wallet child not usable")
	x.Go(s.Wallet.Base + "/app/documents/" + child + "/show")
	if got := x.Text("main"); !strings.Contains(got, "Ask the registry office") {
		t.Errorf("instead of a code: %q", got)
	}
	x.Look("wallet no code")
}

// TestShell: what is there without network says nothing of anybody, and the
// wallet can be installed under a name that says nothing either.
func TestShell(t *testing.T) {
	s := stand(t)
	get := func(path string) (string, http.Header) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), "GET", s.Wallet.Base+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept-Language", "fr")
		a, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer a.Body.Close()
		body, err := io.ReadAll(a.Body)
		if err != nil || a.StatusCode != 200 {
			t.Fatalf("%s: %d %v", path, a.StatusCode, err)
		}
		return string(body), a.Header
	}
	page, _ := get("/app/kept")
	if strings.Contains(page, "sign-out") || !strings.Contains(page, "Gardé sur ce téléphone") || !strings.Contains(page, "data-exit") {
		t.Error("the page without network is not the one for everybody")
	}
	text, head := get("/app/manifest.webmanifest")
	var m struct {
		Name  string `json:"name"`
		Start string `json:"start_url"`
		Lang  string `json:"lang"`
		Icons []struct {
			Src, Sizes string
		} `json:"icons"`
	}
	if err := json.Unmarshal([]byte(text), &m); err != nil || m.Name != "Mes documents" || m.Start != "/app/" || m.Lang != "fr" || len(m.Icons) < 3 {
		t.Errorf("the manifest is %s (%v)", text, err)
	}
	if head.Get("Content-Type") != "application/manifest+json" {
		t.Errorf("the manifest is %s", head.Get("Content-Type"))
	}
	for _, i := range m.Icons {
		get(i.Src)
	}
	worker, head := get("/app/sw.js")
	if policy := head.Get("Content-Security-Policy"); policy != "default-src 'none'; connect-src 'self'" {
		t.Errorf("the worker may do %q", policy)
	}
	var list struct {
		Files []string `json:"files"`
	}
	first, _, _ := strings.Cut(strings.TrimPrefix(worker, "const kept = "), "\n")
	if err := json.Unmarshal([]byte(first), &list); err != nil || len(list.Files) < 10 {
		t.Fatalf("the worker keeps %q (%v)", first, err)
	}
	for _, f := range list.Files {
		get(f)
	}
	// A page of the wallet needs no other file.
	for _, m := range regexp.MustCompile(`(?:src|href)="(/app/static/[^"]+)"`).FindAllStringSubmatch(page, -1) {
		if !slices.Contains(list.Files, m[1]) {
			t.Errorf("%s is not there without network", m[1])
		}
	}
}
