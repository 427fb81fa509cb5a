package pagetest

import (
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/kinpass/kinpass/api"
	"github.com/kinpass/kinpass/cmd/internal/cli"
	"github.com/kinpass/kinpass/internal/account"
	"github.com/kinpass/kinpass/internal/qr"
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
	text, err := qr.ReadImage(x.Photo(selector))
	if err != nil {
		t.Fatal(err)
	}
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
	}{{webtest.Phone, "en"}, {webtest.Desktop, "en"}, {webtest.Phone, "ar"}} {
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
