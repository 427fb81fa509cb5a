package cli

import (
	"bytes"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/trust"
	"github.com/kinpass/kinpass/internal/vc"
)

const (
	anchorFile = "anchor.json"
	// draftFile holds changes that wait for the anchors' holders.
	draftFile = "trust.next.json"
)

// Faults of signing trust lists.
var (
	errNoTrust   = fault.New(fault.NotFound, "trust-list-missing", "there is no trust list in the data directory").WithHint("make one with: kinpass trust init")
	errNoAnchor  = fault.New(fault.NotFound, "anchor-key-missing", "there is no anchor key in the data directory").WithHint("make one with: kinpass trust init")
	errAnchorSet = fault.New(fault.Conflict, "anchor-set-fixed", "the trust anchors of this data directory are agreed upon: several must sign, or some are held elsewhere").
			WithHint("agree on new anchors, and give a new anchor.json to all who verify")
)

// pending is the draft of changes that wait for the anchors' holders: made from
// list Base, at At.
type pending struct {
	Base int64         `json:"base"`
	At   time.Time     `json:"at"`
	List *vc.TrustList `json:"list"`
}

// inForce gives the list in force, nil if there is none yet.
func (h *home) inForce() (*vc.TrustList, error) {
	l, err := h.openTrust()
	if errors.Is(err, errNoTrust) {
		return nil, nil
	}
	return l, err
}

// ceremony gives the anchors and the list that they are to change.
func (h *home) ceremony() (trust.Ceremony, error) {
	anchors, err := h.anchors("")
	if err != nil {
		return trust.Ceremony{}, err
	}
	l, err := h.inForce()
	return trust.Ceremony{Anchors: anchors, InForce: l}, err
}

// anchorKeys gives the keys of this data directory that are anchors and sign now,
// the newest first.
func anchorKeys(r *keys.Ring, anchors vc.Anchors, at time.Time) []*keys.Key {
	var out []*keys.Key
	if r == nil {
		return nil
	}
	for _, k := range r.Of(keys.UseAnchor) {
		if k.ValidAt(at) && slices.ContainsFunc(anchors.Keys, func(a crypto.PublicKey) bool {
			e, ok := a.(interface{ Equal(crypto.PublicKey) bool })
			return ok && e.Equal(k.Public())
		}) {
			out = append(out, k)
		}
	}
	slices.SortStableFunc(out, func(a, b *keys.Key) int { return b.NotBefore.Compare(a.NotBefore) })
	return out
}

// editTrustAt changes the trust list and signs it anew, or, where the keys that
// must sign are not all here, the draft of the next one. The edit tells the time,
// too: nothing in the list may be gentler about times before its own.
func (h *home) editTrustAt(at time.Time, edit func(*vc.TrustList) error) (*vc.TrustList, error) {
	r, unlock, err := h.lockedRing(anchorName)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if _, err := os.Stat(h.path(anchorFile)); r == nil && errors.Is(err, fs.ErrNotExist) {
		return nil, errNoAnchor
	}
	c, err := h.ceremony()
	if err != nil {
		return nil, err
	}
	signers := anchorKeys(r, c.Anchors, at)
	if len(signers) < c.Anchors.Threshold {
		if c.Anchors.Threshold == 1 {
			return nil, errNoAnchor
		}
		return h.editDraft(c, at, edit)
	}
	l := c.InForce
	if l == nil {
		if l, err = trust.New(signers[0].Public()); err != nil {
			return nil, err
		}
	}
	before := *l
	if err := edit(l); err != nil {
		return nil, err
	}
	signed := ""
	if c.Anchors.Threshold == 1 {
		signed, err = trust.Sign(l, signers[0].Signer("anchor#"+signers[0].Name), at, trustTerm)
	} else {
		c.InForce = nil
		if before.Sequence > 0 {
			c.InForce = &before
		}
		l, signed, err = signHere(c, l, at, signers)
	}
	if err != nil {
		return nil, err
	}
	if err := trust.Follows(&before, l); err != nil {
		return nil, err
	}
	return l, h.write(trustFile, []byte(signed+"\n"), 0o644)
}

