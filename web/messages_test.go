package web

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

// apps are those whose folders lie beside this file.
func apps(t *testing.T) []App {
	t.Helper()
	out := []App{shared}
	found, err := filepath.Glob("*/messages")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		out = append(out, App{filepath.Dir(f), os.DirFS(filepath.Dir(f))})
	}
	return out
}

func all(t *testing.T) map[string]*Messages {
	t.Helper()
	list, err := readMessages(apps(t))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]*Messages{}
	for _, m := range list {
		out[m.Lang] = m
	}
	return out
}

func placeholders(s string) string {
	found := placeholder.FindAllString(s, -1)
	slices.Sort(found)
	return strings.Join(slices.Compact(found), " ")
}

// TestMessagesAreComplete: every language has every message of English and no
// other, with the same placeholders, and every plural category that its numbers
// need.
func TestMessagesAreComplete(t *testing.T) {
	m := all(t)
	en := m["en"]
	if len(en.Keys()) < 100 {
		t.Fatalf("only %d messages", len(en.Keys()))
	}
	english := en.Keys()
	for _, lang := range Languages {
		x := m[lang]
		keys := x.Keys()
		for _, k := range english {
			if _, ok := slices.BinarySearch(keys, k); !ok {
				t.Errorf("%s lacks %s", lang, k)
			}
		}
		for _, k := range keys {
			if _, ok := slices.BinarySearch(english, k); !ok {
				t.Errorf("%s has %s, which English lacks", lang, k)
			}
		}
		for k, text := range x.text {
			if strings.TrimSpace(text) != text || text == "" {
				t.Errorf("%s %s is empty or has space around it", lang, k)
			}
			if a, b := placeholders(en.text[k]), placeholders(text); a != b {
				t.Errorf("%s %s has the placeholders %q, English %q", lang, k, b, a)
			}
		}
		needed := map[string]bool{}
		for n := range 1000 {
			needed[x.category(n)] = true
		}
		for k, forms := range x.plural {
			for c := range needed {
				if forms[c] == "" {
					t.Errorf("%s %s lacks the form %q", lang, k, c)
				}
			}
			for c, text := range forms {
				if !needed[c] {
					t.Errorf("%s %s has the form %q, which no number takes", lang, k, c)
				}
				// A form for one number alone may spell it.
				if a, b := placeholders(en.plural[k]["other"]), placeholders(text); a != b && !slices.Contains([]string{"zero", "one", "two"}, c) {
					t.Errorf("%s %s (%s) has the placeholders %q, English %q", lang, k, c, b, a)
				}
			}
		}
	}
	if want := []string{"few", "many", "one", "other", "two", "zero"}; !slices.Equal(want, slices.Sorted(func(yield func(string) bool) {
		for k := range m["ar"].plural["people.open-count"] {
			if !yield(k) {
				return
			}
		}
	})) {
		t.Error("Arabic does not have its six forms")
	}
}

// scripts says in which script a language is written.
var scripts = map[string]*unicode.RangeTable{"ar": unicode.Arabic, "hi": unicode.Devanagari}

// TestMessagesAreTranslated: nothing was left in English, and what is written in
// another script is.
func TestMessagesAreTranslated(t *testing.T) {
	m := all(t)
	// Words that two languages share.
	same := map[string]bool{"error.prefix": true, "nav.menu": true, "notice.important": true, "date": true, "people.actions": true}
	for _, lang := range Languages[1:] {
		for k, text := range m[lang].text {
			if !strings.ContainsFunc(placeholder.ReplaceAllString(text, ""), unicode.IsLetter) {
				continue // it holds no words
			}
			if text == m["en"].text[k] && !same[k] {
				t.Errorf("%s %s is the English text", lang, k)
			}
			if script := scripts[lang]; script != nil && k != "date" && !strings.ContainsFunc(text, func(r rune) bool { return unicode.Is(script, r) }) {
				t.Errorf("%s %s is not written in its script", lang, k)
			}
		}
	}
}

