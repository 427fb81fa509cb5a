package web

import (
	"fmt"
	"net/http"
)

// Countries lists the countries and territories that may be chosen, in the
// visitor's language, and further codes after them; first is what stands for
// none.
func (s *Site) Countries(r *http.Request, first string, more ...string) ([]Option, error) {
	m := s.Speak(r)
	list, err := m.countryOptions()
	if err != nil {
		return nil, err
	}
	list[0].Label = first
	for _, code := range more {
		list = append(list, Option{Value: code, Label: m.Country(code)})
	}
	return list, nil
}

// Speak gives the messages in the visitor's language.
func (s *Site) Speak(r *http.Request) *Messages { return s.speak[s.Language(r)].Messages }

// In gives the messages in a language, those in the visitor's if there is no such
// language: for a letter to somebody else.
func (s *Site) In(lang string, r *http.Request) *Messages {
	if t, ok := s.speak[lang]; ok {
		return t.Messages
	}
	return s.Speak(r)
}

// choices builds options whose labels are the messages that begin with prefix:
// values are texts, or lists of texts.
func choices(m *Messages, prefix string, values []any) ([]Option, error) {
	var out []Option
	for _, v := range values {
		list, ok := v.([]string)
		if one, is := v.(string); is {
			list, ok = []string{one}, true
		}
		if !ok {
			return nil, fmt.Errorf("%v is no choice", v)
		}
		for _, x := range list {
			label, err := m.Text(prefix + x)
			if err != nil {
				return nil, err
			}
			out = append(out, Option{Value: x, Label: label})
		}
	}
	return out, nil
}
