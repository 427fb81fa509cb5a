package issuer

import (
	"bufio"
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/qr"
	"github.com/kinpass/kinpass/internal/serve"
	"github.com/kinpass/kinpass/internal/vc"
)

// maxRecord bounds a registration, in bytes; the largest that makes sense is a
// tenth of it.
const maxRecord = 256 << 10

// ErrBody says that a request's body is not the JSON object that it should be.
var ErrBody = fault.New(fault.Invalid, "body-invalid", "the request's body is not the JSON object that the API describes")

// routes are the issuer's routes.
type routes struct{ *Issuer }

// Routes adds the issuer's routes to a server: the register for its staff, the
// OpenID4VCI endpoints for wallets, and the public shelf.
//
// Who may do what is decided by the domain; here a route only asks for a token
// of this issuer.
func Routes(s *serve.Server, i *Issuer) {
	h := routes{i}
	e, staff := s.Echo, s.Auth()
	e.POST("/births", h.register(i.RegisterBirth), staff)
	e.GET("/births", h.held(i.Held), staff) // ?state=held
	e.GET("/births/:id", h.read(i.Birth), staff)
	e.POST("/births/:id/corrections", h.correct(i.CorrectBirth), staff)
	e.POST("/births/:id/release", h.release(i.Release), staff)
	e.GET("/births/:id/paper", h.paper, staff)
	e.POST("/guardianships", h.register(i.RegisterGuardianship), staff)
	e.GET("/guardianships", h.held(i.HeldGuardianships), staff) // ?state=held
	e.GET("/guardianships/:id", h.read(i.Guardianship), staff)
	e.POST("/guardianships/:id/corrections", h.correct(i.CorrectGuardianship), staff)
	e.POST("/guardianships/:id/release", h.release(i.ReleaseGuardianship), staff)
	e.GET("/approvals", h.approvals, staff)
	e.POST("/approvals/:id", h.decide, staff)
	e.GET("/statistics", h.statistics, staff)
	e.GET("/ledger/status", h.ledgerStatus, staff)
	e.GET("/credentials/:id", h.about, staff)
	e.POST("/credentials/issue", h.issueCredential, staff)
	e.POST("/credentials/derive", h.deriveCredential, staff)
	e.POST("/credentials/:id/revoke", h.change(i.Revoke), staff)
	e.POST("/credentials/:id/suspend", h.change(i.Suspend), staff)
	e.POST("/credentials/:id/confirm-suspension", h.change(i.ConfirmSuspension), staff)
	e.POST("/credentials/:id/erase", h.change(i.Erase), staff)
	e.GET("/suspensions", h.suspensions, staff)
	e.POST("/credentials/:id/reinstate", h.change(i.Reinstate), staff)
	e.POST("/overrides", h.addOverride, staff)
	e.GET("/overrides/register", h.overrides, staff)
	e.POST("/overrides/:id/confirm", h.change(i.ConfirmOverride), staff)
	e.POST("/overrides/:id/lift", h.change(i.LiftOverride), staff)
	e.POST("/offers", h.makeOffer, staff)
	e.POST("/reissue-requests", h.reissue, s.Limit(120, time.Minute), staff)
	e.GET("/offers/:id", h.readOffer, s.Limit(300, time.Minute))
	e.POST("/consents", h.witnessConsent, s.Limit(60, time.Minute), staff)
	e.POST("/consent-status", h.reserveConsent, s.Limit(300, time.Minute))
	e.POST("/paper", h.paperFor, s.Limit(60, time.Minute))
	e.POST("/ledger/proofs", h.proofsFor, s.Limit(300, time.Minute))
	e.POST("/consent-status/withdraw", h.withdrawConsent, s.Limit(300, time.Minute))
	h.openid(s)
	h.shelf(s)
	h.measure(s)
}

