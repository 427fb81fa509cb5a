package did

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// Identifiers from the did:key method's own examples (W3C CCG did:key,
// section 6).
const (
	keyEd25519 = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"
	keyP256    = "did:key:zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169"
)

func TestKeyRoundTrip(t *testing.T) {
	ed, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keys := []crypto.PublicKey{ed}
	for range 20 { // both signs of y
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, &k.PublicKey)
	}
	for _, k := range keys {
		id, err := EncodeKey(k)
		if err != nil {
			t.Fatal(err)
		}
		for _, form := range []string{id, KeyID(id)} {
			back, err := ParseKey(form)
			if err != nil {
				t.Fatalf("%s: %v", form, err)
			}
			if !back.(interface{ Equal(crypto.PublicKey) bool }).Equal(k) {
				t.Fatalf("%s is another key", form)
			}
		}
		if Base(KeyID(id)) != id {
			t.Fatalf("base of %s", KeyID(id))
		}
	}
	for _, id := range []string{keyEd25519, keyP256} {
		k, err := ParseKey(id)
		if err != nil {
			t.Fatalf("%s: %v", id, err)
		}
		if back, err := EncodeKey(k); err != nil || back != id {
			t.Fatalf("%s became %s, %v", id, back, err)
		}
	}
}

func TestParseKeyRefuses(t *testing.T) {
	raw, _ := decode58(keyEd25519[len("did:key:z"):])
	mk := func(b []byte) string { return "did:key:z" + EncodeBase58(b) }
	p256, _ := decode58(keyP256[len("did:key:z"):])
	offCurve := append([]byte(nil), p256...)
	for i := range offCurve[3:] {
		offCurve[3+i] = 0xff
	}
	for name, id := range map[string]string{
		"empty": "", "other method": "did:web:x", "no key": "did:key:", "no multibase": "did:key:6Mk", "only z": "did:key:z",
		"base64 multibase": "did:key:u7QE", "bad character": "did:key:z0OIl", "another fragment": keyEd25519 + "#z6Mk",
		"short": mk(raw[:33]), "long": mk(append(raw, 0)), "unknown codec": mk(append([]byte{0xee, 0x01}, raw[2:]...)),
		"overlong varint": mk(append([]byte{0xed, 0x81, 0x00}, raw[2:]...)), "off the curve": mk(offCurve),
		"uncompressed P-256": mk(append([]byte{0x80, 0x24, 4}, make([]byte, 64)...)), "huge": "did:key:z" + strings.Repeat("6", 5000),
	} {
		if k, err := ParseKey(id); err == nil || k != nil {
			t.Errorf("%s was read", name)
		} else if len(id) > 12 && strings.Contains(err.Error(), id[8:]) {
			t.Errorf("%s: the error repeats it", name)
		}
	}
	if _, err := EncodeKey("no key"); !errors.Is(err, ErrUnsupported) {
		t.Errorf("got %v", err)
	}
}

func TestWebURL(t *testing.T) {
	for id, want := range map[string]string{
		"did:web:registry.example":           "https://registry.example/.well-known/did.json",
		"did:web:registry.example:np:births": "https://registry.example/np/births/did.json",
		"did:web:registry.example%3A8443":    "https://registry.example:8443/.well-known/did.json",
		"did:web:localhost%3A8080":           "http://localhost:8080/.well-known/did.json",
		"did:web:127.0.0.1%3A80":             "http://127.0.0.1:80/.well-known/did.json",
	} {
		if got, err := WebURL(id); err != nil || got != want {
			t.Errorf("%s: %s, %v", id, got, err)
		}
	}
	for _, id := range []string{"", "did:web:", "did:key:z6", "did:web:a::b", "did:web:a%2Fb", "did:web:a%40b", "did:web:a:..:b", "did:web:a%3Fb", "did:web:a%", "did:web:a%25", "did:web:a:%252e%252e:b", "did:web:a%00", "did:web:a%0d%0ab", "did:web:ex%C3%A4mple", "did:web:%5B::1%5D%2525lo", "did:web:" + strings.Repeat("a", 600)} {
		if got, err := WebURL(id); err == nil {
			t.Errorf("%q gives %s", id, got)
		}
	}
	for base, want := range map[string]string{"http://localhost:8080": "did:web:localhost%3A8080", "https://r.example": "did:web:r.example", "https://r.example/": "did:web:r.example"} {
		if got, err := FromURL(base); err != nil || got != want {
			t.Errorf("%s: %s, %v", base, got, err)
		}
	}
	for _, base := range []string{"", "r.example", "https://r.example/x", "://"} {
		if got, err := FromURL(base); err == nil {
			t.Errorf("%q gives %s", base, got)
		}
	}
}

