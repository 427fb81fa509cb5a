package check

import (
	"crypto/ed25519"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/kinpass/kinpass/internal/vc"
)

func TestSmoke(t *testing.T) {
	w := newWorld(t)
	text := w.present("mother", w.issue(w.birth()), w.issue(w.mandate("mother")))
	d, _, err := Check(text, w.bundle(), Facts{}, History{}, now)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", d)
	if d.Colour != Green {
		t.Fatal(d.Codes())
	}
}

func BenchmarkCheck(b *testing.B) {
	w := newWorld(b)
	text := w.present("mother", w.issue(w.birth()), w.issue(w.mandate("mother")))
	bundle := w.bundle()
	b.ReportAllocs()
	for b.Loop() {
		d, _, err := Check(text, bundle, Facts{}, History{}, now)
		if err != nil || d.Colour != Green {
			b.Fatal(d.Codes(), err)
		}
	}
}

// BenchmarkBareVerify is the baseline: the three signatures of the same
// presentation and nothing else.
func BenchmarkBareVerify(b *testing.B) {
	w := newWorld(b)
	birth, mandate := w.issue(w.birth()), w.issue(w.mandate("mother"))
	vp := w.sign(w.holder["mother"], vc.TypPresentation, w.presentation("mother", birth, mandate))
	type one struct {
		key   ed25519.PublicKey
		input []byte
		sig   []byte
	}
	var all []one
	for i, s := range []string{vp, birth, mandate} {
		signer := w.office[vc.RoleRegistrar]
		if i == 0 {
			signer = w.holder["mother"]
		}
		dot := strings.LastIndexByte(s, '.')
		sig, err := base64.RawURLEncoding.DecodeString(s[dot+1:])
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, one{signer.Public().(ed25519.PublicKey), []byte(s[:dot]), sig})
	}
	for b.Loop() {
		for _, o := range all {
			if !ed25519.Verify(o.key, o.input, o.sig) {
				b.Fatal("does not verify")
			}
		}
	}
}
