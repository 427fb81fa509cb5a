package check

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"slices"
	"testing"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/qr"
	"github.com/kinpass/kinpass/internal/vc"
)

// TestLegacyIsNeverGreen: what another system issued, well signed and by
// whomever, opens no border in any wrapping, alone or beside good credentials.
func TestLegacyIsNeverGreen(t *testing.T) {
	w := newWorld(t)
	b := w.bundle()
	birth, mandate := w.issue(w.birth()), w.issue(w.mandate("mother"))

	subject, err := json.Marshal(w.birth())
	if err != nil {
		t.Fatal(err)
	}
	registrar := w.office[vc.RoleRegistrar]
	_, own, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ownDID := w.did(own.Public())
	claims := func(issuer string) map[string]any {
		return map[string]any{"iss": issuer, "nbf": now.Unix() - 3600, "vc": map[string]any{
			"@context": []string{vc.ContextV1}, "type": []string{vc.TypeCredential, vc.TypeBirth}, "issuer": issuer,
			"issuanceDate": "2026-01-02T03:04:05Z", "credentialSubject": json.RawMessage(subject)}}
	}
	jwt := func(sign func([]byte) []byte, kid, typ string, claims any) string {
		seg := func(v any) string {
			raw, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			return base64.RawURLEncoding.EncodeToString(raw)
		}
		head := map[string]string{"alg": "EdDSA", "kid": kid}
		if typ != "" {
			head["typ"] = typ
		}
		input := seg(head) + "." + seg(claims)
		return input + "." + base64.RawURLEncoding.EncodeToString(sign([]byte(input)))
	}
	byOwn := func(data []byte) []byte { return ed25519.Sign(own, data) }
	// Even the trusted registrar's key makes no border credential of one.
	byRegistrar := func(data []byte) []byte {
		out, err := registrar.Sign(rand.Reader, data, crypto.Hash(0))
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	office := did.Base(registrar.KID)
	linked, err := json.Marshal(claims(ownDID)["vc"])
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for name, legacy := range map[string]string{
		"another system's JWT":        jwt(byOwn, did.KeyID(ownDID), "JWT", claims(ownDID)),
		"the same without typ":        jwt(byOwn, did.KeyID(ownDID), "", claims(ownDID)),
		"the same called vc+jwt":      jwt(byOwn, did.KeyID(ownDID), vc.TypCredential, claims(ownDID)),
		"the registrar's JWT":         jwt(byRegistrar, registrar.KID, "JWT", claims(office)),
		"the registrar's as vc+jwt":   jwt(byRegistrar, registrar.KID, vc.TypCredential, claims(office)),
		"the registrar's vc as a 1.1": w.sign(registrar, vc.TypCredential, claims(office)["vc"]),
		"a linked credential":         base64.RawURLEncoding.EncodeToString(linked),
	} {
		for wrap, shown := range map[string]string{
			"alone":           w.sign(w.holder["mother"], vc.TypPresentation, w.presentation("mother", legacy)),
			"as the birth":    w.sign(w.holder["mother"], vc.TypPresentation, w.presentation("mother", legacy, mandate)),
			"beside the rest": w.sign(w.holder["mother"], vc.TypPresentation, w.presentation("mother", birth, mandate, legacy)),
			"bare":            legacy,
		} {
			forms := []string{shown}
			if kp1, err := qr.Pack(qr.Packet{Presentation: shown}); err == nil {
				forms = append(forms, kp1)
			}
			if kp1, err := qr.Pack(qr.Packet{Credentials: []string{legacy}}); err == nil {
				forms = append(forms, kp1)
			}
			if kp1, err := qr.Pack(qr.Packet{Credentials: []string{legacy, mandate}}); err == nil {
				forms = append(forms, kp1)
			}
			for _, text := range forms {
				n++
				d, _, err := Check(text, b, Facts{Confirm: Confirmable}, History{}, now)
				if err == nil && (d.Colour == Green || slices.Contains(d.Codes(), "OK")) {
					t.Errorf("%s, %s: %s %v", name, wrap, d.Colour, d.Codes())
				}
			}
		}
	}
	// The test says something only if the good credentials are green here.
	d, _, err := Check(w.present("mother", birth, mandate), b, Facts{Confirm: Confirmable}, History{}, now)
	if err != nil || d.Colour != Green {
		t.Errorf("good credentials: %s %v %v", d.Colour, d.Codes(), err)
	}
	t.Logf("%d presentations", n)
}
