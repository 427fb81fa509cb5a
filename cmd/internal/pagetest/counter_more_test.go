package pagetest

import (
	"bytes"
	"encoding/base64"
	"image/png"
	"strings"
	"testing"

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

// TestCounterKeepsThePost: what an officer set up is there after a reload, a code
// comes from a picture and as text, and nothing that names anybody stays on the
// device in the clear.
func TestCounterKeepsThePost(t *testing.T) {
	chromium, s := webtest.Open(t), stand(t)
	if err := s.Family(t.Context()); err != nil {
		t.Fatal(err)
	}
	x := chromium.Tab(t, webtest.Desktop, "en")
	counter(t, x, s)
	x.Go(s.Verifier.Base + "/app/")
	ready(t, x)
	x.See("[data-view=scan]")
	if where := x.Text("[data-where]"); !strings.Contains(where, "Gate 4") || !strings.Contains(where, "Nepal") {
		t.Errorf("the post after a reload: %q", where)
	}
	var picture bytes.Buffer
	if err := png.Encode(&picture, drawn(t, shown(t, s, 0))); err != nil {
		t.Fatal(err)
	}
	chosen(t, x, "[data-picture]", "code.png", picture.Bytes())
	turns(t, x, "green")
	name := strings.Fields(x.Text("[data-child-name]"))[0]
	types(t, x, "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\nL898902C36UTO7408122F1204159ZE184226B<<<<<10")
	turns(t, x, "red")
	x.Click("[data-override]")
	x.See("[data-view=override]")
	x.Click("#act-2")
	x.Type("#reason", "The lines of the passport are scratched.")
	x.Cut(true) // it stays on the device until there is a network
	x.Click("[data-override-form] [type=submit]")
	x.See("[data-overridden]")
	x.Click("[data-done]")
	x.See("[data-view=scan]")

	x.Click("[data-view=scan] .post-scan__other details summary")
	x.Type("#text", "KP1:NOTHING")
	x.Click("[data-typed] [type=submit]")
	turns(t, x, "amber")
	x.Click("[data-done]")
	x.See("[data-view=scan]")

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
	})()`); strings.Contains(left, "scratched") || strings.Contains(left, strings.Trim(name, ",")) || strings.Contains(left, "ERIKSSON") {
		t.Error("something of the travellers stays readable on the device")
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
