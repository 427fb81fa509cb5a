package issuer

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/vc"
)

// Credential configurations that an offer may hold (OpenID4VCI 1.0, section
// 12.2.4).
const (
	ConfigBirth        = "BirthCredential"
	ConfigBirthBorder  = "BirthCredentialBorder"
	ConfigGuardianship = "GuardianshipCredential"
	ConfigGuardBorder  = "GuardianshipCredentialBorder"
	ConfigBirthSDJWT   = "BirthCredentialSdJwt"
	ConfigGuardSDJWT   = "GuardianshipCredentialSdJwt"
	ConfigBirthSD      = "BirthCredentialSD"
	ConfigGuardSD      = "GuardianshipCredentialSD"
)

// Grant types of the token endpoint.
const (
	grantPreAuthorized = "urn:ietf:params:oauth:grant-type:pre-authorized_code"
	grantRefresh       = "refresh_token"
)

const (
	offerLife    = 10 * time.Minute    // of a code, unless the offer says otherwise
	maxOfferLife = 14 * 24 * time.Hour // for a letter that somebody takes home; a few tries at the PIN end it (pinTries)
	redeemAgain  = 10 * time.Minute    // how long the same key may repeat a redemption
	accessLife   = 20 * time.Minute    // longer than redeemAgain, so that a repeated answer is of use
	grantLife    = 400 * 24 * time.Hour
)

// Faults of offers.
var (
	ErrNoSuchOffer   = fault.New(fault.NotFound, "no-such-offer", "there is no such offer, or it is used or over").WithHint("ask the office for a new one")
	ErrOfferLifetime = fault.New(fault.Invalid, "offer-lifetime", "an offer lasts between one minute and 14 days")
)

// Offer invites a guardian's wallet to fetch the credentials of a guardianship
// and its ward's birth. URI or URIByReference go into the QR code; PIN is told
// to the guardian in person and never travels with them.
type Offer struct {
	ID             string      `json:"id"`
	Offer          OfferObject `json:"offer"`
	URI            string      `json:"uri"`
	URIByReference string      `json:"uriByReference"`
	PIN            string      `json:"pin"`
	ExpiresAt      time.Time   `json:"expiresAt"`
}

// LogValue keeps code and PIN out of every log.
func (o Offer) LogValue() slog.Value { return slog.StringValue("offer") }

// OfferObject is a Credential Offer (OpenID4VCI 1.0, section 4.1.1).
type OfferObject struct {
	Issuer         string      `json:"credential_issuer"`
	Configurations []string    `json:"credential_configuration_ids"`
	Grants         OfferGrants `json:"grants"`
}

// LogValue keeps the code out of every log.
func (o OfferObject) LogValue() slog.Value { return slog.StringValue("offer") }

// OfferGrants holds the one grant that we offer.
type OfferGrants struct {
	PreAuthorized PreAuthorized `json:"urn:ietf:params:oauth:grant-type:pre-authorized_code"`
}

// PreAuthorized is a pre-authorized code and what the PIN looks like.
type PreAuthorized struct {
	Code   string `json:"pre-authorized_code"`
	TxCode TxCode `json:"tx_code"`
}

// TxCode describes the PIN (OpenID4VCI 1.0, section 4.1.1).
type TxCode struct {
	InputMode   string `json:"input_mode"`
	Length      int    `json:"length"`
	Description string `json:"description,omitempty"`
}

// NewOffer makes an offer for a guardianship that is in force. It lasts ten
// minutes.
func (i *Issuer) NewOffer(ctx context.Context, c Caller, guardianship string) (Offer, error) {
	return i.OfferFor(ctx, c, guardianship, OfferTerms{})
}

// OfferTerms are the choices about an offer. Lifetime is at most 14 days, 0
// means ten minutes. The same caller gets the same offer, PIN included, for
// the same Idempotency key.
type OfferTerms struct {
	Lifetime    time.Duration
	Idempotency string
}

