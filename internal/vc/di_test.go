package vc

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/vectest"
)

// vectorKey makes the signer of a key pair as the vectors write it: the secret
// key is multibase with a two-byte multicodec prefix.
func vectorKey(t testing.TB, public, secret string) keys.Signer {
	t.Helper()
	raw, err := did.DecodeMultibase(secret, 64)
	if err != nil {
		t.Fatal(err)
	}
	s := keys.Signer{KID: "did:key:" + public + "#" + public}
	switch [2]byte(raw) {
	case [2]byte{0x80, 0x26}: // ed25519-priv
		s.Alg, s.Signer = keys.EdDSA, ed25519.NewKeyFromSeed(raw[2:])
	case [2]byte{0x86, 0x26}: // p256-priv
		s.Alg = keys.ES256
		s.Signer, err = ecdsa.ParseRawPrivateKey(elliptic.P256(), raw[2:])
	case [2]byte{0x87, 0x26}: // p384-priv
		s.Alg = "ES384"
		s.Signer, err = ecdsa.ParseRawPrivateKey(elliptic.P384(), raw[2:])
	default:
		t.Fatal("unknown secret key")
	}
	if err != nil {
		t.Fatal(err)
	}
	if mb, err := did.EncodeMultikey(s.Public()); err != nil || mb != public {
		t.Fatalf("the vector's public key is another: %v", err)
	}
	return s
}

func keyFile(t testing.TB, dir string, name ...string) keys.Signer {
	t.Helper()
	var k struct{ PublicKeyMultibase, PrivateKeyMultibase, SecretKeyMultibase string }
	if err := json.Unmarshal(vectest.Read(t, dir, name...), &k); err != nil {
		t.Fatal(err)
	}
	return vectorKey(t, k.PublicKeyMultibase, k.PrivateKeyMultibase+k.SecretKeyMultibase)
}

// sameJSON compares two documents by value; the order of members is free.
func sameJSON(t testing.TB, a, b []byte) bool {
	t.Helper()
	var x, y any
	if err := json.Unmarshal(a, &x); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &y); err != nil {
		t.Fatal(err)
	}
	return reflect.DeepEqual(x, y)
}

// stepFolder is a folder of vectors with every step of one cryptosuite.
type stepFolder struct {
	dir, suffix string // of the file names
	suite       *cryptosuite
	unsigned    string // in the folder above
	key         string
}

func TestDataIntegrityVectors(t *testing.T) {
	n := 0
	for _, v := range []stepFolder{
		{"vc-di-eddsa/eddsa-rdfc-2022", "DataInt", suiteEdDSARDFC, "unsigned.json", "keyPair.json"},
		{"vc-di-eddsa/eddsa-rdfc-2022/employ", "DataInt", suiteEdDSARDFC, "employmentAuth.json", "keyPair.json"},
		{"vc-di-eddsa/eddsa-jcs-2022", "JCS", suiteEdDSAJCS, "unsigned.json", "keyPair.json"},
		{"vc-di-eddsa/Ed25519Signature2020", "EdSig", suiteEd2020, "unsigned.json", "keyPair.json"},
		{"vc-di-ecdsa/ecdsa-rdfc-2019-p256", "ECDSAP256", suiteECDSARDFC, "unsigned.json", "p256KeyPair.json"},
		{"vc-di-ecdsa/ecdsa-rdfc-2019-p256/employ", "ECDSAP256", suiteECDSARDFC, "employmentAuth.json", "p256KeyPair.json"},
		{"vc-di-ecdsa/ecdsa-rdfc-2019-p384", "ECDSAP384", suiteECDSARDFC, "unsigned.json", "p384KeyPair.json"},
		{"vc-di-ecdsa/ecdsa-rdfc-2019-p384/employ", "ECDSAP384", suiteECDSARDFC, "employmentAuth.json", "p384KeyPair.json"},
		{"vc-di-ecdsa/ecdsa-jcs-2019-p256", "JCSECDSAP256", suiteECDSAJCS, "unsigned.json", "p256KeyPair.json"},
		{"vc-di-ecdsa/ecdsa-jcs-2019-p384", "JCSECDSAP384", suiteECDSAJCS, "unsigned.json", "p384KeyPair.json"},
	} {
		t.Run(v.dir, func(t *testing.T) { n += v.run(t) })
	}
	if !t.Failed() && n != 90 && n != 0 {
		t.Errorf("%d step files, expected 90", n)
	}
	t.Logf("%d step files of 10 folders", n)
}

