package vc

import (
	"testing"

	"github.com/kinpass/kinpass/internal/keys"
)

// The entrance with everything that it checks but the status list, for each
// format, beside the bare signature.
func BenchmarkVerifyCredential(b *testing.B) {
	s := mxSigner(b, keys.EdDSA, "issuer")
	message := make([]byte, 64)
	sig, err := signRaw(s, 0, 64, message)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("Ed25519 alone", func(b *testing.B) {
		for b.Loop() {
			if !checkSignature(s.Public(), message, sig) {
				b.Fatal("refused")
			}
		}
	})
	for _, f := range mxFormats() {
		w := newMxWorld(b, f)
		p := w.policy()
		p.Status = func(*Verified) error { return nil }
		b.Run(f.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := VerifyCredential(w.good, p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkVerifyPresentation(b *testing.B) {
	w := newMxWorld(b, mxFormatNamed(b, "eddsa-rdfc-2022"))
	p := w.policy()
	p.Domain, p.Challenge = mxDomain, mxChallenge
	p.Status = func(*Verified) error { return nil }
	var three []string
	for _, name := range []string{"Kavya", "Maya", "Lila"} {
		three = append(three, string(w.signed(mxReplace(b, mxReplace(b, w.doc, "Kavya", name), "-4d63-", "-4d"+name[:2]+"-"))))
	}
	vp := mxVP(b, mxSigner(b, keys.EdDSA, "holder"), mxPresentation("", three...))
	b.Run("three with eddsa-rdfc-2022", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := VerifyPresentation(vp, p); err != nil {
				b.Fatal(err)
			}
		}
	})
}
