package status

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// filled gives a list on which some windows are full, some empty and some filled
// to a part, and the same as bits.
func filled(t testing.TB, size int64, parts []float64, seed uint64) (*List, []uint64) {
	t.Helper()
	l := &List{bits: make([]byte, (size+7)/8)}
	r := rand.New(rand.NewPCG(seed, 1))
	var all []uint64
	for i := range size {
		if p := parts[int(i/windowSize)%len(parts)]; p > 0 && (p >= 1 || r.Float64() < p) {
			if err := l.Set(i); err != nil {
				t.Fatal(err)
			}
			all = append(all, uint64(i))
		}
	}
	return l, all
}

var fillings = map[string][]float64{
	"empty":          {0},
	"full":           {1},
	"sparse":         {0.01},
	"very sparse":    {0.00002},
	"half":           {0.5},
	"nearly full":    {0.999},
	"as it is used":  {1, 1, 1, 0.4, 0, 0, 0, 0},
	"near the end":   {1, 1, 1, 0.9999, 0.0001, 0},
	"all but a few":  {0.99999},
	"one in sixteen": {0.0625},
}

// TestPlaces holds both codings against the bits, at every place.
func TestPlaces(t *testing.T) {
	for name, parts := range fillings {
		for _, size := range []int64{MinSize, MinSize * 3, MinSize*2 + 8, MinSize + 131064} {
			l, all := filled(t, size, parts, 1)
			file, err := l.Places()
			if err != nil {
				t.Fatal(err)
			}
			built, err := BuildPlaces(uint64(size), all)
			if err != nil || !slices.Equal(file, built) {
				t.Fatalf("%s, %d: two ways to one set give two files: %v", name, size, err)
			}
			p, rest, err := OpenPlaces(append(slices.Clone(file), "rest"...))
			if err != nil || string(rest) != "rest" || p.Len() != uint64(len(all)) || p.Universe() != uint64(size) || !slices.Equal(p.Bytes(), file) {
				t.Fatalf("%s, %d: %v", name, size, err)
			}
			if len(file)%8 != 0 || len(file) > int(size/8)+16+int(size/windowSize+8)+8 {
				t.Errorf("%s, %d: %d bytes", name, size, len(file))
			}
			step := int64(1)
			if size > MinSize {
				step = 13
			}
			for i := int64(0); i < size; i += step {
				want, err := l.Get(i)
				if err != nil {
					t.Fatal(err)
				}
				if got, err := p.Contains(uint64(i)); err != nil || got != want {
					t.Fatalf("%s, %d: place %d is %v, %v", name, size, i, got, err)
				}
			}
			if _, err := p.Contains(uint64(size)); !errors.Is(err, ErrRange) {
				t.Errorf("after the end: %v", err)
			}
			if !slices.Equal(slices.Collect(p.All()), all) {
				t.Errorf("%s, %d: not all members", name, size)
			}
		}
	}
}

// TestPlacesSizes: a window that is full costs nothing, one that fills up its bits
// at the most.
func TestPlacesSizes(t *testing.T) {
	for name, limit := range map[string]int{"full": 32, "empty": 64, "sparse": 12_000, "as it is used": 17_000, "near the end": 600} {
		l, _ := filled(t, 1<<20, fillings[name], 2)
		file, err := l.Places()
		if err != nil || len(file) > limit {
			t.Errorf("%s: %d bytes, limit %d, %v", name, len(file), limit, err)
		}
	}
}

