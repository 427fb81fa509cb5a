package wallet

import (
	"context"
	"crypto"
	"encoding/json"
	"io"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/serve"
	"github.com/kinpass/kinpass/internal/vc"
)

// maxDerive bounds a request to derive, in bytes.
const maxDerive = 256 << 10

// Derive makes a credential that shows a part of one with an ecdsa-sd-2023 base
// proof of an issuer on the trust list, see vc.DeriveChecked. Nothing is stored.
func (w *Wallet) Derive(ctx context.Context, secured []byte, pointers []string) ([]byte, error) {
	trust, err := w.trust(ctx)
	if err != nil {
		return nil, err
	}
	return vc.DeriveChecked(secured, pointers, func(method string) (crypto.PublicKey, string, error) {
		for i := range trust.Issuers {
			is := &trust.Issuers[i]
			if did.Base(method) != is.DID {
				continue
			}
			if k := keyOf(is, method); k != nil {
				pub, err := vc.ParseJWK(k.JWK)
				return pub, is.DID, err
			}
		}
		return nil, "", vc.ErrKeyUnknown
	})
}

// deriveCredential is Derive as VC API, section 3.5.1, has it.
func (h routes) deriveCredential(c echo.Context) error {
	raw, err := io.ReadAll(io.LimitReader(c.Request().Body, maxDerive+1))
	if err != nil {
		return err
	}
	if len(raw) > maxDerive {
		return serve.ErrTooLarge
	}
	var in struct {
		Credential json.RawMessage `json:"verifiableCredential"`
		Options    struct {
			Pointers []string `json:"selectivePointers"`
		} `json:"options"`
	}
	if err := vc.StrictJSON(raw, &in, 2*vc.MaxDepth); err != nil {
		return ErrBody.With(err)
	}
	derived, err := h.Derive(c.Request().Context(), in.Credential, in.Options.Pointers)
	if err != nil {
		serve.TypedBy(c, vc.ProblemType)
		return err
	}
	return serve.JSON(c, http.StatusCreated, json.RawMessage(derived))
}
