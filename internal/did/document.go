package did

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"encoding/json"
	"strings"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
)

// Errors of DID documents and their methods.
var (
	ErrMismatch    = fault.New(fault.Invalid, "did-document-mismatch", "the DID document is for another identifier")
	ErrDocument    = fault.New(fault.Invalid, "did-document-invalid", "not a usable DID document")
	ErrDeactivated = fault.New(fault.NotFound, "did-deactivated", "this identifier was deactivated")
	ErrKeyExpired  = fault.New(fault.Invalid, "did-key-expired", "this key is past its end of use")
	ErrKeyRevoked  = fault.New(fault.Invalid, "did-key-revoked", "this key was revoked")
)

// Document is a DID document (W3C DID Core 1.0, section 5) as far as Kinpass
// reads and writes it. The relations hold the ids of methods in
// VerificationMethod, or ids of methods that are none of this document's.
type Document struct {
	Context              []string             `json:"@context"`
	ID                   string               `json:"id"`
	VerificationMethod   []VerificationMethod `json:"verificationMethod"`
	Authentication       []string             `json:"authentication,omitempty"`
	AssertionMethod      []string             `json:"assertionMethod"`
	CapabilityInvocation []string             `json:"capabilityInvocation,omitempty"`
	CapabilityDelegation []string             `json:"capabilityDelegation,omitempty"`
	KeyAgreement         []string             `json:"keyAgreement,omitempty"`

	source json.RawMessage // what ParseDocument read
}

// VerificationMethod is one key of a document: PublicKeyJwk is a public JWK
// (RFC 7517), PublicKeyMultibase a Multikey value. Expires and Revoked are the
// XSD dateTimeStamps from which the key must not be used (Controlled
// Identifiers 1.0, section 2.2), empty if none.
type VerificationMethod struct {
	ID                 string          `json:"id"`
	Type               string          `json:"type"`
	Controller         string          `json:"controller"`
	PublicKeyJwk       json.RawMessage `json:"publicKeyJwk,omitempty"`
	PublicKeyMultibase string          `json:"publicKeyMultibase,omitempty"`
	Expires            string          `json:"expires,omitempty"`
	Revoked            string          `json:"revoked,omitempty"`
	// Role is what the document says that the key is for, of the roles of a trust
	// list: a claim of the document's owner. The name of the member is an IRI, so
	// that it means the same with and without a JSON-LD context.
	Role string `json:"https://w3id.org/kinpass/v1#keyRole,omitempty"`

	secret bool // the document shows the private key
}

const (
	maxDocument = 256 << 10 // bytes
	maxMethods  = 256

	memberRole = "https://w3id.org/kinpass/v1#keyRole"
)

