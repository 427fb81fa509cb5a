//go:build !js

package vc

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/keys"
)

// Types of SD-JWT VCs that Kinpass issues (SD-JWT VC, section 3.2.2.1).
const (
	VctBase         = "https://w3id.org/kinpass/vct/"
	VctBirth        = VctBase + "birth/1"
	VctGuardianship = VctBase + "guardianship/1"
)

// Errors of SD-JWT VCs.
var (
	ErrVctPolicy     = fault.New(fault.Internal, "sd-jwt-vc-policy", "an SD-JWT VC was to be checked without keys or without a time")
	ErrVctClaims     = fault.New(fault.Invalid, "sd-jwt-vc-claims", "a claim of the SD-JWT VC does not have its form")
	ErrVctType       = fault.New(fault.Invalid, "sd-jwt-vc-type", "the SD-JWT VC is of a type that is not known here")
	ErrVctIssuer     = fault.New(fault.Invalid, "sd-jwt-vc-issuer", "the key that signed is not one of the issuer")
	ErrVctExpired    = fault.New(fault.Invalid, "sd-jwt-vc-expired", "the SD-JWT VC has expired")
	ErrVctNotYet     = fault.New(fault.Invalid, "sd-jwt-vc-not-yet", "the SD-JWT VC is not valid yet")
	ErrVctStatus     = fault.New(fault.Invalid, "sd-jwt-vc-status", "the status of the SD-JWT VC cannot be read")
	ErrVctIntegrity  = fault.New(fault.Invalid, "sd-jwt-vc-integrity", "the SD-JWT VC was issued for another description of its type")
	ErrVctIncomplete = fault.New(fault.Invalid, "sd-jwt-vc-incomplete", "a claim that must always be visible is missing")
	ErrVctOpen       = fault.New(fault.Unprocessable, "sd-jwt-vc-open", "a claim that the holder must be able to hide cannot be hidden")
)

//go:embed vct
var vctTree embed.FS

// VctFiles gives the Type Metadata documents (SD-JWT VC, section 6.2) by their
// path below VctBase, such as "birth/1". The bytes are the caller's.
func VctFiles() map[string][]byte {
	files := map[string][]byte{}
	err := fs.WalkDir(vctTree, "vct", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := vctTree.ReadFile(path)
		files[strings.TrimSuffix(strings.TrimPrefix(path, "vct/"), ".json")] = data
		return err
	})
	if err != nil {
		panic(err) // the files are part of the binary
	}
	return files
}

// neverDisclosable are the claims that no SD-JWT VC may hide (SD-JWT VC,
// section 3.2.2.2): JSON pointers, each with all that is inside.
var neverDisclosable = []string{"/iss", "/nbf", "/exp", "/cnf", "/vct", "/vct#integrity", "/status"}

// sdType is what the type metadata of a vct says. Paths are JSON pointers with
// "*" for every element of an array.
type sdType struct {
	vct       string
	integrity string          // "sha256-…" of the document (W3C SRI)
	hide      map[string]bool // must be disclosable; nothing else may be
	homes     map[string]bool // the objects and arrays that those are in
	visible   []string        // must be there and visible
	never     []string        // JSON pointers for MakeSDJWT
	pad       map[string]int  // for MakeSDJWT; see SDOptions
	schema    string          // of the claims without the envelope
}

