package wallet

import (
	"context"
	"crypto"
	"errors"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/status"
	"github.com/kinpass/kinpass/internal/vc"
)

// ErrCredentialRefused says that what the issuer sent did not pass the checks
// and that nothing was stored. Fields name the credential by its place in the
// offer and the rule.
var ErrCredentialRefused = fault.New(fault.Unprocessable, "credential-refused", "the issuer sent a credential that does not pass the checks; nothing was stored").WithHint("contact the registry office")

// skew is how far the issuer's clock may be ahead of ours.
const skew = 5 * time.Minute

// Profiles of a credential, by its schema.
const (
	profileFull   = "full"
	profileBorder = "border"
)

// schemas are those of credentials that a wallet holds: the type they belong
// to and the profile they stand for.
var schemas = map[string]struct{ kind, profile string }{
	vc.SchemaBirth:        {vc.TypeBirth, profileFull},
	vc.SchemaBirthBorder:  {vc.TypeBirth, profileBorder},
	vc.SchemaGuardianship: {vc.TypeGuardianship, profileFull},
	vc.SchemaGuardBorder:  {vc.TypeGuardianship, profileBorder},
}

// profiles of the configurations that Kinpass issuers offer. Another issuer may
// name its own as it likes: the schema says what they are.
var profiles = map[string]string{
	"BirthCredential": profileFull, "BirthCredentialBorder": profileBorder,
	"GuardianshipCredential": profileFull, "GuardianshipCredentialBorder": profileBorder,
	"BirthCredentialSdJwt": profileFull, "GuardianshipCredentialSdJwt": profileFull,
	"BirthCredentialSD": profileFull, "GuardianshipCredentialSD": profileFull,
}

// received is what an issuer sent for a grant, not believed yet.
type received struct {
	grant  *grant
	m      *metadata
	jwts   []string // credentials of any format, as Grant.Configs
	issuer *vc.TrustIssuer
	holder string // did:key of the guardian
}

func refused(path, rule string) *fault.Fault {
	return ErrCredentialRefused.WithFields(fault.Field{Path: path, Rule: rule})
}

// verify checks every credential and then all of them together. The order is
// that of trust: signature, shape, subject, dates, status. Any breach refuses
// the whole set.
func (w *Wallet) verify(ctx context.Context, r received) (accepted, error) {
	a := accepted{issuer: r.issuer.DID}
	now := w.cfg.Now()
	lists := w.lists(r.issuer)
	kinds := map[string]bool{}
	urns := map[string]bool{}
	for i, jwt := range r.jwts {
		if jwt == "" {
			if config := r.grant.Configs[i]; r.m.Configs[config].usable() {
				a.denied = append(a.denied, config)
			}
			continue
		}
		place := "/credentials/" + strconv.Itoa(i)
		h, err := w.verifyOne(ctx, r, i, lists)
		if err != nil {
			var rule refusedRule
			if errors.As(err, &rule) {
				return accepted{}, refused(place, string(rule))
			}
			return accepted{}, err
		}
		ref := h.childRef()
		switch {
		case a.childRef == "":
			a.childRef = ref
		case ref != a.childRef:
			return accepted{}, refused(place, "is about another child than the first")
		}
		if urns[h.vc.ID] {
			return accepted{}, refused(place, "was sent twice")
		}
		urns[h.vc.ID] = true
		kinds[h.kind()] = true
		a.keep = append(a.keep, keptCredential{urn: h.vc.ID, kept: kept{
			Config: r.grant.Configs[i], IssuerName: r.issuer.Name, JWT: jwt, Checked: now.UTC(),
		}})
	}
	// A birth nobody may act on, or a guardian of nobody, is of no use and
	// could later be joined with what it was not given with.
	if !kinds[vc.TypeBirth] || !kinds[vc.TypeGuardianship] {
		return accepted{}, refused("/credentials", "must hold a birth and a guardianship")
	}
	return a, nil
}

// refusedRule is a rule that a credential broke.
type refusedRule string

func (r refusedRule) Error() string { return string(r) }

