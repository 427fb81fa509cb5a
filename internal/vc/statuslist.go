//go:build !js

package vc

import (
	"crypto"
	"encoding/json"
	"iter"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/status"
)

// Media types of status lists.
const (
	TypTokenListJWT  = "statuslist+jwt"
	MediaTokenJWT    = "application/statuslist+jwt"
	MediaTokenCWT    = "application/statuslist+cwt"
	typeStatusList   = "BitstringStatusList"
	maxStatusList    = 16 << 20 // bytes of a signed list
	maxStatusBits    = 64 << 20 // bytes of the list in it
	statusClockSkew  = 5 * time.Minute
	cwtIssuer        = 1
	cwtSubject       = 2
	cwtExpires       = 4
	cwtIssuedAt      = 6
	cwtStatusList    = 65533
	cwtTTL           = 65534
	maxTokenListTTL  = 366 * 24 * time.Hour
	maxNumericDate   = 253402300799 // 9999-12-31T23:59:59Z
	purposeRefresh   = "refresh"
	maxListsPurposes = 4
)

// Errors of status lists. None of them may be taken for "not revoked".
var (
	ErrStatusList     = fault.New(fault.Invalid, "status-list-invalid", "not a status list that can be read")
	ErrStatusIssuer   = fault.New(fault.Invalid, "status-list-issuer", "the status list is not signed by one who may speak for the credential's issuer")
	ErrStatusValidity = fault.New(fault.Invalid, "status-list-validity", "the status list is not valid now")
	ErrStatusStale    = fault.New(fault.Invalid, "status-list-stale", "the status list is older than its issuer lets it become")
	ErrStatusOther    = fault.New(fault.Invalid, "status-list-other", "the credential names another status list or another purpose")
	ErrStatusPolicy   = fault.New(fault.Internal, "status-policy", "a status list was to be read without saying by whose keys and when")
)

// State is what a status list says of a credential. The zero State is not
// known, and never good.
type State int

// States of a credential.
const (
	StateUnknown   State = iota
	StateGood            // neither revoked nor suspended by this list
	StateRevoked         // for good
	StateSuspended       // for now
	StateOther           // an application's own value, see StatusAnswer.Value
)

// String names the state.
func (s State) String() string {
	switch s {
	case StateGood:
		return "good"
	case StateRevoked:
		return "revoked"
	case StateSuspended:
		return "suspended"
	case StateOther:
		return "other"
	}
	return "unknown"
}

// StatusAnswer is what a list says at one index. Value is the entry as it
// stands in the list.
type StatusAnswer struct {
	State State
	Value uint64
}

// ListPolicy is what a verifier asks of a status list. Keys and Now must be
// set.
type ListPolicy struct {
	Keys KeyFinder
	Now  time.Time
	// Speaks reports whether one issuer's list may answer for another's
	// credentials. Nil: each issuer speaks for itself only.
	Speaks func(listIssuer, credentialIssuer string) bool
	// Fresh refuses a list that is older than its own time to live. Without it
	// the time to live only says when to fetch again (Stale).
	Fresh bool
}

// StatusList is a status list whose signature held, with the list that was
// signed in it. The zero StatusList answers nothing.
type StatusList struct {
	URL      string // where credentials say that they find it
	Issuer   string // DID of who signed it
	Purposes []string
	From     time.Time
	Until    time.Time     // zero: no end
	TTL      time.Duration // 0: not said

	policy ListPolicy
	bits   *status.List
	tokens *status.Tokens
}

// OpenStatusList verifies a Bitstring Status List credential (Bitstring Status
// List 1.0, section 2.2), secured as a compact vc+jwt or with Data Integrity,
// or a Token Status List as JWT or CWT (Token Status List, section 5), and
// reads the list. What it is shows in its bytes, whatever it was served as.
// Nothing is returned with an error.
func OpenStatusList(body []byte, p ListPolicy) (*StatusList, error) {
	if p.Keys == nil || p.Now.IsZero() {
		return nil, ErrStatusPolicy
	}
	if len(body) > maxStatusList {
		return nil, ErrSecuredLarge
	}
	var l *StatusList
	var err error
	switch {
	case len(body) > 0 && body[0] == '{':
		l, err = openProvenList(body, p)
	case len(body) > 0 && body[0] == 0xd2:
		l, err = openCWTList(body, p)
	default:
		l, err = openSignedList(string(body), p)
	}
	if err != nil {
		return nil, err
	}
	l.policy = p
	if err := l.current(p.Now); err != nil {
		return nil, err
	}
	return l, nil
}

