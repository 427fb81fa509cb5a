package issuer

import (
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/vc"
)

// TestPaperForGuardian: a guardian gets what the office prints, by the key of
// the mandate, and nobody else gets anything.
func TestPaperForGuardian(t *testing.T) {
	eachBooth(t, func(t *testing.T, d *booth) {
		g := d.guardian()
		request := func(g *guardian) members {
			return members{"aud": d.DID(), "iat": d.now().Unix(), "jti": token(), "act": "paper", "guardianship": g.mandate()}
		}
		birth, guardianship, err := d.PaperFor(ctx, signed(t, g.signer, vc.TypPaper, request(g)))
		if err != nil {
			t.Fatal(explain(err))
		}
		b, m, err := d.Paper(ctx, clara, g.child.birth.ID, g.child.guardianship.ID)
		if err != nil || b != birth || m != guardianship {
			t.Errorf("not what the office prints: %v", err)
		}
		stranger := &guardian{t: t}
		stranger.signer, stranger.did = newKey(t, "EdDSA")
		powerless := d.guardian(func(g *vc.Guardianship) { g.Powers = []string{"travelConsent"} })
		suspended := d.guardian()
		if _, err := d.Suspend(ctx, clara, suspended.child.guardianship.Credentials[0].ID, "safety", ""); err != nil {
			t.Fatal(explain(err))
		}
		for name, x := range map[string]struct {
			by   *guardian
			typ  string
			m    members
			want string
		}{
			"another's":                  {stranger, vc.TypPaper, request(g), "no-such-guardianship"},
			"without the power":          {powerless, vc.TypPaper, request(powerless), "no-such-guardianship"},
			"suspended":                  {suspended, vc.TypPaper, request(suspended), "no-such-guardianship"},
			"a birth":                    {g, vc.TypPaper, but(request(g), "guardianship", "urn:uuid:"+g.copy(vc.TypeBirth, ProfileFull).ID), "no-such-guardianship"},
			"for another issuer":         {g, vc.TypPaper, but(request(g), "aud", "did:web:other.example"), "consent-status-other"},
			"old":                        {g, vc.TypPaper, but(request(g), "iat", d.now().Add(-time.Hour).Unix()), "consent-status-time"},
			"made for a status":          {g, vc.TypConsentStatus, request(g), "consent-status-request"},
			"another act":                {g, vc.TypPaper, but(request(g), "act", "reserve"), "consent-status-request"},
			"with more than is asked":    {g, vc.TypPaper, but(request(g), "trip", "TGO"), "consent-status-request"},
			"without the guardianship":   {g, vc.TypPaper, but(request(g), "guardianship", nil), "consent-status-request"},
			"a guardianship by its name": {g, vc.TypPaper, but(request(g), "guardianship", g.child.guardianship.ID), "consent-status-request"},
		} {
			birth, guardianship, err := d.PaperFor(ctx, signed(t, x.by.signer, x.typ, x.m))
			if f := fault.As(err); err == nil || f.Code != x.want || birth != "" || guardianship != "" {
				t.Errorf("%s: %v, want %s", name, err, x.want)
			}
		}
		// The status of a consent cannot be had with a request for paper.
		if _, err := d.ReserveConsent(ctx, signed(t, g.signer, vc.TypPaper, d.reservation(g))); err == nil {
			t.Error("a place was reserved")
		}
	})
}
