package verifier

import (
	"bytes"
	"context"
	"image"
	_ "image/jpeg" // pictures that officers take
	_ "image/png"
	"io"
	"mime"
	"net/http"
	"runtime"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/kinpass/kinpass/internal/bundle"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/mirror"
	"github.com/kinpass/kinpass/internal/qr"
	"github.com/kinpass/kinpass/internal/serve"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/verifier/check"
)

// Faults of requests.
var (
	ErrBody  = check.ErrInput
	ErrImage = fault.New(fault.Invalid, "image-invalid", "not a PNG or JPEG image that can be read")
)

// Bounds of a check, in bytes.
const (
	maxFacts = 512 << 10
	maxImage = 12 << 20
)

// routes are the verifier's routes.
type routes struct{ *Verifier }

// Routes adds the verifier's routes to a server: checks for officers, records
// for auditors too, VC API for officers' other systems, and the bundle for every
// post that wants it.
func Routes(s *serve.Server, v *Verifier) {
	h := routes{v}
	e, officer := s.Echo, s.Auth(RoleOfficer)
	e.Pre(early(officer))
	e.POST("/checks", h.check, officer)
	e.GET("/verifier/checks", h.records, s.Auth(RoleOfficer, RoleSupervisor, RoleAuditor))
	e.POST("/verifier/challenges", h.challenge, officer)
	e.POST("/verifier/bundles", h.build, officer, s.Limit(30, time.Minute))
	e.PUT("/verifier/bundle", h.apply, officer)
	e.POST("/credentials/verify", h.verifyCredential, officer)
	e.POST("/presentations/verify", h.verifyPresentation, officer)
	e.GET("/bundle", h.bundle, s.Limit(120, time.Minute))
	index := s.Limit(600, time.Minute)
	e.GET("/bundle/manifest", h.index, index)
	e.GET("/bundles/"+mirror.IndexName, h.index, index)
	e.GET("/bundles/full/:name", h.full, s.Limit(120, time.Minute))
	e.GET("/bundles/delta/:name", h.delta, s.Limit(240, time.Minute))
	s.Registry().MustRegister(&bundleMetrics{v,
		prometheus.NewDesc("kinpass_verifier_bundle_created_seconds", "When the bundle in force was signed, in seconds since 1970.", nil, nil),
		prometheus.NewDesc("kinpass_verifier_bundle_lists", "Status lists in the bundle in force.", nil, nil),
		prometheus.NewDesc("kinpass_verifier_revocations_lifted", "Places that a list has as revoked no more, and that stay revoked in the bundle in force.", []string{"issuer", "list"}, nil)})
}

// bundleMetrics looks at the bundle in force when somebody collects metrics.
type bundleMetrics struct {
	*Verifier
	created, lists, lifted *prometheus.Desc
}

// Describe is for prometheus.
func (m *bundleMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.created, m.lists, m.lifted} {
		ch <- d
	}
}

// Collect is for prometheus; without a bundle there is nothing.
func (m *bundleMetrics) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	b, err := m.Latest(ctx)
	if err != nil {
		return
	}
	gauge := func(d *prometheus.Desc, v int64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(v), labels...)
	}
	gauge(m.created, b.CreatedAt.Unix())
	gauge(m.lists, int64(len(b.Lists())))
	for _, l := range b.Lifted() {
		gauge(m.lifted, l.Lifted, l.Issuer, l.Address)
	}
}

// early refuses before a body is read: a bundle from somebody without a token,
// and anything else of the size of one. The validator of requests, which comes
// next, reads bodies whole.
func early(officer echo.MiddlewareFunc) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		known := officer(next)
		return func(c echo.Context) error {
			r := c.Request()
			if r.Method == http.MethodPut {
				return known(c)
			}
			limit := int64(maxFacts)
			if media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); media != "application/json" {
				limit = 4*maxImage + maxFacts
			}
			if r.ContentLength > limit {
				return serve.ErrTooLarge
			}
			r.Body = http.MaxBytesReader(c.Response(), r.Body, limit)
			return next(c)
		}
	}
}

