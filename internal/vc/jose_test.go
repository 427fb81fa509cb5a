package vc_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jws"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/internal/vectest"
)

var joseAlgs = []string{keys.EdDSA, keys.ES256, keys.ES384, keys.ES512}

// joseSigner makes a fresh key for an algorithm.
func joseSigner(t testing.TB, alg string) keys.Signer {
	t.Helper()
	var key crypto.Signer
	var err error
	switch curve := map[string]elliptic.Curve{keys.ES256: elliptic.P256(), keys.ES384: elliptic.P384(), keys.ES512: elliptic.P521()}[alg]; curve {
	case nil:
		_, key, err = ed25519.GenerateKey(rand.Reader)
	default:
		key, err = ecdsa.GenerateKey(curve, rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	return keys.Signer{KID: "https://issuer.example/keys#1", Alg: alg, Signer: key}
}

// openJOSE is what every caller does.
func openJOSE(compact string, pub crypto.PublicKey, typs ...string) ([]byte, error) {
	v, err := vc.OpenJOSE(compact, typs...)
	if err != nil {
		if v != nil {
			return nil, errors.New("a failed parse gave a value")
		}
		return nil, err
	}
	return v.Verify(pub)
}

func TestJOSERoundTrip(t *testing.T) {
	// The spelling of the payload is the signer's business.
	payload := []byte("{ \"b\" : 1,\t\"a\":\"\\u00e9\" }")
	for _, alg := range joseAlgs {
		s := joseSigner(t, alg)
		compact, err := vc.SignJOSE(s, vc.TypCredential, "vc", payload)
		if err != nil {
			t.Fatal(err)
		}
		got, err := openJOSE(compact, s.Public(), vc.TypPresentation, vc.TypCredential)
		if err != nil || string(got) != string(payload) {
			t.Errorf("%s: %v, payload %s", alg, err, got)
		}
		v, err := vc.OpenJOSE(compact, vc.TypCredential)
		if err != nil || v.Header.Alg != alg || v.Header.Kid != s.KID || v.Header.Cty != "vc" {
			t.Errorf("%s: header %+v, %v", alg, v, err)
		}
		a, _ := jwa.LookupSignatureAlgorithm(alg)
		if got, err := jws.Verify([]byte(compact), jws.WithKey(a, s.Public())); err != nil || string(got) != string(payload) {
			t.Errorf("%s by jwx: %v, payload %s", alg, err, got)
		}
		if own, err := vc.SplitJWS(compact); (err == nil) != (alg == keys.EdDSA || alg == keys.ES256) {
			t.Errorf("%s: the reader of our own services says %v, %v", alg, own, err)
		}
		if _, err := vc.SignJWS(s, vc.TypCredential, "vc", payload); (err == nil) != (alg == keys.EdDSA || alg == keys.ES256) {
			t.Errorf("%s: the pen of our own services says %v", alg, err)
		}
		for _, other := range joseAlgs {
			o := joseSigner(t, other)
			if _, err := openJOSE(compact, o.Public(), vc.TypCredential); !errors.Is(err, vc.ErrSignature) || errors.Is(err, vc.ErrKeyAlgorithm) != (other != alg) {
				t.Errorf("%s with a key for %s: %v", alg, other, err)
			}
		}
	}
}

func TestSignJOSERefuses(t *testing.T) {
	ed, p256 := joseSigner(t, keys.EdDSA), joseSigner(t, keys.ES256)
	typed := func(s keys.Signer, alg string) keys.Signer { s.Alg = alg; return s }
	for name, s := range map[string]keys.Signer{
		"Ed25519 as ES256": typed(ed, keys.ES256), "P-256 as EdDSA": typed(p256, keys.EdDSA),
		"P-256 as ES384": typed(p256, keys.ES384), "P-384 as ES256": typed(joseSigner(t, keys.ES384), keys.ES256),
		"none": typed(ed, "none"), "HS256": typed(ed, "HS256"), "no algorithm": typed(ed, ""), "no key": {Alg: keys.EdDSA},
	} {
		if out, err := vc.SignJOSE(s, vc.TypCredential, "vc", []byte("{}")); !errors.Is(err, keys.ErrAlgorithm) || out != "" {
			t.Errorf("%s: %v", name, err)
		}
		if out, err := vc.SignCOSE(s, vc.MediaCredential, []byte("{}")); !errors.Is(err, keys.ErrAlgorithm) || out != nil {
			t.Errorf("COSE, %s: %v", name, err)
		}
	}
	if _, err := vc.SignJOSE(ed, "", "vc", []byte("{}")); !errors.Is(err, vc.ErrType) {
		t.Errorf("no typ: %v", err)
	}
	if _, err := vc.SignJOSE(ed, vc.TypCredential, "vc", nil); !errors.Is(err, vc.ErrMalformed) {
		t.Errorf("no payload: %v", err)
	}
}

// TestJOSERefuses: everything here carries a signature of the right key over
// exactly what is sent, unless it says otherwise.
func TestJOSERefuses(t *testing.T) {
	s := joseSigner(t, keys.EdDSA)
	key := s.Signer.(ed25519.PrivateKey)
	over := func(head, payload string) string {
		in := enc(head) + "." + enc(payload)
		return in + "." + enc(string(ed25519.Sign(key, []byte(in))))
	}
	header := func(more string) string { return over(`{"alg":"EdDSA","typ":"vc+jwt"`+more+`}`, "{}") }
	good := header(`,"cty":"vc"`)
	if _, err := openJOSE(good, s.Public(), vc.TypCredential); err != nil {
		t.Fatal(err)
	}
	p := strings.Split(good, ".")
	spelled := func(head, payload, sig string) string { return head + "." + payload + "." + sig }
	// The last character of 64 bytes in base64url has four bits to spare.
	bits := p[2][:len(p[2])-1] + string(p[2][len(p[2])-1]+1)
	// A payload whose base64url has bits to spare, signed as it is spelled.
	odd := enc(`{"alg":"EdDSA","typ":"vc+jwt"}`) + ".e31"
	odd += "." + enc(string(ed25519.Sign(key, []byte(odd))))
	mac := func(alg string, secret []byte) string {
		in := enc(`{"alg":"`+alg+`","typ":"vc+jwt"}`) + "." + enc("{}")
		m := hmac.New(sha256.New, secret)
		m.Write([]byte(in))
		return in + "." + enc(string(m.Sum(nil)))
	}
	pub := s.Public().(ed25519.PublicKey)
	deep := strings.Repeat("[", 40) + strings.Repeat("]", 40)
	type refusal struct {
		compact string
		want    *fault.Fault
	}
	cases := map[string]refusal{
		"empty":                    {"", vc.ErrMalformed},
		"dots":                     {"..", vc.ErrMalformed},
		"two parts":                {p[0] + "." + p[1], vc.ErrMalformed},
		"four parts":               {good + "." + p[2], vc.ErrMalformed},
		"five parts":               {"a.b.c.d.e", vc.ErrMalformed},
		"JSON serialization":       {`{"payload":"` + p[1] + `","protected":"` + p[0] + `","signature":"` + p[2] + `"}`, vc.ErrMalformed},
		"unsecured JSON":           {`{"@context":["https://www.w3.org/ns/credentials/v2"]}`, vc.ErrMalformed},
		"no payload":               {spelled(p[0], "", p[2]), vc.ErrMalformed},
		"no signature":             {spelled(p[0], p[1], ""), vc.ErrMalformed},
		"changed payload":          {spelled(p[0], enc(`{"a":1}`), p[2]), vc.ErrSignature},
		"changed header":           {spelled(enc(`{"alg":"EdDSA","typ":"vc+jwt","cty":"vc" }`), p[1], p[2]), vc.ErrSignature},
		"changed signature":        {spelled(p[0], p[1], enc(strings.Repeat("x", 64))), vc.ErrSignature},
		"zero signature":           {spelled(p[0], p[1], enc(string(make([]byte, 64)))), vc.ErrSignature},
		"short signature":          {spelled(p[0], p[1], enc(strings.Repeat("x", 63))), vc.ErrSignature},
		"long signature":           {spelled(p[0], p[1], enc(strings.Repeat("x", 65))), vc.ErrSignature},
		"P-384's length":           {spelled(p[0], p[1], enc(strings.Repeat("x", 96))), vc.ErrSignature},
		"bits to spare":            {spelled(p[0], p[1], bits), vc.ErrMalformed},
		"bits to spare, payload":   {odd, vc.ErrMalformed},
		"padded":                   {good + "==", vc.ErrMalformed},
		"line end":                 {good + "\n", vc.ErrMalformed},
		"line end within":          {spelled(p[0], p[1][:1]+"\n"+p[1][1:], p[2]), vc.ErrMalformed},
		"CR within":                {spelled(p[0][:4]+"\r"+p[0][4:], p[1], p[2]), vc.ErrMalformed},
		"space before":             {" " + good, vc.ErrMalformed},
		"space within":             {spelled(p[0], p[1]+" ", p[2]), vc.ErrMalformed},
		"tab within":               {spelled(p[0], p[1], p[2][:9]+"\t"+p[2][9:]), vc.ErrMalformed},
		"the other alphabet":       {spelled(p[0], p[1], strings.Repeat("+", 86)), vc.ErrMalformed},
		"alg none":                 {over(`{"alg":"none","typ":"vc+jwt"}`, "{}"), vc.ErrJWSAlgorithm},
		"alg NONE":                 {over(`{"alg":"NONE","typ":"vc+jwt"}`, "{}"), vc.ErrJWSAlgorithm},
		"no alg":                   {over(`{"typ":"vc+jwt"}`, "{}"), vc.ErrJWSAlgorithm},
		"alg in other letters":     {over(`{"alg":"eddsa","typ":"vc+jwt"}`, "{}"), vc.ErrJWSAlgorithm},
		"alg null":                 {over(`{"alg":null,"typ":"vc+jwt"}`, "{}"), vc.ErrJWSAlgorithm},
		"alg a list":               {over(`{"alg":["EdDSA"],"typ":"vc+jwt"}`, "{}"), vc.ErrMalformed},
		"HMAC with the public key": {mac("HS256", pub), vc.ErrJWSAlgorithm},
		"HMAC said to be EdDSA":    {mac("EdDSA", pub), vc.ErrSignature},
		"alg ES256":                {over(`{"alg":"ES256","typ":"vc+jwt"}`, "{}"), vc.ErrKeyAlgorithm},
		"alg ES384":                {over(`{"alg":"ES384","typ":"vc+jwt"}`, "{}"), vc.ErrSignature},
		"alg ES256K":               {over(`{"alg":"ES256K","typ":"vc+jwt"}`, "{}"), vc.ErrJWSAlgorithm},
		"alg RS256":                {over(`{"alg":"RS256","typ":"vc+jwt"}`, "{}"), vc.ErrJWSAlgorithm},
		"crit":                     {header(`,"crit":["exp"],"exp":1`), vc.ErrCritical},
		"crit empty":               {header(`,"crit":[]`), vc.ErrCritical},
		"crit null":                {header(`,"crit":null`), vc.ErrCritical},
		"b64 false":                {header(`,"b64":false`), vc.ErrCritical},
		"b64 true":                 {header(`,"b64":true`), vc.ErrCritical},
		"b64 null":                 {header(`,"b64":null`), vc.ErrCritical},
		"b64 false and crit":       {header(`,"b64":false,"crit":["b64"]`), vc.ErrCritical},
		"no typ":                   {over(`{"alg":"EdDSA"}`, "{}"), vc.ErrType},
		"typ JWT":                  {over(`{"alg":"EdDSA","typ":"JWT"}`, "{}"), vc.ErrType},
		"typ of a presentation":    {over(`{"alg":"EdDSA","typ":"vp+jwt"}`, "{}"), vc.ErrType},
		"typ of an SD-JWT":         {over(`{"alg":"EdDSA","typ":"vc+sd-jwt"}`, "{}"), vc.ErrType},
		"typ in other letters":     {over(`{"alg":"EdDSA","typ":"VC+JWT"}`, "{}"), vc.ErrType},
		"typ a number":             {over(`{"alg":"EdDSA","typ":1}`, "{}"), vc.ErrMalformed},
		"cty of a presentation":    {header(`,"cty":"vp"`), vc.ErrContentType},
		"cty JWT (nested)":         {over(`{"alg":"EdDSA","typ":"vc+jwt","cty":"JWT"}`, good), vc.ErrContentType},
		"cty bad":                  {header(`,"cty":"bad+cty"`), vc.ErrContentType},
		"header member twice":      {header(`,"kid":"a","kid":"b"`), vc.ErrMalformed},
		"header member in case":    {header(`,"Alg":"none"`), vc.ErrMalformed},
		"header a list":            {over(`["EdDSA"]`, "{}"), vc.ErrMalformed},
		"header null":              {over(`null`, "{}"), vc.ErrJWSAlgorithm},
		"header cut":               {over(`{"alg":"EdDSA"`, "{}"), vc.ErrMalformed},
		"header and more":          {over(`{"alg":"EdDSA","typ":"vc+jwt"} {}`, "{}"), vc.ErrMalformed},
		"header no UTF-8":          {header(`,"x":"` + "\xff" + `"`), vc.ErrMalformed},
		"header deep":              {header(`,"x":` + deep), vc.ErrMalformed},
		"header huge":              {header(`,"x5c":"` + strings.Repeat("A", 13<<10) + `"`), vc.ErrJWSLarge},
		"oversize":                 {over(`{"alg":"EdDSA","typ":"vc+jwt"}`, `{"a":"`+strings.Repeat("A", 200<<10)+`"}`), vc.ErrJWSLarge},
	}
	for name, c := range cases {
		payload, err := openJOSE(c.compact, s.Public(), vc.TypCredential)
		if !errors.Is(err, c.want) || payload != nil {
			t.Errorf("%s: %v, want %s", name, err, c.want.Code)
		}
	}
	// RFC 7515, section 4.1.9: both spellings of a media type are one.
	if _, err := openJOSE(over(`{"alg":"EdDSA","typ":"application/vc+jwt","cty":"application/vc"}`, "{}"), s.Public(), vc.TypCredential); err != nil {
		t.Errorf("whole media types: %v", err)
	}
	if _, err := openJOSE(good, s.Public()); !errors.Is(err, vc.ErrType) {
		t.Errorf("no typ asked for: %v", err)
	}
	var noKey *ecdsa.PublicKey
	for name, k := range map[string]crypto.PublicKey{
		"nil": nil, "a nil key": noKey, "an empty key": &ecdsa.PublicKey{}, "half a key": pub[:16], "a private key": key, "bytes": []byte(pub),
	} {
		if _, err := openJOSE(good, k, vc.TypCredential); !errors.Is(err, vc.ErrSignature) {
			t.Errorf("%s as key: %v", name, err)
		}
	}
	t.Logf("%d refusals", len(cases)+7)
}

// TestJOSEHeaderKeys: no key, certificate or address inside a header is looked
// at, neither for nor against the signature.
func TestJOSEHeaderKeys(t *testing.T) {
	s, stranger := joseSigner(t, keys.EdDSA), joseSigner(t, keys.EdDSA)
	jwk, err := vc.PublicJWK(stranger.Public(), s.KID, keys.EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	for name, more := range map[string]string{
		"jwk": `"jwk":` + string(jwk), "jku": `"jku":"https://stranger.example/jwks.json"`,
		"x5c": `"x5c":["AAAA"]`, "x5u": `"x5u":"https://stranger.example/c.pem"`, "x5t": `"x5t":"AAAA"`,
	} {
		in := enc(`{"alg":"EdDSA","typ":"vc+jwt","kid":"`+s.KID+`",`+more+`}`) + "." + enc("{}")
		by := func(k keys.Signer) string {
			return in + "." + enc(string(ed25519.Sign(k.Signer.(ed25519.PrivateKey), []byte(in))))
		}
		if _, err := openJOSE(by(stranger), s.Public(), vc.TypCredential); !errors.Is(err, vc.ErrSignature) {
			t.Errorf("%s of a stranger: %v", name, err)
		}
		if _, err := openJOSE(by(s), s.Public(), vc.TypCredential); err != nil {
			t.Errorf("%s beside the right signature: %v", name, err)
		}
	}
}

// TestJOSEWrongECDSA: signatures in other encodings, and values outside of the
// group.
func TestJOSEWrongECDSA(t *testing.T) {
	for _, alg := range []string{keys.ES256, keys.ES384, keys.ES512} {
		s := joseSigner(t, alg)
		good, err := vc.SignJOSE(s, vc.TypCredential, "vc", []byte("{}"))
		if err != nil {
			t.Fatal(err)
		}
		in := good[:strings.LastIndexByte(good, '.')]
		size := map[string]int{keys.ES256: 32, keys.ES384: 48, keys.ES512: 66}[alg]
		n := s.Public().(*ecdsa.PublicKey).Params().N
		pair := func(r, s *big.Int) string {
			return enc(string(append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)))
		}
		one := big.NewInt(1)
		h := map[string]crypto.Hash{keys.ES256: crypto.SHA256, keys.ES384: crypto.SHA384, keys.ES512: crypto.SHA512}[alg].New()
		h.Write([]byte(in))
		der, err := ecdsa.SignASN1(rand.Reader, s.Signer.(*ecdsa.PrivateKey), h.Sum(nil))
		if err != nil {
			t.Fatal(err)
		}
		for name, sig := range map[string]string{
			"DER": enc(string(der)), "zeros": pair(new(big.Int), new(big.Int)), "r zero": pair(new(big.Int), one), "s zero": pair(one, new(big.Int)),
			"ones": pair(one, one), "r = n": pair(n, one), "s = n": pair(one, n), "n - 1": pair(new(big.Int).Sub(n, one), new(big.Int).Sub(n, one)),
			"longer by one": enc(strings.Repeat("x", 2*size+1)), "half": enc(strings.Repeat("x", size)),
		} {
			if _, err := openJOSE(in+"."+sig, s.Public(), vc.TypCredential); !errors.Is(err, vc.ErrSignature) {
				t.Errorf("%s, %s: %v", alg, name, err)
			}
		}
	}
}

func TestParseJWKs(t *testing.T) {
	of := map[string]map[string]any{}
	for _, alg := range joseAlgs {
		of[alg] = privateMembers(t, joseSigner(t, alg))
		text, _ := json.Marshal(of[alg])
		s, err := vc.ParsePrivateJWK(text)
		if err != nil || s.Alg != alg || s.KID != "k1" {
			t.Fatalf("%s: %+v, %v", alg, s, err)
		}
		if _, err := vc.ParseJOSEKey(text); !errors.Is(err, vc.ErrJWKPrivate) {
			t.Errorf("%s: a private key as a public one: %v", alg, err)
		}
		public := with(of[alg], "d", nil)
		k, err := vc.ParseJOSEKey(public)
		if err != nil || k.Alg != alg || k.KID != "k1" {
			t.Fatalf("%s: %+v, %v", alg, k, err)
		}
		if _, ok := k.Signer(); ok {
			t.Errorf("%s: a public key signs", alg)
		}
		if _, err := vc.ParsePrivateJWK(public); !errors.Is(err, vc.ErrJWKPrivate) {
			t.Errorf("%s: a public key as a private one: %v", alg, err)
		}
		compact, err := vc.SignJOSE(s, vc.TypCredential, "vc", []byte("{}"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := openJOSE(compact, k.Public, vc.TypCredential); err != nil {
			t.Errorf("%s: what the private half signed: %v", alg, err)
		}
		// The service's own keys stay two.
		if _, err := vc.ParseJWK(public); (err == nil) != (alg == keys.EdDSA || alg == keys.ES256) {
			t.Errorf("%s: ParseJWK says %v", alg, err)
		}
	}
	other := map[string]map[string]any{}
	for _, alg := range joseAlgs {
		other[alg] = privateMembers(t, joseSigner(t, alg))
	}
	short := func(v any) string { s := v.(string); return s[:len(s)-4] }
	p, ed, p521 := of[keys.ES256], of[keys.EdDSA], of[keys.ES512]
	for name, c := range map[string]struct {
		jwk  []byte
		want *fault.Fault
	}{
		"d of another key":          {with(p, "d", other[keys.ES256]["d"]), vc.ErrJWKPair},
		"d of another Ed25519 key":  {with(ed, "d", other[keys.EdDSA]["d"]), vc.ErrJWKPair},
		"x of another Ed25519 key":  {with(ed, "x", other[keys.EdDSA]["x"]), vc.ErrJWKPair},
		"d too short":               {with(p, "d", short(p["d"])), vc.ErrJWKPrivate},
		"d too short, Ed25519":      {with(ed, "d", short(ed["d"])), vc.ErrJWKPrivate},
		"d too long":                {with(p, "d", p["d"].(string)+"AAAA"), vc.ErrJWKPrivate},
		"d too long, Ed25519":       {with(ed, "d", enc(strings.Repeat("x", 33))), vc.ErrJWKPrivate},
		"d zero":                    {with(p, "d", enc(string(make([]byte, 32)))), vc.ErrJWKPrivate},
		"d beyond the order":        {with(p, "d", enc(strings.Repeat("\xff", 32))), vc.ErrJWKPrivate},
		"d beyond the order, P-521": {with(p521, "d", enc(strings.Repeat("\xff", 66))), vc.ErrJWKPrivate},
		"d a number":                {with(p, "d", 7), vc.ErrJWKPrivate},
		"d empty":                   {with(p, "d", ""), vc.ErrJWKPrivate},
		"d padded":                  {with(p, "d", p["d"].(string)+"="), vc.ErrJWKPrivate},
		"d with a line end":         {with(p, "d", p["d"].(string)+"\n"), vc.ErrJWKPrivate},
		"y changed":                 {with(p, "y", flipped(p["y"])), vc.ErrJWKPoint},
		"x and y swapped":           {with(p, "x", p["y"], "y", p["x"]), vc.ErrJWKPoint},
		"coordinates of P-384":      {with(p, "x", of[keys.ES384]["x"], "y", of[keys.ES384]["y"]), vc.ErrJWK},
		"crv of P-384":              {with(p, "crv", "P-384"), vc.ErrJWK},
		"alg of another curve":      {with(p, "alg", "ES384"), vc.ErrJWKUse},
		"alg none":                  {with(p, "alg", "none"), vc.ErrJWKUse},
		"alg null":                  {with(p, "alg", json.RawMessage("null")), vc.ErrJWKUse},
		"alg HS256":                 {with(ed, "alg", "HS256"), vc.ErrJWKUse},
		"use enc":                   {with(p, "use", "enc"), vc.ErrJWKUse},
		"key_ops without sign":      {with(p, "key_ops", []string{"deriveKey"}), vc.ErrJWKUse},
		"key_ops a string":          {with(p, "key_ops", "sign"), vc.ErrJWKUse},
		"key_ops empty":             {with(p, "key_ops", []string{}), vc.ErrJWKUse},
		"secp256k1":                 {with(p, "crv", "secp256k1"), nil},
		"brainpool":                 {with(p, "crv", "BP-256"), vc.ErrJWKKind},
		"X25519":                    {with(ed, "crv", "X25519", "use", nil), vc.ErrJWKKind},
		"Ed448":                     {with(ed, "crv", "Ed448"), vc.ErrJWKKind},
		"kty RSA":                   {with(p, "kty", "RSA"), vc.ErrJWKKind},
		"kty oct":                   {[]byte(`{"kty":"oct","k":"AAAA","d":"AAAA"}`), vc.ErrJWKPrivate},
		"kty missing":               {with(p, "kty", nil), vc.ErrJWK},
		"y missing":                 {with(p, "y", nil), vc.ErrJWK},
		"y at Ed25519":              {with(ed, "y", ed["x"]), vc.ErrJWK},
		"more secrets":              {with(p, "p", "AAAA"), vc.ErrJWKPrivate},
		"kid a number":              {with(p, "kid", 1), vc.ErrJWK},
		"a member twice":            {[]byte(strings.Replace(string(with(p)), `{`, `{"crv":"P-256",`, 1)), vc.ErrJWK},
		"a member twice, by case":   {[]byte(strings.Replace(string(with(p)), `{`, `{"CRV":"P-256",`, 1)), vc.ErrJWK},
		"names in capitals":         {[]byte(strings.ToUpper(`{"kty":"x","d":"x"}`)), vc.ErrJWKPrivate},
		"a set":                     {[]byte(`{"keys":[` + string(with(p)) + `]}`), vc.ErrJWKPrivate},
		"a list":                    {[]byte(`[` + string(with(p)) + `]`), vc.ErrJWK},
		"null":                      {[]byte(`null`), vc.ErrJWKPrivate},
		"nothing":                   {nil, vc.ErrJWK},
		"large":                     {with(p, "note", strings.Repeat("A", 3000)), vc.ErrJWK},
		"deep":                      {with(p, "note", json.RawMessage(strings.Repeat("[", 9)+strings.Repeat("]", 9))), vc.ErrJWK},
	} {
		s, err := vc.ParsePrivateJWK(c.jwk)
		if err == nil || s.Signer != nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Points that RFC 8032 implementations disagree about.
	for name, x := range map[string]string{"of small order": "\x01" + strings.Repeat("\x00", 31), "zero": strings.Repeat("\x00", 32), "not reduced": strings.Repeat("\xff", 32)} {
		if k, err := vc.ParseJOSEKey(fmt.Appendf(nil, `{"kty":"OKP","crv":"Ed25519","x":%q}`, enc(x))); !errors.Is(err, vc.ErrJWKPoint) || k != nil {
			t.Errorf("a point %s: %v", name, err)
		}
	}
}

func TestParseKeyFile(t *testing.T) {
	a, b := privateMembers(t, joseSigner(t, keys.ES384)), privateMembers(t, joseSigner(t, keys.ES384))
	public := func(m map[string]any) json.RawMessage { return with(m, "d", nil) }
	method := func(m map[string]any) []byte { out, _ := json.Marshal(m); return out }
	full := map[string]any{"id": "https://i.example/x#1", "type": "JsonWebKey", "controller": "https://i.example/x", "publicKeyJwk": public(a), "secretKeyJwk": a}
	for name, c := range map[string]struct {
		file  []byte
		kid   string
		signs bool
	}{
		"a verification method": {method(full), "https://i.example/x#1", true},
		"its public half":       {with(full, "secretKeyJwk", nil), "", false},
		"its private half":      {with(full, "publicKeyJwk", nil), "https://i.example/x#1", true},
		"a private JWK":         {method(a), "k1", true},
		"a public JWK":          {public(a), "", false},
	} {
		k, err := vc.ParseKeyFile(c.file)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if s, ok := k.Signer(); ok != c.signs || s.KID != c.kid || k.Alg != keys.ES384 {
			t.Errorf("%s: signs %v as %q", name, ok, s.KID)
		}
		if out := fmt.Sprint(k.LogValue()); strings.Contains(out, a["d"].(string)) {
			t.Errorf("%s: the log shows it", name)
		}
	}
	for name, c := range map[string]struct {
		file []byte
		want *fault.Fault
	}{
		"halves of two keys":     {with(full, "publicKeyJwk", public(b)), vc.ErrJWKPair},
		"halves with two names":  {with(full, "publicKeyJwk", json.RawMessage(with(a, "d", nil, "kid", "k2"))), vc.ErrJWKPair},
		"private in the public":  {with(full, "publicKeyJwk", a), vc.ErrJWKPrivate},
		"public in the private":  {with(full, "secretKeyJwk", public(a)), vc.ErrJWKPrivate},
		"id a number":            {with(full, "id", 1), vc.ErrJWK},
		"controller a list":      {with(full, "controller", []string{"x"}), vc.ErrJWK},
		"a member twice":         {[]byte(`{"secretKeyJwk":{},"secretKeyJwk":{}}`), vc.ErrJWK},
		"a set":                  {[]byte(`{"keys":[]}`), vc.ErrJWK},
		"multibase":              {[]byte(`{"publicKeyMultibase":"z6Mk"}`), vc.ErrJWK},
		"null":                   {[]byte(`null`), vc.ErrJWK},
		"a string":               {[]byte(`"x"`), vc.ErrJWK},
		"large":                  {with(full, "note", strings.Repeat("A", 20000)), vc.ErrJWK},
		"PEM":                    {[]byte("-----BEGIN PRIVATE KEY-----"), vc.ErrJWK},
		"the private half null":  {with(full, "secretKeyJwk", json.RawMessage("null")), vc.ErrJWKPrivate},
		"the public half a text": {with(full, "publicKeyJwk", "x"), vc.ErrJWK},
	} {
		if k, err := vc.ParseKeyFile(c.file); !errors.Is(err, c.want) || k != nil {
			t.Errorf("%s: %v, want %s", name, err, c.want.Code)
		}
	}
}

// privateMembers gives the members of a private JWK, made without the code
// under test.
func privateMembers(t testing.TB, s keys.Signer) map[string]any {
	t.Helper()
	m := map[string]any{"alg": s.Alg, "kid": "k1", "use": "sig", "key_ops": []string{"sign", "verify"}}
	switch k := s.Signer.(type) {
	case ed25519.PrivateKey:
		m["kty"], m["crv"], m["x"], m["d"] = "OKP", "Ed25519", enc(string(k[32:])), enc(string(k.Seed()))
	case *ecdsa.PrivateKey:
		u, err := k.PublicKey.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		d, err := k.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		half := len(u) / 2
		m["kty"], m["crv"], m["x"], m["y"], m["d"] = "EC", k.Params().Name, enc(string(u[1:1+half])), enc(string(u[1+half:])), enc(string(d))
	}
	return m
}

// with gives the members as JSON with some replaced, or left out where the new
// value is nil.
func with(m map[string]any, pairs ...any) []byte {
	c := map[string]any{}
	for k, v := range m {
		c[k] = v
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		if c[pairs[i].(string)] = pairs[i+1]; pairs[i+1] == nil {
			delete(c, pairs[i].(string))
		}
	}
	out, err := json.Marshal(c)
	if err != nil {
		panic(err)
	}
	return out
}

func flipped(v any) string {
	s := v.(string)
	if s[0] == 'A' {
		return "B" + s[1:]
	}
	return "A" + s[1:]
}

// FuzzOpenJOSE: what comes apart has one spelling, and nothing that the key did
// not sign verifies.
func FuzzOpenJOSE(f *testing.F) {
	s := joseSigner(f, keys.EdDSA)
	good, err := vc.SignJOSE(s, vc.TypCredential, "vc", []byte(`{"a":1}`))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add("e30.e30.e30")
	for _, seed := range vectest.Seeds("vc-jose-cose", ".txt", 50) {
		f.Add(strings.TrimSpace(string(seed)))
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := vc.OpenJOSE(text, vc.TypCredential, vc.TypPresentation, vc.TypCredentialSD, vc.TypPresentationSD)
		if err != nil {
			if v != nil {
				t.Fatal("a failed parse gave a value")
			}
			return
		}
		if payload, err := v.Verify(s.Public()); err == nil && text != good || err != nil && payload != nil {
			t.Fatalf("a second text verifies: %q, payload %q", text, payload)
		}
	})
}

// FuzzParsePrivateJWK: a key that is read signs what its public half verifies.
func FuzzParsePrivateJWK(f *testing.F) {
	for _, alg := range joseAlgs {
		m := privateMembers(f, joseSigner(f, alg))
		f.Add(with(m))
		f.Add(with(m, "d", nil))
		f.Add(with(map[string]any{"id": "https://i.example#1", "secretKeyJwk": m}))
	}
	for _, seed := range vectest.Seeds("vc-jose-cose", ".json", 50) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		k, err := vc.ParseKeyFile(data)
		s, perr := vc.ParsePrivateJWK(data)
		if err != nil && k != nil || perr != nil && s.Signer != nil {
			t.Fatal("a failed parse gave a key")
		}
		if err != nil {
			return
		}
		signer, ok := k.Signer()
		if !ok {
			return
		}
		compact, err := vc.SignJOSE(signer, vc.TypCredential, "vc", []byte("{}"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := openJOSE(compact, k.Public, vc.TypCredential); err != nil {
			t.Fatal(err)
		}
	})
}
