// Package webtest drives the pages in a real Chromium: as a phone and as a
// desktop, with a passkey device of its own, and looks at every page as
// somebody who cannot see it would (axe-core).
//
// Chromium is taken from $KINPASS_CHROMIUM or from where Debian puts it; test.sh
// installs it. Without it those tests are skipped, or fail when
// KINPASS_REQUIRE_BROWSER=1. Pictures of all pages go to the directory
// $KINPASS_SCREENSHOTS; without it only those of pages that fail are taken, into
// kinpass-screenshots in the directory for temporary files.
package webtest

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
)

// axe is axe-core 4.14.1 of npm, under the Mozilla Public License 2.0. It is in
// no binary: only tests import this package.
//
//go:embed axe.min.js
var axe string

// pictures names the directory for pictures of all pages.
const pictures = "KINPASS_SCREENSHOTS"

// Size is a screen.
type Size struct {
	Name          string
	Width, Height int64
	Mobile        bool
}

// Sizes that every page is looked at in.
var (
	Phone   = Size{"phone", 390, 844, true}
	Desktop = Size{"desktop", 1280, 900, false}
)

// dots says how many dots of the screen make one of the page.
func (s Size) dots() float64 {
	if s.Mobile {
		return 2
	}
	return 1
}

// find gives the browser's program, or skips the test.
func find(t testing.TB) string {
	t.Helper()
	for _, name := range []string{os.Getenv("KINPASS_CHROMIUM"), "chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); name != "" && err == nil {
			return p
		}
	}
	if os.Getenv("KINPASS_REQUIRE_BROWSER") == "1" {
		t.Fatal("there is no Chromium")
	}
	t.Skip("no Chromium: install it (apt-get install chromium), or run ./test.sh")
	return ""
}

// Browser is a running Chromium.
type Browser struct {
	t   testing.TB
	ctx context.Context
}

// shared is the browser that the tests of a package have in common.
var shared struct {
	sync.Mutex
	wanted bool
	ctx    context.Context
	end    func()
}

// Main runs the tests of a package with one Chromium for all of them that need
// none of their own, and gives the status to exit with: starting one takes longer
// than most of what is then done in it. It is for TestMain. Tabs share nothing,
// whichever browser they are in.
func Main(m *testing.M) int {
	shared.wanted = true
	defer func() {
		if shared.end != nil {
			shared.end()
		}
	}()
	return m.Run()
}

// Open gives a Chromium: that of Main if the package has one, and with more
// flags, of the form "name" or "name=value", one that ends with the test.
func Open(t testing.TB, flags ...string) *Browser {
	t.Helper()
	program := find(t)
	shared.Lock()
	defer shared.Unlock()
	if len(flags) > 0 || !shared.wanted {
		ctx, end, err := start(program, flags)
		if err != nil {
			t.Fatal("Chromium does not start: ", err)
		}
		t.Cleanup(end)
		return &Browser{t, ctx}
	}
	if shared.ctx != nil && shared.ctx.Err() != nil { // it broke down
		shared.end()
		shared.ctx, shared.end = nil, nil
	}
	if shared.ctx == nil {
		ctx, end, err := start(program, nil)
		if err != nil {
			t.Fatal("Chromium does not start: ", err)
		}
		shared.ctx, shared.end = ctx, end
	}
	return &Browser{t, shared.ctx}
}

// start starts a Chromium that runs until end is called.
func start(program string, flags []string) (ctx context.Context, end func(), err error) {
	dir, err := os.MkdirTemp("", "kinpass-chromium-")
	if err != nil {
		return nil, nil, err
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program), chromedp.UserDataDir(dir),
		chromedp.DisableGPU, chromedp.Flag("hide-scrollbars", true),
		// A process less that starts, and none that waits for a page that may come.
		chromedp.Flag("in-process-gpu", true),
		chromedp.Flag("disable-features", "Translate,BlinkGenPropertyTrees,SpareRendererForSitePerProcess,MediaRouter,OptimizationHints"))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // it refuses root otherwise
	}
	for _, f := range flags {
		name, value, ok := strings.Cut(f, "=")
		if ok {
			options = append(options, chromedp.Flag(name, value))
		} else {
			options = append(options, chromedp.Flag(name, true))
		}
	}
	outer, endOuter := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, endInner := chromedp.NewContext(outer)
	end = func() {
		endInner()
		endOuter()
		os.RemoveAll(dir)
	}
	if err := chromedp.Do(ctx); err != nil {
		end()
		return nil, nil, err
	}
	return ctx, end, nil
}

