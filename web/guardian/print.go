package guardian

import (
	"errors"
	"html/template"
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"github.com/kinpass/kinpass/internal/account"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/wallet"
	"github.com/kinpass/kinpass/web"
)

// printed is a sheet to print: the codes, room for a portrait, and the same
// words in two languages, the reader's and one that they choose.
type printed struct {
	Back  string // address of the page before
	Codes []printedCode
	Texts []printedText
	// Second is the other language; Choices are those that there are.
	Second  string
	Choices []web.Option
}

type printedCode struct {
	QR template.HTML
	// Holds is a message that says what is in it, where there are several.
	Holds string
}

// printedText is what a sheet says in one language.
type printedText struct {
	Lang, Dir         string
	Title, Says       string
	Lines             []string
	Photo, Code       string
	Carry, Officer    string
	Carries, Officers []string
	Until             string
}

// in gives the words of another language for the same visitor.
func (w words) in(lang string) words {
	r := w.r.Clone(w.r.Context())
	r.Header = http.Header{"Accept-Language": {lang}}
	return words{w.site, r}
}

// second gives the second language of a sheet: the one that was asked for, or
// English, or French for who reads English.
func (w words) second(asked string) string {
	first := w.site.Language(w.r)
	switch {
	case asked != first && slices.Contains(web.Languages, asked):
		return asked
	case first == "en":
		return "fr"
	}
	return "en"
}

// sheetOf makes a sheet of codes; texts says what stands on it in a language.
func (w words) sheetOf(back, asked string, codes []printedCode, texts func(words) printedText) printed {
	p := printed{Back: back, Codes: codes, Second: w.second(asked)}
	first := w.site.Language(w.r)
	for _, lang := range web.Languages {
		if lang != first {
			p.Choices = append(p.Choices, web.Option{Value: lang, Label: web.LanguageName(lang), Checked: lang == p.Second})
		}
	}
	for _, lang := range []string{first, p.Second} {
		t := texts(w.in(lang))
		t.Lang, t.Dir = lang, "ltr"
		if lang == "ar" {
			t.Dir = "rtl"
		}
		p.Texts = append(p.Texts, t)
	}
	return p
}

func codesOf(p wallet.Paper) []printedCode {
	var out []printedCode
	for _, c := range p.Codes {
		x := printedCode{QR: template.HTML(c.SVG())} // our own drawing
		if len(p.Codes) > 1 {
			x.Holds = "guardian.pass.birth"
			if slices.Contains(c.Holds, vc.TypeConsent) {
				x.Holds = "guardian.pass.consent"
			}
		}
		out = append(out, x)
	}
	return out
}

// consentSheet shows a witnessed consent as it is printed, for an adult who has
// no wallet.
func (h routes) consentSheet(c echo.Context, s account.Session) error {
	x, err := h.sheet(c, s)
	if err != nil {
		return err
	}
	p, err := h.ConsentPaper(c.Request().Context(), owner(s), x.ID)
	if errors.Is(err, wallet.ErrConsentPaper) {
		return to(c, "/app/papers/"+x.ID+"/witness")
	}
	if err != nil {
		return err
	}
	// The journey ends on a day; the signature holds until it is over everywhere.
	last := func(w words) string {
		if d := x.Terms.Trip.NotAfter; d != "" {
			return w.date(d)
		}
		return w.day(x.ValidUntil)
	}
	scan := "guardian.pass.officer-1"
	if len(p.Codes) > 1 {
		scan = "guardian.pass.officer-all"
	}
	sheet := h.words(c.Request()).sheetOf("/app/papers/"+x.ID, c.QueryParam("second"), codesOf(p), func(w words) printedText {
		return printedText{
			Title: w.say("guardian.paper.heading"), Says: w.say("guardian.paper.says"), Lines: sentences(w.clauses(x.Terms, x.ValidUntil)),
			Photo: w.say("guardian.pass.photo"), Code: w.say("guardian.pass.code"), Until: w.say("guardian.pass.until", "date", last(w)),
			Carry: w.say("guardian.pass.carry"), Carries: []string{w.say("guardian.pass.carry-1"), w.say("guardian.pass.carry-2"), w.say("guardian.pass.carry-3"), w.say("guardian.pass.carry-4")},
			Officer: w.say("guardian.pass.officer"), Officers: []string{w.say(scan), w.say("guardian.pass.officer-2"), w.say("guardian.pass.officer-3")},
		}
	})
	return h.sheetPage(c, web.View{Page: "guardian/print", Title: "guardian.paper.title", Data: sheet})
}

// pass shows a child's paper pass as it is printed: for a guardian whose phone
// may be empty, lost or taken away.
func (h routes) pass(c echo.Context, s account.Session) error {
	k, err := h.cardOf(c, s)
	if err != nil {
		return err
	}
	p, err := h.PaperPass(c.Request().Context(), owner(s), k.ID)
	if f := fault.As(err); err != nil && f.Kind != fault.Internal && f.Kind != fault.NotFound {
		return h.sheetPage(c, web.View{Page: "guardian/pass-none", Title: "guardian.paper.title", Data: map[string]any{"Child": k.ID, "Later": f.Kind == fault.Unavailable}})
	}
	if err != nil {
		return err
	}
	sheet := h.words(c.Request()).sheetOf("/app/documents/"+k.ID, c.QueryParam("second"), codesOf(p), func(w words) printedText {
		lines := []string{w.alone(k.Name)}
		for _, other := range k.Others {
			lines = append(lines, w.alone(other))
		}
		if k.BirthDate != "" {
			lines = append(lines, w.say("guardian.journey.born", "date", w.born(k.BirthDate)))
		}
		lines = append(lines, w.say("guardian.pass.says"))
		return printedText{
			Title: w.say("guardian.pass.title"), Says: w.say("guardian.pass.child"), Lines: lines,
			Photo: w.say("guardian.pass.photo"), Code: w.say("guardian.pass.code"), Until: w.say("guardian.pass.until", "date", w.day(p.ValidUntil)),
			Carry: w.say("guardian.pass.carry"), Carries: []string{w.say("guardian.pass.carry-1"), w.say("guardian.pass.carry-2"), w.say("guardian.pass.carry-3"), w.say("guardian.pass.lost")},
			Officer: w.say("guardian.pass.officer"), Officers: []string{w.say("guardian.pass.officer-1"), w.say("guardian.pass.officer-4"), w.say("guardian.pass.officer-3")},
		}
	})
	return h.sheetPage(c, web.View{Page: "guardian/print", Title: "guardian.paper.title", Data: sheet})
}
