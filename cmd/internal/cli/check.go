package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/kinpass/kinpass/internal/qr"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/verifier/check"
)

// codes of "kinpass check".
var exitCodes = map[check.Colour]int{check.Green: 0, check.Info: 0, check.Amber: 1, check.Red: 2}

const exitUndecided = 3

// checkOptions are the flags of "kinpass check" that are not facts as they are.
type checkOptions struct {
	bundle, anchor, at, date, returnBy, residenceProof string
	session, history                                   string
	documents, proofs                                  []string
	asJSON                                             bool
}

// group is what "kinpass check --session" prints as JSON.
type group struct {
	Session   string           `json:"session"`
	Decisions []check.Decision `json:"decisions"`
}

func newCheck(h *home) *cobra.Command {
	var o checkOptions
	var f check.Facts
	c := &cobra.Command{
		Use:   "check FILE|- [FILE...]",
		Short: "Decide about what was scanned: green, amber or red; offline",
		Long: `Checks an image of a QR code, KP1 text or a vp+jwt against a border bundle,
without a network.

FILE.json may also be one encounter as JSON, as the demonstration writes it: the
presentation, what the officer knew, and what the post remembered. What is read
from any other file, or from standard input, is what a traveller showed.

Without --session a second FILE is a second guardian's presentation for the
same child. With --session each FILE is a child of a group, such as a class with
its teacher, or one more holder for a child of it; there is a decision for each
child.

With --history FILE the post remembers what it saw: a code that was shown
before, crossings of a consent, children of one session, and the time of its last
check: a clock, or --at, that is behind that makes a decision amber, until a newer
bundle comes. The file holds hashes and times, no names. Without it every check is
the first.

Exit codes: 0 green (or info: a person of age), 1 amber, 2 red, 3 no decision
(wrong usage, no anchor, no bundle, a damaged history). Of several decisions the
worst counts. A decision is always on standard output when the code is 0, 1 or 2.

Green means that papers and mandate are in order, never that the child is
safe. Red means second line and child protection, never refusal of a child.
Country policies are illustrative, not legal advice.`,
		Example: `  kinpass check --bundle border.kpb --anchor anchor.json scan.png
  kinpass check --bundle border.kpb --confirm portrait,document pass.kp1 --json
  kinpass check --exit BRA --entry PRT --direction exit --company thirdParty --adult-document passport.txt scan.png
  kinpass check --session class-5b --company group --history north-gate.history scans/*.png`,
		Args: cobra.MinimumNArgs(1),
	}
	c.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return &exit{exitUndecided, fmt.Errorf("%w (see: kinpass check --help)", err)}
	})
	c.RunE = func(c *cobra.Command, args []string) error {
		decisions, err := o.run(c, h, f, args)
		if err != nil {
			return &exit{exitUndecided, err}
		}
		var text strings.Builder
		switch {
		case o.asJSON && o.session != "":
			err = printJSON(&text, group{o.session, decisions})
		case o.asJSON:
			err = printJSON(&text, decisions[0])
		case o.session != "":
			printGroup(&text, decisions)
		default:
			printDecision(&text, decisions[0])
			printAges(&text, decisions[0])
		}
		if err == nil {
			_, err = io.WriteString(c.OutOrStdout(), text.String())
		}
		if err != nil {
			return &exit{exitUndecided, err} // nobody has read it
		}
		if code := exitCode(decisions); code != 0 {
			return &exit{code: code}
		}
		return nil
	}
	fl := c.Flags()
	fl.StringVar(&o.bundle, "bundle", "", "border bundle (default DATA/border.kpb)")
	fl.StringVar(&o.anchor, "anchor", "", "trust anchor (default DATA/anchor.json)")
	fl.StringVar(&o.at, "at", "", "decide as of this RFC 3339 time (default now)")
	fl.StringSliceVar(&f.Confirm, "confirm", nil, "what the officer compared or asked and found right: "+words(check.Confirmable))
	fl.StringSliceVar(&f.Deny, "deny", nil, "what the officer compared or asked and found wrong: "+words(check.Confirmable))
	fl.StringArrayVar(&o.documents, "adult-document", nil, "file with the machine-readable zone of the adult's document, - for standard input (can be repeated)")
	fl.StringArrayVar(&o.proofs, "proof", nil, "file of proofs that credentials are in their issuers' ledgers, as a wallet gives it (can be repeated)")
	fl.StringVar(&f.Exit, "exit", "", "country left, ISO 3166-1 alpha-3")
	fl.StringVar(&f.Entry, "entry", "", "country entered, ISO 3166-1 alpha-3")
	fl.StringVar(&f.Direction, "direction", "", "side of the border on which this post is: "+words(directions))
	fl.StringVar(&o.date, "date", "", "date of the crossing, YYYY-MM-DD (default the day of --at)")
	fl.StringVar(&o.returnBy, "return-by", "", "date of the planned return, YYYY-MM-DD")
	fl.StringVar(&f.Company, "company", "", "who is with the child: "+words(check.Companies)+" (default as the papers say)")
	fl.StringVar(&f.ChildNationality, "child-nationality", "", "ISO 3166-1 alpha-3")
	fl.StringVar(&f.Residence, "residence", "", "country where the child lives, ISO 3166-1 alpha-3")
	fl.StringVar(&o.residenceProof, "residence-proof", "", "day on which a consulate certified that the child lives abroad, YYYY-MM-DD")
	fl.StringVar(&f.CompanionNationality, "companion-nationality", "", "ISO 3166-1 alpha-3")
	fl.StringVar(&f.CompanionResidence, "companion-residence", "", "country where the companion lives, ISO 3166-1 alpha-3")
	fl.StringVar(&f.Post, "post", "", "name of this post; sessions of two posts are never the same")
	fl.StringVar(&o.session, "session", "", "one encounter at the counter: each FILE is a child; what was shown may be shown again within it")
	fl.StringVar(&o.history, "history", "", "file of what this post remembers; made if it does not exist")
	fl.BoolVar(&o.asJSON, "json", false, "print the decision as JSON")
	return c
}