// run checks each file of the folder and gives their number.
func (v stepFolder) run(t *testing.T) (files int) {
	dir := vectest.Dir(t, v.dir)
	top := vectest.Dir(t, strings.Split(v.dir, "/")[0])
	read := func(step, ext string) []byte {
		files++
		return bytes.TrimRight(vectest.Read(t, dir, step+v.suffix+ext), "\n")
	}
	compare := func(step string, got []byte) {
		t.Helper()
		if want := read(step, ".txt"); string(want) != string(bytes.TrimRight(got, "\n")) {
			t.Errorf("%s differs:\n%s\nwant\n%s", step, got, want)
		}
	}
	signer := keyFile(t, top, v.key)
	unsigned := vectest.Read(t, top, v.unsigned)
	if v.suite == suiteEd2020 { // the vector has a third context, which its source lacks
		unsigned = bytes.Replace(unsigned, []byte(`/examples/v2"`), []byte(`/examples/v2","https://w3id.org/security/suites/ed25519-2020/v1"`), 1)
	}
	config := read("proofConfig", ".json")
	h, size, ok := v.suite.keyKind(signer.Public())
	if !ok {
		t.Fatal("the key does not fit")
	}
	var sums [2][]byte
	for i, part := range []struct {
		input       []byte
		canon, hash string
	}{{config, "proofCanon", "proofHash"}, {unsigned, "canonDoc", "docHash"}} {
		canon, err := v.suite.canonical(part.input, h)
		if err != nil {
			t.Fatal(part.canon, err)
		}
		compare(part.canon, canon)
		if sums[i], err = v.suite.digest(nil, part.input, h); err != nil {
			t.Fatal(err)
		}
		compare(part.hash, []byte(hex.EncodeToString(sums[i])))
	}
	both := append(sums[0], sums[1]...)
	compare("combinedHash", []byte(hex.EncodeToString(both)))
	sig, err := signRaw(signer, h, size, both)
	if err != nil {
		t.Fatal(err)
	}
	compare("sigHex", []byte(hex.EncodeToString(sig)))
	compare("sigBTC58", []byte("z"+did.EncodeBase58(sig)))

	signed := read("signed", ".json")
	docs := [][]byte{signed}
	if v.suite != suiteEd2020 {
		var c struct{ Created time.Time }
		if err := json.Unmarshal(config, &c); err != nil {
			t.Fatal(err)
		}
		mine, err := AddProof(unsigned, ProofOptions{Suite: v.suite.name, Signer: signer, Purpose: PurposeAssertion, Created: c.Created})
		if err != nil {
			t.Fatal(err)
		}
		if !sameJSON(t, mine, signed) {
			t.Errorf("the signed document differs: %s", mine)
		}
		docs = append(docs, mine)
	}
	policy := testPolicy
	policy.AllowEd2020 = true
	for _, doc := range docs {
		unsecured, proofs, err := VerifyProofs(doc, policy)
		if err != nil {
			t.Fatal(err)
		}
		if !sameJSON(t, unsecured, unsigned) || len(proofs) != 1 || proofs[0].Method != signer.KID || proofs[0].Suite != v.suite.name {
			t.Errorf("something else was verified: %s, %+v", unsecured, proofs)
		}
	}
	if have, err := filepath.Glob(filepath.Join(dir, "*.*")); err != nil || len(have) != files {
		t.Errorf("%d files looked at, the folder has %d", files, len(have))
	}
	return files
}

