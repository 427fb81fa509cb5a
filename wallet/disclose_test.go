package wallet

import (
	"crypto"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/api"
	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/vc"
)

const (
	asker = "https://school.example/enrol"
	asked = "q7Zk2mVb9xLs4TfR"
)

// held1 gives the id of the guardian's credential of a configuration.
func (s scene) held1(t *testing.T, a Accepted, config string) string {
	t.Helper()
	at := slices.Index(s.o.configs, config)
	if at < 0 || at >= len(a.Credentials) {
		t.Fatalf("no %s", config)
	}
	return a.Credentials[at].ID
}

// policy is that of a verifier that trusts the office.
func (s scene) policy() vc.Policy {
	return vc.Policy{
		Now: s.o.clock.now(), Challenge: asked, Domain: asker,
		Keys: func(method string) (crypto.PublicKey, string, error) {
			switch method {
			case s.o.kid():
				return s.o.key.Public(), s.o.did, nil
			case s.o.did + "#key-2":
				return s.o.p256.Public(), s.o.did, nil
			}
			return did.MethodKey(method)
		},
		Trusts: func(v *vc.Verified) error {
			if v.Issuer != s.o.did {
				return vc.ErrIssuer
			}
			return nil
		},
		Status: func(*vc.Verified) error { return nil },
	}
}

// seen gives what a verifier reads in a disclosure: of the subject alone, and
// all of it as text with base64url opened.
func (s scene) seen(t *testing.T, d Disclosure) (subject map[string]any, text string) {
	t.Helper()
	v, err := vc.VerifyPresentation([]byte(d.Presentation), s.policy())
	if err != nil {
		t.Fatalf("a verifier refuses the %s: %v", d.Format, err)
	}
	if d.Format == "ldp_vc" {
		if len(v.Credentials) != 1 {
			t.Fatalf("%d credentials", len(v.Credentials))
		}
		var c struct {
			Subject map[string]any `json:"credentialSubject"`
		}
		if err := json.Unmarshal(v.Credentials[0].Document, &c); err != nil {
			t.Fatal(err)
		}
		return c.Subject, d.Presentation
	}
	x, err := vc.SplitSDJWT(d.Presentation, vc.TypSDJWTVC)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x.ClaimsUnverified()
	if err != nil {
		t.Fatal(err)
	}
	if json.Unmarshal(c.Claims, &subject) != nil {
		t.Fatal("no claims")
	}
	for _, name := range sdEnvelope {
		delete(subject, name)
	}
	return subject, d.Presentation + opened64(d.Presentation)
}

// opened64 opens whatever is base64url in a compact form.
func opened64(s string) string {
	var out strings.Builder
	for _, part := range strings.FieldsFunc(s, func(r rune) bool { return r == '.' || r == '~' }) {
		if raw, err := base64.RawURLEncoding.DecodeString(part); err == nil {
			out.Write(raw)
			out.WriteByte('\n')
		}
	}
	return out.String()
}

// secretsOf are values that say something of the child, by the member of the
// subject that holds them.
func secretsOf(c child) map[string][]string {
	return map[string][]string{
		"names": {c.given, c.family, c.native, c.primary, c.secondary}, "birthDate": {`"medicalRecord"`},
		"registration": {c.number, "https://register.test"}, "travelDocuments": {c.passport},
		"parentage": {`"mother"`}, "childRef": {c.ref}, "placeOfBirth": {`"UTO"`},
	}
}

// mustSayNothing fails if a text holds a value of a member that is not shown.
func mustSayNothing(t *testing.T, text string, c child, but ...string) {
	t.Helper()
	for member, values := range secretsOf(c) {
		if slices.Contains(but, member) {
			continue
		}
		for _, v := range values {
			if v == `"UTO"` && slices.Contains(but, "travelDocuments") || v == `"mother"` && slices.Contains(but, "role") {
				continue
			}
			if strings.Contains(text, v) {
				t.Errorf("%s says something: %s", member, v)
			}
		}
	}
	// Dates of birth and registration are the same day.
	if !slices.Contains(but, "birthDate") && !slices.Contains(but, "registration") && !slices.Contains(but, "effective") && strings.Contains(text, c.born) {
		t.Error("the date of birth is there")
	}
}

