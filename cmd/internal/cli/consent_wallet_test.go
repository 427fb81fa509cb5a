package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/kinpass/kinpass/internal/qr"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/issuer"
	"github.com/kinpass/kinpass/verifier/check"
	"github.com/kinpass/kinpass/wallet"
)

// counterFor decides about what is shown, offline, at a border whose countries
// have no rules of their own.
func counterFor(t *testing.T, b *borderBundle, codes []string, f check.Facts) check.Decision {
	t.Helper()
	f.Exit, f.Entry, f.Others = "GHA", "TGO", codes[1:]
	d, _, err := check.Check(codes[0], b.Bundle, f, check.History{}, at())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func mustDecide(t *testing.T, what string, d check.Decision, colour check.Colour, code string) {
	t.Helper()
	if d.Colour != colour || !slices.Contains(d.Codes(), code) {
		t.Errorf("%s: %s %v, want %s %s", what, d.Colour, d.Codes(), colour, code)
	}
}

// TestConsentIsEnough: what a wallet shows with a consent is enough for the
// officer, and no more than that: made by the real wallet with the real office,
// decided by the real check.
func TestConsentIsEnough(t *testing.T) {
	d := startedDemo(t)
	ctx := context.Background()
	p := d.player(io.Discard)
	notary, err := p.newOfficial(ctx, "notary", issuer.RoleNotary)
	if err != nil {
		t.Fatal(err)
	}
	aunt, err := p.newAdult(ctx, "Comfort")
	if err != nil {
		t.Fatal(err)
	}
	agree := func(mother *adult, with vc.Companion, others ...*adult) string {
		t.Helper()
		draft := p.draft(mother, vc.ModeThirdParty, "GHA", "TGO")
		draft.Accompanying = []vc.Companion{with}
		id, err := p.agree(ctx, draft, mother, others...)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	named, err := aunt.companion(ctx, "relative")
	if err != nil {
		t.Fatal(err)
	}
	show := func(what string, a *adult, consent string, b *borderBundle) check.Decision {
		t.Helper()
		s, err := a.shows(ctx, consent)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		size(t, what, s.KP1, qr.Screen)
		return counterFor(t, b, []string{s.KP1}, check.Facts{})
	}
	bundle := func() *borderBundle {
		t.Helper()
		if err := p.fetchBundle(ctx); err != nil {
			t.Fatal(err)
		}
		return p.bundle
	}

	// Both parents let the aunt go.
	mother, father, err := p.parents(ctx, "GHA")
	if err != nil {
		t.Fatal(err)
	}
	id := agree(mother, named, father)
	if err := p.witness(ctx, notary, mother, id); err != nil {
		t.Fatal(err)
	}
	if err := p.share(ctx, mother, id, aunt); err != nil {
		t.Fatal(err)
	}
	mustDecide(t, "both agree, a notary witnesses", show("aunt, witnessed consent of two", aunt, "", bundle()), check.Green, check.CodeOK)

	// The mother alone would not be enough, and the notary does not make it so.
	one := agreeAlone(t, p, mother, named)
	if err := p.witness(ctx, notary, mother, one); err != nil {
		t.Fatal(err)
	}
	uncle, err := p.newAdult(ctx, "Kofi")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.share(ctx, mother, one, aunt); err != nil {
		t.Fatal(err)
	}
	b := bundle()
	list := consentsOf(t, aunt)
	s := showOne(t, aunt, aunt.child, list[len(list)-1].ID)
	mustDecide(t, "one of two agrees", counterFor(t, b, []string{s.KP1}, check.Facts{}), check.Red, check.CodeConsentQuorum)

	// A sole guardian's consent is enough, since what is shown says that it is.
	alone, err := p.newAdult(ctx, "Esi")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.household(ctx, "GHA", mandate{who: alone, role: "mother", change: func(g *vc.Guardianship) { g.Exercise = vc.Exercise{Mode: "sole"} }}); err != nil {
		t.Fatal(err)
	}
	kofi, err := uncle.companion(ctx, "relative")
	if err != nil {
		t.Fatal(err)
	}
	id = agree(alone, kofi)
	if err := p.share(ctx, alone, id, uncle); err != nil {
		t.Fatal(err)
	}
	mustDecide(t, "a sole guardian signs alone", show("uncle, self-signed consent of one", uncle, "", bundle()), check.Amber, check.CodeConsentAssuranceLow)
	if err := p.witness(ctx, notary, alone, id); err != nil {
		t.Fatal(err)
	}
	if err := p.share(ctx, alone, id, uncle); err != nil {
		t.Fatal(err)
	}
	mustDecide(t, "a sole guardian, witnessed", show("uncle, witnessed consent of one", uncle, "", bundle()), check.Green, check.CodeOK)

	// One parent travels, the other agrees before a witness.
	free, err := p.letGo(ctx, father, mother, "GHA", "TGO")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.witness(ctx, notary, father, free); err != nil {
		t.Fatal(err)
	}
	mine, err := p.hand(ctx, father, free, mother)
	if err != nil {
		t.Fatal(err)
	}
	mustDecide(t, "one parent with the other's consent", show("mother, witnessed consent of the father", mother, mine, bundle()), check.Green, check.CodeOK)

	// An aunt who has no wallet: paper, by name and document.
	byName, err := companion("Comfort Adjei", "")
	if err != nil {
		t.Fatal(err)
	}
	byName.Document = &vc.Identifier{Type: "passport", Value: "G0012345", Issuer: "GHA"}
	id = agree(mother, byName, father)
	if err := p.witness(ctx, notary, mother, id); err != nil {
		t.Fatal(err)
	}
	var paper struct {
		Codes []struct {
			KP1   string
			Holds []string
		}
	}
	if err := mother.Do(ctx, "POST", consentPath("/paper")(id), nil, &paper); err != nil {
		t.Fatal(err)
	}
	var codes []string
	for _, c := range paper.Codes {
		size(t, "paper: "+strings.Join(c.Holds, ", "), c.KP1, qr.Paper)
		codes = append(codes, c.KP1)
	}
	mustDecide(t, "paper", counterFor(t, bundle(), codes, check.Facts{}), check.Amber, check.CodePaperBearer)
	mustDecide(t, "paper, compared", counterFor(t, p.bundle, codes, check.Facts{Confirm: []string{"portrait", "document"}}), check.Green, check.CodeOK)

	// Withdrawn by one, it is red for everybody as soon as a post has the list.
	if err := father.Do(ctx, "POST", consentPath("/withdraw")(joinedBy(t, father, id, mother)), nil, nil); err != nil {
		t.Fatal(err)
	}
	mustDecide(t, "paper, withdrawn", counterFor(t, bundle(), codes, check.Facts{}), check.Red, check.CodeConsentWithdrawn)
}

// agreeAlone signs for one although two have to.
func agreeAlone(t *testing.T, p *player, a *adult, with vc.Companion) string {
	t.Helper()
	draft := p.draft(a, vc.ModeThirdParty, "GHA", "TGO")
	draft.Accompanying = []vc.Companion{with}
	var c consentAnswer
	if err := a.Do(context.Background(), "POST", "/wallet/consents", draft, &c); err != nil {
		t.Fatal(err)
	}
	if err := a.Do(context.Background(), "POST", consentPath("/sign")(c.ID), map[string]bool{"alone": true}, nil); err != nil {
		t.Fatal(err)
	}
	return c.ID
}

func consentsOf(t *testing.T, a *adult) []wallet.Consent {
	t.Helper()
	var all struct {
		Consents []wallet.Consent `json:"consents"`
	}
	if err := a.Do(context.Background(), "GET", "/wallet/consents", nil, &all); err != nil {
		t.Fatal(err)
	}
	return all.Consents
}

// joinedBy gives a guardian's own id of a consent that another drafted.
func joinedBy(t *testing.T, a *adult, id string, other *adult) string {
	t.Helper()
	digest := ""
	for _, c := range consentsOf(t, other) {
		if c.ID == id {
			digest = c.Digest
		}
	}
	for _, c := range consentsOf(t, a) {
		if c.Digest == digest {
			return c.ID
		}
	}
	t.Fatal("it was not joined")
	return ""
}

func showOne(t *testing.T, a *adult, child, consent string) presented {
	t.Helper()
	var out presented
	if err := a.Do(context.Background(), "POST", "/wallet/presentations", map[string]string{"child": child, "consent": consent}, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// size prints what a code of the real services needs.
func size(t *testing.T, what, kp1 string, m qr.Medium) {
	t.Helper()
	n := len(kp1) - len("KP1:")
	img, err := qr.Draw(kp1, m)
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	t.Logf("%-50s %s", what, fmt.Sprintf("%4d B %5d characters v%d-%s", n/3*2+n%3/2, len(kp1), img.Version, img.Level))
}
