package check

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/policy"
	"github.com/kinpass/kinpass/internal/vc"
)

// scene is one journey in which faults can be made: papers before they are
// signed, envelopes before they are signed, and what the officer knows.
type scene struct {
	w      *world
	f      *family
	t      *vc.TravelConsent
	holder string
	own    bool // the grantors sign for themselves
	facts  Facts

	envelope []func(who string, c *vc.Credential) // of births and mandates
	consent  []func(c *vc.Credential)
	vp       []func(p *vc.Presentation)
	after    []func(s *scene, consents []string)
	drop     map[string]bool
}

// base journeys: each is green as it is, under the policy for all.
var bases = map[string]func(w *world) *scene{
	"mother with the father's consent": func(w *world) *scene {
		f := newFamily(w)
		return &scene{w: w, f: f, t: f.consent(vc.ModeOneGuardian, "father"), holder: "mother"}
	},
	"aunt whom both name": func(w *world) *scene {
		f := newFamily(w)
		return &scene{w: w, f: f, t: f.consent(vc.ModeThirdParty, "mother", "father"), holder: "aunt"}
	},
	"teacher with a class": func(w *world) *scene {
		f := newFamily(w)
		return &scene{w: w, f: f, t: f.consent(vc.ModeGroup, "mother", "father"), holder: "teacher"}
	},
	"alone": func(w *world) *scene {
		f := newFamily(w)
		return &scene{w: w, f: f, t: f.consent(vc.ModeAlone, "mother", "father"), holder: "uncle", facts: Facts{Company: CompanyAlone}}
	},
}

