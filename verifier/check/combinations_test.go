package check

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/policy"
	"github.com/kinpass/kinpass/internal/vc"
)

// TestCombinations are the rules under the table of domain section 3.4.
func TestCombinations(t *testing.T) {
	for _, c := range []struct {
		name string
		s    story
		want string
	}{
		{"a foundling, a state guardian and its consent", story{text: func(w *world) string {
			var f *family
			officerOf(func(_ *world, x *family, _ *vc.Guardianship) { f = x })(w)
			t := f.consent(vc.ModeThirdParty)
			t.Grantors = []vc.Grantor{{Guardianship: f.id["state"], Key: w.id("father"), Capacity: "stateGuardian"}}
			return w.present("aunt", f.of("child"), f.of("state"), f.witnessed(vc.RoleNotary, t))
		}, facts: facts(kenya)}, "green RECORD_INCOMPLETE_EXPECTED OK"},
		{"two valid parents there, no consent", story{text: func(w *world) string {
			f := newFamily(w)
			w.others = []string{w.present("father", f.of("child"), f.of("father"))}
			return w.present("mother", f.of("child"), f.of("mother"))
		}, facts: func(w *world) Facts { return Facts{Exit: "UGA", Entry: "KEN", Others: w.others} }}, "green OK"},
		{"the mother, joint, and the father's notarised consent in its window", story{text: coMother(vc.RoleNotary), facts: facts(kenya)}, "green OK"},
		{"the mother, and the father undeclared", story{text: withParents("undeclared", func(g *vc.Guardianship) { g.Exercise = vc.Exercise{Mode: "joint"} }), facts: facts(kenya)},
			"green RECORD_INCOMPLETE_EXPECTED OK"},
		{"the grandmother, and one of two parents consents", story{text: func(w *world) string {
			f := newFamily(w)
			t := f.consent(vc.ModeThirdParty, "mother")
			t.Accompanying[0].Relation = "grandparent"
			return w.present("aunt", f.of("child"), f.of("mother"), f.witnessed(vc.RoleNotary, t))
		}, facts: facts(kenya)}, "red CONSENT_QUORUM"},
		// Suspended an hour ago, the device synchronised three hours ago.
		{"everything valid, as far as this device can know", story{world: func(w *world) { w.built = now.Add(-3 * time.Hour); w.trust.IssuedAt = w.built }, text: goodFamily, facts: facts(kenya)}, "green OK"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := c.s.run(t)
			if got := d.Colour.String() + " " + strings.Join(d.Codes(), " "); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			wellFormed(t, d)
			// The decision says which snapshot it was made with, so that the
			// window can be proven afterwards.
			if d.Bundle.ID != "bundle-1" || d.StatusAgeSeconds < 3600 {
				t.Errorf("made with %+v, lists of %d s", d.Bundle, d.StatusAgeSeconds)
			}
		})
	}
	// The seventh, a teacher with twelve pupils, is TestClassOfTwelve.
}

// brazil is a family of Brazil, and a journey to Portugal.
type brazil struct {
	*family
	facts Facts
}

func inBrazil(w *world) *brazil {
	w.national()
	b := &brazil{family: newFamily(w), facts: Facts{Exit: "BRA", Entry: "PRT", ChildNationality: "BRA", Residence: "BRA",
		CompanionNationality: "BRA", CompanionResidence: "BRA"}}
	for _, g := range b.mandate {
		g.LegalBasis.Law, g.Termination.MajorityLaw = "BRA", "BRA"
	}
	return b
}

func (b *brazil) consent(mode string, grantors ...string) *vc.TravelConsent {
	t := b.family.consent(mode, grantors...)
	t.Trip.DepartFrom, t.Trip.Destinations = "BRA", []string{"PRT"}
	return t
}

