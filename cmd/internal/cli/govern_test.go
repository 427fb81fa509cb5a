package cli

import (
	"testing"
	"time"
)

// TestDemoListsItsLedger: the demonstration's trust list names the issuer's
// ledger, so that its checkpoints can be told from anybody else's.
func TestDemoListsItsLedger(t *testing.T) {
	d := startedDemo(t)
	l, err := d.home.openTrust()
	if err != nil {
		t.Fatal(err)
	}
	policy, err := l.LedgerPolicy(d.issuer.issuer.DID())
	if err != nil {
		t.Fatal(err)
	}
	// The witnesses cosign a checkpoint a moment after it was made.
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		p, err := d.issuer.issuer.Checkpoint(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err = policy.Open(p.Body); err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}
