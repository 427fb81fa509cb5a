package pagetest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/kinpass/kinpass/api"
	"github.com/kinpass/kinpass/cmd/internal/cli"
	"github.com/kinpass/kinpass/internal/account"
	"github.com/kinpass/kinpass/web/webtest"
)

// engine makes the engine of the officer's app known to the page as "engine" and
// gives its status once it can decide.
const engine = `(async () => {
	const base = document.querySelector('link[href*="/app/static/"]').href.match(/.*\/app\/static\/[^/]+\//)[0]
	window.engine = await import(base + 'border/engine.js')
	await window.engine.start()
	return window.engine.status()
})()`

type engineStatus struct {
	Ready, Online bool
	WasmMs        float64
	CheckMs       float64
	Problem       *struct{ Code string }
	Bundle        *struct {
		ID         string
		AgeSeconds float64
	}
}

// decide has the page's engine decide about a code and gives the JSON that it
// answers.
func decide(t *testing.T, x *webtest.Tab, code, facts string) map[string]any {
	return webtest.Value[map[string]any](x, fmt.Sprintf(`engine.check({presentations: [%s], facts: %s}).catch((e) => ({colour: 'none', code: e.code, message: e.message}))`, quoted(t, code), facts))
}

// TestEngineDecides: the check in the officer's browser decides as the service
// does, and the post remembers what it saw.
func TestEngineDecides(t *testing.T) {
	chromium, s := webtest.Open(t), stand(t)
	if err := s.Family(t.Context()); err != nil {
		t.Fatal(err)
	}
	officer := &api.Client{Base: s.Verifier.Base, Token: s.Officer}
	if err := officer.Do(t.Context(), "POST", "/verifier/bundles", nil, nil); err != nil {
		t.Fatal(err)
	}
	x := chromium.Tab(t, webtest.Phone, "en")
	enter(t, x, s.Verifier, account.Guest{Role: "officer", Name: "Omar Officer"})
	if st := webtest.Value[engineStatus](x, engine); !st.Ready || st.Bundle == nil || st.Bundle.ID == "" {
		t.Fatalf("%+v", st)
	}
	code := shown(t, s, 0)
	d := decide(t, x, code, `{confirm: ['portrait', 'document'], session: 'one'}`)
	var want map[string]any
	if err := officer.Do(t.Context(), "POST", "/checks", map[string]any{"presentation": code, "confirm": []string{"portrait", "document"}, "session": "one"}, &want); err != nil {
		t.Fatal(err)
	}
	if d["colour"] != "green" || want["colour"] != "green" || d["session"] != "one" {
		t.Fatalf("in the browser %v, by the service %v", d, want)
	}
	for name := range want {
		if _, there := d[name]; !there {
			t.Errorf("the browser does not say %s", name)
		}
	}
	// The same code at the same counter, and then with somebody else.
	if d := decide(t, x, code, `{session: 'one'}`); d["colour"] != "green" {
		t.Errorf("again at the same counter: %v", d)
	}
	if d := decide(t, x, code, `{session: 'two'}`); d["colour"] != "amber" {
		t.Errorf("with somebody else: %v", d)
	}
	// Another page of the app knows of it, too; so does this one later.
	x.Go(s.Verifier.Base + "/app/account")
	webtest.Value[engineStatus](x, engine)
	if d := decide(t, x, code, `{session: 'three'}`); d["colour"] != "amber" {
		t.Errorf("after a reload: %v", d)
	}
	// What is refused is refused in the API's words.
	if d := decide(t, x, code, `{exit: 'Nepal'}`); d["code"] != "facts-invalid" {
		t.Errorf("a country of five letters: %v", d)
	}
	// Bundles from a file: the one in force, and what is none.
	if again := webtest.Value[bool](x, `fetch('/bundle').then((r) => r.arrayBuffer()).then(engine.loadBundle).then((i) => i.new === false)`); !again {
		t.Error("the bundle in force is taken for a new one")
	}
	if code := webtest.Value[string](x, `engine.loadBundle(new Blob(['no bundle'])).then(() => '', (e) => e.code)`); code != "bundle-invalid" {
		t.Errorf("what is no bundle: %q", code)
	}
	// A newer one comes as what changed.
	if err := officer.Do(t.Context(), "POST", "/verifier/bundles", nil, nil); err != nil {
		t.Fatal(err)
	}
	type transfer struct {
		How       string
		Bytes, Of int64
	}
	if c := webtest.Value[transfer](x, `engine.updateBundle().then(() => engine.status().transfer)`); c.How != "delta" || c.Bytes == 0 || 2*c.Bytes > c.Of {
		t.Errorf("a newer bundle came as %+v", c)
	}
	if c := webtest.Value[transfer](x, `engine.updateBundle().then(() => engine.status().transfer)`); c.How != "unchanged" {
		t.Errorf("the same bundle came as %+v", c)
	}
	if !webtest.Value[bool](x, `engine.status().ready && engine.anchorInfo().fingerprints.length === 1 && engine.anchorInfo().changed === false`) {
		t.Error("not ready, or no anchor")
	}
	// A record has no name.
	type record struct {
		Key          int
		Colour       string
		Child, Lines any
	}
	webtest.Value[int](x, `engine.saveRecord({colour: 'green', codes: ['OK'], child: {names: ['A']}, lines: ['B']})`)
	if r := webtest.Value[[]record](x, `engine.records()`); len(r) != 1 || r[0].Key == 0 || r[0].Colour != "green" || r[0].Child != nil || r[0].Lines != nil {
		t.Errorf("records: %+v", r)
	}
	if b := x.Broken(); len(b) > 0 {
		t.Error(b)
	}
}

