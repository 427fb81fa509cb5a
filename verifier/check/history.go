package check

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"
)

// History is what a post remembers from one check to the next. It is a value:
// Check never changes the one it was given, and gives back the one to pass in
// next time. The zero History remembers nothing. It holds hashes and times, no
// name, number or reference; every entry ends, and each list is bounded.
type History struct {
	Seen      []Seen     `json:"seen"`
	Crossings []Crossing `json:"crossings,omitempty"`
	Children  []Brought  `json:"children,omitempty"`
	Failures  []Failure  `json:"failures,omitempty"`
	Places    []Place    `json:"places,omitempty"`
}

// Seen is one presentation that was checked. Hash is SHA-256 of its holder and
// nonce in hexadecimal digits, so that it tells nothing of either.
type Seen struct {
	Hash    string    `json:"hash"`
	Session string    `json:"session"`
	Until   time.Time `json:"until"` // when it may be forgotten
}

// Crossing is one use of a travel consent. Consent is a hash of its nonce and
// child, Shown one of the presentations that it was shown with.
type Crossing struct {
	Consent string    `json:"consent"`
	Shown   string    `json:"shown"`
	Session string    `json:"session"`
	At      time.Time `json:"at"`
	Until   time.Time `json:"until"`
}

// Brought is a child whom an adult brought to the counter without being their
// guardian. Adult and Child are hashes bound to the session, so that nothing
// joins two of them.
type Brought struct {
	Adult   string    `json:"adult"`
	Child   string    `json:"child"`
	Session string    `json:"session"`
	Until   time.Time `json:"until"`
}

// Failure is one attempt to use a consent that was over, used up or for
// another route.
type Failure struct {
	Consent string    `json:"consent"`
	Shown   string    `json:"shown"`
	Session string    `json:"session"`
	At      time.Time `json:"at"`
	Until   time.Time `json:"until"`
}

// Place is a place on a status list with the credential that was shown as having
// it: no honest issuer gives one place to two. Both are the first digits of
// hashes: enough to tell two apart, too few to find one by. They are remembered
// for a day: whoever has a credential and this could else tell when it was shown.
type Place struct {
	Place      string    `json:"place"`
	Credential string    `json:"credential"`
	Until      time.Time `json:"until"`
}

// How long and how much a post remembers.
const (
	maxEntries   = 20_000              // of one list; beyond it, those that end soonest are forgotten
	oneCrossing  = 15 * time.Minute    // shown again within this time it is the same crossing
	keepFailures = 30 * 24 * time.Hour // domain table 9.2, S6
	keepChildren = 12 * time.Hour      // one encounter at a counter; a session that goes on longer is another one
	keepCrossing = 2 * 366 * 24 * time.Hour
	keepPlaces   = 24 * time.Hour
	maxPlaces    = 1_000 // they are part of every history that is sealed
)

// Empty reports whether h remembers nothing.
func (h History) Empty() bool {
	return len(h.Seen)+len(h.Crossings)+len(h.Children)+len(h.Failures)+len(h.Places) == 0
}

// Forget gives the history without what has ended. A post that checks nobody
// calls it from time to time; Check does it each time.
func (h History) Forget(now time.Time) History {
	return History{
		Seen:      kept(h.Seen, nil, now),
		Crossings: kept(h.Crossings, nil, now),
		Children:  kept(h.Children, nil, now),
		Failures:  kept(h.Failures, nil, now),
		Places:    kept(h.Places, nil, now),
	}
}

// entry is one thing remembered until a time.
type entry interface {
	comparable
	until() time.Time
}

func (s Seen) until() time.Time     { return s.Until }
func (c Crossing) until() time.Time { return c.Until }
func (b Brought) until() time.Time  { return b.Until }
func (f Failure) until() time.Time  { return f.Until }
func (p Place) until() time.Time    { return p.Until }

// kept gives what has not ended of old, and of more what is not in it.
func kept[E entry](old, more []E, now time.Time) []E {
	if len(old)+len(more) == 0 {
		return nil
	}
	out := make([]E, 0, len(old)+len(more))
	for _, e := range old {
		if now.Before(e.until()) {
			out = append(out, e)
		}
	}
	for _, e := range more {
		if now.Before(e.until()) && !slices.Contains(out, e) {
			out = append(out, e)
		}
	}
	if len(out) > maxEntries {
		slices.SortStableFunc(out, func(a, b E) int { return a.until().Compare(b.until()) })
		out = slices.Clip(slices.Delete(out, 0, len(out)-maxEntries))
	}
	return out
}

// with gives a history that also remembers these.
func (h History) with(more History, now time.Time) History {
	new := more.Seen[:0:0]
	for _, s := range more.Seen {
		if !slices.ContainsFunc(h.Seen, func(o Seen) bool { return o.Hash == s.Hash && o.Session == s.Session && now.Before(o.Until) }) {
			new = append(new, s)
		}
	}
	return History{
		Seen:      kept(h.Seen, new, now),
		Crossings: kept(h.Crossings, more.Crossings, now),
		Children:  kept(h.Children, more.Children, now),
		Failures:  kept(h.Failures, more.Failures, now),
		Places:    newest(kept(h.places(more.Places), more.Places, now)),
	}
}

