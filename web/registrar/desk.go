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

//go:embed pages messages
var files embed.FS

// App is what the pages are made of.
var App = web.App{Name: "registrar", Files: files}

// routes are the pages' routes.
type routes struct {
	*issuer.Issuer
	pages *account.Pages
}

// Routes adds the pages to a server.
func Routes(s *serve.Server, p *account.Pages, i *issuer.Issuer) {
	h := routes{i, p}
	p.Use(s, account.App{Nav: nav, Home: h.home}, func(e *echo.Group) {
	})
}

// nav gives what people of a role find in the navigation.
func nav(role string) []web.NavItem { return nil }

func (h routes) home(c echo.Context, s account.Session) error {
	return h.show(c, web.View{Page: "registrar/home", Title: "registrar.home", Data: s})
}

func (h routes) show(c echo.Context, v web.View) error {
	return h.pages.Show(c.Response(), c.Request(), v)
}
