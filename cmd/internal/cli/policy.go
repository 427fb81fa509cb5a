package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/policy"
	"github.com/kinpass/kinpass/internal/stage"
)

func newPolicy() *cobra.Command {
	c := &cobra.Command{
		Use:   "policy",
		Short: "Write, try and read country policies: what a border asks before a child may cross",
		Long: `A country policy is a JSON file in a closed vocabulary. A policy author needs no
program: write the file with a table of cases, run "kinpass policy test FILE",
read "kinpass policy matrix FILE", and give the file to whoever runs the
verifier's hub, which signs it into the border bundle. docs/POLICIES.md is the
guide.

The policies that come with Kinpass are illustrative, not legal advice.`,
		Example: `  kinpass policy show BRA-131-2011 >my-country.json
  kinpass policy test my-country.json
  kinpass policy matrix my-country.json`,
	}
	c.AddCommand(newPolicyTest(), newPolicyMatrix(), newPolicyList(), newPolicyShow(), newPolicyVocabulary())
	return c
}

// loadPolicy reads a policy that comes with Kinpass, by its ID, or a file.
func loadPolicy(name string) (*policy.Policy, error) {
	for _, p := range policy.Shipped() {
		if p.ID == name {
			return p, nil
		}
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, policy.MaxSize+1))
	if err != nil {
		return nil, err
	}
	p, err := policy.Parse(data)
	if err == nil {
		return p, nil
	}
	// Every place that is wrong, not only the first three: this is the
	// author's own file.
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", name, fault.As(err).Detail)
	for _, field := range fault.As(err).Fields {
		at := field.Path
		if at == "" {
			at = "the whole"
		}
		fmt.Fprintf(&b, "\n  %s: %s", at, field.Rule)
	}
	return nil, errors.New(b.String())
}

// tested is what "policy test --json" prints for one file.
type tested struct {
	Policy string          `json:"policy"`
	Cases  []stage.Outcome `json:"cases"`
	Failed int             `json:"failed"`
}

func newPolicyTest() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "test FILE...",
		Short: "Run a policy's own table of cases through the whole check",
		Long: `Each case is played with real keys and signed papers, and checked as at a border.
It passes when the colour is the one expected and all codes expected are among
the reasons. Exit code 1 if a case fails, or if there is none.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			s, err := stage.New()
			if err != nil {
				return err
			}
			var all []tested
			failed := 0
			for _, name := range args {
				p, err := loadPolicy(name)
				if err != nil {
					return err
				}
				if len(p.Cases) == 0 {
					return fmt.Errorf("%s has no cases: what it does was never tried", name)
				}
				out, err := s.Test(p)
				if err != nil {
					return err
				}
				t := tested{Policy: p.ID, Cases: out}
				for _, o := range out {
					if !o.OK {
						t.Failed++
					}
				}
				all, failed = append(all, t), failed+t.Failed
			}
			if asJSON {
				err = printJSON(c.OutOrStdout(), all)
			} else {
				err = printTested(c.OutOrStdout(), all)
			}
			if err == nil && failed > 0 {
				return &exit{code: 1}
			}
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func printTested(w io.Writer, all []tested) error {
	for _, t := range all {
		tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
		fmt.Fprintf(tw, "%s\t\tEXPECTED\tFOUND\n", t.Policy)
		for _, o := range t.Cases {
			verdict := "ok"
			if !o.OK {
				verdict = "FAILED"
			}
			fmt.Fprintf(tw, "  %s\t%s\t%s\t%s\n", verdict, o.Case, said(o.Expect.Colour, o.Expect.Codes), said(o.Colour, o.Codes))
		}
		if err := tw.Flush(); err != nil {
			return err
		}
		fmt.Fprintf(w, "%d cases, %d failed\n", len(t.Cases), t.Failed)
	}
	return nil
}

func said(colour string, codes []string) string {
	return strings.TrimSpace(colour + " " + strings.Join(codes, " "))
}

func newPolicyMatrix() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "matrix POLICY|FILE",
		Short: "Print what a policy comes to: who travels × mandate × consents → colour and codes",
		Long: `Plays some hundred and fifty journeys through the whole check and prints what the
officer would see. Keep the output beside the policy: a comparison of two of them
shows what a change means at the counter.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			p, err := loadPolicy(args[0])
			if err != nil {
				return err
			}
			s, err := stage.New()
			if err != nil {
				return err
			}
			rows, err := s.Matrix(p)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), rows)
			}
			return stage.Print(c.OutOrStdout(), rows)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func newPolicyList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the policies that come with Kinpass (illustrative, not legal advice)",
		RunE: func(c *cobra.Command, _ []string) error {
			w := tabwriter.NewWriter(c.OutOrStdout(), 0, 4, 2, ' ', 0)
			fmt.Fprintln(w, "POLICY\tVERSION\tCOUNTRY\tDIRECTION\tCASES\tLABEL")
			for _, p := range policy.Shipped() {
				countries := p.Country
				switch n := len(p.Countries); {
				case n == 0:
					countries = "every other"
				case n > 1:
					countries = fmt.Sprintf("%d countries", n)
				}
				fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%d\t%s\n", p.ID, p.Version, countries, p.Direction, len(p.Cases), p.Label)
			}
			return w.Flush()
		},
	}
}

func newPolicyShow() *cobra.Command {
	return &cobra.Command{
		Use: "show POLICY", Short: "Print a policy that comes with Kinpass, to read or to start from", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			for _, b := range policy.ShippedFiles() {
				p, err := policy.Parse(b)
				if err != nil {
					return err
				}
				if p.ID == args[0] {
					_, err := c.OutOrStdout().Write(b)
					return err
				}
			}
			return fault.New(fault.NotFound, "policy-unknown", "no policy of this name comes with Kinpass").WithHint("see: kinpass policy list")
		},
	}
}

func newPolicyVocabulary() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "vocabulary", Short: "List the words that a policy may use",
		RunE: func(c *cobra.Command, _ []string) error {
			if asJSON {
				return printJSON(c.OutOrStdout(), map[string][]policy.Word{"if": policy.Predicates(), "need": policy.Needs()})
			}
			w := c.OutOrStdout()
			fmt.Fprintln(w, `Words of "if", joined by && and ||, with ! for not:`)
			printWords(w, policy.Predicates())
			fmt.Fprintln(w, "\nMembers of \"need\":")
			printWords(w, policy.Needs())
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func printWords(w io.Writer, words []policy.Word) {
	for _, x := range words {
		name := x.Name
		if x.Takes != "" {
			name += "(" + x.Takes + ")"
		}
		fmt.Fprintf(w, "  %s\n      %s\n", name, x.Meaning)
		if len(x.Values) > 0 {
			fmt.Fprintf(w, "      one of: %s\n", strings.Join(x.Values, ", "))
		}
	}
}
