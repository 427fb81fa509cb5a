package issuer

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/internal/vc"
)

// revoke proposes as Rita and accepts as Rob.
func (d *booth) revoke(credential string) Outcome {
	d.t.Helper()
	o, err := d.Revoke(context.Background(), rita, credential, "fraud", "")
	if err != nil || o.State != StatePending || o.Approval == "" {
		d.t.Fatalf("proposing: %+v, %v", o, err)
	}
	o, err = d.Approve(context.Background(), rob, o.Approval, true)
	if err != nil {
		d.t.Fatalf("accepting: %v", err)
	}
	return o
}

// copies issues the copies of two holders, so that the family's records have
// nine credentials each.
func (d *booth) copies(c child) {
	d.t.Helper()
	for range 2 {
		out, err := d.IssueCopies(context.Background(), c.guardianship.ID, holder(d.t))
		if err != nil || len(out) != 8 {
			d.t.Fatalf("%d copies: %v", len(out), err)
		}
	}
}

func (d *booth) total(query string, args ...any) (n int) {
	d.t.Helper()
	if err := d.db.QueryRow(query, args...).Scan(&n); err != nil {
		d.t.Fatal(err)
	}
	return n
}

// each runs fn at a desk with two families, whose records have nine copies
// each, on both engines.
func each(t *testing.T, fn func(t *testing.T, d *booth, ours, others child)) {
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := newBooth(t, db, newRing(t, keys.EdDSA))
		ours, others := d.child(), d.child()
		d.copies(ours)
		d.copies(others)
		fn(t, d, ours, others)
	})
}

func TestRevokeGuardianship(t *testing.T) {
	each(t, func(t *testing.T, d *booth, ours, _ child) {
		ctx := context.Background()
		id := ours.guardianship.Credentials[0].ID
		o, err := d.Revoke(ctx, rita, id, "fraud", "")
		if err != nil || o.State != StatePending || o.ID != ours.guardianship.ID {
			t.Fatalf("%+v, %v", o, err)
		}
		d.checkShelf(nil) // a proposal changes nothing
		if o, err = d.Approve(ctx, rob, o.Approval, true); err != nil {
			t.Fatal(err)
		}
		if len(o.Credentials) != 9 || o.ID != ours.guardianship.ID {
			t.Errorf("%d credentials in the outcome", len(o.Credentials))
		}
		for _, c := range o.Credentials {
			if c.State != StatusRevoked {
				t.Errorf("a copy of profile %s is %s", c.Profile, c.State)
			}
		}
		// The birth and the other family are untouched.
		d.checkShelf(map[string]string{ours.guardianship.ID: StatusRevoked})
		if _, err := d.IssueCopies(ctx, ours.guardianship.ID, holder(t)); !errors.Is(err, ErrRevoked) {
			t.Errorf("a copy of a revoked record: %v", err)
		}
		if n := d.total(`SELECT COUNT(*) FROM commitments WHERE kind = 'revoked'`); n != 9 {
			t.Errorf("%d commitments", n)
		}
	})
}

// A birth takes its guardianships with it, in the same transaction.
func TestRevokeBirth(t *testing.T) {
	each(t, func(t *testing.T, d *booth, ours, _ child) {
		d.revoke(ours.birth.Credentials[0].ID)
		gone := map[string]string{ours.birth.ID: StatusRevoked, ours.guardianship.ID: StatusRevoked}
		d.checkShelf(gone)
		for _, id := range []string{ours.birth.ID, ours.guardianship.ID} {
			if n := d.total(`SELECT COUNT(*) FROM status_acts WHERE record = $1 AND act = 'revoked' AND reason = 'fraud' AND caller_id = 't-rita' AND approver_id = 't-rob'`, id); n != 1 {
				t.Errorf("%d rows for the audit", n)
			}
		}
		if n := d.total(`SELECT COUNT(*) FROM status_acts WHERE record = $1 AND cause = $2`, ours.guardianship.ID, ours.birth.ID); n != 1 {
			t.Error("the audit cannot tell why the guardianship fell")
		}
		if n := d.total(`SELECT COUNT(DISTINCT at) FROM status_changes`); n != 1 {
			t.Errorf("the copies were revoked at %d times", n)
		}
		if _, _, err := d.Paper(context.Background(), rita, ours.birth.ID, ours.guardianship.ID); !errors.Is(err, ErrRevoked) {
			t.Errorf("paper of a revoked birth: %v", err)
		}
	})
}

