package vc

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	mrand "math/rand/v2"

	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/keys"
)

// sdBirth has every kind of member that a birth credential has. Values that a
// test looks for occur once.
const sdBirth = `{"@context":["https://www.w3.org/ns/credentials/v2","https://w3id.org/kinpass/v1"],
 "id":"urn:uuid:0e8d1c3e-6f0a-4d0e-9c53-7d6a3c1f0b11","type":["VerifiableCredential","BirthCredential"],
 "issuer":"did:web:registry.npl.example","validFrom":"2026-11-01T00:00:00Z","validUntil":"2027-10-31T00:00:00Z",
 "credentialSubject":{"id":"did:key:z6MkpTHR8VNsBxYAAWHut2Geadd9jSwuBV8xRoAnwWsdvktH",
  "childRef":"jWoSldc3ms1i4ycXe2mjtQ","recordVersion":3,"circumstance":"ordinary",
  "names":[{"kind":"legal","script":"Latn","lang":"ne-Latn","given":["Kavya","Sunita"],"family":["Gurung"],
     "mrz":{"primary":"GURUNG","secondary":"KAVYA<SUNITA","source":"icao9303"}},
   {"kind":"atBirth","script":"Deva","full":"काव्या गुरुङ"}],
  "birthDate":{"value":"2013-04-11","precision":"day","earliest":"2013-04-10","latest":"2013-04-12","basis":"medicalRecord"},
  "timeOfBirth":"07:42","sex":2,
  "placeOfBirth":{"status":"known","country":"NPL","adminArea":"Gandaki","locality":"Pokhara","facilityType":"hospital"},
  "multipleBirth":{"plurality":2,"order":1},
  "parentage":[{"role":"mother","filiation":"birth","personRef":"ref-mother-81","names":[{"script":"Cyrl","full":"Diya Thapa"}],"nationality":["IND","BTN"]},
   {"role":"father","filiation":"acknowledgement","personRef":"ref-father-17"}],
  "registration":{"number":"NPL-2013-043227","authority":"https://registry.npl.example/office/12","office":"Ward 12","date":"2013-06-05","mode":"timely"},
  "travelDocuments":[{"type":"passport","value":"PA0912345","issuer":"NPL-MOFA"}],
  "portrait":{"sha256":"0gDqSjRBLgGIhhjYN6g0iEGVAyG2sTUnj7s2y9Gm6Lo","media":"image/jpeg","capturedAt":"2026-10-02","recaptureBy":"2027-10-02"}},
 "credentialStatus":[{"type":"BitstringStatusListEntry","statusPurpose":"revocation","statusListIndex":"4711","statusListCredential":"https://registry.npl.example/status/1"},
  {"type":"BitstringStatusListEntry","statusPurpose":"suspension","statusListIndex":"4711","statusListCredential":"https://registry.npl.example/status/2"}],
 "credentialSchema":{"id":"https://w3id.org/kinpass/schemas/credential/birth/1.json","type":"JsonSchema"}}`

// sdBirthMandatory is what no birth credential hides.
var sdBirthMandatory = []string{"/issuer", "/validFrom", "/validUntil", "/credentialStatus", "/credentialSchema",
	"/credentialSubject/recordVersion", "/credentialSubject/circumstance"}

// sdSails is a document of sets within sets, with numbers and an inline
// context in which case counts.
const sdSails = `{"@context":["https://www.w3.org/ns/credentials/v2",{"@protected":true,"Sailing":"urn:x:Sailing","sailing":"urn:x:sailing",
  "sails":{"@id":"urn:x:sails","@context":{"@protected":true,"size":"urn:x:size","sailName":"urn:x:sailName"}},
  "boards":"urn:x:boards","raw":{"@id":"urn:x:raw","@type":"@json"},"by":{"@id":"urn:x:by","@container":"@language"},
  "m~n":"urn:x:mn","ord":{"@id":"urn:x:ord","@container":"@list"}}],
 "type":["VerifiableCredential","Sailing"],"issuer":{"id":"did:example:club","name":"Club"},
 "credentialSubject":[{"name":"Jane","sails":[{"size":5.5,"sailName":"Osprey"},{"size":6.1,"sailName":"Eagle"},{"size":7.0,"sailName":"Eagle"}],
   "boards":["Oak","Elm","Oak"],"raw":{"a":[1,{"b":null}],"id":7,"z":"last"},"by":{"en":"yes","fr":"oui"},"urn:x:a/b":"slash","m~n":"tilde",
   "ord":[[1,2],[3]]},
  {"id":"did:example:two","name":{"@value":"Joe","@language":"en"},"sails":{"size":1e1}}],
 "name":[{"@value":"Segelschein","@language":"de"},{"@value":"Sailing licence","@language":"en","@direction":"ltr"}]}`

func sdIssuer(t testing.TB) keys.Signer {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	id, err := did.EncodeKey(k.Public())
	if err != nil {
		t.Fatal(err)
	}
	return keys.Signer{KID: did.KeyID(id), Alg: keys.ES256, Signer: k}
}