// Tab is a page in a browser of its own: it shares no cookies with others.
type Tab struct {
	t    testing.TB
	ctx  context.Context
	size Size
	lang string

	mu     sync.Mutex
	asked  []string // addresses
	broken []string // what went wrong in scripts and policies
}

// Tab opens a page of a size in a language. It has a passkey device that
// confirms everything.
func (b *Browser) Tab(t testing.TB, size Size, lang string) *Tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 10*time.Minute)
	t.Cleanup(cancel)
	x := &Tab{t: t, ctx: ctx, size: size, lang: lang}
	if err := chromedp.Listen(ctx, x.hear); err != nil {
		t.Fatal(err)
	}
	x.Do(chromedp.Func(func(ctx context.Context, to *chromedp.Target) error {
		_, err := cdp.Call(ctx, to, network.Enable, network.EnableParams{})
		if err == nil {
			_, err = cdp.Call(ctx, to, runtime.Enable, cdp.Empty{})
		}
		if err == nil {
			_, err = cdp.Call(ctx, to, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: network.Headers{"Accept-Language": lang}})
		}
		if err == nil {
			_, err = cdp.Call(ctx, to, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: size.Width, Height: size.Height, DeviceScaleFactor: size.dots(), Mobile: size.Mobile})
		}
		if err == nil {
			_, err = cdp.Call(ctx, to, webauthn.Enable, webauthn.EnableParams{})
		}
		if err == nil {
			_, err = cdp.Call(ctx, to, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
				Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal,
				HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
			}})
		}
		if err == nil {
			// What the policy of a page keeps from happening is a mistake in the page.
			_, err = cdp.Call(ctx, to, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: `addEventListener('securitypolicyviolation', (e) => console.error('policy: ' + e.violatedDirective + ' ' + e.blockedURI + ' ' + e.sourceFile + ' ' + e.lineNumber))`})
		}
		return err
	}))
	return x
}

func (x *Tab) hear(event any) {
	x.mu.Lock()
	defer x.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		x.asked = append(x.asked, e.Request.URL)
	case *runtime.EventExceptionThrown:
		x.broken = append(x.broken, "exception: "+(&chromedp.ExceptionError{ExceptionDetails: e.ExceptionDetails}).Error())
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError {
			for _, a := range e.Args {
				x.broken = append(x.broken, "console: "+string(a.Value))
			}
		}
	}
}

// Do does something in the page and fails the test when it does not work, with a
// picture of how the page looks then.
func (x *Tab) Do(actions ...chromedp.Action[chromedp.Void]) {
	x.t.Helper()
	ctx, cancel := context.WithTimeout(x.ctx, 40*time.Second)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		x.t.Fatalf("%v (see %s)", err, x.picture("failed"))
	}
}

// Value gives what an expression of JavaScript, or the promise that it gives,
// comes to in the page.
func Value[T any](x *Tab, expression string) T {
	x.t.Helper()
	ctx, cancel := context.WithTimeout(x.ctx, 40*time.Second)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		x.t.Fatalf("%v (see %s)", err, x.picture("failed"))
	}
	return v
}

// Wait asks until an expression is true. A page that is just being left answers
// with an error, which is no answer.
func (x *Tab) Wait(expression string) {
	x.t.Helper()
	for end := time.Now().Add(40 * time.Second); time.Now().Before(end); time.Sleep(25 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(x.ctx, 10*time.Second)
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool](expression))
		cancel()
		if err == nil && ok {
			return
		}
	}
	x.t.Fatalf("it did not come to %s (see %s)", expression, x.picture("failed"))
}

const ready = `document.readyState === 'complete' && document.body !== null && document.body.classList.contains('govuk-frontend-supported')`

// Go opens an address and waits until the page's script has run. Another
// fragment of the same page is opened anew, too.
func (x *Tab) Go(address string) {
	x.t.Helper()
	if strings.Contains(address, "#") {
		x.Do(chromedp.Navigate("about:blank"))
	}
	x.Do(chromedp.Navigate(address))
	x.Wait(ready)
}

// Click clicks what the selector finds.
func (x *Tab) Click(selector string) {
	x.t.Helper()
	x.Do(chromedp.Click(chromedp.CSS(selector)))
}

// Press clicks what the selector finds and waits for the page that follows.
func (x *Tab) Press(selector string) {
	x.t.Helper()
	Value[bool](x, `window.before = true`)
	x.Click(selector)
	x.Wait(`!window.before && ` + ready)
}

// Type types into what the selector finds.
func (x *Tab) Type(selector, text string) {
	x.t.Helper()
	x.Do(chromedp.SendKeys(chromedp.CSS(selector), text))
}

