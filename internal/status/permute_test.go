package status

import (
	"errors"
	"math"
	"testing"
)

func TestPermuteIsABijection(t *testing.T) {
	key := [32]byte{1, 2, 3}
	for _, size := range []int64{1, 2, 3, 4, 5, 7, 8, 9, 255, 256, 257, 1000, MinSize, MinSize + 1} {
		seen := make([]bool, size)
		for c := range size {
			x, err := Permute(key, 1, c, size)
			if err != nil || x < 0 || x >= size {
				t.Fatalf("size %d, counter %d: %d, %v", size, c, x, err)
			}
			if seen[x] {
				t.Fatalf("size %d: index %d came twice", size, x)
			}
			seen[x] = true
		}
	}
}

func TestPermuteNeverRepeatsInAWholeList(t *testing.T) {
	if testing.Short() {
		t.Skip("a million ciphers")
	}
	const size = 1 << 20
	seen := make([]bool, size)
	for c := range int64(size) {
		x, err := Permute([32]byte{9}, 77, c, size)
		if err != nil || seen[x] {
			t.Fatalf("counter %d: %v", c, err)
		}
		seen[x] = true
	}
}

func TestPermuteRange(t *testing.T) {
	for _, c := range []struct{ counter, size int64 }{
		{-1, 8}, {8, 8}, {9, 8}, {0, 0}, {0, -1}, {0, MaxSize + 1}, {math.MinInt64, MinSize}, {math.MaxInt64, MinSize}, {MinSize, MinSize},
	} {
		if x, err := Permute([32]byte{}, 0, c.counter, c.size); !errors.Is(err, ErrRange) || x != 0 {
			t.Errorf("%+v: %d, %v", c, x, err)
		}
	}
	if x, err := Permute([32]byte{}, 0, MaxSize-1, MaxSize); err != nil || x < 0 || x >= MaxSize {
		t.Errorf("the largest list: %d, %v", x, err)
	}
}

// An index must not tell the order of issuing: consecutive counters land
// evenly over the list, in no order, and differently for each key and list.
func TestPermuteLooksRandom(t *testing.T) {
	const size, n, bins = 1 << 20, 20000, 64
	run := func(key [32]byte, list int64) []int64 {
		out := make([]int64, n)
		for c := range out {
			x, err := Permute(key, list, int64(c), size)
			if err != nil {
				t.Fatal(err)
			}
			out[c] = x
		}
		return out
	}
	a := run([32]byte{1}, 1)
	again := run([32]byte{1}, 1)
	var count [bins]int
	up, same := 0, 0
	var sx, sy, sxx, syy, sxy float64
	for c, x := range a {
		if x != again[c] {
			t.Fatal("the same counter gave two indexes")
		}
		count[x*bins/size]++
		if c > 0 && x > a[c-1] {
			up++
		}
		if x == int64(c) {
			same++
		}
		fx, fy := float64(c), float64(x)
		sx, sy, sxx, syy, sxy = sx+fx, sy+fy, sxx+fx*fx, syy+fy*fy, sxy+fx*fy
	}
	chi := 0.0
	for _, k := range count {
		d := float64(k) - n/bins
		chi += d * d / (n / bins)
	}
	// 63 degrees of freedom: mean 63, deviation 11.2; beyond 6 deviations is
	// not chance. The input is fixed, so the outcome is too.
	if chi > 130 || chi < 20 {
		t.Errorf("chi square %.1f", chi)
	}
	if up < n/2-500 || up > n/2+500 {
		t.Errorf("%d of %d steps go up", up, n)
	}
	if same > 5 {
		t.Errorf("%d counters are their own index", same)
	}
	r := (n*sxy - sx*sy) / math.Sqrt((n*sxx-sx*sx)*(n*syy-sy*sy))
	if math.Abs(r) > 0.04 {
		t.Errorf("index and counter correlate: %.3f", r)
	}
	for name, b := range map[string][]int64{"key": run([32]byte{2}, 1), "list": run([32]byte{1}, 2), "last byte of the key": run([32]byte{0: 1, 31: 1}, 1)} {
		equal := 0
		for c := range a {
			if a[c] == b[c] {
				equal++
			}
		}
		if equal > 5 {
			t.Errorf("another %s gives the same index %d times", name, equal)
		}
	}
}

func BenchmarkPermute(b *testing.B) {
	c := int64(0)
	for b.Loop() {
		if _, err := Permute([32]byte{5}, 3, c&(1<<20-1), 1<<20); err != nil {
			b.Fatal(err)
		}
		c++
	}
}
