package audit

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/status"
	"github.com/kinpass/kinpass/internal/tlog"
	"github.com/kinpass/kinpass/internal/vc"
)

// told is what a hub tells posts of one list: of list 1, but for what is said.
type told struct {
	purpose string
	list    int
	at      time.Time
	places  []uint64
	lifted  int64
}

func hubs(t testing.TB, lists ...told) func(*Config) {
	t.Helper()
	b := Bundle{Hub: "hub-1", From: "a stick"}
	for _, l := range lists {
		data, err := status.BuildPlaces(status.MinSize, l.places)
		if err != nil {
			t.Fatal(err)
		}
		p, _, err := status.OpenPlaces(data)
		if err != nil {
			t.Fatal(err)
		}
		b.Lists = append(b.Lists, BundleList{Address: base + "/status/" + l.purpose + "/" + string(rune('0'+max(l.list, 1))), Purpose: l.purpose, From: l.at, Lifted: l.lifted, Places: p})
	}
	return func(c *Config) {
		c.Bundles = func(context.Context) ([]Bundle, error) { return []Bundle{b}, nil }
	}
}

// TestBundles: what a hub tells posts is what the ledger had told by the time of the
// hub's lists, at one moment or another after it, whichever lists the auditor sees.
func TestBundles(t *testing.T) {
	// At nine 5 is revoked and 70 suspended; at ten past nine 6 is revoked, 7
	// suspended and 70 not any more.
	first, then := monday.Add(5*time.Minute), monday.Add(20*time.Minute)
	start := func(t *testing.T) (*shelf, *Auditor) {
		s := newShelf(t)
		s.issue(300)
		s.change(1, 5, tlog.Invalid)
		s.change(1, 70, tlog.Suspended)
		s.publish(2)
		s.list(1, []int64{5}, []int64{70})
		s.given(1, upTo(0, 100)...)
		a := s.auditor()
		want(t, round1(t, a), "")
		s.now = monday.Add(10 * time.Minute)
		s.change(1, 6, tlog.Invalid)
		s.change(1, 7, tlog.Suspended)
		s.change(1, 70, tlog.Valid)
		s.publish(2)
		s.list(1, []int64{5, 6}, []int64{7})
		s.given(1, upTo(0, 120)...)
		want(t, round1(t, a), "")
		s.now = monday.Add(30 * time.Minute)
		s.given(1, upTo(0, 130)...)
		return s, a
	}
	const revoked, suspended = vc.PurposeRevocation, vc.PurposeSuspension
	for name, c := range map[string]struct {
		told told
		want string
		n    int64 // how many, of one
	}{
		"as it is":                              {told{revoked, 1, then, []uint64{5, 6}, 0}, "", 0},
		"suspended, as it is":                   {told{suspended, 1, then, []uint64{7}, 0}, "", 0},
		"as it was":                             {told{revoked, 1, first, []uint64{5}, 0}, "", 0},
		"suspended, as it was":                  {told{suspended, 1, first, []uint64{70}, 0}, "", 0},
		"between":                               {told{revoked, 1, first, []uint64{5, 6}, 0}, "", 0},
		"suspended, between":                    {told{suspended, 1, first, []uint64{7, 70}, 0}, "", 0},
		"from before anything":                  {told{revoked, 1, monday.Add(-time.Hour), nil, 0}, "", 0},
		"one revocation for others alone":       {told{revoked, 1, then, []uint64{5}, 0}, "bundle-undone", 1},
		"all revocations for others alone":      {told{revoked, 1, then, nil, 0}, "bundle-undone", 2},
		"an old one, on an old list":            {told{revoked, 1, first, nil, 0}, "bundle-undone", 1},
		"a suspension for others alone":         {told{suspended, 1, then, nil, 0}, "bundle-undone", 1},
		"an old suspension, on an old list":     {told{suspended, 1, monday.Add(time.Minute), []uint64{70}, 0}, "", 0},
		"a suspension that nobody lifted":       {told{suspended, 1, then, []uint64{7, 70}, 0}, "bundle-unlogged", 1},
		"revoked for the hub alone":             {told{revoked, 1, then, []uint64{5, 6, 99, 100}, 0}, "bundle-unlogged", 2},
		"suspended for the hub alone":           {told{suspended, 1, first, []uint64{70, 99}, 0}, "bundle-unlogged", 1},
		"taken back, and kept by the hub":       {told{revoked, 1, then, []uint64{5, 6}, 1}, "bundle-lifted", 1},
		"given out":                             {told{vc.PurposeIssued, 1, then, []uint64{1, 2, 119}, 0}, "", 0},
		"given out for the hub alone":           {told{vc.PurposeIssued, 1, then, []uint64{1, 130, 131, 132}, 0}, "bundle-unlogged", 3},
		"given out, younger than the shelf has": {told{vc.PurposeIssued, 1, monday.Add(time.Hour), []uint64{1}, 0}, "view-ahead", 1},
		"a list for the hub alone":              {told{revoked, 2, then, nil, 0}, "bundle-unlogged", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, a := start(t)
			hubs(t, c.told)(&a.cfg)
			for range 2 { // for as long as the bundle is there
				r := round1(t, a)
				want(t, r, c.want)
				if r.Bundles != 1 {
					t.Errorf("%d bundles", r.Bundles)
				}
				for _, f := range r.Findings {
					if f.Hub != "hub-1" || !strings.HasPrefix(f.Source, base+"/status/"+c.told.purpose) || f.Count != c.n || f.List == 0 || !strings.Contains(f.Detail, "a stick") {
						t.Errorf("%+v", f)
					}
				}
			}
		})
	}
	t.Run("a list that ended", func(t *testing.T) {
		t.Parallel()
		s, a := start(t)
		s.list(2, nil, nil)
		s.given(2, 200)
		want(t, round1(t, a), "")
		s.gone(2)
		want(t, round1(t, a), "list-gone")
		hubs(t, told{revoked, 2, then, nil, 0}, told{vc.PurposeIssued, 2, then, []uint64{200}, 0})(&a.cfg)
		want(t, round1(t, a), "")
	})
	t.Run("an entry that is written again excuses nothing", func(t *testing.T) {
		t.Parallel()
		s, a := start(t)
		s.change(1, 5, tlog.Invalid)
		s.change(1, 7, tlog.Suspended)
		s.publish(2)
		hubs(t, told{revoked, 1, then, []uint64{6}, 0}, told{suspended, 1, then, nil, 0})(&a.cfg)
		r := round1(t, a)
		want(t, r, "bundle-undone")
		if len(r.Findings) != 2 {
			t.Errorf("%+v", r.Findings)
		}
	})
	t.Run("by who comes later, from the next hour on", func(t *testing.T) {
		t.Parallel()
		s, _ := start(t)
		s.now = monday.Add(70 * time.Minute)
		s.issue(1)
		s.publish(2)
		missing := told{revoked, 1, then, nil, 0}
		want(t, round1(t, s.auditor(hubs(t, missing))), "")
		missing.at = s.now
		want(t, round1(t, s.auditor(hubs(t, missing))), "bundle-undone")
	})
	t.Run("no earlier than an hour, whatever the witnesses' clocks say", func(t *testing.T) {
		t.Parallel()
		s, a := start(t)
		s.now = monday.Add(65 * time.Minute)
		s.change(1, 8, tlog.Invalid)
		s.now = monday.Add(-24 * time.Hour)
		s.publish(2)
		s.now = monday.Add(66 * time.Minute)
		s.list(1, []int64{5, 6, 8}, []int64{7})
		hubs(t, told{revoked, 1, then, []uint64{5, 6}, 0})(&a.cfg)
		want(t, round1(t, a), "")
	})
	t.Run("a moment later in the ledger", func(t *testing.T) {
		t.Parallel()
		s, a := start(t)
		n := 0
		s.hook = func(path string) {
			if path != "ledger/checkpoint" {
				return
			}
			if n++; n == 3 {
				s.hook = nil
				s.change(1, 8, tlog.Invalid)
				s.publish()
				s.list(1, []int64{5, 6, 8}, []int64{7})
			}
		}
		hubs(t, told{revoked, 1, s.now, []uint64{5, 6, 8}, 0})(&a.cfg)
		a.cfg.Settle = time.Minute
		want(t, round1(t, a), "")
		if s.hook != nil {
			t.Error("the ledger was not asked again")
		}
	})
	t.Run("changes that are not kept any more", func(t *testing.T) {
		t.Parallel()
		_, a := start(t)
		st, err := load(a.stateFile(), origin)
		if err != nil {
			t.Fatal(err)
		}
		st.Forgot = 303
		if err := st.save(a.stateFile()); err != nil {
			t.Fatal(err)
		}
		hubs(t, told{revoked, 1, first, []uint64{5}, 0})(&a.cfg)
		r := round1(t, a)
		want(t, r, "")
		if !slices.ContainsFunc(r.Notes, func(n string) bool { return strings.Contains(n, "was not compared") }) {
			t.Error(r.Notes)
		}
	})
	t.Run("no bundle to be had", func(t *testing.T) {
		t.Parallel()
		s, a := start(t)
		a.cfg.Bundles = func(context.Context) ([]Bundle, error) { return nil, ErrUnreachable }
		s.issue(1)
		s.publish(2)
		r, err := a.Round(t.Context())
		if !errors.Is(err, ErrUnreachable) || r.New != 1 {
			t.Errorf("%v, %+v", err, r)
		}
		a.cfg.Bundles = nil
		if r := round1(t, a); r.New != 0 { // what was read is kept
			t.Errorf("%+v", r)
		}
	})
}

