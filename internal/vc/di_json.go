package vc

import (
	"bytes"
	"encoding/json"
	"iter"
	"slices"
)

// memberSpan is one member of a JSON object: its decoded name, and the offsets
// of the name's quote, of its value and of the end of the value.
type memberSpan struct {
	name           string
	from, val, end int
}

// members lists the members of the JSON object that data is; ok is false if it
// is something else. data must have passed CheckJSON.
func members(data []byte) (out []memberSpan, ok bool) {
	return appendMembers(make([]memberSpan, 0, usualMembers), data)
}

// usualMembers are as many as most objects have.
const usualMembers = 16

func appendMembers(out []memberSpan, data []byte) ([]memberSpan, bool) {
	i := skipSpace(data, 0)
	if i == len(data) || data[i] != '{' {
		return nil, false
	}
	i = skipSpace(data, i+1)
	for data[i] != '}' {
		m := memberSpan{from: i}
		i = skipValue(data, i)
		m.name = text(data[m.from:i])
		i = skipSpace(data, i)       // the colon
		m.val = skipSpace(data, i+1) // the value
		m.end = skipValue(data, m.val)
		out = append(out, m)
		if i = skipSpace(data, m.end); data[i] == ',' {
			i = skipSpace(data, i+1)
		}
	}
	return out, true
}

// elements lists the values of the JSON array that data is, as slices of it.
// It stops after max+1 of them.
func elements(data []byte, max int) (out [][]byte, ok bool) {
	i := skipSpace(data, 0)
	if i == len(data) || data[i] != '[' {
		return nil, false
	}
	i = skipSpace(data, i+1)
	for data[i] != ']' && len(out) <= max {
		end := skipValue(data, i)
		out = append(out, data[i:end])
		if i = skipSpace(data, end); data[i] == ',' {
			i = skipSpace(data, i+1)
		}
	}
	return out, true
}

func skipSpace(d []byte, i int) int {
	for i < len(d) && (d[i] == ' ' || d[i] == '\n' || d[i] == '\r' || d[i] == '\t') {
		i++
	}
	return i
}

// skipValue gives the offset after the value that begins at i.
func skipValue(d []byte, i int) int {
	depth := 0
	for ; ; i++ {
		switch d[i] {
		case '"':
			r := reader{d: d, i: i}
			i = r.afterString() - 1
		case '{', '[':
			depth++
			continue
		case '}', ']':
			depth--
		case ' ', '\n', '\r', '\t', ',', ':':
			continue
		default: // a number or a word
			for i+1 < len(d) && (d[i+1] > ' ' && d[i+1] != ',' && d[i+1] != '}' && d[i+1] != ']') {
				i++
			}
		}
		if depth == 0 {
			return i + 1
		}
	}
}

// commonNames are names that documents and proofs are made of, so that reading
// one takes no room of its own.
var commonNames = func() map[string]string {
	m := map[string]string{}
	for _, n := range []string{"@context", "id", "type", "issuer", "name", "description", "validFrom", "validUntil", "issuanceDate", "expirationDate",
		"credentialSubject", "credentialStatus", "credentialSchema", "holder", "verifiableCredential", "proof",
		"cryptosuite", "created", "expires", "verificationMethod", "proofPurpose", "proofValue", "challenge", "domain", "nonce", "previousProof",
		TypeCredential, TypePresentation, TypeBirth, TypeGuardianship, typeBitstringEntry, "revocation", "suspension",
		TypeDataIntegrity, PurposeAssertion, PurposeAuthentication, SuiteEdDSARDFC, SuiteEdDSAJCS, SuiteECDSARDFC, SuiteECDSAJCS, SuiteSD} {
		m[n] = n
	}
	return m
}()

// text decodes a JSON string.
func text(quoted []byte) string {
	in := quoted[1 : len(quoted)-1]
	if s, ok := commonNames[string(in)]; ok {
		return s
	}
	if bytes.IndexByte(in, '\\') < 0 {
		return string(in)
	}
	return unquote(in)
}

// nameOf decodes a value that is likely one of commonNames; it gives "" for
// what is no string.
func nameOf(v []byte) string {
	s, _ := stringValue(v)
	return s
}

// stringValue decodes a value that must be a JSON string.
func stringValue(v []byte) (string, bool) {
	if len(v) < 2 || v[0] != '"' {
		return "", false
	}
	return text(v), true
}

// stringValues decodes a string or an array of strings that is not empty.
func stringValues(v []byte, max int) ([]string, bool) {
	if s, ok := stringValue(v); ok {
		return []string{s}, true
	}
	list, ok := elements(v, max)
	if !ok || len(list) == 0 || len(list) > max {
		return nil, false
	}
	out := make([]string, 0, len(list))
	for _, e := range list {
		s, ok := stringValue(e)
		if !ok {
			return nil, false
		}
		out = append(out, s)
	}
	return out, true
}

// without gives the object's text without its member k.
func without(data []byte, ms []memberSpan, k int) []byte {
	from, to := gap(ms, k)
	return slices.Concat(data[:from], data[to:])
}

// gap gives what without leaves out.
func gap(ms []memberSpan, k int) (from, to int) {
	from, to = ms[k].from, ms[k].end
	switch {
	case k > 0:
		from = ms[k-1].end
	case len(ms) > 1:
		to = ms[1].from
	}
	return from, to
}

// rest are the members of the text that without gives. The zero rest is that of
// nothing.
type rest struct {
	members []memberSpan // of the whole
	gone    int
}

// in gives the members of that text, by their names' offset and their value.
func (o rest) in(text []byte) iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		from, to := gap(o.members, o.gone)
		for k, m := range o.members {
			shift := 0
			if k > o.gone {
				shift = to - from
			}
			if k != o.gone && !yield(m.from-shift, text[m.val-shift:m.end-shift]) {
				return
			}
		}
	}
}

// appendMember writes a member at the end of the object that data is.
func appendMember(data []byte, name string, value []byte) []byte {
	end := bytes.LastIndexByte(data, '}')
	last := end
	for last > 0 && (data[last-1] == ' ' || data[last-1] == '\n' || data[last-1] == '\r' || data[last-1] == '\t') {
		last--
	}
	out := make([]byte, 0, len(data)+len(name)+len(value)+4)
	out = append(out, data[:last]...)
	if data[last-1] != '{' {
		out = append(out, ',')
	}
	out = appendQuoted(out, name)
	out = append(out, ':')
	out = append(out, value...)
	return append(out, data[last:]...)
}

// appendQuoted writes s as a JSON string.
func appendQuoted(dst []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < 0x20 || c >= 0x7f || c == '"' || c == '\\' {
			q, err := json.Marshal(s)
			if err != nil { // a string has a JSON form
				return append(dst, `""`...)
			}
			return append(dst, q...)
		}
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}