// sdTypes reads the type metadata once.
var sdTypes = sync.OnceValue(func() map[string]*sdType {
	types := map[string]*sdType{}
	for path, data := range VctFiles() {
		var doc struct {
			Vct    string `json:"vct"`
			Claims []struct {
				Path      []*string `json:"path"`
				SD        string    `json:"sd"`
				Mandatory bool      `json:"mandatory"`
			} `json:"claims"`
		}
		if err := json.Unmarshal(data, &doc); err != nil || doc.Vct != VctBase+path {
			panic("vc: type metadata is part of the binary")
		}
		sum := sha256.Sum256(data)
		t := &sdType{
			vct: doc.Vct, integrity: "sha256-" + base64.StdEncoding.EncodeToString(sum[:]),
			hide: map[string]bool{}, homes: map[string]bool{}, never: slices.Clone(neverDisclosable),
		}
		for _, c := range doc.Claims {
			at := ""
			for _, step := range c.Path {
				if step == nil {
					at += "/*"
				} else {
					at += "/" + escapePointer(*step)
				}
			}
			switch {
			case c.SD == "always":
				t.hide[at] = true
				t.homes[at[:strings.LastIndexByte(at, '/')]] = true
			case c.Mandatory:
				t.visible = append(t.visible, at)
			}
		}
		switch doc.Vct {
		case VctBirth:
			t.schema = SchemaRegistrationBirth
			// Members that not every record has, and how many names, parents and
			// documents there are, cannot be counted from outside.
			t.pad = map[string]int{"": 16, "/names": 4, "/parentage": 4, "/placeOfBirth": 6, "/registration": 6, "/travelDocuments": 3}
		case VctGuardianship:
			t.schema = SchemaRegistrationGuard
			t.never = append(t.never, neverInGuardianship...)
			t.pad = map[string]int{"/guardian": 4, "/guardian/names": 4, "/guardian/documents": 3, "/ward": 1}
		}
		types[doc.Vct] = t
	}
	return types
})

// general replaces the indexes of a JSON pointer into v by "*".
func general(v any, at string) string {
	if at == "" {
		return ""
	}
	out := ""
	for _, step := range strings.Split(at[1:], "/") {
		switch t := v.(type) {
		case []any:
			out += "/*"
			v = nil
			if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(t) {
				v = t[i]
			}
		case map[string]any:
			out += "/" + step
			v = t[unescapePointer(step)]
		default:
			out += "/" + step
		}
	}
	return out
}

// TokenStatus is a reference to a Token Status List (Token Status List,
// section 6): the list's URI and the index in it.
type TokenStatus struct {
	URI   string `json:"uri"`
	Index uint64 `json:"idx"`
}

// SDMeta is what a claims set of an SD-JWT VC says besides its subject.
type SDMeta struct {
	Issuer      string           // iss: the issuer's DID
	Holder      crypto.PublicKey // cnf: Ed25519 or P-256
	From, Until time.Time        // nbf, exp; whole seconds
	Status      TokenStatus
	Day         Date // ages are those of this day; zero is the UTC day of From
}

// ageSteps are the ages that a birth credential tells apart.
var ageSteps = []int{13, 15, 16, 18, 21}

// AgeEqualOrOver tells which ages a child has surely reached on a day. Of an
// uncertain date of birth the latest day counts, which makes the child as young
// as it can be; of an unknown one nothing is sure.
func AgeEqualOrOver(born UncertainDate, on Date) map[string]bool {
	_, latest, known := born.Span()
	ages := make(map[string]bool, len(ageSteps))
	for _, n := range ageSteps {
		ages[strconv.Itoa(n)] = known && !on.IsZero() && !on.Before(latest.AddYears(n))
	}
	return ages
}

// BirthSDJWTVC gives the claims of a birth credential as SD-JWT VC, and the
// JSON pointers of what its holder may hide: everything but the envelope. b is
// the subject of a full credential; PrepareSDJWTVC checks both.
func BirthSDJWTVC(b Birth, m SDMeta) (claims []byte, disclosable []string, err error) {
	day := m.Day
	if day.IsZero() {
		day = DateOf(m.From)
	}
	b.ID = ""
	return sdClaims(VctBirth, b, m, map[string]any{"age_equal_or_over": AgeEqualOrOver(b.BirthDate, day)})
}

