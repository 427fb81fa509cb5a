package issuer

import (
	"context"
	"database/sql"
	"math"
	"strconv"
	"time"

	"github.com/kinpass/kinpass/internal/store"
)

// slot is one publication of the shelf: what it shows, as the last ids of what
// had been written. The zero slot is before everything.
type slot struct {
	at        time.Time
	changes   int64 // of status_changes
	acts      int64 // of commitments to changes of status
	issued    int64 // of commitments
	lists     int64 // of status_lists
	overrides int64 // of override_changes
	// live: everything that is committed, as of now and for nobody to keep.
	live bool
}

// everything is the slot that shows all there is.
func everything(at time.Time) slot {
	const all = math.MaxInt64
	return slot{at: at, changes: all, acts: all, issued: all, lists: all, overrides: all, live: true}
}

// newestSlot gives what was published last at a time up to limit: a slot that a
// clock from the future closed counts when its time comes, and takes nothing
// back then.
func (s *Store) newestSlot(ctx context.Context, q reader, limit time.Time) (slot, error) {
	var x slot
	var at int64
	err := q.QueryRowContext(ctx, `SELECT COALESCE(MAX(slot), 0), COALESCE(MAX(changes), 0), COALESCE(MAX(acts), 0), COALESCE(MAX(issued), 0),
		COALESCE(MAX(lists), 0), COALESCE(MAX(overrides), 0) FROM slots WHERE slot <= $1`, store.Micros(limit)).
		Scan(&at, &x.changes, &x.acts, &x.issued, &x.lists, &x.overrides)
	x.at = store.Time(at)
	return x, err
}

