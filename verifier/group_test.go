package verifier

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/verifier/check"
)

// pupil gives the border credentials of the n-th child of a class and of the
// mother.
func (o *office) pupil(n int) (birth, mandate, mother string) {
	ref := fmt.Sprintf("AAAAAAAAAAAAAAAAAAAA%02d", n)
	mother = fmt.Sprintf("mother of %d", n)
	birth, _ = o.issue(vc.TypeBirth, vc.SchemaBirthBorder, &vc.Birth{ChildRef: ref, RecordVersion: 1, Circumstance: "ordinary",
		Names:     []vc.Name{{Kind: "legal", Script: "Latn", MRZ: &vc.MRZ{Primary: "PUPIL", Secondary: string(rune('A' + n))}}},
		BirthDate: vc.UncertainDate{Value: "2016-05-04", Precision: "day"}, Sex: n % 3, PlaceOfBirth: vc.Place{Country: "UGA"},
		Parentage:    []vc.Parent{{Role: "mother", Status: "known"}, {Role: "father", Status: "known"}},
		Registration: vc.Registration{Number: fmt.Sprintf("UGA-2016-%d", n), Date: "2016-05-20", Mode: "timely"}})
	mandate, _ = o.issue(vc.TypeGuardianship, vc.SchemaGuardBorder, &vc.Guardianship{ID: did.Base(o.w.holder(mother).KID), Guardian: vc.Guardian{Kind: "naturalPerson",
		Names: []vc.Name{{Kind: "legal", Script: "Latn", MRZ: &vc.MRZ{Primary: "PARENT", Secondary: string(rune('A' + n))}}}},
		Ward: vc.Ward{ChildRef: ref}, Role: "mother", LegalBasis: vc.LegalBasis{Type: "parentalResponsibilityByBirth", Law: "UGA"},
		Powers: []string{"travelAccompany", "travelConsent"}, Exercise: vc.Exercise{Mode: "independent", CoGuardianCount: 2},
		Effective: vc.Effective{From: "2016-05-04"}, Termination: vc.Termination{MajorityAge: 18, MajorityLaw: "UGA"}})
	return birth, mandate, mother
}

// One session is one encounter: a decision and a record for each child, however
// many holders show it, and the whole of it counts as used once.
func TestGroupOfFamilies(t *testing.T) {
	storetest.Each(t, "verifier", func(t *testing.T, db *store.DB) {
		ctx := context.Background()
		w := newWorld(t)
		o := w.office()
		w.signTrust()
		v := w.verifier(db)
		w.build(v)
		var shown []string
		for n := range 3 {
			birth, mandate, mother := o.pupil(n)
			shown = append(shown, w.present(mother, store.Random(16), birth, mandate))
		}
		birth, mandate, mother := o.pupil(0)
		again := w.present(mother, store.Random(16), birth, mandate) // the first child once more
		f := confirmed
		g, err := v.CheckGroup(ctx, []string{shown[0], shown[1], again, "not a code", shown[2]}, f)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, d := range g.Decisions {
			name := "nobody"
			if d.Child != nil {
				name = d.Child.Names[0]
			}
			got = append(got, name+" "+d.Colour.String())
			if d.Session != g.Session || d.ID == "" || g.Session == "" {
				t.Errorf("%+v", d)
			}
		}
		if want := []string{"PUPIL<<A green", "PUPIL<<B green", "nobody amber", "PUPIL<<C green"}; !slices.Equal(got, want) {
			t.Fatalf("%v, want %v", got, want)
		}
		list := mustRecords(t, v)
		if len(list) != 4 {
			t.Fatalf("%d records", len(list))
		}
		for _, d := range g.Decisions {
			if !slices.ContainsFunc(list, func(r Record) bool { return r.ID == d.ID && r.Colour == d.Colour.String() }) {
				t.Error("a decision has no record")
			}
		}
		// The rest of the group in a second request.
		f.Session = g.Session
		if g, err = v.CheckGroup(ctx, shown, f); err != nil || len(g.Decisions) != 3 || g.Decisions[0].Colour != check.Green {
			t.Fatalf("the same session: %+v, %v", g, err)
		}
		f.Session = ""
		if g, err = v.CheckGroup(ctx, shown[:2], f); err != nil || !g.Decisions[0].Has("PRESENTATION_REPEATED") || !g.Decisions[1].Has("PRESENTATION_REPEATED") {
			t.Fatalf("another session: %+v, %v", g, err)
		}
		f.Session = "elsewhere"
		if r, err := v.Check(ctx, shown[2:], f); err != nil || !r.Has("PRESENTATION_REPEATED") {
			t.Fatalf("alone in another session: %+v, %v", r, err)
		}
		for name, shown := range map[string][]string{"nobody": nil, "a village": make([]string, 61)} {
			if _, err := v.CheckGroup(ctx, shown, f); !strings.Contains(fmt.Sprint(err), "presentations-count") {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// Two counters that check one class from both ends at the same moment: neither
// waits for the other for ever, and each child is new at one of them.
func TestGroupsThatOverlap(t *testing.T) {
	storetest.Each(t, "verifier", func(t *testing.T, db *store.DB) {
		w := newWorld(t)
		o := w.office()
		w.signTrust()
		a, b := w.verifier(db), w.verifier(db)
		w.build(a)
		var shown []string
		for n := range 8 {
			birth, mandate, mother := o.pupil(n)
			shown = append(shown, w.present(mother, store.Random(16), birth, mandate))
		}
		back := slices.Clone(shown)
		slices.Reverse(back)
		var mu sync.Mutex
		green := map[string]int{}
		var wg sync.WaitGroup
		for i := range 6 {
			v, order := a, shown
			if i%2 == 1 {
				v, order = b, back
			}
			wg.Go(func() {
				g, err := v.CheckGroup(context.Background(), order, confirmed)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				for _, d := range g.Decisions {
					if d.Colour == check.Green {
						green[d.Child.Names[0]]++
					} else if !d.Has("PRESENTATION_REPEATED") {
						t.Errorf("%v", d.Codes())
					}
				}
			})
		}
		wg.Wait()
		for name, n := range green {
			if n != 1 {
				t.Errorf("%s was new at %d counters", name, n)
			}
		}
		if len(green) != 8 {
			t.Errorf("%d of 8 children were new somewhere", len(green))
		}
	})
}
