package qr

import (
	"slices"
	"testing"

	"github.com/kinpass/kinpass/internal/keys"
)

// The size goals of the KP1 format, from an issuer that the dictionary knows and
// from one that it does not: the median of fifty families holds them.
func TestSizes(t *testing.T) {
	for _, issuer := range []struct{ name, host, base, alg string }{
		{"known", demoHost, demoBase, keys.EdDSA},
		{"unknown", otherHost, otherBase, keys.ES256},
	} {
		for _, s := range shapes {
			var sizes []int
			for i := range 50 {
				f := newFamily(t, seeded(uint64(i)), issuer.host, issuer.base, issuer.alg)
				f.unsigned = true
				b, err := pack(s.make(f))
				if err != nil {
					t.Fatal(err)
				}
				sizes = append(sizes, len(b))
			}
			slices.Sort(sizes)
			median, most := sizes[len(sizes)/2], sizes[len(sizes)-1]
			t.Logf("%-8s %-22s median %d B, most %d B, goal %d B", issuer.name, s.name, median, most, s.goal)
			if median > s.goal {
				t.Errorf("%s from an issuer that is %s: median %d bytes, goal %d", s.name, issuer.name, median, s.goal)
			}
		}
	}
}
