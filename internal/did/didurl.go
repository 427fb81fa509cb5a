package did

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
)

// target is what a resolver is asked for: a DID URL (DID Core 1.0, section
// 3.2) with the options of the request.
type target struct {
	did      string
	url      bool   // has a path, a query or a fragment
	path     string // with its slash
	rawQuery string
	query    url.Values // of the DID URL itself
	fragment string     // without its hash
	hasFrag  bool

	expansion
	accept  string     // instead of the header
	asked   url.Values // DID parameters in the query of the request
	problem *problem   // why it cannot be resolved
}

// parseTarget reads what follows the resolver's path in a request: the DID or
// DID URL, raw or percent-encoded, and after a raw "?" options and DID
// parameters. A target is returned also with a problem, since the answer's
// form depends on it.
func parseTarget(input string) target {
	if len(input) > maxDIDURL {
		return target{problem: &invalidDID}
	}
	head, rest, asks := strings.Cut(input, "?")
	rest, frag, hasFrag := strings.Cut(rest, "#")
	text, ok := decoded(head)
	if hasFrag {
		text += "#" + frag // a raw fragment after the query
	}
	t := splitURL(text)
	if !ok {
		t.problem = &invalidDID
		return t
	}
	t.check()
	if asks && t.problem == nil {
		t.options(rest)
	}
	return t
}

// decoded undoes the percent-encoding of a whole DID URL. One that begins with
// "did:" is as it is, since a did:web has percent signs of its own, but for
// the three separators that cannot be sent as they are.
func decoded(s string) (string, bool) {
	if strings.HasPrefix(s, "did:") {
		return separators.Replace(s), true
	}
	if !strings.Contains(s, "%") {
		return s, true
	}
	u, err := url.PathUnescape(s)
	return u, err == nil
}

var separators = strings.NewReplacer("%23", "#", "%2F", "/", "%2f", "/", "%3F", "?", "%3f", "?")

func splitURL(s string) target {
	var t target
	s, t.fragment, t.hasFrag = strings.Cut(s, "#")
	s, query, hasQuery := strings.Cut(s, "?")
	t.rawQuery = query
	if i := strings.IndexByte(s, '/'); i >= 0 {
		s, t.path = s[:i], s[i:]
	}
	t.did = s
	t.url = t.hasFrag || hasQuery || t.path != ""
	return t
}

// check looks at the syntax of the DID and of the rest of the URL.
func (t *target) check() {
	if !validDID(t.did) {
		t.problem = &invalidDID
		return
	}
	if !validChars(t.path, "/") || !validChars(t.rawQuery, "/?") || !validChars(t.fragment, "/?") || t.hasFrag && t.fragment == "" {
		t.problem = &invalidDIDURL
		return
	}
	v, err := url.ParseQuery(t.rawQuery)
	if err != nil || !validParameters(v) {
		t.problem = &invalidDIDURL
		return
	}
	t.query = v
}

// options reads the query of the request: options of the resolver, and DID
// parameters, which everything else is.
func (t *target) options(raw string) {
	v, err := url.ParseQuery(raw)
	if err != nil {
		t.problem = &invalidOptions
		return
	}
	t.asked = url.Values{}
	unstable := false
	format := ""
	for _, name := range slices.Sorted(maps.Keys(v)) {
		values := v[name]
		if len(values) != 1 || !ascii(values[0]) || !ascii(name) {
			t.problem = &invalidOptions
			return
		}
		switch value := values[0]; name {
		case "accept":
			t.accept = value
		case "publicKeyFormat":
			format = value
		case "enableExperimentalPublicKeyTypes":
			unstable = value == "true"
			if value != "true" && value != "false" {
				t.problem = &invalidOptions
			}
		case "enableEncryptionKeyDerivation":
			t.noAgreement = value == "false"
			if value != "true" && value != "false" {
				t.problem = &invalidOptions
			}
		default:
			t.asked.Set(name, value)
		}
	}
	if t.problem == nil && !validParameters(t.asked) {
		t.problem = &invalidDIDURL
	}
	// A relative reference that was not percent-encoded before it went into
	// the request.
	if t.problem == nil && !validChars(t.asked.Get("relativeRef"), "/") {
		t.problem = &invalidDIDURL
	}
	t.url = t.url || len(t.asked) > 0
	if t.problem == nil && v.Has("publicKeyFormat") {
		t.format, t.problem = chosenFormat(format, unstable)
	}
}

// chosenFormat follows the did:key method, section 3.1: a format that is
// unknown is told from one that is known and only experimental.
func chosenFormat(format string, unstable bool) (string, *problem) {
	switch {
	case formatContexts[format] != "":
		return format, nil
	case experimental[format] && !unstable:
		return "", &unfitFormat
	}
	return "", &unknownFormat
}

// validDID follows the grammar of DID Core 1.0, section 3.1.
func validDID(s string) bool {
	rest, ok := strings.CutPrefix(s, "did:")
	if !ok || len(s) > maxDIDURL {
		return false
	}
	method, id, ok := strings.Cut(rest, ":")
	if !ok || method == "" || id == "" || strings.HasSuffix(id, ":") {
		return false
	}
	for i := 0; i < len(method); i++ {
		if c := method[i]; !('a' <= c && c <= 'z' || '0' <= c && c <= '9') {
			return false
		}
	}
	for i := 0; i < len(id); i++ {
		switch c := id[i]; {
		case letterOrDigit(c), strings.IndexByte(".-_:", c) >= 0:
		case c == '%' && escape(id[i:]):
			i += 2
		default:
			return false
		}
	}
	return true
}

// validChars reports whether s has only pchar of RFC 3986, or of more.
func validChars(s, more string) bool {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case letterOrDigit(c), strings.IndexByte("-._~!$&'()*+,;=:@", c) >= 0, strings.IndexByte(more, c) >= 0:
		case c == '%' && escape(s[i:]):
			i += 2
		default:
			return false
		}
	}
	return true
}

func letterOrDigit(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

func escape(s string) bool {
	return len(s) >= 3 && strings.Trim(s[1:3], "0123456789abcdefABCDEF") == ""
}

func ascii(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}

// validParameters checks the DID parameters (DID Resolution 1.0, section 3):
// ASCII, once each; a time in UTC with whole seconds.
func validParameters(v url.Values) bool {
	for name, values := range v {
		if len(values) != 1 || !ascii(name) || !ascii(values[0]) {
			return false
		}
	}
	if v.Has("versionTime") {
		s := v.Get("versionTime")
		t, err := time.Parse("2006-01-02T15:04:05Z", s)
		if err != nil || t.Format("2006-01-02T15:04:05Z") != s {
			return false // fractions are parsed although the layout has none
		}
	}
	return true
}
