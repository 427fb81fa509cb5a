package guardian

import (
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"github.com/kinpass/kinpass/internal/account"
	"github.com/kinpass/kinpass/internal/serve"
	"github.com/kinpass/kinpass/wallet"
	"github.com/kinpass/kinpass/web"
)

// card is a child as the first page shows it.
type card struct {
	wallet.Child
	Name   string   // in the first script that there is
	Others []string // the name in other scripts
	Born   string
	You    string // who the guardian is to the child
}

func (h routes) cards(c echo.Context, s account.Session) ([]card, error) {
	all, err := h.Children(c.Request().Context(), owner(s))
	if err != nil {
		return nil, err
	}
	w := h.words(c.Request())
	var out []card
	for _, ch := range all {
		out = append(out, w.card(ch))
	}
	return out, nil
}

func (w words) card(ch wallet.Child) card {
	k := card{Child: ch, Name: w.say("guardian.nameless"), You: w.known("guardian.role.", ch.Role)}
	if len(ch.Names) > 0 {
		k.Name, k.Others = ch.Names[0], ch.Names[1:]
	}
	if ch.BirthDate != "" {
		k.Born = w.born(ch.BirthDate)
	}
	return k
}

// cardOf finds a child of the guardian. What is another's is not there.
func (h routes) cardOf(c echo.Context, s account.Session) (card, error) {
	all, err := h.cards(c, s)
	if err != nil {
		return card{}, err
	}
	return find(all, c.Param("child"))
}

func find(all []card, id string) (card, error) {
	at := slices.IndexFunc(all, func(k card) bool { return k.ID == id })
	if at < 0 {
		return card{}, wallet.ErrNoSuchChild
	}
	return all[at], nil
}

func (h routes) home(c echo.Context, s account.Session) error {
	all, err := h.cards(c, s)
	if err != nil {
		return err
	}
	v := web.View{Page: "guardian/home", Title: "guardian.title.home", Data: map[string]any{"Children": all}}
	switch c.QueryParam("done") {
	case "checked":
		v.Notice = &web.Notice{Text: "guardian.renew.checked", Success: true}
	case "renewed":
		v.Notice = &web.Notice{Text: "guardian.renew.renewed", Success: true}
	case "failed":
		v.Notice = &web.Notice{Text: "guardian.renew.failed"}
	}
	return h.answer(c, v)
}

func (h routes) child(c echo.Context, s account.Session) error {
	k, err := h.cardOf(c, s)
	if err != nil {
		return err
	}
	papers, err := h.documents(c, s, k.Credentials)
	if err != nil {
		return err
	}
	with, err := h.usableConsents(c, s, k.ID)
	if err != nil {
		return err
	}
	v := web.View{Page: "guardian/child", Title: "guardian.title.document", Data: map[string]any{"Child": k, "Papers": papers, "With": with,
		"Logged": slices.ContainsFunc(papers, func(p paper) bool { return p.Logged })}}
	if c.QueryParam("done") == "added" {
		v.Notice = &web.Notice{Text: "guardian.added", Success: true}
	}
	return h.answer(c, v)
}

// proofs gives the file that shows the papers to be in the public ledger. Its name
// says nothing.
func (h routes) proofs(c echo.Context, s account.Session) error {
	out, err := h.Proofs(c.Request().Context(), owner(s), c.Param("child"))
	if err != nil {
		return err
	}
	c.Response().Header().Set("Content-Disposition", `attachment; filename="proofs.json"`)
	return serve.JSON(c, http.StatusOK, map[string]any{"proofs": out})
}

// renew asks the offices for news of everything that the wallet holds.
func (h routes) renew(c echo.Context, s account.Session) error {
	out, err := h.Renew(c.Request().Context(), owner(s))
	if err != nil {
		return err
	}
	done := "checked"
	switch {
	case out.Failed > 0:
		done = "failed"
	case out.Renewed > 0:
		done = "renewed"
	}
	return c.Redirect(http.StatusSeeOther, "/app/?done="+done)
}
