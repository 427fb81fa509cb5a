package check

import (
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/vc"
)

// moreStories go where somebody would look for a way round.
func moreStories() []story {
	// again is a second mandate of the mother under another key.
	again := func(w *world, f *family, key string) {
		g := w.mandate("mother")
		jointly(g)
		g.ID = w.id(key)
		f.mandate[key] = g
	}
	return []story{
		{name: "a mother with two keys consents to herself", text: func(w *world) string {
			f := newFamily(w)
			again(w, f, "uncle")
			return w.present("mother", f.of("child"), f.of("mother"), f.of("uncle"), f.witnessed(vc.RoleNotary, f.consent(vc.ModeOneGuardian, "uncle")))
		}, facts: facts(kenya), want: "CONSENT_MISSING_CO"},
		{name: "a mother with two keys agrees twice to the aunt", text: func(w *world) string {
			f := newFamily(w)
			again(w, f, "uncle")
			return w.present("aunt", f.of("child"), f.of("mother"), f.of("uncle"), f.witnessed(vc.RoleNotary, f.consent(vc.ModeThirdParty, "mother", "uncle")))
		}, facts: facts(kenya), want: "CONSENT_QUORUM"},
		{name: "the same with what she signed herself", text: func(w *world) string {
			f := newFamily(w)
			again(w, f, "uncle")
			t := f.consent(vc.ModeThirdParty, "mother", "uncle")
			return w.present("aunt", f.of("child"), f.of("mother"), f.of("uncle"), f.signs("mother", t), f.signs("uncle", t))
		}, facts: facts(kenya), want: "CONSENT_QUORUM"},
		{name: "one guardian's consent in two deeds", text: func(w *world) string {
			f := newFamily(w)
			t := f.consent(vc.ModeThirdParty, "mother")
			other := *t
			other.Nonce += "x"
			return w.present("aunt", f.of("child"), f.of("mother"), f.witnessed(vc.RoleNotary, t), f.witnessed(vc.RoleWitness, &other))
		}, facts: facts(kenya), want: "CONSENT_QUORUM"},
		{name: "two guardians' consents in two deeds", text: func(w *world) string {
			f := newFamily(w)
			return w.present("aunt", f.of("child"), f.of("mother"), f.of("father"), f.witnessed(vc.RoleNotary, f.consent(vc.ModeThirdParty, "mother")),
				f.witnessed(vc.RoleConsulate, f.consent(vc.ModeThirdParty, "father")))
		}, facts: facts(kenya), want: "OK", near: "CONSENT_QUORUM"},
		{name: "one deed for the aunt, one for the uncle", text: func(w *world) string {
			f := newFamily(w)
			t := f.consent(vc.ModeThirdParty, "father")
			t.Accompanying = []vc.Companion{w.companion("uncle")}
			return w.present("aunt", f.of("child"), f.of("mother"), f.of("father"), f.witnessed(vc.RoleNotary, f.consent(vc.ModeThirdParty, "mother")), f.witnessed(vc.RoleNotary, t))
		}, facts: facts(kenya), want: "CONSENT_SCOPE"},
		{name: "two journeys that grantors signed: the one that more agreed to", text: func(w *world) string {
			f := newFamily(w)
			t := f.consent(vc.ModeThirdParty, "mother", "father")
			other := *t
			other.Nonce += "x"
			return w.present("aunt", f.of("child"), f.of("mother"), f.of("father"), f.signs("mother", &other), f.signs("mother", t), f.signs("father", t))
		}, facts: facts(kenya), want: "CONSENT_ASSURANCE_LOW", near: "CONSENT_QUORUM"},
		{name: "a consent signed by nobody whom it names", text: func(w *world) string {
			f := newFamily(w)
			return w.present("mother", f.of("child"), f.of("mother"), f.of("father"), f.signs("thief", f.consent(vc.ModeOneGuardian, "father")))
		}, facts: facts(kenya), want: "CONSENT_MISSING_CO CONSENT_QUORUM"},
		{name: "the father's guardianship is over", text: func(w *world) string {
			f := newFamily(w)
			f.mandate["father"].Effective.Until = "2026-11-01"
			return w.present("mother", f.of("child"), f.of("mother"), f.of("father"), f.witnessed(vc.RoleNotary, f.consent(vc.ModeOneGuardian, "father")))
		}, facts: facts(kenya), want: "CRED_EXPIRED CONSENT_MISSING_CO CONSENT_QUORUM"},
		{name: "the father's guardianship was issued again since", text: func(w *world) string {
			f := newFamily(w)
			t := f.consent(vc.ModeOneGuardian, "father")
			f.jwt["father"] = ""
			return w.present("mother", f.of("child"), f.of("mother"), f.of("father"), f.witnessed(vc.RoleNotary, t))
		}, facts: facts(kenya), want: "OK", near: "CONSENT_QUORUM"},
		{name: "a witness saw another's key under the father's guardianship", text: func(w *world) string {
			f := newFamily(w)
			t := f.consent(vc.ModeOneGuardian, "father")
			t.Grantors[0].Key = w.id("thief")
			return w.present("mother", f.of("child"), f.of("mother"), f.of("father"), f.witnessed(vc.RoleNotary, t))
		}, facts: facts(kenya), want: "CONSENT_MISSING_CO CONSENT_QUORUM"},
		{name: "a consent to travel alone, and the mother travels", text: func(w *world) string {
			f := newFamily(w)
			return w.present("mother", f.of("child"), f.of("mother"), f.witnessed(vc.RoleNotary, f.consent(vc.ModeAlone, "father")))
		}, facts: facts(kenya), want: "CONSENT_MISSING_CO CONSENT_SCOPE"},
		{name: "a consent for the father's journey, and the mother travels", text: func(w *world) string {
			f := newFamily(w)
			t := f.consent(vc.ModeOneGuardian, "father")
			t.Accompanying = []vc.Companion{w.companion("uncle")}
			return w.present("mother", f.of("child"), f.of("mother"), f.witnessed(vc.RoleNotary, t))
		}, facts: facts(kenya), want: "CONSENT_MISSING_CO CONSENT_SCOPE"},
		{name: "a consent that names the mother", text: func(w *world) string {
			f := newFamily(w)
			t := f.consent(vc.ModeOneGuardian, "father")
			t.Accompanying = []vc.Companion{w.companion("mother")}
			return w.present("mother", f.of("child"), f.of("mother"), f.witnessed(vc.RoleNotary, t))
		}, facts: facts(kenya), want: "OK", near: "CONSENT_SCOPE"},
		{name: "a consent that names the mother by her document", text: func(w *world) string {
			f := newFamily(w)
			t := f.consent(vc.ModeOneGuardian, "father")
			t.Accompanying = []vc.Companion{{Names: []vc.Name{}, Document: &vc.Identifier{Type: "passport", Value: "l898902c3", Issuer: "UTO"}}}
			return w.present("mother", f.of("child"), f.of("mother"), f.witnessed(vc.RoleNotary, t))
		}, facts: facts(kenya), want: "OK", near: "CONSENT_SCOPE"},
		{name: "a mother without the power, whom the father lets travel", text: func(w *world) string {
			f := newFamily(w)
			f.mandate["mother"].Powers = []string{"education"}
			f.mandate["father"].Exercise = vc.Exercise{Mode: "sole"}
			t := f.consent(vc.ModeThirdParty, "father")
			t.Accompanying = []vc.Companion{w.companion("mother")}
			return w.present("mother", f.of("child"), f.of("mother"), f.of("father"), f.witnessed(vc.RoleNotary, t))
		}, facts: facts(kenya), want: "OK", near: "POWER_MISSING"},
		{name: "the mother sees the child off with the aunt", text: withAunt(), facts: func(w *world) Facts {
			f := newFamily(w)
			return Facts{Exit: "UGA", Entry: "KEN", Company: CompanyThirdParty, Others: []string{w.present("mother", f.of("child"), f.of("mother"))}}
		}, want: "OK", near: "CONSENT_SCOPE"},
		{name: "a child for a companion", text: withAunt(func(f *family, t *vc.TravelConsent) {
			f.w.national()
			t.Accompanying[0].BirthDate = &vc.UncertainDate{Value: "2010-01-01", Precision: "day"}
			t.Trip.DepartFrom = "GBR"
		}), facts: facts(Facts{Exit: "GBR", Entry: "KEN"}), want: "CONSENT_SCOPE"},
		{name: "a companion of no known age", text: withAunt(func(f *family, t *vc.TravelConsent) {
			f.w.national()
			t.Accompanying[0].BirthDate = nil
			t.Trip.DepartFrom = "GBR"
		}), facts: facts(Facts{Exit: "GBR", Entry: "KEN"}), want: "CONSENT_SCOPE FACTS_MISSING"},
		{name: "a companion whose passport tells the age", text: withAunt(func(f *family, t *vc.TravelConsent) {
			f.w.national()
			t.Accompanying[0].BirthDate = nil
			t.Trip.DepartFrom = "GBR"
		}), facts: facts(Facts{Exit: "GBR", Entry: "KEN", AdultDocuments: []string{rosa}}), want: "OK", near: "FACTS_MISSING CONSENT_SCOPE"},
		{name: "a pair twice, and one for each grantor", text: func(w *world) string {
			f := newFamily(w)
			t := f.consent(vc.ModeThirdParty, "mother", "father")
			return w.present("aunt", f.of("child"), f.of("mother"), f.of("father"), f.witnessed(vc.RoleNotary, t, func(c *vc.Credential) {
				c.Status = append(append(c.Status[:2:2], c.Status[:2]...), c.Status[2:]...)
			}))
		}, facts: facts(kenya), want: "OK", near: "STATUS_UNKNOWN"},
		{name: "a delegate by a mandate that is not final, and the mother stays", text: func(w *world) string {
			f := newFamily(w)
			g := f.mandate["mother"]
			g.Exercise, g.Powers = vc.Exercise{Mode: "sole"}, []string{"delegate", "travelAccompany", "travelConsent"}
			g.Guardian.Delegates, g.LegalBasis.Finality = []string{w.id("aunt")}, "appealable"
			w.others = []string{w.present("aunt", f.of("child"), f.of("mother"))}
			return w.present("mother", f.of("child"), f.of("mother"))
		}, facts: func(w *world) Facts {
			return Facts{Exit: "UGA", Entry: "KEN", Company: CompanyThirdParty, Others: w.others}
		}, want: "BASIS_PROVISIONAL CONSENT_MISSING"},
		{name: "back in time by what the father agreed to", text: coMother(vc.RoleNotary, func(f *family, _ *vc.TravelConsent) {
			f.jwt["mother"] = ""
			f.mandate["mother"].Constraints = &vc.Constraints{MaxAbsenceDays: 20}
		}), facts: facts(kenya), want: "OK", near: "ABSENCE_TOO_LONG"},
		{name: "back too late by what the father agreed to", text: coMother(vc.RoleNotary, func(f *family, _ *vc.TravelConsent) {
			f.jwt["mother"] = ""
			f.mandate["mother"].Constraints = &vc.Constraints{MaxAbsenceDays: 19}
		}), facts: facts(kenya), want: "ABSENCE_TOO_LONG"},
		{name: "aunt on paper with what both parents signed", text: func(w *world) string {
			f := newFamily(w)
			t := f.consent(vc.ModeThirdParty, "mother", "father")
			return w.paper(f.of("child"), f.of("mother"), f.of("father"), f.signs("mother", t), f.signs("father", t))
		}, facts: going(func(f *Facts) { f.Confirm, f.AdultDocuments = []string{Portrait}, []string{rosa} }), want: "CONSENT_ASSURANCE_LOW", near: "CONSENT_SCOPE CONSENT_QUORUM"},
		{name: "only a consent", text: func(w *world) string {
			f := newFamily(w)
			return w.present("aunt", f.witnessed(vc.RoleNotary, f.consent(vc.ModeThirdParty, "mother", "father")))
		}, facts: facts(kenya), want: "STATUS_UNKNOWN BIRTH_MISSING"},
		{name: "parents' guardianships beside the aunt's paper", text: func(w *world) string {
			f := newFamily(w)
			return w.paper(f.of("child"), f.of("mother"), f.of("father"), f.witnessed(vc.RoleNotary, f.consent(vc.ModeThirdParty, "mother", "father")))
		}, facts: going(func(f *Facts) { f.Confirm, f.AdultDocuments = []string{Portrait}, []string{rosa} }), want: "OK", near: "HOLDER_BINDING_FAILED GUARDIAN_MISMATCH"},
		{name: "aunt on two papers", text: func(w *world) string {
			f := newFamily(w)
			w.others = []string{w.paper(f.witnessed(vc.RoleNotary, f.consent(vc.ModeThirdParty, "mother", "father")))}
			return w.paper(f.of("child"))
		}, facts: func(w *world) Facts {
			return Facts{Exit: "UGA", Entry: "KEN", Confirm: []string{Portrait}, AdultDocuments: []string{rosa}, Others: w.others}
		}, want: "OK", near: "BIRTH_MISSING NO_AUTHORITY PAPER_BEARER"},
		{name: "two papers of two children", text: func(w *world) string {
			f := newFamily(w)
			t := f.consent(vc.ModeThirdParty, "mother", "father")
			t.ChildRef = refTwin
			w.others = []string{w.paper(f.witnessed(vc.RoleNotary, t))}
			return w.paper(f.of("child"))
		}, facts: func(w *world) Facts {
			return Facts{Exit: "UGA", Entry: "KEN", Confirm: []string{Portrait}, AdultDocuments: []string{rosa}, Others: w.others}
		}, want: "LINK_BROKEN NO_AUTHORITY"},
		{name: "the mother's guardianship on paper beside the father's consent", text: func(w *world) string {
			f := newFamily(w)
			return w.paper(f.of("child"), f.of("mother"), f.witnessed(vc.RoleNotary, f.consent(vc.ModeOneGuardian, "father")))
		}, facts: going(func(f *Facts) { f.Confirm, f.AdultDocuments = []string{Portrait}, []string{anna} }), want: "HOLDER_BINDING_FAILED GUARDIAN_MISMATCH CONSENT_QUORUM CONSENT_SCOPE"},
		{name: "an officer, and the parent who is one", text: officerOf(func(w *world, f *family, g *vc.Guardianship) {
			own := w.mandate("officer")
			own.Exercise = vc.Exercise{Mode: "sole"}
			f.mandate["officer"] = own
			g.Guardian.Delegates = append(g.Guardian.Delegates, w.id("uncle"))
		}), facts: facts(kenya), want: "RECORD_INCOMPLETE_EXPECTED OK", near: "GUARDIAN_MISMATCH"},
	}
}

