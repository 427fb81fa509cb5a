package issuer

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/vc"
)

const birthRecord = `{"childRef":"jWoSldc3ms1i4ycXe2mjtQ","recordVersion":1,"circumstance":"ordinary",
 "names":[{"kind":"legal","script":"Latn","lang":"ne","given":["Kavya"],"family":["Gurung"],"mrz":{"primary":"GURUNG","secondary":"KAVYA","source":"issuerTransliterated"}}],
 "birthDate":{"value":"2020-02-29","precision":"day","basis":"medicalRecord"},"timeOfBirth":"19:22","sex":2,
 "placeOfBirth":{"status":"known","country":"NPL","adminArea":"Lumbini","locality":"Sunauli","facilityType":"healthFacility","facilityId":"HF-1"},
 "multipleBirth":{"plurality":2,"order":1},
 "parentage":[
  {"role":"mother","status":"known","filiation":"birth","personRef":"M-1","names":[{"kind":"legal","script":"Latn","given":["Diya"],"family":["Thapa"]}],"birthDate":{"value":"1992-12-22","precision":"day","basis":"documentary"},"nationality":["NPL"]},
  {"role":"father","status":"known","filiation":"maritalPresumption","personRef":"F-1","names":[{"kind":"legal","script":"Latn","given":["Bishal"],"family":["Gurung"]}],"birthDate":{"value":"1990","precision":"year","basis":"informant"}}],
 "registration":{"number":"NPL-2020-043227","authority":"https://registry.npl.example","office":"NPL-330","date":"2020-06-05","mode":"timely","informant":"mother"},
 "travelDocuments":[{"type":"passport","value":"AL2596664","issuer":"NPL"}],
 "portrait":{"sha256":"_us__dSIFSYj6Z5DoyHDruIdDdvlBCYf6dalvwawNK8","media":"image/jpeg","capturedAt":"2025-07-15","recaptureBy":"2027-07-15"}}`

const guardianRecord = `{"guardian":{"kind":"naturalPerson","holderKey":"e8Apt96u4sIp4PyPXzg9C5XzzZJArzEjl54lzwFGgM8","personRef":"M-1",
  "names":[{"kind":"legal","script":"Latn","given":["Diya"],"family":["Thapa"]}],"birthDate":{"value":"1992-12-22","precision":"day","basis":"documentary"},
  "documents":[{"type":"passport","value":"PA1234567","issuer":"NPL"}]},
 "ward":{"childRef":"jWoSldc3ms1i4ycXe2mjtQ","birthCredential":"urn:uuid:b5bd524b-58c8-46eb-a194-55bab29fd302"},"role":"mother",
 "legalBasis":{"type":"parentalResponsibilityByBirth","law":"NPL"},"powers":["travelAccompany","travelConsent","relocate","healthRoutine"],
 "exercise":{"mode":"joint","jointFor":["relocate"],"quorum":2,"coGuardianCount":2},
 "constraints":{"allowedCountries":["NPL","IND"],"deniedCountries":["BTN"],"maxAbsenceDays":30,"conditions":"Only with leave of the court."},
 "effective":{"from":"2020-02-29"},"termination":{"majorityAge":18,"majorityLaw":"NPL","events":["majority"],"revokers":["familyCourt"]}}`

// gone deletes a member in an edit.
type gone struct{}

// edits are JSON pointers and what to put there.
type edits map[string]any

