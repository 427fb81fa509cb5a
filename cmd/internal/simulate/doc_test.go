package simulate

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestScaleDoc: the figures in docs/SCALE.md and its pictures are what the command
// writes: of the run that the page names, in the words and rows of today.
func TestScaleDoc(t *testing.T) {
	docs := filepath.Join("..", "..", "..", "docs")
	page, err := os.ReadFile(filepath.Join(docs, "SCALE.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), markBegin+"\n")
	got, _, ok := strings.Cut(rest, markEnd+"\n")
	if !ok {
		t.Fatal("no figures")
	}
	const played = "kinpass simulate --credentials 100e6 --revoked 1% --posts 500 --days 30"
	if !strings.Contains(got, "`"+played+"`, ") {
		t.Errorf("the figures are not those of %s", played)
	}
	n := Defaults()
	n.Credentials, n.Posts, n.Days, n.Every = 100_000, 40, 2, 2*n.Every
	r := play(t, n)
	shape := func(s string) string {
		s = regexp.MustCompile("`[^`]*`, a bundle every").ReplaceAllString(s, "`command`, a bundle every")
		s = regexp.MustCompile(`\w+/\w+( at a load of [\d.]+)?\. Sizes`).ReplaceAllString(s, "system. Sizes")
		return regexp.MustCompile(`\d[\d.,]*(e[-+]\d+)?( ?(kB|MB|GB|B|h|d|min|m|s|ms|µs|%)\b)?(\d[\d.]*s)?( %)?`).ReplaceAllString(s, "0")
	}
	if want := "\n" + r.Markdown() + "\n"; shape(got) != shape(want) {
		t.Errorf("docs/SCALE.md is not in the form that the command writes today; run the command that it names. It has\n%s\nand should have\n%s", shape(got), shape(want))
	}
	about := regexp.MustCompile(`(?s)<title.*?</desc>`)
	for name, plot := range r.Plots() {
		have, err := os.ReadFile(filepath.Join(docs, "pictures", "scale", name))
		if err != nil {
			t.Error(err)
			continue
		}
		if got, want := about.FindString(string(have)), about.FindString(string(plot)); got != want || got == "" {
			t.Errorf("%s is about %s, the command draws %s", name, got, want)
		}
		if !strings.Contains(string(page), "](pictures/scale/"+name+")") {
			t.Errorf("docs/SCALE.md does not show %s", name)
		}
	}
}
