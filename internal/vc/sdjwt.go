//go:build !js

package vc

import (
	"bytes"
	"crypto"
	"crypto/rand"
	_ "crypto/sha512" // sha-384 and sha-512 in _sd_alg
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/keys"
)

// Errors of SD-JWT. They never repeat a claim, its name or its place.
var (
	ErrSDMalformed   = fault.New(fault.Invalid, "sd-jwt-malformed", "not a compact SD-JWT")
	ErrSDLarge       = fault.New(fault.TooLarge, "sd-jwt-large", "the SD-JWT is larger than any that is read here")
	ErrSDHash        = fault.New(fault.Invalid, "sd-jwt-hash-unknown", "the SD-JWT uses a hash that is not known here")
	ErrSDPayload     = fault.New(fault.Invalid, "sd-jwt-payload", "the payload of the SD-JWT is not a JSON object")
	ErrSDDigests     = fault.New(fault.Invalid, "sd-jwt-digests-malformed", "the digests of the SD-JWT do not have the form of the standard")
	ErrSDReserved    = fault.New(fault.Invalid, "sd-jwt-name-reserved", "a claim has a name that the standard keeps for itself")
	ErrSDDisclosure  = fault.New(fault.Invalid, "sd-jwt-disclosure-malformed", "a disclosure is not base64url of a JSON array")
	ErrSDShape       = fault.New(fault.Invalid, "sd-jwt-disclosure-shape", "a disclosure does not have the members that its place needs")
	ErrSDTwice       = fault.New(fault.Invalid, "sd-jwt-disclosure-twice", "a disclosure is there twice")
	ErrSDDigestTwice = fault.New(fault.Invalid, "sd-jwt-digest-twice", "a digest is there twice")
	ErrSDStray       = fault.New(fault.Invalid, "sd-jwt-disclosure-stray", "a disclosure is not one that the issuer signed")
	ErrSDCollision   = fault.New(fault.Invalid, "sd-jwt-claim-twice", "a disclosed claim is there already")
	ErrSDPointer     = fault.New(fault.Invalid, "sd-jwt-pointer", "a pointer names no claim that is there")

	// ErrNotDisclosable says that a claim which everybody must see was made,
	// or came, as one that its holder may keep back.
	ErrNotDisclosable = fault.New(fault.Unprocessable, "sd-jwt-not-disclosable", "a claim that must always be visible can be hidden")

	ErrBindingMissing    = fault.New(fault.Invalid, "key-binding-missing", "the holder did not sign this presentation")
	ErrBindingUnexpected = fault.New(fault.Invalid, "key-binding-unexpected", "there is a key binding where none is looked at")
	ErrBindingMalformed  = fault.New(fault.Invalid, "key-binding-malformed", "the key binding cannot be read")
	ErrBindingType       = fault.New(fault.Invalid, "key-binding-type", "the key binding is of another type")
	ErrBindingKey        = fault.New(fault.Invalid, "key-binding-key", "the issuer named no holder key that can be used")
	ErrBindingSignature  = fault.New(fault.Invalid, "key-binding-signature", "the key binding is not signed by the holder")
	ErrBindingAudience   = fault.New(fault.Invalid, "key-binding-audience", "the key binding is for somebody else")
	ErrBindingNonce      = fault.New(fault.Invalid, "key-binding-nonce", "the key binding answers another request")
	ErrBindingTime       = fault.New(fault.Invalid, "key-binding-time", "the key binding was not made now")
	ErrBindingHash       = fault.New(fault.Invalid, "key-binding-hash", "the key binding is for other disclosures")
)

const (
	maxSDJWT       = 2 * maxJWS
	maxDisclosures = 256

	bindingAge = 5 * time.Minute
	clockSkew  = 30 * time.Second
)

// SDJWT is a compact SD-JWT or SD-JWT+KB (RFC 9901, section 4) taken apart and
// not yet verified. Of the disclosures not even the base64url has been read.
type SDJWT struct {
	Header Header // of the issuer's JWS

	jws         *JWS
	disclosures []string // as they travel
	covered     string   // what sd_hash is taken of: all up to the last "~"
	binding     string   // the compact key binding JWT; "" if there is none
}

