package vc

import "crypto"

// VerifyRaw is the decision behind JWS.Verify and COSE.Verify for a message that
// is neither, as those of published vectors are.
func VerifyRaw(pub crypto.PublicKey, message, sig []byte) bool {
	return checkSignature(pub, message, sig)
}