// TestBrazil is CNJ Resolution 131/2011 as domain section 3.5 tells it, from the
// signatures to the colour.
func TestBrazil(t *testing.T) {
	withFather := func(role, granted, purpose string) func(b *brazil) string {
		return func(b *brazil) string {
			c := b.consent(vc.ModeOneGuardian, "father")
			if granted != "" {
				c.GrantedOn, c.Trip.NotBefore, c.Trip.NotAfter, c.Trip.ReturnBy = granted, granted, "", ""
			}
			if purpose != "" {
				c.Trip.Purpose, c.Trip.Crossings = purpose, 1
			}
			longer := func(x *vc.Credential) { x.ValidTo = now.AddDate(1, 0, 0) }
			jwt := b.signs("father", c, longer)
			if role != "" {
				jwt = b.witnessed(role, c, longer)
			}
			return b.w.present("mother", b.of("child"), b.of("mother"), b.of("father"), jwt)
		}
	}
	withAdult := func(change func(b *brazil, c *vc.TravelConsent)) func(b *brazil) string {
		return func(b *brazil) string {
			c := b.consent(vc.ModeThirdParty, "mother", "father")
			if change != nil {
				change(b, c)
			}
			return b.w.present("aunt", b.of("child"), b.of("mother"), b.of("father"), b.witnessed(vc.RoleNotary, c))
		}
	}
	for _, c := range []struct {
		name string
		text func(b *brazil) string
		want string // colour and codes; the colour alone where several codes fit
	}{
		{"both parents", func(b *brazil) string {
			b.facts.Others = []string{b.w.present("father", b.of("child"), b.of("father"))}
			return b.w.present("mother", b.of("child"), b.of("mother"))
		}, "green OK"},
		{"mother, father's notarised consent of 20 months, no term", withFather(vc.RoleNotary, "2025-03-20", ""), "green OK"},
		{"mother, father's notarised consent of 25 months, no term", withFather(vc.RoleNotary, "2024-10-20", ""), "red CONSENT_SCOPE"},
		{"mother, a consent that the father alone signed", withFather("", "", ""), "red CONSENT_ASSURANCE_LOW"},
		{"mother, father deceased", func(b *brazil) string {
			b.birth.Parentage[1].Status = "deceased"
			return b.w.present("mother", b.of("child"), b.of("mother"))
		}, "green OK"},
		{"aunt, both parents name her", withAdult(nil), "green OK"},
		{"aunt, and the consent names the uncle", withAdult(func(b *brazil, c *vc.TravelConsent) { c.Accompanying = []vc.Companion{b.w.companion("uncle")} }), "red CONSENT_SCOPE"},
		{"a foreign coach who lives abroad, both parents agree", withAdult(func(b *brazil, c *vc.TravelConsent) {
			b.facts.CompanionNationality, b.facts.CompanionResidence = "PRT", "PRT"
			c.Accompanying[0].Relation = "coach"
		}), "red"},
		{"a foreign coach who lives abroad, and a court agrees", func(b *brazil) string {
			b.facts.CompanionNationality, b.facts.CompanionResidence = "PRT", "PRT"
			c := b.consent(vc.ModeThirdParty, "mother", "father")
			return b.w.present("aunt", b.of("child"), b.of("mother"), b.of("father"), b.witnessed(vc.RoleCourt, c))
		}, "green OK"},
		{"a tutor by court order", func(b *brazil) string {
			g := b.mandate["mother"]
			g.Role, g.LegalBasis.Type, g.LegalBasis.Finality, g.Exercise = "legalGuardian", "courtOrder", "final", vc.Exercise{Mode: "sole"}
			return b.w.present("mother", b.of("child"), b.of("mother"))
		}, "green OK"},
		{"a tutor by court order, a foreigner who lives abroad", func(b *brazil) string {
			b.facts.CompanionNationality, b.facts.CompanionResidence = "PRT", "PRT"
			g := b.mandate["mother"]
			g.Role, g.LegalBasis.Type, g.LegalBasis.Finality, g.Exercise = "legalGuardian", "courtOrder", "final", vc.Exercise{Mode: "sole"}
			return b.w.present("mother", b.of("child"), b.of("mother"))
		}, "red"},
		{"a mother who is a foreigner and lives abroad", func(b *brazil) string {
			b.facts.CompanionNationality, b.facts.CompanionResidence = "PRT", "PRT"
			return withFather(vc.RoleNotary, "", "")(b)
		}, "green OK"},
		{"one parent, the child lives abroad by a certificate of a year", func(b *brazil) string {
			b.facts.Residence, b.facts.ResidenceProof = "PRT", vc.Date{Year: 2025, Month: 11, Day: 20}
			b.facts.CompanionResidence = "PRT"
			g := b.mandate["mother"]
			g.Exercise = vc.Exercise{Mode: "independent", CoGuardianCount: 2}
			return b.w.present("mother", b.of("child"), b.of("mother"))
		}, "green OK"},
		{"a consent that does not speak of settling abroad, one way to settle", withFather(vc.RoleNotary, "", "relocation"), "red CONSENT_SCOPE"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := inBrazil(newWorld(t))
			text := c.text(b)
			d, _, err := Check(text, b.w.bundle(), b.facts, History{}, now)
			if err != nil {
				t.Fatal(err)
			}
			wellFormed(t, d)
			got := d.Colour.String() + " " + strings.Join(d.Codes(), " ")
			if got != c.want && !(c.want == "red" && d.Colour == Red) {
				t.Errorf("got %s, want %s", got, c.want)
			}
			if len(d.Policies) != 2 || d.Policies[0].ID != "BRA-131-2011" || d.Policies[1].ID != "GENERIC" || !strings.Contains(d.Policies[0].Label, "not legal advice") {
				t.Errorf("%+v", d.Policies)
			}
		})
	}
}

