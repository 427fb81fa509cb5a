package wallet

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/legacy/aries"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/internal/vc"
)

// oldSystem issues credentials of the Data Model 1.1 as JWT.
type oldSystem struct {
	t           *testing.T
	key         ed25519.PrivateKey
	did, method string
}

func newOldSystem(t *testing.T) *oldSystem {
	t.Helper()
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	id, err := did.EncodeKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	return &oldSystem{t, key, id, did.KeyID(id)}
}

const oldName = "Quashawna"

func (o *oldSystem) credential(change func(claims jsonObject)) string {
	o.t.Helper()
	claims := jsonObject{"iss": o.did, "sub": "did:example:parent", "nbf": 1767323045, "vc": jsonObject{
		"@context": []string{vc.ContextV1, "https://www.w3.org/2018/credentials/examples/v1"},
		"type":     []string{vc.TypeCredential, "RelationshipCredential"}, "issuer": o.did,
		"credentialSubject": jsonObject{"id": "did:example:parent", "givenName": oldName, "child": "urn:uuid:0b8f5ad4-9b0d-4b4a-a8b8-7f3c5b1d2e90"},
	}}
	if change != nil {
		change(claims)
	}
	text := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			o.t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	input := text(jsonObject{"alg": "EdDSA", "typ": "JWT", "kid": o.method}) + "." + text(claims)
	return input + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(o.key, []byte(input)))
}

// withAries lets a scene import what other systems issued.
func withAries(s scene) scene {
	s.Wallet.cfg.Aries = aries.Verify
	return s
}

func eachLegacy(t *testing.T, fn func(t *testing.T, s scene)) {
	each(t, func(t *testing.T, s scene) { fn(t, withAries(s)) })
}

func TestLegacy(t *testing.T) {
	eachLegacy(t, func(t *testing.T, s scene) {
		old := newOldSystem(t)
		text := old.credential(nil)
		c, err := s.ImportLegacy(t.Context(), amina, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if !c.Legacy || c.State != "legacy" || c.Profile != "legacy" || c.Format != "jwt" || c.Type != "RelationshipCredential" || c.Issuer != old.did || c.IssuerName != "" ||
			c.Child != "" || !c.ValidUntil.IsZero() || c.JWT != "" || c.Subject != nil {
			t.Errorf("%+v", c)
		}
		said := strings.Join(c.Summary, " ")
		for _, want := range []string{"another system", "No border accepts it", "not on the Kinpass trust list", "registry office"} {
			if !strings.Contains(said, want) {
				t.Errorf("%q is not said: %s", want, said)
			}
		}
		again, err := s.ImportLegacy(t.Context(), amina, []byte(text))
		if err != nil || again.ID != c.ID || count(t, s.db, "legacy_credentials") != 1 {
			t.Errorf("the same again: %v %v", again, err)
		}
		s.accept(t, amina, zainab)
		list, err := s.Credentials(t.Context(), amina)
		if err != nil || len(list) != 5 || list[4].ID != c.ID || list[0].Legacy {
			t.Fatalf("%d credentials, %v", len(list), err)
		}
		one, err := s.Credential(t.Context(), amina, c.ID)
		if err != nil || one.JWT != text || !contains(one.Subject, oldName) {
			t.Errorf("%v %v", one, err)
		}
		if kids, err := s.Children(t.Context(), amina); err != nil || len(kids) != 1 {
			t.Errorf("%d children, %v", len(kids), err)
		}
		if r, err := s.Renew(t.Context(), amina); err != nil || r.Checked != 4 || r.Failed != 0 {
			t.Errorf("renewal: %+v %v", r, err)
		}
		// Nothing of it can be read in the database.
		rows, err := s.db.Query(`SELECT body_key, sealed FROM legacy_credentials`)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var a, b []byte
			if err := rows.Scan(&a, &b); err != nil {
				t.Fatal(err)
			}
			for _, no := range []string{oldName, old.did, "eyJ", "Relationship"} {
				if contains(a, no) || contains(b, no) {
					t.Errorf("the database shows %q", no)
				}
			}
		}
		rows.Close()

		// Another guardian has none of it.
		if _, err := s.Credential(t.Context(), bilal, c.ID); faultCode(err) != "no-such-credential" {
			t.Errorf("another guardian reads it: %v", err)
		}
		if err := s.DeleteCredential(t.Context(), bilal, c.ID); faultCode(err) != "no-such-credential" {
			t.Errorf("another guardian deletes it: %v", err)
		}
		b, err := s.ImportLegacy(t.Context(), bilal, []byte(text))
		if err != nil || b.ID == c.ID {
			t.Errorf("another guardian imports: %v", err)
		}
		if err := s.DeleteCredential(t.Context(), bilal, c.ID); faultCode(err) != "no-such-credential" {
			t.Errorf("another guardian deletes it: %v", err)
		}
		if err := s.DeleteCredential(t.Context(), amina, c.ID); err != nil {
			t.Fatal(err)
		}
		if err := s.DeleteCredential(t.Context(), amina, c.ID); faultCode(err) != "no-such-credential" {
			t.Errorf("deleted twice: %v", err)
		}
		if err := s.Delete(t.Context(), bilal); err != nil || count(t, s.db, "legacy_credentials") != 0 {
			t.Errorf("after deletion %d rows, %v", count(t, s.db, "legacy_credentials"), err)
		}
	})
}