// Fill puts a value into a field or a select in place of what is there.
func (x *Tab) Fill(selector, value string) {
	x.t.Helper()
	args, err := json.Marshal([]string{selector, value})
	if err != nil {
		x.t.Fatal(err)
	}
	Value[bool](x, `((selector, value) => {
		const e = document.querySelector(selector)
		e.value = value
		e.dispatchEvent(new Event('input', { bubbles: true }))
		e.dispatchEvent(new Event('change', { bubbles: true }))
		return true
	})(...`+string(args)+`)`)
}

// Await waits until an expression of JavaScript is true in the page, whichever
// page that is by then.
func (x *Tab) Await(expression string) {
	x.t.Helper()
	x.Wait(ready + ` && (` + expression + `)`)
}

// See waits until what the selector finds can be seen.
func (x *Tab) See(selector string) {
	x.t.Helper()
	x.Do(chromedp.WaitVisible(chromedp.CSS(selector)))
}

// Text gives the text of what the selector finds.
func (x *Tab) Text(selector string) string {
	x.t.Helper()
	quoted, err := json.Marshal(selector)
	if err != nil {
		x.t.Fatal(err)
	}
	return Value[string](x, `document.querySelector(`+string(quoted)+`).innerText`)
}

// Cookie gives the tab a cookie of a service.
func (x *Tab) Cookie(base, name, value string) {
	x.t.Helper()
	unread := true
	x.Do(chromedp.Func(func(ctx context.Context, to *chromedp.Target) error {
		_, err := cdp.Call(ctx, to, network.SetCookie, network.SetCookieParams{Name: name, Value: value, URL: base + "/", HTTPOnly: &unread, SameSite: network.CookieSameSiteLax})
		return err
	}))
}

// offline is a command that the library knows by a newer name only, which not
// every Chromium has.
var offline = cdp.Command[offlineParams, cdp.Empty]{Method: "Network.emulateNetworkConditions"}

type offlineParams struct {
	Offline  bool    `json:"offline"`
	Latency  float64 `json:"latency"`
	Download float64 `json:"downloadThroughput"`
	Upload   float64 `json:"uploadThroughput"`
}

// Cut cuts the page's network, or gives it back.
func (x *Tab) Cut(cut bool) {
	x.t.Helper()
	x.Do(chromedp.Func(func(ctx context.Context, to *chromedp.Target) error {
		_, err := cdp.Call(ctx, to, offline, offlineParams{Offline: cut, Download: -1, Upload: -1})
		return err
	}))
}

// Path gives the path and fragment of the page's address.
func (x *Tab) Path() string {
	x.t.Helper()
	return Value[string](x, `location.pathname + location.hash`)
}

// finding is what axe-core found.
type finding struct {
	ID, Impact, Help string
	Nodes            []struct{ HTML string }
}

// Look fails the test for what keeps people from using the page, with a picture
// of it. Where pictures are wanted ($KINPASS_SCREENSHOTS) it takes one anyway.
func (x *Tab) Look(name string) {
	x.t.Helper()
	file := ""
	if os.Getenv(pictures) != "" {
		file = x.picture(name)
	}
	for _, f := range x.Findings() {
		if file == "" {
			file = x.picture(name)
		}
		x.t.Errorf("%s: %s\n  see %s", name, f, file)
	}
}

// Findings lists what keeps people from using the page: serious findings of
// axe-core, a page wider than the screen, heavier than Budget or in another
// language than was asked for, and what Broken lists.
func (x *Tab) Findings() []string {
	x.t.Helper()
	var out []string
	type looks struct {
		Findings  []finding
		Wide      bool
		Lang, Dir string
	}
	if !Value[bool](x, `typeof axe !== 'undefined'`) {
		Value[int](x, axe+`; 0`)
	}
	found := Value[looks](x, `(async () => {
		const r = await axe.run(document, { resultTypes: ['violations'], selectors: false, runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })
		return {
			findings: r.violations.map((v) => ({ id: v.id, impact: v.impact, help: v.help, nodes: v.nodes.map((n) => ({ html: n.html })) })),
			wide: document.documentElement.scrollWidth > document.documentElement.clientWidth,
			lang: document.documentElement.lang, dir: document.documentElement.dir
		}
	})()`)
	for _, f := range found.Findings {
		text := fmt.Sprintf("axe %s (%s): %s", f.ID, f.Impact, f.Help)
		for _, n := range f.Nodes {
			text += "\n    " + n.HTML
		}
		if f.Impact == "serious" || f.Impact == "critical" {
			out = append(out, text)
		} else {
			x.t.Log(text)
		}
	}
	if found.Wide {
		out = append(out, "wider than the screen")
	}
	if found.Lang != x.lang || (found.Dir == "rtl") != (x.lang == "ar") {
		out = append(out, fmt.Sprintf("in %q, written %q", found.Lang, found.Dir))
	}
	if heavy := x.Weigh().tooHeavy(); heavy != "" {
		out = append(out, heavy)
	}
	return append(out, x.Broken()...)
}

