package wallet

import (
	"context"
	"database/sql"

	"github.com/kinpass/kinpass/internal/store"
)

// Names of the tables in the additional data of what is sealed.
const (
	tableJourney = "journeys"
	tableAct     = "acts"
)

const selectJourney = `SELECT id, sealed, changed FROM journeys WHERE guardian = $1`

func scanJourney(r row, v *vault) (Journey, error) {
	var j Journey
	var sealed []byte
	var changed int64
	if err := r.Scan(&j.ID, &sealed, &changed); err != nil {
		return Journey{}, err
	}
	j.Changed = store.Time(changed)
	return j, v.open(tableJourney, j.ID, sealed, &j.Answers)
}

func (w *Wallet) journeys(ctx context.Context, v *vault) ([]Journey, error) {
	rows, err := w.cfg.DB.QueryContext(ctx, selectJourney+` AND changed >= $2 ORDER BY changed DESC, id`, v.guardian, store.Micros(w.cfg.Now().Add(-journeyLife)))
	return store.All(rows, err, func(r *sql.Rows) (Journey, error) { return scanJourney(r, v) })
}

// journey opens one. Another guardian's is as absent as one that never was.
func (w *Wallet) journey(ctx context.Context, v *vault, id string) (Journey, error) {
	j, err := scanJourney(w.cfg.DB.QueryRowContext(ctx, selectJourney+` AND id = $2`, v.guardian, id), v)
	if err == sql.ErrNoRows {
		return Journey{}, ErrNoSuchJourney
	}
	return j, err
}

func (w *Wallet) addJourney(ctx context.Context, v *vault, j Journey) error {
	sealed, err := v.seal(tableJourney, j.ID, j.Answers)
	if err != nil {
		return err
	}
	return w.cfg.DB.Write(ctx, func(tx *sql.Tx) error {
		if err := lock(ctx, tx, v); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM journeys WHERE guardian = $1 AND changed < $2`, v.guardian, store.Micros(w.cfg.Now().Add(-journeyLife))); err != nil {
			return err
		}
		n := 0
		if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM journeys WHERE guardian = $1`, v.guardian).Scan(&n); err != nil {
			return err
		}
		if n >= maxJourneys {
			return ErrJourneyMany
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO journeys (id, guardian, sealed, changed) VALUES ($1,$2,$3,$4)`, j.ID, v.guardian, sealed, store.Micros(j.Changed))
		return err
	})
}

func (w *Wallet) rewriteJourney(ctx context.Context, v *vault, j Journey) error {
	sealed, err := v.seal(tableJourney, j.ID, j.Answers)
	if err != nil {
		return err
	}
	return w.cfg.DB.Write(ctx, func(tx *sql.Tx) error {
		if err := lock(ctx, tx, v); err != nil {
			return err
		}
		r, err := tx.ExecContext(ctx, `UPDATE journeys SET sealed = $1, changed = $2 WHERE id = $3 AND guardian = $4`, sealed, store.Micros(j.Changed), j.ID, v.guardian)
		if err != nil {
			return err
		}
		n, err := r.RowsAffected()
		if err == nil && n == 0 {
			return ErrNoSuchJourney
		}
		return err
	})
}

func (w *Wallet) removeJourney(ctx context.Context, v *vault, id string) error {
	return w.cfg.DB.Write(ctx, func(tx *sql.Tx) error {
		if err := lock(ctx, tx, v); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM journeys WHERE guardian = $1 AND id = $2`, v.guardian, id)
		return err
	})
}

func scanAct(r row, v *vault) (id string, a Act, err error) {
	var sealed []byte
	if err := r.Scan(&id, &sealed); err != nil {
		return "", Act{}, err
	}
	return id, a, v.open(tableAct, id, sealed, &a)
}

func (w *Wallet) acts(ctx context.Context, v *vault) ([]Act, error) {
	rows, err := w.cfg.DB.QueryContext(ctx, `SELECT id, sealed FROM acts WHERE guardian = $1 AND done >= $2 ORDER BY done DESC, id`,
		v.guardian, store.Micros(w.cfg.Now().Add(-actLife)))
	return store.All(rows, err, func(r *sql.Rows) (Act, error) {
		_, a, err := scanAct(r, v)
		return a, err
	})
}

// addAct stores an act, or counts it with the last one if that goes on. The
// oldest make room.
func (w *Wallet) addAct(ctx context.Context, v *vault, a Act) error {
	return w.cfg.DB.Write(ctx, func(tx *sql.Tx) error {
		if err := lock(ctx, tx, v); err != nil {
			return err
		}
		id, last, err := scanAct(tx.QueryRowContext(ctx, `SELECT id, sealed FROM acts WHERE guardian = $1 ORDER BY done DESC, id LIMIT 1`, v.guardian), v)
		if err != nil && err != sql.ErrNoRows {
			return err
		}
		goesOn := err == nil && last.What == a.What && last.Child == a.Child && a.At.Sub(last.Last) < actPause
		if goesOn {
			a.At, a.Times = last.At, last.Times+1
		} else {
			id = store.Random(12)
		}
		sealed, err := v.seal(tableAct, id, a)
		if err != nil {
			return err
		}
		if goesOn {
			_, err = tx.ExecContext(ctx, `UPDATE acts SET sealed = $1, done = $2 WHERE id = $3 AND guardian = $4`, sealed, store.Micros(a.Last), id, v.guardian)
			return err
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO acts (id, guardian, sealed, done) VALUES ($1,$2,$3,$4)`, id, v.guardian, sealed, store.Micros(a.Last)); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM acts WHERE guardian = $1 AND (done < $2 OR id NOT IN
			(SELECT id FROM acts WHERE guardian = $1 ORDER BY done DESC, id LIMIT $3))`, v.guardian, store.Micros(a.Last.Add(-actLife)), maxActs)
		return err
	})
}
