//go:build !js

package check

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"maps"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kinpass/kinpass/internal/bundle"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/status"
	"github.com/kinpass/kinpass/internal/vc"
)

// maxList bounds a decoded list, in bytes.
const maxList = bundle.MaxPlaces / 8

// ErrPayload: what a bundle should be made of cannot be put into one.
var ErrPayload = fault.New(fault.Invalid, "bundle-payload", "a border bundle cannot be made of this")

// Sign verifies the status lists with the keys of the trust list, and packs what
// they say. One that does not verify, or that its signer may not sign, is left out
// and counted. Of two lists with one address the younger counts. The signer's KID
// must be the identifier of a hub key on the trust list, or no post will open the
// bundle.
func (p BundlePayload) Sign(hub keys.Signer) ([]byte, error) {
	trust, err := vc.TrustListUnverified(p.TrustList)
	if err != nil {
		return nil, err
	}
	parts, err := p.parts(trust)
	if err != nil {
		return nil, err
	}
	return bundle.Pack(bundle.Header{ID: p.ID, Sequence: p.Sequence, CreatedAt: p.CreatedAt, TrustList: trust.Sequence}, parts, hub)
}

// signedList is a status list whose signature held.
type signedList struct {
	List
	bits *status.List
	set  []byte   // instead of bits, once it was packed
	hash [32]byte // SHA-256 of the whole JWS
}

// keep adds places that were revoked before to a list of revoked places.
func (l *signedList) keep(revoked []byte) error {
	if len(revoked) == 0 || l.Purpose != vc.PurposeRevocation || l.About != l.Address {
		return nil
	}
	before, _, err := status.OpenPlaces(revoked)
	if err != nil {
		return ErrPayload.With(err)
	}
	now, _, err := status.OpenPlaces(l.set)
	if err != nil {
		return err
	}
	if l.Lifted = int64(before.Without(now)); l.Lifted == 0 {
		return nil
	}
	if l.set, err = status.JoinPlaces(before, now); err != nil {
		return err
	}
	if now, _, err = status.OpenPlaces(l.set); err != nil {
		return err
	}
	l.Size, l.Marked = int64(now.Universe()), int64(now.Len())
	return nil
}

func (p *BundlePayload) parts(trust *vc.TrustList) ([]bundle.Part, error) {
	if len(p.StatusLists)+len(p.Overrides)+len(p.Issued) > maxLists {
		return nil, ErrPayload.WithDetail("a border bundle has 4096 status lists at most")
	}
	parts := []bundle.Part{{Name: partTrust, Bytes: []byte(p.TrustList)}}
	if len(p.Policies) > 0 {
		text, err := json.Marshal(p.Policies)
		if err != nil {
			return nil, ErrPayload.With(err)
		}
		parts = append(parts, bundle.Part{Name: partPolicies, Bytes: text})
	}
	b := newBundle(trust)
	if err := b.addKeys(); err != nil {
		b.keys = nil // no post will open it: nobody's list is believed
	}
	d := directory{Issuers: []issuerLists{}}
	young := map[[8]byte]*signedList{} // by what each answers, and for whom
	for kind, signed := range [][]string{p.StatusLists, p.Overrides, p.Issued} {
		read, err := b.readSets(signed)
		if err != nil {
			return nil, err
		}
		for _, l := range read {
			if l == nil || (l.About != l.Address) != (kind == 1) || (l.Purpose == vc.PurposeIssued) != (kind == 2) {
				d.Refused++
				continue
			}
			name := l.Address
			if kind == 1 { // whatever its address: one authority's youngest counts
				name = l.Purpose + " " + l.About
			}
			slot := bundle.ListKey(l.Issuer + " " + name)
			if have := young[slot]; have == nil || have.From.Before(l.From) {
				young[slot] = l
			}
		}
	}
	for _, l := range young {
		if err := l.keep(p.Revoked[OwnList{l.Issuer, l.Address}]); err != nil {
			return nil, err
		}
	}
	p.addOrphans(young, b)
	all := slices.SortedFunc(maps.Values(young), func(a, b *signedList) int {
		return cmp.Or(strings.Compare(a.Issuer, b.Issuer), strings.Compare(a.Address, b.Address), strings.Compare(a.About, b.About), strings.Compare(a.Purpose, b.Purpose))
	})
	var sets []bundle.Part
	for len(all) > 0 {
		n := slices.IndexFunc(all, func(l *signedList) bool { return l.Issuer != all[0].Issuer })
		if n < 0 {
			n = len(all)
		}
		lists, more := pack(all[:n])
		d.Issuers, sets, all = append(d.Issuers, lists), append(sets, more...), all[n:]
	}
	text, err := json.Marshal(d)
	if err != nil {
		return nil, err
	}
	parts = append(append(parts, bundle.Part{Name: partLists, Bytes: text}), sets...)
	more, err := survivors(p.Survivors)
	return append(parts, more...), err
}

