package vc

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/status"
)

// mxNow is the time of the verifier.
var mxNow = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

const (
	mxDomain    = "https://verifier.example"
	mxChallenge = "c0ffee-1"
)

// mxSigner gives the key of somebody, always the same, as a did:key.
func mxSigner(t testing.TB, alg, who string) keys.Signer {
	t.Helper()
	s := keys.Signer{Alg: alg}
	sum := sha256.Sum256([]byte(alg + who))
	switch alg {
	case keys.EdDSA:
		s.Signer = ed25519.NewKeyFromSeed(sum[:])
	default:
		curve, size := elliptic.P256(), 32
		if alg == keys.ES384 {
			curve, size = elliptic.P384(), 48
		}
		raw := make([]byte, size)
		copy(raw[size-32:], sum[:])
		raw[size-32] &= 0x7f
		key, err := ecdsa.ParseRawPrivateKey(curve, raw)
		if err != nil {
			t.Fatal(err)
		}
		s.Signer = key
	}
	mb, err := did.EncodeMultikey(s.Public())
	if err != nil {
		t.Fatal(err)
	}
	s.KID = "did:key:" + mb + "#" + mb
	return s
}

// mxForged is a key that claims to be another's.
func mxForged(by, of keys.Signer) keys.Signer {
	return keys.Signer{KID: of.KID, Alg: by.Alg, Signer: by.Signer}
}

// mxDoc is a birth credential of the signer of s, valid at mxNow, with a
// status.
func mxDoc(s keys.Signer) string {
	return strings.Replace(credential(TypeBirth, SchemaBirth, goodBirth), "did:web:registry.npl.example", did.Base(s.KID), 1)
}

func mxReplace(t testing.TB, in, old, new string) string {
	t.Helper()
	if !strings.Contains(in, old) {
		t.Fatalf("no %q in %.400s", old, in)
	}
	return strings.Replace(in, old, new, 1)
}

// mxSign says how a credential or presentation is signed.
type mxSign struct {
	signer  keys.Signer
	purpose string // empty: the right one
	ask     bool   // a presentation answers mxChallenge for mxDomain
	aud     string // another domain
	nonce   string // another challenge
}

func (o mxSign) domain() string {
	if o.aud != "" {
		return o.aud
	}
	return mxDomain
}

func (o mxSign) challenge() string {
	if o.nonce != "" {
		return o.nonce
	}
	return mxChallenge
}

// mxFormat is one way to secure a credential.
type mxFormat struct {
	name, family, alg, suite string

	// sign secures a document as it is, whatever it says.
	sign func(t testing.TB, f *mxFormat, doc string, o mxSign) []byte
	// edit changes the signed document and leaves the signature.
	edit func(t testing.TB, in []byte, change func(string) string) []byte
	// signature changes the signature, which is given and taken as bytes; nil
	// leaves it out.
	signature func(t testing.TB, in []byte, change func([]byte) []byte) []byte
	// present makes a presentation of the credential.
	present func(t testing.TB, f *mxFormat, credential []byte, o mxSign) []byte
}

func mxFormats() []*mxFormat {
	di := func(name, alg, suite, family string) *mxFormat {
		return &mxFormat{name, family, alg, suite, mxSignDI, mxEditJSON, mxSignatureDI, mxPresentDI}
	}
	return []*mxFormat{
		{"vc+jwt EdDSA", "jose", keys.EdDSA, "", mxSignJOSE, mxEditJOSE, mxSignatureJOSE, mxPresentJOSE},
		{"vc+jwt ES256", "jose", keys.ES256, "", mxSignJOSE, mxEditJOSE, mxSignatureJOSE, mxPresentJOSE},
		{"vc+jwt ES384", "jose", keys.ES384, "", mxSignJOSE, mxEditJOSE, mxSignatureJOSE, mxPresentJOSE},
		{"vc+cose EdDSA", "cose", keys.EdDSA, "", mxSignCOSE, mxEditCOSE, mxSignatureCOSE, mxPresentCOSE},
		{"vc+cose ES256", "cose", keys.ES256, "", mxSignCOSE, mxEditCOSE, mxSignatureCOSE, mxPresentCOSE},
		{"vc+sd-jwt", "vcsd", keys.ES256, "", mxSignSD, mxEditSD, mxSignatureSD, mxPresentSD},
		{"dc+sd-jwt", "dcsd", keys.EdDSA, "", mxSignDC, mxEditSD, mxSignatureSD, mxPresentSD},
		di("eddsa-rdfc-2022", keys.EdDSA, SuiteEdDSARDFC, "rdfc"),
		di("eddsa-jcs-2022", keys.EdDSA, SuiteEdDSAJCS, "jcs"),
		di("ecdsa-rdfc-2019 P-256", keys.ES256, SuiteECDSARDFC, "rdfc"),
		di("ecdsa-rdfc-2019 P-384", keys.ES384, SuiteECDSARDFC, "rdfc"),
		di("ecdsa-jcs-2019 P-256", keys.ES256, SuiteECDSAJCS, "jcs"),
		di("ecdsa-jcs-2019 P-384", keys.ES384, SuiteECDSAJCS, "jcs"),
		di("Ed25519Signature2020", keys.EdDSA, TypeEd2020, "ed2020"),
		{"ecdsa-sd-2023 derived", "sd", keys.ES256, SuiteSD, mxSignDerived, mxEditJSON, mxSignatureDI, nil},
	}
}

// ---- Data Integrity

