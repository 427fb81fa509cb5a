package stage

import (
	"slices"

	"github.com/kinpass/kinpass/internal/policy"
	"github.com/kinpass/kinpass/verifier/check"
)

// Outcome is what a check said of one case.
type Outcome struct {
	Case   string        `json:"case"`
	Source string        `json:"source,omitempty"`
	Expect policy.Expect `json:"expect"`
	Colour string        `json:"colour"`
	Codes  []string      `json:"codes"`
	OK     bool          `json:"ok"`
	Ask    []string      `json:"ask,omitempty"`
}

// Test plays every case of a policy. A case is in order when the colour is the
// one expected and every code expected is among the reasons.
func (s *Stage) Test(p *policy.Policy) ([]Outcome, error) {
	out := make([]Outcome, 0, len(p.Cases))
	for i := range p.Cases {
		c := &p.Cases[i]
		d, err := s.Play(p, c)
		if err != nil {
			return nil, err
		}
		out = append(out, Outcome{Case: c.Name, Source: c.Source, Expect: c.Expect, Colour: d.Colour.String(), Codes: d.Codes(),
			OK: meets(d, c.Expect), Ask: d.Ask})
	}
	return out, nil
}

func meets(d check.Decision, e policy.Expect) bool {
	return d.Colour.String() == e.Colour && !slices.ContainsFunc(e.Codes, func(c string) bool { return !d.Has(c) })
}
