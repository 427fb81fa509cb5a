package rdf

import (
	"bytes"
	"cmp"
	"crypto"
	_ "crypto/sha256" // crypto.SHA256
	_ "crypto/sha512" // crypto.SHA384
	"encoding/hex"
	"hash"
	"slices"
	"strconv"
	"sync"

	"github.com/kinpass/kinpass/internal/fault"
)

// ErrWork refuses a dataset whose blank nodes are so alike that telling them
// apart would take exponential work.
var ErrWork = fault.New(fault.Unprocessable, "rdf-too-complex", "the document's unnamed nodes are too alike to be put in order")

// errQuad and errHash are mistakes of the program, not of a document.
var (
	errQuad = fault.New(fault.Internal, "rdf-quad-malformed", "")
	errHash = fault.New(fault.Internal, "rdf-hash-unknown", "")
)

// maxWork bounds the steps of one canonicalisation: about one for each quad
// looked at while blank nodes of equal hash are told apart. The hardest graph
// of the W3C tests that must pass needs a tenth of it; at the bound, less than
// 0.1 s have gone.
const maxWork = 1 << 16

// Canon is a canonicalised dataset.
type Canon struct {
	Lines  []string          // canonical N-Quads in code point order, each with its "\n", none twice
	Labels map[string]string // label of each blank node of the input to its canonical one, both without "_:"
}

// Canonicalize labels the blank nodes of a dataset by RDFC-1.0 (RDF Dataset
// Canonicalization, section 4) with SHA-256 or SHA-384 and writes it as sorted
// canonical N-Quads. A quad that occurs twice counts once. The work is bounded:
// ErrWork.
func Canonicalize(quads []Quad, h crypto.Hash) (*Canon, error) {
	c, err := newCanonizer(h)
	if err != nil {
		return nil, err
	}
	defer c.free()
	if err := c.run(quads); err != nil {
		return nil, err
	}
	text := string(c.out)
	out := &Canon{Lines: make([]string, len(c.lines)), Labels: make(map[string]string, len(c.nodes))}
	for i, l := range c.lines {
		out.Lines[i] = text[l.start:l.end]
	}
	for label, n := range c.byLabel {
		out.Labels[label] = "c14n" + strconv.Itoa(int(c.nodes[n].canonical))
	}
	return out, nil
}

// appendCanonical appends the canonical N-Quads of a dataset to dst.
func appendCanonical(dst []byte, quads []Quad, h crypto.Hash) ([]byte, error) {
	c, err := newCanonizer(h)
	if err != nil {
		return nil, err
	}
	defer c.free()
	if err := c.run(quads); err != nil {
		return nil, err
	}
	return c.appendLines(dst), nil
}

func (c *canonizer) appendLines(dst []byte) []byte {
	dst = slices.Grow(dst, len(c.out))
	for _, l := range c.lines {
		dst = append(dst, c.out[l.start:l.end]...)
	}
	return dst
}

// span is a piece of a buffer.
type span struct{ start, end int32 }

// statement is a quad that names blank nodes, written as N-Quads into
// canonizer.text with "_:a" in the place of each.
type statement struct {
	span
	node [3]int32 // subject, object, graph: index into nodes, or none
	at   [3]int32 // where the label's letter stands in the text
}

const none = -1

// components of a quad as section 4.7 names them.
const components = "sog"

// node is one blank node.
type node struct {
	quads     []int32  // statements it occurs in
	hash      [96]byte // first degree hash, lower-case hex
	canonical int32    // number of its canonical label, or none
}

// canonizer holds what one canonicalisation needs, to be used again by the
// next.
type canonizer struct {
	kind    crypto.Hash
	hash    hash.Hash
	text    []byte // statements with blank nodes
	out     []byte // lines, in the order of input
	lines   []span // of out, sorted
	records []statement
	nodes   []node
	byLabel map[string]int32
	order   []int32 // nodes by first degree hash
	spans   []span
	sum     []byte
	issued  int32
	work    int
}

var pools = map[crypto.Hash]*sync.Pool{
	crypto.SHA256: {New: func() any { return makeCanonizer(crypto.SHA256) }},
	crypto.SHA384: {New: func() any { return makeCanonizer(crypto.SHA384) }},
}

func makeCanonizer(h crypto.Hash) *canonizer {
	return &canonizer{kind: h, hash: h.New(), byLabel: map[string]int32{}}
}

