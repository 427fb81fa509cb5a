package scan_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"image"
	"image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/kinpass/kinpass/internal/qr"
	"github.com/kinpass/kinpass/web"
	"github.com/kinpass/kinpass/web/scan"
	"github.com/kinpass/kinpass/web/webtest"
)

// page is one that scans and keeps what it read in window.texts.
const page = `{{define "content"}}<h1 class="govuk-heading-l">{{t "home.title"}}</h1>
<div class="scan-window"><video data-video aria-label="{{t "home.title"}}"></video></div>
<button class="govuk-button" type="button" data-button>{{t "nav.home"}}</button>
<label for="field">{{t "nav.home"}}</label><input id="field">{{end}}`

const program = `import * as scan from '../scan/scan.js'
window.scan = scan
window.texts = []
window.infos = []
window.typed = []
window.pressed = 0
document.querySelector('[data-button]').addEventListener('click', () => { window.pressed++ })
window.end = scan.scanKeys(document, (text) => window.typed.push(text))
window.begin = async () => {
  window.camera = await scan.scanCamera(document.querySelector('[data-video]'), (text, info) => { window.texts.push(text); window.infos.push(info) })
  return true
}`

// serve gives the address of the page.
func serve(t *testing.T, with ...func(*web.View)) string {
	t.Helper()
	files := fstest.MapFS{"pages/scan.html": {Data: []byte(page)}, "static/try.js": {Data: []byte(program)}}
	for _, l := range web.Languages {
		files["messages/"+l+".json"] = &fstest.MapFile{Data: []byte("{}")}
	}
	site, err := web.New("verifier", "http://localhost", scan.App, web.App{Name: "test", Files: files})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/app/static/") {
			if !site.Static(w, r) {
				http.NotFound(w, r)
			}
			return
		}
		v := web.View{Page: "test/scan", Title: "home.title", Scripts: []string{"test/try.js"}, Camera: true, Wasm: true}
		for _, f := range with {
			f(&v)
		}
		if err := site.Show(w, r, v); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL + "/app/"
}

func code(t *testing.T, text string) (small image.Image, file string) {
	t.Helper()
	m, err := qr.DrawAny(text, qr.L)
	if err != nil {
		t.Fatal(err)
	}
	b, err := m.PNG(4)
	if err != nil {
		t.Fatal(err)
	}
	return m.Paletted(1), base64.StdEncoding.EncodeToString(b)
}

// long is of the size of the largest code that a telephone shows.
var long = "KP1:" + strings.Repeat("ABCDEFGHIJ0123456789 $%*+-./:KLMNOPQRSTUVWXYZ", 26)

// TestCamera: what is held in front of the camera is read, once, and what comes
// after it too.
func TestCamera(t *testing.T) {
	camera := webtest.NewCamera(t)
	address := serve(t)
	chromium := webtest.Open(t, camera.Flags()...)
	small, _ := code(t, "KP1:HELLO $%*+-./: 1")
	large, _ := code(t, long)
	for _, size := range []webtest.Size{webtest.Phone, webtest.Desktop} {
		x := chromium.Tab(t, size, "en")
		x.Go(address)
		for _, c := range []struct {
			picture image.Image
			text    string
		}{{small, "KP1:HELLO $%*+-./: 1"}, {large, long}} {
			camera.Show(c.picture)
			webtest.Value[bool](x, `begin()`)
			got := webtest.Value[string](x, `new Promise((done) => { const wait = () => texts.length ? done(texts[0]) : setTimeout(wait, 10); wait() })`)
			if got != c.text {
				t.Errorf("read %q, want %q", got, c.text)
			}
			// It stays in view and is told once.
			if n := webtest.Value[int](x, `new Promise((done) => setTimeout(() => done(texts.length), 700))`); n != 1 {
				t.Errorf("told %d times", n)
			}
			// The quickest of a few: other programs want this computer, too.
			ms := webtest.Value[float64](x, `(async () => {
				for (const end = performance.now() + 20000; texts.length < 6 && performance.now() < end;) {
					camera.again()
					await new Promise((go) => setTimeout(go, 50))
				}
				return texts.length < 6 ? -1 : Math.min(...infos.map((i) => i.ms))
			})()`)
			if ms < 0 || ms > 100 {
				t.Errorf("told %s times again, and reading took %.0f ms", webtest.Value[string](x, `String(texts.length)`), ms)
			}
			t.Logf("%s: %d characters read in %.1f ms", size.Name, len(c.text), ms)
			if !webtest.Value[bool](x, `(camera.stop(), texts.length = 0, infos.length = 0, document.querySelector('[data-video]').srcObject === null)`) {
				t.Error("the camera goes on")
			}
		}
		for _, b := range x.Broken() {
			t.Error(b)
		}
	}
	// Nothing to see is nothing read.
	camera.Show(nil)
	x := chromium.Tab(t, webtest.Phone, "en")
	x.Go(address)
	if n := webtest.Value[int](x, `begin().then(() => new Promise((done) => setTimeout(() => done(texts.length), 500)))`); n != 0 {
		t.Errorf("%d texts were read off the wall", n)
	}
}

