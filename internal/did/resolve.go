package did

import (
	"bytes"
	"encoding/json"
	"errors"

	"github.com/kinpass/kinpass/internal/fault"
)

// Answer is what a resolver's HTTP binding sends: a status code, the media
// type and a JSON body. It depends on the Accept header, so that the response
// needs "Vary: Accept".
type Answer struct {
	Status      int
	ContentType string
	Body        []byte
}

// problem is a reason why there is no document, in both dialects.
type problem struct {
	name         string // below https://www.w3.org/ns/did#
	title        string
	status       int
	legacy       string
	legacyStatus int
}

// The problems, with the status codes of DID Resolution 1.0, section 10.1. In
// the older dialect what the caller can mend is always 400.
var (
	invalidDID       = problem{"INVALID_DID", "The identifier is not a valid DID.", 400, "invalidDid", 400}
	invalidDIDURL    = problem{"INVALID_DID_URL", "The identifier is not a valid DID URL.", 400, "invalidDidUrl", 400}
	invalidOptions   = problem{"INVALID_OPTIONS", "An option of the request is not valid.", 400, "invalidOptions", 400}
	unknownFormat    = problem{"INVALID_OPTIONS", "The format of public keys is not known.", 400, "unsupportedPublicKeyType", 400}
	unfitFormat      = problem{"INVALID_OPTIONS", "The format of public keys is not written for this key.", 400, "invalidPublicKeyType", 400}
	invalidKeyLength = problem{"INVALID_DID", "The key does not have the length of its type.", 400, "invalidPublicKeyLength", 400}
	invalidKey       = problem{"INVALID_DID", "The value is not a key of its type.", 400, "invalidPublicKey", 400}
	unsupportedKey   = problem{"FEATURE_NOT_SUPPORTED", "This type of key is not supported.", 501, "unsupportedPublicKeyType", 400}
	unsupported      = problem{"METHOD_NOT_SUPPORTED", "This DID method is not supported.", 501, "methodNotSupported", 400}
	noFeature        = problem{"FEATURE_NOT_SUPPORTED", "This parameter is not supported.", 501, "featureNotSupported", 400}
	notFound         = problem{"NOT_FOUND", "There is nothing by this identifier.", 404, "notFound", 404}
	badDocument      = problem{"INVALID_DID_DOCUMENT", "The document of this identifier is not valid.", 500, "invalidDidDocument", 500}
	internal         = problem{"INTERNAL_ERROR", "The document could not be obtained.", 500, "internalError", 500}
	notAcceptable    = problem{"REPRESENTATION_NOT_SUPPORTED", "No representation that you accept is available.", 406, "representationNotSupported", 406}
)

// Resolve answers a request to a DID resolver that knows did:key and did:jwk:
// see ResolveWith.
func Resolve(input, accept string) Answer { return ResolveWith(input, accept, nil) }

// ResolveWith answers a request to a DID resolver (DID Resolution 1.0, section
// 10.1). The input is what follows the resolver's path in the request line, as
// it was sent: the DID or DID URL raw or percent-encoded (not the decoded
// path), then "?" and the query. The form of the answer follows the Accept
// header:
//
//   - application/did-resolution, any or none: a resolution result whose error
//     is an object;
//   - application/ld+json with the profile https://w3id.org/did-resolution: a
//     resolution result of DID Resolution 0.3, whose error is a word, and
//     whose metadata is didDereferencingMetadata for DID URLs;
//   - application/did-url-dereferencing: a dereferencing result;
//   - application/did, did+json, did+ld+json, json, ld+json: the document or
//     the method alone.
//
// The query may hold the options of the did:key method, publicKeyFormat,
// enableExperimentalPublicKeyTypes and enableEncryptionKeyDerivation (on
// unless "false").
//
// A did:web is fetched with fetch, which gives a document of exactly that
// identifier; nil means that the method is not supported.
func ResolveWith(input, accept string, fetch func(id string) (*Document, error)) Answer {
	t := parseTarget(input)
	if t.accept != "" {
		accept = t.accept
	}
	shape, media := negotiate(accept)
	if shape == shapeNone {
		return t.refuse(shapeResolution, &notAcceptable)
	}
	if t.problem != nil {
		return t.refuse(shape, t.problem)
	}
	d, err := t.document(fetch)
	if errors.Is(err, ErrDeactivated) {
		return t.deactivated(shape)
	}
	if err != nil {
		return t.refuse(shape, reason(err))
	}
	if d == nil || d.ID != t.did {
		return t.refuse(shape, &badDocument)
	}
	content, p := t.content(d, shape)
	if p != nil {
		return t.refuse(shape, p)
	}
	switch shape {
	case shapeLegacy:
		return t.legacy(200, content, struct{}{}, struct{}{})
	case shapeDereferencing:
		return answer(200, media, dereferenced{contentType{media}, content, struct{}{}})
	case shapeBare:
		return Answer{200, media, content}
	}
	return answer(200, media, resolved{contentType{media}, content, struct{}{}})
}

// document gives the document of the target's DID.
func (t *target) document(fetch func(id string) (*Document, error)) (*Document, error) {
	d, err := expand(t.did, t.expansion)
	if !errors.Is(err, ErrUnsupported) {
		return d, err
	}
	if _, err := WebURL(t.did); err != nil || fetch == nil {
		if err == nil {
			err = ErrUnsupported
		}
		return nil, err
	}
	if t.format != "" {
		return nil, errFormatUnfit // the document says how its keys are written
	}
	if t.wants("versionId") || t.wants("versionTime") {
		return nil, errVersions
	}
	d, err = fetch(t.did)
	if err != nil && !errors.Is(err, ErrDeactivated) && fault.As(err).Kind != fault.NotFound {
		return nil, fetchError{err}
	}
	return d, err
}

