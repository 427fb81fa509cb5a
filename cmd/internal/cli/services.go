package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/kinpass/kinpass/internal/account"
	"github.com/kinpass/kinpass/internal/didweb"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/mirror"
	"github.com/kinpass/kinpass/internal/serve"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/issuer"
	"github.com/kinpass/kinpass/verifier"
	"github.com/kinpass/kinpass/wallet"
	"github.com/kinpass/kinpass/web/border"
	"github.com/kinpass/kinpass/web/guardian"
	"github.com/kinpass/kinpass/web/reference"
	"github.com/kinpass/kinpass/web/registrar"
)

// defaultPublic is the issuer's address when nobody says otherwise: that of
// the demonstration.
const defaultPublic = "http://localhost:8080"

type issuerOptions struct {
	public  string
	alg     string
	offices []string // whose keys are made if they are missing
	clock   func() time.Time
	log     *slog.Logger
}

// newIssuer opens the issuer's keys and database. The function that comes back
// closes the database.
func (h *home) newIssuer(ctx context.Context, o issuerOptions) (*issuer.Issuer, func(), error) {
	if o.public == "" {
		o.public = h.address(issuerRole)
	}
	public, err := publicURL(o.public)
	if err != nil {
		return nil, nil, err
	}
	if o.clock == nil {
		o.clock = now
	}
	r, err := h.ensureRing(issuerRole, o.alg, o.offices...)
	if err != nil {
		return nil, nil, err
	}
	db, err := h.open(ctx, issuerRole)
	if err != nil {
		return nil, nil, err
	}
	source := &trustSource{home: h, clock: o.clock}
	offices, err := h.ledgerOffices()
	if err != nil {
		db.Close()
		return nil, nil, err
	}
	i, err := issuer.New(issuer.Config{Base: public, DB: db, Ring: r, Now: o.clock, Log: o.log, Alg: o.alg, Offices: offices,
		TrustList: func() ([]byte, error) { return os.ReadFile(h.path(trustFile)) },
		Trust:     source.List, Fetch: didweb.Config{Loopback: true}})
	if err == nil {
		err = i.Bind(ctx)
	}
	if err == nil {
		err = h.keepAddress(issuerRole, public)
	}
	if err != nil {
		db.Close()
		return nil, nil, err
	}
	return i, func() { db.Close() }, nil
}

// officesFile in the data directory says which offices the ledger tells apart;
// without it, none.
const officesFile = "offices.json"

