package cli

import (
	"bytes"
	"cmp"
	"context"
	"crypto"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kinpass/kinpass/internal/bundle"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/mirror"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/verifier"
	"github.com/kinpass/kinpass/verifier/check"
	"github.com/kinpass/kinpass/verifier/post"
)

// Exit codes of "kinpass bundle", beside 0, 1 and 2 of every command.
const (
	exitRefused = 3 // what was read does not verify
	exitOlder   = 4 // it is older than what is known here
	exitWrong   = 5 // the hub put something else into it than the issuers signed
)

// Faults of bundles in files.
var (
	errBundleRead = fault.New(fault.Invalid, "bundle-missing", "the border bundle cannot be read").
			WithHint("name it with --bundle FILE; a verifier serves the newest one at /bundle")
	errNothingNew = fault.New(fault.Invalid, "bundle-files", "none of the files is a border bundle or a change of one").
			WithHint("bundles end with .kpb, changes with .kpd")
	errFetchStopped = fault.New(fault.Unavailable, "fetch-stopped", "the fetch was stopped before it was done").
			WithHint("what came so far is kept, and the next fetch goes on with it")
)

func newBundle(h *home) *cobra.Command {
	c := &cobra.Command{
		Use:   "bundle",
		Short: "Border bundles: build, mirror, fetch, carry, verify and show them",
		Long: `A border bundle is all that a post needs to check offline: the trust list, the
countries' policies and the state of every credential, in one signed file. Any
web server, mirror or stick can carry it, because it is only signed files.

Exit codes: 0 done, 1 it did not work, 2 the command was not understood,
3 what was read does not verify or takes a revocation back, 4 it is older than what is known here,
5 "verify --shelf": the hub put something else into it than the issuers signed.`,
	}
	c.AddCommand(newBundleBuild(h), newBundleFetch(h), newBundleApply(h), newBundleVerify(h), newBundleShow(h))
	for _, s := range c.Commands() {
		run := s.RunE
		s.RunE = func(c *cobra.Command, args []string) error { return bundleExit(run(c, args)) }
	}
	return c
}

// refusals are the faults of what does not verify, and of what is older.
var (
	refusals = []error{check.ErrBundle, bundle.ErrFile, bundle.ErrShort, bundle.ErrSignature, bundle.ErrRoot, bundle.ErrPart,
		bundle.ErrDelta, mirror.ErrDamaged, mirror.ErrIndex, post.ErrTakesBack}
	olds = []error{post.ErrRollback, post.ErrTrustOlder, mirror.ErrBehind, mirror.ErrOlder}
)

// bundleExit gives an error its exit code.
func bundleExit(err error) error {
	is := func(list []error) bool {
		return slices.ContainsFunc(list, func(target error) bool { return errors.Is(err, target) })
	}
	var e *exit
	switch {
	case err == nil, errors.As(err, &e):
		return err
	case is(olds):
		return &exit{exitOlder, err}
	case is(refusals):
		// What exactly is wrong, such as the part that is damaged, is the cause.
		var inner *fault.Fault
		if outer := fault.As(err); errors.As(outer.Err, &inner) && inner.Kind != fault.Internal && !strings.Contains(outer.Detail, inner.Detail) {
			err = outer.WithDetail(outer.Detail + ": " + inner.Detail).With(inner)
		}
		return &exit{exitRefused, err}
	}
	return err
}

// knownFile keeps, beside the bundle of this data directory, what is known of
// the bundles before: nobody can give an older one.
const knownFile = "border.known"