// measure adds the ledger to the metrics: sizes, and what each witness said.
func (h routes) measure(s *serve.Server) {
	name := func(n string) *prometheus.Desc {
		return prometheus.NewDesc("kinpass_issuer_ledger_"+n, map[string]string{
			"entries": "Entries of the ledger.", "waiting": "Commitments that are not in the ledger yet.",
			"witnessed_entries": "Entries of the newest checkpoint with the cosignatures that are demanded.",
			"other_history":     "1 if a witness saw another history of the ledger."}[n], nil, nil)
	}
	s.Registry().MustRegister(&ledgerMetrics{h.Issuer, name("entries"), name("waiting"), name("witnessed_entries"), name("other_history"),
		prometheus.NewDesc("kinpass_issuer_ledger_witness_entries", "Entries of the largest checkpoint that a witness cosigned.", []string{"witness"}, nil),
		prometheus.NewDesc("kinpass_issuer_ledger_witness_answers", "1 for a witness that cosigned when it was asked last, 0 for another.", []string{"witness"}, nil)})
}

// ledgerMetrics reads the ledger's status when somebody collects metrics.
type ledgerMetrics struct {
	*Issuer
	entries, waiting, witnessed, other, size, answers *prometheus.Desc
}

// Describe is for prometheus.
func (m *ledgerMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.entries, m.waiting, m.witnessed, m.other, m.size, m.answers} {
		ch <- d
	}
}

// Collect is for prometheus; of a ledger that cannot be read there is nothing.
func (m *ledgerMetrics) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	l, err := m.LedgerStatus(ctx, Caller{ID: "metrics", Role: RoleAuditor})
	if err != nil {
		return
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	yes := map[bool]float64{true: 1}
	gauge(m.entries, float64(l.Size))
	gauge(m.waiting, float64(l.Waiting))
	gauge(m.witnessed, float64(l.Witnessed))
	gauge(m.other, yes[l.OtherHistory])
	for _, w := range l.Witnesses {
		gauge(m.size, float64(w.Size), w.Name)
		gauge(m.answers, yes[w.Answer == AnswerCosigned], w.Name)
	}
}

func caller(c echo.Context) Caller {
	x := serve.CallerOf(c)
	return Caller{ID: x.ID, Name: x.Name, Role: x.Role}
}

// idempotency gives the Idempotency-Key, "" without one.
func idempotency(c echo.Context) (string, error) {
	v := c.Request().Header.Values("Idempotency-Key")
	if len(v) == 0 {
		return "", nil
	}
	if len(v) > 1 {
		return "", ErrIdempotencyKey
	}
	return v[0], goodIdempotencyKey(v[0])
}

// answer tells an outcome: 201 when credentials were issued, 202 when the
// record waits for somebody, 200 when nothing more will come.
func answer(c echo.Context, o Outcome) error {
	switch o.State {
	case StateIssued:
		return serve.JSON(c, http.StatusCreated, o)
	case StatePending, StateHeld:
		return serve.JSON(c, http.StatusAccepted, o)
	}
	return serve.JSON(c, http.StatusOK, o)
}

func (h routes) register(act func(context.Context, Caller, []byte, string) (Outcome, error)) echo.HandlerFunc {
	return func(c echo.Context) error {
		idem, err := idempotency(c)
		if err != nil {
			return err
		}
		raw, err := readBody(c, maxRecord)
		if err != nil {
			return err
		}
		o, err := act(c.Request().Context(), caller(c), raw, idem)
		if err != nil {
			return err
		}
		return answer(c, o)
	}
}

func (h routes) correct(act func(context.Context, Caller, string, []byte, string) (Outcome, error)) echo.HandlerFunc {
	return func(c echo.Context) error {
		idem, err := idempotency(c)
		if err != nil {
			return err
		}
		raw, err := readBody(c, maxRecord)
		if err != nil {
			return err
		}
		o, err := act(c.Request().Context(), caller(c), c.Param("id"), raw, idem)
		if err != nil {
			return err
		}
		return answer(c, o)
	}
}

func (h routes) read(act func(context.Context, Caller, string) (Record, error)) echo.HandlerFunc {
	return func(c echo.Context) error {
		r, err := act(c.Request().Context(), caller(c), c.Param("id"))
		if err != nil {
			return err
		}
		return serve.JSON(c, http.StatusOK, r)
	}
}

