package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/qr"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/verifier"
	"github.com/kinpass/kinpass/verifier/check"
)

// codes of "kinpass check".
var exitCodes = map[check.Colour]int{check.Green: 0, check.Info: 0, check.Amber: 1, check.Red: 2}

const exitUndecided = 3

func newCheck(h *home) *cobra.Command {
	var bundle, anchor, at, date, returnBy string
	var f check.Facts
	var documents []string
	var asJSON bool
	c := &cobra.Command{
		Use:   "check FILE|- [FILE]",
		Short: "Decide about what was scanned: green, amber or red; offline",
		Long: `Checks an image of a QR code, KP1 text or a vp+jwt against a border bundle,
without a network. A second FILE is a second guardian's presentation for the
same child.

Exit codes: 0 green (or info: a person of age), 1 amber, 2 red, 3 no decision (wrong usage, no anchor, no
bundle). A decision is always on standard output when the code is 0, 1 or 2.

Green means that papers and mandate are in order, never that the child is
safe. Red means second line and child protection, never refusal of a child.`,
		Example: `  kinpass check --bundle border.kpb --anchor anchor.json scan.png
  kinpass check --bundle border.kpb --confirm portrait,document pass.kp1 --json`,
		Args: cobra.RangeArgs(1, 2),
	}
	c.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return &exit{exitUndecided, fmt.Errorf("%w (see: kinpass check --help)", err)}
	})
	run := func(c *cobra.Command, args []string) (check.Decision, error) {
		var d check.Decision
		when, err := parseAt(at)
		if err != nil {
			return d, err
		}
		if at != "" && len(at) == len(time.DateOnly) {
			date = at
		}
		if date != "" {
			if f.Date, err = vc.ParseDate(date); err != nil {
				return d, usage{errors.New("--date takes YYYY-MM-DD")}
			}
		}
		if returnBy != "" {
			if f.ReturnBy, err = vc.ParseDate(returnBy); err != nil {
				return d, usage{errors.New("--return-by takes YYYY-MM-DD")}
			}
		}
		for _, x := range append(append([]string{}, f.Confirm...), f.Deny...) {
			if x != "portrait" && x != "document" {
				return d, usage{errors.New("--confirm and --deny take portrait, document or both")}
			}
		}
		for _, x := range []struct{ flag, value string }{{"exit", f.Exit}, {"entry", f.Entry}, {"child-nationality", f.ChildNationality},
			{"residence", f.Residence}, {"companion-residence", f.CompanionResidence}} {
			if x.value != "" && !threeCapitals(x.value) {
				return d, usage{fmt.Errorf("--%s takes three capital letters, such as NPL (ISO 3166-1 alpha-3)", x.flag)}
			}
		}
		anchors, err := h.anchors(anchor)
		if err != nil {
			return d, err
		}
		if bundle == "" {
			bundle = h.path("border.kpb")
		}
		data, err := os.ReadFile(bundle)
		if err != nil {
			return d, fault.New(fault.Invalid, "bundle-missing", "the border bundle cannot be read").With(err).
				WithHint("name it with --bundle FILE; a verifier serves the newest one at /bundle")
		}
		b, err := check.Open(data, anchors)
		if err != nil {
			return d, err
		}
		for i, name := range documents {
			doc, err := readInput(c, name, 4096)
			if err != nil {
				return d, err
			}
			zone, hint := verifier.Zone(string(doc))
			if hint != "" {
				fmt.Fprintf(c.ErrOrStderr(), "adult document %d: %s\n", i+1, hint)
			}
			f.AdultDocuments = append(f.AdultDocuments, zone)
		}
		var shown []string
		for _, name := range args {
			in, err := readInput(c, name, maxImage)
			if err != nil {
				return d, err
			}
			text, err := scanText(in)
			if err != nil && !errors.Is(err, qr.ErrNoCode) { // an image without a code is a result: SCAN_UNREADABLE
				return d, fmt.Errorf("%w; save the code as PNG, JPEG or GIF", err)
			}
			shown = append(shown, text)
		}
		f.Others = shown[1:]
		d, _, err = check.Check(shown[0], b, f, check.History{}, when)
		return d, err
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		d, err := run(c, args)
		if err != nil {
			return &exit{exitUndecided, err}
		}
		if asJSON {
			if err := printJSON(c.OutOrStdout(), d); err != nil {
				return &exit{exitUndecided, err}
			}
		} else {
			var text strings.Builder
			printDecision(&text, d)
			if _, err := io.WriteString(c.OutOrStdout(), text.String()); err != nil {
				return &exit{exitUndecided, err} // nobody has read it
			}
		}
		code, ok := exitCodes[d.Colour]
		if !ok {
			code = exitCodes[check.Amber]
		}
		if code == 0 {
			return nil
		}
		return &exit{code: code}
	}
	fl := c.Flags()
	fl.StringVar(&bundle, "bundle", "", "border bundle (default DATA/border.kpb)")
	fl.StringVar(&anchor, "anchor", "", "trust anchor (default DATA/anchor.json)")
	fl.StringVar(&at, "at", "", "decide as of this RFC 3339 time (default now)")
	fl.StringSliceVar(&f.Confirm, "confirm", nil, "what the officer compared and found right: portrait, document")
	fl.StringSliceVar(&f.Deny, "deny", nil, "what the officer compared and found wrong: portrait, document")
	fl.StringArrayVar(&documents, "adult-document", nil, "file with the machine-readable zone of the adult's document, - for standard input (can be repeated)")
	fl.StringVar(&f.Exit, "exit", "", "country left, ISO 3166-1 alpha-3")
	fl.StringVar(&f.Entry, "entry", "", "country entered, ISO 3166-1 alpha-3")
	fl.StringVar(&date, "date", "", "date of the crossing, YYYY-MM-DD (default the day of --at)")
	fl.StringVar(&returnBy, "return-by", "", "date of the planned return, YYYY-MM-DD")
	fl.StringVar(&f.ChildNationality, "child-nationality", "", "ISO 3166-1 alpha-3")
	fl.StringVar(&f.Residence, "residence", "", "country where the child lives, ISO 3166-1 alpha-3")
	fl.StringVar(&f.CompanionResidence, "companion-residence", "", "country where the companion lives, ISO 3166-1 alpha-3")
	fl.BoolVar(&asJSON, "json", false, "print the decision as JSON")
	return c
}

func threeCapitals(s string) bool {
	return len(s) == 3 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

// printDecision is what an officer reads in a terminal: word, symbol, at most
// three lines of reasons, one next step.
func printDecision(w io.Writer, d check.Decision) {
	symbol := map[check.Colour]string{check.Green: "✔", check.Info: "i", check.Amber: "!", check.Red: "✖"}[d.Colour]
	fmt.Fprintf(w, "%s %s\n", symbol, strings.ToUpper(d.Colour.String()))
	for _, l := range d.Lines {
		fmt.Fprintf(w, "  %s\n", l)
	}
	fmt.Fprintf(w, "  Codes: %s\n", strings.Join(d.Codes(), " "))
	if d.Next != "" {
		fmt.Fprintf(w, "  Next: %s\n", d.Next)
	}
	if d.Child != nil {
		fmt.Fprintf(w, "  Compare: %s, born %s\n", strings.Join(d.Child.Names, " / "), d.Child.BirthDate)
	}
	fmt.Fprintf(w, "  Bundle %s, %s old\n", d.Bundle.ID, (time.Duration(d.Bundle.AgeSeconds) * time.Second).Round(time.Minute))
}
