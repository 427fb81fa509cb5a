//go:build !js

package vc

import (
	"bytes"
	"slices"

	"github.com/kinpass/kinpass/internal/did"
)

// VerifyProofs verifies every proof of a secured document (VC Data Integrity
// 1.0, section 4.4 and 4.5) and returns the document without its proofs, and
// what each proof said. Sets and chains are followed: each proof must hold,
// and a proof with previousProof covers the proofs it names.
//
// On any error, nothing is returned: there is no partly verified document.
func VerifyProofs(doc []byte, p ProofPolicy) (unsecured []byte, proofs []Proof, err error) {
	s, proofs, err := verifyProofs(doc, p, seen{})
	if err != nil {
		return nil, nil, err
	}
	return s.unsecured, proofs, nil
}

// verifyProofs is VerifyProofs of a document of which something is known.
func verifyProofs(doc []byte, p ProofPolicy, known seen) (s *secured, proofs []Proof, err error) {
	if p.Keys == nil || p.Now.IsZero() {
		return nil, nil, ErrProofPolicy
	}
	s, err = splitSeen(doc, known)
	if err != nil {
		return nil, nil, err
	}
	// All that costs nothing comes before the first signature.
	suites := make([]*cryptosuite, len(s.proofs))
	for i, o := range s.proofs {
		if suites[i], err = p.admits(o, s.context); err != nil {
			return nil, nil, err
		}
	}
	base := &document{bytes: s.unsecured, secured: doc, seen: known}
	if len(s.proofs) > 1 {
		base.digests = make(map[digestKey][]byte)
	}
	proofs = make([]Proof, len(s.proofs))
	for i, o := range s.proofs {
		d := base
		if len(o.Previous) > 0 {
			if d, err = s.with(o.Previous); err != nil {
				return nil, nil, err
			}
		}
		key, controller, err := p.Keys(o.Method)
		if err != nil {
			return nil, nil, err
		}
		if key == nil {
			return nil, nil, ErrProofKey
		}
		if err := suites[i].check(d, o, key); err != nil {
			return nil, nil, err
		}
		proofs[i] = o.Proof
		proofs[i].Controller = controller
		proofs[i].Derived = o.Suite == SuiteSD
	}
	if !known.plain {
		if err := plainNames(doc); err != nil {
			return nil, nil, err
		}
	}
	return s, proofs, nil
}

// admits checks what a proof says of itself against the policy and gives its
// cryptosuite.
func (p *ProofPolicy) admits(o *proofObject, context []byte) (*cryptosuite, error) {
	s, err := p.suite(o)
	if err != nil {
		return nil, err
	}
	if o.Purpose != p.Purpose {
		return nil, ErrProofPurpose
	}
	if p.Domain != "" && !slices.Contains(o.Domain, p.Domain) {
		return nil, ErrProofDomain
	}
	if p.Challenge != "" && o.Challenge != p.Challenge {
		return nil, ErrProofChal
	}
	switch {
	case o.Created != "":
		t, ok := parseTimestamp([]byte(o.Created))
		if !ok {
			return nil, ErrProofTime
		}
		if t.After(p.Now.Add(proofSkew)) {
			return nil, ErrProofFuture
		}
	case p.RequireCreated:
		return nil, ErrProofPartial.WithDetail("a proof lacks created")
	}
	if o.Expires != "" {
		t, ok := parseTimestamp([]byte(o.Expires))
		if !ok {
			return nil, ErrProofTime
		}
		if !p.Now.Before(t) {
			return nil, ErrProofExpired
		}
	}
	if err := sameContext(s, o, context); err != nil {
		return nil, err
	}
	return s, nil
}

// suite gives the cryptosuite of a proof, by its type and name.
func (p *ProofPolicy) suite(o *proofObject) (*cryptosuite, error) {
	switch o.Type {
	case TypeDataIntegrity:
		if o.Suite == "" {
			return nil, ErrProofPartial.WithDetail("a proof lacks cryptosuite")
		}
		if s := suiteOf(o.Suite); s != nil {
			return s, nil
		}
		return nil, ErrProofSuite
	case TypeEd2020:
		return p.admitsEd2020(o)
	}
	return nil, ErrProofType
}

