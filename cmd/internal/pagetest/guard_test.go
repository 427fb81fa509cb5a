package pagetest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/kinpass/kinpass/cmd/internal/cli"
	"github.com/kinpass/kinpass/internal/account"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/web"
	"github.com/kinpass/kinpass/web/webtest"
)

// What is tested here is tested of every route that there is: a page that is new
// is found by its route or by a link to it.

// person is somebody who is signed in, without a browser.
type person struct {
	t       *testing.T
	at      cli.Service
	role    string
	session string
	start   string // address of the demonstration's start page
	cookies map[string]string
	csrf    string
}

// somebody signs in as somebody of a role.
func somebody(t *testing.T, at cli.Service, g account.Guest) *person {
	t.Helper()
	p := &person{t: t, at: at, role: g.Role, cookies: map[string]string{}}
	if g.Role != "" {
		secret, err := at.Accounts.Demonstrate(t.Context(), g, "Chromium, Linux")
		if err != nil {
			t.Fatal(err)
		}
		p.session = secret
		p.cookies["kinpass_"+at.Role+"_session"] = secret
		p.get("/app/account")
	} else {
		p.get("/app/sign-in")
	}
	if p.csrf == "" {
		t.Fatalf("%s: no token of a form", g.Role)
	}
	return p
}

var tokenOfForm = regexp.MustCompile(`(?:data-csrf|name="csrf" value)="([^"]*)"`)

// ask sends a request from an address of its own on this machine, so that limits
// on how often somebody asks do not stand in the way.
func (p *person) ask(method, path string, body []byte, header map[string]string) *httptest.ResponseRecorder {
	p.t.Helper()
	r := httptest.NewRequest(method, p.at.Base+path, bytes.NewReader(body))
	r.RequestURI = path
	r.RemoteAddr = fmt.Sprintf("127.%d.%d.%d:1", rand.IntN(250)+1, rand.IntN(250), rand.IntN(250))
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Accept-Language", "en")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for name, value := range p.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	for k, v := range header {
		r.Header.Set(k, v)
	}
	w := httptest.NewRecorder()
	p.at.Server.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		if c.MaxAge < 0 {
			delete(p.cookies, c.Name)
		} else {
			p.cookies[c.Name] = c.Value
		}
	}
	if m := tokenOfForm.FindStringSubmatch(w.Body.String()); m != nil {
		p.csrf = m[1]
	}
	return w
}

func (p *person) get(path string) *httptest.ResponseRecorder {
	p.t.Helper()
	return p.ask("GET", path, nil, nil)
}

const formType = "application/x-www-form-urlencoded"

func (p *person) post(path string, v url.Values) *httptest.ResponseRecorder {
	p.t.Helper()
	v.Set("csrf", p.csrf)
	return p.ask("POST", path, []byte(v.Encode()), map[string]string{"Content-Type": formType})
}

// route is one of the pages' routes.
type route struct{ method, path string }

// routes lists the routes of a service's pages.
func routes(t *testing.T, at cli.Service) []route {
	t.Helper()
	var out []route
	for _, r := range at.Server.Echo.Routes() {
		if strings.HasPrefix(r.Path, web.Root) && !strings.HasSuffix(r.Path, "*") && strings.ToUpper(r.Method) == r.Method {
			out = append(out, route{r.Method, r.Path})
		}
	}
	slices.SortFunc(out, func(a, b route) int { return strings.Compare(a.path+a.method, b.path+b.method) })
	if len(out) < 20 {
		t.Fatalf("%s has %d routes of pages", at.Role, len(out))
	}
	return out
}

// param stands in a route for what is in the address.
var param = regexp.MustCompile(`:[^/]+`)

func services(s *cli.Stand) []cli.Service { return []cli.Service{s.Issuer, s.Wallet, s.Verifier} }

// staff gives somebody of every role of a service.
func staff(t *testing.T, s *cli.Stand, at cli.Service) []*person {
	t.Helper()
	var out []*person
	for _, role := range at.Accounts.Roles() {
		g := account.Guest{Role: role, Name: "Pat " + role}
		if role == account.RoleGuardian {
			g = wallet(t, s)
		}
		p := somebody(t, at, g)
		p.start = strings.TrimSuffix(s.Start, "/")
		out = append(out, p)
	}
	return out
}