var directions = []string{check.DirectionExit, check.DirectionEntry}

// words lists what a flag takes.
func words(of []string) string { return strings.Join(of, ", ") }

// exitCode is that of the worst decision.
func exitCode(decisions []check.Decision) int {
	worst := 0
	for _, d := range decisions {
		code, ok := exitCodes[d.Colour]
		if !ok {
			code = exitCodes[check.Amber]
		}
		worst = max(worst, code)
	}
	return worst
}

// run decides about what the files show.
func (o *checkOptions) run(c *cobra.Command, h *home, f check.Facts, args []string) ([]check.Decision, error) {
	if most := 2; o.session == "" && len(args) > most {
		return nil, usage{errors.New("one child has one or two FILEs; --session takes a group")}
	}
	if len(args) > maxGroup || len(o.session) > 128 || len(f.Post) > 128 {
		return nil, usage{fmt.Errorf("at most %d FILEs, and names of a session and a post of at most 128 bytes", maxGroup)}
	}
	when, err := parseAt(o.at)
	if err != nil {
		return nil, err
	}
	if err := o.facts(&f); err != nil {
		return nil, err
	}
	anchors, err := h.anchors(o.anchor)
	if err != nil {
		return nil, err
	}
	name := o.bundle
	if name == "" {
		name = h.path("border.kpb")
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, errBundleRead.With(err)
	}
	b, err := check.Open(data, anchors)
	if err != nil {
		return nil, err
	}
	if o.bundle == "" {
		if err := h.notOlder(b); err != nil {
			return nil, err
		}
	}
	for i, name := range o.documents {
		doc, err := readInput(c, name, 4096)
		if err != nil {
			return nil, err
		}
		zone, hint := check.Zone(string(doc))
		if hint != "" {
			fmt.Fprintf(c.ErrOrStderr(), "adult document %d: %s\n", i+1, hint)
		}
		f.AdultDocuments = append(f.AdultDocuments, zone)
	}
	for _, name := range o.proofs {
		data, err := readInput(c, name, maxProofs)
		if err != nil {
			return nil, err
		}
		proofs, err := check.ParseProofs(data)
		if err != nil {
			return nil, err
		}
		f.Proofs = append(f.Proofs, proofs...)
	}
	var shown []string
	var told check.History
	for _, name := range args {
		in, err := readInput(c, name, maxImage)
		if err != nil {
			return nil, err
		}
		// Only where the officer named such a file: what a reader sends is the
		// traveller's, who must not say which country this is.
		if e, ok := readEncounter(in); ok && len(args) == 1 && strings.HasSuffix(name, ".json") {
			e.add(&f)
			shown, told = append(shown, e.Presentation), e.History
			continue
		}
		text, err := scanText(in)
		if err != nil && !errors.Is(err, qr.ErrNoCode) { // an image without a code is a result: SCAN_UNREADABLE
			return nil, fmt.Errorf("%w; save the code as PNG, JPEG or GIF", err)
		}
		shown = append(shown, text)
	}
	var decisions []check.Decision
	err = withHistory(o.history, func(before remembered) (after remembered, err error) {
		if o.history == "" {
			before.History = told
		}
		// This post does not go back in time.
		if over := before.last.trusted(b.CreatedAt); f.LastTrustedTime.IsZero() && when.Before(over) {
			f.LastTrustedTime = over
		}
		after.last = before.last.and(when, b.CreatedAt)
		if o.session != "" {
			decisions, after.History, err = check.CheckGroup(shown, b, f, before.History, when)
			return after, err
		}
		f.Others = shown[1:]
		d, h, err := check.Check(shown[0], b, f, before.History, when)
		decisions, after.History = []check.Decision{d}, h
		return after, err
	})
	return decisions, err
}

