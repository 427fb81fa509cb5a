//go:build !js

package vc

import (
	"strings"

	"github.com/kinpass/kinpass/internal/fault"
)

// Where the names of problem types come from: VCDM 2.0, section 7.2; VC Data
// Integrity 1.0, section 4.7; Bitstring Status List 1.0, section 3.5.
const (
	problemModel    = "https://www.w3.org/TR/vc-data-model#"
	problemSecurity = "https://w3id.org/security#"
	problemStatus   = "https://www.w3.org/ns/credentials/status-list#"
)

// problems gives the type of a fault by its code, or by the longest beginning
// of it that is listed here.
var problems = map[string]string{
	"parsing":           problemModel + "PARSING_ERROR",
	"too-large":         problemModel + "PARSING_ERROR",
	"json-":             problemModel + "PARSING_ERROR",
	"model-not-object":  problemModel + "PARSING_ERROR",
	"model-too-large":   problemModel + "PARSING_ERROR",
	"jws-malformed":     problemModel + "PARSING_ERROR",
	"jws-large":         problemModel + "PARSING_ERROR",
	"sd-jwt-malformed":  problemModel + "PARSING_ERROR",
	"sd-jwt-large":      problemModel + "PARSING_ERROR",
	"cose-malformed":    problemModel + "PARSING_ERROR",
	"cose-large":        problemModel + "PARSING_ERROR",
	"secured-document-": problemModel + "PARSING_ERROR",
	"input-":            problemModel + "PARSING_ERROR",

	"malformed-value":  problemModel + "MALFORMED_VALUE_ERROR",
	"model-":           problemModel + "MALFORMED_VALUE_ERROR",
	"context-":         problemModel + "MALFORMED_VALUE_ERROR",
	"jsonld-":          problemModel + "MALFORMED_VALUE_ERROR",
	"jsonld-undefined": problemSecurity + "DATA_LOSS_DETECTION_ERROR",
	"jsonld-iri":       problemSecurity + "DATA_LOSS_DETECTION_ERROR",
	"rdf-":             problemModel + "MALFORMED_VALUE_ERROR",
	"sd-jwt-":          problemModel + "MALFORMED_VALUE_ERROR",
	"multibase-":       problemModel + "MALFORMED_VALUE_ERROR",
	"schema-":          problemModel + "MALFORMED_VALUE_ERROR",

	"credential-not-offered":   problemModel + "MALFORMED_VALUE_ERROR",
	"credential-expired":       problemModel + "RANGE_ERROR",
	"credential-not-yet-valid": problemModel + "RANGE_ERROR",

	"proof-":             problemSecurity + "PROOF_VERIFICATION_ERROR",
	"signature-":         problemSecurity + "PROOF_VERIFICATION_ERROR",
	"selective-":         problemSecurity + "PROOF_VERIFICATION_ERROR",
	"selective-pointer-": problemSecurity + "PROOF_GENERATION_ERROR",
	"selective-nothing-": problemSecurity + "PROOF_GENERATION_ERROR",
	"proof-options":      problemSecurity + "PROOF_GENERATION_ERROR",
	"proof-domain":       problemSecurity + "INVALID_DOMAIN_ERROR",
	"proof-challenge":    problemSecurity + "INVALID_CHALLENGE_ERROR",

	"status-": problemStatus + "STATUS_VERIFICATION_ERROR",
}

// ProblemType gives the problem type, a URL, that the W3C has for a refusal of
// a credential or presentation. For faults that no specification names it is
// CRYPTOGRAPHIC_SECURITY_ERROR, and "about:blank" (RFC 9457, section 4.2.1) for
// those that say nothing of the input. It is "" for no error.
func ProblemType(err error) string {
	f := fault.As(err)
	switch {
	case f == nil:
		return ""
	case f.Kind == fault.Internal || f.Kind == fault.Unavailable:
		return "about:blank"
	}
	best, typ := 0, problemModel+"CRYPTOGRAPHIC_SECURITY_ERROR"
	for code, t := range problems {
		if len(code) > best && strings.HasPrefix(f.Code, code) {
			best, typ = len(code), t
		}
	}
	return typ
}
