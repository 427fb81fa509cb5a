package issuer_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kinpass/kinpass/api"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/internal/vc"
)

// consentRequest signs a request about the status of a consent.
func consentRequest(t testing.TB, s keys.Signer, payload fields) string {
	t.Helper()
	jws, err := vc.SignJWS(s, vc.TypConsentStatus, "", []byte(encoded(t, payload)))
	if err != nil {
		t.Fatal(err)
	}
	return encoded(t, fields{"request": jws})
}

// A wallet reserves and withdraws without a token; what is not there and what is
// not its own get the same bytes.
func TestConsentStatusRoutes(t *testing.T) {
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		o := openOffice(t, db)
		childRef, birth, g := o.family()
		signer, holder := holderKey(t, keys.EdDSA)
		copies, err := o.iss.IssueCopies(t.Context(), g, holder)
		if err != nil {
			t.Fatal(err)
		}
		mandate := ""
		for _, c := range copies {
			if c.Type == vc.TypeGuardianship && c.Profile == "border" {
				mandate = "urn:uuid:" + c.ID
			}
		}
		payload := func(more fields) fields {
			p := fields{"aud": o.iss.DID(), "iat": o.now().Unix(), "jti": ref()}
			for k, v := range more {
				p[k] = v
			}
			return p
		}
		reserve := func(id string) fields { return payload(fields{"act": "reserve", "guardianship": id}) }
		var s api.ConsentStatus
		a := o.call("POST", "/consent-status", "", consentRequest(t, signer, reserve(mandate))).want(201).without(childRef, birth, g, holder, mandate[9:])
		a.into(&s)
		if a.head("Cache-Control") != "no-store" || len(s.Status) != 2 || s.ValidUntil.Before(o.now().AddDate(2, 0, 0)) {
			t.Errorf("%+v", s)
		}
		o.call("GET", strings.TrimPrefix(s.Status[0].List, officeBase), "", "").want(200)

		stranger, _ := holderKey(t, keys.EdDSA)
		unknown := "urn:uuid:6f2c7f0e-8f1c-4b5e-9a57-0d0b4d6b1c11"
		first := o.call("POST", "/consent-status", "", consentRequest(t, signer, reserve(unknown))).want(404, "problems/no-such-guardianship")
		if other := o.call("POST", "/consent-status", "", consentRequest(t, stranger, reserve(mandate))).want(404); other.body != first.body {
			t.Errorf("not yours does not look like not there: %s and %s", first.body, other.body)
		}
		withdraw := func(list, index string) fields {
			return payload(fields{"act": "withdraw", "list": list, "index": index})
		}
		list, index := s.Status[0].List, s.Status[0].Index
		first = o.call("POST", "/consent-status/withdraw", "", consentRequest(t, signer, withdraw(list+"9", index))).want(404, "problems/no-such-consent")
		if other := o.call("POST", "/consent-status/withdraw", "", consentRequest(t, stranger, withdraw(list, index))).want(404); other.body != first.body {
			t.Errorf("not yours does not look like not there: %s and %s", first.body, other.body)
		}
		for range 2 {
			if a := o.call("POST", "/consent-status/withdraw", "", consentRequest(t, signer, withdraw(list, index))).want(204); a.body != "" || a.head("Cache-Control") != "no-store" {
				t.Errorf("%q", a.body)
			}
		}
		for name, x := range map[string]struct {
			body   string
			status int
		}{
			"no request":       {`{}`, 400},
			"more than it":     {`{"request":"a","trip":"b"}`, 400},
			"another type":     {`{"request":["a"]}`, 400},
			"too long":         {fmt.Sprintf(`{"request":%q}`, strings.Repeat("a", 5000)), 400},
			"far too long":     {fmt.Sprintf(`{"request":%q}`, strings.Repeat("a", 2<<20)), 413},
			"no JWS":           {`{"request":"x"}`, 400},
			"for another":      {consentRequest(t, signer, fields{"aud": "did:web:x.example", "iat": o.now().Unix(), "jti": ref(), "act": "reserve", "guardianship": mandate}), 422},
			"of another hour":  {consentRequest(t, signer, fields{"aud": o.iss.DID(), "iat": o.now().Unix() - 3600, "jti": ref(), "act": "reserve", "guardianship": mandate}), 422},
			"the other act":    {consentRequest(t, signer, withdraw(list, index)), 400},
			"with another jti": {consentRequest(t, signer, fields{"aud": o.iss.DID(), "iat": o.now().Unix(), "jti": "x", "act": "reserve", "guardianship": mandate}), 400},
		} {
			if a := o.call("POST", "/consent-status", "", x.body); a.status != x.status {
				t.Errorf("%s: %d %s", name, a.status, a.body)
			}
		}
	})
}

// The rate of requests is bounded by address.
func TestConsentStatusRate(t *testing.T) {
	o := openOffice(t, storetest.Open(t, store.SQLite, "issuer"))
	for _, path := range []string{"/consent-status", "/consent-status/withdraw"} {
		last := 0
		for range 301 {
			last = o.send("POST", path, `{"request":"x"}`, "Content-Type", "application/json", "Address", "192.0.2.1:4000").status
		}
		if last != 429 {
			t.Errorf("%s: %d", path, last)
		}
	}
}
