//go:build !js

package vc

import (
	"crypto"
	"crypto/rand"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/rdf"
)

// Errors of JSON pointers and of what they select.
var (
	ErrSelectivePointer = fault.New(fault.Invalid, "selective-pointer-invalid", "not a JSON pointer (RFC 6901), or too long or too many of them")
	ErrSelectiveNoMatch = fault.New(fault.Unprocessable, "selective-pointer-no-match", "a JSON pointer matches nothing in the document")
	ErrSelectiveNothing = fault.New(fault.Unprocessable, "selective-nothing-disclosed", "nothing is mandatory and nothing was chosen to be disclosed")
	ErrSelectiveMute    = fault.New(fault.Unprocessable, "selective-unsigned", "an empty array says nothing that a signature could cover")
	ErrSelectiveSize    = fault.New(fault.TooLarge, "selective-document-large", "the document is too large for selective disclosure")
)

// maxSDDocument bounds the JSON of a document whose parts are disclosed.
const maxSDDocument = 512 << 10

// jsonTree is a JSON object with the place of each value in its text, so that
// what is shown of it keeps its bytes: numbers, escapes and order stay.
type jsonTree struct {
	text  []byte
	nodes []jsonValue // in the order of the text; nodes[0] is the whole
	mute  []int       // nodes that are never shown
}

// jsonValue is one value. Its first child, if any, is the next node; the
// children's next fields lead from one to the other.
type jsonValue struct {
	kind     byte   // the first byte of the value
	name     string // of a member, decoded
	quoted   []byte // of a member, as it stands in the text
	from, to int    // bytes of the value
	end      int    // the node after the last one below this
}

// parseTree reads a JSON object strictly.
func parseTree(text []byte) (*jsonTree, error) {
	if len(text) > maxSDDocument {
		return nil, ErrSelectiveSize
	}
	if err := CheckJSON(text, maxNesting); err != nil {
		return nil, err
	}
	t := &jsonTree{text: text, nodes: make([]jsonValue, 0, 64)}
	r := &reader{d: text}
	if r.peek() != '{' {
		return nil, ErrJSON
	}
	t.read(r, "", nil)
	return t, nil
}

func (t *jsonTree) read(r *reader, name string, quoted []byte) {
	n := len(t.nodes)
	t.nodes = append(t.nodes, jsonValue{kind: r.peek(), name: name, quoted: quoted, from: r.i})
	switch t.nodes[n].kind {
	case '{':
		r.i++
		for first := true; r.more(first); first = false {
			r.space()
			at := r.i
			name := r.string()
			quoted := t.text[at:r.i]
			r.space()
			r.i++ // the colon
			t.read(r, name, quoted)
		}
	case '[':
		r.i++
		for first := true; r.more(first); first = false {
			t.read(r, "", nil)
		}
	default:
		r.skip()
	}
	t.nodes[n].to, t.nodes[n].end = r.i, len(t.nodes)
}

// children calls f for each value directly below node n until f says false.
func (t *jsonTree) children(n int, f func(child int) bool) {
	for c := n + 1; c < t.nodes[n].end; c = t.nodes[c].end {
		if !f(c) {
			return
		}
	}
}

// child finds one step of a pointer below node n, or gives 0.
func (t *jsonTree) child(n int, step string) (found int) {
	switch t.nodes[n].kind {
	case '{':
		t.children(n, func(c int) bool {
			if t.nodes[c].name == step {
				found = c
			}
			return found == 0
		})
	case '[':
		i, ok := arrayIndex(step)
		if !ok {
			return 0
		}
		t.children(n, func(c int) bool {
			if i == 0 {
				found = c
			}
			i--
			return found == 0
		})
	}
	return found
}

// arrayIndex reads an array index as RFC 6901, section 4, writes it: digits
// without leading zeros.
func arrayIndex(step string) (int, bool) {
	if step == "" || len(step) > 7 || len(step) > 1 && step[0] == '0' {
		return 0, false
	}
	n := 0
	for _, c := range []byte(step) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int(c-'0')
	}
	return n, true
}

