package issuer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/tlog"
	"github.com/kinpass/kinpass/internal/vc"
)

// askProofs signs a request for proofs as a wallet does; change may spoil it.
func (d *booth) askProofs(g *guardian, typ string, claims map[string]any) (LedgerProofs, error) {
	d.t.Helper()
	b, err := json.Marshal(claims)
	if err != nil {
		d.t.Fatal(err)
	}
	jws, err := vc.SignJWS(g.signer, typ, "", b)
	if err != nil {
		d.t.Fatal(err)
	}
	return d.ProofsFor(context.Background(), jws)
}

// TestProofsFor: a holder gets the proofs of its own credentials, once they are in
// the ledger; of anybody else's it gets what it gets of none.
func TestProofsFor(t *testing.T) {
	eachBooth(t, func(t *testing.T, d *booth) {
		g, other := d.guardian(), d.guardian()
		var ids []string
		for _, c := range g.copies {
			ids = append(ids, "urn:uuid:"+c.ID)
		}
		claims := func() map[string]any {
			return map[string]any{"aud": d.DID(), "iat": d.now().Unix(), "credentials": ids}
		}
		got, err := d.askProofs(g, vc.TypLedgerProof, claims())
		if err != nil || len(got.Proofs) != 0 || !slices.Equal(got.Waiting, ids) {
			t.Fatalf("%+v %v", got, explain(err))
		}
		d.all()
		if got, err = d.askProofs(g, vc.TypLedgerProof, claims()); err != nil || len(got.Proofs) != len(ids) || len(got.Waiting) != 0 {
			t.Fatalf("%d proofs, %v", len(got.Proofs), explain(err))
		}
		for n, p := range got.Proofs {
			c := g.copies[n]
			content, err := d.unsecure(form{c.Profile, ""}, c.JWT, d.now())
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := p.Shows(d.policy(), content); p.Credential != ids[n] || err != nil {
				t.Errorf("%s: %v", c.Profile, err)
			}
			if _, _, err := p.Shows(d.policy(), append(bytes.Clone(content), ' ')); !errors.Is(err, tlog.ErrProof) {
				t.Errorf("shows anything: %v", err)
			}
		}
		// Somebody else with the ids, a paper credential, and what never was.
		if got, err := d.askProofs(other, vc.TypLedgerProof, claims()); err != nil || len(got.Proofs)+len(got.Waiting) != 0 {
			t.Errorf("%+v %v", got, err)
		}
		paper := ""
		if err := d.store.db.QueryRowContext(ctx, `SELECT id FROM credentials WHERE profile = 'paper' LIMIT 1`).Scan(&paper); err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{"urn:uuid:" + paper, "urn:uuid:00000000-0000-4000-8000-000000000000"} {
			c := claims()
			c["credentials"] = []string{id}
			if got, err := d.askProofs(g, vc.TypLedgerProof, c); err != nil || len(got.Proofs)+len(got.Waiting) != 0 {
				t.Errorf("%s: %+v %v", id, got, err)
			}
		}
		for name, spoil := range map[string]func(map[string]any){
			"for another issuer": func(c map[string]any) { c["aud"] = "did:web:other.example" },
			"too old":            func(c map[string]any) { c["iat"] = d.now().Add(-6 * time.Minute).Unix() },
			"too new":            func(c map[string]any) { c["iat"] = d.now().Add(6 * time.Minute).Unix() },
			"no time":            func(c map[string]any) { delete(c, "iat") },
			"more":               func(c map[string]any) { c["name"] = "x" },
			"no credentials":     func(c map[string]any) { c["credentials"] = []string{} },
			"too many":           func(c map[string]any) { c["credentials"] = slices.Repeat(ids, 40) },
			"twice":              func(c map[string]any) { c["credentials"] = []string{ids[0], ids[0]} },
			"no id":              func(c map[string]any) { c["credentials"] = []string{"x"} },
			"not a list":         func(c map[string]any) { c["credentials"] = ids[0] },
		} {
			c := claims()
			spoil(c)
			if got, err := d.askProofs(g, vc.TypLedgerProof, c); !errors.Is(err, ErrProofsRequest) && !errors.Is(err, ErrProofsOther) || len(got.Proofs) != 0 {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := d.askProofs(g, vc.TypPaper, claims()); !errors.Is(err, ErrProofsRequest) {
			t.Errorf("a request of another kind: %v", err)
		}
		for _, text := range []string{"", "x.y.z", "a"} {
			if _, err := d.ProofsFor(ctx, text); !errors.Is(err, ErrProofsRequest) {
				t.Errorf("%q: %v", text, err)
			}
		}
	})
}