// notOlder refuses the bundle of the data directory if a newer one was in force
// there: somebody put an old file in its place.
func (h *home) notOlder(b *check.Bundle) error {
	text, err := os.ReadFile(h.path(knownFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return post.ErrKnown.With(err)
	}
	var known post.Known
	if err := json.Unmarshal(text, &known); err != nil {
		return post.ErrKnown.With(err)
	}
	if known.Digest != digestText(b.Digest) && (b.Sequence <= known.Hubs[b.Hub] || b.CreatedAt.Before(known.Created)) {
		return post.ErrRollback.WithDetail("a newer bundle was in force here than the one in the data directory").
			WithHint("bring the newest one with: kinpass bundle fetch, or kinpass bundle apply")
	}
	return nil
}

// bundlePost is the post whose bundle is a file: DATA/border.kpb, which "kinpass
// check" decides with.
type bundlePost struct {
	home   *home
	file   string
	anchor string // file of the trust anchors, "" for that of the data directory
	post   *post.Post
	info   *post.Info   // of the bundle in hand, nil for none
	have   *bundle.File // the same
	trust  *vc.TrustList
	found  error     // why a file that is there is no bundle in hand
	say    io.Writer // told where evidence was put
}

// alone makes other processes that change the same wait until unlock, and says so
// where this one has to wait.
func (h *home) alone(c *cobra.Command, name string) (unlock func(), err error) {
	if err := os.MkdirAll(h.dir, 0o700); err != nil {
		return nil, err
	}
	told := time.AfterFunc(2*time.Second, func() {
		fmt.Fprintln(c.ErrOrStderr(), "another kinpass is at work on the bundle of this data directory; waiting for it")
	})
	defer told.Stop()
	return store.Lock(c.Context(), h.path(name))
}

// openPost reads the bundle in hand, and what is known of those before. Another
// process that changes them waits until unlock.
func (h *home) openPost(c *cobra.Command, file, anchor string) (p *bundlePost, unlock func(), err error) {
	release, err := h.alone(c, "border.lock")
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			release()
		}
	}()
	if file == "" {
		file = h.path("border.kpb")
	}
	p = &bundlePost{home: h, file: file, anchor: anchor, say: c.ErrOrStderr()}
	anchors, err := h.readAnchor(anchor)
	if err != nil {
		return nil, nil, err
	}
	if p.post, err = post.New(anchors); err != nil {
		return nil, nil, err
	}
	known, err := os.ReadFile(h.path(knownFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	data, rerr := os.ReadFile(p.file)
	if rerr != nil && !errors.Is(rerr, fs.ErrNotExist) {
		return nil, nil, rerr
	}
	var info post.Info
	var fresh []byte
	if known != nil {
		info, err = p.post.Restore(data, known)
		if errors.Is(err, post.ErrKnown) {
			return nil, nil, err
		}
		if err != nil && data != nil {
			// The power may have gone between the bundle and what is known of it.
			info, fresh, err = p.post.Take(data, now())
		}
	} else if data != nil {
		info, fresh, err = p.post.Take(data, now())
	}
	switch {
	case data == nil:
	case err != nil:
		p.found = err
	default:
		if fresh != nil {
			if err := mirror.WriteFile(h.path(knownFile), fresh, 0o644); err != nil {
				return nil, nil, err
			}
		}
		if err := p.hold(data, info); err != nil {
			return nil, nil, err
		}
	}
	return p, release, nil
}

// hold makes a bundle that was verified the one in hand.
func (p *bundlePost) hold(data []byte, info post.Info) error {
	f, err := bundle.Open(data)
	if err != nil {
		return err
	}
	signed, _ := f.Part("trust")
	anchors, err := p.home.anchors(p.anchor)
	if err != nil {
		return err
	}
	if p.trust, err = vc.OpenTrustList(string(signed), anchors); err != nil {
		return err
	}
	p.have, p.info = f, &info
	return nil
}

// hub gives the key of a hub on the trust list in hand.
func (p *bundlePost) hub(kid string) crypto.PublicKey {
	if p.trust == nil {
		return nil
	}
	for i := range p.trust.Hubs {
		if k := &p.trust.Hubs[i]; k.ID == kid {
			if public, err := vc.ParseJWK(k.JWK); err == nil {
				return public
			}
		}
	}
	return nil
}

// overtook reports whether another process has put in force, since before, what is
// no older than what was fetched.
func (p *bundlePost) overtook(before *bundlePost, data []byte) (bool, error) {
	if p.have == nil || before.have != nil && before.have.Digest() == p.have.Digest() {
		return false, nil
	}
	f, err := bundle.Open(data)
	if err != nil {
		return false, err
	}
	return !mirror.Newer(f.Manifest, p.have.Manifest), nil
}

// take verifies a bundle from the anchors down and puts it in force: the file
// first, and then what is known of it, so that a power cut between them leaves a
// bundle that is newer than what is known.
func (p *bundlePost) take(data []byte) (post.Info, error) {
	info, known, err := p.post.Take(data, now())
	if errors.Is(err, post.ErrTakesBack) {
		p.keepEvidence(data)
	}
	if err != nil {
		return info, err
	}
	if err := os.MkdirAll(filepath.Dir(p.file), 0o700); err != nil {
		return info, err
	}
	// What is on the disk counts: after an attempt whose writing failed the post
	// has this bundle, and the file does not.
	f, err := bundle.Open(data)
	if err != nil {
		return info, err
	}
	if p.have == nil || p.have.Digest() != f.Digest() {
		if err := mirror.WriteFile(p.file, data, 0o644); err != nil {
			return info, mirror.Own(err)
		}
	}
	if known != nil {
		if err := mirror.WriteFile(p.home.path(knownFile), known, 0o644); err != nil {
			return info, mirror.Own(err)
		}
	}
	return info, p.hold(data, info)
}

// evidences is how many bundles that take revocations back are kept.
const evidences = 3

// keepEvidence keeps a bundle that takes a revocation back beside the one in hand:
// the hub's signature on both proves that one of them is false. The first that
// came stays, for it is what began it, and of those after it the newest.
func (p *bundlePost) keepEvidence(data []byte) {
	f, err := bundle.Open(data)
	if err != nil {
		return
	}
	begin := strings.TrimSuffix(p.file, ".kpb") + ".refused-"
	digest := f.Digest()
	name := fmt.Sprintf("%s%d-%s.kpb", begin, f.Sequence, digestText(digest)[:16])
	if _, err := os.Stat(name); err != nil {
		if err := mirror.WriteFile(name, data, 0o644); err != nil {
			fmt.Fprintf(p.say, "the bundle that was refused could not be kept: %v\n", err)
			return
		}
	}
	fmt.Fprintf(p.say, "the bundle that was refused is kept as evidence: %s\n", name)
	type kept struct {
		name string
		at   time.Time
	}
	var all []kept
	names, _ := filepath.Glob(filepath.Join(filepath.Dir(name), "*.kpb"))
	for _, n := range names {
		if i, err := os.Stat(n); err == nil && strings.HasPrefix(filepath.Base(n), filepath.Base(begin)) {
			all = append(all, kept{n, i.ModTime()})
		}
	}
	slices.SortFunc(all, func(a, b kept) int { return cmp.Or(a.at.Compare(b.at), strings.Compare(a.name, b.name)) })
	for ; len(all) > evidences; all = slices.Delete(all, 1, 2) {
		_ = os.Remove(all[1].name)
	}
}

// outcome is what fetch and apply print as JSON.
type bundleOutcome struct {
	*post.Info
	File     string           `json:"file"`
	How      string           `json:"how"` // unchanged, delta or full
	Mirror   string           `json:"mirror,omitempty"`
	Deltas   int              `json:"deltas"`
	Bytes    int64            `json:"bytesFetched"`
	Resumed  int64            `json:"bytesResumed"`
	Age      int64            `json:"ageSeconds"`
	Problems []mirror.Problem `json:"problems"`
}

func (o *bundleOutcome) print(c *cobra.Command, asJSON bool) error {
	if o.Problems == nil {
		o.Problems = []mirror.Problem{}
	}
	if o.Info != nil {
		o.Age = int64(now().Sub(o.SignedAt) / time.Second)
	}
	if asJSON {
		return printJSON(c.OutOrStdout(), o)
	}
	said := map[string]string{
		mirror.Unchanged: "this is the newest: ", mirror.Whole: "in force, fetched whole: ", mirror.ByDelta: "in force, by what changed: ",
	}[o.How]
	_, err := fmt.Fprintf(c.OutOrStdout(), "%sbundle %s, number %d, %s, in %s\n", said, visible(o.ID), o.Sequence, old(o.Age), o.File)
	return err
}

func newBundleFetch(h *home) *cobra.Command {
	var out, anchor string
	var asJSON, full bool
	var limit time.Duration
	c := &cobra.Command{
		Use:   "fetch URL|DIR [URL|DIR...]",
		Short: "Fetch the newest bundle from a hub or its mirrors",
		Long: `Asks every mirror named what it has and fetches the newest bundle: what changed
since the one that is here if that is smaller, and the whole bundle otherwise. A
mirror is the address of a verifier's service, or a web server or directory with
what "kinpass bundle build --out" wrote. It need not be trusted: each part is
held against what the hub signed, and one that is behind or false is named, and
the next one is asked.

A transfer that breaks off is kept beside the bundle and goes on where it was,
also with another mirror. What is older than what is known here is refused. A
bundle that takes a revocation back is refused, too, and kept as evidence beside
the one in force: border.refused-NUMBER-DIGEST.kpb, the first one and the newest.`,
		Example: `  kinpass bundle fetch https://hub.example https://mirror.example/bundles
  kinpass bundle fetch /media/stick/bundles`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if limit <= 0 {
				return usage{errors.New("--timeout is longer than nothing, such as 30m")}
			}
			finish, err := h.alone(c, "fetch.lock")
			if err != nil {
				return err
			}
			defer finish()
			p, unlock, err := h.openPost(c, out, anchor)
			if err != nil {
				return err
			}
			// A line may take hours, and a stick that is brought meanwhile need not wait.
			unlock()
			p.warn(c)
			ctx, cancel := context.WithTimeout(c.Context(), limit)
			defer cancel()
			f := &mirror.Fetcher{Mirrors: args, Have: p.have, Hub: p.hub, Part: p.file + ".part", NoDeltas: full, Progress: progressOf(c.ErrOrStderr(), asJSON)}
			var info post.Info
			overtaken := false
			f.Accept = func(data []byte) error {
				q, unlock, err := h.openPost(c, out, anchor)
				if err != nil {
					return mirror.Own(err)
				}
				defer unlock()
				if overtaken, err = q.overtook(p, data); overtaken || err != nil {
					info = *q.info
					return err
				}
				info, err = q.take(data)
				return err
			}
			got, err := f.Fetch(ctx)
			for _, x := range got.Problems {
				if last := fault.As(err); err != nil && len(args) == 1 && (x.Code == last.Code || strings.Contains(last.Detail, x.Detail)) {
					continue // said below, of the one mirror that there is
				}
				fmt.Fprintf(c.ErrOrStderr(), "mirror %s: %s: %s\n", visible(x.Mirror), x.Code, x.Detail)
			}
			if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
				return errFetchStopped.With(err)
			}
			if err != nil {
				return err
			}
			if overtaken {
				got.How = mirror.Unchanged
				p.info = &info
			}
			o := bundleOutcome{Info: &info, File: p.file, How: got.How, Mirror: got.Mirror, Deltas: got.Deltas, Bytes: got.Bytes, Resumed: got.Resumed, Problems: got.Problems}
			if got.How == mirror.Unchanged {
				o.Info = p.info
			}
			return o.print(c, asJSON)
		},
	}
	postFlags(c, &out, &anchor, &asJSON)
	c.Flags().BoolVar(&full, "full", false, "fetch the whole bundle even where what changed is smaller")
	c.Flags().DurationVar(&limit, "timeout", 2*time.Hour, "how long it may take; what came by then is kept, and the next fetch goes on with it")
	return c
}

