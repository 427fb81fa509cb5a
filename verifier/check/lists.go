package check

import (
	"bytes"
	"encoding/base64"
	"strings"
	"time"

	"github.com/kinpass/kinpass/internal/bundle"
	"github.com/kinpass/kinpass/internal/status"
	"github.com/kinpass/kinpass/internal/vc"
)

// directory says which lists are in a bundle, and in which order their sets stand
// in its parts. What the lists of an issuer have in common is written once: most
// issuers publish all of theirs at one time.
type directory struct {
	Refused int           `json:"refused"` // lists that the hub left out
	Issuers []issuerLists `json:"issuers"`
}

// issuerLists are one issuer's lists.
type issuerLists struct {
	DID string `json:"did"`
	signing
	Size     int64  `json:"size"` // places of a list
	Base     string `json:"base"` // what the addresses begin with
	Evidence string `json:"evidence"`
	Lists    []row  `json:"lists"`
}

// signing is by which key a list was signed, and for which time.
type signing struct {
	KID   string    `json:"kid"`
	From  time.Time `json:"from"`
	Until time.Time `json:"until,omitzero"`
}

// row is one list. What is empty is as the issuer has it; without For, it is what
// stands before the first slash of At.
type row struct {
	At     string   `json:"at"`
	For    string   `json:"for,omitempty"`
	About  string   `json:"about,omitempty"`
	Size   int64    `json:"size,omitempty"`
	Signed *signing `json:"signed,omitempty"`
	Lifted int64    `json:"lifted,omitempty"`
}

// List is a list as a bundle has it.
type List struct {
	Issuer  string // who signed it
	Address string
	About   string // the address of the list that it is about; Address, unless it is an authority's over another's
	Purpose string // revocation, suspension or issued
	KID     string
	From    time.Time // the signed validFrom
	Until   time.Time // zero: no end
	Size    int64     // places
	Marked  int64     // places that are set
	// Lifted is how many of them the issuer's list does not have, and an earlier
	// one had: what was revoked once stays so, and the hub tells of whoever takes
	// it back.
	Lifted int64
	// Cut: its key is cut off. It says who is revoked or suspended, and of nobody that
	// he is not, so that one that is older takes nothing back.
	Cut bool

	places *status.Places
}

// Has reports whether a place of the list is set; status.ErrRange if it is not on
// the list.
func (l *List) Has(place uint64) (bool, error) {
	if l.places == nil {
		return false, status.ErrRange
	}
	return l.places.Contains(place)
}

// key names a list's set in its part.
func (l *List) key() [8]byte { return bundle.ListKey(l.Purpose + " " + l.Address + " " + l.About) }

// Lists gives the lists that answer in this bundle.
func (b *Bundle) Lists() []List { return b.dated }

var b64 = base64.RawURLEncoding.Strict()

// list reads a row.
func (s *issuerLists) list(r *row) (List, bool) {
	l := List{Issuer: s.DID, Address: s.Base + r.At, About: r.About, Purpose: r.For, KID: s.KID, From: s.From, Until: s.Until, Size: s.Size, Lifted: r.Lifted}
	if r.Signed != nil {
		l.KID, l.From, l.Until = r.Signed.KID, r.Signed.From, r.Signed.Until
	}
	if l.About == "" {
		l.About = l.Address
	}
	if l.Purpose == "" {
		l.Purpose, _, _ = strings.Cut(r.At, "/")
	}
	if r.Size != 0 {
		l.Size = r.Size
	}
	return l, l.Size > 0 && l.written()
}

// written reports whether a list says what it is.
func (l *List) written() bool {
	return l.Issuer != "" && l.Address != "" && !l.From.IsZero() &&
		(l.Purpose == vc.PurposeRevocation || l.Purpose == vc.PurposeSuspension || l.Purpose == vc.PurposeIssued && l.About == l.Address)
}

// addLists reads the directory and opens the set of each list in its place. It
// gives the number of parts that the directory names.
func (b *Bundle) addLists() (parts int, err error) {
	text, ok := b.file.Part(partLists)
	if !ok || len(text) > maxDirectory {
		return 0, ErrBundle
	}
	var d directory
	if err := vc.StrictJSON(text, &d, maxDirectoryDepth); err != nil {
		return 0, ErrBundle.With(err)
	}
	if d.Refused < 0 {
		return 0, ErrBundle
	}
	b.RefusedLists = d.Refused
	total, places := 0, uint64(0)
	shelves := map[string]bool{}
	for i := range d.Issuers {
		s := &d.Issuers[i]
		total += len(s.Lists)
		if evidence, err := b64.DecodeString(s.Evidence); err != nil || len(evidence) != 32 || s.DID == "" || len(s.Lists) == 0 || shelves[s.DID] || total > maxLists {
			return 0, ErrBundle.With(err)
		}
		shelves[s.DID] = true
		b.evidence[s.DID] = s.Evidence
		// The sets that were not given to a list yet, of revoked or suspended
		// places and of those given out.
		sets, named, err := b.openSets(partSets + s.DID)
		if err != nil {
			return 0, err
		}
		issued, more, err := b.openSets(partIssued + s.DID)
		if err != nil {
			return 0, err
		}
		parts += named + more
		for j := range s.Lists {
			l, ok := s.list(&s.Lists[j])
			from := &sets
			if l.Purpose == vc.PurposeIssued {
				from = &issued
			}
			if !ok || len(*from) == 0 || (*from)[0].Key != l.key() || (*from)[0].Universe() != uint64(l.Size) {
				return 0, ErrBundle
			}
			set := (*from)[0].Places
			*from = (*from)[1:]
			if places += set.Universe(); places > bundle.MaxAllPlaces {
				return 0, ErrBundle
			}
			l.Marked, l.places = int64(set.Len()), set
			if l.Lifted < 0 || l.Lifted > l.Marked || l.Lifted > 0 && (l.Purpose != vc.PurposeRevocation || l.About != l.Address) {
				return 0, ErrBundle
			}
			switch key, answers := b.listKey(&l); {
			case !answers:
				b.RefusedLists++
			default:
				l.Cut = !key.CutOff.IsZero()
				add := &statusList{issuer: l.Issuer, role: key.Role, address: l.Address, purpose: l.Purpose, from: l.From, until: l.Until,
					cut: l.Cut, places: set}
				if !b.addList(add, l.About) {
					return 0, ErrBundle
				}
				b.dated = append(b.dated, l)
			}
		}
		if len(sets)+len(issued) != 0 {
			return 0, ErrBundle
		}
	}
	return parts, nil
}

