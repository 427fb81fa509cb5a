package policy

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/kinpass/kinpass/internal/vc"
)

// source gives numbers from bytes, and zeros when they are used up.
type source struct{ data []byte }

func (s *source) below(n int) int {
	if len(s.data) == 0 {
		return 0
	}
	b := s.data[0]
	s.data = s.data[1:]
	return int(b) % n
}

func (s *source) yes() bool { return s.below(2) == 1 }

func oneOf[T any](s *source, list ...T) T { return list[s.below(len(list))] }

func some[T any](s *source, list []T) []T {
	var out []T
	for range s.below(3) {
		out = append(out, oneOf(s, list...))
	}
	return out
}

// known makes a situation in which every fact that an officer can enter is
// known. It need not make sense.
func known(s *source) Situation {
	day := CaseDay
	countries := []string{"BRA", "ZAF", "GBR", "PRT", "UTO", "XXA"}
	x := Situation{Direction: oneOf(s, Exit, Entry), Country: oneOf(s, countries...), Other: oneOf(s, countries...), Day: day,
		ReturnBy: day.AddDays(s.below(80) - 5), Age: s.below(19), ChildNationality: oneOf(s, countries...), Residence: oneOf(s, countries...),
		CompanionNationality: oneOf(s, countries...), CompanionResidence: oneOf(s, countries...),
		ResidenceProof: addMonths(day, -s.below(40)), Company: oneOf(s, Alone, ThirdParty, Group, Some, All), CompanionNamed: s.yes(),
		CompanionAdult: oneOf(s, Yes, No), CompanionParent: oneOf(s, Yes, No), Guardians: s.below(5), Here: s.below(4), Assumed: s.yes(),
		Sole: s.below(5) == 1, Independent: s.below(4) == 1, Bases: some(s, bases), Roles: some(s, roles), MaxAbsenceDays: oneOf(s, 0, 0, 0, 10, 30),
		BirthShown: s.below(4) != 1, Purpose: oneOf(s, purpose.words...), Relocation: s.below(4) == 1}
	for range s.below(4) {
		x.Parents = append(x.Parents, Parent{oneOf(s, parental...), oneOf(s, statuses...)})
	}
	for range s.below(4) {
		x.Consents = append(x.Consents, Consent{Grantors: s.below(3), Level: oneOf(s, levels...), Court: s.below(8) == 1,
			GrantedOn: addMonths(day, -s.below(30)), Ends: s.yes(), Relocation: s.yes()})
	}
	x.Receiver = Receiver{Name: s.yes(), Address: s.yes(), Contact: s.yes(), Document: s.yes(), Verified: s.below(5) == 1}
	return x
}

// forget blanks some of the facts.
func forget(s *source, x Situation) Situation {
	for _, blank := range []func(){
		func() { x.Other = "" }, func() { x.ReturnBy = vc.Date{} }, func() { x.ChildNationality = "" }, func() { x.Residence = "" },
		func() { x.CompanionNationality = "" }, func() { x.CompanionResidence = "" }, func() { x.ResidenceProof = vc.Date{} },
		func() { x.CompanionAdult = Unknown }, func() { x.CompanionParent = Unknown }, func() { x.BirthShown = false },
	} {
		if s.yes() {
			blank()
		}
	}
	return x
}

func weigh(r Result) int { return map[string]int{"green": 0, "amber": 1, "red": 2}[colourOf(r)] }

// tried are the policies that the properties are held for.
func tried(t testing.TB) []*Policy {
	t.Helper()
	p, err := Parse([]byte(plain))
	if err != nil {
		t.Fatal(err)
	}
	return append(Shipped(), p)
}

// consented reports whether anybody agreed to the journey.
func consented(x *Situation) bool {
	return slices.ContainsFunc(x.Consents, func(c Consent) bool { return c.Court || c.Grantors > 0 })
}

