package api

import (
	"encoding/json"
	"strings"
)

// ProblemBase is the prefix of every problem type; the code follows it.
const ProblemBase = "https://w3id.org/kinpass/problems/"

// MediaProblem is the media type of a Problem (RFC 9457, section 3).
const MediaProblem = "application/problem+json"

// Problem is the body of every refusal outside OAuth (RFC 9457). Type is
// ProblemBase and the code, or, where a specification names the problem, the
// type that it gives; the code is then in Fault. It holds no input value and no
// person's data.
type Problem struct {
	Type   string  `json:"type"`
	Title  string  `json:"title"`
	Status int     `json:"status"` // HTTP status
	Detail string  `json:"detail,omitempty"`
	Hint   string  `json:"hint,omitempty"`
	Fields []Field `json:"fields,omitempty"`
	Fault  string  `json:"code,omitempty"`
	// Outcome is what became of a registration that could not be answered with
	// a credential; see Outcome.
	Outcome json.RawMessage `json:"outcome,omitempty"`
}

// Field names a place in the input (JSON pointer, RFC 6901) and the rule that
// it broke.
type Field struct {
	Path string `json:"path"`
	Rule string `json:"rule"`
}

// Code gives the stable code: Fault, or the end of Type.
func (p *Problem) Code() string {
	if p.Fault != "" {
		return p.Fault
	}
	return strings.TrimPrefix(p.Type, ProblemBase)
}

// Error gives code, detail, broken rules and hint in one line.
func (p *Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.Code())
	if p.Detail != "" {
		b.WriteString(": " + p.Detail)
	}
	for _, f := range p.Fields {
		b.WriteString("; " + f.Path + " " + f.Rule)
	}
	if p.Hint != "" {
		b.WriteString(" (" + p.Hint + ")")
	}
	return b.String()
}

// OAuthError is the body of a refusal by the OAuth and OpenID4VCI endpoints
// (RFC 6749, section 5.2; OpenID4VCI 1.0, sections 6.3 and 8.3.1). Status is
// the HTTP status and not part of the body.
type OAuthError struct {
	Status      int    `json:"-"`
	Code        string `json:"error"`
	Description string `json:"error_description,omitempty"`
}

// Error gives code and description.
func (e *OAuthError) Error() string {
	if e.Description == "" {
		return e.Code
	}
	return e.Code + ": " + e.Description
}