// TestIncompleteConsents: a consent that lacks what the rules need, or has it in
// another form, counts for nothing.
func TestIncompleteConsents(t *testing.T) {
	for name, change := range map[string]func(*vc.TravelConsent){
		"no child":               func(c *vc.TravelConsent) { c.ChildRef = "x" },
		"no grantors":            func(c *vc.TravelConsent) { c.Grantors = nil },
		"eleven grantors":        func(c *vc.TravelConsent) { c.Grantors = make([]vc.Grantor, 11) },
		"a grantor without key":  func(c *vc.TravelConsent) { c.Grantors[0].Key = "" },
		"a grantor without id":   func(c *vc.TravelConsent) { c.Grantors[0].Guardianship = "" },
		"an unknown capacity":    func(c *vc.TravelConsent) { c.Grantors[0].Capacity = "king" },
		"no mode":                func(c *vc.TravelConsent) { c.Mode = "" },
		"alone to nobody":        func(c *vc.TravelConsent) { c.Mode = vc.ModeAlone },
		"with nobody":            func(c *vc.TravelConsent) { c.Mode = vc.ModeThirdParty },
		"a group of nobody":      func(c *vc.TravelConsent) { c.Mode = vc.ModeGroup },
		"twenty-one companions":  func(c *vc.TravelConsent) { c.Accompanying = make([]vc.Companion, 21) },
		"an unknown level":       func(c *vc.TravelConsent) { c.Assurance.Level = "sworn" },
		"a short nonce":          func(c *vc.TravelConsent) { c.Nonce = "short" },
		"no country left":        func(c *vc.TravelConsent) { c.Trip.DepartFrom = "" },
		"no destination":         func(c *vc.TravelConsent) { c.Trip.Destinations = []string{} },
		"a destination in words": func(c *vc.TravelConsent) { c.Trip.Destinations = []string{"Kenya"} },
		"a transit in words":     func(c *vc.TravelConsent) { c.Trip.Transit = []string{"sea"} },
		"no first day":           func(c *vc.TravelConsent) { c.Trip.NotBefore = "" },
		"an end before it":       func(c *vc.TravelConsent) { c.Trip.NotAfter = "2026-11-01" },
		"an end that is no day":  func(c *vc.TravelConsent) { c.Trip.NotAfter = "2026-11-31" },
		"a return that is none":  func(c *vc.TravelConsent) { c.Trip.ReturnBy = "soon" },
		"no day of consent":      func(c *vc.TravelConsent) { c.GrantedOn = "" },
		"too many crossings":     func(c *vc.TravelConsent) { c.Trip.Crossings = 21 },
		"fewer than none":        func(c *vc.TravelConsent) { c.Trip.Crossings = -1 },
	} {
		d := story{text: func(w *world) string {
			f := newFamily(w)
			c := f.consent(vc.ModeOneGuardian, "father")
			change(c)
			jwt := f.signed(w.office[vc.RoleNotary], f.envelope(c, "did:web:notary.example", 1), nil)
			return w.presentWith("mother", func(*vc.Presentation) {}, f.of("child"), f.of("mother"), f.of("father"), jwt)
		}, facts: facts(kenya)}.run(t)
		if got := strings.Join(d.Codes(), " "); got != "CRED_UNREADABLE CONSENT_MISSING_CO" {
			t.Errorf("%s: %s", name, got)
		}
	}
	// Exactly as many as may be are read.
	d := story{text: func(w *world) string {
		f := newFamily(w)
		c := f.consent(vc.ModeOneGuardian, "father")
		for i := range 9 {
			c.Grantors = append(c.Grantors, vc.Grantor{Guardianship: "urn:x:" + string(rune('a'+i)), Key: "did:key:" + string(rune('a'+i))})
		}
		c.Trip.Crossings = 20
		return w.presentWith("mother", func(*vc.Presentation) {}, f.of("child"), f.of("mother"), f.of("father"), f.witnessed(vc.RoleNotary, c))
	}, facts: facts(kenya)}.run(t)
	if d.Colour != Green {
		t.Errorf("ten grantors: %v", d.Codes())
	}
}

// TestSameFailureOnce: to look twice at one attempt does not make it two.
func TestSameFailureOnce(t *testing.T) {
	j := newJourney(t, nil)
	wrong := kenya
	wrong.Entry, wrong.Session = "TZA", "counter"
	for i := range 4 {
		if got := j.show(time.Duration(i)*time.Minute, wrong); got != "CONSENT_SCOPE" {
			t.Errorf("look %d: %s", i+1, got)
		}
	}
	if len(j.h.Failures) != 1 {
		t.Errorf("%d failures", len(j.h.Failures))
	}
	// Other consents' failures are others'.
	j.h.Failures[0].Consent = "another"
	if got := j.show(time.Hour, wrong); got != "CONSENT_SCOPE" {
		t.Error(got)
	}
}
