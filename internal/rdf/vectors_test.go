package rdf

import (
	"crypto"
	"testing"

	"github.com/kinpass/kinpass/internal/vectest"
)

// The unsigned credentials of the W3C's Data Integrity vectors have the
// canonical form that the vectors give.
func TestDataIntegrityCanonical(t *testing.T) {
	n := 0
	for _, c := range []struct {
		dir, doc, want string
		hash           crypto.Hash
	}{
		{"vc-di-eddsa", "unsigned.json", "eddsa-rdfc-2022/canonDocDataInt.txt", crypto.SHA256},
		{"vc-di-eddsa", "eddsa-rdfc-2022/proofConfigDataInt.json", "eddsa-rdfc-2022/proofCanonDataInt.txt", crypto.SHA256},
		{"vc-di-eddsa", "employmentAuth.json", "eddsa-rdfc-2022/employ/canonDocDataInt.txt", crypto.SHA256},
		{"vc-di-eddsa", "eddsa-rdfc-2022/employ/proofConfigDataInt.json", "eddsa-rdfc-2022/employ/proofCanonDataInt.txt", crypto.SHA256},
		{"vc-di-eddsa", "Ed25519Signature2020/proofConfigEdSig.json", "Ed25519Signature2020/proofCanonEdSig.txt", crypto.SHA256},
		{"vc-di-ecdsa", "unsigned.json", "ecdsa-rdfc-2019-p256/canonDocECDSAP256.txt", crypto.SHA256},
		{"vc-di-ecdsa", "ecdsa-rdfc-2019-p256/proofConfigECDSAP256.json", "ecdsa-rdfc-2019-p256/proofCanonECDSAP256.txt", crypto.SHA256},
		{"vc-di-ecdsa", "employmentAuth.json", "ecdsa-rdfc-2019-p256/employ/canonDocECDSAP256.txt", crypto.SHA256},
		{"vc-di-ecdsa", "ecdsa-rdfc-2019-p256/employ/proofConfigECDSAP256.json", "ecdsa-rdfc-2019-p256/employ/proofCanonECDSAP256.txt", crypto.SHA256},
		{"vc-di-ecdsa", "unsigned.json", "ecdsa-rdfc-2019-p384/canonDocECDSAP384.txt", crypto.SHA384},
		{"vc-di-ecdsa", "ecdsa-rdfc-2019-p384/proofConfigECDSAP384.json", "ecdsa-rdfc-2019-p384/proofCanonECDSAP384.txt", crypto.SHA384},
		{"vc-di-ecdsa", "employmentAuth.json", "ecdsa-rdfc-2019-p384/employ/canonDocECDSAP384.txt", crypto.SHA384},
		{"vc-di-ecdsa", "ecdsa-rdfc-2019-p384/employ/proofConfigECDSAP384.json", "ecdsa-rdfc-2019-p384/employ/proofCanonECDSAP384.txt", crypto.SHA384},
	} {
		dir := vectest.Dir(t, c.dir)
		doc, want := vectest.Read(t, dir, c.doc), string(vectest.Read(t, dir, c.want))
		for name, canonical := range map[string]func([]byte, crypto.Hash) ([]byte, error){"Canonical": Canonical, "slow": canonicalSlow} {
			if got, err := canonical(doc, c.hash); err != nil || string(got) != want {
				t.Errorf("%s %s: %v\n got %s\nwant %s", c.want, name, err, got, want)
			}
		}
		n++
	}
	t.Logf("%d canonical documents", n)
}

// A foreign credential that no compiled path knows.
func BenchmarkCanonicalSlow(b *testing.B) {
	doc := vectest.Read(b, vectest.Dir(b, "vc-di-eddsa"), "employmentAuth.json")
	for b.Loop() {
		if _, err := canonicalSlow(doc, crypto.SHA256); err != nil {
			b.Fatal(err)
		}
	}
}

// The same through json-gold, without canonicalisation.
func BenchmarkGoldExpand(b *testing.B) {
	doc, _ := readJSON(vectest.Read(b, vectest.Dir(b, "vc-di-eddsa"), "employmentAuth.json"))
	for b.Loop() {
		if _, err := goldExpand(doc); err != nil {
			b.Fatal(err)
		}
	}
}
