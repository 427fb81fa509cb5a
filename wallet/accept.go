package wallet

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/vc"
)

// Faults of accepting an offer.
var (
	ErrOffer           = fault.New(fault.Invalid, "offer-invalid", "this is not a credential offer that the wallet can use")
	ErrOfferGone       = fault.New(fault.Unprocessable, "offer-gone", "the offer is not there any more").WithHint("ask the registry office for a new offer")
	ErrIssuerUntrusted = fault.New(fault.Unprocessable, "issuer-untrusted", "the issuer of this offer is not on the trust list; nothing was sent to it").WithHint("do not enter the PIN anywhere; contact the registry office")
	ErrPINForm         = fault.New(fault.Invalid, "pin-form", "the PIN does not have the form that the offer asks for").WithFields(fault.Field{Path: "/pin", Rule: "is not of the length and kind that the offer asks for"})
	ErrRefused         = fault.New(fault.Unprocessable, "offer-refused", "the issuer refused the offer or the PIN").WithHint("check the PIN; after several wrong ones, or if the offer is old or was used, ask for a new offer")
)

const (
	grantPreAuthorized = "urn:ietf:params:oauth:grant-type:pre-authorized_code"
	formatJWT          = "jwt_vc_json"
	maxOffer           = 16 << 10 // bytes
	maxConfigs         = 8
	acceptPatience     = 60 * time.Second
)

// Accepted is what came of an offer.
type Accepted struct {
	Child       string       `json:"child"` // the wallet's id of the child
	Credentials []Credential `json:"credentials"`
	// NotIssued are the credential configurations of the offer that the issuer
	// declined, such as the border profile of a name that cannot be written in
	// Latin letters.
	NotIssued []string `json:"notIssued,omitempty"`
}

// offer is a Credential Offer (OpenID4VCI 1.0, section 4.1.1) with the
// pre-authorized code grant.
type offer struct {
	Issuer  string                   `json:"credential_issuer"`
	Configs []string                 `json:"credential_configuration_ids"`
	Grants  map[string]preAuthorized `json:"grants"`

	base *url.URL // of Issuer
	uri  string   // where the offer was fetched, if it was
}

type preAuthorized struct {
	Code   string  `json:"pre-authorized_code"`
	TxCode *txCode `json:"tx_code"`
	Server string  `json:"authorization_server"`
}

// txCode describes the PIN that the issuer wants.
type txCode struct {
	Mode   string `json:"input_mode"` // numeric (default) or text
	Length int    `json:"length"`
}

func (o *offer) grant() preAuthorized { return o.Grants[grantPreAuthorized] }

// Accept redeems an offer. text is an openid-credential-offer link, with the
// offer in it or the address of one, or the offer as JSON. The same offer with
// the same PIN can be accepted again: after a lost answer that finishes the
// work, after success it gives the same result.
//
// All credentials of the offer are stored, or none.
func (w *Wallet) Accept(ctx context.Context, g Guardian, text, pin string) (Accepted, error) {
	// Once begun it is carried through: a guardian who loses the connection has
	// not spent the offer for nothing.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), acceptPatience)
	defer cancel()
	o, err := parseOffer(text)
	if err != nil {
		return Accepted{}, err
	}
	if len(pin) > 64 {
		return Accepted{}, ErrPINForm
	}
	trust, err := w.trust(ctx)
	if err != nil {
		return Accepted{}, err
	}
	issuer, err := w.admit(trust, o)
	if err != nil {
		return Accepted{}, err
	}
	v, err := w.vault(ctx, g.ID)
	if err != nil && err != errNoWallet {
		return Accepted{}, err
	}
	var gr *grant
	if v != nil && o.uri != "" {
		if gr, err = w.grantOf(ctx, v, nil, v.uriKey(o.uri)); err != nil {
			return Accepted{}, err
		}
	}
	if gr == nil {
		if o.uri != "" {
			if err := w.fetchOffer(ctx, o); err != nil {
				return Accepted{}, err
			}
		}
		if pin, err = checkPIN(o.grant().TxCode, pin); err != nil {
			return Accepted{}, err
		}
		if v, err = w.enter(ctx, g.ID); err != nil {
			return Accepted{}, err
		}
		if gr, err = w.grantOf(ctx, v, v.offerKey(o.Issuer, o.grant().Code), v.uriKey(o.uri)); err != nil {
			return Accepted{}, err
		}
	}
	if gr != nil {
		// The PIN was right when the grant was stored; none if none was asked.
		if gr.PIN != "" && subtle.ConstantTimeCompare([]byte(gr.PIN), []byte(pin)) != 1 {
			return Accepted{}, ErrRefused
		}
	} else {
		gr = &grant{Issuer: o.Issuer, Configs: o.Configs, URI: o.uri, Code: o.grant().Code, PIN: pin}
	}
	if !gr.Done {
		if err := w.redeem(ctx, v, gr, issuer); err != nil {
			return Accepted{}, err
		}
		w.note(ctx, v, ActAccepted, gr.Child)
	}
	return w.result(ctx, v, gr)
}

