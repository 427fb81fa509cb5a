package tlog

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// proofHeader begins a proof (C2SP tlog-proof).
const proofHeader = "c2sp.org/tlog-proof@v1\n"

// maxProof bounds a proof, in bytes.
const maxProof = maxCheckpoint + 8<<10

// Prove shows that the entry of an index is in the tree of a signed checkpoint,
// as text that stands alone (C2SP tlog-proof).
func Prove(index int64, signed []byte, r Reader) ([]byte, error) {
	text, _, err := split(signed)
	if err != nil {
		return nil, err
	}
	c, err := parseText(text)
	if err != nil {
		return nil, err
	}
	if index < 0 || index >= c.Size {
		return nil, ErrProof
	}
	hashes, err := tlog.ProveRecord(c.Size, index, r)
	if err != nil {
		return nil, err
	}
	out := fmt.Appendf([]byte(proofHeader), "index %d\n", index)
	for _, h := range hashes {
		out = append(append(out, base64.StdEncoding.EncodeToString(h[:])...), '\n')
	}
	return append(append(out, '\n'), signed...), nil
}

// Verify reports that an entry is in the log: where, and in the tree of which
// checkpoint (ErrProof, or what Policy.Open gives).
func (p Policy) Verify(entry, proof []byte) (index int64, in Signed, err error) {
	rest, ok := strings.CutPrefix(string(proof), proofHeader)
	head, signed, two := strings.Cut(rest, "\n\n")
	if !ok || !two || len(proof) > maxProof {
		return 0, Signed{}, ErrProof
	}
	lines := strings.Split(head, "\n")
	number, ok := strings.CutPrefix(lines[0], "index ")
	index, err = strconv.ParseInt(number, 10, 64)
	if !ok || err != nil || index < 0 || strconv.FormatInt(index, 10) != number || len(lines) > 64 {
		return 0, Signed{}, ErrProof
	}
	var hashes tlog.RecordProof
	for _, l := range lines[1:] {
		b, err := base64.StdEncoding.Strict().DecodeString(l)
		if err != nil || len(b) != len(Hash{}) {
			return 0, Signed{}, ErrProof
		}
		hashes = append(hashes, Hash(b))
	}
	if in, err = p.Open([]byte(signed)); err != nil {
		return 0, Signed{}, err
	}
	if index >= in.Size || tlog.CheckRecord(hashes, in.Size, in.Root, index, LeafHash(entry)) != nil {
		return 0, Signed{}, ErrProof
	}
	return index, in, nil
}
