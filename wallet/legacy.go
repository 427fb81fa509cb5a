package wallet

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/legacy"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/vc"
)

// Faults of credentials that another system issued. What is wrong with one is
// said by package legacy.
var (
	ErrNoLegacy        = fault.New(fault.Unavailable, "legacy-unavailable", "this wallet cannot verify credentials of other systems")
	ErrLegacyIssuer    = fault.New(fault.Unprocessable, "legacy-issuer-unresolved", "the DID document of the credential's issuer could not be read, so that its signature cannot be checked")
	ErrLegacyMany      = fault.New(fault.Conflict, "legacy-too-many", "the wallet holds as many credentials of other systems as it may").WithHint("delete those that are not needed any more")
	ErrRegistrarForm   = fault.New(fault.Invalid, "registrar-form", "the registrar is named by its DID").WithFields(fault.Field{Path: "/registrar", Rule: "is a DID of at most 256 characters"})
	ErrRegistrarNobody = fault.New(fault.Unprocessable, "registrar-untrusted", "this registrar is not on the trust list; no request was made").WithHint("ask the registry office for its DID")
)

const (
	profileLegacy = "legacy"
	shownLegacy   = "legacy"

	maxLegacy = 32 // per guardian
	// reissueLife is how long a guardian has to bring a request to the office.
	reissueLife = 7 * 24 * time.Hour
)

// legacyKept is a credential of another system as it is sealed, with what was
// found when it was verified.
type legacyKept struct {
	Format     string          `json:"format"`
	Credential string          `json:"credential"` // as it came
	Issuer     string          `json:"issuer"`     // DID
	IssuerName string          `json:"issuerName"` // of the trust list; empty if the issuer is not there
	Types      []string        `json:"types"`
	Subject    json.RawMessage `json:"subject"`
	From       time.Time       `json:"from"`
	Until      time.Time       `json:"until"`
	Status     bool            `json:"status"` // it names one, which nobody read
	Checked    time.Time       `json:"checked"`
}

// legacyHeld is one stored credential of another system, opened. It is no held:
// nothing that presents or renews can be given one.
type legacyHeld struct {
	ID string
	legacyKept
}

// ImportLegacy verifies a credential of the Data Model 1.1 that an Aries-based
// system issued, and keeps it: to be looked at and to be handed to a registrar,
// never to be shown at a border. Its issuer need not be on the trust list. The
// same credential again gives the same answer.
func (w *Wallet) ImportLegacy(ctx context.Context, g Guardian, credential []byte) (Credential, error) {
	if w.cfg.Aries == nil {
		return Credential{}, ErrNoLegacy
	}
	trust, err := w.trust(ctx)
	if err != nil {
		return Credential{}, err
	}
	now := w.cfg.Now()
	ctx, cancel := context.WithTimeout(ctx, acceptPatience)
	defer cancel()
	c, err := legacy.Verify(credential, legacy.Policy{Aries: w.cfg.Aries, Now: now,
		Resolve: func(id string) (*did.Document, error) { return w.document(ctx, id) }})
	if err != nil {
		return Credential{}, err
	}
	k := legacyKept{Format: c.Format, Credential: string(credential), Issuer: c.Issuer, Types: c.Types, Subject: c.Subject,
		From: c.From, Until: c.Until, Status: c.Status, Checked: now.UTC()}
	if t := listed(trust, c.Issuer); t != nil {
		k.IssuerName = t.Name
	}
	v, err := w.enter(ctx, g.ID)
	if err != nil {
		return Credential{}, err
	}
	h, err := w.keepLegacy(ctx, v, k)
	if err != nil {
		return Credential{}, err
	}
	return h.shown(now), nil
}

// document looks up an issuer: what is not did:web says its key itself.
func (w *Wallet) document(ctx context.Context, id string) (*did.Document, error) {
	var d *did.Document
	var err error
	if strings.HasPrefix(id, "did:web:") {
		d, err = w.dids.Document(ctx, id)
	} else {
		d, err = did.KeyDocument(id)
	}
	var f *fault.Fault
	if err == nil || errors.As(err, &f) && f.Kind == fault.Unavailable {
		return d, err
	}
	return nil, ErrLegacyIssuer.With(err)
}

func listed(l *vc.TrustList, id string) *vc.TrustIssuer {
	for i := range l.Issuers {
		if l.Issuers[i].DID == id {
			return &l.Issuers[i]
		}
	}
	return nil
}

