package issuer

import (
	"context"
	"database/sql"
	"strconv"
	"strings"

	"github.com/kinpass/kinpass/internal/store"
)

// searchBatch bounds the records that become searchable in one transaction.
const searchBatch = 200

// maxCandidates bounds the records that a search reads.
const maxCandidates = 4 * maxFound

// makeSearchable writes the words of up to searchBatch records that have none
// yet, and gives how many there were.
func (s *Store) makeSearchable(ctx context.Context) (done int, err error) {
	// Asked without the pen, and not by counting: after a large import many wait.
	var waits bool
	err = s.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM births WHERE searchable = 0) OR EXISTS (SELECT 1 FROM guardianships WHERE searchable = 0)`).Scan(&waits)
	if err != nil || !waits {
		return 0, err
	}
	err = s.write(ctx, func(tx *sql.Tx) error {
		done = 0
		var words [][]any
		for _, kind := range []string{KindBirth, KindGuardianship} {
			rs, err := s.rows(ctx, tx, kind, `WHERE searchable = 0 ORDER BY created LIMIT $1`, searchBatch)
			if err != nil {
				return err
			}
			done += len(rs)
			for _, r := range rs {
				list, office, err := searchWords(r)
				if err != nil {
					return err
				}
				for _, w := range list {
					words = append(words, []any{[]byte(w), r.ID, kind})
				}
				if kind == KindBirth {
					_, err = tx.ExecContext(ctx, `UPDATE births SET searchable = 1, office = $2 WHERE id = $1`, r.ID, office)
				} else {
					_, err = tx.ExecContext(ctx, `UPDATE guardianships SET searchable = 1 WHERE id = $1`, r.ID)
				}
				if err != nil {
					return err
				}
			}
		}
		return s.insert(ctx, tx, `INSERT INTO search_words (word, record, kind)`, words)
	})
	return done, err
}

// unsearchable counts the records that cannot be found yet.
func (s *Store) unsearchable(ctx context.Context) (n int, err error) {
	err = s.db.QueryRowContext(ctx, `SELECT (SELECT COUNT(*) FROM births WHERE searchable = 0) + (SELECT COUNT(*) FROM guardianships WHERE searchable = 0)`).Scan(&n)
	return n, err
}

// unsearch deletes the words of a record whose content changes, in the
// transaction at hand: nobody finds it any more by what it said.
func (s *Store) unsearch(ctx context.Context, tx *sql.Tx, kind, id string) error {
	if _, err := tx.ExecContext(ctx, `UPDATE `+tables[kind].name+` SET searchable = 0 WHERE id = $1`, id); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `DELETE FROM search_words WHERE record = $1`, id)
	return err
}

// find gives the records that say everything that is looked for.
func (s *Store) find(ctx context.Context, terms []term) ([]found, error) {
	var parts []string
	var args []any
	mark := func(v []byte) string {
		args = append(args, v)
		return "$" + strconv.Itoa(len(args))
	}
	for _, t := range terms {
		var or []string
		for _, w := range t.words {
			or = append(or, "word = "+mark([]byte(w)))
		}
		for _, p := range t.prefixes {
			or = append(or, "(word >= "+mark([]byte(p))+" AND word < "+mark(after(p))+")")
		}
		parts = append(parts, `SELECT DISTINCT kind, record FROM search_words WHERE `+strings.Join(or, " OR "))
	}
	rs, err := s.db.QueryContext(ctx, `SELECT kind, record FROM (`+strings.Join(parts, " INTERSECT ")+`) AS x ORDER BY kind, record LIMIT `+strconv.Itoa(maxCandidates), args...)
	return store.All(rs, err, func(rs *sql.Rows) (f found, err error) {
		err = rs.Scan(&f.kind, &f.id)
		return f, err
	})
}

// after gives the first bytes in order that do not begin with a text, which is
// UTF-8 and so never ends with 0xff.
func after(prefix string) []byte {
	b := []byte(prefix)
	b[len(b)-1]++
	return b
}
