package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/kinpass/kinpass/internal/bundle"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/verifier/check"
)

// bundleFacts is what "bundle show" tells of a bundle.
type bundleFacts struct {
	ID        string         `json:"id"`
	Sequence  int64          `json:"sequence"`
	CreatedAt time.Time      `json:"createdAt"`
	Age       int64          `json:"ageSeconds"`
	Hub       string         `json:"hub"`
	Manifest  string         `json:"manifest"` // digest of what was signed
	Bytes     int            `json:"bytes"`
	TrustList bundleTrust    `json:"trustList"`
	Issuers   []bundleIssuer `json:"issuers"`
	Lists     []bundleList   `json:"lists"`
	Refused   int            `json:"refusedLists"`
	Policies  []string       `json:"policies"` // as ID/version
	Parts     []bundlePart   `json:"parts"`
}

type bundleTrust struct {
	Sequence int64      `json:"sequence"`
	IssuedAt time.Time  `json:"issuedAt"`
	Next     *time.Time `json:"next,omitempty"`
}

type bundleIssuer struct {
	DID     string      `json:"did"`
	Name    string      `json:"name,omitempty"`
	Country string      `json:"country,omitempty"`
	Keys    []bundleKey `json:"keys"`
	Ledger  bool        `json:"ledger"`
	// Accreditation is the term that holds now; none is asked where it is missing.
	Accreditation *vc.AccreditationTerm `json:"accreditation,omitempty"`
}

type bundleKey struct {
	ID         string     `json:"id"`
	Role       string     `json:"role"`
	From       time.Time  `json:"from"`
	Until      *time.Time `json:"until,omitempty"`
	CutOff     *time.Time `json:"cutOff,omitempty"`
	CutOffSize int64      `json:"cutOffSize,omitempty"` // entries of the ledger before it
	// Survivors is how many bytes the bundle has of what that key signed before.
	Survivors int `json:"survivorsBytes,omitempty"`
}

type bundleList struct {
	Issuer     string     `json:"issuer"`
	Address    string     `json:"address"`
	About      string     `json:"about,omitempty"` // of an authority over another's list
	Purpose    string     `json:"purpose"`
	ValidFrom  time.Time  `json:"validFrom"`
	Age        int64      `json:"ageSeconds"`
	ValidUntil *time.Time `json:"validUntil,omitempty"`
	Size       int64      `json:"size"`   // places
	Marked     int64      `json:"marked"` // of them
	// Lifted is how many of the marked the issuer's list has no more: they were
	// revoked, and stay so.
	Lifted int64 `json:"lifted,omitempty"`
}

type bundlePart struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func factsOf(b *check.Bundle) *bundleFacts {
	t := now()
	age := func(from time.Time) int64 { return int64(t.Sub(from) / time.Second) }
	f := b.File()
	out := &bundleFacts{ID: b.ID, Sequence: b.Sequence, CreatedAt: b.CreatedAt, Age: age(b.CreatedAt), Hub: b.Hub, Manifest: digestText(b.Digest), Bytes: len(f.Bytes()),
		TrustList: bundleTrust{b.Trust.Sequence, b.Trust.IssuedAt, optional(b.Trust.Next)}, Refused: b.RefusedLists,
		Issuers: []bundleIssuer{}, Lists: []bundleList{}, Policies: policyNames(b)}
	for i := range b.Trust.Issuers {
		is := &b.Trust.Issuers[i]
		one := bundleIssuer{DID: is.DID, Name: is.Name, Country: is.Country, Ledger: is.Ledger != nil, Keys: []bundleKey{}}
		for _, k := range is.Keys {
			survivors, _ := f.Part("survivors/" + k.ID)
			one.Keys = append(one.Keys, bundleKey{Survivors: len(survivors), ID: k.ID, Role: k.Role, From: k.NotBefore, Until: optional(k.NotAfter), CutOff: optional(k.CutOff), CutOffSize: k.CutOffSize})
		}
		one.Accreditation = is.Accreditation.At(t)
		out.Issuers = append(out.Issuers, one)
	}
	for _, l := range b.Lists() {
		one := bundleList{Issuer: l.Issuer, Address: l.Address, Purpose: l.Purpose, ValidFrom: l.From, Age: age(l.From), ValidUntil: optional(l.Until), Size: l.Size, Marked: l.Marked, Lifted: l.Lifted}
		if l.About != l.Address {
			one.About = l.About
		}
		out.Lists = append(out.Lists, one)
	}
	for _, p := range f.Table {
		out.Parts = append(out.Parts, bundlePart{p.Name, p.Size, digestText(p.SHA256)})
	}
	return out
}

