// Package pagetest goes through the pages of the three services as people do,
// in a real Chromium.
package pagetest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/kinpass/kinpass/cmd/internal/cli"
	"github.com/kinpass/kinpass/internal/account"
	"github.com/kinpass/kinpass/internal/qr"
	"github.com/kinpass/kinpass/web/webtest"
)

// stand starts the three services for a test.
func stand(t *testing.T) *cli.Stand {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	s, stop, err := cli.NewStand(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return s
}

// join signs a tab in as somebody new of a role, through an invitation and a
// passkey.
func join(t *testing.T, x *webtest.Tab, at cli.Service, g account.Guest) {
	t.Helper()
	secret, _, err := at.Accounts.Invite(t.Context(), g)
	if err != nil {
		t.Fatal(err)
	}
	x.Go(at.Accounts.Link(secret))
	x.See("[data-invited]")
	x.Press("[data-go]")
	if x.Path() != "/app/" {
		t.Fatalf("at %s", x.Path())
	}
}

// enter signs a tab in as somebody of a role, new or known, the short way: by the
// demonstration's sign-in, without a passkey. Where the passkey matters, join is
// the way.
func enter(t *testing.T, x *webtest.Tab, at cli.Service, g account.Guest) {
	t.Helper()
	secret, err := at.Accounts.Demonstrate(t.Context(), g, "Chromium")
	if err != nil {
		t.Fatal(err)
	}
	x.Cookie(at.Base, "kinpass_"+at.Role+"_session", secret)
	x.Go(at.Base + "/app/")
	if x.Path() != "/app/" {
		t.Fatalf("at %s", x.Path())
	}
}

// wallet gives a guest who opens the wallet of the demonstration's guardian.
func wallet(t *testing.T, s *cli.Stand) account.Guest {
	t.Helper()
	token, err := s.Wallet.DB.TokenBySecret(t.Context(), s.Guardian, now())
	if err != nil {
		t.Fatal(err)
	}
	return account.Guest{Role: "guardian", Token: token.ID}
}

// TestEverybodyHasAHome: who signs in finds the page of their work.
func TestEverybodyHasAHome(t *testing.T) {
	chromium, s := webtest.Open(t), stand(t)
	if err := s.Family(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		at    cli.Service
		guest account.Guest
		size  webtest.Size
	}{
		{"registrar", s.Issuer, account.Guest{Role: "registrar", Name: "Rosa Registrar"}, webtest.Desktop},
		{"guardian", s.Wallet, wallet(t, s), webtest.Phone},
		{"officer", s.Verifier, account.Guest{Role: "officer", Name: "Omar Officer"}, webtest.Phone},
	} {
		x := chromium.Tab(t, c.size, "en")
		join(t, x, c.at, c.guest)
		x.Look(c.name + " first page")
		if c.name == "guardian" && !webtest.Value[bool](x, `document.querySelector('nav a[href="/app/log"]') !== null`) {
			t.Error("what the wallet did is not in the menu")
		}
	}
}

// codeIn reads the QR code that a page shows, from one photograph of it, or from
// another if the page moved while it was taken, as it does when it has just been
// printed.
func codeIn(t *testing.T, x *webtest.Tab, selector string) string {
	t.Helper()
	photo := x.Photo(selector)
	text, err := qr.ReadImage(photo)
	for range 5 {
		if err == nil {
			break
		}
		time.Sleep(200 * time.Millisecond)
		photo = x.Photo(selector)
		text, err = qr.ReadImage(photo)
	}
	if err != nil {
		file := filepath.Join(os.TempDir(), fmt.Sprintf("kinpass-code-%d.png", os.Getpid()))
		t.Fatalf("%v (see %s, %v)", err, file, os.WriteFile(file, photo, 0o600))
	}
	return text
}

func TestMain(m *testing.M) { os.Exit(webtest.Main(m)) }
