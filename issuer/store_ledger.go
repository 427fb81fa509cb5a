package issuer

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/tlog"
)

// ledger is where the ledger stands.
type ledger struct {
	size         int64
	issued, acts int64 // last commitments that are in it
	checkpoint   []byte
	at           time.Time
}

// waiting is a commitment that is not in the ledger yet.
type waiting struct {
	id          int64
	kind        string
	office      string
	hash        []byte
	created     time.Time
	list, index int64 // of a changed place
}

// batch bounds how many commitments one transaction takes into the ledger.
const batch = 2048

// issuedKinds are the commitments that go into the ledger at once: what is issued,
// and what is public. The others are
// changes of status.
const issuedKinds = `('issued', '` + actReserved + `', 'key', 'trust', 'accreditation')`

// notActs leave changes of status: two lists, because there is an index for the
// first.
const notActs = `('issued', '` + actReserved + `') AND kind NOT IN ('key', 'trust', 'accreditation')`

// ledgerState reads where the ledger stands.
func (s *Store) ledgerState(ctx context.Context, q reader) (ledger, error) {
	var l ledger
	var at int64
	err := q.QueryRowContext(ctx, `SELECT size, issued, acts, checkpoint, at FROM ledger WHERE id = 1`).Scan(&l.size, &l.issued, &l.acts, &l.checkpoint, &at)
	l.at = store.Time(at)
	return l, err
}

// unsequenced reports whether something waits for the ledger, or the ledger for
// its first checkpoint.
func (s *Store) unsequenced(ctx context.Context, of slot) (bool, error) {
	l, err := s.ledgerState(ctx, s.db)
	if err != nil || len(l.checkpoint) == 0 {
		return err == nil, err
	}
	var one int
	err = s.db.QueryRowContext(ctx, `SELECT CASE WHEN EXISTS (SELECT 1 FROM commitments WHERE id > $1 AND kind IN `+issuedKinds+`)
		OR EXISTS (SELECT 1 FROM commitments WHERE id > $2 AND id <= $3 AND kind NOT IN `+notActs+`) THEN 1 ELSE 0 END`, l.issued, l.acts, of.acts).Scan(&one)
	return one == 1, err
}

// sequence takes commitments into the ledger: those of what was issued, and of
// changes of status that the slot shows. entries turns a commitment
// into its entry; sign signs the new tree. It gives how many it took. Another
// replica that does the same waits for the row, and then for its turn.
func (s *Store) sequence(ctx context.Context, of slot, entry func(waiting) ([]byte, error), sign func(size int64, root tlog.Hash) ([]byte, error)) (taken int, err error) {
	err = s.db.Write(ctx, func(tx *sql.Tx) error {
		taken = 0
		if _, err := tx.ExecContext(ctx, `UPDATE ledger SET turn = turn + 1 WHERE id = 1`); err != nil {
			return err
		}
		l, err := s.ledgerState(ctx, tx)
		if err != nil {
			return err
		}
		first := l.size == 0 && len(l.checkpoint) == 0
		a := appending{s: s, tx: tx, size: l.size}
		for acts, last := range []*int64{&l.issued, &l.acts} {
			rows, err := s.waiting(ctx, tx, acts == 1, *last, of)
			if err != nil {
				return err
			}
			if len(rows) == 0 {
				continue
			}
			if _, err := tx.ExecContext(ctx, `INSERT INTO ledger_runs (start, acts, first, last) VALUES ($1, $2, $3, $4)`,
				a.size+int64(len(a.entries)), acts, rows[0].id, rows[len(rows)-1].id); err != nil {
				return err
			}
			for _, w := range rows {
				e, err := entry(w)
				if err != nil {
					return err
				}
				a.entries = append(a.entries, e)
				*last = w.id
			}
		}
		if len(a.entries) == 0 && !first {
			return nil
		}
		root, err := a.write(ctx)
		if err != nil {
			return err
		}
		size := l.size + int64(len(a.entries))
		if l.checkpoint, err = sign(size, root); err != nil {
			return err
		}
		taken = len(a.entries)
		_, err = tx.ExecContext(ctx, `UPDATE ledger SET size = $1, issued = $2, acts = $3, checkpoint = $4, at = $5 WHERE id = 1`,
			size, l.issued, l.acts, l.checkpoint, store.Micros(s.now()))
		return err
	})
	return taken, err
}

// waiting gives the commitments after one, in their order. Ids grow in the order
// of commits because every writer holds the pen.
func (s *Store) waiting(ctx context.Context, tx *sql.Tx, acts bool, after int64, of slot) ([]waiting, error) {
	which, args := `c.kind IN `+issuedKinds, []any{after, batch}
	if acts {
		which, args = `c.id <= $3 AND c.kind NOT IN `+strings.ReplaceAll(notActs, " kind", " c.kind"), append(args, of.acts)
	}
	rs, err := tx.QueryContext(ctx, `SELECT c.id, c.kind, c.hash, c.created, COALESCE(x.signed_as, ''), COALESCE(x.list, p.list, 0), COALESCE(x.idx, p.idx, 0)
		FROM commitments c LEFT JOIN credentials x ON x.id = c.credential_id LEFT JOIN consent_places p ON p.id = c.credential_id
		WHERE c.id > $1 AND `+which+` ORDER BY c.id LIMIT $2`, args...)
	return store.All(rs, err, func(rs *sql.Rows) (w waiting, err error) {
		var created int64
		err = rs.Scan(&w.id, &w.kind, &w.hash, &created, &w.office, &w.list, &w.index)
		w.created = store.Time(created)
		return w, err
	})
}