// slowdown says how many times longer than alone something takes on this
// machine now, because other tests run beside it.
func slowdown() float64 {
	var before, after syscall.Rusage
	began := time.Now()
	if syscall.Getrusage(syscall.RUSAGE_SELF, &before) != nil {
		return 1
	}
	for n := 0; time.Since(began) < 200*time.Millisecond; n++ {
		_ = sha256.Sum256([]byte{byte(n)})
	}
	took := time.Since(began)
	if syscall.Getrusage(syscall.RUSAGE_SELF, &after) != nil {
		return 1
	}
	ran := time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano())
	return max(1, float64(took)/float64(max(ran, time.Millisecond)))
}

// TestAeroplaneMode: the officer's app works with the network cut, after a
// reload, too; and the first decision of an app that was just opened takes no
// longer than two seconds.
func TestAeroplaneMode(t *testing.T) {
	chromium := webtest.Open(t)
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	s, stop, err := cli.NewStand(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	cut := sync.OnceFunc(stop)
	t.Cleanup(cut)
	if err := s.Family(t.Context()); err != nil {
		t.Fatal(err)
	}
	officer := &api.Client{Base: s.Verifier.Base, Token: s.Officer}
	if err := officer.Do(t.Context(), "POST", "/verifier/bundles", nil, nil); err != nil {
		t.Fatal(err)
	}
	x := chromium.Tab(t, webtest.Phone, "en")
	enter(t, x, s.Verifier, account.Guest{Role: "officer", Name: "Omar Officer"})
	webtest.Value[bool](x, `navigator.serviceWorker.ready.then(() => true)`)
	webtest.Value[engineStatus](x, engine)
	code := shown(t, s, 0)

	cut()
	x.Offline(true)
	before := webtest.Value[string](x, `document.querySelector('h1').innerText`)
	const budget = 2000.0
	best := 1e9
	for i := range 5 {
		busy := slowdown()
		x.Go(s.Verifier.Base + "/app/")
		if now := webtest.Value[string](x, `document.querySelector('h1').innerText`); now != before {
			t.Fatalf("without a network %q, before %q", now, before)
		}
		first := webtest.Value[struct {
			Status engineStatus
			Colour string
		}](x, `(async () => {
			const began = performance.now()
			const status = await `+engine+`
			const d = await engine.check({presentations: [`+quoted(t, code)+`], facts: {confirm: ['portrait', 'document'], session: 'one'}})
			window.took = performance.now() - began
			return {status, colour: d.colour}
		})()`)
		if st := first.Status; !st.Ready || st.Bundle == nil || first.Colour != "green" {
			t.Fatalf("%+v", first)
		}
		took := webtest.Value[float64](x, `performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd + window.took`)
		t.Logf("start %d: %.0f ms to the first decision, the check loaded in %.0f ms; everything takes %.1f times its time", i+1, took, first.Status.WasmMs, busy)
		if took/busy < best {
			best = took / busy
		}
		if code := webtest.Value[string](x, `engine.updateBundle().then(() => 'updated', (e) => e.code)`); code != "offline" {
			t.Fatalf("asking for a bundle: %s", code)
		}
		if st := webtest.Value[engineStatus](x, `engine.status()`); st.Online || !st.Ready {
			t.Fatalf("%+v", st)
		}
		if best <= budget && i > 0 {
			break
		}
	}
	if best > budget {
		t.Errorf("the first decision takes %.0f ms", best)
	}
	// A page that is not kept leads to the first one, not to the browser's error.
	x.Go(s.Verifier.Base + "/app/account")
	if x.Path() != "/app/" {
		t.Errorf("at %s", x.Path())
	}
	// What is kept is nobody's.
	if who := webtest.Value[string](x, `(async () => {
		let all = ''
		for (const name of await caches.keys()) for (const r of await (await caches.open(name)).matchAll())
			if ((r.headers.get('Content-Type') || '').startsWith('text/html')) all += await r.text()
		return all.includes('Omar') || /name="csrf" value="[^"]/.test(all) ? all : ''
	})()`); who != "" {
		t.Errorf("kept: %s", who)
	}
	if b := x.Broken(); len(b) > 0 {
		t.Log(b)
	}
}
