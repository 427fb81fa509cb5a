package cli

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kinpass/kinpass/internal/account"
	"github.com/kinpass/kinpass/verifier/check"
	"github.com/kinpass/kinpass/web"
	"github.com/kinpass/kinpass/web/border"
	start "github.com/kinpass/kinpass/web/demo"
)

// TestServeHasNoDevelopmentSignIn: a service that is run for real, even on
// loopback and with the data of a demonstration, signs nobody in without a
// passkey, and who came in at the demonstration is out.
func TestServeHasNoDevelopmentSignIn(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	log := slog.New(slog.DiscardHandler)
	h := &home{dir: t.TempDir()}
	d, err := h.startDemo(ctx, "127.0.0.1:0", log)
	if err != nil {
		t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	ask := func(method, address string, values url.Values) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(values.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Accept", "text/html")
		res, err := browser.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(b)
	}
	come := url.Values{"person": {"rosa"}, "start": {d.secret}}
	if status, _ := ask("POST", d.issuer.base+"/app/demonstration", come); status != http.StatusSeeOther {
		t.Fatalf("the demonstration lets nobody in: %d", status)
	}
	if status, page := ask("GET", d.issuer.base+"/app/account", nil); status != http.StatusOK || !strings.Contains(page, "Rosa Amoah") {
		t.Fatalf("%d %s", status, page)
	}
	base := d.issuer.base
	d.stop()

	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	r, err := h.start(ctx, issuerRole, options{listen: "127.0.0.1:" + u.Port(), alg: "EdDSA", loopback: true, log: log}) // what "kinpass serve issuer" does
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.stop(); <-r.done })
	if status, _ := ask("GET", base+"/app/", nil); status != http.StatusSeeOther {
		t.Errorf("who came in at the demonstration is in: %d", status)
	}
	if status, page := ask("GET", base+"/app/sign-in", nil); status != http.StatusOK || strings.Contains(page, "demonstration") {
		t.Errorf("the sign-in page offers a demonstration: %d", status)
	}
	if status, _ := ask("POST", base+"/app/demonstration", come); status != http.StatusNotFound {
		t.Errorf("there is a development sign-in: %d", status)
	}
	if _, err := r.accounts.Demonstrate(ctx, account.Guest{Role: "registrar", Name: "Rosa Amoah"}, "x"); err == nil {
		t.Error("somebody was signed in without a passkey")
	}
}

// TestOnlyTheDemonstrationSetsItUp: nothing else in the command line makes
// options with the development sign-in, and no flag does.
func TestOnlyTheDemonstrationSetsItUp(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var setBy []string
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, text, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			ast.Inspect(f, func(n ast.Node) bool {
				switch x := n.(type) {
				case *ast.KeyValueExpr:
					if k, ok := x.Key.(*ast.Ident); ok && (k.Name == "development" || k.Name == "Development") {
						setBy = append(setBy, f.Name.Name)
					}
				case *ast.AssignStmt:
					for _, l := range x.Lhs {
						if s, ok := l.(*ast.SelectorExpr); ok && (s.Sel.Name == "development" || s.Sel.Name == "Development") {
							setBy = append(setBy, f.Name.Name)
						}
					}
				}
				return true
			})
		}
	}
	slices.Sort(setBy)
	// pages hands on what open made.
	if want := []string{"open", "pages"}; !slices.Equal(setBy, want) {
		t.Errorf("the development sign-in is set up by %v, not %v alone", setBy, want)
	}
	// And not on an address that other machines reach.
	o := options{listen: "0.0.0.0:0", public: "http://localhost:1", alg: "EdDSA", log: slog.New(slog.DiscardHandler)}
	o.development = (&demo{secret: "x"}).development(issuerRole)
	if r, err := (&home{dir: t.TempDir()}).start(t.Context(), issuerRole, o); err == nil {
		r.stop()
		t.Error("a demonstration listens to other machines")
	}
}

// TestStoriesSpeakTheVisitorsLanguage: every reason and every next step of the
// check is said in the language of who watches a story.
func TestStoriesSpeakTheVisitorsLanguage(t *testing.T) {
	site, err := web.New(start.Role, "http://localhost:8083", start.App, border.App)
	if err != nil {
		t.Fatal(err)
	}
	words := wordsOf(site)
	for _, lang := range web.Languages {
		r := httptest.NewRequest("GET", "/app/", nil)
		r.Header.Set("Accept-Language", lang)
		for code, w := range words(r) {
			english := check.Texts()[code]
			if same := w == english; same != (lang == "en") && !strings.Contains(code, ".") || lang != "en" && english.Next != "" && w.Next == english.Next {
				t.Errorf("%s says %s as %v", lang, code, w)
			}
		}
	}
}

// TestTownspeopleAreWhoTheServicesKnow: each has a role of the service that they
// use and a name of their own.
func TestTownspeopleAreWhoTheServicesKnow(t *testing.T) {
	seen := map[string]bool{}
	for _, n := range townspeople {
		if !slices.Contains(append([]string{account.RoleAdministrator}, tokenRoles[n.at]...), n.Guest.Role) {
			t.Errorf("%s has no role %s", n.at, n.Guest.Role)
		}
		if seen[n.Key] || seen[n.Name] {
			t.Errorf("%s is there twice", n.Key)
		}
		seen[n.Key], seen[n.Name] = true, true
	}
}
