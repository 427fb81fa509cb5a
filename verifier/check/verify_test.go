package check

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/vc"
)

// A reference into a Token Status List is asked in both bitstring lists, one of
// a kind that is not known in none.
func TestStatusEntries(t *testing.T) {
	bit := func(purpose, list string) vc.StatusEntry {
		return vc.StatusEntry{Purpose: purpose, Index: "7", List: list}
	}
	for name, x := range map[string]struct {
		in   vc.StatusEntry
		want []vc.StatusEntry
	}{
		"bitstring": {vc.StatusEntry{Type: "BitstringStatusListEntry", Purpose: "revocation", Index: "7", List: "x"},
			[]vc.StatusEntry{{Type: "BitstringStatusListEntry", Purpose: "revocation", Index: "7", List: "x"}}},
		"token": {vc.StatusEntry{Type: vc.TypeTokenStatus, Index: "7", List: "https://r.example/a/status/token/3"},
			[]vc.StatusEntry{bit("revocation", "https://r.example/a/status/revocation/3"), bit("suspension", "https://r.example/a/status/suspension/3")}},
		"token, twice the path": {vc.StatusEntry{Type: vc.TypeTokenStatus, Index: "7", List: "https://r.example/status/token/status/token/3"},
			[]vc.StatusEntry{bit("revocation", "https://r.example/status/token/status/revocation/3"), bit("suspension", "https://r.example/status/token/status/suspension/3")}},
		"token, elsewhere": {vc.StatusEntry{Type: vc.TypeTokenStatus, Index: "7", List: "https://r.example/lists/3"}, []vc.StatusEntry{bit("revocation", ""), bit("suspension", "")}},
		"token, nowhere":   {vc.StatusEntry{Type: vc.TypeTokenStatus, Index: "7"}, []vc.StatusEntry{bit("revocation", ""), bit("suspension", "")}},
		"another type": {vc.StatusEntry{Type: "RevocationList2020Status", Purpose: "revocation", Index: "7", List: "https://r.example/status/revocation/3"},
			[]vc.StatusEntry{{Purpose: "revocation"}}},
		"no type": {vc.StatusEntry{Purpose: "suspension", Index: "7", List: "x"}, []vc.StatusEntry{{Purpose: "revocation"}}},
	} {
		if got := statusEntries([]vc.StatusEntry{x.in}); !reflect.DeepEqual(got, x.want) {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if statusEntries(nil) != nil {
		t.Error("entries of nothing")
	}
}

// Without a bundle, or at no time, nothing verifies.
func TestVerifyNeedsBundle(t *testing.T) {
	for _, b := range []*Bundle{nil, {}} {
		if v, err := b.VerifyCredential([]byte(`"x"`), Asked{Now: time.Now()}); !errors.Is(err, ErrNoBundle) || v != nil {
			t.Errorf("credential: %v", err)
		}
		if v, err := b.VerifyPresentation([]byte(`"x"`), Asked{Now: time.Now(), Challenge: "c", Domain: "d"}); !errors.Is(err, ErrNoBundle) || v != nil {
			t.Errorf("presentation: %v", err)
		}
	}
	b := &Bundle{Trust: &vc.TrustList{IssuedAt: time.Now()}, CreatedAt: time.Now()}
	if v, err := b.VerifyCredential([]byte(`"x"`), Asked{}); err == nil || v != nil {
		t.Error("verified at no time")
	}
	for _, a := range []Asked{{Now: time.Now().Add(time.Second)}, {Now: time.Now().Add(time.Second), Challenge: "c"}, {Now: time.Now().Add(time.Second), Domain: "d"}} {
		if v, err := b.VerifyPresentation([]byte(`"x"`), a); !errors.Is(err, vc.ErrPolicy) || v != nil {
			t.Errorf("without challenge and domain: %v", err)
		}
	}
}

// Every trust in a type is earned: what claims several things is none of them.
func TestTypeOf(t *testing.T) {
	for _, x := range []struct {
		types []string
		want  string
	}{
		{[]string{vc.TypeCredential, vc.TypeBirth}, vc.TypeBirth}, {[]string{vc.TypeBirth, vc.TypeCredential}, vc.TypeBirth},
		{[]string{vc.TypeCredential}, ""}, {nil, ""}, {[]string{vc.TypeBirth}, ""}, {[]string{vc.TypeBirth, vc.TypeGuardianship}, ""},
		{[]string{vc.TypeCredential, vc.TypeCredential}, ""}, {[]string{vc.TypeCredential, vc.TypeBirth, vc.TypeGuardianship}, ""},
	} {
		if got := typeOf(&vc.Verified{Types: x.types}); got != x.want {
			t.Errorf("%v: %q", x.types, got)
		}
	}
	for vct, want := range map[string]string{vc.VctBirth: vc.TypeBirth, vc.VctGuardianship: vc.TypeGuardianship, "": "", vc.TypeBirth: "", vc.VctBirth + "0": ""} {
		if got := typeOf(&vc.Verified{Types: []string{vc.TypeCredential, vc.TypeBirth}, SDJWT: &vc.SDJWTVC{Type: vct}}); got != want {
			t.Errorf("%s: %q", vct, got)
		}
	}
}