// signHere holds the whole ceremony in one data directory.
func signHere(c trust.Ceremony, l *vc.TrustList, at time.Time, signers []*keys.Key) (*vc.TrustList, string, error) {
	text, err := c.Propose(l, at, trustTerm)
	if err != nil {
		return nil, "", err
	}
	d, err := c.Open(text)
	if err != nil {
		return nil, "", err
	}
	for _, k := range signers[:c.Anchors.Threshold] {
		if _, err := c.Cosign(d, k.Signer("")); err != nil {
			return nil, "", err
		}
	}
	signed, err := c.Publish(d)
	return d.List, signed, err
}

// editDraft changes the draft of the next list.
func (h *home) editDraft(c trust.Ceremony, at time.Time, edit func(*vc.TrustList) error) (*vc.TrustList, error) {
	p, err := h.draft(c, at)
	if err != nil {
		return nil, err
	}
	if err := edit(p.List); err != nil {
		return nil, err
	}
	text, err := c.Propose(p.List, p.At, trustTerm)
	if err != nil {
		return nil, err
	}
	d, err := c.Open(text)
	if err != nil {
		return nil, err
	}
	b, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(os.Stderr, "this is a draft: %d of %d anchors must sign it (kinpass trust propose)\n", c.Anchors.Threshold, len(c.Anchors.Keys))
	return d.List, h.write(draftFile, append(b, '\n'), 0o600)
}

// draft gives the draft of changes to the list in force. One that was made from
// another list is forgotten.
func (h *home) draft(c trust.Ceremony, at time.Time) (*pending, error) {
	fresh := &pending{At: at.UTC().Truncate(time.Second), List: c.InForce}
	if c.InForce == nil {
		l, err := trust.New(c.Anchors.Keys[0])
		if err != nil {
			return nil, err
		}
		fresh.List = l
	} else {
		fresh.Base = c.InForce.Sequence
	}
	b, err := os.ReadFile(h.path(draftFile))
	if errors.Is(err, fs.ErrNotExist) {
		return fresh, nil
	}
	if err != nil {
		return nil, err
	}
	p := new(pending)
	if err := json.Unmarshal(b, p); err != nil || p.List == nil {
		return nil, vc.ErrDraft.With(err)
	}
	if p.Base != fresh.Base {
		return fresh, nil
	}
	return p, nil
}

// initTrust makes the anchor key and an empty, signed list if they are
// missing.
func (h *home) initTrust() (*vc.TrustList, error) {
	r, err := h.ensureRing(anchorName, keys.EdDSA)
	if err != nil {
		return nil, err
	}
	if err := h.writeAnchor(r); err != nil {
		return nil, err
	}
	l, err := h.inForce()
	if err != nil || l != nil {
		return l, err
	}
	return h.editTrust(func(*vc.TrustList) error { return nil })
}

// agreed reports whether this data directory's anchors are more than its own
// keys, each of which signs alone.
func (h *home) agreed(r *keys.Ring) (bool, error) {
	if _, err := os.Stat(h.path(anchorFile)); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	anchors, err := h.anchors("")
	if err != nil {
		return false, err
	}
	own := 0
	if r != nil {
		for _, k := range r.Of(keys.UseAnchor) {
			own += len(anchorKeys(&keys.Ring{Keys: []*keys.Key{k}}, anchors, k.NotBefore))
		}
	}
	return anchors.Threshold > 1 || own < len(anchors.Keys), nil
}

// mayAddAnchor refuses another anchor where they are agreed upon.
func (h *home) mayAddAnchor() error {
	r, err := h.ring(anchorName)
	if err != nil {
		return err
	}
	agreed, err := h.agreed(r)
	if err == nil && agreed {
		err = errAnchorSet
	}
	return err
}

