// Package registrar is the registrar's desk: the pages for registrars, courts and the other offices that register, approve and revoke.
package registrar

import (
	"embed"

	"github.com/labstack/echo/v4"

	"github.com/kinpass/kinpass/internal/account"
	"github.com/kinpass/kinpass/internal/serve"
	"github.com/kinpass/kinpass/issuer"
	"github.com/kinpass/kinpass/web"
)

//go:embed pages messages static
var files embed.FS

// App is what the pages are made of.
var App = web.App{Name: "registrar", Files: files}

// routes are the pages' routes.
type routes struct {
	*issuer.Issuer
	pages *account.Pages
}

// part is one kind of work at the desk. Each field may be nil.
type part struct {
	routes func(h routes, e *echo.Group)
	nav    func(role string) []web.NavItem // what a role finds in the navigation
	// cards gives what somebody finds on the first page.
	cards func(h routes, c echo.Context, s account.Session) ([]card, error)
}

// card is a piece of work on the first page: what it is, and how much waits.
type card struct {
	Title string // key of a message
	Text  string // key of a message, "" for none
	More  []string
	Href  string
	Count int // what waits; shown when it is more than none
}

// parts is the work of the desk, in the order of navigation and first page.
var parts = []part{births, guardianships, held, records, offers, searching, approving, acting, correcting, running, importing, overriding, witnessing}

// Routes adds the pages to a server.
func Routes(s *serve.Server, p *account.Pages, i *issuer.Issuer) {
	h := routes{i, p}
	p.Use(s, account.App{Nav: nav, Home: h.home}, func(e *echo.Group) {
		for _, x := range parts {
			if x.routes != nil {
				x.routes(h, e)
			}
		}
	})
}

// nav gives what people of a role find in the navigation.
func nav(role string) []web.NavItem {
	var out []web.NavItem
	for _, x := range parts {
		if x.nav != nil {
			out = append(out, x.nav(role)...)
		}
	}
	return out
}

// caller is who is signed in, as the register knows who acts.
func caller(s account.Session) issuer.Caller {
	return issuer.Caller{ID: s.Account.ID, Name: s.Account.Name, Role: s.Account.Role}
}

func (h routes) home(c echo.Context, s account.Session) error {
	var cards []card
	for _, x := range parts {
		if x.cards == nil {
			continue
		}
		more, err := x.cards(h, c, s)
		if err != nil {
			return err
		}
		cards = append(cards, more...)
	}
	return h.show(c, web.View{Page: "registrar/home", Title: "registrar.home", Scripts: scripts, Data: map[string]any{"Cards": cards, "Draft": h.draft(s)}})
}

// show answers with a page of the desk.
func (h routes) show(c echo.Context, v web.View) error {
	v.Styles = append(v.Styles, "registrar/registrar.css")
	return h.pages.Show(c.Response(), c.Request(), v)
}

// text gives a message in the visitor's language.
func (h routes) text(c echo.Context, key string, args ...any) string {
	return h.pages.Site().Text(c.Request(), key, args...)
}
