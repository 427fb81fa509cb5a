package check

import (
	"strings"
	"time"

	"github.com/kinpass/kinpass/internal/vc"
)

var kenya = Facts{Exit: "UGA", Entry: "KEN"}

// going is a journey to Kenya with more known about it.
func going(change func(*Facts)) func(*world) Facts {
	f := kenya
	change(&f)
	return facts(f)
}

// coMother shows the mother's joint mandate and the father's consent.
func coMother(role string, change ...func(f *family, t *vc.TravelConsent)) func(w *world) string {
	return func(w *world) string {
		f := newFamily(w)
		f.of("mother")
		t := f.consent(vc.ModeOneGuardian, "father")
		for _, c := range change {
			c(f, t)
		}
		if role == "" {
			return w.present("mother", f.of("child"), f.of("mother"), f.of("father"), f.signs("father", t))
		}
		return w.present("mother", f.of("child"), f.of("mother"), f.of("father"), f.witnessed(role, t))
	}
}

// withAunt shows both parents' consent, witnessed by a notary, on the aunt's
// telephone.
func withAunt(change ...func(f *family, t *vc.TravelConsent)) func(w *world) string {
	return func(w *world) string {
		f := newFamily(w)
		t := f.consent(vc.ModeThirdParty, "mother", "father")
		for _, c := range change {
			c(f, t)
		}
		return w.present("aunt", f.of("child"), f.of("mother"), f.of("father"), f.witnessed(vc.RoleNotary, t))
	}
}

// bothSign shows what each parent signed for themselves; change is made to the
// second.
func bothSign(change func(w *world, f *family, t *vc.TravelConsent)) func(w *world) string {
	return func(w *world) string {
		f := newFamily(w)
		t := f.consent(vc.ModeThirdParty, "mother", "father")
		first := f.signs("mother", t)
		if change != nil {
			change(w, f, t)
		}
		return w.present("aunt", f.of("child"), f.of("mother"), f.of("father"), first, f.signs("father", t))
	}
}

// officerOf shows the papers of a foundling whom an officer of the protection
// authority accompanies.
func officerOf(change func(w *world, f *family, g *vc.Guardianship)) func(w *world) string {
	return func(w *world) string {
		f := newFamily(w)
		f.birth.Circumstance = "foundling"
		f.birth.Parentage = []vc.Parent{{Role: "mother", Status: "unknown"}, {Role: "father", Status: "unknown"}}
		g := w.mandate("")
		g.Guardian = vc.Guardian{Kind: "institution", Delegates: []string{w.id("officer")}}
		g.Role, g.LegalBasis.Type, g.Exercise = "stateGuardian", "publicAuthority", vc.Exercise{Mode: "sole"}
		g.ID = w.id("father") // the institution's own key, at its desk
		f.mandate["state"] = g
		if change != nil {
			change(w, f, g)
		}
		return w.present("officer", f.of("child"), f.of("state"))
	}
}