// edited applies edits to a JSON document. A pointer may name a new member, or
// "-" to append.
func edited(t testing.TB, doc string, e edits) []byte {
	t.Helper()
	var root any
	if err := json.Unmarshal([]byte(doc), &root); err != nil {
		t.Fatal(err)
	}
	pointers := make([]string, 0, len(e))
	for p := range e {
		pointers = append(pointers, p)
	}
	slices.Sort(pointers)
	for _, p := range pointers {
		root = put(t, root, strings.Split(p, "/")[1:], e[p])
	}
	out, err := json.Marshal(root)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func put(t testing.TB, node any, path []string, value any) any {
	t.Helper()
	if len(path) == 0 {
		if s, ok := value.(json.RawMessage); ok {
			var v any
			if err := json.Unmarshal(s, &v); err != nil {
				t.Fatal(err)
			}
			return v
		}
		return value
	}
	switch v := node.(type) {
	case map[string]any:
		if _, ok := value.(gone); ok && len(path) == 1 {
			if _, there := v[path[0]]; !there {
				t.Fatalf("%s is not there to delete", path[0])
			}
			delete(v, path[0])
			return v
		}
		v[path[0]] = put(t, v[path[0]], path[1:], value)
		return v
	case []any:
		if path[0] == "-" {
			return append(v, put(t, nil, path[1:], value))
		}
		i, err := strconv.Atoi(path[0])
		if err != nil {
			t.Fatal(err)
		}
		v[i] = put(t, v[i], path[1:], value)
		return v
	case nil:
		return put(t, map[string]any{}, path, value)
	}
	t.Fatalf("no way to %s", path[0])
	return nil
}

func js(s string) json.RawMessage { return json.RawMessage(s) }

// refusalRow is one row of the tables of refusals.
type refusalRow struct {
	name  string
	edits edits
	path  string // of one field of the refusal
	rule  string // part of its rule
}

func (r refusalRow) check(t *testing.T, err error) {
	t.Helper()
	f := fault.As(err)
	if f == nil {
		t.Fatal("accepted")
	}
	if f.Kind != fault.Unprocessable || f.Code != "registration-refused" {
		t.Errorf("kind %d, code %s, want a refused registration", f.Kind, f.Code)
	}
	if !slices.ContainsFunc(f.Fields, func(x fault.Field) bool { return x.Path == r.path && strings.Contains(x.Rule, r.rule) }) {
		t.Errorf("fields %+v, want %s: %s", f.Fields, r.path, r.rule)
	}
	if len(f.Fields) > 20 {
		t.Errorf("%d fields", len(f.Fields))
	}
}

const ofThe = "" // any rule

func TestCheckBirthRefuses(t *testing.T) {
	long := strings.Repeat("ab ", 80)
	tests := []refusalRow{
		// Shape.
		{"no date", edits{"/birthDate": gone{}}, "", "is required: birthDate"},
		{"unknown member", edits{"/weight": 3200}, "", "has a member that is not allowed"},
		{"unknown member below", edits{"/registration/nid": "1"}, "/registration", "has a member that is not allowed"},
		{"subject id", edits{"/id": "did:key:z6Mk"}, "", "has a member that is not allowed"},
		{"childRef of the wrong length", edits{"/childRef": "abc"}, "/childRef", "pattern"},
		{"null", edits{"/sex": nil}, "/sex", "must be one of"},
		{"list instead of object", edits{"/registration": []any{}}, "/registration", "must be of type object"},
		{"version zero", edits{"/recordVersion": 0}, "/recordVersion", "at least 1"},
		{"version that is a fraction", edits{"/recordVersion": 1.5}, "/recordVersion", "whole number"},
		// Dates.
		{"30 February", edits{"/birthDate/value": "2020-02-30"}, "/birthDate/value", "exists"},
		{"29 February of a common year", edits{"/birthDate/value": "2019-02-29"}, "/birthDate/value", "exists"},
		{"29 February 1900", edits{"/birthDate/value": "1900-02-29"}, "/birthDate/value", "exists"},
		{"month 13", edits{"/birthDate/value": "2020-13-01"}, "/birthDate/value", "exists"},
		{"month 00", edits{"/birthDate/value": "2020-00", "/birthDate/precision": "month", "/timeOfBirth": gone{}}, "/birthDate/value", "exists"},
		{"year 0000", edits{"/birthDate/value": "0000", "/birthDate/precision": "year", "/timeOfBirth": gone{}}, "/birthDate/value", "exists"},
		{"day for precision month", edits{"/birthDate/precision": "month", "/timeOfBirth": gone{}}, "/birthDate/value", "as long as its precision"},
		{"month for precision day", edits{"/birthDate/value": "2020-02"}, "/birthDate/value", "as long as its precision"},
		{"year for precision day", edits{"/birthDate/value": "2020"}, "/birthDate/value", "as long as its precision"},
		{"no value for precision day", edits{"/birthDate/value": gone{}}, "/birthDate", "is required: value"},
		{"value with precision unknown", edits{"/birthDate/precision": "unknown", "/timeOfBirth": gone{}}, "/birthDate/value", "must be absent"},
		{"value with precision range", edits{"/birthDate": js(`{"value":"2020","precision":"range","basis":"presumed","earliest":"2020-01-01","latest":"2020-02-01"}`), "/timeOfBirth": gone{}}, "/birthDate/value", "must be absent"},
		{"range without limits", edits{"/birthDate": js(`{"precision":"range","basis":"presumed"}`), "/timeOfBirth": gone{}}, "/birthDate", "is required: earliest"},
		{"range with one limit", edits{"/birthDate": js(`{"precision":"range","basis":"presumed","earliest":"2020-01-01"}`), "/timeOfBirth": gone{}}, "/birthDate", "is required: latest"},
		{"range backwards", edits{"/birthDate": js(`{"precision":"range","basis":"presumed","earliest":"2020-03-01","latest":"2020-02-01"}`), "/timeOfBirth": gone{}}, "/birthDate/latest", "must not lie before earliest"},
		{"range into the future", edits{"/birthDate": js(`{"precision":"range","basis":"presumed","earliest":"2020-01-01","latest":"2027-01-01"}`), "/timeOfBirth": gone{}}, "/birthDate/latest", "future"},
		{"range that does not exist", edits{"/birthDate": js(`{"precision":"range","basis":"presumed","earliest":"2020-02-30","latest":"2020-03-01"}`), "/timeOfBirth": gone{}}, "/birthDate/earliest", ofThe},
		{"limits with precision unknown", edits{"/birthDate": js(`{"precision":"unknown","basis":"presumed","earliest":"2020-01-01","latest":"2020-02-01"}`), "/timeOfBirth": gone{}}, "/birthDate/precision", "range"},
		{"limits outside the value", edits{"/birthDate": js(`{"value":"2019","precision":"year","basis":"presumed","earliest":"2018-12-31","latest":"2019-02-01"}`), "/timeOfBirth": gone{}}, "/birthDate", "within value"},
		{"day by age assessment", edits{"/birthDate/basis": "ageAssessment"}, "/birthDate/precision", "range"},
		{"born tomorrow", edits{"/birthDate/value": "2026-11-21"}, "/birthDate/value", "future"},
		{"born next month", edits{"/birthDate/value": "2026-12", "/birthDate/precision": "month", "/timeOfBirth": gone{}}, "/birthDate/value", "future"},
		{"born next year", edits{"/birthDate/value": "2027", "/birthDate/precision": "year", "/timeOfBirth": gone{}}, "/birthDate/value", "future"},
		{"born in 1840", edits{"/birthDate/value": "1840-01-01"}, "/birthDate/value", "1850"},
		{"born 121 years ago", edits{"/birthDate/value": "1905-01-01", "/parentage": []any{}}, "/birthDate", "120 years"},
		{"25 o'clock", edits{"/timeOfBirth": "24:00"}, "/timeOfBirth", "23:59"},
		{"minute 60", edits{"/timeOfBirth": "12:60"}, "/timeOfBirth", "23:59"},
		{"time with seconds", edits{"/timeOfBirth": "12:30:00"}, "/timeOfBirth", "pattern"},
		{"time of an unknown day", edits{"/birthDate": js(`{"value":"2020-02","precision":"month","basis":"informant"}`)}, "/timeOfBirth", "must be absent"},
		// Names.
		{"no names", edits{"/names": []any{}}, "/names", "at least 1"},
		{"only a former name", edits{"/names/0/kind": "former"}, "/names", "name in use"},
		{"only an alias", edits{"/names/0/kind": "alias"}, "/names", "name in use"},
		{"empty lists", edits{"/names/0/given": []any{}, "/names/0/family": []any{}, "/names/0/mrz": gone{}}, "/names/0", "must hold a name"},
		{"a space for a name", edits{"/names/0/given/0": "  "}, "/names/0/given/0", "letter"},
		{"a hyphen for a name", edits{"/names/0/given/0": "-"}, "/names/0/given/0", "letter"},
		{"a joiner for a name", edits{"/names/0/given/0": "\u200d"}, "/names/0/given/0", "letter"},
		{"direction marks for a name", edits{"/names/0/given/0": "\u202e\u2066"}, "/names/0/given/0", "letter"},
		{"a number for a name", edits{"/names/0/given/0": "123"}, "/names/0/given/0", "letter"},
		{"line feed", edits{"/names/0/given/0": "Ka\nvya"}, "/names/0/given/0", "control"},
		{"NUL", edits{"/names/0/given/0": "Ka\x00vya"}, "/names/0/given/0", "control"},
		{"delete", edits{"/names/0/given/0": "Ka\x7fvya"}, "/names/0/given/0", "control"},
		{"zero-width space", edits{"/names/0/given/0": "Ka\u200bvya"}, "/names/0/given/0", "control"},
		{"byte order mark", edits{"/names/0/given/0": "\ufeffKavya"}, "/names/0/given/0", "control"},
		{"soft hyphen", edits{"/names/0/given/0": "Ka\u00advya"}, "/names/0/given/0", "control"},
		{"tag character", edits{"/names/0/given/0": "Kavya\U000e0041"}, "/names/0/given/0", "control"},
		{"private use", edits{"/names/0/given/0": "Kavya\ue000"}, "/names/0/given/0", "control"},
		{"unassigned", edits{"/names/0/given/0": "Kavya\u0378"}, "/names/0/given/0", "unassigned"},
		{"noncharacter", edits{"/names/0/given/0": "Kavya\uffff"}, "/names/0/given/0", "unassigned"},
		{"line separator", edits{"/names/0/given/0": "Kavya\u2028"}, "/names/0/given/0", "control"},
		{"Hangul filler", edits{"/names/0/given/0": "Kavya\u3164"}, "/names/0/given/0", "invisible"},
		{"mark without a letter", edits{"/names/0/given/0": "\u0301Kavya"}, "/names/0/given/0", "combining"},
		{"a tower of marks", edits{"/names/0/given/0": "Ka" + strings.Repeat("\u0316", 12) + "vya"}, "/names/0/given/0", "combining"},
		{"markup", edits{"/names/0/given/0": "<b>Kavya"}, "/names/0/given/0", "not part of names"},
		{"emoji", edits{"/names/0/given/0": "Kavya😀"}, "/names/0/given/0", "not part of names"},
		{"semicolon", edits{"/names/0/given/0": "Kavya;drop"}, "/names/0/given/0", "not part of names"},
		{"Cyrillic letter in a Latin name", edits{"/names/0/given/0": "Kаvya"}, "/names/0/given/0", "another script"},
		{"Greek letter in a Latin name", edits{"/names/0/given/0": "Kavyα"}, "/names/0/given/0", "another script"},
		{"mathematical letter", edits{"/names/0/given/0": "𝐊avya"}, "/names/0/given/0", "another script"},
		{"Latin letter in a Cyrillic name", edits{"/names/0": js(`{"kind":"legal","script":"Cyrl","full":"Иваh"}`)}, "/names/0/full", "another script"},
		{"script that does not exist", edits{"/names/0/script": "Xxxx"}, "/names/0/script", "ISO 15924"},
		{"script of no letters", edits{"/names/0/script": "Zyyy"}, "/names/0/script", "ISO 15924"},
		{"unwritten", edits{"/names/0/script": "Zxxx"}, "/names/0/script", "ISO 15924"},
		{"private script", edits{"/names/0/script": "Qaaa"}, "/names/0/script", "ISO 15924"},
		{"language that is no tag", edits{"/names/0/lang": "not a tag"}, "/names/0/lang", "BCP 47"},
		{"language with an underscore and more", edits{"/names/0/lang": "ne-"}, "/names/0/lang", "BCP 47"},
		{"language of another script", edits{"/names/0/lang": "sr-Cyrl"}, "/names/0/lang", "another script"},
		{"long part", edits{"/names/0/given/0": strings.Repeat("a", 101)}, "/names/0/given/0", "at most 100"},
		{"eleven parts", edits{"/names/0/given": js(`["A","A","A","A","A","A","A","A","A","A","A"]`)}, "/names/0/given", "at most 10"},
		{"two legal names in one script", edits{"/names/-": js(`{"kind":"legal","script":"Latn","lang":"ne","full":"Other Name"}`)}, "/names/1", "repeats"},
		{"the same name twice", edits{"/names/0/kind": "usual", "/names/-": js(`{"kind":"usual","script":"Latn","lang":"ne","given":["Kavya"],"family":["Gurung"]}`)}, "/names/1", "repeats"},
		{"unnamed with a given name", edits{"/names/0/status": "unnamed"}, "/names/0/given", "must be absent"},
		{"named and unnamed", edits{"/names/-": js(`{"kind":"legal","script":"Deva","status":"unnamed"}`)}, "/names", "both"},
		// Machine-readable names.
		{"MRZ in lower case", edits{"/names/0/mrz/primary": "Gurung"}, "/names/0/mrz/primary", "pattern"},
		{"MRZ with a digit", edits{"/names/0/mrz/primary": "GURUN6"}, "/names/0/mrz/primary", "pattern"},
		{"leading filler", edits{"/names/0/mrz/primary": "<GURUNG"}, "/names/0/mrz/primary", "single fillers"},
		{"trailing filler", edits{"/names/0/mrz/secondary": "KAVYA<"}, "/names/0/mrz/secondary", "single fillers"},
		{"double filler", edits{"/names/0/mrz/primary": "GURUNG<<KAVYA", "/names/0/mrz/secondary": gone{}}, "/names/0/mrz/primary", "single fillers"},
		{"only fillers", edits{"/names/0/mrz/primary": "<<<"}, "/names/0/mrz/primary", "single fillers"},
		{"40 characters together", edits{"/names/0/mrz/primary": "GURUNG", "/names/0/mrz/secondary": "KAVYA" + strings.Repeat("A", 27)}, "/names/0/mrz", "39"},
		{"another person's MRZ", edits{"/names/0/mrz": js(`{"primary":"SMITH","secondary":"JOHN"}`)}, "/names/0/mrz", "nothing in common"},
		// Places.
		{"unknown country", edits{"/placeOfBirth/country": "XYZ"}, "/placeOfBirth/country", "ISO 3166-1"},
		{"Farajaland", edits{"/placeOfBirth/country": "FAR"}, "/placeOfBirth/country", "ISO 3166-1"},
		{"born in statelessness", edits{"/placeOfBirth/country": "XXA"}, "/placeOfBirth/country", "ISO 3166-1"},
		{"born in the United Nations", edits{"/placeOfBirth/country": "UNO"}, "/placeOfBirth/country", "ISO 3166-1"},
		{"country in lower case", edits{"/placeOfBirth/country": "npl"}, "/placeOfBirth/country", "pattern"},
		{"alpha-2", edits{"/placeOfBirth/country": "NP"}, "/placeOfBirth/country", "pattern"},
		{"unknown place with a locality", edits{"/placeOfBirth": js(`{"status":"unknown","locality":"Sunauli"}`)}, "/placeOfBirth/locality", "must be absent"},
		{"unknown place with a facility", edits{"/placeOfBirth": js(`{"status":"unknown","facilityId":"HF-1"}`)}, "/placeOfBirth/facilityId", "must be absent"},
		{"known place that is none", edits{"/placeOfBirth": js(`{"status":"known"}`)}, "/placeOfBirth", "must name a place"},
		{"found nowhere", edits{"/placeOfBirth": js(`{"status":"foundAt"}`), "/circumstance": "inTransit"}, "/placeOfBirth", "found"},
		{"control character in a place", edits{"/placeOfBirth/locality": "Sun\tauli"}, "/placeOfBirth/locality", "control"},
		{"place of punctuation", edits{"/placeOfBirth/adminArea": "---"}, "/placeOfBirth/adminArea", "letter or a number"},
		{"long place", edits{"/placeOfBirth/adminArea": long}, "/placeOfBirth/adminArea", "at most 200"},
		// Multiple births.
		{"third of twins", edits{"/multipleBirth/order": 3}, "/multipleBirth/order", "plurality"},
		{"a multiple of one", edits{"/multipleBirth/plurality": 1}, "/multipleBirth/plurality", "at least 2"},
		{"eleven at once", edits{"/multipleBirth/plurality": 11}, "/multipleBirth/plurality", "at most 10"},
		// Parents.
		{"unknown father with names", edits{"/parentage/1": js(`{"role":"father","status":"unknown","names":[{"kind":"legal","script":"Latn","full":"A B"}]}`)}, "/parentage/1/names", "must be absent"},
		{"withheld mother with a reference", edits{"/parentage/0": js(`{"role":"mother","status":"withheld","personRef":"M-1"}`)}, "/parentage/0/personRef", "must be absent"},
		{"undeclared father with a birth date", edits{"/parentage/1": js(`{"role":"father","status":"undeclared","birthDate":{"value":"1990","precision":"year","basis":"informant"}}`)}, "/parentage/1/birthDate", "must be absent"},
		{"withheld mother with a nationality", edits{"/parentage/0": js(`{"role":"mother","status":"withheld","nationality":["NPL"]}`)}, "/parentage/0/nationality", "must be absent"},
		{"two mothers by birth", edits{"/parentage/1": js(`{"role":"mother","status":"known","filiation":"birth","personRef":"M-2"}`)}, "/parentage/1/filiation", "two mothers"},
		{"two fathers by birth", edits{"/parentage/0": js(`{"role":"father","status":"known","filiation":"birth","personRef":"F-2"}`), "/parentage/1/filiation": "birth"}, "/parentage/1/filiation", "two mothers, or two fathers"},
		{"three parents by birth", edits{"/parentage": js(`[{"role":"mother","status":"known","filiation":"birth"},{"role":"father","status":"known","filiation":"birth"},{"role":"parent","status":"known","filiation":"birth"}]`)}, "/parentage", "more than two"},
		{"five parents", edits{"/parentage": js(`[{"role":"parent","status":"known"},{"role":"parent","status":"known"},{"role":"parent","status":"known"},{"role":"parent","status":"known"},{"role":"parent","status":"known"}]`)}, "/parentage", "at most 4"},
		{"one person as both parents", edits{"/parentage/1/personRef": "M-1"}, "/parentage/1/personRef", "twice"},
		{"one person as both parents, by name and birth", edits{"/parentage/1": js(`{"role":"parent","status":"known","names":[{"kind":"legal","script":"Latn","given":["Diya"],"family":["Thapa"]}],"birthDate":{"value":"1992-12-22","precision":"day","basis":"documentary"}}`)}, "/parentage/1", "twice"},
		{"known and unknown mother", edits{"/parentage/1": js(`{"role":"mother","status":"unknown"}`)}, "/parentage/1", "contradicts"},
		{"mother unknown twice", edits{"/parentage": js(`[{"role":"mother","status":"unknown"},{"role":"mother","status":"undeclared"}]`)}, "/parentage/1", "twice"},
		{"the child as parent", edits{"/parentage/0/personRef": "jWoSldc3ms1i4ycXe2mjtQ"}, "/parentage/0/personRef", "must not be the child"},
		{"mother younger than the child", edits{"/parentage/0/birthDate/value": "2021-01-01"}, "/parentage/0/birthDate", "impossibly young"},
		{"mother of nine", edits{"/parentage/0/birthDate/value": "2010-03-02"}, "/parentage/0/birthDate", "impossibly young"},
		{"father of nine, by year", edits{"/parentage/1/birthDate/value": "2011"}, "/parentage/1/birthDate", "impossibly young"},
		{"adoptive father of nine", edits{"/parentage/1/birthDate/value": "2011", "/parentage/1/filiation": "adoption"}, "/parentage/1/birthDate", "impossibly young"},
		{"mother of eighty", edits{"/parentage/0/birthDate/value": "1939-01-01"}, "/parentage/0/birthDate", "impossibly old"},
		{"father of 130", edits{"/parentage/1/birthDate/value": "1889"}, "/parentage/1/birthDate", "impossibly old"},
		{"parent born tomorrow", edits{"/parentage/0/birthDate/value": "2026-11-21"}, "/parentage/0/birthDate/value", "future"},
		{"parent born on 31 June", edits{"/parentage/0/birthDate/value": "1992-06-31"}, "/parentage/0/birthDate/value", "exists"},
		{"nationality that does not exist", edits{"/parentage/0/nationality/0": "QQQ"}, "/parentage/0/nationality/0", "known code"},
		{"nationality twice", edits{"/parentage/0/nationality": js(`["NPL","NPL"]`)}, "/parentage/0/nationality", "twice"},
		{"homoglyph in a parent's name", edits{"/parentage/0/names/0/given/0": "Diyа"}, "/parentage/0/names/0/given/0", "another script"},
		{"control character in a reference", edits{"/parentage/0/personRef": "M\u00011"}, "/parentage/0/personRef", "control"},
		// Registration.
		{"registered before the birth", edits{"/registration/date": "2020-02-28"}, "/registration/date", "before the birth"},
		{"registered before the earliest birth", edits{"/birthDate": js(`{"precision":"range","basis":"ageAssessment","earliest":"2020-06-06","latest":"2020-07-06"}`), "/timeOfBirth": gone{}}, "/registration/date", "before the birth"},
		{"registered tomorrow", edits{"/registration/date": "2026-11-21"}, "/registration/date", "future"},
		{"registered on 31 April", edits{"/registration/date": "2020-04-31"}, "/registration/date", "valid date"},
		{"no number", edits{"/registration/number": ""}, "/registration/number", "must not be empty"},
		{"number of spaces", edits{"/registration/number": "   "}, "/registration/number", "letter or a number"},
		{"number with a line feed", edits{"/registration/number": "1\n2"}, "/registration/number", "control"},
		{"number of 65 characters", edits{"/registration/number": strings.Repeat("1", 65)}, "/registration/number", "at most 64"},
		{"authority by http with a password", edits{"/registration/authority": "http://a:b@registry.npl.example"}, "/registration/authority", "http, https, urn or did"},
		{"authority by http without a host", edits{"/registration/authority": "http:///register"}, "/registration/authority", "http, https, urn or did"},
		{"authority that is a file", edits{"/registration/authority": "file:///etc/passwd"}, "/registration/authority", "http, https, urn or did"},
		{"authority that holds a page", edits{"/registration/authority": "data:text/html,x"}, "/registration/authority", "http, https, urn or did"},
		{"authority that is a mailbox", edits{"/registration/authority": "mailto:registry@npl.example"}, "/registration/authority", "http, https, urn or did"},
		{"URN without a name", edits{"/registration/authority": "urn:oid:"}, "/registration/authority", "http, https, urn or did"},
		{"URN without a namespace", edits{"/registration/authority": "urn:npl"}, "/registration/authority", "http, https, urn or did"},
		{"URN with a namespace of one letter", edits{"/registration/authority": "urn:x:npl"}, "/registration/authority", "http, https, urn or did"},
		{"URN with a namespace that ends in a hyphen", edits{"/registration/authority": "urn:x-:npl"}, "/registration/authority", "http, https, urn or did"},
		{"URN with a namespace of signs", edits{"/registration/authority": "urn:a.b:npl"}, "/registration/authority", "http, https, urn or did"},
		{"authority without a host", edits{"/registration/authority": "https://"}, "/registration/authority", "http, https, urn or did"},
		{"authority with a user", edits{"/registration/authority": "https://a:b@registry.npl.example"}, "/registration/authority", "http, https, urn or did"},
		{"authority that runs", edits{"/registration/authority": "javascript:alert(1)"}, "/registration/authority", "http, https, urn or did"},
		{"authority that is a name", edits{"/registration/authority": "registry"}, "/registration/authority", "uri"},
		{"DID without an id", edits{"/registration/authority": "did:web:"}, "/registration/authority", "http, https, urn or did"},
		// Amendments.
		{"second version without amendment", edits{"/recordVersion": 2}, "/amendment", "is required"},
		{"amendment before the birth", edits{"/recordVersion": 2, "/amendment": js(`{"reason":"nameChange","effective":"2020-02-28"}`)}, "/amendment/effective", "before the birth"},
		{"amendment in the future", edits{"/recordVersion": 2, "/amendment": js(`{"reason":"nameChange","effective":"2026-11-21"}`)}, "/amendment/effective", "future"},
		{"first version that supersedes", edits{"/amendment": js(`{"reason":"nameChange","effective":"2021-02-28","supersedes":"urn:uuid:1"}`)}, "/amendment/supersedes", "first version"},
		{"sealed record that points back", edits{"/amendment": js(`{"reason":"plenaryAdoption","effective":"2021-02-28","supersedes":"urn:uuid:1","sealed":true}`), "/parentage/0/filiation": "adoption"}, "/amendment/supersedes", "sealed"},
		{"sealed name change", edits{"/amendment": js(`{"reason":"nameChange","effective":"2021-02-28","sealed":true}`)}, "/amendment/reason", "must be one of"},
		{"sealed record with a former name", edits{"/amendment": js(`{"reason":"protectionIdentity","effective":"2021-02-28","sealed":true}`), "/names/-": js(`{"kind":"former","script":"Latn","full":"Old Name"}`)}, "/names/1/kind", "earlier name"},
		{"sealed record with a name at birth", edits{"/amendment": js(`{"reason":"protectionIdentity","effective":"2021-02-28","sealed":true}`), "/names/-": js(`{"kind":"atBirth","script":"Latn","full":"Old Name"}`)}, "/names/1/kind", "earlier name"},
		{"protected identity that is open", edits{"/amendment": js(`{"reason":"protectionIdentity","effective":"2021-02-28"}`)}, "/amendment/sealed", "must be true"},
		{"adoption without an adopter", edits{"/amendment": js(`{"reason":"plenaryAdoption","effective":"2021-02-28","sealed":true}`)}, "/parentage", "adoptive parent"},
		{"supersedes a sentence", edits{"/recordVersion": 2, "/amendment": js(`{"reason":"nameChange","effective":"2021-02-28","supersedes":"the old one"}`)}, "/amendment/supersedes", ofThe},
		// Documents and portrait.
		{"document of no State", edits{"/travelDocuments/0/issuer": "XXA"}, "/travelDocuments/0/issuer", "issues documents"},
		{"document of an unknown State", edits{"/travelDocuments/0/issuer": "QQQ"}, "/travelDocuments/0/issuer", "issues documents"},
		{"document number with markup", edits{"/travelDocuments/0/value": "<script>"}, "/travelDocuments/0/value", "A to Z"},
		{"document number in Cyrillic", edits{"/travelDocuments/0/value": "АL2596664"}, "/travelDocuments/0/value", "A to Z"},
		{"document number with a dotless i", edits{"/travelDocuments/0/value": "Aı2596664"}, "/travelDocuments/0/value", "A to Z"},
		{"document number of hyphens", edits{"/travelDocuments/0/value": "---"}, "/travelDocuments/0/value", "letter or a number"},
		{"passport number of 21 characters", edits{"/travelDocuments/0/value": strings.Repeat("7", 21)}, "/travelDocuments/0/value", "too long"},
		{"a court case to travel with", edits{"/travelDocuments/0/type": "courtCase"}, "/travelDocuments/0/type", "carry"},
		{"one document twice", edits{"/travelDocuments/-": js(`{"type":"passport","value":"al2596664","issuer":"NPL"}`)}, "/travelDocuments/1", "twice"},
		{"portrait digest of 31 bytes", edits{"/portrait/sha256": "_us__dSIFSYj6Z5DoyHDruIdDdvlBCYf6dalvwawNA"}, "/portrait/sha256", ofThe},
		{"portrait digest with stray bits", edits{"/portrait/sha256": "_us__dSIFSYj6Z5DoyHDruIdDdvlBCYf6dalvwawNK9"}, "/portrait/sha256", "32 bytes"},
		{"portrait digest that is a word", edits{"/portrait/sha256": "none"}, "/portrait/sha256", "pattern"},
		{"portrait of nothing", edits{"/portrait/sha256": "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"}, "/portrait/sha256", "of a picture"},
		{"portrait of zeros", edits{"/portrait/sha256": strings.Repeat("0", 64)}, "/portrait/sha256", "of a picture"},
		{"portrait before birth", edits{"/portrait/capturedAt": "2020-02-28"}, "/portrait/capturedAt", "before the birth"},
		{"portrait of tomorrow", edits{"/portrait/capturedAt": "2026-11-21"}, "/portrait/capturedAt", "future"},
		{"portrait to be taken again before it was taken", edits{"/portrait/recaptureBy": "2025-07-15"}, "/portrait/recaptureBy", "after capturedAt"},
		{"portrait for life", edits{"/portrait/recaptureBy": "2030-07-16"}, "/portrait/recaptureBy", "five years"},
		{"portrait that is a page", edits{"/portrait/media": "text/html"}, "/portrait/media", "pattern"},
		// Circumstances.
		{"foundling with a known mother", edits{"/circumstance": "foundling", "/placeOfBirth/status": "foundAt", "/registration/informant": "police"}, "/parentage/0/status", "foundling"},
		{"foundling born where it is known", edits{"/circumstance": "foundling", "/parentage": []any{}, "/registration/informant": "police"}, "/placeOfBirth/status", "foundling"},
		{"foundling brought by the mother", edits{"/circumstance": "foundling", "/parentage": []any{}, "/placeOfBirth/status": "foundAt"}, "/registration/informant", "foundling"},
		{"ordinary child that was found", edits{"/placeOfBirth/status": "foundAt"}, "/placeOfBirth/status", "ordinary"},
		{"ordinary child of unknown age", edits{"/birthDate": js(`{"precision":"unknown","basis":"presumed"}`), "/timeOfBirth": gone{}}, "/birthDate/precision", "ordinary"},
		{"refugee born nowhere", edits{"/circumstance": "refugeeHostState", "/placeOfBirth": js(`{"status":"unknown"}`)}, "/placeOfBirth/status", "host State"},
		{"range that ends after the registration", edits{"/birthDate": js(`{"precision":"range","basis":"ageAssessment","earliest":"2020-01-01","latest":"2020-06-06"}`), "/timeOfBirth": gone{}}, "/birthDate/latest", "after the registration"},
		{"range after the registration", edits{"/birthDate": js(`{"precision":"range","basis":"ageAssessment","earliest":"2020-06-06","latest":"2020-07-01"}`), "/timeOfBirth": gone{}, "/registration/mode": "reconstructed", "/circumstance": "inTransit"}, "/registration/date", "before the birth"},
		{"year that is narrowed to after the registration", edits{"/birthDate": js(`{"value":"2020","precision":"year","basis":"presumed","earliest":"2020-01-01","latest":"2020-06-06"}`), "/timeOfBirth": gone{}}, "/birthDate/latest", "after the registration"},
		{"registered by a father nobody knows", edits{"/parentage/1": js(`{"role":"father","status":"unknown"}`), "/registration/informant": "father"}, "/registration/informant", "unknown"},
		{"registered by a mother nobody knows", edits{"/parentage/0": js(`{"role":"mother","status":"unknown"}`)}, "/registration/informant", "unknown"},
		{"unnamed with a machine-readable name", edits{"/names/0": js(`{"kind":"legal","script":"Latn","status":"unnamed","mrz":{"primary":"GURUNG","secondary":"KAVYA"}}`)}, "/names/0/mrz", "no name to write"},
		{"plenary adoption that is open", edits{"/recordVersion": 2, "/amendment": js(`{"reason":"plenaryAdoption","effective":"2021-02-28"}`), "/parentage/0/filiation": "adoption"}, "/amendment/sealed", "must be true"},
		{"plenary adoption that says it is open", edits{"/recordVersion": 2, "/amendment": js(`{"reason":"plenaryAdoption","effective":"2021-02-28","sealed":false}`), "/parentage/0/filiation": "adoption"}, "/amendment/sealed", "must be true"},
		{"born at sea of an ordinary record", edits{"/placeOfBirth": js(`{"status":"known","facilityType":"vessel"}`)}, "/placeOfBirth", "must name a place"},
		{"born in transit in a house", edits{"/placeOfBirth": js(`{"status":"known","facilityType":"privateHome"}`), "/circumstance": "inTransit"}, "/placeOfBirth", "must name a place"},
		{"reconstructed in time", edits{"/circumstance": "reconstructed"}, "/registration/mode", "timely"},
	}
	if _, err := CheckBirth([]byte(birthRecord), dataDay); err != nil {
		t.Fatalf("the record without edits: %v", err)
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			_, err := CheckBirth(edited(t, birthRecord, tc.edits), dataDay)
			tc.check(t, err)
		})
	}
}

