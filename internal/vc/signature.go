package vc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/sha512"
	"math/big"
	"sync/atomic"
)

// signaturesHeld counts the signatures that held, so that a test can tell a
// verification that succeeded from one that did not look.
var signaturesHeld atomic.Uint64

// checkSignature reports whether sig is pub's signature of message: Ed25519,
// or ECDSA as r‖s on P-256 with SHA-256, P-384 with SHA-384 or P-521 with
// SHA-512 (RFC 7518, section 3.4; RFC 8032). The key alone decides which. All
// formats of credentials come here; nothing else in this package may verify
// a signature.
func checkSignature(pub crypto.PublicKey, message, sig []byte) bool {
	alg, ok := algorithmOf(pub)
	if !ok || len(sig) != alg.size {
		return false
	}
	switch k := pub.(type) {
	case ed25519.PublicKey:
		ok = ed25519.Verify(k, message, sig)
	case *ecdsa.PublicKey:
		var sum [sha512.Size]byte
		var hash []byte
		switch alg.hash {
		case crypto.SHA256:
			h := sha256.Sum256(message)
			hash = sum[:copy(sum[:], h[:])]
		case crypto.SHA384:
			h := sha512.Sum384(message)
			hash = sum[:copy(sum[:], h[:])]
		default:
			sum = sha512.Sum512(message)
			hash = sum[:]
		}
		half := alg.size / 2
		ok = ecdsa.Verify(k, hash, new(big.Int).SetBytes(sig[:half]), new(big.Int).SetBytes(sig[half:]))
	default:
		return false
	}
	if ok {
		signaturesHeld.Add(1)
	}
	return ok
}
