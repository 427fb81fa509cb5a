package legacy

import (
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/rdf"
	"github.com/kinpass/kinpass/internal/vc"
)

const contextSecurity = "https://w3id.org/security/v2"

// contexts are what a legacy credential may name. Those of the Data Model 2.0
// are left out: some give any term a meaning.
var contexts = []string{
	vc.ContextV1,
	"https://www.w3.org/2018/credentials/examples/v1",
	"https://w3id.org/security/v1",
	contextSecurity,
	"https://w3id.org/security/suites/ed25519-2018/v1",
	"https://w3id.org/security/suites/ed25519-2020/v1",
	"https://w3id.org/vc/status-list/2021/v1",
	"https://www.w3.org/ns/odrl.jsonld",
	"https://w3id.org/vdl/v1",
}

// linkedProof is a proof with all that it may have. aries leaves some other
// members unsigned (id, nonce) and drops the rest; none is accepted.
type linkedProof struct {
	kind, method, jws string
	value             []byte // of proofValue
	parts             map[string]json.RawMessage
}

// readLinked reads a credential with a proof of the Linked Data Proofs.
func readLinked(input []byte) (*signed, error) {
	if err := vc.CheckJSON(input, maxDepth); err != nil {
		return nil, err
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(input, &all); err != nil {
		return nil, ErrMalformed.With(err)
	}
	// What kind of thing it is comes before how it is signed, for the sake of
	// who reads the refusal.
	if err := checkContexts(all["@context"], false); err != nil {
		return nil, err
	}
	if err := checkKind(all["type"]); err != nil {
		return nil, err
	}
	proof, err := oneProof(all["proof"])
	if err != nil {
		return nil, err
	}
	delete(all, "proof")
	doc, err := json.Marshal(all)
	if err != nil {
		return nil, ErrMalformed.With(err)
	}
	s := &signed{input: input, format: proof.kind, alg: "EdDSA", method: proof.method, doc: doc}
	if s.parts, err = checkModel(doc, false); err != nil {
		return nil, err
	}
	if err := rdf.Check(input); err != nil {
		return nil, err
	}
	if err := checkNodes(doc); err != nil {
		return nil, err
	}
	s.check = func(pub crypto.PublicKey) error { return proof.verify(pub, doc, all["@context"]) }
	return s, nil
}

// oneProof reads the only proof.
func oneProof(raw json.RawMessage) (*linkedProof, error) {
	switch {
	case len(raw) == 0 || string(raw) == "null":
		return nil, ErrNoProof
	case raw[0] == '[':
		var many []json.RawMessage
		if json.Unmarshal(raw, &many) != nil || len(many) > 0 {
			return nil, ErrProofs
		}
		return nil, ErrNoProof
	case raw[0] != '{':
		return nil, ErrProofShape
	}
	p := &linkedProof{}
	if json.Unmarshal(raw, &p.parts) != nil {
		return nil, ErrProofShape
	}
	if len(p.parts) == 0 {
		return nil, ErrNoProof
	}
	text := map[string]string{}
	for name, v := range p.parts {
		var s string
		if json.Unmarshal(v, &s) != nil || s == "" || v[0] != '"' {
			return nil, ErrProofShape
		}
		text[name] = s
	}
	p.kind, p.method, p.jws = text["type"], text["verificationMethod"], text["jws"]
	if p.kind != FormatEd2018 && p.kind != FormatEd2020 {
		return nil, ErrProofType
	}
	value := "proofValue"
	if p.jws != "" && p.kind == FormatEd2018 {
		value = "jws"
	}
	want := []string{"created", "proofPurpose", value, "type", "verificationMethod"}
	slices.Sort(want)
	if !slices.Equal(slices.Sorted(maps.Keys(p.parts)), want) {
		return nil, ErrProofShape
	}
	if text["proofPurpose"] != vc.PurposeAssertion {
		return nil, ErrPurpose
	}
	if _, err := time.Parse(time.RFC3339, text["created"]); err != nil {
		return nil, ErrProofShape.With(err)
	}
	var err error
	switch {
	case value == "jws":
		p.value, err = detached(p.jws)
	case p.kind == FormatEd2018:
		p.value, err = base64.RawURLEncoding.Strict().DecodeString(text[value])
		if strings.ContainsAny(text[value], "\r\n") {
			return nil, ErrProofShape
		}
	default:
		if !strings.HasPrefix(text[value], "z") {
			return nil, ErrProofShape
		}
		p.value, err = did.DecodeMultibase(text[value], ed25519.SignatureSize)
	}
	if err != nil {
		return nil, err
	}
	if len(p.value) != ed25519.SignatureSize {
		return nil, ErrSignature
	}
	return p, nil
}

// detached gives the signature of a JWS with detached, unencoded payload (RFC
// 7797), whose header says exactly that and nothing else.
func detached(jws string) ([]byte, error) {
	head, sig, ok := strings.Cut(jws, "..")
	if !ok || strings.ContainsAny(jws, "\r\n") || strings.Contains(sig, ".") || len(head) > 128 {
		return nil, ErrProofShape
	}
	b64 := base64.RawURLEncoding.Strict()
	raw, err := b64.DecodeString(head)
	if err != nil {
		return nil, ErrProofShape.With(err)
	}
	var h map[string]any
	if err := vc.StrictJSON(raw, &h, 4); err != nil {
		return nil, ErrProofShape.With(err)
	}
	if h["alg"] != "EdDSA" {
		return nil, ErrAlgorithm
	}
	crit, _ := h["crit"].([]any)
	if len(h) != 3 || h["b64"] != false || len(crit) != 1 || crit[0] != "b64" {
		return nil, ErrHeader
	}
	out, err := b64.DecodeString(sig)
	if err != nil {
		return nil, ErrProofShape.With(err)
	}
	return out, nil
}

var errOwn = errors.New("the check by Kinpass itself says no")

// verify checks the signature with the canonical form of package rdf: hash of
// the proof's own statements, hash of the document's. A detached JWS signs both
// behind its header, and reads the proof in the security context.
func (p *linkedProof) verify(pub crypto.PublicKey, doc []byte, context json.RawMessage) error {
	key, ok := pub.(ed25519.PublicKey)
	if !ok {
		return errOwn
	}
	options := maps.Clone(p.parts)
	delete(options, "jws")
	delete(options, "proofValue")
	options["@context"] = context
	if p.jws != "" {
		options["@context"] = json.RawMessage(`"` + contextSecurity + `"`)
	}
	config, err := json.Marshal(options)
	if err != nil {
		return err
	}
	var message []byte
	if p.jws != "" {
		head, _, _ := strings.Cut(p.jws, ".")
		message = []byte(head + ".")
	}
	for _, part := range [][]byte{config, doc} {
		quads, err := rdf.Canonical(part, crypto.SHA256)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(quads)
		message = append(message, sum[:]...)
	}
	if !ed25519.Verify(key, message, p.value) {
		return errOwn
	}
	return nil
}

// Bounds of nodes that only their neighbours tell apart: aries orders them by
// trying every order.
const (
	maxAlike     = 4 // that look the same
	maxAmbiguous = 8 // in all
)

// checkNodes refuses a document that would keep the canonicalisation of aries
// busy without end.
func checkNodes(doc []byte) error {
	quads, err := rdf.Quads(doc)
	if err != nil {
		return err
	}
	seen := map[string][]string{} // blank node → its statements, itself called _:a and any other _:z
	for _, q := range quads {
		own := map[string]bool{}
		for _, t := range []rdf.Term{q.Subject, q.Object, q.Graph} {
			if t.Kind == rdf.Blank {
				own[t.Value] = true
			}
		}
		for name := range own {
			x := q
			for _, t := range []*rdf.Term{&x.Subject, &x.Object, &x.Graph} {
				if t.Kind != rdf.Blank {
					continue
				}
				if t.Value == name {
					t.Value = "a"
				} else {
					t.Value = "z"
				}
			}
			seen[name] = append(seen[name], string(rdf.AppendQuad(nil, x)))
		}
	}
	alike := map[string]int{}
	for _, lines := range seen {
		slices.Sort(lines)
		alike[strings.Join(lines, "")]++
	}
	ambiguous := 0
	for _, n := range alike {
		if n > maxAlike {
			return ErrComplex
		}
		if n > 1 {
			ambiguous += n
		}
	}
	if ambiguous > maxAmbiguous {
		return ErrComplex
	}
	return nil
}
