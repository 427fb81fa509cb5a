package witness

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
)

// Handler answers over HTTP: add-checkpoint, the newest cosigned checkpoint of each
// ledger, and at its root what the witness is and follows.
func (w *Witness) Handler() http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("POST /add-checkpoint", w.serveAdd)
	m.HandleFunc("GET /{ledger}/checkpoint", func(rw http.ResponseWriter, r *http.Request) {
		signed, err := w.Checkpoint(r.PathValue("ledger"))
		if err != nil {
			w.refuse(rw, err)
			return
		}
		answer(rw, "text/plain; charset=utf-8", http.StatusOK, signed)
	})
	m.HandleFunc("GET /{$}", func(rw http.ResponseWriter, r *http.Request) {
		b, err := json.Marshal(map[string]any{"name": w.cfg.Name, "key": w.self.String(), "ledgers": w.Ledgers()})
		if err != nil {
			w.refuse(rw, err)
			return
		}
		answer(rw, "application/json", http.StatusOK, append(b, '\n'))
	})
	return m
}

func answer(rw http.ResponseWriter, media string, status int, body []byte) {
	h := rw.Header()
	h.Set("Content-Type", media)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	rw.WriteHeader(status)
	_, _ = rw.Write(body) // the client is gone, or it has it
}

func (w *Witness) serveAdd(rw http.ResponseWriter, r *http.Request) {
	body, err := readLimited(http.MaxBytesReader(rw, r.Body, maxRequest+1), maxRequest)
	if err != nil {
		w.refuse(rw, ErrRequest.With(err))
		return
	}
	q, err := ParseRequest(body)
	if err != nil {
		w.refuse(rw, err)
		return
	}
	line, err := w.Add(r.Context(), q)
	if err != nil {
		w.refuse(rw, err)
		return
	}
	answer(rw, "text/plain; charset=utf-8", http.StatusOK, line)
}

// mediaSize is the type of an answer that tells a size.
const mediaSize = "text/x.tlog.size"

// refuse tells an error by its status; of our own only that there is one.
func (w *Witness) refuse(rw http.ResponseWriter, err error) {
	var c *Conflict
	if errors.As(err, &c) {
		answer(rw, mediaSize, http.StatusConflict, append(strconv.AppendInt(nil, c.Size, 10), '\n'))
		return
	}
	f := fault.As(err)
	status := map[fault.Kind]int{fault.Invalid: http.StatusBadRequest, fault.Forbidden: http.StatusForbidden, fault.NotFound: http.StatusNotFound,
		fault.Conflict: http.StatusConflict, fault.Unprocessable: http.StatusUnprocessableEntity, fault.Unavailable: http.StatusServiceUnavailable}[f.Kind]
	if status == 0 {
		w.cfg.Log.Error("a witness cannot answer", "code", f.Code)
		status, f = http.StatusInternalServerError, fault.New(fault.Internal, "internal", "the witness cannot answer now")
	}
	answer(rw, "text/plain; charset=utf-8", status, []byte(f.Error()+"\n"))
}

// Serve answers on l until ctx ends.
func (w *Witness) Serve(ctx context.Context, l net.Listener) error {
	s := &http.Server{Handler: w.Handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := s.Shutdown(stop); err != nil {
		return s.Close()
	}
	return nil
}

// Client asks one witness for cosignatures.
type Client struct {
	base string
	http *http.Client
}

// ErrUnreachable: the witness gives no answer that can be used.
var ErrUnreachable = fault.New(fault.Unavailable, "witness-unreachable", "the witness cannot be reached, or gives no answer that can be used")

// maxAnswer bounds a witness's answer, in bytes.
const maxAnswer = 16 << 10

// NewClient makes a client of the witness at an address: https, or http on this
// machine where loopback is allowed.
func NewClient(address string, loopback bool) (*Client, error) {
	u, err := url.Parse(address)
	bad := fault.New(fault.Invalid, "witness-address", "a witness's address is https, without query and fragment")
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Opaque != "" {
		return nil, bad
	}
	ip := net.ParseIP(u.Hostname())
	local := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	if u.Scheme != "https" && !(u.Scheme == "http" && local && loopback) {
		return nil, bad
	}
	t := &http.Transport{DialContext: (&net.Dialer{Timeout: 5 * time.Second}).DialContext, Proxy: http.ProxyFromEnvironment,
		TLSHandshakeTimeout: 5 * time.Second, ResponseHeaderTimeout: 15 * time.Second, IdleConnTimeout: time.Minute, MaxIdleConnsPerHost: 1,
		MaxResponseHeaderBytes: 16 << 10, ForceAttemptHTTP2: true}
	return &Client{base: strings.TrimRight(address, "/"), http: &http.Client{Transport: t, Timeout: 20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}, nil
}

// Checkpoint fetches the newest checkpoint of a ledger that the witness says it
// cosigned. Nothing of it is verified. ErrUnknownLog: it has none; ErrUnreachable.
func (c *Client) Checkpoint(ctx context.Context, origin string) ([]byte, error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+"/"+fileOf(origin)+"/checkpoint", nil)
	if err != nil {
		return nil, err
	}
	res, err := c.http.Do(q)
	if err != nil {
		return nil, ErrUnreachable.With(err)
	}
	defer res.Body.Close()
	body, err := readLimited(res.Body, maxAnswer)
	switch {
	case err != nil:
		return nil, ErrUnreachable.With(err)
	case res.StatusCode == http.StatusOK:
		return body, nil
	case res.StatusCode == http.StatusNotFound:
		return nil, ErrUnknownLog
	}
	return nil, ErrUnreachable
}

// Add sends a request and gives the lines that the witness answers with, to be
// looked for its cosignature (tlog.Cosigned). It is a *Conflict, ErrUnknownLog,
// ErrNotSigned, ErrProof, ErrRequest or ErrUnreachable.
func (c *Client) Add(ctx context.Context, r Request) ([]byte, error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+"/add-checkpoint", bytes.NewReader(r.Bytes()))
	if err != nil {
		return nil, err
	}
	q.Header.Set("Content-Type", "text/plain; charset=utf-8")
	res, err := c.http.Do(q)
	if err != nil {
		return nil, ErrUnreachable.With(err)
	}
	defer res.Body.Close()
	body, err := readLimited(res.Body, maxAnswer)
	if err != nil {
		return nil, ErrUnreachable.With(err)
	}
	switch res.StatusCode {
	case http.StatusOK:
		return body, nil
	case http.StatusConflict:
		size, err := strconv.ParseInt(strings.TrimSuffix(string(body), "\n"), 10, 64)
		if res.Header.Get("Content-Type") != mediaSize || err != nil || size < 0 || string(body) != fmt.Sprintf("%d\n", size) {
			return nil, ErrHistory // of the same size, with another root
		}
		return nil, &Conflict{size}
	case http.StatusNotFound:
		return nil, ErrUnknownLog
	case http.StatusForbidden:
		return nil, ErrNotSigned
	case http.StatusUnprocessableEntity:
		return nil, ErrProof
	case http.StatusBadRequest:
		return nil, ErrRequest
	}
	return nil, ErrUnreachable
}
