package issuer

import (
	"bytes"
	"context"
	"crypto/sha256"
	"slices"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/internal/vc"
)

// What a cut-off key signed is not given out again, also where the trust list at
// hand is overdue: no later list lifts a cut-off.
func TestCutOffInAnOverdueList(t *testing.T) {
	t.Parallel()
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := newBooth(t, db, newRing(t, keys.EdDSA))
		x := d.child()
		signers := func() [2]string {
			t.Helper()
			birth, guardianship, err := d.Paper(ctx, clara, x.birth.ID, x.guardianship.ID)
			if err != nil {
				t.Fatal(err)
			}
			return [2]string{signedBy(birth), signedBy(guardianship)}
		}
		old, next := d.DID()+"#key-1", d.DID()+"#key-2"
		if got := signers(); got != [2]string{old, old} {
			t.Fatalf("signed by %v", got)
		}

		list := d.succeed()
		if got := signers(); got != [2]string{old, old} {
			t.Fatalf("made anew although no key was cut off: %v", got)
		}

		list.Issuers[0].Keys[0].CutOff = d.now()
		d.pass(2 * time.Hour)
		if got := signers(); got != [2]string{next, next} {
			t.Errorf("with an overdue list papers are signed by %v", got)
		}
	})
}

// succeed has key-2 sign from now on, and gives the trust list that the office
// goes by from now on.
func (d *booth) succeed() *vc.TrustList {
	d.t.Helper()
	k, err := keys.New("key-2", keys.UseCredentials, keys.EdDSA, d.now(), time.Time{})
	if err != nil {
		d.t.Fatal(err)
	}
	d.ring.Of(keys.UseCredentials)[0].NotAfter = d.now()
	if err := d.ring.Add(k); err != nil {
		d.t.Fatal(err)
	}
	list := &vc.TrustList{Next: d.now().Add(time.Hour), Issuers: []vc.TrustIssuer{{DID: d.DID(), Keys: []vc.TrustKey{{ID: d.DID() + "#key-1"}, {ID: k.Name}}}}}
	d.cfg.Trust = func(context.Context) (*vc.TrustList, error) { return list, nil }
	return list
}

// Whatever a stolen key signed is made anew: also a birth whose guardianship a court
// signed, and one that has no guardianship.
func TestReissueIsOfEachPaper(t *testing.T) {
	t.Parallel()
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := newBooth(t, db, newRing(t, keys.EdDSA))
		both, alone := d.child(), newBirth()
		d.birth(StateIssued, alone)
		b := newBirth()
		decided := d.birth(StateIssued, b)
		order := d.approveAs(clara, d.guardianship(StatePending, newGuardianship(b, court)))
		revoked := d.child()
		d.revoke(revoked.guardianship.Credentials[0].ID)

		signers := func() map[string]int {
			t.Helper()
			out := map[string]int{}
			rows, err := db.Query(`SELECT jwt FROM credentials WHERE profile = 'paper'`)
			if err != nil {
				t.Fatal(err)
			}
			defer rows.Close()
			for rows.Next() {
				var jwt string
				if err := rows.Scan(&jwt); err != nil {
					t.Fatal(err)
				}
				out[signedBy(jwt)]++
			}
			return out
		}
		list := d.succeed()
		list.Issuers[0].Keys[0].CutOff = d.now()
		d.pass(time.Minute)
		old, next := d.DID()+"#key-1", d.DID()+"#key-2"
		if got := signers(); got[old] != 6 || got[d.DID()+"#court-1"] != 1 {
			t.Fatalf("signed by %v", got)
		}
		steps := 0
		sum, err := d.ReissuePapers(ctx, "key-1", func(done, all int) { steps = done })
		// Two of one child, and the births of the others.
		if err != nil || sum != (Reissued{Made: 5}) || steps != 5 {
			t.Fatalf("%+v in %d steps, %v", sum, steps, err)
		}
		if got := signers(); got[next] != 5 || got[old] != 6 || got[d.DID()+"#court-1"] != 1 {
			t.Errorf("signed by %v", got)
		}
		birth, guardianship, err := d.Paper(ctx, clara, decided.ID, order.ID)
		if err != nil || signedBy(birth) != next || signedBy(guardianship) != d.DID()+"#court-1" {
			t.Errorf("the court's family has papers of %s and %s: %v", signedBy(birth), signedBy(guardianship), err)
		}
		if sum, err := d.ReissuePapers(ctx, "key-1", func(int, int) {}); err != nil || sum != (Reissued{Before: 5}) {
			t.Errorf("again: %+v, %v", sum, err)
		}
		if birth, _, err := d.Paper(ctx, clara, both.birth.ID, both.guardianship.ID); err != nil || signedBy(birth) != next {
			t.Error(err)
		}
	})
}

