package check

import (
	"strings"
	"testing"

	"github.com/kinpass/kinpass/internal/policy"
	"github.com/kinpass/kinpass/internal/vc"
)

// TestWhoMustConsent is domain section 3.3 as a table.
func TestWhoMustConsent(t *testing.T) {
	g := func(x vc.Exercise) *vc.Guardianship { return &vc.Guardianship{Role: "mother", Exercise: x} }
	both := []vc.Parent{{Role: "mother", Status: "known"}, {Role: "father", Status: "known"}}
	father := func(status string) []vc.Parent {
		return []vc.Parent{{Role: "mother", Status: "known"}, {Role: "father", Status: status}}
	}
	joint2 := vc.Exercise{Mode: "joint", CoGuardianCount: 2}
	for _, c := range []struct {
		name     string
		mandates []vc.Exercise
		relied   int // of the mandates, those of whoever is here
		here     int
		parents  []vc.Parent

		need    int
		company policy.Company
	}{
		{"both here", []vc.Exercise{joint2, joint2}, 2, 2, both, 0, policy.All},
		{"one of two, joint", []vc.Exercise{joint2}, 1, 1, both, 1, policy.Some},
		{"one of three, joint", []vc.Exercise{{Mode: "joint", CoGuardianCount: 3}}, 1, 1, both, 2, policy.Some},
		{"one of three, two suffice", []vc.Exercise{{Mode: "joint", Quorum: 2, CoGuardianCount: 3}}, 1, 1, both, 1, policy.Some},
		{"one of two, one suffices", []vc.Exercise{{Mode: "joint", Quorum: 1, CoGuardianCount: 2}}, 1, 1, both, 0, policy.All},
		{"joint, and no number", []vc.Exercise{{Mode: "joint"}}, 1, 1, both, 1, policy.Some},
		{"sole", []vc.Exercise{{Mode: "sole"}}, 1, 1, both, 0, policy.All},
		{"independent", []vc.Exercise{{Mode: "independent", CoGuardianCount: 2}}, 1, 1, both, 0, policy.Some},
		{"joint for other things", []vc.Exercise{{Mode: "joint", JointFor: []string{"relocate"}, CoGuardianCount: 2}}, 1, 1, both, 0, policy.Some},
		{"joint for accompanying", []vc.Exercise{{Mode: "joint", JointFor: []string{"travelAccompany"}, CoGuardianCount: 2}}, 1, 1, both, 1, policy.Some},
		{"joint for consenting", []vc.Exercise{{Mode: "joint", JointFor: []string{"travelConsent"}, CoGuardianCount: 2}}, 1, 1, both, 1, policy.Some},
		{"nobody here, two joint", []vc.Exercise{joint2, joint2}, 0, 0, both, 2, policy.ThirdParty},
		{"nobody here, independent", []vc.Exercise{{Mode: "independent", CoGuardianCount: 2}}, 0, 0, both, 2, policy.ThirdParty},
		{"nobody here, one decides alone", []vc.Exercise{{Mode: "sole"}}, 0, 0, both, 1, policy.ThirdParty},
		{"nobody here, and no mandate", nil, 0, 0, both, 2, policy.ThirdParty},
		{"nobody here, no mandate, father undeclared", nil, 0, 0, father("undeclared"), 1, policy.ThirdParty},
		{"father undeclared, no number", []vc.Exercise{{Mode: "joint"}}, 1, 1, father("undeclared"), 0, policy.All},
		{"father unknown, no number", []vc.Exercise{{Mode: "joint"}}, 1, 1, father("unknown"), 0, policy.All},
		{"father withheld, no number", []vc.Exercise{{Mode: "joint"}}, 1, 1, father("withheld"), 0, policy.All},
		{"father undeclared, and a mandate for two", []vc.Exercise{joint2}, 1, 1, father("undeclared"), 1, policy.Some},
		{"father died, and a mandate for two", []vc.Exercise{joint2}, 1, 1, father("deceased"), 0, policy.All},
		{"father died, and a mandate for three", []vc.Exercise{{Mode: "joint", CoGuardianCount: 3}}, 1, 1, father("deceased"), 2, policy.Some},
		{"both died, a tutor alone", []vc.Exercise{{Mode: "sole"}}, 1, 1, []vc.Parent{{Status: "deceased"}, {Status: "deceased"}}, 0, policy.All},
		{"nobody known: never nobody", nil, 0, 0, []vc.Parent{{Status: "unknown"}, {Status: "unknown"}}, 1, policy.ThirdParty},
		{"one mandate names three, one two", []vc.Exercise{joint2, {Mode: "joint", CoGuardianCount: 3}}, 1, 1, both, 2, policy.Some},
		{"one decides alone by one paper, jointly by another", []vc.Exercise{{Mode: "joint"}, {Mode: "sole"}}, 1, 1, both, 1, policy.Some},
	} {
		h := household{here: c.here, parents: c.parents, company: policy.ThirdParty}
		for i, x := range c.mandates {
			h.mandates = append(h.mandates, g(x))
			if i < c.relied {
				h.relied = append(h.relied, g(x))
			}
		}
		r := whoMustConsent(h)
		if r.need != c.need || r.company != c.company {
			t.Errorf("%s: %d must consent (%v), want %d (%v)", c.name, r.need, r.company, c.need, c.company)
		}
	}
}

