package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/tlog"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/internal/witness"
	"github.com/kinpass/kinpass/issuer"
)

// witnessFile says who the witness of a data directory is, publicly.
const witnessFile = witnessName + ".json"

// witnessInfo is the content of witnessFile, and what "witness show --json" adds
// to. A trust list names a witness with these members.
type witnessInfo struct {
	Name     string          `json:"name"`
	JWK      json.RawMessage `json:"publicKeyJwk"`
	Verifier string          `json:"verifierKey"` // the same as a note key
}

var errNoWitness = fault.New(fault.NotFound, "witness-missing", "there is no witness in the data directory").
	WithHint("make one with: kinpass witness init --name witness.example/w1")

// initWitness makes the key of a witness and the directory of what it saw.
func (h *home) initWitness(name string) (witnessInfo, error) {
	if have, err := h.witness(); err == nil && have.Name != name {
		return witnessInfo{}, usage{fmt.Errorf("the witness of this data directory is %s; a witness keeps its name", have.Name)}
	} else if err == nil {
		return have, nil
	} else if !errors.Is(err, errNoWitness) {
		return witnessInfo{}, err
	}
	r, err := h.ensureRing(witnessName, keys.EdDSA)
	if err != nil {
		return witnessInfo{}, err
	}
	k, self, err := witnessKey(r, name)
	if err != nil {
		return witnessInfo{}, err
	}
	jwk, err := vc.PublicJWK(k.Public(), "", k.Alg)
	if err != nil {
		return witnessInfo{}, err
	}
	info := witnessInfo{name, jwk, self.String()}
	// Opened once, so that its name is checked and its directory made: "run" never
	// makes one, because a witness that forgot must not go on.
	w, err := witness.Open(context.Background(), witness.Config{Name: name, Key: k.Signer(""), Dir: h.path(witnessName), Now: now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return witnessInfo{}, err
	}
	w.Close()
	b, err := json.MarshalIndent(info, "", "  ")
	if err != nil {
		return witnessInfo{}, err
	}
	return info, h.write(witnessFile, append(b, '\n'), 0o644)
}

// witness reads who the witness of the data directory is, errNoWitness if there
// is none.
func (h *home) witness() (witnessInfo, error) {
	b, err := os.ReadFile(h.path(witnessFile))
	if errors.Is(err, fs.ErrNotExist) {
		return witnessInfo{}, errNoWitness
	}
	var info witnessInfo
	if err == nil {
		err = json.Unmarshal(b, &info)
	}
	return info, err
}

// witnessKey gives the key that a witness cosigns with: the first of its ring, for
// its whole life.
func witnessKey(r *keys.Ring, name string) (*keys.Key, tlog.Verifier, error) {
	all := r.Of(keys.UseCosign)
	if len(all) == 0 {
		return nil, tlog.Verifier{}, keys.ErrNoKey
	}
	pub, err := vc.NoteKey(all[0].Public())
	if err != nil {
		return nil, tlog.Verifier{}, err
	}
	return all[0], tlog.WitnessVerifier(name, pub), nil
}

// openWitness opens the witness of the data directory. ledger says which ledgers it
// follows.
func (h *home) openWitness(ctx context.Context, ledger func(context.Context, string) (tlog.Verifier, error), log *slog.Logger) (*witness.Witness, error) {
	info, err := h.witness()
	if err != nil {
		return nil, err
	}
	r, err := h.mustRing(witnessName)
	if err != nil {
		return nil, err
	}
	k, self, err := witnessKey(r, info.Name)
	if err != nil {
		return nil, err
	}
	if self.String() != info.Verifier {
		return nil, witness.ErrState.WithDetail("the witness's key is another one than when it was made")
	}
	if _, err := os.Stat(h.path(witnessName)); err != nil {
		return nil, witness.ErrState.With(err).WithDetail("the directory of what the witness saw is gone")
	}
	return witness.Open(ctx, witness.Config{Name: info.Name, Key: k.Signer(""), Dir: h.path(witnessName), Ledger: ledger, Now: now, Log: log})
}

// ledger gives the key of a ledger that a trust list names.
func (t *trustSource) ledger(ctx context.Context, origin string) (tlog.Verifier, error) {
	l, err := t.List(ctx)
	if err != nil {
		return tlog.Verifier{}, err
	}
	for _, i := range l.Issuers {
		if i.Ledger == nil || i.Ledger.Origin != origin {
			continue
		}
		p, err := l.LedgerPolicy(i.DID)
		return p.Log, err
	}
	return tlog.Verifier{}, witness.ErrUnknownLog
}

func newWitness(h *home) *cobra.Command {
	c := &cobra.Command{
		Use:   "witness",
		Short: "Run an independent witness of issuers' ledgers (C2SP tlog-witness)",
		Long: `A witness cosigns the checkpoints of issuers' ledgers, each only after a proof
that the ledger still begins with all that the witness saw of it. A trust list
names witnesses and says how many of them a verifier demands; then no issuer can
tell different histories to different people, unless that many witnesses help.

A witness is of use if other people run it than those who run the issuers. It
needs no secret but its key. What it saw is in DATA/witness: never delete that
directory and never put an old copy of it back. A witness that forgot is retired,
with its key, and another one is made.`,
	}
	var name string
	var initJSON bool
	init := &cobra.Command{
		Use: "init", Short: "Make a witness: its key and the directory of what it saw",
		Example: "  kinpass witness init --name witness.example/w1 --data /srv/witness",
		RunE: func(c *cobra.Command, _ []string) error {
			info, err := h.initWitness(name)
			if err != nil {
				return err
			}
			if initJSON {
				return printJSON(c.OutOrStdout(), info)
			}
			fmt.Fprintf(c.OutOrStdout(), "witness %s\nkey %s\nGive %s to whoever keeps the trust list and to the issuers.\n", info.Name, info.Verifier, h.path(witnessFile))
			return nil
		},
	}
	init.Flags().StringVar(&name, "name", "", "its name in signatures: an address without the scheme, such as witness.example/w1")
	init.Flags().BoolVar(&initJSON, "json", false, "print JSON")
	if err := init.MarkFlagRequired("name"); err != nil {
		panic(err) // the flag is made two lines above
	}

	var listen, trustList, anchor string
	var logs []string
	run := &cobra.Command{
		Use: "run", Short: "Answer issuers until it is stopped",
		Long: `Answers POST /add-checkpoint (C2SP tlog-witness), and for everybody
GET /HASH/checkpoint, the newest checkpoint that it cosigned of the ledger whose
name has this SHA-256 in hex, and GET /, what it is and follows.

It follows the ledgers of a trust list, which it reads again as it changes, and
those that --log names. Put a reverse proxy with TLS in front of it.`,
		Example: "  kinpass witness run --data /srv/witness --trust-list https://registry.example/trust-list --anchor anchor.json",
		RunE: func(c *cobra.Command, _ []string) error {
			ledgers, err := readLogs(logs)
			if err != nil {
				return err
			}
			if trustList == "" && len(ledgers) == 0 {
				return usage{errors.New("name the ledgers to follow with --trust-list or --log")}
			}
			source := &trustSource{home: h, from: trustList, anchor: anchor, clock: now}
			w, err := h.openWitness(c.Context(), func(ctx context.Context, origin string) (tlog.Verifier, error) {
				if v, ok := ledgers[origin]; ok {
					return v, nil
				}
				if trustList == "" {
					return tlog.Verifier{}, witness.ErrUnknownLog
				}
				return source.ledger(ctx, origin)
			}, newLog(c.ErrOrStderr(), slog.LevelInfo))
			if err != nil {
				return err
			}
			defer w.Close()
			l, err := net.Listen("tcp", listen)
			if err != nil {
				return fault.New(fault.Unavailable, "address-in-use", "the address cannot be listened on").With(err).
					WithHint("choose another with --listen, such as 127.0.0.1:9090")
			}
			fmt.Fprintf(c.OutOrStdout(), "witness: %s (listening on %s)\n", w.Verifier(), l.Addr())
			return w.Serve(c.Context(), l)
		},
	}
	f := run.Flags()
	f.StringVar(&listen, "listen", "127.0.0.1:8090", "address to listen on")
	f.StringVar(&trustList, "trust-list", "", "signed trust list, a file or an address, whose ledgers are followed")
	f.StringVar(&anchor, "anchor", "", "trust anchor (default DATA/anchor.json)")
	f.StringArrayVar(&logs, "log", nil, "ledger to follow, as NAME+HASH+KEY (can be repeated)")

	var asJSON bool
	show := &cobra.Command{
		Use: "show", Short: "Show the witness and what it saw of each ledger",
		RunE: func(c *cobra.Command, _ []string) error {
			info, err := h.witness()
			if err != nil {
				return err
			}
			self, err := tlog.ParseVerifier(info.Verifier)
			if err != nil {
				return err
			}
			seen, err := witness.Read(h.path(witnessName), self)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), struct {
					witnessInfo
					Ledgers []witness.Seen `json:"ledgers"`
				}{info, seen})
			}
			w := tabwriter.NewWriter(c.OutOrStdout(), 0, 4, 2, ' ', 0)
			fmt.Fprintf(w, "witness %s\nkey %s\n", info.Name, info.Verifier)
			fmt.Fprintln(w, "LEDGER\tENTRIES\tCOSIGNED")
			for _, s := range seen {
				fmt.Fprintf(w, "%s\t%d\t%s\n", s.Origin, s.Size, s.At.UTC().Format(time.RFC3339))
			}
			return w.Flush()
		},
	}
	show.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.AddCommand(init, run, show)
	return c
}

