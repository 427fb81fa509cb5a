//go:build !js

package vc

import (
	"crypto"
	"encoding/json"
	"slices"
	"strings"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/keys"
)

// Errors of drafts.
var (
	ErrDraft        = fault.New(fault.Invalid, "trust-draft-invalid", "not a draft of a trust list that can be read")
	ErrDraftChanged = fault.New(fault.Conflict, "trust-draft-changed", "a signature under the draft is not an anchor's, or the draft was changed after it was signed").
			WithHint("begin anew with the draft of whoever proposed it")
	ErrNotAnchor = fault.New(fault.Forbidden, "not-an-anchor", "this key is not one of the trust anchors")
	ErrCosigned  = fault.New(fault.Conflict, "already-cosigned", "this anchor has signed the draft already")
)

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

// DraftTrustList writes what is to be signed as a list in JSON form that nobody
// has signed.
func DraftTrustList(payload []byte) (string, error) {
	return writeJSON(jsonJWS{Payload: b64.EncodeToString(payload), Signatures: []jsonSignature{}})
}

func writeJSON(j jsonJWS) (string, error) {
	b, err := json.Marshal(j)
	if err == nil && len(b) > maxTrustList {
		err = ErrJWSLarge
	}
	return string(b), err
}

// Draft is a list on its way from one anchor to the next.
type Draft struct {
	Payload []byte
	By      []string // thumbprints of the anchors that have signed, each once
	json    jsonJWS  // without signatures that count for nothing
}

// OpenDraft reads a draft. Every signature under it must be an anchor's and hold.
// Nobody has to have signed: what Payload says is believed by nobody yet.
func (a Anchors) OpenDraft(text string) (*Draft, error) {
	if err := a.check(); err != nil {
		return nil, err
	}
	text = strings.TrimSpace(text)
	if len(text) > maxTrustList {
		return nil, ErrDraft.With(ErrJWSLarge)
	}
	var j jsonJWS
	if err := StrictJSON([]byte(text), &j, MaxDepth); err != nil {
		return nil, ErrDraft.With(err)
	}
	payload, err := b64.DecodeString(j.Payload)
	if err != nil || len(payload) == 0 {
		return nil, ErrDraft
	}
	d := &Draft{Payload: payload, json: jsonJWS{Payload: j.Payload, Signatures: []jsonSignature{}}}
	if len(j.Signatures) == 0 {
		return d, nil
	}
	got, err := a.signatures(text)
	if err != nil {
		return nil, ErrDraft.With(err)
	}
	if got.others > 0 {
		return nil, ErrDraftChanged
	}
	d.By, d.json.Signatures = got.by, got.good
	return d, nil
}

// Text writes the draft as OpenDraft reads it. Once enough anchors have signed,
// it is the signed list.
func (d *Draft) Text() (string, error) { return writeJSON(d.json) }

// Cosign puts an anchor's signature under the draft.
func (a Anchors) Cosign(d *Draft, anchor keys.Signer) error {
	name, err := Thumbprint(anchor.Public())
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(a.Keys, func(k crypto.PublicKey) bool { t, err := Thumbprint(k); return err == nil && t == name }) {
		return ErrNotAnchor
	}
	if slices.Contains(d.By, name) {
		return ErrCosigned
	}
	anchor.KID = name
	compact, err := SignJWS(anchor, TypTrustList, "", d.Payload)
	if err != nil {
		return err
	}
	parts := strings.Split(compact, ".")
	d.json.Signatures = append(d.json.Signatures, jsonSignature{Protected: parts[0], Signature: parts[2]})
	d.By = append(d.By, name)
	return nil
}
