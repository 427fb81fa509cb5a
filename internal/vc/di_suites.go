//go:build !js

package vc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	_ "crypto/sha256" // crypto.SHA256.New
	_ "crypto/sha512" // crypto.SHA384.New
	"encoding/asn1"
	"math/big"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/rdf"
)

// cryptosuite is one way of making and checking a proofValue. A plain suite
// has a canonical form and a kind of key; its signature is over the digests of
// the proof configuration and of the document. verify and sign, where set, do
// all of it instead.
type cryptosuite struct {
	name      string
	canonical func(doc []byte, h crypto.Hash) ([]byte, error)
	ecdsa     bool // ECDSA on P-256 or P-384; else Ed25519
	jcs       bool // the proof carries the document's @context
	verify    func(unsecured []byte, p *proofObject, key crypto.PublicKey) error
	sign      func(unsecured, config []byte, o ProofOptions) (proofValue string, err error)
}

var (
	suiteEdDSARDFC = &cryptosuite{name: SuiteEdDSARDFC, canonical: canonicalRDF}
	suiteECDSARDFC = &cryptosuite{name: SuiteECDSARDFC, canonical: canonicalRDF, ecdsa: true}
	suiteEdDSAJCS  = &cryptosuite{name: SuiteEdDSAJCS, canonical: canonicalChecked, jcs: true}
	suiteECDSAJCS  = &cryptosuite{name: SuiteECDSAJCS, canonical: canonicalChecked, jcs: true, ecdsa: true}
	suiteSD        = &cryptosuite{name: SuiteSD, verify: sdVerify, sign: sdAddBase}
)

// suiteOf gives the cryptosuite of a DataIntegrityProof, nil for an unknown
// name.
func suiteOf(name string) *cryptosuite {
	switch name {
	case SuiteEdDSARDFC:
		return suiteEdDSARDFC
	case SuiteECDSARDFC:
		return suiteECDSARDFC
	case SuiteEdDSAJCS:
		return suiteEdDSAJCS
	case SuiteECDSAJCS:
		return suiteECDSAJCS
	case SuiteSD:
		return suiteSD
	}
	return nil
}

// canonicalRDF is RDF Dataset Canonicalization of what the document means.
func canonicalRDF(doc []byte, h crypto.Hash) ([]byte, error) { return rdf.Canonical(doc, h) }

// canonicalChecked is the JSON Canonicalization Scheme for documents in which
// every term has a meaning. The scheme itself covers all of the text; but a
// reader that takes it for JSON-LD, as it may, must not be shown less.
func canonicalChecked(doc []byte, h crypto.Hash) ([]byte, error) {
	if err := rdf.Check(doc); err != nil {
		return nil, err
	}
	return canonicalJCS(doc, h)
}

// keyKind gives the hash that goes with a public key and the length of its
// signatures; ok is false for a key that the suite cannot use.
func (s *cryptosuite) keyKind(key crypto.PublicKey) (h crypto.Hash, size int, ok bool) {
	switch k := key.(type) {
	case ed25519.PublicKey:
		return crypto.SHA256, ed25519.SignatureSize, !s.ecdsa && len(k) == ed25519.PublicKeySize
	case *ecdsa.PublicKey:
		switch {
		case !s.ecdsa || k == nil:
		case k.Curve == elliptic.P256():
			return crypto.SHA256, 64, true
		case k.Curve == elliptic.P384():
			return crypto.SHA384, 96, true
		}
	}
	return 0, 0, false
}

// digest hashes the canonical form of doc and appends it to dst.
func (s *cryptosuite) digest(dst, doc []byte, h crypto.Hash) ([]byte, error) {
	if !s.jcs {
		return rdf.AppendDigest(dst, doc, h)
	}
	canon, err := s.canonical(doc, h)
	if err != nil {
		return nil, err
	}
	w := h.New()
	w.Write(canon)
	return w.Sum(dst), nil
}

// check verifies one proof over d with key.
func (s *cryptosuite) check(d *document, p *proofObject, key crypto.PublicKey) error {
	if s.verify != nil {
		return s.verify(d.bytes, p, key)
	}
	h, size, ok := s.keyKind(key)
	if !ok {
		return ErrProofKey
	}
	sig, err := decodeProofValue(p.Value, size)
	if err != nil {
		return err
	}
	data, err := s.digest(make([]byte, 0, 96), p.config, h)
	if err != nil {
		return err
	}
	if data, err = d.appendDigest(data, s, h); err != nil {
		return err
	}
	if checkSignature(key, data, sig) {
		return nil
	}
	return ErrSignature
}

// make signs the proof configuration and the document.
func (s *cryptosuite) make(unsecured, config []byte, o ProofOptions) (string, error) {
	if s.sign != nil {
		return s.sign(unsecured, config, o)
	}
	h, size, ok := s.keyKind(o.Signer.Public())
	if !ok {
		return "", ErrProofKey
	}
	data, err := s.digest(make([]byte, 0, 96), config, h)
	if err != nil {
		return "", err
	}
	if data, err = s.digest(data, unsecured, h); err != nil {
		return "", err
	}
	sig, err := signRaw(o.Signer, h, size, data)
	if err != nil {
		return "", err
	}
	return "z" + did.EncodeBase58(sig), nil
}

// signRaw signs data as the proof formats want it: Ed25519 over the data, and
// ECDSA over its hash as r‖s of size bytes. No randomness is passed, so that
// ECDSA derives its nonce from key and message (RFC 6979) where the signer
// can: a weak random source then cannot leak the key.
func signRaw(s keys.Signer, h crypto.Hash, size int, data []byte) ([]byte, error) {
	if _, ok := s.Public().(ed25519.PublicKey); ok {
		return s.Sign(nil, data, crypto.Hash(0))
	}
	w := h.New()
	w.Write(data)
	der, err := s.Sign(nil, w.Sum(nil), h)
	if err != nil {
		return nil, err
	}
	var v struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(der, &v); err != nil || len(rest) > 0 {
		return nil, ErrProofOptions.With(err)
	}
	if v.R.Sign() <= 0 || v.S.Sign() <= 0 || v.R.BitLen() > size*4 || v.S.BitLen() > size*4 {
		return nil, ErrProofOptions
	}
	sig := make([]byte, size)
	v.R.FillBytes(sig[:size/2])
	v.S.FillBytes(sig[size/2:])
	return sig, nil
}

// appendDigest appends the digest of d's canonical form in suite s.
func (d *document) appendDigest(dst []byte, s *cryptosuite, h crypto.Hash) ([]byte, error) {
	key := digestKey{s.jcs, h}
	if sum, ok := d.digests[key]; ok {
		return append(dst, sum...), nil
	}
	at := len(dst)
	dst, err := d.digest(dst, s, h)
	if err != nil {
		return nil, err
	}
	if d.digests != nil {
		d.digests[key] = dst[at:]
	}
	return dst, nil
}

// digest is the suite's, with what was or will be read only once.
func (d *document) digest(dst []byte, s *cryptosuite, h crypto.Hash) ([]byte, error) {
	if s.jcs || d.secured == nil {
		return s.digest(dst, d.bytes, h)
	}
	if d.seen.said != nil {
		if out, ok, err := d.seen.said.AppendUnsecured(dst, d.secured, h); ok {
			return out, err
		}
	}
	if d.seen.contained != nil {
		return d.seen.contained.AppendDigest(dst, d.bytes, h)
	}
	return s.digest(dst, d.bytes, h)
}