func mxSignDI(t testing.TB, f *mxFormat, doc string, o mxSign) []byte {
	t.Helper()
	p := ProofOptions{Suite: f.suite, Signer: o.signer, Purpose: o.purpose, Created: mxNow.Add(-time.Hour)}
	if p.Purpose == "" {
		p.Purpose = PurposeAssertion
	}
	if o.ask {
		p.Challenge, p.Domain = o.challenge(), o.domain()
	}
	if f.suite == TypeEd2020 {
		return mxSignEd2020(t, doc, p)
	}
	out, err := AddProof([]byte(doc), p)
	if err != nil {
		t.Fatalf("%s: %v\n%s", f.name, err, doc)
	}
	return out
}

// mxSignLax signs with a jcs suite whatever the document says, as a signer does
// that makes no JSON-LD checks.
func mxSignLax(t testing.TB, f *mxFormat, doc string, o mxSign) []byte {
	t.Helper()
	lax := *suiteOf(f.suite)
	lax.canonical = canonicalJCS
	p := ProofOptions{Suite: f.suite, Signer: o.signer, Purpose: PurposeAssertion, Created: mxNow.Add(-time.Hour)}
	context := memberOf([]byte(doc), "@context")
	mine := p.object(&lax, context)
	x, err := parseProof(appendMember(mine, "proofValue", []byte(`"z"`)), context)
	if err != nil {
		t.Fatal(err)
	}
	value, err := lax.make([]byte(doc), x.config, p)
	if err != nil {
		t.Fatal(err)
	}
	return appendMember([]byte(doc), "proof", appendMember(mine, "proofValue", appendQuoted(nil, value)))
}

// mxSignEd2020 signs as the suite was signed when it was made: nothing in the
// product does that.
func mxSignEd2020(t testing.TB, doc string, o ProofOptions) []byte {
	t.Helper()
	doc = mxReplace(t, doc, `"`+ContextV2+`"`, `"`+ContextV2+`","https://w3id.org/security/suites/ed25519-2020/v1"`)
	proof := fmt.Sprintf(`{"type":"Ed25519Signature2020","created":%q,"verificationMethod":%q,"proofPurpose":%q`, stamp(o.Created), o.Signer.KID, o.Purpose)
	if o.Challenge != "" {
		proof += fmt.Sprintf(`,"challenge":%q,"domain":%q`, o.Challenge, o.Domain)
	}
	var data []byte
	for _, part := range []string{`{"@context":` + string(memberOf([]byte(doc), "@context")) + "," + proof[1:] + "}", doc} {
		canon, err := canonicalRDF([]byte(part), crypto.SHA256)
		if err != nil {
			t.Fatalf("%v\n%s", err, part)
		}
		sum := sha256.Sum256(canon)
		data = append(data, sum[:]...)
	}
	sig, err := o.Signer.Sign(nil, data, crypto.Hash(0))
	if err != nil {
		t.Fatal(err)
	}
	return appendMember([]byte(doc), "proof", []byte(proof+`,"proofValue":"z`+did.EncodeBase58(sig)+`"}`))
}

