package check

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/kinpass/kinpass/internal/bundle"
	"github.com/kinpass/kinpass/internal/policy"
	"github.com/kinpass/kinpass/internal/vc"
)

// FuzzConsent: any subject that a father signed, or that a notary did. It never
// panics, and it is green only if it says in plain words what it has to.
func FuzzConsent(f *testing.F) {
	w := newWorld(f)
	fam := newFamily(w)
	base := fam.consent(vc.ModeOneGuardian, "father")
	fam.of("mother")
	aunt := fam.consent(vc.ModeThirdParty, "mother", "father")
	b := w.bundle()
	for _, t := range []*vc.TravelConsent{base, aunt} {
		good, err := json.Marshal(t)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(good), "mother")
		f.Add(strings.Replace(string(good), "KEN", "TZA", 1), "mother")
		f.Add(strings.Replace(string(good), `"selfSigned"`, `"notarised"`, 1), "aunt")
		f.Add(strings.Replace(string(good), `"notBefore":"2026-11-15"`, `"notBefore":"2026-11-31"`, 1), "aunt")
		f.Add(strings.Replace(string(good), `"nonce":`, `"religion":null,"nonce":`, 1), "mother")
	}
	f.Add(`{}`, "mother")
	f.Add(`{"grantors":[{}],"accompanying":[{"names":[{"mrz":{}}]}],"receiving":{}}`, "aunt")
	f.Fuzz(func(t *testing.T, subject, holder string) {
		w.t = t // what makes papers reports here
		if w.holder[holder].KID == "" || !json.Valid([]byte(subject)) || subject[0] != '{' {
			t.Skip()
		}
		for _, notary := range []bool{false, true} {
			envelope := fam.envelope(base, w.id("father"), 1)
			envelope.Subject = []byte(subject)
			signer := w.holder["father"]
			if notary {
				signer = w.office[vc.RoleNotary]
				envelope.Issuer = "did:web:notary.example"
				envelope.Status = append(envelope.Status, fam.envelope(base, "", 1).Status...)
			}
			raw, err := json.Marshal(envelope)
			if err != nil {
				t.Skip()
			}
			jwt, err := vc.SignJWS(signer, vc.TypCredential, "vc", raw)
			if err != nil {
				t.Skip()
			}
			text := w.presentWith(holder, func(*vc.Presentation) {}, fam.of("child"), fam.of("mother"), fam.of("father"), jwt)
			d, _, err := Check(text, b, kenya, History{}, now)
			if err != nil {
				t.Fatal(err)
			}
			wellFormed(t, d)
			if d.Colour == Green {
				plainlyGood(t, subject, holder, notary, w)
			}
		}
	})
}

// plainlyGood reads a consent in another way than the rules do.
func plainlyGood(t *testing.T, subject, holder string, notary bool, w *world) {
	t.Helper()
	var c struct {
		ChildRef     string
		Mode         string
		Grantors     []struct{ Key string }
		Accompanying []struct {
			Key string
		}
		Trip struct {
			DepartFrom          string
			Destinations        []string
			Transit             []string
			NotBefore, NotAfter string
		}
		Assurance struct{ Level string }
	}
	if err := json.Unmarshal([]byte(subject), &c); err != nil {
		t.Fatalf("green, and no consent: %s", subject)
	}
	route := append(append(c.Trip.Destinations, c.Trip.Transit...), c.Trip.DepartFrom)
	keys := map[string]bool{}
	for _, g := range c.Grantors {
		if g.Key != w.id(holder) {
			keys[g.Key] = true
		}
	}
	need, mode := 1, c.Mode == vc.ModeOneGuardian || c.Mode == vc.ModeThirdParty || c.Mode == vc.ModeGroup
	if holder != "mother" && holder != "father" {
		need, mode = 2, c.Mode == vc.ModeThirdParty || c.Mode == vc.ModeGroup
	}
	if !notary || c.ChildRef != refAmina || !mode || len(keys) < need || !slices.Contains(route, "UGA") || !slices.Contains(route, "KEN") ||
		c.Trip.NotBefore > "2026-11-20" || c.Trip.NotAfter != "" && c.Trip.NotAfter < "2026-11-20" ||
		!slices.Contains([]string{"selfSigned", "witnessed", "notarised"}, c.Assurance.Level) {
		t.Fatalf("%s is green with %s (notary: %v)", holder, subject, notary)
	}
}

// FuzzPolicy: whatever bytes stand where a policy should, the bundle is refused
// or what is red for every border stays red.
func FuzzPolicy(f *testing.F) {
	w := newWorld(f)
	red := map[string]string{
		"another's mandate": w.present("thief", w.issue(w.birth()), w.issue(w.mandate("mother"))),
		"nobody agreed":     birthOnly(w),
	}
	fam := newFamily(w)
	red["one of two agreed"] = w.present("aunt", fam.of("child"), fam.of("mother"), fam.witnessed(vc.RoleNotary, fam.consent(vc.ModeThirdParty, "mother")))
	withdrawn := fam.witnessed(vc.RoleNotary, fam.consent(vc.ModeThirdParty, "mother", "father"))
	w.setOn(withdrawn, 0, vc.PurposeRevocation)
	red["withdrawn"] = w.present("aunt", fam.of("child"), fam.of("mother"), fam.of("father"), withdrawn)
	stays := w.mandate("mother")
	stays.Constraints = &vc.Constraints{NoRemoval: true}
	red["an order against leaving"] = w.present("mother", w.issue(w.birth()), w.issue(stays))
	payload := w.payload()
	payload.Policies = nil
	parts, err := payload.parts(&w.trust)
	if err != nil {
		f.Fatal(err)
	}
	header := bundle.Header{ID: payload.ID, Sequence: payload.Sequence, CreatedAt: payload.CreatedAt, TrustList: w.trust.Sequence}
	for name, raw := range policy.ShippedFiles() {
		for _, country := range []string{"BRA", "ZAF", "GBR"} {
			raw = []byte(strings.ReplaceAll(string(raw), `"country": "`+country+`"`, `"country": "UGA"`))
		}
		f.Add(string(raw))
		f.Add(strings.ReplaceAll(string(raw), "RED", "AMBER"))
		f.Add(strings.ReplaceAll(string(raw), `"need": [`, `"need": [], "was": [`))
		if name == "GENERIC.json" {
			f.Add(strings.ReplaceAll(string(raw), "18", "15"))
		}
	}
	f.Add(``)
	f.Add(`null`)
	f.Add(`{},{}`)
	f.Fuzz(func(t *testing.T, raw string) {
		data, err := bundle.Pack(header, append(slices.Clone(parts), bundle.Part{Name: partPolicies, Bytes: []byte("[" + raw + "]")}), w.hub)
		if err != nil {
			t.Skip()
		}
		b, err := Open(data, w.anchors())
		if err != nil {
			return
		}
		facts := kenya
		for name, shown := range red {
			facts.Company = ""
			if name == "nobody agreed" {
				facts.Company = CompanyThirdParty
			}
			d, _, err := Check(shown, b, facts, History{}, now)
			if err != nil {
				t.Fatal(err)
			}
			if d.Colour != Red {
				t.Fatalf("%s: %s %v with the policy %s", name, d.Colour, d.Codes(), raw)
			}
			wellFormed(t, d)
		}
	})
}
