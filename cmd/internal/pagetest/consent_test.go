package pagetest

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/account"
	"github.com/kinpass/kinpass/internal/qr"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/verifier/check"
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
	ana.Press("main form button[type=submit]")
	ana.Look("journey who")
	ana.Press("main form button[type=submit]") // nothing was chosen
	ana.See(".govuk-error-summary")
	ana.Look("journey who missing")
	ana.Click(`input[value="withThirdParty"]`)
	ana.Press("main form button[type=submit]")
	ana.Look("journey adult")
	ana.Type("#given", "Esther")
	ana.Type("#family", "Bah")
	ana.Fill("#relation", "relative")
	ana.Type("#number", "G0012345")
	ana.Fill("#issuer", "GHA")
	ana.Press("main form button[type=submit].kp-big")
	ana.Look("journey adults")
	ana.Press(`main a.govuk-button`)
	ana.Look("journey where")
	ana.Fill("#from", "GHA")
	ana.Fill("#to-1", "GHA")
	ana.Press("main form button[type=submit]")
	if !strings.Contains(ana.Text(".govuk-error-summary"), "begins in this country") {
		t.Error(ana.Text(".govuk-error-summary"))
	}
	ana.Fill("#to-1", "TGO")
	ana.Press("main form button[type=submit]")
	first, last := now().AddDate(0, 0, 1), now().AddDate(0, 0, 20)
	day(ana, "first", first)
	day(ana, "last", first.AddDate(0, 0, -3))
	ana.Click(`input[name="crossings"][value="2"]`)
	ana.Press("main form button[type=submit]")
	ana.See("#last-error")
	ana.Look("journey when wrong")
	day(ana, "last", last)
	ana.Press("main form button[type=submit]")
	ana.Look("journey stay")
	ana.Press("main form button[type=submit]")
	ana.Look("journey more")
	ana.Click(`input[name="purpose"][value="family"]`)
	ana.Click(`input[name="settle"][value="no"]`)
	ana.Click(`input[name="medical"][value="emergency"]`)
	ana.Press("main form button[type=submit]")
	ana.Look("journey check")
	for _, want := range []string{"Esther Bah", "G0012345", "Ghana", "Togo", "may not move there for good", "emergency"} {
		if !strings.Contains(ana.Text("main"), want) {
			t.Errorf("the summary does not say %q:\n%s", want, ana.Text("main"))
		}
	}
	ana.Press("main form button[type=submit].kp-big")
	ana.Look("paper invite")
	link := ana.Text("[data-link]")

	// Bruno opens the link that he was sent, as one opens a link.
	bruno.Go(link)
	if got := bruno.Path(); got != "/app/link" {
		t.Fatalf("at %s", got)
	}
	bruno.Look("link")
	bruno.Press("main form button[type=submit].kp-big")
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
	ana.Press("main form button[type=submit].kp-big")
	ana.See("#read-error")
	ana.Click(`#read`)
	ana.Press("main form button[type=submit].kp-big")
	ana.Look("paper waiting")

	bruno.Press(`a[href$="/sign"]`)
	bruno.Look("paper sign")
	bruno.Click(`#read`)
	bruno.Press("main form button[type=submit]")
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
	bruno.Press("main form button[type=submit]")
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

// signed gives a consent to which both guardians agreed, in the wallet of the
// first, that names an adult by the key of their wallet.
func signed(t *testing.T, w *wallets.Wallet, mother, father, aunt string) wallets.Consent {
	t.Helper()
	ctx := t.Context()
	key, err := w.Key(ctx, wallets.Guardian{ID: aunt})
	if err != nil {
		t.Fatal(err)
	}
	all, err := w.Children(ctx, wallets.Guardian{ID: mother})
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	adult, err := json.Marshal([]vc.Companion{{Names: []vc.Name{{Kind: "legal", Script: "Latn", Given: []string{"Comfort"}, Family: []string{"Bah"}}}, Key: key, Relation: "relative"}})
	if err != nil {
		t.Fatal(err)
	}
	today := vc.DateOf(now())
	trip, err := json.Marshal(vc.Trip{DepartFrom: "GHA", Destinations: []string{"TGO"}, NotBefore: today.String(), NotAfter: today.AddDays(20).String()})
	if err != nil {
		t.Fatal(err)
	}
	mine, err := w.DraftConsent(ctx, wallets.Guardian{ID: mother}, wallets.Draft{Child: all[0].ID, Mode: vc.ModeThirdParty, Accompanying: adult, Trip: trip, MedicalConsent: "full"})
	if err != nil {
		t.Fatal(err)
	}
	his, err := w.JoinConsent(ctx, wallets.Guardian{ID: father}, mine.Invitation.Link)
	if err == nil {
		_, err = w.SignConsent(ctx, wallets.Guardian{ID: mother}, mine.ID, false)
	}
	if err == nil {
		_, err = w.SignConsent(ctx, wallets.Guardian{ID: father}, his.ID, false)
	}
	if err == nil {
		mine, err = w.Consent(ctx, wallets.Guardian{ID: mother}, mine.ID)
	}
	if err != nil || mine.State != "signed" {
		t.Fatal(mine.State, err)
	}
	return mine
}