func consentStories() []story {
	third := going(func(f *Facts) { f.Company = CompanyThirdParty })
	alone := going(func(f *Facts) { f.Company = CompanyAlone })
	return []story{
		// One guardian, and what the other agreed to.
		{name: "father's notarised consent", text: coMother(vc.RoleNotary), facts: facts(kenya), want: "OK",
			near: "CONSENT_MISSING_CO CONSENT_QUORUM CONSENT_SCOPE CONSENT_WITHDRAWN CONSENT_ASSURANCE_LOW CONSENT_OLD CONSENT_REUSED SIGNAL_6"},
		{name: "father's consent before a consul", text: coMother(vc.RoleConsulate), facts: facts(kenya), want: "OK", near: "CONSENT_ASSURANCE_LOW"},
		{name: "father's consent before a witness", text: coMother(vc.RoleWitness), facts: facts(kenya), want: "OK", near: "CONSENT_ASSURANCE_LOW"},
		{name: "father's consent before a court", text: coMother(vc.RoleCourt), facts: facts(kenya), want: "OK", near: "CONSENT_ASSURANCE_LOW"},
		{name: "father's consent that he alone signed", text: coMother(""), facts: facts(kenya), want: "CONSENT_ASSURANCE_LOW",
			near: "CONSENT_MISSING_CO CONSENT_QUORUM ISSUER_UNTRUSTED HOLDER_BINDING_FAILED GUARDIAN_MISMATCH"},
		{name: "father's notarised consent without his guardianship", text: func(w *world) string {
			f := newFamily(w)
			return w.present("mother", f.of("child"), f.of("mother"), f.witnessed(vc.RoleNotary, f.naming("mother", f.consent(vc.ModeOneGuardian, "father"))))
		}, facts: facts(kenya), want: "OK", near: "CONSENT_QUORUM"},
		{name: "father's notarised consent, without his guardianship and naming nobody", text: func(w *world) string {
			f := newFamily(w)
			return w.present("mother", f.of("child"), f.of("mother"), f.witnessed(vc.RoleNotary, f.consent(vc.ModeOneGuardian, "father")))
		}, facts: facts(kenya), want: "CONSENT_MISSING_CO"},
		{name: "the mother's notarised consent by her other telephone", text: secondTelephone(func(_ *family, _ *vc.TravelConsent) {}),
			facts: facts(kenya), want: "CONSENT_MISSING_CO"},
		{name: "the mother's notarised consent by her other telephone, under a false name", text: secondTelephone(func(f *family, t *vc.TravelConsent) {
			t.Accompanying = []vc.Companion{f.w.companion("uncle")}
			t.Accompanying[0].Key = f.w.id("mother")
		}), facts: facts(kenya), want: "CONSENT_MISSING_CO"},
		{name: "one of two parents before a court is no court's order", text: func(w *world) string {
			f := newFamily(w)
			return w.present("aunt", f.of("child"), f.of("mother"), f.witnessed(vc.RoleCourt, f.consent(vc.ModeThirdParty, "mother")))
		}, facts: facts(kenya), want: "CONSENT_QUORUM"},
		{name: "a court's order of the one who stays at home excuses nobody", world: (*world).national, text: func(w *world) string {
			f := newFamily(w)
			f.mandate["father"].LegalBasis.Type, f.mandate["father"].LegalBasis.Finality = "courtOrder", "final"
			t := f.consent(vc.ModeOneGuardian, "father")
			t.Trip.DepartFrom, t.Trip.NotAfter, t.Trip.ReturnBy, t.GrantedOn, t.Trip.NotBefore = "GBR", "", "", "2025-10-01", "2025-10-01"
			return w.present("mother", f.of("child"), f.of("mother"), f.of("father"), f.witnessed(vc.RoleNotary, t))
		}, facts: facts(Facts{Exit: "GBR", Entry: "KEN", ReturnBy: vc.Date{Year: 2026, Month: 11, Day: 30}}), want: "CONSENT_SCOPE"},
		{name: "father's consent without his guardianship", text: func(w *world) string {
			f := newFamily(w)
			return w.present("mother", f.of("child"), f.of("mother"), f.signs("father", f.consent(vc.ModeOneGuardian, "father")))
		}, facts: facts(kenya), want: "CONSENT_MISSING_CO CONSENT_QUORUM"},
		{name: "mother's own consent for the other's", text: func(w *world) string {
			f := newFamily(w)
			return w.present("mother", f.of("child"), f.of("mother"), f.witnessed(vc.RoleNotary, f.consent(vc.ModeOneGuardian, "mother")))
		}, facts: facts(kenya), want: "CONSENT_MISSING_CO"},
		{name: "a stranger's consent under the father's guardianship", text: func(w *world) string {
			f := newFamily(w)
			t := f.consent(vc.ModeOneGuardian, "father")
			t.Grantors[0].Key = w.id("thief")
			return w.present("mother", f.of("child"), f.of("mother"), f.of("father"), f.signs("thief", t))
		}, facts: facts(kenya), want: "CONSENT_MISSING_CO CONSENT_QUORUM"},
		{name: "a consent in the father's name", text: func(w *world) string {
			f := newFamily(w)
			t := f.consent(vc.ModeOneGuardian, "father")
			return w.present("mother", f.of("child"), f.of("mother"), f.of("father"), f.signs("thief", t, func(c *vc.Credential) { c.Issuer = w.id("father") }))
		}, facts: facts(kenya), want: "SIG_INVALID CONSENT_MISSING_CO", near: "CONSENT_QUORUM"},
		{name: "a consent whose signature was changed", text: func(w *world) string {
			f := newFamily(w)
			return w.present("mother", f.of("child"), f.of("mother"), f.of("father"), corrupt(f.signs("father", f.consent(vc.ModeOneGuardian, "father")), 2))
		}, facts: facts(kenya), want: "SIG_INVALID CONSENT_MISSING_CO"},
		{name: "more assurance claimed than given", text: coMother("", func(f *family, t *vc.TravelConsent) { t.Assurance.Level = vc.LevelNotarised }),
			facts: facts(kenya), want: "SIG_INVALID CONSENT_MISSING_CO"},
		{name: "a witness who calls himself a notary", text: func(w *world) string {
			f := newFamily(w)
			t := f.consent(vc.ModeOneGuardian, "father")
			return w.present("mother", f.of("child"), f.of("mother"), f.witnessed(vc.RoleWitness, t, func(c *vc.Credential) {
				c.Subject = []byte(strings.Replace(string(c.Subject), `"level":"witnessed"`, `"level":"notarised"`, 1))
			}))
		}, facts: facts(kenya), want: "SIG_INVALID CONSENT_MISSING_CO"},
		{name: "less assurance claimed than given", text: func(w *world) string {
			f := newFamily(w)
			return w.present("mother", f.of("child"), f.of("mother"), f.witnessed(vc.RoleNotary, f.naming("mother", f.consent(vc.ModeOneGuardian, "father")), func(c *vc.Credential) {
				c.Subject = []byte(strings.Replace(string(c.Subject), `"level":"notarised"`, `"level":"witnessed"`, 1))
			}))
		}, facts: facts(kenya), want: "OK", near: "SIG_INVALID"},
		{name: "a consent witnessed by a registrar", text: func(w *world) string {
			f := newFamily(w)
			w.trust.Issuers[0].Keys[0].Types = append(w.trust.Issuers[0].Keys[0].Types, vc.TypeConsent)
			t := f.consent(vc.ModeOneGuardian, "father")
			return w.present("mother", f.of("child"), f.of("mother"), f.signed(w.office[vc.RoleRegistrar], f.envelope(t, "did:web:registrar.example", 1), nil))
		}, facts: facts(kenya), want: "ISSUER_UNTRUSTED CONSENT_MISSING_CO"},
		{name: "a consent witnessed by an office that may not", world: func(w *world) { w.trust.Issuers[4].Keys[0].Types = []string{vc.TypeGuardianship} },
			text: coMother(vc.RoleNotary), facts: facts(kenya), want: "ISSUER_UNTRUSTED CONSENT_MISSING_CO"},
		{name: "a consent that lacks its dates", text: coMother(vc.RoleNotary, func(_ *family, t *vc.TravelConsent) { t.Trip.NotBefore = "" }),
			facts: facts(kenya), want: "CRED_UNREADABLE CONSENT_MISSING_CO"},
		{name: "a consent dated after it was signed", text: coMother(vc.RoleNotary, func(_ *family, t *vc.TravelConsent) { t.GrantedOn = "2026-11-18" }),
			facts: facts(kenya), want: "CRED_UNREADABLE CONSENT_MISSING_CO"},
		{name: "rubbish signed by oneself is no consent", text: func(w *world) string {
			f := newFamily(w)
			t := f.consent(vc.ModeThirdParty, "mother", "father")
			t.Mode = "withAnybody"
			return w.present("thief", f.of("child"), f.signs("thief", t))
		}, facts: facts(kenya), want: "CRED_UNREADABLE NO_AUTHORITY"},
		{name: "no consent for a father who lives elsewhere", text: func(w *world) string {
			f := newFamily(w)
			return w.present("mother", f.of("child"), f.of("mother"))
		}, facts: facts(kenya), want: "CONSENT_MISSING_CO", near: "CONSENT_MISSING CONSENT_QUORUM"},
		{name: "two of three must agree, one here and one consent", text: coMother(vc.RoleNotary, func(f *family, _ *vc.TravelConsent) {
			f.jwt["mother"] = ""
			f.mandate["mother"].Exercise = vc.Exercise{Mode: "joint", Quorum: 2, CoGuardianCount: 3}
		}), facts: facts(kenya), want: "OK", near: "CONSENT_QUORUM"},
		{name: "three of three must agree, one here and one consent", text: coMother(vc.RoleNotary, func(f *family, _ *vc.TravelConsent) {
			f.jwt["mother"] = ""
			f.mandate["mother"].Exercise = vc.Exercise{Mode: "joint", CoGuardianCount: 3}
		}), facts: facts(kenya), want: "CONSENT_QUORUM", near: "CONSENT_MISSING_CO"},
		{name: "both parents there, and a consent that is over", text: func(w *world) string {
			f := newFamily(w)
			t := f.consent(vc.ModeOneGuardian, "father")
			t.Trip.NotAfter = "2026-11-16"
			text := w.present("mother", f.of("child"), f.of("mother"), f.of("father"), f.witnessed(vc.RoleNotary, t))
			w.others = []string{w.present("father", f.of("child"), f.of("father"))}
			return text
		}, facts: func(w *world) Facts { return Facts{Exit: "UGA", Entry: "KEN", Others: w.others} }, want: "OK", near: "CONSENT_SCOPE"},

		{name: "a parent who may act alone, and a consent to another journey", text: func(w *world) string {
			f := newFamily(w)
			f.mandate["mother"].Exercise = vc.Exercise{Mode: "independent", CoGuardianCount: 2}
			t := f.consent(vc.ModeOneGuardian, "father")
			t.Trip.Destinations = []string{"TZA"}
			return w.present("mother", f.of("child"), f.of("mother"), f.of("father"), f.witnessed(vc.RoleNotary, t))
		}, facts: facts(kenya), want: "OK", near: "CONSENT_SCOPE"},
		{name: "the same, leaving a country that asks for both", world: (*world).national, text: func(w *world) string {
			f := newFamily(w)
			f.mandate["mother"].Exercise = vc.Exercise{Mode: "independent", CoGuardianCount: 2}
			t := f.consent(vc.ModeOneGuardian, "father")
			t.Trip.DepartFrom, t.Trip.Destinations = "BRA", []string{"TZA"}
			return w.present("mother", f.of("child"), f.of("mother"), f.of("father"), f.witnessed(vc.RoleNotary, t))
		}, facts: facts(Facts{Exit: "BRA", Entry: "KEN", ChildNationality: "BRA", Residence: "BRA"}), want: "CONSENT_SCOPE"},

		// The companion.
		{name: "aunt whom both parents name", text: withAunt(), facts: facts(kenya), want: "OK",
			near: "NO_AUTHORITY GUARDIAN_MISMATCH CONSENT_MISSING CONSENT_QUORUM CONSENT_SCOPE POWER_MISSING"},
		{name: "aunt with both parents' own consents", text: bothSign(nil), facts: facts(kenya), want: "CONSENT_ASSURANCE_LOW", near: "CONSENT_QUORUM"},
		{name: "the parents' consents are to different journeys", text: bothSign(func(_ *world, _ *family, t *vc.TravelConsent) { t.Trip.Purpose = "family" }),
			facts: facts(kenya), want: "CONSENT_QUORUM"},
		{name: "the parents' consents are written differently", text: func(w *world) string {
			f := newFamily(w)
			t := f.consent(vc.ModeThirdParty, "mother", "father")
			spaced := func(c *vc.Credential) {
				c.Subject = []byte(strings.Replace(string(c.Subject), `{"childRef":`, `{ "childRef" : `, 1))
			}
			return w.presentWith("aunt", func(*vc.Presentation) {}, f.of("child"), f.of("mother"), f.of("father"), f.signs("mother", t), f.signs("father", t, spaced))
		}, facts: facts(kenya), want: "CONSENT_ASSURANCE_LOW", near: "CONSENT_QUORUM"},
		{name: "one parent's consent", text: func(w *world) string {
			f := newFamily(w)
			return w.present("aunt", f.of("child"), f.of("mother"), f.witnessed(vc.RoleNotary, f.consent(vc.ModeThirdParty, "mother")))
		}, facts: facts(kenya), want: "CONSENT_QUORUM", near: "CONSENT_MISSING"},
		{name: "one parent named twice", text: func(w *world) string {
			f := newFamily(w)
			return w.present("aunt", f.of("child"), f.of("mother"), f.witnessed(vc.RoleNotary, f.consent(vc.ModeThirdParty, "mother", "mother")))
		}, facts: facts(kenya), want: "CONSENT_QUORUM"},
		{name: "a sole guardian's consent", text: func(w *world) string {
			f := newFamily(w)
			f.mandate["mother"].Exercise = vc.Exercise{Mode: "sole"}
			return w.present("aunt", f.of("child"), f.of("mother"), f.witnessed(vc.RoleNotary, f.consent(vc.ModeThirdParty, "mother")))
		}, facts: facts(kenya), want: "OK", near: "CONSENT_QUORUM PARENT_MANDATE_UNKNOWN"},
		{name: "consent of a guardian without the power", text: withAunt(func(f *family, _ *vc.TravelConsent) {
			f.jwt["father"] = ""
			f.mandate["father"].Powers = []string{"travelAccompany"}
			f.mandate["father"].ID = f.w.id("father")
		}), facts: facts(kenya), want: "CONSENT_QUORUM"},
		{name: "consent names the uncle", text: withAunt(func(f *family, t *vc.TravelConsent) { t.Accompanying = []vc.Companion{f.w.companion("uncle")} }),
			facts: facts(kenya), want: "CONSENT_SCOPE", near: "NO_AUTHORITY"},
		{name: "consent names aunt and uncle, the aunt came", text: withAunt(func(f *family, t *vc.TravelConsent) { t.Accompanying = append(t.Accompanying, f.w.companion("uncle")) }),
			facts: facts(kenya), want: "OK", near: "CONSENT_SCOPE"},
		{name: "consent names no key, aunt not compared", text: withAunt(func(_ *family, t *vc.TravelConsent) { t.Accompanying[0].Key = "" }),
			facts: facts(kenya), want: "DOC_COMPARE", near: "CONSENT_SCOPE"},
		{name: "consent names no key, aunt's passport fits", text: withAunt(func(_ *family, t *vc.TravelConsent) { t.Accompanying[0].Key = "" }),
			facts: going(func(f *Facts) { f.AdultDocuments = []string{rosa} }), want: "OK", near: "DOC_COMPARE CONSENT_SCOPE"},
		{name: "consent names no key, the document was confirmed", text: withAunt(func(_ *family, t *vc.TravelConsent) { t.Accompanying[0].Key = "" }),
			facts: going(func(f *Facts) { f.Confirm = []string{Document} }), want: "OK", near: "DOC_COMPARE"},
		{name: "consent names no key, another's passport", text: withAunt(func(_ *family, t *vc.TravelConsent) { t.Accompanying[0].Key = "" }),
			facts: going(func(f *Facts) { f.Confirm, f.AdultDocuments = []string{Document}, []string{jonah} }), want: "CONSENT_SCOPE"},
		{name: "a thief with the aunt's papers", text: func(w *world) string {
			f := newFamily(w)
			return w.present("thief", f.of("child"), f.of("mother"), f.of("father"), f.witnessed(vc.RoleNotary, f.consent(vc.ModeThirdParty, "mother", "father")))
		}, facts: facts(kenya), want: "CONSENT_SCOPE"},
		{name: "the uncle's name beside the aunt's, on her telephone", text: func(w *world) string {
			f := newFamily(w)
			t := f.consent(vc.ModeThirdParty, "mother", "father")
			t.Accompanying[0].Key = ""
			w.others = []string{w.present("uncle", f.of("child"))}
			return w.present("aunt", f.of("child"), f.of("mother"), f.of("father"), f.witnessed(vc.RoleNotary, t))
		}, facts: func(w *world) Facts { return Facts{Exit: "UGA", Entry: "KEN", Others: w.others} }, want: "CONSENT_SCOPE"},
		{name: "aunt's passport fits", text: withAunt(), facts: going(func(f *Facts) { f.AdultDocuments = []string{rosa} }), want: "OK", near: "DOC_NAME_PARTIAL CONSENT_SCOPE"},
		{name: "aunt's middle name is missing", text: withAunt(func(_ *family, t *vc.TravelConsent) { t.Accompanying[0].Names[0].MRZ.Secondary = "ROSA<PENDO" }),
			facts: going(func(f *Facts) { f.AdultDocuments = []string{rosa} }), want: "DOC_NAME_PARTIAL", near: "CONSENT_SCOPE"},
		{name: "somebody else's passport on the aunt's telephone", text: withAunt(), facts: going(func(f *Facts) { f.AdultDocuments = []string{jonah} }), want: "CONSENT_SCOPE", near: "DOC_NAME_MISMATCH"},
		{name: "a guardian presents for the other's consent to a third party", text: func(w *world) string {
			f := newFamily(w)
			return w.present("thief", f.of("child"), f.of("mother"), f.witnessed(vc.RoleNotary, f.consent(vc.ModeOneGuardian, "father")))
		}, facts: facts(kenya), want: "GUARDIAN_MISMATCH CONSENT_QUORUM CONSENT_SCOPE"},
		{name: "no papers but the birth, with a third party", text: birthOnly, facts: third, want: "CONSENT_MISSING", near: "NO_AUTHORITY"},
		{name: "consent that cites a withdrawn guardianship", text: func(w *world) string {
			f := newFamily(w)
			f.of("mother")
			w.set(vc.PurposeRevocation, w.serial)
			return w.present("aunt", f.of("child"), f.of("mother"), f.of("father"), f.witnessed(vc.RoleNotary, f.consent(vc.ModeThirdParty, "mother", "father")))
		}, facts: facts(kenya), want: "STATUS_REVOKED CONSENT_QUORUM"},

		// Paper.
		{name: "aunt on paper", text: func(w *world) string {
			f := newFamily(w)
			return w.paper(f.of("child"), f.witnessed(vc.RoleNotary, f.consent(vc.ModeThirdParty, "mother", "father")))
		}, facts: going(func(f *Facts) { f.Confirm, f.AdultDocuments = []string{Portrait}, []string{rosa} }), want: "OK", near: "PAPER_BEARER DOC_COMPARE CONSENT_SCOPE"},
		{name: "aunt on paper, nothing compared", text: func(w *world) string {
			f := newFamily(w)
			return w.paper(f.of("child"), f.witnessed(vc.RoleNotary, f.consent(vc.ModeThirdParty, "mother", "father")))
		}, facts: facts(kenya), want: "PAPER_BEARER"},
		{name: "uncle with the aunt's paper", text: func(w *world) string {
			f := newFamily(w)
			return w.paper(f.of("child"), f.witnessed(vc.RoleNotary, f.consent(vc.ModeThirdParty, "mother", "father")))
		}, facts: going(func(f *Facts) { f.Confirm, f.AdultDocuments = []string{Portrait}, []string{jonah} }), want: "CONSENT_SCOPE"},
		{name: "mother on paper, consent of another key that names her", text: paperMother(true, "father"),
			facts: going(func(f *Facts) { f.Confirm, f.AdultDocuments = []string{Portrait}, []string{anna} }), want: "OK", near: "CONSENT_MISSING_CO CONSENT_QUORUM"},
		{name: "mother on paper, with a consent that may be her own", text: paperMother(false, "father"),
			facts: going(func(f *Facts) { f.Confirm, f.AdultDocuments = []string{Portrait}, []string{anna} }), want: "CONSENT_MISSING_CO"},
		{name: "mother on paper, with her own consent", text: paperMother(true, "mother"),
			facts: going(func(f *Facts) { f.Confirm, f.AdultDocuments = []string{Portrait}, []string{anna} }), want: "CONSENT_MISSING_CO"},

		// Time and route.
		{name: "the first day", text: coMother(vc.RoleNotary, func(_ *family, t *vc.TravelConsent) { t.Trip.NotBefore = "2026-11-20" }), facts: facts(kenya), want: "OK", near: "CONSENT_SCOPE"},
		{name: "the day before", text: coMother(vc.RoleNotary, func(_ *family, t *vc.TravelConsent) { t.Trip.NotBefore = "2026-11-21" }), facts: facts(kenya), want: "CONSENT_SCOPE"},
		{name: "the last day", text: coMother(vc.RoleNotary, func(_ *family, t *vc.TravelConsent) { t.Trip.NotAfter, t.Trip.ReturnBy = "2026-11-20", "" }), facts: facts(kenya), want: "OK", near: "CONSENT_SCOPE CRED_EXPIRED"},
		{name: "the day after", text: coMother(vc.RoleNotary, func(_ *family, t *vc.TravelConsent) { t.Trip.NotAfter, t.Trip.ReturnBy = "2026-11-19", "" }), facts: facts(kenya), want: "CONSENT_SCOPE"},
		{name: "consent credential over", text: func(w *world) string {
			f := newFamily(w)
			t := f.naming("mother", f.consent(vc.ModeOneGuardian, "father"))
			return w.present("mother", f.of("child"), f.of("mother"), f.witnessed(vc.RoleNotary, t, func(c *vc.Credential) { c.ValidTo = now }))
		}, facts: facts(kenya), want: "CONSENT_SCOPE", near: "CRED_EXPIRED_RECENT"},
		{name: "consent given tomorrow", text: coMother(vc.RoleNotary, func(_ *family, t *vc.TravelConsent) { t.GrantedOn = "2026-11-16" }), facts: going(func(f *Facts) { f.Date = vc.Date{Year: 2026, Month: 11, Day: 15} }), want: "CONSENT_SCOPE"},
		{name: "back later than agreed", text: coMother(vc.RoleNotary), facts: going(func(f *Facts) { f.ReturnBy = vc.Date{Year: 2026, Month: 12, Day: 11} }), want: "CONSENT_SCOPE"},
		{name: "leaves after the day of return, and the consent names no last day", text: coMother(vc.RoleNotary, func(_ *family, t *vc.TravelConsent) { t.Trip.NotAfter, t.Trip.ReturnBy = "", "2026-11-19" }),
			facts: facts(kenya), want: "CONSENT_SCOPE"},
		{name: "comes home after the day of return", text: coMother(vc.RoleNotary, func(_ *family, t *vc.TravelConsent) { t.Trip.NotAfter, t.Trip.ReturnBy = "", "2026-11-19" }),
			facts: facts(Facts{Exit: "KEN", Entry: "UGA"}), want: "OK", near: "CONSENT_SCOPE"},
		{name: "leaves on the day of return", text: coMother(vc.RoleNotary, func(_ *family, t *vc.TravelConsent) { t.Trip.NotAfter, t.Trip.ReturnBy = "", "2026-11-20" }),
			facts: facts(kenya), want: "OK", near: "CONSENT_SCOPE"},
		{name: "back as agreed", text: coMother(vc.RoleNotary), facts: going(func(f *Facts) { f.ReturnBy = vc.Date{Year: 2026, Month: 12, Day: 10} }), want: "OK", near: "CONSENT_SCOPE"},
		{name: "another destination", text: coMother(vc.RoleNotary), facts: going(func(f *Facts) { f.Entry = "TZA" }), want: "CONSENT_SCOPE"},
		{name: "a country of transit", text: coMother(vc.RoleNotary, func(_ *family, t *vc.TravelConsent) { t.Trip.Transit = []string{"TZA"} }), facts: going(func(f *Facts) { f.Entry = "TZA" }), want: "OK", near: "CONSENT_SCOPE"},
		{name: "from another country", text: coMother(vc.RoleNotary), facts: going(func(f *Facts) { f.Exit = "RWA" }), want: "CONSENT_SCOPE"},
		{name: "the way back", text: coMother(vc.RoleNotary), facts: facts(Facts{Exit: "KEN", Entry: "UGA"}), want: "OK", near: "CONSENT_SCOPE"},
		{name: "destination not entered", text: coMother(vc.RoleNotary), want: "DEST_UNKNOWN", near: "CONSENT_SCOPE"},

		// Status.
		{name: "at a place given to nobody", text: consentNowhere(-11 * time.Minute), facts: facts(kenya), want: "STATUS_NOT_ISSUED", near: "STATUS_UNKNOWN CONSENT_WITHDRAWN"},
		{name: "at a place given to nobody, by a telephone's clock", text: consentNowhere(-9 * time.Minute), facts: facts(kenya), want: "STATUS_UNKNOWN", near: "STATUS_NOT_ISSUED"},
		{name: "withdrawn", text: func(w *world) string { return withdrawn(w, 1, 0, vc.PurposeRevocation) }, facts: facts(kenya), want: "CONSENT_WITHDRAWN", near: "STATUS_REVOKED CONSENT_MISSING CONSENT_QUORUM"},
		{name: "one of two withdrew", text: func(w *world) string { return withdrawn(w, 2, 1, vc.PurposeRevocation) }, facts: facts(kenya), want: "CONSENT_WITHDRAWN"},
		{name: "held back", text: func(w *world) string { return withdrawn(w, 2, 0, vc.PurposeSuspension) }, facts: facts(kenya), want: "CONSENT_WITHDRAWN", near: "STATUS_SUSPENDED"},
		{name: "a pair for one of two grantors", text: func(w *world) string {
			f := newFamily(w)
			t := f.consent(vc.ModeThirdParty, "mother", "father")
			return w.present("aunt", f.of("child"), f.of("mother"), f.of("father"), f.witnessed(vc.RoleNotary, t, func(c *vc.Credential) { c.Status = c.Status[:2] }))
		}, facts: facts(kenya), want: "STATUS_UNKNOWN", near: "CONSENT_WITHDRAWN"},
		{name: "one pair twice for two grantors", text: func(w *world) string {
			f := newFamily(w)
			t := f.consent(vc.ModeThirdParty, "mother", "father")
			return w.present("aunt", f.of("child"), f.of("mother"), f.of("father"), f.witnessed(vc.RoleNotary, t, func(c *vc.Credential) { copy(c.Status[2:], c.Status[:2]) }))
		}, facts: facts(kenya), want: "STATUS_UNKNOWN"},
		{name: "the registry hosts no consents", world: func(w *world) { w.trust.Issuers[0].ConsentStatus = false }, text: coMother(vc.RoleNotary), facts: facts(kenya), want: "STATUS_UNKNOWN", near: "CONSENT_WITHDRAWN"},
		{name: "status at the witness's own list", text: func(w *world) string {
			f := newFamily(w)
			t := f.naming("mother", f.consent(vc.ModeOneGuardian, "father"))
			return w.present("mother", f.of("child"), f.of("mother"), f.witnessed(vc.RoleNotary, t, func(c *vc.Credential) {
				for i := range c.Status {
					c.Status[i].List = strings.Replace(c.Status[i].List, "registrar", "notary", 1)
				}
			}))
		}, facts: facts(kenya), want: "STATUS_UNKNOWN"},
		{name: "a consent's list of two days", world: func(w *world) { w.built = now.Add(-2 * day); w.trust.IssuedAt = w.built }, text: coMother(vc.RoleNotary), facts: facts(kenya), want: "STATUS_STALE"},

		// Alone, and with a group.
		{name: "alone, awaited", text: travelsAlone(nil), facts: going(func(f *Facts) { f.Company = CompanyAlone }), want: "OK", near: "RECEIVER_UNVERIFIED CONSENT_SCOPE"},
		{name: "alone, nobody in particular awaits", text: travelsAlone(func(t *vc.TravelConsent) { t.Receiving = &vc.Receiver{Address: "Nairobi"} }), facts: alone, want: "RECEIVER_UNVERIFIED"},
		{name: "alone, and the officer spoke with whoever awaits", text: travelsAlone(func(t *vc.TravelConsent) { t.Receiving = &vc.Receiver{Address: "Nairobi"} }),
			facts: going(func(f *Facts) { f.Company, f.Confirm = CompanyAlone, []string{Receiver} }), want: "OK", near: "RECEIVER_UNVERIFIED"},
		{name: "alone, and it is somebody else who awaits", text: travelsAlone(nil), facts: going(func(f *Facts) { f.Company, f.Deny = CompanyAlone, []string{Receiver} }), want: "RECEIVER_UNVERIFIED"},
		{name: "alone without a consent", text: birthOnly, facts: alone, want: "CONSENT_MISSING RECEIVER_UNVERIFIED"},
		{name: "alone with a consent for the aunt", text: withAunt(), facts: alone, want: "CONSENT_SCOPE RECEIVER_UNVERIFIED"},
		{name: "not alone with a consent to travel alone", text: travelsAlone(nil), facts: third, want: "CONSENT_SCOPE"},
		{name: "not alone: an adult's passport", text: travelsAlone(nil), facts: going(func(f *Facts) { f.Company, f.AdultDocuments = CompanyAlone, []string{rosa} }), want: "CONSENT_SCOPE"},
		{name: "with the class", text: withTeacher, facts: facts(kenya), want: "OK", near: "CONSENT_MISSING SIGNAL_2"},
		{name: "with the class, one parent agreed", text: func(w *world) string {
			f := newFamily(w)
			return w.present("teacher", f.of("child"), f.of("mother"), f.witnessed(vc.RoleNotary, f.consent(vc.ModeGroup, "mother")))
		}, facts: facts(kenya), want: "CONSENT_QUORUM"},

		// Those who act for a guardian.
		{name: "an officer of the state guardian with a foundling", text: officerOf(nil), facts: facts(kenya), want: "RECORD_INCOMPLETE_EXPECTED OK", near: "PARENT_MANDATE_UNKNOWN CONSENT_MISSING GUARDIAN_MISMATCH"},
		{name: "an officer whom the authority does not name", text: officerOf(func(w *world, _ *family, g *vc.Guardianship) { g.Guardian.Delegates = []string{w.id("uncle")} }),
			facts: facts(kenya), want: "GUARDIAN_MISMATCH"},
		{name: "an officer of an authority without the power to travel", text: officerOf(func(_ *world, _ *family, g *vc.Guardianship) { g.Powers = []string{"healthRoutine"} }),
			facts: facts(kenya), want: "POWER_MISSING RECORD_INCOMPLETE_EXPECTED"},
		{name: "a foundling with an aunt, and the state guardian agrees", text: func(w *world) string {
			var f *family
			officerOf(func(_ *world, x *family, g *vc.Guardianship) { f = x })(w)
			t := f.consent(vc.ModeThirdParty)
			t.Grantors = []vc.Grantor{{Guardianship: f.id["state"], Key: w.id("father"), Capacity: "stateGuardian"}}
			return w.present("aunt", f.of("child"), f.of("state"), f.witnessed(vc.RoleNotary, t))
		}, facts: facts(kenya), want: "RECORD_INCOMPLETE_EXPECTED OK", near: "CONSENT_QUORUM"},
		{name: "an officer cannot consent for the authority", text: func(w *world) string {
			var f *family
			officerOf(func(_ *world, x *family, g *vc.Guardianship) { f = x })(w)
			t := f.consent(vc.ModeThirdParty)
			t.Grantors = []vc.Grantor{{Guardianship: f.id["state"], Key: w.id("officer"), Capacity: "stateGuardian"}}
			return w.present("aunt", f.of("child"), f.of("state"), f.signs("officer", t))
		}, facts: facts(kenya), want: "CONSENT_MISSING CONSENT_QUORUM"},
		{name: "a delegate with the guardian's consent", text: delegated(true, "delegate", "travelAccompany", "travelConsent"), facts: facts(kenya), want: "OK", near: "CONSENT_MISSING CONSENT_SCOPE POWER_MISSING"},
		{name: "a delegate does not consent", text: delegated(false, "delegate", "travelAccompany", "travelConsent"), facts: facts(kenya), want: "CONSENT_MISSING", near: "NO_AUTHORITY GUARDIAN_MISMATCH"},
		{name: "delegated without the power to delegate", text: delegated(false, "travelAccompany", "travelConsent"), facts: facts(kenya), want: "GUARDIAN_MISMATCH"},
		{name: "delegated more than the guardian has", text: delegated(true, "delegate", "travelConsent"), facts: facts(kenya), want: "POWER_MISSING"},

		// A court in the place of a guardian.
		{name: "a court agrees for the father", text: func(w *world) string {
			f := newFamily(w)
			t := f.consent(vc.ModeOneGuardian)
			t.Grantors = []vc.Grantor{{Guardianship: "urn:court:order-7", Key: "did:web:court.example", Capacity: "court"}}
			return w.present("mother", f.of("child"), f.of("mother"), f.witnessed(vc.RoleCourt, t))
		}, facts: facts(kenya), want: "OK", near: "CONSENT_QUORUM CONSENT_MISSING_CO"},
		{name: "a notary writes that a court agreed", text: func(w *world) string {
			f := newFamily(w)
			t := f.consent(vc.ModeOneGuardian)
			t.Grantors = []vc.Grantor{{Guardianship: "urn:court:order-7", Key: "did:web:court.example", Capacity: "court"}}
			return w.present("mother", f.of("child"), f.of("mother"), f.witnessed(vc.RoleNotary, t))
		}, facts: facts(kenya), want: "CONSENT_MISSING_CO CONSENT_QUORUM"},

		// Parents.
		{name: "father undeclared, and a mandate that names no number", text: withParents("undeclared", func(g *vc.Guardianship) { g.Exercise = vc.Exercise{Mode: "joint"} }),
			facts: facts(kenya), want: "RECORD_INCOMPLETE_EXPECTED OK", near: "CONSENT_MISSING_CO PARENT_MANDATE_UNKNOWN"},
		{name: "father died", text: withParents("deceased", func(g *vc.Guardianship) { g.Exercise = joint }), facts: facts(kenya), want: "OK", near: "CONSENT_MISSING_CO RECORD_INCOMPLETE_EXPECTED"},
		{name: "father known, and the mandate speaks of one guardian", text: withParents("known", func(g *vc.Guardianship) { g.Exercise = vc.Exercise{Mode: "independent", CoGuardianCount: 1} }),
			facts: facts(kenya), want: "PARENT_MANDATE_UNKNOWN"},
		{name: "complete record", text: goodFamily, facts: facts(kenya), want: "OK", near: "RECORD_INCOMPLETE_EXPECTED"},
		{name: "another child's consent", text: func(w *world) string {
			f := newFamily(w)
			t := f.consent(vc.ModeOneGuardian, "father")
			t.ChildRef = refTwin
			return w.present("mother", f.of("child"), f.of("mother"), f.witnessed(vc.RoleNotary, t))
		}, facts: facts(kenya), want: "LINK_BROKEN CONSENT_MISSING_CO"},

		// Countries.
		{name: "South Africa asks for the parents' names", world: (*world).national, text: func(w *world) string {
			f := newFamily(w)
			f.birth.Parentage = []vc.Parent{}
			f.mandate["mother"].Exercise = vc.Exercise{Mode: "sole"}
			return w.present("mother", f.of("child"), f.of("mother"))
		}, facts: facts(Facts{Exit: "UGA", Entry: "ZAF"}), want: "PARENTAGE_MISSING RECORD_INCOMPLETE_EXPECTED"},
		{name: "South Africa, parents named", world: (*world).national, text: func(w *world) string {
			f := newFamily(w)
			f.mandate["mother"].Exercise = vc.Exercise{Mode: "sole"}
			return w.present("mother", f.of("child"), f.of("mother"))
		}, facts: facts(Facts{Exit: "UGA", Entry: "ZAF"}), want: "OK", near: "PARENTAGE_MISSING"},
		{name: "South Africa, a consent of four months", world: (*world).national, text: coMother(vc.RoleNotary, func(_ *family, t *vc.TravelConsent) {
			t.GrantedOn, t.Trip.Destinations = "2026-07-01", []string{"ZAF"}
		}), facts: facts(Facts{Exit: "UGA", Entry: "ZAF"}), want: "CONSENT_OLD"},
		{name: "South Africa, a consent of one month", world: (*world).national, text: coMother(vc.RoleNotary, func(_ *family, t *vc.TravelConsent) {
			t.Trip.Destinations = []string{"ZAF"}
		}), facts: facts(Facts{Exit: "UGA", Entry: "ZAF"}), want: "OK", near: "CONSENT_OLD FACTS_MISSING"},
		{name: "Brazil, and nobody knows where the child lives", world: (*world).national, text: func(w *world) string {
			f := newFamily(w)
			return w.present("mother", f.of("child"), f.of("mother"))
		}, facts: facts(Facts{Exit: "BRA", Entry: "UGA"}), want: "CONSENT_MISSING_CO FACTS_MISSING"},

		// Signals.
		{name: "a mandate of four weeks", text: newMandate("2026-10-22", nil), facts: facts(kenya), want: "SIGNAL_3"},
		{name: "a mandate of a month", text: newMandate("2026-10-21", nil), facts: facts(kenya), want: "OK", near: "SIGNAL_3"},
		{name: "a new adoption under the convention", text: newMandate("2026-10-30", func(g *vc.Guardianship) {
			yes := true
			g.LegalBasis.Type, g.LegalBasis.Hague1993Art23 = "adoptionPlenary", &yes
		}), facts: facts(kenya), want: "OK", near: "SIGNAL_3"},
		{name: "a newer adoption under the convention hides no other new mandate", text: func(w *world) string {
			f := newFamily(w)
			yes := true
			m, x := f.mandate["mother"], f.mandate["father"]
			m.LegalBasis.Type, m.LegalBasis.Hague1993Art23, m.Effective.From = "adoptionPlenary", &yes, "2026-11-15"
			x.LegalBasis.Type, x.LegalBasis.Finality, x.Role, x.Effective.From = "courtOrder", "final", "legalGuardian", "2026-11-10"
			w.others = []string{w.present("father", f.of("child"), f.of("father"))}
			return w.present("mother", f.of("child"), f.of("mother"))
		}, facts: func(w *world) Facts { return Facts{Exit: "UGA", Entry: "KEN", Others: w.others} }, want: "SIGNAL_3"},
		{name: "registered late at a year and a day", text: withBirth(func(b *vc.Birth) {
			b.BirthDate.Value, b.Registration.Mode, b.Registration.Date = "2025-11-19", "late", "2026-11-01"
		}), facts: facts(kenya), want: "SIGNAL_5"},
		{name: "registered late, a year old today", text: withBirth(func(b *vc.Birth) {
			b.BirthDate.Value, b.Registration.Mode, b.Registration.Date = "2025-11-20", "late", "2026-11-01"
		}), facts: facts(kenya), want: "OK", near: "SIGNAL_5"},
		{name: "a new mandate by birth", text: newMandate("2026-11-01", func(g *vc.Guardianship) { g.LegalBasis.Type = "parentalResponsibilityByBirth" }), facts: facts(kenya), want: "OK", near: "SIGNAL_3"},
		{name: "registered late, a month ago", text: registered("late", "2026-10-20"), facts: facts(kenya), want: "SIGNAL_5"},
		{name: "registered late, two months ago", text: registered("late", "2026-09-21"), facts: facts(kenya), want: "OK", near: "SIGNAL_5"},
		{name: "registered in time", text: registered("timely", "2026-10-20"), facts: facts(kenya), want: "OK", near: "SIGNAL_5"},
		{name: "a foundling with a guardian of the State, registered late", text: officerOf(func(_ *world, f *family, _ *vc.Guardianship) {
			f.birth.Registration.Mode, f.birth.Registration.Date = "reconstructed", "2026-11-01"
		}), facts: facts(kenya), want: "RECORD_INCOMPLETE_EXPECTED OK", near: "SIGNAL_5"},
	}
}

