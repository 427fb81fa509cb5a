package status

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
)

// sample gives n increasing places below universe, the same for one seed.
func sample(universe uint64, n int, seed uint64) []uint64 {
	r := rand.New(rand.NewPCG(seed, 1))
	seen := make(map[uint64]bool, n)
	out := make([]uint64, 0, n)
	for len(out) < n {
		if x := r.Uint64N(universe); !seen[x] {
			seen[x] = true
			out = append(out, x)
		}
	}
	slices.Sort(out)
	return out
}

// scattered gives places that are each in the set by chance, one in a hundred,
// the same for one seed: a million of them faster than sample does.
func scattered(universe uint64, seed uint64) []uint64 {
	r := rand.New(rand.NewPCG(seed, 1))
	out := make([]uint64, 0, universe/95)
	for x := uint64(r.ExpFloat64() * 99.5); x < universe; x += 1 + uint64(r.ExpFloat64()*99.5) {
		out = append(out, x)
	}
	return out
}

func mustSet(t testing.TB, universe uint64, members []uint64) *Set {
	t.Helper()
	file, err := BuildSet(universe, members)
	if err != nil {
		t.Fatal(err)
	}
	s, err := OpenSet(file)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// shapes are sets of every kind: none, all, one, crowds at one place, sparse.
func shapes() map[string]struct {
	universe uint64
	members  []uint64
} {
	all := make([]uint64, 5000)
	crowd := make([]uint64, 3000)
	for i := range all {
		all[i] = uint64(i)
	}
	for i := range crowd {
		crowd[i] = 1<<39 + uint64(i)
	}
	type s = struct {
		universe uint64
		members  []uint64
	}
	return map[string]s{
		"nowhere":  {0, nil},
		"none":     {1 << 20, nil},
		"one":      {1, []uint64{0}},
		"first":    {1 << 20, []uint64{0}},
		"last":     {1 << 20, []uint64{1<<20 - 1}},
		"all":      {5000, all},
		"but one":  {5000, append(slices.Clone(all[:77]), all[78:]...)},
		"half":     {10000, sample(10000, 5000, 2)},
		"crowd":    {MaxUniverse, crowd},
		"far":      {MaxUniverse, sample(MaxUniverse, 700, 3)},
		"hundreth": {1 << 20, sample(1<<20, 10486, 4)},
		"ends":     {1 << 40, []uint64{0, 1<<40 - 1}},
	}
}

func TestSets(t *testing.T) {
	for name, c := range shapes() {
		s := mustSet(t, c.universe, c.members)
		if s.Len() != uint64(len(c.members)) || s.Universe() != c.universe {
			t.Errorf("%s: %d of %d", name, s.Len(), s.Universe())
		}
		if got := slices.Collect(s.All()); !slices.Equal(got, c.members) {
			t.Errorf("%s: the members differ", name)
		}
		in := map[uint64]bool{}
		ask := sample(max(c.universe, 3000), 2000, 9)
		for _, m := range c.members {
			in[m] = true
			ask = append(ask, m, m+1, m-1)
		}
		for _, x := range ask {
			got, err := s.Contains(x)
			if x >= c.universe {
				if !errors.Is(err, ErrRange) || got {
					t.Fatalf("%s: place %d of %d: %v %v", name, x, c.universe, got, err)
				}
			} else if err != nil || got != in[x] {
				t.Fatalf("%s: place %d: %v, want %v (%v)", name, x, got, in[x], err)
			}
		}
		packed := s.Pack()
		file, err := Unpack(packed, uint64(len(c.members)))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if again := mustOpen(t, file); !slices.Equal(slices.Collect(again.All()), c.members) || again.Universe() != c.universe {
			t.Errorf("%s: packing changed it", name)
		}
		if len(c.members) > 0 {
			if _, err := Unpack(packed, uint64(len(c.members))-1); !errors.Is(err, ErrPacked) {
				t.Errorf("%s: more members than allowed: %v", name, err)
			}
		}
		for _, bad := range [][]byte{append(slices.Clone(packed), 0), packed[:len(packed)-1]} {
			if _, err := Unpack(bad, 1<<20); !errors.Is(err, ErrPacked) {
				t.Errorf("%s: a packed set of another length was read: %v", name, err)
			}
		}
	}
}

func mustOpen(t testing.TB, file []byte) *Set {
	t.Helper()
	s, err := OpenSet(file)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSetMembersAreChecked(t *testing.T) {
	for _, c := range []struct {
		universe uint64
		members  []uint64
	}{{10, []uint64{10}}, {10, []uint64{3, 3}}, {10, []uint64{4, 3}}, {0, []uint64{0}}, {MaxUniverse + 1, nil}, {1, []uint64{0, 1}}} {
		if _, err := BuildSet(c.universe, c.members); !errors.Is(err, ErrSetMembers) {
			t.Errorf("%v: %v", c, err)
		}
	}
}

// TestSetFileIsChecked: a file with any byte changed, any length cut, or made to
// look whole by a new checksum but with places that lie, is refused.
func TestSetFileIsChecked(t *testing.T) {
	file, err := BuildSet(1<<20, sample(1<<20, 500, 5))
	if err != nil {
		t.Fatal(err)
	}
	for i := range file {
		bad := slices.Clone(file)
		bad[i] ^= 0x10
		if _, err := OpenSet(bad); !errors.Is(err, ErrSetFile) {
			t.Fatalf("byte %d: %v", i, err)
		}
		if _, err := OpenSet(file[:i]); !errors.Is(err, ErrSetFile) {
			t.Fatalf("cut at %d: %v", i, err)
		}
	}
	sign := func(b []byte) []byte {
		sum := sha256.Sum256(b[:len(b)-32])
		copy(b[len(b)-32:], sum[:])
		return b
	}
	if _, err := OpenSet(sign(slices.Clone(file))); err != nil {
		t.Fatal(err)
	}
	_, lows, highs, marks := shape(1<<20, 500)
	for name, at := range map[string]uint64{"mark": setHeader + lows + highs, "last mark": setHeader + lows + highs + marks - 8, "high bits": setHeader + lows + 3} {
		bad := slices.Clone(file)
		bad[at] ^= 1
		if _, err := OpenSet(sign(bad)); !errors.Is(err, ErrSetFile) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, change := range map[string]func([]byte){
		"version": func(b []byte) { b[4] = 2 }, "reserved": func(b []byte) { b[7] = 1 }, "low": func(b []byte) { b[6]++ },
		"universe": func(b []byte) { binary.LittleEndian.PutUint64(b[8:], 1<<63) }, "members": func(b []byte) { binary.LittleEndian.PutUint64(b[16:], 1<<40) },
	} {
		bad := slices.Clone(file)
		change(bad)
		if _, err := OpenSet(sign(bad)); !errors.Is(err, ErrSetFile) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestChanges(t *testing.T) {
	before := sample(1<<20, 4000, 6)
	after := slices.Clone(before[100:])
	for _, m := range sample(1<<21, 300, 7) {
		if i, found := slices.BinarySearch(after, m); !found {
			after = slices.Insert(after, i, m)
		}
	}
	a, b := mustSet(t, 1<<20, before), mustSet(t, 1<<21, after)
	change, err := Diff(a, b)
	if err != nil {
		t.Fatal(err)
	}
	file, err := a.Patch(change, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	want, err := BuildSet(1<<21, after)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(file, want) {
		t.Error("the change made another set")
	}
	if none, err := Diff(b, b); err != nil || len(none) > 14 {
		t.Errorf("no change takes %d bytes (%v)", len(none), err)
	}
	if _, err := Diff(b, a); !errors.Is(err, ErrPacked) {
		t.Errorf("a shrinking universe: %v", err)
	}
	// To another set, twice, cut, lengthened, or more than is allowed.
	if _, err := b.Patch(change, 1<<20); !errors.Is(err, ErrPacked) {
		t.Errorf("another set: %v", err)
	}
	if _, err := mustSet(t, 1<<20, before[1:]).Patch(change, 1<<20); !errors.Is(err, ErrPacked) {
		t.Errorf("what goes is not there: %v", err)
	}
	more, err := Diff(mustSet(t, 1<<20, nil), mustSet(t, 1<<20, before[:1]))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Patch(more, 1<<20); !errors.Is(err, ErrPacked) {
		t.Errorf("what comes is there: %v", err)
	}
	for _, bad := range [][]byte{change[:len(change)-1], append(slices.Clone(change), 0), nil} {
		if _, err := a.Patch(bad, 1<<20); !errors.Is(err, ErrPacked) {
			t.Errorf("%d bytes: %v", len(bad), err)
		}
	}
	if _, err := a.Patch(change, 4000); !errors.Is(err, ErrPacked) {
		t.Errorf("too many members: %v", err)
	}
}

// TestSetSizes: what a nation's set takes, to keep and to send.
func TestSetSizes(t *testing.T) {
	const places = 100_000_000
	members := scattered(places, 8)
	file, err := BuildSet(places, members)
	if err != nil {
		t.Fatal(err)
	}
	if len(file) > 1_200_000 {
		t.Errorf("the file has %d bytes", len(file))
	}
	s := mustOpen(t, file)
	if n := len(s.Pack()); n > 1_030_000 {
		t.Errorf("packed it has %d bytes", n)
	}
	// A day's changes at one in a hundred a year.
	day := slices.DeleteFunc(slices.Clone(members), func(m uint64) bool { return m%100_000 < 36 && m%7 == 0 })
	gone := len(members) - len(day)
	day = append(day, sample(places, 2740-gone, 10)...)
	slices.Sort(day)
	day = slices.Compact(day)
	change, err := Diff(s, mustSet(t, places, day))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("100 M places, %d members: file %d bytes, packed %d; a day's changes %d", len(members), len(file), len(s.Pack()), len(change))
	if len(change) > 6_500 {
		t.Errorf("a day's changes take %d bytes", len(change))
	}
}

func FuzzUnpack(f *testing.F) {
	for _, c := range shapes() {
		s := mustSet(f, c.universe, c.members)
		f.Add(s.Pack())
	}
	f.Fuzz(func(t *testing.T, packed []byte) {
		file, err := Unpack(packed, 1<<16)
		if err != nil {
			return
		}
		// There is one packed form.
		if !bytes.Equal(mustOpen(t, file).Pack(), packed) {
			t.Error("read, but not as it is written")
		}
	})
}

func FuzzPatch(f *testing.F) {
	a, b := mustSet(f, 1000, sample(1000, 50, 1)), mustSet(f, 2000, sample(2000, 60, 2))
	change, err := Diff(a, b)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(change)
	f.Fuzz(func(t *testing.T, change []byte) {
		file, err := a.Patch(change, 1<<16)
		if err != nil {
			return
		}
		again, err := Diff(a, mustOpen(t, file))
		if err != nil || !bytes.Equal(again, change) {
			t.Error("read, but not as it is written")
		}
	})
}

func FuzzOpenSet(f *testing.F) {
	for _, c := range shapes() {
		file, err := BuildSet(c.universe, c.members)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(file[:len(file)-sha256.Size], uint64(7))
	}
	f.Fuzz(func(t *testing.T, body []byte, x uint64) {
		sum := sha256.Sum256(body)
		s, err := OpenSet(append(slices.Clone(body), sum[:]...))
		if err != nil {
			return
		}
		// Whatever it holds, asking it breaks nothing.
		n := uint64(0)
		for m := range s.All() {
			if m >= s.Universe() {
				t.Fatal("a member beyond the places")
			}
			n++
		}
		if n != s.Len() {
			t.Fatal("members are lost")
		}
		for range 10 {
			_, _ = s.Contains(x % max(s.Universe(), 1))
			x = x*6364136223846793005 + 1442695040888963407
		}
	})
}

// BenchmarkContains asks sets of a nation's size, beside a bit for each place and
// beside a sorted slice.
func BenchmarkContains(b *testing.B) {
	const places = 100_000_000
	members := scattered(places, 8)
	s := mustSet(b, places, members)
	plain := make([]byte, places/8)
	for _, m := range members {
		plain[m/8] |= 1 << (m % 8)
	}
	ask := make([]uint64, 1<<16)
	r := rand.New(rand.NewPCG(11, 1))
	for i := range ask {
		ask[i] = r.Uint64N(places)
		if i%2 == 0 {
			ask[i] = members[r.IntN(len(members))]
		}
	}
	found := 0
	b.Run("set", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if in, err := s.Contains(ask[i&(1<<16-1)]); err != nil || in {
				found++
			}
		}
	})
	b.Run("sorted slice", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			if _, in := slices.BinarySearch(members, ask[i&(1<<16-1)]); in {
				found++
			}
		}
	})
	b.Run("12.5 MB of bits", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			if x := ask[i&(1<<16-1)]; plain[x/8]>>(x%8)&1 == 1 {
				found++
			}
		}
	})
	if found == 0 {
		b.Fatal("nothing was found")
	}
}

// BenchmarkOpenSet opens ten million members, as a post does when it starts.
func BenchmarkOpenSet(b *testing.B) {
	file, err := BuildSet(1_000_000_000, scattered(1_000_000_000, 12))
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(file)))
	for b.Loop() {
		if _, err := OpenSet(file); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBuildSet makes the file of a million members.
func BenchmarkBuildSet(b *testing.B) {
	members := scattered(100_000_000, 13)
	for b.Loop() {
		if _, err := BuildSet(100_000_000, members); err != nil {
			b.Fatal(err)
		}
	}
}
