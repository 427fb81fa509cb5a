package conformance

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/status"
	"github.com/kinpass/kinpass/internal/vc"
)

// verifier is one verifying instance.
type verifier struct {
	suites        []string // cryptosuites that it takes; nil = all
	ed2020        bool     // and Ed25519Signature2020
	created       bool     // asks for the time of each proof (VC API 1.0)
	legacyJWT     bool     // and presentations of VC 1.1 as JWT
	presentations bool
}

var verifiers = map[string]verifier{
	"eddsa-rdfc-2022": {suites: []string{"eddsa-rdfc-2022"}},
	"eddsa-jcs-2022":  {suites: []string{"eddsa-jcs-2022"}},
	"ecdsa-rdfc-2019": {suites: []string{"ecdsa-rdfc-2019"}},
	"ecdsa-jcs-2019":  {suites: []string{"ecdsa-jcs-2019"}},
	"ecdsa-sd-2023":   {suites: []string{"ecdsa-sd-2023"}},
	"vc2":             {presentations: true},
	"vcapi":           {ed2020: true, created: true},
	"jwt":             {legacyJWT: true, presentations: true},
	"bsl":             {presentations: true},
}

var (
	errNothing = fault.New(fault.Invalid, "malformed-value", "the request holds nothing to verify")
	errRevoked = fault.New(fault.Unprocessable, "credential-revoked", "the status list says that the credential is revoked")
)

func (s *Server) policy(v verifier) vc.Policy {
	return vc.Policy{
		Keys:      vc.KeysFromDID,
		ProofOnly: true,
		Now:       s.now(),
		Suites:    v.suites,
		Ed2020:    v.ed2020,
		LegacyJWT: v.legacyJWT,

		RequireCreated: v.created,
		Status:         s.checkStatus,
	}
}

// asked is the policy of an instance with what the request's options ask for.
func (s *Server) asked(v verifier, options json.RawMessage) (vc.Policy, error) {
	var o struct {
		Challenge string `json:"challenge"`
		Domain    string `json:"domain"`
		Purpose   string `json:"expectedProofPurpose"`
	}
	p := s.policy(v)
	if !absent(options) && (!isObject(options) || json.Unmarshal(options, &o) != nil) {
		return p, errOptions
	}
	p.Challenge, p.Domain, p.Purpose = o.Challenge, o.Domain, o.Purpose
	return p, nil
}

// checkStatus looks into the status list of this run. Others are not fetched.
func (s *Server) checkStatus(v *vc.Verified) error {
	for _, e := range v.Status {
		if e.List != s.list.url {
			continue
		}
		i, err := status.ParseIndex(e.Index)
		if err != nil {
			return err
		}
		set, err := s.list.isSet(i)
		if err != nil {
			return err
		}
		if set {
			return errRevoked
		}
	}
	return nil
}

func (s *Server) verifyCredential(v verifier) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			Credential json.RawMessage `json:"verifiableCredential"`
			Options    json.RawMessage `json:"options"`
		}
		if err := s.read(r, &in); err != nil {
			s.fail(w, err)
			return
		}
		if absent(in.Credential) {
			s.fail(w, errNothing)
			return
		}
		p, err := s.asked(v, in.Options)
		if err != nil {
			s.fail(w, err)
			return
		}
		if _, err := vc.VerifyCredential(in.Credential, p); err != nil {
			s.fail(w, err)
			return
		}
		s.verified(w)
	}
}

func (s *Server) verifyPresentation(v verifier) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			Presentation json.RawMessage `json:"verifiablePresentation"`
			Options      json.RawMessage `json:"options"`
		}
		if err := s.read(r, &in); err != nil {
			s.fail(w, err)
			return
		}
		if absent(in.Presentation) {
			s.fail(w, errNothing)
			return
		}
		p, err := s.asked(v, in.Options)
		if err != nil {
			s.fail(w, err)
			return
		}
		if _, err := vc.VerifyPresentation(in.Presentation, p); err != nil {
			s.fail(w, err)
			return
		}
		s.verified(w)
	}
}

// derive gives a credential that discloses what was selected.
func (s *Server) derive(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Credential json.RawMessage `json:"verifiableCredential"`
		Options    json.RawMessage `json:"options"`
	}
	if err := s.read(r, &in); err != nil {
		s.fail(w, err)
		return
	}
	if !isObject(in.Credential) {
		s.fail(w, errNothing)
		return
	}
	o, err := readOptions(in.Options)
	if err != nil {
		s.fail(w, err)
		return
	}
	derived, err := vc.Derive(in.Credential, o.SelectivePointers)
	if err != nil {
		s.fail(w, err)
		return
	}
	s.write(w, http.StatusCreated, "application/json", derived)
}

func absent(raw json.RawMessage) bool {
	raw = bytes.TrimSpace(raw)
	return len(raw) == 0 || bytes.Equal(raw, []byte("null"))
}

// read takes the body of a request: one JSON object, strictly.
func (s *Server) read(r *http.Request, v any) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return fault.New(fault.TooLarge, "too-large", "the request is too large")
		}
		return errBody.With(err)
	}
	if err := vc.CheckJSON(body, maxDepth); err != nil {
		return errBody.With(err)
	}
	if !isObject(body) || json.Unmarshal(body, v) != nil {
		return errBody
	}
	return nil
}

// maxDepth bounds the nesting of a request.
const maxDepth = 64

type report struct {
	Verified bool     `json:"verified"`
	Checks   []string `json:"checks"`
	Warnings []string `json:"warnings"`
	Errors   []string `json:"errors"`
}

func (s *Server) verified(w http.ResponseWriter) {
	s.answer(w, http.StatusOK, report{Verified: true, Checks: []string{"proof"}, Warnings: []string{}, Errors: []string{}})
}

// problem is a ProblemDetails object (Data Model 2.0, section 7.1; RFC 9457).
// A verifier that refuses also lists it under errors (VC API 1.0).
type problem struct {
	Type   string    `json:"type"`
	Title  string    `json:"title"`
	Status int       `json:"status"`
	Detail string    `json:"detail"`
	Code   string    `json:"code"`
	Errors []problem `json:"errors,omitempty"`
}

func (s *Server) fail(w http.ResponseWriter, err error) {
	f := fault.As(err)
	p := problem{Type: vc.ProblemType(err), Title: f.Code, Status: http.StatusBadRequest, Detail: f.Detail, Code: f.Code}
	switch f.Kind {
	case fault.Internal:
		s.log.Error("request failed", "error", err)
		p.Status = http.StatusInternalServerError
	case fault.Unavailable:
		p.Status = http.StatusServiceUnavailable
	case fault.NotFound:
		p.Status = http.StatusNotFound
	case fault.TooLarge:
		p.Status = http.StatusRequestEntityTooLarge
	}
	p.Errors = []problem{p}
	b, err := json.Marshal(p)
	if err != nil {
		http.Error(w, "internal", http.StatusInternalServerError)
		return
	}
	s.write(w, p.Status, "application/problem+json", b)
}

func (s *Server) answer(w http.ResponseWriter, code int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		s.fail(w, err)
		return
	}
	s.write(w, code, "application/json", b)
}

func (s *Server) write(w http.ResponseWriter, code int, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(code)
	_, _ = w.Write(body)
}
