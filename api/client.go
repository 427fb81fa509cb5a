package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Client calls one role's server. Base is its address without a trailing
// slash; Token, if any, is sent as a bearer token. A nil HTTP means a client
// that waits at most 30 seconds and follows no redirect, so that a token is
// never carried elsewhere. The zero Headers adds none.
type Client struct {
	Base    string
	Token   string
	HTTP    *http.Client
	Headers http.Header
}

// ErrAnswer says that a server's answer could not be read: too large or of
// another shape than this interface says.
var ErrAnswer = errors.New("the server's answer could not be read")

// maxAnswer bounds what is read of an answer: a border bundle is the largest.
const maxAnswer = 64 << 20

var patient = &http.Client{
	Timeout:       30 * time.Second,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// With copies the client with one more header on every request, such as
// Idempotency-Key, Accept or DPoP.
func (c *Client) With(name, value string) *Client {
	d := *c
	d.Headers = c.Headers.Clone()
	if d.Headers == nil {
		d.Headers = http.Header{}
	}
	d.Headers.Set(name, value)
	return &d
}

// Do sends one request. in is nil, a []byte (sent as it is, as JSON unless
// Headers say otherwise), url.Values (sent as a form) or a value that is
// marshalled as JSON. out is nil, a *[]byte or *string (the body as it is) or
// a pointer for JSON. An answer of 400 or more is a *Problem, or an *OAuthError
// where the server speaks OAuth.
func (c *Client) Do(ctx context.Context, method, path string, in, out any) error {
	req, err := c.request(ctx, method, path, in)
	if err != nil {
		return err
	}
	h := c.HTTP
	if h == nil {
		h = patient
	}
	res, err := h.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			return u.Err // without the address: a path may be a secret link
		}
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return err
	}
	if len(body) > maxAnswer {
		return ErrAnswer
	}
	if res.StatusCode >= 300 {
		return refusal(res, body)
	}
	switch o := out.(type) {
	case nil:
		return nil
	case *[]byte:
		*o = body
		return nil
	case *string:
		*o = string(body)
		return nil
	}
	if err := json.Unmarshal(body, out); err != nil {
		return ErrAnswer
	}
	return nil
}

func (c *Client) request(ctx context.Context, method, path string, in any) (*http.Request, error) {
	var body io.Reader
	kind := ""
	switch v := in.(type) {
	case nil:
	case []byte:
		body, kind = bytes.NewReader(v), "application/json"
	case json.RawMessage:
		body, kind = bytes.NewReader(v), "application/json"
	case url.Values:
		body, kind = strings.NewReader(v.Encode()), "application/x-www-form-urlencoded"
	default:
		b, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body, kind = bytes.NewReader(b), "application/json"
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(c.Base, "/")+path, body)
	if err != nil {
		return nil, err
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	for name, values := range c.Headers {
		req.Header[name] = values
	}
	return req, nil
}

// refusal turns an answer that is no success into an error. What a server
// outside Kinpass says is cut short and otherwise dropped.
func refusal(res *http.Response, body []byte) error {
	media, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	switch media {
	case MediaProblem:
		var p Problem
		if json.Unmarshal(body, &p) == nil && p.Type != "" {
			p.Status = res.StatusCode
			return &p
		}
	case "application/json":
		var e OAuthError
		if json.Unmarshal(body, &e) == nil && e.Code != "" {
			e.Status = res.StatusCode
			return &e
		}
	}
	return &Problem{Type: "about:blank", Title: http.StatusText(res.StatusCode), Status: res.StatusCode}
}
