package issuer

import (
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/vc"
)

// Whatever a holder signs, what is read has the members of its act and no more.
func FuzzConsentRequest(f *testing.F) {
	k, err := keys.New("holder", "holder", keys.EdDSA, time.Time{}, time.Time{})
	if err != nil {
		f.Fatal(err)
	}
	holder, err := did.EncodeKey(k.Public())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(`{"aud":"did:web:a","iat":1,"jti":"abcdefghijklmnopqrstuv","act":"reserve","guardianship":"urn:uuid:6f2c7f0e-8f1c-4b5e-9a57-0d0b4d6b1c11"}`)
	f.Add(`{"aud":"did:web:a","iat":1,"jti":"abcdefghijklmnopqrstuv","act":"withdraw","list":"https://a/status/revocation/1","index":"7"}`)
	f.Add(`{"AUD":"a","iat":1.5,"jti":null,"act":["reserve"],"guardianship":{}}`)
	f.Add(`{"aud":"a","iat":1e3,"jti":"a","act":"reserve","act":"reserve"}`)
	f.Fuzz(func(t *testing.T, payload string) {
		jws, err := vc.SignJWS(k.Signer(did.KeyID(holder)), vc.TypConsentStatus, "", []byte(payload))
		if err != nil {
			t.Skip()
		}
		for _, act := range []string{actReserveConsent, actWithdrawConsent} {
			r, err := readConsentRequest(jws, act)
			if err != nil {
				if r != (consentRequest{}) {
					t.Fatalf("refused and given: %+v", r)
				}
				continue
			}
			if r.Holder != holder || r.Act != act || len(r.ID) < 22 || (act == actReserveConsent) != strings.HasPrefix(r.Guardianship, "urn:uuid:") ||
				act == actReserveConsent && r.List+r.Index != "" {
				t.Fatalf("%+v", r)
			}
		}
		// Text that nobody signed is never read.
		if _, err := readConsentRequest(payload, actReserveConsent); err == nil {
			t.Fatal("read without a signature")
		}
	})
}

// Whatever a holder signs as a consent, what is read follows the schema, claims
// nothing and names its signer as one of its grantors, once.
func FuzzConsent(f *testing.F) {
	k, err := keys.New("holder", "holder", keys.EdDSA, time.Time{}, time.Time{})
	if err != nil {
		f.Fatal(err)
	}
	holder, err := did.EncodeKey(k.Public())
	if err != nil {
		f.Fatal(err)
	}
	entry := func(purpose string) string {
		return `{"type":"BitstringStatusListEntry","statusPurpose":"` + purpose + `","statusListIndex":"7","statusListCredential":"https://r.example/status/` + purpose + `/9"}`
	}
	good := `{"@context":["` + vc.ContextV2 + `","` + vc.ContextKinpass + `"],"id":"urn:uuid:6f2c7f0e-8f1c-4b5e-9a57-0d0b4d6b1c12","type":["VerifiableCredential","TravelConsentCredential"],` +
		`"issuer":"` + holder + `","validFrom":"2026-11-20T10:00:00Z","validUntil":"2026-12-21T00:00:00Z","credentialSubject":{"childRef":"jWoSldc3ms1i4ycXe2mjtQ",` +
		`"grantors":[{"guardianshipCredential":"urn:uuid:6f2c7f0e-8f1c-4b5e-9a57-0d0b4d6b1c11","key":"` + holder + `"}],"mode":"withOneGuardian",` +
		`"trip":{"departFrom":"NPL","destinations":["IND"],"notBefore":"2026-12-01","notAfter":"2026-12-20","crossings":2},"assurance":{"level":"selfSigned"},` +
		`"nonce":"AAAAAAAAAAAAAAAAAAAAAA","grantedOn":"2026-11-20"},"credentialStatus":[` + entry("revocation") + `,` + entry("suspension") +
		`],"credentialSchema":{"id":"` + vc.SchemaConsent + `","type":"JsonSchema"}}`
	sign := func(payload string) string {
		jws, err := vc.SignJWS(k.Signer(did.KeyID(holder)), vc.TypCredential, "vc", []byte(payload))
		if err != nil {
			f.Fatal(err)
		}
		return jws
	}
	if _, err := readConsent(sign(good)); err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(strings.Replace(good, "selfSigned", "judicial", 1))
	f.Add(strings.Replace(good, `"mode":"withOneGuardian"`, `"mode":"withOneGuardian","mode":"alone"`, 1))
	f.Add(strings.Replace(good, `"nonce"`, `"Nonce":null,"nonce"`, 1))
	f.Add(`{}`)
	f.Fuzz(func(t *testing.T, payload string) {
		jws, err := vc.SignJWS(k.Signer(did.KeyID(holder)), vc.TypCredential, "vc", []byte(payload))
		if err != nil {
			t.Skip()
		}
		c, err := readConsent(jws)
		if err != nil {
			if c.Credential != nil || c.digest != "" {
				t.Fatal("refused and given")
			}
			return
		}
		named := 0
		for _, g := range c.subject.Grantors {
			if g.Key == holder {
				named++
			}
		}
		if named != 1 || c.Issuer != holder || c.subject.Assurance != (vc.Assurance{Level: vc.LevelSelfSigned, Reference: c.subject.Assurance.Reference}) ||
			len(c.digest) != 43 || vc.ValidateSchema(vc.SchemaConsent, []byte(payload)) != nil {
			t.Fatalf("%+v", c.subject)
		}
		if _, err := readConsent(payload); err == nil {
			t.Fatal("read without a signature")
		}
	})
}
