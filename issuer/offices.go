package issuer

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/tlog"
	"github.com/kinpass/kinpass/internal/vc"
)

var errOffices = fault.New(fault.Invalid, "offices", "the file about offices cannot be used").
	WithHint(`{"offices": [{"label": "north", "operators": ["names of accounts and tokens"], "registered": ["offices as records name them"]}]}: ` +
		"labels of a-z, 0-9 and -, 32 characters at most, each name once")

// maxLabel leaves room for the role in an entry's label.
const maxLabel = 32

// Office is what the ledger calls one or more offices that register. Everybody can
// count what is issued under a label in each hour: offices with few registrations
// share one.
type Office struct {
	Label string `json:"label"` // a-z, 0-9 and "-"
	// Operators are names of accounts and API tokens: what they register counts for
	// this office, whatever the record says.
	Operators []string `json:"operators,omitempty"`
	// Registered are offices as records of births name them, or where a record
	// names none, its authority: what nobody else's operator registers counts here.
	Registered []string `json:"registered,omitempty"`
}

// ReadOffices reads the offices that a ledger tells apart from JSON:
// {"offices": [Office, …]}. Its faults are of the class Invalid.
func ReadOffices(data []byte) ([]Office, error) {
	var file struct {
		Offices []Office `json:"offices"`
	}
	if err := vc.StrictJSON(data, &file, 5); err != nil {
		return nil, errOffices.With(err)
	}
	known := json.NewDecoder(bytes.NewReader(data)) // a name that is mistyped must not be passed over
	known.DisallowUnknownFields()
	if err := known.Decode(&file); err != nil {
		return nil, errOffices.With(err)
	}
	_, err := labelled(file.Offices)
	return file.Offices, err
}

// labels finds an office's label.
type labels struct{ operators, registered map[string]string }

func labelled(list []Office) (labels, error) {
	out := labels{map[string]string{}, map[string]string{}}
	for _, o := range list {
		e := tlog.Entry{Kind: tlog.Issued, Hour: time.Unix(0, 0), Office: o.Label}
		if _, err := e.Bytes(); err != nil || o.Label == "" || len(o.Label) > maxLabel {
			return labels{}, errOffices
		}
		for _, x := range []struct {
			into  map[string]string
			names []string
		}{{out.operators, o.Operators}, {out.registered, o.Registered}} {
			for _, name := range x.names {
				if _, twice := x.into[name]; twice || name == "" {
					return labels{}, errOffices
				}
				x.into[name] = o.Label
			}
		}
	}
	return out, nil
}

// of gives the label of the office that registered what a copy is made of, "" if
// the ledger does not tell it apart. The record's own word counts for the civil
// register alone: a court's order is not the act of the office of birth.
func (l labels) of(c copyOf) string {
	if s := l.operators[c.record.Proposer.Name]; s != "" {
		return s
	}
	if c.birth == nil || c.form().role != RoleRegistrar {
		return ""
	}
	if s := c.birth.Registration.Office; s != "" {
		return l.registered[s]
	}
	return l.registered[c.birth.Registration.Authority]
}

// entryLabel names in the ledger in whose name something was signed, and where it
// is known, for which office: the role, in lower case with hyphens, and the
// office's label.
func entryLabel(role, office string) string {
	if role == "" {
		role = RoleRegistrar
	}
	var b strings.Builder
	for _, c := range role {
		if c >= 'A' && c <= 'Z' {
			b.WriteByte('-')
			c += 'a' - 'A'
		}
		b.WriteRune(c)
	}
	if office != "" {
		b.WriteString("-" + office)
	}
	return b.String()
}
