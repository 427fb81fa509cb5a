package vc

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/rdf"
	"github.com/kinpass/kinpass/internal/vectest"
)

// FuzzVerifyProofs: what verifies means what was signed. A success asked for a
// key and checked a signature for each proof, and gives a document with the
// canonical form of one that is known to be signed; a failure gives nothing.
func FuzzVerifyProofs(f *testing.F) {
	policy := testPolicy
	policy.AllowEd2020 = true
	seeds := append(vectest.Seeds("vc-di-eddsa", ".json", 100), vectest.Seeds("vc-di-ecdsa", ".json", 100)...)
	for _, c := range suiteCases(f) {
		seeds = append(seeds, encode(f, c.signed(f, nil)))
		if c.suite != suiteEd2020 {
			o := options(c)
			o.ID = "urn:x:1"
			one, err := AddProof([]byte(plainCredential), o)
			if err != nil {
				f.Fatal(err)
			}
			o.ID, o.PreviousProof = "", []string{"urn:x:1"}
			two, err := AddProof(one, o)
			if err != nil {
				f.Fatal(err)
			}
			seeds = append(seeds, one, two)
		}
	}
	signed := map[string]bool{}
	meaning := func(doc []byte) string {
		c, err := rdf.Canonical(doc, crypto.SHA256)
		if err != nil {
			return ""
		}
		return string(c)
	}
	for _, s := range seeds {
		f.Add(s)
		if doc, _, err := VerifyProofs(s, policy); err == nil {
			signed[meaning(doc)] = true
		}
	}
	if len(signed) == 0 || signed[""] {
		f.Fatal("no seed verifies")
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		asked := 0
		p := policy
		p.Keys = func(method string) (crypto.PublicKey, string, error) {
			asked++
			return did.MethodKey(method)
		}
		before := signaturesHeld.Load()
		unsecured, proofs, err := VerifyProofs(doc, p)
		held := signaturesHeld.Load() - before
		if err != nil {
			if unsecured != nil || proofs != nil {
				t.Fatal("a failure gave a document or proofs")
			}
			return
		}
		if len(proofs) == 0 || asked != len(proofs) || held < uint64(len(proofs)) {
			t.Fatalf("%d proofs, %d keys, %d signatures", len(proofs), asked, held)
		}
		if !signed[meaning(unsecured)] {
			t.Fatalf("nobody signed this: %s", unsecured)
		}
	})
}

// FuzzAddProof: what is signed verifies and is what was given.
func FuzzAddProof(f *testing.F) {
	for _, s := range append(vectest.Seeds("vc-di-eddsa", ".json", 40), []byte(plainCredential)) {
		f.Add(s)
	}
	_, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	mb, err := did.EncodeMultikey(priv.Public())
	if err != nil {
		f.Fatal(err)
	}
	kid := "did:key:" + mb + "#" + mb
	f.Fuzz(func(t *testing.T, doc []byte) {
		for _, suite := range []string{SuiteEdDSARDFC, SuiteEdDSAJCS} {
			out, err := AddProof(doc, ProofOptions{Suite: suite, Purpose: PurposeAssertion, Created: testCreated,
				Signer: keys.Signer{KID: kid, Alg: keys.EdDSA, Signer: priv}})
			if err != nil {
				if out != nil {
					t.Fatal("a failure gave a document")
				}
				continue
			}
			s, err := splitSecured(out)
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			last := s.proofs[len(s.proofs)-1]
			p := ProofPolicy{Keys: did.MethodKey, Purpose: PurposeAssertion, Now: testCreated.Add(time.Hour)}
			sole := appendMember(s.unsecured, "proof", last.raw)
			if _, proofs, err := VerifyProofs(sole, p); err != nil || len(proofs) != 1 {
				t.Fatalf("%v: %s", err, sole)
			}
		}
	})
}