var testPolicy = ProofPolicy{Keys: did.MethodKey, Purpose: PurposeAssertion, Now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}

// TestProofSetChainVectors signs two proofs of a set and two of a chain, one
// after the other, and holds each step against its file.
func TestProofSetChainVectors(t *testing.T) {
	dir := vectest.Dir(t, "vc-di-eddsa/proof-set-chain")
	files := 0
	read := func(name string) []byte { files++; return vectest.Read(t, dir, name+".json") }
	var pairs map[string]struct{ PublicKeyMultibase, PrivateKeyMultibase string }
	if err := json.Unmarshal(read("multiKeyPairs"), &pairs); err != nil {
		t.Fatal(err)
	}
	doc := read("unsigned")
	unsigned := doc
	for i, step := range []struct{ config, configSigned, signed, covered string }{
		{"proofSetConfig1", "proofSetConfigSigned1", "signedProofSet1", ""},
		{"proofSetConfig2", "proofSetConfigSigned2", "signedProofSet2", ""},
		{"proofChainConfig1", "proofChainConfigSigned1", "signedProofChain1", "proofChainTempDoc1"},
		{"proofChainConfig2", "proofChainConfigSigned2", "signedProofChain2", "proofChainTempDoc2"},
	} {
		var c struct {
			ID            string
			Created       time.Time
			ProofPurpose  string
			PreviousProof json.RawMessage
		}
		config := read(step.config)
		if err := json.Unmarshal(config, &c); err != nil {
			t.Fatal(err)
		}
		var previous []string
		if c.PreviousProof != nil {
			previous, _ = stringValues(c.PreviousProof, maxProofs)
		}
		if step.covered != "" {
			s, err := splitSecured(doc)
			if err != nil {
				t.Fatal(err)
			}
			covered, err := s.with(previous)
			if err != nil || !sameJSON(t, covered.bytes, read(step.covered)) {
				t.Errorf("%s: another document is covered: %s, %v", step.config, covered.bytes, err)
			}
		}
		pair := pairs[fmt.Sprintf("keyPair%d", i+1)]
		signer := vectorKey(t, pair.PublicKeyMultibase, pair.PrivateKeyMultibase)
		var err error
		doc, err = AddProof(doc, ProofOptions{Suite: SuiteEdDSARDFC, Signer: signer, Purpose: c.ProofPurpose,
			Created: c.Created, ID: c.ID, PreviousProof: previous})
		if err != nil {
			t.Fatal(step.signed, err)
		}
		want := read(step.signed)
		if !sameJSON(t, doc, want) {
			t.Errorf("%s differs: %s", step.signed, doc)
		}
		unsecured, proofs, err := VerifyProofs(want, testPolicy)
		if err != nil || len(proofs) != i+1 || !sameJSON(t, unsecured, unsigned) {
			t.Errorf("%s: %d proofs, %v", step.signed, len(proofs), err)
		}
		s, err := splitSecured(doc)
		if err != nil {
			t.Fatal(err)
		}
		last := s.proofs[i]
		if !sameJSON(t, last.raw, read(step.configSigned)) {
			t.Errorf("%s differs: %s", step.configSigned, last.raw)
		}
		var members map[string]any
		if err := json.Unmarshal(last.config, &members); err != nil {
			t.Fatal(err)
		}
		delete(members, "@context")
		bare, _ := json.Marshal(members)
		if !sameJSON(t, bare, config) {
			t.Errorf("%s differs: %s", step.config, bare)
		}
	}
	if have, err := filepath.Glob(filepath.Join(dir, "*.json")); err != nil || files != len(have) || files != 16 {
		t.Errorf("%d files looked at, the folder has %d, expected 16", files, len(have))
	}
	t.Logf("%d proof set and chain files", files)
}
