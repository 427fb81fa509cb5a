//go:build interop

package vc

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/status"
)

// peer is a Node.js process that signs and verifies with packages from npm.
type peer struct {
	mu  sync.Mutex
	in  io.WriteCloser
	out *bufio.Scanner
}

var startPeer = sync.OnceValues(func() (*peer, error) {
	dir, err := os.MkdirTemp("", "kinpass-interop-*")
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"package.json", "package-lock.json", "peer.mjs"} {
		data, err := os.ReadFile(filepath.Join("testdata", "interop", name))
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return nil, err
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "kinpass.jsonld"), ContextFile(), 0o600); err != nil {
		return nil, err
	}
	install := exec.Command("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		return nil, &installError{out, err}
	}
	node := exec.Command("node", "peer.mjs")
	node.Dir, node.Stderr = dir, os.Stderr
	node.Env = append(os.Environ(), "KINPASS_CONTEXT="+filepath.Join(dir, "kinpass.jsonld"))
	in, err := node.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := node.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := node.Start(); err != nil {
		return nil, err
	}
	s := bufio.NewScanner(out)
	s.Buffer(nil, 16<<20)
	return &peer{in: in, out: s}, nil
})

type installError struct {
	out []byte
	err error
}

func (e *installError) Error() string { return "npm ci: " + e.err.Error() + "\n" + string(e.out) }

// newPeer starts the process once. Without npm the test is skipped, or fails
// where the comparison is required.
func newPeer(t *testing.T) *peer {
	t.Helper()
	if _, err := exec.LookPath("npm"); err != nil {
		if os.Getenv("KINPASS_REQUIRE_VECTORS") == "1" {
			t.Fatal("npm is required and not there")
		}
		t.Skip("npm is not there: nothing to compare with")
	}
	p, err := startPeer()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// ask gives the peer's answer, or its refusal.
func (p *peer) ask(t *testing.T, op string, request map[string]any) (json.RawMessage, string) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	request["op"] = op
	line, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.in.Write(append(line, '\n')); err != nil {
		t.Fatal(err)
	}
	if !p.out.Scan() {
		t.Fatalf("the peer ended: %v", p.out.Err())
	}
	var answer struct {
		OK    json.RawMessage `json:"ok"`
		Error string          `json:"error"`
	}
	if err := json.Unmarshal(p.out.Bytes(), &answer); err != nil {
		t.Fatal(err)
	}
	return answer.OK, answer.Error
}

// must is ask for what has to work.
func (p *peer) must(t *testing.T, op string, request map[string]any) json.RawMessage {
	t.Helper()
	ok, refused := p.ask(t, op, request)
	if refused != "" {
		t.Fatalf("%s: %s", op, refused)
	}
	return ok
}

// refuses checks that the peer does not accept something.
func (p *peer) refuses(t *testing.T, op string, request map[string]any) {
	t.Helper()
	if ok, refused := p.ask(t, op, request); refused == "" {
		t.Errorf("%s was accepted: %s", op, ok)
	}
}

