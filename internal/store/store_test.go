package store_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pressly/goose/v3/lock"

	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/internal/store/storetest"
)

func TestTokens(t *testing.T) {
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		ctx := context.Background()
		now := time.Now()
		secret, tok, err := db.AddToken(ctx, "desk 1", "registrar", now.Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		got, err := db.TokenBySecret(ctx, secret, now)
		if err != nil || got.ID != tok.ID || got.Role != "registrar" || got.Name != "desk 1" {
			t.Fatalf("got %+v, %v", got, err)
		}
		for name, bad := range map[string]string{
			"empty": "", "no prefix": strings.TrimPrefix(secret, "kinpass_"), "changed": secret[:len(secret)-1] + "!",
			"id instead": tok.ID, "long": secret + strings.Repeat("a", 200),
		} {
			if _, err := db.TokenBySecret(ctx, bad, now); !errors.Is(err, store.ErrToken) {
				t.Errorf("%s: got %v, want ErrToken", name, err)
			}
		}
		if _, err := db.TokenBySecret(ctx, secret, now.Add(2*time.Hour)); !errors.Is(err, store.ErrToken) {
			t.Errorf("expired: got %v", err)
		}
		if err := db.RevokeToken(ctx, tok.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := db.TokenBySecret(ctx, secret, now); !errors.Is(err, store.ErrToken) {
			t.Errorf("revoked: got %v", err)
		}
		if err := db.RevokeToken(ctx, "nobody"); !errors.Is(err, store.ErrNoSuchToken) {
			t.Errorf("unknown: got %v", err)
		}
		var n int
		if err := db.QueryRow(`SELECT COUNT(*) FROM tokens WHERE CAST(hash AS TEXT) = $1`, secret).Scan(&n); err != nil || n != 0 {
			t.Errorf("the secret stands in the database: %d, %v", n, err)
		}
	})
}

// TestTokensOfManyAtOnce: each is told about its own token.
func TestTokensOfManyAtOnce(t *testing.T) {
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		ctx, now := context.Background(), time.Now()
		want := map[string]string{"kinpass_unknown": ""} // secret to id; "": refused
		var all []string
		for n := range 9 {
			name := strconv.Itoa(n)
			secret, tok, err := db.AddToken(ctx, name, "registrar", now.Add(time.Duration(n%3)*time.Hour))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, secret)
			if want[secret] = tok.ID; n%3 == 0 {
				want[secret] = "" // has just expired
			}
			if n%3 == 1 {
				want[secret] = ""
				if err := db.RevokeToken(ctx, tok.ID); err != nil {
					t.Fatal(err)
				}
			}
		}
		var wg sync.WaitGroup
		for secret, id := range want {
			for range 6 {
				wg.Go(func() {
					for range 10 {
						tok, err := db.TokenBySecret(ctx, secret, now)
						if tok.ID != id || (err == nil) != (id != "") || err != nil && !errors.Is(err, store.ErrToken) {
							t.Errorf("got %+v, %v, not %q", tok, err, id)
						}
					}
				})
			}
		}
		wg.Wait()
		for n := range 300 { // more than one statement takes
			all = append(all, "kinpass_"+strconv.Itoa(n))
		}
		for _, n := range []int{0, 1, 2, 3, 9, 128, 129, len(all)} {
			found, err := db.TokensAtOnce(ctx, all[:n])
			if err != nil || len(found) != min(n, 9) {
				t.Errorf("%d of %d tokens, %v", len(found), n, err)
			}
			for i := range min(n, 9) {
				if tok := found[all[i]]; tok.Name != strconv.Itoa(i) || tok.Revoked != (i%3 == 1) {
					t.Errorf("of %d: %+v is at %d", n, tok, i)
				}
			}
		}
		slices.Reverse(all)
		if found, err := db.TokensAtOnce(ctx, all); err != nil || len(found) != 9 {
			t.Errorf("%d tokens at the end, %v", len(found), err)
		}
	})
}

