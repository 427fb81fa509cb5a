package vc

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kinpass/kinpass/internal/fault"
)

const goodBirth = `{"childRef":"jWoSldc3ms1i4ycXe2mjtQ","recordVersion":1,"circumstance":"ordinary",
 "names":[{"kind":"legal","script":"Latn","given":["Kavya"],"family":["Gurung"]}],
 "birthDate":{"value":"2013-04-11","precision":"day","basis":"medicalRecord"},"sex":2,
 "placeOfBirth":{"status":"known","country":"NPL"},
 "parentage":[{"role":"mother","status":"known","names":[{"kind":"legal","script":"Latn","full":"Diya Thapa"}]}],
 "registration":{"number":"NPL-2013-043227","authority":"https://registry.npl.example","date":"2013-06-05","mode":"timely"}}`

func TestEverySchemaCompilesUnderItsOwnID(t *testing.T) {
	files := SchemaFiles()
	want := []string{SchemaBirth, SchemaBirthBorder, SchemaGuardianship, SchemaGuardBorder,
		SchemaCommon, SchemaRegistrationBirth, SchemaRegistrationGuard, SchemaRegistrationTravel, SchemaConsent, SchemaBase + "credential/common/1.json"}
	if len(files) != len(want) {
		t.Errorf("%d files, want %d", len(files), len(want))
	}
	for _, id := range want {
		var doc struct {
			ID    string `json:"$id"`
			Draft string `json:"$schema"`
		}
		if err := json.Unmarshal(files[strings.TrimPrefix(id, SchemaBase)], &doc); err != nil {
			t.Fatalf("%s: %v", id, err)
		}
		if doc.ID != id || doc.Draft != "https://json-schema.org/draft/2020-12/schema" {
			t.Errorf("%s says it is %q, draft %q", id, doc.ID, doc.Draft)
		}
	}
	if err := ValidateSchema(SchemaRegistrationBirth, []byte(goodBirth)); err != nil {
		t.Fatal(err)
	}
}

func TestSchemaFilesAreTheCallersToChange(t *testing.T) {
	a := SchemaFiles()["registration/birth/1.json"]
	clear(a)
	if bytes.Equal(a, SchemaFiles()["registration/birth/1.json"]) {
		t.Error("a caller can change the built-in schema")
	}
	c := ContextFile()
	clear(c)
	if bytes.Equal(c, ContextFile()) {
		t.Error("a caller can change the built-in context")
	}
}

// change gives goodBirth with one text replaced, which must be there.
func change(t *testing.T, old, new string) string {
	t.Helper()
	if !strings.Contains(goodBirth, old) {
		t.Fatalf("the test record has no %s", old)
	}
	return strings.Replace(goodBirth, old, new, 1)
}

