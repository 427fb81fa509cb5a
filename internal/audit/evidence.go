package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/tlog"
	"github.com/kinpass/kinpass/internal/vc"
)

// Faults of evidence.
var (
	ErrEvidence = fault.New(fault.Invalid, "audit-evidence", "not an evidence file of a Kinpass audit")
	// ErrNotProven: the file can be read, and shows nothing.
	ErrNotProven = fault.New(fault.Unprocessable, "audit-not-proven", "the evidence does not show what it says")
)

// Evidence is what a third party needs to see for itself that a ledger's operator
// misbehaved: signatures of the operator that contradict each other. Nothing of it
// rests on the auditor's word.
type Evidence struct {
	Version int       `json:"kinpassEvidence"`
	Kind    string    `json:"kind"`
	Origin  string    `json:"origin"`
	At      time.Time `json:"at"` // when the auditor found it; proves nothing

	// Two signed checkpoints of one log, the smaller first, and what the tree of
	// the larger has as the root of its beginning, with the proof of that.
	Checkpoints []string `json:"checkpoints,omitempty"`
	Root        []byte   `json:"root,omitempty"`
	Proof       [][]byte `json:"proof,omitempty"`

	Entries []EvidenceEntry `json:"entries,omitempty"`

	// A signed status list and its address.
	List    []byte `json:"list,omitempty"`
	Address string `json:"address,omitempty"`

	Tried []string `json:"tried,omitempty"` // who was asked; proves nothing
}

// EvidenceEntry is an entry with the proof that it is in the ledger.
type EvidenceEntry struct {
	Entry []byte `json:"entry"`
	Proof string `json:"proof"` // C2SP tlog-proof
}

const maxEvidence = 32 << 20

// ParseEvidence reads an evidence file.
func ParseEvidence(data []byte) (*Evidence, error) {
	if len(data) > maxEvidence {
		return nil, ErrEvidence
	}
	if err := vc.CheckJSON(data, 6); err != nil {
		return nil, ErrEvidence.With(err)
	}
	var e Evidence
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&e); err != nil || e.Version != 1 || len(e.Checkpoints) > 2 || len(e.Entries) > 2 || len(e.Proof) > 64 {
		return nil, ErrEvidence.With(err)
	}
	return &e, nil
}

// Verify reports that the evidence shows what its kind says (nil), with the
// policy of that log, of which the witnesses are not asked, and the keys that may
// sign its status lists, which only a status list as evidence needs.
func (e *Evidence) Verify(p tlog.Policy, lists vc.KeyFinder) error {
	// Whoever signs as the log answers for it, witnesses or none.
	p.Quorum = 0
	if e.Origin != p.Log.Name {
		return ErrNotProven.WithDetail("the evidence is about another ledger")
	}
	switch e.Kind {
	case SplitView, HistoryRewritten:
		return e.contradiction(p)
	case EntryMalformed:
		if len(e.Entries) != 1 {
			return ErrNotProven
		}
		if _, _, err := p.Verify(e.Entries[0].Entry, []byte(e.Entries[0].Proof)); err != nil {
			return ErrNotProven.With(err)
		}
		if _, err := tlog.ParseEntry(e.Entries[0].Entry); err == nil {
			return ErrNotProven
		}
		return nil
	case RevocationLifted:
		return e.lifted(p)
	case StatusUndone:
		return e.undone(p, lists)
	}
	return ErrNotProven
}

func (e *Evidence) contradiction(p tlog.Policy) error {
	if len(e.Checkpoints) != 2 {
		return ErrNotProven
	}
	var c [2]tlog.Checkpoint
	for i, s := range e.Checkpoints {
		opened, err := p.Open([]byte(s))
		if err != nil {
			return ErrNotProven.With(err)
		}
		c[i] = opened.Checkpoint
	}
	if c[0].Size == c[1].Size {
		if c[0].Root == c[1].Root {
			return ErrNotProven
		}
		return nil
	}
	if c[0].Size > c[1].Size || c[0].Size == 0 || len(e.Root) != hashSize {
		return ErrNotProven
	}
	other := tlog.Checkpoint{Origin: e.Origin, Size: c[0].Size, Root: tlog.Hash(e.Root)}
	var proof []tlog.Hash
	for _, h := range e.Proof {
		if len(h) != hashSize {
			return ErrNotProven
		}
		proof = append(proof, tlog.Hash(h))
	}
	// The larger tree begins with other.Root and with nothing else.
	if err := tlog.CheckConsistency(other, c[1], proof); err != nil || other.Root == c[0].Root {
		return ErrNotProven.With(err)
	}
	return nil
}

