package policy

// Severity of a finding.
type Severity int

// Severities. The zero Severity is Amber, so that nothing is softer by mistake.
const (
	Amber Severity = iota
	Red
	Info
)

// Finding is one thing that a policy misses. Code is one of the border's reason
// codes (docs/ERRORS.md).
type Finding struct {
	Code     string
	Severity Severity
}

// Result is what one policy says about one situation.
type Result struct {
	// Applies: the policy speaks about this child and this crossing.
	Applies  bool
	Findings []Finding // in the order of the officer's table, no code twice
	// Ask names facts of the Situation that nobody knows and that would change
	// the findings, by the officer's input: childNationality, residence,
	// companionNationality, companionResidence, residenceProof, returnBy,
	// adultDocument (for the age of an adult), exit or entry (the other country).
	Ask []string
	// HighRisk: the policy holds this route for one on which a status that
	// nobody can tell is red (domain handbook, section 3.4, row 12).
	HighRisk bool
}