func sdSign(t testing.TB, doc string, pointers ...string) []byte {
	t.Helper()
	out, err := AddProof([]byte(doc), ProofOptions{Suite: SuiteSD, Signer: sdIssuer(t), Purpose: PurposeAssertion,
		Created: time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC), MandatoryPointers: pointers})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func sdDerive(t testing.TB, base []byte, pointers ...string) []byte {
	t.Helper()
	out, err := Derive(base, pointers)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func sdVerified(doc []byte) error {
	_, _, err := VerifyProofs(doc, sdPolicy())
	return err
}

// wantCode checks that err is the refusal with this code and says nothing of
// the input.
func sdWantCode(t testing.TB, err error, code string) {
	t.Helper()
	if err == nil {
		t.Fatalf("accepted, want %s", code)
	}
	if got := fault.As(err).Code; got != code {
		t.Fatalf("%s (%v), want %s", got, err, code)
	}
}

// edit changes a document as JSON.
func sdEdit(t testing.TB, doc []byte, change func(m map[string]any)) []byte {
	t.Helper()
	var m map[string]any
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.UseNumber()
	if err := dec.Decode(&m); err != nil {
		t.Fatal(err)
	}
	change(m)
	out, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func sdWithValue(t testing.TB, doc []byte, value string) []byte {
	return sdEdit(t, doc, func(m map[string]any) { m["proof"].(map[string]any)["proofValue"] = value })
}

func sdProofValueOf(t testing.TB, doc []byte) string {
	t.Helper()
	s, err := splitSecured(doc)
	if err != nil {
		t.Fatal(err)
	}
	return s.proofs[0].Value
}

// withDerived changes the parts of a derived proof.
func sdWithDerived(t testing.TB, doc []byte, change func(d *sdDerived)) []byte {
	t.Helper()
	d, err := parseSDDerived(sdProofValueOf(t, doc))
	if err != nil {
		t.Fatal(err)
	}
	change(d)
	return sdWithValue(t, doc, d.String())
}

func TestDeriveShowsTheNamedPartAlone(t *testing.T) {
	base := sdSign(t, sdBirth, sdBirthMandatory...)
	if err := VerifyBase(base, did.MethodKey); err != nil {
		t.Fatal(err)
	}
	const always = `"id":"did:key:z6MkpTHR8VNsBxYAAWHut2Geadd9jSwuBV8xRoAnwWsdvktH","recordVersion":3,"circumstance":"ordinary"`
	for _, tc := range []struct {
		name, subject string
		pointers      []string
	}{
		{"nothing more", ``, nil},
		{"age", `,"birthDate":{"latest":"2013-04-12"}`, []string{"/credentialSubject/birthDate/latest"}},
		{"identity", `,"names":[{"kind":"atBirth","script":"Deva","full":"काव्या गुरुङ"}],"sex":2`, []string{"/credentialSubject/names/1", "/credentialSubject/sex"}},
		{"one parent", `,"parentage":[{"role":"mother","filiation":"birth"}]`, []string{"/credentialSubject/parentage/0/role", "/credentialSubject/parentage/0/filiation"}},
		{"part of a set", `,"parentage":[{"nationality":["BTN"]}]`, []string{"/credentialSubject/parentage/0/nationality/1"}},
		{"given names keep their order", `,"names":[{"given":["Kavya","Sunita"]}]`, []string{"/credentialSubject/names/0/given"}},
		{"a document keeps its type", `,"travelDocuments":[{"type":"passport","value":"PA0912345"}]`, []string{"/credentialSubject/travelDocuments/0/value"}},
		{"a mandatory pointer again", ``, []string{"/credentialSubject/recordVersion", "/issuer"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			out := sdDerive(t, base, tc.pointers...)
			if err := sdVerified(out); err != nil {
				t.Fatal(err)
			}
			s, err := splitSecured(out)
			if err != nil {
				t.Fatal(err)
			}
			var src, dst map[string]json.RawMessage
			if json.Unmarshal([]byte(sdBirth), &src) != nil || json.Unmarshal(s.unsecured, &dst) != nil {
				t.Fatal("not JSON")
			}
			if got := dst["credentialSubject"]; !sameJSON(t, got, []byte(`{`+always+tc.subject+`}`)) {
				t.Errorf("the subject shows %s", got)
			}
			for name, v := range src {
				if name != "credentialSubject" && !bytes.Equal(dst[name], v) {
					t.Errorf("%s is %s", name, dst[name])
				}
			}
			if len(src) != len(dst) {
				t.Errorf("%d members", len(dst))
			}
		})
	}
}

func TestDeriveWithoutMandatoryParts(t *testing.T) {
	base := sdSign(t, sdSails)
	if _, err := Derive(base, nil); err == nil {
		t.Error("nothing was disclosed and signed for")
	} else {
		sdWantCode(t, err, "selective-nothing-disclosed")
	}
	for _, p := range []string{"", "/type", "/issuer", "/issuer/name", "/credentialSubject/0/sails/1/size", "/credentialSubject/0/sails", "/credentialSubject/0/boards/1",
		"/credentialSubject/0/boards/2", "/credentialSubject/1", "/credentialSubject/1/sails/size", "/credentialSubject/0/raw", "/credentialSubject/0/by",
		"/credentialSubject/0/urn:x:a~1b", "/credentialSubject/0/m~0n", "/credentialSubject/0/ord", "/name/0", "/@context", "/credentialSubject"} {
		if err := sdVerified(sdDerive(t, base, p)); err != nil {
			t.Errorf("%s: %v", p, err)
		}
	}
}

func TestPointersThatAreRefused(t *testing.T) {
	base := sdSign(t, sdSails)
	deep := strings.Repeat("/a", 40)
	for pointer, code := range map[string]string{
		"issuer":                            "selective-pointer-invalid",
		"#/issuer":                          "selective-pointer-invalid",
		"/issuer/~2":                        "selective-pointer-invalid",
		"/issuer/~":                         "selective-pointer-invalid",
		"/" + strings.Repeat("x", 2000):     "selective-pointer-invalid",
		"/":                                 "selective-pointer-no-match",
		"/nothing":                          "selective-pointer-no-match",
		"/Issuer":                           "selective-pointer-no-match",
		"/issuer/id/x":                      "selective-pointer-no-match",
		"/credentialSubject/2":              "selective-pointer-no-match",
		"/credentialSubject/-":              "selective-pointer-no-match",
		"/credentialSubject/00":             "selective-pointer-no-match",
		"/credentialSubject/+1":             "selective-pointer-no-match",
		"/credentialSubject/-1":             "selective-pointer-no-match",
		"/credentialSubject/1e0":            "selective-pointer-no-match",
		"/credentialSubject/99999999999999": "selective-pointer-no-match",
		"/credentialSubject/name":           "selective-pointer-no-match",
		"/credentialSubject/0/urn:x:a/b":    "selective-pointer-no-match",
		"/credentialSubject/0/m~n":          "selective-pointer-invalid",
		"/proof":                            "selective-pointer-no-match",
		"/proof/proofValue":                 "selective-pointer-no-match",
		deep:                                "selective-pointer-no-match",
		"/credentialSubject/0/ord/0":        "selective-pointer-splits",
		"/credentialSubject/0/ord/0/0":      "selective-pointer-splits",
		"/credentialSubject/0/raw/a":        "selective-pointer-splits",
		"/name/1/@value":                    "selective-pointer-splits",
		"/credentialSubject/1/name/@value":  "selective-pointer-splits",
	} {
		out, err := Derive(base, []string{pointer})
		if err == nil {
			t.Errorf("%.40s gives %s", pointer, out)
			continue
		}
		sdWantCode(t, err, code)
		if len(pointer) > 4 && strings.Contains(err.Error(), pointer) {
			t.Errorf("the refusal repeats %s", pointer)
		}
		_, err = AddProof([]byte(sdSails), ProofOptions{Suite: SuiteSD, Signer: sdIssuer(t), Purpose: PurposeAssertion, Created: time.Now(), MandatoryPointers: []string{"/issuer", pointer}})
		sdWantCode(t, err, code)
	}
	_, err := Derive(base, slices.Repeat([]string{"/issuer"}, maxPointers+1))
	sdWantCode(t, err, "selective-pointer-invalid")
}

func TestPointerSteps(t *testing.T) {
	// RFC 6901, section 5.
	const doc = `{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8}`
	tree, err := parseTree([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	for pointer, want := range map[string]string{"": doc, "/foo": `["bar","baz"]`, "/foo/0": `"bar"`, "/": "0", "/a~1b": "1", "/c%d": "2", "/e^f": "3", "/g|h": "4",
		`/i\j`: "5", `/k"l`: "6", "/ ": "7", "/m~0n": "8"} {
		steps, err := pointerSteps(pointer)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, s := range steps {
			if n = tree.child(n, s); n == 0 {
				t.Fatalf("%s matches nothing", pointer)
			}
		}
		if got := string(tree.text[tree.nodes[n].from:tree.nodes[n].to]); got != want {
			t.Errorf("%s: %s, want %s", pointer, got, want)
		}
	}
	if s, err := pointerSteps("/~01"); err != nil || s[0] != "~1" {
		t.Errorf("~01 is %q, %v", s, err)
	}
}

// Each test takes a derived credential that verifies, changes one thing, and
// names the code of the refusal.
func TestDerivedCredentialsThatAreRefused(t *testing.T) {
	base := sdSign(t, sdBirth, sdBirthMandatory...)
	good := sdDerive(t, base, "/credentialSubject/birthDate", "/credentialSubject/sex")
	if err := sdVerified(good); err != nil {
		t.Fatal(err)
	}
	other := sdDerive(t, sdSign(t, strings.Replace(sdBirth, `"2013-04-11"`, `"2001-04-11"`, 1), sdBirthMandatory...), "/credentialSubject/birthDate", "/credentialSubject/sex")
	subject := func(change func(s map[string]any)) []byte {
		return sdEdit(t, good, func(m map[string]any) { change(m["credentialSubject"].(map[string]any)) })
	}
	flip := func(b []byte) []byte { c := bytes.Clone(b); c[len(c)/2] ^= 4; return c }
	stranger := sdIssuer(t)
	for _, tc := range []struct {
		name string
		doc  []byte
		code string
	}{
		{"changed claim", subject(func(s map[string]any) { s["sex"] = 1 }), "signature-invalid"},
		{"changed mandatory claim", subject(func(s map[string]any) { s["recordVersion"] = 4 }), "signature-invalid"},
		{"changed type of a claim", subject(func(s map[string]any) { s["recordVersion"] = true }), ""},
		{"changed issuer", sdEdit(t, good, func(m map[string]any) { m["issuer"] = "did:web:other.example" }), "signature-invalid"},
		{"changed end", sdEdit(t, good, func(m map[string]any) { m["validUntil"] = "2099-10-31T00:00:00Z" }), "signature-invalid"},
		{"changed status index", sdEdit(t, good, func(m map[string]any) {
			m["credentialStatus"].([]any)[0].(map[string]any)["statusListIndex"] = "4712"
		}), "signature-invalid"},
		{"changed subject", subject(func(s map[string]any) { s["id"] = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK" }), "signature-invalid"},
		{"changed id", sdEdit(t, good, func(m map[string]any) { m["id"] = "urn:uuid:0e8d1c3e-6f0a-4d0e-9c53-7d6a3c1f0b12" }), "signature-invalid"},
		{"added claim", subject(func(s map[string]any) { s["timeOfBirth"] = "07:42" }), "selective-signature-count"},
		{"added node", subject(func(s map[string]any) { s["placeOfBirth"] = map[string]any{"country": "NPL"} }), "selective-label-map"},
		{"added type", sdEdit(t, good, func(m map[string]any) { m["type"] = append(m["type"].([]any), "GuardianshipCredential") }), "selective-signature-count"},
		{"added undefined term", subject(func(s map[string]any) { s["nobodyDefinedThis"] = "x" }), "jsonld-undefined"},
		{"added undefined term at the top", sdEdit(t, good, func(m map[string]any) { m["nobodyDefinedThis"] = true }), "jsonld-undefined"},
		{"removed mandatory claim", subject(func(s map[string]any) { delete(s, "circumstance") }), "selective-signature-count"},
		{"removed status", sdEdit(t, good, func(m map[string]any) { delete(m, "credentialStatus") }), "selective-label-map"},
		{"removed end", sdEdit(t, good, func(m map[string]any) { delete(m, "validUntil") }), "selective-signature-count"},
		{"removed claim", subject(func(s map[string]any) { delete(s, "sex") }), "selective-signature-count"},
		{"claim of another credential", subject(func(s map[string]any) { s["birthDate"].(map[string]any)["value"] = "2001-04-11" }), "signature-invalid"},
		{"claim and signatures of another credential", sdWithDerived(t, subject(func(s map[string]any) { s["birthDate"].(map[string]any)["value"] = "2001-04-11" }),
			func(d *sdDerived) { d.signatures = sdParsed(t, other).signatures }), "signature-invalid"},
		{"proof of another credential", sdWithValue(t, good, sdProofValueOf(t, other)), ""},
		{"key and signatures of another credential", sdWithDerived(t, good, func(d *sdDerived) { o := sdParsed(t, other); d.key, d.signatures = o.key, o.signatures }), "signature-invalid"},
		{"base signature of another credential", sdWithDerived(t, good, func(d *sdDerived) { d.signature = sdParsed(t, other).signature }), "signature-invalid"},
		{"changed base signature", sdWithDerived(t, good, func(d *sdDerived) { d.signature = flip(d.signature) }), "signature-invalid"},
		{"zero base signature", sdWithDerived(t, good, func(d *sdDerived) { d.signature = make([]byte, 64) }), "signature-invalid"},
		{"changed first signature", sdWithDerived(t, good, func(d *sdDerived) { d.signatures[0] = flip(d.signatures[0]) }), "signature-invalid"},
		{"changed last signature", sdWithDerived(t, good, func(d *sdDerived) { n := len(d.signatures) - 1; d.signatures[n] = flip(d.signatures[n]) }), "signature-invalid"},
		{"zero signature", sdWithDerived(t, good, func(d *sdDerived) { d.signatures[1] = make([]byte, 64) }), "signature-invalid"},
		{"swapped signatures", sdWithDerived(t, good, func(d *sdDerived) { d.signatures[0], d.signatures[1] = d.signatures[1], d.signatures[0] }), "signature-invalid"},
		{"fewer signatures", sdWithDerived(t, good, func(d *sdDerived) { d.signatures = d.signatures[1:] }), "selective-signature-count"},
		{"no signatures", sdWithDerived(t, good, func(d *sdDerived) { d.signatures = nil }), "selective-signature-count"},
		{"more signatures", sdWithDerived(t, good, func(d *sdDerived) { d.signatures = append(d.signatures, d.signatures[0]) }), "selective-signature-count"},
		{"index out of range", sdWithDerived(t, good, func(d *sdDerived) { d.mandatory[len(d.mandatory)-1] = 60 }), "selective-mandatory-indexes"},
		{"index just out of range", sdWithDerived(t, good, func(d *sdDerived) { d.mandatory[len(d.mandatory)-1] = len(d.mandatory) + len(d.signatures) }), "selective-mandatory-indexes"},
		{"index twice", sdWithDerived(t, good, func(d *sdDerived) { d.mandatory[1] = d.mandatory[0] }), "selective-mandatory-indexes"},
		{"indexes unsorted", sdWithDerived(t, good, func(d *sdDerived) { d.mandatory[0], d.mandatory[1] = d.mandatory[1], d.mandatory[0] }), "selective-mandatory-indexes"},
		{"one index less", sdWithDerived(t, good, func(d *sdDerived) { d.mandatory = d.mandatory[1:] }), "selective-signature-count"},
		{"a mandatory statement taken for a signed one", sdWithDerived(t, good, func(d *sdDerived) {
			d.mandatory, d.signatures = d.mandatory[1:], append(slices.Clone(d.signatures), d.signatures[0])
		}), "signature-invalid"},
		{"a signed statement taken for a mandatory one", sdWithDerived(t, good, func(d *sdDerived) {
			d.signatures = d.signatures[1:]
			d.mandatory = append([]int{sdOthers(60, d.mandatory)[0]}, d.mandatory...)
			slices.Sort(d.mandatory)
		}), "signature-invalid"},
		{"everything mandatory", sdWithDerived(t, good, func(d *sdDerived) {
			n := len(d.mandatory) + len(d.signatures)
			d.mandatory, d.signatures = nil, nil
			for i := range n {
				d.mandatory = append(d.mandatory, i)
			}
		}), "signature-invalid"},
		{"label missing", sdWithDerived(t, good, func(d *sdDerived) { d.labels = d.labels[:len(d.labels)-1] }), "selective-label-map"},
		{"label extra", sdWithDerived(t, good, func(d *sdDerived) { d.labels = append(d.labels, make([]byte, 32)) }), "selective-label-map"},
		{"label changed", sdWithDerived(t, good, func(d *sdDerived) { d.labels[0] = flip(d.labels[0]) }), "signature-invalid"},
		{"labels swapped", sdWithDerived(t, good, func(d *sdDerived) { d.labels[0], d.labels[1] = d.labels[1], d.labels[0] }), "signature-invalid"},
		{"two nodes of one label", sdWithDerived(t, good, func(d *sdDerived) { d.labels[1] = d.labels[0] }), "selective-label-map"},
		{"ephemeral key changed", sdWithDerived(t, good, func(d *sdDerived) { d.key = sdMustMultikey(t, &stranger.Signer.(*ecdsa.PrivateKey).PublicKey) }), "signature-invalid"},
		{"ephemeral key of another curve", sdWithDerived(t, good, func(d *sdDerived) { d.key = append([]byte{0x81, 0x24}, d.key[2:]...) }), "selective-proof-key"},
		{"ephemeral key not a point", sdWithDerived(t, good, func(d *sdDerived) { d.key = append([]byte{0x80, 0x24, 2}, bytes.Repeat([]byte{0xff}, 32)...) }), "selective-proof-key"},
		{"ephemeral key not compressed", sdWithDerived(t, good, func(d *sdDerived) { d.key = append([]byte{0x80, 0x24, 4}, d.key[3:]...) }), "selective-proof-key"},
		{"base proof", base, "selective-base-proof"},
		{"another key", sdEdit(t, good, func(m map[string]any) { m["proof"].(map[string]any)["verificationMethod"] = stranger.KID }), "signature-invalid"},
		{"created changed", sdEdit(t, good, func(m map[string]any) { m["proof"].(map[string]any)["created"] = "2026-11-20T08:00:01Z" }), "signature-invalid"},
		{"another suite", sdEdit(t, good, func(m map[string]any) { m["proof"].(map[string]any)["cryptosuite"] = SuiteECDSAJCS }), ""},
		{"builds on another proof", sdEdit(t, good, func(m map[string]any) {
			p := m["proof"].(map[string]any)
			q := map[string]any{"id": "urn:x:1"}
			for k, v := range p {
				q[k] = v
			}
			p["previousProof"] = "urn:x:1"
			m["proof"] = []any{p, q}
		}), "proof-previous"},
		{"builds on itself", sdEdit(t, good, func(m map[string]any) { m["proof"].(map[string]any)["previousProof"] = "urn:x" }), "proof-previous"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := sdVerified(tc.doc)
			if tc.code != "" {
				sdWantCode(t, err, tc.code)
			} else if err == nil {
				t.Fatal("accepted")
			}
			if doc, proofs, _ := VerifyProofs(tc.doc, sdPolicy()); doc != nil || proofs != nil {
				t.Error("a refusal returns something")
			}
		})
	}
}

func sdParsed(t testing.TB, doc []byte) *sdDerived {
	t.Helper()
	d, err := parseSDDerived(sdProofValueOf(t, doc))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func sdMustMultikey(t testing.TB, k *ecdsa.PublicKey) []byte {
	t.Helper()
	b, err := multikeyBytes(k)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSelectiveDisclosureWantsP256(t *testing.T) {
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ed, err := keys.New("k", keys.UseCredentials, keys.EdDSA, time.Now(), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	base := sdSign(t, sdBirth, sdBirthMandatory...)
	good := sdDerive(t, base)
	for _, s := range []keys.Signer{{KID: "did:key:x#x", Alg: "ES384", Signer: p384}, ed.Signer("did:key:x#x")} {
		_, err := AddProof([]byte(sdBirth), ProofOptions{Suite: SuiteSD, Signer: s, Purpose: PurposeAssertion, Created: time.Now()})
		sdWantCode(t, err, "proof-key")
		find := func(string) (pub crypto.PublicKey, controller string, err error) { return s.Public(), "", nil }
		p := sdPolicy()
		p.Keys = find
		_, _, err = VerifyProofs(good, p)
		sdWantCode(t, err, "proof-key")
		sdWantCode(t, VerifyBase(base, find), "proof-key")
	}
	sdWantCode(t, VerifyBase(base, nil), "proof-policy")
	sdWantCode(t, VerifyBase(good, did.MethodKey), "selective-derived-proof")
	_, err = Derive(good, nil)
	sdWantCode(t, err, "selective-derived-proof")
}

// A holder who is handed a base credential that was tampered with does not
// derive from it, as far as the tampering shows in what would leave.
func TestTamperedBase(t *testing.T) {
	base := sdSign(t, sdBirth, sdBirthMandatory...)
	with := func(change func(b *sdBase)) []byte {
		b, err := parseSDBase(sdProofValueOf(t, base))
		if err != nil {
			t.Fatal(err)
		}
		change(b)
		return sdWithValue(t, base, b.String())
	}
	stranger := sdIssuer(t)
	second := sdSign(t, sdBirth, sdBirthMandatory...)
	for _, tc := range []struct {
		name string
		doc  []byte
		code string
	}{
		{"changed claim", []byte(strings.Replace(string(base), `"sex":2`, `"sex":1`, 1)), "signature-invalid"},
		{"changed mandatory claim", []byte(strings.Replace(string(base), `"recordVersion":3`, `"recordVersion":4`, 1)), "signature-invalid"},
		{"another issuer's key", []byte(strings.ReplaceAll(string(base), sdProofMethod(t, base), stranger.KID)), "signature-invalid"},
		{"added claim", []byte(strings.Replace(string(base), `"sex":2`, `"sex":2,"personRef":"x"`, 1)), "selective-signature-count"},
		{"fewer signatures", with(func(b *sdBase) { b.signatures = b.signatures[1:] }), "selective-signature-count"},
		{"more signatures", with(func(b *sdBase) { b.signatures = append(b.signatures, b.signatures[0]) }), "selective-signature-count"},
		{"changed signature", with(func(b *sdBase) { b.signature[7] ^= 1 }), "signature-invalid"},
		{"another HMAC key", with(func(b *sdBase) { b.hmacKey[0] ^= 1 }), "signature-invalid"},
		{"fewer mandatory pointers", with(func(b *sdBase) { b.pointers = b.pointers[1:] }), "selective-signature-count"},
		{"other mandatory pointers", with(func(b *sdBase) { b.pointers = []string{"/nothing"} }), "selective-pointer-no-match"},
		{"proof of a copy", sdWithValue(t, base, sdProofValueOf(t, second)), "signature-invalid"},
		{"key not a point", with(func(b *sdBase) { b.key[2] = 7 }), "selective-proof-key"},
		{"two base proofs", sdEdit(t, base, func(m map[string]any) { m["proof"] = []any{m["proof"], m["proof"]} }), "proof-too-many"},
		{"proof of another suite", sdEdit(t, base, func(m map[string]any) { m["proof"].(map[string]any)["cryptosuite"] = SuiteECDSAJCS }), "proof-cryptosuite"},
		{"no proof", []byte(sdBirth), "proof-missing"},
		{"builds on another", sdEdit(t, base, func(m map[string]any) {
			p := m["proof"].(map[string]any)
			q := map[string]any{"id": "urn:x:1"}
			for k, v := range p {
				q[k] = v
			}
			q["cryptosuite"] = SuiteECDSAJCS
			p["previousProof"] = "urn:x:1"
			m["proof"] = []any{q, p}
		}), "proof-previous"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			sdWantCode(t, VerifyBase(tc.doc, did.MethodKey), tc.code)
			out, err := Derive(tc.doc, []string{"/credentialSubject/sex"})
			sdWantCode(t, err, tc.code)
			if out != nil {
				t.Error("a refusal returns something")
			}
		})
	}
}

func sdProofMethod(t testing.TB, doc []byte) string {
	t.Helper()
	s, err := splitSecured(doc)
	if err != nil {
		t.Fatal(err)
	}
	return s.proofs[0].Method
}

// Another proof beside the base proof stays with the holder.
func TestDeriveFromAProofSet(t *testing.T) {
	doc := sdSign(t, sdBirth, sdBirthMandatory...)
	doc, err := AddProof(doc, ProofOptions{Suite: SuiteECDSAJCS, Signer: sdIssuer(t), Purpose: PurposeAssertion, Created: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	out := sdDerive(t, doc, "/credentialSubject/sex")
	if err := sdVerified(out); err != nil {
		t.Error(err)
	}
	if s, err := splitSecured(out); err != nil || len(s.proofs) != 1 || s.proofs[0].Suite != SuiteSD {
		t.Error("the derived credential has other proofs")
	}
	_, err = AddProof(doc, ProofOptions{Suite: SuiteSD, Signer: sdIssuer(t), Purpose: PurposeAssertion, Created: time.Now(), ID: "urn:x:2", PreviousProof: []string{"urn:x:1"}})
	sdWantCode(t, err, "proof-previous")
}

func TestProofMaterialIsFresh(t *testing.T) {
	a, err := parseSDBase(sdProofValueOf(t, sdSign(t, sdBirth)))
	if err != nil {
		t.Fatal(err)
	}
	b, err := parseSDBase(sdProofValueOf(t, sdSign(t, sdBirth)))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(a.key, b.key) || bytes.Equal(a.hmacKey, b.hmacKey) || bytes.Equal(a.hmacKey, make([]byte, 32)) {
		t.Error("two base proofs share a secret")
	}
}

func TestDocumentsThatCannotBeDisclosedApart(t *testing.T) {
	const context = `{"@context":["https://www.w3.org/ns/credentials/v2",{"p":"urn:x:p","q":"urn:x:q","list":{"@id":"urn:x:list","@container":"@list"}}],"type":"VerifiableCredential",`
	sign := func(doc string) error {
		_, err := AddProof([]byte(doc), ProofOptions{Suite: SuiteSD, Signer: sdIssuer(t), Purpose: PurposeAssertion, Created: time.Now()})
		return err
	}
	var many strings.Builder
	for i := range maxStatements {
		fmt.Fprintf(&many, `,"v%d"`, i)
	}
	for _, tc := range []struct{ name, doc, code string }{
		{"two lists of one property", context + `"p":[{"@list":["a"]},{"@list":["b"]}]}`, "selective-nodes-unclear"},
		{"too many statements", context + `"p":["x"` + many.String() + `]}`, "selective-statements-many"},
		{"too large", context + `"p":"` + strings.Repeat("x", maxSDDocument) + `"}`, "selective-document-large"},
		{"an array", `[` + context + `"p":"x"}]`, "json-invalid"},
	} {
		t.Run(tc.name, func(t *testing.T) { sdWantCode(t, sign(tc.doc), tc.code) })
	}
}

// TestRandomDisclosures holds for any choice: what is derived verifies, is the
// part that was chosen, and holds no value that was not.
func TestRandomDisclosures(t *testing.T) {
	for name, doc := range map[string]struct {
		text      string
		mandatory []string
	}{"birth": {sdBirth, sdBirthMandatory}, "sails": {sdSails, []string{"/issuer"}}} {
		rounds := 150
		if name == "sails" {
			rounds /= 4 // each expands the document many times
		}
		t.Run(name, func(t *testing.T) {
			base := sdSign(t, doc.text, doc.mandatory...)
			all := sdPointersOf(doc.text)
			rng := mrand.New(mrand.NewPCG(7, uint64(len(all))))
			derived, split := 0, 0
			for range rounds {
				var chosen []string
				for range 1 + rng.IntN(5) {
					chosen = append(chosen, all[rng.IntN(len(all))])
				}
				out, err := Derive(base, chosen)
				if errors.Is(err, ErrSelectiveSplit) && slices.ContainsFunc(chosen, sdSplits) {
					split++
					continue
				}
				if err != nil {
					t.Fatalf("%q: %v", chosen, err)
				}
				derived++
				if err := sdVerified(out); err != nil {
					t.Fatalf("%q: %v", chosen, err)
				}
				s, err := splitSecured(out)
				if err != nil {
					t.Fatal(err)
				}
				want := sdSlowSelect(t, doc.text, slices.Concat(doc.mandatory, chosen))
				if !sameJSON(t, s.unsecured, want) {
					t.Fatalf("%q gives\n%s\nwant\n%s", chosen, s.unsecured, want)
				}
				for _, v := range sdSecretsOf(doc.text, string(want)) {
					// A short word may occur in a signature by chance.
					if bytes.Contains(s.unsecured, []byte(v)) || len(v) > 7 && bytes.Contains(out, []byte(v)) {
						t.Fatalf("%q shows %s", chosen, v)
					}
				}
			}
			t.Logf("%d derived, %d refused", derived, split)
			if derived < rounds/2 {
				t.Error("too few choices were derived")
			}
		})
	}
}

// splits reports whether a pointer enters what has a meaning only as a whole:
// plain values of a list, JSON literals, value objects, language maps.
func sdSplits(p string) bool {
	for _, s := range []string{"/given/", "/family/", "/ord/", "/raw/", "/@value", "/@language", "/@direction", "/by/"} {
		if strings.Contains(p, s) {
			return true
		}
	}
	return false
}

// pointersOf lists a pointer to every value of a document but those below
// @context.
func sdPointersOf(doc string) (out []string) {
	var walk func(v any, at string)
	walk = func(v any, at string) {
		switch v := v.(type) {
		case map[string]any:
			for k, e := range v {
				if k != "@context" {
					p := at + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(k)
					out = append(out, p)
					walk(e, p)
				}
			}
		case []any:
			for i, e := range v {
				p := fmt.Sprintf("%s/%d", at, i)
				out = append(out, p)
				walk(e, p)
			}
		}
	}
	var v any
	_ = json.Unmarshal([]byte(doc), &v)
	walk(v, "")
	slices.Sort(out)
	return out
}

// secretsOf lists the strings of a document that are not in its part.
func sdSecretsOf(doc, part string) (out []string) {
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for _, e := range v {
				walk(e)
			}
		case []any:
			for _, e := range v {
				walk(e)
			}
		case string:
			if len(v) > 3 && !strings.Contains(part, v) {
				out = append(out, v)
			}
		}
	}
	var v any
	_ = json.Unmarshal([]byte(doc), &v)
	walk(v)
	return out
}

// slowSelect is the selection of the specification (section 3.4.13) on decoded
// JSON, and our rule for lists of objects.
func sdSlowSelect(t *testing.T, doc string, pointers []string) []byte {
	var src any
	if err := json.Unmarshal([]byte(doc), &src); err != nil {
		t.Fatal(err)
	}
	type hole struct{}
	start := func(v any) any {
		switch v := v.(type) {
		case map[string]any:
			out := map[string]any{}
			for _, k := range []string{"id", "type"} {
				if e, ok := v[k]; ok {
					out[k] = e
				}
			}
			return out
		case []any:
			out := make([]any, len(v))
			for i := range out {
				out[i] = hole{}
			}
			return out
		}
		return v
	}
	out := start(src).(map[string]any)
	if c, ok := src.(map[string]any)["@context"]; ok {
		out["@context"] = c
	}
	for _, p := range pointers {
		var in, to any = src, out
		steps, err := pointerSteps(p)
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range steps {
			last := i == len(steps)-1
			switch a := in.(type) {
			case map[string]any:
				in = a[s]
				m := to.(map[string]any)
				if _, there := m[s]; last {
					m[s] = in
				} else if !there {
					m[s] = start(in)
				}
				to = m[s]
			case []any:
				n, _ := arrayIndex(s)
				in = a[n]
				l := to.([]any)
				if _, none := l[n].(hole); last {
					l[n] = in
				} else if none {
					l[n] = start(in)
				}
				to = l[n]
			}
		}
	}
	var dense func(part any) any
	dense = func(part any) any {
		switch v := part.(type) {
		case map[string]any:
			for k := range v {
				v[k] = dense(v[k])
			}
		case []any:
			kept := []any{}
			for _, e := range v {
				if _, none := e.(hole); !none {
					kept = append(kept, dense(e))
				}
			}
			return kept
		}
		return part
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(dense(out)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// The number of verifications tells how many statements are shown, not which
// signature fails.
func TestSignaturesAreCheckedInConstantNumber(t *testing.T) {
	good := sdDerive(t, sdSign(t, sdBirth, sdBirthMandatory...), "/credentialSubject/birthDate")
	n := uint64(len(sdParsed(t, good).signatures))
	held := func(doc []byte) uint64 {
		before := signaturesHeld.Load()
		_ = sdVerified(doc)
		return signaturesHeld.Load() - before
	}
	if got := held(good); got != n+1 {
		t.Errorf("%d signatures were checked, want %d", got, n+1)
	}
	if got := held(sdWithDerived(t, good, func(d *sdDerived) { d.signature[9] ^= 1 })); got != n {
		t.Errorf("%d signatures hold beside a broken base signature, want %d", got, n)
	}
	for i := range n {
		if got := held(sdWithDerived(t, good, func(d *sdDerived) { d.signatures[i][9] ^= 1 })); got != n {
			t.Errorf("%d signatures hold beside a broken one, want %d", got, n)
		}
	}
}

// A Data Model 1.1 credential as the W3C suites issue it, with a type and a
// property that differ in case alone.
func TestSelectiveDisclosureOfVersion1(t *testing.T) {
	const licence = `{"@context":["https://www.w3.org/2018/credentials/v1",{"@protected":true,"LicenceCredential":"urn:example:LicenceCredential",
	  "Licence":{"@id":"urn:example:Licence","@context":{"@protected":true,"id":"@id","type":"@type","number":"urn:example:number","born":"urn:example:born"}},
	  "licence":{"@id":"urn:example:licence","@type":"@id"}}],
	 "id":"urn:uuid:36245ee9-9074-4b05-a777-febff2e69757","type":["VerifiableCredential","LicenceCredential"],"issuer":"did:example:office","issuanceDate":"2010-01-01T19:23:24Z",
	 "credentialSubject":{"licence":{"type":"Licence","number":"T21387yc","born":"1990-01-01"}}}`
	base := sdSign(t, licence, "/issuer", "/issuanceDate")
	out := sdDerive(t, base, "/credentialSubject/licence/born")
	if err := sdVerified(out); err != nil || bytes.Contains(out, []byte("T21387yc")) {
		t.Fatalf("%v: %s", err, out)
	}
	sdWantCode(t, sdVerified(bytes.Replace(out, []byte("1990-01-01"), []byte("1991-01-01"), 1)), "signature-invalid")
}

// Lists keep their order and their length, at every depth.
func TestSelectiveDisclosureOfLists(t *testing.T) {
	const doc = `{"@context":["https://www.w3.org/ns/credentials/v2",{"l":{"@id":"urn:x:l","@container":"@list"},"s":"urn:x:s","v":"urn:x:v"}],
	 "type":"VerifiableCredential","issuer":"did:example:a","credentialSubject":{"id":"did:example:b",
	 "l":[{"v":"one"},{"id":"did:example:two","v":"two"},"plain",{"l":[{"v":"deep"},{"v":"deeper"}]},{"v":"one"}],"s":[{"v":"x"},{"v":"y"}]}}`
	base := sdSign(t, doc)
	for pointer, want := range map[string]string{
		"/credentialSubject/s/1":       `{"id":"did:example:b","s":[{"v":"y"}]}`,
		"/credentialSubject/l":         "",
		"/credentialSubject/l/0/v":     "-",
		"/credentialSubject/l/3/l/1/v": "-",
	} {
		out, err := Derive(base, []string{pointer})
		if want == "-" { // the plain value of the list cannot be left out of it
			sdWantCode(t, err, "selective-pointer-splits")
			continue
		}
		if err != nil || sdVerified(out) != nil {
			t.Fatal(pointer, err)
		}
		var m struct{ CredentialSubject json.RawMessage }
		if err := json.Unmarshal(out, &m); err != nil || want != "" && !sameJSON(t, m.CredentialSubject, []byte(want)) {
			t.Errorf("%s gives %s", pointer, m.CredentialSubject)
		}
	}
	without := strings.Replace(doc, `"plain",`, "", 1)
	base = sdSign(t, without)
	for pointer, want := range map[string]string{
		"/credentialSubject/l/0/v":     `{"id":"did:example:b","l":[{"v":"one"},{"id":"did:example:two"},{},{}]}`,
		"/credentialSubject/l/1":       `{"id":"did:example:b","l":[{},{"id":"did:example:two","v":"two"},{},{}]}`,
		"/credentialSubject/l/2/l/1/v": `{"id":"did:example:b","l":[{},{"id":"did:example:two"},{"l":[{},{"v":"deeper"}]},{}]}`,
	} {
		out := sdDerive(t, base, pointer)
		if err := sdVerified(out); err != nil {
			t.Errorf("%s: %v", pointer, err)
		}
		var m struct{ CredentialSubject json.RawMessage }
		if err := json.Unmarshal(out, &m); err != nil || !sameJSON(t, m.CredentialSubject, []byte(want)) {
			t.Errorf("%s gives %s", pointer, m.CredentialSubject)
		}
		// Another order, another length, another place are other statements.
		for _, forged := range []string{
			strings.Replace(string(out), `,{}]`, `]`, 1),
			strings.Replace(string(out), `{}]`, `{},{}]`, 1),
			strings.Replace(string(out), `"l":[`, `"s":[`, 1),
			strings.Replace(string(out), `"id":"did:example:two"`, `"id":"did:example:one"`, 1),
		} {
			if forged == string(out) {
				t.Fatal("nothing was forged")
			}
			if sdVerified([]byte(forged)) == nil {
				t.Errorf("%s: accepted %s", pointer, forged)
			}
		}
	}
}

// A birth without registered parents has an empty array, of which RDF says
// nothing. Nobody may add one where the parents are hidden.
func TestEmptyArraysAreNeverDisclosed(t *testing.T) {
	hidden := sdDerive(t, sdSign(t, sdBirth, sdBirthMandatory...), "/credentialSubject/sex")
	for _, added := range []string{`"parentage":[]`, `"parentage" : [ ` + "\n" + ` ]`, `"parentage":{"@set":[]}`, `"https://w3id.org/kinpass/v1#parentage":[]`, `"parentage":[[]]`, `"parentage":{"@set":[{"@set":[]}]}`} {
		forged := bytes.Replace(hidden, []byte(`"sex":2`), []byte(`"sex":2,`+added), 1)
		if err := sdVerified(forged); err == nil {
			t.Errorf("%s: accepted", added)
		} else if added[1] == 'p' && added[len(added)-2] != ']' && added[len(added)-1] == ']' {
			sdWantCode(t, err, "selective-unsigned")
		}
	}
	alias := bytes.Replace(hidden, []byte(`"https://w3id.org/kinpass/v1"],`), []byte(`"https://w3id.org/kinpass/v1",{"all":"@set"}],`), 1)
	sdWantCode(t, sdVerified(alias), "proof-alias")
	alias = bytes.Replace(alias, []byte(`"sex":2`), []byte(`"sex":2,"parentage":{"all":[]}`), 1)
	if sdVerified(alias) == nil {
		t.Error("an alias of @set brings an empty array")
	}
	from, to := strings.Index(sdBirth, `"parentage":`), strings.Index(sdBirth, `"registration":`)
	foundling := sdBirth[:from] + `"parentage":[], ` + sdBirth[to:]
	base := sdSign(t, foundling, sdBirthMandatory...)
	for _, p := range []string{"", "/credentialSubject", "/credentialSubject/sex"} {
		out := sdDerive(t, base, p)
		if err := sdVerified(out); err != nil || bytes.Contains(out, []byte("parentage")) {
			t.Errorf("%q: %v", p, err)
		}
	}
	_, err := Derive(base, []string{"/credentialSubject/parentage"})
	sdWantCode(t, err, "selective-unsigned")
	_, err = AddProof([]byte(foundling), ProofOptions{Suite: SuiteSD, Signer: sdIssuer(t), Purpose: PurposeAssertion, Created: time.Now(), MandatoryPointers: []string{"/credentialSubject/parentage"}})
	sdWantCode(t, err, "selective-unsigned")

	// Of empty lists and literals something is signed.
	const doc = `{"@context":["https://www.w3.org/ns/credentials/v2",{"l":{"@id":"urn:x:l","@container":"@list"},"j":{"@id":"urn:x:j","@type":"@json"},"none":[]}],
	 "type":"VerifiableCredential","issuer":"did:example:a","credentialSubject":{"id":"did:example:b","l":[],"j":{"a":[],"b":[[]]}}}`
	base = sdSign(t, strings.Replace(doc, `,"none":[]`, "", 1))
	out := sdDerive(t, base, "/credentialSubject/l", "/credentialSubject/j")
	if err := sdVerified(out); err != nil || !bytes.Contains(out, []byte(`"l":[]`)) || !bytes.Contains(out, []byte(`"b":[[]]`)) {
		t.Errorf("%v: %s", err, out)
	}
	sdWantCode(t, sdVerified(bytes.Replace(out, []byte(`"b":[[]]`), []byte(`"b":[]`), 1)), "signature-invalid")
	many := `{"a":[` + strings.Repeat(`[],`, maxEmpty) + `[]]}`
	_, err = AddProof([]byte(strings.Replace(strings.Replace(doc, `,"none":[]`, "", 1), `{"a":[],"b":[[]]}`, many, 1)),
		ProofOptions{Suite: SuiteSD, Signer: sdIssuer(t), Purpose: PurposeAssertion, Created: time.Now()})
	sdWantCode(t, err, "selective-unsigned")
}