// paperMother is the mother's paper with a notarised consent; named says
// whether the consent names her as the one who travels.
func paperMother(named bool, grantor string) func(w *world) string {
	return func(w *world) string {
		f := newFamily(w)
		t := f.consent(vc.ModeOneGuardian, grantor)
		if named {
			t.Accompanying = []vc.Companion{w.companion("mother")}
		}
		g := w.mandate("")
		jointly(g)
		return w.paper(f.of("child"), w.issue(g), f.witnessed(vc.RoleNotary, t))
	}
}

// naming has a consent name the adult who travels.
func (f *family) naming(who string, t *vc.TravelConsent) *vc.TravelConsent {
	t.Accompanying = append(t.Accompanying, f.w.companion(who))
	return t
}

// secondTelephone is the mother, with a consent that she gave herself by another
// copy of her guardianship.
func secondTelephone(change func(f *family, t *vc.TravelConsent)) func(w *world) string {
	return func(w *world) string {
		f := newFamily(w)
		g := *f.mandate["mother"]
		g.ID = w.id("thief") // her other telephone
		f.mandate["thief"] = &g
		t := f.consent(vc.ModeOneGuardian, "thief")
		change(f, t)
		return w.present("mother", f.of("child"), f.of("mother"), f.witnessed(vc.RoleNotary, t))
	}
}

