package issuer

import (
	"errors"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/language"
	"golang.org/x/text/unicode/norm"

	"github.com/kinpass/kinpass/internal/icao"
	"github.com/kinpass/kinpass/internal/vc"
)

// maxMarks bounds how many combining marks may follow one letter. No living
// orthography needs more than six.
const maxMarks = 8

// cleanText normalises a text that a person typed: Unicode NFC, direction marks
// removed (they reorder what an officer reads), every kind of space one plain
// space, none at the ends. rule says why the text is refused, or is "".
func cleanText(s string) (clean, rule string) {
	if plain(s) {
		return s, ""
	}
	var b strings.Builder
	space := true // drops leading spaces
	for _, r := range s {
		switch {
		case isDirectionMark(r):
			continue
		case unicode.Is(unicode.Zs, r):
			if !space {
				b.WriteByte(' ')
			}
			space = true
			continue
		case isJoiner(r):
		case isInvisible(r) || !unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S):
			return "", "holds a control, invisible or unassigned character"
		}
		space = false
		b.WriteRune(r)
	}
	clean = norm.NFC.String(strings.Trim(b.String(), " \u200c\u200d\u180e"))
	marks, first := 0, true
	for _, r := range clean {
		if !unicode.Is(unicode.M, r) {
			marks, first = 0, false
			continue
		}
		if marks++; first || marks > maxMarks {
			return "", "holds combining marks without a letter to carry them"
		}
	}
	return clean, ""
}

// plain reports whether s is printable ASCII with single inner spaces, which is
// clean as it is.
func plain(s string) bool {
	last := byte(' ')
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] > '~' || s[i] == ' ' && last == ' ' {
			return false
		}
		last = s[i]
	}
	return last != ' ' || s == ""
}

func isDirectionMark(r rune) bool {
	return r == '\u200e' || r == '\u200f' || r == '\u061c' || '\u202a' <= r && r <= '\u202e' || '\u2066' <= r && r <= '\u2069'
}

// isJoiner reports the invisible characters that spelling needs: the joiners in
// Persian, Bengali and others, the vowel separator in Mongolian.
func isJoiner(r rune) bool { return r == '\u200c' || r == '\u200d' || r == '\u180e' }

// isInvisible reports letters and marks that show nothing.
func isInvisible(r rune) bool {
	switch r {
	case '\u034f', '\u115f', '\u1160', '\u17b4', '\u17b5', '\u3164', '\uffa0':
		return true
	}
	return false
}

// text cleans free text in place. It must keep a letter or a number.
func (c *inspection) text(path string, s *string, most int) {
	if *s == "" {
		return
	}
	clean, rule := cleanText(*s)
	switch {
	case rule != "":
		c.refuse(path, rule)
	case !strings.ContainsFunc(clean, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }):
		c.refuse(path, "must hold a letter or a number")
	case utf8.RuneCountInString(clean) > most:
		c.refuse(path, "is too long")
	default:
		*s = clean
	}
}

// names cleans and checks a list of names in place and gives it back. person is
// false for the names of institutions and offices.
func (c *inspection) names(path string, names []vc.Name, person bool) []vc.Name {
	names = first(names, 20)
	for i := range names {
		c.name(at(path, i), &names[i], person)
	}
	for i, n := range names {
		for j := range i {
			o := names[j]
			if n.Kind == o.Kind && n.Script == o.Script && n.Lang == o.Lang && (n.Kind == "legal" || sameName(n, o)) {
				c.refuse(at(path, i), "repeats a name of the same kind, script and language")
			}
		}
	}
	return names
}

func sameName(a, b vc.Name) bool {
	return slices.Equal(a.Given, b.Given) && slices.Equal(a.Family, b.Family) && a.Full == b.Full
}

func (c *inspection) name(path string, n *vc.Name, person bool) {
	tables, ok := scripts[n.Script]
	if !ok && n.Script != "" {
		c.refuse(at(path, "script"), "must be an ISO 15924 code of a script that names are written in")
	}
	c.language(path, n)
	parts := 0
	for i := range n.Given {
		c.namePart(at(path, "given", i), &n.Given[i], tables, person)
		parts++
	}
	for i := range n.Family {
		c.namePart(at(path, "family", i), &n.Family[i], tables, person)
		parts++
	}
	if n.Full != "" {
		c.namePart(at(path, "full"), &n.Full, tables, person)
		parts++
	}
	switch {
	case parts == 0 && n.Status != "unnamed":
		c.refuse(path, "must hold a name or have the status unnamed")
	case parts == 0 && n.MRZ != nil:
		c.refuse(at(path, "mrz"), "must be absent where there is no name to write")
	case n.Status == "unnamed" && len(n.Given) > 0:
		c.refuse(at(path, "given"), "must be absent where the status is unnamed")
	}
	c.mrz(path, n)
}