// interopCredentials are documents of every shape that we sign: of the plain
// data model, and of our own types.
func interopCredentials(t *testing.T, issuer string) map[string][]byte {
	t.Helper()
	plain := func(more string) []byte {
		return []byte(`{"@context":["` + ContextV2 + `"],"id":"urn:uuid:58172aac-d8ba-11ed-83dd-0b3aef56cc33","type":["VerifiableCredential"],"issuer":"` + issuer +
			`","validFrom":"2026-01-01T00:00:00Z","credentialSubject":{"id":"did:example:abcdefgh","name":"Alumni"}` + more + `}`)
	}
	ours := func(kind, subject, schema string) []byte {
		return []byte(`{"@context":["` + ContextV2 + `","` + ContextKinpass + `"],"id":"urn:uuid:7a1d5b4e-9a3a-4a0e-8a55-3f1f0f7f2a10","type":["VerifiableCredential","` + kind +
			`"],"issuer":"` + issuer + `","validFrom":"2026-01-01T00:00:00Z","validUntil":"2027-01-01T00:00:00Z","credentialSubject":` + subject +
			`,"credentialStatus":[{"type":"BitstringStatusListEntry","statusPurpose":"revocation","statusListIndex":"94567","statusListCredential":"https://registry.example/status/revocation/1"},` +
			`{"type":"BitstringStatusListEntry","statusPurpose":"suspension","statusListIndex":"94567","statusListCredential":"https://registry.example/status/suspension/1"}],` +
			`"credentialSchema":{"id":"` + schema + `","type":"JsonSchema"}}`)
	}
	return map[string][]byte{
		"plain":    plain(``),
		"language": plain(`,"name":[{"@value":"اسم","@language":"ar","@direction":"rtl"},{"@value":"Name","@language":"en"}]`),
		"birth": ours(TypeBirth, `{"childRef":"0GZ9Q4W1K7","recordVersion":1,"circumstance":"standard",`+
			`"names":[{"kind":"legal","script":"Latn","given":["Amina"],"family":["Diallo"],"mrz":{"primary":"DIALLO","secondary":"AMINA"}}],`+
			`"birthDate":{"value":"2021-03-04","precision":"day"},"sex":2,"placeOfBirth":{"country":"SEN"},`+
			`"parentage":[{"role":"mother","status":"established"},{"role":"father","status":"undeclared"}],`+
			`"registration":{"number":"2021-000123","date":"2021-03-10","mode":"timely"}}`, SchemaBirthBorder),
		"full birth": ours(TypeBirth, goodBirth, SchemaBirth),
		"guardianship": ours(TypeGuardianship, `{"id":"did:key:z6MkfzZZD5gxQLkW3PqzZmPrq7nGv3kQ1Yd3xg2Yt2mQ4b7v","guardian":{"kind":"naturalPerson","names":[{"kind":"legal","script":"Latn","mrz":{"primary":"DIALLO","secondary":"FATOU"}}]},`+
			`"ward":{"childRef":"0GZ9Q4W1K7"},"role":"mother","legalBasis":{"type":"parentalResponsibilityByBirth","law":"SEN"},`+
			`"powers":["travelAccompany","travelConsent"],"exercise":{"mode":"joint","coGuardianCount":1},"constraints":{"noRemoval":false,"deniedCountries":["PRK"]},`+
			`"effective":{"from":"2021-03-04"},"termination":{"majorityAge":18}}`, SchemaGuardBorder),
	}
}

func policyFor(at time.Time) ProofPolicy {
	return ProofPolicy{Keys: did.MethodKey, Purpose: PurposeAssertion, Now: at, RequireCreated: true}
}

// forgedWord gives the document with one word of its content changed.
func forgedWord(t *testing.T, doc []byte) []byte {
	t.Helper()
	for _, word := range []string{"Alumni", "DIALLO", "Kavya"} {
		if bytes.Contains(doc, []byte(word)) {
			return bytes.Replace(doc, []byte(word), []byte("FORGED"), 1)
		}
	}
	t.Fatal("nothing to change")
	return nil
}

// What we sign, they verify; what they sign, we verify; and neither accepts a
// change.
func TestInteropDataIntegrity(t *testing.T) {
	p := newPeer(t)
	now := time.Now()
	verified := 0
	for _, s := range []struct{ suite, alg, curve string }{
		{"eddsa-rdfc-2022", keys.EdDSA, "Ed25519"},
		{"ecdsa-rdfc-2019", keys.ES256, "P-256"},
		{"ecdsa-rdfc-2019", "ES384", "P-384"},
	} {
		t.Run(s.suite+" "+s.curve, func(t *testing.T) {
			signer := didSigner(t, s.alg)
			for name, doc := range interopCredentials(t, did.Base(signer.KID)) {
				ours, err := AddProof(doc, ProofOptions{Suite: s.suite, Signer: signer, Purpose: PurposeAssertion, Created: now})
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				p.must(t, "verify", map[string]any{"suite": s.suite, "credential": json.RawMessage(ours)})
				p.refuses(t, "verify", map[string]any{"suite": s.suite, "credential": json.RawMessage(forgedWord(t, append(ours, ' ')))})

				theirs := p.must(t, "issue", map[string]any{"suite": s.suite, "curve": s.curve, "credential": json.RawMessage(doc)})
				if _, proofs, err := VerifyProofs(theirs, policyFor(now.Add(time.Minute))); err != nil || len(proofs) != 1 {
					t.Errorf("%s: theirs is refused: %v", name, err)
				}
				if _, _, err := VerifyProofs(forgedWord(t, theirs), policyFor(now.Add(time.Minute))); err == nil {
					t.Errorf("%s: theirs is accepted after a change", name)
				}
				verified += 2
			}
		})
	}
	t.Logf("%d credentials verified across", verified)
	if verified != 30 {
		t.Errorf("%d credentials verified across, not 30", verified)
	}
}

