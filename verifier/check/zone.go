package check

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxZone bounds the text of one document, in bytes.
const maxZone = 1024

// Zone tidies a machine-readable zone as an officer types it or a reader sends
// it, for Facts: letters in either case, groups with spaces between them,
// other line ends or none, "«" and wide characters for "<<" and their narrow
// forms, and what a reader puts in front (the symbology identifier of ISO/IEC
// 15424, STX, "MRZ:"). Nothing is guessed: not O for 0, no filler that is
// missing, no letter of another script (ICAO Doc 9303-3 transliterates when a
// document is made, never at the border). A text that ParseMRZ reads as it
// is keeps its meaning.
//
// If what comes out cannot be read as a document of an adult, the text is given
// back as it was, which a decision calls DOC_UNREADABLE, and hint says what to
// look at. A hint holds places and lengths and no character of the text.
func Zone(text string) (zone, hint string) {
	lines, hint := tidy(text)
	if hint != "" {
		return text, hint
	}
	shaped, shapes := shape(lines)
	for _, z := range append([]string{shaped}, strings.Join(squeeze(lines), ""), strings.Join(fill(lines), "")) {
		m, err := ParseMRZ(z)
		switch {
		case err != nil:
		case m.Format == MRVA || m.Format == MRVB:
			return z, "this is the zone of a visa: take that of the passport or identity card"
		default:
			return z, ""
		}
	}
	if !shapes {
		return text, lengths(lines)
	}
	return text, "a check digit does not fit: compare each character with the document, 0 with O, 1 with I, 5 with S and 8 with B"
}

// tidy gives the lines in the characters of a zone and single spaces.
func tidy(text string) (lines []string, hint string) {
	switch {
	case len(text) > maxZone:
		return nil, "the text is longer than any machine-readable zone"
	case !utf8.ValidString(text):
		return nil, "the text is not UTF-8: set the reader to UTF-8 or plain ASCII"
	}
	text = withoutPrefix(text)
	var b strings.Builder
	end := func() {
		if l := strings.Join(strings.Fields(b.String()), " "); l != "" {
			lines = append(lines, l)
		}
		b.Reset()
	}
	place := 0
	for _, r := range text {
		place++
		switch {
		case r >= '\uFF01' && r <= '\uFF5E': // wide forms of ASCII
			r -= 0xFEE0
		case r == '‹' || r == '﹤':
			r = '<'
		case r == '«' || r == '≪':
			b.WriteByte('<')
			r = '<'
		}
		switch {
		case r >= 'a' && r <= 'z':
			b.WriteByte(byte(r - 32))
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '<':
			b.WriteByte(byte(r))
		case r == '\n', r == '\r', r == '\t', r == '\v', r == '\f', r == '\u0085', r == '\u2028', r == '\u2029',
			r == 2, r == 3, r == 4, r >= 0x1c && r <= 0x1f: // STX, ETX, EOT and the separators
			end()
			place = 0
		case unicode.IsSpace(r):
			b.WriteByte(' ')
		case r == '\uFEFF', r == '\u200B', r == '\u2060', r == '\u200E', r == '\u200F': // marks without width
		default:
			return nil, fmt.Sprintf("line %d has at place %d a character that no machine-readable zone has: only A to Z, 0 to 9 and <", len(lines)+1, place)
		}
	}
	end()
	if len(lines) == 0 {
		return nil, "there is no machine-readable zone in the text"
	}
	return lines, ""
}

// withoutPrefix drops what a reader puts in front of what it read.
func withoutPrefix(s string) string {
	s = strings.TrimLeft(s, "\x02\uFEFF \r\n\t")
	if len(s) > 3 && s[0] == ']' && isLetter(s[1]) && (isLetter(s[2]) || s[2] >= '0' && s[2] <= '9') {
		s = s[3:]
	}
	if len(s) > 4 && strings.EqualFold(s[:3], "MRZ") && s[3] == ':' {
		s = s[4:]
	}
	return s
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// squeeze takes spaces for nothing, fill takes them for fillers.
func squeeze(lines []string) []string { return replaced(lines, "") }
func fill(lines []string) []string    { return replaced(lines, "<") }

func replaced(lines []string, by string) []string {
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = strings.ReplaceAll(l, " ", by)
	}
	return out
}

// shape takes each line as its length says: spaces stand between groups if the
// rest has the length of a line, and for fillers if all of it has.
func shape(lines []string) (zone string, ok bool) {
	out, filled := squeeze(lines), fill(lines)
	for i := range out {
		if !width(len(out[i]), len(lines)) && width(len(filled[i]), len(lines)) {
			out[i] = filled[i]
		}
		if !width(len(out[i]), len(lines)) || len(out[i]) != len(out[0]) {
			return "", false
		}
	}
	return strings.Join(out, "\n"), true
}

// width reports whether a line of n characters is one of a zone of so many
// lines (ICAO Doc 9303, parts 4 to 6).
func width(n, lines int) bool {
	switch lines {
	case 1:
		return n == 72 || n == 88 || n == 90
	case 2:
		return n == 36 || n == 44
	case 3:
		return n == 30
	}
	return false
}

// lengths says which line does not have the length of any.
func lengths(lines []string) string {
	const known = "a passport has two lines of 44 characters, a card three of 30 or two of 36; keep the < at the end of a line"
	out := squeeze(lines)
	switch {
	case len(out) == 1:
		return fmt.Sprintf("there is one line of %d characters: %s", len(out[0]), known)
	case len(out) > 3:
		return fmt.Sprintf("there are %d lines: %s", len(out), known)
	}
	var n []string
	for _, l := range out {
		n = append(n, fmt.Sprint(len(l)))
	}
	return fmt.Sprintf("the lines have %s characters: %s", strings.Join(n, " and "), known)
}
