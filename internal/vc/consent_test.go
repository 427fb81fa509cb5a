package vc

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/keys"
)

const goodConsent = `{"childRef":"jWoSldc3ms1i4ycXe2mjtQ","grantors":[{"guardianshipCredential":"urn:uuid:6f2c7f0e-8f1c-4b5e-9a57-0d0b4d6b1c11","key":"did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"}],` +
	`"mode":"withOneGuardian","trip":{"departFrom":"NPL","destinations":["IND"],"notBefore":"2026-12-01","notAfter":"2026-12-20","crossings":2},` +
	`"assurance":{"level":"selfSigned"},"nonce":"AAAAAAAAAAAAAAAAAAAAAA","grantedOn":"2026-11-20"}`

func consentCredential(subject string) []byte {
	entry := func(purpose string) string {
		return `{"type":"BitstringStatusListEntry","statusPurpose":"` + purpose + `","statusListIndex":"7","statusListCredential":"https://r.example/status/` + purpose + `/9"}`
	}
	return []byte(`{"@context":["` + ContextV2 + `","` + ContextKinpass + `"],"id":"urn:uuid:6f2c7f0e-8f1c-4b5e-9a57-0d0b4d6b1c12","type":["VerifiableCredential","TravelConsentCredential"],` +
		`"issuer":"did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK","validFrom":"2026-11-20T10:00:00Z","validUntil":"2026-12-21T00:00:00Z","credentialSubject":` + subject +
		`,"credentialStatus":[` + entry("revocation") + `,` + entry("suspension") + `],"credentialSchema":{"id":"` + SchemaConsent + `","type":"JsonSchema"}}`)
}

func TestPrepareConsent(t *testing.T) {
	k, err := keys.New("grantor", "", keys.EdDSA, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	u, err := Prepare(consentCredential(goodConsent))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := u.Sign(k.Signer("did:key:x#x")); err != nil {
		t.Fatal(err)
	}
	var c TravelConsent
	if err := DecodeChecked([]byte(goodConsent), &c); err != nil || c.Mode != ModeOneGuardian || c.Trip.Crossings != 2 || len(c.Grantors) != 1 {
		t.Fatalf("%+v, %v", c, err)
	}
	for name, change := range map[string][2]string{
		"no grantor":                {`"grantors":[{"guardianshipCredential":"urn:uuid:6f2c7f0e-8f1c-4b5e-9a57-0d0b4d6b1c11","key":"did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"}]`, `"grantors":[]`},
		"unknown mode":              {`"withOneGuardian"`, `"withAnybody"`},
		"third party without adult": {`"withOneGuardian"`, `"withThirdParty"`},
		"alone without receiver":    {`"withOneGuardian"`, `"alone"`},
		"no destination":            {`["IND"]`, `[]`},
		"crossings":                 {`"crossings":2`, `"crossings":21`},
		"another member":            {`"mode"`, `"religion":"x","mode"`},
		"level":                     {`"selfSigned"`, `"sworn"`},
	} {
		if !strings.Contains(goodConsent, change[0]) {
			t.Fatalf("%s: nothing to change", name)
		}
		if _, err := Prepare(consentCredential(strings.Replace(goodConsent, change[0], change[1], 1))); err == nil {
			t.Errorf("%s: may be signed", name)
		}
	}
}

func TestConsentDigest(t *testing.T) {
	digest := func(s string) string {
		d, err := ConsentDigest([]byte(s))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	var v any
	if err := json.Unmarshal([]byte(goodConsent), &v); err != nil {
		t.Fatal(err)
	}
	reordered, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	if digest(goodConsent) != digest(string(reordered)) || len(digest(goodConsent)) != 43 {
		t.Error("the order of members and the space between them count")
	}
	if digest(goodConsent) == digest(strings.Replace(goodConsent, "2026-12-20", "2026-12-21", 1)) {
		t.Error("another journey has the same digest")
	}
	if _, err := ConsentDigest([]byte(`{"a":1,"a":2}`)); err == nil {
		t.Error("a member named twice is taken")
	}
}

func TestWhoMandates(t *testing.T) {
	for role, level := range map[string]string{RoleWitness: LevelWitnessed, RoleNotary: LevelNotarised, RoleConsulate: LevelConsular,
		RoleCourt: LevelJudicial, RoleRegistrar: "", RoleProtection: "", RoleHub: "", "": ""} {
		if LevelOf(role) != level {
			t.Errorf("%s gives %q", role, LevelOf(role))
		}
	}
	for i, l := range []string{LevelSelfSigned, LevelWitnessed, LevelNotarised, LevelConsular, LevelJudicial} {
		if LevelRank(l) != i {
			t.Errorf("%s ranks %d", l, LevelRank(l))
		}
	}
	if LevelRank("") >= 0 || LevelRank("sworn") >= 0 {
		t.Error("a word that is no level has a rank")
	}
	registrar, court := TrustKey{Role: RoleRegistrar}, TrustKey{Role: RoleCourt}
	if !registrar.MayBase("parentalResponsibilityByBirth") || registrar.MayBase("courtOrder") || !court.MayBase("courtOrder") || court.MayBase("publicAuthority") {
		t.Error("the bases of a role are not those of domain 2.2")
	}
	registrar.Bases = []string{"courtOrder"}
	if !registrar.MayBase("courtOrder") || registrar.MayBase("acknowledgement") {
		t.Error("what the trust list names does not replace the role's own")
	}
	for _, b := range []string{"parentalResponsibilityByBirth", "acknowledgement", "parentalAgreement", "courtOrder", "adoptionSimple", "adoptionPlenary",
		"kafala", "testamentary", "publicAuthority", "humanitarianMandate", "customary"} {
		if len(RolesFor(b)) == 0 {
			t.Errorf("nobody mandates on %s", b)
		}
	}
	if RolesFor("wish") != nil {
		t.Error("somebody mandates on no legal basis")
	}
}

func TestConsentEnd(t *testing.T) {
	for _, x := range []struct{ notAfter, grantedOn, want string }{
		{"2026-12-20", "2026-11-20", "2026-12-21T12:00:00Z"},
		{"2026-12-31", "", "2027-01-01T12:00:00Z"},
		{"", "2026-11-20", "2028-11-21T12:00:00Z"},
		{"", "2028-02-29", "2030-03-02T12:00:00Z"},
		{"", "", ""}, {"2026-02-30", "2026-01-01", ""}, {"", "2026", ""}, {"soon", "2026-11-20", ""},
	} {
		end, ok := ConsentEnd(TravelConsent{Trip: Trip{NotAfter: x.notAfter}, GrantedOn: x.grantedOn})
		if ok != (x.want != "") || ok && end.Format(time.RFC3339) != x.want || !ok && !end.IsZero() {
			t.Errorf("%+v: %v %v", x, end, ok)
		}
	}
}
