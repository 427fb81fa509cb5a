//go:build !js

package check

import (
	"github.com/kinpass/kinpass/internal/bundle"
	"github.com/kinpass/kinpass/internal/status"
)

// Places gives the places of the list that are set.
func (l *List) Places() *status.Places { return l.places }

// Comparison is how an issuer's own lists stand to what a bundle says of them.
type Comparison struct {
	Same         int      // of the same time, and the same places
	Other        int      // of another time, or not in the bundle
	Missing      int      // in the bundle, and not among those that were compared
	Unread       int      // not signed as a list must be
	Contradicted []string // addresses of lists of the same time that say something else
	// Lifted are addresses of lists among Same of which the bundle has more revoked
	// places than they have: an earlier list had those, says the hub.
	Lifted []string
	// Evidence: these are the very lists that the hub had before it. With
	// Contradicted, that proves it wrong.
	Evidence bool
}

// Compare holds lists that an issuer signed against the bundle. The issuer's
// signatures are verified with the bundle's trust list; whose the bundle is, its
// own signature says.
func (b *Bundle) Compare(issuer string, signed []string) Comparison {
	var c Comparison
	given := map[[8]byte]*signedList{}
	for _, s := range signed {
		if l := b.readList(s); l == nil || l.Issuer != issuer {
			c.Unread++
		} else {
			given[l.key()] = l
		}
	}
	var leaves [][]byte
	for i := range b.dated {
		have := &b.dated[i]
		if have.Issuer != issuer {
			continue
		}
		l := given[have.key()]
		delete(given, have.key())
		switch {
		case l == nil:
			c.Missing++
		case !l.From.Equal(have.From):
			c.Other++
		case !l.says(have):
			c.Contradicted = append(c.Contradicted, have.Address)
		default:
			c.Same++
			if have.Lifted > 0 {
				c.Lifted = append(c.Lifted, have.Address)
			}
		}
		if l != nil {
			leaves = append(leaves, l.hash[:])
		}
	}
	c.Other += len(given)
	root := bundle.Root(leaves)
	c.Evidence = len(leaves) > 0 && b.evidence[issuer] == b64.EncodeToString(root[:])
	return c
}

// says reports whether the list has the places that a bundle has for it, but for
// those that it has no more, and the same key and end.
func (l *signedList) says(have *List) bool {
	if l.Size > have.Size || have.Lifted == 0 && l.Size != have.Size || l.KID != have.KID || !l.Until.Equal(have.Until) {
		return false
	}
	same, more := int64(0), int64(0)
	for place := range have.places.All() {
		if in, err := l.bits.Get(int64(place)); err == nil && in {
			same++
		} else {
			more++
		}
	}
	return same == l.Marked && more == have.Lifted
}
