package check

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/kinpass/kinpass/internal/vc"
)

// vectors are kept beside the project, not in it.
const vectors = "../../../shared/data/border/mrz-vectors.json"

func TestMRZVectors(t *testing.T) {
	data, err := os.ReadFile(vectors)
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("no vectors here")
	}
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		CheckDigitExamples []struct {
			Input string
			Digit byte
		}
		Vectors []struct {
			Format, Note string
			Lines        []string
			Valid        bool
			Fields       map[string]string
		}
	}
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Vectors) < 15 || len(v.CheckDigitExamples) == 0 {
		t.Fatalf("%d vectors", len(v.Vectors))
	}
	for _, e := range v.CheckDigitExamples {
		if got := checkDigit(e.Input); got != '0'+e.Digit {
			t.Errorf("check digit of %s: %c", e.Input, got)
		}
	}
	for _, x := range v.Vectors {
		for _, join := range []string{"\n", "\r\n", " \n\n ", ""} {
			if join == "" && !x.Valid {
				continue // a short line is not short any more
			}
			m, err := ParseMRZ(strings.Join(x.Lines, join))
			if !x.Valid {
				if !errors.Is(err, ErrMRZ) || m != nil {
					t.Errorf("%s: %v", x.Note, err)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s %s: %v", x.Format, x.Note, err)
				continue
			}
			got := map[string]string{"documentCode": m.Code, "issuer": m.Issuer, "primary": m.Primary, "secondary": m.Secondary, "number": m.Number,
				"nationality": m.Nationality, "birth": m.Birth, "sex": m.Sex, "expiry": m.Expiry, "optional": m.Optional}
			for k, want := range x.Fields {
				if got[k] != want {
					t.Errorf("%s %s: %s is %q, want %q", x.Format, x.Note, k, got[k], want)
				}
			}
			if m.Format != x.Format {
				t.Errorf("%s: read as %s", x.Format, m.Format)
			}
		}
	}
}

// TestMRZRefuses changes each character of a good zone in turn: none that a
// check digit covers may pass, and none may make it crash.
func TestMRZRefuses(t *testing.T) {
	for _, good := range []string{anna, annaCard, "I<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<\nD231458907UTO7408122F1204159<<<<<<<6"} {
		if _, err := ParseMRZ(good); err != nil {
			t.Fatal(err)
		}
		for i := range good {
			for _, c := range []string{"", "1", "ä", "\n", "-"} {
				changed := good[:i] + c + good[i+1:]
				if changed == good || good[i] == '\n' && c == "" {
					continue
				}
				m, err := ParseMRZ(changed)
				if (err == nil) != (m != nil) {
					t.Errorf("%q: %v %v", changed, m, err)
				}
				if err == nil && c != "1" {
					t.Errorf("accepted %q", changed)
				}
			}
		}
	}
	for name, s := range map[string]string{
		"nothing": "", "blank": " \n ", "one line": strings.Repeat("<", 44), "three of 44": strings.Repeat(strings.Repeat("<", 44)+"\n", 3),
		"all fillers": strings.Repeat("<", 88), "all zero": strings.Repeat("0", 90), "four lines": annaCard + "\n" + strings.Repeat("<", 30),
		"lower case": strings.ToLower(anna), "too long": strings.Repeat("A", 300),
		"number digit":    strings.Replace(anna, "L898902C36", "L898902C35", 1),
		"birth digit":     strings.Replace(anna, "7408122", "7408121", 1),
		"expiry digit":    strings.Replace(anna, "1204159", "1204158", 1),
		"optional digit":  strings.Replace(anna, "<<<<<10", "<<<<<20", 1),
		"composite digit": strings.Replace(anna, "<<<<<10", "<<<<<11", 1),
		"digit in a name": strings.Replace(anna, "ERIKSSON", "ERIK550N", 1),
		"letter O for 0":  strings.Replace(anna, "L898902C36", "L8989O2C36", 1),
		"sex":             strings.Replace(anna, "2F1", "2A1", 1),
	} {
		if m, err := ParseMRZ(s); !errors.Is(err, ErrMRZ) || m != nil {
			t.Errorf("%s: %v %v", name, m, err)
		}
	}
}

