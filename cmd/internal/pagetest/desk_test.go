package pagetest

import (
	"strings"
	"testing"

	"github.com/kinpass/kinpass/internal/account"
	"github.com/kinpass/kinpass/web/webtest"
)

// choose takes one answer of a select or of radio buttons, as a visitor would.
func choose(x *webtest.Tab, name, value string) {
	webtest.Value[bool](x, `(() => {
		const field = document.querySelector('select[name="`+name+`"]')
		if (field) field.value = '`+value+`'
		const f = field ?? document.querySelector('input[name="`+name+`"][value="`+value+`"]')
		if (!field) f.checked = true
		f.dispatchEvent(new Event('change', { bubbles: true }))
		return true
	})()`)
}

// date fills in the three fields of a date.
func date(x *webtest.Tab, name, day, month, year string) {
	for field, v := range map[string]string{"day": day, "month": month, "year": year} {
		write(x, name+"-"+field, v)
	}
}

// write puts a text in the place of what a field holds.
func write(x *webtest.Tab, name, text string) {
	webtest.Value[bool](x, `(() => { document.querySelector('[name="`+name+`"]').value = ''; return true })()`)
	x.Type(`[name="`+name+`"]`, text)
}

// newborn fills in a birth of two known parents.
func newborn(x *webtest.Tab, given, number string) {
	write(x, "child-given", given)
	write(x, "child-family", "Diop")
	choose(x, "sex", "2")
	date(x, "born", "27", "3", "2026")
	choose(x, "place-country", "SEN")
	write(x, "place-town", "Saint-Louis")
	write(x, "p1-given", "Fatou")
	write(x, "p1-family", "Diop")
	date(x, "p1-born", "4", "5", "1998")
	write(x, "p2-given", "Moussa")
	write(x, "p2-family", "Diop")
	date(x, "p2-born", "9", "11", "1995")
	write(x, "number", number)
	date(x, "registered", "2", "4", "2026")
}

// TestABirthIsRegisteredAndOffered: the way of most births, from the form to the
// code that the mother's wallet takes.
func TestABirthIsRegisteredAndOffered(t *testing.T) {
	chromium, s := webtest.Open(t), stand(t)
	x := chromium.Tab(t, webtest.Desktop, "en")
	join(t, x, s.Issuer, account.Guest{Role: "registrar", Name: "Rosa Registrar"})
	x.Look("desk home")
	x.Press(`.desk-card a[href="/app/births/new"]`)
	x.Look("desk birth kinds")
	choose(x, "case", "ordinary")
	x.Press(`main form button[type=submit]`)
	x.Look("desk birth form")

	// What is missing is named, and nothing that was typed is lost.
	write(x, "child-given", "Awa")
	x.Press(`main form button[type=submit]`)
	x.See(".govuk-error-summary a")
	x.Look("desk birth form with errors")
	for _, field := range []string{"born", "sex", "place-country", "number", "p1-family", "p2-family"} {
		if webtest.Value[int](x, `document.querySelectorAll('.govuk-error-summary a[href="#`+field+`"]').length`) != 1 || webtest.Value[int](x, `document.querySelectorAll('#`+field+`, [name="`+field+`"]').length`) == 0 {
			t.Errorf("no error leads to %s", field)
		}
	}
	if got := webtest.Value[string](x, `document.querySelector('[name=child-given]').value`); got != "Awa" {
		t.Errorf("the name is %q now", got)
	}

	newborn(x, "Awa", "SL-2026-118")
	x.Press(`main form button[type=submit]`)
	x.Look("desk birth check")
	if got := x.Text("main"); !strings.Contains(got, "Awa Diop") || !strings.Contains(got, "27 March 2026") || !strings.Contains(got, "Senegal") {
		t.Fatal(got)
	}
	x.Press(`form[action="/app/births"] button`)
	x.See(".govuk-notification-banner--success")
	x.Look("desk birth registered")
	if webtest.Value[int](x, `Object.keys(localStorage).length`) != 0 {
		t.Error("something of the child stays in the browser")
	}

	x.Press(`a[href$="/guardian"]`)
	x.Look("desk guardian kinds")
	choose(x, "who", "parent-0")
	x.Press(`main form button[type=submit]`)
	x.Look("desk guardian form")
	x.Press(`main form button[type=submit]`)
	x.Look("desk guardian check")
	x.Press(`form[action$="/register"] button`)
	x.See(".govuk-notification-banner--success")
	x.Look("desk guardian registered")
	x.Press(`form[action$="/offer"] button`)
	x.See(".kp-qr svg")
	x.Look("desk offer")
	if pin := webtest.Value[string](x, `document.querySelector('[data-pin]').textContent`); len(pin) != 7 {
		t.Errorf("the PIN is %q", pin)
	}
}