func TestValidateSchemaNamesPlaceAndRuleButNoValue(t *testing.T) {
	tests := []struct {
		name, old, new string
		path, rule     string
	}{
		{"missing member", `"sex":2,`, ``, "", "is required: sex"},
		{"wrong type", `"recordVersion":1`, `"recordVersion":"Secret1"`, "/recordVersion", "must be of type integer"},
		{"fraction", `"recordVersion":1`, `"recordVersion":1.5`, "/recordVersion", "must be a plain whole number"},
		{"exponent", `"recordVersion":1`, `"recordVersion":1e999999`, "/recordVersion", "must be a plain whole number"},
		{"many digits", `"recordVersion":1`, `"recordVersion":12345678901234567890`, "/recordVersion", "must be a plain whole number"},
		{"too small", `"recordVersion":1`, `"recordVersion":0`, "/recordVersion", "must be at least 1"},
		{"too large", `"recordVersion":1`, `"recordVersion":10000`, "/recordVersion", "must be at most 9999"},
		{"pattern", `jWoSldc3ms1i4ycXe2mjtQ`, `Secret1`, "/childRef", "must match the pattern for childRef"},
		{"enumeration", `"ordinary"`, `"Secret1"`, "/circumstance", "must be one of: ordinary, foundling, unaccompaniedDisplaced, refugeeHostState, inTransit, reconstructed"},
		{"number enumeration", `"sex":2`, `"sex":3`, "/sex", "must be one of: 0, 1, 2, 9"},
		{"date that does not exist", `2013-06-05`, `2013-02-30`, "/registration/date", "must be a valid date"},
		{"relative authority", `https://registry.npl.example`, `Secret1`, "/registration/authority", "must be a valid uri"},
		{"unknown member at the top", `"sex":2`, `"sex":2,"Secret1":true`, "", "has a member that is not allowed; allowed are: amendment, birthDate, childRef, circumstance, multipleBirth, names, parentage, placeOfBirth, portrait, recordVersion, registration, sex, timeOfBirth, travelDocuments"},
		{"unknown member below", `"status":"known","country"`, `"Secret1":1,"status":"known","country"`, "/placeOfBirth", "has a member that is not allowed; allowed are: adminArea, country, facilityId, facilityType, locality, status"},
		{"unknown member in a list", `"given":["Kavya"]`, `"given":["Kavya"],"Secret1":[]`, "/names/0", "has a member that is not allowed; allowed are: family, full, given, kind, lang, mrz, script, status"},
		{"three unknown members", `"status":"known","country"`, `"Secret1":1,"Secret2":2,"Secret3":3,"status":"known","country"`, "/placeOfBirth", "has 3 members that are not allowed; allowed are: adminArea, country, facilityId, facilityType, locality, status"},
		{"a member of another place", `"status":"known","country"`, `"given":[],"status":"known","country"`, "/placeOfBirth", "has a member that is not allowed; allowed are: adminArea, country, facilityId, facilityType, locality, status"},
		{"bad number in an unknown member", `"sex":2`, `"sex":2,"Secret1":{"Secret2":1.5}`, "", "must be a plain whole number"},
		{"one of several", `"given":["Kavya"],"family":["Gurung"]`, `"lang":"ne"`, "/names/0", "needs one of: full, given, family, status"},
		{"empty list", `[{"kind":"legal","script":"Latn","given":["Kavya"],"family":["Gurung"]}]`, `[]`, "/names", "must have at least 1 entries"},
		{"empty text", `"Kavya"`, `""`, "/names/0/given/0", "must not be empty"},
		{"names of an unknown parent", `"status":"known","names"`, `"status":"unknown","names"`, "/parentage/0", "has members that exclude one another"},
		{"null", `"sex":2`, `"sex":null`, "/sex", "must be one of: 0, 1, 2, 9"},
		{"list for object", `{"status":"known","country":"NPL"}`, `["Secret1"]`, "/placeOfBirth", "must be of type object"},
		{"an id of its own", `"sex":2`, `"sex":2,"id":"did:key:z6Mk"`, "", "has a member that is not allowed; allowed are: amendment, birthDate, childRef, circumstance, multipleBirth, names, parentage, placeOfBirth, portrait, recordVersion, registration, sex, timeOfBirth, travelDocuments"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			f := fault.As(ValidateSchema(SchemaRegistrationBirth, []byte(change(t, tc.old, tc.new))))
			if f == nil {
				t.Fatal("accepted")
			}
			if f.Kind != fault.Unprocessable || f.Code != "schema-refused" {
				t.Errorf("kind %d, code %s", f.Kind, f.Code)
			}
			if !slices.Contains(f.Fields, fault.Field{Path: tc.path, Rule: tc.rule}) {
				t.Errorf("fields %+v, want %s %s", f.Fields, tc.path, tc.rule)
			}
			for _, x := range f.Fields {
				if strings.Contains(x.Path+x.Rule, "Secret") {
					t.Errorf("the refusal repeats the input: %+v", x)
				}
			}
		})
	}
}

