package vc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"slices"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/tlog"
)

// Roles on the trust list.
const (
	RoleRegistrar  = "registrar"
	RoleCourt      = "court"
	RoleProtection = "protectionAuthority"
	RoleNotary     = "notary"
	RoleConsulate  = "consulate"
	RoleWitness    = "witness" // witnesses consents; no notary
	// RoleHumanitarian is an accredited organisation under a mandate of a State
	// or of UNHCR.
	RoleHumanitarian = "humanitarianOrganisation"
	RoleHub          = "hub"
)

// TrustList says which key may sign which credential type, in which role, from
// when to when. It travels as a JWS with typ kinpass-trust+jwt signed by a
// trust anchor. Sequence only ever grows.
type TrustList struct {
	ID       string        `json:"id"`
	Sequence int64         `json:"sequence"`
	IssuedAt time.Time     `json:"issuedAt"`
	Next     time.Time     `json:"nextUpdate"`
	Issuers  []TrustIssuer `json:"issuers"`
	Hubs     []TrustKey    `json:"hubs"`

	// Witnesses cosign the checkpoints of the issuers' ledgers (C2SP
	// tlog-cosignature); Quorum is how many of them a verifier demands.
	Witnesses []TrustWitness `json:"witnesses,omitempty"`
	Quorum    int            `json:"witnessQuorum,omitempty"`
}

// TrustWitness is a witness of ledgers. Name is the one in its signatures'
// lines, Operator who runs it: people who can tell the issuers no.
type TrustWitness struct {
	Name     string          `json:"name"`
	Operator string          `json:"operator"`
	JWK      json.RawMessage `json:"publicKeyJwk"` // Ed25519
}

// TrustLedger is an issuer's ledger. It is published below the issuer's shelf,
// at /ledger (C2SP tlog-tiles), and signed by one key for its whole life.
type TrustLedger struct {
	Origin string          `json:"origin"`
	JWK    json.RawMessage `json:"publicKeyJwk"` // Ed25519
}

// TrustIssuer is one issuer: its DID, the base address of its shelf and its
// keys.
type TrustIssuer struct {
	DID     string     `json:"did"`
	Name    string     `json:"name"`
	Country string     `json:"country,omitempty"`
	Shelf   string     `json:"shelf"`
	Keys    []TrustKey `json:"keys"`
	// Ledger is nil for an issuer that keeps none.
	Ledger *TrustLedger `json:"ledger,omitempty"`
	// Accreditation is nil for an issuer of which none is asked.
	Accreditation *Accreditation `json:"accreditation,omitempty"`
	// ConsentStatus: this issuer hosts the status of travel consents for the
	// children whose births it signs.
	ConsentStatus bool `json:"consentStatus,omitempty"`
	// MayRevoke lists the DIDs of issuers whose status lists this authority may
	// override: what it calls revoked or suspended is, whatever they publish.
	MayRevoke []string `json:"mayRevoke,omitempty"`
}

// TrustKey is one key. Types are credential types; a zero NotAfter means no
// end. From CutOff on, what the key signed is no longer believed (compromise).
type TrustKey struct {
	ID    string          `json:"id"` // the JWS kid
	JWK   json.RawMessage `json:"publicKeyJwk"`
	Role  string          `json:"role"`
	Types []string        `json:"types,omitempty"`
	// Bases are the legal bases (legalBasis.type) of the guardianships that the
	// key may sign; none means those that its role has by default.
	Bases     []string  `json:"bases,omitempty"`
	NotBefore time.Time `json:"notBefore"`
	NotAfter  time.Time `json:"notAfter,omitzero"`
	CutOff    time.Time `json:"cutOff,omitzero"`
	// CutOffSize is how many entries the issuer's ledger had when the key was
	// still believed: what the first CutOffSize entries commit to was issued
	// before CutOff, whatever its own dates say. 0: nothing is shown by the ledger.
	CutOffSize int64 `json:"cutOffSize,omitempty"`
}

// Errors of trust.
var (
	ErrTrustList = fault.New(fault.Invalid, "trust-list-invalid", "not a trust list that can be read")
	ErrNoLedger  = fault.New(fault.NotFound, "ledger-unknown", "the trust list names no ledger of this issuer that can be used")
	ErrJWK       = fault.New(fault.Invalid, "jwk-invalid", "not a public key that can be used")
)

const maxTrustList = 8 << 20

