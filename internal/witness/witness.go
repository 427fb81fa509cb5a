// Package witness is an independent witness of ledgers (C2SP tlog-witness): it
// cosigns a ledger's checkpoint only after a proof that the ledger still begins
// with all that the witness saw of it before. Whoever demands the cosignatures of
// witnesses can be told one history alone.
//
// A Witness keeps one file for each ledger in a directory of its own: the newest
// checkpoint that it cosigned. The file is on the disk before anybody gets the
// cosignature, one process at a time holds the directory, and a file that cannot
// be read ends the work rather than beginning it anew. Copies of the directory
// must never be put back: a witness that forgot what it saw is retired with its
// key.
//
// Client asks a witness, Request is what goes between them.
package witness

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/tlog"
)

// Errors of a witness. Their kinds are the statuses of tlog-witness.
var (
	ErrRequest = fault.New(fault.Invalid, "witness-request", "not a request to a witness (C2SP tlog-witness)")
	// ErrUnknownLog: the witness follows no ledger of this name.
	ErrUnknownLog = fault.New(fault.NotFound, "witness-unknown-ledger", "this witness does not follow the ledger")
	// ErrNotSigned: the ledger's own key has not signed the checkpoint.
	ErrNotSigned = fault.New(fault.Forbidden, "witness-not-signed", "the checkpoint is not signed by the ledger's key")
	// ErrProof: the checkpoint is not shown to continue what the witness saw.
	ErrProof = fault.New(fault.Unprocessable, "witness-proof", "the proof does not show that the ledger begins with what the witness saw")
	// ErrHistory: two histories of one ledger, which an honest ledger never has.
	ErrHistory = fault.New(fault.Conflict, "witness-other-history", "the witness has seen another history of this ledger")
	ErrBusy    = fault.New(fault.Unavailable, "witness-busy", "another process holds the witness's directory").
			WithHint("a witness runs once: stop the other process, or name another directory with --data")
	ErrState = fault.New(fault.Internal, "witness-state", "what the witness saw cannot be read").
			WithHint("do not delete it and do not put an old copy back: a witness that forgot is retired with its key")
)

// Conflict says that the witness saw Size entries of the ledger, another number
// than the request begins with.
type Conflict struct{ Size int64 }

// Error gives the sentence, without the size.
func (*Conflict) Error() string { return "the witness saw another size of this ledger" }

// Config says what a witness needs; every field must be set.
type Config struct {
	Name string        // in its signatures' lines, such as witness.example/w1
	Key  crypto.Signer // Ed25519
	Dir  string        // of its own; made if it is missing
	// Ledger gives the key of a ledger that is to be witnessed, ErrUnknownLog for
	// any other.
	Ledger func(ctx context.Context, origin string) (tlog.Verifier, error)
	Now    func() time.Time
	Log    *slog.Logger
}

// Witness is a witness at work. It is safe for use by many goroutines.
type Witness struct {
	cfg    Config
	self   tlog.Verifier
	signer note.Signer
	free   func()

	mu   sync.Mutex
	logs map[string]*ledger // by origin
}

// ledger is what the witness saw of one ledger.
type ledger struct {
	sync.Mutex
	known bool // what is below was read from the disk, and nothing went wrong since
	tlog.Checkpoint
	signed []byte    // with the ledger's signature and ours; nil: nothing was seen
	at     time.Time // of our cosignature
}

// fresh is how long a cosignature is given again as it is: so nobody who repeats a
// public checkpoint makes the witness write to its disk.
const fresh = 10 * time.Second

// Open takes the directory and reads what was seen. Close gives it back.
func Open(ctx context.Context, cfg Config) (*Witness, error) {
	if !goodName(cfg.Name) {
		return nil, fault.New(fault.Invalid, "witness-name", "a witness's name is its address without the scheme, such as witness.example/w1")
	}
	pub, ok := cfg.Key.Public().(ed25519.PublicKey)
	if !ok {
		return nil, fault.New(fault.Invalid, "witness-key", "a witness signs with Ed25519")
	}
	w := &Witness{cfg: cfg, self: tlog.WitnessVerifier(cfg.Name, pub), logs: map[string]*ledger{}}
	var err error
	if w.signer, err = tlog.WitnessSigner(cfg.Name, cfg.Key, cfg.Now); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, err
	}
	wait, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if w.free, err = store.Lock(wait, filepath.Join(cfg.Dir, ".lock")); err != nil {
		return nil, ErrBusy.With(err)
	}
	if err := w.readAll(); err != nil {
		w.free()
		return nil, err
	}
	return w, nil
}

