package rdf

import (
	"bytes"
	"crypto"
	"slices"
	"strconv"
	"sync"
)

// ref is a subject, object or graph name of a dataset: positive a term,
// negative a blank node, 0 nothing (the default graph).
type ref int32

func (n ref) isTerm() bool  { return n > 0 }
func (n ref) isBlank() bool { return n < 0 }

// index is the number of a blank node, from 0.
func (n ref) index() int32 { return int32(-n - 1) }

// dataset is a set of quads, each written as a line of canonical N-Quads with
// "_:z" for every blank node. It holds no pointers, so that a document costs
// the garbage collector nothing.
type dataset struct {
	words   []byte // the written terms
	terms   []span // of words; the first is nothing
	text    []byte // the written quads
	quads   []statement
	blanks  int
	strange bool // has a predicate that is no term of a compiled context
}

const (
	rdfNilNQ   = "<" + rdfNS + "nil>"
	rdfJSONEnd = "\"^^<" + rdfNS + "JSON>"
)

// verb is a predicate as it is written, and its number among those of compiled
// contexts, or none.
type verb struct {
	nq string
	id int32
}

var (
	verbType  = verb{"<" + rdfNS + "type>", 0}
	verbFirst = verb{"<" + rdfNS + "first>", 1}
	verbRest  = verb{"<" + rdfNS + "rest>", 2}
)

var datasets = sync.Pool{New: func() any { return new(dataset) }}

func newDataset() *dataset {
	d := datasets.Get().(*dataset)
	d.terms = append(d.terms, span{})
	return d
}

// release keeps nothing of what the dataset said.
func (d *dataset) release() {
	if cap(d.words)+cap(d.text) > 1<<18 {
		return
	}
	clear(d.words)
	clear(d.text)
	d.words, d.terms, d.text, d.quads = d.words[:0], d.terms[:0], d.text[:0], d.quads[:0]
	d.blanks, d.strange = 0, false
	datasets.Put(d)
}

func (d *dataset) blank() ref {
	d.blanks++
	return ref(-d.blanks)
}

func (d *dataset) iri(s []byte) ref {
	from := len(d.words)
	d.words = append(append(append(d.words, '<'), s...), '>')
	return d.push(from)
}

// written takes a term as N-Quads has it.
func (d *dataset) written(nq string) ref {
	from := len(d.words)
	d.words = append(d.words, nq...)
	return d.push(from)
}

// literal has a datatype as it is written, with its "^^", or "" for a plain
// string.
func (d *dataset) literal(s []byte, datatype string) ref {
	from := len(d.words)
	d.words = append(appendEscaped(append(d.words, '"'), s), '"')
	d.words = append(d.words, datatype...)
	return d.push(from)
}

func (d *dataset) push(from int) ref {
	d.terms = append(d.terms, span{int32(from), int32(len(d.words))})
	return ref(len(d.terms) - 1)
}

// term gives a term as it is written.
func (d *dataset) term(n ref) []byte {
	return d.words[d.terms[n].start:d.terms[n].end]
}

// add writes a quad. The caller sees to it that none comes twice.
func (d *dataset) add(subject ref, predicate verb, object, graph ref) {
	d.strange = d.strange || predicate.id == none
	d.quads = append(d.quads, statement{})
	q := &d.quads[len(d.quads)-1]
	q.rank = predicate.id
	t := d.text
	q.start = int32(len(t))
	t, q.node[0] = d.place(t, subject)
	q.predicate = int32(len(t))
	t = append(append(t, predicate.nq...), ' ')
	q.object = int32(len(t))
	t, q.node[1] = d.place(t, object)
	q.graph, q.node[2] = int32(len(t)), none
	if graph != 0 {
		t, q.node[2] = d.place(t, graph)
	}
	d.text = append(t, '.', '\n')
	q.end = int32(len(d.text))
}

