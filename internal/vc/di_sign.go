//go:build !js

package vc

import (
	"bytes"
	"slices"
	"time"
)

// AddProof signs a document and puts the proof into it (VC Data Integrity 1.0,
// section 4.2 and 4.3). The document keeps its bytes and the order of its
// members: only the member proof is added at its end or, where there is one,
// becomes an array with one proof more. A document of Data Model 1.1 gets
// ContextDataIntegrity at the end of its @context if it has no proof yet and
// nothing there defines Data Integrity proofs.
func AddProof(doc []byte, o ProofOptions) ([]byte, error) {
	suite := suiteOf(o.Suite)
	switch {
	case suite == nil:
		return nil, ErrProofSuite
	case o.Signer.Signer == nil || o.Signer.KID == "" || o.Purpose == "" || o.Created.IsZero():
		return nil, ErrProofOptions
	case !o.Expires.IsZero() && !o.Expires.After(o.Created):
		return nil, ErrProofOptions
	}
	t, err := splitDocument(doc, seen{})
	if err != nil {
		return nil, err
	}
	if t.proof < 0 {
		if t, err = t.withProofTerms(); err != nil {
			return nil, err
		}
	}
	s, err := t.secured()
	if err != nil {
		return nil, err
	}
	if len(s.proofs) == maxProofs {
		return nil, ErrProofMany
	}
	mine := o.object(suite, s.context)
	p, err := parseProof(appendMember(mine, "proofValue", []byte(`"z"`)), s.context)
	if err != nil {
		return nil, ErrProofOptions.With(err)
	}
	s.proofs = append(s.proofs, p)
	if err := s.checkChain(); err != nil {
		return nil, err
	}
	covered := s.unsecured
	if len(o.PreviousProof) > 0 {
		d, err := s.with(o.PreviousProof)
		if err != nil {
			return nil, err
		}
		covered = d.bytes
	}
	value, err := suite.make(covered, p.config, o)
	if err != nil {
		return nil, err
	}
	return t.withProof(appendMember(mine, "proofValue", appendQuoted(nil, value))), nil
}

// withProof puts one more proof into the document.
func (t *topLevel) withProof(p []byte) []byte {
	if t.proof < 0 {
		return appendMember(t.doc, "proof", p)
	}
	old := t.value(t.proof)
	if old[0] == '[' {
		old = bytes.TrimRight(old[1:len(old)-1], " \t\r\n")
	}
	m := t.members[t.proof]
	return slices.Concat(t.doc[:m.val], []byte{'['}, old, []byte{','}, p, []byte{']'}, t.doc[m.end:])
}

// object writes the proof without its value.
func (o *ProofOptions) object(s *cryptosuite, context []byte) []byte {
	out := make([]byte, 0, 512+len(context))
	out = append(out, `{"type":"`+TypeDataIntegrity+`"`...)
	add := func(name, value string) {
		if value == "" {
			return
		}
		out = append(appendQuoted(append(out, ','), name), ':')
		out = appendQuoted(out, value)
	}
	add("id", o.ID)
	add("cryptosuite", s.name)
	add("created", stamp(o.Created))
	if !o.Expires.IsZero() {
		add("expires", stamp(o.Expires))
	}
	add("verificationMethod", o.Signer.KID)
	add("proofPurpose", o.Purpose)
	add("challenge", o.Challenge)
	add("domain", o.Domain)
	switch len(o.PreviousProof) {
	case 0:
	case 1:
		add("previousProof", o.PreviousProof[0])
	default:
		out = append(out, `,"previousProof":[`...)
		for i, id := range o.PreviousProof {
			if i > 0 {
				out = append(out, ',')
			}
			out = appendQuoted(out, id)
		}
		out = append(out, ']')
	}
	if s.jcs {
		out = append(append(out, `,"@context":`...), context...)
	}
	return append(out, '}')
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// withProofTerms gives a Data Model 1.1 document the terms of Data Integrity
// proofs, if its @context has none.
func (t *topLevel) withProofTerms() (*topLevel, error) {
	context := t.value(t.context)
	list := [][]byte{context}
	if context[0] == '[' {
		list, _ = elements(context, maxContexts)
	}
	if len(list) == 0 {
		return t, nil
	}
	for i, e := range list {
		url, _ := stringValue(e)
		if i == 0 && url != ContextV1 || url == ContextDataIntegrity || url == contextDataIntegrity1 {
			return t, nil
		}
	}
	if context[0] == '[' {
		context = bytes.TrimRight(context[1:len(context)-1], " \t\r\n")
	}
	m := t.members[t.context]
	return splitDocument(slices.Concat(t.doc[:m.val], []byte{'['}, context, []byte(`,"`+ContextDataIntegrity+`"]`), t.doc[m.end:]), seen{})
}
