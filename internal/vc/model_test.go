package vc

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/rdf"
)

const (
	modelV2 = `{
	"@context": ["https://www.w3.org/ns/credentials/v2"],
	"id": "urn:uuid:6f0c7f1a-94f1-4e43-a5e1-b6e0e7a6a001",
	"type": ["VerifiableCredential"],
	"issuer": "did:example:issuer",
	"validFrom": "2024-03-01T08:00:00Z",
	"credentialSubject": {"id": "did:example:subject"}
}`
	modelV1 = `{
	"@context": ["https://www.w3.org/2018/credentials/v1", {"alias": "https://example.org/terms#alias"}],
	"id": "urn:uuid:6f0c7f1a-94f1-4e43-a5e1-b6e0e7a6a002",
	"type": ["VerifiableCredential"],
	"issuer": "did:example:issuer",
	"issuanceDate": "2020-03-16T22:37:26.544Z",
	"credentialSubject": {"id": "did:example:subject", "alias": "one"}
}`
	modelVP = `{
	"@context": ["https://www.w3.org/ns/credentials/v2"],
	"type": ["VerifiablePresentation"],
	"holder": "did:example:holder",
	"verifiableCredential": [` + modelV2 + `]
}`
	modelEnvelope = `{"@context": "https://www.w3.org/ns/credentials/v2", "type": "EnvelopedVerifiableCredential", "id": "data:application/vc+jwt,e30.e30.AA"}`
)

// set and drop are edits of one member, named by a path with "/" between names
// and numbers.
type edit struct{ path, value string }

func set(path, value string) edit { return edit{path, value} }
func drop(path string) edit       { return edit{path, ""} }

// edited gives doc with the edits made. The order of members is lost.
func edited(t testing.TB, doc string, edits ...edit) []byte {
	t.Helper()
	var root any
	if err := json.Unmarshal([]byte(doc), &root); err != nil {
		t.Fatal(err)
	}
	for _, e := range edits {
		root = applied(t, root, strings.Split(e.path, "/"), e.value)
	}
	out, err := json.Marshal(root)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func applied(t testing.TB, v any, path []string, value string) any {
	t.Helper()
	if len(path) == 0 {
		var to any
		if err := json.Unmarshal([]byte(value), &to); err != nil {
			t.Fatalf("%s: %v", value, err)
		}
		return to
	}
	switch x := v.(type) {
	case map[string]any:
		if len(path) == 1 && value == "" {
			delete(x, path[0])
			return x
		}
		x[path[0]] = applied(t, x[path[0]], path[1:], value)
		return x
	case []any:
		for i := range x {
			if path[0] == string(rune('0'+i)) {
				x[i] = applied(t, x[i], path[1:], value)
				return x
			}
		}
		return append(x, applied(t, nil, path[1:], value))
	}
	if v == nil {
		return applied(t, map[string]any{}, path, value)
	}
	t.Fatalf("no %v in %v", path, v)
	return nil
}

type modelCase struct {
	name  string
	edits []edit
	want  error // nil: accepted
}

func runModel(t *testing.T, doc string, m ModelCheck, cases []modelCase) (accepted, refused int) {
	t.Helper()
	for _, c := range cases {
		in := edited(t, doc, c.edits...)
		err := CheckModel(in, m)
		if c.want == nil {
			accepted++
		} else {
			refused++
		}
		if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: got %v, want %v\n%s", c.name, err, c.want, in)
		}
		if err != nil && ProblemType(err) == "" {
			t.Errorf("%s: no problem type for %v", c.name, err)
		}
	}
	return accepted, refused
}

const exampleTypes = `["https://www.w3.org/ns/credentials/v2", {"ExampleThing": "https://example.org/terms#ExampleThing"}]`

