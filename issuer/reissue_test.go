package issuer_test

import (
	"crypto/ecdsa"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/internal/vc"
)

// holderKey is a fresh key of a guardian's wallet.
func holderKey(t testing.TB, alg string) (keys.Signer, string) {
	t.Helper()
	k, err := keys.New("holder", "holder", alg, time.Time{}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	id, err := did.EncodeKey(k.Public())
	if err != nil {
		t.Fatal(err)
	}
	return k.Signer(did.KeyID(id)), id
}

type fields = map[string]any

func encoded(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// legacyVC is a credential of another system, as its JSON.
func legacyVC() fields {
	return fields{
		"@context": []string{"https://www.w3.org/2018/credentials/v1"}, "id": "urn:uuid:7f9c5d60-6a43-4c16-9a0a-43e1cf3d9b11",
		"type": []string{"VerifiableCredential", "RelationshipCredential"}, "issuer": fields{"id": "did:web:old.example", "name": "Old"},
		"issuanceDate": "2026-01-02T03:04:05Z", "credentialSubject": fields{"givenName": "Quashawna"},
		"proof": fields{"type": "Ed25519Signature2020"},
	}
}

func legacyJWT(t testing.TB) string {
	seg := func(v any) string { return base64.RawURLEncoding.EncodeToString([]byte(encoded(t, v))) }
	v := legacyVC()
	for _, name := range []string{"id", "issuer", "issuanceDate", "proof"} {
		delete(v, name)
	}
	v["type"] = "VerifiableCredential"
	return seg(fields{"alg": "EdDSA"}) + "." + seg(fields{"iss": "did:web:old.example", "jti": "urn:uuid:1", "nbf": 1767323045, "exp": 1798859045, "vc": v}) + "." + seg("not a signature")
}

// reissueClaims are those of a good request to this office.
func reissueClaims(o *office, holder string) fields {
	return fields{"iss": holder, "aud": o.iss.DID(), "jti": "x", "iat": o.now().Unix(), "exp": o.now().Add(7 * 24 * time.Hour).Unix(),
		"legacy": fields{"format": "Ed25519Signature2020", "credential": legacyVC()}}
}

func TestReissueRequest(t *testing.T) {
	o := openOffice(t, storetest.Open(t, store.SQLite, "issuer"))
	s, holder := holderKey(t, keys.EdDSA)
	ask := func(s keys.Signer, typ string, claims any) string {
		t.Helper()
		jws, err := vc.SignJWS(s, typ, "", []byte(encoded(t, claims)))
		if err != nil {
			t.Fatal(err)
		}
		return encoded(t, fields{"request": jws})
	}
	good := ask(s, vc.TypReissue, reissueClaims(o, holder))
	a := o.call("POST", "/reissue-requests", "rita", good).want(200, holder, "did:web:old.example", "Quashawna", `"verified":false`, "nothing in it is a fact",
		"2026-01-02T03:04:05Z", "RelationshipCredential", "Ed25519Signature2020")
	if a.head("Cache-Control") != "no-store" {
		t.Error("the summary may be cached")
	}
	var r struct {
		Claims struct{ ID, Issuer, IssuanceDate, ExpirationDate string }
	}
	claims := reissueClaims(o, holder)
	claims["legacy"] = fields{"format": "jwt", "credential": legacyJWT(t)}
	o.call("POST", "/reissue-requests", "rob", ask(s, vc.TypReissue, claims)).want(200, "Quashawna", `"verified":false`).into(&r)
	if r.Claims.ID != "urn:uuid:1" || r.Claims.Issuer != "did:web:old.example" || r.Claims.IssuanceDate != "2026-01-02T03:04:05Z" || r.Claims.ExpirationDate != "2027-01-02T03:04:05Z" {
		t.Errorf("%+v", r)
	}
	// Nothing came of it.
	o.call("GET", "/statistics", "rita", "").want(200, `"births":{}`, `"credentials":{}`)

	for _, who := range []string{"carla", "paula", "audra"} {
		o.call("POST", "/reissue-requests", who, good).want(403, "not-allowed").without("Quashawna")
	}
	stranger, _ := holderKey(t, keys.EdDSA)
	stranger.KID = s.KID
	p256, p256DID := holderKey(t, keys.ES256)
	if _, ok := p256.Public().(*ecdsa.PublicKey); !ok {
		t.Fatal("not a P-256 key")
	}
	other := s
	other.KID = holder + "#key-1"
	with := func(change func(fields)) string {
		c := reissueClaims(o, holder)
		change(c)
		return ask(s, vc.TypReissue, c)
	}
	inside := func(v any) string { return with(func(c fields) { c["legacy"] = v }) }
	cut := strings.Index(good, ".")
	for name, x := range map[string]struct {
		body   string
		status int
		code   string
	}{
		"another key":      {ask(stranger, vc.TypReissue, reissueClaims(o, holder)), 400, "reissue-invalid"},
		"another holder":   {with(func(c fields) { c["iss"] = p256DID }), 400, "reissue-invalid"},
		"no holder":        {with(func(c fields) { delete(c, "iss") }), 400, "reissue-invalid"},
		"another fragment": {ask(other, vc.TypReissue, reissueClaims(o, holder)), 400, "reissue-invalid"},
		"P-256":            {ask(p256, vc.TypReissue, reissueClaims(o, p256DID)), 400, "reissue-invalid"},
		"another typ":      {ask(s, vc.TypPresentation, reissueClaims(o, holder)), 400, "reissue-invalid"},
		"not a JWS":        {`{"request":"a.b.c"}`, 400, "reissue-invalid"},
		"changed":          {good[:cut+20] + "A" + good[cut+21:], 400, "reissue-invalid"},
		"another office":   {with(func(c fields) { c["aud"] = "did:web:other.example" }), 422, "reissue-other-registrar"},
		"many offices":     {with(func(c fields) { c["aud"] = []string{o.iss.DID()} }), 400, "reissue-invalid"},
		"expired":          {with(func(c fields) { c["exp"] = o.now().Unix() }), 422, "reissue-expired"},
		"not yet":          {with(func(c fields) { c["iat"] = o.now().Add(6 * time.Minute).Unix() }), 422, "reissue-expired"},
		"for ever":         {with(func(c fields) { c["exp"] = o.now().Add(32 * 24 * time.Hour).Unix() }), 422, "reissue-expired"},
		"no end":           {with(func(c fields) { delete(c, "exp") }), 422, "reissue-expired"},
		"no credential":    {inside(fields{"format": "jwt"}), 422, "reissue-contents"},
		"null":             {inside(nil), 422, "reissue-contents"},
		"another format":   {inside(fields{"format": "vc+jwt", "credential": legacyVC()}), 422, "reissue-contents"},
		"a text":           {inside(fields{"format": "Ed25519Signature2020", "credential": "x"}), 422, "reissue-contents"},
		"an empty object":  {inside(fields{"format": "Ed25519Signature2020", "credential": fields{}}), 422, "reissue-contents"},
		"a broken JWT":     {inside(fields{"format": "jwt", "credential": "a.b.c"}), 422, "reissue-contents"},
		"two parts":        {inside(fields{"format": "jwt", "credential": "a.b"}), 422, "reissue-contents"},
		"an object as JWT": {inside(fields{"format": "jwt", "credential": legacyVC()}), 422, "reissue-contents"},
	} {
		t.Run(name, func(t *testing.T) {
			a := o.call("POST", "/reissue-requests", "rita", x.body)
			if a.status != x.status || !strings.Contains(a.body, "problems/"+x.code) || strings.Contains(a.body, "Quashawna") {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
	o.pass(7 * 24 * time.Hour)
	o.call("POST", "/reissue-requests", "rita", good).want(422, "reissue-expired")
}
