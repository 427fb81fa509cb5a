package registrar

import (
	"errors"
	"slices"
	"strings"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/issuer"
	"github.com/kinpass/kinpass/web"
)

// words are the messages for the rules of the register, by what the rule says.
// The first that fits counts.
var words = []struct{ rule, text string }{
	{"must be a date that exists", "registrar.wrong.date"},
	{"in the future", "registrar.wrong.future"},
	{"before 1850", "registrar.wrong.too-old"},
	{"120 years back", "registrar.wrong.too-old"},
	{"before the birth", "registrar.wrong.before-birth"},
	{"before the ward's birth", "registrar.wrong.before-birth"},
	{"before earliest", "registrar.wrong.order"},
	{"before from", "registrar.wrong.order"},
	{"after until", "registrar.wrong.order"},
	{"before the decision", "registrar.wrong.before-decision"},
	{"after the registration", "registrar.wrong.after-registration"},
	{"age assessment: give a range", "registrar.wrong.range-for-age"},
	{"time of day", "registrar.wrong.time"},
	{"where the day of birth is not known", "registrar.wrong.time-without-day"},
	{"combining marks", "registrar.wrong.characters"},
	{"control, invisible", "registrar.wrong.characters"},
	{"not part of names", "registrar.wrong.characters"},
	{"letter of another script", "registrar.wrong.scripts"},
	{"must hold a letter", "registrar.wrong.letters"},
	{"is too long", "registrar.wrong.long"},
	{"must have at most", "registrar.wrong.long"},
	{"repeats a name", "registrar.wrong.name-twice"},
	{"A to Z with single fillers", "registrar.wrong.mrz"},
	{"39 characters", "registrar.wrong.mrz"},
	{"must name a place", "registrar.wrong.place"},
	{"the place where the child was found", "registrar.wrong.place"},
	{"must be the code of a country", "registrar.wrong.country"},
	{"must not be greater than plurality", "registrar.wrong.order-of-birth"},
	{"impossibly young", "registrar.wrong.parent-age"},
	{"impossibly old", "registrar.wrong.parent-age"},
	{"names a parent twice", "registrar.wrong.parent-twice"},
	{"says twice that the parent", "registrar.wrong.parent-twice"},
	{"two mothers, or two fathers", "registrar.wrong.parent-twice"},
	{"contradicts the other parent", "registrar.wrong.parent-twice"},
	{"must not be a parent who is unknown", "registrar.wrong.informant"},
	{"must not be a parent of a foundling", "registrar.wrong.informant"},
	{"known parent of a foundling", "registrar.wrong.foundling"},
	{"for a foundling", "registrar.wrong.foundling"},
	{"in an ordinary birth", "registrar.wrong.ordinary"},
	{"born in the host State", "registrar.wrong.host-state"},
	{"timely for a reconstructed", "registrar.wrong.mode"},
	{"letters A to Z, digits", "registrar.wrong.document"},
	{"a letter or a number", "registrar.wrong.document"},
	{"after the ward's majority", "registrar.wrong.majority"},
	{"30 days ahead", "registrar.wrong.review"},
	{"90 days after", "registrar.wrong.ninety-days"},
	{"is required", "registrar.wrong.needed"},
	{"countersignature", "registrar.wrong.countersigned"},
	{"that this legal basis can give", "registrar.wrong.powers"},
	{"living parents in the birth record", "registrar.wrong.count"},
	{"greater than coGuardianCount", "registrar.wrong.quorum"},
	{"at least 2", "registrar.wrong.count"},
	{"greater than 1", "registrar.wrong.quorum"},
	{"among allowedCountries", "registrar.wrong.countries"},
	{"birth record calls a parent deceased", "registrar.wrong.will"},
	{"younger than the ward", "registrar.wrong.guardian-age"},
	{"too young for the mandate", "registrar.wrong.guardian-age"},
	{"'s on this legal basis", "registrar.wrong.role"},
	{"parent whom the birth record names", "registrar.wrong.role"},
	{"parent's role in the birth record", "registrar.wrong.role"},
	{"kinship", "registrar.wrong.role"},
	{"naturalPerson", "registrar.wrong.person"},
	{"must name the institution", "registrar.wrong.name-needed"},
	{"must be identified by", "registrar.wrong.name-needed"},
}

// blame turns the register's refusal of a registration into errors of the
// form's fields. It gives back any other error.
func blame(f *web.Form, err error, places []where) error {
	if err == nil {
		return nil
	}
	x := fault.As(err)
	if !errors.Is(err, issuer.ErrRegistration) && (len(x.Fields) == 0 || x.Kind != fault.Unprocessable && x.Kind != fault.Forbidden) {
		return err
	}
	own := slices.Clone(f.Errors)
	for _, broken := range x.Fields {
		if _, name, missing := strings.Cut(broken.Rule, "is required: "); missing {
			broken.Path += "/" + name
		}
		field := fieldOf(broken.Path, places)
		// What the page asked for itself is said already, in better words.
		if slices.ContainsFunc(f.Errors, func(e web.FieldError) bool { return e.Field == field }) || follows(broken.Path, own, places) {
			continue
		}
		text := "registrar.wrong.other"
		for _, w := range words {
			if strings.Contains(broken.Rule, w.rule) {
				text = w.text
				break
			}
		}
		f.Wrong(field, text)
	}
	if f.Good() {
		f.Wrong("", "registrar.wrong.other")
	}
	return nil
}

// follows reports whether what is wrong at a place comes of an error that the page
// found itself: without a date of birth nothing of it fits.
func follows(path string, own []web.FieldError, places []where) bool {
	for _, whole := range []string{"/birthDate", "/placeOfBirth"} {
		if path != whole && !strings.HasPrefix(path, whole+"/") {
			continue
		}
		for _, p := range places {
			if strings.HasPrefix(p.Path, whole) && slices.ContainsFunc(own, func(e web.FieldError) bool { return e.Field == p.Field }) {
				return true
			}
		}
	}
	return false
}

// fieldOf finds the field of a place: the one whose path is the longest that the
// place lies in, the last of several.
func fieldOf(path string, places []where) string {
	field, longest := "", -1
	for _, p := range places {
		if (path == p.Path || strings.HasPrefix(path, p.Path+"/")) && len(p.Path) >= longest {
			field, longest = p.Field, len(p.Path)
		}
	}
	return field
}
