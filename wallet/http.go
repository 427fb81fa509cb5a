package wallet

import (
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/serve"
	"github.com/kinpass/kinpass/internal/vc"
)

// RoleGuardian is the role of the API tokens that have a wallet.
const RoleGuardian = "guardian"

// ErrBody says that a request's body is not the JSON object that it should be.
var ErrBody = fault.New(fault.Invalid, "body-invalid", "the request's body is not the JSON object that the API describes")

// maxBody bounds a request's body, in bytes: an offer is the largest.
const maxBody = 32 << 10

// pixels is the side of a module of a QR code as PNG: about 900 for the code.
const pixels = 8

type routes struct{ *Wallet }

// Routes adds the wallet's routes to a server. Each serves the guardian whose
// token is sent and knows no other.
func Routes(s *serve.Server, w *Wallet) {
	h := routes{w}
	e, guardian := s.Echo, s.Auth(RoleGuardian)
	e.POST("/wallet/offers", h.accept, s.Limit(60, time.Minute), guardian)
	e.GET("/wallet/children", h.children, guardian)
	e.GET("/wallet/children/:id/proofs", h.proofs, guardian)
	e.GET("/wallet/credentials", h.credentials, guardian)
	e.GET("/wallet/credentials/:id", h.credential, guardian)
	e.DELETE("/wallet/credentials/:id", h.forgetOne, guardian)
	e.POST("/wallet/presentations", h.present, s.Limit(120, time.Minute), guardian)
	e.POST("/credentials/derive", h.deriveCredential, s.Limit(120, time.Minute), guardian)
	e.POST("/wallet/disclosures", h.disclose, s.Limit(120, time.Minute), guardian)
	e.POST("/wallet/renewals", h.renew, s.Limit(30, time.Minute), guardian)
	e.POST("/wallet/legacy", h.importLegacy, s.Limit(10, time.Minute), guardian)
	e.POST("/wallet/legacy/:id/reissue", h.reissue, s.Limit(30, time.Minute), guardian)
	e.POST("/wallet/consents", h.draftConsent, s.Limit(60, time.Minute), guardian)
	e.GET("/wallet/consents", h.consents, guardian)
	e.GET("/wallet/consents/:id", h.consent, guardian)
	e.DELETE("/wallet/consents/:id", h.deleteConsent, guardian)
	e.POST("/wallet/consents/join", h.joinConsent, s.Limit(60, time.Minute), guardian)
	e.GET("/wallet/consents/:id/dossier", h.dossier, guardian)
	e.PUT("/wallet/consents/:id/witnessed", h.witnessed, s.Limit(60, time.Minute), guardian)
	e.POST("/wallet/consents/:id/share", h.shareConsent, s.Limit(120, time.Minute), guardian)
	e.POST("/wallet/consents/:id/paper", h.consentPaper, s.Limit(60, time.Minute), guardian)
	e.POST("/wallet/shares", h.redeem, s.Limit(120, time.Minute), guardian)
	// Other wallet services read and write here for their guardians: who has
	// the secret of a link, and no token.
	drops := s.Limit(600, time.Minute)
	e.GET("/wallet/drops/:id", h.readDrop, drops)
	e.PUT("/wallet/drops/:id", h.writeDrop, drops)
	e.POST("/wallet/drops/:id/take", h.takeDrop, drops)
	e.POST("/wallet/consents/:id/sign", h.signConsent, s.Limit(60, time.Minute), guardian)
	e.POST("/wallet/consents/:id/withdraw", h.withdrawConsent, guardian)
	e.GET("/wallet/key", h.key, s.Limit(60, time.Minute), guardian)
	e.DELETE("/wallet", h.delete, guardian)
}

func guardianOf(c echo.Context) Guardian { return Guardian{ID: serve.CallerOf(c).ID} }

// readJSON reads a request's body into v.
func readJSON(c echo.Context, v any) error { return readLarge(c, v, maxBody) }

func readLarge(c echo.Context, v any, limit int64) error {
	raw, err := io.ReadAll(io.LimitReader(c.Request().Body, limit+1))
	if err != nil {
		return err
	}
	if int64(len(raw)) > limit {
		return serve.ErrTooLarge
	}
	if err := vc.StrictJSON(raw, v, vc.MaxDepth); err != nil {
		return ErrBody.With(err)
	}
	return nil
}