// TestDiscloseUsual: age alone, identity alone, parentage alone, from both
// formats, and a verifier that trusts the office takes them.
func TestDiscloseUsual(t *testing.T) {
	each(t, func(t *testing.T, s scene) {
		inParts(s)
		a := s.accept(t, amina, zainab)
		for _, c := range []struct {
			config, show string
			members      []string
			shown        string
		}{
			{"BirthCredentialSdJwt", "age", []string{"age_equal_or_over"}, "/age_equal_or_over/13 /age_equal_or_over/15 /age_equal_or_over/16 /age_equal_or_over/18 /age_equal_or_over/21"},
			{"BirthCredentialSdJwt", "age:18", []string{"age_equal_or_over"}, "/age_equal_or_over/18"},
			{"BirthCredentialSdJwt", "identity", []string{"age_equal_or_over", "birthDate", "names", "sex"}, "/birthDate /names /sex"},
			{"BirthCredentialSdJwt", "parentage", []string{"age_equal_or_over", "parentage"}, "/parentage"},
			{"BirthCredentialSD", "age", []string{"birthDate"}, "/credentialSubject/birthDate"},
			{"BirthCredentialSD", "identity", []string{"birthDate", "names", "sex"}, "/credentialSubject/birthDate /credentialSubject/names /credentialSubject/sex"},
			{"BirthCredentialSD", "parentage", []string{"parentage"}, "/credentialSubject/parentage"},
		} {
			d, err := s.Disclose(t.Context(), amina, Choice{Credential: s.held1(t, a, c.config), Show: c.show, Audience: asker, Nonce: asked})
			if err != nil {
				t.Fatalf("%s %s: %v", c.config, c.show, err)
			}
			subject, text := s.seen(t, d)
			var members []string
			for m := range subject {
				members = append(members, m)
			}
			slices.Sort(members)
			if !slices.Equal(members, c.members) || strings.Join(d.Shown, " ") != c.shown {
				t.Errorf("%s %s shows %v, and says %v", c.config, c.show, members, d.Shown)
			}
			if ages, ok := subject["age_equal_or_over"].(map[string]any); ok && len(ages) != map[string]int{"age": 5, "age:18": 1}[c.show] {
				t.Errorf("%s %s tells ages %v", c.config, c.show, ages)
			}
			mustSayNothing(t, text, zainab, c.members...)
			if !d.ExpiresAt.Equal(s.o.clock.now().Add(presentationLife)) {
				t.Errorf("ends at %v", d.ExpiresAt)
			}
		}
	})
}

// TestDiscloseGuardianship: a guardian may keep back who they are, and nothing
// that decides about the mandate.
func TestDiscloseGuardianship(t *testing.T) {
	s := inParts(lite(t))
	a := s.accept(t, amina, zainab)
	for _, config := range []string{"GuardianshipCredentialSdJwt", "GuardianshipCredentialSD"} {
		for _, c := range []Choice{{Disclose: []string{}}, {Show: "identity"}} {
			c.Credential, c.Audience, c.Nonce = s.held1(t, a, config), asker, asked
			d, err := s.Disclose(t.Context(), amina, c)
			if err != nil {
				t.Fatal(config, err)
			}
			subject, text := s.seen(t, d)
			raw, err := json.Marshal(subject)
			if err != nil {
				t.Fatal(err)
			}
			var g vc.Guardianship
			if err := json.Unmarshal(raw, &g); err != nil {
				t.Fatal(err)
			}
			if len(g.Powers) != 3 || g.LegalBasis.Type == "" || g.LegalBasis.Law == "" || g.Exercise.Mode != "sole" || g.Constraints == nil || g.Effective.From == "" ||
				g.Termination.MajorityAge != 18 || g.Role != "mother" || g.Ward.ChildRef != zainab.ref || g.Guardian.Kind != "naturalPerson" {
				t.Errorf("%s hides what decides: %s", config, raw)
			}
			if named := len(g.Guardian.Names) > 0; named != (c.Show == "identity") || named != strings.Contains(text, "AMINA") {
				t.Errorf("%s %q: names %v", config, c.Show, g.Guardian.Names)
			}
			for _, must := range []string{"/powers", "/legalBasis", "/exercise", "/constraints", "/effective", "/termination", "/role", "/ward"} {
				if !slices.ContainsFunc(d.Shown, func(at string) bool { return within(strings.TrimPrefix(at, "/credentialSubject"), must) }) {
					t.Errorf("%s: %s is not among what is shown: %v", config, must, d.Shown)
				}
			}
		}
	}
}

