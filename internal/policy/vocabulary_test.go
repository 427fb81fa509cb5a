package policy

import (
	"strings"
	"testing"

	"github.com/kinpass/kinpass/internal/vc"
)

// TestPredicates: every word of the vocabulary holds in one situation and not
// in another; where it needs a fact that may be missing, it is unknown then.
func TestPredicates(t *testing.T) {
	p, err := Parse([]byte(plain))
	if err != nil {
		t.Fatal(err)
	}
	mother := func(s *Situation) {
		s.Company, s.Here, s.CompanionParent = Some, 1, Yes
		s.Roles, s.Bases = []string{"mother"}, []string{"parentalResponsibilityByBirth"}
	}
	both := func(s *Situation) { mother(s); s.Company, s.Here = All, 2 }
	alone := func(s *Situation) { s.Company = Alone }
	nothing := func(*Situation) {}
	type row struct {
		text   string
		change func(*Situation)
		want   Known
	}
	table := []row{
		{"always", nothing, Yes}, {"always", both, Yes},
		{"bothParents", both, Yes}, {"bothParents", mother, No}, {"bothParents", nothing, No},
		{"bothParents", func(s *Situation) { mother(s); s.Sole = true }, Yes},
		{"bothParents", func(s *Situation) { mother(s); s.Independent = true }, No}, // independentSuffices is false
		{"oneParent", mother, Yes}, {"oneParent", both, No}, {"oneParent", alone, No},
		{"aloneOrThirdParty", nothing, Yes}, {"aloneOrThirdParty", alone, Yes}, {"aloneOrThirdParty", mother, No},
		{"aloneOrThirdParty", func(s *Situation) { mother(s); s.Roles = []string{"fosterCarer"} }, Yes},
		{"aloneOrThirdParty", func(s *Situation) {
			mother(s)
			s.Roles, s.Bases = []string{"legalGuardian"}, []string{"courtOrder"}
		}, No},
		{"aloneOrThirdParty", func(s *Situation) {
			mother(s)
			s.Roles, s.Bases = []string{"legalGuardian"}, []string{"kafala"}
		}, Yes},
		{"aloneOrThirdParty", func(s *Situation) { mother(s); s.Roles = nil }, Yes},
		{"aloneOrThirdParty", func(s *Situation) { mother(s); s.Roles, s.Bases = []string{"legalGuardian"}, nil }, Yes},
		{"alone", alone, Yes}, {"alone", nothing, No}, {"alone", func(s *Situation) { s.Company, s.Here = Alone, 1 }, No},
		{"thirdParty", nothing, Yes}, {"thirdParty", alone, No}, {"thirdParty", both, No},
		{"group", func(s *Situation) { s.Company = Group }, Yes}, {"group", nothing, No},
		{"sole", func(s *Situation) { mother(s); s.Sole = true }, Yes}, {"sole", mother, No}, {"sole", func(s *Situation) { s.Sole = true }, No},
		{"independent", func(s *Situation) { mother(s); s.Independent = true }, Yes}, {"independent", mother, No},
		{"child.national", nothing, Yes}, {"child.national", func(s *Situation) { s.ChildNationality = "XXA" }, No},
		{"child.national", func(s *Situation) { s.ChildNationality = "" }, Unknown},
		{"child.residentAbroad", func(s *Situation) { s.Residence = "XXA" }, Yes}, {"child.residentAbroad", nothing, No},
		{"child.residentAbroad", func(s *Situation) { s.Residence = "" }, Unknown},
		{"child.goesHome", func(s *Situation) { s.Residence = "XXA" }, Yes}, {"child.goesHome", nothing, No},
		{"child.goesHome", func(s *Situation) { s.Residence = "" }, Unknown}, {"child.goesHome", func(s *Situation) { s.Other = "" }, Unknown},
		{"companion.isParent", mother, Yes}, {"companion.isParent", nothing, No}, {"companion.isParent", alone, No},
		{"companion.isParent", func(s *Situation) { s.CompanionParent = Unknown }, Unknown},
		{"companion.isAdult", nothing, Yes}, {"companion.isAdult", func(s *Situation) { s.CompanionAdult = No }, No}, {"companion.isAdult", alone, No},
		{"companion.isAdult", func(s *Situation) { s.CompanionAdult = Unknown }, Unknown},
		{"companion.named", nothing, Yes}, {"companion.named", func(s *Situation) { s.CompanionNamed = false }, No},
		{"companion.foreignResidentAbroad", func(s *Situation) { s.CompanionNationality, s.CompanionResidence = "XXA", "XXB" }, Yes},
		{"companion.foreignResidentAbroad", func(s *Situation) { s.CompanionNationality = "XXA" }, No},
		{"companion.foreignResidentAbroad", func(s *Situation) { s.CompanionResidence = "XXA" }, No},
		{"companion.foreignResidentAbroad", func(s *Situation) { s.CompanionNationality, s.CompanionResidence = "XXA", "" }, Unknown},
		{"companion.foreignResidentAbroad", func(s *Situation) { s.CompanionNationality = "" }, No}, // lives here
		{"companion.foreignResidentAbroad", func(s *Situation) { alone(s); s.CompanionNationality, s.CompanionResidence = "XXA", "XXB" }, No},
		{"relocation", func(s *Situation) { s.Relocation = true }, Yes}, {"relocation", nothing, No},
		{"ageBelow(10)", nothing, Yes}, {"ageBelow(9)", nothing, No},
		{"absenceAtMost(10)", nothing, Yes}, {"absenceAtMost(9)", nothing, No},
		{"absenceAtMost(9)", func(s *Situation) { s.ReturnBy = vc.Date{} }, Unknown},
		{"absenceAtMost(9)", func(s *Situation) { s.ReturnBy = s.Day.AddDays(-1) }, No},
		{"other(XXA)", nothing, Yes}, {"other(XXB)", nothing, No}, {"other(XXA)", func(s *Situation) { s.Other = "" }, Unknown},
		{"purpose(sport)", func(s *Situation) { s.Purpose = "sport" }, Yes}, {"purpose(sport)", func(s *Situation) { s.Purpose = "family" }, No},
		{"purpose(sport)", nothing, Unknown},
		{"basis(courtOrder)", func(s *Situation) { s.Bases = []string{"customary", "courtOrder"} }, Yes}, {"basis(courtOrder)", mother, No},
		{"basis(courtOrder)", nothing, Unknown},
		{"role(mother)", mother, Yes}, {"role(father)", mother, No}, {"role(mother)", nothing, Unknown},
		{"parent(deceased)", func(s *Situation) { s.Parents = []Parent{{"father", "deceased"}} }, Yes}, {"parent(deceased)", nothing, No},
		{"parent(deceased)", func(s *Situation) { s.BirthShown = false }, Unknown},
		// Joined: && binds closer than ||, and what decides is not unknown.
		{"!always", nothing, No}, {"!child.national", func(s *Situation) { s.ChildNationality = "" }, Unknown},
		{"alone && always || thirdParty", nothing, Yes}, {"thirdParty || always && alone", nothing, Yes}, {"alone && thirdParty || group", nothing, No},
		{"child.national && alone", func(s *Situation) { s.ChildNationality = "" }, No},
		{"child.national || thirdParty", func(s *Situation) { s.ChildNationality = "" }, Yes},
		{"child.national && thirdParty", func(s *Situation) { s.ChildNationality = "" }, Unknown},
		{"child.national || alone", func(s *Situation) { s.ChildNationality = "" }, Unknown},
	}
	seen := map[string]map[Known]bool{}
	for _, x := range table {
		c, wrong := parseCondition(x.text)
		if wrong != "" {
			t.Fatalf("%s %s", x.text, wrong)
		}
		s := aunt()
		x.change(&s)
		v := view{p: p, s: &s}
		v.count()
		if got := c.holds(&v); got.known != x.want || (got.known == Unknown) != (got.lack != 0) {
			t.Errorf("%s: %d for want of %b, want %d\n%+v", x.text, got.known, got.lack, x.want, s)
		}
		name, _, _ := strings.Cut(x.text, "(")
		if seen[name] == nil {
			seen[name] = map[Known]bool{}
		}
		seen[name][x.want] = true
	}
	for _, w := range Predicates() {
		if !seen[w.Name][Yes] || !seen[w.Name][No] && w.Name != "always" {
			t.Errorf("%s is not tried both ways", w.Name)
		}
		if len(w.Meaning) < 10 {
			t.Errorf("%s is not explained", w.Name)
		}
	}
}