// mxSignDerived signs with a base proof and derives all of it.
func mxSignDerived(t testing.TB, f *mxFormat, doc string, o mxSign) []byte {
	t.Helper()
	mandatory, err := MandatoryPointers([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	p := ProofOptions{Suite: f.suite, Signer: o.signer, Purpose: o.purpose, Created: mxNow.Add(-time.Hour), MandatoryPointers: mandatory}
	if p.Purpose == "" {
		p.Purpose = PurposeAssertion
	}
	if o.ask {
		p.Challenge, p.Domain = o.challenge(), o.domain()
	}
	base, err := AddProof([]byte(doc), p)
	if err != nil {
		t.Fatalf("%s: %v\n%s", f.name, err, doc)
	}
	out, err := Derive(base, []string{"/credentialSubject"})
	if err != nil {
		t.Fatalf("%s: %v\n%s", f.name, err, base)
	}
	return out
}

func mxEditJSON(_ testing.TB, in []byte, change func(string) string) []byte {
	return []byte(change(string(in)))
}

func mxSignatureDI(t testing.TB, in []byte, change func([]byte) []byte) []byte {
	t.Helper()
	ms, ok := members(in)
	if !ok {
		t.Fatal("no object")
	}
	k := slices.IndexFunc(ms, func(m memberSpan) bool { return m.name == "proof" })
	proof := in[ms[k].val:ms[k].end]
	value := string(textOf(memberOf(proof, "proofValue")))
	sig, err := did.DecodeMultibase(value, 1<<16)
	if err != nil {
		t.Fatal(err)
	}
	if sig = change(sig); sig == nil {
		return without(in, ms, k)
	}
	text := "z" + did.EncodeBase58(sig)
	if value[0] == 'u' {
		text = "u" + b64.EncodeToString(sig)
	}
	return bytes.Replace(in, []byte(value), []byte(text), 1)
}

func mxPresentDI(t testing.TB, f *mxFormat, credential []byte, o mxSign) []byte {
	t.Helper()
	o.purpose = PurposeAuthentication
	doc := `{"@context":["` + ContextV2 + `"],"type":["VerifiablePresentation"],"holder":"` + did.Base(o.signer.KID) + `","verifiableCredential":[` + string(credential) + `]}`
	return mxSignDI(t, f, doc, o)
}

// ---- JOSE

func mxSignJOSE(t testing.TB, f *mxFormat, doc string, o mxSign) []byte {
	t.Helper()
	typ, cty := TypCredential, "vc"
	if o.purpose != "" {
		typ, cty = TypPresentation, "vp"
	}
	out, err := SignJOSE(o.signer, typ, cty, []byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	return []byte(out)
}

func mxParts(t testing.TB, in []byte) (parts []string, rest string) {
	t.Helper()
	jws, rest, _ := strings.Cut(string(in), "~")
	if parts = strings.Split(jws, "."); len(parts) != 3 {
		t.Fatal("no JWS")
	}
	if strings.Contains(string(in), "~") {
		rest = "~" + rest
	}
	return parts, rest
}

func mxDecode(t testing.TB, s string) []byte {
	t.Helper()
	out, err := b64.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func mxEditJOSE(t testing.TB, in []byte, change func(string) string) []byte {
	t.Helper()
	parts, rest := mxParts(t, in)
	parts[1] = b64.EncodeToString([]byte(change(string(mxDecode(t, parts[1])))))
	return []byte(strings.Join(parts, ".") + rest)
}

func mxSignatureJOSE(t testing.TB, in []byte, change func([]byte) []byte) []byte {
	t.Helper()
	parts, rest := mxParts(t, in)
	parts[2] = b64.EncodeToString(change(mxDecode(t, parts[2])))
	return []byte(strings.Join(parts, ".") + rest)
}

// mxHeader changes the header of a JWS.
func mxHeader(t testing.TB, in []byte, old, new string) []byte {
	t.Helper()
	parts, rest := mxParts(t, in)
	parts[0] = b64.EncodeToString([]byte(mxReplace(t, string(mxDecode(t, parts[0])), old, new)))
	return []byte(strings.Join(parts, ".") + rest)
}

func mxEnvelope(media string, content []byte) string {
	return `{"@context":"` + ContextV2 + `","type":"EnvelopedVerifiableCredential","id":"data:application/` + media + `,` + string(content) + `"}`
}

// mxEnveloped is the payload of an enveloped presentation of one credential.
func mxEnveloped(media string, credential []byte, o mxSign) string {
	item := string(credential)
	if media != "" {
		item = mxEnvelope(media, credential)
	}
	return fmt.Sprintf(`{"@context":["%s"],"type":"VerifiablePresentation","holder":"%s","verifiableCredential":[%s],"aud":%q,"nonce":%q,"iat":%d,"exp":%d}`,
		ContextV2, did.Base(o.signer.KID), item, o.domain(), o.challenge(), mxNow.Unix()-5, mxNow.Unix()+300)
}

func mxPresentJOSE(t testing.TB, f *mxFormat, credential []byte, o mxSign) []byte {
	t.Helper()
	out, err := SignJOSE(o.signer, TypPresentation, "vp", []byte(mxEnveloped(TypCredential, credential, o)))
	if err != nil {
		t.Fatal(err)
	}
	return []byte(out)
}

// ---- COSE

func mxWrapCOSE(data []byte) []byte {
	return []byte(mxEnvelope("vc+cose;base64", []byte(base64.StdEncoding.EncodeToString(data))))
}

func mxSignCOSE(t testing.TB, f *mxFormat, doc string, o mxSign) []byte {
	t.Helper()
	media := MediaCredential
	if o.purpose != "" {
		media = MediaPresentation
	}
	out, err := SignCOSE(o.signer, media, []byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	return mxWrapCOSE(out)
}

// mxCOSE takes an enveloped COSE_Sign1 apart, lets change have it, and puts it
// together again.
func mxCOSE(t testing.TB, in []byte, change func(parts []any)) []byte {
	t.Helper()
	_, text, _ := strings.Cut(string(textOf(memberOf(in, "id"))), ",")
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	var tag cbor.RawTag
	if err := cbor.Unmarshal(data, &tag); err != nil {
		t.Fatal(err)
	}
	var parts []any
	if err := cbor.Unmarshal(tag.Content, &parts); err != nil {
		t.Fatal(err)
	}
	change(parts)
	out, err := cbor.Marshal(cbor.Tag{Number: 18, Content: parts})
	if err != nil {
		t.Fatal(err)
	}
	return mxWrapCOSE(out)
}

func mxEditCOSE(t testing.TB, in []byte, change func(string) string) []byte {
	return mxCOSE(t, in, func(p []any) { p[2] = []byte(change(string(p[2].([]byte)))) })
}

func mxSignatureCOSE(t testing.TB, in []byte, change func([]byte) []byte) []byte {
	return mxCOSE(t, in, func(p []any) {
		sig := change(p[3].([]byte))
		if sig == nil {
			sig = []byte{}
		}
		p[3] = sig
	})
}

func mxPresentCOSE(t testing.TB, f *mxFormat, credential []byte, o mxSign) []byte {
	t.Helper()
	out, err := SignCOSE(o.signer, MediaPresentation, []byte(mxEnveloped("", credential, o)))
	if err != nil {
		t.Fatal(err)
	}
	return []byte(`{"@context":"` + ContextV2 + `","type":"EnvelopedVerifiablePresentation","id":"data:application/vp+cose;base64,` + base64.StdEncoding.EncodeToString(out) + `"}`)
}

// ---- SD-JWT

func mxHolder(t testing.TB) keys.Signer { return mxSigner(t, keys.EdDSA, "holder") }

func mxCnf(t testing.TB) string {
	t.Helper()
	jwk, err := PublicJWK(mxHolder(t).Public(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	return `"cnf":{"jwk":` + string(jwk) + `}`
}

func mxSignSDAs(t testing.TB, typ, cty, doc string, hide []string, s keys.Signer) []byte {
	t.Helper()
	payload, disclosures, err := MakeSDJWT([]byte(doc), hide, SDOptions{})
	if err != nil { // such as a document that is too deep: sign it as it is
		payload, disclosures = []byte(doc), nil
	}
	out, err := SignSDJWT(s, typ, cty, payload, disclosures)
	if err != nil {
		t.Fatal(err)
	}
	return []byte(out)
}

func mxSignSD(t testing.TB, f *mxFormat, doc string, o mxSign) []byte {
	t.Helper()
	typ, cty := TypCredentialSD, "vc"
	if o.purpose != "" {
		typ, cty = TypPresentationSD, "vp"
	}
	return mxSignSDAs(t, typ, cty, strings.Replace(doc, "{", "{"+mxCnf(t)+",", 1), []string{"/credentialSubject/sex"}, o.signer)
}

// mxSignDC gives the SD-JWT VC of the birth, or of the claims that a document
// without @context is.
func mxSignDC(t testing.TB, f *mxFormat, doc string, o mxSign) []byte {
	t.Helper()
	typ := TypSDJWTVC
	if o.purpose != "" {
		typ = TypKeyBinding
	}
	if !strings.Contains(doc, "@context") {
		return mxSignSDAs(t, typ, "", doc, nil, o.signer)
	}
	claims, hide := mxBirthClaims(t, doc)
	return mxSignSDAs(t, typ, "", claims, hide, o.signer)
}

func mxBirthClaims(t testing.TB, doc string) (claims string, hide []string) {
	t.Helper()
	c, err := ParseCredential([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	m := SDMeta{Issuer: c.Issuer, Holder: mxHolder(t).Public(), From: c.ValidFrom, Until: c.ValidTo,
		Status: TokenStatus{URI: "https://registry.npl.example/status/token/3", Index: 94567}}
	out, hide, err := BirthSDJWTVC(sdvBirth(), m)
	if err != nil {
		t.Fatal(err)
	}
	return string(out), hide
}

func mxEditSD(t testing.TB, in []byte, change func(string) string) []byte {
	return mxEditJOSE(t, in, change)
}

func mxSignatureSD(t testing.TB, in []byte, change func([]byte) []byte) []byte {
	return mxSignatureJOSE(t, in, change)
}

func mxPresentSD(t testing.TB, f *mxFormat, credential []byte, o mxSign) []byte {
	t.Helper()
	x, err := SplitSDJWT(string(credential), TypCredentialSD, TypSDJWTVC)
	if err != nil {
		t.Fatal(err)
	}
	holder := mxHolder(t)
	out, err := x.Present(Presenting{Whole: []string{""}, Holder: &holder, Audience: o.domain(), Nonce: o.challenge(), At: mxNow.Add(-time.Second)})
	if err != nil {
		t.Fatal(err)
	}
	return []byte(out)
}

// ---- status lists

// mxLists are the status lists that a verifier finds, by their URL.
type mxLists map[string][]byte

const (
	mxListBase  = "https://registry.npl.example/status/"
	mxListIndex = 94567
)

// newMxLists publishes lists of the issuer, with the bit of one purpose set,
// signed by somebody.
func newMxLists(t testing.TB, by keys.Signer, set string) mxLists {
	t.Helper()
	out := mxLists{}
	issuer := did.Base(by.KID)
	for _, purpose := range []string{PurposeRevocation, PurposeSuspension} {
		bits, err := status.New(status.MinSize)
		if err != nil {
			t.Fatal(err)
		}
		if purpose == set {
			if err := bits.Set(mxListIndex); err != nil {
				t.Fatal(err)
			}
		}
		encoded, err := bits.Encode()
		if err != nil {
			t.Fatal(err)
		}
		url := mxListBase + purpose + "/3"
		doc := fmt.Sprintf(`{"@context":["%s"],"id":%q,"type":["VerifiableCredential","%s"],"issuer":%q,"validFrom":"2026-11-21T00:00:00Z","credentialSubject":{"id":%q,"type":"BitstringStatusList","statusPurpose":%q,"encodedList":%q}}`,
			ContextV2, url, TypeStatusList, issuer, url+"#list", purpose, encoded)
		suite := SuiteECDSAJCS
		if by.Alg == keys.EdDSA {
			suite = SuiteEdDSAJCS
		}
		if out[url], err = AddProof([]byte(doc), ProofOptions{Suite: suite, Signer: by, Purpose: PurposeAssertion, Created: mxNow.Add(-time.Hour)}); err != nil {
			t.Fatal(err)
		}
	}
	if by.Alg == keys.ES384 { // no issuer of Token Status Lists here
		return out
	}
	tokens, err := status.NewTokens(2, 131072)
	if err != nil {
		t.Fatal(err)
	}
	value := map[string]uint8{"": status.TokenValid, PurposeRevocation: status.TokenInvalid, PurposeSuspension: status.TokenSuspended}[set]
	if err := tokens.Set(mxListIndex, value); err != nil {
		t.Fatal(err)
	}
	url := mxListBase + "token/3"
	jwt, err := TokenList{URL: url, Issuer: issuer, IssuedAt: mxNow.Add(-time.Hour), List: tokens}.SignJWT(by)
	if err != nil {
		t.Fatal(err)
	}
	out[url] = []byte(jwt)
	return out
}

// check is what a verifier does: a list that cannot be read, or that may not
// answer, is never "not revoked".
func (l mxLists) check(v *Verified) error {
	for _, e := range v.Status {
		body, ok := l[e.List]
		if !ok {
			return ErrStatusRead
		}
		list, err := OpenStatusList(body, ListPolicy{Keys: KeysFromDID, Now: mxNow})
		if err != nil {
			return err
		}
		var a StatusAnswer
		if e.Type == TypeTokenStatus {
			a, err = list.OfToken(TokenStatus{URI: e.List, Index: mxListIndex}, v.Issuer, mxNow)
		} else {
			a, err = list.Of(BitstringEntry{StatusEntry: e}, v.Issuer, mxNow)
		}
		if err != nil {
			return err
		}
		switch a.State {
		case StateGood:
		case StateRevoked:
			return errMxRevoked
		case StateSuspended:
			return errMxSuspended
		default:
			return ErrStatusRead
		}
	}
	return nil
}

// ---- the matrix

// mxAttack is one cell's input, how it is verified and what comes out.
type mxAttack struct {
	input  []byte
	policy Policy
	vp     bool
}

// mxWorld is one format with its good credential.
type mxWorld struct {
	*mxFormat
	t        testing.TB
	issuer   keys.Signer
	stranger keys.Signer
	doc      string
	good     []byte
	lists    mxLists
}

func newMxWorld(t testing.TB, f *mxFormat) *mxWorld {
	w := &mxWorld{mxFormat: f, t: t, issuer: mxSigner(t, f.alg, "issuer"), stranger: mxSigner(t, f.alg, "stranger")}
	w.doc = mxDoc(w.issuer)
	w.good = f.sign(t, f, w.doc, mxSign{signer: w.issuer})
	w.lists = newMxLists(t, w.issuer, "")
	return w
}

func (w *mxWorld) policy() Policy {
	return Policy{Keys: KeysFromDID, Now: mxNow, Ed2020: true, Status: w.lists.check,
		Trusts: func(v *Verified) error {
			if v.Issuer != did.Base(w.issuer.KID) {
				return errMxTrust
			}
			return nil
		}}
}

func (w *mxWorld) signed(doc string) []byte {
	return w.sign(w.t, w.mxFormat, doc, mxSign{signer: w.issuer})
}

// lax signs a document that has no meaning.
func (w *mxWorld) lax(doc string) []byte {
	if w.family == "jcs" {
		return mxSignLax(w.t, w.mxFormat, doc, mxSign{signer: w.issuer})
	}
	return w.signed(doc)
}

func (w *mxWorld) claims() string { c, _ := mxBirthClaims(w.t, w.doc); return c }

func (w *mxWorld) edited(change func(string) string) []byte { return w.edit(w.t, w.good, change) }

func (w *mxWorld) asked(input []byte, vp bool) mxAttack {
	p := w.policy()
	p.Domain, p.Challenge = mxDomain, mxChallenge
	return mxAttack{input, p, vp}
}

var (
	errMxTrust     = fault.New(fault.Forbidden, "test-untrusted", "")
	errMxRevoked   = fault.New(fault.Forbidden, "test-revoked", "")
	errMxSuspended = fault.New(fault.Forbidden, "test-suspended", "")
)

// mxDefects are the columns. Each makes the input of one cell.
var mxDefects = []struct {
	name string
	make func(w *mxWorld) mxAttack
}{
	{"changed claim", func(w *mxWorld) mxAttack {
		return w.plain(w.edited(func(s string) string {
			if w.family == "dcsd" {
				return mxReplace(w.t, s, `"vct":"`+VctBirth, `"vct":"https://credentials.example/other/`)
			}
			return mxReplace(w.t, s, `"Gurung"`, `"Gurunh"`)
		}))
	}},
	{"added claim", func(w *mxWorld) mxAttack {
		return w.plain(w.edited(func(s string) string { return strings.Replace(s, "{", `{"name":"Added",`, 1) }))
	}},
	{"added undefined term", func(w *mxWorld) mxAttack {
		return w.plain(w.edited(func(s string) string { return strings.Replace(s, "{", `{"undefinedTerm":"x",`, 1) }))
	}},
	{"added undefined term in the subject", func(w *mxWorld) mxAttack {
		return w.plain(w.edited(func(s string) string {
			if w.family == "dcsd" {
				return mxReplace(w.t, s, `"cnf":{`, `"cnf":{"undefinedTerm":"x",`)
			}
			return mxReplace(w.t, s, `"credentialSubject":{`, `"credentialSubject":{"undefinedTerm":"x",`)
		}))
	}},
	{"added undefined type", func(w *mxWorld) mxAttack {
		return w.plain(w.edited(func(s string) string {
			if w.family == "dcsd" {
				return strings.Replace(s, "{", `{"type":"UndefinedType",`, 1)
			}
			return mxReplace(w.t, s, `"BirthCredential"`, `"BirthCredential","UndefinedType"`)
		}))
	}},
	// What the issuer itself signed must have a meaning, too. A lax RDF signer
	// leaves out what has none, so that there the term is added afterwards; an
	// SD-JWT VC has no terms, but disclosures that the issuer did not sign.
	{"undefined term, signed", func(w *mxWorld) mxAttack {
		switch w.family {
		case "rdfc", "ed2020", "sd":
			return w.plain(w.edited(func(s string) string {
				return mxReplace(w.t, s, `"registration":{`, `"registration":{"undefinedTerm":"x",`)
			}))
		case "dcsd":
			return w.plain([]byte(mxReplace(w.t, string(w.good), "~", "~"+b64.EncodeToString([]byte(`["salt","undefinedTerm","x"]`))+"~")))
		}
		return w.plain(w.lax(strings.Replace(w.doc, "{", `{"undefinedTerm":"x",`, 1)))
	}},
	// The context of an SD-JWT VC is its type.
	{"dropped context", func(w *mxWorld) mxAttack {
		return w.plain(w.edited(func(s string) string {
			if w.family == "dcsd" {
				return mxReplace(w.t, s, `"vct":`, `"not":`)
			}
			return mxReplace(w.t, s, `,"`+ContextKinpass+`"`, "")
		}))
	}},
	{"dropped context, signed", func(w *mxWorld) mxAttack {
		switch w.family {
		case "rdfc", "ed2020", "sd": // a lax signer's
			return w.plain(w.edited(func(s string) string {
				return mxReplace(w.t, s, `,"`+ContextKinpass+`"`, `,{"BirthCredential":"https://w3id.org/kinpass/v1#BirthCredential"}`)
			}))
		case "dcsd":
			return w.plain(w.signed(mxReplace(w.t, w.claims(), `"vct":`, `"not":`)))
		}
		return w.plain(w.lax(mxReplace(w.t, w.doc, `,"`+ContextKinpass+`"`, "")))
	}},
	{"swapped proof", func(w *mxWorld) mxAttack {
		other := w.signed(mxReplace(w.t, w.doc, "-4d63-", "-4d64-"))
		if w.family == "dcsd" {
			other = w.signed(mxReplace(w.t, w.doc, "2026-11-20T10:00:00Z", "2026-11-20T11:00:00Z"))
		}
		var proof []byte
		w.signature(w.t, other, func(sig []byte) []byte { proof = sig; return sig })
		return w.plain(w.signature(w.t, w.good, func([]byte) []byte { return proof }))
	}},
	{"proof: []", func(w *mxWorld) mxAttack {
		unsigned := mxReplace(w.t, w.doc, `"credentialSchema"`, `"proof":[],"credentialSchema"`)
		return w.plain([]byte(unsigned))
	}},
	{"no proof", func(w *mxWorld) mxAttack {
		return w.plain(w.signature(w.t, w.good, func([]byte) []byte { return nil }))
	}},
	// Where there is no alg, the cryptosuite is none.
	{"alg none", func(w *mxWorld) mxAttack {
		switch w.family {
		case "rdfc", "jcs", "sd":
			return w.plain([]byte(mxReplace(w.t, string(w.good), `"cryptosuite":"`+w.suite+`"`, `"cryptosuite":"none"`)))
		case "ed2020":
			return w.plain([]byte(mxReplace(w.t, string(w.good), `"type":"Ed25519Signature2020"`, `"type":"none"`)))
		case "cose":
			return w.plain(mxCOSE(w.t, w.good, func(p []any) {
				m := map[int]any{3: MediaCredential, 4: []byte(w.issuer.KID)}
				protected, err := cbor.CoreDetEncOptions().EncMode()
				if err != nil {
					w.t.Fatal(err)
				}
				if p[0], err = protected.Marshal(m); err != nil {
					w.t.Fatal(err)
				}
			}))
		}
		none := mxHeader(w.t, w.good, `"alg":"`+w.alg+`"`, `"alg":"none"`)
		return w.plain(none)
	}},
	{"wrong key", func(w *mxWorld) mxAttack {
		if w.family == "sd" { // Derive looks at what it derives from
			forged := w.sign(w.t, w.mxFormat, w.doc, mxSign{signer: w.stranger})
			return w.plain([]byte(mxReplace(w.t, string(forged), w.stranger.KID, w.issuer.KID)))
		}
		return w.plain(w.sign(w.t, w.mxFormat, w.doc, mxSign{signer: mxForged(w.stranger, w.issuer)}))
	}},
	{"wrong purpose", func(w *mxWorld) mxAttack {
		return w.plain(w.sign(w.t, w.mxFormat, w.doc, mxSign{signer: w.issuer, purpose: PurposeAuthentication}))
	}},
	{"wrong issuer for the key", func(w *mxWorld) mxAttack {
		return w.plain(w.sign(w.t, w.mxFormat, w.doc, mxSign{signer: w.stranger}))
	}},
	{"stranger's own credential", func(w *mxWorld) mxAttack {
		return w.plain(w.sign(w.t, w.mxFormat, mxDoc(w.stranger), mxSign{signer: w.stranger}))
	}},
	{"wrong domain", func(w *mxWorld) mxAttack { return w.presented(mxSign{aud: "https://other.example"}) }},
	{"wrong challenge", func(w *mxWorld) mxAttack { return w.presented(mxSign{nonce: "c0ffee-2"}) }},
	{"expired", func(w *mxWorld) mxAttack {
		a := w.plain(w.good)
		a.policy.Now = time.Date(2027, 11, 20, 10, 0, 0, 0, time.UTC)
		return a
	}},
	{"not yet valid", func(w *mxWorld) mxAttack {
		return w.plain(w.signed(mxReplace(w.t, w.doc, "2026-11-20T10:00:00Z", "2026-11-21T12:01:00Z")))
	}},
	{"revoked", func(w *mxWorld) mxAttack { return w.withLists(newMxLists(w.t, w.issuer, PurposeRevocation)) }},
	{"suspended", func(w *mxWorld) mxAttack { return w.withLists(newMxLists(w.t, w.issuer, PurposeSuspension)) }},
	{"list of another issuer", func(w *mxWorld) mxAttack { return w.withLists(newMxLists(w.t, w.stranger, "")) }},
	{"list signed by a stranger", func(w *mxWorld) mxAttack { return w.withLists(newMxLists(w.t, mxForged(w.stranger, w.issuer), "")) }},
	{"list that is not there", func(w *mxWorld) mxAttack { return w.withLists(mxLists{}) }},
	{"status that nobody checks", func(w *mxWorld) mxAttack {
		a := w.plain(w.good)
		a.policy.Status = nil
		return a
	}},
	{"oversize", func(w *mxWorld) mxAttack {
		return w.plain(w.edited(func(s string) string {
			return strings.Replace(s, "{", `{"description":"`+strings.Repeat("a", maxCredential)+`",`, 1)
		}))
	}},
	{"deep nesting", func(w *mxWorld) mxAttack {
		deep := `{"name":` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + `,`
		switch w.family {
		case "jose", "cose", "vcsd":
			return w.plain(w.signed(strings.Replace(w.doc, "{", deep, 1)))
		case "dcsd":
			return w.plain(w.signed(strings.Replace(w.claims(), "{", deep, 1)))
		}
		return w.plain(w.edited(func(s string) string { return strings.Replace(s, "{", deep, 1) }))
	}},
	{"zero policy", func(w *mxWorld) mxAttack { return mxAttack{input: w.good} }},
	{"no trust check", func(w *mxWorld) mxAttack {
		a := w.plain(w.good)
		a.policy.Trusts = nil
		return a
	}},
	{"format not accepted", func(w *mxWorld) mxAttack {
		a := w.plain(w.good)
		a.policy.Suites, a.policy.Ed2020 = []string{"another"}, false
		return a
	}},
}

func (w *mxWorld) plain(input []byte) mxAttack { return mxAttack{input: input, policy: w.policy()} }

func (w *mxWorld) withLists(l mxLists) mxAttack {
	a := w.plain(w.good)
	a.policy.Status = l.check
	return a
}

// presented is a presentation in the format, or where there is none such the
// credential itself, signed for somebody.
func (w *mxWorld) presented(o mxSign) mxAttack {
	o.signer, o.ask = w.issuer, true
	if w.present == nil {
		return w.asked(w.sign(w.t, w.mxFormat, w.doc, o), false)
	}
	return w.asked(w.present(w.t, w.mxFormat, w.good, o), true)
}

func (a mxAttack) verify() (*Verified, error) {
	if a.vp {
		return VerifyPresentation(a.input, a.policy)
	}
	return VerifyCredential(a.input, a.policy)
}

// mxCodes are the codes that a cell must be refused with, by family; "*" is for
// every family that has no code of its own.
var mxCodes = map[string]map[string]string{
	"changed claim":                       {"*": "signature-invalid"},
	"added claim":                         {"*": "signature-invalid", "sd": "selective-signature-count"},
	"added undefined term":                {"*": "jsonld-undefined", "jose": "signature-invalid", "cose": "signature-invalid", "vcsd": "signature-invalid", "dcsd": "signature-invalid"},
	"added undefined term in the subject": {"*": "jsonld-undefined", "jose": "signature-invalid", "cose": "signature-invalid", "vcsd": "signature-invalid", "dcsd": "signature-invalid"},
	"added undefined type":                {"*": "jsonld-iri", "jose": "signature-invalid", "cose": "signature-invalid", "vcsd": "signature-invalid", "dcsd": "signature-invalid"},
	"undefined term, signed":              {"*": "jsonld-undefined", "dcsd": "sd-jwt-disclosure-stray"},
	"dropped context":                     {"*": "signature-invalid", "rdfc": "jsonld-undefined", "ed2020": "jsonld-undefined", "sd": "jsonld-undefined", "jcs": "proof-context"},
	"dropped context, signed":             {"*": "jsonld-undefined", "dcsd": "sd-jwt-vc-claims"},
	"swapped proof":                       {"*": "signature-invalid"},
	"proof: []":                           {"*": "proof-missing"},
	"no proof":                            {"*": "proof-missing", "jose": "jws-malformed", "vcsd": "jws-malformed", "dcsd": "jws-malformed", "cose": "cose-malformed"},
	"alg none":                            {"*": "proof-cryptosuite", "ed2020": "proof-type", "jose": "jws-algorithm", "vcsd": "jws-algorithm", "dcsd": "jws-algorithm", "cose": "cose-algorithm"},
	"wrong key":                           {"*": "signature-invalid"},
	"wrong purpose":                       {"*": "proof-purpose", "jose": "jws-type", "vcsd": "jws-type", "dcsd": "jws-type", "cose": "cose-content-type"},
	"wrong issuer for the key":            {"*": "issuer-key-mismatch", "dcsd": "sd-jwt-vc-issuer"},
	"stranger's own credential":           {"*": "test-untrusted"},
	"wrong domain":                        {"*": "proof-domain", "jose": "presentation-audience", "cose": "presentation-audience", "vcsd": "key-binding-audience", "dcsd": "key-binding-audience"},
	"wrong challenge":                     {"*": "proof-challenge", "jose": "presentation-nonce", "cose": "presentation-nonce", "vcsd": "key-binding-nonce", "dcsd": "key-binding-nonce"},
	"expired":                             {"*": "credential-expired", "dcsd": "sd-jwt-vc-expired"},
	"not yet valid":                       {"*": "credential-not-yet-valid", "dcsd": "sd-jwt-vc-not-yet"},
	"revoked":                             {"*": "test-revoked"},
	"suspended":                           {"*": "test-suspended"},
	"list of another issuer":              {"*": "status-list-issuer"},
	"list signed by a stranger":           {"*": "signature-invalid"},
	"list that is not there":              {"*": "status-unreadable"},
	"status that nobody checks":           {"*": "status-unchecked"},
	"oversize":                            {"*": "input-too-large"},
	"deep nesting":                        {"*": "json-deep", "vcsd": "sd-jwt-payload", "dcsd": "sd-jwt-payload"},
	"zero policy":                         {"*": "verify-policy"},
	"no trust check":                      {"*": "verify-policy"},
	"format not accepted":                 {"*": "format-not-accepted", "ed2020": "proof-type"},
}

// Every format with every defect: refused, with the code of that defect, and
// nothing returned. The good credential next to it is accepted, so that no cell
// passes because everything is refused.
func TestNegativeMatrix(t *testing.T) {
	cells := 0
	for _, f := range mxFormats() {
		t.Run(f.name, func(t *testing.T) {
			w := newMxWorld(t, f)
			w.accepted(t)
			for _, d := range mxDefects {
				codes := mxCodes[d.name]
				want, ok := codes[f.family]
				if !ok {
					if want, ok = codes["*"]; !ok {
						t.Errorf("%s: the cell is missing", d.name)
						continue
					}
				}
				v, err := d.make(w).verify()
				if err == nil || v != nil {
					t.Errorf("%s: accepted: %v, %v", d.name, v, err)
					continue
				}
				if code := fault.As(err).Code; code != want {
					t.Errorf("%s: refused with %s, want %s", d.name, code, want)
				}
				cells++
			}
		})
	}
	want := len(mxFormats()) * len(mxDefects)
	t.Logf("%d formats x %d defects = %d cells", len(mxFormats()), len(mxDefects), cells)
	if !t.Failed() && cells != want {
		t.Errorf("%d cells of %d", cells, want)
	}
	if len(mxCodes) != len(mxDefects) {
		t.Errorf("%d defects have codes, %d are made", len(mxCodes), len(mxDefects))
	}
}

// accepted checks that the good credential and presentation are accepted and
// say what was signed.
func (w *mxWorld) accepted(t *testing.T) {
	t.Helper()
	for name, input := range w.goodInputs() {
		before := signaturesHeld.Load()
		v, err := VerifyCredential(input, w.policy())
		if err != nil {
			t.Fatalf("%s: %v: %v\n%s", name, err, errors.Unwrap(err), input)
		}
		if signaturesHeld.Load() == before {
			t.Errorf("%s: accepted without a signature that held", name)
		}
		if v.Issuer != did.Base(w.issuer.KID) || len(v.Proofs) != 1 || v.Proofs[0].Method != w.issuer.KID || len(v.Status) == 0 || v.From.IsZero() || v.Until.IsZero() {
			t.Errorf("%s: %+v", name, v)
		}
		if w.family != "dcsd" && (!v.Is(TypeBirth) || !bytes.Contains(v.Document, []byte("Gurung"))) || bytes.Contains(v.Document, []byte("proofValue")) {
			t.Errorf("%s: %+v", name, v)
		}
	}
	if w.present == nil {
		o := mxSign{signer: w.issuer, ask: true}
		if _, err := w.asked(w.sign(t, w.mxFormat, w.doc, o), false).verify(); err != nil {
			t.Fatal("addressed credential:", err)
		}
		return
	}
	before := signaturesHeld.Load()
	v, err := w.presented(mxSign{}).verify()
	if err != nil {
		t.Fatalf("presentation: %v: %v", err, errors.Unwrap(err))
	}
	if held := signaturesHeld.Load() - before; held < 2 {
		t.Errorf("presentation: %d signatures held", held)
	}
	holder := did.Base(w.issuer.KID)
	if w.family == "vcsd" || w.family == "dcsd" {
		holder = did.Base(mxHolder(t).KID)
	}
	if v.Holder != holder || len(v.Credentials) != 1 || v.Credentials[0].Issuer != did.Base(w.issuer.KID) {
		t.Errorf("presentation: %+v", v)
	}
}

// goodInputs are the forms that the good credential may come in.
func (w *mxWorld) goodInputs() map[string][]byte {
	in := map[string][]byte{"as it is": w.good, "with space around": slices.Concat([]byte("\n "), w.good, []byte(" \n"))}
	quoted, err := json.Marshal(string(w.good))
	if err != nil {
		w.t.Fatal(err)
	}
	in["as a string"] = quoted
	switch w.family {
	case "jose":
		in["enveloped"] = []byte(mxEnvelope(TypCredential, w.good))
	case "vcsd":
		in["enveloped"] = []byte(mxEnvelope(TypCredentialSD, w.good))
	case "dcsd":
		in["enveloped"] = []byte(mxEnvelope(TypSDJWTVC, w.good))
	}
	return in
}

// The last byte of every signature, changed, and the first: refused, alone and
// inside a presentation.
func TestCorruptSignatures(t *testing.T) {
	n := 0
	for _, f := range mxFormats() {
		w := newMxWorld(t, f)
		for _, at := range []string{"first", "last"} {
			flip := func(sig []byte) []byte {
				sig = bytes.Clone(sig)
				i := 0
				if at == "last" {
					i = len(sig) - 1
				}
				if f.family == "sd" && at == "first" {
					i = 40 // the first bytes are a header
				}
				sig[i] ^= 1
				return sig
			}
			broken := f.signature(t, w.good, flip)
			if bytes.Equal(broken, w.good) {
				t.Fatal("nothing was changed")
			}
			if v, err := VerifyCredential(broken, w.policy()); err == nil || v != nil {
				t.Errorf("%s: %s byte: accepted", f.name, at)
			}
			n++
			if f.present == nil || f.family == "vcsd" || f.family == "dcsd" {
				continue
			}
			o := mxSign{signer: w.issuer, ask: true}
			if v, err := w.asked(f.present(t, f, broken, o), true).verify(); err == nil || v != nil {
				t.Errorf("%s: %s byte, in a presentation: accepted", f.name, at)
			}
			good := f.present(t, f, w.good, o)
			if f.family == "cose" {
				continue // its presentation is wrapped otherwise
			}
			if v, err := w.asked(f.signature(t, good, flip), true).verify(); err == nil || v != nil {
				t.Errorf("%s: %s byte of the presentation: accepted", f.name, at)
			}
			n += 2
		}
	}
	t.Logf("%d corrupt signatures", n)
}

// Every single bit of a short document's signature, for one format of each
// family that is quick.
func TestEveryBitOfASignature(t *testing.T) {
	for _, f := range mxFormats() {
		if f.family != "jose" && f.family != "jcs" && f.family != "cose" {
			continue
		}
		w := newMxWorld(t, f)
		size := 0
		f.signature(t, w.good, func(sig []byte) []byte { size = len(sig); return sig })
		for bit := 0; bit < 8*size; bit += 5 {
			broken := f.signature(t, w.good, func(sig []byte) []byte {
				sig = bytes.Clone(sig)
				sig[bit/8] ^= 1 << (bit % 8)
				return sig
			})
			if v, err := VerifyCredential(broken, w.policy()); err == nil || v != nil {
				t.Fatalf("%s: bit %d changed: accepted", f.name, bit)
			}
		}
	}
}