// checkRequest is the body of POST /checks.
type checkRequest struct {
	Presentation  string   `json:"presentation"`
	Presentations []string `json:"presentations"`
	Group         bool     `json:"group"`
	check.Input
}

// check takes what was scanned as text in JSON, as an image, or as images and
// facts in a form.
func (h routes) check(c echo.Context) error {
	media, _, err := mime.ParseMediaType(c.Request().Header.Get("Content-Type"))
	if err != nil {
		return serve.ErrMediaType
	}
	var in checkRequest
	var shown []string
	switch media {
	case "application/json":
		data, err := read(c.Request().Body, maxFacts)
		if err != nil {
			return err
		}
		if err := vc.StrictJSON(data, &in, 3); err != nil {
			return ErrBody.With(err)
		}
	case "image/png", "image/jpeg":
		data, err := read(c.Request().Body, maxImage)
		if err != nil {
			return err
		}
		text, err := h.scan(c.Request().Context(), data)
		if err != nil {
			return err
		}
		shown = append(shown, text)
	case "multipart/form-data":
		if shown, err = h.form(c, &in); err != nil {
			return err
		}
	default:
		return serve.ErrMediaType
	}
	if in.Presentation != "" {
		shown = append(shown, in.Presentation)
	}
	shown = append(shown, in.Presentations...)
	f, hints, err := in.Facts()
	if err != nil {
		return err
	}
	if in.Group {
		g, err := h.CheckGroup(c.Request().Context(), shown, f)
		if err != nil {
			return err
		}
		for i := range g.Decisions {
			g.Decisions[i].Hints = hints
		}
		return serve.JSON(c, http.StatusOK, g)
	}
	r, err := h.Check(c.Request().Context(), shown, f)
	if err != nil {
		return err
	}
	r.Hints = hints
	return serve.JSON(c, http.StatusOK, r)
}

// form reads parts "image" (one for each holder) and "facts" (JSON). Parts are
// read one after the other and never written to a disk.
func (h routes) form(c echo.Context, in *checkRequest) (shown []string, err error) {
	parts, err := c.Request().MultipartReader()
	if err != nil {
		return nil, ErrBody.With(err)
	}
	facts := false
	for range maxGroup + 2 { // the facts, and the end
		p, err := parts.NextPart()
		if err == io.EOF {
			return shown, nil
		}
		if err != nil {
			return nil, ErrBody.With(err)
		}
		switch p.FormName() {
		case "image":
			data, err := read(p, maxImage)
			if err != nil {
				return nil, err
			}
			text, err := h.scan(c.Request().Context(), data)
			if err != nil {
				return nil, err
			}
			shown = append(shown, text)
		case "facts":
			data, err := read(p, maxFacts)
			if err != nil {
				return nil, err
			}
			if err := vc.StrictJSON(data, in, 3); err != nil || facts {
				return nil, ErrBody.With(err)
			}
			facts = true
		default:
			return nil, ErrBody
		}
	}
	return nil, ErrBody
}

// scan reads the code in an image. An image without one is something shown
// that cannot be read, which is a result: it gives "". Few are read at the same
// time: a picture of 12 MB can unpack to 160.
func (h routes) scan(ctx context.Context, data []byte) (string, error) {
	size, _, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return "", ErrImage.With(err)
	}
	if size.Width <= 0 || size.Height <= 0 || size.Width > qr.MaxPixels/size.Height {
		return "", qr.ErrImageLarge
	}
	select {
	case h.pictures <- struct{}{}:
		defer func() { <-h.pictures }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	img, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		return "", ErrImage.With(err)
	}
	text, err := qr.Read(img)
	if err != nil {
		return "", nil
	}
	return text, nil
}

func read(r io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, ErrBody.With(err)
	}
	if int64(len(data)) > limit {
		return nil, serve.ErrTooLarge
	}
	return data, nil
}

