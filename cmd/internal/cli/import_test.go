package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/issuer"
)

// synthetic gives the two files of made registrations, or skips the test.
func synthetic(t *testing.T) (births, guardianships string) {
	t.Helper()
	dir := os.Getenv("KINPASS_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "shared", "data")
	}
	births = filepath.Join(dir, "synthetic", "births.jsonl")
	if _, err := os.Stat(births); err != nil {
		if os.Getenv("KINPASS_REQUIRE_VECTORS") == "1" {
			t.Fatal("the synthetic registrations are missing: set KINPASS_DATA")
		}
		t.Skip("no synthetic registrations: set KINPASS_DATA")
	}
	births, err := filepath.Abs(births)
	if err != nil {
		t.Fatal(err)
	}
	return births, filepath.Join(filepath.Dir(births), "guardianships.jsonl")
}

// TestImportSurvivesKill imports two thousand families, killed again and again
// on the way, and counts: nothing lost, nothing issued twice.
func TestImportSurvivesKill(t *testing.T) {
	births, guardianships := synthetic(t)
	lines := countFile(t, births) + countFile(t, guardianships)
	for _, engine := range []string{store.SQLite, store.Postgres} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			url := storetest.URL(t, engine, issuerRole)
			dbFile := filepath.Join(dir, "db")
			if err := os.WriteFile(dbFile, []byte(url), 0o600); err != nil {
				t.Fatal(err)
			}
			run := func(kill time.Duration, args ...string) ([]byte, error) {
				cmd := exec.Command(os.Args[0], append(args, "--data", filepath.Join(dir, "data"), "--db-file", dbFile)...)
				cmd.Args[0] = "kinpass" // how TestMain knows which program it is
				var out bytes.Buffer
				cmd.Stdout, cmd.Stderr = &out, os.Stderr
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				if kill > 0 {
					timer := time.AfterFunc(kill, func() { cmd.Process.Signal(syscall.SIGKILL) })
					defer timer.Stop()
				}
				err := cmd.Wait()
				return out.Bytes(), err
			}
			in := []string{"import", "--births", births, "--guardianships", guardianships, "--at", "2026-11-20", "--json"}
			killed := 0
			for _, after := range []time.Duration{700, 1100, 1500, 2000, 2600} {
				if _, err := run(after*time.Millisecond, in...); err != nil {
					killed++
				}
			}
			if killed == 0 {
				t.Error("no import was killed on the way")
			}
			out, err := run(0, in...)
			if err != nil {
				t.Fatalf("the last import: %v", err)
			}
			var sum issuer.Summary
			if err := json.Unmarshal(out, &sum); err != nil {
				t.Fatal(err)
			}
			t.Logf("killed %d times; %s", killed, bytes.ReplaceAll(out, []byte("\n"), nil))
			if sum.Accepted+sum.Held+sum.Refused != lines || sum.Refused != 0 {
				t.Errorf("accepted %d, held %d, refused %d of %d lines", sum.Accepted, sum.Held, sum.Refused, lines)
			}
			if out, err := run(0, "fsck"); err != nil || !strings.Contains(string(out), "clean") {
				t.Errorf("fsck after all: %v, %s", err, out)
			}
			again, err := run(0, in...)
			var sum2 issuer.Summary
			if err != nil || json.Unmarshal(again, &sum2) != nil || sum2.Accepted != sum.Accepted || sum2.Held != sum.Held || sum2.NotIssued != sum.NotIssued {
				t.Errorf("a second import says %s", again)
			}
			db := storetest.Reopen(t, url, issuerRole)
			for name, q := range map[string]string{
				"births recorded":                      `SELECT COUNT(*) - 2000 FROM births`,
				"guardianships recorded":               `SELECT COUNT(*) - 2019 FROM guardianships`,
				"open reservations":                    `SELECT COUNT(*) FROM credentials WHERE state <> 'sealed'`,
				"credentials without a signed form":    `SELECT COUNT(*) FROM credentials WHERE jwt = ''`,
				"records with two paper credentials":   `SELECT COUNT(*) FROM (SELECT record FROM credentials WHERE profile = 'paper' GROUP BY record HAVING COUNT(*) > 1) AS twice`,
				"issued births without a credential":   `SELECT COUNT(*) FROM births b WHERE state = 'issued' AND NOT EXISTS (SELECT 1 FROM credentials c WHERE c.record = b.id)`,
				"issued mandates without a credential": `SELECT COUNT(*) FROM guardianships g WHERE state = 'issued' AND rule <> 'MRZ_NEEDED' AND NOT EXISTS (SELECT 1 FROM credentials c WHERE c.record = g.id)`,
				"not issued, and yet a credential":     `SELECT COUNT(*) FROM guardianships g WHERE state <> 'issued' AND EXISTS (SELECT 1 FROM credentials c WHERE c.record = g.id)`,
				"credentials without a commitment":     `SELECT COUNT(*) FROM credentials c WHERE NOT EXISTS (SELECT 1 FROM commitments m WHERE m.credential_id = c.id)`,
				"commitments without a credential":     `SELECT COUNT(*) FROM commitments m WHERE NOT EXISTS (SELECT 1 FROM credentials c WHERE c.id = m.credential_id)`,
				"an index used twice":                  `SELECT COUNT(*) FROM (SELECT list, idx FROM credentials GROUP BY list, idx HAVING COUNT(*) > 1) AS twice`,
			} {
				var n int
				if err := db.QueryRowContext(context.Background(), q).Scan(&n); err != nil || n != 0 {
					t.Errorf("%s: %d, %v", name, n, err)
				}
			}
		})
	}
}

func countFile(t *testing.T, name string) int {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n, err := countLines(f)
	if err != nil {
		t.Fatal(err)
	}
	return int(n)
}
