package rdf

import (
	"bytes"
	"crypto"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// bare takes the member proof out of an object's text and leaves the rest as it
// is.
func bare(t testing.TB, doc []byte) []byte {
	t.Helper()
	tokens, ok := scan(doc, nil)
	if !ok || tokens[0].kind != '{' {
		t.Fatalf("not an object: %.200s", doc)
	}
	var members [][]byte
	for i := int32(1); i < tokens[0].next; i = tokens[i+1].next {
		name, value := tokens[i], tokens[i+1]
		if string(doc[name.off:name.end]) == "proof" {
			continue
		}
		from, to := value.off, value.end
		if value.kind == '"' || value.kind == escaped { // without its quotes
			from, to = from-1, to+1
		}
		members = append(members, slices.Concat([]byte(`"`), doc[name.off:name.end], []byte(`":`), doc[from:to]))
	}
	return slices.Concat([]byte("{"), bytes.Join(members, []byte(",")), []byte("}"))
}

// agreeContained compares all that is kept of a document with what is read of
// each contained document alone: the very same quads from the compiled path, and
// the same digest from the slow one. It gives how many were kept.
func agreeContained(t testing.TB, name string, doc []byte) int {
	t.Helper()
	var c Contained
	defer c.Release()
	got, err := c.AppendDigest([]byte("x"), doc, crypto.SHA256)
	want, wantErr := AppendDigest([]byte("x"), doc, crypto.SHA256)
	if !bytes.Equal(got, want) || (err == nil) != (wantErr == nil) {
		t.Errorf("%s: %x, %v; without keeping %x, %v", name, got, err, want, wantErr)
		return 0
	}
	if err != nil {
		return 0
	}
	parts := slices.Clone(c.parts)
	for i, p := range parts {
		alone := bare(t, p.text)
		d := compiled(alone)
		if d == nil {
			t.Errorf("%s: part %d is kept, and alone it is not compiled:\n%s", name, i, alone)
			return 0
		}
		if !bytes.Equal(d.text, p.data.text) || !slices.Equal(d.quads, p.data.quads) || d.blanks != p.data.blanks || d.strange && !p.data.strange {
			t.Errorf("%s: part %d differs:\n%s\n%s\n%v\n%s\n%v", name, i, alone, d.text, d.quads, p.data.text, p.data.quads)
		}
		d.release()
	}
	for i, p := range parts {
		slow, err := canonicalSlow(bare(t, p.text), crypto.SHA256)
		if err != nil {
			t.Errorf("%s: part %d: %v\n%s", name, i, err, p.text)
			return 0
		}
		w := crypto.SHA256.New()
		w.Write(slow)
		got, ok, err := c.AppendUnsecured([]byte("x"), bytes.Clone(p.text), crypto.SHA256)
		if !ok || err != nil || !bytes.Equal(got, w.Sum([]byte("x"))) {
			t.Errorf("%s: part %d: %v %v, another digest than alone:\n%s", name, i, ok, err, p.text)
		}
	}
	for i, p := range parts {
		if _, ok, _ := c.AppendUnsecured(nil, p.text, crypto.SHA256); ok {
			t.Errorf("%s: part %d is given twice", name, i)
		}
	}
	return len(parts)
}

func TestContained(t *testing.T) {
	for name, want := range map[string]int{
		"presentation, three with proof": 3, "presentation with its proof": 3, "presentation of twins": 4,
		"presentation, three enveloped": 0, "presentation, no credential": 0, "birth with its proof": 0,
	} {
		if got := agreeContained(t, name, sample(ownDocuments[name])); got != want {
			t.Errorf("%s: %d documents are kept, want %d", name, got, want)
		}
	}
}

// containedEdits change a presentation's text. What is kept must be what the
// changed document says by itself; want tells how many are.
var containedEdits = []struct {
	name, old, new string
	want           int
	refused        bool // by strict reading
}{
	{"a claim", `"Kavya"`, `"Kavyā"`, 3, false},
	{"an escape in a claim", `"Kavya"`, `"K\u0061vya"`, 3, false},
	{"white space", `"credentialSubject":{`, "\"credentialSubject\" :\n\t{ ", 3, false},
	{"the name of the proof has an escape", `"proof":{`, `"pr\u006fof":{`, 0, false},
	{"another spelling of proof", `"proof":{`, `"Proof":{`, 0, true},
	{"a term of no context", `"childRef":`, `"childref":`, 0, true},
	{"no context of its own", `{"@context":["$V2","$KP"],"id":"urn:uuid:0e8b`, `{"id":"urn:uuid:0e8b`, 0, true},
	{"a context that is an object", `{"@context":["$V2","$KP"],"id":"urn:uuid:0e8b`, `{"@context":["$V2","$KP",{"a":"urn:a"}],"id":"urn:uuid:0e8b`, 0, false},
	{"a proof in the subject", `"credentialSubject":{`, `"credentialSubject":{"proof":{"type":"DataIntegrityProof","created":"2026-11-20T10:00:00Z"},`, 0, true},
	{"a proof of the proof", `"proof":{`, `"proof":{"proof":{"type":"DataIntegrityProof"},`, 0, true},
	{"two proofs", `"proof":{` + proofMembers + `,"proofValue":"z1"}`, `"proof":[{` + proofMembers + `},{` + proofMembers + `}]`, 3, false},
	{"no proof at all", `,"proof":{` + proofMembers + `,"proofValue":"z2"}`, ``, 2, false},
	{"nothing but a proof", `"verifiableCredential":[`, `"verifiableCredential":[{"@context":["$DI"],"id":"urn:x:1","proof":{` + proofMembers + `}},`, 3, false},
	{"a proof of nothing but a proof", `"verifiableCredential":[`, `"verifiableCredential":[{"@context":["$DI"],"id":"urn:x:1","proof":{` + proofMembers + `,"proof":{` + proofMembers + `}}},`, 3, false},
	{"a proof in an issuer", `"issuer":"did:web:registry.npl.example"`, `"issuer":{"id":"did:web:registry.npl.example","type":"VerifiableCredential","proof":{` + proofMembers + `}}`, 3, false},
	{"a credential in a credential", `"credentialSubject":{"childRef"`, `"verifiableCredential":{"@context":["$V2"],"type":["VerifiableCredential"],"issuer":"did:key:z6MkX","proof":{"type":"DataIntegrityProof"}},"credentialSubject":{"childRef"`, 0, true},
}

func TestContainedEdits(t *testing.T) {
	for _, e := range containedEdits {
		text := strings.Replace(presentationDocument, e.old, e.new, 1)
		if text == presentationDocument {
			t.Fatalf("%s: nothing was changed", e.name)
		}
		_, err := AppendDigest(nil, sample(text), crypto.SHA256)
		if got := agreeContained(t, e.name, sample(text)); got != e.want || (err != nil) != e.refused {
			t.Errorf("%s: %d are kept, want %d; %v", e.name, got, e.want, err)
		}
	}
}

// What was kept is given for the text that it was read of and for no other.
func TestContainedIsAskedForByItsText(t *testing.T) {
	doc := sample(presentationDocument)
	var c Contained
	if _, err := c.AppendDigest(nil, doc, crypto.SHA256); err != nil || len(c.parts) != 3 {
		t.Fatalf("%d parts, %v", len(c.parts), err)
	}
	text := bytes.Clone(c.parts[1].text)
	for i := range text {
		text[i] ^= 1
		if _, ok, _ := c.AppendUnsecured(nil, text, crypto.SHA256); ok {
			t.Fatalf("another text is known, changed at %d", i)
		}
		text[i] ^= 1
	}
	for _, other := range [][]byte{nil, text[:len(text)-1], append(bytes.Clone(text), ' '), bare(t, text)} {
		if _, ok, _ := c.AppendUnsecured(nil, other, crypto.SHA256); ok {
			t.Errorf("known: %.80s", other)
		}
	}
	if out, ok, err := c.AppendUnsecured(nil, text, crypto.SHA512); !ok || err == nil || out != nil {
		t.Errorf("a hash that RDFC-1.0 does not have: %v %v", ok, err)
	}
	c.Release()
	if len(c.parts) != 0 {
		t.Error("parts are kept after Release")
	}
	// Asked again, it forgets what it had.
	for range 2 {
		if _, err := c.AppendDigest(nil, doc, crypto.SHA256); err != nil || len(c.parts) != 3 {
			t.Fatalf("%d parts, %v", len(c.parts), err)
		}
	}
	if _, err := c.AppendDigest(nil, sample(strings.Replace(presentationDocument, `"holder"`, `"nobody"`, 1)), crypto.SHA256); err == nil || len(c.parts) != 0 {
		t.Errorf("%d parts of a document without a meaning, %v", len(c.parts), err)
	}
}

// The same credential twice is kept twice; of very many, as many as may be.
func TestContainedMany(t *testing.T) {
	one := withProof(statusListDocument, proofMembers)
	for n, want := range map[int]int{1: 1, 2: 2, maxParts: maxParts, maxParts + 3: maxParts} {
		list := make([]string, n)
		for i := range list {
			list[i] = strings.Replace(one, `"ttl":300000`, fmt.Sprintf(`"ttl":%d`, i/2), 1)
		}
		doc := sample(`{"@context":["$V2"],"type":["VerifiablePresentation"],"verifiableCredential":[` + strings.Join(list, ",") + `]}`)
		var c Contained
		if _, err := c.AppendDigest(nil, doc, crypto.SHA256); err != nil || len(c.parts) != want {
			t.Fatalf("%d of %d are kept, %v", len(c.parts), n, err)
		}
		for i := range list {
			got, ok, err := c.AppendUnsecured(nil, sample(list[i]), crypto.SHA256)
			alone, _ := AppendDigest(nil, bare(t, sample(list[i])), crypto.SHA256)
			if ok != (i < maxParts) || err != nil || ok && !bytes.Equal(got, alone) {
				t.Errorf("%d of %d: %v %v", i, n, ok, err)
			}
		}
		c.Release()
	}
}

// presentation makes a presentation of changed credentials.
func (v *variants) presentation() []byte {
	names := slices.Sorted(maps.Keys(ownDocuments))
	var b bytes.Buffer
	b.WriteString(`{"@context":["$V2"],"type":["VerifiablePresentation"],"verifiableCredential":[`)
	for i := range 1 + v.IntN(3) {
		if i > 0 {
			b.WriteByte(',')
		}
		name := names[v.IntN(len(names))]
		if strings.HasPrefix(name, "presentation") && v.IntN(4) > 0 {
			name = "birth, border"
		}
		doc := sample(ownDocuments[name])
		if v.IntN(8) > 0 {
			var o map[string]any
			d := json.NewDecoder(bytes.NewReader(doc))
			d.UseNumber()
			if err := d.Decode(&o); err != nil {
				panic(err)
			}
			o["proof"] = json.RawMessage(`{` + proofMembers + `}`)
			if v.IntN(6) == 0 {
				o["proof"] = json.RawMessage(`[{` + proofMembers + `},{"type":"DataIntegrityProof","created":"2026-11-20T10:00:00Z"}]`)
			}
			var err error
			if doc, err = json.Marshal(o); err != nil {
				panic(err)
			}
		}
		if v.IntN(2) == 0 {
			doc = v.of(doc)
		}
		b.Write(doc)
	}
	b.WriteString(`]}`)
	return sample(b.String())
}

func TestContainedOfVariants(t *testing.T) {
	rounds := 1500
	if testing.Short() {
		rounds = 100
	}
	v := newVariants(5)
	kept := 0
	for i := range rounds {
		kept += agreeContained(t, fmt.Sprint("variant ", i), v.presentation())
		if t.Failed() {
			return
		}
	}
	t.Logf("%d documents were kept", kept)
	if kept < rounds/4 {
		t.Errorf("only %d documents were kept: what does this test?", kept)
	}
}

func FuzzContained(f *testing.F) {
	for _, doc := range ownDocuments {
		f.Add(sample(doc), uint64(0))
	}
	for _, e := range containedEdits {
		f.Add(sample(strings.Replace(presentationDocument, e.old, e.new, 1)), uint64(0))
	}
	for seed := range uint64(20) {
		f.Add([]byte{}, seed+1)
	}
	f.Fuzz(func(t *testing.T, doc []byte, seed uint64) {
		if seed != 0 {
			doc = newVariants(seed).presentation()
		}
		agreeContained(t, "fuzz", doc)
	})
}