func newCanonizer(h crypto.Hash) (*canonizer, error) {
	pool := pools[h]
	if pool == nil {
		return nil, errHash
	}
	return pool.Get().(*canonizer), nil
}

// free gives the canonizer back. Nothing of a document stays reachable, and a
// huge one does not stay in memory.
func (c *canonizer) free() {
	if cap(c.text)+cap(c.out) > 1<<18 {
		return
	}
	clear(c.text[:cap(c.text)])
	clear(c.out[:cap(c.out)])
	clear(c.byLabel)
	c.text, c.out, c.lines, c.records, c.order = c.text[:0], c.out[:0], c.lines[:0], c.records[:0], c.order[:0]
	c.nodes, c.issued, c.work = c.nodes[:0], 0, 0
	pools[c.kind].Put(c)
}

// run is section 4.4.3. Quads without blank nodes go straight to the output.
func (c *canonizer) run(quads []Quad) error {
	for i := range quads {
		if err := c.add(&quads[i]); err != nil {
			return err
		}
	}
	c.collect()
	return c.finish()
}

// finish labels the nodes and sorts the lines.
func (c *canonizer) finish() error {
	if err := c.label(); err != nil {
		return err
	}
	for i := range c.records {
		c.write(&c.records[i])
	}
	slices.SortFunc(c.lines, func(a, b span) int {
		return bytes.Compare(c.out[a.start:a.end], c.out[b.start:b.end])
	})
	c.lines = slices.CompactFunc(c.lines, func(a, b span) bool {
		return bytes.Equal(c.out[a.start:a.end], c.out[b.start:b.end])
	})
	return nil
}

// add writes one quad.
func (c *canonizer) add(q *Quad) error {
	if !wellFormed(q) {
		return errQuad
	}
	if q.Subject.Kind != Blank && q.Object.Kind != Blank && q.Graph.Kind != Blank {
		start := len(c.out)
		c.out = AppendQuad(c.out, *q)
		c.lines = append(c.lines, span{int32(start), int32(len(c.out))})
		return nil
	}
	r := statement{span: span{start: int32(len(c.text))}}
	r.node[0], r.at[0] = c.place(&q.Subject)
	c.text = append(c.text, ' ')
	c.text = appendIRI(c.text, q.Predicate.Value)
	c.text = append(c.text, ' ')
	r.node[1], r.at[1] = c.place(&q.Object)
	c.text = append(c.text, ' ')
	r.node[2] = none
	if q.Graph.Kind != None {
		r.node[2], r.at[2] = c.place(&q.Graph)
		c.text = append(c.text, ' ')
	}
	c.text = append(c.text, ".\n"...)
	r.end = int32(len(c.text))
	c.records = append(c.records, r)
	return nil
}

func wellFormed(q *Quad) bool {
	return (q.Subject.Kind == IRI || q.Subject.Kind == Blank) && q.Predicate.Kind == IRI &&
		q.Object.Kind != None && q.Graph.Kind != Literal
}

// place writes a term, a blank node as "_:a".
func (c *canonizer) place(t *Term) (n, at int32) {
	if t.Kind != Blank {
		c.text = appendTerm(c.text, t)
		return none, none
	}
	n, ok := c.byLabel[t.Value]
	if !ok {
		n = c.newNode()
		c.byLabel[t.Value] = n
	}
	c.text = append(c.text, "_:a"...)
	return n, int32(len(c.text) - 1)
}

// newNode adds a blank node.
func (c *canonizer) newNode() int32 {
	n := int32(len(c.nodes))
	if cap(c.nodes) > len(c.nodes) { // keep the slices of an earlier run
		c.nodes = c.nodes[:n+1]
		c.nodes[n].quads = c.nodes[n].quads[:0]
	} else {
		c.nodes = append(c.nodes, node{})
	}
	c.nodes[n].canonical = none
	return n
}

// collect drops repeated statements, since a dataset is a set, and notes for
// each node where it occurs (4.4.3 step 2).
func (c *canonizer) collect() {
	same := func(a, b statement) int {
		return cmp.Or(slices.Compare(a.node[:], b.node[:]), bytes.Compare(c.text[a.start:a.end], c.text[b.start:b.end]))
	}
	slices.SortFunc(c.records, same)
	c.records = slices.CompactFunc(c.records, func(a, b statement) bool { return same(a, b) == 0 })
	for i, r := range c.records {
		for k, n := range r.node {
			if n != none && !slices.Contains(r.node[:k], n) {
				c.nodes[n].quads = append(c.nodes[n].quads, int32(i))
			}
		}
	}
}

