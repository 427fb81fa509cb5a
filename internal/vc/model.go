//go:build !js

package vc

import (
	"bytes"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
)

// Types of enveloped objects (Data Model 2.0, section 4.13).
const (
	TypeEnvelopedPresentation = "EnvelopedVerifiablePresentation"

	typCredentialCOSE   = "vc+cose"
	typPresentationCOSE = "vp+cose"
	typLegacyJWT        = "jwt"
)

// Errors of the data model (VCDM 2.0; section numbers are its own). Where one
// rule binds several properties, the fault's Fields name the property.
var (
	ErrModelObject   = fault.New(fault.Invalid, "model-not-object", "a credential or presentation is one JSON object")
	ErrModelSize     = fault.New(fault.TooLarge, "model-too-large", "the credential or presentation is too large")
	ErrModelKeyword  = fault.New(fault.Invalid, "model-keyword", "only @context may stand beside the properties under a JSON-LD keyword")
	ErrModelProperty = fault.New(fault.Invalid, "model-property-unknown", "the data model has no such top-level property")
	ErrModelClaims   = fault.New(fault.Invalid, "model-claims", "the registered claims contradict the credential, or claims vc or vp stand beside it")

	ErrContextMissing = fault.New(fault.Invalid, "model-context-missing", "@context is missing")
	ErrContextShape   = fault.New(fault.Invalid, "model-context-shape", "@context is an array of URLs and objects")
	ErrContextFirst   = fault.New(fault.Invalid, "model-context-first", "the first context must be the base context of the data model")
	ErrContextURL     = fault.New(fault.Invalid, "model-context-url", "a context is named by something that is not a URL")

	ErrTypeMissing  = fault.New(fault.Invalid, "model-type-missing", "type is missing")
	ErrTypeShape    = fault.New(fault.Invalid, "model-type-shape", "type is an array of strings")
	ErrTypeRequired = fault.New(fault.Invalid, "model-type-required", "type lacks the type that the data model requires")

	ErrID     = fault.New(fault.Invalid, "model-id", "an id is one URL")
	ErrIssuer = fault.New(fault.Invalid, "model-issuer", "issuer is a URL or an object whose id is a URL")
	ErrHolder = fault.New(fault.Invalid, "model-holder", "holder is a URL or an object whose id is a URL")

	ErrSubject      = fault.New(fault.Invalid, "model-subject", "credentialSubject is an object or an array of objects")
	ErrSubjectEmpty = fault.New(fault.Invalid, "model-subject-empty", "every credentialSubject makes at least one claim")

	ErrText = fault.New(fault.Invalid, "model-text", "name and description are strings, or values with a language and a direction")

	ErrTimestamp    = fault.New(fault.Invalid, "model-timestamp", "a time is an XSD dateTimeStamp with seconds and an offset")
	ErrPeriod       = fault.New(fault.Invalid, "model-period", "the end of validity is before its beginning")
	ErrIssuanceDate = fault.New(fault.Invalid, "model-issuance-date", "a credential of the data model 1.1 has an issuanceDate")

	ErrEntryShape = fault.New(fault.Invalid, "model-entry-shape", "the property is an object or an array of objects")
	ErrEntryType  = fault.New(fault.Invalid, "model-entry-type", "each object of the property has a type")
	ErrEntryID    = fault.New(fault.Invalid, "model-entry-id", "the id of each object of the property is one URL")

	ErrStatusIndex = fault.New(fault.Invalid, "model-status-index", "a status index is a decimal number in a string")
	ErrStatusEntry = fault.New(fault.Invalid, "model-status-entry", "the status entry does not name its purpose and its list as the standard asks")

	ErrRelated         = fault.New(fault.Invalid, "model-related", "relatedResource is an object or an array of at most 64 objects, each with a URL as id of its own")
	ErrRelatedDigest   = fault.New(fault.Invalid, "model-related-digest", "each related resource has a digest that can be read")
	ErrRelatedMismatch = fault.New(fault.Invalid, "model-related-mismatch", "the digest of a related resource is not that of the resource")

	ErrContained = fault.New(fault.Invalid, "model-contained", "verifiableCredential holds at most 16 objects, credentials or enveloped ones")
	ErrEnvelope  = fault.New(fault.Invalid, "model-envelope", "an enveloped object has the base context, its one type and a data: URL of a known media type as id, and nothing else")
)

