// Package icao knows what of ICAO Doc 9303 a register needs: how a name is
// written in the characters of a machine-readable zone, and which country
// codes there are.
//
// Only who signs transliterates: the issuer its records, a guardian's wallet the
// companion whom a consent names. A verifier compares machine-readable names
// with each other and never derives one from a native name: two transliterations
// of one name may differ, and a child would be stopped for it.
package icao

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/kinpass/kinpass/internal/fault"
)

// ErrNoTable says that a name holds a letter, or is in a script, for which Doc
// 9303 has no table; somebody must then write the machine-readable name, as it
// stands in the travel document or as the family prefers it.
var ErrNoTable = fault.New(fault.Unprocessable, "mrz-needed", "the name has no transliteration in ICAO Doc 9303: its machine-readable form must be given")

// NameLength is the room for both identifiers of a name and the "<<" between
// them in line 1 of a TD3 document (Doc 9303-4, section 4.2.2).
const NameLength = 39

// IsCountry reports whether code is an ISO 3166-1 alpha-3 code or one that Doc
// 9303-3, section 5, adds for territories, organisations and groups of persons.
func IsCountry(code string) bool {
	return IsTerritory(code) || in(organisations, code) || in(persons, code)
}

// IsTerritory reports whether code names a place where one can be born, travel
// to or be bound by a law, and not an organisation (UNO) or a group of persons
// (XXA, GBN).
func IsTerritory(code string) bool { return in(iso3166, code) || in(territories, code) }

// Territories lists the codes of which IsTerritory says yes, ISO 3166-1 first.
func Territories() []string { return append(strings.Fields(iso3166), strings.Fields(territories)...) }

// IsAuthority reports whether code names a State, territory or organisation,
// which can issue documents, and not a group of persons.
func IsAuthority(code string) bool { return IsTerritory(code) || in(organisations, code) }

func in(list, code string) bool {
	return len(code) == 3 && !strings.Contains(code, " ") && strings.Contains(list, " "+code+" ")
}

// IsIdentifier reports whether s can stand as a primary or secondary identifier
// in a machine-readable zone: A to Z, with single fillers between components.
func IsIdentifier(s string) bool {
	if s == "" {
		return false
	}
	last := byte('<')
	for i := 0; i < len(s); i++ {
		if s[i] != '<' && (s[i] < 'A' || s[i] > 'Z') || s[i] == '<' && last == '<' {
			return false
		}
		last = s[i]
	}
	return last != '<'
}

// Name is a name as it is registered. Script is an ISO 15924 code, Lang a BCP 47
// tag or "".
type Name struct {
	Family, Given      []string
	Full, Script, Lang string
}

// Identifiers writes a name in the characters of a machine-readable zone, cut
// to a name field. Who has one kind of name only, or just a full one, has it as
// primary identifier (Doc 9303-3, section 4.6). Errors are those of
// Transliterate.
func (n Name) Identifiers() (primary, secondary string, err error) {
	first, second := n.Family, n.Given
	if len(first) == 0 {
		first, second = second, nil
	}
	if len(first) == 0 {
		first = []string{n.Full}
	}
	if primary, err = Transliterate(first, n.Script, n.Lang); err != nil {
		return "", "", err
	}
	if secondary, err = Transliterate(second, n.Script, n.Lang); err != nil {
		return "", "", err
	}
	primary, secondary = Fit(primary, secondary)
	return primary, secondary, nil
}

// Transliterate writes the parts of one identifier in the characters of a
// machine-readable zone (Doc 9303-3, section 6), components divided by "<". It
// is not cut to any length. Script is an ISO 15924 code, lang a BCP 47 tag or
// "". ErrNoTable where the standard has no rule; "" for no parts.
func Transliterate(parts []string, script, lang string) (string, error) {
	var components []string
	for _, part := range parts {
		for _, word := range words(part) {
			c, err := component(word, script, lang)
			if err != nil {
				return "", err
			}
			if c != "" {
				components = append(components, c)
			}
		}
	}
	return strings.Join(components, "<"), nil
}

// words cuts where section 4.6 of Doc 9303-3 writes a filler: at spaces,
// hyphens and commas.
func words(s string) []string {
	return strings.FieldsFunc(norm.NFC.String(s), func(r rune) bool {
		return r == ',' || r == '،' || unicode.IsSpace(r) || unicode.Is(unicode.Pd, r)
	})
}

