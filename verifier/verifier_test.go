package verifier

import (
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/verifier/check"
)

const nonce = "bm9uY2UtMTIzNDU2Nzg5MA"

var confirmed = check.Facts{Confirm: []string{check.Portrait, check.Document}}

func TestCheckFollowsTheBundle(t *testing.T) {
	storetest.Each(t, "verifier", func(t *testing.T, db *store.DB) {
		ctx := context.Background()
		w := newWorld(t)
		o := w.office()
		w.signTrust()
		v := w.verifier(db)
		birth, mandate, index := o.family("mother")
		if _, err := v.Check(ctx, []string{w.present("mother", nonce, birth, mandate)}, confirmed); !errors.Is(err, ErrNoBundle) {
			t.Fatalf("without a bundle: %v", err)
		}
		w.build(v)
		r, err := v.Check(ctx, []string{w.present("mother", nonce, birth, mandate)}, confirmed)
		if err != nil {
			t.Fatal(err)
		}
		if r.Colour != check.Green || !slices.Equal(r.Codes(), []string{"OK"}) || r.ID == "" || r.Session == "" || !r.At.Equal(start) {
			t.Fatalf("a good family: %v %v", r.Colour, r.Codes())
		}
		if err := o.bits[vc.PurposeRevocation].Set(index); err != nil {
			t.Fatal(err)
		}
		w.wait(time.Minute)
		// Not yet known here: the post is offline until its next bundle.
		if r, err = v.Check(ctx, []string{w.present("mother", nonce+"2", birth, mandate)}, confirmed); err != nil || r.Colour != check.Green {
			t.Fatalf("revoked, before the next bundle: %v %v %v", err, r.Colour, r.Codes())
		}
		w.build(v)
		if r, err = v.Check(ctx, []string{w.present("mother", nonce+"3", birth, mandate)}, confirmed); err != nil || r.Colour != check.Red || !r.Has("STATUS_REVOKED") {
			t.Fatalf("revoked: %v %v %v", err, r.Colour, r.Codes())
		}
		// The issuer's shelf is gone for good; the age of its lists shows.
		o.put("/status", []byte("x"))
		w.wait(25 * time.Hour)
		w.build(v)
		other, mandate2, _ := o.family("father")
		if r, err = v.Check(ctx, []string{w.present("father", nonce+"4", other, mandate2)}, confirmed); err != nil || r.Colour != check.Amber || !r.Has("STATUS_STALE") {
			t.Fatalf("stale: %v %v %v", err, r.Colour, r.Codes())
		}
		if r.StatusAgeSeconds != int64(25*time.Hour/time.Second) || r.Bundle.AgeSeconds != 0 {
			t.Fatalf("ages: status %d, bundle %d", r.StatusAgeSeconds, r.Bundle.AgeSeconds)
		}
	})
}

func TestPresentationUsedInAnotherSession(t *testing.T) {
	for _, engine := range []string{store.SQLite, store.Postgres} {
		t.Run(engine, func(t *testing.T) {
			ctx := context.Background()
			w := newWorld(t)
			o := w.office()
			w.signTrust()
			url := storetest.URL(t, engine, "verifier")
			v := w.verifier(storetest.Reopen(t, url, "verifier"))
			w.build(v)
			birth, mandate, _ := o.family("mother")
			shown := []string{w.present("mother", nonce, birth, mandate)}
			at := func(v *Verifier, session string) Result {
				t.Helper()
				f := confirmed
				f.Session = session
				r, err := v.Check(ctx, shown, f)
				if err != nil {
					t.Fatal(err)
				}
				return r
			}
			first := at(v, "")
			if first.Colour != check.Green {
				t.Fatalf("first: %v", first.Codes())
			}
			// The officer goes on with the same person at the same counter.
			if r := at(v, first.Session); r.Colour != check.Green {
				t.Fatalf("same session: %v", r.Codes())
			}
			if r := at(v, "counter 2"); r.Colour != check.Amber || !r.Has("PRESENTATION_REPEATED") {
				t.Fatalf("another session: %v %v", r.Colour, r.Codes())
			}
			if r := at(v, ""); !r.Has("PRESENTATION_REPEATED") {
				t.Fatalf("no session: %v", r.Codes())
			}
			// Another process that shares the database knows it too.
			replica := w.verifier(storetest.Reopen(t, url, "verifier"))
			if r := at(replica, "counter 3"); !r.Has("PRESENTATION_REPEATED") {
				t.Fatalf("replica: %v", r.Codes())
			}
			if r := at(replica, first.Session); r.Colour != check.Green {
				t.Fatalf("same session at the replica: %v", r.Codes())
			}
			// Another presentation of the same papers is another presentation.
			shown = []string{w.present("mother", nonce+"x", birth, mandate)}
			if r := at(replica, "counter 3"); r.Colour != check.Green {
				t.Fatalf("a fresh code: %v", r.Codes())
			}
		})
	}
}

