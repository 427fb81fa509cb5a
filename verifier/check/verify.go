//go:build !js

package check

import (
	"crypto"
	"encoding/json"
	"strings"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/vc"
)

// Refusals of VerifyCredential and VerifyPresentation, beside those of package
// vc. Each of them stands for "not verified".
var (
	ErrIssuerUntrusted = fault.New(fault.Invalid, "issuer-untrusted", "the issuer and the key that signed are not on the trust list")
	ErrIssuerType      = fault.New(fault.Invalid, "issuer-type", "the trust list does not let this key sign credentials of this type")
	ErrIssuerPeriod    = fault.New(fault.Invalid, "issuer-period", "the credential is dated outside the period in which the key may sign")
	ErrIssuerRevoked   = fault.New(fault.Invalid, "issuer-key-revoked", "the credential is dated after the key that signed it was withdrawn")
	ErrIssuerUnproven  = fault.New(fault.Invalid, "issuer-key-unproven", "the key that signed was withdrawn, and nothing proves that the credential is older")
	ErrIssuerLapsed    = fault.New(fault.Invalid, "issuer-not-accredited", "the credential was issued while its issuer was not accredited")
	ErrIssuerSuspended = fault.New(fault.Invalid, "issuer-suspended", "the issuer was suspended after it issued the credential")
	ErrIncomplete      = fault.New(fault.Invalid, "credential-incomplete", "the credential lacks something that it must always show")

	ErrStatusMissing   = fault.New(fault.Invalid, "status-missing", "the credential does not name where its revocation and its suspension stand")
	ErrStatusRevoked   = fault.New(fault.Invalid, "status-revoked", "the credential is revoked")
	ErrStatusSuspended = fault.New(fault.Invalid, "status-suspended", "the credential is suspended")
	ErrStatusNotIssued = fault.New(fault.Invalid, "status-not-issued", "the issuer has given the credential's place on its status list to nobody")
	ErrStatusUnknown   = fault.New(fault.Invalid, "status-unknown", "no status list of this bundle that is young enough answers for the credential")

	ErrHolderUnbound = fault.New(fault.Invalid, "holder-unbound", "a credential in the presentation is bound to another holder's key")
	ErrHolderIssuer  = fault.New(fault.Invalid, "holder-key-of-issuer", "a key of the trust list signs credentials, not presentations")

	ErrPresentationEmpty = fault.New(fault.Invalid, "presentation-empty", "the presentation holds no credential").
				WithHint("ask the holder for the credentials that you need")

	ErrBundleOld = fault.New(fault.Unavailable, "bundle-old", "the border bundle, or the trust list in it, has run out").
			WithHint("build or load a new bundle")
	ErrClock = fault.New(fault.Unavailable, "clock-wrong", "the clock of this device is behind a bundle that was signed, or differs from that of the issuers").
			WithHint("set the clock of this device")
)

// Asked says when a credential is verified and what a presentation has to
// answer. Now must be set, for a presentation Challenge and Domain, too.
type Asked struct {
	Now, LastTrustedTime time.Time // as in Facts; LastTrustedTime may be zero
	Challenge, Domain    string
}

// Verification is a credential or presentation that verified against a bundle:
// every signature holds, every issuer and key is on the trust list for this
// type and time, and nothing in it is revoked or suspended by a list that is
// young enough.
type Verification struct {
	*vc.Verified
	// StatusAge is the age of the oldest status list that was used, by its
	// signed date.
	StatusAge time.Duration
	// Stale: StatusAge is over 24 hours. A desk would show amber.
	Stale bool
}

// VerifyCredential verifies a credential in any format that vc.VerifyCredential
// takes, with the trust list and the status lists of the bundle and nothing
// else. It answers whether the credential is genuine and in force; what it
// entitles anybody to is Check's to decide. Nothing is returned with an error.
func (b *Bundle) VerifyCredential(input []byte, a Asked) (*Verification, error) {
	p, out, err := b.policy(a)
	if err != nil {
		return nil, err
	}
	if out.Verified, err = vc.VerifyCredential(input, p); err != nil {
		return nil, err
	}
	return out, nil
}

// VerifyPresentation verifies a presentation as vc.VerifyPresentation does, made
// for this domain as the answer to this challenge, with every credential in it.
// A credential that is bound to a key (a subject that is one, or cnf) must be
// presented by that key. One that holds no credential is refused: it would prove
// a key that anybody can make, and nothing that the trust list or a status list
// says. Whether the challenge was answered before is the caller's to remember.
func (b *Bundle) VerifyPresentation(input []byte, a Asked) (*Verification, error) {
	p, out, err := b.policy(a)
	if err != nil {
		return nil, err
	}
	p.Challenge, p.Domain = a.Challenge, a.Domain
	if out.Verified, err = vc.VerifyPresentation(input, p); err != nil {
		return nil, err
	}
	if err := b.bound(out.Verified); err != nil {
		return nil, err
	}
	if len(out.Credentials) == 0 {
		return nil, ErrPresentationEmpty
	}
	return out, nil
}