// readJSON reads a small JSON object into v.
func readJSON(c echo.Context, v any) error {
	raw, err := readBody(c, 16<<10)
	if err != nil {
		return err
	}
	if err := vc.StrictJSON(raw, v, 4); err != nil {
		return ErrBody.With(err)
	}
	return nil
}

func (h routes) held(list func(context.Context, Caller) ([]Record, error)) echo.HandlerFunc {
	return func(c echo.Context) error {
		records, err := list(c.Request().Context(), caller(c))
		if err != nil {
			return err
		}
		return serve.JSON(c, http.StatusOK, map[string][]Record{"records": records})
	}
}

func (h routes) approvals(c echo.Context) error {
	list, err := h.Approvals(c.Request().Context(), caller(c))
	if err != nil {
		return err
	}
	return serve.JSON(c, http.StatusOK, map[string][]Approval{"approvals": list})
}

func (h routes) decide(c echo.Context) error {
	var body struct {
		Decision string `json:"decision"`
	}
	if err := readJSON(c, &body); err != nil {
		return err
	}
	accept := body.Decision == "approve"
	if !accept && body.Decision != "deny" {
		return ErrBody.WithFields(fault.Field{Path: "/decision", Rule: "must be approve or deny"})
	}
	o, err := h.Approve(c.Request().Context(), caller(c), c.Param("id"), accept)
	if err != nil {
		return err
	}
	return serve.JSON(c, http.StatusOK, o)
}

func (h routes) release(act func(context.Context, Caller, string, string, string) (Outcome, error)) echo.HandlerFunc {
	return func(c echo.Context) error {
		idem, err := idempotency(c)
		if err != nil {
			return err
		}
		var body struct {
			Decision string `json:"decision"`
		}
		if err := readJSON(c, &body); err != nil {
			return err
		}
		o, err := act(c.Request().Context(), caller(c), c.Param("id"), body.Decision, idem)
		if err != nil {
			return err
		}
		return answer(c, o)
	}
}

func (h routes) change(act func(context.Context, Caller, string, string, string) (Outcome, error)) echo.HandlerFunc {
	return func(c echo.Context) error {
		idem, err := idempotency(c)
		if err != nil {
			return err
		}
		var body struct {
			Reason string `json:"reason"`
		}
		if err := readJSON(c, &body); err != nil {
			return err
		}
		o, err := act(c.Request().Context(), caller(c), c.Param("id"), body.Reason, idem)
		if err != nil {
			return err
		}
		if o.State == StatePending {
			return serve.JSON(c, http.StatusAccepted, o)
		}
		return serve.JSON(c, http.StatusOK, o)
	}
}

func (h routes) suspensions(c echo.Context) error {
	list, err := h.Suspensions(c.Request().Context(), caller(c))
	if err != nil {
		return err
	}
	return serve.JSON(c, http.StatusOK, map[string][]Suspension{"suspensions": list})
}

func (h routes) addOverride(c echo.Context) error {
	idem, err := idempotency(c)
	if err != nil {
		return err
	}
	var body OverrideRequest
	if err := readJSON(c, &body); err != nil {
		return err
	}
	o, err := h.AddOverride(c.Request().Context(), caller(c), body, idem)
	if err != nil {
		return err
	}
	if o.State == StatePending {
		return serve.JSON(c, http.StatusAccepted, o)
	}
	return serve.JSON(c, http.StatusOK, o)
}

func (h routes) overrides(c echo.Context) error {
	list, err := h.Overrides(c.Request().Context(), caller(c))
	if err != nil {
		return err
	}
	return serve.JSON(c, http.StatusOK, map[string][]Override{"overrides": list})
}

func (h routes) statistics(c echo.Context) error {
	s, err := h.Statistics(c.Request().Context(), caller(c))
	if err != nil {
		return err
	}
	return serve.JSON(c, http.StatusOK, s)
}

func (h routes) ledgerStatus(c echo.Context) error {
	s, err := h.LedgerStatus(c.Request().Context(), caller(c))
	if err != nil {
		return err
	}
	return serve.JSON(c, http.StatusOK, s)
}

