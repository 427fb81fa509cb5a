package wallet

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/qr"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/vc"
)

// opened verifies a presentation with nothing but what it says, as a verifier
// of VC-JOSE-COSE would, and reads it.
func opened(t *testing.T, jwt string) (*vc.Presentation, []byte) {
	t.Helper()
	s, err := vc.SplitJWS(jwt)
	if err != nil {
		t.Fatal(err)
	}
	pub, err := did.ParseKey(s.Header.Kid)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := s.Verify(pub)
	if err != nil {
		t.Fatal(err)
	}
	if s.Header.Typ != "vp+jwt" || s.Header.Cty != "vp" || s.Header.Alg != "EdDSA" {
		t.Errorf("header %+v", s.Header)
	}
	p, err := vc.ParsePresentation(payload)
	if err != nil {
		t.Fatal(err)
	}
	if s.Header.Kid != did.KeyID(p.Holder) {
		t.Errorf("signed by another than the holder")
	}
	return p, payload
}

func TestPresent(t *testing.T) {
	each(t, func(t *testing.T, s scene) {
		a := s.accept(t, amina, zainab)
		s.accept(t, amina, tariq)
		s.accept(t, bilal, zainab)
		got, err := s.Present(t.Context(), amina, Request{Child: a.Child})
		if err != nil {
			t.Fatal(err)
		}
		p, payload := opened(t, got.Presentation)
		if p.Audience != vc.BorderAudience || p.IssuedAt != s.o.clock.now().Unix() || p.Expires != p.IssuedAt+300 || !got.ExpiresAt.Equal(time.Unix(p.Expires, 0)) {
			t.Errorf("terms %s %d %d", p.Audience, p.IssuedAt, p.Expires)
		}
		if raw, err := base64.RawURLEncoding.DecodeString(p.Nonce); err != nil || len(raw) != 16 {
			t.Errorf("nonce %q", p.Nonce)
		}
		last := -1
		for _, m := range []string{`{"@context":["https://www.w3.org/ns/credentials/v2"],`, `"type":["VerifiablePresentation"],`, `"holder":`, `"verifiableCredential":[`, `"aud":`, `"nonce":`, `"iat":`, `"exp":`} {
			at := strings.Index(string(payload), m)
			if at <= last {
				t.Errorf("member %s at %d, after %d", m, at, last)
			}
			last = at
		}
		if len(p.Credentials) != 2 {
			t.Fatalf("%d credentials", len(p.Credentials))
		}
		var kinds []string
		for _, e := range p.Credentials {
			jwt, ok := e.JWT()
			if !ok {
				t.Fatal("not enveloped")
			}
			payload, err := vc.VerifyJWS(jwt, vc.TypCredential, s.o.key.Public())
			if err != nil {
				t.Fatal(err)
			}
			c, err := vc.ParseCredential(payload)
			if err != nil {
				t.Fatal(err)
			}
			kinds = append(kinds, c.Schema.ID)
			if !contains(c.Subject, zainab.ref) || contains(payload, tariq.ref) || contains(payload, "زينب") {
				t.Error("not the border credential of this child")
			}
			if c.Is(vc.TypeGuardianship) && !contains(c.Subject, p.Holder) {
				t.Error("not the guardian's own guardianship")
			}
		}
		if !slices.Equal(kinds, []string{vc.SchemaBirthBorder, vc.SchemaGuardBorder}) {
			t.Errorf("kinds %v", kinds)
		}
		packet, err := qr.Unpack(got.KP1)
		if err != nil || packet.Presentation != got.Presentation {
			t.Errorf("KP1 holds something else: %v", err)
		}
		img, err := got.Draw()
		if err != nil {
			t.Fatal(err)
		}
		png, err := img.PNG(pixels)
		if err != nil {
			t.Fatal(err)
		}
		if text, err := qr.ReadImage(png); err != nil || text != got.KP1 {
			t.Errorf("the drawn code reads as something else: %v", err)
		}
		again, err := s.Present(t.Context(), amina, Request{Child: a.Child})
		if err != nil {
			t.Fatal(err)
		}
		if q, _ := opened(t, again.Presentation); q.Nonce == p.Nonce {
			t.Error("a nonce came twice")
		}
	})
}

