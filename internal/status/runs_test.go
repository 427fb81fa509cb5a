package status

import (
	"bytes"
	"compress/gzip"
	"io"
	"math/rand/v2"
	"testing"
)

// unpackStandard unpacks with the standard library, to the end of the text.
func unpackStandard(t *testing.T, packed []byte) []byte {
	t.Helper()
	in := bytes.NewReader(packed)
	r, err := gzip.NewReader(in)
	if err != nil {
		t.Fatal(err)
	}
	r.Multistream(false)
	out, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if in.Len() != 0 {
		t.Fatalf("%d bytes after the end", in.Len())
	}
	return out
}

// TestRuns: lists of every density, and with runs of every length, come back as
// they were, and none is larger than another compressor makes it, or by little.
func TestRuns(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for name, x := range map[string]struct {
		fill  func(list []byte)
		runs  bool    // it is made of them
		times float64 // as large as by the library, at most
	}{
		"empty":         {func([]byte) {}, true, 1},
		"full":          {func(l []byte) { set(l, 0, len(l), 0xff) }, true, 1},
		"one":           {func(l []byte) { l[len(l)/2] = 4 }, true, 1},
		"first":         {func(l []byte) { l[0] = 0x80 }, true, 1},
		"last":          {func(l []byte) { l[len(l)-1] = 1 }, true, 1},
		"windows full":  {func(l []byte) { set(l, 0, len(l)/2, 0xff) }, true, 1},
		"1 in 10,000":   {func(l []byte) { sprinkle(r, l, 10_000) }, true, 1.05},
		"1 in 1,000":    {func(l []byte) { sprinkle(r, l, 1_000) }, true, 1.05},
		"1 in 100":      {func(l []byte) { sprinkle(r, l, 100) }, true, 1.05},
		"1 in 60":       {func(l []byte) { sprinkle(r, l, 60) }, true, 1.05},
		"1 in 10":       {func(l []byte) { sprinkle(r, l, 10) }, false, 1},
		"of everything": {func(l []byte) { sprinkle(r, l, 2) }, false, 1},
		"all bytes": {func(l []byte) {
			for i := range 256 {
				l[50*i] = byte(i)
			}
		}, true, 1.2},
		"very unlike": {func(l []byte) { // Huffman codes of more than 15 bits
			at, n := 0, 1
			for b := byte(1); at < len(l)/3; b++ {
				for range n {
					if at+2 < len(l) {
						l[at], l[at+1] = b, b+100
						at += 2 + 9
					}
				}
				n = n*13/8 + 1
			}
		}, true, 20}, // and patterns that a status list, which is scattered, never has
	} {
		list := make([]byte, 1<<17)
		x.fill(list)
		packed := gzipRuns(list)
		if (packed != nil) != x.runs {
			t.Errorf("%s: made of runs: %v", name, packed != nil)
			continue
		}
		if packed == nil {
			continue
		}
		if !bytes.Equal(unpackStandard(t, packed), list) {
			t.Errorf("%s comes back otherwise", name)
		}
		other, err := gzipAny(list)
		if err != nil {
			t.Fatal(err)
		}
		if float64(len(packed)) > x.times*float64(len(other))+16 {
			t.Errorf("%s: %d bytes, by the library %d", name, len(packed), len(other))
		}
		t.Logf("%s: %d bytes, by the library %d", name, len(packed), len(other))
	}
	for n := range 2000 { // runs of every length, and after each other
		list := make([]byte, 0, 4*n+16)
		for len(list) < 3*n {
			list = append(list, bytes.Repeat([]byte{byte(r.IntN(3))}, 1+r.IntN(n+1))...)
		}
		if packed := gzipRuns(list); packed != nil && !bytes.Equal(unpackStandard(t, packed), list) {
			t.Fatalf("%d comes back otherwise", n)
		}
	}
}

func set(l []byte, from, to int, b byte) {
	for i := from; i < to; i++ {
		l[i] = b
	}
}

// sprinkle sets one bit in so many.
func sprinkle(r *rand.Rand, l []byte, of int) {
	for range len(l) * 8 / of {
		l[r.IntN(len(l))] |= 1 << r.IntN(8)
	}
}

func FuzzRuns(f *testing.F) {
	f.Add([]byte{}, uint16(0))
	f.Add([]byte{0, 0, 0, 1, 0xff, 0xff}, uint16(300))
	f.Fuzz(func(t *testing.T, data []byte, zeros uint16) {
		list := append(bytes.Repeat([]byte{0}, int(zeros)), data...)
		list = append(list, list...)
		if packed := gzipRuns(list); packed != nil && !bytes.Equal(unpackStandard(t, packed), list) {
			t.Errorf("%x comes back otherwise", list)
		}
	})
}
