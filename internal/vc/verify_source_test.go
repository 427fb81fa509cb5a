package vc

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
)

// sourceFuncs are the functions of a package, by name; methods of different
// types that share a name are all of that name.
type sourceFuncs struct {
	fset   *token.FileSet
	funcs  []*ast.FuncDecl
	reach  map[string]bool // names of functions that come to checkSignature
	faults []string
}

// unverified are the types of what was taken apart and not verified: functions
// named Open that give one of these promise nothing.
var unverified = []string{"JWS", "COSE", "SDJWT"}

func readSource(t testing.TB, fset *token.FileSet, files map[string]string) *sourceFuncs {
	t.Helper()
	s := &sourceFuncs{fset: fset}
	for name, text := range files {
		var src any
		if text != "" {
			src = text
		}
		file, err := parser.ParseFile(fset, name, src, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if f, ok := n.(*ast.FuncDecl); ok && f.Body != nil {
				s.funcs = append(s.funcs, f)
			}
			s.primitives(n)
			return true
		})
	}
	s.close()
	return s
}

func (s *sourceFuncs) faultf(at ast.Node, format string, args ...any) {
	s.faults = append(s.faults, fmt.Sprintf("%s: %s", s.fset.Position(at.Pos()), fmt.Sprintf(format, args...)))
}

// primitives refuses every use of a signature primitive outside checkSignature.
func (s *sourceFuncs) primitives(n ast.Node) {
	sel, ok := n.(*ast.SelectorExpr)
	if !ok || !strings.HasPrefix(sel.Sel.Name, "Verify") {
		return
	}
	pkg, ok := sel.X.(*ast.Ident)
	if !ok || !slices.Contains([]string{"ed25519", "ecdsa", "rsa", "jws", "jwt", "secp256k1"}, pkg.Name) || pkg.Obj != nil {
		return
	}
	if file := s.fset.Position(n.Pos()).Filename; !strings.HasSuffix(file, "signature.go") {
		s.faultf(n, "%s.%s is used outside signature.go", pkg.Name, sel.Sel.Name)
	}
}

// mentions reports whether a node names one of the functions in the set.
func mentions(n ast.Node, set map[string]bool) bool {
	found := false
	ast.Inspect(n, func(n ast.Node) bool {
		switch x := n.(type) {
		case *ast.SelectorExpr:
			found = found || set[x.Sel.Name]
			ast.Inspect(x.X, func(n ast.Node) bool { found = found || n != nil && callOf(n, set); return true })
			return false
		case *ast.Ident:
			found = found || set[x.Name]
		}
		return !found
	})
	return found
}

func callOf(n ast.Node, set map[string]bool) bool {
	c, ok := n.(*ast.CallExpr)
	return ok && mentions(c.Fun, set)
}

// close finds all functions that come to checkSignature.
func (s *sourceFuncs) close() {
	s.reach = map[string]bool{"checkSignature": true}
	for grown := true; grown; {
		grown = false
		for _, f := range s.funcs {
			if !s.reach[f.Name.Name] && mentions(f.Body, s.reach) {
				s.reach[f.Name.Name], grown = true, true
			}
		}
	}
}

func resultTypes(f *ast.FuncDecl) []string {
	var out []string
	if f.Type.Results == nil {
		return nil
	}
	for _, r := range f.Type.Results.List {
		name := typeName(r.Type)
		for range max(1, len(r.Names)) {
			out = append(out, name)
		}
	}
	return out
}

func typeName(e ast.Expr) string {
	switch x := e.(type) {
	case *ast.StarExpr:
		return typeName(x.X)
	case *ast.Ident:
		return x.Name
	}
	return ""
}

// takes reports whether a function has a parameter or receiver of a type.
func takes(f *ast.FuncDecl, types ...string) bool {
	fields := slices.Clone(f.Type.Params.List)
	if f.Recv != nil {
		fields = append(fields, f.Recv.List...)
	}
	return slices.ContainsFunc(fields, func(p *ast.Field) bool { return slices.Contains(types, typeName(p.Type)) })
}