// TestForgedFormsOfEveryPage: whatever changes something takes the token of a
// page of ours, from a page of ours, of everybody.
func TestForgedFormsOfEveryPage(t *testing.T) {
	s := stand(t)
	n := 0
	for _, at := range services(s) {
		people := append(staff(t, s, at), somebody(t, at, account.Guest{}))
		other := somebody(t, at, account.Guest{Role: account.RoleAdministrator, Name: "Otto"})
		for _, r := range routes(t, at) {
			if r.method == http.MethodGet {
				continue
			}
			n++
			path := param.ReplaceAllString(r.path, "AAAAAAAAAAAAAAAA")
			for _, p := range people {
				for name, c := range map[string]struct{ body, token, site, media string }{
					"no token":            {"", "", "same-origin", formType},
					"no token, JSON":      {"{}", "", "same-origin", "application/json"},
					"no token, multipart": {"--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n--x--\r\n", "", "same-origin", "multipart/form-data; boundary=x"},
					"another's token":     {url.Values{"csrf": {other.csrf}}.Encode(), "", "same-origin", formType},
					"another's header":    {"{}", other.csrf, "same-origin", "application/json"},
					"another site":        {url.Values{"csrf": {p.csrf}}.Encode(), "", "cross-site", formType},
					"another service":     {"{}", p.csrf, "same-site", "application/json"},
				} {
					header := map[string]string{"Content-Type": c.media, "Sec-Fetch-Site": c.site}
					if c.token != "" {
						header["X-CSRF-Token"] = c.token
					}
					w := p.ask(r.method, path, []byte(c.body), header)
					// Who is not signed in is sent to do so, whatever they sent.
					if p.role == "" && w.Code == http.StatusSeeOther && strings.HasPrefix(w.Header().Get("Location"), "/app/sign-in") {
						continue
					}
					if w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "form-forged") {
						t.Errorf("%s %s %s as %q, %s: %d", at.Role, r.method, r.path, p.role, name, w.Code)
					}
				}
			}
		}
	}
	if n < 20 {
		t.Errorf("only %d routes change something", n)
	}
	// The same with everything right is not taken for forged: what is refused
	// above is refused for that.
	p := somebody(t, s.Issuer, account.Guest{Role: account.RoleAdministrator, Name: "Otto"})
	if w := p.post("/app/account/devices", url.Values{}); w.Code != 200 {
		t.Errorf("our own form: %d", w.Code)
	}
}

// TestPagesAreForWhoIsSignedIn: nobody else sees anything but the ways in.
func TestPagesAreForWhoIsSignedIn(t *testing.T) {
	s := stand(t)
	open := []string{"/app/sign-in", "/app/join", "/app/deleted", "/app/organisation", "/app/organisation/return", "/app/anchor", "/app/kept"}
	// Pages without anything of anybody's, which a device keeps for when there is no
	// network, and the page that a link from another guardian opens.
	shell := regexp.MustCompile(`^/app/(link|kept|offline|manifest|icon|sw|worker|service-worker|shell|check|scan|api|openapi|later)`)
	for _, at := range services(s) {
		nobody := somebody(t, at, account.Guest{})
		for _, r := range routes(t, at) {
			if r.method != http.MethodGet {
				continue
			}
			w := nobody.get(param.ReplaceAllString(r.path, "AAAAAAAAAAAAAAAA"))
			to := w.Header().Get("Location")
			in := w.Code == http.StatusSeeOther && strings.HasPrefix(to, "/app/sign-in")
			switch {
			case in || w.Code == http.StatusNotFound:
			case slices.Contains(open, r.path) || shell.MatchString(r.path):
			default:
				t.Errorf("%s %s for nobody: %d %s", at.Role, r.path, w.Code, to)
			}
		}
	}
}

