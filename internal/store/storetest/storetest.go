// Package storetest gives a test its own migrated database, on SQLite and on
// PostgreSQL.
//
// PostgreSQL is used where $KINPASS_TEST_POSTGRES holds the URL of a server on
// which databases may be made; test.sh starts one. Without it those tests are
// skipped, or fail when KINPASS_REQUIRE_POSTGRES=1.
//
// Migrating takes longer than most tests, so it is done once: SQLite gets a copy
// of a migrated file, and PostgreSQL keeps a template for each state of the
// migrations, named kinpass_template_ROLE_HASH.
package storetest

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"flag"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the pgx driver
	"modernc.org/sqlite"

	"github.com/kinpass/kinpass/internal/store"
	"github.com/kinpass/kinpass/migrations"
)

// Tests kill processes and pull no plug: SQLite need not wait for the disk, as
// test.sh has PostgreSQL not wait for it. Benchmarks do, so that their figures
// are those of durable commits.
func init() {
	sqlite.RegisterConnectionHook(func(c sqlite.ExecQuerierContext, _ string) error {
		if f := flag.Lookup("test.bench"); f == nil || f.Value.String() != "" {
			return nil
		}
		_, err := c.ExecContext(context.Background(), "PRAGMA synchronous=OFF", nil)
		return err
	})
}

// Volume is called by tests that are long because of how much they read or write.
// Under the race detector, which makes them ten times as long and learns nothing
// from more of the same, they are left to test.sh, which runs them without it:
// therefore their names tell them. "./test.sh long" has them with it.
func Volume(t testing.TB) {
	t.Helper()
	if !volume.MatchString(t.Name()) {
		t.Fatalf("test.sh knows these tests by %s in their names", volume)
	}
	if race && os.Getenv("KINPASS_LONG") != "1" {
		t.Skip("without the race detector: see test.sh")
	}
}

// volume stands in test.sh, too.
var volume = regexp.MustCompile(`Import|Killed|Made|EveryForm`)

// Each runs fn once per engine, each time with an empty, migrated database.
func Each(t *testing.T, role string, fn func(t *testing.T, db *store.DB)) {
	t.Helper()
	for _, engine := range []string{store.SQLite, store.Postgres} {
		t.Run(engine, func(t *testing.T) { fn(t, Open(t, engine, role)) })
	}
}

// Open gives an empty, migrated database that is gone when the test ends.
func Open(t testing.TB, engine, role string) *store.DB {
	t.Helper()
	if engine == store.Postgres {
		server(t) // skips where there is none
		return Reopen(t, create(t, template(t, role)), role)
	}
	url := URL(t, engine, role)
	if err := os.WriteFile(strings.TrimPrefix(url, "sqlite:"), migratedFile(t, role), 0o600); err != nil {
		t.Fatal(err)
	}
	return Reopen(t, url, role)
}

// once keeps what a process makes once for each role.
type once struct {
	sync.Mutex
	made map[string]string
}

func (o *once) get(role string, make func() string) string {
	o.Lock()
	defer o.Unlock()
	v, ok := o.made[role]
	if !ok {
		v = make() // a test that fails here leaves nothing
		o.made[role] = v
	}
	return v
}

var files, templates = once{made: map[string]string{}}, once{made: map[string]string{}}

// migratedFile gives a migrated SQLite database as a file's content.
func migratedFile(t testing.TB, role string) []byte {
	t.Helper()
	return []byte(files.get(role, func() string {
		path := filepath.Join(t.TempDir(), "template.db")
		ctx := context.Background()
		db, err := store.Open(ctx, "sqlite:"+path, role)
		if err == nil {
			err = db.Migrate(ctx)
		}
		if err == nil {
			_, err = db.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
		}
		if err == nil {
			err = db.Close()
		}
		content, rerr := os.ReadFile(path)
		if err != nil || rerr != nil {
			t.Fatalf("making the template: %v %v (%v)", err, rerr, cause(err))
		}
		return string(content)
	}))
}

