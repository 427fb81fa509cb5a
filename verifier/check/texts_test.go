package check

import (
	"slices"
	"strings"
	"testing"

	"github.com/kinpass/kinpass/internal/vc"
)

// TestTexts: every code has words, and a message file can replace all of them.
func TestTexts(t *testing.T) {
	texts := Texts()
	for _, r := range Rules() {
		if w := texts[r.Code]; w.Text != r.Text || w.Next != r.Next {
			t.Errorf("%s: %+v", r.Code, w)
		}
	}
	other := map[string]Words{}
	for code, w := range texts {
		o := Words{Text: "¡" + code + "!"}
		if w.Next != "" {
			o.Next = "¿" + code + "?"
		}
		other[code] = o
	}
	d := story{world: (*world).national, text: func(w *world) string {
		f := newFamily(w)
		return w.present("mother", f.of("child"), f.of("mother"))
	}, facts: facts(Facts{Exit: "BRA", Entry: "UGA"})}.run(t)
	before := slices.Clone(d.Lines)
	spoken := d.In(other)
	if !slices.Equal(d.Lines, before) || spoken.Colour != d.Colour || !slices.Equal(spoken.Codes(), d.Codes()) {
		t.Error("the decision that was translated changed")
	}
	for _, line := range append(slices.Clone(spoken.Lines), spoken.Next) {
		if !strings.ContainsAny(line, "¡¿") {
			t.Errorf("still English: %q", line)
		}
	}
	if !strings.HasPrefix(spoken.Next, "¿FACTS_MISSING?") || !strings.Contains(spoken.Next, "¡FACTS_MISSING.residence!") {
		t.Errorf("%q", spoken.Next)
	}
	for _, r := range spoken.Reasons {
		if !strings.HasPrefix(r.Text, "¡") || !strings.HasPrefix(r.Next, "¿") {
			t.Errorf("%+v", r)
		}
	}
	// What a file lacks stays as it is.
	if back := spoken.In(nil); back.Lines[0] != spoken.Lines[0] {
		t.Errorf("%q", back.Lines)
	}
	if english := d.In(map[string]Words{}); !slices.Equal(english.Lines, d.Lines) || english.Next != d.Next {
		t.Errorf("%q", english.Next)
	}
}

// TestNextStep: green with a remark still says to let them pass; three lines at
// most, the gravest first.
func TestNextStep(t *testing.T) {
	d := story{text: officerOf(nil), facts: facts(kenya)}.run(t)
	if d.Colour != Green || !strings.HasPrefix(d.Next, "Let them pass") {
		t.Errorf("%s %q", d.Colour, d.Next)
	}
	d = story{text: func(w *world) string {
		f := newFamily(w)
		f.birth.Portrait.RecaptureBy = "2026-01-01"
		t := f.consent(vc.ModeThirdParty, "mother")
		t.Trip.NotBefore = "2026-11-30"
		jwt := f.witnessed(vc.RoleNotary, t)
		w.setOn(jwt, 0, vc.PurposeRevocation)
		return w.present("aunt", f.of("child"), f.of("mother"), jwt)
	}, facts: facts(kenya)}.run(t)
	if got := strings.Join(d.Codes(), " "); got != "PORTRAIT_STALE CONSENT_QUORUM CONSENT_SCOPE CONSENT_WITHDRAWN" || len(d.Lines) != 3 ||
		d.Lines[0] != "Not all guardians who must agree have agreed." || d.Next != secondLine {
		t.Errorf("%s %q %q", got, d.Lines, d.Next)
	}
}

// TestCompare: what the officer compares by eye, and nothing else.
func TestCompare(t *testing.T) {
	d := story{text: withAunt(func(f *family, _ *vc.TravelConsent) {
		f.jwt["child"] = ""
		f.birth.MultipleBirth = &vc.MultipleBirth{Plurality: 2, Order: 1}
	}), facts: facts(kenya)}.run(t)
	c := d.Compare
	if c == nil || !c.Portrait || c.Twins != 2 || !slices.Equal(c.Names, []string{"OKELLO<<AMINA"}) || len(c.Adults) != 1 ||
		!slices.Equal(c.Adults[0].Names, []string{"ACHIENG<<ROSA"}) || c.Adults[0].Role != "relative" {
		t.Errorf("%+v", c)
	}
	d = story{text: func(w *world) string {
		f := newFamily(w)
		f.birth.Portrait = nil
		return w.present("mother", f.of("child"), f.of("mother"))
	}}.run(t)
	if d.Compare == nil || d.Compare.Portrait || d.Compare.Twins != 0 || len(d.Compare.Adults) != 1 || d.Compare.Adults[0].Role != "mother" {
		t.Errorf("%+v", d.Compare)
	}
	for name, text := range map[string]func(*world) string{
		"no birth": func(w *world) string { return w.present("mother", w.issue(w.mandate("mother"))) },
		"unknown office": func(w *world) string {
			return w.present("mother", w.issueBy("stranger", w.birth()), w.issue(w.mandate("mother")))
		},
	} {
		if d := (story{text: text}).run(t); d.Compare != nil || d.Child != nil {
			t.Errorf("%s: %+v", name, d.Compare)
		}
	}
	// Words that could carry something else than a role reach no screen.
	d = story{text: withMandate(func(g *vc.Guardianship) { g.Role = "mother <script>" })}.run(t)
	if d.Compare.Adults[0].Role != "" {
		t.Errorf("%q", d.Compare.Adults[0].Role)
	}
	if d := (story{text: officerOf(nil), facts: facts(kenya)}).run(t); d.Compare.Adults[0].Role != "officer" || len(d.Compare.Adults[0].Names) != 0 {
		t.Errorf("%+v", d.Compare.Adults)
	}
}
