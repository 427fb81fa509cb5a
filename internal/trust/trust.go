// Package trust makes and edits trust lists: which key may sign which
// credential, in which role, from when to when.
//
// A list only ever becomes stricter about the past. A key id keeps its key for
// good, a cut-off can be moved to an earlier time and never lifted, an end can
// be brought forward and never put off, what has such a past is not taken off,
// and the sequence number grows with every signature. Each editing function
// checks the whole list and leaves it as it was when the edit is refused. Reading
// and writing files is the caller's business.
package trust

import (
	"bytes"
	"cmp"
	"crypto"
	"encoding/json"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/vc"
)

// Errors of editing. ErrInvalid carries the places in its Fields.
var (
	ErrInvalid   = fault.New(fault.Invalid, "trust-list-refused", "the trust list would break a rule")
	ErrNoSuchKey = fault.New(fault.NotFound, "no-such-trust-entry", "the trust list has no such issuer or key")
	ErrBackwards = fault.New(fault.Conflict, "trust-list-backwards", "a trust list never goes back: not in sequence or time, nor by lifting a cut-off or putting off an end")
	ErrDocument  = fault.New(fault.Invalid, "did-document-unusable", "the DID document has no key that can be put on the trust list")
	ErrKeyReused = fault.New(fault.Conflict, "trust-key-changed", "a key identifier on the trust list already stands for another key")
	ErrLabel     = fault.New(fault.Conflict, "trust-role-refused", "the document does not have the key in the role that was named")
	ErrNoWitness = fault.New(fault.NotFound, "no-such-witness", "the trust list has no such witness")
	// ErrCutOffStays: what is known of a stolen key is not forgotten.
	ErrCutOffStays = fault.New(fault.Conflict, "trust-cut-off-stays", "a key that was cut off stays on the list, so that it can never come back").
			WithHint("to stop the issuer, suspend it: kinpass trust suspend")
	// ErrPastStays: taken off and put on again, it would have no past.
	ErrPastStays = fault.New(fault.Conflict, "trust-past-stays", "an issuer with an accreditation or a ledger, and a key with an end, stay on the list, so that nothing of it is forgotten").
			WithHint("to stop the issuer, suspend it (kinpass trust suspend); to stop a key, end it (kinpass trust end) or cut it off (kinpass trust cutoff)")
	ErrExists = fault.New(fault.Conflict, "trust-entry-exists", "the trust list has this entry already")
)

// Limits of one list.
const (
	maxIssuers = 4096
	maxKeys    = 1024 // per issuer, and of hubs; none is ever taken off that had an end
	maxText    = 256  // bytes of a name or an address
)

// Entry says how an issuer comes onto the list. Document has been fetched and
// read by did.ParseDocument. Which role each of its keys gets is the operator's
// statement alone: a key that the document labels for a role comes onto the list
// if the operator named that role too, and is passed by otherwise.
type Entry struct {
	Document *did.Document
	Name     string // shown to officers
	Country  string // ISO 3166-1 alpha-3; may be empty
	Shelf    string // base address of the published files, without a final slash
	// Role is that of the keys without a label, and Types what they may sign. ""
	// passes them by where another role is named.
	Role  string
	Types []string
	// Labelled are the roles, beside Role, whose labelled keys are accepted.
	Labelled []string
	// KeyRoles gives single keys their role by the fragment of their identifier,
	// labelled so or not at all.
	KeyRoles map[string]string
	// Bases are the legal bases that the keys of a role may sign; none means
	// those that the role has by default.
	Bases map[string][]string
	// ConsentStatus and MayRevoke are of the issuer; nil leaves what is there.
	ConsentStatus *bool
	MayRevoke     []string
	// From and Until say when the keys are believed; a zero Until is no end.
	From, Until time.Time
}

