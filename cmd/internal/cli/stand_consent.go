package cli

import (
	"context"
	"io"

	"github.com/kinpass/kinpass/issuer"
)

// Parents registers a child with two guardians who decide together, each with a
// wallet of their own, and gives the ids of the wallets' tokens. The verifier
// gets a bundle that knows them.
func (s *Stand) Parents(ctx context.Context) (mother, father string, err error) {
	p := s.demo.player(io.Discard)
	m, f, err := p.parents(ctx, "GHA")
	if err != nil {
		return "", "", err
	}
	return m.token, f.token, p.fetchBundle(ctx)
}

// Witness signs, as a notary, what a guardian brought (POST /consents), and
// gives the answer.
func (s *Stand) Witness(ctx context.Context, dossier []byte) ([]byte, error) {
	p := s.demo.player(io.Discard)
	notary, err := p.newOfficial(ctx, "notary of the pages", issuer.RoleNotary)
	if err != nil {
		return nil, err
	}
	var out []byte
	return out, notary.Do(ctx, "POST", "/consents", dossier, &out)
}
