package issuer

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
)

// BenchmarkCheckpoint registers births at a steady rate for ten seconds, while the
// ledger runs as in the service, and reports how long it takes from a commitment,
// by the time that stands in it, which is taken before its transaction begins, to
// the signed checkpoint that anybody can read. What it measures is an upper bound:
// the reader looks every five milliseconds.
func BenchmarkCheckpoint(b *testing.B) {
	for _, engine := range []string{store.SQLite, store.Postgres} {
		for _, rate := range []int{20, 100} {
			b.Run(fmt.Sprintf("%s/%d per second", engine, rate), func(b *testing.B) {
				for range b.N {
					latencies(b, storetest.Open(b, engine, "issuer"), rate)
				}
			})
		}
	}
}

func latencies(b *testing.B, db *store.DB, rate int) {
	b.Helper()
	i, err := New(Config{Base: "https://registry.example", DB: db, Ring: newRing(b, keys.EdDSA), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	if err := i.Bind(context.Background()); err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var background, desks sync.WaitGroup
	background.Go(func() { i.runLedger(ctx) })
	type point struct {
		size int64
		at   time.Time
	}
	var seen []point
	background.Go(func() {
		for ctx.Err() == nil {
			if l, err := i.store.ledgerState(ctx, i.store.db); err == nil && (len(seen) == 0 || l.size > seen[len(seen)-1].size) {
				seen = append(seen, point{l.size, time.Now()})
			}
			time.Sleep(5 * time.Millisecond)
		}
	})
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	for range 10 * rate {
		<-tick.C
		desks.Go(func() {
			if _, err := i.RegisterBirth(context.Background(), rita, raw(b, newBirth()), ""); err != nil {
				b.Error(explain(err))
			}
		})
	}
	desks.Wait()
	for n := int64(1); n > 0; {
		l, err := i.store.ledgerState(context.Background(), i.store.db)
		if err == nil {
			var q queued
			q, err = i.store.ledgerWaiting(context.Background(), l)
			n = q.n
		}
		if err != nil {
			b.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	cancel()
	background.Wait()
	rows, err := db.QueryContext(context.Background(), `SELECT created FROM commitments ORDER BY id`)
	if err != nil {
		b.Fatal(err)
	}
	defer rows.Close()
	var took []time.Duration
	for index := int64(0); rows.Next(); index++ {
		var created int64
		if err := rows.Scan(&created); err != nil {
			b.Fatal(err)
		}
		at := slices.IndexFunc(seen, func(p point) bool { return p.size > index })
		if at < 0 {
			b.Fatalf("entry %d is in no checkpoint", index)
		}
		took = append(took, seen[at].at.Sub(store.Time(created)))
	}
	slices.Sort(took)
	ms := func(q float64) float64 {
		return float64(took[min(len(took)-1, int(q*float64(len(took))))]) / float64(time.Millisecond)
	}
	b.ReportMetric(ms(.5), "p50-ms")
	b.ReportMetric(ms(.99), "p99-ms")
	b.ReportMetric(float64(len(took)), "entries")
	b.ReportMetric(0, "ns/op")
}
