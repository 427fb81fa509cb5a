package verifier

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/policy"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/internal/trust"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/verifier/check"
)

// registry is an office that also keeps the status of travel consents.
func (w *world) registry() *office {
	yes := true
	return w.enter(trust.Entry{Name: "Registry", Role: vc.RoleRegistrar, Types: trust.DefaultTypes(vc.RoleRegistrar), ConsentStatus: &yes})
}

// journey is a child's papers for a journey with a class: the birth credential,
// and the consent of mother and father that a notary witnessed, naming the
// teacher.
type journey struct {
	birth, consent string
	index          int64 // of the mother's place on the status lists
}

func (w *world) journey(registry, notary *office, n int, change func(*vc.TravelConsent)) journey {
	w.t.Helper()
	birth, _, _ := registry.pupil(n)
	teacher := w.holder("teacher")
	consent := &vc.TravelConsent{ChildRef: fmt.Sprintf("AAAAAAAAAAAAAAAAAAAA%02d", n), Mode: vc.ModeGroup,
		Accompanying: []vc.Companion{{Names: []vc.Name{{Kind: "legal", Script: "Latn", Full: "Tina Teacher", MRZ: &vc.MRZ{Primary: "TEACHER", Secondary: "TINA"}}},
			BirthDate: &vc.UncertainDate{Value: "1980-01-01", Precision: "day", Basis: "documentary"}, Key: did.Base(teacher.KID), Relation: "teacher"}},
		Trip: vc.Trip{DepartFrom: "UGA", Destinations: []string{"KEN"}, NotBefore: "2026-11-15", NotAfter: "2026-12-15", ReturnBy: "2026-12-01",
			Crossings: 2, Purpose: "schoolTrip"},
		Assurance: vc.Assurance{Level: vc.LevelNotarised, Witness: notary.did, Reference: "deed"},
		Nonce:     fmt.Sprintf("class-journey-%08d", n), GrantedOn: "2026-11-10"}
	c := &vc.Credential{Context: []string{vc.ContextV2, vc.ContextKinpass}, ID: fmt.Sprintf("urn:uuid:00000000-0000-4000-9000-%012d", n),
		Type: []string{vc.TypeCredential, vc.TypeConsent}, Issuer: notary.did, ValidFrom: start.AddDate(0, 0, -3), ValidTo: start.AddDate(0, 1, 0),
		Schema: &vc.Schema{ID: vc.SchemaConsent, Type: "JsonSchema"}}
	out := journey{birth: birth}
	for i, parent := range []string{"mother", "father"} {
		consent.Grantors = append(consent.Grantors, vc.Grantor{Guardianship: fmt.Sprintf("urn:uuid:00000000-0000-4000-a000-%011d%d", n, i),
			Key: did.Base(w.holder(fmt.Sprintf("%s of %d", parent, n)).KID)})
		w.serial++
		if i == 0 {
			out.index = int64(w.serial)
		}
		for _, p := range []string{vc.PurposeRevocation, vc.PurposeSuspension} {
			c.Status = append(c.Status, vc.StatusEntry{Type: "BitstringStatusListEntry", Purpose: p, Index: fmt.Sprint(w.serial), List: registry.listURL(p)})
		}
	}
	if change != nil {
		change(consent)
	}
	c.Subject = asJSON(w.t, consent)
	out.consent = string(notary.sign(notary.signer, c))
	return out
}

// class is a verifier and the papers of so many pupils.
func (w *world) class(db *store.DB, n int) (v *Verifier, registry *office, papers []journey) {
	w.t.Helper()
	registry = w.registry()
	notary := w.enter(trust.Entry{Name: "Notary", Role: vc.RoleNotary, Types: trust.DefaultTypes(vc.RoleNotary)})
	w.signTrust()
	v = w.verifier(db)
	for i := range n {
		papers = append(papers, w.journey(registry, notary, i, nil))
	}
	if r := w.build(v); len(r.Problems) != 0 {
		w.t.Fatalf("%+v", r.Problems)
	}
	return v, registry, papers
}

// cross has the teacher show all papers at one counter and gives the decisions.
func (w *world) cross(v *Verifier, post string, papers []journey) Group {
	w.t.Helper()
	var shown []string
	for _, p := range papers {
		shown = append(shown, w.present("teacher", store.Random(16), p.birth, p.consent))
	}
	f := check.Facts{Confirm: []string{check.Portrait, check.Document}, Exit: "UGA", Entry: "KEN", Direction: "exit", Company: check.CompanyGroup,
		ReturnBy: mustDate(w.t, "2026-12-01"), ChildNationality: "UGA", Residence: "UGA", CompanionNationality: "UGA", CompanionResidence: "UGA",
		Post: post, AdultDocuments: []string{teacherPassport}}
	g, err := v.CheckGroup(context.Background(), shown, f)
	if err != nil {
		w.t.Fatal(err)
	}
	return g
}

// teacherPassport is made after the specimen of ICAO Doc 9303-4.
const teacherPassport = "P<UGATEACHER<<TINA<<<<<<<<<<<<<<<<<<<<<<<<<<\nT000000014UGA8001014F3001019<<<<<<<<<<<<<<<4"

