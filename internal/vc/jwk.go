package vc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/keys"
)

// Errors of reading keys; see also ErrJWK. They never repeat a part of a key.
var (
	ErrJWKKind    = fault.New(fault.Invalid, "jwk-unsupported", "the key is of a type or curve that nothing is signed with here")
	ErrJWKPoint   = fault.New(fault.Invalid, "jwk-point", "the key is not a point of its curve")
	ErrJWKPrivate = fault.New(fault.Invalid, "jwk-private", "the private half of the key is missing, malformed, or where none may be")
	ErrJWKPair    = fault.New(fault.Invalid, "jwk-pair", "the halves of the key do not belong together")
	ErrJWKUse     = fault.New(fault.Invalid, "jwk-use", "the key says that it is for another use or algorithm")
)

const (
	maxJWK     = 2048 // bytes, as in did
	maxKeyFile = 16 << 10
)

// JOSEKey is a key to verify with, and to sign with where its private half is
// known: Ed25519, P-256, P-384 or P-521.
type JOSEKey struct {
	ID         string // of the verification method; empty for a bare JWK
	Controller string // of the verification method; empty for a bare JWK
	KID        string // the JWK's kid; may be empty
	Alg        string // EdDSA, ES256, ES384 or ES512
	Public     crypto.PublicKey
	signer     crypto.Signer
}

// LogValue keeps private keys out of every log.
func (k *JOSEKey) LogValue() slog.Value { return slog.StringValue("key " + k.ID + " " + k.KID) }

// Signer gives the key to sign with, or false where only its public half is
// known. Its KID is the verification method's id, else the JWK's kid.
func (k *JOSEKey) Signer() (keys.Signer, bool) {
	if k.signer == nil {
		return keys.Signer{}, false
	}
	kid := k.ID
	if kid == "" {
		kid = k.KID
	}
	return keys.Signer{KID: kid, Alg: k.Alg, Signer: k.signer}, true
}

// ParseJOSEKey reads a public JWK (RFC 7517, RFC 8037) and refuses private
// ones, points that are not on their curve, and keys that say they are for
// another algorithm (alg) or use (use, key_ops). Errors: ErrJWK for what is no
// strict JWK, ErrJWKKind, ErrJWKPoint, ErrJWKPrivate, ErrJWKUse.
func ParseJOSEKey(data []byte) (*JOSEKey, error) { return publicJWK(data, "verify") }

func publicJWK(data []byte, op string) (*JOSEKey, error) {
	if err := CheckJSON(data, 4); err != nil {
		return nil, ErrJWK.With(err)
	}
	pub, members, err := did.ParseJWK(data)
	switch {
	case errors.Is(err, did.ErrKeyType):
		return nil, ErrJWKKind
	case errors.Is(err, did.ErrKeySecret):
		return nil, ErrJWKPrivate
	case errors.Is(err, did.ErrKeyValue):
		return nil, ErrJWKPoint
	case err != nil:
		return nil, ErrJWK.With(err)
	}
	alg, ok := algorithmOf(pub)
	if !ok {
		return nil, ErrJWKKind
	}
	k := &JOSEKey{Alg: alg.name, Public: pub}
	for name, want := range map[string]string{"alg": alg.name, "use": "sig"} {
		if raw, there := members[name]; there {
			if s, ok := stringValue(raw); !ok || s != want {
				return nil, ErrJWKUse
			}
		}
	}
	if raw, there := members["key_ops"]; there {
		if ops, ok := stringValues(raw, 16); !ok || raw[0] != '[' || !slices.Contains(ops, op) {
			return nil, ErrJWKUse
		}
	}
	if raw, there := members["kid"]; there {
		if k.KID, ok = stringValue(raw); !ok {
			return nil, ErrJWK
		}
	}
	return k, nil
}

// ParsePrivateJWK reads a private JWK: what ParseJOSEKey takes, with d (RFC
// 7518, section 6.2.2; RFC 8037, section 2) in its full length and belonging to
// x and y. The signer's KID is the JWK's kid, if it has one.
func ParsePrivateJWK(data []byte) (keys.Signer, error) {
	k, err := privateJWK(data)
	if err != nil {
		return keys.Signer{}, err
	}
	s, _ := k.Signer()
	return s, nil
}

func privateJWK(data []byte) (*JOSEKey, error) {
	var m map[string]json.RawMessage
	if len(data) > maxJWK {
		return nil, ErrJWK
	}
	if err := CheckJSON(data, 4); err != nil {
		return nil, ErrJWK.With(err)
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, ErrJWK.With(err)
	}
	secret, ok := stringValue(m["d"])
	if !ok {
		return nil, ErrJWKPrivate
	}
	delete(m, "d")
	rest, err := json.Marshal(m)
	if err != nil {
		return nil, ErrJWK.With(err)
	}
	k, err := publicJWK(rest, "sign")
	if err != nil {
		return nil, err
	}
	d, err := b64.DecodeString(secret)
	if err != nil || b64.EncodeToString(d) != secret { // line ends are skipped even by strict readers
		return nil, ErrJWKPrivate
	}
	switch pub := k.Public.(type) {
	case ed25519.PublicKey:
		if len(d) != ed25519.SeedSize {
			return nil, ErrJWKPrivate
		}
		priv := ed25519.NewKeyFromSeed(d)
		if !pub.Equal(priv.Public()) {
			return nil, ErrJWKPair
		}
		k.signer = priv
	case *ecdsa.PublicKey:
		priv, err := ecdsa.ParseRawPrivateKey(pub.Curve, d)
		if err != nil {
			return nil, ErrJWKPrivate.With(err)
		}
		if !pub.Equal(priv.Public()) {
			return nil, ErrJWKPair
		}
		k.signer = priv
	default:
		return nil, ErrJWKKind
	}
	return k, nil
}

// ParseKeyFile reads a JWK, public or private, or a verification method
// (Controlled Identifiers 1.0, section 2.2.3) that carries one as publicKeyJwk,
// secretKeyJwk or both; both must then be the same key.
func ParseKeyFile(data []byte) (*JOSEKey, error) {
	if len(data) > maxKeyFile {
		return nil, ErrJWK
	}
	if err := CheckJSON(data, 8); err != nil {
		return nil, ErrJWK.With(err)
	}
	var m map[string]json.RawMessage
	if err := json.Unmarshal(data, &m); err != nil || m == nil {
		return nil, ErrJWK.With(err)
	}
	public, private := m["publicKeyJwk"], m["secretKeyJwk"]
	if public == nil && private == nil {
		if m["d"] != nil {
			return privateJWK(data)
		}
		return ParseJOSEKey(data)
	}
	var k *JOSEKey
	var err error
	if private != nil {
		if k, err = privateJWK(private); err != nil {
			return nil, err
		}
	}
	if public != nil {
		p, err := ParseJOSEKey(public)
		if err != nil {
			return nil, err
		}
		switch {
		case k == nil:
			k = p
		case !sameKey(k.Public, p.Public) || k.KID != p.KID:
			return nil, ErrJWKPair
		}
	}
	for name, to := range map[string]*string{"id": &k.ID, "controller": &k.Controller} {
		if raw, there := m[name]; there {
			s, ok := stringValue(raw)
			if !ok {
				return nil, ErrJWK
			}
			*to = s
		}
	}
	return k, nil
}

func sameKey(a, b crypto.PublicKey) bool {
	switch k := a.(type) {
	case ed25519.PublicKey:
		return k.Equal(b)
	case *ecdsa.PublicKey:
		return k.Equal(b)
	}
	return false
}