// Close lets another process take the directory.
func (w *Witness) Close() { w.free() }

// Verifier is the key that the cosignatures are verified with.
func (w *Witness) Verifier() tlog.Verifier { return w.self }

// goodName accepts what can stand in a signature's line and in a note key.
func goodName(s string) bool {
	return s != "" && len(s) <= 128 && !strings.ContainsAny(s, "+ \t\r\n") && strings.ToValidUTF8(s, "") == s
}

// suffix ends the names of the files.
const suffix = ".checkpoint"

// fileOf names the file of a ledger.
func fileOf(origin string) string {
	h := sha256.Sum256([]byte(origin))
	return hex.EncodeToString(h[:])
}

// readAll reads every file, so that a damaged one is found at the start.
func (w *Witness) readAll() error {
	names, err := filepath.Glob(filepath.Join(w.cfg.Dir, "*"+suffix))
	if err != nil {
		return err
	}
	for _, name := range names {
		signed, err := os.ReadFile(name)
		if err != nil {
			return ErrState.With(err)
		}
		origin, err := tlog.Origin(signed)
		if err != nil || fileOf(origin)+suffix != filepath.Base(name) {
			return ErrState.With(err)
		}
		l, err := w.parse(origin, signed)
		if err != nil {
			return err
		}
		w.logs[origin] = l
	}
	return nil
}

// parse reads what was seen of a ledger. Our own cosignature says that it is
// whole.
func (w *Witness) parse(origin string, signed []byte) (*ledger, error) {
	_, at, err := tlog.Cosigned(signed, lines(signed), w.self)
	if err != nil {
		return nil, ErrState.With(err)
	}
	c, err := tlog.Peek(signed)
	if err != nil || c.Origin != origin {
		return nil, ErrState.With(err)
	}
	return &ledger{known: true, Checkpoint: c, signed: signed, at: at}, nil
}

// lines gives the signatures' lines of a signed checkpoint.
func lines(signed []byte) []byte {
	_, after, _ := bytes.Cut(signed, []byte("\n\n"))
	return after
}

// of gives what was seen of a ledger, locked. It reads the disk again after
// something went wrong.
func (w *Witness) of(origin string) (*ledger, error) {
	w.mu.Lock()
	l := w.logs[origin]
	if l == nil {
		l = &ledger{}
		w.logs[origin] = l
	}
	w.mu.Unlock()
	l.Lock()
	if l.known {
		return l, nil
	}
	signed, err := os.ReadFile(filepath.Join(w.cfg.Dir, fileOf(origin)+suffix))
	if errors.Is(err, fs.ErrNotExist) {
		l.Checkpoint, l.signed, l.known = tlog.Checkpoint{Origin: origin}, nil, true
		return l, nil
	}
	if err == nil {
		var read *ledger
		if read, err = w.parse(origin, signed); err == nil {
			l.Checkpoint, l.signed, l.at, l.known = read.Checkpoint, read.signed, read.at, true
			return l, nil
		}
	}
	l.Unlock()
	return nil, ErrState.With(err)
}