// label issues the canonical labels (4.4.3 steps 3 to 5).
func (c *canonizer) label() error {
	for n := range c.nodes {
		c.firstDegree(int32(n))
		c.order = append(c.order, int32(n))
	}
	slices.SortFunc(c.order, func(a, b int32) int { return bytes.Compare(c.nodes[a].hash[:], c.nodes[b].hash[:]) })
	alike := false
	for i := 0; i < len(c.order); {
		group := c.group(i)
		i += len(group)
		if len(group) == 1 {
			c.issue(group[0])
		} else {
			alike = true
		}
	}
	for i := 0; alike && i < len(c.order); {
		group := c.group(i)
		i += len(group)
		if len(group) == 1 {
			continue
		}
		var paths []path
		for _, n := range group {
			if c.nodes[n].canonical != none {
				continue
			}
			temporary := &issuer{}
			temporary.issue(n)
			p, err := c.nDegree(n, temporary)
			if err != nil {
				return err
			}
			paths = append(paths, p)
		}
		slices.SortStableFunc(paths, func(a, b path) int { return cmp.Compare(a.hash, b.hash) })
		for _, p := range paths {
			for _, n := range p.issuer.order {
				c.issue(n)
			}
		}
	}
	return nil
}

// group gives the nodes that share the hash of the i-th in order.
func (c *canonizer) group(i int) []int32 {
	end := i + 1
	for end < len(c.order) && c.nodes[c.order[end]].hash == c.nodes[c.order[i]].hash {
		end++
	}
	return c.order[i:end]
}

func (c *canonizer) issue(n int32) {
	if c.nodes[n].canonical == none {
		c.nodes[n].canonical = c.issued
		c.issued++
	}
}

// firstDegree is Hash First Degree Quads (4.6): the node itself is "_:a" in its
// statements, every other blank node "_:z". The letters are set in place.
func (c *canonizer) firstDegree(n int32) {
	c.spans = c.spans[:0]
	for _, i := range c.nodes[n].quads {
		r := &c.records[i]
		for k, other := range r.node {
			if other == n {
				c.text[r.at[k]] = 'a'
			} else if other != none {
				c.text[r.at[k]] = 'z'
			}
		}
		c.spans = append(c.spans, r.span)
	}
	slices.SortFunc(c.spans, func(a, b span) int {
		return bytes.Compare(c.text[a.start:a.end], c.text[b.start:b.end])
	})
	c.hash.Reset()
	for _, s := range c.spans {
		c.hash.Write(c.text[s.start:s.end])
	}
	c.sum = c.hash.Sum(c.sum[:0])
	clear(c.nodes[n].hash[:])
	hex.Encode(c.nodes[n].hash[:], c.sum)
}

// hexHash gives a node's first degree hash.
func (c *canonizer) hexHash(n int32) []byte { return c.nodes[n].hash[:2*c.hash.Size()] }

// issuer gives out temporary labels "b0", "b1", … (4.5).
type issuer struct{ order []int32 }

func (s *issuer) issue(n int32) int {
	i := s.find(n)
	if i < 0 {
		i = len(s.order)
		s.order = append(s.order, n)
	}
	return i
}

// find searches in a line: the nodes that one issuer names are few, and their
// number is bounded by the work.
func (s *issuer) find(n int32) int { return slices.Index(s.order, n) }

func (s *issuer) copy() *issuer { return &issuer{order: slices.Clone(s.order)} }

// path is the result of Hash N-Degree Quads.
type path struct {
	hash   string
	issuer *issuer
}

// related are the nodes reached from one node in the same way.
type related struct {
	hash  string
	nodes []int32
}

func (c *canonizer) spend(n int) error {
	if c.work += n; c.work > maxWork {
		return ErrWork
	}
	return nil
}

// nDegree is Hash N-Degree Quads (4.8).
func (c *canonizer) nDegree(id int32, names *issuer) (path, error) {
	groups, err := c.relatedTo(id, names)
	if err != nil {
		return path{}, err
	}
	var data []byte
	for _, g := range groups {
		data = append(data, g.hash...)
		best, chosen, err := c.shortest(g.nodes, names)
		if err != nil {
			return path{}, err
		}
		data = append(data, best...)
		names = chosen
	}
	return path{hash: c.sumHex(data), issuer: names}, nil
}

func (c *canonizer) sumHex(data []byte) string {
	c.hash.Reset()
	c.hash.Write(data)
	c.sum = c.hash.Sum(c.sum[:0])
	return hex.EncodeToString(c.sum)
}