// appending is a batch on its way into the ledger.
type appending struct {
	s       *Store
	tx      *sql.Tx
	size    int64 // before
	entries [][]byte
}

// write stores the entries and the hashes and gives the new root.
func (a *appending) write(ctx context.Context) (tlog.Hash, error) {
	old := tileReader{ctx: ctx, q: a.tx, size: a.size}
	hashes, root, err := tlog.Append(a.size, a.entries, &old)
	if err != nil {
		return tlog.Hash{}, err
	}
	all := tlog.After(a.size, hashes, &old)
	for _, t := range tlog.NewTiles(a.size, a.size+int64(len(a.entries))) {
		if t.L == -1 {
			err = a.bundle(ctx, t)
		} else {
			var data []byte
			if data, err = tlog.ReadTile(t, all); err == nil {
				_, err = a.tx.ExecContext(ctx, `INSERT INTO ledger_tiles (level, n, data) VALUES ($1, $2, $3)
					ON CONFLICT (level, n) DO UPDATE SET data = excluded.data`, t.L, t.N, data)
			}
		}
		if err != nil {
			return tlog.Hash{}, err
		}
	}
	return root, nil
}

// bundle stores the entries of one bundle: those that are there and those that
// come.
func (a *appending) bundle(ctx context.Context, t tlog.Tile) error {
	first := t.N << tlog.TileHeight
	var have []byte
	from := first - a.size // index of the bundle's first entry among those that come
	if from < 0 {
		if err := a.tx.QueryRowContext(ctx, `SELECT data FROM ledger_bundles WHERE n = $1`, t.N).Scan(&have); err != nil {
			return err
		}
		from = 0
	}
	more, err := tlog.Bundle(a.entries[from : first+int64(t.W)-a.size])
	if err != nil {
		return err
	}
	_, err = a.tx.ExecContext(ctx, `INSERT INTO ledger_bundles (n, data) VALUES ($1, $2) ON CONFLICT (n) DO UPDATE SET data = excluded.data`, t.N, append(have, more...))
	return err
}

// tileReader gives hashes out of the tiles of a log of this size.
type tileReader struct {
	ctx   context.Context
	q     reader
	size  int64
	tiles map[tlog.Tile][]byte
}

func (r *tileReader) ReadHashes(at []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(at))
	for k, i := range at {
		t := tlog.TileOf(i)
		key := tlog.Tile{H: t.H, L: t.L, N: t.N}
		data, ok := r.tiles[key]
		if !ok {
			if err := r.q.QueryRowContext(r.ctx, `SELECT data FROM ledger_tiles WHERE level = $1 AND n = $2`, t.L, t.N).Scan(&data); err != nil {
				return nil, err
			}
			if r.tiles == nil {
				r.tiles = map[tlog.Tile][]byte{}
			}
			r.tiles[key] = data
		}
		var err error
		if out[k], err = tlog.HashOf(t, data, i); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// ledgerTile gives the content of a tile or bundle if the ledger is that large.
func (s *Store) ledgerTile(ctx context.Context, t tlog.Tile) ([]byte, error) {
	l, err := s.ledgerState(ctx, s.db)
	if err != nil {
		return nil, err
	}
	if !tlog.Holds(l.size, t) {
		return nil, ErrNoSuchTile
	}
	var data []byte
	if t.L == -1 {
		err = s.db.QueryRowContext(ctx, `SELECT data FROM ledger_bundles WHERE n = $1`, t.N).Scan(&data)
	} else {
		err = s.db.QueryRowContext(ctx, `SELECT data FROM ledger_tiles WHERE level = $1 AND n = $2`, t.L, t.N).Scan(&data)
	}
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrNoSuchTile
	}
	if err != nil {
		return nil, err
	}
	return tlog.Cut(t, data)
}

// committed is a commitment that is in the ledger.
type committed struct {
	index int64
	salt  []byte
}

// commitmentOf finds the commitment to a credential's issuance in the ledger,
// ErrNotLogged if it is not there (yet).
func (s *Store) commitmentOf(ctx context.Context, credential string) (committed, error) {
	var c committed
	var id, start, first int64
	err := s.db.QueryRowContext(ctx, `SELECT id, salt FROM commitments WHERE credential_id = $1 AND kind = 'issued'`, credential).Scan(&id, &c.salt)
	if errors.Is(err, sql.ErrNoRows) {
		return c, ErrNotLogged
	}
	if err != nil {
		return c, err
	}
	err = s.db.QueryRowContext(ctx, `SELECT start, first FROM ledger_runs WHERE acts = 0 AND first <= $1 AND last >= $1 ORDER BY first DESC LIMIT 1`, id).Scan(&start, &first)
	if errors.Is(err, sql.ErrNoRows) {
		return c, ErrNotLogged
	}
	if err != nil {
		return c, err
	}
	var before int64
	err = s.db.QueryRowContext(ctx, `SELECT COUNT(*) FROM commitments WHERE id >= $1 AND id < $2 AND kind IN `+issuedKinds, first, id).Scan(&before)
	c.index = start + before
	return c, err
}