// sameContext refuses a proof that reads the document in another context than
// the one that stands there. The specification lets a document add contexts
// behind those of a jcs proof; they would change the meaning of what was
// signed, so they are refused.
func sameContext(s *cryptosuite, o *proofObject, context []byte) error {
	if o.context == nil {
		if s.jcs {
			return ErrProofContext
		}
		return nil
	}
	if bytes.Equal(o.context, context) {
		return nil
	}
	a, err := canonicalJCS(o.context, 0)
	if err != nil {
		return err
	}
	b, err := canonicalJCS(context, 0)
	if err != nil {
		return err
	}
	if !bytes.Equal(a, b) {
		return ErrProofContext
	}
	return nil
}

// secured is a secured document taken apart.
type secured struct {
	unsecured []byte // without the member proof, otherwise byte for byte
	rest      rest   // of unsecured
	context   []byte // the value of @context
	proofs    []*proofObject
}

// splitSecured takes a document and its proofs apart. It refuses documents
// without a proof.
func splitSecured(doc []byte) (*secured, error) { return splitSeen(doc, seen{}) }

func splitSeen(doc []byte, known seen) (*secured, error) {
	t, err := splitDocument(doc, known)
	if err != nil {
		return nil, err
	}
	if t.proof < 0 {
		return nil, ErrProofMissing
	}
	s, err := t.secured()
	if err != nil {
		return nil, err
	}
	return s, s.checkChain()
}

// topLevel is a document whose JSON was checked, with the places of its
// members.
type topLevel struct {
	doc     []byte
	members []memberSpan
	context int // index of @context
	proof   int // index of proof, -1 for none
}

func (t *topLevel) value(k int) []byte { return t.doc[t.members[k].val:t.members[k].end] }

// splitDocument checks a document's JSON and finds its @context and its proof.
func splitDocument(doc []byte, known seen) (*topLevel, error) {
	if len(doc) > maxSecured {
		return nil, ErrSecuredLarge
	}
	if known.nesting == 0 || known.nesting > maxNesting {
		if err := CheckJSON(doc, maxNesting); err != nil {
			return nil, err
		}
	}
	ms, ok := members(doc)
	if !ok || !pairedSurrogates(doc) {
		return nil, ErrJSON
	}
	t := &topLevel{doc: doc, members: ms, context: -1, proof: -1}
	for i, m := range ms {
		switch m.name {
		case "proof":
			t.proof = i
		case "@context":
			t.context = i
		}
	}
	if t.context < 0 || string(t.value(t.context)) == "null" {
		return nil, ErrProofContext
	}
	return t, nil
}

// secured reads the proofs, of which there may be none.
func (t *topLevel) secured() (*secured, error) {
	s := &secured{unsecured: t.doc, context: t.value(t.context)}
	if t.proof < 0 {
		return s, nil
	}
	s.unsecured, s.rest = without(t.doc, t.members, t.proof), rest{t.members, t.proof}
	list, err := proofList(t.value(t.proof))
	if err != nil {
		return nil, err
	}
	s.proofs = make([]*proofObject, 0, len(list))
	for _, raw := range list {
		o, err := parseProof(raw, s.context)
		if err != nil {
			return nil, err
		}
		s.proofs = append(s.proofs, o)
	}
	return s, nil
}

// proofList gives the proof objects of the value of a member proof.
func proofList(v []byte) ([][]byte, error) {
	if string(v) == "null" {
		return nil, ErrProofMissing
	}
	if v[0] == '{' {
		return [][]byte{v}, nil
	}
	list, ok := elements(v, maxProofs)
	switch {
	case !ok:
		return nil, ErrProofShape
	case len(list) == 0:
		return nil, ErrProofMissing
	case len(list) > maxProofs:
		return nil, ErrProofMany
	}
	return list, nil
}

