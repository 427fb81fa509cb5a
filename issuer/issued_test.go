package issuer

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/status"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/internal/vc"
)

// issuedBits reads which places a list says were given out, and as of when.
func (d *desk) issuedBits(i *Issuer, n int64) (bits *status.List, at time.Time) {
	d.t.Helper()
	p, err := i.StatusList(context.Background(), vc.PurposeIssued, n)
	if err != nil {
		d.t.Fatal(explain(err))
	}
	if bits, at, err = readBits(p.Body); err != nil {
		d.t.Fatal(err)
	}
	return bits, at
}

// readBits reads a list credential without asking who signed it.
func readBits(compact []byte) (*status.List, time.Time, error) {
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(string(compact), ".")[1])
	if err != nil {
		return nil, time.Time{}, err
	}
	c, err := vc.ParseCredential(payload)
	if err != nil {
		return nil, time.Time{}, err
	}
	var s struct{ EncodedList string }
	if err := json.Unmarshal(c.Subject, &s); err != nil {
		return nil, time.Time{}, err
	}
	bits, err := status.Decode(s.EncodedList, 1<<20)
	return bits, c.ValidFrom, err
}

// places are those that credentials and consents have, with when they are from.
func (d *desk) places() map[place]time.Time {
	d.t.Helper()
	rs, err := d.db.Query(`SELECT list, idx, valid_from FROM credentials UNION ALL SELECT list, idx, created FROM consent_places`)
	if err != nil {
		d.t.Fatal(err)
	}
	defer rs.Close()
	out := map[place]time.Time{}
	for rs.Next() {
		var p place
		var from int64
		if err := rs.Scan(&p.list, &p.index, &from); err != nil {
			d.t.Fatal(err)
		}
		out[p] = store.Time(from)
	}
	return out
}

// TestIssuedListHoldsExactly: what is valid from before the slot is in it and
// nothing else is; a restart and another replica say the same.
func TestIssuedListHoldsExactly(t *testing.T) {
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		ring := newRing(t, keys.EdDSA)
		d := &booth{openDeskWith(t, Config{DB: db, Ring: ring, ListSize: 2 * status.MinSize, Publish: time.Minute})}
		open := func() *Issuer {
			i, err := New(d.cfg)
			if err != nil {
				t.Fatal(err)
			}
			return i
		}
		look := func(i *Issuer, what string) {
			t.Helper()
			due := d.clock().Truncate(time.Minute)
			want := map[int64]int64{}
			for p, from := range d.places() {
				bits, at := d.issuedBits(i, p.list)
				if !at.Equal(due) {
					t.Fatalf("%s: of %v at %v", what, at, due)
				}
				in, err := bits.Get(p.index)
				if err != nil || in != from.Before(due) {
					t.Errorf("%s: %v from %v is %v in the set of %v (%v)", what, p, from, in, due, err)
				}
				if in {
					want[p.list]++
				}
			}
			for n := range want {
				if bits, _ := d.issuedBits(i, n); bits.Count() != want[n] {
					t.Errorf("%s: list %d has %d, want %d", what, n, bits.Count(), want[n])
				}
			}
		}
		for range 3 {
			c := d.child()
			d.copies(c)
			d.pass(59 * time.Second)
			look(d.Issuer, "mid")
			d.pass(time.Second)
			look(d.Issuer, "at the slot")
			look(open(), "restarted")
		}
		// What was saved is what is read, and only what came since is read again.
		d.Issuer.issued.saved = -saveEvery
		if err := d.Refresh(context.Background()); err != nil {
			t.Fatal(err)
		}
		if n := d.total(`SELECT cut FROM issued_cut`); n == 0 || n != d.total(`SELECT MAX(id) FROM commitments`) {
			t.Fatalf("saved as of %d", n)
		}
		d.child()
		d.pass(time.Minute)
		look(open(), "restarted from what was saved")
		if _, err := d.StatusList(context.Background(), vc.PurposeIssued, 99); !errors.Is(err, ErrNoSuchStatusList) {
			t.Errorf("a list that is not there: %v", err)
		}
	})
}

