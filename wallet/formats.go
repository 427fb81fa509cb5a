package wallet

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/vc"
)

// Formats of the credentials that a wallet holds. Which one a credential has
// shows in its own bytes, whatever an issuer called it when it was offered.
const (
	formatSigned = vc.TypCredential // a compact vc+jwt, shown whole
	formatSDJWT  = vc.TypSDJWTVC    // a compact SD-JWT VC, shown in parts
	formatLDP    = "ldp_vc"         // JSON with an ecdsa-sd-2023 base proof, shown in parts
)

// formatOf tells the format by the form of a credential. That it really is one
// is for its verification to find out.
func formatOf(text string) string {
	switch {
	case strings.HasPrefix(text, "{"):
		return formatLDP
	case strings.Contains(text, "~"):
		return formatSDJWT
	}
	return formatSigned
}

// kinds are the credential types of the SD-JWT VC types.
var kinds = map[string]string{vc.VctBirth: vc.TypeBirth, vc.VctGuardianship: vc.TypeGuardianship}

// usable reports whether this wallet holds credentials of the configuration. An
// offer may list others beside them, for wallets that do.
func (c configuration) usable() bool {
	switch c.Format {
	case formatJWT, formatLDP:
		return true
	case formatSDJWT:
		return kinds[c.Vct] != ""
	}
	return false
}

// signsParts reports whether the trust list has a key of the issuer that can
// make an ecdsa-sd-2023 proof now. An issuer that has such a key, and on the
// trust list has not yet, is not asked for an ldp_vc: what cannot be trusted must
// not keep a family from the rest of the offer.
func signsParts(issuer *vc.TrustIssuer, now time.Time) bool {
	return slices.ContainsFunc(issuer.Keys, func(k vc.TrustKey) bool {
		pub, err := usableKey(&k, now)
		_, p256 := pub.(*ecdsa.PublicKey)
		return err == nil && p256 && k.ValidAt(now) && (k.May(vc.TypeBirth) || k.May(vc.TypeGuardianship))
	})
}

// metadataFor is metadata, with the configurations that this wallet does not ask
// this issuer for as ones of a format that it does not know.
func (w *Wallet) metadataFor(ctx context.Context, g *grant, issuer *vc.TrustIssuer) (*metadata, error) {
	m, err := w.metadata(ctx, g.Issuer, g.Configs)
	if err != nil || signsParts(issuer, w.cfg.Now()) {
		return m, err
	}
	for id, c := range m.Configs {
		if c.Format == formatLDP {
			c.Format = ""
			m.Configs[id] = c
		}
	}
	return m, nil
}

// offers reports whether a configuration promised credentials of a type.
func (c configuration) offers(kind string) bool {
	return slices.Contains(c.Definition.Type, kind) || kind != "" && kinds[c.Vct] == kind
}

