// Package didweb fetches did:web documents (W3C CCG did:web method), and what
// else an authority publishes, for the places where something that a stranger
// wrote makes us call somebody.
//
// What a stranger can make it do is bounded (internal/outbound): one GET without
// cookies or credentials, over https, to an address on the public internet, for a
// few seconds and at most 256 KiB; redirects stay on the host.
package didweb

import (
	"context"
	"crypto/x509"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/outbound"
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

	errGone = ErrNotFound.With(did.ErrDeactivated) // 410: was there, and is not any more
)

// Bounds.
const (
	maxDocument  = 256 << 10 // bytes
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
	public *outbound.Client
	local  *outbound.Client // of http, which goes to loopback addresses only; https never does

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
	p := outbound.Policy{
		Faults:    outbound.Faults{Refused: ErrRefused, Away: ErrUnavailable, Missing: ErrNotFound, Gone: errGone, Large: ErrTooLarge},
		Private:   cfg.Private,
		Roots:     cfg.Roots,
		Redirects: maxRedirects,
		Timeout:   cfg.Timeout,
		Once:      true, // every request is dialled, so every one is checked
	}
	f.public = outbound.New(p)
	p.Loopback = true
	f.local = outbound.New(p)
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
func (f *Fetcher) target(address string) (*url.URL, *outbound.Client, error) {
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

// get makes the one request.
func (f *Fetcher) get(ctx context.Context, c *outbound.Client, r request) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.address.String(), nil)
	if err != nil {
		return nil, did.ErrInvalid.With(err)
	}
	req.Header.Set("Accept", r.accept)
	data, _, err := c.Get(req, r.limit)
	return data, err
}
