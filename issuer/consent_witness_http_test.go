package issuer_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/api"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/internal/vc"
)

// witness gives the office a key of a role, and a trust list that knows it.
func (o *office) witness(role string) {
	o.t.Helper()
	k, err := keys.New(role+"-1", role, keys.EdDSA, o.now().Add(-time.Hour), time.Time{})
	if err != nil {
		o.t.Fatal(err)
	}
	if err := o.ring.Add(k); err != nil {
		o.t.Fatal(err)
	}
	is := vc.TrustIssuer{DID: o.iss.DID(), Name: "Office", Shelf: officeBase, ConsentStatus: true}
	for use, x := range map[string]vc.TrustKey{
		keys.UseCredentials: {Role: vc.RoleRegistrar, Types: []string{vc.TypeBirth, vc.TypeGuardianship, vc.TypeStatusList}},
		role:                {Role: role, Types: []string{vc.TypeConsent}},
	} {
		k := o.ring.Of(use)[0]
		x.ID, x.NotBefore = o.iss.DID()+"#"+k.Name, k.NotBefore
		if x.JWK, err = vc.PublicJWK(k.Public(), x.ID, k.Alg); err != nil {
			o.t.Fatal(err)
		}
		is.Keys = append(is.Keys, x)
	}
	o.trust = &vc.TrustList{ID: "did:key:z", Sequence: 1, IssuedAt: o.now(), Next: o.now().AddDate(0, 1, 0), Issuers: []vc.TrustIssuer{is}}
}