// TestLegacyIsNeverPresented: with or without credentials that a border takes
// beside it.
func TestLegacyIsNeverPresented(t *testing.T) {
	s := withAries(lite(t))
	c, err := s.ImportLegacy(t.Context(), amina, []byte(newOldSystem(t).credential(nil)))
	if err != nil {
		t.Fatal(err)
	}
	for _, child := range []string{"", c.ID} {
		_, err := s.Present(t.Context(), amina, Request{Child: child, Credentials: []string{c.ID}})
		mustCode(t, err, "no-such-child")
	}
	a := s.accept(t, amina, zainab)
	var border []string
	for _, x := range a.Credentials {
		if x.Profile == profileBorder {
			border = append(border, x.ID)
		}
	}
	for _, pick := range [][]string{{c.ID}, append([]string{c.ID}, border...), append(border, c.ID)} {
		_, err := s.Present(t.Context(), amina, Request{Child: a.Child, Credentials: pick})
		mustCode(t, err, "no-such-credential")
	}
	_, err = s.Disclose(t.Context(), amina, Choice{Credential: c.ID, Show: "identity", Audience: "https://verifier.example", Nonce: "0123456789abcdef"})
	mustCode(t, err, "no-such-credential")
	p, err := s.Present(t.Context(), amina, Request{Child: a.Child})
	if err != nil {
		t.Fatal(err)
	}
	if shown, _ := opened(t, p.Presentation); len(shown.Credentials) != 2 {
		t.Errorf("%d credentials are shown", len(shown.Credentials))
	}
}

