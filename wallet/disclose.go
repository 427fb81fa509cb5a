package wallet

import (
	"context"
	"encoding/json"
	"log/slog"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/vc"
)

// Faults of showing a part of a credential.
var (
	ErrWhole       = fault.New(fault.Conflict, "credential-whole", "this credential can only be shown whole").WithHint("show one of the format dc+sd-jwt or ldp_vc, or make a presentation for a border")
	ErrNotCurrent  = fault.New(fault.Conflict, "credential-not-current", "the credential is not valid now").WithHint("renew the credentials")
	ErrDisclose    = fault.New(fault.Invalid, "disclosure-terms", "what is to be shown is not said in the way that the API describes")
	ErrNoSuchClaim = fault.New(fault.Unprocessable, "disclosure-pointer", "the credential does not have what is to be shown")
)

// maxDisclose bounds how many parts one request names.
const maxDisclose = 64

// Choice says what to show of which credential, and to whom. Show names a usual
// part: age, age:13 (of the ages that a credential tells apart), identity or
// parentage. Without it Disclose holds JSON pointers (RFC 6901) into the claims
// of an SD-JWT VC, or into an ldp_vc; each is shown with all that is in it.
// Audience and Nonce repeat what the verifier asked for; both must be there, so
// that nobody can show the same to a second verifier.
type Choice struct {
	Credential string   `json:"credential"`
	Show       string   `json:"show"`
	Disclose   []string `json:"disclose"`
	Audience   string   `json:"audience"`
	Nonce      string   `json:"nonce"`
}

// Disclosure is a part of a credential, signed with the guardian's holder key
// for one verifier.
type Disclosure struct {
	Format       string    `json:"format"`       // dc+sd-jwt or ldp_vc
	Presentation string    `json:"presentation"` // an SD-JWT with key binding, or the JSON of a Verifiable Presentation
	Shown        []string  `json:"shown"`        // JSON pointers of all that it shows of its subject, chosen or not
	ExpiresAt    time.Time `json:"expiresAt"`
}

// LogValue keeps a person's data out of every log.
func (d Disclosure) LogValue() slog.Value { return slog.StringValue("disclosure") }

// Disclose makes a presentation that shows the chosen parts of one credential,
// what nobody may hide of its type, and nothing else. What decides about a
// guardian's mandate is always shown.
func (w *Wallet) Disclose(ctx context.Context, g Guardian, r Choice) (Disclosure, error) {
	if err := r.check(); err != nil {
		return Disclosure{}, err
	}
	v, err := w.vault(ctx, g.ID)
	if err != nil {
		return Disclosure{}, gone(err, ErrNoSuchCredential)
	}
	c, err := w.credential(ctx, v, r.Credential)
	if err != nil {
		return Disclosure{}, err
	}
	now := w.cfg.Now()
	switch state := c.state(now); {
	case state == shownNotUsable:
		return Disclosure{}, ErrNotUsable
	case state != shownValid:
		return Disclosure{}, ErrNotCurrent
	case c.format() == formatSigned:
		return Disclosure{}, ErrWhole
	}
	h, err := w.holderOf(ctx, v)
	if err != nil {
		return Disclosure{}, err
	}
	disclose := c.discloseLDP
	if c.format() == formatSDJWT {
		disclose = c.discloseSDJWT
	}
	d, err := disclose(h, r, now)
	if err != nil {
		return Disclosure{}, err
	}
	w.note(ctx, v, ActDisclosed, c.Child)
	return d, nil
}

// check holds a choice to its form.
func (r Choice) check() error {
	if r.Audience == "" {
		return ErrRequestTerms.WithFields(fault.Field{Path: "/audience", Rule: "must be there"})
	}
	if r.Nonce == "" {
		return ErrRequestTerms.WithFields(fault.Field{Path: "/nonce", Rule: "must be there"})
	}
	if err := checkTerms(Request{Audience: r.Audience, Nonce: r.Nonce}); err != nil {
		return err
	}
	switch {
	case r.Show == "" && r.Disclose == nil:
		return ErrDisclose.WithFields(fault.Field{Path: "/disclose", Rule: "must be there, or show"})
	case r.Show != "" && r.Disclose != nil:
		return ErrDisclose.WithFields(fault.Field{Path: "/disclose", Rule: "does not go with show"})
	case len(r.Disclose) > maxDisclose:
		return ErrDisclose.WithFields(fault.Field{Path: "/disclose", Rule: "at most 64 JSON pointers"})
	}
	for i, at := range r.Disclose {
		// The pointer to everything is none: who wants to show all says what.
		if len(at) < 2 || at[0] != '/' || len(at) > 256 {
			return ErrDisclose.WithFields(fault.Field{Path: "/disclose/" + strconv.Itoa(i), Rule: "is a JSON pointer of at most 256 bytes"})
		}
	}
	return nil
}

