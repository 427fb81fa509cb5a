//go:build !js

package vc

import (
	"crypto"
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