// unevaluatedProperties counts a member as unknown when the branch that knows it
// fails; only what no branch knows may be called so.
func TestValidateSchemaCallsNoKnownMemberUnknown(t *testing.T) {
	const guardianship = `{"guardian":{"kind":"naturalPerson"},"ward":{"childRef":"jWoSldc3ms1i4ycXe2mjtQ"},"role":"mother",
  "legalBasis":{"type":"parentalResponsibilityByBirth","law":"NPL"},"powers":["travelAccompany"],"exercise":{"mode":"sole"},
  "effective":{"from":"2013-04-11"},"termination":{"majorityAge":18,"majorityLaw":"NPL"}}`
	if err := ValidateSchema(SchemaRegistrationGuard, []byte(guardianship)); err != nil {
		t.Fatal(err)
	}
	const key = `{"id":"did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK",`
	full := credential(TypeGuardianship, SchemaGuardianship, key+guardianship[1:])
	if err := ValidateSchema(SchemaGuardianship, []byte(full)); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ schema, doc, old, new, path string }{
		{SchemaRegistrationGuard, guardianship, `"travelAccompany"`, `"fly"`, "/powers/0"},
		{SchemaRegistrationGuard, guardianship, `"law":"NPL"`, `"law":"Nepal"`, "/legalBasis/law"},
		{SchemaRegistrationGuard, guardianship, `"majorityAge":18,`, ``, "/termination"},
		{SchemaGuardianship, full, `"travelAccompany"`, `"fly"`, "/credentialSubject/powers/0"},
		{SchemaRegistrationBirth, goodBirth, `"sex":2`, `"sex":5`, "/sex"},
		{SchemaRegistrationBirth, goodBirth, `"mode":"timely"`, `"mode":"soon"`, "/registration/mode"},
	} {
		f := fault.As(ValidateSchema(tc.schema, []byte(strings.Replace(tc.doc, tc.old, tc.new, 1))))
		if f == nil || len(f.Fields) != 1 || f.Fields[0].Path != tc.path {
			t.Errorf("%s for %s: %+v, want one field at %s", tc.new, tc.old, f, tc.path)
		}
		stranger := strings.Replace(strings.Replace(tc.doc, tc.old, tc.new, 1), `{`, `{"Secret1":1,`, 1)
		f = fault.As(ValidateSchema(tc.schema, []byte(stranger)))
		if f == nil || len(f.Fields) != 2 || !strings.HasPrefix(f.Fields[0].Rule, "has a member that is not allowed") || f.Fields[0].Path != "" {
			t.Errorf("%s for %s beside an unknown member: %+v, want both named", tc.new, tc.old, f)
		}
	}
}

func TestValidateSchemaNamesEveryBrokenRuleUpToTwenty(t *testing.T) {
	f := fault.As(ValidateSchema(SchemaRegistrationBirth, []byte(`{"sex":7,"circumstance":"x"}`)))
	if f == nil || len(f.Fields) != 9 {
		t.Fatalf("%+v, want two wrong values and seven missing members", f)
	}
	many := change(t, `"given":["Kavya"]`, `"given":[`+strings.Repeat(`1,`, 200)+`1]`)
	f = fault.As(ValidateSchema(SchemaRegistrationBirth, []byte(many)))
	if f == nil || len(f.Fields) != 20 {
		t.Fatalf("%d fields, want 20", len(f.Fields))
	}
}