// TestUploadsAreBounded: a body that is too large is refused before it is read,
// on every route.
func TestUploadsAreBounded(t *testing.T) {
	s := stand(t)
	for _, at := range services(s) {
		p := somebody(t, at, account.Guest{Role: account.RoleAdministrator, Name: "Otto"})
		for _, r := range routes(t, at) {
			if r.method == http.MethodGet {
				continue
			}
			req := httptest.NewRequest(r.method, at.Base+param.ReplaceAllString(r.path, "x"), unread{t})
			req.ContentLength = 65 << 20
			req.Header.Set("Content-Type", formType)
			req.Header.Set("X-CSRF-Token", p.csrf)
			for name, value := range p.cookies {
				req.AddCookie(&http.Cookie{Name: name, Value: value})
			}
			w := httptest.NewRecorder()
			at.Server.ServeHTTP(w, req)
			if w.Code != http.StatusRequestEntityTooLarge {
				t.Errorf("%s %s: %d", at.Role, r.path, w.Code)
			}
		}
	}
}

// unread is a body that nobody may read.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("it was read")
	return 0, io.EOF
}

// mark is in whatever is typed here: what it would make, if it were taken for
// more than text, bears it.
const mark = "kpxqzx"

// hostile are texts in all scripts that would run, or break out, where they are
// not taken for text.
var hostile = []string{
	`<script>kpxqzx()</script>`,
	`"><img src=x onerror=kpxqzx()>`,
	`'" onfocus=kpxqzx() autofocus kpxqzx='`,
	`</textarea></title></script><svg onload=kpxqzx()><kpxqzx>`,
	`javascript:kpxqzx()`,
	`{{kpxqzx}} ${kpxqzx()} <!-- kpxqzx --> ]]>`,
	`محمد <b onclick=kpxqzx()>علي</b>`,
	"राम \u2028<script>kpxqzx()</script>\u2029 कुमार",
	`王<kpxqzx>小明</kpxqzx>`,
	`Олена &lt;kpxqzx&gt; &#60;kpxqzx&#62;`,
	`አበበ%3Cscript%3Ekpxqzx()%3C/script%3E`,
	"\u202e>tpircs/<)(xpk>tpircs<\u202c",
	`Ọláyínká\u003cscript\u003ekpxqzx()\u003c/script\u003e`,
	`=HYPERLINK("kpxqzx")`,
}

