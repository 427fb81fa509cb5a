package kinpass_test

import (
	"go/ast"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// vc.Policy.ProofOnly and LegacyJWT answer what the W3C's suites ask and
// nothing that a border may ask: only conformance instances set them.
func TestOnlyConformanceVerifiesProofsAlone(t *testing.T) {
	named := func(e ast.Expr) bool {
		switch x := e.(type) {
		case *ast.Ident:
			return x.Name == "ProofOnly" || x.Name == "LegacyJWT"
		case *ast.SelectorExpr:
			return x.Sel.Name == "ProofOnly" || x.Sel.Name == "LegacyJWT"
		}
		return false
	}
	seen := 0
	eachGoFile(t, func(name string, file *ast.File) {
		name = filepath.ToSlash(name)
		inside := strings.HasPrefix(name, "internal/vc/") || strings.HasPrefix(name, "cmd/internal/conformance/")
		ast.Inspect(file, func(n ast.Node) bool {
			bad := false
			switch x := n.(type) {
			case *ast.KeyValueExpr:
				bad = named(x.Key)
			case *ast.AssignStmt:
				for _, e := range x.Lhs {
					bad = bad || named(e)
				}
			case *ast.UnaryExpr: // a pointer to it
				bad = x.Op == token.AND && named(x.X)
			case *ast.CompositeLit:
				// Without names of its fields, a policy would set them unseen.
				if sel, ok := x.Type.(*ast.SelectorExpr); ok && sel.Sel.Name == "Policy" && len(x.Elts) > 0 {
					if pkg, ok := sel.X.(*ast.Ident); ok && pkg.Name == "vc" {
						_, keyed := x.Elts[0].(*ast.KeyValueExpr)
						bad = !keyed
					}
				}
			}
			if bad {
				seen++
				if !inside && !strings.HasSuffix(name, "_test.go") {
					t.Errorf("%s sets ProofOnly or LegacyJWT", name)
				}
			}
			return true
		})
	})
	if seen == 0 {
		t.Error("nobody sets them: the test looks for something that is not there")
	}
}
