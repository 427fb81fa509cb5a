package verifier

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/status"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/internal/trust"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/verifier/check"
	"github.com/kinpass/kinpass/verifier/post"
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

// succeed cuts off an office's key and lets another sign for it; "" cuts off only.
func (o *office) succeed(t *testing.T, keyID string, cut time.Time, next string) {
	t.Helper()
	w := o.w
	if err := trust.CutOff(w.list, keyID, cut, 0); err != nil {
		t.Fatal(err)
	}
	if next != "" {
		o.joinKey(t, keyID, next)
	}
	w.signTrust()
}

// joinKey lets another key sign for an office from now on.
func (o *office) joinKey(t *testing.T, keyID, next string) {
	t.Helper()
	w, id := o.w, o.did+"#"+next
	key := newKey(t, keys.UseCredentials)
	jwk, err := vc.PublicJWK(key.Public(), id, key.Alg)
	if err != nil {
		t.Fatal(err)
	}
	if err := trust.Succeed(w.list, keyID, vc.TrustKey{ID: id, JWK: jwk, NotBefore: w.now()}); err != nil {
		t.Fatal(err)
	}
	o.signer = key.Signer(id)
	doc := o.document()
	doc.AssertionMethod = append(doc.AssertionMethod, id)
	doc.VerificationMethod = append(doc.VerificationMethod, did.VerificationMethod{ID: id, Type: "JsonWebKey", Controller: o.did, PublicKeyJwk: jwk})
	o.put("/.well-known/did.json", asJSON(t, doc))
}

// Places of the tests about stolen keys, by who called them revoked.
const before, both, thiefs, old = 100, 200, 300, 400

// theft is an office whose key is stolen, and a hub.
type theft struct {
	t *testing.T
	w *world
	o *office
	v *Verifier
}

func newTheft(t *testing.T, db *store.DB) *theft {
	w := newWorld(t)
	o := w.office()
	w.signTrust()
	return &theft{t, w, o, w.verifier(db)}
}

// set lets the office's lists revoke these places.
func (x *theft) set(revoked ...int64) {
	x.t.Helper()
	bits := x.o.bits[vc.PurposeRevocation]
	for _, place := range []int64{before, both, thiefs} {
		change := bits.Clear
		if slices.Contains(revoked, place) {
			change = bits.Set
		}
		if err := change(place); err != nil {
			x.t.Fatal(err)
		}
	}
}

// next builds a bundle and holds against it the problems and what is revoked.
func (x *theft) next(what, want string, revoked ...int64) {
	x.t.Helper()
	x.w.wait(time.Minute)
	if r := x.w.build(x.v); codes(r) != want {
		x.t.Errorf("%s: problems %q, want %q", what, codes(r), want)
	}
	for _, place := range []int64{before, both, thiefs, old} {
		if has := listHas(x.t, x.v, x.o.listURL(vc.PurposeRevocation), place); has != slices.Contains(revoked, place) {
			x.t.Errorf("%s: place %d is revoked: %v", what, place, has)
		}
	}
}

// TestFalseRevocationGoes: what a thief called revoked is so until the key is cut
// off, and no longer. What the same key said before its cut-off stays revoked, and so
// does what another key said too.
func TestFalseRevocationGoes(t *testing.T) {
	storetest.Each(t, "verifier", func(t *testing.T, db *store.DB) {
		x := newTheft(t, db)
		w, o, v, set, next, first := x.w, x.o, x.v, x.set, x.next, x.o.signer.KID
		set(before)
		next("honest", "", before)
		// As a hub from before keys were noted has it: nobody knows who said it.
		file, err := status.BuildPlaces(status.MinSize, []uint64{old})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec(`INSERT INTO revoked (issuer, url, kid, seen, places) VALUES ($1, $2, '', $3, $4)`,
			o.did, o.listURL(vc.PurposeRevocation), w.now().UnixMicro(), file); err != nil {
			t.Fatal(err)
		}
		w.wait(time.Hour)
		stolen := w.now()
		set(both, thiefs)
		next("a thief's list", "revocation-lifted", before, both, thiefs, old)
		set()
		next("a younger list of the same key", "revocation-lifted", before, both, thiefs, old)
		o.succeed(t, first, stolen, "key-2")
		set(both)
		next("after the cut-off", "revocation-lifted", before, both, old)
		set()
		next("later", "revocation-lifted", before, both, old)
		// A replica that has not heard of the cut-off does not bring it back.
		if err := v.book.keepLists(context.Background(), nil, w.list.Sequence-1, w.now()); !errors.Is(err, ErrTrustOlder) {
			t.Errorf("a replica with the list before: %v", err)
		}
		if v = w.verifier(db); !listHas(t, v, o.listURL(vc.PurposeRevocation), both) {
			t.Error("a restart forgets")
		}
		set(before, both)
		next("all is well", "revocation-lifted", before, both, old)
		w.wait(revokedLife + time.Hour)
		if err := v.Purge(context.Background()); err != nil || count(t, db, "revoked")+count(t, db, "revoked_when") != 0 {
			t.Errorf("never purged: %v", err)
		}
	})
}

