package vc

import (
	"slices"
	"time"
)

// States of an accreditation. Whatever is not accredited is not.
const (
	Accredited = "accredited"
	Suspended  = "suspended"
)

// AccreditationTerm says what holds for an issuer from Since on, until the next
// term: accredited to issue these types on these legal bases until a day, or
// suspended.
type AccreditationTerm struct {
	State string    `json:"state"`
	Since time.Time `json:"since"`
	Until time.Time `json:"until,omitzero"`
	Types []string  `json:"types,omitempty"`
	// Bases narrow the legal bases of the issuer's keys; none means that they
	// are those of each key.
	Bases []string `json:"bases,omitempty"`
}

// Accreditation is the term in force and all that came before it, oldest first.
// Of what was issued before the first term it says nothing.
type Accreditation struct {
	AccreditationTerm
	Earlier  []AccreditationTerm `json:"earlier,omitempty"`
	Findings []Finding           `json:"findings,omitempty"`
}

// Severities of findings.
const (
	FindingMinor    = "minor"
	FindingMajor    = "major"
	FindingCritical = "critical"
)

// Finding is what an audit of an issuer found. Summary is public: it never
// holds what points to a person.
type Finding struct {
	ID       string    `json:"id"`
	At       time.Time `json:"at"`
	Severity string    `json:"severity"`
	Summary  string    `json:"summary"`
	ClosedAt time.Time `json:"closedAt,omitzero"`
}

// At gives the term that holds at a time, nil if nothing is said of it.
func (a *Accreditation) At(t time.Time) *AccreditationTerm {
	if a == nil {
		return nil
	}
	if !t.Before(a.Since) {
		return &a.AccreditationTerm
	}
	for i := len(a.Earlier) - 1; i >= 0; i-- {
		if !t.Before(a.Earlier[i].Since) {
			return &a.Earlier[i]
		}
	}
	return nil
}

// HoldsAt reports whether an issuer under this term may issue at a time. Without
// a term nothing is asked.
func (t *AccreditationTerm) HoldsAt(at time.Time) bool {
	return t == nil || t.State == Accredited && !at.Before(t.Since) && at.Before(t.Until)
}

// May reports whether the term is for this type of credential.
func (t *AccreditationTerm) May(kind string) bool {
	return t == nil || slices.Contains(t.Types, kind)
}

// MayBase reports whether the term is for guardianships on this legal basis.
func (t *AccreditationTerm) MayBase(basis string) bool {
	return t == nil || len(t.Bases) == 0 || slices.Contains(t.Bases, basis)
}