// defaultTypes are the credential types that keys of each role sign. Who hosts
// the records signs their status lists; a notary, consulate or witness signs
// what happened at its desk.
var defaultTypes = map[string][]string{
	vc.RoleRegistrar:    {vc.TypeBirth, vc.TypeGuardianship, vc.TypeStatusList},
	vc.RoleCourt:        {vc.TypeGuardianship, vc.TypeConsent, vc.TypeStatusList},
	vc.RoleProtection:   {vc.TypeGuardianship, vc.TypeStatusList},
	vc.RoleNotary:       {vc.TypeConsent, vc.TypeGuardianship},
	vc.RoleConsulate:    {vc.TypeConsent},
	vc.RoleWitness:      {vc.TypeConsent},
	vc.RoleHumanitarian: {vc.TypeGuardianship, vc.TypeStatusList},
}

// DefaultTypes gives the credential types that keys of a role sign if nobody
// says otherwise; none for what is no role of an issuer.
func DefaultTypes(role string) []string { return slices.Clone(defaultTypes[role]) }

// role gives the role that a key of the document gets, "" if it is passed by.
func (e Entry) role(m *did.VerificationMethod) (string, error) {
	_, frag, _ := strings.Cut(m.ID, "#")
	stated, named := e.KeyRoles[frag]
	switch {
	case named && m.Role != "" && m.Role != stated:
		return "", ErrLabel.WithFields(fault.Field{Path: "/" + m.ID, Rule: "is labelled for another role"})
	case named:
		return stated, nil
	case m.Role == "":
		return e.Role, nil
	case m.Role == e.Role || slices.Contains(e.Labelled, m.Role):
		return m.Role, nil
	}
	return "", nil
}

// types gives what keys of a role may sign.
func (e Entry) types(role string) []string {
	if role == e.Role {
		return slices.Clone(e.Types)
	}
	return DefaultTypes(role)
}

// New starts an empty list, named after the trust anchor that founds it. It
// has sequence 0 until Sign gives it its first number.
func New(anchor crypto.PublicKey) (*vc.TrustList, error) {
	id, err := did.EncodeKey(anchor)
	if err != nil {
		return nil, err
	}
	return &vc.TrustList{ID: id, Issuers: []vc.TrustIssuer{}, Hubs: []vc.TrustKey{}}, nil
}

// AddIssuer puts an issuer on the list, or, for one that is there, adds the
// keys that its document has gained. Keys that are on the list keep their
// terms; one whose identifier now stands for another key is ErrKeyReused.
func AddIssuer(l *vc.TrustList, e Entry) error {
	if e.Document == nil {
		return ErrDocument
	}
	if e.Role == "" && len(e.Labelled)+len(e.KeyRoles) == 0 {
		return ErrInvalid.WithFields(fault.Field{Path: "/role", Rule: "must be named"})
	}
	return edit(l, func(l *vc.TrustList) error {
		i := slices.IndexFunc(l.Issuers, func(x vc.TrustIssuer) bool { return x.DID == e.Document.ID })
		if i < 0 {
			l.Issuers = append(l.Issuers, vc.TrustIssuer{DID: e.Document.ID})
			i = len(l.Issuers) - 1
		}
		is := &l.Issuers[i]
		// Who only brings new keys need not say again who the issuer is.
		is.Name, is.Country, is.Shelf = cmp.Or(e.Name, is.Name), cmp.Or(e.Country, is.Country), e.Shelf
		if e.ConsentStatus != nil {
			is.ConsentStatus = *e.ConsentStatus
		}
		if e.MayRevoke != nil {
			is.MayRevoke = slices.Clone(e.MayRevoke)
		}
		for frag := range e.KeyRoles {
			if e.Document.Method(e.Document.ID+"#"+frag) == nil {
				return ErrLabel.WithFields(fault.Field{Path: "/" + e.Document.ID + "#" + frag, Rule: "is not a key of the document"})
			}
		}
		for _, m := range e.Document.VerificationMethod {
			if e.Document.Method(m.ID) == nil {
				continue // not for assertions
			}
			pub, err := methodKey(&m)
			if err != nil {
				continue // a kind of key that signs nothing here
			}
			jwk, err := vc.PublicJWK(pub, m.ID, "")
			if err != nil {
				return err
			}
			if have := find(is.Keys, m.ID); have != nil {
				if !SameKey(have.JWK, jwk) {
					return ErrKeyReused
				}
				continue
			}
			role, err := e.role(&m)
			if err != nil {
				return err
			}
			if role == "" {
				continue
			}
			is.Keys = append(is.Keys, vc.TrustKey{ID: m.ID, JWK: jwk, Role: role, Types: e.types(role), Bases: slices.Clone(e.Bases[role]),
				NotBefore: second(e.From), NotAfter: second(e.Until)})
		}
		if len(is.Keys) == 0 {
			return ErrDocument
		}
		return nil
	})
}

