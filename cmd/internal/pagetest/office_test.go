package pagetest

import (
	"strings"
	"testing"

	"github.com/kinpass/kinpass/internal/account"
	"github.com/kinpass/kinpass/web/webtest"
)

// find searches the register by name and gives the address of the first record.
func find(t *testing.T, x *webtest.Tab, at, name string) string {
	t.Helper()
	x.Go(at + "/app/search")
	x.Type("#name", name)
	x.Press("form[role=search] button")
	if strings.Contains(x.Path(), name) {
		t.Error("a name is in the address")
	}
	return webtest.Value[string](x, `document.querySelector('.office-hit a').getAttribute('href')`)
}

// look looks at a page that is none of an error.
func look(t *testing.T, x *webtest.Tab, name string) {
	t.Helper()
	x.Look(name)
	if webtest.Value[bool](x, `document.querySelector('[data-problem-code]') !== null`) {
		t.Fatalf("%s: %s", name, x.Text("main"))
	}
}

// TestRevocationTakesTwo: a registrar finds a record by a name in its own script
// and proposes to revoke it; she cannot approve that herself; a colleague does.
func TestRevocationTakesTwo(t *testing.T) {
	chromium, s := webtest.Open(t), stand(t)
	rosa, rex := chromium.Tab(t, webtest.Desktop, "en"), chromium.Tab(t, webtest.Phone, "ar")
	at := s.Issuer.Base
	enter(t, rosa, s.Issuer, account.Guest{Role: "registrar", Name: "Rosa Registrar"})
	enter(t, rex, s.Issuer, account.Guest{Role: "registrar", Name: "Rex Registrar"})

	rosa.Go(at + "/app/search")
	look(t, rosa, "search")
	rosa.Press("form[role=search] button")
	if !strings.Contains(rosa.Text(".govuk-error-summary"), "at least two letters") {
		t.Error("an empty search is not explained")
	}
	record := find(t, rosa, at, "तामाङ")
	look(t, rosa, "search found")
	if !strings.HasPrefix(record, "/app/births/") {
		t.Fatalf("the child's birth is not found first: %s", record)
	}

	rosa.Go(at + record + "/revoke")
	rosa.Press("main form button")
	if !strings.Contains(rosa.Text(".govuk-error-summary"), "Choose a reason") {
		t.Error("no reason was asked for")
	}
	look(t, rosa, "revoke without reason")
	rosa.Click("input[value=recordedInError]")
	rosa.Press("main form button")
	look(t, rosa, "revocation proposed")
	rosa.Go(at + "/app/approvals")
	look(t, rosa, "approvals of ones own")
	rosa.Press(".kp-card a")
	look(t, rosa, "approval of ones own")
	if webtest.Value[bool](rosa, `document.querySelector('main form') !== null`) {
		t.Error("Rosa may decide what she proposed")
	}

	rex.Go(at + "/app/approvals")
	look(t, rex, "approvals")
	rex.Press(".kp-card a")
	look(t, rex, "approval")
	rex.Press("main form button")
	rex.See(".govuk-error-summary")
	rex.Click("input[value=approve]")
	rex.Press("main form button")
	rex.See(".govuk-notification-banner--success")
	look(t, rex, "approved")

	rosa.Go(at + record + "/history")
	look(t, rosa, "history revoked")
	for _, want := range []string{"Revoked", "Entered in error", "Rosa Registrar", "second person: Rex Registrar"} {
		if !strings.Contains(rosa.Text("main"), want) {
			t.Errorf("the history does not say %q", want)
		}
	}
}

// TestSuspensionEndsOrIsConfirmed: one person suspends at once, another confirms,
// and what is suspended can be lifted.
func TestSuspensionEndsOrIsConfirmed(t *testing.T) {
	chromium, s := webtest.Open(t), stand(t)
	rosa, rex := chromium.Tab(t, webtest.Phone, "en"), chromium.Tab(t, webtest.Desktop, "en")
	at := s.Issuer.Base
	enter(t, rosa, s.Issuer, account.Guest{Role: "registrar", Name: "Rosa Registrar"})
	enter(t, rex, s.Issuer, account.Guest{Role: "registrar", Name: "Rex Registrar"})
	record := find(t, rosa, at, "Tamang")

	rosa.Go(at + record + "/suspend")
	look(t, rosa, "suspend")
	rosa.Click("input[value=safety]")
	rosa.Press("main form button")
	look(t, rosa, "suspended")
	rosa.Go(at + record + "/confirm")
	if webtest.Value[bool](rosa, `document.querySelector('main form') !== null`) {
		t.Error("Rosa may confirm her own suspension")
	}
	look(t, rosa, "no act")

	rex.Go(at + record + "/confirm")
	look(t, rex, "confirm suspension")
	rex.Click("input[value=upheld]")
	rex.Press("main form button")
	look(t, rex, "confirmed")
	rex.Go(at + record + "/reinstate")
	rex.Click("input[value=resolved]")
	rex.Press("main form button")
	look(t, rex, "reinstated")
	rex.Go(at + record + "/history")
	for _, want := range []string{"Suspended", "Suspension confirmed", "Suspension lifted"} {
		if !strings.Contains(rex.Text("main"), want) {
			t.Errorf("the history does not say %q", want)
		}
	}
}
