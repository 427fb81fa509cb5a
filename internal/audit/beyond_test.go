package audit

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/tlog"
)

// TestAWitnessIsAway: while a witness that is demanded is away, honest changes are in
// the log on the shelf and not in what witnesses saw. That is noted and accuses nobody,
// for a day; it accuses what is not in the log at all, and a log that goes on without
// what it showed.
func TestAWitnessIsAway(t *testing.T) {
	const explained, late = "fewer witnesses than demanded", "for more than a day"
	noted := func(t *testing.T, r *Report, text string) {
		t.Helper()
		if all := strings.Join(r.Notes, "\n"); text == "" && (strings.Contains(all, explained) || strings.Contains(all, late)) || !strings.Contains(all, text) {
			t.Errorf("noted %q, want %q", all, text)
		}
	}
	doc := tlog.Commit([tlog.SaltSize]byte{}, []byte(`{"id":"list"}`))
	start := func(t *testing.T, edit ...func(*Config)) (*shelf, *Auditor) {
		s := newShelf(t)
		s.issue(20)
		s.change(1, 5, tlog.Suspended)
		s.publish(2, 3)
		s.put("ledger/checkpoint/witnessed", s.signed(2, 3))
		s.list(1, nil, []int64{5})
		s.given(1, upTo(0, 20)...)
		a := s.auditor(append(edit, func(c *Config) { c.Policy = policy(2) })...)
		r := round1(t, a)
		want(t, r, "")
		noted(t, r, "")
		// One witness is away. Meanwhile 5 is good again, 6 revoked, 7 suspended for a
		// moment, and two are born.
		s.now = s.now.Add(10 * time.Minute)
		s.change(1, 5, tlog.Valid)
		s.change(1, 6, tlog.Invalid)
		s.change(1, 7, tlog.Suspended)
		s.issue(2)
		b, err := tlog.Entry{Kind: tlog.TrustList, Hour: s.now.Truncate(time.Hour), Commitment: doc}.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		s.raw(b)
		s.publish(2)
		s.list(1, []int64{6}, []int64{7})
		s.given(1, upTo(0, 22)...)
		return s, a
	}
	t.Run("for a while", func(t *testing.T) {
		s, a := start(t, func(c *Config) {
			c.Facts = func(context.Context, Source) ([]Fact, error) { return []Fact{{"trust list 2", doc}}, nil }
		})
		for range 3 {
			r := round1(t, a)
			want(t, r, "")
			noted(t, r, explained)
			s.now = s.now.Add(7 * time.Hour)
		}
		// An older list of that time is explained, too.
		s.change(1, 7, tlog.Valid)
		s.publish(2)
		want(t, round1(t, a), "")
		// The witness is back.
		s.list(1, []int64{6}, nil)
		s.put("ledger/checkpoint/witnessed", s.signed(2, 3))
		r := round1(t, a)
		want(t, r, "")
		noted(t, r, "")
		if n := len(a.kept(t).Waiting); n != 0 {
			t.Errorf("%d checkpoints are still waited for", n)
		}
	})
	t.Run("what is not in the log", func(t *testing.T) {
		s, a := start(t)
		s.list(1, []int64{6, 8}, []int64{7})
		r := round1(t, a)
		want(t, r, "status-unlogged")
		noted(t, r, explained)
		for _, f := range r.Findings {
			if f.Index != 8 {
				t.Errorf("%+v", f)
			}
		}
	})
	t.Run("more than was issued", func(t *testing.T) {
		s, a := start(t)
		s.given(1, upTo(0, 23)...)
		want(t, round1(t, a), "issued-unlogged")
	})
	t.Run("a revocation is not lifted by it", func(t *testing.T) {
		s, a := start(t)
		s.put("ledger/checkpoint/witnessed", s.signed(2, 3))
		want(t, round1(t, a), "")
		s.change(1, 6, tlog.Valid)
		s.publish(2)
		s.now = s.now.Add(time.Minute)
		s.list(1, nil, []int64{7})
		if r := round1(t, a); !strings.Contains(codes(r), StatusUndone) {
			t.Errorf("%+v", r.Findings)
		}
	})
	t.Run("for more than a day", func(t *testing.T) {
		s, a := start(t)
		want(t, round1(t, a), "")
		s.now = s.now.Add(patienceWitness - time.Minute)
		want(t, round1(t, a), "")
		s.now = s.now.Add(2 * time.Minute)
		r := round1(t, a)
		want(t, r, "issued-unlogged status-undone status-unlogged")
		noted(t, r, late)
		// Who comes then for the first time goes by the entries' hours.
		s.now = s.now.Add(30 * time.Hour)
		want(t, round1(t, s.auditor(func(c *Config) { c.Policy = policy(2) })), "issued-unlogged status-undone status-unlogged")
	})
	t.Run("witnesses see another history", func(t *testing.T) {
		s, a := start(t)
		want(t, round1(t, a), "")
		o := s.fork(21)
		o.now = s.now
		o.issue(9)
		o.publish(2, 3)
		o.put("ledger/checkpoint/witnessed", o.signed(2, 3))
		o.list(1, nil, []int64{5})
		s.files = o.files
		if r := round1(t, a); !strings.Contains(codes(r), "split-view!") {
			t.Errorf("%+v", r.Findings)
		}
	})
	t.Run("the log takes it away again", func(t *testing.T) {
		s, a := start(t)
		want(t, round1(t, a), "")
		o := s.fork(21)
		o.publish(2, 3)
		s.put("ledger/checkpoint", o.signed(2, 3))
		if r := round1(t, a); !strings.Contains(codes(r), "status-unlogged") || !strings.Contains(codes(r), "view-ahead") {
			t.Errorf("%+v", r.Findings)
		}
	})
	t.Run("entries that are not those that are signed", func(t *testing.T) {
		s, a := start(t)
		o := s.fork(21)
		o.now = s.now
		o.change(1, 5, tlog.Valid)
		o.change(1, 6, tlog.Invalid)
		o.change(1, 7, tlog.Suspended)
		o.issue(2)
		o.change(1, 8, tlog.Invalid)
		b, err := tlog.Bundle(o.entries)
		if err != nil {
			t.Fatal(err)
		}
		s.put("ledger/"+tlog.TilePath(tlog.EntryBundle(0, int64(len(s.entries)))), b)
		s.list(1, []int64{6, 8}, []int64{7})
		r := round1(t, a)
		want(t, r, "issued-unlogged status-undone status-unlogged")
		noted(t, r, "cannot be read: audit-entries")
	})
	t.Run("a hub", func(t *testing.T) {
		then := monday.Add(10 * time.Minute)
		_, a := start(t)
		hubs(t, told{"revocation", 1, then, []uint64{6}, 0}, told{"suspension", 1, then, []uint64{7}, 0})(&a.cfg)
		r := round1(t, a)
		want(t, r, "")
		noted(t, r, explained)
	})
}

// kept reads what the auditor keeps.
func (a *Auditor) kept(t *testing.T) *state {
	t.Helper()
	s, err := load(a.stateFile(), origin)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
