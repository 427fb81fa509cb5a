package pagetest

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/api"
	"github.com/kinpass/kinpass/internal/account"
	"github.com/kinpass/kinpass/verifier"
	"github.com/kinpass/kinpass/verifier/check"
	wallets "github.com/kinpass/kinpass/wallet"
	"github.com/kinpass/kinpass/web/webtest"
)

// TestCodeWithAConsent: the aunt whom both parents named shows the code with
// their consent, and the border lets her go; the mother's own code says that the
// father has not agreed to her journey, with or without the aunt's papers.
func TestCodeWithAConsent(t *testing.T) {
	chromium, s := webtest.Open(t), stand(t)
	mother, father, err := s.Parents(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, aunt, err := s.Wallet.DB.AddToken(t.Context(), "aunt", "guardian", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	c := signed(t, s.Holder, mother, father, aunt.ID)
	// A witness makes it strong enough for both countries.
	dossier, err := s.Holder.ConsentDossier(t.Context(), wallets.Guardian{ID: mother}, c.ID)
	if err != nil {
		t.Fatal(err)
	}
	brought, err := json.Marshal(dossier)
	if err != nil {
		t.Fatal(err)
	}
	deed, err := s.Witness(t.Context(), brought)
	if err != nil {
		t.Fatal(err)
	}
	var given struct{ Credential string }
	if err := json.Unmarshal(deed, &given); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Holder.KeepWitnessed(t.Context(), wallets.Guardian{ID: mother}, c.ID, given.Credential); err != nil {
		t.Fatal(err)
	}
	officer := &api.Client{Base: s.Verifier.Base, Token: s.Officer}
	if err := officer.Do(t.Context(), "POST", "/verifier/bundles", nil, nil); err != nil {
		t.Fatal(err)
	}
	decide := func(x *webtest.Tab, confirm ...string) verifier.Result {
		t.Helper()
		text := codeIn(t, x, ".kp-show__code svg")
		d, err := s.Check.Check(t.Context(), []string{text}, check.Facts{Exit: "GHA", Entry: "TGO", Confirm: confirm})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}

	ana := chromium.Tab(t, webtest.Phone, "en")
	enter(t, ana, s.Wallet, account.Guest{Role: "guardian", Token: mother})
	ana.Go(s.Wallet.Base + "/app/papers/" + c.ID)
	ana.Press(".kp-do form button")
	link := ana.Text("[data-link]")
	kate := chromium.Tab(t, webtest.Phone, "en")
	enter(t, kate, s.Wallet, account.Guest{Role: "guardian", Token: aunt.ID})
	kate.Go(link)
	kate.Press("main form button[type=submit].kp-big")
	kate.Press(`a[href*="/show?with="]`)
	look(t, kate, "code with a consent")
	if d := decide(kate, check.Portrait); d.Colour != check.Green || !slices.Contains(d.Codes(), check.CodeOK) {
		t.Errorf("the aunt: %s %v", d.Colour, d.Codes())
	}
	// The next code of the page is with the consent, too.
	next := webtest.Value[int](kate, `fetch(document.querySelector('[data-show]').dataset.code).then(async (r) => r.ok ? (await r.json()).size : -r.status)`)
	if size := webtest.Value[string](kate, `document.querySelector('[data-show]').dataset.code`); next <= 0 || !strings.Contains(size, "?with=") {
		t.Errorf("the next code: %d, from %s", next, size)
	}

	// Without the consent there is no reason for her to have a code at all.
	all, err := s.Holder.Children(t.Context(), wallets.Guardian{ID: mother})
	if err != nil || len(all) != 1 {
		t.Fatal(len(all), err)
	}
	kate.Go(s.Wallet.Base + "/app/documents/" + all[0].ID + "/show")
	if webtest.Value[bool](kate, `document.querySelector('.kp-show__code') !== null`) {
		t.Error("the aunt shows the mother's own papers")
	}
	ana.Go(s.Wallet.Base + "/app/documents/" + all[0].ID + "/show")
	if d := decide(ana, check.Portrait, check.Document); d.Colour != check.Amber || !slices.Contains(d.Codes(), check.CodeConsentMissingCo) {
		t.Errorf("the mother alone: %s %v", d.Colour, d.Codes())
	}
	// The papers name the aunt, not the mother.
	ana.Go(s.Wallet.Base + "/app/documents/" + all[0].ID + "/show?with=" + c.ID)
	if d := decide(ana, check.Portrait, check.Document); d.Colour == check.Green {
		t.Errorf("the mother with the aunt's papers: %v", d.Codes())
	}
}
