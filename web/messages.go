package web

import (
	"encoding/json"
	"fmt"
	"html/template"
	"io/fs"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
)

// Languages are those that the pages speak. The first is for who asks for none
// of them.
var Languages = []string{"en", "fr", "ar", "es", "pt", "hi", "sw"}

// ownNames are the languages as their speakers write them.
var ownNames = map[string]string{"en": "English", "fr": "Français", "ar": "العربية", "es": "Español", "pt": "Português", "hi": "हिन्दी", "sw": "Kiswahili"}

var matcher = language.NewMatcher(func() (tags []language.Tag) {
	for _, l := range Languages {
		tags = append(tags, language.MustParse(l))
	}
	return tags
}())

// LanguageName gives the name of a language as its speakers write it.
func LanguageName(code string) string { return ownNames[code] }

// Language is one choice of the language switch.
type Language struct {
	Code, Name, Dir string
	Current         bool
}

func languageList(current string) []Language {
	var out []Language
	for _, l := range Languages {
		out = append(out, Language{l, ownNames[l], direction(l), l == current})
	}
	return out
}

func direction(lang string) string {
	if lang == "ar" {
		return "rtl"
	}
	return "ltr"
}

// languageCookie keeps the language that was chosen. It says nothing else and
// serves the three services of one host alike.
const languageCookie = "kinpass_language"

// Language gives the language to answer in: the one that was chosen, else the
// best of those that the browser asks for.
func (s *Site) Language(r *http.Request) string {
	if c, err := r.Cookie(languageCookie); err == nil && slices.Contains(Languages, c.Value) {
		return c.Value
	}
	accept := r.Header.Get("Accept-Language")
	if len(accept) > 512 {
		return Languages[0]
	}
	tags, _, err := language.ParseAcceptLanguage(accept)
	if err != nil || len(tags) == 0 {
		return Languages[0]
	}
	_, i, sure := matcher.Match(tags...)
	if sure == language.No {
		return Languages[0]
	}
	return Languages[i]
}

// Switch takes a choice of language, "?lang=", and sends the visitor back to
// the page. False: there was none.
func (s *Site) Switch(w http.ResponseWriter, r *http.Request) bool {
	lang := r.URL.Query().Get("lang")
	if r.Method != http.MethodGet || !slices.Contains(Languages, lang) {
		return false
	}
	http.SetCookie(w, &http.Cookie{Name: languageCookie, Value: lang, Path: "/", MaxAge: 365 * 24 * 3600, HttpOnly: true, Secure: s.secure, SameSite: http.SameSiteLaxMode})
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	// The path alone: it begins with one slash, so it leads to no other host.
	h.Set("Location", "/"+strings.TrimLeft(r.URL.EscapedPath(), "/\\"))
	w.WriteHeader(http.StatusSeeOther)
	return true
}

// Messages are the texts of one language. A text has placeholders such as
// {name}; one that depends on a number has a form for each of the language's
// plural categories (Unicode CLDR).
type Messages struct {
	Lang, Dir string
	tag       language.Tag
	text      map[string]string
	plural    map[string]map[string]string
}

func readMessages(apps []App) ([]*Messages, error) {
	var out []*Messages
	for _, lang := range Languages {
		m := &Messages{Lang: lang, Dir: direction(lang), tag: language.MustParse(lang), text: map[string]string{}, plural: map[string]map[string]string{}}
		for _, a := range apps {
			data, err := fs.ReadFile(a.Files, "messages/"+lang+".json")
			if err == nil {
				err = m.add(a.Name, data)
			}
			if err != nil {
				return nil, fmt.Errorf("%s %s: %w", a.Name, lang, err)
			}
		}
		out = append(out, m)
	}
	return out, nil
}

// add takes the messages of a file. Those of an app begin with its name, so that
// no two mean different things by one key.
func (m *Messages) add(app string, data []byte) error {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	for key, v := range raw {
		if app != "" && !strings.HasPrefix(key, app+".") {
			return fmt.Errorf("the key %s does not begin with %s and a full stop", key, app)
		}
		var s string
		if json.Unmarshal(v, &s) == nil {
			m.text[key] = s
			continue
		}
		forms := map[string]string{}
		if err := json.Unmarshal(v, &forms); err != nil {
			return fmt.Errorf("%s is neither a text nor plural forms", key)
		}
		m.plural[key] = forms
	}
	return nil
}