// postFlags are those of the commands that bring a post its bundle.
func postFlags(c *cobra.Command, out, anchor *string, asJSON *bool) {
	f := c.Flags()
	f.StringVar(out, "out", "", "file of the bundle (default DATA/border.kpb)")
	f.StringVar(anchor, "anchor", "", "trust anchor (default DATA/anchor.json)")
	f.BoolVar(asJSON, "json", false, "print what came of it as JSON")
}

// warn tells of a file that is there and is not the bundle in hand.
func (p *bundlePost) warn(c *cobra.Command) {
	if p.found != nil {
		f := fault.As(p.found)
		fmt.Fprintf(c.ErrOrStderr(), "%s is not used: %s: %s\n", p.file, f.Code, f.Detail)
	}
}

// progressOf draws on a terminal, and tells of each file elsewhere.
func progressOf(w io.Writer, quiet bool) func(mirror.Progress) {
	var last mirror.Progress
	var drawn time.Time
	terminal := isTerminal(w)
	return func(p mirror.Progress) {
		begun := p.What != last.What || p.Mirror != last.Mirror
		last = p
		switch {
		case terminal && (begun || time.Since(drawn) > 100*time.Millisecond || p.Done == p.Total):
			drawn = time.Now()
			fmt.Fprintf(w, "\r\x1b[K%s %s of %s", visible(p.What), kilobytes(p.Done), kilobytes(p.Total))
			if p.Total > 0 && p.Done == p.Total {
				fmt.Fprintln(w)
			}
		case !terminal && begun && !quiet:
			fmt.Fprintf(w, "fetching %s from %s\n", visible(p.What), visible(p.Mirror))
		}
	}
}

