package issuer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/internal/vc"
)

// acts lists what the audit has of a record, oldest first.
func (d *booth) acts(record string) []string {
	d.t.Helper()
	rs, err := d.db.Query(`SELECT act, reason, caller_role FROM status_acts WHERE record = $1 ORDER BY id`, record)
	if err != nil {
		d.t.Fatal(err)
	}
	defer rs.Close()
	var out []string
	for rs.Next() {
		var act, reason, role string
		if err := rs.Scan(&act, &reason, &role); err != nil {
			d.t.Fatal(err)
		}
		out = append(out, fmt.Sprintf("%s %s %s", act, reason, role))
	}
	return out
}

// TestSuspensionExpires: what one person suspends ends after 72 hours, on the
// published lists too, and not a moment before (domain handbook, T17).
func TestSuspensionExpires(t *testing.T) {
	each(t, func(t *testing.T, d *booth, ours, _ child) {
		id := ours.guardianship.Credentials[0].ID
		if _, err := d.Suspend(ctx, peter, id, "safety", ""); err != nil {
			t.Fatal(err)
		}
		held := map[string]string{ours.guardianship.ID: StatusSuspended}
		r, err := d.Guardianship(ctx, rita, ours.guardianship.ID)
		if err != nil || !r.SuspendedUntil.Equal(d.now().Add(suspensionTerm)) || r.Suspensions[actSuspended] != 1 {
			t.Fatalf("%+v %v", r, err)
		}
		d.pass(suspensionTerm - time.Microsecond)
		d.checkShelf(held)
		if n, err := d.store.expireSuspensions(ctx); err != nil || n != 0 {
			t.Fatalf("%d ended early, %v", n, err)
		}
		d.pass(time.Microsecond)
		// Publishing is enough: nobody runs anything. The first list that is asked
		// for ends it, so that what is published together agrees.
		d.stranger(vc.PurposeSuspension, d.listOf(id))
		d.checkShelf(nil)
		if n := d.total(`SELECT COUNT(*) FROM status_changes`); n != 18 {
			t.Errorf("%d changes of nine copies, twice", n)
		}
		want := []string{"suspended safety protectionAuthority", "expired unconfirmed "}
		if got := d.acts(ours.guardianship.ID); !slices.Equal(got, want) {
			t.Errorf("%q", got)
		}
		// The ledger cannot tell it from any other end of a suspension.
		if n := d.total(`SELECT COUNT(*) FROM commitments WHERE kind = 'expired'`); n != 0 {
			t.Errorf("%d commitments tell that it expired", n)
		}
		s, err := d.Statistics(ctx, anna)
		if err != nil || s.Suspensions[actSuspended] != 1 || s.Suspensions[actExpired] != 1 || s.Suspensions[actConfirmed] != 0 {
			t.Errorf("%+v %v", s.Suspensions, err)
		}
		if r, err = d.Guardianship(ctx, rita, ours.guardianship.ID); err != nil || !r.SuspendedUntil.IsZero() || r.Status != StatusValid || r.Suspensions[actExpired] != 1 {
			t.Errorf("%+v %v", r, err)
		}
		if _, err := d.IssueCopies(ctx, ours.guardianship.ID, holder(t)); err != nil {
			t.Errorf("a copy afterwards: %v", err)
		}
	})
}

