package vc_test

import (
	"crypto"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/internal/vectest"
)

// wycheproof is one file of Wycheproof's test vectors, as far as it is read.
type wycheproof struct {
	Tests  int `json:"numberOfTests"`
	Groups []struct {
		Comment   string          `json:"comment"`
		Public    json.RawMessage `json:"public"`
		Private   json.RawMessage `json:"private"`
		PublicJWK json.RawMessage `json:"publicKeyJwk"` // of ed25519
		PublicKey struct {
			PK string `json:"pk"`
		} `json:"publicKey"`
		Tests []struct {
			ID      int             `json:"tcId"`
			Comment string          `json:"comment"`
			JWS     json.RawMessage `json:"jws"` // a compact JWS in a string, or the JSON serialization
			JWE     json.RawMessage `json:"jwe"`
			Msg     string          `json:"msg"`
			Sig     string          `json:"sig"`
			Result  string          `json:"result"`
		} `json:"tests"`
	} `json:"testGroups"`
}

func readWycheproof(t *testing.T, name string, want int) wycheproof {
	t.Helper()
	var w wycheproof
	if err := json.Unmarshal(vectest.Read(t, vectest.Dir(t, "wycheproof"), name), &w); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, g := range w.Groups {
		n += len(g.Tests)
	}
	if n != want || w.Tests != want {
		t.Fatalf("%s: %d cases, %d said, want %d", name, n, w.Tests, want)
	}
	return w
}

// joseSet opens a JWS with a JWK Set as a careful caller does: every key of it
// has to be read, no two have one name, and the header's kid picks.
func joseSet(t *testing.T, set []byte, compact string) error {
	t.Helper()
	var in struct{ Keys []json.RawMessage }
	if err := json.Unmarshal(set, &in); err != nil || len(in.Keys) == 0 {
		return joseAs(t, set, compact)
	}
	if _, err := vc.ParseJOSEKey(set); err == nil {
		t.Error("a set was read as a key")
	}
	of := map[string]json.RawMessage{}
	for _, raw := range in.Keys {
		k, err := vc.ParseJOSEKey(raw)
		if err != nil {
			return err
		}
		if of[k.KID] != nil {
			return errors.New("set-twice")
		}
		of[k.KID] = raw
	}
	s, err := vc.SplitJOSE(compact)
	if err != nil {
		return err
	}
	return joseAs(t, of[s.Header.Kid], compact)
}

// joseAs opens a JWS by all that is public: the key as a JWK, then the strict
// reader of Kinpass's own services (which must never accept more) and the one
// for what others sign. It gives the error of the latter.
func joseAs(t *testing.T, jwk []byte, compact string) error {
	t.Helper()
	key, err := vc.ParseJOSEKey(jwk)
	if err != nil && key != nil {
		t.Fatal("a refused key was returned")
	}
	narrow := errors.New("the key is not read")
	if own, kerr := vc.ParseJWK(jwk); kerr == nil {
		var s *vc.JWS
		if s, narrow = vc.SplitJWS(compact); narrow == nil {
			_, narrow = s.Verify(own)
		}
	}
	wide := err
	if wide == nil {
		var s *vc.JWS
		if s, wide = vc.SplitJOSE(compact); wide == nil {
			var payload []byte
			if payload, wide = s.Verify(key.Public); wide != nil && payload != nil {
				t.Fatal("a payload came with an error")
			}
		}
	}
	if narrow == nil && wide != nil {
		t.Errorf("the strict reader accepts what the wider one refuses: %v", wide)
	}
	return wide
}

// supported reports whether a key is of a kind that is verified with here.
func supported(jwk []byte) bool {
	var k struct{ Kty, Crv, Alg string }
	return json.Unmarshal(jwk, &k) == nil && (k.Kty == "EC" || k.Kty == "OKP")
}

