package issuer

import (
	"context"
	"database/sql"
	"errors"
	"math"
	"time"

	"github.com/kinpass/kinpass/internal/store"
)

// entered is what was issued, or a place that was reserved, with where it stands in
// the ledger.
type entered struct {
	id      int64
	index   int64 // -1: not in the ledger
	created time.Time
	salt    []byte
	copied  // zero if it is no credential
	kind    string
}

const (
	// walkMargin is how far what is noted of a time may be off: the clocks of replicas
	// differ, and what was reserved before a stop is signed after it.
	walkMargin = 24 * time.Hour
	// walkSample is how many commitments are looked at for where to begin: one clock
	// that was wrong must not decide it.
	walkSample = 1024
)

// stretch is a part of what was issued, by the times at which it can have been. A zero
// time bounds nothing.
type stretch struct{ from, to time.Time }

// ids gives the commitment before the first that can be of a stretch, which begins a run
// of the ledger, and the last.
func (s *Store) ids(ctx context.Context, of stretch) (after, last int64, err error) {
	last = math.MaxInt64
	if !of.from.IsZero() {
		err = s.db.QueryRowContext(ctx, `SELECT COALESCE(MAX(first), 1) - 1 FROM ledger_runs WHERE acts = 0 AND first <=
			(SELECT COALESCE(MIN(id), 0) FROM (SELECT id FROM commitments WHERE kind = 'issued' AND created < $1 ORDER BY created DESC LIMIT $2) AS x)`,
			store.Micros(of.from.Add(-walkMargin)), s.sample).Scan(&after)
	}
	if err == nil && !of.to.IsZero() {
		err = s.db.QueryRowContext(ctx, `SELECT COALESCE(MAX(id), $3) FROM (SELECT id FROM commitments WHERE kind = 'issued' AND created >= $1 ORDER BY created LIMIT $2) AS x`,
			store.Micros(of.to.Add(walkMargin)), s.sample, last).Scan(&last)
	}
	return after, last, err
}

// eachEntered gives what goes into the ledger at once and can be of a stretch, with
// some before it and after it, in its order, in pages: what is there first, and then
// what waits for it.
func (s *Store) eachEntered(ctx context.Context, of stretch, each func(entered) error) error {
	l, err := s.ledgerState(ctx, s.db)
	if err != nil {
		return err
	}
	after, last, err := s.ids(ctx, of)
	if err != nil {
		return err
	}
	at := ledgerRun{first: after, last: after}
	var n int64
	for {
		page, err := s.enteredAfter(ctx, after)
		if err != nil || len(page) == 0 || after >= last {
			return err
		}
		after = page[len(page)-1].id
		runs, err := s.runsBetween(ctx, at.first, min(after, l.issued))
		if err != nil {
			return err
		}
		for _, e := range page {
			if e.id > at.last && len(runs) > 0 && e.id >= runs[0].first {
				at, n, runs = runs[0], 0, runs[1:]
			}
			e.index = -1
			if e.id <= at.last && e.id <= l.issued {
				e.index = at.start + n
				n++
			}
			if err := each(e); err != nil {
				return err
			}
		}
	}
}

type ledgerRun struct{ start, first, last int64 }

func (s *Store) runsBetween(ctx context.Context, after, until int64) ([]ledgerRun, error) {
	rs, err := s.db.QueryContext(ctx, `SELECT start, first, last FROM ledger_runs WHERE acts = 0 AND first > $1 AND first <= $2 ORDER BY first`, after, until)
	return store.All(rs, err, func(rs *sql.Rows) (r ledgerRun, err error) {
		err = rs.Scan(&r.start, &r.first, &r.last)
		return r, err
	})
}

func (s *Store) enteredAfter(ctx context.Context, after int64) ([]entered, error) {
	rs, err := s.db.QueryContext(ctx, `SELECT c.id, c.created, c.salt, COALESCE(x.id, ''), COALESCE(x.kind, ''), COALESCE(x.record, ''), COALESCE(x.version, 0),
		COALESCE(x.type, ''), COALESCE(x.profile, ''), COALESCE(x.holder, ''), COALESCE(x.jwt, ''), COALESCE(x.status, ''), COALESCE(x.valid_from, 0), COALESCE(x.valid_until, 0)
		FROM commitments c LEFT JOIN credentials x ON x.id = c.credential_id AND c.kind = 'issued'
		WHERE c.id > $1 AND c.kind IN `+issuedKinds+` ORDER BY c.id LIMIT 1024`, after)
	return store.All(rs, err, func(rs *sql.Rows) (e entered, err error) {
		var created, from, until int64
		err = rs.Scan(&e.id, &created, &e.salt, &e.ID, &e.kind, &e.Record, &e.RecordVersion, &e.Type, &e.Profile, &e.Holder, &e.JWT, &e.State, &from, &until)
		e.created, e.ValidFrom, e.ValidUntil = store.Time(created), store.Time(from), store.Time(until)
		return e, err
	})
}

// witnessedSize gives how large the ledger was when witnesses last cosigned it, and
// false if none did.
func (s *Store) witnessedSize(ctx context.Context) (size int64, ok bool, err error) {
	err = s.db.QueryRowContext(ctx, `SELECT size FROM ledger_cosigned WHERE enough = 1 ORDER BY size DESC LIMIT 1`).Scan(&size)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, false, nil
	}
	return size, err == nil, err
}
