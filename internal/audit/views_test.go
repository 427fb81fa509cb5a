package audit

import (
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/tlog"
)

// TestViewAhead: somebody was shown more than the shelf has. It may be a history that
// the shelf will never reach, or the shelf may be frozen for this auditor: it is told
// as soon as the shelf had its time, and for as long as it is so.
func TestViewAhead(t *testing.T) {
	never := func(c *Config) { c.Settle = time.Hour } // whoever waits is found by the test's time limit
	handed := func(o *shelf, witnesses ...byte) func(*Config) {
		signed := o.signed(witnesses...)
		return func(c *Config) { c.Handed = []Handed{{"a wallet", signed}} }
	}
	start := func(t *testing.T, witnesses ...byte) *shelf {
		s := newShelf(t)
		s.issue(20)
		s.publish(witnesses...)
		if len(witnesses) > 0 {
			s.put("ledger/checkpoint/witnessed", s.signed(witnesses...))
		}
		return s
	}
	// far is a history that parts from the shelf's and is far larger.
	far := func(s *shelf) *shelf {
		o := s.fork(15)
		for range 900 {
			o.log(tlog.Entry{Office: "court"})
		}
		return o
	}
	demanding := func(c *Config) { c.Policy = policy(2) }

	t.Run("a fork that the shelf does not reach", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		a := s.auditor(handed(far(s)))
		want(t, round1(t, a), "view-ahead")
		never(&a.cfg)
		for range 3 { // also when the log has grown, and when nobody brings it again
			s.now = s.now.Add(2 * time.Hour)
			s.issue(5)
			s.publish()
			r := round1(t, a)
			want(t, r, "view-ahead")
			if r.Findings[0].Source != "a wallet" {
				t.Errorf("%+v", r.Findings)
			}
			a.cfg.Handed = nil
		}
		s.issue(900)
		s.publish()
		want(t, round1(t, a), "split-view!")
	})
	t.Run("without the witnesses that are demanded, at once", func(t *testing.T) {
		t.Parallel()
		s := start(t, 2, 3)
		want(t, round1(t, s.auditor(demanding, never, handed(far(s), 2))), "view-ahead")
	})
	t.Run("with them, after its time", func(t *testing.T) {
		t.Parallel()
		s := start(t, 2, 3)
		a := s.auditor(demanding, handed(far(s), 2, 3))
		want(t, round1(t, a), "view-ahead")
	})
	t.Run("what the witnesses have not seen yet is no more than the shelf has", func(t *testing.T) {
		t.Parallel()
		s := start(t, 2, 3)
		s.issue(10)
		s.publish()
		s.put("ledger/checkpoint/witnessed", s.fork(20).signed(2, 3))
		want(t, round1(t, s.auditor(demanding, never, handed(s))), "")
		// And a fork of it is proven without waiting for them.
		o := s.fork(15)
		o.issue(3)
		for len(o.entries) < 25 {
			o.log(tlog.Entry{Office: "court"})
		}
		want(t, round1(t, s.auditor(demanding, never, handed(o))), "split-view!")
	})
	t.Run("the shelf is a moment behind", func(t *testing.T) {
		t.Parallel()
		s := start(t)
		n := s.fork(20)
		n.issue(7)
		asked := 0
		s.hook = func(path string) {
			if path != "ledger/checkpoint" {
				return
			}
			if asked++; asked == 3 {
				s.hook = nil
				s.issue(7)
				s.publish()
			}
		}
		a := s.auditor(never, handed(n))
		want(t, round1(t, a), "")
		if s.hook != nil {
			t.Error("the shelf was not asked again")
		}
		st, err := load(a.stateFile(), origin)
		if err != nil || len(st.Foreign) != 0 {
			t.Errorf("%v is kept (%v)", st.Foreign, err)
		}
	})
	t.Run("a shelf that is frozen for the auditor", func(t *testing.T) {
		t.Parallel()
		for _, from := range []func(*Config, *shelf){
			func(c *Config, m *shelf) { c.Also = []Source{m} },
			func(c *Config, m *shelf) { c.Witnesses = []Source{m} },
		} {
			s := start(t)
			m := s.fork(20)
			m.name = "mirror"
			m.issue(1)
			m.publish()
			m.put(witnessPath(origin), m.signed(2))
			a := s.auditor(func(c *Config) { from(c, m) })
			want(t, round1(t, a), "view-ahead")
			never(&a.cfg)
			for range 2 * maxOfOne { // the mirror goes on
				s.now = s.now.Add(2 * time.Hour)
				m.now = s.now
				m.issue(1)
				m.publish()
				m.put(witnessPath(origin), m.signed(2))
				want(t, round1(t, a), "view-ahead")
			}
			st, err := load(a.stateFile(), origin)
			if err != nil || len(st.Foreign) > maxOfOne {
				t.Errorf("%d are kept (%v)", len(st.Foreign), err)
			}
			a.cfg.Shelf = m
			want(t, round1(t, a), "")
		}
	})
}