// The rules that the W3C and CCG suites assert of issuers: vc-data-model-2.0
// (sections 4.3 to 4.11, 5.2 to 5.6) and the VC API issuer suite.
func TestModelOfCredentials(t *testing.T) {
	cases := []modelCase{
		{"as it is", nil, nil},

		// 4.3 Contexts
		{"no context", []edit{drop("@context")}, ErrContextMissing},
		{"context null", []edit{set("@context", `null`)}, ErrContextShape},
		{"context number", []edit{set("@context", `4`)}, ErrContextShape},
		{"context false", []edit{set("@context", `false`)}, ErrContextShape},
		{"context object", []edit{set("@context", `{}`)}, ErrContextShape},
		{"context string", []edit{set("@context", `"string"`)}, ErrContextShape},
		{"context base as string", []edit{set("@context", `"https://www.w3.org/ns/credentials/v2"`)}, ErrContextShape},
		{"context empty", []edit{set("@context", `[]`)}, ErrContextShape},
		{"context items of other kinds", []edit{set("@context", `["https://www.w3.org/ns/credentials/v2", 123192875]`)}, ErrContextShape},
		{"context item null", []edit{set("@context", `["https://www.w3.org/ns/credentials/v2", null]`)}, ErrContextShape},
		{"context item true", []edit{set("@context", `["https://www.w3.org/ns/credentials/v2", true]`)}, ErrContextShape},
		{"context item array", []edit{set("@context", `["https://www.w3.org/ns/credentials/v2", []]`)}, ErrContextShape},
		{"context first item object", []edit{set("@context", `[{"foo": true}, 4, false, null]`)}, ErrContextFirst},
		{"context first item array", []edit{set("@context", `[[]]`)}, ErrContextShape},
		{"context first item another", []edit{set("@context", `["https://www.w3.org/ns/credentials/examples/v2", "https://www.w3.org/ns/credentials/v2"]`)}, ErrContextFirst},
		{"context without base", []edit{set("@context", `["https://www.w3.org/ns/credentials/examples/v2"]`)}, ErrContextFirst},
		{"context of version 1", []edit{set("@context/0", `"https://www.w3.org/2018/credentials/v1"`)}, ErrContextFirst},
		{"context not a URL", []edit{set("@context/1", `"https ://not-a-url/contexts/example/v1"`)}, ErrContextURL},
		{"context relative", []edit{set("@context/1", `"example/v1"`)}, ErrContextURL},
		{"context unknown", []edit{set("@context/1", `"https://example.com"`)}, rdf.ErrContext},
		{"context unknown in an object", []edit{set("@context/1", `{"@import": "https://example.com/v1"}`)}, rdf.ErrContext},
		{"several contexts", []edit{set("@context/1", `"https://www.w3.org/ns/credentials/examples/v2"`)}, nil},
		{"context object", []edit{set("@context", exampleTypes), set("type/1", `"ExampleThing"`)}, nil},
		{"vocabulary of undefined terms", []edit{set("@context/1", `"https://www.w3.org/ns/credentials/examples/v2"`), set("credentialSubject/anything", `{"goes": 1}`)}, nil},
		{"context inside a context", []edit{set("@context/1", `{"@context": {"alias": "https://example.org/terms#alias"}}`), set("credentialSubject/alias", `"x"`)}, nil},
		{"context inside a context beside a term", []edit{set("@context/1", `{"@context": {"alias": "https://example.org/terms#alias"}, "b": "x:b"}`)}, rdf.ErrContext},
		{"context inside a context inside a context", []edit{set("@context/1", `{"@context": {"@context": {"alias": "https://example.org/terms#alias"}}}`)}, rdf.ErrContext},
		{"protected term redefined inside a context", []edit{set("@context/1", `{"@context": {"name": "https://example.org/#name"}}`)}, rdf.ErrProtected},
		{"base type redefined", []edit{set("@context/1", `{"VerifiableCredential": "https://example.org/#Bad"}`)}, rdf.ErrProtected},
		{"base term redefined", []edit{set("@context/1", `{"name": "https://example.org/#name"}`)}, rdf.ErrProtected},
		{"protected type redefined", []edit{set("@context/1", `{"@protected": true, "Thing": "https://example.org/#Thing"}`), set("@context/2", `{"Thing": "https://example.org/#Other"}`), set("type/1", `"Thing"`)}, rdf.ErrProtected},

		// 4.4 Identifiers
		{"no id", []edit{drop("id")}, nil},
		{"id a DID", []edit{set("id", `"did:example:credential"`)}, nil},
		{"id http", []edit{set("id", `"https://example.org/credentials/1"`)}, nil},
		{"id null", []edit{set("id", `null`)}, ErrID},
		{"id number", []edit{set("id", `7`)}, ErrID},
		{"id object", []edit{set("id", `{"x": 1}`)}, ErrID},
		{"id array", []edit{set("id", `["did:example:a", "did:example:b"]`)}, ErrID},
		{"id array of one", []edit{set("id", `["did:example:a"]`)}, ErrID},
		{"id empty", []edit{set("id", `""`)}, ErrID},
		{"id not a URL", []edit{set("id", `"not-a-url"`)}, ErrID},
		{"id with a space", []edit{set("id", `"https ://not-a-url/credentials/1"`)}, ErrID},
		{"id without anything after the scheme", []edit{set("id", `"https:"`)}, ErrID},
		{"id http without host", []edit{set("id", `"https:///x"`)}, ErrID},
		{"id blank node", []edit{set("id", `"_:b0"`)}, ErrID},
		{"subject id array", []edit{set("credentialSubject/id", `["did:example:a", "did:example:b"]`)}, ErrID},
		{"subject id null", []edit{set("credentialSubject/id", `null`)}, ErrID},
		{"subject id not a URL", []edit{set("credentialSubject/id", `"somebody"`)}, ErrID},
		{"id under its keyword", []edit{set("@id", `"did:example:other"`)}, ErrModelKeyword},
		{"graph beside the credential", []edit{set("@graph", `[]`)}, ErrModelKeyword},

		// 4.5 Types
		{"no type", []edit{drop("type")}, ErrTypeMissing},
		{"type null", []edit{set("type", `null`)}, ErrTypeShape},
		{"type number", []edit{set("type", `4`)}, ErrTypeShape},
		{"type true", []edit{set("type", `true`)}, ErrTypeShape},
		{"type object", []edit{set("type", `{}`)}, ErrTypeShape},
		{"type string", []edit{set("type", `"string"`)}, ErrTypeShape},
		{"type the right string", []edit{set("type", `"VerifiableCredential"`)}, ErrTypeShape},
		{"type empty", []edit{set("type", `[]`)}, ErrTypeRequired},
		{"type items of other kinds", []edit{set("type", `[2, null, {"foo": true}, false]`)}, ErrTypeShape},
		{"type item array", []edit{set("type", `[[]]`)}, ErrTypeShape},
		{"type item object", []edit{set("type/1", `{}`)}, ErrTypeShape},
		{"type without the required", []edit{set("type", `["https://example.org/#Other"]`)}, ErrTypeRequired},
		{"type in other case", []edit{set("type", `["verifiablecredential"]`)}, ErrTypeRequired},
		{"type a URL", []edit{set("type/1", `"https://example.org/#Thing"`)}, nil},
		{"type mapped", []edit{set("@context", exampleTypes), set("type/1", `"ExampleThing"`)}, nil},
		{"type last", []edit{set("type", `["https://example.org/#Thing", "VerifiableCredential"]`)}, nil},
		{"type between", []edit{set("type", `["https://example.org/#A", "VerifiableCredential", "https://example.org/#B"]`)}, nil},
		{"type undefined", []edit{set("type/1", `"ExampleThing"`)}, rdf.ErrIRI},
		{"type undefined, vocabulary null", []edit{set("@context/1", `{"@vocab": null}`), set("type/1", `"ExampleThing"`)}, rdf.ErrIRI},
		{"type mapped to no URL", []edit{set("@context/1", `{"ExampleThing": "https ://not-a-url#ExampleThing"}`), set("type/1", `"ExampleThing"`)}, rdf.ErrContext},

		{"type only through a base", []edit{set("@context/1", `{"@base": "https://example.org/"}`), set("type/1", `"ExampleThing"`)}, rdf.ErrContext},
		{"type of a schema only through a base", []edit{set("@context/1", `{"@base": "https://example.org/"}`), set("credentialSchema", `{"id": "https://example.org/s", "type": "Relative"}`)}, rdf.ErrContext},

		// terms that JSON-LD drops
		{"undefined term", []edit{set("undefinedTerm", `"x"`)}, rdf.ErrUndefined},
		{"undefined term in the subject", []edit{set("credentialSubject/undefinedTerm", `"x"`)}, rdf.ErrUndefined},
		{"undefined term with null", []edit{set("credentialSubject/undefinedTerm", `null`)}, rdf.ErrUndefined},
		{"undefined type in the subject", []edit{set("credentialSubject/type", `"Undefined"`)}, rdf.ErrIRI},
		{"term of the other version", []edit{set("issuanceDate", `"2020-03-16T22:37:26Z"`)}, rdf.ErrUndefined},
		{"bad value object", []edit{set("@context/1", `{"t": "https://example.org/#t"}`), set("credentialSubject/t", `{"@value": {"a": 1}}`)}, rdf.ErrJSONLD},
		{"status entry under another name", []edit{set("statusEntry", `{"type": "BitstringStatusListEntry", "statusListIndex": true, "statusListCredential": "https://example.com"}`)}, rdf.ErrUndefined},

		// 4.6 Names and descriptions
		{"name", []edit{set("name", `"A credential"`)}, nil},
		{"name with a language", []edit{set("name", `{"@value": "A credential", "@language": "en"}`)}, nil},
		{"name with language and direction", []edit{set("name", `{"@value": "HTML", "@language": "ar", "@direction": "rtl"}`)}, nil},
		{"name in several languages", []edit{set("name", `[{"@value": "Dog", "@language": "en"}, {"@value": "Chien", "@language": "fr"}]`)}, nil},
		{"name with another key", []edit{set("name", `{"@value": "A", "@language": "en", "url": "did:example:x"}`)}, ErrText},
		{"name without a value", []edit{set("name", `{"@language": "en"}`)}, ErrText},
		{"name number", []edit{set("name", `1`)}, ErrText},
		{"name null", []edit{set("name", `null`)}, ErrText},
		{"name array empty", []edit{set("name", `[]`)}, ErrText},
		{"name array of numbers", []edit{set("name", `[1]`)}, ErrText},
		{"name value number", []edit{set("name", `{"@value": 1}`)}, ErrText},
		{"name with another direction", []edit{set("name", `{"@value": "A", "@direction": "up"}`)}, ErrText},
		{"name with no language at all", []edit{set("name", `{"@value": "A", "@language": "e n"}`)}, ErrText},
		{"description", []edit{set("description", `"About it"`)}, nil},
		{"description with a language", []edit{set("description", `{"@value": "About it", "@language": "en"}`)}, nil},
		{"description with another key", []edit{set("description", `{"@value": "A", "@language": "en", "url": "did:example:x"}`)}, ErrText},
		{"issuer name", []edit{set("issuer", `{"id": "did:example:issuer", "name": "Office"}`)}, nil},
		{"issuer name with language and direction", []edit{set("issuer", `{"id": "did:example:issuer", "name": {"@value": "Office", "@language": "en", "@direction": "ltr"}}`)}, nil},
		{"issuer names", []edit{set("issuer", `{"id": "did:example:issuer", "name": [{"@value": "Office", "@language": "en"}, {"@value": "Bureau", "@language": "fr"}]}`)}, nil},
		{"issuer name with another key", []edit{set("issuer", `{"id": "did:example:issuer", "name": {"@value": "Office", "url": "did:example:x"}}`)}, ErrText},
		{"issuer description", []edit{set("issuer", `{"id": "did:example:issuer", "description": "An office"}`)}, nil},
		{"issuer description with another key", []edit{set("issuer", `{"id": "did:example:issuer", "description": {"@value": "Office", "url": "did:example:x"}}`)}, ErrText},

		// 4.7 Issuer
		{"no issuer", []edit{drop("issuer")}, ErrIssuer},
		{"issuer null", []edit{set("issuer", `null`)}, ErrIssuer},
		{"issuer true", []edit{set("issuer", `true`)}, ErrIssuer},
		{"issuer number", []edit{set("issuer", `4`)}, ErrIssuer},
		{"issuer array", []edit{set("issuer", `[]`)}, ErrIssuer},
		{"issuer array of one", []edit{set("issuer", `["did:example:issuer"]`)}, ErrIssuer},
		{"issuer not a URL", []edit{set("issuer", `"fake-issuer"`)}, ErrIssuer},
		{"issuer object", []edit{set("issuer", `{"id": "did:example:issuer"}`)}, nil},
		{"issuer object id null", []edit{set("issuer", `{"id": null}`)}, ErrIssuer},
		{"issuer object id not a URL", []edit{set("issuer", `{"id": "not-a-url"}`)}, ErrIssuer},
		{"issuer object id array", []edit{set("issuer", `{"id": ["did:example:issuer"]}`)}, ErrIssuer},
		{"issuer object without id", []edit{set("issuer", `{"name": "Office"}`)}, ErrIssuer},

		// 4.8 Credential subject
		{"no subject", []edit{drop("credentialSubject")}, ErrSubject},
		{"subject null", []edit{set("credentialSubject", `null`)}, ErrSubject},
		{"subject true", []edit{set("credentialSubject", `true`)}, ErrSubject},
		{"subject number", []edit{set("credentialSubject", `4`)}, ErrSubject},
		{"subject string", []edit{set("credentialSubject", `"did:example:1234"`)}, ErrSubject},
		{"subject array empty", []edit{set("credentialSubject", `[]`)}, ErrSubject},
		{"subject array of others", []edit{set("credentialSubject", `[null, true, 4]`)}, ErrSubject},
		{"subject array of strings", []edit{set("credentialSubject", `["did:example:1234"]`)}, ErrSubject},
		{"subject empty", []edit{set("credentialSubject", `{}`)}, ErrSubjectEmpty},
		{"subject empty among others", []edit{set("credentialSubject", `[{"id": "did:example:subject"}, {}]`)}, ErrSubjectEmpty},
		{"two subjects", []edit{set("credentialSubject", `[{"id": "did:example:a"}, {"id": "did:example:b", "name": "B"}]`)}, nil},
		{"subject without id", []edit{set("credentialSubject", `{"name": "Somebody"}`)}, nil},

		// 4.9 Validity
		{"no validFrom", []edit{drop("validFrom")}, nil},
		{"milliseconds", []edit{set("validFrom", `"2024-03-01T08:00:00.477Z"`)}, nil},
		{"offset before", []edit{set("validFrom", `"2024-03-01T08:00:00-06:00"`)}, nil},
		{"far future", []edit{set("validFrom", `"9999-03-01T08:00:00Z"`)}, nil},
		{"validFrom in words", []edit{set("validFrom", `"Sat 25 Feb 2023 07:16:31 PM CST"`)}, ErrTimestamp},
		{"validFrom a date", []edit{set("validFrom", `"2024-03-01"`)}, ErrTimestamp},
		{"validFrom without offset", []edit{set("validFrom", `"2024-03-01T08:00:00"`)}, ErrTimestamp},
		{"validFrom number", []edit{set("validFrom", `1709280000`)}, ErrTimestamp},
		{"validFrom null", []edit{set("validFrom", `null`)}, ErrTimestamp},
		{"validFrom array", []edit{set("validFrom", `["2024-03-01T08:00:00Z"]`)}, ErrTimestamp},
		{"validUntil", []edit{set("validUntil", `"2030-03-01T08:00:00Z"`)}, nil},
		{"validUntil milliseconds", []edit{set("validUntil", `"2030-03-01T08:00:00.5Z"`)}, nil},
		{"validUntil offset", []edit{set("validUntil", `"2030-03-01T08:00:00+05:30"`)}, nil},
		{"validUntil in words", []edit{set("validUntil", `"tomorrow"`)}, ErrTimestamp},
		{"validUntil the same", []edit{set("validUntil", `"2024-03-01T08:00:00Z"`)}, nil},
		{"validUntil the same in another zone", []edit{set("validUntil", `"2024-03-01T09:00:00+01:00"`)}, nil},
		{"validUntil before validFrom", []edit{set("validUntil", `"2024-03-01T07:59:59Z"`)}, ErrPeriod},
		{"validUntil before validFrom by its zone", []edit{set("validUntil", `"2024-03-01T08:59:59+01:00"`)}, ErrPeriod},

		// 4.10 Status
		{"status", []edit{set("@context", exampleTypes), set("credentialStatus", `{"id": "did:example:status", "type": "ExampleThing"}`)}, nil},
		{"status without id", []edit{set("@context", exampleTypes), set("credentialStatus", `{"type": "ExampleThing"}`)}, nil},
		{"several statuses", []edit{set("@context", exampleTypes), set("credentialStatus", `[{"type": "ExampleThing"}, {"type": "ExampleThing"}]`)}, nil},
		{"status without type", []edit{set("credentialStatus", `{"id": "did:example:status"}`)}, ErrEntryType},
		{"status type number", []edit{set("credentialStatus", `{"id": "did:example:status", "type": 2}`)}, ErrEntryType},
		{"status type empty", []edit{set("credentialStatus", `{"id": "did:example:status", "type": ""}`)}, ErrEntryType},
		{"status type no types", []edit{set("credentialStatus", `{"id": "did:example:status", "type": []}`)}, ErrEntryType},
		{"status type undefined", []edit{set("credentialStatus", `{"id": "did:example:status", "type": "ExampleThing"}`)}, rdf.ErrIRI},
		{"status ids", []edit{set("@context", exampleTypes), set("credentialStatus", `{"id": ["did:example:a", "did:example:b"], "type": "ExampleThing"}`)}, ErrEntryID},
		{"status id not a URL", []edit{set("@context", exampleTypes), set("credentialStatus", `{"id": "https ://not-a-url/status/4", "type": "ExampleThing"}`)}, ErrEntryID},
		{"status id null", []edit{set("@context", exampleTypes), set("credentialStatus", `{"id": null, "type": "ExampleThing"}`)}, ErrEntryID},
		{"status string", []edit{set("credentialStatus", `"did:example:status"`)}, ErrEntryShape},
		{"status null", []edit{set("credentialStatus", `null`)}, ErrEntryShape},
		{"status empty", []edit{set("credentialStatus", `[]`)}, ErrEntryShape},
		{"status of strings", []edit{set("credentialStatus", `["did:example:status"]`)}, ErrEntryShape},
		{"bitstring entry", []edit{set("credentialStatus", bitstringEntry)}, nil},
		{"bitstring entry with id", []edit{set("credentialStatus", bitstringEntry), set("credentialStatus/id", `"https://example.org/status/3#94567"`)}, nil},
		{"bitstring entry whose id is the list", []edit{set("credentialStatus", bitstringEntry), set("credentialStatus/id", `"https://example.org/status/3"`)}, ErrStatusEntry},
		{"bitstring entry without index", []edit{set("credentialStatus", bitstringEntry), drop("credentialStatus/statusListIndex")}, ErrStatusIndex},
		{"bitstring index true", []edit{set("credentialStatus", bitstringEntry), set("credentialStatus/statusListIndex", `true`)}, ErrStatusIndex},
		{"bitstring index number", []edit{set("credentialStatus", bitstringEntry), set("credentialStatus/statusListIndex", `94567`)}, ErrStatusIndex},
		{"bitstring index negative", []edit{set("credentialStatus", bitstringEntry), set("credentialStatus/statusListIndex", `"-1"`)}, ErrStatusIndex},
		{"bitstring index hexadecimal", []edit{set("credentialStatus", bitstringEntry), set("credentialStatus/statusListIndex", `"0x10"`)}, ErrStatusIndex},
		{"bitstring index with a zero ahead", []edit{set("credentialStatus", bitstringEntry), set("credentialStatus/statusListIndex", `"07"`)}, ErrStatusIndex},
		{"bitstring index empty", []edit{set("credentialStatus", bitstringEntry), set("credentialStatus/statusListIndex", `""`)}, ErrStatusIndex},
		{"bitstring index zero", []edit{set("credentialStatus", bitstringEntry), set("credentialStatus/statusListIndex", `"0"`)}, nil},
		{"bitstring entry without purpose", []edit{set("credentialStatus", bitstringEntry), drop("credentialStatus/statusPurpose")}, ErrStatusEntry},
		{"bitstring purpose number", []edit{set("credentialStatus", bitstringEntry), set("credentialStatus/statusPurpose", `1`)}, ErrStatusEntry},
		{"bitstring entry without list", []edit{set("credentialStatus", bitstringEntry), drop("credentialStatus/statusListCredential")}, ErrStatusEntry},
		{"bitstring list not a URL", []edit{set("credentialStatus", bitstringEntry), set("credentialStatus/statusListCredential", `"status/3"`)}, ErrStatusEntry},
		{"bitstring size", []edit{set("credentialStatus", bitstringEntry), set("credentialStatus/statusSize", `1`)}, nil},
		{"bitstring size zero", []edit{set("credentialStatus", bitstringEntry), set("credentialStatus/statusSize", `0`)}, ErrStatusEntry},
		{"bitstring size string", []edit{set("credentialStatus", bitstringEntry), set("credentialStatus/statusSize", `"1"`)}, ErrStatusEntry},
		{"bitstring size without messages", []edit{set("credentialStatus", bitstringEntry), set("credentialStatus/statusSize", `2`)}, ErrStatusEntry},

		// 4.11 Schemas
		{"schema", []edit{set("credentialSchema", `{"id": "https://example.org/schema.json", "type": "JsonSchema"}`)}, nil},
		{"schemas", []edit{set("credentialSchema", `[{"id": "https://example.org/a.json", "type": "JsonSchema"}, {"id": "https://example.org/b.json", "type": "https://example.org/#OtherSchema"}]`)}, nil},
		{"schema without type", []edit{set("credentialSchema", `{"id": "https://example.org/schema.json"}`)}, ErrEntryType},
		{"schema without id", []edit{set("credentialSchema", `{"type": "JsonSchema"}`)}, ErrEntryID},
		{"schema id not a URL", []edit{set("credentialSchema", `{"id": "https ://not-a-url.org/s", "type": "JsonSchema"}`)}, ErrEntryID},
		{"schema id number", []edit{set("credentialSchema", `{"id": 3, "type": "JsonSchema"}`)}, ErrEntryID},
		{"schema string", []edit{set("credentialSchema", `"https://example.org/schema.json"`)}, ErrEntryShape},

		// 5.4 to 5.6
		{"refresh service", []edit{set("refreshService", `{"id": "did:example:refresh/1", "type": "https://example.org/#Refresh"}`)}, nil},
		{"refresh services", []edit{set("refreshService", `[{"type": "https://example.org/#A"}, {"type": "https://example.org/#B"}]`)}, nil},
		{"refresh service without type", []edit{set("refreshService", `{"id": "did:example:refresh/1"}`)}, ErrEntryType},
		{"refresh service id not a URL", []edit{set("refreshService", `{"id": "https ://x", "type": "https://example.org/#Refresh"}`)}, ErrEntryID},
		{"terms of use", []edit{set("@context", exampleTypes), set("termsOfUse", `{"type": "ExampleThing"}`)}, nil},
		{"terms of use with id", []edit{set("@context", exampleTypes), set("termsOfUse", `{"id": "https://example.org/terms/1", "type": "ExampleThing"}`)}, nil},
		{"several terms of use", []edit{set("@context", exampleTypes), set("termsOfUse", `[{"type": "ExampleThing"}, {"type": "ExampleThing"}]`)}, nil},
		{"terms of use without type", []edit{set("termsOfUse", `{"id": "https://example.org/terms/1"}`)}, ErrEntryType},
		{"terms of use empty", []edit{set("termsOfUse", `[]`)}, ErrEntryShape},
		{"evidence", []edit{set("@context", exampleTypes), set("evidence", `{"type": ["ExampleThing"]}`)}, nil},
		{"several evidences", []edit{set("@context", exampleTypes), set("evidence", `[{"type": "ExampleThing"}, {"type": "ExampleThing"}]`)}, nil},
		{"evidence without type", []edit{set("evidence", `{"id": "https://example.org/evidence/1"}`)}, ErrEntryType},
		{"evidence null", []edit{set("evidence", `null`)}, ErrEntryShape},

		// 5.3 Related resources
		{"related, SRI of the final v2 context", []edit{set("relatedResource", `{"id": "https://www.w3.org/ns/credentials/v2", "mediaType": "application/ld+json", "digestSRI": "sha384-l/HrjlBCNWyAX91hr6LFV2Y3heB5Tcr6IeE4/Tje8YyzYBM8IhqjHWiWpr8+ZbYU"}`)}, nil},
		{"related, SRI of the v2 context of July 2024", []edit{set("relatedResource", `[{"id": "https://www.w3.org/ns/credentials/v2", "digestSRI": "sha384-NSOcNpmdIVUxIJGvGUoe22FjTWrXiaXlsZ8q6912LdnR3KraQO2n75Ica4wK4Qeg"}]`)}, nil},
		{"related, multibase of the final v2 context", []edit{set("relatedResource", `[{"id": "https://www.w3.org/ns/credentials/v2", "digestMultibase": "uWZVc7WaX1h4D8rJVb-vlMIqxaEKEb1tYbX8fet7JJzQ"}]`)}, nil},
		{"related, multibase of the v2 context of July 2024", []edit{set("relatedResource", `[{"id": "https://www.w3.org/ns/credentials/v2", "digestMultibase": "uJKGMkOmFbVJhEfKTduMC2XCyvRAYLjOVmZWwIH1wQ7k"}]`)}, nil},
		{"related, multihash", []edit{set("relatedResource", `[{"id": "https://www.w3.org/ns/credentials/v2", "digestMultibase": "uEiBZlVztZpfWHgPyslVv6-UwirFoQoRvW1htfx963sknNA"}]`)}, nil},
		{"related, another resource", []edit{set("relatedResource", `{"id": "https://example.org/unknown.json", "digestSRI": "sha256-JKGMkOmFbVJhEfKTduMC2XCyvRAYLjOVmZWwIH1wQ7k="}`)}, nil},
		{"related of strings", []edit{set("relatedResource", `["https://www.w3.org/ns/credentials/v2"]`)}, ErrRelated},
		{"related string", []edit{set("relatedResource", `"https://www.w3.org/ns/credentials/v2"`)}, ErrRelated},
		{"related empty", []edit{set("relatedResource", `[]`)}, ErrRelated},
		{"related without id", []edit{set("relatedResource", `[{"digestSRI": "sha384-l/HrjlBCNWyAX91hr6LFV2Y3heB5Tcr6IeE4/Tje8YyzYBM8IhqjHWiWpr8+ZbYU"}]`)}, ErrRelated},
		{"related id not a URL", []edit{set("relatedResource", `[{"id": "v2", "digestSRI": "sha384-l/HrjlBCNWyAX91hr6LFV2Y3heB5Tcr6IeE4/Tje8YyzYBM8IhqjHWiWpr8+ZbYU"}]`)}, ErrRelated},
		{"related twice", []edit{set("relatedResource", `[{"id": "https://www.w3.org/ns/credentials/v2", "digestMultibase": "uWZVc7WaX1h4D8rJVb-vlMIqxaEKEb1tYbX8fet7JJzQ"}, {"id": "https://www.w3.org/ns/credentials/v2", "digestMultibase": "uWZVc7WaX1h4D8rJVb-vlMIqxaEKEb1tYbX8fet7JJzQ"}]`)}, ErrRelated},
		{"related without digest", []edit{set("relatedResource", `{"id": "https://www.w3.org/ns/credentials/v2"}`)}, ErrRelatedDigest},
		{"related SRI wrong", []edit{set("relatedResource", `{"id": "https://www.w3.org/ns/credentials/v2", "digestSRI": "sha384-L/HrjlBCNWyAX91hr6LFV2Y3heB5Tcr6IeE4/Tje8YyzYBM8IhqjHWiWpr8+ZbYU"}`)}, ErrRelatedMismatch},
		{"related one of two SRI wrong", []edit{set("relatedResource", `{"id": "https://www.w3.org/ns/credentials/v2", "digestSRI": "sha256-WZVc7WaX1h4D8rJVb+vlMIqxaEKEb1tYbX8fet7JJzQ= sha384-L/HrjlBCNWyAX91hr6LFV2Y3heB5Tcr6IeE4/Tje8YyzYBM8IhqjHWiWpr8+ZbYU"}`)}, ErrRelatedMismatch},
		{"related SRI hexadecimal", []edit{set("relatedResource", `{"id": "https://example.org/unknown.json", "digestSRI": "sha256-ca3d163bab055381827226140568f3bef634ac187cebd76878e0b63e9e442356"}`)}, ErrRelatedDigest},
		{"related SRI of another length", []edit{set("relatedResource", `{"id": "https://example.org/unknown.json", "digestSRI": "sha384-JKGMkOmFbVJhEfKTduMC2XCyvRAYLjOVmZWwIH1wQ7k="}`)}, ErrRelatedDigest},
		{"related SRI of MD5", []edit{set("relatedResource", `{"id": "https://example.org/unknown.json", "digestSRI": "md5-1B2M2Y8AsgTpgAmY7PhCfg=="}`)}, ErrRelatedDigest},
		{"related SRI empty", []edit{set("relatedResource", `{"id": "https://www.w3.org/ns/credentials/v2", "digestSRI": ""}`)}, ErrRelatedDigest},
		{"related SRI number", []edit{set("relatedResource", `{"id": "https://www.w3.org/ns/credentials/v2", "digestSRI": 1}`)}, ErrRelatedDigest},
		{"related multibase wrong", []edit{set("relatedResource", `{"id": "https://www.w3.org/ns/credentials/v2", "digestMultibase": "uXZVc7WaX1h4D8rJVb-vlMIqxaEKEb1tYbX8fet7JJzQ"}`)}, ErrRelatedMismatch},
		{"related multibase of another base", []edit{set("relatedResource", `{"id": "https://www.w3.org/ns/credentials/v2", "digestMultibase": "WZVc7WaX1h4D8rJVb-vlMIqxaEKEb1tYbX8fet7JJzQ"}`)}, ErrRelatedDigest},
		{"related multibase short", []edit{set("relatedResource", `{"id": "https://www.w3.org/ns/credentials/v2", "digestMultibase": "uWZVc7Q"}`)}, ErrRelatedDigest},
		{"related one digest right, one wrong", []edit{set("relatedResource", `{"id": "https://www.w3.org/ns/credentials/v2", "digestSRI": "sha384-l/HrjlBCNWyAX91hr6LFV2Y3heB5Tcr6IeE4/Tje8YyzYBM8IhqjHWiWpr8+ZbYU", "digestMultibase": "uXZVc7WaX1h4D8rJVb-vlMIqxaEKEb1tYbX8fet7JJzQ"}`)}, ErrRelatedMismatch},
	}
	accepted, refused := runModel(t, modelV2, ModelCheck{}, cases)
	t.Logf("credentials: %d accepted, %d refused", accepted, refused)
	if accepted != 56 || refused != 166 {
		t.Error("cases were lost")
	}
	for _, c := range []struct {
		in   string
		want error
	}{
		{``, ErrJSON}, {`null`, ErrModelObject}, {`[]`, ErrModelObject}, {`"x"`, ErrModelObject}, {`7`, ErrModelObject},
		{`{}`, ErrContextMissing}, {`{"type": ["NonconformingDocument"]}`, ErrContextMissing},
		{strings.Replace(modelV2, `"id"`, `"issuer": "did:example:other", "id"`, 1), ErrJSONTwice},
		{`{"@context":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`, ErrJSONDeep},
		{modelV2 + "x", ErrJSON}, {strings.Replace(modelV2, "subject", "sub\xffject", 1), ErrJSON},
		{`{"x":"` + strings.Repeat("a", maxModel) + `"}`, ErrModelSize},
	} {
		if err := CheckModel([]byte(c.in), ModelCheck{}); !errors.Is(err, c.want) {
			t.Errorf("%.60s: got %v, want %v", c.in, err, c.want)
		}
	}
}

