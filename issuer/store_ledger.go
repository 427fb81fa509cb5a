package issuer

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/tlog"
)

// ledger is where the ledger stands.
type ledger struct {
	size         int64
	issued, acts int64   // last commitments that are in it, or never will be
	taking       showing // the publication whose changes were taken in last
	checkpoint   []byte
	at           time.Time
}

// showing are the acts that one publication of the shelf shows: the commitments after
// one and up to another.
type showing struct {
	at       time.Time // of the publication; zero: each act was published by itself
	from, to int64
}

// waiting is a commitment that is not in the ledger yet.
type waiting struct {
	id          int64
	kind        string
	role        string // that signed
	office      string // label of the office that registered, "" where that is not told
	hash        []byte
	at          time.Time // when it happened, or of a change of status, was published
	list, index int64     // of a changed place
	// Of a change of status: the first suspending or lifting act on the place that
	// the same publication shows, and the id of the last.
	first string
	last  int64
}

// silent reports whether the lists never showed what this act did: another one on
// the same place, which the same publication shows, took it back, or what it took
// back was never shown either. Suspending and lifting take turns, so the place is
// as it was before where the first and the last of them differ. Revoking is final.
func (w waiting) silent(of showing) bool {
	if of.at.IsZero() || statusOf(w.kind) == tlog.Invalid {
		return false
	}
	return w.id != w.last || statusOf(w.first) != statusOf(w.kind)
}

// batch bounds how many commitments of each sort one transaction takes into the
// ledger.
const batch = 2048

// issuedKinds are the commitments that go into the ledger at once: what is issued,
// and what is public. The others are
// changes of status.
const issuedKinds = `('issued', '` + actReserved + `', '` + actWitnessed + `', 'key', 'trust', 'accreditation')`

// notActs leave changes of status: two lists, because there is an index for the
// first.
const notActs = `('issued', '` + actReserved + `') AND kind NOT IN ('` + actWitnessed + `', 'key', 'trust', 'accreditation')`

// pauseKinds are the acts on a place that can be taken back.
const pauseKinds = `('` + actSuspended + `', '` + actConfirmed + `', '` + actReinstated + `')`

// ledgerState reads where the ledger stands.
func (s *Store) ledgerState(ctx context.Context, q reader) (ledger, error) {
	var l ledger
	var at, slot int64
	err := q.QueryRowContext(ctx, `SELECT size, issued, acts, slot, slot_from, slot_to, checkpoint, at FROM ledger WHERE id = 1`).
		Scan(&l.size, &l.issued, &l.acts, &slot, &l.taking.from, &l.taking.to, &l.checkpoint, &at)
	l.taking.at, l.at = store.Time(slot), store.Time(at)
	return l, err
}

// unsequenced reports whether something waits for the ledger, or the ledger for
// its first checkpoint.
func (s *Store) unsequenced(ctx context.Context, of slot) (bool, error) {
	l, err := s.ledgerState(ctx, s.db)
	if err != nil || len(l.checkpoint) == 0 {
		return err == nil, err
	}
	// In the order of an index: where one row is wanted of a table that grows, old
	// statistics would have all of it read.
	var one int64
	err = s.db.QueryRowContext(ctx, `SELECT id FROM commitments WHERE id > $1 AND kind IN `+issuedKinds+` ORDER BY id LIMIT 1`, l.issued).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		err = s.db.QueryRowContext(ctx, `SELECT id FROM commitments WHERE id > $1 AND id <= $2 AND kind NOT IN `+notActs+` ORDER BY id LIMIT 1`, l.acts, of.acts).Scan(&one)
	}
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// sequence takes commitments into the ledger: those of what was issued, and of
// changes of status that the slot shows. entries turns a commitment
// into its entry; sign signs the new tree. It gives how many commitments it dealt
// with. Another replica that does the same waits for the row, and then for its
// turn.
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
		issued, err := s.waitingIssued(ctx, tx, l.issued)
		if err != nil {
			return err
		}
		if len(issued) > 0 {
			l.issued = issued[len(issued)-1].id
		}
		before := l.acts
		acts, err := s.waitingActs(ctx, tx, &l, of)
		if err != nil {
			return err
		}
		first := l.size == 0 && len(l.checkpoint) == 0
		if taken = len(issued) + len(acts); taken == 0 && l.acts == before && !first {
			return nil
		}
		a := appending{s: s, tx: tx, size: l.size}
		if err := a.take(ctx, 0, issued, entry); err != nil {
			return err
		}
		if err := a.take(ctx, 1, shown(acts, l.taking), entry); err != nil {
			return err
		}
		if len(a.entries) > 0 || first {
			root, err := a.write(ctx)
			if err != nil {
				return err
			}
			l.size += int64(len(a.entries))
			if l.checkpoint, err = sign(l.size, root); err != nil {
				return err
			}
			l.at = s.now()
		}
		_, err = tx.ExecContext(ctx, `UPDATE ledger SET size = $1, issued = $2, acts = $3, slot = $4, slot_from = $5, slot_to = $6, checkpoint = $7, at = $8 WHERE id = 1`,
			l.size, l.issued, l.acts, store.Micros(l.taking.at), l.taking.from, l.taking.to, l.checkpoint, store.Micros(l.at))
		return err
	})
	return taken, err
}

