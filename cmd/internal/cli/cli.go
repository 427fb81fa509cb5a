// Package cli is the kinpass command line: the three services, the officer's
// check, bulk import, keys, trust, and a demonstration of it all.
//
// Exit codes: 0 done, 1 it did not work, 2 the command was not understood.
// "kinpass check" has its own: 0 green, 1 amber, 2 red, 3 no decision; and so has
// "kinpass audit": 0 clean, 1 anomalies, 2 misbehaviour proven, 3 nothing found out.
package cli

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/kinpass/kinpass/api"
	"github.com/kinpass/kinpass/internal/fault"
)

// now is the clock of every command; the whole-system tests shift it.
var now = time.Now

// Aries verifies credentials of other systems (internal/legacy/aries). Programs
// that run a wallet set it; without it the wallet imports none.
var Aries func(input []byte, method string, key crypto.PublicKey) (issuer string, err error)

// exit carries an exit code through cobra.
type exit struct {
	code int
	err  error // nil: everything was said already
}

func (e *exit) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.err.Error()
}

// usage marks an error of the command line itself.
type usage struct{ error }

// Main runs the command line and gives the exit code.
func Main(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if slices.Contains(args, "check") {
		// It ends before collecting garbage would pay: a tenth of its time.
		debug.SetGCPercent(400)
	}
	root := newRoot()
	root.SetArgs(args)
	ran, err := execute(ctx, root, args)
	if err == nil {
		return 0
	}
	if strings.HasPrefix(err.Error(), "required flag(s)") || strings.HasPrefix(err.Error(), "unknown command") && !errors.As(err, new(usage)) {
		err = usage{fmt.Errorf("%w (see: kinpass --help)", err)}
	}
	code := 1
	var e *exit
	var u usage
	switch {
	case errors.As(err, &e):
		code, err = e.code, e.err
	case errors.As(err, &u):
		code = 2
	}
	if err != nil {
		printError(os.Stderr, err)
		if ran == "check" || ran == "audit" {
			// 0, 1 and 2 are answers there.
			code = exitUndecided
		}
	}
	return code
}

// execute runs the command and names it. A panic becomes an error: its exit
// code must not look like a decision, and its text might quote what was read.
func execute(ctx context.Context, root *cobra.Command, args []string) (ran string, err error) {
	if c, _, err := root.Find(args); err == nil && c != nil && c != root {
		ran = c.Name() // known even if it panics
		if c.HasParent() && c.Parent().Name() == "audit" {
			ran = "audit"
		}
	} else if slices.Contains(args, "check") {
		ran = "check" // behind something that was not understood
	} else if slices.Contains(args, "audit") {
		ran = "audit"
	}
	defer func() {
		if r := recover(); r != nil {
			err = errors.New("an internal error: please report the command that was used")
		}
	}()
	return ran, root.ExecuteContext(ctx)
}

// printError says what is wrong and what to do. Of an internal error only the
// text is shown, on the operator's own terminal.
func printError(w io.Writer, err error) {
	var p *api.Problem
	var f *fault.Fault
	switch {
	case errors.As(err, &p):
		fmt.Fprintln(w, "kinpass:", p.Error())
	case errors.As(err, &f):
		fmt.Fprintln(w, "kinpass:", err.Error())
		if f.Hint != "" {
			fmt.Fprintln(w, "hint:", f.Hint)
		}
	default:
		fmt.Fprintln(w, "kinpass:", err)
		var path *fs.PathError
		if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EFBIG) || errors.Is(err, syscall.EDQUOT) {
			fmt.Fprintln(w, "hint: make room on the disk, and try again; what was there is as it was")
		} else if errors.As(err, &path) {
			fmt.Fprintln(w, "hint: check the name of the file and whether it can be read")
		}
		var dial *net.OpError
		if errors.As(err, &dial) && dial.Op == "dial" {
			fmt.Fprintln(w, "hint: check the address (--wallet, --issuer or --verifier), and whether the service is running there")
		}
	}
}

func newRoot() *cobra.Command {
	h := &home{}
	root := &cobra.Command{
		Use:   "kinpass",
		Short: "Birth and guardianship credentials, from the registrar to the border",
		Long: `Kinpass lets a birth registrar sign who a child is and who may decide for the
child, a guardian keep and show it, and a border officer check it offline.

Try it:   kinpass demo

Exit codes: 0 done, 1 it did not work, 2 the command was not understood.
"kinpass check" has its own: 0 green, 1 amber, 2 red, 3 no decision; and so has
"kinpass audit": 0 clean, 1 to be looked at, 2 misbehaviour proven, 3 nothing
could be found out.`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       Version(),
	}
	root.PersistentFlags().StringVar(&h.dir, "data", "kinpass-data", "directory for keys and SQLite databases")
	root.PersistentFlags().StringVar(&h.dbFile, "db-file", os.Getenv("KINPASS_DB"), "file with the database URL (sqlite:PATH or postgres://…); also $KINPASS_DB")
	root.PersistentFlags().StringVar(&h.passFile, "passphrase-file", os.Getenv("KINPASS_PASSPHRASE_FILE"), "file with the passphrase of the key files; also $KINPASS_PASSPHRASE_FILE (default: DATA/passphrase, made if missing)")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usage{fmt.Errorf("%w (see: %s --help)", err, c.CommandPath())}
	})
	root.AddCommand(newDemo(h), newServe(h), newCheck(h), newBundle(h), newAudit(h), newConsent(), newPolicy(), newQR(), newImport(h), newErase(h), newKeys(h), newTrust(h), newWitness(h), newSimulate(), newToken(h), newAdmin(h),
		newMigrate(h), newFsck(h), newJOSE(), newConformance())
	root.CompletionOptions.HiddenDefaultCmd = true
	strict(root)
	return root
}

// strict makes every command refuse arguments it does not take, as a usage
// error, and a group without a subcommand show its help.
func strict(c *cobra.Command) {
	if c.Args == nil {
		c.Args = cobra.NoArgs
	}
	check := c.Args
	c.Args = func(c *cobra.Command, args []string) error {
		if err := check(c, args); err != nil {
			return usage{fmt.Errorf("%w (see: %s --help)", err, c.CommandPath())}
		}
		return nil
	}
	if c.Run == nil && c.RunE == nil {
		c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	}
	for _, s := range c.Commands() {
		strict(s)
	}
}

// printJSON writes v as one indented JSON document.
func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// isTerminal reports whether w is a terminal: only there is progress drawn.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// newLog writes JSON lines to w. Log lines never hold personal data.
func newLog(w io.Writer, level slog.Level) *slog.Logger {
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level}))
}

// parseAt reads an RFC 3339 date or time; empty means the clock.
func parseAt(s string) (time.Time, error) {
	if s == "" {
		return now().UTC(), nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t.UTC(), nil
	}
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		// A bare date means that day as a whole: its noon, so that what was
		// issued in the morning is in force and nothing is a day early.
		return t.Add(12 * time.Hour), nil
	}
	return time.Time{}, usage{errors.New("a time is an RFC 3339 date or time, such as 2026-11-20 or 2026-11-20T08:00:00Z")}
}

// parseSince reads the time from which something is not believed any more. A bare
// date is the beginning of that day: a thief's morning is not to stay good.
func parseSince(s string) (time.Time, error) {
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return t, nil
	}
	return parseAt(s)
}