// OfferFor is NewOffer with terms. A guardianship that is pending, held, not
// issued, suspended or revoked, or whose ward's birth is, gets no offer.
func (i *Issuer) OfferFor(ctx context.Context, c Caller, guardianship string, terms OfferTerms) (Offer, error) {
	if err := c.may(mayRegisterGuardianship...); err != nil {
		return Offer{}, err
	}
	if terms.Lifetime == 0 {
		terms.Lifetime = offerLife
	}
	if terms.Lifetime < time.Minute || terms.Lifetime > maxOfferLife {
		return Offer{}, ErrOfferLifetime
	}
	o := i.openid()
	now := i.now().Truncate(time.Microsecond)
	row := offerRow{ID: token(), Guardianship: guardianship, Maker: c.ID, Created: now, Expires: now.Add(terms.Lifetime)}
	if terms.Idempotency != "" {
		if err := goodIdempotencyKey(terms.Idempotency); err != nil {
			return Offer{}, err
		}
		row.Idem = o.mac("offer-idempotency", []byte(c.ID), []byte(terms.Idempotency))
	}
	err := i.concerned(ctx, c, guardianship)
	if err != nil {
		return Offer{}, err
	}
	if row.Configs, err = i.offerable(ctx, guardianship); err != nil {
		return Offer{}, err
	}
	row.Code = o.codeHash(o.code(row.ID))
	stored, fresh, err := o.db.addOffer(ctx, row)
	if err != nil {
		return Offer{}, err
	}
	if !fresh && (stored.Guardianship != guardianship || stored.Expires.Sub(stored.Created) != terms.Lifetime) {
		return Offer{}, ErrIdempotency
	}
	return o.offer(stored)
}

// OpenOffer is an offer that can still be redeemed, without what opens it.
type OpenOffer struct {
	ID      string
	Created time.Time
	Expires time.Time
}

// OpenOffers lists the offers for a guardianship that can still be redeemed, the
// newest first.
func (i *Issuer) OpenOffers(ctx context.Context, c Caller, guardianship string) ([]OpenOffer, error) {
	if err := i.mayOffer(ctx, c, guardianship); err != nil {
		return nil, err
	}
	o := i.openid()
	return o.db.openOffers(ctx, guardianship, i.now())
}

// WithdrawOffers ends the offers for a guardianship that were not redeemed: a
// letter went to the wrong house.
func (i *Issuer) WithdrawOffers(ctx context.Context, c Caller, guardianship string) error {
	if err := i.mayOffer(ctx, c, guardianship); err != nil {
		return err
	}
	o := i.openid()
	return o.db.withdrawOffers(ctx, guardianship, i.now())
}

// mayOffer refuses who may not make offers for a guardianship.
func (i *Issuer) mayOffer(ctx context.Context, c Caller, guardianship string) error {
	if err := c.may(mayRegisterGuardianship...); err != nil {
		return err
	}
	return i.concerned(ctx, c, guardianship)
}

// OfferObject gives the Credential Offer of an offer that can still be
// redeemed, for wallets that were given a reference. It is public: the code in
// it is of no use without the PIN.
func (i *Issuer) OfferObject(ctx context.Context, id string) (OfferObject, error) {
	o := i.openid()
	row, ok, err := o.db.offer(ctx, id, i.now())
	if err != nil {
		return OfferObject{}, err
	}
	if !ok {
		return OfferObject{}, ErrNoSuchOffer
	}
	return o.object(row), nil
}

func goodIdempotencyKey(k string) error {
	if len(k) == 0 || len(k) > 128 {
		return ErrIdempotencyKey
	}
	for _, c := range []byte(k) {
		if c < 0x20 || c > 0x7e {
			return ErrIdempotencyKey
		}
	}
	return nil
}

func (i *Issuer) openid() openid {
	return openid{base: i.cfg.Base, secret: i.cfg.Ring.Secret("oauth"), db: openidStore{i.db}}
}

// code gives the pre-authorized code of an offer and pin its PIN. Both follow
// from the offer's id and a secret of the key ring: the database holds nothing
// that opens an offer, and an offer asked for again with the same Idempotency
// key is the same.
func (o openid) code(offer string) string {
	return b64url.EncodeToString(o.mac("code", []byte(offer)))
}

func (o openid) pin(offer string) string {
	// 64 bits modulo a million: the bias is below 10^-13.
	return fmt.Sprintf("%06d", binary.BigEndian.Uint64(o.mac("pin", []byte(offer)))%1_000_000)
}

