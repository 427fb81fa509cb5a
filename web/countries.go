package web

import (
	"net/http"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
	"golang.org/x/text/unicode/norm"

	"github.com/kinpass/kinpass/internal/icao"
)

// Country gives the name of a country or territory in this language (Unicode
// CLDR), or its code where there is none.
func (m *Messages) Country(code string) string {
	if name := m.text["country."+code]; name != "" && code != "choose" {
		return name // a group of persons that Doc 9303 has a code for
	}
	two := code
	if code == "XKX" || code == "RKS" {
		two = "XK" // which Doc 9303 and CLDR write differently
	}
	r, err := language.ParseRegion(two)
	if err != nil || !r.IsCountry() {
		return code
	}
	if name := display.Regions(m.tag).Name(r); name != "" {
		return name
	}
	return code
}

// countryOptions are the choices of a select: all countries and territories by
// name, the first one empty.
func (m *Messages) countryOptions() ([]Option, error) {
	choose, err := m.Text("country.choose")
	if err != nil {
		return nil, err
	}
	var out []Option
	for _, code := range icao.Territories() {
		// A code that no list of names knows is nothing that people can choose.
		if name := m.Country(code); name != code {
			out = append(out, Option{Value: code, Label: name})
		}
	}
	slices.SortFunc(out, func(a, b Option) int { return strings.Compare(sortable(a.Label), sortable(b.Label)) })
	return append([]Option{{Label: choose}}, out...), nil
}

// sortable writes a name so that its bytes sort as people look for it.
func sortable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFD.String(s))
}

// Country gives the name of a country in the visitor's language.
func (s *Site) Country(r *http.Request, code string) string {
	return s.speak[s.Language(r)].Country(code)
}