// addOrphans adds what was revoked on lists that are not there any more because the
// key that signed them is cut off: who is on one is revoked, and of nobody else does
// it say anything, as no list of such a key does. It is dated before the cut-off, and
// called lifted whole. Without it what an honest office revoked would be unknown until
// the office shows lists of another key.
func (p *BundlePayload) addOrphans(young map[[8]byte]*signedList, b *Bundle) {
	room := uint64(bundle.MaxAllPlaces)
	for _, l := range young {
		room -= min(room, uint64(l.Size))
	}
	for _, name := range p.Orphans {
		slot := bundle.ListKey(name.Issuer + " " + name.Address)
		if young[slot] != nil || len(young) == maxLists {
			continue
		}
		set, _, err := status.OpenPlaces(p.Revoked[name])
		if err != nil || set.Len() == 0 || set.Universe() > room {
			continue
		}
		l := List{Issuer: name.Issuer, Address: name.Address, About: name.Address, Purpose: vc.PurposeRevocation, Size: int64(set.Universe()), Marked: int64(set.Len()), Lifted: int64(set.Len())}
		for _, k := range b.keys {
			if at := k.CutOff.Add(-time.Second); k.issuer == name.Issuer && !k.CutOff.IsZero() && at.After(l.From) {
				of := l
				of.KID, of.From = k.ID, at
				if _, answers := b.listKey(&of); answers {
					l = of
				}
			}
		}
		if l.KID == "" {
			continue
		}
		room -= set.Universe()
		young[slot] = &signedList{set: p.Revoked[name], List: l}
	}
}

// pack writes one issuer's lists: its entry in the directory, and its sets.
func pack(all []*signedList) (issuerLists, []bundle.Part) {
	out := issuerLists{DID: all[0].Issuer, signing: most(all, func(l *signedList) signing { return signing{l.KID, l.From, l.Until} }),
		Size: most(all, func(l *signedList) int64 { return l.Size }), Base: all[0].Address}
	var leaves [][]byte
	for _, l := range all {
		for !strings.HasPrefix(l.Address, out.Base) {
			out.Base = out.Base[:len(out.Base)-1]
		}
		if l.hash != [32]byte{} { // an orphan is no list of the issuer's
			leaves = append(leaves, l.hash[:])
		}
	}
	// Up to a slash, and one more if that leaves the purpose before the number.
	out.Base = out.Base[:strings.LastIndexByte(out.Base, '/')+1]
	if i := strings.LastIndexByte(strings.TrimSuffix(out.Base, "/"), '/'); out.Base[i+1:] == all[0].Purpose+"/" {
		out.Base = out.Base[:i+1]
	}
	root := bundle.Root(leaves)
	out.Evidence = b64.EncodeToString(root[:])
	parts := []bundle.Part{{Name: partSets + out.DID}, {Name: partIssued + out.DID}}
	for _, l := range all {
		r := row{At: strings.TrimPrefix(l.Address, out.Base)}
		if word, _, _ := strings.Cut(r.At, "/"); word != l.Purpose {
			r.For = l.Purpose
		}
		if l.About != l.Address {
			r.About = l.About
		}
		if l.Size != out.Size {
			r.Size = l.Size
		}
		if s := (signing{l.KID, l.From, l.Until}); s != out.signing {
			r.Signed = &s
		}
		r.Lifted = l.Lifted
		out.Lists = append(out.Lists, r)
		part := &parts[0]
		if l.Purpose == vc.PurposeIssued {
			part = &parts[1]
		}
		part.Bytes = bundle.AppendSet(part.Bytes, l.key(), l.set)
	}
	return out, slices.DeleteFunc(parts, func(p bundle.Part) bool { return len(p.Bytes) == 0 })
}