// verifyOne checks the i-th credential by itself.
func (w *Wallet) verifyOne(ctx context.Context, r received, i int, lists *statusLists) (*held, error) {
	now := w.cfg.Now()
	config := r.grant.Configs[i]
	o, err := open(r.jwts[i], r, now)
	if err != nil {
		return nil, err
	}
	h, c := &o.held, o.vc
	h.JWT = r.jwts[i]
	switch {
	case c.Issuer != r.issuer.DID:
		return nil, refusedRule("names another issuer")
	case c.ID == "" || len(c.ID) > 256:
		return nil, refusedRule("has no identifier")
	case len(c.Type) != 2 || c.Type[0] != vc.TypeCredential || !r.m.Configs[config].offers(c.Type[1]):
		return nil, refusedRule("is of another type than was offered")
	case o.document != nil && (c.Schema == nil || schemas[c.Schema.ID].kind != c.Type[1]):
		return nil, refusedRule("has another schema than its type")
	case !o.key.May(c.Type[1]) || !o.key.ValidAt(c.ValidFrom):
		return nil, refusedRule("is signed by a key that may not sign this type at that time")
	case h.format() == formatLDP && h.profile() != profileFull:
		return nil, refusedRule("is of a profile that is not shown in parts")
	}
	if want := profiles[config]; want != "" && want != h.profile() {
		return nil, refusedRule("is of another profile than was offered")
	}
	if o.document != nil {
		if err := vc.ValidateSchema(c.Schema.ID, o.document); err != nil {
			var f *fault.Fault
			if !errors.As(err, &f) {
				return nil, err
			}
			return nil, refusedRule("does not follow its schema")
		}
	}
	if h.birth, h.guardianship, err = subjectOf(c); err != nil {
		return nil, refusedRule("does not follow its schema")
	}
	switch {
	case h.birth != nil && h.birth.ID != "":
		return nil, refusedRule("names a subject that a birth does not have")
	// An SD-JWT VC names its holder in cnf, which was looked at.
	case h.guardianship != nil && h.token == nil && h.guardianship.ID != r.holder:
		return nil, refusedRule("is for another holder")
	case h.childRef() == "":
		return nil, refusedRule("names no child")
	case c.ValidFrom.After(now.Add(skew)):
		return nil, refusedRule("is not valid yet")
	case c.ValidTo.IsZero() || !now.Before(c.ValidTo):
		return nil, refusedRule("is expired")
	}
	state, err := lists.state(ctx, h)
	if err != nil {
		return nil, err
	}
	if state != stateGood {
		// The same words for both: why is not the wallet's to tell.
		return nil, refusedRule("is not usable")
	}
	return h, nil
}

// verifySigned checks the signature of a vc+jwt by a key of the issuer that the
// trust list has, and gives the payload and that key.
func verifySigned(jwt string, issuer *vc.TrustIssuer, now time.Time) ([]byte, *vc.TrustKey, error) {
	if strings.ContainsAny(jwt, "\r\n") {
		return nil, nil, refusedRule("is not a signed credential")
	}
	s, err := vc.SplitJWS(jwt)
	if err != nil || s.Header.Typ != vc.TypCredential {
		return nil, nil, refusedRule("is not a signed credential")
	}
	k := keyOf(issuer, s.Header.Kid)
	pub, err := usableKey(k, now)
	if err != nil {
		return nil, nil, err
	}
	payload, err := s.Verify(pub)
	if err != nil {
		return nil, nil, refusedRule("has a signature that does not hold")
	}
	return payload, k, nil
}

// usableKey gives the public key of a key of the trust list that is believed
// now. Nil is a key that is not on it.
func usableKey(k *vc.TrustKey, now time.Time) (crypto.PublicKey, error) {
	if k == nil {
		return nil, refusedRule("is signed by a key that is not on the trust list")
	}
	if !k.CutOff.IsZero() && !now.Before(k.CutOff) {
		return nil, refusedRule("is signed by a key that is not believed any more")
	}
	pub, err := vc.ParseJWK(k.JWK)
	if err != nil {
		return nil, refusedRule("is signed by a key that is not on the trust list")
	}
	return pub, nil
}

// keyOf finds the issuer's key with this id. A key id of another DID is not
// one, whatever the list says.
func keyOf(issuer *vc.TrustIssuer, kid string) *vc.TrustKey {
	if did.Base(kid) != issuer.DID {
		return nil
	}
	for i := range issuer.Keys {
		if issuer.Keys[i].ID == kid {
			return &issuer.Keys[i]
		}
	}
	return nil
}

// statusLists reads the lists of one issuer, each once. A wallet asks for
// whole lists from the issuer that it speaks with anyway.
type statusLists struct {
	net    *network
	issuer *vc.TrustIssuer
	now    time.Time
	read   map[string]readList // by purpose, or "token", and address
}

// readList is what came of reading a list: also a failure is not repeated, so
// that one issuer that does not answer holds up nobody for long.
type readList struct {
	bits   *status.List
	tokens *vc.StatusList // of a Token Status List
	err    error
}

func (w *Wallet) lists(issuer *vc.TrustIssuer) *statusLists {
	return &statusLists{net: w.net, issuer: issuer, now: w.cfg.Now(), read: map[string]readList{}}
}

// state says what the status list of a credential says, or its two.
func (l *statusLists) state(ctx context.Context, h *held) (string, error) {
	if h.token != nil {
		return l.tokenState(ctx, *h.token)
	}
	return l.bitState(ctx, h.vc)
}

