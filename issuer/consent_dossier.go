package issuer

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/vc"
)

// Faults of examining what guardians bring to have their consent witnessed.
var (
	// ErrDossier names in Fields the paper and the rule that it breaks. What is
	// revoked and what is suspended are told in the same words.
	ErrDossier = fault.New(fault.Unprocessable, "consent-dossier", "the papers do not bear the consent")
	// ErrDossierStatus: a status that is not known is never taken for good.
	ErrDossierStatus = fault.New(fault.Unavailable, "consent-dossier-status", "it cannot be found out now whether the papers were withdrawn").
				WithHint("try again; if it stays so, the office that issued the papers does not answer")
	ErrTrustStale = fault.New(fault.Unavailable, "trust-list-stale", "the trust list of this office has run out").
			WithHint("fetch the newest trust list")
)

const (
	maxGrantors   = 10
	maxListBytes  = 4 << 20          // of a signed status list
	maxListAge    = 24 * time.Hour   // domain 3.4, row 10: older ones are no proof that a paper is good
	maxLists      = 40               // that one dossier may name
	dossierSkew   = 5 * time.Minute  // how far a clock may be ahead of ours
	dossierTime   = 40 * time.Second // for all lists together
	maxReference  = 200
	basisMandate  = "humanitarianMandate"
	basisPublic   = "publicAuthority"
	capacityState = "stateGuardian"
)

// Dossier is what guardians bring to a witness: the child's birth, the
// guardianships by which they agree and the consents that they signed, all as
// compact vc+jwt. Reference is the witness's own for the deed.
type Dossier struct {
	Birth         string   `json:"birth"`
	Guardianships []string `json:"guardianships"`
	Consents      []string `json:"consents"`
	Reference     string   `json:"reference"`
}

// examined is what a dossier bears.
type examined struct {
	subject json.RawMessage // the consent as its grantors signed it
	digest  string          // trip digest
	// Of the grantors who signed, in the order of the consent's grantors.
	grantors []json.RawMessage
	status   []vc.StatusEntry
	quorum   int // how many guardians must agree, by their mandates
	until    time.Time
}

// breach is a rule that a paper breaks. It never holds anything of the paper.
type breach string

func (b breach) Error() string { return string(b) }

// placed turns a breach into a fault about one paper; another error stays.
func placed(place string, err error) error {
	var b breach
	if errors.As(err, &b) {
		return ErrDossier.WithFields(fault.Field{Path: place, Rule: string(b)})
	}
	return err
}

// examiner judges one dossier by the trust list and by status lists, each read
// once.
type examiner struct {
	i     *Issuer
	trust *vc.TrustList
	now   time.Time
	read  map[string]fetched // by address

	over map[string]overruling // by the DID of the authority
}

type fetched struct {
	list *vc.StatusList
	err  error
}

// vouched is a credential whose signature held and that a key of the trust list
// may have signed.
type vouched struct {
	*vc.Credential
	issuer *vc.TrustIssuer
	key    *vc.TrustKey
}

// mandate is a guardianship that a consent cites.
type mandate struct {
	*vc.Guardianship
	id string
}

