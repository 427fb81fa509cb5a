package cli

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/trust"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/issuer"
)

//go:embed samples/births.jsonl
var sampleBirths []byte

//go:embed samples/guardianships.jsonl
var sampleGuardianships []byte

//go:embed samples/offices.json
var sampleOffices []byte

// demoTokens are the tokens of the demonstration's people, kept in the data
// directory so that a restart keeps them.
type demoTokens struct {
	Listen    string `json:"listen"`
	Registrar string `json:"registrar"`
	Colleague string `json:"secondRegistrar"`
	Guardian  string `json:"guardian"`
	Officer   string `json:"officer"`
	Father    string `json:"father,omitempty"`
	Aunt      string `json:"aunt,omitempty"`
}

const demoFile = "demo-tokens.json"

func newDemo(h *home) *cobra.Command {
	var listen, out string
	var once, asJSON, verbose bool
	c := &cobra.Command{
		Use:   "demo",
		Short: "Run everything on this machine and play the story once",
		Long: `Starts issuer, wallet and verifier in one process on SQLite, on three
consecutive ports, loads sample registrations and plays a story: a birth and a
guardianship are registered, a guardian takes the credentials and shows a QR
code, an officer checks it; then eight things that go wrong; then journeys with
a consent, without one, and with one that does not fit.

It stays up until Ctrl-C, and starting again on the same data directory keeps
everything. With --once it stops after the story, works in a fresh temporary
directory unless --data is given, and exits 0 only if every decision was as
expected.`,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx := c.Context()
			var err error
			if once && !c.Flag("data").Changed {
				if h.dir, err = os.MkdirTemp("", "kinpass-demo-*"); err != nil {
					return err
				}
				defer os.RemoveAll(h.dir)
			}
			if listen, err = h.demoAddress(listen, c.Flag("listen").Changed, once); err != nil {
				return err
			}
			level := slog.LevelWarn
			if verbose {
				level = slog.LevelDebug
			}
			text := c.OutOrStdout()
			if asJSON {
				text = io.Discard
			}
			h.watched = !once
			d, err := h.startDemo(ctx, listen, newLog(c.ErrOrStderr(), level))
			if err != nil {
				return err
			}
			defer d.stop()
			d.say(text)
			if err := d.sample(ctx); err != nil {
				return err
			}
			fmt.Fprintf(text, "Sample registrations: %d accepted, %d held.\n\n", d.loaded.Accepted, d.loaded.Held)
			if err := d.settle(ctx); err != nil {
				return err
			}
			steps, err := d.play(ctx, text)
			if err != nil {
				return err
			}
			if out != "" {
				if err := writeStory(out, d, steps); err != nil {
					return err
				}
				fmt.Fprintf(text, "\nWritten to %s; check any of it again with:\n  kinpass check --at AT --bundle %s/BUNDLE --anchor %s/anchor.json %s/FILE\n", out, out, out, out)
			}
			if asJSON {
				if err := printJSON(c.OutOrStdout(), steps); err != nil {
					return err
				}
			}
			wrong := 0
			for _, s := range steps {
				if !s.asExpected() {
					wrong++
				}
			}
			if wrong > 0 {
				return fmt.Errorf("%d of %d decisions were not as expected", wrong, len(steps))
			}
			fmt.Fprintf(text, "\nAll %d decisions were as expected.\n", len(steps))
			if once {
				return nil
			}
			if err := d.leaveFamily(ctx); err != nil {
				return err
			}
			d.tell(text)
			<-ctx.Done()
			fmt.Fprintln(text, "\nStopped. Everything is kept in", h.dir)
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&listen, "listen", "127.0.0.1:8080", "address of the issuer; wallet and verifier take the next two ports")
	f.BoolVar(&once, "once", false, "play the story and stop")
	f.BoolVar(&asJSON, "json", false, "print the decisions as JSON")
	f.StringVar(&out, "out", "", "write codes, pictures, bundles and story.json to this directory")
	f.DurationVar(&h.publish, "publish", 0, "how often what the issuer publishes changes, at whole multiples of this; 0 shows each change at once")
	f.BoolVar(&verbose, "verbose", false, "log every request")
	return c
}

// demoAddress gives the address to listen on. The issuer's did:web is made from
// it, so a data directory keeps the address of its first run.
func (h *home) demoAddress(listen string, chosen, once bool) (string, error) {
	b, err := os.ReadFile(h.path(demoFile))
	if errors.Is(err, fs.ErrNotExist) {
		if once && !chosen {
			return "127.0.0.1:0", nil // any free ports: it must not collide with a demonstration that is up
		}
		return listen, nil
	}
	if err != nil {
		return "", err
	}
	var t demoTokens
	if err := json.Unmarshal(b, &t); err != nil {
		return "", err
	}
	if chosen && listen != t.Listen {
		return "", usage{fmt.Errorf("this data directory belongs to the demonstration on %s: leave --listen out, or take another --data", t.Listen)}
	}
	return t.Listen, nil
}

