package pagetest

import (
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/account"
	wallets "github.com/kinpass/kinpass/wallet"
	"github.com/kinpass/kinpass/web/webtest"
)

// TestTravelConsent: two guardians, each at their own wallet, agree to a journey,
// see that the other did, and one takes it back.
func TestTravelConsent(t *testing.T) {
	chromium, s := webtest.Open(t), stand(t)
	mother, father, err := s.Parents(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ana := chromium.Tab(t, webtest.Phone, "en")
	join(t, ana, s.Wallet, account.Guest{Role: "guardian", Token: mother})
	bruno := chromium.Tab(t, webtest.Desktop, "en")
	join(t, bruno, s.Wallet, account.Guest{Role: "guardian", Token: father})

	// Ana writes it down, a page at a time.
	ana.Go(s.Wallet.Base + "/app/papers")
	ana.Look("papers none")
	ana.Press(`a[href="/app/papers/new"]`)
	ana.Look("journey child")
	ana.Press("main form button")
	ana.Look("journey who")
	ana.Press("main form button") // nothing was chosen
	ana.See(".govuk-error-summary")
	ana.Look("journey who missing")
	ana.Click(`input[value="withThirdParty"]`)
	ana.Press("main form button")
	ana.Look("journey adult")
	ana.Type("#given", "Esther")
	ana.Type("#family", "Bah")
	ana.Fill("#relation", "relative")
	ana.Type("#number", "G0012345")
	ana.Fill("#issuer", "GHA")
	ana.Press("main form button")
	ana.Look("journey adults")
	ana.Press(`main a.govuk-button`)
	ana.Look("journey where")
	ana.Fill("#from", "GHA")
	ana.Fill("#to-1", "GHA")
	ana.Press("main form button")
	if !strings.Contains(ana.Text(".govuk-error-summary"), "begins in this country") {
		t.Error(ana.Text(".govuk-error-summary"))
	}
	ana.Fill("#to-1", "TGO")
	ana.Press("main form button")
	first, last := now().AddDate(0, 0, 1), now().AddDate(0, 0, 20)
	day(ana, "first", first)
	day(ana, "last", first.AddDate(0, 0, -3))
	ana.Click(`input[name="crossings"][value="2"]`)
	ana.Press("main form button")
	ana.See("#last-error")
	ana.Look("journey when wrong")
	day(ana, "last", last)
	ana.Press("main form button")
	ana.Look("journey stay")
	ana.Press("main form button")
	ana.Look("journey more")
	ana.Click(`input[name="purpose"][value="family"]`)
	ana.Click(`input[name="settle"][value="no"]`)
	ana.Click(`input[name="medical"][value="emergency"]`)
	ana.Press("main form button")
	ana.Look("journey check")
	for _, want := range []string{"Esther Bah", "G0012345", "Ghana", "Togo", "may not move there for good", "emergency"} {
		if !strings.Contains(ana.Text("main"), want) {
			t.Errorf("the summary does not say %q:\n%s", want, ana.Text("main"))
		}
	}
	ana.Press("main form button.kp-big")
	ana.Look("paper invite")
	link := ana.Text("[data-link]")

	// Bruno opens the link that he was sent, as one opens a link.
	bruno.Go(link)
	if got := bruno.Path(); got != "/app/link" {
		t.Fatalf("at %s", got)
	}
	bruno.Look("link")
	bruno.Press("main form button")
	bruno.Look("paper joined")
	if !strings.HasPrefix(bruno.Path(), "/app/papers/") || !strings.Contains(bruno.Text(".kp-says"), "Esther Bah") {
		t.Fatalf("at %s", bruno.Path())
	}
	// The link is good for one guardian: a third tab with the mother's own wallet
	// is no other guardian, and a stranger gets nothing.
	stranger := chromium.Tab(t, webtest.Phone, "en")
	stranger.Go(link)
	stranger.See(`a[href="/app/sign-in?next=/app/link"]`)
	stranger.Look("link signed out")
	join(t, stranger, s.Wallet, account.Guest{Role: "guardian"})
	stranger.Go(webtest.Value[string](bruno, "location.href"))
	if !strings.Contains(stranger.Text("main"), "no-such-consent") {
		t.Error("another guardian's consent is there:", stranger.Text("main"))
	}

	// Ana sees that he is there, and agrees.
	ana.Await(`document.querySelectorAll('.kp-people li').length === 2`)
	ana.Press(`a[href$="/sign"]`)
	ana.Look("paper sign")
	ana.Press("main form button")
	ana.See("#read-error")
	ana.Click(`#read`)
	ana.Press("main form button")
	ana.Look("paper waiting")

	bruno.Press(`a[href$="/sign"]`)
	bruno.Look("paper sign")
	bruno.Click(`#read`)
	bruno.Press("main form button")
	bruno.Look("paper signed")
	ana.Await(`document.querySelector('.govuk-tag').innerText === 'Agreed'`)
	ana.Look("paper agreed")
	all, err := s.Holder.Consents(t.Context(), wallets.Guardian{ID: mother})
	if err != nil || len(all) != 1 || all[0].State != "signed" || !all[0].Usable {
		t.Fatalf("%+v %v", all, err)
	}

	// Bruno takes it back, and nobody can use it any more.
	bruno.Press(`a[href$="/withdraw"]`)
	bruno.Look("paper withdraw")
	bruno.Press("main form button")
	bruno.Look("paper withdrawn")
	if got := bruno.Text(".govuk-tag"); got != "Taken back" {
		t.Error(got)
	}
	if _, err := s.Holder.Renew(t.Context(), wallets.Guardian{ID: mother}); err != nil {
		t.Fatal(err)
	}
	ana.Go(s.Wallet.Base + "/app/papers")
	ana.Look("papers")
	if got := ana.Text(".govuk-tag"); got != "Cannot be used" {
		t.Error(got)
	}
}

// day types a date.
func day(x *webtest.Tab, name string, at time.Time) {
	x.Fill("#"+name, at.Format("2"))
	x.Fill("#"+name+"-month", at.Format("1"))
	x.Fill("#"+name+"-year", at.Format("2006"))
}
