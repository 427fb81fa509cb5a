package did

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// Pairs of the did:key method's test vectors: an Ed25519 key and the X25519
// key derived from it.
var derived = map[string]string{
	"z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp": "z6LShs9GGnqk85isEBzzshkuVWrVKsRp24GnDuHk8QWkARMW",
	"z6MkjchhfUsD6mmvni8mCdXHw216Xrm9bQe2mBH1P5RDjVJG": "z6LSrHyXiPBhUbvPUtyUCdf32sniiMGPTAesgHrtEa4FePtr",
	"z6MknGc3ocHs3zdPiJbnaaqDi58NGb4pk1Sp9WxWufuXSdxf": "z6LSkkqoZRC34AEpbkhZCqLDcHQVAxuLpQ7kC8XCXMVUfvjE",
	"z6MkvqoYXQfDDJRv8L4wKzxYeuKyVZBfi9Qo6Ro8MiLH3kDQ": "z6LSiUo6AEDat8Ze4nQzDo67SGuHLLwsUGkxndHGUjsywHow",
	"z6MkwW6aqMnjgrhJXFUko3NnZPGzVpkNzhYK7yEhnsibmLwL": "z6LSrGb3qm4xMCEBjvwkLb2WEcXfTM94Tu1RyGCbT5wbg8i9",
	"z6MktKwz7Ge1Yxzr4JHavN33wiwa8y81QdcMRLXQsrH9T53b": "z6LSfHfAMAopsuBxaBzvp51GXrPf38Az13j2fmwqadbwwrzJ",
}

func TestKeyDocumentDerives(t *testing.T) {
	for ed, x := range derived {
		id := "did:key:" + ed
		d, err := KeyDocument(id)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		m := fmt.Sprintf(`["%s#%s"]`, id, ed)
		want := fmt.Sprintf(`{"@context":["https://www.w3.org/ns/did/v1","https://w3id.org/security/multikey/v1"],"id":"%[1]s","verificationMethod":[`+
			`{"id":"%[1]s#%[2]s","type":"Multikey","controller":"%[1]s","publicKeyMultibase":"%[2]s"},`+
			`{"id":"%[1]s#%[3]s","type":"Multikey","controller":"%[1]s","publicKeyMultibase":"%[3]s"}],`+
			`"authentication":%[4]s,"assertionMethod":%[4]s,"capabilityInvocation":%[4]s,"capabilityDelegation":%[4]s,"keyAgreement":["%[1]s#%[3]s"]}`, id, ed, x, m)
		if string(raw) != want {
			t.Errorf("got  %s\nwant %s", raw, want)
		}
	}
}

// The document of a key is one that we read, and says what MethodKey says.
func TestKeyDocumentReads(t *testing.T) {
	jwkID := func(s string) string { return "did:jwk:" + base64.RawURLEncoding.EncodeToString([]byte(s)) }
	for id, c := range map[string]struct {
		fragment, signs, agrees string // "+" or ""
		methods                 int
	}{
		"did:key:" + mbEd25519:               {mbEd25519, "+", "", 2},
		"did:key:" + mbP256:                  {mbP256, "+", "", 1},
		"did:key:" + mbP384:                  {mbP384, "+", "", 1},
		"did:key:" + mbSecp256k1:             {mbSecp256k1, "+", "", 1},
		"did:key:" + mbX25519:                {mbX25519, "", "+", 1},
		"did:key:1:" + mbP256:                {mbP256, "+", "", 1},
		"did:key:1.1:" + mbEd25519:           {mbEd25519, "+", "", 2},
		"did:key:20.0:" + mbP256:             {mbP256, "+", "", 1},
		jwkID(jwkEd25519):                    {"0", "+", "", 1},
		jwkID(jwkX25519):                     {"0", "", "+", 1},
		jwkID(jwkP256):                       {"0", "+", "+", 1},
		jwkID(jwkP384):                       {"0", "+", "+", 1},
		jwkID(jwkP521):                       {"0", "+", "+", 1},
		jwkID(`{"use":"sig",` + jwkP256[1:]): {"0", "+", "", 1},
		jwkID(`{"use":"enc",` + jwkP256[1:]): {"0", "", "+", 1},
	} {
		d, err := KeyDocument(id)
		if err != nil {
			t.Fatalf("%s: %v", id, err)
		}
		raw, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		back, err := ParseDocument(raw, id)
		if err != nil {
			t.Fatalf("%s: %v", id, err)
		}
		if len(back.VerificationMethod) != c.methods {
			t.Errorf("%s: %d methods", id, len(back.VerificationMethod))
		}
		m := id + "#" + c.fragment
		for _, p := range purposes {
			want := c.signs
			if p == "keyAgreement" {
				want = c.agrees
			}
			if got := back.MethodFor(p, m); (got != nil) != (want == "+") {
				t.Errorf("%s for %s", id, p)
			}
		}
		pub, controller, err := MethodKey(m)
		if err != nil {
			continue
		}
		own, err := back.MethodFor("authentication", m).Key(docTime)
		if err != nil || controller != id || !own.(equaler).Equal(pub) {
			t.Errorf("%s: the document has another key: %v", id, err)
		}
	}
}

