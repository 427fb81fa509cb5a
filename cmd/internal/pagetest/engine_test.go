package pagetest

import (
	"testing"

	"github.com/kinpass/kinpass/internal/account"
	"github.com/kinpass/kinpass/web/webtest"
)

// engine makes the engine of the officer's app known to the page as "engine".
const engine = `(async () => {
	const base = document.querySelector('link[href*="/app/static/"]').href.match(/.*\/app\/static\/[^/]+\//)[0]
	window.engine = await import(base + 'border/engine.js')
	await window.engine.start()
	return window.engine.status()
})()`

type engineStatus struct {
	Ready  bool
	WasmMs float64
	Bundle struct {
		ID         string
		AgeSeconds float64
	}
}

// TestEngineDecides: the check in the officer's browser decides as the service
// does.
func TestEngineDecides(t *testing.T) {
	chromium, s := webtest.Open(t), stand(t)
	if err := s.Family(t.Context()); err != nil {
		t.Fatal(err)
	}
	x := chromium.Tab(t, webtest.Phone, "en")
	join(t, x, s.Verifier, account.Guest{Role: "officer", Name: "Omar Officer"})
	st := webtest.Value[engineStatus](x, engine)
	if !st.Ready || st.Bundle.ID == "" {
		t.Fatalf("%+v", st)
	}
	t.Logf("%+v", st)
	d := webtest.Value[map[string]any](x, `engine.check({presentations: ['hello'], facts: {exit: 'NPL'}})`)
	t.Logf("%v", d)
	if b := x.Broken(); len(b) > 0 {
		t.Fatal(b)
	}
}
