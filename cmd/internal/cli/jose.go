package cli

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/vc"
)

// Faults of the command. Like all others they end up in the result file and
// never repeat what was read.
var (
	errMethod  = fault.New(fault.Invalid, "jose-method", "the object names another verification method than the key's")
	errIssuer  = fault.New(fault.Invalid, "jose-issuer", "the headers name another issuer or holder than the document")
	errBase64  = fault.New(fault.Invalid, "cose-base64", "not base64 of a COSE object")
	errInput   = fault.New(fault.TooLarge, "jose-input-large", "the input is larger than any that is read here")
	errPaths   = fault.New(fault.Invalid, "jose-disclosable", "--sd names no claim by its path")
	errKeyOnly = fault.New(fault.Invalid, "jose-key-public", "the key file holds no private key to sign with")
)

const (
	maxJOSEInput = 1 << 20 // bytes
	maxJOSEKey   = 16 << 10
)

// newJOSE is the command line that test suites of VC-JOSE-COSE drive.
func newJOSE() *cobra.Command {
	c := &cobra.Command{
		Use:   "jose",
		Short: "Secure a credential or presentation with a key file, or check one",
		Long: `Secures a W3C credential or presentation (Data Model 2.0) with JOSE, COSE or
SD-JWT (VC-JOSE-COSE 1.0), or checks a secured one, with a key from a file. It
knows no issuers, no trust list, no status and no clock: the key file decides
who is believed, and exp is the caller's business. Of a presentation its own
signature is checked, not those of the credentials in it.

The output file holds one JSON object:
  result  success, failure or indeterminate (nothing could be decided, as with a
          key of a kind that is not supported)
  data    issue: the secured object, for COSE as base64 of a tagged COSE_Sign1
          verify: the document that the signature covers, with the disclosures
          put in
          otherwise the reason, which never repeats the input

The key file holds a JWK, or a verification method with publicKeyJwk,
secretKeyJwk or both: Ed25519, P-256, P-384 or P-521.

Exit codes: 0 the output file was written, whatever the result; 1 a file could
not be read or written, or the key file holds no usable key; 2 the command was
not understood.`,
	}
	for _, step := range []struct {
		use, short string
		run        func(f securing, input []byte, k *vc.JOSEKey, sd []string) (string, error)
	}{
		{"issue", "Secure a JSON document", securing.issue},
		{"verify", "Check a secured object", func(f securing, input []byte, k *vc.JOSEKey, _ []string) (string, error) { return f.verify(input, k) }},
	} {
		var input, key, feature, sd, output string
		sub := &cobra.Command{
			Use:   step.use,
			Short: step.short,
			Args:  cobra.NoArgs,
			RunE: func(c *cobra.Command, _ []string) error {
				f, err := parseSecuring(feature)
				if err != nil {
					return err
				}
				paths, err := f.paths(sd)
				if err != nil {
					return err
				}
				keyFile, err := readInput(c, key, maxJOSEKey)
				if err != nil {
					return err
				}
				in, err := readSome(c, input, maxJOSEInput)
				if err != nil {
					return err
				}
				k, err := vc.ParseKeyFile(keyFile)
				if errors.Is(err, vc.ErrJWKKind) {
					return writeOutcome(output, "", err)
				}
				if err != nil {
					return err
				}
				if _, ok := k.Signer(); !ok && step.use == "issue" {
					return errKeyOnly.WithHint("a private JWK has the member d")
				}
				if len(in) > maxJOSEInput {
					return writeOutcome(output, "", errInput)
				}
				data, err := step.run(f, in, k, paths)
				return writeOutcome(output, data, err)
			},
		}
		sub.Flags().StringVar(&input, "input", "", "file with the document or the secured object, - for standard input")
		sub.Flags().StringVar(&key, "key", "", "file with a JWK or a verification method")
		sub.Flags().StringVar(&feature, "feature", "", strings.Join(securings(), ", "))
		sub.Flags().StringVar(&output, "output", "", "file for the result")
		for _, name := range []string{"input", "key", "feature", "output"} {
			if err := sub.MarkFlagRequired(name); err != nil {
				panic(err) // the flags are made above
			}
		}
		if step.use == "issue" {
			sub.Flags().StringVar(&sd, "sd", "", `what can be hidden, with an sdjwt feature: '["credentialSubject.firstName","credentialSubject.phones[0]"]'`)
		}
		c.AddCommand(sub)
	}
	return c
}

// readSome reads like readInput, and gives one byte more than max of what is
// larger: what is too large to be believed is a result like any other.
func readSome(c *cobra.Command, name string, max int64) ([]byte, error) {
	b, err := readInput(c, name, 64*max)
	if int64(len(b)) > max {
		b = b[:max+1]
	}
	return b, err
}

// securing is one feature: how a document is secured, and what it is.
type securing struct {
	form         string // jose, cose or sdjwt
	presentation bool
}

// securings names the features in the order of VC-JOSE-COSE.
func securings() []string {
	var out []string
	for _, what := range []string{"credential", "presentation"} {
		for _, form := range []string{"jose", "cose", "sdjwt"} {
			out = append(out, what+"_"+form)
		}
	}
	return out
}

func parseSecuring(feature string) (securing, error) {
	if !slices.Contains(securings(), feature) {
		return securing{}, usage{fmt.Errorf("--feature is one of %s", strings.Join(securings(), ", "))}
	}
	what, form, _ := strings.Cut(feature, "_")
	return securing{form, what == "presentation"}, nil
}