// writeAnchor publishes the anchors' public keys as DATA/anchor.json, unless
// they are agreed upon.
func (h *home) writeAnchor(r *keys.Ring) error {
	if agreed, err := h.agreed(r); err != nil || agreed {
		return err
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	for _, k := range r.Of(keys.UseAnchor) {
		jwk, err := vc.PublicJWK(k.Public(), k.Name, k.Alg)
		if err != nil {
			return err
		}
		set.Keys = append(set.Keys, jwk)
	}
	b, err := json.MarshalIndent(set, "", "  ")
	if err != nil {
		return err
	}
	return h.write(anchorFile, append(b, '\n'), 0o644)
}

// setAnchors writes the anchors that were agreed upon. It does not change any.
func (h *home) setAnchors(anchors vc.Anchors) error {
	b, err := anchors.File()
	if err != nil {
		return err
	}
	if have, err := os.ReadFile(h.path(anchorFile)); err == nil {
		if was, err := vc.ParseAnchors(have); err != nil || !sameAnchors(was, anchors) {
			return errAnchorSet
		}
		return nil
	}
	return h.write(anchorFile, append(b, '\n'), 0o644)
}

func sameAnchors(a, b vc.Anchors) bool {
	x, err1 := a.File()
	y, err2 := b.File()
	return err1 == nil && err2 == nil && bytes.Equal(x, y)
}

func (h *home) trustInit() *cobra.Command {
	var n, k int
	var files []string
	c := &cobra.Command{
		Use: "init", Short: "Make the trust anchors and an empty list",
		Long: `Without flags: one anchor, whose key is made here and signs alone.

--anchors N --threshold K makes N keys here, of which K sign each list. Better,
each holder makes one with "trust anchor" on a machine of their own and hands
over the public file; --anchor names them all. Everybody compares the
fingerprints that are printed, and keeps the same anchor.json.`,
		Example: `  kinpass trust init
  kinpass trust init --anchors 3 --threshold 2
  kinpass trust init --anchor ministry.json --anchor court.json --anchor ombud.json --threshold 2`,
		RunE: func(c *cobra.Command, _ []string) error {
			if n < 1 || n > vc.MaxAnchors || k < 1 || len(files) == 0 && k > n || len(files) > 0 && (k > len(files) || c.Flag("anchors").Changed) {
				return usage{fmt.Errorf("there are 1 to %d anchors, and at most all of them must sign; --anchor names keys that others hold, --anchors makes keys here", vc.MaxAnchors)}
			}
			anchors, err := h.collectAnchors(n, k, files)
			if err != nil {
				return err
			}
			if r, err := h.ring(anchorName); err != nil {
				return err
			} else if agreed, err := h.agreed(r); err != nil {
				return err
			} else if anchors == nil && agreed {
				a, err := h.anchors("")
				if err != nil {
					return err
				}
				anchors = &a
			}
			out := c.OutOrStdout()
			if anchors != nil {
				if err := h.setAnchors(*anchors); err != nil {
					return err
				}
				for _, key := range anchors.Keys {
					thumb, err := vc.Thumbprint(key)
					if err != nil {
						return err
					}
					fmt.Fprintf(out, "anchor %s\n", thumb)
				}
				fmt.Fprintf(out, "%d of %d anchors sign each list\n", anchors.Threshold, len(anchors.Keys))
				r, err := h.ring(anchorName)
				if err != nil {
					return err
				}
				if len(anchorKeys(r, *anchors, now())) < anchors.Threshold {
					fmt.Fprintln(out, "their keys are not all here: go on with kinpass trust propose")
					return nil
				}
			}
			l, err := h.initTrust()
			if err != nil {
				return err
			}
			fmt.Fprintf(out, "trust list %d in %s; give %s to those who verify\n", l.Sequence, h.path(trustFile), h.path(anchorFile))
			return nil
		},
	}
	c.Flags().IntVar(&n, "anchors", 1, "how many anchors, with keys made here")
	c.Flags().IntVar(&k, "threshold", 1, "how many of them must sign a list")
	c.Flags().StringArrayVar(&files, "anchor", nil, "file with the public key of an anchor, from kinpass trust anchor (can be repeated)")
	return c
}

// collectAnchors gives the anchors that are agreed upon, nil for the one anchor
// of a data directory that signs alone.
func (h *home) collectAnchors(n, k int, files []string) (*vc.Anchors, error) {
	anchors := vc.Anchors{Threshold: k}
	for _, name := range files {
		b, err := readSmall(name)
		if err != nil {
			return nil, err
		}
		pub, err := vc.ParseJWK(b)
		if err != nil {
			return nil, err
		}
		anchors.Keys = append(anchors.Keys, pub)
	}
	if len(files) > 0 {
		return &anchors, nil
	}
	if n == 1 {
		return nil, nil
	}
	r, unlock, err := h.lockedRing(anchorName)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if r == nil {
		r = &keys.Ring{}
	}
	have := len(r.Of(keys.UseAnchor))
	if have < n {
		if agreed, err := h.agreed(r); err != nil || agreed || have > 0 {
			return nil, errors.Join(err, errAnchorSet)
		}
		for range n {
			k, err := h.newAnchorKey(r)
			if err != nil {
				return nil, err
			}
			if err := r.Add(k); err != nil {
				return nil, err
			}
		}
		if err := h.saveRing(anchorName, r); err != nil {
			return nil, err
		}
	}
	for _, k := range r.Of(keys.UseAnchor) {
		anchors.Keys = append(anchors.Keys, k.Public())
	}
	return &anchors, nil
}

func (h *home) newAnchorKey(r *keys.Ring) (*keys.Key, error) {
	kind := signingOf[anchorName][0]
	return keys.New(kind.name(r), kind.use, keys.EdDSA, now().UTC().AddDate(-10, 0, 0).Truncate(time.Hour), time.Time{})
}

func (h *home) trustAnchor() *cobra.Command {
	var out string
	c := &cobra.Command{
		Use: "anchor", Short: "Make the key of one anchor among several, and write its public half",
		Long: `Makes the key of one trust anchor in DATA/anchor.keys, if there is none, and
writes its public half. Hand that to whoever sets the anchors up, and read the
fingerprint to them by another way.`,
		RunE: func(c *cobra.Command, _ []string) error {
			r, err := h.ensureRing(anchorName, keys.EdDSA)
			if err != nil {
				return err
			}
			k, err := r.Current(keys.UseAnchor, now())
			if err != nil {
				return err
			}
			jwk, err := vc.PublicJWK(k.Public(), "", k.Alg)
			if err != nil {
				return err
			}
			thumb, err := vc.Thumbprint(k.Public())
			if err != nil {
				return err
			}
			if out == "" {
				out = h.path("anchor-public.json")
			}
			if err := writeFile(out, append(jwk, '\n'), 0o644); err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "anchor %s in %s\n", thumb, out)
			return nil
		},
	}
	c.Flags().StringVar(&out, "out", "", "file for the public key (default DATA/anchor-public.json)")
	return c
}