// TestLongNumber: a card whose number runs on in the optional field.
func TestLongNumber(t *testing.T) {
	full := "D23145890734"
	rest := "734" + string(checkDigit(full)) + strings.Repeat("<", 11)
	first := "I<UTO" + "D23145890" + "<" + rest
	second := "7408122F1204159UTO<<<<<<<<<<<"
	second += string(checkDigit(first[5:] + second[:7] + second[8:15] + second[18:29]))
	text := first + "\n" + second + "\nERIKSSON<<ANNA<MARIA<<<<<<<<<<"
	m, err := ParseMRZ(text)
	if err != nil || m.Number != full || m.Optional != "" {
		t.Fatalf("%+v %v", m, err)
	}
	for _, bad := range []string{"735", "7<4", "<34", "<<<"} {
		if _, err := ParseMRZ(strings.Replace(text, "<734", "<"+bad, 1)); err == nil {
			t.Errorf("accepted %q", bad)
		}
	}
}

func TestCompareNames(t *testing.T) {
	for _, c := range []struct {
		primary, secondary string // of the document
		p, s               string // of the credential
		want               likeness
	}{
		{"OKELLO", "AMINA", "OKELLO", "AMINA", same},
		{"OKELLO", "AMINA", "OKELLO<", "AMINA<<", same},
		{"SUHARTI", "", "SUHARTI", "", same},
		{"MAUNG<MAUNG", "", "MAUNG<MAUNG", "", same},
		{"MAUNG", "MAUNG", "MAUNG<MAUNG", "", partly},
		{"OKELLO", "AMINA<GRACE", "OKELLO", "AMINA", partly},
		{"OKELLO", "", "OKELLO", "AMINA", partly},
		{"AMINA", "OKELLO", "OKELLO", "AMINA", partly},
		{"OKELLO", "GRACE", "OKELLO", "AMINA", partly},
		{"SUHARTI", "", "OKELLO", "AMINA", different},
		{"OKEL", "AMIN", "OKELLO", "AMINA", different},
		{"OKELLO", "AMINA", "", "", silent},
		{"OKELLO", "AMINA", "<<", "<", silent},
	} {
		got := compareName(&MRZ{Primary: c.primary, Secondary: c.secondary}, &vc.MRZ{Primary: c.p, Secondary: c.s})
		if got != c.want {
			t.Errorf("%s %s and %s %s: %d, want %d", c.primary, c.secondary, c.p, c.s, got, c.want)
		}
	}
	// A full field may have lost the end of a name, and only there.
	long := "VENKATANARASIMHARAJUVARIPETHUGANAPATHI"
	for _, c := range []struct {
		primary string
		cut     bool
		want    likeness
	}{{long[:30], true, partly}, {long[:30], false, different}, {"VE", true, different}, {"ENKATANARASIM", true, different}} {
		if got := compareName(&MRZ{Primary: c.primary, cutShort: c.cut}, &vc.MRZ{Primary: long}); got != c.want {
			t.Errorf("%s: %d, want %d", c.primary, got, c.want)
		}
	}
	m, err := ParseMRZ(zone("UTO", long, "", "X1"))
	if err != nil || m.cutShort {
		t.Errorf("%+v %v", m, err)
	}
}

func FuzzParseMRZ(f *testing.F) {
	for _, s := range []string{anna, annaCard, annaVisa, annaSpoiled, stranger, "", strings.Repeat("<", 88)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := ParseMRZ(text)
		if (err == nil) != (m != nil) {
			t.Fatalf("%v %v", m, err)
		}
		if m == nil {
			return
		}
		if m.Primary == "" || m.Number == "" || len(m.Birth) != 6 || len(m.Expiry) != 6 || len(m.Sex) != 1 {
			t.Fatalf("%+v", m)
		}
		compare(m, &vc.Guardian{Names: []vc.Name{{MRZ: &vc.MRZ{Primary: m.Primary, Secondary: m.Secondary}}}, Documents: []vc.Identifier{{Type: "passport", Value: m.Number}}})
	})
}
