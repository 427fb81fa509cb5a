package check

import (
	"crypto/sha256"
	"errors"
	"strings"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/policy"
	"github.com/kinpass/kinpass/internal/qr"
	"github.com/kinpass/kinpass/internal/vc"
)

// Limits and times of presentations (settled question 17).
const (
	maxText        = 64 << 10         // bytes of a presentation that is not a KP1 code
	maxCredentials = 8                // in one presentation
	maxFresh       = 300              // seconds from iat to exp
	slack          = 30               // seconds that the two clocks may differ
	minNonce       = 16               // characters; 128 bits are 22 in base64url
	maxNonce       = 128              //
	maxRemembered  = 25 * time.Hour   // how far ahead a nonce is remembered
	startSlack     = 30 * time.Second // a credential may be this much younger than the device's clock
)

// exam is one check while it is going on: what was read, and what follows from
// it. The rules only look at it.
type exam struct {
	bundle  *Bundle
	facts   Facts
	history History // of this post, before this check
	now     time.Time
	day     vc.Date // of travel

	// What reading found.
	unreadable bool // a text that is not ours, or was not scanned whole
	forged     bool // ours, and damaged or tampered with
	unclear    bool // genuine, and not understood
	unbound    bool // not freshly signed by the holder it should be from
	early      bool // signed in the future of this device's clock
	repeated   bool // used in another session before
	paper      bool // at least one pass that names no holder key
	opened     int  // presentations and passes that could be taken apart
	holders    []string
	creds      []*credential
	seen       []Seen
	shown      string                     // the first presentation, as it is remembered; "" for paper
	together   map[string]map[string]bool // adults to the children whom they bring, of one group

	// What follows.
	places           []Place       // of what was shown (placesOf)
	births, mandates []*credential // with a subject that could be read
	wards            []*credential // mandates for the child of this presentation
	consents         []*credential // travel consents for this child
	born             *vc.Birth     // what the register says of the child, nil if that is not known
	persons          []*person     // adults taken to be present
	guardians        []*person     // those of them who travel as guardians
	documents        []*MRZ        // of adults
	linkBroken       bool
	ofAge            bool
	ageUncertain     bool
	majority         int  // by the law of the mandates, at least 18
	age              int  // in whole years, the youngest that the record allows
	badDocument      bool // an adult's document could not be read

	// Who decides, and what they agreed to.
	company      policy.Company
	companyKnown bool // somebody is there of whom the rules can be asked
	required     requirement
	here         int
	reliedOn     []*credential // mandates of those who travel, and of those who consent
	absent       int           // how many of them, the last, are of those who only consent
	grantors     []*credential // mandates of those who consent, as far as shown
	given        []policy.Consent
	needless     bool // whoever is here may act without the others in both countries
	unproven     bool // a consent names a grantor whom no mandate proves
	usedUp       bool // more crossings than the consent is for
	attempts     int  // uses of a consent that did not hold
	answers      [2]policyResult
	highRisk     bool
	lacking      []string // facts that nobody entered and that count
	signals      signals

	statusAge  time.Duration
	stale      bool // as in answer
	statusUsed bool
}

// credential is one credential of a presentation. At most one of birth, mandate
// and consent is set, and only after its signature held: under a key that the
// trust list entitles to sign it, or for a grantor's own consent under the key
// that it names.
type credential struct {
	*vc.Credential
	jwt     string
	onPaper bool

	forged     bool // the signature does not hold
	unknownKey bool // by a key that this device does not know
	untrusted  bool // by a key that may not sign this
	cutOff     bool // by a key that was withdrawn, at or after that time
	unproven   bool // the same, before that time
	unclear    bool // trusted, and not all of it can be read

	unaccredited    bool // issued while its issuer was not accredited
	suspendedOffice bool // before that, by an issuer that is suspended now

	birth   *vc.Birth
	mandate *vc.Guardianship
	answer  answer

	consent *vc.TravelConsent
	bySelf  bool   // signed by a key on no list: a grantor's own
	level   string // of assurance, from who signed
	basis   func(string) bool

	outside, offRoute, wrongAdult bool // not for this time, this route, these adults
}