// A suspended record can be revoked; its suspension stays published, and no
// act leads back.
func TestRevocationIsFinal(t *testing.T) {
	each(t, func(t *testing.T, d *booth, ours, _ child) {
		ctx := context.Background()
		id := ours.guardianship.Credentials[0].ID
		first := d.revoke(id)
		before := d.total(`SELECT COUNT(*) FROM status_changes`)
		for name, act := range map[string]func() error{
			"suspend":   func() error { _, err := d.Suspend(ctx, clara, id, "safety", ""); return err },
			"reinstate": func() error { _, err := d.Reinstate(ctx, clara, id, "courtDecision", ""); return err },
		} {
			if err := act(); !errors.Is(err, ErrRevoked) {
				t.Errorf("%s: %v", name, err)
			}
		}
		// Revoking again is answered with what is, without an approval.
		again, err := d.Revoke(ctx, clara, id, "courtDecision", "")
		if err != nil || again.Approval != "" || again.State == StatePending || len(again.Credentials) != len(first.Credentials) {
			t.Errorf("revoking again: %+v, %v", again, err)
		}
		// Revoking the birth later does not touch the guardianship's bits again.
		if n := d.total(`SELECT COUNT(*) FROM status_changes`); n != before {
			t.Errorf("%d changes more", n-before)
		}
		d.revoke(ours.birth.Credentials[0].ID)
		if n := d.total(`SELECT COUNT(*) FROM status_changes`); n != before+9 {
			t.Errorf("%d changes more for nine copies of the birth", n-before)
		}
		d.checkShelf(map[string]string{ours.birth.ID: StatusRevoked, ours.guardianship.ID: StatusRevoked})
	})
}

func TestRevokeWhileSuspended(t *testing.T) {
	each(t, func(t *testing.T, d *booth, ours, _ child) {
		ctx := context.Background()
		id := ours.guardianship.Credentials[0].ID
		if _, err := d.Suspend(ctx, clara, id, "safety", ""); err != nil {
			t.Fatal(err)
		}
		d.revoke(id)
		// Both bits are set: taking the suspension back would only show when it
		// ended.
		for _, r := range d.rows() {
			if r.record != ours.guardianship.ID {
				continue
			}
			for _, p := range purposes {
				bits := d.stranger(p, r.list)
				if bits[r.index/8]>>(7-r.index%8)&1 != 1 {
					t.Errorf("%s is not set", p)
				}
			}
		}
	})
}

func TestRevokeNeedsTwo(t *testing.T) {
	each(t, func(t *testing.T, d *booth, ours, _ child) {
		ctx := context.Background()
		id := ours.guardianship.Credentials[0].ID
		o, err := d.Revoke(ctx, rita, id, "fraud", "")
		if err != nil {
			t.Fatal(err)
		}
		twin := Caller{ID: "t9", Name: rita.Name, Role: RoleRegistrar} // a second token of the same person
		for name, c := range map[string]struct {
			by   Caller
			want error
		}{
			"the proposer":         {rita, ErrSamePerson},
			"the proposer's other": {twin, ErrSamePerson},
			"the protection":       {peter, ErrNoSuchApproval},
			"the auditor":          {anna, ErrNotAllowed},
			"nobody":               {thief, ErrNotAllowed},
		} {
			if _, err := d.Approve(ctx, c.by, o.Approval, true); !errors.Is(err, c.want) {
				t.Errorf("%s decided: %v", name, err)
			}
		}
		d.checkShelf(nil)
		// Proposing again, by whomever, gives the proposal that waits.
		for _, c := range []Caller{rita, rob, clara} {
			again, err := d.Revoke(ctx, c, id, "duplicate", "")
			if err != nil || again.Approval != o.Approval || again.State != StatePending {
				t.Errorf("%s again: %+v, %v", c.Name, again, err)
			}
		}
		// Any copy of the record stands for it.
		for _, r := range d.rows() {
			if r.record == ours.guardianship.ID {
				if again, err := d.Revoke(ctx, clara, "urn:uuid:"+r.id, "fraud", ""); err != nil || again.Approval != o.Approval {
					t.Errorf("by another copy: %+v, %v", again, err)
				}
			}
		}
		// Denied, nothing happened, and it can be proposed anew.
		if _, err := d.Approve(ctx, clara, o.Approval, false); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Approve(ctx, rob, o.Approval, true); !errors.Is(err, ErrAlreadyDecided) {
			t.Errorf("accepted after it was denied: %v", err)
		}
		d.checkShelf(nil)
		next, err := d.Revoke(ctx, clara, id, "courtDecision", "")
		if err != nil || next.Approval == o.Approval {
			t.Fatalf("%+v, %v", next, err)
		}
		done, err := d.Approve(ctx, judy, next.Approval, true)
		if err != nil {
			t.Fatal(err)
		}
		if same, err := d.Approve(ctx, judy, next.Approval, true); err != nil || len(same.Credentials) != len(done.Credentials) {
			t.Errorf("the same decision again: %v", err)
		}
		d.checkShelf(map[string]string{ours.guardianship.ID: StatusRevoked})
	})
}

