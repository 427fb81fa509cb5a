package issuer_test

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/internal/tlog"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/issuer"
)

// changes reads the changes of status off the ledger's shelf. They are there in the
// order of their publications: what is not, an auditor takes for dated back.
func (o *office) changes() (out []tlog.Entry) {
	o.t.Helper()
	size, err := tlogSize(o.send("GET", "/ledger/checkpoint", "").want(200).body)
	if err != nil {
		o.t.Fatal(err)
	}
	for at := int64(0); at < size; at += 256 {
		t := tlog.EntryBundle(at, size)
		raw, err := tlog.ParseBundle([]byte(o.send("GET", "/ledger/"+tlog.TilePath(t), "").want(200).body), t.W)
		if err != nil {
			o.t.Fatal(err)
		}
		for _, b := range raw {
			e, err := tlog.ParseEntry(b)
			if err != nil {
				o.t.Fatal(err)
			}
			if e.Kind == tlog.Changed {
				out = append(out, e)
			}
		}
	}
	if !slices.IsSortedFunc(out, func(a, b tlog.Entry) int { return a.Hour.Compare(b.Hour) }) {
		o.t.Error("changes are in the ledger in another order than they were published in")
	}
	return out
}

// told is what an entry tells.
func told(e tlog.Entry) string {
	return fmt.Sprintf("%s %d/%d is %d", e.Hour.Format(time.RFC3339), e.List, e.Index, e.Status)
}

// marked gives the places that the lists on the shelf mark, by purpose.
func (o *office) marked() map[string]bool {
	o.t.Helper()
	out := map[string]bool{}
	for path, text := range o.shelf() {
		for _, purpose := range []string{vc.PurposeRevocation, vc.PurposeSuspension} {
			if list, ok := strings.CutPrefix(path, "/status/"+purpose+"/"); ok && !strings.HasPrefix(list, "99") {
				_, bits := listOf(o.t, text)
				for index := range bits.Marked() {
					out[fmt.Sprintf("%s %s %d", purpose, strings.Fields(list)[0], index)] = true
				}
			}
		}
	}
	return out
}

// TestLedgerTellsWhatTheListsShow: the ledger's changes of status are, slot by
// slot and with the slot's hour, exactly the differences between the lists of one
// slot and those of the next, by place; of acts that cancel out within a slot it
// tells nothing. So it is however late the ledger takes them in, and in however
// many parts. The database keeps the commitment of every act.
func TestLedgerTellsWhatTheListsShow(t *testing.T) {
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		o := openOffice(t, db)
		o.publish = time.Hour
		open := func() {
			o.iss, o.srv = o.open()
			o.iss.TakeInParts(3)
		}
		open()
		court := issuer.Caller{ID: "carla", Name: "carla", Role: issuer.RoleRegistrar}
		second := issuer.Caller{ID: "rob", Name: "rob", Role: issuer.RoleRegistrar}
		var births []string
		for range 4 {
			_, b, _ := o.family()
			births = append(births, b)
		}
		seed := rand.Uint64()
		r := rand.New(rand.NewPCG(seed, 1))
		suspended, revoked := map[string]bool{}, map[string]bool{}
		acts := 0
		act := func(b string, revoke bool) {
			t.Helper()
			if revoked[b] {
				return
			}
			var err error
			switch {
			case revoke:
				var out issuer.Outcome
				if out, err = o.iss.Revoke(t.Context(), court, o.copyOf(b), "fraud", ""); err == nil {
					_, err = o.iss.Approve(t.Context(), second, out.Approval, true)
				}
				revoked[b] = true
			case suspended[b]:
				_, err = o.iss.Reinstate(t.Context(), court, o.copyOf(b), "resolved", "")
				suspended[b] = false
			default:
				_, err = o.iss.Suspend(t.Context(), court, o.copyOf(b), "safety", "")
				suspended[b] = true
			}
			if err != nil {
				t.Fatal(seed, err)
			}
			acts++
		}
		// Each slot: what is done in the hour before it, and whether the ledger takes it in then.
		shown := o.marked()
		var want []string
		next := func(sequenced bool) {
			t.Helper()
			o.pass(o.now().Truncate(time.Hour).Add(time.Hour).Sub(o.now()))
			is := o.marked()
			var some []tlog.Entry
			for place := range maps.Keys(union(shown, is)) {
				if shown[place] == is[place] {
					continue
				}
				e := tlog.Entry{Hour: o.now()}
				var purpose string
				if _, err := fmt.Sscan(place, &purpose, &e.List, &e.Index); err != nil {
					t.Fatal(err)
				}
				switch {
				case purpose == vc.PurposeRevocation:
					e.Status = tlog.Invalid
				case is[place]:
					e.Status = tlog.Suspended
				}
				some = append(some, e)
			}
			slices.SortFunc(some, func(a, b tlog.Entry) int {
				final := func(e tlog.Entry) int {
					if e.Status == tlog.Invalid {
						return 1
					}
					return 0
				}
				return cmp.Or(cmp.Compare(a.List, b.List), cmp.Compare(a.Index, b.Index), final(a)-final(b))
			})
			for _, e := range some {
				want = append(want, told(e))
			}
			shown = is
			if sequenced {
				o.sequence()
			}
		}
		check := func(what string) {
			t.Helper()
			var got []string
			for _, e := range o.changes() {
				got = append(got, told(e))
			}
			// Within a slot the parts come one after the other, each by place.
			if a, b := slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want)); !slices.Equal(a, b) {
				t.Fatalf("seed %d, %s: the ledger tells\n%s\nand the lists\n%s", seed, what, strings.Join(a, "\n"), strings.Join(b, "\n"))
			}
		}
		// A suspension that no list ever showed, and a lifting that none did.
		act(births[0], false)
		o.pass(10 * time.Minute)
		act(births[0], false)
		next(true)
		if len(want) != 0 {
			t.Fatal("the lists show what was taken back")
		}
		check("taken back")
		act(births[0], false)
		next(true)
		act(births[0], false)
		o.pass(20 * time.Minute)
		act(births[0], false)
		next(true)
		check("suspended once")
		if len(want) == 0 {
			t.Fatal("nothing was shown")
		}
		// Shown in one slot and lifted in the next, and the ledger asleep.
		act(births[1], false)
		next(false)
		act(births[1], false)
		next(false)
		next(true)
		check("late")
		for range 8 {
			for range r.IntN(7) {
				o.pass(time.Duration(r.IntN(6)) * time.Minute)
				act(births[r.IntN(len(births))], r.IntN(12) == 0)
			}
			if r.IntN(6) == 0 {
				open() // a restart
			}
			if r.IntN(4) == 0 {
				_, b, _ := o.family()
				births = append(births, b)
			}
			next(r.IntN(2) == 0)
		}
		act(births[2], true)
		next(false)
		next(true)
		check("played")
		var kept, slots int
		if err := db.QueryRow(`SELECT COUNT(*) FROM commitments WHERE kind <> 'issued'`).Scan(&kept); err != nil {
			t.Fatal(err)
		}
		if kept < acts || kept <= len(want) {
			t.Errorf("%d commitments are kept of %d acts, %d are told", kept, acts, len(want))
		}
		next(true)
		if err := db.QueryRow(`SELECT COUNT(*) FROM slots`).Scan(&slots); err != nil || slots != 1 {
			t.Errorf("%d slots are kept that the ledger is done with (%v)", slots, err)
		}
	})
}

