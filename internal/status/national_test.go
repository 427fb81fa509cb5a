package status

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

// A nation of a hundred million credentials, in lists as an issuer keeps them.
const (
	nationPlaces = 100_000_000
	nationList   = 1 << 20
	nationMarked = nationPlaces / 100
)

// spread marks places of a nation's lists.
type spread struct {
	name string
	mark func(lists []*List, r *rand.Rand)
}

// spreads are how revoked places may lie: as the index permutation scatters them,
// and as an adversary, a mistake or a lost office would have them.
var spreads = []spread{
	{"scattered", func(lists []*List, r *rand.Rand) { scatter(lists, r, int(lengths(lists)/100)) }},
	{"runs", func(lists []*List, r *rand.Rand) { // of one to five thousand neighbours
		for n := int64(0); n < lengths(lists)/100; {
			l := lists[r.IntN(len(lists))]
			at := r.Int64N(l.Len())
			for range min(1+r.Int64N(5000), l.Len()-at) {
				_ = l.Set(at)
				at++
				n++
			}
		}
	}},
	{"one window of each list", func(lists []*List, r *rand.Rand) {
		for _, l := range lists {
			from := r.Int64N(l.Len()/windowSize) * windowSize
			for range l.Len() / 100 {
				_ = l.Set(from + r.Int64N(windowSize))
			}
		}
	}},
	{"one list", func(lists []*List, _ *rand.Rand) { each(lists[7], 1) }},
	{"ends of windows", func(lists []*List, _ *rand.Rand) {
		for _, l := range lists {
			for at := int64(0); at < l.Len(); at += windowSize {
				_, _ = l.Set(at), l.Set(min(at+windowSize, l.Len())-1)
			}
		}
	}},
	{"every second", func(lists []*List, _ *rand.Rand) {
		for _, l := range lists {
			each(l, 2)
		}
	}},
	{"all but few", func(lists []*List, r *rand.Rand) {
		for _, l := range lists {
			each(l, 1)
			for range 100 {
				_ = l.Clear(r.Int64N(l.Len()))
			}
		}
	}},
	{"none", func([]*List, *rand.Rand) {}},
	{"all", func(lists []*List, _ *rand.Rand) {
		for _, l := range lists {
			each(l, 1)
		}
	}},
}

// lengths gives the places of all lists.
func lengths(lists []*List) (n int64) {
	for _, l := range lists {
		n += l.Len()
	}
	return n
}

// each sets one place of so many.
func each(l *List, every int64) {
	for at := int64(0); at < l.Len(); at += every {
		_ = l.Set(at)
	}
}

// scatter sets so many more places by chance.
func scatter(lists []*List, r *rand.Rand, count int) {
	all := lengths(lists)
	for count > 0 {
		at := r.Int64N(all)
		l := lists[at/nationList]
		if set, _ := l.Get(at % nationList); !set {
			_ = l.Set(at % nationList)
			count--
		}
	}
}

// newNation makes the lists of so many places, of which the last may be shorter.
func newNation(t testing.TB, places int64, s spread) []*List {
	t.Helper()
	var lists []*List
	for places > 0 {
		l, err := New(max(min(places, nationList), MinSize))
		if err != nil {
			t.Fatal(err)
		}
		lists = append(lists, l)
		places -= nationList
	}
	s.mark(lists, rand.New(rand.NewPCG(1, 2)))
	return lists
}

// setsOf builds and opens the set of each list.
func setsOf(t testing.TB, lists []*List) (sets []*Places, size int) {
	t.Helper()
	for _, l := range lists {
		file, err := l.Places()
		if err != nil {
			t.Fatal(err)
		}
		p, rest, err := OpenPlaces(file)
		if err != nil || len(rest) > 0 {
			t.Fatal(err)
		}
		sets, size = append(sets, p), size+len(file)
	}
	return sets, size
}

