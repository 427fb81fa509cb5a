package issuer

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/internal/vc"
)

// replicas opens two issuers with the same keys over one database.
func replicas(t *testing.T, engine string) (a, b *desk, db *store.DB) {
	t.Helper()
	url := storetest.URL(t, engine, "issuer")
	ring := newRing(t, keys.EdDSA)
	db = storetest.Reopen(t, url, "issuer")
	a = openDeskWith(t, Config{DB: db, Ring: ring})
	b = openDeskWith(t, Config{DB: storetest.Reopen(t, url, "issuer"), Ring: ring})
	return a, b, db
}

func eachEngine(t *testing.T, fn func(t *testing.T, engine string)) {
	for _, engine := range []string{store.SQLite, store.Postgres} {
		t.Run(engine, func(t *testing.T) { fn(t, engine) })
	}
}

// TestNoIndexTwice: two replicas that issue at once never give one index twice.
func TestNoIndexTwice(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, engine string) {
		a, b, db := replicas(t, engine)
		var wg sync.WaitGroup
		for n := range 80 {
			d := a
			if n%2 == 1 {
				d = b
			}
			body := raw(t, newBirth())
			wg.Add(1)
			go func() {
				defer wg.Done()
				if o, err := d.RegisterBirth(ctx, rita, body, ""); err != nil || o.State != StateIssued {
					t.Errorf("%s %s", o.State, explain(err))
				}
			}()
		}
		wg.Wait()
		if n := one(t, db, `SELECT COUNT(*) FROM credentials WHERE state = 'sealed'`); n != 80 {
			t.Errorf("%d sealed", n)
		}
		if n := one(t, db, `SELECT COUNT(*) FROM (SELECT DISTINCT list, idx FROM credentials) AS x`); n != 80 {
			t.Errorf("%d places", n)
		}
		if n := one(t, db, `SELECT COUNT(*) FROM status_lists`); n != 1 {
			t.Errorf("%d lists", n)
		}
	})
}

// TestSameNumberAtOnce: of many births with one registration number that come
// at once, through two replicas, exactly one is issued.
func TestSameNumberAtOnce(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, engine string) {
		a, b, db := replicas(t, engine)
		first := newBirth()
		states := make(chan string, 24)
		for n := range 24 {
			d := a
			if n%2 == 1 {
				d = b
			}
			body := raw(t, newBirth(func(x *vc.Birth) { x.Registration = first.Registration }))
			go func() {
				o, err := d.RegisterBirth(ctx, rita, body, "")
				if err != nil {
					t.Error(explain(err))
				}
				states <- o.State
			}()
		}
		count := map[string]int{}
		for range 24 {
			count[<-states]++
		}
		if count[StateIssued] != 1 || count[StateHeld] != 23 {
			t.Errorf("%v", count)
		}
		if n := one(t, db, `SELECT COUNT(*) FROM credentials`); n != 1 {
			t.Errorf("%d credentials", n)
		}
	})
}

// TestSameBirthAtOnce: the same registration from two offices at once is there
// once.
func TestSameBirthAtOnce(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, engine string) {
		a, b, db := replicas(t, engine)
		body := raw(t, newBirth())
		errs := make(chan error, 12)
		for n := range 12 {
			d := a
			if n%2 == 1 {
				d = b
			}
			go func() { errs <- code(d.RegisterBirth(ctx, rita, body, "")) }()
		}
		won := 0
		for range 12 {
			if err := <-errs; err == nil {
				won++
			} else if !errors.Is(err, ErrBirthExists) {
				t.Error(explain(err))
			}
		}
		if n := one(t, db, `SELECT COUNT(*) FROM births`); won != 1 || n != 1 {
			t.Errorf("%d accepted, %d stored", won, n)
		}
	})
}