func kilobytes(n int64) string {
	if n < 10_000 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.0f kB", float64(n)/1000)
}

func newBundleApply(h *home) *cobra.Command {
	var out, anchor string
	var asJSON bool
	c := &cobra.Command{
		Use:   "apply FILE...",
		Short: "Take in bundles and changes that were brought on a stick",
		Long: `Takes the newest bundle that can be made of the files and of the one that is
here: whole bundles (.kpb) and changes (.kpd), in any order. It is verified from
the anchors down, and what is older than what is known here is refused.`,
		Example: `  kinpass bundle apply /media/stick/*.kpd
  kinpass bundle apply /media/stick/bundles/full/1790000000.kpb`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			p, unlock, err := h.openPost(c, out, anchor)
			if err != nil {
				return err
			}
			defer unlock()
			p.warn(c)
			carried, err := readCarried(args)
			if err != nil {
				return err
			}
			made, err := carried.newest(p.have)
			if err != nil {
				return err
			}
			info, err := p.take(made.file.Bytes())
			if err != nil {
				return err
			}
			o := bundleOutcome{Info: &info, File: p.file, How: mirror.Whole, Deltas: made.deltas, Bytes: 0}
			switch {
			case !info.New:
				o.How = mirror.Unchanged
			case made.deltas > 0:
				o.How = mirror.ByDelta
			}
			return o.print(c, asJSON)
		},
	}
	postFlags(c, &out, &anchor, &asJSON)
	return c
}