// TestWalkOfAKey: of a key's signatures, the ledger is read where they can be, and
// says of each entry where it stands as one that is read from the beginning does.
func TestWalkOfAKey(t *testing.T) {
	t.Parallel()
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := newBooth(t, db, newRing(t, keys.EdDSA))
		d.TakeInParts(3)
		d.store.sample = 2
		fill := func() {
			t.Helper()
			for range 4 {
				d.revoke(d.child().guardianship.Credentials[0].ID) // what is revoked stands between
			}
			for {
				n, err := d.Sequence(ctx)
				if err != nil {
					t.Fatal(err)
				}
				if n == 0 {
					return
				}
			}
		}
		fill()
		d.pass(10 * 24 * time.Hour)
		d.succeed()
		fill()
		d.pass(10 * 24 * time.Hour)
		fill()
		walk := func(of stretch) (all []entered) {
			t.Helper()
			if err := d.store.eachEntered(ctx, of, func(e entered) error { all = append(all, e); return nil }); err != nil {
				t.Fatal(err)
			}
			return all
		}
		all := walk(stretch{})
		of := func(in []entered, key string) (out []entered) {
			for _, e := range in {
				if signedBy(e.JWT) == d.DID()+"#"+key {
					out = append(out, e)
				}
			}
			return out
		}
		for _, key := range []string{"key-1", "key-2"} {
			got := walk(d.signedIn(key))
			first := slices.IndexFunc(all, func(e entered) bool { return e.id == got[0].id })
			if len(got) == len(all) && key == "key-2" || first == 0 && key == "key-2" {
				t.Errorf("%s: %d of %d entries from %d", key, len(got), len(all), first)
			}
			for n, e := range got {
				if w := all[first+n]; e.id != w.id || e.index != w.index || e.index < 0 {
					t.Fatalf("%s: entry %d is %d at %d, is %d at %d", key, n, e.id, e.index, w.id, w.index)
				}
			}
			if want := of(all, key); len(want) < 8 || len(of(got, key)) != len(want) {
				t.Errorf("%s signed %d of %d", key, len(of(got, key)), len(want))
			}
		}
		// The end of a key's time, too: its own entries are in the first page alone.
		if _, last, err := d.store.ids(ctx, d.signedIn("key-1")); err != nil || last >= all[len(all)-1].id {
			t.Errorf("the walk of the first key ends at %d of %d: %v", last, all[len(all)-1].id, err)
		}
		if after, _, err := d.store.ids(ctx, d.signedIn("key-9")); err != nil || after != 0 {
			t.Errorf("an unknown key begins after %d: %v", after, err)
		}
	})
}

