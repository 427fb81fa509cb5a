package store

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

// slow is a database that tells what was so when a query began, and answers when
// it may.
type slow struct {
	lookups
	tokens  map[hash]Token
	queries [][]hash
	ended   []error       // of the queries' contexts
	may     chan struct{} // one answer for each
	fail    func() error
}

func (d *slow) read(ctx context.Context, asked []hash) (map[hash]Token, error) {
	d.queries = append(d.queries, asked)
	found := map[hash]Token{}
	for _, h := range asked {
		if t, ok := d.tokens[h]; ok {
			found[h] = t
		}
	}
	<-d.may
	d.ended = append(d.ended, ctx.Err())
	if d.fail != nil {
		return nil, d.fail()
	}
	return found, nil
}

// told is what somebody learned.
type told struct {
	id    string // "": nothing yet, or no such token
	err   error
	panic any
	done  bool
}

// ask asks, and returns when the query runs or waits for another one.
func (d *slow) ask(ctx context.Context, h hash) *told {
	out := &told{}
	go func() {
		defer func() { out.panic, out.done = recover(), true }()
		t, ok, err := d.token(ctx, h, d.read)
		if out.err = err; ok {
			out.id = t.ID
		}
	}()
	synctest.Wait()
	return out
}

// answer lets one query answer.
func (d *slow) answer() {
	d.may <- struct{}{}
	synctest.Wait()
}

func slowly(t *testing.T, fn func(t *testing.T, d *slow)) {
	synctest.Test(t, func(t *testing.T) {
		d := &slow{tokens: map[hash]Token{{1}: {ID: "one"}, {2}: {ID: "two"}}, may: make(chan struct{})}
		fn(t, d)
		d.fail = nil
		alone := d.ask(t.Context(), hash{2})
		d.answer()
		if alone.id != "two" || d.busy || d.next != nil {
			t.Errorf("in the end: %+v, busy %v, waiting %v", alone, d.busy, d.next)
		}
	})
}

// TestNoLookupIsOlderThanItsQuestion: who asks while a query runs learns what is so
// after the question, from one query with all who asked meanwhile.
func TestNoLookupIsOlderThanItsQuestion(t *testing.T) {
	slowly(t, func(t *testing.T, d *slow) {
		before := d.ask(t.Context(), hash{1})
		d.tokens[hash{1}] = Token{ID: "revoked"}
		var after []*told
		for _, h := range []hash{{1}, {3}, {2}, {1}, {3}} {
			after = append(after, d.ask(t.Context(), h))
		}
		if len(d.queries) != 1 {
			t.Fatalf("%d queries at once", len(d.queries))
		}
		d.answer()
		if before.id != "one" || !before.done || after[0].done {
			t.Errorf("first %+v, then %+v", before, after[0])
		}
		if len(d.queries) != 2 || len(d.queries[1]) != 3 {
			t.Fatalf("asked for %v", d.queries)
		}
		d.answer()
		for i, want := range []string{"revoked", "", "two", "revoked", ""} {
			if x := after[i]; !x.done || x.err != nil || x.id != want {
				t.Errorf("%d: %+v, not %q", i, x, want)
			}
		}
	})
}

// TestLookupOfOneWhoLeaves: who goes away waits no longer, and takes no answer from
// anybody; the query that it runs goes on.
func TestLookupOfOneWhoLeaves(t *testing.T) {
	slowly(t, func(t *testing.T, d *slow) {
		ctx, leave := context.WithCancel(t.Context())
		leads, waits, stays := d.ask(ctx, hash{1}), d.ask(ctx, hash{2}), d.ask(t.Context(), hash{2})
		leave()
		synctest.Wait()
		if !waits.done || !errors.Is(waits.err, context.Canceled) || leads.done || stays.done {
			t.Errorf("left %+v, leads %+v, stays %+v", waits, leads, stays)
		}
		d.answer()
		d.answer()
		if leads.err != nil || leads.id != "one" || stays.err != nil || stays.id != "two" {
			t.Errorf("leads %+v, stays %+v", leads, stays)
		}
		for _, err := range d.ended {
			if err != nil {
				t.Errorf("a query was told %v", err)
			}
		}
	})
	slowly(t, func(t *testing.T, d *slow) { // all who wait leave
		ctx, leave := context.WithCancel(t.Context())
		leads, waits := d.ask(t.Context(), hash{1}), d.ask(ctx, hash{2})
		leave()
		d.answer()
		if !leads.done || leads.err != nil || !waits.done {
			t.Errorf("leads %+v, left %+v", leads, waits)
		}
	})
}

// TestLookupThatFails: an error is told to all who share the query and to nobody
// else, and so is that it panicked.
func TestLookupThatFails(t *testing.T) {
	broken := errors.New("broken")
	for name, fail := range map[string]func() error{
		"error": func() error { return broken },
		"panic": func() error { panic(broken) },
	} {
		t.Run(name, func(t *testing.T) {
			slowly(t, func(t *testing.T, d *slow) {
				first := d.ask(t.Context(), hash{1})
				var shared []*told
				for range 3 {
					shared = append(shared, d.ask(t.Context(), hash{1}))
				}
				d.answer()
				later := d.ask(t.Context(), hash{1})
				d.fail = fail
				d.answer()
				d.fail = nil
				panics := 0
				for _, x := range shared {
					if x.panic != nil {
						panics++
					} else if !x.done || x.id != "" || !errors.Is(x.err, broken) && (name == "error" || !errors.Is(x.err, errLookup)) {
						t.Errorf("%+v", x)
					}
				}
				if (panics == 1) != (name == "panic") {
					t.Errorf("%d panics", panics)
				}
				d.answer()
				for _, x := range []*told{first, later} {
					if !x.done || x.id != "one" || x.err != nil || x.panic != nil {
						t.Errorf("%+v", x)
					}
				}
			})
		})
	}
}