// usual are the parts of a birth, and of a guardianship, that have a name:
// members of the subject. A record need not have all of them.
var usual = map[string]map[string][]string{
	vc.TypeBirth: {
		"identity":  {"/names", "/birthDate", "/sex"},
		"parentage": {"/parentage"},
	},
	vc.TypeGuardianship: {
		"identity": {"/guardian/names", "/guardian/birthDate"},
	},
}

// pointers gives what r wants shown, as pointers into a document in which the
// subject is at root.
func (c *held) pointers(r Choice, document any, root string) ([]string, error) {
	// An empty array is no statement, so ecdsa-sd-2023 has none to show.
	there := func(at string) bool {
		v, ok := lookup(document, at)
		list, is := v.([]any)
		return ok && !(is && len(list) == 0 && c.format() == formatLDP)
	}
	if r.Show == "" {
		for i, at := range r.Disclose {
			if !there(at) {
				return nil, ErrNoSuchClaim.WithFields(fault.Field{Path: "/disclose/" + strconv.Itoa(i), Rule: "names nothing in this credential"})
			}
		}
		return r.Disclose, nil
	}
	var out []string
	for _, at := range c.part(r.Show) {
		if there(root + at) {
			out = append(out, root+at)
		}
	}
	if len(out) == 0 {
		return nil, ErrNoSuchClaim.WithFields(fault.Field{Path: "/show", Rule: "is not something that this credential shows"})
	}
	return out, nil
}

// part gives the members of the subject that a usual part consists of.
func (c *held) part(name string) []string {
	if c.kind() != vc.TypeBirth || name != "age" && !strings.HasPrefix(name, "age:") {
		return usual[c.kind()][name]
	}
	if c.format() == formatLDP {
		if name == "age" {
			return []string{"/birthDate"}
		}
		return nil // it has the date alone
	}
	var out []string
	for step := range c.ages() {
		if name == "age" || name == "age:"+step {
			out = append(out, "/age_equal_or_over/"+step)
		}
	}
	slices.Sort(out)
	return out
}

// discloseSDJWT makes an SD-JWT with key binding (RFC 9901, section 4.3).
func (c *held) discloseSDJWT(h holder, r Choice, now time.Time) (Disclosure, error) {
	x, err := vc.SplitSDJWT(c.JWT, vc.TypSDJWTVC)
	if err != nil {
		return Disclosure{}, err
	}
	var document, least map[string]any
	all, err := x.ClaimsUnverified()
	if err == nil {
		err = json.Unmarshal(all.Claims, &document)
	}
	if err != nil {
		return Disclosure{}, err
	}
	chosen, err := c.pointers(r, document, "")
	if err != nil {
		return Disclosure{}, err
	}
	s, err := h.signer()
	if err != nil {
		return Disclosure{}, err
	}
	text, err := x.Present(vc.Presenting{Whole: chosen, Holder: &s, Audience: r.Audience, Nonce: r.Nonce, At: now})
	if err != nil {
		return Disclosure{}, err
	}
	bare, err := x.Present(vc.Presenting{})
	if err != nil {
		return Disclosure{}, err
	}
	if x, err = vc.SplitSDJWT(bare, vc.TypSDJWTVC); err != nil {
		return Disclosure{}, err
	}
	if all, err = x.ClaimsUnverified(); err == nil {
		err = json.Unmarshal(all.Claims, &least)
	}
	if err != nil {
		return Disclosure{}, err
	}
	for _, name := range sdEnvelope {
		delete(document, name)
		delete(least, name)
	}
	return Disclosure{Format: formatSDJWT, Presentation: text, Shown: shown(places(document, least, ""), chosen), ExpiresAt: expiry(now)}, nil
}