// read takes one text apart.
func (e *exam) read(text string) {
	text = strings.TrimSpace(text)
	switch {
	case strings.HasPrefix(text, "KP1:"):
		p, err := qr.Unpack(text)
		switch {
		case errors.Is(err, qr.ErrCorrupt):
			e.forged = true
		case err != nil:
			e.unreadable = true
		case p.Presentation != "":
			e.readPresentation(p.Presentation)
		default:
			e.readPaper(p.Credentials)
		}
	case len(text) > maxText || strings.Count(text, ".") != 2:
		e.unreadable = true
	default:
		v, err := vc.SplitJWS(text)
		switch {
		case err != nil && strings.HasPrefix(text, "ey"):
			e.forged = true
		case err != nil:
			e.unreadable = true
		case v.Header.Typ == vc.TypPresentation:
			e.readPresentation(text)
		case v.Header.Typ == vc.TypCredential:
			// A credential that nobody presents: whoever copied it can show it.
			e.unbound = true
			e.opened++
			e.readCredential(text, false)
		default:
			e.unreadable = true
		}
	}
}

// readPaper reads a pass without a holder's signature.
func (e *exam) readPaper(jwts []string) {
	if len(jwts) == 0 || len(jwts) > maxCredentials {
		e.forged = true
		return
	}
	e.opened++
	e.paper = true
	if e.facts.Challenge != "" {
		e.unbound = true // paper cannot answer what was asked
	}
	for _, jwt := range jwts {
		e.readCredential(jwt, true)
	}
}

// readPresentation reads a vp+jwt. The key is the did:key in the header's kid;
// nothing of the payload is looked at before the signature held.
func (e *exam) readPresentation(compact string) {
	v, err := vc.SplitJWS(compact)
	if err != nil || v.Header.Typ != vc.TypPresentation {
		e.forged = true
		return
	}
	public, err := did.ParseKey(v.Header.Kid)
	if err != nil {
		e.unbound = true
		return
	}
	payload, err := v.Verify(public)
	if err != nil {
		// Damaged, or signed by somebody else in the holder's name: the bytes
		// do not tell which, so both are said.
		e.forged, e.unbound = true, true
		return
	}
	p, err := vc.ParsePresentation(payload)
	if err != nil || len(p.Credentials) > maxCredentials {
		e.unclear = true // signed as it should be, and not a presentation that is read here
		return
	}
	e.opened++
	holder := did.Base(v.Header.Kid)
	if !contains(e.holders, holder) {
		e.holders = append(e.holders, holder)
	}
	e.freshness(p, holder)
	for i := range p.Credentials {
		jwt, ok := p.Credentials[i].JWT()
		if !ok {
			e.forged = true
			continue
		}
		e.readCredential(jwt, false)
	}
}

// freshness judges who signed, for whom and when.
func (e *exam) freshness(p *vc.Presentation, holder string) {
	now := e.now.Unix()
	switch {
	case p.Holder != holder,
		p.Audience != vc.BorderAudience,
		len(p.Nonce) < minNonce || len(p.Nonce) > maxNonce,
		e.facts.Challenge != "" && p.Nonce != e.facts.Challenge,
		p.IssuedAt <= 0 || p.Expires <= p.IssuedAt || p.Expires-p.IssuedAt > maxFresh,
		now >= p.Expires+slack:
		e.unbound = true
		return
	}
	e.early = e.early || p.IssuedAt > now+slack
	hash := token("nonce", holder, p.Nonce)
	if e.shown == "" {
		e.shown = hash
	}
	e.repeated = e.repeated || e.history.usedElsewhere(hash, e.facts.Session, e.now)
	// Fresh only far in the future: not worth remembering, and amber anyway.
	if until := time.Unix(p.Expires+slack, 0).UTC(); until.Sub(e.now) <= maxRemembered {
		e.seen = append(e.seen, Seen{Hash: hash, Session: e.facts.Session, Until: until})
	}
}