// What is rare, uncertain or incomplete is not impossible.
func TestCheckBirthAccepts(t *testing.T) {
	tests := []struct {
		name  string
		edits edits
	}{
		{"born and registered today", edits{"/birthDate/value": "2026-11-20", "/registration/date": "2026-11-20", "/portrait": gone{}}},
		{"born in a month that is not over", edits{"/birthDate": js(`{"value":"2026-11","precision":"month","basis":"informant"}`), "/registration/date": "2026-11-20", "/timeOfBirth": gone{}, "/portrait": gone{}}},
		{"born in a year that is not over", edits{"/birthDate": js(`{"value":"2026","precision":"year","basis":"informant"}`), "/registration/date": "2026-01-20", "/timeOfBirth": gone{}, "/portrait": gone{}}},
		{"a year narrowed down", edits{"/birthDate": js(`{"value":"2019","precision":"year","basis":"ageAssessment","earliest":"2019-03-01","latest":"2019-09-30"}`), "/timeOfBirth": gone{}}},
		{"midnight", edits{"/timeOfBirth": "00:00"}},
		{"last minute", edits{"/timeOfBirth": "23:59"}},
		{"one name only", edits{"/names/0": js(`{"kind":"legal","script":"Latn","full":"Suharto"}`)}},
		{"given name only", edits{"/names/0": js(`{"kind":"legal","script":"Latn","given":["Suharto"]}`)}},
		{"unnamed newborn", edits{"/names/0": js(`{"kind":"legal","script":"Latn","status":"unnamed"}`)}},
		{"unnamed with a family name", edits{"/names/0": js(`{"kind":"legal","script":"Latn","family":["Gurung"],"status":"unnamed"}`)}},
		{"two scripts", edits{"/names/-": js(`{"kind":"legal","script":"Deva","lang":"ne","given":["काव्या"],"family":["गुरुङ"]}`)}},
		{"one script in two languages", edits{"/names/-": js(`{"kind":"legal","script":"Latn","lang":"en","given":["Kavya"],"family":["Gurung"]}`)}},
		{"ordinals, full stops and slashes", edits{"/names/0/given": js(`["John 3","D.","a/l","O'Neill","Anne-Marie","Ali @ Abu"]`)}},
		{"typographic apostrophes", edits{"/names/0/given": js(`["O’Neill","Oʻahu","Col·lell"]`)}},
		{"Japanese name", edits{"/names/-": js(`{"kind":"legal","script":"Jpan","lang":"ja","given":["花子エ々"],"family":["山田ーの"]}`)}},
		{"Korean name with Han", edits{"/names/-": js(`{"kind":"legal","script":"Kore","given":["민준 敏俊"]}`)}},
		{"Persian joiner", edits{"/names/-": js(`{"kind":"legal","script":"Arab","lang":"fa","full":"علی` + "\u200c" + `رضا"}`)}},
		{"Mongolian vowel separator", edits{"/names/-": js(`{"kind":"legal","script":"Mong","full":"ᠰᠡᠴᠡᠨ` + "\u180e" + `ᠠ"}`)}},
		{"Hebrew with points", edits{"/names/-": js(`{"kind":"legal","script":"Hebr","full":"שָׁלוֹם"}`)}},
		{"language that the tables do not know", edits{"/names/0/lang": "qaa-x-ours"}},
		{"language with its own script", edits{"/names/0/lang": "sr-Latn-RS"}},
		{"machine-readable name as in the passport", edits{"/names/0/mrz": js(`{"primary":"SHERPA","secondary":"K","source":"travelDocument"}`)}},
		{"machine-readable name with one component in common", edits{"/names/0/mrz": js(`{"primary":"GURUNG","source":"issuerTransliterated"}`)}},
		{"full name field", edits{"/names/0/mrz/secondary": "KAVYA" + strings.Repeat("A", 26)}},
		{"born in Kosovo", edits{"/placeOfBirth/country": "RKS"}},
		{"born in Utopia", edits{"/placeOfBirth/country": "UTO"}},
		{"place nobody knows", edits{"/placeOfBirth": js(`{"status":"unknown","country":"NPL"}`), "/circumstance": "inTransit"}},
		{"place by locality alone", edits{"/placeOfBirth": js(`{"status":"known","locality":"Sunauli 2"}`)}},
		{"twin without order", edits{"/multipleBirth/order": gone{}}},
		{"no parents named", edits{"/parentage": []any{}}},
		{"parent without a name", edits{"/parentage": js(`[{"role":"mother","status":"known"}]`)}},
		{"anonymous birth", edits{"/parentage": js(`[{"role":"mother","status":"withheld","filiation":"birth"},{"role":"father","status":"unknown"}]`)}},
		{"two mothers, one by adoption", edits{"/parentage/1": js(`{"role":"mother","status":"known","filiation":"adoption","personRef":"M-2"}`)}},
		{"two fathers by adoption", edits{"/parentage": js(`[{"role":"father","status":"known","filiation":"adoption"},{"role":"father","status":"known","filiation":"adoption"}]`)}},
		{"unknown mother and adoptive mother", edits{"/parentage": js(`[{"role":"mother","status":"unknown"},{"role":"mother","status":"known","filiation":"adoption"}]`)}},
		{"parents of the same name", edits{"/parentage/1": js(`{"role":"father","status":"known","names":[{"kind":"legal","script":"Latn","given":["Diya"],"family":["Thapa"]}]}`)}},
		{"mother of ten", edits{"/parentage/0/birthDate/value": "2010-02-28"}},
		{"mother of perhaps ten", edits{"/parentage/0/birthDate": js(`{"value":"2010","precision":"year","basis":"informant"}`)}},
		{"mother of seventy", edits{"/parentage/0/birthDate/value": "1949-12-01"}},
		{"adoptive mother of ninety", edits{"/parentage/0/birthDate/value": "1929-12-01", "/parentage/0/filiation": "adoption"}},
		{"stateless parent", edits{"/parentage/0/nationality": js(`["XXA"]`)}},
		{"registered in a register of another script", edits{"/registration/number": "٢٠٢٠/١٢٣"}},
		{"authority by DID", edits{"/registration/authority": "did:web:registry.npl.example"}},
		{"authority by http", edits{"/registration/authority": "http://registry.npl.example/births"}},
		{"authority by URN", edits{"/registration/authority": "urn:oid:2.16.524"}},
		{"authority by UUID", edits{"/registration/authority": "urn:uuid:90dea8dd-679c-4057-8c67-bc9d52906e37"}},
		{"born at sea", edits{"/placeOfBirth": js(`{"status":"known","facilityType":"vessel"}`), "/circumstance": "inTransit"}},
		{"born in the air", edits{"/placeOfBirth": js(`{"status":"known","facilityType":"aircraft","facilityId":"9N-ALV"}`), "/circumstance": "inTransit"}},
		{"range that ends with the registration", edits{"/birthDate": js(`{"precision":"range","basis":"ageAssessment","earliest":"2020-01-01","latest":"2020-06-05"}`), "/timeOfBirth": gone{}}},
		{"range beyond the act that was lost", edits{"/birthDate": js(`{"precision":"range","basis":"ageAssessment","earliest":"2020-01-01","latest":"2021-06-05"}`), "/timeOfBirth": gone{}, "/registration/mode": "reconstructed", "/circumstance": "reconstructed"}},
		{"registered by a father who was removed", edits{"/recordVersion": 2, "/amendment": js(`{"reason":"parentRemoved","effective":"2021-02-28"}`), "/parentage/1": js(`{"role":"father","status":"unknown"}`), "/registration/informant": "father"}},
		{"registered by the adoptive mother of a child of an unknown one", edits{"/parentage/1": js(`{"role":"mother","status":"unknown"}`), "/parentage/0/filiation": "adoption"}},
		{"registered by a mother who is withheld", edits{"/parentage/0": js(`{"role":"mother","status":"withheld"}`)}},
		{"unnamed with a family name and its machine-readable form", edits{"/names/0": js(`{"kind":"legal","script":"Latn","family":["Gurung"],"status":"unnamed","mrz":{"primary":"GURUNG"}}`)}},
		{"informant is the father nobody declared", edits{"/parentage/1": js(`{"role":"father","status":"undeclared"}`), "/registration/informant": "father"}},
		{"late by years and called timely", edits{"/registration/date": "2026-01-01"}},
		{"first version of a sealed record", edits{"/amendment": js(`{"reason":"plenaryAdoption","effective":"2021-02-28","sealed":true}`), "/parentage/0/filiation": "adoption", "/parentage/1/filiation": "adoption"}},
		{"second version", edits{"/recordVersion": 2, "/amendment": js(`{"reason":"nameChange","effective":"2021-02-28","supersedes":"urn:uuid:90dea8dd-679c-4057-8c67-bc9d52906e37"}`), "/names/-": js(`{"kind":"former","script":"Latn","full":"Old Name"}`)}},
		{"refugee certificate", edits{"/travelDocuments": js(`[{"type":"unhcrIndividual","value":"123-45C67890","issuer":"UNO"}]`)}},
		{"foundling", edits{"/circumstance": "foundling", "/parentage": js(`[{"role":"mother","status":"unknown"},{"role":"father","status":"unknown"}]`), "/placeOfBirth/status": "foundAt", "/registration/informant": "police"}},
		{"foundling whose mother was found", edits{"/circumstance": "foundling", "/recordVersion": 2, "/amendment": js(`{"reason":"parentAdded","effective":"2021-02-28"}`)}},
		{"child nobody knows anything of", edits{"/circumstance": "unaccompaniedDisplaced", "/parentage": []any{}, "/placeOfBirth": js(`{"status":"unknown"}`), "/birthDate": js(`{"precision":"unknown","basis":"presumed"}`), "/timeOfBirth": gone{}}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := CheckBirth(edited(t, birthRecord, tc.edits), dataDay); err != nil {
				t.Errorf("%v %+v", err, fault.As(err).Fields)
			}
		})
	}
}

