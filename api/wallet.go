package api

import (
	"context"
	"net/http"
	"time"
)

// Choice says what a guardian shows of a credential, and to whom. Of Show (age,
// age:18, identity, parentage) and Disclose (JSON pointers into the credential)
// there is one. Audience and Nonce are what the verifier asked with.
type Choice struct {
	Credential string   `json:"credential"`
	Show       string   `json:"show,omitempty"`
	Disclose   []string `json:"disclose,omitzero"`
	Audience   string   `json:"audience"`
	Nonce      string   `json:"nonce"`
}

// Disclosure is a part of a credential, made for one verifier. Format is
// dc+sd-jwt (Presentation is a compact SD-JWT with key binding) or ldp_vc (the
// JSON of a Verifiable Presentation). Shown holds JSON pointers of all that it
// shows of its subject.
type Disclosure struct {
	Format       string    `json:"format"`
	Presentation string    `json:"presentation"`
	Shown        []string  `json:"shown"`
	ExpiresAt    time.Time `json:"expiresAt"`
}

// Disclose shows a part of a credential in the guardian's wallet.
func (c *Client) Disclose(ctx context.Context, choice Choice) (Disclosure, error) {
	var d Disclosure
	err := c.Do(ctx, http.MethodPost, "/wallet/disclosures", choice, &d)
	return d, err
}