// LedgerPolicy says what a checkpoint of the issuer's ledger must carry: the
// ledger's own signature and those of Quorum witnesses. It is ErrNoLedger for an
// issuer without a ledger, or with keys that cannot be used.
func (l *TrustList) LedgerPolicy(issuer string) (tlog.Policy, error) {
	i := slices.IndexFunc(l.Issuers, func(x TrustIssuer) bool { return x.DID == issuer })
	if i < 0 || l.Issuers[i].Ledger == nil || l.Issuers[i].Ledger.Origin == "" || l.Quorum < 0 {
		return tlog.Policy{}, ErrNoLedger
	}
	key, err := noteKey(l.Issuers[i].Ledger.JWK)
	if err != nil {
		return tlog.Policy{}, err
	}
	p := tlog.Policy{Log: tlog.LogVerifier(l.Issuers[i].Ledger.Origin, key), Quorum: l.Quorum}
	for _, w := range l.Witnesses {
		key, err := noteKey(w.JWK)
		if err != nil {
			return tlog.Policy{}, err
		}
		p.Witnesses = append(p.Witnesses, tlog.WitnessVerifier(w.Name, key))
	}
	return p, nil
}

// noteKey reads a key that signs checkpoints.
func noteKey(jwk json.RawMessage) (ed25519.PublicKey, error) {
	pub, err := ParseJWK(jwk)
	if err != nil {
		return nil, ErrNoLedger.With(err)
	}
	return NoteKey(pub)
}

// NoteKey gives a key as one that signs checkpoints: Ed25519, or ErrNoLedger.
func NoteKey(pub crypto.PublicKey) (ed25519.PublicKey, error) {
	key, ok := pub.(ed25519.PublicKey)
	if !ok {
		return nil, ErrNoLedger
	}
	return key, nil
}

// May reports whether the key may sign credentials of type t.
func (k *TrustKey) May(t string) bool {
	for _, x := range k.Types {
		if x == t {
			return true
		}
	}
	return false
}

// ValidAt reports whether t lies in the key's period.
func (k *TrustKey) ValidAt(t time.Time) bool {
	return !t.Before(k.NotBefore) && (k.NotAfter.IsZero() || t.Before(k.NotAfter))
}

// OpenTrustList verifies a signed trust list with the anchors and reads it.
func OpenTrustList(signed string, anchors Anchors) (*TrustList, error) {
	payload, err := anchors.verify(signed)
	if err != nil {
		return nil, err
	}
	return readTrustList(payload)
}

// ParseJWK reads a public Ed25519 or P-256 key and refuses private ones, and
// keys that say they are for something other than signatures.
func ParseJWK(data []byte) (crypto.PublicKey, error) {
	k, err := ParseJOSEKey(data)
	if err != nil {
		return nil, ErrJWK.With(err)
	}
	if !slices.Contains(ownAlgorithms, k.Alg) {
		return nil, ErrJWK.With(ErrJWKKind)
	}
	return k.Public, nil
}

// Thumbprint gives the JWK thumbprint (RFC 7638, SHA-256) of an Ed25519 or
// P-256 key as base64url.
func Thumbprint(pub crypto.PublicKey) (string, error) {
	var members string
	switch k := pub.(type) {
	case ed25519.PublicKey:
		members = `{"crv":"Ed25519","kty":"OKP","x":"` + b64.EncodeToString(k) + `"}`
	case *ecdsa.PublicKey:
		u, err := k.Bytes() // 0x04 ‖ X ‖ Y
		if err != nil || len(u) != 65 {
			return "", ErrJWK.With(err)
		}
		members = `{"crv":"P-256","kty":"EC","x":"` + b64.EncodeToString(u[1:33]) + `","y":"` + b64.EncodeToString(u[33:]) + `"}`
	default:
		return "", ErrJWK
	}
	sum := sha256.Sum256([]byte(members))
	return b64.EncodeToString(sum[:]), nil
}

// basesOf says which legal bases a role mandates by default: who may say that
// somebody is a guardian, and why (domain handbook, section 2.2). A court's
// decision is a court's to sign, whoever keeps the register.
var basesOf = map[string][]string{
	RoleRegistrar:    {"parentalResponsibilityByBirth", "acknowledgement", "parentalAgreement", "customary"},
	RoleNotary:       {"acknowledgement", "parentalAgreement", "kafala"},
	RoleCourt:        {"courtOrder", "adoptionSimple", "adoptionPlenary", "kafala", "testamentary", "customary"},
	RoleProtection:   {"publicAuthority"},
	RoleHumanitarian: {"humanitarianMandate"},
}

// MayBase reports whether the key may sign guardianships with this legal basis:
// one that the trust list names for it, else one of its role.
func (k *TrustKey) MayBase(basis string) bool {
	if len(k.Bases) > 0 {
		return slices.Contains(k.Bases, basis)
	}
	return slices.Contains(basesOf[k.Role], basis)
}

// RolesFor lists the roles that mandate on this legal basis by default.
func RolesFor(basis string) []string {
	var out []string
	for _, role := range []string{RoleRegistrar, RoleNotary, RoleCourt, RoleProtection, RoleHumanitarian} {
		if slices.Contains(basesOf[role], basis) {
			out = append(out, role)
		}
	}
	return out
}