// TestCompanionAndWitness: the guardians give the papers to an aunt with a
// wallet; a notary witnesses; what is printed for an adult without a wallet can be
// read from the paper. What the wallet did is written down.
func TestCompanionAndWitness(t *testing.T) {
	chromium, s := webtest.Open(t), stand(t)
	mother, father, err := s.Parents(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	secret, token, err := s.Wallet.DB.AddToken(t.Context(), "aunt", "guardian", time.Time{})
	if err != nil || secret == "" {
		t.Fatal(err)
	}
	c := signed(t, s.Holder, mother, father, token.ID)
	ana := chromium.Tab(t, webtest.Phone, "ar")
	join(t, ana, s.Wallet, account.Guest{Role: "guardian", Token: mother})
	aunt := chromium.Tab(t, webtest.Phone, "en")
	join(t, aunt, s.Wallet, account.Guest{Role: "guardian", Token: token.ID})

	// The aunt's code is what the guardian named her by.
	aunt.Go(s.Wallet.Base + "/app/key")
	aunt.Look("key")
	if got := aunt.Text("[data-link]"); got != c.Terms.Adults[0].Key {
		t.Errorf("the page says %s", got)
	}
	// A link for her: nobody else can open it.
	at := s.Wallet.Base + "/app/papers/" + c.ID
	ana.Go(at)
	ana.Look("paper give")
	ana.Press(".kp-do form button")
	ana.Look("paper share")
	link := ana.Text("[data-link]")
	father1 := chromium.Tab(t, webtest.Phone, "en")
	join(t, father1, s.Wallet, account.Guest{Role: "guardian", Token: father})
	father1.Go(link)
	father1.Press("main form button[type=submit].kp-big")
	father1.See("#link-error")
	father1.Look("link refused")
	aunt.Go(link)
	aunt.Press("main form button[type=submit].kp-big")
	aunt.Look("paper shared")
	if !strings.Contains(aunt.Text("main"), "Given to you") || strings.Contains(aunt.Text("main"), "Take it back") {
		t.Error(aunt.Text("main"))
	}
	aunt.Press(`a[href*="/show?with="]`)
	aunt.Look("paper shown")

	// To the notary and back, as a file.
	ana.Go(at + "/witness")
	ana.Look("paper witness")
	ana.Type("#text", "nothing of use")
	ana.Press("main form button[type=submit]")
	ana.See("#text-error")
	dossier := webtest.Value[string](ana, `fetch('`+at+`/file').then((r) => r.text())`)
	deed, err := s.Witness(t.Context(), []byte(dossier))
	if err != nil {
		t.Fatal(err)
	}
	ana.Fill("#text", string(deed))
	ana.Press("main form button[type=submit]")
	if !strings.Contains(ana.Text(".govuk-tag"), "أمام شاهد") {
		t.Fatal(ana.Text("main"))
	}
	ana.Look("paper witnessed")

	// On paper: every word by the browser, the code as a scanner reads it.
	ana.Press(`a[href$="/print"]`)
	ana.Look("print")
	ana.Fill(`#second`, "hi")
	ana.Await(`document.querySelectorAll('.kp-sheet section[lang="hi"]').length === 1`)
	if n := pages(t, ana.PDF("print")); n != 1 {
		t.Errorf("%d pages of paper", n)
	}
	ana.Print("print")
	held := 0
	for i := range webtest.Value[int](ana, `document.querySelectorAll('.kp-sheet__code').length`) {
		p, err := qr.Unpack(codeIn(t, ana, ".kp-sheet__code:nth-child("+strconv.Itoa(i+1)+")"))
		if err != nil {
			t.Fatal(err)
		}
		held += len(p.Credentials)
	}
	if held != 2 {
		t.Errorf("%d credentials on paper", held)
	}

	// The paper pass of the child.
	father1.Go(s.Wallet.Base + "/app/papers")
	father1.Look("papers one")
	father1.Press(`a[href$="/print"]`)
	father1.Look("pass")
	if n := pages(t, father1.PDF("pass")); n != 1 {
		t.Errorf("%d pages of paper", n)
	}
	father1.Print("pass")
	text := codeIn(t, father1, ".kp-sheet__code")
	// The father alone: the sheet is good, and the mother has not agreed.
	if d, err := s.Check.Check(t.Context(), []string{text}, check.Facts{Confirm: []string{check.Portrait}}); err != nil || d.Colour != check.Amber || !slices.Contains(d.Codes(), check.CodeConsentMissingCo) || len(d.Codes()) > 2 {
		t.Errorf("%s %v %v", d.Colour, d.Codes(), err)
	}

	ana.Go(s.Wallet.Base + "/app/log")
	ana.Look("log")
	if n := webtest.Value[int](ana, `document.querySelectorAll('.kp-acts')[0].children.length`); n < 5 {
		t.Errorf("%d acts:\n%s", n, ana.Text("main"))
	}
}

// pages counts the pages of a document that Chromium printed.
func pages(t *testing.T, pdf []byte) int {
	t.Helper()
	return len(regexp.MustCompile(`/Type\s*/Page[^s]`).FindAll(pdf, -1))
}
