package issuer

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/internal/vc"
)

// sorted and unsorted count the search keys of a birth, of all births if id is "",
// in dedup and in the runs.
func (d *desk) sorted(id string) int {
	d.t.Helper()
	if id == "" {
		return one(d.t, d.store.db, `SELECT COUNT(*) FROM dedup`)
	}
	return one(d.t, d.store.db, `SELECT COUNT(*) FROM dedup WHERE birth = $1`, id)
}

func (d *desk) unsorted(id string) (n int) {
	d.t.Helper()
	runs, err := d.store.runs(ctx, d.store.db, 0)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, r := range runs {
		for _, k := range r.keys {
			if id == "" || k.birth == id {
				n++
			}
		}
	}
	return n
}

// TestRunsOfKeys: a birth is known to repeat another one wherever the search keys
// of that one are: in a run that this or another replica wrote, sorted into dedup
// by either, or left over when there was no time to.
func TestRunsOfKeys(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, engine string) {
		a, b, _ := replicas(t, engine)
		a.store.flush, b.store.flush = 40, 40
		var births []*vc.Birth
		var ids []string
		register := func(d *desk, n int) {
			for range n {
				x := newBirth()
				births = append(births, x)
				ids = append(ids, d.birth(StateIssued, x).ID)
			}
		}
		held := func(d *desk) {
			t.Helper()
			for _, x := range births {
				d.birth(StateHeld, newBirth(twinOf(x)))
			}
		}
		register(a, 2)
		if a.unsorted(ids[0]) == 0 || a.sorted("") != 0 {
			t.Fatalf("%d keys in runs, %d in dedup", a.unsorted(ids[0]), a.sorted(""))
		}
		held(b)
		held(a)
		for n := 0; n < 40 && a.sorted(ids[1]) == 0; n++ {
			register(a, 1)
		}
		if n := a.unsorted(ids[0]) + a.unsorted(ids[1]); n != 0 {
			t.Errorf("%d keys are in both", n)
		}
		births = births[:min(len(births), 6)]
		held(b)
		held(a)
		// No time: all is left over, and nothing is lost.
		a.store.flushFor, b.store.flushFor = -1, -1
		for a.unsorted("") < 2*a.store.flush {
			before := a.sorted("")
			register(a, 1)
			register(b, 1)
			if n := a.sorted(""); n != before {
				t.Fatalf("%d keys were sorted in no time", n-before)
			}
		}
		births = births[len(births)-8:]
		held(b)
		held(a)
		// No time for long: what is left over has an end.
		register(a, 20)
		register(b, 20)
		last := max(a.unsorted(ids[len(ids)-1]), a.unsorted(ids[len(ids)-2]))
		if n := a.unsorted(""); n < 2*a.store.flush || n > flushMost*a.store.flush+2*last {
			t.Errorf("%d keys are left", n)
		}
		births = births[len(births)-24:]
		held(b)
		held(a)
		// With time again they are sorted, and what processes remember is of the rest.
		a.store.flushFor, b.store.flushFor = time.Minute, time.Minute
		register(a, 1)
		if n, m := a.unsorted(""), a.unsorted(ids[len(ids)-1]); n != m {
			t.Errorf("%d keys in the runs, %d of the last birth", n, m)
		}
		held(b)
		held(a)
		if err := b.store.readRuns(ctx, b.store.db); err != nil {
			t.Fatal(err)
		}
		if _, n := b.store.keys.read(); n != b.unsorted("") {
			t.Errorf("%d keys are remembered of %d", n, b.unsorted(""))
		}
		// A process that starts now knows no less.
		c := openDeskWith(t, Config{DB: a.store.db, Ring: a.ring})
		held(c)
	})
}

