package issuer

import (
	"crypto"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/vc"
)

// PublishedKeys finds the keys of a published DID document.
func PublishedKeys(d *did.Document, at time.Time) vc.KeyFinder {
	return func(method string) (crypto.PublicKey, string, error) {
		m := d.Method(method)
		if m == nil {
			return nil, "", vc.ErrKeyUnknown
		}
		pub, err := m.Key(at)
		return pub, d.ID, err
	}
}

// TakeInParts makes the ledger take in so many commitments at a time.
func (i *Issuer) TakeInParts(of int) { i.store.batch = of }

// TellAtMost makes the issuer tell of so many credentials of a key at most.
func (i *Issuer) TellAtMost(of int) { i.mostSurvivors = of }
