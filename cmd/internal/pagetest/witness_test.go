package pagetest

import (
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/account"
	wallets "github.com/kinpass/kinpass/wallet"
	"github.com/kinpass/kinpass/web/webtest"
)

// brings chooses a file of a text in a page's field for files.
func brings(t *testing.T, x *webtest.Tab, selector, text string) {
	t.Helper()
	x.See(selector)
	webtest.Value[bool](x, `(() => {
		const files = new DataTransfer(), field = document.querySelector(`+quoted(t, selector)+`)
		files.items.add(new File([`+quoted(t, text)+`], 'file.json'))
		field.files = files.files
		return field.dispatchEvent(new Event('change', { bubbles: true }))
	})()`)
}

// TestNotaryWitnesses: a notary is brought the file of the guardians, reads what
// it says, signs, and the wallet takes back what the notary gave.
func TestNotaryWitnesses(t *testing.T) {
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
	ana := chromium.Tab(t, webtest.Phone, "en")
	enter(t, ana, s.Wallet, account.Guest{Role: "guardian", Token: mother})
	at := s.Wallet.Base + "/app/papers/" + c.ID
	ana.Go(at + "/witness")
	dossier := webtest.Value[string](ana, `fetch(document.querySelector('a[href$="/file"]').href).then((r) => r.text())`)

	nora := chromium.Tab(t, webtest.Desktop, "en")
	enter(t, nora, s.Issuer, account.Guest{Role: "notary", Name: "Nora Notary"})
	nora.Press(`a[href="/app/witness"]`)
	brings(t, nora, "#file", dossier)
	nora.Press("main form button[type=submit]")
	look(t, nora, "witness check")
	text := nora.Text("main")
	for _, want := range []string{"Comfort Bah", "Ghana", "Togo", "2 guardians signed", "JUNIOR Q", "ANA Q", "BRUNO Q"} {
		if !strings.Contains(text, want) {
			t.Errorf("the notary does not read %q:\n%s", want, text)
		}
	}
	nora.Press("main form button[type=submit]") // without having seen anybody
	nora.See("#seen-error")
	nora.Type("#reference", "Deed 2031/7")
	nora.Click("#seen")
	nora.Press("main form button[type=submit]")
	look(t, nora, "witnessed")
	nora.See("[data-save]")
	deed := webtest.Value[string](nora, `document.querySelector('[data-credential]').value`)

	brings(t, ana, "#file", deed)
	ana.Press("main form button[type=submit]")
	if tag := ana.Text(".govuk-tag"); !strings.Contains(tag, "witness") {
		t.Errorf("the wallet says %q:\n%s", tag, ana.Text("main"))
	}
	mine, err := s.Holder.Consent(t.Context(), wallets.Guardian{ID: mother}, c.ID)
	if err != nil || mine.State != "witnessed" || !mine.Usable {
		t.Errorf("%s, usable %t, %v", mine.State, mine.Usable, err)
	}
}
