package webtest

import (
	"context"
	"fmt"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// Budget is what a page may weigh on its way to the browser, in bytes, without
// pictures and WebAssembly: a minute on the slowest network that is still sold,
// and seconds on most.
const Budget = 300_000

// Weight is how heavy a page is and how long it took. Sizes are of bodies as
// they travel.
type Weight struct {
	Page     int     `json:"page"`     // the document alone
	Whole    int     `json:"whole"`    // with styles, scripts and what these fetched, but pictures and WebAssembly
	Pictures int     `json:"pictures"` //
	Wasm     int     `json:"wasm"`     // WebAssembly
	Files    int     `json:"files"`    // how many there are beside the document
	Paint    float64 `json:"paint"`    // milliseconds until something was to be seen
	Ready    float64 `json:"ready"`    // milliseconds until its scripts had run
	Kept     bool    `json:"kept"`     // by a service worker, which keeps files unpacked: the sizes are not those of the way
}

// weighing adds up what the page before us consists of. A file that was kept
// counts as if it had come now.
const weighing = `(() => {
	const [page] = performance.getEntriesByType('navigation')
	const paint = performance.getEntriesByName('first-contentful-paint')[0]
	const w = { page: page.encodedBodySize, whole: page.encodedBodySize, pictures: 0, wasm: 0, files: 0, paint: paint ? paint.startTime : 0, ready: page.domContentLoadedEventEnd, kept: Boolean(navigator.serviceWorker?.controller) }
	for (const f of performance.getEntriesByType('resource')) {
		const path = new URL(f.name).pathname
		w.files++
		if (/\.wasm(\.gz)?$/.test(path)) w.wasm += f.encodedBodySize
		else if (f.initiatorType === 'img' || /\.(svg|png|jpg)$/.test(path)) w.pictures += f.encodedBodySize
		else w.whole += f.encodedBodySize
	}
	return w
})()`

// Weigh gives the weight of the page that is open.
func (x *Tab) Weigh() Weight {
	x.t.Helper()
	return Value[Weight](x, weighing)
}

// WithoutWorkers has the tab ask the service for everything, past service
// workers, which keep files unpacked.
func (x *Tab) WithoutWorkers() {
	x.t.Helper()
	x.Do(chromedp.Func(func(ctx context.Context, to *chromedp.Target) error {
		_, err := cdp.Call(ctx, to, network.SetBypassServiceWorker, network.SetBypassServiceWorkerParams{Bypass: true})
		return err
	}))
}

// tooHeavy says that a page is over the budget, "" if it is not.
func (w Weight) tooHeavy() string {
	if w.Whole <= Budget || w.Kept {
		return ""
	}
	return fmt.Sprintf("weighs %d bytes without pictures and WebAssembly, more than %d", w.Whole, Budget)
}
