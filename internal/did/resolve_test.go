package did

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/kinpass/kinpass/internal/fault"
)

const suiteDID = "did:key:z6MktKwz7Ge1Yxzr4JHavN33wiwa8y81QdcMRLXQsrH9T53b"

// The two parts of a DID URL that a suite asks for.
var (
	suiteKey       = strings.TrimPrefix(suiteDID, "did:key:")
	suiteAgreement = derived[strings.TrimPrefix(suiteDID, "did:key:")]
)

// encode is encodeURIComponent of JavaScript, for what DID URLs hold.
func encode(s string) string {
	return strings.NewReplacer("+", "%20", "%27", "'", "%28", "(", "%29", ")", "%2A", "*", "%21", "!").Replace(url.QueryEscape(s))
}

func object(t *testing.T, b []byte) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil || m == nil {
		t.Fatalf("the body is no object: %v", err)
	}
	return m
}

// sub gives a member that must be an object.
func sub(t *testing.T, m map[string]any, name string) map[string]any {
	t.Helper()
	o, ok := m[name].(map[string]any)
	if !ok {
		t.Fatalf("%s is %v", name, m[name])
	}
	return o
}

// The older dialect, as a suite for did:key asks for it.
func TestResolveLegacy(t *testing.T) {
	for name, c := range map[string]struct {
		input, error string
		url          bool
	}{
		"document":                   {encode(suiteDID), "", false},
		"raw":                        {suiteDID, "", false},
		"version":                    {encode("did:key:1.1:" + suiteKey), "", false},
		"options":                    {encode(suiteDID) + "?enableExperimentalPublicKeyTypes=false&publicKeyFormat=JsonWebKey2020", "", false},
		"method":                     {encode(suiteDID + "#" + suiteKey), "", true},
		"agreement method":           {encode(suiteDID + "#" + suiteAgreement), "", true},
		"scheme is not did":          {encode("notDid:key:" + suiteKey), "invalidDid", false},
		"method is not key":          {encode("did:experimental:" + suiteKey), "methodNotSupported", false},
		"no method":                  {encode("did:" + suiteKey), "invalidDid", false},
		"version not a number":       {encode("did:key:-4:" + suiteKey), "invalidDid", false},
		"version with a letter":      {encode("did:key:v4:" + suiteKey), "invalidDid", false},
		"multibase without z":        {encode("did:key:" + suiteKey[1:]), "invalidDid", false},
		"not an identifier":          {encode("did:key:@"), "invalidDid", false},
		"short key":                  {encode("did:key:zTjsVPtY"), "invalidPublicKeyLength", false},
		"no point":                   {encode("did:key:z" + EncodeBase58(append([]byte{0xed, 1, 2}, make([]byte, 31)...))), "invalidPublicKey", false},
		"unknown key":                {encode("did:key:z" + EncodeBase58(append([]byte{0xeb, 1}, make([]byte, 96)...))), "unsupportedPublicKeyType", false},
		"not a URL":                  {encode(suiteDID + "/^bar^/?query=`#" + suiteKey), "invalidDidUrl", true},
		"empty fragment":             {encode(suiteDID + "#"), "invalidDidUrl", true},
		"unknown format":             {encode(suiteDID) + "?publicKeyFormat=unknown", "unsupportedPublicKeyType", false},
		"no format":                  {encode(suiteDID) + "?publicKeyFormat=", "unsupportedPublicKeyType", false},
		"old format":                 {encode(suiteDID+"#"+suiteKey) + "?publicKeyFormat=Ed25519VerificationKey2018&enableExperimentalPublicKeyTypes=false", "invalidPublicKeyType", true},
		"old format for agreement":   {encode(suiteDID+"#"+suiteAgreement) + "?publicKeyFormat=Ed25519VerificationKey2018&enableExperimentalPublicKeyTypes=false", "invalidPublicKeyType", true},
		"format of another key":      {encode("did:key:"+mbP256) + "?publicKeyFormat=Ed25519VerificationKey2020", "invalidPublicKeyType", false},
		"old format, experimentally": {encode(suiteDID) + "?publicKeyFormat=Ed25519VerificationKey2018&enableExperimentalPublicKeyTypes=true", "unsupportedPublicKeyType", false},
		"unknown fragment":           {encode(suiteDID + "#" + mbP256), "notFound", true},
		"underived":                  {encode(suiteDID+"#"+suiteAgreement) + "?enableEncryptionKeyDerivation=false", "notFound", true},
		"path":                       {encode(suiteDID + "/x"), "notFound", true},
		"service":                    {encode(suiteDID + "?service=files"), "notFound", true},
		"service in the request":     {suiteDID + "?service=files", "notFound", true},
		"bad option":                 {encode(suiteDID) + "?enableEncryptionKeyDerivation=maybe", "invalidOptions", false},
		"nothing":                    {"", "invalidDid", false},
		"web":                        {"did:web:r.example", "methodNotSupported", false},
	} {
		a := Resolve(c.input, `application/ld+json;profile="https://w3id.org/did-resolution"`)
		if a.ContentType != `application/ld+json;profile="https://w3id.org/did-resolution"` {
			t.Errorf("%s: %s", name, a.ContentType)
		}
		m := object(t, a.Body)
		if m["@context"] == nil {
			t.Errorf("%s: no context", name)
		}
		sub(t, m, "didDocumentMetadata")
		doc := sub(t, m, "didDocument")
		key, other := "didResolutionMetadata", "didDereferencingMetadata"
		if c.url {
			key, other = other, key
		}
		if m[other] != nil {
			t.Errorf("%s: %s is there", name, other)
		}
		meta := sub(t, m, key)
		if c.error == "" {
			if a.Status != 200 || len(meta) != 0 || doc["id"] == nil {
				t.Errorf("%s: %d %s", name, a.Status, a.Body)
			}
			if c.url && (doc["controller"] != suiteDID || doc["type"] != "Multikey" || doc["publicKeyMultibase"] == nil || doc["@context"] == nil) {
				t.Errorf("%s: %v", name, doc)
			}
			continue
		}
		if meta["error"] != c.error || a.Status < 400 || a.Status > 499 || len(doc) != 0 {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
}

// The dialect of DID Resolution 1.0.
func TestResolveResult(t *testing.T) {
	jwk := "did:jwk:" + base64.RawURLEncoding.EncodeToString([]byte(`{"kid":"a<b", `+jwkP384[1:]))
	for _, id := range []string{suiteDID, "did:key:" + mbP256, "did:key:" + mbP384, "did:key:" + mbSecp256k1, "did:key:" + mbX25519, "did:key:1.1:" + mbP256, jwk} {
		for _, input := range []string{id, encode(id), strings.ReplaceAll(id, ":", "%3a"), id + "?x=1", encode(id) + "?versionId=1", id + "?service=linkedDomain", id + "?relativeRef=my%2520path%2Ffile", id + "?versionTime=2025-10-07T14%3A30%3A00Z"} {
			for _, accept := range []string{"", "*/*", " ", "application/*", "application/did-resolution", "text/html, application/did-resolution;q=0.5", "APPLICATION/DID-RESOLUTION"} {
				a := Resolve(input, accept)
				m := object(t, a.Body)
				if a.Status != 200 || a.ContentType != "application/did-resolution" || len(m) != 3 || len(sub(t, m, "didDocumentMetadata")) != 0 {
					t.Fatalf("%.80s, %q: %d %s", input, accept, a.Status, a.Body)
				}
				if meta := sub(t, m, "didResolutionMetadata"); meta["contentType"] != a.ContentType || len(meta) != 1 {
					t.Errorf("metadata %v", meta)
				}
				if doc := sub(t, m, "didDocument"); doc["id"] != id {
					t.Errorf("document of %v", doc["id"])
				}
			}
		}
	}
	for name, c := range map[string]struct {
		input, accept string
		status        int
		error         string
	}{
		"not a did":            {"not-a-did", "", 400, "INVALID_DID"},
		"nothing":              {"", "", 400, "INVALID_DID"},
		"only a query":         {"?publicKeyFormat=Multikey", "", 400, "INVALID_DID"},
		"no id":                {"did:example", "", 400, "INVALID_DID"},
		"empty id":             {"did:example:", "", 400, "INVALID_DID"},
		"ends with a colon":    {"did:example:a:", "", 400, "INVALID_DID"},
		"upper case method":    {"did:KEY:" + mbP256, "", 400, "INVALID_DID"},
		"upper case scheme":    {"DID:key:" + mbP256, "", 400, "INVALID_DID"},
		"space":                {"did:key:" + mbP256 + "%20", "", 400, "INVALID_DID"},
		"space, encoded":       {encode("did:key:" + mbP256 + " "), "", 400, "INVALID_DID"},
		"zero byte":            {encode("did:key:\x00"), "", 400, "INVALID_DID"},
		"not ASCII":            {encode("did:key:é"), "", 400, "INVALID_DID"},
		"bad escape":           {"did%3Akey%3A%zz", "", 400, "INVALID_DID"},
		"bad escape, raw":      {"did:web:%zz", "", 400, "INVALID_DID"},
		"encoded twice":        {encode(encode("did:key:" + mbP256)), "", 400, "INVALID_DID"},
		"long":                 {"did:key:z" + strings.Repeat("1", 5000), "", 400, "INVALID_DID"},
		"version 0":            {"did:key:0:" + mbP256, "", 400, "INVALID_DID"},
		"short key":            {"did:key:zTjsVPtY", "", 400, "INVALID_DID"},
		"private key":          {"did:key:z" + EncodeBase58(append([]byte{0x80, 0x26}, make([]byte, 32)...)), "", 400, "INVALID_DID"},
		"private JWK":          {"did:jwk:" + base64.RawURLEncoding.EncodeToString([]byte(`{"d":"AA",`+jwkP256[1:])), "", 400, "INVALID_DID"},
		"unsupported":          {"did:unsupported:123456789abcdefghi", "", 501, "METHOD_NOT_SUPPORTED"},
		"web without a client": {"did:web:r.example", "", 501, "METHOD_NOT_SUPPORTED"},
		"bad web":              {"did:web:r.example:..", "", 400, "INVALID_DID"},
		"unsupported key":      {"did:key:z" + EncodeBase58(append([]byte{0x85, 0x24}, make([]byte, 64)...)), "", 501, "FEATURE_NOT_SUPPORTED"},
		"unsupported JWK":      {"did:jwk:" + base64.RawURLEncoding.EncodeToString([]byte(`{"kty":"RSA","n":"AA","e":"AQAB"}`)), "", 501, "FEATURE_NOT_SUPPORTED"},
		"unknown media type":   {suiteDID, "application/x-unsupported-did-representation-99999", 406, "REPRESENTATION_NOT_SUPPORTED"},
		"refused media type":   {suiteDID, "application/did+json;q=0", 406, "REPRESENTATION_NOT_SUPPORTED"},
		"unknown profile":      {suiteDID, `application/ld+json;profile="https://example.org"`, 406, "REPRESENTATION_NOT_SUPPORTED"},
		"long accept":          {suiteDID, "*/*," + strings.Repeat("a", 2000), 406, "REPRESENTATION_NOT_SUPPORTED"},
		"unknown accept":       {suiteDID + "?accept=text%2Fhtml", "", 406, "REPRESENTATION_NOT_SUPPORTED"},
		"accept twice":         {suiteDID + "?accept=a&accept=b", "", 400, "INVALID_OPTIONS"},
		"bad query":            {suiteDID + "?a=%zz", "", 400, "INVALID_OPTIONS"},
		"bad flag":             {suiteDID + "?enableExperimentalPublicKeyTypes=1", "", 400, "INVALID_OPTIONS"},
		"format":               {suiteDID + "?publicKeyFormat=unknown", "", 400, "INVALID_OPTIONS"},
		"no URL":               {encode(suiteDID + "#a b"), "", 400, "INVALID_DID_URL"},
		"query of no URL":      {encode(suiteDID + "?a=[]"), "", 400, "INVALID_DID_URL"},
		"parameter twice":      {encode(suiteDID + "?a=1&a=2"), "", 400, "INVALID_DID_URL"},
		"fragment":             {suiteDID + "%23" + mbP256, "", 404, "NOT_FOUND"},
		"path":                 {suiteDID + "/did.json", "", 404, "NOT_FOUND"},
		"service":              {encode(suiteDID + "?service=files&relativeRef=%2Fa%3Fb"), "", 404, "NOT_FOUND"},
		"bare":                 {"did:unsupported:x", "application/did+json", 501, "METHOD_NOT_SUPPORTED"},
	} {
		a := Resolve(c.input, c.accept)
		m := object(t, a.Body)
		if a.Status != c.status || a.ContentType != "application/did-resolution" || len(m) != 3 {
			t.Errorf("%s: %d %s %s", name, a.Status, a.ContentType, a.Body)
		}
		if doc, there := m["didDocument"]; !there || doc != nil || len(sub(t, m, "didDocumentMetadata")) != 0 {
			t.Errorf("%s: %s", name, a.Body)
		}
		if e := sub(t, sub(t, m, "didResolutionMetadata"), "error"); e["type"] != "https://www.w3.org/ns/did#"+c.error || e["title"] == "" {
			t.Errorf("%s: %v", name, e)
		}
		if len(c.input) > 12 && bytes.Contains(a.Body, []byte(c.input[8:])) {
			t.Errorf("%s: the answer repeats the input", name)
		}
	}
}

func TestResolveParameters(t *testing.T) {
	for _, name := range []string{"accept", "service", "serviceType", "relativeRef", "versionId", "versionTime", "hl", "publicKeyFormat", "other"} {
		for _, value := range []string{"🔥💥🚫", "Привет", "こんにちは", "مرحبا", "foo\u200Bbar", "a\x00b", "a\nb"} {
			if a := Resolve(suiteDID+"?"+name+"="+url.QueryEscape(value), ""); a.Status != 400 {
				t.Errorf("%s=%q: %d", name, value, a.Status)
			}
			if a := Resolve(encode(suiteDID+"?"+name+"="+url.QueryEscape(value)), ""); a.Status != 400 {
				t.Errorf("in the identifier, %s=%q: %d", name, value, a.Status)
			}
		}
	}
	for _, value := range []string{"my path/file", "file#section", "dir/with?query=value", "a%zz", "a%2", "é"} {
		if a := Resolve(suiteDID+"?relativeRef="+url.QueryEscape(value), ""); a.Status != 400 {
			t.Errorf("relativeRef=%q: %d", value, a.Status)
		}
	}
	for _, value := range []string{"", "2025-10-07 12:30:45", "2025/10/07T12:30:45", "2025-13-07T12:30:45", "2025-10-32T12:30:45Z", "2025-02-29T12:30:45Z", "2025-10-07T25:00:00Z", "2025-10-07T12:30:60Z", "2025-10-07T12:30:45+24:00", "2025-10-07",
		"2025-10-07T12:30:45abc", "T12:30:45", "2025-10-07T00:00:00+02:00", "2025-10-07T00:00:00-05:00", "2025-10-07T00:00:00", "2025-10-07T00:00:00.123Z", "2025-10-07T00:00:00.999+01:00", "2025-10-07T00:00:00,5Z", "2025-10-07T00:00:00.0Z", "2025-10-7T00:00:00Z", "2025-10-07T24:00:00Z"} {
		if a := Resolve(suiteDID+"?versionTime="+url.QueryEscape(value), ""); a.Status != 400 {
			t.Errorf("versionTime=%q: %d", value, a.Status)
		}
	}
	if a := Resolve(suiteDID+"?accept=application%2Fdid%2Bjson", "*/*"); a.ContentType != "application/did+json" || object(t, a.Body)["id"] != suiteDID {
		t.Errorf("accept as an option: %s %s", a.ContentType, a.Body)
	}
}

func TestResolveBare(t *testing.T) {
	for _, media := range []string{"application/did", "application/did+json", "application/did+ld+json", "application/json", "application/ld+json"} {
		a := Resolve(suiteDID, media+", */*;q=0.1")
		if m := object(t, a.Body); a.Status != 200 || a.ContentType != media || m["id"] != suiteDID || m["didResolutionMetadata"] != nil {
			t.Errorf("%s: %d %s %s", media, a.Status, a.ContentType, a.Body)
		}
		a = Resolve(encode(suiteDID+"#"+suiteKey), media)
		if m := object(t, a.Body); a.Status != 200 || m["id"] != suiteDID+"#"+suiteKey || m["controller"] != suiteDID || m["dereferencingMetadata"] != nil {
			t.Errorf("%s: %d %s", media, a.Status, a.Body)
		}
	}
}

func TestDereference(t *testing.T) {
	const media = "application/did-url-dereferencing"
	for input, want := range map[string]string{
		suiteDID: suiteDID, encode(suiteDID): suiteDID,
		encode(suiteDID + "#" + suiteKey):                                  suiteDID + "#" + suiteKey,
		suiteDID + "%23" + suiteKey:                                        suiteDID + "#" + suiteKey,
		suiteDID + "#" + suiteAgreement:                                    suiteDID + "#" + suiteAgreement,
		encode(suiteDID + "?versionTime=2025-10-07T14:30:00Z#" + suiteKey): suiteDID + "#" + suiteKey,
		suiteDID + "?versionId=1#" + suiteKey:                              suiteDID + "#" + suiteKey,
	} {
		a := Resolve(input, media)
		m := object(t, a.Body)
		if a.Status != 200 || a.ContentType != media || len(m) != 3 || len(sub(t, m, "contentMetadata")) != 0 || sub(t, m, "dereferencingMetadata")["contentType"] != media || sub(t, m, "contentStream")["id"] != want {
			t.Errorf("%s: %d %s", input, a.Status, a.Body)
		}
	}
	for input, c := range map[string]struct {
		status int
		error  string
	}{
		suiteDID + "%23none":        {404, "NOT_FOUND"},
		suiteDID + "?service=files": {404, "NOT_FOUND"},
		suiteDID + "/files":         {404, "NOT_FOUND"},
		suiteDID + "%23a%23b":       {400, "INVALID_DID_URL"},
		"did:none:x%23a":            {501, "METHOD_NOT_SUPPORTED"},
		"x":                         {400, "INVALID_DID"},
	} {
		a := Resolve(input, media)
		m := object(t, a.Body)
		stream, there := m["contentStream"]
		if a.Status != c.status || a.ContentType != media || !there || stream != nil || len(sub(t, m, "contentMetadata")) != 0 || sub(t, sub(t, m, "dereferencingMetadata"), "error")["type"] != "https://www.w3.org/ns/did#"+c.error {
			t.Errorf("%s: %d %s", input, a.Status, a.Body)
		}
	}
}

func TestNegotiate(t *testing.T) {
	for accept, want := range map[string]string{
		"": typeResolution, "*/*": typeResolution, "text/html": "", "text/*": "", ",": "", ";q=1": "", "q=1": "", "*": "",
		"application/did+json;q=0.5, application/did+ld+json":                             "application/did+ld+json",
		"application/did+json;q=0.5, application/did+ld+json;q=0.4":                       "application/did+json",
		"application/did+json;q=2, application/did+ld+json":                               "application/did+ld+json",
		"application/did+json;q=x, */*;q=0.1":                                             typeResolution,
		"application/did+json;q=NaN":                                                      "",
		"application/did+json;q=-1":                                                       "",
		`application/ld+json; profile="https://w3id.org/did-resolution"`:                  typeLegacy,
		`application/ld+json;PROFILE=https://w3id.org/did-resolution`:                     typeLegacy,
		`application/ld+json;profile="https://x.example https://w3id.org/did-resolution"`: typeLegacy,
		`application/ld+json;profile="https://w3id.org/did-resolution/v2"`:                "",
		`application/ld+json;profile="a,b;c=\",*/*", application/did+json`:                "application/did+json",
		`application/ld+json;profile="https://w3id.org/did-resolution";q=0.1, */*;q=0.2`:  typeResolution,
		"application/did+cbor":                                                            "", "application/did+json\x00": "", "аpplication/did": "",
	} {
		s, got := negotiate(accept)
		if got != want || (s == shapeNone) != (want == "") {
			t.Errorf("%q gives %q", accept, got)
		}
	}
}

func TestResolveWeb(t *testing.T) {
	fetch := func(body string, err error) func(string) (*Document, error) {
		return func(id string) (*Document, error) {
			if err != nil {
				return nil, err
			}
			return ParseDocument([]byte(body), id)
		}
	}
	good := fetch(rich, nil)
	a := ResolveWith(webID, "", good)
	m := object(t, a.Body)
	if doc := sub(t, m, "didDocument"); a.Status != 200 || doc["id"] != webID || doc["service"] == nil || doc["alsoKnownAs"] == nil {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	for input, want := range map[string]string{
		encode(webID + "#jwk"): webID + "#jwk", webID + "%23inside": webID + "#inside", webID + "%23multi": webID + "#multi", webID + "%23files": "#files",
	} {
		if m := object(t, ResolveWith(input, "application/json", good).Body); m["id"] != want {
			t.Errorf("%s: %v", input, m)
		}
	}
	// The identifier reaches the client unescaped once, and no more.
	for _, input := range []string{"did:web:localhost%3A8080", encode("did:web:localhost%3A8080")} {
		var asked string
		ResolveWith(input, "", func(id string) (*Document, error) { asked = id; return nil, ErrDocument })
		if asked != "did:web:localhost%3A8080" {
			t.Errorf("%s asked for %q", input, asked)
		}
	}
	nowhere := fault.New(fault.NotFound, "x-absent", "absent")
	refused := fault.New(fault.Invalid, "x-refused", "not called")
	for name, c := range map[string]struct {
		input        string
		fetch        func(string) (*Document, error)
		status       int
		error, older string
		olderStatus  int
	}{
		"absent":             {webID, fetch("", nowhere), 404, "NOT_FOUND", "notFound", 404},
		"no address":         {webID, fetch("", refused), 400, "INVALID_DID", "invalidDid", 400},
		"no answer":          {webID, fetch("", fault.New(fault.Unavailable, "x-down", "down")), 500, "INTERNAL_ERROR", "internalError", 500},
		"another error":      {webID, fetch("", errors.New("dial tcp 10.0.0.1: secret")), 500, "INTERNAL_ERROR", "internalError", 500},
		"not JSON":           {webID, fetch("<html>", nil), 500, "INVALID_DID_DOCUMENT", "invalidDidDocument", 500},
		"another's document": {"did:web:other.example", good, 500, "INVALID_DID_DOCUMENT", "invalidDidDocument", 500},
		"nothing":            {webID, func(string) (*Document, error) { return nil, nil }, 500, "INVALID_DID_DOCUMENT", "invalidDidDocument", 500},
		"another's, unread":  {webID, func(string) (*Document, error) { return &Document{ID: "did:web:evil.example"}, nil }, 500, "INVALID_DID_DOCUMENT", "invalidDidDocument", 500},
		"not called":         {"did:key:z", good, 400, "INVALID_DID", "invalidDid", 400},
		"another method":     {"did:webs:r.example", good, 501, "METHOD_NOT_SUPPORTED", "methodNotSupported", 400},
		"format":             {webID + "?publicKeyFormat=Multikey", good, 400, "INVALID_OPTIONS", "invalidPublicKeyType", 400},
		"history":            {webID + "?versionId=1", good, 501, "FEATURE_NOT_SUPPORTED", "featureNotSupported", 400},
		"service":            {encode(webID + "?service=files"), good, 501, "FEATURE_NOT_SUPPORTED", "featureNotSupported", 400},
		"no such method":     {webID + "%23none", good, 404, "NOT_FOUND", "notFound", 404},
	} {
		a := ResolveWith(c.input, "application/did-resolution", c.fetch)
		if m := object(t, a.Body); a.Status != c.status || sub(t, sub(t, m, "didResolutionMetadata"), "error")["type"] != "https://www.w3.org/ns/did#"+c.error || m["didDocument"] != nil {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
		a = ResolveWith(c.input, typeLegacy, c.fetch)
		if a.Status != c.olderStatus || !bytes.Contains(a.Body, []byte(`{"error":"`+c.older+`"}`)) {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
		if bytes.Contains(a.Body, []byte("10.0.0.1")) {
			t.Errorf("%s: the answer tells of the inside", name)
		}
	}
	gone := fetch("", nowhere.With(ErrDeactivated))
	for accept, want := range map[string]string{
		"":                                  `{"didResolutionMetadata":{"contentType":"application/did-resolution"},"didDocument":null,"didDocumentMetadata":{"deactivated":true}}`,
		"application/did+json":              `{"didResolutionMetadata":{"contentType":"application/did-resolution"},"didDocument":null,"didDocumentMetadata":{"deactivated":true}}`,
		"application/did-url-dereferencing": `{"dereferencingMetadata":{"contentType":"application/did-url-dereferencing"},"contentStream":null,"contentMetadata":{"deactivated":true}}`,
		typeLegacy:                          `{"@context":"https://w3id.org/did-resolution/v1","didDocument":{},"didDocumentMetadata":{"deactivated":true},"didResolutionMetadata":{}}`,
	} {
		if a := ResolveWith(webID, accept, gone); a.Status != 410 || string(a.Body) != want {
			t.Errorf("%q: %d %s", accept, a.Status, a.Body)
		}
	}
}

// Over HTTP, with the path as it was sent.
func TestResolveMounted(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		input := strings.TrimPrefix(r.URL.EscapedPath(), "/identifiers/")
		if r.URL.RawQuery != "" {
			input += "?" + r.URL.RawQuery
		}
		a := ResolveWith(input, r.Header.Get("Accept"), func(id string) (*Document, error) {
			if id != "did:web:localhost%3A8080" {
				t.Errorf("asked for %q", id)
			}
			return &Document{ID: id}, nil
		})
		w.Header().Set("Content-Type", a.ContentType)
		w.WriteHeader(a.Status)
		w.Write(a.Body)
	}))
	t.Cleanup(srv.Close)
	for path, c := range map[string]struct {
		status int
		holds  string
	}{
		"":                                         {400, "#INVALID_DID"},
		suiteDID:                                   {200, `"didDocument":{`},
		encode(suiteDID):                           {200, `"didDocument":{`},
		encode(suiteDID + "#" + suiteKey):          {200, `"controller":"` + suiteDID},
		suiteDID + "%23" + suiteKey:                {200, `"controller":"` + suiteDID},
		suiteDID + "#" + suiteKey:                  {200, `"verificationMethod":[`}, // a client sends no fragment
		"did:web:localhost%3A8080":                 {200, `"id":"did:web:localhost%3A8080"`},
		encode("did:web:localhost%3A8080"):         {200, `"id":"did:web:localhost%3A8080"`},
		encode(suiteDID + "/^bar^/?query=`#x"):     {400, "#INVALID_DID_URL"},
		suiteDID + "?versionTime=2025-10-07":       {400, "#INVALID_DID_URL"},
		encode(suiteDID) + "?publicKeyFormat=none": {400, "#INVALID_OPTIONS"},
		"did:unsupported:123456789abcdefghi":       {501, "#METHOD_NOT_SUPPORTED"},
	} {
		res, err := http.Get(srv.URL + "/identifiers/" + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != c.status || !bytes.Contains(body, []byte(c.holds)) || res.Header.Get("Content-Type") != "application/did-resolution" {
			t.Errorf("%s: %d %s", path, res.StatusCode, body)
		}
	}
}

func FuzzResolve(f *testing.F) {
	accepts := []string{"", "application/did-resolution", typeLegacy, "application/did-url-dereferencing", "application/did+json", "x/y"}
	for _, s := range []string{suiteDID, encode(suiteDID + "#" + suiteKey), "did:key:1.1:" + mbP384, "did:web:localhost%3A8080", "did:web:r.example#jwk", suiteDID + "?publicKeyFormat=JsonWebKey2020", "did:key:@", "%", "did:jwk:e30",
		"did:jwk:" + base64.RawURLEncoding.EncodeToString([]byte(jwkP256)), suiteDID + "?versionTime=2025-10-07T14:30:00Z&service=a", suiteDID + "/^bar^/?query=`#x"} {
		for _, a := range accepts {
			f.Add(s, a)
		}
	}
	for _, mb := range publishedKeys() {
		for _, a := range accepts {
			f.Add("did:key:"+mb, a)
			f.Add(encode(KeyID("did:key:"+mb)), a)
		}
	}
	f.Fuzz(func(t *testing.T, input, accept string) {
		a := ResolveWith(input, accept, func(id string) (*Document, error) {
			if !validDID(id) || !strings.HasPrefix(id, "did:web:") {
				t.Fatalf("%q was fetched", id)
			}
			if _, err := WebURL(id); err != nil {
				t.Fatalf("%q was fetched", id)
			}
			return ParseDocument([]byte(rich), id)
		})
		var m map[string]any
		if a.ContentType == "" || json.Unmarshal(a.Body, &m) != nil || m == nil {
			t.Fatalf("%d %q %q", a.Status, a.ContentType, a.Body)
		}
		switch a.Status {
		case 400, 404, 406, 500, 501:
			return
		case 200:
		default:
			t.Fatalf("status %d", a.Status)
		}
		// What was found names a DID that the input names, and that reads.
		for _, name := range []string{"didDocument", "contentStream"} {
			if o, ok := m[name].(map[string]any); ok {
				m = o
			}
		}
		id, _ := m["id"].(string)
		if strings.HasPrefix(id, "#") {
			return // a service of a did:web
		}
		plain, err := url.PathUnescape(input)
		if base := Base(id); !validDID(base) || !strings.Contains(input, base) && (err != nil || !strings.Contains(plain, base)) {
			t.Fatalf("%q gave %q", input, id)
		}
		if id == Base(id) && !strings.HasPrefix(id, "did:web:") {
			if _, err := KeyDocument(id); err != nil {
				t.Fatalf("%q: %v", id, err)
			}
		}
	})
}

func FuzzParseJWK(f *testing.F) {
	for _, s := range []string{jwkEd25519, jwkX25519, jwkP256, jwkP384, jwkP521, `{"use":"enc",` + jwkP256[1:], `{"d":"AA",` + jwkP256[1:], "{}"} {
		f.Add(base64.RawURLEncoding.EncodeToString([]byte(s)))
	}
	f.Fuzz(func(t *testing.T, enc string) {
		d, err := KeyDocument("did:jwk:" + enc)
		if err != nil {
			if d != nil {
				t.Fatal("a failed parse gave a document")
			}
			return
		}
		raw, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		back, err := ParseDocument(raw, d.ID)
		if err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		for i := range back.VerificationMethod {
			if bytes.Contains(raw, []byte(`"d":`)) {
				k, err := parseJWK(back.VerificationMethod[i].PublicKeyJwk)
				if err != nil || k.Members["d"] != nil {
					t.Fatalf("a private key in %s", raw)
				}
			}
		}
	})
}
