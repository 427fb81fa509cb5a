package check

import (
	"strings"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/vc"
)

// ErrMRZ says that a text is not the machine-readable zone of a travel
// document: wrong length or characters, or a check digit that does not fit.
var ErrMRZ = fault.New(fault.Invalid, "mrz-invalid", "not a machine-readable zone that can be read")

// Formats of a machine-readable zone (ICAO Doc 9303, parts 4 to 7).
const (
	TD1  = "TD1"   // cards: three lines of 30
	TD2  = "TD2"   // two lines of 36
	TD3  = "TD3"   // passports: two lines of 44
	MRVA = "MRV-A" // visas: two lines of 44
	MRVB = "MRV-B" // visas: two lines of 36
)

// MRZ is what the machine-readable zone of a travel document says. Names keep
// "<" between their parts, as they are written in the zone; fillers at the end
// are gone. Birth and Expiry are YYMMDD, with "<" for digits that are not
// known.
type MRZ struct {
	Format      string
	Code        string // document code, such as P or ID
	Issuer      string // ICAO code of the issuing State, such as D or NPL
	Primary     string
	Secondary   string
	Number      string
	Nationality string
	Birth       string
	Sex         string // M, F or <
	Expiry      string
	Optional    string

	// cutShort: the name fills its field, so letters may be missing.
	cutShort bool
}

// ParseMRZ reads a zone of two or three lines, or the same lines written
// without line ends, and checks its check digits (ICAO Doc 9303-3, section
// 4.9). White space around a line is dropped, nothing else is repaired. It
// gives ErrMRZ and nothing of what was read if anything does not fit.
func ParseMRZ(text string) (*MRZ, error) {
	if len(text) > 256 {
		return nil, ErrMRZ
	}
	lines := strings.Fields(text)
	if len(lines) == 1 {
		width := map[int]int{88: 44, 72: 36, 90: 30}[len(lines[0])]
		if width == 0 {
			return nil, ErrMRZ
		}
		all := lines[0]
		lines = nil
		for ; all != ""; all = all[width:] {
			lines = append(lines, all[:width])
		}
	}
	for _, l := range lines {
		for i := 0; i < len(l); i++ {
			if value(l[i]) < 0 {
				return nil, ErrMRZ
			}
		}
		if len(l) != len(lines[0]) {
			return nil, ErrMRZ
		}
	}
	var m *MRZ
	switch {
	case len(lines) == 3 && len(lines[0]) == 30:
		m = readTD1(lines)
	case len(lines) == 2 && (len(lines[0]) == 44 || len(lines[0]) == 36):
		m = readTwoLines(lines)
	}
	if m == nil || !m.plausible() {
		return nil, ErrMRZ
	}
	return m, nil
}

// value is the weight-free value of a character in a check digit, or -1.
func value(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'A' && c <= 'Z':
		return int(c-'A') + 10
	case c == '<':
		return 0
	}
	return -1
}

// checkDigit computes a check digit: weights 7, 3, 1, modulo 10.
func checkDigit(s string) byte {
	sum := 0
	for i := 0; i < len(s); i++ {
		sum += value(s[i]) * [3]int{7, 3, 1}[i%3]
	}
	return byte('0' + sum%10)
}

// holds reports whether digit is the check digit of field.
func holds(field string, digit byte) bool { return digit == checkDigit(field) }

// holdsOptional is holds for a field that may be empty with "<" as its digit.
func holdsOptional(field string, digit byte) bool {
	return holds(field, digit) || digit == '<' && strings.Trim(field, "<") == ""
}

// readTwoLines reads TD3, TD2 and visas.
func readTwoLines(l []string) *MRZ {
	first, second, w := l[0], l[1], len(l[0])
	m := &MRZ{Code: unfill(first[:2]), Issuer: unfill(first[2:5]), Nationality: unfill(second[10:13]),
		Birth: second[13:19], Sex: second[20:21], Expiry: second[21:27]}
	m.setName(first[5:])
	if !holds(m.Birth, second[19]) || !holds(m.Expiry, second[27]) {
		return nil
	}
	number, ok := second[:9], false
	switch {
	case first[0] == 'V':
		m.Format = map[int]string{44: MRVA, 36: MRVB}[w]
		m.Optional = unfill(second[28:])
		ok = holds(number, second[9])
	case w == 44:
		m.Format = TD3
		m.Optional = unfill(second[28:42])
		ok = holds(number, second[9]) && holdsOptional(second[28:42], second[42]) &&
			holds(second[:10]+second[13:20]+second[21:43], second[43])
	default:
		m.Format = TD2
		number, m.Optional, ok = longNumber(number, second[9], second[28:35])
		ok = ok && holds(second[:10]+second[13:20]+second[21:35], second[35])
	}
	if !ok {
		return nil
	}
	m.Number = unfill(number)
	return m
}

// readTD1 reads a card.
func readTD1(l []string) *MRZ {
	m := &MRZ{Format: TD1, Code: unfill(l[0][:2]), Issuer: unfill(l[0][2:5]), Nationality: unfill(l[1][15:18]),
		Birth: l[1][:6], Sex: l[1][7:8], Expiry: l[1][8:14]}
	m.setName(l[2])
	number, optional, ok := longNumber(l[0][5:14], l[0][14], l[0][15:])
	if !ok || !holds(m.Birth, l[1][6]) || !holds(m.Expiry, l[1][14]) ||
		!holds(l[0][5:]+l[1][:7]+l[1][8:15]+l[1][18:29], l[1][29]) {
		return nil
	}
	m.Number, m.Optional = unfill(number), optional
	return m
}