// result shows what a finished grant has.
func (w *Wallet) result(ctx context.Context, v *vault, g *grant) (Accepted, error) {
	out := Accepted{Child: g.Child, Credentials: []Credential{}, NotIssued: g.NotIssued}
	now := w.cfg.Now()
	for _, id := range g.Credentials {
		c, err := w.credential(ctx, v, id)
		if err != nil {
			return Accepted{}, err
		}
		out.Credentials = append(out.Credentials, c.shown(now))
	}
	return out, nil
}

func (w *Wallet) trust(ctx context.Context) (*vc.TrustList, error) {
	l, err := w.cfg.TrustList(ctx)
	if err != nil {
		return nil, ErrNotReady.With(err)
	}
	if l == nil {
		return nil, ErrNotReady
	}
	return l, nil
}

// admit finds the offer's issuer on the trust list. For an offer by reference
// it is the place of the offer that must be an issuer's, before anything is
// fetched: whoever shows a QR code must not choose where this server connects
// to.
func (w *Wallet) admit(trust *vc.TrustList, o *offer) (*vc.TrustIssuer, error) {
	address := o.Issuer
	if o.uri != "" {
		address = o.uri
	}
	u, err := w.net.origin(address)
	if err != nil {
		return nil, ErrOffer.With(err)
	}
	base := &url.URL{Scheme: u.Scheme, Host: u.Host}
	if o.uri == "" && strings.TrimSuffix(address, "/") != base.String() {
		return nil, ErrOffer
	}
	o.base = base
	return w.issuerAt(trust, base)
}

// issuerAt finds the issuer whose did:web is that of a base address, and who
// can issue now.
func (w *Wallet) issuerAt(trust *vc.TrustList, base *url.URL) (*vc.TrustIssuer, error) {
	id, err := did.FromURL(base.String())
	if err != nil {
		return nil, ErrOffer.With(err)
	}
	now := w.cfg.Now()
	for i := range trust.Issuers {
		is := &trust.Issuers[i]
		if is.DID != id {
			continue
		}
		for _, k := range is.Keys {
			if k.ValidAt(now) && (k.CutOff.IsZero() || now.Before(k.CutOff)) {
				return is, nil
			}
		}
	}
	return nil, ErrIssuerUntrusted
}

// parseOffer reads what a guardian scanned or pasted. It contacts nobody.
func parseOffer(text string) (*offer, error) {
	if len(text) > maxOffer {
		return nil, ErrOffer
	}
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "{") {
		return readOffer([]byte(text))
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "openid-credential-offer" || u.User != nil || u.Fragment != "" {
		return nil, ErrOffer
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, ErrOffer
	}
	value, uri := q["credential_offer"], q["credential_offer_uri"]
	switch {
	case len(value) == 1 && len(uri) == 0:
		return readOffer([]byte(value[0]))
	case len(uri) == 1 && len(value) == 0 && uri[0] != "":
		return &offer{uri: uri[0]}, nil
	}
	return nil, ErrOffer
}

