package icao

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// sharedFile opens a file of the shared data, or skips where there is none.
func sharedFile(t *testing.T, path ...string) *os.File {
	t.Helper()
	dir := os.Getenv("KINPASS_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data")
	}
	f, err := os.Open(filepath.Join(append([]string{dir}, path...)...))
	if err != nil {
		if os.Getenv("KINPASS_REQUIRE_VECTORS") == "1" {
			t.Fatal(err)
		}
		t.Skip("no shared data: set KINPASS_DATA")
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestTablesHoldTheFactsOfTheStandard(t *testing.T) {
	var facts struct {
		Latin, Cyrillic, Arabic map[string]string
		Checks                  []struct {
			Script, Lang  string
			Given, Family []string
			MRZ           struct{ Primary, Secondary string }
		}
	}
	if err := json.NewDecoder(sharedFile(t, "border", "icao-transliteration.json")).Decode(&facts); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		name string
		want map[string]string
		got  map[rune]string
	}{{"latin", facts.Latin, latin}, {"cyrillic", facts.Cyrillic, cyrillic}, {"arabic", facts.Arabic, arabic}} {
		if len(x.want) != len(x.got) {
			t.Errorf("%s: %d letters, want %d", x.name, len(x.got), len(x.want))
		}
		for letter, want := range x.want {
			if got := x.got[[]rune(letter)[0]]; got != want {
				t.Errorf("%s %s: %q, want %q", x.name, letter, got, want)
			}
		}
	}
	if len(facts.Checks) != 12 {
		t.Errorf("%d worked checks, want 12", len(facts.Checks))
	}
	for _, c := range facts.Checks {
		primary, err1 := Transliterate(c.Family, c.Script, c.Lang)
		secondary, err2 := Transliterate(c.Given, c.Script, c.Lang)
		if err1 != nil || err2 != nil || primary != c.MRZ.Primary || secondary != c.MRZ.Secondary {
			t.Errorf("%v %v: %s %s (%v %v), want %+v", c.Given, c.Family, primary, secondary, err1, err2, c.MRZ)
		}
	}
}

func TestCountryCodesAreThoseOfTheReference(t *testing.T) {
	var facts struct {
		ISO3166 []struct{ Alpha3 string }
		ICAO    []struct{ Code string }
	}
	if err := json.NewDecoder(sharedFile(t, "reference", "country-codes.json")).Decode(&facts); err != nil {
		t.Fatal(err)
	}
	if n := len(strings.Fields(iso3166)); n != len(facts.ISO3166) || n != 249 {
		t.Errorf("%d ISO codes, want %d", n, len(facts.ISO3166))
	}
	for _, c := range facts.ISO3166 {
		if !IsTerritory(c.Alpha3) {
			t.Errorf("%s is not known", c.Alpha3)
		}
	}
	for _, c := range facts.ICAO {
		if known := IsCountry(c.Code); known != (len(c.Code) == 3) {
			t.Errorf("%s known: %v", c.Code, known)
		}
	}
}

func TestCountryKinds(t *testing.T) {
	tests := []struct {
		code                        string
		country, territory, issuing bool
	}{
		{"KEN", true, true, true}, {"RKS", true, true, true}, {"UTO", true, true, true},
		{"UNO", true, false, true}, {"EUE", true, false, true}, {"XXA", true, false, false}, {"GBN", true, false, false},
		{"XYZ", false, false, false}, {"ken", false, false, false}, {"D", false, false, false}, {"", false, false, false},
		{"N A", false, false, false}, {"   ", false, false, false}, {"ABWAFG", false, false, false}, {"BWA AF", false, false, false}, {"FAR", false, false, false},
	}
	for _, tc := range tests {
		if IsCountry(tc.code) != tc.country || IsTerritory(tc.code) != tc.territory || IsAuthority(tc.code) != tc.issuing {
			t.Errorf("%q: %v %v %v", tc.code, IsCountry(tc.code), IsTerritory(tc.code), IsAuthority(tc.code))
		}
	}
}

