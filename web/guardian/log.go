package guardian

import (
	"time"

	"github.com/labstack/echo/v4"

	"github.com/kinpass/kinpass/internal/account"
	"github.com/kinpass/kinpass/wallet"
	"github.com/kinpass/kinpass/web"
)

// done is one line of what the wallet did.
type done struct {
	wallet.Act
	Text string
	Name string // of the child, "" if it was about none or none that is still here
	Long bool   // it went on for a while
}

// log shows what the wallet did, and where its owner is signed in.
func (h routes) log(c echo.Context, s account.Session) error {
	ctx, w := c.Request().Context(), h.words(c.Request())
	acts, err := h.Acts(ctx, owner(s))
	if err != nil {
		return err
	}
	children, err := h.Children(ctx, owner(s))
	if err != nil {
		return err
	}
	names := map[string]string{}
	for _, k := range children {
		if len(k.Names) > 0 {
			names[k.ID] = k.Names[0]
		}
	}
	var list []done
	for _, a := range acts {
		list = append(list, done{a, w.known("guardian.log.did.", a.What), names[a.Child], a.Last.Sub(a.At) >= time.Minute})
	}
	sessions, err := h.pages.Sessions(ctx, s)
	if err != nil {
		return err
	}
	return h.sheetPage(c, web.View{Page: "guardian/log", Title: "guardian.paper.title", Data: map[string]any{"Acts": list, "Sessions": sessions, "Here": s.ID}})
}