// TestPicture: a code in a picture is read, and a picture without one is not.
func TestPicture(t *testing.T) {
	x := webtest.Open(t).Tab(t, webtest.Desktop, "en")
	x.Go(serve(t))
	_, file := code(t, long)
	read := func(data string) string {
		b, err := json.Marshal(data)
		if err != nil {
			t.Fatal(err)
		}
		return webtest.Value[string](x, `(async () => {
			const bytes = Uint8Array.from(atob(`+string(b)+`), (c) => c.charCodeAt(0))
			try { return String(await scan.scanImage(new Blob([bytes]))) } catch (e) { return 'error ' + e.code }
		})()`)
	}
	if got := read(file); got != long {
		t.Errorf("read %q", got)
	}
	if got := read(base64.StdEncoding.EncodeToString([]byte("not a picture"))); got != "error picture" {
		t.Errorf("what is no picture: %q", got)
	}
	var empty bytes.Buffer
	if err := png.Encode(&empty, image.NewGray(image.Rect(0, 0, 90, 90))); err != nil {
		t.Fatal(err)
	}
	if got := read(base64.StdEncoding.EncodeToString(empty.Bytes())); got != "null" {
		t.Errorf("an empty picture: %q", got)
	}
	for _, b := range x.Broken() {
		t.Error(b)
	}
}

// TestKeys: a scanner that types is heard wherever the focus is but in a field,
// and people who type are not taken for one.
func TestKeys(t *testing.T) {
	x := webtest.Open(t).Tab(t, webtest.Desktop, "en")
	x.Go(serve(t))
	// Events as a keyboard would cause them, with the time between two.
	typing := func(selector, text string, ms int) {
		b, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		webtest.Value[bool](x, `(async () => {
			const to = document.querySelector('`+selector+`')
			to.focus()
			for (const c of `+string(b)+`) {
				const key = { '\n': 'Enter', '\t': 'Tab' }[c] ?? c
				const down = new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true, composed: true })
				if (to.dispatchEvent(down) && (key === 'Enter' || key === ' ') && to.matches('button')) to.click()
				to.dispatchEvent(new KeyboardEvent('keyup', { key, bubbles: true, cancelable: true, composed: true }))
				if (`+jsNumber(ms)+`) await new Promise((go) => setTimeout(go, `+jsNumber(ms)+`))
			}
			await new Promise((go) => setTimeout(go, 600))
			return true
		})()`)
	}
	const mrz = "P<XBADOE<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<<<<<<\nL898902C36XBA7408122F1204159ZE184226B<<<<<10"
	for _, c := range []struct {
		name, selector, text string
		ms                   int
		want                 string
	}{
		{"a code", "[data-button]", "KP1:ABCDEF 0123456789 $%\n", 0, "KP1:ABCDEF 0123456789 $%"},
		{"a code that ends with a space", "[data-button]", "KP1:ABCDEF 0123456789 \n", 0, "KP1:ABCDEF 0123456789 "},
		{"a code without an end", "[data-button]", "KP1:ABCDEF 0123456789", 0, "KP1:ABCDEF 0123456789"},
		{"capitals locked", "[data-button]", "kp1:abcdef 0123456789\n", 0, "KP1:ABCDEF 0123456789"},
		{"what the scanner is called in front", "[data-button]", "]Q1KP1:ABCDEF 0123456789\n", 0, "KP1:ABCDEF 0123456789"},
		{"a travel document", "[data-button]", mrz + "\n", 0, mrz},
		{"somebody who types", "[data-button]", "KP1:ABCDEF 01234\n", 90, ""},
		{"a field", "#field", "KP1:ABCDEF 0123456789\n", 0, ""},
		{"too short", "[data-button]", "KP1:AB\n", 0, ""},
	} {
		webtest.Value[int](x, `typed.length = 0, pressed = 0`)
		typing(c.selector, c.text, c.ms)
		got := webtest.Value[string](x, `typed.join('|')`)
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		if n := webtest.Value[int](x, `pressed`); c.want != "" && n != 0 {
			t.Errorf("%s pressed the button %d times", c.name, n)
		}
	}
}

func jsNumber(n int) string { return strconv.Itoa(n) }

// TestCameraRefused: without leave, and on a page that may not use the camera,
// people get a reason that has words.
func TestCameraRefused(t *testing.T) {
	camera := webtest.NewCamera(t)
	chromium := webtest.Open(t, append(camera.Flags()[:1:1], "deny-permission-prompts")...)
	for name, with := range map[string]func(*web.View){
		"by the user":          func(*web.View) {},
		"by the page's policy": func(v *web.View) { v.Camera = false },
	} {
		x := chromium.Tab(t, webtest.Phone, "en")
		x.Go(serve(t, with))
		if got := webtest.Value[string](x, `begin().then(() => 'began', (e) => e.code)`); got != "refused" {
			t.Errorf("not allowed %s: %s", name, got)
		}
	}
	site, err := web.New("verifier", "http://localhost", scan.App)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []string{"refused", "none", "busy", "unsupported", "broken", "picture", "no-code"} {
		key := "scan.js." + c
		if site.Text(httptest.NewRequest("GET", "/app/", nil), key) == key {
			t.Errorf("there are no words for %s", c)
		}
	}
}

// TestReaderIsTheOneNamed: the program that is served is the one that VENDOR.md
// names.
func TestReaderIsTheOneNamed(t *testing.T) {
	program, err := os.ReadFile("static/zxing/zxing_reader.wasm")
	if err != nil {
		t.Fatal(err)
	}
	named, err := os.ReadFile("VENDOR.md")
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(program)
	if !strings.Contains(string(named), hex.EncodeToString(sum[:])) {
		t.Error("VENDOR.md names another program")
	}
}