// What waits on a revoked record is denied, so that it cannot come back by a
// correction.
func TestRevokeClosesWhatWaits(t *testing.T) {
	each(t, func(t *testing.T, d *booth, ours, _ child) {
		ctx := context.Background()
		if err := d.store.write(ctx, func(tx *sql.Tx) error {
			return d.store.propose(ctx, tx, proposal{ID: token(), Kind: actCorrectGuardianship, RecordKind: KindGuardianship, Record: ours.guardianship.ID, Payload: []byte(`{}`), Caller: rita})
		}); err != nil {
			t.Fatal(err)
		}
		waiting, err := d.Approvals(ctx, rob)
		if err != nil || len(waiting) != 1 {
			t.Fatalf("%d waiting, %v", len(waiting), err)
		}
		d.revoke(ours.birth.Credentials[0].ID)
		if left, err := d.Approvals(ctx, rob); err != nil || len(left) != 0 {
			t.Errorf("%d still wait, %v", len(left), err)
		}
		if _, err := d.Approve(ctx, rob, waiting[0].ID, true); !errors.Is(err, ErrAlreadyDecided) {
			t.Errorf("accepted afterwards: %v", err)
		}
		if n := d.total(`SELECT COUNT(*) FROM approvals WHERE state = 'pending'`); n != 0 {
			t.Errorf("%d pending", n)
		}
	})
}

func TestSuspendAndReinstate(t *testing.T) {
	each(t, func(t *testing.T, d *booth, ours, _ child) {
		ctx := context.Background()
		id := ours.guardianship.Credentials[0].ID
		held := map[string]string{ours.guardianship.ID: StatusSuspended}
		for round := range 2 {
			o, err := d.Suspend(ctx, peter, id, "safety", "")
			if err != nil || o.State != StateIssued || len(o.Credentials) != 9 || o.Approval != "" {
				t.Fatalf("round %d: %+v, %v", round, o, err)
			}
			d.checkShelf(held)
			if _, err := d.IssueCopies(ctx, ours.guardianship.ID, holder(t)); !errors.Is(err, ErrSuspended) {
				t.Errorf("a copy of a suspended record: %v", err)
			}
			if o, err = d.Reinstate(ctx, peter, id, "resolved", ""); err != nil || o.State != StateIssued {
				t.Fatalf("round %d: %v", round, err)
			}
			for _, c := range o.Credentials {
				if c.State != StatusValid {
					t.Errorf("a copy is %s", c.State)
				}
			}
			d.checkShelf(nil)
		}
		if n := d.total(`SELECT COUNT(*) FROM status_changes`); n != 36 {
			t.Errorf("%d changes of nine copies, four times", n)
		}
		// Once more without effect: no change, no row, the same answer.
		acts := d.total(`SELECT COUNT(*) FROM status_acts`)
		if _, err := d.Reinstate(ctx, rita, id, "resolved", ""); err != nil {
			t.Error(err)
		}
		if d.total(`SELECT COUNT(*) FROM status_changes`) != 36 || d.total(`SELECT COUNT(*) FROM status_acts`) != acts {
			t.Error("reinstating a record in force changed something")
		}
		if _, err := d.IssueCopies(ctx, ours.guardianship.ID, holder(t)); err != nil {
			t.Errorf("a copy after reinstating: %v", err)
		}
	})
}

