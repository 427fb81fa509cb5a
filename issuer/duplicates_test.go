package issuer

import (
	"strings"
	"testing"

	"github.com/kinpass/kinpass/internal/vc"
)

const otherRef = "AAAAAAAAAAAAAAAAAAAAAA"

// another gives edits for a second record of the register: its own childRef and
// number, no document or portrait, and what more says.
func another(more edits) edits {
	return with(edits{"/childRef": otherRef, "/registration/number": "NPL-2020-999999", "/travelDocuments": gone{}, "/portrait": gone{}, "/registration/date": "2026-01-01"}, more)
}

func TestDuplicate(t *testing.T) {
	sister := edits{"/names/0/given/0": "Sunita", "/names/0/mrz": gone{}}
	single := edits{"/multipleBirth": gone{}}
	day := func(d string) edits {
		return edits{"/birthDate/value": d, "/timeOfBirth": gone{}}
	}
	all := func(list ...edits) edits {
		e := edits{}
		for _, x := range list {
			e = with(e, x)
		}
		return e
	}
	noRefs := edits{"/parentage/0/personRef": gone{}, "/parentage/1/personRef": gone{}}
	motherOnly := js(`[{"role":"mother","status":"known","filiation":"birth","names":[{"kind":"legal","script":"Latn","given":["Diya"],"family":["Thapa"]}]}]`)
	adopted := edits{"/parentage/0/filiation": "adoption"}
	sealed := edits{"/amendment": js(`{"reason":"plenaryAdoption","effective":"2024-01-01","sealed":true}`), "/parentage/0/filiation": "adoption"}
	tests := []struct {
		name string
		a, b edits
		want string
	}{
		{"two children of two mothers", single, another(all(single, edits{"/parentage/0/personRef": "M-2", "/parentage/1/personRef": "F-2"})), ""},
		// The same number.
		{"the same number", single, edits{"/childRef": otherRef, "/multipleBirth": gone{}, "/parentage": []any{}, "/birthDate/value": "2015-01-01", "/timeOfBirth": gone{}}, DuplicateNumber},
		{"the same number, written otherwise", single, edits{"/childRef": otherRef, "/registration/number": "npl 2020/043227", "/parentage": []any{}}, DuplicateNumber},
		{"the same number with full-width digits", single, edits{"/childRef": otherRef, "/registration/number": "NPL-２０２０-043227", "/parentage": []any{}}, DuplicateNumber},
		{"the same number of another authority", single, edits{"/childRef": otherRef, "/registration/authority": "https://registry.ind.example", "/parentage": []any{}}, ""},
		{"the same number, address with a slash", single, edits{"/childRef": otherRef, "/registration/authority": "https://Registry.npl.example/", "/parentage": []any{}}, DuplicateNumber},
		{"sealed records with one number", sealed, with(sealed, edits{"/childRef": otherRef}), DuplicateNumber},
		{"the next version of one record", single, all(single, edits{"/recordVersion": 2, "/amendment": js(`{"reason":"nameChange","effective":"2024-01-01"}`)}), ""},
		// The same child again.
		{"the same child under another number", single, another(single), DuplicateChild},
		{"a slip of the pen", single, another(all(single, edits{"/names/0/given/0": "Kavia", "/names/0/mrz": gone{}})), DuplicateChild},
		{"letters swapped", single, another(all(single, edits{"/names/0/given/0": "Kavay", "/names/0/mrz": gone{}})), DuplicateChild},
		{"given and family name exchanged", single, another(all(single, edits{"/names/0/given/0": "Gurung", "/names/0/family/0": "Kavya", "/names/0/mrz": gone{}})), DuplicateChild},
		{"a second given name", single, another(all(single, edits{"/names/0/given": js(`["Kavya","Devi"]`), "/names/0/mrz": gone{}})), DuplicateChild},
		{"a joiner inside", single, another(all(single, edits{"/names/0/given/0": "Ka\u200dvya", "/names/0/mrz": gone{}})), DuplicateChild},
		{"marks on letters", single, another(all(single, edits{"/names/0/given/0": "Kávyá", "/names/0/mrz": gone{}})), DuplicateChild},
		{"in another script with the same machine-readable name", single, another(all(single, edits{"/names/0": js(`{"kind":"legal","script":"Deva","full":"काव्या गुरुङ","mrz":{"primary":"GURUNG","secondary":"KAVYA"}}`)})), DuplicateChild},
		{"in one script without a table", all(single, edits{"/names/0": js(`{"kind":"legal","script":"Deva","full":"काव्या गुरुङ"}`)}), another(all(single, edits{"/names/0": js(`{"kind":"legal","script":"Deva","given":["काव्या"],"family":["गुरुङ"]}`)})), DuplicateChild},
		{"five days later", single, another(all(single, day("2020-03-05"))), DuplicateChild},
		{"by month only", single, another(all(single, edits{"/birthDate": js(`{"value":"2020-03","precision":"month","basis":"informant"}`), "/timeOfBirth": gone{}})), DuplicateChild},
		{"on a day nobody knows", single, another(all(single, edits{"/circumstance": "inTransit", "/birthDate": js(`{"precision":"unknown","basis":"presumed"}`), "/timeOfBirth": gone{}})), DuplicateChild},
		{"mother by name and birth date", all(single, noRefs), another(single), DuplicateChild},
		{"mother by name alone", all(single, edits{"/parentage": motherOnly}), another(single), DuplicateChild},
		{"mother by a new reference", single, another(all(single, edits{"/parentage/0/personRef": "M-2"})), DuplicateChildFather},
		{"mother left out", single, another(all(single, edits{"/parentage/0": js(`{"role":"mother","status":"undeclared"}`)})), DuplicateChildFather},
		{"by parents who say so of themselves", single, another(all(single, edits{"/parentage/0/role": "parent"})), DuplicateChild},
		// The same name again.
		{"the same name six days later", single, another(all(single, day("2020-03-06"))), DuplicateName},
		{"the same name after three years", single, another(all(single, day("2023-02-28"))), DuplicateName},
		{"the same name after four years", single, another(all(single, day("2024-02-29"))), ""},
		{"the same name, parents by name alone", all(single, noRefs, edits{"/parentage/0/birthDate": gone{}, "/parentage/1/birthDate": gone{}}), another(all(single, day("2021-05-01"))), DuplicateName},
		{"the same name, mother by name alone", all(single, edits{"/parentage": motherOnly}), another(all(single, day("2021-05-01"))), ""},
		{"a former name again", all(single, edits{"/recordVersion": 2, "/amendment": js(`{"reason":"nameChange","effective":"2024-01-01"}`), "/names/-": js(`{"kind":"former","script":"Latn","full":"Sunita Gurung"}`)}), another(all(single, sister, day("2021-05-01"))), ""},
		// Births too close.
		{"a sister on the same day, no twins", single, another(all(single, sister)), DuplicateInterval},
		{"a sister after 269 days", single, another(all(single, sister, day("2020-11-24"))), DuplicateInterval},
		{"a sister after 270 days", single, another(all(single, sister, day("2020-11-25"))), ""},
		{"a sister 269 days before", all(single, day("2020-11-24"), edits{"/registration/date": "2021-01-01"}), another(all(single, sister)), DuplicateInterval},
		{"a sister perhaps within 270 days", single, another(all(single, sister, edits{"/birthDate": js(`{"value":"2020-11","precision":"month","basis":"informant"}`), "/timeOfBirth": gone{}})), ""},
		{"a sister of a namesake", all(single, edits{"/parentage": motherOnly}), another(all(single, sister, day("2020-06-01"))), ""},
		{"a sister of a couple of the same names", all(single, noRefs, edits{"/parentage/0/birthDate": gone{}}), another(all(single, sister, day("2020-06-01"))), ""},
		{"one twin who says so and one who does not", nil, another(all(single, sister)), DuplicateInterval},
		{"adopted sisters", all(single, adopted), another(all(single, sister, day("2020-06-01"), adopted)), ""},
		{"a sister by birth of an adopted one", single, another(all(single, sister, day("2020-06-01"), adopted)), ""},
		{"one adopted child twice", all(single, adopted), another(all(single, adopted)), DuplicateChild},
		{"a sealed record of the same child", single, another(all(single, sealed)), ""},
		{"twins more than two days apart", nil, another(all(sister, day("2020-03-05"), edits{"/multipleBirth/order": 2})), DuplicateInterval},
		// Twins.
		{"twins", nil, another(all(sister, edits{"/multipleBirth/order": 2})), ""},
		{"twins around midnight", nil, another(all(sister, day("2020-03-01"), edits{"/multipleBirth/order": 2})), ""},
		{"twins with names that are alike", edits{"/names/0/given/0": "Hasan", "/names/0/mrz": gone{}}, another(edits{"/names/0/given/0": "Husan", "/names/0/mrz": gone{}, "/multipleBirth/order": 2}), ""},
		{"twins of one name and two orders", nil, another(edits{"/multipleBirth/order": 2}), ""},
		{"twins without orders", edits{"/multipleBirth/order": gone{}}, another(all(sister, edits{"/multipleBirth/order": gone{}})), ""},
		{"twins, one with an order", nil, another(all(sister, edits{"/multipleBirth/order": gone{}})), ""},
		{"twins without orders, of one name", edits{"/multipleBirth/order": gone{}}, another(edits{"/multipleBirth/order": gone{}}), DuplicateChild},
		{"unnamed twins without orders", edits{"/multipleBirth/order": gone{}, "/names/0": js(`{"kind":"legal","script":"Latn","family":["Gurung"],"status":"unnamed"}`)}, another(edits{"/multipleBirth/order": gone{}, "/names/0": js(`{"kind":"legal","script":"Latn","family":["Gurung"],"status":"unnamed"}`)}), DuplicateChild},
		{"two first-born twins", nil, another(sister), DuplicateOrder},
		{"two first-born twins of a namesake", edits{"/parentage": motherOnly}, another(sister), DuplicateOrder},
		{"two first-born twins of two mothers", nil, another(all(sister, edits{"/parentage/0/personRef": "M-2"})), ""},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			a, b := mustBirth(t, tc.a), mustBirth(t, tc.b)
			if got := Duplicate(a, b); got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
			if got := Duplicate(b, a); got != tc.want {
				t.Errorf("the other way round %q, want %q", got, tc.want)
			}
			if tc.want != "" && !intersect(BirthDupKeys(a).All(), BirthDupKeys(b).All()) {
				t.Errorf("no search key in common:\n%q\n%q", BirthDupKeys(a).All(), BirthDupKeys(b).All())
			}
		})
	}
}

