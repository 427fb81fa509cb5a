package verifier

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/verifier/check"
)

// cross is a decision that counts the crossings of a consent: it says amber when
// there were as many as it allows.
func cross(consent string, allowed int) decider {
	return func(b *check.Bundle, f check.Facts, h check.History, now time.Time) ([]check.Decision, check.History, error) {
		d, h, err := check.Check("not a code", b, f, h, now)
		if err != nil {
			return nil, h, err
		}
		n := 0
		for _, c := range h.Crossings {
			if c.Consent == consent {
				n++
			}
		}
		d.Colour = check.Green
		if n >= allowed {
			d.Colour = check.Amber
			return []check.Decision{d}, h, nil
		}
		h.Crossings = append(slices.Clip(h.Crossings), check.Crossing{Consent: consent, Shown: fmt.Sprint(n), Session: f.Session, At: now, Until: now.Add(48 * time.Hour)})
		return []check.Decision{d}, h, nil
	}
}

// Of many counters, replicas and requests that use one consent at the same
// moment, as many pass as the consent allows.
func TestCrossingsAreCountedAcrossReplicas(t *testing.T) {
	for _, engine := range []string{store.SQLite, store.Postgres} {
		t.Run(engine, func(t *testing.T) {
			w := newWorld(t)
			w.office()
			w.signTrust()
			url := storetest.URL(t, engine, "verifier")
			var replicas []*Verifier
			for range 2 {
				replicas = append(replicas, w.verifier(storetest.Reopen(t, url, "verifier")))
			}
			w.build(replicas[0])
			var wg sync.WaitGroup
			var mu sync.Mutex
			green := 0
			for i := range 24 {
				wg.Go(func() {
					r, err := replicas[i%2].sit(context.Background(), check.Facts{Post: "north"}, cross("c", 7))
					mu.Lock()
					defer mu.Unlock()
					if err != nil {
						t.Error(err)
					} else if r[0].Colour == check.Green {
						green++
					}
				})
			}
			wg.Wait()
			if green != 7 {
				t.Fatalf("%d passed, 7 may", green)
			}
			// Another post counts for itself, and so does another consent.
			for name, f := range map[string]struct {
				post, consent string
			}{"another post": {"south", "c"}, "another consent": {"north", "d"}, "no name": {"", "c"}} {
				r, err := replicas[0].sit(context.Background(), check.Facts{Post: f.post}, cross(f.consent, 1))
				if err != nil || r[0].Colour != check.Green {
					t.Errorf("%s: %v %v", name, r, err)
				}
			}
			// A process that starts anew knows it all.
			again := w.verifier(storetest.Reopen(t, url, "verifier"))
			for post, allowed := range map[string]int{"north": 7, "south": 1, "": 1} {
				r, err := again.sit(context.Background(), check.Facts{Post: post}, cross("c", allowed))
				if err != nil || r[0].Colour != check.Amber {
					t.Errorf("%q after a restart: %v %v", post, r, err)
				}
			}
		})
	}
}

// A check that fails leaves neither a record nor a memory.
func TestNothingIsRememberedOfNoDecision(t *testing.T) {
	storetest.Each(t, "verifier", func(t *testing.T, db *store.DB) {
		ctx := context.Background()
		w := newWorld(t)
		w.office()
		w.signTrust()
		v := w.verifier(db)
		w.build(v)
		broken := errors.New("no decision")
		looks := 0
		_, err := v.sit(ctx, check.Facts{}, func(b *check.Bundle, f check.Facts, h check.History, now time.Time) ([]check.Decision, check.History, error) {
			looks++
			d, h, err := cross("c", 3)(b, f, h, now)
			if looks > 1 {
				err = broken
			}
			// Somebody else crosses while this one is deciding.
			if looks == 1 {
				if _, err := v.sit(ctx, check.Facts{}, cross("c", 3)); err != nil {
					t.Error(err)
				}
			}
			return d, h, err
		})
		if !errors.Is(err, broken) || looks != 2 {
			t.Fatalf("%v after %d looks", err, looks)
		}
		list, err := v.Records(ctx, "", 10)
		if err != nil || len(list) != 1 {
			t.Fatalf("%d records, %v", len(list), err)
		}
		for i, want := range []check.Colour{check.Green, check.Green, check.Amber} {
			r, err := v.sit(ctx, check.Facts{}, cross("c", 3))
			if err != nil || r[0].Colour != want {
				t.Errorf("crossing %d: %v %v", i+2, r, err)
			}
		}
	})
}