// TestRecent: what is kept of the ledger's changes is bounded, comes back as it was,
// and says from where on it is whole.
func TestRecent(t *testing.T) {
	s := newState(origin)
	for i := range int64(maxRecent + 1) {
		s.remember(changed{entry: 2 * i, list: uint32(i), index: 7, to: tlog.Status(i % 3), again: i%5 == 0})
	}
	if n := len(s.recent); n > maxRecent || s.Forgot != s.recent[0].entry-1 {
		t.Errorf("%d are kept, from %d on", n, s.Forgot)
	}
	back, ok := decodeRecent(s.encodeRecent())
	if !ok || !slices.Equal(back, s.recent) {
		t.Error("they come back as others")
	}
	for _, bad := range []string{"A", "AAAA", "!"} {
		if _, ok := decodeRecent(bad); ok {
			t.Errorf("%q was read", bad)
		}
	}
	for i := range 2 * maxMarks {
		s.mark(int64(i+1), monday.Add(time.Duration(i)*time.Minute))
	}
	if n := len(s.Marks); n > maxMarks {
		t.Errorf("%d marks", n)
	}
	if got := s.told(monday.Add(2 * maxMarks * time.Minute)); got != 2*maxMarks {
		t.Error(got)
	}
	if got := s.told(monday.Add(-time.Minute)); got != 0 {
		t.Error(got)
	}
	s.mark(3*maxMarks, monday.Add(time.Hour)) // more, and earlier
	if got := s.told(monday.Add(2 * time.Hour)); got != 3*maxMarks {
		t.Error(got)
	}
}
