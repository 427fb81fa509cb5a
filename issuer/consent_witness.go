package issuer

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/vc"
)

// ErrWitnessUnlisted refuses to sign what no border would believe.
var ErrWitnessUnlisted = fault.New(fault.Unavailable, "witness-not-listed", "the trust list does not let this office witness consents in this role").
	WithHint("the key of the role must be on the trust list, with that role and the type TravelConsentCredential")

// mayWitness are the roles that witness consents (vc.LevelOf).
var mayWitness = []string{RoleNotary, RoleConsulate, RoleWitness, RoleCourt}

// actWitness is the act that an Idempotency-Key is bound to.
const actWitness = "witness"

// goodReference is a deed's number as registers of deeds write it.
var goodReference = regexp.MustCompile(`^[\pL\pN][\pL\pN ./:_-]*$`)

// Witnessed is a consent that this office witnessed. Signed is how many
// guardians agreed, Quorum how many must by their mandates: one parent's consent
// before a notary is usual, and the other's may come from elsewhere.
type Witnessed struct {
	ID         string    `json:"id"` // urn:uuid:…
	Credential string    `json:"credential"`
	ValidUntil time.Time `json:"validUntil"`
	Signed     int       `json:"signed"`
	Quorum     int       `json:"quorum"`
	Complete   bool      `json:"complete"`
}

// WitnessConsent examines what guardians signed for themselves (domain 3.2, the
// consent registrar) and issues one consent in the caller's role for all who
// did. The papers are verified against the trust list, and their status by lists
// that are fetched now: where one cannot be had, nothing is issued.
//
// The office keeps the credential for a month, for a request that is repeated,
// and of the deed a salted hash, its reference and who witnessed it.
func (i *Issuer) WitnessConsent(ctx context.Context, c Caller, d Dossier, idem string) (Witnessed, error) {
	if err := c.may(mayWitness...); err != nil {
		return Witnessed{}, err
	}
	if d.Reference != "" && (len(d.Reference) > maxReference || !goodReference.MatchString(d.Reference)) {
		return Witnessed{}, ErrBody.WithFields(fault.Field{Path: "/reference", Rule: "must be at most 200 letters, digits, spaces and . / : _ -"})
	}
	request, err := json.Marshal(d)
	if err != nil {
		return Witnessed{}, err
	}
	cl, err := newClaim(c, idem, actWitness, request)
	if err != nil {
		return Witnessed{}, err
	}
	// What was answered is answered again, also when it would be refused now.
	if o, again, err := i.store.replayed(ctx, i.db, cl); err != nil || again {
		if err != nil {
			return Witnessed{}, err
		}
		return i.witnessedAgain(ctx, o.ID)
	}
	trust, err := i.trust(ctx)
	if err != nil {
		return Witnessed{}, err
	}
	x := i.examiner(trust)
	if err := x.mayWitness(c.Role); err != nil {
		return Witnessed{}, err
	}
	e, err := x.examine(ctx, d)
	if err != nil {
		return Witnessed{}, err
	}
	w, err := i.deed(c, e, d.Reference)
	if err != nil {
		return Witnessed{}, err
	}
	id, err := i.store.reserveWitnessed(ctx, w, cl)
	if err != nil {
		return Witnessed{}, err
	}
	if id != w.ID { // the same request came twice at once
		return i.witnessedAgain(ctx, id)
	}
	if w.JWT, err = i.sealWitnessed(ctx, w); err != nil {
		return Witnessed{}, err
	}
	return w.told(), nil
}

// trust gives the trust list, if it is in force.
func (i *Issuer) trust(ctx context.Context) (*vc.TrustList, error) {
	if i.cfg.Trust == nil {
		return nil, ErrNoTrustList
	}
	l, err := i.cfg.Trust(ctx)
	if err != nil {
		return nil, err
	}
	if l == nil || !l.Next.IsZero() && !i.now().Before(l.Next) {
		return nil, ErrTrustStale
	}
	return l, nil
}

// mayWitness refuses a role whose key of this office the trust list does not let
// sign consents.
func (x *examiner) mayWitness(role string) error {
	s, err := x.i.signer(role)
	if err != nil {
		return err
	}
	own, ok := s.Public().(interface{ Equal(crypto.PublicKey) bool })
	is, k, pub := x.keyOf(s.KID)
	if !ok || k == nil || !own.Equal(pub) || is.DID != x.i.did || k.Role != role || !k.May(vc.TypeConsent) || !k.ValidAt(x.now) {
		return ErrWitnessUnlisted
	}
	return nil
}