func TestValidateSchemaRefusesWhatIsNoStrictJSON(t *testing.T) {
	for name, doc := range map[string]string{
		"nothing":          ``,
		"half":             `{"sex":`,
		"two values":       goodBirth + `{}`,
		"a member twice":   change(t, `"sex":2`, `"sex":2,"sex":1`),
		"deep":             strings.Repeat(`[`, 17) + strings.Repeat(`]`, 17),
		"not UTF-8":        change(t, `Kavya`, "Ka\xffvya"),
		"trailing garbage": goodBirth + `x`,
	} {
		f := fault.As(ValidateSchema(SchemaRegistrationBirth, []byte(doc)))
		if f == nil || f.Kind != fault.Invalid {
			t.Errorf("%s: %+v, want an invalid request", name, f)
		}
	}
	if f := fault.As(ValidateSchema("https://example.org/other.json", []byte(goodBirth))); f == nil || f.Kind != fault.Internal {
		t.Errorf("unknown schema id: %+v, want an internal error", f)
	}
}

// credential wraps a subject the way the issuer does.
func credential(typ, schema, subject string) string {
	return `{"@context":["` + ContextV2 + `","` + ContextKinpass + `"],"id":"urn:uuid:0e8b5a4e-4d63-4b25-9c1f-0a6d8a3f2b11",
 "type":["VerifiableCredential","` + typ + `"],"issuer":"did:web:registry.npl.example","validFrom":"2026-11-20T10:00:00Z","validUntil":"2027-11-20T10:00:00Z",
 "credentialSubject":` + subject + `,
 "credentialStatus":[{"type":"BitstringStatusListEntry","statusPurpose":"revocation","statusListIndex":"94567","statusListCredential":"https://registry.npl.example/status/revocation/3"},
  {"type":"BitstringStatusListEntry","statusPurpose":"suspension","statusListIndex":"94567","statusListCredential":"https://registry.npl.example/status/suspension/3"}],
 "credentialSchema":{"id":"` + schema + `","type":"JsonSchema"}}`
}