// bitState says what both bitstring lists of a credential say. Both purposes
// must be there: a credential that cannot be suspended would outlive an order.
func (l *statusLists) bitState(ctx context.Context, c *vc.Credential) (string, error) {
	set := map[string]bool{}
	for _, e := range c.Status {
		if _, twice := set[e.Purpose]; twice || (e.Purpose != vc.PurposeRevocation && e.Purpose != vc.PurposeSuspension) {
			return "", refusedRule("has a status that cannot be checked")
		}
		index, err := status.ParseIndex(e.Index)
		if err != nil {
			return "", refusedRule("has a status that cannot be checked")
		}
		list, err := l.list(ctx, e.List, e.Purpose)
		if err != nil {
			return "", err
		}
		if set[e.Purpose], err = list.Get(index); err != nil {
			return "", refusedRule("has a status that cannot be checked")
		}
	}
	switch {
	case len(set) != 2:
		return "", refusedRule("has a status that cannot be checked")
	case set[vc.PurposeRevocation]:
		return stateRevoked, nil
	case set[vc.PurposeSuspension]:
		return stateSuspended, nil
	}
	return stateGood, nil
}

func (l *statusLists) list(ctx context.Context, address, purpose string) (*status.List, error) {
	r, ok := l.read[purpose+" "+address]
	if !ok {
		r.bits, r.err = l.fetch(ctx, address, purpose)
		l.read[purpose+" "+address] = r
	}
	return r.bits, r.err
}

// fetch reads a status list from the issuer's shelf and checks it: signed by
// the issuer, about this address and purpose, valid now.
func (l *statusLists) fetch(ctx context.Context, address, purpose string) (*status.List, error) {
	if !l.onShelf(address) {
		return nil, errStatusPlace
	}
	body, err := l.net.get(ctx, address, maxList, "application/vc+jwt", "application/jwt")
	if err != nil {
		return nil, err
	}
	return openStatusList(string(body), address, purpose, l.issuer, l.now)
}

// onShelf reports whether an address is that of a status list on the issuer's
// shelf.
func (l *statusLists) onShelf(address string) bool {
	rest, ok := strings.CutPrefix(address, l.issuer.Shelf+"/status/")
	return ok && rest != "" && path.Clean("/"+rest) == "/"+rest && !strings.ContainsAny(rest, "?#%\\")
}

const (
	errStatusList  = refusedRule("has a status list that does not hold")
	errStatusPlace = refusedRule("has its status list somewhere else than on the issuer's shelf")
)

func openStatusList(jwt, address, purpose string, issuer *vc.TrustIssuer, now time.Time) (*status.List, error) {
	s, err := vc.SplitLargeJWS(jwt, maxList)
	if err != nil || s.Header.Typ != vc.TypCredential {
		return nil, errStatusList
	}
	k := keyOf(issuer, s.Header.Kid)
	if k == nil || (!k.CutOff.IsZero() && !now.Before(k.CutOff)) {
		return nil, errStatusList
	}
	pub, err := vc.ParseJWK(k.JWK)
	if err != nil {
		return nil, errStatusList
	}
	payload, err := s.Verify(pub)
	if err != nil {
		return nil, errStatusList
	}
	c, err := vc.ParseCredential(payload)
	if err != nil || !c.Is(vc.TypeStatusList) || c.Issuer != issuer.DID || !k.ValidAt(c.ValidFrom) ||
		c.ValidFrom.After(now.Add(skew)) || c.ValidTo.IsZero() || !now.Before(c.ValidTo) {
		return nil, errStatusList
	}
	var subject struct {
		ID      string `json:"id"`
		Type    string `json:"type"`
		Purpose string `json:"statusPurpose"`
		List    string `json:"encodedList"`
	}
	if err := vc.StrictJSON(c.Subject, &subject, 4); err != nil {
		return nil, errStatusList
	}
	// The subject of a list is the list: its address, with or without a name
	// inside it (Bitstring Status List 1.0, section 2.2).
	at, _, _ := strings.Cut(subject.ID, "#")
	if at != address || subject.Type != "BitstringStatusList" || subject.Purpose != purpose {
		return nil, errStatusList
	}
	bits, err := status.Decode(subject.List, maxListBits)
	if err != nil {
		return nil, errStatusList
	}
	return bits, nil
}

// subjectOf reads the subject of a birth or a guardianship.
func subjectOf(c *vc.Credential) (*vc.Birth, *vc.Guardianship, error) {
	switch {
	case c.Is(vc.TypeBirth):
		var b vc.Birth
		return &b, nil, vc.StrictJSON(c.Subject, &b, vc.MaxDepth)
	case c.Is(vc.TypeGuardianship):
		var g vc.Guardianship
		return nil, &g, vc.StrictJSON(c.Subject, &g, vc.MaxDepth)
	}
	return nil, nil, vc.ErrCredential
}
