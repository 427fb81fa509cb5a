package cli

import (
	"bytes"
	"compress/zlib"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/didweb"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/issuer"
)

// partsOf registers a family with the issuer of a demo and gives the copies
// that its holder shows in parts, by type and profile, with the holder's key
// and the registration of the birth.
func partsOf(t *testing.T, d *demo) (copies map[string]string, holder keys.Signer, registration []byte) {
	t.Helper()
	ctx := context.Background()
	birth, guardianship, err := family(now().UTC())
	if err != nil {
		t.Fatal(err)
	}
	desk := issuer.Caller{ID: "desk", Name: "desk", Role: issuer.RoleRegistrar}
	if _, err := d.issuer.issuer.RegisterBirth(ctx, desk, birth, ""); err != nil {
		t.Fatal(err)
	}
	g, err := d.issuer.issuer.RegisterGuardianship(ctx, desk, guardianship, "")
	if err != nil {
		t.Fatal(err)
	}
	k, err := keys.New("holder", "", keys.EdDSA, now(), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	id, err := did.EncodeKey(k.Public())
	if err != nil {
		t.Fatal(err)
	}
	list, err := d.issuer.issuer.IssueCopies(ctx, g.ID, id)
	if err != nil {
		t.Fatal(err)
	}
	copies = map[string]string{}
	for _, c := range list {
		copies[c.Type+" "+c.Profile] = c.JWT
	}
	return copies, k.Signer(did.KeyID(id)), birth
}

// silent fails if a text of the registration that was not to be shown is in
// what was shown. Texts that the shown document needs itself, such as the day
// of issue, are no secret.
func silent(t *testing.T, shown string, registration []byte, allowed ...string) {
	t.Helper()
	var texts []string
	var walk func(v any)
	walk = func(v any) {
		switch x := v.(type) {
		case string:
			texts = append(texts, x)
		case []any:
			for _, e := range x {
				walk(e)
			}
		case map[string]any:
			for _, e := range x {
				walk(e)
			}
		}
	}
	var whole any
	mustParse(t, registration, &whole)
	walk(whole)
	looked := 0
	for _, s := range texts {
		if len(s) < 6 || slices.Contains(allowed, s) || s == now().UTC().Format(time.DateOnly) {
			continue
		}
		looked++
		if strings.Contains(shown, s) {
			t.Errorf("%q is shown", s)
		}
	}
	if looked < 8 {
		t.Errorf("only %d texts to look for", looked)
	}
}

// TestThirdPartyReadsSDJWT plays a verifier that knows JOSE, RFC 9901 and the
// published documents: a guardian shows that the child is not sixteen, and
// nothing else.
func TestThirdPartyReadsSDJWT(t *testing.T) {
	d := startedDemo(t)
	copies, holder, registration := partsOf(t, d)
	x, err := vc.SplitSDJWT(copies["BirthCredential sd-jwt"], vc.TypSDJWTVC)
	if err != nil {
		t.Fatal(err)
	}
	shown, err := x.Present(vc.Presenting{Disclose: []string{"/age_equal_or_over/16"}, Holder: &holder,
		Audience: "https://shop.example", Nonce: "n-0S6_WzA2Mj", At: time.Now()})
	if err != nil {
		t.Fatal(err)
	}

	parts := strings.Split(shown, "~")
	iss, payload := verifyByDocument(t, "dc+sd-jwt", parts[0])
	var c struct {
		Iss  string `json:"iss"`
		Vct  string `json:"vct"`
		Nbf  int64  `json:"nbf"`
		Exp  int64  `json:"exp"`
		Alg  string `json:"_sd_alg"`
		Ages struct {
			SD []string `json:"_sd"`
		} `json:"age_equal_or_over"`
		Cnf struct {
			JWK json.RawMessage `json:"jwk"`
		} `json:"cnf"`
		Status struct {
			List struct {
				URI   string `json:"uri"`
				Index int    `json:"idx"`
			} `json:"status_list"`
		} `json:"status"`
	}
	mustParse(t, payload, &c)
	at := time.Now().Unix()
	if c.Iss != iss || c.Vct != "https://w3id.org/kinpass/vct/birth/1" || c.Nbf > at || c.Exp <= at || c.Alg != "sha-256" {
		t.Fatalf("claims %+v", c)
	}
	if len(parts) != 3 {
		t.Fatalf("%d disclosures", len(parts)-2)
	}
	sum := sha256.Sum256([]byte(parts[1]))
	if !slices.Contains(c.Ages.SD, base64.RawURLEncoding.EncodeToString(sum[:])) {
		t.Fatal("the disclosure is not one of the ages")
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var disclosure []any
	mustParse(t, raw, &disclosure)
	if len(disclosure) != 3 || disclosure[1] != "16" || disclosure[2] != false {
		t.Errorf("disclosed: %v", disclosure[1:])
	}

	// The holder's own signature, over all that came before it.
	key, err := jwk.ParseKey(c.Cnf.JWK)
	if err != nil {
		t.Fatal(err)
	}
	binding, err := jws.Verify([]byte(parts[2]), jws.WithKey(jwa.EdDSA(), key))
	if err != nil {
		t.Fatal(err)
	}
	var kb struct {
		Aud, Nonce string
		Hash       string `json:"sd_hash"`
	}
	mustParse(t, binding, &kb)
	sum = sha256.Sum256([]byte(shown[:strings.LastIndexByte(shown, '~')+1]))
	if kb.Aud != "https://shop.example" || kb.Nonce != "n-0S6_WzA2Mj" || kb.Hash != base64.RawURLEncoding.EncodeToString(sum[:]) {
		t.Errorf("key binding %+v", kb)
	}

	if state := tokenState(t, iss, c.Status.List.URI, c.Status.List.Index); state != 0 {
		t.Errorf("status %d", state)
	}
	silent(t, string(payload)+string(raw)+string(binding), registration)

	// A guardianship hides nothing of the mandate, even with no disclosure.
	jwt, _, _ := strings.Cut(copies["GuardianshipCredential sd-jwt"], "~")
	_, payload = verifyByDocument(t, "dc+sd-jwt", jwt)
	var mandate map[string]any
	mustParse(t, payload, &mandate)
	for _, name := range []string{"powers", "legalBasis", "exercise", "constraints", "effective", "termination", "role", "ward", "guardian"} {
		if mandate[name] == nil {
			t.Errorf("%s is hidden", name)
		}
	}
}

// tokenState reads the two bits of an index in a Token Status List: the least
// significant ones come first.
func tokenState(t *testing.T, iss, uri string, index int) byte {
	t.Helper()
	signer, payload := verifyByDocument(t, "statuslist+jwt", string(fetch(t, uri)))
	var l struct {
		Sub  string `json:"sub"`
		List struct {
			Bits int    `json:"bits"`
			Lst  string `json:"lst"`
		} `json:"status_list"`
	}
	mustParse(t, payload, &l)
	if signer != iss || l.Sub != uri || l.List.Bits != 2 {
		t.Fatalf("not the list: %s, %d bits", l.Sub, l.List.Bits)
	}
	packed, err := base64.RawURLEncoding.DecodeString(l.List.Lst)
	if err != nil {
		t.Fatal(err)
	}
	z, err := zlib.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	list, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return list[index/4] >> (index % 4 * 2) & 3
}

// TestThirdPartyReadsDerived: from the credential with a base proof a guardian
// derives the date of birth alone, and the mandate alone; both verify with the
// key that the DID document publishes.
func TestThirdPartyReadsDerived(t *testing.T) {
	d := startedDemo(t)
	copies, _, registration := partsOf(t, d)
	doc, err := didweb.New(didweb.Config{Loopback: true}).Document(t.Context(), d.issuer.issuer.DID())
	if err != nil {
		t.Fatal(err)
	}
	policy := vc.Policy{
		Keys: func(method string) (crypto.PublicKey, string, error) {
			m := doc.Method(method)
			if m == nil {
				return nil, "", did.ErrFragment
			}
			key, err := m.Key(now())
			return key, m.Controller, err
		},
		Now: now(), Suites: []string{vc.SuiteSD},
		Trusts: func(v *vc.Verified) error {
			if v.Issuer != d.issuer.issuer.DID() {
				t.Errorf("issuer %s", v.Issuer)
			}
			return nil
		},
		Status: func(v *vc.Verified) error {
			for _, s := range v.Status {
				if bitOf(t, v.Issuer, s.List, s.Purpose, s.Index) {
					return vc.ErrExpired
				}
			}
			return nil
		},
	}
	base := []byte(copies["BirthCredential ldp"])
	if v, err := vc.VerifyCredential(base, policy); err == nil || v != nil {
		t.Error("a credential with a base proof is for its holder alone")
	}
	derived, err := vc.Derive(base, []string{"/credentialSubject/birthDate"})
	if err != nil {
		t.Fatal(err)
	}
	v, err := vc.VerifyCredential(derived, policy)
	if err != nil {
		t.Fatal(err)
	}
	var shown struct {
		Subject map[string]any `json:"credentialSubject"`
	}
	mustParse(t, v.Document, &shown)
	birth, _ := shown.Subject["birthDate"].(map[string]any)
	if len(shown.Subject) != 1 || birth["value"] == nil || birth["precision"] == nil {
		t.Fatalf("shown: %v", shown.Subject)
	}
	silent(t, string(derived), registration, birth["value"].(string), text(birth["basis"]))
	for _, change := range [][2]string{{birth["value"].(string), "2001-01-01"}, {`"precision":"day"`, `"precision":"year"`}, {`"birthDate":`, `"circumstance":"foundling","birthDate":`}} {
		forged := strings.Replace(string(derived), change[0], change[1], 1)
		if forged == string(derived) {
			t.Fatal("nothing was changed")
		}
		if v, err := vc.VerifyCredential([]byte(forged), policy); err == nil || v != nil {
			t.Errorf("verifies with %s", change[1])
		}
	}

	if derived, err = vc.Derive([]byte(copies["GuardianshipCredential ldp"]), nil); err != nil {
		t.Fatal(err)
	}
	if v, err = vc.VerifyCredential(derived, policy); err != nil {
		t.Fatal(err)
	}
	mustParse(t, v.Document, &shown)
	for _, name := range []string{"id", "powers", "legalBasis", "exercise", "constraints", "effective", "termination", "role", "ward", "guardian"} {
		if shown.Subject[name] == nil {
			t.Errorf("%s is hidden", name)
		}
	}

	// The trust list has both keys of the register, and those of the offices
	// whose records it keeps in their roles; the document publishes this one as a
	// Multikey, the key set as a JWK.
	list, err := d.home.openTrust()
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for _, k := range list.Issuers[0].Keys {
		if k.Role == vc.RoleRegistrar {
			listed = append(listed, k.ID)
		} else if m := doc.Method(k.ID); m == nil || m.Role != k.Role || !slices.Contains(everyOffice, k.Role) {
			t.Errorf("%s is %s on the trust list", k.ID, k.Role)
		}
	}
	if n := len(list.Issuers[0].Keys); n != 2+2*len(everyOffice) {
		t.Errorf("%d keys on the trust list", n)
	}
	id := d.issuer.issuer.DID()
	if !slices.Equal(listed, []string{id + "#key-1", id + "#selective-1"}) {
		t.Errorf("on the trust list: %v", listed)
	}
	m := doc.Method(id + "#selective-1")
	if m == nil || m.Type != "Multikey" || !strings.HasPrefix(m.PublicKeyMultibase, "zDna") || len(m.PublicKeyJwk) != 0 {
		t.Errorf("published: %+v", m)
	}
	res, err := http.Get(d.issuer.base + "/.well-known/jwks.json")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	set, err := jwk.ParseReader(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if k, ok := set.LookupKeyID(id + "#selective-1"); !ok || k.KeyType() != jwa.EC() {
		t.Error("the key set lacks the key")
	}
}

func text(v any) string { s, _ := v.(string); return s }

// TestOldDataDirectory: an issuer from before there were keys for selective
// disclosure and for the ledger gets them when it starts, keeps the first, and gets no other later. What
// repairs or inspects makes none.
func TestOldDataDirectory(t *testing.T) {
	h := &home{dir: t.TempDir()}
	r, err := h.ensureRing(issuerRole, keys.EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	r.Keys = r.Of(keys.UseCredentials)
	first := r.Keys[0].Public().(ed25519.PublicKey)
	if err := h.saveRing(issuerRole, r); err != nil {
		t.Fatal(err)
	}
	if r, err = h.mustRing(issuerRole); err != nil || len(r.Keys) != 1 {
		t.Fatalf("%d keys, %v", len(r.Keys), err)
	}
	var made crypto.PublicKey
	for range 2 {
		if r, err = h.ensureRing(issuerRole, keys.EdDSA); err != nil {
			t.Fatal(err)
		}
		k := r.Of(keys.UseSelective)
		if len(r.Keys) != 3 || len(r.Of(keys.UseLedger)) != 1 || len(k) != 1 || k[0].Alg != keys.ES256 || k[0].Name != "selective-1" || !first.Equal(r.Of(keys.UseCredentials)[0].Public()) {
			t.Fatalf("%d keys", len(r.Keys))
		}
		if made == nil {
			made = k[0].Public()
		}
		if !made.(*ecdsa.PublicKey).Equal(k[0].Public()) {
			t.Error("made anew")
		}
	}
	for _, role := range []string{verifierRole, anchorName} {
		if r, err := h.ensureRing(role, keys.EdDSA); err != nil || len(r.Keys) != 1 || len(r.Of(keys.UseSelective)) != 0 {
			t.Errorf("%s: %v", role, err)
		}
	}
}