// current checks the list's own period.
func (l *StatusList) current(at time.Time) error {
	if at.Add(statusClockSkew).Before(l.From) || !l.Until.IsZero() && !at.Before(l.Until) {
		return ErrStatusValidity
	}
	if l.policy.Fresh && l.Stale(at) {
		return ErrStatusStale
	}
	return nil
}

// Size gives the number of places of the list.
func (l *StatusList) Size() int64 {
	switch {
	case l.bits != nil:
		return l.bits.Len()
	case l.tokens != nil:
		return l.tokens.Len()
	}
	return 0
}

// Tokens reports whether it is a Token Status List; else it is a bitstring for
// its Purposes.
func (l *StatusList) Tokens() bool { return l.tokens != nil }

// Marked gives the places that are not 0, in order, for who reads a list whole: 1
// for a bit that is set, or the status in a Token Status List.
func (l *StatusList) Marked() iter.Seq2[int64, uint8] {
	return func(yield func(int64, uint8) bool) {
		if l.tokens != nil {
			l.tokens.Marked()(yield)
		} else if l.bits != nil {
			l.bits.Marked()(func(i int64) bool { return yield(i, 1) })
		}
	}
}

// Stale reports whether the list has outlived its time to live.
func (l *StatusList) Stale(at time.Time) bool { return l.TTL > 0 && at.Sub(l.From) > l.TTL }

// OpenStatusListUndated is OpenStatusList for who asks what a list said when it
// was signed: whether it is valid now does not matter, and p.Now is not read. The
// list answers for no credential.
func OpenStatusListUndated(body []byte, p ListPolicy) (*StatusList, error) {
	if p.Keys == nil {
		return nil, ErrStatusPolicy
	}
	if len(body) > maxStatusList {
		return nil, ErrSecuredLarge
	}
	p.Now = time.Time{}
	switch {
	case len(body) > 0 && body[0] == '{':
		return nil, ErrStatusList // a proof is dated
	case len(body) > 0 && body[0] == 0xd2:
		return openCWTList(body, p)
	}
	return openSignedList(string(body), p)
}

// openProvenList reads a list credential with a Data Integrity proof.
func openProvenList(body []byte, p ListPolicy) (*StatusList, error) {
	doc, proofs, err := VerifyProofs(body, ProofPolicy{Keys: p.Keys, Purpose: PurposeAssertion, Now: p.Now})
	if err != nil {
		return nil, err
	}
	if len(proofs) == 0 {
		return nil, ErrProofMissing
	}
	l, err := readListCredential(doc)
	if err != nil {
		return nil, err
	}
	for _, proof := range proofs {
		if proof.Controller != l.Issuer {
			return nil, ErrStatusIssuer
		}
		if proof.Derived {
			return nil, ErrStatusList // a holder chose what it shows
		}
	}
	return l, nil
}

// openSignedList reads a list credential or a Token Status List in a JWS.
func openSignedList(compact string, p ListPolicy) (*StatusList, error) {
	v, err := SplitLargeJWS(compact, maxStatusList)
	if err != nil {
		return nil, err
	}
	if v.Header.Typ != TypCredential && v.Header.Typ != TypTokenListJWT {
		return nil, ErrType
	}
	payload, controller, err := verifyBy(p.Keys, v.Header.Kid, v.Verify)
	if err != nil {
		return nil, err
	}
	var l *StatusList
	if v.Header.Typ == TypCredential {
		l, err = readListCredential(payload)
	} else {
		l, err = readTokenClaims(payload)
	}
	if err != nil {
		return nil, err
	}
	if l.Issuer == "" {
		l.Issuer = controller
	}
	if l.Issuer != controller {
		return nil, ErrStatusIssuer
	}
	return l, nil
}

// openCWTList reads a Token Status List in a COSE_Sign1.
func openCWTList(data []byte, p ListPolicy) (*StatusList, error) {
	c, err := openCOSE(data, coseKind{typ: MediaTokenCWT, limit: maxStatusList})
	if err != nil {
		return nil, err
	}
	payload, controller, err := verifyBy(p.Keys, c.KID, c.Verify)
	if err != nil {
		return nil, err
	}
	l, err := readTokenCBOR(payload)
	if err != nil {
		return nil, err
	}
	if l.Issuer == "" {
		l.Issuer = controller
	}
	if l.Issuer != controller || c.Issuer != "" && c.Issuer != controller {
		return nil, ErrStatusIssuer
	}
	return l, nil
}

