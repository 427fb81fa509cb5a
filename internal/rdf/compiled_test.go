package rdf

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/kinpass/kinpass/internal/vectest"
)

// agree compares the compiled path with the slow one: where it answers, the
// slow path gives the same bytes and no error. It reports whether it answered.
func agree(t testing.TB, name string, doc []byte) bool {
	t.Helper()
	d := compiled(doc)
	if d == nil {
		return false
	}
	defer d.release()
	compare(t, name, doc, d)
	return true
}

// compare compares what the compiled path made of a document with the slow
// path.
func compare(t testing.TB, name string, doc []byte, d *dataset) {
	t.Helper()
	quads := d.list()
	got, err := d.canonical(nil, crypto.SHA256)
	want, slowErr := canonicalSlow(doc, crypto.SHA256)
	if err != nil || slowErr != nil {
		t.Errorf("%s: compiled gives %v, the slow path %v:\n%.2000s", name, err, slowErr, doc)
		return
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: the paths differ:\n%.2000s\n%s", name, doc, difference(got, want))
	}
	if again, err := appendCanonical(nil, quads, crypto.SHA256); err != nil || !bytes.Equal(again, want) {
		t.Errorf("%s: the quads differ (%v):\n%.2000s\n%s", name, err, doc, difference(again, want))
	}
}

// difference shows the first ten lines that only one text has.
func difference(got, want []byte) string {
	var b strings.Builder
	n := 0
	only := func(title string, a, b2 []byte) {
		has := map[string]bool{}
		for line := range strings.Lines(string(b2)) {
			has[line] = true
		}
		for line := range strings.Lines(string(a)) {
			if n++; !has[line] && n <= 10 {
				b.WriteString(title + line)
			}
		}
	}
	only("compiled: ", got, want)
	n = 0
	only("slow:     ", want, got)
	return b.String()
}

func TestCompiledTakesWhatKinpassSigns(t *testing.T) {
	for name, doc := range ownDocuments {
		if !agree(t, name, sample(doc)) {
			t.Errorf("%s takes the slow path", name)
		}
	}
	if len(ownDocuments) != 20 {
		t.Errorf("%d documents", len(ownDocuments))
	}
}

// An implementation that nobody here wrote gives the same bytes.
func TestCompiledAgreesWithAnother(t *testing.T) {
	for name, doc := range ownDocuments {
		d := compiled(sample(doc))
		if d == nil {
			t.Fatalf("%s takes the slow path", name)
		}
		got, err := d.canonical(nil, crypto.SHA256)
		if sum := fmt.Sprintf("%x", sha256.Sum256(got)); err != nil || sum != independent[name] {
			t.Errorf("%s: %v, SHA-256 %s", name, err, sum)
		}
		d.release()
	}
}

