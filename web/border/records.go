package border

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"

	"github.com/labstack/echo/v4"

	"github.com/kinpass/kinpass/internal/account"
	"github.com/kinpass/kinpass/internal/serve"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/verifier"
	"github.com/kinpass/kinpass/web"
)

// maxReport bounds what a device sends at once, in bytes.
const maxReport = 256 << 10

// records adds the pages on which people see what was decided, and the way in
// which devices tell of it.
func (h routes) records(e *echo.Group, p *account.Pages) {
	e.GET("/app/token", p.For(h.token, verifier.RoleOfficer))
	e.POST("/app/records", p.For(h.report, verifier.RoleOfficer))
	e.GET("/app/overrides", p.For(h.overrides, verifier.RoleOfficer, verifier.RoleSupervisor))
	e.POST("/app/overrides/:id", p.For(h.answer, verifier.RoleOfficer, verifier.RoleSupervisor))
}

// token gives a page that was kept for times without a network what it needs to
// send something.
func (h routes) token(c echo.Context, _ account.Session) error {
	c.Response().Header().Set("Cache-Control", "no-store")
	return serve.JSON(c, http.StatusOK, map[string]string{"token": h.pages.FormToken(c.Request())})
}

// report takes what a device decided.
func (h routes) report(c echo.Context, s account.Session) error {
	data, err := io.ReadAll(io.LimitReader(c.Request().Body, maxReport+1))
	if err != nil {
		return verifier.ErrReport.With(err)
	}
	if len(data) > maxReport {
		return serve.ErrTooLarge
	}
	var in struct {
		Records []verifier.Record `json:"records"`
	}
	if err := vc.StrictJSON(data, &in, 6); err != nil {
		return verifier.ErrReport.With(err)
	}
	n, err := h.Report(c.Request().Context(), callerOf(s), in.Records)
	if err != nil {
		return err
	}
	return serve.JSON(c, http.StatusOK, map[string]int{"taken": n})
}

func callerOf(s account.Session) serve.Caller {
	return serve.Caller{ID: s.Account.ID, Name: s.Account.Name, Role: s.Account.Role}
}

// shownRecord is a record with its codes in the visitor's words.
type shownRecord struct {
	verifier.Record
	Words []string
	Own   bool // reported by who looks
}

func (h routes) inWords(c echo.Context, me account.Session, list []verifier.Record) []shownRecord {
	var out []shownRecord
	for _, x := range list {
		s := shownRecord{Record: x, Own: x.ReportedBy(me.Account.ID)}
		for _, code := range x.Codes {
			key := "border.js.code." + code
			text := h.pages.Site().Text(c.Request(), key)
			if text == key { // of a device that is newer than this service
				text = code
			}
			if !slices.Contains(s.Words, text) {
				s.Words = append(s.Words, text)
			}
		}
		out = append(out, s)
	}
	return out
}

const perPage = 50

// checks shows supervisors and auditors what was decided at all posts.
func (h routes) checks(c echo.Context, s account.Session) error {
	v := web.View{Page: "border/checks", Title: "border.checks", Styles: []string{"border/border.css"}}
	before := c.QueryParam("before")
	list, err := h.Records(c.Request().Context(), before, perPage+1)
	if errors.Is(err, verifier.ErrNoSuchCheck) { // purged since the page before
		before = ""
		list, err = h.Records(c.Request().Context(), "", perPage+1)
	}
	if err != nil {
		return err
	}
	older := ""
	if len(list) > perPage {
		list = list[:perPage]
		older = "/app/?before=" + url.QueryEscape(list[perPage-1].ID)
	}
	v.Data = map[string]any{"Records": h.inWords(c, s, list), "Older": older, "First": before == ""}
	return h.show(c, v)
}

// overrides shows what waits for a second person, and what was answered.
func (h routes) overrides(c echo.Context, s account.Session) error {
	all, err := h.Overrides(c.Request().Context(), false)
	if err != nil {
		return err
	}
	shown := h.inWords(c, s, all)
	waiting := slices.DeleteFunc(slices.Clone(shown), func(r shownRecord) bool { return !r.NeedsSecond() })
	rest := slices.DeleteFunc(shown, func(r shownRecord) bool { return r.NeedsSecond() })
	v := web.View{Page: "border/overrides", Title: "border.overrides", Styles: []string{"border/border.css"},
		Data: map[string]any{"Waiting": waiting, "Rest": rest}}
	switch c.QueryParam("done") {
	case "confirmed":
		v.Notice = &web.Notice{Text: "border.overrides.confirmed-now", Success: true}
	case "denied":
		v.Notice = &web.Notice{Text: "border.overrides.denied-now", Success: true}
	}
	return h.show(c, v)
}

func (h routes) answer(c echo.Context, s account.Session) error {
	agreed := false
	switch c.Request().PostFormValue("answer") {
	case verifier.AnswerConfirmed:
		agreed = true
	case verifier.AnswerDenied:
	default:
		return verifier.ErrReport
	}
	if err := h.Answer(c.Request().Context(), callerOf(s), c.Param("id"), agreed); err != nil {
		return err
	}
	done := verifier.AnswerDenied
	if agreed {
		done = verifier.AnswerConfirmed
	}
	return c.Redirect(http.StatusSeeOther, "/app/overrides?done="+done)
}