// credentialText reads what a credential response calls credential: a string, or the
// object itself for JSON formats (OpenID4VCI 1.0, appendix A.1.2).
func credentialText(raw json.RawMessage) (string, error) {
	if len(raw) > 0 && raw[0] == '{' {
		return string(raw), nil
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil || s == "" {
		return "", ErrIssuerAnswer
	}
	return s, nil
}

// proven is a credential whose signature held, with the issuer's key that made
// it.
type proven struct {
	held
	document []byte // as its schema describes it; nil where that was checked already
	key      *vc.TrustKey
}

// open verifies a credential by a key of the issuer that the trust list has,
// and reads it.
func open(text string, r received, now time.Time) (*proven, error) {
	switch formatOf(text) {
	case formatLDP:
		return openLDP(text, r.issuer, now)
	case formatSDJWT:
		return openSDJWT(text, r, now)
	}
	return openSigned(text, r.issuer, now)
}

// openSigned opens a vc+jwt.
func openSigned(text string, issuer *vc.TrustIssuer, now time.Time) (*proven, error) {
	payload, k, err := verifySigned(text, issuer, now)
	if err != nil {
		return nil, err
	}
	c, err := vc.ParseCredential(payload)
	if err != nil {
		return nil, refusedRule("is not a credential of a known shape")
	}
	return &proven{held: held{vc: c}, document: payload, key: k}, nil
}

// trusted finds keys of one issuer on the trust list, and remembers the one
// that was asked for last.
type trusted struct {
	issuer *vc.TrustIssuer
	now    time.Time
	key    *vc.TrustKey
	broken error // why there is no key
}

// find is a vc.KeyFinder.
func (t *trusted) find(method string) (crypto.PublicKey, string, error) {
	t.key = keyOf(t.issuer, method)
	pub, err := usableKey(t.key, t.now)
	if err != nil {
		t.broken = err
		return nil, "", err
	}
	return pub, t.issuer.DID, nil
}

// why gives the rule that a failed verification broke.
func (t *trusted) why(otherwise string) error {
	if t.broken != nil {
		return t.broken
	}
	return refusedRule(otherwise)
}

// openLDP opens a credential with an ecdsa-sd-2023 base proof. It must be one
// of which its holder can show every part that is not mandatory, and never
// without what is.
func openLDP(text string, issuer *vc.TrustIssuer, now time.Time) (*proven, error) {
	var d struct {
		Proof struct {
			Type    string `json:"type"`
			Purpose string `json:"proofPurpose"`
			Expires string `json:"expires"`
		} `json:"proof"`
	}
	// A second proof would be one that nobody looks at.
	if err := vc.StrictJSON([]byte(text), &d, vc.MaxDepth); err != nil || d.Proof.Type != vc.TypeDataIntegrity {
		return nil, refusedRule("is not a signed credential")
	}
	if d.Proof.Purpose != vc.PurposeAssertion || d.Proof.Expires != "" {
		return nil, refusedRule("has a proof that is not made for a credential")
	}
	keys := &trusted{issuer: issuer, now: now}
	document, err := vc.OpenBase([]byte(text), keys.find)
	if err != nil {
		return nil, keys.why("has a signature that does not hold")
	}
	c, err := vc.ParseCredential(document)
	if err != nil {
		return nil, refusedRule("is not a credential of a known shape")
	}
	if err := apart([]byte(text), document); err != nil {
		return nil, err
	}
	return &proven{held: held{vc: c}, document: document, key: keys.key}, nil
}

// apart checks that the least which can be shown of a credential is what
// everybody must see, no less and no more.
func apart(secured, document []byte) error {
	const hides = refusedRule("can be shown without what everybody must see")
	must, err := vc.MandatoryPointers(document)
	if err != nil {
		return hides
	}
	least, err := vc.Derive(secured, nil)
	if err != nil {
		return refusedRule("cannot be shown in parts")
	}
	var whole, shown map[string]any
	if json.Unmarshal(document, &whole) != nil || json.Unmarshal(least, &shown) != nil {
		return refusedRule("cannot be shown in parts")
	}
	delete(shown, "proof")
	for _, at := range must {
		said, _ := lookup(whole, at)
		if told, ok := lookup(shown, at); !ok || !reflect.DeepEqual(said, told) {
			return hides
		}
	}
	for _, at := range leaves(shown, "") {
		// An object on the way to a mandatory part keeps what it is.
		name := at[strings.LastIndexByte(at, '/')+1:]
		if name != "id" && name != "type" && !within(at, "/@context") && !slices.ContainsFunc(must, func(m string) bool { return within(at, m) }) {
			return refusedRule("cannot be shown in parts")
		}
	}
	return nil
}

// openSDJWT opens an SD-JWT VC. It must come with all its disclosures and be
// bound to the guardian's key.
func openSDJWT(text string, r received, now time.Time) (*proven, error) {
	keys := &trusted{issuer: r.issuer, now: now}
	v, err := vc.VerifySDJWTVC(text, vc.SDPolicy{
		Keys: keys.find, Types: slices.Collect(maps.Keys(kinds)), Binding: vc.KeyBinding{None: true}, Now: now.Add(skew),
	})
	if err != nil {
		switch {
		case errors.Is(err, vc.ErrVctExpired):
			return nil, refusedRule("is expired")
		case errors.Is(err, vc.ErrVctNotYet):
			return nil, refusedRule("is not valid yet")
		}
		return nil, keys.why("has a signature that does not hold")
	}
	jwt, disclosures, _ := strings.Cut(text, "~")
	_, payload, _ := strings.Cut(jwt, ".")
	payload, _, _ = strings.Cut(payload, ".")
	// What an issuer keeps of a credential before it signs is the payload with
	// every disclosure: complete there is complete here. Where a record need not
	// have a claim, a disclosure that was kept back cannot be told from a decoy.
	if _, err := vc.ReopenSDJWTVC([]byte(payload + "~" + disclosures)); err != nil {
		return nil, refusedRule("does not come with everything that it can show")
	}
	o := &proven{key: keys.key}
	holder := ""
	if o.held.vc, o.token, holder, err = readSDJWT(v.Claims); err != nil {
		return nil, refusedRule("is not a credential of a known shape")
	}
	if holder != r.holder {
		return nil, refusedRule("is for another holder")
	}
	if o.vc.Is(vc.TypeBirth) && len(o.ages()) != len(vc.AgeEqualOrOver(vc.UncertainDate{}, vc.Date{})) {
		return nil, refusedRule("does not come with everything that it can show")
	}
	return o, nil
}

// sdEnvelope are the claims of an SD-JWT VC that say nothing of its subject.
var sdEnvelope = []string{"iss", "nbf", "exp", "iat", "cnf", "vct", "vct#integrity", "status"}

// readSDJWT reads the claims of an SD-JWT VC, with everything disclosed, as a
// credential of the data model, so that both are listed, joined and renewed
// alike. Its place in a status list, which no other credential has, serves as
// its id. holder is the did:key of cnf.
func readSDJWT(claims []byte) (c *vc.Credential, token *vc.TokenStatus, holder string, err error) {
	var env struct {
		Issuer  string  `json:"iss"`
		From    float64 `json:"nbf"`
		Until   float64 `json:"exp"`
		Type    string  `json:"vct"`
		Confirm struct {
			JWK json.RawMessage `json:"jwk"`
		} `json:"cnf"`
		Status struct {
			List *vc.TokenStatus `json:"status_list"`
		} `json:"status"`
	}
	var subject map[string]json.RawMessage
	if err := vc.StrictJSON(claims, &env, vc.MaxDepth); err != nil {
		return nil, nil, "", err
	}
	if err := vc.StrictJSON(claims, &subject, vc.MaxDepth); err != nil {
		return nil, nil, "", err
	}
	kind := kinds[env.Type]
	if kind == "" || env.Status.List == nil || env.From <= 0 || env.Until <= 0 || env.Until > math.MaxInt32<<8 {
		return nil, nil, "", vc.ErrCredential
	}
	pub, err := vc.ParseJWK(env.Confirm.JWK)
	if err != nil {
		return nil, nil, "", err
	}
	if holder, err = did.EncodeKey(pub); err != nil {
		return nil, nil, "", err
	}
	for _, name := range sdEnvelope {
		delete(subject, name)
	}
	c = &vc.Credential{
		ID:        env.Status.List.URI + "#" + strconv.FormatUint(env.Status.List.Index, 10),
		Type:      []string{vc.TypeCredential, kind},
		Issuer:    env.Issuer,
		ValidFrom: time.Unix(int64(env.From), 0).UTC(), ValidTo: time.Unix(int64(env.Until), 0).UTC(),
	}
	c.Subject, err = json.Marshal(subject)
	return c, env.Status.List, holder, err
}

// tokenState says what the Token Status List of a credential says (Token Status
// List, section 8.3).
func (l *statusLists) tokenState(ctx context.Context, ref vc.TokenStatus) (string, error) {
	const key = "token "
	r, ok := l.read[key+ref.URI]
	if !ok {
		r.tokens, r.err = l.fetchTokens(ctx, ref.URI)
		l.read[key+ref.URI] = r
	}
	if r.err != nil {
		return "", r.err
	}
	a, err := r.tokens.OfToken(ref, l.issuer.DID, l.now)
	if err != nil {
		return "", refusedRule("has a status that cannot be checked")
	}
	switch a.State {
	case vc.StateGood:
		return stateGood, nil
	case vc.StateRevoked:
		return stateRevoked, nil
	case vc.StateSuspended:
		return stateSuspended, nil
	}
	return "", refusedRule("has a status that cannot be checked")
}

// fetchTokens reads a Token Status List from the issuer's shelf.
func (l *statusLists) fetchTokens(ctx context.Context, address string) (*vc.StatusList, error) {
	if !l.onShelf(address) {
		return nil, errStatusPlace
	}
	body, err := l.net.get(ctx, address, maxList, vc.MediaTokenJWT, vc.MediaTokenCWT)
	if err != nil {
		return nil, err
	}
	keys := &trusted{issuer: l.issuer, now: l.now}
	list, err := vc.OpenStatusList(body, vc.ListPolicy{Keys: keys.find, Now: l.now})
	if err != nil || list.Until.IsZero() || !keys.key.ValidAt(list.From) {
		return nil, errStatusList
	}
	return list, nil
}

// leaves lists the JSON pointers of all that has nothing in it.
func leaves(v any, at string) []string {
	var out []string
	switch x := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(x)) {
			out = append(out, leaves(x[name], at+"/"+pointerEscape.Replace(name))...)
		}
	case []any:
		for i := range x {
			out = append(out, leaves(x[i], at+"/"+strconv.Itoa(i))...)
		}
	}
	if out == nil {
		return []string{at}
	}
	return out
}

