package guardian

import (
	"errors"
	"html/template"
	"net/http"
	"regexp"
	"slices"

	"github.com/labstack/echo/v4"

	"github.com/kinpass/kinpass/internal/account"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/serve"
	"github.com/kinpass/kinpass/wallet"
	"github.com/kinpass/kinpass/web"
)

// linkPage takes a link that another guardian sent: an invitation to agree, or
// what a companion gets. The secret is in the link's fragment, which no server
// sees; the page's script puts it into the form. Who is not signed in signs in
// first, and the script keeps the link in this tab until then.
func (h routes) linkPage(c echo.Context) error { return h.showLink(c, web.Form{}) }

func (h routes) showLink(c echo.Context, f web.Form) error {
	signedIn := false
	if s, err := h.pages.Session(c.Request()); err == nil {
		signedIn = s.Account.Role == wallet.RoleGuardian
	}
	v := web.View{Page: "guardian/link", Title: "guardian.paper.title", Form: f, Data: map[string]any{"SignedIn": signedIn}}
	if signedIn {
		scanning(&v)
	}
	if !f.Good() {
		v.Status = http.StatusUnprocessableEntity
	}
	return h.sheetPage(c, v)
}

// scanning lets a page take what its form asks for from a QR code.
func scanning(v *web.View) {
	v.Scripts, v.Styles = append(v.Scripts, "guardian/add.js"), append(v.Styles, "scan/scan.css")
	v.Camera, v.Wasm = true, true
}

// linkForm finds a link in what was pasted: a message has words around it.
var linkForm = regexp.MustCompile(`https?://[^\s<>"#]+/wallet/drops/[A-Za-z0-9_-]+#[A-Za-z0-9_-]+`)

// link opens a link. Which kind it is the sender knows, and the service that
// keeps it; the guardian need not.
func (h routes) link(c echo.Context, s account.Session) error {
	values, err := c.FormParams()
	if err != nil {
		return serve.ErrRequest.With(err)
	}
	f := web.Form{Values: values}
	text := linkForm.FindString(values.Get("link"))
	if text == "" {
		f.Wrong("link", "guardian.link.wrong")
		return h.showLink(c, f)
	}
	ctx := c.Request().Context()
	// Asking for a share spends nothing: an invitation cannot be told from what is
	// not there.
	child, err := h.Redeem(ctx, owner(s), text)
	if err == nil {
		return h.taken(c, s, child)
	}
	if errors.Is(err, wallet.ErrLinkGone) {
		var x wallet.Consent
		if x, err = h.JoinConsent(ctx, owner(s), text); err == nil {
			return to(c, "/app/papers/"+x.ID+"?done=joined")
		}
	}
	switch k := fault.As(err); {
	case errors.Is(err, wallet.ErrLink):
		f.Wrong("link", "guardian.link.wrong")
	case errors.Is(err, wallet.ErrLinkGone):
		f.Wrong("link", "guardian.link.gone")
	case errors.Is(err, wallet.ErrNoMandate):
		f.Wrong("link", "guardian.link.no-mandate")
	case errors.Is(err, wallet.ErrConsentClosed):
		f.Wrong("link", "guardian.link.closed")
	case errors.Is(err, wallet.ErrConsentParts), errors.Is(err, wallet.ErrConsentState):
		f.Wrong("link", "guardian.link.refused")
	case k.Kind == fault.Unavailable:
		f.Wrong("link", "guardian.link.unreachable")
	default:
		return err
	}
	return h.showLink(c, f)
}

// taken goes to the consent that was shared, of which there may be several for
// one child: the last one.
func (h routes) taken(c echo.Context, s account.Session, child wallet.Child) error {
	all, err := h.Consents(c.Request().Context(), owner(s))
	if err != nil {
		return err
	}
	for _, x := range slices.Backward(all) {
		if x.Shared && x.Child == child.ID {
			return to(c, "/app/papers/"+x.ID)
		}
	}
	return to(c, "/app/papers")
}

// key shows the key of the guardian's wallet, for those who name them in a
// consent.
func (h routes) key(c echo.Context, s account.Session) error {
	k, err := h.Key(c.Request().Context(), owner(s))
	if err != nil {
		return err
	}
	img, err := drawn(k)
	if err != nil {
		return err
	}
	return h.sheetPage(c, web.View{Page: "guardian/key", Title: "guardian.paper.title", Data: struct {
		Key string
		QR  template.HTML
	}{k, img}})
}
