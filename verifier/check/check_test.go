package check

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/vc"
)

func TestZero(t *testing.T) {
	var d Decision
	if d.Colour != Amber || d.Has(CodeOK) || len(d.Codes()) != 0 || d.Colour.String() != "amber" {
		t.Errorf("the zero decision is %s", d.Colour)
	}
	for _, c := range []Colour{-1, 4, 99} {
		if c.String() != "amber" {
			t.Errorf("colour %d is %s", c, c)
		}
	}
	// Nothing at all decides nothing.
	for _, b := range []*Bundle{nil, {}} {
		d, h, err := Check("KP1:", b, Facts{}, History{}, now)
		if !errors.Is(err, ErrNoBundle) || d.Colour != Amber || d.Reasons != nil || h.Seen != nil {
			t.Errorf("%v %v %v", d, h, err)
		}
	}
	// A bundle without anything in it gives nothing green.
	w := newWorld(t)
	d, _, err := Check(goodFamily(w), &Bundle{Trust: &vc.TrustList{}}, Facts{}, History{}, now)
	if err != nil || d.Colour == Green || d.Child != nil {
		t.Errorf("%v %v", d.Codes(), err)
	}
	// Nor does a clock at zero.
	if d, _, err = Check(goodFamily(w), w.bundle(), Facts{}, History{}, time.Time{}); err != nil || d.Colour == Green || d.Colour == Info {
		t.Errorf("%v %v", d.Codes(), err)
	}
	var l likeness
	if l == same || l == partly {
		t.Error("the zero likeness fits")
	}
}

func TestFactsRefused(t *testing.T) {
	w := newWorld(t)
	text, b := goodFamily(w), w.bundle()
	many := make([]string, maxOthers+1)
	for _, f := range []Facts{
		{Confirm: []string{"portrai"}}, {Confirm: []string{""}}, {Deny: []string{"Portrait"}}, {Confirm: []string{Portrait, "photo"}},
		{Exit: "UG"}, {Entry: "uga"}, {Entry: "UGAN"}, {ChildNationality: "U1A"}, {Residence: "  A"}, {CompanionResidence: "Ä"},
		{Others: many}, {AdultDocuments: many},
	} {
		h := History{Seen: []Seen{{Hash: "x", Until: now.Add(time.Hour)}}}
		d, back, err := Check(text, b, f, h, now)
		if !errors.Is(err, ErrFacts) || d.Colour != Amber || d.Reasons != nil || d.Child != nil || len(back.Seen) != 1 {
			t.Errorf("%+v: %v %v", f, d, err)
		}
		if err != nil && (strings.Contains(err.Error(), "portrai ") || strings.Contains(err.Error(), "photo")) {
			t.Errorf("the error repeats its input: %v", err)
		}
	}
}

