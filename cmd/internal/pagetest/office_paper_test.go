package pagetest

import (
	"testing"

	"github.com/kinpass/kinpass/internal/account"
	"github.com/kinpass/kinpass/web/webtest"
)

// TestPaperAndWitness: a paper pass in two languages, and a notary's desk.
func TestPaperAndWitness(t *testing.T) {
	chromium, s := webtest.Open(t), stand(t)
	at := s.Issuer.Base
	for _, c := range []struct {
		size webtest.Size
		lang string
	}{{webtest.Desktop, "en"}, {webtest.Phone, "ar"}} {
		x := chromium.Tab(t, c.size, c.lang)
		enter(t, x, s.Issuer, account.Guest{Role: "registrar", Name: "Rosa Registrar"})
		x.Go(at + find(t, x, at, "Tamang"))
		g := webtest.Value[string](x, `document.querySelector('.kp-card a[href^="/app/guardianships/"]').getAttribute('href')`)
		x.Go(at + g + "/paper?second=hi")
		look(t, x, "paper pass")
		if !webtest.Value[bool](x, `document.querySelector('.office-sheet svg') !== null`) {
			t.Error("the pass has no code")
		}
	}
	x := chromium.Tab(t, webtest.Phone, "en")
	enter(t, x, s.Issuer, account.Guest{Role: "notary", Name: "Nora Notary"})
	x.Go(at + "/app/witness")
	look(t, x, "witness")
	x.Type("#dossier", `{"birth":1}`)
	x.Press("main form button")
	if got := webtest.Value[string](x, `document.querySelector('#dossier').value`); got != `{"birth":1}` {
		t.Errorf("what was pasted is %q now", got)
	}
	x.See(".govuk-error-summary")
	look(t, x, "witness wrong file")
}
