package issuer

import (
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/internal/tlog"
	"github.com/kinpass/kinpass/internal/vc"
)

// TestLedgerByOffice: what an office registers, corrects or has approved is in the
// ledger with its label: that of the operator, whatever the record says, or else
// that of the office which the record names. What wallets fetch, and what happens
// to a place, has the role alone; so has an office that the ledger does not tell
// apart, and everything from before.
func TestLedgerByOffice(t *testing.T) {
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		d := openDesk(t, db)
		seen := 0
		got := func() map[string]int {
			t.Helper()
			d.all()
			out := map[string]int{}
			all := d.entries()
			for _, e := range all[seen:] {
				label := e.Office
				if e.Kind == tlog.Changed {
					label = "changed " + label
				}
				out[label]++
			}
			seen = len(all)
			return out
		}
		want := func(what string, want map[string]int) {
			t.Helper()
			if got := got(); !maps.Equal(got, want) {
				t.Errorf("%s: %v, want %v", what, got, want)
			}
		}
		at := func(office string) *vc.Birth {
			return newBirth(func(b *vc.Birth) { b.Registration.Office = office })
		}
		d.birth(StateIssued, at("Dagana"))
		want("before there are labels", map[string]int{"registrar": 1})
		file := `{"offices": [
			{"label": "north", "operators": ["` + rob.Name + `", "Olga"]},
			{"label": "district-4", "registered": ["Dagana", "Podor"]},
			{"label": "capital", "registered": ["` + newBirth().Registration.Authority + `"]}]}`
		list, err := ReadOffices([]byte(file))
		if err != nil {
			t.Fatal(explain(err))
		}
		if d.offices, err = labelled(list); err != nil {
			t.Fatal(err)
		}
		b := at("Dagana")
		birth := d.birth(StateIssued, b)
		g := d.guardianship(StateIssued, newGuardianship(b))
		want("a birth and a guardianship", map[string]int{"registrar-district-4": 2})
		d.birth(StateIssued, at("Podor"))
		d.birth(StateIssued, at("Matam"))
		d.birth(StateIssued, at(""))
		want("others", map[string]int{"registrar-district-4": 1, "registrar": 1, "registrar-capital": 1})
		if _, err := d.RegisterBirth(ctx, rob, raw(t, at("Dagana")), ""); err != nil {
			t.Fatal(explain(err))
		}
		d.load(jsonl(t, at("Podor")), nil)
		want("operators", map[string]int{"registrar-north": 2})

		if _, err := d.IssueCopies(ctx, g.ID, holder(t)); err != nil {
			t.Fatal(explain(err))
		}
		for label, n := range got() {
			if label != "registrar" || n < 6 {
				t.Errorf("what a wallet fetched is of %s: %d", label, n)
			}
		}
		if _, err := d.Suspend(ctx, judy, g.Credentials[0].ID, "courtDecision", ""); err != nil {
			t.Fatal(explain(err))
		}
		if _, err := d.Reinstate(ctx, judy, g.Credentials[0].ID, "courtDecision", ""); err != nil {
			t.Fatal(explain(err))
		}
		for label := range got() {
			if label != "changed registrar" {
				t.Errorf("a change is of %s", label)
			}
		}
		o, err := d.RegisterGuardianship(ctx, rita, raw(t, newGuardianship(b, court)), "")
		if err != nil {
			t.Fatal(explain(err))
		}
		d.approveAs(clara, o)
		want("a court's order", map[string]int{"court": 1})
		d.correct(birth.ID, next(b, renamed("Other")))
		if n := got()["registrar-district-4"]; n < 1 {
			t.Error("a correction is not counted for its office")
		}
		late := d.birth(StatePending, newBirth(func(b *vc.Birth) { b.Registration.Office, b.Registration.Mode = "Podor", "late" }))
		want("what waits", map[string]int{})
		d.approve(late)
		want("what was approved", map[string]int{"registrar-district-4": 1})
	})
}

// TestReadOffices: what cannot be a label, or names an office twice, is refused.
func TestReadOffices(t *testing.T) {
	for text, good := range map[string]bool{
		`{"offices": []}`: true,
		`{"offices": [{"label": "a", "operators": ["x"], "registered": ["x"]}]}`:                  true,
		`{"offices": [{"label": "a", "operators": ["x"]}, {"label": "a", "operators": ["y"]}]}`:   true,
		`{"offices": [{"label": "a", "operators": ["x"]}, {"label": "b", "operators": ["x"]}]}`:   false,
		`{"offices": [{"label": "a", "registered": ["x", "x"]}]}`:                                 false,
		`{"offices": [{"label": "", "operators": ["x"]}]}`:                                        false,
		`{"offices": [{"label": "A", "operators": ["x"]}]}`:                                       false,
		`{"offices": [{"label": "a b"}]}`:                                                         false,
		`{"offices": [{"label": "a", "operators": [""]}]}`:                                        false,
		`{"offices": [{"label": "a", "children": ["x"]}]}`:                                        false,
		`{"offices": [{"label": "` + strings.Repeat("a", maxLabel) + `", "operators": ["x"]}]}`:   true,
		`{"offices": [{"label": "` + strings.Repeat("a", maxLabel+1) + `", "operators": ["x"]}]}`: false,
		`[]`: false, ``: false,
	} {
		if _, err := ReadOffices([]byte(text)); (err == nil) != good || err != nil && !errors.Is(err, errOffices) {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, role := range []string{RoleRegistrar, RoleCourt, RoleProtection, RoleNotary, RoleConsulate, RoleWitness, RoleHumanitarian} {
		e := tlog.Entry{Kind: tlog.Issued, Hour: deskTime.Truncate(time.Hour), Office: entryLabel(role, strings.Repeat("a", maxLabel))}
		if _, err := e.Bytes(); err != nil {
			t.Errorf("%s and a label are too long", role)
		}
	}
}
