package cli

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/api"
	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/qr"
	"github.com/kinpass/kinpass/internal/trust"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/issuer"
	"github.com/kinpass/kinpass/verifier/check"
)

// TestCourtSpeaksOverRegistry: a court with a service of its own suspends what a
// registry does not, and every post knows with its next bundle, whether or not
// the court's shelf is there later.
func TestCourtSpeaksOverRegistry(t *testing.T) {
	d := startedDemo(t)
	ctx := t.Context()
	own := &home{dir: t.TempDir()}
	court, err := own.start(ctx, issuerRole, options{listen: "127.0.0.1:0", alg: keys.EdDSA, offices: []string{keys.UseCourt}, loopback: true,
		trustList: d.home.path(trustFile), anchor: d.home.path("anchor.json"), log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	pub, err := court.issuer.DIDDocument(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	doc, err := did.ParseDocument(pub.Body, court.issuer.DID())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.home.editTrust(func(l *vc.TrustList) error {
		return trust.AddIssuer(l, trust.Entry{Document: doc, Name: "Family court", Shelf: court.base, Role: vc.RoleCourt,
			Types: trust.DefaultTypes(vc.RoleCourt), MayRevoke: []string{d.issuer.issuer.DID()}, From: time.Now().UTC().AddDate(0, 0, -1)})
	}); err != nil {
		t.Fatal(err)
	}
	secret, _, err := court.db.AddToken(ctx, "judge", issuer.RoleCourt, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	judge := &api.Client{Base: court.base, Token: secret}

	p := d.player(io.Discard)
	if err := p.register(ctx); err != nil {
		t.Fatal(err)
	}
	if err := p.accept(ctx); err != nil {
		t.Fatal(err)
	}
	look := func(overrides int) check.Decision {
		t.Helper()
		r, err := d.verifier.verifier.Build(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if r.Overrides != overrides {
			t.Fatalf("%d lists of the court, want %d: %+v", r.Overrides, overrides, r.Problems)
		}
		shown, err := p.present(ctx)
		if err != nil {
			t.Fatal(err)
		}
		var out check.Decision
		if err := p.officer.Do(ctx, "POST", "/checks", map[string]any{"presentation": shown.KP1, "confirm": []string{"portrait", "document"}}, &out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	if out := look(0); out.Colour != check.Green {
		t.Fatalf("before: %v %v", out.Colour, out.Codes())
	}
	shown, err := p.present(ctx)
	if err != nil {
		t.Fatal(err)
	}
	entry := mandateStatus(t, shown.KP1, vc.PurposeSuspension)
	if err := judge.Do(ctx, "POST", "/overrides", map[string]string{"statusListCredential": entry.List, "statusListIndex": entry.Index,
		"statusPurpose": vc.PurposeSuspension, "reason": "courtDecision"}, nil); err != nil {
		t.Fatal(err)
	}
	if out := look(1); out.Colour != check.Red || !out.Has("STATUS_SUSPENDED") {
		t.Fatalf("suspended by the court: %v %v", out.Colour, out.Codes())
	}
	court.stop()
	if err := <-court.done; err != nil && !errors.Is(err, context.Canceled) && !strings.Contains(err.Error(), "closed") {
		t.Fatal(err)
	}
	if out := look(1); out.Colour != check.Red || !out.Has("STATUS_SUSPENDED") {
		t.Fatalf("when the court is silent: %v %v", out.Colour, out.Codes())
	}
}

// mandateStatus gives the entry for this purpose of the guardianship in a code.
func mandateStatus(t *testing.T, kp1, purpose string) vc.StatusEntry {
	t.Helper()
	packet, err := qr.Unpack(kp1)
	if err != nil {
		t.Fatal(err)
	}
	_, jwts, err := credentialsOf(packet.Presentation)
	if err != nil {
		t.Fatal(err)
	}
	for _, jwt := range jwts {
		v, err := vc.SplitJWS(jwt)
		if err != nil {
			t.Fatal(err)
		}
		c, err := vc.ParseCredential(v.PayloadUnverified())
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range c.Status {
			if c.Is(vc.TypeGuardianship) && e.Purpose == purpose {
				return e
			}
		}
	}
	t.Fatal("no guardianship with a status")
	return vc.StatusEntry{}
}