func (h *home) ledgerOffices() ([]issuer.Office, error) {
	b, err := os.ReadFile(h.path(officesFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return issuer.ReadOffices(b)
}

// addressFile is what the name of the file ends with that keeps a service's
// public address, so that commands beside the service need not repeat it.
const addressFile = "-address"

// address gives the address that a service had here before, or that of the
// demonstration's issuer.
func (h *home) address(role string) string {
	b, err := os.ReadFile(h.path(role + addressFile))
	if err != nil {
		return defaultPublic
	}
	return strings.TrimSpace(string(b))
}

func (h *home) keepAddress(role, public string) error {
	if b, err := os.ReadFile(h.path(role + addressFile)); err == nil && strings.TrimSpace(string(b)) == public {
		return nil
	}
	return h.write(role+addressFile, []byte(public+"\n"), 0o644)
}

// publicURL checks the address under which a service is reached. Only loopback
// may go without TLS.
func publicURL(s string) (string, error) {
	u, err := url.Parse(strings.TrimRight(s, "/"))
	bad := usage{errors.New("--public takes an address such as https://registry.example (http only for localhost)")}
	if err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil || u.Path != "" {
		return "", bad
	}
	if u.Scheme != "https" && !(u.Scheme == "http" && isLoopback(u.Hostname())) {
		return "", bad
	}
	return u.String(), nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// trustSource gives the newest verified trust list of a file or an address, and
// never goes back to a lower number. A file is read whenever it changed. An address is
// asked at most once a minute, in the background once a list is there: whoever
// waits for an answer must not wait for somebody else's server.
type trustSource struct {
	home   *home
	from   string // path or URL; "" is DATA/trust.jws
	anchor string
	clock  func() time.Time

	mu     sync.Mutex
	list   *vc.TrustList
	data   string      // what list was read from
	file   os.FileInfo // as it was before that; nil: an address
	asked  time.Time   // when the address was asked last
	asking bool
}

func (t *trustSource) List(ctx context.Context) (*vc.TrustList, error) {
	t.mu.Lock()
	list := t.list
	due := !t.remote() || t.asked.IsZero() || t.clock().Sub(t.asked).Abs() >= time.Minute
	if !due || t.asking && list != nil {
		t.mu.Unlock()
		return list, nilIf(list)
	}
	t.asking, t.asked = true, t.clock()
	t.mu.Unlock()
	if list != nil && t.remote() {
		go t.refresh(context.WithoutCancel(ctx))
		return list, nil
	}
	if err := t.refresh(ctx); err != nil && list == nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.list, nilIf(t.list)
}

// nilIf says that there is no list yet.
func nilIf(l *vc.TrustList) error {
	if l != nil {
		return nil
	}
	return fault.New(fault.Unavailable, "trust-list-unreachable", "the trust list cannot be fetched")
}

// refresh reads the list once more. What cannot be read or verified changes
// nothing; the age of the last good list is judged by who uses it.
func (t *trustSource) refresh(ctx context.Context) error {
	var file os.FileInfo
	if !t.remote() {
		file, _ = os.Stat(t.name())
	}
	t.mu.Lock()
	if sameFile(file, t.file) {
		t.asking = false
		t.mu.Unlock()
		return nil
	}
	t.mu.Unlock()
	text, l, err := t.fetch(ctx)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.asking = false
	if err == nil && (t.list == nil || l.Sequence >= t.list.Sequence) {
		t.list, t.data, t.file = l, text, file
	}
	return err
}

// sameFile reports whether a file was not written since.
func sameFile(now, then os.FileInfo) bool {
	return now != nil && then != nil && os.SameFile(now, then) && now.Size() == then.Size() && now.ModTime().Equal(then.ModTime())
}

// name is the path of the file.
func (t *trustSource) name() string {
	if t.from == "" {
		return t.home.path(trustFile)
	}
	return t.from
}

func (t *trustSource) fetch(ctx context.Context) (string, *vc.TrustList, error) {
	data, err := t.Bytes(ctx)
	if err != nil {
		return "", nil, err
	}
	text := strings.TrimSpace(string(data))
	t.mu.Lock()
	list, same := t.list, t.data == text
	t.mu.Unlock()
	if list != nil && same {
		return text, list, nil
	}
	anchors, err := t.home.anchors(t.anchor)
	if err != nil {
		return "", nil, err
	}
	l, err := vc.OpenTrustList(text, anchors)
	return text, l, err
}

func (t *trustSource) remote() bool {
	return strings.HasPrefix(t.from, "http://") || strings.HasPrefix(t.from, "https://")
}

// Bytes reads the signed list, unverified.
func (t *trustSource) Bytes(ctx context.Context) ([]byte, error) {
	if !t.remote() {
		b, err := os.ReadFile(t.name())
		if err != nil {
			return nil, fault.New(fault.Unavailable, "trust-list-missing", "the trust list cannot be read").With(err).
				WithHint("make one with: kinpass trust init, or name it with --trust-list")
		}
		return b, nil
	}
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.from, nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "trust-list-unreachable", "the trust list cannot be fetched").With(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, 8<<20))
	if err != nil || res.StatusCode != http.StatusOK {
		return nil, fault.New(fault.Unavailable, "trust-list-unreachable", "the trust list cannot be fetched").With(err)
	}
	return b, nil
}

// options of a running service.
type options struct {
	listen    string
	public    string
	trustList string
	anchor    string
	proxies   []string
	private   []string
	alg       string
	offices   []string // of an issuer: whose keys are made if they are missing
	verbose   bool
	policies  string
	loopback  bool                   // issuers on this machine may be called
	bundles   time.Duration          // of a verifier: between two bundles; 0 means five minutes
	publish   time.Duration          // of an issuer: between two publications of its shelf; 0 publishes each change at once
	versions  mirror.Keep            // of a verifier: which bundles stay after a newer one
	signIn    string                 // file about an organisation's sign-in
	witnesses string                 // of an issuer: file about those who cosign its ledger's checkpoints
	onlookers []issuer.LedgerWitness // more of them
	// The sign-in of a demonstration. Only a demonstration sets it.
	development *account.Development
	clock       func() time.Time
	log         *slog.Logger
}

// running is one service that answers.
type running struct {
	role string
	base string
	addr net.Addr
	done chan error
	stop func()

	issuer   *issuer.Issuer
	wallet   *wallet.Wallet
	verifier *verifier.Verifier
	accounts *account.Accounts
	db       *store.DB
	server   *serve.Server
}

// start brings a role up on its address. It answers when start returns, and
// until ctx ends or stop is called.
func (h *home) start(ctx context.Context, role string, o options) (*running, error) {
	if o.clock == nil {
		o.clock = now
	}
	if host, port, err := net.SplitHostPort(o.listen); err != nil {
		return nil, usage{errors.New("--listen takes HOST:PORT, such as 127.0.0.1:8080")}
	} else if n, err := strconv.ParseUint(port, 10, 16); err != nil || n > 65535 || strings.ContainsAny(host, " /") {
		return nil, usage{errors.New("--listen takes HOST:PORT with a port from 0 to 65535")}
	}
	if o.public != "" { // what is wrong anyway is told before what happens to be in use
		if _, err := publicURL(o.public); err != nil {
			return nil, err
		}
	}
	l, err := net.Listen("tcp", o.listen)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "address-in-use", "the address cannot be listened on").With(err).
			WithHint("choose another with --listen, such as 127.0.0.1:9080")
	}
	if o.public == "" {
		o.public = "http://localhost:" + fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
	}
	r, err := h.startOn(ctx, role, l, o)
	if err != nil {
		l.Close()
		return nil, err
	}
	return r, nil
}

