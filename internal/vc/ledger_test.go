package vc

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/tlog"
)

// TestLedgerPolicy: a checkpoint is believed with the ledger's signature and the
// number of witnesses that the trust list demands.
func TestLedgerPolicy(t *testing.T) {
	jwk := func(k ed25519.PrivateKey) json.RawMessage {
		b, err := PublicJWK(k.Public(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	var keys [3]ed25519.PrivateKey
	for i := range keys {
		keys[i] = ed25519.NewKeyFromSeed(append(make([]byte, 31), byte(i)))
	}
	l := &TrustList{Issuers: []TrustIssuer{{DID: "did:web:a.example", Ledger: &TrustLedger{Origin: "a.example/ledger", JWK: jwk(keys[0])}}, {DID: "did:web:b.example"}},
		Witnesses: []TrustWitness{{Name: "w1.example", JWK: jwk(keys[1])}, {Name: "w2.example", JWK: jwk(keys[2])}}, Quorum: 1}
	p, err := l.LedgerPolicy("did:web:a.example")
	if err != nil {
		t.Fatal(err)
	}
	s, err := tlog.LogSigner("a.example/ledger", keys[0])
	if err != nil {
		t.Fatal(err)
	}
	signed, err := tlog.Sign(tlog.Checkpoint{Origin: "a.example/ledger", Size: 3}, s)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Open(signed); !errors.Is(err, tlog.ErrUnsigned) {
		t.Errorf("without a witness: %v", err)
	}
	w, err := tlog.WitnessSigner("w2.example", keys[2], func() time.Time { return time.Unix(1_790_000_000, 0) })
	if err != nil {
		t.Fatal(err)
	}
	if signed, err = tlog.Cosign(signed, w); err != nil {
		t.Fatal(err)
	}
	if got, err := p.Open(signed); err != nil || got.Size != 3 || len(got.Seen) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	for name, edit := range map[string]func(*TrustList){
		"no such issuer":      func(l *TrustList) { l.Issuers[0].DID = "did:web:c.example" },
		"no ledger":           func(l *TrustList) { l.Issuers[0].Ledger = nil },
		"no origin":           func(l *TrustList) { l.Issuers[0].Ledger.Origin = "" },
		"a broken key":        func(l *TrustList) { l.Issuers[0].Ledger.JWK = json.RawMessage(`{}`) },
		"a broken witness":    func(l *TrustList) { l.Witnesses[1].JWK = json.RawMessage(`{}`) },
		"a quorum below none": func(l *TrustList) { l.Quorum = -1 },
	} {
		c := *l
		c.Issuers = append([]TrustIssuer(nil), l.Issuers...)
		ledger := *l.Issuers[0].Ledger
		c.Issuers[0].Ledger = &ledger
		c.Witnesses = append([]TrustWitness(nil), l.Witnesses...)
		edit(&c)
		if _, err := c.LedgerPolicy("did:web:a.example"); !errors.Is(err, ErrNoLedger) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