// relatedTo groups the blank nodes beside id by the hash of how they are related
// to it (4.8.3 steps 1 to 3, and 4.7), in the order of the hashes.
func (c *canonizer) relatedTo(id int32, names *issuer) ([]related, error) {
	if err := c.spend(1 + len(c.nodes[id].quads)); err != nil {
		return nil, err
	}
	var groups []related
	var input []byte
	for _, i := range c.nodes[id].quads {
		r := &c.records[i]
		for k, n := range r.node {
			if n == none || n == id {
				continue
			}
			input = append(input[:0], components[k])
			if k < 2 {
				input = append(input, c.predicate(r)...)
			}
			if label := c.named(n, names); label != "" {
				input = append(input, label...)
			} else {
				input = append(input, c.hexHash(n)...)
			}
			h := c.sumHex(input)
			at, found := slices.BinarySearchFunc(groups, h, func(g related, h string) int { return cmp.Compare(g.hash, h) })
			if !found {
				groups = slices.Insert(groups, at, related{hash: h})
			}
			groups[at].nodes = append(groups[at].nodes, n)
		}
	}
	return groups, nil
}

// predicate gives "<…>" of a statement: what stands between the first two
// spaces, since no term before the literal holds one.
func (c *canonizer) predicate(r *statement) []byte {
	text := c.text[r.start:r.end]
	from := bytes.IndexByte(text, ' ') + 1
	return text[from : from+bytes.IndexByte(text[from:], ' ')]
}

// named gives the label that a node has, canonical or temporary, with "_:".
func (c *canonizer) named(n int32, names *issuer) string {
	if k := c.nodes[n].canonical; k != none {
		return "_:c14n" + strconv.Itoa(int(k))
	}
	if k := names.find(n); k >= 0 {
		return "_:b" + strconv.Itoa(k)
	}
	return ""
}

// shortest tries every order of nodes and gives the least path with the names
// it issued (4.8.3 steps 5.4 and 5.5).
func (c *canonizer) shortest(nodes []int32, names *issuer) (best string, chosen *issuer, err error) {
	worse := func(p []byte) bool { return best != "" && len(p) >= len(best) && string(p) > best }
	try := func(order []int32) error {
		// The names are copied and searched through: many of them are work too.
		if err := c.spend(len(order) + len(names.order)/16); err != nil {
			return err
		}
		now := names.copy()
		var p []byte
		var recursion []int32
		for _, n := range order {
			label := ""
			if k := c.nodes[n].canonical; k != none {
				label = "_:c14n" + strconv.Itoa(int(k))
			} else {
				if now.find(n) < 0 {
					recursion = append(recursion, n)
				}
				label = "_:b" + strconv.Itoa(now.issue(n))
			}
			p = append(p, label...)
			if worse(p) {
				return nil
			}
		}
		for _, n := range recursion {
			deeper, err := c.nDegree(n, now)
			if err != nil {
				return err
			}
			p = append(p, "_:b"+strconv.Itoa(now.issue(n))...)
			p = append(append(append(p, '<'), deeper.hash...), '>')
			now = deeper.issuer
			if worse(p) {
				return nil
			}
		}
		if best == "" || string(p) < best {
			best, chosen = string(p), now
		}
		return nil
	}
	err = permute(slices.Clone(nodes), 0, try)
	return best, chosen, err
}

// permute calls f with every order of nodes, stopping at its first error.
func permute(nodes []int32, from int, f func([]int32) error) error {
	if from >= len(nodes)-1 {
		return f(nodes)
	}
	for i := from; i < len(nodes); i++ {
		nodes[from], nodes[i] = nodes[i], nodes[from]
		if err := permute(nodes, from+1, f); err != nil {
			return err
		}
		nodes[from], nodes[i] = nodes[i], nodes[from]
	}
	return nil
}

// write puts a statement with canonical labels into the output.
func (c *canonizer) write(r *statement) {
	start, from := len(c.out), r.start
	for k, n := range r.node {
		if n == none {
			continue
		}
		c.out = append(c.out, c.text[from:r.at[k]]...)
		c.out = append(c.out, "c14n"...)
		c.out = strconv.AppendInt(c.out, int64(c.nodes[n].canonical), 10)
		from = r.at[k] + 1
	}
	c.out = append(c.out, c.text[from:r.end]...)
	c.lines = append(c.lines, span{int32(start), int32(len(c.out))})
}
