package check

import (
	"bytes"
	"crypto"
	"encoding/json"
	"strings"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/policy"
	"github.com/kinpass/kinpass/internal/status"
	"github.com/kinpass/kinpass/internal/vc"
)

// Errors of bundles.
var (
	// ErrBundle: the bytes are not a border bundle, or its trust list is not
	// signed by one of the anchors, or the bundle is not signed by a hub that
	// this trust list names. Keep the bundle you have.
	ErrBundle = fault.New(fault.Invalid, "bundle-invalid", "not a border bundle that can be trusted")
	// ErrNoBundle: there is nothing to check with.
	ErrNoBundle = fault.New(fault.Unavailable, "bundle-missing", "there is no border bundle to check with").
			WithHint("load a bundle first")
)

// Limits of a bundle. What is beyond them is refused unread.
const (
	maxBundle      = 64 << 20  // bytes of the signed bundle
	maxBundleDepth = 16        // of its JSON: policies are the deepest
	maxLists       = 4096      // status lists in one bundle
	maxList        = 16 << 20  // bytes of one decoded list, 2^27 credentials
	maxListsTotal  = 512 << 20 // bytes of all decoded lists together
)

// BundlePayload is what a hub signs: all that a post needs to check offline.
// It travels as a compact JWS with typ kinpass-bundle+jwt. Sequence only ever
// grows; CreatedAt has whole seconds. TrustList is the signed trust list as the
// anchor made it, StatusLists are the issuers' own signed status list
// credentials (vc+jwt).
type BundlePayload struct {
	ID          string    `json:"id"`
	Sequence    int64     `json:"sequence"`
	CreatedAt   time.Time `json:"createdAt"`
	TrustList   string    `json:"trustList"`
	StatusLists []string  `json:"statusLists"`

	// Policies are the countries' policies as package policy reads them, in
	// the order in which the hub was given them. A bundle without any leaves
	// every country with the policy for all.
	Policies []json.RawMessage `json:"policies,omitempty"`
	// Overrides are status lists of authorities that speak over lists of
	// others: signed like those in StatusLists, each under its own address,
	// with the address of the list that it is about as credentialSubject.id,
	// followed by #list. What one calls revoked or suspended is, whatever the
	// issuer publishes; it never makes anything valid.
	Overrides []string `json:"overrides,omitempty"`
}

// Bundle is a border bundle whose every signature was checked. It never
// changes after Open and may be used from several goroutines.
type Bundle struct {
	ID        string
	Sequence  int64
	CreatedAt time.Time
	Trust     *vc.TrustList

	// RefusedLists counts status lists that were left out, because they are
	// not signed by an issuer on the trust list or cannot be read. What they
	// were to answer is answered STATUS_UNKNOWN.
	RefusedLists int

	keys     map[string]*issuerKey // by JWS kid
	lists    map[listName]*statusList
	over     map[listName][]override
	states   map[string]bool // DIDs that hold a role of the State
	consents map[string]bool // DIDs that host the status of travel consents
	policies *policy.Set
	// ownPolicies: a country has a policy of its own.
	ownPolicies bool
}

// override is what one authority says over another issuer's list.
type override struct {
	by string // the authority's DID
	*statusList
}

// issuerKey is a key of the trust list, ready to verify with.
type issuerKey struct {
	*vc.TrustKey
	issuer string // the DID whose key it is
	public crypto.PublicKey
	// accreditation of the issuer, nil if none is asked.
	accreditation *vc.Accreditation
}

// listName finds a status list: by its address, and by who signed it, so that
// one issuer's list never answers for the credentials of another.
type listName struct{ issuer, address string }

type statusList struct {
	issuer  string // who signed it
	role    string // of the key that signed it
	address string
	purpose string
	from    time.Time // the signed validFrom: how old the answers are
	until   time.Time
	// cut: signed by a key that was withdrawn. What it calls revoked is; what
	// it calls valid is not believed, because whoever has the key can say so
	// and write an earlier date.
	cut  bool
	bits *status.List
}

