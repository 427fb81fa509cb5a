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
