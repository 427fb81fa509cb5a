package pagetest

import (
	"strings"
	"testing"

	"github.com/kinpass/kinpass/internal/account"
	"github.com/kinpass/kinpass/web/webtest"
)

// TestDemonstrationSignIn: on the sign-in page of a demonstration one comes in as
// one of its people, and back to where one wanted to go.
func TestDemonstrationSignIn(t *testing.T) {
	chromium, s := webtest.Open(t), stand(t)
	for _, lang := range []string{"en", "ar"} {
		x := chromium.Tab(t, webtest.Phone, lang)
		x.Go(s.Wallet.Base + "/app/account")
		x.Look("demonstration sign-in")
		x.Press(`button[value="ama"]`)
		if x.Path() != "/app/account" {
			t.Fatalf("at %s", x.Path())
		}
	}
	x := chromium.Tab(t, webtest.Desktop, "en")
	enter(t, x, s.Issuer, account.Guest{Role: "registrar", Name: "Rosa Registrar"})
	x.Go(s.Issuer.Base + "/app/account")
	if text := x.Text("main"); !strings.Contains(text, "Rosa Registrar") {
		t.Error(text)
	}
}