// Open verifies a bundle from the anchors down: anchor, trust list, hub
// signature, then each status list by its own issuer's key. Only ErrBundle is
// returned. Times are not judged here; Check does that, against its clock.
func Open(data []byte, anchors vc.Anchors) (*Bundle, error) {
	v, err := vc.SplitLargeJWS(string(bytes.TrimSpace(data)), maxBundle)
	if err != nil {
		return nil, ErrBundle.With(err)
	}
	if v.Header.Typ != vc.TypBundle {
		return nil, ErrBundle.With(vc.ErrType)
	}
	// The trust list that names the hub travels inside what the hub signed. It
	// is the one member looked at before the hub's signature was checked, and
	// it is believed for the anchor's signature alone.
	var first struct {
		TrustList string `json:"trustList"`
	}
	if err := vc.StrictJSON(v.PayloadUnverified(), &first, maxBundleDepth); err != nil {
		return nil, ErrBundle.With(err)
	}
	trust, err := vc.OpenTrustList(first.TrustList, anchors)
	if err != nil {
		return nil, ErrBundle.With(err)
	}
	hub, public := hubKey(trust, v.Header.Kid)
	if hub == nil {
		return nil, ErrBundle
	}
	payload, err := v.Verify(public)
	if err != nil {
		return nil, ErrBundle.With(err)
	}
	var p BundlePayload
	if err := json.Unmarshal(payload, &p); err != nil {
		return nil, ErrBundle.With(err)
	}
	// A hub key with a cut-off signs nothing any more: whoever stole it can
	// write any date, and making a new bundle costs nothing.
	if p.ID == "" || len(p.ID) > 64 || p.Sequence < 1 || p.CreatedAt.IsZero() ||
		!hub.ValidAt(p.CreatedAt) || !hub.CutOff.IsZero() || len(p.StatusLists)+len(p.Overrides) > maxLists {
		return nil, ErrBundle
	}
	b := &Bundle{ID: p.ID, Sequence: p.Sequence, CreatedAt: p.CreatedAt, Trust: trust,
		keys: map[string]*issuerKey{}, lists: map[listName]*statusList{}, over: map[listName][]override{},
		states: map[string]bool{}, consents: map[string]bool{}}
	if err := b.addKeys(); err != nil {
		return nil, err
	}
	if err := b.addPolicies(p.Policies); err != nil {
		return nil, err
	}
	total := b.addLists(p.StatusLists)
	b.addOverrides(p.Overrides, total)
	return b, nil
}

// hubKey finds a usable hub key. An identifier that stands for two keys stands
// for none.
func hubKey(l *vc.TrustList, kid string) (*vc.TrustKey, crypto.PublicKey) {
	var found *vc.TrustKey
	for i := range l.Hubs {
		if l.Hubs[i].ID == kid {
			if found != nil {
				return nil, nil
			}
			found = &l.Hubs[i]
		}
	}
	if found == nil || kid == "" || found.Role != vc.RoleHub {
		return nil, nil
	}
	public, err := vc.ParseJWK(found.JWK)
	if err != nil {
		return nil, nil
	}
	return found, public
}

// addKeys reads the issuers' keys. A key of a kind that is not known here is
// left out: what it signed is then from an unknown key.
func (b *Bundle) addKeys() error {
	for i := range b.Trust.Issuers {
		is := &b.Trust.Issuers[i]
		b.consents[is.DID] = b.consents[is.DID] || is.ConsentStatus
		for j := range is.Keys {
			k := &is.Keys[j]
			if is.DID == "" || did.Base(k.ID) != is.DID || len(k.ID) <= len(is.DID)+1 {
				continue // a key named after another issuer signs for nobody
			}
			if _, twice := b.keys[k.ID]; twice {
				return ErrBundle
			}
			public, err := vc.ParseJWK(k.JWK)
			if err != nil {
				continue
			}
			b.keys[k.ID] = &issuerKey{TrustKey: k, issuer: is.DID, public: public, accreditation: is.Accreditation}
			if stateRole(k.Role) {
				b.states[is.DID] = true
			}
		}
	}
	return nil
}

// stateRole reports whether a role of the trust list is one of the State.
func stateRole(role string) bool {
	return role == vc.RoleRegistrar || role == vc.RoleCourt || role == vc.RoleProtection
}