func (h routes) about(c echo.Context) error {
	x, err := h.Credential(c.Request().Context(), caller(c), c.Param("id"))
	if err != nil {
		return err
	}
	return serve.JSON(c, http.StatusOK, x)
}

// paper is a pair of paper credentials as they are printed.
type paper struct {
	KP1 string `json:"kp1"`
	SVG string `json:"svg"`
	PNG []byte `json:"png"`
}

func (h routes) paper(c echo.Context) error {
	birth, guardianship, err := h.Paper(c.Request().Context(), caller(c), c.Param("id"), c.QueryParam("guardianship"))
	if err != nil {
		return err
	}
	credentials := []string{birth}
	if guardianship != "" {
		credentials = append(credentials, guardianship)
	}
	text, err := qr.Pack(qr.Packet{Credentials: credentials})
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	c.Response().Header().Set("Vary", "Accept")
	media := accepted(c.Request().Header.Get("Accept"), "application/json", "image/svg+xml", "image/png", "text/plain")
	if media == "text/plain" {
		return c.String(http.StatusOK, text)
	}
	image, err := qr.Draw(text, qr.Paper)
	if err != nil {
		return err
	}
	if media == "image/svg+xml" {
		return c.Blob(http.StatusOK, media, []byte(image.SVG()))
	}
	png, err := image.PNG(paperPixels)
	if err != nil {
		return err
	}
	if media == "image/png" {
		return c.Blob(http.StatusOK, media, png)
	}
	return serve.JSON(c, http.StatusOK, paper{KP1: text, SVG: image.SVG(), PNG: png})
}

// paperPixels is the side of a module in a printed code, in pixels: 4 cm hold it
// at 600 dpi.
const paperPixels = 10

// accepted gives the first of ours that the Accept header names, or the first
// of ours if it names none.
func accepted(header string, ours ...string) string {
	for part := range strings.SplitSeq(header, ",") {
		media, _, _ := strings.Cut(part, ";")
		media = strings.ToLower(strings.TrimSpace(media))
		for _, o := range ours {
			if media == o {
				return o
			}
		}
	}
	return ours[0]
}

func (h routes) makeOffer(c echo.Context) error {
	idem, err := idempotency(c)
	if err != nil {
		return err
	}
	var body struct {
		Guardianship string `json:"guardianship"`
		Minutes      int    `json:"minutes"`
	}
	if err := readJSON(c, &body); err != nil {
		return err
	}
	o, err := h.OfferFor(c.Request().Context(), caller(c), body.Guardianship,
		OfferTerms{Lifetime: time.Duration(body.Minutes) * time.Minute, Idempotency: idem})
	if err != nil {
		return err
	}
	image, err := qr.DrawAny(o.URIByReference, qr.M)
	if err != nil {
		return err
	}
	return serve.JSON(c, http.StatusCreated, struct {
		Offer
		QR string `json:"qr"`
	}{o, string(image.SVG())})
}

// maxReissue bounds a request to re-issue, in bytes: a JWS of 64 KiB.
const maxReissue = 68 << 10

func (h routes) reissue(c echo.Context) error {
	raw, err := readBody(c, maxReissue)
	if err != nil {
		return err
	}
	var body struct {
		Request string `json:"request"`
	}
	if err := vc.StrictJSON(raw, &body, 4); err != nil {
		return ErrBody.With(err)
	}
	out, err := h.Reissue(caller(c), body.Request)
	if err != nil {
		return err
	}
	return serve.JSON(c, http.StatusOK, out)
}

// paperFor answers the wallet of a guardian, with the credentials as they are:
// it checks them before it draws them.
func (h routes) paperFor(c echo.Context) error {
	request, err := readRequest(c)
	if err != nil {
		return err
	}
	birth, guardianship, err := h.PaperFor(c.Request().Context(), request)
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return serve.JSON(c, http.StatusOK, map[string]string{"birth": birth, "guardianship": guardianship})
}

