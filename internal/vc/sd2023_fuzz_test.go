package vc

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/vectest"
)

// sdStrict is a reader of CBOR by others, as strict as it can be set.
func sdStrict(t testing.TB) cbor.DecMode {
	t.Helper()
	m, err := cbor.DecOptions{DupMapKey: cbor.DupMapKeyEnforcedAPF, IndefLength: cbor.IndefLengthForbidden, TagsMd: cbor.TagsForbidden,
		MaxNestedLevels: 4, MaxArrayElements: maxStatements, MaxMapPairs: maxStatements}.DecMode()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// sdRaw decodes a proof value's bytes without its header.
func sdRaw(t testing.TB, value string) []byte {
	t.Helper()
	raw, err := b64.DecodeString(value[1:])
	if err != nil {
		t.Fatal(err)
	}
	return raw[3:]
}

type sdBaseCBOR struct {
	_          struct{} `cbor:",toarray"`
	Signature  cbor.ByteString
	Key        cbor.ByteString
	HMACKey    cbor.ByteString
	Signatures []cbor.ByteString
	Pointers   []string
}

type sdDerivedCBOR struct {
	_          struct{} `cbor:",toarray"`
	Signature  cbor.ByteString
	Key        cbor.ByteString
	Signatures []cbor.ByteString
	Labels     map[uint64]cbor.ByteString
	Indexes    []int
}

func sdByteStrings(list [][]byte) []cbor.ByteString {
	out := []cbor.ByteString{}
	for _, b := range list {
		out = append(out, cbor.ByteString(b))
	}
	return out
}

// sdSameBase checks that an independent reader finds what ours found, and that
// there is one spelling of it.
func sdSameBase(t testing.TB, value string, b *sdBase) {
	t.Helper()
	var got sdBaseCBOR
	if err := sdStrict(t).Unmarshal(sdRaw(t, value), &got); err != nil {
		t.Fatalf("another reader refuses it: %v", err)
	}
	want := sdBaseCBOR{Signature: cbor.ByteString(b.signature), Key: cbor.ByteString(b.key), HMACKey: cbor.ByteString(b.hmacKey),
		Signatures: sdByteStrings(b.signatures), Pointers: b.pointers}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("another reader finds %v, want %v", got, want)
	}
	if b.String() != value {
		t.Fatalf("a second spelling of %s", b)
	}
}

func sdSameDerived(t testing.TB, value string, d *sdDerived) {
	t.Helper()
	var got sdDerivedCBOR
	raw := sdRaw(t, value)
	if err := sdStrict(t).Unmarshal(raw, &got); err != nil {
		t.Fatalf("another reader refuses it: %v", err)
	}
	want := sdDerivedCBOR{Signature: cbor.ByteString(d.signature), Key: cbor.ByteString(d.key), Signatures: sdByteStrings(d.signatures),
		Labels: map[uint64]cbor.ByteString{}, Indexes: d.mandatory}
	for n, l := range d.labels {
		want.Labels[uint64(n)] = cbor.ByteString(l)
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("another reader finds %v, want %v", got, want)
	}
	// The order of the label map is free, all else has one spelling.
	if len(d.String()) != len(value) {
		t.Fatalf("a second spelling of %s", d)
	}
}

func sdValueSeeds(f *testing.F) {
	for _, doc := range vectest.Seeds("vc-di-ecdsa/ecdsa-sd-2023", ".json", 60) {
		var v struct{ Proof struct{ ProofValue string } }
		if json.Unmarshal(doc, &v) == nil && v.Proof.ProofValue != "" {
			f.Add(v.Proof.ProofValue)
		}
	}
	for _, s := range []string{"", "u", "z", "u2V0A", "u2V0B", "u2V0AhQ", "u2V0BhQ", "u2V0Ahfb29vb2"} {
		f.Add(s)
	}
	f.Add((&sdBase{make([]byte, 64), make([]byte, 35), make([]byte, 32), nil, []string{"", "/a"}}).String())
	f.Add((&sdDerived{make([]byte, 64), make([]byte, 35), nil, [][]byte{make([]byte, 32)}, []int{0, 23, 24, 255, 256, 65535}}).String())
}

func FuzzSelectiveBase(f *testing.F) {
	sdValueSeeds(f)
	f.Fuzz(func(t *testing.T, value string) {
		b, err := parseSDBase(value)
		if err != nil {
			if b != nil || fault.As(err).Kind == fault.Internal {
				t.Fatalf("%v, %v", b, err)
			}
			return
		}
		sdSameBase(t, value, b)
	})
}