// TestRestart: another process over the same database goes on where the first
// one was.
func TestRestart(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, engine string) {
		url := storetest.URL(t, engine, "issuer")
		ring := newRing(t, keys.EdDSA)
		db := storetest.Reopen(t, url, "issuer")
		d := openDeskWith(t, Config{DB: db, Ring: ring})
		b := newBirth()
		child := d.birth(StateIssued, b)
		g := d.guardianship(StateIssued, newGuardianship(b))
		holder := newHolder(t)
		copies, err := d.IssueCopies(ctx, g.ID, holder)
		if err != nil {
			t.Fatal(explain(err))
		}
		db.Close()
		d = openDeskWith(t, Config{DB: storetest.Reopen(t, url, "issuer"), Ring: ring})
		again, err := d.IssueCopies(ctx, g.ID, holder)
		if err != nil || again[0].JWT != copies[0].JWT {
			t.Errorf("other copies after a restart: %v", err)
		}
		_, err = d.RegisterBirth(ctx, rita, raw(t, b), "")
		wantFault(t, err, ErrBirthExists)
		d.birth(StateHeld, newBirth(twinOf(b)))
		d.birth(StateIssued, newBirth())
		r, err := d.Birth(ctx, rita, child.ID)
		if err != nil || len(r.Credentials) != 5 || len(r.Guardianships) != 1 {
			t.Errorf("%+v %v", r, err)
		}
	})
}

// crash registers a birth as far as its reservation and forgets it.
func (d *desk) crash(b *vc.Birth) string {
	d.t.Helper()
	body := raw(d.t, b)
	digest, err := lineDigest(body)
	if err != nil {
		d.t.Fatal(err)
	}
	checked, err := CheckBirth(body, d.now())
	if err != nil {
		d.t.Fatal(explain(err))
	}
	e, err := d.birthEntry(ctx, checked, digest, source{caller: rita, at: d.now()})
	if err != nil {
		d.t.Fatal(explain(err))
	}
	if err := d.store.submit(ctx, &work{births: []*entry{e}}); err != nil || e.err != nil {
		d.t.Fatal(err, e.err)
	}
	return e.outcome.Credentials[0].ID
}

// TestRegisteredInOneTransaction: the record, the place, the commitment and the
// signed credential are stored together, and a signature that is not stored is
// given to nobody.
func TestRegisteredInOneTransaction(t *testing.T) {
	t.Parallel()
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDesk(t, db)
		if _, err := d.RegisterBirth(ctx, rita, raw(t, newBirth()), ""); err != nil { // begins the list
			t.Fatal(explain(err))
		}
		before := one(t, db, `SELECT n FROM pen`)
		b := newBirth()
		o, jwt, err := d.Issuer.birth(ctx, rita, raw(t, b), "key")
		if err != nil {
			t.Fatal(explain(err))
		}
		if n := one(t, db, `SELECT n FROM pen`); n != before+1 {
			t.Errorf("%d transactions", n-before)
		}
		var stored string
		if err := db.QueryRowContext(ctx, `SELECT jwt FROM credentials WHERE id = $1 AND payload IS NULL AND state = 'sealed'`, o.Credentials[0].ID).Scan(&stored); err != nil || stored != jwt {
			t.Errorf("another credential is stored: %v", err)
		}
		if _, err := vc.VerifyJWS(jwt, vc.TypCredential, d.ring.Of(keys.UseCredentials)[0].Public()); err != nil {
			t.Error(err)
		}
		for name, again := range map[string]struct {
			body []byte
			key  string
		}{
			"the same request": {raw(t, b), "key"},
			"the same birth":   {raw(t, b), ""},
			"a duplicate":      {raw(t, newBirth(twinOf(b))), ""},
		} {
			if o, jwt, _ := d.Issuer.birth(ctx, rita, again.body, again.key); jwt != "" {
				t.Errorf("%s: %s with a new signature", name, o.State)
			}
		}
	})
}

