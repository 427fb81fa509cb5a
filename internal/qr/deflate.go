package qr

import (
	"bytes"
	"compress/flate"
	"math"
	"strings"
	"sync"
)

// The packer's DEFLATE (RFC 1951). A packed credential is a handful of matches
// into the dictionary and next to no literals, so a block with the fixed codes
// wins: the table of a dynamic block would cost more than it saves. What
// counts is which matches are taken, so the shortest sequence is computed, not
// guessed. compress/flate is tried as well, for text far from the dictionary.

const (
	minMatch  = 3
	maxMatch  = 258
	hashBits  = 14
	maxChain  = 2048 // candidates looked at per position; bounds the work
	endOfText = -1
)

// chains finds earlier places with the same three bytes.
type chains struct {
	head [1 << hashBits]int32
	prev []int32
}

func hash3(b []byte) uint32 {
	return (uint32(b[0])<<16 | uint32(b[1])<<8 | uint32(b[2])) * 2654435761 >> (32 - hashBits)
}

func (c *chains) add(b []byte, i int) {
	if i+minMatch > len(b) {
		c.prev = append(c.prev, endOfText)
		return
	}
	h := hash3(b[i:])
	c.prev = append(c.prev, c.head[h])
	c.head[h] = int32(i)
}

// dictionaryChains holds the dictionary's places; each use copies it.
var dictionaryChains = sync.OnceValue(func() *chains {
	c := &chains{prev: make([]int32, 0, len(dictionary1))}
	for i := range c.head {
		c.head[i] = endOfText
	}
	for i := range dictionary1 {
		c.add(dictionaryBytes, i)
	}
	return c
})

// phrased replaces the phrases in a text by their markers.
func phrased(text []byte) []byte { return []byte(phraser().Replace(string(text))) }

var phraser = sync.OnceValue(func() *strings.Replacer { return strings.NewReplacer(phrasePairs()...) })

// step is how the cheapest encoding arrives at a position: a literal
// (length 1) or a match.
type step struct{ length, distance int }

// deflate compresses text against the dictionary and gives the shortest raw
// DEFLATE stream it finds.
func deflate(text []byte) ([]byte, error) {
	best := deflateFixed(text)
	var b bytes.Buffer
	w, err := flate.NewWriterDict(&b, flate.BestCompression, dictionaryBytes)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(text); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	if b.Len() < len(best) {
		best = b.Bytes()
	}
	return best, nil
}

// deflateFixed writes one block with fixed Huffman codes (RFC 1951, section
// 3.2.6) in the fewest bits.
func deflateFixed(text []byte) []byte {
	steps := parse(text)
	w := &bitWriter{}
	w.bits(1, 1) // last block
	w.bits(1, 2) // fixed codes
	for i := 0; i < len(text); {
		s := steps[i]
		if s.length == 1 {
			w.symbol(int(text[i]))
		} else {
			l := lengthCode(s.length)
			w.symbol(257 + l)
			w.bits(uint32(s.length-lengthBase[l]), lengthExtra[l])
			d := distanceCode(s.distance)
			w.code(uint32(d), 5)
			w.bits(uint32(s.distance-distanceBase[d]), distanceExtra[d])
		}
		i += s.length
	}
	w.symbol(256)
	return w.flush()
}

// parse finds the cheapest way through text: steps[i] is the step to take at i.
func parse(text []byte) []step {
	all := append(dictionaryBytes[:len(dictionaryBytes):len(dictionaryBytes)], text...)
	base := len(dictionary1)
	c := *dictionaryChains()
	c.prev = append(make([]int32, 0, len(all)), c.prev[:max(0, base-minMatch+1)]...)
	for i := len(c.prev); i < base; i++ { // places whose three bytes reach into the text
		c.add(all, i)
	}

	n := len(text)
	cost := make([]int, n+1) // bits to arrive
	from := make([]step, n+1)
	for i := range cost[1:] {
		cost[i+1] = math.MaxInt
	}
	for i := range n {
		at := base + i
		lit := 8
		if text[i] >= 144 {
			lit = 9
		}
		if x := cost[i] + lit; x < cost[i+1] {
			cost[i+1], from[i+1] = x, step{1, 0}
		}
		c.add(all, at)
		limit := min(maxMatch, n-i)
		longest := minMatch - 1
		tries := 0
		for j := c.prev[at]; j != endOfText && longest < limit && tries < maxChain && at-int(j) <= 1<<15; j = c.prev[j] {
			tries++
			if all[int(j)+longest] != all[at+longest] {
				continue
			}
			l := 0
			for l < limit && all[int(j)+l] == all[at+l] {
				l++
			}
			if l <= longest {
				continue
			}
			d := distanceCode(at - int(j))
			dc := 5 + distanceExtra[d]
			for ; longest < l; longest++ { // the nearest place serves each length
				k := longest + 1
				if x := cost[i] + dc + lengthCost[k]; x < cost[i+k] {
					cost[i+k], from[i+k] = x, step{k, at - int(j)}
				}
			}
		}
	}
	steps := make([]step, n)
	for i := n; i > 0; {
		s := from[i]
		i -= s.length
		steps[i] = s
	}
	return steps
}

// Length and distance codes of RFC 1951, section 3.2.5.
var (
	lengthBase    = [29]int{3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258}
	lengthExtra   = [29]int{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0}
	distanceBase  = [30]int{1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577}
	distanceExtra = [30]int{0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13}
)

func lengthCode(n int) int {
	for i := len(lengthBase) - 1; ; i-- {
		if lengthBase[i] <= n {
			return i
		}
	}
}

func distanceCode(n int) int {
	for i := len(distanceBase) - 1; ; i-- {
		if distanceBase[i] <= n {
			return i
		}
	}
}

// lengthCost is the bits of each match length in a fixed block.
var lengthCost = func() (t [maxMatch + 1]int) {
	for n := minMatch; n <= maxMatch; n++ {
		c := lengthCode(n)
		t[n] = 7 + lengthExtra[c]
		if 257+c >= 280 {
			t[n]++
		}
	}
	return t
}()

type bitWriter struct {
	out  []byte
	acc  uint32
	have int
}

// bits writes n bits of v, lowest first.
func (w *bitWriter) bits(v uint32, n int) {
	w.acc |= v << w.have
	w.have += n
	for w.have >= 8 {
		w.out = append(w.out, byte(w.acc))
		w.acc >>= 8
		w.have -= 8
	}
}

// code writes an n-bit Huffman code, highest bit first.
func (w *bitWriter) code(v uint32, n int) {
	for i := n - 1; i >= 0; i-- {
		w.bits(v>>i&1, 1)
	}
}

// symbol writes a literal or length symbol with its fixed code.
func (w *bitWriter) symbol(s int) {
	switch {
	case s < 144:
		w.code(uint32(0x30+s), 8)
	case s < 256:
		w.code(uint32(0x190+s-144), 9)
	case s < 280:
		w.code(uint32(s-256), 7)
	default:
		w.code(uint32(0xc0+s-280), 8)
	}
}

func (w *bitWriter) flush() []byte {
	if w.have > 0 {
		w.out = append(w.out, byte(w.acc))
	}
	return w.out
}
