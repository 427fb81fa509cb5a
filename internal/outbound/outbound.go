// Package outbound calls addresses that somebody else chose: a did:web, an issuer's
// shelf, an offer that a guardian scanned.
//
// What a stranger can make this machine do is bounded. It calls https addresses on
// the public internet and, where it is told to, this machine and named networks. The
// address is checked after name resolution, on the connection that is made, so that
// a name cannot resolve to one address for the check and to another for the call.
// Redirects stay on the host. Time, headers and bodies are limited. Nothing goes
// along that was not asked for: no cookie, no referer, and no proxy of the
// environment, which would make the check of addresses void.
package outbound

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
	"strings"
	"syscall"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
)

// Policy says what a Client may do.
type Policy struct {
	// Faults are the caller's words for what goes wrong. All but Gone are needed.
	Faults Faults

	Loopback bool           // also this machine, and http there
	Private  []netip.Prefix // networks that are not public and yet called, over https; never loopback or link-local addresses
	Roots    *x509.CertPool // nil: those of the system

	// Redirects is how many are followed, on the same scheme, host and port. 0 follows
	// none: then the redirect itself is the answer.
	Redirects int
	Timeout   time.Duration // of a whole request, its redirects and its body; needed unless there is Idle
	Idle      time.Duration // how long an answer may be silent; with it and no Timeout the context alone bounds the whole
	Connect   time.Duration // of a connection, and of its TLS handshake; default Timeout
	Answer    time.Duration // until the header of the answer is there; default Timeout
	Header    int64         // bytes of a header; default 16 KiB
	PerHost   int           // connections at a time to one host; 0: without a limit
	Once      bool          // no connection is used twice: each request is dialled and checked
}

// Faults are what a Client says. The cause within them never has the address.
type Faults struct {
	Refused *fault.Fault // an address that is not called, or a redirect to one
	Away    *fault.Fault // no usable answer in time
	Missing *fault.Fault // 404 and 410
	Gone    *fault.Fault // 410, if that is something else
	Large   *fault.Fault // more than the limit
}

// Client makes requests within a Policy. It is safe for concurrent use.
type Client struct {
	policy Policy
	http   *http.Client
	// tls and plain make the connections of https and of http; they differ in what
	// they may call.
	tls, plain *net.Dialer
}

// New makes a Client.
func New(p Policy) *Client {
	usual := p.Timeout
	if usual <= 0 {
		usual = p.Idle
	}
	if p.Connect <= 0 {
		p.Connect = usual
	}
	if p.Answer <= 0 {
		p.Answer = usual
	}
	if p.Header <= 0 {
		p.Header = 16 << 10
	}
	c := &Client{policy: p}
	c.tls = p.dialer(c.May)
	// Without TLS only what does not leave this machine is called, whatever the name
	// says.
	c.plain = p.dialer(func(a netip.Addr) bool { return p.Loopback && bare(a).IsLoopback() })
	c.http = &http.Client{
		Timeout:   p.Timeout,
		Transport: byScheme{https: p.transport(c.tls), http: p.transport(c.plain)},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if p.Redirects == 0 {
				return http.ErrUseLastResponse
			}
			if len(via) > p.Redirects || req.URL.Scheme != via[0].URL.Scheme || req.URL.Host != via[0].URL.Host || req.URL.User != nil {
				return errRefused
			}
			req.Header.Del("Referer")
			return nil
		},
	}
	return c
}

var errRefused = errors.New("an address that is not called")

// byScheme has a transport for each scheme.
type byScheme struct{ https, http *http.Transport }

func (b byScheme) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme == "https" {
		return b.https.RoundTrip(r)
	}
	return b.http.RoundTrip(r)
}

func (p Policy) dialer(may func(netip.Addr) bool) *net.Dialer {
	return &net.Dialer{Timeout: p.Connect, Control: func(_, address string, _ syscall.RawConn) error {
		a, err := netip.ParseAddrPort(address)
		if err != nil || !may(a.Addr()) {
			return errRefused
		}
		return nil
	}}
}

func (p Policy) transport(d *net.Dialer) *http.Transport {
	return &http.Transport{
		Proxy:                  nil,
		DialContext:            d.DialContext,
		ForceAttemptHTTP2:      !p.Once,
		DisableKeepAlives:      p.Once,
		DisableCompression:     true, // what is counted is what is read
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: p.Roots},
		TLSHandshakeTimeout:    p.Connect,
		ResponseHeaderTimeout:  p.Answer,
		MaxResponseHeaderBytes: p.Header,
		MaxConnsPerHost:        p.PerHost,
		MaxIdleConnsPerHost:    max(4, p.PerHost),
		IdleConnTimeout:        30 * time.Second,
	}
}

