package issuer

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/tlog"
	"github.com/kinpass/kinpass/internal/vc"
)

// ErrNoSurvivors: there is nothing to tell of what a key signed.
var ErrNoSurvivors = fault.New(fault.NotFound, "no-survivors", "the trust list has no key of this name that was cut off with a size of the ledger")

const (
	// survivorSize is the length of what Survivors tells of one credential: where it
	// stands in the ledger (8 bytes, big endian), the salt of its commitment and the
	// SHA-256 of its payload.
	survivorSize = 8 + tlog.SaltSize + sha256.Size
	// MaxSurvivors bounds how many credentials of one key are told: they are in every
	// post's bundle.
	MaxSurvivors = 1 << 20
)

// Affected is what a compromised key signed and is not over.
type Affected struct {
	Key string `json:"key"`
	// Since is when the key was no longer its owner's alone, and Size how many
	// entries the ledger certainly had before.
	Since time.Time `json:"since"`
	Size  int64     `json:"ledgerSize"`
	// Witnessed reports that Size is under a checkpoint that witnesses cosigned.
	Witnessed bool           `json:"witnessed"`
	Counts    []AffectedKind `json:"counts"`
	// Records are those that somebody needs a new credential of, by their public
	// identifiers in this register; they name nobody.
	Records []AffectedRecord `json:"records"`
}

// AffectedKind counts credentials of a type in a profile.
type AffectedKind struct {
	Type      string `json:"type"`
	Profile   string `json:"profile"`
	Survive   int    `json:"survive"`   // in the ledger before the cut-off, and told to posts: they stay good with the next bundle
	Provable  int    `json:"provable"`  // in the ledger before it, and not told: amber until made anew or their own proof is shown
	Unproven  int    `json:"unproven"`  // issued before it, and not in the ledger then: amber until made anew
	Worthless int    `json:"worthless"` // issued after it: red
}

// AffectedRecord is a record of which the key signed credentials.
type AffectedRecord struct {
	Kind    string `json:"kind"`
	ID      string `json:"id"`
	Wallet  int    `json:"wallet"`  // credentials in wallets, which renew by themselves
	Paper   int    `json:"paper"`   // papers, which have to be printed anew
	Survive int    `json:"survive"` // of both, those that stay good at posts
}

// maxAffected bounds the list of records; the counts are whole.
const maxAffected = 5_000_000