// TestPlacesChange: from any set to any other, and from none.
func TestPlacesChange(t *testing.T) {
	type one struct {
		name string
		*Places
	}
	sets := []one{{"none", nil}}
	for name, parts := range fillings {
		for _, size := range []int64{MinSize, MinSize + 8200} {
			for seed := range uint64(2) {
				l, _ := filled(t, size, parts, seed)
				file, err := l.Places()
				if err != nil {
					t.Fatal(err)
				}
				p, _, err := OpenPlaces(file)
				if err != nil {
					t.Fatal(err)
				}
				sets = append(sets, one{name, p})
			}
		}
	}
	for i, a := range sets {
		for j := i % 23; j < len(sets); j += 23 { // some of the pairs
			b := sets[j]
			if b.Places == nil {
				continue
			}
			change, err := DiffPlaces(a.Places, b.Places)
			if a.Places != nil && b.universe < a.universe {
				if !errors.Is(err, ErrPacked) {
					t.Errorf("%s to %s: shrinks, %v", a.name, b.name, err)
				}
				continue
			}
			if err != nil {
				t.Fatalf("%s to %s: %v", a.name, b.name, err)
			}
			made, err := PatchPlaces(a.Places, change, MaxUniverse)
			if err != nil || !slices.Equal(made, b.Bytes()) {
				t.Fatalf("%s to %s: %v", a.name, b.name, err)
			}
			if _, err := PatchPlaces(a.Places, change, b.universe-1); !errors.Is(err, ErrPacked) {
				t.Errorf("more places than allowed: %v", err)
			}
			if len(change) > len(b.Bytes())+64 {
				t.Errorf("%s to %s: %d bytes for a set of %d", a.name, b.name, len(change), len(b.Bytes()))
			}
			for _, cut := range []int{0, 1, len(change) / 2, len(change) - 1} {
				if _, err := PatchPlaces(a.Places, change[:cut], MaxUniverse); !errors.Is(err, ErrPacked) {
					t.Errorf("%s to %s: cut off at %d: %v", a.name, b.name, cut, err)
				}
			}
			if _, err := PatchPlaces(a.Places, append(slices.Clone(change), 0), MaxUniverse); !errors.Is(err, ErrPacked) {
				t.Errorf("lengthened: %v", err)
			}
		}
	}
}

