// Package guardian is the guardian's wallet: the pages for guardians.
//
// Whoever looks over a guardian's shoulder, at the list of tabs or at the
// browser's history must not learn what the guardian is doing: titles and
// addresses say "documents" and nothing of children, journeys or consents.
package guardian

import (
	"context"
	"embed"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/kinpass/kinpass/internal/account"
	"github.com/kinpass/kinpass/internal/serve"
	"github.com/kinpass/kinpass/wallet"
	"github.com/kinpass/kinpass/web"
)

//go:embed pages messages static
var files embed.FS

// App is what the pages are made of.
var App = web.App{Name: "guardian", Files: files}

// routes are the pages' routes.
type routes struct {
	*wallet.Wallet
	pages *account.Pages
}

// Routes adds the pages to a server.
func Routes(s *serve.Server, p *account.Pages, w *wallet.Wallet) {
	h := routes{w, p}
	p.Use(s, account.App{Nav: nav, Home: h.home, Delete: h.deleteAll, Manifest: manifest, Exit: true,
		Scripts: []string{"guardian/wallet.js"}, Styles: []string{"guardian/wallet.css"}}, func(e *echo.Group) {
		only := func(f account.Handler) echo.HandlerFunc { return p.For(f, wallet.RoleGuardian) }
		e.GET("/app/add", only(h.addPage))
		e.POST("/app/add", only(h.add), s.Limit(30, time.Minute))
		e.GET("/app/documents/:child", only(h.child))
		e.GET("/app/documents/:child/proofs", only(h.proofs))
		e.GET("/app/documents/:child/show", only(h.show))
		e.GET("/app/documents/:child/code", only(h.code), s.Limit(300, time.Minute))
		e.GET("/app/documents/:child/later", only(h.laterPage))
		e.POST("/app/documents/:child/later", only(h.later), s.Limit(120, time.Minute))
		e.GET("/app/documents/:child/part", only(h.partPage))
		e.POST("/app/documents/:child/part", only(h.part), s.Limit(60, time.Minute))
		e.POST("/app/renew", only(h.renew), s.Limit(10, time.Minute))
		// For everybody who has the address of the service: nothing of anybody is
		// in them.
		e.GET(keptAddress, h.keptPage)
		e.GET(manifest, h.manifestFile)
		e.GET("/app/sw.js", h.worker)
		h.papers(s, e)
	})
}

// nav gives what people of a role find in the navigation.
func nav(role string) []web.NavItem {
	return []web.NavItem{{Href: "/app/add", Label: "guardian.nav.add"}, {Href: "/app/papers", Label: "guardian.paper.nav"}, {Href: keptAddress, Label: "guardian.nav.kept"}, {Href: "/app/log", Label: "guardian.log.title"}}
}

// deleteAll forgets everything that the wallet keeps for a guardian.
func (h routes) deleteAll(ctx context.Context, s account.Session) error {
	return h.Delete(ctx, owner(s))
}

// owner gives whose wallet a session opens.
func owner(s account.Session) wallet.Guardian { return wallet.Guardian{ID: s.Account.ID} }

func (h routes) answer(c echo.Context, v web.View) error {
	return h.pages.Show(c.Response(), c.Request(), v)
}
