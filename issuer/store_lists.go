package issuer

import (
	"context"
	"database/sql"
	"errors"
	"sync"

	"github.com/kinpass/kinpass/internal/status"
	"github.com/kinpass/kinpass/internal/store"
)

// lists hands out places in status lists. It leases ranges of counters from the
// database, in transactions of their own: a counter that a crash loses is an
// index that is never used, and nobody can tell it from one that is.
type lists struct {
	s    *Store
	size int64
	key  [32]byte
	mu   sync.Mutex // of the map; a lease has its own
	open map[listName]*lease
}

type listName struct{ credential, quarter string }

// place is an index in a status list.
type place struct{ list, index int64 }

// lease is a range of counters that this process may use.
type lease struct {
	mu         sync.Mutex
	list, size int64
	span       int64
	next, end  int64
	step       int64   // how many to lease next time
	back       []place // given back unused
}

// window is how many places of a list are filled before the next: the smallest
// crowd that a list may have (Bitstring Status List 1.0, section 6.1). A full
// window costs nothing in the set of what was issued, and only one of a list is
// being filled.
const window = status.MinSize

// maxLease bounds how many indexes a crash can lose.
const maxLease = 4096

// take gives a place that nobody had and nobody gets, in the list of this
// credential type for credentials that expire in this quarter.
func (l *lists) take(ctx context.Context, name listName) (place, error) {
	x := l.lease(name)
	x.mu.Lock()
	defer x.mu.Unlock()
	if n := len(x.back); n > 0 {
		p := x.back[n-1]
		x.back = x.back[:n-1]
		return p, nil
	}
	if x.next == x.end {
		if err := l.s.leaseRange(ctx, name, l.size, x); err != nil {
			return place{}, err
		}
		x.step = min(2*x.step, maxLease)
	}
	index, err := indexOf(l.key, x, x.next)
	if err != nil {
		return place{}, err
	}
	x.next++
	return place{x.list, index}, nil
}

// indexOf gives the index of the counter-th entry of a list: a keyed permutation
// of its window. The permutations of windows and of whole lists, as those from
// before windows have, are never the same.
func indexOf(key [32]byte, x *lease, counter int64) (int64, error) {
	if x.span == 0 {
		return status.Permute(key, x.list, counter, x.size)
	}
	n := counter / x.span
	first := n * x.span
	index, err := status.Permute(key, 1<<62|x.list<<24|n, counter-first, min(x.span, x.size-first))
	return first + index, err
}

// lease gives the lease on the lists of a name.
func (l *lists) lease(name listName) *lease {
	l.mu.Lock()
	defer l.mu.Unlock()
	x := l.open[name]
	if x == nil {
		x = &lease{step: 16}
		l.open[name] = x
	}
	return x
}

// give takes back a place whose credential was never reserved.
func (l *lists) give(name listName, p place) {
	x := l.lease(name)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.back = append(x.back, p)
}

// leaseRange moves the counter of the newest part of a list, and begins another
// part when that one is full.
func (s *Store) leaseRange(ctx context.Context, name listName, size int64, x *lease) error {
	return s.db.Write(ctx, func(tx *sql.Tx) error {
		for {
			// The update changes nothing and takes the row: replicas queue here.
			var id, part, next, have, span int64
			err := tx.QueryRowContext(ctx, `UPDATE status_lists SET part = part WHERE type = $1 AND quarter = $2 AND part =
				(SELECT MAX(part) FROM status_lists WHERE type = $1 AND quarter = $2) RETURNING id, part, next, size, span`,
				name.credential, name.quarter).Scan(&id, &part, &next, &have, &span)
			if errors.Is(err, sql.ErrNoRows) {
				part, next, have = -1, 0, 0
			} else if err != nil {
				return err
			}
			if next < have {
				n := min(x.step, have-next)
				if _, err := tx.ExecContext(ctx, `UPDATE status_lists SET next = $2 WHERE id = $1`, id, next+n); err != nil {
					return err
				}
				x.list, x.size, x.span, x.next, x.end = id, have, span, next, next+n
				return nil
			}
			// Whoever loses the race for the number of the list tries again.
			if err := tx.QueryRowContext(ctx, `SELECT COALESCE(MAX(id), 0) + 1 FROM status_lists`).Scan(&id); err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, `INSERT INTO status_lists (id, type, quarter, part, size, span, next, version, created)
				VALUES ($1, $2, $3, $4, $5, $6, 0, 0, $7) ON CONFLICT DO NOTHING`,
				id, name.credential, name.quarter, part+1, size, window, store.Micros(s.now())); err != nil {
				return err
			}
		}
	})
}
