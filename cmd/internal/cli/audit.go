package cli

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kinpass/kinpass/internal/audit"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/tlog"
	"github.com/kinpass/kinpass/internal/trust"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/verifier/check"
)

// Exit codes of "kinpass audit".
const (
	auditClean = iota
	auditAnomalies
	auditProven
	auditUndone // nothing could be found out
)

// auditOptions are the flags of "kinpass audit".
type auditOptions struct {
	trustList, anchor   string
	issuer, shelf       string
	origin, key         string
	also, witnesses     []string
	checkpoints         []string
	bundles             []string                 // of hubs: files, and mirrors
	have                map[string]*check.Bundle // what was read from there last
	state, evidence     string
	settle, interval    time.Duration
	rounds              int
	loopback, asJSON    bool
	home                *home
	said                time.Time // progress
	progressTo, printTo io.Writer
}

func newAudit(h *home) *cobra.Command {
	c := &cobra.Command{
		Use:   "audit",
		Short: "Check a ledger and its status lists from outside, with public files alone",
		Long: `Follows the ledger of an issuer: recomputes its tree from its entries, holds it
against what was seen before and what others were shown, counts what each office
issues in each hour, and compares every published status list with it.

It needs the trust list with its anchor (or --origin and --key of one ledger) and
the address of the shelf; it has no other way in than anybody has. What it saw is
kept in --state: keep that directory, an auditor without a memory can be shown
another history.

With --bundle it also looks at what a hub tells posts: whether the hub was shown
the lists that everybody was.

Exit codes: 0 clean, 1 something that people should look at, 2 misbehaviour that
is proven, with evidence in --state that anybody can check, 3 nothing could be
found out (wrong usage, no answer, a damaged state).`,
	}
	c.AddCommand(newAuditVerify(h), newAuditWatch(h))
	return c
}

func newAuditVerify(h *home) *cobra.Command {
	o := &auditOptions{home: h}
	c := &cobra.Command{
		Use: "verify", Short: "Audit once; or check an evidence file",
		Example: `  kinpass audit verify --trust-list https://trust.example/list --anchor anchor.json
  kinpass audit verify --shelf ./copy --also https://mirror.example --checkpoint proof.txt
  kinpass audit verify --bundle https://hub.example --bundle ./border.kpb
  kinpass audit verify --origin registry.example/ledger --key ledger.jwk --shelf https://registry.example
  kinpass audit verify --evidence evidence-split-view-1f2e3d4c5b6a.json --anchor anchor.json`,
	}
	c.RunE = func(c *cobra.Command, _ []string) error {
		o.printTo, o.progressTo = c.OutOrStdout(), c.ErrOrStderr()
		if o.evidence != "" {
			return o.checkEvidence(c.Context())
		}
		code, err := o.once(c.Context())
		if err != nil || code != auditClean {
			return &exit{code, err}
		}
		return nil
	}
	o.flags(c)
	c.Flags().StringVar(&o.evidence, "evidence", "", "check this evidence file instead, which needs no network")
	return c
}

func newAuditWatch(h *home) *cobra.Command {
	o := &auditOptions{home: h}
	c := &cobra.Command{
		Use: "watch", Short: "Audit again and again, until misbehaviour is proven",
		Long: `Audits every --interval and prints what it found; while a shelf does not answer it
asks less and less often. It ends with 2 as soon as misbehaviour is proven, and
when it is stopped with the worst that it saw. It may be killed at any time: the
state is written whole or not at all, and a long reading goes on where it was.`,
	}
	c.RunE = func(c *cobra.Command, _ []string) error {
		o.printTo, o.progressTo = c.OutOrStdout(), c.ErrOrStderr()
		if code := o.watch(c.Context()); code != auditClean {
			return &exit{code: code}
		}
		return nil
	}
	o.flags(c)
	c.Flags().DurationVar(&o.interval, "interval", time.Minute, "between two rounds")
	c.Flags().IntVar(&o.rounds, "rounds", 0, "stop after so many rounds (0: go on)")
	return c
}

