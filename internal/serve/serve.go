// Package serve takes a role's routes to a running server: problem documents,
// authentication, limits, metrics and logs. It is the only place where an
// error becomes an HTTP status.
//
// Nothing here logs a path, a query, a header or a body: a log line has the
// route's pattern, the status and the fault's code.
package serve

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"github.com/kinpass/kinpass/api"
	"github.com/kinpass/kinpass/internal/fault"
)

// Caller is who makes a request, from the API token or the session cookie that
// was sent.
type Caller struct {
	ID   string // of the account, or of a token that has none
	Name string // of the account, or given when the token was made
	Role string
}

// Config says what a role's server needs. Role, Log, Now and Token must be
// set.
type Config struct {
	Role  string // issuer, wallet or verifier: tag in the API, prefix of metrics
	Spec  []byte // OpenAPI 3.0 as YAML; nil means api.Spec
	Log   *slog.Logger
	Now   func() time.Time
	Token func(ctx context.Context, secret string) (Caller, error) // a fault of kind Unauthenticated if it is not known
	Ready func(ctx context.Context) error                          // nil error: the role can serve
	// Session gives who makes a request that carries a session cookie and no
	// token; nil means that there are no sessions. It is where a forged request
	// of another site is refused.
	Session func(r *http.Request) (Caller, error)
	// Refuse answers a browser about an error, with a page; false leaves it to
	// the problem document. Nil means that there are no pages.
	Refuse func(w http.ResponseWriter, r *http.Request, f *fault.Fault, status int) bool
	// BodyLimit bounds a request's body in bytes; 0 means 1 MiB.
	BodyLimit int64
	// TrustedProxies are the networks whose X-Forwarded-For is believed; none
	// means that the connection's address is the client's.
	TrustedProxies []*net.IPNet
}

// Server is a role's HTTP server. Routes are added to Echo by the role.
type Server struct {
	Echo *echo.Echo
	cfg  Config
	m    *metrics
}

// OAuthError is returned by the OAuth and OpenID4VCI routes, whose refusals
// have a form of their own.
type OAuthError = api.OAuthError

// Faults that arise here.
var (
	ErrNoRoute     = fault.New(fault.NotFound, "not-found", "there is nothing here")
	ErrMethod      = fault.New(fault.Invalid, "method-not-allowed", "this address does not take this method")
	ErrRequest     = fault.New(fault.Invalid, "request-invalid", "the request does not have the form that the API describes")
	ErrNoToken     = fault.New(fault.Unauthenticated, "token-invalid", "the API token is missing, unknown, expired or revoked").WithHint("send it as: Authorization: Bearer TOKEN")
	ErrRole        = fault.New(fault.Forbidden, "role-not-allowed", "this token's role may not do this")
	ErrTooLarge    = fault.New(fault.TooLarge, "body-too-large", "the request's body is too large")
	ErrMediaType   = fault.New(fault.Unsupported, "media-type", "the request's media type is not taken here")
	ErrTooMany     = fault.New(fault.RateLimited, "too-many-requests", "too many requests").WithHint("wait a minute and try again")
	ErrNotReady    = fault.New(fault.Unavailable, "not-ready", "the service cannot serve now")
	errUnspecified = fault.New(fault.Internal, "internal", "the request could not be completed")
)

const (
	callerKey = "kinpass.caller"
	knownKey  = "kinpass.known" // the caller, whether or not its role may do this
	oauthKey  = "kinpass.oauth"
	typesKey  = "kinpass.types"
)

// AsOAuth marks a request as one of an OAuth client: should it fail for a reason
// of ours, the refusal has the form that such clients read.
func AsOAuth(c echo.Context) { c.Set(oauthKey, true) }

// TypedBy marks a request whose refusals have the problem types of a
// specification: name gives the type, a URL, of an error. The problem then has
// our code in a member of its own. An error for which name gives "" or
// "about:blank" (RFC 9457, section 4.2.1) keeps our type.
func TypedBy(c echo.Context, name func(error) string) { c.Set(typesKey, name) }

