package registrar

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/kinpass/kinpass/internal/account"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/serve"
	"github.com/kinpass/kinpass/issuer"
	"github.com/kinpass/kinpass/web"
)

// importing is registering many records at once: one registrar brings the file,
// another one lets it in.
var importing = part{
	routes: func(h routes, e *echo.Group) {
		x := &imports{routes: h, jobs: map[string]*importJob{}}
		only := issuer.RoleRegistrar
		e.GET("/app/import", h.pages.For(x.page, only))
		e.POST("/app/import", h.pages.For(x.upload, only))
		e.POST("/app/import/parts", h.pages.For(x.part, only))
		e.GET("/app/import/:id", h.pages.For(x.job, only))
		e.POST("/app/import/:id", h.pages.For(x.decide, only))
		e.GET("/app/import/:id/progress", h.pages.For(x.progress, only))
		e.GET("/app/import/:id/refused", h.pages.For(x.refused, only))
	},
	nav: func(role string) []web.NavItem { return nil },
	cards: func(_ routes, _ echo.Context, s account.Session) ([]card, error) {
		if s.Account.Role == issuer.RoleRegistrar {
			return []card{{Title: "registrar.import.title", Text: "registrar.import.card", Href: "/app/import"}}, nil
		}
		return nil, nil
	},
}

// imports are the files that registrars brought. They are kept in memory for as
// long as they are worked on: what is lost with it is brought again, and what was
// registered of it is known by then.
type imports struct {
	routes
	mu   sync.Mutex
	jobs map[string]*importJob
}

// States of an import.
const (
	importWaits   = "waits"
	importRuns    = "running"
	importDone    = "done"
	importFailed  = "failed"
	importRefused = "denied"
)

const (
	maxImport  = 64 << 20 // bytes of one import
	maxImports = 20       // that are kept
	importKept = 24 * time.Hour
)

var (
	errNoImport   = fault.New(fault.NotFound, "no-such-import", "there is no such import, or it was kept long enough")
	errImportSize = fault.New(fault.TooLarge, "import-too-large", "an import brings at most 64 MiB at once").WithHint("bring it in several files, or use kinpass import")
	errImportBusy = fault.New(fault.Unavailable, "imports-full", "too many imports are under way").WithHint("decide or wait for those first")
)

type importJob struct {
	ID         string
	By         string
	Approver   string
	byID       string
	State      string
	Lines      int // that are not blank
	Done       int
	At         time.Time
	Sum        issuer.Summary
	Refused    []refusedLine // the first of them
	Code       string        // of what made it fail
	raw        bytes.Buffer
	refusedRaw bytes.Buffer
}

// refusedLine is a line that was refused, as it is shown.
type refusedLine struct {
	Line  int
	Where string
	Why   string // key of a message
}

// get gives a job to a registrar of this service.
func (x *imports) get(id string) (*importJob, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for k, j := range x.jobs {
		if time.Since(j.At) > importKept && j.State != importRuns {
			delete(x.jobs, k)
		}
	}
	j, ok := x.jobs[id]
	if !ok {
		return nil, errNoImport
	}
	return j, nil
}

// take adds bytes to a job, or makes one.
func (x *imports) take(s account.Session, id string, body io.Reader) (*importJob, error) {
	j := (*importJob)(nil)
	if id != "" {
		var err error
		if j, err = x.get(id); err != nil {
			return nil, err
		}
		if j.byID != s.Account.ID || j.State != importWaits {
			return nil, errNoImport
		}
	}
	part, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if j == nil {
		if !x.room() {
			return nil, errImportBusy
		}
		j = &importJob{ID: newRef(), By: s.Account.Name, byID: s.Account.ID, State: importWaits, At: time.Now()}
		x.jobs[j.ID] = j
	}
	if j.raw.Len()+len(part) > maxImport {
		delete(x.jobs, j.ID)
		return nil, errImportSize
	}
	j.raw.Write(part)
	j.Lines = 0
	for l := range bytes.SplitSeq(j.raw.Bytes(), []byte("\n")) {
		if len(bytes.TrimSpace(l)) > 0 {
			j.Lines++
		}
	}
	return j, nil
}

