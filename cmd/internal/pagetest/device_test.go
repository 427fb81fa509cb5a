package pagetest

import (
	"encoding/base64"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/api"
	"github.com/kinpass/kinpass/internal/account"
	"github.com/kinpass/kinpass/web/webtest"
)

// TestBundleFromAFile: a device without a network takes newer border data from a
// file, and neither damaged nor older data, which it says.
func TestBundleFromAFile(t *testing.T) {
	chromium, s := webtest.Open(t), stand(t)
	officer := &api.Client{Base: s.Verifier.Base, Token: s.Officer}
	build := func() {
		t.Helper()
		if err := officer.Do(t.Context(), "POST", "/verifier/bundles", nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	file := func() []byte {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), "GET", s.Verifier.Base+"/bundle", nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		b, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode != http.StatusOK {
			t.Fatal(answer.Status, err)
		}
		return b
	}
	build()
	older := file()
	time.Sleep(1100 * time.Millisecond) // the data says its time in seconds
	build()
	x := chromium.Tab(t, webtest.Phone, "en")
	enter(t, x, s.Verifier, account.Guest{Role: "officer", Name: "Omar Officer"})
	x.Go(s.Verifier.Base + "/app/device")
	const number = `document.querySelector('[data-bundle-facts] div:nth-child(3) dd').textContent`
	x.See("[data-bundle-facts] div:nth-child(3)")
	first := webtest.Value[string](x, number)
	// Each office's lists, and how old they are.
	offices := webtest.Value[[]string](x, `[...document.querySelectorAll('[data-offices] tr')].map((r) => r.textContent)`)
	if len(offices) == 0 || !strings.Contains(offices[0], "In order") {
		t.Errorf("the offices: %q", offices)
	}
	// What the data says of an office is said as it is now.
	states := webtest.Value[[]string](x, `import(document.querySelector('script[src$="border/device.js"]').src.replace('device.js', 'post.js')).then(({ stateOf }) => {
		const at = (hours) => new Date(Date.now() + hours * 3600e3).toISOString()
		return [{ oldestList: at(-1), lapses: at(1) }, { oldestList: at(-1), lapses: at(-1) }, { oldestList: at(-1), suspended: true }, { oldestList: at(-1), takesBack: true },
			{ oldestList: at(-1), keyWithdrawn: true }, {}, { oldestList: at(-25) }].map((o) => stateOf(o).join(' '))
	})`)
	if got, want := strings.Join(states, ", "), "good green, lapsed red, suspended red, takes-back red, cut yellow, none grey, old yellow"; got != want {
		t.Errorf("the states of offices: %s, want %s", got, want)
	}
	// Two days without a network: the age is in view, and says that it is too high.
	later(x, 48*time.Hour)
	x.Await(`document.querySelector('[data-bundle]').dataset.bundle === 'old'`)
	if text := x.Text("[data-bundle]"); !strings.Contains(text, "2 days") {
		t.Errorf("the age in view is %q", text)
	}

	choose := func(b []byte) {
		t.Helper()
		x.See("#bundle")
		webtest.Value[bool](x, `(async () => {
			const bytes = Uint8Array.from(atob(`+quoted(t, base64.StdEncoding.EncodeToString(b))+`), (c) => c.charCodeAt(0))
			const files = new DataTransfer(), field = document.querySelector('#bundle')
			files.items.add(new File([bytes], 'bundle.kpb'))
			field.files = files.files
			return field.dispatchEvent(new Event('change', { bubbles: true }))
		})()`)
	}
	refused := func(name string, b []byte, want string) {
		t.Helper()
		choose(b)
		x.See("[data-problem]")
		x.Await(`document.querySelector('[data-problem-text]').textContent.includes(` + quoted(t, want) + `)`)
		if now := webtest.Value[string](x, number); now != first {
			t.Errorf("%s data is in force: %s after %s", name, now, first)
		}
	}
	damaged := append([]byte(nil), older...)
	damaged[len(damaged)/2] ^= 1
	refused("damaged", damaged, "no border data that can be trusted")
	atTop(x, "border device damaged")
	refused("older", older, "older than what this device has")
	refused("other", []byte("nothing of use"), "no border data that can be trusted")

	time.Sleep(1100 * time.Millisecond)
	build()
	later(x, 0)
	choose(file())
	x.Await(`document.querySelector('[data-updated]').textContent.includes('Updated') && document.querySelector('[data-bundle]').dataset.bundle === 'good'`)
	if now := webtest.Value[string](x, number); now == first {
		t.Errorf("newer data is not in force: %s", now)
	}
	if webtest.Value[bool](x, `!document.querySelector('[data-problem]').hidden`) {
		t.Error("the problem stays: " + x.Text("[data-problem]"))
	}
	// Taking the same file again changes nothing and is no fault.
	choose(file())
	x.Await(`document.querySelector('[data-updated]').textContent.includes('newest')`)
	atTop(x, "border device file")
	for _, b := range x.Broken() {
		t.Error(b)
	}
}

// later sets the page's clock ahead of the true time.
func later(x *webtest.Tab, by time.Duration) {
	webtest.Value[bool](x, `(() => {
		window.clock = window.clock ?? Date.now.bind(Date)
		Date.now = () => clock() + `+strconv.FormatInt(by.Milliseconds(), 10)+`
		return dispatchEvent(new Event('offline')) // the age is written anew
	})()`)
}