const document = `{"@context":["https://www.w3.org/ns/did/v1"],"id":"did:web:r.example","verificationMethod":[
 {"id":"did:web:r.example#a","type":"JsonWebKey","controller":"did:web:r.example","publicKeyJwk":{}},
 {"id":"#b","type":"JsonWebKey","controller":"did:web:r.example","publicKeyJwk":{}}],"assertionMethod":["did:web:r.example#a"]}`

func TestParseDocument(t *testing.T) {
	d, err := ParseDocument([]byte(document), "did:web:r.example")
	if err != nil {
		t.Fatal(err)
	}
	if d.Method("did:web:r.example#a") == nil {
		t.Error("an assertion method is not found")
	}
	if d.Method("did:web:r.example#b") != nil {
		t.Error("a key that is not for assertions is found")
	}
	for name, doc := range map[string]string{
		"another id":         strings.Replace(document, `"id":"did:web:r.example",`, `"id":"did:web:evil.example",`, 1),
		"another controller": strings.Replace(document, `"controller":"did:web:r.example"`, `"controller":"did:web:evil.example"`, 1),
		"another's key":      strings.Replace(document, `"id":"did:web:r.example#a"`, `"id":"did:web:evil.example#a"`, 1),
		"not json":           `{`, "empty": ``, "list": `[]`, "huge": `{"id":"` + strings.Repeat("a", 300<<10) + `"}`,
	} {
		if d, err := ParseDocument([]byte(doc), "did:web:r.example"); err == nil || d != nil {
			t.Errorf("%s was read", name)
		}
	}
}

func FuzzParseKey(f *testing.F) {
	f.Add(keyEd25519)
	f.Add(keyP256)
	f.Add(KeyID(keyP256))
	f.Add("did:key:z1111111")
	for _, mb := range publishedKeys() {
		f.Add("did:key:" + mb)
		f.Add(KeyID("did:key:" + mb))
	}
	f.Fuzz(func(t *testing.T, id string) {
		k, err := ParseKey(id)
		if err != nil {
			if k != nil {
				t.Fatal("a failed parse gave a key")
			}
			return
		}
		back, err := EncodeKey(k)
		if err != nil || (id != back && id != KeyID(back)) {
			t.Fatalf("%q is a second spelling of %q (%v)", id, back, err)
		}
	})
}

func FuzzParseDocument(f *testing.F) {
	f.Add([]byte(document))
	f.Add([]byte(strings.ReplaceAll(rich, "did:web:r.example", webID)))
	for _, id := range []string{keyEd25519, keyP256} {
		d, err := KeyDocument(id)
		if err != nil {
			f.Fatal(err)
		}
		raw, err := json.Marshal(d)
		if err != nil {
			f.Fatal(err)
		}
		f.Add([]byte(strings.ReplaceAll(string(raw), id, webID)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := ParseDocument(data, webID)
		if err != nil {
			if d != nil {
				t.Fatal("a failed parse gave a document")
			}
			return
		}
		if d.ID != webID {
			t.Fatal("a document of somebody else was read")
		}
		seen := map[string]bool{}
		for i := range d.VerificationMethod {
			m := &d.VerificationMethod[i]
			if Base(m.ID) != webID || m.Controller != webID || seen[m.ID] {
				t.Fatalf("method %q of %q", m.ID, m.Controller)
			}
			seen[m.ID] = true
			if k, err := m.Key(docTime); (err == nil) == (k == nil) {
				t.Fatalf("key %v, %v", k, err)
			}
			d.fragment(m.ID)
		}
		for _, p := range purposes {
			for _, id := range *d.relation(p) {
				if m := d.MethodFor(p, id); (m != nil) != seen[id] {
					t.Fatalf("%s of %q", p, id)
				}
			}
		}
	})
}
