package check

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/vc"
)

// journey shows one consent again and again, each time in a fresh presentation.
type journey struct {
	t    *testing.T
	w    *world
	f    *family
	jwts []string
	b    *Bundle
	h    History
}

func newJourney(t *testing.T, change func(*vc.TravelConsent)) *journey {
	w := newWorld(t)
	f := newFamily(w)
	c := f.consent(vc.ModeOneGuardian, "father")
	c.Trip.NotAfter, c.Trip.ReturnBy = "2027-12-01", ""
	if change != nil {
		change(c)
	}
	j := &journey{t: t, w: w, f: f, jwts: []string{f.of("child"), f.of("mother"), f.of("father"),
		f.witnessed(vc.RoleNotary, c, func(x *vc.Credential) { x.ValidTo = now.AddDate(1, 0, 0) })}}
	j.b = w.bundle()
	return j
}

// show gives the codes of a check so much later.
func (j *journey) show(after time.Duration, f Facts) string {
	j.t.Helper()
	j.w.serial++
	at := now.Add(after)
	text := j.w.presentWith("mother", func(p *vc.Presentation) { p.IssuedAt, p.Expires = at.Unix()-10, at.Unix()+290 }, j.jwts...)
	d, h, err := Check(text, j.b, f, j.h, at)
	if err != nil {
		j.t.Fatal(err)
	}
	j.h = h
	return strings.Join(d.Codes(), " ")
}

// TestCrossings: the third use of a consent for two crossings is seen by the
// post that saw the others.
func TestCrossings(t *testing.T) {
	back := Facts{Exit: "KEN", Entry: "UGA"}
	j := newJourney(t, nil)
	for i, step := range []struct {
		after time.Duration
		facts Facts
		want  string
	}{
		{0, kenya, "OK"},
		{time.Hour, back, "OK"},
		{2 * time.Hour, kenya, "CONSENT_REUSED"},
	} {
		if got := j.show(step.after, step.facts); got != step.want {
			t.Errorf("crossing %d: %s, want %s", i+1, got, step.want)
		}
	}
	if len(j.h.Crossings) != 3 {
		t.Errorf("%d crossings", len(j.h.Crossings))
	}
	// A second attempt with a consent that is used up is a signal.
	if got := j.show(3*time.Hour, kenya); got != "CONSENT_REUSED SIGNAL_6" {
		t.Errorf("fourth: %s", got)
	}

	// One encounter at the counter is one crossing.
	j = newJourney(t, nil)
	at := kenya
	at.Session = "counter"
	for i := range 5 {
		if got := j.show(time.Duration(i)*time.Minute, at); got != "OK" {
			t.Errorf("look %d: %s", i+1, got)
		}
	}
	if len(j.h.Crossings) != 1 {
		t.Errorf("%d crossings of one", len(j.h.Crossings))
	}
	// So much later it is another one, whatever the session is called.
	if j.show(16*time.Minute, at); len(j.h.Crossings) != 2 {
		t.Errorf("%d crossings", len(j.h.Crossings))
	}

	// A journey that was stopped is no crossing.
	j = newJourney(t, nil)
	wrong := kenya
	wrong.Entry = "TZA"
	if got := j.show(0, wrong); got != "CONSENT_SCOPE" || len(j.h.Crossings) != 0 || len(j.h.Failures) != 1 {
		t.Errorf("%s, %+v", got, j.h)
	}
	// The same wrong route an hour later is the second attempt, also when the
	// third goes right.
	if got := j.show(time.Hour, wrong); got != "CONSENT_SCOPE SIGNAL_6" {
		t.Error(got)
	}
	if got := j.show(2*time.Hour, kenya); got != "SIGNAL_6" {
		t.Error(got)
	}
	// A month later that is forgotten.
	if j.h = j.h.Forget(now.Add(31 * 24 * time.Hour)); len(j.h.Failures) != 0 || len(j.h.Crossings) != 1 {
		t.Errorf("%+v", j.h)
	}

	// The post of another child, or of another consent, knows nothing of it.
	other := newJourney(t, func(c *vc.TravelConsent) { c.Nonce = "another-nonce-of-theirs" })
	other.h = History{Crossings: []Crossing{{Consent: token("consent", "consent-nonce-00000001", refAmina), At: now, Until: now.AddDate(1, 0, 0)}}}
	if got := other.show(0, kenya); got != "OK" {
		t.Error(got)
	}

	// One crossing agreed, one crossing used.
	one := newJourney(t, func(c *vc.TravelConsent) { c.Trip.Crossings = 1 })
	if got := one.show(0, kenya); got != "OK" {
		t.Error(got)
	}
	if got := one.show(time.Hour, kenya); got != "CONSENT_REUSED" {
		t.Error(got)
	}
}