// errVersions: a did:web has no history.
var errVersions = errors.New("versions of a did:web")

// fetchError is a failure that is not the identifier's.
type fetchError struct{ error }

func (e fetchError) Unwrap() error { return e.error }

func (t *target) wants(name string) bool { return t.query.Has(name) || t.asked.Has(name) }

// reason names the problem of an error.
func reason(err error) *problem {
	var f fetchError
	switch {
	case errors.As(err, &f):
		if errors.Is(err, ErrDocument) || errors.Is(err, ErrMismatch) {
			return &badDocument
		}
		if fault.As(f.error).Kind == fault.Invalid {
			return &invalidDID // such as an address that is not called
		}
		return &internal
	case errors.Is(err, errVersions):
		return &noFeature
	case errors.Is(err, errFormatUnknown):
		return &unknownFormat
	case errors.Is(err, errFormatUnfit):
		return &unfitFormat
	case errors.Is(err, ErrKeyLength):
		return &invalidKeyLength
	case errors.Is(err, ErrKeyValue):
		return &invalidKey
	case errors.Is(err, ErrKeyType):
		return &unsupportedKey
	case errors.Is(err, ErrUnsupported):
		return &unsupported
	case fault.As(err).Kind == fault.NotFound:
		return &notFound
	}
	return &invalidDID
}

// content gives the JSON that the target names: the document, or the method or
// service that the fragment names.
func (t *target) content(d *Document, s shape) (json.RawMessage, *problem) {
	if t.path != "" {
		return nil, &notFound
	}
	// A service asked for in the request is an option, which a resolution does
	// not look at; in a DID URL it is what is wanted.
	asked := s == shapeDereferencing || s == shapeLegacy
	if t.query.Has("service") || t.query.Has("serviceType") || asked && (t.asked.Has("service") || t.asked.Has("serviceType")) {
		if len(d.services()) > 0 {
			return nil, &noFeature
		}
		return nil, &notFound
	}
	var out any = d
	if t.hasFrag {
		if out = d.fragment(d.ID + "#" + t.fragment); out == nil {
			return nil, &notFound
		}
	} else if d.source != nil {
		out = d.source
	}
	raw, err := json.Marshal(out)
	if err != nil {
		return nil, &internal
	}
	return raw, nil
}

// fragment gives the method or service of a document by its id, or nil.
func (d *Document) fragment(id string) any {
	for _, m := range d.VerificationMethod {
		if d.absolute(m.ID) != id {
			continue
		}
		m.ID = id
		return struct {
			Context []string `json:"@context,omitempty"`
			VerificationMethod
		}{d.Context, m}
	}
	for _, s := range d.services() {
		if f, ok := members(s); ok {
			if own, ok := text(f, "id"); ok && d.absolute(own) == id {
				return s
			}
		}
	}
	return nil
}

// services gives the services of a document that was read.
func (d *Document) services() []json.RawMessage {
	m, _ := members(d.source)
	list, _ := items(m["service"])
	return list
}

type contentType struct {
	ContentType string `json:"contentType,omitempty"`
}

type failure struct {
	Error struct {
		Type  string `json:"type"`
		Title string `json:"title"`
	} `json:"error"`
}

// resolved is a resolution result (DID Resolution 1.0, section 7).
type resolved struct {
	Metadata         any             `json:"didResolutionMetadata"`
	Document         json.RawMessage `json:"didDocument"`
	DocumentMetadata any             `json:"didDocumentMetadata"`
}

// dereferenced is a dereferencing result.
type dereferenced struct {
	Metadata        any             `json:"dereferencingMetadata"`
	Content         json.RawMessage `json:"contentStream"`
	ContentMetadata any             `json:"contentMetadata"`
}

type deactivated struct {
	Deactivated bool `json:"deactivated"`
}

// refuse answers with a problem. It never repeats the input.
func (t *target) refuse(s shape, p *problem) Answer {
	if s == shapeLegacy {
		return t.legacy(p.legacyStatus, json.RawMessage("{}"), struct{}{}, map[string]string{"error": p.legacy})
	}
	var f failure
	f.Error.Type, f.Error.Title = "https://www.w3.org/ns/did#"+p.name, p.title
	if s == shapeDereferencing {
		return answer(p.status, typeDereferencing, dereferenced{f, nil, struct{}{}})
	}
	return answer(p.status, typeResolution, resolved{f, nil, struct{}{}})
}

func (t *target) deactivated(s shape) Answer {
	switch s {
	case shapeLegacy:
		return t.legacy(410, json.RawMessage("{}"), deactivated{true}, struct{}{})
	case shapeDereferencing:
		return answer(410, typeDereferencing, dereferenced{contentType{typeDereferencing}, nil, deactivated{true}})
	}
	return answer(410, typeResolution, resolved{contentType{typeResolution}, nil, deactivated{true}})
}

// legacy writes a result of DID Resolution 0.3.
func (t *target) legacy(status int, doc json.RawMessage, docMeta, meta any) Answer {
	out := map[string]any{"@context": "https://w3id.org/did-resolution/v1", "didDocument": doc, "didDocumentMetadata": docMeta}
	if t.url {
		out["didDereferencingMetadata"] = meta
	} else {
		out["didResolutionMetadata"] = meta
	}
	return answer(status, typeLegacy, out)
}

func answer(status int, media string, body any) Answer {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(body); err != nil {
		return Answer{Status: 500, ContentType: typeResolution, Body: []byte(`{"didResolutionMetadata":{"error":{"type":"https://www.w3.org/ns/did#INTERNAL_ERROR"}},"didDocument":null,"didDocumentMetadata":{}}`)}
	}
	return Answer{status, media, bytes.TrimSuffix(b.Bytes(), []byte("\n"))}
}
