package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/vc"
)

// plain is a policy that uses most of the language.
const plain = `{"policyId":"UTO-1","version":1,"label":"Utopia","country":"UTO","direction":"exit","sources":["Act 1"],
"appliesIf":{"ageBelow":18,"nationality":["UTO"],"habitualResidence":["UTO"]},
"required":[
 {"if":"companion.foreignResidentAbroad && !companion.isParent","need":[{"consent":"court"}],"overrides":true,"source":"Art. 3"},
 {"if":"bothParents","need":[]},
 {"if":"oneParent && basis(courtOrder) && absenceAtMost(28)","need":[]},
 {"if":"oneParent","need":[{"consent":"otherParent","assurance":["notarised","consular","judicial"],"maxAgeMonths":3}]},
 {"if":"aloneOrThirdParty","need":[{"consent":"allParents"},{"accompanying":"namedAdult18"},{"receiver":["name"]},{"birth":"parentage"},{"maxAbsenceDays":90}]}],
"substitutes":[{"parent":"deceased","proof":"deathStatus"},{"guardian":["legalGuardian"],"basis":["courtOrder"],"actsAs":"parents"}],
"consent":{"defaultValidityMonths":24,"relocationDefault":false},
"residentAbroad":{"proof":"consularResidence","proofMaxAgeMonths":24,"required":[{"if":"oneParent","need":[]},{"if":"aloneOrThirdParty","need":[{"consent":"allParents"}]}]},
"independentSuffices":false,"onMissing":"RED","highRiskIf":"other(XXB)",
"cases":[{"name":"both parents","travels":["mother","father"],"expect":{"colour":"green"}}]}`