// entropy gives log2 of the number of sets of n out of u places, in bytes: what no
// coding that suits them all can do without.
func entropy(u, n int64) float64 {
	log := func(x int64) float64 { l, _ := math.Lgamma(float64(x) + 1); return l }
	return (log(u) - log(n) - log(u-n)) / math.Ln2 / 8
}

// same compares one place of a list with its set.
func same(l *List, p *Places, at int64) error {
	want := l.bits[at>>3]&(0x80>>(at&7)) != 0
	if got, err := p.Contains(uint64(at)); err != nil || got != want {
		return fmt.Errorf("place %d is %v, the set says %v, %v", at, want, got, err)
	}
	return nil
}

// TestNationalSample: the sets of a hundred million places answer as the bits do, at
// each marked place and at its neighbours, at the ends of every window and list, and
// at places by chance. BenchmarkNational asks for every place.
func TestNationalSample(t *testing.T) {
	for i, s := range spreads {
		places := int64(nationPlaces)
		if i > 0 {
			places = 8*nationList + MinSize + 8 // the crowded ones have very many marks
		}
		lists := newNation(t, places, s)
		sets, _ := setsOf(t, lists)
		r := rand.New(rand.NewPCG(3, 4))
		asked := 0
		for k, l := range lists {
			ask := func(at int64) {
				if at < 0 || at >= l.Len() {
					return
				}
				asked++
				if err := same(l, sets[k], at); err != nil {
					t.Fatalf("%s, list %d: %v", s.name, k, err)
				}
			}
			if i == 0 {
				for at := range l.Marked() {
					ask(at - 1)
					ask(at)
					ask(at + 1)
				}
			}
			for at := int64(0); at <= l.Len(); at += windowSize / 2 {
				ask(at - 1)
				ask(at)
			}
			ask(l.Len() - 1)
			for range 2000 {
				ask(r.Int64N(l.Len()))
			}
			if sets[k].Len() != uint64(l.Count()) {
				t.Fatalf("%s, list %d: %d members, %d are set", s.name, k, sets[k].Len(), l.Count())
			}
			if _, err := sets[k].Contains(uint64(l.Len())); err == nil {
				t.Fatalf("%s, list %d: an answer after the end", s.name, k)
			}
		}
		if i == 0 && asked < 3*nationMarked {
			t.Errorf("only %d places were asked for", asked)
		}
	}
}

// scattered100M is the nation that most benchmarks ask.
var scattered100M = sync.OnceValue(func() []*List { return newNation(&testing.B{}, nationPlaces, spreads[0]) })

// packed9 gives the bits of each list as gzip at its best, from the standard library.
func packed9(b *testing.B, lists []*List) (packed [][]byte, size int) {
	b.Helper()
	for _, l := range lists {
		var out bytes.Buffer
		w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := w.Write(l.bits); err != nil {
			b.Fatal(err)
		}
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
		packed, size = append(packed, out.Bytes()), size+out.Len()
	}
	return packed, size
}

// transfer gives the sets as they travel to somebody who has none.
func transfer(b *testing.B, sets []*Places) (changes [][]byte, size int) {
	b.Helper()
	for _, p := range sets {
		c, err := DiffPlaces(nil, p)
		if err != nil {
			b.Fatal(err)
		}
		changes, size = append(changes, c), size+len(c)
	}
	return changes, size
}

