package cli

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/policy"
	"github.com/kinpass/kinpass/internal/stage"
	"github.com/kinpass/kinpass/internal/status"
	"github.com/kinpass/kinpass/internal/vc"
	"github.com/kinpass/kinpass/verifier/check"
)

// nation makes a bundle with ten status lists of 2^20 places, one in a hundred of
// them set, and a mother with her child at the counter. It gives what kinpass
// check is called with.
func nation(t testing.TB, dir string) []string {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	lists := 0
	s, err := stage.NewTwisted(func(kind string, doc []byte) []byte {
		if kind != "list" || lists == 10 {
			return doc
		}
		lists++
		l, err := status.New(1 << 20)
		if err != nil {
			t.Fatal(err)
		}
		for i := int64(1000); i < 1<<20; i++ { // the papers shown here are below
			if r.IntN(100) == 0 {
				if err := l.Set(i); err != nil {
					t.Fatal(err)
				}
			}
		}
		var c map[string]any
		if err := json.Unmarshal(doc, &c); err != nil {
			t.Fatal(err)
		}
		if c["credentialSubject"].(map[string]any)["encodedList"], err = l.Encode(); err != nil {
			t.Fatal(err)
		}
		out, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		return out
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Twist = nil
	e, err := s.Meet(policy.Generic(), &policy.Case{Travels: []string{"mother"}, Other: "XXB",
		Guardians: []policy.CaseGuardian{{Who: "mother", Role: "mother", Basis: "courtOrder", Exercise: "sole", Of: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	anchor, err := s.Anchor()
	if err != nil {
		t.Fatal(err)
	}
	put := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return []string{"check", "--bundle", put("border.kpb", e.Bundle), "--anchor", put("anchor.json", anchor), "--at", e.At.Format(time.RFC3339), "--json",
		"--confirm", check.Portrait + "," + check.Document, "--exit", e.Facts.Exit, "--entry", e.Facts.Entry, "--direction", e.Facts.Direction, put("shown.txt", []byte(e.Shown[0]))}
}

// BenchmarkStart: from the start of the process to the decision, with ten million
// places in the bundle, beside the start of the same program that only tells its
// version. Processes of both kinds take turns; the medians are the figures.
func BenchmarkStart(b *testing.B) {
	dir := b.TempDir()
	args := nation(b, dir)
	bin := filepath.Join(dir, "kinpass")
	if out, err := exec.Command("go", "build", "-o", bin, "github.com/kinpass/kinpass/cmd/kinpass").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	info, err := os.Stat(args[2])
	if err != nil {
		b.Fatal(err)
	}
	run := func(args ...string) (took, cpu time.Duration) {
		cmd := exec.Command(bin, args...)
		begun := time.Now()
		out, err := cmd.Output()
		took = time.Since(begun)
		if err != nil || args[0] == "check" && !strings.Contains(string(out), `"colour": "green"`) {
			b.Fatalf("%v\n%s", err, out)
		}
		return took, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
	var checks, versions, cpus []time.Duration
	for b.Loop() {
		v, _ := run("--version")
		c, cpu := run(args...)
		versions, checks, cpus = append(versions, v), append(checks, c), append(cpus, cpu)
	}
	median := func(of []time.Duration) float64 {
		slices.Sort(of)
		return float64(of[len(of)/2]) / float64(time.Millisecond)
	}
	b.ReportMetric(0, "ns/op") // of both together: it says nothing
	b.ReportMetric(median(checks), "ms/check")
	b.ReportMetric(median(versions), "ms/version")
	b.ReportMetric(float64(checks[0])/float64(time.Millisecond), "ms/fastest-check")
	b.ReportMetric(float64(versions[0])/float64(time.Millisecond), "ms/fastest-version")
	b.ReportMetric(median(cpus), "cpu-ms/check")
	b.ReportMetric(float64(info.Size()), "bytes/bundle")
}

// BenchmarkOpen: the part of the start that depends on the size of the bundle.
func BenchmarkOpen(b *testing.B) {
	args := nation(b, b.TempDir())
	data, err := os.ReadFile(args[2])
	if err != nil {
		b.Fatal(err)
	}
	file, err := os.ReadFile(args[4])
	if err != nil {
		b.Fatal(err)
	}
	anchors, err := vc.ParseAnchors(file)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := check.Open(data, anchors); err != nil {
			b.Fatal(err)
		}
	}
}
