//go:build !js

package vc

import "bytes"

// Reading single values of a document whose JSON was checked, without decoding
// the rest. Every value here is a slice of the document and not empty.

// member reads a name, its colon and its value.
func (r *reader) member() (name, value []byte) {
	name = r.name()
	return name, r.value()
}

// value reads what follows the name of a member.
func (r *reader) value() []byte {
	if r.peek() == ':' {
		r.i++
	}
	return r.skip()
}

// name reads the name of a member.
func (r *reader) name() []byte {
	r.space()
	name, escaped := r.text()
	if escaped {
		name = []byte(unquote(name))
	}
	return name
}

// eachOf calls f for v itself, or for each element if v is an array. It stops
// at the first error.
func eachOf(v []byte, f func([]byte) error) error {
	if len(v) == 0 {
		return nil
	}
	if v[0] != '[' {
		return f(v)
	}
	r := reader{d: v, i: 1}
	for first := true; r.more(first); first = false {
		if err := f(r.skip()); err != nil {
			return err
		}
	}
	return nil
}

// memberOf gives the value of a member of an object, nil if it has none.
func memberOf(object []byte, name string) []byte {
	if len(object) == 0 || object[0] != '{' {
		return nil
	}
	r := reader{d: object, i: 1}
	for first := true; r.more(first); first = false {
		if n, v := r.member(); string(n) == name {
			return v
		}
	}
	return nil
}

// textOf gives the text of a JSON string, nil for any other value. An empty
// string gives an empty slice that is not nil.
func textOf(v []byte) []byte {
	if len(v) < 2 || v[0] != '"' {
		return nil
	}
	inner := v[1 : len(v)-1]
	if bytes.IndexByte(inner, '\\') >= 0 {
		return []byte(unquote(inner))
	}
	return inner
}

// urlOf gives the text of a JSON string that is a URL, else nil.
func urlOf(v []byte) []byte {
	if u := textOf(v); isURL(u) {
		return u
	}
	return nil
}

// isURL reports whether u is an absolute URL or other URI or IRI: a scheme
// and something after it, without the characters that RFC 3987 leaves out.
func isURL(u []byte) bool {
	colon := bytes.IndexByte(u, ':')
	if colon < 1 || colon == len(u)-1 {
		return false
	}
	for i, c := range u[:colon] {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (i == 0 || !(c >= '0' && c <= '9' || c == '+' || c == '-' || c == '.')) {
			return false
		}
	}
	for _, c := range u[colon+1:] {
		if c <= ' ' || c == 0x7f || notInURL[c] {
			return false
		}
	}
	if s := string(u[:colon]); s == "http" || s == "https" {
		rest, ok := bytes.CutPrefix(u[colon+1:], []byte("//"))
		return ok && len(rest) > 0 && rest[0] != '/' && rest[0] != '?' && rest[0] != '#' && rest[0] != ':'
	}
	return true
}

var notInURL = func() (t [256]bool) {
	for _, c := range []byte("<>\"{}|\\^`") {
		t[c] = true
	}
	return t
}()

// isText reports whether v is a string, a value object of language and
// direction, or an array of those (section 11.1).
func isText(v []byte) bool {
	n := 0
	err := eachOf(v, func(item []byte) error {
		n++
		if item[0] != '"' && !isLanguageValue(item) {
			return ErrText
		}
		return nil
	})
	return err == nil && n > 0
}

func isLanguageValue(v []byte) bool {
	if v[0] != '{' {
		return false
	}
	value := false
	r := reader{d: v, i: 1}
	for first := true; r.more(first); first = false {
		name, m := r.member()
		t := textOf(m)
		if t == nil {
			return false
		}
		switch string(name) {
		case "@value":
			value = true
		case "@language":
			if len(t) == 0 || len(t) > 35 {
				return false
			}
			for _, c := range t {
				if c != '-' && !(c >= '0' && c <= '9') && !(c|0x20 >= 'a' && c|0x20 <= 'z') {
					return false
				}
			}
		case "@direction":
			if string(t) != "ltr" && string(t) != "rtl" {
				return false
			}
		default:
			return false
		}
	}
	return value
}