// ModelCheck says which rules of the data model apply. The zero value is the
// strictest: a verifiable credential of the Data Model 2.0.
type ModelCheck struct {
	// Version1 accepts the Data Model 1.1 beside 2.0.
	Version1 bool
	// Presentation asks for a presentation instead of a credential.
	Presentation bool
	// Issue is for input that will be signed here: an issuer object without an
	// id is completed by the issuer.
	Issue bool
	// JWT is for the payload of a JOSE or COSE envelope (VC-JOSE-COSE 1.0):
	// registered claims may stand beside the properties if they say the same;
	// claims vc and vp are refused; a presentation holds enveloped
	// credentials only.
	JWT bool
	// Closed refuses top-level properties that the data model itself does not
	// define, even where a context gives them a meaning.
	Closed bool

	// linked: the JSON-LD checks were made on the way to the signature.
	linked bool
	// meaning is what the JSON-LD checks read instead of the document.
	meaning []byte
	// known is what was found on the way to the signature.
	known seen
}

// Limits of a document. A presentation may hold several credentials.
const (
	maxModel         = 1 << 20 // bytes
	maxContained     = 16
	maxRelated       = 64
	presentationDeep = MaxDepth + 4
)

// CheckModel checks a credential or presentation against the data model (VCDM
// 2.0, sections 4 to 6) and the JSON-LD rules of the rdf package: every term
// and type has a meaning, every IRI is absolute. A proof is not looked at.
// Errors are the faults of this file, those of strict JSON, and those of rdf.
func CheckModel(doc []byte, m ModelCheck) error {
	var f modelFacts
	return f.read(doc, m)
}

// modelFacts is what CheckModel saw, as parts of the document: nothing is
// decoded that a check did not need.
type modelFacts struct {
	version1 bool
	values   [propCount][]byte // the value of each top-level property, nil if absent
	claims   [claimCount][]byte
	issuer   []byte // the URL
	subject  []byte // the id of the one subject; nil if there are several or it has none
	holder   []byte
	from     time.Time // zero if the document does not say
	until    time.Time

	contained [][]byte // credentials in a presentation
	enveloped bool     // all of them are, and there are some
}

// prop is a top-level property.
type prop int

const (
	propNone prop = iota
	propContext
	propID
	propType
	propName
	propDescription
	propIssuer
	propSubject
	propValidFrom
	propValidUntil
	propIssuanceDate
	propExpirationDate
	propStatus
	propSchema
	propRefresh
	propTerms
	propEvidence
	propRelated
	propProof
	propConfidence
	propRender
	propHolder
	propContained
	propCount
)

func propOf(name []byte) prop {
	switch string(name) {
	case "@context":
		return propContext
	case "id":
		return propID
	case "type":
		return propType
	case "name":
		return propName
	case "description":
		return propDescription
	case "issuer":
		return propIssuer
	case "credentialSubject":
		return propSubject
	case "validFrom":
		return propValidFrom
	case "validUntil":
		return propValidUntil
	case "issuanceDate":
		return propIssuanceDate
	case "expirationDate":
		return propExpirationDate
	case "credentialStatus":
		return propStatus
	case "credentialSchema":
		return propSchema
	case "refreshService":
		return propRefresh
	case "termsOfUse":
		return propTerms
	case "evidence":
		return propEvidence
	case "relatedResource":
		return propRelated
	case "proof":
		return propProof
	case "confidenceMethod":
		return propConfidence
	case "renderMethod":
		return propRender
	case "holder":
		return propHolder
	case "verifiableCredential":
		return propContained
	}
	return propNone
}

// claim is a registered claim of a JWT (RFC 7519, section 4.1; RFC 7800; Token
// Status List; OpenID Connect nonce) at the top of an enveloped payload.
type claim int

const (
	claimNone claim = iota
	claimIss
	claimSub
	claimAud
	claimExp
	claimNbf
	claimIat
	claimJti
	claimNonce
	claimCnf
	claimStatus
	claimCount
)

func claimOf(name []byte) claim {
	switch string(name) {
	case "iss":
		return claimIss
	case "sub":
		return claimSub
	case "aud":
		return claimAud
	case "exp":
		return claimExp
	case "nbf":
		return claimNbf
	case "iat":
		return claimIat
	case "jti":
		return claimJti
	case "nonce":
		return claimNonce
	case "cnf":
		return claimCnf
	case "status":
		return claimStatus
	}
	return claimNone
}

