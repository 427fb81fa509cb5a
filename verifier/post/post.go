// Package post is a border post that carries its check with it: a page in an
// officer's browser, with no service and no network. It holds one bundle and
// what the post remembers, and decides as verifier/check does.
//
// Bytes go in and bytes come out, as JSON, so that whoever embeds it keeps them
// where it can: the whole of the check that a browser runs is here and is tried
// natively, too. It asks no network, reads no file and keeps nothing.
package post

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/verifier/check"
)

// Faults of a post.
var (
	ErrPresentations = fault.New(fault.Invalid, "presentations-count", "one to four presentations, one for each holder; up to sixty of a group")
	// ErrNoSuchChallenge: a post without a service asks with no nonce of its own.
	ErrNoSuchChallenge = fault.New(fault.Unprocessable, "no-such-challenge", "this verifier did not ask with this nonce, or it has expired").
				WithHint("make a new one with POST /verifier/challenges")
	// ErrHistory: what a post remembers is there and cannot be read. Nothing is
	// decided then: a post that forgets would let a consent pass that was used up.
	ErrHistory = fault.New(fault.Unavailable, "history-unreadable", "what this post remembers of earlier checks cannot be read")
)

// How many presentations one child, and one group, may have.
const (
	maxHolders = 4
	maxGroup   = 60
)

// maxRequest bounds the JSON of a check: sixty presentations and the facts.
const maxRequest = 6 << 20

// Post is one post. It is for one goroutine; the zero Post is of no use.
type Post struct {
	anchors vc.Anchors
	bundle  *check.Bundle
	known   Known
	history check.History
	next    check.History
}

// New makes a post that believes these anchors (an anchor file, as
// vc.ParseAnchors reads it).
func New(anchors []byte) (*Post, error) {
	keys, err := vc.ParseAnchors(anchors)
	if err != nil {
		return nil, err
	}
	return &Post{anchors: keys}, nil
}

// Fingerprints gives the SHA-256 of each anchor's key (RFC 7638), in groups of
// four hexadecimal digits, for people to compare with what the authority
// published.
func Fingerprints(anchors []byte) ([]string, error) {
	keys, err := vc.ParseAnchors(anchors)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, k := range keys.Keys {
		t, err := vc.Thumbprint(k)
		if err != nil {
			return nil, err
		}
		raw, err := base64.RawURLEncoding.DecodeString(t)
		if err != nil {
			return nil, err
		}
		digits := hex.EncodeToString(raw)
		var groups []byte
		for i := 0; i < len(digits); i += 4 {
			if i > 0 {
				groups = append(groups, ' ')
			}
			groups = append(groups, digits[i:min(i+4, len(digits))]...)
		}
		out = append(out, string(groups))
	}
	return out, nil
}

// Request is one check.
type Request struct {
	Presentations []string    `json:"presentations"`
	Group         bool        `json:"group"`
	Facts         check.Input `json:"facts"`

	// Times in milliseconds since 1970. Now is the device's clock. Trusted is
	// the present as a trusted source gave it, carried on by a clock that nobody
	// sets; 0 if there is none. AtLeast is the latest time that this device knows
	// to be over.
	Now     int64 `json:"now"`
	Trusted int64 `json:"trusted"`
	AtLeast int64 `json:"atLeast"`
}

// Answer is what comes of a check: Result or Group, as POST /checks answers, or
// Fault.
type Answer struct {
	Result *check.Result `json:"result,omitempty"`
	Group  *check.Group  `json:"group,omitempty"`
	Fault  *Fault        `json:"fault,omitempty"`
}

// Fault is a fault in JSON.
type Fault struct {
	Code   string        `json:"code"`
	Detail string        `json:"detail"`
	Hint   string        `json:"hint,omitempty"`
	Fields []fault.Field `json:"fields,omitempty"`
}

// FaultOf gives what may be shown of an error.
func FaultOf(err error) *Fault {
	f := fault.As(err)
	return &Fault{f.Code, f.Detail, f.Hint, f.Fields}
}

