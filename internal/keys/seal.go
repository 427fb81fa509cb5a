//go:build !js

package keys

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/json"
	"io"
	"strings"
	"time"

	"filippo.io/age"

	"github.com/kinpass/kinpass/internal/fault"
)

type keyJSON struct {
	Name      string    `json:"name"`
	Use       string    `json:"use"`
	Alg       string    `json:"alg"`
	NotBefore time.Time `json:"notBefore"`
	NotAfter  time.Time `json:"notAfter,omitzero"`
	PKCS8     []byte    `json:"pkcs8"`
}

type ringJSON struct {
	Version int               `json:"version"`
	Keys    []keyJSON         `json:"keys"`
	Secrets map[string][]byte `json:"secrets,omitempty"`
}

// Work factors of age, log2 of scrypt's N. 2^17 costs about half a second and
// 128 MB once per start, and as much per guess for whoever copied the file. A
// passphrase of 40 characters or more, as Kinpass generates them, cannot be
// guessed whatever a guess costs.
const (
	scryptWork     = 17
	scryptWorkLong = 12
	longPassphrase = 40
)

// Seal encrypts the ring under a passphrase.
func (r *Ring) Seal(passphrase []byte) ([]byte, error) {
	v := ringJSON{Version: 1, Secrets: r.Secrets}
	for _, k := range r.Keys {
		der, err := x509.MarshalPKCS8PrivateKey(k.signer)
		if err != nil {
			return nil, err
		}
		v.Keys = append(v.Keys, keyJSON{k.Name, k.Use, k.Alg, k.NotBefore, k.NotAfter, der})
	}
	plain, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	p, err := cleanPassphrase(passphrase)
	if err != nil {
		return nil, err
	}
	rec, err := age.NewScryptRecipient(p)
	if err != nil {
		return nil, err
	}
	rec.SetWorkFactor(scryptWork)
	if len(p) >= longPassphrase {
		rec.SetWorkFactor(scryptWorkLong)
	}
	var out bytes.Buffer
	w, err := age.Encrypt(&out, rec)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(plain); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// Open decrypts what Seal made. A wrong passphrase is ErrPassphrase; anything
// else that is wrong with the file is ErrKeyFile.
func Open(sealed, passphrase []byte) (*Ring, error) {
	p, err := cleanPassphrase(passphrase)
	if err != nil {
		return nil, err
	}
	id, err := age.NewScryptIdentity(p)
	if err != nil {
		return nil, ErrPassphrase.With(err)
	}
	id.SetMaxWorkFactor(20)
	rd, err := age.Decrypt(bytes.NewReader(sealed), id)
	if err != nil {
		if strings.Contains(err.Error(), "incorrect passphrase") || strings.Contains(err.Error(), "no identity matched") {
			return nil, ErrPassphrase.With(err)
		}
		return nil, ErrKeyFile.With(err)
	}
	plain, err := io.ReadAll(io.LimitReader(rd, 1<<20))
	if err != nil {
		return nil, ErrKeyFile.With(err)
	}
	var v ringJSON
	if err := json.Unmarshal(plain, &v); err != nil || v.Version != 1 {
		return nil, ErrKeyFile.With(err)
	}
	r := &Ring{Secrets: v.Secrets}
	for _, k := range v.Keys {
		priv, err := x509.ParsePKCS8PrivateKey(k.PKCS8)
		if err != nil {
			return nil, ErrKeyFile.With(err)
		}
		s, ok := priv.(crypto.Signer)
		if !ok {
			return nil, ErrKeyFile
		}
		r.Keys = append(r.Keys, &Key{k.Name, k.Use, k.Alg, k.NotBefore, k.NotAfter, s})
	}
	return r, nil
}

// Private gives the PKCS #8 form of a key, for a caller that seals it itself
// (the wallet, for holder keys). FromPrivate is the way back.
func (k *Key) Private() ([]byte, error) { return x509.MarshalPKCS8PrivateKey(k.signer) }

// FromPrivate rebuilds a signer from what Private gave.
func FromPrivate(pkcs8 []byte, kid string) (Signer, error) {
	priv, err := x509.ParsePKCS8PrivateKey(pkcs8)
	if err != nil {
		return Signer{}, ErrKeyFile.With(err)
	}
	switch s := priv.(type) {
	case ed25519.PrivateKey:
		return Signer{KID: kid, Alg: EdDSA, Signer: s}, nil
	case *ecdsa.PrivateKey:
		return Signer{KID: kid, Alg: ES256, Signer: s}, nil
	}
	return Signer{}, ErrAlgorithm
}

// cleanPassphrase drops the line end that editors leave in a passphrase file
// and refuses what is too short to protect anything.
func cleanPassphrase(b []byte) (string, error) {
	p := strings.TrimRight(string(b), "\r\n")
	if len(p) < 8 {
		return "", fault.New(fault.Invalid, "passphrase-short", "the passphrase must have at least 8 characters").
			WithHint("put a longer passphrase into the file named by --passphrase-file")
	}
	return p, nil
}