// carried is what files bring.
type carried struct {
	files  []*bundle.File
	deltas map[[32]byte][]*change
	bad    error // the first file that is damaged
}

type change struct {
	*bundle.Delta
	data []byte
}

// reached is a bundle and how many changes lead to it.
type reached struct {
	file   *bundle.File
	deltas int
}

func readCarried(names []string) (*carried, error) {
	out := &carried{deltas: map[[32]byte][]*change{}}
	for _, name := range names {
		data, err := readBundleFile(name)
		if err != nil {
			return nil, err
		}
		switch {
		case bundle.IsDelta(data):
			d, err := bundle.ReadDelta(data)
			if err != nil {
				out.bad = fmt.Errorf("%s: %w", name, err)
				continue
			}
			out.deltas[d.From] = append(out.deltas[d.From], &change{d, data})
		case bundle.IsFile(data):
			f, err := bundle.Open(data)
			if err != nil {
				out.bad = fmt.Errorf("%s: %w", name, err)
				continue
			}
			out.files = append(out.files, f)
		default:
			out.bad = fmt.Errorf("%s: %w", name, bundle.ErrFile)
		}
	}
	if len(out.files) == 0 && len(out.deltas) == 0 {
		if out.bad != nil {
			return nil, out.bad
		}
		return nil, errNothingNew
	}
	return out, nil
}

// newest makes the newest bundle to which the files lead, from the one in hand
// or from one that they bring.
func (c *carried) newest(have *bundle.File) (reached, error) {
	var todo []reached
	for _, f := range c.files {
		todo = append(todo, reached{f, 0})
	}
	if have != nil {
		todo = append(todo, reached{have, 0})
	}
	seen := map[[32]byte]bool{}
	var best reached
	var broken error
	for len(todo) > 0 {
		at := todo[0]
		todo = todo[1:]
		digest := at.file.Digest()
		if seen[digest] {
			continue
		}
		seen[digest] = true
		brought := have == nil || digest != have.Digest() || c.brings(digest)
		if brought && (best.file == nil || mirror.Newer(at.file.Manifest, best.file.Manifest)) {
			best = at
		}
		for _, d := range c.deltas[digest] {
			data, err := bundle.Apply(at.file, d.data)
			var f *bundle.File
			if err == nil {
				f, err = bundle.Open(data)
			}
			if err != nil {
				broken = err
				continue
			}
			todo = append(todo, reached{f, at.deltas + 1})
		}
	}
	switch {
	case best.file != nil:
		return best, nil
	case broken != nil:
		return reached{}, broken
	case c.bad != nil:
		return reached{}, c.bad
	case have == nil:
		return reached{}, bundle.ErrChain.WithDetail("there is no bundle here at which these changes start").WithHint("bring a whole bundle (.kpb) with them")
	}
	if c.brings(have.Digest()) {
		return reached{have, 0}, nil
	}
	// What starts elsewhere leads to something older, or a link is missing.
	for _, list := range c.deltas {
		for _, d := range list {
			if d.To.KID == have.KID && d.To.Sequence <= have.Sequence {
				continue
			}
			return reached{}, bundle.ErrChain.WithDetail(fmt.Sprintf("the changes do not start at the bundle that is here, number %d", have.Sequence)).
				WithHint("bring the change that is missing between them, or a whole bundle (.kpb)")
		}
	}
	return reached{}, post.ErrRollback
}