func TestHistory(t *testing.T) {
	w := newWorld(t)
	b := w.bundle()
	text, other := goodFamily(w), goodFamily(w)
	check := func(text, session string, h History, at time.Duration) (Decision, History) {
		t.Helper()
		d, h, err := Check(text, b, Facts{Session: session}, h, now.Add(at))
		if err != nil {
			t.Fatal(err)
		}
		return d, h
	}
	d, first := check(text, "a", History{}, 0)
	if d.Colour != Green || len(first.Seen) != 1 {
		t.Fatalf("%v %v", d.Codes(), first)
	}
	// The same session may look again.
	if d, _ = check(text, "a", first, time.Minute); d.Colour != Green {
		t.Errorf("again in one session: %v", d.Codes())
	}
	// Another may not, nor may a check without a session.
	d, second := check(text, "b", first, time.Minute)
	if d.Colour != Amber || !slices.Equal(d.Codes(), []string{CodePresentationRepeated}) {
		t.Errorf("another session: %v", d.Codes())
	}
	if d, _ = check(text, "", first, time.Minute); !d.Has(CodePresentationRepeated) {
		t.Errorf("no session: %v", d.Codes())
	}
	if _, h := check(text, "", History{}, 0); true {
		if d, _ = check(text, "", h, 0); !d.Has(CodePresentationRepeated) {
			t.Errorf("twice without a session: %v", d.Codes())
		}
	}
	// Once two sessions saw it, neither has it for itself.
	if d, _ = check(text, "a", second, time.Minute); !d.Has(CodePresentationRepeated) {
		t.Errorf("after two sessions: %v", d.Codes())
	}
	// Another presentation is another presentation.
	if d, _ = check(other, "b", first, 0); d.Colour != Green {
		t.Errorf("another presentation: %v", d.Codes())
	}
	// The history that was passed in did not change.
	if len(first.Seen) != 1 || len(second.Seen) != 2 {
		t.Errorf("%v %v", first, second)
	}
	// What expired is forgotten, and what is expired is not remembered.
	if _, h := check(other, "c", second, 321*time.Second); len(h.Seen) != 0 {
		t.Errorf("remembered %d", len(h.Seen))
	}
	// Nothing of a presentation whose signature does not hold is remembered.
	if _, h := check(corrupt(vp(func(*vc.Presentation) {})(w), 2), "c", History{}, 0); len(h.Seen) != 0 {
		t.Error("remembered a forged presentation")
	}
	// One that is dated years ahead cannot fill the memory for years.
	far := vp(func(p *vc.Presentation) { p.IssuedAt, p.Expires = now.Unix()+1e8, now.Unix()+1e8+300 })(w)
	if d, h := check(far, "c", History{}, 0); len(h.Seen) != 0 || !d.Has(CodeDeviceClock) {
		t.Errorf("remembered %v, %v", h.Seen, d.Codes())
	}
	// A thief's own presentation with the mother's nonce burns nothing of hers.
	nonce := "0123456789012345678901"
	hers := vp(func(p *vc.Presentation) { p.Nonce = nonce })(w)
	his := w.presentWith("thief", func(p *vc.Presentation) { p.Nonce = nonce })
	_, h := check(his, "x", History{}, 0)
	if d, _ = check(hers, "y", h, 0); d.Colour != Green {
		t.Errorf("burnt: %v", d.Codes())
	}
	// It survives being stored.
	stored, err := json.Marshal(first)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(stored), "nonce-") || strings.Contains(string(stored), "did:") {
		t.Errorf("the history tells who: %s", stored)
	}
	var back History
	if err := json.Unmarshal(stored, &back); err != nil {
		t.Fatal(err)
	}
	if d, _ = check(text, "b", back, 0); !d.Has(CodePresentationRepeated) {
		t.Errorf("after storing: %v", d.Codes())
	}
}

