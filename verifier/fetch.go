package verifier

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/kinpass/kinpass/internal/didweb"
	"github.com/kinpass/kinpass/internal/fault"
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
}

// fetcher gets published files, within bounds of time and size.
type fetcher struct {
	policy HTTPPolicy
	client *http.Client
	// authorize gives the Authorization for what hubs alone may read; nil: none
	authorize func() (string, error)
}

// as is a fetcher that asks for what hubs alone may read with an authorization.
func (f *fetcher) as(authorize func() (string, error)) *fetcher {
	return &fetcher{policy: f.policy, client: f.client, authorize: authorize}
}

func newFetcher(p HTTPPolicy) *fetcher {
	if p.Timeout <= 0 {
		p.Timeout = 15 * time.Second
	}
	f := &fetcher{policy: p}
	// The address is checked on the connection, after the name was resolved: a
	// name cannot resolve to one address for the check and another for the call.
	d := &net.Dialer{Timeout: p.Timeout, Control: func(_, address string, _ syscall.RawConn) error {
		a, err := netip.ParseAddrPort(address)
		if err != nil || !f.mayDial(a.Addr().Unmap().WithZone("")) {
			return ErrAddress
		}
		return nil
	}}
	f.client = &http.Client{
		Timeout: p.Timeout,
		Transport: &http.Transport{
			Proxy:                  nil, // a proxy would make the check of addresses void
			DialContext:            d.DialContext,
			ForceAttemptHTTP2:      true,
			DisableCompression:     true, // what is counted is what is read
			TLSHandshakeTimeout:    p.Timeout,
			ResponseHeaderTimeout:  p.Timeout,
			MaxResponseHeaderBytes: 16 << 10,
			MaxConnsPerHost:        4,
			IdleConnTimeout:        30 * time.Second,
		},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if len(via) > 3 || !sameOrigin(req.URL, via[0].URL) || req.URL.User != nil {
				return ErrAddress
			}
			return nil
		},
	}
	return f
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
	if f.authorize != nil && (strings.Contains(u.Path, "/status") || strings.Contains(u.Path, "/overrides") || strings.Contains(u.Path, "/ledger/survivors/")) {
		a, err := f.authorize()
		if err != nil {
			return nil, date, err
		}
		req.Header.Set("Authorization", a)
	}
	res, err := f.client.Do(req)
	if err != nil {
		if errors.Is(err, ErrAddress) {
			return nil, date, ErrAddress.With(err)
		}
		return nil, date, ErrUnreachable.With(err)
	}
	defer res.Body.Close()
	switch {
	case res.StatusCode == http.StatusNotFound || res.StatusCode == http.StatusGone:
		return nil, date, ErrMissing
	case res.StatusCode != http.StatusOK:
		return nil, date, ErrUnreachable
	case res.ContentLength > limit:
		return nil, date, ErrTooLarge
	}
	data, err = io.ReadAll(io.LimitReader(res.Body, limit+1))
	if err != nil {
		return nil, date, ErrUnreachable.With(err)
	}
	if int64(len(data)) > limit {
		return nil, date, ErrTooLarge
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
		if f.policy.Loopback && (u.Hostname() == "localhost" || err == nil && a.IsLoopback()) {
			return u, nil
		}
	}
	return nil, ErrAddress
}

func sameOrigin(a, b *url.URL) bool { return a.Scheme == b.Scheme && a.Host == b.Host }

func (f *fetcher) mayDial(a netip.Addr) bool {
	switch {
	case a.IsLoopback():
		return f.policy.Loopback
	case within(a, f.policy.Private):
		return !a.IsLinkLocalUnicast() && !a.IsMulticast() // cloud metadata lives there
	}
	return didweb.Public(a)
}

func within(a netip.Addr, ranges []netip.Prefix) bool {
	for _, p := range ranges {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
