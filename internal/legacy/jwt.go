package legacy

import (
	"crypto"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"github.com/kinpass/kinpass/internal/vc"
)

// claims are the registered claims of a JWT-VC (VCDM 1.1, section 6.3.1). An
// audience is no claim of a credential that somebody keeps; anything else would
// be signed and then shown to nobody.
type claims struct {
	Issuer  string          `json:"iss"`
	Subject *string         `json:"sub"`
	From    *int64          `json:"nbf"`
	Until   *int64          `json:"exp"`
	Issued  *int64          `json:"iat"`
	ID      *string         `json:"jti"`
	VC      json.RawMessage `json:"vc"`
}

const claimNames = " iss sub nbf exp iat jti vc "

// readJWT reads a JWT-VC. aries writes no typ in the header, others write JWT.
func readJWT(compact string) (*signed, error) {
	head, payload, err := splitJWT(compact)
	if err != nil {
		return nil, err
	}
	s := &signed{input: []byte(compact), format: FormatJWT, alg: head["alg"], method: head["kid"]}
	if s.doc, err = s.fill(payload); err != nil {
		return nil, err
	}
	if s.parts, err = checkModel(s.doc, true); err != nil {
		return nil, err
	}
	j, err := vc.SplitJWS(compact)
	if err != nil {
		return nil, ErrMalformed.With(err)
	}
	s.check = func(pub crypto.PublicKey) error {
		_, err := j.Verify(pub)
		return err
	}
	return s, nil
}

func splitJWT(compact string) (head map[string]string, payload []byte, err error) {
	parts := strings.Split(compact, ".")
	if len(parts) != 3 || strings.ContainsAny(compact, "\r\n") {
		return nil, nil, ErrMalformed
	}
	b64 := base64.RawURLEncoding.Strict()
	raw, err := b64.DecodeString(parts[0])
	if err != nil {
		return nil, nil, ErrMalformed.With(err)
	}
	if payload, err = b64.DecodeString(parts[1]); err != nil {
		return nil, nil, ErrMalformed.With(err)
	}
	var all map[string]json.RawMessage
	if err := vc.StrictJSON(raw, &all, 4); err != nil {
		return nil, nil, err
	}
	head = map[string]string{}
	for name, v := range all {
		var s string
		if json.Unmarshal(v, &s) == nil && v[0] == '"' {
			head[name] = s
		}
	}
	if head["alg"] != "EdDSA" && head["alg"] != "ES256" {
		return nil, nil, ErrAlgorithm
	}
	for name := range all {
		if _, text := head[name]; !text || (name != "alg" && name != "kid" && name != "typ") {
			return nil, nil, ErrHeader
		}
	}
	if typ, has := head["typ"]; has && typ != "JWT" || head["kid"] == "" {
		return nil, nil, ErrHeader
	}
	if parts[2] == "" {
		return nil, nil, ErrNoProof
	}
	return head, payload, nil
}

// fill gives the credential with what the registered claims say in the places
// where the credential leaves it out. What both say must be the same: aries
// would let the claims win.
func (s *signed) fill(payload []byte) ([]byte, error) {
	if err := vc.CheckJSON(payload, maxDepth+1); err != nil {
		return nil, err
	}
	var names map[string]json.RawMessage
	if json.Unmarshal(payload, &names) != nil {
		return nil, ErrMalformed
	}
	if _, has := names["vp"]; has {
		return nil, ErrKind
	}
	if _, has := names["vc"]; !has {
		return nil, ErrVersion
	}
	for name := range names {
		if strings.Contains(name, " ") || !strings.Contains(claimNames, " "+name+" ") {
			return nil, ErrClaims
		}
	}
	var c claims
	if err := json.Unmarshal(payload, &c); err != nil {
		return nil, ErrClaims.With(err)
	}
	var doc map[string]json.RawMessage
	if json.Unmarshal(c.VC, &doc) != nil || doc == nil {
		return nil, ErrMalformed
	}
	if _, has := doc["proof"]; has {
		return nil, ErrProofs
	}
	f := filling{doc: doc}
	f.issuer(c.Issuer)
	f.text("id", c.ID)
	f.date("issuanceDate", c.From)
	f.date("expirationDate", c.Until)
	f.subject(c.Subject)
	if f.bad || c.Issuer == "" {
		return nil, ErrClaims
	}
	return json.Marshal(doc)
}

// filling puts claims into a document; bad says that one contradicted it.
type filling struct {
	doc map[string]json.RawMessage
	bad bool
}

// empty reports whether a member is as good as absent: aries leaves some empty
// where the claim says it.
func (f *filling) empty(name string) bool {
	raw := string(f.doc[name])
	return raw == "" || raw == `""` || raw == "null"
}

func (f *filling) put(name string, v any) {
	raw, err := json.Marshal(v)
	f.doc[name], f.bad = raw, f.bad || err != nil
}

func (f *filling) issuer(iss string) {
	var o map[string]json.RawMessage
	switch {
	case f.empty("issuer"):
		f.put("issuer", iss)
	case json.Unmarshal(f.doc["issuer"], &o) == nil && o["id"] == nil:
		in := filling{doc: o}
		in.put("id", iss)
		f.put("issuer", o)
	default:
		id, ok := identifier(f.doc["issuer"])
		f.bad = f.bad || !ok || id != iss
	}
}

func (f *filling) text(name string, claim *string) {
	if f.empty(name) {
		delete(f.doc, name)
		if claim != nil {
			f.put(name, *claim)
		}
		return
	}
	var s string
	f.bad = f.bad || json.Unmarshal(f.doc[name], &s) != nil || (claim != nil && s != *claim)
}

// date compares to the second, which is as fine as a claim can be.
func (f *filling) date(name string, claim *int64) {
	if claim != nil && (*claim < 0 || *claim > 253402300799) {
		f.bad = true
		return
	}
	if f.empty(name) {
		delete(f.doc, name)
		if claim != nil {
			f.put(name, time.Unix(*claim, 0).UTC().Format(time.RFC3339))
		}
		return
	}
	var s string
	if json.Unmarshal(f.doc[name], &s) != nil {
		f.bad = true
		return
	}
	t, err := time.Parse(time.RFC3339, s)
	f.bad = f.bad || err != nil || (claim != nil && t.Unix() != *claim)
}

func (f *filling) subject(sub *string) {
	if sub == nil || *sub == "" {
		return
	}
	var o map[string]json.RawMessage
	if json.Unmarshal(f.doc["credentialSubject"], &o) != nil || o == nil {
		f.bad = true
		return
	}
	in := filling{doc: o}
	in.text("id", sub)
	f.bad = f.bad || in.bad
	f.put("credentialSubject", o)
}