// addPolicies reads the countries' policies. One that cannot be read spoils the
// bundle: a post must not go on with a gentler rule than its country has.
func (b *Bundle) addPolicies(raw []json.RawMessage) error {
	list := make([][]byte, len(raw))
	for i := range raw {
		list[i] = raw[i]
	}
	set, err := policy.NewSet(list)
	if err != nil {
		return ErrBundle.With(err)
	}
	b.policies = set
	for _, p := range set.Policies() {
		b.ownPolicies = b.ownPolicies || len(p.Countries) > 0
	}
	return nil
}

// rules gives the policy for one side of a country's border.
func (b *Bundle) rules(country string, side policy.Direction) *policy.Policy {
	if b.policies == nil {
		return policy.Generic()
	}
	return b.policies.For(country, side)
}

// publishes reports whether a key may sign status lists: one that signs births
// or guardianships, or that has a role of the State.
func (k *issuerKey) publishes() bool {
	return k.Role != vc.RoleHub && (stateRole(k.Role) || k.May(vc.TypeBirth) || k.May(vc.TypeGuardianship))
}

// addLists verifies and decodes the status lists. Of two lists with one
// address the younger counts. It gives the bytes of all.
func (b *Bundle) addLists(signed []string) int64 {
	total := int64(0)
	for _, s := range signed {
		l, about := b.readList(s)
		if l == nil || about != l.address || total+l.bits.Len()/8 > maxListsTotal {
			b.RefusedLists++
			continue
		}
		name := listName{l.issuer, l.address}
		if have := b.lists[name]; have != nil && !have.from.Before(l.from) {
			continue
		}
		total += l.bits.Len() / 8
		b.lists[name] = l
	}
	return total
}

// addOverrides verifies and decodes the lists of authorities over lists of
// others. The trust list says whose they may override (settled question 27);
// an authority that lifts a suspension publishes a younger list.
func (b *Bundle) addOverrides(signed []string, total int64) {
	for _, s := range signed {
		l, about := b.readList(s)
		if l == nil || about == l.address || !l.mayOverride() || total+l.bits.Len()/8 > maxListsTotal {
			b.RefusedLists++
			continue
		}
		var may []string
		for i := range b.Trust.Issuers {
			if b.Trust.Issuers[i].DID == l.issuer {
				may = append(may, b.Trust.Issuers[i].MayRevoke...)
			}
		}
		if len(may) == 0 {
			b.RefusedLists++
			continue
		}
		total += l.bits.Len() / 8
		for _, issuer := range may {
			b.override(listName{issuer, about}, l)
		}
	}
}

// mayOverride: a court revokes and suspends what others issued, a protection
// authority suspends it (domain handbook, section 2.2).
func (l *statusList) mayOverride() bool {
	return l.role == vc.RoleCourt || l.role == vc.RoleProtection && l.purpose == vc.PurposeSuspension
}

// override keeps the youngest list of each authority over one list.
func (b *Bundle) override(name listName, l *statusList) {
	for i, have := range b.over[name] {
		if have.by == l.issuer && have.purpose == l.purpose {
			if have.from.Before(l.from) {
				b.over[name][i].statusList = l
			}
			return
		}
	}
	b.over[name] = append(b.over[name], override{l.issuer, l})
}

// readList reads a list and the address of the list that it is about, which is
// its own unless it is an override. It gives nil for a list that must not
// answer anything.
//
// A list's ttl is not read: it says when to fetch the next one (Bitstring Status
// List 1.0, section 2.2), some minutes, and a border post that is offline for
// hours has none to fetch. How old an answer may be is the border's to say, by
// the signed validFrom (the decision table's rows 10 to 12); until when the
// issuer stands by its list is validUntil.
func (b *Bundle) readList(signed string) (l *statusList, about string) {
	// base64url within base64url, and gzip at its worst: twice the bytes.
	v, err := vc.SplitLargeJWS(signed, 2*maxList)
	if err != nil || v.Header.Typ != vc.TypCredential {
		return nil, ""
	}
	key := b.keys[v.Header.Kid]
	if key == nil || !key.publishes() {
		return nil, ""
	}
	payload, err := v.Verify(key.public)
	if err != nil {
		return nil, ""
	}
	c, err := vc.ParseCredential(payload)
	if err != nil || !isExactly(c, vc.TypeStatusList) || c.Issuer != key.issuer || !key.ValidAt(c.ValidFrom) {
		return nil, ""
	}
	if !key.CutOff.IsZero() && !c.ValidFrom.Before(key.CutOff) {
		return nil, ""
	}
	var subject struct {
		ID      string `json:"id"`
		Type    string `json:"type"`
		Purpose string `json:"statusPurpose"`
		Encoded string `json:"encodedList"`
	}
	if err := json.Unmarshal(c.Subject, &subject); err != nil || subject.Type != "BitstringStatusList" {
		return nil, ""
	}
	if subject.Purpose != vc.PurposeRevocation && subject.Purpose != vc.PurposeSuspension {
		return nil, ""
	}
	about, _, _ = strings.Cut(subject.ID, "#")
	address := c.ID
	switch {
	case about == "":
		about = address
	case address == "":
		address = about
	}
	if address == "" {
		return nil, ""
	}
	bits, err := status.Decode(subject.Encoded, maxList)
	if err != nil {
		return nil, ""
	}
	return &statusList{issuer: c.Issuer, role: key.Role, address: address,
		purpose: subject.Purpose, from: c.ValidFrom, until: c.ValidTo, cut: !key.CutOff.IsZero(), bits: bits}, about
}

