package post

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/kinpass/kinpass/internal/bundle"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/verifier/check"
)

// Faults of taking in a bundle.
var (
	ErrRollback   = fault.New(fault.Conflict, "bundle-older", "the bundle is not newer than the one in force")
	ErrFuture     = fault.New(fault.Conflict, "bundle-from-the-future", "the bundle was signed after this device's time").WithHint("set the clock of this device")
	ErrTrustOlder = fault.New(fault.Conflict, "trust-list-older", "the trust list is older than one that was seen")
	// ErrTakesBack: what is revoked stays so, whoever says otherwise.
	ErrTakesBack = fault.New(fault.Conflict, "bundle-takes-back", "the bundle takes back a revocation that the one in force has").
			WithHint("keep this bundle, for it proves it, and tell the authority that keeps the trust list; the one in force goes on")
	// ErrKnown: what a post knows of earlier bundles cannot be read.
	ErrKnown = fault.New(fault.Unavailable, "bundle-memory-unreadable", "what this post knows of earlier bundles cannot be read")
)

// TakesBack is ErrTakesBack with the list on which a revocation is gone.
func TakesBack(l check.List) error {
	return ErrTakesBack.WithDetail(ErrTakesBack.Detail + ": " + l.Address)
}

// skew is how much the clocks of signers may differ.
const skew = 10 * time.Minute

// Known is what a post knows of the bundles before, so that nobody can give it
// an older one. It names no one; the embedding program keeps it beside the
// bundle.
type Known struct {
	Digest  string    `json:"digest"`  // SHA-256 of what the hub signed of the bundle in force, hexadecimal
	Created time.Time `json:"created"` // when it was signed
	Vouched time.Time `json:"vouched"` // the latest time that its signers vouched for

	TrustSequence int64  `json:"trustSequence"`
	TrustDigest   string `json:"trustDigest"` // of what the list says

	Hubs  map[string]int64     `json:"hubs"`  // the newest sequence of each hub's key
	Lists map[string]time.Time `json:"lists"` // when each status list was signed, by issuer and address
}

// Info is what a page shows of the bundle in force.
type Info struct {
	ID        string    `json:"id"`
	Sequence  int64     `json:"sequence"`
	SignedAt  time.Time `json:"signedAt"`
	Hub       string    `json:"hub"`                 // the key that signed it
	Oldest    time.Time `json:"oldestList,omitzero"` // when the oldest list of an issuer in it was signed
	TrustList int64     `json:"trustList"`           // its sequence
	Issuers   int       `json:"issuers"`
	Lists     int       `json:"lists"`
	Refused   int       `json:"refused"` // lists that were left out
	Policies  int       `json:"policies"`
	Bytes     int       `json:"bytes"`
	New       bool      `json:"new"` // it was not in force before
	// Offices are the issuers on the trust list, each with what is known of it.
	Offices []Office `json:"offices"`
}

// Office is what a bundle knows of one issuer.
type Office struct {
	Name      string    `json:"name"`
	Country   string    `json:"country,omitempty"`
	Lists     int       `json:"lists"`
	Oldest    time.Time `json:"oldestList,omitzero"`
	Cut       bool      `json:"keyWithdrawn"` // one of its keys has a cut-off
	Suspended bool      `json:"suspended"`    // its accreditation is suspended or over when the bundle was signed
	// Lapses is from when on its accreditation does not hold any more, if it held
	// then: the bundle knows it before it happens.
	Lapses time.Time `json:"lapses,omitzero"`
	// TakesBack: one of its lists has places no more that an earlier one had revoked.
	TakesBack bool `json:"takesBack"`
}

// Take verifies a bundle from the anchors down and puts it in force; whatever
// is wrong with it, the one before stays. known is what to keep beside it. The
// bundle that is in force already is no error: Info.New tells. ErrRollback,
// ErrTrustOlder and ErrFuture refuse one whose time is wrong, ErrTakesBack one in
// which a revocation of the bundle in force is gone, check.ErrBundle any other. It
// judges as verifier.Apply does.
func (p *Post) Take(data []byte, now time.Time) (i Info, known []byte, err error) {
	o, err := p.open(data)
	if err != nil {
		return Info{}, nil, err
	}
	if o.digest == p.known.Digest {
		if p.bundle != nil {
			return o.info, nil, nil
		}
		// What was kept of it could not be read.
		known, err = json.Marshal(p.known)
		p.bundle, o.info.New = o.Bundle, true
		return o.info, known, err
	}
	k, err := p.known.after(o, now)
	if err != nil {
		return Info{}, nil, err
	}
	if p.bundle != nil {
		if l, n := p.bundle.TakesBack(o.Bundle); n > 0 {
			return Info{}, nil, TakesBack(l)
		}
	}
	if known, err = json.Marshal(k); err != nil {
		return Info{}, nil, err
	}
	p.bundle, p.known = o.Bundle, k
	o.info.New = true
	return o.info, known, nil
}

// Patch is Take of what changed since the bundle in force: it gives the new
// bundle, too, to be kept as one that came whole. bundle.ErrChain: it starts at
// another bundle, so fetch the whole one.
func (p *Post) Patch(delta []byte, now time.Time) (file []byte, i Info, known []byte, err error) {
	if p.bundle == nil {
		return nil, Info{}, nil, check.ErrNoBundle
	}
	if file, err = bundle.Apply(p.bundle.File(), delta); err != nil {
		return nil, Info{}, nil, err
	}
	i, known, err = p.Take(file, now)
	return file, i, known, err
}