// pointerSteps takes a JSON pointer apart (RFC 6901, section 3).
func pointerSteps(pointer string) ([]string, error) {
	if pointer == "" {
		return nil, nil
	}
	if pointer[0] != '/' || len(pointer) > maxPointer {
		return nil, ErrSelectivePointer
	}
	steps := strings.Split(pointer[1:], "/")
	for i, s := range steps {
		if strings.IndexByte(s, '~') < 0 {
			continue
		}
		out := make([]byte, 0, len(s))
		for j := 0; j < len(s); j++ {
			if s[j] != '~' {
				out = append(out, s[j])
				continue
			}
			switch j++; {
			case j < len(s) && s[j] == '0':
				out = append(out, '~')
			case j < len(s) && s[j] == '1':
				out = append(out, '/')
			default:
				return nil, ErrSelectivePointer
			}
		}
		steps[i] = string(out)
	}
	return steps, nil
}

// shown is what a selection discloses of one value.
type shown uint8

const (
	hidden shown = iota
	passed       // an object or array on the way to what is shown: its id, type and @context only
	whole
)

// selection says of every node of a tree what is shown of it. A node below one
// that is shown as a whole is shown, whatever its own entry says.
type selection []shown

// choose marks what JSON pointers select (Data Integrity ECDSA Cryptosuites
// 1.0, section 3.4.11 and 3.4.13). One that matches nothing is an error.
func (t *jsonTree) choose(pointers []string) (selection, error) {
	if len(pointers) == 0 {
		return nil, ErrSelectiveNothing
	}
	if len(pointers) > maxPointers {
		return nil, ErrSelectivePointer
	}
	sel := make(selection, len(t.nodes))
	sel[0] = passed
	for _, p := range pointers {
		steps, err := pointerSteps(p)
		if err != nil {
			return nil, err
		}
		n := 0
		for _, s := range steps {
			sel[n] = max(sel[n], passed)
			if n = t.child(n, s); n == 0 {
				return nil, ErrSelectiveNoMatch
			}
		}
		if slices.Contains(t.mute, n) {
			return nil, ErrSelectiveMute
		}
		sel[n] = whole
	}
	return sel, nil
}

// mutes reports whether something in node n is never shown.
func (t *jsonTree) mutes(n int) bool {
	return slices.ContainsFunc(t.mute, func(m int) bool { return n < m && m < t.nodes[n].end })
}

// maxEmpty bounds the empty arrays of a document, each of which is tried.
const maxEmpty = 8

// muteUnsigned mutes the empty arrays whose absence would say the same: lines
// is the canonical form of the document. JSON-LD sees nothing in them, where a
// reader sees "none", so anybody could add one to what is signed.
func (t *jsonTree) muteUnsigned(lines []string) error {
	var empty, unsigned []int
	for n := 0; n < len(t.nodes); n++ {
		switch v := &t.nodes[n]; {
		case v.name == "@context":
			n = v.end - 1
		case v.kind == '[' && v.end == n+1:
			empty = append(empty, n)
		}
	}
	if len(empty) > maxEmpty {
		return ErrSelectiveMute
	}
	for _, n := range empty {
		// What holds the array may be no more than another way to write it
		// ({"@set": []}), also under a name that a context gave to "@set".
		mute := 0
		for a := n; a > 0; a = t.parent(a) {
			t.mute = []int{a}
			same, err := t.says(lines)
			if same || err != nil && a == n {
				mute = a
			}
		}
		if mute > 0 {
			unsigned = append(unsigned, mute)
		}
	}
	t.mute = unsigned
	return nil
}

// says reports whether what is not mute has the canonical form lines.
func (t *jsonTree) says(lines []string) (bool, error) {
	quads, err := rdf.Quads(t.append(nil, 0, nil, nil))
	if err != nil {
		return false, err
	}
	canon, err := rdf.Canonicalize(quads, crypto.SHA256)
	if err != nil {
		return false, err
	}
	return slices.Equal(canon.Lines, lines), nil
}