// readCredential verifies one vc+jwt and reads it only as far as it is
// believed.
func (e *exam) readCredential(jwt string, paper bool) {
	for _, c := range e.creds {
		if c.jwt == jwt {
			c.onPaper = c.onPaper || paper
			return
		}
	}
	c := &credential{jwt: jwt, onPaper: paper}
	e.creds = append(e.creds, c)
	v, err := vc.SplitJWS(jwt)
	if err != nil || v.Header.Typ != vc.TypCredential {
		c.forged = true
		return
	}
	key := e.bundle.keys[v.Header.Kid]
	if key == nil {
		e.readGrantor(c, v)
		return
	}
	payload, err := v.Verify(key.public)
	if err != nil {
		c.forged = true
		return
	}
	parsed, err := vc.ParseCredential(payload)
	if err != nil {
		c.unclear = true
		return
	}
	if !key.entitled(parsed) {
		c.untrusted = true
		return
	}
	c.Credential = parsed
	if !key.CutOff.IsZero() {
		c.cutOff = !parsed.ValidFrom.Before(key.CutOff)
		c.unproven = !c.cutOff && !e.bundle.survived(v.Header.Kid, sha256.Sum256(payload)) && !e.logged(key, payload)
	}
	c.unaccredited = !key.term(parsed.ValidFrom).HoldsAt(parsed.ValidFrom)
	c.suspendedOffice = !c.unaccredited && key.suspended(e.now)
	c.level, c.basis = vc.LevelOf(key.Role), func(basis string) bool { return key.mayBase(basis, parsed.ValidFrom) }
	c.readSubject()
	if parsed.Is(vc.TypeConsent) {
		return // its status is the grantors', which judgeConsents asks
	}
	c.answer = e.bundle.status(parsed, e.now)
	if c.answer.used {
		e.uses(&c.answer)
	}
}

// entitled reports whether the trust list lets this key sign this credential:
// the issuer's own key, for a type and in a role it may, in its period.
func (k *issuerKey) entitled(c *vc.Credential) bool {
	if c.Issuer != k.issuer || !k.ValidAt(c.ValidFrom) {
		return false
	}
	for _, t := range c.Type {
		if t != vc.TypeCredential && !k.accreditedFor(t, c.ValidFrom) {
			return false
		}
		switch t {
		case vc.TypeCredential:
		case vc.TypeBirth:
			if k.Role != vc.RoleRegistrar || !k.May(t) {
				return false
			}
		case vc.TypeGuardianship:
			// On which legal bases, readSubject asks.
			if !k.mandates() || !k.May(t) {
				return false
			}
		case vc.TypeConsent:
			if vc.LevelOf(k.Role) == "" || !k.May(t) {
				return false
			}
		default:
			if !k.May(t) {
				return false
			}
		}
	}
	return true
}

// term gives what holds of the issuer's accreditation at a time.
func (k *issuerKey) term(at time.Time) *vc.AccreditationTerm { return k.accreditation.At(at) }

// suspended reports whether the issuer is suspended at a time.
func (k *issuerKey) suspended(at time.Time) bool {
	t := k.term(at)
	return t != nil && t.State != vc.Accredited
}

// accreditedFor reports whether the issuer's accreditation is for this type. One
// that has ended or is suspended is for none, and that is another finding.
func (k *issuerKey) accreditedFor(kind string, at time.Time) bool {
	t := k.term(at)
	return !t.HoldsAt(at) || t.May(kind)
}

// mayBase reports whether the key may sign guardianships on this legal basis
// that are dated so: the key's bases, narrowed by the accreditation.
func (k *issuerKey) mayBase(basis string, at time.Time) bool {
	t := k.term(at)
	return k.MayBase(basis) && (!t.HoldsAt(at) || t.MayBase(basis))
}

// disowned reports whether the credential was signed when its issuer's word did
// not count: after its key was withdrawn, or without accreditation.
func (c *credential) disowned() bool { return c.cutOff || c.unaccredited }

// mandates reports whether a key has a role in which guardianships are issued.
func (k *issuerKey) mandates() bool {
	return stateRole(k.Role) || k.Role == vc.RoleNotary || k.Role == vc.RoleHumanitarian
}

