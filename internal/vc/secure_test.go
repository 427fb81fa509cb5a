package vc_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/vc"
)

const listPayload = `{"@context":["https://www.w3.org/ns/credentials/v2"],"id":"https://r.example/status/revocation/1","type":["VerifiableCredential","BitstringStatusListCredential"],"issuer":"did:web:r.example","validFrom":"2026-01-01T00:00:00Z","validUntil":"2026-02-01T00:00:00Z","credentialSubject":{"type":"BitstringStatusList"}}`

func signer(t *testing.T, alg string) keys.Signer {
	t.Helper()
	k, err := keys.New("k", keys.UseCredentials, alg, time.Now(), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	return k.Signer("did:web:r.example#k")
}

func TestSignOnlyOnce(t *testing.T) {
	for _, alg := range []string{keys.EdDSA, keys.ES256} {
		u, err := vc.Prepare([]byte(listPayload))
		if err != nil {
			t.Fatal(err)
		}
		s := signer(t, alg)
		jws, err := u.Sign(s)
		if err != nil {
			t.Fatal(err)
		}
		got, err := vc.VerifyJWS(jws, vc.TypCredential, s.Public())
		if err != nil || string(got) != listPayload {
			t.Fatalf("%s: %v, payload %s", alg, err, got)
		}
		if _, err := u.Sign(s); !errors.Is(err, vc.ErrSignedAlready) {
			t.Fatalf("%s: a second signature: %v", alg, err)
		}
	}
}

func TestPrepareRefuses(t *testing.T) {
	for name, change := range map[string][2]string{
		"no end":           {`"validUntil":"2026-02-01T00:00:00Z",`, ``},
		"end before start": {`"validUntil":"2026-02-01T00:00:00Z"`, `"validUntil":"2025-02-01T00:00:00Z"`},
		"another type":     {`BitstringStatusListCredential`, `DriverCredential`},
		"a third type":     {`"BitstringStatusListCredential"`, `"BitstringStatusListCredential","BirthCredential"`},
		"no context":       {`"https://www.w3.org/ns/credentials/v2"`, `"https://example.org/x"`},
		"no issuer":        {`"issuer":"did:web:r.example",`, ``},
		"birth, no schema": {`BitstringStatusListCredential`, `BirthCredential`},
		"subject a list":   {`{"type":"BitstringStatusList"}`, `[]`},
		"twice a member":   {`"issuer":`, `"issuer":"did:web:x","issuer":`},
		"case of a member": {`"issuer":`, `"Issuer":"did:web:x","issuer":`},
		"something after":  {`"BitstringStatusList"}}`, `"BitstringStatusList"}} {}`},
		"unknown status":   {`"credentialSubject"`, `"credentialStatus":[{"type":"Other"}],"credentialSubject"`},
		"schema on a list": {`"credentialSubject"`, `"credentialSchema":{"id":"https://w3id.org/kinpass/schemas/credential/birth/1.json","type":"JsonSchema"},"credentialSubject"`},
	} {
		p := strings.Replace(listPayload, change[0], change[1], 1)
		if p == listPayload {
			t.Fatalf("%s changes nothing", name)
		}
		if u, err := vc.Prepare([]byte(p)); err == nil || u != nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func TestJWSRefuses(t *testing.T) {
	s := signer(t, keys.EdDSA)
	good, err := vc.SignJWS(s, vc.TypCredential, "vc", []byte(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(good, ".")
	flip := func(s string, i int) string {
		b := []byte(s)
		if b[i] == 'A' {
			b[i] = 'B'
		} else {
			b[i] = 'A'
		}
		return string(b)
	}
	last := len(parts[2]) - 1
	other := signer(t, keys.EdDSA)
	es := signer(t, keys.ES256)
	bad := map[string]string{
		"empty": "", "two parts": parts[0] + "." + parts[1], "four parts": good + ".e30",
		"no signature": parts[0] + "." + parts[1] + ".", "no payload": parts[0] + ".." + parts[2],
		"payload":      parts[0] + "." + "eyJhIjoxfQ" + "." + parts[2],
		"signature":    parts[0] + "." + parts[1] + "." + flip(parts[2], 10),
		"padding bits": parts[0] + "." + parts[1] + "." + parts[2][:last] + string(parts[2][last]+1),
		"padded":       good + "=", "line end": good + "\n", "long": good + strings.Repeat("A", 70000),
	}
	for _, h := range []string{
		`{"alg":"none","typ":"vc+jwt"}`, `{"alg":"HS256","typ":"vc+jwt"}`, `{"alg":"ES256","typ":"vc+jwt"}`,
		`{"alg":"EdDSA","typ":"vc+jwt","crit":["x"]}`, `{"alg":"EdDSA","typ":"vc+jwt","b64":false}`, `{"alg":"EdDSA","alg":"EdDSA","typ":"vc+jwt"}`,
		`{"typ":"vc+jwt"}`, `[]`, `{`, ``,
	} {
		bad["header "+h] = enc(h) + "." + parts[1] + "." + parts[2]
	}
	for name, jws := range bad {
		if _, err := vc.VerifyJWS(jws, vc.TypCredential, s.Public()); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	if _, err := vc.VerifyJWS(good, vc.TypPresentation, s.Public()); !errors.Is(err, vc.ErrType) {
		t.Errorf("another typ: %v", err)
	}
	for name, key := range map[string]any{"another key": other.Public(), "another kind of key": es.Public(), "no key": nil} {
		if _, err := vc.VerifyJWS(good, vc.TypCredential, key); err == nil {
			t.Errorf("%s verified it", name)
		}
	}
}
