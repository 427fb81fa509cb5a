package cli

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/verifier/check"
)

// maxHistory bounds a history file, in bytes.
const maxHistory = 32 << 20

// Faults of history files. None is ever taken for an empty history: a post that
// forgets would let a consent pass that was used up.
var (
	errHistory = fault.New(fault.Invalid, "history-file-invalid", "the history file is damaged or was not written by kinpass check").
			WithHint("bring it back from a copy; to begin anew, which counts crossings from zero, name a file that does not exist")
	errHistoryBusy = fault.New(fault.Conflict, "history-file-busy", "another check has been using the history file for too long").
			WithHint("wait until it has ended, then check again")
)

// historyFile is the form of a history file. Digest is the SHA-256 of the
// history's bytes in compact form, and of the last check's after them, in
// hexadecimal digits: a digit that changed on a disk would otherwise be a crossing
// forgotten.
type historyFile struct {
	Version int             `json:"kinpassHistory"`
	Digest  string          `json:"digest"`
	Last    *lastCheck      `json:"last,omitempty"`
	History json.RawMessage `json:"history"`
}

// remembered is what a post remembers.
type remembered struct {
	check.History
	last lastCheck
}

// lastCheck is the latest time at which this post has checked, and when the newest
// bundle that it had was signed. A clock that went back since would make an old
// bundle young. A newer bundle lets the clock go back to its own time: else a post
// whose clock was once ahead would be wrong for ever.
type lastCheck struct {
	At     time.Time `json:"at"`
	Bundle time.Time `json:"bundle"`
}

// trusted gives a time that is over, as far as this post knows, when it checks with
// a bundle of a time.
func (l lastCheck) trusted(bundle time.Time) time.Time {
	if bundle.After(l.Bundle) {
		return bundle
	}
	return l.At
}

// and is what there is to know after a check.
func (l lastCheck) and(at, bundle time.Time) lastCheck {
	if over := l.trusted(bundle); over.After(at) {
		at = over
	}
	if l.Bundle.After(bundle) {
		bundle = l.Bundle
	}
	return lastCheck{at.UTC().Truncate(time.Second), bundle}
}

func digestOf(history []byte, last *lastCheck) string {
	h := sha256.New()
	h.Write(history)
	if last != nil {
		fmt.Fprintf(h, "\x00%d %d", last.At.Unix(), last.Bundle.Unix())
	}
	return hex.EncodeToString(h.Sum(nil))
}

// parseHistory reads a history file strictly.
func parseHistory(data []byte) (remembered, error) {
	var f historyFile
	if err := strictly(data, &f); err != nil || f.Version != 1 {
		return remembered{}, errHistory.With(err)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, f.History); err != nil || digestOf(compact.Bytes(), f.Last) != f.Digest || compact.Len() < 2 || compact.Bytes()[0] != '{' {
		return remembered{}, errHistory.With(err)
	}
	var h remembered
	if err := strictly(f.History, &h.History); err != nil {
		return remembered{}, errHistory.With(err)
	}
	if f.Last != nil {
		h.last = *f.Last
	}
	return h, nil
}

// strictly is vc.StrictJSON that also refuses a member that v has no field for:
// what a later version remembers must not be lost by an earlier one.
func strictly(data []byte, v any) error {
	if err := vc.CheckJSON(data, 6); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	return d.Decode(v)
}

func formatHistory(h remembered) ([]byte, error) {
	history, err := json.Marshal(h.History)
	if err != nil {
		return nil, err
	}
	f := historyFile{Version: 1, History: history}
	if !h.last.At.IsZero() {
		f.Last = &h.last
	}
	f.Digest = digestOf(history, f.Last)
	data, err := json.Marshal(f)
	if err != nil {
		return nil, err
	}
	if len(data) > maxHistory {
		return nil, errHistory.WithDetail("the history is larger than a history file may be")
	}
	return append(data, '\n'), nil
}

// withHistory decides with what the file at path remembers, and the file
// remembers then what decide gives. Another check with the same file waits. The
// file is written before anybody sees a decision, whole or not at all; without a
// path nothing is remembered.
func withHistory(path string, decide func(remembered) (remembered, error)) error {
	if path == "" {
		_, err := decide(remembered{})
		return err
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real // a rename would put the file in the place of the link
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	unlock, err := store.Lock(ctx, path+".lock")
	if errors.Is(err, context.DeadlineExceeded) {
		return errHistoryBusy.With(err)
	}
	if err != nil {
		return err
	}
	defer unlock()
	before, err := readHistory(path)
	if err != nil {
		return err
	}
	after, err := decide(before)
	if err != nil {
		return err
	}
	data, err := formatHistory(after)
	if err != nil {
		return err
	}
	return writeFile(path, data, 0o600)
}

// readHistory reads a history file; one that does not exist is empty.
func readHistory(path string) (remembered, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return remembered{}, nil
	}
	if err != nil {
		return remembered{}, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return remembered{}, errHistory.WithDetail("the history file is not a regular file").With(err)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxHistory+1))
	if err != nil {
		return remembered{}, err
	}
	if len(data) > maxHistory {
		return remembered{}, errHistory.WithDetail("the history file is larger than any that is written")
	}
	return parseHistory(data)
}
