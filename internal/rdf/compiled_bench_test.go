package rdf

import (
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"testing"
)

// benchDocument is a full birth credential of 1.5 kB, as it is issued.
var benchDocument = sample(`{"@context":["$V2","$KP"],"id":"urn:uuid:0e8b5a4e-4d63-4b25-9c1f-0a6d8a3f2b11","type":["VerifiableCredential","BirthCredential"],"issuer":"did:web:registry.npl.example","validFrom":"2026-11-20T10:00:00Z","validUntil":"2027-11-20T10:00:00Z","credentialSubject":{"childRef":"jWoSldc3ms1i4ycXe2mjtQ","recordVersion":1,"circumstance":"ordinary","names":[{"kind":"legal","script":"Latn","given":["Kavya"],"family":["Gurung"],"mrz":{"primary":"GURUNG","secondary":"KAVYA","source":"issuer"}}],"birthDate":{"value":"2013-04-11","precision":"day","basis":"medicalRecord"},"sex":2,"placeOfBirth":{"status":"known","country":"NPL","locality":"Patan"},"parentage":[{"role":"mother","status":"known","names":[{"kind":"legal","script":"Latn","full":"Diya Thapa"}]}],"registration":{"number":"NPL-2013-043227","authority":"https://registry.npl.example","office":"Patan 3","date":"2013-06-05","mode":"timely"}},"credentialStatus":[{"type":"BitstringStatusListEntry","statusPurpose":"revocation","statusListIndex":"94567","statusListCredential":"https://registry.npl.example/status/revocation/3"},{"type":"BitstringStatusListEntry","statusPurpose":"suspension","statusListIndex":"94567","statusListCredential":"https://registry.npl.example/status/suspension/3"}],"credentialSchema":{"id":"https://w3id.org/kinpass/schemas/credential/birth/1.json","type":"JsonSchema"}}`)

var benchConfig = sample(ownDocuments["proof configuration"])

func BenchmarkCanonicalCompiled(b *testing.B) {
	for name, doc := range map[string][]byte{"birth": benchDocument, "proof": benchConfig} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Canonical(doc, crypto.SHA256); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("birth/quads", func(b *testing.B) { // without the canonical form
		b.ReportAllocs()
		for b.Loop() {
			if err := Check(benchDocument); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkCanonicalExpanded(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := canonicalSlow(benchDocument, crypto.SHA256); err != nil {
			b.Fatal(err)
		}
	}
}

// What the canonical form is made for, to be compared with.
func BenchmarkBareCrypto(b *testing.B) {
	text, err := Canonical(benchDocument, crypto.SHA256)
	if err != nil {
		b.Fatal(err)
	}
	pub, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		b.Fatal(err)
	}
	message := make([]byte, 64) // two hashes
	signature := ed25519.Sign(key, message)
	b.Run("Ed25519Verify", func(b *testing.B) {
		for b.Loop() {
			if !ed25519.Verify(pub, message, signature) {
				b.Fatal("refused")
			}
		}
	})
	b.Run("SHA256", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			sha256.Sum256(text)
		}
	})
}
