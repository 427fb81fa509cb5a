package check

import "github.com/kinpass/kinpass/internal/vc"

// Lifted gives the lists that have places no more that an earlier one had revoked.
func (b *Bundle) Lifted() []List {
	var out []List
	for _, l := range b.dated {
		if l.Lifted > 0 {
			out = append(out, l)
		}
	}
	return out
}

// TakesBack gives the first list of b on which next has a place as not revoked that
// b has as revoked, and how many there are. INVALID is final (domain handbook,
// section 5.4), so that next, or b, is false.
//
// A list that is not in next any more, because its credentials have ended, is no
// case of it, and neither is an authority's over another's: a court may find that it
// was wrong. Nor is a list that next's trust list does not let its signer sign, or of
// a key that is cut off there from before b was made, whatever the list's date, which
// its signer wrote; nor anything that a hub said whose key is withdrawn there: else
// what a thief called revoked would stay so on every device. For the same reason a
// hub may let go of what it had put into a list by itself, once a key of that issuer
// is cut off, or earlier than it was: it said itself how many places those are.
func (b *Bundle) TakesBack(next *Bundle) (l List, places uint64) {
	if hub, _ := hubKey(next.Trust, b.Hub); hub == nil || !hub.CutOff.IsZero() {
		return List{}, 0
	}
	for i := range b.dated {
		was := &b.dated[i]
		now := next.lists[listName{was.Issuer, was.Address}]
		if was.Purpose != vc.PurposeRevocation || was.About != was.Address || now == nil {
			continue
		}
		if key, answers := next.listKey(was); !answers || !key.CutOff.IsZero() && !b.CreatedAt.Before(key.CutOff) {
			continue
		}
		if now.purpose != was.Purpose {
			return *was, was.places.Len()
		}
		if n := was.places.Without(now.places); n > 0 && (n > uint64(was.Lifted) || !cutSince(b.Trust, next.Trust, was.Issuer)) {
			return *was, n
		}
	}
	return List{}, 0
}

// cutSince reports whether next cuts off a key of an issuer for a time in which old
// let it sign lists.
func cutSince(old, next *vc.TrustList, issuer string) bool {
	was := map[string]vc.TrustKey{}
	for _, is := range old.Issuers {
		if is.DID == issuer {
			for _, k := range is.Keys {
				was[k.ID] = k
			}
		}
	}
	for _, is := range next.Issuers {
		if is.DID != issuer {
			continue
		}
		for _, k := range is.Keys {
			o, ok := was[k.ID]
			if ok && o.May(vc.TypeStatusList) && !k.CutOff.IsZero() && (o.CutOff.IsZero() || k.CutOff.Before(o.CutOff)) {
				return true
			}
		}
	}
	return false
}
