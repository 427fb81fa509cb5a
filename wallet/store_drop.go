package wallet

import (
	"bytes"
	"context"
	"database/sql"
	"time"

	"github.com/kinpass/kinpass/internal/store"
)

// drop finds a drop by its id.
func (w *Wallet) drop(ctx context.Context, id string) (*drop, error) {
	d := drop{id: id}
	var expires int64
	err := w.cfg.DB.QueryRowContext(ctx, `SELECT kind, access, reader, version, content, expires FROM drops WHERE id = $1`, id).
		Scan(&d.kind, &d.access, &d.reader, &d.version, &d.content, &expires)
	if err == sql.ErrNoRows {
		return nil, ErrNoSuchDrop
	}
	d.expires = store.Time(expires)
	return &d, err
}

// leaveDrops stores drops of a guardian and forgets those that are over.
func (w *Wallet) leaveDrops(ctx context.Context, tx *sql.Tx, v *vault, drops []drop) error {
	now := store.Micros(w.cfg.Now())
	if _, err := tx.ExecContext(ctx, `DELETE FROM drops WHERE guardian = $1 AND expires < $2`, v.guardian, now); err != nil {
		return err
	}
	n := 0
	if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM drops WHERE guardian = $1`, v.guardian).Scan(&n); err != nil {
		return err
	}
	if n+len(drops) > maxDrops {
		return ErrDropMany
	}
	for _, d := range drops {
		if _, err := tx.ExecContext(ctx, `INSERT INTO drops (id, guardian, kind, access, reader, version, content, expires, created)
			VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9)`, d.id, v.guardian, d.kind, d.access, d.reader, d.version, d.content, store.Micros(d.expires), now); err != nil {
			return err
		}
	}
	return nil
}

// takeDrop makes reader the only one who can take a drop, or fails if somebody
// else was first.
func (w *Wallet) takeDrop(ctx context.Context, id string, reader []byte) error {
	return w.cfg.DB.Write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `UPDATE drops SET taken = $1 WHERE id = $2 AND taken IS NULL`, reader, id); err != nil {
			return err
		}
		var taken []byte
		err := tx.QueryRowContext(ctx, `SELECT taken FROM drops WHERE id = $1`, id).Scan(&taken)
		if err == sql.ErrNoRows || err == nil && !bytes.Equal(taken, reader) {
			return ErrNoSuchDrop
		}
		return err
	})
}

// writeDrop replaces the content of a drop whose version is the given one.
func (w *Wallet) writeDrop(ctx context.Context, id string, version int64, content []byte) error {
	return w.cfg.DB.Write(ctx, func(tx *sql.Tx) error {
		r, err := tx.ExecContext(ctx, `UPDATE drops SET content = $1, version = version + 1 WHERE id = $2 AND version = $3`, content, id, version)
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n > 0 {
			return err
		}
		return ErrDropVersion
	})
}

// untaken reports whether nobody has taken a drop yet, and it is not over.
func (w *Wallet) untaken(ctx context.Context, id string) (bool, error) {
	n := 0
	err := w.cfg.DB.QueryRowContext(ctx, `SELECT COUNT(*) FROM drops WHERE id = $1 AND taken IS NULL AND expires > $2`, id, store.Micros(w.cfg.Now())).Scan(&n)
	return n > 0, err
}

// dropDrops deletes drops of a guardian by id.
func dropDrops(ctx context.Context, tx *sql.Tx, v *vault, ids ...string) error {
	for _, id := range ids {
		if _, err := tx.ExecContext(ctx, `DELETE FROM drops WHERE guardian = $1 AND id = $2`, v.guardian, id); err != nil {
			return err
		}
	}
	return nil
}

// purgeDrops deletes what is over, whoever left it.
func (w *Wallet) purgeDrops(ctx context.Context, now time.Time) error {
	return w.cfg.DB.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM drops WHERE expires < $1`, store.Micros(now))
		return err
	})
}