// kind gives the type that says most about the credential.
func (h *legacyHeld) kind() string {
	for i := len(h.Types) - 1; i >= 0; i-- {
		if h.Types[i] != vc.TypeCredential {
			return plain(h.Types[i])
		}
	}
	return vc.TypeCredential
}

func (h *legacyHeld) shown(now time.Time) Credential {
	return Credential{
		ID: h.ID, Type: h.kind(), Format: h.Format, Profile: profileLegacy, Legacy: true, Issuer: h.Issuer, IssuerName: plain(h.IssuerName),
		ValidFrom: h.From, ValidUntil: h.Until, State: shownLegacy, Checked: h.Checked, Summary: h.summary(now),
	}
}

// summary says in plain words what the credential is worth.
func (h *legacyHeld) summary(now time.Time) []string {
	out := []string{
		"From another system. No border accepts it.",
		"Its signature was checked on " + day(h.Checked) + ".",
	}
	if h.IssuerName == "" {
		out = append(out, "The issuer is not on the Kinpass trust list.")
	} else {
		out = append(out, "The issuer is on the Kinpass trust list. The credential is of the old kind all the same.")
	}
	if h.Status {
		out = append(out, "Whether it was withdrawn since was not checked.")
	}
	if !h.Until.IsZero() && !now.Before(h.Until) {
		out = append(out, "It ended on "+day(h.Until)+".")
	}
	return append(out, "You can ask a registry office to issue it anew.")
}

// Reissue is a request to a registrar, signed with the guardian's holder key.
// The guardian hands it over; nothing was sent.
type Reissue struct {
	Request   string    `json:"request"`   // compact kinpass-reissue+jwt
	Registrar string    `json:"registrar"` // DID
	ExpiresAt time.Time `json:"expiresAt"`
}

// RequestReissue makes the request for one credential of another system. The
// registrar must be on the trust list: the request tells everything that the
// credential says.
func (w *Wallet) RequestReissue(ctx context.Context, g Guardian, id, registrar string) (Reissue, error) {
	if !strings.HasPrefix(registrar, "did:") || did.Base(registrar) != registrar || !visible(registrar, 256) {
		return Reissue{}, ErrRegistrarForm
	}
	v, err := w.vault(ctx, g.ID)
	if err != nil {
		return Reissue{}, gone(err, ErrNoSuchCredential)
	}
	h, err := w.legacyCredential(ctx, v, id)
	if err != nil {
		return Reissue{}, err
	}
	trust, err := w.trust(ctx)
	if err != nil {
		return Reissue{}, err
	}
	now := w.cfg.Now().Truncate(time.Second)
	if !registers(listed(trust, registrar), now) {
		return Reissue{}, ErrRegistrarNobody
	}
	holder, err := w.holderOf(ctx, v)
	if err != nil {
		return Reissue{}, err
	}
	s, err := holder.signer()
	if err != nil {
		return Reissue{}, err
	}
	out := Reissue{Registrar: registrar, ExpiresAt: now.Add(reissueLife).UTC()}
	claims := reissueClaims{Issuer: holder.DID, Audience: registrar, ID: store.Random(16), IssuedAt: now.Unix(), Expires: out.ExpiresAt.Unix()}
	claims.Legacy.Format = h.Format
	if h.Format == legacy.FormatJWT {
		claims.Legacy.Credential = h.Credential
	} else {
		claims.Legacy.Credential = json.RawMessage(h.Credential)
	}
	var payload bytes.Buffer
	e := json.NewEncoder(&payload)
	e.SetEscapeHTML(false) // the credential as it was signed, and no longer
	if err := e.Encode(claims); err != nil {
		return Reissue{}, err
	}
	out.Request, err = vc.SignJWS(s, vc.TypReissue, "", bytes.TrimSpace(payload.Bytes()))
	return out, err
}

type reissueClaims struct {
	Issuer   string `json:"iss"` // did:key of the holder
	Audience string `json:"aud"` // DID of the registrar
	ID       string `json:"jti"`
	IssuedAt int64  `json:"iat"`
	Expires  int64  `json:"exp"`
	Legacy   struct {
		Format     string `json:"format"`
		Credential any    `json:"credential"` // the JWT, or the object with its proof
	} `json:"legacy"`
}

// registers reports whether an issuer may register births now.
func registers(is *vc.TrustIssuer, now time.Time) bool {
	if is == nil {
		return false
	}
	for _, k := range is.Keys {
		if k.May(vc.TypeBirth) && k.ValidAt(now) && (k.CutOff.IsZero() || now.Before(k.CutOff)) {
			return true
		}
	}
	return false
}