// brings reports whether a file is this bundle, or a change that leads to it.
func (c *carried) brings(digest [32]byte) bool {
	for _, f := range c.files {
		if f.Digest() == digest {
			return true
		}
	}
	for _, list := range c.deltas {
		for _, d := range list {
			if d.To.Digest() == digest {
				return true
			}
		}
	}
	return false
}

// readBundleFile reads a bundle or a change.
func readBundleFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, bundle.MaxSize+1))
	if err != nil {
		return nil, err
	}
	if len(data) > bundle.MaxSize {
		return nil, bundle.ErrFile.WithDetail("the file is larger than any border bundle")
	}
	return data, nil
}

func newBundleBuild(h *home) *cobra.Command {
	var o options
	var out string
	var keep mirror.Keep
	var asJSON bool
	c := &cobra.Command{
		Use:   "build",
		Short: "Build a bundle with this verifier's keys, and write it for mirrors",
		Long: `Reads the trust list and the shelf of every issuer on it, and signs what was
found, as the verifier's service does; both may use one data directory.

With --out DIR, the bundle, the changes from those before and the index of them
are written so that any web server can serve the directory and anybody can copy
it: files first, the index last, each whole or not at all. "kinpass bundle fetch"
reads it.`,
		Example: `  kinpass bundle build --out /srv/mirror/bundles`,
		RunE: func(c *cobra.Command, _ []string) error {
			o.log = newLog(io.Discard, 0)
			if o.clock == nil {
				o.clock = now
			}
			v, closeDB, err := h.newVerifier(c.Context(), o)
			if err != nil {
				return err
			}
			defer closeDB()
			r, err := v.Build(c.Context())
			if err != nil {
				return err
			}
			for _, p := range r.Problems {
				fmt.Fprintf(c.ErrOrStderr(), "incomplete: %s: %s %s %s\n", p.Code, p.Detail, visible(p.Issuer), visible(p.List))
			}
			built := struct {
				verifier.Report
				Deltas []mirror.Delta `json:"deltas,omitempty"`
				Out    string         `json:"out,omitempty"`
			}{Report: r, Out: out}
			if out != "" {
				b, err := v.Latest(c.Context())
				if err != nil {
					return err
				}
				if err := os.MkdirAll(out, 0o755); err != nil {
					return err
				}
				unlock, err := store.Lock(c.Context(), filepath.Join(out, ".lock"))
				if err != nil {
					return err
				}
				defer unlock()
				i, err := mirror.Publish(out, bytes.Clone(b.Bytes), keep, now())
				if err != nil {
					return err
				}
				built.Deltas = i.Deltas
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), built)
			}
			fmt.Fprintf(c.OutOrStdout(), "bundle %s, number %d: %d lists, %d over others', %d policies, %s\n", r.ID, r.Sequence, r.Lists, r.Overrides, len(r.Policies), kilobytes(int64(r.Bytes)))
			if out != "" {
				fmt.Fprintf(c.OutOrStdout(), "written to %s, with %d changes\n", out, len(built.Deltas))
			}
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&out, "out", "", "directory for mirrors")
	f.StringVar(&o.trustList, "trust-list", "", "signed trust list, a file or an address (default DATA/trust.jws)")
	f.StringVar(&o.anchor, "anchor", "", "trust anchor (default DATA/anchor.json)")
	f.StringVar(&o.policies, "policies", "", "directory of the country policies (default those that come with Kinpass)")
	f.StringArrayVar(&o.private, "private-network", nil, "network that is not public and yet called for status lists (can be repeated)")
	f.BoolVar(&o.loopback, "allow-loopback", false, "issuers on this machine may be called, over http")
	f.DurationVar(&keep.All, "keep", 48*time.Hour, "how long every bundle stays in DIR")
	f.DurationVar(&keep.Daily, "keep-daily", 60*24*time.Hour, "how long one bundle a day stays in DIR")
	f.BoolVar(&asJSON, "json", false, "print what was built as JSON")
	return c
}

// digestText gives a digest in hexadecimal.
func digestText(d [32]byte) string { return hex.EncodeToString(d[:]) }

// jsonOrText prints v as JSON, or calls text.
func jsonOrText(c *cobra.Command, asJSON bool, v any, text func(io.Writer)) error {
	if asJSON {
		return printJSON(c.OutOrStdout(), v)
	}
	var b bytes.Buffer
	text(&b)
	_, err := c.OutOrStdout().Write(b.Bytes())
	return err
}