// Of many counters that scan one code at the same moment, one sees green.
func TestOneCounterOnlyAcceptsAPresentation(t *testing.T) {
	storetest.Each(t, "verifier", func(t *testing.T, db *store.DB) {
		w := newWorld(t)
		o := w.office()
		w.signTrust()
		a, b := w.verifier(db), w.verifier(db)
		w.build(a)
		birth, mandate, _ := o.family("mother")
		shown := []string{w.present("mother", nonce, birth, mandate)}
		var wg sync.WaitGroup
		var mu sync.Mutex
		green := 0
		for i := range 12 {
			v := a
			if i%2 == 1 {
				v = b
			}
			wg.Go(func() {
				r, err := v.Check(context.Background(), shown, confirmed)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				if r.Colour == check.Green {
					green++
				} else if !r.Has("PRESENTATION_REPEATED") {
					t.Errorf("%v", r.Codes())
				}
			})
		}
		wg.Wait()
		if green != 1 {
			t.Fatalf("%d counters saw green", green)
		}
		list, err := a.Records(context.Background(), "", 100)
		if err != nil || len(list) != 12 {
			t.Fatalf("%d records, %v", len(list), err)
		}
	})
}

func TestChallengesAreOursAndExpire(t *testing.T) {
	storetest.Each(t, "verifier", func(t *testing.T, db *store.DB) {
		ctx := context.Background()
		w := newWorld(t)
		o := w.office()
		w.signTrust()
		v := w.verifier(db)
		w.build(v)
		birth, mandate, _ := o.family("mother")
		ask, expires, err := v.Challenge(ctx)
		if err != nil || !expires.Equal(start.Add(5*time.Minute)) || len(ask) != 22 {
			t.Fatalf("%q until %v, %v", ask, expires, err)
		}
		f := confirmed
		f.Challenge = ask
		r, err := v.Check(ctx, []string{w.present("mother", ask, birth, mandate)}, f)
		if err != nil || r.Colour != check.Green {
			t.Fatalf("our nonce: %v %v", err, r.Codes())
		}
		r, err = v.Check(ctx, []string{w.present("mother", nonce, birth, mandate)}, f)
		if err != nil || r.Colour != check.Red || !r.Has("HOLDER_BINDING_FAILED") {
			t.Fatalf("a code made for somebody else: %v %v", err, r.Codes())
		}
		f.Challenge = nonce
		if _, err := v.Check(ctx, []string{w.present("mother", nonce, birth, mandate)}, f); !errors.Is(err, ErrNoSuchChallenge) {
			t.Fatalf("a nonce that nobody asked for: %v", err)
		}
		f.Challenge = ask
		w.wait(5 * time.Minute)
		if _, err := v.Check(ctx, []string{w.present("mother", ask, birth, mandate)}, f); !errors.Is(err, ErrNoSuchChallenge) {
			t.Fatalf("after its time: %v", err)
		}
	})
}