// TestRevokedIsRefusedAtOnce: by the next request, whoever else asks meanwhile for
// the same token and for others.
func TestRevokedIsRefusedAtOnce(t *testing.T) {
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		ctx := context.Background()
		const rounds = 20
		var secrets, ids []string
		for range rounds + 1 {
			secret, tok, err := db.AddToken(ctx, "desk", "registrar", time.Time{})
			if err != nil {
				t.Fatal(err)
			}
			secrets, ids = append(secrets, secret), append(ids, tok.ID)
		}
		var at atomic.Int32
		var others sync.WaitGroup
		for n := range 64 {
			others.Go(func() {
				for at.Load() < rounds {
					secret := secrets[rounds]
					if n%2 == 0 {
						secret = secrets[at.Load()]
					}
					if _, err := db.TokenBySecret(ctx, secret, time.Now()); err != nil && !errors.Is(err, store.ErrToken) {
						t.Error(err)
						return
					}
				}
			})
		}
		for n := range rounds {
			if _, err := db.TokenBySecret(ctx, secrets[n], time.Now()); err != nil {
				t.Error(n, err)
			}
			if err := db.RevokeToken(ctx, ids[n]); err != nil {
				t.Error(n, err)
			}
			if _, err := db.TokenBySecret(ctx, secrets[n], time.Now()); !errors.Is(err, store.ErrToken) {
				t.Errorf("%d: a revoked token is told %v", n, err)
			}
			at.Store(int32(n + 1))
		}
		others.Wait()
	})
}

func TestWriteCountsEveryIncrement(t *testing.T) {
	storetest.Each(t, "verifier", func(t *testing.T, db *store.DB) {
		ctx := context.Background()
		if _, err := db.Exec(`CREATE TABLE n (v BIGINT)`); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec(`INSERT INTO n VALUES (0)`); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 25 {
					if err := db.Write(ctx, func(tx *sql.Tx) error {
						_, err := tx.Exec(`UPDATE n SET v = v + 1`)
						return err
					}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		var v int
		if err := db.QueryRow(`SELECT v FROM n`).Scan(&v); err != nil || v != 200 {
			t.Fatalf("got %d, %v", v, err)
		}
		stop := errors.New("stop")
		if err := db.Write(ctx, func(tx *sql.Tx) error {
			if _, err := tx.Exec(`UPDATE n SET v = 0`); err != nil {
				return err
			}
			return stop
		}); err != stop {
			t.Fatalf("got %v", err)
		}
		if db.QueryRow(`SELECT v FROM n`).Scan(&v); v != 200 {
			t.Fatalf("a failed write left %d", v)
		}
	})
}

func TestUniqueIsRecognised(t *testing.T) {
	storetest.Each(t, "wallet", func(t *testing.T, db *store.DB) {
		db.Exec(`CREATE TABLE u (a TEXT PRIMARY KEY, b TEXT UNIQUE)`)
		db.Exec(`INSERT INTO u VALUES ('1','x')`)
		_, err := db.Exec(`INSERT INTO u VALUES ('1','y')`)
		if !store.IsUnique(err) {
			t.Errorf("primary key: %v", err)
		}
		_, err = db.Exec(`INSERT INTO u VALUES ('2','x')`)
		if !store.IsUnique(err) {
			t.Errorf("unique: %v", err)
		}
		_, err = db.Exec(`INSERT INTO nowhere VALUES (1)`)
		if err == nil || store.IsUnique(err) {
			t.Errorf("another error: %v", err)
		}
	})
}

func TestOpenRefuses(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for _, url := range []string{"", "mysql://x", "sqlite:", "sqlite:a?b=c", "postgres://user:hunter2@127.0.0.1:1/none?connect_timeout=1", "postgres://user:hunter2@[bad"} {
		_, err := store.Open(ctx, url, "issuer")
		if err == nil {
			t.Errorf("%q was opened", url)
			continue
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the password is in the error: %v", err)
		}
	}
}

// TestNothingToMigrateWaitsForNobody: a replica starts while another one holds the
// lock of migrations.
func TestNothingToMigrateWaitsForNobody(t *testing.T) {
	db := storetest.Open(t, store.Postgres, "issuer")
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Second)
	defer cancel()
	other, err := db.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := other.ExecContext(ctx, `SELECT pg_advisory_lock($1)`, lock.DefaultLockID); err != nil {
		t.Fatal(err)
	}
	if err := db.Migrate(ctx); err != nil {
		t.Error(err)
	}
}

// TestLaterSchema: a program does not work on a database that a later one migrated.
func TestLaterSchema(t *testing.T) {
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		if err := db.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, $1)`, true); err != nil {
			t.Fatal(err)
		}
		if err := db.Migrate(t.Context()); !errors.Is(err, store.ErrSchemaNewer) {
			t.Error(err)
		}
	})
}

func TestMigrateByManyAtOnce(t *testing.T) {
	url := storetest.URL(t, store.Postgres, "issuer")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			db, err := store.Open(context.Background(), url, "issuer")
			if err != nil {
				t.Error(err)
				return
			}
			defer db.Close()
			if err := db.Migrate(context.Background()); err != nil {
				t.Errorf("%v: %v", err, errors.Unwrap(err))
			}
		})
	}
	wg.Wait()
}

func TestSQLiteFileIsPrivate(t *testing.T) {
	url := storetest.URL(t, store.SQLite, "issuer")
	storetest.Reopen(t, url, "issuer") // which makes the file
	fi, err := os.Stat(strings.TrimPrefix(url, "sqlite:"))
	if err != nil || fi.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v", fi.Mode(), err)
	}
}

// TestScrub: what was deleted is in none of SQLite's files, unless somebody reads a
// state from before; that does not hold up writers.
func TestScrub(t *testing.T) {
	url := storetest.URL(t, store.SQLite, "issuer")
	db := storetest.Reopen(t, url, "issuer")
	path := strings.TrimPrefix(url, "sqlite:")
	const secret = "a name that nobody may find any more"
	found := func() bool {
		t.Helper()
		for _, name := range []string{path, path + "-wal"} {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(b, []byte(secret)) {
				return true
			}
		}
		return false
	}
	write := func(query string, args ...any) {
		t.Helper()
		if err := db.Write(t.Context(), func(tx *sql.Tx) error {
			_, err := tx.Exec(query, args...)
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	write(`INSERT INTO batches (id, operator, approver, at, created) VALUES ('1', $1, '', 0, 0)`, secret)
	reader, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if _, err := reader.ExecContext(t.Context(), `BEGIN`); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := reader.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM batches`).Scan(&n); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	write(`DELETE FROM batches`)
	db.Scrub(t.Context())
	if !found() {
		t.Fatal("the test sees nothing")
	}
	write(`INSERT INTO batches (id, operator, approver, at, created) VALUES ('2', '', '', 0, 0)`)
	if _, err := reader.ExecContext(t.Context(), `ROLLBACK`); err != nil {
		t.Fatal(err)
	}
	db.Scrub(t.Context())
	if found() {
		t.Error("what was deleted is in the files")
	}
	write(`DELETE FROM batches`)
}

