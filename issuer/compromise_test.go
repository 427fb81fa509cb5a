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
				t.Fatal(explain(err))
			}
			return [2]string{signedBy(birth), signedBy(guardianship)}
		}
		old, next := d.DID()+"#key-1", d.DID()+"#key-2"
		if got := signers(); got != [2]string{old, old} {
			t.Fatalf("signed by %v", got)
		}

		k, err := keys.New("key-2", keys.UseCredentials, keys.EdDSA, d.now(), time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		d.ring.Of(keys.UseCredentials)[0].NotAfter = d.now()
		if err := d.ring.Add(k); err != nil {
			t.Fatal(err)
		}
		list := &vc.TrustList{Next: d.now().Add(time.Hour), Issuers: []vc.TrustIssuer{{DID: d.DID(), Keys: []vc.TrustKey{{ID: old}, {ID: next}}}}}
		d.cfg.Trust = func(context.Context) (*vc.TrustList, error) { return list, nil }
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