func TestLegacyRefused(t *testing.T) {
	s := withAries(lite(t))
	old := newOldSystem(t)
	good := old.credential(nil)
	at := func(change func(jsonObject)) string { return old.credential(change) }
	for name, c := range map[string]struct{ text, code string }{
		"nothing":       {"", "legacy-malformed"},
		"unsigned":      {good[:strings.LastIndex(good, ".")+1], "legacy-no-proof"},
		"no proof":      {`{"@context":["` + vc.ContextV1 + `"],"type":["VerifiableCredential"],"issuer":"` + old.did + `"}`, "legacy-no-proof"},
		"another's":     {at(func(c jsonObject) { c["iss"] = newOldSystem(t).did; delete(c["vc"].(jsonObject), "issuer") }), "legacy-issuer-key"},
		"expired":       {at(func(c jsonObject) { c["exp"] = 1767323046 }), "legacy-expired"},
		"a Kinpass one": {s.o.sign(jsonObject{"@context": []string{vc.ContextV2}, "type": []string{vc.TypeCredential}}), "legacy-jwt-header"},
		"four parts":    {strings.Replace(good, ".", "..", 1), "legacy-malformed"},
	} {
		_, err := s.ImportLegacy(t.Context(), amina, []byte(c.text))
		if faultCode(err) != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
	for n := range maxLegacy + 1 {
		_, err := s.ImportLegacy(t.Context(), bilal, []byte(old.credential(func(c jsonObject) { c["nbf"] = 1767323045 + n })))
		if n < maxLegacy && err != nil || n == maxLegacy && faultCode(err) != "legacy-too-many" {
			t.Fatalf("%d: %v", n, err)
		}
	}
	if n := count(t, s.db, "guardians"); n != 1 {
		t.Errorf("%d wallets: a refusal made one", n)
	}
	s.Wallet.cfg.Aries = nil
	_, err := s.ImportLegacy(t.Context(), amina, []byte(good))
	mustCode(t, err, "legacy-unavailable")
	s = withAries(lite(t))
	s.Wallet.cfg.TrustList = func(context.Context) (*vc.TrustList, error) { return nil, nil }
	_, err = s.ImportLegacy(t.Context(), amina, []byte(good))
	mustCode(t, err, "trust-list-missing")
}

// TestLegacyWeb: the key of a did:web issuer comes from its document, and what
// the document says counts.
func TestLegacyWeb(t *testing.T) {
	var multikey string
	serve := func(s scene, id, more string) {
		s.o.set(func() {
			s.o.override["/.well-known/did.json"] = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Write([]byte(`{"id":"` + id + `","verificationMethod":[{"id":"` + id + `#key-9","type":"Multikey","controller":"` + id +
					`","publicKeyMultibase":"` + multikey + `"` + more + `}],"assertionMethod":["#key-9"]}`))
			})
		})
	}
	for name, c := range map[string]struct{ id, more, code string }{
		"good":       {"", "", ""},
		"another id": {"did:web:other.example", "", "legacy-did-mismatch"},
		"revoked":    {"", `,"revoked":"2026-01-01T00:00:00Z"`, "legacy-key-revoked"},
	} {
		t.Run(name, func(t *testing.T) {
			s := withAries(lite(t))
			old := newOldSystem(t)
			multikey = strings.TrimPrefix(old.did, "did:key:")
			old.did, old.method = s.o.did, s.o.did+"#key-9"
			if c.id == "" {
				c.id = s.o.did
			}
			serve(s, c.id, c.more)
			got, err := s.ImportLegacy(t.Context(), amina, []byte(old.credential(nil)))
			if c.code != "" {
				mustCode(t, err, c.code)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got.IssuerName == "" || !strings.Contains(strings.Join(got.Summary, " "), "is on the Kinpass trust list") {
				t.Errorf("%+v", got)
			}
		})
	}
	s := withAries(lite(t))
	old := newOldSystem(t)
	for id, code := range map[string]string{
		"did:web:10.0.0.1":      "legacy-issuer-unresolved", // not a public address
		"did:web:localhost%3A1": "did-unavailable",
		"did:example:1":         "legacy-issuer-unresolved",
		s.o.did:                 "legacy-issuer-unresolved", // the office has no document
	} {
		old.did, old.method = id, id+"#key-9"
		_, err := s.ImportLegacy(t.Context(), amina, []byte(old.credential(nil)))
		if faultCode(err) != code {
			t.Errorf("%s: %v, want %s", id, err, code)
		}
	}
}