const bitstringEntry = `{"type": "BitstringStatusListEntry", "statusPurpose": "revocation", "statusListIndex": "94567", "statusListCredential": "https://example.org/status/3"}`

func TestModelOfVersion1(t *testing.T) {
	cases := []modelCase{
		{"as it is", nil, nil},
		{"with an end", []edit{set("expirationDate", `"2030-03-16T22:37:26Z"`)}, nil},
		{"data integrity context appended", []edit{set("@context/2", `"https://w3id.org/security/data-integrity/v2"`)}, nil},
		{"without issuanceDate", []edit{drop("issuanceDate")}, ErrIssuanceDate},
		{"issuanceDate a date", []edit{set("issuanceDate", `"2020-03-16"`)}, ErrTimestamp},
		{"expirationDate in words", []edit{set("expirationDate", `"never"`)}, ErrTimestamp},
		{"expirationDate before", []edit{set("expirationDate", `"2019-03-16T22:37:26Z"`)}, ErrPeriod},
		{"both bases", []edit{set("@context/1", `"https://www.w3.org/ns/credentials/v2"`)}, rdf.ErrProtected},
		{"without issuer", []edit{drop("issuer")}, ErrIssuer},
		{"undefined term", []edit{set("credentialSubject/undefinedTerm", `1`)}, rdf.ErrUndefined},
		{"term of version 2 at the top", []edit{set("relatedResource", `{"id": "https://example.org/x", "digestMultibase": "uWZVc7WaX1h4D8rJVb-vlMIqxaEKEb1tYbX8fet7JJzQ"}`)}, rdf.ErrUndefined},
	}
	runModel(t, modelV1, ModelCheck{Version1: true}, cases)
	runModel(t, modelV1, ModelCheck{}, []modelCase{{"not asked for", nil, ErrContextFirst}})
}

