package vc

import "strings"

// TrustListUnverified reads a trust list whose signatures were not checked. It is
// for who packs or shows one, never for a decision.
func TrustListUnverified(signed string) (*TrustList, error) {
	if strings.HasPrefix(signed, "{") {
		var j jsonJWS
		if len(signed) > maxTrustList {
			return nil, ErrTrustList.With(ErrJWSLarge)
		}
		if err := StrictJSON([]byte(signed), &j, MaxDepth); err != nil || len(j.Signatures) == 0 {
			return nil, ErrTrustList.With(err)
		}
		signed = j.Signatures[0].Protected + "." + j.Payload + "." + j.Signatures[0].Signature
	}
	v, err := splitTrust(signed)
	if err != nil {
		return nil, err
	}
	return readTrustList(v.payload)
}

func readTrustList(payload []byte) (*TrustList, error) {
	var l TrustList
	if err := StrictJSON(payload, &l, MaxDepth); err != nil {
		return nil, ErrTrustList.With(err)
	}
	if l.Sequence < 1 || l.IssuedAt.IsZero() {
		return nil, ErrTrustList
	}
	return &l, nil
}