func readOffer(data []byte) (*offer, error) {
	var o offer
	if err := vc.StrictJSON(data, &o, vc.MaxDepth); err != nil {
		return nil, ErrOffer.With(err)
	}
	g := o.grant()
	if o.Issuer == "" || g.Code == "" || len(g.Code) > 4096 || len(o.Configs) == 0 || len(o.Configs) > maxConfigs {
		return nil, ErrOffer
	}
	// A PIN goes to the credential issuer itself or nowhere.
	if g.Server != "" && g.Server != o.Issuer {
		return nil, ErrOffer
	}
	for i, c := range o.Configs {
		if c == "" || len(c) > 128 || slices.Contains(o.Configs[:i], c) {
			return nil, ErrOffer
		}
	}
	if t := g.TxCode; t != nil && (t.Length < 0 || t.Length > 64 || (t.Mode != "" && t.Mode != "numeric" && t.Mode != "text")) {
		return nil, ErrOffer
	}
	return &o, nil
}

// fetchOffer reads an offer by reference. Its issuer must be the one that the
// reference led to.
func (w *Wallet) fetchOffer(ctx context.Context, o *offer) error {
	body, err := w.net.get(ctx, o.uri, maxOffer, "application/json")
	if errors.Is(err, ErrIssuerAnswer) {
		return ErrOfferGone.With(err)
	}
	if err != nil {
		return err
	}
	f, err := readOffer(body)
	if err != nil {
		return err
	}
	if strings.TrimSuffix(f.Issuer, "/") != o.base.String() {
		return ErrOffer
	}
	o.Issuer, o.Configs, o.Grants = f.Issuer, f.Configs, f.Grants
	return nil
}

// checkPIN gives the PIN to send: none if the offer asks for none.
func checkPIN(t *txCode, pin string) (string, error) {
	if t == nil {
		return "", nil
	}
	if pin == "" || (t.Length > 0 && len([]rune(pin)) != t.Length) {
		return "", ErrPINForm
	}
	for _, c := range pin {
		if c < ' ' || c == 0x7f || (t.Mode != "text" && (c < '0' || c > '9')) {
			return "", ErrPINForm
		}
	}
	return pin, nil
}

// metadata is what the wallet needs of the issuer's two metadata documents
// (OpenID4VCI 1.0, section 12.2.4; RFC 8414, section 2).
type metadata struct {
	Issuer     string                   `json:"credential_issuer"`
	Servers    []string                 `json:"authorization_servers"`
	Credential string                   `json:"credential_endpoint"`
	Nonce      string                   `json:"nonce_endpoint"`
	Configs    map[string]configuration `json:"credential_configurations_supported"`

	token string
}

type configuration struct {
	Format     string `json:"format"`
	Vct        string `json:"vct"` // of an SD-JWT VC
	Definition struct {
		Type []string `json:"type"`
	} `json:"credential_definition"`
	Proofs map[string]struct {
		Algs []string `json:"proof_signing_alg_values_supported"`
	} `json:"proof_types_supported"`
}

// metadata fetches both documents and holds every address in them to the
// issuer's own origin.
func (w *Wallet) metadata(ctx context.Context, issuer string, configs []string) (*metadata, error) {
	base, err := w.net.origin(issuer)
	if err != nil {
		return nil, ErrOffer.With(err)
	}
	root := base.Scheme + "://" + base.Host
	var m metadata
	if err := w.net.getJSON(ctx, root+"/.well-known/openid-credential-issuer", &m); err != nil {
		return nil, err
	}
	if m.Issuer != issuer || !w.net.sameOrigin(base, m.Credential) || (m.Nonce != "" && !w.net.sameOrigin(base, m.Nonce)) {
		return nil, ErrIssuerAnswer
	}
	if len(m.Servers) > 0 && !slices.Contains(m.Servers, issuer) {
		return nil, ErrIssuerAnswer
	}
	usable := false
	for _, id := range configs {
		c, ok := m.Configs[id]
		if !ok || c.Format == "" {
			return nil, ErrIssuerAnswer
		}
		if !c.usable() {
			continue // never asked for
		}
		usable = true
		if c.Format != formatSDJWT && !slices.Contains(c.Definition.Type, vc.TypeCredential) {
			return nil, ErrIssuerAnswer
		}
		if p, ok := c.Proofs["jwt"]; len(c.Proofs) > 0 && (!ok || !slices.Contains(p.Algs, keys.EdDSA)) {
			return nil, ErrIssuerAnswer
		}
	}
	if !usable {
		return nil, ErrIssuerAnswer
	}
	var as struct {
		Issuer string `json:"issuer"`
		Token  string `json:"token_endpoint"`
	}
	if err := w.net.getJSON(ctx, root+"/.well-known/oauth-authorization-server", &as); err != nil {
		return nil, err
	}
	if as.Issuer != issuer || !w.net.sameOrigin(base, as.Token) {
		return nil, ErrIssuerAnswer
	}
	m.token = as.Token
	return &m, nil
}