// openSets opens a part of sets; named is 1 if there is one. An empty one has no
// place in a bundle.
func (b *Bundle) openSets(part string) (sets []bundle.Keyed, named int, err error) {
	data, ok := b.file.Part(part)
	if !ok {
		return nil, 0, nil
	}
	if sets, err = bundle.OpenSets(data); err != nil || len(sets) == 0 {
		return nil, 0, ErrBundle.With(err)
	}
	return sets, 1, nil
}

// listKey gives the key that signed a list, if the trust list lets it: one of the
// issuer, in its period, before its cut-off, that signs lists, and for a list over
// another's, in a role that may.
func (b *Bundle) listKey(l *List) (*issuerKey, bool) {
	key := b.keys[l.KID]
	if key == nil || key.issuer != l.Issuer || !key.publishes() || !key.ValidAt(l.From) || !key.CutOff.IsZero() && !l.From.Before(key.CutOff) {
		return nil, false
	}
	if !l.Until.IsZero() && !l.From.Before(l.Until) {
		return nil, false
	}
	if l.About == l.Address {
		return key, true
	}
	return key, mayOverride(key.Role, l.Purpose) && len(b.overridden(l.Issuer)) > 0
}

// overridden lists the issuers whose lists an authority may override (settled
// question 27); an authority that lifts a suspension publishes a younger list.
func (b *Bundle) overridden(authority string) []string {
	var out []string
	for i := range b.Trust.Issuers {
		if b.Trust.Issuers[i].DID == authority {
			out = append(out, b.Trust.Issuers[i].MayRevoke...)
		}
	}
	return out
}

// addList puts a list where it is asked for. False if there is one already.
func (b *Bundle) addList(l *statusList, about string) bool {
	switch {
	case about != l.address:
		for _, issuer := range b.overridden(l.issuer) {
			b.override(listName{issuer, about}, l)
		}
	case l.purpose == vc.PurposeIssued:
		i := strings.LastIndex(l.address, "/"+vc.PurposeIssued+"/")
		// With a stolen key anybody's index could be called given out, or not.
		if i < 0 || l.cut {
			return true
		}
		for _, purpose := range []string{vc.PurposeRevocation, vc.PurposeSuspension} {
			name := listName{l.issuer, l.address[:i] + "/" + purpose + "/" + l.address[i+len(vc.PurposeIssued)+2:]}
			if b.issued[name] != nil {
				return false
			}
			b.issued[name] = l
		}
	default:
		name := listName{l.issuer, l.address}
		if b.lists[name] != nil {
			return false
		}
		b.lists[name] = l
	}
	return true
}

// survivor is how much of a payload's SHA-256 stands in a set of survivors, in
// bytes. To write another credential that is in a set of 2^24 takes 2^72 hashes.
const survivor = 12

// Survivors gives what the bundle has of a key that was cut off: the beginning of
// each SHA-256, filled up with zeros, which is all that another bundle needs.
func (b *Bundle) Survivors(kid string) Survivors {
	out := Survivors{KID: kid}
	for set := b.survive[kid]; len(set) >= survivor; set = set[survivor:] {
		var sum [32]byte
		copy(sum[:], set[:survivor])
		out.Payloads = append(out.Payloads, sum)
	}
	return out
}

// goodSurvivors reports whether a set is not empty and in order.
func goodSurvivors(set []byte) bool {
	if len(set) == 0 || len(set)%survivor != 0 {
		return false
	}
	for i := survivor; i < len(set); i += survivor {
		if bytes.Compare(set[i-survivor:i], set[i:i+survivor]) >= 0 {
			return false
		}
	}
	return true
}

// survived reports whether the hub was shown that a key signed a payload with
// this SHA-256 before the key's cut-off.
func (b *Bundle) survived(kid string, payload [32]byte) bool {
	set, want := b.survive[kid], payload[:survivor]
	from, to := 0, len(set)/survivor
	for from < to {
		mid := (from + to) / 2
		switch c := bytes.Compare(set[mid*survivor:(mid+1)*survivor], want); {
		case c == 0:
			return true
		case c < 0:
			from = mid + 1
		default:
			to = mid
		}
	}
	return false
}
