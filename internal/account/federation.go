package account

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/zitadel/oidc/v3/pkg/client/rp"
	"github.com/zitadel/oidc/v3/pkg/oidc"

	"github.com/kinpass/kinpass/internal/store"
)

// Federation is an organisation's OpenID Connect provider. Its people still
// need an invitation: it says who somebody is, never what they may do.
type Federation struct {
	Name         string // as people call it, such as "Ministry of the Interior"
	Issuer       string // https, or http on this machine
	ClientID     string
	ClientSecret string // "" for a public client
	// HTTP is how it is reached; nil means a client with limits of its own.
	HTTP *http.Client
}

// returnPath is where the provider sends people back to.
const returnPath = "/app/organisation/return"

// provider is the federation's provider. It is looked up when somebody first
// signs in with it: a service starts without it and goes on when it is away.
type provider struct {
	cfg      Federation
	redirect string

	mu sync.Mutex
	rp rp.RelyingParty
}

// errFederationConfig is for who starts the service.
var errFederationConfig = errors.New("the organisation's sign-in needs a name, a client id and an issuer such as https://login.example (http only for this machine)")

func newProvider(f Federation, base string) (*provider, error) {
	u, err := url.Parse(f.Issuer)
	if err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || f.Name == "" || f.ClientID == "" || !printable(f.Name) {
		return nil, errFederationConfig
	}
	ip := net.ParseIP(u.Hostname())
	if u.Scheme != "https" && !(u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback())) {
		return nil, errFederationConfig
	}
	if f.HTTP == nil {
		f.HTTP = &http.Client{Timeout: 10 * time.Second, Transport: bounded{http.DefaultTransport},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	return &provider{cfg: f, redirect: base + returnPath}, nil
}

// bounded cuts answers off that are larger than any provider's.
type bounded struct{ http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := b.RoundTripper.RoundTrip(r)
	if err == nil {
		res.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(res.Body, 1<<20), res.Body}
	}
	return res, err
}

type nonceKey struct{}

func (p *provider) party(ctx context.Context) (rp.RelyingParty, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.rp != nil {
		return p.rp, nil
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	party, err := rp.NewRelyingPartyOIDC(ctx, p.cfg.Issuer, p.cfg.ClientID, p.cfg.ClientSecret, p.redirect, []string{oidc.ScopeOpenID},
		rp.WithHTTPClient(p.cfg.HTTP),
		rp.WithVerifierOpts(
			rp.WithNonce(func(ctx context.Context) string { n, _ := ctx.Value(nonceKey{}).(string); return n }),
			rp.WithIssuedAtOffset(30*time.Second),
			// Signatures only: with a shared key whoever knows the client's secret
			// could say who somebody is.
			rp.WithSupportedSigningAlgorithms("RS256", "PS256", "ES256", "ES384", "EdDSA"),
		))
	if err != nil {
		return nil, ErrFederationAway.With(err)
	}
	p.rp = party
	return party, nil
}

// federated is what is kept while somebody is at the provider.
type federated struct {
	State      string `json:"state"`
	Nonce      string `json:"nonce"`
	Verifier   string `json:"verifier"`
	Invitation string `json:"invitation,omitempty"`
	Confirm    string `json:"confirm,omitempty"` // id of the session that is confirmed
}

// BeginFederated gives the address at the provider to send a browser to. With
// an invitation's secret the person joins, without one signs in.
func (x *Accounts) BeginFederated(ctx context.Context, visit, invitation string) (string, error) {
	if x.op == nil {
		return "", ErrNoFederation
	}
	f := federated{State: store.Random(24), Nonce: store.Random(24), Verifier: store.Random(32)}
	if invitation != "" {
		i, err := x.Invitation(ctx, invitation)
		if err != nil {
			return "", err
		}
		if i.Device || i.Role == RoleGuardian {
			return "", ErrNoFederation
		}
		f.Invitation, _ = readCode(invitation)
	}
	return x.toProvider(ctx, visit, f)
}

// BeginConfirmFederated gives the address at the provider where who is signed in
// proves anew who they are: it is asked not to take an older sign-in for it.
func (x *Accounts) BeginConfirmFederated(ctx context.Context, visit string, s Session) (string, error) {
	if x.op == nil || s.Account.Organisation != x.op.cfg.Issuer {
		return "", ErrNoFederation
	}
	return x.toProvider(ctx, visit, federated{State: store.Random(24), Nonce: store.Random(24), Verifier: store.Random(32), Confirm: s.ID})
}

func (x *Accounts) toProvider(ctx context.Context, visit string, f federated) (string, error) {
	party, err := x.op.party(ctx)
	if err != nil {
		return "", err
	}
	if err := x.keep(ctx, visit, kindFederated, f); err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(f.Verifier))
	options := []rp.AuthURLOpt{rp.WithCodeChallenge(base64.RawURLEncoding.EncodeToString(sum[:])), rp.AuthURLOpt(rp.WithURLParam("nonce", f.Nonce))}
	if f.Confirm != "" {
		options = append(options, rp.WithPrompt("login"), rp.AuthURLOpt(rp.WithURLParam("max_age", "0")))
	}
	return rp.AuthURL(f.State, party, options...), nil
}

// FinishFederated takes what the provider sent the browser back with and gives
// the secret of a session: "" where one that there is was confirmed, if it is
// still that of the browser.
func (x *Accounts) FinishFederated(ctx context.Context, visit string, answer url.Values, now Session) (string, error) {
	if x.op == nil {
		return "", ErrNoFederation
	}
	var f federated
	if err := x.taken(ctx, visit, kindFederated, &f); err != nil {
		return "", err
	}
	if f.Confirm != "" && f.Confirm != now.ID {
		return "", ErrCeremony
	}
	if subtle.ConstantTimeCompare([]byte(answer.Get("state")), []byte(f.State)) != 1 {
		return "", ErrFederation
	}
	// An answer of another provider (RFC 9207), one that says no, or no answer.
	if iss := answer.Get("iss"); iss != "" && iss != x.op.cfg.Issuer {
		return "", ErrFederation
	}
	code := answer.Get("code")
	if answer.Get("error") != "" || code == "" || len(code) > 4096 {
		return "", ErrFederation
	}
	party, err := x.op.party(ctx)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, nonceKey{}, f.Nonce), 20*time.Second)
	defer cancel()
	tokens, err := rp.CodeExchange[*oidc.IDTokenClaims](ctx, code, party, rp.WithCodeVerifier(f.Verifier))
	if err != nil {
		return "", ErrFederation.With(err)
	}
	subject := tokens.IDTokenClaims.Subject
	if subject == "" || len(subject) > 255 {
		return "", ErrFederation
	}
	if f.Invitation != "" {
		return x.join(ctx, joining{secret: f.Invitation, issuer: x.op.cfg.Issuer, subject: subject, device: now.Device})
	}
	id, err := x.bySubject(ctx, x.op.cfg.Issuer, subject)
	if err != nil {
		return "", err
	}
	if f.Confirm == "" {
		return x.signIn(ctx, id, nil, now.Device)
	}
	// Whoever stands there must be the same person, and have proved it just now:
	// both times are the provider's.
	claims := tokens.IDTokenClaims
	if at := claims.GetAuthTime(); id != now.Account.ID || at.Unix() <= 0 || claims.GetIssuedAt().Sub(at) >= proofLife {
		return "", ErrFederation
	}
	return "", x.prove(ctx, now, nil)
}
