//go:build !js

package vc

import (
	"crypto"
	"slices"
	"strconv"

	"github.com/kinpass/kinpass/internal/rdf"
)

// statements is a document as the issuer and the holder see it: its JSON, the
// statements that it makes in the order in which they are signed, and how a
// part of the JSON finds its statements again.
//
// The specification finds them by giving every unnamed node an identifier in
// the expanded document and compacting that. Here the identifiers are written
// into the JSON as it stands, and the canonical form of the result is compared
// with that of the document itself: if they are equal the identifiers were put
// where nodes are. That holds for any context and costs two passes of the
// compiled path for documents of ours.
type statements struct {
	tree   *jsonTree
	ids    *skolem
	lists  []bool            // by node of the tree: arrays whose order is signed
	edges  map[edge]string   // labels of nodes that no JSON object stands for
	labels map[string]string // label of each blank node to its HMAC
	lines  []string          // sorted, with HMAC labels
	at     map[string]int    // index of each line
}

// edge is how a node without a JSON object is reached: a cell of a list, or a
// graph.
type edge struct{ subject, predicate string }

const (
	rdfFirst = "http://www.w3.org/1999/02/22-rdf-syntax-ns#first"

	// The search for objects that are no nodes expands the document once per
	// trial. Its work is bounded by the trials and by what they read in all.
	maxTrials     = 128
	maxTrialBytes = 1 << 20
)

// openStatements reads a document whose statements are to be signed, or were
// signed with labels under hmacKey.
func openStatements(doc, hmacKey []byte) (*statements, error) {
	tree, err := parseTree(doc)
	if err != nil {
		return nil, err
	}
	d := &statements{tree: tree, edges: make(map[edge]string)}
	if d.ids, err = newSkolem(tree); err != nil {
		return nil, err
	}
	quads, err := rdf.Quads(doc)
	if err != nil {
		return nil, err
	}
	if len(quads) > maxStatements {
		return nil, ErrSelectiveStatements
	}
	want, err := rdf.Canonicalize(quads, crypto.SHA256)
	if err != nil {
		return nil, err
	}
	if hasEmptyArray(doc) {
		if err := tree.muteUnsigned(want.Lines); err != nil {
			return nil, err
		}
	}
	quads, canon, err := d.findNodes(want.Lines)
	if err != nil {
		return nil, err
	}
	names, err := d.name(quads)
	if err != nil {
		return nil, err
	}
	d.labels = make(map[string]string, len(canon.Labels))
	for from, c14n := range canon.Labels {
		if n, ok := names[from]; ok {
			from = n
		}
		d.labels[from] = hmacLabel(hmacKey, c14n)
	}
	d.lines = sortedLines(quads, d.labels)
	d.at = make(map[string]int, len(d.lines))
	for i, l := range d.lines {
		d.at[l] = i
	}
	d.findLists(quads)
	return d, nil
}

// findNodes settles which JSON objects are nodes of the graph. All are taken
// for nodes first. If the document then means something else (a literal that is
// JSON, a language map), the objects are halved until those are left out that
// change the meaning.
func (d *statements) findNodes(want []string) ([]rdf.Quad, *rdf.Canon, error) {
	trials, limit := 0, min(maxTrials, 1+maxTrialBytes/len(d.tree.text))
	try := func() ([]rdf.Quad, *rdf.Canon) {
		trials++
		quads, err := d.skolemised(nil)
		if err != nil {
			return nil, nil
		}
		canon, err := rdf.Canonicalize(quads, crypto.SHA256)
		if err != nil || !slices.Equal(canon.Lines, want) {
			return nil, nil
		}
		return quads, canon
	}
	if quads, canon := try(); canon != nil {
		return quads, canon, nil
	}
	var candidates []int
	for n, ok := range d.ids.nodes {
		if ok {
			candidates = append(candidates, n)
		}
	}
	clear(d.ids.nodes)
	var good func(some []int)
	good = func(some []int) {
		if len(some) == 0 || trials >= limit {
			return
		}
		for _, n := range some {
			d.ids.nodes[n] = true
		}
		if _, canon := try(); canon != nil {
			return
		}
		for _, n := range some {
			d.ids.nodes[n] = false
		}
		if len(some) > 1 {
			good(some[:len(some)/2])
			good(some[len(some)/2:])
		}
	}
	good(candidates)
	if trials < limit {
		if quads, canon := try(); canon != nil {
			return quads, canon, nil
		}
	}
	return nil, nil, ErrSelectiveNodes
}