func (o *auditOptions) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.trustList, "trust-list", "", "file or address of the trust list (default DATA/trust.jws)")
	f.StringVar(&o.anchor, "anchor", "", "trust anchor (default DATA/anchor.json)")
	f.StringVar(&o.issuer, "issuer", "", "audit only the ledger of this DID (default all on the trust list)")
	f.StringVar(&o.shelf, "shelf", "", "address or directory to read, if not the one on the trust list")
	f.StringVar(&o.origin, "origin", "", "without a trust list: the ledger's name")
	f.StringVar(&o.key, "key", "", "without a trust list: file with the ledger's public key (JWK, or NAME+HASH+KEY)")
	f.StringArrayVar(&o.also, "also", nil, "another view of the shelf: a mirror, or a directory (can be repeated)")
	f.StringArrayVar(&o.witnesses, "witness", nil, "address of a witness, which says what it cosigned last (can be repeated)")
	f.StringArrayVar(&o.checkpoints, "checkpoint", nil, "file with a checkpoint, or a proof, that somebody else was given (can be repeated)")
	f.StringArrayVar(&o.bundles, "bundle", nil, "what a hub tells posts: a bundle's file, or a mirror's address or directory (can be repeated)")
	f.StringVar(&o.state, "state", "", "directory for what was seen, and for evidence (default DATA/audit)")
	f.DurationVar(&o.settle, "settle", 2*time.Minute, "how long a list and the ledger may differ before it counts")
	f.BoolVar(&o.loopback, "allow-loopback", false, "also call services on this machine, and over http")
	f.BoolVar(&o.asJSON, "json", false, "print a line of JSON for each ledger and round")
	c.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return &exit{auditUndone, fmt.Errorf("%w (see: %s --help)", err, c.CommandPath())}
	})
}

// subject is one ledger to be audited.
type subject struct {
	did    string
	shelf  string // address by which its lists name themselves
	policy tlog.Policy
	keys   vc.KeyFinder
	list   *vc.TrustList // nil without one
}

// subjects reads which ledgers there are.
func (o *auditOptions) subjects(ctx context.Context) ([]subject, error) {
	if o.key != "" {
		if len(o.bundles) > 0 {
			return nil, usage{errors.New("--bundle needs a trust list: it says whose bundle it is")}
		}
		v, err := readLedgerKey(o.key, o.origin)
		if err != nil {
			return nil, err
		}
		return []subject{{shelf: strings.TrimRight(o.shelf, "/"), policy: tlog.Policy{Log: v}}}, nil
	}
	source := &trustSource{home: o.home, from: o.trustList, anchor: o.anchor, clock: now}
	_, l, err := source.fetch(ctx)
	if err != nil {
		return nil, err
	}
	var out []subject
	for _, is := range l.Issuers {
		if is.Ledger == nil || o.issuer != "" && is.DID != o.issuer {
			continue
		}
		p, err := l.LedgerPolicy(is.DID)
		if err != nil {
			return nil, err
		}
		out = append(out, subject{is.DID, strings.TrimRight(is.Shelf, "/"), p, statusKeys(is), l})
	}
	if len(out) == 0 {
		return nil, vc.ErrNoLedger
	}
	if len(out) > 1 && (o.shelf != "" || len(o.also)+len(o.checkpoints) > 0) {
		return nil, usage{errors.New("there are several ledgers: say which one with --issuer")}
	}
	return out, nil
}

// statusKeys finds the keys that may sign the issuer's status lists. One that was
// cut off signs none: what it says is not the issuer's word any more.
func statusKeys(is vc.TrustIssuer) vc.KeyFinder {
	return func(kid string) (crypto.PublicKey, string, error) {
		for i := range is.Keys {
			if k := &is.Keys[i]; k.ID == kid && k.May(vc.TypeStatusList) && k.CutOff.IsZero() {
				pub, err := vc.ParseJWK(k.JWK)
				return pub, is.DID, err
			}
		}
		return nil, "", vc.ErrStatusIssuer
	}
}

// readLedgerKey reads the key of a ledger: a JWK, or a verifier key as other
// people's software writes it.
func readLedgerKey(file, origin string) (tlog.Verifier, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return tlog.Verifier{}, err
	}
	text := strings.TrimSpace(string(b))
	if !strings.HasPrefix(text, "{") {
		v, err := tlog.ParseVerifier(text)
		if err == nil && (v.IsWitness() || origin != "" && origin != v.Name) {
			err = usage{errors.New("--key is not the key of that ledger")}
		}
		return v, err
	}
	if origin == "" {
		return tlog.Verifier{}, usage{errors.New("--origin says whose key it is")}
	}
	key, err := vc.NoteKey([]byte(text))
	if err != nil {
		return tlog.Verifier{}, err
	}
	return tlog.LogVerifier(origin, key), nil
}

