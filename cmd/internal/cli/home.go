package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/store"
)

// Roles, spelled the same everywhere.
const (
	issuerRole   = "issuer"
	walletRole   = "wallet"
	verifierRole = "verifier"
)

var roles = []string{issuerRole, walletRole, verifierRole}

// home is where a machine keeps its keys and databases.
type home struct {
	dir      string
	dbFile   string
	passFile string
	watched  bool          // somebody looks at this demonstration: stories take their time, border news come at once
	publish  time.Duration // of a demonstration: how often its issuer publishes
}

func (h *home) path(name string) string { return filepath.Join(h.dir, name) }

// dbURL gives the database URL of a role: from --db-file, or a SQLite file in
// the data directory.
func (h *home) dbURL(role string) (string, error) {
	if h.dbFile == "" {
		return "sqlite:" + h.path(role+".db"), nil
	}
	b, err := os.ReadFile(h.dbFile)
	if err != nil {
		return "", fault.New(fault.Invalid, "db-file", "the file named by --db-file cannot be read").With(err)
	}
	url := strings.TrimSpace(string(b))
	if p, ok := strings.CutPrefix(url, "sqlite:"); ok && strings.HasSuffix(p, "/") {
		return "sqlite:" + p + role + ".db", nil
	}
	return url, nil
}

// open opens and migrates the database of a role.
func (h *home) open(ctx context.Context, role string) (*store.DB, error) {
	url, err := h.dbURL(role)
	if err != nil {
		return nil, err
	}
	db, err := store.Open(ctx, url, role)
	if err != nil {
		return nil, err
	}
	if err := db.Migrate(ctx); err != nil {
		db.Close()
		return nil, err
	}
	return db, nil
}

// passphrase reads the passphrase of the key files. Without --passphrase-file
// it is DATA/passphrase, made with 256 random bits when the first key is sealed:
// right for a demonstration, and for production only if that file is kept
// elsewhere. It is never made beside keys that another passphrase sealed.
func (h *home) passphrase(sealing bool) ([]byte, error) {
	file := h.passFile
	if file == "" {
		file = h.path("passphrase")
	}
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) && sealing && h.passFile == "" && !h.sealed() {
		b = []byte(store.Random(32) + "\n")
		if err := h.write("passphrase", b, 0o600); err != nil {
			return nil, err
		}
		return b, nil
	}
	if err != nil {
		return nil, fault.New(fault.Invalid, "passphrase-file", "the passphrase file cannot be read").With(err).
			WithHint("name it with --passphrase-file")
	}
	return b, nil
}

// mustRing opens a role's key file and says what to do if there is none. What
// repairs or inspects must never make a key.
func (h *home) mustRing(role string) (*keys.Ring, error) {
	r, err := h.ring(role)
	if err == nil && r == nil {
		return nil, fault.New(fault.NotFound, "keys-missing", "there are no keys of this role in the data directory").
			WithHint("name the directory of the service with --data")
	}
	return r, err
}

// sealed reports whether the data directory holds a key file.
func (h *home) sealed() bool {
	found, err := filepath.Glob(h.path("*.keys"))
	return err != nil || len(found) > 0
}

// ring opens the sealed key file of a role ("issuer.keys"); absent gives nil.
func (h *home) ring(name string) (*keys.Ring, error) {
	sealed, err := os.ReadFile(h.path(name + ".keys"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	pass, err := h.passphrase(false)
	if err != nil {
		return nil, err
	}
	r, err := keys.Open(sealed, pass)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name+".keys", err)
	}
	return r, nil
}

// saveRing seals a ring into its file, atomically.
func (h *home) saveRing(name string, r *keys.Ring) error {
	pass, err := h.passphrase(true)
	if err != nil {
		return err
	}
	sealed, err := r.Seal(pass)
	if err != nil {
		return err
	}
	return h.write(name+".keys", sealed, 0o600)
}

// secretsOf names the secrets each role needs beside its signing keys.
var secretsOf = map[string][]string{
	issuerRole:   {"index", "dedup", "oauth"},
	walletRole:   {"wrap"},
	verifierRole: {"history"},
}

// signing is a kind of key that a role signs with: its use, what its names begin
// with, and its algorithm, "" if that can be chosen.
type signing struct{ use, prefix, alg string }

