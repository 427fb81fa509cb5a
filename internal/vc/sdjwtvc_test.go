package vc

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/vectest"
)

const sdvIssuer = "did:web:r.example"

func sdvBirth() Birth {
	return Birth{
		ChildRef: "jWoSldc3ms1i4ycXe2mjtQ", RecordVersion: 2, Circumstance: "refugeeHostState",
		Names: []Name{
			{Kind: "legal", Script: "Latn", Given: []string{"Kavya"}, Family: []string{"Gurung"}, MRZ: &MRZ{Primary: "GURUNG", Secondary: "KAVYA"}},
			{Kind: "former", Script: "Deva", Full: "काव्या"},
		},
		BirthDate:   UncertainDate{Value: "2010-03-05", Precision: "day", Basis: "medicalRecord"},
		TimeOfBirth: "04:30",
		Sex:         2,
		PlaceOfBirth: Place{Status: "known", Country: "NPL", AdminArea: "Gandaki", Locality: "Pokhara",
			FacilityType: "healthFacility", FacilityID: "F-17"},
		MultipleBirth: &MultipleBirth{Plurality: 2, Order: 1},
		Parentage: []Parent{
			{Role: "mother", Status: "known", Names: []Name{{Kind: "legal", Script: "Latn", Full: "Asha Gurung"}}},
			{Role: "father", Status: "undeclared"},
		},
		Registration: Registration{Number: "NPL-2010-000123", Authority: "https://registry.npl.example", Office: "Pokhara 4",
			Date: "2010-04-01", Mode: "timely", Informant: "mother"},
		Amendment:       &Amendment{Reason: "sexMarker", Effective: "2020-01-01", Sealed: true},
		TravelDocuments: []Identifier{{Type: "passport", Value: "P123", Issuer: "NPL"}, {Type: "laissezPasser", Value: "L9"}},
		Portrait:        &Portrait{SHA256: strings.Repeat("a", 43), Media: "image/jpeg", CapturedAt: "2025-01-01", RecaptureBy: "2028-01-01"},
	}
}

func sdvGuardianship() Guardianship {
	yes := true
	return Guardianship{
		ID: "did:key:zSomebody",
		Guardian: Guardian{
			Kind: "naturalPerson", HolderKey: "did:key:zSomebody", PersonRef: "P-77",
			Names: []Name{{Kind: "legal", Script: "Latn", Full: "Asha Gurung"}, {Kind: "alias", Script: "Latn", Full: "Asha G"}},
			BirthDate: &UncertainDate{
				Value: "1985", Precision: "year", Basis: "documentary",
			},
			Documents: []Identifier{{Type: "passport", Value: "P9", Issuer: "NPL"}},
			Delegates: []string{"did:key:zOfficer"},
		},
		Ward:       Ward{ChildRef: "jWoSldc3ms1i4ycXe2mjtQ", BirthCredential: "urn:uuid:11111111-2222-4333-8444-555555555555"},
		Role:       "mother",
		LegalBasis: LegalBasis{Type: "courtOrder", Law: "NPL", Hague1996Art40: &yes, Authority: "Court", Reference: "C-1", DecidedOn: "2020-02-02", Finality: "final"},
		Powers:     []string{"travelAccompany", "travelConsent"},
		Exercise:   Exercise{Mode: "joint", JointFor: []string{"travelConsent"}, Quorum: 2, CoGuardianCount: 2},
		Constraints: &Constraints{
			AllowedCountries: []string{"NPL", "IND"}, DeniedCountries: []string{"CHN"}, MaxAbsenceDays: 30, Supervised: true, NoRemoval: true, Conditions: "with the aunt",
		},
		Effective:   Effective{From: "2020-02-02", Until: "2030-01-01", ReviewBy: "2027-01-01"},
		Termination: Termination{MajorityAge: 18, MajorityLaw: "NPL", Events: []string{"majority"}, Revokers: []string{"court"}},
	}
}

func sdvMeta(holder crypto.PublicKey) SDMeta {
	return SDMeta{
		Issuer: sdvIssuer, Holder: holder, From: sdjNow, Until: sdjNow.AddDate(1, 0, 0),
		Status: TokenStatus{URI: "https://r.example/status/1", Index: 4711},
	}
}

// sdvPolicy knows the key of one issuer.
func sdvPolicy(s keys.Signer) SDPolicy {
	return SDPolicy{
		Keys: func(method string) (crypto.PublicKey, string, error) {
			if method != s.KID {
				return nil, "", errors.New("no such key")
			}
			return s.Public(), sdvIssuer, nil
		},
		Now:     sdjNow.Add(time.Minute),
		Binding: KeyBinding{Audience: "https://v.example", Nonce: "n"},
	}
}

func sdvIssue(t testing.TB, s keys.Signer, claims []byte, disclosable []string, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	u, err := PrepareSDJWTVC(claims, disclosable)
	if err != nil {
		t.Fatalf("%v %+v", err, fault.As(err).Fields)
	}
	text, err := u.Sign(s)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := u.Sign(s); !errors.Is(err, ErrSignedAlready) || again != "" {
		t.Fatal("signed twice", err)
	}
	return text
}

func sdvPresent(t testing.TB, text string, holder keys.Signer, p Presenting) string {
	t.Helper()
	x, err := SplitSDJWT(text, TypSDJWTVC)
	if err != nil {
		t.Fatal(err)
	}
	p.Holder, p.Audience, p.Nonce, p.At = &holder, "https://v.example", "n", sdjNow.Add(time.Minute)
	shown, err := x.Present(p)
	if err != nil {
		t.Fatal(err)
	}
	return shown
}

