package did

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"filippo.io/edwards25519"
	"github.com/decred/dcrd/dcrec/secp256k1/v4"

	"github.com/kinpass/kinpass/internal/vectest"
)

// Keys of the did:key method's own examples (W3C CCG did:key, section 6 and
// appendix), one of each type.
const (
	mbEd25519   = "z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"
	mbP256      = "zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169"
	mbP384      = "z82Lm1MpAkeJcix9K8TMiLd5NMAhnwkjjCBeWHXyu3U4oT2MVJJKXkcVBgjGhnLBn2Kaau9"
	mbSecp256k1 = "zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme"
	mbX25519    = "z6LSeu9HkTHSfLLeUs2nnzUSNedgDUevfNQgQjQC23ZCit6F"
)

type equaler interface{ Equal(crypto.PublicKey) bool }

func TestMultikey(t *testing.T) {
	for _, mb := range []string{mbEd25519, mbP256, mbP384, mbSecp256k1, mbX25519} {
		k, err := ParseMultikey(mb)
		if err != nil {
			t.Fatalf("%s: %v", mb, err)
		}
		if back, err := EncodeMultikey(k); err != nil || back != mb {
			t.Errorf("%s became %s, %v", mb, back, err)
		}
	}
	for range 20 { // both signs of y
		p256, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		p384, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
		x, _ := ecdh.X25519().GenerateKey(rand.Reader)
		ed, _, _ := ed25519.GenerateKey(rand.Reader)
		s, _ := secp256k1.GeneratePrivateKey()
		sk, err := secp256k1Key(s.PubKey().SerializeCompressed())
		if err != nil {
			t.Fatal(err)
		}
		for prefix, k := range map[string]crypto.PublicKey{"z6Mk": ed, "zDna": &p256.PublicKey, "z82L": &p384.PublicKey, "zQ3s": sk, "z6LS": x.PublicKey()} {
			mb, err := EncodeMultikey(k)
			if err != nil || !strings.HasPrefix(mb, prefix) {
				t.Fatalf("%T: %s, %v", k, mb, err)
			}
			back, err := ParseMultikey(mb)
			if err != nil || !back.(equaler).Equal(k) {
				t.Fatalf("%s is another key: %v", mb, err)
			}
		}
	}
}

