package rdf

import (
	"bytes"
	"crypto"
)

// Contained holds what was read of the documents that a document contains, each
// in a graph of its own, as the credentials of a presentation are. Each was
// signed by somebody else before, without its proof and alone: so it is asked
// for once more, and need not be read once more. The zero Contained is empty.
// It is for one goroutine.
type Contained struct {
	parts []part
}

// part is one contained document.
type part struct {
	text []byte   // as it stands there, with its proof
	data *dataset // what it says by itself and without its member proof
}

// maxParts bounds what is kept of one document.
const maxParts = 16

// AppendDigest is the function of this name, and keeps what doc contains. The
// text of doc must not change before Release.
func (c *Contained) AppendDigest(dst, doc []byte, h crypto.Hash) ([]byte, error) {
	c.Release()
	return appendDigestOf(dst, doc, h, c)
}

// AppendUnsecured appends the digest that AppendDigest would give for a
// contained document without its member proof, if it was kept: ok is false if
// not. What was kept is given once.
func (c *Contained) AppendUnsecured(dst, secured []byte, h crypto.Hash) (out []byte, ok bool, err error) {
	for i, p := range c.parts {
		if !bytes.Equal(p.text, secured) {
			continue
		}
		c.parts[i] = part{}
		out, err = p.data.digest(dst, h)
		p.data.release()
		return out, true, err
	}
	return nil, false, nil
}

// Release forgets all that was kept.
func (c *Contained) Release() {
	for _, p := range c.parts {
		if p.data != nil {
			p.data.release()
		}
	}
	clear(c.parts)
	c.parts = c.parts[:0]
}

// mark is a place in the writing of a dataset.
type mark struct {
	quads  int
	blanks int32
}

func (d *dataset) mark() mark { return mark{len(d.quads), int32(d.blanks)} }

// outline is where the quads of a contained document are: from its beginning to
// its end, its proof's among them. A document is written depth first, so all
// that it says stands together, and so do its unnamed nodes.
type outline struct {
	from, proof, after, to mark
	proven                 bool // has a proof, and says more than that
}

// keep takes over the quads of a contained document, with the exception of its
// proof's, as they were if it had been read alone.
func (c *Contained) keep(d *dataset, text []byte, name ref, o outline) {
	if !o.proven || len(c.parts) == maxParts {
		return
	}
	// A document's context is its own wherever it stands (the term's is null),
	// its unnamed nodes are nobody else's, and what it says is said of its own
	// graph. So it is the same but for the number of each unnamed node.
	out := newDataset()
	out.strange = d.strange
	out.blanks = int(o.to.blanks - o.from.blanks - (o.after.blanks - o.proof.blanks))
	for i := o.from.quads; i < o.to.quads; i++ {
		if i == o.proof.quads {
			i = o.after.quads
			if i >= o.to.quads {
				break
			}
		}
		if !out.take(d, &d.quads[i], name.index(), &o) {
			out.release()
			return
		}
	}
	c.parts = append(c.parts, part{text, out})
}

// take copies a quad of d. It gives false for one that speaks of a node from
// outside.
func (out *dataset) take(d *dataset, q *statement, graph int32, o *outline) bool {
	shift := int32(len(out.text)) - q.start
	n := statement{
		start: q.start + shift, predicate: q.predicate + shift, object: q.object + shift, graph: q.graph + shift, end: q.end + shift,
		rank: q.rank, node: q.node,
	}
	if q.node[2] == graph {
		out.text = append(append(out.text, d.text[q.start:q.graph]...), '.', '\n')
		n.end, n.node[2] = int32(len(out.text)), none
	} else {
		out.text = append(out.text, d.text[q.start:q.end]...)
	}
	for k, b := range n.node {
		switch {
		case b == none:
		case b >= o.from.blanks && b < o.proof.blanks:
			n.node[k] = b - o.from.blanks
		case b >= o.after.blanks && b < o.to.blanks:
			n.node[k] = b - o.from.blanks - (o.after.blanks - o.proof.blanks)
		default:
			return false
		}
	}
	out.quads = append(out.quads, n)
	return true
}
