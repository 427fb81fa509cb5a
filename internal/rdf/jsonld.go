package rdf

import "crypto"

// Canonical reads a JSON-LD document strictly, as Quads does, and gives its
// canonical N-Quads (RDFC-1.0 with SHA-256 or SHA-384).
func Canonical(doc []byte, h crypto.Hash) ([]byte, error) {
	if d := compiled(doc); d != nil {
		defer d.release()
		return d.canonical(nil, h)
	}
	return canonicalSlow(doc, h)
}

// AppendDigest appends the hash of a document's canonical N-Quads to dst: what a
// Data Integrity proof covers.
func AppendDigest(dst, doc []byte, h crypto.Hash) ([]byte, error) {
	return appendDigestOf(dst, doc, h, nil)
}

// appendDigestOf is AppendDigest, and keeps what doc contains, unless contained
// is nil.
func appendDigestOf(dst, doc []byte, h crypto.Hash, contained *Contained) ([]byte, error) {
	if d := compiledKeeping(doc, contained); d != nil {
		defer d.release()
		return d.digest(dst, h)
	}
	if contained != nil {
		contained.Release() // of what was kept before the compiled path gave up
	}
	quads, err := quadsSlow(doc)
	if err != nil {
		return nil, err
	}
	return appendDigest(dst, quads, h)
}

func canonicalSlow(doc []byte, h crypto.Hash) ([]byte, error) {
	quads, err := quadsSlow(doc)
	if err != nil {
		return nil, err
	}
	return appendCanonical(nil, quads, h)
}

// Quads turns a JSON-LD 1.1 document into RDF. It is strict: whatever JSON-LD
// would leave out in silence is refused, since a signature over RDF would not
// cover it. There is no base IRI, contexts are those built in and those written
// out in the document, and nothing is fetched. A base direction becomes part of
// the datatype (i18n-datatype). On any error it returns nothing.
func Quads(doc []byte) ([]Quad, error) {
	if d := compiled(doc); d != nil {
		defer d.release()
		return d.list(), nil
	}
	return quadsSlow(doc)
}

// Check makes the checks of Quads alone, with the same errors.
func Check(doc []byte) error {
	if d := compiled(doc); d != nil {
		d.release()
		return nil
	}
	_, err := quadsSlow(doc)
	return err
}

func quadsSlow(doc []byte) ([]Quad, error) {
	v, err := readJSON(doc)
	if err != nil {
		return nil, err
	}
	if _, ok := v.(map[string]any); !ok {
		return nil, ErrJSONLD
	}
	p := processor{strict: true, load: loadBuiltin}
	nodes, err := p.expand(v, p.initial())
	if err != nil {
		return nil, err
	}
	var e emitter
	if err := e.document(nodes); err != nil {
		return nil, err
	}
	return e.quads, nil
}
