//go:build !js

package vc

import (
	"crypto"
	"encoding/json"
)

// DeriveChecked is Derive for who must not hand out what no verifier takes: the
// base proof is verified first, with a key of the credential's own issuer, and
// what is derived still shows everything that CheckShown asks for. It takes
// birth and guardianship credentials only. Errors: those of VerifyBase, Derive
// and CheckShown, ErrIssuerKey for another's key. Nothing is returned with one.
func DeriveChecked(secured []byte, selective []string, find KeyFinder) ([]byte, error) {
	if find == nil {
		return nil, ErrProofPolicy
	}
	var controller string
	err := VerifyBase(secured, func(method string) (pub crypto.PublicKey, owner string, err error) {
		pub, owner, err = find(method)
		controller = owner
		return pub, owner, err
	})
	if err != nil {
		return nil, err
	}
	var c struct {
		Issuer named `json:"issuer"`
	}
	if err := json.Unmarshal(secured, &c); err != nil || controller == "" || string(c.Issuer) != controller {
		return nil, ErrIssuerKey
	}
	derived, err := Derive(secured, selective)
	if err != nil {
		return nil, err
	}
	if err := CheckShown(derived); err != nil {
		return nil, err
	}
	return derived, nil
}
