package vc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"math/big"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/keys"
)

// BenchmarkSelectiveDisclosure shows what the suite costs beside its
// signatures: bare-p256-… is as many verifications (or signatures) with the
// standard library as the line above it needs.
func BenchmarkSelectiveDisclosure(b *testing.B) {
	base := sdSign(b, sdBirth, sdBirthMandatory...)
	signer := sdIssuer(b)
	at := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	sum := sha256.Sum256([]byte(sdBirth))
	sig, err := signRaw(signer, crypto.SHA256, 64, []byte(sdBirth))
	if err != nil {
		b.Fatal(err)
	}
	r, s := new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])
	pub := &signer.Signer.(*ecdsa.PrivateKey).PublicKey
	bare := func(n int) func(b *testing.B) {
		return func(b *testing.B) {
			for b.Loop() {
				for range n {
					if !ecdsa.Verify(pub, sum[:], r, s) {
						b.Fatal("no")
					}
				}
			}
			b.ReportMetric(float64(n), "signatures")
		}
	}
	// A did:web issuer's key is known to the verifier; did:key would be parsed.
	_, method, ok := keyOfProof(b, base)
	if !ok {
		b.Fatal("no key")
	}
	policy := sdPolicy()
	policy.Keys = method
	for _, c := range []struct {
		name     string
		pointers []string
	}{
		{"nothing-more", nil},
		{"age", []string{"/credentialSubject/birthDate/latest"}},
		{"birthday-and-sex", []string{"/credentialSubject/birthDate/value", "/credentialSubject/birthDate/precision", "/credentialSubject/sex"}},
		{"whole-birth-date", []string{"/credentialSubject/birthDate"}},
		{"everything", []string{""}},
	} {
		doc := sdDerive(b, base, c.pointers...)
		n := 1 + len(sdParsed(b, doc).signatures)
		b.Run("verify-"+c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := VerifyProofs(doc, policy); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n), "signatures")
		})
		b.Run("bare-p256-"+c.name, bare(n))
		b.Run("derive-"+c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Derive(base, c.pointers); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	o := ProofOptions{Suite: SuiteSD, Signer: signer, Purpose: PurposeAssertion, Created: at, MandatoryPointers: sdBirthMandatory}
	parsed, err := parseSDBase(sdProofValueOf(b, base))
	if err != nil {
		b.Fatal(err)
	}
	n := 1 + len(parsed.signatures)
	b.Run("issue", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := AddProof([]byte(sdBirth), o); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(n), "signatures")
	})
	b.Run("bare-p256-issue", func(b *testing.B) {
		for b.Loop() {
			for range n {
				if _, err := signRaw(keys.Signer{Signer: signer.Signer}, crypto.SHA256, 64, sum[:]); err != nil {
					b.Fatal(err)
				}
			}
		}
		b.ReportMetric(float64(n), "signatures")
	})
}

func keyOfProof(b *testing.B, doc []byte) (*ecdsa.PublicKey, KeyFinder, bool) {
	pub, controller, err := sdPolicy().Keys(sdProofMethod(b, doc))
	if err != nil {
		b.Fatal(err)
	}
	k, ok := pub.(*ecdsa.PublicKey)
	return k, func(string) (crypto.PublicKey, string, error) { return k, controller, nil }, ok
}