func TestParseMultikeyRefuses(t *testing.T) {
	raw := func(mb string) []byte { b, _ := decode58(mb[1:]); return b }
	mk := func(parts ...[]byte) string { return "z" + EncodeBase58(bytes.Join(parts, nil)) }
	flip := func(mb string, i int, c byte) string { b := raw(mb); b[i] = c; return mk(b) }
	ones := bytes.Repeat([]byte{0xff}, 48)
	ed, p256, p384, k1, x := raw(mbEd25519), raw(mbP256), raw(mbP384), raw(mbSecp256k1), raw(mbX25519)
	smallOrder, _ := hex.DecodeString("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")
	identity := append([]byte{1}, make([]byte, 31)...)
	notReduced, _ := hex.DecodeString("f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f") // 3 + p
	for name, c := range map[string]struct {
		mb   string
		want error
	}{
		"empty":                  {"", ErrMultibase},
		"header only":            {"z", ErrMultibase},
		"no header":              {mbEd25519[1:], ErrMultibase},
		"base64url":              {"u" + base64.RawURLEncoding.EncodeToString(ed), ErrMultibase},
		"hexadecimal":            {"f" + hex.EncodeToString(ed), ErrMultibase},
		"another header":         {"Z" + mbEd25519[1:], ErrMultibase},
		"bad character":          {mbEd25519[:10] + "0" + mbEd25519[11:], ErrMultibase},
		"trailing space":         {mbEd25519 + " ", ErrMultibase},
		"trailing line":          {mbEd25519 + "\n", ErrMultibase},
		"a whole did":            {"did:key:" + mbEd25519, ErrMultibase},
		"leading one":            {"z1" + mbEd25519[1:], ErrKeyType},
		"huge":                   {"z" + strings.Repeat("6", 5000), ErrMultibase},
		"long":                   {mk([]byte{0xed, 0x01}, make([]byte, 500)), ErrKeyLength},
		"Ed25519 short":          {mk(ed[:33]), ErrKeyLength},
		"Ed25519 long":           {mk(ed, []byte{0}), ErrKeyLength},
		"Ed25519 bare header":    {mk(ed[:2]), ErrKeyLength},
		"Ed25519 half a header":  {mk(ed[:1]), ErrInvalid},
		"Ed25519 overlong":       {mk([]byte{0xed, 0x81, 0x00}, ed[2:]), ErrInvalid},
		"Ed25519 four bytes":     {mk([]byte{0xed, 0x81, 0x80, 0x00}, ed[2:]), ErrInvalid},
		"Ed25519 off the curve":  {mk(ed[:2], append([]byte{2}, make([]byte, 31)...)), ErrKeyValue},
		"Ed25519 small order":    {mk(ed[:2], smallOrder), ErrKeyValue},
		"Ed25519 identity":       {mk(ed[:2], identity), ErrKeyValue},
		"Ed25519 zero":           {mk(ed[:2], make([]byte, 32)), ErrKeyValue},
		"Ed25519 not reduced":    {mk(ed[:2], notReduced), ErrKeyValue},
		"P-256 short":            {mk(p256[:34]), ErrKeyLength},
		"P-256 uncompressed":     {mk(p256[:2], []byte{4}, make([]byte, 64)), ErrKeyLength},
		"P-256 as P-384":         {mk(p384[:2], p256[2:]), ErrKeyLength},
		"P-256 off the curve":    {mk(p256[:3], ones[:32]), ErrKeyValue},
		"P-256 sign 4":           {flip(mbP256, 2, 4), ErrKeyValue},
		"P-256 infinity":         {flip(mbP256, 2, 0), ErrKeyValue},
		"P-384 short":            {mk(p384[:50]), ErrKeyLength},
		"P-384 long":             {mk(p384, []byte{1}), ErrKeyLength},
		"P-384 off the curve":    {mk(p384[:3], ones), ErrKeyValue},
		"secp256k1 short":        {mk(k1[:34]), ErrKeyLength},
		"secp256k1 uncompressed": {mk(k1[:2], []byte{4}, make([]byte, 64)), ErrKeyLength},
		"secp256k1 hybrid":       {flip(mbSecp256k1, 2, 6), ErrKeyValue},
		"secp256k1 off":          {mk(k1[:3], ones[:32]), ErrKeyValue},
		"secp256k1 no point":     {mk(k1[:2], []byte{2}, make([]byte, 31), []byte{5}), ErrKeyValue},
		"X25519 short":           {mk(x[:33]), ErrKeyLength},
		"X25519 long":            {mk(x, []byte{0}), ErrKeyLength},
		"BLS12-381":              {mk([]byte{0xeb, 0x01}, make([]byte, 96)), ErrKeyType},
		"P-521":                  {mk([]byte{0x82, 0x24, 2}, make([]byte, 66)), ErrKeyType},
		"zero code":              {mk([]byte{0, 0}, ed[2:]), ErrKeyType},
		"secret Ed25519":         {mk([]byte{0x80, 0x26}, ed[2:]), ErrKeySecret},
		"secret P-256":           {mk([]byte{0x86, 0x26}, ed[2:]), ErrKeySecret},
		"secret P-384":           {mk([]byte{0x87, 0x26}, make([]byte, 48)), ErrKeySecret},
		"secret secp256k1":       {mk([]byte{0x81, 0x26}, ed[2:]), ErrKeySecret},
		"secret X25519":          {mk([]byte{0x82, 0x26}, ed[2:]), ErrKeySecret},
	} {
		k, err := ParseMultikey(c.mb)
		if !errors.Is(err, c.want) || k != nil {
			t.Errorf("%s: %v, %v", name, k, err)
		}
		if err != nil && len(c.mb) > 8 && strings.Contains(err.Error(), c.mb[2:]) {
			t.Errorf("%s: the error repeats it", name)
		}
	}
}

func TestEncodeMultikeyRefuses(t *testing.T) {
	p521, _ := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	dh, _ := ecdh.P256().GenerateKey(rand.Reader)
	_, secret, _ := ed25519.GenerateKey(rand.Reader)
	for name, k := range map[string]crypto.PublicKey{
		"nothing": nil, "text": mbP256, "a private key": secret, "a short key": ed25519.PublicKey(secret[:31]), "P-521": &p521.PublicKey,
		"nil": (*ecdsa.PublicKey)(nil), "nil too": (*ecdh.PublicKey)(nil), "no point": &ecdsa.PublicKey{Curve: elliptic.P256()},
		"P-256 for agreement": dh.PublicKey(), "zero": Secp256k1Key{},
	} {
		if mb, err := EncodeMultikey(k); err == nil || mb != "" {
			t.Errorf("%s became %q", name, mb)
		}
	}
}