func TestCheckBirthNormalises(t *testing.T) {
	_, err := CheckBirth(edited(t, birthRecord, edits{
		"/names/0/given/0":         " \u202eJu\u0308rgen\u00a0\u200f Karl ",
		"/names/0/mrz":             gone{},
		"/placeOfBirth/locality":   "Sun\u2066auli\u3000 2",
		"/registration/number":     " 2020  /  1 ",
		"/travelDocuments/0/value": " al2596664",
		"/portrait/sha256":         "FEEB3FFDD4881526 23E99E43A321C3AEE21D0DDBE504261FE9D6A5BF06B034AF",
	}), dataDay)
	if err == nil {
		t.Fatal("a digest with a space was accepted")
	}
	b, err := CheckBirth(edited(t, birthRecord, edits{
		"/names/0/given/0":         " \u202eJu\u0308rgen\u00a0\u200f Karl ",
		"/names/0/mrz":             gone{},
		"/names/-":                 js(`{"kind":"legal","script":"Arab","lang":"fa","full":"علی` + "\u200c" + `رضا"}`),
		"/placeOfBirth/locality":   "Sun\u2066auli\u3000 2",
		"/registration/number":     " 2020  /  1 ",
		"/travelDocuments/0/value": " al2596664",
		"/portrait/sha256":         "FEEB3FFDD488152623E99E43A321C3AEE21D0DDBE504261FE9D6A5BF06B034AF",
	}), dataDay)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range [][2]string{
		{b.Names[0].Given[0], "J\u00fcrgen Karl"},
		{b.Names[1].Full, "علی\u200cرضا"},
		{b.PlaceOfBirth.Locality, "Sunauli 2"},
		{b.Registration.Number, "2020 / 1"},
		{b.TravelDocuments[0].Value, "AL2596664"},
		{b.Portrait.SHA256, "_us__dSIFSYj6Z5DoyHDruIdDdvlBCYf6dalvwawNK8"},
	} {
		if x[0] != x[1] {
			t.Errorf("%q, want %q", x[0], x[1])
		}
	}
}

// The day is the registrar's, not Greenwich's: at five in the morning in Nepal
// the day before is not over in London.
func TestTodayIsTheDayOfTheClocksOwnZone(t *testing.T) {
	record := edited(t, birthRecord, edits{"/birthDate/value": "2026-11-21", "/registration/date": "2026-11-21", "/portrait": gone{}})
	early := time.Date(2026, 11, 21, 5, 0, 0, 0, time.FixedZone("+0545", 5*3600+45*60))
	if _, err := CheckBirth(record, early); err != nil {
		t.Errorf("born today in Nepal: %v", err)
	}
	if _, err := CheckBirth(record, early.UTC()); err == nil {
		t.Error("the same moment in UTC is the day before")
	}
}

func TestRefusalNamesAllThatIsWrong(t *testing.T) {
	f := fault.As(second(CheckBirth(edited(t, birthRecord, edits{
		"/sex": 5, "/birthDate/value": "2020-02-30", "/registration/date": "2027-01-01", "/multipleBirth/order": 3, "/placeOfBirth/country": "QQQ",
	}), dataDay)))
	if f == nil {
		t.Fatal("accepted")
	}
	var paths []string
	for _, x := range f.Fields {
		paths = append(paths, x.Path)
	}
	for _, want := range []string{"/sex", "/birthDate/value", "/registration/date", "/multipleBirth/order", "/placeOfBirth/country"} {
		if !slices.Contains(paths, want) {
			t.Errorf("%s is not among %v", want, paths)
		}
	}
	names := make([]any, 20)
	for i := range names {
		names[i] = map[string]any{"kind": "alias", "script": "Qaaa", "given": []any{"1"}, "lang": "-"}
	}
	f = fault.As(second(CheckBirth(edited(t, birthRecord, edits{"/names": names}), dataDay)))
	if f == nil || len(f.Fields) != 20 {
		t.Fatalf("%v, want twenty broken rules", f)
	}
}

// A registration of full size that breaks every bound must not keep the issuer
// busy: the time is of the order of reading it.
func TestRefusalTakesNoLongerThanReading(t *testing.T) {
	fill := func(doc, list, item string) []byte {
		if !strings.Contains(doc, list) {
			t.Fatalf("the record has no %s", list)
		}
		n := (MaxRegistration - len(doc) - 100) / (len(item) + 1)
		return []byte(strings.Replace(doc, list, list+strings.Repeat(item+",", n), 1))
	}
	docs := map[string][]byte{
		"parents":                 fill(birthRecord, `"parentage":[`, `{}`),
		"names":                   fill(birthRecord, `"names":[`, `{}`),
		"given names":             fill(birthRecord, `"given":[`, `"a"`),
		"documents":               fill(birthRecord, `"travelDocuments":[`, `{}`),
		"numbers":                 fill(birthRecord, `"parentage":[`, `1e999999`),
		"marks":                   []byte(strings.Replace(birthRecord, `"Kavya"`, `"K`+strings.Repeat("\u0316", 10000)+`"`, 1)),
		"powers":                  fill(guardianRecord, `"powers":[`, `"a"`),
		"powers that are numbers": fill(guardianRecord, `"powers":[`, `1`),
		"countries":               fill(guardianRecord, `"deniedCountries":[`, `"IND"`),
		"delegates":               fill(strings.Replace(guardianRecord, `"personRef"`, `"delegates":["b"],"personRef"`, 1), `"delegates":[`, `"a"`),
	}
	for name, doc := range docs {
		if len(doc) > MaxRegistration {
			t.Fatalf("%s: %d bytes", name, len(doc))
		}
		started := time.Now()
		if _, err := CheckBirth(doc, dataDay); err == nil {
			t.Errorf("%s: accepted", name)
		}
		if _, err := CheckGuardianship(doc, dataDay); err == nil {
			t.Errorf("%s: accepted", name)
		}
		if took := time.Since(started); took > 3*time.Second {
			t.Errorf("%s: %v", name, took)
		} else {
			t.Logf("%s: %v", name, took)
		}
	}
}

