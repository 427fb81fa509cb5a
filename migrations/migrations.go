// Package migrations holds the database schema of every role, for SQLite and
// PostgreSQL, forward only and built into the binary.
package migrations

import "embed"

// Files has one folder per engine and role: sqlite/issuer, postgres/wallet, ….
//
//go:embed sqlite postgres
var Files embed.FS
