package cli

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
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
// history's bytes in compact form, in hexadecimal digits: a digit that changed
// on a disk would otherwise be a crossing forgotten.
type historyFile struct {
	Version int             `json:"kinpassHistory"`
	Digest  string          `json:"digest"`
	History json.RawMessage `json:"history"`
}

func digestOf(history []byte) string {
	sum := sha256.Sum256(history)
	return hex.EncodeToString(sum[:])
}

// parseHistory reads a history file strictly.
func parseHistory(data []byte) (check.History, error) {
	var f historyFile
	if err := strictly(data, &f); err != nil || f.Version != 1 {
		return check.History{}, errHistory.With(err)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, f.History); err != nil || digestOf(compact.Bytes()) != f.Digest || compact.Len() < 2 || compact.Bytes()[0] != '{' {
		return check.History{}, errHistory.With(err)
	}
	var h check.History
	if err := strictly(f.History, &h); err != nil {
		return check.History{}, errHistory.With(err)
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

func formatHistory(h check.History) ([]byte, error) {
	history, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(historyFile{Version: 1, Digest: digestOf(history), History: history})
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
func withHistory(path string, decide func(check.History) (check.History, error)) error {
	if path == "" {
		_, err := decide(check.History{})
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
func readHistory(path string) (check.History, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return check.History{}, nil
	}
	if err != nil {
		return check.History{}, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return check.History{}, errHistory.WithDetail("the history file is not a regular file").With(err)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxHistory+1))
	if err != nil {
		return check.History{}, err
	}
	if len(data) > maxHistory {
		return check.History{}, errHistory.WithDetail("the history file is larger than any that is written")
	}
	return parseHistory(data)
}
