package legacy

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/did"
	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/internal/legacy/aries"
	"github.com/kinpass/kinpass/internal/rdf"
	"github.com/kinpass/kinpass/internal/vc"
)

func policy() Policy { return Policy{Aries: aries.Verify, Resolve: did.KeyDocument, Now: testNow} }

func code(err error) string {
	var f *fault.Fault
	if errors.As(err, &f) {
		return f.Code
	}
	return ""
}

// good are credentials as Aries systems issue them, each signed by a fresh
// key: by aries itself, and by hand.
func good(t testing.TB) map[string][]byte {
	out := map[string][]byte{}
	for _, alg := range []string{"EdDSA", "ES256"} {
		o := newOwner(t, alg)
		out[alg+", aries"] = []byte(o.ariesJWT(t, o.credential(), false))
		out[alg+", aries, minimal"] = []byte(o.ariesJWT(t, o.credential(), true))
		out[alg+", by hand"] = []byte(o.token(t, o.header(), o.claims()))
		out[alg+", by hand, no typ"] = []byte(o.token(t, with(o.header(), object{"typ": nil}), o.claims()))
		full := with(o.claims(), object{"vc": o.credential()})
		out[alg+", by hand, said twice"] = []byte(o.token(t, o.header(), full))
	}
	for _, jws := range []bool{true, false} {
		form := map[bool]string{true: ", jws", false: ", proofValue"}[jws]
		o := newOwner(t, "EdDSA")
		out["2018, aries"+form] = o.ariesLinked(t, o.credential(), FormatEd2018, jws)
		out["2018, by hand"+form] = text(t, o.secure(t, FormatEd2018, jws))
	}
	o := newOwner(t, "EdDSA")
	out["2020, aries"] = o.ariesLinked(t, o.credential(suite2020), FormatEd2020, false)
	out["2020, by hand"] = text(t, o.secure(t, FormatEd2020, false))
	return out
}

func TestVerify(t *testing.T) {
	for name, input := range good(t) {
		t.Run(name, func(t *testing.T) {
			c, err := Verify(input, policy())
			if err != nil {
				t.Fatal(err, errors.Unwrap(err))
			}
			if c.ID != credID || !strings.HasPrefix(c.Issuer, "did:key:") || did.Base(c.Method) != c.Issuer || len(c.Types) != 2 || c.Types[1] != "RelationshipCredential" ||
				c.From.Format(time.RFC3339) != issued || c.Until.Format(time.RFC3339) != expires || c.Status {
				t.Errorf("%+v", c)
			}
			var s struct{ ID, GivenName string }
			if json.Unmarshal(c.Subject, &s) != nil || s.ID != parent || s.GivenName != "Amina" {
				t.Errorf("subject %s", c.Subject)
			}
			if bytes.Contains(c.Document, []byte(`"proof"`)) {
				t.Error("the proof is part of the document")
			}
		})
	}
}

