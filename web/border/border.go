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
	p.Use(s, account.App{Nav: nav, Home: h.home, Manifest: manifest, Scripts: []string{script}}, func(e *echo.Group) {
		h.installable(e)
		e.GET("/app/history", p.For(h.shell, verifier.RoleOfficer))
		e.GET("/app/device", p.For(h.shell, verifier.RoleOfficer))
		h.records(e, p)
	})
}

// nav gives what people of a role find in the navigation.
func nav(role string) []web.NavItem {
	overrides := web.NavItem{Href: "/app/overrides", Label: "border.overrides"}
	switch role {
	case verifier.RoleOfficer:
		return []web.NavItem{{Href: "/app/history", Label: "border.history"}, {Href: "/app/device", Label: "border.device"}, overrides}
	case verifier.RoleSupervisor:
		return []web.NavItem{overrides}
	}
	return nil
}

// shells are the officer's pages. They hold nothing of anybody: their scripts
// bring what this device knows, so that they are the same without a network.
var shells = map[string]web.View{
	"/app/": {Page: "border/home", Title: "border.home", Scripts: []string{"border/check.js"},
		Styles: []string{"scan/scan.css", "border/border.css"}, Camera: true, Wasm: true},
	"/app/history": {Page: "border/history", Title: "border.history", Scripts: []string{"border/history.js"}, Styles: []string{"border/border.css"}, Wasm: true},
	"/app/device":  {Page: "border/device", Title: "border.device", Scripts: []string{"border/device.js"}, Styles: []string{"border/border.css"}, Wasm: true},
}

// shell answers with one of them.
func (h routes) shell(c echo.Context, _ account.Session) error { return h.show(c, shells[c.Path()]) }

// home is the counter for officers; others see what was decided at all of them.
func (h routes) home(c echo.Context, s account.Session) error {
	if s.Account.Role != verifier.RoleOfficer {
		return h.checks(c, s)
	}
	return h.shell(c, s)
}

func (h routes) show(c echo.Context, v web.View) error {
	return h.pages.Show(c.Response(), c.Request(), v)
}