// belongs reports whether the data model defines the property for this kind of
// document.
func (p prop) belongs(m ModelCheck) bool {
	switch p {
	case propNone:
		return false
	case propContext, propID, propType, propName, propDescription, propTerms, propProof:
		return true
	case propHolder, propContained:
		return m.Presentation
	case propIssuanceDate, propExpirationDate:
		return m.Version1 && !m.Presentation
	}
	return !m.Presentation
}

func (f *modelFacts) read(doc []byte, m ModelCheck) error {
	if len(doc) > maxModel {
		return ErrModelSize
	}
	depth := MaxDepth
	if m.Presentation {
		depth = presentationDeep
	}
	if m.known.nesting == 0 || m.known.nesting > depth {
		if err := CheckJSON(doc, depth); err != nil {
			return err
		}
	}
	claims, err := f.scan(doc, m)
	if err != nil {
		return err
	}
	if err := f.checkContext(m); err != nil {
		return err
	}
	if err := checkTypes(f.values[propType], m); err != nil {
		return err
	}
	if v := f.values[propID]; v != nil && urlOf(v) == nil {
		return at(ErrID, "/id")
	}
	for _, p := range []prop{propName, propDescription} {
		// The data model 1.1 leaves both to whoever defines them.
		if v := f.values[p]; v != nil && !f.version1 && !isText(v) {
			return ErrText
		}
	}
	if err := checkEntries(f.values[propTerms], "/termsOfUse", false); err != nil {
		return err
	}
	if m.Presentation {
		err = f.checkPresentation(m)
	} else {
		err = f.checkCredential(m)
	}
	if err != nil {
		return err
	}
	if claims {
		if err := f.checkClaims(m); err != nil {
			return err
		}
	}
	if m.linked {
		return nil
	}
	if m.meaning != nil {
		doc = m.meaning
	}
	return checkLinked(f.linkedPart(doc, claims))
}

