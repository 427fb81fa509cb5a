package issuer

import (
	"context"
	"database/sql"
	"time"

	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/tlog"
	"github.com/kinpass/kinpass/internal/trust"
)

// logFacts commits to the facts that are not committed to yet and gives how many
// these were. The database holds each once, however many replicas find it.
func (s *Store) logFacts(ctx context.Context, facts []trust.Fact, at time.Time) (added int, err error) {
	missing, err := s.unloggedFacts(ctx, s.db, facts)
	if err != nil || len(missing) == 0 {
		return 0, err
	}
	err = s.write(ctx, func(tx *sql.Tx) error {
		added = 0
		missing, err := s.unloggedFacts(ctx, tx, facts)
		if err != nil {
			return err
		}
		for _, f := range missing {
			r, err := tx.ExecContext(ctx, `INSERT INTO commitments (credential_id, kind, salt, hash, created) VALUES ('', $1, $2, $3, $4) ON CONFLICT DO NOTHING`,
				factKinds[f.Kind], make([]byte, tlog.SaltSize), f.Commitment[:], store.Micros(at))
			if err != nil {
				return err
			}
			n, err := r.RowsAffected()
			if err != nil {
				return err
			}
			added += int(n)
		}
		return nil
	})
	return added, err
}

// unloggedFacts leaves out what is committed to.
func (s *Store) unloggedFacts(ctx context.Context, q reader, facts []trust.Fact) ([]trust.Fact, error) {
	var out []trust.Fact
	for _, f := range facts {
		var one int
		err := q.QueryRowContext(ctx, `SELECT COUNT(*) FROM commitments WHERE kind = $1 AND hash = $2 AND kind IN ('key', 'trust', 'accreditation')`,
			factKinds[f.Kind], f.Commitment[:]).Scan(&one)
		if err != nil {
			return nil, err
		}
		if one == 0 {
			out = append(out, f)
		}
	}
	return out, nil
}