func (h *home) trustPropose() *cobra.Command {
	var out string
	var discard bool
	c := &cobra.Command{
		Use: "propose", Short: "Write the draft of the next list for the anchors to sign",
		Long: `Writes the changes that were made since the list in force as one draft that
nobody has signed. Without changes it is the same list, until a later day. A
draft that was written is not touched by later changes: propose again, and let
the old one lie.`,
		RunE: func(c *cobra.Command, _ []string) error {
			unlock, err := h.lock()
			if err != nil {
				return err
			}
			defer unlock()
			if discard {
				if err := os.Remove(h.path(draftFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
					return err
				}
				fmt.Fprintln(c.OutOrStdout(), "there is no draft any more")
				return nil
			}
			cer, err := h.ceremony()
			if err != nil {
				return err
			}
			p, err := h.draft(cer, now())
			if err != nil {
				return err
			}
			text, err := cer.Propose(p.List, p.At, trustTerm)
			if err != nil {
				return err
			}
			d, err := cer.Open(text)
			if err != nil {
				return err
			}
			if out == "" {
				out = h.path(fmt.Sprintf("trust-%d.draft", d.List.Sequence))
			}
			if err := writeFile(out, []byte(text+"\n"), 0o644); err != nil {
				return err
			}
			showDraft(c, cer, d)
			fmt.Fprintf(c.OutOrStdout(), "draft in %s; each anchor's holder: kinpass trust cosign FILE\n", out)
			return nil
		},
	}
	c.Flags().StringVar(&out, "out", "", "file to write (default DATA/trust-N.draft)")
	c.Flags().BoolVar(&discard, "discard", false, "forget the changes that are not in force")
	return c
}

// showDraft says what a draft changes and who has signed it.
func showDraft(c *cobra.Command, cer trust.Ceremony, d *trust.Draft) {
	w := c.OutOrStdout()
	if cer.InForce == nil {
		fmt.Fprintf(w, "trust list %d of %s, the first here:\n", d.List.Sequence, stamp(d.List.IssuedAt))
	} else {
		fmt.Fprintf(w, "trust list %d of %s, against list %d in force here:\n", d.List.Sequence, stamp(d.List.IssuedAt), cer.InForce.Sequence)
		if d.List.Quorum < cer.InForce.Quorum {
			fmt.Fprintln(w, "! fewer witnesses are demanded than before")
		}
	}
	for _, line := range cer.Changes(d) {
		fmt.Fprintln(w, line)
	}
	for _, name := range d.By {
		fmt.Fprintf(w, "signed by anchor %s\n", name)
	}
	fmt.Fprintf(w, "%d of %d signatures\n", len(d.By), cer.Anchors.Threshold)
}

func (h *home) trustCosign() *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use: "cosign FILE", Short: "Show what a draft changes, and sign it with this anchor", Args: cobra.ExactArgs(1),
		Long: `Shows every statement that the draft adds (+), takes away (-) or changes (~)
against the list in force in this data directory, and who has signed it. With
--yes it is signed with the anchor key that is here, and the file written anew.
Look at the fingerprints of new keys before you sign: this act is what trust
rests on.`,
		RunE: func(c *cobra.Command, args []string) error {
			b, err := readSmall(args[0])
			if err != nil {
				return err
			}
			cer, err := h.ceremony()
			if err != nil {
				return err
			}
			d, err := cer.Open(string(b))
			if err != nil {
				return err
			}
			showDraft(c, cer, d)
			if !yes {
				fmt.Fprintln(c.OutOrStdout(), "nothing was signed; if this is right: kinpass trust cosign --yes FILE")
				return nil
			}
			r, err := h.ring(anchorName)
			if err != nil {
				return err
			}
			if r == nil {
				return errNoAnchor.WithHint("make one with: kinpass trust anchor")
			}
			signers := anchorKeys(r, cer.Anchors, now())
			if len(signers) == 0 {
				return vc.ErrNotAnchor
			}
			text := ""
			for _, k := range signers {
				if text, err = cer.Cosign(d, k.Signer("")); !errors.Is(err, vc.ErrCosigned) {
					break // another key of this directory may sign for another anchor
				}
			}
			if err != nil {
				return err
			}
			if err := writeFile(args[0], []byte(text+"\n"), 0o644); err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "signed: %d of %d signatures\n", len(d.By), cer.Anchors.Threshold)
			return nil
		},
	}
	c.Flags().BoolVar(&yes, "yes", false, "sign it")
	return c
}

