package issuer

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/internal/vc"
)

// TestRecoverSignsOnlyItsOwn: whoever can write the database gets no signature
// over a credential of another issuer or with another id.
func TestRecoverSignsOnlyItsOwn(t *testing.T) {
	t.Parallel()
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDesk(t, db)
		foreign, moved := d.crash(newBirth()), d.crash(newBirth())
		for id, change := range map[string][2]string{
			foreign: {`"did:web:registry.example"`, `"did:web:other.example"`},
			moved:   {moved, foreign},
		} {
			var payload []byte
			if err := db.QueryRowContext(ctx, `SELECT payload FROM credentials WHERE id = $1`, id).Scan(&payload); err != nil {
				t.Fatal(err)
			}
			other := bytes.Replace(payload, []byte(change[0]), []byte(change[1]), 1)
			if bytes.Equal(other, payload) {
				t.Fatal("nothing was changed")
			}
			if _, err := vc.Prepare(other); err != nil {
				t.Fatalf("the change is refused for another reason: %v", err)
			}
			if _, err := db.ExecContext(ctx, `UPDATE credentials SET payload = $2 WHERE id = $1`, id, other); err != nil {
				t.Fatal(err)
			}
		}
		good := d.crash(newBirth())
		if r, err := d.Recover(ctx); err != nil || r != (Recovered{Open: 3, Sealed: 1, Failed: 2}) {
			t.Errorf("%+v %v", r, err)
		}
		if n := one(t, db, `SELECT COUNT(*) FROM credentials WHERE state = 'sealed' AND id = $1`, good); n != 1 {
			t.Error("the good one was not sealed")
		}
		if n := one(t, db, `SELECT COUNT(*) FROM credentials WHERE jwt <> '' AND id <> $1`, good); n != 0 {
			t.Errorf("%d foreign credentials signed", n)
		}
	})
}

// TestRecoverUnpublishedKey: nothing is sealed under a key that verifiers cannot
// find.
func TestRecoverUnpublishedKey(t *testing.T) {
	t.Parallel()
	d := openDesk(t, storetest.Open(t, store.SQLite, "issuer"))
	d.crash(newBirth())
	open, err := d.store.open(ctx, always, "", 0)
	if err != nil || len(open) != 1 {
		t.Fatal(open, err)
	}
	x, err := d.signAgain(open[0])
	if err != nil {
		t.Fatal(err)
	}
	published := d.published(keys.UseCredentials, d.now())
	if p, err := verifyWith(published, x.JWT, vc.TypCredential); err != nil || !bytes.Equal(p, open[0].Payload) {
		t.Fatal(err)
	}
	other := openDeskWith(t, Config{DB: storetest.Open(t, store.SQLite, "issuer"), Ring: newRing(t, keys.EdDSA)})
	if _, err := verifyWith(other.published(keys.UseCredentials, d.now()), x.JWT, vc.TypCredential); err == nil {
		t.Error("verified with another key of that name")
	}
	if _, err := verifyWith(nil, x.JWT, vc.TypCredential); err == nil {
		t.Error("verified without a key")
	}
	if _, err := verifyWith(published, x.JWT+"A", vc.TypCredential); err == nil {
		t.Error("verified an altered credential")
	}
}

// TestRunRecovers: an issuer that starts finishes what a crash left behind.
func TestRunRecovers(t *testing.T) {
	t.Parallel()
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDesk(t, db)
		d.crash(newBirth())
		d.pass(time.Minute)
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() { d.Run(ctx); close(done) }()
		left := 1
		for range 500 {
			if left = one(t, db, `SELECT COUNT(*) FROM credentials WHERE state = 'reserved'`); left == 0 {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		cancel()
		<-done
		if left != 0 {
			t.Error("the reservation is open")
		}
	})
}

