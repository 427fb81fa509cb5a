package qr

import (
	"crypto/ed25519"
	"testing"

	"github.com/kinpass/kinpass/internal/keys"
)

// BenchmarkSizes is the size table: bytes before base45, characters, and the QR
// version at each level, of each shape from an issuer unknown to the dictionary.
func BenchmarkSizes(b *testing.B) {
	for _, s := range shapes {
		b.Run(s.name, func(b *testing.B) {
			packet := s.make(newFamily(b, seeded(1), otherHost, otherBase, keys.EdDSA))
			var packed []byte
			for b.Loop() {
				var err error
				if packed, err = pack(packet); err != nil {
					b.Fatal(err)
				}
			}
			text, err := Pack(packet)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(len(packed)), "bytes")
			b.ReportMetric(float64(len(text)), "chars")
			for _, l := range []Level{L, M, Q} {
				img, err := DrawAny(text, l)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(img.Version), "version-"+l.String())
			}
		})
	}
}

// BenchmarkUnpack stands beside one bare Ed25519 verification: what matters is
// their ratio, on whatever machine.
func BenchmarkUnpack(b *testing.B) {
	b.Run("bare-ed25519-verify", func(b *testing.B) {
		public, private, err := ed25519.GenerateKey(nil)
		if err != nil {
			b.Fatal(err)
		}
		message := make([]byte, 1500)
		signature := ed25519.Sign(private, message)
		for b.Loop() {
			if !ed25519.Verify(public, message, signature) {
				b.Fatal("does not verify")
			}
		}
	})
	for _, s := range shapes {
		text, err := Pack(s.make(newFamily(b, seeded(1), otherHost, otherBase, keys.EdDSA)))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(s.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Unpack(text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkPack(b *testing.B) {
	for _, s := range shapes {
		packet := s.make(newFamily(b, seeded(1), otherHost, otherBase, keys.EdDSA))
		b.Run(s.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Pack(packet); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDraw(b *testing.B) {
	text, err := Pack(shapes[2].make(newFamily(b, seeded(1), otherHost, otherBase, keys.EdDSA)))
	if err != nil {
		b.Fatal(err)
	}
	img, err := Draw(text, Screen)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("draw", func(b *testing.B) {
		for b.Loop() {
			if _, err := Draw(text, Screen); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("png", func(b *testing.B) {
		for b.Loop() {
			if _, err := img.PNG(4); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("svg", func(b *testing.B) {
		for b.Loop() {
			_ = img.SVG()
		}
	})
	b.Run("read", func(b *testing.B) {
		picture := img.Paletted(4)
		for b.Loop() {
			if _, err := Read(picture); err != nil {
				b.Fatal(err)
			}
		}
	})
}
