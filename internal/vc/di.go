//go:build !js

package vc

import (
	"crypto"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/rdf"
)

// ContextV1 is the base context of Data Model 1.1; ContextDataIntegrity
// defines the terms of a proof, which ContextV2 has within itself.
const (
	ContextV1            = "https://www.w3.org/2018/credentials/v1"
	ContextDataIntegrity = "https://w3id.org/security/data-integrity/v2"

	contextDataIntegrity1 = "https://w3id.org/security/data-integrity/v1"
)

// Bounds of a secured document. The depth leaves room for a presentation of
// credentials with deep subjects; a document that is larger is no credential
// and no status list of ours or of anybody we have seen.
const (
	maxSecured  = rdf.MaxBytes
	maxNesting  = 32
	maxProofs   = 8
	maxContexts = 64
)

// proofSkew is how far a proof's created may lie ahead of the verifier's
// clock.
const proofSkew = 5 * time.Minute

// Errors of Data Integrity proofs. None repeats its input.
var (
	ErrProofPolicy   = fault.New(fault.Internal, "proof-policy", "proofs were to be checked without keys or without a time")
	ErrProofMissing  = fault.New(fault.Invalid, "proof-missing", "the document has no proof")
	ErrProofShape    = fault.New(fault.Invalid, "proof-malformed", "a proof is not of the shape that the specification gives it")
	ErrProofPartial  = fault.New(fault.Invalid, "proof-incomplete", "a proof lacks a member that it must have")
	ErrProofMany     = fault.New(fault.Invalid, "proof-too-many", "the document has too many proofs")
	ErrProofType     = fault.New(fault.Invalid, "proof-type", "a proof is of a type that is not accepted")
	ErrProofSuite    = fault.New(fault.Invalid, "proof-cryptosuite", "a proof names a cryptosuite that is not accepted")
	ErrProofPurpose  = fault.New(fault.Invalid, "proof-purpose", "a proof was made for another purpose")
	ErrProofDomain   = fault.New(fault.Invalid, "proof-domain", "a proof was made for another domain")
	ErrProofChal     = fault.New(fault.Invalid, "proof-challenge", "a proof does not answer the challenge")
	ErrProofTime     = fault.New(fault.Invalid, "proof-time", "a proof's created or expires is not an XSD dateTimeStamp")
	ErrProofExpired  = fault.New(fault.Invalid, "proof-expired", "a proof has expired")
	ErrProofFuture   = fault.New(fault.Invalid, "proof-not-yet", "a proof says it will be made in the future")
	ErrProofValue    = fault.New(fault.Invalid, "proof-value", "a proofValue is not the encoded signature that its cryptosuite makes")
	ErrProofKey      = fault.New(fault.Invalid, "proof-key", "the verification method's key is not of the kind that the cryptosuite needs")
	ErrProofContext  = fault.New(fault.Invalid, "proof-context", "the document has no @context, or a proof has another one than the document")
	ErrProofPrevious = fault.New(fault.Invalid, "proof-previous", "a proof builds on a proof that is not there, or on itself")
	ErrProofOptions  = fault.New(fault.Invalid, "proof-options", "a proof cannot be made from these options")
	ErrSecuredLarge  = fault.New(fault.TooLarge, "secured-document-large", "the secured document is too large")
)

// ProofOptions says how AddProof signs.
type ProofOptions struct {
	Suite   string      // one of the Suite constants
	Signer  keys.Signer // KID is the id of the verification method, such as did:key:X#X; it signs without a random source
	Purpose string      // one of the Purpose constants
	Created time.Time   // required; written in UTC, to the second

	Challenge, Domain string
	ID                string    // of the proof, so that others can build on it
	Expires           time.Time // zero: never
	PreviousProof     []string  // ids of proofs in the document that this one builds on

	MandatoryPointers []string // ecdsa-sd-2023: JSON pointers (RFC 6901) to what every derived proof shows
}

// KeyFinder gives the public key of a verification method and the id of its
// controller. It is asked once per proof, before the signature is checked.
type KeyFinder func(method string) (pub crypto.PublicKey, controller string, err error)

// ProofPolicy is what a verifier expects of every proof of a document. Keys,
// Purpose and Now must be set. An empty Challenge or Domain is not asked for.
type ProofPolicy struct {
	Keys              KeyFinder
	Purpose           string
	Challenge, Domain string
	Now               time.Time
	AllowEd2020       bool // accept Ed25519Signature2020 as well
	RequireCreated    bool // refuse proofs that do not say when they were made
}

// Proof is one proof that held.
type Proof struct {
	Type       string // DataIntegrityProof or Ed25519Signature2020
	Suite      string // the cryptosuite, empty for Ed25519Signature2020
	ID         string
	Method     string // verification method
	Controller string // of the verification method, as the KeyFinder gave it
	Purpose    string
	Created    string // XSD dateTimeStamp as it stands in the proof; may be empty
	Expires    string // the same
	Challenge  string
	Domain     []string
	Derived    bool // a selective disclosure made by the holder (ecdsa-sd-2023)
}

// proofObject is one proof as it stands in a document, not yet verified.
type proofObject struct {
	Proof
	Value    string   // proofValue
	Previous []string // previousProof
	context  []byte   // its own @context, nil if it has none
	raw      []byte   // the JSON object
	config   []byte   // raw without proofValue, with the document's @context: the part of a proof that is signed
}

// document is the JSON object that a signature covers: the document without
// its proofs, or with those that a proof builds on. It keeps the digests of
// its canonical forms, so that several proofs cost one canonicalisation.
type document struct {
	bytes   []byte
	secured []byte // the document with all its proofs; nil if bytes has some of them
	digests map[digestKey][]byte
	seen    seen
}

// seen is what is known of a document before its proofs are looked at. A
// presentation's text is the text of its credentials as well: what was found
// of it as a whole need not be found once more for each.
type seen struct {
	// nesting, if not 0, says that the document is part of a text that passed
	// CheckJSON, below no @context, and is nested no deeper than this.
	nesting int
	// plain says that plainNames passes a text that the document is part of.
	plain bool
	// rest are the members of the document, if it was taken from its proofs.
	rest rest
	// said has what the document says, if it was read with its presentation.
	said *rdf.Contained
	// contained, if not nil, is to keep what the documents in this one say.
	contained *rdf.Contained
}

type digestKey struct {
	jcs  bool
	hash crypto.Hash
}

// inside gives what is known of each document in this one.
func (k seen) inside() seen { return seen{nesting: k.nesting, plain: k.plain, said: k.said} }