func union(a, b map[string]bool) map[string]bool {
	out := maps.Clone(a)
	maps.Copy(out, b)
	return out
}

// TestLedgerOfOnePublication: the changes that one publication shows are in the
// ledger by place, whatever the order in which they were done.
func TestLedgerOfOnePublication(t *testing.T) {
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		o := openSlots(t, db)
		var births []string
		for range 5 {
			_, b, _ := o.family()
			births = append(births, b)
		}
		for _, b := range births {
			o.call("POST", "/credentials/"+o.copyOf(b)+"/suspend", "rita", `{"reason":"safety"}`).want(200)
			o.pass(time.Second)
		}
		o.pass(5 * time.Minute)
		o.sequence()
		got := o.changes()
		if len(got) < 5 || !slices.IsSortedFunc(got, func(a, b tlog.Entry) int { return cmp.Or(cmp.Compare(a.List, b.List), cmp.Compare(a.Index, b.Index)) }) {
			t.Errorf("%d changes, not by place", len(got))
		}
	})
}

// TestLedgerBetweenIntervals: what was published at once is told act by act, with
// its own hour; an office that begins with slots, or gives them up, loses nothing.
func TestLedgerBetweenIntervals(t *testing.T) {
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		o := openOffice(t, db)
		_, b, _ := o.family()
		toggle := func(what string) {
			t.Helper()
			o.call("POST", "/credentials/"+o.copyOf(b)+"/"+what, "carla", `{"reason":"courtDecision"}`).want(200)
		}
		tells := func(want ...tlog.Status) {
			t.Helper()
			var got []tlog.Status
			for _, e := range o.changes() {
				got = append(got, e.Status)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%v, want %v", got, want)
			}
		}
		toggle("suspend")
		o.pass(time.Minute)
		toggle("reinstate") // both were on the lists that anybody could fetch
		at := o.now().Truncate(time.Hour)
		o.pass(2 * time.Hour)
		o.sequence()
		tells(tlog.Suspended, tlog.Valid)
		if got := o.changes(); !got[1].Hour.Equal(at) {
			t.Errorf("told with %v, published at %v", got[1].Hour, at)
		}
		toggle("suspend")
		o.publish = time.Hour
		o.iss, o.srv = o.open()
		o.pass(time.Hour)
		toggle("reinstate")
		o.sequence()
		tells(tlog.Suspended, tlog.Valid, tlog.Suspended)
		o.pass(time.Hour)
		toggle("suspend")
		toggle("reinstate")
		o.shelf() // closes the slot that shows the lifting
		o.pass(time.Hour)
		o.shelf()
		toggle("suspend")
		o.publish = 0
		o.iss, o.srv = o.open()
		toggle("reinstate")
		for range 3 {
			o.sequence()
		}
		tells(tlog.Suspended, tlog.Valid, tlog.Suspended, tlog.Valid, tlog.Suspended, tlog.Valid)
	})
}
