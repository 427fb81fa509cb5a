package vc

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/vectest"
)

// Every signed document among the published vectors, through the entrance:
// accepted as it is, refused with a changed claim.
func TestPublishedCredentials(t *testing.T) {
	accepted := 0
	refused := map[string]int{}
	for _, sub := range []string{"vc-di-eddsa", "vc-di-ecdsa"} {
		dir := vectest.Dir(t, sub)
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || filepath.Ext(path) != ".json" {
				return err
			}
			doc, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			if CheckJSON(doc, maxNesting) != nil || memberOf(doc, "proof") == nil {
				return nil
			}
			p := proofOnly()
			p.Ed2020 = true
			v, err := VerifyCredential(doc, p)
			name, _ := filepath.Rel(dir, path)
			if err != nil {
				refused[sub+"/"+name+": "+fault.As(err).Code]++
				return nil
			}
			accepted++
			if v.Issuer == "" || len(v.Proofs) == 0 {
				t.Errorf("%s: %+v", name, v)
			}
			changed := strings.Replace(string(doc), `"validFrom"`, `"validUntil": "2030-01-01T00:00:00Z", "validFrom"`, 1)
			if changed == string(doc) {
				changed = strings.Replace(string(doc), `"credentialSubject"`, `"name": "Changed", "credentialSubject"`, 1)
			}
			if v, err := VerifyCredential([]byte(changed), p); err == nil || v != nil {
				t.Errorf("%s: accepted with an added claim", name)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]int{
		"vc-di-ecdsa/ecdsa-sd-2023/employ/addSignedSDBase.json: selective-base-proof": 1,
		"vc-di-ecdsa/ecdsa-sd-2023/prc/addSignedSDBase.json: selective-base-proof":    1,
		"vc-di-eddsa/proof-set-chain/proofChainTempDoc2.json: proof-previous":         1, // half of a chain
	}
	t.Logf("%d accepted, refused: %v", accepted, refused)
	if accepted != 17 || !maps.Equal(refused, want) {
		t.Errorf("%d accepted, want 17; refused %v, want %v", accepted, refused, want)
	}
}
