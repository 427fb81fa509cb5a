package issuer

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/serve"
	"github.com/kinpass/kinpass/internal/vc"
)

// IssuerMetadata is the Credential Issuer Metadata (OpenID4VCI 1.0, section
// 12.2.4).
type IssuerMetadata struct {
	Issuer         string                   `json:"credential_issuer"`
	Credential     string                   `json:"credential_endpoint"`
	Nonce          string                   `json:"nonce_endpoint"`
	Display        []Display                `json:"display"`
	Configurations map[string]Configuration `json:"credential_configurations_supported"`
}

// Configuration is one kind of credential that can be asked for (OpenID4VCI
// 1.0, section 12.2.4 and appendices A.1 and A.3).
type Configuration struct {
	Format     string                `json:"format"`
	Definition *CredentialDefinition `json:"credential_definition,omitempty"` // of a jwt_vc_json and an ldp_vc
	Vct        string                `json:"vct,omitempty"`                   // of a dc+sd-jwt
	SignedWith []string              `json:"credential_signing_alg_values_supported"`
	Binding    []string              `json:"cryptographic_binding_methods_supported"`
	Proofs     map[string]ProofType  `json:"proof_types_supported"`
	Metadata   CredentialMetadata    `json:"credential_metadata"`
	profile    string                // of the copy that answers
	kind       string                // credential type
}

// CredentialDefinition holds the types of a credential and, for an ldp_vc, its
// JSON-LD contexts.
type CredentialDefinition struct {
	Context []string `json:"@context,omitempty"`
	Type    []string `json:"type"`
}

// ProofType says which algorithms a key proof may use.
type ProofType struct {
	Algorithms []string `json:"proof_signing_alg_values_supported"`
}

// CredentialMetadata is how a wallet may show a credential.
type CredentialMetadata struct {
	Display []Display `json:"display"`
}

// Display is a name in a language.
type Display struct {
	Name   string `json:"name"`
	Locale string `json:"locale"`
}

// ServerMetadata is the OAuth 2.0 Authorization Server Metadata (RFC 8414, with
// RFC 9449 and OpenID4VCI 1.0, section 12.3). Pre-authorized codes need no
// response type.
type ServerMetadata struct {
	Issuer      string   `json:"issuer"`
	Token       string   `json:"token_endpoint"`
	Grants      []string `json:"grant_types_supported"`
	ClientAuth  []string `json:"token_endpoint_auth_methods_supported"`
	DPoP        []string `json:"dpop_signing_alg_values_supported"`
	Anonymous   bool     `json:"pre-authorized_grant_anonymous_access_supported"`
	ResponseTyp []string `json:"response_types_supported"`
}

// proofAlgorithms are what wallets may sign with.
var proofAlgorithms = []string{keys.EdDSA, keys.ES256}

// Credential formats of OpenID4VCI. It has none for a vc+jwt of the Data Model
// 2.0, so jwt_vc_json names it; the typ of what is delivered says vc+jwt.
const (
	formatJWT   = "jwt_vc_json"
	formatSDJWT = vc.TypSDJWTVC
	formatLDP   = "ldp_vc"
)

// catalogue holds the configurations that there are, those that a wallet needs at a
// border first. An offer lists them in this order.
var catalogue = []struct{ config, kind, profile, format, name string }{
	{ConfigGuardianship, vc.TypeGuardianship, ProfileFull, formatJWT, "Guardianship"},
	{ConfigBirth, vc.TypeBirth, ProfileFull, formatJWT, "Birth"},
	{ConfigGuardBorder, vc.TypeGuardianship, ProfileBorder, formatJWT, "Guardianship, for a border"},
	{ConfigBirthBorder, vc.TypeBirth, ProfileBorder, formatJWT, "Birth, for a border"},
	{ConfigGuardSDJWT, vc.TypeGuardianship, ProfileSDJWT, formatSDJWT, "Guardianship, to show in parts (SD-JWT)"},
	{ConfigBirthSDJWT, vc.TypeBirth, ProfileSDJWT, formatSDJWT, "Birth, to show in parts (SD-JWT)"},
	{ConfigGuardSD, vc.TypeGuardianship, ProfileLDP, formatLDP, "Guardianship, to show in parts (JSON-LD)"},
	{ConfigBirthSD, vc.TypeBirth, ProfileLDP, formatLDP, "Birth, to show in parts (JSON-LD)"},
}

