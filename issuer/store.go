package issuer

import (
	"github.com/kinpass/kinpass/internal/store"
)

// Store is the issuer's database. Each method is a whole step of the domain,
// in one transaction.
type Store struct {
	db *store.DB
}

func newStore(cfg Config) *Store { return &Store{db: cfg.DB} }