// Refusal is an error with what became of the matter all the same, for the
// client to go on with. Outcome is told to the client as JSON.
type Refusal struct {
	Err     error
	Outcome any
}

// Error gives the error's text, without the outcome.
func (r *Refusal) Error() string { return r.Err.Error() }

// Unwrap gives the error.
func (r *Refusal) Unwrap() error { return r.Err }

// New builds the server with its middlewares. Requests for routes that the
// API description has are validated against it before a handler sees them.
func New(cfg Config) (*Server, error) {
	if cfg.Spec == nil {
		cfg.Spec = api.Spec
	}
	if cfg.BodyLimit == 0 {
		cfg.BodyLimit = 1 << 20
	}
	spec, err := specOf(cfg.Spec, cfg.Role)
	if err != nil {
		return nil, err
	}
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.IPExtractor = echo.ExtractIPDirect()
	if len(cfg.TrustedProxies) > 0 {
		opts := []echo.TrustOption{echo.TrustLoopback(false), echo.TrustLinkLocal(false), echo.TrustPrivateNet(false)}
		for _, n := range cfg.TrustedProxies {
			opts = append(opts, echo.TrustIPRange(n))
		}
		e.IPExtractor = echo.ExtractIPFromXFFHeader(opts...)
	}
	s := &Server{Echo: e, cfg: cfg, m: newMetrics(cfg.Role)}
	e.HTTPErrorHandler = s.answerError
	e.Use(s.observe, middleware.RecoverWithConfig(middleware.RecoverConfig{
		DisablePrintStack: true, DisableStackAll: true,
		LogErrorFunc: func(c echo.Context, err error, _ []byte) error {
			return errUnspecified.With(err)
		},
	}), headers, plainAddress, s.limitBody)
	router, err := gorillamux.NewRouter(spec)
	if err != nil {
		return nil, err
	}
	e.Use(s.described(router, spec))
	e.GET("/healthz", func(c echo.Context) error { return c.JSON(http.StatusOK, map[string]string{"status": "ok"}) })
	e.GET("/readyz", s.ready)
	e.GET("/metrics", echo.WrapHandler(s.m.handler()))
	return s, nil
}

// specOf reads the description and keeps the paths of one role, so that a
// request for another role's path is simply not found.
func specOf(data []byte, role string) (*openapi3.T, error) {
	spec, err := openapi3.NewLoader().LoadFromData(data)
	if err != nil {
		return nil, err
	}
	spec.Servers = nil
	for _, path := range spec.Paths.InMatchingOrder() {
		item := spec.Paths.Find(path)
		for method, op := range item.Operations() {
			mine := false
			for _, t := range op.Tags {
				mine = mine || t == role
			}
			if !mine {
				item.SetOperation(method, nil)
			}
		}
		if len(item.Operations()) == 0 {
			spec.Paths.Delete(path)
		}
	}
	return spec, nil
}

// openAPIPath writes echo's /a/:id as OpenAPI's /a/{id}.
func openAPIPath(p string) string {
	parts := strings.Split(p, "/")
	for i, x := range parts {
		if strings.HasPrefix(x, ":") {
			parts[i] = "{" + x[1:] + "}"
		}
	}
	return strings.Join(parts, "/")
}

func (s *Server) ready(c echo.Context) error {
	if s.cfg.Ready != nil {
		ctx, cancel := context.WithTimeout(c.Request().Context(), 3*time.Second)
		defer cancel()
		if err := s.cfg.Ready(ctx); err != nil {
			return ErrNotReady.With(err)
		}
	}
	return c.JSON(http.StatusOK, map[string]string{"status": "ready"})
}

