package check

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/kinpass/kinpass/internal/vc"
)

// TestSignalInputs: the list of inputs is closed. Who wants another one changes
// this test, and then somebody asks what it may say about whom.
func TestSignalInputs(t *testing.T) {
	closed := map[string]reflect.Kind{
		"Children": reflect.Int, "MandateDays": reflect.Int, "Adopted": reflect.Bool, "Countersigned": reflect.Bool, "Late": reflect.Bool,
		"RegisteredDays": reflect.Int, "AgeMonths": reflect.Int, "Displaced": reflect.Bool, "StateGuardian": reflect.Bool, "Attempts": reflect.Int,
	}
	typ := reflect.TypeFor[signals]()
	for i := range typ.NumField() {
		f := typ.Field(i)
		kind, ok := closed[f.Name]
		if !ok || f.Type.Kind() != kind {
			t.Errorf("%s %s is not on the list", f.Name, f.Type)
		}
		delete(closed, f.Name)
		for _, never := range []string{"nation", "religion", "ethnic", "name", "sex", "gender", "country", "citizen", "language", "placeOf", "birth", "residence", "origin", "script", "doc"} {
			if strings.Contains(strings.ToLower(f.Name), strings.ToLower(never)) {
				t.Errorf("%s is no input", f.Name)
			}
		}
		// A number or a yes tells of no person; a text could.
		if k := f.Type.Kind(); k != reflect.Int && k != reflect.Bool {
			t.Errorf("%s is a %s", f.Name, k)
		}
	}
	for name := range closed {
		t.Errorf("%s is gone", name)
	}
	// Each method sees that type and nothing else.
	ptr := reflect.TypeFor[*signals]()
	for i := range ptr.NumMethod() {
		if m := ptr.Method(i); m.Type.NumIn() != 1 {
			t.Errorf("%s takes more", m.Name)
		}
	}
}

// TestSignalsSameForAll: names, sex, places and nationalities change no signal.
func TestSignalsSameForAll(t *testing.T) {
	run := func(change func(b *vc.Birth, g *vc.Guardianship, f *Facts)) []string {
		w := newWorld(t)
		f := newFamily(w)
		f.birth.Registration = vc.Registration{Number: "1", Date: "2026-11-01", Mode: "late"}
		g := f.mandate["mother"]
		g.LegalBasis.Type, g.Exercise, g.Effective.From = "courtOrder", vc.Exercise{Mode: "sole"}, "2026-11-10"
		facts := kenya
		change(f.birth, g, &facts)
		d, _, err := Check(w.present("mother", f.of("child"), f.of("mother")), w.bundle(), facts, History{}, now)
		if err != nil {
			t.Fatal(err)
		}
		return d.Codes()
	}
	base := run(func(*vc.Birth, *vc.Guardianship, *Facts) {})
	if !slices.Contains(base, CodeSignal3) || !slices.Contains(base, CodeSignal5) {
		t.Fatal(base)
	}
	for _, c := range []func(b *vc.Birth, g *vc.Guardianship, f *Facts){
		func(b *vc.Birth, _ *vc.Guardianship, _ *Facts) {
			b.Names[0].MRZ = &vc.MRZ{Primary: "ALRASHID", Secondary: "MOHAMMED"}
		},
		func(b *vc.Birth, _ *vc.Guardianship, _ *Facts) { b.Sex = 1 },
		func(b *vc.Birth, _ *vc.Guardianship, _ *Facts) { b.PlaceOfBirth.Country = "SYR" },
		func(_ *vc.Birth, g *vc.Guardianship, _ *Facts) {
			g.Guardian.Names[0].MRZ = &vc.MRZ{Primary: "COHEN", Secondary: "RUTH"}
		},
		func(_ *vc.Birth, g *vc.Guardianship, _ *Facts) { g.LegalBasis.Law = "SOM" },
		func(_ *vc.Birth, _ *vc.Guardianship, f *Facts) { f.ChildNationality, f.Residence = "AFG", "AFG" },
		func(_ *vc.Birth, _ *vc.Guardianship, f *Facts) {
			f.CompanionNationality, f.CompanionResidence = "ERI", "ERI"
		},
	} {
		if got := run(c); !slices.Equal(got, base) {
			t.Errorf("%v, want %v", got, base)
		}
	}
}

// TestSignalsAreAmber: no signal is ever worse, and each says that it proves
// nothing.
func TestSignalsAreAmber(t *testing.T) {
	n := 0
	for _, r := range Rules() {
		if !strings.HasPrefix(r.Code, "SIGNAL_") {
			continue
		}
		n++
		if r.Colour != Amber || len(r.Colours()) != 1 || !strings.Contains(r.Next, "proves nothing") {
			t.Errorf("%+v", r)
		}
	}
	if n != 4 {
		t.Errorf("%d signals", n)
	}
}

// TestGuards are the guards against false alarms of domain section 9.2.
func TestGuards(t *testing.T) {
	s := signals{MandateDays: 3}
	if !s.newPair() {
		t.Error("a new pair")
	}
	for _, g := range []signals{{MandateDays: 30}, {MandateDays: -1}, {MandateDays: 3, Adopted: true}, {MandateDays: 3, Countersigned: true}} {
		if g.newPair() {
			t.Errorf("%+v", g)
		}
	}
	if late := (signals{Late: true, RegisteredDays: 59, AgeMonths: 13}); !late.newRecord() {
		t.Error("a new record")
	}
	for _, g := range []signals{{RegisteredDays: 3, AgeMonths: 100}, {Late: true, RegisteredDays: 60, AgeMonths: 100}, {Late: true, RegisteredDays: 3, AgeMonths: 12},
		{Late: true, RegisteredDays: 3, AgeMonths: 100, Displaced: true, StateGuardian: true}} {
		if g.newRecord() {
			t.Errorf("%+v", g)
		}
	}
	if half := (signals{Late: true, RegisteredDays: 3, AgeMonths: 100, Displaced: true}); !half.newRecord() {
		t.Error("displaced, and nobody of the State stands behind it")
	}
	if (&signals{Children: 3}).manyUnrelated() || !(&signals{Children: 4}).manyUnrelated() || (&signals{Attempts: 1}).failedAgain() || !(&signals{Attempts: 2}).failedAgain() {
		t.Error("thresholds")
	}
}