func TestTooManySiblings(t *testing.T) {
	child := func(ref, name string, plurality, order int, more edits) *vc.Birth {
		e := another(edits{"/childRef": ref, "/registration/number": ref[:4], "/names/0/given/0": name, "/names/0/mrz": gone{}, "/multipleBirth": map[string]any{"plurality": plurality}})
		if order > 0 {
			e["/multipleBirth/order"] = order
		}
		return mustBirth(t, with(e, more))
	}
	const r1, r2, r3, r4 = "BAAAAAAAAAAAAAAAAAAAAA", "CAAAAAAAAAAAAAAAAAAAAA", "DAAAAAAAAAAAAAAAAAAAAA", "EAAAAAAAAAAAAAAAAAAAAA"
	a, b := child(r1, "Amina", 2, 1, nil), child(r2, "Bina", 2, 2, nil)
	tests := []struct {
		name  string
		group []*vc.Birth
		want  bool
	}{
		{"nobody", nil, false},
		{"one", []*vc.Birth{a}, false},
		{"twins", []*vc.Birth{a, b}, false},
		{"a third twin", []*vc.Birth{child(r3, "Chandra", 2, 0, nil), a, b}, true},
		{"a third twin the day after", []*vc.Birth{child(r3, "Chandra", 2, 0, edits{"/birthDate/value": "2020-03-01"}), a, b}, true},
		{"triplets", []*vc.Birth{child(r3, "Chandra", 3, 3, nil), child(r1, "Amina", 3, 1, nil), child(r2, "Bina", 3, 2, nil)}, false},
		{"a fourth triplet", []*vc.Birth{child(r4, "Dipa", 3, 0, nil), child(r1, "Amina", 3, 1, nil), child(r2, "Bina", 3, 2, nil), child(r3, "Chandra", 3, 3, nil)}, true},
		{"a triplet of twins", []*vc.Birth{child(r3, "Chandra", 3, 3, nil), a, b}, true},
		{"another mother's twin", []*vc.Birth{child(r3, "Chandra", 2, 0, edits{"/parentage/0/personRef": "M-2"}), a, b}, false},
		{"twins of another year", []*vc.Birth{child(r3, "Chandra", 2, 0, edits{"/birthDate/value": "2022-03-01"}), a, b}, false},
		{"a single child", []*vc.Birth{mustBirth(t, another(edits{"/multipleBirth": gone{}})), a, b}, false},
		{"the same twin again", []*vc.Birth{a, b, a, b}, false},
	}
	for _, tc := range tests {
		if got := TooManySiblings(tc.group); got != tc.want {
			t.Errorf("%s: %v", tc.name, got)
		}
	}
	rule, of := FindDuplicate(child(r3, "Chandra", 2, 0, nil), []*vc.Birth{mustBirth(t, another(edits{"/parentage": []any{}})), a, b})
	if rule != DuplicatePlurality || of != 1 {
		t.Errorf("a third twin: %q of %d", rule, of)
	}
	rule, of = FindDuplicate(b, []*vc.Birth{a})
	if rule != "" || of != -1 {
		t.Errorf("a second twin: %q of %d", rule, of)
	}
	rule, of = FindDuplicate(child(r3, "Chandra", 2, 2, nil), []*vc.Birth{a, b})
	if rule != DuplicateOrder || of != 1 {
		t.Errorf("a second second twin: %q of %d", rule, of)
	}
}