func TestInteropSelectiveDisclosure(t *testing.T) {
	p := newPeer(t)
	now := time.Now()
	const suite = "ecdsa-sd-2023"
	mandatory := []string{"/issuer", "/validFrom"}
	signer := didSigner(t, keys.ES256)
	shown := map[string][]string{"full birth": {"/credentialSubject/names/0"}, "plain": {"/credentialSubject/id"}, "language": {"/name/0"}, "birth": {"/credentialSubject/birthDate"}, "guardianship": {"/credentialSubject/powers"}}
	hidden := map[string]string{"full birth": `"placeOfBirth"`, "plain": "Alumni", "language": "Name", "birth": "AMINA", "guardianship": "FATOU"}
	for name, doc := range interopCredentials(t, did.Base(signer.KID)) {
		t.Run(name, func(t *testing.T) {
			base, err := AddProof(doc, ProofOptions{Suite: suite, Signer: signer, Purpose: PurposeAssertion, Created: now, MandatoryPointers: mandatory})
			if err != nil {
				t.Fatal(err)
			}
			theirBase := p.must(t, "issue", map[string]any{"suite": suite, "credential": json.RawMessage(doc), "mandatoryPointers": mandatory})
			for whose, base := range map[string][]byte{"our base": base, "their base": theirBase} {
				ours, err := Derive(base, shown[name])
				if err != nil {
					t.Fatalf("%s: %v", whose, err)
				}
				theirs := p.must(t, "derive", map[string]any{"credential": json.RawMessage(base), "selectivePointers": shown[name]})
				for by, derived := range map[string][]byte{"we": ours, "they": theirs} {
					if strings.Contains(string(derived), hidden[name]) {
						t.Errorf("%s, %s derived: what was not chosen is shown", whose, by)
					}
					p.must(t, "verify", map[string]any{"suite": suite, "credential": json.RawMessage(derived)})
					if _, _, err := VerifyProofs(derived, policyFor(now.Add(time.Minute))); err != nil {
						t.Errorf("%s, %s derived: %v", whose, by, err)
					}
					forged := bytes.Replace(derived, []byte("2026-01-01T"), []byte("2026-01-02T"), 1)
					p.refuses(t, "verify", map[string]any{"suite": suite, "credential": json.RawMessage(forged)})
					if _, _, err := VerifyProofs(forged, policyFor(now.Add(time.Minute))); err == nil {
						t.Errorf("%s, %s derived: accepted after a change", whose, by)
					}
				}
			}
		})
	}
}

