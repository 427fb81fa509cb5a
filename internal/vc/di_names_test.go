package vc

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/keys"
)

// A signature covers what a property means. Under another name it would still
// hold, and whoever reads the JSON would find no end and no status.
func TestRenamedPropertiesAreRefused(t *testing.T) {
	s := didSigner(t, keys.EdDSA)
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	issuer, _, _ := strings.Cut(s.KID, "#")
	unsigned := `{"@context":["` + ContextV2 + `"],"id":"urn:uuid:58172aac-d8ba-11ed-83dd-0b3aef56cc33","type":["VerifiableCredential"],"issuer":"` + issuer +
		`","validFrom":"2020-01-01T00:00:00Z","validUntil":"2021-01-01T00:00:00Z","credentialSubject":{"id":"did:example:a","name":"A"},` +
		`"credentialStatus":{"type":"BitstringStatusListEntry","statusPurpose":"revocation","statusListIndex":"7","statusListCredential":"https://x.example/1"}}`
	for _, suite := range []string{SuiteEdDSARDFC, SuiteEdDSAJCS} {
		signed, err := AddProof([]byte(unsigned), ProofOptions{Suite: suite, Signer: s, Purpose: PurposeAssertion, Created: now})
		if err != nil {
			t.Fatal(err)
		}
		p := Policy{Keys: KeysFromDID, Now: now, Trusts: func(*Verified) error { return nil }, Status: func(*Verified) error { return nil }}
		if _, err := VerifyCredential(signed, p); !errors.Is(err, ErrExpired) {
			t.Fatalf("%s: before: %v", suite, err)
		}
		until := `"https://www.w3.org/2018/credentials#validUntil":{"@type":"http://www.w3.org/2001/XMLSchema#dateTime","@value":"2021-01-01T00:00:00Z"}`
		context := func(more string) func(string) string {
			return func(d string) string {
				return strings.Replace(d, `["`+ContextV2+`"]`, `["`+ContextV2+`",`+more+`]`, 1)
			}
		}
		rename := func(from, to string) func(string) string {
			return func(d string) string { return strings.Replace(d, from, to, 1) }
		}
		end := `"validUntil":"2021-01-01T00:00:00Z"`
		for what, changes := range map[string][]func(string) string{
			"the end by its IRI":        {rename(end, until)},
			"the end escaped":           {rename(end, strings.Replace(until, "https:", `https\u003a`, 1))},
			"the status by its IRI":     {rename(`"credentialStatus":`, `"https://www.w3.org/2018/credentials#credentialStatus":`)},
			"the index by its IRI":      {rename(`"statusListIndex":`, `"https://www.w3.org/ns/credentials/status#statusListIndex":`)},
			"an alias for the end":      {context(`{"vu":{"@id":"https://www.w3.org/2018/credentials#validUntil","@type":"http://www.w3.org/2001/XMLSchema#dateTime"}}`), rename(end, `"vu":"2021-01-01T00:00:00Z"`)},
			"a prefix":                  {context(`{"c":"https://www.w3.org/2018/credentials#"}`), rename(`"credentialStatus":`, `"c:credentialStatus":`)},
			"a shorter prefix":          {context(`{"c":"https://www.w3.org/2018/"}`), rename(`"credentialStatus":`, `"c:credentials#credentialStatus":`)},
			"an alias by a prefix":      {context(`{"vu":"cred:validUntil"}`)},
			"a vocabulary":              {context(`{"@vocab":"https://www.w3.org/2018/"}`), rename(`"credentialStatus":`, `"credentials#credentialStatus":`)},
			"an alias of @nest":         {context(`{"n":"@nest"}`), rename(end, `"n":{`+end+`}`)},
			"an alias of @nest by id":   {context(`{"n":{"@id":"@nest"}}`), rename(end, `"n":{`+end+`}`)},
			"an alias in a scope":       {context(`{"S":{"@id":"https://x.example/S","@context":{"n":"@nest"}}}`)},
			"an alias in a wrapped one": {context(`{"@context":{"n":"@nest"}}`), rename(end, `"n":{`+end+`}`)},
		} {
			d := string(signed)
			for _, change := range changes {
				before := d
				if d = change(d); d == before {
					t.Fatalf("%s: nothing was changed", what)
				}
			}
			// A JCS signature covers names and contexts themselves.
			v, err := VerifyCredential([]byte(d), p)
			if held := errors.Is(err, ErrAlias) || suite == SuiteEdDSAJCS && (errors.Is(err, ErrSignature) || errors.Is(err, ErrProofContext)); !held || v != nil {
				t.Errorf("%s, %s: %v", suite, what, err)
			}
		}
	}
}