// consentNowhere is a consent made so long before the registrar said that its
// place is nobody's.
func consentNowhere(before time.Duration) func(*world) string {
	return func(w *world) string {
		f := newFamily(w)
		jwt := f.witnessed(vc.RoleNotary, f.consent(vc.ModeOneGuardian, "father"))
		text := w.present("mother", f.of("child"), f.of("mother"), f.of("father"), jwt)
		w.setOn(jwt, 0, vc.PurposeRevocation) // to learn where it is
		l := w.lists[shelf(vc.RoleRegistrar)+"/status/revocation/1"]
		var others []int64
		for n := range int64(200) {
			if set, err := l.Get(n); err != nil || !set {
				others = append(others, n)
			} else if err := l.Clear(n); err != nil {
				w.t.Fatal(err)
			}
		}
		v, err := vc.SplitJWS(jwt)
		if err != nil {
			w.t.Fatal(err)
		}
		c, err := vc.ParseCredential(v.PayloadUnverified())
		if err != nil {
			w.t.Fatal(err)
		}
		given(c.ValidFrom.Add(-before), others...)(w)
		return text
	}
}

// withdrawn is a consent of n grantors of which one is set on a list.
func withdrawn(w *world, n, pair int, purpose string) string {
	f := newFamily(w)
	mode, grantors, holder := vc.ModeThirdParty, []string{"mother", "father"}, "aunt"
	if n == 1 {
		mode, grantors, holder = vc.ModeOneGuardian, []string{"father"}, "mother"
	}
	jwt := f.witnessed(vc.RoleNotary, f.consent(mode, grantors...))
	w.setOn(jwt, pair, purpose)
	return w.present(holder, f.of("child"), f.of("mother"), f.of("father"), jwt)
}

