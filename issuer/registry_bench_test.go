package issuer

import (
	"bytes"
	"compress/gzip"
	"context"
	"sync/atomic"
	"testing"

	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/status"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/internal/vc"
)

// tenLists are ten lists of 2^20 places of which one in a hundred is set, as the
// index permutation scatters them.
func tenLists(b *testing.B) []*status.List {
	b.Helper()
	var out []*status.List
	for n := range int64(10) {
		l, err := status.New(1 << 20)
		if err != nil {
			b.Fatal(err)
		}
		x := &lease{list: n, size: 1 << 20, span: window}
		for c := range int64(1 << 20) {
			if c%100 != 0 {
				continue
			}
			index, err := indexOf([32]byte{7}, x, c)
			if err != nil {
				b.Fatal(err)
			}
			if err := l.Set(index); err != nil {
				b.Fatal(err)
			}
		}
		out = append(out, l)
	}
	return out
}

// BenchmarkSlot10M compresses and signs the lists of ten million places, what a
// slot costs for one purpose where every one of them changed.
func BenchmarkSlot10M(b *testing.B) {
	d := openDeskWith(b, Config{DB: storetest.Open(b, store.SQLite, "issuer"), Ring: newRing(b, keys.EdDSA)})
	lists := tenLists(b)
	key, err := d.signer(RoleRegistrar)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		for n, l := range lists {
			url := d.listURL(vc.PurposeRevocation, int64(n))
			if _, err := d.signBits(l, bitList{url: url, about: url, purpose: vc.PurposeRevocation, at: deskTime}, key); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkSlot10MStandardGzip is the baseline of BenchmarkSlot10M: compress/gzip
// at its default level, and no signature.
func BenchmarkSlot10MStandardGzip(b *testing.B) {
	lists := tenLists(b)
	raw := make([][]byte, len(lists))
	for n, l := range lists {
		raw[n] = make([]byte, l.Len()/8)
		for i := range l.Len() {
			if set, _ := l.Get(i); set {
				raw[n][i/8] |= 0x80 >> (i % 8)
			}
		}
	}
	for b.Loop() {
		for _, r := range raw {
			var out bytes.Buffer
			z := gzip.NewWriter(&out)
			if _, err := z.Write(r); err != nil {
				b.Fatal(err)
			}
			if err := z.Close(); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkTakePlaces is two replicas of 32 requests each that take places of one
// list from one database; BenchmarkTakePlacesAlone is one of them by itself.
func BenchmarkTakePlaces(b *testing.B)      { takePlaces(b, 2) }
func BenchmarkTakePlacesAlone(b *testing.B) { takePlaces(b, 1) }

func takePlaces(b *testing.B, replicas int) {
	for _, engine := range []string{store.SQLite, store.Postgres} {
		b.Run(engine, func(b *testing.B) {
			url := storetest.URL(b, engine, "issuer")
			ring := newRing(b, keys.EdDSA)
			var desks []*desk
			for range replicas {
				desks = append(desks, openDeskWith(b, Config{DB: storetest.Reopen(b, url, "issuer"), Ring: ring}))
			}
			var turn atomic.Int64
			b.SetParallelism(32)
			b.RunParallel(func(pb *testing.PB) {
				d := desks[int(turn.Add(1))%replicas]
				for pb.Next() {
					if _, err := d.store.lists.take(context.Background(), listName{vc.TypeBirth, "2027Q1"}); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}