// publicFacts gives what the ledger must hold of the documents on the shelf: keys,
// and the trust list if the issuer passes one on.
func publicFacts(ctx context.Context, shelf audit.Source, issuer string) ([]audit.Fact, error) {
	set, err := shelf.Get(ctx, ".well-known/jwks.json", "application/jwk-set+json", 1<<20)
	if errors.Is(err, audit.ErrMissing) { // a copy of the ledger and the lists alone
		set, err = []byte(`{"keys":[]}`), nil
	}
	if err != nil {
		return nil, err
	}
	list, err := shelf.Get(ctx, "trust-list", "application/jwt", 8<<20)
	if err != nil && !errors.Is(err, audit.ErrMissing) {
		return nil, err
	}
	facts, err := trust.Facts(issuer, set, strings.TrimSpace(string(list)), now())
	if err != nil {
		return nil, err
	}
	out := make([]audit.Fact, len(facts))
	for i, f := range facts {
		out[i] = audit.Fact{Name: f.Name, Commitment: f.Commitment}
	}
	return out, nil
}

// auditor makes the auditor of a ledger.
func (o *auditOptions) auditor(s subject) (*audit.Auditor, error) {
	where := o.shelf
	if where == "" {
		where = s.shelf
	}
	if where == "" {
		return nil, usage{errors.New("--shelf says where the ledger is")}
	}
	web := audit.Web{Loopback: o.loopback}
	cfg := audit.Config{Policy: s.policy, Base: s.shelf, Keys: s.keys, Settle: o.settle, Now: now, Progress: o.progress}
	if s.did != "" {
		cfg.Facts = func(ctx context.Context, shelf audit.Source) ([]audit.Fact, error) {
			return publicFacts(ctx, shelf, s.did)
		}
	}
	if len(o.bundles) > 0 {
		cfg.Bundles = func(ctx context.Context) ([]audit.Bundle, error) { return o.hubBundles(ctx, s.did) }
	}
	var err error
	if cfg.Shelf, err = audit.NewSource(where, web); err != nil {
		return nil, err
	}
	for _, list := range []struct {
		of   []string
		into *[]audit.Source
	}{{o.also, &cfg.Also}, {o.witnesses, &cfg.Witnesses}} {
		for _, a := range list.of {
			src, err := audit.NewSource(a, web)
			if err != nil {
				return nil, err
			}
			*list.into = append(*list.into, src)
		}
	}
	for _, name := range o.checkpoints {
		b, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		cfg.Handed = append(cfg.Handed, audit.Handed{From: name, Data: b})
	}
	dir := o.state
	if dir == "" {
		dir = o.home.path("audit")
	}
	cfg.Dir = filepath.Join(dir, strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '.' || r == '-' {
			return r
		}
		return '_'
	}, s.policy.Log.Name))
	return audit.New(cfg)
}

// progress tells on standard error how far a long reading is.
func (o *auditOptions) progress(done, size int64) {
	if time.Since(o.said) >= 5*time.Second {
		o.said = time.Now()
		fmt.Fprintf(o.progressTo, "%d of %d entries read\n", done, size)
	}
}

// once audits every ledger once. The error is why nothing was found out; of
// several ledgers it is said where it happens.
func (o *auditOptions) once(ctx context.Context) (int, error) {
	all, err := o.subjects(ctx)
	if err != nil {
		return auditUndone, err
	}
	worst := auditClean
	for _, s := range all {
		a, err := o.auditor(s)
		if err != nil {
			return auditUndone, err
		}
		r, err := a.Round(ctx)
		if err := o.print(r, err); err != nil {
			return auditUndone, err
		}
		worst = worse(worst, auditCode(r, err))
	}
	return worst, nil
}