// room makes room for another import: the oldest that is over goes. It reports
// false where all of them wait or run.
func (x *imports) room() bool {
	if len(x.jobs) < maxImports {
		return true
	}
	oldest := ""
	for id, j := range x.jobs {
		if j.State != importWaits && j.State != importRuns && (oldest == "" || j.At.Before(x.jobs[oldest].At)) {
			oldest = id
		}
	}
	delete(x.jobs, oldest)
	return oldest != ""
}

func (x *imports) page(c echo.Context, s account.Session) error {
	return x.form(c, s, web.Form{})
}

func (x *imports) form(c echo.Context, s account.Session, f web.Form) error {
	x.mu.Lock()
	var list []importJob
	for _, j := range x.jobs {
		list = append(list, importJob{ID: j.ID, By: j.By, byID: j.byID, State: j.State, Lines: j.Lines, At: j.At})
	}
	x.mu.Unlock()
	slices.SortFunc(list, func(a, b importJob) int { return b.At.Compare(a.At) })
	status := http.StatusOK
	if !f.Good() {
		status = http.StatusUnprocessableEntity
	}
	return x.show(c, web.View{Page: "registrar/import", Title: "registrar.import.title", Form: f, Status: status, Styles: officeStyles, Scripts: []string{"registrar/office.js"},
		Data: map[string]any{"Jobs": list}})
}

func (x *imports) upload(c echo.Context, s account.Session) error {
	var f web.Form
	files, err := c.MultipartForm()
	if err != nil || len(files.File["file"]) == 0 {
		f.Wrong("file", "registrar.import.choose")
		return x.form(c, s, f)
	}
	id, rows := "", 0
	for _, h := range files.File["file"] {
		r, err := h.Open()
		if err != nil {
			return err
		}
		j, err := x.take(s, id, io.MultiReader(r, bytes.NewReader([]byte("\n"))))
		r.Close()
		if err != nil {
			return err
		}
		id = j.ID
		rows = j.Lines
	}
	if rows == 0 {
		x.mu.Lock()
		delete(x.jobs, id)
		x.mu.Unlock()
		f.Wrong("file", "registrar.import.empty")
		return x.form(c, s, f)
	}
	return c.Redirect(http.StatusSeeOther, "/app/import/"+id)
}

func (x *imports) part(c echo.Context, s account.Session) error {
	j, err := x.take(s, c.QueryParam("job"), c.Request().Body)
	if err != nil {
		return err
	}
	return serve.JSON(c, http.StatusOK, map[string]string{"job": j.ID})
}

func (x *imports) job(c echo.Context, s account.Session) error {
	j, err := x.get(c.Param("id"))
	if err != nil {
		return err
	}
	return x.jobPage(c, s, j, web.Form{})
}

func (x *imports) jobPage(c echo.Context, s account.Session, j *importJob, f web.Form) error {
	x.mu.Lock()
	shown := importJob{ID: j.ID, By: j.By, Approver: j.Approver, State: j.State, Lines: j.Lines, Done: j.Done, At: j.At, Sum: j.Sum, Refused: slices.Clone(j.Refused), Code: j.Code}
	x.mu.Unlock()
	return x.show(c, web.View{Page: "registrar/import-job", Title: "registrar.import.title", Form: f, Styles: officeStyles, Scripts: []string{"registrar/office.js"},
		Data: map[string]any{"Job": &shown, "Own": j.byID == s.Account.ID || j.By == s.Account.Name}})
}