// language checks that lang is well-formed BCP 47 and does not contradict the
// script.
func (c *inspection) language(path string, n *vc.Name) {
	if n.Lang == "" {
		return
	}
	tag, err := language.Parse(n.Lang)
	var unknown language.ValueError // well formed, but not in the tables
	if err != nil && !errors.As(err, &unknown) {
		c.refuse(at(path, "lang"), "must be a well-formed language tag (BCP 47)")
		return
	}
	if err == nil {
		if _, script, _ := tag.Raw(); script.String() != "Zzzz" && script.String() != n.Script {
			c.refuse(at(path, "lang"), "must not name another script than script does")
		}
	}
}

// namePart cleans one part of a name in place and checks its characters.
func (c *inspection) namePart(path string, s *string, tables []*unicode.RangeTable, person bool) {
	clean, rule := cleanText(*s)
	if rule != "" {
		c.refuse(path, rule)
		return
	}
	letters := 0
	for _, r := range clean {
		switch {
		case unicode.IsLetter(r):
			letters++
			if len(tables) > 0 && !inScript(r, tables) {
				c.refuse(path, "holds a letter of another script than script says")
				return
			}
		case person && !isNameSign(r):
			c.refuse(path, "holds a character that is not part of names")
			return
		}
	}
	most := 100
	if strings.HasSuffix(path, "/full") {
		most = 200
	}
	switch {
	case letters == 0:
		c.refuse(path, "must hold a letter")
	case utf8.RuneCountInString(clean) > most:
		c.refuse(path, "is too long")
	default:
		*s = clean
	}
}

// inScript reports whether a letter may stand in a name of the script: its own
// letters, and those that all scripts share except the letter-like signs of
// mathematics, which imitate Latin and Greek.
func inScript(r rune, tables []*unicode.RangeTable) bool {
	if unicode.In(r, tables...) || unicode.Is(unicode.Inherited, r) {
		return true
	}
	return unicode.Is(unicode.Common, r) && unicode.In(r, unicode.Lm, unicode.Lo)
}

// isNameSign reports what besides letters stands in names of persons: marks,
// digits (ordinals), joiners, spaces, and the punctuation of the world's
// orthographies, of ASCII only what names use.
func isNameSign(r rune) bool {
	if r < utf8.RuneSelf {
		return r == ' ' || '0' <= r && r <= '9' || strings.ContainsRune(`'-.,/()&@"`+"`", r)
	}
	return isJoiner(r) || r == '´' || unicode.In(r, unicode.M, unicode.Nd, unicode.Nl, unicode.P)
}

// mrz checks the machine-readable form of a name.
func (c *inspection) mrz(path string, n *vc.Name) {
	m := n.MRZ
	if m == nil {
		return
	}
	path = at(path, "mrz")
	broken := len(c.fields)
	if m.Primary != "" && !icao.IsIdentifier(m.Primary) {
		c.refuse(at(path, "primary"), "must be A to Z with single fillers inside")
	}
	if m.Secondary != "" && !icao.IsIdentifier(m.Secondary) {
		c.refuse(at(path, "secondary"), "must be A to Z with single fillers inside")
	}
	length := len(m.Primary)
	if m.Secondary != "" {
		length += len("<<") + len(m.Secondary)
	}
	if length > icao.NameLength {
		c.refuse(path, "must fit the 39 characters of a name field")
	}
	if len(c.fields) == broken && strangeMRZ(n) {
		c.refuse(path, "has nothing in common with the name")
	}
}

// strangeMRZ reports a machine-readable name that claims to be written by the
// standard from a Latin name and shares no component with it: what an officer
// compares with a passport would then be another name than the one registered.
func strangeMRZ(n *vc.Name) bool {
	if n.Script != "Latn" || n.MRZ.Source != "" && n.MRZ.Source != "issuerTransliterated" {
		return false
	}
	p, s, err := transliterated(n)
	if err != nil || p == "" {
		return false
	}
	have := components(n.MRZ.Primary + "<" + n.MRZ.Secondary)
	for _, want := range components(p + "<" + s) {
		for _, got := range have {
			if want == got || near(want, got) {
				return false
			}
		}
	}
	return true
}

func components(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == '<' })
}

// transliterated writes a name by ICAO Doc 9303, cut to a name field.
func transliterated(n *vc.Name) (primary, secondary string, err error) {
	return icao.Name{Family: n.Family, Given: n.Given, Full: n.Full, Script: n.Script, Lang: n.Lang}.Identifiers()
}
