package vc

import (
	"crypto"
	"encoding/json"
	"slices"
	"strings"

	"github.com/kinpass/kinpass/internal/fault"
)

// Anchors are the trust anchors that a machine believes: a trust list counts if
// Threshold of Keys signed it. The zero value believes nothing.
type Anchors struct {
	Keys      []crypto.PublicKey
	Threshold int
}

// OneOf are anchors each of which may sign a trust list alone.
func OneOf(keys ...crypto.PublicKey) Anchors { return Anchors{Keys: keys, Threshold: 1} }

// MaxAnchors bounds the anchors of one file, and the signatures under one list:
// a list that hands over from old anchors to new ones is signed by both.
const (
	MaxAnchors          = 16
	maxAnchorSignatures = 2 * MaxAnchors
	maxAnchorFile       = 64 << 10
)

// Errors of anchors.
var (
	ErrAnchor     = fault.New(fault.Invalid, "anchor-unknown", "the trust list is not signed by a known trust anchor")
	ErrThreshold  = fault.New(fault.Invalid, "anchor-threshold", "fewer trust anchors signed the trust list than must")
	ErrAnchorFile = fault.New(fault.Invalid, "anchor-file", "not an anchor file (a JWK Set)").
			WithHint("it is the anchor.json that kinpass trust init wrote")
)

// anchorFile is a JWK Set with one member more. Without it, any anchor signs
// alone.
type anchorFile struct {
	Keys      []json.RawMessage `json:"keys"`
	Threshold *int              `json:"threshold,omitempty"`
}

// ParseAnchors reads an anchor file: a JWK Set of different public keys, with
// the member threshold where more than one of them must sign.
func ParseAnchors(data []byte) (Anchors, error) {
	var set anchorFile
	if len(data) > maxAnchorFile {
		return Anchors{}, ErrAnchorFile
	}
	if err := StrictJSON(data, &set, MaxDepth); err != nil {
		return Anchors{}, ErrAnchorFile.With(err)
	}
	a := OneOf()
	if set.Threshold != nil {
		a.Threshold = *set.Threshold
	}
	for _, k := range set.Keys {
		p, err := ParseJWK(k)
		if err != nil {
			return Anchors{}, err
		}
		a.Keys = append(a.Keys, p)
	}
	if err := a.check(); err != nil {
		return Anchors{}, err
	}
	return a, nil
}

// check refuses a set that believes nothing, one whose threshold cannot be met,
// and a key that would count twice.
func (a Anchors) check() error {
	if len(a.Keys) == 0 {
		return ErrAnchorFile
	}
	if len(a.Keys) > MaxAnchors {
		return ErrAnchorFile.WithDetail("an anchor file holds at most 16 keys")
	}
	if a.Threshold < 1 || a.Threshold > len(a.Keys) {
		return ErrAnchorFile.WithDetail("the threshold of an anchor file is from 1 to the number of its keys")
	}
	var seen []string
	for _, k := range a.Keys {
		name, err := Thumbprint(k)
		if err != nil {
			return err
		}
		if slices.Contains(seen, name) {
			return ErrAnchorFile.WithDetail("an anchor file names a key twice")
		}
		seen = append(seen, name)
	}
	return nil
}

// jsonJWS is a JWS in the general JSON serialization (RFC 7515, section 7.2.1).
type jsonJWS struct {
	Payload    string          `json:"payload"`
	Signatures []jsonSignature `json:"signatures"`
}

type jsonSignature struct {
	Protected string          `json:"protected"`
	Header    json.RawMessage `json:"header,omitempty"` // signed by nobody: refused
	Signature string          `json:"signature"`
}

// verify gives the payload that Threshold different anchors signed. A compact
// JWS holds one signature. In the JSON form each signature names its key by the
// JWK thumbprint (RFC 7638) as kid, so that one signature costs one check;
// signatures of others than the anchors, as of the anchors to come, count for
// nothing.
func (a Anchors) verify(signed string) ([]byte, error) {
	if a.check() != nil {
		return nil, ErrAnchor
	}
	if !strings.HasPrefix(signed, "{") {
		return a.verifyOne(signed)
	}
	got, err := a.signatures(signed)
	switch {
	case err != nil:
		return nil, err
	case len(got.by) == 0:
		return nil, ErrAnchor
	case len(got.by) < a.Threshold:
		return nil, ErrThreshold
	}
	return got.payload, nil
}

// signatures are those under a list in JSON form.
type signatures struct {
	payload []byte
	by      []string        // thumbprints of the anchors that signed it, each once
	good    []jsonSignature // theirs
	others  int             // signatures that are not an anchor's, or do not hold
}

func (a Anchors) signatures(signed string) (signatures, error) {
	var out signatures
	if len(signed) > maxTrustList {
		return out, ErrTrustList.With(ErrJWSLarge)
	}
	var j jsonJWS
	if err := StrictJSON([]byte(signed), &j, MaxDepth); err != nil {
		return out, ErrTrustList.With(err)
	}
	if len(j.Signatures) == 0 || len(j.Signatures) > maxAnchorSignatures {
		return out, ErrTrustList
	}
	byName := map[string]crypto.PublicKey{}
	for _, k := range a.Keys {
		name, err := Thumbprint(k)
		if err != nil {
			return out, ErrAnchor.With(err)
		}
		byName[name] = k
	}
	for _, s := range j.Signatures {
		if s.Header != nil {
			return out, ErrTrustList
		}
		v, err := splitTrust(s.Protected + "." + j.Payload + "." + s.Signature)
		if err != nil {
			return out, err
		}
		name := v.Header.Kid
		key := byName[name]
		if key == nil {
			out.others++
			continue
		}
		p, err := v.Verify(key)
		if err != nil {
			out.others++
			continue
		}
		if !slices.Contains(out.by, name) { // each anchor counts once
			out.payload, out.by, out.good = p, append(out.by, name), append(out.good, s)
		}
	}
	return out, nil
}

func (a Anchors) verifyOne(compact string) ([]byte, error) {
	v, err := splitTrust(compact)
	if err != nil {
		return nil, err
	}
	for _, k := range a.Keys {
		payload, err := v.Verify(k)
		if err != nil {
			continue
		}
		if a.Threshold > 1 {
			return nil, ErrThreshold
		}
		return payload, nil
	}
	return nil, ErrAnchor
}

// TrustListPayload gives what was signed of a trust list in either form. Nobody's
// signature is checked: it is for finding the list in a ledger, not for believing
// it.
func TrustListPayload(signed string) ([]byte, error) {
	if !strings.HasPrefix(signed, "{") {
		v, err := splitTrust(signed)
		if err != nil {
			return nil, err
		}
		return v.payload, nil
	}
	var j jsonJWS
	if len(signed) > maxTrustList {
		return nil, ErrTrustList.With(ErrJWSLarge)
	}
	if err := StrictJSON([]byte(signed), &j, MaxDepth); err != nil {
		return nil, ErrTrustList.With(err)
	}
	payload, err := b64.DecodeString(j.Payload)
	if err != nil {
		return nil, ErrTrustList.With(err)
	}
	return payload, nil
}

func splitTrust(compact string) (*JWS, error) {
	v, err := SplitLargeJWS(compact, maxTrustList)
	if err != nil {
		return nil, ErrTrustList.With(err)
	}
	if v.Header.Typ != TypTrustList {
		return nil, ErrTrustList.With(ErrType)
	}
	return v, nil
}
