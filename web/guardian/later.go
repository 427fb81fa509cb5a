package guardian

import (
	"io"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/kinpass/kinpass/internal/account"
	"github.com/kinpass/kinpass/internal/serve"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/wallet"
	"github.com/kinpass/kinpass/web"
)

// laterPage is where a guardian prepares for a place without network.
func (h routes) laterPage(c echo.Context, s account.Session) error {
	k, err := h.cardOf(c, s)
	if err != nil {
		return err
	}
	with, err := h.usableConsents(c, s, k.ID)
	if err != nil {
		return err
	}
	w := h.words(c.Request())
	option := func(value, key string, checked bool) web.Option {
		return web.Option{Value: value, Label: w.say(key), Checked: checked}
	}
	starts := []web.Option{option("now", "guardian.later.now", true), option("tomorrow", "guardian.later.tomorrow", false), option("other", "guardian.later.other", false)}
	hours := []web.Option{option("6", "guardian.later.6", false), option("12", "guardian.later.12", true), option("24", "guardian.later.24", false)}
	var show []web.Option
	for i, x := range with {
		if i == 0 && !k.Shared {
			show = append(show, option("", "guardian.later.alone", false))
		}
		show = append(show, web.Option{Value: x.ID, Label: w.say("guardian.later.consent", "date", w.day(x.ValidUntil)), Checked: i == 0})
	}
	return h.answer(c, web.View{Page: "guardian/later", Title: "guardian.title.later", Scripts: []string{"guardian/later.js"},
		Data: map[string]any{"Child": k, "With": show, "Starts": starts, "Hours": hours, "Now": h.Now().UnixMilli()}})
}

// kept is a code for a time to come.
type kept struct {
	From  time.Time `json:"from"`
	Until time.Time `json:"until"`
	Size  int       `json:"size"`
	Bits  []byte    `json:"bits"`
}

// later answers a script of ours with the codes of one hour. The script seals
// them on the phone; nothing of them stays here.
func (h routes) later(c echo.Context, s account.Session) error {
	var in struct {
		From time.Time `json:"from"`
		With string    `json:"with"`
	}
	raw, err := io.ReadAll(io.LimitReader(c.Request().Body, 1024))
	if err != nil {
		return err
	}
	if vc.StrictJSON(raw, &in, vc.MaxDepth) != nil {
		return wallet.ErrBody
	}
	r := wallet.Request{Child: c.Param("child"), Consent: in.With}
	all, err := h.PresentAhead(c.Request().Context(), owner(s), r, in.From, in.From.Add(time.Hour))
	if err != nil {
		return err
	}
	out := []kept{}
	for _, a := range all {
		img, err := a.Draw()
		if err != nil {
			return err
		}
		out = append(out, kept{a.From, a.ExpiresAt, img.Size(), img.Bits()})
	}
	return serve.JSON(c, http.StatusOK, map[string]any{"codes": out})
}

// keptPage shows what a phone keeps. It is the page that is there without
// network, so it is the same for everybody and says nothing of anybody.
func (h routes) keptPage(c echo.Context) error {
	return h.pages.Site().Show(c.Response(), c.Request(), web.View{Page: "guardian/kept", Title: "guardian.title.later",
		Scripts: []string{"guardian/wallet.js", "guardian/kept.js"}, Styles: []string{"guardian/wallet.css", "guardian/show.css"}, Manifest: manifest, Exit: true})
}

// usableConsents lists the consents of a child that can be shown now.
func (h routes) usableConsents(c echo.Context, s account.Session, child string) ([]wallet.Consent, error) {
	all, err := h.Consents(c.Request().Context(), owner(s))
	var out []wallet.Consent
	for _, x := range all {
		if x.Child == child && x.Usable {
			out = append(out, x)
		}
	}
	return out, err
}

// offline are the static files that the pages need which are there without
// network.
var offline = []string{"govuk.css", "govuk.js", "kinpass.css", "mark.svg", "page.js",
	"guardian/wallet.css", "guardian/show.css", "guardian/wallet.js", "guardian/keep.js", "guardian/kept.js", "guardian/code.js", "guardian/icon.svg"}

// worker is the service worker: it keeps one page, the same for everybody.
func (h routes) worker(c echo.Context) error {
	return h.pages.Site().Worker(c.Response(), "guardian/sw.js", offline, []string{keptAddress})
}

const (
	manifest    = "/app/manifest.webmanifest"
	keptAddress = "/app/kept"
)

// manifestFile lets the wallet be installed. Its name and picture are those of
// any folder of papers.
func (h routes) manifestFile(c echo.Context) error {
	return h.pages.Site().Manifest(c.Response(), c.Request(), "guardian")
}