// TestConfirmedSuspensionStays: a second person, or a court's order, makes a
// suspension last until it is lifted.
func TestConfirmedSuspensionStays(t *testing.T) {
	each(t, func(t *testing.T, d *booth, ours, others child) {
		id := ours.guardianship.Credentials[0].ID
		if _, err := d.Suspend(ctx, rita, id, "safety", ""); err != nil {
			t.Fatal(err)
		}
		list, err := d.Suspensions(ctx, peter)
		if err != nil || len(list) != 1 || list[0].Record != ours.guardianship.ID || list[0].Role != RoleRegistrar || list[0].By != rita.Name ||
			list[0].Reason != "safety" || !list[0].Until.Equal(d.now().Add(suspensionTerm)) {
			t.Fatalf("%+v %v", list, err)
		}
		if _, err := d.Suspensions(ctx, anna); !errors.Is(err, ErrNotAllowed) {
			t.Errorf("the auditor: %v", err)
		}
		twin := Caller{ID: "t9", Name: rita.Name, Role: RoleRegistrar}
		renamed := Caller{ID: rita.ID, Name: "Another", Role: RoleRegistrar}
		for name, c := range map[string]struct {
			by     Caller
			reason string
			want   error
		}{
			"herself":                  {rita, "upheld", ErrSamePerson},
			"herself, of a court":      {rita, "courtDecision", ErrSamePerson},
			"her other token":          {twin, "upheld", ErrSamePerson},
			"her token, another name":  {renamed, "upheld", ErrSamePerson},
			"the auditor":              {anna, "upheld", ErrNotAllowed},
			"nobody":                   {thief, "upheld", ErrNotAllowed},
			"an organisation":          {hugo, "upheld", ErrNoSuchCredential},
			"a notary":                 {nora, "upheld", ErrNotAllowed},
			"a reason of another act":  {rob, "safety", ErrReason},
			"a reason that is a story": {rob, "the aunt said so", ErrReason},
		} {
			if _, err := d.ConfirmSuspension(ctx, c.by, id, c.reason, ""); !errors.Is(err, c.want) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := d.ConfirmSuspension(ctx, rob, others.guardianship.Credentials[0].ID, "upheld", ""); !errors.Is(err, ErrNotSuspended) {
			t.Errorf("what is not suspended: %v", err)
		}
		changes := d.total(`SELECT COUNT(*) FROM status_changes`)
		o, err := d.ConfirmSuspension(ctx, peter, id, "upheld", "k1")
		if err != nil || o.Status != StatusSuspended {
			t.Fatalf("%+v %v", o, err)
		}
		again, err := d.ConfirmSuspension(ctx, peter, id, "upheld", "k1")
		if err != nil || again.Status != o.Status {
			t.Errorf("%+v %v", again, err)
		}
		if _, err := d.ConfirmSuspension(ctx, rob, id, "upheld", ""); err != nil {
			t.Errorf("confirmed again: %v", err)
		}
		if n := d.total(`SELECT COUNT(*) FROM status_changes`); n != changes {
			t.Errorf("confirming published %d changes", n-changes)
		}
		if got := d.acts(ours.guardianship.ID); len(got) != 2 {
			t.Errorf("%q", got)
		}
		if list, err := d.Suspensions(ctx, peter); err != nil || len(list) != 0 {
			t.Errorf("%+v %v", list, err)
		}
		d.pass(100 * suspensionTerm)
		if n, err := d.store.expireSuspensions(ctx); err != nil || n != 0 {
			t.Fatalf("%d ended, %v", n, err)
		}
		d.checkShelf(map[string]string{ours.guardianship.ID: StatusSuspended})
		// Who confirmed stands behind it too: the registrar does not lift what the
		// authority upheld.
		if _, err := d.Reinstate(ctx, rita, id, "resolved", ""); !errors.Is(err, ErrHigherAuthority) {
			t.Errorf("lifted by the registrar: %v", err)
		}
		if _, err := d.Reinstate(ctx, peter, id, "resolved", ""); err != nil {
			t.Fatal(err)
		}
		d.checkShelf(nil)
	})
}

// TestCourtOrderNeedsNoConfirmation: what a court orders stands; what it suspends
// on a suspicion is confirmed like anybody's, by the order at the latest.
func TestCourtOrderNeedsNoConfirmation(t *testing.T) {
	each(t, func(t *testing.T, d *booth, ours, others child) {
		ordered, suspected := ours.guardianship.Credentials[0].ID, others.guardianship.Credentials[0].ID
		if _, err := d.Suspend(ctx, clara, ordered, "courtDecision", ""); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Suspend(ctx, clara, suspected, "safety", ""); err != nil {
			t.Fatal(err)
		}
		// A registrar who writes that a court decided is no court.
		birth := ours.birth.Credentials[0].ID
		if _, err := d.Suspend(ctx, rita, birth, "courtDecision", ""); err != nil {
			t.Fatal(err)
		}
		d.pass(suspensionTerm)
		d.stranger(vc.PurposeSuspension, d.listOf(ordered))
		d.checkShelf(map[string]string{ours.guardianship.ID: StatusSuspended})

		if _, err := d.Suspend(ctx, judy, suspected, "safety", ""); err != nil {
			t.Fatal(err)
		}
		if _, err := d.ConfirmSuspension(ctx, judy, suspected, "upheld", ""); !errors.Is(err, ErrSamePerson) {
			t.Errorf("herself: %v", err)
		}
		if _, err := d.ConfirmSuspension(ctx, judy, suspected, "courtDecision", ""); err != nil {
			t.Errorf("by her order: %v", err)
		}
		d.pass(suspensionTerm)
		d.stranger(vc.PurposeSuspension, d.listOf(suspected))
		d.checkShelf(map[string]string{ours.guardianship.ID: StatusSuspended, others.guardianship.ID: StatusSuspended})
	})
}

// TestSuspensionIsNotProlonged: one person gets three days and no more, however
// often the suspension is lifted and repeated, and after a month three again.
func TestSuspensionIsNotProlonged(t *testing.T) {
	each(t, func(t *testing.T, d *booth, ours, others child) {
		id := ours.guardianship.Credentials[0].ID
		until := func() time.Time {
			t.Helper()
			r, err := d.Guardianship(ctx, rita, ours.guardianship.ID)
			if err != nil {
				t.Fatal(err)
			}
			return r.SuspendedUntil
		}
		start := d.now()
		if _, err := d.Suspend(ctx, rita, id, "disputed", ""); err != nil {
			t.Fatal(err)
		}
		d.pass(48 * time.Hour)
		if _, err := d.Reinstate(ctx, rita, id, "resolved", ""); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Suspend(ctx, rita, id, "disputed", ""); err != nil || !until().Equal(start.Add(suspensionTerm)) {
			t.Fatalf("until %s, %v", until(), err)
		}
		d.pass(24 * time.Hour)
		twin := Caller{ID: "t9", Name: rita.Name, Role: RoleRegistrar}
		for _, c := range []Caller{rita, twin} {
			if _, err := d.Suspend(ctx, c, id, "safety", ""); !errors.Is(err, ErrSuspensionRepeated) {
				t.Errorf("a fourth day: %v", err)
			}
		}
		// Another record, another person, and the court are another matter.
		if _, err := d.Suspend(ctx, rita, others.guardianship.Credentials[0].ID, "safety", ""); err != nil {
			t.Error(err)
		}
		if _, err := d.Suspend(ctx, rob, id, "safety", ""); err != nil || !until().Equal(d.now().Add(suspensionTerm)) {
			t.Errorf("a colleague: until %s, %v", until(), err)
		}
		// A higher role takes it over, with three days of its own.
		d.pass(time.Hour)
		if _, err := d.Suspend(ctx, peter, id, "safety", ""); err != nil || !until().Equal(d.now().Add(suspensionTerm)) {
			t.Errorf("the authority: until %s, %v", until(), err)
		}
		d.pass(suspensionMemory + time.Hour)
		if _, err := d.Suspend(ctx, rita, id, "safety", ""); err != nil || !until().Equal(d.now().Add(suspensionTerm)) {
			t.Errorf("a month later: until %s, %v", until(), err)
		}
		// What was confirmed does not count against who suspended.
		if _, err := d.ConfirmSuspension(ctx, rob, id, "upheld", ""); err != nil {
			t.Fatal(err)
		}
		d.pass(2 * suspensionTerm)
		if _, err := d.Reinstate(ctx, rob, id, "resolved", ""); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Suspend(ctx, rita, id, "safety", ""); err != nil || !until().Equal(d.now().Add(suspensionTerm)) {
			t.Errorf("after a confirmed one: until %s, %v", until(), err)
		}
		// Taking over what was confirmed leaves it confirmed.
		if _, err := d.ConfirmSuspension(ctx, rob, id, "upheld", ""); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Suspend(ctx, peter, id, "safety", ""); err != nil || !until().IsZero() {
			t.Errorf("taken over: until %s, %v", until(), err)
		}
	})
}

// TestExpiredIsOver: an act on a record whose suspension has ended sees it ended,
// whether the batch ran or not.
func TestExpiredIsOver(t *testing.T) {
	each(t, func(t *testing.T, d *booth, ours, _ child) {
		id := ours.guardianship.Credentials[0].ID
		if _, err := d.Suspend(ctx, rita, id, "safety", ""); err != nil {
			t.Fatal(err)
		}
		d.pass(suspensionTerm)
		if _, err := d.ConfirmSuspension(ctx, rob, id, "upheld", ""); !errors.Is(err, ErrNotSuspended) {
			t.Errorf("confirmed too late: %v", err)
		}
		if list, err := d.Suspensions(ctx, rob); err != nil || len(list) != 0 {
			t.Errorf("%+v %v", list, err)
		}
		o, err := d.Reinstate(ctx, rob, id, "resolved", "")
		if err != nil || o.Status != StatusValid {
			t.Errorf("%+v %v", o, err)
		}
		want := []string{"suspended safety registrar", "expired unconfirmed "}
		if got := d.acts(ours.guardianship.ID); !slices.Equal(got, want) {
			t.Errorf("%q", got)
		}
		d.checkShelf(nil)
	})
}

// TestReplicasExpireOnce: replicas that publish and sweep at once end each
// suspension once.
func TestReplicasExpireOnce(t *testing.T) {
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		ring := newRing(t, keys.EdDSA)
		d := newBooth(t, db, ring)
		var ids []string
		for range 5 {
			c := d.child()
			for _, id := range []string{c.birth.Credentials[0].ID, c.guardianship.Credentials[0].ID} {
				if _, err := d.Suspend(ctx, rita, id, "safety", ""); err != nil {
					t.Fatal(err)
				}
				ids = append(ids, id)
			}
		}
		d.pass(suspensionTerm)
		n := d.listOf(ids[0])
		var replicas []*Issuer
		for range 3 {
			r, err := New(Config{Base: d.cfg.Base, DB: db, Ring: ring, Now: d.clock, ListSize: d.cfg.ListSize})
			if err != nil {
				t.Fatal(err)
			}
			replicas = append(replicas, r)
		}
		var wg sync.WaitGroup
		for k := range 12 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				r := replicas[k%len(replicas)]
				switch k % 4 {
				case 0:
					if _, err := r.StatusList(context.Background(), vc.PurposeSuspension, n); err != nil {
						t.Error(err)
					}
				case 1:
					if _, err := r.Reinstate(context.Background(), rob, ids[k%len(ids)], "resolved", ""); err != nil {
						t.Error(err)
					}
				default:
					if _, err := r.store.expireSuspensions(context.Background()); err != nil {
						t.Error(err)
					}
				}
			}()
		}
		wg.Wait()
		if n := d.total(`SELECT COUNT(*) FROM status_acts WHERE act = 'expired'`); n != len(ids) {
			t.Errorf("%d ends of %d suspensions", n, len(ids))
		}
		if n := d.total(`SELECT COUNT(*) FROM status_changes WHERE value = 0`); n != len(ids) {
			t.Errorf("%d bits cleared of %d", n, len(ids))
		}
		d.checkShelf(nil)
	})
}

