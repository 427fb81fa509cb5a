//go:build !js

package bundle

import (
	"encoding/json"
	"time"

	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/vc"
)

// Pack signs a manifest over the parts and makes the file of a bundle. The
// signer's KID must be the identifier of a hub key on the trust list, or no post
// will open the bundle.
func Pack(h Header, parts []Part, hub keys.Signer) ([]byte, error) {
	h.CreatedAt = h.CreatedAt.UTC().Truncate(time.Second)
	if !h.good() {
		return nil, ErrParts.WithDetail("a border bundle has a name of 64 characters at most, a number, a time and the number of its trust list")
	}
	table, err := tabled(parts)
	if err != nil {
		return nil, err
	}
	top := root(table)
	payload, err := json.Marshal(manifest{h.ID, h.Sequence, h.CreatedAt, h.TrustList, len(table), b64.EncodeToString(top[:])})
	if err != nil {
		return nil, err
	}
	jws, err := vc.SignJWS(hub, vc.TypBundle, "", payload)
	if err != nil {
		return nil, err
	}
	if len(jws) > maxSigned {
		return nil, ErrParts.WithDetail("the name of the hub's key is too long")
	}
	return assemble(jws, table, parts), nil
}