// TestRefused: what must not pass, each with its code.
func TestRefused(t *testing.T) {
	o, other, ec := newOwner(t, "EdDSA"), newOwner(t, "EdDSA"), newOwner(t, "ES256")
	linked := func(change func(doc, proof object)) []byte {
		d := o.secure(t, FormatEd2020, false)
		change(d, d["proof"].(object))
		return text(t, d)
	}
	detached := func(change func(doc, proof object)) []byte {
		d := o.secure(t, FormatEd2018, true)
		change(d, d["proof"].(object))
		return text(t, d)
	}
	subject := func(d object) object { return d["credentialSubject"].(object) }
	jwt := func(header, claims object) []byte {
		return []byte(o.token(t, with(o.header(), header), with(o.claims(), claims)))
	}
	inVC := func(change object) object { return object{"vc": with(o.claims()["vc"].(object), change)} }
	seg := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	whole := o.token(t, o.header(), o.claims())
	head, rest, _ := strings.Cut(whole, ".")
	body, sig, _ := strings.Cut(rest, ".")
	jwsHeader := func(h string) func(d, p object) {
		return func(_, p object) {
			_, s, _ := strings.Cut(p["jws"].(string), "..")
			p["jws"] = seg(h) + ".." + s
		}
	}
	stolen := other.secure(t, FormatEd2020, false)["proof"]
	day := func(s string) object {
		at, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return object{"nbf": at.Unix(), "iat": at.Unix(), "exp": at.AddDate(1, 0, 0).Unix()}
	}
	v2 := []any{"https://www.w3.org/ns/credentials/v2"}

	for name, c := range map[string]struct {
		input []byte
		want  *fault.Fault
	}{
		"nothing":         {nil, ErrMalformed},
		"null":            {[]byte("null"), ErrMalformed},
		"an array":        {[]byte("[]"), ErrMalformed},
		"not JSON":        {[]byte(`{"a`), vc.ErrJSON},
		"two values":      {append(linked(func(_, _ object) {}), "{}"...), vc.ErrJSON},
		"a member twice":  {bytes.Replace(linked(func(_, _ object) {}), []byte(`"issuanceDate"`), []byte(`"issuer":"`+o.did+`","issuanceDate"`), 1), vc.ErrJSONTwice},
		"deep":            {[]byte(`{"a":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + "}"), vc.ErrJSONDeep},
		"oversize":        {linked(func(d, _ object) { subject(d)["givenName"] = strings.Repeat("a", MaxBytes) }), ErrLarge},
		"oversize JWT":    {[]byte(strings.Repeat("a", MaxBytes+1)), ErrLarge},
		"empty object":    {[]byte("{}"), ErrVersion},
		"no proof":        {linked(func(d, _ object) { delete(d, "proof") }), ErrNoProof},
		"proof null":      {linked(func(d, _ object) { d["proof"] = json.RawMessage("null") }), ErrNoProof},
		"proof []":        {linked(func(d, _ object) { d["proof"] = []any{} }), ErrNoProof},
		"proof {}":        {linked(func(d, _ object) { d["proof"] = object{} }), ErrNoProof},
		"proof [{}]":      {linked(func(d, _ object) { d["proof"] = []any{object{}} }), ErrProofs},
		"proof [good]":    {linked(func(d, p object) { d["proof"] = []any{p} }), ErrProofs},
		"two proofs":      {linked(func(d, p object) { d["proof"] = []any{p, stolen} }), ErrProofs},
		"proof text":      {linked(func(d, _ object) { d["proof"] = "good" }), ErrProofShape},
		"proof type":      {linked(func(_, p object) { p["type"] = "JsonWebSignature2020" }), ErrProofType},
		"type a list":     {linked(func(_, p object) { p["type"] = []any{FormatEd2020} }), ErrProofShape},
		"data integrity":  {linked(func(_, p object) { p["type"] = "DataIntegrityProof" }), ErrProofType},
		"no type":         {linked(func(_, p object) { delete(p, "type") }), ErrProofType},
		"nonce":           {linked(func(_, p object) { p["nonce"] = "abcd" }), ErrProofShape},
		"proof id":        {linked(func(_, p object) { p["id"] = "urn:x:y" }), ErrProofShape},
		"no created":      {linked(func(_, p object) { delete(p, "created") }), ErrProofShape},
		"created no date": {linked(func(_, p object) { p["created"] = "yesterday" }), ErrProofShape},
		"no signature":    {linked(func(_, p object) { delete(p, "proofValue") }), ErrProofShape},
		"both signatures": {linked(func(_, p object) { p["jws"] = "e30..e30" }), ErrProofShape},
		"proofValue u":    {linked(func(_, p object) { p["proofValue"] = "uAAAA" }), ErrProofShape},
		"proofValue bad":  {linked(func(_, p object) { p["proofValue"] = "z0OIl" }), did.ErrMultibase},
		"short signature": {linked(func(_, p object) { p["proofValue"] = "z111" }), ErrSignature},
		"purpose":         {linked(func(_, p object) { p["proofPurpose"] = "authentication" }), ErrPurpose},
		"later created":   {linked(func(_, p object) { p["created"] = "2026-01-03T03:04:05Z" }), ErrSignature},

		"jws alg none":     {detached(jwsHeader(`{"alg":"none","b64":false,"crit":["b64"]}`)), ErrAlgorithm},
		"jws alg HS256":    {detached(jwsHeader(`{"alg":"HS256","b64":false,"crit":["b64"]}`)), ErrAlgorithm},
		"jws b64":          {detached(jwsHeader(`{"alg":"EdDSA","b64":true,"crit":["b64"]}`)), ErrHeader},
		"jws crit":         {detached(jwsHeader(`{"alg":"EdDSA","b64":false}`)), ErrHeader},
		"jws jwk":          {detached(jwsHeader(`{"alg":"EdDSA","b64":false,"crit":["b64"],"jwk":{}}`)), ErrHeader},
		"jws alg twice":    {detached(jwsHeader(`{"alg":"EdDSA","alg":"none","b64":false,"crit":["b64"]}`)), ErrProofShape},
		"jws other header": {detached(jwsHeader(`{"b64":false,"alg":"EdDSA","crit":["b64"]}`)), ErrSignature},
		"jws attached":     {detached(func(_, p object) { p["jws"] = strings.Replace(p["jws"].(string), "..", ".e30.", 1) }), ErrProofShape},
		"jws unsigned":     {detached(func(_, p object) { h, _, _ := strings.Cut(p["jws"].(string), ".."); p["jws"] = h + ".." }), ErrSignature},
		"jws claim":        {detached(func(d, _ object) { subject(d)["givenName"] = "Zahra" }), ErrSignature},
		"2020 with a jws": {text(t, func() object {
			d := o.secure(t, FormatEd2018, true)
			d["proof"].(object)["type"] = FormatEd2020
			return d
		}()), ErrProofShape},

		"changed claim":   {linked(func(d, _ object) { subject(d)["givenName"] = "Zahra" }), ErrSignature},
		"added claim":     {linked(func(d, _ object) { subject(d)["familyName"] = "Karimi" }), ErrSignature},
		"removed claim":   {linked(func(d, _ object) { delete(subject(d), "child") }), ErrSignature},
		"added term":      {linked(func(d, _ object) { subject(d)["guardianOf"] = "everybody" }), rdf.ErrUndefined},
		"added top term":  {linked(func(d, _ object) { d["guardianOf"] = "everybody" }), rdf.ErrUndefined},
		"added null":      {linked(func(d, _ object) { subject(d)["familyName"] = json.RawMessage("null") }), rdf.ErrUndefined},
		"added type":      {linked(func(d, _ object) { d["type"] = append(d["type"].([]any), "BirthCredential") }), rdf.ErrIRI},
		"member jwt":      {linked(func(d, _ object) { d["jwt"] = whole }), ErrMember},
		"member vc":       {linked(func(d, _ object) { d["verifiableCredential"] = []any{} }), ErrMember},
		"unknown context": {linked(func(d, _ object) { d["@context"] = append(d["@context"].([]any), "https://example.org/v1") }), ErrContext},
		"kinpass context": {linked(func(d, _ object) { d["@context"] = append(d["@context"].([]any), "https://w3id.org/kinpass/v1") }), ErrContext},
		"context of any": {linked(func(d, _ object) {
			d["@context"] = append(d["@context"].([]any), "https://www.w3.org/ns/credentials/examples/v2")
		}), ErrContext},
		"inline context": {linked(func(d, _ object) {
			d["@context"] = append(d["@context"].([]any), object{"givenName": "http://schema.org/familyName"})
		}), ErrContext},
		"dropped context":  {linked(func(d, _ object) { d["@context"] = d["@context"].([]any)[:1] }), rdf.ErrUndefined},
		"no context":       {linked(func(d, _ object) { delete(d, "@context") }), ErrVersion},
		"context later":    {linked(func(d, _ object) { c := d["@context"].([]any); d["@context"] = []any{c[1], c[0]} }), ErrVersion},
		"Data Model 2.0":   {linked(func(d, _ object) { d["@context"] = v2 }), ErrVersion},
		"2.0 beside 1.1":   {linked(func(d, _ object) { d["@context"] = append(d["@context"].([]any), v2...) }), ErrContext},
		"validFrom":        {linked(func(d, _ object) { d["validFrom"] = issued }), ErrMember},
		"a presentation":   {linked(func(d, _ object) { d["type"] = "VerifiablePresentation" }), ErrKind},
		"both":             {linked(func(d, _ object) { d["type"] = []any{"VerifiableCredential", "VerifiablePresentation"} }), ErrKind},
		"no issuance date": {linked(func(d, _ object) { delete(d, "issuanceDate") }), vc.ErrIssuanceDate},
		"no issuer":        {linked(func(d, _ object) { delete(d, "issuer") }), vc.ErrIssuer},
		"issuer a URL":     {linked(func(d, _ object) { d["issuer"] = "https://example.org/" }), ErrIssuer},
		"issuer with path": {linked(func(d, _ object) { d["issuer"] = o.method }), ErrIssuer},
		"no subject":       {linked(func(d, _ object) { delete(d, "credentialSubject") }), vc.ErrSubject},
		"alike nodes": {linked(func(d, _ object) {
			var l []any
			for range 6 {
				l = append(l, object{"type": "Child", "child": object{"type": "Mother"}})
			}
			subject(d)["child"] = l
		}), ErrComplex},

		"swapped proof":    {linked(func(d, _ object) { d["proof"] = stolen }), ErrIssuerKey},
		"wrong issuer":     {linked(func(d, _ object) { d["issuer"] = other.did }), ErrIssuerKey},
		"wrong key":        {linked(func(_, p object) { p["proofValue"] = stolen.(object)["proofValue"] }), ErrSignature},
		"another's method": {linked(func(_, p object) { p["verificationMethod"] = other.method }), ErrIssuerKey},
		"no fragment":      {linked(func(_, p object) { p["verificationMethod"] = o.did }), ErrIssuerKey},
		"other fragment":   {linked(func(_, p object) { p["verificationMethod"] = o.did + "#key-1" }), ErrNoKey},
		"two fragments":    {linked(func(_, p object) { p["verificationMethod"] = o.method + "#x" }), rdf.ErrIRI},
		"P-256 for Ed25519": {linked(func(d, p object) {
			d["issuer"], p["verificationMethod"] = ec.did, ec.method
		}), ErrKey},

		"JWT alg none":         {[]byte(seg(`{"alg":"none","kid":"`+o.method+`"}`) + "." + body + "."), ErrAlgorithm},
		"JWT alg none, signed": {jwt(object{"alg": "none"}, nil), ErrAlgorithm},
		"JWT alg None":         {jwt(object{"alg": "None"}, nil), ErrAlgorithm},
		"JWT alg HS256":        {jwt(object{"alg": "HS256"}, nil), ErrAlgorithm},
		"JWT alg ES384":        {jwt(object{"alg": "ES384"}, nil), ErrAlgorithm},
		"JWT alg a list":       {jwt(object{"alg": []any{"EdDSA"}}, nil), ErrAlgorithm},
		"JWT unsigned":         {[]byte(head + "." + body + "."), ErrNoProof},
		"JWT crit":             {jwt(object{"crit": []any{"b64"}}, nil), ErrHeader},
		"JWT jwk":              {jwt(object{"jwk": object{"kty": "OKP"}}, nil), ErrHeader},
		"JWT jku":              {jwt(object{"jku": "https://example.org/"}, nil), ErrHeader},
		"JWT x5c":              {jwt(object{"x5c": []any{"AA"}}, nil), ErrHeader},
		"JWT cty":              {jwt(object{"cty": "JWT"}, nil), ErrHeader},
		"JWT typ":              {jwt(object{"typ": "vc+jwt"}, nil), ErrHeader},
		"JWT typ object":       {jwt(object{"typ": object{}}, nil), ErrHeader},
		"JWT no kid":           {jwt(object{"kid": nil}, nil), ErrHeader},
		"JWT kid fragment":     {jwt(object{"kid": "#" + o.method}, nil), ErrIssuerKey},
		"JWT kid of another":   {jwt(object{"kid": other.method}, nil), ErrIssuerKey},
		"JWT kid no DID":       {jwt(object{"kid": "key-1"}, nil), ErrIssuerKey},
		"JWT header twice":     {[]byte(seg(`{"alg":"none","alg":"EdDSA","kid":"`+o.method+`"}`) + "." + body + "." + sig), vc.ErrJSONTwice},
		"JWT changed":          {[]byte(head + "." + seg(strings.Replace(string(text(t, o.claims())), "Amina", "Zahra", 1)) + "." + sig), ErrSignature},
		"JWT wrong key":        {[]byte(other.token(t, o.header(), o.claims())), ErrSignature},
		"JWT key type":         {[]byte(o.token(t, with(o.header(), object{"alg": "ES256"}), o.claims())), ErrKey},
		"JWT wrong issuer":     {jwt(nil, object{"iss": other.did}), ErrIssuerKey},
		"JWT no iss":           {jwt(nil, object{"iss": nil}), ErrClaims},
		"JWT iss and issuer":   {jwt(nil, inVC(object{"issuer": other.did})), ErrClaims},
		"JWT issuer object":    {jwt(nil, inVC(object{"issuer": object{"id": other.did}})), ErrClaims},
		"JWT sub":              {jwt(nil, object{"sub": "did:example:stranger"}), ErrClaims},
		"JWT jti":              {jwt(nil, inVC(object{"id": "urn:uuid:b7f5e6a0-0000-4000-8000-000000000000"})), ErrClaims},
		"JWT nbf":              {jwt(nil, inVC(object{"issuanceDate": "2026-01-02T03:04:06Z"})), ErrClaims},
		"JWT exp":              {jwt(nil, inVC(object{"expirationDate": "2030-01-02T03:04:06Z"})), ErrClaims},
		"JWT exp text":         {jwt(nil, object{"exp": "2030"}), ErrClaims},
		"JWT exp negative":     {jwt(nil, object{"exp": -1}), ErrClaims},
		"JWT other claim":      {jwt(nil, object{"role": "guardian"}), ErrClaims},
		"JWT disclosures":      {jwt(nil, object{"_sd_alg": "sha-256"}), ErrClaims},
		"JWT with disclosures": {[]byte(whole + "~WyJhIiwiYiIsImMiXQ~"), ErrMalformed},
		"JWT proof inside":     {jwt(nil, inVC(object{"proof": stolen})), ErrProofs},
		"JWT jwt inside":       {jwt(nil, inVC(object{"jwt": whole})), ErrMember},
		"JWT no vc":            {jwt(nil, object{"vc": nil}), ErrVersion},
		"JWT vc text":          {jwt(nil, object{"vc": "x"}), ErrMalformed},
		"JWT vp":               {jwt(nil, object{"vp": object{}}), ErrKind},
		"JWT 2.0":              {jwt(nil, inVC(object{"@context": v2})), ErrVersion},
		"JWT context":          {jwt(nil, inVC(object{"@context": []any{vc.ContextV1, "https://example.org/v1"}})), ErrContext},
		"JWT undefined":        {jwt(nil, inVC(object{"guardianOf": "everybody"})), rdf.ErrUndefined},
		"JWT expired":          {jwt(nil, day("2024-01-02T03:04:05Z")), ErrExpired},
		"JWT not yet":          {jwt(nil, day("2026-11-20T12:05:01Z")), ErrNotYet},
		"JWT deep":             {[]byte(head + "." + seg(`{"vc":`+strings.Repeat("[", 40)+strings.Repeat("]", 40)+"}") + "." + sig), vc.ErrJSONDeep},
		"JWT padded":           {[]byte(whole + "="), ErrMalformed},
		"JWT newline":          {[]byte(whole + "\n"), ErrMalformed},
		"JWT two parts":        {[]byte(head + "." + body), ErrMalformed},
		"JWT five parts":       {[]byte(whole + ".a.b"), ErrMalformed},
		"JWT quoted":           {text(t, whole), ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Verify(c.input, policy())
			if got != nil || code(err) != c.want.Code {
				t.Fatalf("%v %v, want %v", got, err, c.want.Code)
			}
		})
	}
}

// TestDates: a linked proof over other dates is as good as one over good dates.
func TestDates(t *testing.T) {
	o := newOwner(t, "EdDSA")
	for _, c := range []struct {
		from, until string
		want        error
	}{
		{"2026-11-20T12:04:59Z", "2027-11-20T12:00:00Z", nil},
		{"2026-11-20T12:05:01Z", "2027-11-20T12:00:00Z", ErrNotYet},
		{"2026-01-20T12:00:00Z", "2026-11-20T12:00:01Z", nil},
		{"2026-01-20T12:00:00Z", "2026-11-20T12:00:00Z", ErrExpired},
		{"2026-01-20T12:00:00Z", "", nil},
	} {
		d := with(o.credential(suite2020), object{"issuanceDate": c.from, "expirationDate": c.until})
		if c.until == "" {
			delete(d, "expirationDate")
		}
		if _, err := Verify(o.ariesLinked(t, d, FormatEd2020, false), policy()); !errors.Is(err, c.want) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// TestDocuments: what the issuer's DID document says decides.
func TestDocuments(t *testing.T) {
	const web = "did:web:registry.example"
	o := newOwner(t, "EdDSA")
	multikey := strings.TrimPrefix(o.did, "did:key:")
	o.did, o.method = web, web+"#key-1"
	input := text(t, o.secure(t, FormatEd2020, false))
	jwt := []byte(o.token(t, o.header(), o.claims()))
	doc := func(id, method, extra string) string {
		return `{"id":"` + id + `","verificationMethod":[{"id":"` + id + `#key-1","type":"Multikey","controller":"` + id +
			`","publicKeyMultibase":"` + method + `"` + extra + `}],"assertionMethod":["#key-1"]}`
	}
	stranger := strings.TrimPrefix(newOwner(t, "EdDSA").did, "did:key:")
	down := fault.New(fault.Unavailable, "did-unavailable", "down")
	for name, c := range map[string]struct {
		body string
		as   string // the identifier that the document is read as
		want error
	}{
		"good":            {doc(web, multikey, ""), web, nil},
		"another's key":   {doc(web, stranger, ""), web, ErrSignature},
		"of another id":   {doc("did:web:other.example", multikey, ""), "did:web:other.example", ErrDocument},
		"refused as such": {doc("did:web:other.example", multikey, ""), web, ErrDocument},
		"revoked":         {doc(web, multikey, `,"revoked":"2026-11-20T11:59:59Z"`), web, ErrKeyRevoked},
		"revoked later":   {doc(web, multikey, `,"revoked":"2026-11-20T12:00:01Z"`), web, nil},
		"past its end":    {doc(web, multikey, `,"expires":"2026-11-20T12:00:00Z"`), web, ErrKeyRevoked},
		"secret shown":    {doc(web, multikey, `,"privateKeyBase58":"abc"`), web, ErrKey},
		"not for this":    {strings.Replace(doc(web, multikey, ""), "assertionMethod", "authentication", 1), web, ErrNoKey},
		"no method":       {`{"id":"` + web + `"}`, web, ErrNoKey},
		"deactivated":     {`{"id":"` + web + `","deactivated":true}`, web, did.ErrDeactivated},
		"not there":       {"", web, down},
		"gone":            {"nil", web, ErrDocument},
	} {
		t.Run(name, func(t *testing.T) {
			p := Policy{Aries: aries.Verify, Now: testNow, Resolve: func(id string) (*did.Document, error) {
				switch {
				case id != web:
					t.Errorf("asked for %s", id)
				case c.body == "":
					return nil, down
				case c.body == "nil":
					return nil, nil
				}
				return did.ParseDocument([]byte(c.body), c.as)
			}}
			for _, in := range [][]byte{input, jwt} {
				got, err := Verify(in, p)
				if !errors.Is(err, c.want) || (err == nil) != (got != nil) {
					t.Errorf("%v", err)
				}
			}
		})
	}
}

// TestPolicy: nothing is verified without a resolver and a time.
func TestPolicy(t *testing.T) {
	o := newOwner(t, "EdDSA")
	input := text(t, o.secure(t, FormatEd2020, false))
	for _, p := range []Policy{{}, {Aries: aries.Verify, Now: testNow}, {Aries: aries.Verify, Resolve: did.KeyDocument}, {Resolve: did.KeyDocument, Now: testNow}} {
		if c, err := Verify(input, p); c != nil || !errors.Is(err, ErrPolicy) {
			t.Errorf("%v %v", c, err)
		}
	}
}

// TestBothMustAgree: neither aries alone nor Kinpass alone can let a credential
// pass.
func TestBothMustAgree(t *testing.T) {
	o := newOwner(t, "EdDSA")
	good := map[string][]byte{"linked": text(t, o.secure(t, FormatEd2018, true)), "JWT": []byte(o.token(t, o.header(), o.claims()))}
	bad := map[string][]byte{"linked": bytes.Replace(good["linked"], []byte("Amina"), []byte("Zahra"), 1), "JWT": []byte(newOwner(t, "EdDSA").token(t, o.header(), o.claims()))}
	yes := func([]byte, string, crypto.PublicKey) (string, error) { return o.did, nil }
	no := func([]byte, string, crypto.PublicKey) (string, error) { return o.did, errors.New("no") }
	for form := range good {
		for _, c := range []struct {
			input []byte
			aries Aries
			want  error
		}{
			{good[form], yes, nil},
			{bad[form], yes, ErrSignature},
			{good[form], no, ErrRefused},
			{good[form], func([]byte, string, crypto.PublicKey) (string, error) { return "did:example:other", nil }, ErrRefused},
		} {
			p := policy()
			p.Aries = c.aries
			if got, err := Verify(c.input, p); !errors.Is(err, c.want) || (got == nil) == (err == nil) {
				t.Errorf("%s: %v, want %v", form, err, c.want)
			}
		}
		if issuer, err := aries.Verify(good[form], o.method, o.ed.Public()); err != nil || issuer != o.did {
			t.Errorf("%s: aries: %q %v", form, issuer, err)
		}
		if _, err := aries.Verify(bad[form], o.method, o.ed.Public()); err == nil {
			t.Errorf("%s: aries takes a bad signature", form)
		}
		if _, err := aries.Verify(good[form], o.method+"x", o.ed.Public()); !errors.Is(err, aries.ErrKey) {
			t.Errorf("%s: another method: %v", form, err)
		}
	}
}

// TestAriesAlone shows why nothing reaches aries unseen: what it would accept
// is refused before, or its yes is not counted.
func TestAriesAlone(t *testing.T) {
	o := newOwner(t, "EdDSA")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + base64.RawURLEncoding.EncodeToString(text(t, o.claims())) + "."
	for name, input := range map[string][]byte{
		"no proof":       text(t, o.credential()),
		"empty proofs":   text(t, with(o.credential(), object{"proof": []any{}})),
		"unsecured JWT":  []byte(none),
		"hidden in JSON": text(t, with(o.credential(), object{"jwt": none})),
	} {
		_, err := aries.Verify(input, o.method, o.ed.Public())
		if err == nil {
			t.Errorf("%s: a yes without a key counts", name)
		}
		t.Logf("%s: %v", name, err)
		if c, err := Verify(input, policy()); c != nil || err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestPanic: what aries does not survive is an error.
func TestPanic(t *testing.T) {
	o := newOwner(t, "EdDSA")
	// aries cuts the key id at "#" without looking for one.
	bad := o.token(t, with(o.header(), object{"kid": "did:key:nothing"}), o.claims())
	if _, err := aries.Verify([]byte(bad), o.method, o.ed.Public()); !errors.Is(err, aries.ErrPanic) {
		t.Errorf("%v", err)
	}
	if _, err := aries.Verify(nil, o.method, nil); !errors.Is(err, aries.ErrKey) {
		t.Errorf("%v", err)
	}
}

// TestContexts: what a credential may name is built in.
func TestContexts(t *testing.T) {
	for _, url := range contexts {
		if _, ok := rdf.ContextFile(url); !ok {
			t.Errorf("%s is not built in", url)
		}
	}
}

func FuzzVerify(f *testing.F) {
	for _, in := range good(f) {
		f.Add(in)
	}
	o := newOwner(f, "EdDSA")
	f.Add(text(f, with(o.credential(), object{"proof": []any{}})))
	f.Add([]byte(`{"@context":"https://www.w3.org/2018/credentials/v1","type":"VerifiableCredential","proof":{"type":"Ed25519Signature2018"}}`))
	f.Add([]byte("eyJhbGciOiJub25lIn0.e30."))
	f.Fuzz(func(t *testing.T, in []byte) {
		// aries takes a hundred times as long as all that stands before it.
		p := policy()
		p.Aries = func(in []byte, method string, key crypto.PublicKey) (string, error) {
			if len(in) == 0 || key == nil {
				t.Fatal("aries was asked about nothing")
			}
			return did.Base(method), nil
		}
		c, err := Verify(in, p)
		if (c == nil) == (err == nil) {
			t.Fatalf("%v and %v", c, err)
		}
		if err != nil && code(err) == "" {
			t.Fatalf("an error without a code: %v", err)
		}
		if c != nil && (c.Issuer == "" || !json.Valid(c.Document) || len(c.Types) == 0) {
			t.Fatalf("%+v", c)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	o := newOwner(b, "EdDSA")
	for i, in := range [][]byte{text(b, o.secure(b, FormatEd2018, true)), []byte(o.token(b, o.header(), o.claims()))} {
		b.Run(strconv.Itoa(i), func(b *testing.B) {
			for b.Loop() {
				if _, err := Verify(in, policy()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