// proofsFor answers the wallet of a holder.
func (h routes) proofsFor(c echo.Context) error {
	request, err := readRequest(c)
	if err != nil {
		return err
	}
	out, err := h.ProofsFor(c.Request().Context(), request)
	if err != nil {
		return err
	}
	return serve.JSON(c, http.StatusOK, out)
}

// readRequest reads the body {"request": JWS} of a guardian's wallet.
func readRequest(c echo.Context) (string, error) {
	var body struct {
		Request string `json:"request"`
	}
	err := readJSON(c, &body)
	return body.Request, err
}

func (h routes) reserveConsent(c echo.Context) error {
	request, err := readRequest(c)
	if err != nil {
		return err
	}
	out, err := h.ReserveConsent(c.Request().Context(), request)
	if err != nil {
		return err
	}
	return serve.JSON(c, http.StatusCreated, out)
}

// maxDossier bounds what guardians bring to a witness, in bytes.
const maxDossier = 640 << 10

func (h routes) witnessConsent(c echo.Context) error {
	idem, err := idempotency(c)
	if err != nil {
		return err
	}
	raw, err := readBody(c, maxDossier)
	if err != nil {
		return err
	}
	var body Dossier
	if err := vc.StrictJSON(raw, &body, 4); err != nil {
		return ErrBody.With(err)
	}
	out, err := h.WitnessConsent(c.Request().Context(), caller(c), body, idem)
	if err != nil {
		return err
	}
	return serve.JSON(c, http.StatusCreated, out)
}

func (h routes) withdrawConsent(c echo.Context) error {
	request, err := readRequest(c)
	if err != nil {
		return err
	}
	if err := h.WithdrawConsent(c.Request().Context(), request); err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.NoContent(http.StatusNoContent)
}

func (h routes) readOffer(c echo.Context) error {
	o, err := h.OfferObject(c.Request().Context(), c.Param("id"))
	if err != nil {
		return err
	}
	return serve.JSON(c, http.StatusOK, o)
}

// shelf adds the public documents. None is about one child.
func (h routes) shelf(s *serve.Server) {
	e := s.Echo
	e.GET("/.well-known/did.json", func(c echo.Context) error {
		p, err := h.DIDDocument(c.Request().Context())
		return show(c, p, err)
	})
	e.GET("/.well-known/jwks.json", fixed(h.JWKS))
	e.GET("/trust-list", fixed(h.TrustList))
	e.GET("/context/v1", fixed(h.Context))
	e.GET("/status", h.lists(
		func(c echo.Context, _ int64) (Published, error) { return h.StatusIndex(c.Request().Context()) },
		func(c echo.Context, _ int64) (Published, error) { return h.LiveIndex(c.Request().Context()) }))
	e.GET("/status/:purpose/:n", h.lists(
		func(c echo.Context, n int64) (Published, error) {
			return h.StatusList(c.Request().Context(), c.Param("purpose"), n)
		},
		func(c echo.Context, n int64) (Published, error) {
			return h.LiveList(c.Request().Context(), c.Param("purpose"), n)
		}))
	e.GET("/status/token/:n", func(c echo.Context) error {
		n, err := listNumber(c)
		if err != nil {
			return err
		}
		c.Response().Header().Set("Vary", "Accept")
		media := accepted(c.Request().Header.Get("Accept"), vc.MediaTokenJWT, vc.MediaTokenCWT)
		p, err := h.TokenList(c.Request().Context(), media, n)
		return show(c, p, err)
	})
	e.GET("/ledger/checkpoint", func(c echo.Context) error {
		p, err := h.Checkpoint(c.Request().Context())
		return show(c, p, err)
	})
	e.GET("/ledger/key", func(c echo.Context) error {
		p, err := h.LedgerKey()
		return show(c, p, err)
	})
	e.GET("/ledger/checkpoint/witnessed", func(c echo.Context) error {
		p, err := h.WitnessedCheckpoint(c.Request().Context())
		return show(c, p, err)
	})
	e.GET("/ledger/survivors/:key", h.survivors)
	e.GET("/ledger/tile/*", func(c echo.Context) error {
		p, err := h.LedgerTile(c.Request().Context(), "tile/"+c.Param("*"))
		return show(c, p, err)
	})
	e.GET("/overrides", h.lists(
		func(c echo.Context, _ int64) (Published, error) { return h.OverrideIndex(c.Request().Context()) },
		func(c echo.Context, _ int64) (Published, error) { return h.LiveOverrideIndex(c.Request().Context()) }))
	e.GET("/overrides/:n", h.lists(
		func(c echo.Context, n int64) (Published, error) { return h.OverrideList(c.Request().Context(), n) },
		func(c echo.Context, n int64) (Published, error) { return h.LiveOverride(c.Request().Context(), n) }))
	e.GET("/vct/:kind/:version", func(c echo.Context) error {
		p, err := h.Vct(c.Param("kind") + "/" + c.Param("version"))
		return show(c, p, err)
	})
	e.GET("/schemas/:family/:name/:version", func(c echo.Context) error {
		p, err := h.Schema(c.Param("family") + "/" + c.Param("name") + "/" + c.Param("version"))
		return show(c, p, err)
	})
}