// What a check leaves behind leads to nobody.
func TestNothingStoredNamesAPerson(t *testing.T) {
	storetest.Each(t, "verifier", func(t *testing.T, db *store.DB) {
		ctx := context.Background()
		w := newWorld(t)
		o := w.office()
		w.signTrust()
		v := w.verifier(db)
		w.build(v)
		birth, mandate, _ := o.family("mother")
		ask, _, err := v.Challenge(ctx)
		if err != nil {
			t.Fatal(err)
		}
		f := check.Facts{Confirm: []string{check.Portrait}, Deny: []string{check.Document}, Session: "counter-seven", Post: "north-gate", Challenge: ask,
			AdultDocuments: []string{"P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\nL898902C36UTO7408122F1204159ZE184226B<<<<<10"},
			Exit:           "UGA", Entry: "KEN", ChildNationality: "UGA", Residence: "UGA", CompanionResidence: "UGA"}
		code := w.present("mother", ask, birth, mandate)
		if _, err := v.Check(ctx, []string{code}, f); err != nil {
			t.Fatal(err)
		}
		f.Challenge = ""
		for _, shown := range []string{code, code[:len(code)-3], "KP1:", "https://example.org/AMINA", "", strings.Repeat("A", 5000)} {
			if _, err := v.Check(ctx, []string{shown}, f); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := v.CheckGroup(ctx, []string{code, code[:40]}, f); err != nil {
			t.Fatal(err)
		}
		list, err := v.Records(ctx, "", 100)
		if err != nil || len(list) != 9 {
			t.Fatalf("%d records, %v", len(list), err)
		}
		b, err := v.Latest(ctx)
		if err != nil {
			t.Fatal(err)
		}
		_, h, err := check.Check(code, b.Bundle, f, check.History{}, w.now())
		if err != nil || len(h.Seen) != 1 {
			t.Fatalf("%d nonces, %v", len(h.Seen), err)
		}
		raw, err := hex.DecodeString(h.Seen[0].Hash)
		if err != nil {
			t.Fatal(err)
		}
		text := everything(t, db)
		holder, _, _ := strings.Cut(w.holder("mother").KID, "#")
		for name, s := range map[string]string{
			"name": "OKELLO", "given name": "AMINA", "guardian": "ERIKSSON", "date of birth": "2018-05-04", "registration": "UGA-2018-1",
			"child reference": childRef, "nonce": ask, "session": "counter-seven", "post": "north-gate", "document": "L898902C3",
			"holder key": holder, "presentation": code[len(code)-40:], "credential": birth[len(birth)-60:], "credential id": "urn:uuid", "nonce's hash": h.Seen[0].Hash, "nonce's hash as bytes": string(raw), "another text": "example.org", "country": "KEN",
		} {
			if strings.Contains(text, s) {
				t.Errorf("the database holds the %s", name)
			}
		}
		if !strings.Contains(text, "checks.colour=") || !strings.Contains(text, "nonces.hash=") {
			t.Fatal("the test looked at nothing")
		}
	})
}

func TestRecordsAreListedAndForgotten(t *testing.T) {
	storetest.Each(t, "verifier", func(t *testing.T, db *store.DB) {
		ctx := context.Background()
		w := newWorld(t)
		o := w.office()
		w.signTrust()
		v := w.verifier(db)
		w.build(v)
		birth, mandate, _ := o.family("mother")
		var ids []string
		for i := range 5 {
			shown := "not a code"
			if i == 2 {
				shown = w.present("mother", nonce, birth, mandate)
			}
			r, err := v.Check(ctx, []string{shown}, confirmed)
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, r.ID)
			if i%2 == 1 { // some at the same instant
				w.wait(time.Hour)
			}
		}
		var got []string
		before := ""
		for {
			page, err := v.Records(ctx, before, 2)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			for _, r := range page {
				got = append(got, r.ID)
				if r.ID == ids[2] && (r.Colour != "green" || !slices.Equal(r.Codes, []string{"OK"}) || r.Bundle == "" || r.StatusAge != 3600) {
					t.Errorf("record %+v", r)
				}
				if r.ID == ids[0] && (r.Colour != "amber" || !slices.Equal(r.Codes, []string{"SCAN_UNREADABLE"}) || r.StatusAge != -1) {
					t.Errorf("record %+v", r)
				}
			}
			before = page[len(page)-1].ID
		}
		if len(got) != 5 || got[0] != ids[4] {
			t.Fatalf("listed %v of %v", got, ids)
		}
		for _, id := range ids {
			if !slices.Contains(got, id) {
				t.Errorf("a record is on no page")
			}
		}
		if _, err := v.Records(ctx, "nobody", 2); !errors.Is(err, ErrNoSuchCheck) {
			t.Errorf("after a record that is not there: %v", err)
		}
		// Thirty days after the first two, and not before.
		w.wait(30*24*time.Hour - 2*time.Hour)
		if err := v.Purge(ctx); err != nil {
			t.Fatal(err)
		}
		if list, err := v.Records(ctx, "", 100); err != nil || len(list) != 5 {
			t.Fatalf("purged too early: %d, %v", len(list), err)
		}
		w.wait(time.Second)
		if err := v.Purge(ctx); err != nil {
			t.Fatal(err)
		}
		if list, err := v.Records(ctx, "", 100); err != nil || len(list) != 3 {
			t.Fatalf("after thirty days: %d, %v", len(list), err)
		}
		if text := everything(t, db); strings.Contains(text, "nonces.hash") {
			t.Error("an expired nonce is kept")
		}
		w.wait(time.Hour * 24)
		if err := v.Purge(ctx); err != nil {
			t.Fatal(err)
		}
		if b, err := v.Latest(ctx); err != nil || b.ID == "" {
			t.Fatalf("the bundle in force was purged: %v", err)
		}
	})
}