// nodesOf gives the terms of a quad that can be nodes.
func nodesOf(q *rdf.Quad) [3]*rdf.Term { return [3]*rdf.Term{&q.Subject, &q.Object, &q.Graph} }

// skolemised gives the statements of what sel shows (nil: of all), with a blank
// node for each JSON object that is one.
func (d *statements) skolemised(sel selection) ([]rdf.Quad, error) {
	quads, err := rdf.Quads(d.tree.append(make([]byte, 0, 2*len(d.tree.text)), 0, sel, d.ids))
	if err != nil {
		return nil, err
	}
	if len(quads) > maxStatements {
		return nil, ErrSelectiveStatements
	}
	for i := range quads {
		for _, t := range nodesOf(&quads[i]) {
			if l, ok := d.ids.label(t.Value); ok && t.Kind == rdf.IRI {
				*t = rdf.Term{Kind: rdf.Blank, Value: l}
			}
		}
	}
	return quads, nil
}

// name gives the blank nodes that stand for no JSON object (cells of lists,
// graphs) labels that are the same in the whole and in each of its parts: each
// is named by how it is reached. It returns the new name of each old one.
func (d *statements) name(quads []rdf.Quad) (map[string]string, error) {
	own := make(map[string]bool, len(d.ids.nodes))
	for n, ok := range d.ids.nodes {
		if ok {
			own["n"+strconv.Itoa(n)] = true
		}
	}
	from := make(map[string]*rdf.Quad)
	for i := range quads {
		if o := &quads[i].Object; o.Kind == rdf.Blank && !own[o.Value] {
			if from[o.Value] != nil {
				return nil, ErrSelectiveNodes
			}
			from[o.Value] = &quads[i]
		}
	}
	names := make(map[string]string, len(from))
	taken := make(map[string]bool, len(from))
	var label func(blank string, depth int) (string, error)
	label = func(blank string, depth int) (string, error) {
		if own[blank] {
			return blank, nil
		}
		if l, ok := names[blank]; ok {
			return l, nil
		}
		q := from[blank]
		if q == nil || depth > len(from) { // nothing leads there, or a circle
			return "", ErrSelectiveNodes
		}
		e := edge{"<" + q.Subject.Value, q.Predicate.Value}
		if q.Subject.Kind == rdf.Blank {
			parent, err := label(q.Subject.Value, depth+1)
			if err != nil {
				return "", err
			}
			e.subject = parent
		}
		l, ok := d.edges[e]
		if !ok {
			l = "l" + strconv.Itoa(len(d.edges))
			d.edges[e] = l
		}
		if taken[l] { // two lists of one subject under one property
			return "", ErrSelectiveNodes
		}
		taken[l] = true
		names[blank] = l
		return l, nil
	}
	for i := range quads {
		for _, t := range nodesOf(&quads[i]) {
			if t.Kind != rdf.Blank {
				continue
			}
			if _, err := label(t.Value, 0); err != nil {
				return nil, err
			}
		}
	}
	for i := range quads {
		for _, t := range nodesOf(&quads[i]) {
			if l, ok := names[t.Value]; ok && t.Kind == rdf.Blank {
				t.Value = l
			}
		}
	}
	return names, nil
}

// quads gives the statements of what sel shows with labels that are the same
// for all parts.
func (d *statements) quads(sel selection) ([]rdf.Quad, error) {
	quads, err := d.skolemised(sel)
	if err != nil {
		return nil, err
	}
	_, err = d.name(quads)
	return quads, err
}