// policyNames lists the policies of a bundle, as ID/version.
func policyNames(b *check.Bundle) []string {
	out := []string{}
	for _, p := range b.Policies() {
		out = append(out, fmt.Sprintf("%s/%d", p.ID, p.Version))
	}
	return out
}

func (f *bundleFacts) print(w io.Writer) {
	fmt.Fprintf(w, "bundle     %s, number %d\n", visible(f.ID), f.Sequence)
	fmt.Fprintf(w, "signed     %s, %s, by %s\n", f.CreatedAt.Format(time.RFC3339), old(f.Age), visible(f.Hub))
	fmt.Fprintf(w, "size       %s in %d parts\n", kilobytes(int64(f.Bytes)), len(f.Parts))
	fmt.Fprintf(w, "trust list %d, signed %s", f.TrustList.Sequence, f.TrustList.IssuedAt.Format(time.RFC3339))
	if n := f.TrustList.Next; n != nil {
		fmt.Fprintf(w, ", the next by %s", n.Format(time.RFC3339))
		if now().After(*n) {
			fmt.Fprint(w, " (overdue)")
		}
	}
	fmt.Fprintf(w, "\npolicies   %s\n", visible(strings.Join(f.Policies, " ")))
	for _, is := range f.Issuers {
		fmt.Fprintf(w, "\nissuer     %s", visible(is.DID))
		if is.Name != "" {
			fmt.Fprintf(w, ", %s", visible(is.Name))
		}
		if is.Country != "" {
			fmt.Fprintf(w, ", %s", visible(is.Country))
		}
		if a := is.Accreditation; a != nil {
			fmt.Fprintf(w, ", %s", visible(a.State))
			if !a.Until.IsZero() {
				fmt.Fprintf(w, " until %s", a.Until.Format(time.DateOnly))
			}
		}
		fmt.Fprintln(w)
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		for _, k := range is.Keys {
			fmt.Fprintf(t, "  key\t%s\t%s", visible(k.ID), visible(k.Role))
			if k.CutOff != nil {
				fmt.Fprintf(t, "\tcut off at %s", k.CutOff.Format(time.RFC3339))
				if k.CutOffSize > 0 {
					fmt.Fprintf(t, " after %d entries of the ledger", k.CutOffSize)
				}
			}
			fmt.Fprintln(t)
		}
		for _, l := range f.Lists {
			if l.Issuer != is.DID {
				continue
			}
			fmt.Fprintf(t, "  list\t%s\t%s, %d of %d, %s", visible(l.Address), visible(l.Purpose), l.Marked, l.Size, old(l.Age))
			if l.About != "" {
				fmt.Fprintf(t, ", over %s", visible(l.About))
			}
			if l.Lifted > 0 {
				fmt.Fprintf(t, ", TAKES BACK %d that stay revoked", l.Lifted)
			}
			fmt.Fprintln(t)
		}
		t.Flush()
	}
	if f.Refused > 0 {
		fmt.Fprintf(w, "\n%d lists were left out: they are not signed by an issuer on the trust list, or cannot be read\n", f.Refused)
	}
}

// deltaFacts is what "bundle show" tells of a change.
type deltaFacts struct {
	From      string    `json:"from"` // digest of the manifest at which it starts, "" for none
	ID        string    `json:"id"`
	Sequence  int64     `json:"sequence"`
	CreatedAt time.Time `json:"createdAt"`
	Hub       string    `json:"hub"`
	Bytes     int       `json:"bytes"`
}