func (h *home) trustPublish() *cobra.Command {
	return &cobra.Command{
		Use: "publish FILE", Short: "Put a draft that enough anchors have signed in force here", Args: cobra.ExactArgs(1),
		Long: `Refuses a draft that fewer anchors have signed than must, and one that does not
follow the list in force. Holders of anchors run it too, with the list that was
published, so that they see the next changes against it.`,
		RunE: func(c *cobra.Command, args []string) error {
			b, err := readSmall(args[0])
			if err != nil {
				return err
			}
			unlock, err := h.lock()
			if err != nil {
				return err
			}
			defer unlock()
			cer, err := h.ceremony()
			if err != nil {
				return err
			}
			l, signed, err := publishable(cer, strings.TrimSpace(string(b)))
			if err != nil {
				return err
			}
			if err := h.write(trustFile, []byte(signed+"\n"), 0o644); err != nil {
				return err
			}
			if err := os.Remove(h.path(draftFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "trust list %d is in force here, next due %s\n", l.Sequence, stamp(l.Next))
			return nil
		},
	}
}

// publishable gives a list that enough anchors signed: a draft of the next one,
// or any later one that follows the one in force.
func publishable(c trust.Ceremony, text string) (*vc.TrustList, string, error) {
	if l, err := vc.OpenTrustList(text, c.Anchors); err == nil && c.InForce != nil && l.Sequence > c.InForce.Sequence {
		if err := trust.Validate(l); err != nil {
			return nil, "", err
		}
		return l, text, trust.Follows(c.InForce, l)
	}
	d, err := c.Open(text)
	if err != nil {
		return nil, "", err
	}
	signed, err := c.Publish(d)
	if errors.Is(err, vc.ErrThreshold) {
		err = vc.ErrThreshold.WithDetail(fmt.Sprintf("the draft has %d of the %d signatures that it needs", len(d.By), c.Anchors.Threshold))
	}
	return d.List, signed, err
}