// methodKey reads the key of a verification method: a JWK or a Multikey, of
// Ed25519 or P-256.
func methodKey(m *did.VerificationMethod) (crypto.PublicKey, error) {
	if len(m.PublicKeyJwk) == 0 && m.PublicKeyMultibase != "" {
		return did.ParseKey("did:key:" + m.PublicKeyMultibase)
	}
	return vc.ParseJWK(m.PublicKeyJwk)
}

// Publishes reports whether a verification method has the key of this public
// JWK.
func Publishes(m *did.VerificationMethod, key json.RawMessage) bool {
	pub, err := methodKey(m)
	if err != nil {
		return false
	}
	jwk, err := vc.PublicJWK(pub, "", "")
	return err == nil && SameKey(key, jwk)
}

// AddHub puts a key that signs border bundles on the list. The identifier is
// the did:key of the key.
func AddHub(l *vc.TrustList, pub crypto.PublicKey, from, until time.Time) (id string, err error) {
	d, err := did.EncodeKey(pub)
	if err != nil {
		return "", err
	}
	id = did.KeyID(d)
	jwk, err := vc.PublicJWK(pub, id, "")
	if err != nil {
		return "", err
	}
	return id, edit(l, func(l *vc.TrustList) error {
		if find(l.Hubs, id) != nil {
			return ErrExists
		}
		l.Hubs = append(l.Hubs, vc.TrustKey{ID: id, JWK: jwk, Role: vc.RoleHub, NotBefore: second(from), NotAfter: second(until)})
		return nil
	})
}

// Remove takes an issuer (by its DID), one key of an issuer, or a hub key (by
// its identifier) off the list. What it signed is no longer believed, whenever
// that was; to keep what was signed before a time, use CutOff. The last key of
// an issuer goes with the issuer only. A key that was cut off stays, and its issuer
// with it: taken off, it could come back without its cut-off (ErrCutOffStays). So do a
// key with an end and an issuer with an accreditation or a ledger (ErrPastStays).
func Remove(l *vc.TrustList, id string) error {
	return edit(l, func(l *vc.TrustList) error {
		n := len(l.Issuers) + len(l.Hubs)
		l.Issuers = slices.DeleteFunc(l.Issuers, func(x vc.TrustIssuer) bool { return x.DID == id })
		l.Hubs = slices.DeleteFunc(l.Hubs, func(x vc.TrustKey) bool { return x.ID == id })
		if len(l.Issuers)+len(l.Hubs) < n {
			return nil
		}
		for i := range l.Issuers {
			is := &l.Issuers[i]
			if k := len(is.Keys); k > 0 {
				is.Keys = slices.DeleteFunc(is.Keys, func(x vc.TrustKey) bool { return x.ID == id })
				if len(is.Keys) < k {
					return nil
				}
			}
		}
		return ErrNoSuchKey
	})
}

// CutOff says that from at on, what the key signed is not believed: it was
// stolen. size is how many entries the issuer's ledger had when the key was still
// believed; with 0 the ledger shows nothing. A cut-off can be moved to an earlier
// time or a smaller ledger, never to a later or larger one.
func CutOff(l *vc.TrustList, keyID string, at time.Time, size int64) error {
	at = second(at)
	return editKey(l, keyID, func(k *vc.TrustKey) error {
		if at.IsZero() || !k.CutOff.IsZero() && (at.After(k.CutOff) || size > k.CutOffSize) {
			return ErrBackwards
		}
		k.CutOff, k.CutOffSize = at, size
		return nil
	})
}

