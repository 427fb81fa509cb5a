package issuer

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/tlog"
)

// keptOnTheWay bounds the checkpoints that are kept with fewer cosignatures than
// are demanded.
const keptOnTheWay = 16

// gatherTerm is how long a replica asks the witnesses alone, unless it goes on.
const gatherTerm = 15 * time.Second

// mayGather takes the turn to ask the witnesses, or goes on with it.
func (s *Store) mayGather(ctx context.Context, owner string) (bool, error) {
	now := s.now()
	r, err := s.db.ExecContext(ctx, `UPDATE ledger_gatherer SET owner = $1, until = $2 WHERE id = 1 AND (owner = $1 OR until < $3 OR until > $2)`,
		owner, store.Micros(now.Add(gatherTerm)), store.Micros(now))
	if err != nil {
		return false, err
	}
	n, err := r.RowsAffected()
	return n == 1, err
}

// endGather lets another replica ask at once.
func (s *Store) endGather(ctx context.Context, owner string) error {
	_, err := s.db.ExecContext(ctx, `UPDATE ledger_gatherer SET until = 0 WHERE id = 1 AND owner = $1`, owner)
	return err
}

// answered is what a witness said to one request.
type answered struct {
	name   string
	size   int64 // of the checkpoint that it cosigned
	at     time.Time
	answer string
}

// said keeps what a witness answered. The largest size that it cosigned stays.
func (s *Store) said(ctx context.Context, a answered) error {
	var at int64
	if a.answer == AnswerCosigned {
		at = store.Micros(a.at)
	} else {
		a.size = 0
	}
	_, err := s.db.ExecContext(ctx, `INSERT INTO ledger_witnesses (name, size, asked, cosigned, answer) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (name) DO UPDATE SET asked = excluded.asked, answer = excluded.answer,
			size = CASE WHEN excluded.size > ledger_witnesses.size THEN excluded.size ELSE ledger_witnesses.size END,
			cosigned = CASE WHEN excluded.cosigned > ledger_witnesses.cosigned THEN excluded.cosigned ELSE ledger_witnesses.cosigned END`,
		a.name, a.size, store.Micros(s.now()), at, a.answer)
	return err
}

// sayings reads what each witness said last.
func (s *Store) sayings(ctx context.Context) (map[string]WitnessAnswer, error) {
	rs, err := s.db.QueryContext(ctx, `SELECT name, size, asked, cosigned, answer FROM ledger_witnesses`)
	if err != nil {
		return nil, err
	}
	defer rs.Close()
	out := map[string]WitnessAnswer{}
	for rs.Next() {
		var w WitnessAnswer
		var asked, cosigned int64
		if err := rs.Scan(&w.Name, &w.Size, &asked, &cosigned, &w.Answer); err != nil {
			return nil, err
		}
		w.Asked = store.Time(asked)
		if cosigned > 0 {
			w.Cosigned = store.Time(cosigned)
		}
		out[w.Name] = w
	}
	return out, rs.Err()
}

// cosigned reads the checkpoint of a size with the cosignatures that it has; nil
// if it has none.
func (s *Store) cosigned(ctx context.Context, q reader, size int64) ([]byte, error) {
	var b []byte
	err := q.QueryRowContext(ctx, `SELECT checkpoint FROM ledger_cosigned WHERE size = $1`, size).Scan(&b)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return b, err
}

// cosign adds a cosignature to the checkpoint of a size. enough says whether a
// checkpoint has all that are demanded: then what is older is forgotten, and what
// is newer never.
func (s *Store) cosign(ctx context.Context, size int64, signed []byte, enough func([]byte) bool) error {
	return s.db.Write(ctx, func(tx *sql.Tx) error {
		// The row is the lock: two replicas that bring one cosignature each both stay.
		if _, err := tx.ExecContext(ctx, `UPDATE ledger_gatherer SET id = 1 WHERE id = 1`); err != nil {
			return err
		}
		have, err := s.cosigned(ctx, tx, size)
		if err != nil {
			return err
		}
		if have == nil {
			have = signed
		} else if have, err = tlog.Merge(have, signed); err != nil {
			return err
		}
		full := 0
		if enough(have) {
			full = 1
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO ledger_cosigned (size, checkpoint, enough, at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (size) DO UPDATE SET checkpoint = excluded.checkpoint, enough = excluded.enough, at = excluded.at`,
			size, have, full, store.Micros(s.now())); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM ledger_cosigned WHERE size < (SELECT COALESCE(MAX(size), 0) FROM ledger_cosigned WHERE enough = 1)`); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM ledger_cosigned WHERE enough = 0 AND size NOT IN (SELECT size FROM ledger_cosigned WHERE enough = 0 ORDER BY size DESC LIMIT $1)`, keptOnTheWay)
		return err
	})
}

// cosignedCheckpoints reads the checkpoints that have cosignatures, largest first.
func (s *Store) cosignedCheckpoints(ctx context.Context) ([][]byte, error) {
	rs, err := s.db.QueryContext(ctx, `SELECT checkpoint FROM ledger_cosigned ORDER BY size DESC`)
	return store.All(rs, err, store.One[[]byte])
}

// queued is what is not in the ledger yet: how much, and when the first of what was
// issued and of the changes of status was committed; zero: there is none.
type queued struct {
	n            int64
	issued, acts time.Time
}

func (s *Store) ledgerWaiting(ctx context.Context, l ledger) (q queued, err error) {
	var issued, acts int64
	err = s.db.QueryRowContext(ctx, `SELECT COUNT(*), COALESCE(MIN(CASE WHEN kind IN `+issuedKinds+` THEN created END), 0), COALESCE(MIN(CASE WHEN kind NOT IN `+issuedKinds+` THEN created END), 0)
		FROM commitments WHERE id > $1 AND (id > $2 AND kind IN `+issuedKinds+` OR id > $3 AND kind NOT IN `+notActs+`)`,
		min(l.issued, l.acts), l.issued, l.acts).Scan(&q.n, &issued, &acts)
	q.issued, q.acts = store.Time(issued), store.Time(acts)
	return q, err
}

// enteredFrom gives when the first entry from an index on came into the ledger; zero
// if there is none. Entries come in runs, and checkpoints end with one.
func (s *Store) enteredFrom(ctx context.Context, index int64) (time.Time, error) {
	var at int64
	err := s.db.QueryRowContext(ctx, `SELECT CASE WHEN r.at > 0 THEN r.at ELSE c.created END FROM ledger_runs r JOIN commitments c ON c.id = r.first
		WHERE r.start >= $1 ORDER BY r.start LIMIT 1`, index).Scan(&at)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	}
	return store.Time(at), err
}
