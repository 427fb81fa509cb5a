package issuer

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/internal/vc"
)

// withFather gives a birth a second parent.
func withFather(b *vc.Birth) {
	b.Parentage = append(b.Parentage, vc.Parent{Role: "father", Status: "known", Filiation: "acknowledgement", PersonRef: token(),
		Names:     []vc.Name{{Kind: "legal", Script: "Latn", Given: []string{"Paul"}, Family: []string{"Father" + letters(int(serial.Add(1)))}}},
		BirthDate: &vc.UncertainDate{Value: "1988-05-06", Precision: "day", Basis: "documentary"}})
}

// fathers is the guardianship of the second parent.
func fathersMandate(b *vc.Birth, edit ...func(*vc.Guardianship)) *vc.Guardianship {
	f := b.Parentage[1]
	return newGuardianship(b, append([]func(*vc.Guardianship){func(g *vc.Guardianship) {
		g.Role, g.LegalBasis.Type = "father", "acknowledgement"
		g.Guardian.PersonRef, g.Guardian.Names, g.Guardian.BirthDate = f.PersonRef, f.Names, f.BirthDate
	}}, edit...)...)
}

// correct proposes or does a correction and has it accepted where it waits.
func (d *desk) correct(id string, b *vc.Birth) Outcome {
	d.t.Helper()
	o, err := d.CorrectBirth(ctx, rita, id, raw(d.t, b), "")
	if err != nil {
		d.t.Fatal(explain(err))
	}
	if o.State == StatePending {
		o = d.approve(o)
	}
	if o.State != StateIssued {
		d.t.Fatalf("corrected: %+v", o)
	}
	return o
}

// TestSealedCorrectionCutsFormerParent: after a plenary adoption neither the
// former mother nor the paper of her mandate leads to the new identity, and who
// stays a parent gets papers with the new reference.
func TestSealedCorrectionCutsFormerParent(t *testing.T) {
	t.Parallel()
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDesk(t, db)
		b := newBirth(withFather)
		child := d.birth(StateIssued, b)
		former := d.guardianship(StateIssued, newGuardianship(b))
		stays := d.guardianship(StateIssued, fathersMandate(b))
		waiting, err := d.RegisterGuardianship(ctx, rita, raw(t, newGuardianship(b, court)), "")
		if err != nil || waiting.State != StatePending {
			t.Fatalf("%+v %v", waiting, err)
		}
		holder := newHolder(t)
		if _, err := d.IssueCopies(ctx, former.ID, holder); err != nil {
			t.Fatal(explain(err))
		}
		_, before, err := d.Paper(ctx, rita, child.ID, stays.ID)
		if err != nil {
			t.Fatal(explain(err))
		}
		correction, err := d.CorrectGuardianship(ctx, rita, former.ID, raw(t, newGuardianship(b, func(g *vc.Guardianship) { g.Powers = []string{"education"} })), "")
		if err != nil || correction.State != StatePending {
			t.Fatalf("%+v %v", correction, err)
		}
		adopted := next(b, func(b *vc.Birth) {
			other := newBirth()
			b.RecordVersion, b.Names, b.Registration = 1, other.Names, other.Registration
			adopter := other.Parentage[0]
			adopter.Filiation = "adoption"
			father := b.Parentage[1]
			father.Filiation = "adoption"
			b.Parentage = []vc.Parent{adopter, father}
			b.Amendment = &vc.Amendment{Reason: "plenaryAdoption", Effective: "2026-11-01", Sealed: true}
		})
		o, err := d.CorrectBirth(ctx, rita, child.ID, raw(t, adopted), "")
		if err != nil {
			t.Fatal(explain(err))
		}
		if o.State != StatePending || d.state(KindGuardianship, former.ID) != "issued valid" {
			t.Fatalf("a sealed correction by one person: %+v", o)
		}
		d.approve(o)

		if s := d.state(KindGuardianship, former.ID) + ", " + d.statuses(KindGuardianship, former.ID); s != "issued revoked, 0 valid 0 suspended 5 revoked" {
			t.Error(s)
		}
		_, err = d.IssueCopies(ctx, former.ID, holder)
		wantFault(t, err, ErrRevoked)
		_, _, err = d.Paper(ctx, rita, child.ID, former.ID)
		wantFault(t, err, ErrRevoked)
		_, err = d.NewOffer(ctx, rita, former.ID)
		wantFault(t, err, ErrRevoked)
		for _, waits := range []string{waiting.Approval, correction.Approval} {
			_, err = d.Approve(ctx, clara, waits, true)
			wantFault(t, err, ErrAlreadyDecided)
		}
		if s := d.state(KindGuardianship, waiting.ID); s != "pendingApproval revoked" {
			t.Error(s)
		}
		if n := one(t, db, `SELECT COUNT(*) FROM status_acts WHERE record = $1 AND act = 'revoked' AND reason = 'birthCorrected' AND cause = $2
			AND caller_name = 'Rita' AND approver_name = 'Rob'`, former.ID, child.ID); n != 1 {
			t.Errorf("%d rows of the audit say who ended the mandate", n)
		}

		bj, after, err := d.Paper(ctx, rita, child.ID, stays.ID)
		if err != nil {
			t.Fatal(explain(err))
		}
		var was, is vc.Guardianship
		var born vc.Birth
		if json.Unmarshal(d.checkJWT(before).Subject, &was) != nil || json.Unmarshal(d.checkJWT(after).Subject, &is) != nil ||
			json.Unmarshal(d.checkJWT(bj).Subject, &born) != nil {
			t.Fatal("subjects")
		}
		if is.Ward.ChildRef == was.Ward.ChildRef || is.Ward.ChildRef != born.ChildRef {
			t.Error("the guardian who stays has no paper of the new identity")
		}
		if s := d.statuses(KindGuardianship, stays.ID); s != "1 valid 0 suspended 1 revoked" {
			t.Error(s)
		}
	})
}