// paths reads --sd.
func (f securing) paths(sd string) ([]string, error) {
	if sd == "" {
		return nil, nil
	}
	if f.form != "sdjwt" {
		return nil, usage{errors.New("--sd goes with a feature that ends in sdjwt")}
	}
	var out []string
	if err := json.Unmarshal([]byte(sd), &out); err != nil {
		return nil, usage{errors.New(`--sd takes a JSON array of strings, such as '["credentialSubject.firstName"]'`)}
	}
	return out, nil
}

// typ, cty and media are how the secured object calls itself.
func (f securing) typ() string {
	switch {
	case f.form == "sdjwt" && f.presentation:
		return vc.TypPresentationSD
	case f.form == "sdjwt":
		return vc.TypCredentialSD
	case f.presentation:
		return vc.TypPresentation
	}
	return vc.TypCredential
}

func (f securing) cty() string {
	if f.presentation {
		return "vp"
	}
	return "vc"
}

func (f securing) media() string {
	if f.presentation {
		return vc.MediaPresentation
	}
	return vc.MediaCredential
}

// model is what the secured document has to be: a credential, or a presentation
// of enveloped ones, with no property that the data model does not have, and
// registered claims that do not contradict it.
func (f securing) model() vc.ModelCheck {
	return vc.ModelCheck{Presentation: f.presentation, JWT: true, Closed: true}
}

func (f securing) issue(input []byte, k *vc.JOSEKey, sd []string) (string, error) {
	doc := bytes.TrimSpace(input)
	if err := vc.CheckModel(doc, f.model()); err != nil {
		return "", err
	}
	signer, ok := k.Signer()
	if !ok {
		return "", errKeyOnly
	}
	switch f.form {
	case "jose":
		return vc.SignJOSE(signer, f.typ(), f.cty(), doc)
	case "cose":
		out, err := vc.SignCOSE(signer, f.media(), doc)
		return base64.StdEncoding.EncodeToString(out), err
	}
	var pointers []string
	for _, path := range sd {
		p, err := vc.DottedPointer(path)
		if err != nil {
			return "", errPaths.With(err)
		}
		pointers = append(pointers, p)
	}
	payload, disclosures, err := vc.MakeSDJWT(doc, pointers, vc.SDOptions{})
	if err != nil {
		return "", err
	}
	return vc.SignSDJWT(signer, f.typ(), f.cty(), payload, disclosures)
}

func (f securing) verify(input []byte, k *vc.JOSEKey) (string, error) {
	text := strings.TrimRight(string(input), "\r\n") // of the file
	doc, err := f.open(text, k)
	if err != nil {
		return "", err
	}
	if err := vc.CheckModel(doc, f.model()); err != nil {
		return "", err
	}
	return string(doc), nil
}

// open gives the document that the signature covers.
func (f securing) open(text string, k *vc.JOSEKey) ([]byte, error) {
	switch f.form {
	case "jose":
		v, err := vc.OpenJOSE(text, f.typ())
		if err != nil {
			return nil, err
		}
		if !names(v.Header.Kid, k) {
			return nil, errMethod
		}
		return v.Verify(k.Public)
	case "sdjwt":
		v, err := vc.SplitSDJWT(text, f.typ())
		if err != nil {
			return nil, err
		}
		if !names(v.Header.Kid, k) {
			return nil, errMethod
		}
		claims, err := v.Verify(k.Public, vc.KeyBinding{None: true})
		if err != nil {
			return nil, err
		}
		return claims.Claims, nil
	}
	data, err := decodeBase64(text)
	if err != nil {
		return nil, err
	}
	v, err := vc.OpenCOSE(data, f.media())
	if err != nil {
		return nil, err
	}
	if !names(v.KID, k) {
		return nil, errMethod
	}
	doc, err := v.Verify(k.Public)
	if err != nil {
		return nil, err
	}
	if v.Issuer != "" && v.Issuer != f.author(doc) {
		return nil, errIssuer
	}
	return doc, nil
}

// names reports whether a kid can mean the key: one that is a URL has to be the
// id of the key's verification method (VC-JOSE-COSE 1.0, section 4.1), any other
// is a hint that does not decide.
func names(kid string, k *vc.JOSEKey) bool {
	if !strings.HasPrefix(kid, "did:") && !strings.Contains(kid, "://") {
		return true
	}
	return k.ID == "" || kid == k.ID
}

// author gives the issuer of a credential or the holder of a presentation.
func (f securing) author(doc []byte) string {
	var m map[string]json.RawMessage
	if json.Unmarshal(doc, &m) != nil {
		return ""
	}
	v := m["issuer"]
	if f.presentation {
		v = m["holder"]
	}
	var s string
	if json.Unmarshal(v, &s) == nil {
		return s
	}
	var o struct {
		ID string `json:"id"`
	}
	_ = json.Unmarshal(v, &o)
	return o.ID
}

// decodeBase64 reads standard base64, padded or not, in its one spelling.
func decodeBase64(text string) ([]byte, error) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, errBase64
	}
	e := base64.RawStdEncoding
	if strings.HasSuffix(text, "=") {
		e = base64.StdEncoding
	}
	b, err := e.Strict().DecodeString(text)
	if err != nil {
		return nil, errBase64.With(err)
	}
	return b, nil
}

// writeOutcome writes the result file. An error that is ours to explain makes a
// failure; a key that is not supported, or any other error, decides nothing.
func writeOutcome(name, data string, err error) error {
	out := struct {
		Result string `json:"result"`
		Data   string `json:"data"`
	}{"success", data}
	if err != nil {
		f := fault.As(err)
		out.Result, out.Data = "failure", f.Error()
		if f.Kind == fault.Internal || errors.Is(err, vc.ErrJWKKind) {
			out.Result = "indeterminate"
		}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(out); err != nil {
		return err
	}
	// In place: the name may be a device, or a file mounted into a container.
	return os.WriteFile(name, b.Bytes(), 0o600)
}