// One broken member is one broken rule, however deep it lies, and a member that
// nobody knows is told from one that is wrong.
func TestRefusalNamesNoMemberThatIsAllowed(t *testing.T) {
	for _, tc := range []struct {
		name string
		err  error
		want []fault.Field
	}{
		{"a power that is none", second(CheckGuardianship(edited(t, guardianRecord, edits{"/powers": js(`["fly"]`), "/exercise/mode": "joint"}), dataDay)),
			[]fault.Field{{Path: "/powers/0", Rule: "must be one of: travelAccompany, travelConsent, relocate, passportApply, healthRoutine, healthMajor, education, legalRepresentation, residence, property, delegate, walletManage"}}},
		{"no law", second(CheckGuardianship(edited(t, guardianRecord, edits{"/legalBasis/law": gone{}}), dataDay)), []fault.Field{{Path: "/legalBasis", Rule: "is required: law"}}},
		{"no kind, and two strangers beside it", second(CheckGuardianship(edited(t, guardianRecord, edits{"/legalBasis/law": gone{}, "/diary": 1, "/wages": 2}), dataDay)), []fault.Field{
			{Path: "", Rule: "has 2 members that are not allowed; allowed are: constraints, effective, exercise, guardian, legalBasis, powers, role, termination, ward"},
			{Path: "/legalBasis", Rule: "is required: law"}}},
		{"a birth with one wrong sex", second(CheckBirth(edited(t, birthRecord, edits{"/sex": 5}), dataDay)), []fault.Field{{Path: "/sex", Rule: "must be one of: 0, 1, 2, 9"}}},
		{"a birth with a stranger in the place", second(CheckBirth(edited(t, birthRecord, edits{"/placeOfBirth/street": "x"}), dataDay)), []fault.Field{
			{Path: "/placeOfBirth", Rule: "has a member that is not allowed; allowed are: adminArea, country, facilityId, facilityType, locality, status"}}},
	} {
		f := fault.As(tc.err)
		if f == nil || !slices.Equal(f.Fields, tc.want) {
			t.Errorf("%s: %+v", tc.name, f)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestRegistrationsThatAreNoStrictJSON(t *testing.T) {
	for name, doc := range map[string][]byte{
		"nothing":             nil,
		"half":                []byte(birthRecord[:200]),
		"two records":         []byte(birthRecord + birthRecord),
		"a member twice":      bytes.Replace([]byte(birthRecord), []byte(`"sex":2`), []byte(`"sex":2,"sex":1`), 1),
		"a member in capital": bytes.Replace([]byte(birthRecord), []byte(`"sex":2`), []byte(`"sex":2,"Sex":1`), 1),
		"not UTF-8":           bytes.Replace([]byte(birthRecord), []byte("Kavya"), []byte("Ka\xffvya"), 1),
		"deep":                []byte(strings.Repeat("[", 17) + strings.Repeat("]", 17)),
	} {
		if f := fault.As(second(CheckBirth(doc, dataDay))); f == nil || f.Kind != fault.Invalid {
			t.Errorf("birth, %s: %+v, want an invalid request", name, f)
		}
		if f := fault.As(second(CheckGuardianship(doc, dataDay))); f == nil || f.Kind != fault.Invalid {
			t.Errorf("guardianship, %s: %+v, want an invalid request", name, f)
		}
	}
	big := append([]byte(birthRecord), bytes.Repeat([]byte(" "), MaxRegistration)...)
	if f := fault.As(second(CheckBirth(big, dataDay))); f == nil || f.Kind != fault.TooLarge {
		t.Errorf("%+v, want too large", f)
	}
	if f := fault.As(second(CheckBirth([]byte(`"a text"`), dataDay))); f == nil || f.Code != "registration-refused" {
		t.Errorf("%+v, want a refusal", f)
	}
	// A member whose name differs only in case must not be read as the member.
	f := fault.As(second(CheckBirth(bytes.Replace([]byte(birthRecord), []byte(`"sex":2`), []byte(`"SEX":2`), 1), dataDay)))
	if f == nil || f.Code != "registration-refused" {
		t.Errorf("%+v, want a refusal", f)
	}
}

func TestCheckGuardianshipRefuses(t *testing.T) {
	court := func(more edits) edits {
		e := edits{"/role": "legalGuardian", "/legalBasis": js(`{"type":"courtOrder","law":"NPL","authority":"https://court.npl.example","reference":"GD-1","decidedOn":"2024-01-01"}`), "/effective": js(`{"from":"2024-01-01"}`)}
		for k, v := range more {
			e[k] = v
		}
		return e
	}
	mandate := func(basis, role string, more edits) edits {
		return court(func() edits {
			e := edits{"/role": role, "/legalBasis": js(`{"type":"` + basis + `","law":"NPL","authority":"https://protection.npl.example","reference":"HM-1","decidedOn":"2026-10-01"}`),
				"/powers": js(`["healthRoutine","education"]`), "/exercise": js(`{"mode":"sole"}`), "/effective": js(`{"from":"2026-10-01","until":"2026-12-01"}`)}
			for k, v := range more {
				e[k] = v
			}
			return e
		}())
	}
	office := edits{"/guardian": js(`{"kind":"office","names":[{"kind":"legal","script":"Latn","full":"Child Protection Office 18"}],"delegates":["k1"]}`)}
	tests := []refusalRow{
		{"no guardian", edits{"/guardian": gone{}}, "", "is required: guardian"},
		{"no powers", edits{"/powers": []any{}}, "/powers", "at least 1"},
		{"a power that is none", edits{"/powers/0": "fly"}, "/powers/0", "must be one of"},
		{"a power twice", edits{"/powers": js(`["relocate","relocate"]`)}, "/powers", "twice"},
		{"court order without a decision", court(edits{"/legalBasis": js(`{"type":"courtOrder","law":"NPL"}`)}), "/legalBasis", "is required: decidedOn"},
		{"majority at 14", edits{"/termination/majorityAge": 14}, "/termination/majorityAge", "at least 15"},
		{"majority at 22", edits{"/termination/majorityAge": 22}, "/termination/majorityAge", "at most 21"},
		{"majority in no country", edits{"/termination/majorityLaw": "QQQ"}, "/termination/majorityLaw", "country"},
		{"law of no country", edits{"/legalBasis/law": "XXX"}, "/legalBasis/law", "country"},
		{"the ward as guardian", edits{"/guardian/personRef": "jWoSldc3ms1i4ycXe2mjtQ"}, "/guardian/personRef", "ward"},
		{"guardian whom nobody can identify", edits{"/guardian": js(`{"kind":"naturalPerson","holderKey":"abc"}`)}, "/guardian", "identified"},
		{"person with delegates", edits{"/guardian/delegates": js(`["k1"]`)}, "/guardian/delegates", "natural person"},
		{"guardian with a homoglyph", edits{"/guardian/names/0/given/0": "Diyа"}, "/guardian/names/0/given/0", "another script"},
		{"guardian born tomorrow", edits{"/guardian/birthDate/value": "2026-11-21"}, "/guardian/birthDate/value", "future"},
		{"guardian born on 30 February", edits{"/guardian/birthDate/value": "1992-02-30"}, "/guardian/birthDate/value", "exists"},
		{"holder key with spaces", edits{"/guardian/holderKey": "a b"}, "/guardian/holderKey", "ASCII"},
		{"holder key with a control character", edits{"/guardian/holderKey": "a\nb"}, "/guardian/holderKey", "ASCII"},
		{"guardian's document of no State", edits{"/guardian/documents/0/issuer": "QQQ"}, "/guardian/documents/0/issuer", "issues"},
		{"ward's credential that is no URI", edits{"/ward/birthCredential": "that one"}, "/ward/birthCredential", ofThe},
		// Offices.
		{"office that was born", with(with(court(nil), office), edits{"/guardian/birthDate": js(`{"value":"1990","precision":"year","basis":"informant"}`)}), "/guardian/birthDate", "institution"},
		{"office without a name", with(court(nil), edits{"/guardian": js(`{"kind":"office","delegates":["k1"]}`)}), "/guardian/names", "must name"},
		{"office as grandmother", with(court(edits{"/role": "grandparent"}), office), "/role", "kinship"},
		{"office as mother by birth", office, "/guardian/kind", "naturalPerson"},
		{"delegate with the same key", with(with(court(nil), office), edits{"/guardian/holderKey": "k1"}), "/guardian/delegates/0", "another key"},
		{"delegate twice", with(with(court(nil), office), edits{"/guardian/delegates": js(`["k1","k1"]`)}), "/guardian/delegates", "twice"},
		// Basis and role.
		{"grandmother by birth", edits{"/role": "grandparent"}, "/role", "a parent's"},
		{"State by birth", edits{"/role": "stateGuardian"}, "/role", "a parent's"},
		{"kafil by acknowledgement", edits{"/role": "kafil", "/legalBasis/type": "acknowledgement"}, "/role", "a parent's"},
		{"foster carer by adoption", court(edits{"/role": "fosterCarer", "/legalBasis/type": "adoptionPlenary"}), "/role", "a parent's"},
		{"mother by kafala", court(edits{"/role": "mother", "/legalBasis/type": "kafala"}), "/role", "must not be a parent's"},
		{"father by will", court(edits{"/role": "father", "/legalBasis/type": "testamentary"}), "/role", "must not be a parent's"},
		{"mother by public authority", mandate("publicAuthority", "mother", nil), "/role", "must not be a parent's"},
		{"father by humanitarian mandate", mandate("humanitarianMandate", "father", nil), "/role", "must not be a parent's"},
		{"Hague adoption certificate for a court order", court(edits{"/legalBasis/hague1993Art23": true}), "/legalBasis/hague1993Art23", "adoption"},
		{"countersigned by a web page", mandate("humanitarianMandate", "ngoGuardian", edits{"/legalBasis/countersignedBy": "https://state.example"}), "/legalBasis/countersignedBy", "did"},
		// Mandates that must end.
		{"humanitarian mandate without end", mandate("humanitarianMandate", "ngoGuardian", edits{"/effective": js(`{"from":"2026-10-01"}`)}), "/effective/until", "is required"},
		{"public authority without end", mandate("publicAuthority", "stateGuardian", edits{"/effective": js(`{"from":"2026-10-01"}`)}), "/effective/until", "is required"},
		{"custom without end", mandate("customary", "relative", edits{"/effective": js(`{"from":"2026-10-01"}`)}), "/effective/until", "is required"},
		{"humanitarian mandate of 91 days", mandate("humanitarianMandate", "ngoGuardian", edits{"/effective": js(`{"from":"2026-10-01","until":"2026-12-31"}`)}), "/effective/until", "90 days"},
		{"humanitarian mandate to consent to travel", mandate("humanitarianMandate", "ngoGuardian", edits{"/powers": js(`["healthRoutine","travelConsent"]`)}), "/powers/1", "countersignature"},
		{"humanitarian mandate to relocate", mandate("humanitarianMandate", "ngoGuardian", edits{"/powers": js(`["relocate"]`)}), "/powers/0", "countersignature"},
		{"humanitarian mandate for passports", mandate("humanitarianMandate", "ngoGuardian", edits{"/powers": js(`["passportApply"]`)}), "/powers/0", "countersignature"},
		// Dates.
		{"from 30 February", edits{"/effective/from": "2020-02-30"}, "/effective/from", "valid date"},
		{"from tomorrow", edits{"/effective/from": "2026-11-21"}, "/effective/from", "future"},
		{"from 1700", edits{"/effective/from": "1700-01-01"}, "/effective/from", "1850"},
		{"over before it begins", court(edits{"/effective": js(`{"from":"2024-01-01","until":"2023-12-31"}`)}), "/effective/until", "before from"},
		{"reviewed before it begins", court(edits{"/effective": js(`{"from":"2024-01-01","until":"2025-12-31","reviewBy":"2023-12-31"}`)}), "/effective/reviewBy", "before from"},
		{"reviewed after it is over", court(edits{"/effective": js(`{"from":"2024-01-01","until":"2025-12-31","reviewBy":"2026-01-01"}`)}), "/effective/reviewBy", "after until"},
		{"ordered before it was decided", court(edits{"/effective": js(`{"from":"2023-12-31"}`)}), "/effective/from", "before the decision"},
		{"kafil before it was decided", court(edits{"/role": "kafil", "/legalBasis/type": "kafala", "/effective": js(`{"from":"2023-12-31"}`)}), "/effective/from", "before the decision"},
		{"decided tomorrow", court(edits{"/legalBasis/decidedOn": "2026-11-21"}), "/legalBasis/decidedOn", "future"},
		{"decided on 31 November", court(edits{"/legalBasis/decidedOn": "2024-11-31"}), "/legalBasis/decidedOn", "valid date"},
		// Exercise.
		{"sole of two", edits{"/exercise": js(`{"mode":"sole","coGuardianCount":2}`)}, "/exercise/coGuardianCount", "sole"},
		{"sole with a quorum", edits{"/exercise": js(`{"mode":"sole","quorum":2}`)}, "/exercise/quorum", "not joint"},
		{"sole and joint for something", edits{"/exercise": js(`{"mode":"sole","jointFor":["relocate"]}`)}, "/exercise/jointFor", "not joint"},
		{"independent and joint for something", edits{"/exercise": js(`{"mode":"independent","jointFor":["relocate"]}`)}, "/exercise/jointFor", "not joint"},
		{"independent with a quorum", edits{"/exercise": js(`{"mode":"independent","coGuardianCount":2,"quorum":2}`)}, "/exercise/quorum", "not joint"},
		{"joint alone", edits{"/exercise": js(`{"mode":"joint","coGuardianCount":1}`)}, "/exercise/coGuardianCount", "at least 2"},
		{"quorum of three of two", edits{"/exercise": js(`{"mode":"joint","coGuardianCount":2,"quorum":3}`)}, "/exercise/quorum", "coGuardianCount"},
		{"quorum of three of the default", edits{"/exercise": js(`{"mode":"joint","quorum":3}`)}, "/exercise/quorum", "coGuardianCount"},
		{"joint for what is no power", edits{"/exercise/jointFor/0": "fly"}, "/exercise/jointFor/0", "must be one of"},
		{"joint for nothing", edits{"/exercise/jointFor": []any{}}, "/exercise/jointFor", "at least 1"},
		{"joint for a power twice", edits{"/exercise/jointFor": js(`["relocate","relocate"]`)}, "/exercise/jointFor", "twice"},
		{"quorum of none", edits{"/exercise/quorum": 0}, "/exercise/quorum", "at least 1"},
		// Constraints.
		{"allowed and denied", edits{"/constraints/deniedCountries": js(`["IND"]`)}, "/constraints/deniedCountries/0", "allowedCountries"},
		{"allowed to go to no country", edits{"/constraints/allowedCountries/0": "QQQ"}, "/constraints/allowedCountries/0", "country"},
		{"allowed to go to the stateless", edits{"/constraints/allowedCountries/0": "XXA"}, "/constraints/allowedCountries/0", "country"},
		{"denied no country", edits{"/constraints/deniedCountries/0": "QQQ"}, "/constraints/deniedCountries/0", "country"},
		{"allowed nowhere", edits{"/constraints/allowedCountries": []any{}}, "/constraints/allowedCountries", "at least 1"},
		{"away for no day", edits{"/constraints/maxAbsenceDays": 0}, "/constraints/maxAbsenceDays", "at least 1"},
		{"conditions of 281 characters", edits{"/constraints/conditions": strings.Repeat("a", 281)}, "/constraints/conditions", "280"},
		{"conditions with a control character", edits{"/constraints/conditions": "a\u0085b"}, "/constraints/conditions", "control"},
		{"revoker that is nobody", edits{"/termination/revokers/0": "..."}, "/termination/revokers/0", "letter"},
		{"event that is none", edits{"/termination/events/0": "boredom"}, "/termination/events/0", "must be one of"},
		{"reference with a control character", court(edits{"/legalBasis/reference": "a\rb"}), "/legalBasis/reference", "control"},
	}
	if _, err := CheckGuardianship([]byte(guardianRecord), dataDay); err != nil {
		t.Fatalf("the record without edits: %v", err)
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			tc.check(t, second(CheckGuardianship(edited(t, guardianRecord, tc.edits), dataDay)))
		})
	}
}

func TestCheckGuardianshipAccepts(t *testing.T) {
	tests := []struct {
		name  string
		edits edits
	}{
		{"joint for a power not held", edits{"/exercise/jointFor": js(`["passportApply"]`)}},
		{"joint with a quorum of one", edits{"/exercise/quorum": 1}},
		{"joint without numbers", edits{"/exercise": js(`{"mode":"joint"}`)}},
		{"independent", edits{"/exercise": js(`{"mode":"independent","coGuardianCount":2}`)}},
		{"sole of one", edits{"/exercise": js(`{"mode":"sole","coGuardianCount":1,"quorum":1}`)}},
		{"no removal with power to relocate", edits{"/constraints/noRemoval": true}},
		{"mandate of one day", edits{"/effective": js(`{"from":"2026-11-20","until":"2026-11-20","reviewBy":"2026-11-20"}`)}},
		{"mandate that is over", edits{"/effective": js(`{"from":"2020-11-20","until":"2021-11-20"}`)}},
		{"humanitarian mandate to accompany, not countersigned", edits{"/role": "ngoGuardian", "/legalBasis": js(`{"type":"humanitarianMandate","law":"NPL"}`), "/powers": js(`["travelAccompany"]`), "/exercise": js(`{"mode":"sole"}`), "/effective": js(`{"from":"2026-10-01","until":"2026-12-30"}`)}},
		{"humanitarian mandate to relocate, countersigned", edits{"/role": "ngoGuardian", "/legalBasis": js(`{"type":"humanitarianMandate","law":"NPL","countersignedBy":"did:web:protection.npl.example"}`), "/powers": js(`["relocate"]`), "/exercise": js(`{"mode":"sole"}`), "/effective": js(`{"from":"2026-10-01","until":"2026-12-01"}`)}},
		{"adoption under the convention", edits{"/effective/from": "2021-01-01", "/legalBasis": js(`{"type":"adoptionSimple","law":"NPL","authority":"court","reference":"1","decidedOn":"2021-01-01","hague1993Art23":true}`)}},
		{"office named with a number", edits{"/role": "stateGuardian", "/guardian": js(`{"kind":"office","names":[{"kind":"legal","script":"Latn","full":"Smith & Sons: Office No. 18 + 3"}],"delegates":["did:key:z6Mk#1"]}`), "/legalBasis": js(`{"type":"publicAuthority","law":"NPL","authority":"a","reference":"1","decidedOn":"2026-10-01"}`), "/exercise": js(`{"mode":"sole"}`), "/effective": js(`{"from":"2026-10-01","until":"2027-10-01"}`)}},
		{"in the care of the State before it was decided", edits{"/role": "stateGuardian", "/legalBasis": js(`{"type":"publicAuthority","law":"NPL","authority":"a","reference":"1","decidedOn":"2026-10-03"}`), "/exercise": js(`{"mode":"sole"}`), "/effective": js(`{"from":"2026-10-01","until":"2026-12-01"}`)}},
		{"guardian by reference alone", edits{"/guardian": js(`{"kind":"naturalPerson","personRef":"M-1"}`)}},
		{"guardian by document alone", edits{"/guardian": js(`{"kind":"naturalPerson","documents":[{"type":"passport","value":"P1"}]}`)}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			if err := second(CheckGuardianship(edited(t, guardianRecord, tc.edits), dataDay)); err != nil {
				t.Errorf("%v %+v", err, fault.As(err).Fields)
			}
		})
	}
}