func FuzzSelectiveDerived(f *testing.F) {
	sdValueSeeds(f)
	f.Fuzz(func(t *testing.T, value string) {
		d, err := parseSDDerived(value)
		if err != nil {
			if d != nil || fault.As(err).Kind == fault.Internal {
				t.Fatalf("%v, %v", d, err)
			}
			return
		}
		sdSameDerived(t, value, d)
	})
}

// FuzzSelection: whatever the document and the pointers, what is selected is
// JSON that holds no more than the document, and the same as the slow way finds.
func FuzzSelection(f *testing.F) {
	f.Add([]byte(sdBirth), "/credentialSubject/names/0", "/issuer")
	f.Add([]byte(sdSails), "/credentialSubject/0/m~0n", "/credentialSubject/1/sails")
	f.Add([]byte(`{"a":[1,[2,{"b":null}]],"id":"x","":{"~/":true}}`), "/a/1/1/b", "//~0~1")
	f.Add([]byte(`{"\u0061":1,"é":[],"@context":{"A":1,"a":2}}`), "/a", "/é")
	for _, doc := range vectest.Seeds("vc-di-ecdsa/ecdsa-sd-2023", "SDBase.json", 2) {
		f.Add(doc, "/credentialSubject/birthCountry", "/validFrom")
	}
	f.Fuzz(func(t *testing.T, doc []byte, p, q string) {
		tree, err := parseTree(doc)
		if err != nil {
			if tree != nil {
				t.Fatal("a failed parse returns something")
			}
			return
		}
		if got := tree.append(nil, 0, nil, nil); !bytes.Equal(got, bytes.Trim(doc, " \t\r\n")) {
			t.Fatalf("the whole is %q", got)
		}
		sel, err := tree.choose([]string{p, q})
		if err != nil {
			if sel != nil {
				t.Fatal("a failed choice returns something")
			}
			return
		}
		out := tree.append(nil, 0, sel, nil)
		if err := CheckJSON(out, maxNesting); err != nil {
			t.Fatalf("%v: %q", err, out)
		}
		if p != "" && q != "" && !bytes.Contains(doc, []byte(`\`)) && !slices.ContainsFunc([]string{"@id", "@type", "@context"}, func(s string) bool { return bytes.Contains(doc, []byte(s)) }) {
			if !sameJSON(t, out, sdSlowSelect(t, string(doc), []string{p, q})) {
				t.Fatalf("%q %q of %s gives %s", p, q, doc, out)
			}
		}
		ids, err := newSkolem(tree)
		if err != nil {
			t.Fatal(err)
		}
		if err := CheckJSON(tree.append(nil, 0, sel, ids), maxNesting); err != nil && !bytes.Contains(bytes.ToLower(doc), []byte(`"id"`)) && !bytes.Contains(doc, []byte(`\`)) {
			t.Fatalf("%v with ids", err)
		}
	})
}

// TestProofValuesThatAreRefused changes the bytes of good proof values.
func TestProofValuesThatAreRefused(t *testing.T) {
	base := sdProofValueOf(t, sdSign(t, sdBirth, sdBirthMandatory...))
	derived := sdProofValueOf(t, sdDerive(t, sdSign(t, sdBirth, sdBirthMandatory...), "/credentialSubject/sex"))
	b, err := parseSDBase(base)
	if err != nil {
		t.Fatal(err)
	}
	sdSameBase(t, base, b)
	d, err := parseSDDerived(derived)
	if err != nil {
		t.Fatal(err)
	}
	sdSameDerived(t, derived, d)

	change := func(value string, f func(raw []byte) []byte) string {
		raw, err := b64.DecodeString(value[1:])
		if err != nil {
			t.Fatal(err)
		}
		return "u" + b64.EncodeToString(f(raw))
	}
	at := func(i int, to string) func(raw []byte) []byte {
		return func(raw []byte) []byte {
			h, err := hex.DecodeString(to)
			if err != nil {
				t.Fatal(err)
			}
			copy(raw[i:], h)
			return raw
		}
	}
	// insert replaces n bytes at i.
	insert := func(i, n int, to string) func(raw []byte) []byte {
		return func(raw []byte) []byte {
			h, err := hex.DecodeString(to)
			if err != nil {
				t.Fatal(err)
			}
			return slices.Concat(raw[:i], h, raw[i+n:])
		}
	}
	zeros := func(n int) string { return strings.Repeat("00", n) }
	// header 3, array 1, signature 2+64, key 2+35, then the HMAC key or the signatures.
	const key, third = 3 + 1 + 66, 3 + 1 + 66 + 37
	labels := func(value string) int { return third + 1 + 66*len(d.signatures) }
	if len(d.signatures) >= 24 {
		t.Fatal("the test counts on a short head")
	}
	for _, tc := range []struct{ name, value, code string }{
		{"empty", "", "selective-proof-header"},
		{"base58", "z" + derived[1:], "selective-proof-header"},
		{"base64", "m" + derived[1:], "selective-proof-header"},
		{"no multibase", derived[1:], "selective-proof-header"},
		{"padding", derived + "=", "selective-proof-value"},
		{"line end", derived[:60] + "\n" + derived[60:], "selective-proof-value"},
		{"other alphabet", derived[:60] + "+" + derived[61:], "selective-proof-value"},
		{"two bytes", "u2V0", "selective-proof-header"},
		{"header only", "u2V0B", "selective-proof-value"},
		{"first header byte", change(derived, at(0, "d8")), "selective-proof-header"},
		{"second header byte", change(derived, at(1, "5c")), "selective-proof-header"},
		{"third header byte", change(derived, at(2, "02")), "selective-proof-header"},
		{"bbs header", change(derived, at(2, "03")), "selective-proof-header"},
		{"base header on a derived proof", change(derived, at(2, "00")), "selective-base-proof"},
		{"four elements", change(derived, at(3, "84")), "selective-proof-value"},
		{"six elements", change(derived, at(3, "86")), "selective-proof-value"},
		{"indefinite array", change(derived, func(raw []byte) []byte { raw[3] = 0x9f; return append(raw, 0xff) }), "selective-proof-value"},
		{"a map", change(derived, at(3, "a5")), "selective-proof-value"},
		{"long head", change(derived, insert(3, 1, "9805")), "selective-proof-value"},
		{"tagged", change(derived, insert(3, 0, "d9d9f7")), "selective-proof-value"},
		{"tagged bytes", change(derived, insert(4, 0, "d840")), "selective-proof-value"},
		{"signature as text", change(derived, at(4, "7840")), "selective-proof-value"},
		{"signature short", change(derived, insert(4, 66, "583f"+zeros(63))), "selective-proof-value"},
		{"signature long", change(derived, insert(4, 66, "5841"+zeros(65))), "selective-proof-value"},
		{"signature in chunks", change(derived, insert(4, 66, "5f5820"+zeros(32)+"5820"+zeros(32)+"ff")), "selective-proof-value"},
		{"signature length in two bytes", change(derived, insert(4, 2, "590040")), "selective-proof-value"},
		{"signature length in eight bytes", change(derived, insert(4, 2, "5b0000000000000040")), "selective-proof-value"},
		{"signature null", change(derived, insert(4, 66, "f6")), "selective-proof-value"},
		{"key short", change(derived, insert(key, 37, "5822"+zeros(34))), "selective-proof-value"},
		{"key long", change(derived, insert(key, 37, "5824"+zeros(36))), "selective-proof-value"},
		{"signatures null", change(derived, at(third, "f6")), "selective-proof-value"},
		{"signatures a map", change(derived, func(raw []byte) []byte { raw[third] |= 0x20; return raw }), "selective-proof-value"},
		{"signature of an array is short", change(derived, insert(third+1, 66, "583f"+zeros(63))), "selective-proof-value"},
		{"signatures more than bytes", change(derived, insert(third, 1, "990200")), "selective-proof-value"},
		{"too many signatures", change(derived, insert(third, 1, "990201")), "selective-proof-large"},
		{"a signature more announced", change(derived, func(raw []byte) []byte { raw[third]++; return raw }), "selective-proof-value"},
		{"label map null", change(derived, at(labels(derived), "f6")), "selective-proof-value"},
		{"label map an array", change(derived, func(raw []byte) []byte { raw[labels(derived)] -= 0x20; return raw }), "selective-proof-value"},
		{"label map too large", change(derived, insert(labels(derived), 1, "b90201")), "selective-proof-large"},
		{"label key text", change(derived, at(labels(derived)+1, "60")), "selective-proof-value"},
		{"label key negative", change(derived, at(labels(derived)+1, "20")), "selective-proof-value"},
		{"label key null", change(derived, at(labels(derived)+1, "f6")), "selective-proof-value"},
		{"label key long", change(derived, insert(labels(derived)+1, 1, "1800")), "selective-proof-value"},
		{"label key twice", change(derived, at(labels(derived)+1, "01")), "selective-label-map"},
		{"label key beyond", change(derived, at(labels(derived)+1, "17")), "selective-label-map"},
		{"label short", change(derived, insert(labels(derived)+2, 34, "581f"+zeros(31))), "selective-proof-value"},
		{"label long", change(derived, insert(labels(derived)+2, 34, "5821"+zeros(33))), "selective-proof-value"},
		{"label text", change(derived, at(labels(derived)+2, "78")), "selective-proof-value"},
		{"trailing byte", change(derived, func(raw []byte) []byte { return append(raw, 0) }), "selective-proof-value"},
		{"cut", change(derived, func(raw []byte) []byte { return raw[:len(raw)-1] }), "selective-proof-value"},
		{"cut in half", change(derived, func(raw []byte) []byte { return raw[:len(raw)/2] }), "selective-proof-value"},
		{"negative index", change(derived, func(raw []byte) []byte { raw[len(raw)-1] = 0x20; return raw }), "selective-proof-value"},
		{"index a float", change(derived, func(raw []byte) []byte { return append(raw[:len(raw)-1], 0xf9, 0x4c, 0x00) }), "selective-proof-value"},
		{"oversize", "u" + strings.Repeat("A", maxSDValue/3*4), "selective-proof-large"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d, err := parseSDDerived(tc.value)
			sdWantCode(t, err, tc.code)
			if d != nil {
				t.Error("a failed parse returns something")
			}
		})
	}
	pointers := len(sdRaw(t, base)) + 3 // of the array's head, counted from the end
	for _, p := range b.pointers {
		pointers -= len(p) + 1
		if len(p) >= 24 {
			pointers--
		}
	}
	pointers--
	for _, tc := range []struct{ name, value, code string }{
		{"derived header on a base proof", change(base, at(2, "01")), "selective-derived-proof"},
		{"another header", change(base, at(2, "04")), "selective-proof-header"},
		{"HMAC key short", change(base, insert(third, 34, "581f"+zeros(31))), "selective-proof-value"},
		{"HMAC key long", change(base, insert(third, 34, "5840"+zeros(64))), "selective-proof-value"},
		{"HMAC key empty", change(base, insert(third, 34, "40")), "selective-proof-value"},
		{"no mandatory pointers", change(base, func(raw []byte) []byte { raw[3] = 0x84; return raw[:pointers] }), "selective-proof-value"},
		{"mandatory pointers null", change(base, func(raw []byte) []byte { return append(raw[:pointers], 0xf6) }), "selective-proof-value"},
		{"mandatory pointers text", change(base, func(raw []byte) []byte { return append(raw[:pointers], 0x60) }), "selective-proof-value"},
		{"pointer as bytes", change(base, func(raw []byte) []byte { return append(raw[:pointers], 0x81, 0x40) }), "selective-proof-value"},
		{"pointer null", change(base, func(raw []byte) []byte { return append(raw[:pointers], 0x81, 0xf6) }), "selective-proof-value"},
		{"pointer not UTF-8", change(base, func(raw []byte) []byte { return append(raw[:pointers], 0x81, 0x62, '/', 0xff) }), "selective-proof-value"},
		{"pointer in chunks", change(base, func(raw []byte) []byte { return append(raw[:pointers], 0x81, 0x7f, 0x61, '/', 0xff) }), "selective-proof-value"},
		{"pointer too long", change(base, func(raw []byte) []byte {
			return append(append(raw[:pointers], 0x81, 0x79, 0x04, 0x01), bytes.Repeat([]byte{'/'}, 1025)...)
		}), "selective-proof-large"},
		{"too many pointers", change(base, func(raw []byte) []byte {
			return append(append(raw[:pointers], 0x99, 0x01, 0x01), bytes.Repeat([]byte{0x60}, 257)...)
		}), "selective-proof-large"},
		{"trailing byte", change(base, func(raw []byte) []byte { return append(raw, 0xf6) }), "selective-proof-value"},
	} {
		t.Run("base "+tc.name, func(t *testing.T) {
			b, err := parseSDBase(tc.value)
			sdWantCode(t, err, tc.code)
			if b != nil {
				t.Error("a failed parse returns something")
			}
		})
	}
	empty := change(base, func(raw []byte) []byte { return append(raw[:pointers], 0x80) })
	if b, err := parseSDBase(empty); err != nil || b.pointers == nil || len(b.pointers) != 0 {
		t.Errorf("an empty list of mandatory pointers: %v", err)
	}
}
