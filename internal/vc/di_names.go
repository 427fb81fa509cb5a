//go:build !js

package vc

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/kinpass/kinpass/internal/fault"
)

// ErrAlias says that a document calls a property by another name than its own.
var ErrAlias = fault.New(fault.Invalid, "proof-alias", "a property is named by an IRI, a prefix or an alias instead of by its term")

// vocabularies hold the properties that decide whether a credential is good.
var vocabularies = []string{
	"https://www.w3.org/2018/credentials#",
	"https://www.w3.org/ns/credentials/status#",
	"https://www.w3.org/ns/credentials/issuer-dependent#",
	"https://w3id.org/security#",
	"https://w3id.org/kinpass/v1#",
}

// plainNames refuses a document in which a property could stand under a name
// that its reader does not look for. RDF cryptosuites sign what a name means,
// not how it is spelled, and do not sign the contexts: whoever writes
// "https://www.w3.org/2018/credentials#validUntil" for validUntil, or adds a
// context with an alias for it, keeps the signature and hides the end, or the
// status, from everybody who reads JSON. Terms of an inline context may name
// anything but what is in the vocabularies above. doc has passed CheckJSON.
func plainNames(doc []byte) error {
	for i := 0; i < len(doc); i++ {
		if doc[i] != '"' {
			continue
		}
		end := skipValue(doc, i)
		next := skipSpace(doc, end)
		if next < len(doc) && doc[next] == ':' { // a member's name
			name := doc[i:end]
			if bytes.IndexByte(name, '\\') >= 0 {
				var s string
				if json.Unmarshal(name, &s) != nil {
					return ErrAlias
				}
				name = []byte(s)
			} else {
				name = name[1 : len(name)-1]
			}
			if string(name) == "@context" {
				from := skipSpace(doc, next+1)
				end = skipValue(doc, from)
				if err := plainContext(doc[from:end]); err != nil {
					return err
				}
			} else if i := bytes.IndexByte(name, ':'); i >= 0 && inVocabulary(string(name), string(name[:i])) {
				return ErrAlias
			}
		}
		i = end - 1
	}
	return nil
}

// plainContext checks the inline objects of a context.
func plainContext(context []byte) error {
	if bytes.IndexByte(context, '{') < 0 {
		return nil // URLs of built-in contexts, which have no such aliases
	}
	var v any
	if json.Unmarshal(context, &v) != nil {
		return ErrAlias
	}
	return plainDefinitions(v)
}

// plainDefinitions checks every text of a context object that can become an IRI
// or a keyword's alias.
func plainDefinitions(v any) error {
	switch t := v.(type) {
	case []any:
		for _, x := range t {
			if _, url := x.(string); url {
				continue
			}
			if err := plainDefinitions(x); err != nil {
				return err
			}
		}
	case map[string]any:
		for name, x := range t {
			s, text := x.(string)
			switch {
			case !text:
				if err := plainDefinitions(x); err != nil {
					return err
				}
			case name == "@type" || name == "@container" || name == "@direction" || name == "@language" || name == "@context" || name == "@import":
				// a keyword, a datatype or the address of a context
			case name == "id" && s == "@id", name == "type" && s == "@type":
				// as the standard's own contexts have it
			case strings.HasPrefix(s, "@"), reaches(s):
				return ErrAlias
			}
		}
	}
	return nil
}

// inVocabulary reports whether a member's name with a colon means a property of
// one of the vocabularies: as an IRI, or by a prefix that a built-in context
// has.
func inVocabulary(name, prefix string) bool {
	for _, v := range vocabularies {
		if strings.HasPrefix(name, v) {
			return true
		}
	}
	return prefix == "cred" || prefix == "sec"
}

// reaches reports whether an IRI, or one that begins with it, is in one of the
// vocabularies.
func reaches(iri string) bool {
	if strings.HasPrefix(iri, "cred:") || strings.HasPrefix(iri, "sec:") { // prefixes that built-in contexts have
		return true
	}
	for _, v := range vocabularies {
		if iri != "" && (strings.HasPrefix(iri, v) || strings.HasPrefix(v, iri)) {
			return true
		}
	}
	return false
}
