package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// quiet runs a command line in this process without its output.
func quiet(t *testing.T, args ...string) int {
	t.Helper()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	out, errs, in := os.Stdout, os.Stderr, os.Stdin
	os.Stdout, os.Stderr, os.Stdin = null, null, null
	defer func() { os.Stdout, os.Stderr, os.Stdin = out, errs, in }()
	return Main(args)
}

// TestExitCodes: 0, 1 and 2 of "check" are decisions, so that nothing else may
// end with them.
func TestExitCodes(t *testing.T) {
	dir := t.TempDir()
	story := filepath.Join(dir, "story")
	if code := quiet(t, "demo", "--once", "--out", story); code != 0 {
		t.Fatalf("the demonstration ended with %d", code)
	}
	var steps []step
	b, err := os.ReadFile(filepath.Join(story, "story.json"))
	if err != nil || json.Unmarshal(b, &steps) != nil || len(steps) < 8 {
		t.Fatalf("story.json: %v, %d steps", err, len(steps))
	}
	bundle := filepath.Join(story, steps[0].Bundle)
	good := filepath.Join(story, "01-guardian")
	anchor := filepath.Join(story, "anchor.json")
	write := func(name, text string) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	png, err := os.ReadFile(good + ".png")
	if err != nil {
		t.Fatal(err)
	}
	check := func(args ...string) []string {
		return append([]string{"check", "--data", dir, "--anchor", anchor, "--bundle", bundle}, args...)
	}
	cases := map[string]struct {
		args []string
		want int
	}{
		"forged":              {check(filepath.Join(story, "02-changed-character.kp1")), 2},
		"paper":               {check(filepath.Join(story, "08-paper-pass.kp1")), 1},
		"not a code":          {check(write("junk.txt", "hello")), 1},
		"nothing named":       {[]string{"check"}, 3},
		"three files":         {check("a", "b", "c"), 3},
		"no such file":        {check(filepath.Join(dir, "nowhere")), 3},
		"a directory":         {check(dir), 3},
		"unknown flag":        {check("--nonsense", good+".kp1"), 3},
		"flag before":         {append([]string{"--nonsense"}, check(good+".kp1")...), 3},
		"bad time":            {check("--at", "noon", good+".kp1"), 3},
		"bad country":         {check("--exit", "gha", good+".kp1"), 3},
		"bad confirmation":    {check("--confirm", "face", good+".kp1"), 3},
		"no anchor":           {[]string{"check", "--data", dir, "--bundle", bundle, good + ".kp1"}, 3},
		"another anchor":      {[]string{"check", "--anchor", write("a.json", `{"keys":[]}`), "--bundle", bundle, good + ".kp1"}, 3},
		"bundle that is none": {[]string{"check", "--anchor", anchor, "--bundle", anchor, good + ".kp1"}, 3},
		"half a picture":      {check(write("half.png", string(png[:500]))), 3},
		"no command":          {[]string{"nonsense"}, 2},
		"required flag":       {[]string{"token", "add", "--role", "registrar"}, 2},
		"bad token name":      {[]string{"token", "add", "--data", dir, "--role", "registrar", "--name", "a\nb"}, 1},
		"bad address":         {[]string{"serve", "issuer", "--data", dir, "--listen", "127.0.0.1:99999"}, 2},
		"fsck of nothing":     {[]string{"fsck", "--data", filepath.Join(dir, "typo")}, 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := quiet(t, c.args...); got != c.want {
				t.Errorf("ended with %d, want %d", got, c.want)
			}
		})
	}
	if _, err := os.Stat(filepath.Join(dir, "typo")); err == nil {
		t.Error("fsck made a data directory")
	}
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("no /dev/full")
	}
	defer full.Close()
	out := os.Stdout
	os.Stdout = full
	got := Main(check(filepath.Join(story, "08-paper-pass.kp1")))
	os.Stdout = out
	if got != 3 {
		t.Errorf("a decision that nobody can read ended with %d", got)
	}
}

// TestDemoAgain: a second run in one directory, a day later, makes a new family
// and decides the same.
func TestDemoAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "demo")
	real := now
	t.Cleanup(func() { now = real })
	now = func() time.Time { return real().Add(-30 * time.Hour) }
	if code := quiet(t, "demo", "--once", "--data", dir); code != 0 {
		t.Fatalf("the first run ended with %d", code)
	}
	now = real
	for _, args := range [][]string{{"--once"}, {"--once", "--json"}} {
		if code := quiet(t, append([]string{"demo", "--data", dir}, args...)...); code != 0 {
			t.Fatalf("%v ended with %d", args, code)
		}
	}
	if code := quiet(t, "demo", "--once", "--data", dir, "--listen", "127.0.0.1:1"); code != 2 {
		t.Errorf("another address ended with %d", code)
	}
}
