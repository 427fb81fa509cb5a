// Package vc is the credential and the presentation: their model, their
// schemas, signing them once and verifying them before a byte is believed.
//
// A credential is a W3C Verifiable Credential (Data Model 2.0) secured as a
// compact JWS with typ vc+jwt (VC-JOSE-COSE 1.0); a presentation is a vp+jwt
// that envelops such credentials. Verification returns what was verified,
// never a bare boolean.
//
// The border check reads compact JWS and nothing else. What it needs of this
// package has no build tag; files with the tag !js (signing, schemas, JSON-LD,
// the other formats) are left out of the check that a browser runs, which has to
// be small. No function is in two versions: what is there is the same code.
package vc

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
)

// Names of the standard and of Kinpass that appear inside credentials. The
// w3id.org names are built into every binary and never fetched.
const (
	ContextV2      = "https://www.w3.org/ns/credentials/v2"
	ContextKinpass = "https://w3id.org/kinpass/v1"
	SchemaBase     = "https://w3id.org/kinpass/schemas/"

	TypeCredential   = "VerifiableCredential"
	TypePresentation = "VerifiablePresentation"
	TypeEnveloped    = "EnvelopedVerifiableCredential"
	TypeBirth        = "BirthCredential"
	TypeGuardianship = "GuardianshipCredential"
	TypeStatusList   = "BitstringStatusListCredential"
	TypeConsent      = "TravelConsentCredential"

	// Schema ids of whole credentials (credentialSchema.id).
	SchemaBirth        = SchemaBase + "credential/birth/1.json"               // full
	SchemaBirthBorder  = SchemaBase + "credential/birth-border/1.json"        // border and paper
	SchemaGuardianship = SchemaBase + "credential/guardianship/1.json"        // full
	SchemaGuardBorder  = SchemaBase + "credential/guardianship-border/1.json" // border and paper
	SchemaConsent      = SchemaBase + "credential/consent/1.json"             // of a grantor, or witnessed
	// Schema ids of registrations.
	SchemaCommon             = SchemaBase + "registration/common/1.json"
	SchemaRegistrationBirth  = SchemaBase + "registration/birth/1.json"
	SchemaRegistrationGuard  = SchemaBase + "registration/guardianship/1.json"
	SchemaRegistrationTravel = SchemaBase + "registration/consent/1.json"

	// BorderAudience is the aud of a presentation that is shown one way, as a
	// QR code, to whichever officer scans it.
	BorderAudience = "https://w3id.org/kinpass/border"
)

// Purposes of a status entry (Bitstring Status List 1.0, section 2.1).
const (
	PurposeRevocation = "revocation"
	PurposeSuspension = "suspension"
	// PurposeIssued is Kinpass's own: a set bit says that the index was given out
	// by the list's validFrom. No credential has an entry of it; the list is
	// published beside the others, with the same number (settled question 26).
	PurposeIssued = "issued"
)

// Credential is the envelope of a verifiable credential with its subject kept
// as bytes, so that each type reads its own. Members are written in this
// order.
type Credential struct {
	Context   []string        `json:"@context"`
	ID        string          `json:"id"`
	Type      []string        `json:"type"`
	Issuer    string          `json:"issuer"`
	ValidFrom time.Time       `json:"validFrom"`
	ValidTo   time.Time       `json:"validUntil,omitzero"`
	Subject   json.RawMessage `json:"credentialSubject"`
	Status    []StatusEntry   `json:"credentialStatus,omitempty"`
	Schema    *Schema         `json:"credentialSchema,omitempty"`
}

// StatusEntry is a BitstringStatusListEntry. Index is a decimal string.
type StatusEntry struct {
	Type    string `json:"type"`
	Purpose string `json:"statusPurpose"`
	Index   string `json:"statusListIndex"`
	List    string `json:"statusListCredential"`
}

// Schema is a credentialSchema of type JsonSchema (VC JSON Schema 1.0).
type Schema struct {
	ID   string `json:"id"`
	Type string `json:"type"`
}

// ErrCredential says that a signed object is not a credential we can read.
var ErrCredential = fault.New(fault.Invalid, "credential-invalid", "not a credential of a known shape")

// MaxDepth bounds the nesting of any credential or presentation.
const MaxDepth = 16

// ParseCredential reads the payload of a verified vc+jwt: strict JSON, the v2
// context first, VerifiableCredential among the types, an issuer, a validFrom,
// a subject that is one object. Call it only on bytes whose signature held.
func ParseCredential(payload []byte) (*Credential, error) {
	var c Credential
	if err := StrictJSON(payload, &c, MaxDepth); err != nil {
		return nil, ErrCredential.With(err)
	}
	switch {
	case len(c.Context) == 0 || c.Context[0] != ContextV2,
		!c.Is(TypeCredential),
		c.Issuer == "", c.ValidFrom.IsZero(),
		len(c.Subject) == 0 || c.Subject[0] != '{':
		return nil, ErrCredential
	}
	if !c.ValidTo.IsZero() && !c.ValidFrom.Before(c.ValidTo) {
		return nil, ErrCredential
	}
	for _, s := range c.Status {
		if s.Type != "BitstringStatusListEntry" {
			return nil, ErrCredential
		}
	}
	return &c, nil
}

// Is reports whether t is among the credential's types.
func (c *Credential) Is(t string) bool {
	for _, x := range c.Type {
		if x == t {
			return true
		}
	}
	return false
}

// Presentation is the payload of a vp+jwt. IssuedAt and Expires are NumericDate
// seconds (RFC 7519).
type Presentation struct {
	Context     []string    `json:"@context"`
	Type        []string    `json:"type"`
	Holder      string      `json:"holder"`
	Credentials []Enveloped `json:"verifiableCredential"`
	Audience    string      `json:"aud"`
	Nonce       string      `json:"nonce"`
	IssuedAt    int64       `json:"iat"`
	Expires     int64       `json:"exp"`
}

// Enveloped is an EnvelopedVerifiableCredential (Data Model 2.0, section
// 4.12.1): ID is "data:application/vc+jwt," and the compact JWS.
type Enveloped struct {
	Context string `json:"@context"`
	ID      string `json:"id"`
	Type    string `json:"type"`
}

const envelopePrefix = "data:application/vc+jwt,"

// Envelop wraps a compact vc+jwt for a presentation.
func Envelop(jwt string) Enveloped {
	return Enveloped{Context: ContextV2, ID: envelopePrefix + jwt, Type: TypeEnveloped}
}

// JWT gives the compact vc+jwt inside, or false if it is something else.
func (e Enveloped) JWT() (string, bool) {
	if e.Type != TypeEnveloped {
		return "", false
	}
	return strings.CutPrefix(e.ID, envelopePrefix)
}

// ParsePresentation reads the payload of a verified vp+jwt. Where the standards
// let a member be one value or several (type, @context, aud, verifiableCredential;
// holder as an object with an id; times with a fraction), all forms are read.
func ParsePresentation(payload []byte) (*Presentation, error) {
	p := new(Presentation)
	if err := StrictJSON(payload, p, MaxDepth); err != nil {
		if p, err = parseLoosely(payload); err != nil {
			return nil, ErrCredential.With(err)
		}
	}
	is := false
	for _, t := range p.Type {
		is = is || t == TypePresentation
	}
	if !is || len(p.Context) == 0 || p.Context[0] != ContextV2 || p.Holder == "" || len(p.Credentials) > 8 {
		return nil, ErrCredential
	}
	return p, nil
}
