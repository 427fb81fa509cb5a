package issuer

import (
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/status"
	"github.com/kinpass/kinpass/internal/vc"
)

// Faults of hosting the status of travel consents.
var (
	ErrConsentRequest = fault.New(fault.Invalid, "consent-status-request", "this is not a request that a guardian's wallet makes about the status of a consent")
	ErrConsentOther   = fault.New(fault.Unprocessable, "consent-status-other", "the request was made for another issuer").
				WithHint("the issuer of the child's birth credential hosts the status of consents")
	ErrConsentTime = fault.New(fault.Unprocessable, "consent-status-time", "the request was not made within the last five minutes").
			WithHint("check the clock of the telephone and make a new request")
	ErrConsentReused = fault.New(fault.Conflict, "consent-status-reused", "this jti was used for another request").
				WithHint("make a fresh jti for each consent and repeat it only with the same request")
	ErrConsentLimit = fault.New(fault.RateLimited, "consent-status-limit", "too many consents were begun for this guardianship today")
	// ErrNoSuchConsent is also the answer about somebody else's consent.
	ErrNoSuchConsent = fault.New(fault.NotFound, "no-such-consent", "there is no such consent")
)

const (
	consentSkew = 5 * time.Minute // how far iat may be from now, either way
	// consentsPerDay bounds what one holder of one guardianship can take of the
	// status lists.
	consentsPerDay = 40
	maxConsentJWS  = 4 << 10 // bytes
	powerConsent   = "travelConsent"
	powerAccompany = "travelAccompany"
)

// Acts of a request about the status of a consent.
const (
	actReserveConsent  = "reserve"
	actWithdrawConsent = "withdraw"
	actPaper           = "paper"
)

// members are all that a request of an act may say, and must: what else a
// wallet sent could be about the journey, which is not to be known here.
var consentMembers = map[string][]string{
	actReserveConsent:  {"aud", "iat", "jti", "act", "guardianship"},
	actWithdrawConsent: {"aud", "iat", "jti", "act", "list", "index"},
	actPaper:           {"aud", "iat", "jti", "act", "guardianship"},
}

