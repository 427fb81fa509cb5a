package kinpass_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/kinpass/kinpass"

// allowed says which packages of this module each package may import: arrows
// point down only. A package that is not in the table has no place in the
// architecture yet (docs/ARCHITECTURE.md).
var allowed = map[string][]string{
	"internal/fault": {},

	"internal/did":    {"internal/fault"},
	"internal/icao":   {"internal/fault"},
	"internal/keys":   {"internal/fault"},
	"internal/qr":     {"internal/fault"},
	"internal/rdf":    {"internal/fault"},
	"internal/status": {"internal/fault"},
	"internal/tlog":   {"internal/fault"},

	"internal/vc":     {"internal/fault", "internal/did", "internal/icao", "internal/keys", "internal/qr", "internal/rdf", "internal/status", "internal/tlog"},
	"internal/trust":  {"internal/fault", "internal/did", "internal/keys", "internal/tlog", "internal/vc"},
	"internal/policy": {"internal/fault", "internal/vc"},
	"internal/bundle": {"internal/fault", "internal/keys", "internal/status", "internal/vc"},
	"internal/stage":  {"internal/fault", "internal/did", "internal/keys", "internal/policy", "internal/qr", "internal/status", "internal/trust", "internal/vc", "verifier/check"},
	"verifier/check":  {"internal/bundle", "internal/policy", "internal/fault", "internal/did", "internal/icao", "internal/keys", "internal/qr", "internal/rdf", "internal/status", "internal/tlog", "internal/vc"},

	"verifier/post":   {"internal/bundle", "internal/fault", "internal/vc", "verifier/check"},
	"web/border/wasm": {"verifier/check", "verifier/post"},

	"internal/mirror":          {"internal/bundle", "internal/fault", "internal/vc"},
	"internal/audit":           {"internal/fault", "internal/outbound", "internal/status", "internal/tlog", "internal/trust", "internal/vc"},
	"internal/didweb":          {"internal/fault", "internal/did", "internal/outbound"},
	"internal/outbound":        {"internal/fault"},
	"internal/legacy":          {"internal/fault", "internal/did", "internal/rdf", "internal/vc"},
	"internal/legacy/aries":    {"internal/rdf"},
	"internal/serve":           {"api", "internal/fault"},
	"internal/serve/servetest": {"api", "internal/serve"},
	"internal/vectest":         {},
	"internal/witness":         {"internal/fault", "internal/store", "internal/tlog"},
	"internal/store":           {"internal/fault", "migrations"},
	"internal/store/storetest": {"internal/store", "migrations"},
	"api":                      {},
	"migrations":               {},
	"web":                      {"internal/fault", "internal/icao"},
	"web/webtest":              {},
	"web/scan":                 {"web"},
	"web/registrar":            app("issuer"),
	"web/guardian":             app("wallet"),
	"web/border":               app("verifier", "verifier/check"),
	"web/reference":            {"api", "web", "internal/account", "internal/serve"},
	"web/demo":                 {"web", "internal/fault", "internal/qr", "internal/serve", "internal/store", "verifier/check"},
	"internal/account":         {"internal/fault", "internal/qr", "internal/serve", "internal/store", "web"},

	"issuer":   role("internal/icao", "internal/tlog", "internal/trust", "internal/witness"),
	"wallet":   role("internal/icao", "internal/legacy", "internal/tlog"),
	"verifier": role("internal/bundle", "internal/mirror", "internal/policy", "internal/tlog", "internal/trust", "verifier/check", "verifier/post"),
}

// role gives what every role may import, and what only this one may.
func role(more ...string) []string {
	return append([]string{"api", "web", "internal/account", "internal/did", "internal/didweb", "internal/fault", "internal/keys", "internal/outbound", "internal/qr",
		"internal/serve", "internal/status", "internal/store", "internal/vc"}, more...)
}