// policy makes the policy of the bundle at one time. The ages of the lists that
// it uses go into the Verification.
func (b *Bundle) policy(a Asked) (vc.Policy, *Verification, error) {
	if b == nil || b.Trust == nil {
		return vc.Policy{}, nil, ErrNoBundle
	}
	e := exam{bundle: b, now: a.Now, facts: Facts{LastTrustedTime: a.LastTrustedTime}}
	switch {
	case e.clockWrong():
		return vc.Policy{}, nil, ErrClock
	case a.Now.Sub(b.CreatedAt) > oldPolicy || e.trustRanOut():
		return vc.Policy{}, nil, ErrBundleOld
	}
	out := new(Verification)
	return vc.Policy{
		Keys:   b.keyOf,
		Trusts: func(v *vc.Verified) error { return b.trusts(v, a.Now) },
		Status: func(v *vc.Verified) error {
			age, err := b.inForce(v, a.Now)
			out.StatusAge = max(out.StatusAge, age)
			out.Stale = out.StatusAge > freshStatus
			return err
		},
		Now: a.Now,
	}, out, nil
}

// keyOf finds a key by its identifier: on the trust list, or, for the holders
// of presentations, in a DID that holds its own key. That a key is found says
// nothing about whom it may sign for: trusts does.
func (b *Bundle) keyOf(method string) (crypto.PublicKey, string, error) {
	if k := b.keys[method]; k != nil {
		return k.public, k.issuer, nil
	}
	if !strings.HasPrefix(method, "did:key:") && !strings.HasPrefix(method, "did:jwk:") {
		return nil, "", vc.ErrKeyUnknown
	}
	return vc.KeysFromDID(method)
}

// trusts holds a credential to the trust list: issuer, key, type, role and
// time. One proof that fulfils all is needed; the refusal of the last one that
// does not is told.
func (b *Bundle) trusts(v *vc.Verified, now time.Time) error {
	refusal := error(ErrIssuerUntrusted)
	for _, p := range v.Proofs {
		k := b.keys[p.Method]
		if k == nil || k.issuer != v.Issuer {
			continue
		}
		if refusal = k.trusts(v, now); refusal == nil {
			break
		}
	}
	if refusal != nil {
		return refusal
	}
	switch typeOf(v) {
	case vc.TypeBirth, vc.TypeGuardianship:
		if v.Until.IsZero() {
			return ErrIncomplete
		}
		// A credential that names no list is not one that nobody revoked.
		if len(v.Status) == 0 {
			return ErrStatusMissing
		}
	}
	return complete(v)
}

// trusts holds a credential against one key of its issuer.
func (k *issuerKey) trusts(v *vc.Verified, now time.Time) error {
	t := typeOf(v)
	switch {
	case t == "" || !k.May(t):
		return ErrIssuerType
	case t == vc.TypeBirth && k.Role != vc.RoleRegistrar, t == vc.TypeGuardianship && !(k.mandates() && k.mayBase(basisOf(v), v.From)),
		t == vc.TypeConsent && vc.LevelOf(k.Role) == "", !k.accreditedFor(t, v.From):
		return ErrIssuerType
	case v.From.IsZero() || !k.ValidAt(v.From):
		return ErrIssuerPeriod
	case !k.term(v.From).HoldsAt(v.From):
		return ErrIssuerLapsed
	case k.CutOff.IsZero() && k.suspended(now):
		return ErrIssuerSuspended
	case k.CutOff.IsZero():
		return nil
	case v.From.Before(k.CutOff):
		return ErrIssuerUnproven
	}
	return ErrIssuerRevoked
}

// basisOf gives the legal basis of a guardianship, "" if it is not disclosed.
func basisOf(v *vc.Verified) string {
	type basis struct {
		Basis struct {
			Type string `json:"type"`
		} `json:"legalBasis"`
	}
	var c struct {
		basis
		Subject basis `json:"credentialSubject"`
	}
	if json.Unmarshal(v.Document, &c) != nil {
		return ""
	}
	if v.SDJWT != nil {
		return c.Basis.Type
	}
	return c.Subject.Basis.Type
}

// typeOf gives the one type of a credential as the trust list names it, or ""
// for one that claims to be several things, or nothing in particular.
func typeOf(v *vc.Verified) string {
	if v.SDJWT != nil {
		switch v.SDJWT.Type {
		case vc.VctBirth:
			return vc.TypeBirth
		case vc.VctGuardianship:
			return vc.TypeGuardianship
		}
		return ""
	}
	if len(v.Types) != 2 || !v.Is(vc.TypeCredential) {
		return ""
	}
	for _, t := range v.Types {
		if t != vc.TypeCredential {
			return t
		}
	}
	return ""
}

