package audit

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/outbound"
)

// Faults of reading a shelf. No text repeats what a shelf said.
var (
	ErrAddress     = fault.New(fault.Invalid, "audit-address", "a shelf is an https address, or a directory that holds a copy of one").WithHint("http is for a service on this machine, with --allow-loopback")
	ErrUnreachable = fault.New(fault.Unavailable, "audit-unreachable", "the shelf gave no usable answer in time")
	ErrMissing     = fault.New(fault.NotFound, "audit-missing", "the shelf has no such file")
	ErrLarge       = fault.New(fault.TooLarge, "audit-large", "a file on the shelf is larger than any honest one")
)

// Source is where published files are read: a shelf's address, or a directory
// that holds a copy of it. Paths are those below the shelf's address.
type Source interface {
	// Get reads a file, at most limit bytes; accept is the media type wished for,
	// where there are several. ErrMissing says that there is none.
	Get(ctx context.Context, path, accept string, limit int64) ([]byte, error)
	// String is how reports name the source.
	String() string
}

// Web says how addresses are called. The zero Web calls public addresses over
// https.
type Web struct {
	Loopback bool          // also this machine, and http there
	Timeout  time.Duration // of one request; default 30 s
}

// NewSource opens a shelf's address or a directory.
func NewSource(where string, w Web) (Source, error) {
	if !strings.Contains(where, "://") {
		if i, err := os.Stat(where); err != nil || !i.IsDir() {
			return nil, ErrAddress.With(err)
		}
		return directory(where), nil
	}
	u, err := url.Parse(strings.TrimRight(where, "/"))
	if err != nil || len(where) > 2048 || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Opaque != "" {
		return nil, ErrAddress.With(err)
	}
	ip, err := netip.ParseAddr(u.Hostname())
	local := u.Hostname() == "localhost" || err == nil && ip.IsLoopback()
	if u.Scheme != "https" && !(u.Scheme == "http" && w.Loopback && local) {
		return nil, ErrAddress
	}
	return newSite(u, w), nil
}

// site is a shelf on the web. Whoever runs it is not believed: bodies, headers,
// times and redirects are bounded, and an address inside the auditor's network is
// not called, whatever its name resolves to.
type site struct {
	base   *url.URL
	client *outbound.Client
}

func newSite(base *url.URL, w Web) *site {
	if w.Timeout <= 0 {
		w.Timeout = 30 * time.Second
	}
	return &site{base: base, client: outbound.New(outbound.Policy{
		Faults:    outbound.Faults{Refused: ErrAddress, Away: ErrUnreachable, Missing: ErrMissing, Large: ErrLarge},
		Loopback:  w.Loopback,
		Redirects: 3,
		Timeout:   w.Timeout,
		PerHost:   ahead,
	})}
}

func (s *site) String() string { return s.base.String() }

func (s *site) Get(ctx context.Context, name, accept string, limit int64) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base.String()+"/"+name, nil)
	if err != nil {
		return nil, ErrAddress.With(err)
	}
	req.Header.Set("User-Agent", "kinpass-audit")
	if accept != "" {
		req.Header.Set("Accept", accept)
	}
	data, _, err := s.client.Get(req, limit)
	return data, err
}

func readAll(r io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, ErrUnreachable.With(err)
	}
	if int64(len(data)) > limit {
		return nil, ErrLarge
	}
	return data, nil
}

// directory is a copy of a shelf. A path that is a directory there, because other
// files lie below it, is the file "index" in it; the CWT of a list is beside its
// JWT with ".cwt".
type directory string

func (d directory) String() string { return string(d) }

func (d directory) Get(ctx context.Context, name, accept string, limit int64) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !fs.ValidPath(name) {
		return nil, ErrMissing
	}
	if strings.HasSuffix(accept, "cwt") {
		name += ".cwt"
	}
	// A link in a copy leads nowhere outside it.
	root, err := os.OpenRoot(string(d))
	if err != nil {
		return nil, ErrUnreachable.With(err)
	}
	defer root.Close()
	f, err := root.Open(filepath.FromSlash(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrMissing
	}
	if err != nil {
		return nil, ErrUnreachable.With(err)
	}
	defer f.Close()
	i, err := f.Stat()
	if err == nil && i.IsDir() {
		if path.Base(name) == "index" {
			return nil, ErrMissing
		}
		return d.Get(ctx, name+"/index", "", limit)
	}
	if err != nil || !i.Mode().IsRegular() {
		return nil, ErrUnreachable.With(err)
	}
	return readAll(f, limit)
}
