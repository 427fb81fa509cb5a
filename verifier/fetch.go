package verifier

import (
	"context"
	"crypto/x509"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/outbound"
)

// Faults of fetching what an issuer publishes. No text repeats an address.
var (
	ErrAddress     = fault.New(fault.Invalid, "address-refused", "the address is one that this verifier does not call")
	ErrUnreachable = fault.New(fault.Unavailable, "shelf-unreachable", "no usable answer came in time")
	ErrMissing     = fault.New(fault.NotFound, "shelf-file-missing", "the shelf answered that there is no such file")
	ErrTooLarge    = fault.New(fault.TooLarge, "shelf-file-large", "the published file is larger than this verifier takes")
)

// HTTPPolicy says where the builder of bundles may connect to. The zero policy
// is the strict one: https to addresses of the public internet.
type HTTPPolicy struct {
	Loopback bool           // also this machine, and http there: for a demonstration
	Private  []netip.Prefix // networks that are not public and yet called, over https
	Timeout  time.Duration  // of one request; default 15 s
	Idle     time.Duration  // how long the answer to a long one may be silent; default 30 s

	roots *x509.CertPool // nil: those of the system
}

// fetcher gets published files, within bounds of time and size.
type fetcher struct {
	loopback bool
	client   *outbound.Client
	// patient is for what may take longer than Timeout: whoever asks bounds it
	patient *outbound.Client
	// authorize gives the Authorization for what hubs alone may read; nil: none
	authorize func() (string, error)
}

// as is a fetcher that asks for what hubs alone may read with an authorization.
func (f *fetcher) as(authorize func() (string, error)) *fetcher {
	out := *f
	out.authorize = authorize
	return &out
}

// patiently is a fetcher without a bound on the time of a whole request, for what is
// long and made while it is read: the answer may not be silent.
func (f *fetcher) patiently() *fetcher {
	out := *f
	out.client = f.patient
	return &out
}

func newFetcher(p HTTPPolicy) *fetcher {
	if p.Timeout <= 0 {
		p.Timeout = 15 * time.Second
	}
	if p.Idle <= 0 {
		p.Idle = 30 * time.Second
	}
	o := outbound.Policy{
		Faults:    outbound.Faults{Refused: ErrAddress, Away: ErrUnreachable, Missing: ErrMissing, Large: ErrTooLarge},
		Loopback:  p.Loopback,
		Private:   p.Private,
		Roots:     p.roots,
		Redirects: 3,
		Timeout:   p.Timeout,
		PerHost:   4,
	}
	long := o
	long.Timeout, long.Idle = 0, p.Idle
	return &fetcher{loopback: p.Loopback, client: outbound.New(o), patient: outbound.New(long)}
}

// get reads the file at address, at most limit bytes.
func (f *fetcher) get(ctx context.Context, address string, limit int64) ([]byte, error) {
	data, _, err := f.dated(ctx, address, limit)
	return data, err
}

// dated is get, and gives the server's time, zero unless TLS vouches for it.
func (f *fetcher) dated(ctx context.Context, address string, limit int64) (data []byte, date time.Time, err error) {
	u, err := f.parse(address)
	if err != nil {
		return nil, date, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, date, ErrAddress.With(err)
	}
	req.Header.Set("User-Agent", "kinpass-verifier")
	// A cache on the way may have the list of before: one that a key signed which is
	// cut off since has no time to wait for.
	req.Header.Set("Cache-Control", "no-cache")
	if f.authorize != nil && (strings.Contains(u.Path, "/status") || strings.Contains(u.Path, "/overrides") || strings.Contains(u.Path, "/ledger/survivors/")) {
		a, err := f.authorize()
		if err != nil {
			return nil, date, err
		}
		req.Header.Set("Authorization", a)
	}
	data, res, err := f.client.Get(req, limit)
	if err != nil {
		return nil, date, err
	}
	if res.TLS != nil {
		date, _ = http.ParseTime(res.Header.Get("Date"))
	}
	return data, date, nil
}

// parse refuses every address that no published file of ours has.
func (f *fetcher) parse(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil || len(address) > 2048 || u.Hostname() == "" || u.Opaque != "" || u.User != nil ||
		u.RawQuery != "" || u.ForceQuery || strings.Contains(address, "#") {
		return nil, ErrAddress
	}
	switch u.Scheme {
	case "https":
		return u, nil
	case "http":
		a, err := netip.ParseAddr(u.Hostname())
		if f.loopback && (u.Hostname() == "localhost" || err == nil && a.IsLoopback()) {
			return u, nil
		}
	}
	return nil, ErrAddress
}
