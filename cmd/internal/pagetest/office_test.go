package pagetest

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/kinpass/kinpass/cmd/internal/cli"
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
	if shows(x, "[data-problem-code]") {
		t.Fatalf("%s: %s", name, x.Text("main"))
	}
}

// colleague is somebody who works in the office.
type colleague struct {
	role, name string
	size       webtest.Size
	language   string
}

// desk signs a colleague in, in a tab of their own.
func desk(t *testing.T, chromium *webtest.Browser, s *cli.Stand, who colleague) *webtest.Tab {
	t.Helper()
	x := chromium.Tab(t, who.size, who.language)
	enter(t, x, s.Issuer, account.Guest{Role: who.role, Name: who.name})
	return x
}

// shows reports whether the page has such an element.
func shows(x *webtest.Tab, selector string) bool {
	return webtest.Value[bool](x, `document.querySelector('`+selector+`') !== null`)
}

// give chooses one of several answers and sends the form.
func give(x *webtest.Tab, answer string) {
	x.Click("input[value=" + answer + "]")
	x.Press("main form button")
}

// approve looks at the first thing that waits for a second person, and lets it in.
func approve(t *testing.T, x *webtest.Tab, at, name string) {
	t.Helper()
	x.Go(at + "/app/approvals")
	x.Press(".kp-card a")
	look(t, x, name)
	give(x, "approve")
	x.See(".govuk-notification-banner--success")
}

// reads looks for words in an element.
func reads(t *testing.T, x *webtest.Tab, where string, words ...string) {
	t.Helper()
	text := x.Text(where)
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%s does not say %q:\n%s", x.Path(), w, text)
		}
	}
}

// TestRevocationTakesTwo: a registrar finds a record by a name in its own script
// and proposes to revoke it; she cannot approve that herself; a colleague does.
func TestRevocationTakesTwo(t *testing.T) {
	chromium, s := webtest.Open(t), stand(t)
	at := s.Issuer.Base
	rosa := desk(t, chromium, s, colleague{"registrar", "Rosa Registrar", webtest.Desktop, "en"})
	rex := desk(t, chromium, s, colleague{"registrar", "Rex Registrar", webtest.Phone, "ar"})

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
	give(rosa, "recordedInError")
	look(t, rosa, "revocation proposed")
	rosa.Go(at + "/app/approvals")
	look(t, rosa, "approvals of ones own")
	rosa.Press(".kp-card a")
	look(t, rosa, "approval of ones own")
	if shows(rosa, "main form") {
		t.Error("Rosa may decide what she proposed")
	}

	rex.Go(at + "/app/approvals")
	look(t, rex, "approvals")
	rex.Press(".kp-card a")
	look(t, rex, "approval")
	rex.Press("main form button")
	rex.See(".govuk-error-summary")
	give(rex, "approve")
	rex.See(".govuk-notification-banner--success")
	look(t, rex, "approved")

	rosa.Go(at + record + "/history")
	look(t, rosa, "history revoked")
	reads(t, rosa, "main", "Revoked", "Entered in error", "Rosa Registrar", "second person: Rex Registrar")
}

// TestSuspensionEndsOrIsConfirmed: one person suspends at once, another confirms,
// and what is suspended can be lifted.
func TestSuspensionEndsOrIsConfirmed(t *testing.T) {
	chromium, s := webtest.Open(t), stand(t)
	at := s.Issuer.Base
	rosa := desk(t, chromium, s, colleague{"registrar", "Rosa Registrar", webtest.Phone, "en"})
	rex := desk(t, chromium, s, colleague{"registrar", "Rex Registrar", webtest.Desktop, "en"})
	record := find(t, rosa, at, "Tamang")

	rosa.Go(at + record + "/suspend")
	look(t, rosa, "suspend")
	give(rosa, "safety")
	look(t, rosa, "suspended")
	rosa.Go(at + record + "/confirm")
	if shows(rosa, "main form") {
		t.Error("Rosa may confirm her own suspension")
	}
	look(t, rosa, "no act")

	rex.Go(at + record + "/confirm")
	look(t, rex, "confirm suspension")
	give(rex, "upheld")
	look(t, rex, "confirmed")
	rex.Go(at + record + "/reinstate")
	give(rex, "resolved")
	look(t, rex, "reinstated")
	rex.Go(at + record + "/history")
	reads(t, rex, "main", "Suspended", "Suspension confirmed", "Suspension lifted")
}