// configurations gives the credentials that wallets can ask for, by their
// names.
func (i *Issuer) configurations() map[string]Configuration {
	all := map[string]Configuration{}
	for _, o := range catalogue {
		c := Configuration{
			Format:     o.format,
			SignedWith: []string{i.cfg.Alg},
			Binding:    []string{"did:key", "jwk"},
			Proofs:     map[string]ProofType{"jwt": {Algorithms: proofAlgorithms}},
			Metadata:   CredentialMetadata{Display: []Display{{Name: o.name, Locale: "en"}}},
			profile:    o.profile,
			kind:       o.kind,
		}
		types := &CredentialDefinition{Type: []string{vc.TypeCredential, o.kind}}
		switch o.format {
		case formatJWT:
			c.Definition = types
		case formatSDJWT:
			c.Vct = sdType(o.kind)
		case formatLDP:
			types.Context = []string{vc.ContextV2, vc.ContextKinpass}
			c.Definition, c.SignedWith = types, []string{vc.SuiteSD}
		}
		all[o.config] = c
	}
	return all
}

// signs reports whether there is a key now that signs in a form.
func (i *Issuer) signs(f form) bool {
	_, err := i.signerFor(f.use(), i.now())
	return err == nil
}

// Metadata gives the Credential Issuer Metadata.
func (i *Issuer) Metadata() IssuerMetadata {
	configurations := i.configurations()
	maps.DeleteFunc(configurations, func(_ string, c Configuration) bool {
		return c.profile == ProfileLDP && !i.signs(form{c.profile, RoleRegistrar})
	})
	return IssuerMetadata{
		Issuer:         i.cfg.Base,
		Credential:     i.cfg.Base + "/credential",
		Nonce:          i.cfg.Base + "/nonce",
		Display:        []Display{{Name: "Kinpass civil register", Locale: "en"}},
		Configurations: configurations,
	}
}

// ServerMetadata gives the Authorization Server Metadata.
func (i *Issuer) ServerMetadata() ServerMetadata {
	return ServerMetadata{
		Issuer:      i.cfg.Base,
		Token:       i.cfg.Base + "/token",
		Grants:      []string{grantPreAuthorized, grantRefresh},
		ClientAuth:  []string{"none"},
		DPoP:        proofAlgorithms,
		Anonymous:   true,
		ResponseTyp: []string{},
	}
}

// The routes whose refusals have the form of OAuth.
var oauthRoutes = []string{"/token", "/nonce", "/credential"}

// maxTokenRequest and maxCredentialRequest bound bodies, in bytes.
const (
	maxTokenRequest      = 8 << 10
	maxCredentialRequest = 64 << 10
)

func (h routes) openid(s *serve.Server) {
	// What is refused before a handler runs (the form of a request, its size,
	// its rate) has the form of OAuth as well.
	answer := s.Echo.HTTPErrorHandler
	s.Echo.HTTPErrorHandler = func(err error, c echo.Context) {
		if slices.Contains(oauthRoutes, c.Path()) && !c.Response().Committed {
			err = oauthError(err, c)
		}
		answer(err, c)
	}
	// An office's network shows one address for all its counters, hence the
	// high rates: codes have 256 bits, and a PIN has five tries whoever asks.
	e := s.Echo
	e.GET("/.well-known/openid-credential-issuer", h.metadata)
	e.GET("/.well-known/oauth-authorization-server", h.serverMetadata)
	e.POST("/token", h.token, s.Limit(60, time.Minute))
	e.POST("/nonce", h.nonce, s.Limit(300, time.Minute))
	e.POST("/credential", h.credential, s.Limit(300, time.Minute))
}

func (h routes) metadata(c echo.Context) error {
	p, err := published("application/json", cacheKeys, h.Metadata())
	return show(c, p, err)
}

func (h routes) serverMetadata(c echo.Context) error {
	p, err := published("application/json", cacheKeys, h.ServerMetadata())
	return show(c, p, err)
}

func (h routes) token(c echo.Context) error {
	form, err := tokenForm(c)
	if err != nil {
		return err
	}
	proof, err := dpopHeader(c)
	if err != nil {
		return err
	}
	t, err := h.Redeem(c.Request().Context(), TokenRequest{
		GrantType: form.Get("grant_type"),
		Code:      form.Get("pre-authorized_code"),
		PIN:       form.Get("tx_code"),
		Refresh:   form.Get("refresh_token"),
		DPoP:      proof,
	})
	if err != nil {
		return err
	}
	return serve.JSON(c, http.StatusOK, t)
}