// component transliterates one word. Apostrophes and other punctuation are
// left out without a filler (Doc 9303-3, section 4.6).
func component(word, script, lang string) (string, error) {
	var letter func(runes []rune, i int) (string, bool)
	switch script {
	case "Latn", "Latf", "Latg":
		letter = latinLetter
	case "Cyrl":
		language, _, _ := strings.Cut(strings.ToLower(lang), "-")
		letter = func(runes []rune, i int) (string, bool) { return cyrillicLetter(runes, i, language) }
	case "Arab", "Aran":
		letter = arabicLetter
	default:
		return "", ErrNoTable
	}
	var kept []rune
	for _, r := range word {
		if !silent(r) {
			kept = append(kept, unicode.ToUpper(r))
		}
	}
	var b strings.Builder
	b.Grow(len(word))
	for i := range kept {
		s, ok := letter(kept, i)
		if !ok {
			return "", ErrNoTable
		}
		b.WriteString(s)
	}
	return b.String(), nil
}

// silent reports what is written without being read: punctuation, modifier
// apostrophes, and joiners.
func silent(r rune) bool {
	switch r {
	case 'ʹ', 'ʺ', 'ʻ', 'ʼ', 'ʽ', 'ʾ', 'ʿ', '`', '´', '\u200c', '\u200d':
		return true
	}
	return unicode.IsPunct(r)
}

func latinLetter(runes []rune, i int) (string, bool) {
	const capitals = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	r := runes[i]
	if 'A' <= r && r <= 'Z' {
		return capitals[r-'A' : r-'A'+1], true
	}
	if s, ok := latin[r]; ok {
		return s, true
	}
	if unicode.Is(unicode.Mn, r) {
		return "", i > 0 // a mark that no letter of the table carries is dropped
	}
	// Letters with marks that the table does not list keep the table's letter.
	parts := []rune(norm.NFD.String(string(r)))
	if len(parts) < 2 {
		return "", false
	}
	for n := len(parts) - 1; n > 0; n-- {
		if !unicode.Is(unicode.Mn, parts[n]) {
			return "", false
		}
		if s, ok := latin[[]rune(norm.NFC.String(string(parts[:n])))[0]]; ok {
			return s, true
		}
	}
	if 'A' <= parts[0] && parts[0] <= 'Z' {
		return string(parts[0]), true
	}
	return "", false
}

func cyrillicLetter(runes []rune, i int, language string) (string, bool) {
	r := runes[i]
	if language == "uk" && i == 0 {
		if s, ok := ukrainianFirst[r]; ok {
			return s, true
		}
	}
	if s, ok := cyrillicFor[language][r]; ok {
		return s, true
	}
	if s, ok := cyrillic[r]; ok {
		return s, true
	}
	return "", r == '\u0301' && i > 0 // the stress mark of dictionaries
}

// Letters of the Arabic script with rules of their own (section 6.C).
const (
	tehMarbuta = 'ة'
	shadda     = '\u0651'
)

// arabicUnwritten holds tatweel, the short vowels and superscript alef.
const arabicUnwritten = "\u0640\u064B\u064C\u064D\u064E\u064F\u0650\u0652\u0670"

func arabicLetter(runes []rune, i int) (string, bool) {
	r := runes[i]
	switch {
	case r == tehMarbuta:
		if strings.Trim(string(runes[i+1:]), arabicUnwritten) == "" {
			return "XAH", true
		}
		return "XTA", true
	case r == shadda:
		for j := i - 1; j >= 0; j-- {
			if !strings.ContainsRune(arabicUnwritten, runes[j]) {
				if runes[j] == shadda {
					return "", false
				}
				return arabicLetter(runes, j)
			}
		}
		return "", false
	case strings.ContainsRune(arabicUnwritten, r):
		return "", true
	}
	s, ok := arabic[r]
	return s, ok
}

// Fit cuts two identifiers to the room of a TD3 name field (Doc 9303-4, section
// 4.2.3). The primary identifier is kept whole as long as one letter of the
// secondary has room; no cut ends in a filler.
func Fit(primary, secondary string) (string, string) {
	if secondary == "" {
		return cut(primary, NameLength), ""
	}
	if len(primary)+2+len(secondary) <= NameLength {
		return primary, secondary
	}
	primary = cut(primary, NameLength-len("<<")-1)
	return primary, cut(secondary, NameLength-len("<<")-len(primary))
}

func cut(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return strings.TrimRight(s, "<")
}
