package check

import (
	"crypto"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/kinpass/kinpass/internal/bundle"
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
	maxLists          = 4096    // status lists in one bundle
	maxDirectory      = 4 << 20 // bytes of the directory of lists
	maxDirectoryDepth = 6       // of its JSON
	maxPoliciesDepth  = 16      // of the policies' JSON
)

// Parts of a bundle (internal/bundle/FORMAT.md).
const (
	partTrust     = "trust"
	partPolicies  = "policies"
	partLists     = "lists"
	partSets      = "sets/"      // and a DID
	partIssued    = "issued/"    // and a DID
	partSurvivors = "survivors/" // and the kid of a key
)

// BundlePayload is what a bundle is made of: all that a post needs to check
// offline. Sequence only ever grows; CreatedAt has whole seconds. TrustList is the
// signed trust list as the anchors made it, StatusLists are the issuers' own
// signed status list credentials (vc+jwt). Sign verifies each of them and puts
// what they say into the bundle: the lists themselves stay with the hub.
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
	// Issued are lists with the statusPurpose issued: at …/issued/N the places
	// that were given out of …/revocation/N and …/suspension/N.
	Issued []string `json:"issued,omitempty"`
	// Survivors say what was signed before the cut-off of a key.
	Survivors []Survivors `json:"survivors,omitempty"`
	// Revoked are places that earlier lists revoked, as status.Places writes them.
	// They stay revoked where a list has them no more, and List.Lifted counts them.
	Revoked map[OwnList][]byte `json:"-"`
	// Orphans are those of Revoked that no key says anything of any more but such as
	// are cut off. They go into the bundle by themselves.
	Orphans []OwnList `json:"-"`
}

// OwnList names an issuer's list of its own credentials.
type OwnList struct{ Issuer, Address string }

// Survivors are the credentials that the key KID signed before its cut-off, as
// the hub was shown: the SHA-256 of the exact bytes of each that were signed. Sign
// puts them in order.
type Survivors struct {
	KID      string     `json:"kid"`
	Payloads [][32]byte `json:"payloads"`
}

// Bundle is a border bundle whose every signature was checked. It never
// changes after Open and may be used from several goroutines.
type Bundle struct {
	ID        string
	Sequence  int64
	CreatedAt time.Time
	Trust     *vc.TrustList

	// Hub is the identifier of the key that signed, Digest the SHA-256 of what it
	// signed, and SignedTrust the trust list as the anchors signed it.
	Hub         string
	Digest      [32]byte
	SignedTrust string

	// RefusedLists counts status lists that were left out, because they are
	// not signed by an issuer on the trust list or cannot be read. What they
	// were to answer is answered STATUS_UNKNOWN.
	RefusedLists int

	file     *bundle.File
	keys     map[string]*issuerKey // by JWS kid
	lists    map[listName]*statusList
	over     map[listName][]override
	issued   map[listName]*statusList // by the list whose places were given out
	dated    []List
	evidence map[string]string // by issuer, as the directory has it
	survive  map[string][]byte // by kid
	states   map[string]bool   // DIDs that hold a role of the State
	consents map[string]bool   // DIDs that host the status of travel consents
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
	cut    bool
	places *status.Places
	// before is an older list whose revoked places stay revoked; mostly nil.
	before *status.Places
}

// has reports whether a place is set, or was in the list before.
func (l *statusList) has(place uint64) (bool, error) {
	in, err := l.places.Contains(place)
	if !in && l.before != nil {
		if was, e := l.before.Contains(place); e == nil && was {
			return true, nil
		}
	}
	return in, err
}

// after is a younger list in the place of l, if there is one. What l revokes stays
// revoked (domain handbook, section 5.4).
func (l *statusList) after(have *statusList) *statusList {
	if l.purpose != vc.PurposeRevocation || have == nil || have.purpose != l.purpose || have.places.Without(l.places) == 0 {
		return l
	}
	out := *l
	out.before = have.places
	return &out
}

// Open verifies a bundle from the anchors down: anchors, trust list, hub
// signature, each part by its hash, and that the trust list lets whoever signed a
// status list sign it. That they did, the hub saw. It keeps data, which may be a
// mapped file. Only ErrBundle is returned. Times are not judged here; Check does
// that, against its clock.
func Open(data []byte, anchors vc.Anchors) (*Bundle, error) {
	f, err := bundle.Open(data)
	if err != nil {
		return nil, ErrBundle.With(err)
	}
	// The trust list that names the hub travels inside what the hub signed. It
	// is the one part looked at before the hub's signature was checked, and it
	// is believed for the anchors' signatures alone.
	signed, _ := f.Part(partTrust)
	trust, err := vc.OpenTrustList(string(signed), anchors)
	if err != nil {
		return nil, ErrBundle.With(err)
	}
	hub, public := hubKey(trust, f.KID)
	if hub == nil {
		return nil, ErrBundle
	}
	if err := f.Verify(public); err != nil {
		return nil, ErrBundle.With(err)
	}
	// A hub key with a cut-off signs nothing any more: whoever stole it can
	// write any date, and making a new bundle costs nothing.
	if !hub.ValidAt(f.CreatedAt) || !hub.CutOff.IsZero() || f.TrustList != trust.Sequence {
		return nil, ErrBundle
	}
	b := newBundle(trust)
	b.ID, b.Sequence, b.CreatedAt = f.ID, f.Sequence, f.CreatedAt
	b.Hub, b.Digest, b.SignedTrust, b.file = f.KID, f.Digest(), string(signed), f
	if err := b.addKeys(); err != nil {
		return nil, err
	}
	if err := b.addParts(); err != nil {
		return nil, err
	}
	return b, nil
}

