// Package border is the officer's check: the pages for border officers.
package border

import (
	"embed"

	"github.com/labstack/echo/v4"

	"github.com/kinpass/kinpass/internal/account"
	"github.com/kinpass/kinpass/internal/serve"
	"github.com/kinpass/kinpass/verifier"
	"github.com/kinpass/kinpass/web"
)

//go:embed pages messages static
var files embed.FS

// App is what the pages are made of.
var App = web.App{Name: "border", Files: files}

// routes are the pages' routes.
type routes struct {
	*verifier.Verifier
	pages *account.Pages
}

// Routes adds the pages to a server.
func Routes(s *serve.Server, p *account.Pages, v *verifier.Verifier) {
	h := routes{v, p}
	p.Use(s, account.App{Nav: nav, Home: h.home}, func(e *echo.Group) {
		e.GET("/app/anchor", h.anchor)
	})
}

// nav gives what people of a role find in the navigation.
func nav(role string) []web.NavItem { return nil }

func (h routes) home(c echo.Context, s account.Session) error {
	return h.show(c, web.View{Page: "border/home", Title: "border.home", Data: s})
}

func (h routes) show(c echo.Context, v web.View) error {
	return h.pages.Show(c.Response(), c.Request(), v)
}