// holdFloors: what no policy can lower, whatever it says.
func holdFloors(t *testing.T, p *Policy, x Situation) {
	t.Helper()
	if x.Age >= 15 { // the least age of majority that a policy may name
		return
	}
	r := p.Evaluate(x)
	nobody := x.Company < Some || x.Here < 1
	if nobody && !consented(&x) && weigh(r) != 2 {
		t.Errorf("%s: nobody agreed and nobody is there: %v\n%+v", p.ID, r, x)
	}
	court := slices.ContainsFunc(x.Consents, func(c Consent) bool { return c.Court })
	if nobody && !court && x.Guardians > len(x.Parents) {
		agreed := 0
		for _, c := range x.Consents {
			agreed += max(0, c.Grantors)
		}
		if agreed < x.Guardians && weigh(r) != 2 {
			t.Errorf("%s: %d of %d agreed and nobody is there: %v\n%+v", p.ID, agreed, x.Guardians, r, x)
		}
	}
}

// holdUnknown: what is unknown is never better than any way to fill it in.
func holdUnknown(t *testing.T, p *Policy, full, blank Situation) {
	t.Helper()
	f, b := p.Evaluate(full), p.Evaluate(blank)
	if weigh(b) < weigh(f) || f.HighRisk && !b.HighRisk {
		t.Errorf("%s: not to know is better\nknown   %v %+v\nunknown %v %+v", p.ID, f, full, b, blank)
	}
	if len(b.Ask) > 0 && len(b.Findings) == 0 {
		t.Errorf("%s asks for %v and finds nothing", p.ID, b.Ask)
	}
	for _, w := range b.Ask {
		if slices.Contains(f.Ask, w) {
			t.Errorf("%s asks for %s, which is known\n%+v", p.ID, w, full)
		}
	}
	codesInOrder(t, f)
	codesInOrder(t, b)
}

func codesInOrder(t *testing.T, r Result) {
	t.Helper()
	last := -1
	for _, f := range r.Findings {
		i := slices.Index(codes, f.Code)
		if i <= last {
			t.Errorf("codes twice or out of order: %v", r.Findings)
		}
		last = i
	}
}

// holdConsents: a consent that is in order, more never worse, less never
// better; a higher level never worse.
func holdConsents(t *testing.T, p *Policy, x Situation, s *source) {
	t.Helper()
	before := p.Evaluate(x)
	more := x
	fresh := Consent{Grantors: s.below(3), Level: oneOf(s, levels...), GrantedOn: x.Day, Ends: true, Relocation: true, Court: s.below(6) == 1}
	more.Consents = append(slices.Clone(x.Consents), fresh)
	if after := p.Evaluate(more); weigh(after) > weigh(before) {
		t.Errorf("%s: worse with %+v\n%v\n%v\n%+v", p.ID, fresh, before, after, x)
	}
	for i, c := range x.Consents {
		raised := x
		raised.Consents = slices.Clone(x.Consents)
		raised.Consents[i].Level = levels[min(len(levels)-1, vc.LevelRank(c.Level)+1+s.below(2))]
		if after := p.Evaluate(raised); weigh(after) > weigh(before) {
			t.Errorf("%s: worse at a higher level\n%v\n%v\n%+v", p.ID, before, after, x)
		}
	}
}

// TestProperties holds floors, unknown facts and consents for random
// situations.
func TestProperties(t *testing.T) {
	seed := uint64(1)
	r := rand.New(rand.NewPCG(seed, 4))
	policies := tried(t)
	colours := map[string]int{}
	for range 5_000 {
		data := make([]byte, 100)
		for i := range data {
			data[i] = byte(r.Uint32())
		}
		s := &source{data}
		full := known(s)
		blank := forget(s, full)
		for _, p := range policies {
			colours[colourOf(p.Evaluate(full))]++
			holdFloors(t, p, full)
			holdFloors(t, p, blank)
			holdUnknown(t, p, full, blank)
			holdConsents(t, p, full, s)
			holdConsents(t, p, blank, s)
		}
		if t.Failed() {
			t.Fatalf("with seed %d", seed)
		}
	}
	for _, c := range []string{"green", "amber", "red"} {
		if colours[c] < 500 {
			t.Errorf("only %d situations are %s: the test sees too little", colours[c], c)
		}
	}
}