// TestRandomCombinations puts random findings together: all are listed, in the
// order of the table, and the worst colour wins.
func TestRandomCombinations(t *testing.T) {
	type scene struct {
		w        *world
		birth    *vc.Birth
		mandate  *vc.Guardianship
		envelope *vc.Credential
		vp       *vc.Presentation
		facts    Facts
	}
	limit := func(s *scene) *vc.Constraints {
		if s.mandate.Constraints == nil {
			s.mandate.Constraints = &vc.Constraints{}
		}
		return s.mandate.Constraints
	}
	// early changes what is signed; late changes the envelope and after.
	findings := []struct {
		code        string
		early, late func(*scene)
	}{
		{code: CodeStatusRevoked, late: func(s *scene) { s.w.set(vc.PurposeRevocation, 2) }},
		{code: CodeStatusSuspended, late: func(s *scene) { s.w.set(vc.PurposeSuspension, 2) }},
		{code: CodeCredExpiredRecent, late: func(s *scene) { s.envelope.ValidTo = now.Add(-time.Hour) }},
		{code: CodeCredExpired, early: func(s *scene) { s.mandate.Effective.Until = "2026-11-01" }},
		{code: CodeStatusUnknown, late: func(s *scene) {
			s.envelope.Status = append(s.envelope.Status, vc.StatusEntry{Type: "BitstringStatusListEntry", Purpose: "revocation", Index: "1", List: "x"})
		}},
		{code: CodeHolderBindingFailed, late: func(s *scene) { s.vp.Audience = "other" }},
		{code: CodeChildMismatch, late: func(s *scene) { s.facts.Deny = append(s.facts.Deny, Portrait) }},
		{code: CodePortraitStale, early: func(s *scene) { s.birth.Portrait.RecaptureBy = "2020-01-01" }},
		{code: CodeDocUnreadable, late: func(s *scene) { s.facts.AdultDocuments = append(s.facts.AdultDocuments, annaSpoiled) }},
		{code: CodeDocNamePartial, late: func(s *scene) {
			s.facts.AdultDocuments = append(s.facts.AdultDocuments, zone("UTO", "ERIKSSON", "ANNA<MARIA", "X1234567"))
		}},
		{code: CodeDocNameMismatch, late: func(s *scene) { s.facts.Deny = append(s.facts.Deny, Document) }},
		{code: CodeAgeUncertainTreatAsChild, early: func(s *scene) { s.birth.BirthDate = vc.UncertainDate{Precision: "unknown"} }},
		{code: CodePowerMissing, early: func(s *scene) { s.mandate.Powers = []string{"education"} }},
		{code: CodeBasisProvisional, early: func(s *scene) { s.mandate.LegalBasis.Finality = "urgent" }},
		{code: CodeExitProhibited, early: func(s *scene) { limit(s).NoRemoval = true }},
		{code: CodeDestUnknown, early: func(s *scene) { limit(s).AllowedCountries = []string{"KEN"} }},
		{code: CodeAbsenceTooLong, early: func(s *scene) { limit(s).MaxAbsenceDays = 3 }},
		{code: CodeMandateConditions, early: func(s *scene) { limit(s).Supervised = true }},
		{code: CodeDeviceClock, late: func(s *scene) { s.facts.LastTrustedTime = now.Add(-time.Hour) }},
		{code: CodePolicyStale, late: func(s *scene) { s.w.trust.Next = now.Add(-time.Hour) }},
	}
	colours := map[Colour]int{}
	for seed := range uint64(150) {
		r := rand.New(rand.NewPCG(seed, 1))
		w := newWorld(t)
		s := &scene{w: w, birth: w.birth(), mandate: w.mandate("mother")}
		var chosen []int
		for range r.IntN(5) {
			if i := r.IntN(len(findings)); !slices.Contains(chosen, i) {
				chosen = append(chosen, i)
			}
		}
		var want []string
		for _, i := range chosen {
			want = append(want, findings[i].code)
			if f := findings[i].early; f != nil {
				f(s)
			}
		}
		birth := w.issue(s.birth)
		s.envelope = w.envelope(vc.RoleRegistrar, s.mandate)
		s.vp = w.presentation("mother")
		for _, i := range chosen {
			if f := findings[i].late; f != nil {
				f(s)
			}
		}
		mandate := w.sign(w.office[vc.RoleRegistrar], vc.TypCredential, s.envelope)
		s.vp.Credentials = []vc.Enveloped{vc.Envelop(birth), vc.Envelop(mandate)}
		d, _, err := Check(w.sign(w.holder["mother"], vc.TypPresentation, s.vp), w.bundle(), s.facts, History{}, now)
		if err != nil {
			t.Fatal(err)
		}
		wellFormed(t, d)
		got := slices.DeleteFunc(d.Codes(), func(c string) bool { return c == CodeOK })
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("seed %d: got %v, want %v", seed, got, want)
		}
		colours[d.Colour]++
	}
	for _, c := range []Colour{Green, Amber, Red} {
		if colours[c] < 10 {
			t.Errorf("only %d %s decisions", colours[c], c)
		}
	}
}

