package vc

import (
	"bytes"
	"encoding/json"
	"io"
	"unicode/utf8"

	"github.com/kinpass/kinpass/internal/fault"
)

// Errors of strict JSON reading.
var (
	ErrJSON      = fault.New(fault.Invalid, "json-invalid", "not valid JSON of the expected shape")
	ErrJSONDeep  = fault.New(fault.Invalid, "json-deep", "the JSON is nested too deeply")
	ErrJSONTwice = fault.New(fault.Invalid, "json-duplicate-member", "a JSON object names a member twice")
)

// StrictJSON decodes one JSON value into v and refuses invalid UTF-8, nesting
// deeper than depth, a member named twice (RFC 8259 leaves it open; two
// readers must not see two different documents) and anything after the value.
// Unknown members are allowed; Go's case-insensitive matching is not, because
// CheckJSON is asked about names that differ only in case.
func StrictJSON(data []byte, v any, depth int) error {
	if err := CheckJSON(data, depth); err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return ErrJSON.With(err)
	}
	return nil
}

// CheckJSON scans data once and reports what StrictJSON refuses. Two names
// that are equal when ASCII case is ignored count as one name twice, since
// encoding/json would match both to one field.
func CheckJSON(data []byte, depth int) error {
	if !utf8.Valid(data) {
		return ErrJSON
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	type frame struct {
		object bool
		key    bool // the next token is a member name
		names  map[string]struct{}
	}
	var stack []frame
	started := false
	for {
		tok, err := dec.Token()
		if err == io.EOF {
			if !started || len(stack) > 0 {
				return ErrJSON
			}
			return nil
		}
		if err != nil {
			return ErrJSON.With(err)
		}
		if started && len(stack) == 0 {
			return ErrJSON // a second value
		}
		started = true
		top := len(stack) - 1
		if d, ok := tok.(json.Delim); ok {
			switch d {
			case '{', '[':
				if top >= 0 && stack[top].object {
					stack[top].key = true
				}
				if len(stack) == depth {
					return ErrJSONDeep
				}
				f := frame{object: d == '{', key: d == '{'}
				if f.object {
					f.names = map[string]struct{}{}
				}
				stack = append(stack, f)
			default:
				stack = stack[:top]
			}
			continue
		}
		if top < 0 || !stack[top].object {
			continue
		}
		if stack[top].key {
			name := foldASCII(tok.(string))
			if _, twice := stack[top].names[name]; twice {
				return ErrJSONTwice
			}
			stack[top].names[name] = struct{}{}
			stack[top].key = false
		} else {
			stack[top].key = true
		}
	}
}

func foldASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 32
		}
	}
	return string(b)
}