func mustBirth(t testing.TB, e edits) *vc.Birth {
	t.Helper()
	b, err := CheckBirth(edited(t, birthRecord, e), dataDay)
	if err != nil {
		t.Fatalf("%v %+v", err, fault.As(err).Fields)
	}
	return b
}

func mustGuardianship(t testing.TB, e edits) *vc.Guardianship {
	t.Helper()
	g, err := CheckGuardianship(edited(t, guardianRecord, e), dataDay)
	if err != nil {
		t.Fatalf("%v %+v", err, fault.As(err).Fields)
	}
	return g
}

// decided are edits that make a guardianship one by decision.
func decided(basis, role, on string, more edits) edits {
	e := edits{"/role": role, "/legalBasis": js(`{"type":"` + basis + `","law":"NPL","authority":"https://court.npl.example","reference":"GD-1","decidedOn":"` + on + `"}`),
		"/exercise": js(`{"mode":"sole"}`), "/effective": js(`{"from":"` + on + `"}`)}
	for k, v := range more {
		e[k] = v
	}
	return e
}

func TestCheckWard(t *testing.T) {
	other := js(`{"kind":"naturalPerson","personRef":"X-9","names":[{"kind":"legal","script":"Latn","full":"Some Body"}]}`)
	tests := []struct {
		name       string
		ward       edits
		guardian   edits
		path, rule string // "" if accepted
	}{
		{"mother by birth", nil, nil, "", ""},
		{"another child", edits{"/childRef": "AAAAAAAAAAAAAAAAAAAAAA"}, nil, "/ward/childRef", "birth record"},
		{"from before the birth", edits{"/birthDate/value": "2020-03-01"}, nil, "/effective/from", "before the ward's birth"},
		{"from before the earliest birth", edits{"/birthDate": js(`{"value":"2020-03","precision":"month","basis":"informant"}`), "/timeOfBirth": gone{}}, nil, "/effective/from", "before the ward's birth"},
		{"from within the uncertain birth", edits{"/birthDate": js(`{"value":"2020","precision":"year","basis":"informant"}`), "/timeOfBirth": gone{}}, nil, "", ""},
		{"birth unknown", edits{"/circumstance": "inTransit", "/birthDate": js(`{"precision":"unknown","basis":"presumed"}`), "/timeOfBirth": gone{}}, nil, "", ""},
		{"adopted before birth", nil, decided("adoptionSimple", "mother", "2020-01-01", edits{"/effective": js(`{"from":"2020-03-01"}`), "/guardian": other}), "/legalBasis/decidedOn", "before the ward's birth"},
		{"acknowledged before birth", nil, decided("acknowledgement", "mother", "2020-01-01", edits{"/effective": js(`{"from":"2020-03-01"}`)}), "", ""},
		{"will of parents who live", nil, decided("testamentary", "testamentaryGuardian", "2015-01-01", edits{"/effective": js(`{"from":"2024-03-01"}`), "/guardian": other}), "/legalBasis/type", "calls a parent deceased"},
		{"will of a record without known parents", edits{"/parentage": js(`[{"role":"mother","status":"unknown"}]`), "/registration/informant": "institution"}, decided("testamentary", "testamentaryGuardian", "2024-01-01", edits{"/effective": js(`{"from":"2024-03-01"}`), "/guardian": other}), "", ""},
		{"will from before birth", edits{"/parentage/1/status": "deceased"}, decided("testamentary", "testamentaryGuardian", "2015-01-01", edits{"/effective": js(`{"from":"2024-03-01"}`), "/guardian": other}), "", ""},
		{"not the mother in the record", nil, edits{"/guardian/personRef": "X-9"}, "/guardian/personRef", "a parent in the birth record"},
		{"the father as mother", nil, edits{"/guardian": js(`{"kind":"naturalPerson","personRef":"F-1"}`)}, "/role", "agree with the parent's role"},
		{"the mother as parent", nil, edits{"/role": "parent"}, "", ""},
		{"the mother as grandmother", nil, decided("courtOrder", "grandparent", "2024-01-01", nil), "/role", "another kinship"},
		{"undeclared father by birth", edits{"/parentage/1": js(`{"role":"father","status":"undeclared"}`)}, edits{"/role": "father", "/guardian": other}, "/role", "living parent"},
		{"father by birth of a record without father", edits{"/parentage": js(`[{"role":"mother","status":"known"}]`)}, edits{"/role": "father", "/guardian": other}, "/role", "living parent"},
		{"mother by birth in a record without references", edits{"/parentage/0/personRef": gone{}}, nil, "", ""},
		{"mother by name in a record with references", nil, edits{"/guardian/personRef": gone{}}, "", ""},
		{"court names a father whom the record does not", edits{"/parentage/1": js(`{"role":"father","status":"undeclared"}`)}, decided("courtOrder", "father", "2024-01-01", edits{"/guardian": other}), "", ""},
		{"joint with a father nobody declared", edits{"/parentage/1": js(`{"role":"father","status":"undeclared"}`)}, nil, "/exercise/coGuardianCount", "living parents"},
		{"joint with a dead father", edits{"/parentage/1/status": "deceased"}, edits{"/exercise": js(`{"mode":"joint"}`)}, "/exercise/coGuardianCount", "living parents"},
		{"one of three parents", edits{"/parentage/-": js(`{"role":"parent","status":"known","filiation":"adoption","personRef":"P-3"}`)}, edits{"/exercise": js(`{"mode":"independent","coGuardianCount":3}`)}, "", ""},
		{"one of three in a record of two", nil, edits{"/exercise": js(`{"mode":"independent","coGuardianCount":3}`)}, "/exercise/coGuardianCount", "living parents"},
		{"three jointly in a record of two", nil, edits{"/exercise": js(`{"mode":"joint","coGuardianCount":3}`)}, "/exercise/coGuardianCount", "living parents"},
		{"three by acknowledgement in a record of two", nil, edits{"/legalBasis/type": "acknowledgement", "/exercise": js(`{"mode":"joint","coGuardianCount":3}`)}, "/exercise/coGuardianCount", "living parents"},
		{"three where the record is silent on the other parent", edits{"/parentage": js(`[{"role":"mother","status":"known","personRef":"M-1"}]`)}, edits{"/exercise": js(`{"mode":"independent","coGuardianCount":3}`)}, "/exercise/coGuardianCount", "living parents"},
		{"three by court order", nil, decided("courtOrder", "mother", "2024-01-01", edits{"/exercise": js(`{"mode":"independent","coGuardianCount":3}`)}), "", ""},
		{"until the ward is of age", nil, edits{"/effective/until": "2038-03-01"}, "", ""},
		{"until the day after", nil, edits{"/effective/until": "2038-03-02"}, "/effective/until", "majority"},
		{"until the ward is forty", nil, edits{"/effective/until": "2060-01-01"}, "/effective/until", "majority"},
		{"until the ward is twenty-one by a law of twenty-one", nil, edits{"/effective/until": "2041-03-01", "/termination/majorityAge": 21}, "", ""},
		{"until the ward is perhaps of age", edits{"/birthDate": js(`{"value":"2020","precision":"year","basis":"informant"}`), "/timeOfBirth": gone{}}, edits{"/effective/until": "2038-12-31"}, "", ""},
		{"until the ward is of age on every reading", edits{"/birthDate": js(`{"value":"2020","precision":"year","basis":"informant"}`), "/timeOfBirth": gone{}}, edits{"/effective/until": "2039-01-01"}, "/effective/until", "majority"},
		{"adopted from before it was decided", edits{"/parentage/0/filiation": "adoption"}, decided("adoptionPlenary", "mother", "2024-01-01", edits{"/effective": js(`{"from":"2023-06-01"}`)}), "", ""},
		{"simply adopted from before it was decided", edits{"/parentage/0/filiation": "adoption"}, decided("adoptionSimple", "mother", "2024-01-01", edits{"/effective": js(`{"from":"2023-06-01"}`)}), "", ""},
		{"adopted from before the birth", edits{"/parentage/0/filiation": "adoption"}, decided("adoptionPlenary", "mother", "2024-01-01", edits{"/effective": js(`{"from":"2020-02-28"}`)}), "/effective/from", "before the ward's birth"},
		{"sole beside a father nobody declared", edits{"/parentage/1": js(`{"role":"father","status":"undeclared"}`)}, edits{"/exercise": js(`{"mode":"sole"}`)}, "", ""},
		{"joint where the record is silent", edits{"/parentage": js(`[{"role":"mother","status":"known","personRef":"M-1"}]`)}, nil, "", ""},
		{"dead mother", edits{"/parentage/0/status": "deceased"}, nil, "/guardian/personRef", "deceased"},
		{"dead father of another reference", edits{"/parentage/1/status": "deceased"}, edits{"/role": "father", "/guardian": other}, "/role", "living parent"},
		{"dead mother by court order", edits{"/parentage/0/status": "deceased"}, decided("courtOrder", "mother", "2024-01-01", nil), "/guardian/personRef", "deceased"},
		{"mother by another birth date", nil, edits{"/guardian/birthDate/value": "1991-12-22"}, "/guardian/birthDate", "agree with the parent's"},
		{"mother by birth year", nil, edits{"/guardian/birthDate": js(`{"value":"1992","precision":"year","basis":"informant"}`)}, "", ""},
		{"adoptive mother by birth", edits{"/parentage/0/filiation": "adoption"}, nil, "/legalBasis/type", "by birth"},
		{"mother by birth who adopts", nil, decided("adoptionSimple", "mother", "2024-01-01", nil), "/legalBasis/type", "adoption"},
		{"adoptive mother by adoption", edits{"/parentage/0/filiation": "adoption"}, decided("adoptionPlenary", "mother", "2024-01-01", nil), "", ""},
		{"guardian younger than the ward", nil, decided("courtOrder", "legalGuardian", "2024-01-01", edits{"/guardian": js(`{"kind":"naturalPerson","personRef":"X-9","birthDate":{"value":"2021","precision":"year","basis":"informant"}}`)}), "/guardian/birthDate", "younger than the ward"},
		{"guardian of fifteen", nil, decided("courtOrder", "relative", "2024-01-01", edits{"/guardian": js(`{"kind":"naturalPerson","personRef":"X-9","birthDate":{"value":"2008-06-01","precision":"day","basis":"informant"}}`)}), "/guardian/birthDate", "too young"},
		{"guardian of perhaps sixteen", nil, decided("courtOrder", "relative", "2024-06-01", edits{"/guardian": js(`{"kind":"naturalPerson","personRef":"X-9","birthDate":{"value":"2008","precision":"year","basis":"informant"}}`)}), "", ""},
		{"father of eight", nil, decided("courtOrder", "father", "2024-01-01", edits{"/guardian": js(`{"kind":"naturalPerson","personRef":"X-9","birthDate":{"value":"2011-06-01","precision":"day","basis":"informant"}}`)}), "/guardian/birthDate", "impossibly young"},
		{"grandmother by court order", nil, decided("courtOrder", "grandparent", "2024-01-01", edits{"/guardian": other}), "", ""},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			err := CheckWard(mustGuardianship(t, tc.guardian), mustBirth(t, tc.ward), dataDay)
			if tc.path == "" {
				if err != nil {
					t.Errorf("%v", err)
				}
				return
			}
			refusalRow{path: tc.path, rule: tc.rule}.check(t, err)
		})
	}
	if f := fault.As(CheckWard(mustGuardianship(t, nil), nil, dataDay)); f == nil || f.Code != "registration-refused" {
		t.Errorf("no ward: %v", f)
	}
}