// TestMandateUnknown: a parent of whom nothing tells whether they decide.
func TestMandateUnknown(t *testing.T) {
	both := []vc.Parent{{Role: "mother", Status: "known"}, {Role: "father", Status: "known"}}
	one := []vc.Parent{{Role: "mother", Status: "known"}, {Role: "father", Status: "deceased"}}
	for _, c := range []struct {
		exercise []vc.Exercise
		parents  []vc.Parent
		want     bool
	}{
		{[]vc.Exercise{{Mode: "independent"}}, both, true},
		{[]vc.Exercise{{Mode: "independent"}}, one, false},
		{[]vc.Exercise{{Mode: "independent", CoGuardianCount: 2}}, both, false},
		{[]vc.Exercise{{Mode: "joint"}}, both, false},
		{[]vc.Exercise{{Mode: "joint", CoGuardianCount: 1}}, both, true},
		{[]vc.Exercise{{Mode: "sole"}}, both, false},
		{[]vc.Exercise{{Mode: "independent"}, {Mode: "independent"}}, both, false},
		{nil, both, false},
	} {
		h := household{parents: c.parents}
		for _, x := range c.exercise {
			h.mandates = append(h.mandates, &vc.Guardianship{Exercise: x})
		}
		if got := whoMustConsent(h).mandateUnknown; got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// TestYoungestAge: whole years, and never a day too old.
func TestYoungestAge(t *testing.T) {
	d := func(s string) vc.Date {
		x, err := vc.ParseDate(s)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	for _, c := range []struct {
		born, on string
		want     int
	}{
		{"2008-11-20", "2026-11-20", 18}, {"2008-11-21", "2026-11-20", 17}, {"2008-02-29", "2026-02-28", 17},
		{"2008-02-29", "2026-03-01", 18}, {"2026-11-21", "2026-11-20", 0}, {"2026-11-20", "2026-11-20", 0},
	} {
		if got := wholeYears(d(c.born), d(c.on)); got != c.want {
			t.Errorf("born %s, on %s: %d", c.born, c.on, got)
		}
	}
	if wholeYears(vc.Date{}, d("2026-01-01")) != 0 {
		t.Error("nobody knows when, and it is not the youngest")
	}
}

// TestMajority: per power and per jurisdiction.
func TestMajority(t *testing.T) {
	run := func(born string, change func(*vc.Guardianship), policies bool, f Facts) Decision {
		w := newWorld(t)
		if policies {
			raw := strings.NewReplacer(`"country": "GBR"`, `"country": "UGA"`, `"ageBelow": 16`, `"ageBelow": 21`).Replace(string(policy.ShippedFiles()["GBR-exit.json"]))
			w.policies = append(w.policies, []byte(raw))
		}
		f2 := newFamily(w)
		f2.birth.BirthDate.Value = born
		g := f2.mandate["mother"]
		g.Exercise = vc.Exercise{Mode: "sole"}
		if change != nil {
			change(g)
		}
		d, _, err := Check(w.present("mother", f2.of("child"), f2.of("mother")), w.bundle(), f, History{}, now)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	if d := run("2006-11-20", nil, false, kenya); d.Colour != Info || !d.Has(CodeNotAMinor) {
		t.Errorf("20 years old: %v", d.Codes())
	}
	if d := run("2006-11-20", func(g *vc.Guardianship) { g.Termination.MajorityAge = 21 }, false, kenya); d.Colour != Green {
		t.Errorf("20, of age at 21: %v", d.Codes())
	}
	if d := run("2006-11-20", func(g *vc.Guardianship) {
		g.Termination.MajorityAge, g.Exercise = 21, joint
	}, false, kenya); d.Colour != Amber || !d.Has(CodeConsentMissingCo) {
		t.Errorf("20, of age at 21, the other guardian not asked: %v", d.Codes())
	}
	// A guardian of property alone does not make a traveller a child.
	if d := run("2006-11-20", func(g *vc.Guardianship) {
		g.Termination.MajorityAge, g.Powers = 21, []string{"property"}
	}, false, kenya); d.Colour != Info {
		t.Errorf("20, property until 21: %v", d.Codes())
	}
	// A country for which one is a child until 21.
	if d := run("2006-11-20", nil, true, kenya); d.Colour != Green || d.Has(CodeNotAMinor) {
		t.Errorf("20, leaving a country where 21 counts: %v", d.Codes())
	}
	if d := run("2005-11-20", nil, true, kenya); d.Colour != Info {
		t.Errorf("21, leaving a country where 21 counts: %v", d.Codes())
	}
	if d := run("2006-11-20", nil, true, Facts{Exit: "KEN", Entry: "UGA"}); d.Colour != Info {
		t.Errorf("20, leaving another country: %v", d.Codes())
	}
}