// readSubject reads what the credential says, by the type and schema that it
// names. A member that a rule needs and that is not there makes it unclear.
func (c *credential) readSubject() {
	c.unclear = true
	if c.ValidTo.IsZero() || c.Schema == nil || c.Schema.Type != "JsonSchema" || hasNull(c.Subject) {
		return
	}
	switch c.Schema.ID {
	case vc.SchemaBirth, vc.SchemaBirthBorder:
		b := new(vc.Birth)
		if !isExactly(c.Credential, vc.TypeBirth) || vc.DecodeChecked(c.Subject, b) != nil {
			return
		}
		c.birth, c.unclear = b, !completeBirth(b)
	case vc.SchemaGuardianship, vc.SchemaGuardBorder:
		g := new(vc.Guardianship)
		if !isExactly(c.Credential, vc.TypeGuardianship) || vc.DecodeChecked(c.Subject, g) != nil {
			return
		}
		c.mandate, c.unclear = g, !completeMandate(g)
		// Who may say that somebody is a guardian depends on why they are one
		// (domain handbook, section 2.2).
		if !c.unclear && !c.basis(g.LegalBasis.Type) {
			c.mandate, c.untrusted = nil, true
		}
	case vc.SchemaConsent:
		c.readConsent()
	}
}

// hasNull reports whether valid JSON holds a null. No member of our subjects
// may be null, and encoding/json would read one as absent or zero: no order
// against removal, no end of a mandate.
func hasNull(b []byte) bool {
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			for i++; b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
		case 'n':
			return true
		}
	}
	return false
}

func completeBirth(b *vc.Birth) bool {
	if !childRef(b.ChildRef) || b.RecordVersion < 1 || len(shownNames(b.Names)) == 0 || !oneOf(b.Sex, 0, 1, 2, 9) {
		return false
	}
	if b.Portrait != nil {
		if _, err := vc.ParseDate(b.Portrait.RecaptureBy); err != nil {
			return false
		}
	}
	_, _, known := b.BirthDate.Span()
	switch b.BirthDate.Precision {
	case "day":
		return known && len(b.BirthDate.Value) == 10
	case "month":
		return known && len(b.BirthDate.Value) == 7
	case "year":
		return known && len(b.BirthDate.Value) == 4
	case "range":
		return known
	case "unknown":
		return known || b.BirthDate.Earliest == "" && b.BirthDate.Latest == ""
	}
	return false
}

func completeMandate(g *vc.Guardianship) bool {
	if _, err := vc.ParseDate(g.Effective.From); err != nil {
		return false
	}
	if g.Effective.Until != "" {
		if _, err := vc.ParseDate(g.Effective.Until); err != nil {
			return false
		}
	}
	return childRef(g.Ward.ChildRef) && len(g.Powers) > 0 && country(g.LegalBasis.Law) &&
		oneOf(g.Guardian.Kind, "naturalPerson", "institution", "office") &&
		oneOf(g.LegalBasis.Type, "parentalResponsibilityByBirth", "acknowledgement", "parentalAgreement", "courtOrder",
			"adoptionSimple", "adoptionPlenary", "kafala", "testamentary", "publicAuthority", "humanitarianMandate", "customary") &&
		oneOf(g.LegalBasis.Finality, "", "final", "appealable", "provisional", "urgent") &&
		oneOf(g.Exercise.Mode, "sole", "independent", "joint") && g.Exercise.Quorum >= 0 && g.Exercise.CoGuardianCount >= 0 &&
		g.Termination.MajorityAge >= 15 && g.Termination.MajorityAge <= 21
}

func oneOf[T comparable](v T, of ...T) bool {
	for _, x := range of {
		if v == x {
			return true
		}
	}
	return false
}

func childRef(s string) bool {
	if len(s) != 22 {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return true
}

// shownNames gives the names that an officer compares: the legal ones, else
// those in use, else any. Only the characters of a machine-readable zone reach
// a screen.
func shownNames(names []vc.Name) []string {
	out := []string{}
	for _, kind := range [...]string{"legal", "usual", ""} {
		for i := range names {
			n := &names[i]
			if n.MRZ == nil || kind != "" && n.Kind != kind || !zoneName(n.MRZ.Primary) || !zoneName(n.MRZ.Secondary) {
				continue
			}
			name := strings.Trim(n.MRZ.Primary, "<")
			if s := strings.Trim(n.MRZ.Secondary, "<"); s != "" {
				name += "<<" + s
			}
			if name != "" && !contains(out, name) {
				out = append(out, name)
			}
		}
		if len(out) > 0 {
			break
		}
	}
	return out
}

func zoneName(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] != '<' && (s[i] < 'A' || s[i] > 'Z') {
			return false
		}
	}
	return len(s) <= 39
}