// leaveFamily registers one more family, so that a newcomer has papers in order
// to try things with: those of the story end revoked.
func (d *demo) leaveFamily(ctx context.Context) error {
	p := d.player(io.Discard)
	if err := p.register(ctx); err != nil {
		return err
	}
	return p.accept(ctx)
}

// demo is the running demonstration.
type demo struct {
	home     *home
	issuer   *running
	wallet   *running
	verifier *running
	tokens   demoTokens
	log      *slog.Logger
	loaded   issuer.Summary
	start    string // address of the start page
	secret   string // of the start page's forms
	stopPage func() // ends the start page; nil if it is not up

	onlookers     []onlooker // who witness the issuer's ledger
	stopOnlookers func()

	mu     sync.Mutex
	people []neighbour
}

// startDemo brings the three services up with keys, trust list and tokens.
func (h *home) startDemo(ctx context.Context, listen string, log *slog.Logger) (*demo, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return nil, usage{errors.New("--listen takes HOST:PORT")}
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, usage{errors.New("the demonstration listens on this machine only, such as 127.0.0.1:8080")}
	}
	first, err := strconv.Atoi(port)
	if err != nil || first < 0 || first > 65532 {
		return nil, usage{errors.New("--listen takes HOST:PORT with a port up to 65532")}
	}
	page := first + 3
	if first == 0 {
		page = 0
		if first, err = freePorts(host); err != nil {
			return nil, err
		}
	}
	if _, err := h.initTrust(); err != nil {
		return nil, err
	}
	if _, err := os.Stat(h.path(officesFile)); errors.Is(err, fs.ErrNotExist) {
		if err := h.write(officesFile, sampleOffices, 0o644); err != nil {
			return nil, err
		}
	}
	l, address, err := listenToStart(host, page)
	if err != nil {
		return nil, err
	}
	d := &demo{home: h, log: log, start: address, secret: store.Random(24), people: slices.Clone(townspeople)}
	if err := d.open(ctx, host, first); err != nil {
		l.Close()
		d.stop()
		return nil, err
	}
	if err := d.serveStart(ctx, l); err != nil {
		l.Close()
		d.stop()
		return nil, err
	}
	return d, nil
}

// sample loads the sample registrations.
func (d *demo) sample(ctx context.Context) error {
	var err error
	d.loaded, err = d.issuer.issuer.Import(ctx, issuer.ImportConfig{At: now().UTC(), Births: bytes.NewReader(sampleBirths),
		Guardianships: bytes.NewReader(sampleGuardianships), Operator: "sample operator", Approver: "sample approver"})
	return err
}

// open starts the three services on consecutive ports and gives their people
// tokens and wallets.
func (d *demo) open(ctx context.Context, host string, first int) error {
	err := d.startOnlookers(ctx)
	if err != nil {
		return err
	}
	for n, r := range []**running{&d.issuer, &d.wallet, &d.verifier} {
		port := strconv.Itoa(first + n)
		o := options{listen: net.JoinHostPort(host, port), public: "http://localhost:" + port, development: d.development(roles[n]),
			alg: keys.EdDSA, offices: everyOffice, loopback: true, publish: d.home.publish, log: d.log}
		for _, x := range d.onlookers {
			o.onlookers = append(o.onlookers, x.LedgerWitness)
		}
		if d.home.watched {
			o.bundles = 20 * time.Second
		}
		if *r, err = d.home.start(ctx, roles[n], o); err != nil {
			return err
		}
		if n == 0 {
			err = d.trustIssuer(ctx)
		}
		if err != nil {
			return err
		}
	}
	return d.keepTokens(ctx, net.JoinHostPort(host, strconv.Itoa(first)))
}

// freePorts finds three consecutive ports that nobody listens on now. They lie
// below those that systems give to outgoing connections, so that none of these
// takes one of them before it is listened on.
func freePorts(host string) (int, error) {
	for range 100 {
		first := 10_000 + int(mustInt(22_000))
		ok := true
		for n := 0; ok && n < 3; n++ {
			l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(first+n)))
			if ok = err == nil; ok {
				l.Close()
			}
		}
		if ok {
			return first, nil
		}
	}
	return 0, errors.New("no three free ports in a row")
}

