// Package store opens a role's database, SQLite or PostgreSQL, brings its
// schema up to date and runs write transactions that survive contention.
//
// A database URL is "sqlite:PATH" or "postgres://…". On PostgreSQL each role
// has a schema of its own, named after the role.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	"modernc.org/sqlite"

	"github.com/kinpass/kinpass/internal/fault"
	"github.com/kinpass/kinpass/migrations"
)

// Engines.
const (
	SQLite   = "sqlite"
	Postgres = "postgres"
)

// Errors of this package. A database URL can hold a password, so none repeats
// it.
var (
	ErrURL         = fault.New(fault.Invalid, "database-url", "the database URL must begin with sqlite: or postgres://").WithHint("the file named by --db-file holds one line, such as postgres://issuer:PASSWORD@host/kinpass")
	ErrUnreachable = fault.New(fault.Unavailable, "database-unreachable", "the database cannot be reached").WithHint("check that it runs, and the URL in the file named by --db-file")
	ErrSchemaNewer = fault.New(fault.Unavailable, "database-schema-newer", "the database is of a later version of this program").WithHint("start that version; before a new one is started for the first time, stop every replica of the old one")
	ErrSchema      = fault.New(fault.Unavailable, "database-schema", "the database schema is not up to date")
)

// DB is an open database of one role.
type DB struct {
	*sql.DB
	Engine string
	Role   string
	path   string     // of a SQLite database
	write  sync.Mutex // SQLite has one writer: queue here instead of polling its lock
	// writer is what Write uses. Of SQLite it is one connection, since a connection
	// forgets the pages that it read when another one wrote. Of PostgreSQL it is
	// connections that never read a whole table where there is an index, whatever
	// the statistics say: those of a table that grows fast are old.
	writer  *sql.DB
	lookups lookups // of tokens
}

// Close closes the database.
func (db *DB) Close() error {
	return errors.Join(db.writer.Close(), db.DB.Close())
}

// busyTimeout is how long SQLite waits for another process, in milliseconds.
const busyTimeout = "15000"

// Open connects to the database of a role and makes sure that it answers. It
// does not migrate.
func Open(ctx context.Context, url, role string) (*DB, error) {
	switch {
	case strings.HasPrefix(url, "sqlite:"):
		return openSQLite(ctx, strings.TrimPrefix(url, "sqlite:"), role)
	case strings.HasPrefix(url, "postgres://"), strings.HasPrefix(url, "postgresql://"):
		return openPostgres(ctx, url, role)
	}
	return nil, ErrURL
}

func openSQLite(ctx context.Context, path, role string) (*DB, error) {
	if path == "" || strings.ContainsAny(path, "?#%") {
		return nil, ErrURL.WithDetail("the path of a SQLite database must not be empty or hold ?, # or %")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, ErrUnreachable.With(err)
	}
	// The file is made here so that nobody else can read it, whatever the umask.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, ErrUnreachable.With(err)
	}
	f.Close()
	// synchronous=FULL: a commit that was answered survives a power cut.
	dsn := "file:" + path + "?_txlock=immediate&_pragma=busy_timeout(" + busyTimeout + ")&_pragma=journal_mode(WAL)" +
		"&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)&_pragma=secure_delete(1)"
	db, err := openKeeping("sqlite", dsn)
	if err != nil {
		return nil, ErrUnreachable.With(err)
	}
	db.SetMaxOpenConns(8)
	db.SetMaxIdleConns(8)
	if err := db.PingContext(ctx); err != nil {
		db.Close()
		return nil, ErrUnreachable.With(err)
	}
	// What many transactions change again and again is copied into the database
	// once for many of them: the log of them may be 16 MiB long. A statement that adds
	// several rows keeps the pages that it changes, to take it back: in memory, not in
	// a file. Who reads may use files, to sort what is large.
	writer, err := openKeeping("sqlite", dsn+"&_pragma=cache_size(-16384)&_pragma=wal_autocheckpoint(4096)&_pragma=temp_store(2)")
	if err != nil {
		db.Close()
		return nil, ErrUnreachable.With(err)
	}
	writer.SetMaxOpenConns(1)
	return &DB{DB: db, Engine: SQLite, Role: role, path: path, writer: writer}, nil
}

