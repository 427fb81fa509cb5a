package rdf

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
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
	errQuad = fault.New(fault.Internal, "rdf-quad-malformed", "a statement to be put in order is none")
	errHash = fault.New(fault.Internal, "rdf-hash-unknown", "statements are put in order with SHA-256 or SHA-384 only")
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
	c.write()
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
	c.write()
	return append(dst, c.out...), nil
}

// appendDigest appends the hash of the canonical N-Quads of a dataset to dst.
func appendDigest(dst []byte, quads []Quad, h crypto.Hash) ([]byte, error) {
	c, err := newCanonizer(h)
	if err != nil {
		return nil, err
	}
	defer c.free()
	if err := c.run(quads); err != nil {
		return nil, err
	}
	return c.appendDigest(dst), nil
}

func (c *canonizer) appendDigest(dst []byte) []byte {
	c.write()
	sum := c.sum(c.out)
	return append(dst, sum[:c.kind.Size()]...)
}

// span is a piece of a buffer.
type span struct{ start, end int32 }

// statement is a quad written as canonical N-Quads in a buffer, with "_:z" for
// every blank node. It says where its parts begin; the graph of a quad without
// one is its ".".
type statement struct {
	start, predicate, object, graph, end int32

	rank int32    // of the predicate among all, in the order of their text
	node [3]int32 // subject, object, graph: number of the blank node, or none
}

const none = -1

// part gives the beginning of subject, object or graph.
func (r *statement) part(k int) int32 {
	switch k {
	case 0:
		return r.start
	case 1:
		return r.object
	}
	return r.graph
}

// letter is where the letter of a label stands behind the beginning of its part.
const letter = 2

// components of a quad as section 4.7 names them.
const components = "sog"

// node is one blank node.
type node struct {
	from, to  int32  // in places: the statements it occurs in
	hash      digest // first degree
	canonical int32  // number of its canonical label, or none
}

// digest is a SHA-256, with zeros behind it, or a SHA-384.
type digest [48]byte

// canonizer holds what one canonicalisation needs, to be used again by the
// next.
type canonizer struct {
	kind    crypto.Hash
	text    []byte // of the records
	records []statement
	spare   []statement // room to put them in order
	nodes   []node
	places  []int32 // the statements that each node occurs in, node by node
	values  []int32 // of nodes: what compare goes by
	byLabel map[string]int32
	order   []int32 // nodes by first degree hash, then records by canonical text
	ranked  []int32 // labels, then nodes, in the order of the labels' text
	keys    []sortKey
	out     []byte // the canonical form
	lines   []span
	input   []byte     // to be hashed, of all open calls
	related []relation // of all open calls
	paths   []path     // of the nodes of one hash
	issued  int32
	work    int
}

// sum hashes data.
func (c *canonizer) sum(data []byte) (d digest) {
	if c.kind == crypto.SHA384 {
		return sha512.Sum384(data)
	}
	h := sha256.Sum256(data)
	copy(d[:], h[:])
	return d
}

// appendHex writes a digest in hexadecimal.
func (c *canonizer) appendHex(dst []byte, d *digest) []byte {
	return hex.AppendEncode(dst, d[:c.kind.Size()])
}

var pools = map[crypto.Hash]*sync.Pool{
	crypto.SHA256: {New: func() any { return makeCanonizer(crypto.SHA256) }},
	crypto.SHA384: {New: func() any { return makeCanonizer(crypto.SHA384) }},
}

func makeCanonizer(h crypto.Hash) *canonizer {
	return &canonizer{kind: h, byLabel: map[string]int32{}}
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
	clear(c.text)
	clear(c.out)
	clear(c.input[:cap(c.input)])
	clear(c.byLabel)
	c.text, c.out, c.lines, c.records, c.order = c.text[:0], c.out[:0], c.lines[:0], c.records[:0], c.order[:0]
	c.nodes, c.places, c.values, c.input, c.related = c.nodes[:0], c.places[:0], c.values[:0], c.input[:0], c.related[:0]
	c.issued, c.work = 0, 0
	pools[c.kind].Put(c)
}

// run is section 4.4.3 without the writing.
func (c *canonizer) run(quads []Quad) error {
	for i := range quads {
		if err := c.add(&quads[i]); err != nil {
			return err
		}
	}
	c.collect()
	if !c.rankKnown() {
		c.rank()
	}
	return c.label()
}