// Suspending a birth leaves the guardianships: reinstating gives back exactly
// what was taken, and a border sees the birth anyway.
func TestSuspendBirth(t *testing.T) {
	each(t, func(t *testing.T, d *booth, ours, _ child) {
		if _, err := d.Suspend(context.Background(), rita, ours.birth.Credentials[0].ID, "disputed", ""); err != nil {
			t.Fatal(err)
		}
		d.checkShelf(map[string]string{ours.birth.ID: StatusSuspended})
		if _, err := d.IssueCopies(context.Background(), ours.guardianship.ID, holder(t)); !errors.Is(err, ErrSuspended) {
			t.Errorf("copies of a suspended child: %v", err)
		}
	})
}

// Who may do what: every role, every act, every suspender.
func TestStatusRoles(t *testing.T) {
	db := storetest.Open(t, store.SQLite, "issuer")
	d := newBooth(t, db, newRing(t, keys.EdDSA))
	ctx := context.Background()
	id := d.child().guardianship.Credentials[0].ID
	for _, c := range []Caller{peter, anna, thief, {}, {ID: "x", Name: "x", Role: "guardian"}, {ID: "x", Name: "x", Role: "officer"}} {
		if _, err := d.Revoke(ctx, c, id, "fraud", ""); !errors.Is(err, ErrNotAllowed) {
			t.Errorf("%q proposed a revocation: %v", c.Role, err)
		}
	}
	for _, c := range []Caller{anna, thief, {}, {ID: "x", Name: "x", Role: "guardian"}} {
		if _, err := d.Suspend(ctx, c, id, "safety", ""); !errors.Is(err, ErrNotAllowed) {
			t.Errorf("%q suspended: %v", c.Role, err)
		}
		if _, err := d.Reinstate(ctx, c, id, "resolved", ""); !errors.Is(err, ErrNotAllowed) {
			t.Errorf("%q reinstated: %v", c.Role, err)
		}
	}
	d.checkShelf(nil)

	order := []Caller{rita, peter, clara} // from low to high
	for s, suspender := range order {
		for l, lifter := range order {
			if _, err := d.Suspend(ctx, suspender, id, "safety", ""); err != nil {
				t.Fatal(err)
			}
			_, err := d.Reinstate(ctx, lifter, id, "resolved", "")
			if l >= s && err != nil {
				t.Errorf("%s suspended, %s cannot lift: %v", suspender.Role, lifter.Role, err)
			}
			if l < s {
				if !errors.Is(err, ErrHigherAuthority) {
					t.Errorf("%s suspended, %s lifted: %v", suspender.Role, lifter.Role, err)
				}
				if _, err := d.Reinstate(ctx, clara, id, "resolved", ""); err != nil {
					t.Fatal(err)
				}
			}
		}
	}

	// A higher role takes a suspension over, a lower one does not take it back.
	for _, c := range []Caller{rita, clara, peter, rita} {
		if _, err := d.Suspend(ctx, c, id, "safety", ""); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []Caller{rita, rob, peter} {
		if _, err := d.Reinstate(ctx, c, id, "resolved", ""); !errors.Is(err, ErrHigherAuthority) {
			t.Errorf("%s lifted what the court took over: %v", c.Role, err)
		}
	}
	if _, err := d.Reinstate(ctx, judy, id, "courtDecision", ""); err != nil {
		t.Errorf("another court: %v", err)
	}
	// A suspension whose author is not known is lifted by nobody.
	if _, err := d.Suspend(ctx, rita, id, "safety", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`UPDATE guardianships SET suspended_by = 'somebody'`); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Reinstate(ctx, clara, id, "courtDecision", ""); !errors.Is(err, ErrHigherAuthority) {
		t.Errorf("lifted a suspension by an unknown role: %v", err)
	}
}

func TestStatusInput(t *testing.T) {
	db := storetest.Open(t, store.SQLite, "issuer")
	d := newBooth(t, db, newRing(t, keys.EdDSA))
	ctx := context.Background()
	c := d.child()
	id := c.birth.Credentials[0].ID
	secret := "Mila Novak lives with her aunt"
	for _, reason := range []string{"", "FRAUD", "fraud ", "other", secret, strings.Repeat("x", 5000)} {
		for name, act := range map[string]func(context.Context, Caller, string, string, string) (Outcome, error){"revoke": d.Revoke, "suspend": d.Suspend, "reinstate": d.Reinstate} {
			_, err := act(ctx, clara, id, reason, "")
			if !errors.Is(err, ErrReason) {
				t.Fatalf("%s took a reason: %v", name, err)
			}
			if strings.Contains(fmt.Sprintf("%+v", err), "Mila") || strings.Contains(err.Error(), "xxxx") {
				t.Error("the error repeats the reason")
			}
		}
	}
	// A reason belongs to its act.
	if _, err := d.Revoke(ctx, rita, id, "safety", ""); !errors.Is(err, ErrReason) {
		t.Errorf("revoked for safety: %v", err)
	}
	if _, err := d.Suspend(ctx, rita, id, "recordedInError", ""); !errors.Is(err, ErrReason) {
		t.Errorf("suspended as an error: %v", err)
	}
	// Ids of other things are no credentials: neither records nor childRefs.
	for _, x := range []string{"", "x", c.birth.ID, c.guardianship.ID, strings.ToUpper(id), id + " ", "urn:uuid:urn:uuid:" + id, "urn:uuid:", "' OR 1=1 --"} {
		for _, act := range []error{
			faultOf(d.Revoke(ctx, rita, x, "fraud", "")), faultOf(d.Suspend(ctx, rita, x, "safety", "")), faultOf(d.Reinstate(ctx, rita, x, "resolved", "")),
		} {
			if !errors.Is(act, ErrNoSuchCredential) {
				t.Errorf("%q: %v", x, act)
			}
		}
	}
	if _, err := d.Suspend(ctx, rita, id, "safety", "key with\nline end"); !errors.Is(err, ErrIdempotencyKey) {
		t.Errorf("a bad key: %v", err)
	}
	d.checkShelf(nil)
	if d.total(`SELECT COUNT(*) FROM approvals`) != 0 || d.total(`SELECT COUNT(*) FROM status_acts`) != 0 {
		t.Error("a refused act left something")
	}
}

func faultOf(_ Outcome, err error) error { return err }

func TestStatusIdempotency(t *testing.T) {
	each(t, func(t *testing.T, d *booth, ours, others child) {
		ctx := context.Background()
		id := ours.guardianship.Credentials[0].ID
		first, err := d.Suspend(ctx, peter, id, "safety", "k1")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Reinstate(ctx, peter, id, "resolved", "k2"); err != nil {
			t.Fatal(err)
		}
		// The repeated request is answered as it was and does nothing: a network
		// that delivers twice must not suspend twice.
		again, err := d.Suspend(ctx, peter, id, "safety", "k1")
		if err != nil || len(again.Credentials) != len(first.Credentials) || again.Credentials[0].State != StatusSuspended {
			t.Errorf("%+v, %v", again, err)
		}
		d.checkShelf(nil)
		for name, act := range map[string]func() error{
			"another credential": func() error {
				_, err := d.Suspend(ctx, peter, others.birth.Credentials[0].ID, "safety", "k1")
				return err
			},
			"another reason": func() error { _, err := d.Suspend(ctx, peter, id, "disputed", "k1"); return err },
			"another act":    func() error { _, err := d.Reinstate(ctx, peter, id, "resolved", "k1"); return err },
		} {
			if err := act(); !errors.Is(err, ErrIdempotency) {
				t.Errorf("%s with the same key: %v", name, err)
			}
		}
		// Another person's key is another key.
		if _, err := d.Suspend(ctx, clara, id, "safety", "k1"); err != nil {
			t.Error(err)
		}
		d.checkShelf(map[string]string{ours.guardianship.ID: StatusSuspended})
		a, err := d.Revoke(ctx, rita, others.birth.Credentials[0].ID, "fraud", "k3")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Approve(ctx, rob, a.Approval, false); err != nil {
			t.Fatal(err)
		}
		if b, err := d.Revoke(ctx, rita, others.birth.Credentials[0].ID, "fraud", "k3"); err != nil || b.Approval != a.Approval {
			t.Errorf("the repeated proposal: %+v, %v", b, err)
		}
	})
}

// If any part of the change cannot be stored, none of it is.
func TestStatusIsOneTransaction(t *testing.T) {
	for _, table := range []string{"status_acts", "commitments", "status_changes"} {
		t.Run(table, func(t *testing.T) {
			storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
				d := newBooth(t, db, newRing(t, keys.EdDSA))
				c := d.child()
				d.copies(c)
				o, err := d.Revoke(context.Background(), rita, c.birth.Credentials[0].ID, "fraud", "")
				if err != nil {
					t.Fatal(err)
				}
				if _, err := db.Exec(`ALTER TABLE ` + table + ` RENAME TO away`); err != nil {
					t.Fatal(err)
				}
				if _, err := d.Approve(context.Background(), rob, o.Approval, true); err == nil {
					t.Fatal("revoked without " + table)
				}
				if _, err := d.Suspend(context.Background(), clara, c.guardianship.Credentials[0].ID, "safety", "k"); err == nil {
					t.Fatal("suspended without " + table)
				}
				if _, err := db.Exec(`ALTER TABLE away RENAME TO ` + table); err != nil {
					t.Fatal(err)
				}
				d.checkShelf(nil)
				if n := d.total(`SELECT (SELECT COUNT(*) FROM births WHERE status <> 'valid') + (SELECT COUNT(*) FROM guardianships WHERE status <> 'valid') +
					(SELECT COUNT(*) FROM status_acts) + (SELECT COUNT(*) FROM commitments WHERE kind <> 'issued')`); n != 0 {
					t.Errorf("%d rows are left of it", n)
				}
				// It is still to be decided.
				if _, err := d.Approve(context.Background(), rob, o.Approval, true); err != nil {
					t.Errorf("the second attempt: %v", err)
				}
				d.checkShelf(map[string]string{c.birth.ID: StatusRevoked, c.guardianship.ID: StatusRevoked})
			})
		})
	}
}