func TestTransliterate(t *testing.T) {
	tests := []struct{ name, text, script, lang, want string }{
		{"plain", "Anna Maria", "Latn", "", "ANNA<MARIA"},
		{"hyphen", "Anna-Maria", "Latn", "", "ANNA<MARIA"},
		{"other hyphens", "Anna‐Maria–Eva", "Latn", "", "ANNA<MARIA<EVA"},
		{"comma", "Anna,Maria", "Latn", "", "ANNA<MARIA"},
		{"apostrophes", "D'Mello O’Neill Oʻahu", "Latn", "", "DMELLO<ONEILL<OAHU"},
		{"full stop", "Portgas D.", "Latn", "", "PORTGAS<D"},
		{"only punctuation is no component", "Ali . Khan", "Latn", "", "ALI<KHAN"},
		{"sharp s", "Groß", "Latn", "de", "GROSS"},
		{"dotless and dotted i", "ıi İI", "Latn", "tr", "II<II"},
		{"decomposed input", "Mu\u0308ller", "Latn", "", "MUELLER"},
		{"two marks, one in the table", "Adébáyọ̀", "Latn", "yo", "ADEBAYO"},
		{"marks not in the table", "Ǹḥmád̩", "Latn", "", "NHMAD"},
		{"Vietnamese", "Nguyễn", "Latn", "vi", "NGUYEN"},
		{"Catalan dot", "Col·lell", "Latn", "ca", "COLLELL"},
		{"Russian soft sign", "Наталья", "Cyrl", "ru", "NATALIA"},
		{"Ukrainian first letters", "Єва Зоя", "Cyrl", "uk", "YEVA<ZOIA"},
		{"the same letters in Russian", "Єва Зоя", "Cyrl", "ru", "IEVA<ZOIA"},
		{"language with region", "Григорій", "Cyrl", "uk-UA", "HRYHORII"},
		{"Serbian", "Живка", "Cyrl", "sr", "ZIVKA"},
		{"Bulgarian", "Щерю", "Cyrl", "bg", "SHTERIU"},
		{"teh marbuta inside and at the end", "فاطمةب فاطمة", "Arab", "ar", "FAXTTMXTAB<FAXTTMXAH"},
		{"shadda doubles", "محمّد", "Arab", "ar", "MXHMMD"},
		{"shadda after a vowel sign", "محمَّد", "Arab", "ar", "MXHMMD"},
		{"vowels and tatweel are not written", "مُحَمـد", "Arab", "ar", "MXHMD"},
		{"joiners are not written", "عبد\u200cاله", "Arab", "ar", "EBDALH"},
		{"nothing", "", "Latn", "", ""},
	}
	for _, tc := range tests {
		got, err := Transliterate([]string{tc.text}, tc.script, tc.lang)
		if err != nil || got != tc.want {
			t.Errorf("%s: %q, %v, want %q", tc.name, got, err, tc.want)
		}
		if got != "" && !IsIdentifier(got) {
			t.Errorf("%s: %q is no identifier", tc.name, got)
		}
	}
	for _, tc := range []struct{ name, text, script string }{
		{"no table for the script", "गुरुङ", "Deva"},
		{"Greek", "Νίκος", "Grek"},
		{"another script's letter", "Аnna", "Latn"},
		{"Latin letter in Cyrillic", "Aнна", "Cyrl"},
		{"a digit", "John 3", "Latn"},
		{"a letter that is not in the table", "Ǝĸa", "Latn"},
		{"a mark alone", "\u0301a", "Latn"},
		{"shadda alone", "\u0651", "Arab"},
		{"two shaddas", "م\u0651\u0651", "Arab"},
		{"presentation form", "ﻻ", "Arab"},
		{"unknown script", "Anna", ""},
		{"a filler", "A<B", "Latn"},
	} {
		if got, err := Transliterate([]string{tc.text}, tc.script, ""); !errors.Is(err, ErrNoTable) || got != "" {
			t.Errorf("%s: %q, %v, want ErrNoTable", tc.name, got, err)
		}
	}
}

func TestFit(t *testing.T) {
	long := strings.Repeat("A", 50)
	tests := []struct{ name, primary, secondary, wantPrimary, wantSecondary string }{
		{"fits", "THAPA", "DIYA", "THAPA", "DIYA"},
		{"exactly full", "GARCIA<VERA", "MARIA<DEL<CARMEN<GUADALUPE", "GARCIA<VERA", "MARIA<DEL<CARMEN<GUADALUPE"},
		{"secondary cut", "SEPULVEDA<VILLA", "MARIA<DE<LOS<ANGELES<MARIANA", "SEPULVEDA<VILLA", "MARIA<DE<LOS<ANGELES<M"},
		{"no filler at the cut", "MONTALVO<SALDANA", "SOLEDAD<MARIA<DE<LOS<ANGELES", "MONTALVO<SALDANA", "SOLEDAD<MARIA<DE<LOS"},
		{"primary cut for one letter", long, "BEATRICE", long[:36], "B"},
		{"primary cut before a filler", strings.Repeat("A", 35) + "<BB", "CARL", strings.Repeat("A", 35), "CA"},
		{"one name", "SUHARTO", "", "SUHARTO", ""},
		{"one long name", long, "", long[:39], ""},
		{"one long name cut at a filler", strings.Repeat("A", 38) + "<B", "", strings.Repeat("A", 38), ""},
	}
	for _, tc := range tests {
		p, s := Fit(tc.primary, tc.secondary)
		if p != tc.wantPrimary || s != tc.wantSecondary {
			t.Errorf("%s: %s %s, want %s %s", tc.name, p, s, tc.wantPrimary, tc.wantSecondary)
		}
	}
}