// Add cosigns a checkpoint that continues what the witness saw of its ledger, and
// gives the cosignature's line. When it returns without an error, the checkpoint
// is on the disk.
func (w *Witness) Add(ctx context.Context, r Request) ([]byte, error) {
	origin, err := tlog.Origin(r.Signed)
	if err != nil {
		return nil, ErrRequest.With(err)
	}
	key, err := w.cfg.Ledger(ctx, origin)
	if err != nil {
		return nil, err
	}
	policy := tlog.Policy{Log: key}
	c, err := policy.Open(r.Signed)
	if err != nil {
		return nil, ErrNotSigned.With(err)
	}
	if r.Old > c.Size {
		return nil, ErrRequest
	}
	l, err := w.of(origin)
	if err != nil {
		return nil, err
	}
	defer l.Unlock()
	signed, err := policy.Known(r.Signed)
	if err != nil {
		return nil, ErrNotSigned.With(err)
	}
	if l.Size != r.Old {
		if l.signed != nil && c.Size == l.Size && c.Root != l.Root {
			w.keep(origin, "contradiction", l.signed, signed)
		}
		return nil, &Conflict{l.Size}
	}
	if err := follows(l, c.Checkpoint, r.Proof); err != nil {
		kind := "unproven"
		if errors.Is(err, ErrHistory) {
			kind = "contradiction"
		}
		w.keep(origin, kind, l.signed, signed)
		return nil, err
	}
	if age := w.cfg.Now().Sub(l.at); l.signed != nil && c.Size == l.Size && age >= 0 && age < fresh {
		line, _, err := tlog.Cosigned(l.signed, lines(l.signed), w.self)
		return line, err
	}
	both, err := tlog.Cosign(signed, w.signer)
	if err != nil {
		return nil, err
	}
	line, at, err := tlog.Cosigned(both, lines(both), w.self)
	if err != nil {
		return nil, err
	}
	// From here on the disk may say one or the other until the write is through.
	l.known = false
	if err := w.write(fileOf(origin)+suffix, both); err != nil {
		return nil, ErrState.With(err).WithDetail("what the witness saw cannot be written")
	}
	l.Checkpoint, l.signed, l.at, l.known = c.Checkpoint, both, at, true
	return line, nil
}

// follows reports whether a checkpoint continues what was seen of its ledger.
func follows(l *ledger, c tlog.Checkpoint, proof []tlog.Hash) error {
	if c.Size == 0 && c.Root != tlog.EmptyRoot() {
		return ErrProof
	}
	if l.Size == 0 || l.Size == c.Size {
		if len(proof) > 0 {
			return ErrProof
		}
		if l.Size == c.Size && l.signed != nil && l.Root != c.Root {
			return ErrHistory
		}
		return nil
	}
	if err := tlog.CheckConsistency(l.Checkpoint, c, proof); err != nil {
		return ErrProof.With(err)
	}
	return nil
}

