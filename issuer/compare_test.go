package issuer

import (
	"context"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/internal/vc"
)

// TestSecondMandateIsHeld: nobody lifts what a mandate says by registering the
// guardian again, whatever of the guardian is left out or spelled anew.
func TestSecondMandateIsHeld(t *testing.T) {
	t.Parallel()
	type edit = func(*vc.Guardianship)
	bound := func(g *vc.Guardianship) {
		g.Exercise = vc.Exercise{Mode: "joint"}
		g.Constraints = &vc.Constraints{NoRemoval: true}
	}
	for name, c := range map[string]struct {
		again edit
		want  string
	}{
		"as it was":              {func(*vc.Guardianship) {}, RuleGuardianHasMandate},
		"sole":                   {func(g *vc.Guardianship) { g.Exercise = vc.Exercise{Mode: "sole"} }, RuleGuardianHasMandate},
		"by reference alone":     {func(g *vc.Guardianship) { g.Guardian.Names, g.Guardian.BirthDate, g.Guardian.Documents = nil, nil, nil }, RuleGuardianHasMandate},
		"without the reference":  {func(g *vc.Guardianship) { g.Guardian.PersonRef = "" }, RuleGuardianHasMandate},
		"without the birth date": {func(g *vc.Guardianship) { g.Guardian.PersonRef, g.Guardian.BirthDate = "", nil }, RuleGuardianHasMandate},
		"names in another order": {func(g *vc.Guardianship) {
			g.Guardian.PersonRef = ""
			n := g.Guardian.Names[0]
			n.Given, n.Family = n.Family, n.Given
			g.Guardian.Names = []vc.Name{n}
		}, RuleGuardianHasMandate},
		"from today":   {func(g *vc.Guardianship) { g.Effective.From = "2026-11-20" }, RuleGuardianHasMandate},
		"by the court": {func(g *vc.Guardianship) { keep := g.Guardian; court(g); g.Guardian = keep; g.Role = "mother" }, RuleGuardianHasMandate},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := openDesk(t, storetest.Open(t, store.SQLite, "issuer"))
			b := newBirth(withFather)
			d.birth(StateIssued, b)
			d.guardianship(StateIssued, newGuardianship(b, bound))
			o, err := d.RegisterGuardianship(ctx, rita, raw(t, newGuardianship(b, c.again)), "")
			if err != nil || o.State != StateHeld || o.Rule != c.want || len(o.Credentials) != 0 || o.Approval != "" {
				t.Errorf("%+v %v", o, err)
			}
			if n := one(t, d.db, `SELECT COUNT(*) FROM credentials`); n != 2 {
				t.Errorf("%d credentials", n)
			}
			d.guardianship(StateIssued, fathersMandate(b))
		})
	}
}

// TestSecondMandate walks the life of a held one: it is issued once the first
// one is gone, and a suspended or waiting one still stands in its way.
func TestSecondMandate(t *testing.T) {
	t.Parallel()
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDesk(t, db)
		b := newBirth()
		d.birth(StateIssued, b)
		first := d.guardianship(StateIssued, newGuardianship(b))
		if _, err := d.Suspend(ctx, peter, first.Credentials[0].ID, "safety", ""); err != nil {
			t.Fatal(err)
		}
		held := d.guardianship(StateHeld, newGuardianship(b))
		if list, err := d.HeldGuardianships(ctx, rita); err != nil || len(list) != 1 || list[0].ID != held.ID {
			t.Fatalf("%+v %v", list, err)
		}
		if list, err := d.Held(ctx, rita); err != nil || len(list) != 0 {
			t.Errorf("births: %+v %v", list, err)
		}
		_, err := d.HeldGuardianships(ctx, anna)
		wantFault(t, err, ErrNotAllowed)
		_, err = d.ReleaseGuardianship(ctx, anna, held.ID, "issue", "")
		wantFault(t, err, ErrNotAllowed)
		_, err = d.ReleaseGuardianship(ctx, rita, first.ID, "issue", "")
		wantFault(t, err, ErrRecordState)
		_, err = d.Release(ctx, rita, held.ID, "issue", "")
		wantFault(t, err, ErrNoSuchBirth)
		o, err := d.ReleaseGuardianship(ctx, rita, held.ID, "issue", "")
		if err != nil {
			t.Fatal(err)
		}
		_, err = d.Approve(ctx, rita, o.Approval, true)
		wantFault(t, err, ErrSamePerson)
		_, err = d.Approve(ctx, rob, o.Approval, true)
		wantFault(t, err, ErrGuardianHasMandate)
		if s := d.state(KindGuardianship, held.ID); s != "held valid" {
			t.Fatal(s)
		}
		r, err := d.Revoke(ctx, rita, first.Credentials[0].ID, "recordedInError", "")
		if err != nil {
			t.Fatal(err)
		}
		d.approve(r)
		if out := d.approve(o); out.State != StateIssued || len(out.Credentials) != 1 {
			t.Errorf("%+v", out)
		}
		// And one that is discarded.
		again := d.guardianship(StateHeld, newGuardianship(b))
		if o, err = d.ReleaseGuardianship(ctx, clara, again.ID, "discard", ""); err != nil {
			t.Fatal(err)
		}
		if out := d.approve(o); out.State != StateDiscarded {
			t.Errorf("%+v", out)
		}
		_, err = d.Guardianship(ctx, rita, again.ID)
		wantFault(t, err, ErrNoSuchGuardianship)
	})
}

