package did

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

const (
	jwkEd25519 = `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}` // RFC 8037, appendix A.2
	jwkX25519  = `{"kty":"OKP","crv":"X25519","x":"3p7bfXt9wbTTW2HC7OQ1Nz-DQ8hbeGdNrfx-FG-IK08"}`  // RFC 8037, appendix A.6
	jwkP256    = `{"kty":"EC","crv":"P-256","x":"fyNYMN0976ci7xqiSdag3buk-ZCwgXU4kz9XNkBlNUI","y":"hW2ojTNfH7Jbi8--CJUo3OCbH3y5n91g-IMA9MLMbTU"}`
	jwkP384    = `{"kty":"EC","crv":"P-384","x":"lInTxl8fjLKp_UCrxI0WDklahi-7-_6JbtiHjiRvMvhedhKVdHBfi2HCY8t_QJyc","y":"y6N1IC-2mXxHreETBW7K3mBcw0qGr3CWHCs-yl09yCQRLcyfGv7XhqAngHOu51Zv"}`
	jwkP521    = `{"kty":"EC","crv":"P-521","x":"ASUHPMyichQ0QbHZ9ofNx_l4y7luncn5feKLo3OpJ2nSbZoC7mffolj5uy7s6KSKXFmnNWxGJ42IOrjZ47qqwqyS","y":"AW9ziIC4ZQQVSNmLlp59yYKrjRY0_VqO-GOIYQ9tYpPraBKUloEId6cI_vynCzlZWZtWpgOM3HPhYEgawQ703RjC"}`
)

const webID = "did:web:r.example"

var docTime = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// rich is a document in the forms that others write.
const rich = ` {
 "@context": [ "https://www.w3.org/ns/did/v1", {"@vocab": "https://x.example/"} , "https://w3id.org/security/multikey/v1"],
 "id": "did:web:r.example", "alsoKnownAs": ["https://r.example"],
 "verificationMethod": [
  {"id": "did:web:r.example#multi", "type": "Multikey", "controller": "did:web:r.example", "publicKeyMultibase": "` + mbP256 + `"},
  {"id": "#jwk", "type": "JsonWebKey2020", "controller": "did:web:r.example", "publicKeyJwk": ` + jwkP384 + `},
  {"id": "#ed", "type": "Ed25519VerificationKey2020", "controller": "did:web:r.example", "publicKeyMultibase": "` + mbEd25519 + `"}],
 "assertionMethod": [ "#jwk", {"id": "#inside", "type": "JsonWebKey", "controller": "did:web:r.example", "publicKeyJwk": ` + jwkEd25519 + `} ,"did:web:other.example#k"],
 "authentication": ["did:web:r.example#ed", "#multi", {"id": "#inside", "type": "JsonWebKey", "controller": "did:web:r.example", "publicKeyJwk": ` + jwkEd25519 + `}],
 "keyAgreement": [{"id": "#x", "type": "X25519KeyAgreementKey2020", "controller": "did:web:r.example", "publicKeyMultibase": "` + mbX25519 + `"}],
 "service": [{"id": "#files", "type": "LinkedDomains", "serviceEndpoint": "https://r.example"}]
} `

func TestDocumentForms(t *testing.T) {
	d, err := ParseDocument([]byte(rich), webID)
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(d.Context) != "[https://www.w3.org/ns/did/v1 https://w3id.org/security/multikey/v1]" {
		t.Errorf("contexts %q", d.Context)
	}
	for id, want := range map[string]struct {
		purposes string
		key      any
	}{
		"#multi":  {"authentication", &ecdsa.PublicKey{}},
		"#jwk":    {"assertionMethod", &ecdsa.PublicKey{}},
		"#ed":     {"authentication", ed25519.PublicKey{}},
		"#inside": {"authentication assertionMethod", ed25519.PublicKey{}},
		"#x":      {"keyAgreement", &ecdh.PublicKey{}},
		"#none":   {"", nil},
	} {
		var found []string
		for _, p := range append([]string{"", "proof", "assertionmethod"}, purposes...) {
			m := d.MethodFor(p, webID+id)
			if m == nil {
				continue
			}
			found = append(found, p)
			k, err := m.Key(docTime)
			if err != nil || fmt.Sprintf("%T", k) != fmt.Sprintf("%T", want.key) {
				t.Errorf("%s: %T, %v", id, k, err)
			}
		}
		if strings.Join(found, " ") != want.purposes {
			t.Errorf("%s is good for %q", id, found)
		}
		if (d.Method(webID+id) != nil) != strings.Contains(want.purposes, "assertionMethod") {
			t.Errorf("%s for assertions", id)
		}
	}
	if d.MethodFor("assertionMethod", "did:web:other.example#k") != nil || d.MethodFor("authentication", "#multi") != nil || d.MethodFor("authentication", "") != nil {
		t.Error("a method that is not the document's was found")
	}
	if (&Document{}).MethodFor("assertionMethod", "") != nil {
		t.Error("an empty document has a method")
	}
}

