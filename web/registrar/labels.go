package registrar

import (
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/kinpass/kinpass/web"
)

// labels are the messages that fields are labelled with, where the name of the
// field is another one.
var labels = map[string]string{
	"born-earliest": "registrar.earliest", "born-latest": "registrar.latest", "born-kind": "registrar.born-kind", "born-basis": "registrar.born-basis", "born-time": "registrar.time",
	"place-status": "registrar.place-status", "place-country": "registrar.country", "place-area": "registrar.area", "place-town": "registrar.town",
	"place-kind": "registrar.facility", "place-facility": "registrar.facility-name", "doc-type": "registrar.document-type", "doc-number": "registrar.document-number",
	"doc-issuer": "registrar.document-issuer", "g-kind": "registrar.guardian-kind", "g-name": "registrar.guardian-name", "role": "registrar.guardian-role",
	"status": "registrar.parent-status", "mrz-family": "registrar.mrz", "mrz-given": "registrar.mrz", "age": "registrar.age-years", "age-law": "registrar.age-law",
	"limits": "registrar.limits", "allowed-1": "registrar.allowed", "allowed-2": "registrar.allowed", "allowed-3": "registrar.allowed",
	"denied-1": "registrar.denied", "denied-2": "registrar.denied", "denied-3": "registrar.denied",
}

// whoseFields are the parts of a form that ask the same of several people.
var whoseFields = []struct{ prefix, label string }{
	{"p12-", "registrar.parent-one"}, {"p13-", "registrar.parent-one"}, {"p1-", "registrar.parent-one"},
	{"p22-", "registrar.parent-two"}, {"p23-", "registrar.parent-two"}, {"p2-", "registrar.parent-two"},
	{"child2-", "registrar.part-child"}, {"child3-", "registrar.part-child"}, {"child-", "registrar.part-child"},
	{"g2-", "registrar.guardian"}, {"g3-", "registrar.guardian"}, {"g-", "registrar.guardian"},
}

// labelOf names a field as its page does, "" for one that the page has no label for.
func (h routes) labelOf(c echo.Context, field string) string {
	m := h.pages.Site().Speak(c.Request())
	text := func(name string) string {
		key, ok := labels[name]
		if !ok {
			key = "registrar." + name
		}
		s, err := m.Text(key)
		if err != nil {
			return ""
		}
		return s
	}
	if _, own := labels[field]; own {
		return text(field)
	}
	for _, w := range whoseFields {
		if name, ok := strings.CutPrefix(field, w.prefix); ok {
			whose, err := m.Text(w.label)
			if label := text(name); label != "" && err == nil {
				return whose + " – " + label
			}
			return ""
		}
	}
	return text(field)
}

// nameFields says in every error which field it is about: the list of errors at the
// top of a page is read away from the fields.
func (h routes) nameFields(c echo.Context, f *web.Form) {
	for i, e := range f.Errors {
		if label := h.labelOf(c, e.Field); e.Field != "" && label != "" && e.Text != "registrar.wrong.at" {
			f.Errors[i].Args = []any{"field", strings.TrimSuffix(label, "?"), "problem", h.text(c, e.Text, e.Args...)}
			f.Errors[i].Text = "registrar.wrong.at"
		}
	}
}
