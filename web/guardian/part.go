package guardian

import (
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/kinpass/kinpass/internal/account"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/qr"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/wallet"
	"github.com/kinpass/kinpass/web"
)

// ages are those that a birth tells apart one by one.
var ages = []string{"13", "15", "16", "18", "21"}

// widest is the largest code that an old phone's screen still shows clearly, in
// modules a side.
const widest = 149

// inParts finds the copies of a child's credentials of which a part can be shown:
// that of the birth and that of the guardianship, "" where there is none.
func (h routes) inParts(c echo.Context, s account.Session, child string) (birth, guard string, err error) {
	all, err := h.Credentials(c.Request().Context(), owner(s))
	for _, x := range all {
		switch {
		case x.Child != child || x.Format != "dc+sd-jwt" || x.State != "valid":
		case x.Type == vc.TypeBirth:
			birth = x.ID
		default:
			guard = x.ID
		}
	}
	return birth, guard, err
}

func (h routes) partPage(c echo.Context, s account.Session) error {
	return h.showPart(c, s, web.Form{})
}

func (h routes) showPart(c echo.Context, s account.Session, f web.Form) error {
	k, err := h.cardOf(c, s)
	if err != nil {
		return err
	}
	birth, guard, err := h.inParts(c, s, k.ID)
	if err != nil {
		return err
	}
	w := h.words(c.Request())
	var what []web.Option
	if birth != "" {
		for _, a := range ages {
			what = append(what, web.Option{Value: "age:" + a, Label: w.say("guardian.part.age", "age", a)})
		}
		what = append(what, web.Option{Value: "identity", Label: w.say("guardian.part.identity")}, web.Option{Value: "parentage", Label: w.say("guardian.part.parents")})
	}
	if guard != "" {
		what = append(what, web.Option{Value: "guardian", Label: w.say("guardian.part.guardian")})
	}
	v := web.View{Page: "guardian/part", Title: "guardian.title.show", Form: f, Camera: true, Wasm: true,
		Scripts: []string{"guardian/add.js"}, Styles: []string{"scan/scan.css"}, Data: map[string]any{"Child": k, "What": what}}
	if !f.Good() {
		v.Status = http.StatusUnprocessableEntity
	}
	return h.answer(c, v)
}

// part shows a part of one credential to somebody who asked for it. Nothing is
// sent: the guardian holds the code out or passes the text on.
func (h routes) part(c echo.Context, s account.Session) error {
	k, err := h.cardOf(c, s)
	if err != nil {
		return err
	}
	values, err := c.FormParams()
	if err != nil {
		return wallet.ErrBody.With(err)
	}
	f := web.Form{Values: values}
	birth, guard, err := h.inParts(c, s, k.ID)
	if err != nil {
		return err
	}
	choice := wallet.Choice{Credential: birth, Show: values.Get("what")}
	if choice.Show == "guardian" {
		choice.Credential, choice.Show = guard, "identity"
	}
	var asked bool
	if choice.Audience, choice.Nonce, asked = request(values.Get("offer")); !asked {
		f.Wrong("offer", "guardian.part.request-wrong")
	}
	if choice.Show == "" || choice.Credential == "" {
		f.Wrong("what", "guardian.part.what-missing")
	}
	if !f.Good() {
		return h.showPart(c, s, f)
	}
	d, err := h.Disclose(c.Request().Context(), owner(s), choice)
	switch {
	case errors.Is(err, wallet.ErrRequestTerms):
		f.Wrong("offer", "guardian.part.request-wrong")
	case errors.Is(err, wallet.ErrNoSuchClaim) || errors.Is(err, wallet.ErrDisclose):
		f.Wrong("what", "guardian.part.not-there")
	case err != nil:
		return err
	}
	if !f.Good() {
		return h.showPart(c, s, f)
	}
	var drawn template.HTML
	if img, err := qr.DrawAny(d.Presentation, qr.L); err == nil && img.Size() <= widest {
		drawn = template.HTML(img.SVG()) // our own drawing: one path of numbers
	} else if err != nil && fault.As(err).Kind == fault.Internal {
		return err
	}
	return h.answer(c, web.View{Page: "guardian/parted", Title: "guardian.title.show", Scripts: []string{"guardian/parted.js"}, Styles: []string{"guardian/show.css"},
		Data: map[string]any{"Child": k, "To": choice.Audience, "Shown": h.words(c.Request()).shown(d.Shown), "Text": d.Presentation, "Code": drawn, "Until": d.ExpiresAt}})
}

// shown says what a part shows, each once.
func (w words) shown(places []string) []string {
	var out []string
	for _, at := range places {
		steps := strings.Split(strings.TrimPrefix(at, "/credentialSubject"), "/")
		text := w.known("guardian.shown.", steps[min(1, len(steps)-1)])
		if len(steps) == 3 && steps[1] == "age_equal_or_over" {
			text = w.say("guardian.part.age", "age", steps[2])
		}
		if !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	return out
}

// request reads what somebody asks with: who asks and the number that keeps an
// answer from being used twice, as JSON or in a link.
func request(text string) (audience, nonce string, ok bool) {
	text = strings.TrimSpace(text)
	if len(text) > 4096 {
		return "", "", false
	}
	var in map[string]any
	if vc.StrictJSON([]byte(text), &in, vc.MaxDepth) != nil {
		in = map[string]any{}
		u, err := url.Parse(text)
		if err != nil {
			return "", "", false
		}
		q, err := url.ParseQuery(u.RawQuery)
		if err != nil {
			return "", "", false
		}
		for name, v := range q {
			if len(v) == 1 {
				in[name] = v[0]
			}
		}
	}
	first := func(names ...string) string {
		for _, n := range names {
			if s, ok := in[n].(string); ok && s != "" {
				return s
			}
		}
		return ""
	}
	audience, nonce = first("audience", "aud", "domain", "client_id"), first("nonce", "challenge")
	return audience, nonce, audience != "" && nonce != ""
}