// findLists marks the arrays that are ordered lists of nodes.
func (d *statements) findLists(quads []rdf.Quad) {
	d.lists = make([]bool, len(d.tree.nodes))
	items := make(map[string]bool)
	for _, q := range quads {
		if q.Predicate.Value == rdfFirst && q.Object.Kind != rdf.Literal {
			items[q.Object.Value] = true
		}
	}
	for n, v := range d.tree.nodes {
		if v.kind != '[' {
			continue
		}
		d.tree.children(n, func(c int) bool {
			if d.tree.nodes[c].kind != '{' {
				return true
			}
			d.lists[n] = d.ids.nodes[c] && items["n"+strconv.Itoa(c)] || items[d.identifier(c)]
			return d.lists[n]
		})
	}
}

// identifier gives the id of a JSON object, if it has one.
func (d *statements) identifier(n int) (id string) {
	if d.tree.nodes[n].kind != '{' {
		return ""
	}
	d.tree.children(n, func(c int) bool {
		if v := &d.tree.nodes[c]; (v.name == "id" || v.name == "@id") && v.kind == '"' {
			id = text(d.tree.text[v.from:v.to])
		}
		return id == ""
	})
	return id
}

// keepLists shows the other objects of a list that a pointer enters as far as
// their id and type: the list was signed with its length.
func (d *statements) keepLists(sel selection) {
	for n, is := range d.lists {
		if !is || sel[n] != passed {
			continue
		}
		d.tree.children(n, func(c int) bool {
			if sel[c] == hidden && d.tree.nodes[c].kind == '{' {
				sel[c] = passed
			}
			return true
		})
	}
}

// part gives what sel shows: its statements, and the indexes of their lines
// among all. A part that says what the whole does not say is refused.
func (d *statements) part(sel selection) ([]rdf.Quad, []int, error) {
	d.keepLists(sel)
	quads, err := d.quads(sel)
	if err != nil {
		return nil, nil, ErrSelectiveSplit.With(err)
	}
	lines := sortedLines(quads, d.labels)
	indexes := make([]int, len(lines))
	for i, l := range lines {
		n, ok := d.at[l]
		if !ok {
			return nil, nil, ErrSelectiveSplit
		}
		indexes[i] = n
	}
	return quads, indexes, nil
}

// mandatory gives the indexes of the lines that pointers select, of which there
// may be none.
func (d *statements) mandatory(pointers []string) ([]int, error) {
	if len(pointers) == 0 {
		return nil, nil
	}
	sel, err := d.tree.choose(pointers)
	if err != nil {
		return nil, err
	}
	_, indexes, err := d.part(sel)
	return indexes, err
}

// disclose makes the proof value for the part that sel shows, which the
// mandatory lines are within.
func (d *statements) disclose(sel selection, mandatory []int, base *sdBase) (*sdDerived, error) {
	quads, indexes, err := d.part(sel)
	if err != nil {
		return nil, err
	}
	v := &sdDerived{signature: base.signature, key: base.key}
	m, others := 0, 0 // mandatory lines and others before the line i
	next := 0
	for i := range d.lines {
		is := m < len(mandatory) && mandatory[m] == i
		shown := next < len(indexes) && indexes[next] == i
		switch {
		case is && !shown:
			return nil, ErrSelectiveSplit
		case is:
			v.mandatory = append(v.mandatory, next)
		case shown:
			v.signatures = append(v.signatures, base.signatures[others])
		}
		if shown {
			next++
		}
		if is {
			m++
		} else {
			others++
		}
	}
	canon, err := rdf.Canonicalize(quads, crypto.SHA256)
	if err != nil {
		return nil, err
	}
	v.labels = make([][]byte, len(canon.Labels))
	for from, c14n := range canon.Labels {
		n, ok := arrayIndex(c14n[len("c14n"):])
		if !ok || n >= len(v.labels) {
			return nil, ErrSelectiveLabels
		}
		if v.labels[n], err = b64.DecodeString(d.labels[from][1:]); err != nil {
			return nil, err
		}
	}
	return v, nil
}