func (d *dataset) place(t []byte, n ref) (text []byte, blank int32) {
	if n.isBlank() {
		return append(t, '_', ':', 'z', ' '), n.index()
	}
	return append(append(t, d.term(n)...), ' '), none
}

// repeated reports whether the last quad, whose object is a term, equals one
// from the from-th on.
func (d *dataset) repeated(from int) bool {
	last := &d.quads[len(d.quads)-1]
	text := d.text[last.start:last.end]
	for i := from; i < len(d.quads)-1; i++ {
		q := &d.quads[i]
		if q.node == last.node && q.end-q.start == last.end-last.start && bytes.Equal(d.text[q.start:q.end], text) {
			return true
		}
	}
	return false
}

// list gives the quads as terms, with blank nodes named in the order in which
// the document has them.
func (d *dataset) list() []Quad {
	labels := make([]string, d.blanks)
	for i := range labels {
		labels[i] = "b" + strconv.Itoa(i)
	}
	text := string(d.text)
	quads := make([]Quad, len(d.quads))
	for i := range d.quads {
		s := &d.quads[i]
		r := nqReader{s: text[s.start : s.end-1]}
		q, ok := r.statement()
		if !ok {
			panic("rdf: a compiled quad is malformed")
		}
		for k, t := range []*Term{&q.Subject, &q.Object, &q.Graph} {
			if n := s.node[k]; n != none {
				t.Value = labels[n]
			}
		}
		quads[i] = q
	}
	return quads
}

// canonical appends the dataset's canonical N-Quads to dst (RDFC-1.0).
func (d *dataset) canonical(dst []byte, h crypto.Hash) ([]byte, error) {
	c, err := newCanonizer(h)
	if err != nil {
		return nil, err
	}
	defer c.free()
	if err := c.feed(d); err != nil {
		return nil, err
	}
	c.write()
	return append(dst, c.out...), nil
}

// digest appends the hash of the dataset's canonical N-Quads to dst.
func (d *dataset) digest(dst []byte, h crypto.Hash) ([]byte, error) {
	c, err := newCanonizer(h)
	if err != nil {
		return nil, err
	}
	defer c.free()
	if err := c.feed(d); err != nil {
		return nil, err
	}
	return c.appendDigest(dst), nil
}

// feed takes over the quads of a dataset and labels its nodes.
func (c *canonizer) feed(d *dataset) error {
	for range d.blanks {
		c.newNode()
	}
	c.text, d.text = d.text, c.text[:0]
	c.records, d.quads = d.quads, c.records[:0]
	if d.strange {
		c.rank()
	} else {
		ranks := verbs.Load().ranks
		for i := range c.records {
			c.records[i].rank = ranks[c.records[i].rank]
		}
		c.presort(len(ranks))
	}
	c.occurrences()
	return c.label()
}

// presort puts the records in the order of their predicates' ranks, of which
// there are n: then those of each node nearly are in order, too.
func (c *canonizer) presort(n int) {
	c.ranked = slices.Grow(c.ranked[:0], n+1)[:n+1]
	next := c.ranked
	clear(next)
	for i := range c.records {
		next[c.records[i].rank+1]++
	}
	for i := range n {
		next[i+1] += next[i]
	}
	c.spare = slices.Grow(c.spare[:0], len(c.records))[:len(c.records)]
	for i := range c.records {
		r := &c.records[i]
		c.spare[next[r.rank]] = *r
		next[r.rank]++
	}
	c.records, c.spare = c.spare, c.records[:0]
}

// rankKnown takes the ranks of predicates from those of compiled contexts, if
// all are among them.
func (c *canonizer) rankKnown() bool {
	known := verbs.Load()
	if known == nil {
		return false
	}
	for i := range c.records {
		r := &c.records[i]
		id, ok := known.ids[string(c.text[r.predicate:r.object-1])]
		if !ok {
			return false
		}
		r.rank = known.ranks[id]
	}
	return true
}