func TestDecodeMultibase(t *testing.T) {
	for s, want := range map[string]string{
		"z1": "00", "z11": "0000", "z2": "01", "zz": "39", "z21": "3a", "z5Q": "ff", "z5R": "0100", "z1112": "00000001",
		"uAA": "00", "u_w": "ff", "uAQI": "0102", "u-_8": "fbff",
		"zStV1DL6CwTryKyV": "68656c6c6f20776f726c64",
	} {
		b, err := DecodeMultibase(s, 64)
		if err != nil || hex.EncodeToString(b) != want {
			t.Errorf("%s: %x, %v", s, b, err)
		}
	}
	for name, s := range map[string]string{
		"empty": "", "z": "z", "u": "u", "zero": "z0", "O": "zO", "I": "zI", "l": "zl", "space": "z 2", "not ASCII": "zé", "padded": "uAA==", "standard base64": "u+/8",
		"stray bits": "uAB", "one character": "uA", "line break": "uAQ\nI", "return": "uAQI\r", "line end": "z2\n", "hexadecimal": "f00", "upper base58": "Z2", "no header": "2",
		"base64 with padding": "U_w==",
	} {
		if b, err := DecodeMultibase(s, 64); !errors.Is(err, ErrMultibase) || b != nil {
			t.Errorf("%s: %x, %v", name, b, err)
		}
	}
	for _, n := range []int{1, 32, 64, 96, 132, 500} {
		b := make([]byte, n)
		rand.Read(b)
		for _, s := range []string{"z" + EncodeBase58(b), "u" + base64.RawURLEncoding.EncodeToString(b)} {
			if got, err := DecodeMultibase(s, n); err != nil || !bytes.Equal(got, b) {
				t.Errorf("%d bytes: %v", n, err)
			}
			if got, err := DecodeMultibase(s, n-1); err == nil || got != nil {
				t.Errorf("%d bytes where one less is allowed", n)
			}
		}
	}
	if b, err := DecodeMultibase("z"+strings.Repeat("1", maxBase58+1), 1<<20); err == nil || b != nil {
		t.Error("base58 without a bound")
	}
}

func TestMethodKey(t *testing.T) {
	jwkP256 := "did:jwk:" + base64.RawURLEncoding.EncodeToString([]byte(`{"crv":"P-256","kty":"EC","x":"acbIQiuMs3i8_uszEjJ2tpTtRM4EU3yz91PH6CdH2V0","y":"_KcyLj9vWMptnmKtm46GqDz8wf74I5LKgrl2GzH3nSE"}`))
	for id, controller := range map[string]string{
		"did:key:" + mbEd25519 + "#" + mbEd25519: "did:key:" + mbEd25519,
		"did:key:" + mbP256 + "#" + mbP256:       "did:key:" + mbP256,
		"did:key:" + mbP384 + "#" + mbP384:       "did:key:" + mbP384,
		jwkP256 + "#0":                           jwkP256,
	} {
		k, c, err := MethodKey(id)
		if err != nil || k == nil || c != controller {
			t.Errorf("%s: %s, %v", id, c, err)
		}
	}
	secret := "did:jwk:" + base64.RawURLEncoding.EncodeToString([]byte(`{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}`))
	agree := "did:jwk:" + base64.RawURLEncoding.EncodeToString([]byte(`{"kty":"OKP","crv":"X25519","use":"enc","x":"3p7bfXt9wbTTW2HC7OQ1Nz-DQ8hbeGdNrfx-FG-IK08"}`))
	encOnly := "did:jwk:" + base64.RawURLEncoding.EncodeToString([]byte(`{"crv":"P-256","kty":"EC","use":"enc","x":"acbIQiuMs3i8_uszEjJ2tpTtRM4EU3yz91PH6CdH2V0","y":"_KcyLj9vWMptnmKtm46GqDz8wf74I5LKgrl2GzH3nSE"}`))
	for id, want := range map[string]error{
		"":                                    ErrUnsupported,
		"did:web:x.example#k":                 ErrUnsupported,
		"did:key:" + mbEd25519:                ErrFragment,
		"did:key:" + mbEd25519 + "#":          ErrFragment,
		"did:key:" + mbEd25519 + "#" + mbP256: ErrFragment,
		"did:key:" + mbEd25519 + "#0":         ErrFragment,
		"did:key:" + mbEd25519 + "#" + mbEd25519 + "#": ErrFragment,
		"did:key:" + mbEd25519 + "?x#" + mbEd25519:     ErrFragment,
		"did:key:#": ErrMultibase,
		"did:key:1.1:" + mbEd25519 + "#" + mbEd25519: ErrFragment,
		"did:key:" + mbSecp256k1 + "#" + mbSecp256k1: ErrKeyType,
		"did:key:" + mbX25519 + "#" + mbX25519:       ErrKeyType,
		jwkP256:                                      ErrFragment,
		jwkP256 + "#":                                ErrFragment,
		jwkP256 + "#1":                               ErrFragment,
		jwkP256 + "#key-1":                           ErrFragment,
		jwkP256 + "=#0":                              ErrJWK,
		"did:jwk:#0":                                 ErrJWK,
		"did:jwk:e30#0":                              ErrJWK,
		secret + "#0":                                ErrKeySecret,
		agree + "#0":                                 ErrKeyType,
		encOnly + "#0":                               ErrKeyType,
		"did:key:" + strings.Repeat("z", 9000):       ErrInvalid,
	} {
		if k, c, err := MethodKey(id); !errors.Is(err, want) || k != nil || c != "" {
			t.Errorf("%.60s: %v, %q, %v", id, k, c, err)
		}
	}
}

