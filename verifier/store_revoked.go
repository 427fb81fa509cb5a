package verifier

import (
	"context"
	"database/sql"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/status"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/verifier/check"
)

// errOvertaken: another bundle came into force since this one was compared.
var errOvertaken = fault.New(fault.Conflict, "bundle-overtaken", "another bundle came into force meanwhile")

// revokedLife is how long what was revoked is remembered after the list was last
// read: longer than any credential on it lives.
const revokedLife = 2 * 365 * 24 * time.Hour

// keepRevoked adds what a list that was fetched revokes to what was ever revoked
// there.
func keepRevoked(tx *sql.Tx, h held, now time.Time) error {
	if h.revoked == nil {
		return nil
	}
	var stored []byte
	// The insert comes first: it locks the row, on both engines.
	if err := tx.QueryRow(`INSERT INTO revoked (issuer, url, seen, places) VALUES ($1, $2, $3, $4)
		ON CONFLICT (issuer, url) DO UPDATE SET seen = excluded.seen RETURNING places`,
		h.issuer, h.url, now.UnixMicro(), h.revoked).Scan(&stored); err != nil {
		return err
	}
	before, _, err := status.OpenPlaces(stored)
	if err != nil {
		return err
	}
	list, _, err := status.OpenPlaces(h.revoked)
	if err != nil {
		return err
	}
	if before.Universe() >= list.Universe() && list.Without(before) == 0 {
		return nil
	}
	all, err := status.JoinPlaces(before, list)
	if err != nil {
		return err
	}
	_, err = tx.Exec(`UPDATE revoked SET places = $3 WHERE issuer = $1 AND url = $2`, h.issuer, h.url, all)
	return err
}

// everRevoked gives all places that lists ever revoked.
func (b book) everRevoked(ctx context.Context) (map[check.OwnList][]byte, error) {
	out := map[check.OwnList][]byte{}
	rows, err := b.db.QueryContext(ctx, `SELECT issuer, url, places FROM revoked`)
	_, err = store.All(rows, err, func(rows *sql.Rows) (name check.OwnList, err error) {
		var places []byte
		err = rows.Scan(&name.Issuer, &name.Address, &places)
		out[name] = places
		return name, err
	})
	return out, err
}