// TestHistoryIsBounded: by time, by number, and it tells nothing.
func TestHistoryIsBounded(t *testing.T) {
	j := newJourney(t, nil)
	s := kenya
	s.Session = "s"
	j.show(0, s)
	raw, err := json.Marshal(j.h)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{refAmina, "consent-nonce", "did:key", "OKELLO", "UGA", "KEN"} {
		if strings.Contains(string(raw), secret) {
			t.Errorf("the history holds %s: %s", secret, raw)
		}
	}
	if j.h.Empty() || !j.h.Forget(now.AddDate(3, 0, 0)).Empty() || !(History{}).Empty() {
		t.Error("what is over is not forgotten")
	}
	many := History{}
	for i := range maxEntries + 50 {
		many.Crossings = append(many.Crossings, Crossing{Consent: fmt.Sprint(i), At: now, Until: now.Add(time.Duration(i+1) * time.Minute)})
	}
	kept := many.Forget(now)
	if len(kept.Crossings) != maxEntries || slices.ContainsFunc(kept.Crossings, func(c Crossing) bool { return c.Consent == "0" }) {
		t.Errorf("%d kept, the first to end among them", len(kept.Crossings))
	}
	if len(many.Crossings) != maxEntries+50 {
		t.Error("the history that was passed in changed")
	}
}

// class makes the papers of n children whom a teacher brings; mode is that of
// the consents, "" for none.
func class(w *world, n int, mode string) []string {
	var out []string
	for i := range n {
		f := newFamily(w)
		f.birth.ChildRef = fmt.Sprintf("CHILD%017d", i)
		for _, g := range f.mandate {
			g.Ward.ChildRef = f.birth.ChildRef
		}
		if mode == "" {
			out = append(out, w.present("teacher", f.of("child")))
			continue
		}
		t := f.consent(mode, "mother", "father")
		t.Accompanying = []vc.Companion{w.companion("teacher")}
		out = append(out, w.present("teacher", f.of("child"), f.of("mother"), f.of("father"), f.witnessed(vc.RoleNotary, t)))
	}
	return out
}

// TestClassOfTwelve: one session, twelve results, and no signal, because each
// child's guardians agreed to a journey with this group.
func TestClassOfTwelve(t *testing.T) {
	w := newWorld(t)
	shown := class(w, 12, vc.ModeGroup)
	f := kenya
	f.Session, f.Company = "class", CompanyGroup
	ds, h, err := CheckGroup(shown, w.bundle(), f, History{}, now)
	if err != nil || len(ds) != 12 {
		t.Fatalf("%d decisions, %v", len(ds), err)
	}
	for i, d := range ds {
		if d.Colour != Green {
			t.Errorf("child %d: %v", i, d.Codes())
		}
		wellFormed(t, d)
	}
	if len(h.Children) != 0 || len(h.Crossings) != 12 || len(h.Seen) != 12 {
		t.Errorf("%d children, %d crossings, %d presentations", len(h.Children), len(h.Crossings), len(h.Seen))
	}
	// One of them without a consent is the only one that is stopped.
	shown[4] = class(w, 5, "")[4]
	ds, _, err = CheckGroup(shown, w.bundle(), f, History{}, now)
	if err != nil {
		t.Fatal(err)
	}
	for i, d := range ds {
		if want := i == 4; (d.Colour == Red) != want {
			t.Errorf("child %d: %v", i, d.Codes())
		}
	}
}

