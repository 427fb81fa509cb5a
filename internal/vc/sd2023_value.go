//go:build !js

package vc

import (
	"unicode/utf8"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/fault"
)

// Errors of ecdsa-sd-2023 proof values. None repeats its input.
var (
	ErrSelectiveLarge   = fault.New(fault.TooLarge, "selective-proof-large", "the selective disclosure proof is larger than any credential needs")
	ErrSelectiveHeader  = fault.New(fault.Invalid, "selective-proof-header", "the proofValue does not begin as an ecdsa-sd-2023 proof does")
	ErrSelectiveValue   = fault.New(fault.Invalid, "selective-proof-value", "the proofValue is not the CBOR that ecdsa-sd-2023 makes")
	ErrSelectiveBase    = fault.New(fault.Invalid, "selective-base-proof", "a base proof is for the holder alone; a verifier needs a proof derived from it")
	ErrSelectiveDerived = fault.New(fault.Invalid, "selective-derived-proof", "the proof is a derived one; only a base proof can be derived from")
	ErrSelectiveLabels  = fault.New(fault.Invalid, "selective-label-map", "the label map does not name every blank node of the document exactly once")
	ErrSelectiveIndexes = fault.New(fault.Invalid, "selective-mandatory-indexes", "the mandatory indexes are not ascending or lie outside of the document")
)

// Bounds of a proof value. Each statement that is not mandatory costs its
// verifier one P-256 verification, so their number bounds the work of a
// document: maxStatements is four times the fullest birth record.
const (
	maxStatements = 512
	maxPointers   = 256
	maxPointer    = 1024 // bytes of one JSON pointer
	maxSDValue    = 96 << 10

	p256SignatureSize = 64 // r‖s
	p256MultikeySize  = 35 // 0x80 0x24, then the compressed point
	hmacKeySize       = 32
)

// Headers of the two forms (Data Integrity ECDSA Cryptosuites 1.0, sections
// 3.5.2 and 3.5.7). Read as CBOR they are a tag, which the specification does
// not want read as one.
const (
	sdBaseHeader    = "\xd9\x5d\x00"
	sdDerivedHeader = "\xd9\x5d\x01"
)

// sdBase is the proof value that the issuer gives to the holder. It never goes
// any further: hmacKey undoes what hides the order of undisclosed nodes.
type sdBase struct {
	signature  []byte // by the issuer over proof hash, key and mandatory hash
	key        []byte // Multikey bytes of the ephemeral key
	hmacKey    []byte
	signatures [][]byte // by the ephemeral key, one per non-mandatory statement
	pointers   []string // mandatory
}

// sdDerived is the proof value that the holder gives to a verifier.
type sdDerived struct {
	signature  []byte
	key        []byte
	signatures [][]byte
	labels     [][]byte // HMAC of the canonical label; labels[n] stands for c14n<n>
	mandatory  []int    // indexes into the sorted statements, ascending
}

// String writes the proof value as multibase.
func (b *sdBase) String() string {
	c := append(make([]byte, 0, 256+66*len(b.signatures)), sdBaseHeader...)
	c = append(c, 0x85)
	c = appendCBORBytes(c, b.signature)
	c = appendCBORBytes(c, b.key)
	c = appendCBORBytes(c, b.hmacKey)
	c = appendCBORHead(c, cborArray, len(b.signatures))
	for _, s := range b.signatures {
		c = appendCBORBytes(c, s)
	}
	c = appendCBORHead(c, cborArray, len(b.pointers))
	for _, p := range b.pointers {
		c = append(appendCBORHead(c, cborText, len(p)), p...)
	}
	return "u" + b64.EncodeToString(c)
}

// String writes the proof value as multibase.
func (d *sdDerived) String() string {
	c := append(make([]byte, 0, 256+66*len(d.signatures)+36*len(d.labels)), sdDerivedHeader...)
	c = append(c, 0x85)
	c = appendCBORBytes(c, d.signature)
	c = appendCBORBytes(c, d.key)
	c = appendCBORHead(c, cborArray, len(d.signatures))
	for _, s := range d.signatures {
		c = appendCBORBytes(c, s)
	}
	c = appendCBORHead(c, cborMap, len(d.labels))
	for n, l := range d.labels {
		c = appendCBORBytes(appendCBORHead(c, cborUint, n), l)
	}
	c = appendCBORHead(c, cborArray, len(d.mandatory))
	for _, n := range d.mandatory {
		c = appendCBORHead(c, cborUint, n)
	}
	return "u" + b64.EncodeToString(c)
}

// parseSDBase reads a base proof value (section 3.5.3). What it returns are
// parts of one buffer of its own.
func parseSDBase(value string) (*sdBase, error) {
	r, header, err := openSDValue(value)
	switch {
	case err != nil:
		return nil, err
	case header == sdDerivedHeader:
		return nil, ErrSelectiveDerived
	case header != sdBaseHeader:
		return nil, ErrSelectiveHeader
	}
	r.tuple(5)
	b := &sdBase{
		signature:  r.bytes(p256SignatureSize),
		key:        r.bytes(p256MultikeySize),
		hmacKey:    r.bytes(hmacKeySize),
		signatures: r.signatures(),
	}
	n := r.count(cborArray, maxPointers)
	b.pointers = make([]string, 0, n)
	for range n {
		b.pointers = append(b.pointers, r.text(maxPointer))
	}
	if err := r.end(); err != nil {
		return nil, err
	}
	return b, nil
}

