package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/status"
	"github.com/kinpass/kinpass/internal/tlog"
)

// ErrState: the auditor's own memory cannot be read. It is never taken for an
// empty one: an auditor that forgets could be shown another history.
var ErrState = fault.New(fault.Invalid, "audit-state", "the auditor's state is damaged, of another ledger, or was not written by this program").
	WithHint("bring it back from a copy; to begin anew, which forgets what was seen, name a directory without it")

// state is what an auditor keeps of one ledger between rounds.
type state struct {
	Origin string `json:"origin"`
	// Kept is the newest checkpoint whose entries were all read, as it was signed;
	// KeptAt when somebody else than the log saw it: the earliest witness, or else
	// the auditor.
	Kept   string    `json:"kept,omitempty"`
	KeptAt time.Time `json:"keptAt,omitzero"`
	Size   int64     `json:"size"` // entries in the tree; more than Kept's while a round is under way
	Tree   []string  `json:"tree"` // roots of its whole subtrees, base64

	Kinds   map[string]int64   `json:"kinds"`
	Offices map[string]*office `json:"offices"`
	First   int32              `json:"firstHour"`
	Newest  int32              `json:"newestHour"`
	// NewestChange is the newest hour of a change of status, and Listed the time of the
	// newest list that was seen.
	NewestChange int32     `json:"newestChange,omitempty"`
	Listed       time.Time `json:"listed,omitzero"`

	Places map[uint32]string `json:"places"` // two bits for each, ZLIB, base64url
	Known  []string          `json:"facts"`  // commitments of keys, trust lists and accreditations, base64

	// Missing are public documents that are not in the log, since when.
	Missing map[string]time.Time `json:"missing,omitempty"`

	Earlier []string  `json:"earlier,omitempty"` // checkpoints before Kept
	Foreign []foreign `json:"foreign,omitempty"` // checkpoints of others, larger than Kept
	// Waiting are the log's own checkpoints that fewer witnesses than demanded have
	// seen, the oldest first.
	Waiting []foreign `json:"waiting,omitempty"`
	Lists   []string  `json:"lists,omitempty"` // on the index in the last round
	// Given is what the lists say of the places that are given out, by path.
	Given map[string]given `json:"given,omitempty"`

	// Marks say how many entries were there when; Recent are the newest changes of
	// status, of which those before the entry Forgot are not kept.
	Marks  []mark `json:"marks,omitempty"`
	Recent string `json:"recent,omitempty"`
	Forgot int64  `json:"forgot,omitempty"`

	Told    []string  `json:"told,omitempty"`    // findings that are not told twice
	Proven  []Finding `json:"proven,omitempty"`  // misbehaviour stays told
	Pending []Finding `json:"pending,omitempty"` // of a half reading

	tree   frontier
	places places
	facts  map[string]bool
	recent []changed
}

// foreign is a checkpoint that somebody else was given.
type foreign struct {
	From   string    `json:"from"`
	Signed string    `json:"signed"`
	Since  time.Time `json:"since,omitzero"` // when it was seen first
}

const (
	maxFacts   = 100_000
	maxEarlier = 64
	maxForeign = 64
	maxOfOne   = 8 // of one source
	maxTold    = 4096
	maxProven  = 100
	maxState   = 1 << 30 // bytes
)

func newState(origin string) *state {
	return &state{Origin: origin, Kinds: map[string]int64{}, Offices: map[string]*office{}, facts: map[string]bool{}, places: places{}, Given: map[string]given{}}
}

// once reports whether a finding was not told before, and remembers it.
func (s *state) once(f Finding) bool {
	k := fmt.Sprintf("%s %s %d %d/%d", f.Code, f.Office, f.Hour.Unix(), f.List, f.Index)
	if slices.Contains(s.Told, k) {
		return false
	}
	if len(s.Told) >= maxTold {
		s.Told = slices.Delete(s.Told, 0, maxTold/4)
	}
	s.Told = append(s.Told, k)
	return true
}