// rank numbers the predicates of the records in the order of their text.
func (c *canonizer) rank() {
	c.order = c.order[:0]
	for i := range c.records {
		c.order = append(c.order, int32(i))
	}
	text := func(i int32) []byte {
		r := &c.records[i]
		return c.text[r.predicate:r.object]
	}
	slices.SortFunc(c.order, func(a, b int32) int { return bytes.Compare(text(a), text(b)) })
	rank := int32(0)
	for k, i := range c.order {
		if k > 0 && !bytes.Equal(text(c.order[k-1]), text(i)) {
			rank++
		}
		c.records[i].rank = rank
	}
	c.order = c.order[:0]
}

// compare orders two records as their texts are ordered once each blank node has
// a label, if the values of the nodes are ordered like these labels. Terms end
// with a space or ">", so no term's text can go on into the next one's.
func (c *canonizer) compare(a, b *statement) int {
	if v := c.compareNodes(a.node[0], b.node[0]); v != 0 {
		return v
	}
	if a.node[0] == none {
		if v := bytes.Compare(c.text[a.start:a.predicate], c.text[b.start:b.predicate]); v != 0 {
			return v
		}
	}
	if a.rank != b.rank {
		return cmp.Compare(a.rank, b.rank)
	}
	if v := c.compareNodes(a.node[1], b.node[1]); v != 0 {
		return v
	}
	if a.node[1] == none {
		if v := bytes.Compare(c.text[a.object:a.graph], c.text[b.object:b.graph]); v != 0 {
			return v
		}
	}
	if v := c.compareNodes(a.node[2], b.node[2]); v != 0 || a.node[2] != none {
		return v
	}
	return bytes.Compare(c.text[a.graph:a.end], c.text[b.graph:b.end])
}

// sortKey is a record and what decides most comparisons with it.
type sortKey struct {
	key    uint64
	record int32
}

// sort puts records in the order of compare. Subject and predicate of most are
// two numbers.
func (c *canonizer) sort(records []int32) {
	keys := c.keys[:0]
	for _, i := range records {
		r := &c.records[i]
		k := sortKey{record: i}
		if n := r.node[0]; n != none {
			k.key = uint64(c.values[n]+1)<<32 | uint64(r.rank)
		}
		keys = append(keys, k)
	}
	if !c.insert(keys) {
		slices.SortFunc(keys, c.compareKeys)
	}
	for i, k := range keys {
		records[i] = k.record
	}
	c.keys = keys[:0]
}

// insert sorts by insertion, which is the fastest way for the few records of
// most nodes, and for many if they are nearly sorted. It gives up if they are
// not.
func (c *canonizer) insert(keys []sortKey) bool {
	moves := 64 + 4*len(keys)
	for i := 1; i < len(keys); i++ {
		k, j := keys[i], i
		for ; j > 0 && (k.key < keys[j-1].key || k.key == keys[j-1].key && c.compareKeys(k, keys[j-1]) < 0); j-- {
			keys[j] = keys[j-1]
		}
		keys[j] = k
		if moves -= i - j; moves < 0 {
			return false
		}
	}
	return true
}

func (c *canonizer) compareKeys(a, b sortKey) int {
	if a.key != b.key {
		if a.key < b.key {
			return -1
		}
		return 1
	}
	return c.compare(&c.records[a.record], &c.records[b.record])
}

// compareNodes compares two blank nodes by value, and puts every other term
// before them: "_" is greater than any character that one begins with.
func (c *canonizer) compareNodes(a, b int32) int {
	switch {
	case a == b:
		return 0
	case a == none:
		return -1
	case b == none:
		return 1
	}
	return cmp.Compare(c.values[a], c.values[b])
}

// write puts the records with their canonical labels into the output, sorted.
func (c *canonizer) write() {
	c.rankLabels()
	c.inOrder()
	c.sort(c.order)
	out, lines := c.out, c.lines // in variables: each store to c would tell the garbage collector
	for _, i := range c.order {
		r := &c.records[i]
		start, from := len(out), r.start
		for k, n := range r.node {
			if n == none {
				continue
			}
			at := r.part(k) + letter
			out = append(out, c.text[from:at]...)
			out = append(out, "c14n"...)
			out = strconv.AppendInt(out, int64(c.nodes[n].canonical), 10)
			from = at + 1
		}
		out = append(out, c.text[from:r.end]...)
		lines = append(lines, span{int32(start), int32(len(out))})
	}
	c.out, c.lines = out, lines
}