func (o openid) codeHash(code string) []byte { return o.mac("code-hash", []byte(code)) }

func (o openid) tokenHash(token string) []byte { return o.mac("token-hash", []byte(token)) }

func (o openid) object(row offerRow) OfferObject {
	return OfferObject{
		Issuer:         o.base,
		Configurations: row.Configs,
		Grants: OfferGrants{PreAuthorized{
			Code:   o.code(row.ID),
			TxCode: TxCode{InputMode: "numeric", Length: 6, Description: "The six digits that the office gave you"},
		}},
	}
}

func (o openid) offer(row offerRow) (Offer, error) {
	obj := o.object(row)
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(obj); err != nil {
		return Offer{}, err
	}
	const scheme = "openid-credential-offer://?"
	return Offer{
		ID:             row.ID,
		Offer:          obj,
		URI:            scheme + url.Values{"credential_offer": {string(bytes.TrimSpace(b.Bytes()))}}.Encode(),
		URIByReference: scheme + url.Values{"credential_offer_uri": {o.base + "/offers/" + row.ID}}.Encode(),
		PIN:            o.pin(row.ID),
		ExpiresAt:      row.Expires,
	}, nil
}

// TokenRequest is what a wallet asks the token endpoint (OpenID4VCI 1.0,
// section 6.1; RFC 6749, section 6). DPoP is the proof from the header, "" if
// there is none.
type TokenRequest struct {
	GrantType string
	Code      string // pre-authorized_code
	PIN       string // tx_code
	Refresh   string // refresh_token
	DPoP      string
}

// Tokens is the answer of the token endpoint (RFC 6749, section 5.1).
type Tokens struct {
	Access    string `json:"access_token"`
	Type      string `json:"token_type"`              // DPoP or Bearer
	ExpiresIn int64  `json:"expires_in"`              // seconds
	Refresh   string `json:"refresh_token,omitempty"` // only bound to a DPoP key
}

// LogValue keeps tokens out of every log.
func (t Tokens) LogValue() slog.Value { return slog.StringValue("tokens") }

// Redeem answers a token request. A pre-authorized code works once; with DPoP
// the same key may repeat the request for ten minutes and gets the same
// tokens, so that a lost answer costs nobody a second visit. Whatever is wrong
// with code or PIN is ErrGrant.
func (i *Issuer) Redeem(ctx context.Context, r TokenRequest) (Tokens, error) {
	o, now := i.openid(), i.now().Truncate(time.Second)
	switch r.GrantType {
	case grantPreAuthorized:
		if r.Code == "" || len(r.Code) > 512 || r.PIN == "" || len(r.PIN) > 64 {
			return Tokens{}, ErrOAuthRequest
		}
	case grantRefresh:
		if r.Refresh == "" || len(r.Refresh) > 512 || r.DPoP == "" {
			return Tokens{}, ErrOAuthRequest
		}
	case "":
		return Tokens{}, ErrOAuthRequest
	default:
		return Tokens{}, ErrGrantType
	}
	thumb := ""
	if r.DPoP != "" {
		var err error
		if thumb, err = o.dpop(ctx, r.DPoP, "/token", "", now); err != nil {
			return Tokens{}, err
		}
	}
	if r.GrantType == grantRefresh {
		return o.renew(ctx, r.Refresh, thumb, now)
	}
	return o.redeem(ctx, r, thumb, now)
}

func (o openid) redeem(ctx context.Context, r TokenRequest, thumb string, now time.Time) (Tokens, error) {
	g, redeemed, ok, err := o.db.redeem(ctx, redemption{
		Code: o.codeHash(r.Code),
		PIN: func(offer string) bool {
			return subtle.ConstantTimeCompare([]byte(r.PIN), []byte(o.pin(offer))) == 1
		},
		DPoP:    thumb,
		Now:     now,
		Expires: now.Add(grantLife),
		Issue: func(grant string) issued {
			t := issued{Access: o.tokenHash(o.token("access", grant, thumb)), AccessExpires: now.Add(accessLife)}
			if thumb != "" {
				t.Refresh = o.tokenHash(o.token("refresh", grant, thumb))
			}
			return t
		},
	})
	if err != nil {
		return Tokens{}, err
	}
	if !ok {
		return Tokens{}, ErrGrant
	}
	t := Tokens{Access: o.token("access", g.ID, thumb), Type: "Bearer", ExpiresIn: int64(redeemed.Add(accessLife).Sub(now) / time.Second)}
	if thumb != "" {
		t.Type, t.Refresh = "DPoP", o.token("refresh", g.ID, thumb)
	}
	return t, nil
}

