package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/issuer"
)

func newImport(h *home) *cobra.Command {
	var births, guardianships, refused, at, operator, approver, public, alg string
	var offices []string
	var asJSON bool
	c := &cobra.Command{
		Use:   "import --births FILE.jsonl --guardianships FILE.jsonl",
		Short: "Register many births and guardianships at once",
		Long: `Reads one registration per line, checks and registers each and issues its paper
credential. A line that breaks a rule is refused and written to --refused with
the field and the rule; a line that looks like a record that exists is held.

A guardianship is signed with the key of the office that its legal basis is of:
a court order with the court's. Keys for the offices named by --offices are made
if they are missing; put them on the trust list (kinpass trust add --roles).

The import can be stopped at any moment, also by a power cut, and run again with
the same files: what was done is not done twice. One operator and one approver,
two different people, stand for the whole batch.

Prints {accepted, refused, held, notIssued, perSecond}; accepted + refused +
held is the number of lines, notIssued is part of accepted.`,
		Example: "  kinpass import --births births.jsonl --guardianships guardianships.jsonl --refused refused.jsonl",
		RunE: func(c *cobra.Command, _ []string) error {
			if births == "" && guardianships == "" {
				return usage{errors.New("nothing to import: name --births, --guardianships or both")}
			}
			when, err := parseAt(at)
			if err != nil {
				return err
			}
			if err := checkOffices(offices); err != nil {
				return err
			}
			if operator == approver {
				return usage{errors.New("--operator and --approver must be two people")}
			}
			cfg := issuer.ImportConfig{At: when, Operator: operator, Approver: approver}
			var total int64
			for _, in := range []struct {
				name string
				to   *io.Reader
			}{{births, &cfg.Births}, {guardianships, &cfg.Guardianships}} {
				if in.name == "" {
					continue
				}
				f, err := os.Open(in.name)
				if err != nil {
					return err
				}
				defer f.Close()
				n, err := countLines(f)
				if err != nil {
					return err
				}
				total += n
				*in.to = f
			}
			var out *os.File
			if refused != "" {
				if out, err = os.OpenFile(refused, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600); err != nil {
					return err
				}
				defer out.Close()
				cfg.Refused = out
			}
			ctx := c.Context()
			i, closeDB, err := h.newIssuer(ctx, issuerOptions{public: public, alg: alg, offices: offices, clock: func() time.Time { return when }})
			if err != nil {
				return err
			}
			defer closeDB()
			if isTerminal(os.Stderr) {
				bar := progressbar.NewOptions64(total, progressbar.OptionSetWriter(os.Stderr), progressbar.OptionShowCount(),
					progressbar.OptionShowIts(), progressbar.OptionSetItsString("records"), progressbar.OptionSetDescription("registering"), progressbar.OptionClearOnFinish())
				cfg.Progress = func(lines int) { _ = bar.Set(lines) }
				defer bar.Close()
			}
			sum, err := i.Import(ctx, cfg)
			if err != nil {
				if ctx.Err() != nil {
					return errors.New("stopped; run the same command again to go on where it stopped")
				}
				return err
			}
			if out != nil {
				if err := out.Sync(); err != nil {
					return err
				}
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), sum)
			}
			w := c.OutOrStdout()
			fmt.Fprintf(w, "accepted  %d\nrefused   %d\nheld      %d\nnotIssued %d (part of accepted)\nrate      %.0f per second\n",
				sum.Accepted, sum.Refused, sum.Held, sum.NotIssued, sum.PerSecond)
			for _, rule := range slices.Sorted(maps.Keys(sum.Rules)) {
				fmt.Fprintf(w, "  %-32s %d\n", rule, sum.Rules[rule])
			}
			if sum.Refused > 0 && refused == "" {
				fmt.Fprintln(c.ErrOrStderr(), "hint: --refused FILE writes the refused lines with field and rule")
			}
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&births, "births", "", "JSONL file of births")
	f.StringVar(&guardianships, "guardianships", "", "JSONL file of guardianships")
	f.StringVar(&refused, "refused", "", "write refused lines to this file")
	f.StringVar(&at, "at", "", "RFC 3339 date or time of the registration (default now)")
	f.StringVar(&operator, "operator", "import-operator", "who imports")
	f.StringVar(&approver, "approver", "import-approver", "who approved the batch")
	f.StringVar(&public, "public", "", "the issuer's public address, which decides its did:web (default that of the last run on this data directory, at first "+defaultPublic+")")
	f.StringVar(&alg, "alg", keys.EdDSA, "algorithm of the signing key if one has to be made: EdDSA or ES256")
	f.StringSliceVar(&offices, "offices", everyOffice, "offices whose guardianships are imported; their keys are made if they are missing")
	f.BoolVar(&asJSON, "json", false, "print the summary as JSON")
	return c
}

// countLines counts the lines that hold something, and goes back to the start.
func countLines(f *os.File) (int64, error) {
	var n int64
	r := bufio.NewReaderSize(f, 1<<20)
	some := false
	for {
		b, err := r.ReadByte()
		if err == io.EOF {
			break
		}
		if err != nil {
			return 0, err
		}
		switch b {
		case '\n':
			if some {
				n++
			}
			some = false
		case ' ', '\t', '\r':
		default:
			some = true
		}
	}
	if some {
		n++
	}
	_, err := f.Seek(0, io.SeekStart)
	return n, err
}

func newFsck(h *home) *cobra.Command {
	var asJSON bool
	var public string
	c := &cobra.Command{
		Use:   "fsck",
		Short: "Find and finish reservations that a crash left open",
		Long: `A credential is reserved, signed and sealed. A crash in between leaves a
reservation; fsck signs the very bytes that were reserved and seals them, so
that nothing is lost and nothing is issued twice. Then every signed credential
is verified with the published keys. It is safe beside a running issuer, makes
no keys, and needs the --data and --public of the issuer. Exit code 1 if
something could not be finished or does not verify.`,
		RunE: func(c *cobra.Command, _ []string) error {
			if _, err := h.mustRing(issuerRole); err != nil {
				return err
			}
			i, closeDB, err := h.newIssuer(c.Context(), issuerOptions{public: public, alg: keys.EdDSA})
			if err != nil {
				return err
			}
			defer closeDB()
			r, err := i.Recover(c.Context())
			if err != nil {
				return err
			}
			v, err := i.Verify(c.Context())
			if err != nil {
				return err
			}
			bad := r.Failed > 0 || v.Bad > 0
			if asJSON {
				err := printJSON(c.OutOrStdout(), map[string]any{"open": r.Open, "sealed": r.Sealed, "failed": r.Failed, "checked": v.Checked, "bad": v.Bad, "clean": !bad})
				if err != nil {
					return err
				}
			} else {
				w := c.OutOrStdout()
				if r.Open > 0 {
					fmt.Fprintf(w, "open reservations %d, finished %d, failed %d\n", r.Open, r.Sealed, r.Failed)
				}
				if v.Bad > 0 {
					fmt.Fprintf(w, "credentials that do not verify with the published keys: %d of %d\n", v.Bad, v.Checked)
				}
				if !bad {
					fmt.Fprintf(w, "clean: nothing is left open, and %d credentials verify\n", v.Checked)
				}
			}
			if bad {
				return &exit{code: 1}
			}
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.Flags().StringVar(&public, "public", "", "the issuer's public address (default that of the last run on this data directory)")
	return c
}