func TestKeyDocumentFormats(t *testing.T) {
	for _, c := range []struct{ id, format, first, second, context string }{
		{"did:key:" + mbEd25519, "", "Multikey", "Multikey", "multikey/v1"},
		{"did:key:" + mbEd25519, "Ed25519VerificationKey2020", "Ed25519VerificationKey2020", "X25519KeyAgreementKey2020", "suites/ed25519-2020/v1 suites/x25519-2020/v1"},
		{"did:key:" + mbEd25519, "JsonWebKey2020", "JsonWebKey2020", "JsonWebKey2020", "suites/jws-2020/v1"},
		{"did:key:" + mbEd25519, "JsonWebKey", "JsonWebKey", "JsonWebKey", "jwk/v1"},
		{"did:key:" + mbX25519, "X25519KeyAgreementKey2020", "X25519KeyAgreementKey2020", "", "suites/x25519-2020/v1"},
		{"did:key:" + mbSecp256k1, "JsonWebKey2020", "JsonWebKey2020", "", "suites/jws-2020/v1"},
		{"did:key:" + mbP384, "JsonWebKey2020", "JsonWebKey2020", "", "suites/jws-2020/v1"},
		{"did:jwk:" + base64.RawURLEncoding.EncodeToString([]byte(jwkP256)), "Multikey", "Multikey", "", "multikey/v1"},
	} {
		d, err := expand(c.id, expansion{format: c.format})
		if err != nil {
			t.Fatalf("%s as %s: %v", c.id, c.format, err)
		}
		var types, contexts []string
		for _, m := range d.VerificationMethod {
			types = append(types, m.Type)
			if _, err := m.Key(docTime); err != nil {
				t.Errorf("%s as %s: %v", c.id, c.format, err)
			}
		}
		for _, u := range d.Context[1:] {
			contexts = append(contexts, strings.TrimPrefix(u, "https://w3id.org/security/"))
		}
		if got := strings.Join(types, " "); got != strings.TrimSpace(c.first+" "+c.second) || strings.Join(contexts, " ") != c.context || d.Context[0] != contextDID {
			t.Errorf("%s as %s: %s in %q", c.id, c.format, got, d.Context)
		}
	}
	d, err := expand("did:key:"+mbP384, expansion{format: "JsonWebKey"})
	if err != nil || string(d.VerificationMethod[0].PublicKeyJwk) != jwkP384 {
		t.Errorf("got %s, %v", d.VerificationMethod[0].PublicKeyJwk, err)
	}
	if d, err := expand("did:key:"+mbEd25519, expansion{noAgreement: true}); err != nil || len(d.VerificationMethod) != 1 || d.KeyAgreement != nil {
		t.Errorf("an agreement key although none was wanted: %v", err)
	}
}

func TestKeyDocumentRefuses(t *testing.T) {
	jwkID := func(s string) string { return "did:jwk:" + base64.RawURLEncoding.EncodeToString([]byte(s)) }
	for id, want := range map[string]error{
		"": ErrUnsupported, "did:": ErrUnsupported, "did:web:r.example": ErrUnsupported, "did:keys:" + mbP256: ErrUnsupported, "key:" + mbP256: ErrUnsupported,
		"did:key:":                                 ErrMultibase,
		"did:key:" + mbP256[1:]:                    ErrMultibase,
		"did:key:" + mbP256 + "#" + mbP256:         ErrMultibase,
		"did:key:-4:" + mbP256:                     ErrInvalid,
		"did:key:0:" + mbP256:                      ErrInvalid,
		"did:key:0.7:" + mbP256:                    ErrInvalid,
		"did:key:01:" + mbP256:                     ErrInvalid,
		"did:key:1.:" + mbP256:                     ErrInvalid,
		"did:key:.1:" + mbP256:                     ErrInvalid,
		"did:key:1.01:" + mbP256:                   ErrInvalid,
		"did:key:1.1.1:" + mbP256:                  ErrInvalid,
		"did:key:1e3:" + mbP256:                    ErrInvalid,
		"did:key::" + mbP256:                       ErrInvalid,
		"did:key:1234567890:" + mbP256:             ErrInvalid,
		"did:key:1:1:" + mbP256:                    ErrMultibase,
		"did:key:" + mbP256 + ":1":                 ErrInvalid,
		"did:key:zTjsVPtY":                         ErrKeyLength,
		"did:key:" + strings.Repeat("z", 5000):     ErrInvalid,
		"did:jwk:":                                 ErrJWK,
		jwkID(jwkP256) + "=":                       ErrJWK,
		jwkID(jwkP256) + ":x":                      ErrJWK,
		jwkID("{}"):                                ErrJWK,
		jwkID(`{"d":"AA",` + jwkP256[1:]):          ErrKeySecret,
		jwkID(`{"kty":"RSA","n":"AA","e":"AQAB"}`): ErrKeyType,
	} {
		if d, err := KeyDocument(id); !errors.Is(err, want) || d != nil {
			t.Errorf("%.40s: %v", id, err)
		}
	}
	for id, format := range map[string]string{
		"did:key:" + mbP256:    "Ed25519VerificationKey2020",
		"did:key:" + mbEd25519: "X25519KeyAgreementKey2020",
		"did:key:" + mbX25519:  "Ed25519VerificationKey2020",
		jwkID(jwkP521):         "Multikey",
	} {
		if d, err := expand(id, expansion{format: format}); !errors.Is(err, errFormatUnfit) || d != nil {
			t.Errorf("%.40s as %s: %v", id, format, err)
		}
	}
	if d, err := expand("did:key:"+mbP256, expansion{format: "unknown"}); !errors.Is(err, errFormatUnknown) || d != nil {
		t.Errorf("an unknown format: %v", err)
	}
}