func newBundle(trust *vc.TrustList) *Bundle {
	return &Bundle{Trust: trust, keys: map[string]*issuerKey{}, lists: map[listName]*statusList{}, over: map[listName][]override{},
		issued: map[listName]*statusList{}, survive: map[string][]byte{}, evidence: map[string]string{},
		states: map[string]bool{}, consents: map[string]bool{}}
}

// With is the bundle with the status lists of another in place of its own, where
// those are younger. What is revoked stays so, and all else stays: trust list, policies, who survives a cut-off.
func (b *Bundle) With(lists *Bundle) *Bundle {
	out := *b
	out.lists, out.issued, out.over = maps.Clone(b.lists), maps.Clone(b.issued), map[listName][]override{}
	for name, all := range b.over {
		out.over[name] = slices.Clone(all)
	}
	for name, l := range lists.lists {
		if have := out.lists[name]; have == nil || have.from.Before(l.from) {
			out.lists[name] = l.after(have)
		}
	}
	for name, l := range lists.issued {
		if have := out.issued[name]; have == nil || have.from.Before(l.from) {
			out.issued[name] = l
		}
	}
	for name, all := range lists.over {
		for _, o := range all {
			out.override(name, o.statusList)
		}
	}
	return &out
}

// File gives the file that was opened.
func (b *Bundle) File() *bundle.File { return b.file }

// addParts reads the parts. One that is missing, or that nothing names, makes the
// whole no bundle: a post must not go on with less, or with something else, than
// the hub meant it to know.
func (b *Bundle) addParts() error {
	named := 2 // trust, lists
	if text, ok := b.file.Part(partPolicies); ok {
		named++
		var raw []json.RawMessage
		if err := vc.StrictJSON(text, &raw, maxPoliciesDepth); err != nil {
			return ErrBundle.With(err)
		}
		if len(raw) == 0 {
			return ErrBundle
		}
		if err := b.addPolicies(raw); err != nil {
			return err
		}
	} else if err := b.addPolicies(nil); err != nil {
		return err
	}
	n, err := b.addLists()
	if err != nil {
		return err
	}
	named += n
	for i := range b.file.Table {
		kid, ok := strings.CutPrefix(b.file.Table[i].Name, partSurvivors)
		if !ok {
			continue
		}
		set, _ := b.file.Part(b.file.Table[i].Name)
		if !goodSurvivors(set) {
			return ErrBundle
		}
		b.survive[kid] = set
		named++
	}
	if named != len(b.file.Table) {
		return ErrBundle
	}
	return nil
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

// Policies gives the countries' policies, in the order in which the hub had them.
func (b *Bundle) Policies() []*policy.Policy { return b.policies.Policies() }

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

// mayOverride: a court revokes and suspends what others issued, a protection
// authority suspends it (domain handbook, section 2.2).
func mayOverride(role, purpose string) bool {
	return purpose != vc.PurposeIssued && (role == vc.RoleCourt || role == vc.RoleProtection && purpose == vc.PurposeSuspension)
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
	stale              bool          // a list that has not ended is older than a day
	used               bool

	// absent: the issuer says which places of the list it has given out, and this
	// one is not among them, as of snapshot.
	absent   bool
	snapshot time.Time
}

// neverIssued reports that the issuer had not given this place to anybody when a
// credential with this validFrom was there already.
func (a *answer) neverIssued(validFrom time.Time) bool {
	return a.absent && validFrom.Before(a.snapshot)
}

// newer reports that the place was not given out yet as far as this bundle knows,
// and the credential says that it is from a later time.
func (a *answer) newer(validFrom time.Time) bool { return a.absent && !a.neverIssued(validFrom) }

// neverIssued reports that a credential has a place that was given to nobody when
// it says that it was made. The issuer's clock dates what it issues and its list
// alike; a consent is dated by the telephone that signed it.
func (c *credential) neverIssued() bool {
	if c.Credential == nil {
		return false
	}
	return c.answer.neverIssued(c.dated())
}

// dated gives when a credential was made, at the latest that its date can mean.
func (c *credential) dated() time.Time {
	if c.consent != nil {
		return c.ValidFrom.Add(clockSlack)
	}
	return c.ValidFrom
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
	ended := !l.until.IsZero() && !now.Before(l.until)
	if age < -clockSlack || age > oldStatus || ended || l.cut {
		a.unknown = true
	}
	// One that has ended, seven days after it was signed as a rule, does not answer:
	// that is reason enough, and how old it is none beside it.
	a.stale = a.stale || !ended && age > freshStatus
	a.age, a.used = max(a.age, age), true
}

// uses counts what the lists said about one credential.
func (e *exam) uses(a *answer) {
	e.statusAge, e.statusUsed, e.stale = max(e.statusAge, a.age), true, e.stale || a.stale
}

// ask puts one entry's answer to the others of the credential.
func (b *Bundle) ask(a *answer, issuer string, e *vc.StatusEntry, now time.Time) {
	index, err := status.ParseIndex(e.Index)
	if err != nil {
		a.unknown = true
		return
	}
	name, place := listName{issuer, e.List}, uint64(index)
	set := false
	for _, o := range b.over[name] {
		if o.purpose != e.Purpose {
			continue
		}
		// One that ends before this index says nothing of it, and is as old as
		// what it says all the same.
		in, err := o.places.Contains(place)
		set = set || err == nil && in
		a.use(o.statusList, now)
	}
	if l := b.lists[name]; l == nil || l.purpose != e.Purpose {
		a.unknown = true
	} else if in, err := l.has(place); err != nil {
		a.unknown = true
	} else {
		a.use(l, now)
		set = set || in
	}
	if l := b.issued[name]; l != nil {
		if in, err := l.places.Contains(place); err == nil && !in {
			a.absent = true
			if l.from.After(a.snapshot) {
				a.snapshot = l.from
			}
		}
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