var (
	goodJTI  = regexp.MustCompile(`^[A-Za-z0-9_-]{22,128}$`)
	goodUUID = regexp.MustCompile(`^urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
)

// consentRequest is a request of a guardian's wallet, signed with the holder key
// of a guardianship credential. Holder comes from the signature.
type consentRequest struct {
	Audience     string `json:"aud"`
	IssuedAt     int64  `json:"iat"`
	ID           string `json:"jti"`
	Act          string `json:"act"`
	Guardianship string `json:"guardianship"`
	List         string `json:"list"`
	Index        string `json:"index"`

	Holder string `json:"-"`
}

// readConsentRequest verifies a request and reads it. Whether it is for this
// issuer and of now is judged later (consentNow).
func readConsentRequest(compact, act string) (consentRequest, error) {
	if len(compact) > maxConsentJWS {
		return consentRequest{}, ErrConsentRequest
	}
	typ := vc.TypConsentStatus
	if act == actPaper {
		typ = vc.TypPaper
	}
	payload, holder, err := signedByHolder(compact, typ)
	if err != nil {
		return consentRequest{}, ErrConsentRequest.With(err)
	}
	var members map[string]json.RawMessage
	if err := vc.StrictJSON(payload, &members, 1); err != nil {
		return consentRequest{}, ErrConsentRequest.With(err)
	}
	wanted := consentMembers[act]
	if len(members) != len(wanted) {
		return consentRequest{}, ErrConsentRequest
	}
	for _, m := range wanted {
		if _, ok := members[m]; !ok {
			return consentRequest{}, ErrConsentRequest.WithFields(fault.Field{Path: "/" + m, Rule: "is required, and nothing that is not"})
		}
	}
	r := consentRequest{Holder: holder}
	if err := json.Unmarshal(payload, &r); err != nil {
		return consentRequest{}, ErrConsentRequest.With(err)
	}
	switch {
	case r.Act != act:
		return consentRequest{}, ErrConsentRequest.WithFields(fault.Field{Path: "/act", Rule: "must be " + act})
	case !goodJTI.MatchString(r.ID):
		return consentRequest{}, ErrConsentRequest.WithFields(fault.Field{Path: "/jti", Rule: "must be 22 to 128 characters of base64url"})
	case act != actWithdrawConsent && !goodUUID.MatchString(r.Guardianship):
		return consentRequest{}, ErrConsentRequest.WithFields(fault.Field{Path: "/guardianship", Rule: "must be the id of a credential, urn:uuid:…"})
	}
	return r, nil
}

// signedByHolder verifies a JWS of a type with the key that its kid names, which
// must be a did:key in its one spelling, and gives payload and DID.
func signedByHolder(compact, typ string) (payload []byte, holder string, err error) {
	s, err := vc.SplitJWS(compact)
	if err != nil {
		return nil, "", err
	}
	holder = did.Base(s.Header.Kid)
	if s.Header.Typ != typ || s.Header.Jwk != nil || s.Header.Kid != did.KeyID(holder) {
		return nil, "", vc.ErrType
	}
	pub, err := did.ParseKey(holder)
	if err != nil {
		return nil, "", err
	}
	if canonical, err := did.EncodeKey(pub); err != nil || canonical != holder {
		return nil, "", did.ErrInvalid
	}
	if payload, err = s.Verify(pub); err != nil {
		return nil, "", err
	}
	return payload, holder, nil
}

// consentNow refuses a request that is not for this issuer or not of now.
func (i *Issuer) consentNow(r consentRequest) error {
	if r.Audience != i.did {
		return ErrConsentOther
	}
	if off := i.now().Unix() - r.IssuedAt; off > int64(consentSkew/time.Second) || off < -int64(consentSkew/time.Second) {
		return ErrConsentTime
	}
	return nil
}

// ConsentStatus is a place in the status lists for one guardian's consent.
type ConsentStatus struct {
	// Status goes into the consent as it is: revocation, suspension.
	Status []vc.StatusEntry `json:"credentialStatus"`
	// ValidUntil is until when the lists are published; the consent must end by
	// then. It is the end of a quarter, so that it tells no date.
	ValidUntil time.Time `json:"validUntil"`
}

// consentPlace is a place that was reserved for a consent.
type consentPlace struct {
	id      string
	request []byte // hash of holder and jti
	record  string // the guardianship
	holder  string
	place   place
	status  string
	until   time.Time
}

// ReserveConsent gives a guardian a place in the status lists for a travel
// consent to sign. request is a compact JWS of vc.TypConsentStatus by the holder
// key of a guardianship credential of this issuer, which is in force and has the
// power travelConsent: it says which credential, and nothing of the journey. The
// same jti gets the same place. Whatever is not so is ErrNoSuchGuardianship.
func (i *Issuer) ReserveConsent(ctx context.Context, request string) (ConsentStatus, error) {
	r, err := readConsentRequest(request, actReserveConsent)
	if err != nil {
		return ConsentStatus{}, err
	}
	if err := i.consentNow(r); err != nil {
		return ConsentStatus{}, err
	}
	want := consentPlace{id: uuid.NewString(), request: sum([]byte("kinpass/consent/v1\x00"+r.Holder+"\x00"), []byte(r.ID)), holder: r.Holder, status: StatusValid}
	// A place is taken only for one who may have it: a stranger must not use up
	// the lists.
	credential := strings.TrimPrefix(r.Guardianship, "urn:uuid:")
	if _, err := i.store.holding(ctx, i.db, mandated{credential, r.Holder, powerConsent}); err != nil {
		return ConsentStatus{}, err
	}
	var name listName
	name, want.until = consentList(i.now())
	if want.place, err = i.store.lists.take(ctx, name); err != nil {
		return ConsentStatus{}, err
	}
	got, err := i.store.reserveConsent(ctx, credential, want)
	if err != nil && refused(err) || err == nil && got.id != want.id {
		i.store.lists.give(name, want.place)
	}
	if err != nil {
		return ConsentStatus{}, err
	}
	return ConsentStatus{Status: i.statusEntries(got.place), ValidUntil: got.until}, nil
}

// consentList names the list of consents that are begun at t and says until when
// it is published: to the end of the quarter in which a consent without an end
// of its own (24 months) can be over at the latest.
func consentList(t time.Time) (listName, time.Time) {
	last := t.UTC().AddDate(2, 1, 0)
	next := time.Date(last.Year(), (last.Month()-1)/3*3+4, 1, 0, 0, 0, 0, time.UTC)
	return listName{vc.TypeConsent, quarter(last)}, next
}

// PaperFor gives a guardian what Paper gives the office: the paper credentials
// of a child, for the holder of a guardianship who may travel with the child.
// request is a compact JWS by the holder key. What is not the holder's is
// ErrNoSuchGuardianship.
func (i *Issuer) PaperFor(ctx context.Context, request string) (birthJWT, guardianshipJWT string, err error) {
	r, err := readConsentRequest(request, actPaper)
	if err != nil {
		return "", "", err
	}
	if err := i.consentNow(r); err != nil {
		return "", "", err
	}
	record, err := i.store.holding(ctx, i.db, mandated{strings.TrimPrefix(r.Guardianship, "urn:uuid:"), r.Holder, powerAccompany})
	if err != nil {
		return "", "", err
	}
	g, err := i.store.record(ctx, i.db, KindGuardianship, record)
	if err != nil {
		return "", "", err
	}
	return i.printed(ctx, g)
}

// mandated is a holder who acts by a guardianship credential, and the power that
// this takes.
type mandated struct{ credential, holder, power string }

// may reports whether a holder has a power by this copy of a guardianship at t:
// it is in force, as is the ward's birth.
func (m mandated) may(c copied, g, ward row, t time.Time) (bool, error) {
	if c.Type != vc.TypeGuardianship || c.State != StatusValid || !t.Before(c.ValidUntil) || g.inForce() != nil || ward.inForce() != nil {
		return false, nil
	}
	guardianship, err := readGuardianship(g)
	if err != nil {
		return false, err
	}
	birth, err := readBirth(ward)
	if err != nil {
		return false, err
	}
	return NotIssuable(guardianship, birth, t) == "" && slices.Contains(guardianship.Powers, m.power), nil
}

// WithdrawConsent revokes a consent at its place in the status lists, for good
// and at once. request is a compact JWS by the key that reserved the place.
// Nobody is told (domain: a guardian who withdraws must not be put in danger by
// it); withdrawing again changes nothing. What is not the key's own is
// ErrNoSuchConsent.
func (i *Issuer) WithdrawConsent(ctx context.Context, request string) error {
	r, err := readConsentRequest(request, actWithdrawConsent)
	if err != nil {
		return err
	}
	if err := i.consentNow(r); err != nil {
		return err
	}
	p, ok := i.placeAt(r.List, r.Index)
	if !ok {
		return ErrNoSuchConsent
	}
	return i.store.withdrawConsent(ctx, p, r.Holder)
}

// placeAt reads an address of our revocation lists and an index; ok is false for
// what is not spelled as we do.
func (i *Issuer) placeAt(list, index string) (p place, ok bool) {
	n, ok := strings.CutPrefix(list, i.cfg.Base+"/status/"+vc.PurposeRevocation+"/")
	if !ok {
		return place{}, false
	}
	number, err := strconv.ParseInt(n, 10, 64)
	if err != nil || i.listURL(vc.PurposeRevocation, number) != list {
		return place{}, false
	}
	at, err := status.ParseIndex(index)
	if err != nil {
		return place{}, false
	}
	return place{number, at}, true
}
