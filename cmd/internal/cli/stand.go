package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/url"

	"github.com/kinpass/kinpass/internal/account"
	"github.com/kinpass/kinpass/internal/serve"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/issuer"
	"github.com/kinpass/kinpass/verifier"
	"github.com/kinpass/kinpass/wallet"
)

// Stand is the three services of a demonstration with what tests of their pages
// need to reach behind them.
type Stand struct {
	Issuer   Service
	Wallet   Service
	Verifier Service

	Start string // address of the start page

	Registry *issuer.Issuer
	Holder   *wallet.Wallet
	Check    *verifier.Verifier

	// API tokens of the demonstration's people.
	Registrar, Colleague, Guardian, Officer string

	demo *demo
}

// Service is one of the services.
type Service struct {
	Role     string // issuer, wallet or verifier
	Base     string // address
	Accounts *account.Accounts
	DB       *store.DB
	Server   *serve.Server // what answers at Base
}

// NewStand starts a demonstration on free ports with its data in dir. It runs
// until stop is called.
func NewStand(ctx context.Context, dir string) (s *Stand, stop func(), err error) {
	h := &home{dir: dir}
	d, err := h.startDemo(ctx, "127.0.0.1:0", slog.New(slog.DiscardHandler))
	if err == nil {
		if err = d.sample(ctx); err != nil {
			d.stop()
		}
	}
	if err != nil {
		return nil, nil, err
	}
	of := func(r *running) Service { return Service{r.role, r.base, r.accounts, r.db, r.server} }
	return &Stand{Start: d.start, Issuer: of(d.issuer), Wallet: of(d.wallet), Verifier: of(d.verifier),
		Registry: d.issuer.issuer, Holder: d.wallet.wallet, Check: d.verifier.verifier,
		Registrar: d.tokens.Registrar, Colleague: d.tokens.Colleague, Guardian: d.tokens.Guardian, Officer: d.tokens.Officer,
		demo: d}, d.stop, nil
}

// Family registers a child with its guardian, whose wallet (that of the token
// Guardian) takes the credentials, and gives the verifier a bundle that knows
// them.
func (s *Stand) Family(ctx context.Context) error { return s.demo.leaveFamily(ctx) }

// Offer registers another child with its guardian and gives the offer of the
// credentials, which nobody has taken, with its PIN.
func (s *Stand) Offer(ctx context.Context) (uri, pin string, err error) {
	p := s.demo.player(io.Discard)
	if err := p.register(ctx); err != nil {
		return "", "", err
	}
	var offer struct {
		URI string `json:"uri"`
		PIN string `json:"pin"`
	}
	if err := p.registrar.Do(ctx, "POST", "/offers", map[string]string{"guardianship": p.guardianship}, &offer); err != nil {
		return "", "", fmt.Errorf("making the offer: %w", err)
	}
	return offer.URI, offer.PIN, nil
}

// Ended registers another child with its guardian, whose wallet (that of the
// token Guardian) takes the credentials, and then revokes the guardianship. The
// wallet has not heard of it yet.
func (s *Stand) Ended(ctx context.Context) error {
	p := s.demo.player(io.Discard)
	if err := p.register(ctx); err != nil {
		return err
	}
	if err := p.accept(ctx); err != nil {
		return err
	}
	var o issuer.Outcome
	if err := p.registrar.Do(ctx, "POST", "/credentials/"+p.credential+"/revoke", map[string]string{"reason": "mandateEnded"}, &o); err != nil {
		return fmt.Errorf("proposing the revocation: %w", err)
	}
	return p.colleague.Do(ctx, "POST", "/approvals/"+o.Approval, map[string]string{"decision": "approve"}, nil)
}

// CutWallet takes the wallet's service away, as a network that is gone does.
func (s *Stand) CutWallet() {
	s.demo.wallet.stop()
	<-s.demo.wallet.done
	s.demo.wallet = nil
}

// BlindLedger takes the witnesses of the issuer's ledger away for good: what is
// issued from now on is shown to be in it to nobody.
func (s *Stand) BlindLedger() { s.demo.stopOnlookers() }

// Paper registers another child with its guardian and gives the KP1 text of
// their paper pass, and a bundle that knows them to the verifier.
func (s *Stand) Paper(ctx context.Context) (string, error) {
	p := s.demo.player(io.Discard)
	if err := p.register(ctx); err != nil {
		return "", err
	}
	var pass struct {
		KP1 string `json:"kp1"`
	}
	path := "/births/" + url.PathEscape(p.birth) + "/paper?guardianship=" + url.QueryEscape(p.guardianship)
	if err := p.registrar.Do(ctx, "GET", path, nil, &pass); err != nil {
		return "", fmt.Errorf("printing the paper pass: %w", err)
	}
	return pass.KP1, p.officer.Do(ctx, "POST", "/verifier/bundles", nil, nil)
}

// Record registers another child with its guardian and gives the ids of the two
// records.
func (s *Stand) Record(ctx context.Context) (birth, guardianship string, err error) {
	p := s.demo.player(io.Discard)
	err = p.register(ctx)
	return p.birth, p.guardianship, err
}
