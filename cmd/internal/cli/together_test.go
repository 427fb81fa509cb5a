package cli

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/kinpass/kinpass/internal/keys"
	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
	"github.com/kinpass/kinpass/internal/vc"
)

// TestStartTogether: processes that start at once on an empty data directory
// make one key between them, and everything that they sign verifies with it.
func TestStartTogether(t *testing.T) {
	for _, engine := range []string{store.SQLite, store.Postgres} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			url := storetest.URL(t, engine, issuerRole)
			dbFile := filepath.Join(dir, "db")
			births := filepath.Join(dir, "births.jsonl")
			for name, text := range map[string][]byte{dbFile: []byte(url), births: sampleBirths} {
				if err := os.WriteFile(name, text, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			data := filepath.Join(dir, "data")
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					cmd := exec.Command(os.Args[0], "import", "--births", births, "--data", data, "--db-file", dbFile)
					cmd.Args[0] = "kinpass"
					var out bytes.Buffer
					cmd.Stdout, cmd.Stderr = &out, &out
					if err := cmd.Run(); err != nil {
						t.Errorf("%v: %s", err, out.String())
					}
				})
			}
			wg.Wait()
			h := &home{dir: data, dbFile: dbFile}
			r, err := h.mustRing(issuerRole)
			if err != nil {
				t.Fatal(err)
			}
			if n, m := len(r.Of(keys.UseCredentials)), len(r.Of(keys.UseSelective)); n != 1 || m != 1 {
				t.Fatalf("%d and %d keys", n, m)
			}
			db := storetest.Reopen(t, url, issuerRole)
			rows, err := db.QueryContext(context.Background(), `SELECT jwt FROM credentials`)
			if err != nil {
				t.Fatal(err)
			}
			defer rows.Close()
			n := 0
			for rows.Next() {
				var jwt string
				if err := rows.Scan(&jwt); err != nil {
					t.Fatal(err)
				}
				if _, err := vc.VerifyJWS(jwt, vc.TypCredential, r.Keys[0].Public()); err != nil {
					t.Errorf("a credential does not verify: %v", err)
				}
				n++
			}
			if err := rows.Err(); err != nil || n != bytes.Count(sampleBirths, []byte("\n")) {
				t.Errorf("%d credentials, %v", n, err)
			}
		})
	}
}

// TestMigrateTogether: the same for the schemas alone.
func TestMigrateTogether(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			cmd := exec.Command(os.Args[0], "migrate", "--data", dir)
			cmd.Args[0] = "kinpass"
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	wg.Wait()
}