// TestManyExpire: more than one transaction's worth ends in one sweep.
func TestManyExpire(t *testing.T) {
	d := newBooth(t, storetest.Open(t, store.SQLite, "issuer"), newRing(t, keys.EdDSA))
	const n = expireBatch + 7
	for range n {
		o := d.birth(StateIssued, newBirth())
		if _, err := d.Suspend(ctx, rita, o.Credentials[0].ID, "safety", ""); err != nil {
			t.Fatal(err)
		}
	}
	d.pass(suspensionTerm)
	if ended, err := d.store.expireSuspensions(ctx); err != nil || ended != n {
		t.Fatalf("%d ended, %v", ended, err)
	}
	if ended, err := d.store.expireSuspensions(ctx); err != nil || ended != 0 {
		t.Fatalf("%d ended again, %v", ended, err)
	}
}

// TestEndByBasis: who ends and who suspends a mandate, by its legal basis (domain
// handbook, section 2.2, last column).
func TestEndByBasis(t *testing.T) {
	callers := map[string]Caller{RoleRegistrar: rita, RoleCourt: clara, RoleProtection: peter, RoleNotary: nora, RoleHumanitarian: hugo}
	seconds := map[string]Caller{RoleRegistrar: rob, RoleCourt: cleo, RoleProtection: {ID: "t-pia", Name: "Pia", Role: RoleProtection},
		RoleNotary: nils, RoleHumanitarian: hana}
	revokes := map[string][]string{
		"parentalResponsibilityByBirth": {RoleRegistrar, RoleCourt}, "acknowledgement": {RoleRegistrar, RoleCourt}, "parentalAgreement": {RoleRegistrar, RoleCourt},
		"courtOrder": {RoleCourt}, "adoptionSimple": {RoleCourt}, "adoptionPlenary": {RoleCourt}, "kafala": {RoleCourt}, "testamentary": {RoleCourt}, "customary": {RoleCourt},
		"publicAuthority":     {RoleProtection, RoleCourt},
		"humanitarianMandate": {RoleRegistrar, RoleProtection, RoleCourt, RoleHumanitarian},
	}
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDesk(t, db)
		for kind := range bases {
			for first, c := range callers {
				b := wardOn(kind)
				d.birth(StateIssued, b)
				office := vc.RolesFor(kind)[0]
				o, err := d.RegisterGuardianship(ctx, callers[office], raw(t, newGuardianship(b, onBasis(kind))), "")
				if err != nil {
					t.Fatal(explain(err))
				}
				if o.State == StatePending {
					o = d.approveAs(seconds[office], o)
				}
				id := o.Credentials[0].ID
				may := slices.Contains(revokes[kind], first)

				// Suspending: those who end it, a court and the authority always, a
				// registrar for the holder's device.
				for _, reason := range []string{"safety", "holderLost"} {
					want := may || first == RoleCourt || first == RoleProtection || first == RoleRegistrar && reason == "holderLost"
					_, err := d.Suspend(ctx, c, id, reason, "")
					if want != (err == nil) {
						t.Errorf("%s suspended for %s by %s: %v", kind, reason, first, err)
					}
					if err == nil {
						if _, err := d.Reinstate(ctx, c, id, "resolved", ""); err != nil {
							t.Errorf("%s lifted by %s: %v", kind, first, err)
						}
					}
				}

				p, err := d.Revoke(ctx, c, id, "mandateEnded", "")
				if want := may || first == RoleRegistrar || first == RoleCourt; want != (err == nil) {
					t.Errorf("%s proposed by %s: %v", kind, first, err)
				}
				if err != nil {
					if want := map[bool]error{true: ErrNoSuchCredential, false: ErrNotAllowed}[first == RoleHumanitarian]; !errors.Is(err, want) {
						t.Errorf("%s proposed by %s: %v", kind, first, err)
					}
					continue
				}
				// A colleague alone: enough if the office is entitled.
				if _, err := d.Approve(ctx, seconds[first], p.Approval, true); may != (err == nil) || !may && !errors.Is(err, ErrBasisDecision) {
					t.Errorf("%s revoked by two of %s: %v", kind, first, err)
				}
				if !may {
					if o, err := d.Approve(ctx, cleo, p.Approval, true); err != nil || o.Status != StatusRevoked {
						t.Errorf("%s proposed by %s, a court agreed: %+v %v", kind, first, o, err)
					}
				}
				if s := d.state(KindGuardianship, o.ID); s != "issued revoked" {
					t.Errorf("%s by %s: %s", kind, first, s)
				}
			}
		}
	})
}

