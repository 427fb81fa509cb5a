package verifier

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/kinpass/kinpass/internal/mirror"
)

// keeping says which bundles stay with their bytes.
type keeping struct {
	mirror.Keep
	bytes int64 // of all together
}

// thin drops the bytes of the bundles that need not stay: those that keeping
// does not name, and the oldest beyond its bytes. The bundle in force stays.
func thin(tx *sql.Tx, keep keeping, now time.Time) error {
	rows, err := tx.Query(`SELECT pos, created, LENGTH(body) FROM bundles WHERE body IS NOT NULL ORDER BY pos DESC`)
	if err != nil {
		return err
	}
	defer rows.Close()
	var places, sizes []int64
	var created []time.Time
	for rows.Next() {
		var pos, at, size int64
		if err := rows.Scan(&pos, &at, &size); err != nil {
			return err
		}
		places, created, sizes = append(places, pos), append(created, fromMicro(at)), append(sizes, size)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	rows.Close() // before the next statement of this transaction
	room := keep.bytes
	for n, stays := range keep.Stay(created, now) {
		if stays {
			room -= sizes[n]
		}
		if n == 0 || stays && room >= 0 {
			continue
		}
		if _, err := tx.Exec(`UPDATE bundles SET body = NULL WHERE pos = $1`, places[n]); err != nil {
			return err
		}
	}
	return nil
}

// placed gives the bundle in force without its bytes, or ErrNoBundle.
func (b book) placed(ctx context.Context) (edition, error) {
	var e edition
	err := b.db.QueryRowContext(ctx, `SELECT pos, digest FROM bundles WHERE body IS NOT NULL ORDER BY pos DESC LIMIT 1`).Scan(&e.pos, &e.digest)
	if errors.Is(err, sql.ErrNoRows) {
		return edition{}, ErrNoBundle
	}
	return e, err
}

// body gives the bytes of the bundle at a place.
func (b book) body(ctx context.Context, pos int64) (body []byte, err error) {
	err = b.db.QueryRowContext(ctx, `SELECT body FROM bundles WHERE pos = $1 AND body IS NOT NULL`, pos).Scan(&body)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrNotKept
	}
	return body, err
}

// keptAs gives the place of the newest bundle with this number that is kept.
// Two hubs may have used one number.
func (b book) keptAs(ctx context.Context, sequence int64) (pos int64, err error) {
	err = b.db.QueryRowContext(ctx, `SELECT pos FROM bundles WHERE sequence = $1 AND body IS NOT NULL ORDER BY pos DESC LIMIT 1`, sequence).Scan(&pos)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, ErrNotKept
	}
	return pos, err
}

// keptOf gives the place of the bundle with this manifest, if it is kept.
func (b book) keptOf(ctx context.Context, manifest string) (pos int64, err error) {
	err = b.db.QueryRowContext(ctx, `SELECT pos FROM bundles WHERE manifest = $1 AND body IS NOT NULL ORDER BY pos DESC LIMIT 1`, manifest).Scan(&pos)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, ErrNotKept
	}
	return pos, err
}
