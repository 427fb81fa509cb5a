package tlog

import "bytes"

// Receipt shows somebody who has a credential that its issuance is in the ledger:
// the entry as it stands there, the salt of its commitment, and the proof (C2SP
// tlog-proof). It holds nothing of the credential, and stays true for ever.
type Receipt struct {
	Entry []byte `json:"entry"`
	Salt  []byte `json:"salt"`
	Proof string `json:"proof"`
}

// Shows reports where in the ledger the receipt shows content to be, which is the
// exact bytes that were signed, and in the tree of which checkpoint. It is ErrProof
// for a receipt of anything else, or what Policy.Verify gives.
func (r Receipt) Shows(p Policy, content []byte) (index int64, in Signed, err error) {
	e, err := ParseEntry(r.Entry)
	if err != nil {
		return 0, Signed{}, err
	}
	if e.Kind != Issued && e.Kind != Witnessed || len(r.Salt) != SaltSize {
		return 0, Signed{}, ErrProof
	}
	want := Commit([SaltSize]byte(r.Salt), content)
	if !bytes.Equal(want[:], e.Commitment[:]) {
		return 0, Signed{}, ErrProof
	}
	return p.Verify(r.Entry, []byte(r.Proof))
}
