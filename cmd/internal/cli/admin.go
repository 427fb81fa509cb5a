package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/kinpass/kinpass/internal/account"
	"github.com/kinpass/kinpass/internal/qr"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/web"
	"github.com/kinpass/kinpass/web/border"
	"github.com/kinpass/kinpass/web/guardian"
	"github.com/kinpass/kinpass/web/reference"
	"github.com/kinpass/kinpass/web/registrar"
	"github.com/kinpass/kinpass/web/scan"
)

// accounts opens the accounts of a service.
func (h *home) accounts(service, base string, db *store.DB) (*account.Accounts, error) {
	return account.New(account.Config{DB: db, Service: service, Base: base, Roles: tokenRoles[service], Now: now})
}

// apps are the pages of the services.
var apps = map[string][]web.App{
	issuerRole:   {registrar.App, reference.App},
	walletRole:   {guardian.App, scan.App, reference.App},
	verifierRole: {border.App, scan.App, reference.App},
}

// pages makes the pages of a service with those who sign in to them.
func (h *home) pages(r *running, o options) (*account.Pages, error) {
	cfg := account.Config{DB: r.db, Service: r.role, Base: r.base, Roles: tokenRoles[r.role], Now: o.clock, Development: o.development}
	if o.signIn != "" {
		f, err := readFederation(o.signIn)
		if err != nil {
			return nil, err
		}
		cfg.Federation = f
	}
	x, err := account.New(cfg)
	if err != nil {
		return nil, err
	}
	site, err := web.New(r.role, r.base, apps[r.role]...)
	if err != nil {
		return nil, err
	}
	if err := h.keepAddress(r.role, r.base); err != nil {
		return nil, err
	}
	r.accounts = x
	return account.NewPages(x, site), nil
}

// readFederation reads the file about an organisation's sign-in. The secret is
// in a file of its own.
func readFederation(name string) (*account.Federation, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var in struct {
		Name       string `json:"name"`
		Issuer     string `json:"issuer"`
		ClientID   string `json:"clientId"`
		SecretFile string `json:"clientSecretFile"`
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return nil, usage{errors.New("the file named by --sign-in is a JSON object with name, issuer, clientId and clientSecretFile")}
	}
	f := &account.Federation{Name: in.Name, Issuer: in.Issuer, ClientID: in.ClientID}
	if in.SecretFile != "" {
		secret, err := os.ReadFile(in.SecretFile)
		if err != nil {
			return nil, err
		}
		f.ClientSecret = strings.TrimSpace(string(secret))
	}
	return f, nil
}

func newAdmin(h *home) *cobra.Command {
	c := &cobra.Command{Use: "admin", Short: "Invite people to the pages of a service, list and close their accounts"}
	var service string
	c.PersistentFlags().StringVar(&service, "service", "", "issuer, wallet or verifier")
	must(c.MarkPersistentFlagRequired("service"))
	c.AddCommand(newAdminInvite(h, &service), newAdminList(h, &service),
		newAdminSwitch(h, &service, "close", "Close an account: sessions and tokens end at once", (*account.Accounts).Close),
		newAdminSwitch(h, &service, "reopen", "Open a closed account again", (*account.Accounts).Reopen))
	return c
}

// openAccounts opens the accounts of the service that --service names. The
// function that comes back closes the database.
func (h *home) openAccounts(ctx context.Context, service, public string) (*account.Accounts, func(), error) {
	if _, ok := tokenRoles[service]; !ok {
		return nil, nil, usage{errors.New("--service must be issuer, wallet or verifier")}
	}
	if public == "" {
		public = h.address(service)
	}
	base, err := publicURL(public)
	if err != nil {
		return nil, nil, err
	}
	db, err := h.open(ctx, service)
	if err != nil {
		return nil, nil, err
	}
	x, err := h.accounts(service, base, db)
	if err != nil {
		db.Close()
		return nil, nil, err
	}
	return x, func() { db.Close() }, nil
}

func newAdminInvite(h *home, service *string) *cobra.Command {
	var role, name, public, token string
	var asJSON bool
	c := &cobra.Command{
		Use:   "invite",
		Short: "Make an invitation and print its link once",
		Long: `Makes an invitation to the pages of a service. Its link is printed once, works
once and for seven days; only its hash is stored. This is how the first
administrator comes in, who then invites the others on the page "People".

  --service issuer    roles administrator, registrar, court, protectionAuthority, auditor
  --service wallet    roles administrator, guardian
  --service verifier  roles administrator, officer, supervisor, auditor

With --token an API token's wallet becomes that of the new account, which is
then opened with passkeys as well as with the token.`,
		Example: "  kinpass admin invite --service issuer --role administrator --name \"M. Okafor\"",
		RunE: func(c *cobra.Command, _ []string) error {
			x, done, err := h.openAccounts(c.Context(), *service, public)
			if err != nil {
				return err
			}
			defer done()
			secret, i, err := x.Invite(c.Context(), account.Guest{Role: role, Name: name, Token: token})
			if err != nil {
				return err
			}
			link := x.Link(secret)
			if asJSON {
				return printJSON(c.OutOrStdout(), map[string]any{"id": i.ID, "account": i.Account, "service": *service, "role": i.Role, "expires": i.Expires.UTC(), "link": link})
			}
			if isTerminal(c.ErrOrStderr()) {
				img, err := qr.DrawAny(link, qr.M)
				if err != nil {
					return err
				}
				fmt.Fprint(c.ErrOrStderr(), img.Terminal())
			}
			fmt.Fprintf(c.ErrOrStderr(), "invitation to %s as %s, once, until %s; it is shown this once:\n", *service, i.Role, i.Expires.UTC().Format("2006-01-02"))
			fmt.Fprintln(c.OutOrStdout(), link)
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&role, "role", "", "role of the account")
	f.StringVar(&name, "name", "", "name of the person, for staff; guardians have none here")
	f.StringVar(&public, "public", "", "public address of the service (default: the one it last ran under here)")
	f.StringVar(&token, "token", "", "wallet: id of a guardian's API token whose wallet the account takes over")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	must(c.MarkFlagRequired("role"))
	return c
}

func newAdminList(h *home, service *string) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "list",
		Short: "List the accounts of a service",
		RunE: func(c *cobra.Command, _ []string) error {
			x, done, err := h.openAccounts(c.Context(), *service, "")
			if err != nil {
				return err
			}
			defer done()
			all, err := x.List(c.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), all)
			}
			w := tabwriter.NewWriter(c.OutOrStdout(), 0, 4, 2, ' ', 0)
			fmt.Fprintln(w, "ID\tROLE\tNAME\tCREATED\tPASSKEYS\tSTATE")
			for _, a := range all {
				state := "open"
				if a.Closed {
					state = "closed"
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\n", a.ID, a.Role, a.Name, a.Created.UTC().Format("2006-01-02"), a.Passkeys, state)
			}
			return w.Flush()
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func newAdminSwitch(h *home, service *string, verb, short string, act func(*account.Accounts, context.Context, string) error) *cobra.Command {
	return &cobra.Command{
		Use:   verb + " ID",
		Short: short,
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			x, done, err := h.openAccounts(c.Context(), *service, "")
			if err != nil {
				return err
			}
			defer done()
			if err := act(x, c.Context(), args[0]); err != nil {
				return err
			}
			fmt.Fprintln(c.OutOrStdout(), map[string]string{"close": "closed", "reopen": "open"}[verb])
			return nil
		},
	}
}