func TestIsIdentifier(t *testing.T) {
	for s, want := range map[string]bool{
		"A": true, "AL<HASSAN": true, "A<B<C": true,
		"": false, "<": false, "<A": false, "A<": false, "A<<B": false, "a": false, "A B": false, "Ä": false, "A1": false, "A-B": false,
	} {
		if IsIdentifier(s) != want {
			t.Errorf("%q: %v", s, !want)
		}
	}
}

// The made records were written by another hand with the same standard.
func TestTransliterationAgreesWithTheMadeRecords(t *testing.T) {
	type name struct {
		Kind, Script, Lang, Full string
		Given, Family            []string
		MRZ                      *struct{ Primary, Secondary, Source string }
	}
	seen, noTable := map[string]int{}, 0
	s := bufio.NewScanner(sharedFile(t, "synthetic", "births.jsonl"))
	for s.Scan() {
		var b struct{ Names []name }
		if err := json.Unmarshal(s.Bytes(), &b); err != nil {
			t.Fatal(err)
		}
		latin := false
		for _, n := range b.Names {
			latin = latin || n.Script == "Latn"
		}
		for _, n := range b.Names {
			// Beside a Latin entry, the others carry the name written from it.
			if n.MRZ == nil || latin != (n.Script == "Latn") || n.Script != "Latn" && n.Script != "Arab" && n.Script != "Cyrl" {
				continue
			}
			seen[n.Script]++
			family, given := n.Family, n.Given
			if n.Full != "" {
				family, given = []string{n.Full}, nil
			} else if family == nil {
				family, given = given, nil
			}
			p, err1 := Transliterate(family, n.Script, n.Lang)
			g, err2 := Transliterate(given, n.Script, n.Lang)
			if err1 != nil || err2 != nil {
				noTable++
				continue
			}
			if p, g = Fit(p, g); p != n.MRZ.Primary || g != n.MRZ.Secondary {
				t.Errorf("%v %v %s: ours %s %s, theirs %+v", n.Given, n.Family, n.Full, p, g, *n.MRZ)
			}
		}
	}
	if seen["Latn"] < 1900 || seen["Arab"] < 10 || seen["Cyrl"] < 1 {
		t.Errorf("compared only %v", seen)
	}
	if noTable > 2 { // one family name with the letter open o
		t.Errorf("%d names without a transliteration", noTable)
	}
}

func FuzzTransliterate(f *testing.F) {
	f.Add("Müller-Lüdenscheidt", "Latn", "de")
	f.Add("محمّد", "Arab", "ar")
	f.Add("Юрий", "Cyrl", "uk")
	f.Fuzz(func(t *testing.T, text, script, lang string) {
		got, err := Transliterate([]string{text}, script, lang)
		if err != nil && got != "" {
			t.Error("a failed transliteration returned something")
		}
		if got != "" && !IsIdentifier(got) {
			t.Errorf("%q is no identifier", got)
		}
		p, s := Fit(got, got)
		if len(p)+2+len(s) > NameLength && s != "" || len(p) > NameLength {
			t.Errorf("%q %q do not fit", p, s)
		}
	})
}

func TestIdentifiers(t *testing.T) {
	for _, c := range []struct {
		name               Name
		primary, secondary string
	}{
		{Name{Family: []string{"Eriksson"}, Given: []string{"Anna", "Maria"}, Script: "Latn"}, "ERIKSSON", "ANNA<MARIA"},
		{Name{Given: []string{"Arkfreith"}, Script: "Latn"}, "ARKFREITH", ""},
		{Name{Family: []string{"Suharto"}, Script: "Latn"}, "SUHARTO", ""},
		{Name{Full: "Maung Aung", Script: "Latn"}, "MAUNG<AUNG", ""},
		{Name{Family: []string{"Nilavadhanananda Chayapa Dejthamrong"}, Given: []string{"Krasuang"}, Script: "Latn"}, "NILAVADHANANANDA<CHAYAPA<DEJTHAMRONG", "K"},
	} {
		p, s, err := c.name.Identifiers()
		if err != nil || p != c.primary || s != c.secondary {
			t.Errorf("%+v: %s, %s, %v", c.name, p, s, err)
		}
	}
	if p, s, err := (Name{Family: []string{"ᚠᚢᚦ"}, Given: []string{"Anna"}, Script: "Runr"}).Identifiers(); !errors.Is(err, ErrNoTable) || p+s != "" {
		t.Errorf("%q, %q, %v", p, s, err)
	}
	if p, s, err := (Name{Family: []string{"Anna"}, Given: []string{"ᚠᚢᚦ"}, Script: "Latn"}).Identifiers(); !errors.Is(err, ErrNoTable) || p+s != "" {
		t.Errorf("%q, %q, %v", p, s, err)
	}
}