// TestCrashBetweenReserveAndSeal: what was reserved is finished, with the bytes
// that were committed to, once.
func TestCrashBetweenReserveAndSeal(t *testing.T) {
	t.Parallel()
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		secrets := newRing(t, keys.EdDSA).Secrets
		for _, alg := range []string{keys.EdDSA, keys.ES256} {
			ring := newRing(t, alg)
			ring.Secrets = secrets
			d := openDeskWith(t, Config{DB: db, Ring: ring})
			id := d.crash(newBirth())
			var payload []byte
			if err := db.QueryRowContext(ctx, `SELECT payload FROM credentials WHERE id = $1 AND state = 'reserved'`, id).Scan(&payload); err != nil {
				t.Fatal(err)
			}
			// What is running leaves a young reservation to whoever signs it.
			if d.recoverOld(ctx); one(t, db, `SELECT COUNT(*) FROM credentials WHERE state = 'reserved'`) != 1 {
				t.Error("a young reservation was taken from its issuer")
			}
			if r, err := d.Recover(ctx); err != nil || r != (Recovered{Open: 1, Sealed: 1}) {
				t.Errorf("%+v %v", r, err)
			}
			if r, err := d.Recover(ctx); err != nil || r != (Recovered{}) {
				t.Errorf("again: %+v %v", r, err)
			}
			var jwt string
			if err := db.QueryRowContext(ctx, `SELECT jwt FROM credentials WHERE id = $1 AND payload IS NULL`, id).Scan(&jwt); err != nil {
				t.Fatal(err)
			}
			got, err := vc.VerifyJWS(jwt, vc.TypCredential, d.ring.Of(keys.UseCredentials)[0].Public())
			if err != nil || string(got) != string(payload) {
				t.Errorf("%s: other bytes were signed: %v", alg, err)
			}
		}
	})
}

// TestSealedOnce: two processes that finish one reservation leave one signature,
// and both give that one. ES256 signs with fresh randomness, so a second one
// would differ.
func TestSealedOnce(t *testing.T) {
	t.Parallel()
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDeskWith(t, Config{DB: db, Ring: newRing(t, keys.ES256)})
		id := d.crash(newBirth())
		open, err := d.store.open(ctx, d.now(), "", 0)
		if err != nil || len(open) != 1 {
			t.Fatal(open, err)
		}
		results := make(chan string, 6)
		for range 6 {
			go func() {
				x, err := d.signAgain(open[0])
				if err == nil {
					err = d.store.submit(ctx, &work{seals: []*sealing{x}})
				}
				if err != nil {
					t.Error(err)
					results <- ""
					return
				}
				results <- x.JWT
			}()
		}
		jwts := map[string]bool{}
		for range 6 {
			jwts[<-results] = true
		}
		var stored string
		if err := db.QueryRowContext(ctx, `SELECT jwt FROM credentials WHERE id = $1`, id).Scan(&stored); err != nil {
			t.Fatal(err)
		}
		if len(jwts) != 1 || !jwts[stored] {
			t.Errorf("%d signatures over one reservation", len(jwts))
		}
	})
}

// TestRecoverSkipsWhatCannotBeSigned: one broken reservation does not keep the
// others open.
func TestRecoverSkipsWhatCannotBeSigned(t *testing.T) {
	t.Parallel()
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDesk(t, db)
		bad := d.crash(newBirth())
		d.crash(newBirth())
		if _, err := db.ExecContext(ctx, `UPDATE credentials SET payload = $2 WHERE id = $1`, bad, []byte(`{"issuer":"someone"}`)); err != nil {
			t.Fatal(err)
		}
		d.pass(time.Minute)
		if r, err := d.Recover(ctx); err != nil || r != (Recovered{Open: 2, Sealed: 1, Failed: 1}) {
			t.Errorf("%+v %v", r, err)
		}
		if n := one(t, db, `SELECT COUNT(*) FROM credentials WHERE state = 'reserved'`); n != 1 {
			t.Errorf("%d open", n)
		}
	})
}

// TestRegisteredCopyFinished: asking for a copy whose issuing was cut off
// finishes it instead of issuing another.
func TestRegisteredCopyFinished(t *testing.T) {
	t.Parallel()
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDesk(t, db)
		b := newBirth()
		id := d.crash(b)
		g := d.guardianship(StateIssued, newGuardianship(b))
		r, err := d.Guardianship(ctx, rita, g.ID)
		if err != nil {
			t.Fatal(err)
		}
		bj, _, err := d.Paper(ctx, rita, r.Birth, g.ID)
		if err != nil {
			t.Fatal(explain(err))
		}
		if c := d.checkJWT(bj); c.ID != "urn:uuid:"+id {
			t.Error("another credential was issued")
		}
	})
}

