package vc_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/internal/vectest"
)

func fuzzKey(f *testing.F) keys.Signer {
	k, err := keys.New("k", keys.UseAnchor, keys.EdDSA, time.Now(), time.Time{})
	if err != nil {
		f.Fatal(err)
	}
	return k.Signer("did:web:r.example#k")
}

// FuzzSplitJWS: what comes apart goes together to the same text, and nothing
// that the key did not sign verifies.
func FuzzSplitJWS(f *testing.F) {
	s := fuzzKey(f)
	good, err := vc.SignJWS(s, vc.TypCredential, "vc", []byte(listPayload))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add("e30.e30.e30")
	for _, seed := range vectest.Seeds("vc-jose-cose", ".txt", 50) {
		f.Add(strings.TrimSpace(string(seed)))
	}
	for _, value := range vectest.SeedTexts("vc-di-eddsa", ".json", "proofValue") {
		f.Add("e30.e30." + value)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := vc.SplitJWS(text)
		if err != nil {
			if v != nil {
				t.Fatal("a failed parse gave a value")
			}
			return
		}
		if payload, err := v.Verify(s.Public()); err == nil && text != good {
			t.Fatalf("a second text verifies: %q, payload %q", text, payload)
		}
	})
}

func FuzzParseCredential(f *testing.F) {
	f.Add([]byte(listPayload))
	f.Add([]byte(`{"@context":["https://www.w3.org/ns/credentials/v2"],"type":["VerifiableCredential"],"issuer":"x","validFrom":"2026-01-01T00:00:00Z","credentialSubject":{}}`))
	for _, sub := range []string{"vc-di-eddsa", "vc-jose-cose"} {
		for _, seed := range vectest.Seeds(sub, ".json", 50) {
			f.Add(seed)
		}
	}
	for _, seed := range vectest.Seeds("vc-jose-cose", ".txt", 50) {
		if parts := strings.Split(strings.TrimSpace(string(seed)), "."); len(parts) == 3 {
			if payload, err := base64.RawURLEncoding.DecodeString(parts[1]); err == nil {
				f.Add(payload)
			}
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := vc.ParseCredential(data)
		if err != nil {
			if c != nil {
				t.Fatal("a failed parse gave a credential")
			}
			return
		}
		if c.Issuer == "" || c.ValidFrom.IsZero() || !c.Is(vc.TypeCredential) || len(c.Subject) == 0 || c.Subject[0] != '{' {
			t.Fatalf("a credential without what it needs: %+v", c)
		}
	})
}

func FuzzParsePresentation(f *testing.F) {
	p, _ := json.Marshal(vc.Presentation{Context: []string{vc.ContextV2}, Type: []string{vc.TypePresentation}, Holder: "did:key:z", Credentials: []vc.Enveloped{vc.Envelop("a.b.c")}})
	f.Add(p)
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := vc.ParsePresentation(data)
		if err == nil && (p.Holder == "" || len(p.Credentials) > 8) || err != nil && p != nil {
			t.Fatal("a presentation without a holder, or a failed parse that gave one")
		}
	})
}

// FuzzOpenTrustList: only what an anchor signed is a trust list.
func FuzzOpenTrustList(f *testing.F) {
	s, stranger := fuzzKey(f), fuzzKey(f)
	payload, err := json.Marshal(vc.TrustList{ID: "x", Sequence: 1, IssuedAt: time.Unix(1, 0).UTC(), Next: time.Unix(2, 0).UTC()})
	if err != nil {
		f.Fatal(err)
	}
	good, err := vc.SignJWS(s, vc.TypTrustList, "", payload)
	if err != nil {
		f.Fatal(err)
	}
	other, err := vc.SignJWS(stranger, vc.TypTrustList, "", payload)
	if err != nil {
		f.Fatal(err)
	}
	if l, err := vc.OpenTrustList(good, vc.OneOf(s.Public())); err != nil || l.Sequence != 1 {
		f.Fatal("the good list is refused", err)
	}
	f.Add(good)
	f.Add(other)
	f.Fuzz(func(t *testing.T, text string) {
		if l, err := vc.OpenTrustList(text, vc.OneOf(s.Public())); err == nil && text != good || err != nil && l != nil {
			t.Fatal("a list that the anchor did not sign was opened")
		}
	})
}

func FuzzParseJWK(f *testing.F) {
	jwk, err := vc.PublicJWK(fuzzKey(f).Public(), "k", keys.EdDSA)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(jwk))
	f.Add([]byte(`{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}`))
	f.Add([]byte(`{"kty":"oct","k":"AA"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if k, err := vc.ParseJWK(data); err != nil && k != nil {
			t.Fatal("a failed parse gave a key")
		}
	})
}