// POST /consents takes a dossier from those who witness and from nobody else,
// and says what is wrong with one without repeating it.
func TestWitnessRoute(t *testing.T) {
	o := openOffice(t, storetest.Open(t, store.SQLite, "issuer"))
	for name, role := range map[string]string{"nora": "notary", "carl": "consulate", "wendy": "witness", "hugo": "humanitarianOrganisation"} {
		secret, _, err := o.db.AddToken(t.Context(), name, role, o.now().AddDate(1, 0, 0))
		if err != nil {
			t.Fatal(err)
		}
		o.tokens[name] = secret
	}
	childRef, _, g := o.family()
	signer, holder := holderKey(t, keys.EdDSA)
	copies, err := o.iss.IssueCopies(t.Context(), g, holder)
	if err != nil {
		t.Fatal(err)
	}
	d := api.Dossier{}
	var mandate, minted string
	for _, c := range copies {
		switch {
		case c.Type == vc.TypeBirth && c.Profile == "border":
			d.Birth = c.JWT
		case c.Type == vc.TypeGuardianship && c.Profile == "border":
			d.Guardianships, mandate = []string{c.JWT}, "urn:uuid:"+c.ID
			s, err := vc.SplitJWS(c.JWT)
			if err != nil {
				t.Fatal(err)
			}
			var x struct {
				Subject vc.Guardianship `json:"credentialSubject"`
			}
			if err := json.Unmarshal(s.PayloadUnverified(), &x); err != nil {
				t.Fatal(err)
			}
			minted = x.Subject.Ward.ChildRef
		}
	}
	var s api.ConsentStatus
	o.call("POST", "/consent-status", "", consentRequest(t, signer, fields{"aud": o.iss.DID(), "iat": o.now().Unix(), "jti": ref(), "act": "reserve", "guardianship": mandate})).
		want(201).into(&s)
	consent := fields{"@context": []string{vc.ContextV2, vc.ContextKinpass}, "id": "urn:uuid:6f2c7f0e-8f1c-4b5e-9a57-0d0b4d6b1c12",
		"type": []string{vc.TypeCredential, vc.TypeConsent}, "issuer": holder, "validFrom": "2026-11-20T09:00:00Z", "validUntil": "2026-12-21T12:00:00Z",
		"credentialSubject": fields{"childRef": minted, "mode": "alone", "nonce": ref(), "grantedOn": "2026-11-20",
			"grantors":  []fields{{"guardianshipCredential": mandate, "key": holder}},
			"receiving": fields{"name": "Quashawna Receiver"}, "trip": fields{"departFrom": "ZAF", "destinations": []string{"GBR"}, "notBefore": "2026-12-01", "notAfter": "2026-12-20"},
			"assurance": fields{"level": "selfSigned"}},
		"credentialStatus": s.Status, "credentialSchema": fields{"id": vc.SchemaConsent, "type": "JsonSchema"}}
	jwt, err := vc.SignJWS(signer, vc.TypCredential, "vc", []byte(encoded(t, consent)))
	if err != nil {
		t.Fatal(err)
	}
	d.Consents = []string{jwt}
	body := encoded(t, d)

	// Nobody is on the trust list, and there is none that can be read.
	for who, status := range map[string]int{"nora": 503, "carl": 503, "wendy": 503, "carla": 503, "rita": 403, "paula": 403, "audra": 403, "hugo": 403} {
		a := o.call("POST", "/consents", who, body).want(status).without("Quashawna", childRef, minted, holder)
		if status == 403 {
			a.want(403, "not-allowed")
		}
	}
	for _, who := range []string{"nora", "wendy", "hugo"} {
		// A witness keeps no register and reads none.
		o.call("GET", "/guardianships/"+g, who, "").want(403)
		o.call("POST", "/births", who, birthOf(ref())).want(403)
	}
	o.witness("notary")
	var w api.Witnessed
	a := o.call("POST", "/consents", "nora", body, "Idempotency-Key", "k1").want(201)
	a.into(&w)
	if !w.Complete || w.Signed != 1 || a.head("Cache-Control") != "no-store" || strings.Count(w.Credential, ".") != 2 {
		t.Errorf("%+v", w)
	}
	if again := o.call("POST", "/consents", "nora", body, "Idempotency-Key", "k1").want(201); again.body != a.body {
		t.Errorf("another answer: %s", again.body)
	}
	o.call("POST", "/consents", "nora", strings.Replace(body, `"birth"`, `"reference":"7","birth"`, 1), "Idempotency-Key", "k1").want(409, "idempotency-key-reused")
	o.call("POST", "/consents", "carl", body).want(503, "role-key-missing")
	for name, x := range map[string]struct {
		body   string
		status int
		text   string
	}{
		"another child's birth": {strings.Replace(body, d.Birth, d.Guardianships[0], 1), 422, "/birth"},
		"no consents":           {`{"birth":"a","guardianships":["b"],"consents":[]}`, 400, "/consents"},
		"eleven":                {fmt.Sprintf(`{"birth":"a","guardianships":["b"],"consents":[%s"c"]}`, strings.Repeat(`"c",`, 10)), 400, "/consents"},
		"no guardianships":      {`{"birth":"a","consents":["c"]}`, 400, "/guardianships"},
		"another member":        {`{"birth":"a","guardianships":["b"],"consents":["c"],"trip":{}}`, 400, ""},
		"a birth of no kind":    {`{"birth":{},"guardianships":["b"],"consents":["c"]}`, 400, "/birth"},
		"a birth twice":         {`{"birth":"a","birth":"b","guardianships":["b"],"consents":["c"]}`, 400, ""},
		"a long reference":      {fmt.Sprintf(`{"birth":"a","guardianships":["b"],"consents":["c"],"reference":%q}`, strings.Repeat("7", 201)), 400, "/reference"},
		"an odd reference":      {`{"birth":"a","guardianships":["b"],"consents":["c"],"reference":"Quashawna <b>"}`, 400, "/reference"},
		"huge":                  {fmt.Sprintf(`{"birth":"a","guardianships":["b"],"consents":[%s%q]}`, strings.Repeat(`"`+strings.Repeat("c", 65536)+`",`, 9), strings.Repeat("c", 65536)), 413, ""},
	} {
		a := o.call("POST", "/consents", "nora", x.body).without("Quashawna", minted, holder)
		if a.status != x.status || !strings.Contains(a.body, x.text) {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}