// TestTheftFoundLate: the theft is found when another key signs already, and then to
// be older still.
func TestTheftFoundLate(t *testing.T) {
	storetest.Each(t, "verifier", func(t *testing.T, db *store.DB) {
		x := newTheft(t, db)
		w, o, set, next, first := x.w, x.o, x.set, x.next, x.o.signer.KID
		set(before)
		next("honest", "", before)
		w.wait(time.Hour)
		early := w.now()
		set(before, both)
		next("a thief's list", "", before, both)
		w.wait(time.Hour)
		late := w.now()
		set(before, thiefs)
		next("another", "revocation-lifted", before, both, thiefs)
		o.joinKey(t, first, "key-2")
		w.signTrust()
		set(before)
		next("the next key", "revocation-lifted", before, both, thiefs)
		o.succeed(t, first, late, "")
		next("the first is cut off", "revocation-lifted", before, both)
		o.succeed(t, first, early, "")
		next("earlier", "", before)
	})
}

// TestFalseRevocationDatedBack: a list that a thief dates back to before the theft
// is let go as one with an honest date is, since it was not heard of before.
func TestFalseRevocationDatedBack(t *testing.T) {
	storetest.Each(t, "verifier", func(t *testing.T, db *store.DB) {
		x := newTheft(t, db)
		w, o, set, next, first := x.w, x.o, x.set, x.next, x.o.signer.KID
		set(before)
		next("honest", "", before)
		honest := w.now()
		w.wait(12 * time.Hour)
		stolen := w.now()
		w.wait(10 * time.Minute)
		if err := o.bits[vc.PurposeRevocation].Set(thiefs); err != nil {
			t.Fatal(err)
		}
		c := o.statusList(vc.PurposeRevocation)
		c.ValidFrom = honest.Add(time.Second)
		o.put("/status/revocation/1", o.sign(o.signer, c))
		next("a thief's list, dated back", "", before, thiefs)
		o.succeed(t, first, stolen, "key-2")
		delete(o.files, "/status/revocation/1")
		set(before)
		next("after the cut-off", "", before)
		next("and later", "", before)
	})
}

// TestNothingFromACache: a hub asks for what is there now, and not for what a cache on
// the way has: that may be of a key that was cut off since.
func TestNothingFromACache(t *testing.T) {
	w := newWorld(t)
	o := w.office()
	w.signTrust()
	v := w.verifier(storetest.Open(t, store.SQLite, "verifier"))
	var asked, plain atomic.Int64
	o.reply(func(_ http.ResponseWriter, r *http.Request) bool {
		asked.Add(1)
		if r.Header.Get("Cache-Control") != "no-cache" {
			plain.Add(1)
		}
		return false
	})
	if _, err := v.Build(t.Context()); err != nil {
		t.Fatal(err)
	}
	if asked.Load() == 0 || plain.Load() > 0 {
		t.Errorf("%d of %d requests may be answered by a cache", plain.Load(), asked.Load())
	}
}