// Bits survive a restart, and a replica publishes what another one changed.
func TestStatusAfterRestartAndOnReplicas(t *testing.T) {
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		ring := newRing(t, keys.EdDSA)
		d := newBooth(t, db, ring)
		a, b := d.child(), d.child()
		replica := newBooth(t, db, ring)
		replica.checkShelf(nil)
		d.revoke(a.guardianship.Credentials[0].ID)
		if _, err := d.Suspend(context.Background(), clara, b.birth.Credentials[0].ID, "safety", ""); err != nil {
			t.Fatal(err)
		}
		want := map[string]string{a.guardianship.ID: StatusRevoked, b.birth.ID: StatusSuspended}
		for name, x := range map[string]*booth{"itself": d, "replica": replica, "restarted": newBooth(t, db, ring)} {
			x.checkShelf(want)
			if t.Failed() {
				t.Fatal(name)
			}
		}
		if _, err := replica.Reinstate(context.Background(), clara, b.birth.Credentials[0].ID, "resolved", ""); err != nil {
			t.Fatal(err)
		}
		delete(want, b.birth.ID)
		for _, x := range []*booth{d, replica, newBooth(t, db, ring)} {
			x.checkShelf(want)
		}
	})
}

// A copy that is issued while its record is revoked is revoked too, whoever
// wins.
func TestRevokeRacesWithIssuing(t *testing.T) {
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := newBooth(t, db, newRing(t, keys.EdDSA))
		c := d.child()
		o, err := d.Revoke(context.Background(), rita, c.birth.Credentials[0].ID, "fraud", "")
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 8 {
			h := holder(t)
			wg.Go(func() {
				if _, err := d.IssueCopies(context.Background(), c.guardianship.ID, h); err != nil && !errors.Is(err, ErrRevoked) {
					t.Errorf("issuing: %v", err)
				}
			})
		}
		won := make(chan error, 2)
		for _, by := range []Caller{rob, clara} {
			wg.Go(func() {
				_, err := d.Approve(context.Background(), by, o.Approval, true)
				won <- err
			})
		}
		wg.Wait()
		close(won)
		done := 0
		for err := range won {
			if err == nil {
				done++
			} else if !errors.Is(err, ErrAlreadyDecided) {
				t.Errorf("deciding: %v", err)
			}
		}
		if done != 1 {
			t.Errorf("%d people decided", done)
		}
		d.checkShelf(map[string]string{c.birth.ID: StatusRevoked, c.guardianship.ID: StatusRevoked})
	})
}

