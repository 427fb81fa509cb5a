package cli

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"filippo.io/torchwood"
	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/kinpass/kinpass/internal/qr"
)

// startedDemo runs the three services for a test.
func startedDemo(t *testing.T) *demo {
	t.Helper()
	h := &home{dir: t.TempDir()}
	ctx, cancel := context.WithCancel(context.Background())
	d, err := h.startDemo(ctx, "127.0.0.1:0", slog.New(slog.DiscardHandler))
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() { d.stop(); cancel() })
	return d
}

// TestThirdPartyCanVerify plays a verifier that knows JOSE and the published
// documents and nothing of Kinpass: it checks an unpacked presentation, its
// credentials and their status.
func TestThirdPartyCanVerify(t *testing.T) {
	d := startedDemo(t)
	ctx := context.Background()
	steps, err := d.play(ctx, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range steps {
		if !s.asExpected() {
			t.Errorf("%s: %s %v", s.Step, s.Colour, s.Codes)
		}
	}
	first, last := steps[0], steps[slices.IndexFunc(steps, func(s step) bool { return s.Step == "revoked" })]
	if got := thirdPartyStatus(t, first.kp1); !slices.Equal(got, []string{"BirthCredential ok", "GuardianshipCredential revoked"}) {
		t.Errorf("after the revocation a third party sees %v", got)
	}
	if got := thirdPartyStatus(t, last.kp1); !slices.Contains(got, "GuardianshipCredential revoked") {
		t.Errorf("of the last code a third party sees %v", got)
	}
	// And it would notice a change: the story's changed character.
	p, err := qr.Unpack(steps[1].kp1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := verifyHolder(p.Presentation); err == nil {
		t.Error("a changed signature verifies")
	}
}

// verifyHolder checks a vp+jwt with the did:key in its kid. An Ed25519 did:key
// is "z", base58btc of 0xed 0x01 and the 32 bytes of the key.
func verifyHolder(vp string) ([]byte, error) {
	m, err := jws.Parse([]byte(vp))
	if err != nil {
		return nil, err
	}
	kid, _ := m.Signatures()[0].ProtectedHeaders().KeyID()
	_, frag, _ := strings.Cut(kid, "#")
	n := base58(strings.TrimPrefix(frag, "z"))
	return jws.Verify([]byte(vp), jws.WithKey(jwa.EdDSA(), ed25519.PublicKey(n[2:])))
}

func base58(s string) []byte {
	const alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
	out := []byte{}
	for _, c := range s {
		carry := strings.IndexRune(alphabet, c)
		for i := len(out) - 1; i >= 0; i-- {
			carry += 58 * int(out[i])
			out[i] = byte(carry)
			carry >>= 8
		}
		for ; carry > 0; carry >>= 8 {
			out = append([]byte{byte(carry)}, out...)
		}
	}
	return out
}

func thirdPartyStatus(t *testing.T, kp1 string) []string {
	t.Helper()
	p, err := qr.Unpack(kp1)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := verifyHolder(p.Presentation)
	if err != nil {
		t.Fatalf("the presentation: %v", err)
	}
	var vp struct {
		Holder      string `json:"holder"`
		Exp         int64  `json:"exp"`
		Credentials []struct {
			ID string `json:"id"`
		} `json:"verifiableCredential"`
	}
	mustParse(t, payload, &vp)
	if !strings.HasPrefix(vp.Holder, "did:key:z6Mk") || time.Unix(vp.Exp, 0).Before(time.Now().Add(-time.Minute)) {
		t.Errorf("holder or expiry of the presentation: %d", vp.Exp)
	}
	var out []string
	for _, c := range vp.Credentials {
		jwt, ok := strings.CutPrefix(c.ID, "data:application/vc+jwt,")
		if !ok {
			t.Fatal("not an enveloped credential")
		}
		issuer, payload := verifyByDocument(t, "vc+jwt", jwt)
		var v struct {
			Type    []string          `json:"type"`
			Issuer  string            `json:"issuer"`
			Subject map[string]any    `json:"credentialSubject"`
			Status  []json.RawMessage `json:"credentialStatus"`
			Schema  struct{ ID string }
		}
		mustParse(t, payload, &v)
		if v.Issuer != issuer || len(v.Status) != 2 {
			t.Fatalf("issuer or status entries of %v", v.Type)
		}
		state := "ok"
		for _, raw := range v.Status {
			var s struct {
				Purpose string `json:"statusPurpose"`
				Index   string `json:"statusListIndex"`
				List    string `json:"statusListCredential"`
			}
			mustParse(t, raw, &s)
			if bitOf(t, issuer, s.List, s.Purpose, s.Index) {
				state = map[string]string{"revocation": "revoked", "suspension": "suspended"}[s.Purpose]
			}
		}
		out = append(out, v.Type[1]+" "+state)
	}
	return out
}

// verifyByDocument checks a JWS of a type with the key that the issuer's DID
// document has for its kid, and gives the DID and the payload.
func verifyByDocument(t *testing.T, want, jwt string) (string, []byte) {
	t.Helper()
	m, err := jws.Parse([]byte(jwt))
	if err != nil {
		t.Fatal(err)
	}
	h := m.Signatures()[0].ProtectedHeaders()
	kid, _ := h.KeyID()
	if typ, _ := h.Type(); typ != want {
		t.Fatalf("typ %s", typ)
	}
	id, _, _ := strings.Cut(kid, "#")
	host := strings.ReplaceAll(strings.TrimPrefix(id, "did:web:"), "%3A", ":")
	var doc struct {
		ID     string `json:"id"`
		Method []struct {
			ID  string          `json:"id"`
			JWK json.RawMessage `json:"publicKeyJwk"`
		} `json:"verificationMethod"`
	}
	mustParse(t, fetch(t, "http://"+host+"/.well-known/did.json"), &doc)
	if doc.ID != id {
		t.Fatal("the document is another's")
	}
	for _, m := range doc.Method {
		if m.ID != kid {
			continue
		}
		key, err := jwk.ParseKey(m.JWK)
		if err != nil {
			t.Fatal(err)
		}
		payload, err := jws.Verify([]byte(jwt), jws.WithKey(jwa.EdDSA(), key))
		if err != nil {
			t.Fatal(err)
		}
		// The JWK Set has the same key.
		set, err := jwk.Parse(fetch(t, "http://"+host+"/.well-known/jwks.json"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := jws.Verify([]byte(jwt), jws.WithKeySet(set, jws.WithInferAlgorithmFromKey(true))); err != nil {
			t.Errorf("by the JWK Set: %v", err)
		}
		return id, payload
	}
	t.Fatal("the document lacks the key")
	return "", nil
}

// bitOf fetches a status list, verifies it and reads one bit: index 0 is the
// most significant bit (Bitstring Status List 1.0, section 3.2).
func bitOf(t *testing.T, issuer, list, purpose, index string) bool {
	t.Helper()
	signer, payload := verifyByDocument(t, "vc+jwt", string(fetch(t, list)))
	var v struct {
		ID      string   `json:"id"`
		Type    []string `json:"type"`
		Issuer  string   `json:"issuer"`
		Subject struct {
			Type    string `json:"type"`
			Purpose string `json:"statusPurpose"`
			List    string `json:"encodedList"`
		} `json:"credentialSubject"`
	}
	mustParse(t, payload, &v)
	if signer != issuer || v.Issuer != issuer || v.ID != list || v.Subject.Purpose != purpose || v.Subject.Type != "BitstringStatusList" || !slices.Contains(v.Type, "BitstringStatusListCredential") {
		t.Fatalf("not the list of this issuer: %s", payload[:200])
	}
	packed, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(v.Subject.List, "u"))
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	bits, err := io.ReadAll(z)
	if err != nil || len(bits)*8 < 131072 {
		t.Fatalf("%d bits, %v", len(bits)*8, err)
	}
	n, err := strconv.Atoi(index)
	if err != nil {
		t.Fatal(err)
	}
	return bits[n/8]>>(7-n%8)&1 == 1
}

func fetch(t *testing.T, url string) []byte {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != 200 {
		t.Fatalf("%s: %d, %v", url, res.StatusCode, err)
	}
	return b
}

func mustParse(t *testing.T, data []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
}

// TestThirdPartyReadsTheLedger: software of other people reads the ledger of a
// running issuer over HTTP: x/mod's note opens the checkpoint with the published
// key, torchwood's client holds every entry against it, and proves one.
func TestThirdPartyReadsTheLedger(t *testing.T) {
	d := startedDemo(t)
	ctx := t.Context()
	p := d.player(io.Discard)
	for range 2 {
		if err := p.register(ctx); err != nil {
			t.Fatal(err)
		}
	}
	for { // all that is committed is in the ledger
		n, err := d.issuer.issuer.Sequence(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
	}
	get := func(path string) []byte {
		t.Helper()
		res, err := http.Get(d.issuer.base + path)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d %v", path, res.StatusCode, err)
		}
		return b
	}
	var published struct {
		Origin string `json:"origin"`
		Key    struct {
			X string `json:"x"`
		} `json:"publicKeyJwk"`
	}
	if err := json.Unmarshal(get("/ledger/key"), &published); err != nil {
		t.Fatal(err)
	}
	raw, err := base64.RawURLEncoding.DecodeString(published.Key.X)
	if err != nil {
		t.Fatal(err)
	}
	vkey, err := note.NewEd25519VerifierKey(published.Origin, ed25519.PublicKey(raw))
	if err != nil {
		t.Fatal(err)
	}
	v, err := note.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	n, err := note.Open(get("/ledger/checkpoint"), note.VerifierList(v))
	if err != nil {
		t.Fatal(err)
	}
	c, err := torchwood.ParseCheckpoint(n.Text)
	if err != nil || c.Origin != published.Origin || c.N < 4 {
		t.Fatalf("%+v %v", c, err)
	}
	tiles, err := torchwood.NewTileFetcher(d.issuer.base + "/ledger/")
	if err != nil {
		t.Fatal(err)
	}
	client, err := torchwood.NewClient(tiles)
	if err != nil {
		t.Fatal(err)
	}
	read, office := int64(0), 0
	for i, e := range client.AllEntries(ctx, c.Tree, 0) {
		if i != read || len(e) < 40 {
			t.Fatalf("entry %d of %d bytes after %d", i, len(e), read)
		}
		if bytes.Contains(e, []byte("registrar")) {
			office++
		}
		read++
	}
	if err := client.Err(); err != nil || read != c.N || office == 0 {
		t.Errorf("%d of %d entries: %v", read, c.N, err)
	}
	entry, proof, err := client.Entry(ctx, c.Tree, 2)
	if err != nil {
		t.Fatal(err)
	}
	if err := tlog.CheckRecord(proof, c.N, c.Hash, 2, tlog.RecordHash(entry)); err != nil {
		t.Error(err)
	}
	// It is no accident: another tree has none of these entries.
	other := c.Tree
	other.Hash[0] ^= 1
	client, err = torchwood.NewClient(tiles)
	if err != nil {
		t.Fatal(err)
	}
	for i := range client.AllEntries(ctx, other, 0) {
		t.Errorf("entry %d of a tree that nobody signed", i)
	}
	if client.Err() == nil {
		t.Error("another tree was read")
	}
}