func travelsAlone(change func(*vc.TravelConsent)) func(w *world) string {
	return func(w *world) string {
		f := newFamily(w)
		f.birth.BirthDate.Value = "2012-01-01"
		t := f.consent(vc.ModeAlone, "mother", "father")
		if change != nil {
			change(t)
		}
		return w.present("uncle", f.of("child"), f.of("mother"), f.of("father"), f.witnessed(vc.RoleNotary, t))
	}
}

func withTeacher(w *world) string {
	f := newFamily(w)
	return w.present("teacher", f.of("child"), f.of("mother"), f.of("father"), f.witnessed(vc.RoleNotary, f.consent(vc.ModeGroup, "mother", "father")))
}

// delegated is an aunt whom a sole guardian lets accompany the child.
func delegated(consents bool, powers ...string) func(w *world) string {
	return func(w *world) string {
		f := newFamily(w)
		g := f.mandate["mother"]
		g.Exercise, g.Powers, g.Guardian.Delegates = vc.Exercise{Mode: "sole"}, powers, []string{w.id("aunt")}
		if !consents {
			return w.present("aunt", f.of("child"), f.of("mother"))
		}
		t := f.consent(vc.ModeThirdParty, "mother")
		t.Accompanying = []vc.Companion{w.companion("uncle")} // the delegation itself names the aunt
		return w.present("aunt", f.of("child"), f.of("mother"), f.witnessed(vc.RoleNotary, t))
	}
}

func withParents(father string, change func(*vc.Guardianship)) func(w *world) string {
	return func(w *world) string {
		f := newFamily(w)
		f.birth.Parentage[1].Status = father
		change(f.mandate["mother"])
		return w.present("mother", f.of("child"), f.of("mother"))
	}
}

func newMandate(from string, change func(*vc.Guardianship)) func(w *world) string {
	return func(w *world) string {
		f := newFamily(w)
		g := f.mandate["mother"]
		g.Effective.From, g.Exercise, g.Role = from, vc.Exercise{Mode: "sole"}, "legalGuardian"
		g.LegalBasis.Type, g.LegalBasis.Finality = "courtOrder", "final"
		if change != nil {
			change(g)
		}
		return w.present("mother", f.of("child"), f.of("mother"))
	}
}

func registered(mode, date string) func(w *world) string {
	return withBirth(func(b *vc.Birth) { b.Registration.Mode, b.Registration.Date = mode, date })
}
