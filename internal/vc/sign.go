//go:build !js

package vc

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"slices"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"

	"github.com/kinpass/kinpass/internal/keys"
)

// SignJWS signs payload as it is, byte for byte, with the header
// {alg, cty, kid, typ}. An empty cty or kid is left out. It signs with the
// algorithms of Kinpass's own services alone, EdDSA and ES256.
func SignJWS(s keys.Signer, typ, cty string, payload []byte) (string, error) {
	if !slices.Contains(ownAlgorithms, s.Alg) {
		return "", keys.ErrAlgorithm
	}
	return sign(s, typ, cty, payload)
}

func sign(s keys.Signer, typ, cty string, payload []byte) (string, error) {
	if head, ok := plainHeader(s, typ, cty); ok && len(payload) > 0 {
		return signPlainly(s, head, payload)
	}
	h := jws.NewHeaders()
	if err := h.Set("typ", typ); err != nil {
		return "", err
	}
	if cty != "" {
		if err := h.Set("cty", cty); err != nil {
			return "", err
		}
	}
	if s.KID != "" {
		if err := h.Set("kid", s.KID); err != nil {
			return "", err
		}
	}
	alg, ok := jwa.LookupSignatureAlgorithm(s.Alg)
	if _, ours := algorithms[s.Alg]; !ok || !ours {
		return "", keys.ErrAlgorithm
	}
	out, err := jws.Sign(payload, jws.WithKey(alg, s.Signer, jws.WithProtectedHeaders(h)))
	if err != nil {
		return "", err
	}
	return string(out), nil
}

// plainHeader writes the header that the library would write, for an Ed25519 key
// and values that JSON need not escape.
func plainHeader(s keys.Signer, typ, cty string) (string, bool) {
	if s.Alg != keys.EdDSA || s.Signer == nil {
		return "", false
	}
	if key, ok := s.Public().(ed25519.PublicKey); !ok || len(key) != ed25519.PublicKeySize {
		return "", false
	}
	head := `{"alg":"EdDSA"`
	for _, m := range [...]struct {
		name, value string
		always      bool
	}{{"cty", cty, false}, {"kid", s.KID, false}, {"typ", typ, true}} {
		if m.value == "" && !m.always {
			continue
		}
		for i := range len(m.value) {
			if c := m.value[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
				return "", false
			}
		}
		head += `,"` + m.name + `":"` + m.value + `"`
	}
	return head + "}", true
}

// signPlainly signs with Ed25519 (RFC 8037, section 3.1) what the library would
// sign, without its builders.
func signPlainly(s keys.Signer, head string, payload []byte) (string, error) {
	const sigSize = 86 // of 64 bytes in base64url
	out := make([]byte, 0, b64.EncodedLen(len(head))+b64.EncodedLen(len(payload))+sigSize+2)
	out = b64.AppendEncode(out, []byte(head))
	out = append(out, '.')
	out = b64.AppendEncode(out, payload)
	sig, err := s.Sign(rand.Reader, out, crypto.Hash(0))
	if err != nil {
		return "", err
	}
	if len(sig) != ed25519.SignatureSize {
		return "", keys.ErrAlgorithm
	}
	out = append(out, '.')
	return string(b64.AppendEncode(out, sig)), nil
}

// SignJOSE signs payload as it is, byte for byte, with the header
// {alg, cty, kid, typ}: SignJWS for EdDSA, ES256, ES384 and ES512. An empty cty
// or kid is left out; a typ and a payload there must be.
func SignJOSE(s keys.Signer, typ, cty string, payload []byte) (string, error) {
	if err := signerFits(s); err != nil {
		return "", err
	}
	if typ == "" {
		return "", ErrType
	}
	if len(payload) == 0 {
		return "", ErrMalformed
	}
	return sign(s, typ, cty, payload)
}

// signerFits refuses a signer whose key is not for the algorithm it names.
func signerFits(s keys.Signer) error {
	if s.Signer == nil {
		return keys.ErrAlgorithm
	}
	if alg, ok := algorithmOf(s.Public()); !ok || alg.name != s.Alg {
		return keys.ErrAlgorithm.With(ErrKeyAlgorithm)
	}
	return nil
}

// PublicJWK writes a public key as JWK with its id and algorithm.
func PublicJWK(pub crypto.PublicKey, kid, alg string) (json.RawMessage, error) {
	k, err := jwk.Import(pub)
	if err != nil {
		return nil, ErrJWK.With(err)
	}
	for name, v := range map[string]string{"kid": kid, "alg": alg, "use": "sig"} {
		if v == "" {
			continue
		}
		if err := k.Set(name, v); err != nil {
			return nil, ErrJWK.With(err)
		}
	}
	return json.Marshal(k)
}
