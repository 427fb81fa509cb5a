package pagetest

import (
	"bytes"
	"image"
	"image/png"
	"strings"
	"testing"

	"github.com/kinpass/kinpass/internal/account"
	"github.com/kinpass/kinpass/web/webtest"
)

// held gives what a tab shows at the selector as somebody holds it before a
// camera.
func held(t *testing.T, x *webtest.Tab, selector string) image.Image {
	t.Helper()
	picture, err := png.Decode(bytes.NewReader(x.Photo(selector)))
	if err != nil {
		t.Fatal(err)
	}
	// As far away as it takes for the whole of it to be seen.
	const side = 640
	b := picture.Bounds()
	seen := image.NewGray(image.Rect(0, 0, side, side*b.Dy()/b.Dx()))
	for y := range seen.Rect.Dy() {
		for x := range side {
			seen.Set(x, y, picture.At(b.Min.X+x*b.Dx()/side, b.Min.Y+y*b.Dx()/side))
		}
	}
	return seen
}

// TestFromTheDeskToTheBorder is the whole way, through pages alone: a registrar
// registers a birth and the mother's mandate and puts the offer on the screen;
// the mother's phone reads it with its camera, takes the papers and shows the
// code; the officer's phone reads that with its camera, without a network, and
// says green. Then the mandate is ended by two, and the next code is red.
func TestFromTheDeskToTheBorder(t *testing.T) {
	camera := webtest.NewCamera(t)
	chromium, s := webtest.Open(t, camera.Flags()...), stand(t)

	desk := chromium.Tab(t, webtest.Desktop, "en")
	join(t, desk, s.Issuer, account.Guest{Role: "registrar", Name: "Rosa Registrar"})
	desk.Go(s.Issuer.Base + "/app/births/new?case=ordinary")
	newborn(desk, "Awa", "SL-2026-118")
	desk.Press(`main form button[type=submit]`)
	desk.Press(`form[action="/app/births"] button`)
	desk.Press(`a[href$="/guardian"]`)
	choose(desk, "who", "parent-0")
	desk.Press(`main form button[type=submit]`)
	choose(desk, "mode", "sole")
	desk.Press(`main form button[type=submit]`)
	desk.Press(`form[action$="/register"] button`)
	record := desk.Path()
	desk.Press(`form[action$="/offer"] button`)
	desk.See(".kp-qr svg")
	pin := webtest.Value[string](desk, `document.querySelector('[data-pin]').textContent`)

	camera.Show(held(t, desk, ".kp-qr"))
	phone := chromium.Tab(t, webtest.Phone, "fr")
	join(t, phone, s.Wallet, account.Guest{Role: "guardian"})
	phone.Go(s.Wallet.Base + "/app/add")
	phone.Click("[data-camera]")
	phone.Await(`document.querySelector('#offer').value !== ''`)
	phone.Type("#pin", pin)
	phone.Press("[data-add] button[type=submit]")
	if !strings.HasPrefix(phone.Path(), "/app/documents/") {
		t.Fatalf("the papers were not taken: at %s", phone.Path())
	}
	show := func() {
		t.Helper()
		phone.Go(s.Wallet.Base + "/app/")
		phone.Press(".kp-child .kp-big")
		phone.Click("[data-enlarge]")
		camera.Show(held(t, phone, ".kp-show__code svg"))
	}
	show()
	phone.Look("journey code")

	border := func() *webtest.Tab {
		t.Helper()
		x := chromium.Tab(t, webtest.Phone, "en")
		if _, err := s.Check.Build(t.Context()); err != nil {
			t.Fatal(err)
		}
		counter(t, x, s)
		x.Cut(true)
		x.Click("[data-start]")
		return x
	}
	officer := border()
	if colour, codes := decided(t, officer); colour != "green" {
		t.Errorf("at the border: %s %s", colour, codes)
	}
	if name := officer.Text("[data-child-name]"); !strings.Contains(strings.ToUpper(name), "AWA") {
		t.Errorf("the officer sees %q", name)
	}
	officer.Look("journey green")

	// The mandate ends: Rosa proposes it and Samuel approves it.
	desk.Go(s.Issuer.Base + record)
	desk.Press(`a[href$="/revoke"]`)
	choose(desk, "reason", "mandateEnded")
	desk.Press(`main form button[type=submit]`)
	colleague := chromium.Tab(t, webtest.Desktop, "en")
	join(t, colleague, s.Issuer, account.Guest{Role: "registrar", Name: "Samuel Registrar"})
	colleague.Go(s.Issuer.Base + "/app/approvals")
	colleague.Press(`main a[href^="/app/approvals/"]`)
	choose(colleague, "decision", "approve")
	colleague.Press(`main form button[type=submit]`)

	show()
	officer = border()
	if colour, codes := decided(t, officer); colour != "red" || !strings.Contains(codes, "STATUS_REVOKED") {
		t.Errorf("after the mandate ended: %s %s", colour, codes)
	}
	officer.Look("journey red")
}