// redeem carries an offer through: tokens, credentials, checks, storage. What
// the PIN has bought is stored at once, so that nothing after it is lost with
// an answer.
func (w *Wallet) redeem(ctx context.Context, v *vault, g *grant, issuer *vc.TrustIssuer) error {
	h, err := w.holderOf(ctx, v)
	if err != nil {
		return err
	}
	s, err := h.signer()
	if err != nil {
		return err
	}
	m, err := w.metadataFor(ctx, g, issuer)
	if err != nil {
		return err
	}
	x := &exchange{net: w.net, now: w.cfg.Now, m: m, key: s}
	keep := func() error { return w.keepGrant(ctx, v, g) }
	jwts, err := x.collect(ctx, g, keep)
	if err != nil {
		return err
	}
	a, err := w.verify(ctx, received{grant: g, m: m, jwts: jwts, issuer: issuer, holder: h.DID})
	if err != nil {
		return err
	}
	if err := w.finish(ctx, v, g, a); err != nil {
		return err
	}
	w.wantProofs(v.guardian)
	return nil
}

// exchange speaks to one issuer with one holder key.
type exchange struct {
	net   *network
	now   func() time.Time
	m     *metadata
	key   keys.Signer
	proof string // the issuer's last c_nonce, for key proofs
	nonce string // the issuer's last DPoP-Nonce
}

// collect gives one credential per configuration, "" where the issuer denied
// it. It uses the access token
// that the grant has, or else its refresh token, or else its code; keep is
// called as soon as there are new tokens.
func (x *exchange) collect(ctx context.Context, g *grant, keep func() error) ([]string, error) {
	fresh := false
	if g.Access == "" || !x.now().Before(g.Until) {
		if err := x.tokens(ctx, g, keep); err != nil {
			return nil, err
		}
		fresh = true
	}
	for {
		jwts, err := x.credentials(ctx, g)
		if err != errToken {
			return jwts, err
		}
		if fresh {
			return nil, ErrIssuerAnswer
		}
		if err := x.tokens(ctx, g, keep); err != nil {
			return nil, err
		}
		fresh = true
	}
}

// errToken says that the issuer does not take the access token any more.
var errToken = fault.New(fault.Unprocessable, "issuer-token", "the issuer does not accept its own token")

// tokens asks the token endpoint (OpenID4VCI 1.0, section 6) with DPoP by the
// holder key (RFC 9449). A refresh token that is refused is dropped, and the
// code is tried, which a lost answer may have left usable.
func (x *exchange) tokens(ctx context.Context, g *grant, keep func() error) error {
	if g.Refresh != "" {
		err := x.token(ctx, g, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {g.Refresh}})
		if err == nil {
			return keep()
		}
		if !errors.Is(err, ErrRefused) || g.Done {
			return err
		}
	}
	form := url.Values{"grant_type": {grantPreAuthorized}, "pre-authorized_code": {g.Code}}
	if g.PIN != "" {
		form.Set("tx_code", g.PIN)
	}
	if err := x.token(ctx, g, form); err != nil {
		return err
	}
	return keep()
}

