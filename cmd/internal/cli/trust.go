package cli

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/didweb"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/trust"
	"github.com/kinpass/kinpass/internal/vc"
)

const trustFile = "trust.jws"

// trustTerm is how long a trust list is good before the next one is due.
const trustTerm = 30 * 24 * time.Hour

// openTrust reads DATA/trust.jws and verifies it with the anchor ring's keys.
func (h *home) openTrust() (*vc.TrustList, error) {
	b, err := os.ReadFile(h.path(trustFile))
	if err != nil {
		return nil, errNoTrust.With(err)
	}
	anchors, err := h.anchors("")
	if err != nil {
		return nil, err
	}
	return vc.OpenTrustList(strings.TrimSpace(string(b)), anchors)
}

// editTrust changes the trust list and signs it anew.
func (h *home) editTrust(edit func(*vc.TrustList) error) (*vc.TrustList, error) {
	return h.editTrustAt(now(), edit)
}

func newTrust(h *home) *cobra.Command {
	c := &cobra.Command{
		Use:   "trust",
		Short: "Keep the trust list: which key may sign which credential, from when to when",
		Long: `The trust list is signed by the trust anchor (DATA/anchor.keys); every change
makes a new, signed list with a higher number in DATA/trust.jws. Officers and
wallets need DATA/anchor.json, which holds only public keys.

With several anchors of which more than one must sign (trust init --threshold),
and not enough of their keys in this data directory, a change goes into a draft.
"trust propose" writes it for signing, each holder of an anchor signs it on a
machine of their own with "trust cosign", "trust publish" puts it in force.`,
	}
	var docFile, name, country, shelf, role, from, until string
	var labelled, keyRoles, bases, mayRevoke []string
	var consentStatus bool
	add := &cobra.Command{
		Use:   "add DID",
		Short: "Put an issuer on the list, or the keys it has gained",
		Long: `Reads the issuer's DID document (from --document, or over the network for
did:web) and puts its keys on the list. Compare the document with its owner by
another way first: this act is what trust rests on.

--role is for the keys that the document labels for no role. A key that it
labels for a role, as of a court whose register the issuer keeps, comes onto the
list if --role or --roles names that role, and is passed by otherwise. Without
--role and with --roles, only labelled keys come onto the list. --key-role gives
one key its role by name.`,
		Example: `  kinpass trust add did:web:registry.example --role registrar --roles court,notary --consent-status --name "Civil registry"
  kinpass trust add did:web:consulate.example --role consulate
  kinpass trust add did:web:court.example --role court --may-revoke did:web:registry.example
  kinpass trust add did:web:registry.example --key-role key-7=court --bases court=courtOrder,kafala`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			e := trust.Entry{Name: name, Country: country, Labelled: labelled, MayRevoke: mayRevoke}
			e.Role = role
			if !c.Flags().Changed("role") && len(labelled)+len(keyRoles) > 0 {
				e.Role = ""
			}
			e.Types = trust.DefaultTypes(e.Role)
			for _, r := range append([]string{role}, labelled...) {
				if len(trust.DefaultTypes(r)) == 0 {
					return usage{errors.New("a role is one of " + strings.Join(trustRoles, ", "))}
				}
			}
			if err := readRoles(&e, keyRoles, bases); err != nil {
				return err
			}
			if c.Flags().Changed("consent-status") {
				e.ConsentStatus = &consentStatus
			}
			// A year back, so that what the office issued before it came onto the
			// list is good too.
			nb := now().UTC().AddDate(-1, 0, 0).Truncate(time.Second)
			var err error
			if from != "" {
				if nb, err = parseAt(from); err != nil {
					return err
				}
			}
			var na time.Time
			if until != "" {
				if na, err = parseAt(until); err != nil {
					return err
				}
			}
			doc, err := readDocument(c.Context(), args[0], docFile)
			if err != nil {
				return err
			}
			if shelf == "" {
				u, err := did.WebURL(args[0])
				if err != nil {
					return err
				}
				shelf = strings.TrimSuffix(strings.TrimSuffix(u, "/did.json"), "/.well-known")
			}
			if u, err := url.Parse(shelf); err != nil || u.Host == "" {
				return usage{errors.New("--shelf takes the address of the issuer's published files")}
			}
			e.Document, e.Shelf, e.From, e.Until = doc, strings.TrimRight(shelf, "/"), nb, na
			ledger := h.findLedger(c.Context(), args[0], e.Shelf, docFile == "")
			l, err := h.editTrust(func(l *vc.TrustList) error {
				if err := trust.AddIssuer(l, e); err != nil {
					return err
				}
				return ledger.put(l, args[0])
			})
			if err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "trust list %d: %s may sign as %s\n", l.Sequence, args[0], strings.Join(rolesOf(l, args[0]), ", "))
			return nil
		},
	}
	add.Flags().StringVar(&docFile, "document", "", "file with the DID document (default: fetched, for did:web)")
	add.Flags().StringVar(&name, "name", "", "name shown to officers")
	add.Flags().StringVar(&country, "country", "", "ISO 3166-1 alpha-3 code")
	add.Flags().StringVar(&shelf, "shelf", "", "address of its published files (default: from the did:web)")
	add.Flags().StringVar(&role, "role", vc.RoleRegistrar, "role of the keys without a label: "+strings.Join(trustRoles, ", "))
	add.Flags().StringSliceVar(&labelled, "roles", nil, "roles whose labelled keys are accepted too")
	add.Flags().StringArrayVar(&keyRoles, "key-role", nil, "NAME=ROLE: role of one key, by its name in the document (can be repeated)")
	add.Flags().StringArrayVar(&bases, "bases", nil, "ROLE=BASIS,BASIS: legal bases that its keys may sign (default those of the role; can be repeated)")
	add.Flags().BoolVar(&consentStatus, "consent-status", false, "it hosts the status of travel consents for the children whose births it signs")
	add.Flags().StringSliceVar(&mayRevoke, "may-revoke", nil, "DIDs of issuers whose status lists this authority may override")
	add.Flags().StringVar(&from, "from", "", "RFC 3339 time from which its keys are believed (default a year ago)")
	add.Flags().StringVar(&until, "until", "", "RFC 3339 time at which that ends (default none)")

	hub := &cobra.Command{
		Use: "add-hub", Short: "Let this verifier's hub key sign border bundles",
		RunE: func(c *cobra.Command, _ []string) error {
			r, err := h.ensureRing(verifierRole, keys.EdDSA)
			if err != nil {
				return err
			}
			k, err := r.Current(keys.UseHub, now())
			if err != nil {
				return err
			}
			var id string
			l, err := h.editTrust(func(l *vc.TrustList) error {
				id, err = trust.AddHub(l, k.Public(), k.NotBefore, k.NotAfter)
				return err
			})
			if err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "trust list %d: %s may sign bundles\n", l.Sequence, id)
			return nil
		},
	}
	remove := &cobra.Command{
		Use: "remove DID|KEY", Short: "Take an issuer, or one key, off the list", Args: cobra.ExactArgs(1),
		Long: `What it signed is no longer believed, whenever that was. That is for what was put
on the list by mistake. What has a past stays, because taken off and put on again it
would have none: an issuer with an accreditation, findings or a ledger, and a key with
an end or a cut-off. To stop an issuer, suspend it (kinpass trust suspend); to stop a
key, end it (kinpass trust end) or cut it off (kinpass trust cutoff).`,
		RunE: h.trustEdit("removed", func(l *vc.TrustList, id string, _ time.Time) error { return trust.Remove(l, id) }, nil),
	}
	var cutAt, endAt string
	var cutSize int64
	cut := &cobra.Command{
		Use: "cutoff KEY", Short: "A key was compromised: believe nothing it signed from --at on", Args: cobra.ExactArgs(1),
		RunE: h.trustEdit("cut off", func(l *vc.TrustList, id string, at time.Time) error { return trust.CutOff(l, id, at, cutSize) }, &cutAt),
	}
	cut.Flags().StringVar(&cutAt, "at", "", "RFC 3339 time of the compromise (default now)")
	cut.Flags().Int64Var(&cutSize, "ledger-size", 0, "entries of the issuer's ledger at that time: what they commit to stays good (default none does)")
	end := &cobra.Command{
		Use: "end KEY", Short: "Retire a key: what it signed stays good, it signs nothing after --at", Args: cobra.ExactArgs(1),
		RunE: h.trustEdit("ended", trust.End, &endAt),
	}
	end.Flags().StringVar(&endAt, "at", "", "RFC 3339 time of the end (default now)")

	var asJSON bool
	show := &cobra.Command{
		Use: "show", Short: "Verify and show the list",
		RunE: func(c *cobra.Command, _ []string) error {
			l, err := h.openTrust()
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), l)
			}
			w := tabwriter.NewWriter(c.OutOrStdout(), 0, 4, 2, ' ', 0)
			fmt.Fprintf(w, "trust list %d, issued %s, next due %s\n", l.Sequence, l.IssuedAt.Format(time.RFC3339), l.Next.Format(time.RFC3339))
			fmt.Fprintln(w, "KEY\tROLE\tFROM\tUNTIL\tCUT OFF\tSIGNS\tBASES")
			row := func(k vc.TrustKey) {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", k.ID, k.Role, stamp(k.NotBefore), stamp(k.NotAfter), stamp(k.CutOff),
					listed(k.Types), listed(k.Bases))
			}
			for _, i := range l.Issuers {
				for _, k := range i.Keys {
					row(k)
				}
			}
			for _, k := range l.Hubs {
				row(k)
			}
			if err := w.Flush(); err != nil {
				return err
			}
			for _, i := range l.Issuers {
				if i.ConsentStatus {
					fmt.Fprintf(c.OutOrStdout(), "%s hosts the status of travel consents\n", i.DID)
				}
				for _, id := range i.MayRevoke {
					fmt.Fprintf(c.OutOrStdout(), "%s may override the status lists of %s\n", i.DID, id)
				}
				showStanding(c.OutOrStdout(), &i)
			}
			showWitnesses(c.OutOrStdout(), l)
			return nil
		},
	}
	show.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	sign := &cobra.Command{
		Use: "renew", Short: "Sign the list again, unchanged, before the next one is due",
		RunE: func(c *cobra.Command, _ []string) error {
			l, err := h.editTrust(func(*vc.TrustList) error { return nil })
			if err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "trust list %d, next due %s\n", l.Sequence, stamp(l.Next))
			return nil
		},
	}
	c.AddCommand(h.trustInit(), h.trustAnchor(), h.trustPropose(), h.trustCosign(), h.trustPublish())
	c.AddCommand(add, hub, remove, cut, end, show, sign)
	c.AddCommand(h.trustLedger(), h.trustWitness(), h.trustQuorum())
	c.AddCommand(h.trustAccredit(), h.trustSuspend(), h.trustReinstate(), h.trustFinding())
	return c
}

