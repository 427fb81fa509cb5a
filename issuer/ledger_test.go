package issuer

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/internal/tlog"
)

// all takes everything that waits into the ledger.
func (d *desk) all() (n int) {
	d.t.Helper()
	for {
		more, err := d.Sequence(context.Background())
		if err != nil {
			d.t.Fatal(explain(err))
		}
		if n += more; more == 0 {
			return n
		}
	}
}

func (d *desk) policy() tlog.Policy {
	return tlog.Policy{Log: tlog.LogVerifier(d.LedgerOrigin(), d.ring.Of(keys.UseLedger)[0].Public().(ed25519.PublicKey))}
}

// checkpoint reads the ledger's newest checkpoint as anybody does.
func (d *desk) checkpoint() tlog.Signed {
	d.t.Helper()
	p, err := d.Checkpoint(context.Background())
	if err != nil {
		d.t.Fatal(explain(err))
	}
	c, err := d.policy().Open(p.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return c
}

// entries reads the whole ledger off its shelf and holds it against its newest
// checkpoint.
func (d *desk) entries() []tlog.Entry {
	d.t.Helper()
	c := d.checkpoint()
	var raw [][]byte
	for at := int64(0); at < c.Size; at += 256 {
		t := tlog.EntryBundle(at, c.Size)
		p, err := d.LedgerTile(context.Background(), tlog.TilePath(t))
		if err != nil {
			d.t.Fatal(explain(err))
		}
		part, err := tlog.ParseBundle(p.Body, t.W)
		if err != nil {
			d.t.Fatal(err)
		}
		raw = append(raw, part...)
	}
	if _, root, err := tlog.Append(0, raw, nil); err != nil || root != c.Root {
		d.t.Fatalf("the entries on the shelf have another root than the checkpoint (%v)", err)
	}
	var out []tlog.Entry
	for _, b := range raw {
		e, err := tlog.ParseEntry(b)
		if err != nil {
			d.t.Fatal(err)
		}
		out = append(out, e)
	}
	return out
}

// TestLedger: what is issued, revoked, suspended and lifted is in the ledger once
// and in order, each with its commitment and its place; nothing else is.
func TestLedger(t *testing.T) {
	each(t, func(t *testing.T, d *booth, ours, others child) {
		ctx := context.Background()
		if _, err := d.LedgerTile(ctx, "tile/0/000.p/1"); !errors.Is(err, ErrNoSuchTile) {
			t.Errorf("a tile of the empty ledger: %v", err)
		}
		issued := int(d.total(`SELECT COUNT(*) FROM credentials`))
		if n := d.all(); n != issued || issued < 20 {
			t.Fatalf("%d entries for %d credentials", n, issued)
		}
		if n := d.all(); n != 0 {
			t.Fatalf("%d entries twice", n)
		}
		before := d.checkpoint()
		d.revoke(ours.birth.Credentials[0].ID)
		d.pass(time.Hour)
		if _, err := d.Suspend(ctx, judy, others.guardianship.Credentials[0].ID, "courtDecision", ""); err != nil {
			t.Fatal(explain(err))
		}
		d.all()
		if _, err := d.Reinstate(ctx, judy, others.guardianship.Credentials[0].ID, "courtDecision", ""); err != nil {
			t.Fatal(explain(err))
		}
		d.all()
		got := d.entries()
		if len(got) != d.total(`SELECT COUNT(*) FROM commitments`) {
			t.Errorf("%d entries of %d commitments", len(got), d.total(`SELECT COUNT(*) FROM commitments`))
		}
		// Each place's last entry says what the published list says.
		type place struct{ list, index uint32 }
		said := map[place]tlog.Status{}
		count := map[tlog.Kind]int{}
		for i, e := range got {
			count[e.Kind]++
			if e.Kind == tlog.Changed {
				said[place{e.List, e.Index}] = e.Status
			} else if e.Office != "registrar" || !e.Hour.Equal(deskTime.Truncate(time.Hour)) {
				t.Errorf("entry %d: %+v", i, e)
			}
		}
		if count[tlog.Issued] != issued || count[tlog.Changed] == 0 {
			t.Errorf("%v", count)
		}
		for p, s := range said {
			want := tlog.Valid
			switch {
			case d.total(`SELECT COUNT(*) FROM credentials WHERE list = $1 AND idx = $2 AND status = 'revoked'`, p.list, p.index) == 1:
				want = tlog.Invalid
			case d.total(`SELECT COUNT(*) FROM credentials WHERE list = $1 AND idx = $2 AND status = 'suspended'`, p.list, p.index) == 1:
				want = tlog.Suspended
			}
			if s != want {
				t.Errorf("place %v is %d in the ledger and %d in the list", p, s, want)
			}
		}
		if bad := d.total(`SELECT COUNT(*) FROM credentials WHERE status = 'revoked'`); int(bad) == 0 || len(said) < int(bad) {
			t.Errorf("%d places changed, %d credentials are revoked", len(said), bad)
		}
		after := d.checkpoint()
		proof, err := tlog.ProveConsistency(after.Size, before.Size, &tileReader{ctx: ctx, q: d.store.db, size: after.Size})
		if err != nil {
			t.Fatal(err)
		}
		if err := tlog.CheckConsistency(before.Checkpoint, after.Checkpoint, proof); err != nil {
			t.Error(err)
		}
	})
}

// TestLogged: a credential's bytes, with the salt, open the commitment of an entry
// that is proven to be in the ledger; before it is sequenced there is no proof.
func TestLogged(t *testing.T) {
	each(t, func(t *testing.T, d *booth, ours, others child) {
		ctx := context.Background()
		id := ours.birth.Credentials[0].ID
		if _, err := d.Logged(ctx, id); !errors.Is(err, ErrNotLogged) {
			t.Errorf("proven before it is in the ledger: %v", err)
		}
		d.all()
		late := d.child()
		d.all()
		seen := map[int64]bool{}
		for _, r := range []child{ours, others, late} {
			for _, c := range append(r.birth.Credentials, r.guardianship.Credentials...) {
				l, err := d.Logged(ctx, c.ID)
				if err != nil {
					t.Fatal(explain(err))
				}
				at, in, err := d.policy().Verify(l.Entry, l.Proof)
				if err != nil || in.Checkpoint != d.checkpoint().Checkpoint || seen[at] {
					t.Fatalf("at %d of %+v: %v", at, in, err)
				}
				seen[at] = true
				e, err := tlog.ParseEntry(l.Entry)
				if err != nil || e.Kind != tlog.Issued || e.Commitment != tlog.Commit([tlog.SaltSize]byte(l.Salt), []byte(d.payload(c.ID))) {
					t.Fatalf("the entry is not about the credential: %+v %v", e, err)
				}
			}
		}
		if _, err := d.Logged(ctx, "none"); !errors.Is(err, ErrNotLogged) {
			t.Errorf("%v", err)
		}
	})
}

// payload gives the bytes that were signed of a credential.
func (d *desk) payload(id string) string {
	d.t.Helper()
	var jwt string
	if err := d.store.db.QueryRowContext(context.Background(), `SELECT jwt FROM credentials WHERE id = $1`, id).Scan(&jwt); err != nil {
		d.t.Fatal(err)
	}
	b, err := base64.RawURLEncoding.DecodeString(strings.Split(jwt, ".")[1])
	if err != nil {
		d.t.Fatal(err)
	}
	return string(b)
}

// TestLedgerReplicas: replicas that sequence at the same time, while others issue,
// make one ledger: each commitment once, every checkpoint continuing the one
// before.
func TestLedgerReplicas(t *testing.T) {
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		ring := newRing(t, keys.EdDSA)
		d := newBooth(t, db, ring)
		var wg sync.WaitGroup
		stop := make(chan struct{})
		for n := range 3 {
			other := newBooth(t, db, ring)
			wg.Go(func() {
				var last tlog.Signed
				for {
					select {
					case <-stop:
						return
					default:
					}
					if _, err := other.Sequence(context.Background()); err != nil {
						t.Errorf("replica %d: %v", n, err)
						return
					}
					p, err := other.Checkpoint(context.Background())
					if err != nil {
						t.Error(err)
						return
					}
					now, err := d.policy().Open(p.Body)
					if err != nil {
						t.Error(err)
						return
					}
					var proof []tlog.Hash
					if last.Size > 0 && now.Size > last.Size {
						if proof, err = tlog.ProveConsistency(now.Size, last.Size, &tileReader{ctx: context.Background(), q: db, size: now.Size}); err != nil {
							t.Error(err)
							return
						}
					}
					if last.Origin != "" {
						if err := tlog.CheckConsistency(last.Checkpoint, now.Checkpoint, proof); err != nil {
							t.Errorf("from %d to %d: %v", last.Size, now.Size, err)
							return
						}
					}
					last = now
				}
			})
		}
		for range 12 {
			d.child()
		}
		close(stop)
		wg.Wait()
		d.all()
		if n := len(d.entries()); n != d.total(`SELECT COUNT(*) FROM commitments`) {
			t.Errorf("%d entries", n)
		}
		if n := d.total(`SELECT COUNT(*) FROM ledger_runs a JOIN ledger_runs b ON a.acts = b.acts AND a.start < b.start AND a.last >= b.first`); n != 0 {
			t.Errorf("%d runs overlap", n)
		}
	})
}