// parseSDDerived reads a derived proof value (section 3.5.7).
func parseSDDerived(value string) (*sdDerived, error) {
	r, header, err := openSDValue(value)
	switch {
	case err != nil:
		return nil, err
	case header == sdBaseHeader:
		return nil, ErrSelectiveBase
	case header != sdDerivedHeader:
		return nil, ErrSelectiveHeader
	}
	r.tuple(5)
	d := &sdDerived{
		signature:  r.bytes(p256SignatureSize),
		key:        r.bytes(p256MultikeySize),
		signatures: r.signatures(),
	}
	n := r.count(cborMap, maxStatements)
	d.labels = make([][]byte, n)
	once := make(map[string]struct{}, n)
	labels := true
	for range n {
		// n keys, all different and below n, are all of 0…n-1. Two nodes with
		// one label would be one node to the signatures and two to the reader.
		k, l := r.head(cborUint), r.bytes(hmacKeySize)
		if r.err != nil {
			return nil, r.err
		}
		_, twice := once[string(l)]
		if k >= n || d.labels[k] != nil || twice {
			labels = false
			continue
		}
		once[string(l)] = struct{}{}
		d.labels[k] = l
	}
	n = r.count(cborArray, maxStatements)
	d.mandatory = make([]int, 0, n)
	indexes := true
	for range n {
		k := r.head(cborUint)
		if i := len(d.mandatory); i > 0 && d.mandatory[i-1] >= k {
			indexes = false
		}
		d.mandatory = append(d.mandatory, k)
	}
	switch err := r.end(); {
	case err != nil:
		return nil, err
	case !labels:
		return nil, ErrSelectiveLabels
	case !indexes:
		return nil, ErrSelectiveIndexes
	}
	return d, nil
}

// openSDValue undoes the multibase and takes the header off.
func openSDValue(value string) (r *cborReader, header string, err error) {
	switch {
	case value == "" || value[0] != 'u':
		return nil, "", ErrSelectiveHeader
	case len(value) > maxSDValue/3*4:
		return nil, "", ErrSelectiveLarge
	}
	data, err := did.DecodeMultibase(value, maxSDValue)
	if err != nil {
		return nil, "", ErrSelectiveValue.With(err)
	}
	if len(data) < len(sdBaseHeader) {
		return nil, "", ErrSelectiveHeader
	}
	return &cborReader{b: data[len(sdBaseHeader):]}, string(data[:len(sdBaseHeader)]), nil
}

// Major types of CBOR (RFC 8949, section 3.1).
const (
	cborUint  = 0
	cborBytes = 2
	cborText  = 3
	cborArray = 4
	cborMap   = 5
)

// cborReader reads the few forms of CBOR that a proof value has: of every
// number and length the shortest form, definite lengths, no tags. So there is
// one spelling of each value, but for the order of the label map. After an
// error it gives zero values.
type cborReader struct {
	b   []byte
	err error
}

func (r *cborReader) fail(err error) int {
	if r.err == nil {
		r.err = err
	}
	r.b = nil
	return 0
}

// head reads the first bytes of an item and gives its argument.
func (r *cborReader) head(major byte) int {
	if len(r.b) == 0 || r.b[0]>>5 != major {
		return r.fail(ErrSelectiveValue)
	}
	n, size := int(r.b[0]&0x1f), 1
	switch {
	case n < 24:
	case n == 24 && len(r.b) >= 2 && r.b[1] >= 24:
		n, size = int(r.b[1]), 2
	case n == 25 && len(r.b) >= 3 && r.b[1] > 0:
		n, size = int(r.b[1])<<8|int(r.b[2]), 3
	default: // longer than it must be, indefinite, or larger than any bound here
		return r.fail(ErrSelectiveValue)
	}
	r.b = r.b[size:]
	return n
}

// count reads the head of an array or map of at most max items.
func (r *cborReader) count(major byte, max int) int {
	n := r.head(major)
	if n > max {
		return r.fail(ErrSelectiveLarge)
	}
	if n > len(r.b) { // no item is shorter than a byte
		return r.fail(ErrSelectiveValue)
	}
	return n
}

// tuple reads the head of an array of n items.
func (r *cborReader) tuple(n int) {
	if r.head(cborArray) != n {
		r.fail(ErrSelectiveValue)
	}
}

// take reads the n bytes after a head.
func (r *cborReader) take(n int) []byte {
	if n > len(r.b) {
		r.fail(ErrSelectiveValue)
		return nil
	}
	s := r.b[:n:n]
	r.b = r.b[n:]
	return s
}

// bytes reads a byte string of n bytes.
func (r *cborReader) bytes(n int) []byte {
	if r.head(cborBytes) != n {
		r.fail(ErrSelectiveValue)
		return nil
	}
	return r.take(n)
}

func (r *cborReader) text(max int) string {
	n := r.head(cborText)
	if n > max {
		r.fail(ErrSelectiveLarge)
		return ""
	}
	s := r.take(n)
	if !utf8.Valid(s) {
		r.fail(ErrSelectiveValue)
		return ""
	}
	return string(s)
}

func (r *cborReader) signatures() [][]byte {
	n := r.count(cborArray, maxStatements)
	out := make([][]byte, 0, n)
	for range n {
		out = append(out, r.bytes(p256SignatureSize))
	}
	return out
}

// end reports the first error, or bytes that are left.
func (r *cborReader) end() error {
	if len(r.b) > 0 {
		r.fail(ErrSelectiveValue)
	}
	return r.err
}

// appendCBORHead writes the first bytes of an item in the shortest form; n is
// below 65536, which the bounds above see to.
func appendCBORHead(dst []byte, major byte, n int) []byte {
	switch {
	case n < 24:
		return append(dst, major<<5|byte(n))
	case n < 1<<8:
		return append(dst, major<<5|24, byte(n))
	}
	return append(dst, major<<5|25, byte(n>>8), byte(n))
}

func appendCBORBytes(dst, b []byte) []byte {
	return append(appendCBORHead(dst, cborBytes, len(b)), b...)
}