// ServeHTTP answers one request. HEAD is GET without the body (RFC 9110,
// section 9.3.2), for caches and load balancers.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodHead {
		get := *r
		get.Method = http.MethodGet
		r, w = &get, headOnly{w}
	}
	s.Echo.ServeHTTP(w, r)
}

// headOnly lets status and headers through.
type headOnly struct{ http.ResponseWriter }

func (headOnly) Write(b []byte) (int, error) { return len(b), nil }

// plainAddress refuses addresses with a NUL or invalid UTF-8 in them: nothing
// has such a name, and the two databases do not agree about them.
func plainAddress(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		u := c.Request().URL
		query, err := url.QueryUnescape(u.RawQuery)
		if err != nil || !plain(u.Path) || !plain(query) {
			return ErrRequest
		}
		return next(c)
	}
}

func plain(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

// Serve answers on l until ctx ends, then lets running requests finish for at
// most ten seconds.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	srv := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(discardAddresses{s.cfg.Log.Handler()}, slog.LevelDebug),
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := srv.Shutdown(stop); err != nil {
		return srv.Close()
	}
	return nil
}

// discardAddresses keeps net/http's own messages, which hold client addresses
// and parts of requests, out of the log; that they occurred is kept.
type discardAddresses struct{ slog.Handler }

func (d discardAddresses) Handle(ctx context.Context, r slog.Record) error {
	n := slog.NewRecord(r.Time, r.Level, "connection problem", 0)
	return d.Handler.Handle(ctx, n)
}

// Auth lets a request pass if it carries a known token, or the cookie of a
// session, whose role is among roles; no roles means any. Where both are sent
// the token counts: a cookie comes along by itself.
func (s *Server) Auth(roles ...string) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			caller, err := s.known(c)
			if err != nil {
				return err
			}
			allowed := len(roles) == 0
			for _, r := range roles {
				allowed = allowed || r == caller.Role
			}
			if !allowed {
				return ErrRole
			}
			c.Set(callerKey, caller)
			return next(c)
		}
	}
}

// known gives the caller whose token or session a request carries, whatever its
// role. It is looked up once for a request.
func (s *Server) known(c echo.Context) (Caller, error) {
	if caller, ok := c.Get(knownKey).(Caller); ok {
		return caller, nil
	}
	caller, err := s.caller(c.Request())
	if err != nil {
		return Caller{}, err
	}
	c.Set(knownKey, caller)
	return caller, nil
}

func (s *Server) caller(r *http.Request) (Caller, error) {
	sent := r.Header.Values("Authorization")
	if len(sent) == 0 && s.cfg.Session != nil && r.Header.Get("Cookie") != "" {
		return s.cfg.Session(r)
	}
	secret, ok := bearer(sent)
	if !ok {
		return Caller{}, ErrNoToken
	}
	return s.cfg.Token(r.Context(), secret)
}

func bearer(values []string) (string, bool) {
	if len(values) != 1 {
		return "", false
	}
	scheme, secret, ok := strings.Cut(values[0], " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") || secret == "" || len(secret) > 512 {
		return "", false
	}
	return secret, true
}

// CallerOf gives the caller that Auth let pass; the zero Caller, which no
// rule of any domain allows anything, if there was no Auth.
func CallerOf(c echo.Context) Caller {
	v, _ := c.Get(callerKey).(Caller)
	return v
}

// JSON answers with v as JSON that nobody caches.
func JSON(c echo.Context, status int, v any) error {
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.JSON(status, v)
}

