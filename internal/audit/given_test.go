package audit

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/tlog"
	"github.com/kinpass/kinpass/internal/vc"
)

// given publishes which places of a list are given out: so many from the first on.
func (s *shelf) given(n int, places ...int64) {
	s.t.Helper()
	u := fmt.Sprintf("%s/status/issued/%d", base, n)
	if !strings.Contains(string(s.files["status"]), `"`+u+`"`) {
		s.putIndex(u)
	}
	s.bits(u, "issued", places)
}

// upTo gives the places from one on, before another.
func upTo(from, to int64) []int64 {
	var out []int64
	for i := from; i < to; i++ {
		out = append(out, i)
	}
	return out
}

// gone takes the lists of a number off the index and away.
func (s *shelf) gone(n int) {
	s.t.Helper()
	text := string(s.files["status"])
	for _, purpose := range []string{vc.PurposeRevocation, vc.PurposeSuspension, "token", "issued"} {
		path := fmt.Sprintf("status/%s/%d", purpose, n)
		text = strings.NewReplacer(`"`+base+"/"+path+`",`, "", `,"`+base+"/"+path+`"`, "").Replace(text)
		delete(s.files, path)
	}
	s.put("status", []byte(text))
}

// TestEveryPlaceIsLogged: an auditor counts to the last place that was given out.
// Nothing that takes no place, and no place that is gone, makes room for one that
// nobody logged.
func TestEveryPlaceIsLogged(t *testing.T) {
	start := func(t *testing.T) (*shelf, *Auditor) {
		s := newShelf(t)
		s.issue(30)
		for range 5 {
			s.log(tlog.Entry{Kind: tlog.Reserved})
		}
		s.publish()
		s.list(1, nil, nil)
		s.list(2, nil, nil)
		s.given(1, upTo(0, 20)...)
		s.given(2, upTo(100, 115)...)
		a := s.auditor()
		r := round1(t, a)
		want(t, r, "")
		if len(r.Notes) != 0 {
			t.Error(r.Notes)
		}
		s.now = s.now.Add(time.Minute)
		return s, a
	}
	count := func(t *testing.T, r *Report, code string, n int64) {
		t.Helper()
		i := slices.IndexFunc(r.Findings, func(f Finding) bool { return f.Code == code })
		if i < 0 || r.Findings[i].Count != n {
			t.Errorf("%s is not found %d times: %+v", code, n, r.Findings)
		}
	}
	t.Run("one too many", func(t *testing.T) {
		t.Parallel()
		s, a := start(t)
		s.given(2, upTo(100, 116)...)
		for range 2 { // it stays found
			r := round1(t, a)
			want(t, r, "issued-unlogged")
			count(t, r, "issued-unlogged", 1)
		}
		s.issue(1)
		s.publish()
		want(t, round1(t, a), "")
	})
	t.Run("beside consents that were witnessed", func(t *testing.T) {
		t.Parallel()
		s, a := start(t)
		for range 7 {
			s.log(tlog.Entry{Kind: tlog.Witnessed})
		}
		s.publish()
		s.given(1, upTo(0, 22)...)
		r := round1(t, a)
		want(t, r, "issued-unlogged")
		count(t, r, "issued-unlogged", 2)
		if r.Kinds["witnessed"] != 7 || r.Kinds["issued"] != 30 {
			t.Error(r.Kinds)
		}
		if len(r.Counts) != 1 || r.Counts[0].Count != 7 { // an office's work like any other
			t.Errorf("%+v", r.Counts)
		}
	})
	t.Run("in the room of a list that ended", func(t *testing.T) {
		t.Parallel()
		s, a := start(t)
		ended := newShelf(t)
		ended.files["status"] = s.files["status"]
		s.gone(1)
		want(t, round1(t, a), "list-gone")
		s.now = s.now.Add(time.Minute)
		s.given(2, upTo(100, 116)...)
		want(t, round1(t, a), "issued-unlogged")
		// One that comes back counts once.
		s.now = s.now.Add(time.Minute)
		s.put("status", ended.files["status"])
		s.list(1, nil, nil)
		s.given(1, upTo(0, 20)...)
		r := round1(t, a)
		want(t, r, "issued-unlogged")
		count(t, r, "issued-unlogged", 1)
		// Who comes later is told what cannot be known.
		s.gone(1)
		r = round1(t, s.auditor())
		want(t, r, "")
		if len(r.Notes) != 1 || !strings.HasPrefix(r.Notes[0], "1 lists ended before this audit began") {
			t.Error(r.Notes)
		}
	})
	t.Run("in the room of a list that cannot be read", func(t *testing.T) {
		t.Parallel()
		s, a := start(t)
		s.put("status/issued/1", []byte("no list"))
		s.given(2, upTo(100, 116)...)
		want(t, round1(t, a), "issued-unlogged list-unusable")
	})
	t.Run("in the room of another", func(t *testing.T) {
		t.Parallel()
		s, a := start(t)
		s.given(1, append(upTo(2, 20), 70_000, 70_001)...)
		r := round1(t, a)
		want(t, r, "issued-taken-back")
		count(t, r, "issued-taken-back", 2)
	})
	t.Run("an older list says nothing new", func(t *testing.T) {
		t.Parallel()
		s, a := start(t)
		s.now = s.now.Add(-time.Hour)
		s.given(1, upTo(0, 12)...)
		s.now = s.now.Add(2 * time.Hour)
		want(t, round1(t, a), "")
		s.given(2, upTo(100, 116)...)
		want(t, round1(t, a), "issued-unlogged")
	})
	t.Run("a list of which nothing says what is given out", func(t *testing.T) {
		t.Parallel()
		s, a := start(t)
		s.put("status", []byte(strings.Replace(string(s.files["status"]), `"`+base+`/status/issued/1",`, "", 1)))
		for range 2 { // for as long as the list is there
			want(t, round1(t, a), "list-gone")
		}
	})
}
