package registrar

import (
	"html/template"
	"net/http"
	"net/url"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/kinpass/kinpass/internal/account"
	"github.com/kinpass/kinpass/internal/qr"
	"github.com/kinpass/kinpass/issuer"
	"github.com/kinpass/kinpass/web"
)

// offers gives guardians what they need to fetch their documents.
var offers = part{
	routes: func(h routes, e *echo.Group) {
		e.POST("/app/guardianships/:id/offer", h.pages.For(h.offer, readers...))
		e.GET("/app/guardianships/:id/offer", h.pages.For(back("/app/guardianships/:id"), readers...))
		e.POST("/app/guardianships/:id/withdraw", h.pages.For(h.withdraw, readers...))
	},
}

// lives are how long an offer may last: for who is at the desk, and for a letter.
var lives = map[string]time.Duration{"now": 10 * time.Minute, "letter": 14 * 24 * time.Hour}

// offer makes an offer and shows it this once: the code to scan, and on a sheet
// of its own the PIN. The same form again shows the same offer.
func (h routes) offer(c echo.Context, s account.Session) error {
	v, err := sent(c)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	r, err := h.Guardianship(ctx, caller(s), c.Param("id"))
	if err != nil {
		return err
	}
	life, ok := lives[v.Get("life")]
	if !ok {
		return errForm
	}
	o, err := h.OfferFor(ctx, caller(s), r.ID, issuer.OfferTerms{Lifetime: life, Idempotency: v.Get("key")})
	if err != nil {
		return err
	}
	image, err := qr.DrawAny(o.URIByReference, qr.M)
	if err != nil {
		return err
	}
	m := h.pages.Site().In(v.Get("lang"), c.Request())
	until, err := m.Day(o.ExpiresAt)
	if err != nil {
		return err
	}
	return h.show(c, web.View{Page: "registrar/offer", Title: "registrar.offer-title", Scripts: scripts, Data: map[string]any{
		"Guardianship": r.ID, "QR": template.HTML(image.SVG()), // our own drawing: one path of numbers
		"Link": o.URIByReference, "PIN": o.PIN[:3] + " " + o.PIN[3:], "Expires": o.ExpiresAt, "Until": until, "Letter": v.Get("life") == "letter",
		"Number": o.ID[:6], "Words": m,
	}})
}

// withdraw ends the offers that nobody took up: a letter went astray.
func (h routes) withdraw(c echo.Context, s account.Session) error {
	if err := h.WithdrawOffers(c.Request().Context(), caller(s), c.Param("id")); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, "/app/guardianships/"+url.PathEscape(c.Param("id"))+"?done=withdrawn")
}
