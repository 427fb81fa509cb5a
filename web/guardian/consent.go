package guardian

import (
	"encoding/json"
	"errors"
	"html/template"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/kinpass/kinpass/internal/account"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/qr"
	"github.com/kinpass/kinpass/internal/serve"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/wallet"
	"github.com/kinpass/kinpass/web"
)

// papers adds the pages of consents: called "papers" and "drafts" where
// somebody else could read it over a shoulder.
func (h routes) papers(s *serve.Server, e *echo.Group) {
	only := func(f account.Handler) echo.HandlerFunc { return h.pages.For(f, wallet.RoleGuardian) }
	some := s.Limit(60, time.Minute)

	e.GET("/app/papers", only(h.list))
	e.GET("/app/papers/new", only(h.beginPage))
	e.POST("/app/papers/new", only(h.begin), some)
	e.GET("/app/papers/:id", only(h.paper))
	e.GET("/app/papers/:id/news", only(h.news))
	e.GET("/app/papers/:id/sign", only(h.signPage))
	e.POST("/app/papers/:id/sign", only(h.sign), some)
	e.GET("/app/papers/:id/withdraw", only(h.withdrawPage))
	e.POST("/app/papers/:id/withdraw", only(h.withdraw), some)
	e.GET("/app/papers/:id/delete", only(h.deletePage))
	e.POST("/app/papers/:id/delete", only(h.delete), some)
	e.POST("/app/papers/:id/share", only(h.share), some)
	e.GET("/app/papers/:id/witness", only(h.witnessPage))
	e.POST("/app/papers/:id/witness", only(h.witnessed), some)
	e.GET("/app/papers/:id/file", only(h.dossier), some)
	e.GET("/app/papers/:id/print", only(h.consentSheet), some)
	e.GET("/app/documents/:child/print", only(h.pass), some)
	e.GET("/app/log", only(h.log))

	e.GET("/app/drafts/:id", only(h.summary))
	e.POST("/app/drafts/:id", only(h.finish), some)
	e.POST("/app/drafts/:id/delete", only(h.dropJourney))
	e.GET("/app/drafts/:id/adults", only(h.adults))
	e.GET("/app/drafts/:id/adults/:n", only(h.adultPage))
	e.POST("/app/drafts/:id/adults/:n", only(h.adult), some)
	e.POST("/app/drafts/:id/adults/:n/remove", only(h.removeAdult))
	e.GET("/app/drafts/:id/:step", only(h.stepPage))
	e.POST("/app/drafts/:id/:step", only(h.step), some)

	e.GET("/app/link", h.linkPage)
	e.GET("/app/link/:drop", h.linkPage)
	e.POST("/app/link", only(h.link), s.Limit(30, time.Minute))
	e.GET("/app/key", only(h.key))
}

// sheet is a consent as its pages show it.
type sheet struct {
	wallet.Consent
	Tag     string // message
	Colour  string // of the tag
	Name    string // the child's, "" if none is recorded
	Clauses []clause
	Signed  int
	Mine    bool // the visitor has signed
	// Missing is how many guardians must still join, by the mandate.
	Missing int
	// Given are the adults who have a wallet that it can be given to.
	Given []wallet.Adult
	QR    template.HTML // of the invitation
}

func (w words) sheet(c wallet.Consent) sheet {
	s := sheet{Consent: c, Name: c.Terms.Child, Clauses: w.clauses(c.Terms, c.ValidUntil)}
	for _, g := range c.Grantors {
		if g.Signed {
			s.Signed++
		}
		s.Mine = s.Mine || g.You && g.Signed
	}
	s.Missing = max(0, c.Quorum-len(c.Grantors))
	for _, a := range c.Terms.Adults {
		if a.Key != "" {
			s.Given = append(s.Given, a)
		}
	}
	switch {
	case c.State == "withdrawn":
		s.Tag, s.Colour = "guardian.paper.state.withdrawn", "red"
	case c.State == "expired":
		s.Tag, s.Colour = "guardian.paper.state.expired", "grey"
	case (c.State == "signed" || c.State == "witnessed") && !c.Usable:
		s.Tag, s.Colour = "guardian.paper.state.unusable", "red"
	case c.Shared:
		s.Tag, s.Colour = "guardian.paper.state.shared", "green"
	case c.State == "witnessed":
		s.Tag, s.Colour = "guardian.paper.state.witnessed", "green"
	case c.State == "signed":
		s.Tag, s.Colour = "guardian.paper.state.signed", "green"
	case s.Mine:
		s.Tag, s.Colour = "guardian.paper.state.waiting", "yellow"
	default:
		s.Tag, s.Colour = "guardian.paper.state.open", "yellow"
	}
	return s
}

// Ready reports whether it can be shown now.
func (s sheet) Ready() bool { return s.Usable }

// Over reports whether nothing can come of it any more.
func (s sheet) Over() bool { return s.State == "withdrawn" || s.State == "expired" }

// Short is whether fewer guardians agreed than the papers ask for.
func (s sheet) Short() bool {
	return (s.State == "signed" || s.State == "witnessed") && len(s.Grantors) < s.Quorum
}