// examine checks a dossier. The order is that of trust: the birth, then for each
// consent the mandate that bears it, then all consents together.
func (x *examiner) examine(ctx context.Context, d Dossier) (examined, error) {
	ctx, cancel := context.WithTimeout(ctx, dossierTime)
	defer cancel()
	if len(d.Consents) == 0 || len(d.Consents) > maxGrantors || len(d.Guardianships) == 0 || len(d.Guardianships) > maxGrantors {
		return examined{}, ErrDossier.WithFields(fault.Field{Path: "/consents", Rule: "must be 1 to 10, with 1 to 10 guardianships"})
	}
	host, birth, err := x.birth(ctx, d.Birth)
	if err != nil {
		return examined{}, placed("/birth", err)
	}
	first, err := readConsent(d.Consents[0])
	if err != nil {
		return examined{}, placed("/consents/0", err)
	}
	if first.subject.ChildRef != birth.ChildRef {
		return examined{}, placed("/consents/0", breach("is about another child than the birth"))
	}
	if err := x.dates(first.subject); err != nil {
		return examined{}, placed("/consents/0", err)
	}
	out := examined{subject: first.raw, digest: first.digest}
	if out.until, _ = vc.ConsentEnd(first.subject); !x.now.Before(out.until) {
		return examined{}, placed("/consents/0", breach("is over"))
	}
	signed := map[string]consent{} // by the grantor's key
	places := map[string]bool{}
	var mandates []mandate
	for n, jwt := range d.Consents {
		place := "/consents/" + strconv.Itoa(n)
		c, err := readConsent(jwt)
		if err != nil {
			return examined{}, placed(place, err)
		}
		if c.digest != out.digest {
			return examined{}, placed(place, breach("is to another journey than the first"))
		}
		m, err := x.grants(ctx, c, d.Guardianships, birth)
		if err != nil {
			return examined{}, placed(place, err)
		}
		for _, o := range mandates {
			// Two keys of one guardian are one guardian.
			if sameGuardian(m.Guardianship, o.Guardianship, birth) {
				return examined{}, placed(place, breach("is by the same guardian as another"))
			}
		}
		if consentsToOneself(m, &first.subject, birth) {
			return examined{}, placed(place, breach("names the guardian who agrees as the one who travels"))
		}
		published, err := x.hosted(ctx, c, host)
		if err != nil {
			return examined{}, placed(place, err)
		}
		if p := c.Status[0].List + "#" + c.Status[0].Index; places[p] {
			return examined{}, placed(place, breach("has the status of another"))
		} else {
			places[p] = true
		}
		mandates, signed[c.Issuer] = append(mandates, m), c
		out.quorum = max(out.quorum, needed(m.Exercise))
		out.end(c.ValidTo)
		out.end(m.ends(birth))
		out.end(published)
		if begin, err := vc.ParseDate(first.subject.Trip.NotBefore); err != nil || !begin.Time().Before(out.until) {
			return examined{}, placed(place, breach("ends before the journey begins"))
		}
	}
	return out, out.collect(first, signed)
}

// consentsToOneself: the guardian who travels by a consent is the one who gave
// it, under another key perhaps. A border believes the witness that they are two.
func consentsToOneself(m mandate, t *vc.TravelConsent, birth *vc.Birth) bool {
	if t.Mode != vc.ModeOneGuardian {
		return false
	}
	for i := range t.Accompanying {
		a := &t.Accompanying[i]
		named := &vc.Guardianship{Guardian: vc.Guardian{Kind: "naturalPerson", Names: a.Names, BirthDate: a.BirthDate}}
		if a.Document != nil {
			// A border compares the number alone.
			d := *a.Document
			for _, own := range m.Guardian.Documents {
				if sameNumber(own.Value, d.Value) {
					d = own
				}
			}
			named.Guardian.Documents = []vc.Identifier{d}
		}
		if a.Key == m.ID || sameGuardian(m.Guardianship, named, birth) {
			return true
		}
	}
	return false
}

// sameNumber compares the numbers of two documents by their letters and digits.
func sameNumber(a, b string) bool {
	plain := func(s string) string {
		return strings.Map(func(r rune) rune {
			if r >= 'a' && r <= 'z' {
				return r - 32
			}
			if r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
				return r
			}
			return -1
		}, s)
	}
	return plain(a) == plain(b)
}

// end brings the end of what is witnessed forward to a time that is not zero.
func (e *examined) end(t time.Time) {
	if !t.IsZero() && t.Before(e.until) {
		e.until = t
	}
}

// ends gives the time at which the law ends a mandate, zero if it says none: a
// witnessed consent is shown without the guardianship, so that it must not
// outlive the power by which it was given.
func (m mandate) ends(birth *vc.Birth) (end time.Time) {
	if last, err := vc.ParseDate(m.Effective.Until); err == nil {
		end = last.AddDays(1).Time().Add(12 * time.Hour) // the day's end in the westernmost zone
	}
	if of, ok := majority(m.Guardianship, birth); ok && (end.IsZero() || of.Time().Before(end)) {
		end = of.Time()
	}
	return end
}

