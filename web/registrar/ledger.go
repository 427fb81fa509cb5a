package registrar

import (
	"errors"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/kinpass/kinpass/internal/account"
	"github.com/kinpass/kinpass/issuer"
	"github.com/kinpass/kinpass/web"
)

// Troubles with the ledger, worst first; each is the end of a message's key.
const (
	troubleOther   = "other"   // a witness saw another history
	troubleSlow    = "slow"    // something waits that should be in it
	troubleWitness = "witness" // too few witnesses saw what is in it

	// patience is how much later than it should something may be in the ledger, and
	// how long witnesses may take: one may be away for a while.
	patience = 20 * time.Minute
)

// troublesOf says what is wrong with the ledger, all of it. What witnesses answered
// last does not count, but for a history that one of them showed: nobody may have
// asked them since.
func troublesOf(l *issuer.LedgerStatus, now time.Time) (out []string) {
	late := func(since time.Time) bool { return !since.IsZero() && now.Sub(since) > patience }
	if l.OtherHistory {
		out = append(out, troubleOther)
	}
	if late(l.Due) {
		out = append(out, troubleSlow)
	}
	if late(l.Unwitnessed) {
		out = append(out, troubleWitness)
	}
	return out
}

// ledgerStatus gives how it goes with the ledger, nil if the office keeps none.
func (h routes) ledgerStatus(c echo.Context, s account.Session) (*issuer.LedgerStatus, error) {
	l, err := h.LedgerStatus(c.Request().Context(), caller(s))
	if errors.Is(err, issuer.ErrNoLedger) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &l, nil
}

func (h routes) ledger(c echo.Context, s account.Session) error {
	l, err := h.ledgerStatus(c, s)
	if err != nil {
		return err
	}
	data := map[string]any{"Ledger": l, "Troubles": []string(nil)}
	if l != nil {
		data["Troubles"] = troublesOf(l, time.Now())
	}
	return h.show(c, web.View{Page: "registrar/ledger", Title: "registrar.ledger.title", Styles: officeStyles, Data: data})
}

// ledgerCard tells on the first page that something is wrong with the ledger.
func (h routes) ledgerCard(c echo.Context, s account.Session) (card, error) {
	out := card{Title: "registrar.ledger.title", Text: "registrar.ledger.card", Href: "/app/ledger"}
	l, err := h.ledgerStatus(c, s)
	if err == nil && l != nil {
		for n, x := range troublesOf(l, time.Now()) {
			if x = "registrar.ledger.trouble-" + x; n == 0 {
				out.Text = x
			} else {
				out.More = append(out.More, x)
			}
		}
	}
	return out, err
}