func TestDecisionJSON(t *testing.T) {
	w := newWorld(t)
	d, _, err := Check(goodFamily(w), w.bundle(), Facts{}, History{}, now)
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	policy := func(side string) string {
		return `{"id":"GENERIC","version":1,"label":"Every country without a policy of its own (illustrative, not legal advice)","country":"","direction":"` + side + `","colour":"green","codes":[]}`
	}
	want := `{"colour":"green","reasons":[{"code":"OK","colour":"green","text":"Papers and mandate are in order.","next":"Let them pass. Still observe the child."}],` +
		`"lines":["Papers and mandate are in order."],"next":"Let them pass. Still observe the child.",` +
		`"child":{"names":["OKELLO\u003c\u003cAMINA"],"birthDate":"2018-05-04","sex":2},"bundle":{"id":"bundle-1","ageSeconds":3600},"statusAgeSeconds":3600,` +
		`"policies":[` + policy("exit") + `,` + policy("entry") + `],"compare":{"portrait":true,"names":["OKELLO\u003c\u003cAMINA"],"twins":0,"adults":[{"names":["ERIKSSON\u003c\u003cANNA\u003cMARIA"],"role":"mother"}]},"ask":[]}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	var back Decision
	if err := json.Unmarshal(got, &back); err != nil || back.Colour != Green {
		t.Errorf("%v %v", back.Colour, err)
	}
	for _, bad := range []string{`{"colour":"GREEN"}`, `{"colour":"blue"}`, `{"colour":""}`} {
		var d Decision
		if err := json.Unmarshal([]byte(bad), &d); err == nil || d.Colour != Amber {
			t.Errorf("%s: %v %v", bad, d.Colour, err)
		}
	}
	d, _, err = Check("", w.bundle(), Facts{}, History{}, now)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := json.Marshal(d); !strings.Contains(string(got), `"child":null`) || !strings.Contains(string(got), `"statusAgeSeconds":-1`) {
		t.Errorf("%s", got)
	}
}

// TestStatusAge: by the oldest list used, not by the bundle.
func TestStatusAge(t *testing.T) {
	w := newWorld(t)
	p := w.payload()
	suspension := shelf(vc.RoleRegistrar) + "/status/suspension/1"
	p.StatusLists[1] = w.list(suspension, w.lists[suspension], now.Add(-30*time.Hour))
	d, _, err := Check(goodFamily(w), w.open(p), Facts{}, History{}, now)
	if err != nil || d.StatusAgeSeconds != 30*3600 || d.Bundle.AgeSeconds != 3600 || !slices.Equal(d.Codes(), []string{CodeStatusStale}) {
		t.Errorf("%d %d %v %v", d.StatusAgeSeconds, d.Bundle.AgeSeconds, d.Codes(), err)
	}
	// An old list of another issuer does not matter.
	p = w.payload()
	court := shelf(vc.RoleCourt) + "/status/suspension/1"
	p.StatusLists[3] = w.list(court, w.lists[court], now.Add(-300*time.Hour))
	d, _, err = Check(goodFamily(w), w.open(p), Facts{}, History{}, now)
	if err != nil || d.StatusAgeSeconds != 3600 || d.Colour != Green {
		t.Errorf("%d %v %v", d.StatusAgeSeconds, d.Codes(), err)
	}
}

// TestOneReasonForAnAge: rows 10 to 12 of the table have no gap and no overlap, also
// where a list ends with its seventh day, as they do here: then it does not answer.
func TestOneReasonForAnAge(t *testing.T) {
	w := newWorld(t)
	family := []string{w.issue(w.birth()), w.issue(w.mandate("mother"))}
	b := w.bundle()
	for _, c := range []struct {
		age  time.Duration
		want string
	}{{24 * time.Hour, ""}, {24*time.Hour + time.Second, CodeStatusStale}, {7*day - time.Second, CodeStatusStale}, {7 * day, CodeStatusUnknown}, {7*day + time.Second, CodeStatusUnknown}} {
		at := w.built.Add(c.age)
		text := w.presentWith("mother", func(p *vc.Presentation) { p.IssuedAt, p.Expires = at.Unix(), at.Add(5*time.Minute).Unix() }, family...)
		d, _, err := Check(text, b, Facts{}, History{}, at)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, code := range d.Codes() {
			if code == CodeStatusStale || code == CodeStatusUnknown {
				got = append(got, code)
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("lists of %v: %v (%v), want %q", c.age, got, d.Codes(), c.want)
		}
	}
}

func TestConcurrent(t *testing.T) {
	w := newWorld(t)
	b := w.bundle()
	texts := []string{goodFamily(w), birthOnly(w), goodPaper(w), "KP1:000"}
	want := []Colour{Green, Red, Amber, Red}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 20 {
				k := (i + g) % len(texts)
				d, _, err := Check(texts[k], b, Facts{}, History{}, now)
				if err != nil || d.Colour != want[k] {
					t.Errorf("%d: %s %v", k, d.Colour, err)
				}
			}
		})
	}
	wg.Wait()
}

// FuzzCheck: any text, shown to an officer who confirms everything, and as the
// second presentation beside a good one. Only what was signed is green.
func FuzzCheck(f *testing.F) {
	w := newWorld(f)
	good := goodFamily(w)
	plain := vp(func(*vc.Presentation) {})(w)
	b := w.bundle()
	all := Facts{Confirm: []string{Portrait, Document}}
	birth := birthOnly(w) // hers, and says nothing new beside the good one
	// Papers of other adults of the family: amber by themselves, and no harm
	// beside a mother who may act alone.
	genuine := []string{good, birth, coMother("")(w), coMother(vc.RoleNotary)(w), withAunt()(w), bothSign(nil)(w)}
	for _, s := range append(slices.Clone(genuine[2:]), officerOf(nil)(w)[:200], w.paper(w.issue(w.birth()), w.issue(w.mandate("")))[:80]) {
		f.Add(s, s)
	}
	for _, s := range []string{"", "KP1:", "KP1:000", "a.b.c", "ey.ey.ey", birth, corrupt(plain, 2), goodPaper(w)[:60], w.issue(w.birth())} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, text, document string) {
		facts := all
		facts.AdultDocuments = []string{document}
		d, _, err := Check(text, b, facts, History{}, now)
		if err != nil {
			t.Fatal(err)
		}
		wellFormed(t, d)
		if d.Colour == Green || d.Colour == Info {
			t.Fatalf("%s for %q", d.Colour, text)
		}
		d, _, err = Check(good, b, Facts{Others: []string{text}}, History{}, now)
		if err != nil {
			t.Fatal(err)
		}
		wellFormed(t, d)
		if d.Colour == Green && !slices.Contains(genuine, text) {
			t.Fatalf("green beside %q", text)
		}
	})
}

// BenchmarkCheck is KP1 text to decision: birth and guardianship, three
// signatures, four status entries, all rules.
func BenchmarkCheck(b *testing.B) {
	check, _ := threeSignatures(b)
	b.ReportAllocs()
	for b.Loop() {
		check()
	}
}

// BenchmarkBareVerify is the baseline: the three signatures of the same
// presentation and nothing else.
func BenchmarkBareVerify(b *testing.B) {
	_, bare := threeSignatures(b)
	for b.Loop() {
		bare()
	}
}

// BenchmarkCheckAgainstBare does both in turn and reports how many times the
// bare verifications a whole check takes (medians): on a busy machine only
// this number means something. The limit is 1.5.
func BenchmarkCheckAgainstBare(b *testing.B) {
	check, bare := threeSignatures(b)
	var whole, alone []time.Duration
	for b.Loop() {
		t0 := time.Now()
		check()
		t1 := time.Now()
		bare()
		whole, alone = append(whole, t1.Sub(t0)), append(alone, time.Since(t1))
	}
	slices.Sort(whole)
	slices.Sort(alone)
	b.ReportMetric(float64(whole[len(whole)/2])/float64(alone[len(alone)/2]), "x-bare")
}

// threeSignatures gives a check of a family's KP1 code, and the verification of
// its three signatures alone.
func threeSignatures(b *testing.B) (check, bare func()) {
	w := newWorld(b)
	birth, mandate := w.issue(w.birth()), w.issue(w.mandate("mother"))
	vp := w.sign(w.holder["mother"], vc.TypPresentation, w.presentation("mother", birth, mandate))
	text, bundle := w.pack(vp), w.bundle()
	type one struct {
		key   ed25519.PublicKey
		input []byte
		sig   []byte
	}
	var all []one
	for i, s := range []string{vp, birth, mandate} {
		signer := w.office[vc.RoleRegistrar]
		if i == 0 {
			signer = w.holder["mother"]
		}
		dot := strings.LastIndexByte(s, '.')
		sig, err := base64.RawURLEncoding.DecodeString(s[dot+1:])
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, one{signer.Public().(ed25519.PublicKey), []byte(s[:dot]), sig})
	}
	check = func() {
		d, _, err := Check(text, bundle, Facts{}, History{}, now)
		if err != nil || d.Colour != Green {
			b.Fatal(d.Codes(), err)
		}
	}
	bare = func() {
		for _, o := range all {
			if !ed25519.Verify(o.key, o.input, o.sig) {
				b.Fatal("does not verify")
			}
		}
	}
	return check, bare
}