// TestManyUnrelated is S2: from the fourth child of other families, in one call
// or in one session, and never from three.
func TestManyUnrelated(t *testing.T) {
	for n, want := range map[int]bool{3: false, 4: true} {
		w := newWorld(t)
		ds, h, err := CheckGroup(class(w, n, vc.ModeThirdParty), w.bundle(), kenya, History{}, now)
		if err != nil || len(ds) != n {
			t.Fatal(err)
		}
		for _, d := range ds {
			if d.Has(CodeSignal2) != want || d.Colour == Red {
				t.Errorf("%d children: %v", n, d.Codes())
			}
		}
		if len(h.Children) != 0 {
			t.Error("remembered without a session")
		}
	}
	w := newWorld(t)
	b := w.bundle()
	f := kenya
	f.Session = "counter 4"
	var h History
	var d Decision
	for i, text := range class(w, 5, vc.ModeThirdParty) {
		var err error
		if d, h, err = Check(text, b, f, h, now); err != nil {
			t.Fatal(err)
		}
		if d.Has(CodeSignal2) != (i >= 3) {
			t.Errorf("child %d: %v", i+1, d.Codes())
		}
		again, _, err := Check(text, b, f, h, now)
		if err != nil || again.Has(CodeSignal2) != d.Has(CodeSignal2) {
			t.Errorf("child %d, looked at again: %v", i+1, again.Codes())
		}
	}
	f.Session = "counter 5"
	if d, _, err := Check(class(w, 1, vc.ModeThirdParty)[0], b, f, h, now); err != nil || d.Has(CodeSignal2) {
		t.Errorf("another session: %v", d.Codes())
	}
	// A mother of five brings her own.
	w = newWorld(t)
	var own []string
	for i := range 5 {
		f := newFamily(w)
		f.birth.ChildRef = fmt.Sprintf("CHILD%017d", i)
		g := f.mandate["mother"]
		g.Ward.ChildRef, g.Exercise = f.birth.ChildRef, vc.Exercise{Mode: "sole"}
		own = append(own, w.present("mother", f.of("child"), f.of("mother")))
	}
	ds, _, err := CheckGroup(own, w.bundle(), kenya, History{}, now)
	if err != nil || len(ds) != 5 {
		t.Fatal(err)
	}
	for _, d := range ds {
		if d.Colour != Green {
			t.Errorf("a mother of five: %v", d.Codes())
		}
	}
}

