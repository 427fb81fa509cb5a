//go:build !js

package check

import (
	"encoding/json"
	"time"

	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/vc"
)

// Sign makes the bundle file. The signer's KID must be the identifier of a hub
// key on the trust list, or no post will open the bundle.
func (p BundlePayload) Sign(hub keys.Signer) ([]byte, error) {
	p.CreatedAt = p.CreatedAt.UTC().Truncate(time.Second)
	if p.StatusLists == nil {
		p.StatusLists = []string{}
	}
	payload, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	jws, err := vc.SignJWS(hub, vc.TypBundle, "", payload)
	if err != nil {
		return nil, err
	}
	if len(jws) > maxBundle {
		return nil, ErrBundle.WithDetail("the bundle is too large for a post to open")
	}
	return []byte(jws), nil
}
