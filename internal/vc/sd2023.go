//go:build !js

package vc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"slices"
	"strings"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/rdf"
)

// Errors of selective disclosure.
var (
	ErrSelectiveKey        = fault.New(fault.Invalid, "selective-proof-key", "the key that signs the statements is not a P-256 key")
	ErrSelectiveCount      = fault.New(fault.Invalid, "selective-signature-count", "the proof does not have one signature for each statement that is not mandatory")
	ErrSelectiveStatements = fault.New(fault.TooLarge, "selective-statements-many", "the document says more than a selective disclosure proof may cover")
	ErrSelectiveSplit      = fault.New(fault.Unprocessable, "selective-pointer-splits", "a JSON pointer takes a part out of a value that only means something as a whole, such as an ordered list")
	ErrSelectiveNodes      = fault.New(fault.Unprocessable, "selective-nodes-unclear", "the document has unnamed nodes that cannot be disclosed apart")
)

// Derive makes a credential that shows what the issuer's mandatory pointers and
// the selective ones (RFC 6901, into the credential without its proof) name,
// from one with a base proof (Data Integrity ECDSA Cryptosuites 1.0, section
// 3.6.6). Objects on the way keep their id, type and @context. selective may be
// empty if something is mandatory. Of an ordered list (@list) of objects the
// others stay as empty objects, since the list was signed with its length; a
// list of plain values is shown whole or not at all. An empty array of which
// nothing is signed stays away.
//
// Other proofs of the document are left out. What is shown is checked with the
// ephemeral key in the proof, and with the issuer's key where the verification
// method is a did:key; VerifyBase checks all of it.
func Derive(secured []byte, selective []string) ([]byte, error) {
	s, o, base, err := splitBase(secured)
	if err != nil {
		return nil, err
	}
	d, err := openStatements(s.unsecured, base.hmacKey)
	if err != nil {
		return nil, err
	}
	mandatory, err := d.mandatory(base.pointers)
	if err != nil {
		return nil, err
	}
	if len(base.signatures) != len(d.lines)-len(mandatory) {
		return nil, ErrSelectiveCount
	}
	sel, err := d.tree.choose(slices.Concat(base.pointers, selective))
	if err != nil {
		return nil, err
	}
	v, err := d.disclose(sel, mandatory, base)
	if err != nil {
		return nil, err
	}
	reveal := d.tree.append(make([]byte, 0, len(s.unsecured)), 0, sel, nil)

	// What leaves is read and checked as its verifier will do it.
	var issuer *ecdsa.PublicKey
	if strings.HasPrefix(o.Method, "did:key:") {
		key, _, err := did.MethodKey(o.Method)
		if err != nil {
			return nil, err
		}
		if issuer, err = p256Key(key); err != nil {
			return nil, err
		}
	}
	if err := v.check(reveal, o.config, issuer); err != nil {
		return nil, err
	}
	ms, _ := members(o.raw)
	proof := o.raw
	for k, m := range ms {
		if m.name == "proofValue" {
			proof = slices.Concat(o.raw[:ms[k].val], appendQuoted(nil, v.String()), o.raw[ms[k].end:])
		}
	}
	return appendMember(reveal, "proof", proof), nil
}

// VerifyBase checks a credential with a base proof as its holder gets it: the
// issuer's signature, those of all statements, and that the mandatory pointers
// match. A verifier must not accept such a credential; VerifyProofs does not.
func VerifyBase(secured []byte, find KeyFinder) error {
	_, err := OpenBase(secured, find)
	return err
}

// OpenBase is VerifyBase and gives the credential without its proof, byte for
// byte. Nothing is returned with an error.
func OpenBase(secured []byte, find KeyFinder) ([]byte, error) {
	if find == nil {
		return nil, ErrProofPolicy
	}
	s, o, base, err := splitBase(secured)
	if err != nil {
		return nil, err
	}
	if err := base.verify(s.unsecured, o, find); err != nil {
		return nil, err
	}
	return s.unsecured, nil
}

// verify checks all that a base proof says of a document.
func (base *sdBase) verify(unsecured []byte, o *proofObject, find KeyFinder) error {
	pub, _, err := find(o.Method)
	if err != nil {
		return err
	}
	issuer, err := p256Key(pub)
	if err != nil {
		return err
	}
	ephemeral, err := parseEphemeral(base.key)
	if err != nil {
		return err
	}
	d, err := openStatements(unsecured, base.hmacKey)
	if err != nil {
		return err
	}
	mandatory, err := d.mandatory(base.pointers)
	if err != nil {
		return err
	}
	proof, err := proofHash(o.config)
	if err != nil {
		return err
	}
	yes, no := split(d.lines, mandatory)
	if len(no) != len(base.signatures) {
		return ErrSelectiveCount
	}
	return checkStatements(issuer, ephemeral, sdSigned{
		data: baseData(proof, base.key, yes), signature: base.signature, lines: no, signatures: base.signatures})
}