// most gives what most of the lists have, of two the one that comes first.
func most[T comparable](all []*signedList, of func(*signedList) T) T {
	count := map[T]int{}
	best := of(all[0])
	for _, l := range all {
		count[of(l)]++
	}
	for _, l := range all {
		if v := of(l); count[v] > count[best] {
			best = v
		}
	}
	return best
}

// survivors writes the sets of what was signed before keys' cut-offs.
func survivors(all []Survivors) ([]bundle.Part, error) {
	var parts []bundle.Part
	for _, s := range all {
		if len(s.Payloads) == 0 {
			continue
		}
		sums := slices.Clone(s.Payloads)
		slices.SortFunc(sums, func(a, b [32]byte) int { return bytes.Compare(a[:], b[:]) })
		set := make([]byte, 0, len(sums)*survivor)
		for i := range sums {
			if n := len(set); n == 0 || !bytes.Equal(set[n-survivor:], sums[i][:survivor]) {
				set = append(set, sums[i][:survivor]...)
			}
		}
		parts = append(parts, bundle.Part{Name: partSurvivors + s.KID, Bytes: set})
	}
	return parts, nil
}

// readSets reads lists on every core, and gives nil for each that must not answer.
// Of each only its set is kept: its bits are ten times as much.
func (b *Bundle) readSets(signed []string) ([]*signedList, error) {
	out := make([]*signedList, len(signed))
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, s := range signed {
		g.Go(func() error {
			l := b.readList(s)
			if l == nil {
				return nil
			}
			set, err := l.bits.Places()
			l.set, l.bits, out[i] = set, nil, l
			return err
		})
	}
	return out, g.Wait()
}

// readList verifies a list with the key of the trust list that signed it. It gives
// nil for a list that must not answer anything. A list is about itself unless it
// is an authority's over another's.
//
// A list's ttl is not read: it says when to fetch the next one (Bitstring Status
// List 1.0, section 2.2), some minutes, and a border post that is offline for
// hours has none to fetch. How old an answer may be is the border's to say, by
// the signed validFrom (the decision table's rows 10 to 12); until when the
// issuer stands by its list is validUntil.
func (b *Bundle) readList(compact string) *signedList {
	// base64url within base64url, and gzip at its worst: twice the bytes.
	v, err := vc.SplitLargeJWS(compact, 2*maxList)
	if err != nil || v.Header.Typ != vc.TypCredential {
		return nil
	}
	key := b.keys[v.Header.Kid]
	if key == nil {
		return nil
	}
	payload, err := v.Verify(key.public)
	if err != nil {
		return nil
	}
	c, err := vc.ParseCredential(payload)
	if err != nil || !isExactly(c, vc.TypeStatusList) {
		return nil
	}
	var subject struct {
		ID      string `json:"id"`
		Type    string `json:"type"`
		Purpose string `json:"statusPurpose"`
		Encoded string `json:"encodedList"`
	}
	if err := json.Unmarshal(c.Subject, &subject); err != nil || subject.Type != "BitstringStatusList" {
		return nil
	}
	l := &signedList{hash: sha256.Sum256([]byte(compact))}
	l.List = List{Issuer: c.Issuer, Address: c.ID, Purpose: subject.Purpose, KID: v.Header.Kid, From: c.ValidFrom.UTC(), Until: c.ValidTo.UTC()}
	l.About, _, _ = strings.Cut(subject.ID, "#")
	if l.About == "" {
		l.About = l.Address
	}
	if l.Address == "" {
		l.Address = l.About
	}
	if _, may := b.listKey(&l.List); !may || !l.written() {
		return nil
	}
	if l.bits, err = status.Decode(subject.Encoded, maxList); err != nil {
		return nil
	}
	l.Size, l.Marked = l.bits.Len(), l.bits.Count()
	return l
}
