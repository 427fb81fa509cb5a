package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/trust"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/issuer"
)

// drill is what "kinpass keys compromise" found and did.
type drill struct {
	issuer.Affected
	Done    bool     `json:"done"`    // false: nothing was changed
	NextKey string   `json:"nextKey"` // that signs from now on
	Trust   int64    `json:"trustListSequence,omitempty"`
	Then    []string `json:"then"` // what is left for people to do
}

func newCompromise(h *home) *cobra.Command {
	var since, list, public string
	var size int64
	var yes, asJSON bool
	c := &cobra.Command{
		Use:   "compromise KEY --since TIME",
		Short: "A key of this issuer was stolen: stop it, cut it off, say who is affected",
		Long: `Says what a stolen key of this issuer signed and, with --yes, takes it out of use:
it signs nothing more, another key does, and the trust list has that one and says from
when on the stolen one is not believed. What the ledger had before that time stays good: hubs ask the issuer
for it, hold it against the ledger and put it into the bundle. That is of border copies
and papers alone, and of a key the first 1,048,576: the rest needs its own proof, or to
be made anew. Without --yes nothing is changed.

--since is the last moment at which the key was surely nobody else's. The ledger's
size then is that of all entries before the first that was made at --since or later,
and never more than what witnesses cosigned. A witness or an auditor that kept older
checkpoints may know that it was smaller: --ledger-size.

It may be run again: it goes on where it stopped. See docs/COMPROMISE.md.`,
		Example: "  kinpass keys compromise key-1 --since 2026-11-20T03:00:00Z\n  kinpass keys compromise key-1 --since 2026-11-20T03:00:00Z --yes --list affected.json",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if since == "" {
				return usage{errors.New("--since says from when on the key is not believed")}
			}
			t, err := parseSince(since)
			if err != nil {
				return err
			}
			if t.After(now()) {
				return usage{errors.New("--since lies in the future: it is the last moment at which the key was surely nobody else's")}
			}
			if !c.Flags().Changed("ledger-size") {
				size = -1
			} else if size < 0 {
				return usage{errors.New("--ledger-size is a number of entries")}
			}
			i, name, done, err := h.compromised(c.Context(), args[0], public)
			if err != nil {
				return err
			}
			defer done()
			var d drill
			if d.Affected, err = i.Affected(c.Context(), name, t, size); err != nil {
				return err
			}
			if yes {
				next, err := h.retire(name)
				if err != nil {
					return err
				}
				d.NextKey, d.Done = next.Name, true
				if err := h.withdraw(&d, i.DID(), next); err != nil {
					return err
				}
				d.Then = append(d.Then,
					"build a border bundle: kinpass bundle build",
					fmt.Sprintf("make the papers anew: kinpass keys reissue %s (wallets renew by themselves)", name))
			}
			if list != "" {
				if err := writeJSONFile(list, d); err != nil {
					return err
				}
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), d)
			}
			return d.print(c.OutOrStdout(), list)
		},
	}
	f := c.Flags()
	f.StringVar(&since, "since", "", "RFC 3339 time from which the key is not believed; a bare date is the beginning of that day in UTC")
	f.Int64Var(&size, "ledger-size", 0, "entries that the ledger had then, if a witness or an auditor knows that there were fewer")
	f.StringVar(&list, "list", "", "write what was found, with the records affected, to this file (JSON; no personal data)")
	f.StringVar(&public, "public", "", "the issuer's public address (default that of the last run on this data directory)")
	f.BoolVar(&yes, "yes", false, "do it")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func newReissue(h *home) *cobra.Command {
	var public string
	var asJSON bool
	c := &cobra.Command{
		Use:   "reissue KEY",
		Short: "Make the papers anew that a withdrawn key signed",
		Long: `Makes new paper credentials, signed with the key that signs now, of every birth and
every guardianship in force of which the newest are signed with KEY; a desk prints them
when the family comes. Wallets fetch theirs by themselves. Run it when the trust list has
cut KEY off and has the new key. Stopped in the middle, it goes on where it stopped.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt)
			defer stop()
			i, name, done, err := h.compromised(ctx, args[0], public)
			if err != nil {
				return err
			}
			defer done()
			if _, err := h.inForceKey(i.DID() + "#" + name); err != nil {
				return err
			}
			sum, err := i.ReissuePapers(ctx, name, func(done, all int) {
				if done%1000 == 0 {
					fmt.Fprintf(c.ErrOrStderr(), "%d of %d\n", done, all)
				}
			})
			if err != nil {
				if ctx.Err() != nil {
					return errors.New("stopped; run the same command again to go on where it stopped")
				}
				return err
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), sum)
			}
			fmt.Fprintf(c.OutOrStdout(), "new papers              %d\nmade by an earlier run  %d\nnot in force any more   %d\n", sum.Made, sum.Before, sum.Left)
			return nil
		},
	}
	c.Flags().StringVar(&public, "public", "", "the issuer's public address (default that of the last run on this data directory)")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// errNotCut: nothing is made anew for a key that is still believed.
var errNotCut = fault.New(fault.Conflict, "key-not-cut-off", "the trust list in the data directory has not cut this key off").
	WithHint("run first: kinpass keys compromise")

func (h *home) inForceKey(id string) (*vc.TrustKey, error) {
	l, err := h.openTrust()
	if err != nil {
		return nil, err
	}
	for n := range l.Issuers {
		for k := range l.Issuers[n].Keys {
			if key := &l.Issuers[n].Keys[k]; key.ID == id && !key.CutOff.IsZero() {
				return key, nil
			}
		}
	}
	return nil, errNotCut
}

// compromised opens the issuer of this data directory and finds the name of its key,
// which may be given with the issuer's DID before it.
func (h *home) compromised(ctx context.Context, key, public string) (*issuer.Issuer, string, func(), error) {
	r, err := h.mustRing(issuerRole)
	if err != nil {
		return nil, "", nil, err
	}
	i, done, err := h.newIssuer(ctx, issuerOptions{public: public})
	if err != nil {
		return nil, "", nil, err
	}
	name := strings.TrimPrefix(key, i.DID()+"#")
	k := named(r, name)
	if k == nil || k.Use == keys.UseLedger {
		done()
		return nil, "", nil, fault.New(fault.NotFound, "no-such-key", "this issuer has no key of this name that signs credentials").WithHint("kinpass keys list")
	}
	return i, name, done, nil
}

func named(r *keys.Ring, name string) *keys.Key {
	for _, k := range r.Keys {
		if k.Name == name {
			return k
		}
	}
	return nil
}

// withdraw cuts the key off in the trust list, in which the next one takes its place,
// or says what its holders have to do for that. The next key is the one in this data
// directory: no document has to be compared with its owner.
func (h *home) withdraw(d *drill, issuer string, next *keys.Key) error {
	const restart = "restart the issuer's service: until then it signs with the stolen key"
	id := issuer + "#" + next.Name
	jwk, err := vc.PublicJWK(next.Public(), id, "")
	if err != nil {
		return err
	}
	// No earlier than what "trust add" would say of it.
	from := now().UTC().AddDate(-1, 0, 0)
	if next.NotBefore.After(from) {
		from = next.NotBefore
	}
	edit := func(l *vc.TrustList) error {
		if err := cutOffOnce(l, &d.Affected); err != nil {
			return err
		}
		return trust.Succeed(l, d.Key, vc.TrustKey{ID: id, JWK: jwk, NotBefore: from})
	}
	if l, err := h.changesNothing(edit); err != nil {
		return err
	} else if l != nil {
		d.Trust, d.Then = l.Sequence, append(d.Then, restart)
		return nil
	}
	l, err := h.editTrust(edit)
	switch {
	case errors.Is(err, errNoAnchor):
		role := cmp.Or(keys.RoleOf(next.Use), vc.RoleRegistrar)
		d.Then = append(d.Then,
			fmt.Sprintf("whoever holds the trust anchor runs: kinpass trust cutoff '%s' --at %s --ledger-size %d", d.Key, d.Since.Format(time.RFC3339), d.Size),
			restart,
			fmt.Sprintf("whoever holds the trust anchor puts the new key on the list: kinpass trust add %s --key-role %s=%s", issuer, next.Name, role))
		return nil
	case err != nil:
		return err
	}
	// With several anchors, what was changed may be a draft.
	if k, err := h.inForceKey(d.Key); err == nil && k.CutOff.Equal(d.Since) {
		d.Trust = l.Sequence
	} else {
		d.Then = append(d.Then, "the holders of the trust anchors sign the draft with the cut-off and the new key, which is not in force yet: kinpass trust propose, cosign, publish")
	}
	d.Then = append(d.Then, restart)
	return nil
}

// changesNothing gives the list in force if an edit leaves it as it is, else nil.
func (h *home) changesNothing(edit func(*vc.TrustList) error) (*vc.TrustList, error) {
	l, err := h.inForce()
	if err != nil || l == nil {
		return nil, err
	}
	before, err := json.Marshal(l)
	if err != nil {
		return nil, err
	}
	if edit(l) != nil {
		return nil, nil // who edits it for good is told why
	}
	after, err := json.Marshal(l)
	if err != nil || !bytes.Equal(before, after) {
		return nil, err
	}
	return l, nil
}

// retire ends a key now, unless it has ended, and gives the key that signs in its
// place. If there is none it is made.
func (h *home) retire(name string) (*keys.Key, error) {
	unlock, err := h.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	r, err := h.mustRing(issuerRole)
	if err != nil {
		return nil, err
	}
	at := now().UTC().Truncate(time.Second)
	k := named(r, name)
	if k.NotAfter.IsZero() || k.NotAfter.After(at) {
		k.NotAfter = at
	}
	other, err := r.Current(k.Use, at)
	if err != nil {
		for _, kind := range signingOf[issuerRole] {
			if kind.use == k.Use {
				if other, err = keys.New(kind.name(r), k.Use, k.Alg, at, time.Time{}); err == nil {
					err = r.Add(other)
				}
			}
		}
		if err != nil {
			return nil, err
		}
	}
	return other, h.saveRing(issuerRole, r)
}

// cutOffOnce cuts the key off, unless that is on the list.
func cutOffOnce(l *vc.TrustList, a *issuer.Affected) error {
	for n := range l.Issuers {
		for _, k := range l.Issuers[n].Keys {
			if k.ID == a.Key && k.CutOff.Equal(a.Since) && k.CutOffSize <= a.Size {
				a.Size = k.CutOffSize
				return nil
			}
		}
	}
	return trust.CutOff(l, a.Key, a.Since, a.Size)
}

func (d *drill) print(out io.Writer, list string) error {
	verb := map[bool]string{true: "is not", false: "would not be"}[d.Done]
	fmt.Fprintf(out, "%s %s believed from %s on.\n", d.Key, verb, d.Since.Format(time.RFC3339))
	by := "by this register's own clock; no witness cosigned it"
	if d.Witnessed {
		by = "under a checkpoint that witnesses cosigned"
	}
	fmt.Fprintf(out, "The ledger had %d entries before (%s).\n\n", d.Size, by)
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "WHAT IT SIGNED\tPROFILE\tSTAYS GOOD\tWITH PROOF\tAMBER\tRED")
	told, more := 0, 0
	for _, k := range d.Counts {
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%d\n", k.Type, k.Profile, k.Survive, k.Provable, k.Unproven, k.Worthless)
		told, more = told+k.Survive, more+k.Provable
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(out, "\n%d are told to posts with the next border bundle. %d more were in the ledger in time and are not told\n"+
		"(what posts are not shown, and of the rest all after the first %d): amber until made anew or their own proof is shown.\n", told, more, issuer.MaxSurvivors)
	fmt.Fprintf(out, "\n%d records are affected", len(d.Records))
	if list != "" {
		fmt.Fprintf(out, ": %s", list)
	}
	fmt.Fprintln(out, ".")
	if !d.Done {
		_, err := fmt.Fprintln(out, "\nNothing was changed. With --yes:\n- the key signs nothing more, another key does (it is made if there is none);\n"+
			"- the trust list has that key and says from when on the stolen one is not believed, if its anchor is in this data directory;\n"+
			"- what the ledger had before and posts are told stays good with the next border bundle, all else has to be issued anew.")
		return err
	}
	fmt.Fprintf(out, "\n%s signs from now on.", d.NextKey)
	if d.Trust > 0 {
		fmt.Fprintf(out, " Trust list %d has the cut-off and the new key.", d.Trust)
	}
	fmt.Fprintln(out, "\nTo be done, in this order:")
	for _, s := range d.Then {
		fmt.Fprintln(out, "- "+s)
	}
	return nil
}

func writeJSONFile(name string, v any) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	err = printJSON(f, v)
	return errors.Join(err, f.Sync(), f.Close())
}
