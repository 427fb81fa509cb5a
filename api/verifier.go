package api

import (
	"context"
	"net/http"
)

// Verified is the answer that a credential or presentation is genuine and in
// force. A refusal is a *Problem, never a Verified that says false.
type Verified struct {
	Verified         bool     `json:"verified"`
	Checks           []string `json:"checks"`
	Warnings         []string `json:"warnings"` // status-stale: a status list is older than 24 hours
	Errors           []string `json:"errors"`
	Bundle           string   `json:"bundle"` // id of the border bundle
	StatusAgeSeconds int64    `json:"statusAgeSeconds"`
}

// VerifyCredential asks a verifier about a credential: a value that marshals to
// a JSON object, or a compact form as a string.
func (c *Client) VerifyCredential(ctx context.Context, credential any) (Verified, error) {
	var v Verified
	err := c.Do(ctx, http.MethodPost, "/credentials/verify", map[string]any{"verifiableCredential": credential}, &v)
	return v, err
}

// VerifyPresentation asks a verifier about a presentation that was made for
// domain as the answer to challenge.
func (c *Client) VerifyPresentation(ctx context.Context, presentation any, challenge, domain string) (Verified, error) {
	var v Verified
	err := c.Do(ctx, http.MethodPost, "/presentations/verify",
		map[string]any{"verifiablePresentation": presentation, "options": map[string]string{"challenge": challenge, "domain": domain}}, &v)
	return v, err
}
