package check

import (
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// Specimens of ICAO Doc 9303, parts 4 to 7.
const (
	passport = "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\nL898902C36UTO7408122F1204159ZE184226B<<<<<10"
	card     = "I<UTOD231458907<<<<<<<<<<<<<<<\n7408122F1204159UTO<<<<<<<<<<<6\nERIKSSON<<ANNA<MARIA<<<<<<<<<<"
	small    = "I<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<\nD231458907UTO7408122F1204159<<<<<<<6"
	visa     = "V<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\nL8988901C4XXX4009078F96121096ZE184226B<<<<<<"
)

func TestZoneAsPeopleAndReadersGiveIt(t *testing.T) {
	oneLine := strings.ReplaceAll(passport, "\n", "")
	for name, c := range map[string]struct{ text, like string }{
		"as it is":                {passport, passport},
		"card":                    {card, card},
		"small card":              {small, small},
		"lower case":              {strings.ToLower(passport), passport},
		"card in lower case":      {strings.ToLower(card), card},
		"Windows line ends":       {strings.ReplaceAll(passport, "\n", "\r\n") + "\r\n", passport},
		"old line ends":           {strings.ReplaceAll(card, "\n", "\r"), card},
		"Unicode line ends":       {strings.ReplaceAll(card, "\n", "\u2028"), card},
		"empty lines":             {"\n\n" + strings.ReplaceAll(passport, "\n", "\n \n") + "\n\n", passport},
		"no line ends":            {oneLine, passport},
		"lines on one":            {strings.ReplaceAll(passport, "\n", " "), passport},
		"groups":                  {"P<UTO ERIKSSON<<ANNA<MARIA <<<<<<<<<<<<<<<<<<<\nL898902C3 6 UTO 740812 2 F 120415 9 ZE184226B<<<<< 1 0", passport},
		"spaces for fillers":      {strings.ReplaceAll(passport, "\n", "\r\n")[:len("P<UTOERIKSSON<<")] + "ANNA MARIA<<<<<<<<<<<<<<<<<<<\r\nL898902C36UTO7408122F1204159ZE184226B<<<<<10", passport},
		"broken where it ended":   {oneLine[:40] + "\n" + oneLine[40:80] + "\n" + oneLine[80:], passport},
		"guillemets":              {strings.ReplaceAll(passport, "<<", "«"), passport},
		"single guillemets":       {strings.ReplaceAll(card, "<", "‹"), card},
		"wide characters":         {wide(passport), passport},
		"no-break spaces":         {strings.Replace(passport, "ERIKSSON", "\u00a0ERIKSSON\u00a0", 1), passport},
		"byte order mark":         {"\ufeff" + passport, passport},
		"symbology identifier":    {"]L0" + passport, passport},
		"start and end of text":   {"\x02" + strings.ReplaceAll(passport, "\n", "\r") + "\r\x03", passport},
		"named":                   {"MRZ: " + passport, passport},
		"named in lower case":     {"mrz:" + card, card},
		"all of it":               {"\x02]L0MRZ:" + strings.ToLower(strings.ReplaceAll(strings.ReplaceAll(small, "<<", "«"), "\n", "\r\n")) + "\x03", small},
		"marks without width":     {strings.Replace(passport, "UTO", "\u200bUTO\u200e", 1), passport},
		"group separator between": {strings.ReplaceAll(card, "\n", "\x1d"), card},
	} {
		zone, hint := Zone(c.text)
		if hint != "" {
			t.Errorf("%s: %s", name, hint)
			continue
		}
		got, err := ParseMRZ(zone)
		want, werr := ParseMRZ(c.like)
		if err != nil || werr != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: read as %+v (%v, %v)", name, got, err, werr)
		}
	}
}

func wide(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' {
			return r
		}
		return r + 0xFEE0
	}, s)
}