// May reports whether an https request may go to a.
func (c *Client) May(a netip.Addr) bool {
	a = bare(a)
	switch {
	case a.IsLoopback():
		return c.policy.Loopback
	case a.IsLinkLocalUnicast() || a.IsMulticast():
		return false // cloud metadata lives there
	}
	return Public(a) || within(a, c.policy.Private)
}

// bare is an address without what hides which it is: an IPv4 address in IPv6, and a
// zone.
func bare(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// Local reports whether a host name, without a port, is one of this machine.
func Local(host string) bool {
	a, err := netip.ParseAddr(host)
	return err == nil && bare(a).IsLoopback() || err != nil && (host == "localhost" || strings.HasSuffix(host, ".localhost"))
}

// may reports whether a request to u is made at all.
func (c *Client) may(u *url.URL) bool {
	if u.Hostname() == "" || u.User != nil || u.Opaque != "" {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && c.policy.Loopback && Local(u.Hostname())
}

// Do sends a request. Its body has to be closed; Read reads it. Errors: Faults.Refused
// and Faults.Away.
func (c *Client) Do(req *http.Request) (*http.Response, error) {
	if !c.may(req.URL) {
		return nil, c.policy.Faults.Refused
	}
	quiet := c.watch(&req)
	res, err := c.http.Do(req)
	if quiet != nil {
		if err != nil {
			quiet.stop()
		} else {
			quiet.ReadCloser = res.Body
			quiet.timer.Reset(quiet.idle) // a header is a sign of life
			res.Body = quiet
		}
	}
	switch {
	case err == nil:
		return res, nil
	case errors.Is(err, errRefused):
		return nil, c.policy.Faults.Refused.With(withoutAddress(err))
	}
	return nil, c.policy.Faults.Away.With(withoutAddress(err))
}

// watch ends a request whose answer is silent for Policy.Idle; nil: there is no such
// bound.
func (c *Client) watch(req **http.Request) *idleBody {
	if c.policy.Idle <= 0 {
		return nil
	}
	ctx, cancel := context.WithCancel((*req).Context())
	*req = (*req).WithContext(ctx)
	return &idleBody{idle: c.policy.Idle, timer: time.AfterFunc(c.policy.Idle, cancel), cancel: cancel}
}

// idleBody is a body that may not be silent for long.
type idleBody struct {
	io.ReadCloser
	idle   time.Duration
	timer  *time.Timer
	cancel context.CancelFunc
}

// Read gives time for the next part once one came.
func (b *idleBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.timer.Reset(b.idle)
	}
	return n, err
}

// Close ends the watch.
func (b *idleBody) Close() error {
	b.stop()
	return b.ReadCloser.Close()
}

func (b *idleBody) stop() {
	b.timer.Stop()
	b.cancel()
}

// Read reads the body of an answer, at most limit bytes. Errors: Faults.Away and
// Faults.Large.
func (c *Client) Read(res *http.Response, limit int64) ([]byte, error) {
	if res.ContentLength > limit {
		return nil, c.policy.Faults.Large
	}
	data, err := io.ReadAll(io.LimitReader(res.Body, limit+1))
	if err != nil {
		return nil, c.policy.Faults.Away.With(withoutAddress(err))
	}
	if int64(len(data)) > limit {
		return nil, c.policy.Faults.Large
	}
	return data, nil
}

// Get sends a request and reads the body of a 200, at most limit bytes. Any other
// status is Faults.Missing, Faults.Gone or Faults.Away. The answer's body is closed.
func (c *Client) Get(req *http.Request, limit int64) ([]byte, *http.Response, error) {
	res, err := c.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	f := c.policy.Faults
	switch {
	case res.StatusCode == http.StatusGone && f.Gone != nil:
		return nil, nil, f.Gone
	case res.StatusCode == http.StatusNotFound || res.StatusCode == http.StatusGone:
		return nil, nil, f.Missing
	case res.StatusCode != http.StatusOK:
		return nil, nil, f.Away
	}
	data, err := c.Read(res, limit)
	return data, res, err
}

// withoutAddress drops the URL that net/http puts around an error: some addresses are
// secrets.
func withoutAddress(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
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
// else chose.
func Public(a netip.Addr) bool {
	a = bare(a)
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
