package wallet

import (
	"context"
	"database/sql"
)

// keepReceipts seals proofs beside their credentials. Rows that are gone or were
// replaced since are left alone.
func (w *Wallet) keepReceipts(ctx context.Context, v *vault, with []held) error {
	if len(with) == 0 {
		return nil
	}
	return w.cfg.DB.Write(ctx, func(tx *sql.Tx) error {
		if err := lock(ctx, tx, v); err != nil {
			return err
		}
		for _, s := range with {
			c, err := scanCredential(tx.QueryRowContext(ctx, selectCredential+` AND id = $2`, v.guardian, s.ID), v)
			if err == sql.ErrNoRows || (err == nil && c.JWT != s.JWT) {
				continue
			}
			if err != nil {
				return err
			}
			c.Receipt = s.Receipt
			sealed, err := v.seal(tableCredential, c.ID, c.kept)
			if err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, `UPDATE credentials SET sealed = $1 WHERE id = $2 AND guardian = $3`, sealed, c.ID, v.guardian); err != nil {
				return err
			}
		}
		return nil
	})
}