// longNumber reads a document number that may be longer than its nine
// characters: then "<" stands for the check digit, and the rest of the number
// and the digit begin the optional field (ICAO Doc 9303-5, section 4.2.2).
func longNumber(number string, digit byte, optional string) (full, rest string, ok bool) {
	if digit != '<' {
		return number, unfill(optional), holds(number, digit)
	}
	more, rest, _ := strings.Cut(optional, "<")
	if len(more) < 2 {
		return "", "", false
	}
	full = number + more[:len(more)-1]
	return full, unfill(rest), holds(full, more[len(more)-1])
}

func unfill(s string) string { return strings.TrimRight(s, "<") }

func (m *MRZ) setName(field string) {
	m.cutShort = field[len(field)-1] != '<'
	primary, secondary, _ := strings.Cut(unfill(field), "<<")
	m.Primary, m.Secondary = strings.Trim(primary, "<"), strings.Trim(secondary, "<")
}

// plausible checks the kinds of characters, which check digits do not: a
// letter read as a digit of the same value passes them.
func (m *MRZ) plausible() bool {
	letters := func(s string) bool { return strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ<") == "" }
	return m.Primary != "" && m.Number != "" && m.Code != "" && m.Issuer != "" &&
		letters(m.Primary) && letters(m.Secondary) && letters(m.Code) && letters(m.Issuer) && letters(m.Nationality) &&
		strings.Trim(m.Birth+m.Expiry, "0123456789<") == "" && strings.Contains("MFX<", m.Sex)
}

// state gives the issuing State as ISO 3166-1 alpha-3 where ICAO writes it
// otherwise: Germany is D.
func state(icao string) string {
	if icao == "D" {
		return "DEU"
	}
	return icao
}

// likeness is how well a document fits the person that a credential names, from
// best to worst. The zero value says that no document was held against it.
type likeness int

const (
	notCompared likeness = iota
	same                 // number or whole name equal
	partly               // some of the name, or the whole name on another document
	silent               // the credential says nothing to compare with
	different            // nothing of the name in common
	another              // another document number and not the same name
)

// compare holds a document against a guardian as the credential names them
// (domain 1.4: the issuer transliterated, the verifier only compares; table
// row 17). An equal number of a document is the same document, whatever a
// short field did to the name. Another number of the same kind and State may
// be a renewed passport only if the whole name is equal.
func compare(m *MRZ, g *vc.Guardian) likeness {
	name := silent
	for i := range g.Names {
		if z := g.Names[i].MRZ; z != nil {
			if l := compareName(m, z); name == silent || l < name {
				name = l
			}
		}
	}
	if name == same && g.BirthDate != nil && m.bornOtherwise(g.BirthDate) {
		name = partly // a namesake
	}
	numberDiffers := false
	for _, d := range g.Documents {
		if d.Value == "" || d.Issuer != "" && d.Issuer != state(m.Issuer) && d.Issuer != m.Issuer {
			continue
		}
		if plain(d.Value) == plain(m.Number) {
			if name == different {
				return different
			}
			return same
		}
		if (d.Type == "passport" || d.Type == "laissezPasser") && m.Format == TD3 {
			numberDiffers = true
		}
	}
	switch {
	case numberDiffers && name == same:
		return partly
	case numberDiffers:
		return another
	}
	return name
}

// compareName compares token by token: all equal, some equal, none equal.
func compareName(m *MRZ, z *vc.MRZ) likeness {
	mp, ms, zp, zs := tokens(m.Primary), tokens(m.Secondary), tokens(z.Primary), tokens(z.Secondary)
	if len(zp)+len(zs) == 0 {
		return silent
	}
	if equal(mp, zp) && equal(ms, zs) {
		return same
	}
	ours := append(zp, zs...)
	theirs := append(mp, ms...)
	for i, t := range theirs {
		// The last token of a full field may have lost its end.
		short := m.cutShort && (i == len(theirs)-1 || i == len(mp)-1) && len(t) >= 3
		for _, o := range ours {
			if t == o || short && strings.HasPrefix(o, t) {
				return partly
			}
		}
	}
	return different
}

// bornOtherwise reports whether both dates of birth are known to the day and
// differ.
func (m *MRZ) bornOtherwise(u *vc.UncertainDate) bool {
	e, l, ok := u.Span()
	if !ok || e != l || strings.Contains(m.Birth, "<") {
		return false
	}
	s := e.String()
	return s[2:4]+s[5:7]+s[8:10] != m.Birth
}

// born gives the date of birth in the zone, in the century that leaves the
// holder as young as possible and not born after a day.
func (m *MRZ) born(by vc.Date) (vc.Date, bool) {
	if strings.Contains(m.Birth, "<") {
		return vc.Date{}, false
	}
	for _, century := range [...]string{"20", "19"} {
		d, err := vc.ParseDate(century + m.Birth[:2] + "-" + m.Birth[2:4] + "-" + m.Birth[4:])
		if err == nil && !d.After(by) {
			return d, true
		}
	}
	return vc.Date{}, false
}

func tokens(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == '<' || r == ' ' })
}

func equal(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// plain writes a document number without what people put between its parts.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 32
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return -1
	}, s)
}