// TestFullList: when a list is full the next part begins, and no index is lost
// or given twice.
func TestFullList(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, engine string) {
		url := storetest.URL(t, engine, "issuer")
		ring := newRing(t, keys.EdDSA)
		db := storetest.Reopen(t, url, "issuer")
		a := openDeskWith(t, Config{DB: db, Ring: ring, ListSize: 10})
		b := openDeskWith(t, Config{DB: storetest.Reopen(t, url, "issuer"), Ring: ring, ListSize: 10})
		name := listName{vc.TypeBirth, "2027Q1"}
		got := map[place]int{}
		var mu sync.Mutex
		var wg sync.WaitGroup
		for n := range 45 {
			d := a
			if n%2 == 1 {
				d = b
			}
			wg.Add(1)
			go func() {
				defer wg.Done()
				p, err := d.store.lists.take(ctx, name)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				got[p]++
				mu.Unlock()
			}()
		}
		wg.Wait()
		if len(got) != 45 {
			t.Errorf("%d places for 45", len(got))
		}
		for p := range got {
			if p.index < 0 || p.index >= 10 {
				t.Errorf("index %d in a list of 10", p.index)
			}
		}
		p, err := a.store.lists.take(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		a.store.lists.give(name, p)
		if q, err := a.store.lists.take(ctx, name); err != nil || q != p {
			t.Errorf("a place given back is not used: %v", err)
		}
	})
}

// TestSharedTransaction: a request whose own trouble breaks the shared
// transaction does not take the others with it.
func TestSharedTransaction(t *testing.T) {
	t.Parallel()
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDesk(t, db)
		entryOf := func(b *vc.Birth) *entry {
			e, err := d.birthEntry(ctx, b, []byte(b.ChildRef), source{caller: rita, at: d.now()})
			if err != nil {
				t.Fatal(explain(err))
			}
			return e
		}
		good, bad := entryOf(newBirth()), entryOf(newBirth())
		bad.row.ID = good.row.ID // breaks the primary key
		works := []*work{{births: []*entry{good}}, {births: []*entry{bad}}}
		d.store.commit(ctx, works)
		if works[0].err != nil || !good.stored() {
			t.Errorf("the good one: %v", works[0].err)
		}
		if works[1].err == nil {
			t.Error("the bad one was stored")
		}
		if n := one(t, db, `SELECT COUNT(*) FROM births`); n != 1 {
			t.Errorf("%d births", n)
		}
	})
}

// TestPlaceOfALostCommit: a registration that was committed, of which nobody heard
// because the connection broke, is tried again and found; its place stays its own.
func TestPlaceOfALostCommit(t *testing.T) {
	t.Parallel()
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDesk(t, db)
		for _, key := range []string{"", "key"} {
			b := newBirth()
			e, err := d.birthEntry(ctx, b, []byte(b.ChildRef), source{caller: rita, at: d.now()})
			if err != nil {
				t.Fatal(explain(err))
			}
			if e.claim, err = newClaim(rita, key, actRegisterBirth, raw(t, b)); err != nil {
				t.Fatal(err)
			}
			w := &work{births: []*entry{e}}
			if err := d.store.submit(ctx, w); err != nil {
				t.Fatal(err)
			}
			if _, _, err := d.register(ctx, w, e, ErrBirthExists); key == "" {
				wantFault(t, err, ErrBirthExists)
			} else if err != nil {
				t.Error(explain(err))
			}
			d.birth(StateIssued, newBirth()) // at another place
		}
	})
}

// TestPanicReleasesTheQueue: work that panics fails alone and the queue goes on.
func TestPanicReleasesTheQueue(t *testing.T) {
	t.Parallel()
	d := openDesk(t, storetest.Open(t, store.SQLite, "issuer"))
	w := &work{births: []*entry{{row: row{Kind: KindBirth, ID: token(), Ref: token()}}}} // no birth to compare
	func() {
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		_ = d.store.submit(ctx, w)
	}()
	if !errors.Is(w.err, errAbandoned) {
		t.Errorf("the work that panicked: %v", w.err)
	}
	d.birth(StateIssued, newBirth())
}