// proofs is a file to bring along, in the form that a border post takes.
func (h routes) proofs(c echo.Context) error {
	out, err := h.Proofs(c.Request().Context(), guardianOf(c), c.Param("id"))
	if err != nil {
		return err
	}
	return serve.JSON(c, http.StatusOK, map[string][]Proof{"proofs": out})
}

// accept takes the offer as the text of a link or as the offer object itself.
func (h routes) accept(c echo.Context) error {
	var in struct {
		Offer json.RawMessage `json:"offer"`
		PIN   string          `json:"pin"`
	}
	if err := readJSON(c, &in); err != nil {
		return err
	}
	text := string(in.Offer)
	if strings.HasPrefix(text, `"`) {
		if err := json.Unmarshal(in.Offer, &text); err != nil {
			return ErrBody.With(err)
		}
	}
	out, err := h.Accept(c.Request().Context(), guardianOf(c), text, in.PIN)
	if err != nil {
		return err
	}
	return serve.JSON(c, http.StatusOK, out)
}

func (h routes) children(c echo.Context) error {
	out, err := h.Children(c.Request().Context(), guardianOf(c))
	if err != nil {
		return err
	}
	return serve.JSON(c, http.StatusOK, map[string]any{"children": out})
}

func (h routes) credentials(c echo.Context) error {
	out, err := h.Credentials(c.Request().Context(), guardianOf(c))
	if err != nil {
		return err
	}
	return serve.JSON(c, http.StatusOK, map[string]any{"credentials": out})
}

func (h routes) credential(c echo.Context) error {
	out, err := h.Credential(c.Request().Context(), guardianOf(c), c.Param("id"))
	if err != nil {
		return err
	}
	return serve.JSON(c, http.StatusOK, out)
}