// entry opens an entry that is proven to be in the log: where, and when somebody
// saw it there. Without a witness that is when the hour was over that it names.
func (e *Evidence) entry(p tlog.Policy, n int) (tlog.Entry, int64, time.Time, error) {
	if n >= len(e.Entries) {
		return tlog.Entry{}, 0, time.Time{}, ErrNotProven
	}
	index, in, err := p.Verify(e.Entries[n].Entry, []byte(e.Entries[n].Proof))
	if err != nil {
		return tlog.Entry{}, 0, time.Time{}, ErrNotProven.With(err)
	}
	entry, err := tlog.ParseEntry(e.Entries[n].Entry)
	if err != nil {
		return tlog.Entry{}, 0, time.Time{}, ErrNotProven.With(err)
	}
	seen := entry.Hour.Add(time.Hour)
	for _, at := range in.Seen {
		if at.Before(seen) {
			seen = at
		}
	}
	return entry, index, seen, nil
}

func (e *Evidence) lifted(p tlog.Policy) error {
	first, i, _, err := e.entry(p, 0)
	if err != nil {
		return err
	}
	second, j, _, err := e.entry(p, 1)
	if err != nil {
		return err
	}
	if first.Kind != tlog.Changed || second.Kind != tlog.Changed || first.List != second.List || first.Index != second.Index || i >= j ||
		first.Status != tlog.Invalid || second.Status == tlog.Invalid {
		return ErrNotProven
	}
	return nil
}

// undone: a place was revoked, for good, and a list that was signed later does not
// say so.
func (e *Evidence) undone(p tlog.Policy, lists vc.KeyFinder) error {
	entry, _, seen, err := e.entry(p, 0)
	if err != nil {
		return err
	}
	if lists == nil {
		return ErrNotProven.WithDetail("the keys of the status list are not known: name the trust list")
	}
	l, err := openList(e.List, lists, time.Time{})
	if err != nil {
		return ErrNotProven.With(err)
	}
	purpose, n, ok := listName(e.Address)
	if !ok || l.URL != e.Address || entry.Kind != tlog.Changed || entry.Status != tlog.Invalid || n != entry.List || l.From.Before(seen) {
		return ErrNotProven
	}
	if l.Tokens() != (purpose == tokenLists) || !l.Tokens() && (purpose != vc.PurposeRevocation || len(l.Purposes) != 1 || l.Purposes[0] != purpose) {
		return ErrNotProven
	}
	for i, v := range l.Marked() {
		if i == int64(entry.Index) && v == 1 { // both encodings say revoked with a 1
			return ErrNotProven
		}
	}
	return nil
}

// openList verifies a status list. Without a time it may be over: evidence gets
// old.
func openList(body []byte, keys vc.KeyFinder, now time.Time) (*vc.StatusList, error) {
	if len(body) > 0 && body[0] != '{' && body[0] != 0xd2 {
		body = bytes.TrimSpace(body)
	}
	if !now.IsZero() {
		return vc.OpenStatusList(body, vc.ListPolicy{Keys: keys, Now: now})
	}
	return vc.OpenStatusListUndated(body, vc.ListPolicy{Keys: keys})
}

// tokenLists stands in the address of a Token Status List where another has its
// purpose.
const tokenLists = "token"

// listName gives purpose and number out of a list's address.
func listName(address string) (purpose string, n uint32, ok bool) {
	rest, num, ok := cutLast(address, "/")
	if !ok {
		return "", 0, false
	}
	rest, purpose, ok = cutLast(rest, "/")
	if !ok || !strings.HasSuffix(rest, "/status") {
		return "", 0, false
	}
	v, err := strconv.ParseUint(num, 10, 32)
	if err != nil || strconv.FormatUint(v, 10) != num {
		return "", 0, false
	}
	return purpose, uint32(v), true
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// contradict makes the evidence of two checkpoints of which the larger one's
// tiles are at a source.
func contradict(kind string, small, large []byte, root tlog.Hash, proof []tlog.Hash) *Evidence {
	e := &Evidence{Kind: kind, Checkpoints: []string{string(small), string(large)}, Root: root[:]}
	for _, h := range proof {
		e.Proof = append(e.Proof, bytes.Clone(h[:]))
	}
	return e
}

// file writes evidence into the auditor's directory, once, and gives its name.
func (a *Auditor) file(e *Evidence) (string, error) {
	e.Version, e.Origin, e.At, e.Tried = 1, a.cfg.Policy.Log.Name, a.cfg.Now().UTC().Truncate(time.Second), a.asked()
	if err := e.Verify(a.cfg.Policy, a.cfg.Keys); err != nil {
		return "", err
	}
	h := sha256.New()
	fmt.Fprintln(h, e.Kind, e.Origin, e.Checkpoints)
	for _, x := range e.Entries {
		fmt.Fprintln(h, base64.StdEncoding.EncodeToString(x.Entry))
	}
	name := filepath.Join(a.cfg.Dir, "evidence-"+e.Kind+"-"+hex.EncodeToString(h.Sum(nil)[:6])+".json")
	data, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return "", err
	}
	return name, replace(name, append(data, '\n'))
}