// TestGroupJoinsHolders: two holders of one child are one decision, in the
// order of first appearance; what is no birth stands alone.
func TestGroupJoinsHolders(t *testing.T) {
	w := newWorld(t)
	f := newFamily(w)
	twin := newFamily(w)
	twin.birth.ChildRef = refTwin
	for _, g := range twin.mandate {
		g.Ward.ChildRef = refTwin
	}
	shown := []string{
		w.present("mother", f.of("child"), f.of("mother")),
		w.present("mother", twin.of("child"), twin.of("mother")),
		"nothing that can be read",
		w.present("father", f.of("child"), f.of("father")),
		"and nothing again",
	}
	ds, _, err := CheckGroup(shown, w.bundle(), kenya, History{}, now)
	if err != nil || len(ds) != 4 {
		t.Fatalf("%d decisions, %v", len(ds), err)
	}
	for i, want := range []string{"OK", "CONSENT_MISSING_CO", "SCAN_UNREADABLE", "SCAN_UNREADABLE"} {
		if got := strings.Join(ds[i].Codes(), " "); got != want {
			t.Errorf("%d: %s, want %s", i, got, want)
		}
	}
	// The second of two papers joins the first, in whatever order.
	papers := []string{w.paper(f.of("child")), w.paper(f.witnessed(vc.RoleNotary, f.consent(vc.ModeThirdParty, "mother", "father")))}
	aunt := kenya
	aunt.Confirm, aunt.AdultDocuments = []string{Portrait}, []string{rosa}
	for range 2 {
		ds, _, err := CheckGroup(papers, w.bundle(), aunt, History{}, now)
		if err != nil || len(ds) != 1 || ds[0].Colour != Green {
			t.Errorf("%d decisions, %v: %+v", len(ds), err, ds)
		}
		slices.Reverse(papers)
	}
	for _, n := range []int{0, maxGroup + 1} {
		if _, _, err := CheckGroup(make([]string, n), w.bundle(), kenya, History{}, now); err == nil {
			t.Errorf("%d presentations were taken", n)
		}
	}
	if ds, _, err := CheckGroup(make([]string, maxGroup), w.bundle(), kenya, History{}, now); err != nil || len(ds) != maxGroup {
		t.Errorf("%d, %v", len(ds), err)
	}
	if _, _, err := CheckGroup(shown, nil, kenya, History{}, now); err == nil {
		t.Error("decided without a bundle")
	}
}

// TestPlaceTaken: a post remembers for a day which credential it saw at which
// place, and nothing that leads back to either.
func TestPlaceTaken(t *testing.T) {
	w := newWorld(t)
	birth, mandate := w.issue(w.birth()), w.issue(w.mandate("mother"))
	// Whoever has the issuer's key signs another mandate at the same place, with
	// the same id.
	other := w.mandate("father")
	serial := w.serial
	w.serial--
	minted := w.issue(other)
	w.serial = serial
	b := w.bundle()
	var h History
	look := func(holder string, at time.Time, jwts ...string) string {
		t.Helper()
		w.serial++ // of nonces
		p := w.presentWith(holder, func(p *vc.Presentation) { p.IssuedAt, p.Expires = at.Unix()-10, at.Unix()+290 }, jwts...)
		d, after, err := Check(p, b, Facts{}, h, at)
		if err != nil {
			t.Fatal(err)
		}
		h = after
		return strings.Join(d.Codes(), " ")
	}
	if got := look("mother", now, birth, mandate); got != CodeOK {
		t.Fatal(got)
	}
	if got := look("mother", now.Add(time.Hour), birth, mandate); got != CodeOK {
		t.Errorf("shown again: %s", got)
	}
	if len(h.Places) != 2 {
		t.Errorf("%d places for two credentials", len(h.Places))
	}
	text := fmt.Sprintf("%+v", h.Places)
	for _, secret := range []string{"example", "urn:", "status/"} {
		if strings.Contains(text, secret) {
			t.Errorf("the history says %q", secret)
		}
	}
	if got := look("father", now.Add(2*time.Hour), birth, minted); got != CodeStatusIndexReused {
		t.Errorf("another at the same place: %s", got)
	}
	// Which of the two is false, the post cannot know: it says so to both.
	if got := look("mother", now.Add(3*time.Hour), birth, mandate); got != CodeStatusIndexReused {
		t.Errorf("and the first one again: %s", got)
	}
	h = h.Forget(now.Add(3*time.Hour + 24*time.Hour))
	if len(h.Places) != 0 {
		t.Errorf("after a day: %+v", h.Places)
	}
	// What is remembered is bounded, and the newest stays.
	var many []Place
	for i := range maxPlaces + 50 {
		many = append(many, Place{Place: fmt.Sprint(i), Until: now.Add(time.Hour + time.Duration(i)*time.Second)})
	}
	h = History{}.with(History{Places: many}, now)
	if len(h.Places) != maxPlaces || h.Places[maxPlaces-1].Place != fmt.Sprint(maxPlaces+49) {
		t.Errorf("%d places", len(h.Places))
	}
}