// inert fails the test where a page has something in it that runs, loads from
// elsewhere or was made by what somebody typed, and for headers that do not keep
// it from doing so.
func inert(t *testing.T, where, start string, w *httptest.ResponseRecorder) *html.Node {
	t.Helper()
	h := w.Header()
	csp := h.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "base-uri 'none'", "frame-ancestors 'none'", "form-action 'self'"} {
		if !strings.Contains(csp, want) {
			t.Errorf("%s: the policy lacks %s", where, want)
		}
	}
	if strings.Contains(csp, "unsafe-inline") || strings.Contains(csp, "'unsafe-eval'") || strings.Contains(csp, "*") || strings.Contains(csp, "data:") {
		t.Errorf("%s: the policy is %s", where, csp)
	}
	for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY", "Cross-Origin-Opener-Policy": "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin"} {
		if h.Get(name) != want {
			t.Errorf("%s: %s is %q", where, name, h.Get(name))
		}
	}
	if h.Get("Permissions-Policy") == "" {
		t.Errorf("%s: no permissions policy", where)
	}
	doc, err := html.Parse(bytes.NewReader(w.Body.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		bad := ""
		switch n.Data {
		case "script":
			if attr(n, "type") == "application/json" {
				if n.FirstChild == nil || !json.Valid([]byte(n.FirstChild.Data)) {
					bad = "data that are not JSON"
				}
			} else if !strings.HasPrefix(attr(n, "src"), "/app/static/") {
				bad = "a script"
			}
		case "style", "iframe", "object", "embed", "base", "applet", "frame", "meta":
			if n.Data != "meta" || attr(n, "http-equiv") != "" {
				bad = n.Data
			}
		case "title":
			if n.FirstChild != nil && strings.Contains(n.FirstChild.Data, mark) {
				bad = "what somebody typed in the title"
			}
		}
		for _, a := range n.Attr {
			value := strings.ToLower(strings.TrimSpace(a.Val))
			switch {
			case strings.HasPrefix(a.Key, "on"), a.Key == "style", strings.Contains(a.Key, mark), a.Key == "srcdoc":
				bad = "the attribute " + a.Key
			case slices.Contains([]string{"href", "src", "action", "formaction", "poster", "data", "xlink:href", "srcset"}, a.Key):
				// The start page of the demonstration, and where somebody goes who has to
				// be away from the wallet at once.
				if n.Data == "a" && (strings.TrimSuffix(value, "/") == start || value == "https://www.wikipedia.org/" && strings.Contains(attr(n, "rel"), "noreferrer")) {
					continue
				}
				if !strings.HasPrefix(value, "/") && !strings.HasPrefix(value, "#") && !strings.HasPrefix(value, "?") && value != "" || strings.HasPrefix(value, "//") {
					bad = a.Key + " that leads to " + a.Val
				}
				if strings.Contains(value, mark) {
					bad = "what somebody typed in the address " + a.Val
				}
			}
		}
		if strings.Contains(n.Data, mark) {
			bad = "the element " + n.Data
		}
		if bad != "" {
			t.Errorf("%s has %s", where, bad)
		}
	}
	return doc
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// form is a form of a page.
type form struct {
	method, action string
	multipart      bool
	fields         []field
}

type field struct {
	name, kind, value, mode string
	options                 []string
}

// formsOf lists the forms of a page.
func formsOf(doc *html.Node, here string) []form {
	var out []form
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode || n.Data != "form" {
			continue
		}
		f := form{method: strings.ToUpper(attr(n, "method")), action: attr(n, "action"), multipart: attr(n, "enctype") == "multipart/form-data"}
		if f.action == "" {
			f.action = here
		}
		for x := range n.Descendants() {
			if x.Type != html.ElementNode || attr(x, "name") == "" || attr(x, "name") == "csrf" {
				continue
			}
			switch x.Data {
			case "input":
				f.fields = append(f.fields, field{name: attr(x, "name"), kind: attr(x, "type"), value: attr(x, "value"), mode: attr(x, "inputmode")})
			case "button":
				f.fields = append(f.fields, field{name: attr(x, "name"), kind: "button", value: attr(x, "value")})
			case "textarea":
				f.fields = append(f.fields, field{name: attr(x, "name"), kind: "textarea"})
			case "select":
				s := field{name: attr(x, "name"), kind: "select"}
				for o := range x.Descendants() {
					if o.Type == html.ElementNode && o.Data == "option" && attr(o, "value") != "" {
						s.options = append(s.options, attr(o, "value"))
					}
				}
				f.fields = append(f.fields, s)
			}
		}
		out = append(out, f)
	}
	return out
}

// parentsYear is when a parent of a child of 2021 was born.
var parentsYear = regexp.MustCompile(`^p\d.*born-year$`)

// ways of filling a form in.
const (
	asHostile = iota // hostile texts wherever something is sent, hidden or not
	asFirst          // what a person could send, hostile where there is free text, the first of each choice
	asLast           // the same with the last of each choice
	waysToFill
)