// The ledger's commitment can be opened with the row's salt and time, and with
// nothing less.
func TestStatusCommitment(t *testing.T) {
	each(t, func(t *testing.T, d *booth, ours, _ child) {
		id := ours.guardianship.Credentials[0].ID
		if _, err := d.Suspend(context.Background(), peter, id, "safety", ""); err != nil {
			t.Fatal(err)
		}
		var salt, hash []byte
		var created int64
		if err := d.db.QueryRow(`SELECT salt, hash, created FROM commitments WHERE credential_id = $1 AND kind = 'suspended'`, id).Scan(&salt, &hash, &created); err != nil {
			t.Fatal(err)
		}
		entry := fmt.Sprintf(`{"credential":"urn:uuid:%s","act":"suspended","at":%q}`, id, time.UnixMicro(created).UTC().Format(time.RFC3339Nano))
		if want := sum([]byte("kinpass/commit/v1"), salt, sum([]byte(entry))); len(salt) != 32 || !bytes.Equal(hash, want) {
			t.Error("the commitment does not open")
		}
		if n := d.total(`SELECT COUNT(DISTINCT salt) FROM commitments WHERE kind = 'suspended'`); n != 9 {
			t.Errorf("%d salts for nine copies", n)
		}
	})
}

// BenchmarkFlipToSignedList is one change in a list of 2^20 entries of which
// one in a hundred is set, from the committed change to the signed list.
func BenchmarkFlipToSignedList(b *testing.B) {
	d, n := benchBooth(b)
	ctx := context.Background()
	index := int64(0)
	for b.Loop() {
		b.StopTimer()
		index++
		err := d.store.write(ctx, func(tx *sql.Tx) error {
			return d.store.changed(ctx, tx, [][]any{{n, index, vc.PurposeRevocation, 1, int64(1)}}, map[int64]bool{n: true})
		})
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if _, err := d.StatusList(ctx, vc.PurposeRevocation, n); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkStatusListUnchanged is a request for a list that did not change.
func BenchmarkStatusListUnchanged(b *testing.B) {
	d, n := benchBooth(b)
	for b.Loop() {
		if _, err := d.StatusList(context.Background(), vc.PurposeRevocation, n); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkStatusListFirst is the first request after a start: the bits are
// rebuilt from 10,000 changes.
func BenchmarkStatusListFirst(b *testing.B) {
	d, n := benchBooth(b)
	for b.Loop() {
		d.Issuer.shelf.drop(n)
		if _, err := d.StatusList(context.Background(), vc.PurposeRevocation, n); err != nil {
			b.Fatal(err)
		}
	}
}

func benchBooth(b *testing.B) (*booth, int64) {
	b.Helper()
	db := storetest.Open(b, store.SQLite, "issuer")
	d := newBooth(b, db, newRing(b, keys.EdDSA))
	ctx := context.Background()
	const n = 1
	if _, err := db.Exec(`INSERT INTO status_lists (id, type, quarter, part, size, next, version, created) VALUES (1, 'BirthCredential', '2027Q1', 0, 1048576, 0, 0, 0)`); err != nil {
		b.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(7, 8))
	var rows [][]any
	for range 1 << 20 / 100 {
		rows = append(rows, []any{n, rnd.Int64N(1 << 20), vc.PurposeRevocation, 1, int64(1)})
	}
	if err := d.store.write(ctx, func(tx *sql.Tx) error { return d.store.changed(ctx, tx, rows, nil) }); err != nil {
		b.Fatal(err)
	}
	if _, err := d.StatusList(ctx, vc.PurposeRevocation, n); err != nil {
		b.Fatal(err)
	}
	return d, n
}

// A copy that a crash left reserved is revoked with the others, and is still
// revoked when it is sealed at last.
func TestRevokeReservedCopy(t *testing.T) {
	each(t, func(t *testing.T, d *booth, ours, _ child) {
		id := ours.guardianship.Credentials[0].ID
		var jwt string
		if err := d.db.QueryRow(`SELECT jwt FROM credentials WHERE id = $1`, id).Scan(&jwt); err != nil {
			t.Fatal(err)
		}
		payload, err := base64.RawURLEncoding.DecodeString(strings.Split(jwt, ".")[1])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.db.Exec(`UPDATE credentials SET state = 'reserved', jwt = '', payload = $2 WHERE id = $1`, id, payload); err != nil {
			t.Fatal(err)
		}
		d.revoke(id)
		if _, err := d.Recover(context.Background()); err != nil {
			t.Fatal(err)
		}
		if n := d.total(`SELECT COUNT(*) FROM credentials WHERE id = $1 AND state = 'sealed' AND status = 'revoked'`, id); n != 1 {
			t.Error("the copy is not sealed and revoked")
		}
		d.checkShelf(map[string]string{ours.guardianship.ID: StatusRevoked})
	})
}

// What a correction revoked stays revoked when the record is suspended and
// reinstated: an old version never comes back.
func TestStatusOfOldVersions(t *testing.T) {
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := newBooth(t, db, newRing(t, keys.EdDSA))
		ctx := context.Background()
		b := newBirth()
		first := d.birth(StateIssued, b)
		old := first.Credentials[0].ID
		second, err := d.CorrectBirth(ctx, rita, first.ID, raw(t, next(b, func(b *vc.Birth) { b.Sex = 1 })), "")
		if err != nil || len(second.Credentials) != 1 {
			t.Fatalf("%+v, %v", second, err)
		}
		check := func(now string) {
			t.Helper()
			want := map[string]string{old: StatusRevoked, second.Credentials[0].ID: now}
			for _, r := range d.rows() {
				if r.status != want[r.id] {
					t.Errorf("a copy is %s, want %s", r.status, want[r.id])
				}
				for _, p := range purposes {
					bits := d.stranger(p, r.list)
					on := bits[r.index/8]>>(7-r.index%8)&1 == 1
					should := p == vc.PurposeRevocation && want[r.id] == StatusRevoked || p == vc.PurposeSuspension && want[r.id] == StatusSuspended
					if on != should {
						t.Errorf("the %s bit of a copy that is %s is %v", p, want[r.id], on)
					}
				}
			}
		}
		check(StatusValid)
		// The old copy still names the record.
		if _, err := d.Suspend(ctx, peter, old, "safety", ""); err != nil {
			t.Fatal(err)
		}
		check(StatusSuspended)
		if _, err := d.Reinstate(ctx, peter, old, "resolved", ""); err != nil {
			t.Fatal(err)
		}
		check(StatusValid)
	})
}

// TestStatusIsTold: the answer to an act on a record's status says how the
// record stands now.
func TestStatusIsTold(t *testing.T) {
	each(t, func(t *testing.T, d *booth, ours, _ child) {
		ctx, id := context.Background(), ours.birth.Credentials[0].ID
		told := func(want string) func(Outcome, error) {
			return func(o Outcome, err error) {
				t.Helper()
				if err != nil || o.Status != want {
					t.Errorf("told %q (%v), want %s", o.Status, err, want)
				}
			}
		}
		told(StatusSuspended)(d.Suspend(ctx, peter, id, "safety", "k"))
		told(StatusSuspended)(d.Suspend(ctx, peter, id, "safety", "k"))
		told(StatusValid)(d.Reinstate(ctx, peter, id, "resolved", ""))
		if o := d.revoke(id); o.Status != StatusRevoked {
			t.Errorf("told %q after revoking", o.Status)
		}
		told(StatusRevoked)(d.Revoke(ctx, rita, id, "fraud", ""))
		if ours.birth.Status != "" {
			t.Error("a registration tells a status")
		}
	})
}