// Broken lists what went wrong unseen since it was asked last: a script that
// broke, something that the page's policy stopped, a request to another origin.
func (x *Tab) Broken() []string {
	x.t.Helper()
	origin := Value[string](x, `location.origin`)
	x.mu.Lock()
	defer x.mu.Unlock()
	out := x.broken
	for _, a := range x.asked {
		u, err := url.Parse(a)
		if err != nil || u.Scheme+"://"+u.Host != origin && u.Scheme != "blob" && u.Scheme != "data" && a != "about:blank" {
			out = append(out, "a request to "+a)
		}
	}
	x.broken, x.asked = nil, nil
	return out
}

// Asked gives the addresses that were asked since the last look.
func (x *Tab) Asked() []string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return append([]string(nil), x.asked...)
}

// Photo takes a picture of what the selector finds, as a camera in front of the
// screen would, and gives the PNG.
func (x *Tab) Photo(selector string) []byte {
	x.t.Helper()
	ctx, cancel := context.WithTimeout(x.ctx, 30*time.Second)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.Screenshot(chromedp.CSS(selector)))
	if err != nil {
		x.t.Fatalf("%v (see %s)", err, x.picture("failed"))
	}
	return png
}

// PDF prints the page on A4 as the browser does and gives the document, which it
// saves beside the pictures.
func (x *Tab) PDF(name string) []byte {
	x.t.Helper()
	ctx, cancel := context.WithTimeout(x.ctx, 30*time.Second)
	defer cancel()
	css := true
	pdf, err := chromedp.Run(ctx, chromedp.Action[[]byte](func(ctx context.Context, to *chromedp.Target) ([]byte, error) {
		out, err := cdp.Call(ctx, to, page.PrintToPDF, page.PrintToPDFParams{PaperWidth: 8.27, PaperHeight: 11.69, PreferCSSPageSize: &css})
		return out.Data, err
	}))
	if err == nil {
		_, err = x.save(name, ".pdf", pdf)
	}
	if err != nil {
		x.t.Fatal(err)
	}
	return pdf
}

// Print takes a picture of the page as it goes to a printer that takes A4.
func (x *Tab) Print(name string) {
	x.t.Helper()
	media := func(media string, size Size) chromedp.Action[chromedp.Void] {
		return chromedp.Func(func(ctx context.Context, to *chromedp.Target) error {
			_, err := cdp.Call(ctx, to, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: media})
			if err == nil {
				_, err = cdp.Call(ctx, to, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: size.Width, Height: size.Height, DeviceScaleFactor: 2, Mobile: size.Mobile})
			}
			return err
		})
	}
	x.Do(media("print", Size{Width: 703, Height: 1032}))
	x.picture(name + " on paper")
	x.Do(media("", x.size))
}

// picture saves how the page looks, as long as it is, and gives the file.
func (x *Tab) picture(name string) string {
	x.t.Helper()
	ctx, cancel := context.WithTimeout(x.ctx, 30*time.Second)
	defer cancel()
	var file string
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err == nil {
		file, err = x.save(name, ".png", png)
	}
	if err != nil {
		x.t.Log("no picture: ", err)
	}
	return file
}

// Offline tells the page that the device has a network, or has none. It cuts
// nothing: the test does.
func (x *Tab) Offline(is bool) {
	x.t.Helper()
	x.Do(chromedp.Func(func(ctx context.Context, to *chromedp.Target) error {
		_, err := cdp.Call(ctx, to, network.OverrideNetworkState, network.OverrideNetworkStateParams{Offline: is, DownloadThroughput: -1, UploadThroughput: -1})
		return err
	}))
}

// save writes a file into the folder of pictures and gives its name.
func (x *Tab) save(name, ending string, data []byte) (string, error) {
	dir := os.Getenv(pictures)
	if dir == "" {
		dir = filepath.Join(os.TempDir(), "kinpass-screenshots")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	file := filepath.Join(dir, fmt.Sprintf("%s-%s-%s%s", strings.NewReplacer("/", "-", " ", "-").Replace(name), x.size.Name, x.lang, ending))
	return file, os.WriteFile(file, data, 0o644)
}