// fill fills a form in.
func (f form) fill(way, salt int) url.Values {
	v := url.Values{}
	chosen := map[string]bool{}
	for i, x := range f.fields {
		text := hostile[(i+salt)%len(hostile)]
		switch {
		case x.kind == "file":
		case x.kind == "button":
			if !chosen[x.name] || way == asLast {
				v.Set(x.name, x.value)
			}
			chosen[x.name] = true
		case way == asHostile:
			v.Add(x.name, text)
		case x.kind == "hidden":
			v.Add(x.name, x.value)
		case x.kind == "radio":
			if !chosen[x.name] || way == asLast {
				v.Set(x.name, x.value)
			}
			chosen[x.name] = true
		case x.kind == "checkbox":
			v.Add(x.name, x.value)
		case x.kind == "select":
			if len(x.options) > 0 {
				v.Set(x.name, x.options[map[bool]int{true: len(x.options) - 1}[way == asLast]])
			}
		case strings.HasSuffix(x.name, "-day"), strings.HasSuffix(x.name, "-month"):
			v.Set(x.name, "3")
		case parentsYear.MatchString(x.name):
			v.Set(x.name, "1990")
		case strings.HasSuffix(x.name, "-year"):
			v.Set(x.name, "2021")
		case strings.Contains(x.name, "mrz"), strings.HasSuffix(x.name, "-time"):
			// What must be written in one way is left empty.
		case x.kind == "date":
			v.Set(x.name, "2021-03-03")
		case x.kind == "number", x.mode == "numeric":
			v.Set(x.name, "1")
		default:
			v.Add(x.name, text)
		}
	}
	return v
}

// intruder goes through every page that somebody is led to and sends every form of
// it, in every way, and looks at whatever comes back.
type intruder struct {
	*person
	patterns []*regexp.Regexp
	seen     map[string]int    // how often a route, or a form, was taken
	pages    map[string]string // a route's pattern and an address of it that was a page
	sent     int
	queue    []string
	looks    bool // and sends nothing
}

// ends are forms that end what is needed here; they take no text.
var ends = regexp.MustCompile(`^/app/(sign-out|sign-out-everywhere|account/delete|account/sessions/|account/passkeys/[^/]+/remove|people/[^/]+/close|demonstration)`)

func intrude(p *person) *intruder {
	c := &intruder{person: p, seen: map[string]int{}, pages: map[string]string{}, queue: []string{"/app/"}}
	for _, r := range routes(p.t, p.at) {
		if r.method == http.MethodGet {
			c.patterns = append(c.patterns, regexp.MustCompile("^"+param.ReplaceAllString(r.path, `[^/]+`)+"$"))
		}
	}
	return c
}

// pattern gives the route of an address, of those without anything open first.
func (c *intruder) pattern(path string) string {
	path, _, _ = strings.Cut(path, "?")
	best := path
	for _, p := range c.patterns {
		if p.MatchString(path) && (best == path || strings.Count(p.String(), "[^/]+") < strings.Count(best, "[^/]+")) {
			best = p.String()
		}
	}
	return best
}

func (c *intruder) run() {
	c.t.Helper()
	for len(c.queue) > 0 && c.sent < 3000 {
		path := c.queue[0]
		c.queue = c.queue[1:]
		key := c.pattern(path)
		if c.seen[key]++; c.seen[key] > 6 {
			continue
		}
		w := c.get(path)
		c.look(path, w, 0)
		if w.Code == http.StatusOK && strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
			c.pages[key] = path
		}
	}
}

// look looks at an answer and goes on with what is on it.
func (c *intruder) look(path string, w *httptest.ResponseRecorder, deep int) {
	c.t.Helper()
	where := fmt.Sprintf("%s %s as %s", c.at.Role, path, c.role)
	if w.Code >= 500 {
		c.t.Errorf("%s: %d", where, w.Code)
	}
	if to := w.Header().Get("Location"); to != "" {
		if strings.Contains(to, mark) || !strings.HasPrefix(to, "/app/") {
			c.t.Errorf("%s leads to %s", where, to)
			return
		}
		c.queue = append([]string{to}, c.queue...)
		return
	}
	if w.Body.Len() == 0 {
		return
	}
	media := w.Header().Get("Content-Type")
	if !strings.HasPrefix(media, "text/html") {
		// What is no page must not be taken for one.
		if w.Header().Get("X-Content-Type-Options") != "nosniff" || media == "" || strings.Contains(media, "svg") && strings.Contains(w.Body.String(), "<script") {
			c.t.Errorf("%s could be taken for a page: %s", where, media)
		}
		return
	}
	if w.Header().Get("Cache-Control") != "no-store" {
		c.t.Errorf("%s may be kept: %s", where, w.Header().Get("Cache-Control"))
	}
	doc := inert(c.t, where, c.start, w)
	for n := range doc.Descendants() {
		if n.Type == html.ElementNode && n.Data == "a" {
			if to, _, _ := strings.Cut(attr(n, "href"), "#"); strings.HasPrefix(to, web.Root) && !strings.HasPrefix(to, "/app/static/") {
				c.queue = append(c.queue, to)
			}
		}
	}
	if deep > 5 || c.looks {
		return
	}
	for _, f := range formsOf(doc, path) {
		if ends.MatchString(f.action) {
			continue
		}
		if !strings.HasPrefix(f.action, web.Root) {
			c.t.Errorf("%s has a form that goes to %s", where, f.action)
			continue
		}
		var names []string
		for _, x := range f.fields {
			names = append(names, x.name+x.kind)
			if f.method != http.MethodPost && (x.kind == "text" || x.kind == "textarea" || x.kind == "search") {
				c.t.Errorf("%s has a form that puts %s into an address", where, x.name)
			}
		}
		key := c.pattern(f.action) + " " + strings.Join(names, " ")
		for way := range waysToFill {
			key := fmt.Sprint(key, way)
			if c.seen[key]++; c.seen[key] > 2 {
				continue
			}
			c.sent++
			c.look(f.action, c.send(f, way), deep+1)
		}
	}
}

