package cli

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/kinpass/kinpass/api"
	"github.com/kinpass/kinpass/internal/serve"
	"github.com/kinpass/kinpass/verifier/check"
	"github.com/kinpass/kinpass/wallet"
	"github.com/kinpass/kinpass/web"
	"github.com/kinpass/kinpass/web/border"
	start "github.com/kinpass/kinpass/web/demo"
)

// chapters are the parts of a story.
type chapters []func(*player, context.Context) error

// playbill has the stories that the start page plays, in its order. Each begins with
// people of its own.
var playbill = []struct {
	name  string
	parts chapters
}{
	{"papers", chapters{(*player).newParent, (*player).register, (*player).accept, (*player).logged, (*player).show, (*player).forge, (*player).steal,
		(*player).pretend, (*player).repeat, (*player).age, (*player).paper, (*player).revoke}},
	{"parent", chapters{(*player).oneParent}},
	{"aunt", chapters{(*player).aunt}},
	{"court", chapters{(*player).orders}},
	{"withdrawn", chapters{(*player).withdrawn}},
	{"class", chapters{(*player).class}},
}

// newParent gives the story a guardian with a wallet of their own, so that
// stories that are played at the same time do not meet.
func (p *player) newParent(ctx context.Context) error {
	secret, _, err := p.wallet.db.AddToken(ctx, "guardian of a story", wallet.RoleGuardian, time.Time{})
	if err != nil {
		return err
	}
	p.parent, p.guardian = secret, &api.Client{Base: p.wallet.base, Token: secret}
	return nil
}

// playFor plays one story for the start page.
func (d *demo) playFor(ctx context.Context, story string, tell func(start.Scene)) error {
	p := d.player(io.Discard)
	p.tell = tell
	for _, s := range playbill {
		if s.name != story {
			continue
		}
		for _, part := range s.parts {
			if err := part(p, ctx); err != nil {
				d.log.Warn("a story could not go on", "story", story, "cause", err)
				return err
			}
		}
		return nil
	}
	return errors.New("there is no such story")
}

// pauseOfStories is how long a story waits after each scene, so that one can
// follow it.
const pauseOfStories = 1200 * time.Millisecond

// listenToStart takes the start page's port: the one after the services', or any
// other if something else has it. Nothing depends on it.
func listenToStart(host string, port int) (net.Listener, string, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		if l, err = net.Listen("tcp", net.JoinHostPort(host, "0")); err != nil {
			return nil, "", err
		}
	}
	return l, "http://localhost:" + strconv.Itoa(l.Addr().(*net.TCPAddr).Port), nil
}

// noInterface is the description of a service that programs ask nothing of.
var noInterface = []byte(`{"openapi": "3.0.3", "info": {"title": "start page", "version": "1"}, "paths": {}}`)

// serveStart answers with the start page until ctx ends.
func (d *demo) serveStart(ctx context.Context, l net.Listener) error {
	site, err := web.New(start.Role, d.start, start.App, border.App)
	if err != nil {
		return err
	}
	stage := &start.Stage{Site: site, Secret: d.secret, Services: d.services, Play: d.playFor, Words: wordsOf(site)}
	if d.home.watched {
		stage.Pause = pauseOfStories
	}
	for _, s := range playbill {
		stage.Stories = append(stage.Stories, s.name)
	}
	srv, err := serve.New(serve.Config{Role: start.Role, Spec: noInterface, Log: d.log, Now: now, Refuse: stage.Refuse,
		Token: func(context.Context, string) (serve.Caller, error) { return serve.Caller{}, serve.ErrNoToken }})
	if err != nil {
		return err
	}
	stage.Routes(srv)
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	d.stopPage = func() { cancel(); <-done }
	go func() {
		defer close(done)
		if err := srv.Serve(ctx, l); err != nil {
			d.log.Error("the start page ended", "cause", err)
		}
	}()
	return nil
}

// wordsOf gives what decisions say in a visitor's language, as the officer's page
// says it. A next step is found by its English words.
func wordsOf(site *web.Site) func(*http.Request) map[string]check.Words {
	const code, next = "border.js.code.", "border.js.next."
	return func(r *http.Request) map[string]check.Words {
		english, theirs := site.In("en", r), site.Speak(r)
		steps := map[string]string{}
		for _, key := range english.Keys() {
			if strings.HasPrefix(key, next) {
				text, err := english.Text(key)
				if mine, merr := theirs.Text(key); err == nil && merr == nil {
					steps[text] = mine
				}
			}
		}
		words := check.Texts()
		for c, w := range words {
			if text, err := theirs.Text(code + c); err == nil {
				w.Text = text
			}
			if step, ok := steps[w.Next]; ok {
				w.Next = step
			}
			words[c] = w
		}
		return words
	}
}

// services gives the services with those who can come in, for the start page.
func (d *demo) services() []start.Service {
	var out []start.Service
	for _, r := range []*running{d.issuer, d.wallet, d.verifier} {
		if r == nil { // it was stopped
			continue
		}
		s := start.Service{Role: r.role, Base: r.base}
		for _, n := range d.everybody() {
			if n.at == r.role && !n.Hidden {
				s.People = append(s.People, start.Person{Key: n.Key, Name: n.Name, Text: n.text})
			}
		}
		out = append(out, s)
	}
	return out
}