// Restore puts the bundle in force that the embedding program kept, with what
// Take gave beside it. Both were out of sight: the bundle is verified again, and
// must be the one that was known last. If it is not, known still keeps older ones
// out.
func (p *Post) Restore(data, known []byte) (Info, error) {
	var k Known
	if err := json.Unmarshal(known, &k); err != nil || k.Digest == "" {
		return Info{}, ErrKnown.With(err)
	}
	p.known = k
	o, err := p.open(data)
	if err != nil {
		return Info{}, err
	}
	if o.digest != k.Digest {
		return Info{}, ErrRollback
	}
	p.bundle = o.Bundle
	return o.info, nil
}

// opened is a verified bundle with what a later one is compared with.
type opened struct {
	*check.Bundle
	info    Info
	digest  string
	hub     string // the key that signed it
	trust   string // digest of the trust list's payload
	vouched time.Time
	lists   map[string]time.Time
}

func (p *Post) open(data []byte) (*opened, error) {
	b, err := check.Open(data, p.anchors)
	if err != nil {
		return nil, err
	}
	o := &opened{Bundle: b, digest: hex.EncodeToString(b.Digest[:]), hub: b.Hub, vouched: b.CreatedAt, lists: map[string]time.Time{}}
	// What the list says, whoever of the anchors signed it and how.
	list, err := json.Marshal(b.Trust)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(list)
	o.trust = hex.EncodeToString(sum[:])
	if b.Trust.IssuedAt.After(o.vouched) {
		o.vouched = b.Trust.IssuedAt
	}
	var oldest time.Time
	offices, at := offices(b)
	for _, l := range b.Lists() {
		if oldest.IsZero() || l.From.Before(oldest) {
			oldest = l.From
		}
		if i, ok := at[l.Issuer]; ok {
			offices[i].TakesBack = offices[i].TakesBack || l.Lifted > 0
			if offices[i].Lists++; offices[i].Oldest.IsZero() || l.From.Before(offices[i].Oldest) {
				offices[i].Oldest = l.From
			}
		}
		// One whose key is cut off makes nobody good: its age takes nothing back.
		if name := l.Issuer + " " + l.Address; !l.Cut && l.From.After(o.lists[name]) {
			o.lists[name] = l.From
		}
	}
	o.info = Info{ID: b.ID, Sequence: b.Sequence, SignedAt: b.CreatedAt, Hub: b.Hub, Oldest: oldest, TrustList: b.Trust.Sequence, Issuers: len(b.Trust.Issuers),
		Lists: len(b.Lists()), Refused: b.RefusedLists, Policies: len(b.Policies()), Bytes: len(data), Offices: offices}
	return o, nil
}

// offices gives the issuers of a bundle without their lists, and where each is by
// its DID.
func offices(b *check.Bundle) ([]Office, map[string]int) {
	out, at := make([]Office, 0, len(b.Trust.Issuers)), map[string]int{}
	for i := range b.Trust.Issuers {
		is := &b.Trust.Issuers[i]
		o := Office{Name: is.Name, Country: is.Country, Suspended: !is.Accreditation.At(b.CreatedAt).HoldsAt(b.CreatedAt)}
		if !o.Suspended {
			o.Lapses = lapses(is.Accreditation, b.CreatedAt)
		}
		for j := range is.Keys {
			o.Cut = o.Cut || !is.Keys[j].CutOff.IsZero()
		}
		at[is.DID] = len(out)
		out = append(out, o)
	}
	return out, at
}

// lapses gives when an accreditation that holds at a time ends to hold, zero if it
// is not known to.
func lapses(a *vc.Accreditation, from time.Time) (first time.Time) {
	if a == nil {
		return first
	}
	for _, term := range append([]vc.AccreditationTerm{a.AccreditationTerm}, a.Earlier...) {
		for _, at := range []time.Time{term.Since, term.Until} {
			if at.After(from) && !a.At(at).HoldsAt(at) && (first.IsZero() || at.Before(first)) {
				first = at
			}
		}
	}
	return first
}

// after gives what is known when o is in force, or why it must not be. What was
// revoked in an earlier bundle stays revoked: no list, and no trust list, may be
// older than one that was seen, and of two hubs' bundles the younger counts.
func (k *Known) after(o *opened, now time.Time) (Known, error) {
	switch {
	case o.vouched.After(now.Add(skew)):
		return Known{}, ErrFuture
	case o.Trust.Sequence < k.TrustSequence, o.Trust.Sequence == k.TrustSequence && o.trust != k.TrustDigest:
		return Known{}, ErrTrustOlder
	case o.CreatedAt.Before(k.Created), o.Sequence <= k.Hubs[o.hub]:
		return Known{}, ErrRollback
	}
	out := Known{Digest: o.digest, Created: o.CreatedAt, Vouched: o.vouched, TrustSequence: o.Trust.Sequence, TrustDigest: o.trust,
		Hubs: map[string]int64{}, Lists: map[string]time.Time{}}
	for hub, n := range k.Hubs {
		out.Hubs[hub] = n
	}
	out.Hubs[o.hub] = o.Sequence
	for name, at := range k.Lists {
		out.Lists[name] = at
	}
	for name, at := range o.lists {
		// One from the future is passed over: it must not shut out the true ones.
		if at.After(now.Add(skew)) {
			continue
		}
		if at.Before(k.Lists[name]) {
			return Known{}, ErrRollback
		}
		out.Lists[name] = at
	}
	return out, nil
}
