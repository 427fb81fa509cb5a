package store

import "context"

// Scrub empties SQLite's log of changes into the database, which overwrites what is
// deleted: until then the pages of before are in the log. Call it after a deletion
// that somebody was promised. While somebody reads an older state for more than a
// moment it does nothing, and the log is emptied by a later call or when the
// database is closed. On PostgreSQL, whose operator says how long its logs are
// kept, it does nothing.
func (db *DB) Scrub(ctx context.Context) {
	if db.Engine != SQLite {
		return
	}
	db.write.Lock()
	defer db.write.Unlock()
	c, err := db.writer.Conn(ctx)
	if err != nil {
		return
	}
	defer c.Close()
	// Writers wait for this, so it does not wait long for readers.
	if _, err := c.ExecContext(ctx, `PRAGMA busy_timeout = 100`); err != nil {
		return
	}
	defer c.ExecContext(context.WithoutCancel(ctx), `PRAGMA busy_timeout = `+busyTimeout)
	var busy, frames, copied int
	c.QueryRowContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &frames, &copied)
}