// The ways in ask the compiled path first: the slow one allocates several
// hundred times.
func TestCompiledIsAskedFirst(t *testing.T) {
	doc := sample(birthDocument)
	for name, ask := range map[string]func() error{
		"Canonical": func() error { _, err := Canonical(doc, crypto.SHA256); return err },
		"digest":    func() error { _, err := AppendDigest(nil, doc, crypto.SHA256); return err },
		"Quads":     func() error { _, err := Quads(doc); return err },
		"Check":     func() error { return Check(doc) },
	} {
		if n := testing.AllocsPerRun(20, func() {
			if err := ask(); err != nil {
				t.Error(err)
			}
		}); n > 100 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
	if _, err := Canonical(doc, crypto.SHA512); err == nil {
		t.Errorf("a hash that RDFC-1.0 does not have: %v", err)
	}
}

// SHA-384 labels nodes in another order.
func TestCompiledWithSHA384(t *testing.T) {
	for name, doc := range ownDocuments {
		d := compiled(sample(doc))
		if d == nil {
			t.Fatalf("%s takes the slow path", name)
		}
		got, err := d.canonical([]byte("x"), crypto.SHA384)
		want, slowErr := canonicalSlow(sample(doc), crypto.SHA384)
		if err != nil || slowErr != nil || string(got) != "x"+string(want) {
			t.Errorf("%s: %v %v\n%s\n%s", name, err, slowErr, got, want)
		}
		d.release()
	}
}

// The digest is that of the canonical form, on both paths, with what stood
// before it.
func TestAppendDigest(t *testing.T) {
	slow := sample(strings.Replace(plain, `"$KP"]`, `"$KP",{"hair":"urn:hair"}]`, 1))
	if d := compiled(slow); d != nil {
		t.Fatal("a context inside is compiled")
	}
	docs := [][]byte{slow}
	for _, doc := range ownDocuments {
		docs = append(docs, sample(doc))
	}
	for _, h := range []crypto.Hash{crypto.SHA256, crypto.SHA384} {
		for _, doc := range docs {
			text, err := canonicalSlow(doc, h)
			if err != nil {
				t.Fatal(err)
			}
			w := h.New()
			w.Write(text)
			got, err := AppendDigest([]byte("before"), doc, h)
			if err != nil || string(got) != "before"+string(w.Sum(nil)) {
				t.Errorf("%v of %.80s: %x, %v", h, doc, got, err)
			}
		}
	}
	if got, err := AppendDigest([]byte("before"), []byte(`{"a":1}`), crypto.SHA256); err == nil || got != nil {
		t.Errorf("%x, %v", got, err)
	}
	if got, err := AppendDigest([]byte("before"), docs[1], crypto.MD5); err == nil || got != nil {
		t.Errorf("%x, %v", got, err)
	}
}

// What others publish: every JSON document of these vectors, and how many of
// them the compiled path must answer.
func TestCompiledAgreesOnVectors(t *testing.T) {
	for sub, want := range map[string][2]int{
		"vc-di-eddsa": {27, 16},
		"vc-di-ecdsa": {60, 21},
	} {
		t.Run(sub, func(t *testing.T) {
			vectest.Dir(t, sub)
			files, taken := 0, 0
			for _, suffix := range []string{".json", ".jsonld"} {
				for _, doc := range vectest.Seeds(sub, suffix, 10000) {
					files++
					if agree(t, sub, doc) {
						taken++
					}
				}
			}
			t.Logf("%d files, %d compiled", files, taken)
			if files != want[0] || taken != want[1] {
				t.Errorf("%d files, %d compiled; want %v", files, taken, want)
			}
		})
	}
}

// Every list of contexts that is said to be compiled is.
func TestCompiledLists(t *testing.T) {
	for i, urls := range compiledLists {
		if programs[i]() == nil {
			t.Errorf("%v is not compiled", urls)
		}
	}
}

const plain = `{"@context":["$V2","$KP"],"id":"urn:uuid:1","type":["VerifiableCredential","BirthCredential"],"issuer":"did:web:r.example","credentialSubject":{"childRef":"x","sex":1}}`

// edits are changes of one text in plain. mine says whether the compiled path
// answers; if so, the slow path must say the same.
var edits = []struct {
	name, old, new string
	mine           bool
}{
	{"nothing", ``, ``, true},
	{"white space", `"sex":1`, "\"sex\" :\t1\r\n ", true},
	{"an undefined term", `"sex":1`, `"sex":1,"hair":"x"`, false},
	{"an undefined term at the top", `"issuer"`, `"extra":"x","issuer"`, false},
	{"a prototype's name", `"sex":1`, `"sex":1,"__proto__":"x"`, false},
	{"another prototype's name", `"sex":1`, `"constructor":"x"`, false},
	{"an empty name", `"sex":1`, `"":"x"`, false},
	{"an undefined type", `"BirthCredential"]`, `"BirthCredential","Unknown"]`, false},
	{"a relative type", `"BirthCredential"]`, `"./BirthCredential"]`, false},
	{"a type by its IRI", `"BirthCredential"]`, `"https://w3id.org/kinpass/v1#BirthCredential"]`, true},
	{"a type by term and by IRI", `"BirthCredential"]`, `"BirthCredential","https://w3id.org/kinpass/v1#BirthCredential"]`, false},
	{"a type twice", `"BirthCredential"]`, `"BirthCredential","BirthCredential"]`, false},
	{"a compact type", `"BirthCredential"]`, `"kp:BirthCredential"]`, false},
	{"types in another order", `"VerifiableCredential","BirthCredential"`, `"BirthCredential","VerifiableCredential"`, true},
	{"types last", `"type":["VerifiableCredential","BirthCredential"],"issuer":"did:web:r.example","credentialSubject":{"childRef":"x","sex":1}`, `"issuer":"did:web:r.example","credentialSubject":{"childRef":"x","sex":1},"type":["VerifiableCredential","BirthCredential"]`, true},
	{"no types", `"type":["VerifiableCredential","BirthCredential"],`, ``, false},
	{"empty types", `["VerifiableCredential","BirthCredential"]`, `[]`, false},
	{"types null", `["VerifiableCredential","BirthCredential"]`, `null`, false},
	{"a type of number", `"BirthCredential"]`, `1]`, false},
	{"a type of type", `"BirthCredential"]`, `"type"]`, false},
	{"a type @json", `"BirthCredential"]`, `"@json"]`, false},
	{"two conflicting types", `"BirthCredential"]`, `"DataIntegrityProof"]`, true},
	{"@type", `"type":["Ver`, `"@type":["Ver`, true},
	{"@id", `"id":"urn`, `"@id":"urn`, true},
	{"both ids", `"id":"urn:uuid:1"`, `"id":"urn:uuid:1","@id":"urn:uuid:1"`, false},
	{"both types", `"issuer"`, `"@type":"BirthCredential","issuer"`, false},
	{"an id twice", `"id":"urn:uuid:1"`, `"id":"urn:uuid:1","id":"urn:uuid:1"`, false},
	{"a name twice", `"sex":1`, `"sex":1,"sex":1`, false},
	{"names equal but for case", `"sex":1`, `"sex":1,"Sex":1`, false},
	{"two terms equal but for case", `"sex":1`, `"BirthCredential":"x","birthCredential":"urn:x"`, false},
	{"an escaped name", `"id":"urn`, `"\u0069d":"urn`, false},
	{"an escaped name again", `"id":"urn`, `"\u0069d":"urn:uuid:1","id":"urn`, false},
	{"an escaped id", `"urn:uuid:1"`, `"urn:uuid:\u0031"`, false},
	{"an escaped type", `"BirthCredential"`, `"BirthCredentia\u006c"`, false},
	{"escapes in a value", `"childRef":"x"`, `"childRef":"\u0000\b\f\n\r\t\"\\\/\u00e9\ud83d\ude00\u007f\u0085\u2028"`, true},
	{"half a surrogate", `"childRef":"x"`, `"childRef":"\ud83d"`, false},
	{"the other half", `"childRef":"x"`, `"childRef":"\ude00\ud83d"`, false},
	{"an escape that is none", `"childRef":"x"`, `"childRef":"\x41"`, false},
	{"a raw control character", `"childRef":"x"`, "\"childRef\":\"\x01\"", false},
	{"invalid UTF-8", `"childRef":"x"`, "\"childRef\":\"\xff\"", false},
	{"an overlong character", `"childRef":"x"`, "\"childRef\":\"\xc0\x80\"", false},
	{"an encoded surrogate", `"childRef":"x"`, "\"childRef\":\"\xed\xa0\x80\"", false},
	{"raw DEL", `"childRef":"x"`, "\"childRef\":\"\x7f\"", true},
	{"an id null", `"urn:uuid:1"`, `null`, false},
	{"an id number", `"urn:uuid:1"`, `1`, false},
	{"an id array", `"urn:uuid:1"`, `["urn:uuid:1"]`, false},
	{"an id empty", `"urn:uuid:1"`, `""`, false},
	{"an id without a rest", `"urn:uuid:1"`, `"urn:"`, false},
	{"a relative id", `"urn:uuid:1"`, `"a"`, false},
	{"a blank id", `"urn:uuid:1"`, `"_:b0"`, false},
	{"a keyword id", `"urn:uuid:1"`, `"@id"`, false},
	{"an id of a term", `"urn:uuid:1"`, `"type"`, false},
	{"an id with a space", `"urn:uuid:1"`, `"urn:uuid: 1"`, false},
	{"an id with an angle", `"urn:uuid:1"`, `"urn:uuid:>1"`, false},
	{"an id with a letter", `"urn:uuid:1"`, `"urn:uuid:é"`, false},
	{"an id of another scheme", `"urn:uuid:1"`, `"mailto:a@b.example"`, false},
	{"an id in capitals", `"urn:uuid:1"`, `"HTTPS://r.example/"`, false},
	{"an id with half an escape", `"urn:uuid:1"`, `"urn:uuid:%4"`, false},
	{"an id with an escape", `"urn:uuid:1"`, `"urn:uuid:%4f"`, true},
	{"an id with two fragments", `"urn:uuid:1"`, `"urn:uuid:1#a#b"`, false},
	{"an id without a host", `"urn:uuid:1"`, `"https:///a"`, false},
	{"an id without slashes", `"urn:uuid:1"`, `"https:a.example"`, false},
	{"an id with a user", `"urn:uuid:1"`, `"https://u@r.example/"`, false},
	{"an id with a port", `"urn:uuid:1"`, `"http://localhost:8080/a?b=c#d"`, true},
	{"an id with a long port", `"urn:uuid:1"`, `"http://localhost:808080/"`, false},
	{"an id with dots", `"urn:uuid:1"`, `"https://r.example/a/../b"`, true},
	{"an issuer as object", `"did:web:r.example"`, `{"id":"did:web:r.example","name":"R"}`, true},
	{"an issuer as reference", `"did:web:r.example"`, `{"id":"did:web:r.example"}`, true},
	{"an issuer as @id", `"did:web:r.example"`, `{"@id":"did:web:r.example"}`, true},
	{"an issuer without id", `"did:web:r.example"`, `{"name":"R"}`, true},
	{"an issuer of number", `"did:web:r.example"`, `5`, false},
	{"an issuer true", `"did:web:r.example"`, `true`, false},
	{"an issuer null", `"did:web:r.example"`, `null`, false},
	{"an issuer empty", `"did:web:r.example"`, `[]`, false},
	{"an issuer that is the subject", `"credentialSubject":{`, `"credentialSubject":{"id":"did:web:r.example",`, true},
	{"one IRI described twice", `"did:web:r.example","credentialSubject":{`, `{"id":"did:web:r.example","name":"R"},"credentialSubject":{"id":"did:web:r.example",`, false},
	{"the document described twice", `"credentialSubject":{`, `"credentialSubject":{"id":"urn:uuid:1",`, false},
	{"the document referred to", `"issuer":"did:web:r.example"`, `"issuer":"urn:uuid:1"`, true},
	{"subject as string", `{"childRef":"x","sex":1}`, `"did:key:z6Mk"`, true},
	{"subject empty", `{"childRef":"x","sex":1}`, `{}`, true},
	{"subjects", `{"childRef":"x","sex":1}`, `[{"childRef":"x","sex":1},{"childRef":"x","sex":1},{}]`, true},
	{"subjects in subjects", `{"childRef":"x","sex":1}`, `[[{"childRef":"x"}]]`, false},
	{"@value", `"childRef":"x"`, `"childRef":{"@value":"x"}`, false},
	{"@language", `"childRef":"x"`, `"childRef":{"@value":"x","@language":"en"}`, false},
	{"@list", `"childRef":"x"`, `"childRef":{"@list":["x"]}`, false},
	{"@set", `"childRef":"x"`, `"childRef":{"@set":["x"]}`, false},
	{"@reverse", `"childRef":"x"`, `"@reverse":{"childRef":{"name":"x"}}`, false},
	{"@included", `"childRef":"x"`, `"@included":{"name":"x"}`, false},
	{"@graph", `"childRef":"x"`, `"@graph":[{"name":"x"}]`, false},
	{"@nest", `"childRef":"x"`, `"@nest":{"name":"x"}`, false},
	{"@index", `"childRef":"x"`, `"@index":"x"`, false},
	{"@json", `"childRef":"x"`, `"@json":"x"`, false},
	{"@none", `"childRef":"x"`, `"@none":"x"`, false},
	{"@unknown", `"childRef":"x"`, `"@unknown":"x"`, false},
	{"a context inside", `"childRef":"x"`, `"@context":"$V2","childRef":"x"`, false},
	{"a null context inside", `"childRef":"x"`, `"@context":null,"childRef":"x"`, false},
	{"an empty context inside", `"childRef":"x"`, `"@context":{},"childRef":"x"`, false},
	{"a redefinition inside", `"childRef":"x"`, `"@context":{"childRef":"urn:x"},"childRef":"x"`, false},
	{"no context", `"@context":["$V2","$KP"],`, ``, false},
	{"an empty context", `["$V2","$KP"]`, `[]`, false},
	{"one context less", `["$V2","$KP"]`, `["$V2"]`, false},
	{"contexts turned", `["$V2","$KP"]`, `["$KP","$V2"]`, false},
	{"a context twice", `["$V2","$KP"]`, `["$V2","$KP","$KP"]`, false},
	{"one more context", `["$V2","$KP"]`, `["$V2","$KP",{"sex":"urn:x"}]`, false},
	{"a null context", `["$V2","$KP"]`, `["$V2",null,"$KP"]`, false},
	{"a context of lists", `["$V2","$KP"]`, `[["$V2"],"$KP"]`, false},
	{"an unknown context", `["$V2","$KP"]`, `["$V2","https://w3id.org/kinpass/v2"]`, false},
	{"a context with a fragment", `["$V2","$KP"]`, `["$V2","$KP#"]`, false},
	{"a context last", `"@context":["$V2","$KP"],"id":"urn:uuid:1"`, `"id":"urn:uuid:1","@context":["$V2","$KP"]`, true},
	{"a number null", `"sex":1`, `"sex":null`, false},
	{"a number negative", `"sex":1`, `"sex":-17`, true},
	{"a number zero", `"sex":1`, `"sex":0`, true},
	{"minus zero", `"sex":1`, `"sex":-0`, false},
	{"a number 1.0", `"sex":1`, `"sex":1.0`, false},
	{"a number 1e3", `"sex":1`, `"sex":1e3`, false},
	{"a number 1.5", `"sex":1`, `"sex":1.5`, false},
	{"a number with a zero", `"sex":1`, `"sex":01`, false},
	{"a number with a plus", `"sex":1`, `"sex":+1`, false},
	{"a large number", `"sex":1`, `"sex":999999999999999`, true},
	{"a larger number", `"sex":1`, `"sex":9007199254740993`, false},
	{"a number without end", `"sex":1`, `"sex":1e999`, false},
	{"a number as text", `"sex":1`, `"sex":"1"`, true},
	{"a number true", `"sex":1`, `"sex":true`, true},
	{"a number as numbers", `"sex":1`, `"sex":[1,2]`, true},
	{"a number twice", `"sex":1`, `"sex":[1,1]`, false},
	{"number and text alike", `"sex":1`, `"sex":[1,"1"]`, false},
	{"a plain number", `"childRef":"x"`, `"childRef":5`, true},
	{"a plain number and its text", `"childRef":"x"`, `"childRef":[5,"5",true,"true"]`, true},
	{"a plain boolean", `"childRef":"x"`, `"childRef":false`, true},
	{"a text twice", `"childRef":"x"`, `"childRef":["x","x"]`, false},
	{"two texts", `"childRef":"x"`, `"childRef":["x","y"]`, true},
	{"null in an array", `"childRef":"x"`, `"childRef":["x",null]`, false},
	{"an empty array", `"childRef":"x"`, `"childRef":[]`, false},
	{"an array in an array", `"childRef":"x"`, `"childRef":[["x"]]`, false},
	{"a set of one", `"childRef":"x"`, `"names":{"kind":"legal"}`, true},
	{"an empty set", `"childRef":"x"`, `"names":[]`, false},
	{"an empty set that must be there", `"childRef":"x"`, `"parentage":[]`, true},
	{"a set of everything", `"childRef":"x"`, `"names":["x","y",1,true,{"id":"urn:x"},{},{"name":"y"},{"name":"y"}]`, true},
	{"a set of one reference twice", `"childRef":"x"`, `"names":[{"id":"urn:x"},{"id":"urn:x"}]`, false},
	{"equal members of a set", `"childRef":"x"`, `"names":[{"given":["a","b"]},{"given":["a","b"]},{"given":["b","a"]}]`, true},
	{"JSON text", `"childRef":"x"`, `"given":"x"`, true},
	{"JSON texts", `"childRef":"x"`, `"given":["x","y","x"]`, true},
	{"JSON of escapes", `"childRef":"x"`, `"given":["\u0000\u001f\"\\\/\b\f\n\r\t\u00e9é\ud83d\ude00😀\u2028\u007f","/"]`, true},
	{"raw DEL in JSON", `"childRef":"x"`, "\"given\":[\"\x7f\"]", true},
	{"an empty array of JSON", `"childRef":"x"`, `"given":[]`, true},
	{"JSON null", `"childRef":"x"`, `"given":null`, false},
	{"null in JSON", `"childRef":"x"`, `"given":["x",null]`, false},
	{"a number in JSON", `"childRef":"x"`, `"given":["x",1]`, false},
	{"an object in JSON", `"childRef":"x"`, `"given":{"@id":"x"}`, false},
	{"an array in JSON", `"childRef":"x"`, `"given":[["x"]]`, false},
	{"a scoped term", `"childRef":"x"`, `"registration":{"authority":"https://a.example","number":"1"}`, true},
	{"a scoped term outside", `"childRef":"x"`, `"authority":"not an IRI"`, true},
	{"a scoped term further in", `"childRef":"x"`, `"registration":{"guardian":{"authority":"https://a.example","registration":{"authority":"urn:b"}}}`, true},
	{"a scope left by a type", `"childRef":"x"`, `"registration":{"type":"BitstringStatusListEntry","authority":"urn:b","statusListCredential":"urn:c"}`, true},
	{"a type's scope left", `"childRef":"x"`, `"guardian":{"type":"BitstringStatusListEntry","ward":{"statusListCredential":"urn:c"}}`, false},
	{"a type's scope kept by a reference", `"childRef":"x"`, `"guardian":{"type":"BitstringStatusListEntry","ward":{"id":"urn:c"},"statusReference":{"id":"urn:d"}}`, true},
	{"a term of JSON", `"childRef":"x"`, `"cnf":{"jwk":{"kty":"OKP"}}`, false},
	{"a term beside JSON", `"childRef":"x"`, `"cnf":{"kid":"urn:x"}`, true},
	{"a purpose", `"childRef":"x"`, `"guardian":{"type":"DataIntegrityProof","proofPurpose":"authentication"}`, true},
	{"a purpose that is an IRI", `"childRef":"x"`, `"guardian":{"type":"DataIntegrityProof","proofPurpose":"https://w3id.org/security#authenticationMethod"}`, true},
	{"a purpose of number", `"childRef":"x"`, `"guardian":{"type":"DataIntegrityProof","proofPurpose":1}`, false},
	{"an unknown purpose", `"childRef":"x"`, `"guardian":{"type":"DataIntegrityProof","proofPurpose":"fun"}`, false},
	{"a purpose that is a keyword", `"childRef":"x"`, `"guardian":{"type":"DataIntegrityProof","proofPurpose":"id"}`, false},
	{"a purpose outside", `"childRef":"x"`, `"guardian":{"type":"DataIntegrityProof","proofPurpose":"sex"}`, true},
	{"a purpose as object", `"childRef":"x"`, `"guardian":{"type":"DataIntegrityProof","proofPurpose":{"authentication":"urn:x"}}`, true},
	{"a proof as text", `"issuer"`, `"proof":"urn:x","issuer"`, false},
	{"a proof as reference", `"issuer"`, `"proof":{"id":"urn:x"},"issuer"`, false},
	{"a proof empty", `"issuer"`, `"proof":{},"issuer"`, false},
	{"no proofs", `"issuer"`, `"proof":[],"issuer"`, false},
	{"a proof null", `"issuer"`, `"proof":null,"issuer"`, false},
	{"two proofs", `"issuer"`, `"proof":[{"type":"DataIntegrityProof","created":"x"},{"type":"DataIntegrityProof","created":"x"}],"issuer"`, true},
	{"a proof about the document", `"issuer"`, `"proof":{"id":"urn:uuid:1","type":"DataIntegrityProof","created":"x"},"issuer"`, true},
	{"a proof in a proof", `"issuer"`, `"proof":{"type":["DataIntegrityProof","VerifiableCredential"],"proof":{"type":"DataIntegrityProof","created":"y"}},"issuer"`, true},
	{"a type as property", `"childRef":"x"`, `"VerifiableCredential":{"issuer":"urn:x"}`, true},
	{"credentials inside without context", `"BirthCredential"]`, `"VerifiablePresentation"],"verifiableCredential":[{"type":"BirthCredential"}]`, false},
	{"credentials inside of a context without the type", `"BirthCredential"]`, `"VerifiablePresentation"],"verifiableCredential":[{"@context":["$V2"],"type":"BirthCredential"}]`, false},
	{"credentials inside as text", `"BirthCredential"]`, `"VerifiablePresentation"],"verifiableCredential":"urn:x"`, false},
	{"credentials inside", `"BirthCredential"]`, `"VerifiablePresentation"],"verifiableCredential":[{"@context":["$V2","$KP"],"type":"BirthCredential"}]`, true},
	{"credentials inside of another context", `"BirthCredential"]`, `"VerifiablePresentation"],"verifiableCredential":[{"@context":["$V2"],"type":"BitstringStatusListCredential"}]`, true},
	{"an empty object inside", `"childRef":"x"`, `"placeOfBirth":{}`, true},
	{"deep", `"childRef":"x"`, `"guardian":` + strings.Repeat(`{"ward":`, 14) + `1` + strings.Repeat(`}`, 14), true},
	{"deeper", `"childRef":"x"`, `"guardian":` + strings.Repeat(`{"ward":`, 15) + `1` + strings.Repeat(`}`, 15), false},
	{"many subjects", `{"childRef":"x","sex":1}`, `[` + many(64, `{"id":"urn:%d","sex":1}`) + `]`, false},
	{"fewer subjects", `{"childRef":"x","sex":1}`, `[` + many(63, `{"id":"urn:%d","sex":1}`) + `]`, true},
	{"many values", `"childRef":"x"`, `"childRef":[` + many(65, `"%d"`) + `]`, false},
	{"fewer values", `"childRef":"x"`, `"childRef":[` + many(64, `"%d"`) + `]`, true},
	{"many nodes", `"childRef":"x"`, `"names":[` + many(150, `{"full":"%d"}`) + `]`, true},
	{"many types", `"BirthCredential"]`, many(8, `"urn:%d"`) + `]`, false},
	{"a trailing comma", `"sex":1`, `"sex":1,`, false},
	{"a comment", `"sex":1`, `"sex":1/**/`, false},
	{"a missing colon", `"sex":1`, `"sex"1`, false},
	{"a name of number", `"sex":1`, `1:1`, false},
	{"a word", `"sex":1`, `"sex":nul`, false},
	{"a name in single quotes", `"sex":1`, `'sex':1`, false},
}

// many writes n different values.
func many(n int, format string) string {
	values := make([]string, n)
	for i := range values {
		values[i] = fmt.Sprintf(format, i)
	}
	return strings.Join(values, ",")
}

func TestCompiledRefusesOrAgrees(t *testing.T) {
	for _, e := range edits {
		if strings.Count(plain, e.old) < 1 {
			t.Fatalf("%s changes nothing", e.name)
		}
		doc := sample(strings.Replace(plain, e.old, e.new, 1))
		if got := agree(t, e.name, doc); got != e.mine {
			t.Errorf("%s: compiled %v, want %v", e.name, got, e.mine)
		}
	}
	for name, doc := range map[string]string{
		"nothing": "", "white space": " \n", "an array": "[" + plain + "]", "a string": `"x"`, "a number": "1", "null": "null",
		"two values": plain + plain, "something after": plain + "x", "half": plain[:len(plain)-1], "a byte order mark": "\ufeff" + plain,
		"a context alone": `{"@context":["$V2"]}`, "an id alone": `{"@context":["$V2"],"id":"urn:x"}`, "an empty object": `{}`,
		"an unfinished string": `{"@context":["$V2"],"name":"`, "an unfinished escape": `{"@context":["$V2"],"name":"\`,
		"an unfinished number": `{"@context":["$V2"],"name":-`, "depth": strings.Repeat("[", 1<<16), "many members": `{"@context":["$V2"],` + strings.Repeat(`"name":"x",`, 70) + `"type":"JsonSchema"}`,
	} {
		if agree(t, name, sample(doc)) {
			t.Errorf("%s is compiled", name)
		}
	}
}

// Two programs never mix: many documents at once, each with its own answer.
func TestCompiledAtOnce(t *testing.T) {
	want := map[string]string{}
	for name, doc := range ownDocuments {
		d := compiled(sample(doc))
		if d == nil {
			t.Fatalf("%s takes the slow path", name)
		}
		out, err := d.canonical(nil, crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		want[name] = string(out)
		d.release()
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 20 {
				for name, doc := range ownDocuments {
					d := compiled(sample(doc))
					out, err := d.canonical(nil, crypto.SHA256)
					if err != nil || string(out) != want[name] {
						t.Errorf("%s: %v", name, err)
					}
					d.release()
				}
			}
		})
	}
	all.Wait()
}

// A document that makes ever new active contexts is answered, and the program
// remembers no more than it may.
func TestCompiledForgets(t *testing.T) {
	scoped := []string{"registration", "amendment", "document", "cnf", "documents"}
	types := []string{"BitstringStatusList", "BitstringStatusListEntry", "JsonSchema", "DataIntegrityProof"}
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 400 {
		doc := `{"name":"x"}`
		for range 12 {
			doc = fmt.Sprintf(`{%q:%s}`, scoped[rng.IntN(len(scoped))], doc)
			if rng.IntN(2) == 0 {
				doc = fmt.Sprintf(`{"type":%q,%s`, types[rng.IntN(len(types))], doc[1:])
			}
		}
		doc = `{"@context":["$V2","$KP"],` + doc[1:]
		d := compiled(sample(doc))
		if d == nil {
			t.Fatalf("not compiled: %s", doc)
		}
		d.release()
		if i%20 == 0 {
			agree(t, "scopes", sample(doc))
		}
	}
	if n := programs[0]().actives.Load(); n < 100 || n > maxActives+16 {
		t.Errorf("%d active contexts are kept", n)
	}
}
