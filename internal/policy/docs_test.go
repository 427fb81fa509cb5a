package policy

import (
	"os"
	"strings"
	"testing"
)

// TestVocabularyIsDocumented holds docs/POLICIES.md against the tables of the
// language; UPDATE_DOCS=1 writes its part anew.
func TestVocabularyIsDocumented(t *testing.T) {
	const name, begin, end = "../../docs/POLICIES.md", "<!-- vocabulary: begin -->\n", "<!-- vocabulary: end -->"
	var b strings.Builder
	table := func(head string, words []Word) {
		b.WriteString("| " + head + " | takes | what it means |\n|---|---|---|\n")
		for _, w := range words {
			takes := w.Takes
			if len(w.Values) > 0 {
				takes += ": " + strings.Join(w.Values, ", ")
			}
			b.WriteString("| `" + w.Name + "` | " + takes + " | " + w.Meaning + " |\n")
		}
	}
	table("word of `if`", Predicates())
	b.WriteString("\n")
	table("member of `need`", Needs())
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	doc := string(data)
	i, j := strings.Index(doc, begin), strings.Index(doc, end)
	if i < 0 || j < i {
		t.Fatal("docs/POLICIES.md lacks the markers of the vocabulary")
	}
	if doc[i+len(begin):j] == b.String() {
		return
	}
	if os.Getenv("UPDATE_DOCS") == "1" {
		if err := os.WriteFile(name, []byte(doc[:i+len(begin)]+b.String()+doc[j:]), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Error("the vocabulary in docs/POLICIES.md is not that of the source; write it with: UPDATE_DOCS=1 go test -run TestVocabularyIsDocumented ./internal/policy")
}
