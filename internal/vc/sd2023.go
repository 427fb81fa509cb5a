package vc

import "crypto"

// sdVerify checks a derived proof of ecdsa-sd-2023 (Data Integrity ECDSA
// Cryptosuites 1.0, section 3.6.7).
func sdVerify(unsecured []byte, p *proofObject, key crypto.PublicKey) error {
	return ErrProofSuite
}

// sdAddBase makes the proofValue of a base proof of ecdsa-sd-2023 (section
// 3.6.5).
func sdAddBase(unsecured, config []byte, o ProofOptions) (string, error) {
	return "", ErrProofSuite
}

// Derive makes a credential that shows what the selective pointers and the
// issuer's mandatory pointers name, from one with a base proof (section
// 3.6.6).
func Derive(secured []byte, selective []string) ([]byte, error) {
	return nil, ErrProofSuite
}