// TestNeeds: every need is met in one situation and missed in another.
func TestNeeds(t *testing.T) {
	p, err := Parse([]byte(plain))
	if err != nil {
		t.Fatal(err)
	}
	consent := func(n int, level string, months int, ends bool) Consent {
		return Consent{Grantors: n, Level: level, GrantedOn: addMonths(CaseDay, -months), Ends: ends}
	}
	agreed := func(s *Situation) { s.Consents = []Consent{consent(2, "notarised", 1, true)} }
	mother := func(s *Situation) {
		s.Company, s.Here, s.CompanionParent = Some, 1, Yes
		s.Roles, s.Bases = []string{"mother"}, []string{"parentalResponsibilityByBirth"}
	}
	father := func(c Consent) func(*Situation) {
		return func(s *Situation) { mother(s); s.Consents = []Consent{c} }
	}
	for _, x := range []struct {
		name   string
		change func(*Situation)
		want   string
	}{
		{"all is there", agreed, ""},
		{"nobody agrees", func(*Situation) {}, "CONSENT_MISSING!"},
		{"one agrees", func(s *Situation) { s.Consents = []Consent{consent(1, "notarised", 1, true)} }, "CONSENT_QUORUM!"},
		{"in place of both a court", func(s *Situation) {
			s.Consents = []Consent{{Court: true, Level: "judicial", GrantedOn: s.Day, Ends: true}}
		}, ""},
		{"in place of the other a court", func(s *Situation) {
			s.Consents = []Consent{consent(1, "notarised", 1, true), {Court: true, Level: "judicial", GrantedOn: s.Day, Ends: true}}
		}, ""},
		{"the other parent", father(consent(1, "notarised", 1, true)), ""},
		{"the other parent at a higher level", father(consent(1, "judicial", 1, true)), ""},
		{"at a lower level", father(consent(1, "witnessed", 1, true)), "CONSENT_ASSURANCE_LOW!"},
		{"at no level", father(consent(1, "", 1, true)), "CONSENT_ASSURANCE_LOW!"},
		{"three months ago", father(consent(1, "notarised", 3, true)), ""},
		{"four months ago", father(consent(1, "notarised", 4, true)), "CONSENT_OLD"},
		{"when nobody knows", father(Consent{Grantors: 1, Level: "notarised", Ends: true}), "CONSENT_OLD"},
		{"25 months ago until today", father(consent(1, "notarised", 25, true)), "CONSENT_OLD"},
		{"25 months ago without an end", father(consent(1, "notarised", 25, false)), "CONSENT_SCOPE!"},
		{"24 months ago without an end", father(consent(1, "notarised", 24, false)), "CONSENT_OLD"},
		{"dated ahead", father(Consent{Grantors: 1, Level: "notarised", GrantedOn: CaseDay.AddDays(1)}), "CONSENT_SCOPE!"},
		{"to settle abroad, not allowed", func(s *Situation) { father(consent(1, "notarised", 1, true))(s); s.Relocation = true }, "CONSENT_SCOPE!"},
		{"to settle abroad, allowed", func(s *Situation) {
			c := consent(1, "notarised", 1, true)
			c.Relocation = true
			father(c)(s)
			s.Relocation = true
		}, ""},
		{"by court order, home soon", func(s *Situation) { mother(s); s.Bases = []string{"courtOrder"} }, ""},
		{"by court order, home late", func(s *Situation) { mother(s); s.Bases = []string{"courtOrder"}; s.ReturnBy = s.Day.AddDays(29) }, "CONSENT_MISSING_CO!"},
		{"by court order, home some day", func(s *Situation) { mother(s); s.Bases = []string{"courtOrder"}; s.ReturnBy = vc.Date{} }, "CONSENT_MISSING_CO!"},
		{"the adult is not named", func(s *Situation) { agreed(s); s.CompanionNamed = false }, "CONSENT_SCOPE!"},
		{"the adult is none", func(s *Situation) { agreed(s); s.CompanionAdult = No }, "CONSENT_SCOPE!"},
		{"the adult may be none", func(s *Situation) { agreed(s); s.CompanionAdult = Unknown }, "CONSENT_SCOPE!"},
		{"alone there is no adult", func(s *Situation) { agreed(s); s.Company, s.CompanionNamed, s.CompanionAdult = Alone, false, Unknown }, ""},
		{"nobody awaits the child", func(s *Situation) { agreed(s); s.Company, s.Receiver = Alone, Receiver{} }, "RECEIVER_UNVERIFIED!"},
		{"nobody awaits the child of twelve", func(s *Situation) { agreed(s); s.Company, s.Receiver, s.Age = Alone, Receiver{}, 12 }, "RECEIVER_UNVERIFIED"},
		{"the officer spoke with who does", func(s *Situation) { agreed(s); s.Company, s.Receiver = Alone, Receiver{Verified: true} }, ""},
		{"a name to nobody at home", func(s *Situation) { agreed(s); s.Company, s.Receiver = Alone, Receiver{Name: true} }, "RECEIVER_UNVERIFIED!"},
		{"no birth credential", func(s *Situation) { agreed(s); s.BirthShown = false }, "PARENTAGE_MISSING!"},
		{"no parents on it", func(s *Situation) { agreed(s); s.Parents = nil }, "PARENTAGE_MISSING!"},
		{"away for 90 days", func(s *Situation) { agreed(s); s.ReturnBy = s.Day.AddDays(90) }, ""},
		{"away for 91 days", func(s *Situation) { agreed(s); s.ReturnBy = s.Day.AddDays(91) }, "ABSENCE_TOO_LONG"},
		{"a stranger from abroad", func(s *Situation) { agreed(s); s.CompanionNationality, s.CompanionResidence = "XXA", "XXA" }, "CONSENT_ASSURANCE_LOW!"},
		{"a stranger from abroad, nobody agrees", func(s *Situation) { s.CompanionNationality, s.CompanionResidence = "XXA", "XXA" }, "CONSENT_MISSING!"},
		{"a stranger perhaps from abroad", func(s *Situation) { agreed(s); s.CompanionNationality, s.CompanionResidence = "", "" }, "CONSENT_ASSURANCE_LOW!"},
		{"a stranger from abroad, and a court", func(s *Situation) {
			s.CompanionNationality, s.CompanionResidence = "XXA", "XXA"
			s.Consents = []Consent{{Court: true, Level: "judicial", GrantedOn: s.Day, Ends: true}}
		}, ""},
		{"a stranger from abroad, and a court by a notary", func(s *Situation) {
			s.CompanionNationality, s.CompanionResidence = "XXA", "XXA"
			s.Consents = []Consent{{Court: true, Level: "notarised", GrantedOn: s.Day, Ends: true}}
		}, "CONSENT_ASSURANCE_LOW!"},
		{"two more whom this policy does not excuse", func(s *Situation) {
			mother(s)
			s.Assumed, s.Guardians, s.Parents = true, 3, []Parent{{"mother", "known"}, {"father", "unknown"}, {"parent", "unknown"}}
		}, "CONSENT_MISSING_CO! CONSENT_QUORUM!"},
		{"lives abroad, certified", func(s *Situation) { mother(s); s.Residence, s.ResidenceProof = "XXA", addMonths(s.Day, -24) }, ""},
		{"lives abroad, certified long ago", func(s *Situation) { mother(s); s.Residence, s.ResidenceProof = "XXA", addMonths(s.Day, -25) }, "CONSENT_MISSING_CO!"},
		{"lives abroad, certified tomorrow", func(s *Situation) { mother(s); s.Residence, s.ResidenceProof = "XXA", s.Day.AddDays(1) }, "CONSENT_MISSING_CO!"},
		{"lives abroad, says somebody", func(s *Situation) { mother(s); s.Residence = "XXA" }, "CONSENT_MISSING_CO!"},
		{"lives here, certified abroad", func(s *Situation) { mother(s); s.ResidenceProof = s.Day }, "CONSENT_MISSING_CO!"},
		{"lives somewhere, certified abroad", func(s *Situation) { mother(s); s.Residence, s.ResidenceProof = "", s.Day }, "CONSENT_MISSING_CO!"},
		{"the other parent is dead", func(s *Situation) { mother(s); s.Parents[1].Status = "deceased" }, ""},
		{"the other parent is unknown, which this policy does not excuse", func(s *Situation) { mother(s); s.Assumed = true; s.Parents[1].Status = "unknown" }, "CONSENT_MISSING_CO!"},
		{"a child from elsewhere", func(s *Situation) { mother(s); s.ChildNationality, s.Residence = "XXA", "XXA" }, "CONSENT_MISSING_CO"},
		{"a child perhaps from elsewhere", func(s *Situation) { mother(s); s.ChildNationality, s.Residence = "", "XXA" }, "CONSENT_MISSING_CO!"},
		{"of age here", func(s *Situation) { s.Age = 18 }, ""},
	} {
		s := aunt()
		x.change(&s)
		if got := codesOf(p.Evaluate(s)); got != x.want {
			t.Errorf("%s: %q, want %q", x.name, got, x.want)
		}
	}
}