// TestIssuedAcrossSlots: however issuing and slots interleave, on replicas with
// clocks that differ, no credential is from before a slot that does not know it.
func TestIssuedAcrossSlots(t *testing.T) {
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		ring := newRing(t, keys.EdDSA)
		start := time.Now()
		var offset [3]time.Duration
		offset[1], offset[2] = 700*time.Millisecond, -900*time.Millisecond
		var desks []*booth
		for n := range 3 {
			d := &booth{openDeskWith(t, Config{DB: db, Ring: ring, ListSize: status.MinSize, Publish: time.Second})}
			d.cfg.Now = func() time.Time { return deskTime.Add(8*time.Since(start) + offset[n]) } // eight times as fast
			d.store.now = func() time.Time { return d.cfg.Now().UTC() }
			desks = append(desks, d)
		}
		type snapshot struct {
			list int64
			at   time.Time
			bits *status.List
		}
		var mu sync.Mutex
		var seen []snapshot
		var stop atomic.Bool
		var wg, watch sync.WaitGroup
		for _, d := range desks {
			watch.Go(func() {
				last := map[int64]time.Time{}
				for !stop.Load() {
					for n := int64(1); n <= 2; n++ {
						p, err := d.StatusList(context.Background(), vc.PurposeIssued, n)
						if errors.Is(err, ErrNoSuchStatusList) {
							continue
						}
						if err != nil {
							t.Error(explain(err))
							return
						}
						bits, from, err := readBits(p.Body)
						if err != nil {
							t.Error(err)
							return
						}
						if from.Before(last[n]) {
							t.Errorf("list %d goes back from %v to %v", n, last[n], from)
						}
						if from.After(last[n]) {
							last[n] = from
							mu.Lock()
							seen = append(seen, snapshot{n, from, bits})
							mu.Unlock()
						}
					}
					time.Sleep(5 * time.Millisecond)
				}
			})
		}
		for n := range 6 {
			d := desks[n%3]
			wg.Go(func() {
				for range 12 {
					d.child()
				}
			})
		}
		wg.Wait()
		enough := func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(seen) >= 10
		}
		for end := time.Now().Add(30 * time.Second); !enough() && time.Now().Before(end); {
			time.Sleep(5 * time.Millisecond) // the births were quick
		}
		stop.Store(true)
		watch.Wait()
		if len(seen) < 10 {
			t.Fatalf("only %d slots were seen", len(seen))
		}
		byTime := map[string]*status.List{}
		places := desks[0].places()
		for _, s := range seen {
			for p, from := range places {
				if in, _ := s.bits.Get(p.index); p.list == s.list && in != from.Before(s.at) {
					t.Errorf("%v from %v is %v in the set of %v", p, from, in, s.at)
				}
			}
			name := fmt.Sprint(s.list, s.at)
			if other := byTime[name]; other != nil && other.Count() != s.bits.Count() {
				t.Errorf("two sets of one slot: %d and %d", other.Count(), s.bits.Count())
			}
			byTime[name] = s.bits
		}
		if v, err := desks[0].Verify(context.Background()); err != nil || v.Bad != 0 || v.Checked != len(places) {
			t.Errorf("%+v of %d, %v", v, len(places), err)
		}
	})
}

// TestReservedLateIsFromLater: a credential that was written before a slot and
// committed after it is valid from the slot on, in its bytes and in the answer,
// and its commitment is to those bytes.
func TestReservedLateIsFromLater(t *testing.T) {
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := &booth{openDeskWith(t, Config{DB: db, Ring: newRing(t, keys.EdDSA), ListSize: status.MinSize, Publish: time.Minute})}
		ctx := context.Background()
		written := d.clock()
		e, err := d.birthEntry(ctx, newBirth(), []byte(token()), source{caller: rita, at: d.now()})
		if err != nil {
			t.Fatal(explain(err))
		}
		d.pass(time.Minute)
		if _, err := d.StatusIndex(ctx); err != nil { // closes the slot
			t.Fatal(err)
		}
		slot := d.clock().Truncate(time.Minute)
		d.pass(3 * time.Second)
		o, _, err := d.register(ctx, &work{births: []*entry{e}}, e, ErrBirthExists)
		if err != nil {
			t.Fatal(explain(err))
		}
		c, err := vc.ParseCredential([]byte(d.payload(o.Credentials[0].ID)))
		if err != nil || !c.ValidFrom.Equal(slot) || !o.Credentials[0].ValidFrom.Equal(slot) || !written.Before(slot) {
			t.Errorf("written at %v, slot %v, from %v, told %v (%v)", written, slot, c.ValidFrom, o.Credentials[0].ValidFrom, err)
		}
		if v, err := d.Verify(ctx); err != nil || v.Bad != 0 {
			t.Errorf("%+v, %v", v, err)
		}
		d.all()
		if _, err := d.Logged(ctx, o.Credentials[0].ID); err != nil {
			t.Error(err)
		}
	})
}

// TestWindows: every index of a list is given once and none twice, window by
// window, on replicas that share it and across restarts that lose what they had;
// lists from before windows go on as they were.
func TestWindows(t *testing.T) {
	for size := range map[int64]bool{1: true, 1000: true, window: true, 2*window + 5: true} {
		seen := make([]bool, size)
		x := &lease{list: 3, size: size, span: window}
		for n := range size {
			index, err := indexOf([32]byte{1}, x, n)
			if err != nil || index/window != n/window || seen[index] {
				t.Fatalf("size %d: the %d. is %d (%v)", size, n, index, err)
			}
			seen[index] = true
		}
	}
	old := &lease{list: 3, size: 1000}
	for n := range int64(1000) {
		want, _ := status.Permute([32]byte{1}, 3, n, 1000)
		if got, err := indexOf([32]byte{1}, old, n); err != nil || got != want {
			t.Fatal("a list from before windows is filled another way")
		}
	}
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		ring := newRing(t, keys.EdDSA)
		ctx := context.Background()
		const size = 3000
		name := listName{vc.TypeBirth, "2027Q1"}
		taken := map[place]int{}
		var mu sync.Mutex
		for range 4 { // restarts
			var wg sync.WaitGroup
			for range 2 { // replicas
				d := openDeskWith(t, Config{DB: db, Ring: ring, ListSize: size})
				wg.Go(func() {
					for range 500 + rand.IntN(300) {
						p, err := d.store.lists.take(ctx, name)
						if err != nil {
							t.Error(err)
							return
						}
						mu.Lock()
						taken[p]++
						mu.Unlock()
					}
				})
			}
			wg.Wait()
		}
		for p, n := range taken {
			if n != 1 || p.index < 0 || p.index >= size {
				t.Errorf("%v was given %d times", p, n)
			}
		}
	})
}