// inOrder lists all records nearly in their order: those without a node as their
// subject first, then those of each node, which firstDegree has sorted.
func (c *canonizer) inOrder() {
	order := c.order[:0]
	for i := range c.records {
		if c.records[i].node[0] == none {
			order = append(order, int32(i))
		}
	}
	nodes := c.ranked[:0]
	nodes = slices.Grow(nodes, len(c.nodes))[:len(c.nodes)]
	for n, value := range c.values {
		nodes[value] = int32(n)
	}
	for _, n := range nodes {
		for _, i := range c.quads(n) {
			if c.records[i].node[0] == n {
				order = append(order, i)
			}
		}
	}
	c.order, c.ranked = order, nodes
}

// rankLabels gives the nodes values in the order of their labels' text: 0, 1,
// 10, 2.
func (c *canonizer) rankLabels() {
	c.ranked = slices.Grow(c.ranked[:0], int(c.issued))[:c.issued]
	ranks := c.ranked
	next := int32(0)
	var from func(n int32) // the label n and all longer ones that begin with it
	from = func(n int32) {
		ranks[n] = next
		next++
		for longer := n * 10; n > 0 && longer < min(n*10+10, c.issued); longer++ {
			from(longer)
		}
	}
	for first := int32(0); first < min(10, c.issued); first++ {
		from(first)
	}
	for n := range c.nodes {
		c.values[n] = ranks[c.nodes[n].canonical]
	}
}

// add writes one quad.
func (c *canonizer) add(q *Quad) error {
	if !wellFormed(q) {
		return errQuad
	}
	c.records = append(c.records, statement{start: int32(len(c.text))})
	r := &c.records[len(c.records)-1]
	r.node[0] = c.place(&q.Subject)
	r.predicate = int32(len(c.text))
	c.text = append(appendIRI(c.text, q.Predicate.Value), ' ')
	r.object = int32(len(c.text))
	r.node[1] = c.place(&q.Object)
	r.graph, r.node[2] = int32(len(c.text)), none
	if q.Graph.Kind != None {
		r.node[2] = c.place(&q.Graph)
	}
	c.text = append(c.text, ".\n"...)
	r.end = int32(len(c.text))
	return nil
}

func wellFormed(q *Quad) bool {
	return (q.Subject.Kind == IRI || q.Subject.Kind == Blank) && q.Predicate.Kind == IRI &&
		q.Object.Kind != None && q.Graph.Kind != Literal
}

// place writes a term and a space, a blank node as "_:z".
func (c *canonizer) place(t *Term) int32 {
	if t.Kind != Blank {
		c.text = append(appendTerm(c.text, t), ' ')
		return none
	}
	n, ok := c.byLabel[t.Value]
	if !ok {
		n = c.newNode()
		c.byLabel[t.Value] = n
	}
	c.text = append(c.text, "_:z "...)
	return n
}

// newNode adds a blank node.
func (c *canonizer) newNode() int32 {
	n := int32(len(c.nodes))
	c.nodes = append(c.nodes, node{canonical: none})
	c.values = append(c.values, 1)
	return n
}

// collect drops repeated records, since a dataset is a set, and notes for each
// node where it occurs (4.4.3 step 2).
func (c *canonizer) collect() {
	same := func(a, b statement) int {
		return cmp.Or(slices.Compare(a.node[:], b.node[:]), bytes.Compare(c.text[a.start:a.end], c.text[b.start:b.end]))
	}
	slices.SortFunc(c.records, same)
	c.records = slices.CompactFunc(c.records, func(a, b statement) bool { return same(a, b) == 0 })
	c.occurrences()
}

// occurrences notes the records of each node: how many they are, then where
// those of each begin, then which.
func (c *canonizer) occurrences() {
	all := int32(0)
	for i := range c.records {
		r := &c.records[i]
		for k, n := range r.node {
			if r.names(k) {
				c.nodes[n].to++
				all++
			}
		}
	}
	c.places = slices.Grow(c.places[:0], int(all))[:all]
	next := int32(0)
	for n := range c.nodes {
		node := &c.nodes[n]
		node.from, node.to, next = next, next, next+node.to
	}
	for i := range c.records {
		r := &c.records[i]
		for k, n := range r.node {
			if r.names(k) {
				c.places[c.nodes[n].to] = int32(i)
				c.nodes[n].to++
			}
		}
	}
}

// names reports whether a blank node is named for the first time in part k.
func (r *statement) names(k int) bool {
	n := r.node[k]
	return n != none && (k < 1 || n != r.node[0]) && (k < 2 || n != r.node[1])
}

