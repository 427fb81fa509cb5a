package vc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/rdf"
	"github.com/kinpass/kinpass/internal/vectest"
)

// sdVectors is a folder with every step of one credential.
type sdVectors struct {
	t    *testing.T
	dir  string
	used map[string]bool
}

// bytes reads a step file.
func (v *sdVectors) bytes(step string) []byte {
	v.t.Helper()
	v.used[step] = true
	return vectest.Read(v.t, v.dir, step)
}

func (v *sdVectors) json(step string, to any) {
	v.t.Helper()
	if err := json.Unmarshal(v.bytes(step+".json"), to); err != nil {
		v.t.Fatal(step, err)
	}
}

// same compares a value with a step file.
func sdSame[T any](v *sdVectors, step string, got T) {
	v.t.Helper()
	var want T
	v.json(step, &want)
	if !reflect.DeepEqual(got, want) {
		v.t.Errorf("%s: %v\nwant %v", step, got, want)
	}
}

// lineMap is how the vectors write a map of lines by index.
type lineMap struct {
	DataType string
	Value    [][2]any
}

func sdLinesAt(lines []string, indexes []int) lineMap {
	m := lineMap{"Map", [][2]any{}}
	for _, i := range indexes {
		m.Value = append(m.Value, [2]any{float64(i), lines[i]})
	}
	return m
}

func sdOthers(n int, indexes []int) (out []int) {
	for i := range n {
		if !slices.Contains(indexes, i) {
			out = append(out, i)
		}
	}
	return out
}

func sdHexes(list [][]byte) []string {
	out := []string{}
	for _, b := range list {
		out = append(out, hex.EncodeToString(b))
	}
	return out
}

func TestSelectiveDisclosureVectors(t *testing.T) {
	dir := vectest.Dir(t, "vc-di-ecdsa/ecdsa-sd-2023")
	var material struct {
		BaseKeyPair, ProofKeyPair struct{ PublicKeyMultibase, SecretKeyMultibase string }
		HmacKeyString             string
	}
	if err := json.Unmarshal(vectest.Read(t, dir, "SDKeyMaterial.json"), &material); err != nil {
		t.Fatal(err)
	}
	issuer := vectorKey(t, material.BaseKeyPair.PublicKeyMultibase, material.BaseKeyPair.SecretKeyMultibase)
	proofKey := vectorKey(t, material.ProofKeyPair.PublicKeyMultibase, material.ProofKeyPair.SecretKeyMultibase)
	m := &sdMaterial{key: proofKey.Signer.(*ecdsa.PrivateKey)}
	if n, err := hex.Decode(m.hmacKey[:], []byte(material.HmacKeyString)); err != nil || n != hmacKeySize {
		t.Fatal(n, err)
	}
	steps := 0
	for _, f := range []struct{ folder, pointers string }{{"employ", "employ"}, {"prc", "prCred"}} {
		t.Run(f.folder, func(t *testing.T) {
			v := &sdVectors{t: t, dir: dir + "/" + f.folder, used: make(map[string]bool)}
			up := &sdVectors{t: t, dir: dir + "/..", used: make(map[string]bool)}
			var mandatory, selective []string
			up.json(f.pointers+"Mandatory", &mandatory)
			up.json(f.pointers+"Selective", &selective)
			sdSteps{v, m, issuer, proofKey, mandatory, selective}.run()
			steps += len(v.used)
		})
	}
	t.Logf("%d step files", steps)
	if steps != 40 {
		t.Errorf("%d step files checked, want 40", steps)
	}
}

type sdSteps struct {
	v                    *sdVectors
	m                    *sdMaterial
	issuer, proofKey     keys.Signer
	mandatory, selective []string
}

