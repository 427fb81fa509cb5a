package verifier

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/internal/trust"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/verifier/check"
)

// TestRevokedStaysRevoked: an issuer that shows its hub a younger list without a
// revocation takes nothing back, whichever way it tries, and everybody who looks is
// told by whom and on which list.
func TestRevokedStaysRevoked(t *testing.T) {
	storetest.Each(t, "verifier", func(t *testing.T, db *store.DB) {
		ctx := context.Background()
		w := newWorld(t)
		o := w.office()
		w.signTrust()
		var log bytes.Buffer
		start := func() *Verifier {
			cfg := w.config(db)
			cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
			v, err := New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		v := start()
		url, bits := o.listURL(vc.PurposeRevocation), o.bits[vc.PurposeRevocation]
		birth, mandate, index := o.family("mother")
		shown := func(online bool) check.Colour {
			t.Helper()
			f := confirmed
			f.Online = online
			r, err := v.Check(ctx, []string{w.present("mother", store.Random(16), birth, mandate)}, f)
			if err != nil {
				t.Fatal(err)
			}
			return r.Colour
		}
		next := func(what, want string, lifted int64) Report {
			t.Helper()
			w.wait(time.Minute)
			r := w.build(v)
			if codes(r) != want {
				t.Fatalf("%s: problems %q", what, codes(r))
			}
			b, err := v.Latest(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range b.Lists() {
				if l.Address != url {
					continue
				}
				if l.Lifted != lifted || len(b.Lifted()) != int(min(lifted, 1)) {
					t.Errorf("%s: %d places lifted, want %d", what, l.Lifted, lifted)
				}
				for _, place := range []int64{index, 77_777} {
					if !listHas(t, v, url, place) {
						t.Errorf("%s: not revoked any more", what)
					}
				}
			}
			return r
		}
		set := func(on bool) {
			t.Helper()
			for _, place := range []int64{index, 77_777} {
				change := bits.Clear
				if on {
					change = bits.Set
				}
				if err := change(place); err != nil {
					t.Fatal(err)
				}
			}
		}
		set(true)
		next("revoked", "", 0)
		if c := shown(false); c != check.Red {
			t.Fatal(c)
		}

		set(false)
		r := next("taken back", "revocation-lifted", 2)
		if p := r.Problems[0]; p.Issuer != o.did || p.List != url || strings.Contains(p.Detail, "77") {
			t.Errorf("%+v", p)
		}
		if c, live := shown(false), shown(true); c != check.Red || live != check.Red {
			t.Errorf("taken back: %v, online %v", c, live)
		}
		if said := log.String(); !strings.Contains(said, "revocation-lifted") || !strings.Contains(said, url) || strings.Contains(said, "77777") {
			t.Errorf("logged: %s", said)
		}
		if err := bits.Set(4711); err != nil {
			t.Fatal(err)
		}
		next("something else is revoked", "revocation-lifted", 2)
		if !listHas(t, v, url, 4711) {
			t.Error("what is revoked since is not in the bundle")
		}
		v = start()
		next("after a restart", "revocation-lifted", 2)

		// The list ends and goes, and comes back without them.
		w.wait(time.Second)
		c := o.statusList(vc.PurposeRevocation)
		c.ValidTo = c.ValidFrom.Add(2 * time.Minute)
		o.put("/status/revocation/1", o.sign(o.signer, c))
		next("it ends soon", "revocation-lifted", 2)
		o.put("/status/revocation/1", nil)
		o.put("/status", fmt.Appendf(nil, `{"lists":[%q]}`, o.listURL(vc.PurposeSuspension)))
		w.wait(time.Minute)
		if r := next("it is gone", "", 0); r.Lists != 1 {
			t.Fatalf("%d lists", r.Lists)
		}
		delete(o.files, "/status/revocation/1")
		delete(o.files, "/status")
		w.wait(time.Minute)
		if c := shown(true); c != check.Red {
			t.Errorf("it is back, and the bundle does not have it yet: %v online", c)
		}
		next("it is back", "revocation-lifted", 2)

		// The issuer revokes them again, and all is well.
		set(true)
		next("revoked again", "", 0)
		if n := count(t, db, "revoked"); n != 1 {
			t.Errorf("%d rows of what was revoked", n)
		}
		w.wait(revokedLife)
		if err := v.Purge(ctx); err != nil || count(t, db, "revoked") != 1 {
			t.Errorf("purged too early: %v", err)
		}
		w.wait(time.Hour)
		if err := v.Purge(ctx); err != nil || count(t, db, "revoked") != 0 {
			t.Errorf("never purged: %v", err)
		}
	})
}

func count(t *testing.T, db *store.DB, table string) (n int) {
	t.Helper()
	if err := db.QueryRowContext(context.Background(), `SELECT COUNT(*) FROM `+table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestSuspensionsAreLifted: only what is revoked is final.
func TestSuspensionsAreLifted(t *testing.T) {
	w := newWorld(t)
	o := w.office()
	w.signTrust()
	v := w.verifier(storetest.Open(t, store.SQLite, "verifier"))
	url := o.listURL(vc.PurposeSuspension)
	if err := o.bits[vc.PurposeSuspension].Set(77); err != nil {
		t.Fatal(err)
	}
	w.build(v)
	if !listHas(t, v, url, 77) {
		t.Fatal("not suspended")
	}
	if err := o.bits[vc.PurposeSuspension].Clear(77); err != nil {
		t.Fatal(err)
	}
	w.wait(time.Minute)
	if r := w.build(v); codes(r) != "" || listHas(t, v, url, 77) {
		t.Errorf("problems %q", codes(r))
	}
}

// TestApplyRefusesWhatTakesBack: whoever has a hub's key, and even one that signs
// lists, does not take a revocation back at a post that knows of it. A hub whose
// key is withdrawn binds nobody.
func TestApplyRefusesWhatTakesBack(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	o := w.office()
	second := newKey(t, keys.UseHub)
	if _, err := trust.AddHub(w.list, second.Public(), start.AddDate(-1, 0, 0), time.Time{}); err != nil {
		t.Fatal(err)
	}
	w.signTrust()
	if err := o.bits[vc.PurposeRevocation].Set(77); err != nil {
		t.Fatal(err)
	}
	hub := w.verifier(storetest.Open(t, store.SQLite, "verifier"))
	w.build(hub)
	first, err := hub.Latest(ctx)
	if err != nil {
		t.Fatal(err)
	}
	cfg := w.config(storetest.Open(t, store.SQLite, "verifier"))
	cfg.TrustSource = ""
	post, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := post.Apply(ctx, first.Bytes); err != nil {
		t.Fatal(err)
	}
	thief, sequence := second.Signer(w.list.Hubs[1].ID), w.now().Unix()
	signed := func(list string, revoked bool) []byte {
		t.Helper()
		w.wait(time.Minute)
		bits := o.bits[vc.PurposeRevocation]
		change := bits.Clear
		if revoked {
			change = bits.Set
		}
		if err := change(77); err != nil {
			t.Fatal(err)
		}
		sequence++
		p := check.BundlePayload{ID: store.Random(16), Sequence: sequence, CreatedAt: w.now(), TrustList: list,
			StatusLists: []string{string(o.file("/status/revocation/1")), string(o.file("/status/suspension/1"))}}
		data, err := p.Sign(thief)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	if _, err := post.Apply(ctx, signed(first.SignedTrust, false)); !errors.Is(err, ErrTakesBack) {
		t.Fatalf("a bundle without the revocation: %v", err)
	}
	if !listHas(t, post, o.listURL(vc.PurposeRevocation), 77) {
		t.Fatal("it is in force")
	}
	if _, err := post.Apply(ctx, signed(first.SignedTrust, true)); err != nil {
		t.Fatalf("a bundle with it: %v", err)
	}
	// The second hub's key is found stolen; what only it said is forgotten.
	if i := slices.IndexFunc(w.list.Hubs, func(k vc.TrustKey) bool { return k.ID == thief.KID }); i >= 0 {
		w.list.Hubs[i].CutOff = w.now()
	}
	w.wait(time.Minute)
	if err := o.bits[vc.PurposeRevocation].Clear(77); err != nil {
		t.Fatal(err)
	}
	list := w.signTrust()
	thief = w.ring.Keys[0].Signer(w.list.Hubs[0].ID)
	if _, err := post.Apply(ctx, signed(list, false)); err != nil {
		t.Fatalf("after the hub's key was withdrawn: %v", err)
	}
}