func TestModelOfIssuing(t *testing.T) {
	m := ModelCheck{Issue: true}
	runModel(t, modelV2, m, []modelCase{
		{"issuer object without id", []edit{set("issuer", `{"name": "Office"}`)}, nil},
		{"issuer object empty", []edit{set("issuer", `{}`)}, nil},
		{"issuer object id null", []edit{set("issuer", `{"id": null}`)}, ErrIssuer},
		{"issuer object id number", []edit{set("issuer", `{"id": 7}`)}, ErrIssuer},
		{"no issuer", []edit{drop("issuer")}, ErrIssuer},
		{"issuer array", []edit{set("issuer", `[]`)}, ErrIssuer},
	})
	vocabulary := set("@context/1", `"https://www.w3.org/ns/credentials/examples/v2"`)
	runModel(t, modelV2, ModelCheck{Closed: true}, []modelCase{
		{"all known", []edit{vocabulary, set("name", `"x"`)}, nil},
		{"known to the vocabulary alone", []edit{vocabulary, set("badExtension", `{"huh": "what?"}`)}, ErrModelProperty},
		{"of a presentation", []edit{vocabulary, set("holder", `"did:example:h"`)}, ErrModelProperty},
		{"of version 1", []edit{vocabulary, set("issuanceDate", `"2020-03-16T22:37:26.544Z"`)}, ErrModelProperty},
	})
}

