package store

import (
	"context"
	"crypto/sha256"
)

// TokensAtOnce looks for tokens by their secrets, with one lookup.
func (db *DB) TokensAtOnce(ctx context.Context, secrets []string) (map[string]Token, error) {
	var asked []hash
	for _, s := range secrets {
		asked = append(asked, sha256.Sum256([]byte(s)))
	}
	found, err := db.tokensByHash(ctx, asked)
	out := map[string]Token{}
	for i, h := range asked {
		if t, ok := found[h]; ok {
			out[secrets[i]] = t
		}
	}
	return out, err
}
