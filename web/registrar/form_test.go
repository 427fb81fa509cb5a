package registrar

import (
	"encoding/json"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/issuer"
	"github.com/kinpass/kinpass/web"
)

// today's date in these tests.
var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

const register = "did:web:register.example"

// with gives the usual answers of a situation with further ones: name, value and
// so on.
func with(situation string, pairs ...string) url.Values {
	v := begin(usual(situation))
	v.Set("case", situation)
	set(v, "sex", "2", "number", "A-1", "place-country", "SEN")
	setDay(v, "registered", "2026-04-02")
	set(v, pairs...)
	return v
}

func set(v url.Values, pairs ...string) {
	for i := 0; i < len(pairs); i += 2 {
		if strings.HasSuffix(pairs[i], "*") {
			setDay(v, strings.TrimSuffix(pairs[i], "*"), pairs[i+1])
		} else {
			v.Set(pairs[i], pairs[i+1])
		}
	}
}

// named2 are the answers of a child of two parents.
var named2 = []string{"child-given", "Awa", "child-family", "Diop", "born*", "2026-03-27", "p1-given", "Fatou", "p1-family", "Diop", "p1-born*", "1998-05-04",
	"p2-given", "Moussa", "p2-family", "Diop", "p2-born*", "1995"}

// read reads a form as the pages do.
func read(t *testing.T, v url.Values) (*web.Form, *vc.Birth) {
	t.Helper()
	f := &web.Form{Values: v}
	b, where := birthOf(f, register)
	raw, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	checked, err := issuer.CheckBirth(raw, now)
	if err := blame(f, err, where); err != nil {
		t.Fatal(err)
	}
	return f, checked
}

