package cli

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/didweb"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/tlog"
	"github.com/kinpass/kinpass/internal/trust"
	"github.com/kinpass/kinpass/internal/vc"
)

// listedLedger is an issuer's ledger as the trust list names it; the zero value
// is none.
type listedLedger struct {
	origin string
	key    ed25519.PublicKey
}

// put names the ledger on the list, if there is one.
func (x listedLedger) put(l *vc.TrustList, issuer string) error {
	if x.origin == "" {
		return nil
	}
	return trust.SetLedger(l, issuer, x.origin, x.key)
}

// ledgerName names the ledger of the issuer at this address.
func ledgerName(base string) string {
	_, host, _ := strings.Cut(base, "://")
	return host + "/ledger"
}

// ownLedger gives the ledger of the issuer whose keys are in this data
// directory.
func ownLedger(r *keys.Ring, base string) listedLedger {
	for _, k := range r.Of(keys.UseLedger) {
		if pub, ok := k.Public().(ed25519.PublicKey); ok {
			return listedLedger{ledgerName(base), pub}
		}
	}
	return listedLedger{}
}

// shelfLedger reads an issuer's ledger off its shelf: the key that it names must
// have signed the checkpoint that is there.
func shelfLedger(ctx context.Context, shelf string) (listedLedger, error) {
	f := didweb.New(didweb.Config{Loopback: true})
	b, err := f.Get(ctx, shelf+"/ledger/key", 8<<10)
	if err != nil {
		return listedLedger{}, err
	}
	var named vc.TrustLedger
	if err := vc.StrictJSON(b, &named, vc.MaxDepth); err != nil {
		return listedLedger{}, err
	}
	x, err := readLedger(named.Origin, named.JWK)
	if err != nil {
		return listedLedger{}, err
	}
	if b, err = f.Get(ctx, shelf+"/ledger/checkpoint", 64<<10); err != nil {
		return listedLedger{}, err
	}
	_, err = tlog.Policy{Log: tlog.LogVerifier(x.origin, x.key)}.Open(b)
	return x, err
}

func readLedger(origin string, jwk []byte) (listedLedger, error) {
	pub, err := vc.ParseJWK(jwk)
	if err != nil {
		return listedLedger{}, err
	}
	key, ok := pub.(ed25519.PublicKey)
	if !ok || origin == "" {
		return listedLedger{}, vc.ErrNoLedger.WithDetail("a ledger has a name and an Ed25519 key")
	}
	return listedLedger{origin, key}, nil
}

// findLedger looks for the ledger of an issuer that comes onto the list: in this
// data directory, if the issuer is here, else on its shelf. An issuer without
// one comes onto the list without.
func (h *home) findLedger(ctx context.Context, issuer, shelf string, fetch bool) listedLedger {
	if base := h.address(issuerRole); shelf == base {
		if r, err := h.ring(issuerRole); err == nil && r != nil {
			if x := ownLedger(r, base); x.origin != "" {
				return x
			}
		}
	}
	if _, err := did.WebURL(issuer); err != nil || !fetch {
		return listedLedger{}
	}
	x, err := shelfLedger(ctx, shelf)
	if err != nil {
		return listedLedger{}
	}
	return x
}

func (h *home) trustLedger() *cobra.Command {
	var fromShelf bool
	var origin, keyFile string
	c := &cobra.Command{
		Use: "ledger DID", Short: "Name an issuer's ledger: once, and for its whole life", Args: cobra.ExactArgs(1),
		Long: `Names the ledger of an issuer on the list, by its origin (the first line of its
checkpoints) and the key that signs them. Verifiers and auditors believe no other
ledger of this issuer. "kinpass trust add" does it by itself where the issuer
has one. It cannot be changed: a second ledger would be a second history.

--from-shelf reads both from the issuer's shelf. Compare them with the issuer by
another way first.`,
		Example: `  kinpass trust ledger did:web:registry.example --from-shelf
  kinpass trust ledger did:web:registry.example --origin registry.example/ledger --key ledger.json`,
		RunE: func(c *cobra.Command, args []string) error {
			if fromShelf == (keyFile != "") || !fromShelf && origin == "" {
				return usage{errors.New("name the ledger with --from-shelf, or with --origin and --key")}
			}
			var x listedLedger
			if !fromShelf {
				b, err := readSmall(keyFile)
				if err != nil {
					return err
				}
				if x, err = readLedger(origin, b); err != nil {
					return err
				}
			}
			l, err := h.editTrust(func(l *vc.TrustList) error {
				if fromShelf {
					shelf := ""
					for _, i := range l.Issuers {
						if i.DID == args[0] {
							shelf = i.Shelf
						}
					}
					if shelf == "" {
						return trust.ErrNoSuchKey
					}
					var err error
					if x, err = shelfLedger(c.Context(), shelf); err != nil {
						return err
					}
				}
				return x.put(l, args[0])
			})
			if err != nil {
				return err
			}
			thumb, err := vc.Thumbprint(x.key)
			if err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "trust list %d: the ledger of %s is %s, key %s\n", l.Sequence, args[0], x.origin, thumb)
			return nil
		},
	}
	c.Flags().BoolVar(&fromShelf, "from-shelf", false, "read origin and key from the issuer's shelf")
	c.Flags().StringVar(&origin, "origin", "", "first line of the ledger's checkpoints")
	c.Flags().StringVar(&keyFile, "key", "", "file with the public key (JWK, Ed25519)")
	return c
}