// BenchmarkNational is a hundred million credentials of which one in a hundred is
// revoked: building, size, lookup and a day's change of the exact sets, beside gzip of
// the bitstrings and the entropy bound. all-places fails unless the sets answer as the
// bitstrings do at every one of the hundred million, for every spread.
func BenchmarkNational(b *testing.B) {
	lists := scattered100M()
	b.Run("build/sets", func(b *testing.B) {
		size := 0
		for b.Loop() {
			size = 0
			for _, l := range lists {
				file, err := l.Places()
				if err != nil {
					b.Fatal(err)
				}
				size += len(file)
			}
		}
		sizes(b, lists, size)
	})
	var packed [][]byte
	b.Run("build/gzip-9", func(b *testing.B) {
		size := 0
		for b.Loop() {
			packed, size = packed9(b, lists)
		}
		sizes(b, lists, size)
	})
	b.Run("build/as-published", func(b *testing.B) { // without base64
		size := 0
		for b.Loop() {
			size = 0
			for _, l := range lists {
				text, err := l.Encode()
				if err != nil {
					b.Fatal(err)
				}
				size += b64.DecodedLen(len(text) - len(multibase))
			}
		}
		sizes(b, lists, size)
	})
	sets, _ := setsOf(b, lists)
	b.Run("build/transfer", func(b *testing.B) {
		size := 0
		for b.Loop() {
			_, size = transfer(b, sets)
		}
		sizes(b, lists, size)
	})
	b.Run("open", func(b *testing.B) {
		if packed == nil { // not asked for
			packed, _ = packed9(b, lists)
		}
		nationalOpen(b, packed, sets)
	})
	b.Run("lookup", func(b *testing.B) { nationalLookup(b, lists, sets) })
	b.Run("day", func(b *testing.B) { nationalDay(b, lists, sets) })
	b.Run("all-places", func(b *testing.B) {
		for _, s := range spreads {
			b.Run(s.name, func(b *testing.B) { nationalEqual(b, s) })
		}
	})
}

// sizes reports what was built beside what cannot be avoided.
func sizes(b *testing.B, lists []*List, size int) {
	n := int64(0)
	for _, l := range lists {
		n += l.Count()
	}
	bound := entropy(nationPlaces, n)
	b.ReportMetric(float64(size), "B")
	b.ReportMetric(bound, "bound-B")
	if n > 0 {
		b.ReportMetric(float64(size)*8/float64(n), "bits/member")
	}
}