// quads gives the records that a node occurs in.
func (c *canonizer) quads(n int32) []int32 { return c.places[c.nodes[n].from:c.nodes[n].to] }

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
		paths := c.paths[:0]
		for _, n := range group {
			if c.nodes[n].canonical != none {
				continue
			}
			if len(paths) == cap(paths) {
				paths = append(paths, path{})
			} else {
				paths = paths[:len(paths)+1]
			}
			p := &paths[len(paths)-1]
			p.issuer = issuer{order: p.issuer.order[:0]} // its room, if it was in use before
			p.issuer.issue(n)
			var err error
			if p.hash, err = c.nDegree(n, &p.issuer); err != nil {
				return err
			}
		}
		slices.SortStableFunc(paths, func(a, b path) int { return bytes.Compare(a.hash[:], b.hash[:]) })
		for i := range paths {
			for _, n := range paths[i].issuer.order {
				c.issue(n)
			}
		}
		c.paths = paths[:0]
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
// records, every other blank node "_:z".
func (c *canonizer) firstDegree(n int32) {
	quads := c.quads(n)
	c.values[n] = 0
	c.sort(quads)
	c.values[n] = 1
	in := c.input[:0]
	for _, i := range quads {
		r := &c.records[i]
		at := int32(len(in)) - r.start
		in = append(in, c.text[r.start:r.end]...)
		for k, other := range r.node {
			if other == n {
				in[at+r.part(k)+letter] = 'a'
			}
		}
	}
	c.nodes[n].hash = c.sum(in)
	c.input = in
}

// issuer gives out temporary labels "b0", "b1", … (4.5).
type issuer struct {
	order []int32
	index map[int32]int // of order, once it is long
}

// manyIssued is where searching in a line ends.
const manyIssued = 32

func (s *issuer) issue(n int32) int {
	i := s.find(n)
	if i < 0 {
		i = len(s.order)
		s.order = append(s.order, n)
		if s.index != nil {
			s.index[n] = i
		}
	}
	return i
}

// find gives the number of a node's label, or -1.
func (s *issuer) find(n int32) int {
	if len(s.order) <= manyIssued {
		return slices.Index(s.order, n)
	}
	if s.index == nil {
		s.index = make(map[int32]int, 2*len(s.order))
		for i, o := range s.order {
			s.index[o] = i
		}
	}
	if i, ok := s.index[n]; ok {
		return i
	}
	return -1
}

func (s *issuer) copy() *issuer { return &issuer{order: slices.Clone(s.order)} }

// path is the result of Hash N-Degree Quads.
type path struct {
	hash   digest
	issuer issuer
}

// relation is a blank node and the hash of how it is related to another.
type relation struct {
	hash digest
	node int32
}

func (c *canonizer) spend(n int) error {
	if c.work += n; c.work > maxWork {
		return ErrWork
	}
	return nil
}

// nDegree is Hash N-Degree Quads (4.8). The names that it issues stay in names.
func (c *canonizer) nDegree(id int32, names *issuer) (digest, error) {
	from := len(c.related)
	if err := c.relate(id, names); err != nil {
		return digest{}, err
	}
	to := len(c.related)
	data := len(c.input)
	for i := from; i < to; {
		end := i + 1
		for end < to && c.related[end].hash == c.related[i].hash {
			end++
		}
		c.input = c.appendHex(c.input, &c.related[i].hash)
		var err error
		if c.single(i, end) {
			err = c.only(c.related[i].node, end-i, names)
		} else {
			err = c.shortest(i, end, names)
		}
		if err != nil {
			return digest{}, err
		}
		i = end
	}
	h := c.sum(c.input[data:])
	c.input, c.related = c.input[:data], c.related[:from]
	return h, nil
}