// TestRealBirths: every kind of birth that people bring to the desk can be
// registered, and says of itself whether a second person must agree.
func TestRealBirths(t *testing.T) {
	for _, c := range []struct {
		name   string
		form   url.Values
		second bool
		check  func(b *vc.Birth) bool
	}{
		{"in time", with("ordinary", named2...), false, func(b *vc.Birth) bool {
			return b.Circumstance == "ordinary" && len(b.Parentage) == 2 && b.Parentage[1].BirthDate.Precision == "year" && b.Registration.Authority == register
		}},
		{"late, the year alone is known", with("late", append(named2, "born-day", "", "born-month", "", "born-year", "2021")...), true, func(b *vc.Birth) bool {
			return b.BirthDate.Value == "2021" && b.BirthDate.Precision == "year" && b.Registration.Mode == "late"
		}},
		{"the month is known", with("ordinary", append(named2, "born-day", "")...), false, func(b *vc.Birth) bool { return b.BirthDate.Value == "2026-03" }},
		{"a foundling", with("foundling", "child-full", "Baby Marie", "born-earliest*", "2026-03-01", "born-latest*", "2026-03-20", "place-town", "Thiès"), true,
			func(b *vc.Birth) bool {
				return b.Names[0].Status == "provisional" && b.PlaceOfBirth.Status == "foundAt" && len(b.Parentage) == 2 && b.Parentage[0].Status == "unknown" && b.BirthDate.Precision == "range"
			}},
		{"a foundling without a name", with("foundling", "name-status", "unnamed", "born-earliest*", "2026-03-01", "born-latest*", "2026-03-20", "place-town", "Thiès"), true,
			func(b *vc.Birth) bool { return b.Names[0].Status == "unnamed" && nameOf(b.Names) == "" }},
		{"the father is not declared; what was typed of him is not taken", with("ordinary", append(named2, "p2-status", "undeclared")...), false, func(b *vc.Birth) bool {
			return b.Parentage[1].Status == "undeclared" && b.Parentage[1].Names == nil && b.Parentage[1].BirthDate == nil && b.Parentage[1].Filiation == ""
		}},
		{"the mother is withheld by law", with("ordinary", append(named2, "p1-status", "withheld", "p2-status", "none", "informant", "healthFacility")...), false, func(b *vc.Birth) bool {
			return len(b.Parentage) == 1 && b.Parentage[0].Status == "withheld"
		}},
		{"the father has died", with("ordinary", append(named2, "p2-status", "deceased")...), false, func(b *vc.Birth) bool { return b.Parentage[1].Status == "deceased" && len(b.Parentage[1].Names) == 1 }},
		{"two mothers", with("ordinary", append(named2, "p1-role", "parent", "p2-role", "parent", "informant", "other")...), false, func(b *vc.Birth) bool { return b.Parentage[1].Role == "parent" }},
		{"a twin", with("ordinary", append(named2, "plurality", "2", "order", "1")...), false, func(b *vc.Birth) bool { return *b.MultipleBirth == vc.MultipleBirth{Plurality: 2, Order: 1} }},
		{"a refugee child in two scripts", with("refugee", append(named2, "child-given", "مهسا", "child-family", "رحیمی", "child2-given", "Mahsa", "child2-family", "Rahimi",
			"p1-nationality", "XXB", "child-mrz-family", "Rahimi", "child-mrz-given", "Mahsa")...), false, func(b *vc.Birth) bool {
			return b.Circumstance == "refugeeHostState" && b.Names[0].Script == "Arab" && b.Names[1].Script == "Latn" && b.Names[0].MRZ.Primary == "RAHIMI" && b.Parentage[0].Nationality[0] == "XXB"
		}},
		{"nothing but a name and an age", with("unaccompanied", "child-full", "Sami", "born-earliest*", "2012-01-01", "born-latest*", "2014-12-31"), true, func(b *vc.Birth) bool {
			return b.Circumstance == "unaccompaniedDisplaced" && b.PlaceOfBirth == vc.Place{Status: "unknown"} && b.Registration.Mode == "reconstructed"
		}},
		{"on a ship, near no country", with("transit", append(named2, "place-country", "", "place-facility", "MV Hope")...), false, func(b *vc.Birth) bool { return b.PlaceOfBirth.FacilityType == "vessel" }},
		{"a lost record", with("reconstructed", append(named2, "born*", "2019-03-27")...), true, func(b *vc.Birth) bool { return b.Circumstance == "reconstructed" }},
		{"digits of Arabic and of Hindi", with("ordinary", append(named2, "born-day", "٢٧", "born-month", "०३", "born-year", "۲۰۲۶")...), false, func(b *vc.Birth) bool { return b.BirthDate.Value == "2026-03-27" }},
		{"with a passport", with("ordinary", append(named2, "doc-type", "passport", "doc-number", "a 1234567", "doc-issuer", "SEN")...), false, func(b *vc.Birth) bool {
			return b.TravelDocuments[0] == vc.Identifier{Type: "passport", Value: "A 1234567", Issuer: "SEN"}
		}},
		{"a date that nobody knows", with("unaccompanied", "child-full", "Sami", "born-kind", "unknown", "born-basis", "presumed"), true, func(b *vc.Birth) bool { return b.BirthDate.Precision == "unknown" }},
	} {
		f, b := read(t, c.form)
		if !f.Good() {
			t.Errorf("%s: %v", c.name, f.Errors)
			continue
		}
		if issuer.BirthNeedsApproval(b) != c.second {
			t.Errorf("%s: needs a second person: %v", c.name, !c.second)
		}
		if !c.check(b) {
			t.Errorf("%s: %+v", c.name, b)
		}
		// The form of the record gives the record.
		again := valuesOf(b)
		again.Set("ref", b.ChildRef)
		f2, b2 := read(t, again)
		if !f2.Good() || !reflect.DeepEqual(b, b2) {
			t.Errorf("%s: again %v\n%+v\n%+v", c.name, f2.Errors, b, b2)
		}
	}
}

