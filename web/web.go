// Package web is what the pages of the three services have in common: one
// design, one base template with its parts, the messages in seven languages,
// the static files, and the headers that keep a page from loading or running
// anything that is not ours.
//
// Everything is embedded. A page is a file in pages/ that defines "content";
// Site.Show answers with it in the visitor's language.
package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"maps"
	"mime"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/kinpass/kinpass/internal/fault"
)

//go:embed static pages messages
var embedded embed.FS

// shared is what the pages of every service have: the parts, and the pages of
// accounts.
var shared = App{Files: embedded}

// App is the pages of one service: a folder with
//
//	pages/NAME.html        a page, called "APP/NAME", that defines "content"
//	pages/parts/*.html     what its pages share
//	messages/LANG.json     its messages in every language; keys begin with the app's name
//	static/…               its static files, called "APP/…"
type App struct {
	Name  string
	Files fs.FS
}

// Root is where the pages of a service are.
const Root = "/app/"

// Site shows the pages of one service.
type Site struct {
	role   string
	apps   []App
	secure bool
	tree   string // names the whole of the static files by their content
	files  map[string]file
	speak  map[string]*tongue
	start  string // address of a demonstration's start page, "" if this is none
}

// Demonstrate has every page say that all of it is made up, with a link to the
// start page of the demonstration.
func (s *Site) Demonstrate(start string) { s.start = start }

// tongue is one language: its messages and every page with them, which are
// parsed when somebody first asks for one.
type tongue struct {
	*Messages
	pages func() (map[string]*template.Template, error)
}

// New reads what is embedded here and in apps. The role names the service
// (issuer, wallet, verifier); base is the address that visitors use.
func New(role, base string, apps ...App) (*Site, error) {
	apps = append([]App{shared}, apps...)
	s := &Site{role: role, apps: apps, secure: strings.HasPrefix(base, "https://"), files: map[string]file{}, speak: map[string]*tongue{}}
	if err := s.readFiles(apps); err != nil {
		return nil, err
	}
	all, err := readMessages(apps)
	if err != nil {
		return nil, err
	}
	for _, m := range all {
		s.speak[m.Lang] = &tongue{m, sync.OnceValues(func() (map[string]*template.Template, error) { return s.readPages(m) })}
	}
	// The languages have the same templates: what is wrong with one is found now.
	_, err = s.speak[Languages[0]].pages()
	return s, err
}

// readPages reads every page in one language.
func (s *Site) readPages(m *Messages) (map[string]*template.Template, error) {
	pages := map[string]*template.Template{}
	parts, err := template.New("").Funcs(s.funcs(m)).ParseFS(embedded, "pages/parts/*.html")
	if err != nil {
		return nil, err
	}
	for _, a := range s.apps {
		if err := a.readPages(parts, pages); err != nil {
			return nil, err
		}
	}
	return pages, nil
}

// readPages adds an app's pages to pages.
func (a App) readPages(parts *template.Template, pages map[string]*template.Template) error {
	parts, err := parts.Clone()
	if err != nil {
		return err
	}
	own, pattern := "pages/parts/*.html", "pages/*.html"
	if a.Name == "" {
		own, pattern = "", "pages/account/*.html"
	}
	if found, err := fs.Glob(a.Files, own); err != nil {
		return err
	} else if len(found) > 0 {
		if _, err := parts.ParseFS(a.Files, own); err != nil {
			return err
		}
	}
	found, err := fs.Glob(a.Files, pattern)
	if err != nil {
		return err
	}
	for _, f := range found {
		c, err := parts.Clone()
		if err == nil {
			_, err = c.ParseFS(a.Files, f)
		}
		if err != nil {
			return err
		}
		pages[path.Join(a.Name, strings.TrimSuffix(strings.TrimPrefix(f, "pages/"), ".html"))] = c
	}
	return nil
}