// show signs everything.
func (s *scene) show() string {
	s.w.t.Helper()
	s.facts.Exit, s.facts.Entry = orElse(s.facts.Exit, "UGA"), orElse(s.facts.Entry, "KEN")
	// What was issued for its id is issued again, with the changes.
	for who := range s.f.mandate {
		id := s.f.id[who]
		if id == "" {
			continue
		}
		s.f.jwt[who] = s.w.issueBy(mandater(s.f.mandate[who]), s.f.mandate[who], func(c *vc.Credential) {
			c.ID = id
			for _, x := range s.envelope {
				x(who, c)
			}
		})
	}
	s.f.jwt["child"] = s.w.issue(s.f.birth, func(c *vc.Credential) {
		for _, x := range s.envelope {
			x("child", c)
		}
	})
	s.f.of("mother")
	var consents []string
	if s.own {
		for _, g := range s.t.Grantors {
			for _, who := range []string{"mother", "father"} {
				if g.Key == s.w.id(who) {
					consents = append(consents, s.f.signs(who, s.t, s.consent...))
				}
			}
		}
	} else {
		consents = append(consents, s.f.witnessed(vc.RoleNotary, s.t, s.consent...))
	}
	for _, x := range s.after {
		x(s, consents)
	}
	var jwts []string
	for _, who := range []string{"child", "mother", "father"} {
		if s.f.jwt[who] != "" && !s.drop[who] {
			jwts = append(jwts, s.f.jwt[who])
		}
	}
	if !s.drop["consent"] {
		jwts = append(jwts, consents...)
	}
	return s.w.presentWith(s.holder, func(p *vc.Presentation) {
		for _, x := range s.vp {
			x(p)
		}
	}, jwts...)
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func (s *scene) leave(what string) {
	if s.drop == nil {
		s.drop = map[string]bool{}
	}
	s.drop[what] = true
}

// faults are changes each of which makes something worse or leaves it as it
// is, and never better.
var faults = map[string]func(s *scene){
	"birth revoked":          func(s *scene) { s.status("child", vc.PurposeRevocation) },
	"mandate revoked":        func(s *scene) { s.status("mother", vc.PurposeRevocation) },
	"mandate suspended":      func(s *scene) { s.status("mother", vc.PurposeSuspension) },
	"mandate expired":        func(s *scene) { s.on("mother", func(c *vc.Credential) { c.ValidTo = now.Add(-time.Hour) }) },
	"mandate long expired":   func(s *scene) { s.f.mandate["mother"].Effective.Until = "2026-11-01" },
	"mandate not begun":      func(s *scene) { s.f.mandate["mother"].Effective.From = "2026-12-24" },
	"birth's status missing": func(s *scene) { s.on("child", func(c *vc.Credential) { c.Status = nil }) },
	"no power to travel":     func(s *scene) { s.f.mandate["mother"].Powers = []string{"travelConsent"} },
	"no power to consent":    func(s *scene) { s.f.mandate["father"].Powers = []string{"travelAccompany"} },
	"order against leaving":  func(s *scene) { s.limit().NoRemoval = true },
	"country denied":         func(s *scene) { s.limit().DeniedCountries = []string{"KEN"} },
	"short absence":          func(s *scene) { s.limit().MaxAbsenceDays = 2 },
	"conditions":             func(s *scene) { s.limit().Conditions = "as the court said" },
	"provisional":            func(s *scene) { s.f.mandate["mother"].LegalBasis.Finality = "provisional" },
	"three must agree": func(s *scene) {
		s.f.mandate["mother"].Exercise.Quorum, s.f.mandate["mother"].Exercise.CoGuardianCount = 3, 3
	},
	"no consent":               func(s *scene) { s.leave("consent") },
	"no birth":                 func(s *scene) { s.leave("child") },
	"the grantors sign alone":  func(s *scene) { s.own = true },
	"consent withdrawn":        func(s *scene) { s.withdraw(vc.PurposeRevocation) },
	"consent held back":        func(s *scene) { s.withdraw(vc.PurposeSuspension) },
	"consent's status missing": func(s *scene) { s.consent = append(s.consent, func(c *vc.Credential) { c.Status = nil }) },
	"consent over":             func(s *scene) { s.t.Trip.NotAfter, s.t.Trip.ReturnBy = "2026-11-19", "" },
	"consent for later": func(s *scene) {
		s.t.Trip.NotBefore, s.t.Trip.NotAfter, s.t.Trip.ReturnBy = "2026-12-01", "2026-12-31", ""
	},
	"consent for elsewhere":      func(s *scene) { s.t.Trip.Destinations = []string{"TZA"} },
	"consent of one grantor":     func(s *scene) { s.t.Grantors = s.t.Grantors[len(s.t.Grantors)-1:] },
	"consent claims too much":    func(s *scene) { s.consent = append(s.consent, claim) },
	"consent is another child's": func(s *scene) { s.t.ChildRef = refTwin },
	"consent is old":             func(s *scene) { s.t.GrantedOn = "2024-01-01" },
	"wrong adult":                func(s *scene) { s.t.Accompanying = []vc.Companion{s.w.companion("thief")} },
	"to settle":                  func(s *scene) { s.t.Trip.Purpose = "relocation" },
	"another audience": func(s *scene) {
		s.vp = append(s.vp, func(p *vc.Presentation) { p.Audience = "https://elsewhere.example" })
	},
	"old presentation":          func(s *scene) { s.vp = append(s.vp, func(p *vc.Presentation) { p.IssuedAt -= 900; p.Expires -= 900 }) },
	"portrait denied":           func(s *scene) { s.facts.Deny = append(s.facts.Deny, Portrait) },
	"document denied":           func(s *scene) { s.facts.Deny = append(s.facts.Deny, Document) },
	"portrait old":              func(s *scene) { s.f.birth.Portrait.RecaptureBy = "2025-01-01" },
	"registered late":           func(s *scene) { s.f.birth.Registration.Mode, s.f.birth.Registration.Date = "late", "2026-11-01" },
	"age unknown":               func(s *scene) { s.f.birth.BirthDate = vc.UncertainDate{Precision: "unknown"} },
	"clock off":                 func(s *scene) { s.facts.LastTrustedTime = now.Add(-time.Hour) },
	"trust list over":           func(s *scene) { s.w.trust.Next = now.Add(-time.Hour) },
	"registrar withdrawn":       func(s *scene) { s.w.trust.Issuers[0].Keys[0].CutOff = now.Add(-time.Minute) },
	"notary not listed":         func(s *scene) { s.w.trust.Issuers[4].Keys[0].Types = nil },
	"consents hosted by nobody": func(s *scene) { s.w.trust.Issuers[0].ConsentStatus = false },
	"strict countries":          func(s *scene) { s.w.policies = append(s.w.policies, ugandaLikeBrazil()) },
	"risky route":               func(s *scene) { s.w.policies = append(s.w.policies, kenyaRisky()) },
	"record without parents":    func(s *scene) { s.f.birth.Parentage = []vc.Parent{} },
}

// carriers take away what another fault is made to. To leave out a consent that
// was withdrawn is not to add a fault: they come first or not at all.
var carriers = []string{"no consent", "consent's status missing", "birth's status missing", "the grantors sign alone"}

func claim(c *vc.Credential) {
	for _, level := range []string{"selfSigned", "notarised"} {
		c.Subject = []byte(strings.Replace(string(c.Subject), `"level":"`+level+`"`, `"level":"judicial"`, 1))
	}
}

func ugandaLikeBrazil() []byte {
	return []byte(strings.NewReplacer(`"country": "BRA"`, `"country": "UGA"`, `"habitualResidence": ["BRA"]`, `"habitualResidence": ["UGA"]`).
		Replace(string(policy.ShippedFiles()["BRA-exit.json"])))
}

func kenyaRisky() []byte {
	return []byte(strings.NewReplacer(`"country": "ZAF"`, `"country": "KEN"`, `"appliesIf"`, `"highRiskIf": "other(UGA)", "appliesIf"`).
		Replace(string(policy.ShippedFiles()["ZAF.json"])))
}

func (s *scene) on(who string, change func(c *vc.Credential)) {
	s.envelope = append(s.envelope, func(w string, c *vc.Credential) {
		if w == who {
			change(c)
		}
	})
}

func (s *scene) status(who, purpose string) {
	s.after = append(s.after, func(s *scene, _ []string) {
		if s.f.jwt[who] != "" && !strings.Contains(s.f.jwt[who], "!") {
			s.w.setIfAny(s.f.jwt[who], purpose)
		}
	})
}

func (s *scene) withdraw(purpose string) {
	s.after = append(s.after, func(s *scene, consents []string) { s.w.setIfAny(consents[0], purpose) })
}

func (s *scene) limit() *vc.Constraints {
	g := s.f.mandate["mother"]
	if g.Constraints == nil {
		g.Constraints = &vc.Constraints{}
	}
	return g.Constraints
}

// setIfAny sets the first bit of a purpose, if the credential has a status.
func (w *world) setIfAny(jwt, purpose string) {
	v, err := vc.SplitJWS(jwt)
	if err != nil {
		w.t.Fatal(err)
	}
	c, err := vc.ParseCredential(v.PayloadUnverified())
	if err != nil {
		w.t.Fatal(err)
	}
	if len(c.Status) >= 2 {
		w.setOn(jwt, 0, purpose)
	}
}

func grade(c Colour) int { return map[Colour]int{Green: 0, Info: 0, Amber: 1, Red: 2}[c] }

// TestFaultsNeverHelp: over random combinations, adding a fault never improves
// the colour; without any it is green; and the order of the rules changes
// nothing.
func TestFaultsNeverHelp(t *testing.T) {
	names := make([]string, 0, len(faults))
	for n := range faults {
		names = append(names, n)
	}
	slices.Sort(names)
	kinds := make([]string, 0, len(bases))
	for k := range bases {
		kinds = append(kinds, k)
	}
	slices.Sort(kinds)
	decide := func(kind string, chosen []string) Decision {
		t.Helper()
		w := newWorld(t)
		s := bases[kind](w)
		for _, c := range chosen {
			faults[c](s)
		}
		text := s.show()
		d, _, err := Check(text, w.bundle(), s.facts, History{}, now)
		if err != nil {
			t.Fatal(err)
		}
		wellFormed(t, d)
		return d
	}
	for _, kind := range kinds {
		if d := decide(kind, nil); d.Colour != Green {
			t.Errorf("%s, without a fault: %v", kind, d.Codes())
		}
		alone := 0
		for _, n := range names {
			if decide(kind, []string{n}).Colour != Green {
				alone++
			}
		}
		if alone < len(names)/2 {
			t.Errorf("%s: only %d of %d faults do anything", kind, alone, len(names))
		}
	}
	rounds := 120
	if testing.Short() {
		rounds = 40
	}
	seen := map[Colour]int{}
	for seed := range uint64(rounds) {
		r := rand.New(rand.NewPCG(seed, 4))
		kind := kinds[r.IntN(len(kinds))]
		var chosen []string
		before := decide(kind, nil)
		for range 1 + r.IntN(4) {
			n := names[r.IntN(len(names))]
			if slices.Contains(chosen, n) || len(chosen) > 0 && slices.Contains(carriers, n) {
				continue
			}
			chosen = append(chosen, n)
			d := decide(kind, chosen)
			if grade(d.Colour) < grade(before.Colour) {
				t.Errorf("%s, %v: %s %v after %s %v", kind, chosen, d.Colour, d.Codes(), before.Colour, before.Codes())
			}
			before = d
			seen[d.Colour]++
		}
	}
	for _, c := range []Colour{Amber, Red} {
		if seen[c] < rounds/20 {
			t.Errorf("only %d %s", seen[c], c)
		}
	}
}

// TestOrderOfRules: each rule looks at the papers and at nothing that another
// rule found.
func TestOrderOfRules(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	list := stories()
	for range 60 {
		s := list[r.IntN(len(list))]
		w := newWorld(t)
		if s.world != nil {
			s.world(w)
		}
		text := s.text(w)
		var f Facts
		if s.facts != nil {
			f = s.facts(w)
		}
		found := func(order []int) []string {
			e := newExam(w.bundle(), f, History{}, now.Add(s.at))
			e.read(text)
			for _, o := range f.Others {
				e.read(o)
			}
			e.judge()
			e.signals = e.readSignals()
			var out []string
			for _, i := range order {
				if rules[i].found(e) {
					out = append(out, rules[i].Code+" "+rules[i].colour(e).String())
				}
			}
			slices.Sort(out)
			return out
		}
		order := make([]int, len(rules))
		for i := range order {
			order[i] = i
		}
		want := found(order)
		r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		if got := found(order); !slices.Equal(got, want) {
			t.Errorf("%s: %v in another order, %v in that of the table", s.name, got, want)
		}
	}
}