func (x *exchange) token(ctx context.Context, g *grant, form url.Values) error {
	a, err := x.post(ctx, x.m.token, "", "application/x-www-form-urlencoded", form.Encode())
	if err != nil {
		return err
	}
	if a.status != http.StatusOK {
		switch oauthCode(a) {
		case "invalid_grant", "invalid_request":
			return ErrRefused
		}
		return refusal(a)
	}
	var t struct {
		Access  string `json:"access_token"`
		Type    string `json:"token_type"`
		Expires int64  `json:"expires_in"`
		Refresh string `json:"refresh_token"`
		Details []struct {
			Type        string   `json:"type"`
			Config      string   `json:"credential_configuration_id"`
			Identifiers []string `json:"credential_identifiers"`
		} `json:"authorization_details"`
	}
	if err := vc.StrictJSON(a.body, &t, vc.MaxDepth); err != nil {
		return ErrIssuerAnswer.With(err)
	}
	// A token that is not bound to the key would be worth stealing.
	if t.Access == "" || !strings.EqualFold(t.Type, "DPoP") || !headerSafe(t.Access) || len(t.Refresh) > 4096 || t.Expires < 0 {
		return ErrIssuerAnswer
	}
	if t.Expires == 0 || t.Expires > 86400 {
		t.Expires = 60
	}
	g.Access, g.Until = t.Access, x.now().Add(time.Duration(t.Expires)*time.Second)
	if t.Refresh != "" {
		g.Refresh = t.Refresh
	}
	g.Identifiers = nil
	if len(t.Details) > 0 {
		g.Identifiers = make([]string, len(g.Configs))
		for i, c := range g.Configs {
			for _, d := range t.Details {
				if d.Config == c && len(d.Identifiers) > 0 && len(d.Identifiers[0]) <= 512 {
					g.Identifiers[i] = d.Identifiers[0]
				}
			}
		}
	}
	return nil
}

// errDenied says that the issuer does not give this one credential.
var errDenied = fault.New(fault.Unprocessable, "issuer-denied", "the issuer does not issue this credential")

// credentials asks for each configuration (OpenID4VCI 1.0, section 8). The
// place of one that the issuer denies, or that is of no use here, is empty;
// what is left has to do.
func (x *exchange) credentials(ctx context.Context, g *grant) ([]string, error) {
	var out []string
	for i, config := range g.Configs {
		if !x.m.Configs[config].usable() {
			out = append(out, "")
			continue
		}
		ask := map[string]any{"credential_configuration_id": config}
		if i < len(g.Identifiers) && g.Identifiers[i] != "" {
			ask = map[string]any{"credential_identifier": g.Identifiers[i]}
		}
		jwt, err := x.credential(ctx, g, ask)
		if err == errDenied {
			err = nil // the place stays empty
		}
		if err != nil {
			return nil, err
		}
		out = append(out, jwt)
	}
	return out, nil
}

func (x *exchange) credential(ctx context.Context, g *grant, ask map[string]any) (string, error) {
	for try := 0; ; try++ {
		if err := x.challenge(ctx); err != nil {
			return "", err
		}
		proof, err := x.prove()
		if err != nil {
			return "", err
		}
		ask["proofs"] = map[string]any{"jwt": []string{proof}}
		body, err := json.Marshal(ask)
		if err != nil {
			return "", err
		}
		a, err := x.post(ctx, x.m.Credential, g.Access, "application/json", string(body))
		if err != nil {
			return "", err
		}
		switch {
		case a.status == http.StatusUnauthorized:
			return "", errToken
		case a.status == http.StatusBadRequest && oauthCode(a) == "invalid_nonce" && try == 0:
			x.proof = ""
			continue
		case a.status == http.StatusBadRequest && oauthCode(a) == "credential_request_denied":
			return "", errDenied
		case a.status != http.StatusOK:
			return "", refusal(a)
		}
		var r struct {
			Credentials []struct {
				Credential json.RawMessage `json:"credential"`
			} `json:"credentials"`
		}
		if err := vc.StrictJSON(a.body, &r, vc.MaxDepth); err != nil {
			return "", ErrIssuerAnswer.With(err)
		}
		if len(r.Credentials) != 1 {
			return "", ErrIssuerAnswer
		}
		return credentialText(r.Credentials[0].Credential)
	}
}

// challenge asks the nonce endpoint (OpenID4VCI 1.0, section 7), if there is
// one and its last answer is not good any more.
func (x *exchange) challenge(ctx context.Context) error {
	if x.m.Nonce == "" || x.proof != "" {
		return nil
	}
	a, err := x.post(ctx, x.m.Nonce, "", "", "")
	if err != nil {
		return err
	}
	if a.status != http.StatusOK {
		return refusal(a)
	}
	var r struct {
		Nonce string `json:"c_nonce"`
	}
	if err := vc.StrictJSON(a.body, &r, vc.MaxDepth); err != nil {
		return ErrIssuerAnswer.With(err)
	}
	if r.Nonce == "" || len(r.Nonce) > 4096 {
		return ErrIssuerAnswer
	}
	x.proof = r.Nonce
	return nil
}

