package verifier

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"github.com/kinpass/kinpass/internal/store"
)

// report stores records that devices made, with their overrides. One that is
// there stays as it is.
func (b book) report(ctx context.Context, list []Record) (n int, err error) {
	err = b.db.Write(ctx, func(tx *sql.Tx) error {
		n = 0
		for _, r := range list {
			res, err := tx.Exec(`INSERT INTO checks (id, at, colour, codes, bundle, bundle_age, status_age, policies, reporter, post)
				VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (id) DO NOTHING`,
				r.ID, r.At.UnixMicro(), r.Colour, strings.Join(r.Codes, " "), r.Bundle, r.BundleAge, r.StatusAge, strings.Join(r.Policies, " "), r.reporter, r.Post)
			if err != nil {
				return err
			}
			added, err := res.RowsAffected()
			if err != nil {
				return err
			}
			if added == 0 {
				continue
			}
			n++
			if o := r.Override; o != nil {
				if _, err := tx.Exec(`INSERT INTO overrides (check_id, at, act, reason, second, person) VALUES ($1, $2, $3, $4, $5, $6)`,
					r.ID, o.At.UnixMicro(), o.Act, o.Reason, o.Second, o.Person); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return n, err
}

// recordColumns are those of a record with its override, for a query of checks
// that is joined with overrides.
const recordColumns = `checks.id, checks.at, checks.colour, checks.codes, checks.bundle, checks.bundle_age, checks.status_age, checks.policies,
	checks.reporter, checks.post, overrides.at, overrides.act, overrides.reason, overrides.second, overrides.person, overrides.answer, overrides.answerer`

// scanRecord reads a row of recordColumns.
func scanRecord(scan func(...any) error) (Record, error) {
	var r Record
	var at int64
	var codes, policies string
	var overridden sql.NullInt64
	var act, reason, second, person, answer, by sql.NullString
	err := scan(&r.ID, &at, &r.Colour, &codes, &r.Bundle, &r.BundleAge, &r.StatusAge, &policies, &r.reporter, &r.Post,
		&overridden, &act, &reason, &second, &person, &answer, &by)
	if err != nil {
		return Record{}, err
	}
	r.At, r.Codes, r.Policies = fromMicro(at), strings.Fields(codes), strings.Fields(policies)
	if overridden.Valid {
		r.Override = &Override{Act: act.String, Reason: reason.String, Second: second.String, At: fromMicro(overridden.Int64),
			Person: person.String, Answer: answer.String, By: by.String}
	}
	return r, nil
}

// overrides lists the records that have one, newest first.
func (b book) overrides(ctx context.Context, limit int) ([]Record, error) {
	rows, err := b.db.QueryContext(ctx, `SELECT `+recordColumns+` FROM checks JOIN overrides ON overrides.check_id = checks.id
		ORDER BY checks.at DESC, checks.id DESC LIMIT $1`, limit)
	return store.All(rows, err, func(r *sql.Rows) (Record, error) { return scanRecord(r.Scan) })
}

// answer stores what a second person says to an override: say decides by the
// record as it is. Of two who answer at once, one sees the other's answer.
func (b book) answer(ctx context.Context, id string, say func(Record) (Override, error)) error {
	return b.db.Write(ctx, func(tx *sql.Tx) error {
		// The update comes first: it locks the row, on both engines.
		res, err := tx.Exec(`UPDATE overrides SET answered = answered WHERE check_id = $1`, id)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil {
			return err
		} else if n == 0 {
			return ErrNoSuchOverride
		}
		r, err := scanRecord(tx.QueryRow(`SELECT `+recordColumns+` FROM checks JOIN overrides ON overrides.check_id = checks.id WHERE checks.id = $1`, id).Scan)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNoSuchOverride
		}
		if err != nil {
			return err
		}
		o, err := say(r)
		if err != nil {
			return err
		}
		_, err = tx.Exec(`UPDATE overrides SET answer = $2, answerer = $3, answered = $4 WHERE check_id = $1`, id, o.Answer, o.By, o.At.UnixMicro())
		return err
	})
}
