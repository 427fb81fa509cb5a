package verifier

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/kinpass/kinpass/internal/vc"
)

// An issuer's index never leads off its own shelf.
func FuzzIndex(f *testing.F) {
	const shelf = "https://registry.example/shelf"
	f.Add([]byte(`{"lists":["https://registry.example/shelf/status/revocation/1"]}`))
	f.Add([]byte(`{"lists":["https://registry.example/shelf/status/../../x"]}`))
	f.Add([]byte(`{"lists":["https://registry.example/shelf/status/@evil.example"],"Lists":[]}`))
	f.Add([]byte(`{"lists":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		urls, err := parseIndex(data, shelf+"/status/")
		if err != nil {
			if urls != nil {
				t.Fatal("a refused index gave addresses")
			}
			return
		}
		for _, u := range urls {
			p, err := url.Parse(u)
			if err != nil {
				continue // the fetcher refuses it
			}
			if p.Host != "registry.example" || p.Scheme != "https" || !strings.HasPrefix(p.JoinPath().Path, "/shelf/status/") || p.RawQuery != "" {
				t.Fatal("an address off the shelf")
			}
		}
	})
}

// An issuer signs whatever it likes; only a status list of its own, for the
// address it was fetched from, is taken.
func FuzzStatusList(f *testing.F) {
	w := newWorld(f)
	o := w.office()
	at := o.listURL(vc.PurposeRevocation)
	good, err := json.Marshal(o.statusList(vc.PurposeRevocation))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(strings.ReplaceAll(string(good), "revocation", "suspension")))
	f.Add([]byte(`{"@context":["https://www.w3.org/ns/credentials/v2"],"type":["VerifiableCredential","BitstringStatusListCredential"],"issuer":"did:web:x","validFrom":"2026-11-20T10:00:00Z","credentialSubject":{}}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		jws, err := vc.SignJWS(o.signer, vc.TypCredential, "vc", payload)
		if err != nil {
			t.Skip()
		}
		for _, fresh := range []bool{true, false} {
			s := &shelf{issuer: &w.list.Issuers[0], trust: w.list, fetch: nil, clock: w.now, now: w.now()}
			h, err := s.open(jws, at, fresh)
			if err != nil {
				if h.url+h.credential+string(h.revoked) != "" {
					t.Fatal("a refused list gave something")
				}
				continue
			}
			c, err := vc.ParseCredential(payload)
			if err != nil || c.Issuer != o.did || !c.Is(vc.TypeStatusList) || h.url != at || h.issuer != o.did || !h.validFrom.Equal(c.ValidFrom) {
				t.Fatal("a list that is not this issuer's was taken")
			}
		}
	})
}