// verifyBy finds the key of a kid and verifies with it.
func verifyBy(find KeyFinder, kid string, verify func(crypto.PublicKey) ([]byte, error)) (payload []byte, controller string, err error) {
	pub, controller, err := find(kid)
	if err != nil {
		return nil, "", err
	}
	if controller == "" {
		return nil, "", ErrStatusIssuer
	}
	payload, err = verify(pub)
	return payload, controller, err
}

// listCredential is the part of a BitstringStatusListCredential that matters.
type listCredential struct {
	ID      string          `json:"id"`
	Type    texts           `json:"type"`
	Issuer  named           `json:"issuer"`
	From    string          `json:"validFrom"`
	Until   string          `json:"validUntil"`
	Subject json.RawMessage `json:"credentialSubject"`
}

type listSubject struct {
	Type    texts       `json:"type"`
	Purpose texts       `json:"statusPurpose"`
	Encoded string      `json:"encodedList"`
	TTL     json.Number `json:"ttl"` // milliseconds
}

// readListCredential reads a verified list credential.
func readListCredential(doc []byte) (*StatusList, error) {
	if err := CheckModel(doc, ModelCheck{}); err != nil {
		return nil, err
	}
	var c listCredential
	var s listSubject
	if json.Unmarshal(doc, &c) != nil || json.Unmarshal(c.Subject, &s) != nil {
		return nil, ErrStatusList
	}
	if c.ID == "" || !slices.Contains(c.Type, TypeStatusList) || !slices.Contains(s.Type, typeStatusList) ||
		len(s.Purpose) == 0 || len(s.Purpose) > maxListsPurposes || slices.Contains(s.Purpose, "") {
		return nil, ErrStatusList
	}
	l := &StatusList{URL: c.ID, Issuer: string(c.Issuer), Purposes: s.Purpose}
	var ok bool
	if c.From != "" {
		if l.From, ok = parseTimestamp([]byte(c.From)); !ok {
			return nil, ErrStatusList
		}
	}
	if c.Until != "" {
		if l.Until, ok = parseTimestamp([]byte(c.Until)); !ok {
			return nil, ErrStatusList
		}
	}
	if s.TTL != "" {
		ms, err := s.TTL.Int64()
		if err != nil || ms < 0 || ms > maxTokenListTTL.Milliseconds() {
			return nil, ErrStatusList
		}
		l.TTL = time.Duration(ms) * time.Millisecond
	}
	bits, err := status.Decode(s.Encoded, maxStatusBits)
	if err != nil {
		return nil, err
	}
	l.bits = bits
	return l, nil
}

// TokenList is a Token Status List to be signed. Times are whole seconds.
type TokenList struct {
	URL      string // sub: where it is served, the uri of the tokens on it
	Issuer   string // iss
	IssuedAt time.Time
	Expires  time.Time     // zero: no end
	TTL      time.Duration // 0: not said
	List     *status.Tokens
}

type tokenClaims struct {
	Subject string `json:"sub"`
	Issuer  string `json:"iss,omitempty"`
	Issued  int64  `json:"iat"`
	Expires int64  `json:"exp,omitempty"`
	TTL     int64  `json:"ttl,omitempty"`
	List    struct {
		Bits int    `json:"bits"`
		Lst  string `json:"lst"`
	} `json:"status_list"`
}

// SignJWT gives the list as a compact JWS of typ statuslist+jwt (Token Status
// List, section 5.1).
func (t TokenList) SignJWT(s keys.Signer) (string, error) {
	c := tokenClaims{Subject: t.URL, Issuer: t.Issuer, Issued: t.IssuedAt.Unix(), TTL: int64(t.TTL / time.Second)}
	if !t.Expires.IsZero() {
		c.Expires = t.Expires.Unix()
	}
	var err error
	if c.List.Lst, err = t.List.Encode(); err != nil {
		return "", err
	}
	c.List.Bits = t.List.Width()
	payload, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	return SignJWS(s, TypTokenListJWT, "", payload)
}

// SignCWT gives the list as a tagged COSE_Sign1 with the type
// application/statuslist+cwt (Token Status List, section 5.2).
func (t TokenList) SignCWT(s keys.Signer) ([]byte, error) {
	lst, err := t.List.Compress()
	if err != nil {
		return nil, err
	}
	claims := map[int]any{cwtSubject: t.URL, cwtIssuedAt: t.IssuedAt.Unix(),
		cwtStatusList: map[string]any{"bits": t.List.Width(), "lst": lst}}
	if t.Issuer != "" {
		claims[cwtIssuer] = t.Issuer
	}
	if !t.Expires.IsZero() {
		claims[cwtExpires] = t.Expires.Unix()
	}
	if t.TTL > 0 {
		claims[cwtTTL] = int64(t.TTL / time.Second)
	}
	payload, err := sortedCBOR.Marshal(claims)
	if err != nil {
		return nil, err
	}
	return signCOSE(s, coseKind{typ: MediaTokenCWT}, payload)
}

