package pagetest

import (
	"encoding/json"
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

// TestCorrectionIsSeenBefore: a registrar corrects a name: what would change is
// shown, the rest of the record stays as it was, and the old name does not find
// it any more.
func TestCorrectionIsSeenBefore(t *testing.T) {
	chromium, s := webtest.Open(t), stand(t)
	rosa := chromium.Tab(t, webtest.Desktop, "en")
	at := s.Issuer.Base
	enter(t, rosa, s.Issuer, account.Guest{Role: "registrar", Name: "Rosa Registrar"})
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
	if text := rosa.Text("main"); !strings.Contains(text, "Anisha Tamang") || !strings.Contains(text, "ANISHA") {
		t.Error("the record does not have the new name")
	}
	rosa.Go(at + record + "/history")
	if !strings.Contains(rosa.Text("main"), "Correction in force, version 2") {
		t.Error("the history does not have the correction")
	}
}

// TestImportTakesTwo: one registrar brings a file, a colleague lets it in; refused
// rows come back with the reason, are mended and brought again.
func TestImportTakesTwo(t *testing.T) {
	chromium, s := webtest.Open(t), stand(t)
	rosa, rex := chromium.Tab(t, webtest.Desktop, "en"), chromium.Tab(t, webtest.Phone, "en")
	at := s.Issuer.Base
	enter(t, rosa, s.Issuer, account.Guest{Role: "registrar", Name: "Rosa Registrar"})
	enter(t, rex, s.Issuer, account.Guest{Role: "registrar", Name: "Rex Registrar"})
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
	job := bring(birth("AAAAAAAAAAAAAAAAAAAAA1", "Goodone", "IMP-1", "2021-03-10") + "\n\n" + birth("AAAAAAAAAAAAAAAAAAAAA2", "Badone", "IMP-2", "2031-03-10") + "\nnot json")
	look(t, rosa, "import waits")
	if webtest.Value[bool](rosa, `document.querySelector('main form') !== null`) {
		t.Error("Rosa may let in what she brought")
	}
	rex.Go(at + job)
	look(t, rex, "import to approve")
	rex.Click("input[value=approve]")
	rex.Press("main form button")
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
	rex.Click("input[value=approve]")
	rex.Press("main form button")
	rex.See("[data-import-sum]")
	if webtest.Value[bool](rex, `document.querySelector('#refused') !== null`) {
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
		{"auditor", "Aude Auditor", "/app/statistics /app/keys", "/app/search /app/approvals /app/witness /app/overrides"},
	} {
		x := chromium.Tab(t, webtest.Phone, "en")
		enter(t, x, s.Issuer, account.Guest{Role: c.role, Name: c.name})
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
	x := chromium.Tab(t, webtest.Desktop, "en")
	at := s.Issuer.Base
	enter(t, x, s.Issuer, account.Guest{Role: "court", Name: "Carla Court"})
	x.Go(at + "/app/overrides")
	look(t, x, "overrides")
	x.Press("main form button")
	x.See(".govuk-error-summary")
	look(t, x, "overrides wrong")
	x.Click("input[value=suspension]")
	x.Type("#list", "https://elsewhere.example/status/suspension/1")
	x.Type("#index", "4711")
	x.Click("input[value=safety]")
	x.Press("main form button")
	x.See(".govuk-notification-banner--success")
	look(t, x, "override in force")
	x.Press(".kp-card a[href$=lift]")
	look(t, x, "lift override")
	x.Click("input[value=resolved]")
	x.Press("main form button")
	if webtest.Value[bool](x, `document.querySelector('.kp-card') !== null`) {
		t.Error("the order is still there")
	}
}
