package did

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/subtle"
	"strings"
	"sync/atomic"

	"filippo.io/edwards25519"
	"github.com/decred/dcrd/dcrec/secp256k1/v4"

	"github.com/kinpass/kinpass/internal/fault"
)

// Errors of keys in text form.
var (
	// ErrKeyType: the multicodec or JWK type is none of those we know.
	ErrKeyType = fault.New(fault.Invalid, "did-key-type-unsupported", "this type of key is not supported")
	// ErrKeyLength: the bytes are not those of a key of the type they name.
	ErrKeyLength = fault.New(fault.Invalid, "did-key-length", "the key does not have the length of its type")
	// ErrKeyValue: the bytes are no point of the curve, or one of small order.
	ErrKeyValue = fault.New(fault.Invalid, "did-key-value", "the value is not a key of its type")
	// ErrKeySecret: somebody handed out a private key.
	ErrKeySecret = fault.New(fault.Invalid, "did-key-secret", "a private key is not accepted where a public key belongs")
)

// Multicodec codes of public keys (multiformats table; Controlled Identifiers
// 1.0, section 2.2.2).
const (
	codecSecp256k1 = 0xe7
	codecX25519    = 0xec
	codecEd25519   = 0xed
	codecP256      = 0x1200
	codecP384      = 0x1201
)

// secretCodecs are the codes of private keys of the same types.
var secretCodecs = map[uint64]bool{0x1300: true, 0x1301: true, 0x1302: true, 0x1306: true, 0x1307: true, 0x1308: true}

// maxKeyBytes is a multicodec header of three bytes and the longest key that
// anybody writes as a Multikey, compressed BLS12-381 G2, so that a key of a
// type we do not know is told from a value that is too long.
const maxKeyBytes = 3 + 96

// Secp256k1Key is a public key on secp256k1, a curve that the standard library
// lacks. The zero value is no key.
type Secp256k1Key struct{ x, y [32]byte }

// Coordinates gives the affine coordinates, 32 bytes each, big-endian.
func (k Secp256k1Key) Coordinates() (x, y []byte) { return k.x[:], k.y[:] }

// Equal reports whether other is the same key.
func (k Secp256k1Key) Equal(other crypto.PublicKey) bool {
	o, ok := other.(Secp256k1Key)
	return ok && subtle.ConstantTimeCompare(append(k.x[:], k.y[:]...), append(o.x[:], o.y[:]...)) == 1
}

// secp256k1Key makes a key of a compressed (33 bytes) or uncompressed (65)
// point (SEC 1, section 2.3.4).
func secp256k1Key(point []byte) (Secp256k1Key, error) {
	switch {
	case len(point) == 33 && (point[0] == 2 || point[0] == 3), len(point) == 65 && point[0] == 4:
	default:
		return Secp256k1Key{}, ErrKeyValue
	}
	p, err := secp256k1.ParsePubKey(point)
	if err != nil {
		return Secp256k1Key{}, ErrKeyValue.With(err)
	}
	var k Secp256k1Key
	u := p.SerializeUncompressed()
	copy(k.x[:], u[1:33])
	copy(k.y[:], u[33:])
	return k, nil
}

