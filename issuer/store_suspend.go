package issuer

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/kinpass/kinpass/internal/store"
)

// due selects the records whose suspension nobody confirmed in time.
const due = `WHERE status = 'suspended' AND suspended_until > 0 AND suspended_until <= $1`

// over reports that a suspension has ended at t, whether somebody wrote that down
// or not.
func (r row) over(t time.Time) bool {
	return r.Status == StatusSuspended && !r.SuspendedUntil.IsZero() && !t.Before(r.SuspendedUntil)
}

// expire ends the suspension of a record in the transaction at hand if nobody
// confirmed it in time, and gives the record as it then is.
func (s *Store) expire(ctx context.Context, tx *sql.Tx, r row) (row, error) {
	if !r.over(s.now()) {
		return r, nil
	}
	if err := s.carryOut(ctx, tx, r, order{act: actExpired, reason: reasonUnconfirmed}); err != nil {
		return row{}, err
	}
	return s.record(ctx, tx, r.Kind, r.ID)
}

// expireBatch bounds the suspensions that end in one transaction.
const expireBatch = 100

// expireSuspensions ends every suspension that nobody confirmed in time, and
// gives how many. Each transaction has the register to itself and reads what is
// due in it, so that replicas that do this at once do it once, and what a crash
// interrupts is due again.
func (s *Store) expireSuspensions(ctx context.Context) (ended int, err error) {
	for {
		some, err := s.suspensionsDue(ctx)
		if err != nil || !some {
			return ended, err
		}
		n := 0
		err = s.write(ctx, func(tx *sql.Tx) error {
			n = 0
			for _, kind := range []string{KindBirth, KindGuardianship} {
				rs, err := s.rows(ctx, tx, kind, due+` ORDER BY suspended_until, id LIMIT $2`, store.Micros(s.now()), expireBatch)
				if err != nil {
					return err
				}
				for _, r := range rs {
					after, err := s.expire(ctx, tx, r)
					if err != nil {
						return err
					}
					if after.Status != r.Status {
						n++
					}
				}
			}
			return nil
		})
		// Without progress, as when a clock goes back, the next sweep goes on.
		if err != nil || n == 0 {
			return ended, err
		}
		ended += n
	}
}

// suspensionsDue reports whether a suspension is due to end. It reads two
// partial indexes, which hold little.
func (s *Store) suspensionsDue(ctx context.Context) (bool, error) {
	for _, kind := range []string{KindBirth, KindGuardianship} {
		var one int
		err := s.db.QueryRowContext(ctx, `SELECT 1 FROM `+tables[kind].name+` `+due+` LIMIT 1`, store.Micros(s.now())).Scan(&one)
		if err == nil {
			return true, nil
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return false, err
		}
	}
	return false, nil
}

// lastSuspension tells who suspended a record last; nobody if it is not
// suspended.
func (s *Store) lastSuspension(ctx context.Context, q reader, r row) (out suspension, err error) {
	if r.Status != StatusSuspended {
		return out, nil
	}
	err = q.QueryRowContext(ctx, `SELECT caller_id, caller_name, caller_role, reason FROM status_acts WHERE record = $1 AND act = $2 ORDER BY id DESC LIMIT 1`,
		r.ID, actSuspended).Scan(&out.by.ID, &out.by.Name, &out.by.Role, &out.reason)
	if errors.Is(err, sql.ErrNoRows) {
		return suspension{}, nil
	}
	return out, err
}

// alone gives the end of a suspension by one person. What the same person
// suspended before without anybody confirming it counts from then on, so that
// three days are not made longer by lifting and repeating; when they are over it
// is ErrSuspensionRepeated.
func (s *Store) alone(ctx context.Context, tx *sql.Tx, r row, o order) (time.Time, error) {
	now := s.now()
	var first sql.NullInt64
	err := tx.QueryRowContext(ctx, `SELECT MIN(at) FROM status_acts AS s WHERE s.record = $1 AND s.act = $2 AND (s.caller_id = $3 OR s.caller_name = $4) AND s.at > $5
		AND NOT EXISTS (SELECT 1 FROM status_acts AS c WHERE c.record = s.record AND c.act = $6 AND c.id > s.id)`,
		r.ID, actSuspended, o.by.ID, o.by.Name, store.Micros(now.Add(-suspensionMemory)), actConfirmed).Scan(&first)
	if err != nil {
		return time.Time{}, err
	}
	until := o.until
	if first.Valid {
		until = earlier(until, store.Time(first.Int64).Add(suspensionTerm))
	}
	if !now.Before(until) {
		return time.Time{}, ErrSuspensionRepeated
	}
	return until, nil
}

// Suspension is a suspension that nobody confirmed yet.
type Suspension struct {
	RecordKind string    `json:"recordKind"`
	Record     string    `json:"record"`
	Credential string    `json:"credential"` // the newest copy of the record
	Role       string    `json:"role"`       // of who suspended it
	By         string    `json:"by"`         // name
	Reason     string    `json:"reason"`
	Until      time.Time `json:"until"` // when it ends by itself
}

// unconfirmed lists the suspensions that end by themselves, the next one first,
// at most 200.
func (s *Store) unconfirmed(ctx context.Context) ([]Suspension, error) {
	out := []Suspension{}
	for _, kind := range []string{KindBirth, KindGuardianship} {
		rs, err := s.rows(ctx, s.db, kind, `WHERE status = 'suspended' AND suspended_until > $1 ORDER BY suspended_until, id LIMIT 200`, store.Micros(s.now()))
		if err != nil {
			return nil, err
		}
		for _, r := range rs {
			last, err := s.lastSuspension(ctx, s.db, r)
			if err != nil {
				return nil, err
			}
			x := Suspension{RecordKind: kind, Record: r.ID, Role: r.SuspendedBy, By: last.by.Name, Reason: last.reason, Until: r.SuspendedUntil}
			cs, err := s.copies(ctx, s.db, `WHERE record = $1 ORDER BY created DESC, id LIMIT 1`, r.ID)
			if err != nil {
				return nil, err
			}
			if len(cs) > 0 {
				x.Credential = cs[0].ID
			}
			out = append(out, x)
		}
	}
	return out, nil
}

// suspensions counts what became of suspensions: of one record, or of all if
// record is "".
func (s *Store) suspensions(ctx context.Context, record string) (map[string]int, error) {
	q, args := ``, []any{}
	if record != "" {
		q, args = ` AND record = $1`, append(args, record)
	}
	rs, err := s.db.QueryContext(ctx, `SELECT act, COUNT(*) FROM status_acts WHERE act IN ('suspended', 'confirmed', 'expired', 'reinstated')`+q+` GROUP BY act`, args...)
	if err != nil {
		return nil, err
	}
	defer rs.Close()
	out := map[string]int{}
	for rs.Next() {
		var act string
		var n int
		if err := rs.Scan(&act, &n); err != nil {
			return nil, err
		}
		out[act] = n
	}
	return out, rs.Err()
}
