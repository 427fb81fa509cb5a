package registrar

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/kinpass/kinpass/internal/account"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/issuer"
	"github.com/kinpass/kinpass/web"
)

// searching is finding records.
var searching = part{
	routes: func(h routes, e *echo.Group) {
		x := &searches{routes: h, asked: map[string]asked{}}
		e.GET("/app/search", h.pages.For(x.page, readers...))
		e.POST("/app/search", h.pages.For(x.ask, readers...))
		e.GET("/app/search/:id", h.pages.For(x.found, readers...))
	},
	nav: func(role string) []web.NavItem {
		if slices.Contains(readers, role) {
			return []web.NavItem{{Href: "/app/search", Label: "registrar.search.nav"}}
		}
		return nil
	},
	cards: func(_ routes, _ echo.Context, s account.Session) ([]card, error) {
		if slices.Contains(readers, s.Account.Role) {
			return []card{{Title: "registrar.search.title", Text: "registrar.search.card", Href: "/app/search"}}, nil
		}
		return nil, nil
	},
}

// searches remembers what was looked for while somebody looks at the results:
// a name has no place in an address. What is older than lookedFor is forgotten,
// and so is all of it when the service ends.
type searches struct {
	routes
	mu    sync.Mutex
	asked map[string]asked
}

type asked struct {
	account string
	q       issuer.Lookup
	at      time.Time
}

const (
	lookedFor   = 30 * time.Minute
	maxSearches = 150 // of one person in that time
)

var errSearches = fault.New(fault.RateLimited, "too-many-searches", "this person searched very often in the last half hour")

// remember gives the address of a search. The register is asked about a person
// now and then; who goes through it name by name is stopped.
func (x *searches) remember(account string, q issuer.Lookup) (string, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	now, mine := time.Now(), 0
	for id, a := range x.asked {
		switch {
		case now.Sub(a.at) > lookedFor:
			delete(x.asked, id)
		case a.account == account:
			mine++
		}
	}
	if mine >= maxSearches || len(x.asked) >= 100*maxSearches {
		return "", errSearches
	}
	id := newRef()
	x.asked[id] = asked{account, q, now}
	return id, nil
}

// recall gives a search of this account only.
func (x *searches) recall(account, id string) (issuer.Lookup, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	a, ok := x.asked[id]
	return a.q, ok && a.account == account && time.Since(a.at) <= lookedFor
}

func (x *searches) page(c echo.Context, _ account.Session) error {
	return x.form(c, web.Form{}, nil, http.StatusOK)
}

// results is what a search came to, as it is shown.
type results struct {
	Found   bool // it was looked for
	Records []about
	More    bool
	Waiting int
}

func (x *searches) form(c echo.Context, f web.Form, r *results, status int) error {
	if r == nil {
		r = &results{}
	}
	return x.show(c, web.View{Page: "registrar/search", Title: "registrar.search.title", Status: status, Form: f, Styles: officeStyles, Data: r})
}

func (x *searches) ask(c echo.Context, s account.Session) error {
	q, f := lookup(c)
	if f.Good() {
		blameLookup(&f, q.Check())
	}
	if !f.Good() {
		return x.form(c, f, nil, http.StatusUnprocessableEntity)
	}
	id, err := x.remember(s.Account.ID, q)
	if err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, "/app/search/"+id)
}

// lookup reads the form. A day needs its month, and a month its year.
func lookup(c echo.Context) (issuer.Lookup, web.Form) {
	v := c.Request().PostForm
	f := web.Form{Values: url.Values{}}
	for _, name := range []string{"name", "number", "born-day", "born-month", "born-year"} {
		f.Values.Set(name, v.Get(name))
	}
	q := issuer.Lookup{Name: v.Get("name"), Number: v.Get("number")}
	a := answers{Form: &f}
	q.Born, _ = a.partOfDate("born")
	return q, f
}

func blameLookup(f *web.Form, err error) {
	if err == nil {
		return
	}
	for _, x := range fault.As(err).Fields {
		switch x.Path {
		case "/born":
			f.Wrong("born", "registrar.search.wrong-born")
		case "/number":
			f.Wrong("number", "registrar.search.wrong-number")
		default:
			f.Wrong("name", "registrar.search.wrong-name")
		}
	}
}

func (x *searches) found(c echo.Context, s account.Session) error {
	q, ok := x.recall(s.Account.ID, c.Param("id"))
	if !ok {
		return c.Redirect(http.StatusSeeOther, "/app/search")
	}
	found, err := x.Search(c.Request().Context(), caller(s), q)
	if err != nil {
		return err
	}
	r := &results{Found: true, More: found.More, Waiting: found.Waiting}
	for _, hit := range found.Records {
		a := x.about(c, hit.Child, hit.Mandate)
		a.ID, a.Href, a.State = hit.ID, placeOf(hit.Kind, hit.ID), stateOf(issuer.Record{State: hit.State, Status: hit.Status})
		r.Records = append(r.Records, a)
	}
	f := web.Form{Values: url.Values{"name": {q.Name}, "number": {q.Number}}}
	for n, part := range strings.Split(q.Born, "-") {
		f.Values.Set([]string{"born-year", "born-month", "born-day"}[n], part)
	}
	return x.form(c, f, r, http.StatusOK)
}