// send sends a form. What is wrong with it is mended as the page asks for it: a
// text that is refused gives way to nothing, to a name, to a number, and a choice
// to the next one, so that as much as possible of it is taken and stored.
func (c *intruder) send(f form, way int) *httptest.ResponseRecorder {
	c.t.Helper()
	v := f.fill(way, c.sent)
	w := c.sendOnce(f, v)
	for n := 0; n < 6 && way != asHostile && w.Code == http.StatusUnprocessableEntity; n++ {
		doc, err := html.Parse(bytes.NewReader(w.Body.Bytes()))
		if err != nil {
			c.t.Fatal(err)
		}
		for x := range doc.Descendants() {
			if name, ok := strings.CutPrefix(attr(x, "href"), "#"); ok && name != "main" {
				f.mend(v, name)
			}
		}
		w = c.sendOnce(f, v)
	}
	return w
}

// mend changes what is in one field.
func (f form) mend(v url.Values, name string) {
	var choices []string
	for _, x := range f.fields {
		if x.name != name {
			continue
		}
		choices = append(choices, x.options...)
		if x.kind == "radio" || x.kind == "checkbox" {
			choices = append(choices, x.value)
		}
	}
	if len(choices) > 0 {
		i := slices.Index(choices, v.Get(name))
		v.Set(name, choices[(i+1)%len(choices)])
		return
	}
	// What belongs together (a given and a family name) goes together.
	group, gone := name[:strings.LastIndex(name, "-")+1], false
	for other := range v {
		if (other == name || group != "" && strings.HasPrefix(other, group)) && strings.Contains(v.Get(other), mark) {
			v.Set(other, "")
			gone = true
		}
	}
	if !gone {
		v.Set(name, map[string]string{"": "Amina", "Amina": "7"}[v.Get(name)])
	}
}

func (c *intruder) sendOnce(f form, v url.Values) *httptest.ResponseRecorder {
	c.t.Helper()
	if f.method != http.MethodPost {
		action, _, _ := strings.Cut(f.action, "?")
		return c.get(action + "?" + v.Encode())
	}
	if !f.multipart {
		return c.post(f.action, v)
	}
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	v.Set("csrf", c.csrf)
	for name, values := range v {
		for _, value := range values {
			if err := m.WriteField(name, value); err != nil {
				c.t.Fatal(err)
			}
		}
	}
	for _, x := range f.fields {
		if x.kind != "file" {
			continue
		}
		part, err := m.CreateFormFile(x.name, `"><script>kpxqzx()</script>../../kpxqzx.jsonl`)
		if err != nil {
			c.t.Fatal(err)
		}
		fmt.Fprintf(part, "{\"kpxqzx\":\"<script>kpxqzx()</script>\"}\n<kpxqzx>\n%s\n", strings.Join(hostile, "\n"))
	}
	if err := m.Close(); err != nil {
		c.t.Fatal(err)
	}
	return c.ask("POST", f.action, b.Bytes(), map[string]string{"Content-Type": m.FormDataContentType()})
}

