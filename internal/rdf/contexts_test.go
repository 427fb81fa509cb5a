package rdf

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/kinpass/kinpass/internal/vectest"
)

// Content of the built-in contexts is that of the published files, and the
// published digests are those of published bytes.
func TestContextsAsPublished(t *testing.T) {
	dir := vectest.Dir(t, "contexts")
	files := map[string][]string{
		"https://www.w3.org/2018/credentials/v1":           {"credentials-v1"},
		"https://www.w3.org/ns/credentials/v2":             {"credentials-v2.final", "credentials-v2.2024-07-03"},
		"https://www.w3.org/ns/credentials/examples/v2":    {"credentials-examples-v2"},
		"https://w3id.org/security/data-integrity/v1":      {"w3id.org_security_data_integrity_v1"},
		"https://w3id.org/security/data-integrity/v2":      {"w3id.org_security_data_integrity_v2"},
		"https://w3id.org/security/multikey/v1":            {"w3id.org_security_multikey_v1"},
		"https://w3id.org/security/suites/ed25519-2020/v1": {"w3id.org_security_suites_ed25519_2020_v1"},
		"https://w3id.org/vdl/v1":                          {"w3id.org_vdl_v1"},
		"https://www.w3.org/ns/did/v1":                     {"www.w3.org_ns_did_v1"},
	}
	byteExact := 0
	for url, names := range files {
		ours, ok := ContextFile(url)
		if !ok {
			t.Errorf("%s is not built in", url)
			continue
		}
		published := vectest.Read(t, dir, names[0]+".jsonld")
		var a, b any
		if json.Unmarshal(ours, &a) != nil || json.Unmarshal(published, &b) != nil {
			t.Fatalf("%s is not JSON", url)
		}
		if !reflect.DeepEqual(a, b) {
			t.Errorf("%s: the content is not that of %s", url, names[0])
		}
		for _, name := range names {
			// Only these files are byte-exact among the vectors.
			if !strings.HasPrefix(name, "credentials-") {
				continue
			}
			byteExact++
			if !hasDigest(url, vectest.Read(t, dir, name+".jsonld")) {
				t.Errorf("%s: no digest of %s", url, name)
			}
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 10 || byteExact != 4 {
		t.Fatalf("%d published contexts, %d byte-exact; want 10 and 4", len(entries), byteExact)
	}
	t.Logf("%d contexts equal, %d published digests", len(files), byteExact)
}

func hasDigest(url string, body []byte) bool {
	sum := sha256.Sum256(body)
	for _, d := range ContextDigests(url) {
		if d == sum {
			return true
		}
	}
	return false
}

// Every built-in context is an object with @context, and every context that one
// of them names is built in too.
func TestContextsAreClosed(t *testing.T) {
	urls := ContextURLs()
	if len(urls) != 19 {
		t.Fatalf("%d contexts", len(urls))
	}
	for _, url := range urls {
		body, _ := ContextFile(url)
		var doc map[string]any
		if err := json.Unmarshal(body, &doc); err != nil || doc["@context"] == nil {
			t.Errorf("%s: not a context: %v", url, err)
		}
		var names func(v any)
		names = func(v any) {
			switch v := v.(type) {
			case string:
				if _, ok := ContextFile(v); !ok {
					t.Errorf("%s names %s, which is not built in", url, v)
				}
			case []any:
				for _, x := range v {
					names(x)
				}
			case map[string]any:
				for _, def := range v {
					if m, ok := def.(map[string]any); ok && m["@context"] != nil {
						names(m["@context"])
					}
				}
			}
		}
		names(doc["@context"])
	}
	if _, ok := ContextFile("https://www.w3.org/ns/credentials/v3"); ok {
		t.Error("an unknown context was found")
	}
	if len(ContextDigests("https://www.w3.org/ns/credentials/v3")) != 0 {
		t.Error("an unknown context has a digest")
	}
}

func TestContextDigests(t *testing.T) {
	const v2 = "https://www.w3.org/ns/credentials/v2"
	if d := ContextDigests(v2); len(d) != 2 ||
		hex.EncodeToString(d[0][:]) != "59955ced6697d61e03f2b2556febe5308ab16842846f5b586d7f1f7adec92734" {
		t.Errorf("credentials v2: %x", d)
	}
	// What we publish ourselves has the digest of the very bytes that we serve.
	const ours = "https://w3id.org/kinpass/v1"
	body, _ := ContextFile(ours)
	if !hasDigest(ours, body) || len(ContextDigests(ours)) != 1 {
		t.Error("the digest of the Kinpass context is not that of its bytes")
	}
	// The caller's copy is its own.
	body[0] = 'x'
	if again, _ := ContextFile(ours); bytes.Equal(body, again) {
		t.Error("a caller can change a built-in context")
	}
	d := ContextDigests(v2)
	d[0][0]++
	if d[0] == ContextDigests(v2)[0] {
		t.Error("a caller can change a digest")
	}
}