// What a post remembers can be read by nobody who has the database alone; what
// was changed there is an error, never nothing.
func TestHistoryIsSealed(t *testing.T) {
	storetest.Each(t, "verifier", func(t *testing.T, db *store.DB) {
		ctx := context.Background()
		w := newWorld(t)
		w.office()
		w.signTrust()
		v := w.verifier(db)
		w.build(v)
		for _, post := range []string{"north-gate", "south-gate"} {
			if _, err := v.sit(ctx, check.Facts{Post: post, Session: "Okello family"}, cross("0123456789abcdef", 9)); err != nil {
				t.Fatal(err)
			}
		}
		b, err := v.Latest(ctx)
		if err != nil {
			t.Fatal(err)
		}
		// The bundle is public, and its policies speak of consents.
		text := strings.ReplaceAll(everything(t, db), string(b.Bytes), "")
		for _, s := range []string{"0123456789abcdef", "north-gate", "Okello", "crossings", "consent"} {
			if strings.Contains(text, s) {
				t.Errorf("the database holds %q", s)
			}
		}
		if strings.Count(text, "histories.sealed=") != 2 {
			t.Fatal("the test looked at nothing")
		}
		posts, err := v.book.posts(ctx)
		if err != nil || len(posts) != 2 {
			t.Fatalf("%d posts, %v", len(posts), err)
		}
		first, err := v.book.recall(ctx, posts[0])
		if err != nil {
			t.Fatal(err)
		}
		second, err := v.book.recall(ctx, posts[1])
		if err != nil {
			t.Fatal(err)
		}
		set := func(sealed []byte) {
			t.Helper()
			if _, err := db.Exec(`UPDATE histories SET sealed = $2 WHERE post = $1`, v.hash("post", []byte("north-gate")), sealed); err != nil {
				t.Fatal(err)
			}
		}
		mine, theirs := first, second
		if bytes.Equal(posts[1], v.hash("post", []byte("north-gate"))) {
			mine, theirs = second, first
		}
		flipped := bytes.Clone(mine)
		flipped[len(flipped)/2] ^= 1
		for name, sealed := range map[string][]byte{"a bit": flipped, "cut short": mine[:len(mine)-1], "another post's": theirs, "something else": []byte("x")} {
			set(sealed)
			before := len(mustRecords(t, v))
			if _, err := v.sit(ctx, check.Facts{Post: "north-gate"}, cross("0123456789abcdef", 9)); !errors.Is(err, ErrHistory) {
				t.Errorf("%s: %v", name, err)
			}
			if len(mustRecords(t, v)) != before {
				t.Errorf("%s: recorded", name)
			}
			// The other post works on, and purging does not stop for it.
			if _, err := v.sit(ctx, check.Facts{Post: "south-gate"}, cross("0123456789abcdef", 99)); err != nil {
				t.Errorf("%s: the other post: %v", name, err)
			}
			if err := v.Purge(ctx); err != nil {
				t.Errorf("%s: purge: %v", name, err)
			}
		}
		set(mine)
		if _, err := v.sit(ctx, check.Facts{Post: "north-gate"}, cross("0123456789abcdef", 9)); err != nil {
			t.Errorf("put back: %v", err)
		}
		// Another installation's secret opens nothing.
		other := newWorld(t)
		cfg := w.config(db)
		cfg.Ring = other.ring
		stranger, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := stranger.openHistory(v.hash("post", []byte("north-gate")), mine); !errors.Is(err, ErrHistory) {
			t.Errorf("another secret: %v", err)
		}
	})
}