// TestCorrectionIsSeenBefore: a registrar corrects a name: what would change is
// shown, the rest of the record stays as it was, and the old name does not find
// it any more.
func TestCorrectionIsSeenBefore(t *testing.T) {
	chromium, s := webtest.Open(t), stand(t)
	at := s.Issuer.Base
	rosa := desk(t, chromium, s, colleague{"registrar", "Rosa Registrar", webtest.Desktop, "en"})
	record := find(t, rosa, at, "Tamang")
	rosa.Go(at + record)
	look(t, rosa, "record with acts")
	rosa.Go(at + record + "/correct")
	look(t, rosa, "correct")
	rosa.Press("main form button[type=submit]")
	rosa.See(".govuk-error-summary")
	look(t, rosa, "correct nothing")
	webtest.Value[bool](rosa, `(document.querySelector('#amendment').value = 'nameChange', document.querySelector('#child-given').value = 'Anisha', true)`)
	rosa.Press("main form button[type=submit]")
	if n := webtest.Value[int](rosa, `document.querySelectorAll(".desk-differs").length`); n != 2 { // with the passport
		t.Errorf("more or less than the name, in two ways of writing, would change: %s", rosa.Text("main"))
	}
	look(t, rosa, "correct check")
	rosa.Press("main form button")
	look(t, rosa, "corrected")
	rosa.Go(at + record)
	reads(t, rosa, "main", "Anisha Tamang", "ANISHA")
	rosa.Go(at + record + "/history")
	reads(t, rosa, "main", "Correction in force, version 2")
}

// TestCorrectionOfAGuardianshipTakesTwo: a registrar proposes that a guardian may
// take the child to one country alone; the record stays as it was until a
// colleague, who sees what changes, approves.
func TestCorrectionOfAGuardianshipTakesTwo(t *testing.T) {
	chromium, s := webtest.Open(t), stand(t)
	at := s.Issuer.Base
	rosa := desk(t, chromium, s, colleague{"registrar", "Rosa Registrar", webtest.Phone, "en"})
	rex := desk(t, chromium, s, colleague{"registrar", "Rex Registrar", webtest.Desktop, "en"})
	rosa.Go(at + find(t, rosa, at, "Tamang"))
	record := webtest.Value[string](rosa, `document.querySelector('.kp-card a[href^="/app/guardianships/"]').getAttribute('href')`)
	rosa.Go(at + record)
	before := rosa.Text("main .govuk-summary-list")
	rosa.Go(at + record + "/correct")
	look(t, rosa, "correct guardianship")
	rosa.Press("main form button[type=submit]")
	rosa.See(".govuk-error-summary") // nothing would change
	choose(rosa, "allowed-1", "IND")
	webtest.Value[bool](rosa, `(document.querySelector('[name=conditions]').value = 'Not without a word to the other guardian', true)`)
	rosa.Press("main form button[type=submit]")
	if n := webtest.Value[int](rosa, `document.querySelectorAll('.desk-differs').length`); n != 2 {
		t.Errorf("%d lines would change:\n%s", n, rosa.Text("main"))
	}
	look(t, rosa, "correct guardianship check")
	rosa.Press("main form button")
	look(t, rosa, "correction waits")
	rosa.Go(at + record)
	if now := rosa.Text("main .govuk-summary-list"); now != before {
		t.Errorf("it changed before anybody approved:\n%s", now)
	}
	if rosa.Go(at + record + "/correct"); shows(rosa, "main form") {
		t.Error("it can be corrected again while a correction waits")
	}

	rex.Go(at + "/app/approvals")
	rex.Press(".kp-card a")
	look(t, rex, "approval of a correction")
	reads(t, rex, "main", "Rosa Registrar", "India", "Not without a word")
	give(rex, "approve")
	rex.See(".govuk-notification-banner--success")
	rex.Go(at + record)
	look(t, rex, "guardianship corrected")
	reads(t, rex, "main .govuk-summary-list", "India", "Not without a word")
	rex.Go(at + record + "/history")
	reads(t, rex, "main", "Correction in force", "Approved: Change a guardianship")
}