// Every point of small order, in every spelling, is refused.
func TestSmallOrder(t *testing.T) {
	order8, _ := hex.DecodeString("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")
	p, err := new(edwards25519.Point).SetBytes(order8)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for q := edwards25519.NewIdentityPoint(); len(seen) < 8; q.Add(q, p) {
		b := q.Bytes()
		if seen[string(b)] {
			t.Fatalf("the point has order %d", len(seen))
		}
		seen[string(b)] = true
		if _, err := edwardsPoint(b); !errors.Is(err, ErrKeyValue) {
			t.Errorf("%x: %v", b, err)
		}
		b[31] ^= 0x80
		if _, err := edwardsPoint(b); !errors.Is(err, ErrKeyValue) {
			t.Errorf("%x: %v", b, err)
		}
	}
	for low := 0xed; low <= 0xff; low++ { // p to 2^255 - 1
		b := bytes.Repeat([]byte{0xff}, 32)
		b[0], b[31] = byte(low), 0x7f
		if _, err := edwardsPoint(b); !errors.Is(err, ErrKeyValue) {
			t.Errorf("%x: %v", b, err)
		}
	}
}

// publishedKeys are the public keys of the published Data Integrity vectors,
// none where these are absent.
func publishedKeys() []string {
	return append(vectest.SeedTexts("vc-di-eddsa", "eyPair.json", "publicKeyMultibase"), vectest.SeedTexts("vc-di-ecdsa", "KeyPair.json", "publicKeyMultibase")...)
}

func FuzzParseMultikey(f *testing.F) {
	for _, mb := range []string{mbEd25519, mbP256, mbP384, mbSecp256k1, mbX25519, "z", "zTjsVPtY"} {
		f.Add(mb)
	}
	for _, mb := range publishedKeys() {
		f.Add(mb)
	}
	f.Fuzz(func(t *testing.T, mb string) {
		k, err := ParseMultikey(mb)
		if err != nil {
			if k != nil {
				t.Fatal("a failed parse gave a key")
			}
			return
		}
		if back, err := EncodeMultikey(k); err != nil || back != mb {
			t.Fatalf("%q is a second spelling of %q (%v)", mb, back, err)
		}
	})
}

func FuzzDecodeMultibase(f *testing.F) {
	for _, s := range []string{mbEd25519, "uAQI", "z1112", "u-_8", "uAB", "z0"} {
		f.Add(s)
	}
	for _, mb := range publishedKeys() {
		f.Add(mb)
	}
	for _, sub := range []string{"vc-di-eddsa", "vc-di-ecdsa"} {
		for _, value := range vectest.SeedTexts(sub, ".json", "proofValue") {
			f.Add(value)
		}
	}
	f.Fuzz(func(t *testing.T, s string) {
		b, err := DecodeMultibase(s, 300)
		if err != nil {
			if b != nil {
				t.Fatal("a failed parse gave bytes")
			}
			return
		}
		back := "z" + EncodeBase58(b)
		if s[0] == 'u' {
			back = "u" + base64.RawURLEncoding.EncodeToString(b)
		}
		if len(b) == 0 || len(b) > 300 || back != s {
			t.Fatalf("%q is a second spelling of %q", s, back)
		}
	})
}

func BenchmarkParseMultikey(b *testing.B) {
	for name, mb := range map[string]string{"ed25519": mbEd25519, "p256": mbP256, "p384": mbP384} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ParseMultikey(mb); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("signature64", func(b *testing.B) {
		s := "z" + EncodeBase58(bytes.Repeat([]byte{0xa5}, 64))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := DecodeMultibase(s, 64); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// A key that was taken before is taken for itself alone: one that begins with
// the same byte is looked at as ever.
func TestUsableEdwards(t *testing.T) {
	for round := range 3 {
		for i := range 300 {
			pub, _, err := ed25519.GenerateKey(rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			if err := usableEdwards(pub); err != nil {
				t.Fatalf("%x: %v", pub, err)
			}
			if err := usableEdwards(pub); err != nil {
				t.Fatalf("%x, again: %v", pub, err)
			}
			bad := bytes.Clone(pub)
			bad[1+i%31] ^= 1 << round
			_, want := edwardsPoint(bad)
			for range 2 {
				if err := usableEdwards(bad); (err == nil) != (want == nil) {
					t.Fatalf("%x: %v, want %v", bad, err, want)
				}
			}
		}
	}
	for y := range smallOrder {
		for range 2 {
			if err := usableEdwards(y[:]); !errors.Is(err, ErrKeyValue) {
				t.Errorf("%x: %v", y, err)
			}
		}
	}
}