// collect keeps of the grantors those who signed: a witness does not say that
// the others agreed.
func (e *examined) collect(first consent, signed map[string]consent) error {
	var s struct {
		Grantors []json.RawMessage `json:"grantors"`
	}
	if err := json.Unmarshal(first.raw, &s); err != nil {
		return err
	}
	for n, g := range first.subject.Grantors {
		if c, ok := signed[g.Key]; ok {
			e.grantors = append(e.grantors, s.Grantors[n])
			e.status = append(e.status, c.Status...)
		}
	}
	return nil
}

// needed is how many guardians must agree to a journey by a mandate (settled: one
// who may act alone, unless it is joint for travel; an absent quorum is the
// number of co-guardians, an absent number two).
func needed(e vc.Exercise) int {
	if e.Mode != "joint" || len(e.JointFor) > 0 && !slices.Contains(e.JointFor, powerConsent) && !slices.Contains(e.JointFor, "travelAccompany") {
		return 1
	}
	switch {
	case e.Quorum > 0:
		return e.Quorum
	case e.CoGuardianCount > 0:
		return e.CoGuardianCount
	}
	return 2
}

// dates refuses a journey whose dates contradict each other, or that was agreed
// to in days to come.
func (x *examiner) dates(c vc.TravelConsent) error {
	day := func(s string) (vc.Date, bool) {
		d, err := vc.ParseDate(s)
		return d, err == nil
	}
	granted, ok := day(c.GrantedOn)
	// East of us it may be tomorrow.
	if !ok || granted.After(vc.DateOf(x.now.Add(14*time.Hour))) {
		return breach("was not given yet")
	}
	begin, ok := day(c.Trip.NotBefore)
	if !ok {
		return breach("has no day from which the child may travel")
	}
	for _, s := range []string{c.Trip.NotAfter, c.Trip.ReturnBy} {
		if s == "" {
			continue
		}
		if d, ok := day(s); !ok || d.Before(begin) {
			return breach("has days that are not in order")
		}
	}
	return nil
}

// consent is one grantor's consent, signed by the key that is its issuer.
type consent struct {
	*vc.Credential
	raw     json.RawMessage
	subject vc.TravelConsent
	digest  string
	grantor vc.Grantor // the entry of the one who signed
}

// readConsent verifies a consent that a grantor signed for themselves. Whether
// the key is a guardian's is judged later (grants).
func readConsent(jwt string) (consent, error) {
	payload, holder, err := signedByHolder(jwt, vc.TypCredential)
	if err != nil {
		return consent{}, breach("is not signed by the key that it names")
	}
	cred, err := vc.ParseCredential(payload)
	if err != nil || len(cred.Type) != 2 || !cred.Is(vc.TypeConsent) || cred.Schema == nil || cred.Schema.ID != vc.SchemaConsent ||
		cred.Schema.Type != "JsonSchema" || vc.ValidateSchema(vc.SchemaConsent, payload) != nil {
		return consent{}, breach("is not a travel consent")
	}
	c := consent{Credential: cred, raw: cred.Subject}
	if err := vc.DecodeChecked(c.raw, &c.subject); err != nil {
		return consent{}, breach("is not a travel consent")
	}
	if c.Issuer != holder {
		return consent{}, breach("is not signed by who issued it")
	}
	// A level is derived from who signs and never claimed.
	if a := c.subject.Assurance; a.Level != vc.LevelSelfSigned || a.Witness != "" {
		return consent{}, breach("claims to be witnessed")
	}
	if c.digest, err = vc.ConsentDigest(c.raw); err != nil {
		return consent{}, breach("is not a travel consent")
	}
	keys, cited := map[string]bool{}, map[string]bool{}
	for _, g := range c.subject.Grantors {
		if keys[g.Key] || cited[g.Guardianship] {
			return consent{}, breach("names a grantor twice")
		}
		keys[g.Key], cited[g.Guardianship] = true, true
		if g.Key == holder {
			c.grantor = g
		}
	}
	if c.grantor.Key == "" {
		return consent{}, breach("is signed by somebody who is not a grantor of it")
	}
	return c, nil
}