// keep makes a proven checkpoint the one to go on from.
func (s *state) keep(signed []byte, c tlog.Signed, now time.Time) {
	if s.Kept == string(signed) {
		return
	}
	if s.Kept != "" {
		if len(s.Earlier) >= maxEarlier { // the older half gets thinner
			var thin []string
			for i, e := range s.Earlier {
				if i >= maxEarlier/2 || i%2 == 0 {
					thin = append(thin, e)
				}
			}
			s.Earlier = thin
		}
		s.Earlier = append(s.Earlier, s.Kept)
	}
	s.seen(c, now)
	s.Kept, s.KeptAt = string(signed), now
	for _, at := range c.Seen {
		if at.Before(s.KeptAt) {
			s.KeptAt = at
		}
	}
}

// keepSame keeps the newer signatures on the checkpoint that is kept.
func (s *state) keepSame(signed []byte, c tlog.Signed) {
	s.Kept = string(signed)
	for _, at := range c.Seen {
		if at.Before(s.KeptAt) {
			s.KeptAt = at
		}
	}
}

// stateFile is a state with the SHA-256 of its bytes.
type stateFile struct {
	Version int             `json:"kinpassAudit"`
	Digest  string          `json:"digest"`
	State   json.RawMessage `json:"state"`
}

func (s *state) encode() ([]byte, error) {
	s.Size, s.Tree, s.Places, s.Known = s.tree.size, nil, map[uint32]string{}, nil
	for _, h := range s.tree.roots {
		s.Tree = append(s.Tree, base64.StdEncoding.EncodeToString(h[:]))
	}
	for n, l := range s.places {
		text, err := l.Encode()
		if err != nil {
			return nil, err
		}
		s.Places[n] = text
	}
	for f := range s.facts {
		s.Known = append(s.Known, base64.StdEncoding.EncodeToString([]byte(f)))
	}
	slices.Sort(s.Known)
	s.Recent = s.encodeRecent()
	body, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	return json.Marshal(stateFile{1, hex.EncodeToString(sum[:]), body})
}

func parseState(data []byte, origin string) (*state, error) {
	var f stateFile
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil || f.Version != 1 || d.More() {
		return nil, ErrState.With(err)
	}
	sum := sha256.Sum256(f.State)
	if f.Digest != hex.EncodeToString(sum[:]) {
		return nil, ErrState
	}
	s := newState(origin)
	d = json.NewDecoder(bytes.NewReader(f.State))
	d.DisallowUnknownFields()
	if err := d.Decode(s); err != nil || s.Origin != origin || s.Kinds == nil || s.Offices == nil || s.Given == nil {
		return nil, ErrState.With(err)
	}
	s.tree.size = s.Size
	for _, t := range s.Tree {
		b, err := base64.StdEncoding.Strict().DecodeString(t)
		if err != nil || len(b) != hashSize {
			return nil, ErrState.With(err)
		}
		s.tree.roots = append(s.tree.roots, tlog.Hash(b))
	}
	if !s.tree.valid() {
		return nil, ErrState
	}
	for label, o := range s.Offices {
		if o == nil {
			return nil, ErrState
		}
		if o.Hours == nil {
			s.Offices[label].Hours = map[int32]count{}
		}
	}
	for n, text := range s.Places {
		l, err := status.DecodeTokens(2, text, maxPlace/4)
		if err != nil {
			return nil, ErrState.With(err)
		}
		s.places[n] = l
	}
	if s.places.total() > maxPlaces {
		return nil, ErrState
	}
	var ok bool
	if s.recent, ok = decodeRecent(s.Recent); !ok {
		return nil, ErrState
	}
	if s.Size > 0 && s.Marks == nil { // written before there were any
		s.Forgot = s.Size
	}
	for _, t := range s.Known {
		b, err := base64.StdEncoding.Strict().DecodeString(t)
		if err != nil || len(b) != hashSize {
			return nil, ErrState.With(err)
		}
		s.facts[string(b)] = true
	}
	return s, nil
}

// load reads the state; one that does not exist is new.
func load(path, origin string) (*state, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return newState(origin), nil
	}
	if err != nil {
		return nil, ErrState.With(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxState+1))
	if err != nil || len(data) > maxState {
		return nil, ErrState.With(err)
	}
	return parseState(data, origin)
}

// save writes the state so that a crash leaves the old or the new one.
func (s *state) save(path string) error {
	data, err := s.encode()
	if err != nil {
		return err
	}
	return replace(path, data)
}

// replace writes a file whole or not at all, and durably.
func replace(path string, data []byte) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".audit-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // does nothing after the rename
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
