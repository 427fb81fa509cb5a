// Package storetest gives a test its own migrated database, on SQLite and on
// PostgreSQL.
//
// PostgreSQL is used where $KINPASS_TEST_POSTGRES holds the URL of a server on
// which databases may be made; test.sh starts one. Without it those tests are
// skipped, or fail when KINPASS_REQUIRE_POSTGRES=1.
package storetest

import (
	"context"
	"database/sql"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the pgx driver

	"github.com/kinpass/kinpass/internal/store"
)

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
	return Reopen(t, URL(t, engine, role), role)
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

// URL makes an empty database and gives its URL.
func URL(t testing.TB, engine, role string) string {
	t.Helper()
	if engine == store.SQLite {
		return "sqlite:" + filepath.Join(t.TempDir(), role+".db")
	}
	server := os.Getenv("KINPASS_TEST_POSTGRES")
	if server == "" {
		if os.Getenv("KINPASS_REQUIRE_POSTGRES") == "1" {
			t.Fatal("KINPASS_TEST_POSTGRES is not set")
		}
		t.Skip("no PostgreSQL: set KINPASS_TEST_POSTGRES, or run ./test.sh")
	}
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal("KINPASS_TEST_POSTGRES is not a URL")
	}
	admin, err := sql.Open("pgx", server)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	name := "kinpass_test_" + strings.ToLower(strings.NewReplacer("-", "x", "_", "y").Replace(store.Random(12)))
	for try := 0; ; try++ {
		// Two databases made at once can collide over the template; the next
		// attempt succeeds.
		_, err = admin.Exec("CREATE DATABASE " + name + " TEMPLATE template0")
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
	u.Path = "/" + name
	return u.String()
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