func (h *home) startOn(ctx context.Context, role string, l net.Listener, o options) (*running, error) {
	public, err := publicURL(o.public)
	if err != nil {
		return nil, err
	}
	if a, ok := l.Addr().(*net.TCPAddr); o.development != nil && (!ok || !a.IP.IsLoopback()) {
		return nil, usage{errors.New("a demonstration listens on this machine only")}
	}
	db, err := h.open(ctx, role)
	if err != nil {
		return nil, err
	}
	r := &running{role: role, base: public, addr: l.Addr(), db: db, done: make(chan error, 1)}
	cfg := serve.Config{Role: role, Log: o.log, Now: o.clock,
		Ready: db.PingContext,
		Token: func(ctx context.Context, secret string) (serve.Caller, error) {
			t, err := db.TokenBySecret(ctx, secret, o.clock())
			return serve.Caller{ID: t.Caller(), Name: t.Name, Role: t.Role}, err
		}}
	pages, err := h.pages(r, o)
	if err != nil {
		db.Close()
		return nil, err
	}
	cfg.Session, cfg.Refuse = pages.Caller, pages.Refuse
	if role == verifierRole {
		cfg.BodyLimit = 64 << 20 // a bundle brought by hand, or a photograph
	}
	for _, p := range o.proxies {
		_, n, err := net.ParseCIDR(p)
		if err != nil {
			db.Close()
			return nil, usage{errors.New("--trusted-proxy takes a network such as 10.0.0.0/8")}
		}
		cfg.TrustedProxies = append(cfg.TrustedProxies, n)
	}
	s, err := serve.New(cfg)
	if err == nil {
		pages.Routes(s)
		reference.Routes(s, pages, role)
		err = h.build(r, s, pages, o)
	}
	if err != nil {
		db.Close()
		return nil, err
	}
	r.server = s
	ctx, r.stop = context.WithCancel(ctx)
	go r.background(ctx, cmp.Or(o.bundles, 5*time.Minute))
	go r.accounts.Run(ctx)
	go func() {
		err := s.Serve(ctx, l)
		db.Close()
		r.done <- err
	}()
	o.log.Info("serving", "role", role, "address", l.Addr().String(), "public", public, "database", db.Engine)
	return r, nil
}