// deed writes the consent that the office will sign: the grantors' own, of those
// who signed, with the level that the role gives and the places of all of them
// in the status lists, so that each withdraws alone.
func (i *Issuer) deed(c Caller, e examined, reference string) (witnessed, error) {
	var subject map[string]json.RawMessage
	if err := json.Unmarshal(e.subject, &subject); err != nil {
		return witnessed{}, err
	}
	var err error
	if subject["grantors"], err = encode(e.grantors); err != nil {
		return witnessed{}, err
	}
	if subject["assurance"], err = encode(vc.Assurance{Level: vc.LevelOf(c.Role), Witness: i.did, Reference: reference}); err != nil {
		return witnessed{}, err
	}
	body, err := encode(subject)
	if err != nil {
		return witnessed{}, err
	}
	w := witnessed{ID: uuid.NewString(), Role: c.Role, Reference: reference, Signed: len(e.grantors), Quorum: e.quorum, State: "reserved",
		From: i.now().Truncate(time.Second), Until: e.until, By: c, Salt: make([]byte, 32)}
	rand.Read(w.Salt) // never fails (crypto/rand)
	w.Digest = sum(w.Salt, []byte(e.digest))
	w.Payload, err = encode(vc.Credential{
		Context:   []string{vc.ContextV2, vc.ContextKinpass},
		ID:        "urn:uuid:" + w.ID,
		Type:      []string{vc.TypeCredential, vc.TypeConsent},
		Issuer:    i.did,
		ValidFrom: w.From,
		ValidTo:   w.Until,
		Subject:   body,
		Status:    e.status,
		Schema:    &vc.Schema{ID: vc.SchemaConsent, Type: "JsonSchema"},
	})
	if err != nil {
		return witnessed{}, err
	}
	_, err = vc.Prepare(w.Payload) // nothing is reserved that could not be signed
	return w, err
}

// told is what the witness gets of a sealed consent.
func (w witnessed) told() Witnessed {
	return Witnessed{ID: "urn:uuid:" + w.ID, Credential: w.JWT, ValidUntil: w.Until, Signed: w.Signed, Quorum: w.Quorum, Complete: w.Signed >= w.Quorum}
}

// witnessedAgain gives a consent that was witnessed before, finished if it was
// left open.
func (i *Issuer) witnessedAgain(ctx context.Context, id string) (Witnessed, error) {
	ws, err := i.store.witnessedRows(ctx, `WHERE id = $1`, id)
	if err != nil {
		return Witnessed{}, err
	}
	if len(ws) == 0 || ws[0].State == "gone" {
		return Witnessed{}, ErrNoSuchConsent
	}
	w := ws[0]
	if w.State == "reserved" {
		if w.JWT, err = i.sealWitnessed(ctx, w); err != nil {
			return Witnessed{}, err
		}
	}
	return w.told(), nil
}

// sealWitnessed signs the bytes of a reservation, its own or one that another
// run made, and closes it. The database is not trusted to hand out our
// signature: the consent must be this office's, witnessed in the role of the
// row, and what comes out must be what went in, under a published key.
func (i *Issuer) sealWitnessed(ctx context.Context, w witnessed) (string, error) {
	if err := i.ourWitness(w.Payload, w); err != nil {
		return "", err
	}
	u, err := vc.Prepare(w.Payload)
	if err != nil {
		return "", err
	}
	s, err := i.signer(w.Role)
	if err != nil {
		return "", err
	}
	jwt, err := u.Sign(s)
	if err != nil {
		return "", err
	}
	payload, err := verifyWith(i.published(useOf(w.Role), i.now()), jwt, vc.TypCredential)
	if err != nil {
		return "", err
	}
	if !bytes.Equal(payload, w.Payload) {
		return "", errAltered
	}
	return i.store.sealWitnessed(ctx, w.ID, jwt)
}

// ourWitness reports whether bytes are the witnessed consent of a row.
func (i *Issuer) ourWitness(payload []byte, w witnessed) error {
	c, err := vc.ParseCredential(payload)
	if err != nil {
		return err
	}
	var s vc.TravelConsent
	if err := vc.DecodeChecked(c.Subject, &s); err != nil {
		return err
	}
	if !slices.Contains(mayWitness, w.Role) || c.Issuer != i.did || c.ID != "urn:uuid:"+w.ID || !c.Is(vc.TypeConsent) ||
		s.Assurance.Level != vc.LevelOf(w.Role) || s.Assurance.Witness != i.did || !c.ValidFrom.Equal(w.From) || !c.ValidTo.Equal(w.Until) {
		return errForeign
	}
	return nil
}

// intactWitness reports whether a sealed consent is as it was witnessed.
func (i *Issuer) intactWitness(w witnessed) bool {
	at := i.now()
	if w.Until.Before(at) {
		at = w.Until
	}
	payload, err := verifyWith(i.published(useOf(w.Role), at), w.JWT, vc.TypCredential)
	return err == nil && i.ourWitness(payload, w) == nil
}

// recoverWitnessed finishes the witnessed consents that were reserved before a
// time.
func (i *Issuer) recoverWitnessed(ctx context.Context, before time.Time) (r Recovered, err error) {
	for {
		list, err := i.store.openWitnessed(ctx, before, r.Failed)
		if err != nil || len(list) == 0 {
			return r, err
		}
		r.Open += len(list)
		for _, w := range list {
			if _, err := i.sealWitnessed(ctx, w); err != nil {
				var f *fault.Fault
				if !errors.As(err, &f) {
					return r, err // the database
				}
				r.Failed++
				i.log.Error("a reserved credential cannot be signed", "credential", w.ID, "code", f.Code)
				continue
			}
			r.Sealed++
		}
	}
}

// verifyWitnessed checks the sealed consents that are still kept.
func (i *Issuer) verifyWitnessed(ctx context.Context) (v Verified, err error) {
	for after := ""; ; {
		page, err := i.store.sealedWitnessed(ctx, after)
		if err != nil || len(page) == 0 {
			return v, err
		}
		after = page[len(page)-1].ID
		for _, w := range page {
			v.Checked++
			if !i.intactWitness(w) {
				v.Bad++
				i.log.Error("a sealed credential is not as it was issued", "credential", w.ID)
			}
		}
	}
}