// ParseDocument reads a DID document: JSON or JSON-LD, whose meaning is not
// looked into. It is strict where two readers could differ (duplicate names,
// two methods with one id) and takes relations as references or embedded
// methods. Errors: ErrDocument; ErrMismatch for a document whose id is not
// want or that has methods of another controller; ErrDeactivated.
func ParseDocument(data []byte, want string) (*Document, error) {
	if len(data) > maxDocument {
		return nil, ErrDocument
	}
	if err := checkJSON(data); err != nil {
		return nil, ErrDocument.With(err)
	}
	m, ok := members(data)
	if !ok {
		return nil, ErrDocument
	}
	id, ok := text(m, "id")
	if !ok {
		return nil, ErrDocument
	}
	if id != want {
		return nil, ErrMismatch
	}
	if flag, has := m["deactivated"]; has {
		if string(flag) != "false" {
			return nil, ErrDeactivated
		}
	}
	d := &Document{ID: want, source: bytes.Clone(data)}
	if d.Context, ok = contexts(m["@context"]); !ok {
		return nil, ErrDocument
	}
	if err := d.readMethods(m["verificationMethod"]); err != nil {
		return nil, err
	}
	for _, purpose := range purposes {
		if err := d.readRelation(m[purpose], d.relation(purpose)); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// contexts gives the addresses in an @context; inline contexts are passed by.
func contexts(raw json.RawMessage) ([]string, bool) {
	if absent(raw) {
		return nil, true
	}
	var one string
	if json.Unmarshal(raw, &one) == nil && raw[0] == '"' {
		return []string{one}, true
	}
	list, ok := items(raw)
	if !ok {
		return nil, false
	}
	var out []string
	for _, item := range list {
		switch item[0] {
		case '"':
			var s string
			if json.Unmarshal(item, &s) != nil {
				return nil, false
			}
			out = append(out, s)
		case '{':
		default:
			return nil, false
		}
	}
	return out, true
}

// absent takes null for a member that is not there, as encoders write lists
// without an element.
func absent(raw json.RawMessage) bool { return raw == nil || string(raw) == "null" }

// items gives the elements of a JSON array, and none of what is absent.
func items(raw json.RawMessage) ([]json.RawMessage, bool) {
	if absent(raw) {
		return nil, true
	}
	var list []json.RawMessage
	if raw[0] != '[' || json.Unmarshal(raw, &list) != nil || len(list) > maxMethods {
		return nil, false
	}
	return list, true
}

func (d *Document) readMethods(raw json.RawMessage) error {
	list, ok := items(raw)
	if !ok {
		return ErrDocument
	}
	for _, item := range list {
		if err := d.addMethod(item, nil); err != nil {
			return err
		}
	}
	return nil
}

// readRelation reads references and embedded methods; an embedded one is good
// for the relation that it stands in.
func (d *Document) readRelation(raw json.RawMessage, into *[]string) error {
	list, ok := items(raw)
	if !ok {
		return ErrDocument
	}
	for _, item := range list {
		if item[0] == '{' {
			if err := d.addMethod(item, into); err != nil {
				return err
			}
			continue
		}
		var ref string
		if item[0] != '"' || json.Unmarshal(item, &ref) != nil || ref == "" {
			return ErrDocument
		}
		*into = append(*into, d.absolute(ref))
	}
	return nil
}

// addMethod reads one method; relation is nil for those of
// verificationMethod.
func (d *Document) addMethod(raw json.RawMessage, relation *[]string) error {
	f, ok := members(raw)
	if !ok || len(d.VerificationMethod) >= maxMethods {
		return ErrDocument
	}
	var m VerificationMethod
	var oks [7]bool
	m.ID, oks[0] = text(f, "id")
	m.Type, oks[1] = text(f, "type")
	m.Controller, oks[2] = text(f, "controller")
	m.PublicKeyMultibase, oks[3] = optional(f, "publicKeyMultibase")
	m.Expires, oks[4] = optional(f, "expires")
	m.Revoked, oks[5] = optional(f, "revoked")
	m.Role, oks[6] = optional(f, memberRole)
	for _, ok := range oks {
		if !ok {
			return ErrDocument
		}
	}
	if k, has := f["publicKeyJwk"]; has {
		if k[0] != '{' {
			return ErrDocument
		}
		m.PublicKeyJwk = k
	}
	for _, name := range []string{"secretKeyMultibase", "secretKeyJwk", "privateKeyMultibase", "privateKeyJwk", "privateKeyBase58"} {
		if _, has := f[name]; has {
			m.secret = true
		}
	}
	m.ID = d.absolute(m.ID)
	if m.Controller != d.ID || Base(m.ID) != d.ID {
		return ErrMismatch
	}
	if m.ID == d.ID {
		return ErrDocument
	}
	for i := range d.VerificationMethod {
		// The same id twice would let two readers take two keys.
		if d.VerificationMethod[i].ID == m.ID {
			if relation == nil || !d.VerificationMethod[i].same(&m) {
				return ErrDocument
			}
			*relation = append(*relation, m.ID)
			return nil
		}
	}
	d.VerificationMethod = append(d.VerificationMethod, m)
	if relation != nil {
		*relation = append(*relation, m.ID)
	}
	return nil
}

func (m *VerificationMethod) same(o *VerificationMethod) bool {
	return m.Type == o.Type && bytes.Equal(m.PublicKeyJwk, o.PublicKeyJwk) && m.PublicKeyMultibase == o.PublicKeyMultibase &&
		m.Expires == o.Expires && m.Revoked == o.Revoked && m.Role == o.Role && m.secret == o.secret
}

func (d *Document) absolute(ref string) string {
	if strings.HasPrefix(ref, "#") {
		return d.ID + ref
	}
	return ref
}

// purposes are the verification relationships of DID Core 1.0, section 5.3.
var purposes = []string{"authentication", "assertionMethod", "capabilityInvocation", "capabilityDelegation", "keyAgreement"}

// relation gives the list of a purpose, or nil.
func (d *Document) relation(purpose string) *[]string {
	switch purpose {
	case "authentication":
		return &d.Authentication
	case "assertionMethod":
		return &d.AssertionMethod
	case "capabilityInvocation":
		return &d.CapabilityInvocation
	case "capabilityDelegation":
		return &d.CapabilityDelegation
	case "keyAgreement":
		return &d.KeyAgreement
	}
	return nil
}

// Method finds the verification method with this id among those that the
// document allows for assertions. It returns nil if there is none.
func (d *Document) Method(id string) *VerificationMethod {
	return d.MethodFor("assertionMethod", id)
}

// MethodFor finds the verification method with this id among those that the
// document allows for a purpose, by the name of the relation: what signs a
// presentation is for "authentication". It returns nil if there is none.
func (d *Document) MethodFor(purpose, id string) *VerificationMethod {
	list := d.relation(purpose)
	if list == nil || id == "" {
		return nil
	}
	for i := range d.VerificationMethod {
		m := &d.VerificationMethod[i]
		if m.ID != id {
			continue
		}
		for _, a := range *list {
			if d.absolute(a) == id {
				return m
			}
		}
	}
	return nil
}

// Key gives the public key of a method, if it may be used at the given time:
// an ed25519.PublicKey, *ecdsa.PublicKey, Secp256k1Key or X25519
// *ecdh.PublicKey, of the types Multikey, JsonWebKey, JsonWebKey2020,
// Ed25519VerificationKey2020 and X25519KeyAgreementKey2020. Errors:
// ErrKeyExpired, ErrKeyRevoked, ErrKeySecret for a method that shows its
// private key, ErrKeyType, ErrDocument for dates or key material that do not
// fit, and those of ParseMultikey and of JWKs.
func (m *VerificationMethod) Key(at time.Time) (crypto.PublicKey, error) {
	if m.secret {
		return nil, ErrKeySecret
	}
	if at.IsZero() {
		return nil, ErrDocument // no time is no answer to "may it be used?"
	}
	for _, end := range []struct {
		stamp string
		err   *fault.Fault
	}{{m.Revoked, ErrKeyRevoked}, {m.Expires, ErrKeyExpired}} {
		if end.stamp == "" {
			continue
		}
		t, err := time.Parse(time.RFC3339, end.stamp)
		if err != nil {
			return nil, ErrDocument.With(err)
		}
		if !at.Before(t) {
			return nil, end.err
		}
	}
	return m.material()
}

// material reads the key, of which there must be exactly one.
func (m *VerificationMethod) material() (crypto.PublicKey, error) {
	if len(m.PublicKeyJwk) > 0 && m.PublicKeyMultibase != "" {
		return nil, ErrDocument
	}
	switch m.Type {
	case "JsonWebKey", "JsonWebKey2020":
		if len(m.PublicKeyJwk) == 0 {
			return nil, ErrDocument
		}
		k, err := parseJWK(m.PublicKeyJwk)
		if err != nil {
			return nil, err
		}
		if _, ok := k.Key.(*ecdsa.PublicKey); ok && k.Use == "enc" {
			return nil, ErrKeyType
		}
		return k.Key, nil
	case "Multikey", "Ed25519VerificationKey2020", "X25519KeyAgreementKey2020":
		if m.PublicKeyMultibase == "" {
			return nil, ErrDocument
		}
		k, err := ParseMultikey(m.PublicKeyMultibase)
		if err != nil {
			return nil, err
		}
		_, ed := k.(ed25519.PublicKey)
		_, x := k.(*ecdh.PublicKey)
		if m.Type == "Ed25519VerificationKey2020" && !ed || m.Type == "X25519KeyAgreementKey2020" && !x {
			return nil, ErrKeyType
		}
		return k, nil
	}
	return nil, ErrKeyType
}