func TestNotIssuable(t *testing.T) {
	year := edits{"/birthDate": js(`{"value":"2008","precision":"year","basis":"informant"}`), "/timeOfBirth": gone{}, "/parentage": []any{}}
	tests := []struct {
		name  string
		until string
		age   int
		ward  edits
		now   time.Time
		want  string
	}{
		{"a child", "", 18, nil, dataDay, ""},
		{"the last day of the mandate", "2026-11-20", 18, nil, dataDay, ""},
		{"the day after", "2026-11-19", 18, nil, dataDay, ReasonMandateOver},
		{"the day before majority", "", 18, nil, time.Date(2038, 2, 28, 23, 0, 0, 0, time.UTC), ""},
		{"born on 29 February, of age on 1 March", "", 18, nil, time.Date(2038, 3, 1, 0, 0, 0, 0, time.UTC), ReasonWardOfAge},
		{"of age at 21 in another law", "", 21, nil, time.Date(2038, 3, 1, 0, 0, 0, 0, time.UTC), ""},
		{"perhaps of age", "", 18, year, dataDay, ""},
		{"of age on every reading", "", 18, year, time.Date(2026, 12, 31, 1, 0, 0, 0, time.UTC), ReasonWardOfAge},
		{"over, and of age", "2021-01-01", 15, nil, time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC), ReasonMandateOver},
		{"birth unknown", "", 15, edits{"/circumstance": "inTransit", "/birthDate": js(`{"precision":"unknown","basis":"presumed"}`), "/timeOfBirth": gone{}}, time.Date(2080, 1, 1, 0, 0, 0, 0, time.UTC), ""},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			g := mustGuardianship(t, nil)
			g.Effective.Until, g.Termination.MajorityAge = tc.until, tc.age
			b := mustBirth(t, tc.ward)
			if got := NotIssuable(g, b, tc.now); got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
			// What cannot be issued has no validity, and the other way round.
			from, until := Validity("full", b, g, tc.now)
			if until.After(from) != (tc.want == "") {
				t.Errorf("valid from %v until %v, reason %q", from, until, tc.want)
			}
		})
	}
}

func TestApproval(t *testing.T) {
	for _, tc := range []struct {
		circumstance, mode string
		want               bool
	}{
		{"ordinary", "timely", false}, {"ordinary", "consular", false}, {"refugeeHostState", "timely", false}, {"inTransit", "timely", false},
		{"ordinary", "late", true}, {"ordinary", "delayedByCourt", true}, {"ordinary", "reconstructed", true}, {"refugeeHostState", "late", true},
		{"foundling", "timely", true}, {"reconstructed", "late", true}, {"unaccompaniedDisplaced", "timely", true},
	} {
		b := &vc.Birth{Circumstance: tc.circumstance, BirthDate: vc.UncertainDate{Value: "2026-01-02", Precision: "day"}, Registration: vc.Registration{Mode: tc.mode, Date: "2026-02-03"}}
		if BirthNeedsApproval(b) != tc.want {
			t.Errorf("%s %s: %v", tc.circumstance, tc.mode, !tc.want)
		}
	}
	amended := edits{"/recordVersion": 2, "/amendment": js(`{"reason":"nameChange","effective":"2026-01-01"}`)}
	year := edits{"/birthDate": js(`{"value":"2020","precision":"year","basis":"informant"}`), "/timeOfBirth": gone{}}
	for _, tc := range []struct {
		name  string
		birth edits
		want  bool
	}{
		{"registered on the first birthday", edits{"/registration/date": "2021-03-01"}, false},
		{"registered the day after", edits{"/registration/date": "2021-03-02"}, true},
		{"registered after six years", edits{"/registration/date": "2026-01-01"}, true},
		{"by a consul after six years", edits{"/registration/date": "2026-01-01", "/registration/mode": "consular"}, true},
		{"after six years and amended", with(amended, edits{"/registration/date": "2026-01-01"}), true},
		{"in time and amended", amended, false},
		{"a year after the latest day of a year", with(year, edits{"/registration/date": "2021-12-31"}), false},
		{"more than a year after it", with(year, edits{"/registration/date": "2022-01-01"}), true},
		{"on a day within ten years", edits{"/birthDate": js(`{"precision":"range","basis":"presumed","earliest":"2010-06-01","latest":"2020-06-01"}`), "/timeOfBirth": gone{}, "/parentage": []any{}}, true},
		{"on a day nobody knows", edits{"/circumstance": "inTransit", "/birthDate": js(`{"precision":"unknown","basis":"presumed"}`), "/timeOfBirth": gone{}}, true},
	} {
		if got := BirthNeedsApproval(mustBirth(t, tc.birth)); got != tc.want {
			t.Errorf("%s: %v", tc.name, got)
		}
	}
	ward := mustBirth(t, nil)
	for _, tc := range []struct {
		name     string
		guardian edits
		want     bool
	}{
		{"mother in the record", nil, false},
		{"mother by acknowledgement", edits{"/legalBasis/type": "acknowledgement"}, false},
		{"mother by name", edits{"/guardian/personRef": gone{}, "/guardian/birthDate": gone{}}, false},
		{"mother by another name", edits{"/guardian/personRef": gone{}, "/guardian/names/0/given/0": "Maya"}, true},
		{"mother by name with another birth date", edits{"/guardian/personRef": gone{}, "/guardian/birthDate/value": "1993-01-01"}, true},
		{"somebody by document", edits{"/guardian": js(`{"kind":"naturalPerson","documents":[{"type":"passport","value":"P1"}]}`)}, true},
		{"mother by court order", decided("courtOrder", "mother", "2024-01-01", nil), true},
		{"guardian by kafala", decided("kafala", "kafil", "2024-01-01", nil), true},
		{"parental agreement", decided("parentalAgreement", "stepParent", "2024-01-01", nil), true},
	} {
		if got := GuardianshipNeedsApproval(mustGuardianship(t, tc.guardian), ward); got != tc.want {
			t.Errorf("%s: %v", tc.name, got)
		}
	}
	if !GuardianshipNeedsApproval(mustGuardianship(t, nil), nil) {
		t.Error("a guardianship without a birth record needs nobody's approval")
	}
}

func TestWithParentNames(t *testing.T) {
	ward := mustBirth(t, nil)
	bare := mustGuardianship(t, edits{"/guardian": js(`{"kind":"naturalPerson","personRef":"M-1"}`)})
	with := WithParentNames(bare, ward)
	if len(with.Guardian.Names) != 1 || with.Guardian.Names[0].Family[0] != "Thapa" || with.Guardian.BirthDate == nil {
		t.Errorf("%+v", with.Guardian)
	}
	if len(bare.Guardian.Names) != 0 || bare.Guardian.BirthDate != nil {
		t.Error("the record was changed")
	}
	own := mustGuardianship(t, edits{"/guardian/names/0/given/0": "Own"})
	if WithParentNames(own, ward).Guardian.Names[0].Given[0] != "Own" {
		t.Error("a name of its own was replaced")
	}
	stranger := mustGuardianship(t, edits{"/guardian": js(`{"kind":"naturalPerson","personRef":"X-9"}`)})
	if len(WithParentNames(stranger, ward).Guardian.Names) != 0 {
		t.Error("a stranger was named after a parent")
	}
}