// TestRunsRolledBack: what a transaction wrote and did not commit is not
// remembered, and what comes in its place is found.
func TestRunsRolledBack(t *testing.T) {
	t.Parallel()
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDesk(t, db)
		d.store.flush = 1 // a flush each time
		first := newBirth()
		d.birth(StateIssued, first)
		stop := errors.New("stop")
		for range 3 {
			err := d.store.write(ctx, func(tx *sql.Tx) error {
				e := &entry{row: row{ID: "ghost"}, keys: [][]byte{[]byte("0123456789")}}
				if _, err := d.store.candidates(ctx, tx, e.keys); err != nil {
					return err
				}
				if err := d.store.addKeys(ctx, tx, []*entry{e}); err != nil {
					return err
				}
				return stop
			})
			if !errors.Is(err, stop) {
				t.Fatal(err)
			}
		}
		second := newBirth()
		d.birth(StateIssued, second)
		for _, b := range []*vc.Birth{first, second} {
			d.birth(StateHeld, newBirth(twinOf(b)))
		}
		if n := d.sorted("ghost") + d.unsorted("ghost") + len(d.store.keys.of([]byte("0123456789"))); n != 0 {
			t.Error("a birth that was rolled back is found")
		}
	})
}

// TestDropKeys: a birth that is discarded or corrected leaves no search key of
// before in a run, as it leaves none in dedup.
func TestDropKeys(t *testing.T) {
	t.Parallel()
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDesk(t, db)
		first := newBirth()
		d.birth(StateIssued, first)
		held := d.birth(StateHeld, newBirth(twinOf(first)))
		other := newBirth()
		child := d.birth(StateIssued, other)
		if d.unsorted(held.ID) == 0 || d.unsorted(child.ID) == 0 {
			t.Fatal("the births have no keys")
		}
		o, err := d.Release(ctx, rita, held.ID, "discard", "")
		if err != nil {
			t.Fatal(err)
		}
		d.approve(o)
		if n := d.unsorted(held.ID); n != 0 {
			t.Errorf("%d keys of a discarded birth", n)
		}
		d.correct(child.ID, next(other, renamed("Anna")))
		if d.unsorted(child.ID) != 0 || d.sorted(child.ID) == 0 {
			t.Errorf("of a corrected birth there are %d keys in runs and %d in dedup", d.unsorted(child.ID), d.sorted(child.ID))
		}
		d.birth(StateHeld, newBirth(twinOf(next(other, renamed("Anna")))))
	})
}

// TestDamagedRun: a run that cannot be read is told of; births are not registered
// past it.
func TestDamagedRun(t *testing.T) {
	t.Parallel()
	d := openDesk(t, storetest.Open(t, store.SQLite, "issuer"))
	d.birth(StateIssued, newBirth())
	if _, err := d.store.db.Exec(`INSERT INTO dedup_runs (id, first, keys) VALUES (99, 0, x'00112233445566778899ff41')`); err != nil {
		t.Fatal(err)
	}
	if _, err := d.RegisterBirth(context.Background(), rita, raw(t, newBirth()), ""); !errors.Is(err, errRun) {
		t.Error(err)
	}
}

// TestRecordID: identifiers that are made together lie together and are not the
// same.
func TestRecordID(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	beginnings := map[string]bool{}
	start := time.Now()
	for range 1000 {
		id := recordID()
		if len(id) != 22 || seen[id] {
			t.Fatalf("%s", id)
		}
		seen[id], beginnings[id[:8]] = true, true
	}
	if most := int(time.Since(start).Milliseconds()) + 2; len(beginnings) > most {
		t.Errorf("%d beginnings in %d ms", len(beginnings), most)
	}
}

// FuzzReadKeys: what is read as a run is what is written again.
func FuzzReadKeys(f *testing.F) {
	f.Add([]byte{})
	f.Add(appendKey(appendKey(nil, searchKey{"0123456789", "birth"}), searchKey{"9876543210", ""}))
	f.Add([]byte("0123456789\xffshort"))
	f.Fuzz(func(t *testing.T, in []byte) {
		keys, err := readKeys(in)
		if err != nil {
			return
		}
		var again []byte
		for _, k := range keys {
			again = appendKey(again, k)
		}
		if fmt.Sprintf("%x", again) != fmt.Sprintf("%x", in) {
			t.Errorf("%x became %x", in, again)
		}
	})
}
