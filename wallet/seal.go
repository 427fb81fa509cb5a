package wallet

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"log/slog"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/keys"
)

// Names of the service keys in the ring. A rotation moves the old key to
// SecretWrapPrevious, makes a new SecretWrap, calls Rewrap and then drops the
// old one; in between both are good.
const (
	SecretWrap         = "wrap"
	SecretWrapPrevious = "wrap-previous"
)

// Errors of sealing. They mean a damaged or exchanged database or a wrong
// service key, never a mistake of the caller.
var (
	ErrWrapKey  = fault.New(fault.Unavailable, "wallet-key-missing", "the service key that this wallet was sealed with is not there").WithHint("start the wallet with the key file that belongs to its database")
	errUnsealed = fault.New(fault.Internal, "internal", "the request could not be completed")
)

const keySize = chacha20poly1305.KeySize // 32 bytes

// wrapKey is a service key: it wraps the guardians' data keys and nothing else.
type wrapKey struct {
	id  string // the start of its hash, so that each row says which key it needs
	key []byte
}

// wrapKeys gives the service keys of the ring, the one to wrap with first.
func wrapKeys(ring *keys.Ring) ([]wrapKey, error) {
	var out []wrapKey
	for _, name := range []string{SecretWrap, SecretWrapPrevious} {
		k := ring.Secret(name)
		if len(k) != keySize {
			if name == SecretWrap {
				return nil, ErrWrapKey
			}
			continue
		}
		sum := sha256.Sum256(append([]byte("kinpass/wallet/wrap/v1"), k...))
		out = append(out, wrapKey{id: hex.EncodeToString(sum[:8]), key: k})
	}
	return out, nil
}

// vault is one guardian's data key, opened for one request. It seals what is
// stored and names what must be found again. The zero vault is of no use.
type vault struct {
	guardian string
	keyID    string
	aead     cipher.AEAD
	lookup   []byte
}

// LogValue keeps keys out of every log.
func (v *vault) LogValue() slog.Value { return slog.StringValue("vault") }

// wrapped is a vault as the database keeps it.
type wrapped struct {
	keyID  string // random, names the data key
	wrapID string // names the service key
	sealed []byte
}

// newVault makes a data key for a guardian and wraps it.
func newVault(guardian string, by wrapKey) (*vault, wrapped, error) {
	dataKey, id := make([]byte, keySize), make([]byte, 12)
	rand.Read(dataKey) // never fails (crypto/rand)
	rand.Read(id)
	w := wrapped{keyID: hex.EncodeToString(id), wrapID: by.id}
	v, err := openVault(guardian, w.keyID, dataKey)
	if err != nil {
		return nil, wrapped{}, err
	}
	w.sealed, err = wrap(guardian, w.keyID, dataKey, by)
	return v, w, err
}

func openVault(guardian, keyID string, dataKey []byte) (*vault, error) {
	sealing, err := hkdf.Expand(sha256.New, dataKey, "kinpass/wallet/seal/v1", keySize)
	if err != nil {
		return nil, err
	}
	lookup, err := hkdf.Expand(sha256.New, dataKey, "kinpass/wallet/lookup/v1", keySize)
	if err != nil {
		return nil, err
	}
	a, err := chacha20poly1305.NewX(sealing)
	if err != nil {
		return nil, err
	}
	return &vault{guardian: guardian, keyID: keyID, aead: a, lookup: lookup}, nil
}

// wrap encrypts a data key under a service key. The additional data names the
// guardian and the data key, so that no row can stand in for another.
func wrap(guardian, keyID string, dataKey []byte, by wrapKey) ([]byte, error) {
	a, err := chacha20poly1305.NewX(by.key)
	if err != nil {
		return nil, err
	}
	return seal(a, dataKey, name("wrap", guardian, keyID, by.id)), nil
}

// unwrap gives the data key of a guardian.
func unwrap(guardian string, w wrapped, with []wrapKey) ([]byte, error) {
	for _, k := range with {
		if k.id != w.wrapID {
			continue
		}
		a, err := chacha20poly1305.NewX(k.key)
		if err != nil {
			return nil, err
		}
		return unseal(a, w.sealed, name("wrap", guardian, w.keyID, w.wrapID))
	}
	return nil, ErrWrapKey
}

// seal writes v as JSON and encrypts it for one row of one table. JSON inside of
// it stays as it is, byte for byte, since it may be signed one day.
func (v *vault) seal(table, row string, content any) ([]byte, error) {
	plain, err := plainJSON(content)
	if err != nil {
		return nil, err
	}
	return seal(v.aead, plain, name("row", v.guardian, v.keyID, table, row)), nil
}

// open reads what seal made for this row into content.
func (v *vault) open(table, row string, sealed []byte, content any) error {
	plain, err := unseal(v.aead, sealed, name("row", v.guardian, v.keyID, table, row))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(plain, content); err != nil {
		return errUnsealed.With(err)
	}
	return nil
}

// find gives the 32 bytes under which something is looked up. Without the
// data key nobody can tell what they stand for, nor that two guardians hold
// the same child.
func (v *vault) find(kind string, parts ...string) []byte {
	m := hmac.New(sha256.New, v.lookup)
	m.Write(name(append([]string{kind}, parts...)...))
	return m.Sum(nil)
}

// name joins parts so that no two lists of parts give the same bytes.
func name(parts ...string) []byte {
	out := []byte("kinpass/wallet/v1")
	for _, p := range parts {
		out = binary.BigEndian.AppendUint32(out, uint32(len(p)))
		out = append(out, p...)
	}
	return out
}

// seal puts a random 24-byte nonce before the ciphertext.
func seal(a cipher.AEAD, plain, aad []byte) []byte {
	nonce := make([]byte, a.NonceSize(), a.NonceSize()+len(plain)+a.Overhead())
	rand.Read(nonce)
	return a.Seal(nonce, nonce, plain, aad)
}

func unseal(a cipher.AEAD, sealed, aad []byte) ([]byte, error) {
	if len(sealed) < a.NonceSize() {
		return nil, errUnsealed
	}
	plain, err := a.Open(nil, sealed[:a.NonceSize()], sealed[a.NonceSize():], aad)
	if err != nil {
		return nil, errUnsealed.With(err)
	}
	return plain, nil
}