// Under gives the messages whose keys begin with prefix, without it, as JSON: for
// a script of a page, in <script type="application/json">. Texts with plural
// forms are objects.
func (m *Messages) Under(prefix string) (template.JS, error) {
	out := map[string]any{}
	for k, v := range m.text {
		if rest, ok := strings.CutPrefix(k, prefix); ok {
			out[rest] = v
		}
	}
	for k, v := range m.plural {
		if rest, ok := strings.CutPrefix(k, prefix); ok {
			out[rest] = v
		}
	}
	if len(out) == 0 {
		return "", fmt.Errorf("there are no messages under %q", prefix)
	}
	b, err := json.Marshal(out) // which escapes < and >
	return template.JS(b), err
}

// Keys lists the messages, sorted.
func (m *Messages) Keys() []string {
	return slices.Sorted(func(yield func(string) bool) {
		for k := range m.text {
			if !yield(k) {
				return
			}
		}
		for k := range maps.Keys(m.plural) {
			if !yield(k) {
				return
			}
		}
	})
}

// Has reports whether there is such a message.
func (m *Messages) Has(key string) bool { _, ok := m.text[key]; return ok }

// Text gives a message with its placeholders filled: names and values in turn.
func (m *Messages) Text(key string, args ...any) (string, error) {
	s, ok := m.text[key]
	if !ok {
		return "", fmt.Errorf("there is no message %q in %s", key, m.Lang)
	}
	return fill(key, s, args)
}

// Count gives the form of a message that goes with n, which fills {count}.
func (m *Messages) Count(key string, n int, args ...any) (string, error) {
	forms, ok := m.plural[key]
	if !ok {
		return "", fmt.Errorf("there is no message %q with plural forms in %s", key, m.Lang)
	}
	s, ok := forms[m.category(n)]
	if !ok {
		s = forms["other"]
	}
	return fill(key, s, append([]any{"count", n}, args...))
}

var categories = map[plural.Form]string{plural.Zero: "zero", plural.One: "one", plural.Two: "two", plural.Few: "few", plural.Many: "many", plural.Other: "other"}

// category gives the plural category of n in this language.
func (m *Messages) category(n int) string {
	if n < 0 {
		n = -n
	}
	// MatchPlural looks at the last digits only; it says so in its own terms,
	// modulo ten million.
	return categories[plural.Cardinal.MatchPlural(m.tag, n%10_000_000, 0, 0, 0, 0)]
}

var placeholder = regexp.MustCompile(`\{[a-zA-Z]+\}`)

// fill fails when nothing was given for a placeholder: a page with a hole in
// its text must not get past its test.
func fill(key, s string, args []any) (string, error) {
	if len(args)%2 != 0 {
		return "", fmt.Errorf("%s: names and values do not pair up", key)
	}
	values := map[string]string{}
	for i := 0; i < len(args); i += 2 {
		name, ok := args[i].(string)
		if !ok {
			return "", fmt.Errorf("%s: a placeholder's name is not text", key)
		}
		values["{"+name+"}"] = fmt.Sprint(args[i+1])
	}
	var missing error
	out := placeholder.ReplaceAllStringFunc(s, func(p string) string {
		v, ok := values[p]
		if !ok {
			missing = fmt.Errorf("%s: nothing was given for %s", key, p)
		}
		return v
	})
	return out, missing
}

// Day gives a date as people write it in this language.
func (m *Messages) Day(t time.Time) (string, error) {
	month, err := m.Text("month." + strconv.Itoa(int(t.Month())))
	if err != nil {
		return "", err
	}
	return m.Text("date", "day", t.Day(), "month", month, "year", t.Year())
}

// Moment gives a time as an element that the page's script turns into the
// reader's own clock; without the script it is in UTC.
func (m *Messages) Moment(t time.Time) (template.HTML, error) {
	day, err := m.Day(t.UTC())
	return template.HTML(`<time datetime="` + t.UTC().Format(time.RFC3339) + `" data-local>` + template.HTMLEscapeString(day) + ", " + t.UTC().Format("15:04") + " UTC</time>"), err
}