// TestStrictestWins: of two countries the stricter colours the decision, and
// both answers are shown.
func TestStrictestWins(t *testing.T) {
	s := story{world: (*world).national, text: func(w *world) string {
		f := newFamily(w)
		return w.present("mother", f.of("child"), f.of("mother"))
	}}
	for facts, want := range map[[2]string]string{
		{"UGA", "KEN"}: "amber green-amber", {"GBR", "KEN"}: "red red-amber", {"KEN", "ZAF"}: "red amber-red", {"GBR", "ZAF"}: "red red-red",
	} {
		s.facts = func(*world) Facts { return Facts{Exit: facts[0], Entry: facts[1]} }
		d := s.run(t)
		if len(d.Policies) != 2 || d.Policies[0].Country != facts[0] || d.Policies[1].Country != facts[1] || d.Policies[0].Direction != "exit" || d.Policies[1].Direction != "entry" {
			t.Fatalf("%v: %+v", facts, d.Policies)
		}
		colour, _, _ := strings.Cut(want, " ")
		if d.Colour.String() != colour || !slices.Contains(d.Codes(), CodeConsentMissingCo) {
			t.Errorf("%v: %s %v, %+v", facts, d.Colour, d.Codes(), d.Policies)
		}
		for _, p := range d.Policies {
			if p.Colour == Green || len(p.Codes) == 0 {
				t.Errorf("%v: %s asks nothing", facts, p.ID)
			}
		}
	}
}

// TestFactsAsked: where the outcome hangs on what nobody entered, the next step
// is to enter it; once it is there, it is asked no more.
func TestFactsAsked(t *testing.T) {
	s := story{world: (*world).national, text: func(w *world) string {
		f := newFamily(w)
		return w.present("mother", f.of("child"), f.of("mother"))
	}, facts: facts(Facts{Exit: "BRA", Entry: "UGA"})}
	d := s.run(t)
	if !d.Has(CodeFactsMissing) || !strings.HasPrefix(d.Next, "Enter what is missing and check again. (") || !strings.Contains(d.Next, "the country where the child lives") {
		t.Errorf("%v %q %v", d.Codes(), d.Next, d.Ask)
	}
	for _, a := range d.Ask {
		if factWord(a) == a {
			t.Errorf("%s has no words", a)
		}
	}
	// Something else that is wrong goes before.
	worse := s
	worse.facts = facts(Facts{Exit: "BRA", Entry: "UGA", Deny: []string{Portrait}})
	if d := worse.run(t); !strings.Contains(d.Next, "second line") {
		t.Errorf("%q", d.Next)
	}
	known := s
	known.facts = facts(Facts{Exit: "BRA", Entry: "UGA", ChildNationality: "UGA", Residence: "UGA", CompanionNationality: "UGA", CompanionResidence: "UGA"})
	if d := known.run(t); d.Has(CodeFactsMissing) || d.Colour != Amber {
		t.Errorf("%v %v", d.Codes(), d.Ask)
	}
}

// TestHighRisk: on a route that a policy calls one of high risk, an unknown
// status is red.
func TestHighRisk(t *testing.T) {
	run := func(raw []byte) Decision {
		return story{world: func(w *world) {
			w.policies = append(w.policies, raw)
			delete(w.lists, shelf(vc.RoleRegistrar)+"/status/suspension/1")
		}, text: withMandate(func(g *vc.Guardianship) { g.Exercise = vc.Exercise{Mode: "sole"} }), facts: facts(Facts{Exit: "UGA", Entry: "KEN"})}.run(t)
	}
	raw := string(policy.ShippedFiles()["GBR-exit.json"])
	calm := strings.NewReplacer(`"country": "GBR"`, `"country": "UGA"`).Replace(raw)
	risky := strings.Replace(calm, `"appliesIf"`, `"highRiskIf": "other(KEN)", "appliesIf"`, 1)
	if calm == raw || risky == calm {
		t.Fatal("the policy did not change")
	}
	if d := run([]byte(calm)); d.Colour != Amber || !d.Has(CodeStatusUnknown) {
		t.Errorf("%s %v", d.Colour, d.Codes())
	}
	if d := run([]byte(risky)); d.Colour != Red || !d.Has(CodeStatusUnknown) {
		t.Errorf("%s %v", d.Colour, d.Codes())
	}
	if d := run([]byte(strings.Replace(risky, "other(KEN)", "other(TZA)", 1))); d.Colour != Amber {
		t.Errorf("another route: %s %v", d.Colour, d.Codes())
	}
}