// splitBase finds the one base proof of a document.
func splitBase(doc []byte) (*secured, *proofObject, *sdBase, error) {
	s, err := splitSecured(doc)
	if err != nil {
		return nil, nil, nil, err
	}
	var found *proofObject
	for _, o := range s.proofs {
		if o.Type != TypeDataIntegrity || o.Suite != SuiteSD {
			continue
		}
		if found != nil {
			return nil, nil, nil, ErrProofMany
		}
		found = o
	}
	if found == nil {
		return nil, nil, nil, ErrProofSuite
	}
	if err := alone(found.Previous); err != nil {
		return nil, nil, nil, err
	}
	if err := sameContext(suiteSD, found, s.context); err != nil {
		return nil, nil, nil, err
	}
	base, err := parseSDBase(found.Value)
	if err != nil {
		return nil, nil, nil, err
	}
	return s, found, base, nil
}

// alone refuses a selective disclosure proof that builds on others: it would
// cover proofs that a derived credential does not have.
func alone(previous []string) error {
	if len(previous) > 0 {
		return ErrProofPrevious.WithDetail("a selective disclosure proof cannot build on other proofs")
	}
	return nil
}

// sdAddBase makes the proofValue of a base proof (section 3.6.5). config is the
// proof without its value, with the document's @context.
func sdAddBase(unsecured, config []byte, o ProofOptions) (string, error) {
	var m sdMaterial
	var err error
	if m.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return "", err
	}
	if _, err := rand.Read(m.hmacKey[:]); err != nil {
		return "", err
	}
	b, err := m.sign(unsecured, config, o)
	if err != nil {
		return "", err
	}
	return b.String(), nil
}

// sdMaterial is the secret part of one base proof. It must never serve two: its
// key says that statements belong together.
type sdMaterial struct {
	key     *ecdsa.PrivateKey // ephemeral
	hmacKey [hmacKeySize]byte
}

