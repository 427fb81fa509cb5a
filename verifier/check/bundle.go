package check

import (
	"bytes"
	"crypto"
	"encoding/json"
	"strings"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/keys"
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
	maxBundle     = 64 << 20  // bytes of the signed bundle
	maxLists      = 4096      // status lists in one bundle
	maxList       = 16 << 20  // bytes of one decoded list, 2^27 credentials
	maxListsTotal = 512 << 20 // bytes of all decoded lists together
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
}

// Sign makes the bundle file. The signer's KID must be the identifier of a hub
// key on the trust list, or no post will open the bundle.
func (p BundlePayload) Sign(hub keys.Signer) ([]byte, error) {
	p.CreatedAt = p.CreatedAt.UTC().Truncate(time.Second)
	if p.StatusLists == nil {
		p.StatusLists = []string{}
	}
	payload, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	jws, err := vc.SignJWS(hub, vc.TypBundle, "", payload)
	if err != nil {
		return nil, err
	}
	if len(jws) > maxBundle {
		return nil, ErrBundle.WithDetail("the bundle is too large for a post to open")
	}
	return []byte(jws), nil
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

	keys   map[string]*issuerKey // by JWS kid
	lists  map[listName]*statusList
	states map[string]bool // DIDs that hold a role of the State
}

// issuerKey is a key of the trust list, ready to verify with.
type issuerKey struct {
	*vc.TrustKey
	issuer string // the DID whose key it is
	public crypto.PublicKey
}

// listName finds a status list: by its address, and by who signed it, so that
// one issuer's list never answers for the credentials of another.
type listName struct{ issuer, address string }

type statusList struct {
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
func Open(data []byte, anchors []crypto.PublicKey) (*Bundle, error) {
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
	if err := vc.StrictJSON(v.PayloadUnverified(), &first, 4); err != nil {
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
		!hub.ValidAt(p.CreatedAt) || !hub.CutOff.IsZero() || len(p.StatusLists) > maxLists {
		return nil, ErrBundle
	}
	b := &Bundle{ID: p.ID, Sequence: p.Sequence, CreatedAt: p.CreatedAt, Trust: trust,
		keys: map[string]*issuerKey{}, lists: map[listName]*statusList{}, states: map[string]bool{}}
	if err := b.addKeys(); err != nil {
		return nil, err
	}
	b.addLists(p.StatusLists)
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
			b.keys[k.ID] = &issuerKey{TrustKey: k, issuer: is.DID, public: public}
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

// addLists verifies and decodes the status lists. Of two lists with one
// address the younger counts.
func (b *Bundle) addLists(signed []string) {
	total := int64(0)
	for _, s := range signed {
		name, l := b.readList(s)
		if l == nil || total+l.bits.Len()/8 > maxListsTotal {
			b.RefusedLists++
			continue
		}
		if have := b.lists[name]; have != nil && !have.from.Before(l.from) {
			continue
		}
		total += l.bits.Len() / 8
		b.lists[name] = l
	}
}

// readList gives nil for a list that must not answer anything.
func (b *Bundle) readList(signed string) (listName, *statusList) {
	// base64url within base64url, and gzip at its worst: twice the bytes.
	v, err := vc.SplitLargeJWS(signed, 2*maxList)
	if err != nil || v.Header.Typ != vc.TypCredential {
		return listName{}, nil
	}
	key := b.keys[v.Header.Kid]
	if key == nil || !stateRole(key.Role) {
		return listName{}, nil
	}
	payload, err := v.Verify(key.public)
	if err != nil {
		return listName{}, nil
	}
	c, err := vc.ParseCredential(payload)
	if err != nil || !isExactly(c, vc.TypeStatusList) || c.Issuer != key.issuer || !key.ValidAt(c.ValidFrom) {
		return listName{}, nil
	}
	if !key.CutOff.IsZero() && !c.ValidFrom.Before(key.CutOff) {
		return listName{}, nil
	}
	var subject struct {
		ID      string `json:"id"`
		Type    string `json:"type"`
		Purpose string `json:"statusPurpose"`
		Encoded string `json:"encodedList"`
	}
	if err := json.Unmarshal(c.Subject, &subject); err != nil || subject.Type != "BitstringStatusList" {
		return listName{}, nil
	}
	if subject.Purpose != vc.PurposeRevocation && subject.Purpose != vc.PurposeSuspension {
		return listName{}, nil
	}
	address, _, _ := strings.Cut(subject.ID, "#")
	if c.ID != "" {
		if address != "" && address != c.ID {
			return listName{}, nil
		}
		address = c.ID
	}
	if address == "" {
		return listName{}, nil
	}
	bits, err := status.Decode(subject.Encoded, maxList)
	if err != nil {
		return listName{}, nil
	}
	return listName{c.Issuer, address}, &statusList{
		purpose: subject.Purpose, from: c.ValidFrom, until: c.ValidTo, cut: !key.CutOff.IsZero(), bits: bits}
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
		q := 0
		switch e.Purpose {
		case vc.PurposeRevocation:
		case vc.PurposeSuspension:
			q = 1
		default:
			continue // another purpose neither proves nor spoils anything
		}
		asked[q] = true
		l := b.lists[listName{issuer, e.List}]
		if l == nil || l.purpose != e.Purpose {
			a.unknown = true
			continue
		}
		index, err := status.ParseIndex(e.Index)
		if err != nil {
			a.unknown = true
			continue
		}
		set, err := l.bits.Get(index)
		if err != nil {
			a.unknown = true
			continue
		}
		age := now.Sub(l.from)
		if age < -clockSlack || age > oldStatus || (!l.until.IsZero() && !now.Before(l.until)) || l.cut {
			a.unknown = true
		}
		a.age, a.used = max(a.age, age), true
		if set && q == 0 {
			a.revoked = true
		}
		if set && q == 1 {
			a.suspended = true
		}
	}
	if !asked[0] || !asked[1] {
		a.unknown = true
	}
	return a
}