// TestPlacesRefuses: files that were not written here, a bit of them flipped. What
// still opens answers without a panic.
func TestPlacesRefuses(t *testing.T) {
	l, _ := filled(t, MinSize*3, []float64{1, 0.0001, 0.9999}, 3)
	file, err := l.Places()
	if err != nil {
		t.Fatal(err)
	}
	for i := range file {
		for bit := i % 4; bit < 8; bit += 4 {
			data := slices.Clone(file)
			data[i] ^= 1 << bit
			p, _, err := OpenPlaces(data)
			if err != nil {
				if !errors.Is(err, ErrSetFile) || p != nil {
					t.Fatal(err)
				}
				continue
			}
			for m := uint64(bit); m < p.Universe() && m < MinSize*4; m += 257 {
				if _, err := p.Contains(m); err != nil {
					t.Fatalf("byte %d: %v", i, err)
				}
			}
		}
		if p, _, err := OpenPlaces(file[:i]); !errors.Is(err, ErrSetFile) || p != nil {
			t.Fatalf("cut off at %d: %v", i, err)
		}
	}
	for name, bad := range map[string]struct {
		universe uint64
		members  []uint64
	}{
		"outside": {100, []uint64{100}}, "twice": {100, []uint64{3, 3}}, "backwards": {300_000, []uint64{200_000, 3}}, "too many places": {MaxUniverse + 1, nil},
	} {
		if _, err := BuildPlaces(bad.universe, bad.members); !errors.Is(err, ErrSetMembers) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzPlaces(f *testing.F) {
	for _, parts := range fillings {
		l, _ := filled(f, MinSize, parts, 1)
		file, err := l.Places()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(file, []byte{changeWindows, 0x80, 0x80, 8, stays})
	}
	f.Fuzz(func(t *testing.T, file, change []byte) {
		p, rest, err := OpenPlaces(file)
		if err != nil {
			return
		}
		if len(p.Bytes())+len(rest) != len(file) || p.Len() > p.Universe() {
			t.Fatal("lengths")
		}
		if p.Universe() <= 1<<18 {
			n := uint64(0)
			for m := range p.All() {
				_, err := p.Contains(m)
				if m < p.Universe() && err != nil {
					t.Fatalf("%d: %v", m, err)
				}
				n++
			}
			if n > p.Len() {
				t.Fatalf("%d members, it says %d", n, p.Len())
			}
		}
		if made, err := PatchPlaces(p, change, 1<<18); err == nil {
			if q, rest, err := OpenPlaces(made); err != nil || len(rest) != 0 || q.Universe() > 1<<18 {
				t.Fatal(err)
			}
		}
	})
}

// TestShortest: of the three ways to write a window's change the shortest is taken,
// also where fewer places do not make the shorter text.
func TestShortest(t *testing.T) {
	taken := map[byte]int{}
	hold := func(name string, before, after *scratch) {
		var went, come scratch
		for i := range after {
			went[i], come[i] = before[i]&^after[i], after[i]&^before[i]
		}
		w := windowChange{MinSize, &went, &come, after}
		got := w.shortest()
		want := slices.MinFunc([][]byte{
			append(append([]byte{changed}, packed(MinSize, went.members(MinSize, true))...), packed(MinSize, come.members(MinSize, true))...),
			append([]byte{members}, packed(MinSize, after.members(MinSize, true))...),
			append([]byte{others}, packed(MinSize, after.members(MinSize, false))...),
		}, func(a, b []byte) int { return len(a) - len(b) })
		if !slices.Equal(got, want) {
			t.Errorf("%s: way %d of %d bytes, way %d takes %d", name, got[0], len(got), want[0], len(want))
		}
		taken[got[0]]++
	}
	var windows []scratch
	for name, parts := range fillings {
		list, _ := filled(t, MinSize, []float64{parts[0] * 0.9}, uint64(len(name)))
		var s scratch
		for at := range list.Marked() {
			s.set(uint64(at))
		}
		windows = append(windows, s)
	}
	for i := range windows {
		for j := range windows {
			hold(fmt.Sprintf("%d to %d", i, j), &windows[i], &windows[j])
		}
		few := windows[i]
		few.set(77)
		few.clear(78)
		hold("a few", &windows[i], &few)
	}
	// A thousand that come all over the window, or a few more that lie side by side.
	var before, after scratch
	after.fill(MinSize)
	for at := range uint64(1050) {
		after.clear(at)
	}
	before = after
	for at := uint64(2000); at < MinSize; at += 129 {
		before.clear(at)
	}
	hold("side by side", &before, &after)
	if taken[changed] == 0 || taken[members] == 0 || taken[others] == 0 {
		t.Errorf("not each way was taken: %v", taken)
	}
}

// TestWithout holds what is missing against the members themselves, for all pairs
// of codings, and that two sets together lack nothing of either.
func TestWithout(t *testing.T) {
	open := func(file []byte, err error) *Places {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		p, _, err := OpenPlaces(file)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	type set struct {
		*Places
		all []uint64
	}
	sets := map[string]set{}
	for name, parts := range fillings {
		for _, size := range []int64{MinSize, MinSize*2 + 8} {
			l, all := filled(t, size, parts, uint64(size))
			sets[fmt.Sprintf("%s, %d", name, size)] = set{open(l.Places()), all}
		}
	}
	for a, p := range sets {
		for b, q := range sets {
			want := uint64(0)
			for _, m := range p.all {
				if in, err := q.Contains(m); err != nil || !in {
					want++
				}
			}
			if got := p.Without(q.Places); got != want {
				t.Errorf("%s without %s: %d, want %d", a, b, got, want)
			}
			both := open(JoinPlaces(p.Places, q.Places))
			if both.Universe() != max(p.Universe(), q.Universe()) || p.Without(both) != 0 || q.Without(both) != 0 || both.Len() != q.Len()+want {
				t.Errorf("%s with %s: %d of %d", a, b, both.Len(), both.Universe())
			}
		}
	}
	// A set out of order, in which a place may be missed, has nothing.
	file, err := BuildPlaces(MinSize, []uint64{100, 101, 102, 5000})
	if err != nil {
		t.Fatal(err)
	}
	p := open(file, nil)
	bad := slices.Clone(file)
	for i := setHeader; i < len(bad); i++ { // the low bits of the second and the third
		bad[i] = file[i]
	}
	low := uint64(p.set.low)
	put := func(i, v uint64) {
		for b := range low {
			at := i*low + b
			bad[setHeader+at/8] &^= 1 << (at % 8)
			bad[setHeader+at/8] |= byte(v>>b&1) << (at % 8)
		}
	}
	put(1, 102)
	put(2, 101)
	if q := open(bad, nil); p.Without(q) != p.Len() || p.Without(p) != 0 {
		t.Error("members out of order are believed")
	}
}

// BenchmarkWithout: what a post does with each list of a new bundle.
func BenchmarkWithout(b *testing.B) {
	for _, of := range []struct {
		name  string
		parts []float64
		size  int64
	}{{"1e6 of 1e8", []float64{0.01}, 100_000_000}, {"1e6 places, full of windows", []float64{0.95, 1, 0.5}, 1 << 20}, {"1e6 of 2e6", []float64{0.5}, 2 << 20}} {
		l, all := filled(b, of.size, of.parts, 1)
		before, err := l.Places()
		if err != nil {
			b.Fatal(err)
		}
		l.Set(4711)
		l.Set(4712)
		after, err := l.Places()
		if err != nil {
			b.Fatal(err)
		}
		p, _, _ := OpenPlaces(before)
		q, _, _ := OpenPlaces(after)
		b.Run(fmt.Sprintf("%s, %d members", of.name, len(all)), func(b *testing.B) {
			for b.Loop() {
				if p.Without(q) != 0 {
					b.Fatal("missing")
				}
			}
		})
	}
}
