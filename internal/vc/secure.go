//go:build !js

package vc

import (
	"sync/atomic"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/keys"
)

// ErrSignedAlready says that a value from Prepare was used a second time.
var ErrSignedAlready = fault.New(fault.Conflict, "signed-already", "this credential was signed before")

// Unsigned is a credential that passed the checks and may be signed, once. It
// can only be made by Prepare, so that nothing unchecked reaches a key.
type Unsigned struct {
	payload []byte
	typ     string
	used    atomic.Bool
}

// Prepare checks the exact bytes that will be signed: a VCDM 2.0 credential of
// a type Kinpass issues, with a validity, and valid against the JSON Schema
// that its credentialSchema names. Status list credentials carry no schema.
func Prepare(payload []byte) (*Unsigned, error) {
	c, err := ParseCredential(payload)
	if err != nil {
		return nil, err
	}
	if c.ValidTo.IsZero() {
		return nil, ErrCredential.WithDetail("a credential must have an end")
	}
	switch {
	case len(c.Type) != 2 || c.Type[0] != TypeCredential:
		return nil, ErrCredential.WithDetail("a credential has exactly two types")
	case c.Is(TypeStatusList):
		if c.Schema != nil {
			return nil, ErrCredential
		}
	case c.Is(TypeBirth), c.Is(TypeGuardianship), c.Is(TypeConsent):
		if c.Schema == nil || !schemaFits(c) {
			return nil, ErrCredential.WithDetail("the credential's schema is not one for its type")
		}
		if err := validateChecked(c.Schema.ID, payload); err != nil {
			return nil, err
		}
	default:
		return nil, ErrCredential.WithDetail("not a credential type that is issued here")
	}
	return &Unsigned{payload: payload, typ: TypCredential}, nil
}

// schemaFits reports whether the named schema describes the credential's type.
func schemaFits(c *Credential) bool {
	if c.Schema.Type != "JsonSchema" {
		return false
	}
	switch c.Schema.ID {
	case SchemaBirth, SchemaBirthBorder:
		return c.Is(TypeBirth)
	case SchemaGuardianship, SchemaGuardBorder:
		return c.Is(TypeGuardianship)
	case SchemaConsent:
		return c.Is(TypeConsent)
	}
	return false
}

// Sign gives the compact vc+jwt. A second call of Sign or SignSelective is
// refused.
func (u *Unsigned) Sign(s keys.Signer) (string, error) {
	if !u.used.CompareAndSwap(false, true) {
		return "", ErrSignedAlready
	}
	return SignJWS(s, u.typ, "vc", u.payload)
}

// SignSelective gives the credential as JSON with an ecdsa-sd-2023 base proof,
// from which its holder derives credentials that show a part of it and always
// what MandatoryPointers names. s must be a P-256 key; created is the time of
// the proof. A second call of Sign or SignSelective is refused.
func (u *Unsigned) SignSelective(s keys.Signer, created time.Time) ([]byte, error) {
	pointers, err := MandatoryPointers(u.payload)
	if err != nil {
		return nil, err
	}
	if !u.used.CompareAndSwap(false, true) {
		return nil, ErrSignedAlready
	}
	return AddProof(u.payload, ProofOptions{
		Suite: SuiteSD, Signer: s, Purpose: PurposeAssertion, Created: created, MandatoryPointers: pointers,
	})
}
