package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/verifier/check"
)

// TestStoryReplays checks every file of the demonstration again with kinpass
// check, which knows nothing but the bundle, the anchor and the file.
func TestStoryReplays(t *testing.T) {
	dir := t.TempDir()
	if code := quiet(t, "demo", "--once", "--out", dir); code != 0 {
		t.Fatalf("the demonstration ended with %d", code)
	}
	var steps []step
	b, err := os.ReadFile(filepath.Join(dir, "story.json"))
	if err != nil || json.Unmarshal(b, &steps) != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"guardian", "no-consent-brazil", "no-consent-elsewhere", "notarised-consent", "crossing-3", "aunt-named", "aunt-not-named",
		"no-removal", "provisional", "withdrawn", "class-12"} {
		if !slices.ContainsFunc(steps, func(s step) bool { return s.Step == name }) {
			t.Errorf("the story lacks %s", name)
		}
	}
	for _, s := range steps {
		root := newRoot()
		var out bytes.Buffer
		root.SetOut(&out)
		root.SetErr(&bytes.Buffer{})
		root.SetArgs([]string{"check", "--json", "--at", s.At.Format(time.RFC3339), "--bundle", filepath.Join(dir, s.Bundle),
			"--anchor", filepath.Join(dir, "anchor.json"), filepath.Join(dir, s.File)})
		if err := root.Execute(); err != nil && s.Colour == check.Green {
			t.Errorf("%s: %v", s.Step, err)
		}
		var d check.Decision
		if err := json.Unmarshal(out.Bytes(), &d); err != nil {
			t.Errorf("%s: no decision: %v", s.Step, err)
			continue
		}
		if d.Colour != s.Colour || !slices.Equal(d.Codes(), s.Codes) || s.Colour != s.Expected {
			t.Errorf("%s: %s %v, the story has %s %v", s.Step, d.Colour, d.Codes(), s.Colour, s.Codes)
		}
	}
}

// TestEncounterFiles: a file is an encounter only if it is one; anything else
// is what was scanned. What is typed now counts before what the file says.
func TestEncounterFiles(t *testing.T) {
	for _, text := range []string{"", "KP1:ABC", "[]", "{", `{}`, `{"presentation":""}`, `{"presentation":"x","presentation":"y"}`,
		`{"presentation":"x","name":"Ana"}`, `{"presentation":` + strings.Repeat("[", 40) + `}`} {
		if _, ok := readEncounter([]byte(text)); ok {
			t.Errorf("%q is an encounter", text)
		}
	}
	e, ok := readEncounter([]byte(" {\"presentation\":\"KP1:X\",\"exit\":\"BRA\",\"entry\":\"ARG\"}\n"))
	if !ok || e.Presentation != "KP1:X" {
		t.Fatalf("%+v, %v", e, ok)
	}
	f := check.Facts{Exit: "GHA"}
	e.add(&f)
	if f.Exit != "GHA" || f.Entry != "ARG" {
		t.Errorf("%+v", f)
	}
}