// places gives what is remembered of places but for those that are shown again:
// these are remembered anew.
func (h History) places(more []Place) []Place {
	var out []Place
	for _, p := range h.Places {
		if !slices.ContainsFunc(more, func(q Place) bool { return p.Place == q.Place && p.Credential == q.Credential }) {
			out = append(out, p)
		}
	}
	return out
}

// newest drops the places that end soonest where there are too many.
func newest(of []Place) []Place {
	if len(of) <= maxPlaces {
		return of
	}
	slices.SortStableFunc(of, func(a, b Place) int { return a.Until.Compare(b.Until) })
	return slices.Clone(of[len(of)-maxPlaces:])
}

// placesOf gives the places of the verified birth and guardianship credentials
// that were shown. The credential is known by what it says, never by its
// signature, of which there can be many over the same bytes.
func (e *exam) placesOf() []Place {
	if e.places != nil {
		return e.places
	}
	for _, c := range e.creds {
		if c.Credential == nil || c.forged || c.untrusted || c.unknownKey || c.birth == nil && c.mandate == nil || len(c.Status) == 0 {
			continue
		}
		h := sha256.New()
		h.Write([]byte(c.ID))
		h.Write(c.Subject)
		p := Place{token("place", c.Status[0].List, c.Status[0].Index)[:16], hex.EncodeToString(h.Sum(nil)[:6]), e.now.UTC().Add(keepPlaces)}
		if !slices.Contains(e.places, p) {
			e.places = append(e.places, p)
		}
	}
	return e.places
}

// placeTaken reports whether two credentials have one place: two that are shown,
// or one that is and one that this post saw.
func (e *exam) placeTaken() bool {
	shown := e.placesOf()
	for i, p := range shown {
		other := func(q Place) bool { return q.Place == p.Place && q.Credential != p.Credential }
		if slices.ContainsFunc(shown[:i], other) || slices.ContainsFunc(e.history.Places, func(q Place) bool { return other(q) && e.now.Before(q.Until) }) {
			return true
		}
	}
	return false
}

// usedElsewhere reports whether hash was seen in another session. A check
// without a session is a session of its own.
func (h History) usedElsewhere(hash, session string, now time.Time) bool {
	for i := range h.Seen {
		s := &h.Seen[i]
		if s.Hash == hash && now.Before(s.Until) && (session == "" || s.Session != session) {
			return true
		}
	}
	return false
}

// sameEncounter reports whether two uses of one consent are one: the same
// presentation, or the same session, at nearly the same time. Paper has no
// presentation of its own, so without a session only the time tells.
func sameEncounter(shown, session string, at time.Time, c *Crossing) bool {
	if at.Sub(c.At).Abs() >= oneCrossing {
		return false
	}
	return shown == c.Shown || session != "" && session == c.Session
}

// crossings counts the uses of a consent before this one.
func (h History) crossings(consent, shown, session string, now time.Time) int {
	n := 0
	for i := range h.Crossings {
		c := &h.Crossings[i]
		if c.Consent == consent && now.Before(c.Until) && !sameEncounter(shown, session, now, c) {
			n++
		}
	}
	return n
}

// crossed reports whether this use was counted already.
func (h History) crossed(consent, shown, session string, now time.Time) bool {
	for i := range h.Crossings {
		if c := &h.Crossings[i]; c.Consent == consent && sameEncounter(shown, session, now, c) {
			return true
		}
	}
	return false
}

// failures counts the earlier attempts to use a consent that did not hold, and
// tells whether this one is among them.
func (h History) failures(consent, shown, session string, now time.Time) (before int, thisOne bool) {
	for i := range h.Failures {
		f := &h.Failures[i]
		if f.Consent != consent || !now.Before(f.Until) {
			continue
		}
		if sameEncounter(shown, session, now, &Crossing{Shown: f.Shown, Session: f.Session, At: f.At}) {
			thisOne = true
			continue
		}
		before++
	}
	return before, thisOne
}

// brought counts the different children whom an adult brought in a session.
func (h History) brought(adult, session string, now time.Time) int {
	if session == "" {
		return 0
	}
	n := 0
	for i := range h.Children {
		if b := &h.Children[i]; b.Adult == adult && b.Session == session && now.Before(b.Until) {
			n++
		}
	}
	return n
}

// broughtAlready reports whether this child was counted for this adult.
func (h History) broughtAlready(b *Brought, now time.Time) bool {
	for i := range h.Children {
		if o := &h.Children[i]; o.Adult == b.Adult && o.Child == b.Child && o.Session == b.Session && now.Before(o.Until) {
			return true
		}
	}
	return false
}

// token is a hash of parts for one purpose, as it is remembered.
func token(purpose string, parts ...string) string {
	h := sha256.New()
	h.Write([]byte("kinpass/" + purpose + "/v1"))
	for _, p := range parts {
		h.Write([]byte{0})
		h.Write([]byte(p))
	}
	return hex.EncodeToString(h.Sum(nil))
}
