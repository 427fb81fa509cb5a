package vc

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"encoding/hex"
	"encoding/json"
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

func mustTime(t testing.TB, s string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// stepSuite is a folder of vectors with every step of one cryptosuite.
type stepSuite struct {
	dir, sub, suffix string
	suite            string
	unsigned         string
	key              string
}

func TestDataIntegrityVectors(t *testing.T) {
	steps := []stepSuite{
		{"vc-di-eddsa", "eddsa-jcs-2022", "JCS", SuiteEdDSAJCS, "unsigned.json", "keyPair.json"},
		{"vc-di-ecdsa", "ecdsa-jcs-2019-p256", "JCSECDSAP256", SuiteECDSAJCS, "unsigned.json", "p256KeyPair.json"},
		{"vc-di-ecdsa", "ecdsa-jcs-2019-p384", "JCSECDSAP384", SuiteECDSAJCS, "unsigned.json", "p384KeyPair.json"},
	}
	n := 0
	for _, s := range steps {
		t.Run(s.sub, func(t *testing.T) { n += s.run(t) })
	}
	t.Logf("%d step files", n)
}

// run checks each file of the folder and gives their number.
func (v stepSuite) run(t *testing.T) int {
	dir := vectest.Dir(t, v.dir)
	read := func(step, ext string) []byte {
		return bytes.TrimRight(vectest.Read(t, dir, strings.Split(v.sub, "/")[0], strings.TrimPrefix(v.sub[len(strings.Split(v.sub, "/")[0]):], "/"), step+v.suffix+ext), "\n")
	}
	signer := keyFile(t, dir, v.key)
	unsigned := vectest.Read(t, dir, v.unsigned)
	config := read("proofConfig", ".json")
	suite := suiteOf(v.suite)
	h, size, ok := suite.keyKind(signer.Public())
	if !ok {
		t.Fatal("the key does not fit")
	}
	compare := func(step string, got []byte) {
		t.Helper()
		if want := read(step, ".txt"); string(want) != string(bytes.TrimRight(got, "\n")) {
			t.Errorf("%s differs:\n%s\nwant\n%s", step, got, want)
		}
	}
	for _, part := range []struct {
		name  string
		input []byte
		canon string
	}{{"doc", unsigned, "canonDoc"}, {"proof", config, "proofCanon"}} {
		canon, err := suite.canonical(part.input, h)
		if err != nil {
			t.Fatal(part.name, err)
		}
		compare(part.canon, canon)
		sum, err := suite.digest(nil, part.input, h)
		if err != nil {
			t.Fatal(err)
		}
		compare(part.name+"Hash", []byte(hex.EncodeToString(sum)))
	}
	proofSum, _ := suite.digest(nil, config, h)
	both, _ := suite.digest(proofSum, unsigned, h)
	compare("combinedHash", []byte(hex.EncodeToString(both)))
	sig, err := signRaw(signer, h, size, both)
	if err != nil {
		t.Fatal(err)
	}
	compare("sigHex", []byte(hex.EncodeToString(sig)))
	compare("sigBTC58", []byte("z"+did.EncodeBase58(sig)))

	var c struct{ Created time.Time }
	if err := json.Unmarshal(config, &c); err != nil {
		t.Fatal(err)
	}
	signed := read("signed", ".json")
	mine, err := AddProof(unsigned, ProofOptions{Suite: v.suite, Signer: signer, Purpose: PurposeAssertion, Created: c.Created})
	if err != nil {
		t.Fatal(err)
	}
	if !sameJSON(t, mine, signed) {
		t.Errorf("signed differs: %s", mine)
	}
	for _, doc := range [][]byte{signed, mine} {
		unsecured, proofs, err := VerifyProofs(doc, testPolicy)
		if err != nil {
			t.Fatal(err)
		}
		if !sameJSON(t, unsecured, unsigned) || len(proofs) != 1 || proofs[0].Method != signer.KID || proofs[0].Suite != v.suite {
			t.Errorf("verified something else: %s, %+v", unsecured, proofs)
		}
	}
	return 9
}

var testPolicy = ProofPolicy{Keys: did.MethodKey, Purpose: PurposeAssertion, Now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}

var _ crypto.PublicKey
