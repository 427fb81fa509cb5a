// Package keys holds the private keys of a service: made here, used through
// crypto.Signer, sealed at rest with a passphrase.
//
// A Ring is a set of signing keys and named secrets. Seal turns it into an
// age file (scrypt passphrase recipient), Open turns that back. Reading and
// writing files is the caller's business; nothing here touches the disk.
package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
)

// Errors of this package.
var (
	ErrPassphrase = fault.New(fault.Invalid, "passphrase-wrong", "the key file could not be opened with this passphrase")
	ErrKeyFile    = fault.New(fault.Invalid, "key-file-invalid", "not a sealed key file")
	ErrNoKey      = fault.New(fault.Unavailable, "no-signing-key", "no signing key is valid now")
	ErrAlgorithm  = fault.New(fault.Invalid, "key-algorithm", "the algorithm must be EdDSA or ES256")
)

// Algorithms, by their JOSE names (RFC 7518, RFC 8037).
const (
	EdDSA = "EdDSA" // Ed25519, the default
	ES256 = "ES256" // P-256 with SHA-256

	// Rings hold no such keys; a Signer may be made of one elsewhere.
	ES384 = "ES384" // P-384 with SHA-384
	ES512 = "ES512" // P-521 with SHA-512
)

// Uses of a signing key. A key has one.
const (
	UseCredentials = "credentials" // credentials and status lists of an issuer
	UseSelective   = "selective"   // credentials that are shown in parts (ecdsa-sd-2023); ES256 alone
	UseAnchor      = "anchor"      // the trust list
	UseHub         = "hub"         // border bundles
	UseLedger      = "ledger"      // checkpoints of an issuer's ledger; EdDSA alone
	UseCosign      = "cosign"      // cosignatures of a witness of ledgers; EdDSA alone
)

// Roles on the trust list that an issuer can have keys for beside those of its
// register: the use of such a key is the role. An office that keeps the register
// for a court signs the court's orders with the court's key, so that a verifier
// sees who decided.
const (
	UseCourt        = "court"
	UseProtection   = "protectionAuthority"
	UseNotary       = "notary"
	UseConsulate    = "consulate"
	UseWitness      = "witness"
	UseHumanitarian = "humanitarianOrganisation"
)

// RoleUses lists the uses that are roles.
func RoleUses() []string {
	return []string{UseCourt, UseProtection, UseNotary, UseConsulate, UseWitness, UseHumanitarian}
}

// selectiveSuffix makes of a role the use of its key for what is shown in parts.
const selectiveSuffix = "Selective"

// SelectiveOf gives the use of the keys that sign for a role what is shown in
// parts (ecdsa-sd-2023, which is for ES256 alone).
func SelectiveOf(role string) string { return role + selectiveSuffix }

// RoleOf gives the role of a use: "" for a use that is none's.
func RoleOf(use string) string {
	role := strings.TrimSuffix(use, selectiveSuffix)
	if slices.Contains(RoleUses(), role) {
		return role
	}
	return ""
}

// Selective reports whether keys of a use sign what is shown in parts.
func Selective(use string) bool {
	return use == UseSelective || RoleOf(use) != "" && strings.HasSuffix(use, selectiveSuffix)
}

// Key is one private key. It signs between NotBefore and NotAfter (a zero
// NotAfter means no end).
type Key struct {
	Name      string // the fragment of its verification method, such as "key-2026-1"
	Use       string
	Alg       string
	NotBefore time.Time
	NotAfter  time.Time
	signer    crypto.Signer
}

// Signer is a key with the full identifier that goes into a JWS kid.
type Signer struct {
	KID string
	Alg string
	crypto.Signer
}

// New makes a key with fresh randomness.
func New(name, use, alg string, notBefore, notAfter time.Time) (*Key, error) {
	k := &Key{Name: name, Use: use, Alg: alg, NotBefore: notBefore.UTC(), NotAfter: notAfter}
	switch alg {
	case EdDSA:
		_, priv, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, err
		}
		k.signer = priv
	case ES256:
		priv, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		k.signer = priv
	default:
		return nil, ErrAlgorithm
	}
	return k, nil
}

// Public gives the public half.
func (k *Key) Public() crypto.PublicKey { return k.signer.Public() }

// Signer binds the key to the identifier that verifiers know it by.
func (k *Key) Signer(kid string) Signer { return Signer{KID: kid, Alg: k.Alg, Signer: k.signer} }

// ValidAt reports whether the key may sign at t.
func (k *Key) ValidAt(t time.Time) bool {
	return !t.Before(k.NotBefore) && (k.NotAfter.IsZero() || t.Before(k.NotAfter))
}

// LogValue keeps private keys out of every log.
func (k *Key) LogValue() slog.Value { return slog.StringValue("key " + k.Name) }

// LogValue keeps private keys out of every log.
func (s Signer) LogValue() slog.Value { return slog.StringValue("signer " + s.KID) }

// Ring is the set of private keys and secrets of one service. The zero Ring is
// empty and usable.
type Ring struct {
	Keys    []*Key
	Secrets map[string][]byte // 32 bytes each, by name
}

// LogValue keeps private keys out of every log.
func (r *Ring) LogValue() slog.Value { return slog.StringValue("key ring") }

// Add puts a key into the ring; a name can be used once.
func (r *Ring) Add(k *Key) error {
	for _, x := range r.Keys {
		if x.Name == k.Name {
			return fault.New(fault.Conflict, "key-exists", "a key with this name exists")
		}
	}
	r.Keys = append(r.Keys, k)
	return nil
}

// Secret gives the named 32-byte secret. EnsureSecret makes it.
func (r *Ring) Secret(name string) []byte { return r.Secrets[name] }

// EnsureSecret makes the named 32-byte secret if it does not exist and
// reports whether it did so, so that the caller saves the ring.
func (r *Ring) EnsureSecret(name string) (made bool, err error) {
	if len(r.Secrets[name]) == 32 {
		return false, nil
	}
	b := make([]byte, 32)
	if _, err := rand.Read(b); err != nil {
		return false, err
	}
	if r.Secrets == nil {
		r.Secrets = map[string][]byte{}
	}
	r.Secrets[name] = b
	return true, nil
}

// Current gives the key to sign with at t: of those valid for this use, the
// one that became valid last. So a new key with a later NotBefore takes over
// by itself and the old one stays published until it ends.
func (r *Ring) Current(use string, t time.Time) (*Key, error) {
	var best *Key
	for _, k := range r.Keys {
		if k.Use == use && k.ValidAt(t) && (best == nil || k.NotBefore.After(best.NotBefore)) {
			best = k
		}
	}
	if best == nil {
		return nil, ErrNoKey
	}
	return best, nil
}

// Of lists the keys with this use, oldest first.
func (r *Ring) Of(use string) []*Key {
	var out []*Key
	for _, k := range r.Keys {
		if k.Use == use {
			out = append(out, k)
		}
	}
	slices.SortStableFunc(out, func(a, b *Key) int { return a.NotBefore.Compare(b.NotBefore) })
	return out
}