// tokenForm reads the body of a token request: a form, each parameter at most
// once (RFC 6749, section 3.2).
func tokenForm(c echo.Context) (url.Values, error) {
	media, _, _ := strings.Cut(c.Request().Header.Get("Content-Type"), ";")
	if !strings.EqualFold(strings.TrimSpace(media), "application/x-www-form-urlencoded") {
		return nil, ErrOAuthRequest.WithDetail("the token request must be a form")
	}
	body, err := readBody(c, maxTokenRequest)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, ErrOAuthRequest
	}
	for _, v := range form {
		if len(v) != 1 {
			return nil, ErrOAuthRequest.WithDetail("a parameter is repeated")
		}
	}
	return form, nil
}

func dpopHeader(c echo.Context) (string, error) {
	switch v := c.Request().Header.Values("DPoP"); len(v) {
	case 0:
		return "", nil
	case 1:
		if v[0] != "" {
			return v[0], nil
		}
	}
	return "", ErrDPoP
}

func readBody(c echo.Context, limit int64) ([]byte, error) {
	return serve.Body(c.Request(), limit)
}

func (h routes) nonce(c echo.Context) error {
	return serve.JSON(c, http.StatusOK, map[string]string{"c_nonce": h.Nonce()})
}

func (h routes) credential(c echo.Context) error {
	auth := c.Request().Header.Values("Authorization")
	if len(auth) != 1 {
		return ErrAccessToken
	}
	scheme, access, _ := strings.Cut(auth[0], " ")
	proof, err := dpopHeader(c)
	if err != nil {
		return err
	}
	body, err := readBody(c, maxCredentialRequest)
	if err != nil {
		return err
	}
	issued, err := h.Fetch(c.Request().Context(), CredentialRequest{Scheme: scheme, Access: access, DPoP: proof, Body: body})
	if err != nil {
		return err
	}
	type credential struct {
		Credential json.RawMessage `json:"credential"`
	}
	return serve.JSON(c, http.StatusOK, map[string][]credential{"credentials": {{issued}}})
}

// oauthError gives an error the form that OAuth clients read. Its code is the
// fault's with underscores; what is no fault of OAuth is an invalid request.
// What is ours stays as it is.
func oauthError(err error, c echo.Context) error {
	serve.AsOAuth(c)
	var ready *serve.OAuthError
	if errors.As(err, &ready) {
		return err
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		err = serve.ErrTooLarge
	}
	var f *fault.Fault
	if !errors.As(err, &f) {
		return err
	}
	out := &serve.OAuthError{Status: http.StatusBadRequest, Code: strings.ReplaceAll(f.Code, "-", "_"), Description: f.Detail}
	credential := c.Path() == "/credential"
	switch {
	case f.Is(ErrAccessToken), credential && f.Is(ErrDPoP):
		out.Status = http.StatusUnauthorized
		c.Response().Header().Add("WWW-Authenticate", `Bearer error="`+out.Code+`"`)
		c.Response().Header().Add("WWW-Authenticate", `DPoP error="`+out.Code+`", algs="`+strings.Join(proofAlgorithms, " ")+`"`)
	case isOAuth(f):
	case f.Kind == fault.RateLimited:
		out.Status, out.Code = http.StatusTooManyRequests, "slow_down"
		c.Response().Header().Set("Retry-After", "60")
	case f.Kind == fault.TooLarge:
		out.Status, out.Code = http.StatusRequestEntityTooLarge, "invalid_request"
	case f.Is(serve.ErrMethod), f.Kind == fault.Internal, f.Kind == fault.Unavailable:
		return err
	default:
		out.Code, out.Description = "invalid_request", "the request does not have the form that the API describes"
	}
	if credential && out.Code == "invalid_request" {
		out.Code = "invalid_credential_request"
	}
	return out
}

var oauthFaults = []*fault.Fault{
	ErrOAuthRequest, ErrGrantType, ErrGrant, ErrDPoP, ErrAccessToken, ErrProof, ErrNonce,
	ErrCredentialRequest, ErrConfiguration, ErrIdentifier, ErrEncryption, ErrDenied,
}

func isOAuth(f *fault.Fault) bool {
	return slices.ContainsFunc(oauthFaults, func(x *fault.Fault) bool { return f.Is(x) })
}