// maxProofs bounds a file of proofs, in bytes.
const maxProofs = 256 << 10

// maxGroup is how many presentations check.CheckGroup takes.
const maxGroup = 60

// facts checks what was typed and adds it to the facts.
func (o *checkOptions) facts(f *check.Facts) error {
	date := o.date
	if o.at != "" && len(o.at) == len(time.DateOnly) {
		date = o.at
	}
	for _, x := range []struct {
		flag, value string
		to          *vc.Date
	}{{"date", date, &f.Date}, {"return-by", o.returnBy, &f.ReturnBy}, {"residence-proof", o.residenceProof, &f.ResidenceProof}} {
		if x.value == "" {
			continue
		}
		var err error
		if *x.to, err = vc.ParseDate(x.value); err != nil {
			return usage{fmt.Errorf("--%s takes YYYY-MM-DD", x.flag)}
		}
	}
	for _, x := range slices.Concat(f.Confirm, f.Deny) {
		if !slices.Contains(check.Confirmable, x) {
			return usage{errors.New("--confirm and --deny take one or more of " + words(check.Confirmable))}
		}
	}
	if f.Company != "" && !slices.Contains(check.Companies, f.Company) {
		return usage{errors.New("--company takes one of " + words(check.Companies))}
	}
	if f.Direction != "" && !slices.Contains(directions, f.Direction) {
		return usage{errors.New("--direction takes one of " + words(directions))}
	}
	for _, x := range []struct{ flag, value string }{{"exit", f.Exit}, {"entry", f.Entry}, {"child-nationality", f.ChildNationality},
		{"residence", f.Residence}, {"companion-nationality", f.CompanionNationality}, {"companion-residence", f.CompanionResidence}} {
		if x.value != "" && !threeCapitals(x.value) {
			return usage{fmt.Errorf("--%s takes three capital letters, such as NPL (ISO 3166-1 alpha-3)", x.flag)}
		}
	}
	if o.session != "" {
		// What is remembered holds hashes alone: officers name sessions after
		// families.
		sum := sha256.Sum256([]byte("kinpass/visit/v1\x00" + f.Post + "\x00" + o.session))
		f.Session = hex.EncodeToString(sum[:])
	}
	return nil
}