func mustDate(t testing.TB, s string) vc.Date {
	t.Helper()
	d, err := vc.ParseDate(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// A class of twelve with its teacher: one session, twelve children, twelve
// decisions, and no signal that one adult brings many (domain table, S2): each
// child's guardians agreed to a journey with the group.
func TestClassOfTwelve(t *testing.T) {
	storetest.Each(t, "verifier", func(t *testing.T, db *store.DB) {
		w := newWorld(t)
		v, _, papers := w.class(db, 12)
		g := w.cross(v, "north-gate", papers)
		if len(g.Decisions) != 12 {
			t.Fatalf("%d decisions", len(g.Decisions))
		}
		for i, d := range g.Decisions {
			want := "PUPIL<<" + string(rune('A'+i))
			if d.Colour != check.Green || d.Child == nil || d.Child.Names[0] != want || !d.Has("OK") || d.Has("SIGNAL_2") {
				t.Errorf("%s: %v %v", want, d.Colour, d.Codes())
			}
			if len(d.Policies) != 2 || d.Policies[0].Direction != "exit" || d.Policies[1].Direction != "entry" || !strings.Contains(d.Policies[0].Label, "not legal advice") {
				t.Errorf("%s: policies %+v", want, d.Policies)
			}
			if d.Compare == nil || len(d.Compare.Adults) != 1 || d.Compare.Adults[0].Names[0] != "TEACHER<<TINA" {
				t.Errorf("%s: compare %+v", want, d.Compare)
			}
		}
		list := mustRecords(t, v)
		generic := fmt.Sprintf("%s/%d", policy.Generic().ID, policy.Generic().Version)
		for _, r := range list {
			if !slices.Equal(r.Codes, []string{"OK"}) || !slices.Equal(r.Policies, []string{generic}) || r.Bundle == "" || r.BundleAge != 0 || r.StatusAge != 0 {
				t.Errorf("record %+v", r)
			}
		}
		if len(list) != 12 {
			t.Fatalf("%d records", len(list))
		}
		text := everything(t, db)
		for _, s := range []string{"TEACHER", "PUPIL", "Tina", "class-journey", "AAAAAAAAAAAA", "north-gate", did.Base(w.holder("teacher").KID), "T00000001"} {
			if strings.Contains(text, s) {
				t.Errorf("the database holds %q", s)
			}
		}
	})
}

// One child of the class whose mother withdrew an hour ago, one whose consent
// names another teacher, one whose papers somebody altered: theirs alone are
// red, and the rest may pass.
func TestClassWithTrouble(t *testing.T) {
	w := newWorld(t)
	v, registry, papers := w.class(storetest.Open(t, store.SQLite, "verifier"), 5)
	if err := registry.bits[vc.PurposeRevocation].Set(papers[1].index); err != nil {
		t.Fatal(err)
	}
	notary := &office{w: w, did: w.list.Issuers[1].DID}
	notary.key = newKey(t, "credentials")
	notary.signer = notary.key.Signer(notary.did + "#key-1") // somebody signs in the notary's name
	papers[3].consent = string(w.journey(registry, notary, 3, nil).consent)
	papers[4].consent = ""
	w.wait(time.Hour)
	w.build(v)
	var shown []journey
	shown = append(shown, papers[:4]...)
	g := w.cross(v, "", shown)
	want := []string{"green", "red CONSENT_WITHDRAWN", "green", "red SIG_INVALID"}
	for i, d := range g.Decisions {
		colour, code, _ := strings.Cut(want[i], " ")
		if d.Colour.String() != colour || code != "" && !d.Has(code) {
			t.Errorf("child %d: %v %v, want %s", i, d.Colour, d.Codes(), want[i])
		}
	}
	if len(g.Decisions) != 4 {
		t.Fatalf("%d decisions", len(g.Decisions))
	}
	// Without the guardians' consent there is no authority.
	code := w.present("teacher", store.Random(16), papers[4].birth)
	f := confirmed
	f.Company = check.CompanyGroup
	one, err := v.CheckGroup(context.Background(), []string{code}, f)
	if err != nil || one.Decisions[0].Colour != check.Red {
		t.Errorf("no consent: %+v, %v", one, err)
	}
}

// A consent for two crossings: out, back, and not a third time, whichever
// replica counted the others and however often it was started anew. What was
// scanned twice at one counter is one crossing.
func TestThirdUseOfTwoCrossings(t *testing.T) {
	for _, engine := range []string{store.SQLite, store.Postgres} {
		t.Run(engine, func(t *testing.T) {
			w := newWorld(t)
			url := storetest.URL(t, engine, "verifier")
			v, _, papers := w.class(storetest.Reopen(t, url, "verifier"), 1)
			for i, want := range []string{"green", "green", "amber", "amber"} {
				d := w.cross(v, "north-gate", papers).Decisions[0]
				if d.Colour.String() != want || d.Has("CONSENT_REUSED") != (want == "amber") {
					t.Fatalf("crossing %d: %v %v", i+1, d.Colour, d.Codes())
				}
				w.wait(24 * time.Hour) // within the journey
				v = w.verifier(storetest.Reopen(t, url, "verifier"))
				w.build(v)
			}
			if d := w.cross(v, "south-gate", papers).Decisions[0]; d.Colour != check.Green {
				t.Errorf("another post counts for itself: %v %v", d.Colour, d.Codes())
			}
		})
	}
}
