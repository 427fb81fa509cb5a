package issuer_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/internal/vc"
)

// TestSurvivorsTakeLong: what a key signed is told for as long as that takes, also by
// a server that ends ordinary answers sooner, and the answer begins before the first
// was found.
func TestSurvivorsTakeLong(t *testing.T) {
	o := openOffice(t, storetest.Open(t, store.SQLite, "issuer"))
	o.family()
	size := int64(o.sequence())
	k := o.hub()
	o.trust.Issuers = []vc.TrustIssuer{{DID: o.iss.DID(), Keys: []vc.TrustKey{{ID: o.iss.DID() + "#key-1", CutOff: o.now().Add(time.Hour), CutOffSize: size}}}}
	srv := httptest.NewUnstartedServer(o.srv)
	srv.Config.WriteTimeout = time.Nanosecond
	srv.Start()
	defer srv.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+"/ledger/survivors/key-1", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", o.hubToken(k, o.trust.Hubs[0].ID, vc.TypHub, nil))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK || len(body) == 0 || len(body)%72 != 0 {
		t.Errorf("%d, %d bytes, %v", res.StatusCode, len(body), err)
	}
	var first []byte
	begun := false
	if err := o.iss.Survivors(t.Context(), "key-1", func(b []byte) error {
		if !begun {
			begun, first = true, b
		}
		return nil
	}); err != nil || !begun || len(first) != 0 {
		t.Errorf("the answer begins with %x: %v", first, err)
	}
}
