package kinpass_test

import (
	"go/ast"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// particular is SQL that engines which speak PostgreSQL do not all have, or have
// otherwise.
var particular = regexp.MustCompile(`(?i)\b(create\s+(or\s+replace\s+)?(trigger|function|procedure|rule|extension|sequence)|nextval|currval|lastval|listen\s|notify\s|skip\s+locked|for\s+(no\s+key\s+)?update|for\s+(key\s+)?share|lock\s+table|pg_\w*lock\w*|deferrable|isolation\s+level|jsonb?\b|array\[|unnest|lateral|with\s+recursive|tablesample|hashtext|now\(\)|current_timestamp|materialized|inherits|partition\s+by)`)

// TestSQLIsPlain: what docs/SCALE.md says of our SQL, for those who would run it on
// another engine.
func TestSQLIsPlain(t *testing.T) {
	sql := map[string][]string{} // by file
	migrations, err := filepath.Glob("migrations/postgres/*/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range migrations {
		for line := range strings.Lines(read(t, name)) {
			code, _, _ := strings.Cut(line, "--")
			sql[name] = append(sql[name], code)
		}
	}
	texts := 0
	eachGoFile(t, func(name string, file *ast.File) {
		if !strings.HasPrefix(filepath.Base(name), "store") || strings.HasSuffix(name, "_test.go") || strings.Contains(name, "storetest") {
			return
		}
		tags := map[*ast.BasicLit]bool{} // of structs: no SQL
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ImportSpec:
				return false
			case *ast.SelectorExpr: // sql.LevelSerializable
				if strings.HasPrefix(n.Sel.Name, "Level") {
					sql[name] = append(sql[name], "isolation level "+n.Sel.Name)
				}
			case *ast.Field:
				tags[n.Tag] = true
			case *ast.BasicLit:
				if n.Kind == token.STRING && !tags[n] {
					sql[name] = append(sql[name], n.Value)
					texts++
				}
			}
			return true
		})
	})
	if len(migrations) < 30 || texts < 300 {
		t.Fatalf("only %d migrations and %d texts were found", len(migrations), texts)
	}
	for name, all := range sql {
		for _, text := range all {
			if found := particular.FindString(text); found != "" {
				t.Errorf("%s: %q is not plain: docs/SCALE.md has to say what becomes of it on other engines", name, found)
			}
		}
	}
	for _, bad := range []string{"CREATE TRIGGER x", "SELECT pg_advisory_lock(1)", "SELECT 1 FOR UPDATE", "SELECT now()"} {
		if !particular.MatchString(bad) {
			t.Errorf("%s is taken for plain", bad)
		}
	}
	if got, want := bothAtOnce(t, migrations), []string{"issuer 00009", "issuer 00021"}; !slices.Equal(got, want) {
		t.Errorf("a column and a partial index over it are in one migration in %v; docs/SCALE.md says %v", got, want)
	}
}

// bothAtOnce lists the migrations that add a column and a partial index over it.
func bothAtOnce(t *testing.T, migrations []string) (out []string) {
	column := regexp.MustCompile(`ADD COLUMN (\w+)`)
	partial := regexp.MustCompile(`CREATE (?:UNIQUE )?INDEX[^;]* WHERE ([^;]*);`)
	for _, name := range migrations {
		text := read(t, name)
		for _, index := range partial.FindAllStringSubmatch(text, -1) {
			for _, c := range column.FindAllStringSubmatch(text, -1) {
				if regexp.MustCompile(`\b` + c[1] + `\b`).MatchString(index[1]) {
					out = append(out, filepath.Base(filepath.Dir(name))+" "+filepath.Base(name)[:5])
				}
			}
		}
	}
	return slices.Compact(out)
}