// TestOrganisationEndsItsOwn: an organisation ends the mandates that it gave, and
// others on the same basis are not there for it.
func TestOrganisationEndsItsOwn(t *testing.T) {
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDesk(t, db)
		b := newBirth()
		d.birth(StateIssued, b)
		o, err := d.RegisterGuardianship(ctx, hugo, raw(t, newGuardianship(b, onBasis("humanitarianMandate"))), "")
		if err != nil {
			t.Fatal(err)
		}
		o = d.approveAs(hana, o)
		id := o.Credentials[0].ID
		if _, err := d.Suspend(ctx, hugo, id, "safety", ""); err != nil {
			t.Fatal(err)
		}
		if _, err := d.ConfirmSuspension(ctx, hana, id, "upheld", ""); err != nil {
			t.Error(err)
		}
		if _, err := d.Suspend(ctx, peter, id, "safety", ""); err != nil {
			t.Fatal(err)
		}
		_, err = d.Reinstate(ctx, hugo, id, "resolved", "")
		wantFault(t, err, ErrHigherAuthority)
		birth, err := d.Birth(ctx, rita, d.birthOf(o.ID))
		if err != nil {
			t.Fatal(err)
		}
		of := birth.Credentials[0].ID
		for name, act := range map[string]func() error{
			"suspend":   func() error { _, err := d.Suspend(ctx, hugo, of, "safety", ""); return err },
			"confirm":   func() error { _, err := d.ConfirmSuspension(ctx, hugo, of, "upheld", ""); return err },
			"reinstate": func() error { _, err := d.Reinstate(ctx, hugo, of, "resolved", ""); return err },
			"revoke":    func() error { _, err := d.Revoke(ctx, hugo, of, "fraud", ""); return err },
		} {
			if err := act(); !errors.Is(err, ErrNoSuchCredential) {
				t.Errorf("%s the birth: %v", name, err)
			}
		}
		// A revocation of the birth is none of its business either.
		p, err := d.Revoke(ctx, rita, of, "fraud", "")
		if err != nil {
			t.Fatal(err)
		}
		if list, err := d.Approvals(ctx, hana); err != nil || len(list) != 0 {
			t.Errorf("%+v %v", list, err)
		}
		_, err = d.Approve(ctx, hana, p.Approval, true)
		wantFault(t, err, ErrNoSuchApproval)
		if p, err = d.Revoke(ctx, hugo, id, "mandateEnded", ""); err != nil {
			t.Fatal(err)
		}
		if list, err := d.Approvals(ctx, hana); err != nil || len(list) != 1 {
			t.Errorf("%+v %v", list, err)
		}
		d.approveAs(hana, p)
		if s := d.state(KindGuardianship, o.ID); s != "issued revoked" {
			t.Error(s)
		}
	})
}