// TestHostileTexts: whatever anybody types anywhere comes out as text, at once
// and when it is shown later, to whoever is led to it, and in a browser nothing
// of it runs.
func TestHostileTexts(t *testing.T) {
	s := stand(t)
	if err := s.Family(t.Context()); err != nil {
		t.Fatal(err)
	}
	var crawls []*intruder
	for _, at := range services(s) {
		for _, p := range staff(t, s, at) {
			c := intrude(p)
			c.run()
			crawls = append(crawls, c)
			t.Logf("%s as %s: %d kinds of pages, %d forms sent: %v", at.Role, p.role, len(c.pages), c.sent, slices.Sorted(maps.Values(c.pages)))
		}
	}
	// Everybody once more: to see what the others have left.
	for _, c := range crawls {
		again := intrude(c.person)
		again.looks = true
		again.run()
		maps.Copy(c.pages, again.pages)
	}
	chromium := webtest.Open(t)
	for _, c := range crawls {
		x := chromium.Tab(t, webtest.Phone, "en")
		for name, value := range c.cookies {
			x.Cookie(c.at.Base, name, value)
		}
		for _, path := range slices.Sorted(maps.Values(c.pages)) {
			x.Go(c.at.Base + path)
			if webtest.Value[bool](x, `typeof kpxqzx !== 'undefined' || document.querySelector('kpxqzx') !== null`) {
				t.Errorf("%s %s as %s: it ran", c.at.Role, path, c.role)
			}
			for _, b := range x.Broken() {
				t.Errorf("%s %s as %s: %s", c.at.Role, path, c.role, b)
			}
		}
	}
}

// masked takes out of an answer what differs from one to the next and what of the
// address is in it.
func masked(w *httptest.ResponseRecorder, ids ...string) string {
	text := fmt.Sprintln(w.Code, w.Header().Get("Location"), w.Header().Get("Content-Type")) + tokenOfForm.ReplaceAllString(w.Body.String(), "TOKEN")
	for _, id := range ids {
		text = strings.ReplaceAll(text, url.PathEscape(id), "ID")
		text = strings.ReplaceAll(text, url.QueryEscape(id), "ID")
	}
	return text
}

// identifier is what stands in an address for one thing.
var identifier = regexp.MustCompile(`^[A-Za-z0-9_-]{12,}$`)