func openPostgres(ctx context.Context, url, role string) (*DB, error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, ErrURL.WithDetail("the postgres:// URL cannot be read") // the cause would repeat it
	}
	cfg.RuntimeParams["search_path"] = role
	if cfg.RuntimeParams["application_name"] == "" {
		cfg.RuntimeParams["application_name"] = "kinpass " + role
	}
	pool := func(most int, opts ...stdlib.OptionOpenDB) *sql.DB {
		db := stdlib.OpenDB(*cfg, opts...)
		db.SetMaxOpenConns(most)
		db.SetMaxIdleConns(most)
		db.SetConnMaxIdleTime(5 * time.Minute)
		return db
	}
	db := pool(16)
	if err := db.PingContext(ctx); err != nil {
		db.Close()
		return nil, ErrUnreachable.With(err)
	}
	writer := pool(8, stdlib.OptionAfterConnect(func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, `SET enable_seqscan = off; SET jit = off`) // what has no index looks expensive then
		return err
	}))
	return &DB{DB: db, Engine: Postgres, Role: role, writer: writer}, nil
}

// Migrate brings the role's schema up to date. Replicas may call it at the
// same time; on PostgreSQL one does the work while the others wait, and where there
// is none nobody does.
func (db *DB) Migrate(ctx context.Context) error {
	files, err := fs.Sub(migrations.Files, db.Engine+"/"+db.Role)
	if err != nil {
		return err
	}
	var opts []goose.ProviderOption
	dialect := goose.DialectSQLite3
	if db.Engine == Postgres {
		dialect = goose.DialectPostgres
		if err := db.createSchema(ctx); err != nil {
			return err
		}
		locker, err := lock.NewPostgresSessionLocker()
		if err != nil {
			return err
		}
		opts = append(opts, goose.WithSessionLocker(locker))
	} else {
		unlock, err := Lock(ctx, db.path+".lock")
		if err != nil {
			return ErrSchema.With(err)
		}
		defer unlock()
	}
	p, err := goose.NewProvider(dialect, db.DB, files, opts...)
	if err != nil {
		return err
	}
	// A schema of a later version is not what this one's statements were written for.
	has, knows, err := p.GetVersions(ctx)
	if err != nil {
		return ErrSchema.With(err)
	}
	if has > knows {
		return ErrSchemaNewer
	}
	if db.Engine == Postgres {
		// A replica that starts again has nothing to do here and waits for nobody: who
		// finds the lock taken asks for it every five seconds.
		if pending, err := p.HasPending(ctx); err == nil && !pending {
			return nil
		}
	}
	if _, err := p.Up(ctx); err != nil {
		return ErrSchema.With(err)
	}
	return nil
}

func (db *DB) createSchema(ctx context.Context) error {
	// Two replicas may race here: IF NOT EXISTS can still break the catalog's
	// unique index, which then means that the other one made it.
	_, err := db.ExecContext(ctx, fmt.Sprintf(`CREATE SCHEMA IF NOT EXISTS %q`, db.Role))
	if err != nil && !IsUnique(err) {
		return ErrSchema.With(err)
	}
	return nil
}

// Write runs fn in one write transaction and commits it. When the database
// reports a passing conflict (busy, serialization failure, deadlock) the whole
// of fn runs again, so fn must not keep what an earlier run gave it.
func (db *DB) Write(ctx context.Context, fn func(tx *sql.Tx) error) error {
	if db.Engine == SQLite {
		db.write.Lock()
		defer db.write.Unlock()
	}
	for try := 0; ; try++ {
		err := db.once(ctx, fn)
		if err == nil || !passing(err) || try == 9 || ctx.Err() != nil {
			return err
		}
		wait := time.Duration(1<<try) * time.Millisecond
		wait += rand.N(wait)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (db *DB) once(ctx context.Context, fn func(tx *sql.Tx) error) error {
	tx, err := db.writer.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after Commit
	if err := fn(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// All reads the rows of a query, each with scan, and closes them. rows and err are
// what the query gave. Without rows it gives an empty slice, not nil.
func All[T any](rows *sql.Rows, err error, scan func(*sql.Rows) (T, error)) ([]T, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := []T{}
	for rows.Next() {
		x, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	return out, rows.Err()
}

// One scans a row of one column, for All.
func One[T any](rows *sql.Rows) (x T, err error) {
	err = rows.Scan(&x)
	return x, err
}

// passing reports whether the same transaction may succeed when run again.
func passing(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code == "40001" || pg.Code == "40P01"
	}
	var lite *sqlite.Error
	if errors.As(err, &lite) {
		return lite.Code()&0xff == 5 || lite.Code()&0xff == 6 // SQLITE_BUSY, SQLITE_LOCKED
	}
	return false
}

// IsUnique reports whether err says that a UNIQUE or PRIMARY KEY constraint
// was broken.
func IsUnique(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code == "23505"
	}
	var lite *sqlite.Error
	if errors.As(err, &lite) {
		return lite.Code() == 1555 || lite.Code() == 2067 // SQLITE_CONSTRAINT_PRIMARYKEY, _UNIQUE
	}
	return false
}
