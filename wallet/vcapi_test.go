package wallet

import (
	"crypto"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/vc"
)

// A guardian shows a part of what an issuer on the trust list signed for
// selective disclosure, and of nothing else.
func TestDeriveCredential(t *testing.T) {
	d := newDesk(t, lite(t))
	k, err := keys.New("key-sd", keys.UseCredentials, keys.ES256, d.o.clock.now().Add(-time.Hour), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	is := &d.o.trust.Issuers[0]
	listed := is.Keys[0]
	listed.ID = is.DID + "#key-sd"
	if listed.JWK, err = vc.PublicJWK(k.Public(), listed.ID, k.Alg); err != nil {
		t.Fatal(err)
	}
	is.Keys = append(is.Keys, listed)
	own := k.Signer(listed.ID)

	// What the issuer signs is what it issued as vc+jwt before.
	var birth, mandate string
	a := d.accept(t, Guardian{ID: d.guardian(t, "amina")}, zainab)
	for _, c := range a.Credentials {
		one := into[Credential](t, d.call(t, "amina", "GET", "/wallet/credentials/"+c.ID, nil))
		payload, err := base64.RawURLEncoding.DecodeString(strings.Split(one.JWT, ".")[1])
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case c.Profile == profileFull && c.Type == vc.TypeBirth:
			birth = string(payload)
		case c.Profile == profileBorder && c.Type == vc.TypeGuardianship:
			mandate = strings.Replace(string(payload), `"powers":`, `"constraints":{},"powers":`, 1)
		}
	}
	base := func(doc string, s keys.Signer, pointers ...string) string {
		t.Helper()
		out, err := vc.AddProof([]byte(doc), vc.ProofOptions{Suite: vc.SuiteSD, Signer: s, Purpose: vc.PurposeAssertion, Created: d.o.clock.now(), MandatoryPointers: pointers})
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	mandatory := func(doc string) []string {
		t.Helper()
		p, err := vc.MandatoryPointers([]byte(doc))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	good := base(birth, own, mandatory(birth)...)
	derive := func(who, credential, pointer string) (int, string) {
		t.Helper()
		w := d.call(t, who, "POST", "/credentials/derive", fmt.Sprintf(`{"verifiableCredential":%s,"options":{"selectivePointers":[%q]}}`, credential, pointer))
		return w.Code, w.Body.String()
	}
	code, body := derive("amina", good, "/credentialSubject/birthDate")
	if code != http.StatusCreated || !strings.Contains(body, zainab.born) || strings.Contains(body, zainab.number) || strings.Contains(body, zainab.primary) {
		t.Fatalf("%d %s", code, body)
	}
	v, err := vc.VerifyCredential([]byte(body), vc.Policy{Now: d.o.clock.now(), Trusts: func(*vc.Verified) error { return nil }, Status: func(*vc.Verified) error { return nil },
		Keys: func(string) (crypto.PublicKey, string, error) { return k.Public(), is.DID, nil }})
	if err != nil || !v.Proofs[0].Derived {
		t.Fatalf("%v", err)
	}
	code, body = derive("amina", base(mandate, own, mandatory(mandate)...), "/credentialSubject/role")
	var kept struct {
		Subject map[string]json.RawMessage `json:"credentialSubject"`
	}
	if err := json.Unmarshal([]byte(body), &kept); err != nil || code != http.StatusCreated || kept.Subject["powers"] == nil || kept.Subject["constraints"] == nil || kept.Subject["legalBasis"] == nil {
		t.Errorf("a mandate: %d %s", code, body)
	}
	other, err := keys.New("key-sd", keys.UseCredentials, keys.ES256, time.Time{}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	unlisted, err := did.EncodeKey(other.Public())
	if err != nil {
		t.Fatal(err)
	}
	for name, x := range map[string]struct{ who, credential, want string }{
		"nobody":                {"none", good, "token-invalid"},
		"another token":         {"wrong", good, "token-invalid"},
		"an officer":            {"officer", good, "role-not-allowed"},
		"a key not on the list": {"amina", base(birth, other.Signer(did.KeyID(unlisted)), mandatory(birth)...), "key-unknown"},
		"another key":           {"amina", base(birth, other.Signer(own.KID), mandatory(birth)...), `"code":`},
		"another issuer's name": {"amina", base(strings.Replace(birth, `"issuer":"`+is.DID+`"`, `"issuer":"did:web:other.example"`, 1), own, mandatory(birth)...), "issuer-key-mismatch"},
		"changed":               {"amina", strings.Replace(good, zainab.born, "2009-03-07", 1), `"code":`},
		"a mandate that hides":  {"amina", base(mandate, own, "/type", "/issuer", "/validFrom", "/validUntil", "/credentialStatus", "/credentialSchema", "/credentialSubject/powers"), "mandatory-hidden"},
		"not secured":           {"amina", birth, `"code":`},
		"text":                  {"amina", `"x"`, "request-invalid"},
		"nothing":               {"amina", `{}`, `"code":`},
	} {
		pointer := "/credentialSubject/birthDate"
		if strings.Contains(x.credential, vc.TypeGuardianship) {
			pointer = "/credentialSubject/role"
		}
		code, body := derive(x.who, x.credential, pointer)
		if code < 400 || code >= 500 || !strings.Contains(body, x.want) || strings.Contains(body, zainab.born) || strings.Contains(body, zainab.family) {
			t.Errorf("%s: %d %s", name, code, body)
		}
	}
	if code, _ := derive("amina", `{"a":"`+strings.Repeat("x", maxDerive)+`"}`, "/a"); code != http.StatusRequestEntityTooLarge {
		t.Errorf("oversize: %d", code)
	}
	if code, _ := derive("amina", `{"a":`+strings.Repeat("[", 500)+strings.Repeat("]", 500)+`}`, "/a"); code != http.StatusBadRequest {
		t.Errorf("deep: %d", code)
	}
}

// guardian gives the id of a member of the desk.
func (d desk) guardian(t *testing.T, name string) string {
	t.Helper()
	tok, err := d.db.TokenBySecret(t.Context(), d.tokens[name], time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return tok.ID
}