// TestWriterIsSpared: what a statement would take back stays in memory, and the
// log of changes is copied seldom.
func TestWriterIsSpared(t *testing.T) {
	db := storetest.Open(t, store.SQLite, "issuer")
	for name, want := range map[string]int{"temp_store": 2, "wal_autocheckpoint": 16 << 20 / 4096} {
		var n int
		err := db.Write(t.Context(), func(tx *sql.Tx) error { return tx.QueryRow(`PRAGMA ` + name).Scan(&n) })
		if err != nil || n != want {
			t.Errorf("%s is %d, %v", name, n, err)
		}
	}
}

func TestAll(t *testing.T) {
	storetest.Each(t, "issuer", func(t *testing.T, db *store.DB) {
		numbers := `SELECT 1 AS n UNION ALL SELECT 2 UNION ALL SELECT 3 ORDER BY n`
		rows, err := db.Query(numbers)
		if got, err := store.All(rows, err, store.One[int]); err != nil || len(got) != 3 || got[0] != 1 || got[2] != 3 {
			t.Errorf("%v %v", got, err)
		}
		rows, err = db.Query(`SELECT 1 AS n WHERE 1 = 0`)
		if got, err := store.All(rows, err, store.One[int]); err != nil || got == nil || len(got) != 0 {
			t.Errorf("no rows: %v %v", got, err)
		}
		rows, err = db.Query(`SELECT nothing FROM nowhere`)
		if got, err := store.All(rows, err, store.One[int]); err == nil || got != nil {
			t.Errorf("no such table: %v", got)
		}
		broken := errors.New("broken")
		rows, err = db.Query(numbers)
		got, err := store.All(rows, err, func(r *sql.Rows) (n int, err error) {
			if err = r.Scan(&n); n == 2 {
				err = broken
			}
			return n, err
		})
		if !errors.Is(err, broken) || got != nil {
			t.Errorf("a row that cannot be read: %v %v", got, err)
		}
		if n := db.Stats().InUse; n != 0 {
			t.Errorf("%d queries are still open", n)
		}
	})
}

