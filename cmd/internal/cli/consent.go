package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kinpass/kinpass/api"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/vc"
)

// maxDossier bounds what is read from a file for the consent commands.
const maxDossier = 256 << 10

// consentAnswer is what the wallet says about a consent, as far as a terminal
// shows it.
type consentAnswer struct {
	ID       string `json:"id"`
	State    string `json:"state"`
	Quorum   int    `json:"quorum"`
	Grantors []struct {
		You    bool `json:"you"`
		Signed bool `json:"signed"`
	} `json:"grantors"`
	Lines      []string `json:"lines"`
	Invitation *link    `json:"invitation"`
}

type link struct {
	Link      string    `json:"link"`
	ExpiresAt time.Time `json:"expiresAt"`
}

// remote is a running server that a command speaks to for one person.
type remote struct {
	base, token string
	asJSON      bool
}

func (s *remote) flags(c *cobra.Command, name, base, whose string) {
	c.PersistentFlags().StringVar(&s.base, name, base, "address of the "+name+" service")
	c.PersistentFlags().StringVar(&s.token, "token", "", "file with the "+whose+" API token")
	c.PersistentFlags().BoolVar(&s.asJSON, "json", false, "print the answer as JSON")
}

func (s *remote) client() (*api.Client, error) {
	if s.token == "" {
		return nil, usage{errors.New("name the file with the API token: --token FILE (secrets never stand on a command line)")}
	}
	u, err := url.Parse(s.base)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, usage{errors.New("the address of the service is not a web address")}
	}
	b, err := os.ReadFile(s.token)
	if err != nil {
		return nil, err
	}
	return &api.Client{Base: strings.TrimRight(s.base, "/"), Token: strings.TrimSpace(string(b))}, nil
}

// ask sends a request and gives the answer's bytes.
func (s *remote) ask(ctx context.Context, method, path string, in any) ([]byte, error) {
	c, err := s.client()
	if err != nil {
		return nil, err
	}
	if method == "POST" {
		c = c.With("Idempotency-Key", store.Random(16))
	}
	var out []byte
	err = c.Do(ctx, method, path, in, &out)
	return out, err
}