// Where a birth repeats several, the registrar is told of the surest.
func TestFindDuplicateNamesTheStrongestRule(t *testing.T) {
	single := edits{"/multipleBirth": gone{}}
	b := mustBirth(t, single)
	sister := mustBirth(t, another(with(single, edits{"/names/0/given/0": "Sunita", "/names/0/mrz": gone{}})))
	namesake := mustBirth(t, another(with(single, edits{"/birthDate/value": "2021-05-01", "/timeOfBirth": gone{}})))
	again := mustBirth(t, another(single))
	father := mustBirth(t, another(with(single, edits{"/parentage/0/personRef": "M-2"})))
	number := mustBirth(t, with(single, edits{"/childRef": otherRef, "/parentage": []any{}}))
	for _, tc := range []struct {
		candidates []*vc.Birth
		rule       string
		of         int
	}{
		{[]*vc.Birth{sister}, DuplicateInterval, 0},
		{[]*vc.Birth{sister, namesake}, DuplicateName, 1},
		{[]*vc.Birth{sister, namesake, father}, DuplicateChildFather, 2},
		{[]*vc.Birth{father, sister, again}, DuplicateChild, 2},
		{[]*vc.Birth{sister, again, number, namesake}, DuplicateNumber, 2},
		{[]*vc.Birth{number, again, sister}, DuplicateNumber, 0},
		{[]*vc.Birth{sister, again, again}, DuplicateChild, 1},
	} {
		if rule, of := FindDuplicate(b, tc.candidates); rule != tc.rule || of != tc.of {
			t.Errorf("%q of %d, want %q of %d", rule, of, tc.rule, tc.of)
		}
	}
}