// TestRevokedWithoutAList: what an honest office revoked stays so from the cut-off of
// its key on, also while it shows no list of another, and nobody is believed to be
// good by that. With the other key's lists all is as it was.
func TestRevokedWithoutAList(t *testing.T) {
	storetest.Each(t, "verifier", func(t *testing.T, db *store.DB) {
		w := newWorld(t)
		o := w.office()
		w.signTrust()
		v := w.verifier(db)
		birth, mandate, index := o.family("mother")
		good, its, _ := o.family("mother")
		if err := o.bits[vc.PurposeRevocation].Set(index); err != nil {
			t.Fatal(err)
		}
		anchors, err := vc.OneOf(w.anchor.Public()).File()
		if err != nil {
			t.Fatal(err)
		}
		device, err := post.New(anchors)
		if err != nil {
			t.Fatal(err)
		}
		build := func(what string, revoked, status bool, other string) {
			t.Helper()
			w.build(v)
			b, err := v.Latest(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := device.Take(b.Bytes, w.now()); err != nil {
				t.Errorf("%s: a device: %v", what, err)
			}
			for n, c := range [][]string{{birth, mandate}, {good, its}} {
				r, err := v.Check(t.Context(), []string{w.present("mother", store.Random(16), c...)}, confirmed)
				if err != nil {
					t.Fatal(err)
				}
				if n == 0 && (len(r.Reasons) == 0 || strings.Contains(fmt.Sprint(r.Reasons), check.CodeStatusRevoked) != revoked || (r.Colour == check.Red) != revoked) ||
					n == 1 && (strings.Contains(fmt.Sprint(r.Reasons), check.CodeStatusUnknown) != status || fmt.Sprint(r.Colour) != other) {
					t.Errorf("%s, %d: %v %s", what, n, r.Colour, fmt.Sprint(r.Reasons))
				}
			}
		}
		build("honest", true, false, "green")
		w.wait(25 * time.Hour)
		build("a day on", true, false, "green")
		stolen, first := w.now(), o.signer.KID
		w.wait(10 * time.Minute)
		build("stolen", true, false, "green")
		lists := map[string][]byte{}
		for _, name := range []string{"/status/revocation/1", "/status/suspension/1"} {
			lists[name] = o.file(name)
		}
		o.succeed(t, first, stolen, "key-2")
		for name, old := range lists {
			o.put(name, old)
		}
		w.wait(time.Minute)
		build("cut off, and its lists are shown on", true, true, "amber")
		w.wait(time.Hour)
		build("an hour on", true, true, "amber")
		orphans := func(want int, why string) {
			t.Helper()
			if o, err := v.book.orphans(t.Context(), w.list); err != nil || len(o) != want {
				t.Errorf("%s: %v, %v", why, o, err)
			}
		}
		orphans(1, "its key is cut off")
		// What was kept before keys were noted changes nothing in that.
		if _, err := db.Exec(`INSERT INTO revoked (issuer, url, kid, seen, places) SELECT issuer, url, '', seen, places FROM revoked`); err != nil {
			t.Fatal(err)
		}
		orphans(1, "and somebody said so before")
		for _, q := range []struct {
			seen time.Time
			want int
		}{{stolen.Add(-orphaned - time.Hour), 0}, {stolen.Add(time.Hour - orphaned), 1}} {
			if _, err := db.Exec(`UPDATE revoked SET seen = $1`, q.seen.UnixMicro()); err != nil {
				t.Fatal(err)
			}
			orphans(q.want, "read last at "+q.seen.String())
		}
		for name := range lists {
			delete(o.files, name)
		}
		w.build(v)
		orphans(0, "another key has spoken")
		b, err := v.Latest(t.Context())
		if err != nil || len(b.Lifted()) > 0 {
			t.Errorf("with the next key's lists %v are lifted, %v", b.Lifted(), err)
		}
		if r, err := v.Check(t.Context(), []string{w.present("mother", store.Random(16), birth, mandate)}, confirmed); err != nil || !strings.Contains(fmt.Sprint(r.Reasons), check.CodeStatusRevoked) {
			t.Errorf("%v %s %v", r.Colour, fmt.Sprint(r.Reasons), err)
		}
	})
}
