// Package rdf turns JSON-LD into RDF and RDF into one canonical text, so that
// a signature can cover what a document means (RDF Dataset Canonicalization
// 1.0, JSON-LD 1.1).
//
// Canonical is the way in: JSON bytes to canonical N-Quads. Documents of known
// contexts and plain shape take a compiled path that needs no JSON-LD
// processor; everything else goes through expansion. Both give the same bytes
// or an error, and both refuse what JSON-LD would drop in silence: a term or
// type without a meaning would be left unsigned.
//
// Contexts are built in, with their digests. Nothing is ever fetched.
package rdf

// Kind says what a Term is. The zero Kind is no term at all: the graph of a
// quad in the default graph.
type Kind uint8

// Kinds of terms.
const (
	None Kind = iota
	IRI
	Blank // Value is the label without "_:"
	Literal
)

// Term is one node of a quad. Datatype and Lang are set for literals only: a
// literal with a Lang has the datatype rdf:langString, and an empty Datatype
// means xsd:string.
type Term struct {
	Kind     Kind
	Value    string
	Datatype string
	Lang     string
}

// Quad is one statement of a dataset.
type Quad struct {
	Subject   Term
	Predicate Term
	Object    Term
	Graph     Term
}