func TestAgeEqualOrOver(t *testing.T) {
	day := func(s string) Date {
		d, err := ParseDate(s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	for _, c := range []struct {
		born UncertainDate
		on   string
		want string // ages that are true
	}{
		{UncertainDate{Value: "2008-03-05", Precision: "day"}, "2026-03-04", "13 15 16"},
		{UncertainDate{Value: "2008-03-05", Precision: "day"}, "2026-03-05", "13 15 16 18"},
		{UncertainDate{Value: "2008-03", Precision: "month"}, "2026-03-30", "13 15 16"},
		{UncertainDate{Value: "2008-03", Precision: "month"}, "2026-03-31", "13 15 16 18"},
		{UncertainDate{Value: "2008", Precision: "year"}, "2026-12-30", "13 15 16"},
		{UncertainDate{Value: "2008", Precision: "year"}, "2026-12-31", "13 15 16 18"},
		{UncertainDate{Precision: "range", Earliest: "2000-01-01", Latest: "2010-06-01"}, "2026-05-31", "13 15"},
		{UncertainDate{Precision: "range", Earliest: "2000-01-01", Latest: "2010-06-01"}, "2026-06-01", "13 15 16"},
		{UncertainDate{Precision: "range", Value: "1990", Earliest: "2000-01-01", Latest: "2010-06-01"}, "2026-06-01", "13 15 16"},
		{UncertainDate{Precision: "range", Earliest: "2010-06-01", Latest: "2000-01-01"}, "2026-06-01", ""},
		{UncertainDate{Precision: "unknown"}, "2026-06-01", ""},
		{UncertainDate{Precision: "unknown", Value: "1990-01-01"}, "2026-06-01", ""},
		{UncertainDate{Value: "1990-02-30", Precision: "day"}, "2026-06-01", ""},
		{UncertainDate{}, "2026-06-01", ""},
		{UncertainDate{Value: "2008-02-29", Precision: "day"}, "2026-02-28", "13 15 16"},
		{UncertainDate{Value: "2008-02-29", Precision: "day"}, "2026-03-01", "13 15 16 18"},
		{UncertainDate{Value: "2030-01-01", Precision: "day"}, "2026-06-01", ""},
		{UncertainDate{Value: "1950-01-01", Precision: "day"}, "2026-06-01", "13 15 16 18 21"},
	} {
		got := AgeEqualOrOver(c.born, day(c.on))
		var over []string
		for _, n := range ageSteps {
			is, there := got[strconv.Itoa(n)]
			if !there {
				t.Errorf("%+v: %d is left out", c.born, n)
			}
			if is {
				over = append(over, strconv.Itoa(n))
			}
		}
		if strings.Join(over, " ") != c.want || len(got) != 5 {
			t.Errorf("%+v on %s: %v, want %s", c.born, c.on, over, c.want)
		}
	}
	if got := AgeEqualOrOver(UncertainDate{Value: "1950-01-01", Precision: "day"}, Date{}); got["13"] {
		t.Error("an age without a day")
	}
}

// TestBirthShownApart shows each part of a birth credential alone: what comes
// out is the envelope and that part, and nothing else.
func TestBirthShownApart(t *testing.T) {
	issuer, holder := sdjSigner(t, keys.ES256), sdjSigner(t, keys.EdDSA)
	claims, list, err := BirthSDJWTVC(sdvBirth(), sdvMeta(holder.Public()))
	text := sdvIssue(t, issuer, claims, list, err)
	full := sdvClaims(t, string(claims))
	envelope := map[string]any{"age_equal_or_over": map[string]any{}}
	for _, name := range []string{"iss", "vct", "nbf", "exp", "cnf", "status"} {
		envelope[name] = full[name]
	}
	names := full["names"].([]any)
	parents := full["parentage"].([]any)
	registration := full["registration"].(map[string]any)
	documents := full["travelDocuments"].([]any)

	for name, c := range map[string]struct {
		show Presenting
		add  map[string]any
	}{
		"nothing":             {Presenting{}, nil},
		"13":                  {Presenting{Disclose: []string{"/age_equal_or_over/13"}}, map[string]any{"age_equal_or_over": map[string]any{"13": true}}},
		"18":                  {Presenting{Disclose: []string{"/age_equal_or_over/18"}}, map[string]any{"age_equal_or_over": map[string]any{"18": false}}},
		"21":                  {Presenting{Disclose: []string{"/age_equal_or_over/21"}}, map[string]any{"age_equal_or_over": map[string]any{"21": false}}},
		"legal name":          {Presenting{Disclose: []string{"/names/0"}}, map[string]any{"names": []any{names[0]}}},
		"former name":         {Presenting{Disclose: []string{"/names/1"}}, map[string]any{"names": []any{names[1]}}},
		"all names":           {Presenting{Whole: []string{"/names"}}, map[string]any{"names": names}},
		"date of birth":       {Presenting{Disclose: []string{"/birthDate"}}, map[string]any{"birthDate": full["birthDate"]}},
		"sex":                 {Presenting{Disclose: []string{"/sex"}}, map[string]any{"sex": full["sex"]}},
		"country of birth":    {Presenting{Disclose: []string{"/placeOfBirth/country"}}, map[string]any{"placeOfBirth": map[string]any{"country": "NPL"}}},
		"place of birth":      {Presenting{Whole: []string{"/placeOfBirth"}}, map[string]any{"placeOfBirth": full["placeOfBirth"]}},
		"mother":              {Presenting{Disclose: []string{"/parentage/0"}}, map[string]any{"parentage": []any{parents[0]}}},
		"father":              {Presenting{Disclose: []string{"/parentage/1"}}, map[string]any{"parentage": []any{parents[1]}}},
		"parentage":           {Presenting{Whole: []string{"/parentage"}}, map[string]any{"parentage": parents}},
		"registration number": {Presenting{Disclose: []string{"/registration/number"}}, map[string]any{"registration": map[string]any{"number": registration["number"]}}},
		"registration":        {Presenting{Whole: []string{"/registration"}}, map[string]any{"registration": registration}},
		"second document":     {Presenting{Disclose: []string{"/travelDocuments/1"}}, map[string]any{"travelDocuments": []any{documents[1]}}},
		"portrait":            {Presenting{Disclose: []string{"/portrait"}}, map[string]any{"portrait": full["portrait"]}},
		"reference":           {Presenting{Disclose: []string{"/childRef", "/recordVersion"}}, map[string]any{"childRef": full["childRef"], "recordVersion": full["recordVersion"]}},
		"circumstance":        {Presenting{Disclose: []string{"/circumstance"}}, map[string]any{"circumstance": full["circumstance"]}},
		"twin":                {Presenting{Disclose: []string{"/multipleBirth"}}, map[string]any{"multipleBirth": full["multipleBirth"]}},
		"hour":                {Presenting{Disclose: []string{"/timeOfBirth"}}, map[string]any{"timeOfBirth": full["timeOfBirth"]}},
		"amendment":           {Presenting{Disclose: []string{"/amendment"}}, map[string]any{"amendment": full["amendment"]}},
		"all":                 {Presenting{Disclose: list}, full},
	} {
		v, err := VerifySDJWTVC(sdvPresent(t, text, holder, c.show), sdvPolicy(issuer))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want := maps.Clone(envelope)
		maps.Copy(want, c.add)
		if !reflect.DeepEqual(sdvClaims(t, string(v.Claims)), want) {
			t.Errorf("%s: %s", name, v.Claims)
		}
		if v.Issuer != sdvIssuer || v.Type != VctBirth || v.KeyID != issuer.KID || !sameKey(v.Holder, holder.Public()) ||
			v.Status == nil || *v.Status != sdvMeta(nil).Status || !v.NotBefore.Equal(sdjNow) || !v.Expires.Equal(sdjNow.AddDate(1, 0, 0)) {
			t.Errorf("%s: %+v", name, v)
		}
	}
}

func sdvClaims(t testing.TB, text string) map[string]any {
	t.Helper()
	m, err := sdObject([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestBirthTellsNothingHidden compares a full record and a scant one: what a
// verifier sees of both without disclosures has the same members and as many
// digests.
func TestBirthTellsNothingHidden(t *testing.T) {
	issuer, holder := sdjSigner(t, keys.EdDSA), sdjSigner(t, keys.EdDSA)
	scant := sdvBirth()
	scant.Names, scant.Parentage = scant.Names[:1], []Parent{}
	scant.TimeOfBirth, scant.MultipleBirth, scant.Amendment, scant.TravelDocuments, scant.Portrait = "", nil, nil, nil, nil
	scant.PlaceOfBirth = Place{Status: "known", Country: "NPL"}
	scant.Registration.Office, scant.Registration.Informant = "", ""

	hidden := map[string][]int{}
	for _, b := range []Birth{sdvBirth(), scant} {
		claims, list, err := BirthSDJWTVC(b, sdvMeta(holder.Public()))
		text := sdvIssue(t, issuer, claims, list, err)
		for _, whole := range []string{"", "/names", "/parentage", "/placeOfBirth", "/registration"} {
			var p Presenting
			if whole != "" {
				p.Disclose = []string{whole}
			}
			v, err := VerifySDJWTVC(sdvPresent(t, text, holder, p), sdvPolicy(issuer))
			if err != nil {
				t.Fatal(err)
			}
			hidden[whole] = append(hidden[whole], v.Hidden)
		}
		payload, err := b64.DecodeString(strings.Split(text, ".")[1])
		if err != nil {
			t.Fatal(err)
		}
		members := slices.Sorted(maps.Keys(sdvClaims(t, string(payload))))
		if got := strings.Join(members, " "); got != "_sd _sd_alg age_equal_or_over cnf exp iss nbf status vct" {
			t.Errorf("visible members: %s", got)
		}
		for _, secret := range []string{b.ChildRef, "Kavya", "NPL", "2010", "refugee", "Gurung", "mother"} {
			if strings.Contains(string(payload), secret) {
				t.Errorf("the payload tells %s", secret)
			}
		}
	}
	for at, n := range hidden {
		if n[0] != n[1] {
			t.Errorf("%q: %d digests are hidden in a full record and %d in a scant one", at, n[0], n[1])
		}
	}
}

// guardianshipHides is all that a guardian may keep back.
var guardianshipHides = []string{
	"/guardian/birthDate", "/guardian/documents", "/guardian/documents/0", "/guardian/names", "/guardian/names/0", "/guardian/names/1",
	"/guardian/personRef", "/ward/birthCredential",
}

func TestGuardianshipHidesOnlyWho(t *testing.T) {
	issuer, holder := sdjSigner(t, keys.ES256), sdjSigner(t, keys.ES256)
	claims, list, err := GuardianshipSDJWTVC(sdvGuardianship(), sdvMeta(holder.Public()))
	text := sdvIssue(t, issuer, claims, list, err)
	if !slices.Equal(slices.Sorted(slices.Values(list)), guardianshipHides) {
		t.Errorf("disclosable: %q", list)
	}
	for _, at := range list {
		for _, never := range []string{"/powers", "/legalBasis", "/constraints", "/exercise"} {
			if at == never || below(at, never) || below(never, at) {
				t.Errorf("%s can be hidden", at)
			}
		}
	}
	full := sdvClaims(t, string(claims))
	if _, there := full["guardian"].(map[string]any)["holderKey"]; there || full["id"] != nil {
		t.Error("the holder's key is in cnf and nowhere else")
	}
	want := maps.Clone(full)
	want["guardian"] = map[string]any{"kind": "naturalPerson", "delegates": []any{"did:key:zOfficer"}}
	want["ward"] = map[string]any{"childRef": sdvGuardianship().Ward.ChildRef}
	v, err := VerifySDJWTVC(sdvPresent(t, text, holder, Presenting{}), sdvPolicy(issuer))
	if err != nil || !reflect.DeepEqual(sdvClaims(t, string(v.Claims)), want) {
		t.Fatalf("without disclosures: %v %+v", err, v)
	}
	v, err = VerifySDJWTVC(sdvPresent(t, text, holder, Presenting{Disclose: []string{"/guardian/names/0"}}), sdvPolicy(issuer))
	if err != nil || v.Type != VctGuardianship || !slices.Equal(v.Disclosed, []string{"/guardian/names", "/guardian/names/0"}) {
		t.Fatal(err)
	}

	// A mandate without constraints says so.
	g := sdvGuardianship()
	g.Constraints = nil
	claims, list, err = GuardianshipSDJWTVC(g, sdvMeta(holder.Public()))
	text = sdvIssue(t, issuer, claims, list, err)
	if v, err := VerifySDJWTVC(sdvPresent(t, text, holder, Presenting{}), sdvPolicy(issuer)); err != nil || !strings.Contains(string(v.Claims), `"constraints":{}`) {
		t.Error(err)
	}
}

// everyPointer lists all pointers into v.
func everyPointer(v any, at string) []string {
	list := []string{at}
	switch x := v.(type) {
	case []any:
		for i := range x {
			list = append(list, everyPointer(x[i], at+"/"+strconv.Itoa(i))...)
		}
	case map[string]any:
		for name := range x {
			list = append(list, everyPointer(x[name], at+"/"+escapePointer(name))...)
		}
	}
	return list
}

// TestMakerHidesNothingElse tries to make every single claim of both types
// disclosable: those of the type metadata pass, all others are refused.
func TestMakerHidesNothingElse(t *testing.T) {
	holder := sdjSigner(t, keys.EdDSA)
	tried := 0
	for _, make := range []func() ([]byte, []string, error){
		func() ([]byte, []string, error) { return BirthSDJWTVC(sdvBirth(), sdvMeta(holder.Public())) },
		func() ([]byte, []string, error) {
			return GuardianshipSDJWTVC(sdvGuardianship(), sdvMeta(holder.Public()))
		},
	} {
		claims, list, err := make()
		if err != nil {
			t.Fatal(err)
		}
		root := sdvClaims(t, string(claims))
		rule := sdTypes()[root["vct"].(string)]
		for _, at := range everyPointer(root, "") {
			tried++
			if slices.Contains(list, at) {
				if u, err := PrepareSDJWTVC(claims, slices.DeleteFunc(slices.Clone(list), func(x string) bool { return x == at })); !errors.Is(err, ErrVctOpen) || u != nil {
					t.Errorf("%s may stay open: %v", at, err)
				}
				continue
			}
			if u, err := PrepareSDJWTVC(claims, append(slices.Clone(list), at)); !errors.Is(err, ErrNotDisclosable) || u != nil {
				t.Errorf("%s can be hidden: %v", at, err)
			}
			// Nor by what stands below the check of the metadata.
			for _, never := range rule.never {
				if at != never && !below(at, never) {
					continue
				}
				if _, _, err := MakeSDJWT(claims, []string{at}, SDOptions{Never: rule.never}); !errors.Is(err, ErrNotDisclosable) {
					t.Errorf("%s can be hidden by the maker: %v", at, err)
				}
			}
		}
		if _, err := PrepareSDJWTVC(claims, append(slices.Clone(list), "/nobody")); !errors.Is(err, ErrNotDisclosable) {
			t.Error(err)
		}
	}
	t.Logf("%d claims tried", tried)
	if tried < 150 {
		t.Errorf("only %d claims tried", tried)
	}
}

// sdvRaw signs claims with everything in hide hidden, whatever the rules say,
// as a careless or dishonest issuer would, and presents disclosures of show.
func sdvRaw(t testing.TB, issuer, holder keys.Signer, claims map[string]any, hide, show []string) string {
	t.Helper()
	data, err := compactJSON(claims)
	if err != nil {
		t.Fatal(err)
	}
	payload, list, err := MakeSDJWT(data, hide, SDOptions{})
	if err != nil {
		t.Fatal(hide, err)
	}
	text, err := SignSDJWT(issuer, TypSDJWTVC, "", payload, list)
	if err != nil {
		t.Fatal(err)
	}
	return sdvPresent(t, text, holder, Presenting{Whole: show})
}

// TestVerifierRefusesHiddenMandate: whatever an issuer let hide of a mandate
// besides who the guardian is, shown or kept back, is refused.
func TestVerifierRefusesHiddenMandate(t *testing.T) {
	issuer, holder := sdjSigner(t, keys.ES256), sdjSigner(t, keys.EdDSA)
	claims, list, err := GuardianshipSDJWTVC(sdvGuardianship(), sdvMeta(holder.Public()))
	if err != nil {
		t.Fatal(err)
	}
	root := sdvClaims(t, string(claims))
	if _, err := VerifySDJWTVC(sdvRaw(t, issuer, holder, root, list, nil), sdvPolicy(issuer)); err != nil {
		t.Fatal("what all cases start from is refused", err)
	}
	tried := 0
	for _, at := range everyPointer(root, "") {
		if at == "" || at == "/cnf" || below(at, "/cnf") || slices.Contains(list, at) || below(at, "/guardian/names") || below(at, "/guardian/documents") {
			continue
		}
		for _, show := range [][]string{nil, {at}} {
			tried++
			v, err := VerifySDJWTVC(sdvRaw(t, issuer, holder, root, []string{at}, show), sdvPolicy(issuer))
			if err != nil && v != nil {
				t.Fatal("a failed verification gave a credential")
			}
			want := error(ErrNotDisclosable)
			if show == nil {
				// Who the guardian is may be kept back beside these, and the
				// envelope is read first.
				switch at {
				case "/guardian/kind", "/ward/childRef":
					want = ErrVctIncomplete
				case "/iss", "/vct":
					want = ErrVctClaims
				case "/guardian/delegates": // they lose by it, nobody else
					want = nil
				}
			}
			if want == nil && err != nil || want != nil && !errors.Is(err, want) {
				t.Errorf("%s, shown %v: %v, want %v", at, show != nil, err, want)
			}
		}
	}
	// A decoy at the root cannot be told from a hidden order, so it is one.
	for _, pad := range []string{"", "/constraints", "/constraints/deniedCountries", "/powers", "/exercise", "/legalBasis"} {
		payload, disclosures, err := MakeSDJWT(claims, list, SDOptions{Pad: map[string]int{pad: 9}})
		if err != nil {
			t.Fatal(err)
		}
		text, err := SignSDJWT(issuer, TypSDJWTVC, "", payload, disclosures)
		if err != nil {
			t.Fatal(err)
		}
		if v, err := VerifySDJWTVC(sdvPresent(t, text, holder, Presenting{}), sdvPolicy(issuer)); !errors.Is(err, ErrNotDisclosable) || v != nil {
			t.Errorf("a digest at %q: %v", pad, err)
		}
	}
	t.Logf("%d attempts", tried)
	if tried < 100 {
		t.Errorf("only %d attempts", tried)
	}
}

// TestVerifierRefusesIncompleteMandate removes or spoils each claim of a
// mandate that must be visible.
func TestVerifierRefusesIncompleteMandate(t *testing.T) {
	issuer, holder := sdjSigner(t, keys.ES256), sdjSigner(t, keys.EdDSA)
	claims, _, err := GuardianshipSDJWTVC(sdvGuardianship(), sdvMeta(holder.Public()))
	if err != nil {
		t.Fatal(err)
	}
	gone := []string{"powers", "legalBasis", "constraints", "exercise", "effective", "termination", "role", "ward", "guardian", "status", "exp", "nbf"}
	inner := []string{"legalBasis/type", "legalBasis/law", "exercise/mode", "effective/from", "termination/majorityAge", "termination/majorityLaw", "ward/childRef", "guardian/kind"}
	for _, at := range append(gone, inner...) {
		root := sdvClaims(t, string(claims))
		outer, name, nested := strings.Cut(at, "/")
		if nested {
			delete(root[outer].(map[string]any), name)
		} else {
			delete(root, outer)
		}
		if v, err := VerifySDJWTVC(sdvRaw(t, issuer, holder, root, nil, nil), sdvPolicy(issuer)); !errors.Is(err, ErrVctIncomplete) || v != nil {
			t.Errorf("without %s: %v", at, err)
		}
		data, err := compactJSON(root)
		if err != nil {
			t.Fatal(err)
		}
		if u, err := PrepareSDJWTVC(data, sdTypes()[VctGuardianship].disclosable(root)); err == nil || u != nil {
			t.Errorf("without %s: prepared", at)
		}
	}
	for name, c := range map[string]struct {
		at   string
		v    any
		want error
	}{
		"constraints null":     {"constraints", nil, ErrVctClaims},
		"constraints a list":   {"constraints", []any{"x"}, ErrVctClaims},
		"constraints a string": {"constraints", "x", ErrVctClaims},
		"order null":           {"constraints/noRemoval", nil, ErrVctClaims},
		"order a string":       {"constraints/noRemoval", "true", ErrVctClaims},
		"order not known":      {"constraints/noRemoval2", true, ErrVctClaims},
		"powers empty":         {"powers", []any{}, ErrVctIncomplete},
		"powers a string":      {"powers", "travelAccompany", ErrVctClaims},
		"power null":           {"powers", []any{nil}, ErrVctClaims},
		"role empty":           {"role", "", ErrVctIncomplete},
		"no such date":         {"effective/from", "2020-02-30", ErrVctIncomplete},
		"until null":           {"effective/until", nil, ErrVctClaims},
		"majority null":        {"termination/majorityAge", nil, ErrVctClaims},
		"majority zero":        {"termination/majorityAge", 0, ErrVctIncomplete},
		"mode null":            {"exercise/mode", nil, ErrVctClaims},
		"a claim of no type":   {"parole", "x", ErrVctClaims},
	} {
		root := sdvClaims(t, string(claims))
		outer, inside, nested := strings.Cut(c.at, "/")
		if nested {
			root[outer].(map[string]any)[inside] = c.v
		} else {
			root[outer] = c.v
		}
		if v, err := VerifySDJWTVC(sdvRaw(t, issuer, holder, root, nil, nil), sdvPolicy(issuer)); !errors.Is(err, c.want) || v != nil {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestVerifySDJWTVCRefuses(t *testing.T) {
	issuer, holder := sdjSigner(t, keys.ES256), sdjSigner(t, keys.EdDSA)
	claims, list, err := BirthSDJWTVC(sdvBirth(), sdvMeta(holder.Public()))
	text := sdvIssue(t, issuer, claims, list, err)
	shown := sdvPresent(t, text, holder, Presenting{Disclose: []string{"/age_equal_or_over/18"}})
	good := sdvPolicy(issuer)
	if _, err := VerifySDJWTVC(shown, good); err != nil {
		t.Fatal("what all cases start from is refused", err)
	}
	none := good
	none.Binding = KeyBinding{None: true}
	if _, err := VerifySDJWTVC(text, none); err != nil {
		t.Fatal(err)
	}
	with := func(change map[string]any, hide ...string) string {
		root := sdvClaims(t, string(claims))
		maps.Copy(root, change)
		for name, v := range change {
			if v == "absent" {
				delete(root, name)
			}
		}
		return sdvRaw(t, issuer, holder, root, hide, hide)
	}
	policy := func(change func(*SDPolicy)) SDPolicy {
		p := sdvPolicy(issuer)
		change(&p)
		return p
	}
	at := func(now time.Time) SDPolicy { return policy(func(p *SDPolicy) { p.Now = now }) }
	noKID := issuer
	noKID.KID = ""
	stranger := sdjSigner(t, keys.ES256)
	iss := sdvClaims(t, string(claims))
	payload, err := compactJSON(iss)
	if err != nil {
		t.Fatal(err)
	}
	sign := func(s keys.Signer, typ string) string {
		text, err := SignSDJWT(s, typ, "", payload, nil)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	late := sdjNow.AddDate(1, 0, 0)
	fresh := func(p SDPolicy) SDPolicy { p.Binding.MaxAge = 1000 * 24 * time.Hour; return p }
	unchecked := SDPolicy{Keys: good.Keys, Now: good.Now, Binding: KeyBinding{None: true}}

	for name, c := range map[string]struct {
		text string
		p    SDPolicy
		want error
	}{
		"zero policy":         {shown, SDPolicy{}, ErrVctPolicy},
		"no keys":             {shown, policy(func(p *SDPolicy) { p.Keys = nil }), ErrVctPolicy},
		"no time":             {shown, at(time.Time{}), ErrVctPolicy},
		"zero binding":        {shown, policy(func(p *SDPolicy) { p.Binding = KeyBinding{} }), ErrBindingAudience},
		"another audience":    {shown, policy(func(p *SDPolicy) { p.Binding.Audience = "x" }), ErrBindingAudience},
		"another nonce":       {shown, policy(func(p *SDPolicy) { p.Binding.Nonce = "x" }), ErrBindingNonce},
		"not bound":           {text, good, ErrBindingMissing},
		"bound, not asked":    {shown, none, ErrBindingUnexpected},
		"too old":             {shown, at(good.Now.Add(time.Hour)), ErrBindingTime},
		"expired":             {shown, fresh(at(late)), ErrVctExpired},
		"not yet":             {sdvRaw(t, issuer, holder, mapWith(iss, "nbf", good.Now.Add(31*time.Second).Unix()), nil, nil), good, ErrVctNotYet},
		"end before start":    {with(map[string]any{"exp": sdjNow.Unix() - 1}), good, ErrVctClaims},
		"exp a string":        {with(map[string]any{"exp": "2030"}), good, ErrVctClaims},
		"exp null":            {with(map[string]any{"exp": nil}), good, ErrVctClaims},
		"nbf negative":        {with(map[string]any{"nbf": -5}), good, ErrVctClaims},
		"exp absent":          {with(map[string]any{"exp": "absent"}), good, ErrVctIncomplete},
		"no issuer":           {with(map[string]any{"iss": "absent"}), good, ErrVctClaims},
		"issuer a list":       {with(map[string]any{"iss": []any{sdvIssuer}}), good, ErrVctClaims},
		"another issuer":      {with(map[string]any{"iss": "did:web:s.example"}), good, ErrVctIssuer},
		"no vct":              {with(map[string]any{"vct": "absent"}), good, ErrVctClaims},
		"vct a list":          {with(map[string]any{"vct": []any{VctBirth}}), good, ErrVctClaims},
		"vct not wanted":      {shown, policy(func(p *SDPolicy) { p.Types = []string{VctGuardianship} }), ErrVctType},
		"vct of later rules":  {with(map[string]any{"vct": VctBase + "guardianship/2"}), good, ErrVctType},
		"vct of the other":    {with(map[string]any{"vct": VctGuardianship}), good, ErrVctIncomplete},
		"integrity of others": {with(map[string]any{"vct#integrity": "sha256-AAAA"}), good, ErrVctIntegrity},
		"integrity a number":  {with(map[string]any{"vct#integrity": 1}), good, ErrVctClaims},
		"cnf a string":        {sign(issuerWith(t, issuer, &payload, mapWith(iss, "cnf", "x")), TypSDJWTVC), unchecked, ErrVctClaims},
		"no cnf":              {sign(issuerWith(t, issuer, &payload, mapWith(iss, "cnf", "absent")), TypSDJWTVC), unchecked, ErrVctIncomplete},
		"status null":         {with(map[string]any{"status": nil}), good, ErrVctStatus},
		"status empty":        {with(map[string]any{"status": map[string]any{}}), good, ErrVctStatus},
		"status by others":    {with(map[string]any{"status": map[string]any{"identifier_list": map[string]any{}}}), good, ErrVctStatus},
		"status without uri":  {with(map[string]any{"status": statusOf(nil, 1)}), good, ErrVctStatus},
		"status idx a string": {with(map[string]any{"status": statusOf("https://x", "1")}), good, ErrVctStatus},
		"status idx negative": {with(map[string]any{"status": statusOf("https://x", -1)}), good, ErrVctStatus},
		"status idx fraction": {with(map[string]any{"status": statusOf("https://x", 1.5)}), good, ErrVctStatus},
		"status idx huge":     {with(map[string]any{"status": statusOf("https://x", 1e300)}), good, ErrVctStatus},
		"iss disclosed":       {with(nil, "/iss"), good, ErrNotDisclosable},
		"exp disclosed":       {with(nil, "/exp"), good, ErrNotDisclosable},
		"nbf disclosed":       {with(nil, "/nbf"), good, ErrNotDisclosable},
		"vct disclosed":       {with(nil, "/vct"), good, ErrNotDisclosable},
		"status disclosed":    {with(nil, "/status"), good, ErrNotDisclosable},
		"idx disclosed":       {with(nil, "/status/status_list/idx"), good, ErrNotDisclosable},
		"key disclosed":       {sdvUnbound(t, issuer, iss, "/cnf"), unchecked, ErrNotDisclosable},
		"inside the key":      {sdvUnbound(t, issuer, iss, "/cnf/jwk/x"), unchecked, ErrNotDisclosable},
		"ages disclosed":      {with(nil, "/age_equal_or_over"), good, ErrNotDisclosable},
		"inside a name":       {with(nil, "/names/0/given"), good, ErrNotDisclosable},
		"age a string":        {with(map[string]any{"age_equal_or_over": map[string]any{"18": "true"}}), good, ErrVctClaims},
		"age of no step":      {with(map[string]any{"age_equal_or_over": map[string]any{"12": true}}), good, ErrVctClaims},
		"ages a list":         {with(map[string]any{"age_equal_or_over": []any{18}}), good, ErrVctClaims},
		"ages absent":         {with(map[string]any{"age_equal_or_over": "absent"}), good, ErrVctIncomplete},
		"no kid":              {sign(noKID, TypSDJWTVC), unchecked, ErrVctIssuer},
		"typ of VCDM":         {sign(issuer, TypCredentialSD), unchecked, ErrType},
		"typ JWT":             {sign(issuer, "JWT"), unchecked, ErrType},
		"stranger's key":      {sign(stranger, TypSDJWTVC), unchecked, ErrSignature},
		"a JWS alone":         {strings.TrimSuffix(sign(issuer, TypSDJWTVC), "~"), unchecked, ErrSDMalformed},
		"empty":               {"", good, ErrSDMalformed},
		"too large":           {strings.Repeat("~", maxSDJWT+1), good, ErrSDLarge},
	} {
		if v, err := VerifySDJWTVC(c.text, c.p); !errors.Is(err, c.want) || v != nil {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}

	// The key finder decides whose key it is, and its refusal stands.
	other := policy(func(p *SDPolicy) {
		p.Keys = func(string) (crypto.PublicKey, string, error) { return issuer.Public(), "did:web:s.example", nil }
	})
	if v, err := VerifySDJWTVC(shown, other); !errors.Is(err, ErrVctIssuer) || v != nil {
		t.Error(err)
	}
	nobody := policy(func(p *SDPolicy) {
		p.Keys = func(string) (crypto.PublicKey, string, error) { return nil, "", nil }
	})
	if v, err := VerifySDJWTVC(shown, nobody); !errors.Is(err, ErrSignature) || v != nil {
		t.Error(err)
	}
	refused := policy(func(p *SDPolicy) {
		p.Keys = func(string) (crypto.PublicKey, string, error) { return issuer.Public(), sdvIssuer, ErrAnchor }
	})
	if v, err := VerifySDJWTVC(shown, refused); !errors.Is(err, ErrAnchor) || v != nil {
		t.Error(err)
	}
}

// sdvUnbound is sdvRaw without a holder, and shows all.
func sdvUnbound(t testing.TB, issuer keys.Signer, claims map[string]any, hide string) string {
	t.Helper()
	data, err := compactJSON(claims)
	if err != nil {
		t.Fatal(err)
	}
	payload, list, err := MakeSDJWT(data, []string{hide}, SDOptions{})
	if err != nil {
		t.Fatal(err)
	}
	text, err := SignSDJWT(issuer, TypSDJWTVC, "", payload, list)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func mapWith(m map[string]any, name string, v any) map[string]any {
	out := maps.Clone(m)
	if out[name] = v; v == "absent" {
		delete(out, name)
	}
	return out
}

// issuerWith puts claims where the next signature of the issuer takes its
// payload from.
func issuerWith(t testing.TB, issuer keys.Signer, payload *[]byte, claims map[string]any) keys.Signer {
	t.Helper()
	data, err := compactJSON(claims)
	if err != nil {
		t.Fatal(err)
	}
	*payload = data
	return issuer
}

func statusOf(uri, idx any) map[string]any {
	list := map[string]any{"idx": idx}
	if uri != nil {
		list["uri"] = uri
	}
	return map[string]any{"status_list": list}
}

// TestSDJWTVCOfOthers: a type that is not ours is held to the standard alone.
func TestSDJWTVCOfOthers(t *testing.T) {
	issuer, holder := sdjSigner(t, keys.ES256), sdjSigner(t, keys.ES256)
	jwk, err := PublicJWK(holder.Public(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	root := sdvClaims(t, `{"iss":"`+sdvIssuer+`","vct":"urn:eudi:pid:1","given_name":"Ada","iat":1683000000,"sub":"x","cnf":{"jwk":`+string(jwk)+`}}`)
	v, err := VerifySDJWTVC(sdvRaw(t, issuer, holder, root, []string{"/given_name", "/iat", "/sub"}, []string{"/iat"}), sdvPolicy(issuer))
	if err != nil || v.Type != "urn:eudi:pid:1" || v.Hidden != 2 || v.Status != nil || !v.Expires.IsZero() {
		t.Fatalf("%v %+v", err, v)
	}
	for _, at := range []string{"/iss", "/vct", "/cnf/x"} {
		root := mapWith(root, "cnf", map[string]any{"jwk": root["cnf"].(map[string]any)["jwk"], "x": 1})
		if v, err := VerifySDJWTVC(sdvRaw(t, issuer, holder, root, []string{at}, []string{at}), sdvPolicy(issuer)); !errors.Is(err, ErrNotDisclosable) || v != nil {
			t.Errorf("%s: %v", at, err)
		}
		if v, err := VerifySDJWTVC(sdvRaw(t, issuer, holder, root, []string{at}, nil), sdvPolicy(issuer)); err == nil || v != nil {
			t.Errorf("%s kept back", at)
		}
	}
}

// TestSDJWTVCVector verifies the PID of the RFC's examples, which is an SD-JWT
// VC whose header names no key.
func TestSDJWTVCVector(t *testing.T) {
	dir := vectest.Dir(t, "sd-jwt/spec-examples/arf-pid")
	text := sdjText(t, dir, "sd_jwt_presentation.txt")
	p := SDPolicy{
		Keys:    func(string) (crypto.PublicKey, string, error) { return nil, "", errors.New("asked") },
		Now:     sdjBinding(t, dir).Now,
		Binding: sdjBinding(t, dir),
	}
	if v, err := VerifySDJWTVC(text, p); !errors.Is(err, ErrVctIssuer) || v != nil {
		t.Error("a key was found for nobody", err)
	}
}

func TestPrepareSDJWTVCRefuses(t *testing.T) {
	holder := sdjSigner(t, keys.EdDSA)
	claims, list, err := BirthSDJWTVC(sdvBirth(), sdvMeta(holder.Public()))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change map[string]any
		want   error
	}{
		"another type":      {map[string]any{"vct": "https://example.org/x"}, ErrVctType},
		"no type":           {map[string]any{"vct": "absent"}, ErrVctType},
		"no issuer":         {map[string]any{"iss": "absent"}, ErrVctClaims},
		"no end":            {map[string]any{"exp": "absent"}, ErrVctIncomplete},
		"no key":            {map[string]any{"cnf": "absent"}, ErrVctIncomplete},
		"a key of no kind":  {map[string]any{"cnf": map[string]any{"jwk": map[string]any{"kty": "oct"}}}, ErrBindingKey},
		"no status":         {map[string]any{"status": "absent"}, ErrVctIncomplete},
		"sex of no code":    {map[string]any{"sex": 7}, ErrSchema},
		"a claim too many":  {map[string]any{"religion": "x"}, ErrSchema},
		"a subject's key":   {map[string]any{"id": "did:key:z"}, ErrSchema},
		"reserved name":     {map[string]any{"_sd_alg": "md5"}, ErrSchema},
		"age of no step":    {map[string]any{"age_equal_or_over": map[string]any{"12": true}}, ErrVctClaims},
		"end before start":  {map[string]any{"exp": 5}, ErrVctClaims},
		"description":       {map[string]any{"vct#integrity": "sha256-AAAA"}, ErrVctIntegrity},
		"status not a list": {map[string]any{"status": "valid"}, ErrVctStatus},
	} {
		root := sdvClaims(t, string(claims))
		for member, v := range c.change {
			root = mapWith(root, member, v)
		}
		data, err := compactJSON(root)
		if err != nil {
			t.Fatal(err)
		}
		keep := slices.DeleteFunc(slices.Clone(list), func(at string) bool { _, ok := lookup(root, at); return !ok })
		if u, err := PrepareSDJWTVC(data, keep); !errors.Is(err, c.want) || u != nil {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if u, err := PrepareSDJWTVC([]byte(`{"a":`), nil); !errors.Is(err, ErrSDPayload) || u != nil {
		t.Error(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, pub := range []crypto.PublicKey{nil, &p384.PublicKey, "key"} {
		if c, l, err := BirthSDJWTVC(sdvBirth(), sdvMeta(pub)); !errors.Is(err, ErrJWK) || c != nil || l != nil {
			t.Errorf("%T: %v", pub, err)
		}
	}
}

// TestTypeMetadata holds the documents to the rules of the standard and to the
// list of what a mandate shows.
func TestTypeMetadata(t *testing.T) {
	files := VctFiles()
	if !slices.Equal(slices.Sorted(maps.Keys(files)), []string{"birth/1", "guardianship/1"}) {
		t.Fatal(slices.Sorted(maps.Keys(files)))
	}
	files["birth/1"][0] = 'x'
	if VctFiles()["birth/1"][0] != '{' {
		t.Error("a caller can change the built-in file")
	}
	types := sdTypes()
	for _, never := range append(slices.Clone(neverDisclosable), neverInGuardianship...) {
		for at := range types[VctGuardianship].hide {
			if at == never || below(at, never) || below(never, at) {
				t.Errorf("%s can be hidden in a guardianship", at)
			}
		}
	}
	for _, at := range []string{"/powers", "/legalBasis", "/constraints", "/exercise", "/effective", "/termination", "/role", "/ward/childRef", "/guardian/kind", "/iss", "/nbf", "/exp", "/cnf", "/vct", "/status"} {
		if !slices.Contains(types[VctGuardianship].visible, at) {
			t.Errorf("a guardianship may lack %s", at)
		}
	}
	if types[VctGuardianship].homes[""] {
		t.Error("something at the root of a guardianship can be hidden")
	}
	for vct, typ := range types {
		for _, never := range neverDisclosable {
			if typ.hide[never] {
				t.Errorf("%s: %s can be hidden", vct, never)
			}
		}
		var doc struct {
			Claims []struct {
				Path    []any `json:"path"`
				Display []struct {
					Locale, Label string
				} `json:"display"`
				SD string `json:"sd"`
			} `json:"claims"`
		}
		if err := StrictJSON(VctFiles()[strings.TrimPrefix(vct, VctBase)], &doc, MaxDepth); err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, c := range doc.Claims {
			if c.SD != "always" && c.SD != "never" || len(c.Display) != 2 || c.Display[0].Label == "" || c.Display[1].Label == "" || seen[fmt.Sprint(c.Path)] {
				t.Errorf("%s: %v", vct, c)
			}
			seen[fmt.Sprint(c.Path)] = true
		}
	}
}

func TestTypeMetadataSchema(t *testing.T) {
	dir := vectest.Dir(t, "openid4vci/sdjwtvc")
	schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(vectest.Read(t, dir, "type_metadata.json")))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("https://example.org/schema", schema); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("https://example.org/schema")
	if err != nil {
		t.Fatal(err)
	}
	for path, data := range VctFiles() {
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(doc); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// FuzzVerifySDJWTVC: whatever comes, only what the issuer signed verifies, and
// a guardianship never without its mandate.
func FuzzVerifySDJWTVC(f *testing.F) {
	issuer, holder := sdjSigner(f, keys.EdDSA), sdjSigner(f, keys.EdDSA)
	claims, list, err := GuardianshipSDJWTVC(sdvGuardianship(), sdvMeta(holder.Public()))
	text := sdvIssue(f, issuer, claims, list, err)
	shown := sdvPresent(f, text, holder, Presenting{Disclose: []string{"/guardian/names/0"}})
	f.Add(shown)
	f.Add(text)
	f.Add(sdvRaw(f, issuer, holder, sdvClaims(f, string(claims)), []string{"/constraints"}, nil))
	for _, seed := range vectest.Seeds("sd-jwt", "_presentation.txt", 50) {
		f.Add(strings.ReplaceAll(string(seed), "\n", ""))
	}
	p := sdvPolicy(issuer)
	f.Fuzz(func(t *testing.T, input string) {
		v, err := VerifySDJWTVC(input, p)
		if err != nil {
			if v != nil {
				t.Fatal("a failed verification gave a credential")
			}
			return
		}
		if input != shown {
			t.Fatal("a presentation verifies that the holder did not make")
		}
		var g Guardianship
		if err := json.Unmarshal(v.Claims, &g); err != nil || g.Constraints == nil || !g.Constraints.NoRemoval || len(g.Powers) != 2 {
			t.Fatal("a mandate without its orders")
		}
	})
}