func TestModelOfPresentations(t *testing.T) {
	m := ModelCheck{Presentation: true}
	runModel(t, modelVP, m, []modelCase{
		{"as it is", nil, nil},
		{"no credential", []edit{drop("verifiableCredential")}, nil},
		{"credentials empty", []edit{set("verifiableCredential", `[]`)}, nil},
		{"one credential", []edit{set("verifiableCredential", modelV2)}, nil},
		{"two credentials", []edit{set("verifiableCredential/1", modelV2), drop("verifiableCredential/1/id")}, nil},
		{"enveloped", []edit{set("verifiableCredential/0", modelEnvelope)}, nil},
		{"enveloped among others", []edit{set("verifiableCredential/1", modelEnvelope)}, nil},
		{"id", []edit{set("id", `"urn:uuid:9c9a36f8-518f-4976-a934-6649502d0008"`)}, nil},
		{"id not a URL", []edit{set("id", `"presentation"`)}, ErrID},
		{"no holder", []edit{drop("holder")}, nil},
		{"holder object", []edit{set("holder", `{"id": "did:example:holder"}`)}, nil},
		{"holder object id not a URL", []edit{set("holder", `{"id": "z6Mkp"}`)}, ErrHolder},
		{"holder object without id", []edit{set("holder", `{"name": "x"}`)}, ErrHolder},
		{"holder not a URL", []edit{set("holder", `"somebody"`)}, ErrHolder},
		{"holder array", []edit{set("holder", `["did:example:holder"]`)}, ErrHolder},
		{"holder null", []edit{set("holder", `null`)}, ErrHolder},
		{"type alone", []edit{set("type", `"VerifiablePresentation"`)}, nil},
		{"type mapped", []edit{set("@context", exampleTypes), set("type/1", `"ExampleThing"`)}, nil},
		{"no type", []edit{drop("type")}, ErrTypeMissing},
		{"type of a credential", []edit{set("type", `["VerifiableCredential"]`)}, ErrTypeRequired},
		{"type of a credential alone", []edit{set("type", `"VerifiableCredential"`)}, ErrTypeRequired},
		{"type undefined", []edit{set("type/1", `"ExampleThing"`)}, rdf.ErrIRI},
		{"no context", []edit{drop("@context")}, ErrContextMissing},
		{"contexts in another order", []edit{set("@context", `["https://www.w3.org/ns/credentials/examples/v2", "https://www.w3.org/ns/credentials/v2"]`)}, ErrContextFirst},
		{"context unknown", []edit{set("@context/1", `"https://example.com"`)}, rdf.ErrContext},
		{"context not a URL", []edit{set("@context/1", `"https ://not-a-url/contexts/example/v1"`)}, ErrContextURL},
		{"context number", []edit{set("@context/1", `123192875`)}, ErrContextShape},
		{"context object", []edit{set("@context", exampleTypes)}, nil},
		{"credential a string", []edit{set("verifiableCredential/0", `"https://example.org/credentials/1"`)}, ErrContained},
		{"credential a number", []edit{set("verifiableCredential", `7`)}, ErrContained},
		{"credential null", []edit{set("verifiableCredential", `null`)}, ErrContained},
		{"envelope without context", []edit{set("verifiableCredential/0", modelEnvelope), drop("verifiableCredential/0/@context")}, ErrEnvelope},
		{"envelope with an empty context", []edit{set("verifiableCredential/0", modelEnvelope), set("verifiableCredential/0/@context", `[]`)}, ErrEnvelope},
		{"envelope with another context", []edit{set("verifiableCredential/0", modelEnvelope), set("verifiableCredential/0/@context", `"https://www.w3.org/ns/credentials/examples/v2"`)}, ErrEnvelope},
		{"envelope without data URL", []edit{set("verifiableCredential/0", modelEnvelope), set("verifiableCredential/0/id", `"e30.e30.AA"`)}, ErrEnvelope},
		{"envelope with a claim beside", []edit{set("verifiableCredential/0", modelEnvelope), set("verifiableCredential/0/name", `"x"`)}, ErrEnvelope},
		{"envelope that is also a credential", []edit{set("verifiableCredential/0", modelEnvelope), set("verifiableCredential/0/type", `["EnvelopedVerifiableCredential", "VerifiableCredential"]`)}, ErrEnvelope},
		{"envelope of a presentation", []edit{set("verifiableCredential/0", modelEnvelope), set("verifiableCredential/0/type", `"EnvelopedVerifiablePresentation"`)}, ErrEnvelope},
		{"undefined term", []edit{set("undefinedTerm", `"x"`)}, rdf.ErrUndefined},
		{"undefined term in a credential", []edit{set("verifiableCredential/0/credentialSubject/undefinedTerm", `"x"`)}, rdf.ErrUndefined},
	})
	many := strings.Repeat(modelEnvelope+",", maxContained) + modelEnvelope
	runModel(t, modelVP, m, []modelCase{
		{"too many", []edit{set("verifiableCredential", "["+many+"]")}, ErrContained},
		{"as many as may be", []edit{set("verifiableCredential", "["+many[len(modelEnvelope)+1:]+"]")}, nil},
	})
	if err := CheckModel([]byte(modelVP), ModelCheck{}); !errors.Is(err, ErrTypeRequired) {
		t.Error("a presentation passed for a credential:", err)
	}
	if err := CheckModel([]byte(modelV2), m); !errors.Is(err, ErrTypeRequired) {
		t.Error("a credential passed for a presentation:", err)
	}
}