func (h routes) records(c echo.Context) error {
	limit := 100
	if q := c.QueryParam("limit"); q != "" {
		n, err := strconv.Atoi(q)
		if err != nil || n < 1 || n > 500 {
			return ErrBody.WithFields(fault.Field{Path: "/query/limit", Rule: "is 1 to 500"})
		}
		limit = n
	}
	list, err := h.Records(c.Request().Context(), c.QueryParam("before"), limit)
	if err != nil {
		return err
	}
	return serve.JSON(c, http.StatusOK, struct {
		Checks []Record `json:"checks"`
	}{list})
}

func (h routes) challenge(c echo.Context) error {
	nonce, expires, err := h.Challenge(c.Request().Context())
	if err != nil {
		return err
	}
	return serve.JSON(c, http.StatusCreated, struct {
		Nonce   string    `json:"nonce"`
		Expires time.Time `json:"expiresAt"`
	}{nonce, expires})
}

func (h routes) build(c echo.Context) error {
	r, err := h.Build(c.Request().Context())
	if err != nil {
		return err
	}
	return serve.JSON(c, http.StatusCreated, r)
}

// apply takes a bundle, or what changed since one that is kept.
func (h routes) apply(c echo.Context) error {
	data, err := read(c.Request().Body, maxBundle)
	if err != nil {
		return err
	}
	if bundle.IsDelta(data) {
		if data, err = h.whole(c.Request().Context(), data); err != nil {
			return err
		}
	}
	b, err := h.Apply(c.Request().Context(), data)
	if err != nil {
		return err
	}
	return serve.JSON(c, http.StatusOK, struct {
		ID        string    `json:"id"`
		Sequence  int64     `json:"sequence"`
		CreatedAt time.Time `json:"createdAt"`
	}{b.ID, b.Sequence, b.CreatedAt})
}

// How long copies of published files may be used: the newest has to be asked
// for, and what has a number stays what it is.
const (
	newestCache   = "public, max-age=60, must-revalidate"
	numberedCache = "public, max-age=86400"
)

func (h routes) bundle(c echo.Context) error {
	b, err := h.Latest(c.Request().Context())
	if err != nil {
		return err
	}
	defer runtime.KeepAlive(b.Bundle) // its bytes lie in a mapped file
	return serveFile(c, b.Bytes, b.digest, newestCache)
}

func (h routes) index(c echo.Context) error {
	i, err := h.Index(c.Request().Context())
	if err != nil {
		return err
	}
	body, err := i.Marshal()
	if err != nil {
		return err
	}
	return serve.Bytes(c, http.StatusOK, "application/json", body, "public, max-age=15, must-revalidate")
}

func (h routes) full(c echo.Context) error {
	sequence, ok := mirror.ParseFullName(c.Param("name"))
	if !ok {
		return ErrNotKept
	}
	body, digest, err := h.Full(c.Request().Context(), sequence)
	if err != nil {
		return err
	}
	return serveFile(c, body, digest, numberedCache)
}

func (h routes) delta(c echo.Context) error {
	from, to, ok := mirror.ParseDeltaName(c.Param("name"))
	if !ok {
		return ErrNotKept
	}
	d, err := h.Delta(c.Request().Context(), from, to)
	if err != nil {
		return err
	}
	return serveFile(c, d, hexDigest(d), numberedCache)
}

// slowest is how long the transfer of a file may take: posts sit behind satellites.
const slowest = 15 * time.Minute

// serveFile answers with a file, whole or the ranges that are asked for. It is
// never packed: what is counted is what is in the file.
func serveFile(c echo.Context, data []byte, digest, cache string) error {
	h := c.Response().Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Cache-Control", cache+", no-transform")
	h.Set("ETag", `"`+digest[:32]+`"`)
	_ = http.NewResponseController(c.Response()).SetWriteDeadline(time.Now().Add(slowest)) // some writers have none
	http.ServeContent(c.Response(), c.Request(), "", time.Time{}, bytes.NewReader(data))
	return nil
}