// TestOrganisationEndsNothingOfOthers: a mandate on the organisations' basis that
// none of them decided, from before that was kept, is the State's to end.
func TestOrganisationEndsNothingOfOthers(t *testing.T) {
	record := raw(t, &vc.Guardianship{LegalBasis: vc.LegalBasis{Type: "humanitarianMandate"}})
	old := row{Kind: KindGuardianship, Proposer: rita, Record: record}
	if err := old.mayPropose(hugo); !errors.Is(err, ErrNoSuchCredential) {
		t.Errorf("revoke: %v", err)
	}
	if err := old.maySuspend(hugo, "safety"); !errors.Is(err, ErrNoSuchCredential) {
		t.Errorf("suspend: %v", err)
	}
	for _, c := range []Caller{rita, peter, clara} {
		if err := old.mayPropose(c); err != nil {
			t.Errorf("%s: %v", c.Role, err)
		}
	}
	own := old
	own.SignedAs = RoleHumanitarian
	if own.mayPropose(hugo) != nil || own.maySuspend(hugo, "safety") != nil {
		t.Error("its own")
	}
	// What is not a mandate on any known basis is nobody's to end by default.
	own.Record = raw(t, &vc.Guardianship{LegalBasis: vc.LegalBasis{Type: "decree"}})
	if roles, err := own.entitled(); err != nil || len(roles) != 0 {
		t.Errorf("%v %v", roles, err)
	}
}