func TestPlurals(t *testing.T) {
	m := all(t)
	for _, c := range []struct {
		lang string
		n    int
		want string
	}{
		{"en", 0, "0 invitations"}, {"en", 1, "1 invitation "}, {"en", 2, "2 invitations"},
		{"fr", 0, "0 invitation n"}, {"fr", 1, "1 invitation n"}, {"fr", 2, "2 invitations"},
		{"hi", 0, "0 निमंत्रण "}, {"hi", 2, "2 निमंत्रणों"},
		{"pt", 0, "0 convite "}, {"pt", 5, "5 convites"},
		{"sw", 1, "Mwaliko 1"}, {"sw", 3, "Mialiko 3"},
		{"ar", 0, "لا توجد دعوات"}, {"ar", 1, "دعوة واحدة"}, {"ar", 2, "دعوتان"}, {"ar", 3, "3 دعوات"}, {"ar", 11, "11 دعوة"}, {"ar", 100, "100 دعوة"}, {"ar", 103, "103 دعوات"},
	} {
		got, err := m[c.lang].Count("people.open-count", c.n)
		if err != nil || !strings.Contains(got, c.want) {
			t.Errorf("%s %d: %q, want %q (%v)", c.lang, c.n, got, c.want, err)
		}
	}
	if _, err := m["en"].Text("sign-in.organisation"); err == nil {
		t.Error("a text with a hole in it was given")
	}
	if _, err := m["en"].Text("no.such"); err == nil {
		t.Error("a text that there is not was given")
	}
	if s, err := m["en"].Text("sign-in.organisation", "name", "{name} & <b>"); err != nil || s != "Sign in with {name} & <b>" {
		t.Errorf("%q %v", s, err) // filled once, and escaped where it is shown
	}
}

func TestLanguageIsChosen(t *testing.T) {
	s, err := New("issuer", "http://localhost:8080")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ accept, cookie, want string }{
		{"", "", "en"}, {"fr", "", "fr"}, {"fr-CA,en;q=0.8", "", "fr"}, {"ar-EG", "", "ar"}, {"pt-BR", "", "pt"}, {"de, sw;q=0.5", "", "sw"},
		{"de", "", "en"}, {"es;q=0.1, hi;q=0.9", "", "hi"}, {"fr", "ar", "ar"}, {"fr", "xx", "fr"}, {"fr", "../fr", "fr"},
		{";;;", "", "en"}, {strings.Repeat("fr,", 500), "", "en"},
	} {
		r := httptest.NewRequest("GET", "/app/", nil)
		r.Header.Set("Accept-Language", c.accept)
		if c.cookie != "" {
			r.AddCookie(&http.Cookie{Name: languageCookie, Value: c.cookie})
		}
		if got := s.Language(r); got != c.want {
			t.Errorf("%q with cookie %q: %s, want %s", c.accept, c.cookie, got, c.want)
		}
	}
	for query, want := range map[string]bool{"?lang=ar": true, "?lang=xx": false, "?lang=": false, "": false} {
		w := httptest.NewRecorder()
		if got := s.Switch(w, httptest.NewRequest("GET", "/app/join"+query, nil)); got != want {
			t.Errorf("%q: %v", query, got)
		}
		if want && (w.Header().Get("Location") != "/app/join" || !strings.Contains(w.Header().Get("Set-Cookie"), "kinpass_language=ar")) {
			t.Errorf("%q: %v", query, w.Header())
		}
	}
	// The way back leads to no other host.
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/app/?lang=ar", nil)
	r.URL.Path = "//evil.example/app/"
	if s.Switch(w, r); strings.HasPrefix(w.Header().Get("Location"), "//") {
		t.Error("the switch leads away:", w.Header().Get("Location"))
	}
	if s.Switch(httptest.NewRecorder(), httptest.NewRequest("POST", "/app/?lang=ar", nil)) {
		t.Error("a form was taken for a switch")
	}
}