func TestCheckCorrection(t *testing.T) {
	amended := func(reason string, more edits) edits {
		e := edits{"/recordVersion": 2, "/amendment": js(`{"reason":"` + reason + `","effective":"2024-01-01"}`)}
		for k, v := range more {
			e[k] = v
		}
		return e
	}
	sealed := func(reason string, more edits) edits {
		e := edits{"/recordVersion": 1, "/amendment": js(`{"reason":"` + reason + `","effective":"2024-01-01","sealed":true}`), "/parentage/0/filiation": "adoption", "/parentage/1/filiation": "adoption"}
		for k, v := range more {
			e[k] = v
		}
		return e
	}
	name := edits{"/names/0/given/0": "Kavita", "/names/0/mrz": gone{}}
	tests := []struct {
		name       string
		next       edits
		path, rule string
	}{
		{"name changed", amended("nameChange", name), "", ""},
		{"clerical correction of anything", amended("clericalCorrection", edits{"/sex": 1, "/birthDate/value": "2020-02-28", "/registration/number": "NPL-2"}), "", ""},
		{"nothing changed", amended("clericalCorrection", nil), "", ""},
		{"new portrait with any reason", amended("nameChange", edits{"/portrait/capturedAt": "2026-01-01"}), "", ""},
		{"parent added", amended("parentAdded", edits{"/parentage/-": js(`{"role":"parent","status":"known","filiation":"adoption"}`)}), "", ""},
		{"sealed, from version one", sealed("plenaryAdoption", edits{"/registration/number": "NPL-9", "/names/0": js(`{"kind":"legal","script":"Latn","full":"New Name"}`)}), "", ""},
		{"sealed, going on", sealed("plenaryAdoption", edits{"/recordVersion": 2, "/registration/number": "NPL-9"}), "", ""},
		{"sealed correction of the sex", sealed("sexMarker", edits{"/sex": 1, "/parentage/0/filiation": "birth", "/parentage/1/filiation": "maritalPresumption"}), "", ""},
		{"no amendment", nil, "/amendment", "required"},
		{"the same version", edits{"/amendment": js(`{"reason":"nameChange","effective":"2024-01-01"}`)}, "/recordVersion", "one more"},
		{"two versions on", amended("nameChange", edits{"/recordVersion": 3}), "/recordVersion", "one more"},
		{"another child", amended("nameChange", edits{"/childRef": "AAAAAAAAAAAAAAAAAAAAAA"}), "/childRef", "stay the same"},
		{"another child, sealed", sealed("plenaryAdoption", edits{"/registration/number": "NPL-9", "/childRef": "AAAAAAAAAAAAAAAAAAAAAA"}), "/childRef", "stay the same"},
		{"sealed with the old number", sealed("plenaryAdoption", nil), "/registration/number", "new one"},
		{"sealed with the old number, written otherwise", sealed("protectionIdentity", edits{"/registration/number": "npl 2020 043227"}), "/registration/number", "new one"},
		{"a name change that changes the birth date", amended("nameChange", edits{"/birthDate/value": "2020-02-28"}), "/birthDate", "must not change"},
		{"a name change that changes a parent", amended("nameChange", edits{"/parentage/1/personRef": "F-2"}), "/parentage", "must not change"},
		{"an adoption that changes the age", sealed("plenaryAdoption", edits{"/registration/number": "NPL-9", "/birthDate/value": "2020-02-28"}), "/birthDate", "must not change"},
		{"a sex marker that changes the place", amended("sexMarker", edits{"/placeOfBirth/locality": "Butwal"}), "/placeOfBirth", "must not change"},
		{"a parent added with another number", amended("parentAdded", edits{"/registration/number": "NPL-9"}), "/registration", "must not change"},
		{"a found date with another sex", amended("dateDetermined", edits{"/sex": 1}), "/sex", "must not change"},
		{"a name change that makes a foundling", amended("nameChange", edits{"/circumstance": "foundling"}), "/circumstance", "must not change"},
		{"a removed parent who was a twin", amended("parentRemoved", edits{"/multipleBirth": gone{}}), "/multipleBirth", "must not change"},
	}
	old := mustBirth(t, nil)
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			err := CheckCorrection(old, mustBirth(t, tc.next))
			if tc.path == "" {
				if err != nil {
					t.Errorf("%v", err)
				}
				return
			}
			refusalRow{path: tc.path, rule: tc.rule}.check(t, err)
		})
	}
	// Every reason of the schema has a row, so that none allows nothing by
	// accident.
	var schema struct {
		Properties struct {
			Amendment struct {
				Properties struct{ Reason struct{ Enum []string } }
			}
		}
	}
	if err := json.Unmarshal(vc.SchemaFiles()["registration/birth/1.json"], &schema); err != nil {
		t.Fatal(err)
	}
	reasons := schema.Properties.Amendment.Properties.Reason.Enum
	if len(reasons) != len(amendable) {
		t.Errorf("%d reasons in the schema, %d rows", len(reasons), len(amendable))
	}
	for _, r := range reasons {
		if len(amendable[r]) == 0 {
			t.Errorf("%s may change nothing", r)
		}
	}
}

func TestCheckGuardianshipCorrection(t *testing.T) {
	tests := []struct {
		name string
		next edits
		path string
	}{
		{"fewer powers", edits{"/powers": js(`["healthRoutine"]`)}, ""},
		{"by court order now", decided("courtOrder", "mother", "2024-01-01", nil), ""},
		{"name corrected", edits{"/guardian/names/0/given/0": "Divya"}, ""},
		{"reference left out", edits{"/guardian/personRef": gone{}}, ""},
		{"another child", edits{"/ward/childRef": "AAAAAAAAAAAAAAAAAAAAAA"}, "/ward/childRef"},
		{"another person", edits{"/guardian/personRef": "X-9"}, "/guardian/personRef"},
		{"another person without reference", edits{"/guardian": js(`{"kind":"naturalPerson","names":[{"kind":"legal","script":"Latn","full":"Some Body"}],"birthDate":{"value":"1980-01-01","precision":"day","basis":"documentary"}}`)}, "/guardian"},
		{"an office in place of a person", with(decided("courtOrder", "legalGuardian", "2024-01-01", nil), edits{"/guardian": js(`{"kind":"office","names":[{"kind":"legal","script":"Latn","full":"Office"}]}`)}), "/guardian/kind"},
	}
	old := mustGuardianship(t, nil)
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			err := CheckGuardianshipCorrection(old, mustGuardianship(t, tc.next))
			if tc.path == "" {
				if err != nil {
					t.Errorf("%v", err)
				}
				return
			}
			refusalRow{path: tc.path}.check(t, err)
		})
	}
}

// with gives the edits of a, those of b winning.
func with(a, b edits) edits {
	e := edits{}
	for k, v := range a {
		e[k] = v
	}
	for k, v := range b {
		e[k] = v
	}
	return e
}

// vocabulary is every text constant of the rules and every schema: what a
// refusal may be made of.
func vocabulary(t testing.TB) string {
	t.Helper()
	var b strings.Builder
	files, err := filepath.Glob("register*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(files, filepath.Join("..", "internal", "vc", "schema.go"), filepath.Join("..", "internal", "vc", "json.go")) {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(gotoken.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if x, ok := n.(*ast.BasicLit); ok && x.Kind == gotoken.STRING {
				s, _ := strconv.Unquote(x.Value)
				b.WriteString(s)
				b.WriteByte('\n')
			}
			return true
		})
	}
	for _, data := range vc.SchemaFiles() {
		b.Write(data)
	}
	return b.String()
}

// leak gives a text of the document, longer than three bytes, that the refusal
// repeats although it is none of our own words; or "".
func leak(doc []byte, err error, ours string) string {
	f := fault.As(err)
	said := f.Error()
	for _, x := range f.Fields {
		said += "\n" + x.Path + "\n" + x.Rule
	}
	var root any
	if json.Unmarshal(doc, &root) != nil {
		return ""
	}
	found := ""
	var walk func(any)
	check := func(s string) {
		if len(s) > 3 && strings.Contains(said, s) && !strings.Contains(ours, s) {
			found = s
		}
	}
	walk = func(node any) {
		switch v := node.(type) {
		case string:
			check(v)
		case map[string]any:
			for name, x := range v {
				check(name)
				walk(x)
			}
		case []any:
			for _, x := range v {
				walk(x)
			}
		}
	}
	walk(root)
	return found
}

func FuzzCheckBirth(f *testing.F) {
	f.Add([]byte(birthRecord))
	f.Add(edited(f, birthRecord, edits{"/Diya Thapa": "Gurung", "/registration/Sunauli": 1}))
	f.Add(edited(f, birthRecord, edits{"/names/0/given/0": "Kаvya", "/parentage/0/birthDate/value": "2021-01-01", "/registration/number": "\u0001"}))
	f.Add([]byte(`{"recordVersion":1e999999,"birthDate":{"precision":"range"},"names":[{}],"parentage":[null,[]]}`))
	ours := vocabulary(f)
	f.Fuzz(func(t *testing.T, doc []byte) {
		b, err := CheckBirth(doc, dataDay)
		if err != nil {
			if b != nil {
				t.Error("a refusal returned a record")
			}
			if x := fault.As(err); x.Kind == fault.Internal || len(x.Fields) > 20 {
				t.Errorf("kind %d with %d fields", x.Kind, len(x.Fields))
			}
			if s := leak(doc, err, ours); s != "" {
				t.Errorf("the refusal repeats %q", s)
			}
			return
		}
		// What was accepted is accepted again, unchanged: normalising is done once.
		again, _ := json.Marshal(b)
		c, err := CheckBirth(again, dataDay)
		if err != nil {
			t.Fatalf("the normalised record is refused: %v", err)
		}
		if twice, _ := json.Marshal(c); !bytes.Equal(again, twice) {
			t.Errorf("normalised twice:\n%s\n%s", again, twice)
		}
		BirthDupKeys(b)
		if Duplicate(b, c) != DuplicateNumber {
			t.Error("a record is not its own duplicate")
		}
		if _, err := BorderBirth(b, b.ChildRef); err != nil && fault.As(err).Code != "mrz-needed" {
			t.Error(err)
		}
	})
}

func FuzzCheckGuardianship(f *testing.F) {
	f.Add([]byte(guardianRecord))
	f.Add(edited(f, guardianRecord, edits{"/Diya Thapa": "Gurung", "/guardian/holderKey": "a b", "/role": "kafil"}))
	f.Add([]byte(`{"guardian":{"kind":"office","names":[null]},"powers":[1],"effective":{"from":"2020-02-30"}}`))
	ours := vocabulary(f)
	ward := mustBirth(f, nil)
	f.Fuzz(func(t *testing.T, doc []byte) {
		g, err := CheckGuardianship(doc, dataDay)
		if err != nil {
			if g != nil {
				t.Error("a refusal returned a record")
			}
			if x := fault.As(err); x.Kind == fault.Internal || len(x.Fields) > 20 {
				t.Errorf("kind %d with %d fields", x.Kind, len(x.Fields))
			}
			if s := leak(doc, err, ours); s != "" {
				t.Errorf("the refusal repeats %q", s)
			}
			return
		}
		again, _ := json.Marshal(g)
		if _, err := CheckGuardianship(again, dataDay); err != nil {
			t.Fatalf("the normalised record is refused: %v", err)
		}
		if err := CheckWard(g, ward, dataDay); err != nil {
			if s := leak(doc, err, ours); s != "" {
				t.Errorf("the refusal repeats %q", s)
			}
		}
		from, until := Validity("paper", ward, g, dataDay)
		if until.Sub(from) > 180*24*time.Hour {
			t.Errorf("valid for %v", until.Sub(from))
		}
	})
}

func TestRefusalsRepeatNothingOfTheRegistration(t *testing.T) {
	ours := vocabulary(t)
	for _, doc := range [][]byte{
		edited(t, birthRecord, edits{"/Diya Thapa": "Gurung", "/names/0/given/0": "Kаvya", "/names/0/script": "Qaaa", "/registration/authority": "Sunauli Office", "/birthDate/value": "2020-02-30", "/sex": "female child", "/placeOfBirth/Diya": 1}),
		edited(t, guardianRecord, edits{"/ward/childRef": "Diya Thapa", "/guardian/holderKey": "secret key", "/exercise/jointFor/0": "Diya", "/role": "Bishal"}),
	} {
		for _, err := range []error{second(CheckBirth(doc, dataDay)), second(CheckGuardianship(doc, dataDay))} {
			if err == nil {
				t.Fatal("accepted")
			}
			if s := leak(doc, err, ours); s != "" {
				t.Errorf("the refusal repeats %q", s)
			}
		}
	}
	if leak([]byte(`{"a":"Sunauli"}`), ErrRegistration.WithDetail("no such place: Sunauli"), ours) != "Sunauli" {
		t.Error("the test itself does not see a leak")
	}
}