func (h *home) trustWitness() *cobra.Command {
	c := &cobra.Command{Use: "witness", Short: "Say who witnesses the issuers' ledgers"}
	var keyFile, operator string
	add := &cobra.Command{
		Use: "add NAME", Short: "Put a witness on the list", Args: cobra.ExactArgs(1),
		Long: `A witness signs a checkpoint of a ledger only if it continues the one that it
signed before, so that an issuer cannot tell different histories. --operator says
who runs it: somebody who can tell the issuers no.`,
		Example: "  kinpass trust witness add witness.university.example --operator \"University\" --key witness.json\n  kinpass trust quorum 2",
		RunE: func(c *cobra.Command, args []string) error {
			if keyFile == "" {
				return usage{errors.New("--key names the file with the witness's public key")}
			}
			b, err := readSmall(keyFile)
			if err != nil {
				return err
			}
			pub, err := vc.ParseJWK(b)
			if err != nil {
				return err
			}
			l, err := h.editTrust(func(l *vc.TrustList) error { return trust.AddWitness(l, args[0], operator, pub) })
			if err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "trust list %d: %s is a witness; %d of %d must sign\n", l.Sequence, args[0], l.Quorum, len(l.Witnesses))
			return nil
		},
	}
	add.Flags().StringVar(&keyFile, "key", "", "file with its public key (JWK, Ed25519)")
	add.Flags().StringVar(&operator, "operator", "", "who runs it")
	remove := &cobra.Command{
		Use: "remove NAME", Short: "Take a witness off the list", Args: cobra.ExactArgs(1),
		RunE: h.trustEdit("is no witness any more", func(l *vc.TrustList, name string, _ time.Time) error { return trust.RemoveWitness(l, name) }, nil),
	}
	c.AddCommand(add, remove)
	return c
}

func (h *home) trustQuorum() *cobra.Command {
	return &cobra.Command{
		Use: "quorum N", Short: "Say how many witnesses a verifier demands", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			n, err := strconv.Atoi(args[0])
			if err != nil || n < 0 {
				return usage{errors.New("a quorum is a number of witnesses")}
			}
			before := 0
			l, err := h.editTrust(func(l *vc.TrustList) error { before = l.Quorum; return trust.SetQuorum(l, n) })
			if err != nil {
				return err
			}
			if n < before {
				fmt.Fprintf(c.ErrOrStderr(), "warning: %d witnesses were demanded before; fewer now have to be bribed\n", before)
			}
			fmt.Fprintf(c.OutOrStdout(), "trust list %d: %d of %d witnesses must sign\n", l.Sequence, l.Quorum, len(l.Witnesses))
			return nil
		},
	}
}

func (h *home) trustAccredit() *cobra.Command {
	var until, from string
	var types, bases []string
	c := &cobra.Command{
		Use: "accredit DID", Short: "Say until when an issuer is accredited, and for what", Args: cobra.ExactArgs(1),
		Long: `What the issuer dates after the end of its accreditation, or what it is not
accredited for, is red at every border. What it issued before stays good. Renew
before the end: a gap stays a gap. Nothing that was issued without accreditation
becomes good later.

Without --types the issuer is accredited for all that its keys may sign, without
--bases for the legal bases of its keys.`,
		Example: `  kinpass trust accredit did:web:registry.example --until 2029-06-30
  kinpass trust accredit did:web:ngo.example --until 2027-12-31 --types GuardianshipCredential --bases humanitarianMandate`,
		RunE: func(c *cobra.Command, args []string) error {
			if until == "" {
				return usage{errors.New("--until says when the accreditation ends")}
			}
			end, err := parseAt(until)
			if err != nil {
				return err
			}
			at := now()
			since := at
			if from != "" {
				if since, err = parseAt(from); err != nil {
					return err
				}
			}
			l, err := h.editTrustAt(at, func(l *vc.TrustList) error {
				t := vc.AccreditationTerm{Since: since, Until: end, Types: types, Bases: bases}
				if len(t.Types) == 0 {
					t.Types = typesOf(l, args[0])
				}
				return trust.Accredit(l, args[0], t)
			})
			if err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "trust list %d: %s is accredited until %s\n", l.Sequence, args[0], stamp(end))
			return nil
		},
	}
	c.Flags().StringVar(&until, "until", "", "RFC 3339 date or time of the end")
	c.Flags().StringVar(&from, "from", "", "RFC 3339 time of the beginning (default now)")
	c.Flags().StringSliceVar(&types, "types", nil, "credential types (default all that its keys may sign)")
	c.Flags().StringSliceVar(&bases, "bases", nil, "legal bases of guardianships (default those of its keys)")
	return c
}

