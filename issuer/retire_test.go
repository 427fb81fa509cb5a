package issuer

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/internal/tlog"
	"github.com/kinpass/kinpass/internal/vc"
)

// TestListsEnd: a list is published until 90 days after its quarter and not a
// moment longer; a day later what it was made from is deleted, and nothing of
// lists that still live is, also when a clock runs ahead for a while.
func TestListsEnd(t *testing.T) {
	for q, want := range map[string]string{"2026Q1": "2026-04-01", "2026Q4": "2027-01-01", "2026Q5": "0001-01-01", "2026": "0001-01-01", "": "0001-01-01"} {
		if got := endOfQuarter(q).Format(time.DateOnly); got != want {
			t.Errorf("%q ends on %s", q, got)
		}
	}
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := newBooth(t, db, newRing(t, keys.EdDSA))
		ctx := context.Background()
		c := d.child()
		n := d.listOf(c.birth.Credentials[0].ID)
		if _, err := d.Suspend(ctx, judy, c.birth.Credentials[0].ID, "courtDecision", ""); err != nil {
			t.Fatal(explain(err))
		}
		until := endOfQuarter(quarter(c.birth.Credentials[0].ValidUntil)).Add(90 * 24 * time.Hour)
		retire := func(want int) {
			t.Helper()
			if got, err := d.store.retire(ctx); err != nil || got != want {
				t.Fatalf("retired %d, want %d (%v)", got, want, err)
			}
		}
		// A clock that is years ahead, for less than a day.
		d.pass(5 * 365 * 24 * time.Hour)
		retire(0)
		d.pass(-5 * 365 * 24 * time.Hour)
		retire(0)
		d.pass(until.Sub(d.clock()) - time.Second)
		retire(0)
		changes := d.total(`SELECT COUNT(*) FROM status_changes`)
		for _, form := range []string{vc.PurposeRevocation, vc.PurposeSuspension, vc.PurposeIssued} {
			if _, err := d.StatusList(ctx, form, n); err != nil {
				t.Fatalf("%s in its last second: %v", form, err)
			}
		}
		d.pass(time.Second)
		for range 2 { // also where it is not in memory any more
			for _, form := range []string{vc.PurposeRevocation, vc.PurposeSuspension, vc.PurposeIssued} {
				if p, err := d.StatusList(ctx, form, n); !errors.Is(err, ErrListEnded) || p.Body != nil {
					t.Errorf("%s after its end: %v", form, err)
				}
			}
			if _, err := d.TokenList(ctx, vc.MediaTokenCWT, n); !errors.Is(err, ErrListEnded) {
				t.Error(err)
			}
			if p, err := d.StatusIndex(ctx); err != nil || string(p.Body) != `{"lists":[]}` {
				t.Errorf("%s, %v", p.Body, err)
			}
			retire(0)
		}
		if got := d.total(`SELECT COUNT(*) FROM status_changes`); got != changes || changes == 0 {
			t.Fatalf("%d changes of %d before they may be deleted", got, changes)
		}
		d.pass(24 * time.Hour)
		retire(2)
		retire(0)
		if got := d.total(`SELECT COUNT(*) FROM status_changes`); got != 0 {
			t.Errorf("%d changes are kept", got)
		}
		// New lists begin as ever, and the old one is no new one.
		fresh := d.child()
		if m := d.listOf(fresh.birth.Credentials[0].ID); m <= n {
			t.Errorf("a new credential is on list %d", m)
		}
	})
}

