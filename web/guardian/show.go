package guardian

import (
	"html/template"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/kinpass/kinpass/internal/account"
	"github.com/kinpass/kinpass/internal/serve"
	"github.com/kinpass/kinpass/wallet"
	"github.com/kinpass/kinpass/web"
)

// shown is a code on the screen.
type shown struct {
	Size    int    `json:"size"`    // modules a side
	Bits    []byte `json:"bits"`    // the modules
	Seconds int    `json:"seconds"` // for which it is good

	SVG template.HTML `json:"-"`
}

// present makes a code of a child that a border takes.
func (h routes) present(c echo.Context, s account.Session) (shown, error) {
	p, err := h.Present(c.Request().Context(), owner(s), wallet.Request{Child: c.Param("child"), Consent: c.QueryParam("with")})
	if err != nil {
		return shown{}, err
	}
	img, err := p.Draw()
	if err != nil {
		return shown{}, err
	}
	// Our own drawing: one path of numbers.
	return shown{img.Size(), img.Bits(), int(p.ExpiresAt.Sub(h.Now()) / time.Second), template.HTML(img.SVG())}, nil
}

// show is the code full screen.
func (h routes) show(c echo.Context, s account.Session) error {
	all, err := h.cards(c, s)
	if err != nil {
		return err
	}
	k, err := find(all, c.Param("child"))
	if err != nil {
		return err
	}
	code, err := h.present(c, s)
	if err != nil {
		return err
	}
	return h.answer(c, web.View{Page: "guardian/show", Title: "guardian.title.show", Scripts: []string{"guardian/show.js"}, Styles: []string{"guardian/show.css"},
		Data: map[string]any{"Child": k, "Code": code, "With": c.QueryParam("with"), "Next": after(all, k)}})
}

// code is the next one, for the script of the page.
func (h routes) code(c echo.Context, s account.Session) error {
	code, err := h.present(c, s)
	if err != nil {
		return err
	}
	return serve.JSON(c, http.StatusOK, code)
}

// after gives the next child whose code can be shown, for who stands at the
// counter with several; nil after the last.
func after(all []card, k card) *card {
	past := false
	for i := range all {
		if past && all[i].Ready {
			return &all[i]
		}
		past = past || all[i].ID == k.ID
	}
	return nil
}