// Bytes answers with a published document: ETag from its content, 304 for a
// client that has it, and the given Cache-Control.
func Bytes(c echo.Context, status int, contentType string, body []byte, cache string) error {
	sum := sha256.Sum256(body)
	etag := `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
	h := c.Response().Header()
	h.Set("ETag", etag)
	h.Set("Cache-Control", cache)
	if status == http.StatusOK && matches(c.Request().Header.Get("If-None-Match"), etag) {
		return c.NoContent(http.StatusNotModified)
	}
	return c.Blob(status, contentType, body)
}

func matches(header, etag string) bool {
	for v := range strings.SplitSeq(header, ",") {
		v = strings.TrimPrefix(strings.TrimSpace(v), "W/")
		if v == etag || v == "*" {
			return true
		}
	}
	return false
}

func headers(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Response().Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("Cross-Origin-Resource-Policy", "same-site")
		return next(c)
	}
}

func (s *Server) limitBody(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		if r.ContentLength > s.cfg.BodyLimit {
			return ErrTooLarge
		}
		if r.Header.Get("Content-Encoding") != "" {
			return ErrMediaType.WithDetail("compressed request bodies are not taken")
		}
		r.Body = http.MaxBytesReader(c.Response(), r.Body, s.cfg.BodyLimit)
		return next(c)
	}
}

// answerError is where every error of a handler ends.
func (s *Server) answerError(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	var oauth *OAuthError
	if errors.As(err, &oauth) {
		h := c.Response().Header()
		h.Set("Cache-Control", "no-store")
		if oauth.Status == http.StatusUnauthorized && h.Get("WWW-Authenticate") == "" {
			h.Set("WWW-Authenticate", fmt.Sprintf("Bearer error=%q", oauth.Code))
		}
		s.m.fault(oauth.Code)
		_ = c.JSON(oauth.Status, oauth)
		return
	}
	f := s.classify(err)
	status := statusOf(f)
	s.m.fault(f.Code)
	if f.Kind == fault.Internal {
		s.cfg.Log.Error("request", "role", s.cfg.Role, "route", c.Path(), "code", f.Code, "cause", causes(err))
		f = errUnspecified // an internal fault's own words stay inside
	}
	if c.Get(oauthKey) != nil && (status == http.StatusInternalServerError || status == http.StatusServiceUnavailable) {
		code := "server_error"
		if status == http.StatusServiceUnavailable {
			code = "temporarily_unavailable"
			c.Response().Header().Set("Retry-After", "10")
		}
		c.Response().Header().Set("Cache-Control", "no-store")
		_ = c.JSON(status, &OAuthError{Code: code, Description: f.Detail})
		return
	}
	p := api.Problem{Type: api.ProblemBase + f.Code, Title: titleOf(f), Status: status, Detail: f.Detail, Hint: f.Hint}
	for _, x := range f.Fields {
		p.Fields = append(p.Fields, api.Field{Path: x.Path, Rule: x.Rule})
	}
	if name, ok := c.Get(typesKey).(func(error) string); ok && status < 500 {
		if t := name(err); t != "" && t != "about:blank" {
			p.Type, p.Fault = t, f.Code
		}
	}
	var refusal *Refusal
	if errors.As(err, &refusal) && status < 500 {
		outcome, merr := json.Marshal(refusal.Outcome)
		if merr == nil {
			p.Outcome = outcome
		}
	}
	h := c.Response().Header()
	switch status {
	case http.StatusMethodNotAllowed:
		if allow, ok := c.Get(echo.ContextKeyHeaderAllow).(string); ok {
			h.Set("Allow", allow)
		}
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", "Bearer")
	case http.StatusTooManyRequests:
		h.Set("Retry-After", "60")
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", "10")
	}
	if s.cfg.Refuse != nil && c.Get(oauthKey) == nil && s.cfg.Refuse(c.Response(), c.Request(), f, status) {
		return
	}
	h.Set("Content-Type", api.MediaProblem)
	h.Set("Cache-Control", "no-store")
	body, merr := json.Marshal(p)
	if merr != nil {
		status, body = http.StatusInternalServerError, []byte(`{}`)
	}
	_ = c.Blob(status, api.MediaProblem, append(body, '\n'))
}

func (s *Server) classify(err error) *fault.Fault {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return ErrTooLarge
	}
	var f *fault.Fault
	if errors.As(err, &f) && f.Kind != fault.Internal {
		return f
	}
	if away(err) {
		return ErrNotReady.With(err)
	}
	if f != nil {
		return f
	}
	var he *echo.HTTPError
	if errors.As(err, &he) {
		switch he.Code {
		case http.StatusNotFound:
			return ErrNoRoute
		case http.StatusMethodNotAllowed:
			return ErrMethod
		case http.StatusRequestEntityTooLarge:
			return ErrTooLarge
		case http.StatusUnsupportedMediaType:
			return ErrMediaType
		case http.StatusBadRequest:
			return ErrRequest
		}
	}
	return fault.As(err)
}

// away reports whether err says that the database (or another server that this
// one needs) cannot be reached now: a connection that failed, or an SQLSTATE of
// the classes 08 (connection), 53 (resources) and 57P (shut down).
func away(err error) bool {
	var op *net.OpError
	if errors.As(err, &op) || errors.Is(err, io.ErrUnexpectedEOF) {
		return true
	}
	var st interface{ SQLState() string }
	if errors.As(err, &st) {
		code := st.SQLState()
		return strings.HasPrefix(code, "08") || strings.HasPrefix(code, "53") || strings.HasPrefix(code, "57P") || code == "55000"
	}
	return false
}

func statusOf(f *fault.Fault) int {
	if f.Is(ErrMethod) {
		return http.StatusMethodNotAllowed
	}
	switch f.Kind {
	case fault.Invalid:
		return http.StatusBadRequest
	case fault.Unauthenticated:
		return http.StatusUnauthorized
	case fault.Forbidden:
		return http.StatusForbidden
	case fault.NotFound:
		return http.StatusNotFound
	case fault.Conflict:
		return http.StatusConflict
	case fault.TooLarge:
		return http.StatusRequestEntityTooLarge
	case fault.Unsupported:
		return http.StatusUnsupportedMediaType
	case fault.Unprocessable:
		return http.StatusUnprocessableEntity
	case fault.RateLimited:
		return http.StatusTooManyRequests
	case fault.Unavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// titleOf gives the code as words: "no-such-birth" becomes "No such birth".
func titleOf(f *fault.Fault) string {
	t := strings.ReplaceAll(f.Code, "-", " ")
	if t == "" {
		return "Error"
	}
	return strings.ToUpper(t[:1]) + t[1:]
}

// causes names the types in an error's chain. The texts stay out of the log:
// a database's error can quote a row.
func causes(err error) string {
	var b strings.Builder
	for n := 0; err != nil && n < 8; n++ {
		if n > 0 {
			b.WriteString(" < ")
		}
		fmt.Fprintf(&b, "%T", err)
		if st, ok := err.(interface{ SQLState() string }); ok {
			b.WriteString(" " + st.SQLState())
		}
		if f, ok := err.(*fault.Fault); ok {
			b.WriteString(" " + f.Code)
		}
		err = errors.Unwrap(err)
	}
	return b.String()
}

// described validates a request against the API description before a handler
// sees it, once it is known from whom it is: nobody without a token learns what
// the API takes of a request's body. Routes that are not described (the pages)
// are echo's to find.
func (s *Server) described(router routers.Router, spec *openapi3.T) echo.MiddlewareFunc {
	options := &openapi3filter.Options{
		// To set a default, the filter would write the body anew, and a handler
		// that refuses a member that is there twice would never see the second.
		SkipSettingDefaults: true,
	}
	withoutBody := *options
	withoutBody.ExcludeRequestBody = true
	d := description{router: router, spec: spec}
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			x, err := d.find(c)
			if err != nil {
				return err
			}
			if x == nil {
				return next(c)
			}
			if x.known {
				if _, err := s.known(c); err != nil {
					return err
				}
			}
			in := &openapi3filter.RequestValidationInput{Request: c.Request(), PathParams: x.params, Route: x.route, Options: options}
			fits, err := x.body.fits(c.Request())
			if err != nil {
				return requestFault(&openapi3filter.RequestError{Input: in, RequestBody: x.route.Operation.RequestBody.Value, Err: err})
			}
			if fits {
				in.Options = &withoutBody
			}
			if err := openapi3filter.ValidateRequest(c.Request().Context(), in); err != nil {
				return requestFault(err)
			}
			return next(c)
		}
	}
}

// description finds what the API description says of a request.
type description struct {
	router routers.Router
	spec   *openapi3.T
	paths  sync.Map // echo's path to whether it is described
	plain  sync.Map // method and path to *described, of paths without parameters
	same   sync.Map // *openapi3.Operation to described, without parameters
}

// described is the route of a request.
type described struct {
	route  *routers.Route
	params map[string]string
	body   *bodyShape // nil: the validator has to look
	known  bool       // somebody known has to ask
}

// find gives nil for a path that is not described.
func (d *description) find(c echo.Context) (*described, error) {
	path, r := c.Path(), c.Request()
	key := r.Method + " " + path
	if r.URL.Path == path && r.URL.RawPath == "" {
		if x, ok := d.plain.Load(key); ok {
			return x.(*described), nil
		}
	}
	if path == "" {
		return nil, nil
	}
	known, ok := d.paths.Load(path)
	if !ok {
		known = d.spec.Paths.Find(openAPIPath(path)) != nil
		d.paths.Store(path, known)
	}
	if known != true {
		return nil, nil
	}
	route, params, err := d.router.FindRoute(r)
	switch {
	case errors.Is(err, routers.ErrMethodNotAllowed):
		return nil, ErrMethod
	case err != nil:
		return nil, ErrNoRoute
	}
	x := d.operation(route)
	x.params = params
	if len(params) == 0 && route.Path == path && r.URL.Path == path && r.URL.RawPath == "" {
		d.plain.Store(key, &x)
	}
	return &x, nil
}

// operation gives what is the same for all requests of an operation.
func (d *description) operation(route *routers.Route) described {
	if x, ok := d.same.Load(route.Operation); ok {
		return x.(described)
	}
	op, need := *route.Operation, route.Operation.Security
	// Auth says who may ask. The validator would read the body before it found out
	// that it has nothing to say.
	op.Security = openapi3.NewSecurityRequirements()
	r := *route
	r.Operation = &op
	x := described{route: &r, body: shapeOfBody(&op), known: need != nil && len(*need) > 0}
	d.same.Store(route.Operation, x)
	return x
}

// requestFault turns the validator's refusal into ours: the place and the
// rule, never the value. The validator's own text is never asked for: it quotes
// the value, and writing a deeply nested one takes time and memory that grow
// with the square of the depth.
func requestFault(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return ErrTooLarge
	}
	var re *openapi3filter.RequestError
	if !errors.As(err, &re) {
		return ErrRequest
	}
	if strings.HasPrefix(re.Reason, "header Content-Type has unexpected value") {
		return ErrMediaType
	}
	field := fault.Field{Path: "", Rule: "is not as described"}
	switch {
	case re.Parameter != nil:
		field.Path = "/" + re.Parameter.In + "/" + re.Parameter.Name
	case re.RequestBody != nil:
		field.Path = "/body"
	}
	var se *openapi3.SchemaError
	if errors.As(re.Err, &se) {
		// A pointer is made of member names that the description knows, except
		// where objects are open: there a name could be anything.
		if se.SchemaField != "properties" && se.SchemaField != "additionalProperties" {
			for _, part := range se.JSONPointer() {
				field.Path += "/" + part
			}
		}
		field.Rule = "breaks the rule: " + se.SchemaField
		if se.SchemaField == "required" {
			field.Rule = "is required"
		}
	} else if errors.Is(re.Err, openapi3filter.ErrInvalidRequired) {
		field.Rule = "is required"
	}
	return ErrRequest.WithFields(field)
}
