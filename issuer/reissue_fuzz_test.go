package issuer

import (
	"encoding/json"
	"testing"

	"github.com/kinpass/kinpass/internal/vc"
)

func FuzzReissueRead(f *testing.F) {
	f.Add("Ed25519Signature2020", `{"type":["VerifiableCredential"],"issuer":{"id":"did:web:a"},"credentialSubject":{"a":1}}`)
	f.Add("Ed25519Signature2018", `{"type":"VerifiableCredential","issuer":"did:web:a","credentialSubject":[]}`)
	f.Add("jwt", `"e30.eyJpc3MiOiJkaWQ6d2ViOmEiLCJ2YyI6eyJ0eXBlIjoieCIsImNyZWRlbnRpYWxTdWJqZWN0Ijp7fX19.AA"`)
	f.Add("jwt", `"a.b.c"`)
	f.Fuzz(func(t *testing.T, format, raw string) {
		if vc.CheckJSON([]byte(raw), vc.MaxDepth) != nil {
			return // the request that holds it was read strictly
		}
		var s ReissueSummary
		s.Claims.Format = format
		if err := s.read(json.RawMessage(raw)); err == nil && (s.Claims.Issuer == "" || !json.Valid(s.Claims.Subject)) {
			t.Fatalf("%+v", s)
		}
	})
}