// TestVerify finds every sealed credential that is not as it was issued.
func TestVerify(t *testing.T) {
	t.Parallel()
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDesk(t, db)
		var births []any
		for range 600 { // more than a page
			births = append(births, newBirth())
		}
		d.load(jsonl(t, births...), nil)
		if v, err := d.Verify(ctx); err != nil || v != (Verified{Checked: 600}) {
			t.Fatalf("%+v %v", v, err)
		}
		// A key that stopped signing stays good for what it signed.
		d.ring.Keys[0].NotAfter = d.now().Add(time.Hour)
		d.pass(100 * 24 * time.Hour)
		if v, err := d.Verify(ctx); err != nil || v.Bad != 0 {
			t.Fatalf("%+v %v", v, err)
		}
		rs, err := db.QueryContext(ctx, `SELECT id, jwt FROM credentials ORDER BY id LIMIT 5`)
		if err != nil {
			t.Fatal(err)
		}
		var ids, jwts []string
		for rs.Next() {
			var id, jwt string
			if err := rs.Scan(&id, &jwt); err != nil {
				t.Fatal(err)
			}
			ids, jwts = append(ids, id), append(jwts, jwt)
		}
		if err := rs.Err(); err != nil {
			t.Fatal(err)
		}
		for n, jwt := range []string{"", "x.y.z", jwts[3], jwts[3][:len(jwts[3])-4] + "AAAA"} {
			if _, err := db.ExecContext(ctx, `UPDATE credentials SET jwt = $2 WHERE id = $1`, ids[n], jwt); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := db.ExecContext(ctx, `UPDATE credentials SET valid_until = valid_until + 1000000 WHERE id = $1`, ids[4]); err != nil {
			t.Fatal(err)
		}
		if v, err := d.Verify(ctx); err != nil || v != (Verified{Checked: 600, Bad: 5}) {
			t.Errorf("%+v %v", v, err)
		}
		// Another key of that name verifies none of them.
		ring := newRing(t, keys.EdDSA)
		ring.Secrets = d.ring.Secrets
		if v, err := openDeskWith(t, Config{DB: db, Ring: ring}).Verify(ctx); err != nil || v != (Verified{Checked: 600, Bad: 600}) {
			t.Errorf("%+v %v", v, err)
		}
		gone, cancel := context.WithCancel(ctx)
		cancel()
		if _, err := d.Verify(gone); err == nil {
			t.Error("a run that was cut off is no error")
		}
	})
}

// TestBind: a database is one issuer's, with one set of secrets.
func TestBind(t *testing.T) {
	t.Parallel()
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		ring := newRing(t, keys.EdDSA)
		open := func(base string, r *keys.Ring) error {
			i, err := New(Config{Base: base, DB: db, Ring: r})
			if err != nil {
				t.Fatal(err)
			}
			return i.Bind(ctx)
		}
		const base = "https://registry.example"
		with := func(name string) *keys.Ring {
			r := newRing(t, keys.EdDSA)
			for n, s := range ring.Secrets {
				if n != name {
					r.Secrets[n] = s
				}
			}
			return r
		}
		swapped := with("")
		swapped.Secrets["index"], swapped.Secrets["dedup"] = swapped.Secrets["dedup"], swapped.Secrets["index"]
		if err := open(base, ring); err != nil {
			t.Fatal(explain(err))
		}
		for name, err := range map[string]error{
			"again":               open(base, ring),
			"another signing key": open(base, with("")),
			"another oauth":       open(base, with("oauth")),
		} {
			if err != nil {
				t.Errorf("%s: %s", name, explain(err))
			}
		}
		for name, err := range map[string]error{
			"another DID":    open("https://other.example", ring),
			"another index":  open(base, with("index")),
			"another dedup":  open(base, with("dedup")),
			"swapped":        open(base, swapped),
			"all of another": open(base, newRing(t, keys.EdDSA)),
		} {
			t.Log(name)
			wantFault(t, err, ErrBinding)
		}
		if n := one(t, db, `SELECT COUNT(*) FROM binding`); n != 1 {
			t.Errorf("%d rows", n)
		}
		var print []byte
		if err := db.QueryRowContext(ctx, `SELECT index_print FROM binding`).Scan(&print); err != nil || len(print) != 32 || bytes.Equal(print, ring.Secret("index")) {
			t.Errorf("fingerprint %d bytes: %v", len(print), err)
		}
	})
}