// sortedCBOR writes the core deterministic encoding (RFC 8949, section 4.2.1).
var sortedCBOR = func() cbor.EncMode {
	m, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		panic(err) // the options are constants
	}
	return m
}()

// readTokenClaims reads the payload of a verified status list JWT.
func readTokenClaims(payload []byte) (*StatusList, error) {
	if err := CheckJSON(payload, MaxDepth); err != nil {
		return nil, ErrStatusList.With(err)
	}
	var c struct {
		Subject string      `json:"sub"`
		Issuer  string      `json:"iss"`
		Issued  json.Number `json:"iat"`
		Expires json.Number `json:"exp"`
		TTL     json.Number `json:"ttl"`
		List    struct {
			Bits int    `json:"bits"`
			Lst  string `json:"lst"`
		} `json:"status_list"`
	}
	if err := json.Unmarshal(payload, &c); err != nil {
		return nil, ErrStatusList.With(err)
	}
	l := &StatusList{URL: c.Subject, Issuer: c.Issuer}
	var times [3]float64
	for i, n := range []json.Number{c.Issued, c.Expires, c.TTL} {
		if n == "" {
			times[i] = math.NaN()
			continue
		}
		f, err := n.Float64()
		if err != nil {
			return nil, ErrStatusList.With(err)
		}
		times[i] = f
	}
	if err := l.setTimes(times[0], times[1], times[2]); err != nil {
		return nil, err
	}
	tokens, err := status.DecodeTokens(c.List.Bits, c.List.Lst, maxStatusBits)
	if err != nil {
		return nil, err
	}
	l.tokens = tokens
	return l, nil
}

// readTokenCBOR reads the payload of a verified status list CWT.
func readTokenCBOR(payload []byte) (*StatusList, error) {
	var c struct {
		Issuer  string   `cbor:"1,keyasint"`
		Subject string   `cbor:"2,keyasint"`
		Expires *float64 `cbor:"4,keyasint"`
		Issued  *float64 `cbor:"6,keyasint"`
		TTL     *float64 `cbor:"65534,keyasint"`
		List    struct {
			Bits int    `cbor:"bits"`
			Lst  []byte `cbor:"lst"`
		} `cbor:"65533,keyasint"`
	}
	if err := strictCBOR.Unmarshal(payload, &c); err != nil {
		return nil, ErrStatusList.With(err)
	}
	l := &StatusList{URL: c.Subject, Issuer: c.Issuer}
	value := func(f *float64) float64 {
		if f == nil {
			return math.NaN()
		}
		return *f
	}
	if err := l.setTimes(value(c.Issued), value(c.Expires), value(c.TTL)); err != nil {
		return nil, err
	}
	tokens, err := status.ExpandTokens(c.List.Bits, c.List.Lst, maxStatusBits)
	if err != nil {
		return nil, err
	}
	l.tokens = tokens
	return l, nil
}

// setTimes takes NumericDates in seconds; NaN is absent. A list without sub or
// iat is none (Token Status List, section 5.1).
func (l *StatusList) setTimes(issued, expires, ttl float64) error {
	if l.URL == "" || !(issued >= 0 && issued <= maxNumericDate) {
		return ErrStatusList
	}
	l.From = time.Unix(int64(issued), 0).UTC()
	if !math.IsNaN(expires) {
		if !(expires >= 0 && expires <= maxNumericDate) {
			return ErrStatusList
		}
		l.Until = time.Unix(int64(expires), 0).UTC()
	}
	if !math.IsNaN(ttl) {
		if !(ttl > 0 && ttl <= maxTokenListTTL.Seconds()) {
			return ErrStatusList
		}
		l.TTL = time.Duration(ttl * float64(time.Second))
	}
	return nil
}

// BitstringEntry is a BitstringStatusListEntry as it may stand in anybody's
// credential: with entries of several bits.
type BitstringEntry struct {
	StatusEntry
	Size     int // bits; 0 is 1
	Messages int // how many statusMessage there are
}