func TestZoneSaysWhatToLookAt(t *testing.T) {
	for name, c := range map[string]struct{ text, hint string }{
		"nothing":               {"", "there is no"},
		"spaces":                {" \n\t ", "there is no"},
		"a reader that missed":  {"]L0", "no machine-readable zone has"},
		"a filler too few":      {strings.Replace(passport, "<<<<<\n", "<<<<\n", 1), "43 and 44 characters"},
		"a filler too many":     {strings.Replace(passport, "<<<<<\n", "<<<<<<\n", 1), "45 and 44 characters"},
		"the second line alone": {passport[45:], "one line of 44 characters"},
		"no fillers at the end": {"P<UTOERIKSSON<<ANNA<MARIA\nL898902C36UTO7408122F1204159ZE184226B<<<<<10", "25 and 44 characters"},
		"four lines":            {card + "\n" + card[:30], "4 lines"},
		"O for 0":               {strings.Replace(passport, "L898902C3", "L8989O2C3", 1), "check digit"},
		"another name's digit":  {strings.Replace(passport, "740812", "740813", 1), "check digit"},
		"a visa":                {visa, "visa"},
		"another script":        {strings.Replace(passport, "A", "А", 1), "line 1 has at place 16"}, // Cyrillic
		"an accent":             {strings.Replace(passport, "ERIKSSON", "ÉRIKSSON", 1), "line 1 has at place 6"},
		"a dash":                {strings.Replace(passport, "ANNA<MARIA", "ANNA-MARIA", 1), "line 1 has at place 20"},
		"a zero byte":           {strings.Replace(passport, "UTO", "U\x00O", 1), "line 1 has at place 4"},
		"not UTF-8":             {strings.ReplaceAll(passport, "<<", "\xab"), "not UTF-8"},
		"without end":           {strings.Repeat("P<UTO", 300), "longer than any"},
		"something else":        {"https://example.org/AMINA", "no machine-readable zone has"},
	} {
		zone, hint := Zone(c.text)
		if !strings.Contains(hint, c.hint) || hint == "" {
			t.Errorf("%s: the hint is %q", name, hint)
		}
		if m, err := ParseMRZ(zone); err == nil && m.Format != MRVA {
			t.Errorf("%s: can be read", name)
		}
	}
}

// hints is every text that Zone may say: what was typed is in none.
var hints = regexp.MustCompile(`^(there is no machine-readable zone in the text|the text is longer than any machine-readable zone|` +
	`the text is not UTF-8: set the reader to UTF-8 or plain ASCII|this is the zone of a visa: take that of the passport or identity card|` +
	`line \d+ has at place \d+ a character that no machine-readable zone has: only A to Z, 0 to 9 and <|` +
	`a check digit does not fit: compare each character with the document, 0 with O, 1 with I, 5 with S and 8 with B|` +
	`(there is one line of \d+ characters|there are \d+ lines|the lines have \d+( and \d+)* characters): ` +
	`a passport has two lines of 44 characters, a card three of 30 or two of 36; keep the < at the end of a line)$`)

// What a person types and a reader sends is anything. It is read or explained,
// what could be read before is read alike, and tidying what is tidy changes
// nothing.
func FuzzZone(f *testing.F) {
	for _, s := range []string{passport, card, small, visa, strings.ToLower(passport), strings.ReplaceAll(card, "<<", "«"), "]L0" + passport,
		"\x02" + passport, wide(card), "MRZ:" + small, "", "\xff", strings.ReplaceAll(passport, "<", " ")} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		zone, hint := Zone(text)
		m, err := ParseMRZ(zone)
		switch {
		case hint != "" && !hints.MatchString(hint):
			t.Fatal("a hint of another form")
		case hint == "" && (err != nil || m.Format == MRVA || m.Format == MRVB):
			t.Fatal("neither read nor explained")
		case hint != "" && err == nil && m.Format != MRVA && m.Format != MRVB:
			t.Fatal("explained, and can be read")
		}
		if before, berr := ParseMRZ(text); berr == nil && !reflect.DeepEqual(before, m) {
			t.Fatalf("read otherwise than before")
		}
		if again, h := Zone(zone); hint == "" && (again != zone || h != "") {
			t.Fatal("tidying twice is not tidying once")
		}
	})
}