// ParseMultikey gives the public key of a Multikey value, publicKeyMultibase
// (Controlled Identifiers 1.0, section 2.2.2), which is also what follows
// "did:key:": an ed25519.PublicKey (z6Mk…), a P-256 (zDna…) or P-384 (z82L…)
// *ecdsa.PublicKey, a Secp256k1Key (zQ3s…) or an X25519 *ecdh.PublicKey
// (z6LS…). Every key has one spelling. Errors: ErrMultibase (only base58btc is
// allowed), ErrInvalid for a malformed multicodec header, ErrKeyType,
// ErrKeyLength, ErrKeyValue for what is no usable point, ErrKeySecret.
func ParseMultikey(mb string) (crypto.PublicKey, error) {
	code, rest, err := splitMultikey(mb)
	if err != nil {
		return nil, err
	}
	switch code {
	case codecEd25519:
		if len(rest) != ed25519.PublicKeySize {
			return nil, ErrKeyLength
		}
		if err := usableEdwards(rest); err != nil {
			return nil, err
		}
		return ed25519.PublicKey(rest), nil
	case codecX25519:
		if len(rest) != 32 {
			return nil, ErrKeyLength
		}
		k, err := ecdh.X25519().NewPublicKey(rest)
		if err != nil {
			return nil, ErrKeyValue.With(err)
		}
		return k, nil
	case codecP256:
		return compressed(elliptic.P256(), rest)
	case codecP384:
		return compressed(elliptic.P384(), rest)
	case codecSecp256k1:
		if len(rest) != 33 {
			return nil, ErrKeyLength
		}
		k, err := secp256k1Key(rest)
		if err != nil {
			return nil, err
		}
		return k, nil
	}
	if secretCodecs[code] {
		return nil, ErrKeySecret
	}
	return nil, ErrKeyType
}

// splitMultikey gives the multicodec code and the key's bytes.
func splitMultikey(mb string) (uint64, []byte, error) {
	if len(mb) == 0 || mb[0] != 'z' {
		return 0, nil, ErrMultibase
	}
	raw, err := DecodeMultibase(mb, maxBase58)
	if err != nil {
		return 0, nil, err
	}
	code, rest, ok := uvarint(raw)
	if !ok {
		return 0, nil, ErrInvalid
	}
	if len(rest) > maxKeyBytes {
		return 0, nil, ErrKeyLength
	}
	return code, rest, nil
}

// EncodeMultikey is the reverse of ParseMultikey, for the same five types.
func EncodeMultikey(pub crypto.PublicKey) (string, error) {
	switch k := pub.(type) {
	case ed25519.PublicKey:
		if len(k) != ed25519.PublicKeySize {
			return "", ErrKeyLength
		}
		return multikey([]byte{0xed, 0x01}, k), nil
	case *ecdh.PublicKey:
		if k == nil || k.Curve() != ecdh.X25519() {
			return "", ErrKeyType
		}
		return multikey([]byte{0xec, 0x01}, k.Bytes()), nil
	case *ecdsa.PublicKey:
		//lint:ignore SA1019 a key without a point is looked for, because Bytes would panic
		if k == nil || k.X == nil || k.Y == nil {
			return "", ErrKeyType
		}
		var header []byte
		switch k.Curve {
		case elliptic.P256():
			header = []byte{0x80, 0x24}
		case elliptic.P384():
			header = []byte{0x81, 0x24}
		default:
			return "", ErrKeyType
		}
		u, err := k.Bytes() // 0x04 ‖ X ‖ Y
		if err != nil {
			return "", ErrKeyValue.With(err)
		}
		n := (len(u) - 1) / 2
		return multikey(append(header, 2+u[len(u)-1]&1), u[1:1+n]), nil
	case Secp256k1Key:
		u := append(append([]byte{4}, k.x[:]...), k.y[:]...)
		if _, err := secp256k1Key(u); err != nil {
			return "", err
		}
		return multikey([]byte{0xe7, 0x01, 2 + u[64]&1}, k.x[:]), nil
	}
	return "", ErrKeyType
}

func multikey(header, key []byte) string {
	return "z" + EncodeBase58(append(header, key...))
}

// usable holds Ed25519 keys that edwardsPoint took, each by its first byte: the
// keys of a few issuers come again and again, and reading a point takes as long
// as a tenth of a verification. A key that is not here is read.
var usable [256]atomic.Pointer[[32]byte]

// usableEdwards gives the error of edwardsPoint.
func usableEdwards(key []byte) error {
	place := &usable[key[0]]
	if known := place.Load(); known != nil && *known == [32]byte(key) {
		return nil
	}
	if _, err := edwardsPoint(key); err != nil {
		return err
	}
	good := [32]byte(key)
	place.Store(&good)
	return nil
}

