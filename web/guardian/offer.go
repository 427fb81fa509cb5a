package guardian

import (
	"errors"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/kinpass/kinpass/internal/account"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/wallet"
	"github.com/kinpass/kinpass/web"
)

func (h routes) addPage(c echo.Context, _ account.Session) error { return h.showAdd(c, web.Form{}) }

func (h routes) showAdd(c echo.Context, f web.Form) error {
	v := web.View{Page: "guardian/add", Title: "guardian.title.add", Form: f, Scripts: []string{"guardian/add.js"}, Styles: []string{"scan/scan.css"},
		Camera: true, Wasm: true}
	if !f.Good() {
		v.Status = http.StatusUnprocessableEntity
	}
	return h.answer(c, v)
}

// add takes an offer: the text of its QR code or link, and the PIN that came
// another way.
func (h routes) add(c echo.Context, s account.Session) error {
	values, err := c.FormParams()
	if err != nil {
		return wallet.ErrBody.With(err)
	}
	f := web.Form{Values: values}
	text := offerIn(values.Get("offer"))
	if text == "" {
		f.Wrong("offer", "guardian.add.offer-missing")
		return h.showAdd(c, f)
	}
	out, err := h.Accept(c.Request().Context(), owner(s), text, digits(values.Get("pin")))
	if err == nil {
		return c.Redirect(http.StatusSeeOther, "/app/documents/"+out.Child+"?done=added")
	}
	switch x := fault.As(err); {
	case errors.Is(err, wallet.ErrOffer):
		f.Wrong("offer", "guardian.add.offer-wrong")
	case errors.Is(err, wallet.ErrOfferGone):
		f.Wrong("offer", "guardian.add.offer-gone")
	case errors.Is(err, wallet.ErrIssuerUntrusted):
		f.Wrong("offer", "guardian.add.untrusted")
	case errors.Is(err, wallet.ErrPINForm):
		f.Wrong("pin", "guardian.add.pin-form")
	case errors.Is(err, wallet.ErrRefused):
		f.Wrong("pin", "guardian.add.refused")
	case x.Kind == fault.Unavailable || errors.Is(err, wallet.ErrUnreachable):
		f.Wrong("", "guardian.add.unreachable")
	case x.Kind == fault.Unprocessable:
		f.Wrong("", "guardian.add.rejected")
	default:
		return err
	}
	return h.showAdd(c, f)
}

// offerIn finds the offer in what was pasted: a message has words around it, and
// a link to a wallet carries it in its fragment.
func offerIn(text string) string {
	text = strings.TrimSpace(text)
	const scheme = "openid-credential-offer://"
	if at := strings.Index(text, scheme); at >= 0 {
		text = text[at:]
		if end := strings.IndexAny(text, " \t\r\n\"<>"); end >= 0 {
			text = text[:end]
		}
	}
	return text
}

// digits gives a PIN as it is sent: as it was typed, in any digits and groups.
func digits(pin string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ' || r == '-' || r == '\u00a0' || r == '\u200e' || r == '\u200f':
			return -1
		case r >= '٠' && r <= '٩': // Arabic
			return '0' + r - '٠'
		case r >= '۰' && r <= '۹': // Persian and Urdu
			return '0' + r - '۰'
		case r >= '०' && r <= '९': // Devanagari
			return '0' + r - '०'
		}
		return r
	}, strings.TrimSpace(pin))
}