func TestClockThatWasSetShows(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	o := w.office()
	w.signTrust()
	url := storetest.URL(t, store.SQLite, "verifier")
	v := w.verifier(storetest.Reopen(t, url, "verifier"))
	w.build(v)
	birth, mandate, _ := o.family("mother")
	look := func(v *Verifier) Result {
		t.Helper()
		r, err := v.Check(ctx, []string{w.present("mother", store.Random(16), birth, mandate)}, confirmed)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := look(v); r.Colour != check.Green {
		t.Fatalf("%v", r.Codes())
	}
	// A restart with a clock before what was signed.
	w.wait(-11 * time.Minute)
	if r := look(w.verifier(storetest.Reopen(t, url, "verifier"))); !r.Has("DEVICE_CLOCK") || r.Colour != check.Amber {
		t.Fatalf("clock set back: %v", r.Codes())
	}
	w.wait(11 * time.Minute)
	// Issuers vouched for the time over TLS; then somebody set the clock.
	elapsed := time.Duration(0)
	v.elapsed = func() time.Duration { return elapsed }
	if err := v.vouch(ctx, []time.Duration{-time.Hour, time.Second, 2 * time.Second}); err != nil {
		t.Fatalf("one wrong issuer of three: %v", err)
	}
	elapsed = 3 * time.Hour
	w.wait(3*time.Hour + 9*time.Minute)
	if r := look(v); r.Colour != check.Green {
		t.Fatalf("nine minutes ahead: %v", r.Codes())
	}
	w.wait(3 * time.Minute)
	if r := look(v); !r.Has("DEVICE_CLOCK") {
		t.Fatalf("twelve minutes ahead: %v", r.Codes())
	}
	w.wait(-24 * time.Minute)
	if r := look(v); !r.Has("DEVICE_CLOCK") {
		t.Fatalf("twelve minutes behind: %v", r.Codes())
	}
}

// A post without a network knows what time it was when it last looked.
func TestClockOfAPostWithoutANetwork(t *testing.T) {
	for _, engine := range []string{store.SQLite, store.Postgres} {
		t.Run(engine, func(t *testing.T) {
			ctx := context.Background()
			w := newWorld(t)
			o := w.office()
			w.signTrust()
			hub := w.verifier(storetest.Open(t, store.SQLite, "verifier"))
			birth, mandate, _ := o.family("mother")
			url := storetest.URL(t, engine, "verifier")
			carry := func() {
				t.Helper()
				w.build(hub)
				b, err := hub.Latest(ctx)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := w.verifier(storetest.Reopen(t, url, "verifier")).Apply(ctx, b.Bytes); err != nil {
					t.Fatal(err)
				}
			}
			look := func() Result { // in a process that has just started
				t.Helper()
				r, err := w.verifier(storetest.Reopen(t, url, "verifier")).Check(ctx, []string{w.present("mother", store.Random(16), birth, mandate)}, confirmed)
				if err != nil {
					t.Fatal(err)
				}
				return r
			}
			carry()
			w.wait(3 * time.Hour)
			if r := look(); r.Colour != check.Green {
				t.Fatalf("three hours on: %v", r.Codes())
			}
			w.wait(-2 * time.Hour) // still after the bundle was signed
			if r := look(); !r.Has("DEVICE_CLOCK") || r.Colour != check.Amber {
				t.Fatalf("set back by two hours: %v", r.Codes())
			}
			w.wait(1*time.Hour + 51*time.Minute)
			if r := look(); r.Colour != check.Green {
				t.Fatalf("nine minutes behind: %v", r.Codes())
			}
			// The clock jumps ahead and is put right again: the next bundle cures it.
			w.wait(300 * 24 * time.Hour)
			look()
			w.wait(-300*24*time.Hour + time.Hour)
			if r := look(); !r.Has("DEVICE_CLOCK") {
				t.Fatalf("after a jump: %v", r.Codes())
			}
			carry()
			if r := look(); r.Colour != check.Green {
				t.Fatalf("after the next bundle: %v", r.Codes())
			}
		})
	}
}

func TestCheckRefusesWhatCannotBeDecided(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	w.office()
	w.signTrust()
	v := w.verifier(storetest.Open(t, store.SQLite, "verifier"))
	w.build(v)
	for name, c := range map[string]struct {
		shown []string
		facts check.Facts
		want  error
	}{
		"nothing":      {nil, check.Facts{}, ErrPresentations},
		"five holders": {make([]string, 5), check.Facts{}, ErrPresentations},
		"facts":        {[]string{"x"}, check.Facts{Confirm: []string{"everything"}}, check.ErrFacts},
		"country":      {[]string{"x"}, check.Facts{Exit: "Utopia"}, check.ErrFacts},
	} {
		if _, err := v.Check(ctx, c.shown, c.facts); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if list, err := v.Records(ctx, "", 10); err != nil || len(list) != 0 {
		t.Errorf("%d records of checks that were not made (%v)", len(list), err)
	}
	for name, cfg := range map[string]func(*Config){
		"no database": func(c *Config) { c.DB = nil },
		"no keys":     func(c *Config) { c.Ring = nil },
		"no anchor":   func(c *Config) { c.Anchors = vc.Anchors{} },
		"no secret": func(c *Config) {
			r := *c.Ring
			r.Secrets = nil
			c.Ring = &r
		},
	} {
		c := w.config(v.cfg.DB)
		cfg(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