// worse gives the code that counts: proof comes before what could not be found
// out, which comes before what people should look at.
func worse(a, b int) int {
	rank := [...]int{auditClean: 0, auditAnomalies: 1, auditUndone: 2, auditProven: 3}
	if rank[b] > rank[a] {
		return b
	}
	return a
}

func auditCode(r *audit.Report, err error) int {
	switch {
	case r.Proven():
		return auditProven
	case err != nil:
		return auditUndone
	case len(r.Findings) > 0:
		return auditAnomalies
	}
	return auditClean
}

// watch audits until misbehaviour is proven.
func (o *auditOptions) watch(ctx context.Context) int {
	worst, wait := auditClean, o.interval
	for n := 1; ; n++ {
		code, err := o.once(ctx)
		if ctx.Err() != nil {
			return worst
		}
		if err != nil {
			printError(o.progressTo, err)
		}
		worst = worse(worst, code)
		if worst == auditProven || o.rounds > 0 && n >= o.rounds {
			return worst
		}
		if code == auditUndone {
			wait = min(2*wait, max(time.Hour, o.interval))
		} else {
			wait = o.interval
			if worst == auditUndone { // it has passed
				worst = code
			}
		}
		select {
		case <-ctx.Done():
			return worst
		case <-time.After(wait):
		}
	}
}

// auditLine is a report with what ended it, as JSON.
type auditLine struct {
	*audit.Report
	Result string `json:"result"` // clean, anomalies, proven, undone
	Error  string `json:"error,omitempty"`
}

func (o *auditOptions) print(r *audit.Report, failed error) error {
	result := [...]string{"clean", "anomalies", "proven", "undone"}[auditCode(r, failed)]
	if o.asJSON {
		line := auditLine{r, result, ""}
		if failed != nil {
			line.Error = fault.As(failed).Code
		}
		e := json.NewEncoder(o.printTo)
		e.SetEscapeHTML(false)
		return e.Encode(line)
	}
	hubs := ""
	if r.Bundles > 0 {
		hubs = fmt.Sprintf(", %d bundles of hubs", r.Bundles)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s: %d entries (%d new), %d lists, %d other views%s: %s\n", stamp(r.At), r.Origin, r.Size, r.New, r.Lists, r.Others, hubs, result)
	for _, f := range r.Findings {
		what := "look at"
		if f.Proven {
			what = "PROVEN"
		}
		fmt.Fprintf(&b, "  %s %s: %s", what, f.Code, f.Detail)
		if f.Office != "" || !f.Hour.IsZero() {
			fmt.Fprintf(&b, "; %s %s", f.Office, stamp(f.Hour))
		}
		if f.List > 0 {
			fmt.Fprintf(&b, "; list %d, place %d", f.List, f.Index)
		}
		if f.Count > 1 {
			fmt.Fprintf(&b, "; %d times", f.Count)
		}
		if f.Hub != "" {
			fmt.Fprintf(&b, "; hub %s", f.Hub)
		}
		if f.Source != "" {
			fmt.Fprintf(&b, "; %s", f.Source)
		}
		if f.Evidence != "" {
			fmt.Fprintf(&b, "; evidence: %s", f.Evidence)
		}
		b.WriteByte('\n')
	}
	for _, n := range r.Notes {
		fmt.Fprintf(&b, "  note: %s\n", n)
	}
	if failed != nil {
		fmt.Fprintf(&b, "  not finished: %v\n", failed)
	}
	_, err := io.WriteString(o.printTo, b.String())
	return err
}

// checkEvidence checks what another auditor found.
func (o *auditOptions) checkEvidence(ctx context.Context) error {
	b, err := os.ReadFile(o.evidence)
	if err != nil {
		return &exit{auditUndone, err}
	}
	e, err := audit.ParseEvidence(b)
	if err != nil {
		return &exit{auditUndone, err}
	}
	all, err := o.subjects(ctx)
	if err != nil {
		return &exit{auditUndone, err}
	}
	for _, s := range all {
		if s.policy.Log.Name != e.Origin {
			continue
		}
		if err := e.Verify(s.policy, s.keys); err != nil {
			return &exit{auditUndone, err}
		}
		fmt.Fprintf(o.printTo, "proven: %s of %s\n", e.Kind, e.Origin)
		return &exit{code: auditProven}
	}
	return &exit{auditUndone, vc.ErrNoLedger}
}