// GuardianshipSDJWTVC gives the claims of a guardianship credential as SD-JWT
// VC, and the JSON pointers of what its holder may hide: who the guardian is
// beyond the key, and which birth credential was looked at. Constraints are
// written even where there are none, so that "none" is signed and never guessed
// from an absence.
func GuardianshipSDJWTVC(g Guardianship, m SDMeta) (claims []byte, disclosable []string, err error) {
	g.ID, g.Guardian.HolderKey = "", ""
	if g.Constraints == nil {
		g.Constraints = &Constraints{}
	}
	return sdClaims(VctGuardianship, g, m, nil)
}

func sdClaims(vct string, subject any, m SDMeta, more map[string]any) ([]byte, []string, error) {
	data, err := compactJSON(subject)
	if err != nil {
		return nil, nil, err
	}
	c, err := sdObject(data)
	if err != nil {
		return nil, nil, err
	}
	jwk, err := PublicJWK(m.Holder, "", "")
	if err != nil {
		return nil, nil, err
	}
	if _, err := ParseJWK(jwk); err != nil {
		return nil, nil, err
	}
	key, err := sdObject(jwk)
	if err != nil {
		return nil, nil, err
	}
	delete(key, "use")
	maps.Copy(c, more)
	c["iss"], c["vct"], c["cnf"] = m.Issuer, vct, map[string]any{"jwk": key}
	c["nbf"], c["exp"] = m.From.Unix(), m.Until.Unix()
	c["status"] = map[string]any{"status_list": m.Status}
	claims, err := compactJSON(c)
	if err != nil {
		return nil, nil, err
	}
	root, err := sdObject(claims)
	if err != nil {
		return nil, nil, err
	}
	return claims, sdTypes()[vct].disclosable(root), nil
}

// disclosable lists the JSON pointers of all claims that the type lets hide.
func (t *sdType) disclosable(root map[string]any) []string {
	var list []string
	var walk func(v any, at, pattern string)
	walk = func(v any, at, pattern string) {
		if t.hide[pattern] {
			list = append(list, at)
		}
		switch x := v.(type) {
		case map[string]any:
			for _, name := range slices.Sorted(maps.Keys(x)) {
				step := "/" + escapePointer(name)
				walk(x[name], at+step, pattern+step)
			}
		case []any:
			for i := range x {
				walk(x[i], at+"/"+strconv.Itoa(i), pattern+"/*")
			}
		}
	}
	walk(root, "", "")
	return list
}

// UnsignedSDJWTVC is an SD-JWT VC that passed the checks and may be signed,
// once. It can only be made by PrepareSDJWTVC, or by ReopenSDJWTVC of what that
// made.
type UnsignedSDJWTVC struct {
	Issuer    string       // iss
	Type      string       // vct
	Status    *TokenStatus // nil: none
	NotBefore time.Time
	Expires   time.Time

	payload     []byte
	disclosures []string
	used        atomic.Bool
}

// PrepareSDJWTVC checks what BirthSDJWTVC or GuardianshipSDJWTVC made, and hides
// it behind digests with fresh salts. It refuses a type that is not issued here,
// an envelope that is not complete, a subject that its registration schema
// refuses, a pointer to a claim that must stay visible (ErrNotDisclosable), and
// a claim that the type metadata lets hide and disclosable does not name
// (ErrVctOpen).
func PrepareSDJWTVC(claims []byte, disclosable []string) (*UnsignedSDJWTVC, error) {
	root, err := sdObject(claims)
	if err != nil {
		return nil, err
	}
	vct, _ := root["vct"].(string)
	t := sdTypes()[vct]
	if t == nil {
		return nil, ErrVctType
	}
	for _, at := range disclosable {
		if !t.hide[general(root, at)] {
			return nil, ErrNotDisclosable
		}
	}
	for _, at := range t.disclosable(root) {
		if !slices.Contains(disclosable, at) {
			return nil, ErrVctOpen
		}
	}
	u, err := t.issuable(root)
	if err != nil {
		return nil, err
	}
	u.payload, u.disclosures, err = MakeSDJWT(claims, disclosable, SDOptions{Never: t.never, Pad: t.pad})
	if err != nil {
		return nil, err
	}
	return u, nil
}

