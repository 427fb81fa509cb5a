package web

import (
	"net/http/httptest"
	"testing"
)

func TestCountriesWithGroupsOfPersons(t *testing.T) {
	s, err := New("issuer", "http://localhost:8080")
	if err != nil {
		t.Fatal(err)
	}
	for lang, want := range map[string]string{"en": "Stateless", "ar": "عديم الجنسية"} {
		r := httptest.NewRequest("GET", "/app/", nil)
		r.Header.Set("Accept-Language", lang)
		all, err := s.Countries(r, "-", "XXA")
		if err != nil || len(all) < 200 || all[0] != (Option{Label: "-"}) || all[len(all)-1] != (Option{Value: "XXA", Label: want}) {
			t.Errorf("%s: %d countries (%v)", lang, len(all), err)
		}
		if got := s.Speak(r).Country("choose"); got != "choose" {
			t.Errorf("%q", got)
		}
	}
}

func TestChoices(t *testing.T) {
	m := all(t)["en"]
	got, err := choices(m, "month.", []any{"1", []string{"2"}})
	if err != nil || len(got) != 2 || got[1].Label != "February" {
		t.Errorf("%v %v", got, err)
	}
	for _, bad := range [][]any{{"13"}, {1}} {
		if _, err := choices(m, "month.", bad); err == nil {
			t.Errorf("%v was taken", bad)
		}
	}
}
