package border

import (
	"encoding/json"
	"os"
	"regexp"
	"testing"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/verifier/check"
	"github.com/kinpass/kinpass/verifier/post"
)

// TestWordsAreThoseOfTheCheck: the page says every code of the check, in English
// by the check's own words, and every next step goes with the code that it goes
// with there.
func TestWordsAreThoseOfTheCheck(t *testing.T) {
	b, err := os.ReadFile("messages/en.json")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]any
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile("static/words.js")
	if err != nil {
		t.Fatal(err)
	}
	next := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^  ([A-Z0-9_]+): '([a-z-]+)',?$`).FindAllStringSubmatch(string(script), -1) {
		next[m[1]] = m[2]
	}
	rules := check.Rules()
	for _, r := range rules {
		if got := all["border.js.code."+r.Code]; got != r.Text {
			t.Errorf("%s is said %q, the check says %q", r.Code, got, r.Text)
		}
		if got := all["border.js.next."+next[r.Code]]; got != r.Next {
			t.Errorf("%s is followed by %q, the check says %q", r.Code, got, r.Next)
		}
	}
	if len(next) != len(rules) {
		t.Errorf("%d next steps, %d codes", len(next), len(rules))
	}
	for code, w := range check.Texts() {
		if fact, ok := cutFact(code); ok && all["border.js.fact."+fact] != w.Text {
			t.Errorf("the fact %s is %q, the check says %q", fact, all["border.js.fact."+fact], w.Text)
		}
	}
}

// TestFaultsAreSaid: what the check refuses while it gets newer data is said in
// words, not by its code.
func TestFaultsAreSaid(t *testing.T) {
	b, err := os.ReadFile("messages/en.json")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]any
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{check.ErrBundle, check.ErrNoBundle, check.ErrClock, post.ErrRollback} {
		if code := fault.As(err).Code; all["border.js.fault."+code] == nil {
			t.Errorf("no words for %s", code)
		}
	}
	worker, err := os.ReadFile("static/worker.js")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`refuse\('([a-z-]+)'`).FindAllStringSubmatch(string(worker), -1) {
		if all["border.js.fault."+m[1]] == nil && m[1] != "check-missing" { // as any that stops the page from working
			t.Errorf("no words for %s", m[1])
		}
	}
}

func cutFact(code string) (string, bool) {
	const before = check.CodeFactsMissing + "."
	if len(code) > len(before) && code[:len(before)] == before {
		return code[len(before):], true
	}
	return "", false
}