// TestAffected: what survives a cut-off is what the ledger had under a checkpoint that
// witnesses cosigned, never more than somebody else knows of; posts are told of what
// they are shown, so many at most, and the count says what they are not told.
func TestAffected(t *testing.T) {
	t.Parallel()
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		ring := newRing(t, keys.EdDSA)
		a := newOnlooker(t, 1, ring)
		d := watched(t, db, ring, new(bytes.Buffer), a)
		d.demands(1, a)
		x := d.child()
		copies, err := d.IssueCopies(ctx, x.guardianship.ID, newHolder(t))
		if err != nil {
			t.Fatal(explain(err))
		}
		shown := map[[32]byte]bool{} // at posts
		paper := map[[32]byte]bool{}
		payload := func(jwt string) [32]byte {
			j, err := vc.SplitJWS(jwt)
			if err != nil {
				t.Fatal(err)
			}
			return sha256.Sum256(j.PayloadUnverified())
		}
		for _, c := range copies {
			if c.Profile == ProfileBorder {
				shown[payload(c.JWT)] = true
			}
		}
		birth, guardianship, err := d.Paper(ctx, clara, x.birth.ID, x.guardianship.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, jwt := range []string{birth, guardianship} {
			shown[payload(jwt)], paper[payload(jwt)] = true, true
		}
		d.pass(time.Minute)
		d.all()
		d.gather()
		cosigned := d.ledgerStatus().Witnessed
		if len(shown) != 4 || cosigned < 8 {
			t.Fatalf("%d are shown, %d entries cosigned", len(shown), cosigned)
		}
		d.child() // in the ledger, and no witness has seen it
		d.pass(time.Minute)
		d.all()
		since := d.now().Truncate(time.Second)
		d.pass(time.Minute)
		d.child()
		d.all()
		type counts struct{ survive, provable, unproven, worthless, records int }
		affected := func(size int64) (Affected, counts) {
			t.Helper()
			got, err := d.Affected(ctx, "key-1", since, size)
			if err != nil {
				t.Fatal(explain(err))
			}
			var n counts
			for _, k := range got.Counts {
				n.survive += k.Survive
				n.provable += k.Provable
				n.unproven += k.Unproven
				n.worthless += k.Worthless
			}
			for _, r := range got.Records {
				n.records += r.Survive
			}
			return got, n
		}
		check := func(what string, asked, size int64, want counts) {
			t.Helper()
			got, n := affected(asked)
			if got.Size != size || !got.Witnessed || n != want {
				t.Errorf("%s: %d entries (witnessed: %v), %+v, want %d, %+v", what, got.Size, got.Witnessed, n, size, want)
			}
		}
		check("as the register says", -1, cosigned, counts{4, 4, 2, 2, 4})
		check("somebody claims more", 1<<40, cosigned, counts{4, 4, 2, 2, 4})
		check("somebody knows of none", 0, 0, counts{0, 0, 10, 2, 0})
		check("somebody knows of two", 2, 2, counts{2, 0, 8, 2, 2})

		l, err := d.cfg.Trust(ctx)
		if err != nil {
			t.Fatal(err)
		}
		l.Issuers[0].Keys = []vc.TrustKey{{ID: d.DID() + "#key-1", CutOff: since, CutOffSize: cosigned}}
		tell := func() (out [][32]byte) {
			t.Helper()
			var all []byte
			if err := d.Survivors(ctx, "key-1", func(b []byte) error { all = append(all, b...); return nil }); err != nil {
				t.Fatal(err)
			}
			for ; len(all) > survivorSize; all = all[survivorSize:] {
				out = append(out, [32]byte(all[survivorSize-32:]))
			}
			return out
		}
		told := tell()
		if len(told) != 4 || !slices.ContainsFunc(told, func(h [32]byte) bool { return paper[h] }) || slices.ContainsFunc(told, func(h [32]byte) bool { return !shown[h] }) {
			t.Errorf("%d are told", len(told))
		}
		d.TellAtMost(3)
		check("posts are told of three", -1, cosigned, counts{3, 5, 2, 2, 3})
		if got := tell(); !slices.Equal(got, told[:3]) {
			t.Errorf("%d are told, 3 at most", len(got))
		}
	})
}
