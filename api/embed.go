// Package api holds what crosses a process boundary: the OpenAPI description
// of the three roles, the problem documents they answer with, and a small
// client. It imports the standard library only, so that anybody may.
package api

import _ "embed"

// Spec is the OpenAPI 3.0.3 description of issuer, wallet and verifier, as
// YAML. The servers validate requests against it; a test compares it with the
// routes that exist.
//
//go:embed openapi.yaml
var Spec []byte
