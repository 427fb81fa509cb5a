package issuer

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/vc"
)

const (
	mintedRef = "Zm9vYmFyYmF6cXV4Zm9vYg"
	holderKey = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"
)

// text gives a subject as it is written, for what must and must not be in it.
func text(t *testing.T, subject any) string {
	t.Helper()
	out, err := json.Marshal(subject)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func contains(t *testing.T, s string, present []string, absent []string) {
	t.Helper()
	for _, x := range present {
		if !strings.Contains(s, x) {
			t.Errorf("%s lacks %s", s, x)
		}
	}
	for _, x := range absent {
		if strings.Contains(s, x) {
			t.Errorf("%s holds %s", s, x)
		}
	}
}

func TestBorderBirthHoldsWhatACounterNeedsAndNoMore(t *testing.T) {
	b := mustBirth(t, nil)
	s, err := BorderBirth(b, mintedRef)
	if err != nil {
		t.Fatal(err)
	}
	out := text(t, s)
	contains(t, out,
		[]string{mintedRef, `"GURUNG"`, `"KAVYA"`, `"2020-02-29"`, `"NPL-2020-043227"`, `"AL2596664"`, `"recaptureBy"`, `"plurality":2`, `"country":"NPL"`, `{"role":"mother","status":"known"}`},
		[]string{b.ChildRef, "Kavya", "Thapa", "Diya", "M-1", "Sunauli", "Lumbini", "HF-1", "19:22", "medicalRecord", "informant", "NPL-330", "registry.npl", "capturedAt", "image/jpeg", "source", "filiation", "1992"})
	full := text(t, FullBirth(b, mintedRef))
	contains(t, full, []string{mintedRef, "Kavya", "Diya", "Sunauli", "19:22", "registry.npl.example"}, []string{b.ChildRef, `"id"`})
	if b.ChildRef == mintedRef || b.Names[0].Given == nil {
		t.Error("the record was changed")
	}
	// Two documents: one goes along. No parents: an empty list, which the schema asks for.
	s, err = BorderBirth(mustBirth(t, edits{"/travelDocuments/-": js(`{"type":"NID","value":"N77","issuer":"NPL"}`), "/parentage": []any{}, "/placeOfBirth/country": gone{}}), mintedRef)
	if err != nil {
		t.Fatal(err)
	}
	contains(t, text(t, s), []string{`"parentage":[]`, `"placeOfBirth":{}`, "AL2596664"}, []string{"N77"})
	contains(t, text(t, FullBirth(&vc.Birth{}, mintedRef)), []string{`"parentage":[]`}, nil)
}

func TestBorderNameIsChosenAndWritten(t *testing.T) {
	tests := []struct {
		name                             string
		names                            string
		kind, script, primary, secondary string // kind "" if one must be given
	}{
		{"registered form first", `[{"kind":"legal","script":"Deva","full":"काव्या","mrz":{"primary":"GURUNG","secondary":"KAVYA"}},{"kind":"legal","script":"Latn","lang":"en","full":"Kavya G"}]`, "legal", "Deva", "GURUNG", "KAVYA"},
		{"the script that has a table", `[{"kind":"legal","script":"Deva","full":"काव्या गुरुङ"},{"kind":"legal","script":"Latn","given":["Kavya"],"family":["Gurung"]}]`, "legal", "Latn", "GURUNG", "KAVYA"},
		{"Latin letters before a transliteration", `[{"kind":"legal","script":"Arab","given":["محمد"],"family":["الحسن"]},{"kind":"legal","script":"Latn","given":["Mohamed"],"family":["Alhassan"]}]`, "legal", "Latn", "ALHASSAN", "MOHAMED"},
		{"legal before usual", `[{"kind":"usual","script":"Latn","full":"Kavi","mrz":{"primary":"KAVI"}},{"kind":"legal","script":"Latn","full":"Kavya"}]`, "legal", "Latn", "KAVYA", ""},
		{"usual where no legal one can be written", `[{"kind":"legal","script":"Deva","full":"काव्या"},{"kind":"usual","script":"Latn","full":"Kavi"}]`, "usual", "Latn", "KAVI", ""},
		{"provisional", `[{"kind":"usual","script":"Latn","given":["Baby"],"status":"provisional"}]`, "usual", "Latn", "BABY", ""},
		{"name at birth", `[{"kind":"atBirth","script":"Latn","given":["Kavya"],"family":["Thapa"]}]`, "atBirth", "Latn", "THAPA", "KAVYA"},
		{"unnamed with a family name", `[{"kind":"legal","script":"Latn","family":["Gurung"],"status":"unnamed"}]`, "legal", "Latn", "GURUNG", ""},
		{"Arabic by the table", `[{"kind":"legal","script":"Arab","given":["محمد"],"family":["الحسن"]}]`, "legal", "Arab", "ALXHSN", "MXHMD"},
		{"Ukrainian by the table", `[{"kind":"legal","script":"Cyrl","lang":"uk","given":["Юлія"],"family":["Григоренко"]}]`, "legal", "Cyrl", "HRYHORENKO", "YULIIA"},
		{"cut to the field", `[{"kind":"legal","script":"Latn","given":["María de los Ángeles","Mariana"],"family":["Sepúlveda","Villa"]}]`, "legal", "Latn", "SEPULVEDA<VILLA", "MARIA<DE<LOS<ANGELES<M"},
		{"no table", `[{"kind":"legal","script":"Deva","full":"काव्या"}]`, "", "", "", ""},
		{"a digit", `[{"kind":"legal","script":"Latn","full":"John 3"}]`, "", "", "", ""},
		{"unnamed", `[{"kind":"legal","script":"Latn","status":"unnamed"}]`, "", "", "", ""},
		{"a former name is not in use", `[{"kind":"legal","script":"Deva","full":"काव्या"},{"kind":"former","script":"Latn","full":"Kavya"},{"kind":"alias","script":"Latn","full":"Kavi"}]`, "", "", "", ""},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			s, err := BorderBirth(mustBirth(t, edits{"/names": js(tc.names)}), mintedRef)
			if tc.kind == "" {
				if !errors.Is(err, ErrMRZNeeded) || s.ChildRef != "" {
					t.Fatalf("%v, want ErrMRZNeeded and nothing else", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			n := s.Names[0]
			if len(s.Names) != 1 || n.Kind != tc.kind || n.Script != tc.script || n.MRZ.Primary != tc.primary || n.MRZ.Secondary != tc.secondary || n.MRZ.Source != "" {
				t.Errorf("%+v %+v", n, *n.MRZ)
			}
			validSubject(t, 0, vc.TypeBirth, vc.SchemaBirthBorder, s)
		})
	}
}

func TestBorderGuardianshipHidesNothingOfTheMandate(t *testing.T) {
	g := mustGuardianship(t, decided("courtOrder", "mother", "2024-01-01", edits{
		"/legalBasis/hague1996Art40": true, "/legalBasis/finality": "appealable", "/legalBasis/countersignedBy": "did:web:state.example",
		"/constraints/noRemoval": true, "/constraints/supervised": true, "/effective": js(`{"from":"2024-01-01","until":"2027-01-01","reviewBy":"2026-12-01"}`)}))
	s, err := BorderGuardianship(g, mintedRef, holderKey)
	if err != nil {
		t.Fatal(err)
	}
	contains(t, text(t, s),
		[]string{holderKey, mintedRef, `"courtOrder"`, `"hague1996Art40":true`, `"appealable"`, "did:web:state.example", `"2024-01-01"`, `"travelConsent"`, `"sole"`, `"noRemoval":true`,
			`"supervised":true`, `"IND"`, `"BTN"`, `"maxAbsenceDays":30`, "leave of the court", `"2026-12-01"`, `"majorityAge":18`, "PA1234567", `"THAPA"`},
		[]string{g.Ward.ChildRef, "M-1", "Diya", "1992", "GD-1", "court.npl", "urn:uuid", "familyCourt", "events", "holderKey", g.Guardian.HolderKey})
	validSubject(t, 0, vc.TypeGuardianship, vc.SchemaGuardBorder, s)

	full := FullGuardianship(g, mintedRef, holderKey)
	contains(t, text(t, full), []string{holderKey, mintedRef, "Diya", "GD-1", "familyCourt", "urn:uuid"}, []string{g.Ward.ChildRef, g.Guardian.HolderKey})
	validSubject(t, 0, vc.TypeGuardianship, vc.SchemaGuardianship, full)
	if g.Guardian.HolderKey == "" || g.ID != "" {
		t.Error("the record was changed")
	}

	paper, err := BorderGuardianship(g, mintedRef, "")
	if err != nil {
		t.Fatal(err)
	}
	contains(t, text(t, paper), nil, []string{`"id"`, "did:key"})
	validSubject(t, 0, vc.TypeGuardianship, vc.SchemaGuardBorder, paper)
}

func TestBorderGuardianNames(t *testing.T) {
	office := mustGuardianship(t, decided("publicAuthority", "stateGuardian", "2026-10-01", edits{"/effective": js(`{"from":"2026-10-01","until":"2026-12-01"}`),
		"/guardian": js(`{"kind":"office","names":[{"kind":"legal","script":"Latn","full":"Child Protection Office No. 18 + 3"}],"delegates":["k1"]}`)}))
	s, err := BorderGuardianship(office, mintedRef, "")
	if err != nil || s.Guardian.Names[0].MRZ.Primary != "CHILD<PROTECTION<OFFICE<NO" {
		t.Errorf("%+v, %v", s.Guardian, err)
	}
	validSubject(t, 0, vc.TypeGuardianship, vc.SchemaGuardBorder, s)
	if !strings.HasSuffix(office.Guardian.Names[0].Full, "18 + 3") {
		t.Error("the record was changed")
	}
	native := mustGuardianship(t, edits{"/guardian": js(`{"kind":"naturalPerson","personRef":"M-1","names":[{"kind":"legal","script":"Deva","full":"दिया"}]}`)})
	if _, err := BorderGuardianship(native, mintedRef, holderKey); !errors.Is(err, ErrMRZNeeded) {
		t.Errorf("a name without a table: %v", err)
	}
	// A paper that names nobody would be good for whoever found it.
	nobody := mustGuardianship(t, edits{"/guardian": js(`{"kind":"naturalPerson","personRef":"M-1"}`)})
	if _, err := BorderGuardianship(nobody, mintedRef, ""); !errors.Is(err, ErrMRZNeeded) {
		t.Errorf("a paper for nobody: %v", err)
	}
	if _, err := BorderGuardianship(nobody, mintedRef, holderKey); err != nil {
		t.Errorf("bound to a key: %v", err)
	}
	byDocument := mustGuardianship(t, edits{"/guardian": js(`{"kind":"naturalPerson","documents":[{"type":"passport","value":"P1"},{"type":"NID","value":"N2"}]}`)})
	s, err = BorderGuardianship(byDocument, mintedRef, "")
	if err != nil || len(s.Guardian.Documents) != 1 || s.Guardian.Documents[0].Value != "P1" {
		t.Errorf("%+v, %v", s.Guardian, err)
	}
}

func TestValidity(t *testing.T) {
	now := time.Date(2026, 11, 20, 10, 30, 15, 999, time.UTC)
	day := func(n int) time.Time { return time.Date(2026, 11, 20, 10, 30, 15, 0, time.UTC).AddDate(0, 0, n) }
	until := func(s string) edits { return edits{"/effective": js(`{"from":"2020-03-01","until":"` + s + `"}`)} }
	mandate := func(basis, role string) edits {
		return decided(basis, role, "2026-10-01", edits{"/effective": js(`{"from":"2026-10-01","until":"2026-12-30"}`), "/guardian": js(`{"kind":"naturalPerson","personRef":"X-9"}`)})
	}
	tests := []struct {
		name, profile string
		birth         edits
		guardianship  edits // nil for a birth credential
		isBirth       bool
		want          time.Time
	}{
		{"full birth", "full", nil, nil, true, day(365)},
		{"border birth", "border", nil, nil, true, day(365)},
		{"paper birth", "paper", nil, nil, true, day(180)},
		{"full birth, late", "full", edits{"/registration/mode": "late"}, nil, true, day(365)},
		{"full birth, reconstructed", "full", edits{"/circumstance": "reconstructed", "/registration/mode": "reconstructed"}, nil, true, day(90)},
		{"paper birth, displaced", "paper", edits{"/circumstance": "unaccompaniedDisplaced"}, nil, true, day(90)},
		{"full birth, foundling", "full", edits{"/circumstance": "foundling", "/parentage": []any{}, "/placeOfBirth/status": "foundAt", "/registration/informant": "police"}, nil, true, day(365)},
		{"full guardianship", "full", nil, nil, false, day(365)},
		{"border guardianship", "border", nil, nil, false, day(365)},
		{"paper guardianship", "paper", nil, nil, false, day(180)},
		{"public authority", "full", nil, mandate("publicAuthority", "stateGuardian"), false, time.Date(2026, 12, 30, 23, 59, 59, 0, time.UTC)},
		{"until tomorrow", "full", nil, until("2026-11-21"), false, time.Date(2026, 11, 21, 23, 59, 59, 0, time.UTC)},
		{"until today", "paper", nil, until("2026-11-20"), false, time.Date(2026, 11, 20, 23, 59, 59, 0, time.UTC)},
		{"until far away", "full", nil, until("2040-11-20"), false, day(365)},
		{"of age soon", "full", edits{"/birthDate/value": "2009-01-15", "/timeOfBirth": gone{}, "/parentage": []any{}}, nil, false, time.Date(2027, 1, 15, 0, 0, 0, 0, time.UTC)},
		{"of age soon, by the latest day", "full", edits{"/birthDate": js(`{"value":"2009-01","precision":"month","basis":"informant"}`), "/timeOfBirth": gone{}, "/parentage": []any{}}, nil, false, time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC)},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			b := mustBirth(t, tc.birth)
			var g *vc.Guardianship
			if !tc.isBirth {
				g = mustGuardianship(t, tc.guardianship)
			}
			from, got := Validity(tc.profile, b, g, now)
			if !from.Equal(day(0)) || from.Location() != time.UTC || got.Location() != time.UTC {
				t.Errorf("valid from %v", from)
			}
			if !got.Equal(tc.want) {
				t.Errorf("valid until %v, want %v", got, tc.want)
			}
		})
	}
	long := mustGuardianship(t, mandate("customary", "relative"))
	long.Effective.Until = "2030-01-01"
	if _, got := Validity("full", mustBirth(t, nil), long, now); !got.Equal(day(90)) {
		t.Errorf("custom for years: until %v", got)
	}
	// The day of the end is the office's day.
	nepal := time.FixedZone("+0545", 5*3600+45*60)
	if _, got := Validity("full", mustBirth(t, nil), mustGuardianship(t, until("2026-11-21")), now.In(nepal)); !got.Equal(time.Date(2026, 11, 21, 18, 14, 59, 0, time.UTC)) {
		t.Errorf("until the end of the day in Nepal: %v", got)
	}
}

func TestScriptsAreWellFormed(t *testing.T) {
	for code, tables := range scripts {
		if len(code) != 4 || strings.ToUpper(code[:1])+strings.ToLower(code[1:]) != code || len(tables) == 0 {
			t.Errorf("%q: %d tables", code, len(tables))
		}
	}
	for _, code := range []string{"Latn", "Arab", "Cyrl", "Deva", "Ethi", "Mymr", "Beng", "Hans", "Hant", "Geor", "Jpan", "Kore", "Grek", "Hebr", "Thai", "Khmr", "Adlm", "Tfng", "Nkoo", "Aran", "Olck", "Cans"} {
		if scripts[code] == nil {
			t.Errorf("%s is missing", code)
		}
	}
	for _, code := range []string{"", "Zyyy", "Zinh", "Zzzz", "Zxxx", "Zsye", "Zsym", "Zmth", "Qaaa", "Brai"} {
		if scripts[code] != nil {
			t.Errorf("%s is a script of names", code)
		}
	}
}