func TestModelOfEnvelopes(t *testing.T) {
	m := ModelCheck{JWT: true}
	runModel(t, modelV2, m, []modelCase{
		{"no claims", nil, nil},
		{"claims that say the same", []edit{set("iss", `"did:example:issuer"`), set("sub", `"did:example:subject"`), set("jti", `"urn:uuid:6f0c7f1a-94f1-4e43-a5e1-b6e0e7a6a001"`), set("iat", `1700000000`), set("exp", `1900000000`), set("nbf", `1700000000.5`), set("cnf", `{"jwk": {}}`)}, nil},
		{"iat as others write it", []edit{set("iat", `"2010-01-01T19:23:24Z"`)}, nil},
		{"another issuer", []edit{set("iss", `"did:example:other"`)}, ErrModelClaims},
		{"issuer number", []edit{set("iss", `1`)}, ErrModelClaims},
		{"another subject", []edit{set("sub", `"did:example:other"`)}, ErrModelClaims},
		{"another id", []edit{set("jti", `"urn:uuid:other"`)}, ErrModelClaims},
		{"exp in words", []edit{set("exp", `"tomorrow"`)}, ErrModelClaims},
		{"nbf negative", []edit{set("nbf", `-1`)}, ErrModelClaims},
		{"nonce number", []edit{set("nonce", `1`)}, ErrModelClaims},
		{"claim vc", []edit{set("vc", `"oops"`)}, ErrModelClaims},
		{"claim vp", []edit{set("vp", `{}`)}, ErrModelClaims},
		{"proof inside", []edit{set("proof", `{"type": "DataIntegrityProof"}`)}, ErrModelClaims},
		{"undefined term", []edit{set("iss", `"did:example:issuer"`), set("undefinedTerm", `1`)}, rdf.ErrUndefined},
	})
	runModel(t, modelV2, ModelCheck{}, []modelCase{{"claims outside an envelope", []edit{set("jti", `"did:example:issuer"`)}, rdf.ErrUndefined}})
	runModel(t, modelVP, ModelCheck{JWT: true, Presentation: true}, []modelCase{
		{"bare credential", nil, ErrEnvelope},
		{"enveloped credential", []edit{set("verifiableCredential/0", modelEnvelope), set("iss", `"did:example:holder"`), set("aud", `"https://example.org"`), set("nonce", `"n"`)}, nil},
		{"another holder", []edit{set("verifiableCredential/0", modelEnvelope), set("iss", `"did:example:other"`)}, ErrModelClaims},
	})
}