// trustEdit is the body of the commands that change one entry.
func (h *home) trustEdit(verb string, act func(*vc.TrustList, string, time.Time) error, at *string) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		clock := now()
		t := clock.UTC()
		if at != nil && *at != "" {
			var err error
			if t, err = parseSince(*at); err != nil {
				return err
			}
		}
		l, err := h.editTrustAt(clock, func(l *vc.TrustList) error { return act(l, args[0], t) })
		if err != nil {
			return err
		}
		fmt.Fprintf(c.OutOrStdout(), "trust list %d: %s %s\n", l.Sequence, args[0], verb)
		return nil
	}
}

// trustRoles are the roles that keys of an issuer can have.
var trustRoles = append([]string{vc.RoleRegistrar}, keys.RoleUses()...)

// readRoles reads what --key-role and --bases say.
func readRoles(e *trust.Entry, keyRoles, bases []string) error {
	e.KeyRoles, e.Bases = map[string]string{}, map[string][]string{}
	for _, s := range keyRoles {
		name, role, _ := strings.Cut(s, "=")
		if name == "" || len(trust.DefaultTypes(role)) == 0 {
			return usage{errors.New("--key-role takes NAME=ROLE, a role being one of " + strings.Join(trustRoles, ", "))}
		}
		if _, twice := e.KeyRoles[name]; twice {
			return usage{errors.New("--key-role names a key twice")}
		}
		e.KeyRoles[name] = role
	}
	for _, s := range bases {
		role, list, ok := strings.Cut(s, "=")
		if !ok || list == "" || len(trust.DefaultTypes(role)) == 0 {
			return usage{errors.New("--bases takes ROLE=BASIS,BASIS, a role being one of " + strings.Join(trustRoles, ", "))}
		}
		e.Bases[role] = append(e.Bases[role], strings.Split(list, ",")...)
	}
	return nil
}

// rolesOf lists the roles that the keys of an issuer have.
func rolesOf(l *vc.TrustList, id string) []string {
	var out []string
	for _, i := range l.Issuers {
		if i.DID != id {
			continue
		}
		for _, k := range i.Keys {
			if !slices.Contains(out, k.Role) {
				out = append(out, k.Role)
			}
		}
	}
	return out
}

// listed writes a list into one cell of a table.
func listed(s []string) string {
	if len(s) == 0 {
		return "-"
	}
	return strings.Join(s, ",")
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

func readDocument(ctx context.Context, id, file string) (*did.Document, error) {
	if file != "" {
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		return did.ParseDocument(b, id)
	}
	return didweb.New(didweb.Config{Loopback: true}).Document(ctx, id)
}

// anchors reads and parses an anchor file.
func (h *home) anchors(file string) (vc.Anchors, error) {
	b, err := h.readAnchor(file)
	if err != nil {
		return vc.Anchors{}, err
	}
	return vc.ParseAnchors(b)
}
