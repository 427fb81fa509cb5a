package status

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math/bits"
	"slices"
	"sync"
)

// Status lists are long runs of one byte with single others between them. What
// compresses anything looks for repeats of every kind in them; here only runs are
// looked for, in a tenth of the time and to the same size.

// maxTokens bounds the tokens of a list that is compressed here, as a part of its
// bytes: others are not made of runs.
const maxTokens = 2 // one in two

// DEFLATE (RFC 1951): a literal is its byte; a run is runFlag and how many bytes
// repeat the one before, 3 to 258.
const (
	runFlag    = 1 << 16
	endOfBlock = 256
	longestRun = 258
	symbols    = 286
)

// runCode gives the symbol of a run's length, its extra bits and their number
// (section 3.2.5).
var runCode = func() (t [longestRun + 1]struct{ symbol, extra, bits uint16 }) {
	n := 3
	for symbol := uint16(257); symbol < 285; symbol++ {
		wide := uint16(0)
		if symbol >= 265 {
			wide = (symbol - 261) / 4
		}
		for extra := uint16(0); extra < 1<<wide && n < longestRun; extra++ {
			t[n].symbol, t[n].extra, t[n].bits = symbol, extra, wide
			n++
		}
	}
	t[longestRun].symbol = 285
	return t
}()

// runWriter is room that is used again.
type runWriter struct {
	tokens []uint32
	counts [symbols]int
	out    []byte
	bits   uint64
	n      uint // of bits
}

var runWriters = sync.Pool{New: func() any { return &runWriter{} }}

// gzipRuns gives the gzip of a list that is made of runs, nil for another one.
func gzipRuns(data []byte) []byte {
	w := runWriters.Get().(*runWriter)
	defer runWriters.Put(w)
	if !w.tokenize(data) {
		return nil
	}
	w.out, w.bits, w.n = append(w.out[:0], 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff), 0, 0
	w.block()
	w.put(0, 7) // to the end of the byte
	w.out = binary.LittleEndian.AppendUint32(w.out, crc32.ChecksumIEEE(data))
	w.out = binary.LittleEndian.AppendUint32(w.out, uint32(len(data)))
	return bytes.Clone(w.out)
}

// tokenize finds the runs, and reports whether the list is made of them.
func (w *runWriter) tokenize(data []byte) bool {
	w.tokens = w.tokens[:0]
	clear(w.counts[:])
	most := len(data)/maxTokens + 16
	for i := 0; i < len(data); {
		b := data[i]
		n := sameAs(data[i+1:], b)
		i += 1 + n
		w.token(uint32(b), int(b))
		for n >= 3 {
			k := min(n, longestRun)
			w.token(runFlag|uint32(k), int(runCode[k].symbol))
			n -= k
		}
		for ; n > 0; n-- {
			w.token(uint32(b), int(b))
		}
		if len(w.tokens) > most {
			return false
		}
	}
	w.counts[endOfBlock]++
	return true
}

func (w *runWriter) token(t uint32, symbol int) {
	w.tokens = append(w.tokens, t)
	w.counts[symbol]++
}

// sameAs counts the bytes at the beginning that are b.
func sameAs(data []byte, b byte) int {
	all := uint64(b) * 0x0101010101010101
	n := 0
	for ; n+8 <= len(data); n += 8 {
		if x := binary.LittleEndian.Uint64(data[n:]) ^ all; x != 0 {
			return n + bits.TrailingZeros64(x)/8
		}
	}
	for n < len(data) && data[n] == b {
		n++
	}
	return n
}

// put writes the lowest k bits of v; whole bytes go out.
func (w *runWriter) put(v uint64, k uint) {
	w.bits |= v << w.n
	for w.n += k; w.n >= 8; w.n -= 8 {
		w.out = append(w.out, byte(w.bits))
		w.bits >>= 8
	}
}

// block writes all tokens as one block with codes of its own (section 3.2.7). Its
// only distance is 1, whose code is one bit, 0.
func (w *runWriter) block() {
	lengths := codeLengths(w.counts[:], 15)
	for len(lengths) > 257 && lengths[len(lengths)-1] == 0 {
		lengths = lengths[:len(lengths)-1]
	}
	w.put(1, 1) // the last block
	w.put(2, 2)
	w.put(uint64(len(lengths)-257), 5)
	w.put(0, 5) // one distance
	w.lengths(append(slices.Clone(lengths), 1))
	codes := codesOf(lengths)
	for _, t := range w.tokens {
		if t&runFlag == 0 {
			w.put(uint64(codes[t]), uint(lengths[t]))
			continue
		}
		c := &runCode[t&^runFlag]
		k := uint(lengths[c.symbol])
		// The extra bits, and the distance after them.
		w.put(uint64(codes[c.symbol])|uint64(c.extra)<<k, k+uint(c.bits)+1)
	}
	w.put(uint64(codes[endOfBlock]), uint(lengths[endOfBlock]))
}