// relate adds the blank nodes beside id with the hash of how they are related to
// it (4.8.3 steps 1 to 3, and 4.7), in the order of the hashes.
func (c *canonizer) relate(id int32, names *issuer) error {
	if err := c.spend(1 + len(c.quads(id))); err != nil {
		return err
	}
	from, data := len(c.related), len(c.input)
	graph := -1 // where the last relation to the name of a graph is
	for _, i := range c.quads(id) {
		r := &c.records[i]
		for k, n := range r.node {
			if n == none || n == id {
				continue
			}
			if k == 2 && graph >= 0 && c.related[graph].node == n {
				c.related = append(c.related, c.related[graph])
				continue
			}
			c.input = append(c.input[:data], components[k])
			if k < 2 {
				c.input = append(c.input, c.text[r.predicate:r.object-1]...)
			}
			if !c.appendName(n, names) {
				c.input = c.appendHex(c.input, &c.nodes[n].hash)
			}
			if k == 2 {
				graph = len(c.related)
			}
			c.related = append(c.related, relation{c.sum(c.input[data:]), n})
		}
	}
	c.input = c.input[:data]
	slices.SortStableFunc(c.related[from:], func(a, b relation) int { return bytes.Compare(a.hash[:], b.hash[:]) })
	return nil
}

// appendName appends the label that a node has, canonical or temporary, with
// "_:", to the input. It reports whether there is one.
func (c *canonizer) appendName(n int32, names *issuer) bool {
	if k := c.nodes[n].canonical; k != none {
		c.input = strconv.AppendInt(append(c.input, "_:c14n"...), int64(k), 10)
		return true
	}
	k := names.find(n)
	if k >= 0 {
		c.appendIssued(k)
	}
	return k >= 0
}

// appendIssued appends a temporary label to the input.
func (c *canonizer) appendIssued(k int) {
	c.input = strconv.AppendInt(append(c.input, "_:b"...), int64(k), 10)
}

// single reports whether the relations from i to end all lead to one node: the
// name of a graph is related to a node once for each quad of it.
func (c *canonizer) single(i, end int) bool {
	for j := i + 1; j < end; j++ {
		if c.related[j].node != c.related[i].node {
			return false
		}
	}
	return true
}

// only appends the path through a node that is the only one of its relation,
// where it stands times over: there is one order to try.
func (c *canonizer) only(n int32, times int, names *issuer) error {
	if err := c.spend(times); err != nil {
		return err
	}
	known := c.appendName(n, names)
	if !known {
		c.appendIssued(names.issue(n))
	}
	for range times - 1 {
		c.appendName(n, names)
	}
	if known {
		return nil
	}
	return c.deeper(n, names)
}

// deeper appends the path below a node (4.8.3 step 5.4.5).
func (c *canonizer) deeper(n int32, names *issuer) error {
	h, err := c.nDegree(n, names)
	if err != nil {
		return err
	}
	c.appendIssued(names.issue(n))
	c.input = append(c.appendHex(append(c.input, '<'), &h), '>')
	return nil
}

// shortest tries every order of the related nodes from i to end and appends the
// least path; its names are issued (4.8.3 steps 5.4 and 5.5).
func (c *canonizer) shortest(i, end int, names *issuer) error {
	nodes := make([]int32, 0, end-i)
	for _, r := range c.related[i:end] {
		nodes = append(nodes, r.node)
	}
	start := len(c.input)
	var best []byte
	var chosen issuer
	worse := func() bool {
		p := c.input[start:]
		return best != nil && len(p) >= len(best) && bytes.Compare(p, best) > 0
	}
	try := func(order []int32) error {
		defer func() { c.input = c.input[:start] }()
		if err := c.spend(len(order)); err != nil {
			return err
		}
		now := names.copy()
		var recursion []int32
		for _, n := range order {
			if !c.appendName(n, now) {
				recursion = append(recursion, n)
				c.appendIssued(now.issue(n))
			}
			if worse() {
				return nil
			}
		}
		for _, n := range recursion {
			if err := c.deeper(n, now); err != nil {
				return err
			}
			if worse() {
				return nil
			}
		}
		if p := c.input[start:]; best == nil || bytes.Compare(p, best) < 0 {
			best, chosen = bytes.Clone(p), *now
		}
		return nil
	}
	if err := permute(nodes, 0, try); err != nil {
		return err
	}
	c.input = append(c.input, best...)
	*names = chosen
	return nil
}

// permute calls f with every order of nodes, stopping at its first error. A node
// that occurs more than once gives no other order by changing places with
// itself.
func permute(nodes []int32, from int, f func([]int32) error) error {
	if from >= len(nodes)-1 {
		return f(nodes)
	}
	for i := from; i < len(nodes); i++ {
		if slices.Contains(nodes[from:i], nodes[i]) {
			continue
		}
		nodes[from], nodes[i] = nodes[i], nodes[from]
		if err := permute(nodes, from+1, f); err != nil {
			return err
		}
		nodes[from], nodes[i] = nodes[i], nodes[from]
	}
	return nil
}