// closeSlot fixes what is published at a time, once: whoever comes later, on
// whatever replica, gets the same. It holds the pen, so that no change is in
// flight. What was written with a time before at is in it, in the order of
// writing up to the first that was written at that time or later; what comes
// with an earlier time after this is for the next slot. limit is the end of the
// times that are believed: a time after it is some clock's mistake, and what was
// written with it is not held back for years.
func (s *Store) closeSlot(ctx context.Context, at, limit time.Time) (slot, error) {
	var x slot
	err := s.write(ctx, func(tx *sql.Tx) error {
		var err error
		if x, err = s.newestSlot(ctx, tx, limit); err != nil || !x.at.Before(at) {
			return err
		}
		x.at = at
		for _, c := range []struct {
			last  *int64
			query string
		}{
			{&x.changes, `SELECT COALESCE(MIN(id) - 1, (SELECT COALESCE(MAX(id), 0) FROM status_changes)) FROM status_changes WHERE id > $1 AND at >= $2 AND at <= $3`},
			// The last act itself, so that nothing is left of a slot without one.
			{&x.acts, `SELECT COALESCE(MAX(id), 0) FROM commitments WHERE kind NOT IN ` + notActs + ` AND id > $1 AND id < COALESCE((SELECT MIN(id) FROM commitments
				WHERE kind NOT IN ` + notActs + ` AND id > $1 AND created >= $2 AND created <= $3), ` + strconv.FormatInt(math.MaxInt64, 10) + `)`},
			{&x.lists, `SELECT COALESCE(MIN(id) - 1, (SELECT COALESCE(MAX(id), 0) FROM status_lists)) FROM status_lists WHERE id > $1 AND created >= $2 AND created <= $3`},
			{&x.overrides, `SELECT COALESCE(MIN(id) - 1, (SELECT COALESCE(MAX(id), 0) FROM override_changes)) FROM override_changes WHERE id > $1 AND at >= $2 AND at <= $3`},
		} {
			have := *c.last
			if err := tx.QueryRowContext(ctx, c.query, have, store.Micros(at), store.Micros(limit)).Scan(c.last); err != nil {
				return err
			}
			*c.last = max(*c.last, have)
		}
		if x.issued, err = s.snapshot(ctx, tx, at, limit); err != nil {
			return err
		}
		// The ledger still needs to know which slot first showed an act.
		if _, err := tx.ExecContext(ctx, `DELETE FROM slots WHERE slot <= $1 AND (acts <= (SELECT acts FROM ledger WHERE id = 1)
			OR EXISTS (SELECT 1 FROM slots AS e WHERE e.slot < slots.slot AND e.acts >= slots.acts))`, store.Micros(at)); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO slots (slot, changes, acts, issued, lists, overrides) VALUES ($1, $2, $3, $4, $5, $6)`,
			store.Micros(at), x.changes, x.acts, x.issued, x.lists, x.overrides)
		return err
	})
	return x, err
}

// snapshot notes that what is issued is looked at as of a time, in a transaction
// that holds the pen, and gives the last commitment. What is reserved after this
// is not valid from before at (see undated).
func (s *Store) snapshot(ctx context.Context, tx *sql.Tx, at, limit time.Time) (last int64, err error) {
	if _, err := tx.ExecContext(ctx, `UPDATE pen SET snapshot = $1 WHERE id = 1 AND (snapshot < $1 OR snapshot > $2)`,
		store.Micros(at), store.Micros(limit)); err != nil {
		return 0, err
	}
	err = tx.QueryRowContext(ctx, `SELECT COALESCE(MAX(id), 0) FROM commitments`).Scan(&last)
	return last, err
}

// snapshotNow is snapshot by itself.
func (s *Store) snapshotNow(ctx context.Context, at, limit time.Time) (last int64, err error) {
	err = s.write(ctx, func(tx *sql.Tx) error {
		last, err = s.snapshot(ctx, tx, at, limit)
		return err
	})
	return last, err
}

// undate makes drafts that were written before what is issued was last looked
// at valid from then on: a credential that is valid from before a snapshot and
// not in it would be taken for one that this issuer never issued. The
// transaction holds the pen.
func (s *Store) undate(ctx context.Context, tx *sql.Tx, drafts []*draft) error {
	var last int64
	if err := tx.QueryRowContext(ctx, `SELECT snapshot FROM pen WHERE id = 1`).Scan(&last); err != nil {
		return err
	}
	from := store.Time(last)
	if from.After(s.now().Add(slotSkew)) {
		return nil // a mad clock's: nobody believes the list either
	}
	for _, d := range drafts {
		if d == nil || !d.info.ValidFrom.Before(from) {
			continue
		}
		if err := d.redate(from); err != nil {
			return err
		}
	}
	return nil
}

// dated tells of drafts when they are valid from after all.
func (o Outcome) dated(drafts []*draft) {
	for _, d := range drafts {
		for n := range o.Credentials {
			if d != nil && o.Credentials[n].ID == d.info.ID {
				o.Credentials[n].ValidFrom = d.info.ValidFrom
			}
		}
	}
}

// issuedPlace is a place that was given out, to a credential or to a consent.
// One without a list is of something that has none.
type issuedPlace struct {
	id int64 // of the commitment
	place
	from time.Time // of the credential; when it was given out, for a consent
}

// issuedAfter gives what was committed to after one commitment and up to another,
// in its order, so many at most.
func (s *Store) issuedAfter(ctx context.Context, after, last int64, most int) ([]issuedPlace, error) {
	rs, err := s.db.QueryContext(ctx, `SELECT c.id, COALESCE(x.list, p.list, 0), COALESCE(x.idx, p.idx, 0), COALESCE(x.valid_from, p.created, 0)
		FROM commitments c LEFT JOIN credentials x ON x.id = c.credential_id LEFT JOIN consent_places p ON p.id = c.credential_id
		WHERE c.id > $1 AND c.id <= $2 AND c.kind IN `+placedKinds+` ORDER BY c.id LIMIT $3`, after, last, most)
	return store.All(rs, err, func(rs *sql.Rows) (p issuedPlace, err error) {
		var from int64
		err = rs.Scan(&p.id, &p.list, &p.index, &from)
		p.from = store.Time(from)
		return p, err
	})
}

// placedKinds are the commitments to what has a place in the status lists.
const placedKinds = `('issued', '` + actReserved + `')`

// lastCommitment gives the id of the newest commitment.
func (s *Store) lastCommitment(ctx context.Context) (n int64, err error) {
	err = s.db.QueryRowContext(ctx, `SELECT COALESCE(MAX(id), 0) FROM commitments`).Scan(&n)
	return n, err
}

// savedSets gives what was given out of each list by a commitment, as
// status.Decode reads it, and that commitment.
func (s *Store) savedSets(ctx context.Context) (sets map[int64]string, cut int64, err error) {
	// The cut first: sets that are newer than it are read again and stay the same.
	if err := s.db.QueryRowContext(ctx, `SELECT cut FROM issued_cut WHERE id = 1`).Scan(&cut); err != nil {
		return nil, 0, err
	}
	rs, err := s.db.QueryContext(ctx, `SELECT list, bits FROM issued_sets`)
	if err != nil {
		return nil, 0, err
	}
	defer rs.Close()
	sets = map[int64]string{}
	for rs.Next() {
		var list int64
		var bits []byte
		if err := rs.Scan(&list, &bits); err != nil {
			return nil, 0, err
		}
		sets[list] = string(bits)
	}
	return sets, cut, rs.Err()
}

// saveSets stores sets as of a commitment, unless newer ones are there.
func (s *Store) saveSets(ctx context.Context, sets map[int64]string, cut int64) error {
	return s.db.Write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE issued_cut SET cut = $1 WHERE id = 1 AND cut < $1`, cut)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return err
		}
		for list, bits := range sets {
			if _, err := tx.ExecContext(ctx, `INSERT INTO issued_sets (list, bits) VALUES ($1, $2) ON CONFLICT (list) DO UPDATE SET bits = excluded.bits`,
				list, []byte(bits)); err != nil {
				return err
			}
		}
		return nil
	})
}