// Affected finds what a key signed that is not over, and what of it survives a
// cut-off at since. size is the ledger's size before it as somebody else knows it,
// a witness or an auditor: it can only be smaller than what this register says; -1
// takes what the register says: all entries before the first that it made at since
// or later.
func (i *Issuer) Affected(ctx context.Context, name string, since time.Time, size int64) (Affected, error) {
	since = since.UTC().Truncate(time.Second)
	out := Affected{Key: i.did + "#" + name, Since: since, Size: -1}
	have := int64(0)
	err := i.store.eachEntered(ctx, stretch{from: since}, func(e entered) error {
		if e.index >= 0 {
			have = e.index + 1
			if !e.created.Before(since) {
				out.Size = e.index
				return errEnough
			}
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return Affected{}, err
	}
	if out.Size < 0 {
		out.Size = have
	}
	w, ok, err := i.store.witnessedSize(ctx)
	if err != nil {
		return Affected{}, err
	}
	if out.Witnessed = ok; ok {
		out.Size = min(out.Size, w)
	}
	if size >= 0 {
		out.Size = min(out.Size, size)
	}
	now := i.now()
	kinds, records := map[[2]string]*AffectedKind{}, map[[2]string]int{}
	kids, told := kidCache{}, 0
	err = i.store.eachEntered(ctx, i.signedIn(name), func(e entered) error {
		if !e.standing(now) || kids.of(e.JWT) != out.Key {
			return nil
		}
		k := kinds[[2]string{e.Type, e.Profile}]
		if k == nil {
			k = &AffectedKind{Type: e.Type, Profile: e.Profile}
			kinds[[2]string{e.Type, e.Profile}] = k
		}
		logged := e.ValidFrom.Before(since) && e.index >= 0 && e.index < out.Size
		survives := logged && e.shownAtPosts() && told < i.mostSurvivors
		switch {
		case survives:
			k.Survive++
			told++
		case logged:
			k.Provable++
		case e.ValidFrom.Before(since):
			k.Unproven++
		default:
			k.Worthless++
		}
		at, seen := records[[2]string{e.kind, e.Record}]
		if !seen {
			if len(out.Records) == maxAffected {
				return nil
			}
			at = len(out.Records)
			records[[2]string{e.kind, e.Record}] = at
			out.Records = append(out.Records, AffectedRecord{Kind: e.kind, ID: e.Record})
		}
		r := &out.Records[at]
		if e.Profile == ProfilePaper {
			r.Paper++
		} else {
			r.Wallet++
		}
		if survives {
			r.Survive++
		}
		return nil
	})
	for _, k := range kinds {
		out.Counts = append(out.Counts, *k)
	}
	slices.SortFunc(out.Counts, func(a, b AffectedKind) int {
		return strings.Compare(a.Type+a.Profile, b.Type+b.Profile)
	})
	return out, err
}

// signedIn gives the time in which this issuer can have signed with a key of its ring.
// The ledger of a nation is too long to be read from its beginning for each.
func (i *Issuer) signedIn(name string) stretch {
	for _, k := range i.cfg.Ring.Keys {
		if k.Name == name {
			return stretch{k.NotBefore, k.NotAfter}
		}
	}
	return stretch{}
}

// standing reports whether it is a credential that is not revoked and not over.
func (e *entered) standing(now time.Time) bool {
	return e.ID != "" && e.State != StatusRevoked && e.ValidUntil.After(now)
}

// shownAtPosts reports whether it is of what posts are shown: what a wallet makes its
// codes of, and papers. Full copies and those that are shown in parts are for others.
func (e *entered) shownAtPosts() bool {
	return (e.Profile == ProfileBorder || e.Profile == ProfilePaper) && len(e.salt) == tlog.SaltSize
}

// errEnough ends a walk through the ledger.
var errEnough = errors.New("enough")

// Survivors tells a hub what a key that was cut off had signed and the ledger had
// by then, and is not revoked or over: for each its place in the ledger, the salt of
// its commitment and the SHA-256 of its payload, in the order of the ledger. The end
// is a block of zeros. It is only of what posts are shown, and of so many at most, the
// oldest first. The hub believes none of it that the ledger does not show.
func (i *Issuer) Survivors(ctx context.Context, name string, write func([]byte) error) error {
	key, err := i.cutOff(ctx, name)
	if err != nil {
		return err
	}
	if err := write(nil); err != nil { // it comes: the walk may take a while to the first
		return err
	}
	now, kids, told := i.now(), kidCache{}, 0
	err = i.store.eachEntered(ctx, i.signedIn(name), func(e entered) error {
		if e.index >= key.CutOffSize || told == i.mostSurvivors {
			return errEnough
		}
		if e.index < 0 || !e.standing(now) || !e.shownAtPosts() || !e.ValidFrom.Before(key.CutOff) || kids.of(e.JWT) != key.ID {
			return nil
		}
		part := strings.Split(e.JWT, ".")
		if len(part) != 3 {
			return nil
		}
		payload, err := base64.RawURLEncoding.DecodeString(part[1])
		if err != nil {
			return err
		}
		b := binary.BigEndian.AppendUint64(make([]byte, 0, survivorSize), uint64(e.index))
		b = append(b, e.salt...)
		hash := sha256.Sum256(payload)
		told++
		return write(append(b, hash[:]...))
	})
	if err != nil && !errors.Is(err, errEnough) {
		return err
	}
	return write(make([]byte, survivorSize))
}

// cutOff finds the key of this name on the trust list, ErrNoSurvivors if it was not
// cut off.
func (i *Issuer) cutOff(ctx context.Context, name string) (*vc.TrustKey, error) {
	l, err := i.trust(ctx)
	if err != nil {
		return nil, err
	}
	for n := range l.Issuers {
		for k := range l.Issuers[n].Keys {
			if key := &l.Issuers[n].Keys[k]; key.ID == i.did+"#"+name && !key.CutOff.IsZero() && key.CutOffSize > 0 {
				return key, nil
			}
		}
	}
	return nil, ErrNoSurvivors
}

// listedKeys gives what the trust list says of this issuer's keys, by their names. A
// list that is overdue counts, too: a cut-off is never lifted. Without a trust list
// there are none.
func (i *Issuer) listedKeys(ctx context.Context) map[string]*vc.TrustKey {
	if i.cfg.Trust == nil {
		return nil
	}
	l, err := i.cfg.Trust(ctx)
	if err != nil || l == nil {
		return nil
	}
	out := map[string]*vc.TrustKey{}
	for n := range l.Issuers {
		if is := &l.Issuers[n]; is.DID == i.did {
			for k := range is.Keys {
				out[is.Keys[k].ID] = &is.Keys[k]
			}
		}
	}
	return out
}

// withdrawn gives the keys of this issuer that the trust list has cut off.
func (i *Issuer) withdrawn(ctx context.Context) map[string]bool {
	out := map[string]bool{}
	for id, key := range i.listedKeys(ctx) {
		if !key.CutOff.IsZero() {
			out[id] = true
		}
	}
	return out
}

// kidCache knows the keys that headers name: there are few of them.
type kidCache map[string]string

// of gives the key that a credential says it is signed with, "" if it says none.
func (c kidCache) of(signed string) string {
	head, _, ok := strings.Cut(signed, ".")
	if !ok || strings.HasPrefix(signed, "{") {
		return signedBy(signed)
	}
	kid, ok := c[head]
	if !ok {
		if kid = signedBy(signed); len(c) < 1000 {
			c[head] = kid
		}
	}
	return kid
}

func signedBy(signed string) string {
	if strings.HasPrefix(signed, "{") {
		var d struct {
			Proof struct {
				Method string `json:"verificationMethod"`
			} `json:"proof"`
		}
		if json.NewDecoder(bytes.NewReader([]byte(signed))).Decode(&d) != nil {
			return ""
		}
		return d.Proof.Method
	}
	head, _, _ := strings.Cut(signed, ".")
	b, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil {
		return ""
	}
	var h struct {
		Kid string `json:"kid"`
	}
	if json.Unmarshal(b, &h) != nil {
		return ""
	}
	return h.Kid
}

// Reissued says what ReissuePapers did, in births and guardianships.
type Reissued struct {
	Made   int `json:"made"`   // that have a new paper
	Before int `json:"before"` // that had it from an earlier run, or from a desk
	Left   int `json:"left"`   // that are not in force, or of which there can be none
}

// ReissuePapers makes a new paper of every birth and every guardianship of which the
// newest was signed with this key; who signed the other half of the pair does not
// matter. The trust list has cut the key off: what it signed is not given out again.
// Asked again, it makes none twice.
func (i *Issuer) ReissuePapers(ctx context.Context, name string, progress func(done, all int)) (Reissued, error) {
	var out Reissued
	key := i.did + "#" + name
	now, kids := i.now(), kidCache{}
	type what struct{ kind, id string }
	seen := map[what]bool{}
	var all []what
	err := i.store.eachEntered(ctx, i.signedIn(name), func(e entered) error {
		w := what{e.kind, e.Record}
		if (e.kind == KindBirth || e.kind == KindGuardianship) && e.Profile == ProfilePaper && e.standing(now) && !seen[w] && kids.of(e.JWT) == key {
			seen[w] = true
			all = append(all, w)
		}
		return nil
	})
	if err != nil {
		return out, err
	}
	for n, w := range all {
		if err := ctx.Err(); err != nil {
			return out, err
		}
		made, err := i.reprint(ctx, w.kind, w.id)
		switch f := fault.As(err); {
		case err == nil && made:
			out.Made++
		case err == nil:
			out.Before++
		case f.Kind == fault.Internal || f.Kind == fault.Unavailable:
			return out, err
		default:
			out.Left++
		}
		progress(n+1, len(all))
	}
	return out, nil
}