// signingOf gives the kinds of signing keys of a role, the first being what is
// meant where none is named; wallets sign with their guardians' keys, which are
// in the database. Those whose use is an office (keys.RoleOf) are made for an issuer
// that is told to hold them, the others for every one.
var signingOf = map[string][]signing{
	issuerRole: {
		{keys.UseCredentials, "key", ""}, {keys.UseSelective, "selective", keys.ES256}, {keys.UseLedger, "ledger", keys.EdDSA},
		{keys.UseCourt, "court", ""}, {keys.SelectiveOf(keys.UseCourt), "court-selective", keys.ES256},
		{keys.UseProtection, "protection", ""}, {keys.SelectiveOf(keys.UseProtection), "protection-selective", keys.ES256},
		{keys.UseNotary, "notary", ""}, {keys.SelectiveOf(keys.UseNotary), "notary-selective", keys.ES256},
		{keys.UseConsulate, "consulate", ""},
		{keys.UseWitness, "witness", ""},
		{keys.UseHumanitarian, "humanitarian", ""}, {keys.SelectiveOf(keys.UseHumanitarian), "humanitarian-selective", keys.ES256},
	},
	verifierRole: {{keys.UseHub, "key", ""}},
	anchorName:   {{keys.UseAnchor, "key", ""}},
	witnessName:  {{keys.UseCosign, "key", keys.EdDSA}},
}

// everyOffice are the offices whose guardianships a national register keeps: what
// an import needs keys for, and the demonstration.
var everyOffice = []string{keys.UseCourt, keys.UseProtection, keys.UseNotary, keys.UseHumanitarian}

// officesEnv names the offices of an issuer where --offices does not.
const officesEnv = "KINPASS_OFFICES"

// checkOffices refuses what is no role that an issuer can hold keys for.
func checkOffices(offices []string) error {
	for _, o := range offices {
		if !slices.Contains(keys.RoleUses(), o) {
			return usage{errors.New("--offices takes " + strings.Join(keys.RoleUses(), ", "))}
		}
	}
	return nil
}

const anchorName = "anchor"

// witnessName names a witness's key file, its description and its directory.
const witnessName = "witness"

// lock lets one process at a time make or change key files in the data
// directory: two that started together would each make keys, and one's would be
// lost with everything that they signed.
func (h *home) lock() (unlock func(), err error) {
	if err := os.MkdirAll(h.dir, 0o700); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return store.Lock(ctx, h.path(".lock"))
}

// lockedRing opens a role's ring for a change; nil if there is none. The data directory
// is locked until unlock is called.
func (h *home) lockedRing(role string) (r *keys.Ring, unlock func(), err error) {
	if unlock, err = h.lock(); err != nil {
		return nil, nil, err
	}
	if r, err = h.ring(role); err != nil {
		unlock()
		return nil, nil, err
	}
	return r, unlock, nil
}

// ensureRing opens a role's ring and makes what is missing: the file, a first
// signing key of each use, those of these offices among them, the secrets.
func (h *home) ensureRing(role, alg string, offices ...string) (*keys.Ring, error) {
	r, unlock, err := h.lockedRing(role)
	if err != nil {
		return nil, err
	}
	defer unlock()
	changed := false
	if r == nil {
		r, changed = &keys.Ring{}, true
	}
	for _, kind := range signingOf[role] {
		if office := keys.RoleOf(kind.use); len(r.Of(kind.use)) > 0 || office != "" && !slices.Contains(offices, office) {
			continue
		}
		// The first key has no beginning that matters: a registry's first import
		// may be dated back, and a clock that is a little slow must not find its
		// own key to be from the future.
		k, err := keys.New(kind.name(r), kind.use, kind.algorithm(alg), now().UTC().AddDate(-10, 0, 0).Truncate(time.Hour), time.Time{})
		if err != nil {
			return nil, err
		}
		if err := r.Add(k); err != nil {
			return nil, err
		}
		changed = true
	}
	for _, s := range secretsOf[role] {
		made, err := r.EnsureSecret(s)
		if err != nil {
			return nil, err
		}
		changed = changed || made
	}
	if changed {
		if err := h.saveRing(role, r); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// algorithm gives the algorithm of a new key where alg is wished for.
func (s signing) algorithm(alg string) string {
	if s.alg != "" {
		return s.alg
	}
	return alg
}

// name gives a name for the next key of this kind, which no key of the ring has.
func (s signing) name(r *keys.Ring) string {
	for n := len(r.Of(s.use)) + 1; ; n++ {
		name := fmt.Sprintf("%s-%d", s.prefix, n)
		if !slices.ContainsFunc(r.Keys, func(k *keys.Key) bool { return k.Name == name }) {
			return name
		}
	}
}

// write puts a file into the data directory so that a crash leaves the old or
// the new one, never half of it.
func (h *home) write(name string, data []byte, mode os.FileMode) error {
	if err := os.MkdirAll(h.dir, 0o700); err != nil {
		return err
	}
	return writeFile(h.path(name), data, mode)
}

func writeFile(path string, data []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // does nothing after the rename
	if err := f.Chmod(mode); err != nil {
		f.Close()
		return err
	}
	if _, err := f.Write(data); err != nil {
		f.Close()
		return err
	}
	if err := f.Sync(); err != nil {
		f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