// nationalOpen is what stands before the first answer.
func nationalOpen(b *testing.B, packed [][]byte, sets []*Places) {
	b.Run("sets", func(b *testing.B) {
		for b.Loop() {
			for _, p := range sets {
				if _, _, err := OpenPlaces(p.Bytes()); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	b.Run("gunzip", func(b *testing.B) {
		for b.Loop() {
			for _, p := range packed {
				if _, err := gunzip(p, nationList/8); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	changes, _ := transfer(b, sets)
	b.Run("from-transfer", func(b *testing.B) {
		for b.Loop() {
			for i, c := range changes {
				if file, err := PatchPlaces(nil, c, nationList); err != nil || !bytes.Equal(file, sets[i].Bytes()) {
					b.Fatal("another set", err)
				}
			}
		}
	})
}

// nationalLookup asks at random, half of the time for a revoked place.
func nationalLookup(b *testing.B, lists []*List, sets []*Places) {
	r := rand.New(rand.NewPCG(5, 6))
	ask := make([]int64, 1<<16)
	for i := range ask {
		ask[i] = r.Int64N(nationPlaces)
		for i%2 == 0 {
			if set, _ := lists[ask[i]/nationList].Get(ask[i] % nationList); set {
				break
			}
			ask[i] = r.Int64N(nationPlaces)
		}
	}
	found := 0
	b.Run("sets", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			at := ask[i&(1<<16-1)]
			if in, err := sets[at/nationList].Contains(uint64(at % nationList)); err != nil || in {
				found++
			}
		}
	})
	b.Run("unpacked-bits", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			at := ask[i&(1<<16-1)]
			if in, err := lists[at/nationList].Get(at % nationList); err != nil || in {
				found++
			}
		}
	})
	if found == 0 {
		b.Fatal("nothing was found")
	}
}

// nationalDay is the change of a day in which 2,740 are revoked; beside it the lists
// that changed, compressed once more.
func nationalDay(b *testing.B, lists []*List, sets []*Places) {
	var later []*List
	for _, l := range lists {
		later = append(later, &List{bits: bytes.Clone(l.bits)})
	}
	scatter(later, rand.New(rand.NewPCG(7, 8)), 2740)
	after, _ := setsOf(b, later)
	changes, size := make([][]byte, len(sets)), 0
	b.Run("diff", func(b *testing.B) {
		for b.Loop() {
			size = 0
			for i := range sets {
				var err error
				if changes[i], err = DiffPlaces(sets[i], after[i]); err != nil {
					b.Fatal(err)
				}
				size += len(changes[i])
			}
		}
		b.ReportMetric(float64(size), "B")
		b.ReportMetric(entropy(nationPlaces-nationMarked, 2740), "bound-B")
	})
	b.Run("apply", func(b *testing.B) {
		for b.Loop() {
			for i := range sets {
				if made, err := PatchPlaces(sets[i], changes[i], nationList); err != nil || !bytes.Equal(made, after[i].Bytes()) {
					b.Fatal("another set", err)
				}
			}
		}
	})
	b.Run("gzip-9-again", func(b *testing.B) {
		var changed []*List
		for i := range lists {
			if !bytes.Equal(lists[i].bits, later[i].bits) {
				changed = append(changed, later[i])
			}
		}
		size := 0
		for b.Loop() {
			_, size = packed9(b, changed)
		}
		b.ReportMetric(float64(size), "B")
	})
}

// nationalEqual compares the sets with the bits that come out of gzip, at every place.
func nationalEqual(b *testing.B, s spread) {
	lists := newNation(b, nationPlaces, s)
	sets, size := setsOf(b, lists)
	packed, zipped := packed9(b, lists)
	var compared atomic.Int64
	for b.Loop() {
		compared.Store(0)
		var g sync.WaitGroup
		next := atomic.Int64{}
		for range runtime.GOMAXPROCS(0) {
			g.Go(func() {
				for i := next.Add(1) - 1; i < int64(len(lists)); i = next.Add(1) - 1 {
					compared.Add(compareAll(b, packed[i], sets[i]))
				}
			})
		}
		g.Wait()
	}
	if compared.Load() < nationPlaces {
		b.Fatalf("only %d places were compared", compared.Load())
	}
	sizes(b, lists, size)
	b.ReportMetric(float64(zipped), "gzip-B")
	b.ReportMetric(float64(compared.Load()), "places")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(compared.Load()), "ns/place")
}

func compareAll(b *testing.B, packed []byte, p *Places) int64 {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		b.Error(err)
		return 0
	}
	bits, err := io.ReadAll(z)
	if err != nil {
		b.Error(err)
		return 0
	}
	l := &List{bits: bits}
	for at := range l.Len() {
		if err := same(l, p, at); err != nil {
			b.Error(err)
			return 0
		}
	}
	return l.Len()
}

// A spread that marks nothing would compare nothing with nothing.
func TestSpreads(t *testing.T) {
	for _, s := range spreads {
		n := int64(0)
		lists := newNation(t, 9*nationList, s)
		for _, l := range lists {
			n += l.Count()
		}
		if all := int64(9 * nationList); (n == 0) != (s.name == "none") || (n == all) != (s.name == "all") {
			t.Errorf("%s: %d of %d", s.name, n, all)
		}
	}
	if b := entropy(nationPlaces, nationMarked); math.Abs(b-1_009_900) > 1000 {
		t.Errorf("the bound is %.0f bytes", b)
	}
	l, p := &List{bits: make([]byte, MinSize/8)}, &Places{universe: MinSize, windows: []window{{kind: windowAll}}}
	if same(l, p, 0) == nil {
		t.Error("two that differ are the same")
	}
	binary.BigEndian.PutUint64(l.bits, math.MaxUint64)
	if err := same(l, p, 63); err != nil {
		t.Error(err)
	}
}