func (h routes) list(c echo.Context, s account.Session) error {
	ctx, w := c.Request().Context(), h.words(c.Request())
	all, err := h.Consents(ctx, owner(s))
	if err != nil {
		return err
	}
	var sheets []sheet
	for _, x := range slices.Backward(all) {
		sheets = append(sheets, w.sheet(x))
	}
	open, err := h.Journeys(ctx, owner(s))
	if err != nil {
		return err
	}
	var drafts []written
	for _, j := range open {
		d := written{Journey: j}
		if err := json.Unmarshal(j.Answers, &d.answers); err != nil {
			return err
		}
		drafts = append(drafts, d)
	}
	cards, err := h.cards(c, s)
	if err != nil {
		return err
	}
	cards = slices.DeleteFunc(cards, func(k card) bool { return k.Shared || !k.Ready })
	v := web.View{Page: "guardian/papers", Title: "guardian.paper.title", Data: map[string]any{"Sheets": sheets, "Drafts": drafts, "Children": cards}}
	switch c.QueryParam("done") {
	case "dropped", "deleted":
		v.Notice = &web.Notice{Text: "guardian.paper.deleted", Success: true}
	}
	return h.sheetPage(c, v)
}

// sheetPage answers with a page of papers.
func (h routes) sheetPage(c echo.Context, v web.View) error {
	v.Styles, v.Scripts = append(v.Styles, "guardian/papers.css"), append([]string{"guardian/papers.js"}, v.Scripts...)
	return h.answer(c, v)
}

// sheet gives the consent that a request is about.
func (h routes) sheet(c echo.Context, s account.Session) (sheet, error) {
	x, err := h.Consent(c.Request().Context(), owner(s), c.Param("id"))
	if err != nil {
		return sheet{}, err
	}
	return h.words(c.Request()).sheet(x), nil
}

func (h routes) paper(c echo.Context, s account.Session) error {
	x, err := h.sheet(c, s)
	if err != nil {
		return err
	}
	if x.Invitation != nil {
		if x.QR, err = drawn(x.Invitation.Link); err != nil {
			return err
		}
	}
	v := web.View{Page: "guardian/paper", Title: "guardian.paper.title", Data: x}
	switch c.QueryParam("done") {
	case "signed":
		v.Notice = &web.Notice{Text: "guardian.paper.signed", Success: true}
	case "withdrawn":
		v.Notice = &web.Notice{Text: "guardian.paper.withdrawn", Success: true}
	case "later":
		v.Notice = &web.Notice{Text: "guardian.paper.withdrawn-later"}
	case "joined":
		v.Notice = &web.Notice{Text: "guardian.paper.joined", Success: true}
	case "witnessed":
		v.Notice = &web.Notice{Text: "guardian.paper.witnessed", Success: true}
	}
	return h.sheetPage(c, v)
}

// drawn gives the QR code of a link. It is our own drawing: one path of numbers.
func drawn(link string) (template.HTML, error) {
	img, err := qr.DrawAny(link, qr.M)
	if err != nil {
		return "", err
	}
	return template.HTML(img.SVG()), nil
}

// news tells the page's script how far a consent has come, and nothing that it
// says.
func (h routes) news(c echo.Context, s account.Session) error {
	x, err := h.sheet(c, s)
	if err != nil {
		return err
	}
	return serve.JSON(c, http.StatusOK, map[string]any{"state": x.State, "joined": len(x.Grantors), "signed": x.Signed, "usable": x.Usable})
}

func (h routes) signPage(c echo.Context, s account.Session) error {
	return h.showSign(c, s, web.Form{})
}

func (h routes) showSign(c echo.Context, s account.Session, f web.Form) error {
	return h.sheetForm(c, s, f, "guardian/paper-sign", false)
}

// sheetForm shows a form about a paper of the guardian's own that is not over, and
// that they signed or did not.
func (h routes) sheetForm(c echo.Context, s account.Session, f web.Form, page string, signed bool) error {
	x, err := h.sheet(c, s)
	if err != nil {
		return err
	}
	if x.Shared || x.Mine != signed || x.Over() {
		return to(c, "/app/papers/"+x.ID)
	}
	v := web.View{Page: page, Title: "guardian.paper.title", Form: f, Data: x}
	if !f.Good() {
		v.Status = http.StatusUnprocessableEntity
	}
	return h.sheetPage(c, v)
}

func (h routes) sign(c echo.Context, s account.Session) error {
	values, err := c.FormParams()
	if err != nil {
		return serve.ErrRequest.With(err)
	}
	f := web.Form{Values: values}
	if values.Get("read") != "yes" {
		f.Wrong("read", "guardian.paper.wrong.read")
		return h.showSign(c, s, f)
	}
	_, err = h.SignConsent(c.Request().Context(), owner(s), c.Param("id"), values.Get("alone") == "yes")
	switch {
	case errors.Is(err, wallet.ErrConsentSigners):
		f.Wrong("alone", "guardian.paper.wrong.alone")
		return h.showSign(c, s, f)
	case err != nil:
		return err
	}
	return to(c, "/app/papers/"+c.Param("id")+"?done=signed")
}

