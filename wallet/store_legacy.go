package wallet

import (
	"context"
	"database/sql"

	"github.com/kinpass/kinpass/internal/store"
)

const tableLegacy = "legacy_credentials"

const selectLegacy = `SELECT id, sealed FROM legacy_credentials WHERE guardian = $1`

func scanLegacy(r row, v *vault) (legacyHeld, error) {
	var h legacyHeld
	var sealed []byte
	if err := r.Scan(&h.ID, &sealed); err != nil {
		return legacyHeld{}, err
	}
	return h, v.open(tableLegacy, h.ID, sealed, &h.legacyKept)
}

// keepLegacy stores a credential of another system. One that is there already
// stays as it is.
func (w *Wallet) keepLegacy(ctx context.Context, v *vault, k legacyKept) (legacyHeld, error) {
	var h legacyHeld
	err := w.cfg.DB.Write(ctx, func(tx *sql.Tx) error {
		if err := lock(ctx, tx, v); err != nil {
			return err
		}
		body := v.find("legacy", k.Credential)
		var err error
		h, err = scanLegacy(tx.QueryRowContext(ctx, selectLegacy+` AND body_key = $2`, v.guardian, body), v)
		if err != sql.ErrNoRows {
			return err
		}
		n := 0
		if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM legacy_credentials WHERE guardian = $1`, v.guardian).Scan(&n); err != nil {
			return err
		}
		if n >= maxLegacy {
			return ErrLegacyMany
		}
		h = legacyHeld{ID: store.Random(12), legacyKept: k}
		sealed, err := v.seal(tableLegacy, h.ID, k)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO legacy_credentials (id, guardian, body_key, sealed, created) VALUES ($1,$2,$3,$4,$5)`,
			h.ID, v.guardian, body, sealed, store.Micros(w.cfg.Now()))
		return err
	})
	return h, err
}

// legacyCredentials opens all of a guardian, first imported first.
func (w *Wallet) legacyCredentials(ctx context.Context, v *vault) ([]legacyHeld, error) {
	rows, err := w.cfg.DB.QueryContext(ctx, selectLegacy+` ORDER BY created, id`, v.guardian)
	return store.All(rows, err, func(r *sql.Rows) (legacyHeld, error) { return scanLegacy(r, v) })
}

// legacyCredential opens one; another guardian's is as absent as one that
// never was.
func (w *Wallet) legacyCredential(ctx context.Context, v *vault, id string) (legacyHeld, error) {
	h, err := scanLegacy(w.cfg.DB.QueryRowContext(ctx, selectLegacy+` AND id = $2`, v.guardian, id), v)
	if err == sql.ErrNoRows {
		return legacyHeld{}, ErrNoSuchCredential
	}
	return h, err
}

// forgetLegacy deletes one.
func (w *Wallet) forgetLegacy(ctx context.Context, v *vault, id string) error {
	return w.cfg.DB.Write(ctx, func(tx *sql.Tx) error {
		if err := lock(ctx, tx, v); err != nil {
			return gone(absent(err), ErrNoSuchCredential)
		}
		r, err := tx.ExecContext(ctx, `DELETE FROM legacy_credentials WHERE guardian = $1 AND id = $2`, v.guardian, id)
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n > 0 {
			return err
		}
		return ErrNoSuchCredential
	})
}