// complete refuses a mandate that does not show what decides about it, however
// it was disclosed. An SD-JWT VC was held to its type metadata before.
func complete(v *vc.Verified) error {
	if typeOf(v) != vc.TypeGuardianship || v.SDJWT != nil {
		return nil
	}
	var c struct {
		Subject json.RawMessage `json:"credentialSubject"`
	}
	var g vc.Guardianship
	if err := json.Unmarshal(v.Document, &c); err != nil || len(c.Subject) == 0 || hasNull(c.Subject) {
		return ErrIncomplete
	}
	if err := vc.DecodeChecked(c.Subject, &g); err != nil || !completeMandate(&g) {
		return ErrIncomplete
	}
	return nil
}

// inForce asks the lists of the bundle about a credential. Both questions need
// an answer from the issuer's own lists, and no answer is never a good one.
func (b *Bundle) inForce(v *vc.Verified, now time.Time) (time.Duration, error) {
	if v.SDJWT == nil {
		entries, err := vc.StatusEntries(v.Document)
		if err != nil {
			return 0, ErrStatusUnknown.With(err)
		}
		for _, e := range entries {
			if e.Size > 1 {
				return 0, ErrStatusUnknown // the lists here have one bit for each credential
			}
		}
	}
	a := b.answers(v.Issuer, statusEntries(v.Status), now)
	switch {
	case a.revoked:
		return a.age, ErrStatusRevoked
	case a.suspended:
		return a.age, ErrStatusSuspended
	case a.neverIssued(v.From):
		return a.age, ErrStatusNotIssued
	case a.unknown || a.absent || !a.used:
		return a.age, ErrStatusUnknown
	}
	return a.age, nil
}

// statusEntries writes a reference into a Token Status List as the two entries
// of the bitstring lists that hold the same answers. An issuer of this trust
// list publishes them side by side: <base>/status/token/<n> says at every index
// what <base>/status/revocation/<n> and <base>/status/suspension/<n> say there,
// so a bundle carries the bitstring lists alone. A reference of another form
// has no list here. Types that are not known stay as they are and answer
// nothing.
func statusEntries(list []vc.StatusEntry) []vc.StatusEntry {
	var out []vc.StatusEntry
	for _, e := range list {
		switch e.Type {
		case vc.TypeTokenStatus:
			i := strings.LastIndex(e.List, tokenPath)
			for _, purpose := range []string{vc.PurposeRevocation, vc.PurposeSuspension} {
				x := vc.StatusEntry{Purpose: purpose, Index: e.Index}
				if i > 0 {
					x.List = e.List[:i] + "/status/" + purpose + "/" + e.List[i+len(tokenPath):]
				}
				out = append(out, x)
			}
		case "BitstringStatusListEntry":
			out = append(out, e)
		default:
			// Who revokes by other means may have revoked.
			out = append(out, vc.StatusEntry{Purpose: vc.PurposeRevocation})
		}
	}
	return out
}

const tokenPath = "/status/token/"

// bound refuses a presentation by somebody else than the holder of what is in
// it, and one by an issuer's key.
func (b *Bundle) bound(p *vc.Verified) error {
	holders := map[string]bool{} // as did:key
	if p.Holder != "" {
		holders[keyDID(p.Holder)] = true
	}
	for _, proof := range p.Proofs {
		if p.Format == vc.TypSDJWTVC || p.Format == vc.TypCredentialSD {
			break // an SD-JWT with key binding: its proof is the issuer's
		}
		if b.keys[proof.Method] != nil {
			return ErrHolderIssuer
		}
		holders[keyDID(proof.Controller)] = true
	}
	delete(holders, "")
	for _, c := range p.Credentials {
		bound, err := boundTo(c)
		if err != nil {
			return err
		}
		if bound != "" && !holders[bound] {
			return ErrHolderUnbound
		}
	}
	return nil
}

// boundTo gives the key that must present a credential, as did:key, or "".
func boundTo(c *vc.Verified) (string, error) {
	if c.SDJWT == nil {
		if !strings.HasPrefix(c.Subject, "did:") {
			return "", nil
		}
		if d := keyDID(c.Subject); d != "" {
			return d, nil
		}
		return "", ErrHolderUnbound
	}
	var claims struct {
		Confirmation *struct {
			JWK json.RawMessage `json:"jwk"`
		} `json:"cnf"`
	}
	if err := json.Unmarshal(c.Document, &claims); err != nil || claims.Confirmation == nil {
		return "", nil
	}
	pub, err := vc.ParseJWK(claims.Confirmation.JWK)
	if err != nil {
		return "", ErrHolderUnbound.With(err)
	}
	return didOf(pub)
}

// keyDID gives the did:key of the key that a DID holds in itself, "" if it
// holds none.
func keyDID(id string) string {
	doc, err := did.KeyDocument(id)
	if err != nil || len(doc.VerificationMethod) == 0 {
		return ""
	}
	pub, _, err := did.MethodKey(doc.VerificationMethod[0].ID)
	if err != nil {
		return ""
	}
	d, err := didOf(pub)
	if err != nil {
		return ""
	}
	return d
}

func didOf(pub crypto.PublicKey) (string, error) {
	mb, err := did.EncodeMultikey(pub)
	if err != nil {
		return "", ErrHolderUnbound.With(err)
	}
	return "did:key:" + mb, nil
}