func newConsent() *cobra.Command {
	wallet := &remote{}
	c := &cobra.Command{
		Use:   "consent",
		Short: "Agree to a child's journey: draft, sign, witness, share, withdraw",
		Long: `Travel consents, made in a guardian's wallet and signed with the guardian's own
key. Each guardian who must agree signs the same journey; or a witness, notary,
consulate or court checks the signatures and signs one consent for all.

  kinpass consent draft --to GBR --from-day 2026-12-18 … prints an invitation for
                         the other guardians
  kinpass consent sign ID, or --link FILE with another guardian's invitation
  kinpass consent dossier ID | kinpass consent witness --issuer URL -
  kinpass consent share ID    gives the adult who travels what they need
  kinpass consent withdraw ID at once, and nobody is told`,
	}
	wallet.flags(c, "wallet", "http://localhost:8081", "guardian's")
	c.AddCommand(consentDraft(wallet), consentSign(wallet), consentWitness(), consentWithdraw(wallet))
	show := func(use, short, method string, path func(string) string) *cobra.Command {
		return &cobra.Command{Use: use, Short: short, Args: cobra.ExactArgs(1), RunE: func(c *cobra.Command, args []string) error {
			out, err := wallet.ask(c.Context(), method, path(args[0]), nil)
			if err != nil {
				return err
			}
			return wallet.printConsent(c.OutOrStdout(), out)
		}}
	}
	c.AddCommand(
		show("show ID", "Show one consent: what it says, who has signed", "GET", consentPath("")),
		&cobra.Command{Use: "list", Short: "List the consents of this wallet", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
			out, err := wallet.ask(c.Context(), "GET", "/wallet/consents", nil)
			if err != nil {
				return err
			}
			return wallet.printConsents(c.OutOrStdout(), out)
		}},
		&cobra.Command{Use: "dossier ID", Short: "Print what a witness needs: birth, guardianships and signed consents", Args: cobra.ExactArgs(1),
			RunE: func(c *cobra.Command, args []string) error {
				out, err := wallet.ask(c.Context(), "GET", consentPath("/dossier")(args[0]), nil)
				if err != nil {
					return err
				}
				return printRaw(c.OutOrStdout(), out)
			}},
		&cobra.Command{Use: "attach ID FILE|-", Short: "Keep the witnessed consent that the witness gave", Args: cobra.ExactArgs(2),
			RunE: func(c *cobra.Command, args []string) error {
				in, err := readInput(c, args[1], maxDossier)
				if err != nil {
					return err
				}
				var w struct {
					Credential string `json:"credential"`
				}
				if err := json.Unmarshal(in, &w); err != nil || w.Credential == "" {
					w.Credential = strings.TrimSpace(string(in))
				}
				out, err := wallet.ask(c.Context(), "PUT", consentPath("/witnessed")(args[0]), w)
				if err != nil {
					return err
				}
				return wallet.printConsent(c.OutOrStdout(), out)
			}},
		&cobra.Command{Use: "share ID", Short: "Make the one-time link for the adult who travels with the child", Args: cobra.ExactArgs(1),
			RunE: func(c *cobra.Command, args []string) error {
				out, err := wallet.ask(c.Context(), "POST", consentPath("/share")(args[0]), nil)
				if err != nil {
					return err
				}
				if wallet.asJSON {
					return printRaw(c.OutOrStdout(), out)
				}
				var l link
				if err := json.Unmarshal(out, &l); err != nil {
					return api.ErrAnswer
				}
				fmt.Fprintf(c.ErrOrStderr(), "Give this link to the adult named in the consent, and to nobody else. It opens once, until %s.\n", l.ExpiresAt.Format(time.RFC3339))
				_, err = fmt.Fprintln(c.OutOrStdout(), l.Link)
				return err
			}},
		&cobra.Command{Use: "accept FILE|-", Short: "As the adult who travels: take what the guardians shared, by the link in a file", Args: cobra.ExactArgs(1),
			RunE: func(c *cobra.Command, args []string) error {
				l, err := readLink(c, args[0])
				if err != nil {
					return err
				}
				out, err := wallet.ask(c.Context(), "POST", "/wallet/shares", map[string]string{"link": l})
				if err != nil {
					return err
				}
				return printRaw(c.OutOrStdout(), out)
			}},
		&cobra.Command{Use: "key", Short: "Print this wallet's key, for guardians who name you in a consent", Args: cobra.NoArgs,
			RunE: func(c *cobra.Command, _ []string) error {
				out, err := wallet.ask(c.Context(), "GET", "/wallet/key", nil)
				if err != nil {
					return err
				}
				var k struct {
					DID string `json:"did"`
				}
				if wallet.asJSON {
					return printRaw(c.OutOrStdout(), out)
				}
				if err := json.Unmarshal(out, &k); err != nil {
					return api.ErrAnswer
				}
				_, err = fmt.Fprintln(c.OutOrStdout(), k.DID)
				return err
			}},
	)
	return c
}

func consentPath(more string) func(string) string {
	return func(id string) string { return "/wallet/consents/" + url.PathEscape(id) + more }
}

// draftRequest is the body of POST /wallet/consents.
type draftRequest struct {
	Child          string          `json:"child"`
	Mode           string          `json:"mode"`
	Accompanying   []vc.Companion  `json:"accompanying,omitempty"`
	Receiving      json.RawMessage `json:"receiving,omitempty"`
	Trip           vc.Trip         `json:"trip"`
	Relocation     bool            `json:"relocationAllowed,omitempty"`
	MedicalConsent string          `json:"medicalConsent,omitempty"`
}