func TestPresentToVerifier(t *testing.T) {
	s := lite(t)
	a := s.accept(t, amina, zainab)
	nonce := "challenge-0123456789"
	got, err := s.Present(t.Context(), amina, Request{Child: a.Child, Audience: "https://post.test/border", Nonce: nonce})
	if err != nil {
		t.Fatal(err)
	}
	if p, _ := opened(t, got.Presentation); p.Audience != "https://post.test/border" || p.Nonce != nonce {
		t.Errorf("audience %q nonce %q", p.Audience, p.Nonce)
	}
	if got, err = s.Present(t.Context(), amina, Request{Child: a.Child, Nonce: nonce}); err != nil {
		t.Fatal(err)
	}
	if p, _ := opened(t, got.Presentation); p.Audience != vc.BorderAudience || p.Nonce != nonce {
		t.Errorf("audience %q nonce %q", p.Audience, p.Nonce)
	}
	for name, r := range map[string]Request{
		"audience without nonce": {Audience: "https://post.test"},
		"short nonce":            {Nonce: "123456789012345"},
		"long nonce":             {Nonce: strings.Repeat("n", 257)},
		"long audience":          {Nonce: nonce, Audience: strings.Repeat("a", 513)},
		"space":                  {Nonce: nonce + " x"},
		"control":                {Nonce: nonce + "\x00"},
		"quote":                  {Nonce: nonce + `","exp":9999999999,"x":"`},
		"not ASCII":              {Nonce: nonce + "é"},
		"markup in the audience": {Nonce: nonce, Audience: "<script>"},
	} {
		r.Child = a.Child
		_, err := s.Present(t.Context(), amina, r)
		if faultCode(err) != "presentation-terms" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPresentRefuses(t *testing.T) {
	each(t, func(t *testing.T, s scene) {
		a, b, c := s.accept(t, amina, zainab), s.accept(t, amina, tariq), s.accept(t, bilal, zainab)
		full := ""
		for _, x := range a.Credentials {
			if x.Profile == profileFull && x.Type == vc.TypeBirth {
				full = x.ID
			}
		}
		birth, guard := borderOf(t, a, vc.TypeBirth), borderOf(t, a, vc.TypeGuardianship)
		for _, x := range []struct {
			name string
			r    Request
			code string
		}{
			{"no child", Request{}, "no-such-child"},
			{"unknown child", Request{Child: "AAAAAAAAAAAAAAAA"}, "no-such-child"},
			{"another guardian's child", Request{Child: c.Child}, "no-such-child"},
			{"the issuer's childRef", Request{Child: zainab.ref}, "no-such-child"},
			{"unknown credential", Request{Child: a.Child, Credentials: []string{birth, "AAAAAAAAAAAAAAAA"}}, "no-such-credential"},
			{"another guardian's credential", Request{Child: a.Child, Credentials: []string{birth, borderOf(t, c, vc.TypeGuardianship)}}, "no-such-credential"},
			{"guardianship of another child", Request{Child: a.Child, Credentials: []string{birth, borderOf(t, b, vc.TypeGuardianship)}}, "no-such-credential"},
			{"birth of another child", Request{Child: a.Child, Credentials: []string{borderOf(t, b, vc.TypeBirth), guard}}, "no-such-credential"},
			{"two births", Request{Child: a.Child, Credentials: []string{birth, guard, borderOf(t, b, vc.TypeBirth)}}, "no-such-credential"},
			{"birth alone", Request{Child: a.Child, Credentials: []string{birth}}, "selection-invalid"},
			{"guardianship alone", Request{Child: a.Child, Credentials: []string{guard}}, "selection-invalid"},
			{"birth twice", Request{Child: a.Child, Credentials: []string{birth, birth, guard}}, "selection-invalid"},
			{"guardianship twice", Request{Child: a.Child, Credentials: []string{birth, guard, guard}}, "selection-invalid"},
			{"full birth", Request{Child: a.Child, Credentials: []string{full, guard}}, "selection-invalid"},
		} {
			_, err := s.Present(t.Context(), amina, x.r)
			if err == nil || faultCode(err) != x.code {
				t.Errorf("%s: %v, want %s", x.name, err, x.code)
			}
		}
		_, err := s.Present(t.Context(), Guardian{ID: "token-nobody"}, Request{Child: a.Child})
		mustCode(t, err, "no-such-child")
		if _, err := s.Present(t.Context(), amina, Request{Child: a.Child, Credentials: []string{guard, birth}}); err != nil {
			t.Errorf("a good selection: %v", err)
		}
		s.o.clock.add(366 * oneDay)
		for _, r := range []Request{{Child: a.Child}, {Child: a.Child, Credentials: []string{birth, guard}}} {
			_, err = s.Present(t.Context(), amina, r)
			mustCode(t, err, "no-border-credential")
		}
		s.o.clock.add(-400 * oneDay)
		_, err = s.Present(t.Context(), amina, Request{Child: a.Child})
		mustCode(t, err, "no-border-credential")
	})
}

// The wallet shows the newest record and a mandate that allows the journey.
func TestPresentChooses(t *testing.T) {
	s := lite(t)
	s.o.alter = func(config string, d jsonObject) {
		if strings.HasPrefix(config, "Guardianship") {
			subject(d)["powers"] = []string{"education"}
		}
	}
	s.accept(t, amina, zainab)
	s.o.alter = nil
	b := s.accept(t, amina, zainab)
	s.o.alter = func(config string, d jsonObject) {
		if strings.HasPrefix(config, "Guardianship") {
			subject(d)["powers"] = []string{"education"}
		}
	}
	s.accept(t, amina, zainab)
	got, err := s.Present(t.Context(), amina, Request{Child: b.Child})
	if err != nil {
		t.Fatal(err)
	}
	p, _ := opened(t, got.Presentation)
	jwt, _ := p.Credentials[1].JWT()
	c, err := s.Credential(t.Context(), amina, borderOf(t, b, vc.TypeGuardianship))
	if err != nil || c.JWT != jwt {
		t.Error("a mandate without the power to travel was chosen")
	}
}

// What no screen can show is refused with what to leave out.
func TestPresentTooLarge(t *testing.T) {
	s := lite(t)
	s.o.alter = func(config string, d jsonObject) {
		if config == "GuardianshipCredentialBorder" {
			subject(d)["constraints"] = jsonObject{"conditions": store.Random(200)} // does not compress
		}
	}
	a, b, c := s.accept(t, amina, zainab), s.accept(t, amina, zainab), s.accept(t, amina, zainab)
	p, err := s.Present(t.Context(), amina, Request{Child: a.Child, Credentials: []string{borderOf(t, a, vc.TypeBirth),
		borderOf(t, a, vc.TypeGuardianship), borderOf(t, b, vc.TypeGuardianship), borderOf(t, c, vc.TypeGuardianship)}})
	if err == nil {
		_, err = p.Draw()
	}
	if err == nil || faultCode(err) != qr.ErrTooLarge.Code {
		t.Fatalf("three guardianships: %v", err)
	}
	if f := err.Error(); strings.Contains(f, zainab.primary) {
		t.Error("the refusal holds a name")
	}
}

func TestSummary(t *testing.T) {
	s := lite(t)
	s.o.alter = func(config string, d jsonObject) {
		if config == "BirthCredential" {
			n := subject(d)["names"].([]jsonObject)[0]
			n["given"] = []string{"Zai\u202enab\u200b"}
		}
		if strings.HasPrefix(config, "Guardianship") {
			subject(d)["constraints"] = jsonObject{"noRemoval": true}
			subject(d)["exercise"] = jsonObject{"mode": "joint"}
		}
	}
	a := s.accept(t, amina, zainab)
	all := ""
	for _, c := range a.Credentials {
		all += strings.Join(c.Summary, "\n") + "\n"
	}
	for _, want := range []string{"Birth record of Zainab Okonkwo, born 2019-03-07.", "You are the mother of the child.",
		"You may: travel with the child, agree to a journey, decide on everyday health care.", "another guardian as well",
		"the child stays in the country", "Good until 2027-11-20.", "Made for border checks"} {
		if !strings.Contains(all, want) {
			t.Errorf("no line %q in\n%s", want, all)
		}
	}
	if strings.ContainsAny(all, "\u202e\u200b") {
		t.Error("marks that turn or hide text are shown")
	}
}

func TestBornOn(t *testing.T) {
	for _, c := range []struct {
		in   vc.UncertainDate
		want string
	}{
		{vc.UncertainDate{Value: "2019-03-07", Precision: "day"}, "2019-03-07"},
		{vc.UncertainDate{Value: "2019-03", Precision: "month"}, "2019-03"},
		{vc.UncertainDate{Value: "2019", Precision: "year"}, "2019"},
		{vc.UncertainDate{Precision: "range", Earliest: "2018-01-01", Latest: "2019-12-31"}, "between 2018-01-01 and 2019-12-31"},
		{vc.UncertainDate{Precision: "unknown"}, ""},
		{vc.UncertainDate{}, ""},
	} {
		if got := bornOn(c.in); got != c.want {
			t.Errorf("%+v: %q", c.in, got)
		}
	}
}
