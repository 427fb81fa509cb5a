package issuer

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"time"

	"github.com/kinpass/kinpass/internal/store"
)

// work is what one caller hands to the next shared transaction.
type work struct {
	births []*entry
	wards  []*entry // guardianships
	seals  []*sealing
	done   chan bool // false: the work is done; true: lead the next transaction
	err    error
}

// queue collects work while a transaction runs.
type queue struct {
	mu      sync.Mutex
	waiting []*work
	busy    bool
}

// maxShared bounds how many registrations and seals share a transaction.
const maxShared = 2048

// errAbandoned is told to those whose transaction ended in a panic.
var errAbandoned = errors.New("the shared transaction was abandoned")

// submit does w in a transaction that concurrent callers share: the first one
// commits for all who came while the one before ran. So a commit, which waits
// for the disk, is paid once by many. Faults of single entries are in the
// entries; an error here means that nothing of w was stored.
func (s *Store) submit(ctx context.Context, w *work) error {
	w.done = make(chan bool, 1)
	s.queue.mu.Lock()
	s.queue.waiting = append(s.queue.waiting, w)
	lead := !s.queue.busy
	s.queue.busy = true
	s.queue.mu.Unlock()
	if !lead && !<-w.done {
		return w.err
	}
	s.lead(ctx, s.next())
	return w.err
}

// lead commits a group, lets the next in the queue lead, and tells the group. It
// does so even if the work panics: nobody must wait for ever.
func (s *Store) lead(ctx context.Context, group []*work) {
	for _, x := range group {
		x.err = errAbandoned
	}
	defer func() {
		s.queue.mu.Lock()
		if len(s.queue.waiting) > 0 {
			s.queue.waiting[0].done <- true
		} else {
			s.queue.busy = false
		}
		s.queue.mu.Unlock()
		for _, x := range group[1:] { // the first one leads
			x.done <- false
		}
	}()
	// A caller who goes away must not undo what the others wait for.
	ctx = context.WithoutCancel(ctx)
	if s.db.Engine == store.Postgres { // another machine; and SQLite's driver starts a goroutine for each statement that can end early
		var cancel func()
		ctx, cancel = context.WithTimeout(ctx, time.Minute)
		defer cancel()
	}
	s.commit(ctx, group)
}

// next takes the work for one transaction from the queue. Whoever leads is its
// first.
func (s *Store) next() []*work {
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	n, size := 0, 0
	keys := map[string]bool{}
	for n < len(s.queue.waiting) && (n == 0 || size < maxShared) {
		x := s.queue.waiting[n]
		if x.repeats(keys) {
			break // it must find the answer that an earlier one stores
		}
		size += len(x.births) + len(x.wards) + len(x.seals)
		n++
	}
	group := s.queue.waiting[:n:n]
	s.queue.waiting = s.queue.waiting[n:]
	return group
}

// repeats reports whether w has an Idempotency-Key that is among keys, and adds
// its own to them.
func (w *work) repeats(keys map[string]bool) bool {
	again := false
	for _, list := range [][]*entry{w.births, w.wards} {
		for _, e := range list {
			if e.claim != nil {
				again = again || keys[string(e.claim.key)]
				keys[string(e.claim.key)] = true
			}
		}
	}
	return again
}

// commit does the work of a group in one transaction. If that fails, each is
// tried alone, so that one caller's trouble is not everybody's.
func (s *Store) commit(ctx context.Context, group []*work) {
	err := s.together(ctx, group)
	if err == nil || len(group) == 1 {
		for _, w := range group {
			w.err = err
		}
		return
	}
	for _, w := range group {
		w.err = s.together(ctx, []*work{w})
	}
}

func (s *Store) together(ctx context.Context, group []*work) error {
	var births, wards []*entry
	var seals []*sealing
	for _, w := range group {
		births = append(births, w.births...)
		wards = append(wards, w.wards...)
		seals = append(seals, w.seals...)
	}
	return s.write(ctx, func(tx *sql.Tx) error {
		for _, e := range births {
			e.reset()
		}
		for _, e := range wards {
			e.reset()
		}
		if len(seals) > 0 {
			if err := s.seal(ctx, tx, seals); err != nil {
				return err
			}
		}
		if len(births) > 0 {
			if err := s.addBirths(ctx, tx, births); err != nil {
				return err
			}
		}
		if len(wards) > 0 {
			return s.addGuardianships(ctx, tx, wards)
		}
		return nil
	})
}