func (h routes) forgetOne(c echo.Context) error {
	if err := h.DeleteCredential(c.Request().Context(), guardianOf(c), c.Param("id")); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

func (h routes) delete(c echo.Context) error {
	if err := h.Delete(c.Request().Context(), guardianOf(c)); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// importLegacy takes a JWT as a string, or a credential as the object that it
// is: the bytes of it count.
func (h routes) importLegacy(c echo.Context) error {
	var in struct {
		Credential json.RawMessage `json:"credential"`
	}
	if err := readJSON(c, &in); err != nil {
		return err
	}
	data := []byte(in.Credential)
	if len(data) > 0 && data[0] == '"' {
		var text string
		if err := json.Unmarshal(data, &text); err != nil {
			return ErrBody.With(err)
		}
		data = []byte(text)
	}
	out, err := h.ImportLegacy(c.Request().Context(), guardianOf(c), data)
	if err != nil {
		return err
	}
	return serve.JSON(c, http.StatusOK, out)
}

func (h routes) reissue(c echo.Context) error {
	var in struct {
		Registrar string `json:"registrar"`
	}
	if err := readJSON(c, &in); err != nil {
		return err
	}
	out, err := h.RequestReissue(c.Request().Context(), guardianOf(c), c.Param("id"), in.Registrar)
	if err != nil {
		return err
	}
	return serve.JSON(c, http.StatusOK, out)
}

func (h routes) renew(c echo.Context) error {
	out, err := h.Renew(c.Request().Context(), guardianOf(c))
	if err != nil {
		return err
	}
	return serve.JSON(c, http.StatusOK, out)
}

// present answers with the presentation as JSON, or with its QR code where the
// client wants an image.
func (h routes) present(c echo.Context) error {
	var in struct {
		Child       string   `json:"child"`
		Credentials []string `json:"credentials"`
		Consent     string   `json:"consent"`
		Audience    string   `json:"audience"`
		Nonce       string   `json:"nonce"`
		Children    []string `json:"children"`
	}
	if err := readJSON(c, &in); err != nil {
		return err
	}
	r := Request{Child: in.Child, Credentials: in.Credentials, Consent: in.Consent, Audience: in.Audience, Nonce: in.Nonce}
	if in.Children != nil {
		return h.presentGroup(c, in.Children, r)
	}
	p, err := h.Present(c.Request().Context(), guardianOf(c), r)
	if err != nil {
		return err
	}
	img, err := p.Draw()
	if err != nil {
		return err
	}
	head := c.Response().Header()
	head.Set("Cache-Control", "no-store")
	head.Set("Vary", "Accept")
	switch wanted(c.Request().Header.Get("Accept")) {
	case "image/svg+xml":
		return c.Blob(http.StatusOK, "image/svg+xml", []byte(img.SVG()))
	case "image/png":
		png, err := img.PNG(pixels)
		if err != nil {
			return err
		}
		return c.Blob(http.StatusOK, "image/png", png)
	}
	return serve.JSON(c, http.StatusOK, struct {
		Presentation
		QR string `json:"qr"`
	}{p, img.SVG()})
}

// presentGroup answers with one presentation for each child.
func (h routes) presentGroup(c echo.Context, children []string, r Request) error {
	g, err := h.PresentGroup(c.Request().Context(), guardianOf(c), children, r)
	if err != nil {
		return err
	}
	type shown struct {
		GroupMember
		QR string `json:"qr"`
	}
	out := struct {
		Presentations []shown        `json:"presentations"`
		Missing       []GroupMissing `json:"missing"`
	}{[]shown{}, g.Missing}
	for _, p := range g.Presentations {
		img, err := p.Draw()
		if err != nil {
			return err
		}
		out.Presentations = append(out.Presentations, shown{p, img.SVG()})
	}
	return serve.JSON(c, http.StatusOK, out)
}

func (h routes) draftConsent(c echo.Context) error {
	var in Draft
	if err := readJSON(c, &in); err != nil {
		return err
	}
	out, err := h.DraftConsent(c.Request().Context(), guardianOf(c), in)
	if err != nil {
		return err
	}
	return serve.JSON(c, http.StatusCreated, out)
}

func (h routes) consents(c echo.Context) error {
	out, err := h.Consents(c.Request().Context(), guardianOf(c))
	if err != nil {
		return err
	}
	return serve.JSON(c, http.StatusOK, map[string]any{"consents": out})
}

func (h routes) consent(c echo.Context) error {
	out, err := h.Consent(c.Request().Context(), guardianOf(c), c.Param("id"))
	if err != nil {
		return err
	}
	return serve.JSON(c, http.StatusOK, out)
}

func (h routes) signConsent(c echo.Context) error {
	var in struct {
		Alone bool `json:"alone"`
	}
	if c.Request().ContentLength != 0 {
		if err := readJSON(c, &in); err != nil {
			return err
		}
	}
	out, err := h.SignConsent(c.Request().Context(), guardianOf(c), c.Param("id"), in.Alone)
	if err != nil {
		return err
	}
	return serve.JSON(c, http.StatusOK, out)
}

func (h routes) withdrawConsent(c echo.Context) error {
	if err := h.WithdrawConsent(c.Request().Context(), guardianOf(c), c.Param("id")); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

func (h routes) deleteConsent(c echo.Context) error {
	if err := h.DeleteConsent(c.Request().Context(), guardianOf(c), c.Param("id")); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// link is the body of requests that bring a link.
type link struct {
	Link string `json:"link"`
}

func (h routes) joinConsent(c echo.Context) error {
	var in link
	if err := readJSON(c, &in); err != nil {
		return err
	}
	out, err := h.JoinConsent(c.Request().Context(), guardianOf(c), in.Link)
	if err != nil {
		return err
	}
	return serve.JSON(c, http.StatusOK, out)
}

func (h routes) dossier(c echo.Context) error {
	out, err := h.ConsentDossier(c.Request().Context(), guardianOf(c), c.Param("id"))
	if err != nil {
		return err
	}
	return serve.JSON(c, http.StatusOK, out)
}

func (h routes) witnessed(c echo.Context) error {
	var in struct {
		Credential string `json:"credential"`
	}
	if err := readJSON(c, &in); err != nil {
		return err
	}
	out, err := h.KeepWitnessed(c.Request().Context(), guardianOf(c), c.Param("id"), in.Credential)
	if err != nil {
		return err
	}
	return serve.JSON(c, http.StatusOK, out)
}

func (h routes) shareConsent(c echo.Context) error {
	var in struct {
		Key string `json:"key"`
	}
	if c.Request().ContentLength != 0 {
		if err := readJSON(c, &in); err != nil {
			return err
		}
	}
	out, err := h.ShareConsent(c.Request().Context(), guardianOf(c), c.Param("id"), in.Key)
	if err != nil {
		return err
	}
	return serve.JSON(c, http.StatusOK, out)
}

// consentPaper answers with the codes for print.
func (h routes) consentPaper(c echo.Context) error {
	p, err := h.ConsentPaper(c.Request().Context(), guardianOf(c), c.Param("id"))
	if err != nil {
		return err
	}
	type code struct {
		KP1   string   `json:"kp1"`
		Holds []string `json:"holds"`
		SVG   string   `json:"svg"`
		PNG   []byte   `json:"png"`
	}
	var out struct {
		Codes []code `json:"codes"`
	}
	for _, x := range p.Codes {
		png, err := x.image.PNG(paperPixels)
		if err != nil {
			return err
		}
		out.Codes = append(out.Codes, code{x.KP1, x.Holds, x.image.SVG(), png})
	}
	return serve.JSON(c, http.StatusOK, out)
}

// paperPixels is the side of a module in a printed code, in pixels: 4 cm hold it
// at 600 dots an inch.
const paperPixels = 10

func (h routes) redeem(c echo.Context) error {
	var in link
	if err := readJSON(c, &in); err != nil {
		return err
	}
	out, err := h.Redeem(c.Request().Context(), guardianOf(c), in.Link)
	if err != nil {
		return err
	}
	return serve.JSON(c, http.StatusOK, map[string]any{"children": []Child{out}})
}

// maxDropBody bounds the body of a written drop, which is base64url.
const maxDropBody = maxDrop*4/3 + 1024

// accessOf gives what proves that a reader has the secret of a link.
func accessOf(c echo.Context) string {
	access, _ := strings.CutPrefix(c.Request().Header.Get("Authorization"), "Bearer ")
	return access
}

func (h routes) readDrop(c echo.Context) error {
	// Somebody opened the link where a wallet should: the page takes it from
	// there, with the fragment, which a browser carries along.
	if strings.Contains(c.Request().Header.Get("Accept"), "text/html") && accessOf(c) == "" {
		return c.Redirect(http.StatusSeeOther, "/app/link/"+url.PathEscape(c.Param("id")))
	}
	out, err := h.ReadDrop(c.Request().Context(), c.Param("id"), accessOf(c))
	if err != nil {
		return err
	}
	return serve.JSON(c, http.StatusOK, out)
}

func (h routes) writeDrop(c echo.Context) error {
	var in DropContent
	if err := readLarge(c, &in, maxDropBody); err != nil {
		return err
	}
	out, err := h.WriteDrop(c.Request().Context(), c.Param("id"), accessOf(c), in)
	if err != nil {
		return err
	}
	return serve.JSON(c, http.StatusOK, out)
}

func (h routes) takeDrop(c echo.Context) error {
	var in DropReader
	if err := readJSON(c, &in); err != nil {
		return err
	}
	out, err := h.TakeDrop(c.Request().Context(), c.Param("id"), accessOf(c), in)
	if err != nil {
		return err
	}
	return serve.JSON(c, http.StatusOK, out)
}

// key makes a wallet for who has none, so it takes nothing that it does not
// know: a question that was mistaken leaves nothing behind.
func (h routes) key(c echo.Context) error {
	if c.Request().URL.RawQuery != "" {
		return serve.ErrRequest
	}
	out, err := h.Key(c.Request().Context(), guardianOf(c))
	if err != nil {
		return err
	}
	return serve.JSON(c, http.StatusOK, map[string]string{"did": out})
}

// disclose answers with a part of one credential.
func (h routes) disclose(c echo.Context) error {
	var in Choice
	if err := readJSON(c, &in); err != nil {
		return err
	}
	out, err := h.Disclose(c.Request().Context(), guardianOf(c), in)
	if err != nil {
		return err
	}
	return serve.JSON(c, http.StatusOK, out)
}

// wanted gives the first media type of an Accept header that there is; JSON
// if none is.
func wanted(accept string) string {
	for part := range strings.SplitSeq(accept, ",") {
		media, _, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		switch media {
		case "application/json", "image/svg+xml", "image/png":
			return media
		}
	}
	return "application/json"
}