// Check decides about a request in JSON. history is what the post has to
// remember, nil if that did not change: keep it, then call Keep, and only then
// show the answer.
func (p *Post) Check(request []byte) (answer, history []byte) {
	a, err := p.check(request)
	if err == nil {
		if history, err = p.after(); err != nil {
			a = Answer{}
		}
	}
	if err != nil {
		p.next = p.history
		a.Fault = FaultOf(err)
	}
	answer, err = json.Marshal(a)
	if err != nil {
		return []byte(`{"fault":{"code":"internal","detail":"nothing could be decided"}}`), nil
	}
	return answer, history
}

func (p *Post) check(request []byte) (Answer, error) {
	p.next = p.history
	var r Request
	if len(request) > maxRequest {
		return Answer{}, check.ErrInput
	}
	if err := vc.StrictJSON(request, &r, 4); err != nil {
		return Answer{}, check.ErrInput.With(err)
	}
	if n := len(r.Presentations); n == 0 || n > maxGroup || !r.Group && n > maxHolders {
		return Answer{}, ErrPresentations
	}
	f, hints, err := r.Facts.Facts()
	if err != nil {
		return Answer{}, err
	}
	if f.Challenge != "" {
		return Answer{}, ErrNoSuchChallenge
	}
	now := time.UnixMilli(r.Now).UTC()
	switch {
	case r.Trusted != 0:
		f.LastTrustedTime = time.UnixMilli(r.Trusted).UTC()
	case r.Now < r.AtLeast:
		f.LastTrustedTime = time.UnixMilli(r.AtLeast).UTC()
	}
	if b := p.bundle; f.LastTrustedTime.IsZero() && b != nil && now.Before(p.known.Vouched) {
		f.LastTrustedTime = p.known.Vouched
	}
	session := f.Session
	if session == "" {
		session = random()
	}
	// What is remembered holds hashes alone: officers name sessions after
	// families.
	sum := sha256.Sum256([]byte("kinpass/visit/v1\x00" + f.Post + "\x00" + session))
	f.Session = hex.EncodeToString(sum[:])

	var decisions []check.Decision
	if r.Group {
		decisions, p.next, err = check.CheckGroup(r.Presentations, p.bundle, f, p.history, now)
	} else {
		var d check.Decision
		f.Others = r.Presentations[1:]
		d, p.next, err = check.Check(r.Presentations[0], p.bundle, f, p.history, now)
		decisions = []check.Decision{d}
	}
	if err != nil {
		return Answer{}, err
	}
	results := make([]check.Result, len(decisions))
	for i, d := range decisions {
		results[i] = check.Result{ID: random(), At: now, Session: session, Hints: hints, Decision: d}
	}
	if r.Group {
		return Answer{Group: &check.Group{Session: session, Decisions: results}}, nil
	}
	return Answer{Result: &results[0]}, nil
}

// after gives what to remember after a check, nil if it is what was remembered
// before.
func (p *Post) after() ([]byte, error) {
	if p.next.Empty() && p.history.Empty() {
		return nil, nil
	}
	before, err := json.Marshal(p.history)
	if err != nil {
		return nil, err
	}
	after, err := json.Marshal(p.next)
	if err != nil || bytes.Equal(before, after) {
		return nil, err
	}
	return after, nil
}

// Keep makes what the last check gave what the post remembers.
func (p *Post) Keep() { p.history = p.next }

// Remember gives the post what it remembered, as Check gave it; empty is
// nothing. Errors are ErrHistory.
func (p *Post) Remember(history []byte) error {
	var h check.History
	if len(history) > 0 {
		if err := json.Unmarshal(history, &h); err != nil {
			return ErrHistory.With(err)
		}
	}
	p.history, p.next = h, h
	return nil
}

// random names a check or a session.
func random() string {
	b := make([]byte, 16)
	rand.Read(b) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(b)
}
