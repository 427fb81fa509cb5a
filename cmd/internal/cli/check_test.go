package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/verifier/check"
)

// told is a demonstration whose codes, bundles and anchor are in a directory.
type told struct {
	t     *testing.T
	dir   string
	steps []step
}

func tell(t *testing.T) *told {
	t.Helper()
	s := &told{t: t, dir: filepath.Join(t.TempDir(), "story")}
	if code := quiet(t, "demo", "--once", "--out", s.dir); code != 0 {
		t.Fatalf("the demonstration ended with %d", code)
	}
	b, err := os.ReadFile(filepath.Join(s.dir, "story.json"))
	if err != nil || json.Unmarshal(b, &s.steps) != nil || len(s.steps) < 8 {
		t.Fatalf("story.json: %v, %d steps", err, len(s.steps))
	}
	return s
}

func (s *told) file(name string) string { return filepath.Join(s.dir, name) }

// check runs "kinpass check" at the time of the first step with its bundle.
func (s *told) check(args ...string) (code int, out, errs string) {
	s.t.Helper()
	first := s.steps[0]
	dir := s.t.TempDir()
	var files [2]*os.File
	for i := range files {
		var err error
		if files[i], err = os.Create(filepath.Join(dir, strconv.Itoa(i))); err != nil {
			s.t.Fatal(err)
		}
		defer files[i].Close()
	}
	stdout, stderr := os.Stdout, os.Stderr
	os.Stdout, os.Stderr = files[0], files[1]
	code = Main(append([]string{"check", "--data", dir, "--anchor", s.file("anchor.json"), "--bundle", s.file(first.Bundle),
		"--at", first.At.Format("2006-01-02T15:04:05Z")}, args...))
	os.Stdout, os.Stderr = stdout, stderr
	var texts [2]string
	for i := range files {
		b, err := os.ReadFile(files[i].Name())
		if err != nil {
			s.t.Fatal(err)
		}
		texts[i] = string(b)
	}
	return code, texts[0], texts[1]
}

func TestCheckRemembers(t *testing.T) {
	s := tell(t)
	good, stolen := s.file("01-guardian.kp1"), s.file("02-changed-character.kp1")
	history := filepath.Join(t.TempDir(), "gate.history")
	for _, c := range []struct {
		name string
		args []string
		code int
		has  string
	}{
		{"first", []string{"--history", history, "--session", "one", good}, 0, "OK"},
		{"again in the session", []string{"--history", history, "--session", "one", good}, 0, "OK"},
		{"in another session", []string{"--history", history, "--session", "two", good}, 1, "PRESENTATION_REPEATED"},
		{"without a session", []string{"--history", history, good}, 1, "PRESENTATION_REPEATED"},
		{"the session of another post", []string{"--history", history, "--session", "one", "--post", "south", good}, 1, "PRESENTATION_REPEATED"},
		{"without the history", []string{"--session", "two", good}, 0, "OK"},
		{"forged", []string{"--history", history, "--session", "one", stolen}, 2, "SIG_INVALID"},
	} {
		code, out, errs := s.check(append(c.args, "--json")...)
		if code != c.code || !strings.Contains(out, `"`+c.has+`"`) {
			t.Errorf("%s: %d, want %d with %s: %s%s", c.name, code, c.code, c.has, out, errs)
		}
	}
	// The paper's day is long, and this post does not go back in it.
	paper := s.file("08-paper-pass.kp1")
	at := func(d time.Duration) string { return "--at=" + s.steps[0].At.Add(d).Format(time.RFC3339) }
	for _, c := range []struct {
		name  string
		args  []string
		clock bool
		says  string
	}{
		{"three days later", []string{"--history", history, at(72 * time.Hour), paper}, false, "72h0m"},
		{"five minutes before that, as clocks differ", []string{"--history", history, at(72*time.Hour - 5*time.Minute), paper}, false, "71h5"},
		{"two days before that", []string{"--history", history, at(24 * time.Hour), paper}, true, "? old"},
		{"without the history", []string{at(24 * time.Hour), paper}, false, "24h0m"},
	} {
		_, out, errs := s.check(c.args...)
		if strings.Contains(out, check.CodeDeviceClock) != c.clock || !strings.Contains(out, c.says) {
			t.Errorf("%s: %s%s", c.name, out, errs)
		}
	}
	data, err := os.ReadFile(history)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"one", "south", "did:key", "MENSAH", "KP1"} {
		if bytes.Contains(data, []byte(`"`+secret+`"`)) || strings.Contains(string(data), secret+":") {
			t.Errorf("the history holds %s", secret)
		}
	}
	// A file that is there and cannot be read is no decision.
	if err := os.WriteFile(history, data[:len(data)-5], 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errs := s.check("--history", history, good)
	if code != 3 || out != "" || !strings.Contains(errs, "history-file-invalid") || !strings.Contains(errs, "a file that does not exist") {
		t.Errorf("damaged: %d %q %q", code, out, errs)
	}
	if code, out, _ := s.check("--history", filepath.Join(t.TempDir(), "nowhere", "x"), good); code != 3 || out != "" {
		t.Errorf("no directory: %d %q", code, out)
	}
}