// typesOf gives the credential types that an issuer can be accredited for: those
// that its keys sign.
func typesOf(l *vc.TrustList, issuer string) []string {
	var out []string
	for _, i := range l.Issuers {
		if i.DID != issuer {
			continue
		}
		for _, t := range []string{vc.TypeBirth, vc.TypeGuardianship, vc.TypeConsent} {
			for _, k := range i.Keys {
				if k.May(t) {
					out = append(out, t)
					break
				}
			}
		}
	}
	return out
}

func (h *home) trustSuspend() *cobra.Command {
	var at string
	c := &cobra.Command{
		Use: "suspend DID", Short: "Suspend an issuer: what it issues from --at on is red, what it issued before is amber", Args: cobra.ExactArgs(1),
		RunE: h.trustEdit("suspended", trust.Suspend, &at),
	}
	c.Flags().StringVar(&at, "at", "", "RFC 3339 time from which it is suspended (default now)")
	return c
}

func (h *home) trustReinstate() *cobra.Command {
	return &cobra.Command{
		Use: "reinstate DID", Short: "End a suspension now; what was issued during it stays red", Args: cobra.ExactArgs(1),
		RunE: h.trustEdit("reinstated", trust.Reinstate, nil),
	}
}

func (h *home) trustFinding() *cobra.Command {
	var severity, summary, id string
	var done bool
	c := &cobra.Command{
		Use: "finding DID", Short: "Note what an audit of an issuer found, or that it is dealt with", Args: cobra.ExactArgs(1),
		Long: `Findings are public: --summary never names a person, a record or a number of one.
A finding cannot be changed or taken back, only closed.`,
		Example: `  kinpass trust finding did:web:registry.example --id 2026/14 --severity major --summary "The second person approves without reading"
  kinpass trust finding did:web:registry.example --id 2026/14 --closed`,
		RunE: func(c *cobra.Command, args []string) error {
			if id == "" || done == (summary != "") {
				return usage{errors.New("--id names the finding; give --summary and --severity to note it, --closed to close it")}
			}
			at := now()
			l, err := h.editTrustAt(at, func(l *vc.TrustList) error {
				if done {
					return trust.CloseFinding(l, args[0], id, at)
				}
				return trust.AddFinding(l, args[0], vc.Finding{ID: id, At: at, Severity: severity, Summary: summary})
			})
			if err != nil {
				return err
			}
			verb := "noted"
			if done {
				verb = "closed"
			}
			fmt.Fprintf(c.OutOrStdout(), "trust list %d: finding %s %s\n", l.Sequence, id, verb)
			return nil
		},
	}
	c.Flags().StringVar(&id, "id", "", "identifier of the finding")
	c.Flags().StringVar(&severity, "severity", vc.FindingMinor, "minor, major or critical")
	c.Flags().StringVar(&summary, "summary", "", "one line, without personal data")
	c.Flags().BoolVar(&done, "closed", false, "the finding is dealt with")
	return c
}

// showStanding prints what the list says of an issuer's ledger and accreditation.
func showStanding(w io.Writer, i *vc.TrustIssuer) {
	if i.Ledger != nil {
		fmt.Fprintf(w, "%s keeps the ledger %s\n", i.DID, i.Ledger.Origin)
	}
	a := i.Accreditation
	if a == nil {
		return
	}
	switch t := a.At(now()); {
	case t == nil:
		fmt.Fprintf(w, "%s is accredited from %s on\n", i.DID, stamp(a.Since))
	case t.State == vc.Suspended:
		fmt.Fprintf(w, "%s is suspended since %s\n", i.DID, stamp(t.Since))
	case !t.HoldsAt(now()):
		fmt.Fprintf(w, "%s has no accreditation since %s\n", i.DID, stamp(t.Until))
	default:
		fmt.Fprintf(w, "%s is accredited until %s for %s\n", i.DID, stamp(t.Until), listed(append(append([]string{}, t.Types...), t.Bases...)))
	}
	for _, f := range a.Findings {
		state := "open"
		if !f.ClosedAt.IsZero() {
			state = "closed " + stamp(f.ClosedAt)
		}
		fmt.Fprintf(w, "  finding %s (%s, %s, %s): %s\n", f.ID, f.Severity, stamp(f.At), state, f.Summary)
	}
}

func showWitnesses(w io.Writer, l *vc.TrustList) {
	for _, x := range l.Witnesses {
		fmt.Fprintf(w, "witness %s, run by %s\n", x.Name, x.Operator)
	}
	if len(l.Witnesses) > 0 {
		fmt.Fprintf(w, "%d of %d witnesses must sign a checkpoint\n", l.Quorum, len(l.Witnesses))
	}
}

// readSmall reads a file of a key or a draft.
func readSmall(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSmall+1))
	if err == nil && len(b) > maxSmall {
		err = fault.New(fault.TooLarge, "file-large", "the file is too large")
	}
	return b, err
}

const maxSmall = 8 << 20