// issuable checks the claims of an SD-JWT VC that is to be signed.
func (t *sdType) issuable(root map[string]any) (*UnsignedSDJWTVC, error) {
	v, err := readSDJWTVC(root)
	if err != nil {
		return nil, err
	}
	if err := t.complete(root); err != nil {
		return nil, err
	}
	if _, err := holderKey(root); err != nil {
		return nil, err
	}
	subject, err := compactJSON(t.subject(root))
	if err != nil {
		return nil, err
	}
	if err := ValidateSchema(t.schema, subject); err != nil {
		return nil, err
	}
	return &UnsignedSDJWTVC{Issuer: v.Issuer, Type: v.Type, Status: v.Status, NotBefore: v.NotBefore, Expires: v.Expires}, nil
}

// Bytes gives what Sign will sign and hand out, to be stored until then: the
// SD-JWT with the base64url of its payload alone in the place of the signed
// JWS. Without the disclosures, whose salts are random, a signature over the
// payload would be of no use.
func (u *UnsignedSDJWTVC) Bytes() []byte {
	return []byte(strings.Join(append([]string{b64.EncodeToString(u.payload)}, u.disclosures...), "~") + "~")
}

// ReopenSDJWTVC reads what Bytes gave and checks it as PrepareSDJWTVC does. A
// disclosure that is missing cannot be told from a decoy, unless its claim has
// to be there.
func ReopenSDJWTVC(stored []byte) (*UnsignedSDJWTVC, error) {
	if len(stored) > maxSDJWT {
		return nil, ErrSDLarge
	}
	text, ends := strings.CutSuffix(string(stored), "~")
	parts := strings.Split(text, "~")
	if !ends || len(parts)-1 > maxDisclosures {
		return nil, ErrSDMalformed
	}
	payload, err := b64.DecodeString(parts[0])
	if err != nil {
		return nil, ErrSDMalformed.With(err)
	}
	c, err := (&SDJWT{disclosures: parts[1:]}).open(payload)
	if err != nil {
		return nil, err
	}
	vct, _ := c.tree["vct"].(string)
	t := sdTypes()[vct]
	if t == nil {
		return nil, ErrVctType
	}
	if err := t.check(c); err != nil {
		return nil, err
	}
	for _, at := range t.disclosable(c.tree) {
		if !slices.Contains(c.Disclosed, at) {
			return nil, ErrVctOpen
		}
	}
	u, err := t.issuable(c.tree)
	if err != nil {
		return nil, err
	}
	u.payload, u.disclosures = payload, parts[1:]
	return u, nil
}

// Sign gives the compact SD-JWT with all disclosures. A second call is refused.
func (u *UnsignedSDJWTVC) Sign(s keys.Signer) (string, error) {
	if !u.used.CompareAndSwap(false, true) {
		return "", ErrSignedAlready
	}
	return SignSDJWT(s, TypSDJWTVC, "", u.payload, u.disclosures)
}

// SignSDJWT signs a payload from MakeSDJWT as SignJOSE does, and gives the
// compact SD-JWT with all disclosures.
func SignSDJWT(s keys.Signer, typ, cty string, payload []byte, disclosures []string) (string, error) {
	j, err := SignJOSE(s, typ, cty, payload)
	if err != nil {
		return "", err
	}
	return strings.Join(append([]string{j}, disclosures...), "~") + "~", nil
}

// subject gives the claims without the envelope.
func (t *sdType) subject(root map[string]any) map[string]any {
	s := maps.Clone(root)
	for _, at := range neverDisclosable {
		delete(s, at[1:])
	}
	delete(s, "age_equal_or_over")
	return s
}