// TestErase: once two people agreed, nothing links a record to the ledger, the
// ledger stays whole, and the record's places are taken for given out as before;
// what is in force is not erased, nor what the ledger does not have yet.
func TestErase(t *testing.T) {
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		ring := newRing(t, keys.EdDSA)
		d := newBooth(t, db, ring)
		ctx := context.Background()
		other := d.child()
		behind, err := New(d.cfg) // a replica that nobody asks until all is over
		if err != nil {
			t.Fatal(err)
		}
		for p := range d.places() {
			d.issuedBits(behind, p.list)
		}
		c := d.child()
		id := c.guardianship.Credentials[0].ID
		if _, err := d.Erase(ctx, rita, id, "request", ""); !errors.Is(err, ErrEraseLiving) {
			t.Fatalf("of a record in force: %v", err)
		}
		for name, who := range map[string]Caller{"court": judy, "nobody": {}, "auditor": {ID: "t", Name: "A", Role: RoleAuditor}} {
			if _, err := d.Erase(ctx, who, id, "request", ""); !errors.Is(err, ErrNotAllowed) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := d.Erase(ctx, rita, id, "whim", ""); !errors.Is(err, ErrReason) {
			t.Error(err)
		}
		if _, err := d.Erasable(ctx, rita, id); !errors.Is(err, ErrEraseLiving) {
			t.Errorf("looked at in force: %v", err)
		}
		d.revoke(id)
		if e, err := d.Erasable(ctx, rita, "urn:uuid:"+id); err != nil || (e != Erasure{Kind: KindGuardianship, Record: c.guardianship.ID, Entries: 2, Waiting: 2}) {
			t.Errorf("looked at: %+v %v", e, err)
		}
		if _, err := d.Erasable(ctx, judy, id); !errors.Is(err, ErrNotAllowed) {
			t.Errorf("looked at by a court: %v", err)
		}
		if n := d.total(`SELECT COUNT(*) FROM approvals WHERE kind = 'erase'`); n != 0 {
			t.Error("looking proposed something")
		}
		o, err := d.Erase(ctx, rita, id, "request", "")
		if err != nil || o.State != StatePending {
			t.Fatalf("%+v, %v", o, err)
		}
		if _, err := d.Approve(ctx, rita, o.Approval, true); !errors.Is(err, ErrSamePerson) {
			t.Errorf("alone: %v", err)
		}
		if _, err := d.Approve(ctx, rob, o.Approval, true); !errors.Is(err, ErrEraseWaits) {
			t.Errorf("before it is in the ledger: %v", err)
		}
		d.all()
		if e, err := d.Erasing(ctx, rob, o.Approval); err != nil || (e != Erasure{Kind: KindGuardianship, Record: c.guardianship.ID, Entries: 2, Reason: "request", Proposer: rita.Name}) {
			t.Errorf("what waits: %+v %v", e, err)
		}
		if _, err := d.Erasing(ctx, judy, o.Approval); !errors.Is(err, ErrNoSuchApproval) {
			t.Errorf("to a court: %v", err)
		}
		before := d.entries()
		l, err := d.Logged(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Approve(ctx, rob, o.Approval, true); err != nil {
			t.Fatal(explain(err))
		}
		storetest.Scrubbed(t, d.db)
		if _, err := d.Logged(ctx, id); !errors.Is(err, ErrNotLogged) {
			t.Errorf("still found: %v", err)
		}
		if n := d.total(`SELECT COUNT(*) FROM commitments WHERE credential_id = $1`, id); n != 0 {
			t.Errorf("%d commitments are linked", n)
		}
		for _, keep := range []string{string(l.Salt), string(l.Entry[len(l.Entry)-tlog.SaltSize:])} {
			if n := d.total(`SELECT COUNT(*) FROM commitments WHERE salt = $1 OR hash = $1`, []byte(keep)); n != 0 {
				t.Error("a salt or hash of it is kept")
			}
		}
		if n := d.total(`SELECT COUNT(*) FROM erasures WHERE record = $1 AND caller_id = $2 AND approver_id = $3 AND commitments = 2`, c.guardianship.ID, rita.ID, rob.ID); n != 1 {
			t.Error("the audit has no row of it")
		}
		d.all()
		if got := d.entries(); len(got) != len(before) {
			t.Errorf("the ledger has %d entries, had %d", len(got), len(before))
		}
		if x, err := d.Logged(ctx, other.birth.Credentials[0].ID); err != nil {
			t.Errorf("another record: %v", err)
		} else if _, _, err := d.policy().Verify(x.Entry, x.Proof); err != nil {
			t.Error(err)
		}
		again, err := New(d.cfg)
		if err != nil {
			t.Fatal(err)
		}
		d.pass(d.cfg.Refresh)
		for p := range d.places() {
			for what, i := range map[string]*Issuer{"after a restart": again, "on a replica that was behind": behind} {
				bits, _ := d.issuedBits(i, p.list)
				if in, err := bits.Get(p.index); err != nil || !in {
					t.Errorf("%v was never given out, %s", p, what)
				}
			}
		}
	})
}