// write puts a file into the directory: when it returns, the file is on the disk,
// and so is its name.
func (w *Witness) write(name string, data []byte) error {
	f, err := os.CreateTemp(w.cfg.Dir, ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // does nothing after the rename
	if _, err := f.Write(data); err != nil {
		f.Close()
		return err
	}
	if err := syncFile(f); err != nil {
		f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), filepath.Join(w.cfg.Dir, name)); err != nil {
		return err
	}
	d, err := os.Open(w.cfg.Dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return syncFile(d)
}

// syncFile waits until the disk has a file, or a directory; a test makes it fail.
var syncFile = (*os.File).Sync

// maxEvidence bounds the pieces of evidence that are kept for one ledger: who asks
// needs no permission.
const maxEvidence = 32

// keep keeps what a ledger's key signed and the witness refused, beside what it
// had cosigned: a contradiction is proof that somebody with the key tells two
// histories; the other kind may be, and the ledger's entries will show.
func (w *Witness) keep(origin, kind string, seen, refused []byte) {
	dir := filepath.Join(w.cfg.Dir, "evidence")
	prefix := fileOf(origin)[:16] + "-" + kind + "-"
	sum := sha256.Sum256(append(bytes.Clone(bodyOf(seen)), bodyOf(refused)...))
	name := filepath.Join(dir, prefix+hex.EncodeToString(sum[:8])+".txt")
	had, _ := filepath.Glob(filepath.Join(dir, prefix+"*"))
	if slices.Contains(had, name) || len(had) >= maxEvidence || os.MkdirAll(dir, 0o700) != nil {
		return
	}
	text := append(append(bytes.Clone(seen), '\n'), refused...)
	if err := os.WriteFile(name, text, 0o600); err != nil {
		w.cfg.Log.Error("evidence cannot be kept", "ledger", origin, "kind", kind)
	}
	w.cfg.Log.Error("a ledger's key signed what does not continue what the witness saw", "ledger", origin, "kind", kind, "evidence", name)
}

// bodyOf gives the text that is signed, so that one checkpoint is one piece of
// evidence however often it is signed.
func bodyOf(signed []byte) []byte {
	text, _, _ := bytes.Cut(signed, []byte("\n\n"))
	return text
}

// Seen is what a witness saw of one ledger.
type Seen struct {
	Origin string    `json:"origin"`
	Size   int64     `json:"size"`
	At     time.Time `json:"cosignedAt"`
	Path   string    `json:"checkpoint"` // below the witness's address
}

// Ledgers lists what was seen, by the ledgers' names.
func (w *Witness) Ledgers() []Seen {
	w.mu.Lock()
	all := make([]*ledger, 0, len(w.logs))
	for _, l := range w.logs {
		all = append(all, l)
	}
	w.mu.Unlock()
	out := []Seen{}
	for _, l := range all {
		l.Lock()
		if l.known && l.signed != nil {
			out = append(out, Seen{l.Origin, l.Size, l.at, fileOf(l.Origin) + "/checkpoint"})
		}
		l.Unlock()
	}
	slices.SortFunc(out, func(a, b Seen) int { return strings.Compare(a.Origin, b.Origin) })
	return out
}

// Checkpoint gives the newest cosigned checkpoint of the ledger whose name has this
// SHA-256 in hex, ErrUnknownLog if there is none.
func (w *Witness) Checkpoint(hash string) ([]byte, error) {
	w.mu.Lock()
	var l *ledger
	for origin, x := range w.logs {
		if fileOf(origin) == hash {
			l = x
		}
	}
	w.mu.Unlock()
	if l == nil {
		return nil, ErrUnknownLog
	}
	l.Lock()
	defer l.Unlock()
	if !l.known || l.signed == nil {
		return nil, ErrUnknownLog
	}
	return l.signed, nil
}

// Read gives what a witness saw out of its directory, without taking it: for
// people who look while it runs. What our key did not sign is ErrState.
func Read(dir string, self tlog.Verifier) ([]Seen, error) {
	w := &Witness{cfg: Config{Dir: dir}, self: self, logs: map[string]*ledger{}}
	if err := w.readAll(); err != nil {
		return nil, err
	}
	return w.Ledgers(), nil
}

// Request asks a witness to cosign a checkpoint.
type Request struct {
	Old    int64       // entries that the witness saw before
	Proof  []tlog.Hash // that the first Old entries are still the same
	Signed []byte      // the checkpoint, signed by its ledger
}

// Bounds of a request.
const (
	maxProof   = 63
	maxRequest = 32 << 10
)

// Bytes writes the body of a request (C2SP tlog-witness, add-checkpoint).
func (r Request) Bytes() []byte {
	out := strconv.AppendInt([]byte("old "), r.Old, 10)
	out = append(out, '\n')
	for _, h := range r.Proof {
		out = append(append(out, h.String()...), '\n')
	}
	return append(append(out, '\n'), r.Signed...)
}

// ParseRequest reads exactly what Bytes writes, ErrRequest for anything else. The
// checkpoint is not looked into.
func ParseRequest(body []byte) (Request, error) {
	head, signed, ok := bytes.Cut(body, []byte("\n\n"))
	if !ok || len(body) > maxRequest {
		return Request{}, ErrRequest
	}
	rows := strings.Split(string(head), "\n")
	number, ok := strings.CutPrefix(rows[0], "old ")
	old, err := strconv.ParseInt(number, 10, 64)
	if !ok || err != nil || old < 0 || len(rows)-1 > maxProof {
		return Request{}, ErrRequest
	}
	r := Request{Old: old, Signed: signed}
	for _, row := range rows[1:] {
		h, err := tlog.ParseHash(row)
		if err != nil {
			return Request{}, ErrRequest
		}
		r.Proof = append(r.Proof, h)
	}
	if !bytes.Equal(r.Bytes(), body) {
		return Request{}, ErrRequest
	}
	return r, nil
}

// readLimited reads at most limit bytes, and nothing of what is longer.
func readLimited(r io.Reader, limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = ErrRequest
	}
	return b, err
}
