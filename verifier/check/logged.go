package check

import (
	"bytes"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/tlog"
	"github.com/kinpass/kinpass/internal/vc"
)

// LogProof shows that one credential is in its issuer's ledger. Its holder's wallet
// keeps it beside the credential. It is asked for where the key that signed was
// withdrawn: what was in the ledger before that is good.
type LogProof = tlog.Receipt

// Bounds of what is brought along: proofs of one presentation, and bytes of each.
// The wallet of a guardian has four credentials for a border, each in a tree of
// less than 2^40.
const (
	maxProofs   = 32
	maxProof    = 32 << 10
	maxEntry    = 256
	maxLogFiles = 256 << 10
)

// ErrProofs: what was brought along is no list of proofs.
var ErrProofs = fault.New(fault.Invalid, "log-proofs-invalid", "not proofs of a ledger as a wallet gives them")

// ParseProofs reads a file of proofs as a wallet gives it: {"proofs": [...]}, or one
// proof. Members that other software adds are passed over. Whether a proof holds is
// for Check.
func ParseProofs(data []byte) ([]LogProof, error) {
	if len(data) > maxLogFiles {
		return nil, ErrProofs
	}
	var file struct {
		LogProof
		Proofs []struct {
			LogProof
			Credential string `json:"credential"`
		} `json:"proofs"`
	}
	if err := vc.StrictJSON(bytes.TrimSpace(data), &file, 4); err != nil {
		return nil, ErrProofs.With(err)
	}
	var out []LogProof
	for _, p := range file.Proofs {
		out = append(out, p.LogProof)
	}
	if len(file.Proofs) == 0 {
		out = append(out, file.LogProof)
	}
	if err := checkProofs(out); err != nil {
		return nil, err
	}
	return out, nil
}

func checkProofs(all []LogProof) error {
	if len(all) > maxProofs {
		return ErrProofs.WithFields(fault.Field{Path: "/proofs", Rule: "too many"})
	}
	for _, p := range all {
		if len(p.Proof) == 0 || len(p.Proof) > maxProof || len(p.Entry) == 0 || len(p.Entry) > maxEntry || len(p.Salt) != tlog.SaltSize {
			return ErrProofs.WithFields(fault.Field{Path: "/proofs", Rule: "is an entry, a salt of 32 bytes and a proof"})
		}
	}
	return nil
}

// logged reports whether one of the proofs shows that a payload stood in the ledger
// of the key's issuer before the key was withdrawn: under the ledger's key and as
// many witnesses as the trust list demands, among the entries that the ledger had
// when the key was still believed. A proof that does not hold is as good as none.
func (e *exam) logged(k *issuerKey, payload []byte) bool {
	if k.CutOffSize <= 0 || len(e.facts.Proofs) == 0 {
		return false
	}
	policy, err := e.bundle.Trust.LedgerPolicy(k.issuer)
	if err != nil {
		return false
	}
	for _, p := range e.facts.Proofs {
		if at, _, err := p.Shows(policy, payload); err == nil && at < k.CutOffSize {
			return true
		}
	}
	return false
}
