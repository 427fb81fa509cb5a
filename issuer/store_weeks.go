package issuer

import (
	"context"
	"sort"
	"time"

	"github.com/kinpass/kinpass/internal/store"
)

// weekOf is the number of the week of a time in a column, counted from the
// Monday before 1970.
func weekOf(column string) string { return `(` + column + ` + 259200000000) / 604800000000` }

// officeOf finds the office of a record r.id.
const officeOf = ` LEFT JOIN births AS b ON b.id = r.record LEFT JOIN guardianships AS g ON g.id = r.record LEFT JOIN births AS w ON w.id = g.birth `

// weeks counts per office and week since a Monday.
func (s *Store) weeks(ctx context.Context, since time.Time) ([]Week, error) {
	type key struct {
		office string
		week   int64
	}
	all := map[key]*Week{}
	for _, q := range []struct {
		query string
		into  func(*Week) *int
	}{
		{`SELECT office, ` + weekOf("created") + `, COUNT(*) FROM births WHERE created >= $1 AND state <> 'discarded' GROUP BY 1, 2`, func(w *Week) *int { return &w.Registrations }},
		{`SELECT b.office, ` + weekOf("g.created") + `, COUNT(*) FROM guardianships AS g JOIN births AS b ON b.id = g.birth
			WHERE g.created >= $1 AND g.state <> 'discarded' GROUP BY 1, 2`, func(w *Week) *int { return &w.Registrations }},
		{`SELECT COALESCE(b.office, w.office, ''), ` + weekOf("r.created") + `, COUNT(*) FROM credentials AS r` + officeOf + `WHERE r.created >= $1 GROUP BY 1, 2`,
			func(w *Week) *int { return &w.Issuances }},
		{`SELECT COALESCE(b.office, w.office, ''), ` + weekOf("r.at") + `, COUNT(*) FROM status_acts AS r` + officeOf + `WHERE r.at >= $1 AND r.act = 'revoked' GROUP BY 1, 2`,
			func(w *Week) *int { return &w.Revocations }},
	} {
		rs, err := s.db.QueryContext(ctx, q.query, store.Micros(since))
		if err != nil {
			return nil, err
		}
		for rs.Next() {
			var k key
			var n int
			if err := rs.Scan(&k.office, &k.week, &n); err != nil {
				rs.Close()
				return nil, err
			}
			if all[k] == nil {
				all[k] = &Week{From: time.Unix(k.week*7*24*3600-3*24*3600, 0).UTC(), Office: k.office}
			}
			*q.into(all[k]) += n
		}
		if err := rs.Err(); err != nil {
			return nil, err
		}
	}
	out := make([]Week, 0, len(all))
	for _, w := range all {
		out = append(out, *w)
	}
	sort.Slice(out, func(a, b int) bool {
		if out[a].Office != out[b].Office {
			return out[a].Office < out[b].Office
		}
		return out[a].From.Before(out[b].From)
	})
	return out, nil
}