func TestCheckOfASession(t *testing.T) {
	s := tell(t)
	good, forged := s.file("01-guardian.kp1"), s.file("02-changed-character.kp1")
	code, out, errs := s.check("--session", "class", "--json", good, forged)
	var g group
	if err := json.Unmarshal([]byte(out), &g); err != nil {
		t.Fatalf("%v: %s%s", err, out, errs)
	}
	if code != 2 || g.Session != "class" || len(g.Decisions) != 2 || g.Decisions[0].Colour != check.Green || g.Decisions[1].Colour != check.Red {
		t.Fatalf("%d %+v", code, g)
	}
	if code, out, _ = s.check("--session", "class", "--json", good); code != 0 || !strings.HasPrefix(strings.ReplaceAll(out, "\n", ""), "{") || !strings.Contains(out, `"decisions"`) {
		t.Errorf("one child: %d %s", code, out)
	}
	code, out, _ = s.check("--session", "class", forged, good)
	for _, want := range []string{"✖ RED: 2 in this session: 1 red, 1 green\n", "1 of 2 ✖ RED\n", "2 of 2 ✔ GREEN\n", "  Codes: SIG_INVALID", "<<", ", mother\n", "status lists"} {
		if !strings.Contains(out, want) {
			t.Errorf("the text lacks %q:\n%s", want, out)
		}
	}
	if code != 2 || strings.Count(out, "Bundle ") != 1 {
		t.Errorf("%d\n%s", code, out)
	}
	many := slices.Repeat([]string{good}, maxGroup+1)
	if code, out, _ := s.check(append([]string{"--session", "class"}, many...)...); code != 3 || out != "" {
		t.Errorf("too many: %d %q", code, out)
	}
}

func TestCheckRefusesWords(t *testing.T) {
	s := tell(t)
	good := s.file("01-guardian.kp1")
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"company":               {[]string{"--company", "stranger"}, "--company takes one of alone, guardian, thirdParty, group"},
		"direction":             {[]string{"--direction", "up"}, "--direction takes one of exit, entry"},
		"confirmation":          {[]string{"--confirm", "face"}, "portrait, document, receiver"},
		"denial":                {[]string{"--deny", "portrait,face"}, "portrait, document, receiver"},
		"companion's country":   {[]string{"--companion-nationality", "Kenya"}, "--companion-nationality takes three capital letters"},
		"day of the proof":      {[]string{"--residence-proof", "yesterday"}, "--residence-proof takes YYYY-MM-DD"},
		"a session without end": {[]string{"--session", strings.Repeat("x", 129)}, "at most 128 bytes"},
		"a post without end":    {[]string{"--post", strings.Repeat("x", 129)}, "at most 128 bytes"},
		"three holders":         {[]string{good, good}, "--session takes a group"},
	} {
		code, out, errs := s.check(append(c.args, good)...)
		if code != 3 || out != "" || !strings.Contains(errs, c.says) {
			t.Errorf("%s: %d %q %q", name, code, out, errs)
		}
	}
	zone := filepath.Join(t.TempDir(), "zone.txt")
	if err := os.WriteFile(zone, []byte("p<uto eriksson\nl898902c36"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errs := s.check("--adult-document", zone, good)
	if code != 1 || !strings.Contains(out, "DOC_UNREADABLE") || !strings.Contains(errs, "adult document 1: the lines have 13 and 10 characters: a passport has two lines of 44") ||
		strings.Contains(strings.ToLower(out+errs), "eriksson") {
		t.Errorf("%d %s%s", code, out, errs)
	}
}

// A code whose text is an encounter says nothing about the journey: the
// traveller made it, and would name the country that asks least.
func TestCheckTakesNoFactsFromACode(t *testing.T) {
	s := tell(t)
	code, err := os.ReadFile(s.file("01-guardian.kp1"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(encounter{Presentation: strings.TrimSpace(string(code)), Exit: "GBR", Entry: "FRA", Company: check.CompanyGuardian})
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	if _, out, errs := s.check("--json", write("encounter.json")); !strings.Contains(out, `"country": "GBR"`) {
		t.Fatalf("the officer's own file: %s%s", out, errs)
	}
	in, err := os.Open(write("scanned"))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	stdin := os.Stdin
	defer func() { os.Stdin = stdin }()
	os.Stdin = in
	for name, file := range map[string]string{"standard input": "-", "text": write("scan.txt"), "no name": write("scan"), "a code": write("scan.kp1")} {
		if code, out, _ := s.check("--json", file); code != 1 || !strings.Contains(out, "SCAN_UNREADABLE") || strings.Contains(out, "GBR") {
			t.Errorf("%s: %d %s", name, code, out)
		}
	}
}

// What a terminal would obey is not printed, whoever signed it.
func TestTextHasNoControls(t *testing.T) {
	d := check.Decision{Colour: check.Amber, Lines: []string{"One."}, Next: "Two.", Ask: []string{"residence", "companionNationality", "x\x1b"},
		Child:    &check.Child{Names: []string{"A\x1b[2J"}, BirthDate: "2020\r"},
		Compare:  &check.Compare{Portrait: true, Twins: 2, Adults: []check.Adult{{Names: []string{"B\u202e"}, Role: "aunt\x07"}}},
		Policies: []check.PolicyAnswer{{ID: "X\n", Version: 2, Label: "illustrative, not legal advice", Country: "UTO", Direction: "exit", Colour: check.Amber, Codes: []string{"CONSENT_MISSING_CO"}}, {ID: "Y", Version: 1, Label: "illustrative\u009b, not legal advice", Direction: "entry", Colour: check.Green}}}
	var b bytes.Buffer
	printDecision(&b, d)
	if strings.ContainsAny(b.String(), "\x1b\r\x07\u202e\u009b") {
		t.Errorf("%q", b.String())
	}
	for _, want := range []string{"! AMBER\n  One.\n", "Ask, for it could change the answer: the country where the child lives (--residence); the adult's nationality (--companion-nationality); (--x?)\n", "Compare: A?[2J, born 2020?", "photograph", "one of 2 children", "Compare: B?, aunt?",
		"Policy: exit UTO: amber X?/2 CONSENT_MISSING_CO; illustrative, not legal advice\n", "Policy: entry any country: green Y/1; illustrative?, not legal advice\n"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the text lacks %q:\n%s", want, b.String())
		}
	}
}
