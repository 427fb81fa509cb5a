package kinpass_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
)

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// each calls f for every Go file of the project.
func eachGoFile(t *testing.T, f func(name string, file *ast.File)) {
	t.Helper()
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && strings.HasPrefix(d.Name(), ".") && name != "." {
			return fs.SkipDir
		}
		if filepath.Ext(name) != ".go" {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			return err
		}
		f(name, file)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestThreatsNameTheirProof: every test and script that docs/THREATS.md names
// exists, and every threat names at least one.
func TestThreatsNameTheirProof(t *testing.T) {
	tests := map[string]bool{}
	eachGoFile(t, func(_ string, file *ast.File) {
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && strings.HasPrefix(f.Name.Name, "Test") {
				tests[f.Name.Name] = true
			}
		}
	})
	doc := read(t, "docs/THREATS.md")
	for _, name := range regexp.MustCompile("`(Test[A-Za-z0-9]+)`").FindAllStringSubmatch(doc, -1) {
		if !tests[name[1]] {
			t.Errorf("there is no %s", name[1])
		}
	}
	for _, name := range regexp.MustCompile("script `([a-z_]+)`").FindAllStringSubmatch(doc, -1) {
		if _, err := os.Stat(filepath.Join("cmd/internal/cli/testdata/script", name[1]+".txtar")); err != nil {
			t.Errorf("there is no script %s", name[1])
		}
	}
	threats := 0
	for _, line := range strings.Split(doc, "\n") {
		if regexp.MustCompile(`^\| T[0-9]+ \|`).MatchString(line) {
			threats++
			if !strings.Contains(line, "`Test") && !strings.Contains(line, "script `") {
				t.Errorf("no proof: %s", line)
			}
		}
	}
	if threats < 15 {
		t.Errorf("only %d threats", threats)
	}
}

// TestDocsNameFilesThatExist: paths in backticks and links lead somewhere.
func TestDocsNameFilesThatExist(t *testing.T) {
	docs, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob("docs/decisions/*.md")
	if err != nil {
		t.Fatal(err)
	}
	link := regexp.MustCompile(`\]\(([^)#:]+)\)`)
	path := regexp.MustCompile("`((?:issuer|wallet|verifier|internal|api|cmd|migrations|web|docs)/[a-zA-Z0-9_./*-]+)`")
	for _, name := range append(append(docs, more...), "README.md", "SECURITY.md", "CONTRIBUTING.md") {
		text := read(t, name)
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(name), m[1])); err != nil {
				t.Errorf("%s: the link %s leads nowhere", name, m[1])
			}
		}
		for _, m := range path.FindAllStringSubmatch(text, -1) {
			if found, err := filepath.Glob(m[1]); err != nil || len(found) == 0 {
				t.Errorf("%s: there is no %s", name, m[1])
			}
		}
	}
}

// TestDependenciesHaveAReason: every direct dependency is named in a decision.
func TestDependenciesHaveAReason(t *testing.T) {
	var reasons strings.Builder
	files, err := filepath.Glob("docs/decisions/*.md")
	if err != nil || len(files) == 0 {
		t.Fatal("no decisions", err)
	}
	for _, f := range files {
		reasons.WriteString(read(t, f))
	}
	direct := 0
	for _, line := range strings.Split(read(t, "go.mod"), "\n") {
		f := strings.Fields(strings.TrimPrefix(line, "require "))
		if len(f) < 2 || !strings.HasPrefix(f[1], "v") || strings.HasSuffix(line, "// indirect") {
			continue
		}
		direct++
		if !strings.Contains(reasons.String(), f[0]) {
			t.Errorf("no decision says why %s is used", f[0])
		}
	}
	if direct < 10 {
		t.Errorf("only %d direct dependencies were found", direct)
	}
}

// TestEveryFaultIsDocumented compares the codes in the source with the table
// in docs/ERRORS.md, both ways. UPDATE_DOCS=1 writes the table anew.
func TestEveryFaultIsDocumented(t *testing.T) {
	type entry struct{ kind, detail string }
	found := map[string]entry{}
	eachGoFile(t, func(name string, file *ast.File) {
		if strings.HasSuffix(name, "_test.go") || strings.Contains(name, "storetest") || strings.Contains(name, "servetest") {
			return
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) != 3 {
				return true
			}
			fn, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || fn.Sel.Name != "New" {
				return true
			}
			if x, ok := fn.X.(*ast.Ident); !ok || x.Name != "fault" {
				return true
			}
			kind, ok := call.Args[0].(*ast.SelectorExpr)
			code, ok2 := call.Args[1].(*ast.BasicLit)
			if !ok || !ok2 {
				return true
			}
			c, err := strconv.Unquote(code.Value)
			if err != nil {
				t.Fatal(err)
			}
			detail := ""
			if lit, ok := call.Args[2].(*ast.BasicLit); ok {
				detail, _ = strconv.Unquote(lit.Value)
			}
			if old, ok := found[c]; !ok || old.detail == "" {
				found[c] = entry{kind.Sel.Name, detail}
			}
			return true
		})
	})
	status := map[string]string{"Internal": "500", "Invalid": "400", "Unauthenticated": "401", "Forbidden": "403", "NotFound": "404", "Conflict": "409",
		"TooLarge": "413", "Unsupported": "415", "Unprocessable": "422", "RateLimited": "429", "Unavailable": "503"}
	var codes []string
	for c := range found {
		codes = append(codes, c)
	}
	sort.Strings(codes)
	var table strings.Builder
	table.WriteString("| code | status | what it says |\n|---|---|---|\n")
	for _, c := range codes {
		table.WriteString("| `" + c + "` | " + status[found[c].kind] + " | " + found[c].detail + " |\n")
	}
	const begin, end = "<!-- faults: begin -->\n", "<!-- faults: end -->"
	doc := read(t, "docs/ERRORS.md")
	i, j := strings.Index(doc, begin), strings.Index(doc, end)
	if i < 0 || j < i {
		t.Fatal("docs/ERRORS.md lacks the markers of the table of faults")
	}
	if doc[i+len(begin):j] == table.String() {
		return
	}
	if os.Getenv("UPDATE_DOCS") == "1" {
		if err := os.WriteFile("docs/ERRORS.md", []byte(doc[:i+len(begin)]+table.String()+doc[j:]), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	old := strings.Split(doc[i:j], "\n")
	for _, line := range strings.Split(table.String(), "\n") {
		if !slices.Contains(old, line) {
			t.Errorf("missing or changed: %s", line)
		}
	}
	t.Error("the table of faults in docs/ERRORS.md is not that of the source; write it with: UPDATE_DOCS=1 go test -run TestEveryFaultIsDocumented .")
}
