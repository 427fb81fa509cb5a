package verifier

import (
	"fmt"
	"testing"

	"github.com/kinpass/kinpass/internal/serve/servetest"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
)

func TestVerifierRoutesAreDescribed(t *testing.T) {
	d := newDesk(t, storetest.Open(t, store.SQLite, "verifier"))
	servetest.Described(t, d.server, "verifier")
}

// TestVerifierHostileRequests: malformed requests to every described route.
func TestVerifierHostileRequests(t *testing.T) {
	d := newDesk(t, storetest.Open(t, store.SQLite, "verifier"))
	servetest.Hostile(t, d.server, "verifier", []string{d.tokens[RoleOfficer], d.tokens[RoleAuditor]},
		func(n int) string { return fmt.Sprintf("10.%d.%d.%d:1", n>>16&255, n>>8&255, n&255) })
}