// linkedPart gives the part of the document that JSON-LD looks at: not the
// registered claims, which are terms of no context, and not credentials that
// are all enveloped, of which checkEnvelope leaves nothing to look at.
func (f *modelFacts) linkedPart(doc []byte, claims bool) []byte {
	if !claims && !f.enveloped {
		return doc
	}
	out := make([]byte, 1, len(doc))
	out[0] = '{'
	r := reader{d: doc}
	r.peek()
	r.i++
	for first := true; r.more(first); first = false {
		r.space()
		from := r.i
		name, _ := r.member()
		if claims && claimOf(name) != claimNone || f.enveloped && propOf(name) == propContained {
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(out, doc[from:r.i]...)
	}
	return append(out, '}')
}

// scan finds the top-level properties and claims.
func (f *modelFacts) scan(doc []byte, m ModelCheck) (claims bool, err error) {
	r := reader{d: doc}
	if r.peek() != '{' {
		return false, ErrModelObject
	}
	r.i++
	if m.known.rest.members == nil {
		for first := true; err == nil && r.more(first); first = false {
			err = f.take(m, r.name(), r.value())
		}
	} else {
		for at, value := range m.known.rest.in(doc) {
			r.i = at
			if err = f.take(m, r.name(), value); err != nil {
				break
			}
		}
	}
	if err != nil {
		return false, err
	}
	for _, c := range f.claims {
		claims = claims || c != nil
	}
	if m.JWT && f.values[propProof] != nil {
		// Nothing looks at a proof inside an envelope: it must not look as if
		// it had been verified.
		return false, ErrModelClaims
	}
	return claims, nil
}

// take notes one top-level property or claim.
func (f *modelFacts) take(m ModelCheck, name, value []byte) error {
	if p := propOf(name); p != propNone {
		if m.Closed && !p.belongs(m) {
			return ErrModelProperty
		}
		f.values[p] = value
		return nil
	}
	if m.JWT {
		if c := claimOf(name); c != claimNone {
			f.claims[c] = value
			return nil
		}
		if string(name) == "vc" || string(name) == "vp" {
			return ErrModelClaims
		}
	}
	switch {
	case len(name) > 0 && name[0] == '@':
		return ErrModelKeyword
	case m.Closed:
		return ErrModelProperty
	}
	return nil
}

func (f *modelFacts) checkContext(m ModelCheck) error {
	v := f.values[propContext]
	if v == nil {
		return ErrContextMissing
	}
	if v[0] != '[' {
		return ErrContextShape
	}
	n := 0
	err := eachOf(v, func(item []byte) error {
		n++
		switch {
		case item[0] == '"':
			u := urlOf(item)
			if n == 1 {
				f.version1 = m.Version1 && string(u) == ContextV1
				if !f.version1 && string(u) != ContextV2 {
					return ErrContextFirst
				}
			}
			if u == nil {
				return ErrContextURL
			}
		case item[0] != '{':
			return ErrContextShape
		case n == 1:
			return ErrContextFirst
		}
		return nil
	})
	if err == nil && n == 0 {
		return ErrContextShape
	}
	return err
}

func checkTypes(v []byte, m ModelCheck) error {
	if v == nil {
		return ErrTypeMissing
	}
	need := TypeCredential
	if m.Presentation {
		need = TypePresentation
		if v[0] == '"' { // section 4.13 lets a presentation have one type alone
			if string(textOf(v)) != need {
				return ErrTypeRequired
			}
			return nil
		}
	}
	if v[0] != '[' {
		return ErrTypeShape
	}
	found := false
	err := eachOf(v, func(item []byte) error {
		if item[0] != '"' {
			return ErrTypeShape
		}
		found = found || string(textOf(item)) == need
		return nil
	})
	if err == nil && !found {
		return ErrTypeRequired
	}
	return err
}

func (f *modelFacts) checkCredential(m ModelCheck) error {
	if err := f.checkIssuer(m); err != nil {
		return err
	}
	if err := f.checkSubjects(); err != nil {
		return err
	}
	if err := f.checkPeriod(); err != nil {
		return err
	}
	if v := f.values[propStatus]; v != nil {
		if err := checkEntries(v, "/credentialStatus", false); err != nil {
			return err
		}
		if err := eachOf(v, checkStatusEntry); err != nil {
			return err
		}
	}
	if err := checkEntries(f.values[propSchema], "/credentialSchema", true); err != nil {
		return err
	}
	if err := checkEntries(f.values[propRefresh], "/refreshService", false); err != nil {
		return err
	}
	if err := checkEntries(f.values[propEvidence], "/evidence", false); err != nil {
		return err
	}
	return checkRelated(f.values[propRelated])
}

func (f *modelFacts) checkIssuer(m ModelCheck) error {
	v := f.values[propIssuer]
	if v == nil {
		return ErrIssuer
	}
	u, ok := urlOrObject(v)
	if !ok || u == nil && !(m.Issue && v[0] == '{') {
		return ErrIssuer
	}
	f.issuer = u
	if v[0] == '{' && !f.version1 {
		for _, name := range []string{"name", "description"} {
			if t := memberOf(v, name); t != nil && !isText(t) {
				return ErrText
			}
		}
	}
	return nil
}

// urlOrObject reads a URL or the id of an object; ok is false for anything
// else. Of an object without an id, u is nil.
func urlOrObject(v []byte) (u []byte, ok bool) {
	switch v[0] {
	case '"':
		u = urlOf(v)
		return u, u != nil
	case '{':
		id := memberOf(v, "id")
		if id == nil {
			return nil, true
		}
		u = urlOf(id)
		return u, u != nil
	}
	return nil, false
}

func (f *modelFacts) checkSubjects() error {
	v := f.values[propSubject]
	if v == nil || v[0] != '{' && v[0] != '[' {
		return ErrSubject
	}
	n := 0
	err := eachOf(v, func(item []byte) error {
		n++
		if item[0] != '{' {
			return ErrSubject
		}
		r := reader{d: item, i: 1}
		if r.peek() == '}' {
			return ErrSubjectEmpty
		}
		id := memberOf(item, "id")
		if f.subject = urlOf(id); id != nil && f.subject == nil {
			return at(ErrID, "/credentialSubject/id")
		}
		return nil
	})
	if n != 1 {
		f.subject = nil
	}
	if err == nil && n == 0 {
		return ErrSubject
	}
	return err
}

// checkPeriod reads the beginning and the end of validity by the names of the
// document's version. The names of the other version have no meaning in its
// context, so that the JSON-LD checks refuse them.
func (f *modelFacts) checkPeriod() error {
	from, until := f.values[propValidFrom], f.values[propValidUntil]
	if f.version1 {
		from, until = f.values[propIssuanceDate], f.values[propExpirationDate]
		if from == nil {
			return ErrIssuanceDate
		}
	}
	for _, t := range []struct {
		value []byte
		to    *time.Time
	}{{from, &f.from}, {until, &f.until}} {
		if t.value == nil {
			continue
		}
		var ok bool
		if *t.to, ok = parseTimestamp(textOf(t.value)); !ok {
			return ErrTimestamp
		}
	}
	if from != nil && until != nil && f.until.Before(f.from) {
		return ErrPeriod
	}
	return nil
}

func (f *modelFacts) checkPresentation(m ModelCheck) error {
	if v := f.values[propHolder]; v != nil {
		u, ok := urlOrObject(v)
		if !ok || u == nil {
			return ErrHolder
		}
		f.holder = u
	}
	f.subject = onlyID(f.values[propSubject]) // which belongs to no presentation, but may stand there
	v := f.values[propContained]
	if v == nil {
		return nil
	}
	if v[0] != '{' && v[0] != '[' {
		return ErrContained
	}
	n, bare := 0, 0
	err := eachOf(v, func(item []byte) error {
		if n++; n > maxContained || item[0] != '{' {
			return ErrContained
		}
		f.contained = append(f.contained, item)
		if isEnvelope(item) {
			return checkEnvelope(item, TypeEnveloped)
		}
		if m.JWT {
			return ErrEnvelope
		}
		bare++
		return nil
	})
	f.enveloped = n > 0 && bare == 0
	return err
}

// isEnvelope reports whether the object says that it is an enveloped
// credential or presentation.
func isEnvelope(object []byte) bool {
	t := memberOf(object, "type")
	return namesType(t, TypeEnveloped) || namesType(t, TypeEnvelopedPresentation)
}

// namesType reports whether t is, or has among its elements, the string want.
func namesType(t []byte, want string) bool {
	if t == nil || t[0] != '"' && t[0] != '[' {
		return false
	}
	found := false
	_ = eachOf(t, func(item []byte) error {
		found = found || item[0] == '"' && string(textOf(item)) == want
		return nil
	})
	return found
}

// checkEnvelope holds an enveloped object against section 4.13.1 or 4.13.2: the
// base context, no other type, and all that it says inside its data: URL, so
// that nothing unsigned stands beside what is signed.
func checkEnvelope(object []byte, want string) error {
	r := reader{d: object, i: 1}
	base, typ, id := false, false, false
	for first := true; r.more(first); first = false {
		name, v := r.member()
		switch string(name) {
		case "@context":
			base = isOnly(v, ContextV2)
		case "type":
			typ = isOnly(v, want)
		case "id":
			_, _, id = splitDataURL(textOf(v))
		default:
			return ErrEnvelope
		}
	}
	if !base || !typ || !id {
		return ErrEnvelope
	}
	return nil
}

// isOnly reports whether v is the string want or an array of it alone.
func isOnly(v []byte, want string) bool {
	n := 0
	err := eachOf(v, func(item []byte) error {
		if n++; n > 1 || string(textOf(item)) != want {
			return ErrEnvelope
		}
		return nil
	})
	return err == nil && n == 1
}

// splitDataURL takes the data: URL (RFC 2397) of an enveloped object apart into
// media type, without "application/" and parameters, and content. COSE is
// base64; the others stand as they are.
func splitDataURL(u []byte) (media string, content []byte, ok bool) {
	rest, ok := bytes.CutPrefix(u, []byte("data:application/"))
	if !ok {
		return "", nil, false
	}
	head, content, ok := bytes.Cut(rest, []byte{','})
	if !ok || len(content) == 0 {
		return "", nil, false
	}
	head, encoded := bytes.CutSuffix(head, []byte(";base64"))
	switch m := string(head); m {
	case TypCredential, TypPresentation, TypCredentialSD, TypPresentationSD, TypSDJWTVC, typLegacyJWT:
		return m, content, !encoded
	case typCredentialCOSE, typPresentationCOSE:
		return m, content, encoded
	}
	return "", nil, false
}

// checkClaims compares the registered claims with the properties of the same
// meaning (VC-JOSE-COSE 1.0, section 3.1.3).
func (f *modelFacts) checkClaims(m ModelCheck) error {
	for _, t := range []struct {
		claim claim
		same  []byte
	}{
		{claimIss, f.issuerOrHolder(m)},
		{claimJti, textOf(f.values[propID])},
		{claimSub, f.subject},
	} {
		v := f.claims[t.claim]
		if v == nil {
			continue
		}
		if s := textOf(v); s == nil || t.same != nil && !bytes.Equal(s, t.same) {
			return ErrModelClaims
		}
	}
	for _, c := range []claim{claimExp, claimNbf} {
		if v := f.claims[c]; v != nil {
			if _, ok := numericDate(v); !ok {
				return ErrModelClaims
			}
		}
	}
	if v := f.claims[claimNonce]; v != nil && v[0] != '"' {
		return ErrModelClaims
	}
	return nil
}

func (f *modelFacts) issuerOrHolder(m ModelCheck) []byte {
	if m.Presentation {
		return f.holder
	}
	return f.issuer
}

// onlyID gives the id of an object, or of the one element of an array.
func onlyID(v []byte) (id []byte) {
	n := 0
	_ = eachOf(v, func(item []byte) error {
		n++
		id = textOf(memberOf(item, "id"))
		return nil
	})
	if n != 1 {
		return nil
	}
	return id
}

// checkEntries holds an optional property of typed objects against section 4.4
// and 4.5.
func checkEntries(v []byte, path string, needID bool) error {
	if v == nil {
		return nil
	}
	if v[0] != '{' && v[0] != '[' {
		return at(ErrEntryShape, path)
	}
	n := 0
	err := eachOf(v, func(item []byte) error {
		n++
		if item[0] != '{' {
			return at(ErrEntryShape, path)
		}
		if !isTypes(memberOf(item, "type")) {
			return at(ErrEntryType, path+"/type")
		}
		id := memberOf(item, "id")
		if id == nil && needID || id != nil && urlOf(id) == nil {
			return at(ErrEntryID, path+"/id")
		}
		return nil
	})
	if err == nil && n == 0 {
		return at(ErrEntryShape, path)
	}
	return err
}

// isTypes reports whether v is a string or an array of at least one, none
// empty.
func isTypes(v []byte) bool {
	if v == nil || v[0] != '"' && v[0] != '[' {
		return false
	}
	n := 0
	err := eachOf(v, func(item []byte) error {
		n++
		if len(textOf(item)) == 0 {
			return ErrEntryType
		}
		return nil
	})
	return err == nil && n > 0
}

// checkStatusEntry holds one status entry against Bitstring Status List 1.0,
// section 2.1. Of types that we do not know, only the index is looked at.
func checkStatusEntry(v []byte) error {
	e := readStatusEntry(v)
	if e.index != nil && !isIndex(textOf(e.index)) {
		return ErrStatusIndex
	}
	if !namesType(e.types, typeBitstringEntry) {
		return nil
	}
	if e.index == nil {
		return ErrStatusIndex
	}
	if len(textOf(e.purpose)) == 0 || e.list == nil || urlOf(e.list) == nil {
		return ErrStatusEntry
	}
	if e.id != nil && bytes.Equal(textOf(e.id), textOf(e.list)) {
		return ErrStatusEntry
	}
	if e.size == nil {
		return nil
	}
	if !isIndex(e.size) || len(e.size) > 2 || string(e.size) == "0" {
		return ErrStatusEntry
	}
	if string(e.size) != "1" && e.message == nil {
		return ErrStatusEntry
	}
	return nil
}

// statusMembers are the values of a status entry's members, nil where it has
// none.
type statusMembers struct{ id, types, purpose, index, list, size, message []byte }

func readStatusEntry(v []byte) (e statusMembers) {
	if len(v) == 0 || v[0] != '{' {
		return e
	}
	r := reader{d: v, i: 1}
	for first := true; r.more(first); first = false {
		name, value := r.member()
		switch string(name) {
		case "id":
			e.id = value
		case "type":
			e.types = value
		case "statusPurpose":
			e.purpose = value
		case "statusListIndex":
			e.index = value
		case "statusListCredential":
			e.list = value
		case "statusSize":
			e.size = value
		case "statusMessage":
			e.message = value
		}
	}
	return e
}

// isIndex reports whether s is a whole number in its one decimal spelling.
func isIndex(s []byte) bool {
	if len(s) == 0 || len(s) > 18 || len(s) > 1 && s[0] == '0' {
		return false
	}
	for _, c := range s {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// at names the property that a rule was broken by.
func at(f *fault.Fault, path string) error {
	return f.WithFields(fault.Field{Path: path, Rule: f.Code})
}