// TestExpiryKilled kills a process that publishes while suspensions end, again
// and again: at every moment a record, its bit, the commitment and the audit
// agree, and in the end each suspension has ended once.
func TestExpiryKilled(t *testing.T) {
	storetest.Volume(t)
	t.Parallel()
	url := "sqlite:" + filepath.Join(t.TempDir(), "issuer.db")
	db := storetest.Reopen(t, url, "issuer")
	d := newBooth(t, db, childRing(t))
	const births, places = 900, 150
	var in bytes.Buffer
	for range births {
		in.Write(raw(t, newBirth()))
		in.WriteByte('\n')
	}
	if s, _ := d.load(&in, nil); s.Accepted != births {
		t.Fatalf("%+v", s)
	}
	for _, r := range d.rows() {
		if _, err := d.Suspend(ctx, rita, r.id, "safety", ""); err != nil {
			t.Fatal(err)
		}
	}
	for n := range places {
		if _, err := d.AddOverride(ctx, peter, over(pauses, strconv.Itoa(n), "safety"), ""); err != nil {
			t.Fatal(err)
		}
	}
	ended := func() int { return d.total(`SELECT COUNT(*) FROM status_acts WHERE act = 'expired'`) }
	agree := func() {
		t.Helper()
		n := ended()
		for what, query := range map[string]string{
			"records":     `SELECT COUNT(*) FROM births WHERE status = 'valid' AND suspended_by = '' AND suspended_until = 0`,
			"copies":      `SELECT COUNT(*) FROM credentials WHERE status = 'valid'`,
			"bits":        `SELECT COUNT(*) FROM status_changes WHERE value = 0`,
			"commitments": `SELECT COUNT(*) FROM commitments WHERE kind = 'reinstated'`,
		} {
			if got := d.total(query); got != n {
				t.Errorf("%d %s after %d ends", got, what, n)
			}
		}
		over := d.total(`SELECT COUNT(*) FROM override_acts WHERE act = 'expired'`)
		if got := d.total(`SELECT COUNT(*) FROM overrides WHERE state = 'expired' AND ends = 0`); got != over {
			t.Errorf("%d overrides after %d ends", got, over)
		}
		if got := d.total(`SELECT version FROM override_lists`); got != places+over {
			t.Errorf("version %d after %d ends", got, over)
		}
	}
	killed, between := 0, 0
	for n := range 6 {
		c := exec.Command(os.Args[0], "-test.run=^TestExpiryChild$")
		c.Env = append(os.Environ(), "KINPASS_EXPIRY_CHILD="+url)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		before := ended()
		for range 20_000 { // a busy machine may need long to begin
			if before == births || ended() > before {
				break
			}
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Duration(n) * time.Millisecond)
		if c.Process.Kill() == nil && c.Wait() != nil {
			killed++
		}
		if now := ended(); now > 0 && now < births {
			between++
		}
		agree()
	}
	if killed == 0 || between == 0 {
		t.Errorf("%d kills, %d of them in the middle", killed, between)
	}
	d.pass(suspensionTerm)
	d.wantPlaces(pauses) // publishing ends what is left
	d.checkShelf(nil)
	agree()
	if n := ended(); n != births {
		t.Errorf("%d of %d ended", n, births)
	}
}

// TestExpiryChild is the process that TestExpiryKilled kills.
func TestExpiryChild(t *testing.T) {
	url := os.Getenv("KINPASS_EXPIRY_CHILD")
	if url == "" {
		t.Skip("started by TestExpiryKilled")
	}
	d := newBooth(t, storetest.Reopen(t, url, "issuer"), childRing(t))
	d.pass(suspensionTerm)
	for range 1000 {
		for n := int64(1); n <= 2; n++ {
			if _, err := d.StatusList(ctx, vc.PurposeSuspension, n); err != nil && !errors.Is(err, ErrNoSuchStatusList) {
				t.Fatal(err)
			}
		}
		if _, err := d.OverrideList(ctx, 1); err != nil {
			t.Fatal(err)
		}
	}
}