// TestKeptStatements: a statement that is kept gives each caller its own rows,
// also one who asks while another reads, and sees a table that was changed.
func TestKeptStatements(t *testing.T) {
	storetest.Each(t, "wallet", func(t *testing.T, db *store.DB) {
		ctx := context.Background()
		read := func(q interface {
			QueryContext(context.Context, string, ...any) (*sql.Rows, error)
		}, from int, each func(int)) (all []int) {
			rs, err := q.QueryContext(ctx, `SELECT * FROM kept WHERE n >= $1 ORDER BY n`, from)
			if err != nil {
				t.Fatal(err)
			}
			defer rs.Close()
			for rs.Next() {
				var n int
				if err := rs.Scan(&n); err != nil {
					t.Fatal(err)
				}
				all = append(all, n)
				each(n)
			}
			if err := rs.Err(); err != nil {
				t.Fatal(err)
			}
			return all
		}
		if _, err := db.Exec(`CREATE TABLE kept (n BIGINT)`); err != nil {
			t.Fatal(err)
		}
		for n := range 5 {
			if _, err := db.Exec(`INSERT INTO kept VALUES ($1)`, n); err != nil {
				t.Fatal(err)
			}
		}
		if db.Engine == store.SQLite { // PostgreSQL reads one answer of a connection at a time
			err := db.Write(ctx, func(tx *sql.Tx) error {
				all := read(tx, 0, func(n int) {
					if inner := read(tx, n, func(int) {}); len(inner) != 5-n {
						t.Errorf("from %d: %v", n, inner)
					}
				})
				if len(all) != 5 {
					t.Errorf("%v", all)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		for n := range 200 { // more than are kept
			var got int
			if err := db.QueryRow(`SELECT ` + strconv.Itoa(n) + ` + COUNT(*) FROM kept`).Scan(&got); err != nil || got != n+5 {
				t.Fatal(got, err)
			}
		}
		if _, err := db.Exec(`DELETE FROM nothing WHERE n = $1`, 1); err == nil {
			t.Error("a table that is not there")
		}
		if _, err := db.Exec(`INSERT INTO kept VALUES ($1, 2)`, 1); err == nil {
			t.Error("a column that is not there")
		}
		for _, change := range []string{`DELETE FROM kept WHERE n = 0`, `DROP TABLE kept`, `CREATE TABLE kept (n BIGINT)`} {
			if _, err := db.Exec(change); err != nil {
				t.Fatal(change, err)
			}
		}
		if all := read(db, 0, func(int) {}); len(all) != 0 {
			t.Errorf("rows of a table that is gone: %v", all)
		}
	})
}

// TestAmong: values to look among come in powers of two, and nothing is lost or
// added.
func TestAmong(t *testing.T) {
	for n := 1; n < 300; n++ {
		in := make([]int, n)
		for i := range in {
			in[i] = i
		}
		marks, args := store.Among(&store.DB{Engine: store.Postgres}, in)
		if len(args) < n || len(args) >= 2*n || len(args)&(len(args)-1) != 0 || !strings.HasSuffix(marks, fmt.Sprintf("$%d)", len(args))) {
			t.Fatalf("%d for %d: %s", len(args), n, marks)
		}
		for i, v := range args {
			if v != min(i, n-1) {
				t.Fatalf("of %d: %v", n, args)
			}
		}
	}
	if marks, _ := store.Among(&store.DB{Engine: store.SQLite}, []int{1, 2, 3}); marks != "(?,?,?,?)" {
		t.Error(marks)
	}
}