func TestModelKeepsWhatItRead(t *testing.T) {
	var f modelFacts
	doc := edited(t, modelV2, set("issuer", `{"id": "did:example:\u0069ssuer"}`), set("validUntil", `"2030-01-01T00:00:00+01:00"`))
	if err := f.read(doc, ModelCheck{}); err != nil {
		t.Fatal(err)
	}
	if string(f.issuer) != "did:example:issuer" || f.version1 ||
		!f.until.Equal(time.Date(2029, 12, 31, 23, 0, 0, 0, time.UTC)) || !f.from.Equal(time.Date(2024, 3, 1, 8, 0, 0, 0, time.UTC)) {
		t.Errorf("%+v", f)
	}
}

func TestTimestamp(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"2024-03-01T08:00:00Z", "2024-03-01T08:00:00Z"},
		{"2024-03-01T08:00:00.5Z", "2024-03-01T08:00:00.5Z"},
		{"2024-03-01T08:00:00.123456789123Z", "2024-03-01T08:00:00.123456789Z"},
		{"2024-03-01T08:00:00+00:00", "2024-03-01T08:00:00Z"},
		{"2024-03-01T08:00:00+14:00", "2024-02-29T18:00:00Z"},
		{"2024-03-01T08:00:00-14:00", "2024-03-01T22:00:00Z"},
		{"2024-03-01T08:00:00-00:30", "2024-03-01T08:30:00Z"},
		{"2024-02-29T24:00:00Z", "2024-03-01T00:00:00Z"},
		{"2024-02-29T24:00:00.000+01:00", "2024-02-29T23:00:00Z"},
		{"2000-02-29T00:00:00Z", "2000-02-29T00:00:00Z"},
		{"0000-01-01T00:00:00Z", "0000-01-01T00:00:00Z"},
		{"9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"},
	} {
		got, ok := parseTimestamp([]byte(c.in))
		if !ok || got.Format(time.RFC3339Nano) != c.want {
			t.Errorf("%s: %v %v, want %s", c.in, got.Format(time.RFC3339Nano), ok, c.want)
		}
	}
	if got, ok := parseTimestamp([]byte("12024-03-01T08:00:00Z")); !ok || got.Year() != 12024 {
		t.Error("a year of five digits is refused")
	}
	if got, ok := parseTimestamp([]byte("-0044-03-15T12:00:00Z")); !ok || got.Year() != -44 {
		t.Error("a year before 0 is refused")
	}
	for _, in := range []string{
		"", "Z", "2024", "2024-03-01", "2024-03-01T08:00Z", "2024-03-01T08:00:00", "2024-03-01 08:00:00Z", "2024-03-01t08:00:00z",
		"2024-03-01T08:00:00z", "2024-13-01T08:00:00Z", "2024-00-01T08:00:00Z", "2024-03-00T08:00:00Z", "2024-03-32T08:00:00Z",
		"2024-02-30T08:00:00Z", "2023-02-29T08:00:00Z", "1900-02-29T00:00:00Z", "2024-04-31T00:00:00Z", "2024-03-01T25:00:00Z", "2024-03-01T24:00:01Z",
		"2024-03-01T24:01:00Z", "2024-03-01T24:00:00.001Z", "2024-03-01T08:60:00Z", "2024-03-01T08:00:60Z", "2024-03-01T08:00:00.Z",
		"2024-03-01T08:00:00,5Z", "2024-03-01T08:00:00+0100", "2024-03-01T08:00:00+01", "2024-03-01T08:00:00+14:01", "2024-03-01T08:00:00+15:00",
		"2024-03-01T08:00:00+01:60", "2024-03-01T08:00:00ZZ", " 2024-03-01T08:00:00Z", "2024-03-01T08:00:00Z ", "02024-03-01T08:00:00Z",
		"+2024-03-01T08:00:00Z", "1234567-03-01T08:00:00Z", "20x4-03-01T08:00:00Z", "2024-03-01T0８:00:00Z", "2024-3-1T08:00:00Z",
		"2024-03-01T08:00:00." + strings.Repeat("0", 60) + "Z", "٢٠٢٤-03-01T08:00:00Z",
	} {
		if got, ok := parseTimestamp([]byte(in)); ok {
			t.Errorf("%q was read as %v", in, got)
		}
	}
}

func TestModelFaultsNameTheProperty(t *testing.T) {
	err := CheckModel(edited(t, modelV2, set("evidence", `[{"id": "https://example.org/1"}]`)), ModelCheck{})
	f := fault.As(err)
	if len(f.Fields) != 1 || f.Fields[0].Path != "/evidence/type" {
		t.Errorf("%+v", f)
	}
}
