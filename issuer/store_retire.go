package issuer

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/kinpass/kinpass/internal/store"
)

// retireAfter is how long a list must have been seen to be over before anything
// of it is deleted. A clock that is ahead sees many lists over; one that is not
// takes that back within this time.
const retireAfter = 24 * time.Hour

// endOfQuarter gives when a quarter such as 2027Q2 is over; the zero time for
// what is none.
func endOfQuarter(q string) time.Time {
	t, err := time.Parse("2006", q[:min(4, len(q))])
	if err != nil || len(q) != 6 || q[4] != 'Q' || q[5] < '1' || q[5] > '4' {
		return time.Time{}
	}
	return t.AddDate(0, 3*int(q[5]-'0'), 0)
}

// listed gives the number of entries of a status list and until when it is
// published. It is ErrNoSuchStatusList, or ErrListEnded for one whose time is
// over.
func (s *Store) listed(ctx context.Context, list int64) (size int64, until time.Time, err error) {
	var q string
	var retired int64
	err = s.db.QueryRowContext(ctx, `SELECT size, quarter, retired FROM status_lists WHERE id = $1`, list).Scan(&size, &q, &retired)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, until, ErrNoSuchStatusList
	}
	if err != nil {
		return 0, until, err
	}
	if until = endOfQuarter(q).Add(s.retain); retired > 0 || !s.now().Before(until) {
		return 0, until, ErrListEnded
	}
	return size, until, nil
}

// retire deletes the changes of lists that are published no more: what they said
// is of nobody's interest any longer, and of credentials that ended it would only
// tell when something happened to a family. It gives how many lists it retired.
func (s *Store) retire(ctx context.Context) (n int, err error) {
	now := s.now()
	over := quarter(now.Add(-s.retain))
	// What is over is marked first, and unmarked by whoever knows better.
	if _, err := s.db.ExecContext(ctx, `UPDATE status_lists SET ended = 0 WHERE quarter >= $1 AND ended > 0 AND retired = 0`, over); err != nil {
		return 0, err
	}
	if _, err := s.db.ExecContext(ctx, `UPDATE status_lists SET ended = $2 WHERE quarter < $1 AND ended = 0`, over, store.Micros(now)); err != nil {
		return 0, err
	}
	for {
		var list int64
		err := s.db.QueryRowContext(ctx, `SELECT id FROM status_lists WHERE ended > 0 AND ended <= $1 AND retired = 0 AND quarter < $2 ORDER BY id LIMIT 1`,
			store.Micros(now.Add(-retireAfter)), over).Scan(&list)
		if errors.Is(err, sql.ErrNoRows) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		if err := s.db.Write(ctx, func(tx *sql.Tx) error {
			for _, q := range []string{`DELETE FROM status_changes WHERE list = $1`, `DELETE FROM issued_sets WHERE list = $1`} {
				if _, err := tx.ExecContext(ctx, q, list); err != nil {
					return err
				}
			}
			_, err := tx.ExecContext(ctx, `UPDATE status_lists SET retired = $2 WHERE id = $1`, list, store.Micros(now))
			return err
		}); err != nil {
			return n, err
		}
		n++
	}
}

// erase deletes what links a record to the ledger, with the audit's row, in one
// transaction with the decision. Entries that are not in the ledger yet could not
// be made without it: ErrEraseWaits.
func (s *Store) erase(ctx context.Context, a approval, d decision, reason string) (Outcome, error) {
	return s.decided(ctx, a, d, func(tx *sql.Tx, r row) error {
		if err := s.mayErase(ctx, tx, r); err != nil {
			return err
		}
		_, open, err := s.linked(ctx, tx, r)
		if err != nil {
			return err
		}
		if open > 0 {
			return ErrEraseWaits
		}
		res, err := tx.ExecContext(ctx, `UPDATE commitments SET credential_id = '', salt = $2, hash = $2 WHERE `+ofRecord, r.ID, []byte{})
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO erasures (record_kind, record, reason, commitments, caller_id, caller_name, caller_role, approver_id, approver_name, at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`, r.Kind, r.ID, reason, n, a.Caller.ID, a.Caller.Name, a.Caller.Role, d.by.ID, d.by.Name, store.Micros(s.now()))
		return err
	})
}

// ofRecord are the commitments of the record $1.
const ofRecord = `id IN (SELECT m.id FROM credentials x JOIN commitments m ON m.created = x.created AND m.kind = 'issued' AND m.credential_id = x.id WHERE x.record = $1
	UNION ALL SELECT m.id FROM credentials x JOIN commitments m ON m.credential_id = x.id AND m.kind <> 'issued' WHERE x.record = $1
	UNION ALL SELECT m.id FROM consent_places x JOIN commitments m ON m.credential_id = x.id AND m.kind <> 'issued' WHERE x.record = $1)`

// linked counts the commitments that are known to be of a record, and those of them
// that the ledger does not have yet.
func (s *Store) linked(ctx context.Context, q reader, r row) (all, open int, err error) {
	l, err := s.ledgerState(ctx, q)
	if err != nil {
		return 0, 0, err
	}
	err = q.QueryRowContext(ctx, `SELECT COUNT(*), COALESCE(SUM(CASE WHEN kind IN `+issuedKinds+` AND id > $2 OR kind NOT IN `+issuedKinds+` AND id > $3 THEN 1 ELSE 0 END), 0)
		FROM commitments WHERE `+ofRecord, r.ID, l.issued, l.acts).Scan(&all, &open)
	return all, open, err
}

// mayErase refuses a record of which something is still in force: without its
// entry in the ledger a credential would not outlive a stolen key.
func (s *Store) mayErase(ctx context.Context, q reader, r row) error {
	if r.Status == StatusRevoked {
		return nil
	}
	at := store.Micros(s.now())
	var n int
	if err := q.QueryRowContext(ctx, `SELECT (SELECT COUNT(*) FROM credentials WHERE record = $1 AND status <> 'revoked' AND valid_until > $2)
		+ (SELECT COUNT(*) FROM consent_places WHERE record = $1 AND status <> 'revoked' AND valid_until > $2)`, r.ID, at).Scan(&n); err != nil {
		return err
	}
	if n > 0 {
		return ErrEraseLiving
	}
	return nil
}

// erasedPlaces gives the places of records that the ledger cannot be linked to
// any more since one erasure, and the last of these: they were given out all the
// same.
func (s *Store) erasedPlaces(ctx context.Context, after int64) (out []issuedPlace, last int64, err error) {
	if err := s.db.QueryRowContext(ctx, `SELECT COALESCE(MAX(id), 0) FROM erasures`).Scan(&last); err != nil || last <= after {
		return nil, after, err
	}
	const records = `(SELECT record FROM erasures WHERE id > $1 AND id <= $2)`
	rs, err := s.db.QueryContext(ctx, `SELECT list, idx, valid_from FROM credentials WHERE record IN `+records+`
		UNION ALL SELECT list, idx, created FROM consent_places WHERE record IN `+records, after, last)
	out, err = store.All(rs, err, func(rs *sql.Rows) (p issuedPlace, err error) {
		var from int64
		err = rs.Scan(&p.list, &p.index, &from)
		p.from = store.Time(from)
		return p, err
	})
	return out, last, err
}