// complete checks that everything which must be visible is there.
func (t *sdType) complete(root map[string]any) error {
	if sum, there := root["vct#integrity"]; there && sum != t.integrity {
		return ErrVctIntegrity
	}
	for _, at := range t.visible {
		v, ok := lookup(root, at)
		if !ok || empty(v) && at != "/constraints" && at != "/age_equal_or_over" {
			return ErrVctIncomplete
		}
	}
	if t.vct == VctGuardianship {
		_, err := guardianshipOf(t.subject(root))
		return err
	}
	ages, ok := root["age_equal_or_over"].(map[string]any)
	if !ok {
		return ErrVctClaims
	}
	for name, v := range ages {
		if _, ok := v.(bool); !ok || !t.hide["/age_equal_or_over/"+name] {
			return ErrVctClaims
		}
	}
	return nil
}

// empty reports whether v says nothing.
func empty(v any) bool {
	switch x := v.(type) {
	case nil:
		return true
	case string:
		return x == ""
	case []any:
		return len(x) == 0
	case map[string]any:
		return len(x) == 0
	}
	return false
}

// guardianshipOf reads the visible claims of a guardianship. An order that is
// null or has an unknown name is refused: a decoder would read it as no order.
func guardianshipOf(subject map[string]any) (*Guardianship, error) {
	if hasNull(subject) {
		return nil, ErrVctClaims
	}
	data, err := compactJSON(subject)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	var g Guardianship
	if err := d.Decode(&g); err != nil {
		return nil, ErrVctClaims.With(err)
	}
	_, err = ParseDate(g.Effective.From)
	switch {
	case g.Constraints == nil, len(g.Powers) == 0, g.LegalBasis.Type == "", g.LegalBasis.Law == "", g.Exercise.Mode == "",
		err != nil, g.Termination.MajorityAge < 1, g.Termination.MajorityLaw == "", g.Role == "", g.Ward.ChildRef == "", g.Guardian.Kind == "":
		return nil, ErrVctIncomplete
	}
	return &g, nil
}

func hasNull(v any) bool {
	switch x := v.(type) {
	case nil:
		return true
	case []any:
		return slices.ContainsFunc(x, hasNull)
	case map[string]any:
		for _, m := range x {
			if hasNull(m) {
				return true
			}
		}
	}
	return false
}

// SDPolicy is what a verifier of SD-JWT VCs expects. Keys and Now must be set.
type SDPolicy struct {
	Keys    KeyFinder  // asked for the header's kid; the controller must be iss
	Types   []string   // vct values that are accepted; none is every type
	Binding KeyBinding // Now is taken from the policy's
	Now     time.Time
}

// SDJWTVC is an SD-JWT VC that was verified. Who the issuer is, and what its
// status is, is the caller's to ask.
type SDJWTVC struct {
	*SDClaims
	Issuer    string // iss
	Type      string // vct
	KeyID     string // the verification method that signed
	NotBefore time.Time
	Expires   time.Time    // zero: no end
	Status    *TokenStatus // nil: none
}

// VerifySDJWTVC verifies an SD-JWT VC, with its key binding unless the policy
// has none (SD-JWT VC, section 3.4; RFC 9901, section 7). For the types of
// Kinpass it also holds the issuer to the type metadata: a claim that must be
// visible is there, and nowhere but in the places named there can anything be
// hidden. Nothing is returned with an error.
func VerifySDJWTVC(input string, p SDPolicy) (*SDJWTVC, error) {
	if p.Keys == nil || p.Now.IsZero() {
		return nil, ErrVctPolicy
	}
	x, err := SplitSDJWT(input, TypSDJWTVC)
	if err != nil {
		return nil, err
	}
	if x.Header.Kid == "" {
		return nil, ErrVctIssuer
	}
	pub, controller, err := p.Keys(x.Header.Kid)
	if err != nil {
		return nil, err
	}
	b := p.Binding
	b.Now = p.Now
	c, err := x.Verify(pub, b)
	if err != nil {
		return nil, err
	}
	for _, never := range neverDisclosable {
		if c.touches(never) {
			return nil, ErrNotDisclosable
		}
	}
	v, err := readSDJWTVC(c.tree)
	if err != nil {
		return nil, err
	}
	v.SDClaims, v.KeyID = c, x.Header.Kid
	if v.Issuer != controller || controller == "" {
		return nil, ErrVctIssuer
	}
	if len(p.Types) > 0 && !slices.Contains(p.Types, v.Type) {
		return nil, ErrVctType
	}
	if !v.Expires.IsZero() && !p.Now.Before(v.Expires) {
		return nil, ErrVctExpired
	}
	if p.Now.Add(clockSkew).Before(v.NotBefore) {
		return nil, ErrVctNotYet
	}
	if t := sdTypes()[v.Type]; t != nil {
		if err := t.check(c); err != nil {
			return nil, err
		}
	} else if strings.HasPrefix(v.Type, VctBase) {
		return nil, ErrVctType // a later version, with rules that are not known here
	}
	return v, nil
}