// SplitSDJWT takes `<jws>~<disclosure>~…~[<key binding>]` apart. typ lists what
// the issuer's header may call itself; with none nothing is accepted. The JSON
// serializations (RFC 9901, section 8) are not read: one form is enough for
// every wallet, and each further one is another way to say the same thing.
func SplitSDJWT(s string, typ ...string) (*SDJWT, error) {
	if len(s) > maxSDJWT {
		return nil, ErrSDLarge
	}
	last := strings.LastIndexByte(s, '~')
	if last < 0 {
		return nil, ErrSDMalformed
	}
	parts := strings.Split(s[:last], "~")
	if len(parts)-1 > maxDisclosures {
		return nil, ErrSDLarge
	}
	for _, p := range parts {
		if p == "" {
			return nil, ErrSDMalformed
		}
	}
	j, err := OpenJOSE(parts[0], typ...)
	if err != nil {
		return nil, err
	}
	return &SDJWT{Header: j.Header, jws: j, disclosures: parts[1:], covered: s[:last+1], binding: s[last+1:]}, nil
}

// KeyBinding is what a verifier expects of the holder (RFC 9901, section 7.3).
// It is policy, so it never depends on what was presented. The zero KeyBinding
// accepts nothing.
type KeyBinding struct {
	// None says that the holder is not asked to sign. A key binding that comes
	// all the same is refused, since it would look checked and is not.
	None bool

	Audience string // who asked; the JWT's aud must be this one string
	Nonce    string // of the request
	Now      time.Time
	MaxAge   time.Duration // of the key binding; 0 is five minutes
}

// SDClaims is what an SD-JWT says once issuer, disclosures and key binding are
// verified.
type SDClaims struct {
	Claims    []byte           // a JSON object: what is disclosed is in its place, no digest is left; members sorted
	Disclosed []string         // JSON pointers (RFC 6901) into Claims of what came by disclosure, sorted
	Hidden    int              // digests that nothing was disclosed for, decoys among them
	Holder    crypto.PublicKey // who signed the key binding; nil where none was asked for

	places map[string]bool // pointers of the objects and arrays that hold digests
	tree   map[string]any  // Claims
	owner  map[string]int  // of each disclosed pointer, the index of its disclosure
}