// grants finds the mandate by which the signer of a consent agrees, and checks
// that it bears it.
func (x *examiner) grants(ctx context.Context, c consent, papers []string, birth *vc.Birth) (mandate, error) {
	if c.ValidFrom.After(x.now.Add(dossierSkew)) || c.ValidTo.IsZero() || !x.now.Before(c.ValidTo) {
		return mandate{}, breach("is not valid now")
	}
	for n, jwt := range papers {
		// Only what a consent cites is looked at.
		s, err := vc.SplitJWS(jwt)
		var id struct {
			ID string `json:"id"`
		}
		if err != nil || json.Unmarshal(s.PayloadUnverified(), &id) != nil || id.ID != c.grantor.Guardianship {
			continue
		}
		m, err := x.mandate(ctx, jwt, birth)
		if err != nil {
			return mandate{}, placed("/guardianships/"+strconv.Itoa(n), err)
		}
		if m.id != c.grantor.Guardianship || m.ID != c.grantor.Key {
			return mandate{}, breach("cites a guardianship that is not the grantor's")
		}
		// A court agrees in its own name, not by a holder's key.
		switch c.grantor.Capacity {
		case "", "guardian":
		case capacityState:
			if m.LegalBasis.Type != basisPublic {
				return mandate{}, breach("claims a capacity that the guardianship does not give")
			}
		default:
			return mandate{}, breach("claims a capacity that the guardianship does not give")
		}
		return m, nil
	}
	return mandate{}, breach("cites a guardianship that is not among the papers")
}

// birth checks the child's birth credential and that its issuer hosts the status
// of consents.
func (x *examiner) birth(ctx context.Context, jwt string) (*vc.TrustIssuer, *vc.Birth, error) {
	p, err := x.vouched(jwt, vc.TypeBirth)
	if err != nil {
		return nil, nil, err
	}
	b := new(vc.Birth)
	if err := vc.DecodeChecked(p.Subject, b); err != nil {
		return nil, nil, breach("does not follow its schema")
	}
	if p.key.Role != vc.RoleRegistrar {
		return nil, nil, breach("is signed by a key that may not sign it")
	}
	if !p.issuer.ConsentStatus {
		return nil, nil, breach("is of an issuer that does not host the status of consents")
	}
	return p.issuer, b, x.good(ctx, p.Credential, p.issuer)
}

// mandate checks a guardianship: by whom it may be, for whom, in force and with
// the power to consent.
func (x *examiner) mandate(ctx context.Context, jwt string, birth *vc.Birth) (mandate, error) {
	p, err := x.vouched(jwt, vc.TypeGuardianship)
	if err != nil {
		return mandate{}, err
	}
	g := new(vc.Guardianship)
	if err := vc.DecodeChecked(p.Subject, g); err != nil {
		return mandate{}, breach("does not follow its schema")
	}
	today := vc.DateOf(x.now)
	from, err := vc.ParseDate(g.Effective.From)
	switch {
	case !p.key.MayBase(g.LegalBasis.Type):
		return mandate{}, breach("has a legal basis on which its issuer gives no mandate")
	case g.LegalBasis.Type == basisMandate && !x.state(g.LegalBasis.CountersignedBy):
		return mandate{}, breach("is a humanitarian mandate that no State countersigned")
	case g.Ward.ChildRef != birth.ChildRef:
		return mandate{}, breach("is about another child than the birth")
	case err != nil || today.Before(from) || NotIssuable(g, birth, x.now) != "":
		return mandate{}, breach("is not in force")
	case !slices.Contains(g.Powers, powerConsent):
		return mandate{}, breach("does not give the power to consent to travel")
	}
	return mandate{g, p.ID}, x.good(ctx, p.Credential, p.issuer)
}

