package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/kinpass/kinpass/cmd/internal/simulate"
)

func newSimulate() *cobra.Command {
	var credentials, revoked, suspended, plots, markdown string
	n := simulate.Defaults()
	asJSON := false
	c := &cobra.Command{
		Use:   "simulate",
		Short: "Play a nation's registry and border posts, and count what travels",
		Long: `Plays the life of a registry and of its border posts: credentials are issued,
revoked and suspended, a hub makes border bundles of the signed lists, and posts
with steady, failing and cut lines fetch them. Prints what bundles and changes
weigh, what a post loads in a day and how old what it knows is.

Lists, bundles and changes are made by the code of the services, so the sizes are
true ones; nothing is stored or sent. The same numbers give the same result on
every machine, but for times and memory.

A hundred million credentials take some minutes and a quarter of a GB of memory;
docs/SCALE.md shows them.`,
		Example: `  kinpass simulate --credentials 100e6 --revoked 1% --posts 500 --days 30
  kinpass simulate --credentials 2e6 --every 15m --days 7 --plots plots --json
  kinpass simulate --credentials 100e6 --posts 500 --plots docs/pictures/scale --markdown docs/SCALE.md`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var err error
			if n.Credentials, err = parseCount(credentials); err != nil {
				return usage{fmt.Errorf("--credentials: %w", err)}
			}
			if n.Revoked, err = parsePart(revoked); err != nil {
				return usage{fmt.Errorf("--revoked: %w", err)}
			}
			if n.Suspended, err = parsePart(suspended); err != nil {
				return usage{fmt.Errorf("--suspended: %w", err)}
			}
			if err := n.Validate(); err != nil {
				return usage{err}
			}
			r, err := simulate.Run(c.Context(), n, progress())
			if err != nil {
				return err
			}
			if plots != "" {
				if err := r.WritePlots(plots); err != nil {
					return err
				}
			}
			if markdown != "" {
				if err := r.WriteMarkdown(markdown); err != nil {
					return fmt.Errorf("--markdown: %w", err)
				}
			}
			if asJSON {
				e := json.NewEncoder(c.OutOrStdout())
				e.SetIndent("", "  ")
				return e.Encode(r)
			}
			return r.Print(c.OutOrStdout())
		},
	}
	f := c.Flags()
	f.StringVar(&credentials, "credentials", "1e6", "credentials in force, such as 250000 or 100e6")
	f.StringVar(&revoked, "revoked", "1%", "part of all that is revoked, and as much more in a year")
	f.StringVar(&suspended, "suspended", "0.05%", "part of all that is suspended at any time, each for a month on average")
	f.IntVar(&n.Posts, "posts", n.Posts, "border posts")
	f.IntVar(&n.Days, "days", n.Days, "days to play")
	f.DurationVar(&n.Every, "every", n.Every, "time between two bundles, a part of a day")
	f.DurationVar(&n.Keep, "keep", n.Keep, "how long the hub keeps bundles to make changes from")
	f.Uint64Var(&n.Seed, "seed", n.Seed, "another number gives another nation of the same kind")
	f.StringVar(&plots, "plots", "", "draw sizes.svg, ages.svg, stale.svg and posts.svg into this directory")
	f.StringVar(&markdown, "markdown", "", "put the figures into this Markdown file, between <!-- simulate --> and <!-- end of simulate -->")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// progress shows on a terminal how far a simulation is, and elsewhere writes a line
// twice a minute.
func progress() func(done, of int) {
	begin := time.Now()
	terminal, last := term.IsTerminal(int(os.Stderr.Fd())), begin
	return func(done, of int) {
		left := time.Duration(float64(time.Since(begin)) / float64(done) * float64(of-done)).Round(time.Second)
		switch {
		case terminal && done == of:
			fmt.Fprint(os.Stderr, "\r\033[K")
		case terminal:
			fmt.Fprintf(os.Stderr, "\r%d of %d bundles, %s left   ", done, of, left)
		case time.Since(last) > 30*time.Second:
			fmt.Fprintf(os.Stderr, "%d of %d bundles, %s left\n", done, of, left)
			last = time.Now()
		}
	}
}

// parseCount reads a whole number, also as 100e6.
func parseCount(s string) (int64, error) {
	x, err := strconv.ParseFloat(strings.ReplaceAll(s, "_", ""), 64)
	if err != nil || x < 0 || x > 1e12 || x != float64(int64(x)) {
		return 0, fmt.Errorf("%q is not a whole number such as 250000 or 100e6", s)
	}
	return int64(x), nil
}

// parsePart reads a part of the whole: 1% or 0.01.
func parsePart(s string) (float64, error) {
	text, percent := strings.CutSuffix(s, "%")
	x, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if percent {
		x /= 100
	}
	if err != nil || !(x >= 0 && x <= 1) {
		return 0, fmt.Errorf("%q is not a part such as 1%% or 0.01", s)
	}
	return x, nil
}
