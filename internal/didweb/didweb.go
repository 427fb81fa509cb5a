// Package didweb fetches did:web documents (W3C CCG did:web method), and what
// else an authority publishes, for the places where something that a stranger
// wrote makes us call somebody.
//
// What a stranger can make it do is bounded: one GET without cookies or
// credentials, over https, to an address on the public internet, for a few
// seconds and at most 256 KiB; redirects stay on the host. The address is
// checked after name resolution, on the connection that is used, so that a
// name cannot resolve to one address for the check and to another for the
// call. Environment proxies are ignored: they would make that check void.
package didweb

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"syscall"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/fault"
)

// Errors of this package; parsing adds those of package did.
var (
	// ErrRefused: the address is one that this service does not call.
	ErrRefused = fault.New(fault.Invalid, "did-address-refused", "the identifier points to an address that is not called")
	// ErrNotFound: the host answered that there is no such document.
	ErrNotFound = fault.New(fault.NotFound, "did-not-found", "there is no document for this identifier")
	// ErrUnavailable: no usable answer in time; trying later may help.
	ErrUnavailable = fault.New(fault.Unavailable, "did-unavailable", "the document of this identifier could not be fetched")
	// ErrTooLarge: the document is larger than any honest one.
	ErrTooLarge = fault.New(fault.TooLarge, "did-document-large", "the document of this identifier is too large")
)

// Bounds.
const (
	maxDocument  = 256 << 10 // bytes
	maxHeader    = 16 << 10  // bytes
	maxRedirects = 3
	maxKept      = 1024     // documents
	maxKeptBytes = 16 << 20 // of documents as they were sent
)

// Config says what a Fetcher may do. The zero Config calls only public
// addresses over https.
type Config struct {
	Timeout  time.Duration    // for a whole fetch with its redirects; default 5 s
	Keep     time.Duration    // how long a document is used again; default 5 min, negative: never
	Loopback bool             // also http://localhost and http://127.0.0.1, for demonstrations
	Private  []netip.Prefix   // ranges that may be called although they are not public
	Roots    *x509.CertPool   // nil: those of the system
	Now      func() time.Time // nil: time.Now
}

// Fetcher fetches documents and keeps them for a while. It is safe for
// concurrent use.
type Fetcher struct {
	cfg    Config
	public *http.Client
	local  *http.Client // dials loopback addresses only

	mu   sync.Mutex
	kept map[string]kept
	held int // bytes in kept
}

type kept struct {
	doc   *did.Document
	size  int // bytes
	until time.Time
}