// TestImportTakesTwo: one registrar brings a file, a colleague lets it in; refused
// rows come back with the reason, are mended and brought again.
func TestImportTakesTwo(t *testing.T) {
	chromium, s := webtest.Open(t), stand(t)
	at := s.Issuer.Base
	rosa := desk(t, chromium, s, colleague{"registrar", "Rosa Registrar", webtest.Desktop, "en"})
	rex := desk(t, chromium, s, colleague{"registrar", "Rex Registrar", webtest.Phone, "en"})
	birth := func(ref, name, number, day string) string {
		return `{"childRef":"` + ref + `","recordVersion":1,"circumstance":"ordinary","names":[{"kind":"legal","script":"Latn","given":["` + name +
			`"],"family":["Importer"]}],"birthDate":{"value":"` + day + `","precision":"day","basis":"medicalRecord"},"sex":1,"placeOfBirth":{"status":"known","country":"GHA"},` +
			`"parentage":[{"role":"mother","status":"withheld"}],"registration":{"number":"` + number + `","authority":"https://registry.example","office":"Accra <b>2</b>","date":"2021-03-20","mode":"timely"}}`
	}
	bring := func(text string) string {
		t.Helper()
		rosa.Go(at + "/app/import")
		rosa.See("#file")
		quoted, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		webtest.Value[bool](rosa, `(() => { const d = new DataTransfer(); d.items.add(new File([`+string(quoted)+`], 'births.jsonl')); document.querySelector('#file').files = d.files; return true })()`)
		rosa.Press("main form button")
		return rosa.Path()
	}
	rosa.Go(at + "/app/import")
	look(t, rosa, "import")
	if bring(""); !strings.Contains(rosa.Text(".govuk-error-summary"), "This file has no rows") {
		t.Error("an empty file is not explained")
	}
	job := bring(birth("AAAAAAAAAAAAAAAAAAAAA1", "Goodone", "IMP-1", "2021-03-10") + "\n\n" + birth("AAAAAAAAAAAAAAAAAAAAA2", "Badone", "IMP-2", "2031-03-10") + "\nnot json")
	look(t, rosa, "import waits")
	if shows(rosa, "main form") {
		t.Error("Rosa may let in what she brought")
	}
	rex.Go(at + job)
	look(t, rex, "import to approve")
	give(rex, "approve")
	rex.See("[data-import-sum]")
	look(t, rex, "import done")
	if text := rex.Text("main"); !strings.Contains(text, "Refused") || webtest.Value[int](rex, `document.querySelectorAll('tbody tr').length`) < 2 {
		t.Error(text)
	}
	refused := webtest.Value[string](rex, `fetch(location.pathname + '/refused').then((r) => r.text())`)
	if !strings.Contains(refused, `"line":3`) || !strings.Contains(refused, "Badone") {
		t.Fatalf("the refused rows: %s", refused)
	}
	mended := strings.Replace(strings.Split(refused, "\n")[0], "2031-03-10", "2021-03-11", 1)
	job = bring(mended)
	rex.Go(at + job)
	give(rex, "approve")
	rex.See("[data-import-sum]")
	if shows(rex, "#refused") {
		t.Error("the mended row was refused: " + rex.Text("main"))
	}
	find(t, rosa, at, "Badone")
	rosa.Go(at + "/app/statistics")
	look(t, rosa, "statistics")
	if !strings.Contains(rosa.Text("main"), "Accra <b>2</b>") {
		t.Error("the office is not shown as it was written")
	}
	rex.Go(at + "/app/statistics")
	look(t, rex, "statistics")
	rosa.Go(at + "/app/keys")
	look(t, rosa, "keys")
	// What was issued is in the public ledger, which is in order.
	rosa.Go(at + "/app/ledger")
	look(t, rosa, "ledger")
	if n := rosa.Text("[data-size]"); n == "" || n == "0" {
		t.Errorf("%q entries are in the ledger", n)
	}
	rosa.See("[data-good]")
	rosa.Go(at + "/app/suspensions")
	look(t, rosa, "suspensions none")
}

// TestOfficesSeeTheirOwn: each role finds its own work and nothing of the others.
func TestOfficesSeeTheirOwn(t *testing.T) {
	chromium, s := webtest.Open(t), stand(t)
	for _, c := range []struct{ role, name, has, lacks string }{
		{"court", "Carla Court", "/app/overrides /app/search /app/approvals /app/witness", "/app/import /app/births/new"},
		{"protectionAuthority", "Paul Protector", "/app/overrides /app/search /app/suspensions", "/app/import /app/births/new /app/witness"},
		{"notary", "Nora Notary", "/app/witness /app/approvals", "/app/search /app/overrides /app/import /app/statistics"},
		{"consulate", "Cato Consul", "/app/witness", "/app/search /app/approvals /app/overrides"},
		{"auditor", "Aude Auditor", "/app/statistics /app/keys /app/ledger", "/app/search /app/approvals /app/witness /app/overrides"},
	} {
		x := desk(t, chromium, s, colleague{c.role, c.name, webtest.Phone, "en"})
		look(t, x, "home "+c.role)
		links := webtest.Value[string](x, `[...document.querySelectorAll('a')].map((a) => a.getAttribute('href')).join(' ') + ' '`)
		for _, p := range strings.Fields(c.has) {
			if !strings.Contains(links, p+" ") {
				t.Errorf("%s does not find %s", c.role, p)
			}
		}
		for _, p := range strings.Fields(c.lacks) {
			if strings.Contains(links, p+" ") {
				t.Errorf("%s finds %s", c.role, p)
			}
			if n := webtest.Value[int](x, `fetch('`+p+`', { headers: { Accept: 'text/html' } }).then((r) => r.status)`); n != 404 {
				t.Errorf("%s gets %d at %s", c.role, n, p)
			}
		}
	}
}

