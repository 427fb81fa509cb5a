package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/kinpass/kinpass/internal/store"
)

// tokenRoles says which roles a token of each service can have.
var tokenRoles = map[string][]string{
	issuerRole:   append(slices.Clone(trustRoles), "auditor"),
	walletRole:   {"guardian"},
	verifierRole: {"officer", "supervisor", "auditor"},
}

func newToken(h *home) *cobra.Command {
	c := &cobra.Command{Use: "token", Short: "Make, list and revoke API tokens"}
	var service, role, name, account string
	var days int
	var asJSON bool
	add := &cobra.Command{
		Use:   "add",
		Short: "Make a token and print it once",
		Long: `Makes an API token. It is printed once and stored only as a hash.

  --service issuer    roles registrar, court, protectionAuthority, notary, consulate,
                      witness, humanitarianOrganisation, auditor
  --service wallet    role guardian
  --service verifier  roles officer, supervisor, auditor

One token per person: an act that needs a second person is refused when both
tokens carry the same name.`,
		Example: "  kinpass token add --role registrar --name \"Desk 3, A.\"",
		RunE: func(c *cobra.Command, _ []string) error {
			if service == "" {
				service = serviceOf(role)
			}
			if !slices.Contains(tokenRoles[service], role) {
				return usage{errors.New("this service has no such role (see: kinpass token add --help)")}
			}
			name = strings.TrimSpace(name)
			if days < 0 {
				return usage{errors.New("--days must not be negative")}
			}
			db, err := h.open(c.Context(), service)
			if err != nil {
				return err
			}
			defer db.Close()
			var expires time.Time
			if days > 0 {
				expires = now().UTC().AddDate(0, 0, days)
			}
			var secret string
			var t store.Token
			if account != "" {
				secret, t, err = db.AddTokenOf(c.Context(), account, store.Token{Name: name, Role: role, Expires: expires})
			} else {
				secret, t, err = db.AddToken(c.Context(), name, role, expires)
			}
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), map[string]any{"id": t.ID, "service": service, "role": role, "token": secret})
			}
			fmt.Fprintln(c.ErrOrStderr(), "token", t.ID, "for", service, "as", role+"; it is shown this once:")
			fmt.Fprintln(c.OutOrStdout(), secret)
			return nil
		},
	}
	add.Flags().StringVar(&service, "service", "", "issuer, wallet or verifier (default: from the role)")
	add.Flags().StringVar(&role, "role", "", "role of the token")
	add.Flags().StringVar(&name, "name", "", "who holds it: a person or a system")
	add.Flags().StringVar(&account, "account", "", "account that it acts as (see: kinpass admin list); a guardian's tokens and devices then share one wallet")
	add.Flags().IntVar(&days, "days", 0, "days until it expires; 0 means it does not")
	add.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	must(add.MarkFlagRequired("role"))
	must(add.MarkFlagRequired("name"))

	var listService string
	list := &cobra.Command{
		Use: "list", Short: "List tokens (not their secrets)",
		RunE: func(c *cobra.Command, _ []string) error {
			w := tabwriter.NewWriter(c.OutOrStdout(), 0, 4, 2, ' ', 0)
			fmt.Fprintln(w, "SERVICE\tID\tROLE\tNAME\tCREATED\tSTATE")
			var rows []any
			for _, s := range roles {
				if listService != "" && listService != s {
					continue
				}
				db, err := h.open(c.Context(), s)
				if err != nil {
					return err
				}
				tokens, err := db.Tokens(c.Context())
				db.Close()
				if err != nil {
					return err
				}
				for _, t := range tokens {
					state := "valid"
					switch {
					case t.Revoked:
						state = "revoked"
					case !t.Expires.IsZero() && !now().Before(t.Expires):
						state = "expired"
					}
					rows = append(rows, map[string]any{"service": s, "id": t.ID, "role": t.Role, "name": t.Name, "created": t.Created, "state": state})
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", s, t.ID, t.Role, t.Name, stamp(t.Created), state)
				}
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), rows)
			}
			return w.Flush()
		},
	}
	list.Flags().StringVar(&listService, "service", "", "only this service")
	list.Flags().BoolVar(&asJSON, "json", false, "print JSON")

	var revokeService string
	revoke := &cobra.Command{
		Use: "revoke ID", Short: "End a token at once", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if _, ok := tokenRoles[revokeService]; !ok {
				return usage{errors.New("--service must be issuer, wallet or verifier")}
			}
			db, err := h.open(c.Context(), revokeService)
			if err != nil {
				return err
			}
			defer db.Close()
			if err := db.RevokeToken(c.Context(), args[0]); err != nil {
				return err
			}
			fmt.Fprintln(c.OutOrStdout(), "revoked")
			return nil
		},
	}
	revoke.Flags().StringVar(&revokeService, "service", "", "issuer, wallet or verifier")
	must(revoke.MarkFlagRequired("service"))
	c.AddCommand(add, list, revoke)
	return c
}

// serviceOf gives the service that a role belongs to; an auditor must say.
func serviceOf(role string) string {
	found := ""
	for _, s := range roles {
		if slices.Contains(tokenRoles[s], role) {
			if found != "" {
				return ""
			}
			found = s
		}
	}
	return found
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
