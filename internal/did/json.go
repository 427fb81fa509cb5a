package did

import (
	"bytes"
	"encoding/json"
	"io"
	"unicode/utf8"
)

const maxDepth = 32 // of JSON; DID documents have about five levels

// checkJSON refuses what two readers could read differently: duplicate names,
// invalid UTF-8, more than one value, and nesting beyond maxDepth.
func checkJSON(data []byte) error {
	if !utf8.Valid(data) {
		return ErrInvalid
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if err := checkValue(dec, maxDepth); err != nil {
		return err
	}
	if _, err := dec.Token(); err != io.EOF {
		return ErrInvalid
	}
	return nil
}

func checkValue(dec *json.Decoder, depth int) error {
	t, err := dec.Token()
	if err != nil {
		return ErrInvalid.With(err)
	}
	d, ok := t.(json.Delim)
	if !ok {
		return nil
	}
	if depth == 0 {
		return ErrInvalid
	}
	var names map[string]bool
	if d == '{' {
		names = map[string]bool{}
	}
	for dec.More() {
		if names != nil {
			t, err := dec.Token()
			if err != nil {
				return ErrInvalid.With(err)
			}
			name, ok := t.(string)
			if !ok || names[name] {
				return ErrInvalid
			}
			names[name] = true
		}
		if err := checkValue(dec, depth-1); err != nil {
			return err
		}
	}
	if _, err := dec.Token(); err != nil {
		return ErrInvalid.With(err)
	}
	return nil
}

// members gives the members of one JSON object that checkJSON has seen, by
// their exact names: decoding into a struct takes names of any case.
func members(data []byte) (map[string]json.RawMessage, bool) {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(data, &m); err != nil || m == nil {
		return nil, false
	}
	return m, true
}

// text gives a member that must be a string and not empty.
func text(m map[string]json.RawMessage, name string) (string, bool) {
	raw := m[name]
	if len(raw) == 0 || raw[0] != '"' {
		return "", false
	}
	var s string
	return s, json.Unmarshal(raw, &s) == nil && s != ""
}

// optional gives a member that must be a string if it is there.
func optional(m map[string]json.RawMessage, name string) (string, bool) {
	if _, has := m[name]; !has {
		return "", true
	}
	return text(m, name)
}
