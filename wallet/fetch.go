package wallet

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/outbound"
	"github.com/kinpass/kinpass/internal/vc"
)

// Faults of talking to an issuer.
var (
	ErrUnreachable  = fault.New(fault.Unavailable, "issuer-unreachable", "the issuer could not be reached or did not answer in time").WithHint("try again with the same offer and PIN")
	ErrIssuerAnswer = fault.New(fault.Unprocessable, "issuer-answer", "the issuer's answer does not have the form that OpenID4VCI describes")
)

// Bounds of an issuer's answers and patience.
const (
	maxAnswer   = 512 << 10 // bytes of a JSON answer
	maxList     = 4 << 20   // bytes of a signed status list
	maxListBits = 16 << 20  // bytes of a status list unpacked
)

// network is how the wallet reaches issuers: no redirect is followed, every
// answer is bounded in size, time and media type.
type network struct {
	client   client
	loopback bool
}

// client is an outbound.Client.
type client interface {
	Do(*http.Request) (*http.Response, error)
	Read(*http.Response, int64) ([]byte, error)
}

func newNetwork(loopback bool) *network {
	return &network{outbound.New(reach(loopback)), loopback}
}

// reach is how far a wallet reaches. An offer is a secret: what goes wrong with a
// connection is all one.
func reach(loopback bool) outbound.Policy {
	return outbound.Policy{
		Faults:   outbound.Faults{Refused: ErrUnreachable, Away: ErrUnreachable, Missing: ErrIssuerAnswer, Large: ErrIssuerAnswer},
		Loopback: loopback,
		Timeout:  15 * time.Second,
		Connect:  5 * time.Second,
		Answer:   12 * time.Second,
		Header:   64 << 10,
	}
}

var errAddress = errors.New("an address that issuers do not have")

// origin checks an absolute address that may be spoken to: https, or http on
// loopback where that is allowed; no user, no fragment, a plain host name.
func (n *network) origin(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil || len(address) > 2048 || u.Host == "" || u.Opaque != "" || u.User != nil ||
		u.Fragment != "" || strings.Contains(address, "#") || u.Host != strings.ToLower(u.Host) {
		return nil, errAddress
	}
	for _, c := range []byte(u.Host) {
		if c <= ' ' || c >= 0x7f {
			return nil, errAddress
		}
	}
	local := false
	h := u.Hostname()
	if a, err := netip.ParseAddr(h); err == nil {
		local = a.IsLoopback()
		if !local && !outbound.Public(a) {
			return nil, errAddress
		}
	} else {
		local = h == "localhost" || strings.HasSuffix(h, ".localhost")
	}
	switch {
	case local && !n.loopback:
		return nil, errAddress
	case u.Scheme == "https", u.Scheme == "http" && local:
		return u, nil
	}
	return nil, errAddress
}

// sameOrigin reports whether address lies at the scheme, host and port of
// base, which origin has accepted.
func (n *network) sameOrigin(base *url.URL, address string) bool {
	u, err := n.origin(address)
	return err == nil && u.Scheme == base.Scheme && u.Host == base.Host
}

// answer is what came back, read within its bounds.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// call sends one request and reads at most limit bytes of an answer whose
// media type is one of want. Statuses other than 200 give their body only if
// it is JSON.
func (n *network) call(ctx context.Context, req *http.Request, limit int64, want ...string) (answer, error) {
	if _, err := n.origin(req.URL.String()); err != nil {
		return answer{}, ErrIssuerAnswer.With(err)
	}
	res, err := n.client.Do(req.WithContext(ctx))
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	media, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	good := res.StatusCode != http.StatusOK && media == "application/json"
	for _, w := range want {
		good = good || media == w
	}
	if res.StatusCode >= 500 {
		return answer{}, ErrUnreachable
	}
	if res.Header.Get("Content-Encoding") != "" || (res.StatusCode == http.StatusOK && !good) {
		return answer{}, ErrIssuerAnswer
	}
	a := answer{status: res.StatusCode, header: res.Header}
	if !good {
		return a, nil // a refusal without a form that says anything
	}
	if a.body, err = n.client.Read(res, limit); err != nil {
		return answer{}, err
	}
	return a, nil
}

// get fetches a document; anything but 200 is an error.
func (n *network) get(ctx context.Context, address string, limit int64, want ...string) ([]byte, error) {
	req, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		return nil, ErrIssuerAnswer.With(err)
	}
	req.Header.Set("Accept", strings.Join(want, ", "))
	a, err := n.call(ctx, req, limit, want...)
	if err != nil {
		return nil, err
	}
	if a.status != http.StatusOK {
		return nil, ErrIssuerAnswer
	}
	return a.body, nil
}

// getJSON fetches a JSON document into v.
func (n *network) getJSON(ctx context.Context, address string, v any) error {
	body, err := n.get(ctx, address, maxAnswer, "application/json")
	if err != nil {
		return err
	}
	if err := vc.StrictJSON(body, v, vc.MaxDepth); err != nil {
		return ErrIssuerAnswer.With(err)
	}
	return nil
}
