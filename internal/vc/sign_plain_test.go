package vc

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"crypto"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jws"

	"github.com/kinpass/kinpass/internal/keys"
)

// TestSignsAsTheLibrary: what is put together here is what the library makes, to
// the byte, and what it would have to escape is left to it.
func TestSignsAsTheLibrary(t *testing.T) {
	k, err := keys.New("key-1", keys.UseCredentials, keys.EdDSA, time.Now(), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		kid, typ, cty, payload string
		plain                  bool
	}{
		{"did:web:registry.example#key-1", TypCredential, "vc", `{"a":1}`, true},
		{"", TypCredential, "", strings.Repeat("é\x00", 999), true},
		{"k", "", "", "x", true},
		{"a~ 'b/c", "t+jwt", "x", "\n", true},
		{`a"b`, "t", "", "x", false},
		{`a\b`, "t", "", "x", false},
		{"a&b", "t", "", "x", false},
		{"a", "<t>", "", "x", false},
		{"a", "t", "é", "x", false},
		{"a\x7f", "t", "", "x", false},
	} {
		s := k.Signer(x.kid)
		if _, plain := plainHeader(s, x.typ, x.cty); plain != x.plain {
			t.Errorf("%+v: plain %v", x, plain)
		}
		h := jws.NewHeaders()
		for name, v := range map[string]string{"kid": x.kid, "cty": x.cty} {
			if v != "" {
				if err := h.Set(name, v); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := h.Set("typ", x.typ); err != nil {
			t.Fatal(err)
		}
		want, err := jws.Sign([]byte(x.payload), jws.WithKey(jwa.EdDSA(), s.Signer, jws.WithProtectedHeaders(h)))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := SignJWS(s, x.typ, x.cty, []byte(x.payload)); err != nil || got != string(want) {
			t.Errorf("%+v: %v\n%s\n%s", x, err, got, want)
		}
	}
	broken := errors.New("the device is gone")
	if _, err := SignJWS(keys.Signer{Alg: keys.EdDSA, Signer: brokenSigner{k.Signer(""), broken}}, "t", "", []byte("x")); !errors.Is(err, broken) {
		t.Error(err)
	}
	if _, err := SignJWS(keys.Signer{Alg: keys.EdDSA, Signer: brokenSigner{k.Signer(""), nil}}, "t", "", []byte("x")); err == nil {
		t.Error("a signature of no length")
	}
}

type brokenSigner struct {
	crypto.Signer
	err error
}

func (b brokenSigner) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return nil, b.err }

// FuzzMembers: the members of an object are those that encoding/json finds.
func FuzzMembers(f *testing.F) {
	for _, x := range []string{goodBirth, `{}`, ` { "a" : [1,{"b":"}"}] , "\u00e9":"\"" ,"c":null}`, `[]`, `"x"`, `null`, `{"a":1.5e3,"A@context":{"b":{},"B":{}}}`} {
		f.Add([]byte(x))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if CheckJSON(data, MaxDepth) != nil {
			return
		}
		got, err := Members(data)
		var want map[string]json.RawMessage
		if werr := json.Unmarshal(data, &want); (werr == nil && want != nil) != (err == nil) {
			t.Fatalf("%s: %v, %v", data, err, werr)
		}
		if len(got) != len(want) {
			t.Fatalf("%s: %d members, %d", data, len(got), len(want))
		}
		for name, v := range want {
			if !bytes.Equal(got[name], v) {
				t.Errorf("%s: %q is %s", data, name, got[name])
			}
		}
	})
}