// Verify checks the issuer's signature, then processes payload and disclosures
// (RFC 9901, section 7.1), then checks the key binding (section 7.3). Whether
// the key is the issuer's, and the times in the payload, are the business of
// the profile (VerifySDJWTVC, VC-JOSE-COSE). Nothing is returned with an error.
func (x *SDJWT) Verify(pub crypto.PublicKey, b KeyBinding) (*SDClaims, error) {
	payload, err := x.jws.Verify(pub)
	if err != nil {
		return nil, err
	}
	if b.None && x.binding != "" {
		return nil, ErrBindingUnexpected
	}
	if !b.None && x.binding == "" {
		return nil, ErrBindingMissing
	}
	c, err := x.open(payload)
	if err != nil {
		return nil, err
	}
	if !b.None {
		if c.Holder, err = x.bound(payload, b); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// ClaimsUnverified is for a wallet that looks into what it holds, and verified
// when it came: the claims with all disclosures that are there. It is never for
// a decision.
func (x *SDJWT) ClaimsUnverified() (*SDClaims, error) { return x.open(x.jws.payload) }

// hashes of _sd_alg (IANA Named Information Hash Algorithm registry).
var hashes = map[string]crypto.Hash{"sha-256": crypto.SHA256, "sha-384": crypto.SHA384, "sha-512": crypto.SHA512}

// sdHash gives the hash that a payload names. Absent is sha-256 (RFC 9901,
// section 4.1.1).
func sdHash(payload map[string]any) (crypto.Hash, error) {
	alg, there := payload["_sd_alg"]
	if !there {
		return crypto.SHA256, nil
	}
	name, _ := alg.(string)
	if h, ok := hashes[name]; ok {
		return h, nil
	}
	return 0, ErrSDHash
}

func digest(h crypto.Hash, text string) string {
	w := h.New()
	w.Write([]byte(text))
	return b64.EncodeToString(w.Sum(nil))
}

// disclosure is one disclosure decoded: a claim with its name, or an element
// of an array.
type disclosure struct {
	index   int
	element bool
	name    string
	value   any
	used    bool
}

// weaver puts disclosures into their places.
type weaver struct {
	found map[string]*disclosure // by digest
	met   map[string]bool        // digests, wherever they stand
	out   *SDClaims
}

// open processes a payload whose signature held.
func (x *SDJWT) open(payload []byte) (*SDClaims, error) {
	root, err := sdObject(payload)
	if err != nil {
		return nil, err
	}
	hash, err := sdHash(root)
	if err != nil {
		return nil, err
	}
	delete(root, "_sd_alg")
	w := &weaver{
		found: make(map[string]*disclosure, len(x.disclosures)),
		met:   map[string]bool{},
		out:   &SDClaims{places: map[string]bool{}, owner: map[string]int{}},
	}
	for i, text := range x.disclosures {
		d, err := parseDisclosure(text)
		if err != nil {
			return nil, err
		}
		d.index = i
		sum := digest(hash, text)
		if w.found[sum] != nil {
			return nil, ErrSDTwice
		}
		w.found[sum] = d
	}
	v, err := w.resolve(root, "", 1)
	if err != nil {
		return nil, err
	}
	for _, d := range w.found {
		if !d.used {
			return nil, ErrSDStray
		}
	}
	c := w.out
	c.tree = v.(map[string]any)
	if c.Claims, err = compactJSON(v); err != nil {
		return nil, err
	}
	// Names that differ only in case were told apart above; a reader of Claims
	// may not do so.
	if err := CheckJSON(c.Claims, MaxDepth); err != nil {
		if errors.Is(err, ErrJSONTwice) {
			return nil, ErrSDCollision.With(err)
		}
		return nil, err
	}
	slices.Sort(c.Disclosed)
	return c, nil
}

func sdObject(payload []byte) (map[string]any, error) {
	v, err := sdValue(payload)
	if err != nil {
		return nil, ErrSDPayload.With(err)
	}
	root, ok := v.(map[string]any)
	if !ok {
		return nil, ErrSDPayload
	}
	return root, nil
}

// sdValue reads strict JSON and keeps numbers as they are written.
func sdValue(data []byte) (any, error) {
	if err := CheckJSON(data, MaxDepth); err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, ErrJSON.With(err)
	}
	return v, nil
}

func parseDisclosure(text string) (*disclosure, error) {
	// The decoder skips line ends, which would be a second spelling.
	if strings.ContainsAny(text, "\r\n") {
		return nil, ErrSDDisclosure
	}
	data, err := b64.DecodeString(text)
	if err != nil {
		return nil, ErrSDDisclosure.With(err)
	}
	v, err := sdValue(data)
	if err != nil {
		return nil, ErrSDDisclosure.With(err)
	}
	list, ok := v.([]any)
	if !ok {
		return nil, ErrSDDisclosure
	}
	if len(list) != 2 && len(list) != 3 {
		return nil, ErrSDShape
	}
	if _, ok := list[0].(string); !ok { // the salt
		return nil, ErrSDShape
	}
	d := &disclosure{element: len(list) == 2, value: list[len(list)-1]}
	if !d.element {
		if d.name, ok = list[1].(string); !ok {
			return nil, ErrSDShape
		}
		if reserved(d.name) {
			return nil, ErrSDReserved
		}
	}
	return d, nil
}

// reserved reports whether a name is not one that a claim may have (RFC 9901,
// sections 4.1 and 4.2.1). _sd_alg has its place in the payload itself.
func reserved(name string) bool { return name == "_sd" || name == "..." || name == "_sd_alg" }

// resolve gives v with everything disclosed in its place and all digests taken
// away. at is the JSON pointer of v, depth counts v itself.
func (w *weaver) resolve(v any, at string, depth int) (any, error) {
	switch t := v.(type) {
	case map[string]any:
		if depth > MaxDepth {
			return nil, ErrJSONDeep
		}
		return w.object(t, at, depth)
	case []any:
		if depth > MaxDepth {
			return nil, ErrJSONDeep
		}
		return w.array(t, at, depth)
	}
	return v, nil
}

func (w *weaver) object(m map[string]any, at string, depth int) (any, error) {
	digests, err := objectDigests(m)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if reserved(name) {
			return nil, ErrSDReserved
		}
		if m[name], err = w.resolve(m[name], at+"/"+escapePointer(name), depth+1); err != nil {
			return nil, err
		}
	}
	if len(digests) > 0 {
		w.out.places[at] = true
	}
	for _, sum := range digests {
		d, err := w.take(sum)
		if err != nil {
			return nil, err
		}
		if d == nil {
			continue
		}
		if d.element {
			return nil, ErrSDShape
		}
		if _, there := m[d.name]; there {
			return nil, ErrSDCollision
		}
		if m[d.name], err = w.disclose(d, at+"/"+escapePointer(d.name), depth); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// objectDigests takes _sd out of an object.
func objectDigests(m map[string]any) ([]string, error) {
	sd, there := m["_sd"]
	if !there {
		return nil, nil
	}
	list, ok := sd.([]any)
	if !ok {
		return nil, ErrSDDigests
	}
	digests := make([]string, len(list))
	for i, e := range list {
		if digests[i], ok = e.(string); !ok {
			return nil, ErrSDDigests
		}
	}
	delete(m, "_sd")
	return digests, nil
}

func (w *weaver) array(list []any, at string, depth int) (any, error) {
	out := make([]any, 0, len(list))
	for _, e := range list {
		here := at + "/" + strconv.Itoa(len(out))
		sum, is, err := elementDigest(e)
		if err != nil {
			return nil, err
		}
		if !is {
			if e, err = w.resolve(e, here, depth+1); err != nil {
				return nil, err
			}
			out = append(out, e)
			continue
		}
		w.out.places[at] = true
		d, err := w.take(sum)
		if err != nil {
			return nil, err
		}
		if d == nil {
			continue
		}
		if !d.element {
			return nil, ErrSDShape
		}
		if e, err = w.disclose(d, here, depth); err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

// elementDigest tells whether an element of an array stands for a hidden one.
func elementDigest(e any) (sum string, is bool, err error) {
	m, ok := e.(map[string]any)
	if !ok {
		return "", false, nil
	}
	v, there := m["..."]
	if !there {
		return "", false, nil
	}
	sum, ok = v.(string)
	if !ok || len(m) != 1 {
		return "", false, ErrSDDigests
	}
	return sum, true, nil
}

// take gives the disclosure of a digest, nil if it stays hidden.
func (w *weaver) take(sum string) (*disclosure, error) {
	if w.met[sum] {
		return nil, ErrSDDigestTwice
	}
	w.met[sum] = true
	d := w.found[sum]
	if d == nil {
		w.out.Hidden++
		return nil, nil
	}
	d.used = true
	return d, nil
}

// disclose puts the value of d at a pointer, one level below depth.
func (w *weaver) disclose(d *disclosure, at string, depth int) (any, error) {
	w.out.Disclosed = append(w.out.Disclosed, at)
	w.out.owner[at] = d.index
	return w.resolve(d.value, at, depth+1)
}

// bound checks the key binding JWT (RFC 9901, sections 4.3 and 7.3) and gives
// the holder's key. That key is read from the payload as it was signed: a cnf
// which the holder could leave out would let anybody be the holder.
func (x *SDJWT) bound(payload []byte, b KeyBinding) (crypto.PublicKey, error) {
	root, err := sdObject(payload)
	if err != nil {
		return nil, err
	}
	hash, err := sdHash(root)
	if err != nil {
		return nil, err
	}
	holder, err := holderKey(root)
	if err != nil {
		return nil, err
	}
	kb, err := SplitJWS(x.binding)
	if err != nil {
		return nil, ErrBindingMalformed.With(err)
	}
	if kb.Header.Typ != TypKeyBinding {
		return nil, ErrBindingType
	}
	data, err := kb.Verify(holder)
	if err != nil {
		return nil, ErrBindingSignature.With(err)
	}
	var c struct {
		IssuedAt  json.RawMessage `json:"iat"`
		Audience  json.RawMessage `json:"aud"`
		Nonce     string          `json:"nonce"`
		Hash      string          `json:"sd_hash"`
		NotBefore json.RawMessage `json:"nbf"`
		Expires   json.RawMessage `json:"exp"`
	}
	if err := StrictJSON(data, &c, MaxDepth); err != nil {
		return nil, ErrBindingMalformed.With(err)
	}
	var aud string
	if json.Unmarshal(c.Audience, &aud) != nil || aud == "" || aud != b.Audience {
		return nil, ErrBindingAudience
	}
	if c.Nonce == "" || c.Nonce != b.Nonce {
		return nil, ErrBindingNonce
	}
	if err := b.fresh(c.IssuedAt, c.NotBefore, c.Expires); err != nil {
		return nil, err
	}
	if c.Hash != digest(hash, x.covered) {
		return nil, ErrBindingHash
	}
	return holder, nil
}

// fresh checks the times of a key binding; nbf and exp only where they are. Of
// a policy without a Now every time is in the future.
func (b *KeyBinding) fresh(iat, nbf, exp json.RawMessage) error {
	age := b.MaxAge
	if age <= 0 {
		age = bindingAge
	}
	at, ok := numericDate(iat)
	if !ok || at.After(b.Now.Add(clockSkew)) || b.Now.Sub(at) > age {
		return ErrBindingTime
	}
	if nbf != nil {
		if t, ok := numericDate(nbf); !ok || t.After(b.Now.Add(clockSkew)) {
			return ErrBindingTime
		}
	}
	if exp != nil {
		if t, ok := numericDate(exp); !ok || !b.Now.Before(t.Add(clockSkew)) {
			return ErrBindingTime
		}
	}
	return nil
}

// numericDate reads a NumericDate (RFC 7519, section 2) between 1970 and the
// year 9999, to the second.
func numericDate(number []byte) (time.Time, bool) {
	if len(number) == 0 || number[0] < '0' || number[0] > '9' {
		return time.Time{}, false
	}
	f, err := strconv.ParseFloat(string(number), 64)
	if err != nil || !(f >= 0 && f < 253402300800) {
		return time.Time{}, false
	}
	return time.Unix(int64(f), 0).UTC(), true
}

// holderKey reads cnf.jwk (RFC 7800, section 3.2) of a signed payload.
func holderKey(root map[string]any) (crypto.PublicKey, error) {
	cnf, _ := root["cnf"].(map[string]any)
	if _, ok := cnf["jwk"].(map[string]any); !ok {
		return nil, ErrBindingKey
	}
	data, err := compactJSON(cnf["jwk"])
	if err != nil {
		return nil, err
	}
	pub, err := ParseJWK(data)
	if err != nil {
		return nil, ErrBindingKey.With(err)
	}
	return pub, nil
}

// Presenting is what a holder wants to show.
type Presenting struct {
	// Disclose holds JSON pointers into the claims with everything disclosed.
	// Each claim is shown, with what it stands in, and nothing more: what is
	// hidden below it stays hidden. A claim that is visible anyway may be named.
	Disclose []string
	// Whole holds JSON pointers that are shown with all that is below them.
	Whole []string

	// Holder signs the key binding. Nil leaves it out.
	Holder   *keys.Signer
	Audience string
	Nonce    string
	At       time.Time
}

// Present gives the SD-JWT with the chosen disclosures, in the issuer's order,
// and the key binding. x is one that the holder verified when it came.
func (x *SDJWT) Present(p Presenting) (string, error) {
	if x.binding != "" {
		return "", ErrBindingUnexpected
	}
	c, err := x.open(x.jws.payload)
	if err != nil {
		return "", err
	}
	keep := make([]bool, len(x.disclosures))
	for _, at := range slices.Concat(p.Disclose, p.Whole) {
		if !c.has(at) {
			return "", ErrSDPointer
		}
		for up, i := range c.owner {
			if at == up || below(at, up) {
				keep[i] = true
			}
		}
	}
	for _, at := range p.Whole {
		for down, i := range c.owner {
			if below(down, at) {
				keep[i] = true
			}
		}
	}
	var out strings.Builder
	out.WriteString(x.covered[:strings.IndexByte(x.covered, '~')+1])
	for i, d := range x.disclosures {
		if keep[i] {
			out.WriteString(d)
			out.WriteByte('~')
		}
	}
	if p.Holder == nil {
		return out.String(), nil
	}
	kb, err := x.bind(out.String(), p)
	if err != nil {
		return "", err
	}
	return out.String() + kb, nil
}

// bind signs a key binding JWT over what is presented.
func (x *SDJWT) bind(presented string, p Presenting) (string, error) {
	root, err := sdObject(x.jws.payload)
	if err != nil {
		return "", err
	}
	holder, err := holderKey(root)
	if err != nil {
		return "", err
	}
	if !sameKey(holder, p.Holder.Public()) || p.Audience == "" || p.Nonce == "" || p.At.IsZero() {
		return "", ErrBindingKey
	}
	hash, err := sdHash(root)
	if err != nil {
		return "", err
	}
	data, err := compactJSON(map[string]any{
		"iat": p.At.Unix(), "aud": p.Audience, "nonce": p.Nonce, "sd_hash": digest(hash, presented),
	})
	if err != nil {
		return "", err
	}
	s := *p.Holder
	s.KID = "" // cnf names the key; its DID would be one more handle
	return SignJWS(s, TypKeyBinding, "", data)
}

// has reports whether a pointer names something in the claims.
func (c *SDClaims) has(at string) bool {
	_, ok := lookup(c.tree, at)
	return ok
}

// lookup follows a JSON pointer (RFC 6901).
func lookup(v any, at string) (any, bool) {
	if at == "" {
		return v, true
	}
	if at[0] != '/' {
		return nil, false
	}
	for _, step := range strings.Split(at[1:], "/") {
		switch t := v.(type) {
		case map[string]any:
			var ok bool
			if v, ok = t[unescapePointer(step)]; !ok {
				return nil, false
			}
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(t) || step != strconv.Itoa(i) {
				return nil, false
			}
			v = t[i]
		default:
			return nil, false
		}
	}
	return v, true
}

// below reports whether pointer a names something inside of what b names.
func below(a, b string) bool {
	return len(a) > len(b) && a[len(b)] == '/' && strings.HasPrefix(a, b)
}

var (
	pointerEscape   = strings.NewReplacer("~", "~0", "/", "~1")
	pointerUnescape = strings.NewReplacer("~1", "/", "~0", "~")
)

func escapePointer(name string) string   { return pointerEscape.Replace(name) }
func unescapePointer(step string) string { return pointerUnescape.Replace(step) }

// DottedPointer turns a path such as credentialSubject.phones[0].number into a
// JSON pointer. Names with a dot or a bracket cannot be written that way.
func DottedPointer(path string) (string, error) {
	var out strings.Builder
	for _, part := range strings.Split(path, ".") {
		name, rest, indexed := strings.Cut(part, "[")
		if name == "" || strings.Contains(name, "]") {
			return "", ErrSDPointer
		}
		out.WriteString("/" + escapePointer(name))
		for indexed {
			var index string
			if index, rest, indexed = strings.Cut(rest, "]"); !indexed {
				return "", ErrSDPointer
			}
			if n, err := strconv.Atoi(index); err != nil || n < 0 || strconv.Itoa(n) != index {
				return "", ErrSDPointer
			}
			out.WriteString("/" + index)
			if rest == "" {
				break
			}
			if rest[0] != '[' {
				return "", ErrSDPointer
			}
			rest = rest[1:]
		}
	}
	return out.String(), nil
}

// SDOptions is how MakeSDJWT hides.
type SDOptions struct {
	// Never holds JSON pointers of claims that stay visible, with all that is in
	// them and all that they are in.
	Never []string
	// Pad holds, by the JSON pointer of an object or array, how many digests it
	// has at least, if it is there at all. Decoys fill up, so that their number
	// does not tell what there is.
	Pad map[string]int
	// Salt gives the salt of the claim at a pointer, and of decoys (""). Nil is
	// 128 bits of fresh randomness, and right outside of tests.
	Salt func(pointer string) (string, error)
}

// MakeSDJWT turns claims, a JSON object, into the payload of an SD-JWT (RFC
// 9901, section 4.1) and its disclosures. disclose holds the JSON pointers of
// what the holder may hide: members of objects, elements of arrays, also inside
// one another. A pointer that names nothing is refused (ErrSDPointer), and so
// is one that o.Never forbids (ErrNotDisclosable). Digests are SHA-256 and
// sorted, so that their order tells nothing. The payload is to be signed as it
// is.
func MakeSDJWT(claims []byte, disclose []string, o SDOptions) (payload []byte, disclosures []string, err error) {
	root, err := sdObject(claims)
	if err != nil {
		return nil, nil, err
	}
	if len(disclose) > maxDisclosures {
		return nil, nil, ErrSDLarge
	}
	m := &maker{hide: make(map[string]bool, len(disclose)), o: o}
	for _, at := range disclose {
		for _, never := range o.Never {
			if at == never || below(at, never) || below(never, at) {
				return nil, nil, ErrNotDisclosable
			}
		}
		if _, there := lookup(root, at); at == "" || !there || m.hide[at] {
			return nil, nil, ErrSDPointer
		}
		m.hide[at] = true
	}
	v, err := m.value(root, "")
	if err != nil {
		return nil, nil, err
	}
	v.(map[string]any)["_sd_alg"] = "sha-256"
	if payload, err = compactJSON(v); err != nil {
		return nil, nil, err
	}
	size := b64.EncodedLen(len(payload)) + 1024 // header and signature
	if size > maxJWS {
		return nil, nil, ErrSDLarge
	}
	for _, d := range m.out {
		size += len(d) + 1
	}
	if size > maxSDJWT {
		return nil, nil, ErrSDLarge
	}
	return payload, m.out, nil
}

type maker struct {
	hide map[string]bool
	o    SDOptions
	out  []string
}

// value gives v with what is to be hidden replaced by digests.
func (m *maker) value(v any, at string) (any, error) {
	switch t := v.(type) {
	case map[string]any:
		return m.object(t, at)
	case []any:
		return m.array(t, at)
	}
	return v, nil
}

func (m *maker) object(t map[string]any, at string) (any, error) {
	out := make(map[string]any, len(t))
	var digests []any
	for _, name := range slices.Sorted(maps.Keys(t)) {
		if reserved(name) {
			return nil, ErrSDReserved
		}
		here := at + "/" + escapePointer(name)
		v, err := m.value(t[name], here)
		if err != nil {
			return nil, err
		}
		if !m.hide[here] {
			out[name] = v
			continue
		}
		sum, err := m.add(here, name, v)
		if err != nil {
			return nil, err
		}
		digests = append(digests, sum)
	}
	for len(digests) < m.o.Pad[at] {
		sum, err := m.decoy()
		if err != nil {
			return nil, err
		}
		digests = append(digests, sum)
	}
	if len(digests) == 0 {
		return out, nil
	}
	slices.SortFunc(digests, func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
	out["_sd"] = digests
	return out, nil
}

func (m *maker) array(t []any, at string) (any, error) {
	out := make([]any, 0, max(len(t), m.o.Pad[at]))
	hidden := 0
	for i, v := range t {
		here := at + "/" + strconv.Itoa(i)
		v, err := m.value(v, here)
		if err != nil {
			return nil, err
		}
		if m.hide[here] {
			sum, err := m.add(here, v)
			if err != nil {
				return nil, err
			}
			v = map[string]any{"...": sum}
			hidden++
		}
		out = append(out, v)
	}
	for ; hidden < m.o.Pad[at]; hidden++ {
		sum, err := m.decoy()
		if err != nil {
			return nil, err
		}
		out = append(out, map[string]any{"...": sum})
	}
	return out, nil
}

// add makes one disclosure, of a name and its value or of an element alone, and
// gives its digest.
func (m *maker) add(at string, what ...any) (string, error) {
	salt, err := m.salt(at)
	if err != nil {
		return "", err
	}
	data, err := compactJSON(append([]any{salt}, what...))
	if err != nil {
		return "", err
	}
	text := b64.EncodeToString(data)
	m.out = append(m.out, text)
	return digest(crypto.SHA256, text), nil
}

// decoy gives the digest of nothing that anybody could disclose.
func (m *maker) decoy() (string, error) {
	salt, err := m.salt("")
	return digest(crypto.SHA256, salt), err
}

func (m *maker) salt(at string) (string, error) {
	if m.o.Salt != nil {
		return m.o.Salt(at)
	}
	var b [16]byte
	_, err := rand.Read(b[:])
	return b64.EncodeToString(b[:]), err
}

// compactJSON writes v without white space and without escaping for HTML, the
// members of objects sorted.
func compactJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