// edwardsPoint reads the point of an Ed25519 key and refuses what RFC 8032
// implementations disagree about: a coordinate that is not reduced, and points
// of small order, under which one signature is good for many messages.
func edwardsPoint(key []byte) (*edwards25519.Point, error) {
	y := [32]byte(key)
	y[31] &= 0x7f // the sign of x
	if smallOrder[y] || !reduced(y) {
		return nil, ErrKeyValue
	}
	p, err := new(edwards25519.Point).SetBytes(key)
	if err != nil {
		return nil, ErrKeyValue.With(err)
	}
	return p, nil
}

// smallOrder are the y coordinates, little-endian, of the eight points whose
// order divides 8: 1, -1, 0 and the two of order 8.
var smallOrder = func() map[[32]byte]bool {
	minusOne := [32]byte{0xec}
	for i := 1; i < 31; i++ {
		minusOne[i] = 0xff
	}
	minusOne[31] = 0x7f
	return map[[32]byte]bool{
		{}: true, {1}: true, minusOne: true,
		{0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
			0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05}: true,
		{0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
			0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a}: true,
	}
}()

// reduced reports whether y is below 2^255 - 19.
func reduced(y [32]byte) bool {
	if y[0] < 0xed || y[31] < 0x7f {
		return true
	}
	for _, b := range y[1:31] {
		if b != 0xff {
			return true
		}
	}
	return false
}

// compressed reads a compressed point (SEC 1, section 2.3.4) of a NIST curve.
func compressed(curve elliptic.Curve, b []byte) (crypto.PublicKey, error) {
	size := (curve.Params().BitSize + 7) / 8
	if len(b) != 1+size {
		return nil, ErrKeyLength
	}
	x, y := elliptic.UnmarshalCompressed(curve, b)
	if x == nil {
		return nil, ErrKeyValue
	}
	u := make([]byte, 1+2*size)
	u[0] = 4
	x.FillBytes(u[1 : 1+size])
	y.FillBytes(u[1+size:])
	pub, err := ecdsa.ParseUncompressedPublicKey(curve, u)
	if err != nil {
		return nil, ErrKeyValue.With(err)
	}
	return pub, nil
}

// uvarint reads a minimal unsigned varint (multiformats), at most 3 bytes.
func uvarint(b []byte) (uint64, []byte, bool) {
	var v uint64
	for i := 0; i < len(b) && i < 3; i++ {
		v |= uint64(b[i]&0x7f) << (7 * i)
		if b[i] < 0x80 {
			if i > 0 && b[i] == 0 {
				return 0, nil, false // not minimal: a second spelling of the key
			}
			return v, b[i+1:], true
		}
	}
	return 0, nil, false
}

// MethodKey gives the key and the controller of a verification method of a
// did:key ("did:key:X#X") or did:jwk ("did:jwk:X#0"): Ed25519, P-256 or P-384,
// the keys that credentials are signed with. Other keys are ErrKeyType, other
// methods ErrUnsupported; a fragment that is missing or does not name the key
// is ErrFragment.
func MethodKey(id string) (pub crypto.PublicKey, controller string, err error) {
	if len(id) > maxDIDURL {
		return nil, "", ErrInvalid
	}
	controller, frag, _ := strings.Cut(id, "#")
	if mb, ok := strings.CutPrefix(controller, "did:key:"); ok {
		if frag != mb {
			return nil, "", ErrFragment
		}
		pub, err = ParseMultikey(mb)
	} else if enc, ok := strings.CutPrefix(controller, "did:jwk:"); ok {
		if frag != "0" {
			return nil, "", ErrFragment
		}
		var k *jwk
		if k, err = decodeJWK(enc); err == nil {
			if k.Use == "enc" {
				return nil, "", ErrKeyType
			}
			pub = k.Key
		}
	} else {
		return nil, "", ErrUnsupported
	}
	if err != nil {
		return nil, "", err
	}
	switch k := pub.(type) {
	case ed25519.PublicKey:
		return k, controller, nil
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P256() || k.Curve == elliptic.P384() {
			return k, controller, nil
		}
	}
	return nil, "", ErrKeyType
}
