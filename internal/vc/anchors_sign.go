//go:build !js

package vc

import "encoding/json"

// File writes the anchors as ParseAnchors reads them.
func (a Anchors) File() ([]byte, error) {
	if err := a.check(); err != nil {
		return nil, err
	}
	var set anchorFile
	for _, k := range a.Keys {
		jwk, err := PublicJWK(k, "", "")
		if err != nil {
			return nil, err
		}
		set.Keys = append(set.Keys, jwk)
	}
	if a.Threshold > 1 {
		set.Threshold = &a.Threshold
	}
	return json.Marshal(set)
}