// TestCorrectionEndsMandates: a correction that takes the ground from a
// guardianship revokes it in the same transaction; others leave it alone.
func TestCorrectionEndsMandates(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		edit           func(*vc.Birth)
		mother, father string
	}{
		"name": {renamed("Other"), "valid", "valid"},
		"father removed": {func(b *vc.Birth) {
			b.Parentage = b.Parentage[:1:1]
			b.Amendment.Reason = "parentRemoved"
		}, "valid", "revoked"},
		"mother deceased": {func(b *vc.Birth) {
			b.Parentage = append([]vc.Parent(nil), b.Parentage...)
			b.Parentage[0].Status = "deceased"
		}, "revoked", "valid"},
		"of age": {func(b *vc.Birth) { b.BirthDate.Value, b.Registration.Date = "2008-03-05", "2008-03-09" }, "revoked", "revoked"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
				d := openDesk(t, db)
				b := newBirth(withFather)
				child := d.birth(StateIssued, b)
				mother, father := d.guardianship(StateIssued, newGuardianship(b)), d.guardianship(StateIssued, fathersMandate(b))
				over := d.guardianship(StateNotIssued, fathersMandate(b, func(g *vc.Guardianship) { g.Effective.Until = "2020-01-01" }))
				d.correct(child.ID, next(b, c.edit))
				for id, want := range map[string]string{mother.ID: c.mother, father.ID: c.father} {
					if s := d.state(KindGuardianship, id); s != "issued "+want {
						t.Errorf("%s, want %s", s, want)
					}
					if n := one(t, db, `SELECT COUNT(*) FROM credentials WHERE record = $1 AND status <> $2`, id, want); n != 0 {
						t.Errorf("%d copies are not %s", n, want)
					}
				}
				if s := d.state(KindGuardianship, over.ID); s != "notIssued valid" {
					t.Errorf("a mandate that was over: %s", s)
				}
			})
		})
	}
}

