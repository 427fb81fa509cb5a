package issuer

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/icao"
	"github.com/kinpass/kinpass/internal/vc"
)

// MaxRegistration bounds one registration in bytes.
const MaxRegistration = 64 << 10

// maxBroken bounds how many broken rules one refusal names.
const maxBroken = 20

// Errors of registration. All of them are the registrar's to mend.
var (
	// ErrRegistration names every broken rule in its Fields, by JSON pointer
	// and sentence, without a value.
	ErrRegistration      = fault.New(fault.Unprocessable, "registration-refused", "the registration breaks rules of the register")
	ErrRegistrationLarge = fault.New(fault.TooLarge, "registration-too-large", "a registration has at most 64 KiB")
	// ErrMRZNeeded says that a name cannot be written in Latin letters by the
	// standard: there is no border credential until somebody gives the
	// machine-readable name.
	ErrMRZNeeded = icao.ErrNoTable
)

// CheckBirth reads one registration of a birth: strict JSON of at most
// MaxRegistration bytes, schema registration/birth/1, and then what the schema
// lets pass although no birth can be so. It returns a normalised copy: texts in
// Unicode NFC without direction marks, document numbers in capitals, a portrait
// digest in base64url. now decides what lies in the future; its day is the civil
// day in its own location.
//
// A refusal is ErrRegistration with up to twenty Fields, a fault of kind Invalid
// for what is not JSON, or ErrRegistrationLarge.
func CheckBirth(raw []byte, now time.Time) (*vc.Birth, error) {
	var b vc.Birth
	c, err := inspect(raw, vc.SchemaRegistrationBirth, &b, now)
	if err != nil {
		return nil, err
	}
	c.birth(&b)
	if err := c.refusal(); err != nil {
		return nil, err
	}
	return &b, nil
}

// CheckGuardianship reads one registration of a guardianship as CheckBirth does
// a birth. What needs the child's record is left to CheckWard.
func CheckGuardianship(raw []byte, now time.Time) (*vc.Guardianship, error) {
	var g vc.Guardianship
	c, err := inspect(raw, vc.SchemaRegistrationGuard, &g, now)
	if err != nil {
		return nil, err
	}
	c.guardianship(&g)
	if err := c.refusal(); err != nil {
		return nil, err
	}
	return &g, nil
}

// inspection gathers the broken rules of one registration.
type inspection struct {
	today  vc.Date
	shape  []string // paths the schema refused, which are not judged again
	fields []fault.Field
}

func newInspection(now time.Time) *inspection {
	y, m, d := now.Date()
	return &inspection{today: vc.Date{Year: y, Month: m, Day: d}}
}

// inspect validates raw against a schema and decodes it. A document that breaks
// the schema is decoded as far as it goes, so that one refusal names all that is
// wrong with it.
func inspect(raw []byte, schema string, into any, now time.Time) (*inspection, error) {
	if len(raw) > MaxRegistration {
		return nil, ErrRegistrationLarge
	}
	c := newInspection(now)
	err := vc.ValidateSchema(schema, raw)
	if err != nil && !errors.Is(err, vc.ErrSchema) {
		return nil, err
	}
	if err != nil {
		for _, f := range fault.As(err).Fields {
			c.refuse(f.Path, f.Rule)
		}
		for _, f := range c.fields {
			if f.Path != "" {
				c.shape = append(c.shape, f.Path)
			}
		}
	}
	if err == nil {
		return c, vc.DecodeChecked(raw, into)
	}
	if err := json.Unmarshal(raw, into); err != nil && len(c.fields) == 0 {
		return nil, vc.ErrJSON.With(err)
	}
	return c, nil
}

// refuse notes that the place path breaks a rule. Neither text may come from the
// registration.
func (c *inspection) refuse(path, rule string) {
	if slices.Contains(c.shape, path) {
		return
	}
	f := fault.Field{Path: path, Rule: rule}
	if !slices.Contains(c.fields, f) && len(c.fields) <= maxBroken {
		c.fields = append(c.fields, f)
	}
}

// refusal gives what was noted as one error, or nil.
func (c *inspection) refusal() error {
	if len(c.fields) == 0 {
		return nil
	}
	return ErrRegistration.WithFields(c.fields[:min(len(c.fields), maxBroken)]...)
}

// first gives at most n entries. The schema has refused more; what is judged
// beyond it must not cost the square of what somebody sent.
func first[T any](list []T, n int) []T { return list[:min(len(list), n)] }

// at extends a JSON pointer by array indexes and member names.
func at(path string, tokens ...any) string {
	var b strings.Builder
	b.WriteString(path)
	for _, t := range tokens {
		b.WriteByte('/')
		switch t := t.(type) {
		case string:
			b.WriteString(t)
		case int:
			b.WriteString(itoa(t))
		}
	}
	return b.String()
}