func (x *imports) decide(c echo.Context, s account.Session) error {
	j, err := x.get(c.Param("id"))
	if err != nil {
		return err
	}
	if j.byID == s.Account.ID || j.By == s.Account.Name {
		return issuer.ErrSamePerson
	}
	x.mu.Lock()
	if j.State != importWaits {
		x.mu.Unlock()
		return issuer.ErrAlreadyDecided
	}
	decision := c.Request().PostForm.Get("decision")
	switch decision {
	case "approve":
		j.State, j.Approver = importRuns, s.Account.Name
		go x.run(j)
	case "deny":
		j.State, j.Approver = importRefused, s.Account.Name
		j.raw = bytes.Buffer{}
	}
	x.mu.Unlock()
	if decision != "approve" && decision != "deny" {
		var f web.Form
		f.Wrong("decision", "registrar.approval.choose")
		return x.jobPage(c, s, j, f)
	}
	return c.Redirect(http.StatusSeeOther, "/app/import/"+j.ID)
}

// run registers what a job brought. It goes on when whoever started it goes away;
// what is interrupted is brought again.
func (x *imports) run(j *importJob) {
	births, guardianships := sorted(j.raw.Bytes())
	var refused bytes.Buffer
	sum, err := x.Import(context.Background(), issuer.ImportConfig{Births: births, Guardianships: guardianships, Refused: &refused, Operator: j.By, Approver: j.Approver,
		Progress: func(lines int) {
			x.mu.Lock()
			j.Done += lines
			x.mu.Unlock()
		}})
	x.mu.Lock()
	defer x.mu.Unlock()
	j.Sum, j.State, j.raw = sum, importDone, bytes.Buffer{}
	j.refusedRaw.Write(refused.Bytes())
	if err != nil {
		j.State, j.Code = importFailed, fault.As(err).Code
	}
	d := json.NewDecoder(&refused)
	for len(j.Refused) < 50 {
		var r issuer.RefusedLine
		if d.Decode(&r) != nil {
			break
		}
		for _, f := range r.Fields {
			j.Refused = append(j.Refused, refusedLine{r.Line, f.Path, wordsFor(f.Rule)})
		}
	}
}

// wordsFor gives the message for a rule of the register.
func wordsFor(rule string) string {
	for _, w := range words {
		if bytes.Contains([]byte(rule), []byte(w.rule)) {
			return w.text
		}
	}
	return "registrar.wrong.other"
}

// sorted parts the lines of a file into births and guardianships. Each keeps its
// number: a line of the other kind leaves a blank one behind. A line that was
// refused before comes with the reason around it, which is taken off.
func sorted(raw []byte) (births, guardianships io.Reader) {
	var b, g bytes.Buffer
	for l := range bytes.SplitSeq(raw, []byte("\n")) {
		var is struct {
			Ward         json.RawMessage `json:"ward"`
			File         string          `json:"file"`
			Registration json.RawMessage `json:"registration"`
			Fields       json.RawMessage `json:"fields"`
		}
		to := &b
		if json.Unmarshal(l, &is) == nil {
			if is.Fields != nil && is.Registration != nil {
				l = bytes.Clone(is.Registration) // which has a member of that name itself
				is.Ward = nil
				var mended struct{ Ward json.RawMessage }
				if json.Unmarshal(l, &mended) == nil {
					is.Ward = mended.Ward
				}
			}
			if is.Ward != nil || is.File == "guardianships" {
				to = &g
			}
		}
		to.Write(l)
		b.WriteByte('\n')
		g.WriteByte('\n')
	}
	return &b, &g
}

func (x *imports) progress(c echo.Context, _ account.Session) error {
	j, err := x.get(c.Param("id"))
	if err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	return serve.JSON(c, http.StatusOK, map[string]any{"lines": min(j.Done, j.Lines), "of": j.Lines, "state": j.State})
}

// refused gives back the lines that were refused, with the reasons: the
// registrars' own data, to be mended and brought again.
func (x *imports) refused(c echo.Context, _ account.Session) error {
	j, err := x.get(c.Param("id"))
	if err != nil {
		return err
	}
	x.mu.Lock()
	body := bytes.Clone(j.refusedRaw.Bytes())
	x.mu.Unlock()
	h := c.Response().Header()
	h.Set("Content-Disposition", `attachment; filename="refused.jsonl"`)
	h.Set("Cache-Control", "no-store")
	return c.Blob(http.StatusOK, "application/jsonl", body)
}