func threeCapitals(s string) bool {
	return len(s) == 3 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

var symbols = map[check.Colour]string{check.Green: "✔", check.Info: "i", check.Amber: "!", check.Red: "✖"}

// printDecision is what an officer reads in a terminal: word, symbol, at most
// three lines of reasons, one next step; then what a person compares, and what
// the policies of both countries say.
func printDecision(w io.Writer, d check.Decision) {
	fmt.Fprintf(w, "%s %s\n", symbols[d.Colour], strings.ToUpper(d.Colour.String()))
	for _, l := range d.Lines {
		fmt.Fprintf(w, "  %s\n", l)
	}
	fmt.Fprintf(w, "  Codes: %s\n", strings.Join(d.Codes(), " "))
	if d.Next != "" {
		fmt.Fprintf(w, "  Next: %s\n", d.Next)
	}
	if len(d.Ask) > 0 {
		words := check.Texts()
		var ask []string
		for _, name := range d.Ask {
			text := words[check.CodeFactsMissing+"."+name].Text
			ask = append(ask, visible(strings.TrimSpace(text+" ("+flagOf(name)+")")))
		}
		fmt.Fprintf(w, "  Ask, for it could change the answer: %s\n", strings.Join(ask, "; "))
	}
	if d.Child != nil {
		fmt.Fprintf(w, "  Compare: %s, born %s\n", visible(strings.Join(d.Child.Names, " / ")), visible(d.Child.BirthDate))
	}
	if x := d.Compare; x != nil {
		if x.Portrait {
			fmt.Fprintf(w, "  Compare: the child with the photograph on the child's own document\n")
		}
		if x.Twins > 1 {
			fmt.Fprintf(w, "  Compare: one of %d children of one birth, who may look alike\n", x.Twins)
		}
		for _, a := range x.Adults {
			fmt.Fprintf(w, "  Compare: %s, %s\n", visible(strings.Join(a.Names, " / ")), visible(a.Role))
		}
	}
	for _, p := range d.Policies {
		country := p.Country
		if country == "" {
			country = "any country"
		}
		fmt.Fprintf(w, "  Policy: %s %s: %s %s/%d", visible(p.Direction), visible(country), p.Colour, visible(p.ID), p.Version)
		if len(p.Codes) > 0 {
			fmt.Fprintf(w, " %s", visible(strings.Join(p.Codes, " ")))
		}
		fmt.Fprintf(w, "; %s\n", visible(p.Label))
	}
}

// flagOf gives the flag of a fact: childNationality is --child-nationality.
func flagOf(name string) string {
	var b strings.Builder
	b.WriteString("--")
	for _, r := range name {
		if unicode.IsUpper(r) {
			b.WriteByte('-')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// printAges says with what it was decided.
func printAges(w io.Writer, d check.Decision) {
	if d.Has(check.CodeDeviceClock) {
		fmt.Fprintf(w, "  Bundle %s, ? old: the clock of this device is wrong\n", visible(d.Bundle.ID))
		return
	}
	fmt.Fprintf(w, "  Bundle %s, %s; ", visible(d.Bundle.ID), old(d.Bundle.AgeSeconds))
	if d.StatusAgeSeconds < 0 {
		fmt.Fprintln(w, "no status list was used")
		return
	}
	fmt.Fprintf(w, "status lists %s\n", old(d.StatusAgeSeconds))
}

// exactly writes an age to the second: what is amber is a second older than what
// is green.
func exactly(seconds int64) string { return (time.Duration(seconds) * time.Second).String() }

// old says how old something is. What is dated ahead shows that a clock is behind.
func old(seconds int64) string {
	if seconds < 0 {
		return "? old: the clock here is " + exactly(-seconds) + " behind"
	}
	return exactly(seconds) + " old"
}

// printGroup is printDecision for each child of a session, with the worst and
// the counts before them.
func printGroup(w io.Writer, decisions []check.Decision) {
	count := map[check.Colour]int{}
	oldest := decisions[0]
	for _, d := range decisions {
		count[d.Colour]++
		if d.StatusAgeSeconds > oldest.StatusAgeSeconds {
			oldest = d
		}
	}
	var worst check.Colour
	var counts []string
	for _, c := range []check.Colour{check.Info, check.Green, check.Amber, check.Red} {
		if count[c] > 0 {
			worst = c
			counts = append(counts, fmt.Sprintf("%d %s", count[c], c))
		}
	}
	slices.Reverse(counts)
	fmt.Fprintf(w, "%s %s: %d in this session: %s\n", symbols[worst], strings.ToUpper(worst.String()), len(decisions), strings.Join(counts, ", "))
	for i, d := range decisions {
		fmt.Fprintf(w, "%d of %d ", i+1, len(decisions))
		printDecision(w, d)
	}
	printAges(w, oldest)
}

// visible replaces what a terminal would obey.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}
