package qr

import (
	"testing"

	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/rdf"
)

// What the issuer and the wallet put into a code means something to any reader
// of JSON-LD: nothing in it is dropped.
func TestFamilyIsJSONLD(t *testing.T) {
	n := 0
	check := func(compact string) {
		n++
		_, payload, _, ok := split(compact)
		if !ok {
			t.Fatal("not a JWS")
		}
		if err := rdf.Check(payload); err != nil {
			t.Errorf("%v:\n%s", err, payload)
		}
	}
	for seed := range uint64(20) {
		f := newFamily(t, seeded(seed), otherHost, otherBase, keys.EdDSA)
		f.unsigned = true
		_, id := f.holder(keys.EdDSA)
		g := f.guardianship(id)
		check(f.birth())
		check(g)
		check(f.guardianship(""))
		check(f.consent(g))
	}
	if n != 80 {
		t.Errorf("%d credentials", n)
	}
}
