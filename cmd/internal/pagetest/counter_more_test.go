package pagetest

import (
	"bytes"
	"encoding/base64"
	"image/png"
	"strings"
	"testing"

	"github.com/kinpass/kinpass/internal/account"
	"github.com/kinpass/kinpass/web/webtest"
)

// chosen gives a file to a field for files, as if somebody had chosen it.
func chosen(t *testing.T, x *webtest.Tab, selector, name string, data []byte) {
	t.Helper()
	webtest.Value[bool](x, `(() => {
		const files = new DataTransfer()
		files.items.add(new File([Uint8Array.from(atob(`+quoted(t, base64.StdEncoding.EncodeToString(data))+`), (c) => c.charCodeAt(0))], `+quoted(t, name)+`))
		const field = document.querySelector(`+quoted(t, selector)+`)
		field.files = files.files
		field.dispatchEvent(new Event('change', { bubbles: true }))
		return true
	})()`)
}

// TestCounterWithoutACamera: codes come from a scanner that types, from a picture
// and as text; the adult's document by its lines; several children stand at the
// counter at once; a person decides otherwise with a second one, who confirms it.
func TestCounterWithoutACamera(t *testing.T) {
	chromium, s := webtest.Open(t), stand(t)
	for range 2 { // two children
		if err := s.Family(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	x := chromium.Tab(t, webtest.Desktop, "ar")
	x.WithoutWorkers() // pages are weighed as they travel
	counter(t, x, s)
	// The post is remembered, as it was set up.
	x.Go(s.Verifier.Base + "/app/")
	ready(t, x)
	x.See("[data-view=scan]")
	if where := x.Text("[data-where]"); !strings.Contains(where, "Gate 4") {
		t.Errorf("the post after a reload: %q", where)
	}

	// The adult's document first, by a reader that types; one digit is wrong.
	const lines = "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\nL898902C36UTO7408122F1204159ZE184226B<<<<<10"
	types(t, x, strings.Replace(lines, "740812", "740813", 1))
	x.Wait(`document.querySelectorAll('[data-document-list] li').length === 1`)

	// A code by a scanner that types.
	types(t, x, shown(t, s, 0))
	decided(t, x)
	x.Wait(`document.querySelector('[data-document-list] .govuk-error-message') !== null`)
	x.Look("border document misread")
	x.Click("[data-forget]")
	x.Wait(`document.querySelectorAll('[data-document-list] li').length === 0`)
	x.Type("#document", lines)
	x.Click("[data-take-document]")
	x.Wait(`document.querySelectorAll('[data-document-list] li').length === 1 && !document.querySelector('[data-document-list] .govuk-error-message') && document.querySelector('[data-changed]').textContent !== ''`)
	if colour, codes := decided(t, x); colour == "green" {
		t.Errorf("somebody else's document: %s %s", colour, codes)
	}
	if n := webtest.Value[int](x, `document.querySelectorAll('[data-lines] li').length`); n < 1 || n > 3 {
		t.Errorf("%d lines", n)
	}
	x.Look("border document of another")
	x.Click("[data-forget]")
	x.Wait(`document.querySelector('[data-verdict]').dataset.colour === 'green'`)

	// A second child by a picture, and a forged code as text.
	x.Click("[data-add]")
	x.See("[data-view=scan]")
	var picture bytes.Buffer
	if err := png.Encode(&picture, drawn(t, shown(t, s, 1))); err != nil {
		t.Fatal(err)
	}
	chosen(t, x, "[data-picture]", "code.png", picture.Bytes())
	x.Wait(`document.querySelectorAll('[data-people] li').length === 2 && !document.querySelector('[data-view="decision"]').hidden`)
	x.Click("[data-add]")
	x.See("[data-view=scan]")
	x.Click("[data-view=scan] .post-scan__other details summary")
	x.Type("#text", forged(shown(t, s, 1)))
	x.Click("[data-typed] [type=submit]")
	x.Wait(`[...document.querySelectorAll('[data-people] li')].map((e) => e.dataset.colour).join(' ') === 'green green red'`)
	x.Look("border group")

	// A person decides otherwise, which takes a reason and, for red, a second one.
	x.Click("[data-override]")
	x.See("[data-view=override]")
	x.Click("#act")
	x.Click("[data-override-form] [type=submit]")
	x.See("[data-override-problem]")
	if n := webtest.Value[int](x, `document.querySelectorAll('[data-override-errors] li').length`); n != 2 {
		t.Errorf("%d errors without a reason and a second person", n)
	}
	x.Look("border override with errors")
	x.Type("#reason", "The desk confirmed the papers by telephone.")
	x.Type("#second", "4711")
	x.Click("[data-override-form] [type=submit]")
	x.See("[data-overridden]")
	if said := x.Text("[data-overridden]"); !strings.Contains(said, "4711") || webtest.Value[string](x, `document.querySelector('[data-verdict]').dataset.colour`) != "red" {
		t.Errorf("decided otherwise: %q", said)
	}
	x.Look("border overridden")
	name := x.Text("[data-people]")
	x.Click("[data-done]")
	x.See("[data-view=scan]")
	x.Wait(`document.querySelectorAll('[data-people] li, [data-added-list] li').length === 0`)

	// Nothing that names anybody stays on the device in the clear.
	if left := webtest.Value[string](x, `(async () => {
		let all = JSON.stringify({ ...localStorage }) + JSON.stringify({ ...sessionStorage }) + location.href + document.title
		for (const { name } of await indexedDB.databases()) {
			const db = await new Promise((done) => { const r = indexedDB.open(name); r.onsuccess = () => done(r.result) })
			for (const store of db.objectStoreNames) {
				const rows = await new Promise((done) => { const r = db.transaction(store).objectStore(store).getAll(); r.onsuccess = () => done(r.result) })
				all += JSON.stringify(rows, (k, v) => v instanceof ArrayBuffer || ArrayBuffer.isView(v) ? new TextDecoder('latin1').decode(v) : v)
			}
			db.close()
		}
		return all
	})()`); strings.Contains(left, "telephone") || strings.Contains(left, strings.Fields(name)[0]) || strings.Contains(left, "ERIKSSON") {
		t.Error("something of the travellers stays readable on the device")
	}

	// The second person says so with a sign-in of their own.
	x.Wait(`fetch('/app/overrides').then((r) => r.text()).then((page) => { window.overrides = page }) && (window.overrides ?? '').includes('4711')`)
	if strings.Contains(webtest.Value[string](x, `window.overrides`), `value="confirmed"`) {
		t.Error("an officer may confirm what they decided themselves")
	}
	y := chromium.Tab(t, webtest.Phone, "en")
	enter(t, y, s.Verifier, account.Guest{Role: "supervisor", Name: "Sela Supervisor"})
	y.Look("border supervisor")
	y.Go(s.Verifier.Base + "/app/overrides")
	y.Look("border second person")
	y.Press(`[name="answer"][value="confirmed"]`)
	if webtest.Value[bool](y, `document.querySelector('[name="answer"]') !== null`) {
		t.Error("it waits still")
	}
}

// TestBorderDataByHand: the device takes border data from a file, refuses what is
// none, and believes another trust anchor only when somebody says so.
func TestBorderDataByHand(t *testing.T) {
	chromium, s := webtest.Open(t), stand(t)
	if err := s.Family(t.Context()); err != nil {
		t.Fatal(err)
	}
	x := chromium.Tab(t, webtest.Phone, "en")
	x.WithoutWorkers()
	counter(t, x, s)
	x.Go(s.Verifier.Base + "/app/device")
	x.Wait(`document.querySelectorAll('[data-bundle-facts] dd').length > 1`)
	chosen(t, x, "[data-bundle-file]", "bundle.kpb", []byte("no bundle"))
	x.See("[data-problem]")
	if text := x.Text("[data-problem-text]"); !strings.Contains(text, "The old data stays") {
		t.Errorf("what is no bundle: %q", text)
	}
	file := webtest.Value[string](x, `fetch('/bundle').then((r) => r.arrayBuffer()).then((b) => btoa(String.fromCharCode(...new Uint8Array(b))))`)
	data, err := base64.StdEncoding.DecodeString(file)
	if err != nil {
		t.Fatal(err)
	}
	chosen(t, x, "[data-bundle-file]", "bundle.kpb", data)
	x.Wait(`document.querySelector('[data-updated]').textContent !== '' && document.querySelector('[data-problem]').hidden`)
	if !webtest.Value[bool](x, `document.querySelector('[data-anchor-changed]').hidden`) {
		t.Error("another anchor is offered")
	}

	// As if the device had met the service when it had another anchor.
	webtest.Value[bool](x, `(async () => {
		for (const { name } of await indexedDB.databases()) {
			const db = await new Promise((done) => { const r = indexedDB.open(name); r.onsuccess = () => done(r.result) })
			for (const store of db.objectStoreNames) {
				const tx = db.transaction(store, 'readwrite')
				const ended = new Promise((done) => { tx.oncomplete = done })
				const cursor = tx.objectStore(store).openCursor()
				cursor.onsuccess = () => {
					const at = cursor.result
					if (!at) return
					if (at.key === 'anchor') at.update({ ...at.value, file: at.value.file + '\n' })
					at.continue()
				}
				await ended
			}
			db.close()
		}
		return true
	})()`)
	x.Go(s.Verifier.Base + "/app/device")
	x.See("[data-anchor-changed]")
	x.Look("border another anchor")
	if text := x.Text("[data-anchor-offered]"); len(text) < 20 {
		t.Errorf("fingerprints that are offered: %q", text)
	}
	x.Click("[data-anchor-accept]")
	x.Wait(`document.querySelector('[data-anchor-changed]').hidden && document.querySelector('[data-updated]').textContent !== ''`)
	x.Wait(`document.querySelectorAll('[data-bundle-facts] dd').length > 1`)
	x.Go(s.Verifier.Base + "/app/")
	ready(t, x)
	types(t, x, shown(t, s, 0))
	if colour, codes := decided(t, x); colour != "green" {
		t.Errorf("with the new anchor: %s %s", colour, codes)
	}
}