// TestErrorsAreAtTheirFields: what the register refuses is said at the field that
// it is about, in words of its own.
func TestErrorsAreAtTheirFields(t *testing.T) {
	for _, c := range []struct {
		name        string
		form        url.Values
		field, text string
	}{
		{"no name", with("ordinary", append(named2, "child-given", "", "child-family", "")...), "child-family", "name-needed"},
		{"two scripts in one name", with("ordinary", append(named2, "child-given", "Awaع")...), "child-given", "scripts"},
		{"no letters", with("ordinary", append(named2, "child-given", "123")...), "child-given", "letters"},
		{"a sign", with("ordinary", append(named2, "child-family", "Di<op")...), "child-family", "characters"},
		{"no date", with("ordinary", append(named2, "born*", "", "born-year", "")...), "born", "date"},
		{"no such day", with("ordinary", append(named2, "born*", "2026-02-30")...), "born", "date"},
		{"a day without a month", with("ordinary", append(named2, "born-month", "")...), "born", "date"},
		{"tomorrow", with("ordinary", append(named2, "born*", "2026-11-22")...), "born", "future"},
		{"long ago", with("late", append(named2, "born*", "1830-01-01")...), "born", "too-old"},
		{"registered before the birth", with("ordinary", append(named2, "registered*", "2026-03-01")...), "registered", "before-birth"},
		{"half a date of registration", with("ordinary", append(named2, "registered-day", "")...), "registered", "whole-date"},
		{"an age that is exact", with("ordinary", append(named2, "born-basis", "ageAssessment")...), "born-kind", "range-for-age"},
		{"no sex", with("ordinary", append(named2, "sex", "")...), "sex", "sex"},
		{"no country", with("ordinary", append(named2, "place-country", "")...), "place-country", "country"},
		{"a country that is none", with("ordinary", append(named2, "place-country", "ZZZ")...), "place-country", "country"},
		{"no number", with("ordinary", append(named2, "number", "")...), "number", "number"},
		{"the third twin", with("ordinary", append(named2, "plurality", "2", "order", "3")...), "order", "order-of-birth"},
		{"a mother of eight years", with("ordinary", append(named2, "p1-born*", "2018-01-01")...), "p1-born", "parent-age"},
		{"a parent without a name", with("ordinary", append(named2, "p2-given", "", "p2-family", "")...), "p2-family", "parent-name"},
		{"one parent twice", with("ordinary", append(named2, "p2-given", "Fatou", "p2-born*", "1998-05-04")...), "p2-status", "parent-twice"},
		{"a foundling whose mother is known", with("foundling", append(named2, "born-kind", "known", "born-basis", "presumed", "p1-status", "known", "place-town", "X")...), "p1-status", "foundling"},
		{"the latest day before the earliest", with("foundling", "child-full", "Marie", "born-earliest*", "2026-03-20", "born-latest*", "2026-03-01", "place-town", "X"), "born-latest", "order"},
		{"half a range", with("foundling", "child-full", "Marie", "born-earliest*", "2026-03-20", "place-town", "X"), "born-latest", "date-needed"},
		{"a time that is none", with("ordinary", append(named2, "born-time", "25:00")...), "born-time", "time"},
		{"a document of no kind", with("ordinary", append(named2, "doc-number", "A1")...), "doc-type", "doc-type"},
		{"a document with signs", with("ordinary", append(named2, "doc-type", "passport", "doc-number", "<script>")...), "doc-number", "document"},
		{"a name of two hundred letters", with("ordinary", append(named2, "child-family", strings.Repeat("a", 150))...), "child-family", "long"},
		{"a choice that there is not", with("ordinary", append(named2, "mode", "now")...), "mode", "other"},
		{"the mother reports and is unknown", with("ordinary", append(named2, "p1-status", "unknown")...), "informant", "informant"},
	} {
		f, _ := read(t, c.form)
		at := slices.IndexFunc(f.Errors, func(e web.FieldError) bool { return e.Field == c.field && e.Text == "registrar.wrong."+c.text })
		if at < 0 || len(f.Errors) > 1 {
			t.Errorf("%s: %v", c.name, f.Errors)
		}
	}
}

// TestTheNextChild: twins share all but what tells them apart.
func TestTheNextChild(t *testing.T) {
	_, b := read(t, with("ordinary", append(named2, "plurality", "3", "order", "1", "born-time", "07:45", "office", "Saint-Louis")...))
	raw, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	v, err := nextChild(issuer.Record{Record: raw})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"child-family": "Diop", "child-given": "", "number": "", "sex": "", "order": "2", "plurality": "3", "p1-given": "Fatou", "born-day": "27",
		"born-time": "", "office": "Saint-Louis", "place-country": "SEN", "case": "ordinary"} {
		if v.Get(name) != want {
			t.Errorf("%s is %q", name, v.Get(name))
		}
	}
	if v.Get("ref") != "" {
		t.Error("two children have one reference")
	}
	set(v, "child-given", "Aïda", "sex", "2", "number", "A-2")
	f, second := read(t, begin(v))
	if !f.Good() {
		t.Fatal(f.Errors)
	}
	if rule := issuer.Duplicate(b, second); rule != "" {
		t.Errorf("the twin repeats the first: %s", rule)
	}
	if _, err := nextChild(issuer.Record{Record: []byte(`{}`)}); err == nil {
		t.Error("an only child has a next one")
	}
}