// check holds every exported function named Verify… or Open… to the rule: it
// comes to checkSignature, and before each return without an error stands a
// call that does. The same holds wherever a Verified, or the signed bytes that
// become one, is made out of nothing.
func (s *sourceFuncs) check() {
	for _, f := range s.funcs {
		name := f.Name.Name
		results := resultTypes(f)
		promises := ast.IsExported(name) && (strings.HasPrefix(name, "Verify") || strings.HasPrefix(name, "Open")) &&
			len(results) > 0 && !slices.Contains(unverified, results[0])
		if promises && !s.reach[name] {
			s.faultf(f, "%s never verifies a signature", name)
		}
		makes := false
		ast.Inspect(f.Body, func(n ast.Node) bool {
			if c, ok := n.(*ast.CompositeLit); ok {
				t := typeName(c.Type)
				if (t == "Verified" || t == "signed" || t == "SDJWTVC" || t == "Proof") && len(c.Elts) > 0 && !s.before(f, c.Pos()) && !takes(f, "signed", "Verified") && name != "enveloping" {
					s.faultf(c, "%s makes a %s before any signature was verified", name, t)
				}
				makes = makes || t == "Verified"
			}
			return true
		})
		gives := slices.ContainsFunc(results, func(t string) bool { return t == "Verified" || t == "signed" })
		if !promises && (!gives || takes(f, "signed", "Verified")) {
			continue
		}
		ast.Inspect(f.Body, func(n ast.Node) bool {
			switch x := n.(type) {
			case *ast.FuncLit:
				return false
			case *ast.ReturnStmt:
				if len(x.Results) != len(results) || len(results) == 0 {
					return true // passes on what a call gives
				}
				last, ok := x.Results[len(x.Results)-1].(*ast.Ident)
				if !ok || last.Name != "nil" || results[len(results)-1] != "error" {
					return true
				}
				if !s.before(f, x.Pos()) {
					s.faultf(x, "%s succeeds before any signature was verified", name)
				}
			}
			return true
		})
	}
}

// before reports whether a call that comes to checkSignature stands before a
// place in a function.
func (s *sourceFuncs) before(f *ast.FuncDecl, at token.Pos) bool {
	found := false
	ast.Inspect(f.Body, func(n ast.Node) bool {
		if c, ok := n.(*ast.CallExpr); ok && c.End() <= at {
			found = found || mentions(c, s.reach)
		}
		return !found
	})
	return found
}

// A function of this package that verifies cannot succeed without a signature
// that was verified.
func TestNothingVerifiesWithoutASignature(t *testing.T) {
	files := map[string]string{}
	entries, err := fs.ReadDir(os.DirFS("."), ".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".go") && !strings.HasSuffix(e.Name(), "_test.go") {
			files[e.Name()] = ""
		}
	}
	s := readSource(t, token.NewFileSet(), files)
	s.check()
	for _, f := range s.faults {
		t.Error(f)
	}
	var promises []string
	for _, f := range s.funcs {
		if n := f.Name.Name; ast.IsExported(n) && (strings.HasPrefix(n, "Verify") || strings.HasPrefix(n, "Open")) {
			if r := resultTypes(f); len(r) == 0 || !slices.Contains(unverified, r[0]) {
				promises = append(promises, n)
			}
		}
	}
	slices.Sort(promises)
	t.Logf("%d functions verify: %v", len(promises), promises)
	for _, want := range []string{"VerifyCredential", "VerifyPresentation", "VerifyProofs", "VerifyJWS", "VerifyCOSE", "VerifySDJWTVC", "OpenStatusList", "OpenTrustList"} {
		if !slices.Contains(promises, want) {
			t.Errorf("%s was not looked at", want)
		}
	}
}

// The test itself sees what it is there to see.
func TestUnverifiedPathsAreSeen(t *testing.T) {
	const base = `package vc
func checkSignature() bool { return true }
type Verified struct{ X int }
type signed struct{ x int }
type JWS struct{}
func (j *JWS) Verify() (int, error) { if !checkSignature() { return 0, errX }; return 1, nil }
`
	for name, c := range map[string]struct {
		body string
		want int
	}{
		"verifies":                  {`func VerifyThing() (int, error) { j := &JWS{}; n, err := j.Verify(); if err != nil { return 0, err }; return n, nil }`, 0},
		"passes on":                 {`func VerifyThing() (int, error) { return (&JWS{}).Verify() }`, 0},
		"takes apart":               {`func OpenThing() (*JWS, error) { return &JWS{}, nil }`, 0},
		"never":                     {`func VerifyThing() (int, error) { return 1, nil }`, 2},
		"never, by another name":    {`func OpenThing() (*Verified, error) { return nil, errX }`, 1},
		"early success":             {`func VerifyThing(ok bool) (int, error) { if ok { return 1, nil }; return (&JWS{}).Verify() }`, 1},
		"early success in a case":   {`func VerifyThing(k int) (int, error) { switch k { case 1: return (&JWS{}).Verify(); case 2: n, err := (&JWS{}).Verify(); return n, err; default: return 3, errX } }`, 0},
		"primitive":                 {`func VerifyThing() (bool, error) { return ed25519.Verify(nil, nil, nil), checkErr(checkSignature()) }`, 1},
		"makes without":             {`func f() (*Verified, error) { return &Verified{X: 1}, nil }`, 2},
		"makes from signed":         {`func f(s *signed) *Verified { return &Verified{X: s.x} }`, 0},
		"makes signed from nothing": {`func f() (*signed, error) { s := &signed{x: 1}; if !checkSignature() { return nil, errX }; return s, nil }`, 1},
		"method":                    {`func (j *JWS) VerifyAll() error { return nil }`, 2},
	} {
		s := readSource(t, token.NewFileSet(), map[string]string{"signature.go": base, "x.go": "package vc\n" + c.body})
		s.check()
		if len(s.faults) != c.want {
			t.Errorf("%s: %d faults, want %d: %v", name, len(s.faults), c.want, s.faults)
		}
	}
}
