package store

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"time"
)

// hash is the SHA-256 of a token's secret.
type hash [32]byte

// lookups answers those who ask at the same time with one query. Nothing is
// kept: a query begins after everybody whom it answers has asked, so that each
// learns what was so after that. Who asks while one runs waits for the next.
type lookups struct {
	mu   sync.Mutex
	next *lookup // what has not begun; nil: nobody waits
	busy bool    // somebody runs one, or may
}

// lookup is one query.
type lookup struct {
	asked []hash
	lead  chan struct{} // who takes what is in it runs the query
	done  chan struct{} // closed when found and err are there
	found map[hash]Token
	err   error
}

// sharedTime bounds a shared lookup, which nobody's going away ends.
const sharedTime = 15 * time.Second

// errLookup is told to those whose lookup ended in a panic.
var errLookup = errors.New("the shared lookup was abandoned")

// token asks for the token with a hash; false: there is none. read has to give
// those that there are.
func (s *lookups) token(ctx context.Context, h hash, read func(context.Context, []hash) (map[hash]Token, error)) (Token, bool, error) {
	s.mu.Lock()
	if s.next == nil {
		s.next = &lookup{lead: make(chan struct{}, 1), done: make(chan struct{}), err: errLookup}
	}
	l := s.next
	l.asked = append(l.asked, h)
	if !s.busy {
		s.busy = true
		l.lead <- struct{}{}
	}
	s.mu.Unlock()
	select {
	case <-l.lead:
		// Those who are ready to ask do it first. If there are none, this takes no time.
		runtime.Gosched()
		s.run(ctx, l, read)
	case <-l.done:
	case <-ctx.Done(): // should nobody be left, the next one who comes leads
		return Token{}, false, ctx.Err()
	}
	t, ok := l.found[h]
	return t, ok, l.err
}

// run does the query, tells who waits for it and lets the next one begin: also if
// read panics, for nobody must wait for ever.
func (s *lookups) run(ctx context.Context, l *lookup, read func(context.Context, []hash) (map[hash]Token, error)) {
	s.mu.Lock()
	s.next = nil // from here on nobody joins
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		if s.next != nil {
			s.next.lead <- struct{}{}
		} else {
			s.busy = false
		}
		s.mu.Unlock()
		close(l.done)
	}()
	slices.SortFunc(l.asked, func(a, b hash) int { return bytes.Compare(a[:], b[:]) })
	l.asked = slices.Compact(l.asked)
	// A caller who goes away must not end what the others wait for.
	l.found, l.err = read(context.WithoutCancel(ctx), l.asked)
}
