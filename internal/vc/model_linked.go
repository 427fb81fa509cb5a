//go:build !js

package vc

import "github.com/kinpass/kinpass/internal/rdf"

// checkLinked makes the JSON-LD checks: no term, type or IRI without a meaning.
func checkLinked(doc []byte) error { return rdf.Check(doc) }