// mandateForm gives the answers of a guardianship.
func mandateForm(basis string, pairs ...string) url.Values {
	v := usualMandate(basis)
	v.Set("basis", basis)
	set(v, "g-given", "Fatou", "g-family", "Diop", "g-born*", "1998-05-04", "law", "SEN", "age-law", "SEN", "from*", "2026-03-27")
	if v.Get("g-kind") != "naturalPerson" {
		set(v, "g-name", "Office for Children")
	}
	set(v, pairs...)
	return v
}

func readMandate(t *testing.T, v url.Values, ward *vc.Birth) (*web.Form, *vc.Guardianship) {
	t.Helper()
	f := &web.Form{Values: v}
	g, where := guardianshipOf(f, ward.ChildRef, register)
	raw, err := json.Marshal(g)
	if err != nil {
		t.Fatal(err)
	}
	checked, err := issuer.CheckGuardianship(raw, now)
	if err == nil {
		err = issuer.CheckWard(checked, ward, now)
	}
	if err := blame(f, err, where); err != nil {
		t.Fatal(err)
	}
	return f, checked
}

// TestRealMandates: every legal basis can be registered.
func TestRealMandates(t *testing.T) {
	_, ward := read(t, with("ordinary", named2...))
	_, orphan := read(t, with("ordinary", append(named2, "p2-status", "deceased")...))
	_, adopted := read(t, with("ordinary", append(named2, "p1-filiation", "adoption", "p2-filiation", "adoption")...))
	decided := []string{"authority", "Court of Dakar", "reference", "2026/17", "decided*", "2026-05-02", "from*", "2026-05-02"}
	for _, c := range []struct {
		name   string
		form   url.Values
		ward   *vc.Birth
		second bool
		check  func(g *vc.Guardianship) bool
	}{
		{"the mother", mandateForm("parentalResponsibilityByBirth", "role", "mother"), ward, false, func(g *vc.Guardianship) bool {
			return g.Exercise.Mode == "joint" && g.Exercise.CoGuardianCount == 2 && len(g.Powers) == 12 && slices.Equal(g.Exercise.JointFor, []string{"travelConsent", "relocate", "passportApply"})
		}},
		{"the mother alone", mandateForm("parentalResponsibilityByBirth", "role", "mother", "mode", "sole"), ward, false, func(g *vc.Guardianship) bool {
			return reflect.DeepEqual(g.Exercise, vc.Exercise{Mode: "sole"})
		}},
		{"each parent alone", mandateForm("parentalResponsibilityByBirth", "role", "mother", "mode", "independent"), ward, false, func(g *vc.Guardianship) bool { return g.Exercise.JointFor == nil }},
		{"acknowledged", mandateForm("acknowledgement", "role", "father", "g-given", "Moussa", "g-born*", "1995"), ward, false, nil},
		{"agreed", mandateForm("parentalAgreement", "role", "father", "g-given", "Moussa", "g-born*", "1995"), ward, true, nil},
		{"a grandmother, by a court, with conditions", mandateForm("courtOrder", append(decided, "role", "grandparent", "g-given", "Khady", "g-born*", "1961", "conditions", "Visits on Sundays",
			"absence", "60", "allowed-1", "GMB", "denied-2", "MLI", "limits", "noRemoval")...), ward, true, func(g *vc.Guardianship) bool {
			x := g.Constraints
			return x.NoRemoval && !x.Supervised && x.MaxAbsenceDays == 60 && x.AllowedCountries[0] == "GMB" && x.DeniedCountries[0] == "MLI" && g.LegalBasis.Finality == "final"
		}},
		{"adopted simply", mandateForm("adoptionSimple", append(decided, "role", "parent")...), adopted, true, nil},
		{"adopted fully, under the Convention", mandateForm("adoptionPlenary", append(decided, "role", "parent", "hague", "1993")...), adopted, true, func(g *vc.Guardianship) bool { return *g.LegalBasis.Hague1993Art23 }},
		{"kafala", mandateForm("kafala", append(decided, "g-given", "Omar")...), ward, true, func(g *vc.Guardianship) bool {
			return g.Role == "kafil" && g.Exercise.Mode == "sole" && !slices.Contains(g.Powers, "relocate")
		}},
		{"by will", mandateForm("testamentary", "g-given", "Omar"), orphan, true, nil},
		{"the State", mandateForm("publicAuthority", append(decided, "until*", "2026-12-31")...), ward, true, func(g *vc.Guardianship) bool {
			return g.Guardian.Kind == "office" && g.Guardian.Names[0].Full == "Office for Children" && g.Guardian.BirthDate == nil && g.Effective.ReviewBy != ""
		}},
		{"an organisation", mandateForm("humanitarianMandate", append(decided, "until*", "2026-07-01")...), ward, true, func(g *vc.Guardianship) bool { return g.LegalBasis.CountersignedBy == "" }},
		{"an organisation that may let the child travel", mandateForm("humanitarianMandate", append(decided, "until*", "2026-07-01", "countersigned", "yes", "powers", "travelConsent")...), ward, true,
			func(g *vc.Guardianship) bool { return g.LegalBasis.CountersignedBy == register }},
		{"by custom", mandateForm("customary", "until*", "2027-03-27", "g-given", "Omar"), ward, true, nil},
	} {
		f, g := readMandate(t, c.form, c.ward)
		if !f.Good() {
			t.Errorf("%s: %v", c.name, f.Errors)
			continue
		}
		if issuer.GuardianshipNeedsApproval(g, c.ward) != c.second {
			t.Errorf("%s: needs a second person: %v", c.name, !c.second)
		}
		if c.check != nil && !c.check(g) {
			t.Errorf("%s: %+v", c.name, g)
		}
		f2, g2 := readMandate(t, valuesOfGuardianship(g), c.ward)
		if !f2.Good() || !reflect.DeepEqual(g, g2) {
			t.Errorf("%s: again %v\n%+v\n%+v", c.name, f2.Errors, g, g2)
		}
	}
	for _, c := range []struct {
		name        string
		form        url.Values
		field, text string
	}{
		{"nobody", mandateForm("kafala", append(decided, "g-given", "", "g-family", "")...), "g-family", "name-needed"},
		{"an office without a name", mandateForm("publicAuthority", append(decided, "until*", "2026-12-31", "g-name", "")...), "g-name", "name-needed"},
		{"a court that is not named", mandateForm("courtOrder", append(decided, "authority", "")...), "authority", "needed"},
		{"no end", mandateForm("publicAuthority", decided...), "until", "needed"},
		{"too long", mandateForm("humanitarianMandate", append(decided, "until*", "2026-10-01")...), "until", "ninety-days"},
		{"beyond majority", mandateForm("courtOrder", append(decided, "until*", "2050-01-01")...), "until", "majority"},
		{"before the birth", mandateForm("parentalResponsibilityByBirth", "role", "mother", "from*", "2026-03-01"), "from", "before-birth"},
		{"before it was decided", mandateForm("courtOrder", append(decided, "from*", "2026-05-01")...), "from", "before-decision"},
		{"nothing to decide", func() url.Values { v := mandateForm("courtOrder", decided...); v.Del("powers"); return v }(), "powers", "power-needed"},
		{"too much for an organisation", mandateForm("humanitarianMandate", append(decided, "until*", "2026-07-01", "powers", "property")...), "powers", "powers"},
		{"without the State", mandateForm("humanitarianMandate", append(decided, "until*", "2026-07-01", "powers", "relocate")...), "powers", "countersigned"},
		{"joint with nobody", mandateForm("courtOrder", append(decided, "mode", "joint", "count", "1")...), "count", "count"},
		{"more than there are", mandateForm("courtOrder", append(decided, "mode", "joint", "count", "2", "quorum", "3")...), "quorum", "quorum"},
		{"a country both ways", mandateForm("courtOrder", append(decided, "allowed-1", "GMB", "denied-1", "GMB")...), "denied-1", "countries"},
		{"a guardian of twelve", mandateForm("courtOrder", append(decided, "role", "relative", "g-born*", "2014-01-01")...), "g-born", "guardian-age"},
		{"a kafil who is the mother", mandateForm("kafala", append(decided, "role", "mother")...), "role", "role"},
		{"a will while both live", mandateForm("testamentary", "g-given", "Omar"), "role", "will"},
		{"a grandmother by birth", mandateForm("parentalResponsibilityByBirth", "role", "grandparent"), "role", "role"},
		{"days that are no number", mandateForm("courtOrder", append(decided, "absence", "many")...), "absence", "number-text"},
		{"no law", mandateForm("courtOrder", append(decided, "law", "")...), "law", "country"},
	} {
		f, _ := readMandate(t, c.form, ward)
		at := slices.IndexFunc(f.Errors, func(e web.FieldError) bool { return e.Field == c.field && e.Text == "registrar.wrong."+c.text })
		if at < 0 || len(f.Errors) > 1 {
			t.Errorf("%s: %v", c.name, f.Errors)
		}
	}
}
