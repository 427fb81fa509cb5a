package issuer

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/vc"
)

func testOpenID() openid {
	return openid{base: "https://register.example", secret: []byte(strings.Repeat("s", 32))}
}

func TestNonce(t *testing.T) {
	o := testOpenID()
	now := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	n := o.nonce(now)
	if !o.nonceHolds(n, now) || !o.nonceHolds(n, now.Add(299*time.Second)) {
		t.Error("a fresh nonce does not hold")
	}
	if o.nonce(now) == n {
		t.Error("two nonces are equal")
	}
	if o.nonceHolds(n, now.Add(300*time.Second)) {
		t.Error("a nonce holds after its end")
	}
	other := o
	other.secret = []byte(strings.Repeat("t", 32))
	if other.nonceHolds(n, now) {
		t.Error("a nonce of another issuer holds")
	}
	raw, err := b64url.DecodeString(n)
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		raw[i] ^= 0x80
		if o.nonceHolds(b64url.EncodeToString(raw), now) {
			t.Errorf("holds with byte %d changed", i)
		}
		raw[i] ^= 0x80
	}
	for _, x := range []string{"", n[:len(n)-1], n + "A", n + "=", strings.Repeat("A", 54)} {
		if o.nonceHolds(x, now) {
			t.Errorf("%q holds", x)
		}
	}
}

// The MAC separates purposes and parts.
func TestMACSeparates(t *testing.T) {
	o := testOpenID()
	seen := map[string]string{}
	for name, mac := range map[string][]byte{
		"a, bc":   o.mac("p", []byte("a"), []byte("bc")),
		"ab, c":   o.mac("p", []byte("ab"), []byte("c")),
		"abc":     o.mac("p", []byte("abc")),
		"abc, ":   o.mac("p", []byte("abc"), nil),
		"pa, bc":  o.mac("pa", []byte("bc")),
		"nothing": o.mac("p"),
	} {
		if other, twice := seen[string(mac)]; twice {
			t.Errorf("%q and %q have one MAC", name, other)
		}
		seen[string(mac)] = name
	}
	if o.code("x") == o.pin("x") || len(o.pin("x")) != 6 || o.code("x") == o.code("y") {
		t.Error("code and PIN")
	}
}

// RFC 7638, section 3.1 has no key of ours; RFC 8037, appendix A.3 has one for
// Ed25519, RFC 9449, section 6.1 one for P-256 (its DPoP key in section 4.1).
func TestThumbprint(t *testing.T) {
	dec := func(s string) []byte {
		b, err := base64.RawURLEncoding.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	point := append([]byte{4}, dec("l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs")...)
	p256, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(point, dec("9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA")...))
	if err != nil {
		t.Fatal(err)
	}
	for want, key := range map[string]crypto.PublicKey{
		"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k": ed25519.PublicKey(dec("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")),
		"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I": p256,
	} {
		got, err := vc.Thumbprint(key)
		if err != nil || got != want {
			t.Errorf("thumbprint %s, %v; want %s", got, err, want)
		}
	}
	k384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := vc.Thumbprint(&k384.PublicKey); err == nil {
		t.Error("a P-384 key has a thumbprint")
	}
}

func TestSameURL(t *testing.T) {
	const want = "https://register.example/token"
	for htu, same := range map[string]bool{
		"https://register.example/token":        true,
		"https://register.example:443/token":    true,
		"HTTPS://Register.Example/token":        true,
		"https://register.example/token?a=b":    true,
		"https://register.example/token#x":      true,
		"":                                      false,
		"/token":                                false,
		"//register.example/token":              false,
		"http://register.example/token":         false,
		"https://register.example:8443/token":   false,
		"https://register.example/token/":       false,
		"https://register.example/Token":        false,
		"https://register.example//token":       false,
		"https://register.example/x/../token":   false,
		"https://register.example/%74oken":      false,
		"https://register.example.evil/token":   false,
		"https://x@register.example/token":      false,
		"https:register.example/token":          false,
		"https://register.example\x00/token":    false,
		"https://" + strings.Repeat("a", 2048):  false,
		"https://register.example:https/token":  false,
		"https://register.example:0443/token":   false,
		"https://register.example\\@evil/token": false,
	} {
		if sameURL(htu, want) != same {
			t.Errorf("%q: %v", htu, !same)
		}
	}
}

// Whatever a stranger sends as a key proof, only a signature by the key that is
// given back makes it one.
func FuzzKeyProof(f *testing.F) {
	o := testOpenID()
	now := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	k, err := keys.New("k", keys.UseCredentials, keys.EdDSA, now, time.Time{})
	if err != nil {
		f.Fatal(err)
	}
	proof, err := vc.SignJWS(k.Signer(""), vc.TypProof, "", []byte(`{"aud":"https://register.example","iat":1795168800,"nonce":"`+o.nonce(now)+`"}`))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(proof)
	f.Add("e30.e30." + strings.Repeat("A", 86))
	f.Add("a.b.c")
	f.Fuzz(func(t *testing.T, s string) {
		if holder, err := o.holder(s, now); err == nil {
			t.Errorf("a proof without kid and jwk proves %s", holder)
		}
		if _, thumb, err := readDPoP(s); err == nil && thumb == "" {
			t.Error("a DPoP proof without a key")
		}
	})
}

// Whatever the body of a credential request is, it is refused as malformed or
// names a configuration and one proof.
func FuzzCredentialRequest(f *testing.F) {
	i := &Issuer{cfg: Config{Alg: keys.EdDSA}}
	f.Add([]byte(`{"credential_configuration_id":"BirthCredential","proofs":{"jwt":["a.b.c"]}}`))
	f.Add([]byte(`{"credential_identifier":"x"}`))
	f.Add([]byte(`{"proofs":{"jwt":[null]}}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		conf, _, err := i.readCredentialRequest(body)
		if err == nil && (conf.kind == "" || conf.profile == "") {
			t.Errorf("no configuration")
		}
	})
}