// app gives what the pages of a role may import: the role, and what every app
// may.
func app(more ...string) []string {
	return append([]string{"web", "web/scan", "internal/account", "internal/fault", "internal/icao", "internal/qr", "internal/serve", "internal/vc"}, more...)
}

// pure packages decide, parse and sign; what they import must not reach
// outside the process.
var pure = []string{"internal/fault", "internal/did", "internal/icao", "internal/keys", "internal/qr", "internal/rdf", "internal/status",
	"internal/tlog", "internal/vc", "internal/bundle", "internal/trust", "internal/policy", "verifier/check", "verifier/post"}

var outside = []string{"net", "net/http", "os", "os/exec", "syscall", "database/sql", "plugin", "unsafe"}

// in is one import of one file.
type in struct {
	dir, file string // package path below the module, file name
	test      bool
	target    string
}

func TestImports(t *testing.T) {
	var imports []in
	dirs := map[string]bool{}
	walk(t, func(dir, name string, f *ast.File) {
		test := strings.HasSuffix(name, "_test.go")
		if !test {
			dirs[dir] = true
		}
		for _, s := range f.Imports {
			p, err := strconv.Unquote(s.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			imports = append(imports, in{dir, name, test, p})
		}
	})
	if len(dirs) < 10 || !dirs["verifier/check"] {
		t.Fatalf("the tree was not found: %d packages", len(dirs))
	}
	for d := range dirs {
		if _, ok := allowed[d]; !ok && !within(d, "cmd") {
			t.Errorf("%s has no place in the table of allowed imports", d)
		}
	}
	for _, i := range imports {
		for _, broken := range i.broken() {
			t.Errorf("%s/%s imports %s: %s", i.dir, i.file, i.target, broken)
		}
	}
}

// broken lists the rules that an import breaks. Tests may import what helps
// them, but for what keeps the roles apart.
func (i in) broken() []string {
	var out []string
	own, ours := strings.CutPrefix(i.target, module+"/")
	if ours && isRole(i.dir) && isRole(own) && top(i.dir) != top(own) {
		out = append(out, "roles never import each other")
	}
	if strings.HasPrefix(i.target, "github.com/hyperledger/") && !within(i.dir, "internal/legacy") {
		out = append(out, "aries is for internal/legacy only")
	}
	if own == "internal/legacy" && i.dir != "wallet" {
		out = append(out, "legacy credentials are the wallet's business only")
	}
	// The library comes in where a program with a wallet is put together.
	if own == "internal/legacy/aries" && !slices.Contains([]string{"cmd/kinpass", "cmd/wallet"}, i.dir) &&
		!(i.test && slices.Contains([]string{"internal/legacy", "wallet", "cmd/internal/cli"}, i.dir)) {
		out = append(out, "aries is linked by programs that hold a wallet only")
	}
	if i.test || within(i.dir, "cmd") {
		return out
	}
	if ours && !slices.Contains(allowed[i.dir], own) {
		out = append(out, "not in the table of allowed imports")
	}
	if slices.Contains(pure, i.dir) && slices.Contains(outside, i.target) {
		out = append(out, "a pure package does not reach outside the process")
	}
	if i.dir == "api" && strings.Contains(top(i.target), ".") {
		out = append(out, "api imports the standard library only")
	}
	inRole := i.dir == "issuer" || i.dir == "wallet" || i.dir == "verifier"
	if strings.HasPrefix(i.target, "github.com/labstack/") && !within(i.dir, "internal/serve") &&
		!isApp(i.dir) && !((inRole || i.dir == "internal/account") && slices.Contains([]string{"http.go", "openid.go", "vcapi.go"}, i.file)) {
		out = append(out, "echo is for internal/serve, the pages in web/, and http.go, openid.go and vcapi.go of the roles and of internal/account")
	}
	for _, p := range []string{"database/sql", "github.com/jackc/", "modernc.org/sqlite", "github.com/pressly/goose"} {
		if (i.target == p || strings.HasPrefix(i.target, p)) && !within(i.dir, "internal/store") &&
			!((inRole || i.dir == "internal/account") && p == "database/sql" && strings.HasPrefix(i.file, "store")) {
			out = append(out, "SQL is for internal/store, and the store files of the roles and of internal/account")
		}
	}
	return out
}

// The table is of use only if it refuses something.
func TestImportRulesRefuse(t *testing.T) {
	for _, i := range []in{
		{"issuer", "issue.go", false, module + "/wallet"},
		{"issuer", "issue_test.go", true, module + "/verifier/check"},
		{"verifier/check", "check.go", false, "os"},
		{"verifier/check", "check.go", false, "net/http"},
		{"verifier/check", "check.go", false, module + "/internal/didweb"},
		{"internal/vc", "vc.go", false, "database/sql"},
		{"internal/did", "did.go", false, module + "/internal/vc"},
		{"internal/fault", "fault.go", false, module + "/api"},
		{"api", "client.go", false, "github.com/google/uuid"},
		{"api", "client.go", false, module + "/internal/fault"},
		{"issuer", "issue.go", false, "github.com/labstack/echo/v4"},
		{"issuer", "issue.go", false, "database/sql"},
		{"issuer", "store.go", false, "github.com/jackc/pgx/v5"},
		{"internal/serve", "serve.go", false, module + "/internal/store"},
		{"verifier", "bundle.go", false, "github.com/hyperledger/aries-framework-go/pkg/doc/verifiable"},
		{"verifier", "bundle_test.go", true, "github.com/hyperledger/aries-framework-go/pkg/doc/verifiable"},
		{"issuer", "issue.go", false, module + "/internal/legacy"},
		{"cmd/issuer", "main.go", false, module + "/internal/legacy/aries"},
		{"cmd/internal/cli", "services.go", false, module + "/internal/legacy/aries"},
		{"wallet", "legacy.go", false, module + "/internal/legacy/aries"},
		{"internal/unknown", "x.go", false, module + "/internal/fault"},
		{"internal/account", "account.go", false, "database/sql"},
		{"internal/account", "pages.go", false, "github.com/labstack/echo/v4"},
		{"internal/account", "http.go", false, module + "/issuer"},
		{"internal/serve", "serve.go", false, module + "/internal/account"},
		{"web", "web.go", false, "github.com/labstack/echo/v4"},
		{"web/registrar", "desk.go", false, module + "/wallet"},
		{"issuer", "http.go", false, module + "/web/registrar"},
		{"web/registrar", "desk.go", false, "database/sql"},
	} {
		if len(i.broken()) == 0 {
			t.Errorf("%s/%s may import %s", i.dir, i.file, i.target)
		}
	}
	for _, i := range []in{
		{"issuer", "http.go", false, "github.com/labstack/echo/v4"},
		{"issuer", "store_queue.go", false, "database/sql"},
		{"web/registrar", "desk.go", false, "github.com/labstack/echo/v4"},
		{"web/registrar", "desk.go", false, module + "/issuer"},
		{"internal/account", "store.go", false, "database/sql"},
		{"internal/account", "http.go", false, "github.com/labstack/echo/v4"},
		{"verifier", "verifier.go", false, module + "/verifier/check"},
		{"cmd/internal/cli", "demo.go", false, module + "/wallet"},
		{"internal/legacy/aries", "aries.go", false, "github.com/hyperledger/aries-framework-go/pkg/doc/verifiable"},
		{"cmd/wallet", "main.go", false, module + "/internal/legacy/aries"},
		{"wallet", "accept.go", false, module + "/internal/legacy"},
	} {
		if b := i.broken(); len(b) != 0 {
			t.Errorf("%s/%s may not import %s: %v", i.dir, i.file, i.target, b)
		}
	}
}

// TestAriesStaysOut: no binary of another role links aries, by whatever way.
func TestAriesStaysOut(t *testing.T) {
	uses := map[string][]string{}
	walk(t, func(dir, name string, f *ast.File) {
		if strings.HasSuffix(name, "_test.go") {
			return
		}
		for _, s := range f.Imports {
			p, err := strconv.Unquote(s.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			uses[dir] = append(uses[dir], strings.TrimPrefix(p, module+"/"))
		}
	})
	reaches := func(from string) bool {
		seen, next := map[string]bool{}, []string{from}
		for len(next) > 0 {
			p := next[0]
			next = next[1:]
			if strings.HasPrefix(p, "github.com/hyperledger/") {
				return true
			}
			if !seen[p] {
				seen[p] = true
				next = append(next, uses[p]...)
			}
		}
		return false
	}
	for _, dir := range []string{"cmd/issuer", "cmd/verifier", "issuer", "verifier", "verifier/check", "internal/vc", "cmd/internal/cli", "wallet"} {
		switch {
		case len(uses[dir]) == 0:
			t.Errorf("%s was not found", dir)
		case reaches(dir):
			t.Errorf("%s links aries-framework-go", dir)
		}
	}
	if !reaches("internal/legacy/aries") {
		t.Error("the way to aries was not found where it is")
	}
}

// Every package says in its first sentence what it is for.
func TestPackageComments(t *testing.T) {
	comments := map[string][]string{}
	names := map[string]string{}
	walk(t, func(dir, name string, f *ast.File) {
		if strings.HasSuffix(name, "_test.go") {
			return
		}
		names[dir] = f.Name.Name
		if f.Doc != nil {
			comments[dir] = append(comments[dir], f.Doc.Text())
		}
	})
	for dir, name := range names {
		want := "Package " + name + " "
		if name == "main" {
			want = "Command " + path.Base(dir) + " "
		}
		switch c := comments[dir]; {
		case len(c) == 0:
			t.Errorf("%s has no package comment", dir)
		case len(c) > 1:
			t.Errorf("%s has %d package comments", dir, len(c))
		default:
			first, _, _ := strings.Cut(strings.ReplaceAll(c[0], "\n", " "), ". ")
			if !strings.HasPrefix(first, want) || len(strings.Fields(first)) < 6 {
				t.Errorf("%s: the package comment must begin with %q and say what it is for", dir, want)
			}
		}
	}
}

// walk parses the imports and comments of every Go file of the module.
func walk(t *testing.T, f func(dir, name string, file *ast.File)) {
	t.Helper()
	set := token.NewFileSet()
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if n := d.Name(); p != "." && (strings.HasPrefix(n, ".") || strings.HasPrefix(n, "_") || n == "testdata" || n == "node_modules") {
				return filepath.SkipDir
			}
			return nil
		}
		dir := filepath.ToSlash(filepath.Dir(p))
		if !strings.HasSuffix(p, ".go") || dir == "." {
			return nil
		}
		file, err := parser.ParseFile(set, p, nil, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		f(dir, d.Name(), file)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func isRole(p string) bool { t := top(p); return t == "issuer" || t == "wallet" || t == "verifier" }

func top(p string) string { t, _, _ := strings.Cut(p, "/"); return t }

func within(p, dir string) bool { return p == dir || strings.HasPrefix(p, dir+"/") }

// TestFewParameters: no function of the product has more than five.
func TestFewParameters(t *testing.T) {
	eachGoFile(t, func(name string, file *ast.File) {
		if strings.HasSuffix(name, "_test.go") {
			return
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			n := 0
			for _, p := range f.Type.Params.List {
				n += max(1, len(p.Names))
			}
			if n > 5 {
				t.Errorf("%s: %s has %d parameters", name, f.Name.Name, n)
			}
		}
	})
}

// isApp says whether a package is the pages of a role.
func isApp(dir string) bool {
	return slices.Contains([]string{"web/registrar", "web/guardian", "web/border", "web/demo", "web/reference"}, dir)
}