func TestCredentialSchemasDescribeTheWholeCredential(t *testing.T) {
	const border = `{"childRef":"jWoSldc3ms1i4ycXe2mjtQ","recordVersion":1,"circumstance":"ordinary",
  "names":[{"kind":"legal","script":"Latn","mrz":{"primary":"GURUNG","secondary":"KAVYA"}}],"birthDate":{"value":"2013-04-11","precision":"day"},
  "sex":2,"placeOfBirth":{},"parentage":[{"role":"mother","status":"known"}],"registration":{"number":"1","date":"2013-06-05","mode":"timely"}}`
	const mandate = `"guardian":{"kind":"naturalPerson"},"ward":{"childRef":"jWoSldc3ms1i4ycXe2mjtQ"},"role":"mother",
  "legalBasis":{"type":"parentalResponsibilityByBirth","law":"NPL"},"powers":["travelAccompany"],"exercise":{"mode":"sole"},
  "effective":{"from":"2013-04-11"},"termination":{"majorityAge":18,"majorityLaw":"NPL"}}`
	const key = `"id":"did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK",`
	birth := credential(TypeBirth, SchemaBirth, goodBirth)
	small := credential(TypeBirth, SchemaBirthBorder, border)
	full := credential(TypeGuardianship, SchemaGuardianship, "{"+key+mandate)
	paper := credential(TypeGuardianship, SchemaGuardBorder, "{"+mandate)
	good := map[string][2]string{
		"birth": {SchemaBirth, birth}, "birth border": {SchemaBirthBorder, small}, "guardianship": {SchemaGuardianship, full},
		"guardianship on paper": {SchemaGuardBorder, paper}, "guardianship border": {SchemaGuardBorder, credential(TypeGuardianship, SchemaGuardBorder, "{"+key+mandate)},
	}
	for name, x := range good {
		if err := ValidateSchema(x[0], []byte(x[1])); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	bad := []struct{ name, schema, doc, old, new, path string }{
		{"another type", SchemaBirth, birth, `"BirthCredential"`, `"GuardianshipCredential"`, "/type"},
		{"a third context", SchemaBirth, birth, `/v1"],`, `/v1","https://evil.example"],`, "/@context"},
		{"issuer that is no DID", SchemaBirth, birth, `"issuer":"did:web:registry.npl.example"`, `"issuer":"https://registry.npl.example"`, "/issuer"},
		{"issuer that is an object", SchemaBirth, birth, `"issuer":"did:web:registry.npl.example"`, `"issuer":{"id":"did:web:registry.npl.example"}`, "/issuer"},
		{"no end", SchemaBirth, birth, `"validUntil":"2027-11-20T10:00:00Z",`, ``, ""},
		{"fraction of a second", SchemaBirth, birth, `2027-11-20T10:00:00Z`, `2027-11-20T10:00:00.5Z`, "/validUntil"},
		{"other zone", SchemaBirth, birth, `2027-11-20T10:00:00Z`, `2027-11-20T10:00:00+01:00`, "/validUntil"},
		{"an hour that does not exist", SchemaBirth, birth, `2027-11-20T10:00:00Z`, `2027-11-20T25:00:00Z`, "/validUntil"},
		{"id that is no random UUID", SchemaBirth, birth, `urn:uuid:0e8b5a4e-4d63-4b25`, `urn:uuid:0e8b5a4e-4d63-1b25`, "/id"},
		{"two revocation lists", SchemaBirth, birth, `"suspension"`, `"revocation"`, "/credentialStatus/1/statusPurpose"},
		{"index that is a number", SchemaBirth, birth, `"statusListIndex":"94567"`, `"statusListIndex":94567`, "/credentialStatus/0/statusListIndex"},
		{"index with a leading zero", SchemaBirth, birth, `"statusListIndex":"94567"`, `"statusListIndex":"094567"`, "/credentialStatus/0/statusListIndex"},
		{"another schema", SchemaBirth, birth, SchemaBirth, SchemaBirthBorder, "/credentialSchema/id"},
		{"a claim beside the subject", SchemaBirth, birth, `"issuer":`, `"evidence":[],"issuer":`, ""},
		{"a birth with a subject id", SchemaBirth, birth, `"childRef"`, `"id":"did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK","childRef"`, "/credentialSubject"},
		{"border birth with a given name", SchemaBirthBorder, small, `"script":"Latn"`, `"script":"Latn","given":["Kavya"]`, "/credentialSubject/names/0"},
		{"border birth with two names", SchemaBirthBorder, small, `"names":[`, `"names":[{"kind":"usual","script":"Latn","mrz":{"primary":"X"}},`, "/credentialSubject/names"},
		{"border birth with a locality", SchemaBirthBorder, small, `"placeOfBirth":{}`, `"placeOfBirth":{"locality":"Sunauli"}`, "/credentialSubject/placeOfBirth"},
		{"border birth with a parent's name", SchemaBirthBorder, small, `"status":"known"`, `"status":"known","names":[]`, "/credentialSubject/parentage/0"},
		{"border birth with a basis", SchemaBirthBorder, small, `"precision":"day"`, `"precision":"day","basis":"informant"`, "/credentialSubject/birthDate"},
		{"range without limits", SchemaBirthBorder, small, `"value":"2013-04-11","precision":"day"`, `"precision":"range"`, "/credentialSubject/birthDate"},
		{"filler at the end of an MRZ name", SchemaBirthBorder, small, `"GURUNG"`, `"GURUNG<"`, "/credentialSubject/names/0/mrz/primary"},
		{"full guardianship without holder", SchemaGuardianship, full, key, ``, "/credentialSubject"},
		{"full guardianship with a holder key of the registrar", SchemaGuardianship, full, `"kind":"naturalPerson"`, `"kind":"naturalPerson","holderKey":"x"`, "/credentialSubject/guardian"},
		{"paper with a person reference", SchemaGuardBorder, paper, `"kind":"naturalPerson"`, `"kind":"naturalPerson","personRef":"x"`, "/credentialSubject/guardian"},
		{"paper with a did:web subject", SchemaGuardBorder, paper, `{"guardian"`, `{"id":"did:web:x.example","guardian"`, "/credentialSubject/id"},
		{"joint for nothing", SchemaGuardBorder, paper, `{"mode":"sole"}`, `{"mode":"joint","jointFor":[]}`, "/credentialSubject/exercise/jointFor"},
		{"joint for what is no power", SchemaGuardBorder, paper, `{"mode":"sole"}`, `{"mode":"joint","jointFor":["fly"]}`, "/credentialSubject/exercise/jointFor/0"},
		{"allowed in no country", SchemaGuardBorder, paper, `"effective"`, `"constraints":{"allowedCountries":[]},"effective"`, "/credentialSubject/constraints/allowedCountries"},
	}
	for _, tc := range bad {
		t.Run(tc.name, func(t *testing.T) {
			if !strings.Contains(tc.doc, tc.old) {
				t.Fatalf("the credential has no %s", tc.old)
			}
			f := fault.As(ValidateSchema(tc.schema, []byte(strings.Replace(tc.doc, tc.old, tc.new, 1))))
			if f == nil || f.Code != "schema-refused" {
				t.Fatalf("%+v, want a refusal", f)
			}
			if !slices.ContainsFunc(f.Fields, func(x fault.Field) bool { return x.Path == tc.path }) {
				t.Errorf("fields %+v, want one at %q", f.Fields, tc.path)
			}
		})
	}
}

// The schemas and the context grow together: a member without a term would be
// dropped by a JSON-LD processor, and an undefined value of a member named
// type, which is an alias of @type, would become a relative IRI.
func TestEveryMemberAndTypeValueHasATerm(t *testing.T) {
	var ours struct {
		Context map[string]any `json:"@context"`
	}
	if err := json.Unmarshal(ContextFile(), &ours); err != nil {
		t.Fatal(err)
	}
	if ours.Context["@version"] != 1.1 || ours.Context["@protected"] != true {
		t.Error("the context must be JSON-LD 1.1 and protected")
	}
	terms := map[string]bool{}
	var add func(ctx map[string]any)
	add = func(ctx map[string]any) {
		for name, def := range ctx {
			iri := ""
			switch def := def.(type) {
			case string:
				iri = def
			case map[string]any:
				iri, _ = def["@id"].(string)
				if scoped, ok := def["@context"].(map[string]any); ok {
					add(scoped)
				}
			default:
				continue
			}
			if !strings.HasPrefix(iri, ContextKinpass+"#") || len(iri) == len(ContextKinpass)+1 {
				t.Errorf("%s expands to %q", name, iri)
			}
			terms[name] = true
		}
	}
	add(ours.Context)

	standard := map[string]bool{"@context": true, "id": true, "type": true, "name": true, "issuer": true, "validFrom": true, "validUntil": true,
		"credentialSubject": true, "credentialStatus": true, "credentialSchema": true,
		"statusPurpose": true, "statusListIndex": true, "statusListCredential": true,
		"VerifiableCredential": true, "BitstringStatusListEntry": true, "JsonSchema": true}
	for path, data := range SchemaFiles() {
		var doc any
		if err := json.Unmarshal(data, &doc); err != nil {
			t.Fatal(err)
		}
		var walk func(any)
		walk = func(node any) {
			switch v := node.(type) {
			case map[string]any:
				if props, ok := v["properties"].(map[string]any); ok {
					for name, schema := range props {
						if !terms[name] && !standard[name] {
							t.Errorf("%s: member %s has no term", path, name)
						}
						if name == "type" {
							for _, value := range typeValues(schema) {
								if !terms[value] && !standard[value] {
									t.Errorf("%s: type value %s has no term", path, value)
								}
							}
						}
					}
				}
				for _, x := range v {
					walk(x)
				}
			case []any:
				for _, x := range v {
					walk(x)
				}
			}
		}
		walk(doc)
	}
	for _, want := range []string{"courtOrder", "passport", "other", "BirthCredential", "issuer", "names"} {
		if !terms[want] {
			t.Errorf("%s has no term", want)
		}
	}
	// Terms that the base context protects must not be defined anew at the top,
	// where they would make every credential unreadable.
	for _, name := range []string{"id", "type", "name", "description", "digestSRI", "digestMultibase", "mediaType", "issuer", "validFrom", "evidence", "proof"} {
		if _, ok := ours.Context[name]; ok {
			t.Errorf("the context defines %s, which the base context protects", name)
		}
	}
	if nonce, ok := ours.Context["nonce"].(map[string]any); !ok || nonce["@protected"] != false {
		t.Error("nonce must not be protected: a proof defines its own")
	}
}

// typeValues gives the fixed texts of a schema of a member named type.
func typeValues(schema any) (values []string) {
	m, _ := schema.(map[string]any)
	list, _ := m["enum"].([]any)
	if c, ok := m["const"].([]any); ok {
		list = append(list, c...)
	} else if c, ok := m["const"]; ok {
		list = append(list, c)
	}
	for _, x := range list {
		if s, ok := x.(string); ok {
			values = append(values, s)
		}
	}
	return values
}

// The base context is read from the shared vectors, so that a term it protects
// and we redefine is found without a list of ours.
func TestContextRedefinesNoProtectedTerm(t *testing.T) {
	dir := os.Getenv("KINPASS_VECTORS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "vectors")
	}
	data, err := os.ReadFile(filepath.Join(dir, "contexts", "credentials-v2.final.jsonld"))
	if err != nil {
		if os.Getenv("KINPASS_REQUIRE_VECTORS") == "1" {
			t.Fatal(err)
		}
		t.Skip("no shared vectors: set KINPASS_VECTORS")
	}
	var base, ours struct {
		Context map[string]any `json:"@context"`
	}
	if json.Unmarshal(data, &base) != nil || json.Unmarshal(ContextFile(), &ours) != nil {
		t.Fatal("a context is not JSON")
	}
	if len(base.Context) < 10 {
		t.Fatalf("only %d terms in the base context", len(base.Context))
	}
	for name := range base.Context {
		if _, ok := ours.Context[name]; ok && !strings.HasPrefix(name, "@") {
			t.Errorf("%s is protected by the base context", name)
		}
	}
	// Type-scoped terms of the base context apply after ours: what they define
	// must be absent from ours or not protected there.
	for typ, def := range base.Context {
		m, _ := def.(map[string]any)
		scoped, _ := m["@context"].(map[string]any)
		for name := range scoped {
			mine, ok := ours.Context[name]
			if !ok || strings.HasPrefix(name, "@") {
				continue
			}
			if d, isMap := mine.(map[string]any); !isMap || d["@protected"] != false {
				t.Errorf("%s is defined by %s in the base context and protected in ours", name, typ)
			}
		}
	}
}

func BenchmarkValidateSchemaBirth(b *testing.B) {
	for b.Loop() {
		if err := ValidateSchema(SchemaRegistrationBirth, []byte(goodBirth)); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzValidateSchema(f *testing.F) {
	f.Add([]byte(goodBirth))
	f.Add([]byte(`{"names":[{"Secret1":1e9}]}`))
	f.Add([]byte(`[[[[1,2,{"a":null}]]]]`))
	set, err := schemas()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		x := fault.As(ValidateSchema(SchemaRegistrationBirth, data))
		if x == nil {
			return
		}
		if len(x.Fields) > 20 {
			t.Errorf("%d fields", len(x.Fields))
		}
		for _, field := range x.Fields {
			for _, token := range strings.Split(strings.TrimPrefix(field.Path, "/"), "/") {
				if token != "" && !set.names[token] && strings.Trim(token, "0123456789") != "" {
					t.Errorf("path %q names what no schema knows", field.Path)
				}
			}
		}
	})
}