// TestLedgerGrowsOverTiles: partial tiles grow into full ones, and what a client
// kept of them stays true.
func TestLedgerGrowsOverTiles(t *testing.T) {
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := newBooth(t, db, newRing(t, keys.EdDSA))
		ctx := context.Background()
		d.all()
		kept := map[string][]byte{}
		for step := 0; step < 6; step++ {
			// The ledger takes commitments as they are; their credentials do not matter here.
			if err := db.Write(ctx, func(tx *sql.Tx) error {
				var rows [][]any
				for i := range 130 {
					rows = append(rows, []any{fmt.Sprint(step, "-", i), "issued", bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{byte(i)}, 32), store.Micros(d.now())})
				}
				return d.store.insert(ctx, tx, `INSERT INTO commitments (credential_id, kind, salt, hash, created)`, rows)
			}); err != nil {
				t.Fatal(err)
			}
			d.all()
			size := d.checkpoint().Size
			for at := int64(0); at < size; at += 256 {
				for _, tile := range []tlog.Tile{tlog.EntryBundle(at, size), {H: tlog.TileHeight, L: 0, N: at / 256, W: int(min(size-at, 256))}} {
					p, err := d.LedgerTile(ctx, tlog.TilePath(tile))
					if err != nil {
						t.Fatal(explain(err))
					}
					kept[tlog.TilePath(tile)] = p.Body
				}
			}
		}
		if got := d.entries(); len(got) != 780 {
			t.Fatalf("%d entries", len(got))
		}
		for path, want := range kept {
			if p, err := d.LedgerTile(ctx, path); err != nil || !bytes.Equal(p.Body, want) {
				t.Errorf("%s changed (%v)", path, err)
			}
		}
		for _, none := range []string{"tile/0/003.p/13", "tile/1/000.p/4", "tile/entries/004", "tile/7/000.p/1", "tile/0/../checkpoint", "x"} {
			if _, err := d.LedgerTile(ctx, none); !errors.Is(err, ErrNoSuchTile) {
				t.Errorf("%s: %v", none, err)
			}
		}
	})
}

