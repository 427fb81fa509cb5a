package issuer

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/vc"
)

// Faults of requests to re-issue what another system issued.
var (
	ErrReissue         = fault.New(fault.Invalid, "reissue-invalid", "this is not a request that a guardian's wallet made")
	ErrReissueOther    = fault.New(fault.Unprocessable, "reissue-other-registrar", "the request was made for another registrar")
	ErrReissueExpired  = fault.New(fault.Unprocessable, "reissue-expired", "the request is not good any more").WithHint("the guardian can make a new one")
	ErrReissueContents = fault.New(fault.Unprocessable, "reissue-contents", "the credential in the request cannot be read")
)

const (
	reissueSkew = 5 * time.Minute
	reissueLife = 31 * 24 * time.Hour // the longest that is taken
	// unbelieved goes with everything that a request shows.
	unbelieved = "The guardian's key signed this request. The signature of the credential in it was checked by the guardian's wallet only, " +
		"and not here: nothing in it is a fact. Register the birth by the normal rules, from the documents that they ask for."
)

// ReissueSummary is what a request to re-issue shows a registrar. It is
// personal data, and none of it is stored.
type ReissueSummary struct {
	Holder    string    `json:"holder"` // did:key of the guardian, whose signature held
	IssuedAt  time.Time `json:"issuedAt"`
	ExpiresAt time.Time `json:"expiresAt"`
	// Verified is always false: what the credential claims was not checked here.
	Verified bool   `json:"verified"`
	Notice   string `json:"notice"`
	Claims   struct {
		Format         string          `json:"format"`
		ID             string          `json:"id,omitempty"`
		Issuer         string          `json:"issuer"`
		Types          []string        `json:"types"`
		IssuanceDate   string          `json:"issuanceDate,omitempty"`
		ExpirationDate string          `json:"expirationDate,omitempty"`
		Subject        json.RawMessage `json:"subject"`
	} `json:"claims"`
}

// Reissue reads a request that a guardian hands over and shows what the
// credential in it claims. The guardian's signature is checked, the
// credential's is not: a registrar may not take it for more than a hint of what
// to ask for. Nothing changes.
func (i *Issuer) Reissue(c Caller, request string) (ReissueSummary, error) {
	if err := c.may(RoleRegistrar); err != nil {
		return ReissueSummary{}, err
	}
	payload, holder, err := openReissue(request)
	if err != nil {
		return ReissueSummary{}, err
	}
	var r struct {
		Issuer   string `json:"iss"`
		Audience string `json:"aud"`
		IssuedAt int64  `json:"iat"`
		Expires  int64  `json:"exp"`
		Legacy   struct {
			Format     string          `json:"format"`
			Credential json.RawMessage `json:"credential"`
		} `json:"legacy"`
	}
	if err := vc.StrictJSON(payload, &r, vc.MaxDepth); err != nil {
		return ReissueSummary{}, ErrReissue.With(err)
	}
	now := i.now()
	issued, ends := time.Unix(r.IssuedAt, 0).UTC(), time.Unix(r.Expires, 0).UTC()
	switch {
	case r.Issuer != holder:
		return ReissueSummary{}, ErrReissue
	case r.Audience != i.did:
		return ReissueSummary{}, ErrReissueOther
	case issued.After(now.Add(reissueSkew)) || !now.Before(ends) || ends.Sub(issued) > reissueLife:
		return ReissueSummary{}, ErrReissueExpired
	}
	out := ReissueSummary{Holder: holder, IssuedAt: issued, ExpiresAt: ends, Notice: unbelieved}
	out.Claims.Format = r.Legacy.Format
	if err := out.read(r.Legacy.Credential); err != nil {
		return ReissueSummary{}, err
	}
	return out, nil
}

// openReissue checks the signature of a request by the holder key that it
// names.
func openReissue(request string) (payload []byte, holder string, err error) {
	payload, holder, err = signedByHolder(request, vc.TypReissue)
	if err != nil {
		return nil, "", ErrReissue.With(err)
	}
	if pub, err := did.ParseKey(holder); err != nil {
		return nil, "", ErrReissue.With(err)
	} else if _, ok := pub.(ed25519.PublicKey); !ok {
		return nil, "", ErrReissue // holder keys of wallets are Ed25519
	}
	return payload, holder, nil
}

// read fills in what the credential claims.
func (s *ReissueSummary) read(raw json.RawMessage) error {
	var registered struct {
		Issuer string          `json:"iss"`
		ID     string          `json:"jti"`
		From   int64           `json:"nbf"`
		Until  int64           `json:"exp"`
		VC     json.RawMessage `json:"vc"`
	}
	switch s.Claims.Format {
	case "Ed25519Signature2018", "Ed25519Signature2020":
		registered.VC = raw
	case "jwt":
		var text string
		if json.Unmarshal(raw, &text) != nil {
			return ErrReissueContents
		}
		parts := strings.Split(text, ".")
		if len(parts) != 3 {
			return ErrReissueContents
		}
		payload, err := base64.RawURLEncoding.Strict().DecodeString(parts[1])
		if err != nil {
			return ErrReissueContents.With(err)
		}
		if err := vc.StrictJSON(payload, &registered, vc.MaxDepth); err != nil {
			return ErrReissueContents.With(err)
		}
	default:
		return ErrReissueContents
	}
	var c struct {
		ID      string          `json:"id"`
		Issuer  json.RawMessage `json:"issuer"`
		Type    json.RawMessage `json:"type"`
		From    string          `json:"issuanceDate"`
		Until   string          `json:"expirationDate"`
		Subject json.RawMessage `json:"credentialSubject"`
	}
	if len(registered.VC) == 0 || registered.VC[0] != '{' {
		return ErrReissueContents
	}
	if err := vc.DecodeChecked(registered.VC, &c); err != nil {
		return ErrReissueContents.With(err)
	}
	x := &s.Claims
	x.ID, x.IssuanceDate, x.ExpirationDate, x.Subject = either(c.ID, registered.ID), c.From, c.Until, c.Subject
	if x.IssuanceDate == "" {
		x.IssuanceDate = stamp(registered.From)
	}
	if x.ExpirationDate == "" {
		x.ExpirationDate = stamp(registered.Until)
	}
	var o struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(c.Issuer, &x.Issuer) != nil && json.Unmarshal(c.Issuer, &o) == nil {
		x.Issuer = o.ID
	}
	x.Issuer = either(x.Issuer, registered.Issuer)
	var one string
	if json.Unmarshal(c.Type, &one) == nil {
		x.Types = []string{one}
	} else if json.Unmarshal(c.Type, &x.Types) != nil {
		return ErrReissueContents
	}
	if len(x.Subject) == 0 || x.Issuer == "" {
		return ErrReissueContents
	}
	return nil
}

func either(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func stamp(at int64) string {
	if at <= 0 || at > 253402300799 {
		return ""
	}
	return time.Unix(at, 0).UTC().Format(time.RFC3339)
}
