package wallet

import (
	"context"
	"database/sql"

	"github.com/kinpass/kinpass/internal/store"
)

const tableConsent = "consents"

const selectConsent = `SELECT id, sealed FROM consents WHERE guardian = $1`

func scanConsent(r row, v *vault) (consentHeld, error) {
	var c consentHeld
	var sealed []byte
	if err := r.Scan(&c.ID, &sealed); err != nil {
		return consentHeld{}, err
	}
	if err := v.open(tableConsent, c.ID, sealed, &c.consentKept); err != nil {
		return consentHeld{}, err
	}
	return c, c.read()
}

// consents opens all consents of a guardian, oldest first.
func (w *Wallet) consents(ctx context.Context, v *vault) ([]consentHeld, error) {
	rows, err := w.cfg.DB.QueryContext(ctx, selectConsent+` ORDER BY created, id`, v.guardian)
	return store.All(rows, err, func(r *sql.Rows) (consentHeld, error) { return scanConsent(r, v) })
}

// consent opens one. Another guardian's is as absent as one that never was.
func (w *Wallet) consent(ctx context.Context, v *vault, id string) (consentHeld, error) {
	c, err := scanConsent(w.cfg.DB.QueryRowContext(ctx, selectConsent+` AND id = $2`, v.guardian, id), v)
	if err == sql.ErrNoRows {
		return consentHeld{}, ErrNoSuchConsent
	}
	return c, err
}

// openConsent opens a guardian's vault and one consent in it.
func (w *Wallet) openConsent(ctx context.Context, g Guardian, id string) (*vault, consentHeld, error) {
	v, err := w.vault(ctx, g.ID)
	if err != nil {
		return nil, consentHeld{}, gone(err, ErrNoSuchConsent)
	}
	c, err := w.consent(ctx, v, id)
	return v, c, err
}

// keepConsent stores a new consent with the drops that it leaves. find, if there is one, is what it can be
// found by: a consent that is there under it already stays, and is what the
// caller gets.
func (w *Wallet) keepConsent(ctx context.Context, v *vault, k consentKept, find []byte, leave ...drop) (consentHeld, error) {
	c := consentHeld{consentKept: k}
	err := w.cfg.DB.Write(ctx, func(tx *sql.Tx) error {
		if err := lock(ctx, tx, v); err != nil {
			return err
		}
		if find != nil {
			have, err := scanConsent(tx.QueryRowContext(ctx, selectConsent+` AND find_key = $2`, v.guardian, find), v)
			if err == nil {
				c = have
			}
			if err != sql.ErrNoRows {
				return err
			}
		}
		if err := w.leaveDrops(ctx, tx, v, leave); err != nil {
			return err
		}
		n := 0
		if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM consents WHERE guardian = $1`, v.guardian).Scan(&n); err != nil {
			return err
		}
		if n >= maxConsents {
			return ErrConsentMany
		}
		c.ID = store.Random(12)
		sealed, err := v.seal(tableConsent, c.ID, c.consentKept)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO consents (id, guardian, find_key, sealed, created) VALUES ($1,$2,$3,$4,$5)`,
			c.ID, v.guardian, find, sealed, store.Micros(w.cfg.Now()))
		return err
	})
	if err != nil {
		return consentHeld{}, err
	}
	return c, c.read()
}

// consentBy finds a consent by what keepConsent was given to find it by.
func (w *Wallet) consentBy(ctx context.Context, v *vault, find []byte) (consentHeld, error) {
	c, err := scanConsent(w.cfg.DB.QueryRowContext(ctx, selectConsent+` AND find_key = $2`, v.guardian, find), v)
	if err == sql.ErrNoRows {
		return consentHeld{}, ErrNoSuchConsent
	}
	return c, err
}

// changeConsent reads a consent, lets change alter it and stores it with the
// drops that change leaves and takes away, as the only writer of this guardian.
// change may be called again and speaks with nobody.
func (w *Wallet) changeConsent(ctx context.Context, v *vault, id string, change func(*consentHeld) error) (consentHeld, error) {
	var c consentHeld
	err := w.cfg.DB.Write(ctx, func(tx *sql.Tx) error {
		if err := lock(ctx, tx, v); err != nil {
			return gone(absent(err), ErrNoSuchConsent)
		}
		var err error
		c, err = scanConsent(tx.QueryRowContext(ctx, selectConsent+` AND id = $2`, v.guardian, id), v)
		if err == sql.ErrNoRows {
			return ErrNoSuchConsent
		}
		if err != nil {
			return err
		}
		if err := change(&c); err != nil {
			return err
		}
		if err := dropDrops(ctx, tx, v, c.remove...); err != nil {
			return err
		}
		if len(c.leave) > 0 {
			if err := w.leaveDrops(ctx, tx, v, c.leave); err != nil {
				return err
			}
		}
		sealed, err := v.seal(tableConsent, id, c.consentKept)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE consents SET sealed = $1 WHERE id = $2 AND guardian = $3`, sealed, id, v.guardian)
		return err
	})
	if err != nil {
		return consentHeld{}, err
	}
	return c, c.read()
}

// forgetConsent deletes one, and the drops that it left.
func (w *Wallet) forgetConsent(ctx context.Context, v *vault, c *consentHeld) error {
	left := []string{}
	for _, g := range c.Given {
		left = append(left, g.ID)
	}
	if c.Invite != nil {
		left = append(left, c.Invite.Link.ID, c.Room.Link.ID)
	}
	return w.cfg.DB.Write(ctx, func(tx *sql.Tx) error {
		if err := lock(ctx, tx, v); err != nil {
			return gone(absent(err), ErrNoSuchConsent)
		}
		if err := dropDrops(ctx, tx, v, left...); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM consents WHERE guardian = $1 AND id = $2`, v.guardian, c.ID)
		return err
	})
}