// TestMessagesAreUsed: a message that nothing names is one that nobody will
// keep right.
func TestMessagesAreUsed(t *testing.T) {
	used := map[string]bool{}
	made := []string{"site.", "role.", "month.", "fault.", "country."} // put together from two parts
	for _, a := range apps(t) {
		made = append(made, a.Name+".fault.")
	}
	prefix := regexp.MustCompile(`(?:texts |print |choices |known\(|list\(|choice\()"([a-z0-9-]+\.[a-zA-Z0-9.-]*[.-])"`)
	word := regexp.MustCompile(`"([a-z0-9-]+(?:\.[a-zA-Z0-9-]+)*)"`)
	err := filepath.WalkDir("..", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if ext := filepath.Ext(p); d.IsDir() || strings.HasSuffix(p, "_test.go") || (ext != ".go" && ext != ".html") {
			return nil
		}
		b, err := os.ReadFile(p)
		for _, m := range word.FindAllStringSubmatch(string(b), -1) {
			used[m[1]] = true
		}
		// What a script gets whole, and what is put together from a key's
		// beginning and a value.
		for _, m := range prefix.FindAllStringSubmatch(string(b), -1) {
			made = append(made, m[1])
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range all(t)["en"].Keys() {
		if !used[k] && !slices.ContainsFunc(made, func(p string) bool { return strings.HasPrefix(k, p) }) {
			t.Errorf("nothing uses %s", k)
		}
	}
}

// TestFaultsOfAccountsHaveWords: what people can meet while signing in is said
// in their language, in words of its own.
func TestFaultsOfAccountsHaveWords(t *testing.T) {
	// Those that a page answers with a form, that only a program can meet, or for
	// which the words of their kind are right.
	plain := []string{"no-such-", "invitation-role", "invitation-name", "last-passkey", "session-over", "body-invalid"}
	f, err := parser.ParseFile(token.NewFileSet(), "../internal/account/account.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	en, n := all(t)["en"], 0
	ast.Inspect(f, func(node ast.Node) bool {
		call, ok := node.(*ast.CallExpr)
		if !ok || len(call.Args) != 3 {
			return true
		}
		lit, ok := call.Args[1].(*ast.BasicLit)
		if !ok {
			return true
		}
		code, err := strconv.Unquote(lit.Value)
		if err != nil {
			t.Fatal(err)
		}
		n++
		if !en.Has("fault."+code) && !slices.ContainsFunc(plain, func(p string) bool { return strings.HasPrefix(code, p) }) {
			t.Errorf("there are no words for %s", code)
		}
		return true
	})
	if n < 15 {
		t.Fatalf("only %d faults were found", n)
	}
}

func TestMessageFilesAreStrict(t *testing.T) {
	for _, bad := range []string{`{"a": 1}`, `{"a": ["x"]}`, `[]`, `{"a": {"one": 1}}`, `{`} {
		if err := (&Messages{text: map[string]string{}, plural: map[string]map[string]string{}}).add("", []byte(bad)); err == nil {
			t.Errorf("%s was read", bad)
		}
	}
	if err := (&Messages{text: map[string]string{}}).add("desk", []byte(`{"other.key": "x"}`)); err == nil {
		t.Error("an app's message under another's name was read")
	}
	// Each key once: the later of two would win unseen.
	var files []string
	for _, pattern := range []string{"messages/*.json", "*/messages/*.json"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	if len(files) < len(Languages) {
		t.Fatalf("only %d files", len(files))
	}
	for _, lang := range files {
		b, err := os.ReadFile(lang)
		if err != nil {
			t.Fatal(err)
		}
		d := json.NewDecoder(strings.NewReader(string(b)))
		seen, depth, key := map[string]bool{}, 0, true
		for tok, err := d.Token(); err == nil; tok, err = d.Token() {
			switch v := tok.(type) {
			case json.Delim:
				if v == '{' {
					depth++
				} else {
					depth--
				}
				key = true
			case string:
				if depth == 1 && key {
					if seen[v] {
						t.Errorf("%s has %s twice", lang, v)
					}
					seen[v] = true
				}
				key = !key || depth != 1
			}
		}
	}
}
