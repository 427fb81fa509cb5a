package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
)

// keptStatements bounds the statements that a connection keeps, and
// longestKept their text in bytes: the longest insert that there is.
const (
	keptStatements = 64
	longestKept    = 8 << 10
)

// keeper makes connections to SQLite that keep the statements they prepared.
// database/sql prepares a statement for each call and forgets it; of a short one
// that takes longer than what it does. PostgreSQL's driver keeps its own.
type keeper struct {
	dsn    string
	driver driver.Driver
}

func openKeeping(name, dsn string) (*sql.DB, error) {
	db, err := sql.Open(name, dsn)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	return sql.OpenDB(keeper{dsn, db.Driver()}), nil
}

// Connect is for database/sql.
func (k keeper) Connect(context.Context) (driver.Conn, error) {
	c, err := k.driver.Open(k.dsn)
	if err != nil {
		return nil, err
	}
	return &keeping{fullConn: c.(fullConn), kept: map[string]*statement{}}, nil
}

// Driver is for database/sql.
func (k keeper) Driver() driver.Driver { return k.driver }

// fullConn is what SQLite's driver gives.
type fullConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
	driver.ExecerContext
	driver.QueryerContext
}

// keeping is a connection. database/sql lets one caller at a time use it.
type keeping struct {
	fullConn
	kept  map[string]*statement
	clock int64
}

// statement is prepared. While its rows are being read it cannot be used again.
type statement struct {
	driver.Stmt
	exec   driver.StmtExecContext
	query  driver.StmtQueryContext
	used   int64
	inRows bool
}

// statement gives the prepared statement of a text; nil if it cannot be kept or
// used now.
func (c *keeping) statement(ctx context.Context, text string) (*statement, error) {
	c.clock++
	s := c.kept[text]
	if s == nil {
		if len(text) > longestKept {
			return nil, nil
		}
		p, err := c.PrepareContext(ctx, text)
		if err != nil {
			return nil, err
		}
		s = &statement{Stmt: p}
		s.exec, _ = p.(driver.StmtExecContext)
		s.query, _ = p.(driver.StmtQueryContext)
		if s.exec == nil || s.query == nil {
			return nil, p.Close()
		}
		c.makeRoom()
		c.kept[text] = s
	}
	if s.inRows {
		return nil, nil
	}
	s.used = c.clock
	return s, nil
}

// makeRoom forgets the statement that was not used for the longest time.
func (c *keeping) makeRoom() {
	if len(c.kept) < keptStatements {
		return
	}
	oldest := ""
	for text, s := range c.kept {
		if !s.inRows && (oldest == "" || s.used < c.kept[oldest].used) {
			oldest = text
		}
	}
	c.forget(oldest)
}

func (c *keeping) forget(text string) {
	if s := c.kept[text]; s != nil && !s.inRows {
		delete(c.kept, text)
		s.Close()
	}
}

// ExecContext is for database/sql.
func (c *keeping) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	s, err := c.statement(ctx, text)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return c.fullConn.ExecContext(ctx, text, args)
	}
	r, err := s.exec.ExecContext(ctx, args)
	if err != nil {
		c.forget(text)
	}
	return r, err
}

// QueryContext is for database/sql.
func (c *keeping) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	s, err := c.statement(ctx, text)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return c.fullConn.QueryContext(ctx, text, args)
	}
	r, err := s.query.QueryContext(ctx, args)
	if err != nil {
		c.forget(text)
		return nil, err
	}
	s.inRows = true
	return &keptRows{r, s}, nil
}

// Close closes the statements and the connection.
func (c *keeping) Close() error {
	for text, s := range c.kept {
		s.inRows = false
		c.forget(text)
	}
	return c.fullConn.Close()
}

// keptRows are the rows of a statement that is kept.
type keptRows struct {
	driver.Rows
	of *statement
}

// Close makes the statement free for another use.
func (r *keptRows) Close() error {
	r.of.inRows = false
	return r.Rows.Close()
}