// parent gives the node that node n is directly below, 0 for the whole.
func (t *jsonTree) parent(n int) int {
	for p := n - 1; p > 0; p-- {
		if t.nodes[p].end > n {
			return p
		}
	}
	return 0
}

// hasEmptyArray reports whether a JSON text has an empty array anywhere.
func hasEmptyArray(text []byte) bool {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
		case '[':
			if j := skipSpace(text, i+1); j < len(text) && text[j] == ']' {
				return true
			}
		}
	}
	return false
}

// alwaysShown reports whether a member stays with an object that a pointer
// passes: without its id and its types the rest would be said of somebody else,
// without its context it would mean something else.
func alwaysShown(member string) bool {
	switch member {
	case "id", "type", "@id", "@type", "@context":
		return true
	}
	return false
}

// append writes node n as far as sel shows it; a nil sel shows all. Every
// object of ids gets the id that ids names it by.
func (t *jsonTree) append(dst []byte, n int, sel selection, ids *skolem) []byte {
	v := &t.nodes[n]
	if sel != nil && sel[n] == whole {
		sel = nil
	}
	if v.kind != '{' && v.kind != '[' || sel == nil && ids == nil && !t.mutes(n) {
		return append(dst, t.text[v.from:v.to]...)
	}
	dst = append(dst, v.kind)
	some := false
	comma := func() {
		if some {
			dst = append(dst, ',')
		}
		some = true
	}
	t.children(n, func(c int) bool {
		below := sel
		switch {
		case v.kind == '{' && alwaysShown(t.nodes[c].name):
			below = nil
		case sel != nil && sel[c] == hidden || slices.Contains(t.mute, c):
			return true
		}
		comma()
		if v.kind == '{' {
			dst = append(append(dst, t.nodes[c].quoted...), ':')
		}
		if t.nodes[c].name == "@context" && v.kind == '{' {
			dst = append(dst, t.text[t.nodes[c].from:t.nodes[c].to]...)
		} else {
			dst = t.append(dst, c, below, ids)
		}
		return true
	})
	if v.kind == '{' && ids != nil && ids.nodes[n] {
		comma()
		dst = append(append(dst, `"id":"`...), ids.prefix...)
		dst = append(strconv.AppendInt(dst, int64(n), 10), '"')
	}
	return append(dst, v.kind+2) // '}' or ']'
}

// skolem gives the nodes of a graph that have no identifier one for a while
// (RDF 1.1 Concepts, section 3.5), so that they can be found again in a part of
// the document.
type skolem struct {
	prefix string // of the IRIs; the number of the JSON object follows
	nodes  []bool // by node of the tree
}

// newSkolem takes every object of t for a node of the graph that could be one:
// it has no identifier and is none of JSON-LD's other objects.
func newSkolem(t *jsonTree) (*skolem, error) {
	var random [16]byte
	if _, err := rand.Read(random[:]); err != nil {
		return nil, err
	}
	ids := &skolem{prefix: "urn:bnid:" + hex.EncodeToString(random[:]) + ":", nodes: make([]bool, len(t.nodes))}
	for n := 0; n < len(t.nodes); n++ {
		if t.nodes[n].name == "@context" {
			n = t.nodes[n].end - 1
			continue
		}
		if t.nodes[n].kind != '{' {
			continue
		}
		ids.nodes[n] = true
		t.children(n, func(c int) bool {
			switch t.nodes[c].name {
			case "id", "@id", "@value", "@list", "@set":
				ids.nodes[n] = false
			}
			return ids.nodes[n]
		})
	}
	return ids, nil
}

// label gives the blank node label that stands for a skolem IRI.
func (ids *skolem) label(iri string) (string, bool) {
	n, ok := strings.CutPrefix(iri, ids.prefix)
	return "n" + n, ok
}