func (s sdSteps) run() {
	v, t := s.v, s.v.t
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	// Base proof: the document and its statements.
	signed := v.bytes("addSignedSDBase.json")
	sec, err := splitSecured(signed)
	check(err)
	unsecured, proof := sec.unsecured, sec.proofs[0]

	var pointed []struct {
		Pointer string
		Value   any
	}
	v.json("addPointerValues", &pointed)
	d, err := openStatements(unsecured, s.m.hmacKey[:])
	check(err)
	if len(pointed) != len(s.mandatory) {
		t.Errorf("%d pointers", len(pointed))
	}
	for _, p := range pointed {
		steps, err := pointerSteps(p.Pointer)
		check(err)
		n := 0
		for _, step := range steps {
			n = d.tree.child(n, step)
		}
		var got any
		check(json.Unmarshal(d.tree.text[d.tree.nodes[n].from:d.tree.nodes[n].to], &got))
		if n == 0 || !reflect.DeepEqual(got, p.Value) {
			t.Errorf("%s: %v", p.Pointer, got)
		}
	}
	canon, err := rdf.Canonical(unsecured, crypto.SHA256)
	check(err)
	sdSame(v, "addBaseDocCanon", sdTextLines(string(canon)))
	sdSame(v, "addBaseDocHMACCanon", d.lines)

	yes, err := d.mandatory(s.mandatory)
	check(err)
	no := sdOthers(len(d.lines), yes)
	sdSame(v, "addBaseTransform", struct {
		MandatoryPointers       []string
		Mandatory, NonMandatory lineMap
		HmacKeyString           string
	}{s.mandatory, sdLinesAt(d.lines, yes), sdLinesAt(d.lines, no), strings.ToUpper(hex.EncodeToString(s.m.hmacKey[:]))})

	if !sameJSON(t, proof.config, v.bytes("addProofConfig.json")) {
		t.Errorf("addProofConfig: %s", proof.config)
	}
	config, err := rdf.Canonical(proof.config, crypto.SHA256)
	check(err)
	if string(config) != string(v.bytes("addProofConfigCanon.txt")) {
		t.Errorf("addProofConfigCanon: %s", config)
	}
	hash, err := proofHash(proof.config)
	check(err)
	mandatoryLines, _ := split(d.lines, yes)
	mandatoryHash := sha256.Sum256([]byte(strings.Join(mandatoryLines, "")))
	sdSame(v, "addHashData", map[string]string{"proofHash": hex.EncodeToString(hash[:]), "mandatoryHash": hex.EncodeToString(mandatoryHash[:])})

	// ECDSA is deterministic there as here.
	base, err := s.m.sign(unsecured, proof.config, ProofOptions{Signer: s.issuer, MandatoryPointers: s.mandatory})
	check(err)
	raw := struct {
		BaseSignature, PublicKey string
		Signatures               []string
	}{hex.EncodeToString(base.signature), "z" + did.EncodeBase58(base.key), sdHexes(base.signatures)}
	sdSame(v, "addRawBaseSignatureInfo", raw)
	if base.String() != proof.Value {
		t.Errorf("addSignedSDBase: %s", base)
	}
	check(VerifyBase(signed, did.MethodKey))

	// Derivation.
	base, err = parseSDBase(proof.Value)
	check(err)
	sdSame(v, "derivedRecoveredBaseData", struct {
		BaseSignature, ProofPublicKey, HmacKey string
		Signatures, MandatoryPointers          []string
	}{hex.EncodeToString(base.signature), "z" + did.EncodeBase58(base.key), hex.EncodeToString(base.hmacKey), sdHexes(base.signatures), base.pointers})

	part := func(pointers []string) (selection, []int) {
		t.Helper()
		sel, err := d.tree.choose(pointers)
		check(err)
		_, indexes, err := d.part(sel)
		check(err)
		return sel, indexes
	}
	sel, combined := part(slices.Concat(s.mandatory, s.selective))
	_, selected := part(s.selective)
	sdSame(v, "derivedGroupIndexes", map[string][]int{
		"combinedIndexes": combined, "mandatoryIndexes": yes, "nonMandatoryIndexes": no, "selectiveIndexes": selected})

	var groups struct {
		Groups             map[string]struct{ Matching, NonMatching lineMap }
		NQuads             []string
		DeskolemizedNQuads []string
		LabelMap           lineMap
	}
	v.json("derivedAllGroupData", &groups)
	for name, indexes := range map[string][]int{"selective": selected, "mandatory": yes, "combined": combined} {
		g := groups.Groups[name]
		if !reflect.DeepEqual(g.Matching, sdLinesAt(d.lines, indexes)) || !reflect.DeepEqual(g.NonMatching, sdLinesAt(d.lines, sdOthers(len(d.lines), indexes))) {
			t.Errorf("derivedAllGroupData: group %s differs", name)
		}
	}
	var labels []string
	for _, l := range groups.LabelMap.Value {
		labels = append(labels, l[1].(string))
	}
	if got := slices.Sorted(maps.Values(d.labels)); len(groups.Groups) != 3 || !slices.Equal(groups.NQuads, d.lines) ||
		len(groups.DeskolemizedNQuads) != len(d.lines) || !slices.Equal(got, slices.Sorted(slices.Values(labels))) {
		t.Errorf("derivedAllGroupData: labels %s", got)
	}

	derived, err := d.disclose(sel, yes, base)
	check(err)
	sdSame(v, "derivedAdjMandatoryIndexes", map[string][]int{"adjMandatoryIndexes": derived.mandatory})
	var adjusted struct {
		AdjSignatureIndexes []int
		FilteredSignatures  []string
	}
	v.json("derivedAdjSignatures", &adjusted)
	var from []string
	for _, i := range adjusted.AdjSignatureIndexes {
		from = append(from, hex.EncodeToString(base.signatures[i]))
	}
	if got := sdHexes(derived.signatures); !slices.Equal(got, adjusted.FilteredSignatures) || !slices.Equal(got, from) {
		t.Errorf("derivedAdjSignatures: %s", got)
	}
	type data struct {
		BaseSignature, PublicKey string
		Signatures               []string
		LabelMap                 [][2]string
		MandatoryIndexes         []int
	}
	written := func(d *sdDerived) data {
		out := data{hex.EncodeToString(d.signature), "z" + did.EncodeBase58(d.key), sdHexes(d.signatures), nil, d.mandatory}
		for n, l := range d.labels {
			out.LabelMap = append(out.LabelMap, [2]string{"c14n" + string(rune('0'+n)), "u" + b64.EncodeToString(l)})
		}
		return out
	}
	var disclosed struct {
		data
		LabelMap struct{ Value [][2]string }
	}
	v.json("derivedDisclosureData", &disclosed)
	disclosed.data.LabelMap = disclosed.LabelMap.Value
	if got := written(derived); !reflect.DeepEqual(got, disclosed.data) {
		t.Errorf("derivedDisclosureData: %v", got)
	}
	if got := d.tree.append(nil, 0, sel, nil); !sameJSON(t, got, v.bytes("derivedUnsignedReveal.json")) {
		t.Errorf("derivedUnsignedReveal: %s", got)
	}
	got, err := Derive(signed, s.selective)
	check(err)
	revealed := v.bytes("derivedRevealDocument.json")
	if !sameJSON(t, got, revealed) {
		t.Errorf("derivedRevealDocument: %s", got)
	}

	// Verification.
	sec, err = splitSecured(revealed)
	check(err)
	read, err := parseSDDerived(sec.proofs[0].Value)
	check(err)
	sdSame(v, "verifyDerivedProofValue", written(read))
	lines, err := read.relabel(sec.unsecured)
	check(err)
	sdSame(v, "verifyNQuads", lines)
	mandatoryLines, otherLines := split(lines, read.mandatory)
	mandatoryHash = sha256.Sum256([]byte(strings.Join(mandatoryLines, "")))
	hash, err = proofHash(sec.proofs[0].config)
	check(err)
	sdSame(v, "verifyCreateVerifyData", struct {
		BaseSignature, ProofHash, PublicKey string
		Signatures, NonMandatory            []string
		MandatoryHash                       string
	}{hex.EncodeToString(read.signature), hex.EncodeToString(hash[:]), "z" + did.EncodeBase58(read.key), sdHexes(read.signatures), otherLines, hex.EncodeToString(mandatoryHash[:])})
	for _, doc := range [][]byte{revealed, got} {
		_, proofs, err := VerifyProofs(doc, sdPolicy())
		check(err)
		if len(proofs) != 1 || !proofs[0].Derived {
			t.Errorf("%+v", proofs)
		}
	}
}

func sdTextLines(s string) []string {
	out := strings.SplitAfter(s, "\n")
	return out[:len(out)-1]
}

func sdPolicy() ProofPolicy {
	return ProofPolicy{Keys: did.MethodKey, Purpose: PurposeAssertion, Now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
}