// A family reaches the register again and again with the same texts, so that
// the keys of a record must not depend on the order in which it was written,
// and a sealed record must not be found by anybody's name.
func TestBirthDupKeys(t *testing.T) {
	k := BirthDupKeys(mustBirth(t, nil))
	if k.Number == "" || len(k.Mother) != 2 || len(k.Father) != 2 || len(k.Child) == 0 || len(k.Couple) == 0 {
		t.Errorf("%+v", k)
	}
	all := k.All()
	for i := 1; i < len(all); i++ {
		if all[i-1] >= all[i] {
			t.Errorf("%q comes before %q", all[i-1], all[i])
		}
	}
	swapped := BirthDupKeys(mustBirth(t, edits{"/parentage/0/names/0/given/0": "Thapa", "/parentage/0/names/0/family/0": "Diya"}))
	if strings.Join(swapped.All(), "\n") != strings.Join(all, "\n") {
		t.Errorf("%q, want %q", swapped.All(), all)
	}
	sealed := BirthDupKeys(mustBirth(t, edits{"/amendment": js(`{"reason":"protectionIdentity","effective":"2024-01-01","sealed":true}`)}))
	if len(sealed.All()) != 1 || sealed.Number == "" {
		t.Errorf("a sealed record is found by %q", sealed.All())
	}
	none := BirthDupKeys(mustBirth(t, edits{"/circumstance": "unaccompaniedDisplaced", "/parentage": []any{}}))
	if len(none.All()) != 1 {
		t.Errorf("a child without parents is found by %q", none.All())
	}
}

func TestNear(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		want bool
	}{
		{"KAVYA", "KAVYA", true}, {"KAVYA", "KAVIA", true}, {"KAVYA", "KAVY", true}, {"KAVYA", "AKVYA", true},
		{"KAVYA", "KAVITA", false}, {"ALI", "ALA", false}, {"ALI", "ALI", true}, {"", "", true}, {"", "A", false},
		{"MOHAMMED", "MUHAMMAD", true}, {"MOHAMMED", "MAHMOUD", false}, {"ALEKSANDRA", "ALEXANDRA", true}, {"काव्या", "काव्य", true},
	} {
		if near(tc.a, tc.b) != tc.want || near(tc.b, tc.a) != tc.want {
			t.Errorf("%s %s: %v", tc.a, tc.b, !tc.want)
		}
	}
	for _, tc := range []struct {
		a, b string
		want bool
	}{
		{"GURUNG KAVYA", "GURUNG KAVYA DEVI", true}, {"GURUNG KAVYA", "GURUNG SUNITA", false},
		{"GURUNG", "GURUNG KAVYA", true}, {"GURUNG", "GURUNG KAVYA DEVI", false}, {"GURUNG GURUNG", "GURUNG KAVYA", false},
	} {
		if similarWords(strings.Fields(tc.a), strings.Fields(tc.b)) != tc.want {
			t.Errorf("%s / %s: %v", tc.a, tc.b, !tc.want)
		}
	}
}
