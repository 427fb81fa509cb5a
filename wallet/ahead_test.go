package wallet

import (
	"testing"
	"time"
)

// TestPresentAhead: presentations for times to come follow each other without a
// gap, none is good for longer than one that is shown at once, and each is used
// once; they end with what they show.
func TestPresentAhead(t *testing.T) {
	s := lite(t)
	a := s.accept(t, amina, zainab)
	now := s.o.clock.now().Truncate(time.Second)
	from := now.Add(26 * time.Hour)
	got, err := s.PresentAhead(t.Context(), amina, Request{Child: a.Child}, from, from.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 15 {
		t.Fatalf("%d presentations in an hour, want 15", len(got))
	}
	nonces := map[string]bool{}
	for i, x := range got {
		p, _ := opened(t, x.Presentation.Presentation)
		if p.IssuedAt != from.Add(time.Duration(i)*4*time.Minute).Unix() || p.IssuedAt != x.From.Unix() || p.Expires != p.IssuedAt+300 {
			t.Errorf("presentation %d is good from %d until %d", i, p.IssuedAt, p.Expires)
		}
		if nonces[p.Nonce] {
			t.Error("a nonce came twice")
		}
		nonces[p.Nonce] = true
		if _, err := x.Draw(); err != nil {
			t.Error(err)
		}
	}
	if x := got[0]; x.LogValue().String() != "presentation" {
		t.Error("a presentation can be logged")
	}
}

func TestPresentAheadRefuses(t *testing.T) {
	s := lite(t)
	a := s.accept(t, amina, zainab)
	now := s.o.clock.now()
	for _, c := range []struct {
		name        string
		g           Guardian
		r           Request
		from, until time.Time
		code        string
	}{
		{"longer than an hour", amina, Request{Child: a.Child}, now, now.Add(time.Hour + time.Second), "presentation-ahead"},
		{"nothing", amina, Request{Child: a.Child}, now, now, "presentation-ahead"},
		{"backwards", amina, Request{Child: a.Child}, now, now.Add(-time.Minute), "presentation-ahead"},
		{"the past", amina, Request{Child: a.Child}, now.Add(-2 * time.Hour), now.Add(-time.Hour), "presentation-ahead"},
		{"next week", amina, Request{Child: a.Child}, now.Add(7 * 24 * time.Hour), now.Add(7*24*time.Hour + time.Minute), "presentation-ahead"},
		{"no time", amina, Request{Child: a.Child}, time.Time{}, time.Time{}, "presentation-ahead"},
		{"for a verifier's question", amina, Request{Child: a.Child, Audience: "https://verifier.example", Nonce: "0123456789abcdefg"}, now, now.Add(time.Minute), "presentation-ahead"},
		{"another's child", bilal, Request{Child: a.Child}, now, now.Add(time.Minute), "no-such-child"},
		{"a consent that there is not", amina, Request{Child: a.Child, Consent: "AAAAAAAAAAAAAAAA"}, now, now.Add(time.Minute), "no-such-consent"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := s.PresentAhead(t.Context(), c.g, c.r, c.from, c.until)
			mustCode(t, err, c.code)
			if len(got) != 0 {
				t.Errorf("%d presentations came with it", len(got))
			}
		})
	}
}
