//go:build !js

package vc

// suiteEd2020 is Ed25519Signature2020, which names itself by the type of its
// proof and has no cryptosuite member (Data Integrity EdDSA Cryptosuites 1.0,
// section 3.4, a suite kept for what was signed before). It is verified where
// the policy allows it and never made. Its terms come from the document's
// @context: without https://w3id.org/security/suites/ed25519-2020/v1 there its
// type means nothing, and the proof is refused.
var suiteEd2020 = &cryptosuite{canonical: canonicalRDF}

// admitsEd2020 gives the suite of an Ed25519Signature2020 proof.
func (p *ProofPolicy) admitsEd2020(o *proofObject) (*cryptosuite, error) {
	switch {
	case !p.AllowEd2020:
		return nil, ErrProofType
	case o.Suite != "":
		return nil, ErrProofShape.WithDetail("an Ed25519Signature2020 proof has no cryptosuite")
	case len(o.Previous) > 0:
		return nil, ErrProofShape.WithDetail("an Ed25519Signature2020 proof has no previousProof")
	}
	return suiteEd2020, nil
}
