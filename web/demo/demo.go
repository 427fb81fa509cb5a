// Package demo is the start page of a demonstration: the way into the three
// apps as one of its people, and stories that are played while one watches.
//
// It is a small service of its own on loopback, beside the three: it has no
// accounts, and keeps what was played in memory.
package demo

import (
	"context"
	"crypto/hmac"
	"embed"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/qr"
	"github.com/kinpass/kinpass/internal/serve"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/verifier/check"
	"github.com/kinpass/kinpass/web"
)

//go:embed pages messages static
var files embed.FS

// App is what the pages are made of.
var App = web.App{Name: "demo", Files: files}

// Role is what the service calls itself.
const Role = "demo"

// errSecret says that a form is none of the start page's.
var errSecret = fault.New(fault.Forbidden, "start-page-form", "the form did not come from the start page").WithHint("open the start page again and send the form from there")

// Service is one of the services of the demonstration with its people.
type Service struct {
	Role   string // issuer, wallet or verifier
	Base   string // address
	People []Person
}

// Person is somebody of the demonstration.
type Person struct {
	Key, Name string
	Text      string // what they do, as demo.person.TEXT says it
}

// Scene is one thing that happens in a story.
type Scene struct {
	Key      string // demo.scene.KEY says what happens
	Decision *check.Decision
	Expected bool   // the decision is the one that had to come
	Code     string // text of the QR code that was shown, "" if none was
	Image    *qr.Image
	At       time.Time // on the officer's clock

	Number int // of the scenes with a decision
}

// Stage is what the start page needs. All of it must be set but Pause.
type Stage struct {
	Site     *web.Site
	Secret   string // that forms of the start page carry
	Services func() []Service
	Stories  []string // demo.story.KEY says what each tells
	// Play plays a story to its end. Tell takes each scene as it happens.
	Play  func(ctx context.Context, story string, tell func(Scene)) error
	Pause time.Duration // after each scene, so that one can follow
	// Words gives what decisions say in a visitor's language; nil leaves them in
	// English.
	Words func(r *http.Request) map[string]check.Words

	mu    sync.Mutex
	plays []*play
}

// play is a story that is played or was.
type play struct {
	ID, Story string

	mu     sync.Mutex
	scenes []Scene
	over   bool
	failed bool
}

// shown is a play as a page shows it.
type shown struct {
	ID, Story    string
	Scenes       []Scene
	Over, Failed bool
	Wrong        bool // a decision was not the one that had to come
	Secret       string
}

// keep is how many plays are kept; older ones make room.
const keep = 20

// Routes adds the pages to a server. They are there under the names of loopback
// alone, whatever name somebody else gave our address.
func (s *Stage) Routes(srv *serve.Server) {
	e := srv.Echo.Group("", here, s.languages)
	e.GET("/", func(c echo.Context) error { return c.Redirect(http.StatusSeeOther, web.Root) })
	e.GET("/app", func(c echo.Context) error { return c.Redirect(http.StatusSeeOther, web.Root) })
	e.GET("/app/static/*", func(c echo.Context) error {
		if !s.Site.Static(c.Response(), c.Request()) {
			return serve.ErrNoRoute
		}
		return nil
	})
	e.GET("/app/", s.home)
	e.POST("/app/stories", s.begin, srv.Limit(30, time.Minute))
	e.GET("/app/stories/:id", s.story)
	e.GET("/app/stories/:id/:number", s.image)
}

func here(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		host, _, err := net.SplitHostPort(c.Request().Host)
		if ip := net.ParseIP(host); err != nil || host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return serve.ErrNoRoute
		}
		return next(c)
	}
}

func (s *Stage) languages(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if s.Site.Switch(c.Response(), c.Request()) {
			return nil
		}
		return next(c)
	}
}

// Refuse answers a browser about an error: for serve.Config.
func (s *Stage) Refuse(w http.ResponseWriter, r *http.Request, f *fault.Fault, status int) bool {
	return s.Site.Show(w, r, web.View{Page: "account/error", Title: "problem.title", Status: status,
		Data: map[string]any{"Message": s.Site.Fault(r, f), "Code": f.Code}}) == nil
}

func (s *Stage) show(c echo.Context, v web.View) error {
	v.Styles = append(v.Styles, "demo/demo.css")
	for _, x := range s.Services() {
		v.FormsTo = append(v.FormsTo, x.Base)
	}
	return s.Site.Show(c.Response(), c.Request(), v)
}

func (s *Stage) home(c echo.Context) error {
	return s.show(c, web.View{Page: "demo/home", Title: "demo.title", Data: map[string]any{
		"Services": s.Services(), "Stories": s.Stories, "Secret": s.Secret}})
}

// begin starts a story, which goes on whether or not anybody watches.
func (s *Stage) begin(c echo.Context) error {
	r := c.Request()
	if !hmac.Equal([]byte(r.PostFormValue("start")), []byte(s.Secret)) {
		return errSecret
	}
	p := &play{ID: store.Random(12), Story: r.PostFormValue("story")}
	if !slices.Contains(s.Stories, p.Story) {
		return serve.ErrNoRoute
	}
	s.mu.Lock()
	s.plays = append(s.plays, p)
	if len(s.plays) > keep {
		s.plays = s.plays[1:]
	}
	s.mu.Unlock()
	go s.perform(context.WithoutCancel(r.Context()), p)
	return c.Redirect(http.StatusSeeOther, "/app/stories/"+p.ID)
}

// perform plays a story. Whatever goes wrong in it, the start page stays.
func (s *Stage) perform(ctx context.Context, p *play) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	var err error
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.over, p.failed = true, err != nil
	}()
	n := 0
	err = s.Play(ctx, p.Story, func(x Scene) {
		if x.Decision != nil {
			n++
			x.Number = n
		}
		p.mu.Lock()
		p.scenes = append(p.scenes, x)
		p.mu.Unlock()
		time.Sleep(s.Pause)
	})
}

// find gives a play as it is now.
func (s *Stage) find(id string) (shown, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.plays {
		if p.ID != id {
			continue
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		v := shown{ID: p.ID, Story: p.Story, Scenes: slices.Clone(p.scenes), Over: p.over, Failed: p.failed, Secret: s.Secret}
		for _, x := range v.Scenes {
			v.Wrong = v.Wrong || x.Decision != nil && !x.Expected
		}
		return v, nil
	}
	return shown{}, serve.ErrNoRoute
}

func (s *Stage) story(c echo.Context) error {
	p, err := s.find(c.Param("id"))
	if err != nil {
		return err
	}
	if s.Words != nil {
		words := s.Words(c.Request())
		for i, x := range p.Scenes {
			if x.Decision != nil {
				d := x.Decision.In(words)
				p.Scenes[i].Decision = &d
			}
		}
	}
	return s.show(c, web.View{Page: "demo/story", Title: "demo.story." + p.Story, Scripts: []string{"demo/story.js"}, Data: p})
}

// image gives the QR code of a scene.
func (s *Stage) image(c echo.Context) error {
	p, err := s.find(c.Param("id"))
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(c.Param("number"))
	if err != nil {
		return serve.ErrNoRoute
	}
	for _, x := range p.Scenes {
		if x.Number == n && x.Image != nil {
			return serve.Bytes(c, http.StatusOK, "image/svg+xml", []byte(x.Image.SVG()), "private, max-age=3600")
		}
	}
	return serve.ErrNoRoute
}