// build makes the role itself and adds its routes.
func (h *home) build(r *running, s *serve.Server, pages *account.Pages, o options) error {
	ring, err := h.ensureRing(r.role, o.alg, o.offices...)
	if err != nil {
		return err
	}
	private, err := o.privateNetworks()
	if err != nil {
		return err
	}
	source := &trustSource{home: h, from: o.trustList, anchor: o.anchor, clock: o.clock}
	switch r.role {
	case issuerRole:
		cosigners, werr := readWitnesses(o.witnesses)
		if werr != nil {
			return werr
		}
		offices, oerr := h.ledgerOffices()
		if oerr != nil {
			return oerr
		}
		r.issuer, err = issuer.New(issuer.Config{Base: r.base, DB: r.db, Ring: ring, Now: o.clock, Log: o.log, Alg: o.alg, Publish: o.publish, Offices: offices,
			TrustList: func() ([]byte, error) { return source.Bytes(context.Background()) },
			Trust:     source.List, Fetch: didweb.Config{Loopback: o.loopback, Private: private, Timeout: 10 * time.Second},
			Witnesses: append(cosigners, o.onlookers...), LoopbackWitnesses: o.loopback})
		if err == nil {
			err = r.issuer.Bind(context.Background())
		}
		if err == nil {
			err = h.keepAddress(issuerRole, r.base)
		}
		if err == nil {
			issuer.Routes(s, r.issuer)
			registrar.Routes(s, pages, r.issuer)
		}
	case walletRole:
		r.wallet, err = wallet.New(wallet.Config{DB: r.db, Ring: ring, Now: o.clock, Log: o.log, Base: r.base,
			TrustList: source.List, AllowLoopback: o.loopback, Aries: Aries})
		if err == nil {
			wallet.Routes(s, r.wallet)
			guardian.Routes(s, pages, r.wallet)
		}
	case verifierRole:
		r.verifier, err = h.verifierOn(r.db, ring, r.base, o)
		if err == nil {
			verifier.Routes(s, r.verifier)
			border.Routes(s, pages, r.verifier)
		}
	}
	return err
}

// privateNetworks reads --private-network.
func (o *options) privateNetworks() ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, p := range o.private {
		n, err := netip.ParsePrefix(p)
		if err != nil {
			return nil, usage{errors.New("--private-network takes a network such as 10.0.0.0/8")}
		}
		out = append(out, n)
	}
	return out, nil
}

// verifierOn makes a verifier over an open database.
func (h *home) verifierOn(db *store.DB, ring *keys.Ring, base string, o options) (*verifier.Verifier, error) {
	anchors, err := h.anchors(o.anchor)
	if err != nil {
		return nil, err
	}
	private, err := o.privateNetworks()
	if err != nil {
		return nil, err
	}
	from := o.trustList
	switch from {
	case "":
		from = h.path(trustFile)
	case "none":
		from = ""
	}
	return verifier.New(verifier.Config{DB: db, Ring: ring, Base: base, Now: o.clock, Log: o.log, Anchors: anchors, TrustSource: from,
		HTTP: verifier.HTTPPolicy{Loopback: o.loopback, Private: private}, Policies: o.policies, Files: h.dir, Versions: o.versions})
}

// newVerifier opens the verifier's keys and database. The function that comes
// back closes the database.
func (h *home) newVerifier(ctx context.Context, o options) (*verifier.Verifier, func(), error) {
	ring, err := h.ensureRing(verifierRole, keys.EdDSA)
	if err != nil {
		return nil, nil, err
	}
	db, err := h.open(ctx, verifierRole)
	if err != nil {
		return nil, nil, err
	}
	v, err := h.verifierOn(db, ring, "", o)
	if err != nil {
		db.Close()
		return nil, nil, err
	}
	return v, func() { db.Close() }, nil
}

