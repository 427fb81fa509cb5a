package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/kinpass/kinpass/internal/fault"
)

// Token is an API token without its secret. A zero Expires means no end.
type Token struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Role    string    `json:"role"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires,omitzero"`
	Revoked bool      `json:"revoked,omitempty"`
	Account string    `json:"account,omitempty"` // whose token it is; "" for one that stands for itself
}

// Caller gives the id that the token acts under: that of its account, or its
// own. A guardian's wallet has this id, so that several tokens and the devices
// of an account open the same wallet.
func (t Token) Caller() string {
	if t.Account != "" {
		return t.Account
	}
	return t.ID
}

// Errors about tokens. One error serves for unknown, expired and revoked, so
// that nobody learns which.
var (
	ErrToken       = fault.New(fault.Unauthenticated, "token-invalid", "the API token is missing, unknown, expired or revoked").WithHint("make a token with: kinpass token add")
	ErrTokenName   = fault.New(fault.Invalid, "token-name", "the name of a token has 1 to 80 printable characters").WithHint("name the person or the system that holds it")
	ErrTokenOwner  = fault.New(fault.NotFound, "no-such-account", "there is no such account, it has another role or it is closed").WithHint("list the accounts with: kinpass admin list")
	ErrNoSuchToken = fault.New(fault.NotFound, "no-such-token", "there is no such token")
)

// tokenPrefix lets secret scanners find a token that leaked.
const tokenPrefix = "kinpass_"

// Random gives n random bytes as base64url without padding.
func Random(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(b)
}

// Micros gives t as stored in the database: microseconds since 1970, UTC; the
// zero time is 0.
func Micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// Time is the way back from Micros.
func Time(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// AddToken makes a token and gives its secret, which is stored nowhere. The
// secret has 256 random bits, so a plain hash protects it.
func (db *DB) AddToken(ctx context.Context, name, role string, expires time.Time) (string, Token, error) {
	if !printable(name) {
		return "", Token{}, ErrTokenName
	}
	t := Token{ID: Random(12), Name: name, Role: role, Created: time.Now().UTC().Truncate(time.Second), Expires: expires}
	secret := tokenPrefix + Random(32)
	hash := sha256.Sum256([]byte(secret))
	err := db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO tokens (id, hash, name, role, created, expires) VALUES ($1,$2,$3,$4,$5,$6)`,
			t.ID, hash[:], t.Name, t.Role, Micros(t.Created), Micros(expires))
		return err
	})
	if err != nil {
		return "", Token{}, err
	}
	return secret, t, nil
}

// AddTokenOf makes a token that acts as an account of the same role, which must
// be there and open.
func (db *DB) AddTokenOf(ctx context.Context, account string, t Token) (string, Token, error) {
	if !printable(t.Name) {
		return "", Token{}, ErrTokenName
	}
	secret := tokenPrefix + Random(32)
	hash := sha256.Sum256([]byte(secret))
	t.ID, t.Account, t.Created, t.Revoked = Random(12), account, time.Now().UTC().Truncate(time.Second), false
	err := db.Write(ctx, func(tx *sql.Tx) error {
		r, err := tx.ExecContext(ctx, `INSERT INTO tokens (id, hash, name, role, created, expires, account)
			SELECT $1,$2,$3,$4,$5,$6,id FROM accounts WHERE id = $7 AND role = $4 AND disabled = 0`,
			t.ID, hash[:], t.Name, t.Role, Micros(t.Created), Micros(t.Expires), account)
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n == 0 {
			return ErrTokenOwner.With(err)
		}
		return nil
	})
	if err != nil {
		return "", Token{}, err
	}
	return secret, t, nil
}

// printable reports whether a name can be shown on one line of a screen.
func printable(name string) bool {
	if !utf8.ValidString(name) || strings.TrimSpace(name) == "" || utf8.RuneCountInString(name) > 80 {
		return false
	}
	for _, r := range name {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// TokenBySecret finds the token that a caller presents, as it is now: it reads the
// database after it was called, together with others who ask at the same time.
func (db *DB) TokenBySecret(ctx context.Context, secret string, now time.Time) (Token, error) {
	if !strings.HasPrefix(secret, tokenPrefix) || len(secret) > 128 {
		return Token{}, ErrToken
	}
	t, ok, err := db.lookups.token(ctx, sha256.Sum256([]byte(secret)), db.tokensByHash)
	if err != nil {
		return Token{}, err
	}
	if !ok {
		return Token{}, ErrToken
	}
	if t.Revoked || (!t.Expires.IsZero() && !now.Before(t.Expires)) {
		return Token{}, ErrToken
	}
	return t, nil
}

// tokensByHash finds tokens, also those that ended. What is not there is not in
// the answer.
func (db *DB) tokensByHash(ctx context.Context, hashes []hash) (map[hash]Token, error) {
	if db.Engine == Postgres { // another machine; and SQLite's driver starts a goroutine for each statement that can end early
		var cancel func()
		ctx, cancel = context.WithTimeout(ctx, sharedTime)
		defer cancel()
	}
	found := make(map[hash]Token, len(hashes))
	for part := range slices.Chunk(hashes, 128) {
		bytes := make([][]byte, len(part))
		for i := range part {
			bytes[i] = part[i][:]
		}
		among, values := Among(db, bytes)
		// A closed account closes its tokens, and the token that it grew from.
		rows, err := db.QueryContext(ctx, `SELECT t.id, t.name, t.role, t.created, t.expires,
			CASE WHEN a.disabled = 1 OR (t.account <> '' AND a.id IS NULL) THEN 1 ELSE t.revoked END, t.account, t.hash
			FROM tokens t LEFT JOIN accounts a ON a.id = CASE WHEN t.account = '' THEN t.id ELSE t.account END WHERE t.hash IN `+among, values...)
		_, err = All(rows, err, func(r *sql.Rows) (struct{}, error) {
			var h []byte
			t, err := scanToken(r, &h)
			if err == nil {
				found[hash(h)] = t
			}
			return struct{}{}, err
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// Tokens lists all tokens, oldest first.
func (db *DB) Tokens(ctx context.Context) ([]Token, error) {
	rows, err := db.QueryContext(ctx, `SELECT id, name, role, created, expires, revoked, account FROM tokens ORDER BY created, id`)
	return All(rows, err, func(r *sql.Rows) (Token, error) { return scanToken(r) })
}

// RevokeToken ends a token at once.
func (db *DB) RevokeToken(ctx context.Context, id string) error {
	return db.Write(ctx, func(tx *sql.Tx) error {
		r, err := tx.ExecContext(ctx, `UPDATE tokens SET revoked = 1 WHERE id = $1`, id)
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n == 0 {
			return ErrNoSuchToken.With(err)
		}
		return nil
	})
}

// scanToken reads a token, and what stands behind it into more.
func scanToken(row *sql.Rows, more ...any) (Token, error) {
	var t Token
	var created, expires, revoked int64
	err := row.Scan(append([]any{&t.ID, &t.Name, &t.Role, &created, &expires, &revoked, &t.Account}, more...)...)
	t.Created, t.Expires, t.Revoked = Time(created), Time(expires), revoked != 0
	return t, err
}