func newBundleShow(h *home) *cobra.Command {
	var anchor string
	var asJSON bool
	c := &cobra.Command{
		Use:   "show [FILE]",
		Short: "Show what is in a bundle, and how old it is",
		Long: `Verifies a bundle (default DATA/border.kpb) and shows its age, number and id, the
issuers with their keys and cut-offs, the lists with their ages and sizes, and the
policies. Of a change (.kpd) it shows from where to where it leads.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			data, err := h.bundleData(args)
			if err != nil {
				return err
			}
			if bundle.IsDelta(data) {
				d, err := bundle.ReadDelta(data)
				if err != nil {
					return err
				}
				f := deltaFacts{ID: d.To.ID, Sequence: d.To.Sequence, CreatedAt: d.To.CreatedAt, Hub: d.To.KID, Bytes: len(data)}
				if d.From != [32]byte{} {
					f.From = digestText(d.From)
				}
				return jsonOrText(c, asJSON, f, func(w io.Writer) {
					fmt.Fprintf(w, "a change, not verified: %s, to bundle %s, number %d, signed %s\nit starts at the bundle with manifest %s\n",
						kilobytes(int64(f.Bytes)), visible(f.ID), f.Sequence, f.CreatedAt.Format(time.RFC3339), f.From)
				})
			}
			anchors, err := h.anchors(anchor)
			if err != nil {
				return err
			}
			b, err := check.Open(data, anchors)
			if err != nil {
				return err
			}
			f := factsOf(b)
			return jsonOrText(c, asJSON, f, f.print)
		},
	}
	c.Flags().StringVar(&anchor, "anchor", "", "trust anchor (default DATA/anchor.json)")
	c.Flags().BoolVar(&asJSON, "json", false, "print it as JSON")
	return c
}

// bundleData reads the bundle that the arguments name, or that of the data
// directory.
func (h *home) bundleData(args []string) ([]byte, error) {
	name := h.path("border.kpb")
	if len(args) > 0 {
		name = args[0]
	}
	data, err := readBundleFile(name)
	if err != nil && fault.As(err).Kind == fault.Internal {
		return nil, errBundleRead.With(err).WithHint("name it: kinpass bundle show FILE")
	}
	return data, err
}

// verified is what "bundle verify" prints as JSON: each thing that was checked.
type verified struct {
	ID       string          `json:"id"`
	Sequence int64           `json:"sequence"`
	Good     bool            `json:"good"`
	Checks   []verifiedCheck `json:"checks"`
	Shelves  []shelfResult   `json:"shelves,omitempty"`
}

type verifiedCheck struct {
	What string `json:"what"`
	Said string `json:"said"`
}

func newBundleVerify(h *home) *cobra.Command {
	var anchor string
	var asJSON bool
	var from shelves
	c := &cobra.Command{
		Use:   "verify [FILE]",
		Short: "Verify a bundle: anchors, trust list, hub, manifest and every part; offline",
		Long: `Verifies a bundle (default DATA/border.kpb) from the anchors down and says what
was checked. That shows that the hub signed it, and that each list in it was signed
by its issuer as far as the hub says.

With --shelf the issuers' own signed lists are fetched and compared with what the
bundle says of them, place by place, and with the digests of the lists that the hub
used. A hub that put something else into a bundle is proved wrong (exit code 5).
Lists that are not those that the hub used prove nothing (exit code 1); --lists DIR takes
lists that somebody kept, one signed list in a file.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			data, err := h.bundleData(args)
			if err != nil {
				return err
			}
			anchors, err := h.anchors(anchor)
			if err != nil {
				return err
			}
			if bundle.IsDelta(data) {
				return usage{errors.New("a change (.kpd) is verified with what comes of it: kinpass bundle apply")}
			}
			b, err := check.Open(data, anchors)
			if err != nil {
				return err
			}
			f := b.File()
			v := &verified{ID: b.ID, Sequence: b.Sequence, Good: true}
			say := func(what, format string, a ...any) {
				v.Checks = append(v.Checks, verifiedCheck{what, fmt.Sprintf(format, a...)})
			}
			say("anchors", "the trust list is signed by enough of the anchors")
			say("trust list", "number %d, signed %s", b.Trust.Sequence, b.Trust.IssuedAt.Format(time.RFC3339))
			say("hub", "%s is named as a hub and has signed the manifest", b.Hub)
			say("manifest", "bundle %s, number %d, signed %s, %s", b.ID, b.Sequence, b.CreatedAt.Format(time.RFC3339), old(int64(now().Sub(b.CreatedAt)/time.Second)))
			say("parts", "%d parts, %s, each as it was signed", len(f.Table), kilobytes(int64(len(data))))
			say("lists", "%d lists, %d left out by the hub", len(b.Lists()), b.RefusedLists)
			if from.dir != "" || from.fetch {
				if v.Shelves, err = from.compare(c.Context(), b); err != nil {
					return err
				}
			}
			verdict := judge(v.Shelves)
			v.Good = verdict == nil
			if err := jsonOrText(c, asJSON, v, func(w io.Writer) {
				t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
				for _, x := range v.Checks {
					fmt.Fprintf(t, "good\t%s\t%s\n", x.What, visible(x.Said))
				}
				t.Flush()
				for i := range v.Shelves {
					v.Shelves[i].print(w)
				}
			}); err != nil {
				return err
			}
			return verdict
		},
	}
	fl := c.Flags()
	fl.StringVar(&anchor, "anchor", "", "trust anchor (default DATA/anchor.json)")
	fl.BoolVar(&from.fetch, "shelf", false, "fetch the issuers' signed lists and compare them with the bundle")
	fl.StringVar(&from.dir, "lists", "", "directory of signed lists that were kept, to compare with the bundle")
	fl.BoolVar(&from.loopback, "allow-loopback", false, "with --shelf: issuers on this machine may be called, over http")
	fl.BoolVar(&asJSON, "json", false, "print what was checked as JSON")
	return c
}
