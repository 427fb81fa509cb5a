package trust

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/tlog"
	"github.com/kinpass/kinpass/internal/vc"
)

// The content of facts is part of the ledger for ever.
func TestFactContents(t *testing.T) {
	at := time.Date(2026, 11, 20, 12, 0, 0, 5, time.FixedZone("x", 3600))
	const x = `"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"`
	want := `{"at":"2026-11-20T11:00:00Z","did":"did:web:a","event":"published","kid":"did:web:a#k","publicKeyJwk":{"crv":"Ed25519","kty":"OKP","x":` + x + `}}`
	for _, jwk := range []string{`{"kty":"OKP","crv":"Ed25519","x":` + x + `}`, `{"x":` + x + `,"use":"sig","nbf":5,"kid":"z","crv":"Ed25519","alg":"EdDSA","kty":"OKP"}`} {
		got, err := KeyFact("did:web:a", "did:web:a#k", []byte(jwk), KeyPublished, at)
		if err != nil || string(got) != want {
			t.Errorf("%s %v", got, err)
		}
	}
	c := FactCommitment([]byte(want))
	if got := hex.EncodeToString(c[:]); got != "278933388eddf025c7080d6ca97baba2cf7e62448cb16bbc1234f64aaf48ba46" {
		t.Error(got)
	}
	a := &vc.Accreditation{AccreditationTerm: vc.AccreditationTerm{State: vc.Suspended, Since: now}}
	got, err := AccreditationFact("did:web:a", a)
	if want := `{"accreditation":{"since":"2026-11-20T12:00:00Z","state":"suspended"},"did":"did:web:a"}`; err != nil || string(got) != want {
		t.Errorf("%s %v", got, err)
	}
}

func TestFacts(t *testing.T) {
	l, anchor := sample(t)
	for _, err := range []error{Accredit(l, registry, vc.AccreditationTerm{Since: now, Until: until(1), Types: []string{vc.TypeBirth}}), CutOff(l, registry+"#k1", now, 0)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	signed, err := Sign(l, anchor.Signer("a"), now, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	jwk, err := vc.PublicJWK(key(t, keys.EdDSA).Public(), registry+"#k1", "")
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(jwk, &m); err != nil {
		t.Fatal(err)
	}
	m["nbf"], m["exp"] = now.Unix(), now.Add(time.Hour).Unix()
	jwks, err := json.Marshal(map[string]any{"keys": []any{m}})
	if err != nil {
		t.Fatal(err)
	}
	count := func(issuer, list string, at time.Time) string {
		facts, err := Facts(issuer, jwks, list, at)
		if err != nil {
			t.Fatal(err)
		}
		n := map[tlog.Kind]int{}
		for _, f := range facts {
			n[f.Kind]++
			if f.Name == "" || f.Commitment == [32]byte{} {
				t.Errorf("%+v", f)
			}
		}
		return fmt.Sprint(n[tlog.Key], n[tlog.TrustList], n[tlog.Accreditation])
	}
	if got := count(registry, signed, now); got != "2 1 1" { // published, cut off
		t.Error(got)
	}
	if got := count(registry, signed, now.Add(time.Hour)); got != "3 1 1" { // and retired
		t.Error(got)
	}
	if got := count("did:web:other.example", signed, now); got != "1 1 1" { // the cut-off is not its own
		t.Error(got)
	}
	if got := count(registry, "", now); got != "1 0 0" {
		t.Error(got)
	}
	for name, bad := range map[string][2]string{"no key set": {"", signed}, "no list": {string(jwks), "x"}, "an array": {"[]", ""}} {
		if _, err := Facts(registry, []byte(bad[0]), bad[1], now); !errors.Is(err, ErrFacts) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
