package web

import (
	"fmt"
	"html/template"
	"net/url"
)

// Form is what a visitor sent and what was wrong with it, so that a page can be
// shown again with nothing lost.
type Form struct {
	Values url.Values
	Errors []FieldError
}

// FieldError names a field and what is wrong with it.
type FieldError struct {
	Field string // name of the input, "" if the error is of the whole form
	Text  string // key of a message
	Args  []any
}

// Wrong adds an error to a field.
func (f *Form) Wrong(field, text string, args ...any) {
	f.Errors = append(f.Errors, FieldError{field, text, args})
}

// Good reports whether nothing is wrong.
func (f *Form) Good() bool { return len(f.Errors) == 0 }

// Option is one choice of a select, of radio buttons or of checkboxes.
type Option struct {
	Value, Label, Hint string // Label and Hint as they are to be read
	Checked            bool
}

// Field is one question of a form as the parts show it.
type Field struct {
	ID, Name, Label, Hint, Value, Type string
	Autocomplete, InputMode, Error     string
	Width, MaxLength, Rows             int
	Required, Heading, Spellcheck      bool
	Options                            []Option
	Day, Month, Year                   string
}

// DescribedBy gives the ids of hint and error, for screen readers.
func (f Field) DescribedBy() string {
	switch {
	case f.Hint != "" && f.Error != "":
		return f.ID + "-hint " + f.ID + "-error"
	case f.Hint != "":
		return f.ID + "-hint"
	case f.Error != "":
		return f.ID + "-error"
	}
	return ""
}

// funcs are the functions that templates call.
func (s *Site) funcs(m *Messages) template.FuncMap {
	return template.FuncMap{
		"t":         m.Text,
		"count":     m.Count,
		"texts":     m.Under,
		"asset":     s.Asset,
		"day":       m.Day,
		"moment":    m.Moment,
		"field":     func(form Form, name string, more ...any) (Field, error) { return newField(m, form, name, more) },
		"wrong":     func(e FieldError) (string, error) { return m.Text(e.Text, e.Args...) },
		"say":       func(n *Notice) (string, error) { return m.Text(n.Text, n.Args...) },
		"country":   m.Country,
		"countries": m.countryOptions,
		"option":    func(value, label string) Option { return Option{Value: value, Label: label} },
		"options":   func(o ...Option) []Option { return o },
		"choices":   func(prefix string, values ...any) ([]Option, error) { return choices(m, prefix, values) },
	}
}

// newField builds a field from pairs such as "label" (t "x").
func newField(m *Messages, form Form, name string, more []any) (Field, error) {
	f := Field{ID: name, Name: name, Type: "text", Value: form.Values.Get(name), Rows: 5,
		Day: form.Values.Get(name + "-day"), Month: form.Values.Get(name + "-month"), Year: form.Values.Get(name + "-year")}
	if len(more)%2 != 0 {
		return f, fmt.Errorf("field %s: names and values do not pair up", name)
	}
	texts := map[string]*string{"label": &f.Label, "hint": &f.Hint, "type": &f.Type, "autocomplete": &f.Autocomplete, "inputmode": &f.InputMode, "value": &f.Value, "id": &f.ID}
	numbers := map[string]*int{"width": &f.Width, "maxlength": &f.MaxLength, "rows": &f.Rows}
	flags := map[string]*bool{"required": &f.Required, "heading": &f.Heading, "spellcheck": &f.Spellcheck}
	for i := 0; i < len(more); i += 2 {
		key, _ := more[i].(string)
		ok := false
		switch v := more[i+1].(type) {
		case string:
			if p := texts[key]; p != nil {
				*p, ok = v, true
			}
		case int:
			if p := numbers[key]; p != nil {
				*p, ok = v, true
			}
		case bool:
			if p := flags[key]; p != nil {
				*p, ok = v, true
			}
		case []Option:
			if ok = key == "options"; ok {
				f.Options = append([]Option(nil), v...)
			}
		}
		if !ok {
			return f, fmt.Errorf("field %s: %v is not a setting of that type", name, more[i])
		}
	}
	if chosen, ok := form.Values[name]; ok {
		f.Value = form.Values.Get(name)
		for i := range f.Options {
			f.Options[i].Checked = false
			for _, c := range chosen {
				f.Options[i].Checked = f.Options[i].Checked || f.Options[i].Value == c
			}
		}
	}
	for _, e := range form.Errors {
		if e.Field == name && f.Error == "" {
			var err error
			if f.Error, err = m.Text(e.Text, e.Args...); err != nil {
				return f, err
			}
		}
	}
	if f.Label == "" {
		return f, fmt.Errorf("field %s has no label", name)
	}
	return f, nil
}
