package vc

import (
	"testing"

	"github.com/kinpass/kinpass/internal/did"
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

// A credential with its status looked up in two verified lists of 2^17
// entries, and its issuer on a list of one: what a verifier does for each
// credential once its lists are open.
func BenchmarkVerifyWithStatus(b *testing.B) {
	w := newMxWorld(b, mxFormatNamed(b, "eddsa-rdfc-2022"))
	p := w.policy()
	good, err := VerifyCredential(w.good, Policy{Keys: p.Keys, ProofOnly: true, Now: p.Now})
	if err != nil || len(good.Status) == 0 {
		b.Fatal(good, err)
	}
	s := newShelf(b, p.Now)
	lists := map[string]*StatusList{}
	for _, e := range good.Status {
		body := s.jws(TypCredential, s.credential(map[string]string{"id": `"` + e.List + `"`, "purpose": `"` + e.Purpose + `"`}))
		l, err := OpenStatusList(body, ListPolicy{Keys: did.MethodKey, Now: p.Now, Speaks: func(string, string) bool { return true }})
		if err != nil {
			b.Fatal(err)
		}
		lists[e.List] = l
	}
	p.Status = func(v *Verified) error {
		for _, e := range v.Status {
			a, err := lists[e.List].Of(BitstringEntry{StatusEntry: e}, v.Issuer, p.Now)
			if err != nil {
				return err
			}
			if a.State == StateUnknown { // the lists have this index set
				return ErrStatusOther
			}
		}
		return nil
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := VerifyCredential(w.good, p); err != nil {
			b.Fatal(err)
		}
	}
}