// token derives a token of a grant. The grant's id is random and secret, so
// the token cannot be guessed; the same grant and key give the same token.
func (o openid) token(purpose, grant, thumb string) string {
	return b64url.EncodeToString(o.mac(purpose, []byte(grant), []byte(thumb)))
}

// renew gives a fresh access token for a refresh token. The refresh token
// stays: it is bound to the key, which is what rotation would protect (RFC
// 9700, section 4.14.2), and a lost answer does not end the grant.
func (o openid) renew(ctx context.Context, refresh, thumb string, now time.Time) (Tokens, error) {
	access := base64.RawURLEncoding.EncodeToString(o.mac("access", []byte(token()), []byte(token())))
	ok, err := o.db.refresh(ctx, o.tokenHash(refresh), thumb,
		issued{Access: o.tokenHash(access), AccessExpires: now.Add(accessLife)}, now.Add(grantLife))
	if err != nil {
		return Tokens{}, err
	}
	if !ok {
		return Tokens{}, ErrGrant
	}
	return Tokens{Access: access, Type: "DPoP", ExpiresIn: int64(accessLife / time.Second), Refresh: refresh}, nil
}

// Nonce gives a fresh c_nonce for a key proof. It is good for five minutes.
func (i *Issuer) Nonce() string { return i.openid().nonce(i.now()) }

// CredentialRequest is what a wallet asks the credential endpoint: the access
// token with its scheme (Bearer or DPoP) and DPoP proof, and the body as it
// came.
type CredentialRequest struct {
	Scheme string
	Access string
	DPoP   string
	Body   []byte
}

// LogValue keeps the token out of every log.
func (r CredentialRequest) LogValue() slog.Value { return slog.StringValue("credential request") }

// offerable refuses a guardianship for which, or for whose ward, no credential
// would be issued now, and gives the configurations of those that would.
func (i *Issuer) offerable(ctx context.Context, id string) ([]string, error) {
	r, err := i.store.record(ctx, i.db, KindGuardianship, id)
	if err != nil {
		return nil, err
	}
	ward, b, err := i.ward(ctx, r)
	if err != nil {
		return nil, err
	}
	for _, x := range []row{r, ward} {
		if err := x.inForce(); err != nil {
			return nil, err
		}
	}
	g, err := readGuardianship(r)
	if err != nil {
		return nil, err
	}
	if NotIssuable(g, b, i.now()) != "" {
		return nil, ErrNotIssuable
	}
	var configs []string
	for _, o := range catalogue {
		c := copyOf{record: ward, profile: o.profile, holder: "did:key:of-whoever-redeems", birth: b}
		if o.kind == vc.TypeGuardianship {
			c.record, c.guardianship = r, g
		}
		if o.profile == ProfileLDP && !i.signs(c.form()) {
			continue
		}
		if _, _, err := c.subject(); errors.Is(err, ErrMRZNeeded) {
			continue // a name that no machine-readable zone can hold
		} else if err != nil {
			return nil, err
		}
		configs = append(configs, o.config)
	}
	return configs, nil
}

// credentialRequest is a Credential Request (OpenID4VCI 1.0, section 8.2).
// Members that it does not name are ignored, as section 8.2 asks.
type credentialRequest struct {
	Configuration string                     `json:"credential_configuration_id"`
	Identifier    string                     `json:"credential_identifier"`
	Proofs        map[string]json.RawMessage `json:"proofs"` // by type; exactly one
	Encryption    json.RawMessage            `json:"credential_response_encryption"`
}