func TestReissue(t *testing.T) {
	eachLegacy(t, func(t *testing.T, s scene) {
		text := newOldSystem(t).credential(nil)
		c, err := s.ImportLegacy(t.Context(), amina, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		r, err := s.RequestReissue(t.Context(), amina, c.ID, s.o.did)
		if err != nil {
			t.Fatal(err)
		}
		j, err := vc.SplitJWS(r.Request)
		if err != nil || j.Header.Typ != "kinpass-reissue+jwt" {
			t.Fatal(err)
		}
		pub, err := did.ParseKey(did.Base(j.Header.Kid))
		if err != nil {
			t.Fatal(err)
		}
		payload, err := j.Verify(pub)
		if err != nil {
			t.Fatal(err)
		}
		var claims struct {
			Iss, Aud, Jti string
			Iat, Exp      int64
			Legacy        struct{ Format, Credential string }
		}
		if err := json.Unmarshal(payload, &claims); err != nil {
			t.Fatal(err)
		}
		now := s.o.clock.now()
		if claims.Iss != did.Base(j.Header.Kid) || claims.Aud != s.o.did || claims.Iat != now.Unix() || claims.Exp != now.Add(7*24*time.Hour).Unix() ||
			len(claims.Jti) < 20 || claims.Legacy.Format != "jwt" || claims.Legacy.Credential != text || !r.ExpiresAt.Equal(time.Unix(claims.Exp, 0)) {
			t.Errorf("%+v", claims)
		}
		a := s.accept(t, amina, zainab)
		for _, x := range []struct {
			g             Guardian
			id, registrar string
			code          string
		}{
			{bilal, c.ID, s.o.did, "no-such-credential"},
			{amina, "x", s.o.did, "no-such-credential"},
			{amina, a.Credentials[0].ID, s.o.did, "no-such-credential"},
			{amina, c.ID, "did:web:stranger.example", "registrar-untrusted"},
			{amina, c.ID, "", "registrar-form"},
			{amina, c.ID, s.o.did + "#key-1", "registrar-form"},
			{amina, c.ID, "https://registry.example", "registrar-form"},
			{amina, c.ID, "did:web:" + strings.Repeat("a", 260), "registrar-form"},
		} {
			_, err := s.RequestReissue(t.Context(), x.g, x.id, x.registrar)
			mustCode(t, err, x.code)
		}
		s.o.set(func() { s.o.trust.Issuers[0].Keys[0].CutOff = s.o.clock.now() })
		_, err = s.RequestReissue(t.Context(), amina, c.ID, s.o.did)
		mustCode(t, err, "registrar-untrusted")
	})
}

func TestHTTPLegacy(t *testing.T) {
	d := newDesk(t, withAries(newScene(t, storetest.Open(t, store.SQLite, "wallet"))))
	text := newOldSystem(t).credential(nil)
	c := into[Credential](t, d.call(t, "amina", "POST", "/wallet/legacy", jsonObject{"credential": text}))
	if !c.Legacy || c.State != "legacy" {
		t.Errorf("%+v", c)
	}
	if body := d.call(t, "amina", "GET", "/wallet/credentials", nil).Body.String(); !strings.Contains(body, `"legacy":true`) || strings.Contains(body, "validUntil") {
		t.Errorf("%s", body)
	}
	r := into[Reissue](t, d.call(t, "amina", "POST", "/wallet/legacy/"+c.ID+"/reissue", jsonObject{"registrar": d.o.did}))
	if !strings.HasPrefix(r.Request, "eyJ") || r.Registrar != d.o.did {
		t.Errorf("%+v", r)
	}
	for _, x := range []struct {
		who, path string
		body      any
		status    int
	}{
		{"none", "/wallet/legacy", jsonObject{"credential": text}, 401},
		{"officer", "/wallet/legacy", jsonObject{"credential": text}, 403},
		{"amina", "/wallet/legacy", jsonObject{}, 400},
		{"amina", "/wallet/legacy", jsonObject{"credential": jsonObject{}}, 422},
		{"amina", "/wallet/legacy", jsonObject{"credential": strings.Repeat("a", 25<<10)}, 400},
		{"amina", "/wallet/legacy", jsonObject{"credential": text[:len(text)-2]}, 400},
		{"bilal", "/wallet/legacy/" + c.ID + "/reissue", jsonObject{"registrar": d.o.did}, 404},
		{"none", "/wallet/legacy/" + c.ID + "/reissue", jsonObject{"registrar": d.o.did}, 401},
	} {
		if rec := d.call(t, x.who, "POST", x.path, x.body); rec.Code != x.status {
			t.Errorf("%s %s: %d %s", x.who, x.path, rec.Code, rec.Body)
		}
	}
	if rec := d.call(t, "amina", "DELETE", "/wallet/credentials/"+c.ID, nil); rec.Code != 204 {
		t.Errorf("delete: %d", rec.Code)
	}
	for _, no := range []string{oldName, "eyJ", c.Issuer} {
		if strings.Contains(d.log.String(), no) {
			t.Errorf("the log shows %q", no)
		}
	}
}