func TestParse(t *testing.T) {
	p, err := Parse([]byte(plain))
	if err != nil {
		t.Fatal(err)
	}
	if p.ID != "UTO-1" || p.Country != "UTO" || p.Direction != Exit || len(p.Cases) != 1 || len(p.rules) != 4 || len(p.overriding) != 1 {
		t.Errorf("%+v", p)
	}
	if bytes.Contains(p.Raw(), []byte("cases")) || !json.Valid(p.Raw()) {
		t.Errorf("a bundle would carry %s", p.Raw())
	}
	again, err := Parse(p.Raw())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again.Raw(), p.Raw()) {
		t.Error("what goes into a bundle changes when it is read")
	}
	for _, p := range Shipped() {
		if !strings.Contains(p.Label, "illustrative, not legal advice") || len(p.Sources) == 0 {
			t.Errorf("%s does not say what it is", p.ID)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct{ name, old, new, path string }{
		{"unknown member", `"version":1`, `"version":1,"retentionDays":730`, ""},
		{"unknown member of a need", `{"consent":"court"}`, `{"consent":"court","by":"x"}`, "/required/0/need/0"},
		{"member in other case", `"version":1`, `"Version":1`, ""},
		{"null", `"need":[]`, `"need":null`, "/required/1/need"},
		{"null rule", `"overrides":true`, `"overrides":null`, "/required/0/overrides"},
		{"no need", `{"if":"bothParents","need":[]}`, `{"if":"bothParents"}`, "/required/1/need"},
		{"fraction", `"version":1`, `"version":1.5`, "/version"},
		{"huge number", `"version":1`, `"version":1e99`, "/version"},
		{"text for number", `"version":1`, `"version":"1"`, "/version"},
		{"zero version", `"version":1`, `"version":0`, "/version"},
		{"bad id", `"UTO-1"`, `"UTO 1"`, "/policyId"},
		{"no label", `"Utopia"`, `""`, "/label"},
		{"control in label", `"Utopia"`, `"Uto\u202epia"`, "/label"},
		{"bad country", `"country":"UTO"`, `"country":"uto"`, "/country"},
		{"two ways to name countries", `"country":"UTO"`, `"country":"UTO","countries":["UTP"]`, "/countries"},
		{"empty countries", `"country":"UTO"`, `"countries":[]`, "/countries"},
		{"bad direction", `"exit"`, `"out"`, "/direction"},
		{"no sources", `["Act 1"]`, `[]`, "/sources"},
		{"no age", `{"ageBelow":18,`, `{`, "/appliesIf/ageBelow"},
		{"age of nobody", `"ageBelow":18`, `"ageBelow":1`, "/appliesIf/ageBelow"},
		{"bad colour", `"onMissing":"RED"`, `"onMissing":"GREEN"`, "/onMissing"},
		{"colour in lower case", `"onMissing":"RED"`, `"onMissing":"red"`, "/onMissing"},
		{"no colour", `"onMissing":"RED",`, ``, "/onMissing"},
		{"unknown predicate", `"if":"bothParents"`, `"if":"bothParent"`, "/required/1/if"},
		{"empty condition", `"if":"bothParents"`, `"if":""`, "/required/1/if"},
		{"dangling and", `"if":"bothParents"`, `"if":"bothParents &&"`, "/required/1/if"},
		{"brackets", `"if":"bothParents"`, `"if":"(bothParents)"`, "/required/1/if"},
		{"double not", `"if":"bothParents"`, `"if":"!!bothParents"`, "/required/1/if"},
		{"one bar", `"if":"bothParents"`, `"if":"bothParents | oneParent"`, "/required/1/if"},
		{"argument missing", `basis(courtOrder)`, `basis`, "/required/2/if"},
		{"argument empty", `basis(courtOrder)`, `basis()`, "/required/2/if"},
		{"argument unknown", `basis(courtOrder)`, `basis(wish)`, "/required/2/if"},
		{"argument too much", `"if":"bothParents"`, `"if":"bothParents(2)"`, "/required/1/if"},
		{"argument not closed", `absenceAtMost(28)`, `absenceAtMost(28`, "/required/2/if"},
		{"argument out of range", `absenceAtMost(28)`, `absenceAtMost(99999)`, "/required/2/if"},
		{"argument with zeros", `absenceAtMost(28)`, `absenceAtMost(028)`, "/required/2/if"},
		{"too many words", `"if":"bothParents"`, `"if":"bothParents` + strings.Repeat(" || oneParent", 16) + `"`, "/required/1/if"},
		{"too long", `"if":"bothParents"`, `"if":"bothParents` + strings.Repeat(" ", 500) + `"`, "/required/1/if"},
		{"both parents left open", `{"if":"bothParents","need":[]},`, ``, "/required"},
		{"one parent left open", `{"if":"oneParent","need":[{"consent":"otherParent"`, `{"if":"oneParent && child.national","need":[{"consent":"otherParent"`, "/required"},
		{"third party left open", `{"if":"aloneOrThirdParty","need":[{"consent":"allParents"},{"acc`, `{"if":"alone","need":[{"consent":"allParents"},{"acc`, "/required"},
		{"negation covers nothing", `"if":"bothParents"`, `"if":"!oneParent && !aloneOrThirdParty"`, "/required"},
		{"a negated word covers nothing", `"if":"bothParents"`, `"if":"!bothParents"`, "/required"},
		{"third party for nothing", `[{"consent":"allParents"},{"accompanying":"namedAdult18"},{"receiver":["name"]},{"birth":"parentage"},{"maxAbsenceDays":90}]`, `[]`, "/required/4/need"},
		{"third party without consent", `{"consent":"allParents"},{"accompanying"`, `{"accompanying"`, "/required/4/need"},
		{"third party with the other parent", `[{"consent":"allParents"},{"accompanying"`, `[{"consent":"otherParent"},{"accompanying"`, "/required/4/need"},
		{"nobody behind a back door", `"if":"bothParents"`, `"if":"bothParents || relocation"`, "/required/1/need"},
		{"nobody behind a negation", `"if":"bothParents"`, `"if":"!oneParent"`, "/required/1/need"},
		{"nobody abroad", `{"if":"aloneOrThirdParty","need":[{"consent":"allParents"}]}]}`, `{"if":"aloneOrThirdParty","need":[]}]}`, "/residentAbroad/required/1/need"},
		{"override for nothing", `"need":[{"consent":"court"}],"overrides"`, `"need":[],"overrides"`, "/required/0/need"},
		{"gap in levels", `"assurance":["notarised","consular","judicial"]`, `"assurance":["notarised","judicial"]`, "/required/3/need/0/assurance"},
		{"low level only", `"assurance":["notarised","consular","judicial"]`, `"assurance":["selfSigned"]`, "/required/3/need/0/assurance"},
		{"unknown level", `"assurance":["notarised",`, `"assurance":["sworn",`, "/required/3/need/0/assurance/0"},
		{"no level", `"assurance":["notarised","consular","judicial"]`, `"assurance":[]`, "/required/3/need/0/assurance"},
		{"level twice", `"assurance":["notarised","consular","judicial"]`, `"assurance":["consular","consular","judicial"]`, "/required/3/need/0/assurance/1"},
		{"two needs in one", `{"consent":"court"}`, `{"consent":"court","birth":"parentage"}`, "/required/0/need/0"},
		{"no need in one", `{"consent":"court"}`, `{}`, "/required/0/need/0"},
		{"level of nothing", `{"birth":"parentage"}`, `{"birth":"parentage","maxAgeMonths":3}`, "/required/4/need/3"},
		{"unknown consent", `{"consent":"court"}`, `{"consent":"child"}`, "/required/0/need/0/consent"},
		{"unknown companion", `namedAdult18`, `adult`, "/required/4/need/1/accompanying"},
		{"unknown receiver", `{"receiver":["name"]}`, `{"receiver":["religion"]}`, "/required/4/need/2/receiver/0"},
		{"negative days", `"maxAbsenceDays":90`, `"maxAbsenceDays":-90`, "/required/4/need/4/maxAbsenceDays"},
		{"unknown status", `{"parent":"deceased"`, `{"parent":"absent"`, "/substitutes/0/parent"},
		{"known parents do not count", `{"parent":"deceased"`, `{"parent":"known"`, "/substitutes/0/parent"},
		{"unknown proof", `"deathStatus"`, `"hearsay"`, "/substitutes/0/proof"},
		{"acting as nobody", `"actsAs":"parents"`, `"actsAs":"mother"`, "/substitutes/1/actsAs"},
		{"both kinds of substitute", `{"parent":"deceased"`, `{"guardian":["kafil"],"parent":"deceased"`, "/substitutes/0"},
		{"unknown risk", `"highRiskIf":"other(XXB)"`, `"highRiskIf":"nationality(XXB)"`, "/highRiskIf"},
		{"endless term", `"defaultValidityMonths":24`, `"defaultValidityMonths":9999`, "/consent/defaultValidityMonths"},
		{"unknown proof of residence", `"consularResidence"`, `"electricityBill"`, "/residentAbroad/proof"},
		{"proof of any age", `"proofMaxAgeMonths":24`, `"proofMaxAgeMonths":0`, "/residentAbroad/proofMaxAgeMonths"},
		{"case of nobody", `"travels":["mother","father"]`, `"travels":["uncle"]`, "/cases/0/travels/0"},
		{"case without colour", `{"colour":"green"}`, `{"colour":"blue"}`, "/cases/0/expect/colour"},
		{"member twice", `"version":1`, `"version":1,"version":2`, ""},
		{"not JSON", `"version":1`, `"version":`, ""},
		{"something after it", `"expect":{"colour":"green"}}]}`, `"expect":{"colour":"green"}}]} {}`, ""},
		{"a list", plain, `[` + plain + `]`, ""},
		{"too deep", `"label":"Utopia"`, `"label":` + strings.Repeat("[", 20) + strings.Repeat("]", 20), ""},
		{"too large", `"label":"Utopia"`, `"label":"` + strings.Repeat("u", 64<<10) + `"`, ""},
		{"too many rules", `{"if":"bothParents","need":[]},`, strings.Repeat(`{"if":"bothParents","need":[]},`, 65), "/required"},
	} {
		if !strings.Contains(plain, c.old) {
			t.Fatalf("%s: nothing to change", c.name)
		}
		p, err := Parse([]byte(strings.Replace(plain, c.old, c.new, 1)))
		if p != nil || !errors.Is(err, ErrPolicy) {
			t.Errorf("%s: %v, %v", c.name, p, err)
			continue
		}
		if !slices.ContainsFunc(fault.As(err).Fields, func(f fault.Field) bool { return f.Path == c.path && f.Rule != "" }) {
			t.Errorf("%s: %v does not name %q", c.name, fault.As(err).Fields, c.path)
		}
	}
	everywhere := strings.NewReplacer(`"country":"UTO",`, ``, `"exit"`, `"both"`).Replace(plain)
	_, err := Parse([]byte(everywhere))
	for _, path := range []string{"/appliesIf", "/residentAbroad"} {
		if !slices.ContainsFunc(fault.As(err).Fields, func(f fault.Field) bool { return f.Path == path }) {
			t.Errorf("a policy for every country leaves children out: %v", err)
		}
	}
}

func TestSet(t *testing.T) {
	parse := func(s string) *Policy {
		t.Helper()
		p, err := Parse([]byte(s))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	exit := parse(plain)
	entry := parse(strings.Replace(plain, `"exit"`, `"entry"`, 1))
	many := parse(strings.Replace(plain, `"country":"UTO"`, `"countries":["UTP","UTQ"]`, 1))
	s, err := SetOf([]*Policy{exit, many})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		country string
		side    Direction
		want    *Policy
	}{{"UTO", Exit, exit}, {"UTO", Entry, Generic()}, {"UTP", Exit, many}, {"UTQ", Exit, many}, {"UTQ", Entry, Generic()}, {"XXA", Exit, Generic()}, {"", Exit, Generic()}, {"", "", Generic()}} {
		if got := s.For(c.country, c.side); !bytes.Equal(got.Raw(), c.want.Raw()) {
			t.Errorf("%s %s: %s", c.country, c.side, got.ID)
		}
	}
	if _, err := SetOf([]*Policy{exit, entry, many}); err != nil {
		t.Error(err)
	}
	both := parse(strings.Replace(plain, `"exit"`, `"both"`, 1))
	for _, twice := range [][]*Policy{{exit, exit}, {exit, both}, {both, entry}, {many, parse(strings.Replace(plain, `"country":"UTO"`, `"country":"UTQ"`, 1))}, {Generic(), Generic()}} {
		if _, err := SetOf(twice); !errors.Is(err, ErrPolicy) {
			t.Error("two policies for one side of a border are taken")
		}
	}
	again, err := NewSet(s.Raw())
	if err != nil || again.For("UTO", Exit).ID != "UTO-1" {
		t.Error(err)
	}
	// The set's own policy for every country also judges whoever the others do
	// not speak about.
	strict := parse(strings.NewReplacer(`"AMBER"`, `"RED"`, `"GENERIC"`, `"STRICT"`).Replace(string(Generic().Raw())))
	s, err = SetOf([]*Policy{exit, strict})
	if err != nil {
		t.Fatal(err)
	}
	x := aunt()
	x.Company, x.Here, x.Roles, x.Bases, x.ChildNationality, x.Residence = Some, 1, []string{"mother"}, []string{"parentalResponsibilityByBirth"}, "XXA", "XXA"
	if got := s.For("UTO", Exit).Evaluate(x); got.Applies || codesOf(got) != "CONSENT_MISSING_CO!" || s.For("XXA", Exit).ID != "STRICT" {
		t.Errorf("a child from elsewhere: %v", got)
	}
	if got := exit.Evaluate(x); got.Applies || codesOf(got) != "CONSENT_MISSING_CO" {
		t.Errorf("a set changes its policies: %v", got)
	}
	if _, err := NewSet([][]byte{exit.Raw(), []byte(`{}`)}); !errors.Is(err, ErrPolicy) {
		t.Error("a set is used in part")
	}
}

// aunt is a third party without any consent, everything else being in order.
func aunt() Situation {
	day := vc.Date{Year: 2026, Month: 6, Day: 15}
	return Situation{Direction: Exit, Country: "UTO", Other: "XXA", Day: day, ReturnBy: day.AddDays(10), Age: 9, ChildNationality: "UTO", Residence: "UTO",
		CompanionNationality: "UTO", CompanionResidence: "UTO", Company: ThirdParty, CompanionNamed: true, CompanionAdult: Yes, CompanionParent: No,
		Guardians: 2, Parents: []Parent{{"mother", "known"}, {"father", "known"}}, BirthShown: true, Receiver: Receiver{Name: true, Address: true, Contact: true, Document: true}}
}

func codesOf(r Result) string {
	var out []string
	for _, f := range r.Findings {
		c := f.Code
		if f.Severity == Red {
			c += "!"
		}
		out = append(out, c)
	}
	return strings.Join(out, " ")
}

func TestGeneric(t *testing.T) {
	day := CaseDay
	consent := func(n int, level string) Consent {
		return Consent{Grantors: n, Level: level, GrantedOn: day.AddDays(-30), Ends: true}
	}
	mother := func(s *Situation) {
		s.Company, s.Here, s.Roles, s.Bases, s.CompanionParent = Some, 1, []string{"mother"}, []string{"parentalResponsibilityByBirth"}, Yes
	}
	for _, c := range []struct {
		name   string
		change func(*Situation)
		want   string
	}{
		{"nobody agrees", func(*Situation) {}, "CONSENT_MISSING!"},
		{"one agrees", func(s *Situation) { s.Consents = []Consent{consent(1, "notarised")} }, "CONSENT_QUORUM!"},
		{"both agree", func(s *Situation) { s.Consents = []Consent{consent(2, "notarised")} }, ""},
		{"both agree, one by one", func(s *Situation) { s.Consents = []Consent{consent(1, "witnessed"), consent(1, "notarised")} }, ""},
		{"one of them not witnessed", func(s *Situation) { s.Consents = []Consent{consent(1, "selfSigned"), consent(1, "notarised")} }, "CONSENT_ASSURANCE_LOW"},
		{"a court agrees", func(s *Situation) {
			s.Consents = []Consent{{Court: true, Level: "judicial", GrantedOn: day, Ends: true}}
		}, ""},
		{"alone to nobody", func(s *Situation) {
			s.Company, s.Consents, s.Receiver = Alone, []Consent{consent(2, "notarised")}, Receiver{}
		}, "RECEIVER_UNVERIFIED!"},
		{"alone at 12 to nobody", func(s *Situation) {
			s.Company, s.Consents, s.Receiver, s.Age = Alone, []Consent{consent(2, "notarised")}, Receiver{}, 12
		}, "RECEIVER_UNVERIFIED"},
		{"alone to somebody", func(s *Situation) { s.Company, s.Consents = Alone, []Consent{consent(2, "notarised")} }, ""},
		{"mother", mother, "CONSENT_MISSING_CO"},
		{"mother, father agrees", func(s *Situation) { mother(s); s.Consents = []Consent{consent(1, "notarised")} }, ""},
		{"mother, father signs for himself", func(s *Situation) { mother(s); s.Consents = []Consent{consent(1, "selfSigned")} }, "CONSENT_ASSURANCE_LOW"},
		{"mother of three", func(s *Situation) { mother(s); s.Guardians = 3 }, "CONSENT_MISSING_CO CONSENT_QUORUM!"},
		{"mother of three, one agrees", func(s *Situation) { mother(s); s.Guardians = 3; s.Consents = []Consent{consent(1, "notarised")} }, "CONSENT_QUORUM!"},
		{"mother, sole", func(s *Situation) { mother(s); s.Sole = true }, ""},
		{"mother, independent", func(s *Situation) { mother(s); s.Independent = true }, ""},
		{"mother, father undeclared, number assumed", func(s *Situation) { mother(s); s.Assumed = true; s.Parents[1].Status = "undeclared" }, ""},
		{"mother, father undeclared, two named", func(s *Situation) { mother(s); s.Parents[1].Status = "undeclared" }, "CONSENT_MISSING_CO"},
		{"mother, father dead", func(s *Situation) { mother(s); s.Parents[1].Status = "deceased" }, ""},
		{"mother, father dead, three named", func(s *Situation) { mother(s); s.Parents[1].Status = "deceased"; s.Guardians = 3 }, "CONSENT_MISSING_CO CONSENT_QUORUM!"},
		{"mother, father dead says nobody", func(s *Situation) { mother(s); s.Parents[1].Status = "deceased"; s.BirthShown = false }, "CONSENT_MISSING_CO"},
		{"mother, numbers unknown", func(s *Situation) { mother(s); s.Guardians = 0 }, "CONSENT_MISSING_CO"},
		{"both", func(s *Situation) { mother(s); s.Company, s.Here = All, 2 }, ""},
		{"two of three, one of whom died", func(s *Situation) {
			mother(s)
			s.Guardians, s.Parents = 3, []Parent{{"mother", "known"}, {"father", "known"}, {"parent", "deceased"}}
		}, "CONSENT_MISSING_CO"},
		{"both, counted as strangers, sign for themselves", func(s *Situation) {
			mother(s)
			s.Company, s.Here, s.Consents = ThirdParty, 2, []Consent{consent(2, "selfSigned")}
		}, "CONSENT_ASSURANCE_LOW"},
		{"both, but counted as strangers", func(s *Situation) { mother(s); s.Company, s.Here = ThirdParty, 2 }, "CONSENT_MISSING!"},
		{"sole, away too long", func(s *Situation) { mother(s); s.Sole, s.MaxAbsenceDays = true, 5 }, "ABSENCE_TOO_LONG"},
		{"sole, away short enough", func(s *Situation) { mother(s); s.Sole, s.MaxAbsenceDays = true, 10 }, ""},
		{"sole, return unknown", func(s *Situation) { mother(s); s.Sole, s.MaxAbsenceDays, s.ReturnBy = true, 10, vc.Date{} }, "ABSENCE_TOO_LONG"},
		{"settling abroad", func(s *Situation) { mother(s); s.Relocation, s.Consents = true, []Consent{consent(1, "notarised")} }, "CONSENT_SCOPE!"},
		{"of age", func(s *Situation) { s.Age = 18 }, ""},
	} {
		s := aunt()
		c.change(&s)
		if got := codesOf(Generic().Evaluate(s)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	if got := codesOf(Generic().Evaluate(Situation{})); got != "CONSENT_MISSING! RECEIVER_UNVERIFIED!" {
		t.Errorf("nothing known: %q", got)
	}
}

func TestHighRisk(t *testing.T) {
	p, err := Parse([]byte(plain))
	if err != nil {
		t.Fatal(err)
	}
	for other, want := range map[string]bool{"XXA": false, "XXB": true, "": true} {
		s := aunt()
		if s.Other = other; p.Evaluate(s).HighRisk != want {
			t.Errorf("%q: %t", other, !want)
		}
		if Generic().Evaluate(s).HighRisk {
			t.Error("a policy that names no risk sees one")
		}
		if s.ChildNationality, s.Residence = "XXA", "XXA"; p.Evaluate(s).HighRisk {
			t.Error("a policy sees a risk for a child of whom it does not speak")
		}
	}
}

// TestScope: a policy speaks about whom it names, by either member alone.
func TestScope(t *testing.T) {
	both := `"nationality":["UTO"],"habitualResidence":["UTO"]`
	for _, c := range []struct {
		scope, nationality, residence string
		want                          bool
	}{
		{both, "UTO", "XXA", true}, {both, "XXA", "UTO", true}, {both, "XXA", "XXA", false}, {both, "", "XXA", true}, {both, "XXA", "", true},
		{`"nationality":["UTO"]`, "UTO", "XXA", true}, {`"nationality":["UTO"]`, "XXA", "", false}, {`"nationality":["UTO"]`, "", "XXA", true},
		{`"habitualResidence":["UTO"]`, "XXA", "UTO", true}, {`"habitualResidence":["UTO"]`, "", "XXA", false}, {`"habitualResidence":["UTO"]`, "UTO", "", true},
	} {
		p, err := Parse([]byte(strings.Replace(plain, both, c.scope, 1)))
		if err != nil {
			t.Fatal(err)
		}
		s := aunt()
		s.ChildNationality, s.Residence = c.nationality, c.residence
		if got := p.Evaluate(s).Applies; got != c.want {
			t.Errorf("%s, %q, %q: %t", c.scope, c.nationality, c.residence, got)
		}
	}
}

// TestFloorHolds: a policy that asks nothing of one parent does not let one of
// three go.
func TestFloorHolds(t *testing.T) {
	soft, err := Parse([]byte(`{"policyId":"UTO-1","version":1,"label":"Utopia","country":"UTO","direction":"exit","sources":["Act 1"],"appliesIf":{"ageBelow":18},
		"required":[{"if":"bothParents || oneParent","need":[]},{"if":"aloneOrThirdParty","need":[{"consent":"allParents"}]}],"onMissing":"AMBER"}`))
	if err != nil {
		t.Fatal(err)
	}
	s := aunt()
	s.Company, s.Here, s.Roles, s.Bases = Some, 1, []string{"mother"}, []string{"parentalResponsibilityByBirth"}
	if got := codesOf(soft.Evaluate(s)); got != "" {
		t.Errorf("one of two: %s", got)
	}
	s.Guardians = 3
	if got := codesOf(soft.Evaluate(s)); got != "CONSENT_QUORUM!" {
		t.Errorf("one of three: %s", got)
	}
	s.Consents = []Consent{{Grantors: 1, Level: "judicial", GrantedOn: s.Day, Ends: true}}
	if got := codesOf(soft.Evaluate(s)); got != "CONSENT_QUORUM!" {
		t.Errorf("two of three: %s", got)
	}
	s.Consents[0].Grantors = 2
	if got := codesOf(soft.Evaluate(s)); got != "" {
		t.Errorf("three of three: %s", got)
	}
}

func TestMonths(t *testing.T) {
	day := func(s string) vc.Date {
		d, err := vc.ParseDate(s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	for _, c := range []struct {
		from, to string
		months   int
	}{{"2026-01-31", "2026-02-28", 1}, {"2024-01-31", "2024-02-29", 1}, {"2100-01-31", "2100-02-28", 1}, {"2026-03-31", "2026-04-30", 1},
		{"2026-06-15", "2028-06-15", 24}, {"2026-12-31", "2027-01-31", 1}, {"2026-01-15", "2025-12-15", -1}, {"2026-06-15", "2023-11-15", -31}} {
		if got := addMonths(day(c.from), c.months); got != day(c.to) {
			t.Errorf("%s and %d months: %s", c.from, c.months, got)
		}
	}
	for d := day("2023-12-25"); d.Before(day("2024-03-05")); d = d.AddDays(1) {
		for n := -40; n <= 40; n++ {
			if e := d.AddDays(n); before(d, e) != d.Before(e) {
				t.Fatalf("%s, %s", d, e)
			}
		}
	}
}

func BenchmarkEvaluate(b *testing.B) {
	p, err := Parse([]byte(plain))
	if err != nil {
		b.Fatal(err)
	}
	known := aunt()
	known.Consents = []Consent{{Grantors: 1, Level: "notarised", GrantedOn: CaseDay}, {Grantors: 1, Level: "notarised", GrantedOn: CaseDay}}
	unknown := known
	unknown.ChildNationality, unknown.Residence, unknown.CompanionNationality, unknown.CompanionResidence, unknown.ReturnBy, unknown.CompanionAdult = "", "", "", "", vc.Date{}, Unknown
	for name, s := range map[string]Situation{"known": known, "unknown": unknown} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.Evaluate(s)
			}
		})
	}
}

// TestYoung: who travels alone to nobody in particular is red below twelve.
func TestYoung(t *testing.T) {
	for age, want := range map[int]Severity{11: Red, 12: Amber} {
		r := Generic().Evaluate(Situation{Direction: Exit, Age: age, Company: Alone, BirthShown: true, Consents: []Consent{{Grantors: 2, Level: vc.LevelNotarised, Ends: true, GrantedOn: vc.Date{Year: 2026, Month: 11, Day: 1}}},
			Day: vc.Date{Year: 2026, Month: 11, Day: 20}})
		if len(r.Findings) != 1 || r.Findings[0] != (Finding{Code: "RECEIVER_UNVERIFIED", Severity: want}) {
			t.Errorf("%d years old: %+v", age, r.Findings)
		}
	}
}