// New makes a Fetcher.
func New(cfg Config) *Fetcher {
	if cfg.Timeout <= 0 {
		cfg.Timeout = 5 * time.Second
	}
	if cfg.Keep == 0 {
		cfg.Keep = 5 * time.Minute
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	f := &Fetcher{cfg: cfg, kept: map[string]kept{}}
	f.public = client(cfg, func(a netip.Addr) bool { return Public(a) || within(a, cfg.Private) })
	f.local = client(cfg, netip.Addr.IsLoopback)
	return f
}

// Document gives the document of a did:web identifier without path, query or
// fragment. The document's id is the identifier and all its methods belong to
// it. It is shared: do not change it. Errors: did.ErrUnsupported and
// did.ErrInvalid for identifiers, did.ErrDocument for documents that cannot be
// read, did.ErrMismatch for the document of somebody else, did.ErrDeactivated
// for one that says so or that is gone (410), and those of this package.
func (f *Fetcher) Document(ctx context.Context, id string) (*did.Document, error) {
	address, err := did.WebURL(id)
	if err != nil {
		return nil, err
	}
	u, c, err := f.target(address)
	if err != nil {
		return nil, err
	}
	now := f.cfg.Now()
	if d := f.recall(id, now); d != nil {
		return d, nil
	}
	data, err := f.get(ctx, c, request{u, "application/did+json, application/did+ld+json, application/json", maxDocument})
	if err != nil {
		return nil, err
	}
	d, err := did.ParseDocument(data, id)
	if err != nil {
		return nil, err
	}
	f.keep(id, kept{d, len(data), now.Add(f.cfg.Keep)}, now)
	return d, nil
}

// Get fetches a public document from an address that another authority
// published, such as a status list, and keeps nothing of it. It is bounded as
// Document is, but for its size: at most limit bytes. Errors are those of this
// package.
func (f *Fetcher) Get(ctx context.Context, address string, limit int64) ([]byte, error) {
	u, c, err := f.target(address)
	if err != nil {
		return nil, err
	}
	return f.get(ctx, c, request{u, "*/*", limit})
}

// target says how an address is called, if it is.
func (f *Fetcher) target(address string) (*url.URL, *http.Client, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Hostname() == "" || u.User != nil {
		return nil, nil, did.ErrInvalid.With(err)
	}
	switch {
	case u.Scheme == "https":
		return u, f.public, nil
	case u.Scheme == "http" && f.cfg.Loopback:
		return u, f.local, nil
	}
	return nil, nil, ErrRefused
}

func (f *Fetcher) recall(id string, now time.Time) *did.Document {
	f.mu.Lock()
	defer f.mu.Unlock()
	k, ok := f.kept[id]
	if !ok || !now.Before(k.until) {
		return nil
	}
	return k.doc
}

func (f *Fetcher) keep(id string, k kept, now time.Time) {
	if f.cfg.Keep < 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.drop(id)
	if f.full(k.size) {
		for x, old := range f.kept {
			if !now.Before(old.until) {
				f.drop(x)
			}
		}
		if f.full(k.size) { // all fresh: somebody is filling us up
			clear(f.kept)
			f.held = 0
		}
	}
	f.kept[id] = k
	f.held += k.size
}

func (f *Fetcher) full(more int) bool {
	return len(f.kept) >= maxKept || f.held+more > maxKeptBytes
}

func (f *Fetcher) drop(id string) {
	f.held -= f.kept[id].size
	delete(f.kept, id)
}

// request is one GET.
type request struct {
	address *url.URL
	accept  string
	limit   int64 // bytes of the answer
}

// get makes the one request. Causes hold addresses; they stay causes.
func (f *Fetcher) get(ctx context.Context, c *http.Client, r request) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, f.cfg.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.address.String(), nil)
	if err != nil {
		return nil, did.ErrInvalid.With(err)
	}
	req.Header.Set("Accept", r.accept)
	res, err := c.Do(req)
	if err != nil {
		if errors.Is(err, ErrRefused) {
			return nil, ErrRefused.With(err)
		}
		return nil, ErrUnavailable.With(err)
	}
	defer res.Body.Close()
	switch {
	case res.StatusCode == http.StatusNotFound:
		return nil, ErrNotFound
	case res.StatusCode == http.StatusGone: // was there, and is not any more
		return nil, ErrNotFound.With(did.ErrDeactivated)
	case res.StatusCode != http.StatusOK:
		return nil, ErrUnavailable
	case res.ContentLength > r.limit:
		return nil, ErrTooLarge
	}
	data, err := io.ReadAll(io.LimitReader(res.Body, r.limit+1))
	if err != nil {
		return nil, ErrUnavailable.With(err)
	}
	if int64(len(data)) > r.limit {
		return nil, ErrTooLarge
	}
	return data, nil
}

// client makes an HTTP client that connects only to addresses that may says
// yes to.
func client(cfg Config, may func(netip.Addr) bool) *http.Client {
	dialer := &net.Dialer{
		Timeout: cfg.Timeout,
		Control: func(_, address string, _ syscall.RawConn) error {
			a, err := netip.ParseAddrPort(address)
			if err != nil || !may(a.Addr().Unmap().WithZone("")) {
				return ErrRefused
			}
			return nil
		},
	}
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                  nil,
			DialContext:            dialer.DialContext,
			DisableKeepAlives:      true, // every request is dialled, so every one is checked
			DisableCompression:     true, // what we count is what we read
			MaxResponseHeaderBytes: maxHeader,
			TLSHandshakeTimeout:    cfg.Timeout,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: cfg.Roots},
		},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects || req.URL.Scheme != via[0].URL.Scheme || req.URL.Host != via[0].URL.Host || req.URL.User != nil {
				return ErrRefused
			}
			return nil
		},
	}
}

// special are ranges that are not private in the sense of netip and yet lead
// to no public host, or to an IPv4 address in disguise (IANA special-purpose
// address registries; RFC 6890).
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"), // carrier-grade NAT
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"),
	netip.MustParsePrefix("192.88.99.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("::/96"),        // IPv4-compatible
	netip.MustParsePrefix("64:ff9b::/96"), // NAT64
	netip.MustParsePrefix("64:ff9b:1::/48"),
	netip.MustParsePrefix("100::/64"),
	netip.MustParsePrefix("2001::/23"), // Teredo and others
	netip.MustParsePrefix("2001:db8::/32"),
	netip.MustParsePrefix("2002::/16"), // 6to4
	netip.MustParsePrefix("3fff::/20"),
	netip.MustParsePrefix("fec0::/10"),
}

// Public reports whether a is an address of a host on the public internet. It
// is the one rule of what a service may be sent to by an address that somebody
// else chose; a must be unmapped (netip.Addr.Unmap).
func Public(a netip.Addr) bool {
	return a.IsGlobalUnicast() && !a.IsPrivate() && !within(a, special)
}

func within(a netip.Addr, ranges []netip.Prefix) bool {
	for _, p := range ranges {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