// TestMandatesInTurn: mandates of one guardian that follow each other do not
// stand beside each other, until a correction makes them.
func TestMandatesInTurn(t *testing.T) {
	t.Parallel()
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDesk(t, db)
		b := newBirth()
		d.birth(StateIssued, b)
		first := newGuardianship(b, func(g *vc.Guardianship) { g.Effective.Until = "2026-11-20" })
		one := d.guardianship(StateIssued, first)
		d.pass(24 * time.Hour)
		d.guardianship(StateIssued, newGuardianship(b, func(g *vc.Guardianship) { g.Effective.From = "2026-11-21" }))
		longer := *first
		longer.Effective.Until = "2026-11-30"
		o, err := d.CorrectGuardianship(ctx, rita, one.ID, raw(t, &longer), "")
		if err != nil {
			t.Fatal(explain(err))
		}
		_, err = d.Approve(ctx, rob, o.Approval, true)
		wantFault(t, err, ErrGuardianHasMandate)
		if s := d.statuses(KindGuardianship, one.ID); s != "1 valid 0 suspended 0 revoked" {
			t.Error(s)
		}
	})
}

// TestSoleBesideOthers: no single person makes one guardian the only one.
func TestSoleBesideOthers(t *testing.T) {
	t.Parallel()
	sole := func(g *vc.Guardianship) { g.Exercise = vc.Exercise{Mode: "sole"} }
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDesk(t, db)
		for name, order := range map[string][2]func(*vc.Guardianship){
			"sole second": {func(*vc.Guardianship) {}, sole},
			"sole first":  {sole, func(*vc.Guardianship) {}},
		} {
			b := newBirth(withFather)
			d.birth(StateIssued, b)
			d.guardianship(StateIssued, newGuardianship(b, order[0]))
			o := d.guardianship(StatePending, fathersMandate(b, order[1]))
			if o.Rule != RuleSoleBesideOthers || o.Approval == "" || len(o.Credentials) != 0 {
				t.Errorf("%s: %+v", name, o)
			}
			_, err := d.Approve(ctx, rita, o.Approval, true)
			wantFault(t, err, ErrSamePerson)
			if out := d.approve(o); out.State != StateIssued || out.Rule != "" || len(out.Credentials) != 1 {
				t.Errorf("%s: %+v", name, out)
			}
		}
		// Alone it is nobody's business.
		b := newBirth()
		d.birth(StateIssued, b)
		d.guardianship(StateIssued, newGuardianship(b, sole))
		// A batch has its second person.
		b = newBirth(withFather)
		s, _ := d.load(jsonl(t, b), jsonl(t, newGuardianship(b), fathersMandate(b, sole), newGuardianship(b)))
		if got := counts(s); got != "accepted 3 refused 0 held 1 notIssued 0 seen 0" {
			t.Error(got)
		}
	})
}

// TestMandatesAtOnce: of many registrations of one guardian at once one is
// issued, also by two processes.
func TestMandatesAtOnce(t *testing.T) {
	t.Parallel()
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		ring := newRing(t, "EdDSA")
		desks := []*desk{openDeskWith(t, Config{DB: db, Ring: ring}), openDeskWith(t, Config{DB: db, Ring: ring})}
		b := newBirth()
		desks[0].birth(StateIssued, b)
		states := make(chan string, 8)
		for n := range 8 {
			body := raw(t, newGuardianship(b))
			go func() {
				o, err := desks[n%2].RegisterGuardianship(context.Background(), rita, body, "")
				if err != nil {
					states <- explain(err)
					return
				}
				states <- o.State
			}()
		}
		got := map[string]int{}
		for range 8 {
			got[<-states]++
		}
		if got[StateIssued] != 1 || got[StateHeld] != 7 {
			t.Errorf("%v", got)
		}
	})
}

// TestHeldWardsSecondMandate: of two mandates of one guardian for a held child
// the first goes on with the child.
func TestHeldWardsSecondMandate(t *testing.T) {
	t.Parallel()
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDesk(t, db)
		first := newBirth(withFather)
		d.birth(StateIssued, first)
		second := newBirth(twinOf(first))
		held := d.birth(StateHeld, second)
		one := d.guardianship(StateHeld, newGuardianship(second))
		d.pass(time.Second)
		two := d.guardianship(StateHeld, newGuardianship(second))
		d.pass(time.Second)
		three := d.guardianship(StateHeld, fathersMandate(second, func(g *vc.Guardianship) { g.Exercise = vc.Exercise{Mode: "sole"} }))
		o, err := d.Release(ctx, rita, held.ID, "issue", "")
		if err != nil {
			t.Fatal(err)
		}
		d.approve(o)
		for id, want := range map[string]string{one.ID: "issued ", two.ID: "held " + RuleGuardianHasMandate, three.ID: "pendingApproval " + RuleSoleBesideOthers} {
			r, err := d.Guardianship(ctx, rita, id)
			if err != nil || r.State+" "+r.Rule != want {
				t.Errorf("%s %s, want %s: %v", r.State, r.Rule, want, err)
			}
		}
	})
}