// TestCorrectionSeesNewMandates: a guardianship that is registered while the
// correction is prepared is judged too.
func TestCorrectionSeesNewMandates(t *testing.T) {
	t.Parallel()
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDesk(t, db)
		b := newBirth(withFather)
		child := d.birth(StateIssued, b)
		old, err := d.store.record(ctx, db, KindBirth, child.ID)
		if err != nil {
			t.Fatal(err)
		}
		removed := next(b, func(b *vc.Birth) { b.Parentage, b.Amendment.Reason = b.Parentage[:1:1], "parentRemoved" })
		v := version{old: old, new: old, birth: removed, fall: order{act: actRevoked, by: rita}}
		v.new.Version = 2
		if err := d.judgeWards(ctx, &v); err != nil {
			t.Fatal(err)
		}
		father := d.guardianship(StateIssued, fathersMandate(b))
		wantFault(t, d.store.replace(ctx, v, closing{}), errStale)
		d.correct(child.ID, removed)
		if s := d.state(KindGuardianship, father.ID); s != "issued revoked" {
			t.Error(s)
		}
	})
}

// TestCorrectionsNeedSecondPerson: nobody alone gives a child a parent, takes
// one, or hides an identity. A slip of the pen is corrected by one person.
func TestCorrectionsNeedSecondPerson(t *testing.T) {
	t.Parallel()
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDesk(t, db)
		for name, c := range map[string]struct {
			edit func(*vc.Birth)
			want string
		}{
			"name":                          {renamed("Other"), StateIssued},
			"father added":                  {func(b *vc.Birth) { withFather(b); b.Amendment.Reason = "parentAdded" }, StatePending},
			"father by clerical correction": {func(b *vc.Birth) { withFather(b) }, StatePending},
			"sealed": {func(b *vc.Birth) {
				other := newBirth()
				b.Names, b.Registration = other.Names, other.Registration
				b.Amendment = &vc.Amendment{Reason: "protectionIdentity", Effective: "2026-11-01", Sealed: true}
			}, StatePending},
		} {
			b := newBirth()
			child := d.birth(StateIssued, b)
			o, err := d.CorrectBirth(ctx, rita, child.ID, raw(t, next(b, c.edit)), "")
			if err != nil || o.State != c.want {
				t.Errorf("%s: %+v %v", name, o, err)
				continue
			}
			if c.want != StatePending {
				continue
			}
			if s := d.statuses(KindBirth, child.ID); s != "1 valid 0 suspended 0 revoked" {
				t.Errorf("%s: %s before the decision", name, s)
			}
			_, err = d.Approve(ctx, rita, o.Approval, true)
			wantFault(t, err, ErrSamePerson)
		}
	})
}

// TestStaleCorrection: a correction that waits is void once another one is in
// force.
func TestStaleCorrection(t *testing.T) {
	t.Parallel()
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDesk(t, db)
		b := newBirth()
		child := d.birth(StateIssued, b)
		sealed := next(b, func(b *vc.Birth) {
			other := newBirth()
			b.RecordVersion, b.Names, b.Registration = 1, other.Names, other.Registration
			b.Amendment = &vc.Amendment{Reason: "protectionIdentity", Effective: "2026-11-01", Sealed: true}
		})
		waits, err := d.CorrectBirth(ctx, rita, child.ID, raw(t, sealed), "")
		if err != nil || waits.State != StatePending {
			t.Fatalf("%+v %v", waits, err)
		}
		d.pass(time.Minute)
		d.correct(child.ID, next(b, renamed("Other")))
		_, err = d.Approve(ctx, rob, waits.Approval, true)
		wantFault(t, err, ErrAlreadyDecided)
		if n := one(t, db, `SELECT COUNT(*) FROM approvals WHERE state = 'pending'`); n != 0 {
			t.Errorf("%d approvals wait", n)
		}
	})
}
