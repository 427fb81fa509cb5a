package vc

// Proof types and cryptosuites (VC Data Integrity 1.0, section 3.1; Data
// Integrity EdDSA Cryptosuites 1.0; Data Integrity ECDSA Cryptosuites 1.0).
const (
	TypeDataIntegrity = "DataIntegrityProof"
	TypeEd2020        = "Ed25519Signature2020"

	SuiteEdDSARDFC = "eddsa-rdfc-2022"
	SuiteEdDSAJCS  = "eddsa-jcs-2022"
	SuiteECDSARDFC = "ecdsa-rdfc-2019"
	SuiteECDSAJCS  = "ecdsa-jcs-2019"
	SuiteSD        = "ecdsa-sd-2023"
)

// Purposes of a proof (Controlled Identifiers 1.0, section 2.3).
const (
	PurposeAssertion      = "assertionMethod"
	PurposeAuthentication = "authentication"
)

// Media types of SD-JWTs, in a JOSE header's typ (VC-JOSE-COSE 1.0, section
// 3.2; SD-JWT VC, section 3.2.1; RFC 9901, section 4.3).
const (
	TypCredentialSD   = "vc+sd-jwt"
	TypPresentationSD = "vp+sd-jwt"
	TypSDJWTVC        = "dc+sd-jwt"
	TypKeyBinding     = "kb+jwt"
)

// typeBitstringEntry is the type of a status entry (Bitstring Status List 1.0,
// section 2.1).
const typeBitstringEntry = "BitstringStatusListEntry"