func consentDraft(wallet *remote) *cobra.Command {
	var d draftRequest
	var whole, receiver, name, key, document, relation string
	var companions []string
	c := &cobra.Command{
		Use:   "draft",
		Short: "Write down a journey to agree to",
		Long: `Makes a draft in your wallet and prints it in plain words, with a link for the
other guardians who must agree. Nothing is signed yet.

Companions are --companion FILE (JSON with names, document, key, relation; can be
repeated), or one adult by --with, --with-key, --with-document and --relation.
--request FILE takes the whole draft as JSON instead, as POST /wallet/consents does.`,
		Example: `  kinpass consent draft --token me.token --child ID --mode withThirdParty --depart GHA --to GBR \
      --from-day 2026-12-18 --until-day 2027-01-06 --with "Esther Bah" --with-document passport:GHA:G0012345 --relation relative`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var body any = &d
			if whole != "" {
				in, err := readInput(c, whole, maxDossier)
				if err != nil {
					return err
				}
				body = json.RawMessage(in)
			} else {
				if err := d.complete(c, wallet); err != nil {
					return err
				}
				for _, f := range companions {
					in, err := readInput(c, f, maxDossier)
					if err != nil {
						return err
					}
					var x vc.Companion
					if err := vc.StrictJSON(in, &x, 6); err != nil {
						return usage{errors.New("--companion: not a companion in JSON, with names, document, key and relation")}
					}
					d.Accompanying = append(d.Accompanying, x)
				}
				if name != "" {
					x, err := companion(name, document)
					if err != nil {
						return err
					}
					x.Key, x.Relation = key, relation
					d.Accompanying = append(d.Accompanying, x)
				} else if key+document+relation != "" {
					return usage{errors.New("--with-key, --with-document and --relation go with --with NAME")}
				}
				if receiver != "" {
					in, err := readInput(c, receiver, maxDossier)
					if err != nil {
						return err
					}
					if !json.Valid(in) {
						return usage{errors.New("--receiver: not JSON (name, address, contact, document)")}
					}
					d.Receiving = in
				}
			}
			out, err := wallet.ask(c.Context(), "POST", "/wallet/consents", body)
			if err != nil {
				return err
			}
			return wallet.printConsent(c.OutOrStdout(), out)
		},
	}
	f := c.Flags()
	f.StringVar(&whole, "request", "", "the whole draft as JSON, - for standard input")
	f.StringVar(&d.Child, "child", "", "id of the child in this wallet (may be left out where there is one)")
	f.StringVar(&d.Mode, "mode", vc.ModeOneGuardian, "alone, withOneGuardian, withThirdParty or withGroup")
	f.StringVar(&d.Trip.DepartFrom, "depart", "", "country of departure, ISO 3166-1 alpha-3")
	f.StringSliceVar(&d.Trip.Destinations, "to", nil, "countries of destination")
	f.StringSliceVar(&d.Trip.Transit, "transit", nil, "countries passed through")
	f.StringVar(&d.Trip.NotBefore, "from-day", "", "first day of the journey, YYYY-MM-DD")
	f.StringVar(&d.Trip.NotAfter, "until-day", "", "last day on which a border may be crossed, YYYY-MM-DD")
	f.StringVar(&d.Trip.ReturnBy, "return-by", "", "day by which the child is back, YYYY-MM-DD")
	f.IntVar(&d.Trip.Crossings, "crossings", 0, "how many times a border may be crossed (default 2)")
	f.StringVar(&d.Trip.Purpose, "purpose", "", "holiday, family, study, medical, sport, relocation or other")
	f.BoolVar(&d.Relocation, "relocation", false, "the child may settle abroad")
	f.StringVar(&d.MedicalConsent, "medical", "", "none, emergency or full")
	f.StringArrayVar(&companions, "companion", nil, "file with a companion in JSON (can be repeated)")
	f.StringVar(&name, "with", "", "name of the adult who travels with the child, family name last")
	f.StringVar(&key, "with-key", "", "that adult's wallet key (did:key…; they see it with kinpass consent key)")
	f.StringVar(&document, "with-document", "", "that adult's document as TYPE:COUNTRY:NUMBER, such as passport:GHA:G0012345")
	f.StringVar(&relation, "relation", "", "mother, father, grandparent, sibling, relative, teacher, coach, friendOfFamily, carrierStaff or other")
	f.StringVar(&receiver, "receiver", "", "file with who awaits the child, in JSON (name, address, contact, document)")
	return c
}