// lengthOrder is the order in which the lengths of the codes for lengths are
// written.
var lengthOrder = [19]int{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// lengths writes the lengths of codes.
func (w *runWriter) lengths(all []uint8) {
	type part struct {
		symbol uint8
		extra  uint64
		bits   uint
	}
	var parts []part
	var counts [19]int
	add := func(p part) {
		parts = append(parts, p)
		counts[p.symbol]++
	}
	for i := 0; i < len(all); {
		n := 1
		for i+n < len(all) && all[i+n] == all[i] {
			n++
		}
		b := all[i]
		i += n
		for b == 0 && n >= 3 {
			k := min(n, 138)
			if k < 11 {
				add(part{17, uint64(k - 3), 3})
			} else {
				add(part{18, uint64(k - 11), 7})
			}
			n -= k
		}
		if n > 0 {
			add(part{symbol: b})
			n--
		}
		for b != 0 && n >= 3 {
			k := min(n, 6)
			add(part{16, uint64(k - 3), 2})
			n -= k
		}
		for ; n > 0; n-- {
			add(part{symbol: b})
		}
	}
	lengths := codeLengths(counts[:], 7)
	codes := codesOf(lengths)
	last := len(lengthOrder)
	for last > 4 && lengths[lengthOrder[last-1]] == 0 {
		last--
	}
	w.put(uint64(last-4), 4)
	for _, s := range lengthOrder[:last] {
		w.put(uint64(lengths[s]), 3)
	}
	for _, p := range parts {
		w.put(uint64(codes[p.symbol]), uint(lengths[p.symbol]))
		w.put(p.extra, p.bits)
	}
}

// codeLengths gives a Huffman code for symbols that occur so often: the length of
// each one's code, at most limit, 0 for one that does not occur.
func codeLengths(counts []int, limit int) []uint8 {
	weights := slices.Clone(counts)
	for {
		lengths, longest := huffman(weights)
		if longest <= limit {
			return lengths
		}
		for i, n := range weights { // flatter, and so shorter, in the end all alike
			if n > 0 {
				weights[i] = n/2 + 1
			}
		}
	}
}

func huffman(weights []int) (lengths []uint8, longest int) {
	lengths = make([]uint8, len(weights))
	var leaves []int
	for s, n := range weights {
		if n > 0 {
			leaves = append(leaves, s)
		}
	}
	if len(leaves) == 1 {
		// A second symbol makes the code complete.
		lengths[leaves[0]] = 1
		lengths[(leaves[0]+1)%len(weights)] = 1
		return lengths, 1
	}
	slices.SortStableFunc(leaves, func(a, b int) int { return weights[a] - weights[b] })
	// The two lightest become one, which is heavier than all that became one before.
	weight := make([]int, 0, 2*len(leaves))
	parent := make([]int, 2*len(leaves)-1)
	for _, s := range leaves {
		weight = append(weight, weights[s])
	}
	leaf, node := 0, len(leaves)
	lightest := func() int {
		if leaf < len(leaves) && (node == len(weight) || weight[leaf] <= weight[node]) {
			leaf++
			return leaf - 1
		}
		node++
		return node - 1
	}
	for len(weight) < 2*len(leaves)-1 {
		a, b := lightest(), lightest()
		parent[a], parent[b] = len(weight), len(weight)
		weight = append(weight, weight[a]+weight[b])
	}
	depth := make([]int, len(parent))
	for n := len(parent) - 2; n >= 0; n-- {
		depth[n] = depth[parent[n]] + 1
	}
	for n, s := range leaves {
		longest = max(longest, depth[n])
		lengths[s] = uint8(min(depth[n], 255))
	}
	return lengths, longest
}

// codesOf gives the codes of these lengths (section 3.2.2), the first bit lowest.
func codesOf(lengths []uint8) []uint16 {
	var have, next [16]uint16
	for _, n := range lengths {
		if n > 0 {
			have[n]++
		}
	}
	for n := 1; n < len(next); n++ {
		next[n] = (next[n-1] + have[n-1]) << 1
	}
	codes := make([]uint16, len(lengths))
	for s, n := range lengths {
		if n > 0 {
			codes[s] = bits.Reverse16(next[n]) >> (16 - n)
			next[n]++
		}
	}
	return codes
}