// state reports whether an office of a State is on the trust list.
func (x *examiner) state(id string) bool {
	is := x.issuer(id)
	return is != nil && slices.ContainsFunc(is.Keys, func(k vc.TrustKey) bool {
		return slices.Contains([]string{vc.RoleRegistrar, vc.RoleCourt, vc.RoleProtection}, k.Role)
	})
}

func (x *examiner) issuer(id string) *vc.TrustIssuer {
	n := slices.IndexFunc(x.trust.Issuers, func(t vc.TrustIssuer) bool { return t.DID == id })
	if n < 0 {
		return nil
	}
	return &x.trust.Issuers[n]
}

// keyOf finds a key of the trust list that is believed now, with its issuer. A
// key id of another DID is not one, whatever the list says.
func (x *examiner) keyOf(kid string) (*vc.TrustIssuer, *vc.TrustKey, crypto.PublicKey) {
	is := x.issuer(did.Base(kid))
	if is == nil {
		return nil, nil, nil
	}
	for n := range is.Keys {
		k := &is.Keys[n]
		if k.ID != kid || !k.CutOff.IsZero() {
			continue // online, what a withdrawn key signed is never good (settled)
		}
		pub, err := vc.ParseJWK(k.JWK)
		if err != nil {
			return nil, nil, nil
		}
		return is, k, pub
	}
	return nil, nil, nil
}

// vouched verifies a credential of a type with a key of the trust list.
func (x *examiner) vouched(jwt, kind string) (vouched, error) {
	s, err := vc.SplitJWS(jwt)
	if err != nil || s.Header.Typ != vc.TypCredential {
		return vouched{}, breach("is not a signed credential")
	}
	is, key, pub := x.keyOf(s.Header.Kid)
	if key == nil {
		return vouched{}, breach("is signed by a key that is not on the trust list")
	}
	payload, err := s.Verify(pub)
	if err != nil {
		return vouched{}, breach("has a signature that does not hold")
	}
	c, err := vc.ParseCredential(payload)
	switch {
	case err != nil || len(c.Type) != 2 || !c.Is(kind):
		return vouched{}, breach("is of another type")
	case c.Issuer != is.DID:
		return vouched{}, breach("names another issuer")
	case !key.May(kind) || !key.ValidAt(c.ValidFrom):
		return vouched{}, breach("is signed by a key that may not sign it")
	case c.Schema == nil || c.Schema.Type != "JsonSchema" || !slices.Contains(paperSchemas[kind], c.Schema.ID) || vc.ValidateSchema(c.Schema.ID, payload) != nil:
		return vouched{}, breach("does not follow its schema")
	case c.ValidFrom.After(x.now.Add(dossierSkew)) || c.ValidTo.IsZero() || !x.now.Before(c.ValidTo):
		return vouched{}, breach("is not valid now")
	}
	return vouched{c, is, key}, nil
}

// paperSchemas are the schemas of what is taken, by type.
var paperSchemas = map[string][]string{
	vc.TypeBirth:        {vc.SchemaBirth, vc.SchemaBirthBorder},
	vc.TypeGuardianship: {vc.SchemaGuardianship, vc.SchemaGuardBorder},
}

// hosted checks that the status of a consent is where the issuer of the birth
// hosts it, and good. Where that is this office, the grantor must have reserved
// the place: at any other nobody could withdraw the consent, and somebody else's
// revocation would. It gives the time until which the status is published, zero
// if that is not known here.
func (x *examiner) hosted(ctx context.Context, c consent, host *vc.TrustIssuer) (until time.Time, err error) {
	if err := x.good(ctx, c.Credential, host); err != nil || host.DID != x.i.did {
		return time.Time{}, err
	}
	p, ok := x.i.placeAt(c.Status[0].List, c.Status[0].Index)
	if !ok || x.i.listURL(vc.PurposeSuspension, p.list) != c.Status[1].List {
		return time.Time{}, breach("has a status that was not reserved for it")
	}
	reserved, err := x.i.store.placesOf(ctx, p, c.Issuer)
	if err == nil && len(reserved) != 1 {
		err = breach("has a status that was not reserved for it")
	}
	if err != nil {
		return time.Time{}, err
	}
	return reserved[0].until, nil
}