// shown are those acts of a publication that changed what the lists show. They
// come by place: nobody shall see in which order they were done, nor which copies
// were one record's because they were done together.
func shown(acts []waiting, of showing) []waiting {
	out := slices.DeleteFunc(acts, func(w waiting) bool { return w.silent(of) })
	if !of.at.IsZero() {
		slices.SortStableFunc(out, func(a, b waiting) int { return cmp.Or(cmp.Compare(a.list, b.list), cmp.Compare(a.index, b.index)) })
	}
	return out
}

// waitingIssued gives the commitments to what was issued after one, in their order.
// Ids grow in the order of commits because every writer holds the pen.
func (s *Store) waitingIssued(ctx context.Context, tx *sql.Tx, after int64) ([]waiting, error) {
	return s.waiting(ctx, tx, `SELECT c.id, c.kind, c.hash, c.created, COALESCE(x.signed_as, ''), COALESCE(x.office, ''), 0, 0, '', 0
		FROM commitments c LEFT JOIN credentials x ON x.id = c.credential_id
		WHERE c.id > $1 AND c.kind IN `+issuedKinds+` ORDER BY c.id LIMIT $2`, after, s.batch)
}

// waitingActs gives the commitments to changes of status that come next, in their
// order, all of one publication, and moves the ledger over them. What one
// publication shows may come in several parts; the ledger remembers which it is at.
func (s *Store) waitingActs(ctx context.Context, tx *sql.Tx, l *ledger, of slot) ([]waiting, error) {
	if l.acts >= l.taking.to {
		l.taking = showing{of.at, l.acts, of.acts}
		// The first that shows them, where several are not in the ledger yet.
		var at int64
		err := tx.QueryRowContext(ctx, `SELECT slot, acts FROM slots WHERE slot <= $1 AND acts > $2 ORDER BY slot LIMIT 1`, store.Micros(of.at), l.acts).Scan(&at, &l.taking.to)
		switch {
		case err == nil:
			l.taking.at = store.Time(at)
		case !errors.Is(err, sql.ErrNoRows):
			return nil, err
		case of.live:
			l.taking = showing{from: l.acts, to: l.acts} // and the next publication begins after them
		}
	}
	to := l.taking.to
	live := l.taking.at.IsZero()
	if live {
		to = of.acts
	}
	const pauses = `FROM commitments a WHERE a.credential_id = c.credential_id AND a.kind <> 'issued' AND a.id > $3 AND a.id <= $4 AND a.kind IN ` + pauseKinds
	out, err := s.waiting(ctx, tx, `SELECT c.id, c.kind, c.hash, c.created, COALESCE(x.signed_as, ''), '', COALESCE(x.list, p.list, 0), COALESCE(x.idx, p.idx, 0),
		COALESCE((SELECT a.kind `+pauses+` ORDER BY a.id LIMIT 1), ''), COALESCE((SELECT MAX(a.id) `+pauses+`), 0)
		FROM commitments c LEFT JOIN credentials x ON x.id = c.credential_id LEFT JOIN consent_places p ON p.id = c.credential_id
		WHERE c.id > $1 AND c.id <= $4 AND c.kind NOT IN `+strings.ReplaceAll(notActs, " kind", " c.kind")+` ORDER BY c.id LIMIT $2`,
		l.acts, s.batch, l.taking.from, to)
	if err != nil {
		return nil, err
	}
	if len(out) > 0 {
		l.acts = out[len(out)-1].id
	}
	if live {
		l.taking.to = l.acts
		return out, nil
	}
	if len(out) < s.batch { // that was all
		l.acts = max(l.acts, to)
	}
	for n := range out {
		out[n].at = l.taking.at
	}
	return out, nil
}

// waiting reads commitments.
func (s *Store) waiting(ctx context.Context, tx *sql.Tx, query string, args ...any) ([]waiting, error) {
	rs, err := tx.QueryContext(ctx, query, args...)
	return store.All(rs, err, func(rs *sql.Rows) (w waiting, err error) {
		var created int64
		err = rs.Scan(&w.id, &w.kind, &w.hash, &created, &w.role, &w.office, &w.list, &w.index, &w.first, &w.last)
		w.at = store.Time(created)
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

// take adds the entries of commitments, which are acts or not.
func (a *appending) take(ctx context.Context, acts int, in []waiting, entry func(waiting) ([]byte, error)) error {
	if len(in) == 0 {
		return nil
	}
	first, last := in[0].id, in[0].id
	start := a.size + int64(len(a.entries))
	for _, w := range in {
		e, err := entry(w)
		if err != nil {
			return err
		}
		a.entries = append(a.entries, e)
		first, last = min(first, w.id), max(last, w.id)
	}
	_, err := a.tx.ExecContext(ctx, `INSERT INTO ledger_runs (start, acts, first, last, at) VALUES ($1, $2, $3, $4, $5)`,
		start, acts, first, last, store.Micros(a.s.now()))
	return err
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
	// Every commitment but those to an issuance has an index by its credential, which
	// the engines take where they read kind <> 'issued'.
	err := s.db.QueryRowContext(ctx, `SELECT id, salt FROM commitments WHERE credential_id = $1 AND kind = '`+actWitnessed+`' AND kind <> 'issued'
		UNION ALL SELECT m.id, m.salt FROM credentials x JOIN commitments m ON m.created = x.created AND m.kind = 'issued' AND m.credential_id = x.id WHERE x.id = $1`, credential).Scan(&id, &c.salt)
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
