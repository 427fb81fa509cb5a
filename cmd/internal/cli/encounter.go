package cli

import (
	"bytes"
	"encoding/json"

	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/verifier/check"
)

// encounter is one encounter at a counter in a file, as kinpass check reads it
// and the demonstration writes it: what was scanned, what the officer knows and
// what the post remembers. It has members of POST /checks, and history.
type encounter struct {
	Presentation     string        `json:"presentation"`
	Exit             string        `json:"exit,omitempty"`
	Entry            string        `json:"entry,omitempty"`
	Direction        string        `json:"direction,omitempty"`
	Company          string        `json:"company,omitempty"`
	ChildNationality string        `json:"childNationality,omitempty"`
	Residence        string        `json:"residence,omitempty"`
	Session          string        `json:"session,omitempty"`
	History          check.History `json:"history,omitzero"`
}

// readEncounter reads a file of one encounter. What is no such file is not one:
// it may be a code that somebody scanned.
func readEncounter(in []byte) (*encounter, bool) {
	in = bytes.TrimSpace(in)
	if len(in) == 0 || in[0] != '{' {
		return nil, false
	}
	if vc.CheckJSON(in, 8) != nil {
		return nil, false
	}
	var e encounter
	d := json.NewDecoder(bytes.NewReader(in))
	d.DisallowUnknownFields() // a fact that is not understood must not be dropped
	if d.Decode(&e) != nil || e.Presentation == "" {
		return nil, false
	}
	return &e, true
}

// add puts what the file says into the facts; what was typed now counts before
// it.
func (e *encounter) add(f *check.Facts) {
	for _, x := range []struct {
		to   *string
		said string
	}{{&f.Exit, e.Exit}, {&f.Entry, e.Entry}, {&f.Direction, e.Direction}, {&f.Company, e.Company},
		{&f.ChildNationality, e.ChildNationality}, {&f.Residence, e.Residence}, {&f.Session, e.Session}} {
		if *x.to == "" {
			*x.to = x.said
		}
	}
}
