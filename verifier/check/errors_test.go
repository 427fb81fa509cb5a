package check

import (
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the officer codes into docs/ERRORS.md")

const (
	errorsPage = "../../docs/ERRORS.md"
	pageStart  = "<!-- officer codes: start -->\n"
	pageEnd    = "<!-- officer codes: end -->\n"
)

// officerTable is the part of docs/ERRORS.md that is made from the rules.
func officerTable() string {
	var b strings.Builder
	b.WriteString("| code | colour | when | what the officer reads | next step |\n|---|---|---|---|---|\n")
	for _, r := range Rules() {
		b.WriteString("| `" + r.Code + "` | " + r.Colour.String() + " | " + r.When + " | " + r.Text + " | " + r.Next + " |\n")
	}
	return b.String()
}

// TestErrorsPage fails when a code is missing from the page, is there without
// a rule, or is described otherwise. After a change of the rules, run
// go test ./verifier/check -run ErrorsPage -update.
func TestErrorsPage(t *testing.T) {
	page, err := os.ReadFile(errorsPage)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(page), pageStart)
	table, after, ok2 := strings.Cut(rest, pageEnd)
	if !ok || !ok2 {
		t.Fatal("docs/ERRORS.md has lost its marks")
	}
	if table == officerTable() {
		return
	}
	if *update {
		if err := os.WriteFile(errorsPage, []byte(before+pageStart+officerTable()+pageEnd+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	have := strings.Split(table, "\n")
	for i, want := range strings.Split(officerTable(), "\n") {
		if i >= len(have) || have[i] != want {
			t.Fatalf("docs/ERRORS.md, officer codes, line %d should read\n%s", i+1, want)
		}
	}
	t.Fatal("docs/ERRORS.md has officer codes that no rule gives")
}
