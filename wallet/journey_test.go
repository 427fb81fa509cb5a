package wallet

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// A journey that is being written down is the guardian's alone, sealed, and gone
// when nobody has written on it for a month.
func TestJourneysAreWritten(t *testing.T) {
	each(t, func(t *testing.T, s scene) {
		ctx := t.Context()
		if list, err := s.Journeys(ctx, amina); err != nil || len(list) != 0 {
			t.Fatal(list, err)
		}
		_, err := s.KeepJourney(ctx, amina, Journey{Answers: json.RawMessage(`{}`)})
		mustCode(t, err, "no-such-journey") // there is no wallet yet
		s.accept(t, amina, zainab)
		s.accept(t, bilal, tariq)
		j, err := s.KeepJourney(ctx, amina, Journey{Answers: json.RawMessage(`{"to":"Lomé"}`)})
		if err != nil {
			t.Fatal(err)
		}
		j.Answers = json.RawMessage(`{"to":"Accra"}`)
		if j, err = s.KeepJourney(ctx, amina, j); err != nil {
			t.Fatal(err)
		}
		got, err := s.Journey(ctx, amina, j.ID)
		if err != nil || string(got.Answers) != `{"to":"Accra"}` || !got.Changed.Equal(j.Changed) {
			t.Errorf("%s %v", got.Answers, err)
		}
		// Another's is not there, neither to read nor to write nor to delete.
		_, err = s.Journey(ctx, bilal, j.ID)
		mustCode(t, err, "no-such-journey")
		_, err = s.KeepJourney(ctx, bilal, j)
		mustCode(t, err, "no-such-journey")
		if err := s.DropJourney(ctx, bilal, j.ID); err != nil {
			t.Error(err)
		}
		if list, err := s.Journeys(ctx, amina); err != nil || len(list) != 1 {
			t.Error(list, err)
		}
		for _, bad := range []string{``, `{`, `"` + strings.Repeat("x", maxJourney) + `"`} {
			_, err = s.KeepJourney(ctx, amina, Journey{Answers: json.RawMessage(bad)})
			mustCode(t, err, "body-invalid")
		}
		for range maxJourneys - 1 {
			if _, err := s.KeepJourney(ctx, amina, Journey{Answers: json.RawMessage(`{}`)}); err != nil {
				t.Fatal(err)
			}
		}
		_, err = s.KeepJourney(ctx, amina, Journey{Answers: json.RawMessage(`{}`)})
		mustCode(t, err, "journey-too-many")
		s.o.clock.add(journeyLife + time.Hour)
		if list, err := s.Journeys(ctx, amina); err != nil || len(list) != 0 {
			t.Error(len(list), err)
		}
		if _, err := s.KeepJourney(ctx, amina, Journey{Answers: json.RawMessage(`{}`)}); err != nil {
			t.Error(err)
		}
		if err := s.Delete(ctx, amina); err != nil {
			t.Fatal(err)
		}
		for _, table := range []string{"journeys", "acts"} {
			n := 0
			if err := s.cfg.DB.QueryRowContext(ctx, `SELECT COUNT(*) FROM `+table+` WHERE guardian = $1`, amina.ID).Scan(&n); err != nil || n != 0 {
				t.Errorf("%d %s are left: %v", n, table, err)
			}
		}
	})
}

// What the wallet did is there for its guardian to read: what and when, one line
// for a code that was on the screen for a while, and no more than is of use.
func TestActsAreWritten(t *testing.T) {
	each(t, func(t *testing.T, s scene) {
		ctx := t.Context()
		a := s.accept(t, amina, zainab)
		for range 3 {
			s.o.clock.add(4 * time.Minute)
			if _, err := s.Present(ctx, amina, Request{Child: a.Child}); err != nil {
				t.Fatal(err)
			}
		}
		s.o.clock.add(actPause)
		for range 2 {
			if _, err := s.Present(ctx, amina, Request{Child: a.Child, Audience: "https://school.example", Nonce: strings.Repeat("n", 20)}); err != nil {
				t.Fatal(err)
			}
		}
		_, err := s.Present(ctx, amina, Request{Child: "another"})
		mustCode(t, err, "no-such-child") // nothing was shown, nothing is written
		acts, err := s.Acts(ctx, amina)
		if err != nil || len(acts) != 3 {
			t.Fatalf("%+v %v", acts, err)
		}
		for i, want := range []Act{{What: ActAnswered, Times: 2}, {What: ActShown, Times: 3}, {What: ActAccepted, Times: 1}} {
			if got := acts[i]; got.What != want.What || got.Times != want.Times || got.Child != a.Child || got.Last.Before(got.At) {
				t.Errorf("%d: %+v", i, got)
			}
		}
		if d := acts[1].Last.Sub(acts[1].At); d != 8*time.Minute {
			t.Error(d)
		}
		if others, err := s.Acts(ctx, bilal); err != nil || len(others) != 0 {
			t.Error(others, err)
		}
		v, err := s.vault(ctx, amina.ID)
		if err != nil {
			t.Fatal(err)
		}
		for i := range maxActs + 3 {
			s.note(ctx, v, ActShown, string(rune('a'+i%7)))
			s.o.clock.add(time.Minute)
		}
		if acts, err = s.Acts(ctx, amina); err != nil || len(acts) != maxActs {
			t.Error(len(acts), err)
		}
		s.o.clock.add(actLife + time.Hour)
		if acts, err = s.Acts(ctx, amina); err != nil || len(acts) != 0 {
			t.Error(len(acts), err)
		}
	})
}