var pointerEscape = strings.NewReplacer("~", "~0", "/", "~1")

// within reports whether a JSON pointer names what another names, or something
// in it.
func within(at, outer string) bool {
	return at == outer || strings.HasPrefix(at, outer+"/")
}

// reread reads a credential that was verified before it was stored.
func reread(text string) (*vc.Credential, *vc.TokenStatus, error) {
	switch formatOf(text) {
	case formatSDJWT:
		x, err := vc.SplitSDJWT(text, vc.TypSDJWTVC)
		if err != nil {
			return nil, nil, err
		}
		all, err := x.ClaimsUnverified()
		if err != nil {
			return nil, nil, err
		}
		c, token, _, err := readSDJWT(all.Claims)
		return c, token, err
	case formatLDP:
		document, err := withoutProof([]byte(text))
		if err != nil {
			return nil, nil, err
		}
		c, err := vc.ParseCredential(document)
		return c, nil, err
	}
	s, err := vc.SplitJWS(text)
	if err != nil {
		return nil, nil, err
	}
	c, err := vc.ParseCredential(s.PayloadUnverified())
	return c, nil, err
}

// withoutProof gives a secured document without its proof, members sorted.
func withoutProof(text []byte) ([]byte, error) {
	var d map[string]json.RawMessage
	if err := vc.StrictJSON(text, &d, vc.MaxDepth); err != nil {
		return nil, err
	}
	delete(d, "proof")
	return json.Marshal(d)
}

// outgrown reports whether the child has reached an age that the credential
// denies, because it was issued before.
func (c *held) outgrown(now time.Time) bool {
	if c.token == nil || c.birth == nil {
		return false
	}
	told := c.ages()
	for step, reached := range vc.AgeEqualOrOver(c.birth.BirthDate, vc.DateOf(now)) {
		if says, there := told[step]; reached && there && !says {
			return true
		}
	}
	return false
}

// ages gives the ages that a birth as SD-JWT VC tells, by number of years.
func (c *held) ages() map[string]bool {
	var says struct {
		Ages map[string]bool `json:"age_equal_or_over"`
	}
	if json.Unmarshal(c.vc.Subject, &says) != nil {
		return nil
	}
	return says.Ages
}