// TestNoLedgerKey: an issuer whose ring has no key for it says so.
func TestNoLedgerKey(t *testing.T) {
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		ring := &keys.Ring{}
		for _, k := range newRing(t, keys.EdDSA).Of(keys.UseCredentials) {
			if err := ring.Add(k); err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range []string{"index", "dedup", "oauth"} {
			if _, err := ring.EnsureSecret(name); err != nil {
				t.Fatal(err)
			}
		}
		d := newBooth(t, db, ring)
		if _, err := d.Sequence(context.Background()); !errors.Is(err, ErrNoLedger) {
			t.Errorf("%v", err)
		}
		if _, err := d.Checkpoint(context.Background()); !errors.Is(err, ErrNoLedger) {
			t.Errorf("%v", err)
		}
	})
}

// TestLedgerOfACorrectedSuspension: the copies that a correction makes of a
// suspended record are suspended from the start, and the ledger says so: every bit
// of the published lists is in it.
func TestLedgerOfACorrectedSuspension(t *testing.T) {
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDesk(t, db)
		b := newBirth()
		child := d.birth(StateIssued, b)
		if _, err := d.Suspend(ctx, judy, child.Credentials[0].ID, "courtDecision", ""); err != nil {
			t.Fatal(explain(err))
		}
		d.correct(child.ID, next(b, renamed("Other")))
		d.all()
		published, logged := map[place]bool{}, map[place]bool{}
		rs, err := db.QueryContext(ctx, `SELECT list, idx, purpose, value FROM status_changes ORDER BY id`)
		if err != nil {
			t.Fatal(err)
		}
		defer rs.Close()
		for rs.Next() {
			var p place
			var purpose string
			var value int
			if err := rs.Scan(&p.list, &p.index, &purpose, &value); err != nil {
				t.Fatal(err)
			}
			published[p] = value == 1
		}
		for _, e := range d.entries() {
			if e.Kind == tlog.Changed {
				logged[place{int64(e.List), int64(e.Index)}] = e.Status != tlog.Valid
			}
		}
		if len(published) < 2 || !maps.Equal(published, logged) {
			t.Errorf("published %v, in the ledger %v", published, logged)
		}
	})
}