// good checks what the status lists of an issuer say of a credential. Both
// purposes must be there, at one index: what could not be suspended would
// outlive an order.
func (x *examiner) good(ctx context.Context, c *vc.Credential, issuer *vc.TrustIssuer) error {
	if len(c.Status) != 2 || c.Status[0].Purpose != vc.PurposeRevocation || c.Status[1].Purpose != vc.PurposeSuspension || c.Status[0].Index != c.Status[1].Index {
		return breach("has a status that cannot be checked")
	}
	for _, e := range c.Status {
		if !onShelf(issuer, e.List) {
			return breach("has its status somewhere else than on the issuer's shelf")
		}
		l, err := x.list(ctx, e.List)
		if err != nil {
			return err
		}
		a, err := l.Of(vc.BitstringEntry{StatusEntry: e}, issuer.DID, x.now)
		switch {
		case err != nil:
			return breach("has a status that cannot be checked")
		case a.State != vc.StateGood:
			return breach("cannot be used") // revoked or suspended: which is not told
		}
		if err := x.overridden(ctx, e, issuer); err != nil {
			return err
		}
	}
	return nil
}

// onShelf reports whether an address is that of a status list on the issuer's
// shelf. Nothing else is ever called.
func onShelf(issuer *vc.TrustIssuer, address string) bool {
	rest, ok := strings.CutPrefix(address, issuer.Shelf+"/status/")
	return ok && rest != "" && path.Clean("/"+rest) == "/"+rest && !strings.ContainsAny(rest, "?#%\\")
}

// list reads a status list: our own from the register, another's over the
// network. One that cannot be had, does not hold or is old is ErrDossierStatus.
func (x *examiner) list(ctx context.Context, address string) (*vc.StatusList, error) {
	r, ok := x.read[address]
	if !ok {
		if len(x.read) >= maxLists {
			return nil, breach("has a status that cannot be checked")
		}
		r.list, r.err = x.fetch(ctx, address)
		x.read[address] = r
	}
	return r.list, r.err
}

func (x *examiner) fetch(ctx context.Context, address string) (*vc.StatusList, error) {
	body, err := x.body(ctx, address)
	if errors.Is(err, ErrNoSuchStatusList) {
		return nil, breach("has a status that cannot be checked")
	}
	if err != nil {
		return nil, ErrDossierStatus.With(err)
	}
	var key *vc.TrustKey
	l, err := vc.OpenStatusList(body, vc.ListPolicy{Now: x.now, Keys: func(kid string) (crypto.PublicKey, string, error) {
		is, k, pub := x.keyOf(kid)
		if k == nil || !k.May(vc.TypeStatusList) {
			return nil, "", vc.ErrStatusIssuer
		}
		key = k
		return pub, is.DID, nil
	}})
	if err != nil {
		return nil, ErrDossierStatus.With(err)
	}
	if key == nil || !key.ValidAt(l.From) || x.now.Sub(l.From) > maxListAge {
		return nil, ErrDossierStatus.With(vc.ErrStatusStale)
	}
	return l, nil
}

func (x *examiner) body(ctx context.Context, address string) ([]byte, error) {
	own, ok := strings.CutPrefix(address, x.i.cfg.Base+"/status/")
	if !ok {
		return x.i.fetcher.Get(ctx, address, maxListBytes)
	}
	purpose, n, _ := strings.Cut(own, "/")
	number, err := strconv.ParseInt(n, 10, 64)
	if err != nil || x.i.listURL(purpose, number) != address {
		return nil, ErrNoSuchStatusList
	}
	p, err := x.i.StatusList(ctx, purpose, number)
	return p.Body, err
}
