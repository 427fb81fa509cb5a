package web

import (
	"slices"
	"testing"
)

func TestCountries(t *testing.T) {
	m := all(t)
	for lang, want := range map[string]string{"en": "Ghana", "fr": "Ghana", "ar": "غانا", "es": "Ghana", "pt": "Gana", "hi": "घाना", "sw": "Ghana"} {
		if got := m[lang].Country("GHA"); got != want {
			t.Errorf("%s: %s", lang, got)
		}
		list, err := m[lang].countryOptions()
		if err != nil || len(list) < 240 || list[0].Value != "" || list[0].Label == "" {
			t.Fatalf("%s: %d countries, %v", lang, len(list), err)
		}
		seen := map[string]string{}
		for _, o := range list[1:] {
			if o.Label == o.Value || seen[o.Label] != "" {
				t.Errorf("%s: %s is %q, as %q", lang, o.Value, o.Label, seen[o.Label])
			}
			seen[o.Label] = o.Value
		}
	}
	if got := m["en"].Country("XKX"); got != "Kosovo" {
		t.Error(got)
	}
	if got := m["en"].Country("<b>"); got != "<b>" {
		t.Error(got)
	}
	// Accents do not send a country to the end of the list.
	list, _ := m["fr"].countryOptions()
	at := func(code string) int { return slices.IndexFunc(list, func(o Option) bool { return o.Value == code }) }
	if at("EGY") > at("ESP") || at("ESP") > at("FIN") || at("USA") > at("FIN") {
		t.Error("the French list is out of order")
	}
}