// complete fills in the child where the wallet holds only one.
func (d *draftRequest) complete(c *cobra.Command, wallet *remote) error {
	if d.Trip.DepartFrom == "" || len(d.Trip.Destinations) == 0 || d.Trip.NotBefore == "" {
		return usage{errors.New("a journey needs --depart, --to and --from-day (see: kinpass consent draft --help)")}
	}
	if d.Child != "" {
		return nil
	}
	out, err := wallet.ask(c.Context(), "GET", "/wallet/children", nil)
	if err != nil {
		return err
	}
	var all struct {
		Children []struct {
			ID string `json:"id"`
		} `json:"children"`
	}
	if err := json.Unmarshal(out, &all); err != nil {
		return api.ErrAnswer
	}
	if len(all.Children) != 1 {
		return usage{fmt.Errorf("this wallet holds %d children: name one with --child", len(all.Children))}
	}
	d.Child = all.Children[0].ID
	return nil
}

// companion makes a companion of a name, with the family name last, and a
// document written TYPE:COUNTRY:NUMBER.
func companion(name, document string) (vc.Companion, error) {
	parts := strings.Fields(name)
	n := vc.Name{Kind: "legal", Script: "Latn", Full: strings.Join(parts, " ")}
	if len(parts) > 1 {
		n.Given, n.Family, n.Full = parts[:len(parts)-1], parts[len(parts)-1:], ""
	}
	x := vc.Companion{Names: []vc.Name{n}}
	if document != "" {
		d := strings.SplitN(document, ":", 3)
		if len(d) != 3 || !threeCapitals(d[1]) || d[2] == "" {
			return x, usage{errors.New("--with-document takes TYPE:COUNTRY:NUMBER, such as passport:GHA:G0012345")}
		}
		x.Document = &vc.Identifier{Type: d[0], Issuer: d[1], Value: d[2]}
	}
	return x, nil
}

func consentSign(wallet *remote) *cobra.Command {
	var from string
	var alone bool
	c := &cobra.Command{
		Use:   "sign ID | --link FILE",
		Short: "Agree: sign a draft of yours, or the one that another guardian's link invites you to",
		Long: `Signs a consent with your wallet's key. ID is that of a draft in your wallet. With
--link, the file (- for standard input) holds the link that another guardian
sent: your wallet joins that consent first, and then signs it. A link is a
secret and never stands on the command line.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if (len(args) == 1) == (from != "") {
				return usage{errors.New("name the id of a consent, or a file with a link by --link")}
			}
			var id string
			if from == "" {
				id = args[0]
			} else {
				l, err := readLink(c, from)
				if err != nil {
					return err
				}
				out, err := wallet.ask(c.Context(), "POST", "/wallet/consents/join", map[string]string{"link": l})
				if err != nil {
					return err
				}
				var a consentAnswer
				if err := json.Unmarshal(out, &a); err != nil || a.ID == "" {
					return api.ErrAnswer
				}
				id = a.ID
			}
			var body any
			if alone {
				body = map[string]bool{"alone": true}
			}
			out, err := wallet.ask(c.Context(), "POST", consentPath("/sign")(id), body)
			if err != nil {
				return err
			}
			return wallet.printConsent(c.OutOrStdout(), out)
		},
	}
	c.Flags().BoolVar(&alone, "alone", false, "sign although other guardians must agree too and have not joined; a border may refuse it")
	c.Flags().StringVar(&from, "link", "", "file with a guardian's invitation, - for standard input")
	return c
}

// readLink reads a link from a file: it holds a secret.
func readLink(c *cobra.Command, name string) (string, error) {
	in, err := readInput(c, name, 4096)
	return strings.TrimSpace(string(in)), err
}

func consentWithdraw(wallet *remote) *cobra.Command {
	return &cobra.Command{
		Use:   "withdraw ID",
		Short: "Take your consent back, at once; no reason is asked and nobody is told",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if _, err := wallet.ask(c.Context(), "POST", consentPath("/withdraw")(args[0]), nil); err != nil {
				return err
			}
			if wallet.asJSON {
				return printJSON(c.OutOrStdout(), map[string]string{"id": args[0], "state": "withdrawn"})
			}
			_, err := fmt.Fprintln(c.OutOrStdout(), "Withdrawn. Border posts learn it with their next update.")
			return err
		},
	}
}

func consentWitness() *cobra.Command {
	office := &remote{}
	var reference string
	c := &cobra.Command{
		Use:   "witness DOSSIER|-",
		Short: "As a witness, notary, consulate or court: check the guardians' signatures and sign for all",
		Long: `Sends a dossier (kinpass consent dossier) to your office's service, which checks
every signature, mandate and status in it and signs the witnessed consent. How
much that counts for comes from your office's role on the trust list.

You vouch for having seen the guardians, their documents and, alone, their will.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			in, err := readInput(c, args[0], maxDossier)
			if err != nil {
				return err
			}
			var dossier map[string]json.RawMessage
			if err := json.Unmarshal(in, &dossier); err != nil {
				return usage{errors.New("not a dossier: it is what kinpass consent dossier prints")}
			}
			if reference != "" {
				if dossier["reference"], err = json.Marshal(reference); err != nil {
					return err
				}
			}
			out, err := office.ask(c.Context(), "POST", "/consents", dossier)
			if err != nil {
				return err
			}
			if office.asJSON {
				return printRaw(c.OutOrStdout(), out)
			}
			var w struct {
				Credential string `json:"credential"`
			}
			if err := json.Unmarshal(out, &w); err != nil || w.Credential == "" {
				return api.ErrAnswer
			}
			fmt.Fprintln(c.ErrOrStderr(), "Witnessed. Give this to the guardians; they keep it with: kinpass consent attach ID FILE")
			_, err = fmt.Fprintln(c.OutOrStdout(), w.Credential)
			return err
		},
	}
	f := c.Flags()
	f.StringVar(&office.base, "issuer", "http://localhost:8080", "address of your office's issuer service")
	f.StringVar(&office.token, "token", "", "file with your API token (role witness, notary, consulate or court)")
	f.BoolVar(&office.asJSON, "json", false, "print the answer as JSON")
	f.StringVar(&reference, "reference", "", "number of the deed, if there is one")
	return c
}

