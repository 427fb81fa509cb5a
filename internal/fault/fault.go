// Package fault is the one error type of Kinpass: a kind that decides the
// HTTP status, a code that is stable, a sentence that is safe to show, and a
// cause that is only ever logged by its type.
//
// A plain error is internal: the caller learns nothing of it. A *Fault is what
// we chose to say. No field of a Fault may hold a person's data: rules and
// field names yes, values never.
package fault

import (
	"errors"
	"strings"
)

// Kind says whose turn it is to act. The zero value is Internal, so that a
// fault nobody classified never tells anything.
type Kind int

// Kinds, with the HTTP status that internal/serve gives them.
const (
	Internal        Kind = iota // 500
	Invalid                     // 400: the request is wrong; see Fields
	Unauthenticated             // 401
	Forbidden                   // 403
	NotFound                    // 404: absent, or not yours
	Conflict                    // 409: the state does not allow it (also: held)
	TooLarge                    // 413
	Unsupported                 // 415
	Unprocessable               // 422: well formed, refused by a rule
	RateLimited                 // 429
	Unavailable                 // 503
)

// Field names one place in the input and the rule it broke. Path is a JSON
// pointer (RFC 6901) into the request; Rule is a short sentence or name of the
// rule. Neither ever holds the value.
type Field struct {
	Path string `json:"path"`
	Rule string `json:"rule"`
}

// Fault is an error that may be shown. Err, the cause, is for the log's
// error type only; it is never part of a text that leaves the process.
type Fault struct {
	Kind   Kind
	Code   string  // lower-case-with-dashes, stable: problem type, metric label
	Detail string  // one sentence, no person's data
	Hint   string  // what to do next; may be empty
	Fields []Field // for refusals of input
	Err    error
}

// New makes a fault. Package-level sentinels are made with it; With and
// WithFields copy, so that a sentinel is never changed.
func New(kind Kind, code, detail string) *Fault {
	return &Fault{Kind: kind, Code: code, Detail: detail}
}

// Error gives code and detail and the broken rules, never the cause.
func (f *Fault) Error() string {
	var b strings.Builder
	b.WriteString(f.Code)
	if f.Detail != "" {
		b.WriteString(": ")
		b.WriteString(f.Detail)
	}
	for i, x := range f.Fields {
		if i == 3 {
			b.WriteString("; …")
			break
		}
		b.WriteString("; ")
		b.WriteString(x.Path)
		b.WriteString(" ")
		b.WriteString(x.Rule)
	}
	return b.String()
}

// Unwrap gives the cause to errors.Is and errors.As.
func (f *Fault) Unwrap() error { return f.Err }

// Is reports whether target is a fault with the same code.
func (f *Fault) Is(target error) bool {
	t, ok := target.(*Fault)
	return ok && t.Code == f.Code
}

// With copies f with a cause.
func (f *Fault) With(err error) *Fault {
	c := *f
	c.Err = err
	return &c
}

// WithFields copies f with the broken rules.
func (f *Fault) WithFields(fields ...Field) *Fault {
	c := *f
	c.Fields = append([]Field(nil), fields...)
	return &c
}

// WithHint copies f with the next step for the caller.
func (f *Fault) WithHint(hint string) *Fault {
	c := *f
	c.Hint = hint
	return &c
}

// WithDetail copies f with another sentence.
func (f *Fault) WithDetail(detail string) *Fault {
	c := *f
	c.Detail = detail
	return &c
}

// As gives the fault in err's chain, or an Internal one that shows nothing.
// It returns nil for nil.
func As(err error) *Fault {
	if err == nil {
		return nil
	}
	var f *Fault
	if errors.As(err, &f) {
		return f
	}
	return &Fault{Kind: Internal, Code: "internal", Detail: "the request could not be completed", Err: err}
}