// discloseLDP makes a Verifiable Presentation of a derived credential, with a
// proof of the holder for one domain and challenge.
func (c *held) discloseLDP(h holder, r Choice, now time.Time) (Disclosure, error) {
	// Birth credentials name no holder; a guardianship names one, who signs.
	if c.guardianship != nil && c.guardianship.ID != h.DID {
		return Disclosure{}, ErrNoSuchCredential
	}
	var document, least map[string]any
	if err := json.Unmarshal([]byte(c.JWT), &document); err != nil {
		return Disclosure{}, err
	}
	delete(document, "proof")
	chosen, err := c.pointers(r, document, "/credentialSubject")
	if err != nil {
		return Disclosure{}, err
	}
	const subject = "credentialSubject"
	bare, err := vc.Derive([]byte(c.JWT), nil)
	if err != nil {
		return Disclosure{}, err
	}
	if err := json.Unmarshal(bare, &least); err != nil {
		return Disclosure{}, err
	}
	var always []string
	if part, ok := least[subject]; ok {
		always = places(document[subject], part, "/"+subject)
	}
	if !slices.ContainsFunc(slices.Concat(always, chosen), func(at string) bool { return within(at, "/"+subject) }) {
		return Disclosure{}, ErrNoSuchClaim.WithFields(fault.Field{Path: "/disclose", Rule: "names nothing of what this credential is about"})
	}
	derived, err := vc.Derive([]byte(c.JWT), chosen)
	if err != nil {
		return Disclosure{}, err
	}
	if err := vc.CheckShown(derived); err != nil {
		return Disclosure{}, err
	}
	text, err := h.presentLDP(derived, r, now)
	if err != nil {
		return Disclosure{}, err
	}
	return Disclosure{Format: formatLDP, Presentation: string(text), Shown: shown(always, chosen), ExpiresAt: expiry(now)}, nil
}

// presentLDP signs a presentation of one credential (VC Data Integrity 1.0; the
// cryptosuite eddsa-rdfc-2022).
func (h holder) presentLDP(credential []byte, r Choice, now time.Time) ([]byte, error) {
	doc, err := json.Marshal(struct {
		Context     []string          `json:"@context"`
		Type        []string          `json:"type"`
		Holder      string            `json:"holder"`
		Credentials []json.RawMessage `json:"verifiableCredential"`
	}{[]string{vc.ContextV2}, []string{vc.TypePresentation}, h.DID, []json.RawMessage{credential}})
	if err != nil {
		return nil, err
	}
	s, err := h.signer()
	if err != nil {
		return nil, err
	}
	return vc.AddProof(doc, vc.ProofOptions{
		Suite: vc.SuiteEdDSARDFC, Signer: s, Purpose: vc.PurposeAuthentication,
		Created: now, Expires: expiry(now), Challenge: r.Nonce, Domain: r.Audience,
	})
}

// expiry is when a verifier stops taking what is shown now, to the second.
func expiry(now time.Time) time.Time { return now.Add(presentationLife).UTC().Truncate(time.Second) }

// shown merges what is always shown with what was chosen: none twice, and none
// inside of another.
func shown(always, chosen []string) []string {
	all := slices.Concat(always, chosen)
	slices.Sort(all)
	all = slices.Compact(all)
	return slices.DeleteFunc(slices.Clone(all), func(at string) bool {
		return at == "" || slices.ContainsFunc(all, func(outer string) bool { return outer != "" && outer != at && within(at, outer) })
	})
}

// lookup follows a JSON pointer.
func lookup(v any, at string) (any, bool) {
	for step := range strings.SplitSeq(at[1:], "/") {
		switch x := v.(type) {
		case map[string]any:
			var ok bool
			if v, ok = x[pointerUnescape.Replace(step)]; !ok {
				return nil, false
			}
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(x) || strconv.Itoa(i) != step {
				return nil, false
			}
			v = x[i]
		default:
			return nil, false
		}
	}
	return v, true
}

var pointerUnescape = strings.NewReplacer("~1", "/", "~0", "~")

// places lists, as JSON pointers into a document, what a part of it shows: the
// highest places that are there as a whole. An array is one place, whole or
// not.
func places(whole, part any, at string) []string {
	w, ok1 := whole.(map[string]any)
	p, ok2 := part.(map[string]any)
	if !ok1 || !ok2 || at != "" && reflect.DeepEqual(whole, part) {
		return []string{at}
	}
	var out []string
	for name := range p {
		if v, has := w[name]; has {
			out = append(out, places(v, p[name], at+"/"+pointerEscape.Replace(name))...)
		}
	}
	return out
}
