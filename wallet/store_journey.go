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
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []Journey
	for rows.Next() {
		j, err := scanJourney(rows, v)
		if err != nil {
			return nil, err
		}
		out = append(out, j)
	}
	return out, rows.Err()
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