func (m *sdMaterial) sign(unsecured, config []byte, o ProofOptions) (*sdBase, error) {
	if err := alone(o.PreviousProof); err != nil {
		return nil, err
	}
	if _, err := p256Key(o.Signer.Public()); err != nil {
		return nil, err
	}
	d, err := openStatements(unsecured, m.hmacKey[:])
	if err != nil {
		return nil, err
	}
	mandatory, err := d.mandatory(o.MandatoryPointers)
	if err != nil {
		return nil, err
	}
	proof, err := proofHash(config)
	if err != nil {
		return nil, err
	}
	yes, no := split(d.lines, mandatory)
	b := &sdBase{hmacKey: m.hmacKey[:], pointers: o.MandatoryPointers}
	if b.key, err = multikeyBytes(&m.key.PublicKey); err != nil {
		return nil, err
	}
	if b.signature, err = signRaw(o.Signer, crypto.SHA256, p256SignatureSize, baseData(proof, b.key, yes)); err != nil {
		return nil, err
	}
	ephemeral := keys.Signer{Alg: keys.ES256, Signer: m.key}
	b.signatures = make([][]byte, len(no))
	for i, l := range no {
		if b.signatures[i], err = signRaw(ephemeral, crypto.SHA256, p256SignatureSize, []byte(l)); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// sdVerify checks a derived proof (section 3.6.7) over the document as it
// stands; what it says comes from there alone.
func sdVerify(unsecured []byte, p *proofObject, key crypto.PublicKey) error {
	if err := alone(p.Previous); err != nil {
		return err
	}
	issuer, err := p256Key(key)
	if err != nil {
		return err
	}
	d, err := parseSDDerived(p.Value)
	if err != nil {
		return err
	}
	return d.check(unsecured, p.config, issuer)
}

// check verifies the proof value over a derived document. Without an issuer's
// key only the ephemeral key's signatures are checked.
func (d *sdDerived) check(doc, config []byte, issuer *ecdsa.PublicKey) error {
	ephemeral, err := parseEphemeral(d.key)
	if err != nil {
		return err
	}
	lines, err := d.relabel(doc)
	if err != nil {
		return err
	}
	if len(lines) != len(d.mandatory)+len(d.signatures) {
		return ErrSelectiveCount
	}
	// The indexes are ascending: the last one is the largest.
	if n := len(d.mandatory); n > 0 && d.mandatory[n-1] >= len(lines) {
		return ErrSelectiveIndexes
	}
	yes, no := split(lines, d.mandatory)
	proof, err := proofHash(config)
	if err != nil {
		return err
	}
	return checkStatements(issuer, ephemeral, sdSigned{
		data: baseData(proof, d.key, yes), signature: d.signature, lines: no, signatures: d.signatures})
}

// relabel gives the document's statements with the labels of the proof, sorted.
func (d *sdDerived) relabel(doc []byte) ([]string, error) {
	quads, err := rdf.Quads(doc)
	if err != nil {
		return nil, err
	}
	if len(quads) > maxStatements {
		return nil, ErrSelectiveStatements
	}
	canon, err := rdf.Canonicalize(quads, crypto.SHA256)
	if err != nil {
		return nil, err
	}
	if hasEmptyArray(doc) {
		tree, err := parseTree(doc)
		if err != nil {
			return nil, err
		}
		if err := tree.muteUnsigned(canon.Lines); err != nil {
			return nil, err
		}
		if len(tree.mute) > 0 {
			return nil, ErrSelectiveMute
		}
	}
	if len(canon.Labels) != len(d.labels) {
		return nil, ErrSelectiveLabels
	}
	labels := make(map[string]string, len(canon.Labels))
	for from, c14n := range canon.Labels {
		n, ok := arrayIndex(strings.TrimPrefix(c14n, "c14n"))
		if !ok || n >= len(d.labels) {
			return nil, ErrSelectiveLabels
		}
		labels[from] = "u" + b64.EncodeToString(d.labels[n])
	}
	return sortedLines(quads, labels), nil
}

// sdSigned is what the two keys of a proof signed.
type sdSigned struct {
	data       []byte // by the issuer
	signature  []byte
	lines      []string // by the ephemeral key, one by one
	signatures [][]byte // as many
}

// checkStatements verifies every signature, also after one that does not hold,
// so that the time tells how many there are and nothing else. A nil issuer is
// not asked.
func checkStatements(issuer, ephemeral *ecdsa.PublicKey, s sdSigned) error {
	ok := true
	if issuer != nil {
		ok = checkSignature(issuer, s.data, s.signature)
	}
	for i, l := range s.lines {
		held := checkSignature(ephemeral, []byte(l), s.signatures[i])
		ok = ok && held
	}
	if !ok {
		return ErrSignature
	}
	return nil
}

// p256Key refuses keys of another kind: the suite is defined for P-256 alone.
func p256Key(pub crypto.PublicKey) (*ecdsa.PublicKey, error) {
	k, ok := pub.(*ecdsa.PublicKey)
	if !ok || k == nil || k.Curve != elliptic.P256() {
		return nil, ErrProofKey
	}
	return k, nil
}

// parseEphemeral reads the Multikey bytes of a P-256 key.
func parseEphemeral(key []byte) (*ecdsa.PublicKey, error) {
	if len(key) != p256MultikeySize || key[0] != 0x80 || key[1] != 0x24 {
		return nil, ErrSelectiveKey
	}
	x, y := elliptic.UnmarshalCompressed(elliptic.P256(), key[2:])
	if x == nil {
		return nil, ErrSelectiveKey
	}
	point := make([]byte, 65)
	point[0] = 4
	x.FillBytes(point[1:33])
	y.FillBytes(point[33:])
	pub, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		return nil, ErrSelectiveKey.With(err)
	}
	return pub, nil
}

// multikeyBytes is the way back.
func multikeyBytes(k *ecdsa.PublicKey) ([]byte, error) {
	point, err := k.Bytes()
	if err != nil {
		return nil, err
	}
	return append([]byte{0x80, 0x24, 2 + point[64]&1}, point[1:33]...), nil
}

// proofHash is the digest of the canonical proof configuration.
func proofHash(config []byte) ([sha256.Size]byte, error) {
	canon, err := rdf.Canonical(config, crypto.SHA256)
	if err != nil {
		return [sha256.Size]byte{}, err
	}
	return sha256.Sum256(canon), nil
}

// baseData is what the issuer signs (section 3.5.1).
func baseData(proof [sha256.Size]byte, ephemeral []byte, mandatory []string) []byte {
	h := sha256.New()
	for _, l := range mandatory {
		h.Write([]byte(l))
	}
	return h.Sum(slices.Concat(proof[:], ephemeral))
}

// split parts lines by ascending indexes, in their order.
func split(lines []string, indexes []int) (at, others []string) {
	at = make([]string, 0, len(indexes))
	others = make([]string, 0, max(0, len(lines)-len(indexes)))
	for i, l := range lines {
		if len(at) < len(indexes) && indexes[len(at)] == i {
			at = append(at, l)
		} else {
			others = append(others, l)
		}
	}
	return at, others
}

// sortedLines writes quads with new labels for their blank nodes, in code point
// order, none twice. A blank node without a label keeps its own.
func sortedLines(quads []rdf.Quad, labels map[string]string) []string {
	lines := make([]string, 0, len(quads))
	buf := make([]byte, 0, 256)
	for _, q := range quads {
		for _, t := range nodesOf(&q) {
			if l, ok := labels[t.Value]; ok && t.Kind == rdf.Blank {
				t.Value = l
			}
		}
		buf = rdf.AppendQuad(buf[:0], q)
		lines = append(lines, string(buf))
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}

// hmacLabel is the label that hides where a node stood among the others
// (section 3.4.4).
func hmacLabel(key []byte, canonical string) string {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(canonical))
	return "u" + b64.EncodeToString(h.Sum(make([]byte, 0, sha256.Size)))
}
