package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/vc"
)

func newKeys(h *home) *cobra.Command {
	c := &cobra.Command{Use: "keys", Short: "Make and list signing keys (sealed files in the data directory)"}
	var alg, name, use, from, until string
	make := &cobra.Command{
		Use:   "new issuer|verifier|anchor",
		Short: "Make a signing key",
		Long: `Makes a signing key in DATA/ROLE.keys, sealed with the passphrase.

A key signs from --from on. To rotate, make a key with a later --from, let
"kinpass trust add" put it on the trust list, restart the service: the newest
valid key signs, the older ones stay published until their --until.

An issuer has a second kind of key, --use selective: it signs the credentials
that guardians show in parts (ecdsa-sd-2023) and is always ES256.

An issuer that keeps the records of a court, a notary or another office has keys
for that office, --use court: what such a person decides is signed as that
office's. With it comes the office's own selective key. Both are labelled so in
the issuer's DID document; whether they are believed is for "kinpass trust add".`,
		Example:   "  kinpass keys new issuer --from 2027-01-01\n  kinpass keys new issuer --alg ES256\n  kinpass keys new issuer --use selective --from 2027-01-01\n  kinpass keys new issuer --use court",
		ValidArgs: []string{issuerRole, verifierRole, anchorName},
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		RunE: func(c *cobra.Command, args []string) error {
			role := args[0]
			nb, err := parseAt(from)
			if err != nil {
				return err
			}
			var na time.Time
			if until != "" {
				if na, err = parseAt(until); err != nil {
					return err
				}
				if !na.After(nb) {
					return usage{errors.New("--until must be after --from")}
				}
			}
			if alg != "" && alg != keys.EdDSA && alg != keys.ES256 {
				return usage{errors.New("--alg must be EdDSA or ES256")}
			}
			kind := signingOf[role][0]
			if use != "" {
				at := slices.IndexFunc(signingOf[role], func(s signing) bool { return s.use == use })
				if at < 0 {
					return usage{errors.New("--use is credentials or selective, for an issuer, or an office that it signs for: " + strings.Join(keys.RoleUses(), ", "))}
				}
				kind = signingOf[role][at]
			}
			if alg != "" && kind.algorithm(alg) != alg {
				return usage{fmt.Errorf("keys of use %s are %s", kind.use, kind.alg)}
			}
			if alg == "" {
				alg = kind.algorithm(keys.EdDSA)
			}
			unlock, err := h.lock()
			if err != nil {
				return err
			}
			defer unlock()
			if role == anchorName {
				if err := h.mayAddAnchor(); err != nil {
					return err
				}
			}
			r, err := h.ring(role)
			if err != nil {
				return err
			}
			if r == nil {
				r = &keys.Ring{}
			}
			if name == "" {
				name = kind.name(r)
			}
			if !keyName(name) {
				return usage{errors.New("--name takes lower-case letters, digits and hyphens, at most 40")}
			}
			k, err := keys.New(name, kind.use, alg, nb.Truncate(time.Second), na)
			if err != nil {
				return err
			}
			if err := r.Add(k); err != nil {
				return err
			}
			if err := addSelective(r, role, k); err != nil {
				return err
			}
			for _, s := range secretsOf[role] {
				if _, err := r.EnsureSecret(s); err != nil {
					return err
				}
			}
			if err := h.saveRing(role, r); err != nil {
				return err
			}
			if role == anchorName {
				if err := h.writeAnchor(r); err != nil {
					return err
				}
			}
			fmt.Fprintf(c.OutOrStdout(), "made %s key %s of %s, valid from %s\n", k.Alg, k.Name, role, k.NotBefore.Format(time.RFC3339))
			return nil
		},
	}
	make.Flags().StringVar(&alg, "alg", "", "EdDSA (Ed25519, the default) or ES256 (P-256)")
	make.Flags().StringVar(&use, "use", "", "what an issuer's key signs: credentials (default), selective, or the office that it signs for")
	make.Flags().StringVar(&name, "name", "", "name of the key: the fragment of its identifier (default key-N or selective-N)")
	make.Flags().StringVar(&from, "from", "", "RFC 3339 time from which it signs (default now)")
	make.Flags().StringVar(&until, "until", "", "RFC 3339 time at which it stops signing (default none)")

	var asJSON bool
	list := &cobra.Command{
		Use: "list", Short: "List the keys of all roles (public parts only)",
		RunE: func(c *cobra.Command, _ []string) error {
			type row struct {
				Role, Use, Name, Alg string
				NotBefore            time.Time
				NotAfter             time.Time       `json:",omitzero"`
				JWK                  json.RawMessage `json:"publicKeyJwk"`
			}
			rows := []row{}
			for _, role := range []string{issuerRole, verifierRole, anchorName} {
				r, err := h.ring(role)
				if err != nil {
					return err
				}
				if r == nil {
					continue
				}
				for _, k := range r.Keys {
					jwk, err := vc.PublicJWK(k.Public(), "", k.Alg)
					if err != nil {
						return err
					}
					rows = append(rows, row{role, k.Use, k.Name, k.Alg, k.NotBefore, k.NotAfter, jwk})
				}
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), rows)
			}
			w := tabwriter.NewWriter(c.OutOrStdout(), 0, 4, 2, ' ', 0)
			fmt.Fprintln(w, "ROLE\tUSE\tNAME\tALG\tFROM\tUNTIL")
			for _, r := range rows {
				until := "-"
				if !r.NotAfter.IsZero() {
					until = r.NotAfter.Format(time.RFC3339)
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", r.Role, r.Use, r.Name, r.Alg, r.NotBefore.Format(time.RFC3339), until)
			}
			return w.Flush()
		},
	}
	list.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.AddCommand(make, list, newCompromise(h), newReissue(h))
	return c
}

// addSelective makes the selective key of an office with the office's first key,
// so that its guardianships can be had in parts as well.
func addSelective(r *keys.Ring, role string, first *keys.Key) error {
	if keys.RoleOf(first.Use) == "" || keys.Selective(first.Use) {
		return nil
	}
	for _, kind := range signingOf[role] {
		if kind.use != keys.SelectiveOf(first.Use) || len(r.Of(kind.use)) > 0 {
			continue
		}
		k, err := keys.New(kind.name(r), kind.use, kind.alg, first.NotBefore, first.NotAfter)
		if err != nil {
			return err
		}
		return r.Add(k)
	}
	return nil
}

func keyName(s string) bool {
	if s == "" || len(s) > 40 {
		return false
	}
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' {
			return false
		}
	}
	return true
}

// readAnchor gives the content of an anchor file; the default is the one in
// the data directory.
func (h *home) readAnchor(file string) ([]byte, error) {
	if file == "" {
		file = h.path("anchor.json")
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fault.New(fault.Invalid, "anchor-missing", "there is no anchor file").With(err).
			WithHint("name it with --anchor FILE: without a trust anchor nothing can be decided")
	}
	return b, nil
}