// TestAnothersPagesLookAbsent: with the ids of somebody else every address of
// every service answers as for something that there is not.
func TestAnothersPagesLookAbsent(t *testing.T) {
	s := stand(t)
	if err := s.Family(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, at := range services(s) {
		for _, owner := range staff(t, s, at) {
			// The owner's ids, as they are found on the owner's pages.
			c := intrude(owner)
			c.run()
			ids := map[string]bool{}
			for _, path := range c.pages {
				for part := range strings.SplitSeq(path, "/") {
					if identifier.MatchString(part) {
						ids[part] = true
					}
				}
			}
			own, err := at.Accounts.Session(t.Context(), owner.session)
			if err != nil {
				t.Fatal(err)
			}
			ids[own.ID] = true
			if owner.role == account.RoleGuardian && len(ids) < 3 {
				t.Errorf("only %d ids of a guardian were found", len(ids))
			}
			for _, stranger := range strangers(t, at, owner.role) {
				n := 0
				for _, r := range routes(t, at) {
					// An administrator has to do with everybody's account, but with nobody's
					// passkeys.
					if !strings.Contains(r.path, ":") || strings.HasPrefix(r.path, "/app/people/") && stranger.role == account.RoleAdministrator {
						continue
					}
					for id := range ids {
						absent := store.Random(12)
						ask := func(id string) string {
							path := param.ReplaceAllStringFunc(r.path, func(string) string { return id })
							if r.method == http.MethodGet {
								return masked(stranger.get(path), id)
							}
							return masked(stranger.post(path, url.Values{"last": {"yes"}, "sure": {"yes"}, "reason": {"x"}}), id)
						}
						n++
						theirs, none := ask(id), ask(absent)
						if theirs == none {
							continue
						}
						// What an office has, everybody there may work with.
						shared := stranger.role == owner.role && owner.role != account.RoleGuardian && !strings.HasPrefix(r.path, "/app/account/")
						if shared && !strings.HasPrefix(theirs, "403") && !strings.HasPrefix(theirs, "404") {
							continue
						}
						t.Errorf("%s %s %s of %s as another %s: %.60s… and none: %.60s…", at.Role, r.method, r.path, owner.role, stranger.role, theirs, none)
					}
				}
				if n == 0 {
					t.Errorf("%s has no addresses with ids", at.Role)
				}
			}
		}
	}
}

// strangers gives other people than the owner of something.
func strangers(t *testing.T, at cli.Service, role string) []*person {
	t.Helper()
	g := account.Guest{Role: role, Name: "Another " + role}
	if role == account.RoleGuardian {
		secret, _, err := at.DB.AddToken(t.Context(), "stranger", role, now().AddDate(1, 0, 0))
		if err != nil {
			t.Fatal(err)
		}
		token, err := at.DB.TokenBySecret(t.Context(), secret, now())
		if err != nil {
			t.Fatal(err)
		}
		g = account.Guest{Role: role, Token: token.ID}
	}
	out := []*person{somebody(t, at, g)}
	if role != account.RoleAdministrator {
		// Who invites people has nothing to do with what they work on.
		out = append(out, somebody(t, at, account.Guest{Role: account.RoleAdministrator, Name: "Otto"}))
	}
	return out
}

// TestGuessingAPINIsStopped: through the pages as through the API, an offer takes
// five wrong PINs and then nothing more, whoever tries.
func TestGuessingAPINIsStopped(t *testing.T) {
	s := stand(t)
	if err := s.Family(t.Context()); err != nil {
		t.Fatal(err)
	}
	uri, pin, err := s.Offer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p := somebody(t, s.Wallet, wallet(t, s))
	page := p.get("/app/add")
	if page.Code != 200 {
		t.Fatalf("%d", page.Code)
	}
	taken := func(w *httptest.ResponseRecorder) bool { return w.Code == http.StatusSeeOther }
	try := func(pin string) *httptest.ResponseRecorder {
		return p.post("/app/add", url.Values{"offer": {uri}, "pin": {pin}, "uri": {uri}, "link": {uri}})
	}
	for n := range 8 {
		wrong := fmt.Sprintf("%06d", n)
		if wrong == pin {
			continue
		}
		if w := try(wrong); taken(w) {
			t.Fatalf("a wrong PIN was taken: %d %s", w.Code, w.Header().Get("Location"))
		}
	}
	if w := try(pin); taken(w) {
		t.Error("the right PIN was taken after eight wrong ones")
	}
	// The test would notice: a fresh offer is taken with its PIN.
	if uri, pin, err = s.Offer(t.Context()); err != nil {
		t.Fatal(err)
	}
	if w := try(pin); !taken(w) {
		t.Errorf("a good offer was refused: %d %s", w.Code, w.Body)
	}
}

// TestCookiesOfPagesAreFlagged: whatever cookie a page sets, no script reads it
// and no other site's form brings it along.
func TestCookiesOfPagesAreFlagged(t *testing.T) {
	s := stand(t)
	for _, at := range services(s) {
		nobody := somebody(t, at, account.Guest{})
		for _, r := range routes(t, at) {
			w := nobody.ask(r.method, param.ReplaceAllString(r.path, "x")+"?lang=fr", nil, map[string]string{"Cookie": ""})
			for _, c := range w.Result().Cookies() {
				if !c.HttpOnly || c.SameSite == http.SameSiteNoneMode || c.SameSite == http.SameSiteDefaultMode || c.Domain != "" || c.Path != "/" {
					t.Errorf("%s %s %s sets %+v", at.Role, r.method, r.path, c)
				}
			}
		}
	}
}