// Succeed puts a key on the list that signs in the place of another of the same
// issuer, in the same role, from a time on. One that is on the list keeps its terms;
// if its identifier stands for another key it is ErrKeyReused.
func Succeed(l *vc.TrustList, keyID string, next vc.TrustKey) error {
	return edit(l, func(l *vc.TrustList) error {
		for n := range l.Issuers {
			is := &l.Issuers[n]
			old := find(is.Keys, keyID)
			if old == nil {
				continue
			}
			if have := find(is.Keys, next.ID); have != nil {
				if !SameKey(have.JWK, next.JWK) {
					return ErrKeyReused
				}
				return nil
			}
			is.Keys = append(is.Keys, vc.TrustKey{ID: next.ID, JWK: next.JWK, Role: old.Role, Types: slices.Clone(old.Types), Bases: slices.Clone(old.Bases),
				NotBefore: second(next.NotBefore)})
			return nil
		}
		return ErrNoSuchKey
	})
}

// End says that the key signs nothing after at, in good order. An end can be
// brought forward, never put off: a longer life needs a new key.
func End(l *vc.TrustList, keyID string, at time.Time) error {
	at = second(at)
	return editKey(l, keyID, func(k *vc.TrustKey) error {
		if at.IsZero() || (!k.NotAfter.IsZero() && at.After(k.NotAfter)) {
			return ErrBackwards
		}
		k.NotAfter = at
		return nil
	})
}

// Sign gives the list its next sequence number and the time now, says that the
// next list comes within next, and signs it with the anchor. It refuses a
// clock that is behind the last signature. The list keeps the new numbers only
// if all went well.
func Sign(l *vc.TrustList, anchor keys.Signer, now time.Time, next time.Duration) (string, error) {
	c := clone(l)
	if err := number(c, now, next); err != nil {
		return "", err
	}
	payload, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	signed, err := vc.SignJWS(anchor, vc.TypTrustList, "", payload)
	if err != nil {
		return "", err
	}
	if _, err := vc.OpenTrustList(signed, vc.OneOf(anchor.Public())); err != nil {
		return "", err // too large, or a key that does not fit its algorithm
	}
	*l = *c
	return signed, nil
}

// Follows reports whether next may replace old: a higher sequence, not issued
// earlier, no name that stands for another key, no cut-off lifted or put off on a
// key that is still listed, no end of such a key put off, no ledger that changed, and
// nothing accredited, or forgotten, for a time that is past. An issuer or a key may be
// gone: who edits or signs a list refuses that where it forgets something, but a
// verifier that refused it would never again hear of a cut-off.
func Follows(old, next *vc.TrustList) error {
	if next.Sequence <= old.Sequence || next.IssuedAt.Before(old.IssuedAt) {
		return ErrBackwards
	}
	return keepsThePast(old, next, next.IssuedAt)
}

// keepsThePast reports whether next is nowhere gentler about the past than old.
// What accreditations say of times from now on may change.
func keepsThePast(old, next *vc.TrustList, now time.Time) error {
	if err := sameLedgers(old, next); err != nil {
		return err
	}
	if err := sameAccreditations(old, next, now); err != nil {
		return err
	}
	was := map[string]vc.TrustKey{}
	each(old, func(k *vc.TrustKey) { was[k.ID] = *k })
	var err error
	each(next, func(k *vc.TrustKey) {
		o, ok := was[k.ID]
		switch {
		case !ok:
		case !SameKey(o.JWK, k.JWK):
			err = ErrKeyReused
		case !o.CutOff.IsZero() && (k.CutOff.IsZero() || k.CutOff.After(o.CutOff) || k.CutOffSize > o.CutOffSize):
			err = ErrBackwards
		case !o.NotAfter.IsZero() && (k.NotAfter.IsZero() || k.NotAfter.After(o.NotAfter)):
			err = ErrBackwards
		}
	})
	return err
}

// keepsAll reports whether next keeps what old has of a past, and no key of it is
// believed from earlier on. It is for those who make lists, beside keepsThePast.
func keepsAll(old, next *vc.TrustList) error {
	is := map[string]*vc.TrustKey{}
	each(next, func(k *vc.TrustKey) { is[k.ID] = k })
	var err error
	each(old, func(o *vc.TrustKey) {
		k := is[o.ID]
		switch {
		case k == nil && !o.CutOff.IsZero():
			err = ErrCutOffStays
		case err != nil:
		case k == nil && !o.NotAfter.IsZero():
			err = ErrPastStays
		case k != nil && k.NotBefore.Before(o.NotBefore):
			err = ErrBackwards
		}
	})
	if err != nil {
		return err
	}
	for i := range old.Issuers {
		o := &old.Issuers[i]
		if (o.Accreditation != nil || o.Ledger != nil) && findIssuer(next, o.DID) == nil {
			return ErrPastStays
		}
	}
	return nil
}