// readLogs reads ledgers that are named one by one.
func readLogs(logs []string) (map[string]tlog.Verifier, error) {
	out := map[string]tlog.Verifier{}
	for _, s := range logs {
		v, err := tlog.ParseVerifier(s)
		if _, twice := out[v.Name]; err != nil || v.IsWitness() || twice {
			return nil, usage{errors.New("--log takes a ledger's key as NAME+HASH+KEY, each ledger once")}
		}
		out[v.Name] = v
	}
	return out, nil
}

// readWitnesses reads the file about the witnesses that an issuer asks; "" names
// none.
func readWitnesses(name string) ([]issuer.LedgerWitness, error) {
	if name == "" {
		return nil, nil
	}
	raw, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var file struct {
		Witnesses []struct {
			Name string          `json:"name"`
			URL  string          `json:"url"`
			JWK  json.RawMessage `json:"publicKeyJwk"`
		} `json:"witnesses"`
	}
	bad := usage{errors.New("--witnesses takes a JSON file {\"witnesses\": [{\"name\", \"url\", \"publicKeyJwk\"}]}, each key Ed25519: see kinpass witness show --json")}
	if err := vc.StrictJSON(raw, &file, 5); err != nil || len(file.Witnesses) == 0 {
		return nil, bad
	}
	var out []issuer.LedgerWitness
	for _, w := range file.Witnesses {
		pub, err := vc.ParseJWK(w.JWK)
		if err != nil {
			return nil, bad
		}
		key, err := vc.NoteKey(pub)
		if err != nil {
			return nil, bad
		}
		out = append(out, issuer.LedgerWitness{Name: w.Name, URL: w.URL, Key: key})
	}
	return out, nil
}