// Of gives what the list says for an entry of a credential of issuer, at a
// time (Bitstring Status List 1.0, section 3.2). An error, with StateUnknown,
// comes for another list, another purpose, an issuer that the list may not
// speak for, an index outside the list, and a list that is not valid then.
func (l *StatusList) Of(e BitstringEntry, issuer string, at time.Time) (StatusAnswer, error) {
	if l.bits == nil || e.List == "" || e.List != l.URL || !slices.Contains(l.Purposes, e.Purpose) {
		return StatusAnswer{}, ErrStatusOther
	}
	if e.Type != typeBitstringEntry {
		return StatusAnswer{}, ErrStatusEntry
	}
	if err := l.mayAnswer(issuer, at); err != nil {
		return StatusAnswer{}, err
	}
	index, err := status.ParseIndex(e.Index)
	if err != nil {
		return StatusAnswer{}, err
	}
	size := max(e.Size, 1)
	if e.Size < 0 || size > 1 && e.Messages != 1<<min(size, 16) {
		return StatusAnswer{}, ErrStatusEntry
	}
	v, err := l.bits.Value(index, size)
	if err != nil {
		return StatusAnswer{}, err
	}
	a := StatusAnswer{Value: v}
	switch {
	case e.Purpose == PurposeRevocation && v != 0:
		a.State = StateRevoked
	case e.Purpose == PurposeSuspension && v != 0:
		a.State = StateSuspended
	case e.Purpose == PurposeRevocation, e.Purpose == PurposeSuspension, e.Purpose == purposeRefresh && v == 0:
		a.State = StateGood
	default: // message and refresh, and purposes that we do not know
		a.State = StateOther
	}
	return a, nil
}

// OfToken gives what the list says for a reference of a token of issuer, at a
// time (Token Status List, section 8.3), under the same conditions as Of.
func (l *StatusList) OfToken(ref TokenStatus, issuer string, at time.Time) (StatusAnswer, error) {
	if l.tokens == nil || ref.URI == "" || ref.URI != l.URL {
		return StatusAnswer{}, ErrStatusOther
	}
	if err := l.mayAnswer(issuer, at); err != nil {
		return StatusAnswer{}, err
	}
	if ref.Index > math.MaxInt64 {
		return StatusAnswer{}, status.ErrRange
	}
	v, err := l.tokens.Get(int64(ref.Index))
	if err != nil {
		return StatusAnswer{}, err
	}
	a := StatusAnswer{Value: uint64(v)}
	switch v {
	case status.TokenValid:
		a.State = StateGood
	case status.TokenInvalid:
		a.State = StateRevoked
	case status.TokenSuspended:
		a.State = StateSuspended
	default:
		a.State = StateOther
	}
	return a, nil
}

func (l *StatusList) mayAnswer(issuer string, at time.Time) error {
	if issuer == "" || l.Issuer == "" {
		return ErrStatusIssuer
	}
	if l.Issuer != issuer && (l.policy.Speaks == nil || !l.policy.Speaks(l.Issuer, issuer)) {
		return ErrStatusIssuer
	}
	return l.current(at)
}

// Bitstring entries of a credential, one or several.
func statusEntries(raw json.RawMessage) ([]BitstringEntry, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	list := []json.RawMessage{raw}
	if strings.HasPrefix(strings.TrimSpace(string(raw)), "[") {
		list = nil
		if err := json.Unmarshal(raw, &list); err != nil {
			return nil, ErrStatusEntry
		}
	}
	var out []BitstringEntry
	for _, r := range list {
		var e struct {
			StatusEntry
			Size     *int              `json:"statusSize"`
			Messages []json.RawMessage `json:"statusMessage"`
		}
		if err := json.Unmarshal(r, &e); err != nil || e.Type == "" {
			return nil, ErrStatusEntry
		}
		b := BitstringEntry{StatusEntry: e.StatusEntry, Messages: len(e.Messages)}
		if e.Size != nil {
			if *e.Size < 1 {
				return nil, ErrStatusEntry
			}
			b.Size = *e.Size
		}
		out = append(out, b)
	}
	return out, nil
}

// StatusEntries reads the credentialStatus of a verified credential. Types
// other than BitstringStatusListEntry come with their Type and nothing that can
// be asked.
func StatusEntries(credential []byte) ([]BitstringEntry, error) {
	var c struct {
		Status json.RawMessage `json:"credentialStatus"`
	}
	if err := json.Unmarshal(credential, &c); err != nil {
		return nil, ErrStatusEntry.With(err)
	}
	return statusEntries(c.Status)
}