// SameKey reports whether two public JWKs hold the same key, whatever their
// other members say. What cannot be read is the same as nothing.
func SameKey(a, b json.RawMessage) bool {
	x, err1 := vc.ParseJWK(a)
	y, err2 := vc.ParseJWK(b)
	if err1 != nil || err2 != nil {
		return false
	}
	e, ok := x.(interface{ Equal(crypto.PublicKey) bool })
	return ok && e.Equal(y)
}

// Validate checks the whole list and reports every broken rule by its place.
func Validate(l *vc.TrustList) error {
	c := checker{ids: map[string]bool{}, keys: map[string]bool{}, notes: map[string]bool{}}
	if l.ID == "" || len(l.ID) > maxText {
		c.fail("/id", "must be present and at most 256 bytes")
	}
	if l.Sequence < 0 {
		c.fail("/sequence", "must not be negative")
	}
	if !l.Next.IsZero() && !l.Next.After(l.IssuedAt) {
		c.fail("/nextUpdate", "must be after issuedAt")
	}
	if len(l.Issuers) > maxIssuers || len(l.Hubs) > maxKeys {
		return ErrInvalid.WithFields(fault.Field{Path: "/issuers", Rule: "too many entries"})
	}
	c.witnesses(l)
	seen := map[string]bool{}
	for i := range l.Issuers {
		is := &l.Issuers[i]
		at := pointer("/issuers", i)
		if seen[is.DID] {
			c.fail(at+"/did", "listed twice")
		}
		seen[is.DID] = true
		c.issuer(at, is)
	}
	for i := range l.Hubs {
		k := &l.Hubs[i]
		at := pointer("/hubs", i)
		if k.Role != vc.RoleHub {
			c.fail(at+"/role", "must be hub")
		}
		if len(k.Types) > 0 {
			c.fail(at+"/types", "a hub signs no credentials")
		}
		if k.CutOffSize != 0 {
			c.fail(at+"/cutOffSize", "a hub keeps no ledger")
		}
		c.key(at, k)
	}
	if len(c.fields) > 0 {
		return ErrInvalid.WithFields(c.fields...)
	}
	return nil
}

var (
	issuerRoles = []string{vc.RoleRegistrar, vc.RoleCourt, vc.RoleProtection, vc.RoleNotary, vc.RoleConsulate, vc.RoleWitness, vc.RoleHumanitarian}
	issuerTypes = []string{vc.TypeBirth, vc.TypeGuardianship, vc.TypeConsent, vc.TypeStatusList}
	// overriders are the roles that may override the status lists of others: what
	// a registrar does not carry out, a court or an authority for the protection
	// of children publishes itself.
	overriders = []string{vc.RoleCourt, vc.RoleProtection}
)

// checker collects broken rules; ids, keys and names of those who sign
// checkpoints are those seen so far.
type checker struct {
	fields []fault.Field
	ids    map[string]bool
	keys   map[string]bool
	notes  map[string]bool
}

// types checks the credential types that are named below a path.
func (c *checker) types(at string, named, known []string) {
	for n, t := range named {
		if !slices.Contains(known, t) || slices.Contains(named[:n], t) {
			c.fail(at+"/types", "unknown credential type, or one named twice")
		}
	}
}

// bases checks the legal bases that are named below a path.
func (c *checker) bases(at string, named []string) {
	for n, b := range named {
		if len(vc.RolesFor(b)) == 0 || slices.Contains(named[:n], b) {
			c.fail(at+"/bases", "unknown legal basis, or one named twice")
		}
	}
}

func (c *checker) fail(path, rule string) {
	if len(c.fields) < 50 {
		c.fields = append(c.fields, fault.Field{Path: path, Rule: rule})
	}
}