// Officers name sessions after families: what is remembered has a hash of the
// name, which is another at another post.
func TestSessionsAreHashed(t *testing.T) {
	w := newWorld(t)
	w.office()
	w.signTrust()
	v := w.verifier(storetest.Open(t, store.SQLite, "verifier"))
	w.build(v)
	seen := map[string]bool{}
	for _, f := range []check.Facts{{Session: "Okello family", Post: "north"}, {Session: "Okello family", Post: "south"}, {Session: "Okello", Post: "north"}, {Session: "Okello family", Post: "north"}} {
		r, err := v.sit(context.Background(), f, func(b *check.Bundle, got check.Facts, h check.History, now time.Time) ([]check.Decision, check.History, error) {
			raw, err := hex.DecodeString(got.Session)
			if err != nil || len(raw) != 32 || bytes.Contains(raw, []byte("Okello")) {
				t.Errorf("the session is %q", got.Session)
			}
			seen[got.Session] = true
			return cross("c", 9)(b, got, h, now)
		})
		if err != nil || r[0].Session != f.Session {
			t.Fatalf("%+v, %v", r, err)
		}
	}
	if len(seen) != 3 {
		t.Errorf("%d sessions of three", len(seen))
	}
}

func mustRecords(t *testing.T, v *Verifier) []Record {
	t.Helper()
	list, err := v.Records(context.Background(), "", 500)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// Each entry is forgotten when its time is over, also at a post that checks
// nobody.
func TestHistoryIsPurged(t *testing.T) {
	storetest.Each(t, "verifier", func(t *testing.T, db *store.DB) {
		ctx := context.Background()
		w := newWorld(t)
		w.office()
		w.signTrust()
		v := w.verifier(db)
		w.build(v)
		use := func() check.Colour {
			t.Helper()
			r, err := v.sit(ctx, check.Facts{}, cross("c", 1))
			if err != nil {
				t.Fatal(err)
			}
			return r[0].Colour
		}
		if use() != check.Green || use() != check.Amber {
			t.Fatal("not counted")
		}
		w.wait(48*time.Hour - time.Second)
		if err := v.Purge(ctx); err != nil {
			t.Fatal(err)
		}
		if use() != check.Amber {
			t.Fatal("forgotten too early")
		}
		w.wait(time.Second)
		if err := v.Purge(ctx); err != nil {
			t.Fatal(err)
		}
		if text := everything(t, db); strings.Contains(text, "histories.") {
			t.Fatal("a post that remembers nothing is remembered")
		}
		if use() != check.Green {
			t.Fatal("not forgotten")
		}
	})
}

// Checks without a consent or a code leave at which places of the status lists their
// papers were, and nothing else.
func TestChecksLeavePlaces(t *testing.T) {
	storetest.Each(t, "verifier", func(t *testing.T, db *store.DB) {
		w := newWorld(t)
		o := w.office()
		w.signTrust()
		v := w.verifier(db)
		w.build(v)
		birth, mandate, _ := o.family("mother")
		for range 3 {
			if r := w.look(v, birth, mandate); r.Colour != check.Green {
				t.Fatalf("%v", r.Codes())
			}
		}
		// Only that these two papers were at their places on the status lists.
		var post, sealed []byte
		if err := db.QueryRow(`SELECT post, sealed FROM histories`).Scan(&post, &sealed); err != nil {
			t.Fatal(err)
		}
		h, _, err := v.openHistory(post, sealed)
		if err != nil || len(h.Places) != 2 {
			t.Errorf("%d places, %v", len(h.Places), err)
		}
		if h.Places = nil; !h.Empty() {
			t.Errorf("more is remembered: %+v", h)
		}
	})
}