// TestAskHelps: every fact that Ask names, filled in the right way, together
// with the others, makes the result better.
func TestAskHelps(t *testing.T) {
	for _, p := range Shipped() {
		if p.ID != "BRA-131-2011" && p.ID != "GBR-exit" {
			continue
		}
		s := aunt()
		s.Country, s.ChildNationality, s.Residence, s.CompanionNationality, s.CompanionResidence, s.CompanionAdult = p.Country, "", "", "", "", Unknown
		s.ReturnBy = vc.Date{}
		s.Consents = []Consent{{Grantors: 2, Level: "notarised", GrantedOn: s.Day, Ends: true}}
		want := map[string][]string{"GBR-exit": {"adultDocument"}, "BRA-131-2011": {"childNationality", "companionNationality", "companionResidence", "adultDocument"}}[p.ID]
		r := p.Evaluate(s)
		for _, w := range want {
			if !slices.Contains(r.Ask, w) {
				t.Errorf("%s does not ask for %s: %v", p.ID, w, r)
			}
		}
		s.ChildNationality, s.Residence, s.CompanionNationality, s.CompanionResidence, s.CompanionAdult = p.Country, p.Country, p.Country, p.Country, Yes
		if r := p.Evaluate(s); len(r.Findings) != 0 || len(r.Ask) != 0 {
			t.Errorf("%s: all is known and in order: %v", p.ID, r)
		}
		s.Consents, s.CompanionNationality = nil, ""
		if r := p.Evaluate(s); len(r.Ask) != 0 {
			t.Errorf("%s asks what would not help: %v", p.ID, r)
		}
	}
}

func FuzzEvaluate(f *testing.F) {
	for _, b := range [][]byte{nil, []byte("a class with a teacher"), bytes.Repeat([]byte{1}, 100), bytes.Repeat([]byte{255}, 100)} {
		f.Add(b)
	}
	policies := tried(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		s := &source{data}
		full := known(s)
		blank := forget(s, full)
		for _, p := range policies {
			holdFloors(t, p, full)
			holdUnknown(t, p, full, blank)
			holdConsents(t, p, blank, s)
		}
		// Numbers that no check would write.
		full.Here, full.Guardians, full.Age, full.MaxAbsenceDays = full.Here-2, full.Guardians-3, full.Age-20, -5
		full.Day = vc.Date{}
		if len(full.Consents) > 0 {
			full.Consents[0].Grantors = -3
		}
		for _, p := range policies {
			holdFloors(t, p, full)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(plain))
	for _, b := range ShippedFiles() {
		f.Add(b)
	}
	f.Add([]byte(`{}`))
	f.Add([]byte(strings.Replace(plain, `"need":[]`, `"need":null`, 1)))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Parse(data)
		if err != nil {
			if p != nil {
				t.Error("a policy with an error")
			}
			return
		}
		again, err := Parse(p.Raw())
		if err != nil || !bytes.Equal(again.Raw(), p.Raw()) {
			t.Fatalf("what goes into a bundle is not what was read: %v", err)
		}
		s := &source{data}
		full := known(s)
		blank := forget(s, full)
		holdFloors(t, p, full)
		holdUnknown(t, p, full, blank)
		holdConsents(t, p, blank, s)
		x := aunt()
		if weigh(p.Evaluate(x)) != 2 {
			t.Error("a policy lets a child go with nobody's consent")
		}
		x.Consents = []Consent{{Grantors: 1, Level: "judicial", GrantedOn: x.Day, Ends: true}}
		if weigh(p.Evaluate(x)) != 2 {
			t.Error("a policy lets a child go with half of the consents")
		}
	})
}
