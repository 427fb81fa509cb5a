// Package tlog is the ledger's mathematics: entries, signed checkpoints, proofs
// and tiles of an append-only Merkle log (RFC 9162, section 2.1; C2SP
// tlog-checkpoint, tlog-cosignature, tlog-tiles, tlog-proof). The tree itself is
// golang.org/x/mod/sumdb/tlog.
//
// Nothing here stores or fetches. Whoever appends keeps the entries and the
// stored hashes; whoever checks brings a checkpoint, a proof and a Policy that
// says whose signatures it must have.
package tlog

import (
	"golang.org/x/mod/sumdb/tlog"

	"github.com/kinpass/kinpass/internal/fault"
)

// Hash is a hash of the tree (SHA-256).
type Hash = tlog.Hash

// Reader gives stored hashes by their index (tlog.StoredHashIndex).
type Reader = tlog.HashReader

// Errors of this package. None repeats its input.
var (
	// ErrEntry: not an entry of the ledger.
	ErrEntry = fault.New(fault.Invalid, "ledger-entry", "not an entry of a Kinpass ledger")
	// ErrCheckpoint: not a checkpoint, or not one of this log.
	ErrCheckpoint = fault.New(fault.Invalid, "ledger-checkpoint", "not a checkpoint of this ledger")
	// ErrUnsigned: the log's own signature or enough witnesses are missing.
	ErrUnsigned = fault.New(fault.Invalid, "ledger-unsigned", "the checkpoint lacks the signatures that are demanded")
	// ErrVerifier: not a note key of a log or a witness.
	ErrVerifier = fault.New(fault.Invalid, "ledger-verifier", "not a ledger's or a witness's key in the form NAME+HASH+KEY")
	// ErrProof: the proof does not show that the entry is in the tree.
	ErrProof = fault.New(fault.Invalid, "ledger-proof", "the proof does not show that this is in the ledger")
	// ErrInconsistent: two checkpoints of one log that no append-only log has.
	// It is evidence and is worth keeping with both checkpoints.
	ErrInconsistent = fault.New(fault.Invalid, "ledger-inconsistent", "the ledger was rewritten: this checkpoint does not continue the one before")
	// ErrTile: not a tile's path or content.
	ErrTile = fault.New(fault.Invalid, "ledger-tile", "not a tile of a ledger")
)

// Append gives the hashes to store after those of a log of size entries, for
// entries that come next, and the tree's new root. r gives what is stored.
func Append(size int64, entries [][]byte, r Reader) (stored []Hash, root Hash, err error) {
	old := size
	for _, e := range entries {
		more, err := tlog.StoredHashes(size, e, After(old, stored, r))
		if err != nil {
			return nil, Hash{}, err
		}
		stored = append(stored, more...)
		size++
	}
	root, err = Root(size, After(old, stored, r))
	return stored, root, err
}

// After gives the hashes of a log of size entries, that r reads, and those that
// Append gave for what comes after.
func After(size int64, stored []Hash, r Reader) Reader {
	first := tlog.StoredHashCount(size)
	return tlog.HashReaderFunc(func(at []int64) ([]Hash, error) {
		out := make([]Hash, len(at))
		var old []int64
		for _, i := range at {
			if i < first {
				old = append(old, i)
			}
		}
		var have []Hash
		if len(old) > 0 {
			var err error
			if have, err = r.ReadHashes(old); err != nil {
				return nil, err
			}
		}
		for k, i := range at {
			if i < first {
				out[k], have = have[0], have[1:]
			} else {
				out[k] = stored[i-first]
			}
		}
		return out, nil
	})
}

// Root gives the hash of the tree of the first size entries.
func Root(size int64, r Reader) (Hash, error) { return tlog.TreeHash(size, r) }

// ProveConsistency shows that the tree of size entries begins with that of the
// first old.
func ProveConsistency(size, old int64, r Reader) ([]Hash, error) {
	return tlog.ProveTree(size, old, r)
}

// CheckConsistency reports whether to continues from: same log, no fewer entries,
// and the same beginning (ErrInconsistent). The empty log is continued by any.
func CheckConsistency(from, to Checkpoint, proof []Hash) error {
	switch {
	case from.Origin != to.Origin || to.Size < from.Size:
		return ErrInconsistent
	case from.Size == 0:
		return nil
	case from.Size == to.Size:
		if from.Root != to.Root {
			return ErrInconsistent
		}
		return nil
	}
	if err := tlog.CheckTree(proof, to.Size, to.Root, from.Size, from.Root); err != nil {
		return ErrInconsistent.With(err)
	}
	return nil
}
