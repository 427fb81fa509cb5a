package issuer

import (
	"context"
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
