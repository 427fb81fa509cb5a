package vc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"testing"

	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/rdf"
)

// benchBirth is a full birth credential as the registrar issues it, about 1.5
// kB with its proof.
const benchBirth = `{"@context":["https://www.w3.org/ns/credentials/v2","https://w3id.org/kinpass/v1"],"id":"urn:uuid:0e8b5a4e-4d63-4b25-9c1f-0a6d8a3f2b11","type":["VerifiableCredential","BirthCredential"],"issuer":"did:web:registry.npl.example","validFrom":"2026-11-20T10:00:00Z","validUntil":"2027-11-20T10:00:00Z","credentialSubject":` +
	goodBirth + `,"credentialStatus":[{"type":"BitstringStatusListEntry","statusPurpose":"revocation","statusListIndex":"94567","statusListCredential":"https://registry.npl.example/status/revocation/3"},{"type":"BitstringStatusListEntry","statusPurpose":"suspension","statusListIndex":"94567","statusListCredential":"https://registry.npl.example/status/suspension/3"}],"credentialSchema":{"id":"https://w3id.org/kinpass/schemas/credential/birth/1.json","type":"JsonSchema"}}`

// The bare crypto beside what is measured: machines differ, ratios do not.

func BenchmarkBareEd25519Verify(b *testing.B) {
	s := didSigner(b, keys.EdDSA)
	msg := make([]byte, 64)
	sig, err := s.Sign(nil, msg, crypto.Hash(0))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if !ed25519.Verify(s.Public().(ed25519.PublicKey), msg, sig) {
			b.Fatal("no")
		}
	}
}

func BenchmarkBareEd25519Sign(b *testing.B) {
	s := didSigner(b, keys.EdDSA)
	msg := make([]byte, 64)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Sign(nil, msg, crypto.Hash(0)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBareP256Verify(b *testing.B) {
	s := didSigner(b, keys.ES256)
	sum := sha256.Sum256(nil)
	sig, err := s.Sign(nil, sum[:], crypto.SHA256)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if !ecdsa.VerifyASN1(s.Public().(*ecdsa.PublicKey), sum[:], sig) {
			b.Fatal("no")
		}
	}
}

func benchVerify(b *testing.B, suite, alg string) {
	s := didSigner(b, alg)
	doc, err := AddProof([]byte(benchBirth), ProofOptions{Suite: suite, Signer: s, Purpose: PurposeAssertion, Created: testCreated})
	if err != nil {
		b.Fatal(err)
	}
	policy := testPolicy
	policy.Keys = finder(s.Public(), nil)
	b.ReportMetric(float64(len(doc)), "bytes")
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := VerifyProofs(doc, policy); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerifyEddsaRdfc(b *testing.B) { benchVerify(b, SuiteEdDSARDFC, keys.EdDSA) }
func BenchmarkVerifyEddsaJcs(b *testing.B)  { benchVerify(b, SuiteEdDSAJCS, keys.EdDSA) }
func BenchmarkVerifyEcdsaRdfc(b *testing.B) { benchVerify(b, SuiteECDSARDFC, keys.ES256) }

func benchSign(b *testing.B, suite, alg string) {
	s := didSigner(b, alg)
	doc := []byte(benchBirth)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := AddProof(doc, ProofOptions{Suite: suite, Signer: s, Purpose: PurposeAssertion, Created: testCreated}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAddEddsaRdfc(b *testing.B) { benchSign(b, SuiteEdDSARDFC, keys.EdDSA) }
func BenchmarkAddEddsaJcs(b *testing.B)  { benchSign(b, SuiteEdDSAJCS, keys.EdDSA) }
func BenchmarkAddEcdsaRdfc(b *testing.B) { benchSign(b, SuiteECDSARDFC, keys.ES256) }

// The parts of a verification.

func BenchmarkSplitSecured(b *testing.B) {
	doc, err := AddProof([]byte(benchBirth), ProofOptions{Suite: SuiteEdDSARDFC, Signer: didSigner(b, keys.EdDSA), Purpose: PurposeAssertion, Created: testCreated})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := splitSecured(doc); err != nil {
			b.Fatal(err)
		}
	}
}

func benchCanonical(b *testing.B, doc []byte) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := rdf.Canonical(doc, crypto.SHA256); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCanonicalBirth(b *testing.B) { benchCanonical(b, []byte(benchBirth)) }

func BenchmarkCanonicalConfig(b *testing.B) {
	benchCanonical(b, []byte(`{"@context":["https://www.w3.org/ns/credentials/v2","https://w3id.org/kinpass/v1"],"type":"DataIntegrityProof","cryptosuite":"eddsa-rdfc-2022","created":"2026-11-20T10:00:00Z","verificationMethod":"did:web:registry.npl.example#key-1","proofPurpose":"assertionMethod"}`))
}

// TestVerifyAllocations holds the work on the heap: at most 250 objects for a
// verification. Time is for benchmarks.
func TestVerifyAllocations(t *testing.T) {
	if !json.Valid([]byte(benchBirth)) {
		t.Fatal("the sample is no JSON")
	}
	s := didSigner(t, keys.EdDSA)
	doc, err := AddProof([]byte(benchBirth), ProofOptions{Suite: SuiteEdDSARDFC, Signer: s, Purpose: PurposeAssertion, Created: testCreated})
	if err != nil {
		t.Fatal(err)
	}
	policy := testPolicy
	policy.Keys = finder(s.Public(), nil)
	n := testing.AllocsPerRun(100, func() {
		if _, _, err := VerifyProofs(doc, policy); err != nil {
			t.Fatal(err)
		}
	})
	t.Logf("%d bytes, %.0f allocations", len(doc), n)
	if n > 250 {
		t.Errorf("%.0f allocations, at most 250", n)
	}
}
