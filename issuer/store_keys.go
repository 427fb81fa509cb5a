package issuer

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kinpass/kinpass/internal/store"
)

// Search keys are hashes, so that each goes to a page of its own in the table
// dedup: written there one birth at a time they would be most of what registering
// one costs. The keys of the newest births are therefore in runs (table dedup_runs), one
// for each transaction, which every process also keeps in memory. When there are
// many, the transaction at hand sorts them into dedup. A candidate that is no
// longer one does no harm: births are compared as they are stored.

// keySize is the length of a search key in bytes.
const keySize = 10

// flushAt is how many keys the runs may have before they are sorted into dedup,
// and flushFor how long one transaction does that: the table may be far larger
// than the memory, and somebody waits. What is left is the next one's, but no more
// than flushMost times flushAt: where keys come faster than they are sorted, whoever
// brings them waits.
const (
	flushAt   = 8192
	flushMost = 4
	flushFor  = 100 * time.Millisecond
)

// searchKey is a key and the birth that has it.
type searchKey struct {
	hash  string // keySize bytes
	birth string // its id
}

// errRun says that a run cannot be read: a fault of the database.
var errRun = errors.New("a run of search keys is damaged")

// appendKey writes a key as runs hold it: the hash, the length of the birth's id
// in one byte, the id.
func appendKey(run []byte, k searchKey) []byte {
	run = append(run, k.hash...)
	run = append(run, byte(len(k.birth)))
	return append(run, k.birth...)
}

// readKeys reads a run.
func readKeys(run []byte) ([]searchKey, error) {
	var out []searchKey
	for len(run) > 0 {
		if len(run) <= keySize || len(run) <= keySize+int(run[keySize]) {
			return nil, errRun
		}
		end := keySize + 1 + int(run[keySize])
		out = append(out, searchKey{string(run[:keySize]), string(run[keySize+1 : end])})
		run = run[end:]
	}
	return out, nil
}

// newKeys are the keys of all runs, as far as this process has read them.
type newKeys struct {
	mu     sync.Mutex
	last   int64 // id of the newest run
	births map[string][]string
	n      int
}

// of gives the births that have a key.
func (k *newKeys) of(hash []byte) []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.births[string(hash)]
}

// read gives the newest run that was read, and how many keys there are.
func (k *newKeys) read() (last int64, n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.last, k.n
}

// keyRun is what one transaction wrote. first: those before were sorted into dedup
// and deleted, and this is what was left of them.
type keyRun struct {
	id    int64
	first bool
	keys  []searchKey
}

// runs gives the runs after one, in their order.
func (s *Store) runs(ctx context.Context, q reader, after int64) ([]keyRun, error) {
	rs, err := q.QueryContext(ctx, `SELECT id, first, keys FROM dedup_runs WHERE id > $1 ORDER BY id`, after)
	return store.All(rs, err, func(rs *sql.Rows) (r keyRun, err error) {
		var first int
		var keys sql.RawBytes
		if err := rs.Scan(&r.id, &first, &keys); err != nil {
			return r, err
		}
		r.first = first == 1
		r.keys, err = readKeys(keys)
		return r, err
	})
}

// readRuns reads the runs that came since. Runs are numbered in the order of the
// transactions, which are one after another, so none comes before one that was
// read. A transaction that writes runs reads them first: what it wrote itself may
// yet be rolled back.
func (s *Store) readRuns(ctx context.Context, q reader) error {
	after, _ := s.keys.read()
	runs, err := s.runs(ctx, q, after)
	if err != nil {
		return err
	}
	s.keys.mu.Lock()
	defer s.keys.mu.Unlock()
	for _, r := range runs {
		if r.id <= s.keys.last {
			continue // somebody else read it meanwhile
		}
		if r.first || s.keys.births == nil {
			s.keys.births, s.keys.n = map[string][]string{}, 0
		}
		for _, k := range r.keys {
			s.keys.births[k.hash] = append(s.keys.births[k.hash], k.birth)
		}
		s.keys.n += len(r.keys)
		s.keys.last = r.id
	}
	return nil
}

// addKeys stores the search keys of births that are registered. The transaction
// has read the runs.
func (s *Store) addKeys(ctx context.Context, tx *sql.Tx, in []*entry) error {
	var run []byte
	for _, e := range in {
		for _, k := range e.keys {
			run = appendKey(run, searchKey{string(k), e.row.ID})
		}
	}
	if len(run) == 0 {
		return nil
	}
	last, n := s.keys.read()
	if n >= s.flush {
		last++
		if err := s.flushRuns(ctx, tx, last); err != nil {
			return err
		}
	}
	return s.addRun(ctx, tx, last+1, 0, run)
}

func (s *Store) addRun(ctx context.Context, tx *sql.Tx, id int64, first int, run []byte) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO dedup_runs (id, first, keys) VALUES ($1, $2, $3)`, id, first, run)
	return err
}

// flushRuns sorts the runs into dedup, as many as it has time for. What is left
// becomes the run of this id, which says that those before it are gone.
func (s *Store) flushRuns(ctx context.Context, tx *sql.Tx, id int64) error {
	runs, err := s.runs(ctx, tx, 0)
	if err != nil {
		return err
	}
	var all []searchKey
	for _, r := range runs {
		all = append(all, r.keys...)
	}
	slices.SortFunc(all, func(a, b searchKey) int { return strings.Compare(a.hash, b.hash) })
	end := time.Now().Add(s.flushFor)
	for len(all) > 0 && (len(all) > flushMost*s.flush || time.Now().Before(end)) {
		part := all[:min(len(all), 64)]
		var rows [][]any
		for _, k := range part {
			rows = append(rows, []any{[]byte(k.hash), k.birth})
		}
		if err := s.insertOr(ctx, tx, `INSERT INTO dedup (hash, birth)`, rows, ` ON CONFLICT DO NOTHING`); err != nil {
			return err
		}
		all = all[len(part):]
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM dedup_runs WHERE id < $1`, id); err != nil {
		return err
	}
	rest := []byte{}
	for _, k := range all {
		rest = appendKey(rest, k)
	}
	return s.addRun(ctx, tx, id, 1, rest)
}

// dropKeys deletes the search keys of a birth. What other processes keep of them
// in memory finds a birth that is not as it was any more.
func (s *Store) dropKeys(ctx context.Context, tx *sql.Tx, birth string, keys [][]byte) error {
	for _, k := range keys {
		if _, err := tx.ExecContext(ctx, `DELETE FROM dedup WHERE hash = $1 AND birth = $2`, k, birth); err != nil {
			return err
		}
	}
	runs, err := s.runs(ctx, tx, 0)
	if err != nil {
		return err
	}
	theirs := func(k searchKey) bool { return k.birth == birth }
	for _, r := range runs {
		if !slices.ContainsFunc(r.keys, theirs) {
			continue
		}
		keep := []byte{}
		for _, k := range slices.DeleteFunc(r.keys, theirs) {
			keep = appendKey(keep, k)
		}
		if _, err := tx.ExecContext(ctx, `UPDATE dedup_runs SET keys = $2 WHERE id = $1`, r.id, keep); err != nil {
			return err
		}
	}
	return nil
}
