package registrar

import (
	"encoding/base64"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/kinpass/kinpass/internal/account"
	"github.com/kinpass/kinpass/internal/serve"
)

// scripts are the modules of pages that keep drafts: what somebody types stays in
// the browser until it is registered, in case the connection is lost. It is
// encrypted with a key that the pages give to nobody else, so that the next
// person at the same desk cannot read it.
var scripts = []string{"registrar/desk.js"}

// draft gives the key of somebody's drafts.
func (h routes) draft(s account.Session) string {
	return base64.StdEncoding.EncodeToString(h.DraftKey(caller(s)))
}

// alive answers the question whether a form would arrive and be taken. Whoever
// signed in again while a form was open gets a token for it; the key tells the
// form whether it is the same person.
func (h routes) alive(c echo.Context, s account.Session) error {
	c.Response().Header().Set("Cache-Control", "no-store")
	return serve.JSON(c, http.StatusOK, map[string]string{"csrf": h.pages.FormToken(c.Request()), "draft": h.draft(s)})
}
