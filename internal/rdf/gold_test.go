package rdf

import (
	"bytes"
	"crypto"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/piprate/json-gold/ld"

	"github.com/kinpass/kinpass/internal/vectest"
)

// json-gold is a second opinion on expansion. It is no part of the product:
// docs/decisions/0014-json-ld-and-rdfc.md says why.

type goldLoader struct{}

func (goldLoader) LoadDocument(url string) (*ld.RemoteDocument, error) {
	body, ok := ContextFile(url)
	if !ok {
		return nil, ErrContext
	}
	doc, err := ld.DocumentFromReader(bytes.NewReader(body))
	return &ld.RemoteDocument{DocumentURL: url, Document: doc}, err
}

func goldExpand(v any) (nodes []any, err error) {
	defer func() {
		if recover() != nil { // it has type assertions that fail
			nodes, err = nil, ErrJSONLD
		}
	}()
	options := ld.NewJsonLdOptions("")
	options.SafeMode = true
	options.DocumentLoader = goldLoader{}
	nodes, err = ld.NewJsonLdProcessor().Expand(convert(v), options)
	if err != nil {
		return nil, err
	}
	return convert(nodes).([]any), nil
}

// convert turns numbers into the processor's and back.
func convert(v any) any {
	switch v := v.(type) {
	case number:
		return v.value
	case float64:
		return number{v, strconv.FormatFloat(v, 'f', -1, 64)}
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = convert(v[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k := range v {
			out[k] = convert(v[k])
		}
		return out
	}
	return v
}

// agreesWithGold compares the meaning that json-gold finds in a document with
// ours; ok is false where we refuse the document.
func agreesWithGold(t *testing.T, data []byte) (agrees, ok bool) {
	t.Helper()
	want, err := canonicalSlow(data, crypto.SHA256)
	if err != nil {
		return false, false
	}
	v, err := readJSON(data)
	if err != nil {
		t.Fatal(err)
	}
	nodes, err := goldExpand(v)
	if err != nil {
		return false, true
	}
	e := emitter{lenient: true}
	if err := e.graph(nodes, Term{}); err != nil {
		return false, true
	}
	got, err := appendCanonical(nil, e.quads, crypto.SHA256)
	return err == nil && bytes.Equal(got, want), true
}

// goldDiffers are the documents about which json-gold says something else, and
// why we are right.
var goldDiffers = map[string]string{
	// It looks up the container of a term in the context that the term brings
	// along, and so loses the graph of verifiableCredential, whose context in
	// credentials/v2 is null.
	"json-ld-api/toRdf/pr43-in.jsonld":         "graph container lost",
	"vc-jose-cose/presentation-selective.json": "graph container lost",
	"vc-jose-cose/presentation-single.json":    "graph container lost",
	// It puts a pointer into the expanded document.
	"json-ld-api/toRdf/di05-in.jsonld": "direction of a language map",
	"json-ld-api/toRdf/di06-in.jsonld": "direction of a language map",
	// The rest is what the W3C's tests say.
	"json-ld-api/toRdf/c037-in.jsonld": "context of a term for @nest",
	"json-ld-api/toRdf/pr39-in.jsonld": "reserved word in @reverse",
}

// TestGoldAgrees: json-gold finds the same in every published document that
// strict reading takes, but for its known mistakes.
func TestGoldAgrees(t *testing.T) {
	root := filepath.Dir(vectest.Dir(t, "json-ld-api"))
	agreed, differed, refused := 0, 0, 0
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, _ := filepath.Rel(root, path)
		name = filepath.ToSlash(name)
		dir, _, _ := strings.Cut(name, "/")
		if !strings.HasSuffix(name, ".json") && !strings.HasSuffix(name, "-in.jsonld") ||
			dir != "vc-di-eddsa" && dir != "vc-di-ecdsa" && dir != "vc-jose-cose" && dir != "json-ld-api" && dir != "bitstring-status-list" {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		agrees, ok := agreesWithGold(t, data)
		switch {
		case !ok:
			refused++
		case agrees && goldDiffers[name] == "":
			agreed++
		case !agrees && goldDiffers[name] != "":
			differed++
		default:
			t.Errorf("%s: agrees %v", name, agrees)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range ownDocuments {
		hasGraph := strings.Contains(text, "verifiableCredential")
		if agrees, ok := agreesWithGold(t, sample(text)); !ok || agrees == hasGraph {
			t.Errorf("%s: %v %v", name, agrees, ok)
		}
	}
	if agreed != 255 || differed != 7 || refused != 310 {
		t.Errorf("the numbers of documents changed")
	}
	t.Logf("%d documents agree, %d differ as known, %d are refused", agreed, differed, refused)
}