// lists answers with lists as they are published, or as of now for a hub that
// shows that it is one.
func (h routes) lists(public, live func(echo.Context, int64) (Published, error)) echo.HandlerFunc {
	return func(c echo.Context) error {
		var n int64
		var err error
		if c.Param("n") != "" {
			if n, err = listNumber(c); err != nil {
				return err
			}
		}
		// A cache must not answer a hub with what it keeps for everybody.
		c.Response().Header().Set("Vary", "Authorization")
		read := public
		switch now, err := h.liveFor(c.Request().Context(), c.Request().Header.Get("Authorization")); {
		case err != nil:
			return err
		case now:
			read = live
		}
		p, err := read(c, n)
		return show(c, p, err)
	}
}

// survivors tells a hub what a key that was cut off had signed before.
func (h routes) survivors(c echo.Context) error {
	ctx := c.Request().Context()
	hub, err := h.liveFor(ctx, c.Request().Header.Get("Authorization"))
	if err != nil {
		return err
	}
	if !hub {
		return ErrHub
	}
	out := bufio.NewWriterSize(c.Response(), 64<<10)
	var flushed time.Time
	flush := func() error {
		flushed = time.Now()
		// A nation's answer takes longer than the server gives an ordinary one.
		err := http.NewResponseController(c.Response()).SetWriteDeadline(flushed.Add(survivorsIdle))
		if err != nil && !errors.Is(err, http.ErrNotSupported) {
			return err
		}
		if err := out.Flush(); err != nil {
			return err
		}
		c.Response().Flush()
		return nil
	}
	err = h.Survivors(ctx, c.Param("key"), func(b []byte) error {
		if !c.Response().Committed {
			c.Response().Header().Set("Content-Type", "application/octet-stream")
			c.Response().Header().Set("Cache-Control", cacheLive)
			c.Response().WriteHeader(http.StatusOK)
		}
		if _, err := out.Write(b); err != nil {
			return err
		}
		if time.Since(flushed) > time.Second { // a hub does not wait for one that is silent
			return flush()
		}
		return nil
	})
	if err != nil {
		return err // who reads misses the end
	}
	return flush()
}

// survivorsIdle is how long a hub that takes nothing more is waited for.
const survivorsIdle = time.Minute

// listNumber reads the number of a status list as it is written in its address.
func listNumber(c echo.Context) (int64, error) {
	n, err := strconv.ParseInt(c.Param("n"), 10, 64)
	if err != nil || strconv.FormatInt(n, 10) != c.Param("n") {
		return 0, ErrNoSuchStatusList
	}
	return n, nil
}

func fixed(document func() (Published, error)) echo.HandlerFunc {
	return func(c echo.Context) error {
		p, err := document()
		return show(c, p, err)
	}
}

func show(c echo.Context, p Published, err error) error {
	if err != nil {
		return err
	}
	return serve.Bytes(c, http.StatusOK, p.Type, p.Body, p.Cache)
}