func (h routes) withdrawPage(c echo.Context, s account.Session) error {
	x, err := h.sheet(c, s)
	if err != nil {
		return err
	}
	if x.Shared || x.Over() {
		return to(c, "/app/papers/"+x.ID)
	}
	return h.sheetPage(c, web.View{Page: "guardian/paper-withdraw", Title: "guardian.paper.title", Data: x})
}

func (h routes) withdraw(c echo.Context, s account.Session) error {
	err := h.WithdrawConsent(c.Request().Context(), owner(s), c.Param("id"))
	done := "withdrawn"
	if f := fault.As(err); err != nil && f.Kind == fault.Unavailable {
		done, err = "later", nil // it is noted, and passed on as soon as that is possible
	}
	if err != nil {
		return err
	}
	return to(c, "/app/papers/"+c.Param("id")+"?done="+done)
}

func (h routes) deletePage(c echo.Context, s account.Session) error {
	x, err := h.sheet(c, s)
	if err != nil {
		return err
	}
	return h.sheetPage(c, web.View{Page: "guardian/paper-delete", Title: "guardian.paper.title", Data: x})
}

func (h routes) delete(c echo.Context, s account.Session) error {
	if err := h.DeleteConsent(c.Request().Context(), owner(s), c.Param("id")); err != nil {
		return err
	}
	return to(c, "/app/papers?done=deleted")
}

// handed is a link that is shown once.
type handed struct {
	Address   string
	ExpiresAt time.Time
	ID        string
	Name      string // of the adult who gets it
	QR        template.HTML
}

func (h routes) share(c echo.Context, s account.Session) error {
	x, err := h.sheet(c, s)
	if err != nil {
		return err
	}
	key := c.Request().PostFormValue("key")
	at := slices.IndexFunc(x.Given, func(a wallet.Adult) bool { return a.Key == key })
	if at < 0 {
		return wallet.ErrNoCompanion
	}
	l, err := h.ShareConsent(c.Request().Context(), owner(s), x.ID, key)
	if err != nil {
		return err
	}
	out := handed{Address: l.Link, ExpiresAt: l.ExpiresAt, ID: x.ID, Name: x.Given[at].Name}
	if out.QR, err = drawn(l.Link); err != nil {
		return err
	}
	return h.sheetPage(c, web.View{Page: "guardian/paper-share", Title: "guardian.paper.title", Data: out})
}

func (h routes) witnessPage(c echo.Context, s account.Session) error {
	return h.showWitness(c, s, web.Form{})
}

func (h routes) showWitness(c echo.Context, s account.Session, f web.Form) error {
	return h.sheetForm(c, s, f, "guardian/paper-witness", true)
}

// dossier gives the file that a witness needs. Its name says nothing.
func (h routes) dossier(c echo.Context, s account.Session) error {
	d, err := h.ConsentDossier(c.Request().Context(), owner(s), c.Param("id"))
	if err != nil {
		return err
	}
	head := c.Response().Header()
	head.Set("Content-Disposition", `attachment; filename="papers.json"`)
	head.Set("Cache-Control", "no-store")
	return serve.JSON(c, http.StatusOK, d)
}

// maxWitnessed bounds what a witness gave back, in bytes.
const maxWitnessed = 64 << 10

// witnessed takes what the witness gave back: a file, or its text.
func (h routes) witnessed(c echo.Context, s account.Session) error {
	f := web.Form{Values: map[string][]string{}}
	text := c.Request().PostFormValue("text")
	if part, _, err := c.Request().FormFile("file"); err == nil {
		defer part.Close()
		b, err := io.ReadAll(io.LimitReader(part, maxWitnessed+1))
		if err != nil {
			return err
		}
		if len(b) > 0 {
			text = string(b)
		}
	}
	f.Values.Set("text", text)
	credential := credentialIn(text)
	if credential == "" || len(text) > maxWitnessed {
		f.Wrong("text", "guardian.paper.wrong.witness")
		return h.showWitness(c, s, f)
	}
	_, err := h.KeepWitnessed(c.Request().Context(), owner(s), c.Param("id"), credential)
	switch {
	case errors.Is(err, wallet.ErrConsentParts):
		f.Wrong("text", "guardian.paper.wrong.witness-other")
		return h.showWitness(c, s, f)
	case err != nil:
		return err
	}
	return to(c, "/app/papers/"+c.Param("id")+"?done=witnessed")
}

// credentialIn finds the witnessed consent in what was given: as an office's
// service answers, or by itself. "" if there is none.
func credentialIn(text string) string {
	text = strings.TrimSpace(strings.TrimPrefix(text, "\ufeff"))
	var answer struct {
		Credential string `json:"credential"`
	}
	if json.Unmarshal([]byte(text), &answer) == nil {
		text = answer.Credential
	}
	if s, err := vc.SplitJWS(text); err != nil || s == nil {
		return ""
	}
	return text
}