// TestCourtOverrides: the court orders over another office's list, and confirms or
// lifts it.
func TestCourtOverrides(t *testing.T) {
	chromium, s := webtest.Open(t), stand(t)
	at := s.Issuer.Base
	x := desk(t, chromium, s, colleague{"court", "Carla Court", webtest.Desktop, "en"})
	x.Go(at + "/app/overrides")
	look(t, x, "overrides")
	x.Press("main form button")
	x.See(".govuk-error-summary")
	look(t, x, "overrides wrong")
	x.Click("input[value=suspension]")
	x.Type("#list", "https://elsewhere.example/status/suspension/1")
	x.Type("#index", "4711")
	give(x, "safety")
	x.See(".govuk-notification-banner--success")
	look(t, x, "override in force")
	x.Press(".kp-card a[href$=lift]")
	look(t, x, "lift override")
	give(x, "resolved")
	if shows(x, ".kp-card") {
		t.Error("the order is still there")
	}
}

// TestOverrideTakesTwoToLast: what one judge orders over another office's list
// ends by itself, and lasts when another judge confirms it, until it is lifted.
func TestOverrideTakesTwoToLast(t *testing.T) {
	chromium, s := webtest.Open(t), stand(t)
	at := s.Issuer.Base
	carla := desk(t, chromium, s, colleague{"court", "Carla Court", webtest.Phone, "en"})
	cyrus := desk(t, chromium, s, colleague{"court", "Cyrus Court", webtest.Desktop, "en"})
	order := func(purpose, index, reason string) {
		t.Helper()
		carla.Go(at + "/app/overrides")
		carla.Click("input[value=" + purpose + "]")
		carla.Type("#list", "https://elsewhere.example/status/"+purpose+"/1")
		carla.Type("#index", index)
		give(carla, reason)
	}
	order("suspension", "4711", "safety")
	carla.See(".govuk-notification-banner--success")
	if text := carla.Text(".kp-card"); !strings.Contains(text, "ends by itself") {
		t.Errorf("an order of one person has no end:\n%s", text)
	}
	// The judge who ordered is not the second person.
	carla.Press(".kp-card a[href$=confirm]")
	carla.Press("main form button")
	carla.See("#reason-error")
	give(carla, "upheld")
	look(t, carla, "confirm of ones own")
	if text := carla.Text(".govuk-error-summary"); !strings.Contains(text, "Another person") {
		t.Errorf("why not is said as: %s", text)
	}

	cyrus.Go(at + "/app/overrides")
	cyrus.Press(".kp-card a[href$=confirm]")
	look(t, cyrus, "confirm override")
	give(cyrus, "upheld")
	look(t, cyrus, "override confirmed")
	if text := cyrus.Text(".kp-card"); strings.Contains(text, "ends by itself") || shows(cyrus, ".kp-card a[href$=confirm]") {
		t.Errorf("a confirmed order still ends:\n%s", text)
	}
	cyrus.Press(".kp-card a[href$=lift]")
	give(cyrus, "resolved")
	if shows(cyrus, ".kp-card") {
		t.Errorf("the order is still there:\n%s", cyrus.Text("main"))
	}

	// To revoke takes two from the start, and so does taking that back.
	order("revocation", "815", "mandateEnded")
	look(t, carla, "override waits")
	if text := carla.Text(".kp-card"); strings.Contains(text, "in force") || shows(carla, ".kp-card a") {
		t.Errorf("one judge revoked:\n%s", text)
	}
	approve(t, cyrus, at, "approval of an override")
	carla.Go(at + "/app/overrides")
	carla.Press(".kp-card a[href$=lift]")
	give(carla, "resolved")
	carla.See(".govuk-notification-banner")
	carla.See(".kp-card")
	approve(t, cyrus, at, "approval of lifting")
	carla.Go(at + "/app/overrides")
	if shows(carla, ".kp-card") {
		t.Errorf("the order is still there:\n%s", carla.Text("main"))
	}
}
