package pagetest

import (
	"strings"
	"testing"

	"github.com/kinpass/kinpass/cmd/internal/cli"
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

// TestStartPage: from the start page one goes in as somebody of the
// demonstration with one press, and plays a story that shows its codes and
// decisions, and can be played again.
func TestStartPage(t *testing.T) {
	chromium, s := webtest.Open(t), stand(t)
	x := chromium.Tab(t, webtest.Desktop, "en")
	x.Go(s.Start + "/")
	x.Look("demonstration start")
	for _, c := range []struct{ person, at string }{{"rosa", s.Issuer.Base}, {"ama", s.Wallet.Base}, {"omar", s.Verifier.Base}} {
		x.Go(s.Start + "/")
		x.Press(`button[value="` + c.person + `"]`)
		if at := webtest.Value[string](x, `location.href`); at != c.at+"/app/" {
			t.Fatalf("%s is at %s", c.person, at)
		}
		x.Broken() // the way leads over two origins
	}
	x.Go(s.Start + "/")
	x.Press(`button[value="court"]`)
	x.See(`[data-state="over"] button`)
	x.See(".demo-decision--red")
	x.See(".demo-decision--amber")
	if text := x.Text("main"); !strings.Contains(text, "RED") || !strings.Contains(text, "EXIT_PROHIBITED") || !strings.Contains(text, "Every decision was as expected") {
		t.Error(text)
	}
	if broken := webtest.Value[int](x, `[...document.images].filter((i) => !i.complete || !i.naturalWidth).length`); broken > 0 {
		t.Errorf("%d codes are not there", broken)
	}
	x.Look("demonstration story")
	before := x.Path()
	x.Press(`[data-state] button`)
	if x.Path() == before || !strings.HasPrefix(x.Path(), "/app/stories/") {
		t.Errorf("played again at %s", x.Path())
	}
	phone := chromium.Tab(t, webtest.Phone, "ar")
	phone.Go(s.Start + "/")
	phone.Look("demonstration start")
	phone.Press(`button[value="papers"]`)
	phone.See(`[data-state="over"] button`)
	if n := webtest.Value[int](phone, `document.querySelectorAll('.demo-decision').length`); n != 10 || !strings.Contains(phone.Text("[data-state]"), "كل القرارات كانت كما هو متوقع") {
		t.Errorf("of %d decisions not every one was as it had to be: %s", n, phone.Text("[data-state]"))
	}
	phone.Look("demonstration story")
}

// TestInterfacePage: a programmer who is not signed in reads and searches the
// description of a service's interface, on a phone as well; without the script
// the form searches.
func TestInterfacePage(t *testing.T) {
	chromium, s := webtest.Open(t), stand(t)
	x := chromium.Tab(t, webtest.Desktop, "en")
	x.Go(s.Issuer.Base + "/app/api#registerBirth")
	x.See("#registerBirth .reference-inside")
	x.Look("interface issuer")
	visible := `[...document.querySelectorAll('.reference-operation')].filter((o) => !('schema' in o.dataset) && o.offsetParent).map((o) => o.id).join(' ')`
	x.Type("#q", "post births correct")
	if got := webtest.Value[string](x, visible); got != "correctBirth" {
		t.Errorf("the search finds %q", got)
	}
	x.Go(s.Issuer.Base + "/app/api?q=post+births+correct")
	if got := webtest.Value[string](x, visible); got != "correctBirth" {
		t.Errorf("the form finds %q", got)
	}
	for _, at := range []cli.Service{s.Wallet, s.Verifier} {
		phone := chromium.Tab(t, webtest.Phone, "ar")
		phone.Go(at.Base + "/app/api")
		phone.Look("interface " + at.Role)
		phone.Click(".reference-operation summary")
		phone.Look("interface " + at.Role + " open")
	}
	if got := webtest.Value[string](x, `fetch('/app/api/openapi.yaml').then((r) => r.text())`); !strings.HasPrefix(got, "# The HTTP interface") {
		t.Error("the description is not to be had")
	}
}