// trustIssuer puts the issuer's keys and the hub key on the trust list, unless
// they are there.
func (d *demo) trustIssuer(ctx context.Context) error {
	h := d.home
	pub, err := d.issuer.issuer.DIDDocument(ctx)
	if err != nil {
		return err
	}
	doc, err := did.ParseDocument(pub.Body, d.issuer.issuer.DID())
	if err != nil {
		return err
	}
	hubRing, err := h.ensureRing(verifierRole, keys.EdDSA)
	if err != nil {
		return err
	}
	ring, err := h.mustRing(issuerRole)
	if err != nil {
		return err
	}
	ledger := ownLedger(ring, d.issuer.base)
	hub, err := hubRing.Current(keys.UseHub, now())
	if err != nil {
		return err
	}
	l, err := h.openTrust()
	if err != nil {
		return err
	}
	if trusted(l, doc, hub) && d.watched(l) && now().Sub(l.IssuedAt).Abs() < 12*time.Hour {
		return nil
	}
	_, err = h.editTrust(func(l *vc.TrustList) error {
		from, hosts := now().UTC().AddDate(0, 0, -1).Truncate(time.Hour), true
		err := trust.AddIssuer(l, trust.Entry{Document: doc, Name: "Civil registry (demonstration)", Shelf: d.issuer.base,
			Role: vc.RoleRegistrar, Types: trust.DefaultTypes(vc.RoleRegistrar), Labelled: everyOffice, ConsentStatus: &hosts, From: from})
		if err != nil {
			return err
		}
		if err := ledger.put(l, doc.ID); err != nil {
			return err
		}
		if _, err := trust.AddHub(l, hub.Public(), hub.NotBefore, hub.NotAfter); err != nil && !errors.Is(err, trust.ErrExists) {
			return err
		}
		return d.watch(l)
	})
	return err
}

// trusted reports whether the list has every key of the document and the hub.
func trusted(l *vc.TrustList, doc *did.Document, hub *keys.Key) bool {
	hubDID, err := did.EncodeKey(hub.Public())
	if err != nil {
		return false
	}
	have := map[string]bool{}
	for _, i := range l.Issuers {
		for _, k := range i.Keys {
			have[k.ID] = true
		}
	}
	for _, k := range l.Hubs {
		have[k.ID] = true
	}
	for _, m := range doc.VerificationMethod {
		if !have[m.ID] {
			return false
		}
	}
	return have[did.KeyID(hubDID)]
}

// keepTokens makes the tokens of the demonstration's people, or reads them
// back.
func (d *demo) keepTokens(ctx context.Context, listen string) error {
	b, err := os.ReadFile(d.home.path(demoFile))
	if err == nil {
		err = json.Unmarshal(b, &d.tokens)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	made := false
	for _, p := range []struct {
		at         *running
		name, role string
		to         *string
	}{
		{d.issuer, "first registrar", "registrar", &d.tokens.Registrar},
		{d.issuer, "second registrar", "registrar", &d.tokens.Colleague},
		{d.wallet, "guardian", "guardian", &d.tokens.Guardian},
		{d.wallet, "father", "guardian", &d.tokens.Father},
		{d.wallet, "aunt", "guardian", &d.tokens.Aunt},
		{d.verifier, "border officer", "officer", &d.tokens.Officer},
	} {
		if *p.to != "" {
			continue
		}
		if *p.to, _, err = p.at.db.AddToken(ctx, p.name, p.role, time.Time{}); err != nil {
			return err
		}
		made = true
	}
	if err := d.moveIn(ctx); err != nil || !made {
		return err
	}
	if d.tokens.Listen == "" {
		d.tokens.Listen = listen
	}
	b, err = json.MarshalIndent(d.tokens, "", "  ")
	if err != nil {
		return err
	}
	return d.home.write(demoFile, append(b, '\n'), 0o600)
}

// stop ends the services and waits for them.
func (d *demo) stop() {
	if d.stopPage != nil {
		d.stopPage()
	}
	for _, r := range []*running{d.verifier, d.wallet, d.issuer} {
		if r == nil {
			continue
		}
		r.stop()
		<-r.done
	}
	if d.stopOnlookers != nil {
		d.stopOnlookers()
	}
}

// say introduces the demonstration, with the address to open first.
func (d *demo) say(w io.Writer) {
	fmt.Fprintf(w, `Kinpass demonstration

  Open this in your browser:   %s/

  registrar's desk   %s/app/
  guardian's wallet  %s/app/
  border check       %s/app/

`, d.start, d.issuer.base, d.wallet.base, d.verifier.base)
}

// tell says what one can do while it is up.
func (d *demo) tell(w io.Writer) {
	fmt.Fprintf(w, `
Everything is up; start at %s/

Tokens for programs (in %s):

  registrar         %s
  second registrar  %s
  guardian          %s
  officer           %s

Try:
  curl -s %s/.well-known/did.json
  curl -s -H "Authorization: Bearer GUARDIAN" %s/wallet/children   (two children: the story's, and one with papers in order)
  curl -s %s/bundle -o border.kpb

Ctrl-C stops; "kinpass demo --data %s" goes on with the same data.
`, d.start, d.home.path(demoFile), d.tokens.Registrar, d.tokens.Colleague, d.tokens.Guardian, d.tokens.Officer,
		d.issuer.base, d.wallet.base, d.verifier.base, d.home.dir)
}
