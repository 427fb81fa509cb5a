package verifier

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/serve"
	"github.com/kinpass/kinpass/verifier/check"
)

// Faults of what posts report.
var (
	ErrReport         = fault.New(fault.Invalid, "report-invalid", "a reported check does not have the form that posts send")
	ErrNoSuchOverride = fault.New(fault.NotFound, "no-such-override", "there is no such override")
	ErrOwnOverride    = fault.New(fault.Forbidden, "override-own", "somebody else than the one who decided otherwise must answer for it")
	ErrAnswered       = fault.New(fault.Conflict, "override-answered", "a second person answered for this override before")
)

// What a person can decide otherwise than the machine.
const (
	ActPass       = "pass"
	ActSecondLine = "secondLine"
)

// Answers of a second person.
const (
	AnswerConfirmed = "confirmed"
	AnswerDenied    = "denied"
)

// Override is what a person decided otherwise than the machine. The machine's
// colour stays as it was. To let pass what is red takes two people: Second is
// whom the officer named, Answer what somebody else said to it when signed in.
type Override struct {
	Act    string    `json:"act"`
	Reason string    `json:"reason"`
	Second string    `json:"second,omitempty"`
	At     time.Time `json:"at"`
	Person string    `json:"person,omitempty"` // name of the account that reported it
	Answer string    `json:"answer,omitempty"`
	By     string    `json:"by,omitempty"` // name of the account that answered
}

// NeedsSecond reports whether a second person must answer for the override and
// has not.
func (r Record) NeedsSecond() bool {
	return r.Override != nil && r.Override.Answer == "" && r.Override.Act == ActPass && r.Colour == check.Red.String()
}

// ReportedBy reports whether an account sent the record.
func (r Record) ReportedBy(account string) bool { return account != "" && r.reporter == account }

// maxReports bounds what a device sends at once, maxReportText a name and
// maxReason a reason, in characters.
const (
	maxReports    = 50
	maxReportText = 60
	minReason     = 10
	maxReason     = 500
)

var (
	reportID   = regexp.MustCompile(`^[A-Za-z0-9_-]{16,64}$`)
	reportCode = regexp.MustCompile(`^[A-Z0-9_]{2,40}$`)
	reportName = regexp.MustCompile(`^[A-Za-z0-9_./:+-]{0,80}$`)
)

// Report takes what a device decided without this service: colours and codes,
// never a name. What was reported before stays as it is, and what is older than
// records are kept is left out. It gives how many were new.
func (v *Verifier) Report(ctx context.Context, c serve.Caller, list []Record) (int, error) {
	if c.Role != RoleOfficer {
		return 0, serve.ErrRole
	}
	if len(list) == 0 || len(list) > maxReports {
		return 0, ErrReport
	}
	now := v.now()
	var good []Record
	for i := range list {
		r := list[i]
		if !r.reportable(now) {
			return 0, ErrReport
		}
		if r.At.Before(now.Add(-v.cfg.Keep)) {
			continue
		}
		r.reporter, r.Post = c.ID, plain(r.Post)
		if o := r.Override; o != nil {
			r.Override = &Override{Act: o.Act, Reason: plain(o.Reason), Second: plain(o.Second), At: o.At.UTC(), Person: c.Name}
		}
		good = append(good, r)
	}
	return v.book.report(ctx, good)
}

// reportable reports whether a record has the form that posts send.
func (r *Record) reportable(now time.Time) bool {
	colours := []string{check.Green.String(), check.Amber.String(), check.Red.String(), check.Info.String()}
	switch {
	case !reportID.MatchString(r.ID), !slices.Contains(colours, r.Colour), len(r.Codes) == 0, len(r.Codes) > 64, len(r.Policies) > 32,
		!reportName.MatchString(r.Bundle), r.At.IsZero(), r.At.After(now.Add(skew)), utf8.RuneCountInString(r.Post) > maxReportText,
		r.BundleAge < -1, r.StatusAge < -1:
		return false
	}
	for _, c := range r.Codes {
		if !reportCode.MatchString(c) {
			return false
		}
	}
	for _, p := range r.Policies {
		if p == "" || !reportName.MatchString(p) {
			return false
		}
	}
	o := r.Override
	if o == nil {
		return true
	}
	n := utf8.RuneCountInString(strings.TrimSpace(o.Reason))
	two := o.Act == ActPass && r.Colour == check.Red.String()
	return (o.Act == ActPass || o.Act == ActSecondLine) && n >= minReason && n <= maxReason && !o.At.IsZero() && !o.At.After(now.Add(skew)) &&
		utf8.RuneCountInString(o.Second) <= maxReportText && (!two || strings.TrimSpace(o.Second) != "")
}

// plain gives text without what could change how the text around it reads:
// control characters and those that turn its direction.
func plain(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case unicode.IsControl(r), r >= '\u202A' && r <= '\u202E', r >= '\u2066' && r <= '\u2069', r == utf8.RuneError:
			return -1
		}
		return r
	}, s))
}

// Overrides lists what people decided otherwise, newest first: all, or those
// that wait for a second person.
func (v *Verifier) Overrides(ctx context.Context, waiting bool) ([]Record, error) {
	all, err := v.book.overrides(ctx, 200)
	if err != nil || !waiting {
		return all, err
	}
	return slices.DeleteFunc(all, func(r Record) bool { return !r.NeedsSecond() }), nil
}

// Answer is a second person's word on an override that needs one: that they
// agreed to it, or that they did not. It is given once, and never by who
// reported the override.
func (v *Verifier) Answer(ctx context.Context, c serve.Caller, id string, agreed bool) error {
	if c.Role != RoleOfficer && c.Role != RoleSupervisor {
		return serve.ErrRole
	}
	answer := AnswerDenied
	if agreed {
		answer = AnswerConfirmed
	}
	return v.book.answer(ctx, id, func(r Record) (Override, error) {
		switch {
		case r.reporter == c.ID:
			return Override{}, ErrOwnOverride
		case r.Override.Answer != "":
			return Override{}, ErrAnswered
		case !r.NeedsSecond():
			return Override{}, ErrNoSuchOverride
		}
		return Override{Answer: answer, By: c.Name, At: v.now()}, nil
	})
}