// template gives the name of a migrated database on the server, which other
// packages' tests may be making at the same time.
func template(t testing.TB, role string) string {
	t.Helper()
	return templates.get(role, func() string {
		name := "kinpass_template_" + role + "_" + stateOf(t, role)
		ctx := context.Background()
		admin, err := sql.Open("pgx", server(t))
		if err != nil {
			t.Fatal(err)
		}
		defer admin.Close()
		c, err := admin.Conn(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close() // gives the lock back, too
		var ready bool
		if _, err = c.ExecContext(ctx, `SELECT pg_advisory_lock(hashtext($1))`, name); err == nil {
			err = c.QueryRowContext(ctx, `SELECT COUNT(*) > 0 FROM pg_database WHERE datname = $1 AND datistemplate`, name).Scan(&ready)
		}
		if err != nil {
			t.Fatal(err)
		}
		if ready {
			return name
		}
		for _, statement := range []string{"DROP DATABASE IF EXISTS " + name, "CREATE DATABASE " + name + " TEMPLATE template0"} {
			if _, err := c.ExecContext(ctx, statement); err != nil {
				t.Fatal(err)
			}
		}
		db, err := store.Open(ctx, at(t, name), role)
		if err == nil {
			err = db.Migrate(ctx)
			db.Close()
		}
		if err == nil {
			_, err = c.ExecContext(ctx, "ALTER DATABASE "+name+" IS_TEMPLATE true")
		}
		if err != nil {
			t.Fatalf("making the template: %v (%v)", err, cause(err))
		}
		return name
	})
}

// stateOf names the migrations of a role on PostgreSQL by their content.
func stateOf(t testing.TB, role string) string {
	t.Helper()
	sum := sha256.New()
	err := fs.WalkDir(migrations.Files, "postgres/"+role, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := migrations.Files.ReadFile(path)
		sum.Write([]byte(path))
		sum.Write(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(sum.Sum(nil)[:6])
}

// Reopen opens a database that URL made, once more: as a restarted process or
// a second replica would.
func Reopen(t testing.TB, url, role string) *store.DB {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	db, err := store.Open(ctx, url, role)
	if err != nil {
		t.Fatalf("opening the test database: %v (%v)", err, cause(err))
	}
	t.Cleanup(func() { db.Close() })
	if err := db.Migrate(ctx); err != nil {
		t.Fatalf("migrating the test database: %v (%v)", err, cause(err))
	}
	return db
}

// URL makes an empty database, without a schema, and gives its URL.
func URL(t testing.TB, engine, role string) string {
	t.Helper()
	if engine == store.SQLite {
		return "sqlite:" + filepath.Join(t.TempDir(), role+".db")
	}
	return create(t, "template0")
}

// server gives the URL of the PostgreSQL server.
func server(t testing.TB) string {
	t.Helper()
	url := os.Getenv("KINPASS_TEST_POSTGRES")
	if url == "" {
		if os.Getenv("KINPASS_REQUIRE_POSTGRES") == "1" {
			t.Fatal("KINPASS_TEST_POSTGRES is not set")
		}
		t.Skip("no PostgreSQL: set KINPASS_TEST_POSTGRES, or run ./test.sh")
	}
	return url
}

// at gives the URL of a database on the server.
func at(t testing.TB, name string) string {
	t.Helper()
	u, err := url.Parse(server(t))
	if err != nil {
		t.Fatal("KINPASS_TEST_POSTGRES is not a URL")
	}
	u.Path = "/" + name
	return u.String()
}

// create makes a database that is gone when the test ends.
func create(t testing.TB, template string) string {
	t.Helper()
	server := server(t)
	admin, err := sql.Open("pgx", server)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	name := "kinpass_test_" + strings.ToLower(strings.NewReplacer("-", "x", "_", "y").Replace(store.Random(12)))
	for try := 0; ; try++ {
		// Two databases made at once can collide over the template; the next
		// attempt succeeds.
		_, err = admin.Exec("CREATE DATABASE " + name + " TEMPLATE " + template)
		if err == nil {
			break
		}
		if try == 20 {
			t.Fatalf("making a test database: %v", err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Cleanup(func() {
		admin, err := sql.Open("pgx", server)
		if err != nil {
			return
		}
		defer admin.Close()
		admin.Exec("DROP DATABASE IF EXISTS " + name + " WITH (FORCE)")
	})
	return at(t, name)
}

func cause(err error) error {
	for {
		u, ok := err.(interface{ Unwrap() error })
		if !ok || u.Unwrap() == nil {
			return err
		}
		err = u.Unwrap()
	}
}

// Scrubbed fails the test if SQLite's log of changes holds anything, as it does
// after every write but before Scrub.
func Scrubbed(t testing.TB, db *store.DB) {
	t.Helper()
	if db.Engine != store.SQLite {
		return
	}
	var path string
	if err := db.QueryRow(`SELECT file FROM pragma_database_list WHERE name = 'main'`).Scan(&path); err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Stat(path + "-wal"); err != nil || fi.Size() > 0 {
		t.Errorf("what was deleted is still in the log of changes: %v, %v", fi, err)
	}
}