// TestCallerWhoLeaves: a cancelled request does not undo what others share with
// it, and the queue goes on.
func TestCallerWhoLeaves(t *testing.T) {
	t.Parallel()
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDesk(t, db)
		var wg sync.WaitGroup
		for n := range 40 {
			ctx, cancel := context.WithCancel(ctx)
			if n%4 == 0 {
				time.AfterFunc(time.Duration(n)*100*time.Microsecond, cancel)
			}
			body := raw(t, newBirth())
			wg.Add(1)
			go func() {
				defer wg.Done()
				defer cancel()
				if _, err := d.RegisterBirth(ctx, rita, body, ""); err != nil && n%4 != 0 {
					t.Error(explain(err))
				}
			}()
		}
		wg.Wait()
		d.birth(StateIssued, newBirth())
	})
}

// TestPenHolds: whoever has the pen has the register to himself.
func TestPenHolds(t *testing.T) {
	t.Parallel()
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDesk(t, db)
		inside, most := 0, 0
		var mu sync.Mutex
		var wg sync.WaitGroup
		for range 8 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				err := d.store.write(ctx, func(*sql.Tx) error {
					mu.Lock()
					inside++
					most = max(most, inside)
					mu.Unlock()
					time.Sleep(2 * time.Millisecond)
					mu.Lock()
					inside--
					mu.Unlock()
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			}()
		}
		wg.Wait()
		if most != 1 {
			t.Errorf("%d had the pen at once", most)
		}
	})
}

func TestChunks(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{0: "[]", 1: "[1]", 4: "[4]", 5: "[4 1]", 8: "[4 4]", 9: "[4 4 1]"} {
		var got []int
		for part := range chunks(make([]int, n), 4) {
			got = append(got, len(part))
		}
		if fmt.Sprint(got) != want {
			t.Errorf("%d: %v, want %s", n, got, want)
		}
	}
	for engine, want := range map[string]string{store.Postgres: "($1,$2,$3),($4,$5,$6)", store.SQLite: "(?,?,?),(?,?,?)"} {
		s := Store{db: &store.DB{Engine: engine}}
		if got := s.tuples(2, 3); got != want {
			t.Errorf("%s: %s", engine, got)
		}
	}
}

func TestQuarter(t *testing.T) {
	t.Parallel()
	for date, want := range map[string]string{
		"2027-01-01": "2027Q1", "2027-03-31": "2027Q1", "2027-04-01": "2027Q2", "2027-06-30": "2027Q2",
		"2027-07-01": "2027Q3", "2027-09-30": "2027Q3", "2027-10-01": "2027Q4", "2027-12-31": "2027Q4",
	} {
		d, err := vc.ParseDate(date)
		if err != nil {
			t.Fatal(err)
		}
		if q := quarter(d.Time()); q != want {
			t.Errorf("%s: %s", date, q)
		}
	}
}

func TestStillDoes(t *testing.T) {
	t.Parallel()
	from := deskTime
	day := 24 * time.Hour
	for _, c := range []struct {
		life, age, fresh time.Duration // of the old one, how old it is, life of a new one
		want             bool
	}{
		{365 * day, 0, 365 * day, true},
		{365 * day, 304 * day, 365 * day, true},
		{365 * day, 306 * day, 365 * day, false},
		{365 * day, 366 * day, 365 * day, false},
		{90 * day, 44 * day, 90 * day, true},
		{90 * day, 46 * day, 90 * day, false},
		{20 * day, 19 * day, 1 * day, true},         // the mandate ends: a new one would not live longer
		{20 * day, 20 * day, 1 * day, false},        // over
		{20 * day, 15 * day, 20*day - 15*day, true}, // the same end
	} {
		old := CredentialInfo{ValidFrom: from, ValidUntil: from.Add(c.life)}
		now := from.Add(c.age)
		if got := stillDoes(old, now, now.Add(c.fresh)); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// TestFewStatements: parts come in powers of two, and nothing is lost or added.
func TestFewStatements(t *testing.T) {
	t.Parallel()
	for n := range 300 {
		in := make([]int, n)
		for i := range in {
			in[i] = i
		}
		next := 0
		for part := range halves(in, 64) {
			if len(part) > 64 || len(part)&(len(part)-1) != 0 || part[0] != next {
				t.Fatalf("of %d: %d from %d", n, len(part), part[0])
			}
			next += len(part)
		}
		if next != n {
			t.Fatalf("%d of %d", next, n)
		}
	}
}
