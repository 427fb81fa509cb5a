package did

import (
	"strconv"
	"strings"
)

// Media types of the resolver.
const (
	typeResolution    = "application/did-resolution"
	typeDereferencing = "application/did-url-dereferencing"
	typeLegacy        = `application/ld+json;profile="https://w3id.org/did-resolution"`
	profileLegacy     = "https://w3id.org/did-resolution"
)

const maxAccept = 1 << 10 // bytes

// shape is what the body of an answer looks like.
type shape int

const (
	shapeNone          shape = iota
	shapeResolution          // a resolution result (DID Resolution 1.0)
	shapeDereferencing       // a dereferencing result
	shapeLegacy              // a resolution result of W3C CCG DID Resolution 0.3
	shapeBare                // the document or method alone
)

// negotiate gives the shape and media type that an Accept header prefers
// (RFC 9110, section 12.5.1), or shapeNone. Without a header a resolution
// result is given.
func negotiate(accept string) (shape, string) {
	if len(accept) > maxAccept {
		return shapeNone, ""
	}
	if strings.TrimSpace(accept) == "" {
		return shapeResolution, typeResolution
	}
	best, media, quality := shapeNone, "", 0.0
	for _, item := range split(accept, ',') {
		parts := split(item, ';')
		name := strings.ToLower(strings.TrimSpace(parts[0]))
		q, profile := 1.0, ""
		for _, p := range parts[1:] {
			k, v, _ := strings.Cut(p, "=")
			v = strings.Trim(strings.TrimSpace(v), `"`)
			switch strings.ToLower(strings.TrimSpace(k)) {
			case "q":
				f, err := strconv.ParseFloat(v, 64)
				if err != nil || !(f >= 0 && f <= 1) {
					f = 0
				}
				q = f
			case "profile":
				profile = v
			}
		}
		s, m := offer(name, profile)
		if s != shapeNone && q > quality {
			best, media, quality = s, m, q
		}
	}
	return best, media
}

// offer gives what is answered to one media range.
func offer(name, profile string) (shape, string) {
	switch name {
	case "*/*", "application/*", typeResolution:
		return shapeResolution, typeResolution
	case typeDereferencing:
		return shapeDereferencing, typeDereferencing
	case "application/ld+json":
		for _, p := range strings.Fields(profile) {
			if p == profileLegacy {
				return shapeLegacy, typeLegacy
			}
		}
		if profile == "" {
			return shapeBare, name
		}
	case "application/did", "application/did+json", "application/did+ld+json", "application/json":
		return shapeBare, name
	}
	return shapeNone, ""
}

// split cuts at a separator outside quoted strings.
func split(s string, sep byte) []string {
	var out []string
	start, quoted := 0, false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && quoted:
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == sep && !quoted:
			out = append(out, s[start:i])
			start = i + 1
		}
	}
	return append(out, s[start:])
}
