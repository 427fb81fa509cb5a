package verifier

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/serve"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/verifier/check"
)

// maxBodyNesting bounds the depth of a request's body: a presentation of
// credentials, one level down.
const maxBodyNesting = 32

// VerifyCredential verifies a credential against the bundle in force, see
// check.Bundle.VerifyCredential. Nothing is fetched and nothing recorded.
func (v *Verifier) VerifyCredential(ctx context.Context, credential []byte) (*check.Verification, *Bundle, error) {
	b, a, err := v.asked(ctx)
	if err != nil {
		return nil, nil, err
	}
	out, err := b.VerifyCredential(credential, a)
	return out, b, err
}

// VerifyPresentation verifies a presentation that was made for a domain as the
// answer to a challenge, see check.Bundle.VerifyPresentation.
func (v *Verifier) VerifyPresentation(ctx context.Context, presentation []byte, challenge, domain string) (*check.Verification, *Bundle, error) {
	b, a, err := v.asked(ctx)
	if err != nil {
		return nil, nil, err
	}
	a.Challenge, a.Domain = challenge, domain
	out, err := b.VerifyPresentation(presentation, a)
	return out, b, err
}

func (v *Verifier) asked(ctx context.Context) (*Bundle, check.Asked, error) {
	b, err := v.Latest(ctx)
	if err != nil {
		return nil, check.Asked{}, err
	}
	a := check.Asked{Now: v.now()}
	if a.LastTrustedTime, err = v.trustedTime(ctx, a.Now); err != nil {
		return nil, check.Asked{}, err
	}
	return b, a, nil
}

// verified is the answer of the VC API, with what was verified against.
type verified struct {
	Verified  bool     `json:"verified"`
	Checks    []string `json:"checks"`
	Warnings  []string `json:"warnings"`
	Errors    []string `json:"errors"`
	Bundle    string   `json:"bundle"`
	StatusAge int64    `json:"statusAgeSeconds"`
}

func answerVerified(c echo.Context, x *check.Verification, b *Bundle, err error) error {
	if err != nil {
		serve.TypedBy(c, vc.ProblemType)
		if f := fault.As(err); f.Kind == fault.Unprocessable {
			bad := *f
			bad.Kind = fault.Invalid // to the VC API, what does not verify is a bad request
			err = &bad
		}
		return err
	}
	out := verified{Verified: true, Checks: []string{"proof", "issuer", "validity", "status"}, Warnings: []string{}, Errors: []string{},
		Bundle: b.ID, StatusAge: int64(x.StatusAge / time.Second)}
	if x.Stale {
		out.Warnings = append(out.Warnings, "status-stale")
	}
	return serve.JSON(c, http.StatusOK, out)
}

// readBody reads a request's body, whose members may hold any JSON.
func readBody(c echo.Context, v any) error {
	data, err := read(c.Request().Body, maxFacts)
	if err != nil {
		return err
	}
	if err := vc.StrictJSON(data, v, maxBodyNesting); err != nil {
		return ErrBody.With(err)
	}
	return nil
}

func (h routes) verifyCredential(c echo.Context) error {
	var in struct {
		Credential json.RawMessage `json:"verifiableCredential"`
		Options    struct{}        `json:"options"`
	}
	if err := readBody(c, &in); err != nil {
		return err
	}
	x, b, err := h.VerifyCredential(c.Request().Context(), in.Credential)
	return answerVerified(c, x, b, err)
}

func (h routes) verifyPresentation(c echo.Context) error {
	var in struct {
		Presentation json.RawMessage `json:"verifiablePresentation"`
		Options      struct {
			Challenge string `json:"challenge"`
			Domain    string `json:"domain"`
		} `json:"options"`
	}
	if err := readBody(c, &in); err != nil {
		return err
	}
	if in.Options.Challenge == "" || in.Options.Domain == "" {
		return ErrBody.WithFields(fault.Field{Path: "/options", Rule: "challenge and domain are required"})
	}
	x, b, err := h.VerifyPresentation(c.Request().Context(), in.Presentation, in.Options.Challenge, in.Options.Domain)
	return answerVerified(c, x, b, err)
}