// Fetch answers a credential request with what the response calls credential:
// an object for an ldp_vc, else a string with a compact vc+jwt or SD-JWT. The
// first key that is proven under a grant is the only one that it serves; the
// same request by that key gives the same credential until it nears its end or
// the record changes, and then the next one.
func (i *Issuer) Fetch(ctx context.Context, r CredentialRequest) (json.RawMessage, error) {
	o, now := i.openid(), i.now()
	g, err := o.authorize(ctx, r, now)
	if err != nil {
		return nil, err
	}
	conf, proof, err := i.readCredentialRequest(r.Body)
	if err != nil {
		return nil, err
	}
	holder, err := o.holder(proof, now)
	if err != nil {
		return nil, err
	}
	mine, err := o.db.bind(ctx, g.ID, holder)
	if err != nil {
		return nil, err
	}
	if !mine {
		return nil, ErrProof.WithDetail("these credentials belong to another key")
	}
	if conf.profile == ProfileLDP && !i.signs(form{conf.profile, RoleRegistrar}) {
		return nil, ErrDenied // an issuer without such a key has the other formats
	}
	copies, err := i.holderCopies(ctx, g.Guardianship, holder, conf.profile)
	if err != nil {
		return nil, denied(err)
	}
	for _, c := range copies {
		if c.Type != conf.kind {
			continue
		}
		if conf.Format == formatLDP {
			return json.RawMessage(c.JWT), nil
		}
		return json.Marshal(c.JWT)
	}
	return nil, ErrDenied // no border copy without a name in Latin letters
}

// denied hides from the wallet why the register gives nothing: what is
// suspended or held is the office's to tell.
func denied(err error) error {
	var f *fault.Fault
	if errors.As(err, &f) && f.Kind != fault.Internal && f.Kind != fault.Unavailable {
		return ErrDenied.With(err)
	}
	return err
}

// authorize finds the grant of an access token. A token that is bound to a key
// is of no use without a DPoP proof by that key; one that is not is a bearer
// token only.
func (o openid) authorize(ctx context.Context, r CredentialRequest, now time.Time) (grantRow, error) {
	bound := strings.EqualFold(r.Scheme, "DPoP")
	if (!bound && !strings.EqualFold(r.Scheme, "Bearer")) || r.Access == "" || len(r.Access) > 512 {
		return grantRow{}, ErrAccessToken
	}
	g, ok, err := o.db.grant(ctx, o.tokenHash(r.Access), now)
	if err != nil {
		return grantRow{}, err
	}
	if !ok || bound != (g.DPoP != "") {
		return grantRow{}, ErrAccessToken
	}
	if !bound {
		return g, nil
	}
	if r.DPoP == "" {
		return grantRow{}, ErrDPoP
	}
	thumb, err := o.dpop(ctx, r.DPoP, "/credential", r.Access, now)
	if err != nil {
		return grantRow{}, err
	}
	if subtle.ConstantTimeCompare([]byte(thumb), []byte(g.DPoP)) != 1 {
		return grantRow{}, ErrAccessToken
	}
	return g, nil
}

func (i *Issuer) readCredentialRequest(body []byte) (Configuration, string, error) {
	var q credentialRequest
	if err := vc.StrictJSON(body, &q, 8); err != nil {
		return Configuration{}, "", ErrCredentialRequest.With(err)
	}
	switch {
	case q.Configuration != "" && q.Identifier != "":
		return Configuration{}, "", ErrCredentialRequest
	case q.Identifier != "":
		return Configuration{}, "", ErrIdentifier
	case q.Configuration == "":
		return Configuration{}, "", ErrCredentialRequest
	case q.Encryption != nil:
		return Configuration{}, "", ErrEncryption
	}
	conf, ok := i.configurations()[q.Configuration]
	if !ok {
		return Configuration{}, "", ErrConfiguration
	}
	var proofs []string
	if len(q.Proofs) != 1 || json.Unmarshal(q.Proofs["jwt"], &proofs) != nil || len(proofs) == 0 {
		return Configuration{}, "", ErrProof
	}
	if len(proofs) > 1 {
		return Configuration{}, "", ErrCredentialRequest.WithDetail("one key proof at a time")
	}
	return conf, proofs[0], nil
}

// Credential tells how a credential stands, without its content. id is its
// UUID.
func (i *Issuer) Credential(ctx context.Context, c Caller, id string) (CredentialInfo, error) {
	if err := c.may(mayRead...); err != nil {
		return CredentialInfo{}, err
	}
	x, err := i.store.credential(ctx, strings.TrimPrefix(id, "urn:uuid:"))
	return x.CredentialInfo, err
}