// Pages lists the pages that there are.
func (s *Site) Pages() []string {
	var out []string
	pages, err := s.speak[Languages[0]].pages()
	if err != nil {
		return nil // New has failed
	}
	for name := range pages {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

func (s *Site) readFiles(apps []App) error {
	sum := sha256.New()
	var err error
	for _, a := range apps {
		if _, none := fs.Stat(a.Files, "static"); none != nil {
			continue
		}
		err = errors.Join(err, fs.WalkDir(a.Files, "static", func(name string, d fs.DirEntry, err error) error {
			// Where files come from is for those who read the source.
			if err != nil || d.IsDir() || path.Ext(name) == ".md" {
				return err
			}
			body, err := fs.ReadFile(a.Files, name)
			if err != nil {
				return err
			}
			name = path.Join(a.Name, strings.TrimPrefix(name, "static/"))
			fmt.Fprintf(sum, "%s %d\n", name, len(body))
			sum.Write(body)
			s.files[name] = newFile(name, body)
			return nil
		}))
	}
	// One name for the whole tree, as a folder: modules name one another
	// relatively, and no page can mix files of two versions.
	s.tree = base64.RawURLEncoding.EncodeToString(sum.Sum(nil)[:9])
	return err
}

func contentType(name string) string {
	switch path.Ext(name) {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".wasm":
		return "application/wasm"
	case ".gz":
		return "application/gzip"
	case ".png":
		return "image/png"
	}
	return mime.TypeByExtension(path.Ext(name))
}

// Asset gives the address of a static file. It fails for a file that there is
// not, so that a page with a wrong name fails its test.
func (s *Site) Asset(name string) (string, error) {
	if _, ok := s.files[name]; !ok {
		return "", fmt.Errorf("there is no static file %q", name)
	}
	return Root + "static/" + s.tree + "/" + name, nil
}

// Files lists the static files by name.
func (s *Site) Files() []string { return slices.Sorted(maps.Keys(s.files)) }

// Manifest answers with what lets an app be installed (Web Application Manifest),
// under the name of the service. Its icons are icon.svg, icon-192.png and
// icon-512.png of the app's static files.
func (s *Site) Manifest(w http.ResponseWriter, r *http.Request, app string) error {
	var icons []map[string]string
	for _, i := range []struct{ file, size, purpose string }{
		{"icon.svg", "any", "any"}, {"icon-192.png", "192x192", "any"}, {"icon-512.png", "512x512", "any"}, {"icon-512.png", "512x512", "maskable"},
	} {
		address, err := s.Asset(app + "/" + i.file)
		if err != nil {
			return err
		}
		icons = append(icons, map[string]string{"src": address, "sizes": i.size, "purpose": i.purpose})
	}
	lang := s.Language(r)
	name := s.Text(r, "site."+s.role)
	h := w.Header()
	h.Set("Cache-Control", "no-cache")
	h.Set("Vary", "Accept-Language, Cookie")
	h.Set("Content-Type", "application/manifest+json")
	return json.NewEncoder(w).Encode(map[string]any{
		"id": Root, "name": name, "short_name": name, "lang": lang, "dir": direction(lang), "start_url": Root, "scope": Root,
		"display": "standalone", "background_color": "#ffffff", "theme_color": "#14505c", "icons": icons,
	})
}

// Worker answers with a service worker: the static file, after "const kept" with
// what it keeps: the version, the addresses of these static files, and the pages.
// As they are part of it, a browser that finds others takes the new ones.
func (s *Site) Worker(w http.ResponseWriter, script string, files, pages []string) error {
	kept := struct {
		Version string   `json:"version"`
		Files   []string `json:"files"`
		Pages   []string `json:"pages"`
	}{Version: s.tree, Pages: pages}
	for _, name := range files {
		address, err := s.Asset(name)
		if err != nil {
			return err
		}
		kept.Files = append(kept.Files, address)
	}
	head, err := json.Marshal(kept)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Cache-Control", "no-cache")
	h.Set("Content-Security-Policy", "default-src 'none'; connect-src 'self'")
	h.Set("Content-Type", "text/javascript; charset=utf-8")
	_, err = fmt.Fprintf(w, "const kept = %s\n%s", head, s.files[script].body)
	return err
}

// Static answers with a static file; its address names the content, so it may
// be kept for ever. False: there is none of that name and version.
func (s *Site) Static(w http.ResponseWriter, r *http.Request) bool {
	name, ok := strings.CutPrefix(r.URL.Path, Root+"static/"+s.tree+"/")
	f, found := s.files[name]
	if !ok || !found {
		return false
	}
	h := w.Header()
	if path.Ext(name) == ".js" {
		// A worker goes by the policy that its own script comes with.
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'")
	}
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	_ = f.serve(w, r) // who went away has no use for an error
	return true
}

// NavItem is one entry of the navigation.
type NavItem struct {
	Href    string
	Label   string // key of a message
	Current bool
}

// Notice is a banner above a page.
type Notice struct {
	Text    string // key of a message
	Args    []any  // names and values for its placeholders
	Success bool
}

// View is a page to show.
type View struct {
	Page     string // "folder/name"
	Title    string // key of a message
	Status   int    // 0 means 200
	Nav      []NavItem
	Person   string // who is signed in, "" if nobody or nameless
	Standing string // key of the message that names the person's role
	SignedIn bool
	CSRF     string
	Form     Form
	Notice   *Notice
	Scripts  []string // modules of static/ beside page.js
	Styles   []string // style sheets of static/ beside kinpass.css
	Data     any
	Manifest string // address of the manifest of an app that can be installed, "" if it cannot
	Exit     bool   // the page has a way out that leaves nothing on the screen

	// What few pages need and no other gets.
	Camera bool // the page may use the camera
	Wasm   bool // the page may run WebAssembly
	// FormsTo are origins beside ours that the page's forms go to.
	FormsTo []string
}

// shown is what a template gets.
type shown struct {
	View
	Lang, Dir, Role string
	Path            string
	Languages       []Language
	Start           string // of a demonstration
}

// Show answers with a page. It is never cached: who may see it is decided by
// each request.
func (s *Site) Show(w http.ResponseWriter, r *http.Request, v View) error {
	t := s.speak[s.Language(r)]
	pages, err := t.pages()
	if err != nil {
		return err
	}
	p, ok := pages[v.Page]
	if !ok {
		return fmt.Errorf("there is no page %q", v.Page)
	}
	if v.Status == 0 {
		v.Status = http.StatusOK
	}
	var body bytes.Buffer
	err = p.ExecuteTemplate(&body, "base", shown{View: v, Lang: t.Lang, Dir: t.Dir, Role: s.role, Path: r.URL.Path, Languages: languageList(t.Lang), Start: s.start})
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", t.Lang)
	h.Set("Cache-Control", "no-store")
	h.Add("Vary", "Accept-Language, Cookie")
	s.protect(h, v)
	return send(w, r, v.Status, body.Bytes())
}

// protect lets a page load from its own service only, run no inline script or
// style, be framed by nobody and send forms nowhere else.
func (s *Site) protect(h http.Header, v View) {
	script := "'self'"
	if v.Wasm {
		script += " 'wasm-unsafe-eval'"
	}
	h.Set("Content-Security-Policy", "default-src 'none'; script-src "+script+"; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "+
		"manifest-src 'self'; worker-src 'self'; form-action "+strings.Join(append([]string{"'self'"}, v.FormsTo...), " ")+"; base-uri 'none'; frame-ancestors 'none'")
	camera := "()"
	if v.Camera {
		camera = "(self)"
	}
	h.Set("Permissions-Policy", "camera="+camera+", publickey-credentials-get=(self), publickey-credentials-create=(self), "+
		"geolocation=(), microphone=(), payment=(), usb=(), bluetooth=(), browsing-topics=()")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Frame-Options", "DENY")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	if s.secure {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// Text gives a message in the visitor's language, the key itself if there is
// none: for texts that a script shows.
func (s *Site) Text(r *http.Request, key string, args ...any) string {
	text, err := s.speak[s.Language(r)].Text(key, args...)
	if err != nil {
		return key
	}
	return text
}

// kinds names the messages for faults that have none of their own.
var kinds = map[fault.Kind]string{
	fault.Invalid: "invalid", fault.Unprocessable: "invalid", fault.Unauthenticated: "signed-out", fault.Forbidden: "forbidden", fault.NotFound: "not-found",
	fault.Conflict: "conflict", fault.TooLarge: "too-large", fault.Unsupported: "invalid", fault.RateLimited: "too-many", fault.Unavailable: "unavailable",
}

// Fault says in the visitor's language what went wrong: in words of its own, or
// in those of its kind. What a fault says of itself is English and for programs.
func (s *Site) Fault(r *http.Request, f *fault.Fault) string {
	t := s.speak[s.Language(r)]
	for _, a := range s.apps {
		if key := strings.TrimPrefix(a.Name+".fault."+f.Code, "."); t.Has(key) {
			return s.Text(r, key)
		}
	}
	if k, ok := kinds[f.Kind]; ok {
		return s.Text(r, "fault.kind."+k)
	}
	return s.Text(r, "fault.kind.internal")
}