func TestWycheproofJOSE(t *testing.T) {
	// Cases that Wycheproof calls valid, with a key of a kind that is used
	// here, which are refused all the same.
	explained := map[string]string{
		"json_web_signature_test.json/347": "the JWK says alg ES521, which is no algorithm (RFC 7518: ES512)",
		"json_web_signature_test.json/351": "the JWK says alg ES521, which is no algorithm (RFC 7518: ES512)",
	}
	strangers := []crypto.PublicKey{signer(t, keys.EdDSA).Public(), signer(t, keys.ES256).Public(), nil, []byte("secret")}
	for _, f := range []struct {
		name                      string
		cases, accepted, excepted int
	}{
		{"json_web_signature_test.json", 401, 2, 2},
		{"json_web_key_test.json", 26, 0, 0},
		{"json_web_crypto_test.json", 83, 1, 0},
	} {
		t.Run(f.name, func(t *testing.T) {
			accepted, refused, excepted, foreign := 0, 0, 0, 0
			codes := map[string]int{}
			for _, g := range readWycheproof(t, f.name, f.cases).Groups {
				key := g.Public
				if key == nil {
					key = g.Private // symmetric, or a set
				}
				in := 0
				for _, c := range g.Tests {
					id := fmt.Sprintf("%s/%d", f.name, c.ID)
					raw := c.JWS
					if raw == nil {
						raw = c.JWE
					}
					compact := string(raw)
					if raw[0] == '"' {
						if err := json.Unmarshal(raw, &compact); err != nil {
							t.Fatal(err)
						}
					}
					// Whatever its algorithm, no stranger's key verifies it.
					if s, err := vc.SplitJOSE(compact); err == nil {
						for _, k := range strangers {
							if _, err := s.Verify(k); err == nil {
								t.Errorf("%s verifies with a key that has nothing to do with it", id)
							}
						}
					}
					err := joseSet(t, key, compact)
					switch {
					case err == nil && c.Result != "valid":
						t.Errorf("%s (%s, %s) is invalid and was accepted", id, g.Comment, c.Comment)
					case err == nil:
						accepted++
						in++
					default:
						refused++
						codes[codeOf(err)]++
						if c.Result == "valid" && c.JWE == nil && supported(key) {
							if explained[id] == "" {
								t.Errorf("%s (%s, %s) is valid and was refused: %v", id, g.Comment, c.Comment, err)
							}
							excepted++
						} else if c.Result == "valid" {
							foreign++ // HMAC, RSA, encryption
						}
					}
				}
				t.Logf("%s: %d accepted, %d refused", g.Comment, in, len(g.Tests)-in)
			}
			t.Logf("%d cases: %d accepted, %d refused (%d of them valid for an algorithm that is not used here, %d explained); by code %v",
				f.cases, accepted, refused, foreign, excepted, codes)
			if accepted != f.accepted || excepted != f.excepted || accepted+refused != f.cases {
				t.Errorf("%d accepted and %d exceptions, want %d and %d", accepted, excepted, f.accepted, f.excepted)
			}
		})
	}
	t.Run("ES512 by its name", func(t *testing.T) {
		n := 0
		for _, g := range readWycheproof(t, "json_web_signature_test.json", 401).Groups {
			for _, c := range g.Tests {
				if explained[fmt.Sprintf("json_web_signature_test.json/%d", c.ID)] == "" {
					continue
				}
				var compact string
				if err := json.Unmarshal(c.JWS, &compact); err != nil {
					t.Fatal(err)
				}
				if err := joseAs(t, []byte(strings.Replace(string(g.Public), `"ES521"`, `"ES512"`, 1)), compact); err != nil {
					t.Errorf("%d: %v", c.ID, err)
				}
				n++
			}
		}
		if n != 2 {
			t.Errorf("%d cases, want 2", n)
		}
	})
}

func codeOf(err error) string {
	s, _, _ := strings.Cut(err.Error(), ":")
	return s
}

// TestWycheproofEd25519: the messages are no JWS, so that the signatures go
// through the one function that decides for JWS and COSE.
func TestWycheproofEd25519(t *testing.T) {
	w := readWycheproof(t, "ed25519_test.json", 151)
	accepted, refused := 0, 0
	for _, g := range w.Groups {
		raw, err := hex.DecodeString(g.PublicKey.PK)
		if err != nil {
			t.Fatal(err)
		}
		jwk := fmt.Appendf(nil, `{"kty":"OKP","crv":"Ed25519","x":%q}`, base64.RawURLEncoding.EncodeToString(raw))
		for _, c := range g.Tests {
			msg, sig := unhex(t, c.Msg), unhex(t, c.Sig)
			key, err := vc.ParseJOSEKey(jwk)
			ok := err == nil && vc.VerifyRaw(key.Public, msg, sig)
			if ok != (c.Result == "valid") {
				t.Errorf("%d %s: %s, and accepted is %v (%v)", c.ID, c.Comment, c.Result, ok, err)
			}
			if ok {
				accepted++
			} else {
				refused++
			}
			// The same signature does not make a JWS.
			if err := joseAs(t, jwk, enc(`{"alg":"EdDSA","typ":"vc+jwt"}`)+".e30."+base64.RawURLEncoding.EncodeToString(sig)); err == nil {
				t.Errorf("%d: a signature of something else made a JWS", c.ID)
			}
		}
	}
	t.Logf("151 cases: %d accepted, %d refused", accepted, refused)
	if accepted != 88 || refused != 63 {
		t.Errorf("%d accepted, %d refused, want 88 and 63", accepted, refused)
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