// parseProof reads one proof object. Members that Kinpass does not act on are
// left to the cryptosuite, which covers all of them.
func parseProof(raw, context []byte) (*proofObject, error) {
	var room [usualMembers]memberSpan
	ms, ok := appendMembers(room[:0], raw)
	if !ok {
		return nil, ErrProofShape
	}
	o := &proofObject{raw: raw}
	o.config = make([]byte, 0, len(raw)+len(context)+16)
	o.config = append(append(o.config, `{"@context":`...), context...)
	for _, m := range ms {
		v := raw[m.val:m.end]
		ok := true
		switch m.name {
		case "type":
			o.Type, ok = stringValue(v)
		case "cryptosuite":
			o.Suite, ok = stringValue(v)
		case "id":
			o.ID, ok = stringValue(v)
		case "verificationMethod":
			o.Method, ok = stringValue(v)
		case "proofPurpose":
			o.Purpose, ok = stringValue(v)
		case "created":
			o.Created, ok = stringValue(v)
			ok = ok && o.Created != ""
		case "expires":
			o.Expires, ok = stringValue(v)
			ok = ok && o.Expires != ""
		case "challenge":
			o.Challenge, ok = stringValue(v)
		case "domain":
			o.Domain, ok = stringValues(v, 16)
		case "previousProof":
			o.Previous, ok = stringValues(v, maxProofs)
		case "proofValue":
			if o.Value, ok = stringValue(v); ok {
				continue
			}
		case "@context":
			o.context = v
			continue
		default:
			// A keyword under its own name would be a second id or type.
			ok = m.name == "" || m.name[0] != '@'
		}
		if !ok {
			return nil, ErrProofShape
		}
		o.config = append(append(o.config, ','), raw[m.from:m.end]...)
	}
	o.config = append(o.config, '}')
	switch {
	case o.Type == "":
		return nil, ErrProofPartial.WithDetail("a proof lacks type")
	case o.Method == "":
		return nil, ErrProofPartial.WithDetail("a proof lacks verificationMethod")
	case o.Purpose == "":
		return nil, ErrProofPartial.WithDetail("a proof lacks proofPurpose")
	case o.Value == "":
		return nil, ErrProofPartial.WithDetail("a proof lacks proofValue")
	}
	return o, nil
}

// checkChain refuses two proofs with one id, a previousProof that names no
// proof, and proofs that build on themselves.
func (s *secured) checkChain() error {
	if len(s.proofs) == 1 && len(s.proofs[0].Previous) == 0 {
		return nil
	}
	// after[i] is the set of proofs that proof i builds on, as bits.
	var after [maxProofs]uint
	for i, o := range s.proofs {
		for _, other := range s.proofs[:i] {
			if o.ID != "" && o.ID == other.ID {
				return ErrProofShape.WithDetail("two proofs have one id")
			}
		}
		for _, id := range o.Previous {
			j := slices.IndexFunc(s.proofs, func(x *proofObject) bool { return id != "" && x.ID == id })
			if j < 0 {
				return ErrProofPrevious
			}
			after[i] |= 1 << j
		}
	}
	// Take away, round by round, the proofs that build only on proofs already
	// taken. What is left when none can be taken goes in a circle.
	var done uint
	for range s.proofs {
		for i := range s.proofs {
			if after[i]&^done == 0 {
				done |= 1 << i
			}
		}
	}
	if done != 1<<len(s.proofs)-1 {
		return ErrProofPrevious
	}
	return nil
}

// with gives the document with the named proofs and no others, in the order in
// which they stand (VC Data Integrity 1.0, section 4.3).
func (s *secured) with(ids []string) (*document, error) {
	var list []byte
	for _, o := range s.proofs {
		if o.ID == "" || !slices.Contains(ids, o.ID) {
			continue
		}
		if list == nil {
			list = append(list, '[')
		} else {
			list = append(list, ',')
		}
		list = append(list, o.raw...)
	}
	if list == nil {
		return nil, ErrProofPrevious
	}
	return &document{bytes: appendMember(s.unsecured, "proof", append(list, ']'))}, nil
}

// decodeProofValue decodes a signature of size bytes in base58btc (Controlled
// Identifiers 1.0, section 2.4).
func decodeProofValue(s string, size int) ([]byte, error) {
	if s == "" || s[0] != 'z' {
		return nil, ErrProofValue
	}
	sig, err := did.DecodeMultibase(s, size)
	if err != nil || len(sig) != size {
		return nil, ErrProofValue
	}
	return sig, nil
}