// prove shows that the wallet has the holder key (OpenID4VCI 1.0, appendix
// F.1).
func (x *exchange) prove() (string, error) {
	claims, err := json.Marshal(struct {
		Audience string `json:"aud"`
		IssuedAt int64  `json:"iat"`
		Nonce    string `json:"nonce,omitempty"`
	}{x.m.Issuer, x.now().Unix(), x.proof})
	if err != nil {
		return "", err
	}
	return vc.SignJWS(x.key, vc.TypProof, "", claims)
}

// post sends a request with a DPoP proof, and once more if the issuer wants
// its nonce in it (RFC 9449, sections 8 and 9).
func (x *exchange) post(ctx context.Context, address, access, contentType, body string) (answer, error) {
	for try := 0; ; try++ {
		req, err := http.NewRequest(http.MethodPost, address, strings.NewReader(body))
		if err != nil {
			return answer{}, ErrIssuerAnswer.With(err)
		}
		req.Header.Set("Accept", "application/json")
		if contentType != "" {
			req.Header.Set("Content-Type", contentType)
		}
		if access != "" {
			req.Header.Set("Authorization", "DPoP "+access)
		}
		if address != x.m.Nonce {
			proof, err := x.dpop(address, access)
			if err != nil {
				return answer{}, err
			}
			req.Header.Set("DPoP", proof)
		}
		a, err := x.net.call(ctx, req, maxAnswer, "application/json")
		if err != nil {
			return answer{}, err
		}
		n := a.header.Get("DPoP-Nonce")
		if n != "" && len(n) <= 1024 {
			x.nonce = n
		}
		if n != "" && try == 0 && wantsNonce(a) {
			continue
		}
		return a, nil
	}
}

func wantsNonce(a answer) bool {
	return (a.status == http.StatusBadRequest && oauthCode(a) == "use_dpop_nonce") ||
		(a.status == http.StatusUnauthorized && strings.Contains(a.header.Get("WWW-Authenticate"), "use_dpop_nonce"))
}

// dpop makes a DPoP proof (RFC 9449, section 4.2).
func (x *exchange) dpop(address, access string) (string, error) {
	claims := map[string]any{"jti": store.Random(16), "htm": http.MethodPost, "htu": address, "iat": x.now().Unix()}
	if access != "" {
		sum := sha256.Sum256([]byte(access))
		claims["ath"] = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	if x.nonce != "" {
		claims["nonce"] = x.nonce
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	pub, err := jwk.Import(x.key.Public())
	if err != nil {
		return "", err
	}
	h := jws.NewHeaders()
	if err := h.Set("typ", vc.TypDPoP); err != nil {
		return "", err
	}
	if err := h.Set("jwk", pub); err != nil {
		return "", err
	}
	alg := jwa.EdDSA()
	if x.key.Alg == keys.ES256 {
		alg = jwa.ES256()
	}
	out, err := jws.Sign(payload, jws.WithKey(alg, x.key.Signer, jws.WithProtectedHeaders(h)))
	return string(out), err
}

// oauthCode gives the error code of a refusal, "" if there is none. The
// description is dropped: it is a stranger's text.
func oauthCode(a answer) string {
	var e struct {
		Code string `json:"error"`
	}
	if vc.StrictJSON(a.body, &e, vc.MaxDepth) != nil {
		return ""
	}
	return e.Code
}

// refusal turns an answer that is neither success nor a case of its own into a
// fault.
func refusal(a answer) error {
	switch {
	case a.status == http.StatusTooManyRequests:
		return ErrUnreachable
	case a.status == http.StatusForbidden, a.status == http.StatusBadRequest && oauthCode(a) != "":
		return ErrRefused
	}
	return ErrIssuerAnswer
}

// headerSafe reports whether a token can stand in a header as it is.
func headerSafe(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return len(s) <= 8192
}