// background is what a service does between requests.
func (r *running) background(ctx context.Context, bundles time.Duration) {
	switch {
	case r.issuer != nil:
		r.issuer.Run(ctx)
	case r.wallet != nil:
		r.wallet.Run(ctx)
	case r.verifier != nil:
		r.verifier.Run(ctx, bundles)
	}
}

func newServe(h *home) *cobra.Command {
	o := options{}
	c := &cobra.Command{
		Use:   "serve issuer|wallet|verifier",
		Short: "Run one of the services",
		Long: `Runs a service until it is stopped. Keys and, unless --db-file names another
database, data are in the data directory.

Put a reverse proxy with TLS in front of it and name the outside address with
--public: an issuer's did:web is made from it.

An issuer's ledger tells those offices apart that DATA/offices.json names:
{"offices": [{"label", "operators": [names of accounts and tokens],
"registered": [offices as records of births name them]}]}. Small offices share
a label: everybody can count what is registered under it in each hour.`,
		ValidArgs: roles,
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		RunE: func(c *cobra.Command, args []string) error {
			level := slog.LevelInfo
			if o.verbose {
				level = slog.LevelDebug
			}
			o.log = newLog(c.ErrOrStderr(), level)
			if o.alg != keys.EdDSA && o.alg != keys.ES256 {
				return usage{errors.New("--alg must be EdDSA or ES256")}
			}
			if env := os.Getenv(officesEnv); env != "" && !c.Flags().Changed("offices") {
				o.offices = strings.Split(env, ",")
			}
			if err := checkOffices(o.offices); err != nil {
				return err
			}
			r, err := h.start(c.Context(), args[0], o)
			if err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "%s: %s (listening on %s)\n", r.role, r.base, r.addr)
			err = <-r.done
			if errors.Is(err, http.ErrServerClosed) {
				err = nil
			}
			return err
		},
	}
	f := c.Flags()
	f.StringVar(&o.listen, "listen", "127.0.0.1:8080", "address to listen on")
	f.StringVar(&o.public, "public", "", "public address (default http://localhost:PORT)")
	f.StringVar(&o.trustList, "trust-list", "", "signed trust list, a file or an address (default DATA/trust.jws); none for a verifier that only takes bundles in")
	f.StringVar(&o.anchor, "anchor", "", "trust anchor (default DATA/anchor.json)")
	f.StringArrayVar(&o.proxies, "trusted-proxy", nil, "network whose X-Forwarded-For is believed (can be repeated)")
	f.StringArrayVar(&o.private, "private-network", nil, "issuer, verifier: network that is not public and yet called for status lists (can be repeated)")
	f.StringVar(&o.policies, "policies", "", "verifier: directory of the country policies for bundles, a .json file each (default those that come with Kinpass, illustrative, not legal advice)")
	f.DurationVar(&o.versions.All, "keep-bundles", 48*time.Hour, "verifier: how long every bundle stays after a newer one, so that posts fetch what changed")
	f.DurationVar(&o.versions.Daily, "keep-daily-bundles", 60*24*time.Hour, "verifier: how long one bundle a day stays")
	f.StringVar(&o.alg, "alg", keys.EdDSA, "algorithm of the signing key if one has to be made: EdDSA or ES256")
	f.StringSliceVar(&o.offices, "offices", nil, "issuer: offices whose records it keeps, such as court,notary; their keys are made if they are missing (default $"+officesEnv+")")
	f.DurationVar(&o.publish, "publish", 5*time.Minute, "issuer: how often what it publishes changes, at whole multiples of this; 0 shows each change at once")
	f.StringVar(&o.witnesses, "witnesses", "", "issuer: JSON file about the witnesses that cosign its ledger's checkpoints: {\"witnesses\": [{name, url, publicKeyJwk}]}")
	f.StringVar(&o.signIn, "sign-in", "", "JSON file about an organisation's OpenID Connect sign-in for staff: name, issuer, clientId, clientSecretFile")
	f.BoolVar(&o.loopback, "allow-loopback", false, "issuers on this machine may be called, over http")
	f.BoolVar(&o.verbose, "verbose", false, "log every request")
	return c
}
