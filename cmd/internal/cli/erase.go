package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kinpass/kinpass/issuer"
)

// erased is what "kinpass erase" found and did.
type erased struct {
	issuer.Erasure
	Approval string `json:"approval,omitempty"` // that another person decides about
	Done     string `json:"done,omitempty"`     // proposed, erased or denied; "": nothing was changed
}

func newErase(h *home) *cobra.Command {
	var reason, approval, token, public string
	var yes, deny, asJSON bool
	c := &cobra.Command{
		Use:   "erase CREDENTIAL --reason REASON | --approval ID",
		Short: "Unlink a record from the public ledger, for good; two people decide",
		Long: `Deletes what links the record of a credential to the public ledger: the salts of its
commitments, and which entries were its. The entries stay as numbers, and nobody can
tell any more whose they are, not even with the credentials and the register in hand.
It cannot be undone, and there is no proof from the ledger any more for what was of
this record. The record itself stays; how long is for the law on civil registration.

One person proposes it, with CREDENTIAL and --reason, and another decides, with
--approval; each names a file with their own API token (kinpass token add). Without
--yes nothing is changed: it says what would be. A record of which something is in
force is not erased, nor one of which the ledger does not have everything yet.

CREDENTIAL is the identifier of any credential of the record, and REASON one of
` + strings.Join(issuer.EraseReasons, ", ") + `.`,
		Example: `  kinpass erase urn:uuid:6f2c7f0e-8f1c-4b5e-9a57-0d0b4d6b1c11 --reason request --token rita.token
  kinpass erase urn:uuid:6f2c7f0e-8f1c-4b5e-9a57-0d0b4d6b1c11 --reason request --token rita.token --yes
  kinpass erase --approval ID --token rob.token --yes`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case len(args) == 1 == (approval != ""):
				return usage{errors.New("name a CREDENTIAL to propose it, or --approval to decide")}
			case approval == "" && !slices.Contains(issuer.EraseReasons, reason):
				return usage{errors.New("--reason is one of " + strings.Join(issuer.EraseReasons, ", "))}
			case approval != "" && reason != "":
				return usage{errors.New("the reason is that of who proposed it")}
			case token == "":
				return usage{errors.New("--token names a file with your API token")}
			case deny && (yes || approval == ""):
				return usage{errors.New("--deny goes with --approval, and without --yes")}
			}
			i, who, done, err := h.atTheDesk(c.Context(), token, public)
			if err != nil {
				return err
			}
			defer done()
			out := erased{Approval: approval}
			if approval == "" {
				err = out.propose(c.Context(), i, who, proposal{args[0], reason, yes})
			} else {
				err = out.decide(c.Context(), i, who, yes, deny)
			}
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), out)
			}
			return out.print(c.OutOrStdout())
		},
	}
	f := c.Flags()
	f.StringVar(&reason, "reason", "", "why: "+words(issuer.EraseReasons))
	f.StringVar(&approval, "approval", "", "decide about what another person proposed")
	f.StringVar(&token, "token", "", "file with your API token (role registrar or humanitarian)")
	f.StringVar(&public, "public", "", "the issuer's public address (default that of the last run on this data directory)")
	f.BoolVar(&yes, "yes", false, "do it: propose it, or with --approval erase")
	f.BoolVar(&deny, "deny", false, "with --approval: refuse it")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// atTheDesk opens the issuer of this data directory for who holds a token.
func (h *home) atTheDesk(ctx context.Context, file, public string) (*issuer.Issuer, issuer.Caller, func(), error) {
	if _, err := h.mustRing(issuerRole); err != nil {
		return nil, issuer.Caller{}, nil, err
	}
	secret, err := os.ReadFile(file)
	if err != nil {
		return nil, issuer.Caller{}, nil, err
	}
	db, err := h.open(ctx, issuerRole)
	if err != nil {
		return nil, issuer.Caller{}, nil, err
	}
	t, err := db.TokenBySecret(ctx, strings.TrimSpace(string(secret)), now())
	db.Close()
	if err != nil {
		return nil, issuer.Caller{}, nil, err
	}
	i, done, err := h.newIssuer(ctx, issuerOptions{public: public})
	return i, issuer.Caller{ID: t.Caller(), Name: t.Name, Role: t.Role}, done, err
}

// proposal is what one person wants.
type proposal struct {
	credential, reason string
	yes                bool
}

func (e *erased) propose(ctx context.Context, i *issuer.Issuer, who issuer.Caller, p proposal) (err error) {
	if e.Erasure, err = i.Erasable(ctx, who, p.credential); err != nil || !p.yes {
		return err
	}
	o, err := i.Erase(ctx, who, p.credential, p.reason, "")
	if err == nil {
		e.Approval, e.Done = o.Approval, "proposed"
	}
	return err
}

func (e *erased) decide(ctx context.Context, i *issuer.Issuer, who issuer.Caller, yes, deny bool) (err error) {
	if e.Erasure, err = i.Erasing(ctx, who, e.Approval); err != nil || !yes && !deny {
		return err
	}
	if _, err = i.Approve(ctx, who, e.Approval, yes); err == nil {
		e.Done = map[bool]string{true: "erased", false: "denied"}[yes]
	}
	return err
}

func (e *erased) print(out io.Writer) error {
	fmt.Fprintf(out, "%s %s: %d entries of the ledger", e.Kind, e.Record, e.Entries)
	if e.Waiting > 0 {
		fmt.Fprintf(out, ", %d of which it does not have yet: they have to be in it before", e.Waiting)
	}
	fmt.Fprintln(out, ".")
	if e.Reason != "" {
		fmt.Fprintf(out, "Proposed by %s, reason: %s.\n", visible(e.Proposer), e.Reason)
	}
	what := "Nothing was changed. With --yes it is proposed; another person decides."
	switch {
	case e.Done == "" && e.Entries == 0:
		what = "Nothing links it to the ledger."
	case e.Done == "proposed":
		what = "Proposed. Another person decides: kinpass erase --approval " + e.Approval + " --token FILE"
	case e.Done == "erased":
		what = "Erased. Nobody can tell any more which entries were of this record."
	case e.Done == "denied":
		what = "Refused. Everything stays as it was."
	case e.Approval != "":
		what = "Nothing was changed. With --yes it is erased, for good; with --deny it is refused."
	}
	_, err := fmt.Fprintln(out, what)
	return err
}