// touches reports whether anything at or below a pointer was or can be hidden.
func (c *SDClaims) touches(never string) bool {
	for _, at := range c.Disclosed {
		if at == never || below(at, never) {
			return true
		}
	}
	for at := range c.places {
		if at == never || below(at, never) {
			return true
		}
	}
	return false
}

// check holds a verified SD-JWT VC to its type metadata.
func (t *sdType) check(c *SDClaims) error {
	for _, at := range c.Disclosed {
		if !t.hide[general(c.tree, at)] {
			return ErrNotDisclosable
		}
	}
	// What stays hidden is not known, only where: a digest at the root of a
	// guardianship could be its constraints.
	for at := range c.places {
		if !t.homes[general(c.tree, at)] {
			return ErrNotDisclosable
		}
	}
	for _, never := range t.never {
		if c.touches(never) {
			return ErrNotDisclosable
		}
	}
	return t.complete(c.tree)
}

// readSDJWTVC reads the envelope.
func readSDJWTVC(root map[string]any) (*SDJWTVC, error) {
	v := &SDJWTVC{}
	v.Issuer, _ = root["iss"].(string)
	v.Type, _ = root["vct"].(string)
	if v.Issuer == "" || len(v.Issuer) > 1000 || v.Type == "" || len(v.Type) > 1000 {
		return nil, ErrVctClaims
	}
	for name, to := range map[string]*time.Time{"nbf": &v.NotBefore, "exp": &v.Expires} {
		n, there := root[name]
		if !there {
			continue
		}
		number, ok := n.(json.Number)
		if ok {
			*to, ok = numericDate([]byte(number))
		}
		if !ok {
			return nil, ErrVctClaims
		}
	}
	if !v.Expires.IsZero() && !v.NotBefore.Before(v.Expires) {
		return nil, ErrVctClaims
	}
	if s, there := root["vct#integrity"]; there {
		if _, ok := s.(string); !ok {
			return nil, ErrVctClaims
		}
	}
	if s, there := root["status"]; there {
		var err error
		if v.Status, err = tokenStatus(s); err != nil {
			return nil, err
		}
	}
	if cnf, there := root["cnf"]; there {
		if _, ok := cnf.(map[string]any); !ok {
			return nil, ErrVctClaims
		}
	}
	return v, nil
}

// tokenStatus reads a status claim. One that names another mechanism, or none,
// is refused: it may say that the credential is revoked.
func tokenStatus(claim any) (*TokenStatus, error) {
	s, _ := claim.(map[string]any)
	list, ok := s["status_list"].(map[string]any)
	if !ok {
		return nil, ErrVctStatus
	}
	uri, _ := list["uri"].(string)
	number, _ := list["idx"].(json.Number)
	index, err := strconv.ParseUint(string(number), 10, 53)
	if uri == "" || len(uri) > 1000 || err != nil {
		return nil, ErrVctStatus
	}
	return &TokenStatus{URI: uri, Index: index}, nil
}