// A document without lists, as our own encoder writes it, is read and has no
// keys.
func TestDocumentWithoutLists(t *testing.T) {
	raw, err := json.Marshal(Document{ID: webID})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{string(raw), `{"id":"` + webID + `"}`, `{"id":"` + webID + `","@context":null,"verificationMethod":null,"authentication":null,"keyAgreement":[]}`} {
		d, err := ParseDocument([]byte(s), webID)
		if err != nil || len(d.VerificationMethod) != 0 || len(d.Context) != 0 || d.Method(webID+"#a") != nil {
			t.Errorf("%s: %v", s, err)
		}
	}
}

func TestParseDocumentRefuses(t *testing.T) {
	method := func(more string) string {
		return `{"id":"` + webID + `","verificationMethod":[{"id":"#a","type":"Multikey","controller":"` + webID + `","publicKeyMultibase":"` + mbP256 + `"}` + more + `],"assertionMethod":["#a"]}`
	}
	if _, err := ParseDocument([]byte(method("")), webID); err != nil {
		t.Fatal(err)
	}
	second := func(s string) string { return method("," + s) }
	with := func(s string) string { return strings.Replace(method(""), "{", "{"+s+",", 1) }
	for name, c := range map[string]struct {
		doc  string
		want error
	}{
		"null": {"null", ErrDocument}, "text": {`"x"`, ErrDocument}, "list": {"[]", ErrDocument}, "number": {"1", ErrDocument}, "nothing": {"", ErrDocument}, "empty": {"{}", ErrDocument},
		"two values":                {method("") + "{}", ErrDocument},
		"trailing text":             {method("") + "x", ErrDocument},
		"not UTF-8":                 {with("\"x\":\"\xff\""), ErrDocument},
		"two ids":                   {with(`"id":"did:web:evil.example"`), ErrDocument},
		"id of another case":        {strings.Replace(method(""), `"id"`, `"Id"`, 1), ErrDocument},
		"id not text":               {strings.Replace(method(""), `"id":"`+webID+`"`, `"id":["`+webID+`"]`, 1), ErrDocument},
		"another id":                {strings.Replace(method(""), `"id":"`+webID+`"`, `"id":"did:web:evil.example"`, 1), ErrMismatch},
		"id with a path":            {strings.Replace(method(""), `"id":"`+webID+`"`, `"id":"`+webID+`/"`, 1), ErrMismatch},
		"deep":                      {with(`"x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100)), ErrDocument},
		"duplicate names below":     {with(`"x":{"a":1,"a":2}`), ErrDocument},
		"duplicate escaped names":   {with(`"x":{"a":1,"\u0061":2}`), ErrDocument},
		"deactivated":               {with(`"deactivated":true`), ErrDeactivated},
		"deactivated, by a word":    {with(`"deactivated":"false"`), ErrDeactivated},
		"context a number":          {with(`"@context":1`), ErrDocument},
		"context with a number":     {with(`"@context":["x",1]`), ErrDocument},
		"methods an object":         {`{"id":"` + webID + `","verificationMethod":{}}`, ErrDocument},
		"method text":               {second(`"#b"`), ErrDocument},
		"method null":               {second(`null`), ErrDocument},
		"method without id":         {second(`{"type":"Multikey","controller":"` + webID + `"}`), ErrDocument},
		"method without type":       {second(`{"id":"#b","controller":"` + webID + `"}`), ErrDocument},
		"method without controller": {second(`{"id":"#b","type":"Multikey"}`), ErrDocument},
		"method of two types":       {second(`{"id":"#b","type":["Multikey"],"controller":"` + webID + `"}`), ErrDocument},
		"method is the document":    {second(`{"id":"` + webID + `","type":"Multikey","controller":"` + webID + `"}`), ErrDocument},
		"another controller":        {second(`{"id":"#b","type":"Multikey","controller":"did:web:evil.example"}`), ErrMismatch},
		"another's method":          {second(`{"id":"did:web:evil.example#b","type":"Multikey","controller":"` + webID + `"}`), ErrMismatch},
		"a longer one's method":     {second(`{"id":"` + webID + `.evil#b","type":"Multikey","controller":"` + webID + `"}`), ErrMismatch},
		"one id twice":              {second(`{"id":"` + webID + `#a","type":"Multikey","controller":"` + webID + `","publicKeyMultibase":"` + mbEd25519 + `"}`), ErrDocument},
		"JWK text":                  {second(`{"id":"#b","type":"JsonWebKey","controller":"` + webID + `","publicKeyJwk":"x"}`), ErrDocument},
		"multibase a number":        {second(`{"id":"#b","type":"Multikey","controller":"` + webID + `","publicKeyMultibase":1}`), ErrDocument},
		"expires a number":          {second(`{"id":"#b","type":"Multikey","controller":"` + webID + `","expires":1}`), ErrDocument},
		"revoked null":              {second(`{"id":"#b","type":"Multikey","controller":"` + webID + `","revoked":null}`), ErrDocument},
		"relation text":             {with(`"authentication":"#a"`), ErrDocument},
		"relation with a number":    {with(`"authentication":[1]`), ErrDocument},
		"relation with nothing":     {with(`"authentication":[""]`), ErrDocument},
		"embedded, another's":       {with(`"authentication":[{"id":"#b","type":"Multikey","controller":"did:web:evil.example"}]`), ErrMismatch},
		"embedded, another key":     {with(`"authentication":[{"id":"#a","type":"Multikey","controller":"` + webID + `","publicKeyMultibase":"` + mbEd25519 + `"}]`), ErrDocument},
		"many methods":              {method(strings.Repeat(`,{"id":"#b","type":"Multikey","controller":"`+webID+`"}`, 300)), ErrDocument},
		"large":                     {with(`"x":"` + strings.Repeat("a", maxDocument) + `"`), ErrDocument},
	} {
		d, err := ParseDocument([]byte(c.doc), webID)
		if !errors.Is(err, c.want) || d != nil {
			t.Errorf("%s: %v, %v", name, d, err)
		}
	}
}

func TestMethodKeyAtATime(t *testing.T) {
	m := func(f func(*VerificationMethod)) *VerificationMethod {
		v := &VerificationMethod{ID: webID + "#a", Type: "Multikey", Controller: webID, PublicKeyMultibase: mbP256}
		f(v)
		return v
	}
	jwk := func(typ, s string) *VerificationMethod {
		return m(func(v *VerificationMethod) {
			v.Type, v.PublicKeyMultibase, v.PublicKeyJwk = typ, "", json.RawMessage(s)
		})
	}
	for name, v := range map[string]*VerificationMethod{
		"plain":             m(func(*VerificationMethod) {}),
		"not yet expired":   m(func(v *VerificationMethod) { v.Expires = "2026-11-20T12:00:01Z" }),
		"expires elsewhere": m(func(v *VerificationMethod) { v.Expires = "2026-11-20T17:45:00.5+05:45" }),
		"revoked tomorrow":  m(func(v *VerificationMethod) { v.Revoked = "2026-11-21T00:00:00Z" }),
		"JWK":               jwk("JsonWebKey", jwkEd25519), "JWK 2020": jwk("JsonWebKey2020", jwkP256), "P-521": jwk("JsonWebKey", jwkP521),
		"for signing": jwk("JsonWebKey", strings.Replace(jwkP256, "{", `{"use":"sig","kid":"1",`, 1)),
	} {
		if k, err := v.Key(docTime); err != nil || k == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, c := range map[string]struct {
		m    *VerificationMethod
		want error
	}{
		"zero":                  {&VerificationMethod{}, ErrKeyType},
		"expired now":           {m(func(v *VerificationMethod) { v.Expires = "2026-11-20T12:00:00Z" }), ErrKeyExpired},
		"expired":               {m(func(v *VerificationMethod) { v.Expires = "2020-01-01T00:00:00Z" }), ErrKeyExpired},
		"revoked now":           {m(func(v *VerificationMethod) { v.Revoked = "2026-11-20T12:00:00Z" }), ErrKeyRevoked},
		"revoked and expired":   {m(func(v *VerificationMethod) { v.Revoked, v.Expires = "2020-01-01T00:00:00Z", "2020-01-01T00:00:00Z" }), ErrKeyRevoked},
		"expires a day":         {m(func(v *VerificationMethod) { v.Expires = "2099-01-01" }), ErrDocument},
		"revoked never":         {m(func(v *VerificationMethod) { v.Revoked = "never" }), ErrDocument},
		"two keys":              {m(func(v *VerificationMethod) { v.PublicKeyJwk = json.RawMessage(jwkP256) }), ErrDocument},
		"no key":                {m(func(v *VerificationMethod) { v.PublicKeyMultibase = "" }), ErrDocument},
		"no JWK":                {jwk("JsonWebKey", ""), ErrDocument},
		"multibase as JWK":      {m(func(v *VerificationMethod) { v.Type = "JsonWebKey" }), ErrDocument},
		"JWK as multibase":      {jwk("Multikey", jwkP256), ErrDocument},
		"another type":          {m(func(v *VerificationMethod) { v.Type = "Ed25519VerificationKey2018" }), ErrKeyType},
		"type of another case":  {m(func(v *VerificationMethod) { v.Type = "multikey" }), ErrKeyType},
		"P-256 as Ed25519":      {m(func(v *VerificationMethod) { v.Type = "Ed25519VerificationKey2020" }), ErrKeyType},
		"P-256 as X25519":       {m(func(v *VerificationMethod) { v.Type = "X25519KeyAgreementKey2020" }), ErrKeyType},
		"short":                 {m(func(v *VerificationMethod) { v.PublicKeyMultibase = "zTjsVPtY" }), ErrKeyLength},
		"base64url":             {m(func(v *VerificationMethod) { v.PublicKeyMultibase = "u7QE" }), ErrMultibase},
		"shows the private key": {m(func(v *VerificationMethod) { v.secret = true }), ErrKeySecret},
		"private JWK":           {jwk("JsonWebKey", strings.Replace(jwkEd25519, "{", `{"d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",`, 1)), ErrKeySecret},
		"for encryption":        {jwk("JsonWebKey", strings.Replace(jwkP256, "{", `{"use":"enc",`, 1)), ErrKeyType},
		"symmetric":             {jwk("JsonWebKey", `{"kty":"oct","k":"AAAA"}`), ErrKeySecret},
		"RSA":                   {jwk("JsonWebKey", `{"kty":"RSA","n":"AAAA","e":"AQAB"}`), ErrKeyType},
	} {
		if k, err := c.m.Key(docTime); !errors.Is(err, c.want) || k != nil {
			t.Errorf("%s: %v, %v", name, k, err)
		}
	}
	if k, err := m(func(v *VerificationMethod) { v.Expires = "2026-11-20T12:00:01Z" }).Key(time.Time{}); err == nil || k != nil {
		t.Error("a key without a time")
	}
	d, err := ParseDocument([]byte(`{"id":"`+webID+`","assertionMethod":[{"id":"#a","type":"Multikey","controller":"`+webID+`","publicKeyMultibase":"`+mbP256+`","secretKeyMultibase":"z1"}]}`), webID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Method(webID + "#a").Key(docTime); !errors.Is(err, ErrKeySecret) {
		t.Errorf("a published private key: %v", err)
	}
}

func TestParseJWKRefuses(t *testing.T) {
	add := func(s string) string { return strings.Replace(jwkP256, "{", "{"+s+",", 1) }
	for name, c := range map[string]struct {
		jwk  string
		want error
	}{
		"nothing": {"", ErrJWK}, "null": {"null", ErrJWK}, "list": {"[]", ErrJWK}, "empty": {"{}", ErrJWK}, "text": {`"x"`, ErrJWK},
		"kty twice":           {add(`"kty":"OKP"`), ErrJWK},
		"kty a number":        {`{"kty":1}`, ErrJWK},
		"KTY":                 {strings.Replace(jwkP256, "kty", "KTY", 1), ErrJWK},
		"trailing":            {jwkP256 + "{}", ErrJWK},
		"private":             {add(`"d":"AAAA"`), ErrKeySecret},
		"private, null":       {add(`"d":null`), ErrKeySecret},
		"symmetric member":    {add(`"k":"AAAA"`), ErrKeySecret},
		"use unknown":         {add(`"use":"both"`), ErrJWK},
		"use empty":           {add(`"use":""`), ErrJWK},
		"use a list":          {add(`"use":["sig"]`), ErrJWK},
		"no crv":              {`{"kty":"EC","x":"AA","y":"AA"}`, ErrJWK},
		"unknown crv":         {strings.Replace(jwkP256, "P-256", "P-192", 1), ErrKeyType},
		"crv of another kty":  {strings.Replace(jwkP256, `"EC"`, `"OKP"`, 1), ErrJWK},
		"Ed25519 as EC":       {`{"kty":"EC","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","y":"AA"}`, ErrKeyType},
		"Ed25519 with y":      {strings.Replace(jwkEd25519, "{", `{"y":"AA",`, 1), ErrJWK},
		"EC without y":        {`{"kty":"EC","crv":"P-256","x":"fyNYMN0976ci7xqiSdag3buk-ZCwgXU4kz9XNkBlNUI"}`, ErrJWK},
		"padded":              {strings.Replace(jwkEd25519, "URo", "URo=", 1), ErrJWK},
		"stray bits":          {strings.Replace(jwkEd25519, "URo", "URp", 1), ErrJWK},
		"line break":          {strings.Replace(jwkEd25519, "URo", `UR\no`, 1), ErrJWK},
		"short x":             {`{"kty":"OKP","crv":"Ed25519","x":"AAAA"}`, ErrKeyLength},
		"short X25519":        {`{"kty":"OKP","crv":"X25519","x":"AAAA"}`, ErrKeyLength},
		"short y":             {strings.Replace(jwkP256, "hW2ojTNfH7Jbi8--CJUo3OCbH3y5n91g-IMA9MLMbTU", "AAAA", 1), ErrKeyLength},
		"off the curve":       {strings.Replace(jwkP256, `"fyN`, `"gyN`, 1), ErrKeyValue},
		"secp256k1 off":       {strings.Replace(jwkP256, "P-256", "secp256k1", 1), ErrKeyValue},
		"Ed25519 small order": {`{"kty":"OKP","crv":"Ed25519","x":"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`, ErrKeyValue},
		"Ed25519 to encrypt":  {strings.Replace(jwkEd25519, "{", `{"use":"enc",`, 1), ErrJWK},
		"X25519 to sign":      {strings.Replace(jwkX25519, "{", `{"use":"sig",`, 1), ErrJWK},
		"large":               {add(`"kid":"` + strings.Repeat("a", maxJWK) + `"`), ErrJWK},
		"deep":                {add(`"x5c":` + strings.Repeat("[", 50) + strings.Repeat("]", 50)), ErrJWK},
	} {
		if k, err := parseJWK([]byte(c.jwk)); !errors.Is(err, c.want) || k != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, s := range []string{jwkEd25519, jwkX25519, jwkP256, jwkP384, jwkP521} {
		k, err := parseJWK([]byte(s))
		if err != nil {
			t.Fatal(err)
		}
		if back, err := encodeJWK(k.Key); err != nil || string(back) != s {
			t.Errorf("%s became %s, %v", s, back, err)
		}
	}
}