// printConsent shows one consent in plain words.
func (s *remote) printConsent(w io.Writer, answer []byte) error {
	if s.asJSON {
		return printRaw(w, answer)
	}
	var a consentAnswer
	if err := json.Unmarshal(answer, &a); err != nil || a.ID == "" {
		return api.ErrAnswer
	}
	_, err := io.WriteString(w, a.text())
	return err
}

func (s *remote) printConsents(w io.Writer, answer []byte) error {
	if s.asJSON {
		return printRaw(w, answer)
	}
	var all struct {
		Consents []consentAnswer `json:"consents"`
	}
	if err := json.Unmarshal(answer, &all); err != nil {
		return api.ErrAnswer
	}
	if len(all.Consents) == 0 {
		_, err := fmt.Fprintln(w, "There are no consents in this wallet.")
		return err
	}
	for _, a := range all.Consents {
		if _, err := io.WriteString(w, a.text()); err != nil {
			return err
		}
	}
	return nil
}

func (a *consentAnswer) text() string {
	var b strings.Builder
	signed := 0
	for _, g := range a.Grantors {
		if g.Signed {
			signed++
		}
	}
	fmt.Fprintf(&b, "%s  %s, signed by %d of %d\n", a.ID, a.State, signed, max(a.Quorum, len(a.Grantors)))
	for _, l := range a.Lines {
		fmt.Fprintf(&b, "  %s\n", l)
	}
	if a.Invitation != nil && a.Invitation.Link != "" {
		fmt.Fprintf(&b, "  For the other guardians, until %s:\n  %s\n", a.Invitation.ExpiresAt.Format(time.RFC3339), a.Invitation.Link)
	}
	return b.String()
}

// printRaw prints a JSON answer indented.
func printRaw(w io.Writer, answer []byte) error {
	var v json.RawMessage
	if err := json.Unmarshal(answer, &v); err != nil {
		return api.ErrAnswer
	}
	return printJSON(w, v)
}
