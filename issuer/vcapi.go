package issuer

import (
	"context"
	"crypto"
	"encoding/json"
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/serve"
	"github.com/kinpass/kinpass/internal/vc"
)

// Faults of the VC API.
var (
	// ErrNotOffered: the register is the only source of what this issuer signs.
	// Nobody has a statement of their own signed in its name.
	ErrNotOffered = fault.New(fault.Invalid, "credential-not-offered", "this issuer signs births and guardianships that it registers, and sets everything but their subject itself")
	// ErrNotIssuedNow comes with the outcome of the registration, which stands.
	ErrNotIssuedNow = fault.New(fault.Conflict, "registered-not-issued", "the record is registered and gives no credential now; the outcome says why")
)

// Nesting of requests: the members around a credential are one level.
const maxVCNesting = 32

// issueRequest is the body of POST /credentials/issue.
type issueRequest struct {
	Credential map[string]json.RawMessage
	Options    map[string]json.RawMessage
}

func readIssueRequest(raw []byte) (in issueRequest, err error) {
	if err := vc.CheckJSON(raw, maxVCNesting); err != nil {
		return in, err
	}
	all, err := vc.Members(raw)
	if err != nil {
		return in, err
	}
	if in.Credential, err = vc.Members(all["credential"]); err != nil {
		return in, err
	}
	if all["options"] != nil {
		in.Options, err = vc.Members(all["options"])
	}
	return in, err
}

// registration gives what is to be registered, and whether it is a birth. What
// the caller sets beside it must be what the issuer sets itself.
func (r issueRequest) registration(issuer string) (kind string, subject []byte, err error) {
	if len(r.Options) > 0 {
		return "", nil, offered("/options", "there are no options")
	}
	for name, v := range r.Credential {
		switch name {
		case "@context":
			var list []string
			if json.Unmarshal(v, &list) != nil || len(list) == 0 || len(list) > 2 || list[0] != vc.ContextV2 || len(list) == 2 && list[1] != vc.ContextKinpass {
				return "", nil, offered("/credential/@context", "is "+vc.ContextV2+", and may go on with "+vc.ContextKinpass)
			}
		case "type":
			var list []string
			if json.Unmarshal(v, &list) != nil || len(list) != 2 || !slices.Contains(list, vc.TypeCredential) {
				return "", nil, offered("/credential/type", "is VerifiableCredential with BirthCredential or GuardianshipCredential")
			}
			switch {
			case slices.Contains(list, vc.TypeBirth):
				kind = KindBirth
			case slices.Contains(list, vc.TypeGuardianship):
				kind = KindGuardianship
			default:
				return "", nil, offered("/credential/type", "is VerifiableCredential with BirthCredential or GuardianshipCredential")
			}
		case "issuer":
			var id string
			var object map[string]json.RawMessage
			if json.Unmarshal(v, &object) == nil && len(object) == 1 {
				v = object["id"]
			}
			if json.Unmarshal(v, &id) != nil || id != issuer {
				return "", nil, offered("/credential/issuer", "is absent or this issuer's DID")
			}
		case "credentialSubject":
			if len(v) == 0 || v[0] != '{' {
				return "", nil, offered("/credential/credentialSubject", "is one registration")
			}
			subject = v
		default:
			return "", nil, offered("/credential", "has the members @context, type, credentialSubject and issuer, and no other")
		}
	}
	for _, name := range []string{"@context", "type", "credentialSubject"} {
		if r.Credential[name] == nil {
			return "", nil, offered("/credential/"+name, "is required")
		}
	}
	return kind, subject, nil
}

func offered(path, rule string) error {
	return ErrNotOffered.WithFields(fault.Field{Path: path, Rule: rule})
}

// issueCredential registers the subject of a credential and answers with its
// paper credential (VC API, section 3.2.1).
func (h routes) issueCredential(c echo.Context) error {
	idem, err := idempotency(c)
	if err != nil {
		return err
	}
	raw, err := readBody(c, maxRecord)
	if err != nil {
		return err
	}
	in, err := readIssueRequest(raw)
	if err != nil {
		return ErrBody.With(err)
	}
	kind, subject, err := in.registration(h.did)
	if err != nil {
		serve.TypedBy(c, vc.ProblemType)
		return err
	}
	act := h.birth
	if kind == KindGuardianship {
		act = h.guardianship
	}
	o, jwt, err := act(c.Request().Context(), caller(c), subject, idem)
	if err != nil {
		return below("/credential/credentialSubject", err)
	}
	if jwt == "" {
		if jwt, err = h.paperOf(c.Request().Context(), o); err != nil {
			return err
		}
	}
	if jwt == "" {
		return &serve.Refusal{Err: ErrNotIssuedNow, Outcome: o}
	}
	return serve.JSON(c, http.StatusCreated, vc.Envelop(jwt))
}

// below moves the places that a fault names.
func below(path string, err error) error {
	f := fault.As(err)
	if len(f.Fields) == 0 {
		return err
	}
	fields := make([]fault.Field, len(f.Fields))
	for n, x := range f.Fields {
		fields[n] = fault.Field{Path: path + x.Path, Rule: x.Rule}
	}
	return f.WithFields(fields...)
}

// paperOf gives the paper credential of a registration as compact vc+jwt, ""
// if it has none: it waits, is not issued, or its name cannot be written in the
// letters of a machine-readable zone.
func (i *Issuer) paperOf(ctx context.Context, o Outcome) (string, error) {
	if o.State != StateIssued {
		return "", nil
	}
	for _, x := range o.Credentials {
		if x.Profile != ProfilePaper {
			continue
		}
		have, err := i.store.copies(ctx, i.db, `WHERE id = $1`, x.ID)
		if err != nil || len(have) == 0 {
			return "", err
		}
		out, err := i.collect(ctx, have[:1], []*draft{nil})
		if err != nil || len(out) == 0 {
			return "", err
		}
		return out[0].JWT, nil
	}
	return "", nil
}

// deriveCredential makes a credential that shows a part of one that this issuer
// signed (VC API, section 3.5.1; ecdsa-sd-2023).
func (h routes) deriveCredential(c echo.Context) error {
	raw, err := readBody(c, maxRecord)
	if err != nil {
		return err
	}
	var in struct {
		Credential json.RawMessage `json:"verifiableCredential"`
		Options    struct {
			Pointers []string `json:"selectivePointers"`
		} `json:"options"`
	}
	if err := vc.StrictJSON(raw, &in, maxVCNesting); err != nil {
		return ErrBody.With(err)
	}
	find, err := h.ownKeys(c.Request().Context())
	if err != nil {
		return err
	}
	derived, err := vc.DeriveChecked(in.Credential, in.Options.Pointers, find)
	if err != nil {
		serve.TypedBy(c, vc.ProblemType)
		return err
	}
	return serve.JSON(c, http.StatusCreated, json.RawMessage(derived))
}

// ownKeys finds the keys that this issuer publishes.
func (i *Issuer) ownKeys(ctx context.Context) (vc.KeyFinder, error) {
	p, err := i.DIDDocument(ctx)
	if err != nil {
		return nil, err
	}
	doc, err := did.ParseDocument(p.Body, i.did)
	if err != nil {
		return nil, err
	}
	now := i.now()
	return func(method string) (key crypto.PublicKey, controller string, err error) {
		m := doc.MethodFor(vc.PurposeAssertion, method)
		if m == nil {
			return nil, "", vc.ErrKeyUnknown
		}
		key, err = m.Key(now)
		return key, doc.ID, err
	}, nil
}