func (c *checker) issuer(at string, is *vc.TrustIssuer) {
	own, keyErr := did.ParseKey(is.DID)
	_, webErr := did.WebURL(is.DID)
	if strings.Contains(is.DID, "#") || (keyErr != nil && webErr != nil) {
		c.fail(at+"/did", "must be a did:web or did:key")
	}
	if is.Name == "" || len(is.Name) > maxText {
		c.fail(at+"/name", "must be present and at most 256 bytes")
	}
	if is.Country != "" && !alpha3(is.Country) {
		c.fail(at+"/country", "must be an ISO 3166-1 alpha-3 code")
	}
	if !shelfAddress(is.Shelf) {
		c.fail(at+"/shelf", "must be an https address (http on loopback) without query, fragment or final slash")
	}
	if len(is.Keys) == 0 || len(is.Keys) > maxKeys {
		c.fail(at+"/keys", "must hold 1 to 1024 keys")
		return
	}
	c.mayRevoke(at, is)
	c.ledger(at+"/ledger", is.Ledger)
	c.accreditation(at+"/accreditation", is.Accreditation)
	for j := range is.Keys {
		k := &is.Keys[j]
		at := pointer(at+"/keys", j)
		frag, ok := strings.CutPrefix(k.ID, is.DID+"#")
		if !ok || frag == "" || strings.ContainsAny(frag, "#/? ") {
			c.fail(at+"/id", "must be the issuer's DID, # and a name")
		}
		if !slices.Contains(issuerRoles, k.Role) {
			c.fail(at+"/role", "must be one of "+strings.Join(issuerRoles, ", "))
		}
		c.bases(at, k.Bases)
		if len(k.Bases) > 0 && !k.May(vc.TypeGuardianship) {
			c.fail(at+"/bases", "are for keys that sign guardianships")
		}
		if len(k.Types) == 0 {
			c.fail(at+"/types", "must name what the key may sign")
		}
		c.types(at, k.Types, issuerTypes)
		if k.CutOffSize != 0 && (k.CutOffSize < 0 || k.CutOff.IsZero() || is.Ledger == nil) {
			c.fail(at+"/cutOffSize", "needs a cut-off and a ledger, and is not negative")
		}
		pub := c.key(at, k)
		if e, ok := own.(interface{ Equal(crypto.PublicKey) bool }); ok && keyErr == nil && pub != nil && !e.Equal(pub) {
			c.fail(at+"/publicKeyJwk", "is not the key that the did:key names")
		}
	}
}

// maxOverridden bounds the issuers that one authority may override.
const maxOverridden = 256

// mayRevoke checks whose lists an authority may override: others' alone, and
// only for one that has a key of a role entitled to.
func (c *checker) mayRevoke(at string, is *vc.TrustIssuer) {
	if len(is.MayRevoke) == 0 {
		return
	}
	if !slices.ContainsFunc(is.Keys, func(k vc.TrustKey) bool {
		return slices.Contains(overriders, k.Role) && k.May(vc.TypeStatusList)
	}) {
		c.fail(at+"/mayRevoke", "needs a key of a court or protectionAuthority that signs status lists")
	}
	if len(is.MayRevoke) > maxOverridden {
		c.fail(at+"/mayRevoke", "must name at most 256 issuers")
		return
	}
	for n, id := range is.MayRevoke {
		_, keyErr := did.ParseKey(id)
		_, webErr := did.WebURL(id)
		if strings.Contains(id, "#") || keyErr != nil && webErr != nil || id == is.DID || slices.Contains(is.MayRevoke[:n], id) {
			c.fail(pointer(at+"/mayRevoke", n), "must be the did:web or did:key of another issuer, once")
		}
	}
}

// key checks what all keys share: an identifier and key material used once on
// the whole list, and times in order.
func (c *checker) key(at string, k *vc.TrustKey) crypto.PublicKey {
	if k.ID == "" || len(k.ID) > 2*maxText {
		c.fail(at+"/id", "must be present")
	} else if c.ids[k.ID] {
		c.fail(at+"/id", "used twice")
	}
	c.ids[k.ID] = true
	if k.NotBefore.IsZero() {
		c.fail(at+"/notBefore", "must be present")
	}
	if !k.NotAfter.IsZero() && !k.NotAfter.After(k.NotBefore) {
		c.fail(at+"/notAfter", "must be after notBefore")
	}
	return c.material(at, k.JWK)
}