// A presentation with one credential of each suite, signed by the holder.
func TestInteropPresentation(t *testing.T) {
	p := newPeer(t)
	now := time.Now()
	issuer, holder := didSigner(t, keys.EdDSA), didSigner(t, keys.EdDSA)
	docs := interopCredentials(t, did.Base(issuer.KID))
	sign := func(doc []byte) []byte {
		out, err := AddProof(doc, ProofOptions{Suite: "eddsa-rdfc-2022", Signer: issuer, Purpose: PurposeAssertion, Created: now})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	vp := []byte(`{"@context":["` + ContextV2 + `"],"type":["VerifiablePresentation"],"holder":"` + did.Base(holder.KID) + `","verifiableCredential":[` +
		string(sign(docs["birth"])) + `,` + string(sign(docs["guardianship"])) + `]}`)
	ours, err := AddProof(vp, ProofOptions{Suite: "eddsa-rdfc-2022", Signer: holder, Purpose: PurposeAuthentication, Created: now,
		Challenge: "c0ffee-0123456789", Domain: "border.example"})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(challenge, domain string) map[string]any {
		return map[string]any{"presentation": json.RawMessage(ours), "challenge": challenge, "domain": domain, "suites": []string{"eddsa-rdfc-2022"}}
	}
	p.must(t, "verifyPresentation", ask("c0ffee-0123456789", "border.example"))
	p.refuses(t, "verifyPresentation", ask("another", "border.example"))
	p.refuses(t, "verifyPresentation", ask("c0ffee-0123456789", "elsewhere.example"))

	theirs := p.must(t, "signPresentation", map[string]any{"presentation": json.RawMessage(vp), "challenge": "ch-1", "domain": "border.example"})
	policy := ProofPolicy{Keys: did.MethodKey, Purpose: PurposeAuthentication, Challenge: "ch-1", Domain: "border.example", Now: now.Add(time.Minute)}
	if _, _, err := VerifyProofs(theirs, policy); err != nil {
		t.Errorf("their presentation: %v", err)
	}
	policy.Challenge = "ch-2"
	if _, _, err := VerifyProofs(theirs, policy); err == nil {
		t.Error("their presentation answers any challenge")
	}
}

func TestInteropBitstringStatusList(t *testing.T) {
	p := newPeer(t)
	now := time.Now()
	ours, err := status.New(status.MinSize)
	if err != nil {
		t.Fatal(err)
	}
	set := []int64{0, 1, 7, 8, 94567, status.MinSize - 1}
	for _, i := range set {
		if err := ours.Set(i); err != nil {
			t.Fatal(err)
		}
	}
	encoded, err := ours.Encode()
	if err != nil {
		t.Fatal(err)
	}
	ask := append([]int64{2, 6, 9, 94566, 94568}, set...)
	var read struct {
		Length   int64
		Statuses []bool
	}
	if err := json.Unmarshal(p.must(t, "decodeList", map[string]any{"encodedList": encoded, "indexes": ask}), &read); err != nil {
		t.Fatal(err)
	}
	if read.Length != status.MinSize || len(read.Statuses) != len(ask) {
		t.Fatalf("they read %d entries", read.Length)
	}
	for n, i := range ask {
		if read.Statuses[n] != (n >= 5) {
			t.Errorf("they read index %d as %v", i, read.Statuses[n])
		}
	}
	var text string
	if err := json.Unmarshal(p.must(t, "encodeList", map[string]any{"length": status.MinSize, "set": set}), &text); err != nil {
		t.Fatal(err)
	}
	theirs, err := status.Decode(text, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if theirs.Count() != int64(len(set)) {
		t.Errorf("their list has %d bits set", theirs.Count())
	}
	for _, i := range set {
		if on, err := theirs.Get(i); err != nil || !on {
			t.Errorf("their index %d is not set", i)
		}
	}

	// A whole list credential, checked by them for a revoked credential and for
	// one that is not.
	signer := didSigner(t, keys.EdDSA)
	const url = "https://registry.example/status/revocation/1"
	list := []byte(`{"@context":["` + ContextV2 + `"],"id":"` + url + `","type":["VerifiableCredential","BitstringStatusListCredential"],"issuer":"` + did.Base(signer.KID) +
		`","validFrom":"2026-01-01T00:00:00Z","credentialSubject":{"id":"` + url + `#list","type":"BitstringStatusList","statusPurpose":"revocation","encodedList":"` + encoded + `"}}`)
	signed, err := AddProof(list, ProofOptions{Suite: "eddsa-rdfc-2022", Signer: signer, Purpose: PurposeAssertion, Created: now})
	if err != nil {
		t.Fatal(err)
	}
	for index, revoked := range map[string]bool{"94567": true, "94566": false} {
		credential := map[string]any{"@context": []string{ContextV2}, "type": []string{"VerifiableCredential"}, "issuer": did.Base(signer.KID),
			"credentialSubject": map[string]string{"id": "did:example:abcdefgh"},
			"credentialStatus":  StatusEntry{Type: "BitstringStatusListEntry", Purpose: "revocation", Index: index, List: url}}
		var r struct {
			Verified bool
			Results  []bool
		}
		if err := json.Unmarshal(p.must(t, "checkStatus", map[string]any{"credential": credential, "list": json.RawMessage(signed), "suite": "eddsa-rdfc-2022"}), &r); err != nil {
			t.Fatal(err)
		}
		if !r.Verified || len(r.Results) != 1 || r.Results[0] != revoked {
			t.Errorf("index %s: they say verified %v, %v", index, r.Verified, r.Results)
		}
	}
}

func TestInteropJOSE(t *testing.T) {
	p := newPeer(t)
	payload := interopCredentials(t, "did:web:registry.example")["birth"]
	for _, alg := range []string{keys.EdDSA, keys.ES256} {
		t.Run(alg, func(t *testing.T) {
			signer := didSigner(t, alg)
			jwk, err := PublicJWK(signer.Public(), signer.KID, alg)
			if err != nil {
				t.Fatal(err)
			}
			ours, err := SignJWS(signer, TypCredential, "vc", payload)
			if err != nil {
				t.Fatal(err)
			}
			var read struct {
				Payload string
				Header  map[string]string
			}
			if err := json.Unmarshal(p.must(t, "joseVerify", map[string]any{"jws": ours, "jwk": jwk}), &read); err != nil {
				t.Fatal(err)
			}
			if read.Payload != string(payload) || read.Header["typ"] != TypCredential || read.Header["kid"] != signer.KID {
				t.Errorf("they read another payload or header: %v", read.Header)
			}
			p.refuses(t, "joseVerify", map[string]any{"jws": ours[:len(ours)-4] + "AAAA", "jwk": jwk})

			var pair struct{ Private, Public json.RawMessage }
			if err := json.Unmarshal(p.must(t, "joseGenerate", map[string]any{"alg": alg}), &pair); err != nil {
				t.Fatal(err)
			}
			var theirs string
			if err := json.Unmarshal(p.must(t, "joseSign", map[string]any{"payload": string(payload), "jwk": pair.Private,
				"header": map[string]string{"alg": alg, "typ": TypCredential, "cty": "vc"}}), &theirs); err != nil {
				t.Fatal(err)
			}
			pub, err := ParseJWK(pair.Public)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := VerifyJWS(theirs, TypCredential, pub); err != nil || string(got) != string(payload) {
				t.Errorf("theirs is refused: %v", err)
			}
			other := didSigner(t, alg)
			if _, err := VerifyJWS(theirs, TypCredential, other.Public()); err == nil {
				t.Error("theirs is accepted under another key")
			}
		})
	}
}

func TestInteropSDJWT(t *testing.T) {
	p := newPeer(t)
	now := time.Now()
	issuer, holder := didSigner(t, keys.ES256), didSigner(t, keys.ES256)
	issuerJWK, err := PublicJWK(issuer.Public(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	holderJWK, err := PublicJWK(holder.Public(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	claims, err := json.Marshal(map[string]any{"iss": "https://registry.example", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
		"vct": "https://registry.example/vct/birth", "cnf": map[string]any{"jwk": holderJWK},
		"birthdate": "2021-03-04", "name": map[string]any{"given": "Amina", "family": "Diallo"},
		"age_equal_or_over": map[string]bool{"13": false, "18": false}, "parents": []string{"Fatou", "Moussa"}})
	if err != nil {
		t.Fatal(err)
	}
	payload, disclosures, err := MakeSDJWT(claims, []string{"/birthdate", "/name", "/name/family", "/age_equal_or_over/13", "/age_equal_or_over/18", "/parents/0", "/parents/1"}, SDOptions{})
	if err != nil {
		t.Fatal(err)
	}
	jws, err := SignJOSE(issuer, "dc+sd-jwt", "", payload)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := SplitSDJWT(jws+"~"+strings.Join(disclosures, "~")+"~", "dc+sd-jwt")
	if err != nil {
		t.Fatal(err)
	}
	const nonce = "n-0S6_WzA2Mj0123"
	ours, err := whole.Present(Presenting{Disclose: []string{"/age_equal_or_over/18", "/parents/1"}, Holder: &holder, Audience: "https://school.example", Nonce: nonce, At: now})
	if err != nil {
		t.Fatal(err)
	}
	var seen struct {
		Payload map[string]any
		KB      map[string]any
	}
	if err := json.Unmarshal(p.must(t, "sdVerify", map[string]any{"sd": ours, "jwk": issuerJWK, "nonce": nonce, "vct": false}), &seen); err != nil {
		t.Fatal(err)
	}
	if ages, _ := seen.Payload["age_equal_or_over"].(map[string]any); len(ages) != 1 || ages["18"] != false || seen.Payload["birthdate"] != nil || seen.Payload["name"] != nil {
		t.Errorf("they see %v", seen.Payload)
	}
	if parents, _ := seen.Payload["parents"].([]any); len(parents) != 1 || parents[0] != "Moussa" || seen.KB["nonce"] != nonce {
		t.Errorf("they see %v with %v", seen.Payload, seen.KB)
	}
	p.refuses(t, "sdVerify", map[string]any{"sd": ours, "jwk": issuerJWK, "nonce": "another-nonce-000", "vct": false})
	p.refuses(t, "sdVerify", map[string]any{"sd": ours, "jwk": holderJWK, "nonce": nonce, "vct": false})
	parts := strings.Split(ours, "~")
	fewer := strings.Join(append(parts[:1:1], parts[2:]...), "~")
	p.refuses(t, "sdVerify", map[string]any{"sd": fewer, "jwk": issuerJWK, "nonce": nonce, "vct": false})

	// Theirs: issued and presented by them, verified by us.
	var is, hs struct{ Private, Public json.RawMessage }
	for _, k := range []*struct{ Private, Public json.RawMessage }{&is, &hs} {
		if err := json.Unmarshal(p.must(t, "joseGenerate", map[string]any{"alg": "ES256"}), k); err != nil {
			t.Fatal(err)
		}
	}
	var sd, presented string
	if err := json.Unmarshal(p.must(t, "sdIssue", map[string]any{"jwk": is.Private, "vct": true,
		"claims": map[string]any{"iss": "https://registry.example", "iat": now.Unix(), "vct": "https://registry.example/vct/birth",
			"cnf": map[string]any{"jwk": hs.Public}, "given": "Amina", "family": "Diallo"},
		"frame": map[string]any{"_sd": []string{"given", "family"}}}), &sd); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(p.must(t, "sdPresent", map[string]any{"sd": sd, "jwk": hs.Private, "vct": true, "frame": map[string]bool{"given": true},
		"kb": map[string]any{"iat": now.Unix(), "aud": "https://school.example", "nonce": nonce}}), &presented); err != nil {
		t.Fatal(err)
	}
	pub, err := ParseJWK(is.Public)
	if err != nil {
		t.Fatal(err)
	}
	x, err := SplitSDJWT(presented, "dc+sd-jwt", "vc+sd-jwt")
	if err != nil {
		t.Fatal(err)
	}
	got, err := x.Verify(pub, KeyBinding{Audience: "https://school.example", Nonce: nonce, Now: now})
	if err != nil {
		t.Fatalf("theirs is refused: %v", err)
	}
	if s := string(got.Claims); !strings.Contains(s, "Amina") || strings.Contains(s, "Diallo") {
		t.Error("theirs is read with other disclosures")
	}
	if _, err := x.Verify(pub, KeyBinding{Audience: "https://other.example", Nonce: nonce, Now: now}); err == nil {
		t.Error("theirs is accepted for another audience")
	}
}