// isExactly reports whether a credential has the type t and no other beside
// VerifiableCredential: one that claims to be two things is neither.
func isExactly(c *vc.Credential, t string) bool {
	return len(c.Type) == 2 && c.Is(vc.TypeCredential) && c.Is(t) && t != vc.TypeCredential
}

// answer is what the lists say about one credential.
type answer struct {
	revoked, suspended bool
	unknown            bool          // at least one of the two questions has no answer
	age                time.Duration // of the oldest list that was used
	used               bool
}

// Ages of status lists (domain table, rows 10 to 12) and how far a clock may
// be off before it counts.
const (
	freshStatus = 24 * time.Hour
	oldStatus   = 7 * 24 * time.Hour
	clockSlack  = 10 * time.Minute
)

// status answers whether a credential is revoked or suspended. Each question
// needs an entry, a list of the same issuer and purpose, and an index on it;
// without them the answer is unknown, never "not revoked".
func (b *Bundle) status(c *vc.Credential, now time.Time) answer {
	return b.answers(c.Issuer, c.Status, now)
}

// answers is status for the entries of a credential in any format.
func (b *Bundle) answers(issuer string, entries []vc.StatusEntry, now time.Time) answer {
	var a answer
	var asked [2]bool
	for i := range entries {
		e := &entries[i]
		switch e.Purpose {
		case vc.PurposeRevocation:
			asked[0] = true
		case vc.PurposeSuspension:
			asked[1] = true
		default:
			continue // another purpose neither proves nor spoils anything
		}
		b.ask(&a, issuer, e, now)
	}
	if !asked[0] || !asked[1] {
		a.unknown = true
	}
	return a
}

// use counts a list that answered: the oldest says how old the answer is, also
// where an authority's list over it is what is old.
func (a *answer) use(l *statusList, now time.Time) {
	age := now.Sub(l.from)
	if age < -clockSlack || age > oldStatus || (!l.until.IsZero() && !now.Before(l.until)) || l.cut {
		a.unknown = true
	}
	a.age, a.used = max(a.age, age), true
}

// ask puts one entry's answer to the others of the credential.
func (b *Bundle) ask(a *answer, issuer string, e *vc.StatusEntry, now time.Time) {
	index, err := status.ParseIndex(e.Index)
	if err != nil {
		a.unknown = true
		return
	}
	name := listName{issuer, e.List}
	set := false
	for _, o := range b.over[name] {
		if o.purpose != e.Purpose {
			continue
		}
		// One that ends before this index says nothing of it, and is as old as
		// what it says all the same.
		bit, err := o.bits.Get(index)
		set = set || err == nil && bit
		a.use(o.statusList, now)
	}
	if l := b.lists[name]; l == nil || l.purpose != e.Purpose {
		a.unknown = true
	} else if bit, err := l.bits.Get(index); err != nil {
		a.unknown = true
	} else {
		a.use(l, now)
		set = set || bit
	}
	if set && e.Purpose == vc.PurposeRevocation {
		a.revoked = true
	}
	if set && e.Purpose == vc.PurposeSuspension {
		a.suspended = true
	}
}

// national reports whether any country has a policy of its own here.
func (b *Bundle) national() bool { return b.ownPolicies }