// material checks a public key that stands on the list only here.
func (c *checker) material(at string, jwk json.RawMessage) crypto.PublicKey {
	pub, err := vc.ParseJWK(jwk)
	if err != nil {
		c.fail(at+"/publicKeyJwk", "must be a public Ed25519 or P-256 key")
		return nil
	}
	name, err := did.EncodeKey(pub)
	if err != nil {
		c.fail(at+"/publicKeyJwk", "must be a public Ed25519 or P-256 key")
		return nil
	}
	if c.keys[name] {
		c.fail(at+"/publicKeyJwk", "the same key is listed twice")
	}
	c.keys[name] = true
	return pub
}

// shelfAddress accepts https anywhere, http on loopback only.
func shelfAddress(s string) bool {
	u, err := url.Parse(s)
	if err != nil || len(s) > maxText || u.Host == "" || u.User != nil || u.Opaque != "" ||
		u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.HasSuffix(s, "/") || strings.Contains(s, "#") {
		return false
	}
	switch u.Scheme {
	case "https":
		return true
	case "http":
		h := u.Hostname()
		a, err := netip.ParseAddr(h)
		return h == "localhost" || err == nil && a.IsLoopback()
	}
	return false
}

func alpha3(s string) bool {
	if len(s) != 3 {
		return false
	}
	for _, c := range []byte(s) {
		if c < 'A' || c > 'Z' {
			return false
		}
	}
	return true
}

// edit applies f to a copy and takes the copy over if the whole list is still
// good.
func edit(l *vc.TrustList, f func(*vc.TrustList) error) error {
	c := clone(l)
	if err := f(c); err != nil {
		return err
	}
	if err := keepsAll(l, c); err != nil {
		return err // before the rules: it says what to do instead
	}
	if err := Validate(c); err != nil {
		return err
	}
	if err := keepsThePast(l, c, l.IssuedAt); err != nil {
		return err
	}
	*l = *c
	return nil
}

func editKey(l *vc.TrustList, id string, f func(*vc.TrustKey) error) error {
	return edit(l, func(l *vc.TrustList) error {
		err := error(ErrNoSuchKey)
		each(l, func(k *vc.TrustKey) {
			if k.ID == id {
				err = f(k)
			}
		})
		return err
	})
}

// each visits every key, of issuers and hubs.
func each(l *vc.TrustList, f func(*vc.TrustKey)) {
	for i := range l.Issuers {
		for j := range l.Issuers[i].Keys {
			f(&l.Issuers[i].Keys[j])
		}
	}
	for i := range l.Hubs {
		f(&l.Hubs[i])
	}
}

func find(ks []vc.TrustKey, id string) *vc.TrustKey {
	for i := range ks {
		if ks[i].ID == id {
			return &ks[i]
		}
	}
	return nil
}

func clone(l *vc.TrustList) *vc.TrustList {
	c := *l
	c.Hubs = cloneKeys(l.Hubs)
	c.Witnesses = slices.Clone(l.Witnesses)
	for i := range c.Witnesses {
		c.Witnesses[i].JWK = bytes.Clone(c.Witnesses[i].JWK)
	}
	c.Issuers = make([]vc.TrustIssuer, len(l.Issuers))
	for i, is := range l.Issuers {
		is.Keys = cloneKeys(is.Keys)
		is.MayRevoke = slices.Clone(is.MayRevoke)
		is.Ledger = cloneLedger(is.Ledger)
		is.Accreditation = cloneAccreditation(is.Accreditation)
		c.Issuers[i] = is
	}
	return &c
}

func cloneKeys(ks []vc.TrustKey) []vc.TrustKey {
	out := make([]vc.TrustKey, len(ks))
	for i, k := range ks {
		k.Types = slices.Clone(k.Types)
		k.Bases = slices.Clone(k.Bases)
		k.JWK = bytes.Clone(k.JWK)
		out[i] = k
	}
	return out
}

// second drops the part of a time that a signed document does not carry.
func second(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC().Truncate(time.Second)
}

func pointer(base string, i int) string { return base + "/" + strconv.Itoa(i) }