// TestDiscloseShowsNothingElse chooses parts at random: what is not chosen is
// nowhere in what leaves, and what leaves is what was told.
func TestDiscloseShowsNothingElse(t *testing.T) {
	s := inParts(lite(t))
	a := s.accept(t, amina, zainab)
	s.accept(t, amina, tariq)
	rng := rand.New(rand.NewPCG(4, 2))
	members := []string{"circumstance", "recordVersion", "names", "birthDate", "sex", "placeOfBirth", "parentage", "registration", "travelDocuments", "childRef"}
	for _, c := range []struct {
		config, root string
		always       []string
	}{{"BirthCredentialSdJwt", "", []string{"age_equal_or_over"}}, {"BirthCredentialSD", "/credentialSubject", nil}} {
		id := s.held1(t, a, c.config)
		for range 40 {
			want := slices.Clone(c.always)
			choice := Choice{Credential: id, Disclose: []string{}, Audience: asker, Nonce: asked}
			for _, m := range members {
				if rng.IntN(3) == 0 {
					want = append(want, m)
					choice.Disclose = append(choice.Disclose, c.root+"/"+m)
				}
			}
			d, err := s.Disclose(t.Context(), amina, choice)
			if len(want) == 0 { // a credential about nothing is none
				mustCode(t, err, "disclosure-pointer")
				continue
			}
			if err != nil {
				t.Fatalf("%v: %v", choice.Disclose, err)
			}
			subject, text := s.seen(t, d)
			if len(subject) != len(want) {
				t.Errorf("%v shows %d members", choice.Disclose, len(subject))
			}
			for _, m := range want {
				if _, ok := subject[m]; !ok {
					t.Errorf("%v does not show %s", choice.Disclose, m)
				}
				if m != "age_equal_or_over" && !slices.Contains(d.Shown, c.root+"/"+m) {
					t.Errorf("%s is shown and not told: %v", m, d.Shown)
				}
			}
			mustSayNothing(t, text, zainab, want...)
			mustSayNothing(t, text, tariq, "placeOfBirth", "parentage", "registration", "birthDate")
			if strings.Contains(text, tariq.number) {
				t.Error("another child's record")
			}
		}
	}
}

// TestDiscloseInside: one of two names, and one part of the registration.
func TestDiscloseInside(t *testing.T) {
	s := inParts(lite(t))
	a := s.accept(t, amina, zainab)
	for config, root := range map[string]string{"BirthCredentialSdJwt": "", "BirthCredentialSD": "/credentialSubject"} {
		d, err := s.Disclose(t.Context(), amina, Choice{Credential: s.held1(t, a, config), Disclose: []string{root + "/names/0", root + "/registration/number"}, Audience: asker, Nonce: asked})
		if err != nil {
			t.Fatal(config, err)
		}
		subject, text := s.seen(t, d)
		names, _ := subject["names"].([]any)
		reg, _ := subject["registration"].(map[string]any)
		if len(names) != 1 || len(reg) != 1 || reg["number"] != zainab.number || !strings.Contains(text, "Zainab") {
			t.Errorf("%s shows %v", config, subject)
		}
		if strings.Contains(text, zainab.native) || strings.Contains(text, "https://register.test") || strings.Contains(text, zainab.born) {
			t.Errorf("%s shows more", config)
		}
	}
}

// TestHTTPDisclose asks over HTTP, with the client.
func TestHTTPDisclose(t *testing.T) {
	d := newDesk(t, inParts(lite(t)))
	a := into[Accepted](t, d.call(t, "amina", "POST", "/wallet/offers", jsonObject{"offer": d.o.offer(zainab), "pin": pin}))
	list := into[struct{ Credentials []Credential }](t, d.call(t, "amina", "GET", "/wallet/credentials", nil))
	if len(list.Credentials) != len(everyConfig) {
		t.Errorf("%d credentials", len(list.Credentials))
	}
	srv := httptest.NewServer(d.srv)
	defer srv.Close()
	client := &api.Client{Base: srv.URL, Token: d.tokens["amina"]}
	for _, c := range []api.Choice{
		{Credential: d.held1(t, a, "BirthCredentialSdJwt"), Show: "age:16"},
		{Credential: d.held1(t, a, "BirthCredentialSD"), Disclose: []string{"/credentialSubject/sex"}},
		{Credential: d.held1(t, a, "GuardianshipCredentialSD"), Disclose: []string{}},
	} {
		c.Audience, c.Nonce = asker, asked
		got, err := client.Disclose(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		_, text := d.seen(t, Disclosure(got))
		mustSayNothing(t, text, zainab, "role", "childRef", "effective", "placeOfBirth")
	}
	_, err := client.Disclose(t.Context(), api.Choice{Credential: d.held1(t, a, "BirthCredential"), Show: "age", Audience: asker, Nonce: asked})
	var p *api.Problem
	if !errors.As(err, &p) || p.Code() != "credential-whole" || p.Status != 409 {
		t.Errorf("%v", err)
	}
	if strings.Contains(d.log.String(), asked) || strings.Contains(d.log.String(), "school.example") {
		t.Error("the log says whom something was shown to")
	}
}

// TestDiscloseIsForOneVerifier: what was made for one is refused by another, and
// later.
func TestDiscloseIsForOneVerifier(t *testing.T) {
	s := inParts(lite(t))
	a := s.accept(t, amina, zainab)
	for _, config := range partConfigs {
		d, err := s.Disclose(t.Context(), amina, Choice{Credential: s.held1(t, a, config), Show: "identity", Audience: asker, Nonce: asked})
		if err != nil {
			t.Fatal(err)
		}
		for name, change := range map[string]func(*vc.Policy){
			"another verifier": func(p *vc.Policy) { p.Domain = "https://other.example" },
			"another request":  func(p *vc.Policy) { p.Challenge = "another-challenge-0" },
			"too late":         func(p *vc.Policy) { p.Now = p.Now.Add(presentationLife + time.Minute) },
			"not trusted":      func(p *vc.Policy) { p.Trusts = func(*vc.Verified) error { return vc.ErrIssuer } },
			"revoked":          func(p *vc.Policy) { p.Status = func(*vc.Verified) error { return vc.ErrStatusRead } },
		} {
			p := s.policy()
			change(&p)
			if _, err := vc.VerifyPresentation([]byte(d.Presentation), p); err == nil {
				t.Errorf("%s: %s takes it", config, name)
			}
		}
		// Not without the holder's signature either.
		if i := strings.LastIndex(d.Presentation, "~"); d.Format == "dc+sd-jwt" {
			if _, err := vc.VerifyPresentation([]byte(d.Presentation[:i+1]), s.policy()); err == nil {
				t.Errorf("%s without a key binding is taken", config)
			}
		}
	}
}

// TestDiscloseRefuses lists what is not shown.
func TestDiscloseRefuses(t *testing.T) {
	s := inParts(lite(t))
	s.o.alter = func(config string, d jsonObject) {
		if config == "BirthCredentialSD" {
			subject(d)["names"].([]jsonObject)[0]["given"] = []string{"Zainab", "Mary"}
		}
	}
	a := s.accept(t, amina, zainab)
	theirs := s.accept(t, bilal, zainab)
	sd, ldp := s.held1(t, a, "BirthCredentialSdJwt"), s.held1(t, a, "BirthCredentialSD")
	for _, c := range []struct {
		name   string
		change func(*Choice)
		code   string
	}{
		{"another guardian's", func(c *Choice) { c.Credential = s.held1(t, theirs, "BirthCredentialSdJwt") }, "no-such-credential"},
		{"one that is not there", func(c *Choice) { c.Credential = "x" }, "no-such-credential"},
		{"none", func(c *Choice) { c.Credential = "" }, "no-such-credential"},
		{"a vc+jwt", func(c *Choice) { c.Credential = s.held1(t, a, "BirthCredential") }, "credential-whole"},
		{"a border credential", func(c *Choice) { c.Credential = s.held1(t, a, "GuardianshipCredentialBorder") }, "credential-whole"},
		{"no audience", func(c *Choice) { c.Audience = "" }, "presentation-terms"},
		{"no nonce", func(c *Choice) { c.Nonce = "" }, "presentation-terms"},
		{"a short nonce", func(c *Choice) { c.Nonce = "short" }, "presentation-terms"},
		{"a nonce with a line end", func(c *Choice) { c.Nonce = "q7Zk2mVb9xLs4TfR\n" }, "presentation-terms"},
		{"an audience with markup", func(c *Choice) { c.Audience = "https://a.example/<b>" }, "presentation-terms"},
		{"an audience that turns the writing", func(c *Choice) { c.Audience = "https://a.example/\u202e" }, "presentation-terms"},
		{"an audience that is long", func(c *Choice) { c.Audience = "https://" + strings.Repeat("a", 600) }, "presentation-terms"},
		{"nothing said", func(c *Choice) { c.Disclose = nil }, "disclosure-terms"},
		{"said twice", func(c *Choice) { c.Show = "age" }, "disclosure-terms"},
		{"too much said", func(c *Choice) { c.Disclose = make([]string, 65) }, "disclosure-terms"},
		{"everything", func(c *Choice) { c.Disclose = []string{""} }, "disclosure-terms"},
		{"no pointer", func(c *Choice) { c.Disclose = []string{"birthDate"} }, "disclosure-terms"},
		{"a long pointer", func(c *Choice) { c.Disclose = []string{"/" + strings.Repeat("a", 300)} }, "disclosure-terms"},
		{"a claim that is not there", func(c *Choice) { c.Disclose = []string{"/religion"} }, "disclosure-pointer"},
		{"an element that is not there", func(c *Choice) { c.Disclose = []string{"/names/7"} }, "disclosure-pointer"},
		{"an element spelled otherwise", func(c *Choice) { c.Disclose = []string{"/names/00"} }, "disclosure-pointer"},
		{"below a value", func(c *Choice) { c.Disclose = []string{"/sex/1"} }, "disclosure-pointer"},
		{"a claim of the other format", func(c *Choice) { c.Disclose = []string{"/credentialSubject/birthDate"} }, "disclosure-pointer"},
		{"an unusual part", func(c *Choice) { c.Disclose, c.Show = nil, "religion" }, "disclosure-pointer"},
		{"an age that is not told", func(c *Choice) { c.Disclose, c.Show = nil, "age:17" }, "disclosure-pointer"},
		{"no age", func(c *Choice) { c.Disclose, c.Show = nil, "age:" }, "disclosure-pointer"},
		{"ldp: a claim that is not there", func(c *Choice) { c.Credential, c.Disclose = ldp, []string{"/credentialSubject/religion"} }, "disclosure-pointer"},
		{"ldp: a claim of the other format", func(c *Choice) { c.Credential, c.Disclose = ldp, []string{"/birthDate"} }, "disclosure-pointer"},
		{"ldp: the proof", func(c *Choice) { c.Credential, c.Disclose = ldp, []string{"/proof/proofValue"} }, "disclosure-pointer"},
		{"ldp: a date without how exact it is", func(c *Choice) { c.Credential, c.Disclose = ldp, []string{"/credentialSubject/birthDate/value"} }, "mandatory-hidden"},
		{"ldp: nothing", func(c *Choice) { c.Credential, c.Disclose = ldp, []string{} }, "disclosure-pointer"},
		{"ldp: nothing but the envelope", func(c *Choice) { c.Credential, c.Disclose = ldp, []string{"/issuer"} }, "disclosure-pointer"},
		{"ldp: one age", func(c *Choice) { c.Credential, c.Disclose, c.Show = ldp, nil, "age:18" }, "disclosure-pointer"},
		{"ldp: half of a value", func(c *Choice) { c.Credential, c.Disclose = ldp, []string{"/credentialSubject/names/0/given/0"} }, "selective-pointer-splits"},
		{"age of a guardianship", func(c *Choice) {
			c.Credential, c.Disclose, c.Show = s.held1(t, a, "GuardianshipCredentialSD"), nil, "age"
		}, "disclosure-pointer"},
		{"parents of a guardianship", func(c *Choice) {
			c.Credential, c.Disclose, c.Show = s.held1(t, a, "GuardianshipCredentialSdJwt"), nil, "parentage"
		}, "disclosure-pointer"},
	} {
		choice := Choice{Credential: sd, Disclose: []string{"/birthDate"}, Audience: asker, Nonce: asked}
		c.change(&choice)
		d, err := s.Disclose(t.Context(), amina, choice)
		if err == nil || faultCode(err) != c.code {
			t.Errorf("%s: %v, want %s", c.name, err, c.code)
		}
		if d.Presentation != "" {
			t.Errorf("%s: something was shown", c.name)
		}
	}
	_, err := s.Disclose(t.Context(), Guardian{ID: "token-of-nobody"}, Choice{Credential: sd, Disclose: []string{}, Audience: asker, Nonce: asked})
	mustCode(t, err, "no-such-credential")
}

// TestDiscloseFoundling: a record that names no parents says so as an SD-JWT VC;
// as ldp_vc it has nothing to show of them.
func TestDiscloseFoundling(t *testing.T) {
	s := inParts(lite(t))
	s.o.alter = func(config string, d jsonObject) {
		if strings.HasPrefix(config, "Birth") && !strings.HasSuffix(config, "Border") {
			subject(d)["parentage"] = []any{}
		}
	}
	a := s.accept(t, amina, zainab)
	choice := Choice{Credential: s.held1(t, a, "BirthCredentialSdJwt"), Show: "parentage", Audience: asker, Nonce: asked}
	d, err := s.Disclose(t.Context(), amina, choice)
	if err != nil {
		t.Fatal(err)
	}
	if subject, _ := s.seen(t, d); len(subject["parentage"].([]any)) != 0 {
		t.Errorf("%v", subject)
	}
	choice.Credential = s.held1(t, a, "BirthCredentialSD")
	_, err = s.Disclose(t.Context(), amina, choice)
	mustCode(t, err, "disclosure-pointer")
}

// TestDiscloseNotUsable: what is revoked, suspended or over is not shown.
func TestDiscloseNotUsable(t *testing.T) {
	each(t, func(t *testing.T, s scene) {
		inParts(s)
		a := s.accept(t, amina, zainab)
		try := func(want string) {
			t.Helper()
			for _, config := range partConfigs {
				_, err := s.Disclose(t.Context(), amina, Choice{Credential: s.held1(t, a, config), Show: "identity", Audience: asker, Nonce: asked})
				if want == "" && err != nil || want != "" && (err == nil || faultCode(err) != want) {
					t.Errorf("%s: %v, want %q", config, err, want)
				}
			}
		}
		try("")
		s.o.set(func() { setAll(s.o, vc.PurposeSuspension); s.o.denied = everyConfig })
		if _, err := s.Renew(t.Context(), amina); err != nil {
			t.Fatal(err)
		}
		try("credential-not-usable")
		s.o.set(func() { setAll(s.o, vc.PurposeRevocation) })
		if _, err := s.Renew(t.Context(), amina); err != nil {
			t.Fatal(err)
		}
		try("credential-not-usable")
		s.o.clock.add(400 * 24 * time.Hour)
		try("credential-not-usable")
	})
	s := inParts(lite(t))
	a := s.accept(t, amina, zainab)
	s.o.clock.add(366 * 24 * time.Hour)
	_, err := s.Disclose(t.Context(), amina, Choice{Credential: s.held1(t, a, "BirthCredentialSdJwt"), Show: "age", Audience: asker, Nonce: asked})
	mustCode(t, err, "credential-not-current")
}

// TestDisclosureIsNotLogged: a log gets neither it nor what it shows.
func TestDisclosureIsNotLogged(t *testing.T) {
	if got := (Disclosure{Presentation: "secret"}).LogValue().String(); got != "disclosure" {
		t.Error(got)
	}
}
